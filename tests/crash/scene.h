/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the tests do to an image: a scene is a kind of image, changes that came before, and the one change
 * that is interrupted. A trial is a scene played once without a mishap: its log is what crash states are made
 * from, and its two ends are what every crash must lead to.
 */
#ifndef CRASH_SCENE_H
#define CRASH_SCENE_H

#include "cow/cow.h"
#include "model.h"
#include "sim.h"

enum verb {
    VERB_NONE,
    /* the disk gets another size */
    VERB_EXTEND,
    VERB_COPY,
    VERB_KEEP,
    VERB_SHRINK,
    /* another image of the same disk */
    VERB_PAGES,
    VERB_COMPACT,
    VERB_COMPACT_SECTORS,
    VERB_COMPACT_UNUSED, /* what the guest's filesystem has free goes, too */
    VERB_REBASE,         /* to OTHER_PATH, which is known to be equal */
    VERB_REBASE_SAFE,
    VERB_RESTAMP,
    VERB_CONVERT,
    /* the rest */
    VERB_MERGE_IN_PLACE,
    VERB_UNDO,
    VERB_DISCARD,
    VERB_CREATE,
    VERB_DIFF, /* what turns BACKING_PATH into OTHER_PATH */
    VERB_MERGE,
    VERB_EXTRACT,
    VERB_SAVE, /* bytes that the caller has */
    VERB_RECOVER,
    VERB_CHECK, /* looks only */
};

static inline bool verb_resizes(enum verb verb)
{
    return verb >= VERB_EXTEND && verb <= VERB_SHRINK;
}

static inline bool verb_rewrites(enum verb verb)
{
    return verb >= VERB_PAGES && verb <= VERB_CONVERT;
}

struct action {
    enum verb verb;
    uint64_t sectors; /* the new size, in sectors of 512 */
    bool elsewhere;   /* the result goes to OUTPUT_PATH */
    bool away;        /* the private backing file goes to AWAY_PATH, into another directory */
    bool force;       /* and without it, it is refused */
    const char *file; /* of the guest, that is extracted: a name of filesystem_file */
    bool backing;     /* ... as the backing file has it */
    bool family;      /* of all images on the backing file as one */
    bool in_place;    /* where the data has to move, it does so where it lies; else as `method` says */
    enum cow_resize_method method;
    enum cow_recover_way way;
    bool with_fs;      /* a program writes some pages of the disk while it is resized: disk_with_fs */
    const char *image; /* on which it acts; NULL: IMAGE_PATH. Or that it makes; NULL: OUTPUT_PATH */
    const char *other; /* the new backing file of a rebase; NULL: OTHER_PATH */
};

#define FAMILY_JOURNAL "/base/.back.img.cowtui-family"

enum { SCENE_ACTIONS = 4 };

/* When fsyncs and rollbacks play a scene. They take long. */
enum fsyncs {
    FSYNCS_TEST,
    FSYNCS_MORE, /* with --slow, in `make more` */
    FSYNCS_SOAK  /* with --thorough: another scene has the same */
};

struct scene {
    const char *name;
    struct spec spec;
    struct action action[SCENE_ACTIONS]; /* the last one is the one that is tried */
    /* The machine (sim.h). */
    enum fsyncs fsyncs;
    bool can_clone;
    bool can_insert;
    bool no_punch;
    uint32_t block_bytes;
    enum size_order size_order;
    uint64_t capacity_bytes;
    bool room_comes_late;
};

extern const struct scene scenes[];
extern const size_t n_scenes;

/* Another image of the family at one end of a change. */
struct kin {
    struct disk disk;
    enum form_name form;
    bool opens; /* a stock kernel opens it */
};

/* One end of a change. */
struct stage {
    struct tree tree;
    struct disk disk;
    enum form_name form; /* of the image */
    bool opens;          /* a stock kernel opens it */
    bool target_there;
    bool sibling_opens;
    struct kin kin[RELATIVES]; /* as many as the scene has */
};

struct trial {
    const struct scene *scene;
    struct action action;
    const char *target;  /* the file that is made or changed */
    const char *backing; /* the file whose size or content may change */
    bool raw;            /* the target is not an image: a disk, or a file of the guest */
    bool journaled;
    bool undoable;  /* once it is done */
    bool same_disk; /* both ends show the same disk; what tells them apart is the file and its header */
    bool merges;    /* into the backing file */
    struct stage before;
    struct stage after;
    struct sim sim; /* with the log of the change */
    char backing_path[2 * TREE_NAME_BYTES];
};

/* Whether a filesystem is resized in it (action.with_fs). */
bool scene_has_fs(const struct scene *scene);

/* What the scene's machine can, and has. */
void scene_equip(const struct scene *scene, struct sim *machine);

/* Plays the scene. Ends the program if the change does not work even without a mishap. */
void trial_begin(struct trial *trial, const struct scene *scene);
void trial_end(struct trial *trial);

/* Does an action on a machine, as a front end would. Answers the status of whatever failed. */
int action_run_promised(struct sim *sim, const struct action *action, struct cow_error *err);
int action_run(struct sim *sim, const struct action *action, const struct cow_env *env,
               struct cow_error *err);

/* The same in two parts. *img and *plan are the caller's then: free the plan first. */
int action_plan(struct cow_plan **plan, struct cow_image **img, struct sim *sim, const struct action *action,
                const struct cow_env *env, struct cow_error *err);

/* One of the images that may be named where all are meant: another one for each number. */
const char *trial_member(const struct trial *trial, uint64_t number);

/* Whether a journal lies beside the trial's image, or that of a family beside the backing file. */
bool journal_there(const struct tree *tree);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A plan from the inside: what its builders fill in and what the commit's steps read. Nothing here is changed
 * once the plan has been handed out.
 */
#ifndef CORE_PLAN_PLAN_H
#define CORE_PLAN_PLAN_H

#include <sys/stat.h>

#include "core/base/io.h"
#include "core/image/image.h"
#include "core/plan/selection.h"
#include "cow/ops.h"
#include "cow/plan.h"

enum {
    PLAN_STEPS_MAX = 16,
    PLAN_STRINGS_MAX = 200,
    PLAN_NOTES_MAX = 12,
    PLAN_INPUTS_MAX = 2,
    PLAN_SIBLINGS_MAX = 32,
    PLAN_FILES_MAX = 12,
};

/* How the commit holds the files that exist already. */
enum hold { HOLD_NOT, HOLD_READ, HOLD_WRITE };

/* A file that is read besides the image and its backing file. */
struct plan_input {
    const char *what; /* "new backing file", "raw disk" */
    const char *path;
    struct host_file file; /* owned */
};

/* What a new image will be, counted before it is made (footprint.h). Bytes. */
struct plan_image {
    uint64_t block_bytes;     /* of the filesystem it will lie on */
    uint64_t dirty_sectors;   /* of 512 bytes */
    uint64_t carried_sectors; /* of them that were dirty, in old sectors (no selection) */
    uint64_t added_sectors;   /* of them that were clean (where a selection takes an image\'s own bits) */
    uint64_t bitmap_bytes;    /* that are written of the bitmap */
    uint64_t data_bytes;      /* that are written of the data */
    uint64_t data_allocated_bytes; /* that the data takes, in so many runs of blocks */
    uint64_t data_runs;
    uint64_t allocated_bytes; /* that the file takes, but for the filesystem's notes where they are */
    uint64_t needs_bytes;     /* ... and with them, and with the journal: no more than that is used */
};

struct cow_plan {
    const struct cow_io *io;
    struct cow_image *img; /* the caller's; NULL for create */
    struct cow_preview preview;
    struct cow_step steps[PLAN_STEPS_MAX];
    size_t n_steps;
    const char *notes[PLAN_NOTES_MAX];
    const char *siblings[PLAN_SIBLINGS_MAX];
    struct cow_touched files[PLAN_FILES_MAX];
    char *strings[PLAN_STRINGS_MAX]; /* owned */
    size_t n_strings;
    bool out_of_memory;
    struct cow_error refusal; /* its status is not 0: a plan to be looked at, which the commit refuses */
    bool committed;
    bool probed; /* cow_plan_probe */

    const char *target_path; /* the file that appears by rename */
    const char *named_path;  /* the same as the caller named it; NULL: the image */
    const char *temp_path;   /* beside it */
    bool takes_device;       /* the target may be a block device, which is written over */
    bool is_device;          /* ... and is one */
    int stream_fd;           /* the caller's, instead of a target; -1: none */
    bool replace;            /* it may replace a file */
    bool force;
    bool lock_optional; /* a reader that goes on beside a guest: what it reads may change under it */
    enum hold hold_image;
    enum hold hold_backing;
    const char *backing_path; /* the backing file as it can be opened; NULL: none */
    struct stat backing_facts;
    int backing_errno; /* the file that the new header names is not there: for the verdict */
    struct plan_input input[PLAN_INPUTS_MAX]; /* further files that are read, locked while the commit lasts */
    size_t n_inputs;
    struct cow_fs *fs;           /* what works by pages, and extract; owned, as the next two */
    struct cow_fs_scan *fs_scan; /* ... tells what is free, and what a guest reads in one piece */
    bool has_joints;             /* ... the latter matters */
    struct cow_fs_reader *file;  /* ... the file of the guest that is written */
    struct cow_image *own_image; /* diff: the raw disk as an image, in img as well; owned */

    /* the new image (create, resize) */
    struct cow_header header;
    struct cow_layout layout;
    struct selection *selection;     /* which of its sectors are dirty, owned; NULL: those of the old image */
    bool punch_zeros;                /* blocks of zeros become holes */
    bool fresh;                      /* a new file with the caller's owner, not the image's */
    uint64_t saved_bytes;            /* in place: of what is written over, that the journal keeps, at most */
    struct cow_dirty_run born_dirty; /* policy keep: new sectors, in sectors of the new image */
    bool journaled;      /* an image is replaced or changed in place: a record of it is kept while it lasts */
    bool in_place;       /* ... by one write of its first sector */
    bool header_edit;    /* ... where only path or date of the backing file change: nothing else is written */
    bool backing_only;   /* ... and not even that: only its backing file is lengthened */
    bool keep_undo;      /* the old file becomes the undo file */
    bool recovers;       /* finishes what was interrupted, or takes it back */
    bool undoes;         /* goes back to what the undo file has */
    bool follows_record; /* either, or gives the undo file up: what is touched a record says, not the steps */
    bool shrinks;
    bool trusts_backing; /* a header that says which backing file is right, and which date: not while another
                            image's change waits that concerns the file */
    struct plan_image image; /* the new image, as counted */
    bool odd_end_is_born;    /* of born_dirty the first is the old disk's odd end */

    /* what becomes of the backing file (resize) */
    uint64_t backing_bytes;     /* its size afterwards */
    const char *copy_path;      /* policy copy, else NULL */
    const char *copy_temp_path; /* beside it */
    struct timespec copy_mtime;

    /* merge in place */
    bool merges;                 /* the backing file is written over */
    struct timespec merge_mtime; /* its date afterwards */
    bool merge_elsewhere;        /* what is written over takes new room, too */
    uint64_t merge_new_bytes; /* that its filesystem must have room for: its holes that get filled, or all */
};

/* A new, empty plan. NULL: out of memory. */
struct cow_plan *plan_new(const struct cow_io *io, struct cow_image *img, const char *operation);

/* A string that the plan owns, as it is: for paths. Answers "" and remembers it if there is no memory
 * (plan_finish tells). */
const char *plan_text(struct cow_plan *plan, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for people: names in it are escaped. */
const char *plan_words(struct cow_plan *plan, const char *format, ...) __attribute__((format(printf, 2, 3)));

void plan_note(struct cow_plan *plan, const char *format, ...) __attribute__((format(printf, 2, 3)));
void plan_step(struct cow_plan *plan, enum cow_step_kind kind, uint64_t bytes, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Opens a further file to be read; the plan closes it. Errors as opening has them, "the WHAT" before them. */
int plan_add_input(struct cow_plan *plan, const char *what, const char *path, struct cow_error *err);

/* The files that the steps make, change or remove, into the preview: anew, from the steps as they are now
 * (plan_files.c). A plan that recovers or undoes has named its own by plan_touch. */
void plan_name_files(struct cow_plan *plan);
void plan_touch(struct cow_plan *plan, enum cow_touch touch, const char *path);
/* ... if it is there now; the same of a file beside the target. */
void plan_touch_if_there(struct cow_plan *plan, enum cow_touch touch, const char *path);
void plan_touch_side(struct cow_plan *plan, enum cow_touch touch, const char *side);
void plan_touch_sized(struct cow_plan *plan, enum cow_touch touch, const char *path, uint64_t size_bytes);

/* Hands the plan out, or frees it with COW_NO_MEMORY if a string was lost. */
int plan_finish(struct cow_plan **out, struct cow_plan *plan, struct cow_error *err);

/* The permission bits of a new file that holds what is in the inputs: those that all of them have. The umask
 * is still to be taken off (by making the file with them). */
mode_t plan_output_mode(const struct cow_plan *plan);

/* A note where content that is copied comes from a backing file that the image names, outside of its
 * directory.
 */
void plan_note_outside(struct cow_plan *plan);

/* A note where a new header has the date of a device's node. */
void plan_note_device(struct cow_plan *plan, const struct stat *backing);

/* A note where that makes an image that its owner could not write. */
void plan_note_read_only(struct cow_plan *plan);

/* Names. Each answers a string of the plan's, or sets err. */
/* Where a file that shall appear as path is made: ".NAME.cowtui-new" beside it. */
const char *plan_temp_path(struct cow_plan *plan, const char *path);
/* path as an absolute one, with the links of its directory resolved. NULL with err if the directory is not
 * there. */
const char *plan_absolute_path(struct cow_plan *plan, const char *path, struct cow_error *err);

/* Where an output that was named path goes: the name that the file will have, or NULL with err. A link to a
 * file is followed, with a note: that file is replaced. Refused is one that exists (unless force), that is no
 * regular file, a link that leads nowhere, and any of the files of img and any input of the plan under any
 * name. *exists tells whether there is something to replace. */
const char *plan_choose_output(struct cow_plan *plan, const char *path, bool force, bool *exists,
                               struct cow_error *err);

/* COW_REFUSED if an interrupted change of the image waits for recovery. */
int plan_check_pending(const struct cow_image *img, struct cow_error *err);

/* COW_REFUSED if an image that is to be replaced by rename has further names, unless force. */
int plan_check_names(const struct cow_image *img, bool force, struct cow_error *err);

/* No lock was had (-errno), and not because somebody holds one: COW_IO, with what helps. */
int plan_no_lock(struct cow_error *err, int status, const char *path);

/* COW_REFUSED where something that is none of ours lies where the change has to put a file of its own. */
int plan_check_way(const struct cow_plan *plan, struct cow_error *err);
/* ... at this name beside the image: what is no regular file, and another user's (the image's owner is none).
 */
int plan_check_way_of(const struct cow_plan *plan, const char *what, struct cow_error *err);

/* The other images on the backing file, into the preview. COW_LOCKED with the pid if somebody holds one of
 * them; COW_REFUSED if a change of one waits for recovery. */
int plan_list_siblings(struct cow_plan *plan, struct cow_error *err);

/* The same two refusals, asked again under the lock. */
int plan_check_siblings(const struct cow_plan *plan, struct cow_error *err);
/* COW_REFUSED if a change of an image on this file was interrupted: its date and length may be half a
 * change's.
 */
int plan_check_pending_on(const struct cow_image *img, const char *path, const struct stat *facts,
                          struct cow_error *err);

/* A note where a guest holds the image at this moment. */
void plan_note_in_use(struct cow_plan *plan);

/* What a stock kernel will say of the new image: fills preview.after_verdict from plan->header. */
int plan_predict_verdict(struct cow_plan *plan, uint64_t backing_bytes, int64_t backing_mtime,
                         struct cow_error *err);

/* Fills the parts of the preview that follow from header and layout (after_*, can_grow_to_bytes...). */
void plan_show_new_image(struct cow_plan *plan);

#endif

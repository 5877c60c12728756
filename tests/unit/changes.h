/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the suites of the changing part share: one description of a change, run over an image of the model's,
 * and what must be true afterwards.
 */
#ifndef TESTS_UNIT_CHANGES_H
#define TESTS_UNIT_CHANGES_H

#include "core/base/io.h"
#include "support.h"

enum operation {
    OPERATION_CREATE,
    OPERATION_EXTEND,
    OPERATION_COPY,
    OPERATION_KEEP,
    OPERATION_SHRINK, /* with a private copy of the backing file */
    OPERATION_MERGE,
    OPERATIONS
};

struct change {
    enum operation operation;
    struct model_spec spec;
    uint64_t new_bytes;     /* resize */
    uint64_t reserve_bytes; /* resize; 0: the default */
    bool elsewhere;         /* resize: -o FILE (copy, keep and shrink) */
    bool force;
};

/* A change with its files: the image "m" on "m.img"; for create only the backing. */
struct subject {
    struct change change;
    struct model *model;
    char *target;      /* the file that appears or is replaced */
    char *copy;        /* policy copy: the private backing file; else NULL */
    uint8_t *new_disk; /* what the target must compose to */
    uint64_t new_bytes;
    struct witness image, backing; /* as they were */
    uint8_t *old_file;             /* the image's bytes, image.facts.st_size of them */
    bool in_place;                 /* by the model's rule the data may stay where it is */
};

struct subject *subject_create(const struct change *change);
/* Takes what the files are now for the state before the change. */
void subject_look_again(struct subject *s);
/* Removes the files, too, so that the next one finds an empty directory. */
void subject_free(struct subject *s);
const char *subject_describe(const struct subject *s);

/* The system's calls, but nothing is flushed, for speed. */
const struct cow_io *quick_io(void);

/* Plans and commits through this table of calls (NULL: quick_io). The status of whichever failed;
 * *planned tells whether it was the commit. */
int subject_run(const struct subject *s, const struct cow_io *io, const struct cow_env *env, bool *planned,
                struct cow_error *err);

/* The same for going back, and for finishing what was interrupted. */
int subject_undo(const struct subject *s, const struct cow_io *io, struct cow_error *err);
int subject_recover(const struct subject *s, const struct cow_io *io, struct cow_error *err);
/* Opens the target, plans that, and commits. */
typedef int (*plan_builder)(struct cow_plan **out, struct cow_image *img, struct cow_error *err);
int plan_and_commit(const char *path, plan_builder builder, const struct cow_io *io, struct cow_error *err);

/* Whether the change replaces or alters the image (and leaves an undo file). */
bool subject_changes_image(const struct subject *s);
bool subject_is_pending(const struct subject *s); /* there is a journal */

enum outcome { OUTCOME_OLD, OUTCOME_NEW, OUTCOME_BROKEN };
/* Which disk the target holds by the model; for an output that was not there before, its absence is old. */
enum outcome subject_outcome(const struct subject *s);

/* The backing file: its first bytes and its date are as they were; its size is one of the two. */
void subject_check_backing(const struct subject *s, bool extended, const char *where);
/* Nothing at all has changed: every file, every name. */
void subject_check_untouched(const struct subject *s, const char *where);
/* The change is complete: contents, header, bits, the old files, what the undo file holds, and no other name
 * is there. */
void subject_check_done(const struct subject *s, const char *where);
/* The names in the directory are those that belong to this outcome. */
void subject_check_names(const struct subject *s, enum outcome outcome, const char *where);
/* After a recovery: it is settled as that outcome, without a journal; the old state may have lost nothing but
 * the length and the date of a change in place that was taken back. */
void subject_check_settled(const struct subject *s, enum outcome outcome, const char *where);
/* Takes a complete change back and checks that everything is as it was. */
void subject_check_undo(const struct subject *s, const char *where);

#endif

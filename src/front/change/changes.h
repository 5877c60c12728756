/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The changes of an image that are told all they need in words: "compact --unused". The command line offers
 * each as a subcommand, the screen as a `:` command, with the same options, the same plan and the same
 * errors. A row here is all that a new one needs besides its builder, its name among those of words.h, and a
 * line of help in the command line's table. (The resize wizard asks for more than words; making a new image
 * has none to begin with.)
 */
#ifndef FRONT_CHANGE_CHANGES_H
#define FRONT_CHANGE_CHANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cow/env.h"
#include "cow/error.h"
#include "cow/image.h"
#include "cow/plan.h"
#include "front/change/words.h"

/* A plan, and what has to stay until it was carried out. */
struct front_planned {
    struct cow_plan *plan;
    struct qcow2_sink *sink; /* NULL: nothing but the core writes */
};

struct front_change {
    const char *name;
    unsigned bit; /* FRONT_..., which the options name */
    /* The option that a word alone stands for on the screen (":convert FILE"); NULL: it takes none. */
    const char *operand;
    int (*plan)(struct front_planned *out, struct cow_image *image, const struct front_words *words,
                const struct cow_env *env, struct cow_error *err);
    const char *title, *help; /* on the screen; NULL: it has a row of its own there (undo, recover) */
    const char *done;         /* said of the image behind it, where it is the image that was changed */
};

/* The table; its end has no name. */
extern const struct front_change front_changes[];

/* "64M" as a number of bytes, of --reserve; 0 for NULL. Errors: COW_USAGE. */
int front_read_reserve(uint64_t *out, const char *text, struct cow_error *err);

/* The row of that name, NULL if there is none. */
const struct front_change *front_find_change(const char *name);

/* The plan of that change. What it compares before it has a plan is told to env, which may stop it; env is
 * kept until front_end_change() or front_hear_change(). Errors: the builder's; COW_USAGE; COW_UNSUPPORTED
 * (what writes a qcow2 is not installed). *out is the caller's in any case: front_end_change(). */
int front_plan_change(struct front_planned *out, const struct front_change *change, struct cow_image *image,
                      const struct front_words *words, const struct cow_env *env, struct cow_error *err);

/* From here on env is asked whether to stop, where a program of others writes the result: for a commit that
 * has an env of its own. */
void front_hear_change(struct front_planned *planned, const struct cow_env *env);

/* Frees the plan, and ends what its commit may have begun. failure: that commit's error, which may get a
 * hint by it, or NULL. */
void front_end_change(struct front_planned *planned, struct cow_error *failure);

#endif

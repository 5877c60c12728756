/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whether a disk is as a crash may leave it. The judge reads the files itself (formats.h) and knows what a
 * stock kernel would do with them.
 */
#ifndef CRASH_JUDGE_H
#define CRASH_JUDGE_H

#include "scene.h"

enum outcome {
    OUTCOME_OPEN, /* nothing is said */
    OUTCOME_OLD,
    OUTCOME_NEW,
    OUTCOME_BAD,
};

struct verdict {
    enum outcome outcome;
    char why[256]; /* of OUTCOME_BAD */
};

/* Nothing to say, and that something is wrong. */
extern const struct verdict judge_fine;
struct verdict judge_bad(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What may differ from the two ends of a trial. */
struct allowance {
    bool left_overs; /* a temporary file that nobody has told of */
    unsigned drafts; /* ... of these images of a family only (family_drafts) */
    const struct guest *guest;
};

/* A guest that ran after the crash: one sector that it wrote, in the old and the new disk. */
struct guest {
    struct disk old;
    struct disk new;
};

/* Before any recovery: no file is harmed, and a kernel that opens an image finds the old or the new disk.
 * guest: NULL, or what has run since the change. */
struct verdict judge_crashed(const struct trial *trial, const struct tree *tree, const struct guest *guest);

/* At the end: exactly the old or the new state. */
struct verdict judge_settled(const struct trial *trial, const struct tree *tree,
                             const struct allowance *allowed);

/* The two ends themselves; ends the program if they are wrong. */
void judge_trial(struct trial *trial);

/* Lets a guest write a sector if a stock kernel opens the image. False: it does not. */
bool guest_runs(struct guest *guest, const struct trial *trial, struct tree *tree, uint64_t random);
void guest_free(struct guest *guest);

#endif

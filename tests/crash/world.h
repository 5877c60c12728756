/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A machine on which others act, too: its files, what each image on it is meant to show, and the commands
 * that are given to the program there. Each command is judged by what it does to all files:
 *
 * - refused: nothing has changed, and there are words;
 * - else only the image, the files beside it that are named after it, and the backing file that the change
 *   concerns have changed; success is true;
 * - every other image shows what it showed, or a kernel refuses it, where its backing file was merged into;
 * - what a kernel opens shows a disk that the image has had: no date is put over changed content.
 */
#ifndef CRASH_WORLD_H
#define CRASH_WORLD_H

#include "run.h"

enum { WORLD_DISKS = 16, WORLD_STORY_BYTES = 400, OTHER_USER = 2000 };

struct world {
    struct run *run;
    const struct trial *trial;
    struct rng rng;
    struct tree tree;    /* the files now, all durable */
    const char *image;   /* where the trial's image is, or its copy that is acted on */
    bool copied;         /* ... and the original is there, too */
    bool has_own_record; /* ... and a change since was made in the copy, so that going back is about it */
    uid_t caller;
    uint64_t clock_back_ns;        /* so much the clock has been put back */
    struct disk disk[WORLD_DISKS]; /* that the trial's image may show */
    unsigned n_disks;
    struct disk known[TREE_INODES]; /* what other images show, by inode */
    bool has_known[TREE_INODES];
    uint8_t foreign_journal; /* the file that is not to be obeyed; NO_INODE: there is none */
    uint8_t foreign_undo;
    bool merge_next;   /* an actor wants that to be tried */
    bool trial_writes; /* into a backing file: until it is recovered nobody else does */
    bool forged;       /* a file pretends to be another one, to the nanosecond of its date: nobody can tell */
    bool changed;      /* by another command: what undo leads to is not known */
    const char
        *extended;  /* the trial's image under the name under which it was grown since: going back cuts */
    bool restamped; /* an image's date was declared right by its user */
    char story[WORLD_STORY_BYTES];
    unsigned long done, refused; /* commands */
    int last_status;
};

/* Takes the files over. */
void world_begin(struct world *world, struct run *run, struct tree *files, uint64_t seed);
void world_end(struct world *world);

void world_tell(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The trial's image may show this disk (taken over), too. */
void world_allow(struct world *world, struct disk disk);
/* Remembers what images show that are new, and that a kernel opens. */
void world_learn(struct world *world);
/* The backing file has other content now, and nothing that a kernel could tell that by: what images show. */
void world_learn_anew(struct world *world);

/* A machine with the world's files. */
void world_boot(const struct world *world, struct sim *machine);
/* Gives a command and judges. False: a violation was told. */
bool world_do(struct world *world, const struct action *action);
/* Judges a command that has turned the world's files into `after`, which is taken over. */
bool world_judge(struct world *world, const struct action *action, int status, const struct cow_error *err,
                 struct tree *after);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Who acts on a machine between two runs of the program, and how.
 */
#ifndef CRASH_ACTORS_H
#define CRASH_ACTORS_H

#include "world.h"

/* What is planted: as the trial has it when its change is under way, and when it is done. */
struct templates {
    bool has_journal, has_undo;
    struct inode journal, undo;
};

struct actor {
    const char *name;
    /* False: it has nothing to act on in this world, and nothing is changed. */
    bool (*act)(struct world *world, const struct templates *templates);
};

extern const struct actor actors[];
extern const size_t n_actors;

/* records.c: puts a strange value into a field of a record in a file. False: it holds no record. */
bool record_spoil(struct world *world, const char *path);

#endif

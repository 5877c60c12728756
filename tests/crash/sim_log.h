/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the calls of a simulated machine (sim_calls.c) need of it (sim.c).
 */
#ifndef CRASH_SIM_LOG_H
#define CRASH_SIM_LOG_H

#include "sim.h"

enum {
    SIM_CALL_NS = 137001,
    SIM_FLUSH_NS = 300 * 1000 * 1000 /* of bytes or a length: longer than a date may follow the journal's */
};

extern const struct cow_io sim_table;

/* Each call begins here. Answers FAULT_NONE, FAULT_LATE or FAULT_SHORT: go on, in that way; or a negative
 * errno: fail now. */
int sim_gate(struct sim *sim, const char *call, bool mutates, bool transfers);
struct sim_fd *sim_descriptor(struct sim *sim, int fd);
void sim_touch(struct sim *sim, struct inode *inode); /* its date is now */

/* The log. A mutating call is told first, then what it changed. */
void sim_log_call(struct sim *sim, const char *call, const char *name, uint64_t offset, uint64_t length);
struct item *sim_log_item(struct sim *sim, enum item_kind kind, uint8_t inode);
void sim_log_facts(struct sim *sim, uint8_t inode, bool truncates);
void sim_log_sectors(struct sim *sim, uint8_t inode, uint64_t offset, uint64_t n_bytes);
/* Sets a name, and removes another one (or NULL), as one step; in the tree, too. */
void sim_log_entry(struct sim *sim, uint8_t directory, const char *name, uint8_t target, const char *gone);

#endif

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

/* Each call begins here. Answers FAULT_NONE, FAULT_LATE, FAULT_SHORT or FAULT_SPLIT: go on, in that way; or a
 * negative errno: fail now. */
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

/* Room (sim_room.c): the calls, and what others have to ask and to tell. */
int sim_fallocate(void *context, int fd, enum io_room how, uint64_t offset, uint64_t n_bytes);
int sim_can_insert(void *context, int fd, const char *path, uint64_t offset, uint64_t n_bytes);
int sim_free_bytes(void *context, int fd, uint64_t *out);
/* How many of the bytes at offset can be written: each page that is not allocated yet takes room. */
size_t sim_fits(const struct sim *sim, uint8_t inode, uint64_t offset, size_t n_bytes);
/* A file or directory was flushed. */
void sim_room_flushed(struct sim *sim, uint8_t inode);

#endif

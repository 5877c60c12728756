/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See sim.h. Every call goes through sim_gate(), where faults strike; every change of the tree is written to
 * the log by the same function that makes it.
 */
#include "sim.h"

#include <string.h>

#include "memory.h"
#include "power.h"
#include "sim_log.h"

enum { TICK_NS = 4000000 };

struct timespec sim_tick(const struct sim *sim)
{
    uint64_t ns = sim->clock_ns / TICK_NS * TICK_NS;
    return (struct timespec){.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
}

/* ---- the log ---- */

struct item *sim_log_item(struct sim *sim, enum item_kind kind, uint8_t inode)
{
    if (sim->n_items == sim->room_items) {
        sim->room_items = sim->room_items * 2 + 64;
        sim->item = memory_resize(sim->item, sim->room_items * sizeof *sim->item);
    }
    struct item *item = &sim->item[sim->n_items++];
    memset(item, 0, sizeof *item);
    item->mutation = (uint32_t)(sim->n_mutations - 1);
    item->kind = (uint8_t)kind;
    item->inode = inode;
    return item;
}

void sim_log_call(struct sim *sim, const char *call, const char *name, uint64_t offset, uint64_t length)
{
    if (sim->n_mutations == sim->room_mutations) {
        sim->room_mutations = sim->room_mutations * 2 + 32;
        sim->mutation = memory_resize(sim->mutation, sim->room_mutations * sizeof *sim->mutation);
    }
    struct mutation *m = &sim->mutation[sim->n_mutations++];
    *m = (struct mutation){.call = call, .offset = offset, .length = length};
    memccpy(m->name, name, '\0', sizeof m->name - 1);
}

void sim_log_facts(struct sim *sim, uint8_t inode, bool truncates)
{
    struct item *item = sim_log_item(sim, ITEM_FACTS, inode);
    item->facts = sim->live.inode[inode].facts;
    item->truncates = truncates;
}

void sim_log_entry(struct sim *sim, uint8_t directory, const char *name, uint8_t target, const char *gone)
{
    struct item *item = sim_log_item(sim, ITEM_ENTRY, directory);
    memccpy(item->name[0].name, name, '\0', TREE_NAME_BYTES);
    item->name[0].target = target;
    tree_set_entry(&sim->live, directory, name, target);
    if (gone != NULL) {
        memccpy(item->name[1].name, gone, '\0', TREE_NAME_BYTES);
        item->name[1].target = NO_INODE;
        tree_set_entry(&sim->live, directory, gone, NO_INODE);
    }
}

void sim_log_sectors(struct sim *sim, uint8_t inode, uint64_t offset, uint64_t n_bytes)
{
    for (uint64_t s = offset / SECTOR_BYTES; n_bytes > 0 && s * SECTOR_BYTES < offset + n_bytes; s++) {
        struct item *item = sim_log_item(sim, ITEM_SECTOR, inode);
        item->data.sector = s;
        item->data.block = inode_block(&sim->live.inode[inode], s * SECTOR_BYTES);
        item->data.page = page_ref(inode_page(&sim->live.inode[inode], s * SECTOR_BYTES));
    }
}

static void drop_log(struct sim *sim)
{
    for (size_t i = 0; i < sim->n_items; i++) {
        if (sim->item[i].kind == ITEM_SECTOR) {
            page_unref(sim->item[i].data.page);
        }
    }
    sim->n_items = 0;
    sim->n_mutations = 0;
}

/* ---- the gate ---- */

int sim_gate(struct sim *sim, const char *call, bool mutates, bool transfers)
{
    const struct fault_plan *f = &sim->fault;
    sim->clock_ns += SIM_CALL_NS;
    memory_require(sim->calls_max == 0 || ++sim->calls < sim->calls_max, "it makes calls without an end");
    const bool is_room = strncmp(call, "fallocate", 9) == 0;
    if ((f->only_mutations && !mutates) || (f->only_transfers && !transfers) || (f->only_room && !is_room)) {
        return FAULT_NONE;
    }
    sim->n_calls++;
    bool hit = f->kind != FAULT_NONE && f->at != 0 &&
               (f->for_ever ? sim->n_calls >= f->at : sim->n_calls == f->at || sim->n_calls == f->second);
    if (!hit || (f->kind == FAULT_SHORT && !transfers) || (f->kind == FAULT_SPLIT && !is_room) ||
        (f->kind == FAULT_LATE && (!mutates || strncmp(call, "open", 4) == 0))) {
        return FAULT_NONE;
    }
    if (sim->struck == NULL) {
        sim->struck = call;
        sim->struck_at = sim->n_mutations;
    }
    return f->kind == FAULT_ERROR ? -f->error : (int)f->kind;
}

struct sim_fd *sim_descriptor(struct sim *sim, int fd)
{
    memory_require(fd >= SIM_FIRST_FD && fd < SIM_FIRST_FD + SIM_FDS && sim->fd[fd - SIM_FIRST_FD].used,
                   "a call on a descriptor that is not open");
    return &sim->fd[fd - SIM_FIRST_FD];
}

struct timespec sim_kept_date(const struct tree *tree, const struct inode *inode, struct timespec date)
{
    const unsigned granule = tree->device[inode->device].granule_s;
    return granule == 0 ? date : (struct timespec){.tv_sec = date.tv_sec - date.tv_sec % (time_t)granule};
}

void sim_touch(struct sim *sim, struct inode *inode)
{
    inode->facts.mtime = sim_kept_date(&sim->live, inode, sim_tick(sim));
}

/* ---- machines ---- */

static void start(struct sim *sim, struct tree *tree)
{
    memset(sim, 0, sizeof *sim);
    sim->io = sim_table;
    sim->io.context = sim;
    sim->live = *tree;
    memset(tree, 0, sizeof *tree);
    /* Later than anything that a file may be dated. */
    sim->clock_ns = UINT64_C(1700000000000000000);
    for (unsigned i = 0; i < TREE_INODES; i++) {
        const struct timespec *t = &sim->live.inode[i].facts.mtime;
        uint64_t ns = (uint64_t)t->tv_sec * 1000000000 + (uint64_t)t->tv_nsec;
        sim->clock_ns = sim->clock_ns > ns ? sim->clock_ns : ns;
    }
    sim->clock_ns += UINT64_C(61000000007);
}

void sim_boot(struct sim *sim, struct tree *tree)
{
    start(sim, tree);
    sim_settle(sim);
}

void sim_resume(struct sim *sim, struct tree *files, const struct tree *durable, const struct item *waiting,
                size_t n_waiting)
{
    start(sim, files);
    tree_copy(&sim->base, durable);
    sim_log_call(sim, "what waited before", "", 0, 0);
    for (size_t i = 0; i < n_waiting; i++) {
        struct item *item = sim_log_item(sim, (enum item_kind)waiting[i].kind, waiting[i].inode);
        *item = waiting[i];
        item->mutation = 0;
        if (item->kind == ITEM_SECTOR) {
            page_ref(item->data.page);
        }
    }
}

static void forget_flushed(struct sim *sim)
{
    for (unsigned i = 0; i < TREE_INODES; i++) {
        inode_forget(&sim->flushed[i]);
        sim->is_flushed[i] = false;
        sim->is_synced[i] = false;
    }
}

void sim_settle(struct sim *sim)
{
    drop_log(sim);
    forget_flushed(sim);
    tree_clear(&sim->base);
    tree_settle(&sim->live);
    tree_copy(&sim->base, &sim->live);
}

void sim_free(struct sim *sim)
{
    drop_log(sim);
    forget_flushed(sim);
    tree_clear(&sim->live);
    tree_clear(&sim->base);
    memory_free(sim->item);
    memory_free(sim->mutation);
    sim->item = NULL;
    sim->mutation = NULL;
}

unsigned sim_open_files(const struct sim *sim)
{
    unsigned n = 0;
    for (unsigned i = 0; i < SIM_FDS; i++) {
        n += sim->fd[i].used;
    }
    return n;
}

void sim_set_fault(struct sim *sim, const struct fault_plan *fault)
{
    sim->fault = *fault;
    sim->n_calls = 0;
    sim->n_syncs = 0;
    sim->struck = NULL;
    sim->skipped[0] = '\0';
}

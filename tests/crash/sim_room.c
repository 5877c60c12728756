/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Room in a simulated machine: holes, ranges that are inserted and collapsed, and disks that are full.
 */
#include <errno.h>
#include <fcntl.h>

#include "memory.h"
#include "power.h"
#include "sim_log.h"

static uint32_t block_bytes(const struct sim *sim)
{
    return sim->block_bytes != 0 ? sim->block_bytes : PAGE_BYTES;
}

/* ---- how much there is ---- */

static bool is_open(const struct sim *sim, unsigned inode)
{
    for (unsigned i = 0; i < SIM_FDS; i++) {
        if (sim->fd[i].used && sim->fd[i].inode == inode) {
            return true;
        }
    }
    return false;
}

static uint64_t used_pages(const struct sim *sim, uint8_t device)
{
    uint64_t pages = 0;
    for (unsigned i = 0; i < TREE_INODES; i++) {
        const struct inode *live = &sim->live.inode[i];
        const struct inode *on_disk = sim->is_flushed[i] ? &sim->flushed[i] : &sim->base.inode[i];
        const bool lives = tree_links(&sim->live, (uint8_t)i) > 0 || is_open(sim, i);
        if (live->kind == INODE_FILE && live->device == device) {
            pages += lives ? inode_allocated_bytes(live) / PAGE_BYTES : 0;
            pages += sim->room_comes_late ? inode_other_blocks(on_disk, lives ? live : NULL) : 0;
        }
    }
    return pages;
}

static uint64_t pages_left(const struct sim *sim, uint8_t device)
{
    const uint64_t used = used_pages(sim, device), all = sim->capacity_bytes / PAGE_BYTES;
    return used < all ? all - used : 0;
}

size_t sim_fits(const struct sim *sim, uint8_t inode, uint64_t offset, size_t n_bytes)
{
    if (sim->capacity_bytes == 0) {
        return n_bytes;
    }
    const struct inode *file = &sim->live.inode[inode];
    uint64_t left = pages_left(sim, file->device);
    for (uint64_t page = offset / PAGE_BYTES * PAGE_BYTES; page < offset + n_bytes; page += PAGE_BYTES) {
        if (inode_page(file, page) != NULL) {
            continue;
        }
        if (left-- == 0) {
            return page > offset ? (size_t)(page - offset) : 0;
        }
    }
    return n_bytes;
}

void sim_room_flushed(struct sim *sim, uint8_t inode)
{
    if (!sim->room_comes_late) {
        return;
    }
    if (sim->live.inode[inode].kind != INODE_DIRECTORY) {
        inode_share(&sim->flushed[inode], &sim->live.inode[inode]);
        sim->is_flushed[inode] = true;
        return;
    }
    for (unsigned i = 0; i < TREE_INODES; i++) { /* files have no names in two directories */
        if (sim->live.inode[i].kind == INODE_FILE && tree_links(&sim->live, (uint8_t)i) == 0) {
            inode_forget(&sim->flushed[i]);
            sim->is_flushed[i] = true;
        }
    }
}

int sim_free_bytes(void *context, int fd, uint64_t *out)
{
    const struct sim *sim = context;
    int fault = sim_gate(context, "statvfs", false, false);
    *out = UINT64_C(1) << 40;
    if (sim->capacity_bytes != 0) {
        const uint8_t inode = sim_descriptor(context, fd)->inode;
        *out = pages_left(sim, sim->live.inode[inode].device) * PAGE_BYTES;
    }
    return fault < 0 ? fault : 0;
}

/* ---- holes ---- */

/* Whole pages go; each is told to the log. */
static void drop_pages(struct sim *sim, uint8_t at, uint64_t begin, uint64_t end)
{
    struct inode *inode = &sim->live.inode[at];
    for (uint64_t page = inode_next(inode, begin, true); page < end;
         page = inode_next(inode, page + PAGE_BYTES, true)) {
        sim_log_item(sim, ITEM_HOLE, at)->hole = page;
    }
    inode_drop(inode, begin, end);
}

/* Bytes within a page, where there is one. */
static void clear_bytes(struct sim *sim, uint8_t at, uint64_t begin, uint64_t end)
{
    static const uint8_t zeros[PAGE_BYTES];
    struct inode *inode = &sim->live.inode[at];
    if (begin < end && inode_page(inode, begin) != NULL) {
        inode_write(inode, begin, zeros, (size_t)(end - begin));
        sim_log_sectors(sim, at, begin, end - begin);
    }
}

static void punch(struct sim *sim, uint8_t at, uint64_t begin, uint64_t end)
{
    const uint64_t first = (begin + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    const uint64_t last = end / PAGE_BYTES * PAGE_BYTES;
    if (first > last) { /* within a page */
        clear_bytes(sim, at, begin, end);
        return;
    }
    clear_bytes(sim, at, begin, first);
    drop_pages(sim, at, first, last);
    clear_bytes(sim, at, last, end);
}

/* ---- shifts ---- */

static int may_shift(const struct sim *sim, const struct inode *inode, bool collapse, uint64_t offset,
                     uint64_t n_bytes)
{
    const uint64_t size = inode->facts.size_bytes;
    if (!sim->can_insert) {
        return -EOPNOTSUPP;
    }
    if (offset % block_bytes(sim) != 0 || n_bytes % block_bytes(sim) != 0 ||
        (collapse ? offset + n_bytes >= size : offset >= size)) {
        return -EINVAL;
    }
    return !collapse && size > INT64_MAX - n_bytes ? -EFBIG : 0;
}

static void shift(struct sim *sim, uint8_t at, bool collapse, uint64_t offset, uint64_t n_bytes, bool split)
{
    struct inode *inode = &sim->live.inode[at];
    struct shift shift =
        shift_whole(collapse, offset, n_bytes, inode->facts.size_bytes, block_bytes(sim), sim->size_order);
    if (collapse) {
        drop_pages(sim, at, offset, offset + n_bytes);
    }
    if (split) {
        struct rng rng = {rng_mix(sim->fault.split, sim->n_calls)};
        shift_cut_off(&shift, inode, &rng);
    }
    sim_log_item(sim, ITEM_SHIFT, at)->shift = shift;
    shift_apply(inode, &shift);
}

/* ---- the calls ---- */

int sim_fallocate(void *context, int fd, enum io_room how, uint64_t offset, uint64_t n_bytes)
{
    static const char *const calls[] = {[IO_ROOM_INSERT] = "fallocate (insert)",
                                        [IO_ROOM_COLLAPSE] = "fallocate (collapse)",
                                        [IO_ROOM_PUNCH] = "fallocate (punch)"};
    struct sim *sim = context;
    const struct sim_fd *d = sim_descriptor(sim, fd);
    struct inode *inode = &sim->live.inode[d->inode];
    memory_require((d->flags & O_ACCMODE) != O_RDONLY, "fallocate of a descriptor that is for reading");
    int fault = sim_gate(sim, calls[how], true, false);
    if (fault < 0) {
        return fault;
    }
    if (n_bytes == 0 || offset > INT64_MAX || n_bytes > INT64_MAX - offset) {
        return n_bytes == 0 ? -EINVAL : -EFBIG;
    }
    int status = how != IO_ROOM_PUNCH ? may_shift(sim, inode, how == IO_ROOM_COLLAPSE, offset, n_bytes)
                 : sim->no_punch      ? -EOPNOTSUPP
                                      : 0;
    if (status < 0) {
        return status;
    }
    const bool split = fault == FAULT_SPLIT;
    sim_log_call(sim, calls[how], d->name, offset, n_bytes);
    if (how == IO_ROOM_PUNCH) {
        punch(sim, d->inode, offset, offset + (split ? n_bytes / 2 : n_bytes));
    } else {
        shift(sim, d->inode, how == IO_ROOM_COLLAPSE, offset, n_bytes, split);
    }
    sim_touch(sim, inode);
    sim_log_facts(sim, d->inode, false);
    return split || fault == FAULT_LATE ? -sim->fault.error : 0;
}

int sim_can_insert(void *context, int fd, const char *path, uint64_t offset, uint64_t n_bytes)
{
    const struct sim *sim = context;
    (void)fd;
    (void)path;
    int fault = sim_gate(context, "can_insert", false, false);
    return fault < 0 ? fault
                     : sim->can_insert && n_bytes > 0 && offset % block_bytes(sim) == 0 &&
                           n_bytes % block_bytes(sim) == 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The journal of a change: written before the image is touched, and after the commit either dropped (the old
 * image, which is kept, carries the same record) or renamed to be the undo file itself (a change by header).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/base/bytes.h"
#include "core/base/crc.h"
#include "core/commit/methods.h"
#include "core/commit/settle.h"
#include "core/commit/steps.h"
#include "core/format/variants.h"
#include "core/ledger/record_check.h"
#include "core/ledger/record_codec.h"
#include "core/plan/undo_check.h"

/* A file that the date can be tried on: the new image, or one that is made for it; *made: to be removed. */
static int file_to_date(struct commit *c, char path[PATH_MAX], bool *made)
{
    *made = c->out_fd < 0;
    if (!*made) {
        return c->out_fd;
    }
    side_path(path, c->plan->target.path, SIDE_DRAFT); /* the image is locked, so it is nobody else's */
    int fd = c->io->open(c->io->context, path, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd == -EEXIST) { /* a crash left it */
        c->io->unlink(c->io->context, path);
        fd = c->io->open(c->io->context, path, O_RDWR | O_CREAT | O_EXCL, 0600);
    }
    return fd;
}

/* 0 or -errno; *date becomes what the filesystem makes of it. */
static int try_date(struct commit *c, int fd, struct timespec *date)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, *date};
    struct stat facts;
    int status = c->io->futimens(c->io->context, fd, times);
    if (status == 0) {
        status = c->io->fstat(c->io->context, fd, &facts);
    }
    if (status == 0) {
        *date = facts.st_mtim;
    }
    return status;
}

/* The image's date afterwards, by which a later write will be noticed: as the filesystem keeps it. Where
 * dates are coarse, "now" could be the date of a write in the same second, too; so it is one of the past,
 * that every filesystem can tell. */
static int choose_image_date(struct commit *c, struct timespec *out)
{
    enum { COARSE_SECONDS = 2 }; /* FAT's; others have finer ones */
    char path[PATH_MAX];
    struct timespec now;
    bool made;
    c->io->now(c->io->context, &now);
    int fd = file_to_date(c, path, &made);
    int status = fd < 0 ? fd : 0;
    *out = now;
    if (status == 0) {
        status = try_date(c, fd, out);
    }
    if (status == 0 && !same_time(*out, now)) {
        *out = (struct timespec){.tv_sec = now.tv_sec - now.tv_sec % COARSE_SECONDS - COARSE_SECONDS};
        out->tv_sec -= same_time(*out, c->record.old_mtime) ? COARSE_SECONDS : 0;
        status = try_date(c, fd, out);
    }
    if (made && fd >= 0) {
        c->io->unlink(c->io->context, path);
        c->io->close(c->io->context, fd);
    }
    return status;
}

/* What the image is before. Its inode number may have changed since the plan, when overlayfs copied it up. */
static int fill_old_image(struct commit *c)
{
    struct record *r = &c->record;
    const struct cow_image *img = c->plan->img;
    const uint32_t size_field_offset = variants[img->header.format].size.offset_bytes;
    struct stat now;
    int status = c->io->fstat(c->io->context, c->image_fd, &now);
    if (status < 0) {
        return commit_failed(c, status, "looking at", c->plan->target.path);
    }
    r->old_inode = now.st_ino;
    r->old_file_bytes = (uint64_t)img->cow.facts.st_size;
    r->old_end_offset = img->layout.end_offset;
    r->old_mtime = img->cow.facts.st_mtim;
    r->old_mode = (uint32_t)(img->cow.facts.st_mode & 07777) | RECORD_MODE_KNOWN;
    r->old_uid = img->cow.facts.st_uid;
    r->old_gid = img->cow.facts.st_gid;
    r->old_header_bytes = (uint32_t)img->layout.header_bytes;
    r->old_header_crc = crc_ieee(img->raw, r->old_header_bytes);
    r->size_field_offset = size_field_offset;
    r->old_size_field = bytes_get(img->raw + size_field_offset, 8, true);
    memcpy(r->old_sector, img->raw, (size_t)arith_min(img->raw_bytes, sizeof r->old_sector));
    memcpy(r->image_path, img->real_path, strlen(img->real_path) + 1);
    if (c->io->filesystem_id(c->io->context, c->image_fd, r->filesystem) < 0) {
        memset(r->filesystem, 0, sizeof r->filesystem);
    }
    return 0;
}

/* The header that will be there, as bytes: a whole new one; or the old one with its first sector written
 * over, so that the rest of it, an old path's end among it, stays as it is; or the old one. */
static int new_header_bytes(struct commit *c, uint8_t header[COW_V3_HEADER_BYTES])
{
    const struct cow_plan *plan = c->plan;
    uint8_t encoded[COW_V3_HEADER_BYTES];
    int status = cow_header_encode(encoded, &plan->result.header, c->err);
    if (status != 0 || !record_kind_facts(plan->method)->keeps_file) {
        memcpy(header, encoded, sizeof encoded);
        return status;
    }
    memcpy(header, plan->img->raw, sizeof encoded);
    if (plan->reach != REACH_BACKING) {
        memcpy(header, encoded, RECORD_SECTOR_BYTES);
    }
    return 0;
}

static uint64_t new_file_bytes(const struct cow_plan *plan)
{
    const uint64_t old_bytes = (uint64_t)plan->img->cow.facts.st_size;
    const uint64_t end_offset = plan->result.layout.end_offset;
    const struct record_kind_facts *kind = record_kind_facts(plan->method);
    const uint64_t shift_bytes =
        kind->shifts ? plan->result.layout.data_offset - plan->img->layout.data_offset : 0;
    return !kind->keeps_file           ? end_offset
           : kind->shifts              ? arith_max(old_bytes + shift_bytes, end_offset)
           : plan->reach == REACH_SIZE ? arith_max(old_bytes, end_offset)
                                       : old_bytes;
}

/* What it will be. */
static int fill_new_image(struct commit *c)
{
    struct record *r = &c->record;
    const struct cow_plan *plan = c->plan;
    const bool keeps_file = record_kind_facts(plan->method)->keeps_file;
    uint8_t header[COW_V3_HEADER_BYTES];
    struct stat out;
    int status = new_header_bytes(c, header);
    if (status != 0) {
        return status;
    }
    status = c->io->fstat(c->io->context, keeps_file ? c->image_fd : c->out_fd, &out);
    if (status < 0) {
        return commit_failed(c, status, "looking at", plan->target.path);
    }
    r->new_inode = out.st_ino;
    r->new_file_bytes = new_file_bytes(plan);
    r->new_mtime = r->old_mtime;
    memcpy(r->new_sector, header, sizeof r->new_sector);
    r->new_header_crc = crc_ieee(header, sizeof header);
    status = plan->reach == REACH_BACKING ? 0 : choose_image_date(c, &r->new_mtime);
    return status < 0 ? commit_failed(c, status, "dating", plan->target.path) : 0;
}

static int fill_backing(struct commit *c)
{
    struct record *r = &c->record;
    const struct cow_plan *plan = c->plan;
    r->backing_old_bytes = (uint64_t)plan->backing.facts.st_size;
    r->backing_new_bytes = plan->backing.new_size_bytes;
    r->backing_mtime = record_kind_facts(plan->method)->writes_into_backing ? plan->backing.merged_mtime
                       : plan->backing.copy_path != NULL                    ? plan->backing.copy_mtime
                                                                            : plan->backing.facts.st_mtim;
    r->backing_old_mtime = plan->backing.facts.st_mtim;
    r->backing_inode = plan->backing.facts.st_ino;
    r->extends = plan->backing.path != NULL && plan->holds.backing == HOLD_WRITE;
    if (plan->backing.path == NULL) {
        return 0;
    }
    struct stat now;
    if (c->backing_fd >= 0 && c->io->fstat(c->io->context, c->backing_fd, &now) == 0) {
        r->backing_inode = now.st_ino; /* as of the image's */
    }
    int status = c->io->resolve(c->io->context, plan->backing.path, r->backing_path, sizeof r->backing_path);
    return status < 0 ? commit_failed(c, status, "finding", plan->backing.path) : 0;
}

/* The private backing file is made now, empty, so that the record can tell it by its inode. */
static int make_copy_file(struct commit *c)
{
    const struct cow_plan *plan = c->plan;
    struct stat facts;
    if (plan->backing.copy_path == NULL) {
        return 0;
    }
    int status = commit_make_copy(c);
    if (status != 0) {
        return status;
    }
    status = c->io->fstat(c->io->context, c->copy_fd, &facts);
    if (status < 0) {
        return commit_failed(c, status, "looking at", plan->backing.copy_temp_path);
    }
    c->record.copy_inode = facts.st_ino;
    if (strlen(plan->backing.copy_path) < sizeof c->record.copy_path) {
        memcpy(c->record.copy_path, plan->backing.copy_path, strlen(plan->backing.copy_path) + 1);
    }
    return 0;
}

/* How much of a range, from its beginning, has data in the file: behind it are zeros. */
static int data_length(struct commit *c, uint64_t offset, uint64_t n_bytes, uint64_t *out)
{
    *out = 0;
    for (uint64_t done = 0; done < n_bytes;) {
        struct io_extent extent;
        int status = io_extent_at(c->io, c->image_fd, offset + done, offset + n_bytes, &extent);
        if (status < 0) {
            return status;
        }
        done = extent.end - offset;
        *out = extent.data ? done : *out;
    }
    return 0;
}

/* A range that is about to be written over; nothing is kept of the zeros at its end, and that is nearly all
 * of it. */
int commit_save_range(struct commit *c, struct record_saved *saved, uint64_t offset, uint64_t n_bytes)
{
    *saved = (struct record_saved){.offset = offset, .n_bytes = n_bytes};
    uint64_t held = 0;
    int status = data_length(c, offset, n_bytes, &held);
    held = arith_min(held, (uint64_t)c->plan->img->cow.facts.st_size > offset
                               ? (uint64_t)c->plan->img->cow.facts.st_size - offset
                               : 0);
    if (status < 0 || held == 0) {
        return status;
    }
    if (held > RECORD_HELD_BYTES_MAX) {
        return -EFBIG;
    }
    saved->bytes = malloc((size_t)held);
    if (saved->bytes == NULL) {
        return -ENOMEM;
    }
    status = io_read_padded(c->io, c->image_fd, saved->bytes, (size_t)held, offset);
    while (status == 0 && held > 0 && saved->bytes[held - 1] == 0) {
        held--;
    }
    saved->held_bytes = held;
    if (held == 0) {
        free(saved->bytes);
        saved->bytes = NULL;
    }
    return status;
}

/* By header: the bitmap's growth, the byte where it begins, and what lies between an odd end and its sector's
 * end. */
static int fill_saved(struct commit *c)
{
    const struct cow_image *img = c->plan->img;
    struct record *r = &c->record;
    uint8_t shared = 0;
    if (record_kind_facts(r->kind)->shifts) {
        record_shift_ranges(r, &img->header, &img->layout, &c->plan->result.layout);
    } else {
        record_ranges(r, &img->header, &img->layout, &c->plan->result.layout);
    }
    int status = io_read_padded(c->io, c->image_fd, &shared, 1, r->shared_offset);
    r->shared_byte = shared;
    for (size_t i = 0; i < RECORD_SAVED_MAX && status == 0; i++) {
        status = commit_save_range(c, &r->saved[i], r->saved[i].offset, r->saved[i].n_bytes);
    }
    return status < 0 ? commit_failed(c, status, "reading", img->path) : 0;
}

/* A change that marks the image is told by an id, which nobody else has. */
static int fill_mark(struct commit *c)
{
    struct record *r = &c->record;
    const struct cow_image *img = c->plan->img;
    if (!record_kind_facts(r->kind)->marks) {
        return 0;
    }
    int status = c->io->random(c->io->context, r->half_id, sizeof r->half_id);
    return status < 0 ? commit_failed(c, status, "looking for a random number for", img->path) : 0;
}

/* The record of a change that is about to be made. */
static int fill_record(struct commit *c)
{
    c->has_record = true;
    c->record.kind = c->plan->method;
    c->record.version = RECORD_VERSION;
    c->record.owner = c->io->caller(c->io->context);
    c->record.keeps_undo = c->plan->keep_undo;
    c->record.born_first_sector = c->plan->result.born_dirty.first_sector;
    c->record.born_sectors = c->plan->result.born_dirty.sectors;
    int status = fill_old_image(c);
    if (status == 0) {
        status = fill_new_image(c);
    }
    if (status == 0) {
        status = fill_mark(c);
    }
    if (status == 0) {
        status = fill_backing(c);
    }
    if (status == 0) {
        status = make_copy_file(c);
    }
    const bool grows_in_file = record_kind_facts(c->plan->method)->keeps_file && c->plan->reach == REACH_SIZE;
    if (status == 0 && grows_in_file) {
        status = fill_saved(c);
    }
    return status == 0 && c->plan->method == RECORD_CONTENT ? commit_save_content(c) : status;
}

/* The record of the change that is about to be undone: what it said is what has to be put back. */
static int turn_record(struct commit *c)
{
    bool found;
    int status = journal_read(&c->record, &found, c->plan->img, SIDE_UNDO, NULL, c->err);
    if (status == 0 && !found) {
        status =
            cow_error_set(c->err, COW_REFUSED, "%s: there is nothing to undo any more", c->plan->img->path);
    }
    if (status == 0) {
        c->has_record = true;
        status = commit_check_record(c);
    }
    if (status == 0) {
        status = journal_check(&c->record, c->plan->img, SIDE_UNDO, c->err);
    }
    if (status == 0) {
        status = undo_check_base(c->plan->img, &c->record, c->err);
    }
    if (status == 0) {
        c->record.kind = record_kind_facts(c->record.kind)->undone_by;
        record_settle_here(&c->record, c->plan->img->real_path);
    }
    return status == 0 ? fill_mark(c) : status;
}

/* One of several: the journal beside the backing file decides which way it goes. */
static void name_family(struct commit *c)
{
    struct record *r = &c->record;
    const struct plan_family *kin = c->plan->kin;
    if (kin != NULL) {
        memcpy(r->family_id, kin->record.id, sizeof r->family_id);
        memset(r->family_path, 0, sizeof r->family_path);
        memcpy(r->family_path, kin->backing_path, strnlen(kin->backing_path, sizeof r->family_path - 1));
    }
}

int commit_journal(struct commit *c)
{
    const struct cow_plan *plan = c->plan;
    uint8_t *bytes;
    size_t n_bytes;
    int status = plan->purpose == PLAN_UNDOES ? turn_record(c) : fill_record(c);
    if (status == 0) {
        name_family(c);
        status = record_encode(&bytes, &n_bytes, &c->record, c->err);
    }
    if (status != 0) {
        return status;
    }
    bool placed = false;
    status = settle_write_journal(c->io, plan->target.path, record_kind_journal(c->record.kind), bytes,
                                  n_bytes, &placed);
    free(bytes);
    /* One of several must not outlive the journal of all: it is taken back, or that one stays, too. */
    c->journal_made = placed && plan->kin != NULL;
    if (status < 0) {
        return commit_failed(c, status, "writing the journal of", plan->target.path);
    }
    c->journal_made = true;
    return 0;
}

int commit_keep_undo(struct commit *c)
{
    int status = settle_keep_undo(c->io, &c->record, c->plan->target.path, SIDE_OLD, true);
    return status < 0 ? commit_failed(c, status, "keeping the old image of", c->plan->target.path) : 0;
}

int commit_end_journal(struct commit *c)
{
    int status = method_end_journal(c, true);
    return status < 0 ? commit_failed(c, status, "closing the journal of", c->plan->target.path) : 0;
}

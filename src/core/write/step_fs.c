/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The filesystem on a new image. It is complete but for its size, which is written last: so who looks at it
 * finds a marked file, and a crash leaves one that recovery removes. The programs that know the filesystem
 * write it through a writer (cow/writer.h) that has our open, locked file; none of them sees the image that
 * is there.
 *
 * A disk that becomes smaller has its old length until then, for what lies past the new end is moved before
 * it is cut off.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/write/fill.h"

/* An overlay on the image, where the data stays or moves: empty, of the new size, without a name as soon as
 * it is there, so that nothing of it outlives us. */
static int make_overlay(struct commit *c)
{
    const struct cow_plan *plan = c->plan;
    const char *path = plan->target.temp_path;
    uint8_t bytes[COW_V3_HEADER_BYTES];
    struct cow_header header = plan->result.header;
    if (strlen(plan->img->real_path) >= sizeof header.backing_path) {
        return cow_error_set(c->err, COW_UNSUPPORTED, "%s: its path is too long to lie below another image",
                             plan->img->path);
    }
    memcpy(header.backing_path, plan->img->real_path, strlen(plan->img->real_path) + 1);
    int status = cow_header_encode(bytes, &header, c->err);
    if (status == 0) {
        status = commit_make_file(c, path, 0600, &c->out_fd);
    }
    if (status != 0) {
        return status;
    }
    status = c->io->unlink(c->io->context, path);
    if (status == 0) {
        status = io_write(c->io, c->out_fd, bytes, sizeof bytes, 0);
    }
    if (status == 0) {
        status = c->io->ftruncate(c->io->context, c->out_fd, plan->result.layout.end_offset);
    }
    return status < 0 ? commit_failed(c, status, "making", path) : 0;
}

/* What lies below the image that the programs write. */
static const char *file_below(const struct cow_plan *plan)
{
    return record_kind_facts(plan->method)->keeps_file ? plan->img->real_path
           : plan->backing.path != NULL                ? plan->backing.path
                                                       : plan->backing.copy_path;
}

/* Does a name still lead to the file that we hold? fd -1: none is held. */
static int check_name(struct commit *c, const char *path, int fd)
{
    struct stat held, there;
    if (fd < 0 || path == NULL) {
        return 0;
    }
    int status = c->io->fstat(c->io->context, fd, &held);
    if (status == 0) {
        status = c->io->stat(c->io->context, path, &there);
    }
    if (status == 0 && same_file(&held, &there)) {
        return 0;
    }
    cow_error_set(c->err, COW_REFUSED, "%s: is another file now than when the change began", path);
    return cow_error_hint(c->err, "nothing has changed; look who replaced it, then try again");
}

/* The programs are given what lies below by its name: they must have had the files that we hold. */
static int check_below(struct commit *c)
{
    const struct cow_plan *plan = c->plan;
    const int status = check_name(c, plan->img->real_path, c->image_fd);
    return status == 0 ? check_name(c, plan->backing.path, c->backing_fd) : status;
}

int commit_resize_fs(struct commit *c)
{
    const struct cow_plan *plan = c->plan;
    int status = record_kind_facts(plan->method)->keeps_file ? make_overlay(c) : 0;
    if (status != 0) {
        return status;
    }
    const struct plan_filesystem *f = &plan->filesystem;
    const struct cow_fs_job job = {.image_fd = c->out_fd,
                                   .image_path = plan->img->path,
                                   .backing_path = file_below(plan),
                                   .disk_bytes = plan_made_bytes(plan),
                                   .new_disk_bytes = plan->result.header.size_bytes,
                                   .partition = f->partition,
                                   .container = f->container,
                                   .is_gpt = f->is_gpt,
                                   .first_byte = f->first_byte,
                                   .fs_bytes = f->fs_bytes};
    if (c->env == NULL || c->env->resize_fs == NULL) {
        return cow_error_set(c->err, COW_UNSUPPORTED,
                             "%s: nothing is there that could start e2fsck and resize2fs", plan->img->path);
    }
    status = c->env->resize_fs(c->env->context, &job, c->err);
    if (status == 0) {
        status = check_below(c);
    }
    return status == 0 ? commit_advance(c, 0) : status;
}

/* The last byte of the bits keeps those of sectors that stay. */
static int clear_cut_bits(struct commit *c)
{
    const struct cow_layout *from = &c->plan->result.made, *to = &c->plan->result.layout;
    const uint64_t keep = to->sectors / 8;
    uint8_t byte = 0;
    int status = io_read_padded(c->io, c->out_fd, &byte, 1, to->bitmap_offset + keep);
    byte &= (uint8_t)((1u << to->sectors % 8) - 1);
    if (status == 0) {
        status = io_write(c->io, c->out_fd, &byte, 1, to->bitmap_offset + keep);
    }
    return status == 0 ? io_write_zeros(c->io, c->out_fd, to->bitmap_offset + keep + 1,
                                        arith_sub_floor(from->bitmap_bytes, keep + 1))
                       : status;
}

int commit_cut_image(struct commit *c)
{
    int status = clear_cut_bits(c);
    if (status == 0) {
        status = c->io->ftruncate(c->io->context, c->out_fd, c->plan->result.layout.end_offset);
    }
    return status < 0 ? commit_failed(c, status, "cutting", c->plan->target.temp_path) : 0;
}

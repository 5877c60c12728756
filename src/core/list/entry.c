/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One file, told; see cow/list.h.
 *
 * A list may have thousands of images, each with a bitmap of up to 2 GiB. So of a bitmap not more is read
 * than PAGES_MAX pages; which of them are holes is asked before, and that not too often either. And whether
 * another image on the same backing file explains its date is not asked: that would be a look at all for
 * each.
 */
#include "core/list/entry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/format/others.h"
#include "core/image/image.h"

enum {
    PAGES_MAX = 512, /* of 64 KiB: the bitmap of 128 GiB in which something is everywhere */
    QUESTIONS_MAX = 2048,
};

struct cow_list_options entry_options(const struct cow_list_options *opt)
{
    struct cow_list_options options = {.no_backing = opt != NULL && opt->no_backing};
    options.io = opt != NULL && opt->io != NULL ? opt->io : &io_system;
    return options;
}

void entry_clear(struct cow_list_entry *out, const char *path)
{
    memset(out, 0, sizeof *out);
    out->path = path;
}

/* What is wrong, without the path that stands before it. */
static void strip_path(struct cow_error *error, const char *path)
{
    const size_t length = strlen(path);
    if (strncmp(error->message, path, length) == 0 && strncmp(error->message + length, ": ", 2) == 0) {
        memmove(error->message, error->message + length + 2, strlen(error->message + length + 2) + 1);
    }
}

/* Whether its bits are counted by reading so much at most. */
static bool is_soon_counted(const struct cow_image *img)
{
    const struct layer *top = &img->chain->layer[0];
    const struct format_file file = {img->io, img->cow.fd};
    const uint64_t pages = arith_div_up(top->disk.mapped_sectors, FORMAT_PAGE_BITS);
    uint64_t page = 0, to_read = 0, so_far;
    for (int questions = 0; page < pages && to_read <= PAGES_MAX && questions < QUESTIONS_MAX; questions++) {
        enum format_bits bits;
        if (top->disk.driver->guess_bits(&top->disk, &file, page, &bits, &so_far) < 0) {
            return true; /* counting fails as well, and says why */
        }
        so_far = arith_min(so_far, pages - page);
        to_read += bits == FORMAT_BITS_MIXED ? so_far : 0;
        page += so_far;
    }
    return page >= pages && to_read <= PAGES_MAX;
}

static int count_dirty(struct cow_list_entry *out, struct cow_image *img, struct cow_error *err)
{
    struct cow_usage usage;
    out->size_known = true;
    out->size_bytes = cow_image_header(img)->size_bytes;
    out->dirty_uncounted = !is_soon_counted(img);
    if (out->dirty_uncounted) {
        return 0;
    }
    int status = cow_image_usage(img, &usage, err);
    if (status == 0) {
        out->dirty_known = true;
        out->dirty_bytes = usage.dirty_bytes;
    }
    return status;
}

static void tell_image(struct cow_list_entry *out, struct cow_image *img)
{
    const struct cow_header *header = cow_image_header(img);
    out->what = COW_LISTED_IMAGE;
    out->format = cow_format_name(header->format);
    snprintf(out->title, sizeof out->title, "%s", cow_format_title(header->format));
    memcpy(out->backing_path, header->backing_path, strlen(header->backing_path) + 1);
    out->backing_state = cow_image_backing(img)->state;
    if (!header->unfinished && count_dirty(out, img, &out->error) != 0) {
        out->what = COW_LISTED_UNREADABLE;
        strip_path(&out->error, out->path);
    }
    cow_image_verdict_alone(img, &out->verdict);
    out->verdict.advice[0] = '\0';
    if (cow_image_in_use(img, &out->holder, NULL) != 0) {
        out->holder = (struct cow_holder){.held = false};
    }
    const char *pending = cow_image_pending(img);
    const size_t length = arith_min(strlen(pending), sizeof out->pending - 1);
    memcpy(out->pending, pending, length);
    out->pending[length] = '\0';
}

static void look_as_image(struct cow_list_entry *out, const struct cow_list_options *opt)
{
    const struct cow_open_options open = {.no_backing = opt->no_backing, .io = opt->io};
    struct cow_image *img;
    int status = cow_image_open(&img, out->path, &open, &out->error);
    if (status == 0) {
        tell_image(out, img);
        cow_image_close(img);
        return;
    }
    strip_path(&out->error, out->path);
    out->what = status == COW_NOT_COW                                ? COW_LISTED_OTHER
                : status == COW_INVALID || status == COW_UNSUPPORTED ? COW_LISTED_BROKEN
                                                                     : COW_LISTED_UNREADABLE;
}

/* What it is by its first bytes. A negative status: it cannot be opened or read. */
static int recognise(bool *is_cow, struct format_other *other, const struct cow_list_options *opt,
                     const char *path)
{
    struct stat facts;
    uint8_t magic[8];
    const struct cow_io *io = opt->io;
    const int fd = io_open_regular(io, path, O_RDONLY, &facts);
    if (fd < 0) {
        return fd;
    }
    const struct format_file file = {io, fd};
    const ssize_t n = io_read(io, fd, magic, sizeof magic, 0);
    int status = n < 0 ? (int)n : 0;
    *other = (struct format_other){.kind = FORMAT_OTHER_UNKNOWN};
    if (status == 0) {
        const struct format_source source = {magic, (size_t)n, (uint64_t)facts.st_size, UINT64_MAX};
        *is_cow = format_driver_of(&source) != &format_raw;
    }
    if (status == 0 && !*is_cow) {
        status = format_other_look(other, &file, (uint64_t)facts.st_size);
    }
    io->close(io->context, fd);
    return status;
}

static void take_other(struct cow_list_entry *out, const struct format_other *other)
{
    out->format = other->name;
    snprintf(out->title, sizeof out->title, "%s", other->title);
    out->size_known = other->size_bytes > 0;
    out->size_bytes = other->size_bytes;
}

void cow_list_look(struct cow_list_entry *out, const char *path, const struct cow_list_options *opt)
{
    const struct cow_list_options options = entry_options(opt);
    struct format_other other;
    bool is_cow = true;
    entry_clear(out, path);
    if (recognise(&is_cow, &other, &options, path) == 0 && !is_cow) {
        take_other(out, &other);
    }
    look_as_image(out, &options); /* also for the words of what is none */
}

void entry_find(struct cow_list_entry *out, const char *path, const struct cow_list_options *opt)
{
    struct format_other other;
    bool is_cow = false;
    entry_clear(out, path);
    int status = recognise(&is_cow, &other, opt, path);
    if (status == -ENOENT || status == -EINVAL || status == -ESTALE || status == -ELOOP) {
        return; /* gone meanwhile, a link that leads nowhere, or no regular file */
    }
    if (status < 0) {
        out->what = COW_LISTED_UNREADABLE;
        cow_error_system(&out->error, -status, "%s", path);
        strip_path(&out->error, path);
    } else if (is_cow) {
        look_as_image(out, opt);
    } else if (other.kind == FORMAT_OTHER_IMAGE || other.kind == FORMAT_OTHER_RAW) {
        take_other(out, &other);
        look_as_image(out, opt);
    }
}

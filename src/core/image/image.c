/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Opening an image: bytes -> header -> layout -> bitmap, and the backing file beside it. What can be asked of
 * it afterwards without reading sectors is here, too; runs and contents are in overlay.c.
 */
#include "core/image/image.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/image/side.h"

static int decode_image(struct cow_image *img, struct cow_error *err)
{
    uint64_t file_bytes = (uint64_t)img->cow.facts.st_size;
    ssize_t n = io_read(img->io, img->cow.fd, img->raw, sizeof img->raw, 0);
    if (n < 0) {
        return cow_error_system(err, (int)-n, "reading the header");
    }
    img->raw_bytes = (size_t)n;
    return cow_header_decode(&img->header, img->raw, img->raw_bytes, file_bytes, UINT64_MAX, err);
}

/* Two variants can be equally plausible; the backing file's size breaks the tie. */
static void decode_again_with_backing(struct cow_image *img)
{
    struct cow_header other;
    if (img->backing.facts.state != COW_BACKING_FOUND ||
        img->backing.facts.size_bytes == img->header.size_bytes) {
        return;
    }
    if (cow_header_decode(&other, img->raw, img->raw_bytes, (uint64_t)img->cow.facts.st_size,
                          img->backing.facts.size_bytes, NULL) == 0 &&
        strcmp(other.backing_path, img->header.backing_path) == 0) {
        img->header = other;
    }
}

static int load(struct cow_image *img, struct cow_error *err)
{
    int status = decode_image(img, err);
    if (status == 0) {
        status = img->no_backing ? backing_ignore(&img->backing, &img->header, err)
                                 : backing_open(&img->backing, img->io, &img->header, img->real_path,
                                                &img->cow.facts, img->named_backing, err);
    }
    if (status != 0) {
        return status;
    }
    const struct cow_backing *backing = &img->backing.facts;
    if (backing->named && backing->state != COW_BACKING_FOUND) {
        return cow_error_set(err, backing->is_image ? COW_REFUSED : COW_IO, "the backing file: %s", backing->problem);
    }
    decode_again_with_backing(img);
    if (img->header.unfinished) {
        return 0;
    }
    status = cow_layout_of(&img->layout, &img->header, err);
    if (status == 0) {
        status = bitmap_open(&img->bitmap, img->io, img->cow.fd, img->layout.bitmap_offset,
                             img->layout.mapped_sectors, err);
    }
    return status;
}

static void free_image(struct cow_image *img)
{
    host_file_close(img->io, &img->cow);
    backing_close(img->io, &img->backing);
    bitmap_close(img->bitmap);
    free(img->scratch);
    free(img->named_backing);
    free(img->real_path);
    free(img->path);
    free(img);
}

static int resolve(struct cow_image *img, struct cow_error *err)
{
    char path[PATH_MAX];
    int status = img->io->resolve(img->io->context, img->path, path, sizeof path);
    if (status < 0) {
        return cow_error_system(err, -status, "%s", img->path);
    }
    img->real_path = strdup(path);
    return img->real_path == NULL ? cow_error_set(err, COW_NO_MEMORY, "out of memory") : 0;
}

int cow_image_open(struct cow_image **out, const char *path, const struct cow_open_options *opt,
                   struct cow_error *err)
{
    struct cow_image *img = calloc(1, sizeof *img);
    if (img == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    img->io = opt != NULL && opt->io != NULL ? opt->io : &io_system;
    img->cow.fd = -1;
    img->backing.file.fd = -1;
    img->no_backing = opt != NULL && opt->no_backing;
    bool named = opt != NULL && opt->backing_path != NULL && !opt->no_backing;
    img->path = strdup(path);
    img->named_backing = named ? strdup(opt->backing_path) : NULL;
    int status = 0;
    if (img->path == NULL || (named && img->named_backing == NULL)) {
        status = cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    if (status == 0) {
        status = host_file_open(img->io, &img->cow, path, O_RDONLY, err);
    }
    img->io->now(img->io->context, &img->seen_at);
    if (status == 0) {
        status = resolve(img, err);
    }
    if (status == 0) {
        status = load(img, err);
        if (status != 0) {
            cow_error_prefix(err, "%s", path);
        }
    }
    if (status != 0) {
        free_image(img);
        return status;
    }
    *out = img;
    return 0;
}

void cow_image_close(struct cow_image *img)
{
    if (img != NULL) {
        free_image(img);
    }
}

int cow_image_refresh(struct cow_image *img, struct cow_error *err)
{
    struct cow_image *fresh;
    const struct cow_open_options options = {
        .backing_path = img->named_backing, .no_backing = img->no_backing, .io = img->io};
    int status = cow_image_open(&fresh, img->path, &options, err);
    if (status != 0) {
        return status;
    }
    struct cow_image old = *img;
    *img = *fresh;
    *fresh = old;
    img->backing.facts.problem = img->backing.problem;
    free_image(fresh);
    return 0;
}

const char *cow_image_path(const struct cow_image *img)
{
    return img->path;
}

const char *cow_image_real_path(const struct cow_image *img)
{
    return img->real_path;
}

const struct cow_header *cow_image_header(const struct cow_image *img)
{
    return &img->header;
}

const struct cow_layout *cow_image_layout(const struct cow_image *img)
{
    return &img->layout;
}

const uint8_t *cow_image_header_raw(const struct cow_image *img, size_t *n_bytes)
{
    *n_bytes = img->raw_bytes;
    return img->raw;
}

const struct cow_backing *cow_image_backing(const struct cow_image *img)
{
    return &img->backing.facts;
}

int image_require_layout(const struct cow_image *img, struct cow_error *err)
{
    if (img->bitmap == NULL) {
        return cow_error_set(err, COW_INVALID, "%s: %s", img->path, cow_image_pending(img));
    }
    return 0;
}

static int has_tail_bits(struct cow_image *img, bool *out)
{
    uint8_t byte = 0;
    *out = false;
    /* Where the data follows at once, that byte is the first of sector 0 and tells nothing. */
    if (img->cow.fd >= 0 && img->layout.mapped_sectors < img->layout.sectors &&
        img->layout.bitmap_offset + img->layout.bitmap_bytes < img->layout.data_offset) {
        int status = io_read_padded(img->io, img->cow.fd, &byte, 1,
                                    img->layout.bitmap_offset + img->layout.bitmap_bytes);
        unsigned tail = (unsigned)(img->layout.sectors - img->layout.mapped_sectors);
        *out = (byte & ((1u << tail) - 1)) != 0;
        return status;
    }
    return 0;
}

int cow_image_usage(struct cow_image *img, struct cow_usage *out, struct cow_error *err)
{
    struct cow_usage usage = {.allocated_bytes = (uint64_t)img->cow.facts.st_blocks * 512,
                              .file_bytes = (uint64_t)img->cow.facts.st_size};
    const struct cow_layout *l = &img->layout;
    bool last = false;
    int status = image_require_layout(img, err);
    if (status == 0) {
        status = bitmap_count(img->bitmap, 0, l->sectors, &usage.dirty_sectors, err);
    }
    if (status == 0) {
        status = bitmap_get(img->bitmap, l->sectors - 1, &last, err);
    }
    if (status != 0) {
        return status;
    }
    usage.dirty_bytes = usage.dirty_sectors * img->header.sector_bytes;
    if (last) {
        usage.dirty_bytes -= l->sectors * img->header.sector_bytes - img->header.size_bytes;
    }
    status = has_tail_bits(img, &usage.tail_bits);
    if (status < 0) {
        return cow_error_system(err, -status, "%s: reading the bitmap's tail", img->path);
    }
    *out = usage;
    return 0;
}

int cow_image_in_use(struct cow_image *img, struct cow_holder *out, struct cow_error *err)
{
    int64_t pid = 0;
    int held = img->io->lock_holder(img->io->context, img->cow.fd, IO_LOCK_WRITE, &pid);
    if (held < 0) {
        return cow_error_system(err, -held, "%s: asking for locks", img->path);
    }
    *out = (struct cow_holder){.held = held > 0, .pid = pid};
    return 0;
}

const char *cow_image_pending(const struct cow_image *img)
{
    int64_t pid;
    if (img->header.unfinished) {
        return "an interrupted change left this file unfinished (its size field is the mark); no kernel "
               "opens it";
    }
    switch (side_find_journal(img->io, img->real_path, &img->cow.facts, img->path, NULL)) {
    case SIDE_JOURNAL_OBEYED:
        return img->io->lock_holder(img->io->context, img->cow.fd, IO_LOCK_WRITE, &pid) > 0
                   ? "a change of this image is under way"
                   : "a change of this image was interrupted; \"cowtui recover\" finishes it or takes it "
                     "back";
    case SIDE_JOURNAL_STRANGE:
        return "it looks as if a change of this image was interrupted, but the journal beside it is not "
               "obeyed; "
               "\"cowtui recover\" says whose it is";
    case SIDE_NO_JOURNAL:
        break;
    }
    return "";
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Opening an image: bytes -> header -> layout -> bitmap, the backing file beside it, and the chain of what
 * lies below. What can be asked of it afterwards without reading sectors is here, too; runs are in runs.c,
 * contents in read.c.
 *
 * Order: the backing file is looked for by the header, and then the header is decoded once more, for two
 * variants can be equally plausible until the size of the backing file is known; only then is there a layout,
 * and a chain.
 */
#include "core/image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/beside/half.h"
#include "core/beside/side.h"
#include "core/format/others.h"
#include "cow/text.h"

/* The first bytes, and the header of them by its driver. What only the raw one takes is no image: it may be
 * known by name, or else UML's says so best. */
static int decode_image(struct cow_image *img, struct format_source *source, struct format_disk *disk,
                        struct cow_error *err)
{
    ssize_t n = io_read(img->io, img->cow.fd, img->raw, sizeof img->raw, 0);
    if (n < 0) {
        return cow_error_system(err, (int)-n, "reading the header");
    }
    img->raw_bytes = (size_t)n;
    *source = (struct format_source){img->raw, img->raw_bytes, (uint64_t)img->cow.facts.st_size, UINT64_MAX};
    const struct format_driver *driver = format_driver_of(source);
    const struct format_file file = {img->io, img->cow.fd};
    int status = 0;
    if (driver == &format_raw) {
        driver = &format_uml;
        status = format_other_refuse(&file, source->file_bytes, img->path, err);
    }
    return status != 0 ? status : driver->decode(disk, &img->header, source, err);
}

static int set_layout(struct cow_image *img, const struct format_disk *disk, struct cow_error *err)
{
    if (img->header.format != COW_FORMAT_RAW) {
        return cow_layout_of(&img->layout, &img->header, err);
    }
    img->layout = (struct cow_layout){.sectors = disk->sectors,
                                      .mapped_sectors = disk->mapped_sectors,
                                      .data_offset = disk->data_offset,
                                      .end_offset = disk->data_offset + disk->sectors * disk->sector_bytes};
    return 0;
}

/* The chain knows files by their place in the image, and a flat image knows the whole one; a refresh moves
 * those. */
static void point_chain(struct cow_image *img)
{
    img->backing.facts.problem = img->backing.problem;
    if (img->chain != NULL) {
        img->chain->layer[0].file = &img->cow;
        img->chain->layer[1].file = &img->backing.file;
    }
    if (img->flat != NULL) {
        img->flat->whole = img;
    }
}

/* The layers: the image itself with the numbers that its driver has, and whatever lies below. */
static int open_chain(struct cow_image *img, const struct format_disk *disk, bool flat, struct cow_error *err)
{
    img->chain = calloc(1, sizeof *img->chain);
    if (img->chain == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    struct layer *top = &img->chain->layer[0];
    const enum cow_backing_state state = img->backing.facts.state;
    const struct format_file file = {img->io, img->cow.fd};
    *top = (struct layer){
        .io = img->io, .file = &img->cow, .path = img->path, .format = img->header.format, .disk = *disk};
    int status = bitmap_open_disk(&img->bitmap, disk, &file, err);
    top->bits = disk->driver->flat ? NULL : img->bitmap;
    img->chain->n = 1;
    img->chain->cut = state != COW_BACKING_NONE && state != COW_BACKING_FOUND;
    return status == 0 && state == COW_BACKING_FOUND
               ? chain_build(img->chain, img->io, &img->backing, flat, err)
               : status;
}

/* A marked image whose data was being moved: the position file tells what it was, and where its data lies.
 * Where there is none, or it does not fit, the image stays an unfinished one. Errors: COW_NO_MEMORY. */
static int read_half(struct cow_image *img, struct format_disk *disk, struct cow_error *err)
{
    struct half half;
    uint8_t id[HALF_ID_BYTES];
    uint64_t gap;
    int64_t pid;
    if (!half_is_marked(id, img->raw, img->raw_bytes)) {
        return 0;
    }
    img->is_moving = img->io->lock_holder(img->io->context, img->cow.fd, IO_LOCK_WRITE, &pid) > 0;
    if (img->is_moving) {
        return 0;
    }
    int fd = half_open_beside(&half, img->io, img->real_path, &img->cow.facts, img->path, id, O_RDONLY);
    int status = fd < 0 ? fd : 0;
    if (fd >= 0) {
        img->io->close(img->io->context, fd);
    }
    if (status == -ENOMEM) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    if (status < 0) {
        return 0;
    }
    status = half.phase == HALF_LEAVING ? -ENODATA : half_find_gap(&gap, &half, img->io, img->cow.fd);
    struct cow_header header = img->header;
    struct cow_layout layout;
    header.unfinished = false;
    header.size_bytes = half.size_bytes;
    header.alignment = half.alignment;
    if (status == 0 && header.sector_bytes == HALF_SLOT_BYTES && cow_layout_of(&layout, &header, NULL) == 0 &&
        layout.data_offset == half.data_offset && layout.bitmap_offset == half.bitmap_offset) {
        img->header = header;
        img->is_half = true;
        format_uml_disk(disk, &header, &layout);
        disk->gap_sector = (gap - half.data_offset) / header.sector_bytes;
        disk->gap_bytes = half.shift_bytes;
    }
    half_clear(&half);
    return 0;
}

/* A marked image that is being made, by who knows its size. */
static int read_marked(struct cow_image *img, struct format_disk *disk, struct cow_error *err)
{
    struct cow_layout layout;
    img->header.unfinished = false;
    img->header.size_bytes = img->lent_size_bytes;
    int status = cow_layout_of(&layout, &img->header, err);
    if (status == 0) {
        format_uml_disk(disk, &img->header, &layout);
    }
    return status;
}

static int load(struct cow_image *img, bool flat, struct cow_error *err)
{
    struct format_source source;
    struct format_disk disk = {.driver = NULL};
    int status = decode_image(img, &source, &disk, err);
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
        return cow_error_set(err, backing->is_image ? COW_REFUSED : COW_IO, "the backing file: %s",
                             backing->problem);
    }
    backing_break_tie(&disk, &img->header, &source, backing);
    if (img->header.unfinished) {
        status = img->lent_size_bytes != 0 ? read_marked(img, &disk, err) : read_half(img, &disk, err);
    }
    if (status != 0 || img->header.unfinished) {
        return status;
    }
    status = set_layout(img, &disk, err);
    return status == 0 ? open_chain(img, &disk, flat, err) : status;
}

static void free_image(struct cow_image *img)
{
    cow_image_close(img->flat);
    if (img->chain != NULL) {
        chain_close(img->chain, img->io);
        free(img->chain);
    }
    if (!img->is_lent) {
        host_file_close(img->io, &img->cow);
    }
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
    if (status < 0 && !img->is_lent) {
        return cow_error_system(err, -status, "%s", img->path);
    }
    img->real_path = strdup(status < 0 ? img->path : path);
    return img->real_path == NULL ? cow_error_set(err, COW_NO_MEMORY, "out of memory") : 0;
}

/* A new image, not open yet. NULL: out of memory. */
static struct cow_image *new_image(const char *path, const struct cow_open_options *opt)
{
    struct cow_image *img = calloc(1, sizeof *img);
    const bool named = opt->backing_path != NULL && !opt->no_backing;
    if (img == NULL) {
        return NULL;
    }
    img->io = opt->io != NULL ? opt->io : &io_system;
    img->cow.fd = -1;
    img->backing.file.fd = -1;
    img->no_backing = opt->no_backing;
    img->path = strdup(path);
    img->named_backing = named ? strdup(opt->backing_path) : NULL;
    if (img->path == NULL || (named && img->named_backing == NULL)) {
        free_image(img);
        return NULL;
    }
    return img;
}

/* What is to be read of an image whose file is open (status 0). flat: the backing file is a raw disk,
 * whatever is in it. *out is set, or img is gone. */
static int read_image(struct cow_image **out, struct cow_image *img, bool flat, int status,
                      struct cow_error *err)
{
    img->io->now(img->io->context, &img->seen_at);
    if (status == 0) {
        status = resolve(img, err);
    }
    if (status == 0) {
        status = load(img, flat, err);
        if (status != 0) {
            cow_error_prefix(err, "%s", img->path);
        }
    }
    if (status != 0) {
        free_image(img);
        return status;
    }
    *out = img;
    return 0;
}

static int open_image(struct cow_image **out, const char *path, const struct cow_open_options *opt, bool flat,
                      struct cow_error *err)
{
    struct cow_image *img = new_image(path, opt);
    if (img == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    return read_image(out, img, flat, host_file_open(img->io, &img->cow, path, O_RDONLY, err), err);
}

int image_open_lent(struct cow_image **out, int fd, const char *path, uint64_t marked_size_bytes,
                    const struct cow_open_options *opt, struct cow_error *err)
{
    struct cow_image *img = new_image(path, opt);
    if (img == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    img->is_lent = true;
    img->lent_size_bytes = marked_size_bytes;
    img->cow.fd = fd;
    int status = img->io->fstat(img->io->context, fd, &img->cow.facts);
    if (status < 0) {
        status = cow_error_system(err, -status, "%s", path);
    } else if (!S_ISREG(img->cow.facts.st_mode)) {
        status = cow_error_set(err, COW_IO, "%s: not a regular file", path);
    }
    return read_image(out, img, false, status, err);
}

/* Is the backing file something else than a raw disk? */
static bool is_stack(const struct cow_image *img)
{
    return img->chain != NULL && img->backing.facts.state == COW_BACKING_FOUND &&
           (img->chain->n == 1 || img->chain->layer[1].disk.driver != &format_raw);
}

int cow_image_open(struct cow_image **out, const char *path, const struct cow_open_options *opt,
                   struct cow_error *err)
{
    static const struct cow_open_options usual = {.backing_path = NULL};
    struct cow_image *img;
    opt = opt != NULL ? opt : &usual;
    int status = open_image(&img, path, opt, false, err);
    if (status == 0 && is_stack(img)) {
        status = open_image(&img->flat, path, opt, true, err);
        if (status != 0) {
            free_image(img);
            return status;
        }
        img->flat->whole = img;
    }
    if (status == 0) {
        *out = img;
    }
    return status;
}

struct cow_image *image_flat(struct cow_image *img)
{
    return img->flat != NULL ? img->flat : img;
}

bool image_has_below(const struct cow_image *img, const struct stat *facts)
{
    const struct chain *chain = img->whole != NULL ? img->whole->chain : img->chain;
    const struct cow_foreign_source *source = img->cow.source;
    bool found = source != NULL && source->has_file(source->context, facts->st_dev, facts->st_ino);
    for (size_t i = 1; chain != NULL && i < chain->n && !found; i++) { /* also what is not followed further */
        const struct backing_file *below = &chain->layer[i].backing;
        found = below->facts.state == COW_BACKING_FOUND && same_file(facts, &below->file.facts);
    }
    return found;
}

mode_t image_common_mode(const struct cow_image *img)
{
    mode_t mode = 0777 & img->cow.facts.st_mode;
    mode &= img->cow.source != NULL ? (mode_t)img->cow.source->mode : 0777;
    if (img->backing.facts.state == COW_BACKING_FOUND) {
        mode &= img->backing.file.facts.st_mode;
    }
    for (size_t i = 2; img->chain != NULL && i < img->chain->n; i++) {
        mode &= img->chain->layer[i].file->facts.st_mode;
    }
    return mode;
}

int image_open_foreign(struct cow_image **out, const char *path, const struct cow_foreign_source *source,
                       const struct cow_io *io, struct cow_error *err)
{
    const struct cow_open_options options = {.io = io};
    struct format_disk disk;
    struct cow_image *img = new_image(path, &options);
    if (img == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    int status = host_file_open_disk(io, &img->cow, path, O_RDONLY, err);
    img->real_path = strdup(path);
    if (status == 0 && img->real_path == NULL) {
        status = cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    if (status == 0) {
        img->cow.source = source;
        const struct format_source facts = {.file_bytes = source != NULL ? source->size_bytes
                                                                         : (uint64_t)img->cow.facts.st_size};
        status = format_raw.decode(&disk, &img->header, &facts, err);
        status = status == 0 ? 0 : cow_error_prefix(err, "%s", path);
    }
    if (status == 0) {
        img->backing.facts = (struct cow_backing){.path = "", .problem = img->backing.problem};
        status = set_layout(img, &disk, err);
        status = status == 0 ? open_chain(img, &disk, true, err) : status;
    }
    if (status != 0) {
        free_image(img);
        return status;
    }
    *out = img;
    return 0;
}

int image_open_raw(struct cow_image **out, const char *path, const struct cow_io *io, struct cow_error *err)
{
    return image_open_foreign(out, path, NULL, io, err);
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
    point_chain(img);
    point_chain(fresh);
    free_image(fresh);
    return 0;
}

void cow_image_bits_changed(struct cow_image *img, uint64_t first_sector, uint64_t sectors)
{
    if (img->bitmap != NULL) {
        bitmap_forget(img->bitmap, first_sector, sectors);
    }
    img->cow.extent = (struct io_extent){0, 0, false};
    if (img->flat != NULL) {
        cow_image_bits_changed(img->flat, first_sector, sectors);
    }
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

/* Does a path, links resolved, lie outside of the directory of img? */
static bool lies_outside(const struct cow_image *img, const char *path, char real[PATH_MAX])
{
    const size_t directory = (size_t)(strrchr(img->real_path, '/') - img->real_path) + 1;
    if (img->io->resolve(img->io->context, path, real, PATH_MAX) != 0) {
        snprintf(real, PATH_MAX, "%s", path);
        return true;
    }
    return strncmp(real, img->real_path, directory) != 0;
}

const char *cow_image_outside_text(char *out, size_t out_bytes, const struct cow_image *img)
{
    char path[PATH_MAX], shown[COW_MESSAGE_BYTES];
    out[0] = '\0';
    if (img->backing.facts.state != COW_BACKING_FOUND) {
        return out;
    }
    const size_t layers = img->chain == NULL ? 2 : img->chain->n;
    for (size_t i = img->backing.facts.named ? 2 : 1; i < layers;
         i++) { /* named: the caller chose that one */
        const char *file = i == 1 ? img->backing.facts.path : img->chain->layer[i].path;
        if (lies_outside(img, file, path)) {
            snprintf(
                out, out_bytes,
                "what is copied comes from %s, too, as the image wants it: that lies outside the image's "
                "directory",
                cow_escape(shown, sizeof shown, path));
            break;
        }
    }
    return out;
}

size_t cow_image_layers(const struct cow_image *img)
{
    return img->chain == NULL ? 0 : img->chain->n;
}

void cow_image_layer(const struct cow_image *img, size_t index, struct cow_layer *out)
{
    const struct layer *layer = &img->chain->layer[index];
    const bool is_cow = layer->format != COW_FORMAT_RAW;
    *out = (struct cow_layer){
        .path = layer->path,
        .format = is_cow ? cow_format_name(layer->format) : layer->disk.driver->name,
        .title = is_cow ? cow_format_title(layer->format) : layer->disk.driver->title,
        .size_bytes = layer->disk.size_bytes,
    };
}

const char *cow_image_cut_text(const struct cow_image *img)
{
    return img->chain == NULL ? "" : img->chain->problem;
}

int image_require_layout(const struct cow_image *img, struct cow_error *err)
{
    if (img->is_moving) {
        cow_error_set(err, COW_LOCKED, "%s: %s", img->path, cow_image_pending(img));
        return cow_error_hint(err, "look again when it is done");
    }
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

int image_refuse_silent_writer(struct cow_image *img, struct cow_error *err)
{
    struct cow_holder holder;
    if (img->io->has_writer(img->io->context, img->cow.fd) != 1) {
        return 0;
    }
    if (cow_image_in_use(img, &holder, NULL) == 0 && holder.held) {
        return 0; /* it has a lock, and the lock tells more */
    }
    cow_error_set(err, COW_LOCKED,
                  "%s: the image is open for writing in another process, which holds no lock", img->path);
    return cow_error_hint(err,
                          "a UML guest that was started with the c flag, most likely: shut it down first");
}

bool cow_image_is_same_file(const struct cow_image *img)
{
    struct stat facts;
    return img->io->stat(img->io->context, img->real_path, &facts) == 0 && same_file(&facts, &img->cow.facts);
}

enum cow_half cow_image_half(const struct cow_image *img)
{
    return img->is_moving ? COW_HALF_MOVING : img->is_half ? COW_HALF_MOVED : COW_HALF_NOT;
}

uint64_t cow_image_can_grow_to(const struct cow_image *img)
{
    const struct cow_header *h = &img->header;
    const bool stays = h->format == COW_FORMAT_V3 && h->sector_bytes == 512 && !h->unfinished &&
                       !img->is_half && img->layout.data_offset <= INT32_MAX;
    const uint64_t capacity = stays ? cow_layout_capacity(h->alignment, img->layout.data_offset) : 0;
    return capacity >= h->size_bytes ? capacity : 0;
}

const char *cow_image_pending(const struct cow_image *img)
{
    int64_t pid;
    if (img->is_moving) {
        return "its data is being moved at this moment; no kernel opens it until that is done";
    }
    if (img->is_half) {
        return "the moving of its data was interrupted half way: no kernel opens it until \"cowtui recover\" "
               "has finished it or taken it back; nothing else may be done with it";
    }
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
        if (img->backing.facts.state == COW_BACKING_FOUND &&
            side_has_family_journal(img->io, img->backing.facts.path)) {
            return "a change of all images on its backing file was interrupted; \"cowtui recover\" finishes "
                   "it or "
                   "takes it back";
        }
        break;
    }
    return "";
}

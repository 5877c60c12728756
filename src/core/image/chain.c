/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See chain.h.
 *
 * Order: a layer is opened only when the one above it has been decoded, for that one's header names it, from
 * its own directory. Hazards: a chain can lead back into itself (files are told apart by device and inode, so
 * a link does not hide it), and it can be as long as somebody likes; both cut it, and what lies below cannot
 * be read then, with the reason in the error. A header in the first bytes of a backing file may have been
 * written by a guest, if the backing file was once a disk of its own (merge -o): it then names a file of the
 * host. That is why nothing that writes follows it, and why cow_image_outside_text looks at all layers.
 */
#include "core/image/chain.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"
#include "cow/text.h"

__attribute__((format(printf, 2, 3))) static void cut_chain(struct chain *chain, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(chain->problem, sizeof chain->problem, format, arguments);
    va_end(arguments);
    chain->cut = true;
}

int layer_open_bits(struct layer *layer, struct cow_error *err)
{
    const struct format_file file = {layer->io, layer->file->fd};
    layer->bits = NULL;
    return layer->disk.driver->flat ? 0 : bitmap_open_disk(&layer->bits, &layer->disk, &file, err);
}

/* A raw disk of no size is none that a driver decodes, and yet a backing file: all of the disk lies past its
 * end. */
static void take_as_raw(struct layer *layer)
{
    const uint64_t size_bytes = (uint64_t)layer->file->facts.st_size;
    layer->disk = (struct format_disk){.driver = &format_raw,
                                       .size_bytes = size_bytes,
                                       .sector_bytes = 512,
                                       .sectors = arith_div_up(size_bytes, 512),
                                       .mapped_sectors = arith_div_up(size_bytes, 512)};
}

/* What a layer is decoded from. */
struct first_bytes {
    uint8_t bytes[COW_HEADER_BYTES_MAX];
    struct format_source source;
};

/* What the file of a layer is. What no driver can decode is a raw disk, as it is for a kernel. */
static void decode_layer(struct layer *layer, struct cow_header *header, struct first_bytes *first, bool flat)
{
    *header = (struct cow_header){.format = COW_FORMAT_RAW};
    ssize_t n = flat ? 0 : io_read(layer->io, layer->file->fd, first->bytes, sizeof first->bytes, 0);
    if (n > 0) {
        first->source =
            (struct format_source){first->bytes, (size_t)n, (uint64_t)layer->file->facts.st_size, UINT64_MAX};
        if (format_driver_of(&first->source)->decode(&layer->disk, header, &first->source, NULL) == 0) {
            return;
        }
    }
    take_as_raw(layer);
}

/* Is it one of the files above it? */
static bool leads_back(const struct chain *chain, const struct stat *facts)
{
    for (size_t i = 0; i < chain->n; i++) {
        if (same_file(&chain->layer[i].file->facts, facts)) {
            return true;
        }
    }
    return false;
}

/* Finds what lies below the last layer, which is a COW with this header. NULL: nothing, or the chain is cut.
 */
static int find_next(struct backing_file **out, struct chain *chain, const struct cow_header *header,
                     struct cow_error *err)
{
    struct layer *last = &chain->layer[chain->n - 1];
    char real[PATH_MAX], name[COW_MESSAGE_BYTES / 4], next[COW_MESSAGE_BYTES / 4];
    *out = NULL;
    cow_escape(name, sizeof name, last->path);
    if (last->io->resolve(last->io->context, last->path, real, sizeof real) < 0) {
        cut_chain(chain, "%s: its place is not known", name);
        return 0;
    }
    int status = backing_open(&last->backing, last->io, header, real, &last->file->facts, NULL, err);
    const struct cow_backing *found = &last->backing.facts;
    if (status != 0 || found->state == COW_BACKING_NONE) {
        return status;
    }
    cow_escape(next, sizeof next, found->path);
    if (found->state != COW_BACKING_FOUND) {
        cut_chain(chain, "%s: its backing file: %s", name, found->problem);
    } else if (leads_back(chain, &last->backing.file.facts)) {
        cut_chain(chain, "%s: its backing file %s is one of those above it: the chain leads back into itself",
                  name, next);
    } else if (chain->n == CHAIN_LAYERS_MAX) {
        cut_chain(chain, "%s: its backing file %s would be the %dth file of the chain, and %d are followed",
                  name, next, CHAIN_LAYERS_MAX + 1, CHAIN_LAYERS_MAX);
    } else {
        *out = &last->backing;
    }
    return 0;
}

int chain_build(struct chain *chain, const struct cow_io *io, struct backing_file *backing, bool flat,
                struct cow_error *err)
{
    struct backing_file *next = backing;
    int status = 0;
    while (status == 0 && next != NULL) {
        struct cow_header header;
        struct first_bytes first;
        struct layer *layer = &chain->layer[chain->n];
        *layer = (struct layer){.io = io, .file = &next->file, .path = next->path};
        layer->backing.file.fd = -1;
        decode_layer(layer, &header, &first, flat);
        next = NULL;
        if (header.unfinished) {
            char name[COW_MESSAGE_BYTES / 2];
            cut_chain(chain, "%s: an interrupted change left it unfinished",
                      cow_escape(name, sizeof name, layer->path));
            return 0;
        }
        chain->n++;
        if (!layer->disk.driver->flat) {
            status = find_next(&next, chain, &header, err);
            backing_break_tie(&layer->disk, &header, &first.source, &layer->backing.facts);
        }
        layer->format = header.format;
        status = status == 0 ? layer_open_bits(layer, err) : status;
    }
    return status;
}

void chain_close(struct chain *chain, const struct cow_io *io)
{
    for (size_t i = 1; i < chain->n; i++) {
        bitmap_close(chain->layer[i].bits);
        backing_close(io, &chain->layer[i].backing);
    }
    chain->n = 0;
}

/* Where byte `offset` of the disk lies in the layer's file, and how many bytes behind it. */
static int place_of_byte(const struct layer *layer, uint64_t offset, struct format_place *out,
                         uint64_t *n_bytes)
{
    const struct format_file file = {layer->io, layer->file->fd};
    const uint64_t sector_bytes = layer->disk.sector_bytes;
    const uint64_t within = offset % sector_bytes;
    int status = layer->disk.driver->place(&layer->disk, &file, offset / sector_bytes, out);
    out->offset += within;
    *n_bytes = out->sectors * sector_bytes - within;
    return status;
}

int layer_read(struct layer *layer, uint64_t offset, void *buffer, size_t n_bytes)
{
    int status = 0;
    for (size_t done = 0; done < n_bytes && status >= 0;) {
        struct format_place place;
        uint64_t there;
        status = place_of_byte(layer, offset + done, &place, &there);
        const size_t piece = (size_t)arith_min(n_bytes - done, there);
        if (status >= 0 && place.kind == FORMAT_PLACE_FILE) {
            status =
                host_file_read_padded(layer->io, layer->file, (uint8_t *)buffer + done, piece, place.offset);
        } else if (status >= 0) {
            memset((uint8_t *)buffer + done, 0, piece);
        }
        done += piece;
    }
    return status < 0 ? status : 0;
}

int layer_extent_at(struct layer *layer, uint64_t offset, uint64_t limit, struct chain_extent *out,
                    struct cow_error *err)
{
    struct format_place place;
    struct io_extent extent;
    uint64_t there;
    int status = place_of_byte(layer, offset, &place, &there);
    if (status >= 0 && place.kind != FORMAT_PLACE_FILE) {
        *out = (struct chain_extent){.kind = CHAIN_HOLE,
                                     .end = offset + arith_min(there, limit - offset),
                                     .host_offset = COW_NO_OFFSET};
        return 0;
    }
    if (status >= 0) {
        status = host_file_extent(layer->io, layer->file, place.offset,
                                  place.offset + arith_min(there, limit - offset), &extent);
    }
    if (status < 0) {
        return cow_error_system(err, -status, "%s", layer->path);
    }
    *out = (struct chain_extent){.kind = extent.data ? CHAIN_DATA : CHAIN_HOLE,
                                 .end = offset + (extent.end - extent.begin),
                                 .host_offset = (int64_t)place.offset};
    return 0;
}

/* Whether a layer has the byte, and up to where (at most *limit) that is the same. */
static int layer_has(struct layer *layer, uint64_t offset, uint64_t *limit, bool *has, struct cow_error *err)
{
    const uint64_t sector_bytes = layer->disk.sector_bytes, sector = offset / sector_bytes;
    uint64_t end = layer->disk.sectors;
    int status = 0;
    *has = layer->bits == NULL;
    if (layer->bits != NULL) {
        status = bitmap_get(layer->bits, sector, has, err);
        status = status == 0 ? bitmap_find(layer->bits, sector, !*has, &end, err) : status;
        if (!*has && end >= layer->disk.mapped_sectors) { /* sectors without a bit are not in the file */
            end = layer->disk.sectors;
        }
    }
    *limit = arith_min(*limit, arith_min(end * sector_bytes, layer->disk.size_bytes));
    return status == 0 ? 0 : cow_error_prefix(err, "%s", layer->path);
}

int chain_extent_at(struct chain *chain, size_t first, uint64_t offset, uint64_t limit,
                    struct chain_extent *out, struct cow_error *err)
{
    for (size_t i = first; i < chain->n; i++) {
        struct layer *layer = &chain->layer[i];
        bool has;
        if (offset >= layer->disk.size_bytes) {
            *out = (struct chain_extent){
                .kind = CHAIN_NOTHING, .end = limit, .layer = i, .host_offset = COW_NO_OFFSET};
            return 0;
        }
        int status = layer_has(layer, offset, &limit, &has, err);
        if (status == 0 && has) {
            status = layer_extent_at(layer, offset, limit, out, err);
            out->layer = i;
        }
        if (status != 0 || has) {
            return status;
        }
    }
    *out =
        (struct chain_extent){.kind = chain->cut ? CHAIN_UNKNOWN : CHAIN_NOTHING,
                              .end = limit,
                              .layer = chain->n,
                              /* a backing file that is not there is a raw disk, as far as anybody knows */
                              .host_offset = chain->cut && chain->n == 1 ? (int64_t)offset : COW_NO_OFFSET};
    return 0;
}

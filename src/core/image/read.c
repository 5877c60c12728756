/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The bytes of the disk, composed of its layers. A stretch of at most SCRATCH_BYTES is read at once: if a
 * layer has all of it, in one read; else what the layers below show comes first, and what this layer has is
 * laid over it. Runs that lie close to each other are read together, for a read costs about as much as the
 * copying of some KiB: of scattered pages that are read from the page cache, a gap of 16 KiB took a tenth
 * more.
 *
 * Hazards: the scratch buffer serves all layers, which is right only because a layer reads what lies below it
 * before it uses the buffer. A layer that is shorter than the disk gives zeros behind its end, and nothing
 * below it shows there.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/image/image.h"

/* Between dirty runs: so much is read along where that saves a call. Less than a page. */
enum { CLUSTER_GAP_BYTES = 2 * 1024 };

static int read_layers(struct cow_image *img, size_t first, uint64_t offset, uint8_t *buffer, size_t n_bytes,
                       struct cow_error *err);

/* A layer that got shorter while it was read has zeros where it had data: that is an error, and not what the
 * disk shows. */
static int read_flat(struct cow_image *img, const struct layer *layer, uint64_t offset, uint8_t *buffer,
                     size_t n_bytes, struct cow_error *err)
{
    ssize_t n = io_read(img->io, layer->file->fd, buffer, n_bytes, layer->disk.data_offset + offset);
    if (n < 0) {
        return cow_error_system(err, (int)-n, "%s", layer->path);
    }
    memset(buffer + n, 0, n_bytes - (size_t)n);
    if ((size_t)n < n_bytes) {
        cow_error_set(err, COW_IO, "%s: the backing file %s got shorter while it was read", img->path,
                      layer->path);
        return cow_error_hint(err, "look who writes it, then open the image again");
    }
    return 0;
}

/* What one layer has, whatever its bits say. */
static int read_layer(struct cow_image *img, size_t index, uint64_t offset, uint8_t *buffer, size_t n_bytes,
                      struct cow_error *err)
{
    struct layer *layer = &img->chain->layer[index];
    if (index > 0 && layer->bits == NULL) {
        return read_flat(img, layer, offset, buffer, n_bytes, err);
    }
    int status = layer_read(layer, offset, buffer, n_bytes);
    return status < 0 ? cow_error_system(err, -status, "%s", layer->path) : 0;
}

/* Below the last layer there is nothing: zeros, or the error that says why it is not known. */
static int read_below(const struct cow_image *img, uint8_t *buffer, size_t n_bytes, struct cow_error *err)
{
    if (!img->chain->cut) {
        memset(buffer, 0, n_bytes);
        return 0;
    }
    if (img->chain->problem[0] != '\0') {
        cow_error_set(err, COW_IO, "%s: below it: %s", img->path, img->chain->problem);
        return cow_error_hint(err, "--no-backing looks at the image alone");
    }
    cow_error_set(err, COW_IO, "%s: the backing file: %s", img->path, img->backing.facts.problem);
    return cow_error_hint(err, img->no_backing ? "without it, only what is in the image can be read"
                                               : "name it with -b FILE");
}

/* Dirty runs of a layer that lie so close to each other that one read gets them all: bytes of the disk. */
struct cluster {
    uint64_t begin, end;
    uint64_t runs;
};

/* A run of a layer's sectors. count 0: there is none. */
static int next_bits(struct layer *layer, uint64_t sector, struct cow_dirty_run *out, struct cow_error *err)
{
    uint64_t first, end;
    int status = bitmap_next_run(layer->bits, sector, &first, &end, err);
    if (status == 0) {
        *out = (struct cow_dirty_run){first, first >= layer->disk.mapped_sectors ? 0 : end - first};
    }
    return status;
}

/* The next cluster from `offset` on, within [offset, limit); begin == end: none. */
static int next_cluster(struct layer *layer, uint64_t offset, uint64_t limit, struct cluster *out,
                        struct cow_error *err)
{
    const uint64_t sector_bytes = layer->disk.sector_bytes;
    struct cow_dirty_run run = {.first_sector = offset / sector_bytes};
    *out = (struct cluster){.begin = limit, .end = limit};
    int status = next_bits(layer, run.first_sector, &run, err);
    while (status == 0 && run.sectors > 0 && run.first_sector * sector_bytes < limit &&
           (out->runs == 0 || run.first_sector * sector_bytes - out->end <= CLUSTER_GAP_BYTES)) {
        if (out->runs++ == 0) {
            out->begin = arith_max(run.first_sector * sector_bytes, offset);
        }
        out->end = arith_min((run.first_sector + run.sectors) * sector_bytes, limit);
        status = next_bits(layer, run.first_sector + run.sectors, &run, err);
    }
    return status;
}

/* One read of the layer, then memcpy by runs. */
static int lay_cluster(struct cow_image *img, size_t index, const struct cluster *cluster, uint8_t *buffer,
                       struct cow_error *err)
{
    struct layer *layer = &img->chain->layer[index];
    const uint64_t sector_bytes = layer->disk.sector_bytes;
    const size_t n_bytes = (size_t)(cluster->end - cluster->begin);
    struct cow_dirty_run run = {.first_sector = cluster->begin / sector_bytes};
    if (cluster->runs == 1) {
        return read_layer(img, index, cluster->begin, buffer, n_bytes, err);
    }
    int status = read_layer(img, index, cluster->begin, img->scratch, n_bytes, err);
    for (uint64_t i = 0; i < cluster->runs && status == 0; i++) {
        status = next_bits(layer, run.first_sector + run.sectors, &run, err);
        const uint64_t begin = arith_max(run.first_sector * sector_bytes, cluster->begin);
        const uint64_t end = arith_min((run.first_sector + run.sectors) * sector_bytes, cluster->end);
        if (status == 0 && begin < end) {
            memcpy(buffer + (begin - cluster->begin), img->scratch + (begin - cluster->begin),
                   (size_t)(end - begin));
        }
    }
    return status;
}

/* Lays what a layer has of a stretch over what the layers below gave. */
static int lay_over(struct cow_image *img, size_t index, uint64_t offset, uint8_t *buffer, size_t n_bytes,
                    struct cow_error *err)
{
    struct cluster cluster = {.end = offset};
    int status = 0;
    do {
        status = next_cluster(&img->chain->layer[index], cluster.end, offset + n_bytes, &cluster, err);
        if (status == 0 && cluster.runs > 0) {
            status = lay_cluster(img, index, &cluster, buffer + (cluster.begin - offset), err);
        }
    } while (status == 0 && cluster.runs > 0 && cluster.end < offset + n_bytes);
    return status;
}

/* At most SCRATCH_BYTES of a layer and those below it, all of them on that layer's disk. */
static int read_stretch(struct cow_image *img, size_t index, uint64_t offset, uint8_t *buffer, size_t n_bytes,
                        struct cow_error *err)
{
    struct layer *layer = &img->chain->layer[index];
    const uint64_t sector_bytes = layer->disk.sector_bytes;
    uint64_t first = offset / sector_bytes;
    uint64_t sectors = arith_div_up(offset + n_bytes, sector_bytes) - first;
    uint64_t dirty;
    int status = bitmap_count(layer->bits, first, sectors, &dirty, err);
    if (status != 0) {
        return status;
    }
    if (dirty == sectors) {
        return read_layer(img, index, offset, buffer, n_bytes, err);
    }
    status = read_layers(img, index + 1, offset, buffer, n_bytes, err);
    return status == 0 && dirty > 0 ? lay_over(img, index, offset, buffer, n_bytes, err) : status;
}

/* Goes down one layer a call: at most CHAIN_LAYERS_MAX deep. */
static int read_layers(struct cow_image *img, size_t first, uint64_t offset, uint8_t *buffer, size_t n_bytes,
                       struct cow_error *err)
{
    if (first == img->chain->n) {
        return read_below(img, buffer, n_bytes, err);
    }
    const struct layer *layer = &img->chain->layer[first];
    const size_t there = (size_t)arith_min(n_bytes, arith_sub_floor(layer->disk.size_bytes, offset));
    memset(buffer + there, 0, n_bytes - there);
    if (there == 0) {
        return 0;
    }
    if (layer->bits == NULL) {
        return read_layer(img, first, offset, buffer, there, err);
    }
    if (img->scratch == NULL && (img->scratch = malloc(SCRATCH_BYTES)) == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    int status = 0;
    for (size_t done = 0; done < there && status == 0;) {
        size_t piece = (size_t)arith_min(there - done, SCRATCH_BYTES);
        status = read_stretch(img, first, offset + done, buffer + done, piece, err);
        done += piece;
    }
    return status;
}

int cow_image_read(struct cow_image *img, uint64_t offset_bytes, void *buffer, size_t n_bytes,
                   struct cow_error *err)
{
    int status = image_require_layout(img, err);
    uint64_t end;
    if (status != 0) {
        return status;
    }
    if (!arith_add(&end, offset_bytes, n_bytes) || end > img->header.size_bytes) {
        return cow_error_set(err, COW_USAGE, "%s: a read past the end of the disk", img->path);
    }
    return read_layers(img, 0, offset_bytes, buffer, n_bytes, err);
}

int cow_image_read_file(struct cow_image *img, enum cow_file file, uint64_t offset_bytes, void *buffer,
                        size_t n_bytes, struct cow_error *err)
{
    int status = image_require_layout(img, err);
    if (status != 0) {
        return status;
    }
    return file == COW_FILE_COW ? read_layer(img, 0, offset_bytes, buffer, n_bytes, err)
                                : read_layers(img, 1, offset_bytes, buffer, n_bytes, err);
}

int image_file_extent(struct cow_image *img, enum cow_file file, uint64_t offset, uint64_t limit,
                      struct io_extent *out)
{
    const struct image_place place = image_place(img, file, offset);
    const uint64_t n_bytes = arith_min(limit - offset, place.n_bytes);
    int status = host_file_extent(img->io, place.file, place.offset, place.offset + n_bytes, out);
    if (status == 0) {
        *out = (struct io_extent){offset, offset + (out->end - out->begin), out->data};
    }
    return status;
}

struct image_place image_place(struct cow_image *img, enum cow_file file, uint64_t offset)
{
    if (file != COW_FILE_COW) {
        return (struct image_place){&img->backing.file, offset, UINT64_MAX};
    }
    struct image_place place = {&img->cow, cow_layout_place(&img->layout, offset), UINT64_MAX};
    if (img->is_half) {
        const struct format_disk *disk = &img->chain->layer[0].disk;
        const uint64_t gap = disk->gap_sector * disk->sector_bytes;
        place.offset += offset >= gap ? disk->gap_bytes : 0;
        place.n_bytes = offset >= gap ? UINT64_MAX : gap - offset;
    }
    return place;
}

ssize_t image_read_backing_file(struct cow_image *img, void *buffer, size_t n_bytes)
{
    return io_read(img->io, img->backing.file.fd, buffer, n_bytes, 0);
}

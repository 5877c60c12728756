/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The two files as one disk: runs with their origin, densities, and reads. The bitmap says which file has a
 * sector, SEEK_DATA says whether there is anything to read.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/image/image.h"

/* Between dirty runs: so much is read along where that saves a call. */
enum { CLUSTER_GAP_BYTES = 16 * 1024 };

static const struct {
    const char *name;
    const char *text;
} origins[COW_ORIGINS] = {
#define ORIGIN_ROW(id, name, text) [COW_ORIGIN_##id] = {name, text},
    COW_ORIGIN_LIST(ORIGIN_ROW)
#undef ORIGIN_ROW
};

const char *cow_origin_name(enum cow_origin origin)
{
    return origins[origin].name;
}

const char *cow_origin_text(enum cow_origin origin)
{
    return origins[origin].text;
}

bool cow_origin_dirty(enum cow_origin origin)
{
    return origin == COW_ORIGIN_COW || origin == COW_ORIGIN_HOLE || origin == COW_ORIGIN_REDUNDANT ||
           origin == COW_ORIGIN_ZERO || origin == COW_ORIGIN_CHANGED;
}

static int io_failed(const struct cow_image *img, const char *path, int status, struct cow_error *err)
{
    return cow_error_system(err, -status, "%s", path == NULL ? img->path : path);
}

/* How far from `first` (below `end`) a file that holds the disk from base_offset on is all data, or all hole.
 * Only whole sectors are holes; a sector that is a hole in part has data. */
static int same_allocation(struct cow_image *img, struct host_file *file, uint64_t base_offset,
                           uint64_t first, uint64_t end, bool *hole, uint64_t *stop)
{
    const uint64_t sector_bytes = img->header.sector_bytes;
    const uint64_t limit = base_offset + end * sector_bytes;
    uint64_t at = first;
    while (at < end) {
        struct io_extent extent;
        int status = host_file_extent(img->io, file, base_offset + at * sector_bytes, limit, &extent);
        if (status < 0) {
            return status;
        }
        uint64_t in_disk = extent.end - base_offset;
        uint64_t next = extent.end == limit ? end
                        : extent.data       ? arith_div_up(in_disk, sector_bytes)
                                            : in_disk / sector_bytes;
        bool is_hole = !extent.data && next > at;
        next = next > at ? next : at + 1;
        if (at == first) {
            *hole = is_hole;
        } else if (*hole != is_hole) {
            break;
        }
        at = next;
    }
    *stop = at;
    return 0;
}

/* A clean run [first, end): by the backing file's length and holes. */
static int clean_run(struct cow_image *img, struct cow_run *run, uint64_t first, uint64_t end,
                     struct cow_error *err)
{
    const uint64_t sector_bytes = img->header.sector_bytes;
    const struct cow_backing *backing = &img->backing.facts;
    uint64_t covered = arith_div_up(backing->size_bytes, sector_bytes);
    bool known = backing->state == COW_BACKING_FOUND;
    if (backing->state == COW_BACKING_NONE || (known && first >= covered)) {
        *run = (struct cow_run){first, end - first, COW_ORIGIN_BEYOND_BACKING, COW_NO_OFFSET};
        return 0;
    }
    bool hole = false;
    if (known) {
        end = arith_min(end, covered);
        int status = same_allocation(img, &img->backing.file, 0, first, end, &hole, &end);
        if (status < 0) {
            return io_failed(img, backing->path, status, err);
        }
    }
    *run = (struct cow_run){first, end - first, hole ? COW_ORIGIN_BACKING_HOLE : COW_ORIGIN_BACKING,
                            (int64_t)(first * sector_bytes)};
    return 0;
}

static int dirty_run(struct cow_image *img, struct cow_run *run, uint64_t first, uint64_t end,
                     struct cow_error *err)
{
    bool hole = false;
    int status = same_allocation(img, &img->cow, img->layout.data_offset, first, end, &hole, &end);
    if (status < 0) {
        return io_failed(img, NULL, status, err);
    }
    *run = (struct cow_run){first, end - first, hole ? COW_ORIGIN_HOLE : COW_ORIGIN_COW,
                            (int64_t)(img->layout.data_offset + first * img->header.sector_bytes)};
    return 0;
}

int cow_image_next_run(struct cow_image *img, uint64_t sector, struct cow_run *out, struct cow_error *err)
{
    int status = image_require_layout(img, err);
    if (status != 0) {
        return status;
    }
    if (sector >= img->layout.sectors) {
        *out = (struct cow_run){.first_sector = img->layout.sectors, .host_offset = COW_NO_OFFSET};
        return 0;
    }
    bool dirty;
    uint64_t end;
    status = bitmap_get(img->bitmap, sector, &dirty, err);
    if (status == 0) {
        status = bitmap_find(img->bitmap, sector, !dirty, &end, err);
    }
    if (status != 0) {
        return cow_error_prefix(err, "%s", img->path);
    }
    /* The sectors without a bit (v1, v2) are clean; bitmap_find answers "none" with the number of bits. */
    if (!dirty && end >= img->layout.mapped_sectors) {
        end = img->layout.sectors;
    }
    return dirty ? dirty_run(img, out, sector, end, err) : clean_run(img, out, sector, end, err);
}

int cow_image_prev_run(struct cow_image *img, uint64_t sector, struct cow_run *out, struct cow_error *err)
{
    int status = image_require_layout(img, err);
    if (status != 0) {
        return status;
    }
    sector = arith_min(sector, img->layout.sectors);
    if (sector == 0) {
        *out = (struct cow_run){.host_offset = COW_NO_OFFSET};
        return 0;
    }
    /* Back by bits to where the dirty or clean stretch begins, then forward over its origins. */
    bool dirty;
    uint64_t begin;
    status = bitmap_get(img->bitmap, sector - 1, &dirty, err);
    if (status == 0) {
        status = bitmap_find_back(img->bitmap, sector - 1, !dirty, &begin, err);
    }
    struct cow_run run = {.sectors = 0};
    while (status == 0 && begin < sector) {
        status = cow_image_next_run(img, begin, &run, err);
        begin = run.first_sector + run.sectors;
    }
    if (status == 0) {
        run.sectors = arith_min(run.sectors, sector - run.first_sector);
        *out = run;
    }
    return status;
}

int cow_image_next_dirty(struct cow_image *img, uint64_t sector, struct cow_dirty_run *out,
                         struct cow_error *err)
{
    uint64_t first, end;
    int status = image_require_layout(img, err);
    if (status == 0) {
        status = bitmap_next_run(img->bitmap, sector, &first, &end, err);
    }
    if (status == 0) {
        bool none = first >= img->layout.mapped_sectors;
        *out = (struct cow_dirty_run){first, none ? 0 : end - first};
    }
    return status;
}

int cow_image_prev_dirty(struct cow_image *img, uint64_t sector, struct cow_dirty_run *out,
                         struct cow_error *err)
{
    uint64_t end, begin;
    int status = image_require_layout(img, err);
    if (status == 0) {
        status =
            bitmap_find_back(img->bitmap, arith_min(sector, img->layout.mapped_sectors), true, &end, err);
    }
    if (status == 0 && end == 0) {
        *out = (struct cow_dirty_run){0, 0};
        return 0;
    }
    if (status == 0) {
        status = bitmap_find_back(img->bitmap, end, false, &begin, err);
    }
    if (status == 0) { /* the run may go on past `sector` */
        status = bitmap_find(img->bitmap, begin, false, &end, err);
    }
    if (status == 0) {
        *out = (struct cow_dirty_run){begin, end - begin};
    }
    return status;
}

int cow_image_density(struct cow_image *img, uint64_t first_sector, uint64_t sectors, struct cow_density *out,
                      struct cow_error *err)
{
    struct cow_density density = {.sectors = 0};
    int status = image_require_layout(img, err);
    if (status != 0) {
        return status;
    }
    const uint64_t end = first_sector >= img->layout.sectors
                             ? first_sector
                             : first_sector + arith_min(sectors, img->layout.sectors - first_sector);
    density.sectors = end - first_sector;
    status = bitmap_count(img->bitmap, first_sector, density.sectors, &density.dirty_sectors, err);
    if (status == 0 &&
        (img->backing.facts.state == COW_BACKING_FOUND || img->backing.facts.state == COW_BACKING_NONE)) {
        uint64_t covered = arith_div_up(img->backing.facts.size_bytes, img->header.sector_bytes);
        density.beyond_backing_sectors = end > covered ? end - arith_max(first_sector, covered) : 0;
    }
    if (status == 0) {
        *out = density;
    }
    return status;
}

int cow_image_read_file(struct cow_image *img, enum cow_file which, uint64_t offset_bytes, void *buffer,
                        size_t n_bytes, struct cow_error *err)
{
    int status = image_require_layout(img, err);
    if (status != 0) {
        return status;
    }
    if (which == COW_FILE_COW) {
        status =
            io_read_padded(img->io, img->cow.fd, buffer, n_bytes, img->layout.data_offset + offset_bytes);
        return status < 0 ? io_failed(img, NULL, status, err) : 0;
    }
    if (img->backing.facts.state == COW_BACKING_NONE) {
        memset(buffer, 0, n_bytes);
        return 0;
    }
    if (img->backing.facts.state != COW_BACKING_FOUND) {
        cow_error_set(err, COW_IO, "%s: the backing file: %s", img->path, img->backing.facts.problem);
        return cow_error_hint(err, img->no_backing ? "without it, only what is in the image can be read"
                                                   : "name it with -b FILE");
    }
    ssize_t n = io_read(img->io, img->backing.file.fd, buffer, n_bytes, offset_bytes);
    if (n < 0) {
        return io_failed(img, img->backing.facts.path, (int)n, err);
    }
    memset((uint8_t *)buffer + n, 0, n_bytes - (size_t)n);
    if ((uint64_t)n < arith_min(n_bytes, arith_sub_floor(img->backing.facts.size_bytes, offset_bytes))) {
        cow_error_set(err, COW_IO, "%s: the backing file %s got shorter while it was read", img->path,
                      img->backing.facts.path);
        return cow_error_hint(err, "look who writes it, then open the image again");
    }
    return 0;
}

/* Dirty runs that lie so close to each other that one read gets them all: bytes of the disk. */
struct cluster {
    uint64_t begin, end;
    uint64_t runs;
};

/* The next cluster from `offset` on, within [offset, limit); begin == end: none. */
static int next_cluster(struct cow_image *img, uint64_t offset, uint64_t limit, struct cluster *out,
                        struct cow_error *err)
{
    const uint64_t sector_bytes = img->header.sector_bytes;
    struct cow_dirty_run run = {.first_sector = offset / sector_bytes};
    *out = (struct cluster){.begin = limit, .end = limit};
    int status = cow_image_next_dirty(img, run.first_sector, &run, err);
    while (status == 0 && run.sectors > 0 && run.first_sector * sector_bytes < limit &&
           (out->runs == 0 || run.first_sector * sector_bytes - out->end <= CLUSTER_GAP_BYTES)) {
        if (out->runs++ == 0) {
            out->begin = arith_max(run.first_sector * sector_bytes, offset);
        }
        out->end = arith_min((run.first_sector + run.sectors) * sector_bytes, limit);
        status = cow_image_next_dirty(img, run.first_sector + run.sectors, &run, err);
    }
    return status;
}

/* One read of the COW, then memcpy by runs. */
static int lay_cluster(struct cow_image *img, const struct cluster *cluster, uint8_t *buffer,
                       struct cow_error *err)
{
    const uint64_t sector_bytes = img->header.sector_bytes;
    struct cow_dirty_run run = {.first_sector = cluster->begin / sector_bytes};
    if (cluster->runs == 1) {
        return cow_image_read_file(img, COW_FILE_COW, cluster->begin, buffer,
                                   (size_t)(cluster->end - cluster->begin), err);
    }
    int status = cow_image_read_file(img, COW_FILE_COW, cluster->begin, img->scratch,
                                     (size_t)(cluster->end - cluster->begin), err);
    for (uint64_t i = 0; i < cluster->runs && status == 0; i++) {
        status = cow_image_next_dirty(img, run.first_sector + run.sectors, &run, err);
        const uint64_t begin = arith_max(run.first_sector * sector_bytes, cluster->begin);
        const uint64_t end = arith_min((run.first_sector + run.sectors) * sector_bytes, cluster->end);
        if (status == 0 && begin < end) {
            memcpy(buffer + (begin - cluster->begin), img->scratch + (begin - cluster->begin),
                   (size_t)(end - begin));
        }
    }
    return status;
}

/* Lays the dirty sectors of a stretch over what the backing gave: a read for those that are close to each
 * other, for a read a run costs far more than a few bytes too many. What is read of a hole costs as well. */
static int lay_over(struct cow_image *img, uint64_t offset, uint8_t *buffer, size_t n_bytes,
                    struct cow_error *err)
{
    struct cluster cluster = {.end = offset};
    int status = 0;
    do {
        status = next_cluster(img, cluster.end, offset + n_bytes, &cluster, err);
        if (status == 0 && cluster.runs > 0) {
            status = lay_cluster(img, &cluster, buffer + (cluster.begin - offset), err);
        }
    } while (status == 0 && cluster.runs > 0 && cluster.end < offset + n_bytes);
    return status;
}

/* At most SCRATCH_BYTES. */
static int read_stretch(struct cow_image *img, uint64_t offset, uint8_t *buffer, size_t n_bytes,
                        struct cow_error *err)
{
    const uint64_t sector_bytes = img->header.sector_bytes;
    uint64_t first = offset / sector_bytes;
    uint64_t sectors = arith_div_up(offset + n_bytes, sector_bytes) - first;
    uint64_t dirty;
    int status = bitmap_count(img->bitmap, first, sectors, &dirty, err);
    if (status != 0) {
        return status;
    }
    if (dirty == sectors) {
        return cow_image_read_file(img, COW_FILE_COW, offset, buffer, n_bytes, err);
    }
    status = cow_image_read_file(img, COW_FILE_BACKING, offset, buffer, n_bytes, err);
    return status == 0 && dirty > 0 ? lay_over(img, offset, buffer, n_bytes, err) : status;
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
    if (img->scratch == NULL && (img->scratch = malloc(SCRATCH_BYTES)) == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    for (size_t done = 0; done < n_bytes && status == 0;) {
        size_t piece = (size_t)arith_min(n_bytes - done, SCRATCH_BYTES);
        status = read_stretch(img, offset_bytes + done, (uint8_t *)buffer + done, piece, err);
        done += piece;
    }
    return status;
}

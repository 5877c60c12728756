/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is in the cells of the whole disk. A row is so many cells of a power of two sectors, so that rows
 * begin at round places, and the scale can be told in round numbers.
 */
#include "front/picture/map.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cow/scan.h"

enum { COLS = 128, ROWS_MOST = 64 };

static uint64_t divide_up(uint64_t value, uint64_t by)
{
    return value / by + (value % by != 0);
}

static size_t cells_of(const struct front_map *map)
{
    return (size_t)map->cols * (size_t)map->rows;
}

static int count_cells(struct front_map *map, struct cow_error *err)
{
    struct cow_usage usage;
    int status = cow_image_usage(map->image, &usage, err);

    for (size_t i = 0; i < cells_of(map) && status == 0; i++) {
        const uint64_t first = i * map->cell_sectors;
        if (first < cow_image_layout(map->image)->sectors) {
            status = cow_image_density(map->image, first, map->cell_sectors, &map->own_count[i], err);
        }
    }
    return status;
}

/* A run, into the cells that it touches. */
static void put_run(struct front_map *map, const struct cow_run *run)
{
    const uint64_t end = run->first_sector + run->sectors;

    for (uint64_t at = run->first_sector, next; at < end; at = next) {
        const uint64_t cell = at / map->cell_sectors;
        next = (cell + 1) * map->cell_sectors < end ? (cell + 1) * map->cell_sectors : end;
        map->own_sectors[cell * COW_ORIGINS + run->origin] += next - at;
    }
}

static int scan_cells(struct front_map *map, const struct cow_env *env, struct cow_error *err)
{
    const struct cow_header *header = cow_image_header(map->image);
    struct cow_progress progress = {
        .phase = "comparing", .total_bytes = header->size_bytes, .can_cancel = true};
    struct cow_scan *scan = NULL;
    struct cow_run run = {.sectors = 1};
    int status = cow_scan_open(&scan, map->image, err);

    for (uint64_t at = 0; status == 0 && run.sectors > 0; at = run.first_sector + run.sectors) {
        progress.done_bytes = at * header->sector_bytes;
        if (env != NULL && env->progress != NULL && env->progress(env->context, &progress)) {
            status = cow_error_set(err, COW_CANCELLED, "cancelled");
            break;
        }
        status = cow_scan_run(scan, at, &run, err);
        if (status == 0) {
            put_run(map, &run);
        }
    }
    cow_scan_close(scan);
    return status;
}

static int make_room(struct front_map *map, bool scans, struct cow_error *err)
{
    const size_t n = cells_of(map);

    map->own_count = calloc(n, sizeof *map->own_count);
    map->own_ends = calloc(1, sizeof *map->own_ends);
    if (scans) {
        map->own_sectors = calloc(n, COW_ORIGINS * sizeof *map->own_sectors);
        map->own_found = calloc(n, sizeof *map->own_found);
    }
    if (map->own_count == NULL || map->own_ends == NULL ||
        (scans && (map->own_sectors == NULL || map->own_found == NULL))) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    for (size_t i = 0; scans && i < n; i++) {
        map->own_found[i] = &map->own_sectors[i * COW_ORIGINS];
    }
    map->count = map->own_count;
    map->ends = map->own_ends;
    map->found = map->own_found;
    return 0;
}

int front_map_whole(struct front_map *out, struct cow_image *image, bool scans, const struct cow_env *env,
                    struct cow_error *err)
{
    const uint64_t sectors = cow_image_layout(image)->sectors;

    *out = (struct front_map){.image = image, .cell_sectors = 1, .cols = COLS};
    while (divide_up(divide_up(sectors, out->cell_sectors), COLS) > ROWS_MOST) {
        out->cell_sectors *= 2;
    }
    out->rows = (int)divide_up(divide_up(sectors, out->cell_sectors), COLS);
    int status = make_room(out, scans, err);
    status = status == 0 ? count_cells(out, err) : status;
    if (status == 0) {
        (void)front_ends_collect(out->own_ends, image, NULL);
        status = scans ? scan_cells(out, env, err) : 0;
    }
    return status;
}

void front_map_free(struct front_map *map)
{
    free(map->own_count);
    free(map->own_sectors);
    free(map->own_found);
    free(map->own_ends);
    *map = (struct front_map){.image = NULL};
}

int front_picture_kind_of(enum front_picture_kind *out, const char *path, struct cow_error *err)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash != NULL ? slash : path, '.');

    if (dot != NULL && strcasecmp(dot, ".svg") == 0) {
        *out = FRONT_PICTURE_SVG;
        return 0;
    }
    if (dot != NULL && strcasecmp(dot, ".png") == 0) {
        *out = FRONT_PICTURE_PNG;
        return 0;
    }
    cow_error_set(err, COW_USAGE, "%s: the end of the name says what picture it is to be, and this is none",
                  path);
    return cow_error_hint(err, "name it .svg or .png");
}

const char *front_picture_title(enum front_picture_kind kind)
{
    return kind == FRONT_PICTURE_SVG ? "a picture of the map, as SVG" : "a picture of the map, as PNG";
}

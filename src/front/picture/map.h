/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A map of an image, or of a part of it, as a picture: what is in each of its cells, and the picture of that.
 */
#ifndef FRONT_PICTURE_MAP_H
#define FRONT_PICTURE_MAP_H

#include "cow/env.h"
#include "cow/image.h"
#include "front/picture/drawing.h"
#include "front/picture/ends.h"
#include "front/picture/heat.h"

struct front_map {
    struct cow_image *image; /* borrowed */
    uint64_t first_sector;   /* of the first cell */
    uint64_t cell_sectors;
    int cols, rows;
    bool is_curved; /* the cells lie along a Hilbert curve, not in rows */
    enum front_heat_choice heat_choice;
    const struct cow_density *count; /* [cols * rows]; behind the disk's end without sectors */
    /* Of each cell what a scan has found, [COW_ORIGINS] sectors, or NULL where that is not known; NULL: there
     * was none. */
    const uint64_t *const *found;
    const struct front_ends *ends;
    /* Owned, where front_map_whole has made them. */
    struct cow_density *own_count;
    uint64_t *own_sectors; /* [cols * rows][COW_ORIGINS] */
    const uint64_t **own_found;
    struct front_ends *own_ends;
};

/* A map of the whole disk, in cells of a power of two sectors, and its counts. Holes of the bitmap cost
 * nothing, and each page of it is read once. scans: what is dirty is compared with the backing file, for
 * which env tells the progress, and may stop it. Ends that cannot be found out are left out. *out is the
 * caller's (front_map_free), of a failure too. Errors: COW_NO_MEMORY, COW_CANCELLED, and what the core could
 * not read. */
int front_map_whole(struct front_map *out, struct cow_image *image, bool scans, const struct cow_env *env,
                    struct cow_error *err);

/* Frees what the map owns, and forgets the rest. */
void front_map_free(struct front_map *map);

enum front_picture_kind { FRONT_PICTURE_SVG, FRONT_PICTURE_PNG };

/* The picture of a map as the bytes of a file, which are the caller's (free). Errors: those of drawing_svg
 * and drawing_png, and what the core could not read. */
int front_map_picture(struct drawing_bytes *out, const struct front_map *map, enum front_picture_kind kind,
                      struct cow_error *err);

/* The kind that a file's name asks for by its end, .svg or .png. Errors: COW_USAGE. */
int front_picture_kind_of(enum front_picture_kind *out, const char *path, struct cow_error *err);

/* "a picture of the map (SVG)", for a plan. */
const char *front_picture_title(enum front_picture_kind kind);

#endif

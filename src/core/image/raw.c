/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See raw.h.
 */
#include "core/image/raw.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/variants.h"

static int fill(struct cow_image *img, const char *path, struct cow_error *err)
{
    int status = host_file_open_disk(img->io, &img->backing.file, path, O_RDONLY, err);
    if (status != 0) {
        return status;
    }
    const struct stat *facts = &img->backing.file.facts;
    if (facts->st_size <= 0 || (uint64_t)facts->st_size >= SIZE_LIMIT_BYTES) {
        return cow_error_set(err, COW_INVALID, "%s: %" PRId64 " bytes are no size of a disk", path,
                             (int64_t)facts->st_size);
    }
    img->header = (struct cow_header){.format = COW_FORMAT_V3,
                                      .version = 3,
                                      .big_endian = true,
                                      .size_bytes = (uint64_t)facts->st_size,
                                      .sector_bytes = 512,
                                      .alignment = 4096};
    img->path = strdup(path);
    img->real_path = strdup(path);
    img->backing.path = strdup(path);
    if (img->path == NULL || img->real_path == NULL || img->backing.path == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    img->backing.facts = (struct cow_backing){.state = COW_BACKING_FOUND,
                                              .path = img->backing.path,
                                              .size_bytes = (uint64_t)facts->st_size,
                                              .mtime = facts->st_mtim.tv_sec,
                                              .problem = img->backing.problem};
    status = cow_layout_of(&img->layout, &img->header, err);
    img->layout.mapped_sectors = 0;
    return status == 0 ? bitmap_open(&img->bitmap, img->io, -1, 0, 0, err) : status;
}

int raw_image_open(struct cow_image **out, const char *path, const struct cow_io *io, struct cow_error *err)
{
    struct cow_image *img = calloc(1, sizeof *img);
    if (img == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    img->io = io;
    img->cow.fd = -1;
    img->backing.file.fd = -1;
    int status = fill(img, path, err);
    if (status != 0) {
        cow_image_close(img);
        return status;
    }
    *out = img;
    return 0;
}

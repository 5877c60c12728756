/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See ends.h.
 */
#include "front/picture/ends.h"

#include <stdio.h>

#include "cow/image.h"

static void add_end(struct front_ends *ends, const struct cow_image *image, uint64_t byte,
                    enum front_end_kind kind, const struct cow_volume *volume)
{
    const uint64_t sector_bytes = cow_image_header(image)->sector_bytes;
    const uint64_t sector = byte / sector_bytes + (byte % sector_bytes != 0);

    if (byte == 0 || sector >= cow_image_layout(image)->sectors || ends->n == FRONT_ENDS_MAX) {
        return;
    }
    struct front_end *end = &ends->end[ends->n++];
    *end = (struct front_end){
        .sector = sector, .kind = kind, .partition = volume != NULL ? volume->partition : 0};
    if (volume != NULL) {
        snprintf(end->type, sizeof end->type, "%s", volume->type);
    }
}

int front_ends_collect(struct front_ends *out, struct cow_image *image, struct cow_error *err)
{
    const struct cow_backing *backing = cow_image_backing(image);
    struct cow_fs *fs = NULL;
    size_t n = 0;

    out->n = 0;
    if (backing->state == COW_BACKING_FOUND) {
        add_end(out, image, backing->size_bytes, FRONT_END_BACKING, NULL);
    }
    const int status = cow_fs_open(&fs, image, err);
    const struct cow_volume *volume = status == 0 ? cow_fs_volumes(fs, &n) : NULL;
    for (size_t i = 0; i < n; i++) {
        if (volume[i].partition > 0) {
            add_end(out, image, volume[i].first_byte + volume[i].listed_bytes, FRONT_END_PARTITION,
                    &volume[i]);
        }
        if (volume[i].fs_bytes > 0) {
            add_end(out, image, volume[i].first_byte + volume[i].fs_bytes, FRONT_END_FILESYSTEM, &volume[i]);
        }
    }
    cow_fs_close(fs);
    return status;
}

const struct front_end *front_ends_within(const struct front_ends *ends, size_t *at, uint64_t first,
                                          uint64_t sectors)
{
    while (*at < ends->n) {
        const struct front_end *end = &ends->end[(*at)++];
        if (end->sector >= first && end->sector - first < sectors) {
            return end;
        }
    }
    return NULL;
}

const char *front_end_name(char out[FRONT_END_NAME_BYTES], const struct front_end *end)
{
    if (end->kind == FRONT_END_BACKING) {
        snprintf(out, FRONT_END_NAME_BYTES, "backing");
    } else if (end->kind == FRONT_END_PARTITION) {
        snprintf(out, FRONT_END_NAME_BYTES, "partition %u", end->partition);
    } else if (end->partition > 0) {
        snprintf(out, FRONT_END_NAME_BYTES, "its %s", end->type[0] != '\0' ? end->type : "content");
    } else {
        snprintf(out, FRONT_END_NAME_BYTES, "%s", end->type[0] != '\0' ? end->type : "the filesystem");
    }
    return out;
}

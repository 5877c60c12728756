/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The rules for backing files. What a kernel checks of them is told in share/doc/format.md.
 */
#include "core/image/backing_rules.h"

#include <inttypes.h>
#include <string.h>

#include "core/format/variants.h"

int backing_rule_found(const struct cow_image *img, const char *help, struct cow_error *err)
{
    const struct cow_backing *backing = &img->backing.facts;
    if (backing->state == COW_BACKING_FOUND) {
        return 0;
    }
    cow_error_set(err, COW_IO, "%s: the backing file: %s", img->path, backing->problem);
    return cow_error_hint(err, "%s", help != NULL ? help : "name it with -b FILE");
}

int backing_rule_date_is_headers(const struct cow_image *img, const char *help, struct cow_error *err)
{
    const struct cow_backing *backing = &img->backing.facts;
    if (backing->mtime == (int64_t)img->header.mtime) {
        return 0;
    }
    cow_error_set(err, COW_REFUSED,
                  "%s: its backing file %s has another date (%" PRId64 ") than the header (%" PRIu32
                  "): its content may have changed",
                  img->path, backing->path, backing->mtime, img->header.mtime);
    return cow_error_hint(err, "%s", help);
}

int backing_rule_date_fits(uint32_t *out, int64_t mtime, const char *path, struct cow_error *err)
{
    if (mtime >= 0 && mtime <= UINT32_MAX) {
        *out = (uint32_t)mtime;
        return 0;
    }
    cow_error_set(err, COW_REFUSED, "%s: its date (%" PRId64 ") does not fit a COW header", path, mtime);
    return cow_error_hint(err, "no kernel accepts a backing file dated before 1970 or after 2106; touch it");
}

int backing_rule_path_fits(const char *path, struct cow_error *err)
{
    return strlen(path) < COW_PATH_BYTES
               ? 0
               : cow_error_set(err, COW_REFUSED, "%s: the path is too long for a COW header", path);
}

int backing_rule_size_fits(uint64_t size_bytes, const char *path, struct cow_error *err)
{
    if (size_bytes >= SIZE_LIMIT_BYTES) {
        return cow_error_set(err, COW_REFUSED,
                             "%s: a disk of %" PRIu64 " bytes is not possible: it has to be less than 8 TiB",
                             path, size_bytes);
    }
    return size_bytes > BACKING_HANGS_BYTES
               ? 0
               : cow_error_set(err, COW_REFUSED,
                               "%s: %" PRIu64 " bytes; a disk of 32 KiB or less hangs the guest", path,
                               size_bytes);
}

int backing_rule_is_no_cow(const struct cow_io *io, const struct host_file *file, const char *path,
                           struct cow_error *err)
{
    if (!backing_is_cow(io, file)) {
        return 0;
    }
    cow_error_set(err, COW_REFUSED, "%s: is a COW image itself, no raw disk", path);
    return cow_error_hint(err,
                          "a kernel would take its header for the disk's first bytes; merge it into a raw "
                          "file first, or --force");
}

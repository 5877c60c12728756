/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What others do to the files of an open image. A question here is one stat, for it is asked once a second:
 * name, size and date are compared with those of the file when it was opened, and nothing is read. A guest
 * that writes into a shared mapping may change the date later.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/image/image.h"
#include "cow/text.h"

enum { NAME_BYTES = 64 }; /* of a program, as the system tells it: 15 bytes and a line's end */

static bool same_date(const struct stat *a, const struct stat *b)
{
    return a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* The file of that path, beside what was opened by it. The size of a device is not told by a stat. */
static enum cow_outside compare_file(const struct cow_io *io, const char *path, const struct stat *seen)
{
    struct stat now;
    const int status = io->stat(io->context, path, &now);
    if (status < 0) {
        return status == -ENOENT || status == -ENOTDIR ? COW_OUTSIDE_GONE : COW_OUTSIDE_SAME;
    }
    if (!same_file(&now, seen)) {
        return COW_OUTSIDE_REPLACED;
    }
    if (S_ISREG(now.st_mode) && now.st_size != seen->st_size) {
        return now.st_size > seen->st_size ? COW_OUTSIDE_GROWN : COW_OUTSIDE_SHRUNK;
    }
    return same_date(&now, seen) ? COW_OUTSIDE_SAME : COW_OUTSIDE_WRITTEN;
}

enum cow_outside cow_image_outside(const struct cow_image *img, enum cow_file file)
{
    const struct cow_backing *backing = &img->backing.facts;
    struct stat now;
    if (file == COW_FILE_COW) {
        return compare_file(img->io, img->real_path, &img->cow.facts);
    }
    if (backing->state == COW_BACKING_FOUND) {
        return compare_file(img->io, backing->path, &img->backing.file.facts);
    }
    return backing->state == COW_BACKING_MISSING && img->io->stat(img->io->context, backing->path, &now) == 0
               ? COW_OUTSIDE_FOUND
               : COW_OUTSIDE_SAME;
}

enum cow_outside cow_image_outside_below(const struct cow_image *img, size_t *layer)
{
    enum cow_outside fate = COW_OUTSIDE_SAME;
    const size_t n = img->chain == NULL ? 0 : img->chain->n;
    for (*layer = 2; *layer < n; ++*layer) {
        const struct layer *file = &img->chain->layer[*layer];
        fate = compare_file(img->io, file->path, &file->file->facts);
        if (fate != COW_OUTSIDE_SAME) {
            break;
        }
    }
    return fate;
}

const char *cow_image_program_name(const struct cow_image *img, int64_t pid, char *out, size_t out_bytes)
{
    char path[64], name[NAME_BYTES];
    ssize_t n = -1;
    snprintf(path, sizeof path, "/proc/%" PRId64 "/comm", pid);
    const int fd = pid > 0 ? img->io->open(img->io->context, path, O_RDONLY | O_CLOEXEC, 0) : -1;
    if (fd >= 0) {
        n = img->io->pread(img->io->context, fd, name, sizeof name - 1, 0);
        img->io->close(img->io->context, fd);
    }
    name[n > 0 ? n : 0] = '\0';
    name[strcspn(name, "\n")] = '\0';
    return cow_escape(out, out_bytes, name);
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Finding the backing file. A kernel resolves a relative path against its working directory, QEMU against the
 * image's directory; people have both in mind, so both are tried and the one that fits the header wins: its
 * size and date are the header's. If neither fits, one that opens wins over one that does not, and then the
 * kernel's way wins.
 *
 * A missing backing file is no error here, for everything but clean sectors can be looked at without it.
 * Regular files and block devices only, opened so that a FIFO does not block. What is deliberately not looked
 * into is the content: that a backing file is a COW itself is the chain's business (chain.c).
 */
#include "core/image/backing.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cow/text.h"

struct place {
    char *path;
    bool beside;
    bool is_image; /* the image that it was looked for */
    struct host_file file;
    int status;
    struct cow_error err;
};

static char *beside_image(const char *image_real_path, const char *stored)
{
    const char *slash = strrchr(image_real_path, '/');
    size_t directory = slash == NULL ? 0 : (size_t)(slash - image_real_path) + 1;
    size_t stored_bytes = strlen(stored) + 1;
    char *path = malloc(directory + stored_bytes);
    if (path != NULL) {
        memcpy(path, image_real_path, directory);
        memcpy(path + directory, stored, stored_bytes);
    }
    return path;
}

static void try_place(const struct cow_io *io, struct place *place, const struct stat *image_facts)
{
    place->file.fd = -1;
    place->status = host_file_open_disk(io, &place->file, place->path, O_RDONLY, &place->err);
    if (place->status == 0 && same_file(&place->file.facts, image_facts)) {
        host_file_close(io, &place->file);
        place->is_image = true;
        place->status = cow_error_set(&place->err, COW_REFUSED,
                                      "%s: the backing file is the COW image itself", place->path);
    }
}

static bool fits(const struct place *place, const struct cow_header *header)
{
    return place->status == 0 && (uint64_t)place->file.facts.st_size == header->size_bytes &&
           place->file.facts.st_mtim.tv_sec == (int64_t)header->mtime;
}

/* Keeps the better of two places in *first: one that fits the header, else one that opens, else the first. */
static void keep_better(const struct cow_io *io, struct place *first, struct place *second,
                        const struct cow_header *header)
{
    bool second_wins =
        (first->status != 0 && second->status == 0) || (!fits(first, header) && fits(second, header));
    struct place *loser = second_wins ? first : second;
    if (loser->status == 0) {
        host_file_close(io, &loser->file);
    }
    free(loser->path);
    if (second_wins) {
        *first = *second;
    }
}

static void describe_backing(struct backing_file *out, struct place *place, bool named)
{
    out->path = place->path;
    out->facts.path = place->path;
    out->facts.named = named;
    out->facts.beside_image = place->beside;
    if (place->status == 0) {
        out->file = place->file;
        out->facts.state = COW_BACKING_FOUND;
        out->facts.size_bytes = (uint64_t)place->file.facts.st_size;
        out->facts.mtime = place->file.facts.st_mtim.tv_sec;
        return;
    }
    bool missing = place->err.sys_errno == ENOENT || place->err.sys_errno == ENOTDIR;
    out->facts.is_image = place->is_image;
    out->facts.state = missing ? COW_BACKING_MISSING : COW_BACKING_UNUSABLE;
    snprintf(out->problem, sizeof out->problem, "%s", place->err.message);
}

int backing_open(struct backing_file *out, const struct cow_io *io, const struct cow_header *header,
                 const char *image_real_path, const struct stat *image_facts, const char *named,
                 struct cow_error *err)
{
    *out = (struct backing_file){.file.fd = -1, .facts = {.state = COW_BACKING_NONE, .path = ""}};
    out->facts.problem = out->problem;
    const char *stored = named != NULL ? named : header->backing_path;
    if (*stored == '\0') {
        return 0;
    }
    struct place place = {.path = strdup(stored)};
    if (place.path == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    try_place(io, &place, image_facts);
    if (named == NULL && stored[0] != '/') {
        struct place other = {.path = beside_image(image_real_path, stored), .beside = true};
        if (other.path == NULL) {
            host_file_close(io, &place.file);
            free(place.path);
            return cow_error_set(err, COW_NO_MEMORY, "out of memory");
        }
        try_place(io, &other, image_facts);
        if (place.status == 0 && other.status == 0 && same_file(&place.file.facts, &other.file.facts)) {
            other.beside = false; /* the image lies in the working directory: one file, one name */
        }
        keep_better(io, &place, &other, header);
    }
    describe_backing(out, &place, named != NULL);
    return 0;
}

int backing_ignore(struct backing_file *out, const struct cow_header *header, struct cow_error *err)
{
    char shown[COW_MESSAGE_BYTES / 2];
    *out = (struct backing_file){.file.fd = -1, .facts = {.state = COW_BACKING_NONE, .path = ""}};
    out->facts.problem = out->problem;
    if (header->backing_path[0] == '\0') {
        return 0;
    }
    out->path = strdup(header->backing_path);
    if (out->path == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    out->facts.state = COW_BACKING_IGNORED;
    out->facts.path = out->path;
    snprintf(out->problem, sizeof out->problem, "%s: is not opened, as asked (--no-backing)",
             cow_escape(shown, sizeof shown, out->path));
    return 0;
}

void backing_break_tie(struct format_disk *disk, struct cow_header *header,
                       const struct format_source *source, const struct cow_backing *backing)
{
    struct format_source with_backing = *source;
    struct format_disk other_disk = *disk;
    struct cow_header other;
    with_backing.backing_bytes = backing->size_bytes;
    if (backing->state == COW_BACKING_FOUND && backing->size_bytes != header->size_bytes &&
        format_driver_of(source)->decode(&other_disk, &other, &with_backing, NULL) == 0 &&
        strcmp(other.backing_path, header->backing_path) == 0) {
        *disk = other_disk;
        *header = other;
    }
}

void backing_close(const struct cow_io *io, struct backing_file *backing)
{
    host_file_close(io, &backing->file);
    free(backing->path);
    backing->path = NULL;
}

bool backing_is_cow(const struct cow_io *io, const struct host_file *file)
{
    uint8_t bytes[COW_HEADER_BYTES_MAX];
    struct cow_header header;
    ssize_t n = io_read(io, file->fd, bytes, sizeof bytes, 0);
    return n > 0 &&
           cow_header_decode(&header, bytes, (size_t)n, (uint64_t)file->facts.st_size, UINT64_MAX, NULL) == 0;
}

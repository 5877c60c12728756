/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See disk_file.h. The copy has no name: programs find it by our descriptor, and nothing is left of it.
 */
#include "front/disk_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cow/writer.h"
#include "front/server.h"
#include "front/tools.h"

enum { PIECE_BYTES = 1024 * 1024, PAGE_BYTES = 4096 };

bool disk_file_is_served(void)
{
    char path[PATH_MAX];
    struct cow_error ignored;

    return front_need_server(&ignored) == 0 && front_need_fuse(&ignored) == 0 &&
           front_find_tool(path, sizeof path, "nbdfuse");
}

/* ---- served ---- */

/* Without file->mount: nothing can be mounted here after all, as in a container that has FUSE and may not use
 * it. */
static int open_served(struct disk_file *file, const struct cow_fs_job *job, struct cow_error *err)
{
    struct cow_error ignored;
    const struct front_server_options serve = {.image_path = job->image_path,
                                               .backing_path = job->backing_path,
                                               .is_writing = true,
                                               .is_held = true,
                                               .held_fd = job->image_fd,
                                               .held_size_bytes = job->disk_bytes,
                                               .part_first_byte = file->first_byte,
                                               .part_bytes = file->n_bytes};
    const struct front_mount_options mount = {.is_writing = true};
    int status = front_server_start(&file->server, &serve, err);

    if (status != 0) {
        return status;
    }
    if (front_mount_disk(&file->mount, file->server, &mount, &ignored) == 0) {
        snprintf(file->path, sizeof file->path, "%s", front_mount_path(file->mount));
        return 0;
    }
    status = front_server_stop(file->server, err);
    file->server = NULL;
    return status;
}

static int close_served(struct disk_file *file, int status, struct cow_error *err)
{
    struct cow_error later = {0};
    int unmounted = front_mount_stop(file->mount, status != 0 ? &later : err);
    int stopped = front_server_stop(file->server, status != 0 || unmounted != 0 ? &later : err);

    return status != 0 ? status : unmounted != 0 ? unmounted : stopped;
}

/* ---- copied ---- */

/* A sparse file without a name, beside the image: there is the room that was counted. */
static int make_nameless(const char *image_path)
{
    char directory[PATH_MAX];
    const char *slash = strrchr(image_path, '/');
    int n = slash != NULL
                ? snprintf(directory, sizeof directory, "%.*s/", (int)(slash - image_path), image_path)
                : snprintf(directory, sizeof directory, "./");

    return n < 0 || (size_t)n >= sizeof directory ? -1
                                                  : open(directory, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
}

static bool is_zero(const unsigned char *bytes, size_t n)
{
    return n == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, n - 1) == 0);
}

static int fill_copy(struct disk_file *file, unsigned char *buffer, struct cow_error *err)
{
    struct cow_extent extent;
    int status = 0;

    for (uint64_t at = 0, piece; at < file->n_bytes && status == 0; at += piece) {
        status = cow_writer_extent(file->writer, file->first_byte + at, &extent, err);
        if (status != 0) {
            break;
        }
        piece = extent.n_bytes < file->n_bytes - at ? extent.n_bytes : file->n_bytes - at;
        if (extent.is_hole) {
            continue;
        }
        piece = piece < PIECE_BYTES ? piece : PIECE_BYTES;
        status = cow_writer_read(file->writer, file->first_byte + at, buffer, (size_t)piece, err);
        if (status == 0 && !is_zero(buffer, (size_t)piece) &&
            pwrite(file->fd, buffer, (size_t)piece, (off_t)at) != (ssize_t)piece) {
            status = cow_error_system(err, errno, "copying the disk");
        }
    }
    return status;
}

/* Pages that are not what the disk has. Holes are compared, too: something may have been there. */
static int write_back(struct disk_file *file, unsigned char *buffer, struct cow_error *err)
{
    unsigned char *now = buffer + PIECE_BYTES;
    int status = 0;

    for (uint64_t at = 0; at < file->n_bytes && status == 0; at += PIECE_BYTES) {
        const size_t piece = (size_t)(file->n_bytes - at < PIECE_BYTES ? file->n_bytes - at : PIECE_BYTES);
        const ssize_t there = pread(file->fd, now, piece, (off_t)at);
        if (there < 0) {
            return cow_error_system(err, errno, "reading the copy of the disk");
        }
        if (there == 0) { /* resize2fs cuts a file to its filesystem: what lies behind that is as it was */
            break;
        }
        status = cow_writer_read(file->writer, file->first_byte + at, buffer, piece, err);
        for (size_t page = 0; page < (size_t)there && status == 0; page += PAGE_BYTES) {
            const size_t n = (size_t)there - page < PAGE_BYTES ? (size_t)there - page : PAGE_BYTES;
            if (memcmp(buffer + page, now + page, n) == 0) {
                continue;
            }
            status = is_zero(now + page, n)
                         ? cow_writer_zero(file->writer, file->first_byte + at + page, n, err)
                         : cow_writer_write(file->writer, file->first_byte + at + page, now + page, n, err);
        }
    }
    return status != 0 ? status : cow_writer_finish(file->writer, NULL, err);
}

static int open_copied(struct disk_file *file, const struct cow_fs_job *job, unsigned char *buffer,
                       struct cow_error *err)
{
    const struct cow_writer_options options = {
        .backing_path = job->backing_path, .held_fd = job->image_fd, .held_size_bytes = job->disk_bytes};
    int status = cow_writer_open(&file->writer, job->image_path, &options, err);

    if (status != 0) {
        return status;
    }
    if (file->n_bytes == 0) {
        file->n_bytes = cow_writer_size_bytes(file->writer);
    }
    file->fd = make_nameless(job->image_path);
    if (file->fd < 0 || ftruncate(file->fd, (off_t)file->n_bytes) != 0) {
        return cow_error_system(err, errno, "making a copy of the disk beside %s", job->image_path);
    }
    snprintf(file->path, sizeof file->path, "/proc/self/fd/%d", file->fd);
    file->fds = &file->fd;
    file->n_fds = 1;
    return fill_copy(file, buffer, err);
}

static int with_buffer(struct disk_file *file, const struct cow_fs_job *job, struct cow_error *err)
{
    unsigned char *buffer = malloc(2 * PIECE_BYTES);
    int status;

    if (buffer == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    status = job != NULL ? open_copied(file, job, buffer, err) : write_back(file, buffer, err);
    free(buffer);
    return status;
}

/* ---- either ---- */

int disk_file_open(struct disk_file *out, const struct cow_fs_job *job, uint64_t first_byte, uint64_t n_bytes,
                   struct cow_error *err)
{
    int status = 0;

    *out = (struct disk_file){.fd = -1, .first_byte = first_byte, .n_bytes = n_bytes};
    if (disk_file_is_served()) {
        status = open_served(out, job, err);
    }
    if (status == 0 && out->mount == NULL) {
        status = with_buffer(out, job, err);
    }
    return status != 0 ? disk_file_close(out, status, err) : 0;
}

int disk_file_close(struct disk_file *file, int status, struct cow_error *err)
{
    if (file->writer == NULL) {
        return close_served(file, status, err);
    }
    if (status == 0) {
        status = with_buffer(file, NULL, err);
    }
    cow_writer_close(file->writer);
    if (file->fd >= 0) {
        close(file->fd);
    }
    return status;
}

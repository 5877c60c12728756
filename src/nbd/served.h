/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A disk that is served: an image that is only looked at, or one that a writer has. Both watch the files by
 * their names: where another file has come in the place of the image or of its backing file, what is asked
 * for is no longer what was promised to the clients, and each request is answered with an error. One thread
 * at a time.
 */
#ifndef NBD_SERVED_H
#define NBD_SERVED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cow/error.h"
#include "cow/writer.h"

struct served;

struct served_options {
    const char *image_path;   /* absolute */
    const char *backing_path; /* instead of the stored one; or NULL */
    bool is_writing;
    int held_fd;              /* see cow/writer.h: -1, or only with is_writing; its files are not watched */
    uint64_t held_size_bytes; /* likewise */
};

/* Opens the disk. *out is the caller's: served_close. Errors: those of cow_image_open and cow_writer_open;
 * COW_IO where the backing file is not there; COW_INVALID and COW_LOCKED where a change of the image is not
 * at its end. */
int served_open(struct served **out, const struct served_options *options, struct cow_error *err);
void served_close(struct served *disk); /* NULL is allowed; nothing is written */

/* Of the disk, and whether it is a writer's: as it was opened. */
uint64_t served_size_bytes(const struct served *disk);
bool served_is_writing(const struct served *disk);
/* Whether two that are only looked at are one file on one backing file, of one size. */
bool served_is_same(const struct served *a, const struct served *b);

/* As those of cow/writer.h. Errors besides: COW_IO where a file was replaced, cut or taken away. An image
 * that is only looked at is read anew when its files have changed; the last four are never called for it. */
int served_read(struct served *disk, uint64_t offset, void *buffer, size_t n_bytes, struct cow_error *err);
/* served_look comes before the first extent of a request: the files are as they were, or are read anew. */
int served_look(struct served *disk, struct cow_error *err);
int served_extent(struct served *disk, uint64_t offset, struct cow_extent *out, struct cow_error *err);
/* For a writer only, each of them. */
int served_write(struct served *disk, uint64_t offset, const void *data, size_t n_bytes,
                 struct cow_error *err);
int served_zero(struct served *disk, uint64_t offset, uint64_t n_bytes, struct cow_error *err);
int served_trim(struct served *disk, uint64_t offset, uint64_t n_bytes, struct cow_error *err);
/* What was written before is on the disk. With `ends` the pages that writing left mixed are completed, too.
 */
int served_flush(struct served *disk, bool ends, struct cow_error *err);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The backing file of a header: where it is looked for, and what was found.
 */
#ifndef CORE_IMAGE_BACKING_H
#define CORE_IMAGE_BACKING_H

#include "core/format/driver.h"
#include "core/image/host_file.h"
#include "cow/image.h"

struct backing_file {
    struct host_file file;
    struct cow_backing facts; /* what front ends see; its strings are the members below */
    char *path;
    char problem[COW_MESSAGE_BYTES];
};

/* Finds and opens the backing file of a header; never fails but for COW_NO_MEMORY, facts.state tells the
 * rest. */
int backing_open(struct backing_file *out, const struct cow_io *io, const struct cow_header *header,
                 const char *image_real_path, const struct stat *image_facts, const char *named,
                 struct cow_error *err);
/* The same where none is to be looked for. */
int backing_ignore(struct backing_file *out, const struct cow_header *header, struct cow_error *err);
/* Two variants of a header can be equally plausible, and the size of the backing file breaks the tie: decodes
 * once more where that size is another one. disk and header, decoded from source, stay as they were where
 * that makes no header of the same path. */
void backing_break_tie(struct format_disk *disk, struct cow_header *header,
                       const struct format_source *source, const struct cow_backing *backing);
/* Closes the file, if it is open, and frees its strings. */
void backing_close(const struct cow_io *io, struct backing_file *backing);

/* Whether an open file is a COW itself, in any variant: a kernel shows it as raw bytes all the same. */
bool backing_is_cow(const struct cow_io *io, const struct host_file *file);

#endif

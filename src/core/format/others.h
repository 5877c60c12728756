/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a file is that is no COW image: a raw disk, an image of another program, something compressed. By a
 * few bytes at known places: that is enough to say it by name, and what to do with it.
 */
#ifndef CORE_FORMAT_OTHERS_H
#define CORE_FORMAT_OTHERS_H

#include "core/format/driver.h"

enum format_other_kind {
    FORMAT_OTHER_UNKNOWN,
    FORMAT_OTHER_RAW,    /* a raw disk: it has a partition table, a filesystem... */
    FORMAT_OTHER_IMAGE,  /* a disk in another program's format */
    FORMAT_OTHER_LOG,    /* what "cowtui record" keeps, and no disk */
    FORMAT_OTHER_PACKED, /* compressed: what is in it nobody knows before */
};

enum { FORMAT_OTHER_TITLE_BYTES = 96 };

struct format_other {
    enum format_other_kind kind;
    const char *name;                     /* "raw", "qcow2", "gzip"; NULL: not known */
    char title[FORMAT_OTHER_TITLE_BYTES]; /* "a raw disk with an ext4 filesystem"; "" */
    uint64_t size_bytes;                  /* of its disk; 0: it is not told */
};

/* Looks at an open file of file_bytes that is no COW image: its first bytes, and a few others. 0 or -errno.
 */
int format_other_look(struct format_other *out, const struct format_file *file, uint64_t file_bytes);

/* Fills err with what it is and what to do: COW_NOT_COW. A file of which nothing is known, or that cannot be
 * read, is left to others: 0. */
int format_other_refuse(const struct format_file *file, uint64_t file_bytes, const char *path,
                        struct cow_error *err);

#endif

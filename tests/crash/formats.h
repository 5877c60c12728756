/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * COW images as these tests know them: offsets and geometry written down a second time from
 * share/doc/format.md, so that a mistake in the product's tables cannot hide itself. Nothing here calls the
 * library.
 */
#ifndef CRASH_FORMATS_H
#define CRASH_FORMATS_H

#include "tree.h"

enum form_name {
    FORM_V1,
    FORM_V1_64,
    FORM_V1_BE,
    FORM_V1_BE_64,
    FORM_V2,
    FORM_V2_64,
    FORM_V2_LONG,
    FORM_V3,
    FORM_V3_64,
    FORM_QEMU,
    FORM_QEMU_I386,
    FORMS
};

struct form {
    const char *name;
    const char *magic; /* version included */
    unsigned magic_bytes;
    bool big_endian;
    unsigned path, path_bytes;
    unsigned mtime, size, sector, alignment; /* offsets; mtime: of its low half; alignment 0: none */
    unsigned header_bytes;
    char rule; /* of the geometry: 't' truncates, 'a' aligns, 'q' QEMU */
};

extern const struct form forms[FORMS];

struct shape {
    uint64_t sectors;
    uint64_t mapped; /* that have a bit */
    uint64_t bitmap_offset, bitmap_bytes;
    uint64_t data_offset, end_offset;
};

struct shape form_shape(enum form_name form, uint64_t size_bytes, uint32_t sector_bytes, uint32_t alignment);

void put_number(uint8_t *bytes, unsigned width, bool big_endian, uint64_t value);
uint64_t get_number(const uint8_t *bytes, unsigned width, bool big_endian);

/* A header as it lies in a file. */
struct view {
    enum form_name form;
    bool marked; /* unfinished: no size, no shape */
    uint64_t size_bytes;
    uint32_t sector_bytes, alignment, mtime;
    char path[4097];
    struct shape shape;
};

/* False: no header of this form, or one with impossible fields. */
bool view_as(struct view *out, const struct inode *file, enum form_name form);
/* As a stock kernel takes it; false: it takes the file for a raw disk, or refuses the header. */
bool view_as_kernel(struct view *out, const struct inode *file);
/* Whether that kernel opens the image: its header, and the size and date of the backing file. */
bool kernel_opens(struct view *out, const struct tree *tree, const struct inode *file);

/* Whether what a guest sees in a file is this disk (an inode of that size). backing may be NULL. */
bool view_shows(const struct view *view, const struct inode *file, const struct inode *backing,
                const struct inode *disk);
/* That disk, the caller's (inode_forget), of a file that is not marked. */
struct inode view_compose(const struct view *view, const struct inode *file, const struct inode *backing);

#endif

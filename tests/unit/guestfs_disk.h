/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Small ext filesystems made by libext2fs itself, in files of their own; and disks that hold one, before and
 * after a change, as an image and a backing file that the tests write.
 */
#ifndef TESTS_UNIT_GUESTFS_DISK_H
#define TESTS_UNIT_GUESTFS_DISK_H

#include <ext2fs/ext2fs.h>

#include "support.h"

/* A code of libext2fs that has to be 0. */
#define must_ext(code)                                                                                       \
    do {                                                                                                     \
        const errcode_t code_ = (code);                                                                      \
        must(code_ == 0, "%s: %ld: %s", #code, code_, error_message(code_));                                 \
    } while (0)

/* ---- a filesystem ---- */

struct ext_spec {
    uint32_t block_bytes;
    uint32_t blocks;
    uint32_t blocks_per_group;
    uint32_t inodes;
    bool extents; /* ext4; else ext2 */
};

/* Makes one in a new file, with a root, "lost+found" and nothing else; open to be changed. */
ext2_filsys ext_make(const char *path, const struct ext_spec *spec);
/* Opens it to be changed, at a later date. */
ext2_filsys ext_open(const char *path);
void ext_close(ext2_filsys fs);

/* A file without content. mode: with its type. */
ext2_ino_t ext_add(ext2_filsys fs, ext2_ino_t directory, const char *name, uint16_t mode,
                   uint32_t generation);
ext2_ino_t ext_add_directory(ext2_filsys fs, ext2_ino_t directory, const char *name);
void ext_write(ext2_filsys fs, ext2_ino_t inode, uint64_t offset, const void *bytes, size_t n_bytes);
void ext_set_size(ext2_filsys fs, ext2_ino_t inode, uint64_t size_bytes);
/* Blocks that read as zeros, with something else in them. Of an ext2: nothing. */
void ext_add_unwritten(ext2_filsys fs, ext2_ino_t inode, uint64_t block, uint64_t blocks);
void ext_link(ext2_filsys fs, ext2_ino_t directory, const char *name, ext2_ino_t inode);
void ext_unlink(ext2_filsys fs, ext2_ino_t directory, const char *name);
/* With its last name: what it has is free. */
void ext_remove(ext2_filsys fs, ext2_ino_t directory, const char *name);
ext2_ino_t ext_find(ext2_filsys fs, const char *path); /* 0: none */

/* ---- files whose content is known ---- */

struct known {
    char path[32];
    ext2_ino_t inode;
    uint64_t size_bytes;
    uint8_t *content;   /* [size_bytes] */
    uint8_t *written;   /* by blocks: 0 is a hole, or unwritten */
    uint64_t blocks;    /* that the size takes */
    uint32_t fragments; /* about so many extents */
};

enum { KNOWN_MAX = 10 };

/* Holes at the beginning, in between, at the end; unwritten extents, also behind the end; one of so many
 * fragments that its tree has nodes, or its blocks are mapped by indirect ones. All in "/". */
size_t known_make(struct known known[KNOWN_MAX], ext2_filsys fs);
void known_free(struct known *known, size_t n);

/* ---- a disk ---- */

struct disk {
    enum cow_format format;
    uint32_t sector_bytes;
    uint64_t size_bytes;
    uint8_t *before, *after; /* what the backing file has; what the guest sees */
    uint8_t *dirty;          /* by sectors; those that differ are set by disk_write */
    struct geometry geometry;
    uint64_t dirty_sectors;
    char *cow_path, *backing_path;
    struct witness backing;
};

/* Both sides zeros. */
struct disk *disk_new(enum cow_format format, uint32_t sector_bytes, uint64_t size_bytes);
/* Puts a file's bytes there. NULL: nothing. */
void disk_put(struct disk *disk, uint64_t offset, const char *before_path, const char *after_path);
/* An entry of an MBR on both sides; index from 0. */
void disk_put_partition(struct disk *disk, unsigned index, uint8_t type, uint64_t first_byte,
                        uint64_t size_bytes);
/* Sectors that are in the COW, whether they differ or not. */
void disk_make_dirty(struct disk *disk, uint64_t offset, uint64_t n_bytes);
/* Writes image and backing file; may be called again after changes. */
void disk_write(struct disk *disk);
void disk_free(struct disk *disk);

#endif

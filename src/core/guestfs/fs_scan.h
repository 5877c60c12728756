/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A scan of the filesystems, as its files share it. In the order of the work: inodes.c compares the inodes of
 * both sides; inode_walk.c finds the blocks of the guest's; account.c gives each byte in the COW to an owner;
 * names.c reads directories; changes.c makes the list of changed files of all that.
 */
#ifndef CORE_GUESTFS_FS_SCAN_H
#define CORE_GUESTFS_FS_SCAN_H

#include "core/guestfs/guestfs.h"
#include "core/guestfs/nodes.h"
#include "core/guestfs/owners.h"

struct volume_scan {
    struct cow_fs_scan *scan;
    int index;
    ext2_filsys fs, base; /* borrowed; fs NULL: not readable; base NULL: nothing to compare with */
    struct owners groups; /* what describes the groups */
    struct owners owners; /* blocks of inodes */
    bool complete;        /* ... of all inodes; else only what is in the COW */
    bool all_names;       /* every inode is a node */
    struct nodes nodes;
    uint64_t clean_first; /* sectors of the disk that are known not to be in the COW: from here ... */
    uint64_t clean_end;   /* ... to before this one */
    uint64_t budget;      /* extents and directory entries that may still be looked at */
};

struct cow_fs_scan {
    struct cow_fs *fs;
    struct cow_image *img;
    const struct cow_env *env;
    uint64_t keep_offset; /* UINT64_MAX: none */
    bool look_around, owners_only;
    size_t n_volumes;
    struct volume_scan *volume;
    uint64_t class_bytes[COW_VOLUMES_MAX + 1][COW_FS_CLASSES]; /* the last one: outside of all volumes */
    struct cow_fs_file *file;
    size_t n_files, file_room;
    char **kept; /* the strings of the files */
    size_t n_kept, kept_room;
    char *path; /* the last one that was looked up for an owner */
    uint64_t done_bytes, total_bytes;
    char damage[COW_MESSAGE_BYTES];
};

/* Tells of progress; COW_CANCELLED. */
int scan_tell(struct cow_fs_scan *scan, const char *phase, uint64_t bytes, struct cow_error *err);

/* Remembers what could not be read, if it is the first such thing; answers 0, or COW_NO_MEMORY or COW_IO,
 * which end the scan. */
int scan_damage(struct volume_scan *v, errcode_t code, uint32_t inode, struct cow_error *err);

/* How many inodes of a group can be in use, by its descriptor. */
uint32_t scan_inodes_of_group(ext2_filsys fs, dgrp_t group);

/* Bytes of the volume that are in the COW. */
int scan_dirty_bytes(struct volume_scan *v, uint64_t first_block, uint64_t count, uint64_t *bytes,
                     struct cow_error *err);

/* One that no directory names. */
bool inode_is_reserved(ext2_filsys fs, uint32_t inode);
/* As its table says: it has a mode, and a link. */
bool inode_in_use(ext2_filsys fs, uint32_t inode, const struct ext2_inode_large *content);
enum cow_fs_type inode_type(uint16_t mode); /* of i_mode */
/* An inode out of its table. */
void inode_decode(struct ext2_inode_large *out, ext2_filsys fs, const uint8_t *bytes);

/* Fills in what both sides have under that number, if that was not done yet. */
int inodes_look(struct volume_scan *v, struct node *node, struct cow_error *err);
/* Finds the inodes that differ. */
int inodes_compare(struct volume_scan *v, struct cow_error *err);
/* Finds the owner of each block. */
int inodes_walk(struct volume_scan *v, struct cow_error *err);

/* Gives each byte in the COW to an owner. */
int scan_account(struct cow_fs_scan *scan, struct cow_error *err);

/* Names for the nodes, before and after; and which of them have other names than before. */
int names_read(struct volume_scan *v, struct cow_error *err);
/* The path of a name, allocated; NULL: out of memory. before: on the backing file's side. */
char *names_path(const struct volume_scan *v, uint32_t directory, const char *name, bool before);
/* Looks for a name of an inode that is no node, in all directories. *out is allocated, NULL if there is none.
 */
int names_search(struct volume_scan *v, uint32_t inode, char **out, struct cow_error *err);

/* The list of changed files. */
int changes_list(struct volume_scan *v, struct cow_error *err);

#endif

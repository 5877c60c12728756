/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The guest's filesystem, read through the composed disk: nothing is merged, mounted or written. Which
 * volumes (partitions) there are and what they hold; who owns a byte of the disk; which files the guest has
 * changed; and the content of a file as the guest, or the backing file, has it. ext2, ext3 and ext4 are read
 * (libext2fs); what else there is, is named (libblkid).
 */
#ifndef COW_FS_H
#define COW_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cow/env.h"
#include "cow/image.h"

struct cow_fs;

/* ---- volumes ---- */

/* Whose version of the disk, or of something on it: what the guest sees; what lies below the COW, as if
 * nothing were dirty. */
enum cow_version { COW_VERSION_GUEST, COW_VERSION_BASE };

enum { COW_VOLUME_TEXT_BYTES = 64, COW_VOLUMES_MAX = 128, COW_NO_VOLUME = -1 };

struct cow_volume {
    unsigned partition; /* its number in the partition table; 0: the whole disk, there is no table */
    uint64_t first_byte;
    uint64_t size_bytes;
    char type[COW_VOLUME_TEXT_BYTES];  /* as libblkid names it: "ext4", "xfs", "swap", "LVM2_member"; ""
                                          unknown */
    char label[COW_VOLUME_TEXT_BYTES]; /* escaped; "" none */
    char uuid[COW_VOLUME_TEXT_BYTES];  /* escaped; "" none */
    bool several;                      /* libblkid finds signs of more than one content, and names none */
    bool at_end;                       /* what it is found by lies at the end: a RAID superblock */
    uint64_t listed_bytes;             /* its length as the table has it, also behind the disk's end */
    uint64_t fs_bytes;                 /* how large it says that it is, whatever it is; 0: it does not say */
    bool readable;                     /* an ext filesystem that can be read; the rest is 0 if not */
    char problem[COW_MESSAGE_BYTES];   /* why an ext filesystem cannot be read; "" */
    uint32_t block_bytes;
    uint64_t used_bytes;    /* of its blocks */
    uint64_t minimum_bytes; /* to which resize2fs -M could shrink it, as resize2fs -P estimates */
    uint64_t inodes, used_inodes;
    bool clean;          /* unmounted, without errors */
    bool needs_recovery; /* its journal has to be replayed; it is read as it stands */
    bool has_errors;     /* a kernel found errors */
    bool compared;       /* the backing file has the same filesystem, so that changes can be told */
};

/* Finds the volumes of the composed disk and opens their filesystems, and the backing file's. The image is
 * borrowed. *out is the caller's (cow_fs_close). A disk without any filesystem is no error. Errors: COW_IO
 * (the backing file is not there), COW_INVALID (an unfinished image), COW_NO_MEMORY. */
int cow_fs_open(struct cow_fs **out, struct cow_image *img, struct cow_error *err);
void cow_fs_close(struct cow_fs *fs); /* NULL is allowed; after what was made from it */

/* In the order of their places on the disk. */
const struct cow_volume *cow_fs_volumes(const struct cow_fs *fs, size_t *n_volumes);
/* "dos", "gpt", or "" without a partition table. */
const char *cow_fs_table(const struct cow_fs *fs);
/* Whether there are signs of more than one use of the same place: a partition table and an ext superblock of
 * the whole disk, or an ext superblock to which libblkid does not put its name. One of them is a leftover,
 * and what is shown is the likely one. Nothing is to be dropped on such a ground. */
bool cow_fs_ambiguous(const struct cow_fs *fs);

/* What lies on the whole disk: without a partition table its only volume, else what is there besides the
 * table, as the superblock of a RAID of whole disks, which lies at their end. */
const struct cow_volume *cow_fs_whole(const struct cow_fs *fs);
/* Where the last of all that the partition table lists ends, containers of logical partitions too, and what
 * lies behind the disk's end. 0: no table, or an empty one. */
uint64_t cow_fs_table_end(const struct cow_fs *fs);

/* The number of the partition that the logical ones of an MBR lie in; 0: there is none. */
unsigned cow_fs_container(const struct cow_fs *fs);

/* A GPT has a header at the beginning and a backup of it at the end. */
struct cow_gpt {
    bool present;         /* one of them is valid */
    bool primary, backup; /* which of its two headers are there */
    bool backup_at_end;   /* where the backup is said to be is the end of this disk */
    uint64_t backup_byte; /* there it is said to be */
    uint64_t
        usable_end; /* up to here partitions may lie; behind the disk's end a kernel takes no GPT at all */
};

/* The GPT as it was when the volumes were looked for, by the UEFI specification, 5.3; a header counts where
 * its checksum is right and it says where it lies. All zero where there is none. It is the fs's. */
const struct cow_gpt *cow_fs_gpt(const struct cow_fs *fs);

/* What the backing file has in the place of a volume: type, label, UUID, several and fs_bytes are filled.
 * Errors: COW_IO, COW_NO_MEMORY. */
int cow_fs_below(struct cow_fs *fs, size_t volume, struct cow_volume *out, struct cow_error *err);

/* The first volume in whose place the backing file has another filesystem: both have a UUID, and they differ.
 * *volume is the number of volumes if there is none; *below is what the backing file has there. Errors:
 * COW_IO, COW_NO_MEMORY. */
int cow_fs_find_other(struct cow_fs *fs, size_t *volume, struct cow_volume *below, struct cow_error *err);

/* Whether both have a UUID, and another one. */
bool cow_volume_is_other(const struct cow_volume *guest, const struct cow_volume *other);

/* What to do in the guest when its disk has become larger, the rest of a sentence about booting it: ", then
 * in it: resize2fs /dev/ubda (the device of this disk)", "; swap stays as large as it is". fs: as it was
 * before; NULL: not known. Returns out. */
const char *cow_fs_after_growing(char *out, size_t out_bytes, const struct cow_fs *fs);

/* What makes a volume's content smaller, to so many bytes: "btrfs filesystem resize 204800K MOUNTPOINT"; ""
 * if nothing is known to. Returns out. */
const char *cow_volume_shrink_text(char *out, size_t out_bytes, const struct cow_volume *volume,
                                   uint64_t size_bytes);

/* ---- who owns what ---- */

/* id, JSON name, does it belong to a file?, meaning */
#define COW_FS_CLASS_LIST(X)                                                                                 \
    X(FILE, "file", true, "content of files")                                                                \
    X(DIRECTORY, "directory", true, "directories")                                                           \
    X(SYMLINK, "symlink", true, "targets of symbolic links")                                                 \
    X(MAPPING, "mapping", true, "extent trees and indirect blocks")                                          \
    X(XATTR, "xattr", true, "extended attributes")                                                           \
    X(SUPERBLOCK, "superblock", false, "superblocks")                                                        \
    X(DESCRIPTORS, "group-descriptors", false, "group descriptors")                                          \
    X(BLOCK_BITMAP, "block-bitmap", false, "block bitmaps")                                                  \
    X(INODE_BITMAP, "inode-bitmap", false, "inode bitmaps")                                                  \
    X(INODE_TABLE, "inode-table", false, "inode tables")                                                     \
    X(JOURNAL, "journal", false, "the journal")                                                              \
    X(RESIZE_INODE, "resize-inode", false, "room for more group descriptors")                                \
    X(RESERVED, "reserved", false, "other reserved inodes: bad blocks, quota, orphan file")                  \
    X(FREE, "free", false, "free: the guest has deleted what was there")                                     \
    X(UNOWNED, "unowned", false,                                                                             \
      "in use, but of no file: deleted while open, a journal to be replayed, the rest of a cluster")         \
    X(BOOT, "boot", false, "boot sectors")                                                                   \
    X(TABLE, "partition-table", false, "partition tables")                                                   \
    X(OUTSIDE, "outside", false, "outside of partitions and filesystems")                                    \
    X(OTHER, "other", false, "in something that is no ext filesystem")

enum cow_fs_class {
#define COW_FS_CLASS_ENUM(id, name, of_file, text) COW_FS_##id,
    COW_FS_CLASS_LIST(COW_FS_CLASS_ENUM)
#undef COW_FS_CLASS_ENUM
        COW_FS_CLASSES
};

/* The columns of the table: the JSON name ("inode-table"), the meaning in words ("inode tables"), and whether
 * what is in it belongs to a file. For each class but COW_FS_CLASSES; the texts are static. */
const char *cow_fs_class_name(enum cow_fs_class fs_class);
const char *cow_fs_class_text(enum cow_fs_class fs_class);
bool cow_fs_class_of_file(enum cow_fs_class fs_class);

/* A scan of all filesystems: an index of owners, and the changed files. */
struct cow_fs_scan;

struct cow_fs_scan_options {
    bool look_around; /* know the owners of what is not in the COW, too, and the names of all files */
    bool keep;        /* the owner of one byte of the disk is kept in any case: */
    uint64_t keep_offset;
    bool owners_only; /* no changed files: what the backing file has does not matter, so it is faster */
    const struct cow_env *env; /* progress, and a stop (COW_CANCELLED); may be NULL */
};

/* Reads the inode tables and directories. fs is borrowed; opt may be NULL. *out is the caller's
 * (cow_fs_scan_free). Memory follows the number of changed files, directories, and extents in the COW; when
 * looking around, there is a bound of some 40 MiB, beyond which only what is in the COW is known. Errors:
 * COW_IO, COW_NO_MEMORY, COW_CANCELLED. What is broken in a filesystem is no error: it is left out, and told
 * by cow_fs_scan_damage. */
int cow_fs_scan(struct cow_fs_scan **out, struct cow_fs *fs, const struct cow_fs_scan_options *opt,
                struct cow_error *err);
void cow_fs_scan_free(struct cow_fs_scan *scan); /* NULL is allowed */

/* The first thing that could not be read, a sentence; "" if nothing was broken. It is told behind these
 * words. */
#define COW_FS_DAMAGED "the filesystem is damaged: "
const char *cow_fs_scan_damage(const struct cow_fs_scan *scan);

struct cow_fs_owner {
    enum cow_fs_class fs_class;
    int volume;          /* index, COW_NO_VOLUME outside of all */
    uint64_t first_byte; /* of the disk: from here ... */
    uint64_t
        length_bytes; /* from there on that are the same owner's, in one piece; 0: past the end of the disk */
    bool known;       /* false: the index does not hold it (only where nothing is in the COW) */
    bool dirty;       /* the sector that was asked for is in the COW */
    uint64_t inode;   /* 0: none */
    bool has_file_offset; /* file_offset holds: where in the file first_byte is */
    uint64_t file_offset;
    const char *path; /* raw bytes, the scan's; NULL: none */
};

/* Who owns the byte at that place of the disk. Errors: COW_NO_MEMORY, COW_IO. */
int cow_fs_owner_at(struct cow_fs_scan *scan, uint64_t offset_bytes, struct cow_fs_owner *out,
                    struct cow_error *err);

/* The same without a path, fast: for colouring a map. */
int cow_fs_class_at(struct cow_fs_scan *scan, uint64_t offset_bytes, struct cow_fs_owner *out,
                    struct cow_error *err);

/* The next piece in the COW at or after that place: as far as it has one owner. Its length_bytes is 0 if
 * there is none. */
int cow_fs_owner_next(struct cow_fs_scan *scan, uint64_t offset_bytes, struct cow_fs_owner *out,
                      struct cow_error *err);

/* Whether some filesystem has blocks of less than 4 KiB, so that a guest reads pages of files across the
 * borders of the disk's. Partitions whose blocks are not aligned on the disk do not count: there nearly all
 * would hang together. */
bool cow_fs_reads_across(const struct cow_fs *fs);

/* Whether a guest that reads a file by pages reads what lies just before that place of the disk, the
 * beginning of a page of it, and what lies there in one piece. For a scan that looks around; false where
 * nothing is known. */
bool cow_fs_read_at_once(const struct cow_fs_scan *scan, uint64_t offset_bytes);

/* Bytes in the COW by class, of one volume or (COW_NO_VOLUME) of the whole disk. Their sum is all that is in
 * the COW, whole sectors. */
void cow_fs_classes(const struct cow_fs_scan *scan, int volume, uint64_t bytes[COW_FS_CLASSES]);

/* ---- changed files ---- */

#define COW_FS_KIND_LIST(X)                                                                                  \
    X(NEW, "new", "was not there")                                                                           \
    X(CONTENT, "content", "has other content")                                                               \
    X(METADATA, "metadata", "has another owner, mode, date or attribute; the content is the same")           \
    X(REMOVED, "removed", "is gone")                                                                         \
    X(RENAMED, "renamed", "had another name")                                                                \
    X(REPLACED, "replaced", "is another file under an old name")                                             \
    X(SAME, "same", "is partly in the COW, but does not differ")

enum cow_fs_kind {
#define COW_FS_KIND_ENUM(id, name, text) COW_FS_KIND_##id,
    COW_FS_KIND_LIST(COW_FS_KIND_ENUM)
#undef COW_FS_KIND_ENUM
        COW_FS_KINDS
};

/* The JSON name ("metadata"), and what is said of such a file ("is gone"). For each kind but COW_FS_KINDS;
 * the texts are static. */
const char *cow_fs_kind_name(enum cow_fs_kind kind);
const char *cow_fs_kind_text(enum cow_fs_kind kind);

enum cow_fs_type { COW_FS_REGULAR, COW_FS_DIRECTORY_FILE, COW_FS_SYMBOLIC_LINK, COW_FS_SPECIAL };

const char *cow_fs_type_name(enum cow_fs_type type); /* "file", "directory", "symlink", "special" */

struct cow_fs_file {
    const char *path; /* raw bytes as in the guest, "/etc/motd"; "<123>" for an inode without a name */
    const char *from; /* renamed, or moved over another one (replaced): its old path; else NULL */
    enum cow_fs_kind kind;
    bool content_differs; /* renamed: the content, too */
    enum cow_fs_type type;
    int volume;
    uint64_t inode;         /* of a removed one: what it was */
    uint64_t size_bytes;    /* of a removed one: what it was */
    uint64_t changed_bytes; /* in the COW, of its content and what belongs to it (classes "of a file") */
};

/* All of them, by path. The sum of changed_bytes is that of the classes that belong to files. */
const struct cow_fs_file *cow_fs_files(const struct cow_fs_scan *scan, size_t *n_files);

/* The pieces of a file that are in the COW: the next one at or after `offset_bytes` of the disk; out->
 * length_bytes is 0 if there is none. For removed files there are none. */
int cow_fs_file_next(struct cow_fs_scan *scan, const struct cow_fs_file *file, uint64_t offset_bytes,
                     struct cow_fs_owner *out, struct cow_error *err);

/* ---- content ---- */

/* An open file of the guest. */
struct cow_fs_reader;

/* Opens a file of the guest, in one of its versions. path: raw bytes, from the root of the filesystem;
 * symbolic links are followed within the filesystem. *out is the caller's (cow_fs_reader_close), and
 * unchanged on failure. Errors: COW_USAGE (no such file, a directory, no regular file, no such volume),
 * COW_IO, COW_INVALID (a broken file), COW_NO_MEMORY. */
int cow_fs_reader_open(struct cow_fs_reader **out, struct cow_fs *fs, int volume, enum cow_version version,
                       const char *path, struct cow_error *err);
void cow_fs_reader_close(struct cow_fs_reader *reader); /* NULL is allowed; before the fs */
/* The file's length in bytes, as it was when it was opened. */
uint64_t cow_fs_reader_size(const struct cow_fs_reader *reader);
/* Reads at offset; *n_read is less than n_bytes at the end of the file only. */
int cow_fs_reader_read(struct cow_fs_reader *reader, uint64_t offset, void *buffer, size_t n_bytes,
                       size_t *n_read, struct cow_error *err);

/* Compares a file's two versions. *first_difference is the first byte that differs, or the shorter one's
 * length; *equal if there is none. */
int cow_fs_compare(struct cow_fs_reader *a, struct cow_fs_reader *b, bool *equal, uint64_t *first_difference,
                   struct cow_error *err);

/* The same from a place on: *at is the first byte at or behind `offset` that differs, or the shorter one's
 * length where there is none before that. Holes on both sides, and what both read at the same clean place,
 * cost nothing. env: progress in between, and a stop (COW_CANCELLED); may be NULL. */
int cow_fs_next_difference(struct cow_fs_reader *a, struct cow_fs_reader *b, uint64_t offset,
                           const struct cow_env *env, uint64_t *at, struct cow_error *err);

/* The volume for a path when the user names none: the only readable one. COW_USAGE if there is none, or
 * several. partition: its number in the table, or -1: none was named. */
int cow_fs_choose_volume(const struct cow_fs *fs, int partition, int *volume, struct cow_error *err);

/* One fact, one text. Of a disk without a volume: */
#define COW_FS_EMPTY_TABLE "the partition table is empty"
/* Before what a disk holds, if no ext filesystem among it can be read: */
#define COW_FS_UNREADABLE "nothing that can be read: "
/* What a volume holds ("ext4", "ext filesystem", "signs of several things", "nothing known"), */
const char *cow_volume_what(const struct cow_volume *volume);
/* why all of it is taken for new, or "", */
const char *cow_volume_new_text(const struct cow_volume *volume);
/* that a filesystem (what: "the ext4") is larger than its partition, or than the disk (0), */
const char *cow_fs_larger_text(char *out, size_t out_bytes, const char *what, unsigned partition,
                               uint64_t fs_bytes, uint64_t size_bytes);
/* and that a file ("the backing file") has another one than the guest. These two return out. */
const char *cow_volume_other_text(char *out, size_t out_bytes, const struct cow_volume *guest,
                                  const char *file, const struct cow_volume *other);

/* A volume in words: "ext4, 64.0 MiB, 12.3 MiB used, clean", "xfs", "partition 2: swap". Returns out. */
const char *cow_volume_text(char *out, size_t out_bytes, const struct cow_volume *volume);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the suites of the guest's filesystem share: the disks that they loop over, one whose
 * files were changed, open ones, and who owns what of them.
 */
#ifndef TESTS_UNIT_GUESTFS_VIEW_H
#define TESTS_UNIT_GUESTFS_VIEW_H

#include "cow/fs.h"
#include "guestfs_disk.h"

/* A disk with a filesystem. */
struct disk_variant {
    struct ext_spec ext;
    enum cow_format format;
    uint32_t sector_bytes;
    uint64_t lead_bytes; /* before the filesystem; not 0: an MBR, and one partition */
    uint64_t tail_bytes; /* behind it */
};

enum { DISK_VARIANTS = 6 };

/* What each loop runs over. */
extern const struct disk_variant disk_variants[DISK_VARIANTS];

uint64_t ext_bytes(const struct disk_variant *v);
/* A disk with a filesystem, before and after. */
struct disk *make_disk(const struct disk_variant *v, const char *before, const char *after);

/* An open disk. */
struct view {
    struct cow_image *img;
    struct cow_fs *fs;
    struct cow_fs_scan *scan;
    const struct cow_volume *volumes;
    size_t n_volumes;
};

struct view view_open(const struct disk *disk, bool look_around);
void view_close(struct view *view);

/* ---- kinds ---- */

/* Paths of a disk that was changed, before or after. */
enum { CHANGED_PATHS = 16 };

/* The disk that most of what follows looks at. `known` are files that stay as they are, but "/empty". */
struct changed_disk {
    struct disk *disk;
    struct known known[KNOWN_MAX];
    size_t n_known;
    char *before, *after;
    uint64_t same_at; /* a block of "/same", in the COW */
};

struct changed_disk make_changed_disk(const struct disk_variant *v);
void free_changed_disk(struct changed_disk *scene);
const struct cow_fs_file *find_file(const struct view *view, const char *path);

/* ---- who owns what ---- */

struct cow_fs_owner owner_at(const struct view *view, uint64_t at);
/* The pieces lie side by side from the beginning to the end; a place within one has the same owner. */
void check_tiles(const struct view *view, const struct disk *disk);
void check_class(const struct view *view, uint64_t at, enum cow_fs_class wanted);

#endif

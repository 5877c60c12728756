/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See kinds.h. Offsets are named with their source: kernel headers where there are some, else the tool's.
 *
 * libblkid knows some eighty kinds, and the order in which signatures count; no table of ours would keep up
 * with it. What it does not tell (before 2.39 of no kind, since then of some) is how large a filesystem says
 * that it is, and shrinking a disk needs just that. What has no row here, or no size in its superblock (LUKS,
 * ZFS), counts as taking all of its place.
 */
#include "core/volumes/kinds.h"

#include <stdio.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/base/bytes.h"

enum { SECTOR_BYTES = 512, KIB = 1024 };

/* A number of the volume; 0 where it cannot be read, which is no size either. */
static uint64_t volume_number(const struct source *source, uint64_t offset, unsigned width_bytes,
                              bool big_endian)
{
    uint8_t bytes[8];
    return source_read(source, offset, bytes, width_bytes, NULL) == 0
               ? bytes_get(bytes, width_bytes, big_endian)
               : 0;
}

static bool has(const struct source *source, uint64_t offset, const char *magic)
{
    uint8_t bytes[16];
    const size_t n_bytes = strlen(magic);
    return source_read(source, offset, bytes, n_bytes, NULL) == 0 && memcmp(bytes, magic, n_bytes) == 0;
}

static bool product(uint64_t *bytes, uint64_t units, uint64_t unit_bytes)
{
    return units > 0 && unit_bytes > 0 && arith_mul(bytes, units, unit_bytes);
}

/* struct xfs_dsb: fs/xfs/libxfs/xfs_format.h */
static bool measure_xfs(const struct source *source, uint64_t *bytes)
{
    return product(bytes, volume_number(source, 8, 8, true), volume_number(source, 4, 4, true));
}

/* struct btrfs_super_block: include/uapi/linux/btrfs_tree.h; what counts is this device, not the sum of all:
 * dev_item.total_bytes. */
static bool measure_btrfs(const struct source *source, uint64_t *bytes)
{
    return product(bytes, volume_number(source, 64 * KIB + 0xd1, 8, false), 1);
}

/* union swap_header: include/linux/swap.h. It is in pages of the machine that made it: the magic tells. */
static bool measure_swap(const struct source *source, uint64_t *bytes)
{
    for (uint64_t page_bytes = 4096; page_bytes <= 65536; page_bytes *= 2) {
        if (has(source, page_bytes - 10, "SWAPSPACE2") || has(source, page_bytes - 10, "S1SUSPEND")) {
            const bool big_endian = volume_number(source, KIB, 4, true) == 1;
            return product(bytes, volume_number(source, KIB + 4, 4, big_endian) + 1, page_bytes);
        }
    }
    return false;
}

/* struct label_header, pv_header: LVM2, lib/format_text/layout.h. The label is in one of four sectors. */
static bool measure_lvm(const struct source *source, uint64_t *bytes)
{
    enum { LABEL_SECTORS = 4, UUID_BYTES = 32 };
    for (uint64_t at = 0; at < LABEL_SECTORS * SECTOR_BYTES; at += SECTOR_BYTES) {
        if (has(source, at, "LABELONE") && has(source, at + 24, "LVM2 001")) {
            const uint64_t header = volume_number(source, at + 20, 4, false);
            return header <= SECTOR_BYTES - UUID_BYTES - 8 &&
                   product(bytes, volume_number(source, at + header + UUID_BYTES, 8, false), 1);
        }
    }
    return false;
}

/* mdp_superblock_1: include/uapi/linux/raid/md_p.h. Where it lies at the beginning (1.1 and 1.2). */
static bool find_md_at_start(const struct source *source, uint64_t *super)
{
    for (*super = 0; *super <= 4096; *super += 4096) {
        if (volume_number(source, *super, 4, false) == 0xa92b4efc &&
            volume_number(source, *super + 4, 4, false) == 1) {
            return true;
        }
    }
    return false;
}

/* Those at the end take all of the volume: they do not say. */
static bool measure_md(const struct source *source, uint64_t *bytes)
{
    uint64_t super, sectors;
    return find_md_at_start(source, &super) &&
           arith_add(&sectors, volume_number(source, super + 128, 8, false),
                     volume_number(source, super + 136, 8, false)) &&
           product(bytes, sectors, SECTOR_BYTES);
}

/* A sector's size as a boot sector has it. 0: none. */
static uint64_t boot_sector_bytes(const struct source *source)
{
    const uint64_t bytes = volume_number(source, 11, 2, false);
    return bytes >= SECTOR_BYTES && bytes <= 4096 && arith_is_power_of_two(bytes) ? bytes : 0;
}

/* struct NTFS_BOOT: fs/ntfs3/ntfs.h. Behind what it counts lies a copy of the boot sector. */
static bool measure_ntfs(const struct source *source, uint64_t *bytes)
{
    uint64_t sectors;
    return arith_add(&sectors, volume_number(source, 40, 8, false), 1) && sectors > 1 &&
           product(bytes, sectors, boot_sector_bytes(source));
}

/* struct fat_boot_sector: include/uapi/linux/msdos_fs.h */
static bool measure_fat(const struct source *source, uint64_t *bytes)
{
    const uint64_t few = volume_number(source, 19, 2, false);
    return product(bytes, few != 0 ? few : volume_number(source, 32, 4, false), boot_sector_bytes(source));
}

/* struct boot_sector: fs/exfat/exfat_raw.h */
static bool measure_exfat(const struct source *source, uint64_t *bytes)
{
    const uint64_t shift = volume_number(source, 108, 1, false);
    return shift >= 9 && shift <= 12 &&
           product(bytes, volume_number(source, 72, 8, false), UINT64_C(1) << shift);
}

/* struct iso_primary_descriptor: include/uapi/linux/iso_fs.h; both numbers in little endian first. */
static bool measure_iso9660(const struct source *source, uint64_t *bytes)
{
    const uint64_t at = UINT64_C(16) * 2048;
    return has(source, at + 1, "CD001") && product(bytes, volume_number(source, at + 80, 4, false),
                                                   volume_number(source, at + 128, 2, false));
}

/* struct squashfs_super_block: fs/squashfs/squashfs_fs.h, of version 4 */
static bool measure_squashfs(const struct source *source, uint64_t *bytes)
{
    return has(source, 0, "hsqs") && volume_number(source, 28, 2, false) == 4 &&
           product(bytes, volume_number(source, 40, 8, false), 1);
}

/* struct f2fs_super_block: include/linux/f2fs_fs.h */
static bool measure_f2fs(const struct source *source, uint64_t *bytes)
{
    const uint64_t shift = volume_number(source, KIB + 16, 4, false);
    return shift >= 12 && shift <= 16 &&
           product(bytes, volume_number(source, KIB + 36, 8, false), UINT64_C(1) << shift);
}

/* struct erofs_super_block: fs/erofs/erofs_fs.h */
static bool measure_erofs(const struct source *source, uint64_t *bytes)
{
    const uint64_t shift = volume_number(source, KIB + 12, 1, false);
    return shift >= 9 && shift <= 16 &&
           product(bytes, volume_number(source, KIB + 36, 4, false), UINT64_C(1) << shift);
}

static const struct kind kinds[] = {
    {"ext2", NULL, "resize2fs DEV", NULL, "resize2fs DEV KIBK"},
    {"ext3", NULL, "resize2fs DEV", NULL, "resize2fs DEV KIBK"},
    {"ext4", NULL, "resize2fs DEV", NULL, "resize2fs DEV KIBK"},
    {"ext4dev", NULL, "resize2fs DEV", NULL, "resize2fs DEV KIBK"},
    {"xfs", measure_xfs, "xfs_growfs MOUNTPOINT", NULL, NULL},
    {"btrfs", measure_btrfs, "btrfs filesystem resize max MOUNTPOINT", NULL,
     "btrfs filesystem resize KIBK MOUNTPOINT"},
    {"swap", measure_swap, NULL, "swap stays as large as it is", "swapoff DEV, mkswap DEV KIB"},
    {"swsuspend", measure_swap, NULL, "swap with a sleeping system in it stays as it is", NULL},
    {"LVM2_member", measure_lvm, "pvresize DEV", "then the logical volumes: lvextend -r",
     "pvresize --setphysicalvolumesize KIBk DEV"},
    {"crypto_LUKS", NULL, "cryptsetup resize NAME", "NAME is that below /dev/mapper; then what is in it",
     NULL},
    {"linux_raid_member", measure_md,
     "mdadm --assemble --update=devicesize, then mdadm --grow --size=max /dev/mdN",
     "once all members have more room; then what is on the array", "mdadm --grow --size=KIB /dev/mdN"},
    {"ntfs", measure_ntfs, "ntfsresize DEV", "while it is not mounted", "ntfsresize --size BYTES DEV"},
    {"vfat", measure_fat, NULL, "FAT stays as large as it is, no tool of the guest's makes it larger", NULL},
    {"exfat", measure_exfat, NULL, "exFAT stays as large as it is, no tool makes it larger", NULL},
    {"iso9660", measure_iso9660, NULL, "ISO 9660 is read only, and stays as it is", NULL},
    {"squashfs", measure_squashfs, NULL, "squashfs is read only, and stays as it is", NULL},
    {"erofs", measure_erofs, NULL, "erofs is read only, and stays as it is", NULL},
    {"f2fs", measure_f2fs, "resize.f2fs DEV", "while it is not mounted", NULL},
    {"jfs", NULL, "mount -o remount,resize MOUNTPOINT", NULL, NULL},
    {"reiserfs", NULL, "resize_reiserfs DEV", NULL, "resize_reiserfs -s KIBK DEV"},
    {"nilfs2", NULL, "nilfs-resize DEV", NULL, "nilfs-resize DEV KIBK"},
    {"bcachefs", NULL, "bcachefs device resize DEV", NULL, NULL},
    {"zfs_member", NULL, "zpool online -e POOL DEV", NULL, NULL},
};

const struct kind *kind_of(const char *type)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].type, type) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

bool kind_ends_the_volume(const char *type, const struct source *source)
{
    static const char suffix[] = "_raid_member"; /* those of controllers: all of them at the end */
    const size_t length = strlen(type);
    uint64_t super;
    if (strcmp(type, "linux_raid_member") == 0) {
        return !find_md_at_start(source, &super);
    }
    return length >= sizeof suffix && strcmp(type + length - (sizeof suffix - 1), suffix) == 0;
}

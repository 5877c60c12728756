/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What lies on a disk: its partition table, the volumes in it, and their kinds by name. Names and numbers
 * only; the files in an ext filesystem are guestfs' business, one floor above.
 */
#ifndef CORE_VOLUMES_VOLUMES_H
#define CORE_VOLUMES_VOLUMES_H

#include "core/volumes/source.h"
#include "cow/fs.h"

/* The two versions of a volume: what the guest sees; what the backing file has there. */
struct volume_sources {
    struct source guest, base;
};

struct cow_fs {
    struct cow_image *img;
    char table[8];
    bool ambiguous; /* there are signs of more than one use of the same place */
    size_t n_volumes;
    struct cow_volume *volume;     /* what front ends see */
    struct volume_sources *source; /* the same ones; their places in memory do not change */
    struct guest_volume *inner;    /* the same ones, as guestfs has them open; no business of this room */
    struct read_failure failure;   /* of all sources */
    struct cow_volume whole;       /* cow_fs_whole */
    struct cow_gpt gpt;
    bool gpt_rejected;    /* the disk is too short for it: libblkid does not list it */
    uint64_t table_end;   /* cow_fs_table_end */
    unsigned container;   /* the number of the partition that holds the logical ones; 0: none */
    uint64_t table_bytes; /* at the beginning of the disk, that the partition table takes */
};

/* Finds partitions, and names what lies in them. Fills fs->table, n_volumes, volume and source. */
int volumes_find(struct cow_fs *fs, struct cow_error *err);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The pieces of the fuzz target for hostile filesystems: seeds and the image made of one (disk.c), what is
 * done to it (mutate.c), and what cowtui's core has to live through (target.c).
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FUZZ_PAGE = 4096, FUZZ_SEEDS_MAX = 32, FUZZ_PATH_BYTES = 512 };

/* How a batch ends, besides by the sanitizers. */
enum { FUZZ_EXIT_SLOW = 90, FUZZ_EXIT_LEAK = 91, FUZZ_EXIT_LOUD = 92 };

/* What lies at a place of a seed; made by seeds.py, which knows where structures are. */
enum fuzz_kind {
    FUZZ_SUPER,
    FUZZ_DESCRIPTOR,
    FUZZ_BITMAP,
    FUZZ_INODE,
    FUZZ_DIRECTORY,
    FUZZ_EXTENTS,
    FUZZ_POINTERS,
    FUZZ_XATTR,
    FUZZ_JOURNAL,
    FUZZ_TABLE,
    FUZZ_DATA,
    FUZZ_KINDS
};

const char *fuzz_kind_name(enum fuzz_kind kind);

struct fuzz_place {
    enum fuzz_kind kind;
    uint32_t offset, n_bytes;
};

struct fuzz_seed;

/* A seed on its way to become an image: both disks may be changed, and what is dirty. */
struct fuzz_disk {
    struct fuzz_seed *seed;
    uint8_t *base, *guest;
    uint8_t *bits;
};

/* Two raw disks: the backing file's, and what a guest has made of it. */
struct fuzz_seed {
    char name[64];
    char backing_path[FUZZ_PATH_BYTES], cow_path[FUZZ_PATH_BYTES]; /* the image that is made of it */
    uint8_t *base, *guest;
    uint32_t n_bytes;
    uint32_t block_bytes, blocks, fs_start;
    struct fuzz_place *place;
    size_t n_places;
    struct fuzz_disk copy; /* its memory is used again and again */
    uint8_t *written;      /* what the backing file holds at the moment */
};

/* Reads all NAME.base, NAME.new, NAME.map of a directory, by name. Exits where there is nothing. */
size_t fuzz_seeds_read(struct fuzz_seed *seeds, const char *directory, const char *scratch);

/* Copies of the seed; they differ in the pages that are dirty. */
void fuzz_disk_begin(struct fuzz_disk *disk, struct fuzz_seed *seed);
/* Bytes of both become files: the backing file and a v3 on it. */
void fuzz_disk_write(const struct fuzz_disk *disk);

/* A generator that is the same everywhere. */
struct fuzz_random {
    uint64_t state;
};
uint64_t fuzz_random_next(struct fuzz_random *random);
/* 0 ... n - 1; 0 for n 0. */
uint32_t fuzz_below(struct fuzz_random *random, uint32_t n);

void fuzz_mutate(struct fuzz_disk *disk, struct fuzz_random *random);

/* Everything that looks at the filesystem of an image; aborts where an answer contradicts another one. */
void fuzz_look(const char *cow_path, const char *backing_path, uint64_t choice);

/* Limits of this process, once; and those of one execution. What is beyond ends the process. */
void fuzz_limits_prepare(void);
void fuzz_limits_begin(void);
void fuzz_limits_end(void);
bool fuzz_leaks(void);

#endif

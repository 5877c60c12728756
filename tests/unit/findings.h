/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the suites of findings share: images made byte by byte that have something to find, looking at them,
 * and what must have been found.
 */
#ifndef TESTS_UNIT_FINDINGS_H
#define TESTS_UNIT_FINDINGS_H

#include "changes.h"

enum { SIZE = 1024 * 1024, SECTORS = SIZE / 512, HEADER_MTIME = MODEL_MTIME };

/* ---- images ---- */

/* Nothing dirty, a backing file of noise: sector n of it begins with n + 1. */
struct model *plain_of(const struct model_spec *wanted);
/* So of 1 MiB with sectors of 512. */
struct model *plain(enum cow_format format);

enum what {
    BIT = 1,       /* the bit is set; what lies there stays */
    NOISE = 2,     /* other data than the backing file's */
    ZEROS = 4,     /* written zeros */
    REDUNDANT = 8, /* what the backing file has */
};

/* Sectors [first, first + n) of the COW. */
void put(const struct model *m, uint64_t first, uint64_t n, unsigned what);
/* A field of the header. */
void put_field(const struct model *m, unsigned offset, unsigned width, uint64_t value);

/* An ext superblock, or what these tests need of one. */
struct times {
    uint32_t made, written, checked;
    uint16_t mounts;
};

/* uuid: each of its 16 bytes. */
void make_superblock(uint8_t bytes[1024], const struct times *t, char uuid);
/* Into the backing file, whose date stays. */
void put_backing_superblock(const struct model *m, const struct times *t);
/* Into the COW, as a whole page. */
void put_guest_superblock(const struct model *m, const struct times *t, char uuid);
/* So that what a file takes on its disk is known. */
int sync_file(const char *path);

/* ---- looking ---- */

extern struct cow_check found; /* what the last check found: it is large */

/* NULL: not found. */
const struct cow_finding *finding_of(enum cow_finding_code code);
/* Checks it: a failure, or what is in found and of the right form; nothing is touched either way. */
int look_with(const char *path, const struct cow_check_options *opt, struct cow_error *err);
/* With another backing file than the stored one. NULL: with that. */
void look_named(const char *path, const char *backing);
/* Nor is its backing file touched. */
void look(const struct model *m);
/* Found: these codes and no others; the list ends with COW_FINDINGS. */
void must_be_only(enum cow_finding_code first, ...);

#define only(...)  must_be_only(__VA_ARGS__, COW_FINDINGS)
#define is_clean() must_be_only(COW_FINDINGS)

/* This finding has each of these words in its message. The list ends with NULL. */
void must_say(enum cow_finding_code code, int fixable, ...);

#define says(...) must_say(__VA_ARGS__, NULL)

/* Where this finding begins, and over how many sectors it goes. */
void is_at(enum cow_finding_code code, uint64_t first, uint64_t sectors);

/* ---- the backing file ---- */

/* A file that may be the backing file: its content, so long, so dated. */
char *put_candidate(const struct model *m, const char *name, uint64_t size_bytes, int64_t mtime);
/* The candidates: names in the test's directory, and what fits of each: 'n'ame, 'd'ate, 'u'uid. The list ends
 * with NULL. */
void must_offer(int no_link, ...);

#define offers(...)   must_offer(0, __VA_ARGS__, NULL)
#define offers_none() must_offer(0, NULL)

/* The image names a file in a directory that is there, and the file is gone. */
struct model *moved(const char *stored_name);

#endif

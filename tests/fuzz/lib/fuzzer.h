/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the libFuzzer targets (tests/fuzz/targets, a file each) share: choices read from the input, a scratch
 * directory outside of which nothing may be written, copies of what is in it, and images that are made from
 * an input.
 */
#ifndef FUZZER_H
#define FUZZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "../must.h"
#include "cow/cow.h"

/* What a target is: one execution; and what it needs before the first, if it needs anything. */
void fuzz_one(const uint8_t *data, size_t n_bytes);
void fuzz_prepare(void) __attribute__((weak));

/* What libFuzzer calls (entry.c), and calls where a target has it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n_bytes, size_t most_bytes, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t n_bytes, size_t most_bytes);

/* ---- input.c: choices ---- */

struct input {
    const uint8_t *at;
    size_t left;
};

/* Little endian; what is missing at the end is 0. */
uint64_t input_number(struct input *in, unsigned n_bytes);
/* 0 ... n - 1, of as few bytes as that takes. */
uint64_t input_below(struct input *in, uint64_t n);
bool input_flag(struct input *in);
/* Fills out; what is missing is 0. */
void input_bytes(struct input *in, void *out, size_t n_bytes);

/* Bytes that look like noise, the same for the same seed. */
void noise(uint64_t seed, uint8_t *out, size_t n_bytes);

/* status is that of err, and there are words that a terminal may show; or it is 0. Frees *plan if there is
 * one. */
void error_is_whole(int status, const struct cow_error *err);
bool is_terminal_safe(const char *text);

/* ---- scratch.c: where files may be written ---- */

/* A directory of this process, which becomes the working directory; the first call makes it, each empties it.
 * Below it lies another one, "outside", with files that nobody may touch. */
void scratch_begin(void);
/* DIRECTORY/name, in a buffer of the next eight calls. */
const char *scratch_path(const char *name);
/* The same of a file that lies outside. */
const char *outside_path(const char *name);
/* No call that writes has named a file outside of the scratch directory, and those that lie there are as they
 * were. */
void scratch_check(void);
/* Only the latter: what a user types may name any file, and then it is refused. */
void scratch_check_outside(void);

void file_make(const char *name, const void *bytes, size_t n_bytes);
void file_put(const char *name, uint64_t offset, const void *bytes, size_t n_bytes);
/* Its length; -1: there is none. The date is a whole second. */
int64_t file_length(const char *name);
void file_date(const char *name, int64_t seconds);

enum { SNAPSHOT_FILES = 16, SNAPSHOT_NAME_BYTES = 64 };

struct snapshot {
    size_t n_files;
    struct snapshot_file {
        char name[SNAPSHOT_NAME_BYTES];
        struct stat facts;
        uint8_t *bytes;
    } file[SNAPSHOT_FILES];
};

/* All that is in the scratch directory. */
void snapshot_take(struct snapshot *out);
void snapshot_free(struct snapshot *snapshot);
/* Puts the files back: content, date and mode; not the inode. */
void snapshot_restore(const struct snapshot *snapshot);
/* The file of that name has the content and the date that it had; or is missing now as it was then. */
bool snapshot_same(const struct snapshot *snapshot, const char *name);
/* All of them, and no other is there. */
bool snapshot_all_same(const struct snapshot *snapshot);

/* ---- picture.c: images ---- */

#define PICTURE_COW  "x.cow"
#define PICTURE_BASE "x.img"

enum { PICTURE_DATE = 1500000000, PICTURE_DISK_MAX = 256 * 1024 };

struct picture {
    struct cow_header header;
    struct cow_layout layout;
    uint64_t base_bytes; /* of the backing file */
    uint8_t *disk;       /* as the guest sees it: header.size_bytes */
};

/* Makes a sound image and its backing file of an input. false: it asks for one that cannot be. */
bool picture_make(struct picture *out, struct input *in);
void picture_free(struct picture *picture);

/* Some numbers of the image's file are overwritten: a place and its bytes each. */
void picture_bend(const struct picture *picture, struct input *in);

/* The disk of an image as a file of the scratch directory; its length in *n_bytes. NULL: it has none that can
 * be read. */
uint8_t *disk_of(const char *path, uint64_t *n_bytes);

#endif

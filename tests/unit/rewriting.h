/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the suites of rewriting share: making another image of the same disk, going back, and judging both by
 * a naive computation.
 */
#ifndef TESTS_UNIT_REWRITING_H
#define TESTS_UNIT_REWRITING_H

#include "changes.h"

/* ---- the naive computation ---- */

bool all_zero(const uint8_t *bytes, uint64_t n_bytes);
uint64_t sectors_of(const struct model *m);
/* A file as long as the disk, cut or filled up with zeros. NULL path: zeros. */
uint8_t *base_of(const struct model *m, const char *path);
/* Sectors of 512 bytes: the old bits in units of 1 or 8 sectors; with `compare` those of them where the disk
 * is not `base`; with `all` not the old bits but everything is compared; with `keep` no bit that was clear is
 * set. */
uint8_t *naive_bits(const struct model *m, unsigned unit, bool compare, bool all, bool keep,
                    const uint8_t *base);
uint8_t *bits_after(const struct model *m, const struct cow_rewrite_options *opt);

/* ---- running ---- */

struct result {
    char method[16], operation[16];
    uint64_t after_dirty_sectors;
    bool planned;
};

int run_rewrite(const char *path, const struct cow_rewrite_options *opt, const struct cow_io *io,
                const struct cow_env *env, struct result *result, struct cow_error *err);
void check_names(const char *wanted, const char *where);
/* The new image: header, bits, disk. By a header edit garbage past the last bit stays. */
void check_image(const struct model *m, const char *target, const char *method, const uint8_t *bits,
                 const char *stored, uint32_t mtime);
void undo_rewrite(const struct model *m, const struct witness *image, const char *names);
/* One rewrite of one image, there and back. `other`: a further file in the directory, or "". */
void rewrite_and_back(const struct model *m, const struct cow_rewrite_options *opt, const char *stored,
                      uint32_t mtime, const char *other);

/* ---- the matrix ---- */

/* Sectors of the COW from dull_from on are zeros or what the backing file has, in turn. */
struct model_spec spec_of(enum cow_format format, uint64_t seed);
void clear_directory(struct model *m);
/* Another backing file: some pages as before, some single bytes changed, some stretches other noise, zeros or
 * holes. */
char *make_other(const struct model *m, uint64_t n_bytes, int64_t mtime);

/* ---- by one write of the first sector ---- */

struct model_spec usual_v3(enum pattern pattern);

#endif

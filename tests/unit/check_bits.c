/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Findings of the file behind the header: its length, its bits and its bytes, what it costs to count them,
 * and what becomes of it when it is stopped or a read fails.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "findings.h"

/* ---- the file ---- */

START_TEST(files_that_are_cut)
{
    struct model *m = plain(COW_FORMAT_V3);
    put(m, 8, 8, BIT | NOISE);
    put(m, 1000, 8, BIT | NOISE);
    file_truncate(m->cow_path, m->geometry.data_offset + 1003 * 512);
    look(m);
    only(COW_FINDING_DATA_CUT);
    says(COW_FINDING_DATA_CUT, true, "5 dirty sectors, from sector 1003 on");
    is_at(COW_FINDING_DATA_CUT, 1003, SECTORS - 1003);
    file_truncate(m->cow_path, m->geometry.data_offset + 1003 * 512 + 1);
    look(m);
    says(COW_FINDING_DATA_CUT, true, "5 dirty sectors, from sector 1003 on");
    file_truncate(m->cow_path, m->geometry.bitmap_offset + 100);
    look(m);
    only(COW_FINDING_BITMAP_CUT, COW_FINDING_DATA_CUT);
    says(COW_FINDING_BITMAP_CUT, true, "8292", "8448", "156 bytes");
    says(COW_FINDING_DATA_CUT, true, "8 dirty sectors, from sector 0 on"); /* the other bits are gone, too */
    file_truncate(m->cow_path, 4128);
    look(m);
    only(COW_FINDING_BITMAP_CUT);
    says(COW_FINDING_BITMAP_CUT, true, "256 bytes");
    model_free(m);
}
END_TEST

START_TEST(a_file_that_is_too_long)
{
    struct model *m = plain(COW_FORMAT_V3);
    file_truncate(m->cow_path, m->geometry.end_offset + 1000);
    look(m);
    only(COW_FINDING_FILE_LONG);
    says(COW_FINDING_FILE_LONG, true, "1000 (1000 B) more");
    model_free(m);
}
END_TEST

START_TEST(bits_behind_the_last)
{
    const struct model_spec spec = {.format = COW_FORMAT_V3, .size_bytes = SIZE - 3 * 512};
    struct model *m = plain_of(&spec);
    uint8_t bits[2] = {0xff, 0x81};
    file_write_at(m->cow_path, m->geometry.bitmap_offset + 255, bits, 2);
    put(m, SECTORS - 8, 5, NOISE);
    look(m);
    only(COW_FINDING_PADDING);
    says(COW_FINDING_PADDING, true, "5 bits", "2044");
    bits[0] = 0x1f;
    bits[1] = 0;
    file_write_at(m->cow_path, m->geometry.bitmap_offset + 255, bits, 2);
    look(m);
    is_clean();
    bits[0] = 1;
    file_write_at(m->cow_path, m->geometry.bitmap_offset + 256 + 23, bits, 1);
    look(m);
    says(COW_FINDING_PADDING, true, "1 bit behind");
    model_free(m);
}
END_TEST

START_TEST(an_inflated_file)
{
    const struct model_spec spec = {.format = COW_FORMAT_V3, .size_bytes = 4 * SIZE};
    struct model *m = plain_of(&spec);
    put(m, 0, 8, BIT | NOISE);
    look(m);
    is_clean();
    put(m, 8, 4 * SECTORS - 8, ZEROS);
    must(sync_file(m->cow_path) == 0, "fsync");
    look(m);
    only(COW_FINDING_INFLATED);
    says(COW_FINDING_INFLATED, true, "takes 4.0", "MiB", "KiB");
    put(m, 8, 4 * SECTORS - 8, BIT); /* the same, dirty: written zeros */
    look(m);
    only(COW_FINDING_ZEROS);
    model_free(m);
}
END_TEST

/* ---- bits and bytes ---- */

START_TEST(mixed_pages)
{
    struct model *m = plain(COW_FORMAT_V3);
    put(m, 8, 8, BIT | NOISE);
    put(m, 100, 20, BIT | NOISE); /* 96-103 and nothing else: 104-119 are whole */
    put(m, 1001, 1, BIT | NOISE);
    look(m);
    only(COW_FINDING_MIXED_PAGES);
    says(COW_FINDING_MIXED_PAGES, true, "2 pages of 4 KiB mix sectors", "48.0 KiB (sector 96)");
    is_at(COW_FINDING_MIXED_PAGES, 96, 8);
    model_free(m);
}
END_TEST

START_TEST(orphans)
{
    struct model *m = plain(COW_FORMAT_V3);
    put(m, 8, 3, NOISE);
    put(m, 40, 2, REDUNDANT); /* what would read the same is none */
    put(m, 48, 2, ZEROS);
    put(m, 100, 1, NOISE);
    look(m);
    only(COW_FINDING_ORPHANS);
    says(COW_FINDING_ORPHANS, true, "4 clean sectors have other data in the COW (2.00 KiB)",
         "from sector 8 on");
    is_at(COW_FINDING_ORPHANS, 8, 3);
    struct cow_error err;
    must_succeed(look_with(m->cow_path, &(struct cow_check_options){.quick = true}, &err), err);
    is_clean();
    must(!found.scanned, "scanned");
    model_free(m);
}
END_TEST

START_TEST(redundant_pages)
{
    struct model *m = plain(COW_FORMAT_V3);
    put(m, 8, 8, BIT | REDUNDANT);
    put(m, 16, 7, BIT | REDUNDANT); /* one sector of the page differs: all of it stays */
    put(m, 23, 1, BIT | NOISE);
    put(m, 40, 24, BIT | REDUNDANT);
    look(m);
    only(COW_FINDING_REDUNDANT);
    says(COW_FINDING_REDUNDANT, true, "39 of 40 dirty sectors", "drops 32 of them",
         "16.0 KiB, of which 16.0 KiB take space");
    is_at(COW_FINDING_REDUNDANT, 8, 8);
    put(m, 100, 1, BIT | REDUNDANT); /* a mixed page, droppable as well */
    look(m);
    only(COW_FINDING_MIXED_PAGES, COW_FINDING_REDUNDANT);
    says(COW_FINDING_REDUNDANT, true, "40 of 41 dirty sectors", "drops 33 of them", "16.5 KiB");
    model_free(m);
    m = plain(COW_FORMAT_V3); /* nothing to gain */
    put(m, 16, 7, BIT | REDUNDANT);
    put(m, 23, 1, BIT | NOISE);
    look(m);
    is_clean();
    model_free(m);
}
END_TEST

START_TEST(zero_pages)
{
    struct model *m = plain(COW_FORMAT_V3);
    put(m, 8, 8, BIT | ZEROS);
    put(m, 16, 4, BIT | ZEROS); /* with data in the same page */
    put(m, 20, 4, BIT | NOISE);
    put(m, 1024, 256, BIT); /* holes are zeros that cost nothing */
    look(m);
    only(COW_FINDING_ZEROS);
    says(COW_FINDING_ZEROS, true, "12 of 272 dirty sectors are written zeros",
         "holes of 8 of them, whole pages: 4.00 KiB");
    is_at(COW_FINDING_ZEROS, 8, 8);
    model_free(m);
}
END_TEST

/* What a page at a time says, said again a sector at a time from the model's bytes. */
START_TEST(pages_counted_anew)
{
    const uint32_t ss = _i % 2 == 0 ? 512 : 1024;
    const struct model_spec spec = {
        .format = COW_FORMAT_V3, .sector_bytes = ss, .size_bytes = SIZE / 8 - (uint64_t)_i * 512};
    struct model *m = plain_of(&spec);
    struct rng rng = {(uint64_t)_i + 1};
    const uint64_t n = m->geometry.sectors, page = 4096 / ss;
    char *kind = calloc(n + 1, 1);
    must(kind != NULL, "out of memory");
    for (uint64_t at = 0; at < n;) {
        const uint64_t run = 1 + rng_below(&rng, rng_below(&rng, 3) == 0 ? 40 : 4);
        const char what = "cnzro"[rng_below(&rng, 5)];
        for (uint64_t end = at + run; at < end && at < n; at++) {
            kind[at] = what;
        }
    }
    uint64_t redundant = 0, zero = 0, droppable = 0, punchable = 0, orphan = 0, mixed = 0;
    for (uint64_t first = 0; first < n; first += page) {
        uint64_t r = 0, z = 0, clean = 0, others = 0;
        for (uint64_t i = first; i < first + page && i < n; i++) {
            /* the last, partial sector: its redundant bytes are not all there to copy */
            kind[i] = kind[i] == 'r' && (i + 1) * ss > spec.size_bytes ? 'n' : kind[i];
            put(m, i, 1,
                kind[i] == 'n'   ? BIT | NOISE
                : kind[i] == 'z' ? BIT | ZEROS
                : kind[i] == 'r' ? BIT | REDUNDANT
                : kind[i] == 'o' ? NOISE
                                 : 0);
            r += kind[i] == 'r';
            z += kind[i] == 'z';
            clean += kind[i] == 'c' || kind[i] == 'o';
            orphan += kind[i] == 'o';
            others += kind[i] == 'n';
        }
        redundant += r;
        zero += z;
        droppable += z + others == 0 ? r : 0;
        punchable += r + others + clean == 0 ? z : 0;
        mixed += clean > 0 && r + z + others > 0;
    }
    look(m);
    char words[64];
    snprintf(words, sizeof words, "%" PRIu64 " page", mixed);
    must_say(COW_FINDING_MIXED_PAGES, true, words, NULL);
    must((finding_of(COW_FINDING_REDUNDANT) != NULL) == (droppable > 0), "redundant");
    if (droppable > 0) {
        snprintf(words, sizeof words, "drops %" PRIu64 " of", droppable);
        char all[64];
        snprintf(all, sizeof all, "%" PRIu64 " of ", redundant);
        must_say(COW_FINDING_REDUNDANT, true, words, all, NULL);
    }
    must((finding_of(COW_FINDING_ZEROS) != NULL) == (punchable > 0), "zeros");
    if (punchable > 0) {
        snprintf(words, sizeof words, "holes of %" PRIu64 " of", punchable);
        char all[64];
        snprintf(all, sizeof all, "%" PRIu64 " of ", zero);
        must_say(COW_FINDING_ZEROS, true, words, all, NULL);
    }
    must((finding_of(COW_FINDING_ORPHANS) != NULL) == (orphan > 0), "orphans");
    free(kind);
    model_free(m);
}
END_TEST

/* A bit of the model's bitmap, from a copy of it. */
static bool bit_of(const uint8_t *bits, uint64_t sector)
{
    return bits[sector / 8] >> (sector % 8) & 1;
}

/* Noise in the bitmap, over two files that are holes for the most part: what is found by steps over holes is
 * what a page at a time would tell. The backing file begins with data, and some pages of the COW have some.
 */
START_TEST(noise_over_holes)
{
    enum { DATA = 64 };
    const struct model_spec spec = {.format = COW_FORMAT_V3, .size_bytes = SIZE - (uint64_t)_i * 512};
    struct model *m = plain_of(&spec);
    struct rng rng = {(uint64_t)_i + 5};
    const uint64_t n = m->geometry.sectors;
    uint8_t bits[SECTORS / 8];
    rng_fill(&rng, bits, sizeof bits);
    for (uint64_t at = 0; at < sizeof bits;
         at++) { /* also where all of a page is the same, and nothing at all */
        bits[at] = at % 5 == 0 || at < sizeof bits / 4 ? bits[at]
                   : at % 5 == 1                       ? 0xff
                   : at % 3 == 0                       ? 0
                                                       : bits[at];
    }
    file_truncate(m->backing_path, DATA * 512);
    file_truncate(m->backing_path, spec.size_bytes);
    file_set_mtime(m->backing_path, MODEL_MTIME);
    file_write_at(m->cow_path, m->geometry.bitmap_offset, bits, (size_t)((n + 7) / 8));
    uint64_t noisy = 0; /* pages, a bit each */
    for (unsigned page = 20; page < 60; page += 13) {
        put(m, (uint64_t)page * 8, 8, NOISE);
        noisy |= UINT64_C(1) << page;
    }
    uint64_t redundant = 0, droppable = 0, orphan = 0, mixed = 0;
    for (uint64_t first = 0; first < n; first += 8) {
        const bool data = first < DATA, noise = first / 8 < 64 && (noisy >> first / 8 & 1) != 0;
        uint64_t dirty = 0, sectors = 0;
        for (uint64_t i = first; i < first + 8 && i < n; i++, sectors++) {
            dirty += bit_of(bits, i);
        }
        redundant += data || noise ? 0 : dirty;
        droppable += data || noise ? 0 : dirty;
        orphan += noise ? sectors - dirty : 0;
        mixed += dirty > 0 && dirty < sectors;
    }
    look(m);
    char words[64], all[64];
    snprintf(words, sizeof words, "%" PRIu64 " page", mixed);
    must_say(COW_FINDING_MIXED_PAGES, true, words, NULL);
    snprintf(words, sizeof words, "drops %" PRIu64 " of", droppable);
    snprintf(all, sizeof all, "%" PRIu64 " of ", redundant);
    must_say(COW_FINDING_REDUNDANT, true, words, all, "of which 0 B take", NULL);
    snprintf(words, sizeof words, "%" PRIu64 " clean sector", orphan);
    must_say(COW_FINDING_ORPHANS, true, words, NULL);
    model_free(m);
}
END_TEST

/* Processor time. */
static double seconds_since(clock_t begin)
{
    return (double)(clock() - begin) / CLOCKS_PER_SEC;
}

/* What it costs to look at each bit, in the simplest way. */
static double count_edges(const uint8_t *bits, uint64_t n)
{
    const clock_t begin = clock();
    volatile uint64_t edges = 0;
    for (uint64_t i = 1; i < n; i++) {
        edges = edges + (bit_of(bits, i) != bit_of(bits, i - 1));
    }
    return seconds_since(begin);
}

/* A bitmap of noise has a run for every other bit. It costs what its bits do, and not what as many runs of a
 * disk would: by a factor of the time that a loop over the bits takes here and now, with what each run costs
 * it was 30. */
START_TEST(a_bitmap_of_noise_costs_its_size)
{
    enum { BITMAP_BYTES = 1024 * 1024, TIMES_MAX = 10 };
    const uint64_t size = UINT64_C(512) * 8 * BITMAP_BYTES;
    const struct model_spec spec = {.format = COW_FORMAT_V3, .size_bytes = SIZE};
    struct model *m = plain_of(&spec);
    struct rng rng = {3};
    uint8_t *bits = malloc(BITMAP_BYTES);
    must(bits != NULL, "out of memory");
    rng_fill(&rng, bits, BITMAP_BYTES);
    file_truncate(m->cow_path, 0);
    file_truncate(m->backing_path, 0);
    file_truncate(m->backing_path, size);
    file_set_mtime(m->backing_path, MODEL_MTIME);
    uint8_t header[COW_HEADER_BYTES_MAX];
    const size_t n =
        model_header(header, COW_FORMAT_V3, m->backing_path, size, 512, 4096, MODEL_MTIME, false);
    file_write_at(m->cow_path, 0, header, n);
    file_write_at(m->cow_path, 8192, bits, BITMAP_BYTES);
    file_truncate(m->cow_path, 8192 + BITMAP_BYTES + size);
    double loop = 0, looks = 1e9;
    for (int i = 0; i < 3; i++) {
        const double edges = count_edges(bits, size / 512);
        loop = edges > loop ? edges : loop;
        struct cow_error err = {.status = 0};
        const clock_t begin = clock();
        must_succeed(cow_check(&found, m->cow_path, NULL, &err), err);
        looks = seconds_since(begin) < looks ? seconds_since(begin) : looks;
    }
    must_say(COW_FINDING_MIXED_PAGES, true, "pages of 4 KiB mix", NULL);
    must_say(COW_FINDING_REDUNDANT, true, "whole pages", NULL);
    must(looks < TIMES_MAX * loop, "checking takes %.3f s, a loop over the bits %.3f s", looks, loop);
    const clock_t begin = clock(); /* what compacting would come to goes over the same holes */
    struct cow_error err = {.status = 0};
    struct cow_image *img;
    struct cow_plan *plan;
    must_succeed(cow_image_open(&img, m->cow_path, NULL, &err), err);
    must_succeed(cow_plan_rewrite(&plan, img, &(struct cow_rewrite_options){.compact = true}, &err), err);
    looks = seconds_since(begin);
    must(looks < TIMES_MAX * loop, "planning takes %.3f s, a loop over the bits %.3f s", looks, loop);
    cow_plan_free(plan);
    cow_image_close(img);
    free(bits);
    model_free(m);
}
END_TEST

/* ---- progress, faults, garbage ---- */

struct stop {
    unsigned calls, after;
};

static bool stop_at(void *context, const struct cow_progress *progress)
{
    struct stop *stop = context;
    must(progress->done_bytes <= progress->total_bytes && progress->can_cancel, "progress");
    return ++stop->calls > stop->after;
}

START_TEST(a_scan_can_be_stopped)
{
    const struct model_spec spec = {.format = COW_FORMAT_V3, .size_bytes = 8 * SIZE};
    struct model *m = plain_of(&spec);
    struct cow_error err;
    struct stop stop = {0, UINT_MAX};
    const struct cow_env env = {.progress = stop_at, .context = &stop};
    const struct cow_check_options options = {.env = &env};
    put(m, 0, 8 * SECTORS, BIT | NOISE);
    must_succeed(look_with(m->cow_path, &options, &err), err);
    is_clean();
    must(stop.calls >= 8, "%u calls", stop.calls);
    stop = (struct stop){0, 2};
    memset(&found, 0x5a, sizeof found);
    must_fail(look_with(m->cow_path, &options, &err), COW_CANCELLED, err);
    must(found.findings == (size_t)0x5a5a5a5a5a5a5a5a, "written on failure");
    model_free(m);
}
END_TEST

/* Reads that fail, the n-th and all that follow. */
struct failing {
    struct cow_io io;
    unsigned reads, at;
};

static ssize_t failing_pread(void *context, int fd, void *buffer, size_t n_bytes, uint64_t offset)
{
    struct failing *f = context;
    return ++f->reads >= f->at ? -EIO : io_system.pread(io_system.context, fd, buffer, n_bytes, offset);
}

START_TEST(a_read_error_is_told)
{
    struct model *m = plain(COW_FORMAT_V3);
    struct failing f = {.io = io_system};
    const struct cow_check_options options = {.io = &f.io};
    struct cow_error err = {.status = 0};
    int status = COW_IO;
    f.io.pread = failing_pread;
    f.io.context = &f;
    put(m, 8, 300, BIT | NOISE);
    for (f.at = 1; status != 0 && f.at < 1000; f.at++) {
        f.reads = 0;
        status = look_with(m->cow_path, &options, &err);
        if (status != 0) {
            must_fail(status, COW_IO, err);
        }
    }
    must(status == 0 && f.at > 5, "%u reads", f.at);
    only(COW_FINDING_MIXED_PAGES);
    model_free(m);
}
END_TEST

Suite *check_bits_suite(void)
{
    Suite *suite = suite_create("check-bits");
    TCase *tc = tcase_create("check bits");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_test(tc, files_that_are_cut);
    tcase_add_test(tc, a_file_that_is_too_long);
    tcase_add_test(tc, bits_behind_the_last);
    tcase_add_test(tc, an_inflated_file);
    tcase_add_test(tc, mixed_pages);
    tcase_add_test(tc, orphans);
    tcase_add_test(tc, redundant_pages);
    tcase_add_test(tc, zero_pages);
    tcase_add_loop_test(tc, pages_counted_anew, 0, 16);
    tcase_add_loop_test(tc, noise_over_holes, 0, 12);
    tcase_add_test(tc, a_bitmap_of_noise_costs_its_size);
    tcase_add_test(tc, a_scan_can_be_stopped);
    tcase_add_test(tc, a_read_error_is_told);
    suite_add_tcase(suite, tc);
    return suite;
}

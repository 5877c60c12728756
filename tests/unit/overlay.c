/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The two files as one disk, against the model: runs with their origin, densities, contents; over all
 * variants and sector sizes, with partial last sectors, short and missing backings, holes, orphans and
 * garbage.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/io.h"
#include "support.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define TIB (UINT64_C(1) << 40)

/* ---- what the model says ---- */

static bool all_hole(int fd, uint64_t begin, uint64_t end)
{
    off_t data = lseek(fd, (off_t)begin, SEEK_DATA);
    return data < 0 || (uint64_t)data >= end;
}

/* The origin of each sector, by the truth table. */
static uint8_t *origins_of(const struct model *m)
{
    const struct geometry *g = &m->geometry;
    const uint32_t ss = m->spec.sector_bytes;
    uint8_t *origin = calloc(g->sectors + 1, 1);
    int cow = open(m->cow_path, O_RDONLY | O_CLOEXEC);
    int backing = m->backing_path != NULL ? open(m->backing_path, O_RDONLY | O_CLOEXEC) : -1;
    for (uint64_t i = 0; i < g->sectors; i++) {
        if (m->dirty[i] != 0) {
            uint64_t at = g->data_offset + i * ss;
            origin[i] = all_hole(cow, at, at + ss) ? COW_ORIGIN_HOLE : COW_ORIGIN_COW;
        } else if (m->backing_path == NULL || (backing >= 0 && i * ss >= m->spec.backing_bytes)) {
            origin[i] = COW_ORIGIN_BEYOND_BACKING;
        } else if (backing >= 0 && all_hole(backing, i * ss, (i + 1) * ss)) {
            origin[i] = COW_ORIGIN_BACKING_HOLE;
        } else {
            origin[i] = COW_ORIGIN_BACKING;
        }
    }
    close(cow);
    if (backing >= 0) {
        close(backing);
    }
    return origin;
}

static int64_t host_offset_of(const struct model *m, uint64_t sector, uint8_t origin)
{
    const uint64_t at = sector * m->spec.sector_bytes;
    return origin == COW_ORIGIN_BEYOND_BACKING                     ? COW_NO_OFFSET
           : origin == COW_ORIGIN_COW || origin == COW_ORIGIN_HOLE ? (int64_t)(m->geometry.data_offset + at)
                                                                   : (int64_t)at;
}

/* ---- runs ---- */

static void check_run(const struct model *m, const struct cow_run *run, uint64_t first, uint64_t sectors,
                      uint8_t origin)
{
    must(run->first_sector == first && run->sectors == sectors && run->origin == origin &&
             run->host_offset == host_offset_of(m, first, origin),
         "%s: run %" PRIu64 "+%" PRIu64 " %s @%" PRId64 " instead of %" PRIu64 "+%" PRIu64 " %s @%" PRId64,
         model_describe(m), run->first_sector, run->sectors, cow_origin_name(run->origin), run->host_offset,
         first, sectors, cow_origin_name((enum cow_origin)origin), host_offset_of(m, first, origin));
}

static void check_runs(const struct model *m, struct cow_image *img)
{
    uint8_t *origin = origins_of(m);
    const uint64_t n = m->geometry.sectors;
    struct cow_error err = {.status = 0};
    struct cow_run run;
    uint64_t begin = 0, end = 0; /* of the expected run around a sector */
    for (uint64_t at = 0; at < n; at++) {
        if (at == end) {
            begin = at;
            for (end = at + 1; end < n && origin[end] == origin[at]; end++) {
            }
        }
        must_succeed(cow_image_next_run(img, at, &run, &err), err);
        check_run(m, &run, at, end - at, origin[at]);
        must_succeed(cow_image_prev_run(img, at + 1, &run, &err), err);
        check_run(m, &run, begin, at + 1 - begin, origin[at]);
    }
    for (uint64_t past = n; past < n + 3; past++) {
        must_succeed(cow_image_next_run(img, past, &run, &err), err);
        must(run.sectors == 0 && run.host_offset == COW_NO_OFFSET, "%s: a run past the end",
             model_describe(m));
        must_succeed(cow_image_prev_run(img, past, &run, &err), err);
        check_run(m, &run, begin, n - begin, origin[n - 1]);
    }
    must_succeed(cow_image_next_run(img, UINT64_MAX, &run, &err), err);
    must(run.sectors == 0, "%s: a run at the end of numbers", model_describe(m));
    must_succeed(cow_image_prev_run(img, 0, &run, &err), err);
    must(run.sectors == 0, "%s: a run before the first", model_describe(m));
    free(origin);
}

static void check_dirty_runs(const struct model *m, struct cow_image *img)
{
    const uint64_t n = m->geometry.sectors;
    struct cow_error err = {.status = 0};
    struct cow_dirty_run run;
    for (uint64_t at = 0; at <= n + 2; at++) {
        uint64_t first = at, end;
        for (; first < n && m->dirty[first] == 0; first++) {
        }
        for (end = first; end < n && m->dirty[end] != 0; end++) {
        }
        must_succeed(cow_image_next_dirty(img, at, &run, &err), err);
        must(run.sectors == (first < n ? end - first : 0) && (run.sectors == 0 || run.first_sector == first),
             "%s: next_dirty(%" PRIu64 ") is %" PRIu64 "+%" PRIu64, model_describe(m), at, run.first_sector,
             run.sectors);
        first = at < n ? at : n;
        for (; first > 0 && m->dirty[first - 1] == 0; first--) {
        }
        for (end = first; end < n && first > 0 && m->dirty[end] != 0; end++) {
        }
        for (; first > 0 && m->dirty[first - 1] != 0; first--) {
        }
        must_succeed(cow_image_prev_dirty(img, at, &run, &err), err);
        must(run.sectors == end - first && (run.sectors == 0 || run.first_sector == first),
             "%s: prev_dirty(%" PRIu64 ") is %" PRIu64 "+%" PRIu64 ", not %" PRIu64 "+%" PRIu64,
             model_describe(m), at, run.first_sector, run.sectors, first, end - first);
        at += n > 400 ? n / 400 : 0; /* these loops are quadratic */
    }
}

/* ---- numbers ---- */

static void check_density(const struct model *m, struct cow_image *img, uint64_t first, uint64_t sectors)
{
    struct cow_error err = {.status = 0};
    struct cow_density d;
    const uint64_t n = m->geometry.sectors, ss = m->spec.sector_bytes;
    uint64_t on_disk = 0, dirty = 0, beyond = 0;
    for (uint64_t i = first; i < n && i - first < sectors; i++) {
        on_disk++;
        dirty += m->dirty[i];
        beyond += m->backing_path == NULL || (!m->spec.backing_absent && i * ss >= m->spec.backing_bytes);
    }
    must_succeed(cow_image_density(img, first, sectors, &d, &err), err);
    must(d.sectors == on_disk && d.dirty_sectors == dirty && d.beyond_backing_sectors == beyond,
         "%s: density(%" PRIu64 ", %" PRIu64 ") is %" PRIu64 " %" PRIu64 " %" PRIu64 ", not %" PRIu64
         " %" PRIu64 " %" PRIu64,
         model_describe(m), first, sectors, d.sectors, d.dirty_sectors, d.beyond_backing_sectors, on_disk,
         dirty, beyond);
}

static void check_numbers(const struct model *m, struct cow_image *img, struct rng *rng)
{
    const uint64_t n = m->geometry.sectors, ss = m->spec.sector_bytes;
    struct cow_error err = {.status = 0};
    struct cow_usage usage;
    uint64_t dirty = 0, dirty_bytes = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t left = m->spec.size_bytes - i * ss;
        dirty += m->dirty[i];
        dirty_bytes += m->dirty[i] != 0 ? (left < ss ? left : ss) : 0;
    }
    must_succeed(cow_image_usage(img, &usage, &err), err);
    must(usage.dirty_sectors == dirty && usage.dirty_bytes == dirty_bytes, "%s: usage %" PRIu64 " %" PRIu64,
         model_describe(m), usage.dirty_sectors, usage.dirty_bytes);
    must(usage.file_bytes == file_size(m->cow_path), "%s: file_bytes", model_describe(m));
    must(usage.tail_bits == m->tail_bits, "%s: tail_bits is %d", model_describe(m), usage.tail_bits);
    check_density(m, img, 0, n);
    check_density(m, img, 0, UINT64_MAX);
    check_density(m, img, n, 1);
    check_density(m, img, UINT64_MAX, UINT64_MAX);
    for (unsigned i = 0; i < 20; i++) {
        check_density(m, img, rng_below(rng, n + 2), rng_below(rng, n + 2));
    }
}

/* ---- contents ---- */

/* Whether these bytes can be read at all: not where a clean sector needs a backing that is not there. */
static bool readable(const struct model *m, uint64_t offset, uint64_t n_bytes)
{
    const uint64_t ss = m->spec.sector_bytes;
    if (!m->spec.backing_absent || n_bytes == 0) {
        return true;
    }
    for (uint64_t i = offset / ss; i <= (offset + n_bytes - 1) / ss; i++) {
        if (m->dirty[i] == 0) {
            return false;
        }
    }
    return true;
}

static void check_read(const struct model *m, struct cow_image *img, uint64_t offset, uint64_t n_bytes)
{
    struct cow_error err = {.status = 0};
    uint8_t *buffer = malloc(n_bytes + 1);
    must(buffer != NULL, "out of memory");
    memset(buffer, 0xee, n_bytes + 1);
    int status = cow_image_read(img, offset, buffer, n_bytes, &err);
    if (!readable(m, offset, n_bytes)) {
        must(status == COW_IO && err.message[0] != '\0',
             "%s: read(%" PRIu64 ", %" PRIu64 ") without backing: %d", model_describe(m), offset, n_bytes,
             status);
    } else {
        must(status == 0, "%s: %s", model_describe(m), err.message);
        must(memcmp(buffer, m->disk + offset, n_bytes) == 0, "%s: read(%" PRIu64 ", %" PRIu64 ") differs",
             model_describe(m), offset, n_bytes);
    }
    must(buffer[n_bytes] == 0xee, "%s: one byte too many", model_describe(m));
    free(buffer);
}

static void check_sides(const struct model *m, struct cow_image *img, struct rng *rng)
{
    struct cow_error err = {.status = 0};
    uint8_t buffer[5000], wanted[5000] = {0};
    const uint64_t size = m->spec.size_bytes;
    const uint64_t offset = rng_below(rng, size);
    const size_t n = (size_t)(size - offset < sizeof buffer ? size - offset : sizeof buffer);
    must_succeed(cow_image_read_file(img, COW_FILE_COW, offset, buffer, n, &err), err);
    must(memcmp(buffer, m->cow + offset, n) == 0, "%s: the COW's side at %" PRIu64, model_describe(m),
         offset);
    if (m->spec.backing_absent) {
        must_fail(cow_image_read_file(img, COW_FILE_BACKING, offset, buffer, n, &err), COW_IO, err);
        return;
    }
    for (size_t i = 0; m->backing != NULL && i < n; i++) {
        wanted[i] = offset + i < m->spec.backing_bytes ? m->backing[offset + i] : 0;
    }
    must_succeed(cow_image_read_file(img, COW_FILE_BACKING, offset, buffer, n, &err), err);
    must(memcmp(buffer, wanted, n) == 0, "%s: the backing's side at %" PRIu64, model_describe(m), offset);
}

static void check_contents(const struct model *m, struct cow_image *img, struct rng *rng)
{
    const uint64_t size = m->spec.size_bytes, ss = m->spec.sector_bytes;
    struct cow_error err = {.status = 0};
    uint8_t byte;
    check_read(m, img, 0, size);
    check_read(m, img, size, 0);
    check_read(m, img, size - 1, 1);
    for (unsigned i = 0; i < 25; i++) {
        uint64_t offset = rng_below(rng, size);
        uint64_t n = rng_below(rng, 2) != 0 ? rng_below(rng, 3 * ss) : rng_below(rng, size);
        check_read(m, img, offset, n < size - offset ? n : size - offset);
        check_sides(m, img, rng);
    }
    must_fail(cow_image_read(img, size, &byte, 1, &err), COW_USAGE, err);
    must_fail(cow_image_read(img, UINT64_MAX, &byte, 1, &err), COW_USAGE, err);
    must_fail(cow_image_read(img, size - 1, &byte, 2, &err), COW_USAGE, err);
}

/* ---- the matrix ---- */

static void check_everything(const struct model_spec *spec)
{
    struct rng rng = {spec->seed};
    struct model *m = model_create(spec);
    const bool backed = m->backing_path != NULL && !spec->backing_absent;
    const struct witness cow = witness_of(m->cow_path);
    const struct witness backing = backed ? witness_of(m->backing_path) : cow;
    struct cow_image *img = model_opened(m);
    check_runs(m, img);
    check_dirty_runs(m, img);
    check_numbers(m, img, &rng);
    check_contents(m, img, &rng);
    cow_image_close(img);
    witness_check(&cow, "looking");
    witness_check(&backing, "looking");
    unlink(m->cow_path);
    if (backed) {
        unlink(m->backing_path);
    }
    model_free(m);
}

static uint32_t alignment_for(enum cow_format format, uint64_t seed)
{
    static const uint32_t alignments[] = {4096, 512, 1, 65536, 5000};
    return shapes[format].kind == 'a' ? alignments[seed % 5] : 0;
}

START_TEST(every_variant_sector_size_and_pattern)
{
    const enum cow_format format = (enum cow_format)_i;
    const bool qemu = shapes[format].kind == 'q';
    uint64_t seed = 1;
    for (uint32_t sector = 512; sector <= (qemu ? 512u : 65536u);
         sector *= sector == 512 || sector == 8192 ? 8 : 2) {
        static const unsigned counts[] = {1, 7, 8, 9, 63, 64, 65, 333};
        for (unsigned i = 0; i < 8; i++, seed++) {
            if (sector > 8192 && i > 4) {
                continue;
            }
            const uint64_t size = (uint64_t)counts[i] * sector;
            struct model_spec spec = {.format = format,
                                      .size_bytes = size,
                                      .sector_bytes = sector,
                                      .alignment = alignment_for(format, seed),
                                      .pattern = (enum pattern)(seed % PATTERNS),
                                      .garbage = seed % 2 == 0,
                                      .seed = seed};
            if (!qemu && i % 3 == 2) { /* a partial last sector */
                spec.size_bytes -= 1 + seed % (sector - 1);
            }
            static const unsigned eighths[] = {8, 8, 5, 0, 12}; /* of the disk that the backing has */
            spec.backing_bytes = size / 8 * eighths[seed % 5] + (seed % 3 == 0 ? 100 : 0);
            spec.short_file = seed % 7 == 3;
            spec.backing_absent = seed % 11 == 10;
            if (qemu && seed % 4 == 1) {
                spec.backing_bytes = NO_BACKING;
            }
            check_everything(&spec);
        }
    }
}
END_TEST

START_TEST(every_pattern_on_a_larger_disk)
{
    const enum cow_format format = (enum cow_format)_i;
    for (unsigned i = 0; i < PATTERNS; i++) {
        struct model_spec spec = {.format = format,
                                  .size_bytes = (1861 + i) * 512 - (shapes[format].kind == 'q' ? 0 : 211),
                                  .sector_bytes = 512,
                                  .alignment = alignment_for(format, i),
                                  .backing_bytes = 1861 * 512,
                                  .pattern = (enum pattern)i,
                                  .garbage = i % 2 == 0,
                                  .seed = 40 + i};
        check_everything(&spec);
    }
}
END_TEST

START_TEST(a_v1_that_leaves_no_room_behind_its_bitmap)
{
    /* 1859 sectors: the bitmap ends where the data begins, so what follows it is the guest's. */
    struct model_spec spec = {.format = COW_FORMAT_V1,
                              .size_bytes = 1859 * 512,
                              .sector_bytes = 512,
                              .backing_bytes = 1859 * 512,
                              .pattern = PATTERN_ALL,
                              .seed = 5};
    check_everything(&spec);
}
END_TEST

START_TEST(reads_longer_than_a_buffer)
{
    struct model_spec spec = {.format = COW_FORMAT_V3,
                              .size_bytes = 1500 * 1024 + 512,
                              .sector_bytes = 512,
                              .alignment = 4096,
                              .backing_bytes = 1200 * 1024 + 77,
                              .pattern = PATTERN_RUNS,
                              .garbage = true,
                              .seed = 6};
    struct rng rng = {6};
    struct model *m = model_create(&spec);
    struct cow_image *img = model_opened(m);
    check_contents(m, img, &rng);
    check_read(m, img, 1, 1400 * 1024);
    check_read(m, img, 262143, 262146);
    cow_image_close(img);
    model_free(m);
}
END_TEST

START_TEST(a_bitmap_that_is_cut_off_reads_as_clean)
{
    struct model_spec spec = {.format = COW_FORMAT_V3,
                              .size_bytes = 4096 * 512,
                              .sector_bytes = 512,
                              .alignment = 512,
                              .backing_bytes = 4096 * 512,
                              .pattern = PATTERN_ALL,
                              .seed = 7};
    struct model *m = model_create(&spec);
    static const unsigned kept[] = {0, 1, 100, 511};
    for (unsigned i = 0; i < 4; i++) {
        file_truncate(m->cow_path, m->geometry.bitmap_offset + kept[3 - i]);
        struct cow_image *img;
        struct cow_usage usage;
        struct cow_error err = {.status = 0};
        must_succeed(cow_image_open(&img, m->cow_path, NULL, &err), err);
        must_succeed(cow_image_usage(img, &usage, &err), err);
        ck_assert_uint_eq(usage.dirty_sectors, kept[3 - i] * 8);
        cow_image_close(img);
    }
    model_free(m);
}
END_TEST

/* ---- cost ---- */

struct cost {
    uint64_t calls, bytes;
};

static ssize_t costly_pread(void *context, int fd, void *buffer, size_t n_bytes, uint64_t offset)
{
    struct cost *cost = context;
    ssize_t n = io_system.pread(NULL, fd, buffer, n_bytes, offset);
    cost->calls++;
    cost->bytes += n > 0 ? (uint64_t)n : 0;
    return n;
}

static int64_t costly_seek(void *context, int fd, uint64_t offset, int whence)
{
    ((struct cost *)context)->calls++;
    return io_system.seek(NULL, fd, offset, whence);
}

START_TEST(a_huge_sparse_image_costs_little)
{
    const uint64_t size = 8 * TIB - GIB;
    const uint64_t sectors = size / 512;
    const struct geometry g = model_geometry(COW_FORMAT_V3, size, 512, 65536);
    char *path = test_path("huge"), *backing = test_path("huge.img");
    uint8_t header[COW_HEADER_BYTES_MAX];
    file_truncate(backing, size);
    file_write_at(backing, 5 * TIB, "backing", 7);
    file_set_mtime(backing, MODEL_MTIME);
    size_t n = model_header(header, COW_FORMAT_V3, backing, size, 512, 65536, MODEL_MTIME, false);
    file_write(path, header, n);
    static const uint64_t dirty[] = {0, UINT64_C(1) << 33, 0};
    for (unsigned i = 0; i < 3; i++) {
        uint64_t sector = i == 2 ? sectors - 1 : dirty[i];
        uint8_t bit = (uint8_t)(1u << sector % 8);
        file_write_at(path, g.bitmap_offset + sector / 8, &bit, 1);
        file_write_at(path, g.data_offset + sector * 512, "dirty", 5);
    }
    struct cost cost = {0};
    struct cow_io io = io_system;
    struct cow_image *img;
    struct cow_usage usage;
    struct cow_error err = {.status = 0};
    io.context = &cost;
    io.pread = costly_pread;
    io.seek = costly_seek;
    must_succeed(cow_image_open(&img, path, &(struct cow_open_options){.io = &io}, &err), err);
    must_succeed(cow_image_usage(img, &usage, &err), err);
    ck_assert_uint_eq(usage.dirty_sectors, 3);
    unsigned runs = 0;
    struct cow_run run = {.sectors = 0};
    for (uint64_t at = 0; at < sectors; at += run.sectors, runs++) {
        must_succeed(cow_image_next_run(img, at, &run, &err), err);
        must(run.sectors > 0 && runs < 20, "run %u at %" PRIu64, runs, at);
    }
    ck_assert_uint_eq(runs, 7); /* cow, hole, cow, hole, backing, hole, cow */
    for (uint64_t at = sectors; at > 0; at = run.first_sector) {
        must_succeed(cow_image_prev_run(img, at, &run, &err), err);
        must(run.sectors > 0 && run.first_sector + run.sectors == at && runs-- > 0, "run back from %" PRIu64,
             at);
    }
    struct cow_density d;
    must_succeed(cow_image_density(img, 1, sectors - 2, &d, &err), err);
    ck_assert_uint_eq(d.dirty_sectors, 1);
    char text[8] = "";
    must_succeed(cow_image_read(img, size - 512, text, 5, &err), err);
    ck_assert_str_eq(text, "dirty");
    must_succeed(cow_image_read(img, 5 * TIB, text, 7, &err), err);
    ck_assert_str_eq(text, "backing");
    must(cost.bytes < 2 * MIB && cost.calls < 500, "%" PRIu64 " bytes in %" PRIu64 " calls", cost.bytes,
         cost.calls);
    cow_image_close(img);
    unlink(path);
    unlink(backing);
    free(path);
    free(backing);
}
END_TEST

START_TEST(names_of_origins)
{
    static const char *const names[COW_ORIGINS] = {
        "backing", "backing-hole", "beyond-backing", "hole", "cow", "redundant", "zero", "changed", "orphan"};
    for (int i = 0; i < COW_ORIGINS; i++) {
        ck_assert_str_eq(cow_origin_name((enum cow_origin)i), names[i]);
        must(cow_origin_text((enum cow_origin)i)[0] != '\0', "no text");
        must(cow_origin_dirty((enum cow_origin)i) == (i >= COW_ORIGIN_HOLE && i <= COW_ORIGIN_CHANGED), "%s",
             names[i]);
    }
}
END_TEST

Suite *overlay_suite(void)
{
    Suite *suite = suite_create("overlay");
    TCase *tc = tcase_create("overlay");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_loop_test(tc, every_variant_sector_size_and_pattern, 0, COW_FORMATS);
    tcase_add_loop_test(tc, every_pattern_on_a_larger_disk, 0, COW_FORMATS);
    tcase_add_test(tc, a_v1_that_leaves_no_room_behind_its_bitmap);
    tcase_add_test(tc, reads_longer_than_a_buffer);
    tcase_add_test(tc, a_bitmap_that_is_cut_off_reads_as_clean);
    tcase_add_test(tc, a_huge_sparse_image_costs_little);
    tcase_add_test(tc, names_of_origins);
    suite_add_tcase(suite, tc);
    return suite;
}

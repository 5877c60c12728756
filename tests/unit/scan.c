/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Looking into the bytes, against the model: the origin of each sector by the truth table, whatever the order
 * in which is asked; mixed pages; what it costs; and what it answers where it cannot look.
 */
#include <errno.h>
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

static bool all_zero(const uint8_t *bytes, uint64_t n_bytes)
{
    for (uint64_t i = 0; i < n_bytes; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

static uint8_t dirty_origin(bool same, bool hole, bool zero)
{
    return same ? COW_ORIGIN_REDUNDANT : hole ? COW_ORIGIN_HOLE : zero ? COW_ORIGIN_ZERO : COW_ORIGIN_CHANGED;
}

/* The scanned origin of each sector, by the truth table. */
static uint8_t *origins_of(const struct model *m)
{
    const struct geometry *g = &m->geometry;
    const uint32_t ss = m->spec.sector_bytes;
    uint8_t *origin = calloc(g->sectors + 1, 1), *base = calloc(g->sectors + 1, ss);
    must(origin != NULL && base != NULL, "out of memory");
    if (m->backing != NULL) {
        const uint64_t n = g->sectors * ss;
        memcpy(base, m->backing, m->spec.backing_bytes < n ? m->spec.backing_bytes : n);
    }
    int cow = open(m->cow_path, O_RDONLY | O_CLOEXEC);
    int backing = m->backing_path != NULL ? open(m->backing_path, O_RDONLY | O_CLOEXEC) : -1;
    for (uint64_t i = 0; i < g->sectors; i++) {
        const uint64_t at = i * ss, left = m->spec.size_bytes - at, n = left < ss ? left : ss;
        const bool same = memcmp(m->cow + at, base + at, n) == 0, zero = all_zero(m->cow + at, n);
        if (m->dirty[i] != 0) {
            origin[i] =
                dirty_origin(same, all_hole(cow, g->data_offset + at, g->data_offset + at + ss), zero);
        } else if (!same && !zero) {
            origin[i] = COW_ORIGIN_ORPHAN;
        } else if (m->backing_path == NULL || at >= m->spec.backing_bytes) {
            origin[i] = COW_ORIGIN_BEYOND_BACKING;
        } else {
            origin[i] = all_hole(backing, at, at + ss) ? COW_ORIGIN_BACKING_HOLE : COW_ORIGIN_BACKING;
        }
    }
    close(cow);
    if (backing >= 0) {
        close(backing);
    }
    free(base);
    return origin;
}

static int64_t host_offset_of(const struct model *m, uint64_t sector)
{
    const uint64_t at = sector * m->spec.sector_bytes;
    return m->dirty[sector] != 0                                    ? (int64_t)(m->geometry.data_offset + at)
           : m->backing_path == NULL || at >= m->spec.backing_bytes ? COW_NO_OFFSET
                                                                    : (int64_t)at;
}

static bool is_mixed(const struct model *m, uint64_t page, uint64_t *first, uint64_t *sectors)
{
    const uint64_t unit = 4096 / m->spec.sector_bytes, n = m->geometry.sectors;
    uint64_t dirty = 0;
    *first = page * unit;
    *sectors = n - *first < unit ? n - *first : unit;
    for (uint64_t i = 0; i < *sectors; i++) {
        dirty += m->dirty[*first + i];
    }
    return dirty > 0 && dirty < *sectors;
}

/* ---- asking ---- */

/* A run is right if each of its sectors has its origin; it may be cut anywhere. */
static void check_run(const struct model *m, const uint8_t *origin, uint64_t at, const struct cow_run *run)
{
    must(run->first_sector == at && run->sectors > 0 && run->sectors <= m->geometry.sectors - at,
         "%s: run %" PRIu64 "+%" PRIu64 " at %" PRIu64, model_describe(m), run->first_sector, run->sectors,
         at);
    must(run->host_offset == host_offset_of(m, at), "%s: sector %" PRIu64 " lies at %" PRId64,
         model_describe(m), at, run->host_offset);
    for (uint64_t i = at; i < at + run->sectors; i++) {
        must(run->origin == origin[i], "%s: sector %" PRIu64 " is %s, not %s (run from %" PRIu64 ")",
             model_describe(m), i, cow_origin_name(run->origin), cow_origin_name((enum cow_origin)origin[i]),
             at);
    }
}

static void check_runs(const struct model *m, struct cow_image *img, const uint8_t *origin, struct rng *rng)
{
    const uint64_t n = m->geometry.sectors, bytes = n * m->spec.sector_bytes;
    struct cow_error err = {.status = 0};
    struct cow_scan *scan;
    struct cow_run run;
    uint64_t runs = 0, changes = 0;
    must_succeed(cow_scan_open(&scan, img, &err), err);
    for (uint64_t at = 0; at < n; at += run.sectors, runs++) {
        must_succeed(cow_scan_run(scan, at, &run, &err), err);
        check_run(m, origin, at, &run);
    }
    for (uint64_t i = 0; i < n; i++) {
        changes += i > 0 && (origin[i] != origin[i - 1] || m->dirty[i] != m->dirty[i - 1]);
    }
    must(runs <= 2 * changes + bytes / 32768 + 2, "%s: %" PRIu64 " runs for %" PRIu64 " changes",
         model_describe(m), runs, changes);
    for (unsigned i = 0; i < 200; i++) { /* any order */
        const uint64_t at = rng_below(rng, n);
        must_succeed(cow_scan_run(scan, at, &run, &err), err);
        check_run(m, origin, at, &run);
    }
    for (uint64_t at = n; at-- > 0;) { /* backwards */
        must_succeed(cow_scan_run(scan, at, &run, &err), err);
        check_run(m, origin, at, &run);
    }
    static const uint64_t past[] = {0, 1, 7, 100000};
    for (unsigned i = 0; i < 4; i++) {
        must_succeed(cow_scan_run(scan, n + past[i], &run, &err), err);
        must(run.sectors == 0, "%s: a run past the end", model_describe(m));
    }
    must_succeed(cow_scan_run(scan, UINT64_MAX, &run, &err), err);
    must(run.sectors == 0, "%s: a run at the end of numbers", model_describe(m));
    must_succeed(cow_scan_run(scan, 0, &run, &err), err); /* and it goes on after that */
    check_run(m, origin, 0, &run);
    cow_scan_close(scan);
}

static uint64_t check_mixed(const struct model *m, struct cow_image *img)
{
    struct cow_error err = {.status = 0};
    struct cow_dirty_run page;
    const uint64_t n = m->geometry.sectors, ss = m->spec.sector_bytes;
    uint64_t count = 0;
    if (ss >= 4096) {
        must_succeed(cow_image_next_mixed(img, 0, &page, &err), err);
        must(page.sectors == 0, "%s: a mixed page", model_describe(m));
        return 0;
    }
    const uint64_t unit = 4096 / ss, pages = (n + unit - 1) / unit;
    uint64_t first = n, sectors = 0; /* of the next mixed page */
    for (uint64_t p = pages; p-- > 0;) {
        uint64_t f, s;
        if (is_mixed(m, p, &f, &s)) {
            first = f;
            sectors = s;
            count++;
        }
        for (uint64_t at = p * unit; at < (p + 1) * unit && at < n; at++) {
            must_succeed(cow_image_next_mixed(img, at, &page, &err), err);
            must(page.sectors == sectors && (sectors == 0 || page.first_sector == first),
                 "%s: next_mixed(%" PRIu64 ") is %" PRIu64 "+%" PRIu64 ", not %" PRIu64 "+%" PRIu64,
                 model_describe(m), at, page.first_sector, page.sectors, first, sectors);
        }
    }
    for (uint64_t at = n; at < n + 9; at++) {
        must_succeed(cow_image_next_mixed(img, at, &page, &err), err);
        must(page.sectors == 0, "%s: a mixed page past the end", model_describe(m));
    }
    must_succeed(cow_image_next_mixed(img, UINT64_MAX, &page, &err), err);
    must(page.sectors == 0, "%s: a mixed page at the end of numbers", model_describe(m));
    return count;
}

/* Which origins the whole suite has seen: a table that is never asked for proves nothing. */
static void check_everything(const struct model_spec *spec, uint64_t seen[COW_ORIGINS])
{
    struct rng rng = {spec->seed + 77};
    struct model *m = model_create(spec);
    const bool backed = m->backing_path != NULL;
    const struct witness cow = witness_of(m->cow_path);
    const struct witness backing = backed ? witness_of(m->backing_path) : cow;
    const unsigned files = open_files();
    struct cow_error err = {.status = 0};
    struct cow_scan_counts counts, wanted = {.mixed_pages = 0};
    struct cow_image *img = model_opened(m);
    uint8_t *origin = origins_of(m);
    for (uint64_t i = 0; i < m->geometry.sectors; i++) {
        wanted.sectors[origin[i]]++;
        seen[origin[i]]++;
    }
    check_runs(m, img, origin, &rng);
    wanted.mixed_pages = check_mixed(m, img);
    must_succeed(cow_image_scan(img, NULL, &counts, &err), err);
    must(memcmp(&counts, &wanted, sizeof counts) == 0,
         "%s: counted redundant %" PRIu64 " hole %" PRIu64 " zero %" PRIu64 " changed %" PRIu64
         " orphan %" PRIu64 " mixed %" PRIu64,
         model_describe(m), counts.sectors[COW_ORIGIN_REDUNDANT], counts.sectors[COW_ORIGIN_HOLE],
         counts.sectors[COW_ORIGIN_ZERO], counts.sectors[COW_ORIGIN_CHANGED],
         counts.sectors[COW_ORIGIN_ORPHAN], counts.mixed_pages);
    cow_image_close(img);
    must(open_files() == files, "a file was left open");
    witness_check(&cow, "scanning");
    witness_check(&backing, "scanning");
    unlink(m->cow_path);
    if (backed) {
        unlink(m->backing_path);
    }
    free(origin);
    model_free(m);
}

static uint32_t alignment_for(enum cow_format format, uint64_t seed)
{
    static const uint32_t alignments[] = {4096, 512, 1, 65536, 5000};
    return shapes[format].kind == 'a' ? alignments[seed % 5] : 0;
}

/* ---- the matrix ---- */

START_TEST(every_variant_sector_size_and_pattern)
{
    const enum cow_format format = (enum cow_format)_i;
    const bool qemu = shapes[format].kind == 'q';
    static const uint32_t sizes[] = {512, 1024, 4096, 65536};
    uint64_t seed = 1 + (uint64_t)_i, seen[COW_ORIGINS] = {0};
    for (unsigned k = 0; k < (qemu ? 1 : 4); k++) {
        for (unsigned pattern = 0; pattern < PATTERNS; pattern++, seed++) {
            const uint32_t sector = sizes[k];
            const uint64_t sectors = sector > 4096 ? 9 + seed % 20 : 90 + 97 * (seed % 5) + seed % 9;
            struct model_spec spec = {.format = format,
                                      .size_bytes = sectors * sector,
                                      .sector_bytes = sector,
                                      .alignment = alignment_for(format, seed),
                                      .pattern = (enum pattern)pattern,
                                      .garbage = seed % 3 != 0,
                                      .short_file = seed % 7 == 3,
                                      .dull_from = sectors / 2 * sector,
                                      .seed = seed};
            if (!qemu && seed % 3 == 2) { /* a partial last sector */
                spec.size_bytes -= 1 + seed * 131 % (sector - 1);
            }
            static const unsigned eighths[] = {8, 8, 6, 0, 12}; /* of the disk that the backing has */
            spec.backing_bytes = sectors * sector / 8 * eighths[seed % 5] + (seed % 3 == 0 ? 100 : 0);
            if (qemu && seed % 4 == 1) {
                spec.backing_bytes = NO_BACKING;
            }
            check_everything(&spec, seen);
        }
    }
    static const enum cow_origin told[] = {
        COW_ORIGIN_BACKING, COW_ORIGIN_BEYOND_BACKING, COW_ORIGIN_REDUNDANT, COW_ORIGIN_HOLE,
        COW_ORIGIN_ZERO,    COW_ORIGIN_CHANGED,        COW_ORIGIN_ORPHAN};
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
        must(seen[told[i]] > 0 || qemu, "the test itself: no sector was %s", cow_origin_name(told[i]));
    }
}
END_TEST

/* Runs that are longer than what is read at once. */
START_TEST(runs_of_several_pieces)
{
    uint64_t seen[COW_ORIGINS] = {0};
    for (unsigned i = 0; i < 3; i++) {
        static const uint32_t sectors[] = {512, 4096, 65536};
        const struct model_spec spec = {.format = COW_FORMAT_V3,
                                        .size_bytes = (UINT64_C(3) << 20) + 1000 * 512 - i * 77,
                                        .sector_bytes = sectors[i],
                                        .alignment = 4096,
                                        .backing_bytes = (UINT64_C(3) << 20) - i * 5000,
                                        .pattern = i == 1 ? PATTERN_ALL : PATTERN_LONG,
                                        .garbage = true,
                                        .seed = 70 + i};
        check_everything(&spec, seen);
    }
}
END_TEST

/* A page that is mixed by one sector, at each place; and disks that end at each place inside a page. */
START_TEST(mixed_pages_at_every_edge)
{
    uint64_t seen[COW_ORIGINS] = {0};
    for (unsigned end = 0; end < 16; end++) {
        for (unsigned pattern = 0; pattern <= PATTERN_EDGES; pattern++) {
            const struct model_spec spec = {.format = COW_FORMAT_V3,
                                            .size_bytes = (128 + end / 2) * 512 - (end % 2) * 100,
                                            .sector_bytes = 512,
                                            .alignment = 512,
                                            .backing_bytes = 0,
                                            .pattern = (enum pattern)pattern,
                                            .seed = end};
            check_everything(&spec, seen);
        }
    }
    for (unsigned first = 0; first < 40; first++) {
        struct model_spec spec = {.format = COW_FORMAT_V3,
                                  .size_bytes = 37 * 512,
                                  .sector_bytes = 512,
                                  .alignment = 512,
                                  .backing_bytes = 37 * 512,
                                  .seed = first};
        struct model *m = model_create(&spec);
        const unsigned length = 1 + first % 11;
        for (unsigned i = first; i < first + length && i < 37; i++) {
            m->dirty[i] = 1;
        }
        uint8_t bits[5] = {0};
        for (unsigned i = 0; i < 37; i++) {
            bits[i / 8] = (uint8_t)(bits[i / 8] | m->dirty[i] << i % 8);
        }
        file_write_at(m->cow_path, m->geometry.bitmap_offset, bits, sizeof bits);
        struct cow_image *img = model_opened(m);
        check_mixed(m, img);
        cow_image_close(img);
        model_free(m);
    }
}
END_TEST

/* ---- where it cannot look ---- */

START_TEST(without_its_backing_file)
{
    const struct model_spec spec = {.format = COW_FORMAT_V3,
                                    .size_bytes = 300 * 512,
                                    .sector_bytes = 512,
                                    .alignment = 4096,
                                    .backing_bytes = 300 * 512,
                                    .pattern = PATTERN_RANDOM,
                                    .backing_absent = true,
                                    .seed = 3};
    struct model *m = model_create(&spec);
    struct cow_error err = {.status = 0};
    struct cow_scan *scan = NULL;
    struct cow_scan_counts counts = {.mixed_pages = 4711};
    struct cow_image *img = model_opened(m);
    must_fail(cow_scan_open(&scan, img, &err), COW_IO, err);
    must(scan == NULL, "*out was touched");
    must_fail(cow_image_scan(img, NULL, &counts, &err), COW_IO, err);
    must(counts.mixed_pages == 4711, "*out was touched");
    check_mixed(m, img); /* that needs bits only */
    cow_image_close(img);
    cow_scan_close(NULL);

    must(mkdir(m->backing_path, 0700) == 0, "mkdir"); /* there, and not usable */
    img = model_opened(m);
    must_fail(cow_scan_open(&scan, img, &err), COW_IO, err);
    cow_image_close(img);
    rmdir(m->backing_path);
    model_free(m);
}
END_TEST

START_TEST(an_unfinished_image)
{
    const struct model_spec spec = {.format = COW_FORMAT_V3,
                                    .size_bytes = 300 * 512,
                                    .sector_bytes = 512,
                                    .alignment = 4096,
                                    .backing_bytes = 300 * 512,
                                    .seed = 3};
    struct model *m = model_create(&spec);
    uint8_t mark[8];
    memset(mark, 0xff, sizeof mark);
    file_write_at(m->cow_path, shapes[COW_FORMAT_V3].size, mark, sizeof mark);
    struct cow_error err = {.status = 0};
    struct cow_scan *scan = NULL;
    struct cow_scan_counts counts = {.mixed_pages = 4711};
    struct cow_dirty_run page;
    struct cow_image *img = model_opened(m);
    must_fail(cow_scan_open(&scan, img, &err), COW_INVALID, err);
    must_fail(cow_image_scan(img, NULL, &counts, &err), COW_INVALID, err);
    must_fail(cow_image_next_mixed(img, 0, &page, &err), COW_INVALID, err);
    must(scan == NULL && counts.mixed_pages == 4711, "*out was touched");
    cow_image_close(img);
    model_free(m);
}
END_TEST

/* ---- stopping, failing ---- */

struct asked {
    unsigned calls, stop_at;
    uint64_t done_bytes;
};

static bool count_progress(void *context, const struct cow_progress *progress)
{
    struct asked *asked = context;
    must(progress->total_bytes > 0 && progress->done_bytes <= progress->total_bytes &&
             progress->done_bytes >= asked->done_bytes && progress->phase[0] != '\0' && progress->can_cancel,
         "progress %" PRIu64 " of %" PRIu64, progress->done_bytes, progress->total_bytes);
    asked->done_bytes = progress->done_bytes;
    return ++asked->calls == asked->stop_at;
}

static struct model *long_model(void)
{
    const struct model_spec spec = {.format = COW_FORMAT_V3,
                                    .size_bytes = 5 * MIB,
                                    .sector_bytes = 512,
                                    .alignment = 4096,
                                    .backing_bytes = 5 * MIB,
                                    .pattern = PATTERN_ALL,
                                    .seed = 9};
    return model_create(&spec);
}

START_TEST(a_scan_can_be_stopped)
{
    struct model *m = long_model();
    const struct witness cow = witness_of(m->cow_path), backing = witness_of(m->backing_path);
    struct cow_error err = {.status = 0};
    struct cow_image *img = model_opened(m);
    struct asked all = {.stop_at = 0};
    struct cow_scan_counts counts;
    must_succeed(
        cow_image_scan(img, &(struct cow_env){.progress = count_progress, .context = &all}, &counts, &err),
        err);
    must(all.calls >= 4, "asked %u times only", all.calls);
    for (unsigned at = 1; at <= all.calls; at++) {
        struct asked asked = {.stop_at = at};
        const struct cow_env env = {.progress = count_progress, .context = &asked};
        const unsigned files = open_files();
        counts.mixed_pages = 4711;
        must_fail(cow_image_scan(img, &env, &counts, &err), COW_CANCELLED, err);
        must(asked.calls == at && counts.mixed_pages == 4711 && open_files() == files, "stopped at %u", at);
    }
    const struct cow_env silent = {.progress = NULL};
    must_succeed(cow_image_scan(img, &silent, &counts, &err), err);
    cow_image_close(img);
    witness_check(&cow, "stopped");
    witness_check(&backing, "stopped");
    model_free(m);
}
END_TEST

static ssize_t failing_pread(void *context, int fd, void *buffer, size_t n_bytes, uint64_t offset)
{
    int *left = context;
    return --*left == 0 ? -EIO : io_system.pread(NULL, fd, buffer, n_bytes, offset);
}

static int64_t failing_seek(void *context, int fd, uint64_t offset, int whence)
{
    int *left = context;
    return --*left == 0 ? -EIO : io_system.seek(NULL, fd, offset, whence);
}

START_TEST(each_call_fails_once)
{
    const struct model_spec spec = {.format = COW_FORMAT_V3,
                                    .size_bytes = 600 * 512,
                                    .sector_bytes = 512,
                                    .alignment = 4096,
                                    .backing_bytes = 500 * 512,
                                    .pattern = PATTERN_RUNS,
                                    .garbage = true,
                                    .seed = 9};
    struct model *m = model_create(&spec);
    bool struck = true;
    for (int at = 1; struck; at++) {
        int left = 0;
        struct cow_io io = io_system;
        struct cow_image *img;
        struct cow_error err = {.status = 0};
        struct cow_scan_counts counts = {.mixed_pages = 4711};
        io.context = &left;
        io.pread = failing_pread;
        io.seek = failing_seek;
        must_succeed(cow_image_open(&img, m->cow_path, &(struct cow_open_options){.io = &io}, &err), err);
        left = at;
        int status = cow_image_scan(img, NULL, &counts, &err);
        struck = left <= 0;
        if (struck) {
            must_fail(status, COW_IO, err);
            must(counts.mixed_pages == 4711, "*out was touched");
        } else {
            must_succeed(status, err);
        }
        cow_image_close(img);
        must(at < 500, "no end");
    }
    model_free(m);
}
END_TEST

/* After a failure a scan can be asked again. */
START_TEST(a_scan_outlives_a_failure)
{
    struct model *m = long_model();
    uint8_t *origin = origins_of(m);
    int left = 0;
    struct cow_io io = io_system;
    struct cow_image *img;
    struct cow_scan *scan;
    struct cow_run run;
    struct cow_error err = {.status = 0};
    io.context = &left;
    io.pread = failing_pread;
    must_succeed(cow_image_open(&img, m->cow_path, &(struct cow_open_options){.io = &io}, &err), err);
    must_succeed(cow_scan_open(&scan, img, &err), err);
    for (int at = 1; at <= 2; at++) {
        const uint64_t sector = 3000 * (uint64_t)at;
        must_succeed(cow_scan_run(scan, 0, &run, &err), err);
        left = at;
        (void)cow_scan_run(scan, sector, &run, &err);
        left = 0;
        must_succeed(cow_scan_run(scan, sector, &run, &err), err);
        check_run(m, origin, sector, &run);
        must_succeed(cow_scan_run(scan, 0, &run, &err), err);
        check_run(m, origin, 0, &run);
    }
    cow_scan_close(scan);
    cow_image_close(img);
    free(origin);
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

/* Nearly 8 TiB: three dirty sectors, a GiB of dirty holes over holes and over a little data, an orphan. */
START_TEST(a_huge_sparse_image_costs_little)
{
    const uint64_t size = 8 * TIB - GIB, sectors = size / 512;
    char *path = test_path("huge"), *backing = test_path("huge.img");
    uint8_t *ones = malloc(GIB / 512 / 8);
    must(ones != NULL, "out of memory");
    memset(ones, 0xff, GIB / 512 / 8);
    file_truncate(backing, size);
    file_write_at(backing, 5 * TIB, "backing", 7);
    file_write_at(backing, 2 * TIB + 512 * MIB, "under a hole", 12);
    file_set_mtime(backing, MODEL_MTIME);
    const struct geometry g = model_put_empty(path, COW_FORMAT_V3, backing, size, 512, 65536);
    const uint64_t dirty[] = {0, UINT64_C(1) << 33, sectors - 1};
    for (unsigned i = 0; i < 3; i++) {
        uint8_t bit = (uint8_t)(1u << dirty[i] % 8);
        file_write_at(path, g.bitmap_offset + dirty[i] / 8, &bit, 1);
        file_write_at(path, g.data_offset + dirty[i] * 512, "dirty", 5);
    }
    file_write_at(path, g.bitmap_offset + 2 * TIB / 512 / 8, ones, GIB / 512 / 8);
    file_write_at(path, g.data_offset + 6 * TIB, "orphan", 6);
    free(ones);

    struct cost cost = {0};
    struct cow_io io = io_system;
    struct cow_image *img;
    struct cow_scan_counts counts;
    struct cow_error err = {.status = 0};
    io.context = &cost;
    io.pread = costly_pread;
    io.seek = costly_seek;
    must_succeed(cow_image_open(&img, path, &(struct cow_open_options){.io = &io}, &err), err);
    must_succeed(cow_image_scan(img, NULL, &counts, &err), err);
    ck_assert_uint_eq(counts.sectors[COW_ORIGIN_CHANGED], 3);
    ck_assert_uint_eq(counts.sectors[COW_ORIGIN_ORPHAN], 1);
    ck_assert_uint_eq(counts.sectors[COW_ORIGIN_HOLE], 1);
    ck_assert_uint_eq(counts.sectors[COW_ORIGIN_REDUNDANT], GIB / 512 - 1);
    ck_assert_uint_eq(counts.mixed_pages, 3);
    must(cost.bytes < 8 * MIB && cost.calls < 500, "%" PRIu64 " bytes in %" PRIu64 " calls", cost.bytes,
         cost.calls);
    cow_image_close(img);
    unlink(path);
    unlink(backing);
    free(path);
    free(backing);
}
END_TEST

Suite *scan_suite(void)
{
    Suite *suite = suite_create("scan");
    TCase *tc = tcase_create("scan");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_loop_test(tc, every_variant_sector_size_and_pattern, 0, COW_FORMATS);
    tcase_add_test(tc, runs_of_several_pieces);
    tcase_add_test(tc, mixed_pages_at_every_edge);
    tcase_add_test(tc, without_its_backing_file);
    tcase_add_test(tc, an_unfinished_image);
    tcase_add_test(tc, a_scan_can_be_stopped);
    tcase_add_test(tc, each_call_fails_once);
    tcase_add_test(tc, a_scan_outlives_a_failure);
    tcase_add_test(tc, a_huge_sparse_image_costs_little);
    suite_add_tcase(suite, tc);
    return suite;
}

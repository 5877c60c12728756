/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What looking costs, in steps and calls and not in time: counts that are kept, slices that end at each read,
 * runs that are found without walking a stretch, and pages that are looked for in a part of the disk only.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/io.h"
#include "cow/scan.h"
#include "support.h"
#include "tui/jobs/cells_job.h"
#include "tui/jobs/scan_job.h"
#include "tui/screen/clock.h"

#define DISK_BYTES (UINT64_C(16) << 30)
enum {
    SECTOR = 512,
    SPOTS = 2000,
    ISLANDS = 2000,
    CELLS = 1000,
    PAGE_SECTORS = 8 * COW_DENSITY_UNIT_SECTORS
};

/* A disk of 16 GiB: 2000 pages of 4 KiB in the COW, 8 MiB apart, the first at 4 MiB; and in the backing file
 * 2000 islands of data in what is a hole otherwise. */
static char *make_disk(struct geometry *geometry)
{
    const uint8_t byte = 0xff;
    char *path = model_put_holes(geometry, DISK_BYTES), *backing = test_path("m.img");
    int cow = file_open_to_write(path), below = file_open_to_write(backing);
    for (uint64_t i = 0; i < SPOTS; i++) {
        const uint64_t sector = (UINT64_C(4) << 20) / SECTOR + i * (UINT64_C(8) << 20) / SECTOR;
        file_write_to(cow, geometry->bitmap_offset + sector / 8, &byte, 1);
    }
    for (uint64_t i = 0; i < ISLANDS; i++) {
        file_write_to(below, DISK_BYTES - (i + 1) * 128 * 1024, &byte, 1);
    }
    close(cow);
    close(below);
    free(backing);
    return path;
}

/* ---- counts of cells ---- */

static void finish(struct tui_cells *cells)
{
    while (tui_job_waits(&cells->job, true)) {
        cells->job.job_class->slice(cells);
    }
}

static uint64_t dirty_of(const struct tui_cells *cells)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < CELLS; i++) {
        const struct cow_density *count = tui_cells_at(cells, i);
        must(count != NULL, "cell %zu was not counted", i);
        sum += count->dirty_sectors;
    }
    return sum;
}

START_TEST(a_window_is_counted_once)
{
    const uint64_t cell = DISK_BYTES / SECTOR / CELLS + 1;
    struct geometry geometry;
    char *path = make_disk(&geometry);
    struct tui_subject subject = {.generation = 1, .interactive = _i == 1, .image = image_opened(path, NULL)};
    struct tui_cells cells;
    tui_cells_init(&cells, &subject);
    tui_cells_again(&cells);
    finish(&cells);
    must(cells.usage_known && cells.usage.dirty_sectors == SPOTS * 8, "the usage is not known");
    const uint64_t whole = cells.steps;
    must(whole <= geometry.sectors / PAGE_SECTORS + 2, "%lu steps for the disk", (unsigned long)whole);
    must(tui_cells_show(&cells, 0, cell, CELLS, NULL) == 0, "not shown");
    finish(&cells);
    ck_assert_uint_eq(dirty_of(&cells), SPOTS * 8);
    const uint64_t first = cells.steps;
    must(tui_cells_show(&cells, 0, cell / 2, CELLS, NULL) == 0, "not shown");
    finish(&cells);
    ck_assert_uint_lt(dirty_of(&cells), SPOTS * 8);
    const uint64_t both = cells.steps;
    must(both > first, "the second window was not counted");
    for (int i = 0; i < 10; i++) {
        must(tui_cells_show(&cells, 0, i % 2 ? cell / 2 : cell, CELLS, NULL) == 0, "not shown");
        must(!tui_job_waits(&cells.job, true), "counted again");
    }
    ck_assert_uint_eq(cells.steps, both);
    tui_cells_again(&cells); /* another image: nothing of the old one is told */
    must(tui_cells_at(&cells, 0) == NULL, "of another image");
    finish(&cells);
    must(tui_cells_show(&cells, 0, cell, CELLS, NULL) == 0, "not shown");
    finish(&cells);
    ck_assert_uint_eq(dirty_of(&cells), SPOTS * 8);
    tui_cells_end(&cells);
    cow_image_close(subject.image);
    free(path);
}
END_TEST

/* ---- slices that end at reads ---- */

struct reader {
    struct tui_job job;
    const char *path;
    unsigned reads, failed;
};

static bool reader_waits(const void *owner)
{
    (void)owner;
    return true;
}

/* A hundred reads of half a slice each, and no progress is told. */
static void read_slowly(void *owner)
{
    struct reader *reader = owner;
    const struct cow_io *io = tui_job_io(&reader->job);
    int fd = io->open(io->context, reader->path, O_RDONLY, 0);
    char byte;
    reader->reads = reader->failed = 0;
    for (int i = 0; i < 100; i++) {
        const double begun = tui_clock();
        while (tui_clock() - begun < tui_slice_seconds / 2) {
        }
        const ssize_t n = io->pread(io->context, fd, &byte, 1, 0);
        reader->reads += n == 1;
        reader->failed += n == -ECANCELED;
    }
    io->close(io->context, fd);
    reader->job.state = tui_job_shall_stop(&reader->job) ? TUI_JOB_STOPPED : TUI_JOB_DONE;
}

static void reader_slice(void *owner)
{
    struct reader *reader = owner;
    tui_job_go_on(&reader->job, read_slowly);
}

static const struct tui_job_class reader_class = {
    .waits = reader_waits, .slice = reader_slice, .is_fiber = true};

START_TEST(a_slice_ends_at_a_read)
{
    char *path = test_path("file");
    struct tui_subject subject = {.generation = 1, .interactive = _i == 1};
    struct reader reader = {.path = path};
    int slices = 0;
    file_write(path, "x", 1);
    tui_job_init(&reader.job, &reader_class, &reader, &subject);
    do {
        reader_slice(&reader);
        slices++;
    } while (reader.job.state == TUI_JOB_RUNNING);
    ck_assert_int_eq(reader.job.state, TUI_JOB_DONE);
    ck_assert_uint_eq(reader.reads, 100);
    must(subject.interactive ? slices >= 30 : slices == 1, "%d slices", slices);
    tui_job_end(&reader.job);
    free(path);
}
END_TEST

START_TEST(a_stop_is_heard_at_a_read)
{
    char *path = test_path("file");
    struct tui_subject subject = {.generation = 1, .interactive = true};
    struct reader reader = {.path = path};
    file_write(path, "x", 1);
    tui_job_init(&reader.job, &reader_class, &reader, &subject);
    reader_slice(&reader);
    ck_assert_int_eq(reader.job.state, TUI_JOB_RUNNING);
    tui_job_halt(&reader.job);
    ck_assert_int_eq(reader.job.state, TUI_JOB_STOPPED);
    ck_assert_uint_ge(reader.failed, 90);
    tui_job_end(&reader.job);
    free(path);
}
END_TEST

/* ---- runs ---- */

struct counted {
    struct cow_io io;
    unsigned calls; /* seeks and reads */
};

static int64_t counted_seek(void *context, int fd, uint64_t offset, int whence)
{
    ((struct counted *)context)->calls++;
    return io_system.seek(io_system.context, fd, offset, whence);
}

static ssize_t counted_pread(void *context, int fd, void *buffer, size_t n_bytes, uint64_t offset)
{
    ((struct counted *)context)->calls++;
    return io_system.pread(io_system.context, fd, buffer, n_bytes, offset);
}

static void count_calls(struct counted *counted)
{
    *counted = (struct counted){.io = io_system};
    counted->io.context = counted;
    counted->io.seek = counted_seek;
    counted->io.pread = counted_pread;
}

/* The end of the disk has one stretch without bits, and hundreds of islands of the backing file in it. */
START_TEST(the_run_before_is_found_by_halves)
{
    struct geometry geometry;
    char *path = make_disk(&geometry);
    struct counted counted;
    struct cow_run run, before;
    struct cow_error err = {.status = 0};
    struct cow_usage usage;
    count_calls(&counted);
    /* the islands' stretch has no bits: those of the last 256 MiB are taken out */
    uint8_t *zeros = calloc(1, (size_t)(256 << 20) / SECTOR / 8);
    file_write_at(path, geometry.bitmap_offset + (DISK_BYTES - (256 << 20)) / SECTOR / 8, zeros,
                  (size_t)(256 << 20) / SECTOR / 8);
    free(zeros);
    struct cow_image *image = image_opened(path, &(struct cow_open_options){.io = &counted.io});
    must_succeed(cow_image_usage(image, &usage, &err), err);
    uint64_t at = geometry.sectors, runs = 0;
    counted.calls = 0;
    must_succeed(cow_image_prev_run(image, at, &before, &err), err);
    must(counted.calls < 200, "%u calls for the last run", counted.calls);
    for (; at > geometry.sectors - (100 << 20) / SECTOR; at = before.first_sector, runs++) {
        must_succeed(cow_image_prev_run(image, at, &before, &err), err);
        must_succeed(cow_image_next_run(image, before.first_sector, &run, &err), err);
        must(before.first_sector + before.sectors == at && run.origin == before.origin &&
                 run.sectors == before.sectors && run.host_offset == before.host_offset,
             "the run before %lu is not the one that begins there", (unsigned long)at);
    }
    must(runs > 100, "%lu runs only", (unsigned long)runs);
    cow_image_close(image);
    free(path);
}
END_TEST

START_TEST(runs_that_were_asked_for_are_kept)
{
    struct geometry geometry;
    char *path = make_disk(&geometry);
    struct tui_subject subject = {.generation = 1, .image = image_opened(path, NULL)};
    static struct tui_scan scan;
    struct cow_run run, again;
    tui_scan_init(&scan, &subject);
    for (int round = 0; round < 3; round++) {
        uint64_t sector = 0;
        for (int i = 0; i < 100; i++, sector = run.first_sector + run.sectors) {
            must(tui_scan_run_at(&scan, sector, &run, NULL) == 0, "no run");
            must(tui_scan_run_at(&scan, sector + run.sectors / 2, &again, NULL) == 0, "no run");
            must(memcmp(&run, &again, sizeof run) == 0, "another run");
        }
        ck_assert_uint_eq(scan.looked, 100);
    }
    subject.generation++;
    must(tui_scan_run_at(&scan, 0, &run, NULL) == 0, "no run");
    ck_assert_uint_eq(scan.looked, 101);
    scan.job.job_class->forget(&scan);
    cow_image_close(subject.image);
    free(path);
}
END_TEST

/* None of the pages is mixed, so who looks on reads all bits. */
START_TEST(mixed_pages_are_looked_for_where_it_is_asked)
{
    struct geometry geometry;
    char *path = make_disk(&geometry);
    struct counted counted;
    struct cow_dirty_run page;
    struct cow_error err = {.status = 0};
    const uint8_t some = 0x0f;
    count_calls(&counted);
    struct cow_image *image = image_opened(path, &(struct cow_open_options){.io = &counted.io});
    counted.calls = 0;
    must_succeed(cow_image_next_mixed_in(image, 0, 100000, &page, &err), err);
    must(page.sectors == 0 && counted.calls <= 6, "%u calls", counted.calls);
    must_succeed(cow_image_next_mixed(image, 0, &page, &err), err);
    must(page.sectors == 0 && counted.calls > 30, "%u calls for all of it", counted.calls);
    cow_image_close(image);
    file_write_at(path, geometry.bitmap_offset + 100000 / 8, &some, 1); /* of the page at sector 100000 */
    image = image_opened(path, &(struct cow_open_options){.io = &counted.io});
    must_succeed(cow_image_next_mixed_in(image, 0, 100001, &page, &err), err);
    must(page.sectors == 8 && page.first_sector == 100000, "found at %lu", (unsigned long)page.first_sector);
    cow_image_close(image);
    free(path);
}
END_TEST

Suite *looking_suite(void)
{
    Suite *suite = suite_create("looking");
    TCase *tc = tcase_create("cost");
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, a_window_is_counted_once, 0, 2);
    tcase_add_loop_test(tc, a_slice_ends_at_a_read, 0, 2);
    tcase_add_test(tc, a_stop_is_heard_at_a_read);
    tcase_add_test(tc, the_run_before_is_found_by_halves);
    tcase_add_test(tc, runs_that_were_asked_for_are_kept);
    tcase_add_test(tc, mixed_pages_are_looked_for_where_it_is_asked);
    suite_add_tcase(suite, tc);
    return suite;
}

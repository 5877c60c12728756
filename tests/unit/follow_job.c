/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Following on the screen: whatever is written, and whatever window is shown meanwhile, the counts that are
 * kept are those of an image that is opened anew. What glows fades, the history moves on, and what is new is
 * one list.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support.h"
#include "tui/jobs/follow_job.h"

enum { SECTOR = 512, CELLS = 700, ROUNDS = 40 };

#define SECTORS (UINT64_C(3) * 65536 * 8 + 77)

struct bench {
    char *path;
    struct geometry geometry;
    struct tui_subject subject;
    struct tui_cells cells;
    struct tui_scan scan;
    struct tui_files files;
    struct tui_follow follow;
};

static void make_bench(struct bench *bench, bool interactive)
{
    struct cow_error err = {.status = 0};
    memset(bench, 0, sizeof *bench);
    bench->path =
        model_put_holes(&bench->geometry, SECTORS * SECTOR - 100); /* the last sector is a partial one */
    bench->subject =
        (struct tui_subject){.image_path = bench->path, .generation = 1, .interactive = interactive};
    must_succeed(cow_image_open(&bench->subject.image, bench->path, NULL, &err), err);
    tui_cells_init(&bench->cells, &bench->subject);
    tui_scan_init(&bench->scan, &bench->subject);
    tui_files_init(&bench->files, &bench->subject);
    tui_follow_init(&bench->follow, &bench->subject, &bench->cells, &bench->scan, &bench->files);
    tui_cells_again(&bench->cells);
}

static void end_bench(struct bench *bench)
{
    bench->follow.job.job_class->forget(&bench->follow);
    tui_cells_end(&bench->cells);
    tui_files_end(&bench->files);
    cow_image_close(bench->subject.image);
    free(bench->path);
}

/* Slices until nothing is to be done now. */
static void settle(struct bench *bench)
{
    while (tui_job_waits(&bench->follow.job, true) || tui_job_waits(&bench->cells.job, true)) {
        if (tui_job_waits(&bench->follow.job, true)) {
            bench->follow.job.job_class->slice(&bench->follow);
        }
        if (tui_job_waits(&bench->cells.job, true)) {
            bench->cells.job.job_class->slice(&bench->cells);
        }
    }
}

static void pass(struct bench *bench, int ticks)
{
    for (int i = 0; i < ticks; i++) {
        tui_follow_tick(&bench->follow);
        settle(bench);
    }
}

static void same_counts(struct bench *bench, uint64_t first, uint64_t cell_sectors)
{
    struct cow_image *fresh = NULL;
    struct cow_usage usage;
    struct cow_error err = {.status = 0};
    must_succeed(cow_image_open(&fresh, bench->path, NULL, &err), err);
    for (size_t i = 0; i < CELLS; i++) {
        struct cow_density count = {0, 0, 0};
        const struct cow_density *kept = tui_cells_at(&bench->cells, i);
        if (first + i * cell_sectors < SECTORS) {
            must_succeed(cow_image_density(fresh, first + i * cell_sectors, cell_sectors, &count, &err), err);
        }
        must(kept != NULL && kept->dirty_sectors == count.dirty_sectors, "cell %zu: not %lu", i,
             (unsigned long)count.dirty_sectors);
    }
    must_succeed(cow_image_usage(fresh, &usage, &err), err);
    ck_assert_uint_eq(bench->cells.usage.dirty_sectors, usage.dirty_sectors);
    ck_assert_uint_eq(bench->cells.usage.dirty_bytes, usage.dirty_bytes);
    cow_image_close(fresh);
}

START_TEST(counts_are_those_of_the_bitmap)
{
    static const uint64_t zooms[] = {SECTORS / CELLS + 1, 512, 7, 65536};
    struct bench bench;
    struct rng rng = {.state = 11};
    make_bench(&bench, false);
    must(tui_cells_show(&bench.cells, 0, zooms[0], CELLS, NULL) == 0, "not shown");
    tui_follow_toggle(&bench.follow);
    settle(&bench);
    must(bench.follow.follow != NULL && cow_follow_facts(bench.follow.follow)->known, "it has not begun");
    for (int i = 0; i < ROUNDS; i++) {
        const uint64_t zoom = zooms[rng_below(&rng, 4)], first = zoom * rng_below(&rng, SECTORS / zoom);
        must(tui_cells_show(&bench.cells, first, zoom, CELLS, NULL) == 0, "not shown");
        for (int n = 0; n < 3; n++) {
            const uint64_t from = rng_below(&rng, SECTORS),
                           most = SECTORS - from < 9000 ? SECTORS - from : 9000;
            model_set_bits(bench.path, &bench.geometry, from, 1 + rng_below(&rng, most), true);
        }
        if (i == ROUNDS / 2) {
            model_set_bits(bench.path, &bench.geometry, SECTORS - 1, 1, true);
        }
        pass(&bench, 6);
        same_counts(&bench, first, zoom);
    }
    uint64_t sum = 0;
    for (size_t i = 0; i < bench.follow.fresh.n; i++) {
        const struct tui_fresh *run = &bench.follow.fresh.run[i];
        must(i == 0 || run->first > run[-1].end, "runs that touch are one");
        sum += run->end - run->first;
    }
    ck_assert_uint_eq(sum, bench.follow.new_sectors);
    ck_assert_uint_eq(sum, bench.cells.usage.dirty_sectors);
    end_bench(&bench);
}
END_TEST

START_TEST(what_is_new_fades_and_the_history_moves)
{
    struct bench bench;
    int seen[TUI_GLOWS + 1] = {0};
    make_bench(&bench, false);
    tui_follow_toggle(&bench.follow);
    settle(&bench);
    pass(&bench, 20);
    bench.follow.job.news = false;
    pass(&bench, 50);
    must(!bench.follow.job.news, "there is something to draw, though nothing is new");
    model_set_bits(bench.path, &bench.geometry, 4096, 80, true);
    pass(&bench, 6);
    ck_assert_int_eq(tui_follow_glow_in(&bench.follow, 4100, 4101), TUI_GLOWS);
    ck_assert_int_eq(tui_follow_glow_in(&bench.follow, 4176, 5000), 0);
    ck_assert_uint_eq(tui_follow_rate(&bench.follow), 80 * SECTOR / 5);
    for (int i = 0, last = TUI_GLOWS; i < 100; i++) {
        bench.follow.job.news = false;
        pass(&bench, 1);
        const int glow = tui_follow_glow_in(&bench.follow, 4096, 4176);
        must(glow <= last && last - glow <= 1, "it is brighter, or a step was left out");
        must(glow == last || bench.follow.job.news, "the step is not drawn");
        last = glow;
        seen[glow]++;
    }
    for (int glow = 0; glow <= TUI_GLOWS; glow++) {
        must(seen[glow] > 5, "no time is for brightness %d", glow);
    }
    ck_assert_uint_eq(bench.follow.glowing.n, 0);
    ck_assert_uint_eq(tui_follow_rate(&bench.follow), 0);
    uint64_t sum = 0;
    for (unsigned ago = 0; ago < TUI_FOLLOW_SECONDS; ago++) {
        sum += tui_follow_second(&bench.follow, ago);
    }
    ck_assert_uint_eq(sum, 80 * SECTOR);
    pass(&bench, 10 * TUI_FOLLOW_SECONDS);
    for (unsigned ago = 0; ago < TUI_FOLLOW_SECONDS; ago++) {
        ck_assert_uint_eq(tui_follow_second(&bench.follow, ago), 0);
    }
    end_bench(&bench);
}
END_TEST

/* A person's clock: slices end in time, and nothing waits between two looks. */
START_TEST(it_waits_between_two_looks)
{
    struct bench bench;
    make_bench(&bench, true);
    tui_follow_toggle(&bench.follow);
    settle(&bench);
    must(cow_follow_facts(bench.follow.follow)->known, "it has not begun");
    must(!tui_job_waits(&bench.follow.job, true), "it works though there is nothing to do");
    tui_follow_toggle(&bench.follow);
    must(!tui_job_waits(&bench.follow.job, true) && bench.follow.follow == NULL, "it is not off");
    end_bench(&bench);
}
END_TEST

START_TEST(another_image_ends_it_with_words)
{
    struct bench bench;
    make_bench(&bench, false);
    tui_follow_toggle(&bench.follow);
    settle(&bench);
    must(unlink(bench.path) == 0, "cannot remove");
    pass(&bench, 6);
    must(!bench.follow.on && bench.follow.job.complains, "it goes on");
    must(strstr(bench.follow.job.error.message, "is gone") != NULL, "%s", bench.follow.job.error.message);
    end_bench(&bench);
}
END_TEST

Suite *follow_job_suite(void)
{
    Suite *suite = suite_create("follow-job");
    TCase *tc = tcase_create("follow-job");
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_test(tc, counts_are_those_of_the_bitmap);
    tcase_add_test(tc, what_is_new_fades_and_the_history_moves);
    tcase_add_test(tc, it_waits_between_two_looks);
    tcase_add_test(tc, another_image_ends_it_with_words);
    suite_add_tcase(suite, tc);
    return suite;
}

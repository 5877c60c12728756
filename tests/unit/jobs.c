/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Long looking, without an image: a function that is left in its middle, a job whose core reports progress,
 * and what is said of how far it is.
 */
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "tui/jobs/fiber.h"
#include "tui/jobs/job.h"

/* What happened, in order. */
static char told[64];

struct pair {
    struct tui_fiber *fiber;
    int rounds;
};

/* Uses much of its stack, and has to find it as it left it. */
static void tell_rounds(void *argument)
{
    struct pair *pair = argument;
    volatile char local[1024 * 1024];

    for (int i = 0; i < pair->rounds; i++) {
        local[i * 1000] = (char)('a' + i);
        tui_fiber_leave(pair->fiber);
        told[strlen(told)] = local[i * 1000];
    }
}

START_TEST(a_fiber_is_left_and_goes_on_where_it_was)
{
    struct pair one = {NULL, 3}, other = {NULL, 2};
    struct cow_error err = {0};

    memset(told, 0, sizeof told);
    ck_assert_int_eq(tui_fiber_new(&one.fiber, tell_rounds, &one, &err), 0);
    ck_assert_int_eq(tui_fiber_new(&other.fiber, tell_rounds, &other, &err), 0);
    ck_assert(!tui_fiber_enter(one.fiber));
    ck_assert(!tui_fiber_enter(other.fiber));
    strcat(told, "|");
    ck_assert(!tui_fiber_enter(one.fiber));
    ck_assert(!tui_fiber_enter(other.fiber));
    strcat(told, "|");
    ck_assert(tui_fiber_enter(other.fiber));
    ck_assert(!tui_fiber_enter(one.fiber));
    ck_assert(tui_fiber_enter(one.fiber));
    ck_assert_str_eq(told, "|aa|bbc");
    tui_fiber_free(one.fiber);
    tui_fiber_free(other.fiber);
}
END_TEST

START_TEST(a_fiber_that_was_never_entered_can_be_freed)
{
    struct pair pair = {NULL, 1};
    struct cow_error err = {0};

    memset(told, 0, sizeof told);
    ck_assert_int_eq(tui_fiber_new(&pair.fiber, tell_rounds, &pair, &err), 0);
    tui_fiber_free(pair.fiber);
    tui_fiber_free(NULL);
    ck_assert_str_eq(told, "");
}
END_TEST

/* A look of ten steps, as the core makes them. */
struct look {
    struct tui_job job;
    int steps;
};

static void look_ten_times(void *owner)
{
    struct look *look = owner;
    bool stop = false;

    for (look->steps = 0; look->steps < 10 && !stop; look->steps++) {
        const struct cow_progress progress = {.phase = "looking",
                                              .done_bytes = (uint64_t)look->steps * 10,
                                              .total_bytes = 100,
                                              .can_cancel = true};
        stop = tui_job_look_in(&look->job, &progress);
    }
    look->job.state = stop ? TUI_JOB_STOPPED : TUI_JOB_DONE;
}

static bool look_waits(const void *owner)
{
    const struct look *look = owner;

    return !tui_job_is_current(&look->job);
}

static void look_slice(void *owner)
{
    struct look *look = owner;

    tui_job_go_on(&look->job, look_ten_times);
}

static const struct tui_job_class look_class = {look_waits, look_slice, NULL, true};

START_TEST(a_job_comes_back_at_each_step_of_a_script)
{
    struct tui_subject subject = {.generation = 1};
    struct look look;

    tui_job_init(&look.job, &look_class, &look, &subject);
    ck_assert(!tui_job_waits(&look.job, false));
    ck_assert(tui_job_waits(&look.job, true));
    for (int step = 0; step < 10; step++) {
        look_slice(&look);
        ck_assert_int_eq(look.job.state, TUI_JOB_RUNNING);
        ck_assert(tui_job_waits(&look.job, false));
        ck_assert_int_eq(tui_job_percent(&look.job), step * 10);
    }
    look_slice(&look);
    ck_assert_int_eq(look.job.state, TUI_JOB_DONE);
    ck_assert(!tui_job_waits(&look.job, true));
    ck_assert_ptr_null(look.job.fiber);
}
END_TEST

START_TEST(a_stop_is_heard_at_the_next_step)
{
    struct tui_subject subject = {.generation = 1};
    struct look look;

    tui_job_init(&look.job, &look_class, &look, &subject);
    look_slice(&look);
    look_slice(&look);
    tui_job_stop(&look.job);
    look_slice(&look);
    ck_assert_int_eq(look.job.state, TUI_JOB_STOPPED);
    ck_assert_int_eq(look.steps, 2);
}
END_TEST

START_TEST(another_image_stops_a_job_and_makes_it_wait_again)
{
    struct tui_subject subject = {.generation = 1};
    struct look look;

    tui_job_init(&look.job, &look_class, &look, &subject);
    look_slice(&look);
    subject.generation++;
    look_slice(&look);
    ck_assert_int_eq(look.job.state, TUI_JOB_STOPPED);
    ck_assert(tui_job_waits(&look.job, true));
}
END_TEST

START_TEST(a_halt_ends_a_job_in_its_middle)
{
    struct tui_subject subject = {.generation = 1};
    struct look look;

    tui_job_init(&look.job, &look_class, &look, &subject);
    tui_job_halt(&look.job); /* one that is off has nothing to end */
    ck_assert_int_eq(look.job.state, TUI_JOB_OFF);
    look_slice(&look);
    tui_job_halt(&look.job);
    ck_assert_int_eq(look.job.state, TUI_JOB_STOPPED);
    ck_assert_ptr_null(look.job.fiber);
    ck_assert_int_eq(look.steps, 1);
}
END_TEST

START_TEST(progress_says_how_far_and_how_long)
{
    struct tui_progress progress = {.done = 0, .total = 0, .started = 10};

    ck_assert_int_eq(tui_progress_percent(&progress), 0);
    ck_assert(tui_progress_seconds_left(&progress, 12) < 0);
    progress = (struct tui_progress){.done = 50, .total = 200, .started = 10};
    ck_assert_int_eq(tui_progress_percent(&progress), 25);
    ck_assert(tui_progress_rate(&progress, 12) == 25.0);
    ck_assert(tui_progress_seconds_left(&progress, 12) == 6.0);
    ck_assert(tui_progress_seconds_left(&progress, 10) < 0); /* no time has passed */
    progress.done = 300;                                     /* more than was announced */
    ck_assert_int_eq(tui_progress_percent(&progress), 100);
    ck_assert(tui_progress_share(&progress) == 1.0);
    ck_assert(tui_progress_seconds_left(&progress, 12) == 0.0);
}
END_TEST

Suite *jobs_suite(void)
{
    Suite *suite = suite_create("jobs");
    TCase *tests = tcase_create("jobs");

    tcase_add_test(tests, a_fiber_is_left_and_goes_on_where_it_was);
    tcase_add_test(tests, a_fiber_that_was_never_entered_can_be_freed);
    tcase_add_test(tests, a_job_comes_back_at_each_step_of_a_script);
    tcase_add_test(tests, a_stop_is_heard_at_the_next_step);
    tcase_add_test(tests, another_image_stops_a_job_and_makes_it_wait_again);
    tcase_add_test(tests, a_halt_ends_a_job_in_its_middle);
    tcase_add_test(tests, progress_says_how_far_and_how_long);
    suite_add_tcase(suite, tests);
    return suite;
}

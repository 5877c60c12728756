/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Long looking, without an image: a function that is left in its middle, a job whose core reports progress,
 * and what is said of how far it is.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "support.h"
#include "tui/jobs/fiber.h"
#include "tui/jobs/job.h"
#include "tui/screen/clock.h"

/* The address sanitizer wants memory of its own, and cannot be kept from it. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WATCHED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define WATCHED 1
#endif

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
    look_slice(&look);
    look_slice(&look);
    ck_assert_int_eq(look.job.state, TUI_JOB_RUNNING); /* begun anew, the stop is over */
    ck_assert_int_eq(tui_job_percent(&look.job), 10);
    tui_job_halt(&look.job);
}
END_TEST

START_TEST(a_job_begins_at_nothing)
{
    struct tui_subject subject = {.generation = 1};
    struct look look;

    tui_job_init(&look.job, &look_class, &look, &subject);
    look.job.progress = (struct tui_progress){.done = 30, .total = 60};
    tui_job_begin(&look.job);
    ck_assert_int_eq(look.job.state, TUI_JOB_RUNNING);
    ck_assert_int_eq(tui_job_percent(&look.job), 0);
    ck_assert(tui_job_is_current(&look.job));
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

/* Each step takes 3 ms, so that ten of them are more than a slice of 20 ms. */
static void look_slowly(void *owner)
{
    struct look *look = owner;
    const struct cow_progress progress = {.phase = "looking", .total_bytes = 100, .can_cancel = true};

    for (look->steps = 0; look->steps < 10; look->steps++) {
        double begun = tui_clock();
        while (tui_clock() - begun < 0.003) {
            ;
        }
        tui_job_look_in(&look->job, &progress);
    }
    look->job.state = TUI_JOB_DONE;
}

START_TEST(on_a_terminal_a_slice_has_its_time)
{
    struct tui_subject subject = {.generation = 1, .interactive = true};
    struct look look;
    int slices = 0;

    tui_job_init(&look.job, &look_class, &look, &subject);
    while (look.job.state != TUI_JOB_DONE) {
        double begun = tui_clock();
        tui_job_go_on(&look.job, look_slowly);
        ck_assert(look.job.state == TUI_JOB_DONE || tui_clock() - begun >= tui_slice_seconds);
        slices++;
    }
    ck_assert_int_gt(slices, 1);
}
END_TEST

static void show_and_end(void *owner)
{
    struct look *look = owner;

    look->job.news = false;
    tui_job_show(&look->job);
    look->job.state = TUI_JOB_DONE;
}

/* In a script the screens are those of the core's steps alone. */
START_TEST(what_is_shown_ends_a_slice_on_a_terminal_only)
{
    for (int interactive = 0; interactive < 2; interactive++) {
        struct tui_subject subject = {.generation = 1, .interactive = interactive};
        struct look look;
        tui_job_init(&look.job, &look_class, &look, &subject);
        tui_job_go_on(&look.job, show_and_end);
        ck_assert_int_eq(look.job.state, interactive ? TUI_JOB_RUNNING : TUI_JOB_DONE);
        ck_assert(look.job.news);
        look.job.news = false;
        if (interactive != 0) {
            tui_job_go_on(&look.job, show_and_end);
        }
        ck_assert_int_eq(look.job.state, TUI_JOB_DONE);
        ck_assert_int_eq(look.job.news, interactive); /* that it has ended is news */
    }
}
END_TEST

START_TEST(a_step_is_news_where_it_is_another_percent)
{
    struct tui_subject subject = {.generation = 1};
    struct look look;

    tui_job_init(&look.job, &look_class, &look, &subject);
    look_slice(&look);
    ck_assert(look.job.news); /* it has begun */
    look.job.news = false;
    look_slice(&look);
    ck_assert(look.job.news);
    look.job.news = false;
    look.job.progress.done = 20; /* as far as the next step is */
    look_slice(&look);
    ck_assert(!look.job.news);
    tui_job_halt(&look.job);
}
END_TEST

#ifndef WATCHED
START_TEST(a_job_that_gets_no_stack_has_failed)
{
    struct tui_subject subject = {.generation = 1};
    struct rlimit usual, none;
    struct look look;

    tui_job_init(&look.job, &look_class, &look, &subject);
    ck_assert_int_eq(getrlimit(RLIMIT_AS, &usual), 0);
    none = (struct rlimit){.rlim_cur = 1, .rlim_max = usual.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &none), 0);
    look_slice(&look);
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &usual), 0);
    ck_assert_int_eq(look.job.state, TUI_JOB_FAILED);
    ck_assert_int_eq(look.job.error.status, COW_NO_MEMORY);
    ck_assert_ptr_null(look.job.fiber);
    ck_assert(!tui_job_waits(&look.job, true)); /* it is not tried without end */
    tui_job_halt(&look.job);
    ck_assert_int_eq(look.job.state, TUI_JOB_FAILED);
}
END_TEST
#endif

START_TEST(progress_says_how_far_and_how_long)
{
    struct tui_progress progress = {.done = 0, .total = 0, .started = 10};

    ck_assert_int_eq(tui_progress_percent(&progress), 0);
    ck_assert(tui_progress_seconds_left(&progress, 12) < 0);
    progress.done = 50; /* of nobody knows what */
    ck_assert(tui_progress_seconds_left(&progress, 12) < 0);
    progress = (struct tui_progress){.done = 50, .total = 200, .started = 10};
    ck_assert_int_eq(tui_progress_percent(&progress), 25);
    ck_assert(tui_progress_rate(&progress, 12) == 25.0);
    ck_assert(tui_progress_seconds_left(&progress, 12) == 6.0);
    ck_assert(tui_progress_seconds_left(&progress, 10) < 0); /* no time has passed */
    progress.done = 58;                                      /* 0.29 * 100 is less than 29 */
    ck_assert_int_eq(tui_progress_percent(&progress), 29);
    progress.done = 300; /* more than was announced */
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
    tcase_add_test(tests, a_job_begins_at_nothing);
    tcase_add_test(tests, another_image_stops_a_job_and_makes_it_wait_again);
    tcase_add_test(tests, a_halt_ends_a_job_in_its_middle);
    tcase_add_test(tests, on_a_terminal_a_slice_has_its_time);
    tcase_add_test(tests, what_is_shown_ends_a_slice_on_a_terminal_only);
    tcase_add_test(tests, a_step_is_news_where_it_is_another_percent);
#ifndef WATCHED
    tcase_add_test(tests, a_job_that_gets_no_stack_has_failed);
#endif
    tcase_add_test(tests, progress_says_how_far_and_how_long);
    suite_add_tcase(suite, tests);
    return suite;
}

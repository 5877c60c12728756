/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Running the check. It opens the image itself, so that the application may open its own anew while this is
 * half way. The first slice is the quick look, so that headers and bits are told before any byte is read.
 */
#include "tui/jobs/check_job.h"

#include <string.h>

static bool check_waits(const void *owner)
{
    const struct tui_check *check = owner;

    return !tui_job_is_current(&check->job);
}

void tui_check_again(struct tui_check *check)
{
    check->job.generation = 0;
    tui_job_stop(&check->job);
}

size_t tui_check_staged(const struct tui_check *check)
{
    size_t n = 0;

    for (int i = 0; i < COW_FINDINGS; i++) {
        n += check->staged[i];
    }
    return n;
}

void tui_check_unstage(struct tui_check *check)
{
    memset(check->staged, 0, sizeof check->staged);
}

/* A fix stays staged as long as its finding is there. */
static void unstage_gone(struct tui_check *check)
{
    bool there[COW_FINDINGS] = {false};

    for (size_t i = 0; i < check->result.findings; i++) {
        there[check->result.finding[i].code] = check->result.finding[i].fixable;
    }
    for (int code = 0; code < COW_FINDINGS; code++) {
        check->staged[code] = check->staged[code] && there[code];
    }
}

/* Without an environment only a quick look. A check that was stopped leaves what the quick one has found. */
static int check_once(struct tui_check *check, const struct cow_env *env)
{
    const struct tui_subject *subject = check->job.subject;
    const struct cow_check_options options = {.backing_path = subject->open.backing_path,
                                              .no_backing = subject->open.no_backing,
                                              .io = tui_job_io(&check->job),
                                              .quick = env == NULL,
                                              .env = env};
    struct cow_check result;
    struct cow_error err = {0};
    int status = cow_check(&result, subject->image_path, &options, &err);

    if (tui_job_shall_stop(&check->job)) {
        status = COW_CANCELLED;
    }
    check->job.news = true;
    if (status == 0) {
        check->result = result;
        check->known = true;
    } else if (status != COW_CANCELLED) {
        check->job.error = err;
        check->known = false;
    }
    return status;
}

static void check_all(void *owner)
{
    struct tui_check *check = owner;
    const struct cow_env env = {.progress = tui_job_look_in, .context = &check->job};
    int status = check_once(check, NULL);

    if (status == 0) {
        tui_job_show(&check->job);
        status = check_once(check, &env);
    }
    if (status == 0) {
        unstage_gone(check);
    }
    check->job.state = status == 0               ? TUI_JOB_DONE
                       : status == COW_CANCELLED ? TUI_JOB_STOPPED
                                                 : TUI_JOB_FAILED;
}

static void check_slice(void *owner)
{
    struct tui_check *check = owner;

    tui_job_go_on(&check->job, check_all);
    check->known &= check->job.state != TUI_JOB_FAILED;
}

static void check_forget(void *owner)
{
    struct tui_check *check = owner;

    tui_job_halt(&check->job);
    tui_check_again(check);
}

static const struct tui_job_class check_class = {
    .waits = check_waits, .slice = check_slice, .forget = check_forget, .is_fiber = true};

void tui_check_init(struct tui_check *check, const struct tui_subject *subject)
{
    memset(check, 0, sizeof *check);
    tui_job_init(&check->job, &check_class, check, subject);
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The line is overwritten with blanks, not with an escape sequence, so it works on a dumb
 * terminal; it is kept under 80 columns.
 */
#include "cli/output/progress_line.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/output/text_stream.h"
#include "cow/text.h"
#include "front/trace.h"

enum { LINE_COLUMNS = 79, UPDATES_PER_SECOND = 10, SETTLE_MS = 500 };

static volatile sig_atomic_t stop_requested;

static void request_stop(int number)
{
    (void)number;
    stop_requested = 1;
}

void cli_catch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction old, action = {.sa_handler = request_stop}; /* no SA_RESTART: it ends the question */

        sigemptyset(&action.sa_mask);
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) { /* nohup stays nohup */
            sigaction(numbers[i], &action, NULL);
        }
    }
}

bool cli_interrupted(void)
{
    return stop_requested != 0;
}

static int64_t ms_between(const struct timespec *from, const struct timespec *to)
{
    return (int64_t)(to->tv_sec - from->tv_sec) * 1000 + (to->tv_nsec - from->tv_nsec) / 1000000;
}

/* Rate and what is left of the time, once there is something to estimate from. */
static void estimate_text(char *text, size_t n, const struct cow_progress *now, int64_t elapsed_ms)
{
    char rate_text[COW_SIZE_TEXT_BYTES];
    uint64_t total = now->total_bytes > now->done_bytes ? now->total_bytes : now->done_bytes;
    double rate, left;

    *text = '\0';
    if (elapsed_ms < SETTLE_MS || now->done_bytes == 0) {
        return;
    }
    rate = (double)now->done_bytes * 1000.0 / (double)elapsed_ms;
    left = (double)(total - now->done_bytes) / rate;
    if (left < 360000.0) {
        snprintf(text, n, "  %s/s  %d:%02d left", cow_size_text(rate_text, (uint64_t)rate), (int)left / 60,
                 (int)left % 60);
    }
}

static void show_line(struct cli_progress *progress, const char *line)
{
    size_t width = strlen(line);
    size_t blanks = progress->width > width ? progress->width - width : 0;

    fprintf(cli_text_stream(stderr), "\r%s%*s", line, (int)blanks, "");
    if (blanks != 0) {
        fprintf(cli_text_stream(stderr), "\r%s", line);
    }
    fflush(stderr);
    progress->width = width;
}

/* Not more often than can be read. */
static bool is_due(struct cli_progress *progress, struct timespec *time)
{
    clock_gettime(CLOCK_MONOTONIC, time);
    if (!progress->shown || ms_between(&progress->last, time) < 1000 / UPDATES_PER_SECOND) {
        return false;
    }
    progress->last = *time;
    return true;
}

void cli_progress_tell(struct cli_progress *progress, const char *text)
{
    char line[LINE_COLUMNS + 1];
    struct timespec time;

    if (!is_due(progress, &time)) {
        return;
    }
    snprintf(line, sizeof line, "%.60s  %d s", text, (int)(ms_between(&progress->start, &time) / 1000));
    show_line(progress, line);
}

static bool on_progress_line(void *context, const struct cow_progress *now)
{
    struct cli_progress *progress = context;
    char line[192], rest[64], done[COW_SIZE_TEXT_BYTES], total[COW_SIZE_TEXT_BYTES];
    struct timespec time;
    double part = now->total_bytes != 0 ? (double)now->done_bytes / (double)now->total_bytes : 0.0;

    if (!is_due(progress, &time)) {
        return cli_interrupted();
    }
    estimate_text(rest, sizeof rest, now, ms_between(&progress->start, &time));
    snprintf(line, sizeof line, "%3.0f%%  %s  %s of %s%s", 100.0 * (part < 1.0 ? part : 1.0), now->phase,
             cow_size_text(done, now->done_bytes), cow_size_text(total, now->total_bytes), rest);
    line[LINE_COLUMNS] = '\0';
    show_line(progress, line);
    return cli_interrupted();
}

static void on_note_line(void *context, const char *text)
{
    struct cli_progress *progress = context;

    if (progress->quiet) {
        return;
    }
    cli_progress_end(progress);
    fprintf(cli_text_stream(stderr), "note: %s\n", text);
}

void cli_progress_begin(struct cli_progress *progress, struct cow_env *env, bool quiet)
{
    memset(progress, 0, sizeof *progress);
    progress->quiet = quiet;
    progress->shown = !quiet && isatty(STDERR_FILENO) == 1;
    clock_gettime(CLOCK_MONOTONIC, &progress->start);
    progress->last = progress->start;
    *env = (struct cow_env){.progress = on_progress_line, .note = on_note_line, .context = progress};
    front_trace(env);
}

void cli_progress_end(struct cli_progress *progress)
{
    if (progress->width != 0) {
        show_line(progress, "");
        fputc('\r', stderr);
    }
    progress->width = 0;
}

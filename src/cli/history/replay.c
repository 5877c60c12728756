/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * cowtui replay, where it prints: the moments of a log, the bits at one of them, or what was written between
 * two. On a terminal it is a screen (tui/replay). Whose sectors are is asked of the image that was recorded;
 * where that cannot be asked, that is said, and the sectors are told alone.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/history/seconds.h"
#include "cli/history/told.h"
#include "cli/output/out.h"
#include "cli/output/progress_line.h"
#include "cli/output/text_stream.h"

static bool asks_for_text(const struct cli_options *options)
{
    return options->json || options->at != NULL || options->from != NULL || options->words.to != NULL ||
           options->files || options->owners;
}

bool cli_replays_on_screen(const struct cli_options *options)
{
    return !asks_for_text(options) &&
           (options->script != NULL || (isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0));
}

static int check_words(const struct cli_options *options, struct cow_error *err)
{
    if (options->at != NULL &&
        (options->from != NULL || options->words.to != NULL || options->files || options->owners)) {
        return cow_error_set(err, COW_USAGE,
                             "--at is one moment: --from, --to, --files and --owners are for two");
    }
    if (options->script != NULL) {
        return cow_error_set(err, COW_USAGE, "--script plays keys on the screen, and there is none");
    }
    return 0;
}

static void note_left(const struct replayed *replayed, const char *path)
{
    char text[COW_MESSAGE_BYTES], name[CLI_NAME_BYTES];

    if (front_log_left_text(text, sizeof text, replayed->history)[0] != '\0') {
        fprintf(cli_text_stream(stderr), "cowtui: %s: %s\n", cli_name(name, path), text);
    }
}

static int tell_bits(struct replayed *replayed, const struct cli_options *options, struct cow_error *err)
{
    int status = cli_read_time(&replayed->to_ms, "--at", options->at, err);

    if (status == 0) {
        status = cow_history_go(replayed->history, cow_history_moment_at(replayed->history, replayed->to_ms),
                                &replayed->set, err);
    }
    if (status != 0) {
        return status;
    }
    return options->json ? replayed_bits_json(replayed, err) : replayed_bits_text(replayed, err);
}

/* Opens the image. That it cannot be asked is no error, unless the user has stopped it. */
static int ask_whose(struct replayed *replayed, const struct cli_options *options, struct cow_error *problem,
                     struct cow_error *err)
{
    struct cli_progress progress;
    struct cow_env env;

    cli_catch_signals();
    cli_progress_begin(&progress, &env, options->quiet);
    int status = front_written_open(&replayed->written, replayed->history, &env, problem);
    cli_progress_end(&progress);
    if (status == 0 && *cow_fs_scan_damage(replayed->written.scan) != '\0') {
        fprintf(cli_text_stream(stderr), "cowtui: " COW_FS_DAMAGED "%s\n",
                cow_fs_scan_damage(replayed->written.scan));
    }
    if (status == 0 && replayed->files) {
        return front_written_shares(&replayed->shares, &replayed->written, replayed->set, err);
    }
    if (status == COW_CANCELLED || status == COW_NO_MEMORY) {
        *err = *problem;
        return status;
    }
    if (status != 0) {
        replayed->problem = problem->message;
        fprintf(cli_text_stream(stderr), "cowtui: whose the sectors are cannot be told: %s\n",
                problem->message);
    }
    return 0;
}

static int tell_written(struct replayed *replayed, const struct cli_options *options, struct cow_error *err)
{
    struct cow_history_moment moment;
    struct cow_sectors *set = NULL;
    struct cow_error problem = {.status = 0};
    int status = 0;

    replayed->to_ms = cow_history_facts(replayed->history)->end_ms;
    if (options->from != NULL) {
        status = cli_read_time(&replayed->from_ms, "--from", options->from, err);
    }
    if (status == 0 && options->words.to != NULL) {
        status = cli_read_time(&replayed->to_ms, "--to", options->words.to, err);
    }
    if (status == 0 && replayed->from_ms > replayed->to_ms) {
        status = cow_error_set(err, COW_USAGE, "--from is later than %s",
                               options->words.to != NULL ? "--to" : "the end of the log");
    }
    if (status != 0) {
        return status;
    }
    const size_t from = cow_history_moment_at(replayed->history, replayed->from_ms);
    const size_t to = cow_history_moment_at(replayed->history, replayed->to_ms);
    for (size_t i = from + 1; i <= to; i++) {
        cow_history_moment(replayed->history, i, &moment);
        replayed->newly_clean += moment.newly_clean;
    }
    status = cow_history_between(replayed->history, from, to, &set, err);
    replayed->set = set;
    if (status == 0 && (replayed->files || replayed->owners)) {
        status = ask_whose(replayed, options, &problem, err);
    }
    if (status == 0) {
        status = options->json ? replayed_written_json(replayed, err) : replayed_written_text(replayed, err);
    }
    cow_sectors_free(set);
    return status;
}

int cli_replay(const struct cli_options *options, struct cow_error *err)
{
    struct replayed replayed = {.files = options->files, .owners = options->owners, .problem = ""};
    int status = check_words(options, err);

    if (status == 0) {
        status = cow_history_open(&replayed.history, options->operand[0], NULL, err);
    }
    if (status != 0) {
        return status;
    }
    if (options->at != NULL) {
        status = tell_bits(&replayed, options, err);
    } else if (options->from != NULL || options->words.to != NULL || options->files || options->owners) {
        status = tell_written(&replayed, options, err);
    } else {
        status =
            options->json ? replayed_moments_json(&replayed, err) : replayed_moments_text(&replayed, err);
    }
    if (status == 0) {
        note_left(&replayed, options->operand[0]);
    }
    front_shares_free(&replayed.shares);
    front_written_close(&replayed.written);
    cow_history_close(replayed.history);
    return status;
}

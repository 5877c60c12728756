/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * cowtui pages, compact, rebase, convert, merge, recover, undo: what is told all it needs in words, as the
 * screen's commands are (front/change). A builder may have to compare the bytes of both files first, so there
 * is progress before there is a plan.
 */
#include <string.h>
#include <unistd.h>

#include "cli/carry_out.h"
#include "cli/commands.h"
#include "cli/output/progress_line.h"
#include "cow/image.h"
#include "front/change/changes.h"

/* What an interrupted change leaves is these ones' matter; nothing else can be done with it. */
static const char *lacks(unsigned bit)
{
    return bit == FRONT_RECOVER || bit == FRONT_UNDO || bit == FRONT_MERGE ? NULL
           : bit == FRONT_CONVERT                                          ? "cannot be converted"
                                                                           : "cannot be changed";
}

static int change_image(const struct front_change *change, const struct front_words *words,
                        const struct cli_options *options, struct cow_error *err)
{
    struct front_planned planned = {.plan = NULL};
    struct cli_progress progress;
    struct cow_env env;
    struct cow_image *image;
    int status = cli_open_image(&image, options, err);

    if (status != 0) {
        return status;
    }
    cli_catch_signals();
    cli_progress_begin(&progress, &env, options->quiet);
    if (lacks(change->bit) != NULL) {
        status = cli_need_layout(image, lacks(change->bit), err);
    }
    status = status == 0 ? front_plan_change(&planned, change, image, words, &env, err) : status;
    cli_progress_end(&progress);
    progress.shown = false; /* what it tells from here on cli_change() tells as well */
    status = status == 0 ? cli_change(planned.plan, options, err) : status;
    front_end_change(&planned, status != 0 ? err : NULL);
    cow_image_close(image);
    return status;
}

int cli_plain_change(const struct cli_options *options, struct cow_error *err)
{
    if (options->command->bit == CLI_CONVERT && options->words.to == NULL) { /* a script says which one */
        cow_error_set(err, COW_USAGE, "convert takes --to v3 or --to qcow2, and nothing else");
        return cow_error_hint(err, "usage: cowtui convert --to v3 -o FILE IMAGE");
    }
    return change_image(front_find_change(options->command->name), &options->words, options, err);
}

/* merge -o -: may standard output be the disk? */
static int check_stream(const struct cli_options *options, struct cow_error *err)
{
    if (options->dry_run) {
        return 0;
    }
    if (options->json) {
        return cow_error_set(err, COW_USAGE,
                             "the disk goes to standard output, so the plan cannot: --dry-run "
                             "prints it alone");
    }
    if (isatty(STDOUT_FILENO) != 1) {
        return 0;
    }
    cow_error_set(err, COW_USAGE, "a disk is not written to a terminal");
    return cow_error_hint(err, "send standard output to a file or another program: cowtui merge -o - IMAGE "
                               "| gzip >disk.gz");
}

int cli_merge(const struct cli_options *options, struct cow_error *err)
{
    static const int standard_output = STDOUT_FILENO;
    struct front_words words = options->words;

    if (words.output != NULL && strcmp(words.output, "-") == 0 && !words.in_place) {
        words.output = NULL;
        words.stream_fd = &standard_output;
        if (check_stream(options, err) != 0) {
            return err->status;
        }
    }
    return change_image(front_find_change("merge"), &words, options, err);
}

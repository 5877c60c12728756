/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The way in: arguments, then help, version, the screen or a subcommand; at the end the error, if any, on
 * standard error and its exit code. Standard output is checked here once for all: what could not be written
 * is an error, whoever wrote it.
 */
#include "cli/cli.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/config.h"
#include "cli/options.h"
#include "cli/output/text_stream.h"
#include "cow/image.h"
#include "cow/text.h"
#include "front/trace.h"

#ifndef COWTUI_VERSION
#define COWTUI_VERSION "unknown"
#endif

static bool is_directory(const char *path)
{
    struct stat facts;

    return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

/* Where there is no terminal: a directory is listed, an image has info. */
static int run_without_screen(const struct cli_options *options, const char *path, struct cow_error *err)
{
    char name[COW_HINT_BYTES / 2];

    if (is_directory(path) && options->backing != NULL) {
        cow_error_set(err, COW_USAGE, "--backing is for an image, and none is named");
        return cow_error_hint(err, "try: cowtui --help");
    }
    if (is_directory(path)) {
        struct cli_options listing = *options;
        listing.place = &path;
        listing.places = 1;
        return cli_list(&listing, err);
    }
    cow_error_set(err, COW_USAGE, "the screen needs a terminal");
    cow_shell_quote(name, sizeof name, path);
    return cow_error_hint(err, "without one, try: cowtui info %s", name);
}

/* The lesson has its own disk, and is nothing without a screen. */
static int check_tour(const struct cli_options *options, bool has_screen, struct cow_error *err)
{
    if (options->operands > 0 || options->backing != NULL || options->no_backing) {
        cow_error_set(err, COW_USAGE, "--tour makes a disk of its own, and takes no other");
        return cow_error_hint(err, "try: cowtui --tour");
    }
    if (has_screen) {
        return 0;
    }
    cow_error_set(err, COW_USAGE, "the tour needs a terminal");
    return cow_error_hint(err, "without one, try: cowtui help");
}

/* With what the user's config file says; a script finds the screen as it is by itself. */
static int open_configured(struct cli_options options, const char *path, cli_open_screen *open_screen,
                           struct cow_error *err)
{
    struct cli_config config;
    int status = options.script != NULL || options.no_config ? 0 : cli_read_config(&options, &config, err);

    if (status != 0) {
        return status;
    }
    const struct cli_screen screen = {
        .image_path = path,
        .is_directory = is_directory(path),
        .is_tour = options.tour,
        .is_replay = options.command->bit == CLI_REPLAY,
        .backing_path = options.backing,
        .no_backing = options.no_backing,
        .script_path = options.script,
        .theme = options.theme,
        .ascii = options.ascii,
        .mouse = options.mouse,
        .color = options.color_mode,
    };

    return open_screen(&screen, err);
}

static int run_screen(const struct cli_options *options, cli_open_screen *open_screen, struct cow_error *err)
{
    const char *path = options->operands > 0 ? options->operand[0] : ".";
    bool has_screen = options->script != NULL || (isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0);

    if (options->tour && check_tour(options, has_screen, err) != 0) {
        return err->status;
    }
    if (!has_screen) {
        return run_without_screen(options, path, err);
    }
    return open_configured(*options, path, open_screen, err);
}

static int run_arguments(int argc, char **argv, cli_open_screen *open_screen, struct cow_error *err)
{
    struct cli_options options;
    int status = cli_read_options(&options, argc, argv, err);

    if (status != 0) {
        return status;
    }
    if (options.help) {
        cli_print_help(options.command);
        return 0;
    }
    if (options.version) {
        printf("cowtui %s\n"
               "Copyright (C) 2026 The cowtui authors\n"
               "License GPLv3+: GNU GPL version 3 or later <https://gnu.org/licenses/gpl.html>\n"
               "This is free software: you are free to change and redistribute it.\n"
               "There is NO WARRANTY, to the extent permitted by law.\n",
               COWTUI_VERSION);
        return 0;
    }
    const bool replays = options.command->bit == CLI_REPLAY && cli_replays_on_screen(&options);
    status =
        front_trace_open((options.command == &cli_screen_command || replays) && options.script == NULL, err);
    if (status != 0) {
        return status;
    }
    if (replays) {
        return open_configured(options, options.operand[0], open_screen, err);
    }
    if (options.command == &cli_screen_command) {
        return run_screen(&options, open_screen, err);
    }
    return options.command->run(&options, err);
}

/* Is standard output a pipe that nobody reads from any more? */
static bool reader_is_gone(void)
{
    struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};

    return poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0;
}

/* Some errors of a file system come as late as close. */
static int close_output(struct cow_error *err)
{
    bool failed = ferror(stdout) != 0, unflushed = fflush(stdout) != 0;
    int code = unflushed ? errno : 0;

    if ((failed || unflushed) && reader_is_gone()) { /* an earlier write knew, but not the last one */
        code = EPIPE;
    }
    errno = 0;
    if (fclose(stdout) == 0 && !failed && !unflushed) {
        return 0;
    }
    return cow_error_system(err, code != 0 ? code : errno != 0 ? errno : EIO, "standard output");
}

/* Who has read enough of what was printed does not want to hear of it (head does not); but where a file is
 * cut short by that, there is a hint. */
static bool is_to_be_told(int status, const struct cow_error *err)
{
    return status != 0 && (status != COW_BROKEN_PIPE || err->hint[0] != '\0');
}

int cli_run(int argc, char **argv, cli_open_screen *open_screen)
{
    struct cow_error err = {0};
    struct cow_error output_err = {0};
    int status = run_arguments(argc, argv, open_screen, &err);

    /* What was found is of no use to a script if it could not be told. */
    if (close_output(&output_err) != 0 && (status == 0 || status == COW_FINDING)) {
        err = output_err;
        status = err.status;
    }
    if (is_to_be_told(status, &err)) {
        FILE *file = cli_text_stream(stderr);
        fprintf(file, "cowtui: %s\n", err.message[0] != '\0' ? err.message : "failed without a reason");
        if (err.hint[0] != '\0') {
            fprintf(file, "  %s\n", err.hint);
        }
    }
    return cow_status_exit_code(status);
}

int cli_need_layout(struct cow_image *image, const char *lacks, struct cow_error *err)
{
    bool moves = cow_image_half(image) == COW_HALF_MOVING;

    if (!cow_image_header(image)->unfinished) {
        return 0;
    }
    return cow_error_set(err, moves ? COW_LOCKED : COW_INVALID, "%s: %s: %s", cow_image_path(image), lacks,
                         cow_image_pending(image));
}

int cli_open_image(struct cow_image **out, const struct cli_options *options, struct cow_error *err)
{
    const struct cow_open_options open = {.backing_path = options->backing,
                                          .no_backing = options->no_backing};

    return cow_image_open(out, options->operand[0], &open, err);
}

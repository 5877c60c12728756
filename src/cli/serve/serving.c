/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What `serve` and `mount` have in common.
 */
#include "cli/serve/serving.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/carry_out.h"
#include "cli/commands.h"
#include "cli/output/json.h"
#include "cli/output/out.h"
#include "cli/output/progress_line.h"
#include "cli/output/text_stream.h"

enum { WAIT_MS = 100, BY_SIGNAL = 128 };

/* ---- looking ---- */

int cli_serving_look(struct cli_serving *serving, const struct cli_options *options, struct cow_error *err)
{
    int status = front_need_server(err);

    serving->is_quiet = options->quiet;
    if (status == 0) {
        status = cli_open_image(&serving->image, options, err);
    }
    if (status != 0) {
        return status;
    }
    status = cli_need_layout(serving->image, "has no disk to serve", err);
    if (status == 0) {
        status = front_serving_look(&serving->disk, serving->image, options->backing, options->write, err);
    }
    if (status != 0) {
        cow_image_close(serving->image);
        serving->image = NULL;
    }
    return status;
}

/* ---- telling ---- */

static void told_text(struct cli_out *out, const struct cli_serving *serving,
                      const struct cli_options *options)
{
    char name[CLI_NAME_BYTES], amount[CLI_AMOUNT_BYTES];

    cli_heading(out, "%s %s", options->command->name, cli_name(name, options->operand[0]));
    cli_row(out, "disk", "%s%s%s", cli_amount(amount, serving->disk.size_bytes),
            *serving->partition != '\0' ? "; mounted is " : "", serving->partition);
    if (cow_image_backing(serving->image)->state == COW_BACKING_FOUND) {
        cli_row(out, "backing file", "%s, which is only read",
                cli_name(name, cow_image_backing(serving->image)->path));
    }
    cli_row(out, serving->where, "%s", cli_name(name, serving->place));
    if (!options->write) {
        cli_row(out, "written to", FRONT_NOT_WRITTEN);
        if (serving->disk.is_held) {
            cli_row_tone(out, CLI_WARN, "in use", "yes: " FRONT_HELD_NOTE);
        }
        return;
    }
    cli_row_tone(out, CLI_WARN, "written to", "%s, " FRONT_WRITTEN, cli_name(name, options->operand[0]));
    cli_row_tone(out, CLI_WARN, "undo", FRONT_NO_UNDO "%s", serving->disk.has_undo ? FRONT_UNDO_VOID : "");
}

static json_t *told_json(const struct cli_serving *serving, const struct cli_options *options)
{
    const struct cow_holder holder = {.held = serving->disk.is_held, .pid = serving->disk.holder_pid};
    json_t *object = json_object();

    cli_json_put(&object, "operation", json_string(options->command->name));
    cli_json_put(&object, "image", cli_json_text(options->operand[0]));
    cli_json_put(&object, "size_bytes", cli_json_u64(serving->disk.size_bytes));
    cli_json_put(&object, "write", json_boolean(options->write));
    cli_json_put(&object, "undo_becomes_void", json_boolean(serving->disk.has_undo));
    cli_json_put(&object, "in_use", cli_json_holder(&holder));
    return object;
}

static int dry_run(const struct cli_serving *serving, const struct cli_options *options,
                   struct cow_error *err)
{
    struct cli_out out;

    if (options->json) {
        return cli_json_print(told_json(serving, options), err);
    }
    cli_out_init(&out, stdout, options->color_mode);
    told_text(&out, serving, options);
    return 0;
}

static void tell_notes(const struct cli_serving *serving)
{
    char text[COW_MESSAGE_BYTES], who[32] = "";

    if (!serving->disk.is_held) {
        return;
    }
    if (serving->disk.holder_pid != 0) {
        snprintf(who, sizeof who, " (process %lld)", (long long)serving->disk.holder_pid);
    }
    snprintf(text, sizeof text, "the image is in use%s: " FRONT_HELD_NOTE, who);
    cli_note(text);
}

int cli_serving_agree(bool *ends, const struct cli_serving *serving, const struct cli_options *options,
                      struct cow_error *err)
{
    char outside[COW_MESSAGE_BYTES];
    struct cli_out out;

    *ends = options->dry_run;
    if (options->dry_run) {
        return dry_run(serving, options, err);
    }
    cli_catch_signals();
    tell_notes(serving);
    cli_note(cow_image_outside_text(outside, sizeof outside, serving->image));
    if (!options->write) {
        return 0;
    }
    if (!options->yes || !options->quiet) {
        cli_out_init(&out, stderr, options->color_mode);
        told_text(&out, serving, options);
    }
    return options->yes ? 0 : cli_ask_for_yes(err);
}

int cli_serving_tell(const struct cli_serving *serving, const struct cli_options *options, const char *uri,
                     const char *path, struct cow_error *err)
{
    char name[CLI_NAME_BYTES];
    json_t *object;

    if (options->json) {
        object = told_json(serving, options);
        cli_json_put(&object, "uri", uri != NULL ? json_string(uri) : json_null());
        cli_json_put(&object, "path", path != NULL ? cli_json_text(path) : json_null());
        if (cli_json_print(object, err) != 0) {
            return err->status;
        }
    } else {
        fprintf(cli_text_stream(stdout), "%s\n", uri != NULL ? uri : cli_name(name, path));
    }
    if (fflush(stdout) != 0) {
        return cow_error_system(err, errno, "standard output");
    }
    if (!options->quiet) {
        fprintf(stderr, "Ctrl-C ends it\n");
    }
    return 0;
}

void cli_serving_log(void *context, const char *line)
{
    const struct cli_serving *serving = context;

    if (!serving->is_quiet) {
        fprintf(cli_text_stream(stderr), "%s\n", line);
    }
}

/* ---- the parent ---- */

/* Waits for the child's end, and is not there otherwise. */
static _Noreturn void wait_for(pid_t child)
{
    bool told = false;
    int how;

    while (waitpid(child, &how, WNOHANG) != child) {
        if (cli_interrupted() && !told) {
            kill(child, SIGTERM);
            told = true;
        }
        usleep(1000 * WAIT_MS);
    }
    _exit(WIFSIGNALED(how) ? BY_SIGNAL + WTERMSIG(how) : WEXITSTATUS(how));
}

int cli_serving_begin(struct cow_error *err)
{
    const pid_t parent = getpid();
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child < 0) {
        return cow_error_system(err, errno, "starting a process");
    }
    if (child > 0) {
        wait_for(child);
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* a wish to stop, as from a terminal */
    if (getppid() != parent) {
        return cow_error_set(err, COW_CANCELLED, "cancelled");
    }
    return 0;
}

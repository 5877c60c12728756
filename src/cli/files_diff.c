/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * cowtui files --diff: a guest's file against the backing file's, in the lines that the screen shows, too.
 * They hold the guest's bytes. Where they go to a file or a pipe they stay as they are, for patch(1); on a
 * terminal what could do something there is escaped.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/output/files_found.h"
#include "cli/output/progress_line.h"
#include "cli/output/text_stream.h"
#include "cow/text.h"
#include "front/diff/compare.h"

enum { DISK_NAME_BYTES = 256 };

/* What is asked for, and who is told how far it is. */
struct question {
    struct cow_image *image;
    struct cow_fs *fs;
    int volume;
    const char *path;
    bool is_quiet;
    struct cow_fs_scan *scan; /* that the paths are of; NULL: none was needed */
    const char *side[2];      /* the paths of the two versions; NULL: there is none */
};

/* ---- which two ---- */

static int find_in_scan(struct question *question, struct cow_error *err)
{
    struct cli_progress progress;
    struct cow_env env;
    const struct cow_fs_scan_options options = {.env = &env};
    size_t n = 0;

    cli_progress_begin(&progress, &env, question->is_quiet);
    int status = cow_fs_scan(&question->scan, question->fs, &options, err);
    cli_progress_end(&progress);
    const struct cow_fs_file *file = status != 0 ? NULL : cow_fs_files(question->scan, &n);
    for (size_t i = 0; i < n; i++) {
        if (file[i].volume != question->volume || file[i].type != COW_FS_REGULAR ||
            strcmp(file[i].path, question->path) != 0) {
            continue;
        }
        front_diff_paths(question->side, &file[i]);
        break;
    }
    return status;
}

/* A file that is on one side only may be new or removed, or have another name there: a scan tells. Where none
 * knows it, either, it stays as it is said by who could not open it. */
static int find_sides(struct question *question, struct cow_error *err)
{
    struct cow_error said[2] = {{0}, {0}};
    int status[2];

    for (int side = 0; side < 2; side++) {
        struct cow_fs_reader *reader = NULL;
        question->side[side] = question->path;
        status[side] = cow_fs_reader_open(&reader, question->fs, question->volume, (enum cow_version)side,
                                          question->path, &said[side]);
        cow_fs_reader_close(reader);
    }
    const int bad = status[0] != 0 ? 0 : 1;
    if (status[bad] == 0) {
        return 0;
    }
    if (status[bad] == COW_USAGE && status[bad == 0] == 0) {
        question->side[0] = question->side[1] = NULL;
        int scanned = find_in_scan(question, err);
        if (scanned != 0 || question->side[0] != NULL || question->side[1] != NULL) {
            return scanned;
        }
    }
    *err = said[bad];
    return status[bad];
}

static int measure_sides(struct cli_files_diff *out, const struct question *question, struct cow_error *err)
{
    struct cow_fs_reader *reader[2] = {NULL, NULL};
    uint64_t bytes[2] = {0, 0};
    int status = 0;

    for (int side = 0; side < 2 && status == 0; side++) {
        if (question->side[side] != NULL) {
            status = cow_fs_reader_open(&reader[side], question->fs, question->volume, (enum cow_version)side,
                                        question->side[side], err);
        }
        if (status == 0 && reader[side] != NULL) {
            bytes[side] = cow_fs_reader_size(reader[side]);
        }
    }
    out->in_guest = reader[COW_VERSION_GUEST] != NULL;
    out->in_backing = reader[COW_VERSION_BASE] != NULL;
    out->guest_bytes = bytes[COW_VERSION_GUEST];
    out->backing_bytes = bytes[COW_VERSION_BASE];
    if (status == 0 && out->in_guest && out->in_backing) {
        status = cow_fs_compare(reader[0], reader[1], &out->equal, &out->first_difference, err);
    }
    cow_fs_reader_close(reader[0]);
    cow_fs_reader_close(reader[1]);
    return status;
}

/* ---- as lines ---- */

static bool wants_stop(void *context, uint64_t done, uint64_t total)
{
    const struct cow_env *env = context;
    const struct cow_progress progress = {"comparing", done, total != 0 ? total : 1, true};

    return env->progress(env->context, &progress);
}

/* Pieces between tabs and NULs, which escaping does not take as we want them. */
static bool put_escaped(FILE *file, const char *line, size_t n)
{
    char *plain = malloc(n + 1), *text = malloc(4 * n + 16);

    for (size_t at = 0, piece; plain != NULL && text != NULL && at < n; at += piece) {
        piece = 0;
        while (at + piece < n && line[at + piece] != '\t' && line[at + piece] != '\0') {
            piece++;
        }
        memcpy(plain, line + at, piece);
        plain[piece] = '\0';
        fputs(cow_escape_message(text, 4 * n + 16, plain), file);
        if (at + piece < n) {
            fputs(line[at + piece++] == '\t' ? "\t" : "\\x00", file);
        }
    }
    const bool done = plain != NULL && text != NULL;
    free(plain);
    free(text);
    return done;
}

static const char *color_of_line(const char *line, size_t n)
{
    if (n >= 4 && (memcmp(line, "--- ", 4) == 0 || memcmp(line, "+++ ", 4) == 0)) {
        return "\033[1m";
    }
    return n == 0 ? "" : line[0] == '+' ? "\033[32m" : line[0] == '-' ? "\033[31m" : "";
}

static int print_lines(const struct front_diff *diff, const struct cli_options *options,
                       struct cow_error *err)
{
    struct cli_out out;
    const bool is_terminal = isatty(STDOUT_FILENO) == 1;
    bool done = true;

    cli_out_init(&out, stdout, options->color_mode);
    for (size_t i = 0; i < diff->lines && done && ferror(stdout) == 0; i++) {
        const char *line = diff->bytes + diff->line[i];
        size_t n = diff->line[i + 1] - diff->line[i];
        const char *color = out.color ? color_of_line(line, n) : "";
        n -= n > 0 && line[n - 1] == '\n';
        fputs(color, stdout);
        if (is_terminal) {
            done = put_escaped(out.file, line, n);
        } else {
            fwrite(line, 1, n, stdout);
        }
        fputs(*color != '\0' ? "\033[0m\n" : "\n", stdout);
    }
    return done ? 0 : cow_error_set(err, COW_NO_MEMORY, "out of memory");
}

static int print_diff(const struct question *question, const struct cli_options *options,
                      struct cow_error *err)
{
    char name[2][DISK_NAME_BYTES], outside[COW_MESSAGE_BYTES];
    struct cli_progress progress;
    struct cow_env env;
    struct front_diff diff;
    const struct front_diff_request request = {
        .fs = question->fs,
        .volume = question->volume,
        .path = {question->side[0], question->side[1]},
        .disk = {front_diff_disk_name(name[0], sizeof name[0], cow_image_path(question->image)),
                 front_diff_disk_name(name[1], sizeof name[1], cow_image_backing(question->image)->path)},
        .wants_stop = wants_stop,
        .context = &env};

    cli_note(cow_image_outside_text(outside, sizeof outside, question->image));
    cli_progress_begin(&progress, &env, options->quiet);
    int status = front_diff_make(&diff, &request, err);
    cli_progress_end(&progress);
    if (status == 0) {
        status = print_lines(&diff, options, err);
    }
    front_diff_free(&diff);
    return status;
}

static int say_difference(const struct cow_image *image, const struct cli_files_diff *diff,
                          struct cow_error *err)
{
    const char *name = cow_image_path(image);

    if (!diff->in_backing) {
        return cow_error_set(err, COW_FINDING, "%s: %s is new: the backing file has no such file", name,
                             diff->path);
    }
    if (!diff->in_guest) {
        return cow_error_set(err, COW_FINDING, "%s: %s is gone: the backing file alone has it", name,
                             diff->path);
    }
    return cow_error_set(err, COW_FINDING, "%s: %s differs from the backing file's, from byte %" PRIu64 " on",
                         name, diff->path, diff->first_difference);
}

int cli_files_diff(struct cow_image *image, struct cow_fs *fs, int partition,
                   const struct cli_options *options, struct cow_error *err)
{
    struct question question = {.image = image, .fs = fs, .path = options->diff, .is_quiet = options->quiet};
    struct cli_files_diff found = {.path = options->diff};
    int status = cow_fs_choose_volume(fs, partition, &question.volume, err);

    cli_catch_signals();
    if (status == 0) {
        status = find_sides(&question, err);
    }
    if (status == 0) {
        status = measure_sides(&found, &question, err);
    }
    if (status == 0 && options->json) {
        status = cli_diff_json(&found, err);
    } else if (status == 0) {
        status = print_diff(&question, options, err);
    }
    cow_fs_scan_free(question.scan);
    return status != 0 || found.equal ? status : say_difference(image, &found, err);
}

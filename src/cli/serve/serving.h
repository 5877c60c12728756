/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What `serve` and `mount` have in common: looking at the image before anybody gets it, telling what that
 * means, the question where it will be written to, and serving until somebody ends it.
 */
#ifndef CLI_SERVING_H
#define CLI_SERVING_H

#include <jansson.h>
#include <stdbool.h>

#include "cli/options.h"
#include "cow/image.h"
#include "front/process.h"
#include "front/server.h"
#include "front/serving.h"

/* How the image is, asked before anything is started. */
struct cli_serving {
    struct cow_image *image;
    struct front_serving disk;
    bool is_quiet;         /* -q */
    const char *where;     /* "socket" or "directory": what is told in the preview */
    const char *place;     /* its path, or words */
    const char *partition; /* "partition 2, ext4", "all of it, ext4"; "" no filesystem is asked for */
};

/* Opens the image (serving->image is the caller's: cow_image_close) and asks for all that would stop its
 * being served; for --write that is all that stops other changes, too. Errors: those of cow_image_open,
 * cow_writer_open; COW_UNSUPPORTED where nbdkit or its plugin is not there. */
int cli_serving_look(struct cli_serving *serving, const struct cli_options *options, struct cow_error *err);

/* With --dry-run: prints what would be done, to standard output, and *ends is true. Else: notes; with --write
 * the same to standard error, and the question. Signals are wishes to stop from here on. Errors: COW_REFUSED,
 * COW_CANCELLED. */
int cli_serving_agree(bool *ends, const struct cli_serving *serving, const struct cli_options *options,
                      struct cow_error *err);

/* What was begun, to standard output: `text` as a line, or as JSON with "uri", "path" (each if not NULL). It
 * is seen at once, for a script waits for it. Errors: COW_BROKEN_PIPE, COW_IO, COW_NO_MEMORY. */
int cli_serving_tell(const struct cli_serving *serving, const struct cli_options *options, const char *uri,
                     const char *path, struct cow_error *err);

/* A line of another program, to standard error. The context is a struct cli_serving: nothing is told with -q.
 */
void cli_serving_log(void *context, const char *line);

/* From here on we are a child whose parent only waits, and hands signals on: so what was started is ended in
 * order even when the parent is killed. Standard output has to be flushed. Errors: COW_IO. */
int cli_serving_begin(struct cow_error *err);

#endif

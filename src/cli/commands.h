/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The subcommands: each opens what it needs, does its work, prints to standard output, and returns a status.
 * None prints its error or decides on an exit code: cli.c does, once for all.
 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include <stdint.h>

#include "cli/options.h"
#include "cow/fs.h"
#include "cow/image.h"

/* The run of each command's row in cli_command_table. Each answers 0, a status with err set, or COW_FINDING
 * where it has done all of it and the exit code is to say that something was found; err has words then, or
 * none. Options that the command does not take were refused before (cli_read_options); those that exclude
 * each other are its own to see. What changes something makes a plan, shows it, asks where something that
 * exists is changed, and commits it (carry_out.h); serve, mount and record go on until a signal, their last
 * client, or --for ends them, and give back what they hold. */
#define COMMAND_RUN(ID, name) int cli_##name(const struct cli_options *options, struct cow_error *err);
CLI_EACH_COMMAND(COMMAND_RUN)
#undef COMMAND_RUN

/* The same, of the rows of front_changes: merge, for it can write to standard output, and all the others. */
int cli_merge(const struct cli_options *options, struct cow_error *err);
int cli_plain_change(const struct cli_options *options, struct cow_error *err);

/* Whether a log is looked at on the screen: there is one, and no option asks for text. */
bool cli_replays_on_screen(const struct cli_options *options);

/* create --from: other programs read the format (create_from.c). */
int cli_create_from_qcow2(const struct cli_options *options, struct cow_error *err);

/* files --diff, of a file in that partition (-1: none was named): its lines or its JSON. COW_FINDING where
 * the two versions differ (files_diff.c). */
int cli_files_diff(struct cow_image *image, struct cow_fs *fs, int partition,
                   const struct cli_options *options, struct cow_error *err);

/* --partition as a number; -1 if it was not given. */
int cli_read_partition(int *out, const struct cli_options *options, struct cow_error *err);

/* --interval in nanoseconds ("2", "0.25": seconds); a second if it was not given (map.c). */
int cli_read_interval(int64_t *out, const char *text, struct cow_error *err);

/* The present time (struct cow_env). */
int64_t cli_clock_ns(void *context);

/* Opens the image that the first operand names, with the backing file that the options name. */
int cli_open_image(struct cow_image **out, const struct cli_options *options, struct cow_error *err);

/* What needs the layout of an image whose change was interrupted: "IMAGE: has no map: why". COW_INVALID, or
 * COW_LOCKED where its data is being moved at this moment; 0 for any other image. */
int cli_need_layout(struct cow_image *image, const char *lacks, struct cow_error *err);

#endif

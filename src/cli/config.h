/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The user's own config file: a long option a line, of those that say how the screen looks.
 */
#ifndef CLI_CONFIG_H
#define CLI_CONFIG_H

#include <limits.h>

#include "cli/options.h"

enum { CLI_CONFIG_BYTES = 8192 };

/* The file as it was read. What is set in the options lies in here, so it has to stay as long as they do. */
struct cli_config {
    char path[PATH_MAX];
    char text[CLI_CONFIG_BYTES + 1];
};

/* Sets what $XDG_CONFIG_HOME/cowtui/config (without that variable: ~/.config/cowtui/config) says, and the
 * command line does not. No such file: nothing. Errors: COW_USAGE for a line that has no place there, with
 * file and line; COW_IO where it cannot be read. */
int cli_read_config(struct cli_options *options, struct cli_config *config, struct cow_error *err);

#endif

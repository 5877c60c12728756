/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What --color says.
 */
#ifndef CLI_OUTPUT_COLOR_H
#define CLI_OUTPUT_COLOR_H

enum cli_color { CLI_COLOR_AUTO, CLI_COLOR_NEVER, CLI_COLOR_ALWAYS };

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Times of a log, as they are typed and told: seconds from its beginning.
 */
#ifndef CLI_HISTORY_SECONDS_H
#define CLI_HISTORY_SECONDS_H

#include <stdint.h>

#include "cow/error.h"

/* "12", "12.5": seconds in milliseconds, whatever the locale's decimal point is. Errors: COW_USAGE, which
 * names the option. */
int cli_read_time(uint64_t *out_ms, const char *option, const char *text, struct cow_error *err);

/* "12.500". Returns out. */
enum { CLI_SECONDS_BYTES = 32 };
const char *cli_seconds(char out[CLI_SECONDS_BYTES], uint64_t ms);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See seconds.h.
 */
#include "cli/history/seconds.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { DIGITS_MOST = 10, MS = 1000 };

int cli_read_time(uint64_t *out_ms, const char *option, const char *text, struct cow_error *err)
{
    size_t whole = strspn(text, "0123456789"), fraction = 0;
    uint64_t ms = 0;

    for (size_t i = 0; i < whole && whole <= DIGITS_MOST; i++) {
        ms = ms * 10 + (uint64_t)(text[i] - '0') * MS;
    }
    if (text[whole] == '.') {
        fraction = strspn(text + whole + 1, "0123456789");
        uint64_t unit = MS;
        for (size_t i = 0; i < fraction && unit > 1; i++) {
            ms += (uint64_t)(text[whole + 1 + i] - '0') * (unit /= 10);
        }
    }
    const size_t used = whole + (text[whole] == '.' ? 1 + fraction : 0);
    if (whole + fraction == 0 || whole > DIGITS_MOST || text[used] != '\0') {
        return cow_error_set(err, COW_USAGE, "%s: %s is no time in seconds, as 12.5 is", option, text);
    }
    *out_ms = ms;
    return 0;
}

const char *cli_seconds(char out[CLI_SECONDS_BYTES], uint64_t ms)
{
    snprintf(out, CLI_SECONDS_BYTES, "%" PRIu64 ".%03u", ms / MS, (unsigned)(ms % MS));
    return out;
}

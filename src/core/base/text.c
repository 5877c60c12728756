/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Sizes and names as text. cow_escape is the only way by which a name from an image or a command line reaches
 * a terminal.
 */
#include "cow/text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base/arith.h"

static const char unit_letters[] = "KMGTPE";

const char *cow_size_text(char *buffer, uint64_t size_bytes)
{
    if (size_bytes < 1024) {
        snprintf(buffer, COW_SIZE_TEXT_BYTES, "%" PRIu64 " B", size_bytes);
        return buffer;
    }
    unsigned unit = 0;
    while (unit < 5 && size_bytes >> (10 * (unit + 1)) >= 1024) {
        unit++;
    }
    double value = (double)size_bytes / (double)(UINT64_C(1) << (10 * (unit + 1)));
    if (value >= 1023.5 && unit < 5) { /* would print as 1024 */
        value /= 1024;
        unit++;
    }
    int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    snprintf(buffer, COW_SIZE_TEXT_BYTES, "%.*f %ciB", decimals, value, unit_letters[unit]);
    return buffer;
}

const char *cow_size_argument(char *buffer, uint64_t size_bytes)
{
    unsigned unit = 0;
    while (unit < 4 && size_bytes != 0 && size_bytes % 1024 == 0) {
        size_bytes /= 1024;
        unit++;
    }
    if (unit == 0) {
        snprintf(buffer, COW_SIZE_TEXT_BYTES, "%" PRIu64, size_bytes);
    } else {
        snprintf(buffer, COW_SIZE_TEXT_BYTES, "%" PRIu64 "%c", size_bytes, unit_letters[unit - 1]);
    }
    return buffer;
}

/* Reads "K", "KiB", "KB"... or nothing; answers the shift, or -1. */
static int parse_unit(const char *text)
{
    static const char letters[] = "kmgt";
    if (*text == '\0' || strcmp(text, "B") == 0 || strcmp(text, "b") == 0) {
        return 0;
    }
    char lower = (char)(*text | 0x20);
    const char *found = strchr(letters, lower);
    const char *rest = text + 1;
    if (found == NULL || (*rest != '\0' && strcmp(rest, "iB") != 0 && strcmp(rest, "ib") != 0 &&
                          strcmp(rest, "B") != 0 && strcmp(rest, "b") != 0)) {
        return -1;
    }
    return 10 * (int)(found - letters + 1);
}

static int parse_failed(struct cow_error *err, const char *text)
{
    cow_error_set(err, COW_USAGE, "\"%s\" is not a size", text);
    return cow_error_hint(err, "write bytes or a unit (512, 400M, 1.5G) or a change (+64M, -1G); K M G T are "
                               "powers of 1024");
}

/* "1", "1.5", ".5": the digits as whole * 10^decimals, without the point. At most 18 digits. */
static bool parse_digits(const char **text, uint64_t *digits, unsigned *decimals)
{
    const char *at = *text;
    bool point = false;
    unsigned n = 0;
    *digits = 0;
    *decimals = 0;
    for (; (*at >= '0' && *at <= '9') || (*at == '.' && !point); at++) {
        if (*at == '.') {
            point = true;
            continue;
        }
        uint64_t value;
        if (!arith_mul(&value, *digits, 10) || !arith_add(&value, value, (uint64_t)(*at - '0'))) {
            return false;
        }
        *digits = value;
        *decimals += point;
        n++;
    }
    *text = at;
    return n > 0 && *decimals <= 9;
}

int cow_size_parse(uint64_t *out, const char *text, uint64_t base_bytes, struct cow_error *err)
{
    struct cow_error local;
    err = err != NULL ? err : &local;
    const char *at = text;
    char sign = *at == '+' || *at == '-' ? *at++ : '\0';
    uint64_t digits, value;
    unsigned decimals;
    if (!parse_digits(&at, &digits, &decimals)) {
        return parse_failed(err, text);
    }
    while (*at == ' ') {
        at++;
    }
    int shift = parse_unit(at);
    if (shift < 0) {
        return parse_failed(err, text);
    }
    /* digits * 2^shift / 10^decimals without a wider type: what both sides have in twos is cancelled first,
     * so that what is left divides the product only if it divides the digits. */
    uint64_t divisor = 1;
    for (unsigned i = 0; i < decimals; i++) {
        divisor *= 10;
    }
    for (; shift > 0 && divisor % 2 == 0; shift--) {
        divisor /= 2;
    }
    if (digits % divisor != 0) {
        return cow_error_set(err, COW_USAGE, "\"%s\" is no whole number of bytes", text);
    }
    value = digits / divisor;
    if (value > (uint64_t)INT64_MAX >> shift) {
        return cow_error_set(err, COW_USAGE, "\"%s\" is too large", text);
    }
    value <<= shift;
    if (sign == '-' && value > base_bytes) {
        return cow_error_set(err, COW_USAGE, "\"%s\" is more than there is", text);
    }
    if (sign == '-') {
        value = base_bytes - value;
    } else if (sign == '+' && !arith_add(&value, base_bytes, value)) {
        value = UINT64_MAX;
    }
    if (value > INT64_MAX) {
        return cow_error_set(err, COW_USAGE, "\"%s\" is too large", text);
    }
    *out = value;
    return 0;
}

const char *cow_duration_text(char *buffer, uint64_t moves_bytes)
{
    const uint64_t bytes_a_second = 200 * 1024 * 1024;
    const uint64_t seconds = moves_bytes / bytes_a_second + (moves_bytes % bytes_a_second != 0);
    if (seconds > 120) {
        snprintf(buffer, COW_DURATION_TEXT_BYTES, "about %" PRIu64 " minutes at 200 MiB/s",
                 (seconds + 59) / 60);
    } else {
        snprintf(buffer, COW_DURATION_TEXT_BYTES, "about %" PRIu64 " second%s at 200 MiB/s", seconds,
                 seconds == 1 ? "" : "s");
    }
    return buffer;
}

const char *cow_time_text(char *buffer, int64_t seconds)
{
    const time_t time = (time_t)seconds;
    struct tm parts;
    if (time != seconds || gmtime_r(&time, &parts) == NULL ||
        strftime(buffer, COW_TIME_TEXT_BYTES, "%Y-%m-%d %H:%M:%S UTC", &parts) == 0) {
        snprintf(buffer, COW_TIME_TEXT_BYTES, "%" PRId64 " s", seconds);
    }
    return buffer;
}

const char *cow_share_text(char *buffer, uint64_t part, uint64_t whole)
{
    const double percent = whole > 0 ? 100.0 * (double)part / (double)whole : 0;
    if (part > 0 && percent < 0.1) {
        snprintf(buffer, COW_SHARE_TEXT_BYTES, "<0.1%%");
    } else if (part < whole && percent >= 99.95) {
        snprintf(buffer, COW_SHARE_TEXT_BYTES, ">99.9%%");
    } else {
        snprintf(buffer, COW_SHARE_TEXT_BYTES, "%.1f%%", percent);
    }
    return buffer;
}

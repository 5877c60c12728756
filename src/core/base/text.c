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
    uint64_t divisor = 1;
    for (unsigned i = 0; i < decimals; i++) {
        divisor *= 10;
    }
    unsigned __int128 scaled = (unsigned __int128)digits << shift;
    if (scaled % divisor != 0) {
        return cow_error_set(err, COW_USAGE, "\"%s\" is no whole number of bytes", text);
    }
    scaled /= divisor;
    if (scaled > INT64_MAX) {
        return cow_error_set(err, COW_USAGE, "\"%s\" is too large", text);
    }
    value = (uint64_t)scaled;
    if (sign == '+' && (!arith_add(&value, base_bytes, value) || value > INT64_MAX)) {
        return cow_error_set(err, COW_USAGE, "\"%s\" is too large", text);
    }
    if (sign == '-') {
        if (value > base_bytes) {
            return cow_error_set(err, COW_USAGE, "\"%s\" is more than there is", text);
        }
        value = base_bytes - value;
    }
    *out = value;
    return 0;
}

/* The length of the well-formed UTF-8 character at text that is safe to print, or 0. */
static size_t printable_character(const unsigned char *text)
{
    unsigned char lead = text[0];
    if (lead >= 0x20 && lead < 0x7f) {
        return 1;
    }
    size_t length = lead >= 0xc2 && lead < 0xe0   ? 2
                    : lead >= 0xe0 && lead < 0xf0 ? 3
                    : lead >= 0xf0 && lead < 0xf5 ? 4
                                                  : 0;
    if (length == 0) {
        return 0;
    }
    uint32_t code = lead & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (text[i] & 0x3f);
    }
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    bool bad = code < smallest[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000);
    bool control = code < 0xa0;
    bool directional = code == 0x061c || code == 0x200e || code == 0x200f ||
                       (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) ||
                       code == 0xfeff || (code >= 0x200b && code <= 0x200d);
    return bad || control || directional ? 0 : length;
}

static const char *escape(char *out, size_t out_bytes, const char *text, bool escape_backslash)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t used = 0;
    while (*at != '\0') {
        size_t length = printable_character(at);
        char piece[8];
        size_t piece_bytes;
        if (length == 0) {
            piece_bytes = (size_t)snprintf(piece, sizeof piece, "\\x%02x", *at);
            length = 1;
        } else if (*at == '\\' && escape_backslash) {
            memcpy(piece, "\\\\", 2);
            piece_bytes = 2;
        } else {
            memcpy(piece, at, length);
            piece_bytes = length;
        }
        bool last = at[length] == '\0';
        if (used + piece_bytes + (last ? 1 : 4) > out_bytes) {
            memcpy(out + used, "...", 3);
            used += 3;
            break;
        }
        memcpy(out + used, piece, piece_bytes);
        used += piece_bytes;
        at += length;
    }
    out[used] = '\0';
    return out;
}

const char *cow_escape(char *out, size_t out_bytes, const char *text)
{
    return escape(out, out_bytes, text, true);
}

const char *cow_escape_message(char *out, size_t out_bytes, const char *text)
{
    return escape(out, out_bytes, text, false);
}

const char *cow_shell_quote(char *out, size_t out_bytes, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=@%+,-";
    if (*word != '\0' && word[strspn(word, plain)] == '\0') {
        return escape(out, out_bytes, word, false);
    }
    char quoted[4 * 4096 + 16];
    size_t used = 0;
    quoted[used++] = '\'';
    for (; *word != '\0' && used + 8 < sizeof quoted; word++) {
        if (*word == '\'') {
            memcpy(quoted + used, "'\\''", 4);
            used += 4;
        } else {
            quoted[used++] = *word;
        }
    }
    quoted[used++] = '\'';
    quoted[used] = '\0';
    return escape(out, out_bytes, quoted, false);
}

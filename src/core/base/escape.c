/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Names as text: the only way by which bytes from an image or a command line reach a terminal.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cow/text.h"

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

/* One character of text as it may be printed, into piece; answers its length, *taken what it stands for. */
static size_t next_piece(char piece[8], size_t *taken, const unsigned char *at, bool escape_backslash)
{
    size_t length = printable_character(at);
    *taken = length == 0 ? 1 : length;
    if (length == 0) {
        return (size_t)snprintf(piece, 8, "\\x%02x", *at);
    }
    if (*at == '\\' && escape_backslash) {
        memcpy(piece, "\\\\", 2);
        return 2;
    }
    memcpy(piece, at, length);
    return length;
}

static const char *escape(char *out, size_t out_bytes, const char *text, bool escape_backslash)
{
    char piece[8];
    size_t taken, used = 0, fits = 0; /* fits: how far it may go if "..." has to follow */
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at += taken) {
        size_t n = next_piece(piece, &taken, at, escape_backslash);
        if (used + n + 1 > out_bytes) {
            memcpy(out + fits, "...", 4);
            return out;
        }
        memcpy(out + used, piece, n);
        used += n;
        fits = used + 4 <= out_bytes ? used : fits;
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

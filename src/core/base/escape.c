/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Names as text: the only way by which bytes from an image or a command line reach a terminal.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cow/text.h"

/* As many marks are drawn over one letter: enough for every script, too few to reach into the lines around.
 */
enum { MARKS_MAX = 4 };

/* The length of the well-formed UTF-8 character at text, or 0. */
static size_t decode_utf8(uint32_t *code_point, const unsigned char *text)
{
    unsigned char lead = text[0];
    if (lead < 0x80) {
        *code_point = lead;
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
    *code_point = code;
    return code < smallest[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : length;
}

/* Whether marks may follow it: on a blank, a slash or a quote they would change what frames the name. */
static bool is_base(uint32_t code_point)
{
    return code_point >= 0xa0 || (code_point >= '0' && code_point <= '9') ||
           ((code_point | 0x20) >= 'a' && (code_point | 0x20) <= 'z');
}

/* The length of the character at text that is safe to print, or 0. *marks: how many more marks may follow. */
static size_t printable_character(const unsigned char *text, int *marks)
{
    uint32_t code_point;
    size_t length = decode_utf8(&code_point, text);
    enum cow_glyph glyph = length == 0 ? COW_GLYPH_HIDDEN : cow_glyph_of(code_point);
    if (glyph == COW_GLYPH_HIDDEN || (glyph == COW_GLYPH_MARK && *marks == 0)) {
        *marks = 0; /* the escaped form is no letter to put them on */
        return 0;
    }
    if (glyph == COW_GLYPH_MARK) {
        (*marks)--;
    } else {
        *marks = is_base(code_point) ? MARKS_MAX : 0;
    }
    return length;
}

/* One character of text as it may be printed, into piece; answers its length, *taken what it stands for. */
static size_t next_escaped(char piece[8], size_t *taken, const unsigned char *at, int *marks,
                           bool escape_backslash)
{
    size_t length = printable_character(at, marks);
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
    int marks = 0;
    size_t taken, used = 0, fits = 0; /* fits: how far it may go if "..." has to follow */
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at += taken) {
        size_t n = next_escaped(piece, &taken, at, &marks, escape_backslash);
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

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Sizes and names as text, the same in every front end.
 */
#ifndef COW_TEXT_H
#define COW_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "cow/error.h"

enum { COW_SIZE_TEXT_BYTES = 32 };

/* Writes size_bytes with three significant digits and a unit of 1024: "64.0 MiB", "128 MiB", "952 KiB", "512
 * B". buffer has COW_SIZE_TEXT_BYTES. Returns buffer. */
const char *cow_size_text(char *buffer, uint64_t size_bytes);

/* The shortest exact form that cow_size_parse reads back: "128M", "952K", "300001". Same buffer rule. */
const char *cow_size_argument(char *buffer, uint64_t size_bytes);

/* Reads a size: decimal digits with an optional fraction ("1.5G"), an optional unit K M G T (times 1024; a
 * following "iB" or "B" is allowed), and an optional sign. With a sign the size is relative to base_bytes
 * ("+1G", "-512M"). Errors: COW_USAGE for anything else, for a fraction that is no whole number of bytes, for
 * a result below 0 or above 2^63-1. On failure *out is unchanged. */
int cow_size_parse(uint64_t *out, const char *text, uint64_t base_bytes, struct cow_error *err);

/* What a code point does on a terminal. */
enum cow_glyph {
    COW_GLYPH_SEEN,
    COW_GLYPH_MARK,   /* it is drawn over the character before it */
    COW_GLYPH_HIDDEN, /* it draws nothing, turns the order of the text, or is a control character */
};

/* Never fails; code points that Unicode has not assigned are taken for seen. */
enum cow_glyph cow_glyph_of(uint32_t code_point);

/* Copies text so that it is safe on any terminal that speaks UTF-8: control bytes (C0, DEL, C1), what draws
 * nothing or turns the order of the text, broken UTF-8, and marks that have no letter to stand on (at the
 * beginning, behind an ASCII sign) or are more than 4 on one become \xNN; a backslash becomes \\. Truncates
 * at a whole character with "..." if out is too small; always ends in NUL. Returns out. out_bytes >= 8. */
const char *cow_escape(char *out, size_t out_bytes, const char *text);

/* The same for a whole message, whose backslashes stay as they are (its parts may be escaped already). */
const char *cow_escape_message(char *out, size_t out_bytes, const char *text);

/* Quotes a word for a POSIX shell where it needs it, escaped as above otherwise: root.cow, 'my disk.cow'. */
const char *cow_shell_quote(char *out, size_t out_bytes, const char *word);

/* How long it takes to move so many bytes on a usual disk: "about 5 seconds at 200 MiB/s". buffer has
 * COW_DURATION_TEXT_BYTES. Returns buffer. */
enum { COW_DURATION_TEXT_BYTES = 64 };
const char *cow_duration_text(char *buffer, uint64_t moves_bytes);

/* A share of a whole in percent: "1.5%", "<0.1%", ">99.9%". buffer has COW_SHARE_TEXT_BYTES. Returns buffer.
 */
enum { COW_SHARE_TEXT_BYTES = 16 };
const char *cow_share_text(char *buffer, uint64_t part, uint64_t whole);

/* The word that was meant, most likely. */
struct cow_nearest {
    const char *typed; /* need not end in NUL */
    size_t typed_bytes;
    const char *word;  /* the nearest of those offered, NULL: none is near enough. To begin with NULL */
    unsigned distance; /* how many letters it is away */
};

/* Offers one of the words that there are: begin with what was typed, offer all of them, and look whether
 * nearest->word is one. It stays NULL where each is too far away: more than one letter where up to 3 are
 * typed, two where up to 6, else three; or as many as were typed. A letter that is added, missing or another
 * one counts as one, and so do two neighbours that are swapped. Of equally near words the first offered
 * stays; one of more than 32 letters is near to none. Neither text is copied. */
void cow_nearest_offer(struct cow_nearest *nearest, const char *word);

/* "2003-04-05 06:07:08 UTC" of seconds since 1970, or the number where there is no such date. buffer has
 * COW_TIME_TEXT_BYTES. Returns buffer. */
enum { COW_TIME_TEXT_BYTES = 40 };
const char *cow_time_text(char *buffer, int64_t seconds);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * "Did you mean": which of some words is nearest to one that is none of them. A letter too much, too few,
 * another one, or two exchanged count one each (optimal string alignment). How far a word may be away grows
 * with its length: of three letters two others are another word.
 */
#include <stddef.h>
#include <string.h>

#include "cow/text.h"

enum { LETTERS_MAX = 32 };

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Both have LETTERS_MAX letters at most. Row i of the table is what the first i letters of a are away from
 * the first ones of b; three rows are kept. */
static unsigned distance_of(const char *a, size_t a_length, const char *b, size_t b_length)
{
    unsigned row[3][LETTERS_MAX + 1];
    for (size_t j = 0; j <= b_length; j++) {
        row[0][j] = (unsigned)j;
    }
    for (size_t i = 1; i <= a_length; i++) {
        const unsigned *before = row[(i + 1) % 3], *last = row[(i - 1) % 3];
        unsigned *now = row[i % 3];
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= b_length; j++) {
            now[j] = least(last[j] + 1, now[j - 1] + 1);
            now[j] = least(now[j], last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                now[j] = least(now[j], before[j - 2] + 1);
            }
        }
    }
    return row[a_length % 3][b_length];
}

void cow_nearest_offer(struct cow_nearest *nearest, const char *word)
{
    const size_t typed_length = nearest->typed_bytes, length = strlen(word);
    if (typed_length > LETTERS_MAX || length > LETTERS_MAX) {
        return;
    }
    const unsigned allowed = typed_length < 4 ? 1 : typed_length < 7 ? 2 : 3;
    const unsigned distance = distance_of(nearest->typed, typed_length, word, length);
    if (distance <= allowed && distance < typed_length &&
        (nearest->word == NULL || distance < nearest->distance)) {
        nearest->word = word;
        nearest->distance = distance;
    }
}

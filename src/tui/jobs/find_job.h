/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Finding a place of the disk, as a job: bytes on either side, the next difference of the two sides, or the
 * next piece in the COW whose owner has some text in its name. Holes are not read. It begins when it is asked
 * for, and what it has found is taken by the application when it has ended.
 */
#ifndef COW_TUI_JOBS_FIND_JOB_H
#define COW_TUI_JOBS_FIND_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cow/image.h"
#include "tui/jobs/files_job.h"
#include "tui/jobs/job.h"

enum { TUI_NEEDLE_BYTES = 64, TUI_FIND_TEXT_BYTES = 256, TUI_FIND_APART_BYTES = 16 };

enum tui_find_kind {
    TUI_FIND_BYTES,
    TUI_FIND_DIFFERENCE, /* a place where the sides differ begins behind 16 bytes in which they do not; where
                            the COW has neither a bit nor data they do not */
    TUI_FIND_OWNER,
};

/* What bytes are looked for. */
struct tui_needle {
    uint8_t byte[TUI_NEEDLE_BYTES];
    size_t n;
};

/* What was typed, as bytes: 0x4f4f and "de ad be ef" are numbers, "\"de ad\"" and all else is text. False: it
 * is too long, or has an odd number of digits behind 0x. */
bool tui_needle_read(struct tui_needle *out, const char *text);

struct tui_find {
    struct tui_job job; /* done: found tells whether */
    const struct tui_files *files;
    enum tui_find_kind kind;
    struct tui_needle needle;
    char text[TUI_FIND_TEXT_BYTES];
    bool back;
    uint64_t from;        /* where it began */
    uint64_t at;          /* all between was looked into */
    uint64_t step;        /* going back: how much of the disk is asked about at once */
    uint64_t apart;       /* how many bytes before (going back: behind) `at` are the same on both sides */
    bool skips_first;     /* the owner that it begins at is not meant */
    bool has_candidate;   /* going back: the place found may begin further up */
    bool without_backing; /* what cannot be read is not looked into */
    uint8_t *buffer;
    bool found;
    uint64_t found_at;
    bool in_cow, in_backing; /* which side has the bytes */
};

/* Off. */
void tui_find_init(struct tui_find *find, const struct tui_subject *subject, const struct tui_files *files);

/* Begins to look for it, from a byte of the disk on (that one, too) or, back, before it. What was looked for
 * is forgotten. needle and text are copied. Without memory the job has failed. */
void tui_find_bytes(struct tui_find *find, const struct tui_needle *needle, uint64_t from, bool back);
void tui_find_difference(struct tui_find *find, uint64_t from, bool back);
/* beyond: not in the piece that it begins in. */
void tui_find_owner(struct tui_find *find, const char *text, uint64_t from, bool back, bool beyond);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What both front ends say of an image and of a plan: rows of a label, a tone and a text, in the order in
 * which they are read. The words stand here once; how a row looks is the front end's.
 */
#ifndef FRONT_TOLD_TOLD_H
#define FRONT_TOLD_TOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "cow/image.h"
#include "cow/plan.h"

enum front_tone { FRONT_PLAIN, FRONT_FAINT, FRONT_GOOD, FRONT_WARN, FRONT_BAD };

struct front_rows {
    /* One row. label: in a narrow column (7) empty where the row belongs to the one above, in a wide one (14)
     * indented there. The text is one line without control bytes; both are valid during the call. */
    void (*put)(void *context, const char *label, enum front_tone tone, const char *text);
    void *context;
    bool is_narrow;
    int cols; /* that a text has in one line; 0: as many as it wants */
};

/* What a kernel would say, what helps, and what it does not say. what: "it", "the result". */
void front_tell_verdict(const struct front_rows *rows, const struct cow_verdict *verdict, const char *what);
/* "opens", "refuses", or "?" where it is not known. */
const char *front_verdict_word(const struct cow_verdict *verdict);

/* Where the parts of a file lie, in bytes: header, bitmap, data, a row each; and how far its disk can grow
 * (0: not at all) before its data has to move. */
void front_tell_layout(const struct front_rows *rows, const struct cow_layout *layout,
                       uint64_t can_grow_to_bytes);
/* The same of a plan: before, and then. Nothing where there is no file then. */
void front_tell_layouts(const struct front_rows *rows, const struct cow_preview *preview);

/* Of a plan. Its verdict is that of the result, with the kernel that has the 2003 patch where a stock one
 * refuses; nothing where there is no result that a kernel would look at. */
void front_tell_result(const struct front_rows *rows, const struct cow_preview *preview);
/* What it writes or moves, and the room that it needs for that; nothing where nothing is to be done. */
void front_tell_costs(const struct front_rows *rows, const struct cow_plan *plan);
/* Whether data moves within the file of an image, of one of several at least: that can be stopped half way,
 * and the image is not whole then. */
bool front_moves_in_place(const struct cow_preview *preview);
/* Whether all that it does is to make a file where there was none: no yes is asked for then. What takes the
 * place of a file by --force, or is written over a device, is no such thing. */
bool front_makes_file(const struct cow_plan *plan);
/* What becomes of the data. */
void front_tell_content(const struct front_rows *rows, const struct cow_preview *preview);
/* Of several images that change as one: a row each. */
void front_tell_images(const struct front_rows *rows, const struct cow_preview *preview);
/* What becomes of the backing file, who else stands on it, and the name that the result stores. */
void front_tell_backing(const struct front_rows *rows, const struct cow_preview *preview);
/* How far it can grow later; what else there is to know; the way back. */
void front_tell_reserve(const struct front_rows *rows, const struct cow_preview *preview);
void front_tell_notes(const struct front_rows *rows, const struct cow_preview *preview);
void front_tell_undo(const struct front_rows *rows, const struct cow_preview *preview);

#endif

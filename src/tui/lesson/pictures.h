/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The pictures of the lesson. Each is drawn from the practice disk as its files are at that moment: no number
 * in them is written down anywhere else.
 */
#ifndef COW_TUI_LESSON_PICTURES_H
#define COW_TUI_LESSON_PICTURES_H

#include "tui/actions/actions.h"
#include "tui/lesson/picture.h"

/* A way to go from here: a key of the program, or what is typed. */
struct lesson_way {
    const char *typed; /* NULL: a key, by its row in the table of actions: */
    tui_contexts contexts;
    enum tui_action_id id;
    const char *words;
};

extern const struct lesson_way lesson_ways[]; /* ends with one without words */

/* The first key of an action in those contexts, 0 if it has none. */
int lesson_key_of(enum tui_action_id id, tui_contexts contexts);

void picture_files(const struct lesson_picture *picture); /* the two files, and what is seen through them */
void picture_bits(const struct lesson_picture *picture);  /* a page's bits, and where a read gets its bytes */
void picture_map(const struct lesson_picture *picture);   /* how much of each stretch is in the COW */
void picture_dates(const struct lesson_picture *picture); /* what the header says of the backing file */
void picture_growth(const struct lesson_picture *picture); /* before, while the data moves, afterwards */
void picture_fit(const struct lesson_picture *picture);    /* how long both files are */
void picture_ways(const struct lesson_picture *picture);   /* where to go from here */

#endif

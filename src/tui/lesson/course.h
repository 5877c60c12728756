/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The lesson without its screen: ten steps, each with its text and what happens to the practice disk in it,
 * and where one is. A step has one or more frames; as one begins, what it shows is done, really, to the
 * practice disk.
 */
#ifndef COW_TUI_LESSON_COURSE_H
#define COW_TUI_LESSON_COURSE_H

#include "tui/lesson/pictures.h"

enum { LESSON_STEPS = 10, LESSON_SAID = 4 };

struct lesson_step {
    const char *title, *text;      /* ASCII */
    const char *said[LESSON_SAID]; /* of each frame, a few words; the last one of the end */
    int last;                      /* frame, from 0; that one stays */
    int tenths;                    /* of a second, that each other frame is shown to a person */
    int (*act)(struct practice *practice, int frame, struct cow_error *err); /* NULL: nothing happens */
    void (*draw)(const struct lesson_picture *picture);
};

extern const struct lesson_step lesson_steps[LESSON_STEPS];

struct course {
    struct practice practice;
    int step, frame;
    bool is_lost; /* something went wrong: the practice disk is none, until a step is gone to */
};

/* Makes the practice disk, and begins the first step. Errors: COW_IO...; all is given back then. */
int course_begin(struct course *course, struct cow_error *err);

/* Removes it. */
void course_end(struct course *course);

/* Goes to a step's first frame, 0 to LESSON_STEPS - 1; to any but the next one by doing all again from a new
 * disk. On failure the course is lost, and where it was. */
int course_go(struct course *course, int step, struct cow_error *err);

/* The next frame, if there is one; and all of them. On failure the course is lost. */
int course_advance(struct course *course, struct cow_error *err);
int course_finish(struct course *course, struct cow_error *err);

/* Whether the last frame is shown. */
bool course_rests(const struct course *course);

/* What is said of the frame that is shown, "" for nothing. */
const char *course_said(const struct course *course);

#endif

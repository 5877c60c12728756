/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The table of steps, and walking over it. Texts name no number and no key: numbers are in the pictures,
 * which read them from the practice disk, and keys in the footer, which reads them from the table of actions.
 */
#include "tui/lesson/course.h"

#include <stddef.h>

static int act_write(struct practice *practice, int frame, struct cow_error *err)
{
    return frame == 1   ? practice_write_bytes(practice, err)
           : frame == 2 ? practice_write_bits(practice, err)
                        : 0;
}

static int act_fill(struct practice *practice, int frame, struct cow_error *err)
{
    return frame > 0 ? practice_write_part(practice, frame - 1, err) : 0;
}

static int act_touch(struct practice *practice, int frame, struct cow_error *err)
{
    return frame > 0 ? practice_touch(practice, err) : 0;
}

static int act_mend(struct practice *practice, int frame, struct cow_error *err)
{
    return practice_do(practice, PRACTICE_RESTAMP, frame > 0, err);
}

enum { GROWTH_FRAMES = 14 };

/* Nothing is written before the last frame. */
static int act_grow(struct practice *practice, int frame, struct cow_error *err)
{
    return frame == 0 || frame == GROWTH_FRAMES
               ? practice_do(practice, PRACTICE_GROW_KEEP, frame == GROWTH_FRAMES, err)
               : 0;
}

static int act_fit(struct practice *practice, int frame, struct cow_error *err)
{
    return practice_do(practice, frame < 2 ? PRACTICE_UNDO : PRACTICE_GROW_EXTEND, frame % 2 == 1, err);
}

/* clang-format off */
const struct lesson_step lesson_steps[LESSON_STEPS] = {
    {
        .title = "One disk, two files",
        .text = "A copy-on-write disk is two files. The backing file holds a whole disk, and is only ever read. "
                "The COW file lies over it like a pane of glass: it holds what the guest has written, and nothing "
                "else. This one is new, and empty: the guest sees the backing file through it.",
        .draw = picture_files,
    }, {
        .title = "A read: the bit is clear",
        .text = "A COW file begins with a header and a bitmap: one bit for each sector of the disk. The guest "
                "reads a sector. Its bit is clear, for nobody has written there yet. So the bytes come from the "
                "backing file.",
        .draw = picture_bits,
    }, {
        .title = "A guest writes",
        .text = "Now the guest writes there. The backing file stays as it is: the bytes go to the place that the "
                "COW file has for them. When they are safe the bits are set. In this order: a crash in between "
                "loses the write, and nothing else.",
        .said = {"before it writes", "the bytes are there, and their bits still clear", "the bits are set: written"},
        .last = 2, .tenths = 20, .act = act_write, .draw = picture_bits,
    }, {
        .title = "A read: the bit is set",
        .text = "The same read, once more. The bit is set now, so the bytes come from the COW file. The backing "
                "file has the old ones still, and whatever other COW file lies on it goes on seeing those.",
        .draw = picture_bits,
    }, {
        .title = "The bitmap fills",
        .text = "The guest goes on writing, here and there. A cell of the map is a stretch of the disk, and "
                "shows how much of it has its bits set. Writing to the same sector again sets no new bit: a "
                "COW file grows with the sectors that are written, not with the writes.",
        .last = PRACTICE_WRITES, .tenths = 2, .act = act_fill, .draw = picture_map,
    }, {
        .title = "touch breaks it",
        .text = "How does a kernel know that a backing file is the right one? The header has its size and "
                "its date. Now somebody touches the backing file: not a byte in it is another one, but its "
                "date is, and that is enough for a kernel to refuse the disk.",
        .said = {"it fits", "somebody has touched it"},
        .last = 1, .tenths = 25, .act = act_touch, .draw = picture_dates,
    }, {
        .title = "What mends it",
        .text = "If only the date has changed, let the header have the new one: that is cowtui rebase --restamp, "
                "or :restamp on the screen. If the bytes have changed, too, that would only hide it: then the old "
                "file has to come back.",
        .said = {"what will be done", "done: the header has the new date"},
        .last = 1, .tenths = 25, .act = act_mend, .draw = picture_dates,
    }, {
        .title = "The disk grows",
        .text = "A larger disk has more sectors, so its bitmap is longer, and all data has to move towards the "
                "end, the last of it first. Then the new sectors are marked, for the backing file has nothing for "
                "them. Josef Spillner drew this in 2003, in three pictures.",
        .said = {"the plan; nothing is written yet", "the data moves, its end first", "the new sectors are marked"},
        .last = GROWTH_FRAMES, .tenths = 3, .act = act_grow, .draw = picture_growth,
    }, {
        .title = "So that a kernel opens it",
        .text = "A kernel wants a backing file of the same size as the disk, and this one is too short now. "
                "So that growth is taken back, and done in the way that cowtui prefers: the backing file "
                "gets a hole at its end, and the new sectors stay clean.",
        .said = {"too large for its backing file", "taken back", "the plan", "both files are longer: it fits"},
        .last = 3, .tenths = 20, .act = act_fit, .draw = picture_fit,
    }, {
        .title = "Where to go from here",
        .text = "That is all there is to it. The practice disk goes when you leave; these are for disks of your "
                "own. Looking writes nothing, and whatever writes shows first what it will do, and asks.",
        .draw = picture_ways,
    },
};
/* clang-format on */

bool course_rests(const struct course *course)
{
    return course->frame == lesson_steps[course->step].last;
}

/* The last one is of the end, the one before it of all frames that lead there. */
const char *course_said(const struct course *course)
{
    const struct lesson_step *step = &lesson_steps[course->step];
    int n = 0;

    while (n < LESSON_SAID && step->said[n] != NULL) {
        n++;
    }
    if (n == 0) {
        return "";
    }
    return step->said[course_rests(course) || n == 1 ? n - 1 : course->frame < n - 2 ? course->frame : n - 2];
}

static int show_frame(struct course *course, int step, int frame, struct cow_error *err)
{
    const struct lesson_step *row = &lesson_steps[step];
    int status = row->act != NULL ? row->act(&course->practice, frame, err) : 0;

    if (status != 0) {
        course->is_lost = true;
        return status;
    }
    course->step = step;
    course->frame = frame;
    return 0;
}

int course_advance(struct course *course, struct cow_error *err)
{
    if (course->is_lost || course_rests(course)) {
        return 0;
    }
    return show_frame(course, course->step, course->frame + 1, err);
}

int course_finish(struct course *course, struct cow_error *err)
{
    int status = 0;

    while (status == 0 && !course->is_lost && !course_rests(course)) {
        status = course_advance(course, err);
    }
    return status;
}

/* All that goes before a step, on a new disk. */
static int redo(struct course *course, int step, struct cow_error *err)
{
    struct practice *practice = &course->practice;
    int status = practice_begin(practice, err);

    practice->is_hasty = true;
    for (int i = 0; i < step && status == 0; i++) {
        for (int frame = 0; frame <= lesson_steps[i].last && status == 0; frame++) {
            status = lesson_steps[i].act != NULL ? lesson_steps[i].act(practice, frame, err) : 0;
        }
    }
    practice->is_hasty = false;
    return status != 0 ? status : practice_catch_up(practice, err);
}

int course_go(struct course *course, int step, struct cow_error *err)
{
    bool is_next = !course->is_lost && step == course->step + 1;
    int status = is_next ? course_finish(course, err) : redo(course, step, err);

    course->is_lost = status != 0;
    return status != 0 ? status : show_frame(course, step, 0, err);
}

int course_begin(struct course *course, struct cow_error *err)
{
    int status = practice_make(&course->practice, err);

    course->step = course->frame = 0;
    course->is_lost = false;
    if (status != 0) {
        return status;
    }
    status = course_go(course, 0, err);
    if (status != 0) {
        practice_end(&course->practice);
    }
    return status;
}

void course_end(struct course *course)
{
    practice_end(&course->practice);
}

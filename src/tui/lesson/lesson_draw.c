/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How the lesson looks: a slide of a readable size in the middle of the screen, however large that is, its
 * text above its picture. The line on top says what a kernel makes of the practice disk, in the words and the
 * place where the title of any image says it.
 */
#include <stdio.h>

#include "tui/actions/told.h"
#include "tui/app/app.h"
#include "tui/lesson/lesson.h"
#include "tui/screen/keys.h"
#include "tui/screen/utf8.h"

enum {
    AROUND_ROWS = 4, /* title, tabs, message, footer */
    SLIDE_COLS = 96, /* no text is wider, and no picture */
    SLIDE_ROWS = 26,
    PICTURE_ROWS = 16,
    SIDES = 2, /* blank columns of the slide, on either side */
    BOX_COLS = 72,
    TITLE_BYTES = 192,
    BETWEEN = 3, /* blanks in the title */
};

static int at_most(int a, int b)
{
    return a < b ? a : b;
}

/* ---- the line on top ---- */

/* From the long form (0) to the short (1): why a kernel refuses goes first. */
static void verdict_text(const struct practice *practice, char out[TITLE_BYTES], int shortness)
{
    const struct cow_verdict *verdict = &practice->verdict;
    const bool says_why = shortness == 0 && !verdict->opens && verdict->brief[0] != '\0';
    char share[COW_SHARE_TEXT_BYTES];

    cow_share_text(share, practice->usage.dirty_sectors, cow_image_layout(practice->image)->sectors);
    snprintf(out, TITLE_BYTES, "%s dirty   kernel: %s%s%s", share, verdict->opens ? "opens" : "REFUSES",
             says_why ? ", " : "", says_why ? verdict->brief : "");
}

/* What the image is stands beside its name where that leaves room for the verdict. */
static void draw_top(const struct lesson *lesson, struct tui_canvas *canvas)
{
    const struct practice *practice = &lesson->course.practice;
    char facts[TITLE_BYTES], verdict[TITLE_BYTES], size[COW_SIZE_TEXT_BYTES];

    tui_fill(canvas, (struct tui_rect){0, 0, canvas->cols, 1}, ' ', TUI_BAR);
    int x = 1 + tui_text(canvas, 1, 0, canvas->cols - 2, TUI_BAR_STRONG, "disk.cow") + BETWEEN;
    if (lesson->course.is_lost || practice->image == NULL) {
        return;
    }
    verdict_text(practice, verdict, 0);
    if (x + tui_text_cells(verdict) + 1 > canvas->cols) {
        verdict_text(practice, verdict, 1);
    }
    int x_right = tui_text_right(canvas, canvas->cols - 1, 0, canvas->cols - 2,
                                 practice->verdict.opens ? TUI_BAR : TUI_BAR_ALERT, verdict);
    snprintf(facts, sizeof facts, "%s over disk.img",
             cow_size_text(size, cow_image_header(practice->image)->size_bytes));
    if (x + tui_text_cells(facts) + BETWEEN <= x_right) {
        tui_text(canvas, x, 0, x_right - x, TUI_BAR, facts);
    }
}

/* Whether there is room for headings and frames. */
static bool has_frames(const struct tui_canvas *canvas)
{
    return canvas->rows - AROUND_ROWS >= 2 + LESSON_TEXT_LINES + 1 + LESSON_PICTURE_ROWS + 2;
}

/* A tab a step; and the step's title where it stands nowhere else. */
static void draw_steps(const struct lesson *lesson, struct tui_canvas *canvas)
{
    int x = 0;

    for (int i = 0; i < LESSON_STEPS; i++) {
        x += tui_textf(canvas, x, 1, canvas->cols - x, i == lesson->course.step ? TUI_TAB_ACTIVE : TUI_TAB,
                       " %d ", i + 1);
    }
    tui_text_right(canvas, canvas->cols - 1, 1, canvas->cols - x - 2,
                   has_frames(canvas) ? TUI_DIM : TUI_HEADING,
                   has_frames(canvas) ? "A tour of copy-on-write" : lesson_steps[lesson->course.step].title);
}

/* ---- the slide ---- */

static struct tui_rect slide_of(const struct tui_canvas *canvas)
{
    int rows = canvas->rows - AROUND_ROWS;
    struct tui_rect slide = {0, 2, at_most(canvas->cols, SLIDE_COLS), at_most(rows, SLIDE_ROWS)};

    slide.x = (canvas->cols - slide.cols) / 2;
    slide.y += (rows - slide.rows) / 3;
    return slide;
}

/* The lines of a text in so many columns. */
static int fill_text(struct tui_page *page, int cols, const char *text)
{
    tui_page_begin(page, cols);
    tui_page_line(page);
    tui_page_wrap(page, 0, 0, TUI_NORMAL, text);
    return page->lines;
}

/* Returns the rows that it takes; for each step as many as for the one with the longest text, so that the
 * picture stays where it is. */
static int draw_text(struct lesson *lesson, struct tui_rect slide)
{
    const struct lesson_step *step = &lesson_steps[lesson->course.step];
    const int cols = slide.cols - 2 * SIDES, heading = has_frames(&lesson->canvas) ? 2 : 0;
    struct tui_page page = {0};
    int rows = 0;

    for (int i = 0; i < LESSON_STEPS; i++) {
        int lines = fill_text(&page, cols, lesson_steps[i].text);
        rows = lines > rows ? lines : rows;
    }
    fill_text(&page, cols, step->text);
    if (heading > 0) {
        tui_text(&lesson->canvas, slide.x + SIDES, slide.y, cols, TUI_HEADING, step->title);
    }
    rows = at_most(rows, slide.rows - heading);
    tui_page_draw(&page, &lesson->canvas, (struct tui_rect){slide.x + SIDES, slide.y + heading, cols, rows},
                  -1);
    tui_page_free(&page);
    return heading + rows;
}

/* In the place of a picture: why there is none. */
static void draw_lost(struct lesson *lesson, struct tui_rect area)
{
    struct tui_page page = {0};

    tui_page_begin(&page, area.cols);
    tui_page_line(&page);
    tui_page_wrapf(&page, 0, 0, TUI_BAD, "There is no practice disk: %s", lesson->error.message);
    tui_page_draw(&page, &lesson->canvas, area, -1);
    tui_page_free(&page);
}

/* Within a frame where there is room for one, and for a blank line on top of a large one. */
static void draw_picture(struct lesson *lesson, struct tui_rect slide, int below)
{
    const struct course *course = &lesson->course;
    struct tui_rect area = {slide.x + SIDES, slide.y + below + 1, slide.cols - 2 * SIDES,
                            slide.rows - below - 1};

    if (course->is_lost || course->practice.image == NULL) {
        draw_lost(lesson, area);
        return;
    }
    if (has_frames(&lesson->canvas)) {
        struct tui_rect frame = {slide.x, area.y, slide.cols, at_most(area.rows, PICTURE_ROWS)};
        area = tui_frame(&lesson->canvas, frame, course_said(course));
        int blank = area.rows > LESSON_PICTURE_ROWS + 3;
        area = (struct tui_rect){area.x + 1, area.y + blank, area.cols - 2, area.rows - blank};
    }
    lesson_steps[course->step].draw(&(struct lesson_picture){.practice = &course->practice,
                                                             .canvas = &lesson->canvas,
                                                             .area = area,
                                                             .frame = course->frame,
                                                             .last = lesson_steps[course->step].last});
}

/* ---- what lies over it, and below ---- */

static void fill_help(struct tui_page *page, const struct practice *practice)
{
    tui_actions_help_in(page, TUI_IN_LESSON);
    tui_page_line(page);
    tui_page_line(page);
    tui_page_wrapf(
        page, 1, 1, TUI_NORMAL,
        "The practice disk is real: as long as you are here, other programs find it in %s. Nothing "
        "else is touched.",
        practice->directory.path);
}

static void fill_message(struct tui_page *page, const struct cow_error *error)
{
    tui_page_line(page);
    tui_page_wrap(page, 1, 1, TUI_BAD, error->message);
    if (error->hint[0] != '\0') {
        tui_page_line(page);
        tui_page_line(page);
        tui_page_wrap(page, 1, 1, TUI_NORMAL, error->hint);
    }
    tui_page_line(page);
    tui_page_line(page);
    tui_page_wrap(page, 1, 1, TUI_NORMAL, "The next step begins with a new practice disk.");
}

static void draw_box(struct lesson *lesson, struct tui_canvas *canvas)
{
    struct tui_page *page = &lesson->page;
    bool is_help = lesson->box == LESSON_HELP;
    int cols = at_most(BOX_COLS, canvas->cols - 4);

    tui_page_begin(page, cols - 4);
    tui_page_line(page);
    if (is_help) {
        fill_help(page, &lesson->course.practice);
    } else {
        fill_message(page, &lesson->error);
    }
    tui_page_line(page);
    int rows = at_most(page->lines + 2, canvas->rows - 2);
    struct tui_rect box = {(canvas->cols - cols) / 2, (canvas->rows - rows) / 2, cols, rows};
    tui_fill(canvas, box, ' ', TUI_NORMAL);
    struct tui_rect inside = tui_frame(canvas, box, is_help ? "Help" : "Message");
    lesson->page_rows = inside.rows;
    inside.x++;
    tui_page_draw(page, canvas, inside, box.x + box.cols - 1);
}

/* The line above the footer: what a key has to say; what is said of the picture, where it has no frame for
 * that; or the keys of one that moves. */
static void draw_said(const struct lesson *lesson, struct tui_canvas *canvas)
{
    const char *frame = has_frames(canvas) || lesson->is_held ? "" : course_said(&lesson->course);
    char next[TUI_KEY_NAME_BYTES], hold[TUI_KEY_NAME_BYTES];
    int y = canvas->rows - 2, cols = canvas->cols - 2;

    if (lesson->said != NULL) {
        tui_text(canvas, 1, y, cols, TUI_STRONG, lesson->said);
    } else if (frame[0] != '\0' || course_rests(&lesson->course) || lesson->course.is_lost) {
        tui_text(canvas, 1, y, cols, TUI_DIM, frame);
    } else {
        tui_textf(canvas, 1, y, cols, TUI_DIM, "%s: %s shows how it ends, %s %s",
                  lesson->is_held ? "held" : "it moves",
                  tui_key_name(next, lesson_key_of(TUI_DO_ENTER, TUI_IN_LESSON)),
                  tui_key_name(hold, lesson_key_of(TUI_DO_HOLD, TUI_IN_LESSON)),
                  lesson->is_held ? "lets it go on" : "holds it");
    }
}

void lesson_draw(struct lesson *lesson)
{
    struct tui_canvas *canvas = &lesson->canvas;
    int cols, rows;

    lesson->redraw = false;
    lesson->backend->ops->size(lesson->backend, &cols, &rows);
    if (tui_canvas_resize(canvas, cols, rows) != 0) {
        return; /* out of memory: the old picture stays */
    }
    if (canvas->cols < TUI_MIN_COLS || canvas->rows < TUI_MIN_ROWS) {
        tui_app_draw_too_small(canvas);
    } else {
        struct tui_rect slide = slide_of(canvas);
        draw_top(lesson, canvas);
        draw_steps(lesson, canvas);
        draw_picture(lesson, slide, draw_text(lesson, slide));
        if (lesson->box != LESSON_NO_BOX) {
            draw_box(lesson, canvas);
        } else {
            draw_said(lesson, canvas);
        }
        tui_footer_draw(canvas, canvas->rows - 1,
                        lesson->box != LESSON_NO_BOX ? TUI_IN_RESULT : TUI_IN_LESSON);
    }
    lesson->backend->ops->present(lesson->backend, canvas);
}

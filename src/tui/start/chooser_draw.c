/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How the list to choose from looks: a line a file in columns that give way from the right where it is
 * narrow, and below the list all that is to be said of the selected one. What stood in no column stands
 * there.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cow/text.h"
#include "tui/actions/told.h"
#include "tui/app/app.h"
#include "tui/screen/clock.h"
#include "tui/screen/utf8.h"
#include "tui/start/chooser.h"

enum {
    MARK_COLS = 2,
    FORMAT_COLS = 7,
    SIZE_COLS = 8,
    DIRTY_COLS = 6,
    KERNEL_COLS = 7,
    HOLDER_COLS = 6,
    FIXED_COLS = MARK_COLS + FORMAT_COLS + SIZE_COLS + DIRTY_COLS + KERNEL_COLS + HOLDER_COLS + 6,
    BACKING_LEAST = 14, /* less is no column */
    NAME_MOST = 40,
    BACKING_MOST = 36,
    SAYS_LEAST = 20,
    FACTS_ROWS = 4, /* below the list */
    BOX_COLS = 64,
    TEXT_BYTES = 4 * COW_PATH_BYTES + 64,
};

/* Where each column begins in a line; 0: it is not there. */
struct columns {
    int name, name_cols, format, size_end, dirty_end, kernel, holder, backing, backing_cols, says, says_cols;
};

static int at_most(int a, int b)
{
    return a < b ? a : b;
}

static struct columns choose_columns(int cols)
{
    struct columns c = {.name = MARK_COLS};
    int rest = cols - FIXED_COLS;

    c.name_cols = rest - 1 < 20 + BACKING_LEAST ? rest : at_most((rest - 1) * 11 / 20, NAME_MOST);
    c.format = c.name + c.name_cols + 1;
    c.size_end = c.format + FORMAT_COLS + 1 + SIZE_COLS;
    c.dirty_end = c.size_end + 1 + DIRTY_COLS;
    c.kernel = c.dirty_end + 2;
    c.holder = c.kernel + KERNEL_COLS + 1;
    rest = cols - c.holder - HOLDER_COLS - 2;
    if (rest >= BACKING_LEAST) {
        c.backing = c.holder + HOLDER_COLS + 2;
        c.backing_cols = rest - 1 < BACKING_MOST + SAYS_LEAST ? rest : BACKING_MOST;
        rest -= c.backing_cols + 1;
    }
    if (c.backing != 0 && rest >= SAYS_LEAST) {
        c.says = c.backing + c.backing_cols + 1;
        c.says_cols = rest;
    }
    return c;
}

/* "v3", "v1-be-64", "qemu-cow", "qcow2". */
static const char *format_word(const struct tui_choice *choice)
{
    static const char usual[] = "uml-cow-";

    if (choice->format == NULL) {
        return "?";
    }
    return strncmp(choice->format, usual, sizeof usual - 1) == 0 ? choice->format + sizeof usual - 1
                                                                 : choice->format;
}

static void kernel_word(const struct tui_choice *choice, const char **word, enum tui_style *style)
{
    *word = choice->what == COW_LISTED_OTHER ? "-"
            : !choice->kernel_known          ? "?"
            : choice->opens                  ? "opens"
                                             : "refuses";
    *style = choice->what == COW_LISTED_OTHER ? TUI_DIM
             : choice->opens                  ? TUI_GOOD
             : choice->kernel_known           ? TUI_BAD
                                              : TUI_WARN;
}

static const char *dirty_word(char buffer[COW_SHARE_TEXT_BYTES], const struct tui_choice *choice)
{
    return choice->dirty_known ? cow_share_text(buffer, choice->dirty_bytes, choice->size_bytes)
           : choice->what == COW_LISTED_OTHER ? "-"
                                              : "?";
}

static void draw_choice(struct tui_canvas *canvas, struct tui_rect line, const struct columns *c,
                        const struct tui_choice *choice, bool selected)
{
    enum tui_style plain = selected ? TUI_SELECTED : choice->what == COW_LISTED_IMAGE ? TUI_NORMAL : TUI_DIM;
    enum tui_style kernel_style;
    char size[COW_SIZE_TEXT_BYTES] = "?", dirty[COW_SHARE_TEXT_BYTES];
    const char *kernel;
    int x = line.x, y = line.y;

    tui_fill(canvas, line, ' ', plain);
    if (selected) {
        tui_put(canvas, x, y, 0x25b8, plain);
    }
    if (choice->size_known) {
        cow_size_text(size, choice->size_bytes);
    }
    kernel_word(choice, &kernel, &kernel_style);
    tui_text(canvas, x + c->name, y, c->name_cols, plain, choice->name);
    tui_text(canvas, x + c->format, y, FORMAT_COLS, plain, format_word(choice));
    tui_text_right(canvas, x + c->size_end, y, SIZE_COLS, plain, size);
    tui_text_right(canvas, x + c->dirty_end, y, DIRTY_COLS, plain, dirty_word(dirty, choice));
    tui_text(canvas, x + c->kernel, y, KERNEL_COLS, selected ? plain : kernel_style, kernel);
    tui_text(canvas, x + c->holder, y, HOLDER_COLS, selected || !choice->holder.held ? plain : TUI_WARN,
             choice->holder.held ? "yes" : "-");
    if (c->backing != 0) {
        tui_text(canvas, x + c->backing, y, c->backing_cols, plain,
                 choice->what == COW_LISTED_IMAGE ? choice->backing
                 : choice->title[0] != '\0'       ? choice->title
                                                  : choice->says);
    }
    if (c->says != 0 && choice->what == COW_LISTED_IMAGE) {
        tui_text(canvas, x + c->says, y, c->says_cols, selected ? plain : TUI_WARN, choice->says);
    }
}

static void draw_heading(struct tui_canvas *canvas, struct tui_rect line, const struct columns *c)
{
    int x = line.x, y = line.y;

    tui_text(canvas, x + c->name, y, c->name_cols, TUI_LABEL, "image");
    tui_text(canvas, x + c->format, y, FORMAT_COLS, TUI_LABEL, "format");
    tui_text_right(canvas, x + c->size_end, y, SIZE_COLS, TUI_LABEL, "size");
    tui_text_right(canvas, x + c->dirty_end, y, DIRTY_COLS, TUI_LABEL, "dirty");
    tui_text(canvas, x + c->kernel, y, KERNEL_COLS, TUI_LABEL, "kernel");
    tui_text(canvas, x + c->holder, y, HOLDER_COLS, TUI_LABEL, "in use");
    if (c->backing != 0) {
        tui_text(canvas, x + c->backing, y, c->backing_cols, TUI_LABEL, "backing file");
    }
}

/* The selected row stays in sight. */
static void scroll_to_selected(struct tui_chooser *chooser, int rows)
{
    size_t shown = rows > 0 ? (size_t)rows : 1;

    chooser->rows = rows;
    if (chooser->selected < chooser->first) {
        chooser->first = chooser->selected;
    }
    if (chooser->selected >= chooser->first + shown) {
        chooser->first = chooser->selected - shown + 1;
    }
    if (chooser->first + shown > chooser->choices.n) {
        chooser->first = chooser->choices.n > shown ? chooser->choices.n - shown : 0;
    }
}

static void draw_list(struct tui_chooser *chooser, struct tui_canvas *canvas, struct tui_rect area)
{
    const struct tui_choices *choices = &chooser->choices;
    struct tui_rect inside = tui_frame(canvas, area, "Images");
    struct tui_rect line = {inside.x, inside.y, inside.cols, 1};
    struct columns c = choose_columns(inside.cols);

    scroll_to_selected(chooser, inside.rows - 1);
    chooser->list = (struct tui_rect){inside.x, inside.y + 1, inside.cols, chooser->rows};
    draw_heading(canvas, line, &c);
    for (int i = 0; i < chooser->rows && chooser->first + (size_t)i < choices->n; i++) {
        size_t row = chooser->first + (size_t)i;
        line.y = inside.y + 1 + i;
        draw_choice(canvas, line, &c, &choices->choice[row], row == chooser->selected);
        if (row == chooser->selected) {
            canvas->cursor_x = line.x;
            canvas->cursor_y = line.y;
        }
    }
    tui_scrollbar(canvas, area.x + area.cols - 1, inside.y + 1, chooser->rows, chooser->first,
                  (uint64_t)chooser->rows, choices->n);
}

static const char *backing_words(enum cow_backing_state state)
{
    return state == COW_BACKING_MISSING    ? " (not found)"
           : state == COW_BACKING_UNUSABLE ? " (not usable)"
           : state == COW_BACKING_IGNORED  ? " (not opened)"
                                           : "";
}

/* What an image is, in a line. */
static void put_image_facts(struct tui_page *page, const struct tui_choice *choice)
{
    char size[COW_SIZE_TEXT_BYTES], dirty[COW_SIZE_TEXT_BYTES], text[TEXT_BYTES];
    int used = snprintf(text, sizeof text, "%s", choice->title);

    if (choice->size_known) {
        used += snprintf(text + used, sizeof text - (size_t)used, ", %s",
                         cow_size_text(size, choice->size_bytes));
    }
    if (choice->dirty_known) {
        used += snprintf(text + used, sizeof text - (size_t)used, ", %s of it in the image",
                         cow_size_text(dirty, choice->dirty_bytes));
    }
    if (choice->backing[0] != '\0') {
        used += snprintf(text + used, sizeof text - (size_t)used, ", on %s%s", choice->backing,
                         backing_words(choice->backing_state));
    }
    if (choice->holder.held && choice->holder.pid > 0) {
        snprintf(text + used, sizeof text - (size_t)used, ", in use by pid %" PRId64, choice->holder.pid);
    } else if (choice->holder.held) {
        snprintf(text + used, sizeof text - (size_t)used, ", in use");
    }
    tui_page_wrapf(page, 0, 2, TUI_NORMAL, "%s: %s", choice->name, text);
}

static void put_facts(struct tui_page *page, const struct tui_choice *choice)
{
    tui_page_line(page);
    if (choice->what != COW_LISTED_IMAGE) {
        tui_page_wrapf(page, 0, 2, choice->what == COW_LISTED_OTHER ? TUI_NORMAL : TUI_BAD, "%s: %s",
                       choice->name, choice->says);
    } else {
        put_image_facts(page, choice);
        if (choice->says[0] != '\0') {
            tui_page_line(page);
            tui_page_wrap(page, 2, 2, TUI_WARN, choice->says);
        }
    }
    if (choice->advice[0] != '\0') {
        tui_page_line(page);
        tui_page_wrap(page, 2, 2, TUI_NORMAL, choice->advice);
    }
}

/* Where there is no row to be told of, why. */
static void put_nothing(struct tui_page *page, const struct tui_choices *choices)
{
    tui_page_line(page);
    if (choices->failed) {
        tui_page_wrap(page, 0, 2, TUI_BAD, choices->error.message);
    } else if (tui_choices_wait(choices)) {
        tui_page_wrap(page, 0, 2, TUI_DIM, "looking...");
    } else {
        tui_page_wrap(page, 0, 2, TUI_NORMAL,
                      "No COW image is here, nor any other disk image that is known. cowtui DIR looks in "
                      "another directory, cowtui create makes an image, cowtui --tour shows what one is.");
    }
}

static void draw_facts(const struct tui_chooser *chooser, struct tui_canvas *canvas, struct tui_rect area)
{
    const struct tui_choices *choices = &chooser->choices;
    struct tui_page page = {0};

    tui_page_begin(&page, area.cols - 2);
    if (chooser->selected < choices->n) {
        put_facts(&page, &choices->choice[chooser->selected]);
    } else {
        put_nothing(&page, choices);
    }
    area.x++;
    area.cols -= 2;
    tui_page_draw(&page, canvas, area, -1);
    tui_page_free(&page);
}

static void count_text(const struct tui_choices *choices, char *out, size_t out_bytes)
{
    size_t others = choices->n - choices->images;
    int used = snprintf(out, out_bytes, "%zu image%s", choices->images, choices->images == 1 ? "" : "s");

    if (others > 0) {
        used +=
            snprintf(out + used, out_bytes - (size_t)used, ", %zu other%s", others, others == 1 ? "" : "s");
    }
    if (choices->closed > 0) {
        used += snprintf(out + used, out_bytes - (size_t)used, ", %zu not readable", choices->closed);
    }
    if (tui_choices_wait(choices)) {
        snprintf(out + used, out_bytes - (size_t)used, "   looking, %d%%", tui_choices_percent(choices));
    }
}

/* Of a long path the end is shown: where one is. */
static void draw_chooser_title(const struct tui_chooser *chooser, struct tui_canvas *canvas)
{
    char counts[128];
    const char *title = chooser->title;

    count_text(&chooser->choices, counts, sizeof counts);
    tui_fill(canvas, (struct tui_rect){0, 0, canvas->cols, 1}, ' ', TUI_BAR);
    int x = tui_text_right(canvas, canvas->cols - 1, 0, canvas->cols - 2,
                           tui_choices_wait(&chooser->choices) ? TUI_BAR_STRONG : TUI_BAR, counts);
    int room = x - 3;
    while (tui_text_cells(title) > room && strchr(title + 1, '/') != NULL) {
        title = strchr(title + 1, '/');
    }
    tui_text(canvas, 1, 0, room, TUI_BAR_STRONG, title);
}

static void draw_box(struct tui_chooser *chooser, struct tui_canvas *canvas)
{
    struct tui_page *page = &chooser->page;
    bool is_help = chooser->box == TUI_CHOOSER_HELP;
    int cols = at_most(is_help ? BOX_COLS + 8 : BOX_COLS, canvas->cols - 4);

    tui_page_begin(page, cols - 4);
    tui_page_line(page);
    if (is_help) {
        tui_actions_help_in(page, TUI_IN_LIST);
    } else {
        tui_page_line(page);
        tui_page_wrap(page, 1, 1, TUI_BAD, chooser->error.message);
        if (chooser->error.hint[0] != '\0') {
            tui_page_line(page);
            tui_page_line(page);
            tui_page_wrap(page, 1, 1, TUI_NORMAL, chooser->error.hint);
        }
    }
    tui_page_line(page);
    int rows = at_most(page->lines + 2, canvas->rows - 2);
    struct tui_rect box = {(canvas->cols - cols) / 2, (canvas->rows - rows) / 2, cols, rows};
    tui_fill(canvas, box, ' ', TUI_NORMAL);
    struct tui_rect inside = tui_frame(canvas, box, is_help ? "Help" : "Message");
    chooser->page_rows = inside.rows;
    inside.x++;
    tui_page_draw(page, canvas, inside, box.x + box.cols - 1);
    canvas->cursor_x = canvas->cursor_y = -1;
}

void tui_chooser_draw(struct tui_chooser *chooser)
{
    struct tui_canvas *canvas = &chooser->canvas;
    int cols, rows;

    chooser->redraw = false;
    chooser->list = (struct tui_rect){0, 0, 0, 0};
    chooser->drawn = tui_clock();
    chooser->backend->ops->size(chooser->backend, &cols, &rows);
    if (tui_canvas_resize(canvas, cols, rows) != 0) {
        return; /* out of memory: the old picture stays */
    }
    if (canvas->cols < TUI_MIN_COLS || canvas->rows < TUI_MIN_ROWS) {
        tui_app_draw_too_small(canvas);
    } else {
        int facts_y = canvas->rows - 1 - FACTS_ROWS;
        draw_chooser_title(chooser, canvas);
        draw_list(chooser, canvas, (struct tui_rect){0, 1, canvas->cols, facts_y - 1});
        draw_facts(chooser, canvas, (struct tui_rect){0, facts_y, canvas->cols, FACTS_ROWS});
        if (chooser->box != TUI_CHOOSER_NO_BOX) {
            draw_box(chooser, canvas);
        }
        tui_footer_draw(canvas, canvas->rows - 1,
                        chooser->box != TUI_CHOOSER_NO_BOX ? TUI_IN_RESULT : TUI_IN_LIST);
    }
    chooser->backend->ops->present(chooser->backend, canvas);
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Header: would a UML kernel open it, what the fields say (offset, raw bytes, meaning), where bitmap and data
 * lie, the backing file, what is used. A page, so that it scrolls where it does not fit. A cursor walks along
 * the fields; two of them can be edited: what is typed is staged, and written by the pages of a change.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "front/told/told.h"
#include "tui/app/app.h"
#include "tui/screen/page.h"

enum { VALUE_COL = 15, FIELD_COL = 3, RAW_COL = 9, NAME_COLS = 15, ROOMY_COLS = 76, DATE_COLS = 25 };

enum { ASKED_FIELD = -1 }; /* the one that can be edited, and is what the kernel objects to */

struct header_view {
    struct tui_page page;
    unsigned generation; /* that the verdict is of */
    struct cow_verdict verdict;
    int rows;
    int field;                    /* the cursor's */
    int fields;                   /* how many there are, as drawn last */
    int first_line[2];            /* of that field and of what is behind it, in the page */
    int line[COW_FIELDS_MAX + 1]; /* where each field begins, and where the last one ends */
    struct tui_rect shown;        /* the page on the canvas */
    bool reveal;                  /* the cursor has moved: bring it onto the screen */
};

static const char *const path_field = "backing path", *const mtime_field = "mtime";

static int header_open(struct tui_app *app, void **state, const void *argument, struct cow_error *err)
{
    struct header_view *view = calloc(1, sizeof *view);

    (void)app;
    (void)argument;
    if (view == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    view->field = ASKED_FIELD;
    *state = view;
    return 0;
}

static void header_close(struct tui_app *app, void *state)
{
    struct header_view *view = state;

    (void)app;
    tui_page_free(&view->page);
    free(view);
}

static tui_contexts header_contexts(struct tui_app *app, void *state)
{
    (void)state;
    return TUI_IN_HEADER | (app->edits.path || app->edits.mtime ? TUI_IN_STAGED : 0U);
}

static void put_header_heading(struct tui_page *page, const char *text)
{
    if (page->lines > 0) {
        tui_page_line(page);
    }
    tui_page_line(page);
    tui_page_put(page, 1, TUI_HEADING, text);
}

/* "1049522828 (2003-04-05 06:07:08 UTC)", the date held together by no-break spaces where so many columns
 * have room for it. */
static void time_text(char *out, size_t out_bytes, int64_t seconds, int cols)
{
    char date[48] = "";
    struct tm parts;
    time_t when = (time_t)seconds;

    if (gmtime_r(&when, &parts) != NULL) {
        strftime(date, sizeof date,
                 cols >= DATE_COLS ? " (%Y-%m-%d\u00a0%H:%M:%S\u00a0UTC)" : " (%Y-%m-%d %H:%M:%S\u00a0UTC)",
                 &parts);
    }
    snprintf(out, out_bytes, "%" PRId64 "%s", seconds, date);
}

/* Under a heading that says what it is about, without labels. */
static void put_told(void *context, const char *label, enum front_tone tone, const char *text)
{
    static const enum tui_style styles[] = {[FRONT_PLAIN] = TUI_NORMAL,
                                            [FRONT_FAINT] = TUI_DIM,
                                            [FRONT_GOOD] = TUI_GOOD,
                                            [FRONT_WARN] = TUI_WARN,
                                            [FRONT_BAD] = TUI_BAD};

    (void)label;
    tui_page_line(context);
    tui_page_wrapf(context, 3, 5, styles[tone], "%s%s", tone == FRONT_WARN ? "! " : "", text);
}

static void put_header_verdict(struct tui_app *app, struct header_view *view)
{
    struct tui_page *page = &view->page;
    const struct cow_verdict *verdict = &view->verdict;
    const char *pending = cow_image_pending(app->subject.image);
    const struct front_rows rows = {.put = put_told, .context = page, .is_narrow = true};

    put_header_heading(page, "Would a stock UML kernel open it?");
    front_tell_verdict(&rows, verdict, "it");
    if (pending[0] != '\0') {
        tui_page_line(page);
        tui_page_wrapf(page, 3, 5, TUI_WARN, "! %s%s", pending, app->pending ? " (here: :recover)" : "");
    }
    if (app->holder.held) {
        tui_page_line(page);
        if (app->holder.pid > 0) {
            tui_page_putf(page, 3, TUI_WARN, "! in use by pid %" PRId64, app->holder.pid);
        } else {
            tui_page_put(page, 3, TUI_WARN, "! in use by another program");
        }
    }
}

/* How many raw bytes there is room for in a line, and where what follows them begins. */
static uint32_t raw_bytes(const struct tui_page *page)
{
    return page->cols >= ROOMY_COLS ? 8 : 4;
}

static int name_col(const struct tui_page *page)
{
    return RAW_COL + 3 * (int)raw_bytes(page) + 2;
}

static void put_raw(struct tui_page *page, const uint8_t *raw, size_t n_raw, const struct cow_field *field)
{
    int col = RAW_COL;
    uint32_t room = raw_bytes(page), shown = field->width_bytes < room ? field->width_bytes : room;

    for (uint32_t i = 0; i < shown; i++, col += 3) {
        size_t at = (size_t)field->offset_bytes + i;
        if (at < n_raw) {
            tui_page_putf(page, col, TUI_NORMAL, "%02x", raw[at]);
        } else {
            tui_page_put(page, col, TUI_DIM, "--");
        }
    }
    if (field->width_bytes > room) {
        tui_page_put(page, col - 1, TUI_DIM, "..");
    }
}

static void put_meaning(struct tui_page *page, const struct cow_header *header, bool half, const char *name)
{
    char text[64], escaped[COW_PATH_BYTES];
    int col = name_col(page) + NAME_COLS;

    if (strcmp(name, "magic") == 0) {
        tui_page_put(page, col, TUI_NORMAL, header->big_endian ? "OOOM, big endian" : "MOOO, little endian");
    } else if (strcmp(name, "version") == 0) {
        tui_page_putf(page, col, TUI_NORMAL, "%u", header->version);
    } else if (strcmp(name, "mtime") == 0) {
        time_text(text, sizeof text, header->mtime, page->cols - col);
        tui_page_wrap(page, col, col, TUI_NORMAL, text);
    } else if (strcmp(name, "size") == 0 && header->unfinished) {
        tui_page_wrap(page, col, col, TUI_WARN, "mark of an unfinished change");
    } else if (strcmp(name, "size") == 0 && half) {
        tui_page_wrapf(page, col, col, TUI_WARN, "mark of a half-moved image; the disk has %s",
                       cow_size_text(text, header->size_bytes));
    } else if (strcmp(name, "size") == 0) {
        cow_size_text(text, header->size_bytes);
        tui_page_wrapf(page, col, col, TUI_NORMAL, "%" PRIu64 " (%s)", header->size_bytes, text);
    } else if (strcmp(name, "sector size") == 0) {
        tui_page_putf(page, col, TUI_NORMAL, "%" PRIu32, header->sector_bytes);
    } else if (strcmp(name, "alignment") == 0) {
        cow_size_text(text, header->alignment);
        tui_page_putf(page, col, TUI_NORMAL, "%" PRIu32 " (%s)", header->alignment, text);
    } else if (strcmp(name, "cow format") == 0) {
        tui_page_putf(page, col, TUI_NORMAL, "%" PRIu32, header->cow_format);
    } else if (strcmp(name, "backing path") == 0) {
        cow_escape(escaped, sizeof escaped, header->backing_path);
        tui_page_wrap(page, col, col, TUI_NORMAL, escaped[0] != '\0' ? escaped : "none");
    }
}

/* " -> what was typed" */
static void put_edit(struct tui_app *app, struct tui_page *page, const char *name)
{
    char text[64], escaped[COW_PATH_BYTES];
    int col = name_col(page) + NAME_COLS;

    if (strcmp(name, mtime_field) == 0 && app->edits.mtime) {
        time_text(text, sizeof text, app->edits.new_mtime, page->cols - col);
        tui_page_line(page);
        tui_page_wrapf(page, col - 3, col, TUI_WARN, "-> %s", text);
    }
    if (strcmp(name, path_field) == 0 && app->edits.path) {
        cow_escape(escaped, sizeof escaped, app->edits.new_path);
        tui_page_line(page);
        tui_page_wrapf(page, col - 3, col, TUI_WARN, "-> %s", escaped);
    }
}

static const char *asked_field(struct tui_app *app)
{
    enum cow_backing_state state = cow_image_backing(app->subject.image)->state;

    return state == COW_BACKING_MISSING || state == COW_BACKING_UNUSABLE ? path_field : mtime_field;
}

static void put_header_fields(struct tui_app *app, struct header_view *view)
{
    struct tui_page *page = &view->page;
    const struct cow_header *header = cow_image_header(app->subject.image);
    struct cow_field field[COW_FIELDS_MAX];
    size_t n_raw, n = cow_format_fields(field, header->format);
    const uint8_t *raw = cow_image_header_raw(app->subject.image, &n_raw);

    put_header_heading(page, "Fields of the header");
    tui_page_putf(page, RAW_COL + 16, TUI_DIM, "%s, %s", cow_format_title(header->format),
                  cow_format_name(header->format));
    tui_page_line(page);
    tui_page_put(page, FIELD_COL, TUI_LABEL, "byte");
    tui_page_put(page, RAW_COL, TUI_LABEL, "raw bytes");
    tui_page_put(page, name_col(page), TUI_LABEL, "field");
    tui_page_put(page, name_col(page) + NAME_COLS, TUI_LABEL, "meaning");
    view->fields = (int)n;
    for (int i = 0; view->field == ASKED_FIELD && i < view->fields; i++) {
        if (strcmp(field[i].name, asked_field(app)) == 0) {
            view->field = i;
        }
    }
    if (view->field >= view->fields) {
        view->field = view->fields - 1;
    }
    for (int i = 0; i < view->fields; i++) {
        tui_page_line(page);
        view->line[i] = page->lines - 1;
        if (i == view->field) {
            view->first_line[0] = page->lines - 1;
            tui_page_put(page, 1, TUI_STRONG, "\u25b8");
        }
        tui_page_putf(page, FIELD_COL, TUI_OFFSET, "%4" PRIu32, field[i].offset_bytes);
        put_raw(page, raw, n_raw, &field[i]);
        tui_page_put(page, name_col(page), i == view->field ? TUI_STRONG : TUI_LABEL, field[i].name);
        put_meaning(page, header, cow_image_half(app->subject.image) == COW_HALF_MOVED, field[i].name);
        put_edit(app, page, field[i].name);
        if (i == view->field) {
            view->first_line[1] = page->lines;
        }
    }
    view->line[view->fields] = page->lines;
}

static void put_layout_row(void *context, const char *label, enum front_tone tone, const char *text)
{
    (void)tone;
    tui_page_line(context);
    tui_page_put(context, 3, TUI_LABEL, label);
    const int col = VALUE_COL + (int)strspn(text, " "); /* a number under longer ones */
    tui_page_wrap(context, col, col, TUI_NORMAL, text);
}

static void put_header_layout(struct tui_app *app, struct tui_page *page)
{
    const struct cow_layout *layout = cow_image_layout(app->subject.image);
    const struct front_rows rows = {.put = put_layout_row, .context = page, .is_narrow = true};

    if (tui_app_sectors(app) == 0) {
        return;
    }
    bool half = cow_image_half(app->subject.image) == COW_HALF_MOVED;
    put_header_heading(page, half ? "Layout of the file, in bytes, before its data was moved"
                                  : "Layout of the file, in bytes");
    front_tell_layout(&rows, layout, cow_image_can_grow_to(app->subject.image));
    if (layout->mapped_sectors < layout->sectors) {
        tui_page_line(page);
        tui_page_wrapf(page, 3, 5, TUI_WARN,
                       "! the last %" PRIu64
                       " sectors have no bit in the bitmap: what a guest writes there is lost",
                       layout->sectors - layout->mapped_sectors);
    }
}

static void put_header_backing(struct tui_app *app, struct tui_page *page)
{
    static const char *const state[] = {[COW_BACKING_NONE] = "none: clean sectors are zeros",
                                        [COW_BACKING_FOUND] = "found",
                                        [COW_BACKING_MISSING] = "not found",
                                        [COW_BACKING_IGNORED] = "not opened",
                                        [COW_BACKING_UNUSABLE] = "not usable"};
    const struct cow_backing *backing = cow_image_backing(app->subject.image);
    const struct cow_header *header = cow_image_header(app->subject.image);
    char text[COW_PATH_BYTES], size[COW_SIZE_TEXT_BYTES];

    put_header_heading(page, "Backing file");
    tui_page_line(page);
    tui_page_put(page, 3, TUI_LABEL, "file");
    cow_escape(text, sizeof text, backing->path);
    int col = tui_page_wrap(page, VALUE_COL, VALUE_COL, TUI_NORMAL, text);
    bool found = backing->state == COW_BACKING_FOUND;
    tui_page_wrapf(page, col + (text[0] != '\0' ? 1 : 0), VALUE_COL, found ? TUI_DIM : TUI_WARN, "%s%s%s",
                   text[0] != '\0' ? "- " : "", state[backing->state],
                   backing->named          ? ", as named on the command line"
                   : backing->beside_image ? ", beside the image"
                                           : "");
    if (backing->problem[0] != '\0') {
        tui_page_line(page);
        tui_page_wrap(page, VALUE_COL, VALUE_COL, TUI_WARN, backing->problem);
    }
    if (!found) {
        return;
    }
    bool same_size = header->unfinished || backing->size_bytes == header->size_bytes;
    tui_page_line(page);
    tui_page_put(page, 3, TUI_LABEL, "size");
    tui_page_wrapf(page, VALUE_COL, VALUE_COL, same_size ? TUI_NORMAL : TUI_WARN, "%" PRIu64 " (%s)%s",
                   backing->size_bytes, cow_size_text(size, backing->size_bytes),
                   same_size ? "" : ", the header says another");
    time_text(text, sizeof text, backing->mtime, page->cols - VALUE_COL);
    bool same_time = backing->mtime == (int64_t)header->mtime;
    tui_page_line(page);
    tui_page_put(page, 3, TUI_LABEL, "changed");
    tui_page_wrapf(page, VALUE_COL, VALUE_COL, same_time ? TUI_NORMAL : TUI_WARN, "%s%s", text,
                   same_time ? ", as the header says" : ", the header says another time");
}

/* What a backing file that is a COW itself lies on, as `cowtui info` has it. */
static void put_header_layers(struct tui_app *app, struct tui_page *page)
{
    const struct cow_image *image = app->subject.image;
    const size_t layers = cow_image_layers(image);
    const char *cut = cow_image_cut_text(image);
    char path[COW_PATH_BYTES], size[COW_SIZE_TEXT_BYTES];
    struct cow_layer layer;

    for (size_t i = 1; i < layers && (layers > 2 || *cut != '\0'); i++) {
        cow_image_layer(image, i, &layer);
        cow_escape(path, sizeof path, layer.path);
        tui_page_line(page);
        tui_page_putf(page, 3, TUI_LABEL, "layer %zu", i);
        tui_page_wrapf(page, VALUE_COL, VALUE_COL, TUI_NORMAL, "%s: %s, %s", path, layer.title,
                       cow_size_text(size, layer.size_bytes));
    }
    if (*cut != '\0') {
        tui_page_line(page);
        tui_page_put(page, 3, TUI_LABEL, "below");
        tui_page_wrap(page, VALUE_COL, VALUE_COL, TUI_WARN, cut);
    }
}

static void put_header_usage(struct tui_app *app, struct tui_page *page)
{
    char size[COW_SIZE_TEXT_BYTES], file[COW_SIZE_TEXT_BYTES];
    uint64_t sectors = tui_app_sectors(app);

    if (!app->cells.usage_known || sectors == 0) {
        return;
    }
    put_header_heading(page, "Usage");
    tui_page_line(page);
    tui_page_put(page, 3, TUI_LABEL, "in the COW");
    tui_page_wrapf(page, VALUE_COL, VALUE_COL, TUI_NORMAL, "%" PRIu64 " of %" PRIu64 " sectors, %s",
                   app->cells.usage.dirty_sectors, sectors,
                   cow_size_text(size, app->cells.usage.dirty_bytes));
    tui_page_line(page);
    tui_page_put(page, 3, TUI_LABEL, "on its disk");
    cow_size_text(size, app->cells.usage.allocated_bytes);
    tui_page_wrapf(page, VALUE_COL, VALUE_COL, TUI_NORMAL, "%s allocated of a length of %s", size,
                   cow_size_text(file, app->cells.usage.file_bytes));
    if (app->cells.usage.tail_bits) {
        tui_page_line(page);
        tui_page_wrap(page, 3, 5, TUI_WARN,
                      "! bits are set beyond the bitmap's end: a guest's writes there are lost");
    }
}

static bool cursor_shown(const struct header_view *view)
{
    return view->first_line[0] >= view->page.top && view->first_line[0] < view->page.top + view->rows;
}

static void header_draw(struct tui_app *app, void *state, struct tui_canvas *canvas, struct tui_rect area)
{
    struct header_view *view = state;
    struct tui_rect inside = tui_frame(canvas, area, "Header");

    if (view->generation != app->subject.generation) {
        cow_image_verdict(app->subject.image, &view->verdict);
        view->generation = app->subject.generation;
    }
    tui_page_begin(&view->page, inside.cols - 1);
    put_header_verdict(app, view);
    put_header_fields(app, view);
    put_header_layout(app, &view->page);
    put_header_backing(app, &view->page);
    put_header_layers(app, &view->page);
    put_header_usage(app, &view->page);
    view->rows = inside.rows;
    if (view->reveal) {
        tui_page_reveal(&view->page, view->first_line[0], view->first_line[1] - 1, inside.rows);
    }
    view->reveal = false;
    view->shown = inside;
    tui_page_draw(&view->page, canvas, inside, area.x + area.cols - 1);
    if (cursor_shown(view)) {
        canvas->cursor_x = inside.x + 1;
        canvas->cursor_y = inside.y + view->first_line[0] - view->page.top;
    }
}

static void answer_path(struct tui_app *app, const char *text)
{
    size_t bytes = strlen(text);

    app->edits.path = false;
    if (bytes == 0 || bytes > COW_PATH_BYTES) {
        tui_app_say(app, TUI_WARN,
                    bytes != 0 ? "that path is too long"
                               : "an image without a backing file cannot be written");
        return;
    }
    if (strcmp(text, cow_image_header(app->subject.image)->backing_path) == 0) {
        return;
    }
    memcpy(app->edits.new_path, text, bytes + 1);
    app->edits.path = true;
}

/* Seconds since 1970, with a '@' before them or not, or a date of UTC. */
static bool parse_mtime(uint32_t *out, const char *text)
{
    struct tm parts = {0};
    const char *end = strptime(text, "%Y-%m-%d %H:%M:%S", &parts);
    int64_t seconds = 0;

    if (end != NULL) {
        seconds = timegm(&parts);
        end += strspn(end, " ");
        end += strncmp(end, "UTC", 3) == 0 ? 3 : 0;
    } else {
        text += text[0] == '@';
        for (end = text; *end >= '0' && *end <= '9' && seconds <= UINT32_MAX; end++) {
            seconds = seconds * 10 + (*end - '0');
        }
    }
    if (end == text || *end != '\0' || seconds < 0 || seconds > UINT32_MAX) {
        return false;
    }
    *out = (uint32_t)seconds;
    return true;
}

static void answer_mtime(struct tui_app *app, const char *text)
{
    uint32_t mtime;

    app->edits.mtime = false;
    if (!parse_mtime(&mtime, text)) {
        tui_app_say(app, TUI_WARN, "a date is a number of seconds up to %" PRIu32 ", or 2003-04-26 12:00:00",
                    UINT32_MAX);
        return;
    }
    app->edits.new_mtime = mtime;
    app->edits.mtime = mtime != cow_image_header(app->subject.image)->mtime;
}

/* Asks for a new value of the cursor's field, with the present one to begin with. */
static enum tui_result edit_field(struct tui_app *app, const struct header_view *view)
{
    const struct cow_header *header = cow_image_header(app->subject.image);
    struct cow_field field[COW_FIELDS_MAX];
    char text[16];

    cow_format_fields(field, header->format);
    const char *name = view->field >= 0 ? field[view->field].name : "";
    if (header->unfinished) {
        tui_app_say(app, TUI_WARN, "a change of this image was interrupted: it can be recovered, not edited");
    } else if (strcmp(name, path_field) == 0) {
        tui_app_ask_file(app, "backing path: ", app->edits.path ? app->edits.new_path : header->backing_path,
                         answer_path);
    } else if (strcmp(name, mtime_field) == 0) {
        snprintf(text, sizeof text, "%" PRIu32, app->edits.mtime ? app->edits.new_mtime : header->mtime);
        tui_app_ask(app, "mtime: ", text, answer_mtime);
    } else {
        tui_app_say(app, TUI_WARN, "%s is not edited%s; backing path and mtime are", name,
                    strcmp(name, "size") == 0 ? " (r resizes)" : "");
    }
    return TUI_REDRAW;
}

/* Up and Down walk along the fields while the cursor is on the screen, and scroll elsewhere. */
static enum tui_result walk_fields(struct header_view *view, enum tui_action_id action)
{
    int field = view->field + (action == TUI_DO_UP ? -1 : 1);

    if (!cursor_shown(view) || field < 0 || field >= view->fields) {
        return tui_page_act(&view->page, action, view->rows);
    }
    view->field = field;
    view->reveal = true;
    return TUI_REDRAW;
}

static bool header_click(struct tui_app *app, void *state, int x, int y)
{
    struct header_view *view = state;
    int line = view->page.top + y - view->shown.y;

    (void)app;
    for (int i = 0; tui_rect_holds(view->shown, x, y) && i < view->fields; i++) {
        if (line < view->line[i] || line >= view->line[i + 1]) {
            continue;
        }
        view->field = i;
        return true;
    }
    return false;
}

static enum tui_result header_act(struct tui_app *app, void *state, enum tui_action_id action,
                                  const char *argument)
{
    struct header_view *view = state;

    (void)argument;
    if (action == TUI_DO_EDIT) {
        view->reveal = true; /* nothing is edited out of sight */
        return edit_field(app, view);
    }
    if (action == TUI_DO_UP || action == TUI_DO_DOWN) {
        return walk_fields(view, action);
    }
    return tui_page_act(&view->page, action, view->rows);
}

const struct tui_view_class tui_view_header = {
    .has_page = true,
    .open = header_open,
    .contexts = header_contexts,
    .act = header_act,
    .draw = header_draw,
    .click = header_click,
    .close = header_close,
};

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the Files view looks like: columns, bars, signs, and the total. Names are the guest's bytes: they are
 * escaped here, where they are drawn, and only those on the screen. What a narrow terminal has no room for
 * vanishes as a whole, the bars first, then words; numbers and names stay.
 */
#include "tui/files/files_view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tui/cells/legend.h"

enum {
    INFO_ROWS = 1,
    SIZE_COLS = 8,
    SIGN_COLS = 2,
    WORD_COLS = 9,
    BAR_COLS = 10,
    BAR_FROM_COLS = 72,
    WIDE_BAR_COLS = 24,
    WIDE_FROM_COLS = 116,
    REDUNDANT_COLS = 9,
    REDUNDANT_FROM_COLS = 106, /* within the frame of a window of 110 */
    TEXT_BYTES = 1024,
};

/* Where the columns of a row stand, from its left edge. */
struct columns {
    int changed_end, bar, bar_cols, sign, size_end, redundant_end,
        name; /* redundant_end 0: it is not shown */
};

static struct columns choose_files_columns(const struct tui_app *app, int cols)
{
    struct columns c = {.changed_end = 2 + SIZE_COLS + 1};

    c.bar = c.changed_end + 1;
    c.bar_cols = cols < BAR_FROM_COLS ? 0 : cols < WIDE_FROM_COLS ? BAR_COLS : WIDE_BAR_COLS;
    if (app->follow.on) { /* what is new stands there */
        c.bar_cols = BAR_COLS;
    }
    c.sign = c.bar + (c.bar_cols > 0 ? c.bar_cols + 1 : 0);
    c.size_end = c.sign + SIGN_COLS + WORD_COLS + 1 + SIZE_COLS;
    c.redundant_end = tui_redundant_known(&app->redundant) && cols >= REDUNDANT_FROM_COLS
                          ? c.size_end + 2 + REDUNDANT_COLS
                          : 0;
    c.name = (c.redundant_end != 0 ? c.redundant_end : c.size_end) + 2;
    return c;
}

static void draw_files_heading(const struct tui_app *app, struct tui_canvas *canvas, struct tui_rect line,
                               const struct columns *c)
{
    int end = line.x + line.cols;

    if (app->follow.on) {
        tui_text_right(canvas, line.x + c->bar + BAR_COLS, line.y, BAR_COLS, TUI_LABEL, "new");
    }
    tui_text_right(canvas, line.x + c->changed_end, line.y, SIZE_COLS + 1, TUI_LABEL, "in COW");
    tui_text(canvas, line.x + c->sign, line.y, WORD_COLS, TUI_LABEL, "what");
    tui_text_right(canvas, line.x + c->size_end, line.y, SIZE_COLS, TUI_LABEL, "size");
    if (c->redundant_end != 0) {
        tui_text_right(canvas, line.x + c->redundant_end, line.y, REDUNDANT_COLS, TUI_LABEL, "redundant");
    }
    tui_text(canvas, line.x + c->name, line.y, end - line.x - c->name, TUI_LABEL, "name");
}

/* The sign of its own, and the word. */
static void kind_text(const struct tui_row *row, struct tui_mark *mark, char *word, size_t word_bytes)
{
    *mark = (struct tui_mark){' ', TUI_NORMAL};
    word[0] = '\0';
    if (row->kind == TUI_ROW_CLASS) {
        *mark = tui_owner_mark(tui_owner_of((enum cow_fs_class)row->number));
    }
    size_t below = row->files - (row->file != NULL ? 1 : 0);
    if (row->file != NULL) {
        *mark = tui_kind_mark(row->file->kind);
    }
    if (row->files > 0 && below > 0) {
        snprintf(word, word_bytes, "%zu file%s", below, below == 1 ? "" : "s");
    } else if (row->file != NULL) {
        snprintf(word, word_bytes, "%s", cow_fs_kind_name(row->file->kind));
    }
}

/* "old -> new": what is the same directory is told once. */
static void renamed_text(const struct tui_row *row, char *out, size_t out_bytes)
{
    const char *old = row->file->from, *new = row->path + row->name, *slash = strrchr(row->path, '/');
    size_t directory = slash != NULL ? (size_t)(slash - row->path) + 1 : 0;
    char old_text[TEXT_BYTES], new_text[TEXT_BYTES];

    if (directory > 0 && strncmp(old, row->path, directory) == 0 && strchr(old + directory, '/') == NULL) {
        old += row->name > 0 ? directory : 0;
        new = row->path + directory;
    }
    snprintf(out, out_bytes, "%s -> %s", cow_escape(old_text, sizeof old_text, old),
             cow_escape(new_text, sizeof new_text, new));
}

static void volume_text(const struct tui_app *app, int index, char *out, size_t out_bytes)
{
    size_t n_volumes;
    const struct cow_volume *volume = &cow_fs_volumes(app->files.fs, &n_volumes)[index];
    char text[TEXT_BYTES];

    snprintf(out, out_bytes, "%s%s%s", cow_volume_text(text, sizeof text, volume),
             volume->label[0] != '\0' ? ", " : "", volume->label);
}

/* A directory's ends with a slash; of a whole path the end matters more than its beginning. */
static void file_name_text(const struct tui_app *app, const struct files_view *view,
                           const struct tui_row *row, int cells, char *out, size_t out_bytes)
{
    bool directory = row->kind == TUI_ROW_DIRECTORY || row->file->type == COW_FS_DIRECTORY_FILE;
    bool root = row->name_bytes == 1 && row->path[row->name] == '/';
    char raw[TEXT_BYTES], prefix[TUI_PREFIX_BYTES];

    if (view->filter[0] != '\0' || view->flat) {
        int taken = snprintf(out, out_bytes, "%s", tui_files_prefix(&app->files, row->number, prefix));
        out += taken;
        out_bytes -= (size_t)taken;
        cells -= taken;
    }
    if (row->file != NULL && row->file->from != NULL) {
        renamed_text(row, out, out_bytes);
        return;
    }
    snprintf(raw, sizeof raw, "%.*s%s", (int)row->name_bytes, row->path + row->name,
             directory && !root ? "/" : "");
    if (view->filter[0] != '\0' || view->flat) {
        tui_path_text(out, out_bytes, raw, cells);
    } else {
        cow_escape(out, out_bytes, raw);
    }
}

static void name_text(const struct tui_app *app, const struct files_view *view, const struct tui_row *row,
                      int cells, char *out, size_t out_bytes)
{
    switch (row->kind) {
    case TUI_ROW_UP:
        snprintf(out, out_bytes, "..");
        break;
    case TUI_ROW_SELF:
        snprintf(out, out_bytes, "./  (the directory itself)");
        break;
    case TUI_ROW_VOLUME:
        volume_text(app, row->number, out, out_bytes);
        break;
    case TUI_ROW_CLASS:
        snprintf(out, out_bytes, "%s", cow_fs_class_text((enum cow_fs_class)row->number));
        break;
    case TUI_ROW_DIRECTORY:
    case TUI_ROW_FILE:
        file_name_text(app, view, row, cells, out, out_bytes);
        break;
    }
}

/* How much of it has become dirty since the image is followed. */
static uint64_t new_bytes(const struct tui_app *app, const struct files_view *view, const struct tui_row *row)
{
    const struct tui_follow *follow = &app->follow;
    size_t n_bytes = row->name + row->name_bytes;
    int volume = row->file != NULL ? row->file->volume : view->volume;

    switch (row->kind) {
    case TUI_ROW_UP:
        break;
    case TUI_ROW_VOLUME:
        return tui_follow_share(follow, row->number, NULL, 0, true);
    case TUI_ROW_CLASS:
        return tui_follow_class_share(follow, view->volume, (enum cow_fs_class)row->number);
    case TUI_ROW_DIRECTORY:
        return tui_follow_share(follow, volume, row->path, n_bytes, true);
    case TUI_ROW_SELF:
    case TUI_ROW_FILE:
        return tui_follow_share(follow, volume, row->file != NULL ? row->file->path : row->path,
                                row->file != NULL ? strlen(row->file->path) : n_bytes, false);
    }
    return 0;
}

static void draw_new(const struct tui_app *app, const struct files_view *view, struct tui_canvas *canvas,
                     int end, int y, const struct tui_row *row, bool selected)
{
    char text[COW_SIZE_TEXT_BYTES + 1] = "+";
    uint64_t n_bytes = new_bytes(app, view, row);

    if (n_bytes > 0) {
        text[0] = app->follow.fresh.is_cut ? '>' : '+';
        cow_size_text(text + 1, n_bytes);
        tui_text_right(canvas, end, y, BAR_COLS, selected ? TUI_SELECTED : TUI_STRONG, text);
    }
}

static void draw_share(struct tui_canvas *canvas, int x, int y, int cols, const struct files_view *view,
                       const struct tui_row *row, enum tui_style style)
{
    double share =
        view->level.largest_bytes > 0 ? (double)row->changed_bytes / (double)view->level.largest_bytes : 0;
    int full = (int)(share * cols + 0.5);

    for (int i = 0; i < full; i++) {
        tui_put(canvas, x + i, y, 0x2588, style);
    }
}

static void draw_files_row(const struct tui_app *app, const struct files_view *view,
                           struct tui_canvas *canvas, struct tui_rect line, const struct tui_row *row,
                           bool selected)
{
    struct columns c = choose_files_columns(app, line.cols);
    enum tui_style style = selected ? TUI_SELECTED : TUI_NORMAL, soft = selected ? TUI_SELECTED : TUI_DIM;
    char text[4 * TEXT_BYTES], word[32];
    struct tui_mark mark;
    int x = line.x, y = line.y, name_cols = line.cols - c.name;

    if (selected) {
        tui_fill(canvas, line, ' ', style);
        tui_put(canvas, x, y, 0x25b8, style);
    }
    if (row->kind != TUI_ROW_UP) {
        tui_text_right(canvas, x + c.changed_end, y, SIZE_COLS, style,
                       cow_size_text(text, row->changed_bytes));
        if (app->follow.on) {
            draw_new(app, view, canvas, x + c.bar + BAR_COLS, y, row, selected);
        } else {
            draw_share(canvas, x + c.bar, y, c.bar_cols, view, row, selected ? style : TUI_FILE_BAR);
        }
    }
    kind_text(row, &mark, word, sizeof word);
    tui_put(canvas, x + c.sign, y, mark.glyph, selected ? style : mark.style);
    tui_text(canvas, x + c.sign + SIGN_COLS, y, WORD_COLS, row->kind == TUI_ROW_FILE ? style : soft, word);
    if (row->kind != TUI_ROW_UP && row->kind != TUI_ROW_CLASS && row->kind != TUI_ROW_SELF) {
        tui_text_right(canvas, x + c.size_end, y, SIZE_COLS, soft, cow_size_text(text, row->size_bytes));
    }
    if (c.redundant_end != 0 && row->files > 0) {
        tui_text_right(canvas, x + c.redundant_end, y, REDUNDANT_COLS, soft,
                       cow_size_text(text, row->redundant_bytes));
    }
    if (row->kind == TUI_ROW_CLASS) { /* it has no size, and needs the room */
        c.name = c.sign + SIGN_COLS;
        name_cols = line.cols - c.name;
    }
    name_text(app, view, row, name_cols, text, sizeof text);
    tui_text(canvas, x + c.name, y, name_cols,
             selected                                                  ? style
             : row->kind == TUI_ROW_CLASS || row->kind == TUI_ROW_SELF ? TUI_DIM
             : row->kind == TUI_ROW_FILE                               ? TUI_NORMAL
                                                                       : TUI_STRONG,
             text);
}

/* How far the job is, where there is nothing else to show. */
static void draw_state(const struct tui_app *app, struct tui_canvas *canvas, struct tui_rect area)
{
    const struct tui_job *job = &app->files.job;
    struct tui_page page = {0};

    tui_page_begin(&page, area.cols - 2);
    tui_page_line(&page);
    if (job->state == TUI_JOB_RUNNING) {
        tui_page_wrapf(&page, 0, 0, TUI_STRONG, "reading the guest's filesystem: %d%% (s stops that)",
                       tui_job_percent(job));
    } else if (!tui_job_is_current(job)) {
        tui_page_wrap(&page, 0, 0, TUI_DIM, "looking...");
    } else if (job->state == TUI_JOB_STOPPED) {
        tui_page_wrap(&page, 0, 0, TUI_WARN, "stopped: what has changed is not known; s reads anew");
    } else {
        tui_page_wrapf(&page, 0, 2, TUI_BAD, "the filesystem could not be read: %s", job->error.message);
    }
    if (job->state != TUI_JOB_RUNNING && job->error.hint[0] != '\0') {
        tui_page_line(&page);
        tui_page_wrap(&page, 2, 2, TUI_NORMAL, job->error.hint);
    }
    tui_page_draw(&page, canvas, (struct tui_rect){area.x + 1, area.y, area.cols - 2, area.rows}, -1);
    tui_page_free(&page);
}

/* What is on the disk, in a line; what is wrong with it, in another. Returns how many. */
static int draw_facts(const struct tui_app *app, const struct files_view *view, struct tui_canvas *canvas,
                      struct tui_rect area)
{
    size_t n_volumes = 0;
    const struct cow_volume *volume =
        app->files.fs != NULL ? cow_fs_volumes(app->files.fs, &n_volumes) : NULL;
    char text[TEXT_BYTES];
    int x = area.x + 1, end = area.x + area.cols - 1, lines = 1, shown = 0;
    const char *problem = "", *damage = "";

    if (volume == NULL) {
        return 0;
    }
    if (n_volumes == 0) {
        tui_text(canvas, x, area.y, end - x, TUI_WARN, COW_FS_EMPTY_TABLE);
    } else if (tui_files_readable(&app->files, NULL) == 0) {
        x += tui_text(canvas, x, area.y, end - x, TUI_WARN, COW_FS_UNREADABLE);
    }
    for (size_t i = 0; i < n_volumes; i++) {
        if (view->volume >= 0 && (size_t)view->volume != i) {
            continue;
        }
        if (shown++ > 0) {
            x += tui_text(canvas, x, area.y, end - x, TUI_DIM, " | ");
        }
        x += tui_text(canvas, x, area.y, end - x, volume[i].readable ? TUI_NORMAL : TUI_WARN,
                      cow_volume_text(text, sizeof text, &volume[i]));
        if (problem[0] == '\0') {
            problem = volume[i].problem;
        }
        if (problem[0] == '\0') {
            problem = cow_volume_new_text(&volume[i]);
        }
    }
    if (tui_files_known(&app->files)) {
        damage = cow_fs_scan_damage(app->files.scan);
    }
    if (problem[0] != '\0' || damage[0] != '\0') {
        tui_textf(canvas, area.x + 1, area.y + lines++, area.cols - 2, TUI_WARN, "! %s%s",
                  damage[0] != '\0' ? COW_FS_DAMAGED : "", damage[0] != '\0' ? damage : problem);
    }
    return lines;
}

static void files_title(const struct tui_app *app, const struct files_view *view, int cells, char *out,
                        size_t out_bytes)
{
    char where[TEXT_BYTES], prefix[TUI_PREFIX_BYTES];
    char order[64];

    snprintf(order, sizeof order, "%s%s", tui_order_text(view->order), view->reverse ? ", reversed" : "");
    if (view->flat && view->filter[0] == '\0') {
        snprintf(out, out_bytes, "Files \u2500 all changed files \u2500 %s", order);
        return;
    }
    if (view->filter[0] != '\0') {
        tui_path_text(where, sizeof where, view->filter, cells - 40);
        snprintf(out, out_bytes, "Files \u2500 all with \"%s\" in the path \u2500 %s", where, order);
        return;
    }
    tui_path_text(where, sizeof where, view->directory != NULL ? view->directory : "/", cells - 30);
    snprintf(out, out_bytes, "Files \u2500 %s%s \u2500 %s",
             tui_files_prefix(&app->files, view->volume, prefix),
             tui_files_readable(&app->files, NULL) > 1 && view->volume < 0 ? "all partitions" : where, order);
}

/* What of the level is of no file: its rows say so, but those of whole volumes. */
static uint64_t own_bytes(const struct tui_app *app, const struct files_view *view)
{
    uint64_t bytes[COW_FS_CLASSES], own = 0;

    if (view->volume == COW_NO_VOLUME && view->filter[0] == '\0' && !view->flat) {
        cow_fs_classes(app->files.scan, COW_NO_VOLUME, bytes);
        for (int c = 0; c < COW_FS_CLASSES; c++) {
            own += cow_fs_class_of_file((enum cow_fs_class)c) ? 0 : bytes[c];
        }
        return own;
    }
    for (size_t i = 0; i < view->level.rows; i++) {
        own += view->level.row[i].kind == TUI_ROW_CLASS ? view->level.row[i].changed_bytes : 0;
    }
    return own;
}

/* What it all adds up to. */
static void draw_total(const struct tui_app *app, const struct files_view *view, struct tui_canvas *canvas,
                       int y)
{
    char total[COW_SIZE_TEXT_BYTES], files[COW_SIZE_TEXT_BYTES], rest[COW_SIZE_TEXT_BYTES];
    const struct tui_level *level = &view->level;
    int x = 1, end = canvas->cols - 1;

    uint64_t own = own_bytes(app, view);
    cow_size_text(total, level->changed_bytes);
    x += tui_textf(canvas, x, y, end - x, TUI_STRONG, "%s in the COW", total);
    if (level->files == 0) {
        x += tui_text(canvas, x, y, end - x, TUI_NORMAL, level->changed_bytes > 0 ? ", of no file" : "");
    } else if (own == 0) {
        x += tui_textf(canvas, x, y, end - x, TUI_NORMAL, " of %zu changed file%s", level->files,
                       level->files == 1 ? "" : "s");
    } else {
        x += tui_textf(canvas, x, y, end - x, TUI_NORMAL, ": %s of %zu changed file%s, %s of no file",
                       cow_size_text(files, level->changed_bytes - own), level->files,
                       level->files == 1 ? "" : "s", cow_size_text(rest, own));
    }
    if (view->directory != NULL || view->filter[0] != '\0' || !app->cells.usage_known ||
        level->changed_bytes == app->cells.usage.dirty_bytes) {
        return;
    }
    if (tui_files_readable(&app->files, NULL) <= 1 || view->volume == COW_NO_VOLUME) {
        tui_textf(canvas, x, y, end - x, TUI_WARN, "; all in all %s",
                  cow_size_text(rest, app->cells.usage.dirty_bytes));
    }
}

static void scroll_to_selection(struct files_view *view, int rows)
{
    size_t shown = rows > 0 ? (size_t)rows : 1;

    view->rows = rows;
    if (view->at < view->top) {
        view->top = view->at;
    }
    if (view->at >= view->top + shown) {
        view->top = view->at - shown + 1;
    }
    if (view->top + shown > view->level.rows) {
        view->top = view->level.rows > shown ? view->level.rows - shown : 0;
    }
}

static void draw_rows(const struct tui_app *app, struct files_view *view, struct tui_canvas *canvas,
                      struct tui_rect list, int bar_x)
{
    scroll_to_selection(view, list.rows);
    view->list = list;
    for (int y = 0; y < list.rows && view->top + (size_t)y < view->level.rows; y++) {
        size_t i = view->top + (size_t)y;
        struct tui_rect line = {list.x, list.y + y, list.cols, 1};
        draw_files_row(app, view, canvas, line, &view->level.row[i], i == view->at);
        if (i == view->at) {
            canvas->cursor_x = line.x;
            canvas->cursor_y = line.y;
        }
    }
    tui_scrollbar(canvas, bar_x, list.y, list.rows, view->top, (uint64_t)list.rows, view->level.rows);
}

void tui_files_paint(struct tui_app *app, struct files_view *view, struct tui_canvas *canvas,
                     struct tui_rect area, const char *problem)
{
    struct tui_rect frame = {area.x, area.y, area.cols, area.rows - INFO_ROWS};
    char title[2 * TEXT_BYTES];

    files_title(app, view, frame.cols, title, sizeof title);
    struct tui_rect inside = tui_frame(canvas, frame, title);
    int facts = draw_facts(app, view, canvas, inside);
    inside.y += facts;
    inside.rows -= facts;
    if (problem != NULL) {
        tui_text(canvas, inside.x + 1, inside.y, inside.cols - 2, TUI_BAD, problem);
    }
    if (problem != NULL || !tui_files_known(&app->files)) {
        if (problem == NULL) {
            draw_state(app, canvas, inside);
        }
        return;
    }
    struct columns c = choose_files_columns(app, inside.cols);
    draw_files_heading(app, canvas, inside, &c);
    inside.y++;
    inside.rows--;
    if (view->level.rows == 0) {
        tui_text(canvas, inside.x + 2, inside.y, inside.cols - 3, TUI_DIM,
                 view->filter[0] != '\0' ? "no changed file has that in its path" : "nothing is in the COW");
    }
    draw_rows(app, view, canvas, inside, frame.x + frame.cols - 1);
    draw_total(app, view, canvas, frame.y + frame.rows);
}

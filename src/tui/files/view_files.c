/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Files: what the guest has changed, a directory at a time, with all below it added up; at the top also what
 * the filesystem itself has in the COW, so that nothing is missing from the total. Rows point into the scan:
 * they are made anew whenever that is another one, and the selection is kept by its name.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/files/file_act.h"
#include "tui/files/files_view.h"

enum { NO_ROW = -2 };

static int files_open(struct tui_app *app, void **state, const void *argument, struct cow_error *err)
{
    struct files_view *view = calloc(1, sizeof *view);

    (void)app;
    (void)argument;
    if (view == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    view->volume = COW_NO_VOLUME;
    view->selected.kind = TUI_ROW_UP;
    view->selected.number = NO_ROW;
    *state = view;
    return 0;
}

static void files_close(struct tui_app *app, void *state)
{
    struct files_view *view = state;

    (void)app;
    tui_level_free(&view->level);
    free(view->directory);
    free(view);
}

/* Whether the rows are of what is known now. */
static bool is_current(const struct tui_app *app, const struct files_view *view)
{
    return tui_files_known(&app->files) && view->filled.done && view->filled.epoch == app->files.epoch &&
           view->filled.redundant == app->redundant.answer;
}

/* The selected row; NULL if there is none. */
static const struct tui_row *selected_row(const struct tui_app *app, const struct files_view *view)
{
    return is_current(app, view) && view->at < view->level.rows ? &view->level.row[view->at] : NULL;
}

/* The file to act on. */
static const struct cow_fs_file *selected_file(const struct tui_app *app, const struct files_view *view)
{
    const struct tui_row *row = selected_row(app, view);

    return row != NULL ? row->file : NULL;
}

static tui_contexts files_contexts(struct tui_app *app, void *state)
{
    const struct files_view *view = state;

    const struct tui_row *row = selected_row(app, view);
    bool holds = row != NULL && (row->kind == TUI_ROW_DIRECTORY || row->kind == TUI_ROW_VOLUME) &&
                 row->changed_bytes > 0;

    return TUI_IN_FILES | tui_file_contexts(selected_file(app, view)) | (holds ? TUI_IN_PLACE : 0U) |
           (view->filter[0] != '\0' ? TUI_IN_CLEARABLE : 0U);
}

static void remember_selection(struct files_view *view, const char *name, size_t bytes,
                               enum tui_row_kind kind, int number)
{
    view->selected.kind = kind;
    view->selected.number = number;
    snprintf(view->selected.name, sizeof view->selected.name, "%.*s",
             (int)(bytes < TUI_FILES_NAME_BYTES ? bytes : TUI_FILES_NAME_BYTES), name);
}

static void select_row(struct files_view *view, size_t at)
{
    view->at = at < view->level.rows ? at : view->level.rows > 0 ? view->level.rows - 1 : 0;
    if (view->level.rows == 0) {
        return;
    }
    const struct tui_row *row = &view->level.row[view->at];
    remember_selection(view, row->path + row->name, row->name_bytes, row->kind, row->number);
}

static bool is_selected(const struct files_view *view, const struct tui_row *row)
{
    char name[TUI_FILES_NAME_BYTES];

    if (row->kind == TUI_ROW_CLASS || row->kind == TUI_ROW_VOLUME || row->kind == TUI_ROW_UP) {
        return row->kind == view->selected.kind && row->number == view->selected.number;
    }
    snprintf(name, sizeof name, "%.*s",
             (int)(row->name_bytes < TUI_FILES_NAME_BYTES ? row->name_bytes : TUI_FILES_NAME_BYTES),
             row->path + row->name);
    return view->selected.kind != TUI_ROW_CLASS && view->selected.kind != TUI_ROW_UP &&
           view->selected.kind != TUI_ROW_VOLUME && strcmp(name, view->selected.name) == 0;
}

/* Another level, or another order: what is selected stays so, if it is there. */
static void refill_files(struct files_view *view)
{
    view->filled.done = false;
}

static void set_directory(struct files_view *view, char *directory)
{
    free(view->directory);
    view->directory = directory;
    view->at = view->top = 0;
    refill_files(view);
}

/* Which volume it is about, as far as there is a choice. */
static void choose_files_volume(const struct tui_app *app, struct files_view *view)
{
    int first = COW_NO_VOLUME;
    size_t readable = tui_files_readable(&app->files, &first), n_volumes;
    const struct cow_volume *volume = cow_fs_volumes(app->files.fs, &n_volumes);
    bool fits = view->volume >= 0 && (size_t)view->volume < n_volumes && volume[view->volume].readable;

    if (readable == 1 ? view->volume == first : readable > 1 && fits) {
        return;
    }
    view->volume = readable == 1 ? first : COW_NO_VOLUME;
    set_directory(view, NULL);
}

/* Makes the rows, if they are not of what is known already. */
static int fill_files_level(const struct tui_app *app, struct files_view *view, struct cow_error *err)
{
    if (is_current(app, view)) {
        return 0;
    }
    view->level.rows = 0;
    if (!tui_files_known(&app->files)) {
        return 0;
    }
    choose_files_volume(app, view);
    for (;;) {
        const struct tui_level_at at = {view->volume,  view->directory != NULL ? view->directory : "",
                                        view->filter,  view->order,
                                        view->reverse, view->flat};
        int status = tui_level_fill(&view->level, app, &at, err);
        if (status != 0) {
            return status;
        }
        if (view->level.files > 0 || view->directory == NULL || view->filter[0] != '\0' || view->flat) {
            break;
        }
        set_directory(view, NULL); /* nothing is in there any more */
    }
    view->filled.done = true;
    view->filled.epoch = app->files.epoch;
    view->filled.redundant = app->redundant.answer;
    for (size_t i = 0; i < view->level.rows; i++) {
        if (is_selected(view, &view->level.row[i])) {
            select_row(view, i);
            return 0;
        }
    }
    size_t first = 0; /* of what is in it */
    while (view->at == 0 && first + 1 < view->level.rows && view->level.row[first].kind <= TUI_ROW_SELF) {
        first++;
    }
    select_row(view, view->at > 0 ? view->at : first);
    return 0;
}

static void files_draw(struct tui_app *app, void *state, struct tui_canvas *canvas, struct tui_rect area)
{
    struct cow_error err = {0};

    if (tui_app_sectors(app) == 0) {
        tui_app_draw_unfinished(app, canvas, tui_frame(canvas, area, "Files"));
        return;
    }
    int status = fill_files_level(app, state, &err);
    tui_files_paint(app, state, canvas, area, status != 0 ? err.message : NULL);
}

/* ---- acting ---- */

static void go_up(struct files_view *view)
{
    char *slash = view->directory != NULL ? strrchr(view->directory, '/') : NULL;
    const char *name = view->directory != NULL ? view->directory : "";

    if (view->filter[0] != '\0' || view->flat) {
        return;
    }
    if (view->directory == NULL) {
        remember_selection(view, "", 0, TUI_ROW_VOLUME, view->volume);
        view->volume = COW_NO_VOLUME;
        refill_files(view);
        return;
    }
    if (slash != NULL) {
        name = slash + 1;
    }
    remember_selection(view, name, strlen(name), TUI_ROW_DIRECTORY, view->volume);
    set_directory(view, slash != NULL && slash > view->directory
                            ? strndup(view->directory, (size_t)(slash - view->directory))
                            : NULL);
}

static void enter_directory(struct tui_app *app, struct files_view *view, const struct tui_row *row)
{
    char *directory = strndup(row->path, row->name + row->name_bytes);

    if (directory == NULL) {
        tui_app_say(app, TUI_BAD, "out of memory");
        return;
    }
    remember_selection(view, "", 0, TUI_ROW_UP, NO_ROW);
    set_directory(view, directory);
}

static enum tui_result enter_files_row(struct tui_app *app, struct files_view *view, bool explain)
{
    const struct tui_row *row = selected_row(app, view);

    if (row == NULL) {
        return TUI_NOTHING;
    }
    switch (row->kind) {
    case TUI_ROW_UP:
        go_up(view);
        break;
    case TUI_ROW_VOLUME:
        view->volume = row->number;
        remember_selection(view, "", 0, TUI_ROW_UP, NO_ROW);
        set_directory(view, NULL);
        break;
    case TUI_ROW_DIRECTORY:
        if (row->files > 1 || row->file == NULL) {
            enter_directory(app, view, row);
        } else if (explain) {
            tui_app_push(app, &tui_view_file, row->file);
        }
        break;
    case TUI_ROW_SELF:
    case TUI_ROW_FILE:
        if (explain) {
            tui_app_push(app, &tui_view_file, row->file);
        }
        break;
    case TUI_ROW_CLASS:
        tui_app_say(app, TUI_DIM, "that is of no file; on the Map c shows where it lies");
        break;
    }
    return TUI_REDRAW;
}

static bool can_go_up(const struct tui_app *app, const struct files_view *view)
{
    return view->directory != NULL ||
           (view->volume != COW_NO_VOLUME && tui_files_readable(&app->files, NULL) > 1);
}

static void filter_answer(struct tui_app *app, const char *text)
{
    struct files_view *view = app->tab[TUI_TAB_FILES].state;

    snprintf(view->filter, sizeof view->filter, "%s", text);
    view->at = view->top = 0;
    refill_files(view);
    app->redraw = true;
}

static void filter_given_up(struct tui_app *app)
{
    const struct files_view *view = app->tab[TUI_TAB_FILES].state;

    filter_answer(app, view->filter_before);
}

static enum tui_result ask_filter(struct tui_app *app, struct files_view *view)
{
    snprintf(view->filter_before, sizeof view->filter_before, "%s", view->filter);
    tui_app_ask(app, "In the path: ", view->filter, filter_answer);
    app->typed = filter_answer;
    app->given_up = filter_given_up;
    return TUI_REDRAW;
}

static enum tui_result set_order(struct files_view *view, enum tui_order order)
{
    view->order = order;
    refill_files(view);
    return TUI_REDRAW;
}

/* Moves the selection by so many rows, as far as there are any. */
static enum tui_result move_files(const struct tui_app *app, struct files_view *view, long rows)
{
    size_t by = (size_t)(rows < 0 ? -rows : rows), to;

    if (!is_current(app, view) || view->level.rows == 0) {
        return TUI_NOTHING;
    }
    if (rows < 0) {
        to = view->at > by ? view->at - by : 0;
    } else {
        to = view->level.rows - 1 - view->at > by ? view->at + by : view->level.rows - 1;
    }
    select_row(view, to);
    return TUI_REDRAW;
}

static bool files_click(struct tui_app *app, void *state, int x, int y)
{
    struct files_view *view = state;
    size_t row = view->top + (size_t)(y - view->list.y);

    if (!is_current(app, view) || !tui_rect_holds(view->list, x, y) || row >= view->level.rows) {
        return false;
    }
    select_row(view, row);
    return true;
}

static enum tui_result move_by(const struct tui_app *app, struct files_view *view, enum tui_action_id action)
{
    long rows = (long)view->level.rows, screen = view->rows;

    switch (action) {
    case TUI_DO_UP:
        return move_files(app, view, -1);
    case TUI_DO_DOWN:
        return move_files(app, view, 1);
    case TUI_DO_PAGE_UP:
        return move_files(app, view, -screen);
    case TUI_DO_PAGE_DOWN:
        return move_files(app, view, screen);
    case TUI_DO_FIRST:
        return move_files(app, view, -rows);
    case TUI_DO_LAST:
        return move_files(app, view, rows);
    default:
        return TUI_IGNORED;
    }
}

static enum tui_result files_act(struct tui_app *app, void *state, enum tui_action_id action,
                                 const char *argument)
{
    struct files_view *view = state;

    switch (action) {
    case TUI_DO_ENTER:
    case TUI_DO_RIGHT:
        return enter_files_row(app, view, action == TUI_DO_ENTER);
    case TUI_DO_LEFT:
        if (can_go_up(app, view)) {
            go_up(view);
        }
        return TUI_REDRAW;
    case TUI_DO_ORDER:
        return set_order(view, (enum tui_order)((view->order + 1) % TUI_ORDERS));
    case TUI_DO_REVERSE:
        view->reverse = !view->reverse;
        refill_files(view);
        return TUI_REDRAW;
    case TUI_DO_FLAT:
        view->flat = !view->flat;
        view->at = view->top = 0;
        refill_files(view);
        return TUI_REDRAW;
    case TUI_DO_FILTER:
        return ask_filter(app, view);
    case TUI_DO_CLEAR:
        filter_answer(app, "");
        return TUI_REDRAW;
    case TUI_DO_SCAN:
        if (argument != NULL) { /* the command means the scan of the map */
            return TUI_IGNORED;
        }
        if (app->files.job.state == TUI_JOB_RUNNING) {
            tui_job_stop(&app->files.job);
        } else {
            tui_files_again(&app->files);
        }
        return TUI_REDRAW;
    default:
        break;
    }
    enum tui_result result = move_by(app, view, action);
    const struct tui_row *row = selected_row(app, view);
    if (result == TUI_IGNORED && row != NULL &&
        (row->kind == TUI_ROW_DIRECTORY || row->kind == TUI_ROW_VOLUME)) {
        result = tui_directory_act(app, row->number, row->path, row->name + row->name_bytes, action);
    }
    return result == TUI_IGNORED ? tui_file_act(app, selected_file(app, view), action) : result;
}

static const char *row_name(void *list, size_t row, char out[TUI_ROW_TEXT_BYTES])
{
    const struct tui_row *at = &((const struct tui_level *)list)->row[row];

    snprintf(out, TUI_ROW_TEXT_BYTES, "%.*s", (int)at->name_bytes, at->path + at->name);
    return out;
}

/* '/' is the filter here; what was asked for elsewhere is found again in the rows that are shown. */
static enum tui_found files_search(struct tui_app *app, void *state, const struct tui_search *search)
{
    struct files_view *view = state;
    long row = -1;

    if (is_current(app, view) && (search->step == TUI_SEARCH_NEXT || search->step == TUI_SEARCH_PREVIOUS)) {
        row = tui_list_search(view->level.rows, view->at, search, row_name, &view->level);
    }
    if (row < 0) {
        return TUI_FOUND_NOT;
    }
    select_row(view, (size_t)row);
    return TUI_FOUND;
}

static void files_again(struct tui_app *app)
{
    tui_files_again(&app->files);
}

const struct tui_view_class tui_view_files = {
    .open = files_open,
    .contexts = files_contexts,
    .act = files_act,
    .search = files_search,
    .draw = files_draw,
    .click = files_click,
    .again = files_again,
    .close = files_close,
};

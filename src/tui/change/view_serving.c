/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The disk for other programs: served on a socket, or mounted, as long as this page is open. Read-only it
 * begins at once; where it is to be written to, what that means is told, and it takes the typed yes. What
 * was begun ends with the page, however that is left; the image is read anew then, for it may have been
 * written to.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/pile.h"
#include "front/serving.h"
#include "tui/app/app.h"
#include "tui/change/change.h"

enum { LABEL_COL = 1, TEXT_COL = 13, LOG_LINES = 8, LOG_BYTES = 512 };

struct serving_view {
    struct front_serving disk;
    struct front_target target;
    struct front_pile pile;
    bool mounts, is_writing;
    bool is_running; /* else it asks for the yes */
    char log[LOG_LINES][LOG_BYTES];
    unsigned logged; /* lines, ever */
    struct tui_app *app;
    struct tui_page page;
    int page_rows;
};

/* ---- beginning and ending ---- */

static void on_log(void *context, const char *line)
{
    struct serving_view *view = context;

    snprintf(view->log[view->logged++ % LOG_LINES], LOG_BYTES, "%s", line);
    view->app->redraw = true;
}

/* Also of what was only begun. */
static int end_serving(struct serving_view *view, struct cow_error *err)
{
    struct cow_error ignored;
    struct tui_app *app = view->app;
    bool wrote = view->is_running && view->is_writing;
    int status = front_pile_take_down(&view->pile, err);

    view->is_running = false;
    if (wrote && tui_app_reopen(app, status != 0 ? &ignored : err) != 0 && status == 0) {
        status = err->status;
    }
    return status;
}

static int begin_serving(struct serving_view *view, struct cow_error *err)
{
    const struct tui_app *app = view->app;
    const struct front_server_options options = {.image_path = cow_image_path(app->subject.image),
                                                 .backing_path = app->subject.open.backing_path,
                                                 .is_writing = view->is_writing,
                                                 .on_line = on_log,
                                                 .context = view};
    struct cow_error ignored;
    int status = front_pile_build(&view->pile, &options, view->mounts ? &view->target : NULL, err);

    view->is_running = status == 0;
    if (status != 0) {
        end_serving(view, &ignored);
    }
    return status;
}

/* ---- opening ---- */

static int look(struct serving_view *view, const struct tui_serving_request *request, struct cow_error *err)
{
    struct tui_app *app = view->app;
    struct cow_image *image = app->subject.image;
    int status = front_need_server(err);

    if (status == 0 && tui_app_sectors(app) == 0) {
        status = cow_error_set(err, COW_INVALID, "%s has no disk to serve: %s", app->name,
                               cow_image_pending(image));
    }
    if (status == 0 && view->mounts) {
        status = front_target_directory(&view->target, request->directory, err);
    }
    if (status == 0) {
        status =
            front_serving_look(&view->disk, image, app->subject.open.backing_path, view->is_writing, err);
    }
    if (status == 0 && view->mounts && request->is_filesystem) {
        status = front_target_filesystem(&view->target, image, app->name, request->partition, err);
    }
    return status;
}

static void serving_close(struct tui_app *app, void *state)
{
    struct serving_view *view = state;
    struct cow_error err = {0};

    if (view->is_running && end_serving(view, &err) != 0) {
        tui_app_say(app, TUI_WARN, "%s", err.message);
    }
    tui_prompt_stop();
    tui_page_free(&view->page);
    free(view);
}

static int serving_open(struct tui_app *app, void **state, const void *argument, struct cow_error *err)
{
    const struct tui_serving_request *request = argument;
    struct serving_view *view = calloc(1, sizeof *view);

    if (view == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    view->app = app;
    view->mounts = request->directory != NULL;
    view->is_writing = request->is_writing;
    int status = look(view, request, err);
    if (status == 0 && !view->is_writing) {
        status = begin_serving(view, err);
    }
    if (status != 0) {
        serving_close(app, view);
        return status;
    }
    if (view->is_writing) {
        tui_prompt_begin("", NULL, NULL);
        app->asks_yes = true;
    }
    *state = view;
    return 0;
}

/* ---- keys ---- */

static tui_contexts serving_contexts(struct tui_app *app, void *state)
{
    const struct serving_view *view = state;

    (void)app;
    return view->is_running ? TUI_IN_SERVING : TUI_IN_CONFIRM;
}

static enum tui_result serving_key(struct tui_app *app, void *state, int key)
{
    (void)app;
    if (((struct serving_view *)state)->is_running) {
        return TUI_IGNORED;
    }
    return tui_prompt_key(key) == TUI_PROMPT_EDITING ? TUI_REDRAW : TUI_POP;
}

static enum tui_result serving_paste(struct tui_app *app, void *state, const char *text)
{
    (void)text;
    if (((struct serving_view *)state)->is_running) {
        return TUI_IGNORED;
    }
    tui_app_say(app, TUI_WARN, "a pasted yes is none: type the word");
    return TUI_REDRAW;
}

/* The yes was asked for. */
static enum tui_result enter_serving(struct tui_app *app, struct serving_view *view)
{
    struct cow_error err = {0};

    if (strcmp(tui_prompt_text(), "yes") != 0) {
        tui_app_say(app, TUI_WARN, "that is not the word yes: nothing is begun");
        return TUI_REDRAW;
    }
    tui_prompt_stop();
    view->page.top = 0;
    if (begin_serving(view, &err) == 0) {
        return TUI_REDRAW;
    }
    tui_app_error(app, &err);
    return TUI_POP;
}

/* As told, or because it has fallen. */
static enum tui_result leave_serving(struct tui_app *app, struct serving_view *view, const char *told)
{
    struct cow_error err = {0};

    if (!view->is_running) {
        return TUI_POP;
    }
    tui_app_say(app, TUI_NORMAL, "ending it, and flushing what was written...");
    tui_app_draw(app);
    app->message[0] = '\0';
    if (end_serving(view, &err) != 0) {
        tui_app_error(app, &err);
    } else {
        tui_app_say(app, TUI_DIM, "%s", told);
    }
    return TUI_POP;
}

static enum tui_result serving_act(struct tui_app *app, void *state, enum tui_action_id action,
                                   const char *argument)
{
    struct serving_view *view = state;

    (void)argument;
    switch (action) {
    case TUI_DO_ENTER:
        return view->is_running ? TUI_NOTHING : enter_serving(app, view);
    case TUI_DO_LEAVE:
        return leave_serving(app, view, view->mounts ? "it is unmounted" : "it is no longer served");
    default:
        return tui_page_act(&view->page, action, view->page_rows);
    }
}

static enum tui_result serving_tick(struct tui_app *app, void *state)
{
    struct serving_view *view = state;

    if (!view->is_running || front_pile_poll(&view->pile, 0)) {
        return TUI_NOTHING;
    }
    return leave_serving(
        app, view, view->mounts ? "it was unmounted, and so it is no longer served" : "its server has ended");
}

/* ---- drawing ---- */

static void put_disk(struct tui_app *app, struct serving_view *view)
{
    struct tui_page *page = &view->page;
    char size[COW_SIZE_TEXT_BYTES];

    tui_page_value(page, "disk", TEXT_COL, TUI_NORMAL, "%s, as the guest sees it%s%s",
                   cow_size_text(size, view->disk.size_bytes),
                   view->target.is_filesystem ? "; mounted is " : "", view->target.words);
    if (cow_image_backing(app->subject.image)->state == COW_BACKING_FOUND) {
        tui_page_value(page, "backing", TEXT_COL, TUI_NORMAL, "%s, which is only read", app->backing_name);
    }
}

static void put_writing(struct tui_app *app, struct serving_view *view)
{
    struct tui_page *page = &view->page;

    if (view->is_writing) {
        tui_page_value(page, "written to", TEXT_COL, TUI_WARN, "%s, " FRONT_WRITTEN, app->name);
        tui_page_value(page, "undo", TEXT_COL, TUI_WARN, FRONT_NO_UNDO "%s",
                       view->disk.has_undo ? FRONT_UNDO_VOID : "");
        return;
    }
    tui_page_value(page, "written to", TEXT_COL, TUI_NORMAL, "%s", FRONT_NOT_WRITTEN);
    if (view->disk.is_held) {
        tui_page_value(page, "in use", TEXT_COL, TUI_WARN, "yes: %s", FRONT_HELD_NOTE);
    }
}

/* What others can do with it. */
static void put_place(struct serving_view *view)
{
    struct tui_page *page = &view->page;
    const char *uri = view->is_running ? front_server_uri(view->pile.server) : "";
    char name[COW_PATH_BYTES];

    if (view->mounts) {
        cow_escape(name, sizeof name,
                   view->is_running ? front_pile_path(&view->pile) : view->target.directory);
        tui_page_value(page, view->is_running ? "mounted" : "directory", TEXT_COL, TUI_STRONG, "%s", name);
        if (view->is_running) {
            tui_page_value(page, "", TEXT_COL, TUI_DIM,
                           view->target.is_filesystem
                               ? "the files of the guest; ended here, or by unmounting it"
                               : "the disk as a file, for any program; ended here, or by unmounting it");
        }
    } else if (view->is_running) {
        tui_page_value(page, "URI", TEXT_COL, TUI_STRONG, "%s", uri);
        tui_page_value(page, "", TEXT_COL, TUI_DIM,
                       "for any client of network block devices: nbdinfo, nbdcopy, qemu-img, nbdfuse");
    }
}

static void put_log(struct serving_view *view)
{
    unsigned first = view->logged > LOG_LINES ? view->logged - LOG_LINES : 0;

    for (unsigned i = first; i < view->logged; i++) {
        if (i == first) {
            tui_page_line(&view->page);
            tui_page_line(&view->page);
            tui_page_put(&view->page, LABEL_COL, TUI_HEADING, "What it says");
        }
        tui_page_line(&view->page);
        tui_page_wrap(&view->page, LABEL_COL + 2, LABEL_COL + 2, TUI_NORMAL, view->log[i % LOG_LINES]);
    }
}

static void serving_draw(struct tui_app *app, void *state, struct tui_canvas *canvas, struct tui_rect area)
{
    struct serving_view *view = state;
    char title[64];

    snprintf(title, sizeof title, "%s \u2500 %s", view->mounts ? "Mount" : "Serve",
             !view->is_running  ? "for writing: what it does"
             : view->is_writing ? "for writing"
                                : "read-only");
    struct tui_rect inside = tui_frame(canvas, area, title);
    struct tui_rect text = inside;
    if (!view->is_running) {
        text.rows -= 2;
    }
    tui_page_begin(&view->page, inside.cols - 1);
    view->page_rows = text.rows;
    tui_page_line(&view->page);
    tui_page_line(&view->page);
    tui_page_wrapf(&view->page, LABEL_COL, LABEL_COL, view->is_running ? TUI_GOOD : TUI_STRONG,
                   view->is_running
                       ? "%s: its disk can be used by other programs, as long as this page is open."
                       : "%s: other programs can read its disk, and write to it.",
                   app->name);
    tui_page_line(&view->page);
    put_place(view);
    put_disk(app, view);
    put_writing(app, view);
    put_log(view);
    if (!view->is_running) {
        tui_page_line(&view->page);
        tui_page_line(&view->page);
        tui_page_wrap(&view->page, LABEL_COL, LABEL_COL, TUI_DIM,
                      "Anything but the word yes, or Esc, leaves everything as it is.");
    }
    tui_page_draw(&view->page, canvas, text, area.x + area.cols - 1);
    if (!view->is_running) {
        change_draw_field(canvas, inside.x + 1, inside.y + inside.rows - 1, "Type yes to begin:");
    }
}

const struct tui_view_class tui_view_serving = {
    .open = serving_open,
    .contexts = serving_contexts,
    .key = serving_key,
    .paste = serving_paste,
    .act = serving_act,
    .draw = serving_draw,
    .tick = serving_tick,
    .close = serving_close,
};

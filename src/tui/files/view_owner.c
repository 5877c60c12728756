/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whose one byte of the disk is, in the words of `files --owner`. It is asked anew for each drawing: before
 * the filesystem was read there is nothing to say, and when the image was read anew it may be another's.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "front/owner_words.h"
#include "tui/app/app.h"

enum { VALUE_COL = 15 };

struct owner_view {
    struct tui_page page;
    int rows;
    uint64_t byte;
};

static int owner_open(struct tui_app *app, void **state, const void *argument, struct cow_error *err)
{
    struct owner_view *view = calloc(1, sizeof *view);

    (void)argument;
    if (view == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    view->byte = tui_app_byte(app);
    *state = view;
    return 0;
}

static void owner_close(struct tui_app *app, void *state)
{
    struct owner_view *view = state;

    (void)app;
    tui_page_free(&view->page);
    free(view);
}

static tui_contexts owner_contexts(struct tui_app *app, void *state)
{
    (void)app;
    (void)state;
    return TUI_IN_OWNER;
}

static int put_owner(struct tui_app *app, const struct owner_view *view, struct tui_page *page,
                     struct cow_error *err)
{
    struct front_owner_words words;
    struct cow_fs_owner owner;
    int status = cow_fs_owner_at(app->files.scan, view->byte, &owner, err);

    if (status == 0) {
        status = front_owner_words(&words, app->files.image, app->files.fs, &owner, view->byte, err);
    }
    if (status != 0) {
        return status;
    }
    tui_page_put(page, 1, TUI_STRONG, words.heading);
    for (size_t i = 0; i < words.n; i++) {
        tui_page_value(page, words.row[i].label, VALUE_COL, TUI_NORMAL, "%s", words.row[i].text);
    }
    front_owner_words_free(&words);
    return 0;
}

/* Why there is no answer yet, or none. */
static void put_no_owner(const struct tui_app *app, const struct owner_view *view, struct tui_page *page)
{
    const struct tui_job *job = &app->files.job;

    tui_page_putf(page, 1, TUI_STRONG, "byte %" PRIu64 ", sector %" PRIu64, view->byte,
                  view->byte / cow_image_header(app->subject.image)->sector_bytes);
    tui_page_line(page);
    if (job->state == TUI_JOB_FAILED) {
        tui_page_wrapf(page, 1, 1, TUI_BAD, "%s", job->error.message);
    } else if (job->state == TUI_JOB_STOPPED) {
        tui_page_wrap(page, 1, 1, TUI_WARN, "reading the filesystem was stopped; in Files s reads it");
    } else {
        tui_page_wrapf(page, 1, 1, TUI_DIM, "reading the filesystem: %d%%", tui_job_percent(job));
    }
}

static void owner_draw(struct tui_app *app, void *state, struct tui_canvas *canvas, struct tui_rect area)
{
    struct owner_view *view = state;
    struct tui_page *page = &view->page;
    struct tui_rect inside = tui_frame(canvas, area, "Owner");
    struct cow_error err = {0};

    view->rows = inside.rows;
    tui_page_begin(page, inside.cols - 1);
    tui_page_line(page);
    if (!tui_files_known(&app->files)) {
        put_no_owner(app, view, page);
    } else if (put_owner(app, view, page, &err) != 0) {
        tui_page_wrap(page, 1, 1, TUI_BAD, err.message);
    }
    tui_page_draw(page, canvas, inside, area.x + area.cols - 1);
}

static enum tui_result owner_act(struct tui_app *app, void *state, enum tui_action_id action,
                                 const char *argument)
{
    struct owner_view *view = state;

    (void)app;
    (void)argument;
    return tui_page_act(&view->page, action, view->rows);
}

const struct tui_view_class tui_view_owner = {
    .has_page = true,
    .open = owner_open,
    .contexts = owner_contexts,
    .act = owner_act,
    .draw = owner_draw,
    .close = owner_close,
};

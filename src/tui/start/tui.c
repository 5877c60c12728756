/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The door: opens the image, the backend and the views, runs the loop, and gives everything back in reverse
 * order. The image is opened first, so that a file that is no COW image never flickers the screen; where it
 * is chosen from a list, list and images have the screen in turn. A signal that ended the loop is raised
 * again last, when the terminal is what it was and nothing is held any more.
 */
#include "tui/start/tui.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/app/app.h"
#include "tui/lesson/lesson.h"
#include "tui/look/themes.h"
#include "tui/replay/replay.h"
#include "tui/screen/prompt.h"
#include "tui/start/chooser.h"
#include "tui/terminal/script.h"
#include "tui/terminal/term.h"

/* Settings that the user changes on the way hold for the images that are chosen after it, too. */
static int open_backend(struct tui_backend **out, const struct tui_options *options,
                        struct tui_settings *settings, struct cow_error *err)
{
    int status = options->script_path != NULL
                     ? tui_script_open(out, options->script_path, &settings->theme, err)
                     : tui_term_open(out, &settings->theme, (int)settings->color, err);

    if (status != 0) {
        return status;
    }
    settings->only_ascii = (*out)->ascii;
    settings->ascii = options->ascii || (*out)->ascii;
    (*out)->ops->use_mouse(*out, settings->mouse);
    return 0;
}

static int open_tabs(struct tui_app *app, struct cow_error *err)
{
    for (int i = 0; i < TUI_TABS; i++) {
        int status = tui_tab_class[i]->open(app, &app->tab[i].state, NULL, err);
        if (status != 0) {
            return status;
        }
        app->tab[i].view_class = tui_tab_class[i];
    }
    app->tab_now = tui_app_sectors(app) > 0 ? TUI_TAB_MAP : TUI_TAB_HEADER;
    app->tab_return = TUI_NO_TAB;
    return 0;
}

/* One image, from its opening to its end. backend: where one is there already; NULL: it is opened once the
 * image is. *begun: it could be opened, and was shown. */
static int show_image(struct tui_app *app, const struct tui_options *options, struct tui_settings *settings,
                      struct tui_backend *backend, bool *begun, struct cow_error *err)
{
    memset(app, 0, sizeof *app);
    app->settings = settings;
    app->without_backing = options->no_backing;
    app->named_backing = options->backing_path;
    app->subject.image_path = options->image_path;
    app->subject.interactive = options->script_path == NULL;
    app->chosen = backend != NULL;
    app->give_lesson = lesson_run;
    if (app->subject.interactive && cow_io_stepped(&app->io, tui_app_step, app, err) != 0) {
        return COW_NO_MEMORY;
    }
    tui_app_look_through(app, options->backing_path);
    tui_app_begin_jobs(app);
    *begun = false;
    int status = tui_app_reopen(app, err);
    if (status != 0) {
        goto out_io;
    }
    snprintf(app->named_for, sizeof app->named_for, "%s", cow_image_header(app->subject.image)->backing_path);
    status = tui_prompt_init(options->script_path == NULL, err);
    if (status != 0) {
        goto out_image;
    }
    status = open_tabs(app, err);
    app->backend = backend;
    if (status == 0 && backend == NULL) {
        status = open_backend(&app->backend, options, settings, err);
    }
    if (status != 0) {
        goto out_views;
    }
    *begun = true;
    app->canvas.ascii = settings->ascii;
    if (app->pending && !app->holder.held) { /* else the change may be under way just now */
        tui_app_offer_recovery(app);
    }
    status = tui_app_loop(app, err);
    if (backend == NULL) {
        app->backend->ops->end(app->backend);
    }
out_views:
    tui_app_close_views(app);
    tui_canvas_free(&app->canvas);
    tui_canvas_free(&app->pane.kept);
    tui_canvas_free(&app->pane.line);
    tui_prompt_end();
out_image:
    tui_app_end_jobs(app);
    cow_image_close(app->subject.image);
    free(app->typed_backing);
out_io:
    cow_io_free(app->io);
    return status;
}

/* The list and what is chosen from it, in turn, until the user leaves one of them for good. */
static int choose_images(struct tui_chooser *chooser, const struct tui_options *options,
                         struct tui_settings *settings, int *stop_signal, struct cow_error *err)
{
    struct tui_options chosen = *options;

    for (;;) {
        struct tui_app app;
        struct cow_error problem = {0};
        bool begun;
        chooser->canvas.ascii = settings->ascii;
        int status = tui_chooser_ask(chooser, &chosen.image_path, err);
        *stop_signal = chooser->stop_signal;
        if (status != 0 || chosen.image_path == NULL) {
            return status;
        }
        status = show_image(&app, &chosen, settings, chooser->backend, &begun, &problem);
        *stop_signal = app.stop_signal;
        if (begun && (status != 0 || app.stop_signal != 0 || !app.to_list)) {
            *err = problem;
            return status;
        }
        tui_chooser_return(chooser, status != 0 ? &problem : NULL);
    }
}

static int show_directory(const struct tui_options *options, struct tui_settings *settings, int *stop_signal,
                          struct cow_error *err)
{
    struct tui_chooser chooser;
    struct tui_backend *backend;
    int status = open_backend(&backend, options, settings, err);

    if (status != 0) {
        return status;
    }
    tui_chooser_begin(&chooser, backend, options->image_path, options->no_backing);
    status = choose_images(&chooser, options, settings, stop_signal, err);
    backend->ops->end(backend);
    tui_chooser_end(&chooser);
    return status;
}

static int show_lesson(const struct tui_options *options, struct tui_settings *settings, int *stop_signal,
                       struct cow_error *err)
{
    struct tui_backend *backend;
    int status = open_backend(&backend, options, settings, err);

    if (status != 0) {
        return status;
    }
    status = lesson_run(backend, settings->ascii, stop_signal, err);
    backend->ops->end(backend);
    return status;
}

/* The log is read first, so that a file that is none never flickers the screen. */
static int show_replay(const struct tui_options *options, struct tui_settings *settings, int *stop_signal,
                       struct cow_error *err)
{
    struct cow_history *history;
    struct tui_backend *backend;
    int status = cow_history_open(&history, options->image_path, NULL, err);

    if (status != 0) {
        return status;
    }
    status = open_backend(&backend, options, settings, err);
    if (status == 0) {
        status = replay_run(backend, history, options->image_path, settings->ascii, stop_signal, err);
        backend->ops->end(backend);
    }
    cow_history_close(history);
    return status;
}

int tui_run(const struct tui_options *options, struct cow_error *err)
{
    struct tui_app app;
    struct tui_settings settings = {.mouse = options->mouse, .color = (enum tui_color_choice)options->color};
    int stop_signal = 0, status = tui_theme_load(&settings.theme, options->theme, err);
    bool begun;

    setlocale(LC_CTYPE, "");
    if (status != 0) {
        return status;
    }
    if (options->is_tour) {
        status = show_lesson(options, &settings, &stop_signal, err);
    } else if (options->is_replay) {
        status = show_replay(options, &settings, &stop_signal, err);
    } else if (options->is_directory) {
        status = show_directory(options, &settings, &stop_signal, err);
    } else {
        status = show_image(&app, options, &settings, NULL, &begun, err);
        stop_signal = app.stop_signal;
    }
    if (status == 0 && stop_signal != 0) {
        raise(stop_signal); /* its old action is back: by default this is the end */
    }
    return status;
}

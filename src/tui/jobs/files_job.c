/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Running the filesystem's scan, and asking it. It opens the image itself, as the check does, so that the
 * application may open its own anew while this one is being read.
 */
#include "tui/jobs/files_job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/app/app.h"
#include "tui/screen/clock.h"
#include "tui/screen/utf8.h"

enum { PATH_TEXT_BYTES = 4 * COW_MESSAGE_BYTES };

static const double seconds_between_turns = 0.02;

/* Files, or a file over it, or a coloured Map. */
static bool is_shown(const struct tui_app *app)
{
    const struct tui_view_class *top = app->depth > 0 ? app->stack[app->depth - 1].view_class : NULL;

    if (app->tab_now == TUI_TAB_FILES)
        return !top || top == &tui_view_file;
    return app->tab_now == TUI_TAB_MAP && !top && app->files.colours;
}

bool tui_files_waiting(const struct tui_app *app)
{
    const struct tui_files *files = &app->files;

    return !files->running && files->generation != app->generation && tui_app_sectors(app) > 0 &&
           is_shown(app);
}

bool tui_files_known(const struct tui_app *app)
{
    return app->files.known && app->files.generation == app->generation;
}

/* Nothing but the choices stays. */
static void release(struct tui_files *files)
{
    cow_fs_scan_free(files->scan);
    cow_fs_close(files->fs);
    cow_image_close(files->image);
    files->scan = NULL;
    files->fs = NULL;
    files->image = NULL;
    files->known = files->stopped = false;
    files->generation = 0;
    files->epoch++;
}

void tui_files_drop(struct tui_app *app)
{
    if (app->files.running) { /* it is being read from, further up; that ends at its next look */
        app->files.stop = true;
        app->files.generation = 0;
    } else {
        release(&app->files);
    }
    tui_files_light(app, NULL);
}

void tui_files_again(struct tui_app *app)
{
    tui_files_drop(app);
    app->redraw = true;
}

void tui_files_end(struct tui_app *app)
{
    tui_files_drop(app);
    tui_file_name_set(&app->files.extract, NULL, NULL);
}

static bool on_progress(void *context, const struct cow_progress *progress)
{
    struct tui_app *app = context;
    struct tui_files *files = &app->files;
    int percent = (int)(100.0 * (double)progress->done_bytes / (double)progress->total_bytes);

    if (percent != files->percent)
        app->redraw = true;
    files->percent = percent > 100 ? 100 : percent;
    if (!app->backend->interactive || tui_clock() - files->looked >= seconds_between_turns) {
        tui_app_turn(app);
        files->looked = tui_clock();
    }
    return files->stop || app->leave || files->generation != app->generation;
}

static int look(struct tui_app *app, struct cow_error *err)
{
    struct tui_files *files = &app->files;
    struct cow_open_options open_options = tui_app_open_options(app);
    const struct cow_env env = {.progress = on_progress, .context = app};
    const struct cow_fs_scan_options scan_options = {.look_around = true, .env = &env};
    int status = cow_image_open(&files->image, app->options->image_path, &open_options, err);

    if (status == 0)
        status = cow_fs_open(&files->fs, files->image, err);
    if (status == 0)
        status = cow_fs_scan(&files->scan, files->fs, &scan_options, err);
    return status;
}

void tui_files_work(struct tui_app *app)
{
    struct tui_files *files = &app->files;
    struct cow_error err = {0};

    release(files);
    files->running = true;
    files->stop = false;
    files->percent = 0;
    files->looked = tui_clock();
    files->generation = app->generation;
    tui_app_draw(app);
    int status = look(app, &err);
    files->running = false;
    files->epoch++;
    app->redraw = true;
    if (files->generation != app->generation) {
        release(files);
        return;
    }
    files->known = status == 0;
    files->stopped = status == COW_CANCELLED;
    files->error = err;
    if (files->known || app->leave)
        return;
    if (app->tab_now != TUI_TAB_FILES && !files->stopped)
        tui_app_error(app, &err);
    files->colours = false;
}

size_t tui_files_readable(const struct tui_app *app, int *first)
{
    size_t n_volumes = 0, readable = 0;
    const struct cow_volume *volume = app->files.fs ? cow_fs_volumes(app->files.fs, &n_volumes) : NULL;

    for (size_t i = 0; i < n_volumes; i++) {
        if (volume[i].readable && readable++ == 0 && first)
            *first = (int)i;
    }
    return readable;
}

const char *tui_files_prefix(const struct tui_app *app, int volume, char out[TUI_PREFIX_BYTES])
{
    size_t n_volumes = 0;
    const struct cow_volume *all = app->files.fs ? cow_fs_volumes(app->files.fs, &n_volumes) : NULL;

    out[0] = '\0';
    if (volume >= 0 && (size_t)volume < n_volumes && tui_files_readable(app, NULL) > 1)
        snprintf(out, TUI_PREFIX_BYTES, "%u:", all[volume].partition);
    return out;
}

const struct cow_fs_file *tui_files_find(const struct tui_app *app, const struct tui_file_name *name)
{
    size_t n_files = 0;
    const struct cow_fs_file *file =
        name->path && tui_files_known(app) ? cow_fs_files(app->files.scan, &n_files) : NULL;

    for (size_t i = 0; i < n_files; i++) {
        if (file[i].volume == name->volume && strcmp(file[i].path, name->path) == 0)
            return &file[i];
    }
    return NULL;
}

int tui_file_name_set(struct tui_file_name *name, const struct cow_fs_file *file, struct cow_error *err)
{
    char *path = file ? strdup(file->path) : NULL;

    free(name->path);
    *name = (struct tui_file_name){file ? file->volume : COW_NO_VOLUME, COW_VERSION_GUEST, path};
    return file && !path ? cow_error_set(err, COW_NO_MEMORY, "out of memory") : 0;
}

void tui_files_light(struct tui_app *app, const struct cow_fs_file *file)
{
    struct cow_error err = {0};

    app->files.lit_number++;
    app->redraw = true;
    if (tui_file_name_set(&app->files.lit, file, &err))
        tui_app_error(app, &err);
}

void tui_path_text(char *out, size_t out_bytes, const char *path, int cells)
{
    char escaped[PATH_TEXT_BYTES];
    const char *rest = cow_escape(escaped, sizeof escaped, path);
    int left = tui_text_cells(escaped);

    if (left <= cells) {
        snprintf(out, out_bytes, "%s", escaped);
        return;
    }
    while (*rest != '\0' && left > cells - 3)
        left -= tui_char_cells(tui_utf8_next(&rest));
    snprintf(out, out_bytes, "%s%s", cells < 3 ? "" : "...", rest);
}

void tui_files_owner_text(struct tui_app *app, uint64_t sector, int cells, char *out, size_t out_bytes,
                          uint64_t *end_sector)
{
    uint64_t sector_bytes = cow_image_header(app->image)->sector_bytes;
    char prefix[TUI_PREFIX_BYTES];
    struct cow_fs_owner owner;

    out[0] = '\0';
    if (!tui_files_known(app) || cow_fs_owner_at(app->files.scan, sector * sector_bytes, &owner, NULL) != 0 ||
        !owner.known || owner.length_bytes == 0)
        return;
    int taken = snprintf(out, out_bytes, "%s", owner.path ? tui_files_prefix(app, owner.volume, prefix) : "");
    if (owner.path)
        tui_path_text(out + taken, out_bytes - (size_t)taken, owner.path, cells - taken);
    else if (owner.fs_class == COW_FS_FREE)
        tui_path_text(out, out_bytes, "free", cells);
    else
        tui_path_text(out, out_bytes, cow_fs_class_text(owner.fs_class), cells);
    if (end_sector)
        *end_sector = (owner.first_byte + owner.length_bytes + sector_bytes - 1) / sector_bytes;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The application's image: opening it anew, and moving the selection that all views share along its runs.
 *
 * A new one is opened before the old one is closed, so that whatever fails leaves the screen as it was.
 * Looking takes no lock: an image that a guest uses is shown like any other, and who holds it is asked once a
 * second. A backing file that the user has named stands in for one name in the header; when a change of ours
 * has stored another name, the user's no longer counts.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/app/app.h"

/* The part behind the last slash, safe to show. */
static void last_part(char *out, size_t out_bytes, const char *path)
{
    const char *slash = strrchr(path, '/');

    cow_escape(out, out_bytes, slash != NULL && slash[1] != '\0' ? slash + 1 : path);
}

void tui_app_look_around(struct tui_app *app)
{
    struct cow_holder holder = {0};
    bool pending = tui_app_sectors(app) > 0 && cow_image_pending(app->subject.image)[0] != '\0';
    enum cow_outside image = cow_image_outside(app->subject.image, COW_FILE_COW);
    enum cow_outside backing = cow_image_outside(app->subject.image, COW_FILE_BACKING);

    app->outside.layer = 1;
    if (backing == COW_OUTSIDE_SAME) {
        backing = cow_image_outside_below(app->subject.image, &app->outside.layer);
    }
    if (app->follow.follow != NULL && (image == COW_OUTSIDE_WRITTEN || image == COW_OUTSIDE_GROWN)) {
        image = COW_OUTSIDE_SAME; /* it is read as it is written */
    }
    if (cow_image_in_use(app->subject.image, &holder, NULL) != 0) {
        holder = (struct cow_holder){0};
    }
    if (holder.held != app->holder.held || holder.pid != app->holder.pid || pending != app->pending ||
        image != app->outside.image || backing != app->outside.backing) {
        app->redraw = true;
    }
    if (holder.pid != app->holder.pid) {
        cow_image_program_name(app->subject.image, holder.pid, app->holder_name, sizeof app->holder_name);
    }
    app->holder = holder;
    app->pending = pending;
    app->outside.image = image;
    app->outside.backing = backing;
}

static bool tell_one(struct tui_app *app, const char *name, enum cow_outside now, enum cow_outside *told)
{
    static const char *const words[COW_OUTSIDES] = {
        [COW_OUTSIDE_WRITTEN] = "was written by others: R reads it anew",
        [COW_OUTSIDE_GROWN] = "has grown: R reads it anew",
        [COW_OUTSIDE_SHRUNK] = "has become shorter: R reads it anew",
        [COW_OUTSIDE_REPLACED] = "is another file now: R reads that one",
        [COW_OUTSIDE_GONE] = "is gone: R looks for it anew",
        [COW_OUTSIDE_FOUND] = "is there now: R reads all anew",
    };

    if (now == *told) {
        return false;
    }
    *told = now;
    if (now != COW_OUTSIDE_SAME) {
        tui_app_say(app, TUI_WARN, "%s %s", name, words[now]);
    }
    return now != COW_OUTSIDE_SAME;
}

/* Where somebody else has changed a file, says so and how it is read anew, once; the title goes on saying it.
 */
static void tell_outside(struct tui_app *app)
{
    tui_contexts contexts = tui_app_top(app)->view_class->contexts(app, tui_app_top(app)->state);
    char below[sizeof app->backing_name];

    if ((contexts & TUI_IN_LOOKING) == 0 || (app->message[0] != '\0' && app->message_style != TUI_DIM)) {
        return; /* what is of weight, or a question, stays until it was read */
    }
    if (tell_one(app, app->name, app->outside.image, &app->outside.told_image)) {
        return;
    }
    snprintf(below, sizeof below, "%s", app->backing_name);
    if (app->outside.backing != COW_OUTSIDE_SAME && app->outside.layer > 1) {
        struct cow_layer layer;
        cow_image_layer(app->subject.image, app->outside.layer, &layer);
        last_part(below, sizeof below, layer.path);
    }
    tell_one(app, below, app->outside.backing, &app->outside.told_backing);
}

static void judge_image(struct tui_app *app)
{
    struct cow_verdict verdict;

    cow_image_verdict_alone(app->subject.image, &verdict);
    app->verdict.opens = verdict.opens;
    app->verdict.unknown = verdict.unknown;
    app->verdict.warnings = verdict.warnings;
    app->verdict.brief = verdict.brief;
}

/* Of a guest that goes on writing it is said once that it does. */
static void begin_watch(struct tui_app *app)
{
    bool goes_on = app->holder.held && app->outside.told_image == COW_OUTSIDE_WRITTEN;

    app->outside.told_image = goes_on ? COW_OUTSIDE_WRITTEN : COW_OUTSIDE_SAME;
    app->outside.told_backing = COW_OUTSIDE_SAME;
}

/* What the title line shows; asked once, not at every key. */
static void look_at_image(struct tui_app *app)
{
    judge_image(app);
    begin_watch(app);
    last_part(app->name, sizeof app->name, cow_image_path(app->subject.image));
    last_part(app->backing_name, sizeof app->backing_name, cow_image_backing(app->subject.image)->path);
    tui_app_look_around(app);
    app->subject.generation++;
    tui_cells_again(&app->cells);
    if (tui_app_sectors(app) > 0) {
        tui_app_select_byte(app, tui_app_byte(app));
    } else {
        tui_app_select(app, 0);
    }
    app->redraw = true;
}

/* Over that file; NULL: over the one that the header names, or alone if it was begun so. */
static struct cow_open_options open_over(const struct tui_app *app, const char *backing_path)
{
    return (struct cow_open_options){.io = app->io,
                                     .backing_path = backing_path,
                                     .no_backing = app->without_backing && backing_path == NULL};
}

void tui_app_look_through(struct tui_app *app, const char *backing_path)
{
    app->subject.open = open_over(app, backing_path);
}

/* The jobs forget first what they have of the old one: the scan borrows it. The check's result is told from
 * another image's by its generation, and stays until there is another. */
static void take_image(struct tui_app *app, struct cow_image *image)
{
    tui_app_forget_jobs(app);
    cow_image_close(app->subject.image);
    app->subject.image = image;
    look_at_image(app);
}

int tui_app_reopen(struct tui_app *app, struct cow_error *err)
{
    struct cow_image *image = NULL;
    int status = cow_image_open(&image, app->subject.image_path, &app->subject.open, err);

    if (status == 0) {
        take_image(app, image);
    }
    return status;
}

/* Somebody else has begun a change: is it one that moves the data, which has been marked by now? */
static bool is_being_moved(const struct tui_app *app)
{
    struct cow_image *image = NULL;

    if (!app->pending || !app->holder.held || cow_image_half(app->subject.image) != COW_HALF_NOT ||
        cow_image_open(&image, app->subject.image_path, &app->subject.open, NULL) != 0) {
        return false;
    }
    bool moves = cow_image_half(image) != COW_HALF_NOT;
    cow_image_close(image);
    return moves;
}

void tui_app_follow(struct tui_app *app)
{
    bool held = app->holder.held, pending = app->pending;

    tui_app_look_around(app);
    bool half = cow_image_half(app->subject.image) != COW_HALF_NOT;
    if (app->depth == 0 &&
        (app->pending != pending || (half && app->holder.held != held) || is_being_moved(app))) {
        (void)tui_app_reopen(app, NULL); /* else it stays as it was, and R says why */
    }
    tell_outside(app);
}

int tui_app_reopen_changed(struct tui_app *app, struct cow_error *err)
{
    tui_app_look_through(app, NULL);
    int status = tui_app_reopen(app, err);
    if (status != 0 || app->named_backing == NULL ||
        strcmp(cow_image_header(app->subject.image)->backing_path, app->named_for) != 0) {
        return status;
    }
    tui_app_look_through(app, app->named_backing);
    return tui_app_reopen(app, err);
}

/* What -b would take, too, and Check tell of: who types a name while looking wants to hear it at once. */
static int check_fit(const struct cow_image *image, const char *path, struct cow_error *err)
{
    const struct cow_open_options alone = {.no_backing = true};
    const struct cow_header *header = cow_image_header(image);
    uint64_t has = cow_image_backing(image)->size_bytes;
    struct cow_image *other = NULL;
    struct cow_error ignored = {0};

    if (cow_image_open(&other, path, &alone, &ignored) == 0) {
        cow_image_close(other);
        return cow_error_set(err, COW_REFUSED, "%s: is a COW image itself, no raw disk", path);
    }
    if (!header->unfinished && has != header->size_bytes) {
        cow_error_set(err, COW_REFUSED, "%s: has %" PRIu64 " bytes, the disk %" PRIu64, path, has,
                      header->size_bytes);
        return cow_error_hint(err, "it is not used; cowtui -b FILE would, and Check tell what that means");
    }
    return 0;
}

int tui_app_name_backing(struct tui_app *app, const char *path, struct cow_error *err)
{
    const struct cow_open_options options = open_over(app, path);
    struct cow_image *image = NULL;
    char *typed = path != NULL ? strdup(path) : NULL;
    int status = path != NULL && typed == NULL
                     ? cow_error_set(err, COW_NO_MEMORY, "out of memory")
                     : cow_image_open(&image, app->subject.image_path, &options, err);

    if (status == 0 && path != NULL) {
        status = check_fit(image, path, err);
    }
    if (status != 0) {
        cow_image_close(image);
        free(typed);
        return status;
    }
    char *old = app->typed_backing; /* a job in its middle was begun with it */
    app->named_backing = app->typed_backing = typed;
    tui_app_look_through(app, typed);
    snprintf(app->named_for, sizeof app->named_for, "%s", cow_image_header(image)->backing_path);
    take_image(app, image);
    free(old);
    return 0;
}

void tui_app_say_backing(struct tui_app *app)
{
    const struct cow_backing *backing = cow_image_backing(app->subject.image);
    char name[TUI_MESSAGE_BYTES / 2];

    cow_escape(name, sizeof name, backing->path);
    if (backing->state == COW_BACKING_IGNORED) {
        tui_app_say(app, TUI_DIM, "no backing file is looked at, as when this began");
    } else if (backing->state != COW_BACKING_FOUND) {
        tui_app_say(app, TUI_WARN, "the backing file is the header's again: %s",
                    backing->path[0] != '\0' ? backing->problem : "there is none");
    } else if (backing->mtime != (int64_t)cow_image_header(app->subject.image)->mtime) {
        tui_app_say(app, TUI_WARN, "the backing file is %s, whose date is not the header's: Check tells more",
                    name);
    } else {
        tui_app_say(app, TUI_DIM, "the backing file is %s%s", name,
                    app->named_backing != NULL ? ", as long as you look" : ", as the header says");
    }
}

uint64_t tui_app_sectors(const struct tui_app *app)
{
    return tui_subject_sectors(&app->subject);
}

void tui_app_select(struct tui_app *app, uint64_t sector)
{
    uint64_t sectors = tui_app_sectors(app);

    if (sector >= sectors) {
        sector = sectors > 0 ? sectors - 1 : 0;
    }
    if (sector != app->sector) {
        app->sector_byte = 0;
    }
    app->sector = sector;
    app->redraw = true;
}

uint64_t tui_app_byte(const struct tui_app *app)
{
    return app->sector * cow_image_header(app->subject.image)->sector_bytes + app->sector_byte;
}

void tui_app_select_byte(struct tui_app *app, uint64_t byte)
{
    const struct cow_header *header = cow_image_header(app->subject.image);

    if (tui_app_sectors(app) == 0) {
        return;
    }
    if (byte >= header->size_bytes) {
        byte = header->size_bytes - 1;
    }
    tui_app_select(app, byte / header->sector_bytes);
    app->sector_byte = (uint32_t)(byte % header->sector_bytes);
}

void tui_app_light(struct tui_app *app, const struct cow_fs_file *file)
{
    struct cow_error err = {0};

    if (tui_files_light(&app->files, file, &err) != 0) {
        tui_app_error(app, &err);
    }
    tui_app_hear_job(app, &app->files.job);
}

static enum tui_result select_dirty(struct tui_app *app, int status, const struct cow_dirty_run *run,
                                    const struct cow_error *err, const char *none)
{
    if (status != 0) {
        tui_app_error(app, err);
    } else if (run->sectors == 0) {
        tui_app_say(app, TUI_DIM, "%s", none);
    } else {
        tui_app_select(app, run->first_sector);
    }
    return TUI_REDRAW;
}

enum tui_result tui_app_next_dirty(struct tui_app *app, uint64_t end)
{
    struct cow_error err = {0};
    struct cow_dirty_run run = {0, 0};
    struct cow_density before = {0, 0, 0};

    if (tui_app_sectors(app) == 0) {
        return TUI_NOTHING;
    }
    int status = cow_image_next_dirty(app->subject.image, end, &run, &err);
    /* A run that only goes on behind the range is the one we come from. */
    if (status == 0 && run.sectors > 0 && run.first_sector == end && end > 0) {
        status = cow_image_density(app->subject.image, end - 1, 1, &before, &err);
        if (status == 0 && before.dirty_sectors > 0) {
            status = cow_image_next_dirty(app->subject.image, end + run.sectors, &run, &err);
        }
    }
    return select_dirty(app, status, &run, &err, "no further run in the COW");
}

enum tui_result tui_app_prev_dirty(struct tui_app *app, uint64_t first)
{
    struct cow_error err = {0};
    struct cow_dirty_run run = {0, 0};

    if (tui_app_sectors(app) == 0) {
        return TUI_NOTHING;
    }
    int status = cow_image_prev_dirty(app->subject.image, first, &run, &err);
    return select_dirty(app, status, &run, &err, "no earlier run in the COW");
}

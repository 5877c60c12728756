/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Family: the images on the backing file, as far as they stand in its directory or in this image's. A page,
 * made anew when the image is read anew.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cow/family.h"
#include "front/told/told.h"
#include "tui/app/app.h"
#include "tui/screen/page.h"

enum { SIZE_COL = 3, DIRTY_COL = 13, KERNEL_COL = 23, NAME_COL = 32 };

struct family_view {
    struct tui_page page;
    struct cow_family *family;
    unsigned generation; /* of the image that it was looked for with */
    int rows;
};

/* What was found before stays if it cannot be looked for again. */
static int find_family(struct tui_app *app, struct family_view *view, struct cow_error *err)
{
    const struct cow_backing *backing = cow_image_backing(app->subject.image);
    const char *image = cow_image_real_path(app->subject.image);
    char *directory = strndup(image, (size_t)(strrchr(image, '/') - image) + 1);
    const char *const place[] = {directory};
    const struct cow_family_options where = {.place = place, .n_places = 1};
    struct cow_family *family;
    int status = COW_REFUSED;

    view->generation = app->subject.generation;
    if (directory == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    if (backing->state != COW_BACKING_FOUND) {
        cow_error_set(err, COW_REFUSED, "no backing file is open, so nobody can stand on it");
    } else {
        status = cow_family_find(&family, backing->path, &where, err);
    }
    free(directory);
    if (status != 0) {
        return status;
    }
    cow_family_free(view->family);
    view->family = family;
    return 0;
}

static void family_close(struct tui_app *app, void *state)
{
    struct family_view *view = state;

    (void)app;
    cow_family_free(view->family);
    tui_page_free(&view->page);
    free(view);
}

static int family_open(struct tui_app *app, void **state, const void *argument, struct cow_error *err)
{
    struct family_view *view = calloc(1, sizeof *view);
    int status;

    (void)argument;
    if (view == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    status = find_family(app, view, err);
    if (status != 0) {
        family_close(app, view);
    } else {
        *state = view;
    }
    return status;
}

static tui_contexts family_contexts(struct tui_app *app, void *state)
{
    (void)app;
    (void)state;
    return TUI_IN_FAMILY;
}

static enum tui_result family_act(struct tui_app *app, void *state, enum tui_action_id action,
                                  const char *argument)
{
    struct family_view *view = state;

    (void)app;
    (void)argument;
    return tui_page_act(&view->page, action, view->rows);
}

static void put_backing(struct tui_page *page, const struct cow_family *family)
{
    char path[COW_PATH_BYTES], size[COW_SIZE_TEXT_BYTES], date[COW_TIME_TEXT_BYTES];

    tui_page_line(page);
    tui_page_wrapf(page, 1, 3, TUI_HEADING, "%zu image%s on %s", family->members,
                   family->members == 1 ? "" : "s", cow_escape(path, sizeof path, family->backing_path));
    tui_page_line(page);
    tui_page_wrapf(page, SIZE_COL, SIZE_COL, TUI_DIM, "%s, modified %s",
                   cow_size_text(size, family->size_bytes), cow_time_text(date, family->mtime));
    tui_page_line(page);
    tui_page_line(page);
    tui_page_putf(page, SIZE_COL, TUI_LABEL, "%8s", "size");
    tui_page_putf(page, DIRTY_COL, TUI_LABEL, "%8s", "dirty");
    tui_page_put(page, KERNEL_COL, TUI_LABEL, "kernel");
    tui_page_put(page, NAME_COL, TUI_LABEL, "image");
}

/* One that lies in the directory of the one on the screen goes by its name there, as "./": that is short. */
static const char *name_of(struct tui_app *app, const char *path)
{
    const char *image = cow_image_real_path(app->subject.image);
    size_t directory = (size_t)(strrchr(image, '/') - image) + 1;

    return strncmp(image, path, directory) == 0 ? path + directory : path;
}

static void put_trouble(struct tui_page *page, enum tui_style style, const char *text)
{
    if (*text == '\0') {
        return;
    }
    tui_page_line(page);
    tui_page_wrapf(page, NAME_COL, NAME_COL + 2, style, "%s", text);
}

static void put_member_holder(struct tui_page *page, const struct cow_holder *holder)
{
    char text[64];

    if (!holder->held) {
        return;
    }
    snprintf(text, sizeof text, holder->pid > 0 ? "! in use by pid %" PRId64 : "! in use by another program",
             holder->pid);
    put_trouble(page, TUI_WARN, text);
}

static void put_member(struct tui_app *app, struct tui_page *page, const struct cow_family_member *member)
{
    char name[COW_PATH_BYTES], size[COW_SIZE_TEXT_BYTES] = "?", dirty[COW_SIZE_TEXT_BYTES] = "?";
    bool opens = member->verdict.opens, broken = *member->problem != '\0';

    if (member->size_known) {
        cow_size_text(size, member->size_bytes);
        cow_size_text(dirty, member->dirty_bytes);
    }
    tui_page_line(page);
    tui_page_putf(page, SIZE_COL, TUI_NORMAL, "%8s", size);
    tui_page_putf(page, DIRTY_COL, TUI_NORMAL, "%8s", dirty);
    tui_page_put(page, KERNEL_COL, opens ? TUI_GOOD : TUI_BAD,
                 broken ? "?" : front_verdict_word(&member->verdict));
    tui_page_wrap(page, NAME_COL, NAME_COL + 2, TUI_NORMAL,
                  cow_escape(name, sizeof name, name_of(app, member->path)));
    put_trouble(page, TUI_BAD, member->problem);
    if (!broken) {
        put_trouble(page, TUI_NORMAL, opens ? "" : member->verdict.reason);
    }
    put_member_holder(page, &member->holder);
    put_trouble(page, TUI_WARN, member->pending);
}

static void family_draw(struct tui_app *app, void *state, struct tui_canvas *canvas, struct tui_rect area)
{
    struct family_view *view = state;
    struct tui_rect inside = tui_frame(canvas, area, "Family");
    struct cow_error err = {0};

    if (view->generation != app->subject.generation && find_family(app, view, &err) != 0) {
        tui_app_error(app, &err);
    }
    tui_page_begin(&view->page, inside.cols - 1);
    put_backing(&view->page, view->family);
    for (size_t i = 0; i < view->family->members; i++) {
        put_member(app, &view->page, &view->family->member[i]);
    }
    tui_page_line(&view->page);
    for (size_t i = 0; i < view->family->troubles; i++) {
        tui_page_line(&view->page);
        tui_page_wrapf(&view->page, SIZE_COL, SIZE_COL + 2, TUI_WARN, "! %s",
                       view->family->trouble[i].message);
    }
    tui_page_line(&view->page);
    tui_page_wrap(&view->page, SIZE_COL, SIZE_COL, TUI_DIM,
                  "They are looked for in the directories of the backing file and of this image. "
                  "In others: cowtui family --in DIRECTORY.");
    view->rows = inside.rows;
    tui_page_draw(&view->page, canvas, inside, area.x + area.cols - 1);
}

const struct tui_view_class tui_view_family = {
    .has_page = true,
    .open = family_open,
    .contexts = family_contexts,
    .act = family_act,
    .draw = family_draw,
    .close = family_close,
};

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One of the guest's files, explained: what has happened to it, and where its pieces lie. It is kept by its
 * name, so that it may be looked for again when the image was read anew.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tui/app/app.h"
#include "tui/cells/legend.h"
#include "tui/files/file_act.h"

enum { VALUE_COL = 12, PIECES_MAX = 256, TEXT_BYTES = 4 * COW_MESSAGE_BYTES };

struct file_view {
    struct tui_page page;
    int rows;
    struct tui_file_name name;
};

static int file_open(struct tui_app *app, void **state, const void *argument, struct cow_error *err)
{
    struct file_view *view = calloc(1, sizeof *view);

    (void)app;
    if (view == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    int status = tui_file_name_set(&view->name, argument, err);
    if (status != 0) {
        free(view);
        return status;
    }
    *state = view;
    return 0;
}

static void file_close(struct tui_app *app, void *state)
{
    struct file_view *view = state;

    (void)app;
    tui_page_free(&view->page);
    tui_file_name_set(&view->name, NULL, NULL);
    free(view);
}

static tui_contexts file_contexts(struct tui_app *app, void *state)
{
    const struct file_view *view = state;

    return TUI_IN_FILE | tui_file_contexts(tui_files_find(&app->files, &view->name));
}

static void put_kind(struct tui_page *page, const struct cow_fs_file *file)
{
    struct tui_mark mark = tui_kind_mark(file->kind);

    tui_page_line(page);
    tui_page_put(page, 1, TUI_LABEL, "what");
    tui_page_put_char(page, VALUE_COL, mark.style, mark.glyph);
    tui_page_wrapf(page, VALUE_COL + 2, VALUE_COL + 2, TUI_NORMAL, "%s: it %s%s",
                   cow_fs_kind_name(file->kind), cow_fs_kind_text(file->kind),
                   file->kind == COW_FS_KIND_RENAMED && file->content_differs ? "; its content differs, too"
                                                                              : "");
}

static void put_values(const struct tui_app *app, struct tui_page *page, const struct cow_fs_file *file)
{
    size_t n_volumes;
    const struct cow_volume *volume = cow_fs_volumes(app->files.fs, &n_volumes);
    bool removed = file->kind == COW_FS_KIND_REMOVED;
    char text[TEXT_BYTES], size[COW_SIZE_TEXT_BYTES];

    if (file->from != NULL) {
        tui_page_value(page, "before", VALUE_COL, TUI_NORMAL, "%s",
                       cow_escape(text, sizeof text, file->from));
    }
    tui_page_value(page, "type", VALUE_COL, TUI_NORMAL, "%s", cow_fs_type_name(file->type));
    tui_page_value(page, "inode", VALUE_COL, TUI_NORMAL, "%" PRIu64 "%s", file->inode,
                   removed ? ", before it was removed" : "");
    tui_page_value(page, "size", VALUE_COL, TUI_NORMAL, "%" PRIu64 " bytes%s%s%s", file->size_bytes,
                   file->size_bytes < 1024 ? "" : ", ",
                   file->size_bytes < 1024 ? "" : cow_size_text(size, file->size_bytes),
                   removed ? ", before it was removed" : "");
    tui_page_value(page, "in the COW", VALUE_COL, TUI_NORMAL, "%s of its own",
                   cow_size_text(size, file->changed_bytes));
    if (tui_redundant_known(&app->redundant)) {
        tui_page_value(page, "redundant", VALUE_COL, TUI_NORMAL,
                       "%s of that, equal to what the backing file has",
                       cow_size_text(size, tui_redundant_bytes(&app->redundant, file)));
    }
    if (file->volume >= 0 && (size_t)file->volume < n_volumes) {
        tui_page_value(page, "volume", VALUE_COL, TUI_NORMAL, "%s",
                       cow_volume_text(text, sizeof text, &volume[file->volume]));
    }
}

/* "sectors 16848-16855 @ 8.23 MiB   4.00 KiB   its bytes from 0 on" */
static void put_piece(struct tui_app *app, struct tui_page *page, const struct cow_fs_owner *piece)
{
    uint64_t sector_bytes = cow_image_header(app->subject.image)->sector_bytes;
    char at[COW_SIZE_TEXT_BYTES], size[COW_SIZE_TEXT_BYTES];

    tui_page_line(page);
    int col = tui_page_putf(
        page, 3, TUI_STRONG, "sectors %" PRIu64 "-%" PRIu64 " @ %s", piece->first_byte / sector_bytes,
        (piece->first_byte + piece->length_bytes - 1) / sector_bytes, cow_size_text(at, piece->first_byte));
    col = tui_page_putf(page, col + 3, TUI_NORMAL, "%s", cow_size_text(size, piece->length_bytes));
    if (piece->has_file_offset) {
        tui_page_putf(page, col + 3, TUI_DIM, "its bytes from %" PRIu64 " on", piece->file_offset);
    } else {
        tui_page_put(page, col + 3, TUI_DIM, cow_fs_class_text(piece->fs_class));
    }
}

static void put_pieces(struct tui_app *app, struct tui_page *page, const struct cow_fs_file *file)
{
    struct cow_fs_owner piece = {.length_bytes = 0};
    uint64_t at = 0;
    int n = 0;

    for (; n < PIECES_MAX && cow_fs_file_next(app->files.scan, file, at, &piece, NULL) == 0 &&
           piece.length_bytes > 0;
         n++) {
        if (n == 0) {
            tui_page_line(page);
            tui_page_line(page);
            tui_page_put(page, 1, TUI_HEADING, "Its pieces in the COW");
        }
        put_piece(app, page, &piece);
        at = piece.first_byte + piece.length_bytes;
    }
    if (n == PIECES_MAX) {
        tui_page_line(page);
        tui_page_put(page, 3, TUI_DIM, "... and more");
    }
}

static void put_key(struct tui_page *page, const char *key, const char *text)
{
    tui_page_line(page);
    tui_page_put(page, 3, TUI_KEY, key);
    tui_page_wrap(page, 6, 6, TUI_NORMAL, text);
}

static void put_keys(struct tui_page *page, const struct cow_fs_file *file)
{
    tui_contexts contexts = tui_file_contexts(file);
    bool removed = file->kind == COW_FS_KIND_REMOVED, new = file->kind == COW_FS_KIND_NEW;

    tui_page_line(page);
    if ((contexts & TUI_IN_PLACE) != 0) {
        put_key(page, "b", "its first run in Blocks");
        put_key(page, "m", "its cells lit on the Map");
    }
    if ((contexts & TUI_IN_CONTENT) == 0) {
        return;
    }
    put_key(page, "d",
            removed ? "what was in it"
            : new   ? "what is in it"
                    : "what differs from the backing file's version");
    if (!removed) {
        put_key(page, "x", "write it to a file here");
    }
    if (!new) {
        put_key(page, removed ? "x" : "X", "write what the backing file has of it to a file here");
    }
}

static void file_draw(struct tui_app *app, void *state, struct tui_canvas *canvas, struct tui_rect area)
{
    struct file_view *view = state;
    struct tui_page *page = &view->page;
    const struct cow_fs_file *file = tui_files_find(&app->files, &view->name);
    char text[TEXT_BYTES];

    tui_path_text(text, sizeof text, view->name.path, area.cols - 6);
    struct tui_rect inside = tui_frame(canvas, area, text);
    view->rows = inside.rows;
    tui_page_begin(page, inside.cols - 1);
    tui_page_line(page);
    tui_page_wrap(page, 1, 1, TUI_STRONG, cow_escape(text, sizeof text, view->name.path));
    if (file != NULL) {
        put_kind(page, file);
        put_values(app, page, file);
        put_keys(page, file);
        put_pieces(app, page, file);
    } else {
        tui_page_line(page);
        tui_page_put(page, 1, TUI_DIM,
                     tui_files_known(&app->files) ? "it is no longer one of the changed files"
                                                  : "looking...");
    }
    tui_page_draw(page, canvas, inside, area.x + area.cols - 1);
}

static enum tui_result file_act(struct tui_app *app, void *state, enum tui_action_id action,
                                const char *argument)
{
    struct file_view *view = state;

    (void)argument;
    enum tui_result result = tui_page_act(&view->page, action, view->rows);
    return result == TUI_IGNORED ? tui_file_act(app, tui_files_find(&app->files, &view->name), action)
                                 : result;
}

const struct tui_view_class tui_view_file = {
    .has_page = true,
    .open = file_open,
    .contexts = file_contexts,
    .act = file_act,
    .draw = file_draw,
    .close = file_close,
};

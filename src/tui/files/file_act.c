/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Going to a file's place on the disk, comparing its versions, extracting it. Each says why where it cannot
 * be done (a removed file has no place any more, a new one no version in the backing file), so that no key is
 * without an answer.
 */
#include "tui/files/file_act.h"

#include <string.h>

#include "tui/app/app.h"

tui_contexts tui_file_contexts(const struct cow_fs_file *file)
{
    if (file == NULL) {
        return 0;
    }
    return (file->changed_bytes > 0 && file->kind != COW_FS_KIND_REMOVED ? TUI_IN_PLACE : 0U) |
           (file->type == COW_FS_REGULAR ? TUI_IN_CONTENT : 0U);
}

/* Goes to the first of its pieces, to come back with q. */
static void go_to_file(struct tui_app *app, const struct cow_fs_file *file, enum tui_tab tab)
{
    uint64_t sector_bytes = cow_image_header(app->subject.image)->sector_bytes;
    struct cow_fs_owner piece = {.length_bytes = 0};
    struct cow_error err = {0};

    if (cow_fs_file_next(app->files.scan, file, 0, &piece, &err) != 0) {
        tui_app_error(app, &err);
        return;
    }
    if (piece.length_bytes == 0) {
        tui_app_say(app, TUI_WARN,
                    file->kind == COW_FS_KIND_REMOVED ? "it is gone: nothing on the disk is its own any more"
                                                      : "nothing of it is in the COW");
        return;
    }
    if (tab == TUI_TAB_MAP) {
        tui_app_light(app, file);
    }
    tui_app_select(app, piece.first_byte / sector_bytes);
    tui_app_show_tab(app, tab, true);
}

static void extract_answer(struct tui_app *app, const char *text)
{
    const struct tui_change_request request = {.own = TUI_CHANGE_EXTRACT, .argument = text};

    if (text[0] == '\0') {
        tui_app_say(app, TUI_DIM, "no file was named: nothing is written");
    } else {
        tui_app_push(app, &tui_view_change, &request);
    }
}

/* A removed file is there in the backing file only, a renamed one has its old name there. */
static void ask_to_extract(struct tui_app *app, const struct cow_fs_file *file, enum cow_version side)
{
    struct cow_fs_file named = *file;
    struct cow_error err = {0};
    char name[COW_MESSAGE_BYTES];

    if (file->kind == COW_FS_KIND_REMOVED) {
        side = COW_VERSION_BASE;
    }
    if (side == COW_VERSION_BASE && file->kind == COW_FS_KIND_NEW) {
        tui_app_say(app, TUI_WARN, "the backing file has no such file: it is new");
        return;
    }
    if (side == COW_VERSION_BASE && file->from != NULL) {
        named.path = file->from;
    }
    if (tui_file_name_set(&app->files.extract, &named, &err) != 0) {
        tui_app_error(app, &err);
        return;
    }
    app->files.extract.side = side;
    const char *slash = strrchr(named.path, '/');
    cow_escape(name, sizeof name, slash != NULL ? slash + 1 : named.path);
    tui_app_ask_file(
        app, side == COW_VERSION_GUEST ? "Write it to: " : "Write the backing file's version to: ", name,
        extract_answer);
}

static enum tui_result act_on_content(struct tui_app *app, const struct cow_fs_file *file,
                                      enum tui_action_id action)
{
    if (file->type != COW_FS_REGULAR) {
        tui_app_say(app, TUI_WARN, "that is a %s: it has no content of its own",
                    file->type == COW_FS_SPECIAL ? "device or a pipe" : cow_fs_type_name(file->type));
        return TUI_REDRAW;
    }
    if (action == TUI_DO_DIFF) {
        tui_app_push(app, &tui_view_diff, file);
    } else {
        ask_to_extract(app, file, action == TUI_DO_EXTRACT ? COW_VERSION_GUEST : COW_VERSION_BASE);
    }
    return TUI_REDRAW;
}

enum tui_result tui_file_act(struct tui_app *app, const struct cow_fs_file *file, enum tui_action_id action)
{
    bool place = action == TUI_DO_PLACE || action == TUI_DO_PLACE_MAP;

    if (!place && action != TUI_DO_DIFF && action != TUI_DO_EXTRACT && action != TUI_DO_EXTRACT_BACKING) {
        return TUI_IGNORED;
    }
    if (file == NULL) {
        tui_app_say(app, TUI_DIM, "choose a file");
        return TUI_REDRAW;
    }
    if (!place) {
        return act_on_content(app, file, action);
    }
    go_to_file(app, file, action == TUI_DO_PLACE ? TUI_TAB_BLOCKS : TUI_TAB_MAP);
    return TUI_REDRAW;
}

enum tui_result tui_directory_act(struct tui_app *app, int volume, const char *path, size_t n_bytes,
                                  enum tui_action_id action)
{
    const struct cow_header *header = cow_image_header(app->subject.image);
    struct tui_file_name name = {.path = NULL};
    struct cow_fs_owner piece = {.length_bytes = 0};
    struct cow_error err = {0};

    if (action != TUI_DO_PLACE && action != TUI_DO_PLACE_MAP) {
        return TUI_IGNORED;
    }
    int status = tui_file_name_set_below(&name, volume, path, n_bytes, &err);
    if (status == 0) {
        status = tui_files_next_below(&app->files, &name, 0, header->size_bytes, &piece, &err);
    }
    if (status == 0 && piece.length_bytes > 0 && action == TUI_DO_PLACE_MAP) {
        status = tui_files_light_below(&app->files, volume, path, n_bytes, &err);
    }
    tui_app_hear_job(app, &app->files.job);
    tui_file_name_set(&name, NULL, NULL);
    if (status != 0) {
        tui_app_error(app, &err);
    } else if (piece.length_bytes == 0) {
        tui_app_say(app, TUI_WARN, "nothing of what is in there is in the COW");
    } else {
        tui_app_select(app, piece.first_byte / header->sector_bytes);
        tui_app_show_tab(app, action == TUI_DO_PLACE_MAP ? TUI_TAB_MAP : TUI_TAB_BLOCKS, true);
    }
    return TUI_REDRAW;
}

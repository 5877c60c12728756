/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Making a level: a row for each file below it, named by the next part of its path; rows of the same name
 * become one; what is left is sorted. Paths are compared as bytes: what they are to a reader, the guest's
 * kernel does not know either.
 */
#include "tui/files/level.h"

#include <stdlib.h>
#include <string.h>

#include "tui/app/app.h"

enum { ROWS_STEP = 64 };

const char *tui_order_text(enum tui_order order)
{
    static const char *const text[TUI_ORDERS] = {
#define TUI_ORDER_TEXT(id, text) [TUI_ORDER_##id] = (text),
        TUI_ORDER_LIST(TUI_ORDER_TEXT)
#undef TUI_ORDER_TEXT
    };

    return text[order];
}

void tui_level_free(struct tui_level *level)
{
    free(level->row);
    memset(level, 0, sizeof *level);
}

static int add_level_row(struct tui_level *level, const struct tui_row *row, struct cow_error *err)
{
    if (level->rows == level->capacity) {
        size_t capacity = level->capacity * 2 + ROWS_STEP;
        struct tui_row *larger = realloc(level->row, capacity * sizeof *larger);
        if (larger == NULL) {
            return cow_error_set(err, COW_NO_MEMORY, "out of memory");
        }
        level->row = larger;
        level->capacity = capacity;
    }
    level->row[level->rows++] = *row;
    return 0;
}

/* What of a path lies below a directory: "" for the directory itself, NULL if it is elsewhere. */
static const char *part_below(const char *path, const char *directory)
{
    size_t n = strlen(directory);

    if (strncmp(path, directory, n) != 0) {
        return NULL;
    }
    if (path[n] == '/') {
        return path + n + 1;
    }
    return n == 0 || path[n] == '\0' ? path + n : NULL;
}

static int compare_names(const struct tui_row *a, const struct tui_row *b)
{
    size_t common = a->name_bytes < b->name_bytes ? a->name_bytes : b->name_bytes;
    int order = common > 0 ? memcmp(a->path + a->name, b->path + b->name, common) : 0;

    return order != 0 ? order : (a->name_bytes > b->name_bytes) - (a->name_bytes < b->name_bytes);
}

static int by_name(const void *a, const void *b)
{
    return compare_names(a, b);
}

/* Those without an entry of their own come last. */
static int kind_rank(const struct tui_row *row)
{
    return row->file != NULL ? (int)row->file->kind : COW_FS_KINDS;
}

static int by_order(const void *left, const void *right, void *context)
{
    const struct tui_level_at *at = context;
    const struct tui_row *a = at->reverse ? right : left, *b = at->reverse ? left : right;
    int order = 0;

    switch (at->order) {
    case TUI_ORDER_CHANGED:
        order = (a->changed_bytes < b->changed_bytes) - (a->changed_bytes > b->changed_bytes);
        break;
    case TUI_ORDER_SIZE:
        order = (a->size_bytes < b->size_bytes) - (a->size_bytes > b->size_bytes);
        break;
    case TUI_ORDER_KIND:
        order = kind_rank(a) - kind_rank(b);
        break;
    case TUI_ORDER_NAME:
    case TUI_ORDERS:
        break;
    }
    return order != 0 ? order : compare_names(a, b);
}

/* What a removed file had takes no room any more. */
static uint64_t size_of(const struct cow_fs_file *file)
{
    return file->kind == COW_FS_KIND_REMOVED || file->type == COW_FS_DIRECTORY_FILE ? 0 : file->size_bytes;
}

static int add_below(struct tui_level *level, const struct tui_app *app, const struct cow_fs_file *file,
                     const char *directory, struct cow_error *err)
{
    const char *name = part_below(file->path, directory);

    if (name == NULL) {
        return 0;
    }
    size_t name_bytes = strcspn(name, "/");
    bool whole = name[name_bytes] == '\0';
    const struct tui_row row = {
        .kind = name_bytes == 0 && whole                       ? TUI_ROW_SELF
                : whole && file->type != COW_FS_DIRECTORY_FILE ? TUI_ROW_FILE
                                                               : TUI_ROW_DIRECTORY,
        .file = whole ? file : NULL,
        .path = file->path,
        .name = (size_t)(name - file->path),
        .name_bytes = name_bytes,
        .number = file->volume,
        .changed_bytes = file->changed_bytes,
        .redundant_bytes = tui_redundant_bytes(&app->redundant, file),
        .size_bytes = whole && file->type != COW_FS_DIRECTORY_FILE ? file->size_bytes : size_of(file),
        .files = 1,
    };
    return add_level_row(level, &row, err);
}

/* Rows of the same name, which stand together, become one. */
static void join_rows(struct tui_level *level)
{
    size_t n = 0;

    for (size_t i = 0; i < level->rows; i++) {
        struct tui_row *last = n > 0 ? &level->row[n - 1] : NULL, row = level->row[i];
        if (last == NULL || compare_names(last, &row) != 0) {
            level->row[n++] = row;
            continue;
        }
        last->kind = TUI_ROW_DIRECTORY;
        if (row.file != NULL) {
            last->file = row.file;
        }
        last->changed_bytes += row.changed_bytes;
        last->size_bytes += row.size_bytes;
        last->redundant_bytes += row.redundant_bytes;
        last->files += row.files;
    }
    level->rows = n;
}

static int add_files(struct tui_level *level, const struct tui_app *app, const struct tui_level_at *at,
                     struct cow_error *err)
{
    struct tui_level_at by = *at;
    size_t n_files, first = level->rows;
    const struct cow_fs_file *file = cow_fs_files(app->files.scan, &n_files);
    struct tui_level part = {0};
    int status = 0;

    for (size_t i = 0; status == 0 && i < n_files; i++) {
        if (file[i].volume == at->volume) {
            status = add_below(&part, app, &file[i], at->directory, err);
        }
    }
    if (part.rows > 0) {
        qsort(part.row, part.rows, sizeof *part.row, by_name);
        join_rows(&part);
        /* the directory itself, whose name is the shortest, stays the first */
        size_t self = part.row[0].name_bytes == 0;
        qsort_r(part.row + self, part.rows - self, sizeof *part.row, by_order, &by);
    }
    for (size_t i = 0; status == 0 && i < part.rows; i++) {
        status = add_level_row(level, &part.row[i], err);
    }
    for (size_t i = first; i < level->rows; i++) {
        if (level->row[i].name_bytes == 0) {
            level->row[i].kind = TUI_ROW_SELF;
        }
    }
    tui_level_free(&part);
    return status;
}

/* All that match, by their whole paths. */
static int add_matches(struct tui_level *level, const struct tui_app *app, const struct tui_level_at *at,
                       struct cow_error *err)
{
    struct tui_level_at by = *at;
    size_t n_files;
    const struct cow_fs_file *file = cow_fs_files(app->files.scan, &n_files);
    int status = 0;

    for (size_t i = 0; status == 0 && i < n_files; i++) {
        const struct cow_fs_file *f = &file[i];
        if (strcasestr(f->path, at->filter) == NULL &&
            !(f->from != NULL && strcasestr(f->from, at->filter) != NULL)) {
            continue;
        }
        const struct tui_row row = {.kind = TUI_ROW_FILE,
                                    .file = f,
                                    .path = f->path,
                                    .name_bytes = strlen(f->path),
                                    .number = f->volume,
                                    .changed_bytes = f->changed_bytes,
                                    .size_bytes = f->size_bytes,
                                    .redundant_bytes = tui_redundant_bytes(&app->redundant, f),
                                    .files = 1};
        status = add_level_row(level, &row, err);
    }
    if (status == 0 && level->rows > 0) {
        qsort_r(level->row, level->rows, sizeof *level->row, by_order, &by);
    }
    return status;
}

static int by_bytes(const void *left, const void *right)
{
    const struct tui_row *a = left, *b = right;

    if (a->changed_bytes != b->changed_bytes) {
        return a->changed_bytes < b->changed_bytes ? 1 : -1;
    }
    return a->number - b->number;
}

/* What is of no file: of one volume, or, at the top, of all that is not listed there as a volume. */
static int add_classes(struct tui_level *level, const uint64_t bytes[COW_FS_CLASSES], struct cow_error *err)
{
    size_t first = level->rows;
    int status = 0;

    for (int c = 0; status == 0 && c < COW_FS_CLASSES; c++) {
        const struct tui_row row = {
            .kind = TUI_ROW_CLASS, .path = "", .number = c, .changed_bytes = bytes[c]};
        if (bytes[c] > 0) {
            status = add_level_row(level, &row, err);
        }
    }
    if (level->rows > first) {
        qsort(level->row + first, level->rows - first, sizeof *level->row, by_bytes);
    }
    return status;
}

/* A row for each volume; bytes[] keeps what is of none of them. */
static int add_volumes(struct tui_level *level, const struct tui_app *app, uint64_t bytes[COW_FS_CLASSES],
                       struct cow_error *err)
{
    size_t n_volumes, n_files;
    const struct cow_volume *volume = cow_fs_volumes(app->files.fs, &n_volumes);
    const struct cow_fs_file *file = cow_fs_files(app->files.scan, &n_files);
    uint64_t own[COW_FS_CLASSES];
    int status = 0;

    for (size_t v = 0; status == 0 && v < n_volumes; v++) {
        struct tui_row row = {
            .kind = TUI_ROW_VOLUME, .path = "", .number = (int)v, .size_bytes = volume[v].fs_bytes};
        if (!volume[v].readable) {
            continue;
        }
        cow_fs_classes(app->files.scan, (int)v, own);
        for (int c = 0; c < COW_FS_CLASSES; c++) {
            row.changed_bytes += own[c];
            bytes[c] -= own[c];
        }
        for (size_t i = 0; i < n_files; i++) {
            row.files += file[i].volume == (int)v;
            row.redundant_bytes +=
                file[i].volume == (int)v ? tui_redundant_bytes(&app->redundant, &file[i]) : 0;
        }
        status = add_level_row(level, &row, err);
    }
    return status;
}

/* The classes of a volume's own level: those of the whole disk if it is the only one. */
static int add_own_classes(struct tui_level *level, const struct tui_app *app, int volume,
                           struct cow_error *err)
{
    uint64_t bytes[COW_FS_CLASSES];

    cow_fs_classes(app->files.scan, tui_files_readable(&app->files, NULL) > 1 ? volume : COW_NO_VOLUME,
                   bytes);
    for (int c = 0; c < COW_FS_CLASSES; c++) {
        if (cow_fs_class_of_file((enum cow_fs_class)c)) {
            bytes[c] = 0; /* the files have them */
        }
    }
    return add_classes(level, bytes, err);
}

static int add_level(struct tui_level *level, const struct tui_app *app, const struct tui_level_at *at,
                     struct cow_error *err)
{
    uint64_t bytes[COW_FS_CLASSES];
    const struct tui_row up = {.kind = TUI_ROW_UP, .path = "", .number = at->volume};
    int status = 0;

    if (at->filter[0] != '\0' || at->flat) {
        return add_matches(level, app, at, err);
    }
    if (at->volume == COW_NO_VOLUME) {
        cow_fs_classes(app->files.scan, COW_NO_VOLUME, bytes);
        status = add_volumes(level, app, bytes, err);
        return status != 0 ? status : add_classes(level, bytes, err);
    }
    if (at->directory[0] != '\0' || tui_files_readable(&app->files, NULL) > 1) {
        status = add_level_row(level, &up, err);
    }
    if (status == 0) {
        status = add_files(level, app, at, err);
    }
    if (status == 0 && at->directory[0] == '\0') {
        status = add_own_classes(level, app, at->volume, err);
    }
    return status;
}

int tui_level_fill(struct tui_level *level, const struct tui_app *app, const struct tui_level_at *at,
                   struct cow_error *err)
{
    level->rows = level->files = 0;
    level->changed_bytes = level->largest_bytes = 0;
    int status = add_level(level, app, at, err);
    if (status != 0) {
        level->rows = 0;
        return status;
    }
    for (size_t i = 0; i < level->rows; i++) {
        const struct tui_row *row = &level->row[i];
        level->files += row->files;
        level->changed_bytes += row->changed_bytes;
        if (row->changed_bytes > level->largest_bytes) {
            level->largest_bytes = row->changed_bytes;
        }
    }
    return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The changed files as a tree, a level at a time: what is in one directory, with everything below it added
 * up, and at the top what the filesystem itself has in the COW. Made anew for each level that is shown;
 * nothing of the tree is kept.
 */
#ifndef COW_TUI_FILES_LEVEL_H
#define COW_TUI_FILES_LEVEL_H

#include "cow/fs.h"

struct tui_app;

/* id, what the frame calls it */
#define TUI_ORDER_LIST(X)                                                                                    \
    X(CHANGED, "by changed bytes")                                                                           \
    X(NAME, "by name")                                                                                       \
    X(SIZE, "by size")                                                                                       \
    X(KIND, "by kind")

enum tui_order {
#define TUI_ORDER_ENUM(id, text) TUI_ORDER_##id,
    TUI_ORDER_LIST(TUI_ORDER_ENUM)
#undef TUI_ORDER_ENUM
        TUI_ORDERS
};

/* As in the table; static. */
const char *tui_order_text(enum tui_order order);

enum tui_row_kind {
    TUI_ROW_UP,        /* to the level above */
    TUI_ROW_SELF,      /* the directory itself */
    TUI_ROW_VOLUME,    /* number says which */
    TUI_ROW_DIRECTORY, /* there is something below it */
    TUI_ROW_FILE,
    TUI_ROW_CLASS, /* number: enum cow_fs_class */
};

struct tui_row {
    enum tui_row_kind kind;
    const struct cow_fs_file *file; /* its own entry; NULL: only what is below it has changed */
    const char *path;               /* raw bytes; of it, or of something below it */
    size_t name, name_bytes;        /* which part of path is its name */
    int number;
    uint64_t changed_bytes, size_bytes;
    uint64_t redundant_bytes; /* of the changed ones, as far as that is known */
    size_t files;             /* changed ones, with those below it */
};

/* Which level: in a volume, below a directory. */
struct tui_level_at {
    int volume;            /* COW_NO_VOLUME: the volumes themselves */
    const char *directory; /* raw bytes, without a slash at its end; "": the root */
    const char *filter;    /* not "": all files with that in their path, whatever the level */
    enum tui_order order;
    bool reverse;
    bool flat; /* all files, whatever the level */
};

struct tui_level {
    size_t rows, capacity;
    struct tui_row *row;
    size_t files;
    uint64_t changed_bytes; /* of all rows together */
    uint64_t largest_bytes; /* of one of them */
};

/* Fills it from app->files, which has to be known. Errors: COW_NO_MEMORY (it is empty then). */
int tui_level_fill(struct tui_level *level, const struct tui_app *app, const struct tui_level_at *at,
                   struct cow_error *err);
void tui_level_free(struct tui_level *level); /* what is in it */

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The images of a directory to choose from, as far as they have been looked at: a row each, by name. They are
 * looked at in slices, so that thousands do not keep a key waiting.
 */
#ifndef COW_TUI_START_CHOICES_H
#define COW_TUI_START_CHOICES_H

#include <stdbool.h>
#include <stddef.h>

#include "cow/list.h"

/* Texts are the row's, and safe to show but for path, which is as it is opened. */
struct tui_choice {
    char *path;
    char *name; /* in its directory */
    char *backing;
    char *title;  /* what it is: "UML COW v3", "a raw disk with..."; "": not known */
    char *says;   /* what is wrong, or what it is if it is no COW image; "": nothing */
    char *advice; /* what to do with what is none, or "" */
    enum cow_listed what;
    const char *format; /* NULL: not known */
    bool size_known, dirty_known;
    uint64_t size_bytes, dirty_bytes;
    enum cow_backing_state backing_state;
    bool opens, kernel_known;
    struct cow_holder holder;
};

struct tui_choices {
    const char *directory; /* the caller's */
    struct cow_list_options options;
    struct cow_list *list; /* that is being read; NULL: it is not begun, or at its end */
    bool begun, failed;    /* failed: error says why there is nothing (more) */
    struct cow_error error;
    struct tui_choice *choice;
    size_t n, room;
    size_t images; /* of them; the others are something else, or broken */
    size_t closed; /* files that cannot be read, and are no rows */
};

/* Nothing is known yet; what was is forgotten. */
void tui_choices_again(struct tui_choices *choices);
void tui_choices_free(struct tui_choices *choices);

/* Whether there is more to be looked at. */
bool tui_choices_wait(const struct tui_choices *choices);

/* How much of it has been, in percent. */
int tui_choices_percent(const struct tui_choices *choices);

/* A slice: for some 10 ms, or where a script has the keys a few files. */
void tui_choices_slice(struct tui_choices *choices, bool interactive);

/* Looks at one of them anew: somebody has been in it. It stays a row whatever it is now. */
void tui_choices_look_again(struct tui_choices *choices, size_t index);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The replay of a log: a loop of its own, as the list of images and the lesson have one, for here is a log,
 * and no image that the application's loop could follow. It borrows a backend.
 */
#ifndef COW_TUI_REPLAY_REPLAY_H
#define COW_TUI_REPLAY_REPLAY_H

#include <stdbool.h>

#include "cow/history.h"
#include "front/picture/heat.h"
#include "front/written/written.h"
#include "tui/screen/backend.h"
#include "tui/screen/page.h"

/* Shows a log, until the user leaves it or a signal ends it (*stop_signal, else 0). path: as it was named.
 * Errors: those of cow_history_go, and of a script. */
int replay_run(struct tui_backend *backend, struct cow_history *history, const char *path, bool is_ascii,
               int *stop_signal, struct cow_error *err);

/* ---- within this room ---- */

enum { REPLAY_TENTHS = 10 };

/* The map of a moment. */
struct replay_map {
    int cols, rows; /* of cells */
    uint64_t cell_sectors;
    size_t cells; /* that the disk has of them */
    struct cow_density *cell;
    uint8_t *glow; /* how long ago something in it became dirty: 3 just now, 2, 1, 0 */
    size_t room;
    struct front_heat heat;
    size_t moment; /* that it is of */
    double at_ms;
    bool known;
};

/* What was written in each piece of the time. */
struct replay_line {
    uint64_t *sectors;
    int cols;
};

/* What was written between the mark and the cursor. */
struct replay_written {
    bool known;
    size_t from, to;         /* moments */
    struct cow_sectors *set; /* NULL: nothing is known yet */
    struct front_shares shares;
    bool has_shares;
};

struct replay {
    struct tui_backend *backend; /* borrowed, as the history is */
    struct tui_canvas canvas;
    struct cow_history *history;
    const char *path;
    size_t moment; /* the last one that is no later than: */
    double at_ms;
    const struct cow_sectors *bits; /* of that moment */
    size_t mark;
    double mark_ms;
    bool plays;
    double speed;
    double clock; /* of the last moment that was played; seconds */
    struct replay_map map;
    struct replay_line line;
    struct tui_rect line_area; /* where it was drawn */
    struct replay_written written;
    struct front_written whose; /* all zero: nobody has asked, or it cannot be told: */
    struct cow_error whose_error;
    bool is_reading;      /* the filesystem */
    double drawn;         /* when; seconds */
    struct tui_page list; /* of what was written */
    int list_rows;
    bool is_help;
    struct tui_page help;
    int help_rows;
    char said[COW_MESSAGE_BYTES]; /* until the next key; "": nothing */
    bool redraw, leave;
    int stop_signal;
};

/* ---- replay_state.c ---- */

/* Goes to a time, within the log. Errors, here and below: those of cow_history_go. */
int replay_go(struct replay *replay, double at_ms, struct cow_error *err);
/* So many changes on, or back. Where there are none, it says so. */
int replay_step(struct replay *replay, long changes, struct cow_error *err);
/* Some time has passed while it plays. */
int replay_pass(struct replay *replay, double seconds, struct cow_error *err);
/* At which speed the whole takes no more than a minute; a power of two. */
double replay_usual_speed(const struct cow_history *history);

/* Counts the map for so many cells, if it is not that of this moment already. */
int replay_count_map(struct replay *replay, int cols, int rows, struct cow_error *err);
/* The same of the line of the time. */
int replay_count_line(struct replay *replay, int cols, struct cow_error *err);
/* What was written, and whose it is where that was asked for. */
int replay_find_written(struct replay *replay, struct cow_error *err);
void replay_free(struct replay *replay); /* what it owns; neither backend nor history */

/* ---- replay_draw.c, replay_list.c ---- */

/* Counts what is shown, draws it at the backend's size, and presents it. Without memory for the screen the
 * old picture stays, and that is no error. */
int replay_draw(struct replay *replay, struct cow_error *err);
/* The list of what was written, and its heading in the frame. */
void replay_draw_list(struct replay *replay, struct tui_rect area);
/* "12.500 s". Returns out. */
enum { REPLAY_TIME_BYTES = 40 };
const char *replay_time(char out[REPLAY_TIME_BYTES], double ms);

#endif

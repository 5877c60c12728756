/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The application: one image, the views side by side (the tabs), a stack of what was opened over them, and
 * the lines around. One thread; long work looks in at tui_app_pump() about ten times a second.
 */
#ifndef COW_TUI_APP_APP_H
#define COW_TUI_APP_APP_H

#include <stdbool.h>
#include <stdint.h>

#include "cow/cow.h"
#include "tui/app/tui.h"
#include "tui/app/view.h"
#include "tui/jobs/check_job.h"
#include "tui/jobs/files_job.h"
#include "tui/jobs/scan_job.h"
#include "tui/screen/backend.h"
#include "tui/screen/prompt.h"

enum tui_tab { TUI_TAB_HEADER, TUI_TAB_MAP, TUI_TAB_BLOCKS, TUI_TAB_FILES, TUI_TAB_CHECK, TUI_TABS };

enum { TUI_STACK = 8, TUI_NO_TAB = -1, TUI_MESSAGE_BYTES = 1600, TUI_MIN_COLS = 60, TUI_MIN_ROWS = 16 };

/* What was typed for fields of the header and waits to be written. */
struct tui_edits {
    bool path, mtime; /* which of them */
    char new_path[COW_PATH_BYTES + 1];
    uint32_t new_mtime;
};

struct tui_app {
    const struct tui_options *options;
    const char *backing_path;           /* to open the image with; NULL: what its header names */
    const char *named_backing;          /* by the user, with -b or :backing; NULL: none */
    char *typed_backing;                /* ... with :backing: ours to free */
    char named_for[COW_PATH_BYTES + 1]; /* the stored path that named_backing stands in for */
    struct tui_backend *backend;
    struct tui_canvas canvas;

    struct cow_image *image;
    unsigned generation; /* counts up whenever the image was read anew: what views keep of it is old */
    struct cow_usage usage;
    bool usage_known;
    struct cow_holder holder;
    bool pending; /* an interrupted change waits for :recover; looking is possible all the same */
    char name[256], backing_name[256]; /* last parts of the paths, escaped */

    uint64_t sector; /* the selection, shared by all views */

    struct tui_view tab[TUI_TABS];
    int tab_now;
    int tab_return; /* where q goes back to: TUI_NO_TAB if nowhere */
    struct tui_view stack[TUI_STACK];
    int depth;

    struct tui_scan scan;
    struct tui_check check;
    struct tui_files files;
    struct tui_edits edits;

    bool prompting;       /* the line at the bottom has the keys */
    const char *question; /* it asks this; NULL: a command, behind a ':' */
    const char *offered;  /* the answer that was there to begin with, if it asks for a file; else NULL */
    char offered_text[TUI_PROMPT_BYTES];
    void (*answer)(struct tui_app *app, const char *text);
    char message[TUI_MESSAGE_BYTES];
    enum tui_style message_style;
    bool redraw;
    bool asks_yes; /* the page to be drawn next does: what was typed before it is no answer */
    bool leave;
    bool warned;     /* that something staged is not written */
    int stop_signal; /* that made us leave, or 0 */
    unsigned ticks, slices;
};

/* Opens a view over what is there. Errors are shown. */
void tui_app_push(struct tui_app *app, const struct tui_view_class *view_class, const void *argument);

/* Shows a tab, closing nothing but what is over the tabs. returns: q in it comes back to the present one. */
void tui_app_show_tab(struct tui_app *app, enum tui_tab tab, bool returns);

/* A line of message, until the next key. */
void tui_app_say(struct tui_app *app, enum tui_style style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Shows an error: message and hint, in the message line if they fit, else in a box. */
void tui_app_error(struct tui_app *app, const struct cow_error *err);

/* Reads the image anew: what others have written to it, or after a change of ours the new file. On failure
 * the old image stays. */
int tui_app_reopen(struct tui_app *app, struct cow_error *err);

/* The same after a change of ours: a backing file that the user named is the one to use as long as the header
 * names the file that it stands in for. */
int tui_app_reopen_changed(struct tui_app *app, struct cow_error *err);

/* How the image is opened now: over the file that the user named, over the one that its header names, or
 * alone.
 */
struct cow_open_options tui_app_open_options(const struct tui_app *app);

/* Names a backing file for this session; NULL: the header's again, or none if it was started so. Errors:
 * those of opening, COW_REFUSED if it does not fit: another size, or a COW image. All stays as it is then. */
int tui_app_name_backing(struct tui_app *app, const char *path, struct cow_error *err);

/* Says which one it is now. */
void tui_app_say_backing(struct tui_app *app);

/* Asks anew who holds the image, and whether a change is pending: two system calls. */
void tui_app_look_around(struct tui_app *app);

/* Says that a change is pending and offers to recover. */
void tui_app_offer_recovery(struct tui_app *app);

/* The number of sectors of the disk; 0 for an unfinished image: nothing can be walked then. */
uint64_t tui_app_sectors(const struct tui_app *app);

/* Selects a sector, cut to the disk. */
void tui_app_select(struct tui_app *app, uint64_t sector);

/* Finds the whole run that a sector lies in. Returns 0 or a negative status. */
int tui_app_run_at(struct tui_app *app, uint64_t sector, struct cow_run *out, struct cow_error *err);

/* Selects the next or previous run in the COW as seen from the range [first, end). Says so if there is none.
 */
enum tui_result tui_app_next_dirty(struct tui_app *app, uint64_t end);
enum tui_result tui_app_prev_dirty(struct tui_app *app, uint64_t first);

/* Draws everything and shows it. */
void tui_app_draw(struct tui_app *app);

/* For long work: draws, takes what was typed meanwhile. Returns true if the user (Esc, q, C-c) or a signal
 * asks for a stop. */
bool tui_app_pump(struct tui_app *app);

/* For check and files, which go on for long: one turn of the loop, with all that keys may do, without
 * waiting. */
void tui_app_turn(struct tui_app *app);

/* Asks for a line of text at the bottom of the screen. What is accepted goes to answer(), which may change
 * anything but not ask again. question is static. */
void tui_app_ask(struct tui_app *app, const char *question, const char *initial,
                 void (*answer)(struct tui_app *app, const char *text));

/* The same for the name of a file: those that there are complete, and "~" is the home directory. */
void tui_app_ask_file(struct tui_app *app, const char *question, const char *initial,
                      void (*answer)(struct tui_app *app, const char *text));

/* A line saying why there is nothing to see in an image without a layout. */
void tui_app_draw_unfinished(struct tui_app *app, struct tui_canvas *canvas, struct tui_rect area);

/* Runs until the user leaves. Returns 0 or the status of a failed script. */
int tui_app_loop(struct tui_app *app, struct cow_error *err);

/* Closes every view and tab. */
void tui_app_close_views(struct tui_app *app);

#endif

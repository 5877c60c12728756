/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The application: one image, the views side by side (the tabs), a stack of what was opened over them, and
 * the lines around. One thread: long looking is a job whose slices the loop does (app_jobs.c); what is made
 * for a page that waits for it (a plan, a comparison, a commit) looks in at tui_app_pump().
 */
#ifndef COW_TUI_APP_APP_H
#define COW_TUI_APP_APP_H

#include <stdbool.h>
#include <stdint.h>

#include "cow/cow.h"
#include "front/picture/map.h"
#include "tui/app/view.h"
#include "tui/jobs/cells_job.h"
#include "tui/jobs/check_job.h"
#include "tui/jobs/ends_job.h"
#include "tui/jobs/files_job.h"
#include "tui/jobs/find_job.h"
#include "tui/jobs/follow_job.h"
#include "tui/jobs/job.h"
#include "tui/jobs/range_job.h"
#include "tui/jobs/redundant_job.h"
#include "tui/jobs/scan_job.h"
#include "tui/look/settings.h"
#include "tui/screen/backend.h"
#include "tui/screen/prompt.h"

/* Rows of the table of jobs. */
enum tui_app_job {
    TUI_APP_NEXT, /* it borrows what others have found: it is the first to forget */
    TUI_APP_CELLS,
    TUI_APP_ENDS,
    TUI_APP_CHECK,
    TUI_APP_FILES,
    TUI_APP_SCAN,
    TUI_APP_FIND,
    TUI_APP_REDUNDANT,
    TUI_APP_FOLLOW,
    TUI_APP_RANGE,
    TUI_APP_JOBS
};

enum { TUI_STACK = 8, TUI_NO_TAB = -1, TUI_MESSAGE_BYTES = 1600, TUI_MIN_COLS = 60, TUI_MIN_ROWS = 16 };

/* From so many columns on a pane beside Map and Blocks tells all of the selected place. */
enum { TUI_PANE_FROM_COLS = 110 };

/* What was typed for fields of the header and waits to be written. */
struct tui_edits {
    bool path, mtime; /* which fields they are for */
    char new_path[COW_PATH_BYTES + 1];
    uint32_t new_mtime;
};

enum { TUI_MARKS = 26 };

/* What the next key is: no key, or the letter of a mark. */
enum tui_letter { TUI_LETTER_NONE, TUI_LETTER_SETS, TUI_LETTER_GOES };

/* Places of the disk by letters; they stay when the image is read anew. */
struct tui_marks {
    enum tui_letter awaits;
    bool set[TUI_MARKS];
    uint64_t byte[TUI_MARKS];
};

enum { TUI_ASKED_BYTES = TUI_FIND_TEXT_BYTES };

/* What was asked for last, which n and N repeat. Whoever looks for something puts a function here that goes
 * to the next one, or the one before. NULL: nothing was. */
struct tui_asked {
    enum tui_result (*again)(struct tui_app *app, bool back);
    int kind;                   /* of :next */
    char what[TUI_ASKED_BYTES]; /* of / */
};

/* Where one was: the tab, whether Bytes was over it, and the byte. It is kept when one leaves it by anything
 * but a step to its neighbours. */
enum { TUI_PLACES = 64 };

struct tui_place {
    int tab;
    bool bytes;
    uint64_t byte;
};

struct tui_places {
    struct tui_place
        place[TUI_PLACES];   /* in the order in which they were left; the oldest ones are forgotten */
    int n, at;               /* how many, and which is shown; at == n: none of them, but a new one */
    enum tui_action_id last; /* what was done last: going on doing it leaves one place only */
};

/* Looking for the next place of a kind (next_place.c). */
struct tui_next {
    struct tui_app *app;
    struct tui_job job;
    bool asked; /* it is to begin */
    int kind;
    bool back;
    uint64_t from; /* the sector that was selected */
    bool found;
    uint64_t sector; /* what was found */
};

struct tui_waiting;

enum { TUI_AHEAD_KEYS = 64 };

/* What the mouse is at. */
struct tui_pointer {
    struct tui_clicks clicks;
    bool pressed; /* on a place of the view on top, and not let go yet */
    bool ranged;  /* the range, if there is one, was made by dragging: the next press ends it */
};

struct tui_app {
    struct cow_io *io; /* that the image is read through, on a terminal (tui_app_begin_waiting) */
    struct {           /* keys that were typed while a plan was made: they come next */
        int key[TUI_AHEAD_KEYS];
        size_t taken, n;
    } ahead;
    struct tui_waiting *waiting;        /* for a plan that is being made; NULL: nobody waits */
    struct tui_settings *settings;      /* borrowed; they outlive the image */
    bool without_backing;               /* as it was begun: none is opened unless the user names one */
    struct tui_subject subject;         /* the image, as it is open now */
    const char *named_backing;          /* by the user, with -b or :backing; NULL: none */
    char *typed_backing;                /* named_backing where it was typed with :backing: ours to free */
    char named_for[COW_PATH_BYTES + 1]; /* the stored path that named_backing stands in for */
    struct tui_backend *backend;
    struct tui_canvas canvas;

    struct { /* of a kernel's, for the title */
        bool opens, unknown;
        size_t warnings;
        const char *brief;
    } verdict;
    struct cow_holder holder;
    char holder_name[64]; /* of its program, escaped; "" where nobody tells */
    struct {              /* what others have done to the files since they were read */
        enum cow_outside image, backing;
        size_t layer; /* whose fate `backing` is: 1, the backing file's, or that of one below it */
        enum cow_outside told_image, told_backing; /* a message has said so */
    } outside;
    bool pending; /* an interrupted change waits for :recover; looking is possible all the same */
    char name[256], backing_name[256]; /* last parts of the paths, escaped */

    uint64_t sector;      /* the selection, shared by all views */
    uint32_t sector_byte; /* which byte of it; 0 but where somebody meant one */
    struct {
        bool on;
        uint64_t anchor;      /* a sector; the range is from there to the selection */
        uint32_t anchor_byte; /* of it; Bytes has a range of bytes, Map and Blocks of what they show whole */
    } range;
    struct tui_marks marks;
    struct tui_pointer pointer;
    struct tui_asked asked;

    struct tui_view tab[TUI_TABS];
    int tab_now;
    int tab_return; /* where q goes back to: TUI_NO_TAB if nowhere */
    struct tui_view stack[TUI_STACK];
    int depth;

    struct tui_cells cells;
    struct tui_scan scan;
    struct tui_check check;
    struct tui_files files;
    struct { /* of the map, for TUI_CHANGE_PICTURE; kept until there is another one */
        enum front_picture_kind kind;
        struct drawing_bytes bytes; /* owned */
    } picture;
    struct tui_ends ends;
    struct tui_redundant redundant;
    struct tui_range counted; /* the range that is shown */
    struct tui_next next;
    struct tui_find find;
    struct tui_follow follow;
    struct { /* the one that is being typed */
        char typed[TUI_ASKED_BYTES];
        uint64_t from; /* the byte where it began, for those views where it goes over the disk */
        enum tui_found found;
        struct tui_place place; /* where it began */
    } search;
    struct tui_places places;
    struct tui_job *job[TUI_APP_JOBS]; /* all of them, in the order of their table */
    struct tui_edits edits;

    bool prompting;       /* the line at the bottom has the keys */
    const char *question; /* it asks this; NULL: a command, behind a ':' */
    const char *offered;  /* the answer that was there to begin with, if it asks for a file; else NULL */
    char offered_text[TUI_PROMPT_BYTES];
    void (*answer)(struct tui_app *app, const char *text);
    void (*typed)(struct tui_app *app,
                  const char *text);       /* hears of each key; NULL: it waits for the answer */
    void (*given_up)(struct tui_app *app); /* there will be no answer; NULL: nobody needs to know */
    char message[TUI_MESSAGE_BYTES];
    enum tui_style message_style;
    struct {              /* that a page waits for while it is being made */
        const char *what; /* NULL: nothing */
        struct tui_progress progress;
    } waits;
    struct {          /* the pane beside Map and Blocks follows the keys a moment later (cells/pane.c) */
        double key;   /* when the last one came, on tui_clock() */
        double since; /* when it began to be of another place than the selection; 0: it is not */
        bool waits;   /* for that moment */
        struct tui_canvas kept;                 /* as it was drawn last, */
        struct tui_canvas line;                 /* and a line below that belongs to it, */
        unsigned generation;                    /* of which image, */
        int tab;                                /* on which tab, */
        uint64_t first_sector, sectors, sector; /* and of which place */
    } pane;
    bool redraw;
    bool asks_yes; /* the page to be drawn next does: what was typed before it is no answer */
    bool leave;
    /* Gives the lesson over all that is open, which stays as it is; as lesson_run. The door sets it: the room
     * of the lesson knows this one. */
    int (*give_lesson)(struct tui_backend *backend, bool is_ascii, int *stop_signal, struct cow_error *err);
    bool chosen;     /* from a list: leaving the first level goes back there */
    bool to_list;    /* ... and that is where we go */
    bool warned;     /* that something staged is not written */
    int stop_signal; /* that made us leave, or 0 */
    unsigned ticks, slices;
    double ticked; /* while work goes on: when the clock was told last */
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

/* From the next reading on the image is seen through that file; NULL: through the one that its header names,
 * or alone if it was begun so. The path is borrowed. */
void tui_app_look_through(struct tui_app *app, const char *backing_path);

/* Reads the image anew: what others have written to it, or after a change of ours the new file. On failure
 * the old image stays. */
int tui_app_reopen(struct tui_app *app, struct cow_error *err);

/* Reads the image anew after a change of ours: a backing file that the user named is the one to use as long
 * as the header names the file that it stands in for. */
int tui_app_reopen_changed(struct tui_app *app, struct cow_error *err);

/* Names a backing file for this session; NULL: the header's again, or none if it was started so. Errors:
 * those of opening, COW_REFUSED if it does not fit: another size, or a COW image. All stays as it is then. */
int tui_app_name_backing(struct tui_app *app, const char *path, struct cow_error *err);

/* Says which one it is now. */
void tui_app_say_backing(struct tui_app *app);

/* Asks anew who holds the image, what others have done to its files, and whether a change is pending: a few
 * system calls. */
void tui_app_look_around(struct tui_app *app);

/* The same, and reads the image anew where a change that somebody else makes has begun or ended: its data may
 * have moved. Not under a view that holds a change of ours, for its plan borrows the image. */
void tui_app_follow(struct tui_app *app);

/* Says that a change is pending and offers to recover. */
void tui_app_offer_recovery(struct tui_app *app);

/* The number of sectors of the disk; 0 for an unfinished image: nothing can be walked then. */
uint64_t tui_app_sectors(const struct tui_app *app);

/* Selects a sector, cut to the disk, and in it the first byte if it is another one than before. */
void tui_app_select(struct tui_app *app, uint64_t sector);

/* The selected byte of the disk, and selecting one, cut to the disk. */
uint64_t tui_app_byte(const struct tui_app *app);
void tui_app_select_byte(struct tui_app *app, uint64_t byte);

/* Selects the next or previous run in the COW as seen from the range [first, end). Says so if there is none.
 */
enum tui_result tui_app_next_dirty(struct tui_app *app, uint64_t end);
enum tui_result tui_app_prev_dirty(struct tui_app *app, uint64_t first);

/* Lights a file's cells on the map; NULL: none any more. Errors are shown. */
void tui_app_light(struct tui_app *app, const struct cow_fs_file *file);

/* Draws everything and shows it; or what goes on, and what stops it, over what is shown: that reads nothing
 * of the image, which may be in the middle of a read. */
void tui_app_draw(struct tui_app *app);
void tui_app_draw_work(struct tui_app *app);

/* For what is being made while its page waits: draws, and takes what was typed meanwhile. All keys are
 * refused but those that ask for a stop (Esc, q, C-c), so nothing else begins or changes inside of this.
 * Returns true if the user or a signal asks for a stop. */
bool tui_app_pump(struct tui_app *app);

/* What a page waits for while it is being made. */
struct tui_waiting {
    struct tui_app *app;
    double looked; /* for keys, on tui_clock(); to begin with, now */
    bool stopping; /* a stop was asked for */
    double begun;  /* 0: not yet */
    double heard;  /* when keys were looked for between two looks */
};

/* From here to the end of waiting each read of the image looks for a key that asks for a stop, and a wait
 * that is felt is told: builders read for long before they have any progress to tell. Only on a terminal. */
void tui_app_begin_waiting(struct tui_app *app, struct tui_waiting *waiting);

/* The status of what was waited for. Once a stop was asked for it is COW_CANCELLED, whatever the reads that
 * it ended have made of it: what came of it is to be dropped. */
int tui_app_end_waiting(struct tui_app *app, int status, struct cow_error *err);

/* cow_io_stepped()'s step for app->io; the context is the application. */
bool tui_app_step(void *context);

/* Tells how far it is, by its name (a total of 0: nobody knows), and pumps; on a terminal ten times a second
 * at most, in a script each time; a stop is heard a hundred times a second. Returns whether to stop. */
bool tui_app_look_in(struct tui_waiting *waiting, const char *what, uint64_t done, uint64_t total);

/* Makes the jobs, each of them off. The subject need not be filled yet. */
void tui_app_begin_jobs(struct tui_app *app);

/* Whether one of them has a slice of work to do now. */
bool tui_app_work_waits(const struct tui_app *app);

/* Does a slice of each that may go on, and hears them. */
void tui_app_work(struct tui_app *app);

/* Shows what a job has left to be told; behind each call that it may have said something in. */
void tui_app_hear_job(struct tui_app *app, struct tui_job *job);

/* All that they know is forgotten; before the image is closed. */
void tui_app_forget_jobs(struct tui_app *app);

/* The jobs forget all, and what they kept beside is freed; at the end. */
void tui_app_end_jobs(struct tui_app *app);

/* Asks for a line of text at the bottom of the screen. What is accepted goes to answer(), which may change
 * anything but not ask again. question is static. */
void tui_app_ask(struct tui_app *app, const char *question, const char *initial,
                 void (*answer)(struct tui_app *app, const char *text));

/* Asks for the name of a file: those that there are complete, and "~" is the home directory. */
void tui_app_ask_file(struct tui_app *app, const char *question, const char *initial,
                      void (*answer)(struct tui_app *app, const char *text));

/* Asks for some text, and goes to it as it is typed. */
enum tui_result tui_app_ask_text(struct tui_app *app);

/* A view's search for pieces in the COW by their owners: that of Map and Blocks. */
enum tui_found tui_app_search_owners(struct tui_app *app, void *state, const struct tui_search *search);

/* A line saying why there is nothing to see in an image without a layout. */
void tui_app_draw_unfinished(struct tui_app *app, struct tui_canvas *canvas, struct tui_rect area);

/* ---- inside the room ---- */

/* The view that has the keys. */
struct tui_view *tui_app_top(struct tui_app *app);

/* The line on top: the image, what a kernel makes of it, who uses it, and what has become of it since. */
void tui_title_draw(const struct tui_app *app, struct tui_canvas *canvas);

/* Does what a view's handler has answered. The view is a copy: it may have opened a message box before it
 * ended, so it is looked for wherever it lies. */
void tui_app_finish(struct tui_app *app, const struct tui_view *view, enum tui_result result);

/* Does an action: asks the view on top, then the application itself. argument is what was typed behind a
 * command, NULL for a key. */
void tui_app_perform(struct tui_app *app, const struct tui_action *action, const char *argument);

/* Does what a line says that was typed behind a ':'. Errors are shown. */
void tui_app_run_command(struct tui_app *app, const char *line);

/* Looks for the next place of a kind, by its name, or the one before; and again for what was looked for last.
 * What is found is selected, on the Map if the view on top shows no places. */
enum tui_result tui_app_do_next(struct tui_app *app, int back, const char *kind);
void tui_next_init(struct tui_app *app);
void tui_app_end_next(struct tui_app *app); /* when it has ended: shows what was found */
enum tui_result tui_app_do_again(struct tui_app *app, int back, const char *argument);

/* The next key is the letter of a mark to set, or to go to (enum tui_letter); and that key. */
enum tui_result tui_app_do_letter(struct tui_app *app, int awaits, const char *argument);
void tui_app_take_letter(struct tui_app *app, int key);

/* Something was done with the mouse. */
void tui_app_take_mouse(struct tui_app *app, const struct tui_mouse *mouse);

/* The tab whose name is drawn at that column; TUI_NO_TAB if none is. */
int tui_app_tab_at(const struct tui_app *app, int x);

/* What stands behind ":set", and behind ":theme"; "": the settings are shown. */
enum tui_result tui_app_do_set(struct tui_app *app, const char *words);
enum tui_result tui_app_do_theme(struct tui_app *app, const char *name);

/* Asks for a command. */
void tui_app_ask_command(struct tui_app *app);

/* A key for the line at the bottom. Returns the command that it ends, the prompt's, or NULL; an answer goes
 * to whoever asked. */
const char *tui_app_ask_key(struct tui_app *app, int key);

/* Where one is now. */
struct tui_place tui_places_now(const struct tui_app *app);

/* Keeps the place that was left, if one is elsewhere now; what one had gone back from is forgotten. */
void tui_places_leave(struct tui_app *app, const struct tui_place *left);

/* The same behind an action that a key or (is_command) a line has asked for. */
void tui_places_acted(struct tui_app *app, const struct tui_place *before, enum tui_action_id action,
                      bool is_command);

/* Goes back, or forward again. False: there is no further one. */
bool tui_places_go(struct tui_app *app, bool back);

/* Goes to what the job has found, or says that there is nothing. */
void tui_app_end_find(struct tui_app *app);

/* A paste for the line at the bottom. */
void tui_app_ask_paste(struct tui_app *app, const char *text);

/* Runs until the user leaves. Returns 0 or the status of a failed script. */
int tui_app_loop(struct tui_app *app, struct cow_error *err);

/* Says that the terminal is too small for anything else. */
void tui_app_draw_too_small(struct tui_canvas *canvas);

/* While the image is followed: what is new, in a line or two from that row on. Returns how many; 0 else. */
int tui_follow_draw(const struct tui_app *app, struct tui_canvas *canvas, int y);

/* Closes every view and tab. */
void tui_app_close_views(struct tui_app *app);

#endif

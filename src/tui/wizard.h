/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The resize wizard, inside: what its pages share. wizard.c turns the pages, wizard_pages.c and
 * wizard_preview.c draw them, wizard_run.c commits. Nothing is written but by wizard_run.c, and that only
 * after the typed yes.
 */
#ifndef COW_TUI_WIZARD_H
#define COW_TUI_WIZARD_H

#include "tui/app.h"
#include "tui/page.h"

enum wizard_page {
    WIZARD_SIZE,
    WIZARD_POLICY,
    WIZARD_PREVIEW,
    WIZARD_CONFIRM,
    WIZARD_RUNNING,
    WIZARD_RESULT,
};

enum { WIZARD_CHOICES = 3, WIZARD_PRESETS = 5, WIZARD_NONE = -1, WIZARD_TEXT = 64, WIZARD_SENTENCE = 1024 };

enum wizard_button { WIZARD_BACK, WIZARD_COMMIT };

struct wizard_preset {
    const char *label;
    uint64_t size_bytes;
};

struct wizard {
    enum wizard_page at;
    struct tui_page page;
    int page_rows; /* as drawn last */

    char size_text[WIZARD_TEXT]; /* as typed */
    bool size_ok;
    uint64_t size_bytes;
    struct cow_error size_error;
    struct wizard_preset preset[WIZARD_PRESETS];
    int presets, preset_at;

    struct cow_policy_choice choice[WIZARD_CHOICES];
    int choice_at; /* WIZARD_NONE: none is possible */

    struct cow_plan *plan;
    enum wizard_button button;

    char phase[WIZARD_TEXT];
    uint64_t done_bytes, total_bytes;
    bool can_cancel, stopping;
    double started, drawn; /* seconds of a clock that only goes forward */

    bool succeeded; /* the result page's */
    struct cow_error error;
    uint64_t result_bytes;
    char next_step[WIZARD_SENTENCE], undo[WIZARD_SENTENCE], notes[WIZARD_SENTENCE];
};

/* Fill w->page for the page that the wizard is at. */
void wizard_fill_size(struct tui_app *app, struct wizard *w);
void wizard_fill_policy(struct tui_app *app, struct wizard *w);
void wizard_fill_preview(struct tui_app *app, struct wizard *w);
void wizard_fill_confirm(struct tui_app *app, struct wizard *w);
void wizard_fill_running(struct tui_app *app, struct wizard *w);
void wizard_fill_result(struct tui_app *app, struct wizard *w);

/* Whether the plan would change anything. */
bool wizard_has_work(const struct wizard *w);

/* Commits the plan, with progress, and opens the image anew. Ends at WIZARD_RESULT either way; the plan is
 * freed. */
void wizard_commit(struct tui_app *app, struct wizard *w);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The resize wizard, inside: its own pages, size, policy and method; behind them it is a change like others
 * (tui/change/change.h). wizard.c turns the pages, wizard_pages.c fills them, wizard_disk.c knows what is on
 * the disk, wizard_fs.c whether the filesystem goes with it. None of them writes anything.
 */
#ifndef COW_TUI_CHANGE_WIZARD_H
#define COW_TUI_CHANGE_WIZARD_H

#include "tui/app/app.h"
#include "tui/change/change.h"
#include "tui/screen/page.h"

enum wizard_page { WIZARD_SIZE, WIZARD_POLICY, WIZARD_METHOD, WIZARD_CHANGE };

enum { WIZARD_PRESETS = 6, WIZARD_NONE = -1, WIZARD_TEXT = 64, WIZARD_LINE = 512 };

struct wizard_preset {
    const char *label;
    uint64_t size_bytes;
};

/* Whether the filesystem on the disk is given another size with it. */
struct wizard_fs {
    bool asked;     /* there is one that something can be said of, and the size is one to ask at */
    bool possible;  /* with the policy that is chosen */
    bool needed;    /* the disk cannot become so small otherwise */
    bool alone;     /* the user wants the disk alone */
    bool is_copied; /* its programs need a copy of the disk */
    char obstacle[WIZARD_LINE];
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

    char facts[WIZARD_LINE];    /* what is on the disk; "" if nothing that can be read */
    char smallest[WIZARD_LINE]; /* what there is to say about the smallest size; "" nothing */
    bool at_smallest;           /* no preset for it: the disk cannot be smaller */

    struct cow_policy_choice choice[COW_POLICY_CHOICES];
    int choices;   /* that there are */
    int choice_at; /* WIZARD_NONE: none is possible */

    struct wizard_fs fs;

    struct cow_method_choice method[COW_METHOD_CHOICES];
    size_t methods; /* that there are to choose from: 0 where the data stays, or must be copied */
    int method_at;

    struct change change; /* at WIZARD_CHANGE */
};

/* Whether the size asked for is smaller than the disk. */
bool wizard_shrinks(const struct tui_app *app, const struct wizard *w);

/* What a choice is called: its policy, and "for all" of a whole family. */
const char *wizard_choice_name(const struct cow_policy_choice *choice);

/* Reads what is on the disk: the facts, and the smallest size, which is 0 where there is none to offer. */
uint64_t wizard_look(struct tui_app *app, struct wizard *w);

/* What is asked of the core for the policy, with what was decided of the filesystem. */
struct cow_resize_options wizard_options(const struct tui_app *app, const struct wizard *w,
                                         enum cow_policy policy);

/* What becomes of the filesystem as it stands: COW_FS_STAYS where it does not go with the disk. */
enum cow_resize_fs wizard_fs_of(const struct tui_app *app, const struct wizard *w);

/* Asks whether the filesystem can go with the disk by the policy that is chosen. */
void wizard_ask_fs(struct tui_app *app, struct wizard *w);

/* Of a smaller disk that would cut what matters: whether it can be had when the filesystem is made smaller
 * first; w->fs.needed says so from here on. *err stays if not, or is why not where that says more. */
bool wizard_shrinks_fs(struct tui_app *app, struct wizard *w, struct cow_error *err);

/* Puts the line on the page of the policy. */
void wizard_put_fs(const struct tui_app *app, const struct wizard *w, struct tui_page *page);

/* Fill w->page for the page that the wizard is at. */
void wizard_fill_size(struct tui_app *app, struct wizard *w);
void wizard_fill_policy(struct tui_app *app, struct wizard *w);
void wizard_fill_method(struct tui_app *app, struct wizard *w);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The wizard's pages but for the preview, as text.
 */
#include <inttypes.h>
#include <stdio.h>

#include "tui/wizard.h"

enum { ECHO_COL = 36, PRESET_COL = 29 };

/* "128 MiB (134217728 bytes), 64.0 MiB more" */
static void echo_size(struct tui_app *app, struct wizard *w)
{
    uint64_t now = cow_image_header(app->image)->size_bytes;
    char size[COW_SIZE_TEXT_BYTES], more[COW_SIZE_TEXT_BYTES];

    if (w->size_ok)
        tui_page_putf(&w->page, 3, TUI_GOOD, "= %s, %" PRIu64 " bytes: %s more than now",
                      cow_size_text(size, w->size_bytes), w->size_bytes,
                      cow_size_text(more, w->size_bytes - now));
    else if (w->size_error.message[0])
        tui_page_wrap(&w->page, 3, 3, TUI_WARN, w->size_error.message);
    else
        tui_page_put(&w->page, 3, TUI_DIM,
                     "128M or 1.5G is the new size, +64M is that much more; K M G T are 1024s");
}

void wizard_fill_size(struct tui_app *app, struct wizard *w)
{
    struct tui_page *page = &w->page;
    uint64_t now = cow_image_header(app->image)->size_bytes;
    char size[COW_SIZE_TEXT_BYTES], argument[COW_SIZE_TEXT_BYTES];

    tui_page_line(page);
    tui_page_line(page);
    tui_page_wrapf(page, 1, 1, TUI_NORMAL, "The disk has %s now (%" PRIu64 " bytes). How large shall it be?",
                   cow_size_text(size, now), now);
    tui_page_line(page);
    tui_page_line(page); /* the field is drawn here */
    tui_page_line(page);
    tui_page_line(page);
    echo_size(app, w);
    tui_page_line(page);
    tui_page_line(page);
    tui_page_put(page, 1, TUI_HEADING, "Or choose");
    for (int i = 0; i < w->presets; i++) {
        bool selected = i == w->preset_at;
        enum tui_style style = selected ? TUI_SELECTED : TUI_NORMAL;
        cow_size_argument(argument, w->preset[i].size_bytes);
        cow_size_text(size, w->preset[i].size_bytes);
        tui_page_line(page);
        for (int x = 2; selected && x < PRESET_COL + 28; x++)
            tui_page_put_char(page, x, style, ' ');
        tui_page_put(page, 3, style, selected ? "\u25b8" : " ");
        tui_page_put(page, 5, style, w->preset[i].label);
        tui_page_putf(page, PRESET_COL, style, "%12s   %s", argument, size);
    }
    tui_page_line(page);
    tui_page_line(page);
    tui_page_wrap(
        page, 1, 1, TUI_DIM,
        "Only the disk grows here; the filesystem on it is grown in the guest afterwards, with its own tool. "
        "Nothing is written before the last page, and there only after a typed yes.");
}

static void put_choice(struct tui_page *page, const struct cow_policy_choice *choice, bool selected)
{
    enum tui_style style = selected ? TUI_SELECTED : choice->possible ? TUI_STRONG : TUI_DISABLED;

    tui_page_line(page);
    tui_page_line(page);
    tui_page_put(page, 1, style, selected ? " \u25b8 " : "   ");
    int col = tui_page_putf(page, 4, style, "%s ", cow_policy_name(choice->policy));
    if (choice->recommended)
        tui_page_put(page, col + 1, TUI_GOOD, "recommended");
    if (!choice->possible)
        tui_page_wrapf(page, col + 1, 4, TUI_WARN, "not possible here: %s", choice->obstacle);
    tui_page_line(page);
    tui_page_wrap(page, 4, 4, choice->possible ? TUI_NORMAL : TUI_DISABLED, choice->consequence);
}

void wizard_fill_policy(struct tui_app *app, struct wizard *w)
{
    struct tui_page *page = &w->page;
    char size[COW_SIZE_TEXT_BYTES];
    int first = 0, last = 0;

    tui_page_line(page);
    tui_page_line(page);
    tui_page_wrapf(page, 1, 1, TUI_NORMAL, "What shall become of the backing file %s when the disk has %s?",
                   app->backing_name, cow_size_text(size, w->size_bytes));
    for (int i = 0; i < WIZARD_CHOICES; i++) {
        if (i == w->choice_at)
            first = page->lines + 1;
        put_choice(page, &w->choice[i], i == w->choice_at);
        if (i == w->choice_at)
            last = page->lines - 1;
    }
    if (w->choice_at != WIZARD_NONE)
        tui_page_reveal(page, first, last, w->page_rows);
}

void wizard_fill_confirm(struct tui_app *app, struct wizard *w)
{
    struct tui_page *page = &w->page;
    size_t n_steps;
    const struct cow_step *step = cow_plan_steps(w->plan, &n_steps);
    char size[COW_SIZE_TEXT_BYTES];

    (void)app;
    tui_page_line(page);
    tui_page_line(page);
    tui_page_put(page, 1, TUI_HEADING, "What will be done, in this order");
    for (size_t i = 0; i < n_steps; i++) {
        tui_page_line(page);
        tui_page_putf(page, 1, TUI_LABEL, "%3zu", i + 1);
        tui_page_wrapf(page, 6, 6, TUI_NORMAL, "%s%s%s%s", step[i].text, step[i].bytes ? " (" : "",
                       step[i].bytes ? cow_size_text(size, step[i].bytes) : "", step[i].bytes ? ")" : "");
    }
    tui_page_line(page);
    tui_page_line(page);
    tui_page_wrap(
        page, 1, 1, TUI_DIM,
        "Anything but the word yes, or Esc, leaves everything as it is. Until its last steps it can be "
        "stopped: nothing is changed then.");
}

static void progress_bar(struct tui_page *page, uint64_t done, uint64_t total)
{
    int cols = page->cols - 12;
    double share = total > 0 ? (double)done / (double)total : 0;

    if (share > 1)
        share = 1;
    int full = (int)(share * cols);
    for (int i = 0; i < cols; i++)
        tui_page_put_char(page, 2 + i, i < full ? TUI_MAP_FULL : TUI_MAP_BACKING, i < full ? 0x2588 : 0x00b7);
    tui_page_putf(page, 2 + cols + 1, TUI_STRONG, "%3d%%", (int)(share * 100));
}

void wizard_fill_running(struct tui_app *app, struct wizard *w)
{
    struct tui_page *page = &w->page;
    char done[COW_SIZE_TEXT_BYTES], total[COW_SIZE_TEXT_BYTES], rate[COW_SIZE_TEXT_BYTES];
    double elapsed = w->drawn - w->started;

    tui_page_line(page);
    tui_page_line(page);
    tui_page_putf(page, 2, TUI_STRONG, "%s", w->phase);
    tui_page_line(page);
    tui_page_line(page);
    progress_bar(page, w->done_bytes, w->total_bytes);
    tui_page_line(page);
    int col = tui_page_putf(page, 2, TUI_NORMAL, "%s of about %s", cow_size_text(done, w->done_bytes),
                            cow_size_text(total, w->total_bytes));
    if (app->backend->interactive && elapsed > 1 && w->done_bytes > 0) {
        double per_second = (double)w->done_bytes / elapsed;
        double left =
            w->total_bytes > w->done_bytes ? (double)(w->total_bytes - w->done_bytes) / per_second : 0;
        tui_page_putf(page, col + 3, TUI_NORMAL, "%s/s, about %.0f s left",
                      cow_size_text(rate, (uint64_t)per_second), left);
    }
    tui_page_line(page);
    tui_page_line(page);
    if (w->stopping && w->can_cancel)
        tui_page_put(page, 2, TUI_WARN, "Stopping...");
    else if (w->can_cancel)
        tui_page_put(page, 2, TUI_NORMAL, "Esc stops it: nothing is changed then.");
    else
        tui_page_put(page, 2, TUI_WARN, "The last steps: it cannot be stopped any more.");
}

static void section(struct tui_page *page, const char *title, const char *text)
{
    if (text[0] == '\0')
        return;
    tui_page_line(page);
    tui_page_line(page);
    tui_page_put(page, 1, TUI_HEADING, title);
    tui_page_line(page);
    tui_page_wrap(page, 3, 3, TUI_NORMAL, text);
}

void wizard_fill_result(struct tui_app *app, struct wizard *w)
{
    struct tui_page *page = &w->page;
    char size[COW_SIZE_TEXT_BYTES];

    tui_page_line(page);
    tui_page_line(page);
    if (!w->succeeded) {
        bool cancelled = w->error.status == COW_CANCELLED;
        tui_page_put(page, 1, cancelled ? TUI_WARN : TUI_BAD, cancelled ? "Stopped." : "Not done.");
        section(page, cancelled ? "What is left" : "Why", w->error.message);
        section(page, "What helps", w->error.hint);
        section(page, "Notes", w->notes);
        return;
    }
    tui_page_wrapf(page, 1, 1, TUI_GOOD, "Done: %s has %s now.", app->name,
                   cow_size_text(size, w->result_bytes));
    section(page, "What to do next", w->next_step);
    section(page, "The way back", w->undo);
    section(page, "Notes", w->notes);
}

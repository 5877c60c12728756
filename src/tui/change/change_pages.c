/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The pages of a change behind its preview, as text: the question, the progress, the result.
 *
 * The question lists the plan's steps and names every file that they touch, for the commit walks the very
 * same list. The result tells what became of the data and which way leads back; after a failure, what was
 * left and what helps: those are the core's words, as the command line prints them.
 */
#include <inttypes.h>
#include <stdio.h>

#include "tui/change/change.h"

enum { LABEL_COL = CHANGE_LABEL_COL, WORTH_A_BAR_BYTES = 4096 };

static void put_change_steps(struct tui_page *page, const struct cow_plan *plan)
{
    size_t n_steps;
    const struct cow_step *step = cow_plan_steps(plan, &n_steps);
    char size[COW_SIZE_TEXT_BYTES];

    tui_page_line(page);
    tui_page_put(page, LABEL_COL, TUI_HEADING, "What will be done, in this order");
    for (size_t i = 0; i < n_steps; i++) {
        tui_page_line(page);
        tui_page_putf(page, LABEL_COL, TUI_LABEL, "%3zu", i + 1);
        tui_page_wrapf(page, 6, 6, TUI_NORMAL, "%s%s%s%s", step[i].text, step[i].bytes != 0 ? " (" : "",
                       step[i].bytes != 0 ? cow_size_text(size, step[i].bytes) : "",
                       step[i].bytes != 0 ? ")" : "");
    }
}

/* Each file, so that nobody says yes to one that was not named. */
static void put_change_files(struct tui_page *page, const struct cow_preview *preview)
{
    char name[1024];

    if (preview->files == 0) {
        return;
    }
    tui_page_line(page);
    tui_page_line(page);
    tui_page_put(page, LABEL_COL, TUI_HEADING, "The files");
    for (size_t i = 0; i < preview->files; i++) {
        cow_escape(name, sizeof name, preview->file[i].path);
        tui_page_line(page);
        tui_page_putf(page, LABEL_COL + 2, TUI_LABEL, "%-9s", cow_touch_name(preview->file[i].touch));
        tui_page_wrap(page, LABEL_COL + 12, LABEL_COL + 12, TUI_NORMAL, name);
    }
}

void change_fill_confirm(struct tui_app *app, struct change *change)
{
    struct tui_page *page = &change->page;
    const struct cow_preview *preview = cow_plan_preview(change->plan);
    const struct front_rows rows = change_rows(page);
    bool tells_all = change->words->page[CHANGE_PREVIEW] == NULL,
         roomy = change->page_rows >= CHANGE_ROOMY_ROWS;
    char before[COW_SIZE_TEXT_BYTES], after[COW_SIZE_TEXT_BYTES];

    if (!tells_all || roomy) {
        tui_page_line(page);
    }
    if (tells_all) {
        tui_page_line(page);
        int col =
            tui_page_wrapf(page, LABEL_COL, LABEL_COL, TUI_STRONG, "%s: %s", app->name, change->words->about);
        if (preview->has_before && preview->has_after) {
            tui_page_wrapf(page, col + 2, LABEL_COL, TUI_NORMAL, "%s -> %s",
                           cow_size_text(before, preview->before_size_bytes),
                           cow_size_text(after, preview->after_size_bytes));
        }
        front_tell_images(&rows, preview);
        if (preview->images == 0) {
            change_put_layouts(page, preview, roomy, roomy); /* the steps matter more here */
        }
    }
    change_put_holder(app, page);
    if (tells_all || app->holder.held) {
        tui_page_line(page);
    }
    put_change_steps(page, change->plan);
    if (tells_all) {
        tui_page_line(page);
        front_tell_backing(&rows, preview);
        front_tell_undo(&rows, preview);
        front_tell_reserve(&rows, preview);
        front_tell_notes(&rows, preview);
        change_put_command(page, preview);
    }
    put_change_files(page, preview);
    tui_page_line(page);
    tui_page_line(page);
    tui_page_wrap(page, LABEL_COL, LABEL_COL, TUI_DIM,
                  "Anything but the word yes, or Esc, leaves everything as it is.");
    if (front_moves_in_place(preview)) {
        tui_page_wrap(
            page, LABEL_COL + 63, LABEL_COL, TUI_DIM,
            preview->images > 0
                ? "While data moves it can be stopped: it stays half way then, until :recover takes "
                  "all images back."
                : "While the data moves it can be stopped: it stays half way then, and goes on later.");
    } else if (!tells_all) {
        tui_page_wrap(page, LABEL_COL + 63, LABEL_COL, TUI_DIM,
                      "Until its last steps it can be stopped: nothing is changed then.");
    }
}

static void progress_bar(struct tui_page *page, const struct tui_progress *progress)
{
    int cols = page->cols - 12;
    int full = (int)(tui_progress_share(progress) * cols);
    for (int i = 0; i < cols; i++) {
        tui_page_put_char(page, 2 + i, i < full ? TUI_MAP_FULL : TUI_MAP_BACKING, i < full ? 0x2588 : 0x00b7);
    }
    tui_page_putf(page, 2 + cols + 1, TUI_STRONG, "%3d%%", tui_progress_percent(progress));
}

static void put_progress(struct tui_app *app, struct change *change)
{
    struct tui_page *page = &change->page;
    char done[COW_SIZE_TEXT_BYTES], total[COW_SIZE_TEXT_BYTES], rate[COW_SIZE_TEXT_BYTES];
    const struct tui_progress *progress = &change->progress;
    double elapsed = change->drawn - progress->started;

    progress_bar(page, progress);
    tui_page_line(page);
    int col = tui_page_putf(page, 2, TUI_NORMAL, "%s of about %s", cow_size_text(done, progress->done),
                            cow_size_text(total, progress->total));
    if (app->subject.interactive && elapsed > 1 && progress->done > 0) {
        tui_page_putf(page, col + 3, TUI_NORMAL, "%s/s, about %.0f s left",
                      cow_size_text(rate, (uint64_t)tui_progress_rate(progress, change->drawn)),
                      tui_progress_seconds_left(progress, change->drawn));
    }
}

void change_fill_running(struct tui_app *app, struct change *change)
{
    struct tui_page *page = &change->page;

    tui_page_line(page);
    tui_page_line(page);
    tui_page_putf(page, 2, TUI_STRONG, "%s", change->phase);
    tui_page_line(page);
    tui_page_put(page, 2, TUI_DIM, change->said);
    tui_page_line(page);
    if (change->progress.total >= WORTH_A_BAR_BYTES) {
        put_progress(app, change);
    }
    tui_page_line(page);
    tui_page_line(page);
    if (change->stopping && change->can_cancel) {
        tui_page_put(page, 2, TUI_WARN, "Stopping...");
    } else if (change->can_cancel) {
        tui_page_put(page, 2, TUI_NORMAL,
                     !change->moves ? "Esc stops it: nothing is changed then."
                     : change->images > 0
                         ? "Esc stops it half way: :recover takes all images back then."
                         : "Esc stops it: what has been moved stays moved, and it goes on later.");
    } else {
        tui_page_put(page, 2, TUI_WARN,
                     change->moves ? "It cannot be stopped at this step."
                                   : "The last steps: it cannot be stopped any more.");
    }
}

static void put_section(struct tui_page *page, const char *title, const char *text)
{
    if (text[0] == '\0') {
        return;
    }
    tui_page_line(page);
    tui_page_line(page);
    tui_page_put(page, LABEL_COL, TUI_HEADING, title);
    tui_page_line(page);
    tui_page_wrap(page, 3, 3, TUI_NORMAL, text);
}

static void fill_failure(struct tui_app *app, struct change *change)
{
    struct tui_page *page = &change->page;
    int status = change->error.status;
    bool half = cow_image_half(app->subject.image) != COW_HALF_NOT;
    const char *title = status == COW_CANCELLED && half                 ? "Stopped half way."
                        : status == COW_CANCELLED                       ? "Stopped."
                        : app->pending                                  ? "Not finished."
                        : status == COW_LOCKED || status == COW_REFUSED ? "Not done: nothing was changed."
                                                                        : "Not done.";

    tui_page_put(page, LABEL_COL, status == COW_CANCELLED ? TUI_WARN : TUI_BAD, title);
    put_section(page, status == COW_CANCELLED ? "What is left" : "Why", change->error.message);
    put_section(page, "What helps", change->error.hint);
    put_section(page, "Here",
                half && change->images > 0
                    ? ":recover takes all images that were to change with it back; until then it can be "
                      "looked at, as the disk was, and nothing else done with it"
                : half         ? ":recover goes on with it or takes it back, as you choose; until then it "
                                 "can be looked at, as the disk was, and nothing else done with it"
                : app->pending ? ":recover shows what finishing it or taking it back would do"
                               : "");
    put_section(page, "Notes", change->notes);
}

void change_fill_result(struct tui_app *app, struct change *change)
{
    struct tui_page *page = &change->page;
    char size[COW_SIZE_TEXT_BYTES], all[CHANGE_SHORT] = "";

    tui_page_line(page);
    tui_page_line(page);
    if (!change->succeeded) {
        fill_failure(app, change);
        return;
    }
    cow_size_text(size, cow_image_header(app->subject.image)->size_bytes);
    if (change->images > 1) {
        snprintf(all, sizeof all, " for all %zu images", change->images);
    }
    if (change->target[0] != '\0') {
        tui_page_wrapf(page, LABEL_COL, LABEL_COL, TUI_GOOD, "Done: %s is written.", change->target);
    } else {
        tui_page_wrapf(page, LABEL_COL, LABEL_COL, TUI_GOOD, "Done%s: %s %s%s%s", all, app->name,
                       change->words->done[0], change->words->done[1] != NULL ? size : "",
                       change->words->done[1] != NULL ? change->words->done[1] : "");
    }
    put_section(page, "What became of the data", change->content);
    put_section(page, "What to do next", change->next_step);
    put_section(page, "The way back",
                change->undo[0] != '\0' || !change->can_undo ? change->undo
                                                             : "the change that was finished can be undone");
    if (change->can_undo) {
        tui_page_line(page);
        tui_page_put(page, 3, TUI_NORMAL, "Here: the key u.");
    }
    put_section(page, "Notes", change->notes);
}

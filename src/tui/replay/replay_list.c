/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What was written between the mark and the cursor: to which files it belongs, where that was asked for and
 * can be told, and its runs.
 */
#include <inttypes.h>
#include <stdio.h>

#include "cow/text.h"
#include "tui/jobs/files_job.h"
#include "tui/replay/replay.h"

enum {
    SHARES_MOST = 500,
    RUNS_MOST = 500,
    SIZE_COLS = 9,
    PATH_BYTES = 4096,
    NUMBER_COLS = 14,
    TITLE_BYTES = 160
};

static void put_share(struct tui_page *page, const struct front_share *share)
{
    char size[COW_SIZE_TEXT_BYTES], name[PATH_BYTES], before[32] = "";
    int col = 1 + SIZE_COLS + 2;

    tui_page_line(page);
    cow_size_text(size, share->n_bytes);
    tui_page_putf(page, 1, TUI_STRONG, "%*s", SIZE_COLS, size);
    if (share->partition != 0) {
        snprintf(before, sizeof before, "partition %u: ", share->partition);
    }
    col = tui_page_put(page, col, TUI_DIM, before);
    if (share->path != NULL) {
        tui_path_text(name, sizeof name, share->path, page->cols - col);
        tui_page_put(page, col, TUI_NORMAL, name);
    } else if (share->inode != 0) {
        tui_page_putf(page, col, TUI_DIM, "<%" PRIu64 ">", share->inode);
    } else {
        tui_page_put(page, col, TUI_DIM, cow_fs_class_text(share->fs_class));
    }
}

static void put_more(struct tui_page *page, size_t more, const char *what)
{
    if (more == 0) {
        return;
    }
    tui_page_line(page);
    tui_page_putf(page, 1, TUI_DIM, "and %zu more %s", more, what);
}

static void put_shares(struct replay *replay, struct tui_page *page)
{
    const struct front_shares *shares = &replay->written.shares;
    const char *damage = cow_fs_scan_damage(replay->whose.scan);

    for (size_t i = 0; i < shares->n && i < SHARES_MOST; i++) {
        put_share(page, &shares->share[i]);
    }
    put_more(page, shares->n > SHARES_MOST ? shares->n - SHARES_MOST : 0, "files");
    if (*damage != '\0') {
        tui_page_line(page);
        tui_page_wrapf(page, 1, 1, TUI_WARN, COW_FS_DAMAGED "%s", damage);
    }
}

/* Whose they are, or why nobody knows. */
static void put_whose(struct replay *replay, struct tui_page *page)
{
    tui_page_line(page);
    if (replay->whose.scan != NULL) {
        tui_page_put(page, 1, TUI_HEADING, "Whose that is, by the filesystem as it is now");
        put_shares(replay, page);
    } else if (replay->whose_error.status != 0) {
        tui_page_wrapf(page, 1, 1, TUI_WARN, "Whose that is cannot be told: %s", replay->whose_error.message);
    } else {
        tui_page_wrap(page, 1, 1, TUI_DIM,
                      "o reads the filesystem of the image that was recorded, and tells whose that is.");
    }
}

static void put_runs(struct replay *replay, struct tui_page *page)
{
    const struct cow_history_facts *facts = cow_history_facts(replay->history);
    const struct cow_sectors *set = replay->written.set;
    struct cow_dirty_run run;
    size_t n = 0;

    tui_page_line(page);
    tui_page_putf(page, 1, TUI_LABEL, "%*s  %*s", NUMBER_COLS, "byte", SIZE_COLS, "length");
    for (cow_sectors_next(set, 0, &run); run.sectors > 0 && n < RUNS_MOST;
         cow_sectors_next(set, run.first_sector + run.sectors, &run), n++) {
        char size[COW_SIZE_TEXT_BYTES];
        tui_page_line(page);
        tui_page_putf(page, 1, TUI_NORMAL, "%*" PRIu64 "  %*s", NUMBER_COLS,
                      run.first_sector * facts->sector_bytes, SIZE_COLS,
                      cow_size_text(size, run.sectors * facts->sector_bytes));
    }
    put_more(page, cow_sectors_runs(set) - n, "runs");
}

static void fill_list(struct replay *replay, int cols)
{
    struct tui_page *page = &replay->list;

    tui_page_begin(page, cols);
    if (replay->written.set == NULL || cow_sectors_count(replay->written.set) == 0) {
        tui_page_line(page);
        tui_page_wrap(page, 1, 1, TUI_DIM, "Nothing became dirty between the mark and the cursor.");
        return;
    }
    put_whose(replay, page);
    put_runs(replay, page);
}

/* "New from 0.005 s to 12.500 s: 512 sectors, 256 KiB, in 1 run", as much of it as there is room for. */
static void list_title(const struct replay *replay, char out[TITLE_BYTES], int cols)
{
    const struct cow_sectors *set = replay->written.set;
    char from[REPLAY_TIME_BYTES], to[REPLAY_TIME_BYTES], size[COW_SIZE_TEXT_BYTES];
    bool is_back = replay->mark_ms > replay->at_ms;
    uint64_t sectors = set != NULL ? cow_sectors_count(set) : 0;
    int n = snprintf(out, TITLE_BYTES, "New from %s to %s",
                     replay_time(from, is_back ? replay->at_ms : replay->mark_ms),
                     replay_time(to, is_back ? replay->mark_ms : replay->at_ms));

    cow_size_text(size, sectors * cow_history_facts(replay->history)->sector_bytes);
    if (n + 40 < cols) {
        snprintf(out + n, TITLE_BYTES - (size_t)n, ": %" PRIu64 " sectors, %s, in %zu run%s", sectors, size,
                 set != NULL ? cow_sectors_runs(set) : 0,
                 set != NULL && cow_sectors_runs(set) == 1 ? "" : "s");
    } else {
        snprintf(out + n, TITLE_BYTES - (size_t)n, ": %s", size);
    }
}

void replay_draw_list(struct replay *replay, struct tui_rect area)
{
    char title[TITLE_BYTES];

    list_title(replay, title, area.cols);
    struct tui_rect inside = tui_frame(&replay->canvas, area, title);
    fill_list(replay, inside.cols);
    replay->list_rows = inside.rows;
    tui_page_draw(&replay->list, &replay->canvas, inside, area.x + area.cols - 1);
}

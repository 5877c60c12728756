/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How the replay looks: the map of the moment, below it the line of the time with mark and cursor, and what
 * was written between the two; beside the map where the screen is wide.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cow/text.h"
#include "tui/actions/told.h"
#include "tui/app/app.h"
#include "tui/cells/legend.h"
#include "tui/replay/replay.h"
#include "tui/screen/clock.h"
#include "tui/screen/utf8.h"

enum {
    WIDE_COLS = 120, /* from here on the list is beside the map */
    LIST_COLS = 56,
    LIST_ROWS_LEAST = 5,
    LINE_ROWS = 2,
    AROUND_ROWS = 3, /* title, where one is, footer */
    GUTTER = 10,
    GUTTER_FROM_COLS = 100,
    HELP_COLS = 76,
    NAME_BYTES = 4 * COW_PATH_BYTES + 16,
    TEXT_BYTES = 256,
};

static const double ms_a_second = 1000;

static int at_most(int a, int b)
{
    return a < b ? a : b;
}

const char *replay_time(char out[REPLAY_TIME_BYTES], double ms)
{
    snprintf(out, REPLAY_TIME_BYTES, "%.3f s", ms / ms_a_second);
    return out;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

/* ---- the two lines on top ---- */

static void draw_title(const struct replay *replay, struct tui_canvas *canvas)
{
    const struct cow_history_facts *facts = cow_history_facts(replay->history);
    char name[NAME_BYTES], size[COW_SIZE_TEXT_BYTES], text[TEXT_BYTES];

    tui_fill(canvas, (struct tui_rect){0, 0, canvas->cols, 1}, ' ', TUI_BAR);
    snprintf(text, sizeof text, "change %zu of %zu", replay->moment, facts->moments);
    int x_right = tui_text_right(canvas, canvas->cols - 1, 0, canvas->cols - 2, TUI_BAR, text);
    int x = 1 + tui_text(canvas, 1, 0, x_right - 2, TUI_BAR_STRONG,
                         cow_escape(name, sizeof name, last_part(replay->path)));
    cow_escape(name, sizeof name, last_part(facts->image_path));
    snprintf(text, sizeof text, "   replay of %.160s, %s", name, cow_size_text(size, facts->size_bytes));
    if (x + tui_text_cells(text) + 2 <= x_right) {
        tui_text(canvas, x, 0, x_right - x, TUI_BAR, text);
    }
}

/* "2026-11-30 13:00:12 UTC" */
static void clock_text(const struct replay *replay, char out[TEXT_BYTES])
{
    const time_t seconds = (time_t)((double)cow_history_facts(replay->history)->begun_ms / ms_a_second +
                                    replay->at_ms / ms_a_second);
    struct tm parts = {0};

    gmtime_r(&seconds, &parts);
    if (strftime(out, TEXT_BYTES, "%Y-%m-%d %H:%M:%S UTC", &parts) == 0) {
        out[0] = '\0';
    }
}

/* What the change that one is at has done. */
static void change_text(const struct replay *replay, char out[TEXT_BYTES])
{
    struct cow_history_moment told;
    char size[COW_SIZE_TEXT_BYTES];

    cow_history_moment(replay->history, replay->moment, &told);
    if (replay->moment == 0) {
        snprintf(out, TEXT_BYTES, "the beginning");
    } else if (told.newly_clean > 0) {
        snprintf(out, TEXT_BYTES, "+%" PRIu64 " sectors, -%" PRIu64, told.newly_dirty, told.newly_clean);
    } else {
        snprintf(out, TEXT_BYTES, "+%" PRIu64 " sector%s (%s)", told.newly_dirty,
                 told.newly_dirty == 1 ? "" : "s",
                 cow_size_text(size, told.newly_dirty * cow_history_facts(replay->history)->sector_bytes));
    }
}

static void draw_where(const struct replay *replay, struct tui_canvas *canvas, int y)
{
    char at[REPLAY_TIME_BYTES], text[TEXT_BYTES], share[COW_SHARE_TEXT_BYTES];
    int end = canvas->cols - 1, x = 1;

    x += tui_text(canvas, x, y, end - x, TUI_STRONG, replay_time(at, replay->at_ms));
    x += tui_textf(
        canvas, x, y, end - x, TUI_NORMAL, "  %s dirty",
        cow_share_text(share, cow_sectors_count(replay->bits), cow_history_facts(replay->history)->sectors));
    change_text(replay, text);
    x += tui_textf(canvas, x, y, end - x, TUI_NORMAL, "  %s", text);
    if (replay->plays) {
        x += tui_textf(canvas, x, y, end - x, TUI_GOOD, "  plays, %.0fx", replay->speed);
    }
    clock_text(replay, text);
    if (x + 2 + tui_text_cells(text) <= end) {
        tui_text_right(canvas, end, y, end - x, TUI_DIM, text);
    }
}

/* ---- the map ---- */

static struct tui_mark cell_mark(const struct replay_map *map, size_t cell)
{
    return map->glow[cell] > 0 ? tui_new_mark(map->glow[cell])
                               : tui_density_mark(front_heat_of(&map->heat, &map->cell[cell]));
}

static void draw_gutter(const struct replay *replay, struct tui_rect cells)
{
    const struct replay_map *map = &replay->map;
    const struct cow_history_facts *facts = cow_history_facts(replay->history);
    char text[COW_SIZE_TEXT_BYTES], last[COW_SIZE_TEXT_BYTES] = "";

    for (int y = 0; y < cells.rows; y++) {
        uint64_t sector = (uint64_t)y * (uint64_t)map->cols * map->cell_sectors;
        if (sector >= facts->sectors) {
            break;
        }
        cow_size_text(text, sector * facts->sector_bytes);
        if (strcmp(text, last) != 0) {
            tui_text_right(&((struct replay *)replay)->canvas, cells.x - 1, cells.y + y, GUTTER - 1,
                           TUI_OFFSET, text);
        }
        memcpy(last, text, sizeof last);
    }
}

/* One sign and its word, where there is room for both. Returns where the next one begins. */
static int put_legend(struct tui_canvas *canvas, int x, int y, int end, const struct tui_mark *mark,
                      int marks, const char *text)
{
    if (x + marks + 1 + tui_text_cells(text) + 1 > end) {
        return x;
    }
    tui_put(canvas, x++, y, ' ', TUI_NORMAL);
    for (int i = 0; i < marks; i++) {
        x += tui_put(canvas, x, y, mark[i].glyph, mark[i].style);
    }
    x += tui_put(canvas, x, y, ' ', TUI_NORMAL);
    x += tui_text(canvas, x, y, end - x, TUI_DIM, text);
    return x + tui_put(canvas, x, y, ' ', TUI_NORMAL);
}

/* In the lower edge of the frame. */
static void draw_legend(const struct replay *replay, struct tui_canvas *canvas, struct tui_rect edge)
{
    const struct tui_mark clean = tui_density_mark(FRONT_DENSITY_BACKING),
                          ramp[] = {tui_density_mark(FRONT_DENSITY_LOW), tui_density_mark(FRONT_DENSITY_HALF),
                                    tui_density_mark(FRONT_DENSITY_HIGH),
                                    tui_density_mark(FRONT_DENSITY_FULL)};
    char shades[FRONT_HEAT_TEXT_BYTES];
    int x = edge.x, end = edge.x + edge.cols;

    for (int glow = 3; glow > 0; glow--) {
        static const char *const words[] = {"", "4 s ago", "1.5 s ago", "new"};
        const struct tui_mark mark = tui_new_mark(glow);
        x = put_legend(canvas, x, edge.y, end, &mark, 1, words[glow]);
    }
    x = put_legend(canvas, x, edge.y, end, &clean, 1, "clean");
    put_legend(canvas, x, edge.y, end, ramp, 4, front_heat_text(shades, &replay->map.heat, true));
}

static int draw_map(struct replay *replay, struct tui_rect area, struct cow_error *err)
{
    struct tui_canvas *canvas = &replay->canvas;
    const struct cow_history_facts *facts = cow_history_facts(replay->history);
    struct replay_map *map = &replay->map;
    int gutter = area.cols >= GUTTER_FROM_COLS ? GUTTER : 0;
    char title[TEXT_BYTES], size[COW_SIZE_TEXT_BYTES];
    struct tui_rect cells = {area.x + 1 + gutter, area.y + 1, area.cols - 2 - gutter, area.rows - 2};
    int status = replay_count_map(replay, cells.cols, cells.rows, err);

    if (status != 0) {
        return status;
    }
    cow_size_text(size, map->cell_sectors * facts->sector_bytes);
    snprintf(title, sizeof title, "Map \u2500 1 cell = %" PRIu64 " sector%s, %s", map->cell_sectors,
             map->cell_sectors == 1 ? "" : "s", size);
    tui_frame(canvas, area, title);
    if (gutter != 0) {
        draw_gutter(replay, cells);
    }
    for (size_t i = 0; i < map->cells; i++) {
        struct tui_mark mark = cell_mark(map, i);
        tui_put(canvas, cells.x + (int)(i % (size_t)cells.cols), cells.y + (int)(i / (size_t)cells.cols),
                mark.glyph, mark.style);
    }
    draw_legend(replay, canvas, (struct tui_rect){area.x + 2, area.y + area.rows - 1, area.cols - 4, 1});
    return 0;
}

/* ---- the line of the time ---- */

static int col_of(const struct replay *replay, double ms)
{
    double end = (double)cow_history_facts(replay->history)->end_ms;
    int cols = replay->line.cols, col = end > 0 ? (int)(ms / end * cols) : 0;

    return col < cols ? col : cols - 1;
}

/* What was written when; below it where the mark and the cursor are. */
static int draw_line(struct replay *replay, struct tui_rect area, struct cow_error *err)
{
    struct tui_canvas *canvas = &replay->canvas;
    char end[REPLAY_TIME_BYTES];
    uint64_t most = 1;
    int status = replay_count_line(replay, area.cols, err);

    if (status != 0) {
        return status;
    }
    int mark = col_of(replay, replay->mark_ms), cursor = col_of(replay, replay->at_ms);
    int first = at_most(mark, cursor), last = mark > cursor ? mark : cursor;
    for (int i = 0; i < area.cols; i++) {
        most = replay->line.sectors[i] > most ? replay->line.sectors[i] : most;
    }
    for (int i = 0; i < area.cols; i++) {
        uint64_t sectors = replay->line.sectors[i], least = most / 7 + 1; /* a little is not nothing */
        enum tui_style style = sectors == 0 ? TUI_DIM : i >= first && i <= last ? TUI_STRONG : TUI_NORMAL;
        tui_put(canvas, area.x + i, area.y,
                tui_level(canvas, sectors > 0 && sectors < least ? least : sectors, most), style);
        if (i > first && i < last) {
            tui_put(canvas, area.x + i, area.y + 1, 0x2500, TUI_DIM);
        }
    }
    replay_time(end, (double)cow_history_facts(replay->history)->end_ms);
    if (last + 2 + tui_text_cells(end) < area.cols) {
        tui_text_right(canvas, area.x + area.cols, area.y + 1, area.cols, TUI_DIM, end);
    }
    tui_put(canvas, area.x + mark, area.y + 1, 'm', TUI_LABEL);
    tui_put(canvas, area.x + cursor, area.y + 1, '^', TUI_CURSOR);
    canvas->cursor_x = area.x + cursor;
    canvas->cursor_y = area.y + 1;
    replay->line_area = area;
    return 0;
}

/* ---- all of it ---- */

static void draw_help(struct replay *replay)
{
    struct tui_canvas *canvas = &replay->canvas;
    struct tui_page *page = &replay->help;
    int cols = at_most(HELP_COLS, canvas->cols - 4);

    tui_page_begin(page, cols - 4);
    tui_page_line(page);
    tui_actions_help_in(page, TUI_IN_REPLAY);
    tui_page_line(page);
    int rows = at_most(page->lines + 2, canvas->rows - 2);
    struct tui_rect box = {(canvas->cols - cols) / 2, (canvas->rows - rows) / 2, cols, rows};
    tui_fill(canvas, box, ' ', TUI_NORMAL);
    struct tui_rect inside = tui_frame(canvas, box, "Help");
    replay->help_rows = inside.rows;
    inside.x++;
    tui_page_draw(page, canvas, inside, box.x + box.cols - 1);
    canvas->cursor_x = canvas->cursor_y = -1;
}

/* A line above the footer: what a key has to say, else what the log does not tell. */
static void draw_said(const struct replay *replay, struct tui_canvas *canvas, int y)
{
    const struct cow_history_facts *facts = cow_history_facts(replay->history);
    char text[COW_MESSAGE_BYTES];
    int cols = canvas->cols - 2;

    if (replay->said[0] != '\0') {
        tui_text(canvas, 1, y, cols, TUI_STRONG, replay->said);
    } else if (front_log_left_text(text, sizeof text, replay->history)[0] != '\0') {
        tui_text(canvas, 1, y, cols, TUI_WARN, text);
    } else if (replay->moment == facts->moments && facts->end != COW_HISTORY_ENDED) {
        tui_textf(canvas, 1, y, cols, TUI_WARN, "the end of the log: %s%s%s",
                  cow_history_end_text(facts->end), facts->end_words[0] != '\0' ? ": " : "",
                  facts->end_words);
    } else {
        tui_text(canvas, 1, y, cols, TUI_DIM, "rewrites of sectors that were dirty already are in no log");
    }
}

static int draw_parts(struct replay *replay, struct cow_error *err)
{
    struct tui_canvas *canvas = &replay->canvas;
    bool is_wide = canvas->cols >= WIDE_COLS;
    int rest = canvas->rows - AROUND_ROWS - 1 - LINE_ROWS;
    int list_rows = is_wide ? rest : rest * 2 / 5 < LIST_ROWS_LEAST ? LIST_ROWS_LEAST : rest * 2 / 5;
    struct tui_rect map = {0, 2, canvas->cols, rest - list_rows}, list = {0, 0, canvas->cols, list_rows};

    if (is_wide) {
        map.cols -= LIST_COLS;
        map.rows = rest;
        list = (struct tui_rect){map.cols, 2, LIST_COLS, rest};
    }
    struct tui_rect line = {1, map.y + map.rows, canvas->cols - 2, LINE_ROWS};
    if (!is_wide) {
        list.y = line.y + LINE_ROWS;
    }
    draw_title(replay, canvas);
    draw_where(replay, canvas, 1);
    int status = draw_map(replay, map, err);
    if (status == 0) {
        status = draw_line(replay, line, err);
    }
    if (status == 0) {
        status = replay_find_written(replay, err);
    }
    if (status == 0) {
        replay_draw_list(replay, list);
    }
    draw_said(replay, canvas, canvas->rows - 2);
    return status;
}

int replay_draw(struct replay *replay, struct cow_error *err)
{
    struct tui_canvas *canvas = &replay->canvas;
    int cols, rows, status = 0;

    replay->redraw = false;
    replay->drawn = tui_clock();
    replay->backend->ops->size(replay->backend, &cols, &rows);
    if (tui_canvas_resize(canvas, cols, rows) != 0) {
        return 0; /* out of memory: the old picture stays */
    }
    if (canvas->cols < TUI_MIN_COLS || canvas->rows < TUI_MIN_ROWS) {
        tui_app_draw_too_small(canvas);
    } else {
        status = draw_parts(replay, err);
        if (replay->is_help) {
            draw_help(replay);
        }
        tui_footer_draw(canvas, canvas->rows - 1,
                        replay->is_reading ? TUI_IN_WAITING
                        : replay->is_help  ? TUI_IN_RESULT
                                           : TUI_IN_REPLAY);
    }
    if (status == 0) {
        replay->backend->ops->present(replay->backend, canvas);
    }
    return status;
}

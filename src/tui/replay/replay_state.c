/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where one is in a log, and what is to be seen there. What a step costs follows what has changed between the
 * two moments, and the cells that are drawn; what was written since the mark is found when it is drawn.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/replay/replay.h"

enum { GLOWING_MOST = 2000, MINUTE_MS = 60000, FIT_MULTIPLE = 8, GLOWS = 3 };

static const double ms_a_second = 1000;

/* Until when, from the brightest on: as on the Map while an image is followed. */
static const double glow_ms[GLOWS] = {1500, 4000, 8000};

static uint64_t end_ms(const struct replay *replay)
{
    return cow_history_facts(replay->history)->end_ms;
}

static double moment_ms(const struct replay *replay, size_t moment)
{
    struct cow_history_moment told;

    cow_history_moment(replay->history, moment, &told);
    return (double)told.at_ms;
}

int replay_go(struct replay *replay, double at_ms, struct cow_error *err)
{
    double end = (double)end_ms(replay), first = moment_ms(replay, 0);

    replay->at_ms = at_ms < first ? first : at_ms > end ? end : at_ms;
    replay->moment = cow_history_moment_at(replay->history, (uint64_t)replay->at_ms);
    replay->redraw = true;
    return cow_history_go(replay->history, replay->moment, &replay->bits, err);
}

int replay_step(struct replay *replay, long changes, struct cow_error *err)
{
    size_t last = cow_history_facts(replay->history)->moments, to = replay->moment;
    size_t n = changes < 0 ? (size_t)-changes : (size_t)changes;

    if (changes > 0) {
        if (to == last) {
            snprintf(replay->said, sizeof replay->said, "there is no later change");
        }
        to = n < last - to ? to + n : last;
    } else {
        /* Between two changes the first step back is to the one that was last. */
        if (replay->at_ms > moment_ms(replay, to)) {
            n--;
        } else if (to == 0) {
            snprintf(replay->said, sizeof replay->said, "this is the beginning");
        }
        to = n < to ? to - n : 0;
    }
    if (to == replay->moment && changes > 0) {
        return 0;
    }
    return replay_go(replay, moment_ms(replay, to), err);
}

int replay_pass(struct replay *replay, double seconds, struct cow_error *err)
{
    int status = replay_go(replay, replay->at_ms + seconds * replay->speed * ms_a_second, err);

    if (status == 0 && replay->at_ms >= (double)end_ms(replay)) {
        replay->plays = false;
        snprintf(replay->said, sizeof replay->said, "that was the end");
    }
    return status;
}

double replay_usual_speed(const struct cow_history *history)
{
    double speed = 1;

    while ((double)cow_history_facts(history)->end_ms > MINUTE_MS * speed) {
        speed *= 2;
    }
    return speed;
}

/* ---- the map ---- */

/* Whole sectors a cell, a round number of them where that costs little. */
static uint64_t fitting_sectors(uint64_t sectors, uint64_t cells)
{
    uint64_t exact = sectors / cells + (sectors % cells != 0);

    return exact < FIT_MULTIPLE * FIT_MULTIPLE ? exact
                                               : (exact + FIT_MULTIPLE - 1) / FIT_MULTIPLE * FIT_MULTIPLE;
}

static int make_cells(struct replay_map *map, size_t cells, struct cow_error *err)
{
    if (cells <= map->room) {
        return 0;
    }
    struct cow_density *cell = realloc(map->cell, cells * sizeof *cell);
    if (cell != NULL) {
        map->cell = cell;
    }
    uint8_t *glow = realloc(map->glow, cells);
    if (glow != NULL) {
        map->glow = glow;
    }
    if (cell == NULL || glow == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    map->room = cells;
    return 0;
}

static void light(struct replay_map *map, const struct cow_sectors *set, uint8_t glow)
{
    struct cow_dirty_run run;

    for (cow_sectors_next(set, 0, &run); run.sectors > 0;
         cow_sectors_next(set, run.first_sector + run.sectors, &run)) {
        size_t last = (size_t)((run.first_sector + run.sectors - 1) / map->cell_sectors);
        for (size_t cell = (size_t)(run.first_sector / map->cell_sectors); cell <= last; cell++) {
            if (map->glow[cell] < glow) {
                map->glow[cell] = glow;
            }
        }
    }
}

/* What became dirty lately, the last first. */
static int light_changes(struct replay *replay, struct cow_error *err)
{
    int status = 0;

    for (size_t i = replay->moment, n = 0; i > 0 && n < GLOWING_MOST && status == 0; i--, n++) {
        struct cow_sectors *set;
        double age = replay->at_ms - moment_ms(replay, i);
        uint8_t glow = GLOWS;
        while (glow > 0 && age >= glow_ms[GLOWS - glow]) {
            glow--;
        }
        if (glow == 0) {
            break;
        }
        status = cow_history_between(replay->history, i - 1, i, &set, err);
        if (status != 0) {
            break;
        }
        light(&replay->map, set, glow);
        cow_sectors_free(set);
    }
    return status;
}

int replay_count_map(struct replay *replay, int cols, int rows, struct cow_error *err)
{
    struct replay_map *map = &replay->map;
    uint64_t sectors = cow_history_facts(replay->history)->sectors;

    if (map->known && map->cols == cols && map->rows == rows && map->moment == replay->moment &&
        map->at_ms == replay->at_ms) {
        return 0;
    }
    map->known = false;
    map->cols = cols;
    map->rows = rows;
    map->cell_sectors = fitting_sectors(sectors, (uint64_t)cols * (uint64_t)rows);
    map->cells = (size_t)(sectors / map->cell_sectors + (sectors % map->cell_sectors != 0));
    int status = make_cells(map, map->cells, err);
    if (status != 0) {
        return status;
    }
    for (size_t i = 0; i < map->cells; i++) {
        uint64_t first = i * map->cell_sectors, left = sectors - first;
        uint64_t n = left < map->cell_sectors ? left : map->cell_sectors;
        map->cell[i] =
            (struct cow_density){.sectors = n, .dirty_sectors = cow_sectors_in(replay->bits, first, n)};
    }
    memset(map->glow, 0, map->cells);
    status = light_changes(replay, err);
    front_heat_measure(&map->heat, FRONT_HEAT_AUTO, map->cell, map->cells);
    map->moment = replay->moment;
    map->at_ms = replay->at_ms;
    map->known = status == 0;
    return status;
}

/* ---- the line of the time ---- */

int replay_count_line(struct replay *replay, int cols, struct cow_error *err)
{
    struct replay_line *line = &replay->line;
    double end = (double)end_ms(replay);

    if (line->cols == cols) {
        return 0;
    }
    uint64_t *sectors = calloc((size_t)cols, sizeof *sectors);
    if (sectors == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    free(line->sectors);
    line->sectors = sectors;
    line->cols = cols;
    for (size_t i = 1; i <= cow_history_facts(replay->history)->moments; i++) {
        struct cow_history_moment told;
        cow_history_moment(replay->history, i, &told);
        int col = end > 0 ? (int)((double)told.at_ms / end * cols) : 0;
        sectors[col < cols ? col : cols - 1] += told.newly_dirty + told.newly_clean;
    }
    return 0;
}

/* ---- what was written ---- */

static void forget_written(struct replay_written *written)
{
    cow_sectors_free(written->set);
    front_shares_free(&written->shares);
    memset(written, 0, sizeof *written);
}

int replay_find_written(struct replay *replay, struct cow_error *err)
{
    struct replay_written *written = &replay->written;
    size_t from = replay->mark < replay->moment ? replay->mark : replay->moment;
    size_t to = replay->mark < replay->moment ? replay->moment : replay->mark;
    int status = 0;

    if (!written->known || written->from != from || written->to != to) {
        forget_written(written);
        status = cow_history_between(replay->history, from, to, &written->set, err);
        written->from = from;
        written->to = to;
        written->known = status == 0;
        replay->list.top = 0;
    }
    if (status == 0 && replay->whose.scan != NULL && !written->has_shares) {
        status = front_written_shares(&written->shares, &replay->whose, written->set, err);
        written->has_shares = status == 0;
    }
    return status;
}

void replay_free(struct replay *replay)
{
    forget_written(&replay->written);
    front_written_close(&replay->whose);
    free(replay->map.cell);
    free(replay->map.glow);
    free(replay->line.sectors);
    tui_page_free(&replay->list);
    tui_page_free(&replay->help);
    tui_canvas_free(&replay->canvas);
}

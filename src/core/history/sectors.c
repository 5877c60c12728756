/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See sectors.h. Runs in ascending order, none of which touches the next one, in pieces of up to PIECE_RUNS:
 * a run that comes or goes moves those of its piece alone, and each piece knows how many sectors it has.
 */
#include "core/history/sectors.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/base/grow.h"

enum { PIECE_RUNS = 128 };

struct run {
    uint64_t first, end;
};

struct piece {
    size_t n; /* never 0 */
    uint64_t sectors;
    struct run run[PIECE_RUNS];
};

struct cow_sectors {
    struct piece **piece;
    size_t n, room;
    size_t runs;
    uint64_t sectors;
};

/* A run's place. at == n of the set: behind the last one. */
struct place {
    size_t piece, run;
};

struct cow_sectors *sectors_make(void)
{
    return calloc(1, sizeof(struct cow_sectors));
}

void cow_sectors_free(struct cow_sectors *set)
{
    if (set != NULL) {
        for (size_t i = 0; i < set->n; i++) {
            free(set->piece[i]);
        }
        free(set->piece);
        free(set);
    }
}

uint64_t cow_sectors_count(const struct cow_sectors *set)
{
    return set->sectors;
}

size_t cow_sectors_runs(const struct cow_sectors *set)
{
    return set->runs;
}

/* The first run that ends at `sector` or behind it. */
static struct place find(const struct cow_sectors *set, uint64_t sector)
{
    struct place at = {0, 0};
    for (size_t end = set->n; at.piece < end;) {
        const size_t middle = at.piece + (end - at.piece) / 2;
        const struct piece *piece = set->piece[middle];
        if (piece->run[piece->n - 1].end < sector) {
            at.piece = middle + 1;
        } else {
            end = middle;
        }
    }
    for (size_t end = at.piece < set->n ? set->piece[at.piece]->n : 0; at.run < end;) {
        const size_t middle = at.run + (end - at.run) / 2;
        if (set->piece[at.piece]->run[middle].end < sector) {
            at.run = middle + 1;
        } else {
            end = middle;
        }
    }
    return at;
}

static const struct run *run_at(const struct cow_sectors *set, struct place at)
{
    return at.piece < set->n ? &set->piece[at.piece]->run[at.run] : NULL;
}

static void erase(struct cow_sectors *set, struct place at)
{
    struct piece *piece = set->piece[at.piece];
    const uint64_t sectors = piece->run[at.run].end - piece->run[at.run].first;
    piece->n--;
    memmove(piece->run + at.run, piece->run + at.run + 1, (piece->n - at.run) * sizeof *piece->run);
    piece->sectors -= sectors;
    set->sectors -= sectors;
    set->runs--;
    if (piece->n == 0) {
        free(piece);
        set->n--;
        memmove(set->piece + at.piece, set->piece + at.piece + 1,
                (set->n - at.piece) * sizeof(struct piece *));
    }
}

/* A piece with the last `n` runs of the one before it, or with none where there is none. */
static bool insert_piece(struct cow_sectors *set, size_t at, size_t n)
{
    struct piece **grown = grow_array(set->piece, set->n, &set->room, sizeof(struct piece *));
    struct piece *piece = grown != NULL ? calloc(1, sizeof *piece) : NULL;
    if (grown != NULL) {
        set->piece = grown;
    }
    if (piece == NULL) {
        return false;
    }
    if (n > 0) {
        struct piece *before = set->piece[at - 1];
        before->n -= n;
        piece->n = n;
        memcpy(piece->run, before->run + before->n, n * sizeof *piece->run);
        for (size_t i = 0; i < n; i++) {
            piece->sectors += piece->run[i].end - piece->run[i].first;
        }
        before->sectors -= piece->sectors;
    }
    memmove(set->piece + at + 1, set->piece + at, (set->n - at) * sizeof(struct piece *));
    set->piece[at] = piece;
    set->n++;
    return true;
}

/* One that touches none that is there. */
static bool insert(struct cow_sectors *set, uint64_t first, uint64_t end)
{
    struct place at = find(set, first);
    if (at.piece == set->n && set->n > 0) { /* behind the last run, in its piece */
        at = (struct place){set->n - 1, set->piece[set->n - 1]->n};
    }
    if (set->n == 0 && !insert_piece(set, 0, 0)) {
        return false;
    }
    if (set->piece[at.piece]->n == PIECE_RUNS) {
        /* Runs that come in ascending order fill one piece after the other. */
        const size_t moved = at.run == PIECE_RUNS ? 1 : PIECE_RUNS / 2;
        if (!insert_piece(set, at.piece + 1, moved)) {
            return false;
        }
        if (at.run > PIECE_RUNS - moved) {
            at = (struct place){at.piece + 1, at.run - (PIECE_RUNS - moved)};
        }
    }
    struct piece *piece = set->piece[at.piece];
    memmove(piece->run + at.run + 1, piece->run + at.run, (piece->n - at.run) * sizeof *piece->run);
    piece->run[at.run] = (struct run){first, end};
    piece->n++;
    piece->sectors += end - first;
    set->sectors += end - first;
    set->runs++;
    return true;
}

bool sectors_add(struct cow_sectors *set, uint64_t first, uint64_t end)
{
    struct place at = find(set, first);
    for (const struct run *run; (run = run_at(set, at)) != NULL && run->first <= end; at = find(set, first)) {
        if (run->first <= first && run->end >= end) {
            return true;
        }
        first = arith_min(first, run->first);
        end = arith_max(end, run->end);
        erase(set, at);
    }
    return insert(set, first, end);
}

bool sectors_remove(struct cow_sectors *set, uint64_t first, uint64_t end)
{
    bool done = first < end;
    struct place at = find(set, first + 1);
    for (const struct run *run; done && (run = run_at(set, at)) != NULL && run->first < end;
         at = find(set, first + 1)) {
        const struct run old = *run;
        erase(set, at);
        done = (old.first >= first || insert(set, old.first, first)) &&
               (old.end <= end || insert(set, end, old.end));
    }
    return done || first >= end;
}

void cow_sectors_next(const struct cow_sectors *set, uint64_t sector, struct cow_dirty_run *out)
{
    const struct run *run = sector < UINT64_MAX ? run_at(set, find(set, sector + 1)) : NULL;
    *out = (struct cow_dirty_run){sector, 0};
    if (run != NULL) {
        out->first_sector = arith_max(sector, run->first);
        out->sectors = run->end - out->first_sector;
    }
}

uint64_t cow_sectors_in(const struct cow_sectors *set, uint64_t first, uint64_t sectors)
{
    const uint64_t end = sectors < UINT64_MAX - first ? first + sectors : UINT64_MAX;
    uint64_t sum = 0;
    if (first >= end) {
        return 0;
    }
    for (struct place at = find(set, first + 1); at.piece < set->n; at = (struct place){at.piece + 1, 0}) {
        const struct piece *piece = set->piece[at.piece];
        if (piece->run[at.run].first >= end) {
            break;
        }
        if (piece->run[0].first >= first && piece->run[piece->n - 1].end <= end) {
            sum += piece->sectors;
            continue;
        }
        for (size_t i = at.run; i < piece->n && piece->run[i].first < end; i++) {
            sum += arith_min(piece->run[i].end, end) - arith_max(piece->run[i].first, first);
        }
    }
    return sum;
}

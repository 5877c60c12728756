/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which sectors of a new image are dirty, decided anew. It begins with the old bits, takes whole pages
 * of 4 KiB where any sector of one is dirty, and drops those whose bytes are equal to the backing
 * file's (compact). rebase --safe and diff compare all of the disk with the new backing file, but for
 * what is a hole on both sides, and begin with nothing.
 *
 * A selection is made a chunk at a time, when first asked: 256 MiB of disk, a bitmap of 64 KiB. Empty
 * and full chunks cost no memory, some others are remembered, and what lies beyond is compared a second
 * time: memory stays within 8 MiB whatever the disk is. The plan asks for all of it, to count; the
 * commit asks again, and trusts what was remembered because it has checked, under its locks, that the
 * files are still the same.
 *
 * Pages, because a guest misreads one that is dirty in part (share/doc/format.md); and what hangs
 * together across pages (filesystems with blocks of less than 4 KiB) is taken as one.
 */
#include "core/plan/selection.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"
#include "cow/scan.h"

enum {
    SECTOR_BYTES = 512,
    CHUNK_SECTORS = 512 * 1024, /* 256 MiB of disk */
    CHUNK_WORDS = CHUNK_SECTORS / 64,
    CHUNKS_KEPT = 128,
    PAGE_SECTORS = COW_PAGE_BYTES / SECTOR_BYTES,
    PIECE_SECTORS = 1024 * 1024 / SECTOR_BYTES, /* compared at once */
    JOIN_SECTORS = 64 * 1024 / SECTOR_BYTES, /* a gap not longer than that is read with what lies around it */
};

enum chunk_state { CHUNK_UNKNOWN, CHUNK_EMPTY, CHUNK_FULL, CHUNK_KEPT };

struct chunk {
    enum chunk_state state;
    uint64_t *words; /* CHUNK_KEPT */
};

struct selection {
    struct cow_image *img;
    struct host_file backing; /* a copy: its remembered extent is ours */
    struct selection_rule rule;
    uint64_t sectors; /* of 512 bytes */
    uint64_t n_chunks;
    struct chunk *chunk;
    unsigned kept;
    /* those that were made last, if they could not be kept: two, for a run may cross the border */
    struct {
        uint64_t *words;
        uint64_t number;
        bool valid;
    } work[2];
    uint8_t *disk, *base;          /* PIECE_SECTORS each */
    uint64_t kept_begin, kept_end; /* the pages that were found last to stay together (keep) */
};

int selection_open(struct selection **out, struct cow_image *img, const struct selection_rule *rule,
                   struct cow_error *err)
{
    struct selection *s = calloc(1, sizeof *s);
    if (s != NULL) {
        s->img = img;
        s->rule = *rule;
        if (rule->backing != NULL) {
            s->backing = *rule->backing;
            s->backing.extent = (struct io_extent){0, 0, false};
        }
        s->sectors = arith_div_up(img->header.size_bytes, SECTOR_BYTES);
        s->n_chunks = arith_div_up(s->sectors, CHUNK_SECTORS);
        s->chunk = s->n_chunks <= SIZE_MAX ? calloc((size_t)s->n_chunks, sizeof *s->chunk) : NULL;
        s->work[0].words = malloc(CHUNK_WORDS * sizeof *s->work[0].words);
        s->work[1].words = malloc(CHUNK_WORDS * sizeof *s->work[1].words);
        s->disk = malloc(PIECE_SECTORS * SECTOR_BYTES);
        s->base = malloc(PIECE_SECTORS * SECTOR_BYTES);
    }
    if (s == NULL || s->chunk == NULL || s->work[0].words == NULL || s->work[1].words == NULL ||
        s->disk == NULL || s->base == NULL) {
        selection_close(s);
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    *out = s;
    return 0;
}

void selection_close(struct selection *s)
{
    if (s != NULL) {
        for (uint64_t i = 0; s->chunk != NULL && i < s->n_chunks; i++) {
            free(s->chunk[i].words);
        }
        free(s->chunk);
        free(s->work[0].words);
        free(s->work[1].words);
        free(s->disk);
        free(s->base);
        free(s);
    }
}

void selection_set_env(struct selection *s, const struct cow_env *env)
{
    s->rule.env = env;
}

/* ---- bits of a chunk ---- */

static void fill_bits(uint64_t *words, uint32_t first, uint32_t end, bool set)
{
    while (first < end) {
        const uint32_t stop = (uint32_t)arith_min(end, (first / 64 + 1) * 64);
        const uint32_t width = stop - first;
        const uint64_t mask = (width == 64 ? ~UINT64_C(0) : (UINT64_C(1) << width) - 1) << first % 64;
        words[first / 64] = set ? words[first / 64] | mask : words[first / 64] & ~mask;
        first = stop;
    }
}

/* The first bit in [from, end) that is `set`, or end. */
static uint32_t find_bit(const uint64_t *words, uint32_t from, uint32_t end, bool set)
{
    const uint64_t flip = set ? 0 : ~UINT64_C(0);
    uint64_t mask = ~UINT64_C(0) << from % 64;
    for (uint32_t word = from / 64; from < end && word < (end + 63) / 64; word++, mask = ~UINT64_C(0)) {
        const uint64_t value = (words[word] ^ flip) & mask;
        if (value != 0) {
            return (uint32_t)arith_min(end, word * 64 + (uint32_t)__builtin_ctzll(value));
        }
    }
    return end;
}

/* ---- making a chunk ---- */

struct making {
    struct selection *s;
    uint64_t base; /* the first sector of the chunk */
    uint32_t end;  /* sectors in it */
    uint64_t *words;
};

/* The old bits, as sectors of 512 bytes, and as pages where the rule says so. */
static int take_old_bits(const struct making *m, struct cow_error *err)
{
    struct cow_image *img = m->s->img;
    const uint64_t ratio = img->header.sector_bytes / SECTOR_BYTES;
    const uint64_t unit = m->s->rule.pages ? PAGE_SECTORS : 1;
    const uint64_t limit = m->base + m->end;
    struct cow_dirty_run run = {m->base / ratio, 0};
    int status = 0;
    do {
        status = cow_image_next_dirty(img, run.first_sector + run.sectors, &run, err);
        if (status != 0 || run.sectors == 0 || run.first_sector * ratio >= limit) {
            return status;
        }
        const uint64_t first = arith_max(run.first_sector * ratio / unit * unit, m->base);
        const uint64_t end = arith_div_up((run.first_sector + run.sectors) * ratio, unit) * unit;
        fill_bits(m->words, (uint32_t)(first - m->base), (uint32_t)(arith_min(end, limit) - m->base), true);
    } while (true);
}

/* How far from `sector` the disk shows zeros because of holes only; 0: it has to be read. */
static int disk_hole(struct selection *s, uint64_t sector, uint64_t limit, uint64_t *sectors,
                     struct cow_error *err)
{
    const uint64_t ratio = s->img->header.sector_bytes / SECTOR_BYTES;
    struct cow_run run;
    int status = cow_image_next_run(s->img, sector / ratio, &run, err);
    const bool hole = cow_origin_is_hole(run.origin);
    uint64_t end = run.first_sector + run.sectors, more = 0;
    if (status == 0 && hole && end * ratio < limit) { /* runs may be short, and holes long */
        status = image_hole(s->img, sector / ratio, &more, err);
        end = arith_max(end, sector / ratio + more);
    }
    *sectors = status == 0 && hole ? end * ratio - sector : 0;
    return status;
}

/* The same of the backing file that is compared with. */
static int base_hole(struct selection *s, uint64_t sector, uint64_t limit, uint64_t *sectors,
                     struct cow_error *err)
{
    struct io_extent extent;
    if (s->rule.backing == NULL) {
        *sectors = limit - sector;
        return 0;
    }
    int status =
        host_file_extent(s->img->io, &s->backing, sector * SECTOR_BYTES, limit * SECTOR_BYTES, &extent);
    if (status < 0) {
        return cow_error_system(err, -status, "%s: looking for holes in the backing file", s->img->path);
    }
    *sectors = extent.data                          ? 0
               : extent.end >= limit * SECTOR_BYTES ? limit - sector
                                                    : arith_sub_floor(extent.end / SECTOR_BYTES, sector);
    return 0;
}

/* Sectors from `sector` on, in whole units, of which it is known without reading that both sides are equal:
 * zeros by their holes, or a disk that somebody else reads and that shows the very backing file. */
static int known_equal(struct selection *s, uint64_t sector, uint64_t limit, uint64_t unit, uint64_t *sectors,
                       struct cow_error *err)
{
    uint64_t disk = 0, base = 0, same = 0;
    int status = host_file_shows_backing(&s->img->cow, sector * SECTOR_BYTES,
                                         arith_min(limit * SECTOR_BYTES, s->img->header.size_bytes), &same);
    if (status < 0) {
        return cow_error_system(err, -status, "%s: looking for what is in it", s->img->path);
    }
    const bool odd_end = sector * SECTOR_BYTES + same == s->img->header.size_bytes;
    same = odd_end ? arith_div_up(same, SECTOR_BYTES) : same / SECTOR_BYTES;
    if (same >= arith_min(unit, limit - sector)) {
        *sectors = sector + same == limit ? same : same / unit * unit;
        return 0;
    }
    status = disk_hole(s, sector, limit, &disk, err);
    if (status == 0 && disk >= arith_min(unit, limit - sector)) {
        status = base_hole(s, sector, limit, &base, err);
    }
    uint64_t both = arith_min(arith_min(disk, base), limit - sector);
    *sectors = sector + both == limit ? both : both / unit * unit;
    return status;
}

/* Reads both sides of [first, first + sectors). */
static int read_selected(struct selection *s, uint64_t first, uint64_t sectors, size_t *n_bytes,
                         struct cow_error *err)
{
    const uint64_t begin = first * SECTOR_BYTES;
    *n_bytes = (size_t)(arith_min(begin + sectors * SECTOR_BYTES, s->img->header.size_bytes) - begin);
    int status = cow_image_read(s->img, begin, s->disk, *n_bytes, err);
    if (status != 0) {
        return status;
    }
    if (s->rule.backing == NULL) {
        memset(s->base, 0, *n_bytes);
    } else {
        status = host_file_read_padded(s->img->io, &s->backing, s->base, *n_bytes, begin);
    }
    return status < 0 ? cow_error_system(err, -status, "%s: reading the backing file", s->img->path) : 0;
}

static int tell_selection(const struct selection *s, uint64_t sector, struct cow_error *err)
{
    return image_tell_compared(s->rule.env, sector * SECTOR_BYTES, s->sectors * SECTOR_BYTES, err);
}

/* Whether all that differs in these bytes of the disk lies where the guest's filesystem has nothing. */
static int differs_where_unused(const struct selection *s, size_t at, uint64_t offset, size_t length,
                                bool *unused, struct cow_error *err)
{
    int status = 0;
    *unused = s->rule.unused != NULL;
    for (size_t done = 0, piece; done < length && *unused && status == 0; done += piece) {
        piece = (size_t)arith_min(SECTOR_BYTES, length - done);
        if (memcmp(s->disk + at + done, s->base + at + done, piece) != 0) {
            struct cow_fs_owner owner;
            status = cow_fs_class_at(s->rule.unused, offset + done, &owner, err);
            *unused =
                status == 0 && owner.fs_class == COW_FS_FREE && owner.known && owner.length_bytes >= piece;
        }
    }
    return status;
}

/* Clears the units of [first, end) that are equal on both sides. first is the beginning of a unit. */
static int drop_equal(const struct making *m, uint32_t first, uint32_t end, struct cow_error *err)
{
    const size_t unit = m->s->rule.pages ? PAGE_SECTORS : 1;
    size_t n_bytes;
    int status = read_selected(m->s, m->base + first, end - first, &n_bytes, err);
    for (size_t at = 0; status == 0 && at < n_bytes; at += unit * SECTOR_BYTES) {
        const size_t length = (size_t)arith_min(unit * SECTOR_BYTES, n_bytes - at);
        bool equal = memcmp(m->s->disk + at, m->s->base + at, length) == 0;
        if (!equal) {
            status =
                differs_where_unused(m->s, at, (m->base + first) * SECTOR_BYTES + at, length, &equal, err);
        }
        if (equal) {
            const uint32_t sector = first + (uint32_t)(at / SECTOR_BYTES);
            fill_bits(m->words, sector, (uint32_t)arith_min(sector + unit, m->end), false);
        }
    }
    return status == 0 ? tell_selection(m->s, m->base + end, err) : status;
}

/* Where the piece that begins at a selected sector ends: runs that are near are read together. */
static uint32_t piece_end(const struct making *m, uint32_t first)
{
    const uint32_t most = (uint32_t)arith_min((uint64_t)first + PIECE_SECTORS, m->end);
    uint32_t end = find_bit(m->words, first, most, false);
    while (end < most) {
        uint32_t next = find_bit(m->words, end, most, true);
        if (next == most || next - end > JOIN_SECTORS) {
            break;
        }
        end = find_bit(m->words, next, most, false);
    }
    return end;
}

/* Clears what is selected, but equal. */
static int compare_selected_chunk(const struct making *m, struct cow_error *err)
{
    const uint32_t unit = m->s->rule.pages ? PAGE_SECTORS : 1;
    uint32_t at = 0;
    int status = 0;
    while (status == 0 && (at = find_bit(m->words, at, m->end, true)) < m->end) {
        const uint32_t run_end = find_bit(m->words, at, m->end, false);
        uint64_t holes;
        status = known_equal(m->s, m->base + at, m->base + run_end, unit, &holes, err);
        if (status == 0 && holes > 0) {
            fill_bits(m->words, at, at + (uint32_t)holes, false);
            at += (uint32_t)holes;
        } else if (status == 0) {
            const uint32_t end = piece_end(m, at);
            status = drop_equal(m, at, end, err);
            at = end;
        }
    }
    return status;
}

/* Whether a chunk has nothing to look at: no bit, or holes on both sides. */
static int chunk_is_empty(struct selection *s, uint64_t first, uint64_t sectors, bool *empty,
                          struct cow_error *err)
{
    const uint64_t ratio = s->img->header.sector_bytes / SECTOR_BYTES;
    struct cow_density density;
    uint64_t holes = 0;
    int status = 0;
    if (s->rule.look_at_all) {
        status = known_equal(s, first, first + sectors, PAGE_SECTORS, &holes, err);
        *empty = holes == sectors;
    } else {
        status = cow_image_density(s->img, first / ratio, arith_div_up(sectors, ratio), &density, err);
        *empty = density.dirty_sectors == 0;
    }
    return status;
}

static int make_chunk(struct selection *s, uint64_t number, struct cow_error *err)
{
    const struct making m = {.s = s,
                             .base = number * CHUNK_SECTORS,
                             .end = (uint32_t)arith_min(CHUNK_SECTORS, s->sectors - number * CHUNK_SECTORS),
                             .words = s->work[number % 2].words};
    struct chunk *chunk = &s->chunk[number];
    bool empty;
    s->work[number % 2].valid = false;
    int status = chunk_is_empty(s, m.base, m.end, &empty, err);
    if (status != 0 || empty) {
        chunk->state = status == 0 ? CHUNK_EMPTY : CHUNK_UNKNOWN;
        return status;
    }
    memset(m.words, 0, CHUNK_WORDS * sizeof *m.words);
    if (s->rule.look_at_all) {
        fill_bits(m.words, 0, m.end, true);
    } else {
        status = take_old_bits(&m, err);
    }
    if (status == 0 && s->rule.compare) {
        status = compare_selected_chunk(&m, err);
    }
    if (status != 0) {
        return status;
    }
    s->work[number % 2].valid = true;
    s->work[number % 2].number = number;
    if (find_bit(m.words, 0, m.end, true) == m.end) {
        chunk->state = CHUNK_EMPTY;
    } else if (find_bit(m.words, 0, m.end, false) == m.end) {
        chunk->state = CHUNK_FULL;
    } else if (s->kept < CHUNKS_KEPT && (chunk->words = malloc(CHUNK_WORDS * sizeof *m.words)) != NULL) {
        memcpy(chunk->words, m.words, CHUNK_WORDS * sizeof *m.words);
        chunk->state = CHUNK_KEPT;
        s->kept++;
    }
    return 0;
}

/* ---- asking ---- */

/* The first selected run in [from, end) of a chunk. */
static int next_in_chunk(struct selection *s, uint64_t number, uint32_t from, uint32_t end, uint32_t *first,
                         uint32_t *stop, struct cow_error *err)
{
    struct chunk *chunk = &s->chunk[number];
    const bool at_work = s->work[number % 2].valid && s->work[number % 2].number == number;
    int status = chunk->state == CHUNK_UNKNOWN && !at_work ? make_chunk(s, number, err) : 0;
    if (status != 0 || chunk->state == CHUNK_EMPTY) {
        *first = *stop = end;
        return status;
    }
    if (chunk->state == CHUNK_FULL) {
        *first = from;
        *stop = end;
        return 0;
    }
    const uint64_t *words = chunk->state == CHUNK_KEPT ? chunk->words : s->work[number % 2].words;
    *first = find_bit(words, from, end, true);
    *stop = find_bit(words, *first, end, false);
    return 0;
}

/* By bits and bytes alone. */
static int next_by_itself(struct selection *s, uint64_t sector, struct cow_dirty_run *out,
                          struct cow_error *err)
{
    while (sector < s->sectors) {
        const uint64_t number = sector / CHUNK_SECTORS, base = number * CHUNK_SECTORS;
        const uint32_t end = (uint32_t)arith_min(CHUNK_SECTORS, s->sectors - base);
        uint32_t first, stop;
        int status = next_in_chunk(s, number, (uint32_t)(sector - base), end, &first, &stop, err);
        if (status != 0) {
            return status;
        }
        if (first < end) {
            *out = (struct cow_dirty_run){base + first, stop - first};
            return 0;
        }
        sector = base + end;
    }
    *out = (struct cow_dirty_run){s->sectors, 0};
    return 0;
}

/* ---- what is read in one piece ---- */

static bool hangs_together(const struct selection *s, uint64_t sector)
{
    return sector > 0 && sector < s->sectors && cow_fs_read_at_once(s->rule.joints, sector * SECTOR_BYTES);
}

/* Where what hangs together with the page of this sector begins. */
static uint64_t joined_begin(const struct selection *s, uint64_t sector)
{
    sector = sector / PAGE_SECTORS * PAGE_SECTORS;
    while (hangs_together(s, sector)) {
        sector -= PAGE_SECTORS;
    }
    return sector;
}

/* The same for the end, of a run that ends there. */
static uint64_t joined_end(const struct selection *s, uint64_t sector)
{
    sector = arith_div_up(sector, PAGE_SECTORS) * PAGE_SECTORS;
    while (hangs_together(s, sector)) {
        sector += PAGE_SECTORS;
    }
    return arith_min(sector, s->sectors);
}

/* ---- what was dirty only ---- */

/* The first old dirty run at or after `sector`, in sectors of 512; at the end of the disk if there is none.
 */
static int old_run(struct selection *s, uint64_t sector, uint64_t *first, uint64_t *end,
                   struct cow_error *err)
{
    const uint64_t ratio = s->img->header.sector_bytes / SECTOR_BYTES;
    struct cow_dirty_run run;
    int status = cow_image_next_dirty(s->img, sector / ratio, &run, err);
    *first = status == 0 && run.sectors > 0 ? arith_max(run.first_sector * ratio, sector) : s->sectors;
    *end = arith_min((run.first_sector + run.sectors) * ratio, s->sectors);
    return status;
}

/* Whether the page that begins at `sector` has a dirty sector. */
static int page_was_dirty(struct selection *s, uint64_t sector, bool *dirty, struct cow_error *err)
{
    uint64_t first, end;
    int status = old_run(s, sector, &first, &end, err);
    *dirty = first < arith_min(sector + PAGE_SECTORS, s->sectors);
    return status;
}

/* Where the dirty pages that hang together with that of `sector` begin. */
static int kept_begin(struct selection *s, uint64_t sector, uint64_t *begin, struct cow_error *err)
{
    bool dirty = true;
    int status = 0;
    *begin = sector / PAGE_SECTORS * PAGE_SECTORS;
    while (status == 0 && s->rule.joints != NULL && hangs_together(s, *begin)) {
        status = page_was_dirty(s, *begin - PAGE_SECTORS, &dirty, err);
        if (!dirty) {
            break;
        }
        *begin -= PAGE_SECTORS;
    }
    return status;
}

static int kept_end(struct selection *s, uint64_t sector, uint64_t *end, struct cow_error *err)
{
    bool dirty = true;
    int status = 0;
    *end = arith_div_up(sector, PAGE_SECTORS) * PAGE_SECTORS;
    while (status == 0 && s->rule.joints != NULL && hangs_together(s, *end)) {
        status = page_was_dirty(s, *end, &dirty, err);
        if (!dirty) {
            break;
        }
        *end += PAGE_SECTORS;
    }
    return status;
}

/* Of the pages that differ, and of those that hang together with them, the old dirty runs. */
static int next_kept(struct selection *s, uint64_t sector, struct cow_dirty_run *out, struct cow_error *err)
{
    struct cow_dirty_run run;
    uint64_t first, stop, from = sector;
    int status = 0;
    *out = (struct cow_dirty_run){s->sectors, 0};
    if (sector < s->kept_begin || sector >= s->kept_end) {
        status = kept_begin(s, arith_min(sector, s->sectors), &from, err);
        s->kept_end = from;
    }
    while (status == 0) {
        status = old_run(s, arith_max(s->kept_begin, sector), &first, &stop, err);
        if (status != 0 || first < s->kept_end) {
            *out = (struct cow_dirty_run){first, status == 0 ? arith_min(stop, s->kept_end) - first : 0};
            return status;
        }
        status = next_by_itself(s, s->kept_end, &run, err);
        if (status != 0 || run.sectors == 0) {
            return status;
        }
        status = kept_begin(s, run.first_sector, &s->kept_begin, err);
        if (status == 0) {
            status = kept_end(s, run.first_sector + run.sectors, &s->kept_end, err);
        }
    }
    return status;
}

int selection_next(struct selection *s, uint64_t sector, struct cow_dirty_run *out, struct cow_error *err)
{
    if (s->rule.keep && s->rule.pages) { /* by sectors nothing is added anyway */
        return next_kept(s, sector, out, err);
    }
    if (s->rule.joints == NULL || sector >= s->sectors) {
        return next_by_itself(s, sector, out, err);
    }
    int status = next_by_itself(s, joined_begin(s, sector), out, err);
    if (status == 0 && out->sectors > 0) {
        const uint64_t end = joined_end(s, out->first_sector + out->sectors);
        out->first_sector = arith_max(joined_begin(s, out->first_sector), sector);
        out->sectors = end - out->first_sector;
    }
    return status;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rounds over the bits of an image. A look is one stat by the image's name: it tells whether that still is
 * the file that is open, and whether its date, length or room is another one than when the last round began;
 * a round follows then. Of the bits it reads those pages that have data and are not full: no guest makes a
 * sector clean. Once in a while a round reads the full ones, too, and needs no reason.
 *
 * Hazard: a date is as coarse as the kernel's clock tick, or two seconds. What is written just behind our
 * reading may leave it as it was. So a round is followed by another one until the date is older than that.
 *
 * A round costs what the bitmap holds. So that a large one takes no more than a part of a processor, the
 * next one is begun a multiple of that time later. Until then a look reads the pages that have changed last,
 * for there a guest goes on writing, most likely; what it has written elsewhere the next round finds.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/follow/kept.h"
#include "core/image/image.h"
#include "cow/follow.h"

static const int64_t second_ns = 1000000000;

enum {
    SETTLED_SECONDS = 3, /* a date that old is not used again */
    FULL_SECONDS = 30,   /* between two rounds that have no reason */
    PAUSES = 10,         /* as long as a round took, before the next one */
    FULL_PAUSES = 200,   /* ... before one that has no reason */
    HOT_PAGES = 16,      /* that have changed last */
};

struct cow_follow {
    struct cow_image *img;
    struct format_disk disk;
    struct format_file file;
    struct cow_follow_options options;
    struct cow_follow_facts facts;
    struct kept **kept; /* [facts.pages] */
    struct stat seen;   /* of the file, as the last round began */
    bool unsettled;     /* it may have been written to since without another date */
    bool reads_full;    /* the present round, or the next one: pages that are full, too */
    bool hurry;
    bool is_short; /* the present round is of the hot pages alone */
    uint64_t hot[HOT_PAGES];
    size_t n_hot, hot_at;
    int64_t next_round_ns, next_full_ns, took_ns;
    struct {
        uint64_t first, end; /* pages */
        enum format_bits bits;
    } guess;
    uint8_t was[FORMAT_PAGE_BYTES], now[FORMAT_PAGE_BYTES];
};

static int64_t clock_ns(const struct cow_follow *f)
{
    struct timespec now;
    if (f->options.env != NULL && f->options.env->now_ns != NULL) {
        return f->options.env->now_ns(f->options.env->context);
    }
    f->img->io->now(f->img->io->context, &now);
    return (int64_t)now.tv_sec * second_ns + now.tv_nsec;
}

int cow_follow_open(struct cow_follow **out, struct cow_image *img, const struct cow_follow_options *options,
                    struct cow_error *err)
{
    int status = image_require_layout(img, err);
    if (status == 0 && cow_image_half(img) != COW_HALF_NOT) {
        status = cow_error_set(err, COW_INVALID,
                               "%s: its data is being moved: it is followed when that is done", img->path);
    }
    if (status != 0) {
        return status;
    }
    struct cow_follow *f = calloc(1, sizeof *f);
    const struct format_disk *disk = &img->chain->layer[0].disk;
    const uint64_t pages = arith_div_up(disk->mapped_sectors, FORMAT_PAGE_BITS);
    struct kept **kept = calloc((size_t)arith_max(pages, 1), sizeof *kept);
    if (f == NULL || kept == NULL) {
        free(f);
        free(kept);
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    f->img = img;
    f->disk = *disk;
    f->file = (struct format_file){img->io, img->cow.fd};
    f->options = *options;
    f->options.interval_ns = options->interval_ns > 0 ? options->interval_ns : second_ns;
    f->options.memory_bytes = options->memory_bytes > 0 ? options->memory_bytes : COW_FOLLOW_MEMORY_BYTES;
    f->facts.pages = pages;
    f->kept = kept;
    f->hurry = true;
    *out = f;
    return 0;
}

void cow_follow_close(struct cow_follow *f)
{
    if (f != NULL) {
        for (uint64_t page = 0; page < f->facts.pages; page++) {
            free(f->kept[page]);
        }
        free(f->kept);
        free(f);
    }
}

const struct cow_follow_facts *cow_follow_facts(const struct cow_follow *f)
{
    return &f->facts;
}

void cow_follow_hurry(struct cow_follow *f)
{
    f->hurry = true;
}

/* ---- the look ---- */

static bool has_changed(const struct stat *was, const struct stat *now)
{
    return was->st_size != now->st_size || was->st_blocks != now->st_blocks ||
           was->st_mtim.tv_sec != now->st_mtim.tv_sec || was->st_mtim.tv_nsec != now->st_mtim.tv_nsec ||
           was->st_ctim.tv_sec != now->st_ctim.tv_sec || was->st_ctim.tv_nsec != now->st_ctim.tv_nsec;
}

/* Is it still the file that was opened, as far as a stat tells? */
static int check_file(const struct cow_follow *f, struct stat *now, struct cow_error *err)
{
    const struct cow_image *img = f->img;
    int status = img->io->stat(img->io->context, img->real_path, now);
    if (status == -ENOENT || status == -ENOTDIR) {
        return cow_error_set(err, COW_IO, "%s: is gone, and so is no longer followed", img->path);
    }
    if (status < 0) {
        return cow_error_system(err, -status, "%s", img->path);
    }
    if (!same_file(now, &img->cow.facts)) {
        return cow_error_set(err, COW_IO, "%s: is another file now, and so is no longer followed", img->path);
    }
    if (f->facts.looks > 0 && now->st_size < f->seen.st_size) {
        return cow_error_set(err, COW_IO,
                             "%s: has become shorter (%" PRId64 " bytes, from %" PRId64
                             "), and so is no longer followed",
                             img->path, (int64_t)now->st_size, (int64_t)f->seen.st_size);
    }
    return 0;
}

/* The header's bytes are those that were decoded; behind them there may be bits. */
static int check_header(const struct cow_follow *f, struct cow_error *err)
{
    const struct cow_image *img = f->img;
    uint8_t bytes[COW_HEADER_BYTES_MAX];
    const size_t n_bytes = (size_t)arith_min(img->raw_bytes, img->layout.bitmap_offset);
    const ssize_t n = io_read(img->io, img->cow.fd, bytes, n_bytes, 0);
    if (n < 0) {
        return cow_error_system(err, (int)-n, "%s: reading the header", img->path);
    }
    if ((size_t)n < n_bytes || memcmp(bytes, img->raw, n_bytes) != 0) {
        return cow_error_set(err, COW_IO,
                             "%s: its header is another one now, and so it is no longer followed", img->path);
    }
    return 0;
}

static bool is_young(const struct stat *facts, int64_t now_ns)
{
    return (int64_t)facts->st_mtim.tv_sec + SETTLED_SECONDS >= now_ns / second_ns;
}

/* The reason of a short one stays: it is one for a whole one, too. */
static void begin_round(struct cow_follow *f, const struct stat *now, int64_t now_ns)
{
    f->hot_at = 0;
    if (f->is_short) {
        return;
    }
    f->seen = *now;
    f->unsettled = is_young(now, now_ns);
    f->facts.page = 0;
    f->guess.first = f->guess.end = 0;
    f->took_ns = 0;
}

/* Begins a round, if there is a reason. */
static int look(struct cow_follow *f, int64_t now_ns, struct cow_error *err)
{
    struct stat now;
    int status = check_file(f, &now, err);
    if (status != 0) {
        return status;
    }
    f->reads_full = f->hurry || now_ns >= f->next_full_ns;
    f->facts.is_busy = f->facts.looks == 0 || f->reads_full || f->unsettled || has_changed(&f->seen, &now);
    f->is_short = !f->reads_full && now_ns < f->next_round_ns && f->facts.known;
    f->facts.looks++;
    f->facts.next_look_ns = now_ns + f->options.interval_ns;
    f->hurry = false;
    if (f->facts.is_busy) {
        begin_round(f, &now, now_ns);
        status = check_header(f, err);
    }
    return status;
}

/* ---- the round ---- */

static uint32_t bits_of_page(const struct cow_follow *f, uint64_t page)
{
    return (uint32_t)arith_min(FORMAT_PAGE_BITS, f->disk.mapped_sectors - page * FORMAT_PAGE_BITS);
}

static void hand_out(struct cow_follow *f, int64_t at_ns, uint64_t first, uint64_t sectors, uint64_t changed,
                     bool dirty)
{
    const struct cow_follow_change change = {at_ns, first, sectors, changed, dirty};
    if (f->facts.known) {
        *(dirty ? &f->facts.newly_dirty : &f->facts.newly_clean) += changed;
    }
    if (f->options.changed != NULL) {
        f->options.changed(f->options.context, &change);
    }
}

/* The runs that are in a and not in b. */
static void hand_out_runs(struct cow_follow *f, int64_t at_ns, uint64_t page, const uint8_t *a,
                          const uint8_t *b, bool dirty)
{
    const uint32_t bits = bits_of_page(f, page);
    uint32_t first, end;
    for (page_next_run(a, b, bits, 0, &first, &end); first < bits;
         page_next_run(a, b, bits, end, &first, &end)) {
        hand_out(f, at_ns, page * FORMAT_PAGE_BITS + first, end - first, end - first, dirty);
    }
}

/* It stands first, and the one that has not changed for longest goes. */
static void note_hot(struct cow_follow *f, uint64_t page)
{
    size_t at = 0;
    while (at < f->n_hot && f->hot[at] != page) {
        at++;
    }
    if (at == f->n_hot) {
        f->n_hot = (size_t)arith_min(f->n_hot + 1, HOT_PAGES);
        at = f->n_hot - 1;
    }
    memmove(f->hot + 1, f->hot, at * sizeof *f->hot);
    f->hot[0] = page;
}

/* Compares the page that was read with what is kept of it. Returns whether they differ. */
static bool compare_page(struct cow_follow *f, uint64_t page)
{
    const struct kept *kept = f->kept[page];
    const uint32_t was = kept_count(kept), now = page_count(f->now), bits = bits_of_page(f, page);
    const bool exact = kept_unpack(kept, f->was);
    const bool differs = exact ? memcmp(f->was, f->now, sizeof f->now) != 0 : !kept_is_same(kept, f->now);
    if (differs && (f->facts.known || f->options.tells_first)) {
        const int64_t at_ns = clock_ns(f);
        note_hot(f, page);
        if (exact) {
            hand_out_runs(f, at_ns, page, f->now, f->was, true);
            hand_out_runs(f, at_ns, page, f->was, f->now, false);
        } else if (was != now) {
            hand_out(f, at_ns, page * FORMAT_PAGE_BITS, bits, now > was ? now - was : was - now, now > was);
        }
    }
    return differs;
}

static int keep_page(struct cow_follow *f, uint64_t page, struct cow_error *err)
{
    struct kept *old = f->kept[page], *kept;
    const size_t others = f->facts.kept_bytes - kept_bytes(old);
    const size_t room = f->options.memory_bytes > others ? f->options.memory_bytes - others : 0;
    if (kept_make(&kept, f->now, bits_of_page(f, page), room) < 0) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    f->facts.dirty_sectors += kept_count(kept);
    f->facts.dirty_sectors -= kept_count(old);
    f->facts.kept_bytes = others + kept_bytes(kept);
    f->kept[page] = kept;
    free(old);
    return 0;
}

/* is_hole: it has no bits, and need not be read. */
static int read_page(struct cow_follow *f, uint64_t page, bool is_hole, struct cow_error *err)
{
    const uint32_t bits = bits_of_page(f, page);
    const size_t n_bytes = is_hole ? 0 : (bits + 7) / 8;
    int status = is_hole ? 0 : f->disk.driver->fill_bits(&f->disk, &f->file, page, f->now, n_bytes);
    if (status < 0) {
        return cow_error_system(err, -status, "%s: reading the bitmap", f->img->path);
    }
    memset(f->now + n_bytes, 0, sizeof f->now - n_bytes);
    if (!is_hole && bits % 8 != 0) {
        f->now[bits / 8] = (uint8_t)(f->now[bits / 8] & ((1u << bits % 8) - 1));
    }
    f->facts.read_bytes += n_bytes;
    return compare_page(f, page) ? keep_page(f, page, err) : 0;
}

static int guess_page(struct cow_follow *f, uint64_t page, struct cow_error *err)
{
    uint64_t pages;
    if (page >= f->guess.first && page < f->guess.end) {
        return 0;
    }
    int status = f->disk.driver->guess_bits(&f->disk, &f->file, page, &f->guess.bits, &pages);
    if (status < 0) {
        return cow_error_system(err, -status, "%s: looking for holes in the bitmap", f->img->path);
    }
    f->guess.first = page;
    f->guess.end = page + arith_min(pages, f->facts.pages - page);
    return 0;
}

static bool is_skipped(const struct cow_follow *f, uint64_t page)
{
    if (f->guess.bits == FORMAT_BITS_CLEAR) {
        return f->kept[page] == NULL;
    }
    return !f->reads_full && kept_count(f->kept[page]) == bits_of_page(f, page);
}

/* The next page that is to be read. */
static int next_page(struct cow_follow *f, struct cow_error *err)
{
    uint64_t *page = &f->facts.page;
    int status = guess_page(f, *page, err);
    while (status == 0 && *page < f->guess.end && is_skipped(f, *page)) {
        ++*page;
    }
    if (status == 0 && *page < f->guess.end) {
        status = read_page(f, *page, f->guess.bits == FORMAT_BITS_CLEAR, err);
        ++*page;
    }
    return status;
}

static void end_round(struct cow_follow *f, int64_t now_ns)
{
    f->facts.is_busy = false;
    if (f->is_short) {
        return;
    }
    f->facts.known = true;
    f->facts.rounds++;
    f->next_round_ns = now_ns + PAUSES * f->took_ns;
    if (f->reads_full) {
        const int64_t slow = FULL_PAUSES * f->took_ns;
        f->next_full_ns = now_ns + (slow > FULL_SECONDS * second_ns ? slow : FULL_SECONDS * second_ns);
    }
}

int cow_follow_step(struct cow_follow *f, bool *more, struct cow_error *err)
{
    const int64_t now_ns = clock_ns(f);
    int status = 0;
    *more = false;
    if (!f->facts.is_busy) {
        /* A clock that was set back must not keep us waiting for long. */
        const bool is_set_back = f->facts.next_look_ns - now_ns > FULL_PAUSES * f->options.interval_ns;
        if (!f->hurry && now_ns < f->facts.next_look_ns && !is_set_back) {
            return 0;
        }
        status = look(f, now_ns, err);
    } else if (f->is_short && f->hot_at < f->n_hot) {
        status = read_page(f, f->hot[f->hot_at++], false, err);
    } else if (!f->is_short && f->facts.page < f->facts.pages) {
        status = next_page(f, err);
    }
    if (status != 0) {
        return status;
    }
    const int64_t after_ns = clock_ns(f);
    f->took_ns += after_ns > now_ns ? after_ns - now_ns : 0;
    if (f->facts.is_busy && (f->is_short ? f->hot_at >= f->n_hot : f->facts.page >= f->facts.pages)) {
        end_round(f, after_ns);
    }
    *more = f->facts.is_busy;
    return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The next place of a kind, and the one before, as seen from the selected sector. A place is a stretch of one
 * kind, so the one that the selection lies in is passed first, and going back ends at a beginning. Where
 * bytes have to be compared that may take long: it tells how far it is, and Esc stops it.
 */
#include <inttypes.h>
#include <string.h>

#include "tui/app/app.h"
#include "tui/screen/clock.h"

enum { PIECE_BYTES = 1024 * 1024 };

enum next_kind { NEXT_CHANGED, NEXT_REDUNDANT, NEXT_MIXED, NEXT_FINDING, NEXT_OWNER, NEXT_KINDS };

/* Looking for something. */
struct search {
    struct tui_app *app;
    struct cow_image *image;
    struct tui_waiting waiting;
    const char *what; /* for the progress */
    uint64_t from;    /* the selected sector */
    bool found;
    uint64_t sector; /* what was found */
    struct cow_error err;
};

static int find_at(struct search *search, uint64_t sector)
{
    search->found = true;
    search->sector = sector;
    return 0;
}

static int look_in(struct search *search, uint64_t sector, bool back)
{
    uint64_t end = tui_app_sectors(search->app);
    uint64_t done = back ? search->from - sector : sector - search->from;
    uint64_t total = back ? search->from : end - search->from;

    return tui_app_look_in(&search->waiting, search->what, done, total)
               ? cow_error_set(&search->err, COW_CANCELLED, "stopped; the cursor has not moved")
               : 0;
}

/* ---- by what a comparison says ---- */

/* Stretches of one origin that begin in a part of the disk. All from the selection up to `passed` are of that
 * origin: what goes on there is none. */
struct stretches {
    enum cow_origin origin;
    uint64_t passed;
    bool any;
    uint64_t first, last; /* beginnings */
    uint64_t end;         /* of the last one */
};

static int walk_stretches(struct search *search, struct cow_scan *reader, uint64_t at, uint64_t end,
                          bool first_only, struct stretches *out)
{
    struct cow_run run;

    out->any = false;
    while (at < end) {
        int status = cow_scan_run(reader, at, &run, &search->err);
        if (status || run.sectors == 0)
            return status;
        bool is_one = run.origin == out->origin;
        if (is_one && at != out->passed) {
            bool goes_on = out->any && out->end == at;
            out->first = out->any ? out->first : at;
            out->last = goes_on ? out->last : at;
            out->any = true;
            out->end = at + run.sectors;
            if (first_only)
                return 0;
        }
        at += run.sectors;
        if (is_one && run.first_sector == out->passed)
            out->passed = at;
    }
    return 0;
}

static uint64_t piece_sectors(const struct search *search)
{
    return PIECE_BYTES / cow_image_header(search->image)->sector_bytes;
}

static int compare_on(struct search *search, struct cow_scan *reader, enum cow_origin origin)
{
    struct stretches found = {.origin = origin, .passed = search->from};
    struct cow_dirty_run dirty = {search->from, 0};
    uint64_t at = search->from, piece = piece_sectors(search);

    for (;;) {
        int status = cow_image_next_dirty(search->image, at, &dirty, &search->err);
        if (status || dirty.sectors == 0)
            return status;
        at = dirty.first_sector;
        status = look_in(search, at, false);
        if (status == 0)
            status = walk_stretches(search, reader, at, at / piece * piece + piece, true, &found);
        if (status)
            return status;
        if (found.any)
            return find_at(search, found.first);
        at = at / piece * piece + piece;
        if (found.passed > at) /* a run is not cut where a piece ends */
            at = found.passed;
    }
}

/* The stretch may begin in a piece before the one that it was found in. */
static int compare_back(struct search *search, struct cow_scan *reader, enum cow_origin origin)
{
    uint64_t end = search->from, piece = piece_sectors(search);
    bool goes_on = false;

    while (end > 0) {
        struct cow_dirty_run dirty = {0, 0};
        struct stretches found = {.origin = origin, .passed = UINT64_MAX};
        int status = cow_image_prev_dirty(search->image, end, &dirty, &search->err);
        if (status || dirty.sectors == 0)
            return status;
        uint64_t last = dirty.first_sector + dirty.sectors < end ? dirty.first_sector + dirty.sectors : end;
        if (goes_on && last < end)
            return 0;
        uint64_t from = (last - 1) / piece * piece;
        status = look_in(search, from, true);
        if (status == 0)
            status = walk_stretches(search, reader, from, last, false, &found);
        if (status)
            return status;
        if (goes_on && (!found.any || found.end < end))
            return 0;
        if (found.any)
            find_at(search, found.last);
        if (found.any && found.last > from)
            return 0;
        goes_on = found.any;
        end = from;
    }
    return 0;
}

static int find_compared(struct search *search, enum next_kind kind, bool back)
{
    enum cow_origin origin = kind == NEXT_CHANGED ? COW_ORIGIN_CHANGED : COW_ORIGIN_REDUNDANT;
    struct cow_scan *reader = NULL;
    int status = cow_scan_open(&reader, search->image, &search->err);

    if (status == 0)
        status = back ? compare_back(search, reader, origin) : compare_on(search, reader, origin);
    cow_scan_close(reader);
    return status;
}

/* ---- by bits ---- */

static uint64_t page_of(const struct search *search, uint64_t sector)
{
    uint64_t page = COW_PAGE_BYTES / cow_image_header(search->image)->sector_bytes;

    return page > 0 ? sector / page * page : sector;
}

/* The page of a sector is mixed, and begins before another one. */
static bool is_mixed(struct search *search, uint64_t sector, uint64_t before)
{
    struct cow_dirty_run page = {0, 0};
    uint64_t first = page_of(search, sector);

    return first < before && cow_image_next_mixed(search->image, first, &page, NULL) == 0 &&
           page.sectors > 0 && page.first_sector == first && find_at(search, first) == 0;
}

/* Mixed pages lie where runs begin and end. */
static int mixed_back(struct search *search)
{
    uint64_t here = page_of(search, search->from), end = here;

    while (end > 0) {
        struct cow_dirty_run dirty = {0, 0};
        int status = cow_image_prev_dirty(search->image, end, &dirty, &search->err);
        if (status || dirty.sectors == 0)
            return status;
        uint64_t last = dirty.first_sector + dirty.sectors - 1;
        if (last < end && is_mixed(search, last, here))
            return 0;
        if (is_mixed(search, dirty.first_sector, here))
            return 0;
        end = dirty.first_sector;
        status = look_in(search, end, true);
        if (status)
            return status;
    }
    return 0;
}

static int find_mixed(struct search *search, enum next_kind kind, bool back)
{
    uint64_t page = COW_PAGE_BYTES / cow_image_header(search->image)->sector_bytes;
    struct cow_dirty_run found = {0, 0};

    (void)kind;
    if (page == 0)
        return 0;
    if (back)
        return mixed_back(search);
    int status =
        cow_image_next_mixed(search->image, page_of(search, search->from) + page, &found, &search->err);
    return status == 0 && found.sectors > 0 ? find_at(search, found.first_sector) : status;
}

/* ---- by what others know ---- */

static int find_finding(struct search *search, enum next_kind kind, bool back)
{
    const struct tui_check *check = &search->app->check;

    (void)kind;
    if (!check->known || !tui_job_is_current(&check->job)) {
        cow_error_set(&search->err, COW_USAGE, "what is wrong is not known yet");
        return cow_error_hint(&search->err, "5 looks for it");
    }
    for (size_t i = 0; i < check->result.findings; i++) {
        const struct cow_finding *finding = &check->result.finding[i];
        uint64_t sector = finding->first_sector;
        if (finding->sectors == 0 || (back ? sector >= search->from : sector <= search->from))
            continue;
        if (!search->found || (back ? sector > search->sector : sector < search->sector))
            find_at(search, sector);
    }
    return 0;
}

static bool same_owner(const struct cow_fs_owner *a, const struct cow_fs_owner *b)
{
    return a->fs_class == b->fs_class && a->volume == b->volume && a->inode == b->inode;
}

static int owner_on(struct search *search, const struct cow_fs_owner *here, uint64_t sector_bytes)
{
    struct cow_fs_owner next;
    uint64_t at = search->from * sector_bytes;

    do {
        int status = cow_fs_owner_next(search->app->files.scan, at, &next, &search->err);
        if (status || next.length_bytes == 0)
            return status;
        at = next.first_byte + next.length_bytes;
    } while (same_owner(here, &next) || next.first_byte / sector_bytes <= search->from);
    return find_at(search, next.first_byte / sector_bytes);
}

static int owner_back(struct search *search, const struct cow_fs_owner *here, uint64_t sector_bytes)
{
    uint64_t end = search->from;
    struct cow_dirty_run dirty = {0, 0};
    struct cow_fs_owner owner;

    while (end > 0) {
        int status = cow_image_prev_dirty(search->image, end, &dirty, &search->err);
        if (status || dirty.sectors == 0)
            return status;
        uint64_t last = dirty.first_sector + dirty.sectors < end ? dirty.first_sector + dirty.sectors : end;
        status = cow_fs_owner_at(search->app->files.scan, (last - 1) * sector_bytes, &owner, &search->err);
        if (status)
            return status;
        uint64_t first = owner.first_byte / sector_bytes;
        end = first > dirty.first_sector && first < last ? first : dirty.first_sector;
        if (!same_owner(here, &owner))
            return find_at(search, end);
    }
    return 0;
}

static int find_owner(struct search *search, enum next_kind kind, bool back)
{
    uint64_t sector_bytes = cow_image_header(search->image)->sector_bytes;
    struct cow_fs_owner here;

    (void)kind;
    if (!tui_files_known(&search->app->files)) {
        cow_error_set(&search->err, COW_USAGE, "whose what is has not been read yet");
        return cow_error_hint(&search->err, "4, or c on the Map, reads it");
    }
    int status = cow_fs_owner_at(search->app->files.scan, search->from * sector_bytes, &here, &search->err);
    if (status)
        return status;
    return back ? owner_back(search, &here, sector_bytes) : owner_on(search, &here, sector_bytes);
}

static const struct {
    const char *name;
    int (*find)(struct search *search, enum next_kind kind, bool back);
} kinds[NEXT_KINDS] = {
    [NEXT_CHANGED] = {"changed", find_compared}, [NEXT_REDUNDANT] = {"redundant", find_compared},
    [NEXT_MIXED] = {"mixed", find_mixed},        [NEXT_FINDING] = {"finding", find_finding},
    [NEXT_OWNER] = {"owner", find_owner},
};

/* What was found is seen: on the Map, if not here. */
static void show_place(struct tui_app *app, uint64_t sector)
{
    const struct tui_view *top = tui_app_top(app);

    if (!(top->view_class->contexts(app, top->state) & TUI_IN_RUNS))
        tui_app_show_tab(app, TUI_TAB_MAP, true);
    tui_app_select(app, sector);
}

static enum tui_result look_for(struct tui_app *app, bool back)
{
    enum next_kind kind = (enum next_kind)app->asked.kind;
    struct search search = {.app = app,
                            .image = app->subject.image,
                            .waiting = {.app = app, .looked = tui_clock()},
                            .what = kinds[kind].name,
                            .from = app->sector};

    if (tui_app_sectors(app) == 0)
        return TUI_NOTHING;
    if (kinds[kind].find(&search, kind, back))
        tui_app_error(app, &search.err);
    else if (search.found)
        show_place(app, search.sector);
    else
        tui_app_say(app, TUI_DIM, back ? "nothing before this is %s%s" : "nothing behind this is %s%s",
                    kind == NEXT_FINDING ? "a "
                    : kind == NEXT_OWNER ? "another "
                                         : "",
                    kinds[kind].name);
    return TUI_REDRAW;
}

enum tui_result tui_app_do_next(struct tui_app *app, int back, const char *kind)
{
    for (int i = 0; i < NEXT_KINDS; i++) {
        if (kind && strcmp(kinds[i].name, kind) == 0) {
            app->asked = (struct tui_asked){.again = look_for, .kind = i};
            return look_for(app, back);
        }
    }
    tui_app_say(app, TUI_BAD, "which kind? changed, redundant, mixed, finding or owner");
    return TUI_REDRAW;
}

enum tui_result tui_app_do_again(struct tui_app *app, int back, const char *argument)
{
    (void)argument;
    if (app->asked.again)
        return app->asked.again(app, back);
    tui_app_say(app, TUI_DIM, "nothing was asked for yet: / and :next do");
    return TUI_REDRAW;
}

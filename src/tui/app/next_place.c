/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The next place of a kind, and the one before, as seen from the selected sector. A place is a stretch of one
 * kind, so the one that the selection lies in is passed first, and going back ends at a beginning. Where
 * bytes have to be compared that may take long: so it is a job, of steps that know of none (a fiber); it
 * tells how far it is, and Esc stops it.
 */
#include <inttypes.h>
#include <string.h>

#include "tui/app/app.h"

enum { PIECE_BYTES = 1024 * 1024 };

enum next_kind { NEXT_CHANGED, NEXT_REDUNDANT, NEXT_MIXED, NEXT_FINDING, NEXT_OWNER, NEXT_KINDS };

static int find_at(struct tui_next *next, uint64_t sector)
{
    next->found = true;
    next->sector = sector;
    return 0;
}

/* Between two steps: how far it is, and whether it shall end. Here the fiber is left. */
static int look_in(struct tui_next *next, uint64_t sector, bool back)
{
    uint64_t end = tui_app_sectors(next->app);
    const struct cow_progress progress = {.done_bytes = back ? next->from - sector : sector - next->from,
                                          .total_bytes = back ? next->from : end - next->from};

    return tui_job_look_in(&next->job, &progress)
               ? cow_error_set(&next->job.error, COW_CANCELLED, "stopped; the cursor has not moved")
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

static int walk_stretches(struct tui_next *next, struct cow_scan *reader, uint64_t at, uint64_t end,
                          bool first_only, struct stretches *out)
{
    struct cow_run run;

    out->any = false;
    while (at < end) {
        int status = cow_scan_run(reader, at, &run, &next->job.error);
        if (status != 0 || run.sectors == 0) {
            return status;
        }
        bool is_one = run.origin == out->origin;
        if (is_one && at != out->passed) {
            bool goes_on = out->any && out->end == at;
            out->first = out->any ? out->first : at;
            out->last = goes_on ? out->last : at;
            out->any = true;
            out->end = at + run.sectors;
            if (first_only) {
                return 0;
            }
        }
        at += run.sectors;
        if (is_one && run.first_sector == out->passed) {
            out->passed = at;
        }
    }
    return 0;
}

static uint64_t piece_sectors(const struct tui_next *next)
{
    return PIECE_BYTES / cow_image_header(next->app->subject.image)->sector_bytes;
}

static int compare_on(struct tui_next *next, struct cow_scan *reader, enum cow_origin origin)
{
    struct stretches found = {.origin = origin, .passed = next->from};
    struct cow_dirty_run dirty = {next->from, 0};
    uint64_t at = next->from, piece = piece_sectors(next);

    for (;;) {
        int status = cow_image_next_dirty(next->app->subject.image, at, &dirty, &next->job.error);
        if (status != 0 || dirty.sectors == 0) {
            return status;
        }
        at = dirty.first_sector;
        status = look_in(next, at, false);
        if (status == 0) {
            status = walk_stretches(next, reader, at, at / piece * piece + piece, true, &found);
        }
        if (status != 0) {
            return status;
        }
        if (found.any) {
            return find_at(next, found.first);
        }
        at = at / piece * piece + piece;
        if (found.passed > at) { /* a run is not cut where a piece ends */
            at = found.passed;
        }
    }
}

/* The stretch may begin in a piece before the one that it was found in. */
static int compare_back(struct tui_next *next, struct cow_scan *reader, enum cow_origin origin)
{
    uint64_t end = next->from, piece = piece_sectors(next);
    bool goes_on = false;

    while (end > 0) {
        struct cow_dirty_run dirty = {0, 0};
        struct stretches found = {.origin = origin, .passed = UINT64_MAX};
        int status = cow_image_prev_dirty(next->app->subject.image, end, &dirty, &next->job.error);
        if (status != 0 || dirty.sectors == 0) {
            return status;
        }
        uint64_t last = dirty.first_sector + dirty.sectors < end ? dirty.first_sector + dirty.sectors : end;
        if (goes_on && last < end) {
            return 0;
        }
        uint64_t from = (last - 1) / piece * piece;
        status = look_in(next, from, true);
        if (status == 0) {
            status = walk_stretches(next, reader, from, last, false, &found);
        }
        if (status != 0) {
            return status;
        }
        if (goes_on && (!found.any || found.end < end)) {
            return 0;
        }
        if (found.any) {
            find_at(next, found.last);
        }
        if (found.any && found.last > from) {
            return 0;
        }
        goes_on = found.any;
        end = from;
    }
    return 0;
}

static int find_compared(struct tui_next *next, int kind, bool back)
{
    enum cow_origin origin = kind == NEXT_CHANGED ? COW_ORIGIN_CHANGED : COW_ORIGIN_REDUNDANT;
    struct cow_scan *reader = NULL;
    int status = cow_scan_open(&reader, next->app->subject.image, &next->job.error);

    if (status == 0) {
        status = back ? compare_back(next, reader, origin) : compare_on(next, reader, origin);
    }
    cow_scan_close(reader);
    return status;
}

/* ---- by bits ---- */

static uint64_t page_of(const struct tui_next *next, uint64_t sector)
{
    uint64_t page = COW_PAGE_BYTES / cow_image_header(next->app->subject.image)->sector_bytes;

    return page > 0 ? sector / page * page : sector;
}

/* The page of a sector is mixed, and begins before another one. */
static bool is_mixed(struct tui_next *next, uint64_t sector, uint64_t before)
{
    struct cow_dirty_run page = {0, 0};
    uint64_t first = page_of(next, sector);

    return first < before && cow_image_next_mixed(next->app->subject.image, first, &page, NULL) == 0 &&
           page.sectors > 0 && page.first_sector == first && find_at(next, first) == 0;
}

/* Mixed pages lie where runs begin and end. */
static int mixed_back(struct tui_next *next)
{
    uint64_t here = page_of(next, next->from), end = here;

    while (end > 0) {
        struct cow_dirty_run dirty = {0, 0};
        int status = cow_image_prev_dirty(next->app->subject.image, end, &dirty, &next->job.error);
        if (status != 0 || dirty.sectors == 0) {
            return status;
        }
        uint64_t last = dirty.first_sector + dirty.sectors - 1;
        if (last < end && is_mixed(next, last, here)) {
            return 0;
        }
        if (is_mixed(next, dirty.first_sector, here)) {
            return 0;
        }
        end = dirty.first_sector;
        status = look_in(next, end, true);
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

static int find_mixed(struct tui_next *next, int kind, bool back)
{
    uint64_t page = COW_PAGE_BYTES / cow_image_header(next->app->subject.image)->sector_bytes;
    struct cow_dirty_run found = {0, 0};

    (void)kind;
    if (page == 0) {
        return 0;
    }
    if (back) {
        return mixed_back(next);
    }
    int status = cow_image_next_mixed(next->app->subject.image, page_of(next, next->from) + page, &found,
                                      &next->job.error);
    return status == 0 && found.sectors > 0 ? find_at(next, found.first_sector) : status;
}

/* ---- by what others know ---- */

static int find_finding(struct tui_next *next, int kind, bool back)
{
    const struct tui_check *check = &next->app->check;

    (void)kind;
    if (!check->known || !tui_job_is_current(&check->job)) {
        cow_error_set(&next->job.error, COW_USAGE, "what is wrong is not known yet");
        return cow_error_hint(&next->job.error, "5 looks for it");
    }
    for (size_t i = 0; i < check->result.findings; i++) {
        const struct cow_finding *finding = &check->result.finding[i];
        uint64_t sector = finding->first_sector;
        if (finding->sectors == 0 || (back ? sector >= next->from : sector <= next->from)) {
            continue;
        }
        if (!next->found || (back ? sector > next->sector : sector < next->sector)) {
            find_at(next, sector);
        }
    }
    return 0;
}

static bool same_owner(const struct cow_fs_owner *a, const struct cow_fs_owner *b)
{
    return a->fs_class == b->fs_class && a->volume == b->volume && a->inode == b->inode;
}

static int owner_on(struct tui_next *next, const struct cow_fs_owner *here, uint64_t sector_bytes)
{
    struct cow_fs_owner owner;
    uint64_t at = next->from * sector_bytes;

    do {
        int status = cow_fs_owner_next(next->app->files.scan, at, &owner, &next->job.error);
        if (status == 0) {
            status = look_in(next, at / sector_bytes, false);
        }
        if (status != 0 || owner.length_bytes == 0) {
            return status;
        }
        at = owner.first_byte + owner.length_bytes;
    } while (same_owner(here, &owner) || owner.first_byte / sector_bytes <= next->from);
    return find_at(next, owner.first_byte / sector_bytes);
}

static int owner_back(struct tui_next *next, const struct cow_fs_owner *here, uint64_t sector_bytes)
{
    uint64_t end = next->from;
    struct cow_dirty_run dirty = {0, 0};
    struct cow_fs_owner owner;

    while (end > 0) {
        int status = cow_image_prev_dirty(next->app->subject.image, end, &dirty, &next->job.error);
        if (status != 0 || dirty.sectors == 0) {
            return status;
        }
        uint64_t last = dirty.first_sector + dirty.sectors < end ? dirty.first_sector + dirty.sectors : end;
        status = cow_fs_owner_at(next->app->files.scan, (last - 1) * sector_bytes, &owner, &next->job.error);
        if (status != 0) {
            return status;
        }
        uint64_t first = owner.first_byte / sector_bytes;
        end = first > dirty.first_sector && first < last ? first : dirty.first_sector;
        if (!same_owner(here, &owner)) {
            return find_at(next, end);
        }
        status = look_in(next, end, true);
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

static int find_owner(struct tui_next *next, int kind, bool back)
{
    uint64_t sector_bytes = cow_image_header(next->app->subject.image)->sector_bytes;
    struct cow_fs_owner here;

    (void)kind;
    if (!tui_files_known(&next->app->files)) {
        cow_error_set(&next->job.error, COW_USAGE, "whose what is has not been read yet");
        return cow_error_hint(&next->job.error, "4, or c on the Map, reads it");
    }
    int status = cow_fs_owner_at(next->app->files.scan, next->from * sector_bytes, &here, &next->job.error);
    if (status != 0) {
        return status;
    }
    return back ? owner_back(next, &here, sector_bytes) : owner_on(next, &here, sector_bytes);
}

static const struct {
    const char *name;
    int (*find)(struct tui_next *next, int kind, bool back);
} kinds[NEXT_KINDS] = {
    [NEXT_CHANGED] = {"changed", find_compared}, [NEXT_REDUNDANT] = {"redundant", find_compared},
    [NEXT_MIXED] = {"mixed", find_mixed},        [NEXT_FINDING] = {"finding", find_finding},
    [NEXT_OWNER] = {"owner", find_owner},
};

/* What was found is seen: on the Map, if not here. */
static void show_place(struct tui_app *app, uint64_t sector)
{
    const struct tui_view *top = tui_app_top(app);

    if ((top->view_class->contexts(app, top->state) & TUI_IN_RUNS) == 0) {
        tui_app_show_tab(app, TUI_TAB_MAP, true);
    }
    tui_app_select(app, sector);
}

/* ---- the job ---- */

static void look(void *owner)
{
    struct tui_next *next = owner;
    int status = kinds[next->kind].find(next, next->kind, next->back);

    next->job.state = tui_job_shall_stop(&next->job) ? TUI_JOB_STOPPED
                      : status != 0                  ? TUI_JOB_FAILED
                                                     : TUI_JOB_DONE;
}

static bool next_waits(const void *owner)
{
    const struct tui_next *next = owner;

    return next->asked;
}

static void next_slice(void *owner)
{
    struct tui_next *next = owner;

    next->asked = false;
    tui_job_go_on(&next->job, look);
}

static void next_forget(void *owner)
{
    struct tui_next *next = owner;

    tui_job_halt(&next->job);
    next->asked = false;
    next->job.state = TUI_JOB_OFF;
}

/* It goes on beside whatever fiber runs: nobody who asks for a place waits until all files have been read. */
static const struct tui_job_class next_class = {
    .waits = next_waits, .slice = next_slice, .forget = next_forget};

void tui_next_init(struct tui_app *app)
{
    tui_job_init(&app->next.job, &next_class, &app->next, &app->subject);
    app->next.app = app;
}

void tui_app_end_next(struct tui_app *app)
{
    struct tui_next *next = &app->next;
    const struct tui_place left = tui_places_now(app);

    if (next->job.state == TUI_JOB_STOPPED) {
        tui_app_say(app, TUI_DIM, "stopped; the cursor has not moved");
    } else if (next->job.state == TUI_JOB_FAILED) {
        tui_app_error(app, &next->job.error);
    } else if (next->found) {
        show_place(app, next->sector);
        tui_places_leave(app, &left);
    } else {
        tui_app_say(app, TUI_DIM, next->back ? "nothing before this is %s%s" : "nothing behind this is %s%s",
                    next->kind == NEXT_FINDING ? "a "
                    : next->kind == NEXT_OWNER ? "another "
                                               : "",
                    kinds[next->kind].name);
    }
    app->redraw = true;
}

static enum tui_result look_for(struct tui_app *app, bool back)
{
    if (tui_app_sectors(app) == 0) {
        return TUI_NOTHING;
    }
    next_forget(&app->next);
    app->next.kind = app->asked.kind;
    app->next.back = back;
    app->next.from = app->sector;
    app->next.found = false;
    app->next.asked = true;
    return TUI_REDRAW;
}

enum tui_result tui_app_do_next(struct tui_app *app, int back, const char *kind)
{
    for (int i = 0; i < NEXT_KINDS; i++) {
        if (kind != NULL && strcmp(kinds[i].name, kind) == 0) {
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
    if (app->asked.again != NULL) {
        return app->asked.again(app, back);
    }
    tui_app_say(app, TUI_DIM, "nothing was asked for yet: / and :next do");
    return TUI_REDRAW;
}

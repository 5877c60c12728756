/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A slice is some steps of the core's follower. What it finds goes at once to whoever keeps counts: the
 * image, the cells of the Map, the runs of Blocks.
 *
 * Whose the new sectors are is known only by reading the guest's filesystem again, for a new file is none
 * that was there. That is done when nothing was written for a moment, and no more often than a tenth of the
 * time may go to it; then each new run is asked for its owners, in slices, too.
 */
#include "tui/jobs/follow_job.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tui/screen/clock.h"

enum {
    GLOWING_MOST = 8192,
    FRESH_MOST = 16384, /* each new one may move all of them */
    SHARES_MOST = 20000,
    LIST_STEP = 256,
    RATE_SECONDS = 5,
    RENEWING_PAUSES = 10,
};

static const int64_t second_ns = 1000000000, interval_ns = 500000000, tick_ns = 100000000;

/* From the brightest on: until when. */
static const double glow_seconds[TUI_GLOWS] = {1.5, 4, 8};
static const double settled_seconds = 1.5;

/* Of a person's clock, or a script's, in seconds. */
static double now_of(const struct tui_follow *follow)
{
    return follow->job.subject->interactive ? tui_clock() : (double)follow->script_ns / (double)second_ns;
}

/* The core's: a script's goes by ticks from the present time on, for files have real dates. */
static int64_t clock_ns(void *context)
{
    const struct tui_follow *follow = context;
    struct timespec now;

    if (!follow->job.subject->interactive) {
        return follow->script_ns;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * second_ns + now.tv_nsec;
}

/* ---- lists of runs ---- */

static bool make_room(struct tui_fresh_list *list)
{
    if (list->n < list->room) {
        return true;
    }
    struct tui_fresh *larger = realloc(list->run, (list->room * 2 + LIST_STEP) * sizeof *larger);
    if (larger == NULL) {
        return false;
    }
    list->run = larger;
    list->room = list->room * 2 + LIST_STEP;
    return true;
}

static void clear_list(struct tui_fresh_list *list)
{
    free(list->run);
    *list = (struct tui_fresh_list){.run = NULL};
}

/* Takes away the first ones. */
static void drop_first(struct tui_fresh_list *list, size_t n)
{
    list->n -= n;
    memmove(list->run, list->run + n, list->n * sizeof *list->run);
}

static void add_glow(struct tui_fresh_list *list, const struct tui_fresh *fresh)
{
    struct tui_fresh *last = list->n > 0 ? &list->run[list->n - 1] : NULL;

    if (last != NULL && last->end == fresh->first && fresh->at - last->at < 0.1) {
        last->end = fresh->end;
        return;
    }
    if (list->n == GLOWING_MOST) {
        drop_first(list, GLOWING_MOST / 4);
    }
    if (make_room(list)) {
        list->run[list->n++] = *fresh;
    }
}

/* The first run that ends at or behind a sector. */
static size_t find_place(const struct tui_fresh_list *list, uint64_t sector)
{
    size_t low = 0, high = list->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->run[middle].end < sector) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Joined to those that it touches. */
static void add_fresh(struct tui_fresh_list *list, struct tui_fresh fresh)
{
    size_t at = find_place(list, fresh.first), end = at;

    for (; end < list->n && list->run[end].first <= fresh.end; end++) {
        fresh.first = list->run[end].first < fresh.first ? list->run[end].first : fresh.first;
        fresh.end = list->run[end].end > fresh.end ? list->run[end].end : fresh.end;
    }
    if (end == at && (list->n == FRESH_MOST || !make_room(list))) {
        list->is_cut = true;
        return;
    }
    memmove(list->run + at + 1, list->run + end, (list->n - end) * sizeof *list->run);
    list->run[at] = fresh;
    list->n = list->n + 1 - (end - at);
}

/* ---- whose it is ---- */

static void clear_tally(struct tui_follow *follow)
{
    for (size_t i = 0; i < follow->tally.n; i++) {
        free(follow->tally.share[i].path);
    }
    follow->tally.n = follow->tally.run = 0;
    follow->tally.at = 0;
    follow->tally.known = false;
}

/* There are sectors whose owners nobody has asked for since the filesystem was read. */
static bool tally_waits(const struct tui_follow *follow)
{
    return follow->follow != NULL && follow->fresh.n > 0 && tui_files_known(follow->files) &&
           !(follow->tally.known && follow->tally.files_epoch == follow->files->epoch);
}

static void add_share(struct tui_follow *follow, const struct cow_fs_owner *owner, uint64_t n_bytes)
{
    struct tui_fresh_share *last = follow->tally.n > 0 ? &follow->tally.share[follow->tally.n - 1] : NULL;

    if (last != NULL && last->volume == owner->volume &&
        (owner->path != NULL ? last->path != NULL && strcmp(last->path, owner->path) == 0
                             : last->path == NULL && last->fs_class == owner->fs_class)) {
        last->n_bytes += n_bytes;
        return;
    }
    if (follow->tally.n == follow->tally.room) {
        size_t room = follow->tally.room * 2 + LIST_STEP;
        struct tui_fresh_share *larger =
            room > SHARES_MOST ? NULL : realloc(follow->tally.share, room * sizeof *larger);
        if (larger == NULL) {
            follow->fresh.is_cut = true;
            return;
        }
        follow->tally.share = larger;
        follow->tally.room = room;
    }
    char *path = owner->path != NULL ? strdup(owner->path) : NULL;
    if (path != NULL || owner->path == NULL) {
        follow->tally.share[follow->tally.n++] =
            (struct tui_fresh_share){owner->volume, owner->fs_class, path, n_bytes};
    }
}

/* The next piece of the new runs that is one owner's. */
static void step_tally(struct tui_follow *follow)
{
    const struct cow_header *header = cow_image_header(follow->job.subject->image);
    const struct tui_fresh *run = &follow->fresh.run[follow->tally.run];
    uint64_t from = run->first * header->sector_bytes, end = run->end * header->sector_bytes;
    struct cow_fs_owner owner;

    if (follow->tally.at < from) {
        follow->tally.at = from;
    }
    end = end < header->size_bytes ? end : header->size_bytes;
    if (follow->tally.at >= end ||
        cow_fs_owner_at(follow->files->scan, follow->tally.at, &owner, NULL) != 0 ||
        owner.length_bytes == 0) {
        follow->tally.run++;
        return;
    }
    uint64_t of_owner = owner.first_byte + owner.length_bytes;
    of_owner = of_owner < end ? of_owner : end;
    if (of_owner <= follow->tally.at) {
        of_owner = end;
    }
    add_share(follow, &owner, of_owner - follow->tally.at);
    follow->tally.at = of_owner;
}

static bool tally_some(struct tui_follow *follow, double until)
{
    if (follow->tally.known || follow->tally.files_epoch != follow->files->epoch) {
        clear_tally(follow);
    }
    follow->tally.files_epoch = follow->files->epoch;
    while (follow->tally.run < follow->fresh.n &&
           (!follow->job.subject->interactive || tui_clock() < until)) {
        step_tally(follow);
    }
    follow->tally.known = follow->tally.run >= follow->fresh.n;
    follow->tally.answer += follow->tally.known;
    return follow->tally.known;
}

static bool is_meant(const struct tui_fresh_share *share, int volume, const char *path, size_t n_bytes,
                     bool below)
{
    if (share->volume != volume) {
        return false;
    }
    if (path == NULL) {
        return true;
    }
    return share->path != NULL && strncmp(share->path, path, n_bytes) == 0 &&
           (share->path[n_bytes] == '\0' || (below && share->path[n_bytes] == '/'));
}

uint64_t tui_follow_share(const struct tui_follow *follow, int volume, const char *path, size_t n_bytes,
                          bool below)
{
    uint64_t sum = 0;

    for (size_t i = 0; follow->tally.known && i < follow->tally.n; i++) {
        if (is_meant(&follow->tally.share[i], volume, path, n_bytes, below)) {
            sum += follow->tally.share[i].n_bytes;
        }
    }
    return sum;
}

uint64_t tui_follow_class_share(const struct tui_follow *follow, int volume, enum cow_fs_class fs_class)
{
    uint64_t sum = 0;

    for (size_t i = 0; follow->tally.known && i < follow->tally.n; i++) {
        const struct tui_fresh_share *share = &follow->tally.share[i];
        if (share->path == NULL && share->volume == volume && share->fs_class == fs_class) {
            sum += share->n_bytes;
        }
    }
    return sum;
}

/* The filesystem is read anew when the guest has paused, and that was not just done. */
static void renew_files(struct tui_follow *follow)
{
    double now = now_of(follow), took = follow->job.subject->interactive ? follow->files->took_seconds : 0;

    if (follow->files->stale || follow->fresh.n == 0 || follow->changed <= follow->renewed ||
        now - follow->changed < settled_seconds || now - follow->renewed < RENEWING_PAUSES * took) {
        return;
    }
    follow->renewed = now;
    tui_files_renew(follow->files);
}

/* ---- changes ---- */

static void take_change(void *context, const struct cow_follow_change *change)
{
    struct tui_follow *follow = context;
    const struct tui_subject *subject = follow->job.subject;
    const struct tui_fresh fresh = {change->first_sector, change->first_sector + change->sectors,
                                    now_of(follow)};
    uint64_t n_bytes = change->changed_sectors * cow_image_header(subject->image)->sector_bytes;

    cow_image_bits_changed(subject->image, change->first_sector, change->sectors);
    tui_cells_changed(follow->cells, change->first_sector, change->sectors);
    follow->scan->epoch++; /* runs are other ones now */
    follow->epoch++;
    follow->job.news = true;
    if (!change->dirty) {
        return;
    }
    follow->changed = fresh.at;
    follow->new_sectors += change->changed_sectors;
    follow->new_bytes += n_bytes;
    follow->second[follow->seconds % TUI_FOLLOW_SECONDS] += n_bytes;
    add_glow(&follow->glowing, &fresh);
    add_fresh(&follow->fresh, fresh);
}

static void end_follow(struct tui_follow *follow)
{
    cow_follow_close(follow->follow);
    follow->follow = NULL;
    clear_list(&follow->glowing);
    clear_list(&follow->fresh);
    clear_tally(follow);
    free(follow->tally.share);
    follow->tally.share = NULL;
    follow->tally.room = 0;
    follow->tally.answer++;
    follow->epoch++;
}

static int begin_follow(struct tui_follow *follow, struct cow_error *err)
{
    const struct cow_follow_options options = {
        .changed = take_change, .context = follow, .env = &follow->env, .interval_ns = interval_ns};

    follow->new_sectors = follow->new_bytes = 0;
    follow->seconds = 0;
    follow->begun = follow->changed = follow->renewed = now_of(follow);
    memset(follow->second, 0, sizeof follow->second);
    follow->job.state = TUI_JOB_DONE;
    follow->job.generation = follow->job.subject->generation;
    return cow_follow_open(&follow->follow, follow->job.subject->image, &options, err);
}

/* Steps of the core's, as many as the slice has time for; in a script all. */
static int step_follow(struct tui_follow *follow, double until, struct cow_error *err)
{
    const struct cow_follow_facts *facts = cow_follow_facts(follow->follow);
    bool more = true, known = facts->known;
    int status = 0;

    while (status == 0 && more && (!follow->job.subject->interactive || tui_clock() < until)) {
        status = cow_follow_step(follow->follow, &more, err);
    }
    if (status == 0 && !more && facts->known) {
        tui_cells_told(follow->cells, facts->dirty_sectors);
    }
    if (facts->known != known) {
        follow->begun = now_of(follow);
        follow->job.news = true;
    }
    return status;
}

static bool follow_waits(const void *owner)
{
    const struct tui_follow *follow = owner;

    if (!follow->on || tui_subject_sectors(follow->job.subject) == 0) {
        return false;
    }
    return follow->follow == NULL ||
           clock_ns(follow->env.context) >= cow_follow_facts(follow->follow)->next_look_ns ||
           cow_follow_facts(follow->follow)->is_busy || tally_waits(follow);
}

static void follow_slice(void *owner)
{
    struct tui_follow *follow = owner;
    double until = tui_clock() + tui_slice_seconds;
    int status = follow->follow != NULL ? 0 : begin_follow(follow, &follow->job.error);

    if (status == 0) {
        status = step_follow(follow, until, &follow->job.error);
    }
    if (status == 0 && tally_waits(follow)) {
        follow->job.news |= tally_some(follow, until);
    }
    if (status == 0) {
        renew_files(follow);
        return;
    }
    end_follow(follow);
    follow->on = false;
    follow->job.state = TUI_JOB_FAILED;
    follow->job.complains = follow->job.news = true;
}

static void follow_forget(void *owner)
{
    struct tui_follow *follow = owner;

    end_follow(follow);
    follow->job.state = TUI_JOB_OFF;
}

static const struct tui_job_class follow_class = {
    .waits = follow_waits, .slice = follow_slice, .forget = follow_forget};

void tui_follow_init(struct tui_follow *follow, const struct tui_subject *subject, struct tui_cells *cells,
                     struct tui_scan *scan, struct tui_files *files)
{
    memset(follow, 0, sizeof *follow);
    tui_job_init(&follow->job, &follow_class, follow, subject);
    follow->cells = cells;
    follow->scan = scan;
    follow->files = files;
    follow->env = (struct cow_env){.now_ns = clock_ns, .context = follow};
    follow->script_ns = (int64_t)time(NULL) * second_ns;
}

void tui_follow_toggle(struct tui_follow *follow)
{
    follow->on = !follow->on;
    follow->job.news = true;
    if (!follow->on) {
        follow_forget(follow);
        tui_job_say(&follow->job, TUI_DIM, "no longer followed");
    } else if (tui_subject_sectors(follow->job.subject) == 0) {
        follow->on = false;
        tui_job_say(&follow->job, TUI_WARN, "there is no bitmap to follow yet");
    }
}

/* ---- what time does ---- */

int tui_follow_glow(const struct tui_follow *follow, const struct tui_fresh *fresh)
{
    double age = now_of(follow) - fresh->at;

    for (int i = 0; i < TUI_GLOWS; i++) {
        if (age < glow_seconds[i]) {
            return TUI_GLOWS - i;
        }
    }
    return 0;
}

int tui_follow_glow_in(const struct tui_follow *follow, uint64_t first, uint64_t end)
{
    for (size_t i = follow->glowing.n; i-- > 0;) { /* the last ones are the brightest */
        const struct tui_fresh *fresh = &follow->glowing.run[i];
        if (fresh->first < end && fresh->end > first) {
            return tui_follow_glow(follow, fresh);
        }
    }
    return 0;
}

/* Whether one has passed a bound of brightness in the last tenth of a second; those that have faded go. */
static bool fade(struct tui_follow *follow)
{
    const double tick = 0.11, now = now_of(follow);
    size_t faded = 0;
    bool passed = false;

    while (faded < follow->glowing.n && tui_follow_glow(follow, &follow->glowing.run[faded]) == 0) {
        faded++;
    }
    if (faded > 0) {
        drop_first(&follow->glowing, faded);
    }
    for (size_t i = 0; i < follow->glowing.n && !passed; i++) {
        double age = now - follow->glowing.run[i].at;
        for (int step = 0; step < TUI_GLOWS; step++) {
            passed |= age >= glow_seconds[step] && age - tick < glow_seconds[step];
        }
    }
    return passed || faded > 0;
}

/* The history moves on; where there is none to see, nothing does. */
static bool pass_seconds(struct tui_follow *follow)
{
    uint64_t seconds = (uint64_t)(now_of(follow) - follow->begun);
    bool moves = false;

    for (; follow->seconds < seconds; follow->seconds++) {
        for (int i = 0; i < TUI_FOLLOW_SECONDS; i++) {
            moves |= follow->second[i] > 0;
        }
        follow->second[(follow->seconds + 1) % TUI_FOLLOW_SECONDS] = 0;
    }
    return moves;
}

void tui_follow_tick(struct tui_follow *follow)
{
    follow->script_ns += tick_ns;
    if (follow->follow == NULL || !cow_follow_facts(follow->follow)->known) {
        return;
    }
    follow->job.news |= fade(follow);
    follow->job.news |= pass_seconds(follow);
}

uint64_t tui_follow_second(const struct tui_follow *follow, unsigned ago)
{
    return ago > follow->seconds ? 0 : follow->second[(follow->seconds - ago) % TUI_FOLLOW_SECONDS];
}

uint64_t tui_follow_rate(const struct tui_follow *follow)
{
    uint64_t sum = 0, seconds = follow->seconds + 1 < RATE_SECONDS ? follow->seconds + 1 : RATE_SECONDS;

    for (unsigned ago = 0; ago < RATE_SECONDS; ago++) {
        sum += tui_follow_second(follow, ago);
    }
    return sum / seconds;
}

double tui_follow_seconds(const struct tui_follow *follow)
{
    return (double)follow->seconds;
}

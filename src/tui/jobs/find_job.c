/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Finding, in slices. What both sides have as a hole is skipped: forward by asking how far it reaches; back
 * by asking whether a stretch begins with one that fills it, a stretch that is doubled where it does and
 * halved where it does not. Pieces that are read overlap by the length of what is looked for, so that nothing
 * lies between two of them. Going back, owners are walked from the disk's beginning: the last one before is
 * kept.
 */
#include "tui/jobs/find_job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/owner_words.h"
#include "tui/screen/clock.h"

enum { PIECE_BYTES = 128 * 1024, SIDE_BYTES = PIECE_BYTES + TUI_NEEDLE_BYTES, SCRIPT_STEPS = 8 };

static const double find_slice_seconds = 0.01;
static const uint64_t step_most = UINT64_C(1) << 40;

/* ---- what is looked for ---- */

static int digit_of(char c)
{
    const char *digits = "0123456789abcdef", *at = c != '\0' ? strchr(digits, c | 0x20) : NULL;

    return at != NULL ? (int)(at - digits) : -1;
}

/* Pairs of digits; where they are apart, each pair is. False: it is something else. */
static bool read_digits(struct tui_needle *out, const char *text, bool apart)
{
    out->n = 0;
    while (*text != '\0') {
        if (digit_of(text[0]) < 0 || digit_of(text[1]) < 0 || out->n == TUI_NEEDLE_BYTES) {
            return false;
        }
        out->byte[out->n++] = (uint8_t)(digit_of(text[0]) << 4 | digit_of(text[1]));
        text += 2;
        if (apart && *text != '\0' && *text++ != ' ') {
            return false;
        }
    }
    return out->n > 0;
}

bool tui_needle_read(struct tui_needle *out, const char *text)
{
    size_t n = strlen(text);

    if (n > 2 && text[0] == '0' && (text[1] | 0x20) == 'x') {
        return read_digits(out, text + 2, false);
    }
    if (n > 2 && strchr(text, ' ') != NULL && read_digits(out, text, true)) {
        return true;
    }
    if (n > 2 && text[0] == '"' && text[n - 1] == '"') {
        text++;
        n -= 2;
    }
    out->n = n;
    if (n == 0 || n > TUI_NEEDLE_BYTES) {
        return false;
    }
    memcpy(out->byte, text, n);
    return true;
}

/* ---- the disk ---- */

static uint64_t disk_end(const struct tui_find *find)
{
    return cow_image_header(find->job.subject->image)->size_bytes;
}

static void has_found(struct tui_find *find, uint64_t at)
{
    find->found = true;
    find->found_at = at;
    find->job.state = TUI_JOB_DONE;
}

static int side_has_data(struct tui_find *find, enum cow_file side, uint64_t offset, uint64_t *limit,
                         bool *data, struct cow_error *err)
{
    uint64_t end = *limit;
    int status = cow_image_data_at(find->job.subject->image, side, offset, *limit, data, &end, err);

    *limit = status != 0 ? *limit : end;
    return status;
}

static int is_dirty(struct tui_find *find, uint64_t offset, uint64_t *limit, bool *dirty,
                    struct cow_error *err)
{
    const uint64_t sector_bytes = cow_image_header(find->job.subject->image)->sector_bytes;
    struct cow_dirty_run run;
    int status = cow_image_next_dirty(find->job.subject->image, offset / sector_bytes, &run, err);

    if (status != 0) {
        return status;
    }
    *dirty = run.sectors > 0 && run.first_sector <= offset / sector_bytes;
    uint64_t end = *dirty ? run.first_sector + run.sectors : run.first_sector;
    if (run.sectors > 0 && end * sector_bytes < *limit) {
        *limit = end * sector_bytes;
    }
    return 0;
}

/* Whether there is something to look into at a byte, and up to where (at most limit) that is so. Where the
 * COW has nothing, neither a bit nor data, it is not told apart from the backing file. */
static int data_at(struct tui_find *find, uint64_t offset, uint64_t limit, bool *data, uint64_t *end,
                   struct cow_error *err)
{
    bool backing = !find->without_backing;
    int status = side_has_data(find, COW_FILE_COW, offset, &limit, data, err);

    if (status == 0 && !*data && find->kind == TUI_FIND_DIFFERENCE) {
        status = is_dirty(find, offset, &limit, &backing, err);
    }
    if (status == 0 && !*data && backing) {
        status = side_has_data(find, COW_FILE_BACKING, offset, &limit, data, err);
    }
    *end = limit;
    return status;
}

/* Both sides of a stretch, one behind the other in the buffer. */
static int read_sides(struct tui_find *find, uint64_t offset, size_t n_bytes, struct cow_error *err)
{
    struct cow_image *image = find->job.subject->image;
    int status = cow_image_read_file(image, COW_FILE_COW, offset, find->buffer, n_bytes, err);

    if (status != 0 || find->without_backing) {
        return status;
    }
    return cow_image_read_file(image, COW_FILE_BACKING, offset, find->buffer + SIDE_BYTES, n_bytes, err);
}

/* ---- bytes ---- */

/* Where the needle is in a side, the first place or the last; n if nowhere. */
static size_t needle_in(const struct tui_find *find, const uint8_t *side, size_t n)
{
    size_t found = n;

    for (size_t at = 0; at + find->needle.n <= n;) {
        const uint8_t *place = memmem(side + at, n - at, find->needle.byte, find->needle.n);
        if (place == NULL) {
            break;
        }
        found = (size_t)(place - side);
        if (!find->back) {
            break;
        }
        at = found + 1;
    }
    return found;
}

/* Places that begin in [from, to). */
static int look_for_bytes(struct tui_find *find, uint64_t from, uint64_t to, struct cow_error *err)
{
    uint64_t rest = disk_end(find) - to;
    size_t more = rest < find->needle.n - 1 ? (size_t)rest : find->needle.n - 1;
    size_t n = (size_t)(to - from) + more;
    int status = read_sides(find, from, n, err);

    if (status != 0) {
        return status;
    }
    size_t cow = needle_in(find, find->buffer, n);
    size_t backing = find->without_backing ? n : needle_in(find, find->buffer + SIDE_BYTES, n);
    size_t best = cow == n ? backing : backing == n ? cow : (cow < backing) == !find->back ? cow : backing;
    find->in_cow = cow == best;
    find->in_backing = backing == best;
    if (best < n) {
        has_found(find, from + best);
    }
    return 0;
}

/* ---- differences ---- */

static bool differs(const struct tui_find *find, size_t i)
{
    return find->buffer[i] != find->buffer[SIDE_BYTES + i];
}

static void walk_forward(struct tui_find *find, uint64_t from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!differs(find, i)) {
            find->apart++;
            continue;
        }
        if (find->apart >= TUI_FIND_APART_BYTES && from + i > find->from) {
            has_found(find, from + i);
            return;
        }
        find->apart = 0;
    }
}

/* The place's beginning is known when enough before it is the same. */
static void walk_back(struct tui_find *find, uint64_t from, size_t n)
{
    for (size_t i = n; i-- > 0;) {
        if (differs(find, i)) {
            find->has_candidate = true;
            find->found_at = from + i;
            find->apart = 0;
        } else if (find->has_candidate && ++find->apart >= TUI_FIND_APART_BYTES) {
            has_found(find, find->found_at);
            return;
        }
    }
}

/* What is not to be looked into does not differ. */
static int level_holes(struct tui_find *find, uint64_t from, uint64_t to, struct cow_error *err)
{
    bool data;
    int status = 0;

    for (uint64_t at = from, end; status == 0 && at < to; at = end) {
        status = data_at(find, at, to, &data, &end, err);
        if (status == 0 && !data) {
            memcpy(find->buffer + (at - from), find->buffer + SIDE_BYTES + (at - from), (size_t)(end - at));
        }
    }
    return status;
}

static int look_for_difference(struct tui_find *find, uint64_t from, uint64_t to, struct cow_error *err)
{
    int status = read_sides(find, from, (size_t)(to - from), err);

    if (status == 0) {
        status = level_holes(find, from, to, err);
    }
    if (status != 0) {
        return status;
    }
    if (find->back) {
        walk_back(find, from, (size_t)(to - from));
    } else {
        walk_forward(find, from, (size_t)(to - from));
    }
    return 0;
}

static void skip_hole(struct tui_find *find, uint64_t n_bytes)
{
    find->apart += n_bytes;
    if (find->has_candidate && find->apart >= TUI_FIND_APART_BYTES) {
        has_found(find, find->found_at);
    }
}

/* ---- both ---- */

static int look_into(struct tui_find *find, uint64_t from, uint64_t to, struct cow_error *err)
{
    return find->kind == TUI_FIND_BYTES ? look_for_bytes(find, from, to, err)
                                        : look_for_difference(find, from, to, err);
}

static int step_forward(struct tui_find *find, struct cow_error *err)
{
    const uint64_t end = disk_end(find);
    const uint64_t overlap = find->kind == TUI_FIND_BYTES ? find->needle.n - 1 : 0;
    uint64_t to;
    bool data;

    if (find->at >= end) {
        find->job.state = TUI_JOB_DONE;
        return 0;
    }
    int status = data_at(find, find->at, end, &data, &to, err);
    if (status != 0) {
        return status;
    }
    if (!data && to - find->at > overlap) {
        skip_hole(find, to - find->at);
        find->at = to - (to < end ? overlap : 0);
        return 0;
    }
    to = find->at + PIECE_BYTES < end ? find->at + PIECE_BYTES : end;
    status = look_into(find, find->at, to, err);
    find->at = to;
    return status;
}

static int step_back(struct tui_find *find, struct cow_error *err)
{
    const uint64_t overlap = find->kind == TUI_FIND_BYTES ? find->needle.n - 1 : 0;
    uint64_t from = find->at > find->step ? find->at - find->step : 0, to, limit = find->at + overlap;
    bool data;

    if (find->at == 0) {
        find->job.state = TUI_JOB_DONE;
        if (find->has_candidate) {
            has_found(find, find->found_at);
        }
        return 0;
    }
    if (limit > disk_end(find)) {
        limit = disk_end(find);
    }
    int status = data_at(find, from, limit, &data, &to, err);
    if (status != 0) {
        return status;
    }
    if (!data && to == limit) {
        skip_hole(find, find->at - from);
        find->at = from;
        find->step = find->step < step_most ? 2 * find->step : find->step;
        return 0;
    }
    if (find->step > PIECE_BYTES) {
        find->step /= 2;
        return 0;
    }
    status = look_into(find, from, find->at, err);
    find->at = from;
    return status;
}

/* ---- owners ---- */

static bool owner_has(const struct cow_fs_owner *owner, const char *text)
{
    return (owner->path != NULL && strcasestr(owner->path, text) != NULL) ||
           strcasestr(front_owner_class_text(owner), text) != NULL;
}

static int step_owner(struct tui_find *find, struct cow_error *err)
{
    struct cow_fs_owner owner = {.length_bytes = 0};

    if (!tui_files_known(find->files)) {
        const struct tui_job *job = &find->files->job;
        if (tui_job_is_current(job) && job->state != TUI_JOB_RUNNING) {
            return cow_error_set(err, COW_IO, "owners are not known: %s",
                                 job->state == TUI_JOB_FAILED ? job->error.message
                                                              : "reading the filesystem was stopped");
        }
        return 0; /* the other job is asked for as long as this one waits */
    }
    if (find->skips_first) {
        find->skips_first = false;
        int first = cow_fs_owner_at(find->files->scan, find->at, &owner, err);
        find->at = first != 0 ? find->at : owner.first_byte + owner.length_bytes;
        return first;
    }
    int status = cow_fs_owner_next(find->files->scan, find->at, &owner, err);
    if (status != 0) {
        return status;
    }
    if (owner.length_bytes == 0 || (find->back && owner.first_byte >= find->from)) {
        find->found = find->has_candidate;
        find->job.state = TUI_JOB_DONE;
        return 0;
    }
    find->at = owner.first_byte + owner.length_bytes;
    if (!owner_has(&owner, find->text)) {
        return 0;
    }
    find->found_at = owner.first_byte;
    find->has_candidate = true;
    if (!find->back) {
        has_found(find, owner.first_byte);
    }
    return 0;
}

/* ---- the job ---- */

static int step_find(struct tui_find *find, struct cow_error *err)
{
    if (find->kind == TUI_FIND_OWNER) {
        return step_owner(find, err);
    }
    return find->back ? step_back(find, err) : step_forward(find, err);
}

static void tell_find_progress(struct tui_find *find)
{
    struct tui_progress *progress = &find->job.progress;
    bool is_walk_back = find->back && find->kind != TUI_FIND_OWNER;

    progress->total = is_walk_back || find->kind == TUI_FIND_OWNER ? find->from : disk_end(find) - find->from;
    if (find->kind == TUI_FIND_OWNER && !find->back) {
        progress->total = disk_end(find);
    }
    progress->done = is_walk_back                   ? find->from - find->at
                     : find->kind == TUI_FIND_OWNER ? find->at
                     : find->at > find->from        ? find->at - find->from
                                                    : 0;
}

static void find_slice(void *owner)
{
    struct tui_find *find = owner;
    struct tui_job *job = &find->job;
    struct cow_error err = {0};
    double until = tui_clock() + find_slice_seconds;
    int before = tui_job_percent(job), status = 0;

    if (job->stop || !tui_job_is_current(job)) {
        job->state = TUI_JOB_STOPPED;
    }
    for (int i = 0; job->state == TUI_JOB_RUNNING && status == 0 &&
                    (job->subject->interactive ? tui_clock() < until : i < SCRIPT_STEPS);
         i++) {
        status = step_find(find, &err);
        if (find->kind == TUI_FIND_OWNER && !tui_files_known(find->files)) {
            break;
        }
    }
    if (status != 0) {
        job->state = TUI_JOB_FAILED;
        job->error = err;
        job->complains = true;
    }
    tell_find_progress(find);
    job->news |= job->state != TUI_JOB_RUNNING || tui_job_percent(job) != before;
    if (job->state != TUI_JOB_RUNNING) {
        free(find->buffer);
        find->buffer = NULL;
    }
}

static bool find_waits(const void *owner)
{
    (void)owner;
    return false; /* it begins where it is asked for */
}

static void find_forget(void *owner)
{
    struct tui_find *find = owner;

    free(find->buffer);
    find->buffer = NULL;
    find->job.state = TUI_JOB_OFF;
    find->found = false;
}

static const struct tui_job_class find_class = {
    .waits = find_waits, .slice = find_slice, .forget = find_forget};

void tui_find_init(struct tui_find *find, const struct tui_subject *subject, const struct tui_files *files)
{
    memset(find, 0, sizeof *find);
    find->files = files;
    tui_job_init(&find->job, &find_class, find, subject);
}

static void begin_find(struct tui_find *find, enum tui_find_kind kind, uint64_t from, bool back)
{
    uint8_t nothing;

    find_forget(find);
    find->kind = kind;
    find->back = back;
    find->from = find->at = from;
    find->step = PIECE_BYTES;
    find->apart = 0;
    find->has_candidate = find->in_cow = find->in_backing = false;
    find->without_backing = false;
    tui_job_begin(&find->job);
    if (kind == TUI_FIND_OWNER) {
        return;
    }
    find->buffer = malloc(2 * (size_t)SIDE_BYTES);
    int status = find->buffer != NULL ? cow_image_read_file(find->job.subject->image, COW_FILE_BACKING, 0,
                                                            &nothing, 1, &find->job.error)
                                      : cow_error_set(&find->job.error, COW_NO_MEMORY, "out of memory");
    find->without_backing = status != 0 && kind == TUI_FIND_BYTES && find->buffer != NULL;
    if (status != 0 && !find->without_backing) {
        find->job.state = TUI_JOB_FAILED;
        find->job.complains = true;
    }
}

void tui_find_bytes(struct tui_find *find, const struct tui_needle *needle, uint64_t from, bool back)
{
    find->needle = *needle;
    begin_find(find, TUI_FIND_BYTES, from, back);
}

/* It has to be known whether the place where it begins is within a difference. */
void tui_find_difference(struct tui_find *find, uint64_t from, bool back)
{
    begin_find(find, TUI_FIND_DIFFERENCE, from, back);
    if (back) {
        return;
    }
    find->apart = from < TUI_FIND_APART_BYTES ? TUI_FIND_APART_BYTES : 0;
    find->at = from < TUI_FIND_APART_BYTES ? 0 : from - TUI_FIND_APART_BYTES + 1;
}

void tui_find_owner(struct tui_find *find, const char *text, uint64_t from, bool back, bool beyond)
{
    snprintf(find->text, sizeof find->text, "%s", text);
    begin_find(find, TUI_FIND_OWNER, from, back);
    find->at = back ? 0 : from;
    find->skips_first = beyond && !back;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A recording: a follower, and the log that its changes go to. What a round has found is one record, written
 * by one call, so that a log ends with a whole record whenever it is asked; it is brought to the disk every
 * few seconds, for the last ones are worth less than a disk that rests.
 *
 * Nothing that somebody needs is written over. A log that is there already is replaced by force only, and
 * what is no log never: so no image, and no disk below one, can be lost to a name that was mistyped.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/grow.h"
#include "core/history/log.h"
#include "core/history/mark.h"
#include "core/image/image.h"
#include "cow/history.h"

static const int64_t second_ns = 1000000000, millisecond_ns = 1000000;

enum { FLUSH_SECONDS = 5 };

/* What waits to be written, of one kind. */
struct runs {
    struct run_of {
        uint64_t first, sectors;
    } * run;
    size_t n, room;
};

struct cow_recording {
    struct cow_image *img;
    const struct cow_io *io;
    const struct cow_env *env;
    struct cow_follow *follow;
    struct cow_recording_facts facts;
    int64_t interval_ns;
    char *path;
    int fd;
    bool is_new;  /* it was not there before */
    bool is_told; /* the bits at the beginning are written */
    bool is_over; /* its end is noted, or nothing more can be written */
    struct runs dirty, clean;
    uint64_t at_ms, last_ms; /* of what waits, and of what was written last: a clock may be set back */
    int64_t unflushed_ns;    /* since when; 0: all is on the disk */
    struct log_buffer buffer;
    int status; /* of what went wrong between two steps, with: */
    struct cow_error err;
};

static int64_t clock_ns(const struct cow_recording *r)
{
    struct timespec now;
    if (r->env != NULL && r->env->now_ns != NULL) {
        return r->env->now_ns(r->env->context);
    }
    r->io->now(r->io->context, &now);
    return (int64_t)now.tv_sec * second_ns + now.tv_nsec;
}

/* Since it began; time does not go back in a log. */
static uint64_t log_time(const struct cow_recording *r, int64_t at_ns)
{
    const int64_t ms = (at_ns - r->facts.begun_ns) / millisecond_ns;
    return ms > 0 && (uint64_t)ms > r->last_ms ? (uint64_t)ms : r->last_ms;
}

/* ---- writing ---- */

static int flush(struct cow_recording *r, struct cow_error *err)
{
    const int status = r->unflushed_ns != 0 ? io_datasync(r->io, r->fd) : 0;
    r->unflushed_ns = 0;
    return status < 0 ? cow_error_system(err, -status, "%s", r->path) : 0;
}

/* What a full disk has taken of a record is taken away again, where that can be. */
static int append(struct cow_recording *r, const void *bytes, size_t n_bytes, struct cow_error *err)
{
    const int status = io_write(r->io, r->fd, bytes, n_bytes, r->facts.log_bytes);
    if (status < 0) {
        r->is_over = true;
        (void)r->io->ftruncate(r->io->context, r->fd, r->facts.log_bytes);
        cow_error_system(err, -status, "%s", r->path);
        return cow_error_hint(err, "what was written up to now can be replayed");
    }
    r->facts.log_bytes += n_bytes;
    if (r->unflushed_ns == 0) {
        r->unflushed_ns = clock_ns(r);
    }
    return 0;
}

static int write_record(struct cow_recording *r, struct cow_error *err)
{
    log_finish(&r->buffer);
    if (r->buffer.failed) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    return append(r, r->buffer.bytes, r->buffer.n, err);
}

static int by_place(const void *a, const void *b)
{
    const struct run_of *left = a, *right = b;
    return left->first < right->first ? -1 : left->first > right->first;
}

/* How many there are, and each by its distance from the end of the one before. Neighbours are one. */
static void put_runs(struct log_buffer *buffer, struct runs *runs)
{
    size_t n = 0;
    uint64_t at = 0;
    if (runs->n > 0) {
        qsort(runs->run, runs->n, sizeof *runs->run, by_place);
    }
    for (size_t i = 0; i < runs->n; i++) {
        if (n > 0 && runs->run[n - 1].first + runs->run[n - 1].sectors == runs->run[i].first) {
            runs->run[n - 1].sectors += runs->run[i].sectors;
        } else {
            runs->run[n++] = runs->run[i];
        }
    }
    log_put(buffer, n);
    for (size_t i = 0; i < n; i++) {
        log_put(buffer, runs->run[i].first - at);
        log_put(buffer, runs->run[i].sectors);
        at = runs->run[i].first + runs->run[i].sectors;
    }
    runs->n = 0;
}

/* All that waits. */
static int write_waiting(struct cow_recording *r, struct cow_error *err)
{
    if (r->dirty.n + r->clean.n == 0) {
        return 0;
    }
    if (r->is_told) {
        log_begin(&r->buffer, LOG_CHANGE);
        log_put(&r->buffer, r->at_ms);
        r->last_ms = r->at_ms;
        put_runs(&r->buffer, &r->dirty);
        put_runs(&r->buffer, &r->clean);
        r->facts.changes++;
    } else {
        log_begin(&r->buffer, LOG_BITS);
        put_runs(&r->buffer, &r->dirty);
    }
    return write_record(r, err);
}

static void take_change(void *context, const struct cow_follow_change *change)
{
    struct cow_recording *r = context;
    struct runs *runs = change->dirty ? &r->dirty : &r->clean;
    if (r->status != 0) {
        return;
    }
    if (change->changed_sectors < change->sectors) {
        r->status = cow_error_set(&r->err, COW_NO_MEMORY,
                                  "%s: its bits are in more pieces than there is memory for, and so it is no "
                                  "longer recorded",
                                  r->img->path);
        return;
    }
    if (r->dirty.n + r->clean.n == 0) {
        r->at_ms = log_time(r, change->at_ns);
    }
    struct run_of *grown = grow_array(runs->run, runs->n, &runs->room, sizeof *grown);
    if (grown == NULL) {
        r->status = cow_error_set(&r->err, COW_NO_MEMORY, "out of memory");
        return;
    }
    runs->run = grown;
    runs->run[runs->n++] = (struct run_of){change->first_sector, change->sectors};
    if (runs->n == LOG_RUNS_MOST) {
        r->status = write_waiting(r, &r->err);
    }
}

/* ---- beginning ---- */

static const char *real_backing(const struct cow_image *img, char out[PATH_MAX])
{
    const struct cow_backing *backing = cow_image_backing(img);
    return backing->state == COW_BACKING_FOUND &&
                   img->io->resolve(img->io->context, backing->path, out, PATH_MAX) >= 0
               ? out
               : backing->path;
}

static int write_about(struct cow_recording *r, struct cow_error *err)
{
    const struct cow_header *header = cow_image_header(r->img);
    const char *format = cow_format_name(header->format), *path = cow_image_real_path(r->img);
    char resolved[PATH_MAX];
    const char *backing = real_backing(r->img, resolved);
    struct log_mark mark;
    uint8_t head[LOG_HEAD_BYTES];
    memcpy(head, log_magic, LOG_MAGIC_BYTES);
    bytes_put(head + LOG_MAGIC_BYTES, 4, true, LOG_VERSION);
    log_mark_of(&mark, r->img);
    log_begin(&r->buffer, LOG_ABOUT);
    log_put(&r->buffer, (uint64_t)(r->facts.begun_ns / millisecond_ns));
    log_put(&r->buffer, (uint64_t)(r->interval_ns / millisecond_ns));
    log_put(&r->buffer, header->size_bytes);
    log_put(&r->buffer, header->sector_bytes);
    log_put(&r->buffer, cow_image_layout(r->img)->sectors);
    log_put_bytes(&r->buffer, format, strlen(format));
    log_put_bytes(&r->buffer, path, strlen(path));
    log_put_bytes(&r->buffer, backing, strlen(backing));
    log_put(&r->buffer, cow_image_backing(r->img)->named);
    log_put_bytes(&r->buffer, mark.filesystem, mark.filesystem_bytes);
    log_put(&r->buffer, mark.inode);
    log_put(&r->buffer, mark.header_sum);
    const int status = append(r, head, sizeof head, err);
    return status != 0 ? status : write_record(r, err);
}

/* Of what has the log's name: COW_REFUSED if it is somebody's. */
static int check_way(const struct cow_image *img, const char *path, const struct stat *facts, bool force,
                     struct cow_error *err)
{
    const bool is_image = same_file(facts, &img->cow.facts);
    const bool is_backing =
        img->backing.facts.state == COW_BACKING_FOUND && same_file(facts, &img->backing.file.facts);
    if (is_image || is_backing || image_has_below(img, facts)) {
        return cow_error_set(err, COW_REFUSED, "%s: is %s, and no log", path,
                             is_image ? "the image itself" : "a file that the image lies on");
    }
    if (!S_ISREG(facts->st_mode)) {
        return cow_error_set(err, COW_REFUSED, "%s: exists and is not a regular file", path);
    }
    if (!force) {
        cow_error_set(err, COW_REFUSED, "%s: exists already", path);
        return cow_error_hint(err, "name another file, or replace it with --force");
    }
    return 0;
}

/* Whether the open file is a log, or empty: nothing else is replaced. */
static int check_is_log(const struct cow_recording *r, struct cow_error *err)
{
    uint8_t magic[LOG_MAGIC_BYTES];
    const ssize_t n = io_read(r->io, r->fd, magic, sizeof magic, 0);
    if (n < 0) {
        return cow_error_system(err, (int)-n, "%s", r->path);
    }
    if (n == 0 || (n == LOG_MAGIC_BYTES && memcmp(magic, log_magic, sizeof magic) == 0)) {
        return 0;
    }
    cow_error_set(err, COW_REFUSED, "%s: exists, and is no log of a recording", r->path);
    return cow_error_hint(err, "name another file; --force replaces a log alone");
}

/* Two that write into one log would make neither. */
static int lock_log(const struct cow_recording *r, struct cow_error *err)
{
    const int status = r->io->lock(r->io->context, r->fd, IO_LOCK_WRITE);
    if (status == -EAGAIN || status == -EACCES) {
        return cow_error_set(err, COW_LOCKED, "%s: another recording is written into it", r->path);
    }
    return 0; /* where there are no locks, nobody can be asked */
}

static int replace_log(struct cow_recording *r, struct cow_error *err)
{
    struct stat facts;
    r->fd = io_open_regular(r->io, r->path, O_RDWR | O_CLOEXEC, &facts);
    if (r->fd < 0) {
        return cow_error_system(err, -r->fd, "%s", r->path);
    }
    int status = check_way(r->img, r->path, &facts, true, err);
    if (status == 0) {
        status = check_is_log(r, err);
    }
    if (status == 0) {
        status = lock_log(r, err);
    }
    if (status == 0) {
        const int cut = r->io->ftruncate(r->io->context, r->fd, 0);
        status = cut < 0 ? cow_error_system(err, -cut, "%s", r->path) : 0;
    }
    return status;
}

/* Whoever may not read image and disk may not read what was written where in them. */
static int make_log(struct cow_recording *r, bool force, struct cow_error *err)
{
    struct stat facts;
    const int there = r->io->stat(r->io->context, r->path, &facts);
    if (there == 0) {
        const int status = check_way(r->img, r->path, &facts, force, err);
        return status != 0 ? status : replace_log(r, err);
    }
    r->fd = r->io->open(r->io->context, r->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
                        (image_common_mode(r->img) & 0666) | 0600);
    if (r->fd < 0) {
        return cow_error_system(err, -r->fd, "%s", r->path);
    }
    r->is_new = true;
    return lock_log(r, err);
}

static int begin(struct cow_recording *r, const struct cow_recording_options *options, struct cow_error *err)
{
    const struct cow_follow_options follow = {
        .changed = take_change,
        .context = r,
        .env = options->env,
        .interval_ns = r->interval_ns,
        .memory_bytes = options->memory_bytes > 0 ? options->memory_bytes : COW_RECORDING_MEMORY_BYTES,
        .tells_first = true};
    r->facts.begun_ns = clock_ns(r);
    int status = cow_follow_open(&r->follow, r->img, &follow, err);
    if (status == 0) {
        r->facts.follow = cow_follow_facts(r->follow);
        status = make_log(r, options->force, err);
    }
    if (status == 0) {
        status = write_about(r, err);
    }
    if (status == 0) {
        status = flush(r, err);
    }
    if (status == 0) {
        const int synced = r->is_new ? io_sync_directory(r->io, r->path) : 0;
        status = synced < 0 ? cow_error_system(err, -synced, "%s", r->path) : 0;
    }
    if (status != 0 && r->is_new) {
        (void)r->io->unlink(r->io->context, r->path);
    }
    return status;
}

int cow_recording_open(struct cow_recording **out, struct cow_image *img,
                       const struct cow_recording_options *options, struct cow_error *err)
{
    struct cow_recording *r = calloc(1, sizeof *r);
    char *path = strdup(options->log_path);
    if (r == NULL || path == NULL) {
        free(r);
        free(path);
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    r->img = img;
    r->io = img->io;
    r->env = options->env;
    r->interval_ns = options->interval_ns > 0 ? options->interval_ns : second_ns;
    r->path = path;
    r->fd = -1;
    const int status = begin(r, options, err);
    if (status != 0) {
        cow_recording_close(r);
        return status;
    }
    *out = r;
    return 0;
}

void cow_recording_close(struct cow_recording *r)
{
    if (r != NULL) {
        cow_follow_close(r->follow);
        if (r->fd >= 0) {
            (void)r->io->close(r->io->context, r->fd);
        }
        log_free(&r->buffer);
        free(r->dirty.run);
        free(r->clean.run);
        free(r->path);
        free(r);
    }
}

const struct cow_recording_facts *cow_recording_facts(const struct cow_recording *r)
{
    return &r->facts;
}

void cow_recording_hurry(struct cow_recording *r)
{
    cow_follow_hurry(r->follow);
}

/* ---- going on, and ending ---- */

/* What a round has found, and, behind the first one, that this was all. */
static int write_round(struct cow_recording *r, struct cow_error *err)
{
    int status = write_waiting(r, err);
    if (status == 0 && !r->is_told && r->facts.follow->known) {
        r->is_told = true;
        r->last_ms = log_time(r, clock_ns(r));
        log_begin(&r->buffer, LOG_KNOWN);
        log_put(&r->buffer, r->last_ms);
        log_put(&r->buffer, r->facts.follow->dirty_sectors);
        status = write_record(r, err);
    }
    if (status == 0 && r->unflushed_ns != 0 && clock_ns(r) - r->unflushed_ns >= FLUSH_SECONDS * second_ns) {
        status = flush(r, err);
    }
    return status;
}

static int write_end(struct cow_recording *r, enum cow_history_end end, const char *words,
                     struct cow_error *err)
{
    r->is_over = true;
    log_begin(&r->buffer, LOG_END);
    log_put(&r->buffer, log_time(r, clock_ns(r)));
    log_put(&r->buffer, end);
    log_put(&r->buffer, r->facts.follow->dirty_sectors);
    log_put_bytes(&r->buffer, words, strlen(words));
    const int status = write_record(r, err);
    return status != 0 ? status : flush(r, err);
}

static enum cow_history_end why_it_ends(const struct cow_recording *r)
{
    switch (cow_image_outside(r->img, COW_FILE_COW)) {
    case COW_OUTSIDE_GONE:
        return COW_HISTORY_GONE;
    case COW_OUTSIDE_REPLACED:
        return COW_HISTORY_REPLACED;
    case COW_OUTSIDE_SHRUNK:
        return COW_HISTORY_SHORTER;
    default:
        return COW_HISTORY_OTHER;
    }
}

/* The following has ended by itself: with what was found up to then, and why. What it says is the error, also
 * where that can no longer be written. */
static void note_failure(struct cow_recording *r, const struct cow_error *why)
{
    struct cow_error ignored = {.status = 0};
    if (!r->is_over && r->is_told && write_waiting(r, &ignored) == 0) {
        write_end(r, why_it_ends(r), why->message, &ignored);
    }
    r->is_over = true;
}

int cow_recording_step(struct cow_recording *r, bool *more, struct cow_error *err)
{
    struct cow_error why = {.status = 0};
    int status = cow_follow_step(r->follow, more, &why);
    if (r->status != 0) {
        why = r->err;
        status = r->status;
    }
    if (status != 0) {
        note_failure(r, &why);
    } else if (!*more) {
        status = write_round(r, &why);
    }
    if (status != 0 && err != NULL) {
        *err = why;
    }
    return status;
}

int cow_recording_end(struct cow_recording *r, struct cow_error *err)
{
    int status = r->is_over || !r->is_told ? 0 : write_waiting(r, err);
    if (status == 0 && !r->is_over && r->is_told) {
        status = write_end(r, COW_HISTORY_ENDED, "", err);
    }
    return status;
}

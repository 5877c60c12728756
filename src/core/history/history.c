/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A log, read. Opening goes through all of it once: each record has to be whole, and to fit what is known by
 * then (what becomes dirty was clean, and the other way round), for only then can it be taken back as well,
 * and a step back costs what a step forward does. What is kept are the bits of one moment, and of each record
 * where it lies and what it counts: its runs are read again when they are asked for.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/arith.h"
#include "core/base/bytes.h"
#include "core/base/grow.h"
#include "core/history/reading.h"
#include "core/history/sectors.h"
#include "cow/text.h"

enum { READ_AHEAD_BYTES = 64 * 1024, READ_BEFORE_BYTES = 64 * 1024, SECTOR_MOST = 65536 };

#define SIZE_MOST (UINT64_C(1) << 50) /* of a disk: no format comes near */

static const struct {
    const char *name, *text;
} ends[COW_HISTORY_ENDS] = {
#define END_ROW(id, name, text) [COW_HISTORY_##id] = {name, text},
    COW_HISTORY_END_LIST(END_ROW)
#undef END_ROW
};

const char *cow_history_end_name(enum cow_history_end end)
{
    return ends[end].name;
}

const char *cow_history_end_text(enum cow_history_end end)
{
    return ends[end].text;
}

const struct cow_history_facts *cow_history_facts(const struct cow_history *h)
{
    return &h->facts;
}

/* ---- records, as they lie in the file ---- */

int history_no_memory(struct cow_error *err)
{
    return cow_error_set(err, COW_NO_MEMORY, "out of memory");
}

int history_window_open(struct window *window, struct cow_error *err)
{
    *window = (struct window){.bytes = malloc(READ_BEFORE_BYTES + LOG_FRAME_BYTES + LOG_RECORD_MOST)};
    return window->bytes != NULL ? 0 : history_no_memory(err);
}

/* So many bytes at a place, or fewer at the end of the file: *n. */
static int window_get(const struct cow_history *h, struct window *window, uint64_t offset, size_t wanted,
                      const uint8_t **bytes, size_t *n, struct cow_error *err)
{
    if (offset < window->offset || offset + wanted > window->offset + window->n_bytes) {
        /* Whoever goes back wants what lies before it next. */
        const uint64_t begin = offset < window->offset ? arith_sub_floor(offset, READ_BEFORE_BYTES) : offset;
        const size_t n_bytes =
            (size_t)(offset - begin) + (wanted > READ_AHEAD_BYTES ? wanted : READ_AHEAD_BYTES);
        const ssize_t got = io_read(h->io, h->fd, window->bytes, n_bytes, begin);
        if (got < 0) {
            return cow_error_system(err, (int)-got, "%s", h->path);
        }
        window->offset = begin;
        window->n_bytes = (size_t)got;
    }
    *bytes = window->bytes + (offset - window->offset);
    *n = (size_t)arith_min(wanted, arith_sub_floor(window->offset + window->n_bytes, offset));
    return 0;
}

/* The record whose frame is at a place. *whole: there is one; then it is what the reader has. */
int history_read_record(const struct cow_history *h, struct window *window, uint64_t offset, bool *whole,
                        struct log_reader *reader, uint64_t *end, struct cow_error *err)
{
    const uint8_t *bytes;
    size_t n;
    int status = window_get(h, window, offset, LOG_FRAME_BYTES, &bytes, &n, err);
    *whole = false;
    if (status != 0 || n < LOG_FRAME_BYTES) {
        return status;
    }
    const size_t n_bytes = (size_t)bytes_get(bytes, 4, true);
    if (n_bytes == 0 || n_bytes > LOG_RECORD_MOST) {
        return 0;
    }
    status = window_get(h, window, offset, LOG_FRAME_BYTES + n_bytes, &bytes, &n, err);
    if (status == 0 && n == LOG_FRAME_BYTES + n_bytes &&
        log_is_whole(bytes, bytes + LOG_FRAME_BYTES, n_bytes)) {
        *whole = true;
        *reader = (struct log_reader){.at = bytes + LOG_FRAME_BYTES, .end = bytes + n};
        *end = offset + n;
    }
    return status;
}

/* ---- what they say ---- */

static int contradicts(const struct cow_history *h, uint64_t offset, struct cow_error *err)
{
    return cow_error_set(err, COW_INVALID,
                         "%s: the record at byte %" PRIu64 " is whole, but says what cannot be", h->path,
                         offset);
}

int history_apply_runs(struct cow_sectors *bits, struct log_reader *reader, uint64_t limit, bool sets,
                       bool checks, uint64_t *sectors)
{
    uint64_t first = 0, end = 0;
    *sectors = 0;
    for (uint64_t n = log_take(reader); n > 0 && !reader->is_bad; n--) {
        log_take_run(reader, limit, &first, &end);
        if (reader->is_bad) {
            break;
        }
        if (checks && cow_sectors_in(bits, first, end - first) != (sets ? 0 : end - first)) {
            reader->is_bad = true;
            break;
        }
        if (!(sets ? sectors_add(bits, first, end) : sectors_remove(bits, first, end))) {
            return COW_NO_MEMORY;
        }
        *sectors += end - first;
    }
    return 0;
}

static char *take_text(struct log_reader *reader, struct cow_error *err, int *status)
{
    size_t n;
    const uint8_t *bytes = log_take_bytes(reader, &n);
    char *text = n < SIZE_MAX ? malloc(n + 1) : NULL;
    if (text == NULL) {
        *status = history_no_memory(err);
        return NULL;
    }
    if (n > 0) {
        memcpy(text, bytes, n);
    }
    text[n] = '\0';
    return text;
}

/* The first record. */
static int read_about(struct cow_history *h, struct log_reader *reader, uint64_t offset,
                      struct cow_error *err)
{
    struct cow_history_facts *facts = &h->facts;
    size_t n;
    int status = 0;
    facts->begun_ms = (int64_t)(log_take(reader) & INT64_MAX);
    facts->interval_ms = log_take(reader);
    facts->size_bytes = log_take(reader);
    const uint64_t sector_bytes = log_take(reader);
    facts->sectors = log_take(reader);
    facts->format = h->format = take_text(reader, err, &status);
    facts->image_path = h->image_path = take_text(reader, err, &status);
    facts->backing_path = h->backing_path = take_text(reader, err, &status);
    facts->backing_named = log_take(reader) != 0;
    const uint8_t *filesystem = log_take_bytes(reader, &n);
    h->mark.filesystem_bytes = n;
    memcpy(h->mark.filesystem, filesystem, n <= sizeof h->mark.filesystem ? n : 0);
    h->mark.inode = log_take(reader);
    const uint64_t header_sum = log_take(reader);
    h->mark.header_sum = (uint32_t)header_sum;
    facts->sector_bytes = (uint32_t)sector_bytes;
    if (status != 0) {
        return status;
    }
    if (reader->is_bad || reader->at != reader->end || sector_bytes < 1 || sector_bytes > SECTOR_MOST ||
        facts->size_bytes == 0 || facts->sectors != arith_div_up(facts->size_bytes, sector_bytes) ||
        facts->size_bytes > SIZE_MOST || header_sum > UINT32_MAX ||
        (n != 0 && n != sizeof h->mark.filesystem)) {
        return contradicts(h, offset, err);
    }
    return 0;
}

/* More of what was dirty at the beginning. */
static int read_bits(struct cow_history *h, struct log_reader *reader, uint64_t offset, struct cow_error *err)
{
    uint64_t sectors;
    if (history_apply_runs(h->bits, reader, h->facts.sectors, true, true, &sectors) != 0) {
        return history_no_memory(err);
    }
    return reader->is_bad || reader->at != reader->end ? contradicts(h, offset, err) : 0;
}

static int add_moment(struct cow_history *h, const struct moment *moment, struct cow_error *err)
{
    struct moment *grown = grow_array(h->moment, h->n, &h->room, sizeof *grown);
    if (grown == NULL) {
        return history_no_memory(err);
    }
    h->moment = grown;
    h->moment[h->n] = *moment;
    h->facts.moments = h->now = h->n;
    h->facts.end_ms = moment->told.at_ms;
    h->n++;
    return 0;
}

/* That the beginning is known: moment 0. */
static int read_known(struct cow_history *h, struct log_reader *reader, uint64_t offset,
                      struct cow_error *err)
{
    struct moment moment = {.offset = offset};
    moment.told.at_ms = log_take(reader);
    moment.told.dirty_sectors = log_take(reader);
    if (reader->is_bad || reader->at != reader->end ||
        moment.told.dirty_sectors != cow_sectors_count(h->bits)) {
        return contradicts(h, offset, err);
    }
    return add_moment(h, &moment, err);
}

static int read_change(struct cow_history *h, struct log_reader *reader, uint64_t offset,
                       struct cow_error *err)
{
    struct moment moment = {.offset = offset};
    struct cow_history_moment *told = &moment.told;
    told->at_ms = log_take(reader);
    if (history_apply_runs(h->bits, reader, h->facts.sectors, true, true, &told->newly_dirty) != 0 ||
        history_apply_runs(h->bits, reader, h->facts.sectors, false, true, &told->newly_clean) != 0) {
        return history_no_memory(err);
    }
    if (reader->is_bad || reader->at != reader->end || told->at_ms < h->facts.end_ms) {
        return contradicts(h, offset, err);
    }
    told->dirty_sectors = cow_sectors_count(h->bits);
    return add_moment(h, &moment, err);
}

static int read_end(struct cow_history *h, struct log_reader *reader, uint64_t offset, struct cow_error *err)
{
    char escaped[COW_MESSAGE_BYTES];
    int status = 0;
    const uint64_t at_ms = log_take(reader), end = log_take(reader);
    const uint64_t dirty_sectors = log_take(reader);
    char *words = take_text(reader, err, &status);
    if (status == 0 &&
        (reader->is_bad || reader->at != reader->end || at_ms < h->facts.end_ms ||
         dirty_sectors != cow_sectors_count(h->bits) || end == COW_HISTORY_NONE || end >= COW_HISTORY_ENDS)) {
        status = contradicts(h, offset, err);
    }
    if (status == 0) {
        h->facts.end_ms = at_ms;
        h->facts.end = (enum cow_history_end)end;
        h->end_words = strdup(cow_escape(escaped, sizeof escaped, words));
        h->facts.end_words = h->end_words;
        status = h->end_words != NULL ? 0 : history_no_memory(err);
    }
    free(words);
    return status;
}

/* Records have an order: about, bits..., known, change..., end. */
static int read_next(struct cow_history *h, struct log_reader *reader, uint64_t offset, struct cow_error *err)
{
    const unsigned kind = *reader->at++;
    const bool has_about = h->image_path != NULL, is_known = h->n > 0;
    if (kind == LOG_ABOUT && !has_about) {
        return read_about(h, reader, offset, err);
    }
    if (kind == LOG_BITS && has_about && !is_known) {
        return read_bits(h, reader, offset, err);
    }
    if (kind == LOG_KNOWN && has_about && !is_known) {
        return read_known(h, reader, offset, err);
    }
    if (kind == LOG_CHANGE && is_known && h->facts.end == COW_HISTORY_NONE) {
        return read_change(h, reader, offset, err);
    }
    if (kind == LOG_END && is_known && h->facts.end == COW_HISTORY_NONE) {
        return read_end(h, reader, offset, err);
    }
    return contradicts(h, offset, err);
}

/* ---- opening ---- */

static int read_head(const struct cow_history *h, struct window *window, struct cow_error *err)
{
    const uint8_t *bytes;
    size_t n;
    const int status = window_get(h, window, 0, LOG_HEAD_BYTES, &bytes, &n, err);
    if (status != 0) {
        return status;
    }
    if (n < LOG_MAGIC_BYTES || memcmp(bytes, log_magic, LOG_MAGIC_BYTES) != 0) {
        cow_error_set(err, COW_INVALID, "%s: is no log of a recording", h->path);
        return cow_error_hint(err, "\"cowtui record IMAGE -o LOG\" makes one");
    }
    const uint64_t version = n < LOG_HEAD_BYTES ? LOG_VERSION : bytes_get(bytes + LOG_MAGIC_BYTES, 4, true);
    if (version != LOG_VERSION) {
        cow_error_set(err, COW_INVALID, "%s: is a log of version %" PRIu64 ", and known is %d", h->path,
                      version, (int)LOG_VERSION);
        return cow_error_hint(err, "a newer cowtui has written it, most likely");
    }
    return 0;
}

static int read_all(struct cow_history *h, struct window *window, struct cow_error *err)
{
    struct log_reader reader;
    struct stat facts;
    bool whole = true;
    uint64_t offset = LOG_HEAD_BYTES, end;
    int status = read_head(h, window, err);
    while (status == 0 && whole) {
        status = history_read_record(h, window, offset, &whole, &reader, &end, err);
        if (status == 0 && whole) {
            status = read_next(h, &reader, offset, err);
            offset = end;
        }
    }
    if (status != 0) {
        return status;
    }
    const int asked = h->io->fstat(h->io->context, h->fd, &facts);
    if (asked < 0) {
        return cow_error_system(err, -asked, "%s", h->path);
    }
    h->facts.whole_bytes = offset;
    h->facts.left_bytes = arith_sub_floor((uint64_t)facts.st_size, offset);
    if (h->n == 0) {
        cow_error_set(err, COW_INVALID, "%s: ends before the bits at its beginning are whole", h->path);
        return cow_error_hint(err, "it has just been begun, or was cut off: there is nothing to replay");
    }
    return 0;
}

int cow_history_open(struct cow_history **out, const char *path, const struct cow_io *io,
                     struct cow_error *err)
{
    struct window window = {.bytes = NULL};
    struct stat facts;
    struct cow_history *h = calloc(1, sizeof *h);
    if (h == NULL) {
        return history_no_memory(err);
    }
    h->io = io != NULL ? io : &io_system;
    h->facts.end_words = "";
    h->path = strdup(path);
    h->bits = sectors_make();
    h->fd = -1;
    int status =
        h->path != NULL && h->bits != NULL ? history_window_open(&window, err) : history_no_memory(err);
    if (status == 0) {
        h->fd = io_open_regular(h->io, path, O_RDONLY | O_CLOEXEC, &facts);
        status = h->fd == -EINVAL ? cow_error_set(err, COW_INVALID, "%s: is no regular file", path)
                 : h->fd < 0      ? cow_error_system(err, -h->fd, "%s", path)
                                  : read_all(h, &window, err);
    }
    free(window.bytes);
    if (status != 0) {
        cow_history_close(h);
        return status;
    }
    *out = h;
    return 0;
}

void cow_history_close(struct cow_history *h)
{
    if (h != NULL) {
        if (h->fd >= 0) {
            (void)h->io->close(h->io->context, h->fd);
        }
        cow_sectors_free(h->bits);
        free(h->moment);
        free(h->image_path);
        free(h->backing_path);
        free(h->format);
        free(h->end_words);
        free(h->path);
        free(h);
    }
}

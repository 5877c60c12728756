/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Records to bytes and back. A cursor walks the same list of fields in both directions, so the two cannot
 * differ. A new version adds fields behind those of the versions before it (all_fields), so an older record
 * is read by the same walk, cut short.
 */
#include "core/ledger/record_codec.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/bytes.h"
#include "core/base/crc.h"
#include "core/base/grow.h"
#include "core/ledger/record_check.h"

static const uint8_t opening[16] = {'c', 'o', 'w', 't', 'u', 'i', ' ', 'c',
                                    'h', 'a', 'n', 'g', 'e', 0,   0,   0 /* the version */};
static const uint8_t closing[8] = {'e', 'n', 'd', 'o', 'f', 'c', 'h', 'g'};

enum { VERSION_AT = sizeof opening - 1, OLDEST_VERSION = 2 };
enum { TRAILER_BYTES = 4 + 4 + sizeof closing };

struct cursor {
    uint8_t *bytes; /* NULL: only measuring */
    size_t at;
    size_t end;
    bool reading;
    bool failed; /* a read went past the end, or no memory */
    bool no_memory;
};

static bool field_room(struct cursor *c, uint64_t n_bytes)
{
    if (c->reading && (c->failed || c->end - c->at < n_bytes)) {
        c->failed = true;
        return false;
    }
    return true;
}

static void field_number(struct cursor *c, unsigned width_bytes, uint64_t *value)
{
    if (!field_room(c, width_bytes)) {
        return;
    }
    if (c->reading) {
        *value = bytes_get(c->bytes + c->at, width_bytes, true);
    } else if (c->bytes != NULL) {
        bytes_put(c->bytes + c->at, width_bytes, true, *value);
    }
    c->at += width_bytes;
}

static void field_number32(struct cursor *c, uint32_t *value)
{
    uint64_t wide = *value;
    field_number(c, 4, &wide);
    *value = (uint32_t)wide;
}

static void field_raw(struct cursor *c, uint8_t *value, size_t n_bytes)
{
    if (!field_room(c, n_bytes)) {
        return;
    }
    if (c->reading) {
        memcpy(value, c->bytes + c->at, n_bytes);
    } else if (c->bytes != NULL) {
        memcpy(c->bytes + c->at, value, n_bytes);
    }
    c->at += n_bytes;
}

static void field_moment(struct cursor *c, struct timespec *value)
{
    uint64_t seconds = (uint64_t)value->tv_sec, nanoseconds = (uint64_t)value->tv_nsec;
    field_number(c, 8, &seconds);
    field_number(c, 4, &nanoseconds);
    value->tv_sec = (time_t)seconds;
    c->failed |= (uint64_t)value->tv_sec != seconds; /* written where a time_t has 64 bits */
    value->tv_nsec = (long)nanoseconds;
}

static void field_path(struct cursor *c, char value[PATH_MAX])
{
    uint64_t length = c->reading ? 0 : strnlen(value, PATH_MAX - 1);
    field_number(c, 4, &length);
    if (length >= PATH_MAX) {
        c->failed = true;
        return;
    }
    field_raw(c, (uint8_t *)value, (size_t)length);
    if (c->reading && !c->failed) {
        value[length] = '\0';
        c->failed = strlen(value) != length;
    }
}

static void field_saved(struct cursor *c, struct record_saved *value)
{
    field_number(c, 8, &value->offset);
    field_number(c, 8, &value->n_bytes);
    field_number(c, 8, &value->held_bytes);
    if (value->held_bytes == 0 || c->failed) {
        return;
    }
    if (c->reading) {
        if (!field_room(c, value->held_bytes) || value->held_bytes > value->n_bytes ||
            value->held_bytes > RECORD_HELD_BYTES_MAX) {
            c->failed = true;
            return;
        }
        value->bytes = malloc((size_t)value->held_bytes);
        if (value->bytes == NULL) {
            c->failed = c->no_memory = true;
            return;
        }
    }
    field_raw(c, value->bytes, (size_t)value->held_bytes);
}

/* Read, the list grows as it is found: a number that is no number of ranges comes to the end of the bytes
 * first. */
static void field_more(struct cursor *c, struct record *r)
{
    uint32_t n = r->n_more;
    size_t room = 0;
    field_number32(c, &n);
    c->failed |= n > RECORD_MORE_MAX;
    for (uint32_t i = 0; i < n && !c->failed; i++) {
        if (c->reading) {
            void *larger = grow_array(r->more, i, &room, sizeof *r->more);
            if (larger == NULL) {
                c->failed = c->no_memory = true;
                return;
            }
            r->more = larger;
            r->more[i] = (struct record_saved){.offset = 0};
            r->n_more = i + 1;
        }
        field_saved(c, &r->more[i]);
    }
}

static void all_fields(struct cursor *c, struct record *r, uint32_t version)
{
    field_number32(c, &r->kind);
    field_number(c, 8, &r->old_inode);
    field_number(c, 8, &r->new_inode);
    field_number(c, 8, &r->old_file_bytes);
    field_number(c, 8, &r->new_file_bytes);
    field_number(c, 8, &r->old_end_offset);
    field_number32(c, &r->old_header_bytes);
    field_number32(c, &r->old_header_crc);
    field_number32(c, &r->new_header_crc);
    field_number32(c, &r->size_field_offset);
    field_number(c, 8, &r->old_size_field);
    field_raw(c, r->old_sector, sizeof r->old_sector);
    field_raw(c, r->new_sector, sizeof r->new_sector);
    field_moment(c, &r->old_mtime);
    field_moment(c, &r->new_mtime);
    field_number32(c, &r->keeps_undo);
    field_number32(c, &r->extends);
    field_number(c, 8, &r->backing_old_bytes);
    field_number(c, 8, &r->backing_new_bytes);
    field_moment(c, &r->backing_mtime);
    field_moment(c, &r->backing_old_mtime);
    field_number(c, 8, &r->backing_inode);
    field_path(c, r->backing_path);
    field_number(c, 8, &r->copy_inode);
    field_path(c, r->copy_path);
    field_number(c, 8, &r->shared_offset);
    field_number32(c, &r->shared_bits);
    field_number32(c, &r->shared_byte);
    for (size_t i = 0; i < RECORD_SAVED_MAX; i++) {
        field_saved(c, &r->saved[i]);
    }
    if (version >= 3) {
        field_number32(c, &r->old_mode);
        field_number32(c, &r->old_uid);
        field_number32(c, &r->old_gid);
        field_path(c, r->image_path);
        field_raw(c, r->filesystem, sizeof r->filesystem);
    }
    if (version >= 4) {
        field_raw(c, r->family_id, sizeof r->family_id);
        field_path(c, r->family_path);
        field_raw(c, r->half_id, sizeof r->half_id);
        field_number(c, 8, &r->born_first_sector);
        field_number(c, 8, &r->born_sectors);
    }
    if (version >= 5) {
        field_more(c, r);
    }
}

/* No newer one than the kind needs, so that a program of before can finish what it knows. */
static uint32_t version_for(const struct record *record)
{
    const bool of_family = record->family_path[0] != '\0';
    const uint32_t since = of_family ? 4 : record_kind_facts(record->kind)->since_version;
    return since > RECORD_LEAST_WRITTEN ? since : RECORD_LEAST_WRITTEN;
}

int record_encode(uint8_t **out, size_t *n_bytes, const struct record *record, struct cow_error *err)
{
    struct record *r = malloc(sizeof *r);
    if (r == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    *r = *record;
    record_name_beside(r);
    const uint32_t version = version_for(r);
    struct cursor measure = {.at = sizeof opening};
    all_fields(&measure, r, version);
    size_t total = measure.at + TRAILER_BYTES;
    uint8_t *bytes = malloc(total);
    if (bytes == NULL) {
        free(r);
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    memcpy(bytes, opening, sizeof opening);
    bytes[VERSION_AT] = (uint8_t)version;
    struct cursor write = {.bytes = bytes, .at = sizeof opening};
    all_fields(&write, r, version);
    free(r);
    bytes_put(bytes + write.at, 4, true, write.at);
    bytes_put(bytes + write.at + 4, 4, true, crc_ieee(bytes, write.at + 4));
    memcpy(bytes + write.at + 8, closing, sizeof closing);
    *out = bytes;
    *n_bytes = total;
    return 0;
}

static int strange(struct cow_error *err)
{
    return cow_error_set(err, COW_INVALID, "no complete record of a change");
}

static int decode_record(struct record *out, uint8_t *bytes, size_t length, struct cow_error *err)
{
    const uint32_t version = bytes[VERSION_AT];
    if (memcmp(bytes, opening, VERSION_AT) != 0 || version < OLDEST_VERSION) {
        return strange(err);
    }
    if (version > RECORD_VERSION) {
        return cow_error_set(err, COW_INVALID, "made by a newer version of this program: do not remove it");
    }
    struct record *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    struct cursor read = {.bytes = bytes, .at = sizeof opening, .end = length, .reading = true};
    all_fields(&read, r, version);
    r->version = version;
    int status = 0;
    if (read.no_memory) { /* a record that could be read is not strange: whoever took it for that would go on
                             without it */
        record_clear(r);
        status = cow_error_set(err, COW_NO_MEMORY, "out of memory");
    } else if (read.failed || read.at != length || record_kind_facts(r->kind)->since_version > version ||
               !record_is_sane(r)) {
        record_clear(r);
        status = strange(err);
    } else {
        *out = *r;
    }
    free(r);
    return status;
}

int record_read(struct record *out, uint64_t *offset, const struct cow_io *io, int fd, struct cow_error *err)
{
    struct stat facts;
    uint8_t trailer[TRAILER_BYTES];
    int status = io->fstat(io->context, fd, &facts);
    if (status < 0) {
        return cow_error_system(err, -status, "looking at the record of a change");
    }
    uint64_t file_bytes = (uint64_t)facts.st_size;
    if (file_bytes < sizeof opening + sizeof trailer) {
        return strange(err);
    }
    status = io_read_padded(io, fd, trailer, sizeof trailer, file_bytes - sizeof trailer);
    if (status < 0) {
        return cow_error_system(err, -status, "reading the record of a change");
    }
    uint64_t length = bytes_get(trailer, 4, true);
    if (memcmp(trailer + 8, closing, sizeof closing) != 0 || length > RECORD_BYTES_MAX ||
        length < sizeof opening || length > file_bytes - sizeof trailer) {
        return strange(err);
    }
    uint64_t begin = file_bytes - sizeof trailer - length;
    uint8_t *bytes = malloc((size_t)length + 4);
    if (bytes == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    status = io_read_padded(io, fd, bytes, (size_t)length + 4, begin);
    if (status < 0) {
        status = cow_error_system(err, -status, "reading the record of a change");
    } else if (crc_ieee(bytes, (size_t)length + 4) != bytes_get(trailer + 4, 4, true)) {
        status = strange(err);
    } else {
        status = decode_record(out, bytes, (size_t)length, err);
    }
    free(bytes);
    if (status == 0) {
        out->sum = (uint32_t)bytes_get(trailer + 4, 4, true);
        *offset = begin;
    }
    return status;
}

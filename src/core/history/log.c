/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See log.h. The sum is taken over the length, too: one that was bent is no reason to take what follows for a
 * record.
 */
#include "core/history/log.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/crc.h"

enum { ROOM_FIRST = 4096, BITS_A_BYTE = 7, HIGH_BIT = 0x80 };

/* A line of its own, for whoever looks at the file. */
const uint8_t log_magic[LOG_MAGIC_BYTES] = {'c', 'o', 'w', '-', 'l', 'o', 'g', '\n'};

static void put_byte(struct log_buffer *buffer, uint8_t byte)
{
    if (buffer->n == buffer->room) {
        const size_t room = buffer->room > 0 ? buffer->room * 2 : ROOM_FIRST;
        uint8_t *grown = buffer->failed ? NULL : realloc(buffer->bytes, room);
        if (grown == NULL) {
            buffer->failed = true;
            return;
        }
        buffer->bytes = grown;
        buffer->room = room;
    }
    buffer->bytes[buffer->n++] = byte;
}

void log_begin(struct log_buffer *buffer, enum log_kind kind)
{
    buffer->n = 0;
    buffer->failed = false;
    for (size_t i = 0; i < LOG_FRAME_BYTES; i++) {
        put_byte(buffer, 0);
    }
    put_byte(buffer, (uint8_t)kind);
}

void log_put(struct log_buffer *buffer, uint64_t number)
{
    for (; number >= HIGH_BIT; number >>= BITS_A_BYTE) {
        put_byte(buffer, (uint8_t)(number | HIGH_BIT));
    }
    put_byte(buffer, (uint8_t)number);
}

void log_put_bytes(struct log_buffer *buffer, const void *bytes, size_t n_bytes)
{
    log_put(buffer, n_bytes);
    for (size_t i = 0; i < n_bytes; i++) {
        put_byte(buffer, ((const uint8_t *)bytes)[i]);
    }
}

/* Of a length as it stands in the frame, and of what follows. */
static uint32_t sum_of(const uint8_t length[4], const uint8_t *record, size_t n_bytes)
{
    uint8_t both[8];
    memcpy(both, length, 4);
    bytes_put(both + 4, 4, true, crc_ieee(record, n_bytes));
    return crc_ieee(both, sizeof both);
}

void log_finish(struct log_buffer *buffer)
{
    if (!buffer->failed) {
        const size_t n_bytes = buffer->n - LOG_FRAME_BYTES;
        bytes_put(buffer->bytes, 4, true, n_bytes);
        bytes_put(buffer->bytes + 4, 4, true,
                  sum_of(buffer->bytes, buffer->bytes + LOG_FRAME_BYTES, n_bytes));
    }
}

void log_free(struct log_buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (struct log_buffer){.bytes = NULL};
}

bool log_is_whole(const uint8_t *frame, const uint8_t *record, size_t n_bytes)
{
    return bytes_get(frame, 4, true) == n_bytes &&
           bytes_get(frame + 4, 4, true) == sum_of(frame, record, n_bytes);
}

static uint64_t take_nothing(struct log_reader *reader)
{
    reader->is_bad = true;
    reader->at = reader->end;
    return 0;
}

uint64_t log_take(struct log_reader *reader)
{
    uint64_t number = 0;
    for (unsigned shift = 0; reader->at < reader->end && shift < 64; shift += BITS_A_BYTE) {
        const uint8_t byte = *reader->at++;
        const uint64_t bits = byte & (HIGH_BIT - 1);
        if (bits << shift >> shift != bits) {
            break;
        }
        number |= bits << shift;
        if (byte < HIGH_BIT) {
            return number;
        }
    }
    return take_nothing(reader);
}

const uint8_t *log_take_bytes(struct log_reader *reader, size_t *n_bytes)
{
    const uint64_t n = log_take(reader);
    const uint8_t *bytes = reader->at;
    *n_bytes = 0;
    if (n > (size_t)(reader->end - reader->at)) {
        take_nothing(reader);
        return bytes;
    }
    *n_bytes = (size_t)n;
    reader->at += n;
    return bytes;
}

void log_take_run(struct log_reader *reader, uint64_t limit, uint64_t *first, uint64_t *end)
{
    const uint64_t gap = log_take(reader), sectors = log_take(reader);
    if (reader->is_bad || sectors == 0 || gap >= limit - *end || sectors > limit - *end - gap) {
        take_nothing(reader);
        return;
    }
    *first = *end + gap;
    *end = *first + sectors;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Records to bytes and back.
 *
 * On disk: 16 bytes of magic and version, the fields, the saved bytes, then the length of all that (u32), a
 * CRC-32 over it (u32) and 8 bytes of closing magic; all big endian. It can stand alone in a file, or be
 * appended to one and be read from its end.
 *
 * Versions: a version adds fields behind those of the ones before (all_fields), and kinds of changes
 * (since_version, kind.h). What a further method must remember is such fields, in a version that only its
 * records are written in: those of the other methods stay as they are, and a program of before can finish
 * what it knows. Older versions are read. A newer one is refused in words that say not to remove it, for the
 * program that wrote it can still finish what it tells of.
 */
#ifndef CORE_LEDGER_RECORD_CODEC_H
#define CORE_LEDGER_RECORD_CODEC_H

#include "core/ledger/record.h"

/* Encodes into a new buffer (the caller's, free). COW_NO_MEMORY. */
int record_encode(uint8_t **out, size_t *n_bytes, const struct record *record, struct cow_error *err);

/* Reads the record that ends at the end of an open file. *offset is where it begins. Answers COW_INVALID for
 * anything that is not a whole record with a good CRC and numbers in range (record_check.c), COW_IO,
 * COW_NO_MEMORY; *out is unchanged then, else to be cleared by the caller. */
int record_read(struct record *out, uint64_t *offset, const struct cow_io *io, int fd, struct cow_error *err);

#endif

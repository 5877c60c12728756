/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What can be asked of a record's numbers.
 */
#ifndef CORE_LEDGER_RECORD_CHECK_H
#define CORE_LEDGER_RECORD_CHECK_H

#include "core/ledger/record.h"

/* Is each of them in range, by itself and against the others? What record_read hands out is. */
bool record_is_sane(const struct record *record);

/* Does it say of the old image what the old header says (size_field_offset, old_end_offset...)? bytes are
 * that header, of a sane record; n_bytes at most COW_HEADER_BYTES_MAX. */
bool record_fits_old_header(const struct record *record, const uint8_t *bytes, size_t n_bytes);
/* The same of the new image and its header; true for a change by header. */
bool record_fits_new_header(const struct record *record, const uint8_t *bytes, size_t n_bytes);
/* Are the ranges of a change by header those that lie outside the old layout and inside the new one? bytes
 * are the image's header, old or new. */
bool record_fits_by_header(const struct record *record, const uint8_t *bytes, size_t n_bytes);

/* The same of a change that shifts: the range for the bits is none where they move, too. */
void record_shift_ranges(struct record *out, const struct cow_header *old,
                         const struct cow_layout *old_layout, const struct cow_layout *new_layout);

/* Both headers of a change by header, and their layouts: the old first sector, and the new one, before the
 * rest of these bytes. False where they are none. */
bool record_layouts(struct cow_header header[2], struct cow_layout layout[2], const struct record *record,
                    const uint8_t *bytes, size_t n_bytes);

/* What growing by header writes over: shared_offset, shared_bits, and offset and length of saved[]. */
void record_ranges(struct record *out, const struct cow_header *old, const struct cow_layout *old_layout,
                   const struct cow_layout *new_layout);

#endif

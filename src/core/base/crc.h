/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The CRC that records of changes end with.
 */
#ifndef COW_BASE_CRC_H
#define COW_BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32 of IEEE 802.3, as zlib and gzip have it, of n_bytes bytes. */
uint32_t crc_ieee(const uint8_t *bytes, size_t n_bytes);

#endif

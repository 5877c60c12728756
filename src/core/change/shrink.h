/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * shrink: is there anything past the new end that matters?
 */
#ifndef CORE_CHANGE_SHRINK_H
#define CORE_CHANGE_SHRINK_H

#include "core/image/image.h"

/* COW_REFUSED, with numbers, where a sector past size_bytes is dirty and neither zero nor what the backing
 * file has, or where the guest's ext2/3/4 filesystem is larger than that. Reads only the data that is there.
 */
int shrink_check(struct cow_image *img, uint64_t size_bytes, struct cow_error *err);

#endif

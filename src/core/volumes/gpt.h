/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The two headers of a GPT. libblkid lists what they say; where they lie, and whether both are there, only
 * this knows, and it still lists what a disk that was cut says that it had: a kernel and libblkid refuse that
 * table.
 */
#ifndef CORE_VOLUMES_GPT_H
#define CORE_VOLUMES_GPT_H

#include "core/volumes/source.h"
#include "cow/fs.h"

/* out->present is false where neither header is one. Only what the reading itself fails with is an error. */
int gpt_read(struct cow_gpt *out, const struct source *disk, struct cow_error *err);

/* Calls take for each entry in use of the table that the first header names, as far as 1024 go. */
int gpt_list(const struct source *disk,
             void (*take)(void *context, unsigned partition, uint64_t first_byte, uint64_t size_bytes),
             void *context, struct cow_error *err);

#endif

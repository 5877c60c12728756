/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a log tells: its moments, the bits at one of them, what was written between two, and whose it is. Text
 * goes out as it is found, JSON through a spool, whole or not at all.
 */
#ifndef CLI_HISTORY_TOLD_H
#define CLI_HISTORY_TOLD_H

#include <stdbool.h>

#include "cow/history.h"
#include "front/written/written.h"

struct replayed {
    struct cow_history *history;
    uint64_t from_ms, to_ms;
    const struct cow_sectors *set; /* the bits at to_ms, or what was written between the two */
    uint64_t newly_clean;          /* sectors, between the two */
    bool files, owners;            /* are asked for */
    struct front_written written;  /* then: all zero where it could not be opened */
    struct front_shares shares;
    const char *problem; /* why not; "" */
};

/* All moments. Errors, here and below: COW_NO_MEMORY, COW_IO. */
int replayed_moments_text(const struct replayed *replayed, struct cow_error *err);
int replayed_moments_json(const struct replayed *replayed, struct cow_error *err);

/* The runs that were dirty at to_ms. */
int replayed_bits_text(const struct replayed *replayed, struct cow_error *err);
int replayed_bits_json(const struct replayed *replayed, struct cow_error *err);

/* The runs that were written between the two, or whose they are. */
int replayed_written_text(const struct replayed *replayed, struct cow_error *err);
int replayed_written_json(const struct replayed *replayed, struct cow_error *err);

#endif

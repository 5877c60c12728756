/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the suites of recordings share: an image that is written to by a known hand, and recorded; its bits
 * are kept at each moment.
 */
#ifndef TESTS_UNIT_RECORDED_H
#define TESTS_UNIT_RECORDED_H

#include "core/history/sectors.h"
#include "cow/history.h"
#include "support.h"
#include "told_clock.h"

enum { SECTOR = 512, MOMENTS_MOST = 32, SECTORS_MOST = 4096 };

/* ---- sets ---- */

/* The set has just these of the first `sectors`. */
void same_set(const struct cow_sectors *set, const uint8_t *bit, uint64_t sectors);

/* ---- an image that is written to, and recorded ---- */

/* Its time is clock_now. */
extern const struct cow_env told_env;

/* What the log has to say: the bits at each moment. */
struct recorded {
    struct model *model;
    struct cow_image *image;
    struct cow_recording *recording;
    char *log_path;
    uint64_t begun_ms;
    size_t moments;
    uint64_t at_ms[MOMENTS_MOST];
    uint8_t bit[MOMENTS_MOST][SECTORS_MOST];
};

/* It is large. */
extern struct recorded recorded;

/* One look, to its end. */
int step_all(struct cow_recording *recording, struct cow_error *err);
/* Of an image that has some noise already; the first moment is noted. */
void begin_recording(struct recorded *r, enum cow_format format, const struct cow_io *io, bool force);
/* As a guest would that writes there, or (not set) takes that away. */
void write_bits(struct recorded *r, uint64_t first, uint64_t count, bool set);
/* Some seconds of a guest that writes, and once in a while takes away, which no guest does. */
void go_on(struct recorded *r, struct rng *rng, int rounds);
void free_recorded(struct recorded *r);
/* What it has is in the log then. */
void end_recording(struct recorded *r);
/* What is replayed at that moment has just its bits. */
void same_moment(struct cow_history *history, const struct recorded *r, size_t moment);

#endif

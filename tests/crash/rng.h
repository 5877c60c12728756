/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Random choices that can be repeated (splitmix64).
 */
#ifndef CRASH_RNG_H
#define CRASH_RNG_H

#include <stdint.h>

struct rng {
    uint64_t state;
};

uint64_t rng_next(struct rng *rng);
uint64_t rng_below(struct rng *rng, uint64_t limit);
/* Mixes a number into a seed. */
uint64_t rng_mix(uint64_t seed, uint64_t value);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See rng.h.
 */
#include "rng.h"

uint64_t rng_next(struct rng *rng)
{
    rng->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = rng->state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t rng_below(struct rng *rng, uint64_t limit)
{
    return rng_next(rng) % limit;
}

uint64_t rng_mix(uint64_t seed, uint64_t value)
{
    struct rng rng = {seed ^ (value + 1) * UINT64_C(0xd6e8feb86659fd93)};
    return rng_next(&rng);
}

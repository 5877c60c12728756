/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a power cut leaves: a walk over a machine's log, and at each call the states of the disk that are
 * possible there. Reproducible from the generator's state.
 */
#ifndef CRASH_POWER_H
#define CRASH_POWER_H

#include "sim.h"

struct rng {
    uint64_t state;
};

uint64_t rng_next(struct rng *rng);
uint64_t rng_below(struct rng *rng, uint64_t limit);
/* Mixes a number into a seed. */
uint64_t rng_mix(uint64_t seed, uint64_t value);

struct waiting {
    uint32_t item;
    bool lost; /* its fsync has failed: it may or may not be there, for ever */
};

struct power {
    const struct sim *sim;
    struct tree durable;
    size_t next_item;
    size_t mutation; /* calls that have been made */
    struct waiting *waiting;
    size_t n_waiting, room;
};

void power_begin(struct power *power, const struct sim *sim);
bool power_step(struct power *power); /* over the next call; false: there is none */
void power_end(struct power *power);

/* The machine at this point, its process killed, its page cache as it was. */
void power_resume(const struct power *power, struct sim *machine);

/* How the writes that wait are chosen. */
#define POWER_STRATEGY_LIST(X)                                                                               \
    X(NONE, "nothing that waited")                                                                           \
    X(ALL, "all that waited")                                                                                \
    X(PREFIX, "a prefix of all that waited")                                                                 \
    X(ORDERED, "a prefix of the metadata, any sectors")                                                      \
    X(HALF, "any half")                                                                                      \
    X(FEW, "few")                                                                                            \
    X(MOST, "most")                                                                                          \
    X(ONE_MISSING, "all but one")                                                                            \
    X(ONE_ONLY, "only one")                                                                                  \
    X(FILES, "all or nothing for each file")

enum strategy {
#define POWER_STRATEGY_ENUM(id, text) POWER_##id,
    POWER_STRATEGY_LIST(POWER_STRATEGY_ENUM)
#undef POWER_STRATEGY_ENUM
        POWER_STRATEGIES
};

const char *power_strategy_text(enum strategy strategy);

/* A disk after a crash at this point. *fingerprint tells equal choices. say: prints what was chosen. */
void power_sample(const struct power *power, enum strategy strategy, struct rng *rng, bool say,
                  struct tree *out, uint64_t *fingerprint);

#endif

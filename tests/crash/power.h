/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a power cut leaves: a walk over a machine's log, and at each call the states of the disk that are
 * possible there. Reproducible from the generator's state.
 */
#ifndef CRASH_POWER_H
#define CRASH_POWER_H

#include "rng.h"
#include "sim.h"

struct waiting {
    uint32_t item;   /* POWER_CUT_OFF: power->cut_off */
    bool lost;       /* its fsync has failed: it may or may not be there, for ever */
    uint64_t sector; /* of ITEM_SECTOR: where it would go now */
};

enum { POWER_CUT_OFF = UINT32_MAX, KILL_SPLITS = 3 };

struct power {
    const struct sim *sim;
    struct tree durable;
    size_t next_item;
    size_t mutation; /* calls that have been made */
    struct waiting *waiting;
    size_t n_waiting, room;
    /* The caller's to set after power_begin: how often to stop within each call that inserts or collapses, at
     * some step, as if the process had been killed there; and a number for other steps. */
    unsigned splits; /* KILL_SPLITS is what the modes take */
    uint64_t split_seed;
    unsigned part;                    /* which of these stops this is, from 1; 0: it is between two calls */
    size_t part_item, part_n_waiting; /* as they were before it */
    struct item cut_off;
};

void power_begin(struct power *power, const struct sim *sim);
/* Whether the next call inserts or collapses. */
bool power_shifts_next(const struct power *power);
/* Over the next call, or to the next stop in it. False: there is none. */
bool power_step(struct power *power);
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

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What all modes share: how much to do, how to tell of a violation, and what has to work after any crash.
 */
#ifndef CRASH_RUN_H
#define CRASH_RUN_H

#include "judge.h"
#include "power.h"

enum { REPLAY_DEPTH = 4 };

/* Where a crash was: the call, and the number of the sample there; one more of both for a crash inside the
 * recovery from it, and so on. */
struct place {
    size_t depth;
    size_t call[REPLAY_DEPTH];
    unsigned sample[REPLAY_DEPTH];
};

struct run {
    const char *mode;
    uint64_t seed;
    unsigned long wanted; /* states, runs or points; a mode stops when it has so many */
    double seconds;       /* or has taken so long; 0: no limit */
    const char *only;     /* scenes whose name begins so; NULL: all */
    const char *pattern;  /* scenes whose name matches this one, as a shell pattern; NULL: all */
    bool verbose;
    const char *actor;          /* actors: only this one acts; NULL: any */
    bool thorough;              /* fsyncs: all scenes; and try those, too, that are listed as not needed */
    bool slow;                  /* fsyncs: the scenes that take long, and no others */
    const struct place *replay; /* this one crash only */
    /* found */
    unsigned long states; /* crash states, or runs with a fault */
    unsigned long inner;  /* of them inside a recovery */
    unsigned long recovered, guests, again, undone, undo_lost;
    unsigned long tried;          /* left out or not */
    unsigned long missed, listed; /* fsyncs */
    unsigned long overtaken;      /* meetings: see mode_second.c */
    unsigned long violations;
    unsigned long passed, failed, skipped; /* scenes */
    double began;
    /* of the scene at hand */
    const struct trial *trial;
    struct place place;
    unsigned long scene_violations;
    bool quiet;    /* violations are counted, not told: they are expected */
    char what[96]; /* which fault, for telling; "" = none */
};

double seconds_now(void);
bool run_time_is_up(const struct run *run);
bool run_wants(const struct run *run, const struct scene *scene);
bool run_wants_all(const struct run *run); /* no scene is left out by its name */

/* Counts a violation, and tells the first few of a scene with what repeats them. */
void run_violation(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints the calls that a machine has made. */
void run_say_log(const struct sim *sim);
/* Ends a scene: it passed if nothing was told since the last one ended. */
void run_scene_done(struct run *run);
/* The line that run.sh adds up: "power: ...; N passed, N failed, N skipped". */
void run_report(const struct run *run, const char *what);

struct survival {
    bool try_guest;
    bool guest_ran;             /* one ran, now or after an earlier crash: */
    struct guest guest;         /* the caller's to free */
    bool try_again;             /* where nothing was to be recovered and the disk is old: the same command */
    bool try_undo;              /* where the disk is new */
    enum outcome must_be;       /* OUTCOME_OLD or OUTCOME_NEW: success was reported, so it has to last */
    bool left_overs;            /* are excused although there was a journal */
    bool no_left_overs;         /* even without a journal */
    bool must_undo;             /* nothing was lost: undo has to work */
    const struct power *resume; /* do not boot: the process was killed here, the machine lives on */
    bool recovered;             /* there was a journal, and recovery reported success */
    enum outcome outcome;       /* what was found */
};

/* Boots a machine from a crash state (taken over), lets a guest run if asked, recovers, judges. machine is
 * the caller's then, sim_free. False: a violation was told. */
bool run_survive(struct run *run, struct tree *crashed, struct survival *how, uint64_t random,
                 struct sim *machine);

/* The modes. */
void mode_power(struct run *run);
void mode_kill(struct run *run);
void mode_fault(struct run *run);
void mode_cancel(struct run *run);
void mode_fsyncs(struct run *run, const char *allowed_path);
void mode_rollbacks(struct run *run, const char *allowed_path);
void mode_second(struct run *run);
void mode_oom(struct run *run);
void mode_look(struct run *run);
void mode_actors(struct run *run);
void mode_sim(struct run *run);
void mode_writer(struct run *run);

/* Which crash states of a machine's log are sampled. */
struct sampling {
    const struct sim *sim;
    size_t from;          /* crashes behind this call, and later ones */
    unsigned long quota;  /* in all, about */
    enum outcome success; /* what was reported at the log's end, OUTCOME_OPEN: nothing */
    bool must_undo;       /* it can be taken back then (a recovery may have lost that) */
};

/* Lets each be survived, until the first violation. */
void explore_power(struct run *run, const struct sampling *sampling);

/* Whether run->wanted of about `total` runs leaves this one out; another choice for each number. */
bool run_leaves_out(const struct run *run, unsigned long total, uint64_t number);

#endif

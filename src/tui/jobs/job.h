/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The one shape of long looking. A job begins, does a slice of work whenever the loop has nothing else to do,
 * says how far it is, can be stopped, and forgets what it found. What it finds and how is its own: scan,
 * check and files are rows of the application's table of jobs (app/app_jobs.c).
 *
 * Jobs know the image that is looked at, and not the application: a job never draws, takes no key, and has no
 * loop turned. What it has to say it leaves in `news`, `said` and `error`, and the loop fetches that behind
 * each slice.
 */
#ifndef COW_TUI_JOBS_JOB_H
#define COW_TUI_JOBS_JOB_H

#include <stdbool.h>

#include "cow/env.h"
#include "tui/jobs/progress.h"
#include "tui/jobs/subject.h"
#include "tui/screen/style.h"

struct tui_fiber;

/* How long a slice of work lasts where a person waits: a key that comes in it is answered behind it, and a
 * few of them and a drawing have to be done before it is felt. */
extern const double tui_slice_seconds;

/* owner is the struct that the job is part of. */
struct tui_job_class {
    /* Whether there is something to do where what it finds is wanted; of a running job nobody asks. */
    bool (*waits)(const void *owner);
    /* A slice of work: tui_slice_seconds, or in a script an amount that does not depend on the machine.
     * Begins the job if it does not run. */
    void (*slice)(void *owner);
    /* Drops what it has found and holds, running or not. The image that it was of may be closed then. */
    void (*forget)(void *owner);
    /* The core's call does not come back before it is done: the job is a fiber, and one goes on at a time. */
    bool is_fiber;
};

enum tui_job_state {
    TUI_JOB_OFF,
    TUI_JOB_RUNNING,
    TUI_JOB_STOPPED, /* because somebody wished so */
    TUI_JOB_FAILED,  /* error says why */
    TUI_JOB_DONE,
};

enum { TUI_JOB_SAID_BYTES = 256 };

struct tui_job {
    const struct tui_job_class *job_class;
    void *owner;
    const struct tui_subject *subject;
    enum tui_job_state state;
    unsigned generation; /* of the image that this is of; 0: of none */
    bool stop;           /* asked for: it is heard at the job's next step */
    struct tui_progress progress;
    double looked; /* when the present slice began */
    struct tui_fiber *fiber;
    bool inside;       /* the fiber goes on just now */
    struct cow_io *io; /* tui_job_io */
    struct cow_error error;
    bool news;                     /* there is something else to see than before */
    bool complains;                /* the error is to be told in any case, not only where the job is shown */
    char said[TUI_JOB_SAID_BYTES]; /* for the line of messages; "": nothing */
    enum tui_style said_style;
};

/* Makes it one that is off. */
void tui_job_init(struct tui_job *job, const struct tui_job_class *job_class, void *owner,
                  const struct tui_subject *subject);

/* Whether what it knows, or looks for just now, is of the image as it is now. */
bool tui_job_is_current(const struct tui_job *job);

/* Whether a slice is to be done, if what it finds is wanted or not. */
bool tui_job_waits(const struct tui_job *job, bool wanted);

/* It runs from now on, and is of the image as it is now. */
void tui_job_begin(struct tui_job *job);

/* How far it is. */
int tui_job_percent(const struct tui_job *job);

/* Asks for a stop, if it runs. */
void tui_job_stop(struct tui_job *job);

/* Leaves a sentence for the line of messages. */
void tui_job_say(struct tui_job *job, enum tui_style style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- for jobs that are fibers ---- */

/* A slice of look(owner), which runs on a stack of its own and sets the job's state at its end. Where there
 * is no memory for that, the job has failed. */
void tui_job_go_on(struct tui_job *job, void (*look)(void *owner));

/* Inside of look(): ends the slice, so that what is known by now is seen before longer work begins. In a
 * script only the core's steps end slices: it sees the same at the next one. */
void tui_job_show(struct tui_job *job);

/* Inside of look(): whether it shall stop, or is of an image that is gone. What was found then is no result,
 * whatever its status. */
bool tui_job_shall_stop(const struct tui_job *job);

/* For what is opened inside of look(): its slices end at each read, too, and a stop is heard there. NULL,
 * which is the operating system's, where there is no memory for that. It is kept until tui_job_end(), and
 * does what the system's does while no slice is being done. */
const struct cow_io *tui_job_io(struct tui_job *job);

/* Behind the last use of what was opened so. */
void tui_job_end(struct tui_job *job);

/* The core's progress callback for it; the context is the job. Ends the slice where it is time, and asks for
 * a stop where one was asked for, or the image is another one than when it began. */
bool tui_job_look_in(void *context, const struct cow_progress *progress);

/* From outside: stops it, and goes on until it has heard of that. */
void tui_job_halt(struct tui_job *job);

#endif

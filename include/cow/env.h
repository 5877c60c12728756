/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the core may ask of its caller. The core is mute: it never prints, prompts, draws or exits; whatever
 * it wants to say or ask goes through here. A missing callback means "no" to every question, silence, and "go
 * on".
 */
#ifndef COW_ENV_H
#define COW_ENV_H

#include <stdbool.h>
#include <stdint.h>

struct cow_progress {
    const char *phase;    /* "copying data"; valid during the call */
    uint64_t done_bytes;  /* of this commit as a whole */
    uint64_t total_bytes; /* an estimate, never 0 */
    bool can_cancel;      /* false past the point where only going on leaves the files consistent */
};

struct cow_env {
    /* Called at least every few MiB of work. Returns true to ask for a stop: honoured only while can_cancel
     * is true, then the operation undoes what it began and returns COW_CANCELLED. */
    bool (*progress)(void *context, const struct cow_progress *progress);
    /* Something worth telling that is not an error; text is one line without control bytes. */
    void (*note)(void *context, const char *text);
    void *context;
};

#endif

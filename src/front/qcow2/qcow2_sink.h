/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A qcow2 image to be written (cow/foreign.h).
 */
#ifndef FRONT_QCOW2_SINK_H
#define FRONT_QCOW2_SINK_H

#include "cow/env.h"
#include "cow/foreign.h"
#include "front/qcow2/qcow2_server.h"

struct qcow2_sink {
    struct cow_foreign_sink disk; /* its context is this struct, which therefore stays where it is */
    const struct cow_env *env;    /* asked whether to stop; NULL: nobody */
    struct qcow2_server server;
};

/* Nothing is started before the commit asks. Errors: COW_UNSUPPORTED (libnbd or a tool is missing). */
int qcow2_open_sink(struct qcow2_sink *out, struct cow_error *err);

/* Ends what may still run, after a commit that failed, too. failure: that commit's error, which gets what
 * qemu-nbd said as a hint where there is none; or NULL. */
void qcow2_close_sink(struct qcow2_sink *sink, struct cow_error *failure);

#endif

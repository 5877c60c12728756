/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is told to whoever traces a change (cow_env.trace): a line of text, and the system's calls that change
 * something. Where nobody listens, nothing is formatted and nothing is between the core and the calls.
 */
#ifndef CORE_BASE_TRACE_H
#define CORE_BASE_TRACE_H

#include "core/base/io.h"
#include "cow/env.h"

/* A line, where env wants to hear of that; control bytes are escaped. env may be NULL. */
void trace_say(const struct cow_env *env, enum cow_trace what, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same table of calls, but those that change a file, flush or lock it are told with what they answered.
 * Answers `io` itself where env does not want to hear of calls, or where there is no memory. trace_end of
 * what was answered ends it; `io` and env must outlive it. */
const struct cow_io *trace_begin(const struct cow_io *io, const struct cow_env *env);
/* How a descriptor that was open before is called from now on. */
void trace_name(const struct cow_io *traced, const struct cow_io *io, int fd, const char *path);
void trace_end(const struct cow_io *traced, const struct cow_io *io);

#endif

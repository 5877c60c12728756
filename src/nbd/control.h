/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The line between the plugin and whoever started it: a socket. What the plugin tells there is a line each,
 * so that an error of the core arrives with its status and its words, and not as a line of nbdkit's log. The
 * other side says only one thing, by closing its end or by dying: stop. nbdkit itself, asked by a signal,
 * waits for its clients to go, who may have no reason to. The other end is front/server.c.
 */
#ifndef NBD_CONTROL_H
#define NBD_CONTROL_H

#include <stdint.h>

#include "cow/error.h"

/* "ready SIZE": the disk is open, and the socket of the server listens. fd -1: nobody listens; so for all of
 * them. */
void control_tell_ready(int fd, uint64_t size_bytes);
/* "hint TEXT" where there is one, then "failed STATUS MESSAGE". */
void control_tell_error(int fd, const struct cow_error *err);
/* "finished": all that was written is on the disk. */
void control_tell_end(int fd);

/* Waits in a thread of its own for the other side's stop, and calls `stop` there. Returns 0, or an errno. */
int control_watch(int fd, void (*stop)(void));
/* Ends that waiting; does not return where `stop` has been called already and ends the process. */
void control_unwatch(void);

#endif

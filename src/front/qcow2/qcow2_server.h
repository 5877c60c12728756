/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * qemu-nbd over one image, and the connection to it.
 */
#ifndef FRONT_QCOW2_SERVER_H
#define FRONT_QCOW2_SERVER_H

#include "cow/env.h"
#include "cow/error.h"
#include "front/private.h"
#include "front/process.h"
#include "front/qcow2/nbd_client.h"

struct qcow2_server {
    struct front_process *process;
    struct nbd_client *client;
    char said[COW_MESSAGE_BYTES]; /* its first line */
};

/* All that is needed to read and write qcow2 images: COW_UNSUPPORTED, with the package, unless it is there.
 */
int qcow2_need(struct cow_error *err);

/* Starts qemu-nbd with these arguments, which end with NULL, and a socket that nobody else can reach, and
 * connects. path is for messages; fd: a descriptor that it gets, or -1. env is asked whether to stop; may be
 * NULL. qcow2_end_server in any case; until then *out stays where it is. Errors: COW_INVALID (it does not
 * open the image), COW_LOCKED, COW_IO, COW_UNSUPPORTED, COW_CANCELLED. */
enum { QCOW2_ARGUMENTS_MAX = 8 };
int qcow2_start_server(struct qcow2_server *out, const char *const arguments[], const char *path, int fd,
                       const struct cow_env *env, struct cow_error *err);

/* Ends the connection, and waits until the server has written all and ended. COW_IO if it failed. */
int qcow2_finish_server(struct qcow2_server *server, const char *path, struct cow_error *err);

/* Ends the server, whatever it is doing. One that was zeroed, or ended, is allowed. */
void qcow2_end_server(struct qcow2_server *server);

#endif

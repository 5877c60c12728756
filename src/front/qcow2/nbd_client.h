/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A disk over NBD. The one file that includes libnbd; built without it, everything answers COW_UNSUPPORTED.
 *
 * What works on data answers 0 or a negative errno. Signals wait until a call is done, for libnbd gives up
 * what it has begun when one comes.
 */
#ifndef FRONT_NBD_CLIENT_H
#define FRONT_NBD_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cow/error.h"

struct nbd_client;

/* What the server says of a stretch without reading it. */
struct nbd_stretch {
    uint64_t end_bytes;
    bool is_zero;
    uint32_t
        depth; /* qemu:allocation-depth: 0: nowhere, or not told; 1: in the image itself; more: below it */
};

/* COW_UNSUPPORTED with the name of the package where it was built without libnbd. */
int nbd_client_need(struct cow_error *err);

/* Speaks with a server over a connected socket, which becomes the client's in any case. *out:
 * nbd_client_close. Errors: COW_IO, with what the server or the library says. */
int nbd_client_open(struct nbd_client **out, int socket_fd, struct cow_error *err);
void nbd_client_close(struct nbd_client *client); /* NULL is allowed */

/* Of the disk in bytes, as the server said when it was opened. */
uint64_t nbd_client_size(const struct nbd_client *client);

/* Any number of bytes. */
int nbd_client_read(struct nbd_client *client, void *buffer, size_t n_bytes, uint64_t offset);
int nbd_client_write(struct nbd_client *client, const void *bytes, size_t n_bytes, uint64_t offset);
/* n_bytes < 2 GiB. */
int nbd_client_zero(struct nbd_client *client, uint64_t n_bytes, uint64_t offset);
/* All that was answered is on the disk, or with the server's file system. */
int nbd_client_flush(struct nbd_client *client);

/* What lies at offset, as far as it is the same, up to limit. A server that does not tell: data. */
int nbd_client_stretch(struct nbd_client *client, uint64_t offset, uint64_t limit, struct nbd_stretch *out);

#endif

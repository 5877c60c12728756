/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A server of the composed disk: nbdkit with our plugin, on a socket. It ends when it is told to, when we
 * die, or when it was asked to with its first client; what was written is on the disk then, and its socket is
 * gone.
 */
#ifndef FRONT_SERVER_H
#define FRONT_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "cow/error.h"
#include "front/process.h"

struct front_server;

struct front_server_options {
    const char *image_path;
    const char *backing_path; /* instead of the stored one; or NULL */
    bool is_writing;
    bool is_held; /* with is_writing: held_fd and held_size_bytes are those of cow/writer.h */
    int held_fd;  /* open for reading and writing, and locked; it stays the caller's */
    uint64_t held_size_bytes;
    const char *socket_path;  /* NULL: one in a private directory */
    bool ends_with_client;    /* when the last client has gone, after the first has come */
    uint64_t part_first_byte; /* only this part of the disk is served; */
    uint64_t part_bytes;      /* 0: the whole disk */
    front_line *on_line;      /* the server's log; NULL: nobody wants it */
    void *context;
};

/* Whether nbdkit and the plugin are there. Errors: COW_UNSUPPORTED. */
int front_need_server(struct cow_error *err);

/* Whether a socket can be made by that name. Errors: COW_USAGE: too long, or something is there already;
 * COW_IO. */
int front_check_socket(const char *path, struct cow_error *err);

/* Starts it, and waits until it listens. *out is the caller's: front_server_stop. Errors: those of the two
 * above, and of opening the image (cow/image.h, cow/writer.h). Nothing is left of it then. */
int front_server_start(struct front_server **out, const struct front_server_options *options,
                       struct cow_error *err);

/* Its path, absolute or as options->socket_path had it; the server's. */
const char *front_server_socket(const struct front_server *server);
const char *front_server_uri(const struct front_server *server);     /* "nbd+unix:///?socket=/tmp/..." */
uint64_t front_server_size_bytes(const struct front_server *server); /* of the whole disk */

/* Hands its log on, waiting for that up to ms. False when it has ended. */
bool front_server_poll(struct front_server *server, int ms);

/* Ends it, with clients or without, and frees it. NULL is allowed. 0: all that was written is on the disk.
 * Errors: what its last flush met; COW_IO where it ended without one (killed). */
int front_server_stop(struct front_server *server, struct cow_error *err);

#endif

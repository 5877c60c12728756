/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the server tells of a range is asked for many stretches at once, and remembered: two lists, one for
 * zeros and one for depths, for the two begin and end at different places.
 */
#include "front/qcow2/nbd_client.h"

static int not_built(struct cow_error *err)
{
    cow_error_set(err, COW_UNSUPPORTED, "this cowtui was built without libnbd, which this needs");
    return cow_error_hint(err, "install the Debian package libnbd-dev, then build it anew");
}

#ifdef HAVE_LIBNBD

#include <errno.h>
#include <libnbd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PIECE_BYTES = 8 * 1024 * 1024, /* any server takes as much in one request */
    ASK_BYTES = 1024 * 1024 * 1024,
    STRETCHES_MAX = 4096,
};

static const char depth_context[] = "qemu:allocation-depth";

/* What is known of [begin, end): the flags of stretches that follow each other. */
struct told {
    uint64_t begin, end;
    size_t n, last; /* last: the one that was asked for last */
    struct {
        uint64_t end;
        uint32_t flags;
    } stretch[STRETCHES_MAX];
};

struct nbd_client {
    struct nbd_handle *nbd;
    uint64_t size_bytes;
    bool tells_zeros, tells_depth;
    struct told zeros, depth;
};

int nbd_client_need(struct cow_error *err)
{
    (void)not_built;
    (void)err;
    return 0;
}

static void hold_signals(sigset_t *old)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, old);
}

static void let_signals(const sigset_t *old)
{
    sigprocmask(SIG_SETMASK, old, NULL);
}

static int errno_of_failure(void)
{
    int problem = nbd_get_errno();

    return problem > 0 ? -problem : -EIO;
}

static int failed(const char *what, struct cow_error *err)
{
    const char *words = nbd_get_error();

    return cow_error_set(err, COW_IO, "%s: %s", what, words != NULL ? words : "failed without a reason");
}

/* The handshake. The socket is the library's once it was asked to connect. */
static int shake_hands(struct nbd_client *client, int socket_fd, struct cow_error *err)
{
    struct nbd_handle *nbd = client->nbd;
    int64_t size;

    if (nbd_add_meta_context(nbd, LIBNBD_CONTEXT_BASE_ALLOCATION) == -1 ||
        nbd_add_meta_context(nbd, depth_context) == -1 || nbd_connect_socket(nbd, socket_fd) == -1) {
        return failed("speaking NBD", err);
    }
    size = nbd_get_size(nbd);
    if (size < 0) {
        return failed("asking for the disk's size", err);
    }
    client->size_bytes = (uint64_t)size;
    client->tells_zeros = nbd_can_meta_context(nbd, LIBNBD_CONTEXT_BASE_ALLOCATION) == 1;
    client->tells_depth = nbd_can_meta_context(nbd, depth_context) == 1;
    return 0;
}

int nbd_client_open(struct nbd_client **out, int socket_fd, struct cow_error *err)
{
    struct nbd_client *client = calloc(1, sizeof *client);
    sigset_t old;
    int status;

    if (client != NULL) {
        client->nbd = nbd_create();
    }
    if (client == NULL || client->nbd == NULL) {
        free(client);
        close(socket_fd);
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    hold_signals(&old);
    status = shake_hands(client, socket_fd, err);
    let_signals(&old);
    if (status != 0) {
        nbd_client_close(client);
    } else {
        *out = client;
    }
    return status;
}

void nbd_client_close(struct nbd_client *client)
{
    sigset_t old;

    if (client == NULL) {
        return;
    }
    hold_signals(&old);
    if (nbd_aio_is_ready(client->nbd) == 1) {
        (void)nbd_shutdown(client->nbd, 0);
    }
    nbd_close(client->nbd);
    let_signals(&old);
    free(client);
}

uint64_t nbd_client_size(const struct nbd_client *client)
{
    return client->size_bytes;
}

int nbd_client_read(struct nbd_client *client, void *buffer, size_t n_bytes, uint64_t offset)
{
    sigset_t old;
    int status = 0;

    hold_signals(&old);
    for (size_t done = 0, n; done < n_bytes && status == 0; done += n) {
        n = n_bytes - done < PIECE_BYTES ? n_bytes - done : PIECE_BYTES;
        if (nbd_pread(client->nbd, (char *)buffer + done, n, offset + done, 0) == -1) {
            status = errno_of_failure();
        }
    }
    let_signals(&old);
    return status;
}

int nbd_client_write(struct nbd_client *client, const void *bytes, size_t n_bytes, uint64_t offset)
{
    sigset_t old;
    int status = 0;

    hold_signals(&old);
    for (size_t done = 0, n; done < n_bytes && status == 0; done += n) {
        n = n_bytes - done < PIECE_BYTES ? n_bytes - done : PIECE_BYTES;
        if (nbd_pwrite(client->nbd, (const char *)bytes + done, n, offset + done, 0) == -1) {
            status = errno_of_failure();
        }
    }
    let_signals(&old);
    return status;
}

int nbd_client_zero(struct nbd_client *client, uint64_t n_bytes, uint64_t offset)
{
    sigset_t old;
    int status;

    hold_signals(&old);
    status = nbd_zero(client->nbd, n_bytes, offset, 0) == -1 ? errno_of_failure() : 0;
    let_signals(&old);
    return status;
}

int nbd_client_flush(struct nbd_client *client)
{
    sigset_t old;
    int status;

    hold_signals(&old);
    status = nbd_can_flush(client->nbd) == 1 && nbd_flush(client->nbd, 0) == -1 ? errno_of_failure() : 0;
    let_signals(&old);
    return status;
}

/* ---- what lies where ---- */

static void tell(struct told *told, uint64_t offset, const uint32_t *entry, size_t entries)
{
    told->begin = told->end = offset;
    told->n = told->last = 0;
    for (size_t i = 0; i + 1 < entries && told->n < STRETCHES_MAX; i += 2) {
        if (entry[i] == 0) {
            continue;
        }
        told->end += entry[i];
        told->stretch[told->n].end = told->end;
        told->stretch[told->n++].flags = entry[i + 1];
    }
}

static int on_extents(void *user_data, const char *context, uint64_t offset, uint32_t *entry, size_t entries,
                      int *error)
{
    struct nbd_client *client = user_data;

    (void)error;
    if (strcmp(context, LIBNBD_CONTEXT_BASE_ALLOCATION) == 0) {
        tell(&client->zeros, offset, entry, entries);
    } else if (strcmp(context, depth_context) == 0) {
        tell(&client->depth, offset, entry, entries);
    }
    return 0;
}

static bool knows(const struct told *told, uint64_t offset)
{
    return offset >= told->begin && offset < told->end;
}

/* The stretch in which offset lies, which is known. */
static uint32_t flags_at(struct told *told, uint64_t offset, uint64_t *end)
{
    size_t i = told->last < told->n && (told->last == 0 || told->stretch[told->last - 1].end <= offset)
                   ? told->last
                   : 0;

    while (told->stretch[i].end <= offset) {
        i++;
    }
    told->last = i;
    *end = *end < told->stretch[i].end ? *end : told->stretch[i].end;
    return told->stretch[i].flags;
}

/* As far as is worth it; never nothing. */
static int ask(struct nbd_client *client, uint64_t offset)
{
    const uint64_t left = client->size_bytes - offset;
    const nbd_extent_callback callback = {.callback = on_extents, .user_data = client};
    sigset_t old;
    int status;

    client->zeros.end = client->zeros.begin = client->depth.end = client->depth.begin = 0;
    hold_signals(&old);
    status = nbd_block_status(client->nbd, left < ASK_BYTES ? left : ASK_BYTES, offset, callback, 0) == -1
                 ? errno_of_failure()
                 : 0;
    let_signals(&old);
    return status;
}

int nbd_client_stretch(struct nbd_client *client, uint64_t offset, uint64_t limit, struct nbd_stretch *out)
{
    int status = 0;
    uint64_t end = limit;

    *out = (struct nbd_stretch){.end_bytes = limit};
    if ((client->tells_zeros && !knows(&client->zeros, offset)) ||
        (client->tells_depth && !knows(&client->depth, offset))) {
        status = ask(client, offset);
    }
    if (status != 0) {
        return status;
    }
    if (client->tells_zeros && knows(&client->zeros, offset)) {
        out->is_zero = (flags_at(&client->zeros, offset, &end) & LIBNBD_STATE_ZERO) != 0;
    }
    if (client->tells_depth && knows(&client->depth, offset)) {
        out->depth = flags_at(&client->depth, offset, &end);
    }
    out->end_bytes = end;
    return 0;
}

#else

int nbd_client_need(struct cow_error *err)
{
    return not_built(err);
}

int nbd_client_open(struct nbd_client **out, int socket_fd, struct cow_error *err)
{
    (void)out;
    (void)socket_fd;
    return not_built(err);
}

void nbd_client_close(struct nbd_client *client)
{
    (void)client;
}

uint64_t nbd_client_size(const struct nbd_client *client)
{
    (void)client;
    return 0;
}

int nbd_client_read(struct nbd_client *client, void *buffer, size_t n_bytes, uint64_t offset)
{
    (void)client;
    (void)buffer;
    (void)n_bytes;
    (void)offset;
    return -1;
}

int nbd_client_write(struct nbd_client *client, const void *bytes, size_t n_bytes, uint64_t offset)
{
    (void)client;
    (void)bytes;
    (void)n_bytes;
    (void)offset;
    return -1;
}

int nbd_client_zero(struct nbd_client *client, uint64_t n_bytes, uint64_t offset)
{
    (void)client;
    (void)n_bytes;
    (void)offset;
    return -1;
}

int nbd_client_flush(struct nbd_client *client)
{
    (void)client;
    return -1;
}

int nbd_client_stretch(struct nbd_client *client, uint64_t offset, uint64_t limit, struct nbd_stretch *out)
{
    (void)client;
    (void)offset;
    (void)limit;
    (void)out;
    return -1;
}

#endif

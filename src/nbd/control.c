/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Lines on a socket. Who listened may be gone: then there is nobody to tell, and that is no error.
 */
#include "nbd/control.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

static struct {
    pthread_t thread;
    bool is_running;
    int fd;
    int enough[2]; /* a pipe: closed, nobody waits any more */
    void (*stop)(void);
} watch;

void control_tell_ready(int fd, uint64_t size_bytes)
{
    if (fd >= 0) {
        dprintf(fd, "ready %" PRIu64 "\n", size_bytes);
    }
}

void control_tell_error(int fd, const struct cow_error *err)
{
    if (fd >= 0 && err->hint[0] != '\0') {
        dprintf(fd, "hint %s\n", err->hint);
    }
    if (fd >= 0) {
        dprintf(fd, "failed %d %s\n", err->status, err->message);
    }
}

void control_tell_end(int fd)
{
    if (fd >= 0) {
        dprintf(fd, "finished\n");
    }
}

/* The other side says nothing, so there is something to read when its end is closed. */
static void *wait_for_stop(void *unused)
{
    struct pollfd ends[] = {{.fd = watch.fd, .events = POLLIN}, {.fd = watch.enough[0], .events = POLLIN}};
    int n;

    (void)unused;
    do {
        n = poll(ends, 2, -1);
    } while (n < 0 && errno == EINTR);
    if (ends[1].revents == 0) {
        watch.stop();
    }
    return NULL;
}

int control_watch(int fd, void (*stop)(void))
{
    int code;

    watch.fd = fd;
    watch.stop = stop;
    if (pipe2(watch.enough, O_CLOEXEC) != 0) {
        return errno;
    }
    code = pthread_create(&watch.thread, NULL, wait_for_stop, NULL);
    watch.is_running = code == 0;
    return code;
}

void control_unwatch(void)
{
    if (!watch.is_running) {
        return;
    }
    close(watch.enough[1]);
    pthread_join(watch.thread, NULL);
    close(watch.enough[0]);
    watch.is_running = false;
}

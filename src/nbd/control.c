/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Lines on a socket. Who listened may be gone: then there is nobody to tell, and that is no error.
 */
#include "nbd/control.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

static struct {
    pthread_t thread;
    bool is_running;
    int fd;
    void (*stop)(void);
} watch;

void control_tell_ready(int fd, uint64_t size_bytes)
{
    if (fd >= 0)
        dprintf(fd, "ready %" PRIu64 "\n", size_bytes);
}

void control_tell_error(int fd, const struct cow_error *err)
{
    if (fd >= 0 && err->hint[0])
        dprintf(fd, "hint %s\n", err->hint);
    if (fd >= 0)
        dprintf(fd, "failed %d %s\n", err->status, err->message);
}

void control_tell_end(int fd)
{
    if (fd >= 0)
        dprintf(fd, "finished\n");
}

static void *wait_for_stop(void *unused)
{
    char byte;
    ssize_t n;

    (void)unused;
    do {
        n = read(watch.fd, &byte, 1); /* whoever cancels the thread does it here */
    } while (n > 0 || (n < 0 && errno == EINTR));
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    watch.stop();
    return NULL;
}

int control_watch(int fd, void (*stop)(void))
{
    int code;

    watch.fd = fd;
    watch.stop = stop;
    code = pthread_create(&watch.thread, NULL, wait_for_stop, NULL);
    watch.is_running = code == 0;
    return code;
}

void control_unwatch(void)
{
    if (!watch.is_running)
        return;
    pthread_cancel(watch.thread);
    pthread_join(watch.thread, NULL);
    watch.is_running = false;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A free one is taken where there is one; else the thread waits for the next in turn, so that all are waited
 * for alike.
 *
 * Hazard: whoever holds all takes the locks in their order, and whoever takes one holds no other: so no two
 * wait for each other.
 */
#include "nbd/readers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

/* Each costs an open image. */
enum { READERS_MAX = 4 };

static struct reader {
    pthread_mutex_t busy;
    struct served *disk;
} reader[READERS_MAX] = {{.busy = PTHREAD_MUTEX_INITIALIZER},
                         {.busy = PTHREAD_MUTEX_INITIALIZER},
                         {.busy = PTHREAD_MUTEX_INITIALIZER},
                         {.busy = PTHREAD_MUTEX_INITIALIZER}};
static unsigned n_readers; /* open ones: set before there is a second thread */
static atomic_uint turn;

static unsigned wanted(const struct served_options *options)
{
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);

    if (options->is_writing || processors <= 1) {
        return 1;
    }
    return processors < READERS_MAX ? (unsigned)processors : READERS_MAX;
}

int readers_open(const struct served_options *options, struct cow_error *err)
{
    const unsigned n = wanted(options);
    int status = 0;

    for (unsigned i = 0; i < n && status == 0; i++) {
        status = served_open(&reader[i].disk, options, err);
        n_readers += status == 0;
        if (status == 0 && i > 0 && !served_is_same(reader[0].disk, reader[i].disk)) {
            status = cow_error_set(err, COW_IO, "%s: another file has got its name at this moment",
                                   options->image_path);
        }
    }
    if (status != 0) {
        readers_close();
    }
    return status;
}

void readers_close(void)
{
    for (unsigned i = 0; i < n_readers; i++) {
        served_close(reader[i].disk);
        reader[i].disk = NULL;
    }
    n_readers = 0;
}

struct served *readers_take(void)
{
    const unsigned first = atomic_fetch_add(&turn, 1) % n_readers;

    for (unsigned i = 0; i < n_readers; i++) {
        struct reader *one = &reader[(first + i) % n_readers];
        if (pthread_mutex_trylock(&one->busy) == 0) {
            return one->disk;
        }
    }
    pthread_mutex_lock(&reader[first].busy);
    return reader[first].disk;
}

void readers_give(struct served *disk)
{
    for (unsigned i = 0; i < n_readers; i++) {
        if (reader[i].disk == disk) {
            pthread_mutex_unlock(&reader[i].busy);
        }
    }
}

void readers_hold(void)
{
    for (unsigned i = 0; i < READERS_MAX; i++) {
        pthread_mutex_lock(&reader[i].busy);
    }
}

void readers_release(void)
{
    for (unsigned i = 0; i < READERS_MAX; i++) {
        pthread_mutex_unlock(&reader[i].busy);
    }
}

struct served *readers_first(void)
{
    return reader[0].disk;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The disk as several threads use it at once: an image that is only looked at is opened once for each of a
 * few readers, for an image belongs to one thread; a writer is one, and whoever asks waits for its turn. All
 * of them are the same file, or it is an error.
 */
#ifndef NBD_READERS_H
#define NBD_READERS_H

#include "nbd/served.h"

/* Opens the disk for all threads. Errors: those of served_open; COW_IO where the name stands for another file
 * than a moment before; the errno of what the system has too little of. Nothing is left open then. */
int readers_open(const struct served_options *options, struct cow_error *err);
/* Gives all back; whoever calls this holds all of them. Nothing happens where nothing is open. */
void readers_close(void);

/* One disk to ask, for this thread alone until readers_give. */
struct served *readers_take(void);
void readers_give(struct served *disk);

/* Waits until nobody has one, and keeps them all. */
void readers_hold(void);
void readers_release(void);

/* For a moment when nobody opens or closes them. NULL: nothing is open. Its size and whether it is a writer
 * can be asked without holding it. */
struct served *readers_first(void);

#endif

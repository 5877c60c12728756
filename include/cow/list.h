/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What there is to look at: the COW images in a directory, and what else is known there of disks, one file
 * after the other, so that who lists thousands shows each as it is found. Looking takes no lock and writes
 * nothing. What one entry costs is bounded: no data is read, and of a bitmap only so much.
 */
#ifndef COW_LIST_H
#define COW_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cow/error.h"
#include "cow/image.h"

struct cow_list_options {
    bool no_backing;         /* images are looked at alone: no backing file is looked for, nor opened */
    const struct cow_io *io; /* the table of system calls; NULL: the operating system's (tests wrap it) */
};

enum cow_listed {
    COW_LISTED_NOTHING,    /* nothing of interest: not to be listed */
    COW_LISTED_IMAGE,      /* a COW image that opens */
    COW_LISTED_BROKEN,     /* a COW image that does not: error says why */
    COW_LISTED_OTHER,      /* no COW image: error says what it is, as far as that is known, and what to do */
    COW_LISTED_UNREADABLE, /* it cannot be read: error says why */
};

enum { COW_LIST_TITLE_BYTES = 96, COW_LIST_PENDING_BYTES = 256 };

/* What is told of one file. It can be copied; path is borrowed. */
struct cow_list_entry {
    const char *path; /* as the place was named, and the name in it */
    enum cow_listed what;
    const char *format;               /* "uml-cow-v3", "qcow2", "raw", "gzip"...; NULL: not known. Constant */
    char title[COW_LIST_TITLE_BYTES]; /* "UML COW v3", "a raw disk with an ext4 filesystem"; "": not known */
    bool size_known;
    uint64_t size_bytes; /* of the disk */
    /* Of an image: */
    bool dirty_known;     /* false: it has no layout, or its bitmap is too long to be counted here */
    bool dirty_uncounted; /* ... the second */
    uint64_t dirty_bytes;
    char backing_path[COW_PATH_BYTES + 1]; /* as its header has it; "" = none */
    enum cow_backing_state backing_state;
    struct cow_verdict verdict; /* without the advice: cow_image_verdict knows that better */
    struct cow_holder holder;
    char pending[COW_LIST_PENDING_BYTES]; /* what an interrupted change left; "" = nothing */
    struct cow_error error;               /* status 0 of an image. Its message does not begin with the path */
};

/* Tells of a file that is named: whatever it is, it is told. */
void cow_list_look(struct cow_list_entry *out, const char *path, const struct cow_list_options *opt);

/* A list in the making. */
struct cow_list;

/* Begins a list of a place: a directory, whose names are read at once and sorted, byte by byte; or any other
 * file. In a directory, and not below it, what is told are COW images, disks of other formats, and raw disks
 * that have a partition table or a filesystem that is known by its first bytes; what cowtui keeps beside an
 * image is left out. opt may be NULL. *out is the caller's: cow_list_close. Errors: COW_IO (there is no such
 * place, or its names cannot be read), COW_NO_MEMORY; *out is unchanged then. */
int cow_list_open(struct cow_list **out, const char *place, const struct cow_list_options *opt,
                  struct cow_error *err);
void cow_list_close(struct cow_list *list); /* NULL is allowed */

/* Looks at the next name. False: there is none. entry->path is the list's, until the next call. */
bool cow_list_next(struct cow_list *list, struct cow_list_entry *entry);

/* Whether the place is no directory: what is told is a file that was named. */
bool cow_list_is_of_one_file(const struct cow_list *list);

/* How many names there are, and how many of them have been looked at. */
size_t cow_list_names(const struct cow_list *list);
size_t cow_list_looked_at(const struct cow_list *list);

#endif

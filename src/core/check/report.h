/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a finder writes to: the facts of a checkup, the list of findings, and the words that several of them
 * need. Below the finders, which are below checkup.c, so that no finder knows the list of them.
 */
#ifndef CORE_CHECK_REPORT_H
#define CORE_CHECK_REPORT_H

#include "core/image/image.h"
#include "cow/check.h"
#include "cow/fs.h"

/* What stands in the way of a change, or speaks for it; found out before the findings. */
struct checkup {
    struct cow_image *img;      /* NULL: it does not open */
    const struct cow_env *env;  /* may be NULL */
    struct cow_check *check;    /* finding[code], while it is filled */
    bool found[COW_FINDINGS];   /* which of them are */
    struct cow_fs *fs;          /* what lies on the disk; NULL: not looked at */
    struct cow_usage usage;     /* all zero for an unfinished image */
    struct cow_verdict verdict; /* of a stock kernel */
    struct cow_holder holder;   /* of the image's lock */
    bool journal;               /* a change is under way, or was interrupted */
    bool has_backing;           /* open and readable */
    bool same_size, same_date;  /* of disk, or header, and backing file; true also without one */
    char
        pending_sibling[400]; /* half a sentence about another image on it whose change is half done, or "" */
    bool date_fits;           /* the backing file's date can be written into a header */
};

/* Enters a finding, once a code. Whether it is fixable follows from its fix and from the facts above; a
 * detection that knows better clears it in what it gets back. The arguments may hold bytes from a disk. */
struct cow_finding *report(struct checkup *c, enum cow_finding_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Could the fix be made here and now? */
bool fix_applies(const struct checkup *c, enum cow_fix fix);

/* For messages. */
enum { DATE_TEXT_BYTES = 64, NAME_TEXT_BYTES = 200 };
/* "2003-04-26 12:00:00 UTC (1051358400)". Returns buffer[DATE_TEXT_BYTES]. */
const char *date_text(char *buffer, int64_t seconds);
/* The same without the number. */
const char *clock_text(char *buffer, int64_t seconds);
/* A path, escaped and cut so that the rest of the message has room. Returns buffer[NAME_TEXT_BYTES]. */
const char *name_text(char *buffer, const char *path);
/* How many bytes of a path are its directory with the slash behind it; 0: it has none. */
int directory_length(const char *path);
/* "s" but for one. */
const char *plural(uint64_t n);

/* The backing file by its absolute path, links in its directory resolved, into out[PATH_MAX]. False: there is
 * none, or it has none that fits a header. */
bool backing_absolute(const struct cow_image *img, char *out);

#endif

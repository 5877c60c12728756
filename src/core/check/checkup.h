/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A checkup: one image, looked at by one function a finding or group of findings. Each reads
 * `if (bad) report(...)`; severity, meaning and fix stand in the table of cow/check.h.
 *
 * The functions that read files answer 0 or a status with err set; the others cannot fail.
 */
#ifndef CORE_CHECK_CHECKUP_H
#define CORE_CHECK_CHECKUP_H

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
/* "s" but for one. */
const char *plural(uint64_t n);

/* ---- find_state.c: what goes on around the image ---- */
void find_unfinished(struct checkup *c);
void find_interrupted(struct checkup *c);
void find_locked(struct checkup *c);
void find_undo(struct checkup *c);
void find_several_names(struct checkup *c);

/* ---- find_candidate.c ---- */

enum candidate_need {
    CANDIDATE_LIKE, /* name, date or UUID fits */
    CANDIDATE_DATE, /* the date does: for where there is a backing file, of another size or date */
    CANDIDATE_UUID, /* the UUID does: there is one, with another filesystem */
};

/* Fills check->candidate: a regular file, in the directory of the image or in the one that the header names,
 * that may be its backing file; what was found before stays. COW_NO_MEMORY. */
int find_candidates(struct checkup *c, enum candidate_need need, struct cow_error *err);

/* ---- find_backing.c, find_path.c ---- */
int find_place(struct checkup *c, struct cow_error *err); /* candidates, before what needs them is reported */
void find_pending_sibling(struct checkup *c);             /* reports nothing: for the next ones */
void find_no_backing(struct checkup *c);
void find_backing_size(struct checkup *c);
int find_backing_date(struct checkup *c, struct cow_error *err);
int find_backing_is_cow(struct checkup *c, struct cow_error *err);
void find_backing_elsewhere(struct checkup *c);
void find_path_relative(struct checkup *c);
void find_path_long(struct checkup *c);
void find_path_control(struct checkup *c);

/* The backing file by its absolute path, links in its directory resolved, into out[PATH_MAX]. False: there is
 * none, or it has none that fits a header. */
bool backing_absolute(const struct cow_image *img, char *out);

/* ---- find_header.c: what the header says ---- */
void find_format(struct checkup *c);
void find_sector_size(struct checkup *c);
void find_data_offset(struct checkup *c);
void find_small_disk(struct checkup *c);
void find_tail(struct checkup *c);
void find_overlap(struct checkup *c);
void find_cow_format(struct checkup *c);
void find_refused(struct checkup *c); /* last: a refusal that nothing else explains */

/* ---- find_layout.c: the file against its layout ---- */
void find_bitmap_cut(struct checkup *c);
int find_data_cut(struct checkup *c, struct cow_error *err);
void find_file_long(struct checkup *c);
int find_padding(struct checkup *c, struct cow_error *err);
int find_inflated(struct checkup *c, struct cow_error *err);

/* ---- find_disk.c: what lies on the disk ---- */
int find_disk(struct checkup *c, struct cow_error *err);

/* ---- find_content.c: bits, and bytes ---- */
int find_mixed_pages(struct checkup *c, struct cow_error *err);
/* Redundant and zero sectors, and orphans: one scan, which needs the backing file. */
int find_content(struct checkup *c, struct cow_error *err);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An open image: its header, its backing file, what a kernel would say of it. What is on its disk is asked by
 * cow/disk.h. Looking takes no lock and writes nothing, so an image that a guest is using can be opened. One
 * image belongs to one thread.
 */
#ifndef COW_IMAGE_H
#define COW_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cow/disk.h"
#include "cow/error.h"
#include "cow/header.h"
#include "cow/layout.h"

struct cow_io;

struct cow_open_options {
    const char *backing_path; /* use this backing file instead of the stored one; NULL: the stored one */
    bool no_backing;          /* look at the image alone: no backing file is looked for, nor opened */
    const struct cow_io *io;  /* the table of system calls; NULL: the operating system's (tests wrap it) */
};

/* Opens an image read-only. A regular file only; a link is followed. A backing file that is missing or
 * unusable is no error here (cow_image_backing tells), unless the caller named it in opt->backing_path. opt
 * may be NULL. *out is the caller's; free it with cow_image_close. Errors: COW_IO, COW_NOT_COW, COW_INVALID,
 * COW_NO_MEMORY; *out is unchanged on failure. An image with the mark of an unfinished change opens, too:
 * header->unfinished is true and it has no layout, runs or contents (those calls answer COW_INVALID). */
int cow_image_open(struct cow_image **out, const char *path, const struct cow_open_options *opt,
                   struct cow_error *err);
void cow_image_close(struct cow_image *img); /* NULL is allowed */

/* Reads header, backing and bitmap summary anew, for following an image that a guest is writing. On failure
 * the image stays as it was. */
int cow_image_refresh(struct cow_image *img, struct cow_error *err);

/* Somebody has written to the file: the bits of these sectors, and where its data is, are read anew when they
 * are asked for next (cow/follow.h finds out which). What was counted of other bits is kept. */
void cow_image_bits_changed(struct cow_image *img, uint64_t first_sector, uint64_t sectors);

/* As the caller named it. */
const char *cow_image_path(const struct cow_image *img);
/* Does its path still lead to the file that is open? One call of the system. */
bool cow_image_is_same_file(const struct cow_image *img);
/* With links resolved, absolute. */
const char *cow_image_real_path(const struct cow_image *img);
/* The header as it was read last, the image's; cow_image_refresh reads it anew. */
const struct cow_header *cow_image_header(const struct cow_image *img);
/* Where bitmap and data lie by that header, the image's. All zero for an unfinished image. */
const struct cow_layout *cow_image_layout(const struct cow_image *img);
/* The first bytes of the file, as they lie there (up to COW_HEADER_BYTES_MAX): *n_bytes of them. */
const uint8_t *cow_image_header_raw(const struct cow_image *img, size_t *n_bytes);

enum cow_backing_state {
    COW_BACKING_NONE,     /* the header names none (QEMU): clean sectors are zeros */
    COW_BACKING_FOUND,    /* open and readable */
    COW_BACKING_MISSING,  /* no such file */
    COW_BACKING_IGNORED,  /* the caller wants none opened; problem says so */
    COW_BACKING_UNUSABLE, /* there, but a directory, the COW itself, not readable...: problem says */
};

struct cow_backing {
    enum cow_backing_state state;
    bool named;        /* the caller named it; the stored path was not used */
    bool beside_image; /* a relative stored path that was found beside the image, not in the working directory
                        */
    const char *path;  /* as it can be opened from here, or the stored one if not found; "" = none */
    uint64_t size_bytes; /* 0 unless found */
    int64_t mtime;       /* seconds; 0 unless found */
    const char *problem; /* why it is missing or unusable, else "" */
    bool is_image;       /* that is why it is unusable: it is the COW image itself */
};

/* What was found of the backing file when the image was opened, or refreshed. It is the image's, texts too,
 * and is never NULL: one that is missing or cannot be used is a state, with the reason in problem. */
const struct cow_backing *cow_image_backing(const struct cow_image *img);

/* A sentence where the image, and not the caller, names a backing file outside of the image's own directory
 * (links resolved): whoever made the image chose what is read there. Else "". Returns out; out_bytes >= 8. */
const char *cow_image_outside_text(char *out, size_t out_bytes, const struct cow_image *img);

struct cow_usage {
    uint64_t dirty_sectors;
    uint64_t dirty_bytes; /* dirty_sectors * sector size, a partial last sector counted with what it has */
    uint64_t allocated_bytes; /* of the COW file on its disk */
    uint64_t file_bytes;      /* length of the COW file */
    bool tail_bits;           /* v1, v2: bits are set beyond the bitmap's end (see format.md, tail) */
};

/* Counts the bitmap on the first call (streamed; holes are skipped), answers from the summary afterwards. */
int cow_image_usage(struct cow_image *img, struct cow_usage *out, struct cow_error *err);

enum { COW_VERDICT_WARNINGS_MAX = 8 };

/* Would a stock UML kernel open it? */
struct cow_verdict {
    bool opens;
    bool unknown; /* not even that is known, for the backing file is not to be looked at; opens is false then
                   */
    char reason[COW_MESSAGE_BYTES]; /* the kernel's own words where it refuses, else "" */
    const char *brief;              /* the same in a few words: "date of the backing file"; else "" */
    char advice[COW_HINT_BYTES];    /* what helps, or "" */
    size_t warnings;                /* it opens, but... */
    char warning[COW_VERDICT_WARNINGS_MAX][256];
};

/* Decodes the header as the kernel does (not as we do) and goes through its checks in its order. */
void cow_image_verdict(struct cow_image *img, struct cow_verdict *out);
/* The same by this image alone: no other images are looked for that would explain a refusal. It costs a stat
 * or two. */
void cow_image_verdict_alone(struct cow_image *img, struct cow_verdict *out);

struct cow_holder {
    bool held;
    int64_t pid; /* of the guest; 0 where the system does not tell (another cowtui's lock) */
};

/* Who holds a lock on the COW file at this moment. Asks only; takes no lock. */
int cow_image_in_use(struct cow_image *img, struct cow_holder *out, struct cow_error *err);

/* What the system calls the program of that process, escaped; "" where it does not tell. Returns out. */
const char *cow_image_program_name(const struct cow_image *img, int64_t pid, char *out, size_t out_bytes);

/* What somebody has done to a file since it was opened. */
enum cow_outside {
    COW_OUTSIDE_SAME,
    COW_OUTSIDE_WRITTEN, /* of the same length, of another date */
    COW_OUTSIDE_GROWN,
    COW_OUTSIDE_SHRUNK,
    COW_OUTSIDE_REPLACED, /* another file has its name */
    COW_OUTSIDE_GONE,
    COW_OUTSIDE_FOUND, /* a backing file that was missing is there */
    COW_OUTSIDES
};

/* Asks that of the image or of its backing file, by one call of the system. What cannot be told is the same;
 * so is a backing file that is not looked at. */
enum cow_outside cow_image_outside(const struct cow_image *img, enum cow_file file);
/* The same of the files below a backing file that is a COW itself, one call of the system for each. *layer:
 * the first that is not what it was (as cow_image_layer() counts); any number where all are the same. */
enum cow_outside cow_image_outside_below(const struct cow_image *img, size_t *layer);

/* What an interrupted change left, in a sentence, or "" if nothing. */
const char *cow_image_pending(const struct cow_image *img);

enum cow_half {
    COW_HALF_NOT,
    COW_HALF_MOVED, /* that was interrupted: header, layout, runs and contents are those of the disk as it was
                     */
    COW_HALF_MOVING /* another program does so at this moment: header->unfinished is true, and what needs the
                       layout answers COW_LOCKED */
};

/* Whether the data of an image lies partly where it was, partly where it shall be, as it was when the image
 * was opened, or refreshed. Asks nothing of the system. */
enum cow_half cow_image_half(const struct cow_image *img);

/* How large the disk can become (bytes) before the data of an image has to move: the header alone is written
 * until then. 0 where any growth writes the image anew, or where it is pending. */
uint64_t cow_image_can_grow_to(const struct cow_image *img);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is wrong with an image, and what can be done about it. Finding only looks: no lock, nothing written.
 * Mending is a plan like any other change.
 */
#ifndef COW_CHECK_H
#define COW_CHECK_H

#include "cow/env.h"
#include "cow/image.h"
#include "cow/plan.h"

enum cow_severity {
    COW_SEVERITY_NOTE,    /* costs something, or is good to know */
    COW_SEVERITY_WARNING, /* a kernel opens it, but a guest can be harmed */
    COW_SEVERITY_ERROR,   /* a stock kernel refuses it, or reads wrong data */
    COW_SEVERITY_CORRUPT, /* no valid COW image: exit code 5 */
};

const char *cow_severity_name(enum cow_severity severity); /* "note", "warning", "error", "corrupt" */

/* What mends a finding. */
enum cow_fix {
    COW_FIX_NONE,     /* nothing that this program does; the message or meaning says what helps */
    COW_FIX_RECOVER,  /* cow_plan_recover */
    COW_FIX_PAGES,    /* cow_plan_rewrite, complete_pages */
    COW_FIX_COMPACT,  /* cow_plan_rewrite, compact */
    COW_FIX_RESTAMP,  /* cow_plan_rewrite, restamp */
    COW_FIX_ABSOLUTE, /* cow_plan_rewrite, backing_path: the same file by its absolute path */
    COW_FIX_CONVERT,  /* cow_plan_rewrite, convert: a new v3 */
    COW_FIX_RESIZE,   /* cow_plan_resize, policy extend, to the larger of both sizes */
    COW_FIX_REBASE,   /* cow_plan_rewrite, backing_path: the first of the candidates, and restamp where its
                         date is another one */
};

/* id, code (JSON, stable), severity, fix, safe to make without being asked for, what it means for a stock
 * kernel. In the order in which findings are told: the worst first. */
#define COW_FINDING_LIST(X)                                                                                  \
    X(NOT_VALID, "not-valid", CORRUPT, NONE, false, "no kernel can open it as a COW image")                  \
    X(UNFINISHED, "unfinished", CORRUPT, NONE, false,                                                        \
      "no kernel opens it: no backing file has the size that its header says")                               \
    X(INTERRUPTED, "interrupted", ERROR, RECOVER, true,                                                      \
      "a kernel may refuse the image until the change is finished or taken back")                            \
    X(BACKING_MISSING, "backing-missing", ERROR, REBASE, false,                                              \
      "a kernel refuses the image; name the file with -b to look, and rebase the image to it")               \
    X(BACKING_UNUSABLE, "backing-unusable", ERROR, REBASE, false, "a kernel cannot use it either")           \
    X(PATH_LONG, "path-long", ERROR, NONE, false,                                                            \
      "a kernel cannot open a file by this path; move the backing file, and rebase the image")               \
    X(BACKING_SIZE, "backing-size", ERROR, RESIZE, false,                                                    \
      "a kernel refuses the image: it wants both sizes equal")                                               \
    X(BACKING_MODIFIED, "backing-modified", ERROR, RESTAMP, false,                                           \
      "sectors that the guest never wrote are not what it knew: its files may be damaged")                   \
    X(BACKING_DATE, "backing-date", ERROR, RESTAMP, false,                                                   \
      "a kernel refuses the image: it takes the backing file for another one")                               \
    X(BACKING_IS_COW, "backing-is-cow", ERROR, NONE, false,                                                  \
      "a kernel reads its header and bitmap as if they were the disk; merge it to a raw file first")         \
    X(FS_LARGER, "filesystem-larger", ERROR, NONE, false,                                                    \
      "a guest's kernel refuses to mount it, or finds no data there; resize the disk to that size, or the "  \
      "partition, and look at the filesystem with its own tool")                                             \
    X(PARTITION_BEYOND, "partition-beyond", ERROR, NONE, false,                                              \
      "a guest finds it cut, or not at all; resize the disk to where it ended")                              \
    X(FORMAT, "format", ERROR, CONVERT, true, "a stock kernel does not read this format")                    \
    X(BIG_ENDIAN, "big-endian", ERROR, CONVERT, false,                                                       \
      "a kernel of another byte order does not read it; look at the disk before converting it")              \
    X(SECTOR_SIZE, "sector-size", ERROR, CONVERT, true,                                                      \
      "a kernel takes 512 bytes whatever the header says: the guest reads wrong data")                       \
    X(DATA_OFFSET, "data-offset", ERROR, CONVERT, true,                                                      \
      "a kernel holds this offset in a signed 32-bit number, where it does not fit")                         \
    X(BITMAP_CUT, "bitmap-cut", ERROR, CONVERT, false,                                                       \
      "a kernel takes what was in its memory for the missing bits: random sectors look dirty")               \
    X(DATA_CUT, "data-cut", ERROR, CONVERT, false,                                                           \
      "the guest reads zeros there, silently; look for a complete copy of the file")                         \
    X(MIXED_PAGES, "mixed-pages", ERROR, PAGES, true,                                                        \
      "reading several pages at once, the guest silently gets wrong data behind such a page")                \
    X(REFUSED, "refused", ERROR, NONE, false, "a stock kernel refuses the image")                            \
    X(OTHER_FILESYSTEM, "other-filesystem", WARNING, REBASE, false,                                          \
      "either the guest has made its filesystem anew, or given it another UUID, or this is another backing " \
      "file than the image was made on: then the guest's files are damaged; rebase the image to the right "  \
      "one")                                                                                                 \
    X(GPT_BACKUP, "gpt-backup", WARNING, NONE, false,                                                        \
      "the guest's kernel goes by the other header, until that is damaged, too; sgdisk -e /dev/ubda, or "    \
      "sfdisk, in the guest writes both anew")                                                               \
    X(BACKING_ELSEWHERE, "backing-elsewhere", WARNING, ABSOLUTE, true,                                       \
      "a kernel does not find this file by itself; naming it at boot destroys a v1 or v2 image")             \
    X(PATH_RELATIVE, "path-relative", WARNING, ABSOLUTE, true,                                               \
      "a kernel looks for it from its own working directory")                                                \
    X(PATH_CONTROL, "path-control", WARNING, NONE, false,                                                    \
      "a kernel opens it, but prints these bytes to the console; rename the backing file, and rebase")       \
    X(SMALL_DISK, "small-disk", WARNING, NONE, false,                                                        \
      "a disk of 32 KiB or less hangs the guest at its first write; resize it")                              \
    X(TAIL, "tail", WARNING, CONVERT, true, "what the guest writes there is lost when it stops")             \
    X(OVERLAP, "overlap", WARNING, CONVERT, true,                                                            \
      "a kernel that writes the last bits damages the first bytes of the disk")                              \
    X(FILE_LONG, "file-long", WARNING, CONVERT, false,                                                       \
      "nothing reads these bytes; the header may be that of another image")                                  \
    X(COW_FORMAT, "cow-format", WARNING, CONVERT, false,                                                     \
      "a kernel writes 0 there and does not look; another program may have meant something by it")           \
    X(PADDING, "padding", NOTE, CONVERT, true,                                                               \
      "no kernel looks at these bits; a tool that lengthens the bitmap may take them for dirty sectors")     \
    X(ORPHANS, "orphans", NOTE, CONVERT, false,                                                              \
      "the guest reads the backing file there; what a crash lost can still be looked at")                    \
    X(REDUNDANT, "redundant", NOTE, COMPACT, true, "nothing, but the space")                                 \
    X(ZEROS, "zeros", NOTE, COMPACT, true, "nothing, but the space")                                         \
    X(INFLATED, "inflated", NOTE, CONVERT, true, "nothing, but the space")                                   \
    X(UNDO, "undo", NOTE, NONE, false, "nothing, but the space")                                             \
    X(SEVERAL_NAMES, "several-names", NOTE, NONE, false,                                                     \
      "nothing; but a change that replaces the file is refused, for the other names would keep the old one") \
    X(LOCKED, "locked", NOTE, NONE, false,                                                                   \
      "another kernel cannot open it now; what was found may be changing, and nothing can be mended")

enum cow_finding_code {
#define COW_FINDING_ENUM(id, name, severity, fix, safe, meaning) COW_FINDING_##id,
    COW_FINDING_LIST(COW_FINDING_ENUM)
#undef COW_FINDING_ENUM
        COW_FINDINGS
};

/* The table. Texts are static. */
const char *cow_finding_name(enum cow_finding_code code);    /* "mixed-pages" */
const char *cow_finding_meaning(enum cow_finding_code code); /* a sentence */
enum cow_severity cow_finding_severity(enum cow_finding_code code);
enum cow_fix cow_finding_fix(enum cow_finding_code code);
bool cow_finding_safe(enum cow_finding_code code); /* --repair makes it */
const char *
cow_fix_text(enum cow_fix fix); /* "complete each mixed page from the backing file"; "" for none */

/* Whether this is about a backing file that is not there, or not the right one: check->candidate are for it.
 * Where that is not its fix (it has another), naming one of them is another way. */
bool cow_finding_has_candidates(enum cow_finding_code code);

struct cow_finding {
    enum cow_finding_code code;
    char message[COW_MESSAGE_BYTES]; /* one line: what is wrong, where, in numbers */
    bool fixable;                    /* here and now: the code's fix applies. Not while the image is locked or
                                        a change is interrupted, nor, where it goes by the backing file's bytes,
                                        while its size or date is another one */
    uint64_t first_sector;           /* where on the disk, for going there; only if sectors > 0 */
    uint64_t sectors;
};

enum { COW_CANDIDATES_MAX = 8 };

/* A file that may be the backing file: of the disk's size, no COW image, and without another filesystem
 * (UUID) than the image's own copy of a superblock remembers. One of the three below is true. */
struct cow_candidate {
    char path[COW_PATH_BYTES]; /* absolute; raw bytes */
    int64_t mtime;
    bool same_name; /* as the header's path has it */
    bool same_date; /* as the header's: else naming it is a decision about its content */
    bool same_uuid; /* the image remembers one, and it is this */
};

/* Each code is found once at most; in the table's order. */
struct cow_check {
    size_t findings;
    struct cow_finding finding[COW_FINDINGS];
    size_t candidates; /* for the findings of cow_finding_has_candidates; the likeliest first */
    struct cow_candidate candidate[COW_CANDIDATES_MAX];
    bool candidates_cut; /* a directory has more names than are looked at */
    bool scanned; /* the bytes were compared; false: the backing file is not there, or it was not asked for */
};

struct cow_check_options {
    const char *backing_path; /* as for opening */
    bool no_backing;          /* likewise; what is wrong with the backing file is not looked for then */
    const struct cow_io *io;
    bool quick;                /* headers, bits and facts only: the bytes are not read */
    const struct cow_env *env; /* progress of the scan; NULL is allowed */
};

/* Looks for everything in the table. Works on what cow_image_open refuses, too: that is a finding. opt may be
 * NULL. 0 also with findings. Errors (it could not be checked): COW_IO, COW_NOT_COW, COW_UNSUPPORTED,
 * COW_REFUSED (the backing file that was named is the image itself), COW_NO_MEMORY, COW_CANCELLED. *out is
 * unchanged then. */
int cow_check(struct cow_check *out, const char *path, const struct cow_check_options *opt,
              struct cow_error *err);

/* What is told where candidates_cut. */
#define COW_CANDIDATES_CUT                                                                                   \
    "not all files beside it: there are many; if the right one is not among these, name it yourself"

/* What of a candidate fits, and what does not: "same name, size and date", "same size and filesystem (UUID),
 * another date". Returns out. */
const char *cow_candidate_text(char *out, size_t out_bytes, const struct cow_candidate *candidate);

/* One plan for the chosen findings: chosen[i] belongs to check->finding[i]; NULL: all that are safe.
 * Recovery, naming another backing file and resizing cannot be joined with others: they come alone and first,
 * the rest is for another check. Errors: COW_REFUSED if there is nothing to mend among them; those of the
 * builders. */
int cow_plan_repair(struct cow_plan **out, struct cow_image *img, const struct cow_check *check,
                    const bool *chosen, struct cow_error *err);

#endif

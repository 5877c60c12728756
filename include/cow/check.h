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
};

/* id, code (JSON, stable), severity, fix, safe to make without being asked for, what it means for a stock
 * kernel */
#define COW_FINDING_LIST(X)                                                                                  \
    X(NOT_VALID, "not-valid", CORRUPT, NONE, false, "no kernel can open it as a COW image")

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

struct cow_finding {
    enum cow_finding_code code;
    char message[COW_MESSAGE_BYTES]; /* one line: what is wrong, where, in numbers */
    bool fixable;                    /* here and now: the code's fix applies */
    uint64_t first_sector;           /* where on the disk, for going there; only if sectors > 0 */
    uint64_t sectors;
};

/* Each code is found once at most; in the table's order. */
struct cow_check {
    size_t findings;
    struct cow_finding finding[COW_FINDINGS];
    bool scanned; /* the bytes were compared; false: the backing file is not there, or it was not asked for */
};

struct cow_check_options {
    const char *backing_path; /* as for opening */
    const struct cow_io *io;
    bool quick;                /* headers, bits and facts only: the bytes are not read */
    const struct cow_env *env; /* progress of the scan; NULL is allowed */
};

/* Looks for everything in the table. Works on what cow_image_open refuses, too: that is a finding. opt may be
 * NULL. 0 also with findings. Errors (it could not be checked): COW_IO, COW_NOT_COW, COW_UNSUPPORTED,
 * COW_NO_MEMORY, COW_CANCELLED. */
int cow_check(struct cow_check *out, const char *path, const struct cow_check_options *opt,
              struct cow_error *err);

/* One plan for the chosen findings: chosen[i] belongs to check->finding[i]; NULL: all that are safe. Recovery
 * and resizing cannot be joined with others: they come alone and first, the rest is for another check.
 * Errors: COW_REFUSED if there is nothing to mend among them; those of the builders. */
int cow_plan_repair(struct cow_plan **out, struct cow_image *img, const struct cow_check *check,
                    const bool *chosen, struct cow_error *err);

#endif

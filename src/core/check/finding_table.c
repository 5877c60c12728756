/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The table of findings, and of what mends them.
 */
#include "cow/check.h"

static const struct {
    const char *name;
    enum cow_severity severity;
    enum cow_fix fix;
    bool safe;
    const char *meaning;
} findings[COW_FINDINGS] = {
#define FINDING_ROW(id, name, severity, fix, safe, meaning)                                                  \
    [COW_FINDING_##id] = {name, COW_SEVERITY_##severity, COW_FIX_##fix, safe, meaning},
    COW_FINDING_LIST(FINDING_ROW)
#undef FINDING_ROW
};

const char *cow_severity_name(enum cow_severity severity)
{
    static const char *const names[] = {[COW_SEVERITY_NOTE] = "note",
                                        [COW_SEVERITY_WARNING] = "warning",
                                        [COW_SEVERITY_ERROR] = "error",
                                        [COW_SEVERITY_CORRUPT] = "corrupt"};
    return names[severity];
}

const char *cow_finding_name(enum cow_finding_code code)
{
    return findings[code].name;
}

const char *cow_finding_meaning(enum cow_finding_code code)
{
    return findings[code].meaning;
}

enum cow_severity cow_finding_severity(enum cow_finding_code code)
{
    return findings[code].severity;
}

enum cow_fix cow_finding_fix(enum cow_finding_code code)
{
    return findings[code].fix;
}

bool cow_finding_safe(enum cow_finding_code code)
{
    return findings[code].safe;
}

bool cow_finding_has_candidates(enum cow_finding_code code)
{
    return code == COW_FINDING_BACKING_SIZE || code == COW_FINDING_BACKING_MODIFIED ||
           code == COW_FINDING_BACKING_DATE || findings[code].fix == COW_FIX_REBASE;
}

const char *cow_fix_text(enum cow_fix fix)
{
    static const char *const texts[] = {
        [COW_FIX_NONE] = "",
        [COW_FIX_RECOVER] = "finish the interrupted change, or take it back",
        [COW_FIX_PAGES] = "complete each mixed page from the backing file",
        [COW_FIX_COMPACT] = "drop the pages that equal the backing file, and turn zeros into holes",
        [COW_FIX_RESTAMP] = "take over the backing file's date, if you know that its content is right",
        [COW_FIX_ABSOLUTE] = "store the absolute path of the backing file",
        [COW_FIX_CONVERT] = "write the image anew, as a v3",
        [COW_FIX_RESIZE] = "bring the disk and its backing file to the larger of both sizes",
        [COW_FIX_REBASE] = "name the file that fits as the backing file",
    };
    return texts[fix];
}

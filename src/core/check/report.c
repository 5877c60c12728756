/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See report.h. Whether a fix could be made is answered by the facts that were gathered before the first
 * finder ran, and nothing is opened for it: the plan of the fix is made, and can still refuse, when it is
 * asked for.
 */
#include "core/check/report.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cow/text.h"

struct cow_finding *report(struct checkup *c, enum cow_finding_code code, const char *format, ...)
{
    struct cow_finding *finding = &c->check->finding[code];
    char plain[COW_MESSAGE_BYTES + 4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(plain, sizeof plain, format, arguments);
    va_end(arguments);
    *finding = (struct cow_finding){.code = code,
                                    .fixable = c->img != NULL && fix_applies(c, cow_finding_fix(code))};
    cow_escape_message(finding->message, sizeof finding->message, plain);
    c->found[code] = true;
    return finding;
}

const char *clock_text(char *buffer, int64_t seconds)
{
    const time_t when = (time_t)seconds;
    struct tm parts;
    if (when != seconds || gmtime_r(&when, &parts) == NULL ||
        strftime(buffer, DATE_TEXT_BYTES, "%Y-%m-%d %H:%M:%S UTC", &parts) == 0) {
        snprintf(buffer, DATE_TEXT_BYTES, "no date");
    }
    return buffer;
}

const char *date_text(char *buffer, int64_t seconds)
{
    clock_text(buffer, seconds);
    const size_t used = strlen(buffer);
    snprintf(buffer + used, DATE_TEXT_BYTES - used, " (%" PRId64 ")", seconds);
    return buffer;
}

const char *name_text(char *buffer, const char *path)
{
    return cow_escape(buffer, NAME_TEXT_BYTES, path);
}

const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

int directory_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? 0 : (int)(slash - path) + 1;
}

bool backing_absolute(const struct cow_image *img, char *out)
{
    const char *path = img->backing.facts.path;
    const int directory = directory_length(path);
    char parent[PATH_MAX], resolved[PATH_MAX];
    if (img->backing.facts.state != COW_BACKING_FOUND || directory >= PATH_MAX) {
        return false;
    }
    snprintf(parent, sizeof parent, "%.*s", directory, directory == 0 ? "" : path);
    if (img->io->resolve(img->io->context, directory == 0 ? "." : parent, resolved, sizeof resolved) < 0) {
        return false;
    }
    const int length =
        snprintf(out, PATH_MAX, "%s%s%s", resolved, strcmp(resolved, "/") == 0 ? "" : "/", path + directory);
    return length > 0 && length < PATH_MAX && length < COW_PATH_BYTES;
}

/* ---- what stands in the way of a change ---- */

/* Whatever is rewritten becomes a v3 with a kernel's offsets: is there one? */
static bool has_v3_form(const struct checkup *c)
{
    uint32_t alignment;
    const struct cow_header *h = &c->img->header;
    const bool has_path = *h->backing_path != '\0' || c->img->backing.facts.named;
    return has_path && cow_layout_choose_alignment(&alignment, h->size_bytes, 0, NULL) == 0;
}

static bool can_resize(const struct checkup *c)
{
    const uint64_t disk = c->img->header.size_bytes, backing = c->img->backing.facts.size_bytes;
    const uint64_t larger = disk > backing ? disk : backing;
    uint32_t alignment;
    return c->has_backing && c->same_date && larger % 512 == 0 && larger > 32768 &&
           cow_layout_choose_alignment(&alignment, larger, 0, NULL) == 0;
}

bool fix_applies(const struct checkup *c, enum cow_fix fix)
{
    char path[PATH_MAX];
    const bool one_name = c->img->cow.facts.st_nlink == 1;
    const bool fits = c->has_backing && c->same_size && c->same_date;
    if (c->holder.held || (fix != COW_FIX_RECOVER && (c->journal || c->img->header.unfinished))) {
        return false;
    }
    switch (fix) {
    case COW_FIX_NONE:
        return false;
    case COW_FIX_RECOVER:
        return true;
    case COW_FIX_PAGES: /* these two go by the backing file's bytes: it must be the right one */
    case COW_FIX_COMPACT:
        return one_name && fits && has_v3_form(c);
    case COW_FIX_RESTAMP:
        return c->has_backing && c->same_size && c->date_fits;
    case COW_FIX_ABSOLUTE:
        return fits && backing_absolute(c->img, path);
    case COW_FIX_CONVERT:
        return one_name && c->has_backing && has_v3_form(c);
    case COW_FIX_RESIZE:
        return one_name && can_resize(c);
    case COW_FIX_REBASE: /* in the first sector, or by copy */
        return c->check->candidates > 0 &&
               ((c->img->header.format == COW_FORMAT_V3 && c->img->header.sector_bytes == 512) ||
                (one_name && has_v3_form(c)));
    }
    return false;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Looking for everything in the table of findings, in the order of the cost: facts first, bits, then bytes.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/check/checkup.h"
#include "core/format/variants.h"
#include "core/image/side.h"
#include "cow/text.h"

/* ---- reporting ---- */

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

static int gather(struct checkup *c, struct cow_error *err)
{
    struct cow_image *img = c->img;
    const struct cow_backing *backing = &img->backing.facts;
    struct stat facts;
    char journal[PATH_MAX];
    if (cow_image_in_use(img, &c->holder, NULL) != 0) { /* a filesystem without locks: nobody holds one */
        c->holder = (struct cow_holder){.held = false};
    }
    c->journal =
        img->io->lstat(img->io->context, side_path(journal, img->real_path, SIDE_JOURNAL), &facts) == 0;
    c->has_backing = backing->state == COW_BACKING_FOUND;
    c->same_size = !c->has_backing || backing->size_bytes == img->header.size_bytes;
    c->same_date = !c->has_backing || backing->mtime == (int64_t)img->header.mtime;
    c->date_fits = backing->mtime >= 0 && backing->mtime <= UINT32_MAX;
    cow_image_verdict(img, &c->verdict);
    return img->header.unfinished ? 0 : cow_image_usage(img, &c->usage, err);
}

/* ---- the way through ---- */

static int check_facts(struct checkup *c, struct cow_error *err)
{
    find_interrupted(c);
    find_locked(c);
    find_undo(c);
    find_several_names(c);
    find_pending_sibling(c);
    int status = find_place(c, err);
    find_no_backing(c);
    find_backing_size(c);
    find_backing_elsewhere(c);
    find_path_relative(c);
    find_path_long(c);
    find_path_control(c);
    find_format(c);
    find_sector_size(c);
    find_data_offset(c);
    find_small_disk(c);
    find_tail(c);
    find_overlap(c);
    find_cow_format(c);
    find_bitmap_cut(c);
    find_file_long(c);
    return status;
}

static int check_files(struct checkup *c, bool quick, struct cow_error *err)
{
    int (*const finders[])(struct checkup *, struct cow_error *) = {
        find_backing_date, find_backing_is_cow, find_data_cut, find_padding, find_inflated, find_mixed_pages};
    int status = 0;
    for (size_t i = 0; status == 0 && i < sizeof finders / sizeof finders[0]; i++) {
        status = finders[i](c, err);
    }
    const bool can_compare = c->has_backing || c->img->backing.facts.state == COW_BACKING_NONE;
    if (status == 0 && !quick && can_compare) {
        status = cow_fs_open(&c->fs, c->img, err);
        status = status == 0 ? find_disk(c, err) : status;
        status = status == 0 ? find_content(c, err) : status;
        c->check->scanned = status == 0;
        cow_fs_close(c->fs);
        c->fs = NULL;
    }
    return status;
}

static int check_image(struct checkup *c, bool quick, struct cow_error *err)
{
    int status = gather(c, err);
    if (status != 0) {
        return status;
    }
    if (c->img->header.unfinished) {
        find_unfinished(c);
        find_interrupted(c);
        find_locked(c);
        return 0;
    }
    status = check_facts(c, err);
    status = status == 0 ? check_files(c, quick, err) : status;
    if (status == 0) {
        find_refused(c);
    }
    return status;
}

/* What the decoder says, without the name of the file: whoever shows it shows that, too. */
static void report_not_valid(struct checkup *c, const char *path, const struct cow_error *err)
{
    struct cow_error name;
    cow_error_set(&name, COW_OK, "%s: ", path);
    const size_t length = strlen(name.message);
    const bool named = strncmp(err->message, name.message, length) == 0;
    report(c, COW_FINDING_NOT_VALID, "%s", err->message + (named ? length : 0));
}

static void close_ranks(struct checkup *c)
{
    struct cow_check *check = c->check;
    check->findings = 0;
    for (size_t code = 0; code < COW_FINDINGS; code++) {
        if (c->found[code]) {
            memmove(&check->finding[check->findings++], &check->finding[code], sizeof check->finding[0]);
        }
    }
}

int cow_check(struct cow_check *out, const char *path, const struct cow_check_options *opt,
              struct cow_error *err)
{
    static const struct cow_check_options usual = {.quick = false};
    struct cow_error local;
    err = err != NULL ? err : &local;
    opt = opt != NULL ? opt : &usual;
    struct checkup c = {.env = opt->env, .check = calloc(1, sizeof *c.check)};
    if (c.check == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    const struct cow_open_options open = {
        .backing_path = opt->backing_path, .no_backing = opt->no_backing, .io = opt->io};
    int status = cow_image_open(&c.img, path, &open, err);
    if (status == 0) {
        status = check_image(&c, opt->quick, err);
    } else if (status == COW_INVALID) {
        report_not_valid(&c, path, err);
        status = 0;
    }
    if (status == 0) {
        close_ranks(&c);
        *out = *c.check;
    }
    cow_image_close(c.img);
    free(c.check);
    return status;
}

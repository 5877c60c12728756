/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Looking for everything in the table of findings, in the order of the cost: facts first, bits, then bytes.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/beside/side.h"
#include "core/check/finders.h"

/* ---- what stands in the way of a change ---- */

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
        img->io->lstat(img->io->context, side_journal_path(journal, img->io, img->real_path), &facts) == 0;
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
    find_pending_sibling(c);
    const int status = find_place(c, err);
#define FIND_FACT(name) find_##name(c);
    EACH_FACT(FIND_FACT)
#undef FIND_FACT
    return status;
}

static int check_files(struct checkup *c, bool quick, struct cow_error *err)
{
    int (*const finders[])(struct checkup *, struct cow_error *) = {
#define FINDER(name) find_##name,
        EACH_READ(FINDER)
#undef FINDER
    };
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
    int status = c->img->is_moving ? image_require_layout(c->img, err) : gather(c, err);
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
    struct cow_image *img = NULL;
    int status = cow_image_open(&img, path, &open, err);
    if (status == 0) { /* by what a kernel would read, for that is who is to open it */
        c.img = image_flat(img);
        status = check_image(&c, opt->quick, err);
    } else if (status == COW_INVALID) {
        report_not_valid(&c, path, err);
        status = 0;
    }
    if (status == 0) {
        close_ranks(&c);
        *out = *c.check;
    }
    cow_image_close(img);
    free(c.check);
    return status;
}

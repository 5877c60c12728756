/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Does an interrupted change wait for recovery? Its own, one of all images on its backing file, one of
 * another image on that file: what a crash left looks like other trouble, so that whatever writes asks this
 * first, and again under its locks.
 */
#include "core/ledger/pending.h"

#include <limits.h>

#include "core/beside/side.h"
#include "cow/text.h"

int pending_refuse_without_journal(const struct cow_image *img, struct cow_error *err)
{
    char path[PATH_MAX];
    cow_error_set(err, COW_REFUSED,
                  "%s: is unfinished: its data was being moved, and the journal of that is not beside it: %s",
                  img->path, side_path(path, img->real_path, SIDE_MOVE));
    return cow_error_hint(
        err, "put that file and the position file back (from the same backup as the image), then "
             "\"cowtui recover\"");
}

/* A change of all images on its backing file, of which this one may have been finished already. */
static int check_family(const struct cow_image *img, struct cow_error *err)
{
    char image[COW_HINT_BYTES / 2];
    const struct cow_backing *backing = &img->backing.facts;
    if (backing->state != COW_BACKING_FOUND || !side_has_family_journal(img->io, backing->path)) {
        return 0;
    }
    cow_error_set(err, COW_REFUSED, "%s: a change of all images on %s was interrupted", img->path,
                  backing->path);
    return cow_error_hint(err, "\"cowtui recover %s\" finishes it or takes it back",
                          cow_shell_quote(image, sizeof image, img->path));
}

int pending_check(const struct cow_image *img, struct cow_error *err)
{
    char image[COW_HINT_BYTES / 2];
    struct cow_error whose;
    if (img->is_moving) {
        return image_require_layout(img, err);
    }
    switch (side_find_journal(img->io, img->real_path, &img->cow.facts, img->path, &whose)) {
    case SIDE_NO_JOURNAL: /* what it was can be read; to move its data again would be the end of it */
        return img->is_half ? pending_refuse_without_journal(img, err) : check_family(img, err);
    case SIDE_JOURNAL_STRANGE:
        cow_error_set(err, COW_REFUSED, "%s: it looks as if an earlier change of it was interrupted: %s",
                      img->path, whose.message);
        return cow_error_hint(err, "%s", whose.hint);
    case SIDE_JOURNAL_OBEYED:
        break;
    }
    cow_error_set(err, COW_REFUSED, "%s: an earlier change of it was interrupted", img->path);
    return cow_error_hint(err, "\"cowtui recover %s\" finishes it or takes it back",
                          cow_shell_quote(image, sizeof image, img->path));
}

int pending_check_ready(const struct cow_image *img, struct cow_error *err)
{
    int status = pending_check(img, err);
    return status != 0 ? status : image_require_layout(img, err);
}

int pending_refuse_sibling(const struct sibling *pending, struct cow_error *err)
{
    char image[COW_HINT_BYTES / 2];
    cow_error_set(err, COW_REFUSED, "%s: is on the same backing file, and a change of it was interrupted%s",
                  pending->path, pending->pending_is_strange ? ", says a journal that is not obeyed" : "");
    return cow_error_hint(err, "first of all: cowtui recover %s",
                          cow_shell_quote(image, sizeof image, pending->path));
}

int pending_check_on(const struct cow_image *img, const char *path, const struct stat *facts,
                     struct cow_error *err)
{
    struct siblings siblings;
    int status = siblings_find_on(&siblings, img->io, img, path, facts, err);
    if (status == 0) {
        const struct sibling *pending = siblings_pending(&siblings);
        status = pending != NULL ? pending_refuse_sibling(pending, err) : 0;
        siblings_clear(&siblings);
    }
    return status;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Is a record about us? A directory can be copied with all that is in it (a snapshot, a clone of the disk, a
 * backup that was restored): then the record in the copy speaks of the original's files. And a record names
 * files, which it must not be believed to be ours.
 *
 * A file beside the image is meant by its name, wherever the directory is. One elsewhere counts only if the
 * image's header, or the user (-b), names it; once the image has been moved, only if the user does.
 */
#include "core/ledger/claim.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "cow/text.h"

/* Does path hold another image than img that the record is as well about? */
static bool is_an_original(const char *path, const struct record *record, const struct cow_image *img)
{
    struct stat facts;
    struct cow_image *other = NULL;
    bool is = false;
    int fd = io_open_regular(img->io, path, O_RDONLY, &facts);
    if (fd < 0) {
        return false;
    }
    if (!same_file(&facts, &img->cow.facts) && (other = calloc(1, sizeof *other)) != NULL) {
        ssize_t n = io_read(img->io, fd, other->raw, sizeof other->raw, 0);
        other->raw_bytes = n < 0 ? 0 : (size_t)n;
        is = n > 0 && journal_header_view(record, other) != JOURNAL_SEES_STRANGE;
    }
    free(other);
    img->io->close(img->io->context, fd);
    return is;
}

/* The records of version 2 do not say where the image is. What they name elsewhere may tell: an image of the
 * same name beside that. */
static bool has_original_beside(const char *path, const struct record *record, const struct cow_image *img)
{
    char other[PATH_MAX];
    const char *slash = strrchr(path, '/'), *name = strrchr(img->real_path, '/');
    const size_t directory = slash == NULL ? 0 : (size_t)(slash - path);
    if (name == NULL || directory + strlen(name) >= sizeof other) {
        return false;
    }
    memcpy(other, path, directory);
    memcpy(other + directory, name, strlen(name) + 1);
    return is_an_original(other, record, img);
}

/* Where the image is now, seen from the record. */
enum place { PLACE_HOME, PLACE_MOVED, PLACE_COPY };

static enum place image_place_of(const struct record *record, const struct cow_image *img,
                                 const char **original)
{
    struct stat facts;
    if (record->version < 3) {
        const bool copy =
            (record->backing_elsewhere && has_original_beside(record->backing_path, record, img)) ||
            (record->copy_elsewhere && has_original_beside(record->copy_path, record, img));
        *original = record->backing_elsewhere ? record->backing_path : record->copy_path;
        return copy ? PLACE_COPY : PLACE_HOME;
    }
    *original = record->image_path;
    if (strcmp(record->image_path, img->real_path) == 0) {
        return PLACE_HOME;
    }
    if (img->io->stat(img->io->context, record->image_path, &facts) == 0 &&
        same_file(&facts, &img->cow.facts)) { /* mounted twice; or a copy of the directory by hard links */
        return facts.st_nlink == 1 ? PLACE_HOME : PLACE_COPY;
    }
    return is_an_original(record->image_path, record, img) ? PLACE_COPY : PLACE_MOVED;
}

static int refuse_copy(const struct record *record, const struct cow_image *img, const char *path,
                       const char *original, struct cow_error *err)
{
    char quoted[COW_HINT_BYTES / 2];
    cow_error_set(err, COW_REFUSED, "%s: is a copy: %s is about %s%s", img->path, path,
                  record->version < 3 ? "the image beside " : "", original);
    return cow_error_hint(err,
                          "do it there; or give the original another name first, if this one is to go on "
                          "without it: %s",
                          cow_shell_quote(quoted, sizeof quoted, original));
}

/* Whether a file outside the image may be written because the record says so. */
static bool is_claimed(const struct record *record, const struct cow_image *img, enum place place,
                       const char *path, bool elsewhere, const char **why)
{
    const struct cow_backing *backing = &img->backing.facts;
    struct stat facts;
    const bool there = img->io->lstat(img->io->context, path, &facts) == 0;
    const bool is_it =
        there && backing->state == COW_BACKING_FOUND && same_file(&facts, &img->backing.file.facts);
    /* One that could not be looked at is named nevertheless. */
    const bool named = is_it || strcmp(backing->path, path) == 0;
    *why = "";
    if (is_it && backing->named) {
        return true;
    }
    if (there && !S_ISREG(facts.st_mode)) {
        *why = "it is no regular file";
        return false;
    }
    if (elsewhere && (place == PLACE_MOVED || !named)) {
        *why = place == PLACE_MOVED
                   ? "the image has been moved, and it does not lie beside it"
                   : "it does not lie beside the image, and the image's header does not name it";
        return false;
    }
    if (there && record->owner != img->io->caller(img->io->context) && facts.st_uid != record->owner) {
        *why = "it belongs to somebody else than the record, whose owner could not have written it";
        return false;
    }
    return true;
}

/* The private backing file of a change that has not come to its header yet is named by nothing but the
 * record.
 */
static bool is_own_new_copy(const struct record *record, const struct cow_image *img, enum place place)
{
    return place == PLACE_HOME && record->owner == img->io->caller(img->io->context) &&
           (journal_view(record, img) == JOURNAL_SEES_OLD || journal_view(record, img) == JOURNAL_SEES_HALF);
}

int claim_check(struct record *record, const struct cow_image *img, const char *path, struct cow_error *err)
{
    const char *why, *original;
    char quoted[COW_HINT_BYTES / 2];
    if (journal_view(record, img) == JOURNAL_SEES_STRANGE) {
        return 0; /* whoever asks has words for that */
    }
    const enum place place = image_place_of(record, img, &original);
    if (place == PLACE_COPY) {
        return refuse_copy(record, img, path, original, err);
    }
    if (record->copy_inode != 0) {
        record->copy_is_foreign =
            !is_claimed(record, img, place, record->copy_path, record->copy_elsewhere, &why) &&
            !is_own_new_copy(record, img, place);
    }
    if (record->extends != 0 &&
        !is_claimed(record, img, place, record->backing_path, record->backing_elsewhere, &why)) {
        cow_error_set(err, COW_REFUSED, "%s: %s would change %s: %s", img->path, path, record->backing_path,
                      why);
        return cow_error_hint(err, "if that is the right file: the same command with -b %s",
                              cow_shell_quote(quoted, sizeof quoted, record->backing_path));
    }
    return 0;
}

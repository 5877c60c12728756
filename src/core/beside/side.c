/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Names beside an image, and whose the files are that have them.
 */
#include "core/beside/side.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cow/text.h"

enum { NAME_BYTES_MAX = 230, NUMBER_DIGITS = 16 };

/* FNV-1a: a few bytes of code, and names that differ at their ends only have numbers of their own. */
static uint64_t number_of(const char *name)
{
    uint64_t number = UINT64_C(0xcbf29ce484222325);
    for (; *name != '\0'; name++) {
        number = (number ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
    }
    return number;
}

const char *side_path(char out[PATH_MAX], const char *path, const char *what)
{
    const char *slash = strrchr(path, '/');
    const int directory = slash == NULL ? 0 : (int)(slash - path) + 1;
    const char *name = path + directory;
    const bool fits = strlen(name) <= NAME_BYTES_MAX;
    char number[NUMBER_DIGITS + 2] = "";
    if (!fits) {
        snprintf(number, sizeof number, "~%016" PRIx64, number_of(name));
    }
    int n = snprintf(out, PATH_MAX, "%.*s.%.*s%s.cowtui-%s", directory, path,
                     fits ? NAME_BYTES_MAX : NAME_BYTES_MAX - NUMBER_DIGITS - 1, name, number, what);
    if (n < 0 || n >= PATH_MAX) {
        out[0] = '\0';
    }
    return out;
}

/* What cannot be looked at is no "no". */
static bool is_absence(int status)
{
    return status == -ENOENT || status == -ENOTDIR;
}

static bool may_be_there(const struct cow_io *io, const char *path)
{
    struct stat facts;
    return !is_absence(io->lstat(io->context, path, &facts));
}

const char *side_journal_path(char out[PATH_MAX], const struct cow_io *io, const char *path)
{
    return may_be_there(io, side_path(out, path, SIDE_MOVE)) ? out : side_path(out, path, SIDE_JOURNAL);
}

bool side_is_name(const char *name)
{
    return name[0] == '.' && strstr(name, ".cowtui-") != NULL;
}

bool side_has_family_journal(const struct cow_io *io, const char *backing_path)
{
    char real_path[PATH_MAX], path[PATH_MAX];
    return io->resolve(io->context, backing_path, real_path, sizeof real_path) == 0 &&
           may_be_there(io, side_path(path, real_path, SIDE_FAMILY));
}

/* A rename that is made of a link and the removal of the old name leaves both where it is killed. */
static bool is_named_twice_by_us(const struct cow_io *io, const char *path, const struct stat *facts)
{
    char draft[PATH_MAX];
    struct stat other;
    const int written = snprintf(draft, sizeof draft, "%s-new", path);
    return facts->st_nlink == 2 && written > 0 && (size_t)written < sizeof draft &&
           io->lstat(io->context, draft, &other) == 0 && other.st_dev == facts->st_dev &&
           other.st_ino == facts->st_ino;
}

int side_check_owner(const struct cow_io *io, const char *path, const struct stat *facts,
                     const struct stat *image_facts, const char *image_path, struct cow_error *err)
{
    char image[COW_HINT_BYTES / 4], record[COW_HINT_BYTES / 4];
    const uid_t caller = io->caller(io->context);
    const unsigned long owner = facts->st_uid;
    cow_shell_quote(image, sizeof image, image_path);
    cow_shell_quote(record, sizeof record, path);
    if (facts->st_uid != caller && facts->st_uid != image_facts->st_uid) {
        cow_error_set(
            err, COW_REFUSED,
            "%s: belongs to user %lu, neither to you (user %lu) nor to the image's owner (user %lu): "
            "it is not obeyed",
            path, owner, (unsigned long)caller, (unsigned long)image_facts->st_uid);
        return cow_error_hint(
            err,
            "\"cowtui recover -n %s\" shows what a journal would do; \"chown %lu %s\" accepts "
            "it, if you know that it is right",
            image, (unsigned long)caller, record);
    }
    if ((facts->st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        cow_error_set(err, COW_REFUSED, "%s: others than its owner (user %lu) can write it: it is not obeyed",
                      path, owner);
        return cow_error_hint(
            err,
            "\"cowtui recover -n %s\" shows what a journal would do; \"chmod go-w %s\" accepts "
            "it, if you know that it is right",
            image, record);
    }
    if (facts->st_nlink != 1 && !is_named_twice_by_us(io, path, facts)) {
        cow_error_set(
            err, COW_REFUSED,
            "%s: has %ju names (hard links; its owner is user %lu): it may be another image's, and is "
            "not obeyed",
            path, (uintmax_t)facts->st_nlink, owner);
        return cow_error_hint(err,
                              "in a copy of a directory made of links: act in the original; a copy of the "
                              "file in its place (cp) accepts it");
    }
    return 0;
}

enum side_journal side_find_journal(const struct cow_io *io, const char *image_real_path,
                                    const struct stat *image_facts, const char *image_path,
                                    struct cow_error *err)
{
    char path[PATH_MAX];
    struct stat facts;
    const int status = io->lstat(io->context, side_journal_path(path, io, image_real_path), &facts);
    if (is_absence(status)) {
        return SIDE_NO_JOURNAL;
    }
    if (status < 0) {
        cow_error_system(err, -status, "%s: whether there is a journal cannot be told", path);
        return SIDE_JOURNAL_STRANGE;
    }
    if (!S_ISREG(facts.st_mode)) {
        char quoted[COW_HINT_BYTES / 2];
        cow_error_set(err, COW_REFUSED, "%s: not a regular file (its owner is user %lu): it is not obeyed",
                      path, (unsigned long)facts.st_uid);
        cow_error_hint(err,
                       "it is no journal of this program's; if nobody needs it: rm %s, then cowtui recover",
                       cow_shell_quote(quoted, sizeof quoted, path));
        return SIDE_JOURNAL_STRANGE;
    }
    return side_check_owner(io, path, &facts, image_facts, image_path, err) == 0 ? SIDE_JOURNAL_OBEYED
                                                                                 : SIDE_JOURNAL_STRANGE;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where an output goes. Nothing that somebody needs is written over: not the files that are read, under
 * any name (device and inode tell), not a backing file of another image, and what exists only by
 * --force. That the name is still free is asked again where the file appears: the rename replaces
 * nothing that was not there.
 *
 * A symbolic link to a file is followed, as cp does, with a note; one that leads nowhere is refused,
 * for a file would be made where nobody named one.
 *
 * A new file has the permission bits that all of its inputs have, and so never more: what somebody
 * could not read before, the copy of it does not show.
 */
#include "core/plan/plan_output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "core/beside/side.h"
#include "core/image/siblings.h"
#include "cow/text.h"

mode_t plan_output_mode(const struct cow_plan *plan)
{
    if (plan->img == NULL) { /* create: nothing of anybody's is in it */
        return 0666;
    }
    mode_t mode = image_common_mode(plan->img);
    for (size_t i = 0; i < plan->n_inputs; i++) {
        mode &= plan->input[i].file.facts.st_mode;
    }
    return mode;
}

/* "/a/b/" and "name" of a path. */
static int output_directory_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? 0 : (int)(slash - path) + 1;
}

const char *plan_temp_path(struct cow_plan *plan, const char *path)
{
    char temp[PATH_MAX];
    return plan_text(plan, "%s", side_path(temp, path, SIDE_NEW));
}

const char *plan_absolute_path(struct cow_plan *plan, const char *path, struct cow_error *err)
{
    int directory = output_directory_length(path);
    const char *name = path + directory;
    if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        cow_error_set(err, COW_USAGE, "%s: not the name of a file", path);
        return NULL;
    }
    const char *parent = directory == 0 ? "." : plan_text(plan, "%.*s", directory, path);
    char resolved[PATH_MAX];
    int status = plan->io->resolve(plan->io->context, parent, resolved, sizeof resolved);
    if (status < 0) {
        cow_error_system(err, -status, "%s", parent);
        return NULL;
    }
    return plan_text(plan, "%s%s%s", resolved, strcmp(resolved, "/") == 0 ? "" : "/", name);
}

/* --force replaces a file, but not one on which an image lives. */
static int refuse_others_backing(const struct cow_plan *plan, const char *path, const struct stat *facts,
                                 struct cow_error *err)
{
    struct siblings siblings;
    int status = siblings_find_on(&siblings, plan->io, plan->img, path, facts, err);
    if (status != 0) {
        return status;
    }
    if (siblings.n > 0) {
        cow_error_set(err, COW_REFUSED, "%s: is the backing file of %s, whose disk would be lost", path,
                      siblings.sibling[0].path);
        status = cow_error_hint(err, "name another file; --force is not enough for that");
    }
    siblings_clear(&siblings);
    return status;
}

/* --force replaces an image, but not one of which a half may lie elsewhere: its data would be lost, and the
 * journal be about another file. */
static int refuse_interrupted(const struct cow_plan *plan, const char *path, const struct stat *facts,
                              struct cow_error *err)
{
    char real[PATH_MAX], image[COW_HINT_BYTES / 2];
    if (plan->io->resolve(plan->io->context, path, real, sizeof real) < 0 ||
        side_find_journal(plan->io, real, facts, path, NULL) == SIDE_NO_JOURNAL) {
        return 0;
    }
    cow_error_set(err, COW_REFUSED, "%s: a change of it was interrupted", path);
    return cow_error_hint(
        err, "\"cowtui recover %s\" finishes it or takes it back; --force is not enough for that",
        cow_shell_quote(image, sizeof image, path));
}

/* A block device is written over, and not replaced by rename. */
static int check_device(struct cow_plan *plan, const char *path, bool force, struct cow_error *err)
{
    struct stat facts;
    char needed[COW_SIZE_TEXT_BYTES], there[COW_SIZE_TEXT_BYTES];
    if (!force) {
        cow_error_set(err, COW_REFUSED, "%s: is a block device", path);
        return cow_error_hint(err, "--force writes over what is on it; there is no way back");
    }
    int fd = plan->io->open(plan->io->context, path, O_RDONLY | O_NONBLOCK, 0);
    int status = fd < 0 ? fd : plan->io->fstat(plan->io->context, fd, &facts);
    if (fd >= 0) {
        plan->io->close(plan->io->context, fd);
    }
    if (status < 0) {
        return cow_error_system(err, -status, "%s", path);
    }
    if ((uint64_t)facts.st_size < plan->img->header.size_bytes) {
        return cow_error_set(err, COW_IO, "%s: not enough space: %s are needed, the device has %s", path,
                             cow_size_text(needed, plan->img->header.size_bytes),
                             cow_size_text(there, (uint64_t)facts.st_size));
    }
    plan->target.is_device = true;
    return refuse_others_backing(plan, path, &facts, err);
}

/* One of the files that are read besides the image? */
static bool is_input(const struct cow_plan *plan, const struct stat *facts)
{
    bool found = plan->backing.path != NULL && same_file(facts, &plan->backing.facts);
    for (size_t i = 0; i < plan->n_inputs; i++) {
        found = found || same_file(facts, &plan->input[i].file.facts);
    }
    return found;
}

static int check_output(struct cow_plan *plan, const char *path, bool force, struct stat *facts,
                        struct cow_error *err)
{
    bool is_image = plan->img != NULL && plan->own_image == NULL && same_file(facts, &plan->img->cow.facts);
    if (is_image || is_input(plan, facts)) {
        return cow_error_set(err, COW_REFUSED, "%s: the output would be the %s itself", path,
                             is_image ? "image" : "backing file");
    }
    if (plan->img != NULL && image_has_below(plan->img, facts)) {
        return cow_error_set(err, COW_REFUSED, "%s: the image lies on it, below its backing file", path);
    }
    if (S_ISBLK(facts->st_mode) && plan->target.takes_device) {
        return check_device(plan, path, force, err);
    }
    if (!S_ISREG(facts->st_mode)) {
        return cow_error_set(err, COW_REFUSED, "%s: exists and is not a regular file", path);
    }
    if (!force) {
        cow_error_set(err, COW_REFUSED, "%s: exists already", path);
        return cow_error_hint(err, "name another file, or replace it with --force");
    }
    int status = refuse_interrupted(plan, path, facts, err);
    return status != 0 ? status : refuse_others_backing(plan, path, facts, err);
}

/* As cp has it: through a link goes what replaces a file, but nothing is made where a link leads to. */
static int look_at_output(struct cow_plan *plan, const char *path, struct stat *facts, bool *exists,
                          bool *is_link, struct cow_error *err)
{
    int status = plan->io->lstat(plan->io->context, path, facts);
    *is_link = status == 0 && S_ISLNK(facts->st_mode);
    if (*is_link) {
        status = plan->io->stat(plan->io->context, path, facts);
        if (status == -ENOENT) {
            cow_error_set(err, COW_REFUSED, "%s: is a symbolic link, and there is no file where it leads to",
                          path);
            return cow_error_hint(err, "name the file itself, or remove the link");
        }
    }
    *exists = status == 0;
    return status == 0 || status == -ENOENT ? 0 : cow_error_system(err, -status, "%s", path);
}

const char *plan_choose_output(struct cow_plan *plan, const char *path, bool force, bool *exists,
                               struct cow_error *err)
{
    struct stat facts;
    bool is_link;
    char target[PATH_MAX];
    if (strcmp(path, "-") == 0) {
        cow_error_set(err, COW_USAGE, "- is standard output, and this cannot be written there");
        cow_error_hint(err,
                       "a file of that name is ./-; merge, files --extract, map --svg and map --png take -");
        return NULL;
    }
    int status = look_at_output(plan, path, &facts, exists, &is_link, err);
    if (status == 0 && *exists) {
        status = check_output(plan, path, force, &facts, err);
    }
    if (status != 0) {
        return NULL;
    }
    if (!is_link) {
        return plan_absolute_path(plan, path, err);
    }
    status = plan->io->resolve(plan->io->context, path, target, sizeof target);
    if (status < 0) {
        cow_error_system(err, -status, "%s", path);
        return NULL;
    }
    plan_note(plan, "%s is a symbolic link; the %s it leads to is %s: %s", path,
              plan->target.is_device ? "device" : "file",
              plan->target.is_device ? "written over" : "replaced", target);
    return plan_text(plan, "%s", target);
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What does this filesystem keep? It is found out by trying, just before somebody is asked for the yes
 * and never for a dry run: an empty file beside the image is made and removed. Can it be made, locked,
 * linked; is a mode of 0600 kept; which date becomes of the one that is wanted? A merge in place asks
 * for the room that it takes, too.
 *
 * So the preview that is shown afterwards promises undo only where there are hard links (or where
 * nothing is renamed), and what cannot go well is refused before anything is written. That clones of
 * whole blocks would take less room is not counted on.
 *
 * Deliberately not tried: whether the disk keeps what is flushed. An error from fsync is final
 * everywhere: the kernel may have dropped the pages, and say "fine" the next time.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/beside/side.h"
#include "core/plan/plan.h"
#include "core/plan/plan_family.h"
#include "core/plan/plan_rules.h"
#include "cow/text.h"

/* What came of a trial. */
struct keeps {
    bool tried;
    int link_status;      /* 0 or -errno */
    mode_t mode;          /* what 0600 reads back as */
    struct timespec date; /* as the one that was wanted reads back */
};

static bool probe_cannot_be_had(int status)
{
    return status == -EPERM || status == -EOPNOTSUPP || status == -ENOSYS || status == -EMLINK ||
           status == -EINVAL;
}

/* Fills in date and mode, as far as they can be read back. */
static void try_facts(const struct cow_io *io, int fd, struct timespec wanted, struct keeps *out)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, wanted};
    struct stat facts;
    int status = io->futimens(io->context, fd, times);
    if (status == 0) {
        status = io->fstat(io->context, fd, &facts);
    }
    if (status == 0) {
        out->date = facts.st_mtim;
        out->mode = facts.st_mode & 07777;
    }
}

/* What a trial that was cut off has left: an empty file of ours. Anything else of that name is somebody's. */
static void probe_remove_left_over(const struct cow_io *io, const char *path)
{
    struct stat facts;
    if (io->lstat(io->context, path, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_size == 0 &&
        facts.st_uid == io->caller(io->context)) {
        io->unlink(io->context, path);
    }
}

/* An empty file beside path, that is gone again afterwards. What keeps it from being made the commit will
 * tell, but for a name that is too long. */
static int try_beside(const struct cow_plan *plan, const char *path, struct timespec date, struct keeps *out,
                      struct cow_error *err)
{
    const struct cow_io *io = plan->io;
    char trial[PATH_MAX], link[PATH_MAX];
    side_path(trial, path, SIDE_TRIAL);
    side_path(link, path, SIDE_LINK);
    *out = (struct keeps){.date = date};
    int fd = io->open(io->context, trial, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd == -EEXIST) { /* a crash left it; another trial that runs just now can do without its name */
        probe_remove_left_over(io, trial);
        fd = io->open(io->context, trial, O_RDWR | O_CREAT | O_EXCL, 0600);
    }
    if (fd == -ENAMETOOLONG) {
        cow_error_set(err, COW_REFUSED,
                      "%s: its name is too long for this filesystem to keep a journal beside it", path);
        return cow_error_hint(err, "give it a shorter one first (mv)");
    }
    if (fd < 0) {
        return 0;
    }
    out->tried = true;
    const int locked = io->lock(io->context, fd, IO_LOCK_WRITE);
    try_facts(io, fd, date, out);
    probe_remove_left_over(io, link);
    out->link_status = io->link(io->context, trial, link);
    if (out->link_status == 0) {
        io->unlink(io->context, link);
    }
    io->unlink(io->context, trial);
    io->close(io->context, fd);
    if ((out->mode & (S_IWGRP | S_IWOTH)) != 0) { /* what others can write is not obeyed */
        cow_error_set(
            err, COW_REFUSED,
            "%s: on this filesystem others than its owner could write what is kept beside it (a file for its "
            "owner alone has the mode %03o)",
            path, (unsigned)out->mode);
        return cow_error_hint(
            err, "mount it for one user (FAT, exFAT, NTFS: -o umask=077), or copy the files to another "
                 "filesystem");
    }
    return locked < 0 && locked != -EAGAIN && locked != -EACCES ? host_file_no_lock(err, locked, path) : 0;
}

/* No hard links: the old image cannot keep a name of its own while the new one takes its place. */
static void give_undo_up(struct cow_plan *plan)
{
    size_t kept = 0;
    plan->keep_undo = false;
    for (size_t i = 0; i < plan->n_steps; i++) {
        if (plan->steps[i].kind != COW_STEP_KEEP_UNDO) {
            plan->steps[kept++] = plan->steps[i];
        }
    }
    plan->n_steps = kept;
    plan_name_files(plan);
    plan->preview.undo_text = "none: this filesystem has no hard links, by which the old image would be kept";
}

/* The private copy has the date that the new header has: what the filesystem makes of it. */
static int probe_copy(struct cow_plan *plan, struct cow_error *err)
{
    struct keeps keeps;
    int status = try_beside(plan, plan->backing.copy_path, plan->backing.copy_mtime, &keeps, err);
    if (status == 0 && keeps.tried && keeps.date.tv_sec >= 0 && keeps.date.tv_sec <= UINT32_MAX) {
        plan->backing.copy_mtime = keeps.date;
        plan->result.header.mtime = (uint32_t)keeps.date.tv_sec;
    }
    return status;
}

/* Whether names become durable, the filesystem tells without anything being written. */
static void probe_directory(struct cow_plan *plan)
{
    char directory[PATH_MAX];
    const char *slash = strrchr(plan->target.path, '/');
    const size_t length = slash == NULL                ? 0
                          : slash == plan->target.path ? 1
                                                       : (size_t)(slash - plan->target.path);
    if (length == 0 || length >= sizeof directory) {
        return;
    }
    memcpy(directory, plan->target.path, length);
    directory[length] = '\0';
    int fd = plan->io->open(plan->io->context, directory, O_RDONLY | O_DIRECTORY, 0);
    if (fd >= 0) {
        if (io_is_no_directory_sync(plan->io->fsync(plan->io->context, fd))) {
            plan_note(
                plan,
                "this filesystem does not flush directories: a power cut just after the change may bring "
                "the old names back");
        }
        plan->io->close(plan->io->context, fd);
    }
}

/* What is half merged can only go on: it is to be known before. */
static int probe_space(struct cow_plan *plan, struct cow_error *err)
{
    uint64_t free_bytes;
    char needed[COW_SIZE_TEXT_BYTES], there[COW_SIZE_TEXT_BYTES];
    struct host_file *backing = image_place(plan->img, COW_FILE_BACKING, 0).file;
    if (host_file_free_bytes(plan->io, backing, &free_bytes) < 0 ||
        free_bytes >= plan->backing.merge_needs_bytes) {
        return 0;
    }
    cow_error_set(err, COW_IO, "%s: not enough space: %s, %s are needed, %s are free", plan->backing.path,
                  plan->backing.merged_elsewhere
                      ? "its filesystem takes new room for what is written over (copy on write)"
                      : "holes of it are filled",
                  cow_size_text(needed, plan->backing.merge_needs_bytes), cow_size_text(there, free_bytes));
    return cow_error_hint(err, "nothing has changed; free some space, or write a new file with -o FILE");
}

static int probe_one(struct cow_plan *plan, struct cow_error *err)
{
    struct keeps keeps;
    const size_t notes = plan->preview.notes;
    if (plan->committed || plan->probed || plan->n_steps == 0 || plan->target.path == NULL ||
        plan->target.stream_fd >= 0 || plan->target.is_device) {
        return 0;
    }
    probe_directory(plan);
    int status = 0;
    const bool changes = plan->purpose == PLAN_CHANGES && plan->method != RECORD_NONE;
    const struct record_kind_facts *kind = record_kind_facts(plan->method);
    if (changes) {
        status = try_beside(plan, plan->target.path, plan->img->cow.facts.st_mtim, &keeps, err);
        if (status == 0 && keeps.tried && plan->keep_undo && !kind->record_is_undo &&
            probe_cannot_be_had(keeps.link_status)) {
            give_undo_up(plan);
        }
    }
    if (status == 0 && plan->backing.copy_path != NULL) {
        status = probe_copy(plan, err);
    }
    if (status == 0 && changes && kind->writes_into_backing) {
        status = probe_space(plan, err);
    }
    if (status == 0 && plan->out_of_memory) {
        plan->preview.notes = notes;
        status = cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    plan->probed = status == 0;
    return status;
}

int cow_plan_probe(struct cow_plan *plan, struct cow_error *err)
{
    struct plan_family *family = plan->family;
    int status = 0;
    if (family == NULL || plan->n_steps == 0) { /* nothing is to be done: it stays so */
        return probe_one(plan, err);
    }
    for (size_t i = 0; i < family->members && status == 0 && plan->purpose == PLAN_CHANGES; i++) {
        status = probe_one(family->member[i], err);
    }
    if (status == 0 && !plan->committed) {
        plan_family_compose(plan); /* a member may have lost a step: it cannot be undone here */
        status = plan->out_of_memory ? cow_error_set(err, COW_NO_MEMORY, "out of memory") : 0;
    }
    plan->probed = status == 0;
    return status;
}

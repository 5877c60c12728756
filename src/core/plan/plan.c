/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Plans as objects: strings, steps, and the questions that every builder asks.
 */
#include "core/plan/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/variants.h"
#include "core/image/siblings.h"
#include "core/image/side.h"
#include "cow/text.h"

static const char *const step_names[COW_STEPS] = {
#define STEP_ROW(id, name) [COW_STEP_##id] = (name),
    COW_STEP_LIST(STEP_ROW)
#undef STEP_ROW
};

const char *cow_step_name(enum cow_step_kind kind)
{
    return step_names[kind];
}

const char *cow_policy_name(enum cow_policy policy)
{
    static const char *const names[] = {"", "extend", "copy", "keep"};
    return names[policy];
}

struct cow_plan *plan_new(const struct cow_io *io, struct cow_image *img, const char *operation)
{
    struct cow_plan *plan = calloc(1, sizeof *plan);
    if (plan == NULL) {
        return NULL;
    }
    plan->io = io;
    plan->img = img =
        img != NULL ? image_flat(img) : NULL; /* what changes an image reads it as a kernel does */
    plan->stream_fd = -1;
    plan->preview = (struct cow_preview){.operation = operation,
                                         .method = "copy",
                                         .policy = "",
                                         .target_path = "",
                                         .backing_text = "",
                                         .after_backing_path = "",
                                         .undo_text = "",
                                         .command = "",
                                         .next_step = "",
                                         .content_text = "",
                                         .outside_note = "",
                                         .note = plan->notes,
                                         .file = plan->files,
                                         .sibling = plan->siblings};
    if (img != NULL) {
        plan->preview.has_before = true;
        plan->preview.before_format = img->header.format;
        plan->preview.before_size_bytes = img->header.size_bytes;
        plan->preview.before = img->layout;
        plan->preview.before_allocated_bytes = (uint64_t)img->cow.facts.st_blocks * 512;
        if (img->backing.facts.state == COW_BACKING_FOUND) {
            plan->backing_path = img->backing.facts.path;
            plan->backing_facts = img->backing.file.facts;
            plan->backing_bytes = img->backing.facts.size_bytes;
        }
    }
    return plan;
}

void cow_plan_free(struct cow_plan *plan)
{
    if (plan != NULL) {
        for (size_t i = 0; i < plan->n_strings; i++) {
            free(plan->strings[i]);
        }
        for (size_t i = 0; i < plan->n_inputs; i++) {
            host_file_close(plan->io, &plan->input[i].file);
        }
        selection_close(plan->selection);
        cow_fs_reader_close(plan->file);
        cow_fs_scan_free(plan->fs_scan);
        cow_fs_close(plan->fs);
        cow_image_close(plan->own_image);
        free(plan);
    }
}

static const char *plan_vtext(struct cow_plan *plan, const char *format, va_list arguments)
{
    char *text;
    if (plan->n_strings == PLAN_STRINGS_MAX || vasprintf(&text, format, arguments) < 0) {
        plan->out_of_memory = true;
        return "";
    }
    plan->strings[plan->n_strings++] = text;
    return text;
}

const char *plan_text(struct cow_plan *plan, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *text = plan_vtext(plan, format, arguments);
    va_end(arguments);
    return text;
}

static const char *plan_vwords(struct cow_plan *plan, const char *format, va_list arguments)
{
    char escaped[3 * PATH_MAX];
    return plan_text(plan, "%s",
                     cow_escape_message(escaped, sizeof escaped, plan_vtext(plan, format, arguments)));
}

const char *plan_words(struct cow_plan *plan, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *text = plan_vwords(plan, format, arguments);
    va_end(arguments);
    return text;
}

void plan_note(struct cow_plan *plan, const char *format, ...)
{
    if (plan->preview.notes < PLAN_NOTES_MAX) {
        va_list arguments;
        va_start(arguments, format);
        plan->notes[plan->preview.notes++] = plan_vwords(plan, format, arguments);
        va_end(arguments);
    }
}

void plan_step(struct cow_plan *plan, enum cow_step_kind kind, uint64_t bytes, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    plan->steps[plan->n_steps++] = (struct cow_step){kind, bytes, plan_vwords(plan, format, arguments)};
    va_end(arguments);
}

int plan_add_input(struct cow_plan *plan, const char *what, const char *path, struct cow_error *err)
{
    struct plan_input *input = &plan->input[plan->n_inputs];
    int status = host_file_open_disk(plan->io, &input->file, path, O_RDONLY, err);
    if (status != 0) {
        return cow_error_prefix(err, "the %s", what);
    }
    plan->n_inputs++;
    input->what = what;
    input->path = plan_text(plan, "%s", path);
    return 0;
}

mode_t plan_output_mode(const struct cow_plan *plan)
{
    const struct cow_image *img = plan->img;
    mode_t mode = 0777;
    if (img == NULL) { /* create: nothing of anybody's is in it */
        return 0666;
    }
    mode &= img->cow.facts.st_mode;
    if (img->backing.facts.state == COW_BACKING_FOUND) {
        mode &= img->backing.file.facts.st_mode;
    }
    for (size_t i = 0; i < plan->n_inputs; i++) {
        mode &= plan->input[i].file.facts.st_mode;
    }
    return mode;
}

void plan_note_outside(struct cow_plan *plan)
{
    char text[COW_MESSAGE_BYTES + 256];
    if (*cow_image_outside_text(text, sizeof text, plan->img) != '\0' &&
        plan->preview.notes < PLAN_NOTES_MAX) {
        plan_note(plan, "%s", text);
        plan->preview.outside_note = plan->notes[plan->preview.notes - 1];
    }
}

void plan_note_device(struct cow_plan *plan, const struct stat *backing)
{
    if (S_ISBLK(backing->st_mode)) {
        plan_note(
            plan,
            "the backing file is a block device: kernels go by the date of its node in /dev, which most "
            "systems make anew at each start; then \"cowtui rebase --restamp\"");
    }
}

void plan_note_read_only(struct cow_plan *plan)
{
    const mode_t mode = plan_output_mode(plan);
    if ((mode & S_IWUSR) == 0) {
        plan_note(plan,
                  "like the files that it is made from it cannot be written (mode %03o): chmod u+w before a "
                  "guest boots from it",
                  (unsigned)mode);
    }
}

int plan_finish(struct cow_plan **out, struct cow_plan *plan, struct cow_error *err)
{
    plan_name_files(plan);
    if (plan->out_of_memory) {
        cow_plan_free(plan);
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    int status = plan_check_way(plan, err);
    if (status != 0) {
        cow_plan_free(plan);
        return status;
    }
    *out = plan;
    return 0;
}

const struct cow_preview *cow_plan_preview(const struct cow_plan *plan)
{
    return &plan->preview;
}

const struct cow_step *cow_plan_steps(const struct cow_plan *plan, size_t *n_steps)
{
    *n_steps = plan->n_steps;
    return plan->steps;
}

/* "/a/b/" and "name" of a path. */
static int directory_length(const char *path)
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
    int directory = directory_length(path);
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
    plan->is_device = true;
    return refuse_others_backing(plan, path, &facts, err);
}

/* One of the files that are read besides the image? */
static bool is_input(const struct cow_plan *plan, const struct stat *facts)
{
    bool found = plan->backing_path != NULL && same_file(facts, &plan->backing_facts);
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
    if (S_ISBLK(facts->st_mode) && plan->takes_device) {
        return check_device(plan, path, force, err);
    }
    if (!S_ISREG(facts->st_mode)) {
        return cow_error_set(err, COW_REFUSED, "%s: exists and is not a regular file", path);
    }
    if (!force) {
        cow_error_set(err, COW_REFUSED, "%s: exists already", path);
        return cow_error_hint(err, "name another file, or replace it with --force");
    }
    return refuse_others_backing(plan, path, facts, err);
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
        cow_error_hint(err, "a file of that name is ./-; merge and files --extract take -o -");
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
              plan->is_device ? "device" : "file", plan->is_device ? "written over" : "replaced", target);
    return plan_text(plan, "%s", target);
}

int plan_no_lock(struct cow_error *err, int status, const char *path)
{
    cow_error_system(err, -status, "locking %s", path);
    return cow_error_hint(
        err, "where this filesystem has no locks, a running guest could not be noticed: copy the files "
             "to a local one, or mount it with locks (NFS: local_lock=all, or nfsvers=4)");
}

int plan_check_pending(const struct cow_image *img, struct cow_error *err)
{
    char image[COW_HINT_BYTES / 2];
    struct cow_error whose;
    switch (side_find_journal(img->io, img->real_path, &img->cow.facts, img->path, &whose)) {
    case SIDE_NO_JOURNAL:
        return 0;
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

int plan_check_way_of(const struct cow_plan *plan, const char *what, struct cow_error *err)
{
    char path[PATH_MAX];
    struct stat facts;
    side_path(path, plan->target_path, what);
    if (plan->io->lstat(plan->io->context, path, &facts) < 0) {
        return 0;
    }
    const bool is_owners = plan->img != NULL && facts.st_uid == plan->img->cow.facts.st_uid;
    if (!S_ISREG(facts.st_mode)) {
        cow_error_set(err, COW_REFUSED, "%s: in the way, and not a regular file", path);
    } else if (facts.st_uid != plan->io->caller(plan->io->context) && !is_owners) {
        cow_error_set(err, COW_REFUSED, "%s: in the way, and another user's (uid %ju)", path,
                      (uintmax_t)facts.st_uid);
    } else {
        return 0;
    }
    return cow_error_hint(err,
                          "a change needs that name beside the image: look what it is, and move it away");
}

int plan_check_way(const struct cow_plan *plan, struct cow_error *err)
{
    static const char *const names[] = {SIDE_NEW, SIDE_DRAFT, SIDE_OLD, SIDE_JOURNAL, SIDE_UNDO};
    /* Recovery and undo start from what is there, and judge it themselves. */
    const bool changes = plan->journaled && !plan->undoes && plan->target_path != NULL;
    int status = 0;
    for (size_t i = 0; changes && status == 0 && i < sizeof names / sizeof *names; i++) {
        status = plan_check_way_of(plan, names[i], err);
    }
    return status;
}

int plan_check_names(const struct cow_image *img, bool force, struct cow_error *err)
{
    if (img->cow.facts.st_nlink <= 1 || force) {
        return 0;
    }
    cow_error_set(err, COW_REFUSED, "%s has %ju names (hard links): the others would keep the old disk",
                  img->path, (uintmax_t)img->cow.facts.st_nlink);
    return cow_error_hint(err, "-o FILE writes the result elsewhere; --force goes on");
}

static int refuse_held(const struct sibling *held, struct cow_error *err)
{
    char pid[32];
    snprintf(pid, sizeof pid, held->holder.pid > 0 ? "pid %" PRId64 : "another process", held->holder.pid);
    cow_error_set(err, COW_LOCKED, "%s: is on the same backing file, and in use by %s", held->path, pid);
    return cow_error_hint(err, "a running UML guest, most likely: shut it down first");
}

static int refuse_pending(const struct sibling *pending, struct cow_error *err)
{
    char image[COW_HINT_BYTES / 2];
    cow_error_set(err, COW_REFUSED, "%s: is on the same backing file, and a change of it was interrupted%s",
                  pending->path, pending->pending_is_strange ? ", says a journal that is not obeyed" : "");
    return cow_error_hint(err, "first of all: cowtui recover %s",
                          cow_shell_quote(image, sizeof image, pending->path));
}

/* What another image has begun may concern the backing file. */
static int check_siblings(const struct siblings *siblings, struct cow_error *err)
{
    const struct sibling *held = siblings_held(siblings), *pending = siblings_pending(siblings);
    return held != NULL ? refuse_held(held, err) : pending != NULL ? refuse_pending(pending, err) : 0;
}

int plan_check_siblings(const struct cow_plan *plan, struct cow_error *err)
{
    struct siblings siblings;
    int status =
        siblings_find_on(&siblings, plan->io, plan->img, plan->backing_path, &plan->backing_facts, err);
    if (status == 0) {
        status = check_siblings(&siblings, err);
        siblings_clear(&siblings);
    }
    return status;
}

int plan_check_pending_on(const struct cow_image *img, const char *path, const struct stat *facts,
                          struct cow_error *err)
{
    struct siblings siblings;
    int status = siblings_find_on(&siblings, img->io, img, path, facts, err);
    if (status == 0) {
        const struct sibling *pending = siblings_pending(&siblings);
        status = pending != NULL ? refuse_pending(pending, err) : 0;
        siblings_clear(&siblings);
    }
    return status;
}

int plan_list_siblings(struct cow_plan *plan, struct cow_error *err)
{
    struct siblings siblings;
    int status = siblings_find(&siblings, plan->img, err);
    if (status != 0) {
        return status;
    }
    status = check_siblings(&siblings, err);
    if (siblings.incomplete) {
        plan_note(plan, "not all of the directories could be searched for other images on the backing file");
    }
    for (size_t i = 0; i < siblings.n && plan->preview.siblings < PLAN_SIBLINGS_MAX; i++) {
        plan->siblings[plan->preview.siblings++] = plan_text(plan, "%s", siblings.sibling[i].path);
    }
    if (siblings.n > PLAN_SIBLINGS_MAX) {
        plan_note(plan, "%zu COW images more are on the same backing file", siblings.n - PLAN_SIBLINGS_MAX);
    }
    siblings_clear(&siblings);
    return status;
}

void plan_note_in_use(struct cow_plan *plan)
{
    struct cow_holder holder = {.held = false};
    if (cow_image_in_use(plan->img, &holder, NULL) == 0 && holder.held) {
        plan_note(plan, "the image is in use (pid %" PRId64 "): it will be refused until that one stops",
                  holder.pid);
    }
}

int plan_predict_verdict(struct cow_plan *plan, uint64_t backing_bytes, int64_t backing_mtime,
                         struct cow_error *err)
{
    uint8_t bytes[COW_V3_HEADER_BYTES];
    int status = cow_header_encode(bytes, &plan->header, err);
    if (status != 0) {
        return status;
    }
    const struct cow_backing *backing = plan->img != NULL ? &plan->img->backing.facts : NULL;
    bool path_kept =
        backing != NULL && strcmp(plan->header.backing_path, plan->img->header.backing_path) == 0;
    struct verdict_facts facts = {.bytes = bytes,
                                  .n_bytes = sizeof bytes,
                                  .header = &plan->header,
                                  .image_path = plan->img != NULL ? plan->img->path : plan->target_path,
                                  .boot_path = plan->named_path != NULL ? plan->named_path : plan->img->path,
                                  .backing_path = plan->header.backing_path,
                                  .backing_unknown = path_kept && backing->state == COW_BACKING_IGNORED,
                                  .backing_errno = plan->backing_errno,
                                  .backing_bytes = backing_bytes,
                                  .backing_mtime = backing_mtime,
                                  .beside_image = path_kept && backing->beside_image};
    if (path_kept && backing->named) {
        struct stat stored;
        int missing = plan->io->stat(plan->io->context, plan->header.backing_path, &stored);
        facts.switches = missing < 0 || !same_file(&stored, &plan->backing_facts);
    }
    verdict_of(&plan->preview.after_verdict, &facts);
    return 0;
}

void plan_show_new_image(struct cow_plan *plan)
{
    struct cow_preview *p = &plan->preview;
    p->has_after = true;
    p->after_format = plan->header.format;
    p->after_size_bytes = plan->header.size_bytes;
    p->after_alignment = plan->header.alignment;
    p->after = plan->layout;
    p->after_backing_path = plan->header.backing_path;
    if (plan->header.alignment != 0) { /* undo can lead back to an older format */
        p->can_grow_to_bytes = cow_layout_capacity(plan->header.alignment, plan->layout.data_offset);
    }
}

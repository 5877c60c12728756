/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The family of a backing file, with what is to be told of each member. siblings.c finds them; each is opened
 * here as everybody opens it.
 */
#include "cow/family.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/family/family.h"

/* What is being made. */
struct finding {
    struct cow_family *family;
    const struct cow_io *io;
    struct host_file backing;
    struct siblings found;
};

static int no_memory(struct cow_error *err)
{
    return cow_error_set(err, COW_NO_MEMORY, "out of memory");
}

static int add_trouble(struct cow_family *family, const struct cow_error *trouble, struct cow_error *err)
{
    struct cow_error *grown = realloc(family->trouble, (family->troubles + 1) * sizeof *grown);
    if (grown == NULL) {
        return no_memory(err);
    }
    family->trouble = grown;
    family->trouble[family->troubles++] = *trouble;
    return 0;
}

int family_open(struct cow_image **out, const struct cow_io *io, const char *path, const char *backing_path,
                const struct stat *backing, struct cow_error *err)
{
    struct cow_open_options options = {.io = io};
    struct cow_image *img;
    int status = cow_image_open(&img, path, &options, err);
    if (status == 0 &&
        (img->backing.facts.state != COW_BACKING_FOUND || !same_file(&img->backing.file.facts, backing))) {
        cow_image_close(img);
        options.backing_path = backing_path;
        status = cow_image_open(&img, path, &options, err);
    }
    if (status == 0) {
        *out = img;
    }
    return status;
}

/* Why a file that was named adds no member. 0: it does, under this or another name. */
static int why_not(const struct finding *finding, const char *place, struct cow_error *err)
{
    struct cow_image *img;
    struct stat facts;
    int status = finding->io->stat(finding->io->context, place, &facts);
    if (status < 0 || S_ISDIR(facts.st_mode)) {
        return 0;
    }
    for (size_t i = 0; i < finding->found.n; i++) {
        if (finding->found.sibling[i].device == facts.st_dev &&
            finding->found.sibling[i].inode == facts.st_ino) {
            return 0;
        }
    }
    const struct cow_open_options options = {.io = finding->io};
    status = cow_image_open(&img, place, &options, err);
    if (status == 0) {
        cow_error_set(err, COW_USAGE, "%s: not an image on %s: it names another backing file", place,
                      finding->family->backing_path);
        status = COW_USAGE;
        cow_image_close(img);
    }
    return status;
}

static int look_in(struct finding *finding, const char *place, struct cow_error *err)
{
    struct cow_error trouble = {.status = 0};
    int status = siblings_add(&finding->found, finding->io, &finding->backing.facts, place, &trouble);
    if (status == 0) {
        status = why_not(finding, place, &trouble);
    }
    if (status == COW_NO_MEMORY) {
        return no_memory(err);
    }
    return status == 0 ? 0 : add_trouble(finding->family, &trouble, err);
}

static int look_beside_backing(struct finding *finding, struct cow_error *err)
{
    char path[PATH_MAX];
    int status = finding->io->resolve(finding->io->context, finding->family->backing_path, path, sizeof path);
    if (status < 0) {
        return cow_error_system(err, -status, "%s", finding->family->backing_path);
    }
    char *slash = strrchr(path, '/');
    slash[slash == path ? 1 : 0] = '\0';
    return look_in(finding, path, err);
}

static struct sibling *same_among(const struct siblings *found, size_t n, const struct sibling *sibling)
{
    for (size_t i = 0; i < n; i++) {
        if (found->sibling[i].device == sibling->device && found->sibling[i].inode == sibling->inode) {
            return &found->sibling[i];
        }
    }
    return NULL;
}

void family_drop_other_names(struct siblings *found)
{
    size_t kept = 0;
    for (size_t i = 0; i < found->n; i++) {
        const struct sibling sibling = found->sibling[i];
        struct sibling *same = same_among(found, kept, &sibling);
        if (same == NULL) {
            found->sibling[kept++] = sibling;
        } else if (same->is_link && !sibling.is_link) {
            free(same->path);
            *same = sibling;
        } else {
            free(sibling.path);
        }
    }
    found->n = kept;
}

static int count_dirty(struct cow_family_member *member, struct cow_image *img, struct cow_error *err)
{
    struct cow_usage usage;
    int status = cow_image_usage(img, &usage, err);
    if (status == 0) {
        member->size_known = true;
        member->size_bytes = cow_image_header(img)->size_bytes;
        member->dirty_bytes = usage.dirty_bytes;
    }
    return status;
}

/* The facts of a member. What cannot be read of it is its problem, not the family's. */
static int look_at_member(const struct finding *finding, struct sibling *sibling,
                          struct cow_family_member *out, struct cow_error *err)
{
    struct cow_error problem = {.status = 0};
    struct cow_image *img = NULL;
    const char *pending = "";
    *out = (struct cow_family_member){.path = sibling->path, .holder = sibling->holder};
    sibling->path = NULL;
    int status = family_open(&img, finding->io, out->path, finding->family->backing_path,
                             &finding->backing.facts, &problem);
    if (status == 0 && !cow_image_header(img)->unfinished) {
        status = count_dirty(out, img, &problem);
    }
    if (status == 0) {
        cow_image_verdict(img, &out->verdict);
    }
    if (img != NULL) {
        pending = cow_image_pending(img);
    }
    out->pending = strdup(pending);
    out->problem = strdup(status == 0 ? "" : cow_error_words(&problem, out->path));
    cow_image_close(img);
    return status == COW_NO_MEMORY || out->pending == NULL || out->problem == NULL ? no_memory(err) : 0;
}

static int look_at_members(struct finding *finding, struct cow_error *err)
{
    struct cow_family *family = finding->family;
    int status = 0;
    family_drop_other_names(&finding->found);
    family->member = calloc(finding->found.n + 1, sizeof *family->member);
    if (family->member == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < finding->found.n && status == 0; i++) {
        status = look_at_member(finding, &finding->found.sibling[i], &family->member[family->members++], err);
    }
    return status;
}

static int find_family(struct finding *finding, const struct cow_family_options *opt, struct cow_error *err)
{
    struct cow_family *family = finding->family;
    int status = host_file_open_disk(finding->io, &finding->backing, family->backing_path, O_RDONLY, err);
    if (status != 0) {
        return status;
    }
    family->size_bytes = (uint64_t)finding->backing.facts.st_size;
    family->mtime = finding->backing.facts.st_mtim.tv_sec;
    status = look_beside_backing(finding, err);
    for (size_t i = 0; i < opt->n_places && status == 0; i++) {
        status = look_in(finding, opt->place[i], err);
    }
    if (status == 0) {
        status = look_at_members(finding, err);
    }
    host_file_close(finding->io, &finding->backing);
    return status;
}

int cow_family_find(struct cow_family **out, const char *backing_path, const struct cow_family_options *opt,
                    struct cow_error *err)
{
    static const struct cow_family_options usual = {.place = NULL};
    struct finding finding = {.family = calloc(1, sizeof *finding.family), .io = &io_system};
    opt = opt != NULL ? opt : &usual;
    if (opt->io != NULL) {
        finding.io = opt->io;
    }
    if (finding.family != NULL) {
        finding.family->backing_path = strdup(backing_path);
    }
    int status = finding.family == NULL || finding.family->backing_path == NULL
                     ? no_memory(err)
                     : find_family(&finding, opt, err);
    siblings_clear(&finding.found);
    if (status != 0) {
        cow_family_free(finding.family);
        return status;
    }
    *out = finding.family;
    return 0;
}

void cow_family_free(struct cow_family *family)
{
    if (family == NULL) {
        return;
    }
    for (size_t i = 0; i < family->members; i++) {
        free((char *)family->member[i].path);
        free((char *)family->member[i].pending);
        free((char *)family->member[i].problem);
    }
    free(family->member);
    free(family->trouble);
    free((char *)family->backing_path);
    free(family);
}

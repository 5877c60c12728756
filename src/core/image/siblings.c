/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See siblings.h. Whether a file is one is asked of its header, whatever its name is.
 */
#include "core/image/siblings.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/beside/side.h"
#include "core/format/kernel.h"

struct search {
    struct siblings *found;
    const struct cow_io *io;
    const struct cow_image *img; /* whose siblings they are; NULL: nobody's */
    const struct stat *backing;  /* the file that is asked about */
    char directory[PATH_MAX];    /* with its slash */
    bool family_pending;         /* a change of all images on that file was interrupted */
    bool invalid_too;            /* those that only a kernel can read */
    bool alone;                  /* one file is asked about, and not what else is in its directory */
    bool no_memory;
};

/* What is gone, or not ours to read, or no path, is passed over; a disk that fails is remembered. */
static void remember_failure(const struct search *search, int status)
{
    if (status < 0 && status != -ENOENT && status != -EACCES && status != -EPERM && status != -ELOOP &&
        status != -ENOTDIR && status != -ENAMETOOLONG && search->found->failure == 0) {
        search->found->failure = status;
    }
}

static bool is_siblings_backing(const struct search *search, const char *path)
{
    struct stat facts;
    const int status = search->io->stat(search->io->context, path, &facts);
    remember_failure(search, status);
    return status == 0 && same_file(&facts, search->backing);
}

/* Does this header name the backing file? A relative path may be meant from the working directory, as kernels
 * do, or from the file's own: where it is listed, and, for a link, where it leads. */
static bool names_backing(const struct search *search, const char *path, const char *real_path)
{
    char beside[2 * PATH_MAX];
    const char *slash = strrchr(real_path, '/');
    if (path[0] == '\0' || is_siblings_backing(search, path) || path[0] == '/') {
        return path[0] != '\0' && is_siblings_backing(search, path);
    }
    snprintf(beside, sizeof beside, "%s%s", search->directory, path);
    if (is_siblings_backing(search, beside)) {
        return true;
    }
    snprintf(beside, sizeof beside, "%.*s%s", slash == NULL ? 0 : (int)(slash - real_path) + 1, real_path,
             path);
    return is_siblings_backing(search, beside);
}

static struct cow_holder holder_of(const struct cow_io *io, int fd)
{
    int64_t pid = 0;
    const bool locked = io->lock_holder(io->context, fd, IO_LOCK_WRITE, &pid) > 0;
    return (struct cow_holder){.held = locked || io->has_writer(io->context, fd) == 1, .pid = pid};
}

/* A link in a directory that is searched to a file in the same one: that is found by itself. */
static bool is_found_anyway(const struct search *search, const char *path, const char *real_path)
{
    const size_t length = strlen(search->directory);
    return !search->alone && strcmp(path, real_path) != 0 &&
           strncmp(real_path, search->directory, length) == 0 && strchr(real_path + length, '/') == NULL;
}

/* The image whose siblings they are is none of them. A raw disk whose bytes are a COW's (diff takes any file)
 * is: it is not read as one, but the file below it must not go for that. */
static bool is_the_image_itself(const struct search *search, const struct stat *facts)
{
    const struct cow_image *img = search->img;
    return img != NULL && img->header.format != COW_FORMAT_RAW && same_file(facts, &img->cow.facts);
}

/* Whether it is an image on the backing file. One that is broken is believed as far as a kernel would read
 * it. */
static bool is_on_backing(const struct search *search, const uint8_t *bytes, size_t n_bytes,
                          const struct stat *facts, const char *real_path, struct sibling *out)
{
    struct kernel_header kernels;
    struct cow_header header;
    if (cow_header_decode(&header, bytes, n_bytes, (uint64_t)facts->st_size, UINT64_MAX, NULL) == 0) {
        out->mtime = header.mtime;
        out->pending = header.unfinished; /* the mark is of a change, too */
        return names_backing(search, header.backing_path, real_path);
    }
    if (!search->invalid_too) {
        return false;
    }
    kernel_header_read(&kernels, bytes, n_bytes);
    out->mtime = (uint32_t)kernels.mtime;
    out->invalid = true;
    return kernels.refusal == NULL && names_backing(search, kernels.backing_path, real_path);
}

/* An open file whose header has been read and names the backing file. */
static void look_closer(const struct search *search, const struct host_file *file, const char *real_path,
                        const char *path, struct sibling *out)
{
    const enum side_journal journal = side_find_journal(search->io, real_path, &file->facts, path, NULL);
    out->holder = holder_of(search->io, file->fd);
    out->pending = out->pending || journal != SIDE_NO_JOURNAL || search->family_pending;
    out->pending_is_strange = journal == SIDE_JOURNAL_STRANGE;
    out->device = file->facts.st_dev;
    out->inode = file->facts.st_ino;
    out->is_link = strcmp(path, real_path) != 0;
}

static bool is_sibling(struct search *search, const char *path, struct sibling *out)
{
    const struct cow_io *io = search->io;
    uint8_t bytes[COW_HEADER_BYTES_MAX];
    char real_path[PATH_MAX];
    struct host_file file;
    struct stat facts;
    struct cow_error err = {.status = 0};
    int status = io->stat(io->context, path, &facts);
    remember_failure(search, status);
    if (status < 0 || !S_ISREG(facts.st_mode) || facts.st_size < 280 || is_the_image_itself(search, &facts) ||
        same_file(&facts, search->backing)) {
        return false;
    }
    status = io->resolve(io->context, path, real_path, sizeof real_path);
    remember_failure(search, status);
    if (status < 0 || is_found_anyway(search, path, real_path) ||
        host_file_open(io, &file, path, O_RDONLY, &err) != 0) {
        remember_failure(search, -err.sys_errno);
        return false;
    }
    ssize_t n = io_read(io, file.fd, bytes, sizeof bytes, 0);
    remember_failure(search, n < 0 ? (int)n : 0);
    const bool is = n > 0 && is_on_backing(search, bytes, (size_t)n, &facts, real_path, out);
    if (is) {
        look_closer(search, &file, real_path, path, out);
    }
    host_file_close(io, &file);
    return is;
}

static bool is_known_sibling(const struct siblings *found, const char *path)
{
    for (size_t i = 0; i < found->n; i++) {
        if (strcmp(found->sibling[i].path, path) == 0) {
            return true;
        }
    }
    return false;
}

static int look_at_sibling(void *context, const char *name)
{
    struct search *search = context;
    struct siblings *found = search->found;
    struct sibling sibling = {.path = NULL};
    char path[PATH_MAX];
    if ((side_is_name(name) && !search->alone) ||
        snprintf(path, sizeof path, "%s%s", search->directory, name) >= (int)sizeof path ||
        is_known_sibling(found, path) || !is_sibling(search, path, &sibling)) {
        return 0;
    }
    struct sibling *grown = realloc(found->sibling, (found->n + 1) * sizeof *grown);
    char *copy = grown != NULL ? strdup(path) : NULL;
    if (grown != NULL) {
        found->sibling = grown;
    }
    if (copy == NULL) {
        search->no_memory = true;
        return 1;
    }
    sibling.path = copy;
    found->sibling[found->n++] = sibling;
    return 0;
}

/* directory: absolute, links resolved, with its slash. 0 or -errno. */
static int search_directory(struct search *search, const char *directory)
{
    if (strcmp(search->directory, directory) == 0) { /* both may lie in one */
        return 0;
    }
    snprintf(search->directory, sizeof search->directory, "%s", directory);
    return search->io->list(search->io->context, directory, look_at_sibling, search);
}

/* The directory of a file, links resolved, with its slash. 0 or -errno. */
static int directory_of(const struct cow_io *io, const char *file_path, char out[PATH_MAX])
{
    const int status = io->resolve(io->context, file_path, out, PATH_MAX);
    char *slash = status == 0 ? strrchr(out, '/') : NULL;
    if (status == 0 && slash != NULL) {
        slash[1] = '\0';
    }
    return status == 0 && slash == NULL ? -ENOENT : status;
}

static void search_beside(struct search *search, const char *file_path)
{
    char directory[PATH_MAX];
    int status = directory_of(search->io, file_path, directory);
    if (status == 0) {
        status = search_directory(search, directory);
    }
    remember_failure(search, status);
    search->found->incomplete = search->found->incomplete || status < 0;
}

static int siblings_by_path(const void *a, const void *b)
{
    return strcmp(((const struct sibling *)a)->path, ((const struct sibling *)b)->path);
}

static int add_directory(struct search *search, const char *path)
{
    char directory[PATH_MAX];
    int status = search->io->resolve(search->io->context, path, directory, sizeof directory);
    const size_t length = status == 0 ? strlen(directory) : 0;
    if (status == 0 && length + 2 > sizeof directory) {
        status = -ENAMETOOLONG;
    }
    if (status < 0) {
        return status;
    }
    if (directory[length - 1] != '/') {
        memcpy(directory + length, "/", 2);
    }
    return search_directory(search, directory);
}

/* A link is itself: where it stands, not where it leads, a relative path may be meant from. */
static int add_file(struct search *search, const char *path)
{
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/'), *name = slash == NULL ? path : slash + 1;
    snprintf(directory, sizeof directory, "%.*s", slash == NULL ? 1 : (int)(slash - path) + 1,
             slash == NULL ? "." : path);
    const int status = search->io->resolve(search->io->context, directory, search->directory, PATH_MAX - 1);
    if (status == 0) {
        const size_t length = strlen(search->directory);
        memcpy(search->directory + length, "/", search->directory[length - 1] == '/' ? 1 : 2);
        search->alone = true;
        look_at_sibling(search, name);
    }
    return status;
}

static void sort_siblings(struct siblings *found)
{
    if (found->n > 1) {
        qsort(found->sibling, found->n, sizeof *found->sibling, siblings_by_path);
    }
}

int siblings_add(struct siblings *found, const struct cow_io *io, const struct stat *facts, const char *place,
                 struct cow_error *err)
{
    struct search search = {.found = found, .io = io, .backing = facts, .invalid_too = true};
    struct stat place_facts;
    int status = io->stat(io->context, place, &place_facts);
    if (status == 0) {
        status = S_ISDIR(place_facts.st_mode) ? add_directory(&search, place) : add_file(&search, place);
    }
    if (search.no_memory) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    sort_siblings(found);
    return status < 0 ? cow_error_system(err, -status, "%s", place) : 0;
}

int siblings_find_on(struct siblings *out, const struct cow_io *io, const struct cow_image *img,
                     const char *path, const struct stat *facts, struct cow_error *err)
{
    struct siblings found = {.n = 0};
    struct search search = {.found = &found, .io = io, .img = img, .backing = facts};
    search.family_pending = side_has_family_journal(io, path);
    if (img != NULL) {
        search_beside(&search, img->real_path);
    }
    search_beside(&search, path);
    if (search.no_memory) {
        siblings_clear(&found);
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    sort_siblings(&found);
    *out = found;
    return 0;
}

int siblings_find(struct siblings *out, const struct cow_image *img, struct cow_error *err)
{
    if (img->backing.facts.state != COW_BACKING_FOUND) {
        *out = (struct siblings){.n = 0};
        return 0;
    }
    return siblings_find_on(out, img->io, img, img->backing.facts.path, &img->backing.file.facts, err);
}

const struct sibling *siblings_pending(const struct siblings *siblings)
{
    for (size_t i = 0; i < siblings->n; i++) {
        if (siblings->sibling[i].pending) {
            return &siblings->sibling[i];
        }
    }
    return NULL;
}

void siblings_clear(struct siblings *siblings)
{
    for (size_t i = 0; i < siblings->n; i++) {
        free(siblings->sibling[i].path);
    }
    free(siblings->sibling);
    *siblings = (struct siblings){.n = 0};
}

const struct sibling *siblings_held(const struct siblings *siblings)
{
    for (size_t i = 0; i < siblings->n; i++) {
        if (siblings->sibling[i].holder.held) {
            return &siblings->sibling[i];
        }
    }
    return NULL;
}

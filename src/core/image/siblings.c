/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See siblings.h. Whether a file is one is asked of its header, whatever its name is.
 */
#include "core/image/siblings.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct search {
    struct siblings *found;
    const struct cow_image *img;
    char directory[PATH_MAX]; /* with its slash */
    bool no_memory;
};

/* Does this header name the backing file? A relative path is meant from the file's own directory. */
static bool names_backing(const struct search *search, const struct cow_header *header)
{
    char path[2 * PATH_MAX];
    struct stat facts;
    const struct cow_image *img = search->img;
    if (header->backing_path[0] == '\0') {
        return false;
    }
    snprintf(path, sizeof path, "%s%s", header->backing_path[0] == '/' ? "" : search->directory,
             header->backing_path);
    return img->io->stat(img->io->context, path, &facts) == 0 && same_file(&facts, &img->backing.file.facts);
}

static bool is_sibling(const struct search *search, const char *path, struct cow_holder *holder)
{
    const struct cow_image *img = search->img;
    const struct cow_io *io = img->io;
    uint8_t bytes[COW_HEADER_BYTES_MAX];
    struct cow_header header;
    struct host_file file;
    struct stat facts;
    bool is = false;
    if (io->lstat(io->context, path, &facts) < 0 || !S_ISREG(facts.st_mode) || facts.st_size < 280 ||
        same_file(&facts, &img->cow.facts) || same_file(&facts, &img->backing.file.facts) ||
        host_file_open(io, &file, path, O_RDONLY, NULL) != 0) {
        return false;
    }
    ssize_t n = io_read(io, file.fd, bytes, sizeof bytes, 0);
    if (n > 0 &&
        cow_header_decode(&header, bytes, (size_t)n, (uint64_t)facts.st_size, UINT64_MAX, NULL) == 0 &&
        !header.unfinished && names_backing(search, &header)) {
        int64_t pid = 0;
        is = true;
        holder->held = io->lock_holder(io->context, file.fd, IO_LOCK_WRITE, &pid) > 0;
        holder->pid = pid;
    }
    host_file_close(io, &file);
    return is;
}

static bool is_known(const struct siblings *found, const char *path)
{
    for (size_t i = 0; i < found->n; i++) {
        if (strcmp(found->sibling[i].path, path) == 0) {
            return true;
        }
    }
    return false;
}

static int look_at(void *context, const char *name)
{
    struct search *search = context;
    struct siblings *found = search->found;
    struct cow_holder holder = {.held = false};
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s%s", search->directory, name) >= (int)sizeof path ||
        is_known(found, path) || !is_sibling(search, path, &holder)) {
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
    found->sibling[found->n++] = (struct sibling){copy, holder};
    return 0;
}

static void search_beside(struct search *search, const char *file_path)
{
    const struct cow_io *io = search->img->io;
    char path[PATH_MAX];
    if (io->resolve(io->context, file_path, path, sizeof path) < 0) {
        return;
    }
    char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return;
    }
    slash[1] = '\0';
    if (strcmp(search->directory, path) != 0) { /* both may lie in one */
        snprintf(search->directory, sizeof search->directory, "%s", path);
        (void)io->list(io->context, path, look_at, search);
    }
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct sibling *)a)->path, ((const struct sibling *)b)->path);
}

int siblings_find(struct siblings *out, struct cow_image *img, struct cow_error *err)
{
    struct siblings found = {.n = 0};
    struct search search = {.found = &found, .img = img};
    if (img->backing.facts.state == COW_BACKING_FOUND) {
        search_beside(&search, img->real_path);
        search_beside(&search, img->backing.facts.path);
    }
    if (search.no_memory) {
        siblings_clear(&found);
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    if (found.n > 1) {
        qsort(found.sibling, found.n, sizeof *found.sibling, by_path);
    }
    *out = found;
    return 0;
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

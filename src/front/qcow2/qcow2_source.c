/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * QEMU opens the image, and all that it lies on, and serves the disk; it holds the image as its own reader
 * does, so nobody can open it for writing meanwhile. Where the qcow2 lies on the very file on which the new
 * image will, and on nothing else, what it does not hold is known to be equal without reading it.
 */
#include "front/qcow2/qcow2_source.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cow/text.h"
#include "front/qcow2/qcow2_chain.h"
#include "front/qcow2/qcow2_server.h"

enum { SECTOR_BYTES = 512, KNOWN_MAX = 8 };

/* A stretch that was found: long ones are asked about again and again, and are told in many parts. */
struct known {
    uint64_t begin, end;
    enum cow_foreign_kind kind;
};

struct qcow2_source {
    struct cow_foreign_source disk;
    struct qcow2_chain chain;
    struct qcow2_server server;
    char real_path[PATH_MAX];
    char *backing_path;
    uint64_t backing_bytes;
    bool lies_on_backing; /* and on nothing else */
    struct known known[KNOWN_MAX];
    size_t known_next;
    char outside[COW_HINT_BYTES];
};

static int read_disk(void *context, void *buffer, size_t n_bytes, uint64_t offset)
{
    struct qcow2_source *source = context;

    return nbd_client_read(source->server.client, buffer, n_bytes, offset);
}

static enum cow_foreign_kind kind_of(const struct qcow2_source *source, const struct nbd_stretch *stretch)
{
    return stretch->depth > 1 && source->lies_on_backing ? COW_FOREIGN_BACKING
           : stretch->is_zero                            ? COW_FOREIGN_ZEROS
                                                         : COW_FOREIGN_DATA;
}

/* As far as it goes: a server tells no more than a part of a long one at once. */
static int find_stretch(struct qcow2_source *source, uint64_t offset, struct known *out)
{
    const uint64_t limit = source->disk.size_bytes;
    struct nbd_stretch stretch;
    int status = nbd_client_stretch(source->server.client, offset, limit, &stretch);

    *out = (struct known){offset, stretch.end_bytes, kind_of(source, &stretch)};
    while (status == 0 && out->end < limit) {
        status = nbd_client_stretch(source->server.client, out->end, limit, &stretch);
        if (status != 0 || kind_of(source, &stretch) != out->kind) {
            break;
        }
        out->end = stretch.end_bytes;
    }
    return status;
}

static int tell_extent(void *context, uint64_t offset, uint64_t limit, enum cow_foreign_kind *kind,
                       uint64_t *end_bytes)
{
    struct qcow2_source *source = context;
    const struct known *known = source->known;
    size_t i = 0;

    while (i < KNOWN_MAX && (offset < known[i].begin || offset >= known[i].end)) {
        i++;
    }
    if (i == KNOWN_MAX) {
        i = source->known_next++ % KNOWN_MAX;
        int status = find_stretch(source, offset, &source->known[i]);
        if (status != 0) {
            source->known[i].end = 0;
            return status;
        }
    }
    *kind = known[i].kind;
    *end_bytes = known[i].end < limit ? known[i].end : limit;
    return 0;
}

static bool has_file(void *context, uint64_t device, uint64_t inode)
{
    const struct qcow2_source *source = context;

    for (size_t i = 0; i < source->chain.n; i++) {
        const struct qcow2_file *file = &source->chain.file[i];
        if (file->device == device && file->inode == inode) {
            return true;
        }
    }
    return false;
}

/* ---- opening ---- */

/* What the qcow2 lies on, where the caller names nothing. */
static int choose_backing(struct qcow2_source *source, const char *path, const char *backing_path,
                          struct cow_error *err)
{
    const struct qcow2_file *raw = qcow2_raw_backing(&source->chain);
    struct stat facts;

    if (backing_path == NULL && (raw == NULL || (raw->size_bytes + SECTOR_BYTES - 1) / SECTOR_BYTES !=
                                                    source->chain.size_bytes / SECTOR_BYTES)) {
        cow_error_set(err, COW_USAGE,
                      "%s: does not lie on one raw file of its size, so BACKING is to be named", path);
        return cow_error_hint(err, "usage: cowtui create --from FILE.qcow2 IMAGE BACKING");
    }
    source->backing_path = strdup(backing_path != NULL ? backing_path : raw->path);
    if (source->backing_path == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    source->lies_on_backing = raw != NULL && stat(source->backing_path, &facts) == 0 &&
                              raw->device == facts.st_dev && raw->inode == facts.st_ino;
    source->backing_bytes = source->lies_on_backing ? raw->size_bytes
                            : stat(source->backing_path, &facts) == 0 && facts.st_size > 0
                                ? (uint64_t)facts.st_size
                                : 0;
    return 0;
}

/* Whoever made the image chose what is read there. */
static void tell_of_outside(struct qcow2_source *source, bool backing_was_named)
{
    char shown[COW_MESSAGE_BYTES];
    size_t others = 0, first = 0;

    for (size_t i = source->chain.n; i-- > 1;) {
        if (!source->lies_on_backing || i != 1) {
            others++;
            first = i;
        }
    }
    if (others > 0) {
        snprintf(source->outside, sizeof source->outside,
                 "what is copied comes from %s, too%s, as the qcow2 image wants it",
                 cow_escape(shown, sizeof shown, source->chain.file[first].path),
                 others > 1 ? ", and from what that lies on" : "");
    } else if (!backing_was_named) {
        snprintf(source->outside, sizeof source->outside,
                 "the backing file is %s, as the qcow2 image wants it",
                 cow_escape(shown, sizeof shown, source->backing_path));
    }
}

/* A disk of QEMU's ends with a whole sector. Of a backing file that does not, the rest has to be zeros. */
static int fit_odd_end(struct qcow2_source *source, struct cow_error *err)
{
    uint8_t last[SECTOR_BYTES];
    const uint64_t size = source->backing_bytes, whole = source->disk.size_bytes;
    const size_t tail = (size_t)(whole - size);

    if (size >= whole || tail >= SECTOR_BYTES) {
        return 0;
    }
    if (nbd_client_read(source->server.client, last, tail, size) != 0) {
        return cow_error_set(err, COW_IO, "reading the end of the disk failed");
    }
    for (size_t i = 0; i < tail; i++) {
        if (last[i] != 0) {
            return 0;
        }
    }
    source->disk.size_bytes = size;
    return 0;
}

static int begin(struct qcow2_source *source, const char *path, const char *backing_path,
                 const struct cow_env *env, struct cow_error *err)
{
    const char *const arguments[] = {"--read-only", "--allocation-depth", "--format=qcow2", source->real_path,
                                     NULL};
    int status = qcow2_read_chain(&source->chain, source->real_path, env, err);

    if (status == 0) {
        status = choose_backing(source, path, backing_path, err);
    }
    if (status == 0) {
        status = qcow2_start_server(&source->server, arguments, path, -1, env, err);
    }
    if (status != 0) {
        return status;
    }
    source->disk = (struct cow_foreign_source){.size_bytes = nbd_client_size(source->server.client),
                                               .title = "qcow2 image",
                                               .outside = source->outside,
                                               .mode = 0777,
                                               .read = read_disk,
                                               .extent = tell_extent,
                                               .has_file = has_file,
                                               .context = source};
    for (size_t i = 0; i < source->chain.n; i++) {
        source->disk.mode &= source->chain.file[i].mode;
    }
    tell_of_outside(source, backing_path != NULL);
    return fit_odd_end(source, err);
}

int qcow2_open_source(struct qcow2_source **out, const char *path, const char *backing_path,
                      const struct cow_env *env, struct cow_error *err)
{
    struct qcow2_source *source;
    int status = qcow2_need(err);

    if (status != 0) {
        return status;
    }
    source = calloc(1, sizeof *source);
    if (source == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    if (realpath(path, source->real_path) == NULL) { /* QEMU takes "a:b" for something else than a file */
        status = cow_error_system(err, errno, "%s", path);
    }
    if (status == 0) {
        status = begin(source, path, backing_path, env, err);
    }
    if (status != 0) {
        qcow2_close_source(source);
    } else {
        *out = source;
    }
    return status;
}

void qcow2_close_source(struct qcow2_source *source)
{
    if (source == NULL) {
        return;
    }
    qcow2_end_server(&source->server);
    qcow2_clear_chain(&source->chain);
    free(source->backing_path);
    free(source);
}

const struct cow_foreign_source *qcow2_source_disk(const struct qcow2_source *source)
{
    return &source->disk;
}

const char *qcow2_source_backing(const struct qcow2_source *source)
{
    return source->backing_path;
}

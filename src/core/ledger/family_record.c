/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See family_record.h. The file: 16 bytes that say what it is, with the version; numbers, big endian; paths,
 * each behind its length; a CRC of all that. It is small, and always written anew as a whole
 * (settle_family.c).
 */
#include "core/ledger/family_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/crc.h"
#include "core/beside/side.h"
#include "core/image/host_file.h"
#include "cow/text.h"

static const uint8_t family_opening[16] = {'c', 'o', 'w', 't', 'u', 'i', ' ', 'f',
                                           'a', 'm', 'i', 'l', 'y', 0,   0,   1 /* the version */};

enum {
    VERSION_AT = sizeof family_opening - 1,
    SUM_BYTES = 4,
    FAMILY_BYTES_MAX = 2 * 1024 * 1024,
    NANOSECONDS = 1000000000,
};

int family_record_add(struct family_record *record, const char *path, struct cow_error *err)
{
    char **grown = NULL;
    if (record->members == FAMILY_MEMBERS_MAX) {
        return cow_error_set(err, COW_REFUSED, "more than %d images are not changed as one",
                             (int)FAMILY_MEMBERS_MAX);
    }
    char *copy = strdup(path);
    if (copy != NULL) {
        grown = realloc(record->member, (record->members + 1) * sizeof *grown);
    }
    if (grown == NULL) {
        free(copy);
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    record->member = grown;
    record->member[record->members++] = copy;
    return 0;
}

void family_record_clear(struct family_record *record)
{
    for (size_t i = 0; i < record->members; i++) {
        free(record->member[i]);
    }
    free(record->member);
    record->member = NULL;
    record->members = 0;
}

/* The length of "/a/b/" in a path. */
static size_t length_of_directory(const char *file_path)
{
    const char *slash = strrchr(file_path, '/');
    return slash == NULL ? 0 : (size_t)(slash - file_path) + 1;
}

/* The name alone of what lies beside the backing file. */
static const char *name_beside(const char *path, const char *backing_path)
{
    const size_t length = length_of_directory(backing_path);
    return length_of_directory(path) == length && memcmp(path, backing_path, length) == 0 ? path + length
                                                                                          : path;
}

/* Where the next field goes; bytes NULL: only measuring. */
struct writer {
    uint8_t *bytes;
    size_t at;
};

static void put_number(struct writer *w, unsigned width_bytes, uint64_t value)
{
    if (w->bytes != NULL) {
        bytes_put(w->bytes + w->at, width_bytes, true, value);
    }
    w->at += width_bytes;
}

static void put_raw(struct writer *w, const void *value, size_t n_bytes)
{
    if (w->bytes != NULL) {
        memcpy(w->bytes + w->at, value, n_bytes);
    }
    w->at += n_bytes;
}

static void put_path(struct writer *w, const char *path)
{
    put_number(w, 4, strlen(path));
    put_raw(w, path, strlen(path));
}

static void put_all(struct writer *w, const struct family_record *r)
{
    put_raw(w, family_opening, sizeof family_opening);
    put_raw(w, r->id, sizeof r->id);
    put_number(w, 4, r->committed);
    put_number(w, 4, r->goes_back);
    put_number(w, 8, r->backing_inode);
    put_number(w, 8, r->old_bytes);
    put_number(w, 8, r->new_bytes);
    put_number(w, 8, (uint64_t)r->mtime.tv_sec);
    put_number(w, 4, (uint64_t)r->mtime.tv_nsec);
    put_raw(w, r->filesystem, sizeof r->filesystem);
    put_path(w, r->path);
    put_number(w, 4, r->members);
    for (size_t i = 0; i < r->members; i++) {
        put_path(w, name_beside(r->member[i], r->path));
    }
}

int family_record_encode(uint8_t **out, size_t *n_bytes, const struct family_record *record,
                         struct cow_error *err)
{
    struct writer w = {.bytes = NULL};
    put_all(&w, record);
    w = (struct writer){.bytes = malloc(w.at + SUM_BYTES)};
    if (w.bytes == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    put_all(&w, record);
    bytes_put(w.bytes + w.at, SUM_BYTES, true, crc_ieee(w.bytes, w.at));
    *out = w.bytes;
    *n_bytes = w.at + SUM_BYTES;
    return 0;
}

struct reader {
    const uint8_t *bytes;
    size_t at, end;
    bool failed;
};

static const uint8_t *get_raw(struct reader *r, size_t n_bytes)
{
    static const uint8_t nothing[PATH_MAX];
    if (r->failed || n_bytes > sizeof nothing || r->end - r->at < n_bytes) {
        r->failed = true;
        return nothing;
    }
    r->at += n_bytes;
    return r->bytes + r->at - n_bytes;
}

static uint64_t get_number(struct reader *r, unsigned width_bytes)
{
    return bytes_get(get_raw(r, width_bytes), width_bytes, true);
}

/* Absolute ones, and names. */
static bool family_path_is_sane(const char *path)
{
    const bool absolute = path[0] == '/';
    return path[0] != '\0' && path[strlen(path) - 1] != '/' && strstr(path, "//") == NULL &&
           strstr(path, "/../") == NULL && strstr(path, "/./") == NULL &&
           (absolute || (strchr(path, '/') == NULL && strcmp(path, ".") != 0 && strcmp(path, "..") != 0));
}

/* beside: whose directory a name is in; "": the path must be absolute. */
static void get_path(struct reader *r, char out[PATH_MAX], const char *beside)
{
    char path[PATH_MAX];
    const uint64_t length = get_number(r, 4);
    const size_t n = length < sizeof path ? (size_t)length : 0, directory = length_of_directory(beside);
    memcpy(path, get_raw(r, n), n);
    path[n] = '\0';
    const size_t lead = path[0] == '/' ? 0 : directory;
    if (r->failed || n == 0 || strlen(path) != n || !family_path_is_sane(path) || lead + n >= PATH_MAX ||
        (path[0] != '/' && directory == 0)) {
        r->failed = true;
        return;
    }
    memcpy(out, beside, lead);
    memcpy(out + lead, path, n + 1);
}

static int get_members(struct reader *r, struct family_record *out, const char *backing_path,
                       struct cow_error *err)
{
    char path[PATH_MAX];
    const uint64_t members = get_number(r, 4);
    int status = 0;
    r->failed |= members == 0 || members > FAMILY_MEMBERS_MAX;
    for (uint64_t i = 0; i < members && !r->failed && status == 0; i++) {
        get_path(r, path, backing_path);
        status = r->failed ? 0 : family_record_add(out, path, err);
    }
    return status;
}

static bool numbers_are_sane(const struct family_record *r)
{
    return r->committed <= 1 && r->goes_back <= 1 && r->old_bytes <= r->new_bytes &&
           r->new_bytes <= INT64_MAX && r->mtime.tv_nsec >= 0 && r->mtime.tv_nsec < NANOSECONDS;
}

static int family_is_strange(struct cow_error *err)
{
    return cow_error_set(err, COW_INVALID, "no complete record of a change of several images");
}

int family_record_decode(struct family_record *out, const uint8_t *bytes, size_t n_bytes,
                         const char *backing_path, struct cow_error *err)
{
    struct reader r = {.bytes = bytes, .at = sizeof family_opening, .end = n_bytes - SUM_BYTES};
    struct family_record f = {.members = 0};
    if (n_bytes < sizeof family_opening + SUM_BYTES || memcmp(bytes, family_opening, VERSION_AT) != 0 ||
        crc_ieee(bytes, r.end) != bytes_get(bytes + r.end, SUM_BYTES, true)) {
        return family_is_strange(err);
    }
    if (bytes[VERSION_AT] != family_opening[VERSION_AT]) {
        return cow_error_set(err, COW_INVALID, "made by a newer version of this program: do not remove it");
    }
    memcpy(f.id, get_raw(&r, sizeof f.id), sizeof f.id);
    f.committed = (uint32_t)get_number(&r, 4);
    f.goes_back = (uint32_t)get_number(&r, 4);
    f.backing_inode = get_number(&r, 8);
    f.old_bytes = get_number(&r, 8);
    f.new_bytes = get_number(&r, 8);
    f.mtime.tv_sec = (time_t)get_number(&r, 8);
    f.mtime.tv_nsec = (long)get_number(&r, 4);
    memcpy(f.filesystem, get_raw(&r, sizeof f.filesystem), sizeof f.filesystem);
    get_path(&r, f.path, "");
    int status = get_members(&r, &f, backing_path, err);
    if (status == 0 && (r.failed || r.at != r.end || !numbers_are_sane(&f))) {
        status = family_is_strange(err);
    }
    if (status != 0) {
        family_record_clear(&f);
        return status;
    }
    f.sum = (uint32_t)bytes_get(bytes + r.end, SUM_BYTES, true);
    *out = f;
    return 0;
}

static int read_whole(struct family_record *out, const struct cow_io *io, const struct host_file *file,
                      const char *backing_path, struct cow_error *err)
{
    const uint64_t n_bytes = (uint64_t)file->facts.st_size;
    if (n_bytes < SUM_BYTES || n_bytes > FAMILY_BYTES_MAX) {
        return family_is_strange(err);
    }
    uint8_t *bytes = malloc((size_t)n_bytes);
    if (bytes == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    int status = io_read_padded(io, file->fd, bytes, (size_t)n_bytes, 0);
    status = status < 0 ? cow_error_system(err, -status, "reading it")
                        : family_record_decode(out, bytes, (size_t)n_bytes, backing_path, err);
    free(bytes);
    return status;
}

/* A directory can be copied with all that is in it: then the record in the copy speaks of the original's
 * files, where there is one of the same id still. */
static int refuse_copied(const struct family_record *record, const struct cow_io *io,
                         const char *backing_path, const char *path, const char *what, struct cow_error *err)
{
    char other_path[PATH_MAX], quoted[COW_HINT_BYTES / 2];
    struct host_file other;
    struct stat here, there;
    struct family_record original;
    if (strcmp(record->path, backing_path) == 0 ||
        (io->stat(io->context, record->path, &there) == 0 &&
         io->stat(io->context, backing_path, &here) == 0 && same_file(&here, &there)) ||
        host_file_open(io, &other, side_path(other_path, record->path, what), O_RDONLY | O_NOFOLLOW, NULL) !=
            0) {
        return 0;
    }
    int status = read_whole(&original, io, &other, record->path, NULL);
    host_file_close(io, &other);
    if (status != 0) {
        return 0;
    }
    const bool same = memcmp(original.id, record->id, sizeof record->id) == 0;
    family_record_clear(&original);
    if (!same) {
        return 0;
    }
    cow_error_set(err, COW_REFUSED, "%s: is a copy: %s is about the images on %s", backing_path, path,
                  record->path);
    return cow_error_hint(err,
                          "do it there; or give the original another name first, if this one is to go on "
                          "without it: %s",
                          cow_shell_quote(quoted, sizeof quoted, record->path));
}

/* The opened record: whose it is, what it says, whether it is about us. */
static int judge_record(struct family_record *out, const struct cow_io *io, const struct host_file *file,
                        const char *backing_path, const char *path, const char *what, const char *image_path,
                        struct cow_error *err)
{
    struct cow_error local = {.status = 0};
    struct stat backing;
    int status = io->stat(io->context, backing_path, &backing);
    if (status < 0) {
        return cow_error_system(err, -status, "%s", backing_path);
    }
    status = side_check_owner(io, path, &file->facts, &backing, image_path, err);
    if (status != 0) {
        return status;
    }
    status = read_whole(out, io, file, backing_path, &local);
    if (status != 0) {
        cow_error_set(err, status, "%s: %s", path, local.message);
        return cow_error_hint(
            err, "it was not written by this program, or not completely; nothing is done with it");
    }
    out->owner = file->facts.st_uid;
    status = refuse_copied(out, io, backing_path, path, what, err);
    if (status != 0) {
        family_record_clear(out);
    }
    return status;
}

int family_record_read(struct family_record *out, bool *found, const struct cow_io *io,
                       const char *backing_path, const char *what, const char *image_path,
                       struct cow_error *err)
{
    char path[PATH_MAX];
    struct host_file file;
    struct cow_error local = {.status = 0};
    *found = false;
    int status =
        host_file_open(io, &file, side_path(path, backing_path, what), O_RDONLY | O_NOFOLLOW, &local);
    if (status != 0 && local.sys_errno == ENOENT) {
        return 0;
    }
    if (status != 0) {
        cow_error_set(err, status, "%s", local.message);
        return cow_error_hint(err, "it is not obeyed; whoever put it there has to take it away");
    }
    status = judge_record(out, io, &file, backing_path, path, what, image_path, err);
    host_file_close(io, &file);
    *found = status == 0;
    return status;
}

void family_record_of_backing(struct record *out, const struct family_record *record,
                              const char *backing_path)
{
    memset(out, 0, sizeof *out);
    out->kind = record->goes_back != 0 ? RECORD_UNDO_COPY : RECORD_COPY;
    out->version = RECORD_VERSION;
    out->extends = record->old_bytes != record->new_bytes;
    out->backing_old_bytes = record->old_bytes;
    out->backing_new_bytes = record->new_bytes;
    out->backing_mtime = out->backing_old_mtime = record->mtime;
    out->backing_inode = record->backing_inode;
    memcpy(out->filesystem, record->filesystem, sizeof out->filesystem);
    memcpy(out->family_id, record->id, sizeof out->family_id);
    memcpy(out->backing_path, backing_path, strnlen(backing_path, sizeof out->backing_path - 1));
    out->is_family = true;
    out->owner = record->owner;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where is the backing file, if it is not where the header says? Somewhere near, for one moves or renames it:
 * beside the image, or in the directory that the header names. Who made the image has chosen that directory,
 * so little is done there: names are listed (not all, if there are many), nothing but regular files of the
 * disk's size are opened, and no link is followed.
 *
 * Order: first the same name, then a bounded list of names; lstat chooses those of the disk's size, and each
 * of the likeliest 16 is opened as the image's backing file, to ask cow_fs_find_other about its UUID. A file
 * of another size, or with another filesystem than the image remembers, is no candidate. To name the first
 * one is a fix (COW_FIX_REBASE), and never one that --repair makes by itself: that its content is the right
 * one is believed on the strength of names and dates.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check/finders.h"
#include "core/volumes/superblock.h"
#include "cow/fs.h"
#include "cow/text.h"

enum { NAMES_MAX = 4096, KEPT_MAX = 16 };

/* A file of the right size. */
struct kept {
    struct cow_candidate candidate;
    struct stat facts;
};

struct search {
    struct checkup *c;
    enum candidate_need need;
    const char *name;         /* the last part of the header's path */
    char directory[PATH_MAX]; /* with its slash */
    size_t names;
    size_t n;
    struct kept kept[KEPT_MAX]; /* the likeliest first */
};

static int likeliness(const struct cow_candidate *candidate)
{
    return 4 * candidate->same_date + 2 * candidate->same_uuid + candidate->same_name;
}

static bool is_likelier(const struct cow_candidate *a, const struct cow_candidate *b)
{
    const int by_facts = likeliness(a) - likeliness(b);
    return by_facts != 0 ? by_facts > 0 : strcmp(a->path, b->path) < 0;
}

static bool is_known_candidate(const struct search *search, const struct stat *facts)
{
    const struct cow_image *img = search->c->img;
    bool known = same_file(facts, &img->cow.facts) ||
                 (search->c->has_backing && same_file(facts, &img->backing.file.facts));
    for (size_t i = 0; i < search->n; i++) {
        known = known || same_file(facts, &search->kept[i].facts);
    }
    return known;
}

static void keep(struct search *search, const struct kept *one)
{
    size_t at = search->n;
    while (at > 0 && is_likelier(&one->candidate, &search->kept[at - 1].candidate)) {
        at--;
    }
    if (at == KEPT_MAX) {
        return;
    }
    if (search->n < KEPT_MAX) {
        search->n++;
    }
    memmove(&search->kept[at + 1], &search->kept[at], (search->n - 1 - at) * sizeof search->kept[0]);
    search->kept[at] = *one;
}

static void look_at_candidate(struct search *search, const char *name)
{
    const struct cow_image *img = search->c->img;
    struct kept one = {.candidate = {.same_name = strcmp(name, search->name) == 0}};
    const int length =
        snprintf(one.candidate.path, sizeof one.candidate.path, "%s%s", search->directory, name);
    if (length <= 0 || (size_t)length >= sizeof one.candidate.path ||
        img->io->lstat(img->io->context, one.candidate.path, &one.facts) != 0 ||
        !S_ISREG(one.facts.st_mode) || (uint64_t)one.facts.st_size != img->header.size_bytes ||
        is_known_candidate(search, &one.facts)) {
        return;
    }
    one.candidate.mtime = one.facts.st_mtim.tv_sec;
    one.candidate.same_date = one.candidate.mtime == (int64_t)img->header.mtime;
    if (one.candidate.same_date || (one.candidate.mtime >= 0 && one.candidate.mtime <= UINT32_MAX)) {
        keep(search, &one);
    }
}

static int look_at_next(void *context, const char *name)
{
    struct search *search = context;
    if (search->names++ == NAMES_MAX) {
        search->c->check->candidates_cut = true;
        return 1;
    }
    look_at_candidate(search, name);
    return 0;
}

/* The file of the same name is found however many there are. */
static void search_in(struct search *search, const char *directory)
{
    const struct cow_io *io = search->c->img->io;
    char path[PATH_MAX];
    if (io->resolve(io->context, directory, path, sizeof path) != 0) {
        return;
    }
    const size_t length = strlen(path);
    if (length + 2 > sizeof path) {
        return;
    }
    if (path[length - 1] != '/') {
        memcpy(path + length, "/", 2);
    }
    if (strcmp(path, search->directory) == 0) { /* both are one */
        return;
    }
    snprintf(search->directory, sizeof search->directory, "%s", path);
    search->names = 0;
    if (search->name[0] != '\0') {
        look_at_candidate(search, search->name);
    }
    io->list(io->context, path, look_at_next, search);
}

/* The directory of the image, and that of the header's path, which is meant from there if it is relative. */
static void search_near(struct search *search)
{
    const struct cow_image *img = search->c->img;
    const char *stored = img->header.backing_path, *slash = strrchr(stored, '/');
    const int beside = (int)(strrchr(img->real_path, '/') - img->real_path) + 1;
    char directory[2 * PATH_MAX];
    search->name = slash != NULL ? slash + 1 : stored;
    snprintf(directory, sizeof directory, "%.*s", beside, img->real_path);
    search_in(search, directory);
    if (slash != NULL) {
        snprintf(directory, sizeof directory, "%.*s%.*s", *stored == '/' ? 0 : beside, img->real_path,
                 (int)(slash - stored) + 1, stored);
        search_in(search, directory);
    }
}

/* Something that is no COW image itself, and may be read. */
static bool is_disk(const struct cow_io *io, const struct cow_candidate *candidate)
{
    uint8_t bytes[COW_HEADER_BYTES_MAX];
    struct cow_header header;
    struct host_file file;
    struct cow_error ignored;
    if (host_file_open(io, &file, candidate->path, O_RDONLY | O_NOFOLLOW, &ignored) != 0) {
        return false;
    }
    ssize_t n = io_read(io, file.fd, bytes, sizeof bytes, 0);
    const uint64_t size_bytes = (uint64_t)file.facts.st_size;
    host_file_close(io, &file);
    return n >= 0 && cow_header_decode(&header, bytes, (size_t)n, size_bytes, UINT64_MAX, NULL) != 0;
}

/* An ext filesystem of which the image has its own superblock: the guest has written that, and it is of the
 * one that it was made on. */
static bool remembers(struct cow_image *img, const struct cow_volume *volume)
{
    struct cow_density density = {0, 0, 0};
    const uint64_t sector = (volume->first_byte + SUPERBLOCK_OFFSET) / img->header.sector_bytes;
    return volume->uuid[0] != '\0' && strncmp(volume->type, "ext", 3) == 0 &&
           cow_image_density(img, sector, 1, &density, NULL) == 0 && density.dirty_sectors > 0;
}

/* What the guest would see on it. *other: another filesystem than the image remembers. */
static int ask_uuid(struct cow_image *then, struct cow_candidate *candidate, bool *other,
                    struct cow_error *err)
{
    struct cow_fs *fs;
    struct cow_volume below;
    size_t index, n;
    int status = cow_fs_open(&fs, then, err);
    if (status != 0) {
        return status;
    }
    const struct cow_volume *volume = cow_fs_volumes(fs, &n);
    status = cow_fs_find_other(fs, &index, &below, err);
    *other = status == 0 && index < n;
    for (size_t i = 0; i < n && status == 0 && !*other; i++) {
        status = cow_fs_below(fs, i, &below, err);
        candidate->same_uuid = candidate->same_uuid || (status == 0 && remembers(then, &volume[i]) &&
                                                        strcmp(below.uuid, volume[i].uuid) == 0);
    }
    cow_fs_close(fs);
    return status;
}

/* Fills in what the content tells. What cannot be read tells nothing. */
static int ask_content(const struct checkup *c, struct cow_candidate *candidate, bool *fits,
                       struct cow_error *err)
{
    const struct cow_open_options open = {.backing_path = candidate->path, .io = c->img->io};
    struct cow_image *then = NULL;
    struct cow_error ignored;
    bool other = false;
    *fits = is_disk(c->img->io, candidate);
    int status = *fits ? cow_image_open(&then, c->img->path, &open, &ignored) : 0;
    if (*fits && status == 0) {
        status = ask_uuid(then, candidate, &other, &ignored);
    }
    cow_image_close(then);
    *fits = *fits && !other;
    return status == COW_NO_MEMORY ? cow_error_set(err, COW_NO_MEMORY, "out of memory") : 0;
}

static bool is_needed(const struct cow_candidate *candidate, enum candidate_need need)
{
    return need == CANDIDATE_DATE   ? candidate->same_date
           : need == CANDIDATE_UUID ? candidate->same_uuid
                                    : likeliness(candidate) > 0;
}

/* In the order of what is known now: the UUID, too. */
static void offer(struct cow_check *check, const struct cow_candidate *candidate)
{
    size_t at = check->candidates;
    while (at > 0 && is_likelier(candidate, &check->candidate[at - 1])) {
        at--;
    }
    if (at == COW_CANDIDATES_MAX) {
        return;
    }
    if (check->candidates < COW_CANDIDATES_MAX) {
        check->candidates++;
    }
    memmove(&check->candidate[at + 1], &check->candidate[at],
            (check->candidates - 1 - at) * sizeof check->candidate[0]);
    check->candidate[at] = *candidate;
}

int find_candidates(struct checkup *c, enum candidate_need need, struct cow_error *err)
{
    int status = 0;
    if (c->check->candidates > 0) {
        return 0;
    }
    struct search *search = calloc(1, sizeof *search);
    if (search == NULL) {
        return cow_error_set(err, COW_NO_MEMORY, "out of memory");
    }
    search->c = c;
    search_near(search);
    for (size_t i = 0; i < search->n && status == 0; i++) {
        bool fits = false;
        struct cow_candidate *candidate = &search->kept[i].candidate;
        status = ask_content(c, candidate, &fits, err);
        if (status == 0 && fits && is_needed(candidate, need)) {
            offer(c->check, candidate);
        }
    }
    free(search);
    return status;
}

const char *cow_candidate_text(char *out, size_t out_bytes, const struct cow_candidate *candidate)
{
    const char *const fits[] = {candidate->same_name ? "name" : NULL, "size",
                                candidate->same_date ? "date" : NULL,
                                candidate->same_uuid ? "filesystem (UUID)" : NULL};
    enum { FITS = sizeof fits / sizeof fits[0] };
    size_t left = 1 + (size_t)candidate->same_name + candidate->same_date + candidate->same_uuid;
    int used = snprintf(out, out_bytes, "same ");
    for (size_t i = 0; i < FITS; i++) {
        if (fits[i] != NULL && (size_t)used < out_bytes) {
            left--;
            used += snprintf(out + used, out_bytes - (size_t)used, "%s%s", fits[i],
                             left > 1    ? ", "
                             : left == 1 ? " and "
                                         : "");
        }
    }
    if (!candidate->same_date && (size_t)used < out_bytes) {
        snprintf(out + used, out_bytes - (size_t)used, ", another date");
    }
    return out;
}

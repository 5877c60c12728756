/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Everything that the core can tell of a guest's filesystem, asked of one image. It may refuse whatever it
 * likes; but what it answers has to fit together.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cow/env.h"
#include "cow/fs.h"
#include "cow/image.h"
#include "cow/ops.h"
#include "cow/plan.h"
#include "cow/text.h"
#include "fuzz.h"
#include "must.h"

enum { SECTOR = 512, PIECES_MAX = 20000, READ_BYTES = 65536, READ_MAX = 1024 * 1024, COMPARED_MAX = 64 };

static void error_is_whole(int status, const struct cow_error *err)
{
    MUST(status <= 0);
    if (status != 0) {
        MUST(err->status == status && err->message[0] != '\0');
        MUST(memchr(err->message, '\0', sizeof err->message) != NULL);
    }
}

static void look_at_volumes(struct cow_fs *fs)
{
    char text[512];
    size_t n_volumes;
    int volume;
    struct cow_volume below;
    struct cow_error err = {.status = 0};
    const struct cow_volume *volumes = cow_fs_volumes(fs, &n_volumes);
    MUST(n_volumes <= COW_VOLUMES_MAX);
    for (size_t n = 0; n < n_volumes; n++) {
        MUST(strlen(cow_volume_text(text, sizeof text, &volumes[n])) < sizeof text);
        MUST(!volumes[n].readable || volumes[n].problem[0] == '\0');
        error_is_whole(cow_fs_choose_volume(fs, (int)volumes[n].partition, &volume, &err), &err);
        MUST(strlen(cow_volume_shrink_text(text, sizeof text, &volumes[n], UINT64_MAX)) < sizeof text);
        MUST(volumes[n].partition == 0 || cow_fs_table_end(fs) > volumes[n].first_byte);
        error_is_whole(cow_fs_below(fs, n, &below, &err), &err);
    }
    error_is_whole(cow_fs_choose_volume(fs, -1, &volume, &err), &err);
    MUST(cow_fs_table(fs) != NULL);
    MUST(strlen(cow_fs_after_growing(text, sizeof text, fs)) < sizeof text);
    MUST(cow_fs_whole(fs) != NULL && (cow_fs_gpt(fs)->present || !cow_fs_gpt(fs)->primary));
}

/* ---- owners ---- */

static uint64_t look_at_owner(struct cow_fs_scan *scan, uint64_t at)
{
    struct cow_error err = {.status = 0};
    struct cow_fs_owner owner = {.path = NULL}, fast = {.path = NULL};
    int status = cow_fs_owner_at(scan, at, &owner, &err);
    error_is_whole(status, &err);
    if (status != 0) {
        return at + SECTOR;
    }
    MUST(owner.fs_class < COW_FS_CLASSES && cow_fs_class_name(owner.fs_class) != NULL);
    MUST(owner.first_byte <= at && at - owner.first_byte < owner.length_bytes);
    MUST(owner.path == NULL || owner.path[0] != '\0');
    status = cow_fs_class_at(scan, at, &fast, &err);
    MUST(status != 0 || (fast.fs_class == owner.fs_class && fast.inode == owner.inode));
    return owner.first_byte + owner.length_bytes;
}

/* Piece by piece all that is in the COW, and with a scan for owners only the same. */
static void look_at_pieces_of_all(struct cow_image *img, struct cow_fs *fs, struct cow_fs_scan *scan,
                                  uint64_t size_bytes)
{
    struct cow_error err = {.status = 0};
    const struct cow_fs_scan_options options = {.owners_only = true};
    struct cow_fs_scan *only = NULL;
    struct cow_usage usage;
    uint64_t at = 0, sum = 0;
    const int status = cow_fs_scan(&only, fs, &options, &err);
    error_is_whole(status, &err);
    for (unsigned n = 0; status == 0 && n < PIECES_MAX; n++) {
        struct cow_fs_owner piece, same;
        MUST(cow_fs_owner_next(only, at, &piece, &err) == 0);
        if (piece.length_bytes == 0) {
            MUST(cow_image_usage(img, &usage, NULL) != 0 || size_bytes % SECTOR != 0 ||
                 sum == usage.dirty_sectors * SECTOR);
            break;
        }
        MUST(piece.dirty && piece.known && piece.first_byte >= at);
        MUST(cow_fs_class_at(scan, piece.first_byte, &same, &err) != 0 ||
             (same.fs_class == piece.fs_class && same.inode == piece.inode));
        at = piece.first_byte + piece.length_bytes;
        sum += piece.length_bytes;
    }
    cow_fs_scan_free(only);
}

static void look_at_owners(struct cow_image *img, struct cow_fs_scan *scan, uint64_t size_bytes)
{
    struct cow_error err;
    struct cow_dirty_run run = {.sectors = 0};
    uint64_t sector = 0;
    unsigned pieces = 0;
    while (cow_image_next_dirty(img, sector, &run, &err) == 0 && run.sectors != 0) {
        uint64_t at = run.first_sector * SECTOR;
        const uint64_t end = at + run.sectors * SECTOR;
        while (at < end && pieces++ < PIECES_MAX) {
            at = look_at_owner(scan, at);
        }
        sector = run.first_sector + run.sectors;
    }
    for (uint64_t at = 0; at < size_bytes; at += size_bytes / 7 + 1) {
        look_at_owner(scan, at);
    }
    struct cow_fs_owner past = {.length_bytes = 1};
    MUST(cow_fs_owner_at(scan, size_bytes, &past, &err) != 0 || past.length_bytes == 0);
}

static uint64_t look_at_sums(struct cow_image *img, struct cow_fs_scan *scan)
{
    uint64_t bytes[COW_FS_CLASSES], sum = 0, of_files = 0;
    struct cow_usage usage;
    cow_fs_classes(scan, COW_NO_VOLUME, bytes);
    for (int n = 0; n < COW_FS_CLASSES; n++) {
        sum += bytes[n];
        of_files += cow_fs_class_of_file((enum cow_fs_class)n) ? bytes[n] : 0;
    }
    MUST(cow_image_usage(img, &usage, NULL) != 0 || sum == usage.dirty_sectors * SECTOR);
    return of_files;
}

/* ---- files ---- */

static void read_some(struct cow_fs_reader *reader)
{
    static uint8_t buffer[READ_BYTES];
    struct cow_error err = {.status = 0};
    const uint64_t size = cow_fs_reader_size(reader);
    const uint64_t places[] = {0,    READ_BYTES, size / 2,      size - (size < 9 ? size : 9),
                               size, size + 1,   UINT64_MAX - 5};
    for (size_t n = 0; n < sizeof places / sizeof *places; n++) {
        size_t n_read = 0;
        const int status = cow_fs_reader_read(reader, places[n], buffer, sizeof buffer, &n_read, &err);
        error_is_whole(status, &err);
        MUST(status != 0 || n_read <= sizeof buffer);
        MUST(status != 0 || n_read == sizeof buffer || places[n] >= size || places[n] + n_read == size);
    }
}

static void look_at_content(struct cow_fs *fs, const struct cow_fs_file *file)
{
    struct cow_error err = {.status = 0};
    struct cow_fs_reader *reader[2] = {NULL, NULL};
    for (int side = 0; side < 2; side++) {
        const int status =
            cow_fs_reader_open(&reader[side], fs, file->volume,
                               side == 0 ? COW_VERSION_GUEST : COW_VERSION_BASE, file->path, &err);
        error_is_whole(status, &err);
        if (status == 0) {
            read_some(reader[side]);
        }
    }
    if (reader[0] != NULL && reader[1] != NULL) {
        bool equal;
        uint64_t first;
        error_is_whole(cow_fs_compare(reader[0], reader[1], &equal, &first, &err), &err);
    }
    cow_fs_reader_close(reader[0]);
    cow_fs_reader_close(reader[1]);
}

static uint64_t look_at_pieces(struct cow_fs_scan *scan, const struct cow_fs_file *file)
{
    struct cow_error err = {.status = 0};
    struct cow_fs_owner piece = {.length_bytes = 0};
    uint64_t at = 0;
    for (unsigned n = 0; n < PIECES_MAX; n++) {
        const int status = cow_fs_file_next(scan, file, at, &piece, &err);
        error_is_whole(status, &err);
        if (status != 0 || piece.length_bytes == 0) {
            break;
        }
        MUST(piece.first_byte + piece.length_bytes > at);
        at = piece.first_byte + piece.length_bytes;
    }
    return at;
}

static void look_at_files(struct cow_fs *fs, struct cow_fs_scan *scan, uint64_t of_files)
{
    char text[256];
    size_t n_files, compared = 0;
    uint64_t sum = 0;
    const struct cow_fs_file *files = cow_fs_files(scan, &n_files);
    for (size_t n = 0; n < n_files; n++) {
        MUST(files[n].path != NULL && files[n].path[0] != '\0');
        MUST(files[n].kind < COW_FS_KINDS && cow_fs_kind_name(files[n].kind) != NULL);
        MUST(files[n].kind == COW_FS_KIND_RENAMED
                 ? files[n].from != NULL
                 : files[n].from == NULL || files[n].kind == COW_FS_KIND_REPLACED);
        MUST(cow_fs_type_name(files[n].type) != NULL);
        cow_escape(text, sizeof text, files[n].path);
        look_at_pieces(scan, &files[n]);
        if (compared++ < COMPARED_MAX) {
            look_at_content(fs, &files[n]);
        }
        sum += files[n].changed_bytes;
    }
    MUST(sum == of_files);
}

/* ---- all of it ---- */

static bool stop_soon(void *context, const struct cow_progress *progress)
{
    unsigned *calls = context;
    MUST(progress->phase != NULL && progress->total_bytes != 0);
    return (*calls)-- == 0;
}

static void look_at_compact(struct cow_image *img)
{
    struct cow_plan *plan = NULL;
    struct cow_error err = {.status = 0};
    const struct cow_rewrite_options options = {.compact = true, .unused = true, .force = true};
    error_is_whole(cow_plan_rewrite(&plan, img, &options, &err), &err);
    cow_plan_free(plan);
}

static void look_at_scan(struct cow_image *img, struct cow_fs *fs, uint64_t choice)
{
    struct cow_error err = {.status = 0};
    struct cow_fs_scan *scan = NULL;
    unsigned calls = choice % 40 == 0 ? (unsigned)(choice / 40 % 50) : UINT32_MAX;
    const struct cow_env env = {.progress = stop_soon, .context = &calls};
    const uint64_t size_bytes = cow_image_header(img)->size_bytes;
    const struct cow_fs_scan_options options = {
        .look_around = choice % 2 == 0, .keep = true, .keep_offset = choice % size_bytes, .env = &env};
    const int status = cow_fs_scan(&scan, fs, &options, &err);
    error_is_whole(status, &err);
    if (status == 0) {
        MUST(cow_fs_scan_damage(scan) != NULL);
        look_at_files(fs, scan, look_at_sums(img, scan));
        look_at_owners(img, scan, size_bytes);
        if (choice % 8 == 1) {
            look_at_pieces_of_all(img, fs, scan, size_bytes);
        }
        cow_fs_scan_free(scan);
    }
}

void fuzz_look(const char *cow_path, const char *backing_path, uint64_t choice)
{
    struct cow_error err = {.status = 0};
    struct cow_image *img = NULL;
    struct cow_fs *fs = NULL;
    const struct cow_open_options options = {.backing_path = backing_path};
    MUST(cow_image_open(&img, cow_path, &options, &err) == 0);
    const int status = cow_fs_open(&fs, img, &err);
    error_is_whole(status, &err);
    if (status == 0) {
        look_at_volumes(fs);
        look_at_scan(img, fs, choice);
        cow_fs_close(fs);
    }
    if (choice % 4 == 0) {
        look_at_compact(img);
    }
    cow_image_close(img);
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the guest has changed in its filesystem: the kinds of changes, which files have them, and where they
 * differ.
 */
#include <inttypes.h>
#include <string.h>

#include "guestfs_view.h"

static const struct expected {
    const char *path, *from;
    enum cow_fs_kind kind;
    enum cow_fs_type type;
    bool content_differs;
} expected[CHANGED_PATHS] = {
    {"/", NULL, COW_FS_KIND_CONTENT, COW_FS_DIRECTORY_FILE, true},
    {"/content", NULL, COW_FS_KIND_CONTENT, COW_FS_REGULAR, true},
    {"/d", NULL, COW_FS_KIND_CONTENT, COW_FS_DIRECTORY_FILE, true},
    {"/d/moved", "/name", COW_FS_KIND_RENAMED, COW_FS_REGULAR, false},
    {"/d/moved-too", "/other", COW_FS_KIND_RENAMED, COW_FS_REGULAR, true},
    {"/empty", NULL, COW_FS_KIND_CONTENT, COW_FS_REGULAR, true},
    {"/gone", NULL, COW_FS_KIND_REMOVED, COW_FS_REGULAR, false},
    {"/hard", NULL, COW_FS_KIND_METADATA, COW_FS_REGULAR, false},
    {"/hard-2", NULL, COW_FS_KIND_NEW, COW_FS_REGULAR, false},
    {"/mode", NULL, COW_FS_KIND_METADATA, COW_FS_REGULAR, false},
    {"/new", NULL, COW_FS_KIND_NEW, COW_FS_REGULAR, false},
    {"/new-d", NULL, COW_FS_KIND_NEW, COW_FS_DIRECTORY_FILE, false},
    {"/over-b", "/over-a", COW_FS_KIND_REPLACED, COW_FS_REGULAR, false},
    {"/same", NULL, COW_FS_KIND_SAME, COW_FS_REGULAR, false},
    {"/shorter", NULL, COW_FS_KIND_CONTENT, COW_FS_REGULAR, true},
    {"/swap", NULL, COW_FS_KIND_REPLACED, COW_FS_REGULAR, false},
};

static bool is_expected(const char *path)
{
    for (size_t i = 0; i < CHANGED_PATHS; i++) {
        if (strcmp(expected[i].path, path) == 0) {
            return true;
        }
    }
    return false;
}

/* All pieces that are in the COW, by asking for one after the other. */
static uint64_t sum_of_pieces(const struct view *view, const struct disk *disk,
                              const struct cow_fs_file *file)
{
    struct cow_error err = {.status = 0};
    struct cow_fs_owner piece;
    uint64_t sum = 0, at = 0;
    for (;;) {
        must_succeed(cow_fs_file_next(view->scan, file, at, &piece, &err), err);
        if (piece.length_bytes == 0) {
            return sum;
        }
        must(piece.first_byte >= at && piece.dirty && piece.inode == file->inode &&
                 cow_fs_class_of_file(piece.fs_class),
             "%s: a piece at %" PRIu64, file->path, piece.first_byte);
        sum += piece.length_bytes;
        at = piece.first_byte + piece.length_bytes;
        must(disk->dirty[piece.first_byte / disk->sector_bytes] && disk->dirty[(at - 1) / disk->sector_bytes],
             "%s: not in the COW at %" PRIu64, file->path, piece.first_byte);
    }
}

static void check_files(const struct view *view, const struct changed_disk *scene)
{
    size_t n;
    uint64_t bytes[COW_FS_CLASSES], sum = 0, of_files = 0, listed = 0;
    const struct cow_fs_file *files = cow_fs_files(view->scan, &n);
    for (size_t i = 0; i < CHANGED_PATHS; i++) {
        const struct expected *e = &expected[i];
        const struct cow_fs_file *file = find_file(view, e->path);
        must(file != NULL, "%s is not listed", e->path);
        must(file->kind == e->kind, "%s: %s", e->path, cow_fs_kind_name(file->kind));
        must((file->from == NULL) == (e->from == NULL) &&
                 (file->from == NULL || strcmp(file->from, e->from) == 0),
             "%s: from %s", e->path, file->from == NULL ? "nowhere" : file->from);
        must(file->type == e->type && file->content_differs == e->content_differs, "%s: %s, differs %d",
             e->path, cow_fs_type_name(file->type), file->content_differs);
    }
    for (size_t i = 0; i < n; i++) { /* of the others, only something lies in a sector that is in the COW */
        must(is_expected(files[i].path) || (files[i].kind == COW_FS_KIND_SAME && files[i].changed_bytes > 0),
             "%s: %s", files[i].path, cow_fs_kind_name(files[i].kind));
        must(i == 0 || strcmp(files[i - 1].path, files[i].path) < 0, "%s: not in order", files[i].path);
        listed += files[i].changed_bytes;
        if (files[i].kind == COW_FS_KIND_REMOVED) {
            must(sum_of_pieces(view, scene->disk, &files[i]) == 0, "%s: has pieces", files[i].path);
        } else if (files[i].changed_bytes > 0) {
            const uint64_t pieces = sum_of_pieces(view, scene->disk, &files[i]);
            must(pieces == files[i].changed_bytes, "%s: %" PRIu64 " bytes in pieces, not %" PRIu64,
                 files[i].path, pieces, files[i].changed_bytes);
        }
    }
    cow_fs_classes(view->scan, COW_NO_VOLUME, bytes);
    for (unsigned c = 0; c < COW_FS_CLASSES; c++) {
        sum += bytes[c];
        of_files += cow_fs_class_of_file((enum cow_fs_class)c) ? bytes[c] : 0;
    }
    must(sum == scene->disk->dirty_sectors * scene->disk->sector_bytes, "%" PRIu64 " bytes in all classes",
         sum);
    must(listed == of_files, "%" PRIu64 " bytes in files, %" PRIu64 " in their classes", listed, of_files);
    must(cow_fs_scan_damage(view->scan)[0] == '\0', "damage: %s", cow_fs_scan_damage(view->scan));
}

/* From each place on, against the bytes. */
static void check_next_differences(struct cow_fs_reader *reader[2], const char *path)
{
    uint8_t bytes[2][4 * 4096 + 64];
    struct cow_error err = {.status = 0};
    size_t n[2];
    for (unsigned side = 0; side < 2; side++) {
        must_succeed(cow_fs_reader_read(reader[side], 0, bytes[side], sizeof bytes[side], &n[side], &err),
                     err);
        if (n[side] == sizeof bytes[side]) {
            return; /* longer than what is looked at here */
        }
    }
    const size_t both = n[0] < n[1] ? n[0] : n[1];
    for (size_t from = 0; from <= both + 1; from += from < 64 ? 1 : 61) {
        uint64_t at = UINT64_MAX;
        size_t want = from;
        while (want < both && bytes[0][want] == bytes[1][want]) {
            want++;
        }
        want = want < both ? want : both;
        must_succeed(cow_fs_next_difference(reader[0], reader[1], from, NULL, &at, &err), err);
        must(at == want, "%s: from %zu on the next difference is at %" PRIu64 ", not %zu", path, from, at,
             want);
    }
}

static void check_compare(const struct view *view, const char *path, const char *old, bool equal,
                          uint64_t first)
{
    struct cow_error err = {.status = 0};
    struct cow_fs_reader *reader[2];
    for (unsigned turn = 0; turn < 2; turn++) {
        bool is_equal = !equal;
        uint64_t found = UINT64_MAX;
        must_succeed(cow_fs_reader_open(&reader[0], view->fs, 0, COW_VERSION_GUEST, path, &err), err);
        must_succeed(cow_fs_reader_open(&reader[1], view->fs, 0, COW_VERSION_BASE, old, &err), err);
        must_succeed(cow_fs_compare(reader[turn], reader[1 - turn], &is_equal, &found, &err), err);
        must(is_equal == equal && found == first, "%s: %d, first %" PRIu64, path, is_equal, found);
        check_next_differences(reader, path);
        cow_fs_reader_close(reader[0]);
        cow_fs_reader_close(reader[1]);
    }
}

START_TEST(kinds_of_changes)
{
    struct changed_disk scene = make_changed_disk(&disk_variants[_i]);
    const struct witness image = witness_of(scene.disk->cow_path);
    const uint64_t whole = 3 * 4096 + 5;
    const unsigned files = open_files();
    for (int look_around = 0; look_around < 2; look_around++) {
        struct view view = view_open(scene.disk, look_around != 0);
        must(view.n_volumes == 1 && view.volumes[0].readable && view.volumes[0].compared, "volumes");
        must(view.volumes[0].clean && view.volumes[0].block_bytes == disk_variants[_i].ext.block_bytes,
             "facts");
        check_files(&view, &scene);
        check_compare(&view, "/content", "/content", false, 4099);
        check_compare(&view, "/same", "/same", true, whole);
        check_compare(&view, "/d/moved", "/name", true, whole);
        check_compare(&view, "/d/moved-too", "/other", false, 17);
        check_compare(&view, "/shorter", "/shorter", false, 4097);
        check_compare(&view, "/empty", "/empty", false, 0);
        check_compare(&view, "/new", "/gone", false, 0);
        for (size_t i = 0; i < scene.n_known; i++) {
            const struct known *k = &scene.known[i];
            if (k->size_bytes > 0) {
                check_compare(&view, k->path, k->path, true, k->size_bytes);
            }
        }
        view_close(&view);
        must(open_files() == files, "a file was left open");
    }
    witness_check(&image, "looking into it");
    free_changed_disk(&scene);
}
END_TEST

/* The same disk on both sides, wholly in the COW: everything is there, and nothing differs. */
START_TEST(nothing_has_changed)
{
    const struct disk_variant *v = &disk_variants[_i];
    struct changed_disk scene = make_changed_disk(v);
    size_t n;
    memcpy(scene.disk->after, scene.disk->before, scene.disk->size_bytes);
    disk_make_dirty(scene.disk, 0, scene.disk->geometry.mapped * scene.disk->sector_bytes);
    disk_write(scene.disk);
    struct view view = view_open(scene.disk, false);
    const struct cow_fs_file *files = cow_fs_files(view.scan, &n);
    must(n > CHANGED_PATHS - 6, "%zu files", n);
    for (size_t i = 0; i < n; i++) {
        must(files[i].kind == COW_FS_KIND_SAME && !files[i].content_differs, "%s: %s", files[i].path,
             cow_fs_kind_name(files[i].kind));
    }
    view_close(&view);
    free_changed_disk(&scene);
}
END_TEST

Suite *guestfs_changes_suite(void)
{
    Suite *suite = suite_create("guestfs-changes");
    TCase *tc = tcase_create("guestfs changes");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_loop_test(tc, kinds_of_changes, 0, DISK_VARIANTS);
    tcase_add_loop_test(tc, nothing_has_changed, 0, DISK_VARIANTS);
    suite_add_tcase(suite, tc);
    return suite;
}

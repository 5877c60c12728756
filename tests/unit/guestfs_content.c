/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The guest's files, against filesystems that libext2fs made: their content, links, what is no file, and the
 * runs of blocks that they have.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/guestfs/reader.h"
#include "guestfs_view.h"

/* ---- content ---- */

static void check_read(struct cow_fs_reader *reader, const struct known *k, uint64_t offset, size_t n_bytes)
{
    static uint8_t buffer[1024 * 1024];
    struct cow_error err = {.status = 0};
    const uint64_t left = offset < k->size_bytes ? k->size_bytes - offset : 0;
    size_t n = n_bytes + 1;
    must(n_bytes < sizeof buffer, "the test itself");
    memset(buffer, 0x5a, n_bytes + 1);
    must_succeed(cow_fs_reader_read(reader, offset, buffer, n_bytes, &n, &err), err);
    must(n == (left < n_bytes ? left : n_bytes), "%s at %" PRIu64 ": %zu of %zu bytes", k->path, offset, n,
         n_bytes);
    must(n == 0 || memcmp(buffer, k->content + offset, n) == 0, "%s at %" PRIu64 "+%zu: other bytes", k->path,
         offset, n);
    must(buffer[n_bytes] == 0x5a, "%s: written behind the buffer", k->path);
}

static void check_next_data(struct cow_fs_reader *reader, const struct known *k, uint64_t block_bytes)
{
    const uint64_t step = k->size_bytes < 20 * block_bytes ? 1 : 509;
    for (uint64_t at = 0; at < k->size_bytes + 2; at += step) {
        uint64_t begin, end, block = at / block_bytes;
        while (block < k->blocks && k->written[block] == 0) {
            block++;
        }
        const uint64_t wanted = at >= k->size_bytes || block == k->blocks ? k->size_bytes
                                : block * block_bytes > at                ? block * block_bytes
                                                                          : at;
        reader_next_data(reader, at, &begin, &end);
        must(begin == wanted, "%s: data behind %" PRIu64 " at %" PRIu64 ", not %" PRIu64, k->path, at, begin,
             wanted);
        must(begin == k->size_bytes || (end > begin && end <= k->size_bytes), "%s: %" PRIu64 " to %" PRIu64,
             k->path, begin, end);
        for (uint64_t i = begin; i < end && begin < k->size_bytes; i = (i / block_bytes + 1) * block_bytes) {
            must(k->written[i / block_bytes], "%s: a hole at %" PRIu64 " is data", k->path, i);
        }
    }
}

static void check_content(struct cow_fs_reader *reader, const struct known *k, uint64_t block_bytes)
{
    const uint64_t far[] = {k->size_bytes, k->size_bytes + 1, k->size_bytes + block_bytes, UINT64_MAX - 3};
    must(cow_fs_reader_size(reader) == k->size_bytes, "%s: %" PRIu64 " bytes", k->path,
         cow_fs_reader_size(reader));
    for (uint64_t at = 0; at < k->size_bytes; at += 700 * 1024) {
        check_read(reader, k, at, 900 * 1024);
    }
    for (uint64_t block = 0; block <= k->blocks; block += block < 20 ? 1 : 97) {
        for (uint64_t shift = 0; shift < 3; shift++) {
            const uint64_t at = block * block_bytes + shift - (block > 0);
            check_read(reader, k, at, 0);
            check_read(reader, k, at, 1);
            check_read(reader, k, at, 2);
            check_read(reader, k, at, block_bytes);
            check_read(reader, k, at, 3 * block_bytes + 5);
        }
    }
    for (size_t i = 0; i < sizeof far / sizeof far[0]; i++) {
        check_read(reader, k, far[i], 0);
        check_read(reader, k, far[i], 1);
        check_read(reader, k, far[i], 5000);
    }
    check_next_data(reader, k, block_bytes);
}

START_TEST(content_of_files)
{
    const struct disk_variant *v = &disk_variants[_i];
    struct known known[KNOWN_MAX];
    struct cow_error err = {.status = 0};
    char *path = test_path("ext");
    ext2_filsys made = ext_make(path, &v->ext);
    const size_t n = known_make(known, made);
    ext_close(made);
    /* one side only is there, and what the other one has does not matter */
    struct disk *disk = make_disk(v, NULL, path);
    struct view view = view_open(disk, false);
    must(view.n_volumes == 1 && view.volumes[0].readable && !view.volumes[0].compared, "volumes");
    for (size_t i = 0; i < n; i++) {
        struct cow_fs_reader *reader;
        must_succeed(cow_fs_reader_open(&reader, view.fs, 0, COW_VERSION_GUEST, known[i].path, &err), err);
        check_content(reader, &known[i], v->ext.block_bytes);
        cow_fs_reader_close(reader);
        must_fail(cow_fs_reader_open(&reader, view.fs, 0, COW_VERSION_BASE, known[i].path, &err), COW_USAGE,
                  err);
    }
    view_close(&view);
    disk_free(disk);
    known_free(known, n);
    free(path);
}
END_TEST

/* ---- links and what is no file ---- */

static void add_symlink(ext2_filsys fs, const char *name, const char *target)
{
    must_ext(ext2fs_symlink(fs, EXT2_ROOT_INO, 0, name, target));
}

static const char long_target[] = "/d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../d/../plain";

static void add_links(ext2_filsys fs)
{
    ext_add_directory(fs, EXT2_ROOT_INO, "d");
    must_ext(ext2fs_symlink(fs, ext_find(fs, "/d"), 0, "up", "../plain"));
    add_symlink(fs, "short", "plain");
    add_symlink(fs, "long", long_target);
    add_symlink(fs, "over", "/d//./up");
    add_symlink(fs, "loop", "pool");
    add_symlink(fs, "pool", "/loop");
    add_symlink(fs, "dangling", "nothing");
    add_symlink(fs, "to-d", "d");
    ext_add(fs, EXT2_ROOT_INO, "null", LINUX_S_IFCHR | 0666, 0);
}

/* What a link holds: in its inode, or in a block of its own. */
static void check_target(const struct view *view, const char *path, const char *target)
{
    struct guest_volume *inner = &view->fs->inner[0];
    struct ext2_inode_large content = {.i_mode = 0};
    struct cow_fs_reader *reader;
    struct cow_error err = {.status = 0};
    char text[128] = "";
    size_t n = 0;
    ext2_ino_t inode;
    must_ext(ext2fs_lookup(inner->fs, EXT2_ROOT_INO, path, (int)strlen(path), NULL, &inode));
    must_ext(ext2fs_read_inode_full(inner->fs, inode, (struct ext2_inode *)(void *)&content, sizeof content));
    must_ext(reader_open_inode(&reader, &view->fs->source[0].guest, inner->fs, inode, &content));
    must(cow_fs_reader_size(reader) == strlen(target), "%s: %" PRIu64 " bytes", path,
         cow_fs_reader_size(reader));
    must((reader->inline_data != NULL) == (strlen(target) < 60), "%s: not where it should be", path);
    for (size_t at = 0; at <= strlen(target) + 70; at++) {
        const size_t left = at < strlen(target) ? strlen(target) - at : 0;
        must_succeed(cow_fs_reader_read(reader, at, text, sizeof text, &n, &err), err);
        must(n == left && (n == 0 || memcmp(text, target + at, n) == 0), "%s at %zu: %.*s", path, at, (int)n,
             text);
    }
    cow_fs_reader_close(reader);
}

START_TEST(links_are_followed)
{
    const struct disk_variant *v = &disk_variants[_i];
    static const char *const ways[] = {"/plain", "plain", "//d/./..//plain", "/short",
                                       "/long",  "/over", "/d/up",           "/to-d/up"};
    static const char *const nowhere[] = {"/loop", "/dangling", "/nothing", "/plain/x", "/d/plain/",
                                          "/d",    "/to-d",     "/",        "/short/x", "",
                                          "/null", "/d/up/..",  "/plain\n", "/.../x"};
    struct known known[KNOWN_MAX];
    struct cow_error err = {.status = 0};
    struct cow_fs_reader *reader = NULL;
    char *path = test_path("ext"), *too_long = calloc(1, 10000);
    ext2_filsys made = ext_make(path, &v->ext);
    const size_t n = known_make(known, made);
    add_links(made);
    ext_close(made);
    struct disk *disk = make_disk(v, path, path);
    struct view view = view_open(disk, false);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        must_succeed(cow_fs_reader_open(&reader, view.fs, 0, (enum cow_version)(i % 2), ways[i], &err), err);
        check_content(reader, &known[1], v->ext.block_bytes);
        cow_fs_reader_close(reader);
    }
    for (size_t i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++) {
        reader = NULL;
        int status = cow_fs_reader_open(&reader, view.fs, 0, COW_VERSION_GUEST, nowhere[i], &err);
        must(status == COW_USAGE, "%s: %d: %s", nowhere[i], status, err.message);
        must_fail(status, COW_USAGE, err);
        must(reader == NULL, "%s: a reader", nowhere[i]);
    }
    memset(too_long, 'n', 9999);
    must_fail(cow_fs_reader_open(&reader, view.fs, 0, COW_VERSION_GUEST, too_long, &err), COW_USAGE, err);
    too_long[300] = '\0';
    must_fail(cow_fs_reader_open(&reader, view.fs, 0, COW_VERSION_GUEST, too_long, &err), COW_USAGE, err);
    must_fail(cow_fs_reader_open(&reader, view.fs, 1, COW_VERSION_GUEST, "/plain", &err), COW_USAGE, err);
    must_fail(cow_fs_reader_open(&reader, view.fs, COW_NO_VOLUME, COW_VERSION_GUEST, "/plain", &err),
              COW_USAGE, err);
    check_target(&view, "short", "plain");
    check_target(&view, "long", long_target);
    view_close(&view);
    disk_free(disk);
    known_free(known, n);
    free(too_long);
    free(path);
}
END_TEST

/* ---- runs of blocks ---- */

struct pieces {
    uint64_t content, unwritten, mapping, next, stop_after;
};

static errcode_t count_piece(void *context, const struct extent_piece *piece)
{
    struct pieces *p = context;
    if (p->stop_after > 0 && --p->stop_after == 0) {
        return EXT2_ET_CANCEL_REQUESTED + 1;
    }
    must(piece->count > 0, "an empty piece");
    if (piece->mapping) {
        p->mapping += piece->count;
        return 0;
    }
    must(piece->first >= p->next, "not in the order of the file");
    p->next = piece->first + piece->count;
    *(piece->unwritten ? &p->unwritten : &p->content) += piece->count;
    return 0;
}

START_TEST(runs_of_blocks)
{
    const struct disk_variant *v = &disk_variants[_i];
    struct known known[KNOWN_MAX];
    char *path = test_path("ext");
    ext2_filsys fs = ext_make(path, &v->ext);
    const size_t n = known_make(known, fs);
    for (size_t i = 0; i < n; i++) {
        struct ext2_inode_large content = {.i_mode = 0};
        struct ext2_inode *plain = (struct ext2_inode *)(void *)&content;
        struct pieces all = {.content = 0}, some = {.stop_after = 1};
        uint64_t written = 0, budget = 100000;
        must_ext(ext2fs_read_inode_full(fs, known[i].inode, plain, sizeof content));
        must_ext(extents_walk(fs, known[i].inode, &content, &budget, count_piece, &all));
        for (uint64_t block = 0; block < known[i].blocks; block++) {
            written += known[i].written[block];
        }
        must(all.content == written, "%s: %" PRIu64 " blocks of %" PRIu64, known[i].path, all.content,
             written);
        const uint64_t blocks = all.content + all.unwritten + all.mapping;
        must(blocks * v->ext.block_bytes == UINT64_C(512) * ext2fs_inode_i_blocks(fs, plain),
             "%s: %" PRIu64 " blocks of content, %" PRIu64 " unwritten, %" PRIu64 " for mapping",
             known[i].path, all.content, all.unwritten, all.mapping);
        must(known[i].fragments < 300 || all.mapping > 0, "%s: the test itself", known[i].path);
        const uint64_t spent = 100000 - budget;
        for (uint64_t least = 0; least < spent; least += spent < 20 ? 1 : 37) {
            struct pieces cut = {.content = 0};
            budget = least;
            must(extents_walk(fs, known[i].inode, &content, &budget, count_piece, &cut) ==
                         EXT2_ET_CANCEL_REQUESTED &&
                     budget == 0,
                 "%s: a budget of %" PRIu64 " suffices", known[i].path, least);
        }
        budget = spent;
        struct pieces again = {.content = 0};
        must_ext(extents_walk(fs, known[i].inode, &content, &budget, count_piece, &again));
        must(budget == 0 && again.content == written, "%s: what was spent does not suffice", known[i].path);
        budget = 100000;
        must(blocks == 0 || extents_walk(fs, known[i].inode, &content, &budget, count_piece, &some) ==
                                EXT2_ET_CANCEL_REQUESTED + 1,
             "%s: went on", known[i].path);
    }
    ext_close(fs);
    known_free(known, n);
    free(path);
}
END_TEST

Suite *guestfs_content_suite(void)
{
    Suite *suite = suite_create("guestfs-content");
    TCase *tc = tcase_create("guestfs content");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_loop_test(tc, content_of_files, 0, DISK_VARIANTS);
    tcase_add_loop_test(tc, links_are_followed, 0, DISK_VARIANTS);
    tcase_add_loop_test(tc, runs_of_blocks, 0, DISK_VARIANTS);
    suite_add_tcase(suite, tc);
    return suite;
}

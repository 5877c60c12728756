/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a directory holds, told file by file: which of them are listed, in which order, what is said of each,
 * and that it costs little; and how files of other formats are known.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/io.h"
#include "cow/list.h"
#include "support.h"

enum { SIZE = 300 * 512 };

static void put_file(const char *name, const void *bytes, size_t n_bytes, uint64_t length)
{
    char *path = test_path(name);
    file_write(path, bytes, n_bytes);
    if (length > 0) {
        file_truncate(path, length);
    }
    free(path);
}

/* A v3 image on b.img, beside it. */
static void put_image(const char *name, uint64_t size_bytes)
{
    char *path = test_path(name);
    model_put_empty(path, COW_FORMAT_V3, "b.img", size_bytes, 512, 4096);
    free(path);
}

static void put_backing(uint64_t size_bytes, int64_t mtime)
{
    char *path = test_path("b.img");
    file_truncate(path, size_bytes);
    file_set_mtime(path, mtime);
    free(path);
}

/* The list of the test's directory as "NAME:what ...", without what is not listed. */
static void check_list(const struct cow_io *io, const char *wanted)
{
    const struct cow_list_options options = {.io = io};
    const unsigned files = open_files();
    struct cow_error err = {.status = 0};
    struct cow_list_entry entry;
    struct cow_list *list;
    char got[2048] = "";
    size_t looked_at = 0;
    must_succeed(cow_list_open(&list, test_directory(), &options, &err), err);
    while (cow_list_next(list, &entry)) {
        must(cow_list_looked_at(list) == ++looked_at, "looked at %zu", cow_list_looked_at(list));
        must(is_terminal_safe(entry.error.message) && is_terminal_safe(entry.error.hint), "%s", entry.path);
        must(strncmp(entry.error.message, entry.path, strlen(entry.path)) != 0, "%s", entry.error.message);
        if (entry.what != COW_LISTED_NOTHING) {
            const size_t n = strlen(got);
            snprintf(got + n, sizeof got - n, "%s%s:%c", n > 0 ? " " : "",
                     entry.path + strlen(test_directory()) + 1, "-iBou"[entry.what]);
        }
    }
    must(looked_at == cow_list_names(list), "%zu of %zu", looked_at, cow_list_names(list));
    cow_list_close(list);
    ck_assert_str_eq(got, wanted);
    must(open_files() == files, "a descriptor is left open");
}

static void look(struct cow_list_entry *out, const char *name)
{
    char *path = test_path(name);
    cow_list_look(out, path, NULL);
    out->path = NULL;
    free(path);
}

START_TEST(images_and_disks_are_listed_by_name)
{
    static const char boot[512] = {[450] = (char)0x83, [458] = 1, [510] = 0x55, [511] = (char)0xaa};
    put_backing(SIZE, MODEL_MTIME);
    put_image("z.cow", SIZE);
    put_image(".hidden", SIZE);
    put_image("a.cow", SIZE);
    put_image(".a.cow.cowtui-undo", SIZE);
    put_file("cut", "OOOM", 4, 0);
    put_file("cut-too", "MOOO\2\0\0", 7, 0);
    put_file("future", "OOOM\0\0\0\7", 8, 4096);
    put_file("disk.qcow2", "QFI\xfb\0\0\0\3", 8, 4096);
    put_file("mbr.img", boot, sizeof boot, 65536);
    put_file("text", "OOO, it is a text", 17, 0);
    put_file("packed.gz", "\x1f\x8b\x08\0", 4, 0);
    put_file("nothing", "", 0, 0);
    char *path = test_path("directory"), *link = test_path("link"), *fifo = test_path("fifo");
    must(mkdir(path, 0700) == 0 && symlink("nowhere", link) == 0 && mkfifo(fifo, 0600) == 0, "a file");
    check_list(NULL, ".hidden:i a.cow:i cut:B cut-too:B disk.qcow2:o future:B mbr.img:o z.cow:i");
    free(path);
    free(link);
    free(fifo);
}
END_TEST

START_TEST(an_image_is_told_in_full)
{
    struct cow_list_entry entry;
    put_backing(SIZE, MODEL_MTIME);
    put_image("a.cow", SIZE);
    char *path = test_path("a.cow");
    file_write_at(path, 8192, "\377", 1); /* the bits of eight sectors */
    look(&entry, "a.cow");
    must(entry.what == COW_LISTED_IMAGE && entry.error.status == 0, "%s", entry.error.message);
    ck_assert_str_eq(entry.format, "uml-cow-v3");
    must(entry.size_known && entry.size_bytes == SIZE, "size");
    must(entry.dirty_known && entry.dirty_bytes == 8 * 512, "dirty %ju", (uintmax_t)entry.dirty_bytes);
    ck_assert_str_eq(entry.backing_path, "b.img");
    must(entry.backing_state == COW_BACKING_FOUND, "backing");
    must(entry.verdict.opens && entry.verdict.warnings == 1, "it opens, with a word on the relative path");
    must(!entry.holder.held && entry.pending[0] == '\0', "in use, or pending");
    char *backing = test_path("b.img");
    must(unlink(backing) == 0, "unlink");
    look(&entry, "a.cow");
    must(entry.what == COW_LISTED_IMAGE && entry.backing_state == COW_BACKING_MISSING, "backing is gone");
    file_write_at(path, 12, "\377\377\377\377\377\377\377\377", 8); /* the mark of an interrupted change */
    look(&entry, "a.cow");
    must(entry.what == COW_LISTED_IMAGE && !entry.size_known && !entry.dirty_known, "it has no layout");
    must(strstr(entry.pending, "unfinished") != NULL, "%s", entry.pending);
    free(path);
    free(backing);
}
END_TEST

/* Whatever it is, it is told. */
START_TEST(a_file_that_is_named_is_told)
{
    struct cow_error err = {.status = 0};
    struct cow_list_entry entry;
    struct cow_list *list = NULL;
    put_file("text", "a text", 6, 0);
    char *path = test_path("text"), *nowhere = test_path("nowhere");
    must_succeed(cow_list_open(&list, path, NULL, &err), err);
    must(cow_list_is_of_one_file(list) && cow_list_next(list, &entry), "nothing is told");
    must(entry.what == COW_LISTED_OTHER && entry.error.status == COW_NOT_COW && entry.format == NULL, "%s",
         entry.error.message);
    ck_assert_str_eq(entry.path, path);
    must(!cow_list_next(list, &entry), "two are told");
    cow_list_close(list);
    must_fail(cow_list_open(&list, nowhere, NULL, &err), COW_IO, err);
    look(&entry, "nowhere");
    must(entry.what == COW_LISTED_UNREADABLE && entry.error.sys_errno == ENOENT, "%s", entry.error.message);
    free(path);
    free(nowhere);
}
END_TEST

/* The bitmap is up to 2 GiB long; of it 32 MiB are read at most, and holes are none of them. */
START_TEST(long_bitmaps_are_not_counted)
{
    enum { PIECE = 1 << 20, PIECES = 33 };
    const uint64_t gib = UINT64_C(1) << 30, huge = (UINT64_C(8) << 40) - gib;
    struct cow_list_entry entry;
    uint8_t *piece = calloc(1, PIECE);
    must(piece != NULL, "memory");
    memset(piece, 0x11, PIECE);
    put_image("huge", huge);
    put_image("written", 200 * gib);
    char *path = test_path("huge"), *written = test_path("written");
    file_write_at(path, 8192 + 12345, "\1", 1);
    look(&entry, "huge");
    must(entry.dirty_known && entry.dirty_bytes == 512, "a bit of a sparse one is not counted");
    for (unsigned i = 0; i < PIECES; i++) {
        file_write_at(written, 8192 + i * (uint64_t)PIECE, piece, PIECE);
        if (i == 8 || i == PIECES - 1) {
            look(&entry, "written");
            must(entry.dirty_known == (i == 8), "counted after %u MiB", i + 1);
            must(entry.dirty_uncounted == (i != 8) && entry.size_known, "it is not said");
        }
    }
    must(entry.what == COW_LISTED_IMAGE && entry.error.status == 0, "%s", entry.error.message);
    free(path);
    free(written);
    free(piece);
}
END_TEST

/* ---- what the system is asked ---- */

static unsigned lists, opens;

static int counted_list(void *context, const char *directory, int (*each)(void *, const char *), void *to)
{
    lists++;
    return io_system.list(context, directory, each, to);
}

static int counted_open(void *context, const char *path, int flags, mode_t mode)
{
    opens++;
    return strstr(path, "secret") != NULL ? -EACCES : io_system.open(context, path, flags, mode);
}

/* All images of a lab have another date than their backing file: none of them looks for the others. */
START_TEST(each_costs_the_same_however_many_there_are)
{
    struct cow_io io = io_system;
    char wanted[1024] = "", name[16];
    io.list = counted_list;
    io.open = counted_open;
    lists = opens = 0;
    put_backing(SIZE, MODEL_MTIME + 1);
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "lab%02d", i);
        put_image(name, SIZE);
        snprintf(wanted + strlen(wanted), sizeof wanted - strlen(wanted), "%s%s:i", i > 0 ? " " : "", name);
    }
    check_list(&io, wanted);
    must(lists == 1, "%u directories were read", lists);
    must(opens <= 20 * 4 + 2, "%u files were opened", opens);
}
END_TEST

START_TEST(what_may_not_be_read_stops_nothing)
{
    struct cow_io io = io_system;
    io.open = counted_open;
    put_image("a", SIZE);
    put_image("secret", SIZE);
    put_image("z", SIZE);
    check_list(&io, "a:i secret:u z:i");
}
END_TEST

/* ---- other formats ---- */

static const struct {
    unsigned offset, n_bytes;
    const char *bytes;
    const char *format, *title, *advice;
} others[] = {
    {0, 8, "QFI\xfb\0\0\0\2", "qcow2", "a qcow2 image, version 2", "cowtui create --from"},
    {0, 8, "QFI\xfb\0\0\0\1", "qcow", "a qcow image", "qemu-img convert -O raw"},
    {0, 4, "QED\0", "qed", "a QED image", "qemu-img"},
    {0, 4, "KDMV", "vmdk", "a VMDK image", "qemu-img"},
    {0, 21, "# Disk DescriptorFile", "vmdk", "description", "qemu-img"},
    {64, 4, "\x7f\x10\xda\xbe", "vdi", "a VDI image", "qemu-img"},
    {0, 8, "vhdxfile", "vhdx", "a VHDX image", "qemu-img"},
    {0, 8, "conectix", "vhd", "a VHD image", "qemu-img"},
    {(256 << 10) - 512, 8, "conectix", "vhd", "a VHD image", "qemu-img"},
    {0, 3, "\x1f\x8b\x08", "gzip", "compressed by gzip", "gzip -dc"},
    {0, 6, "\xfd\x37zXZ\0", "xz", "compressed by xz", "xz -dc"},
    {0, 4, "\x28\xb5\x2f\xfd", "zstd", "compressed by zstd", "zstd -dc"},
    {0, 10, "BZh91AY&SY", "bzip2", "compressed by bzip2", "bzip2 -dc"},
    {0, 4, "PK\3\4", "zip", "a zip archive", "unzip -p"},
    {0, 6, "LUKS\xba\xbe", "raw", "LUKS", "cowtui family"},
    {0, 4, "XFSB", "raw", "a raw disk with an XFS filesystem", "cowtui create"},
    {0, 4, "hsqs", "raw", "squashfs", "cowtui create"},
    {32769, 5, "CD001", "raw", "ISO 9660", "cowtui create"},
    {512, 8, "EFI PART", "raw", "a GPT partition table", "cowtui create"},
    {65600, 8, "_BHRfS_M", "raw", "btrfs", "cowtui create"},
    {1024, 4, "\x10\x20\xf5\xf2", "raw", "f2fs", "cowtui create"},
    {4086, 10, "SWAPSPACE2", "raw", "swap", "cowtui create"},
    {512, 8, "LABELONE", "raw", "LVM", "cowtui create"},
    {3, 8, "NTFS    ", "raw", "NTFS", "cowtui create"},
    {3, 8, "EXFAT   ", "raw", "exFAT", "cowtui create"},
    {82, 8, "FAT32   ", "raw", "a FAT filesystem", "cowtui create"},
    {54, 8, "FAT16   ", "raw", "a FAT filesystem", "cowtui create"},
};

START_TEST(other_formats_have_names)
{
    uint8_t bytes[256 << 10] = {0};
    struct cow_list_entry entry;
    memcpy(bytes + others[_i].offset, others[_i].bytes, others[_i].n_bytes);
    put_file("it's.gz", bytes, sizeof bytes, 0);
    look(&entry, "it's.gz");
    must(entry.what == COW_LISTED_OTHER && entry.error.status == COW_NOT_COW, "%s", entry.error.message);
    must(entry.format != NULL && strcmp(entry.format, others[_i].format) == 0, "%s, not %s",
         entry.format != NULL ? entry.format : "nothing", others[_i].format);
    must(strstr(entry.error.message, others[_i].title) != NULL, "%s", entry.error.message);
    must(strstr(entry.error.hint, others[_i].advice) != NULL, "%s", entry.error.hint);
    must(strstr(entry.error.hint, "it'\\''s.gz'") != NULL, "not for a shell: %s", entry.error.hint);
    must(entry.size_known == (strcmp(entry.format, "raw") == 0), "size %ju", (uintmax_t)entry.size_bytes);
}
END_TEST

/* ext has a short signature, so more is looked at; and which of the three it is. */
START_TEST(ext_is_told_apart)
{
    static const struct {
        uint8_t compatible, incompatible[2], block_size;
        const char *title; /* NULL: it is none */
    } kinds[] = {{0, {0, 0}, 0, "ext2"},
                 {4, {2, 0}, 0, "ext3"},
                 {4, {0x42, 0}, 2, "ext4"},
                 {0, {2, 2}, 2, "ext4"},
                 {4, {0x42, 0}, 7, NULL}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        uint8_t bytes[8192] = {0};
        struct cow_list_entry entry;
        bytes[1024] = 16;
        bytes[1024 + 24] = kinds[i].block_size;
        bytes[1080] = 0x53;
        bytes[1081] = 0xef;
        bytes[1024 + 92] = kinds[i].compatible;
        memcpy(bytes + 1024 + 96, kinds[i].incompatible, 2);
        put_file("disk", bytes, sizeof bytes, 0);
        look(&entry, "disk");
        must((entry.format != NULL) == (kinds[i].title != NULL), "%zu: %s", i, entry.error.message);
        must(kinds[i].title == NULL || strstr(entry.error.message, kinds[i].title) != NULL, "%zu: %s", i,
             entry.error.message);
    }
}
END_TEST

/* A boot signature alone is no table. */
START_TEST(a_table_has_a_partition)
{
    uint8_t bytes[8192] = {0};
    struct cow_list_entry entry;
    bytes[510] = 0x55;
    bytes[511] = 0xaa;
    put_file("disk", bytes, sizeof bytes, 0);
    look(&entry, "disk");
    must(entry.format == NULL, "%s", entry.error.message);
    bytes[446 + 4] = 0x83;
    bytes[446 + 12] = 1;
    put_file("disk2", bytes, sizeof bytes, 0);
    look(&entry, "disk2");
    must(strstr(entry.error.message, "MBR") != NULL, "%s", entry.error.message);
    bytes[446 + 16] = 1; /* what no entry begins with */
    put_file("disk3", bytes, sizeof bytes, 0);
    look(&entry, "disk3");
    must(entry.format == NULL, "%s", entry.error.message);
}
END_TEST

/* What an image of another program says of its size, in its unit and order of bytes. */
START_TEST(other_formats_tell_their_size)
{
    static const struct {
        unsigned magic_offset, n_magic;
        const char *magic;
        unsigned offset;
        bool big_endian;
        uint64_t value, size_bytes; /* 0: not told */
    } sizes[] = {{0, 8, "QFI\xfb\0\0\0\3", 24, true, 1 << 30, 1 << 30},
                 {0, 4, "KDMV", 12, false, 4096, 4096 * 512},
                 {0, 4, "KDMV", 12, false, UINT64_C(1) << 55, 0},
                 {64, 4, "\x7f\x10\xda\xbe", 368, false, 1 << 20, 1 << 20},
                 {0, 4, "QED\0", 48, false, 1 << 20, 1 << 20},
                 {0, 8, "conectix", 48, true, 1 << 20, 1 << 20}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t bytes[1024] = {0};
        struct cow_list_entry entry;
        memcpy(bytes + sizes[i].magic_offset, sizes[i].magic, sizes[i].n_magic);
        put_number(bytes + sizes[i].offset, 8, sizes[i].big_endian, sizes[i].value);
        put_file("disk", bytes, sizeof bytes, 0);
        look(&entry, "disk");
        must(entry.size_bytes == sizes[i].size_bytes && entry.size_known == (sizes[i].size_bytes > 0),
             "row %zu: %ju", i, (uintmax_t)entry.size_bytes);
    }
}
END_TEST

Suite *list_suite(void)
{
    Suite *suite = suite_create("list");
    TCase *tc = tcase_create("list");
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_set_timeout(tc, 20);
    tcase_add_test(tc, images_and_disks_are_listed_by_name);
    tcase_add_test(tc, an_image_is_told_in_full);
    tcase_add_test(tc, a_file_that_is_named_is_told);
    tcase_add_test(tc, long_bitmaps_are_not_counted);
    tcase_add_test(tc, each_costs_the_same_however_many_there_are);
    tcase_add_test(tc, what_may_not_be_read_stops_nothing);
    tcase_add_loop_test(tc, other_formats_have_names, 0, (int)(sizeof others / sizeof others[0]));
    tcase_add_test(tc, ext_is_told_apart);
    tcase_add_test(tc, a_table_has_a_partition);
    tcase_add_test(tc, other_formats_tell_their_size);
    suite_add_tcase(suite, tc);
    return suite;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How large what lies on a disk says that it is, and where the headers of a GPT are: by bytes written here,
 * by numbers from the formats' descriptions, and by numbers that nobody means well with.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/crc.h"
#include "core/image/image.h"
#include "core/volumes/gpt.h"
#include "core/volumes/kinds.h"
#include "support.h"

enum { DISK = 4 * 1024 * 1024, SECTOR = 512 };

/* A raw disk of zeros with pieces in it, open. */
struct bench {
    char *path;
    struct cow_image *img;
    struct source source;
};

static void bench_open(struct bench *bench, uint64_t size_bytes)
{
    struct cow_error err = {.status = 0};
    bench->path = test_path("disk");
    file_write(bench->path, "", 0);
    file_truncate(bench->path, size_bytes);
    must_succeed(image_open_raw(&bench->img, bench->path, &io_system, &err), err);
    bench->source = (struct source){bench->img, COW_VERSION_GUEST, 0, size_bytes, NULL, NULL};
}

static void bench_close(struct bench *bench)
{
    cow_image_close(bench->img);
    free(bench->path);
}

static void put_at(const struct bench *bench, uint64_t offset, unsigned width, bool big_endian,
                   uint64_t value)
{
    uint8_t bytes[8];
    put_number(bytes, width, big_endian, value);
    file_write_at(bench->path, offset, bytes, width);
}

static void put_text(const struct bench *bench, uint64_t offset, const char *text)
{
    file_write_at(bench->path, offset, text, strlen(text));
}

/* What makes it that kind, and the numbers of which its size is the product (or, of RAID, the sum). */
static const struct {
    const char *type;
    struct {
        uint64_t offset;
        const char *text;
    } magic[2];
    struct {
        uint64_t offset;
        unsigned width;
        bool big_endian;
        uint64_t value;
    } number[4];
    uint64_t bytes;
} kinds[] = {
    {"xfs", {{0, "XFSB"}}, {{4, 4, true, 4096}, {8, 8, true, 700}}, UINT64_C(700) * 4096},
    {"btrfs",
     {{65536 + 0x40, "_BHRfS_M"}},
     {{65536 + 0x70, 8, false, 999999}, {65536 + 0xd1, 8, false, 5000192}},
     5000192},
    {"swap", {{4086, "SWAPSPACE2"}}, {{1024, 4, false, 1}, {1028, 4, false, 99}}, 100 * 4096},
    {"swap", {{4086, "SWAPSPACE2"}}, {{1024, 4, true, 1}, {1028, 4, true, 99}}, 100 * 4096},
    {"swap", {{65526, "SWAPSPACE2"}}, {{1024, 4, false, 1}, {1028, 4, false, 9}}, 10 * 65536},
    {"swsuspend", {{4086, "S1SUSPEND"}}, {{1024, 4, false, 1}, {1028, 4, false, 9}}, 10 * 4096},
    {"LVM2_member",
     {{512, "LABELONE"}, {512 + 24, "LVM2 001"}},
     {{512 + 20, 4, false, 32}, {512 + 64, 8, false, 3000000}},
     3000000},
    {"LVM2_member",
     {{3 * 512, "LABELONE"}, {3 * 512 + 24, "LVM2 001"}},
     {{3 * 512 + 20, 4, false, 40}, {3 * 512 + 72, 8, false, 77}},
     77},
    {"linux_raid_member",
     {{0, NULL}},
     {{4096, 4, false, 0xa92b4efc},
      {4100, 4, false, 1},
      {4096 + 128, 8, false, 2048},
      {4096 + 136, 8, false, 4000}},
     UINT64_C(6048) * 512},
    {"linux_raid_member",
     {{0, NULL}},
     {{0, 4, false, 0xa92b4efc}, {4, 4, false, 1}, {128, 8, false, 16}, {136, 8, false, 400}},
     UINT64_C(416) * 512},
    {"ntfs", {{3, "NTFS    "}}, {{11, 2, false, 512}, {40, 8, false, 999}}, 1000 * 512},
    {"vfat", {{0, NULL}}, {{11, 2, false, 512}, {19, 2, false, 2880}, {32, 4, false, 7}}, 2880 * 512},
    {"vfat", {{0, NULL}}, {{11, 2, false, 2048}, {32, 4, false, 70000}}, UINT64_C(70000) * 2048},
    {"exfat", {{3, "EXFAT   "}}, {{72, 8, false, 500}, {108, 1, false, 12}}, 500 * 4096},
    {"iso9660", {{32769, "CD001"}}, {{32848, 4, false, 300}, {32896, 2, false, 2048}}, 300 * 2048},
    {"squashfs", {{0, "hsqs"}}, {{28, 2, false, 4}, {40, 8, false, 123456}}, 123456},
    {"f2fs", {{0, NULL}}, {{1024 + 16, 4, false, 12}, {1024 + 36, 8, false, 800}}, 800 * 4096},
    {"erofs", {{0, NULL}}, {{1024 + 12, 1, false, 12}, {1024 + 36, 4, false, 90}}, 90 * 4096},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static void write_kind(const struct bench *bench, int row)
{
    for (unsigned i = 0; i < 2 && kinds[row].magic[i].text != NULL; i++) {
        put_text(bench, kinds[row].magic[i].offset, kinds[row].magic[i].text);
    }
    for (unsigned i = 0; i < 4 && kinds[row].number[i].width != 0; i++) {
        put_at(bench, kinds[row].number[i].offset, kinds[row].number[i].width,
               kinds[row].number[i].big_endian, kinds[row].number[i].value);
    }
}

START_TEST(each_kind_says_how_large_it_is)
{
    struct bench bench;
    uint64_t bytes = 0;
    bench_open(&bench, DISK);
    const struct kind *kind = kind_of(kinds[_i].type);
    must(kind != NULL && kind->measure != NULL, "%s is not known", kinds[_i].type);
    must(!kind->measure(&bench.source, &bytes), "%s: zeros have a size: %" PRIu64, kinds[_i].type, bytes);
    write_kind(&bench, _i);
    must(kind->measure(&bench.source, &bytes) && bytes == kinds[_i].bytes, "row %d, %s: %" PRIu64, _i,
         kinds[_i].type, bytes);
    must((kind->grow == NULL) <= (kind->why != NULL), "%s: neither a tool nor a reason", kind->type);
    bench_close(&bench);
}
END_TEST

/* All numbers at their largest, one after the other and all at once, and a disk that ends in the middle of
 * them: a size is answered, or none, and nothing overflows. */
START_TEST(sizes_that_are_meant_to_harm)
{
    const struct kind *kind = kind_of(kinds[_i].type);
    struct bench bench;
    uint64_t bytes = 0;
    bench_open(&bench, DISK);
    write_kind(&bench, _i);
    for (unsigned i = 0; i < 4 && kinds[_i].number[i].width != 0; i++) {
        put_at(&bench, kinds[_i].number[i].offset, kinds[_i].number[i].width, false, 0);
        if (kind->measure(&bench.source, &bytes)) {
            must(bytes > 0, "%s: a size of 0", kind->type);
        }
        put_at(&bench, kinds[_i].number[i].offset, kinds[_i].number[i].width, false, UINT64_MAX);
        if (kind->measure(&bench.source, &bytes)) {
            must(bytes > 0, "%s: a size of 0", kind->type);
        }
    }
    for (uint64_t end = 0; end < 8192; end += 509) {
        bench.source.size_bytes = end;
        (void)kind->measure(&bench.source, &bytes);
        (void)kind_ends_the_volume(kind->type, &bench.source);
    }
    bench_close(&bench);
}
END_TEST

START_TEST(what_lies_at_the_end)
{
    struct bench bench;
    uint64_t bytes;
    bench_open(&bench, DISK);
    must(kind_ends_the_volume("linux_raid_member", &bench.source), "no superblock at the beginning");
    must(!kind_of("linux_raid_member")->measure(&bench.source, &bytes), "it takes all of the volume");
    must(kind_ends_the_volume("isw_raid_member", &bench.source), "a controller's");
    must(!kind_ends_the_volume("ext4", &bench.source) && !kind_ends_the_volume("", &bench.source) &&
             !kind_ends_the_volume("LVM2_member", &bench.source),
         "these do not");
    put_at(&bench, 4096, 4, false, 0xa92b4efc);
    put_at(&bench, 4100, 4, false, 1);
    must(!kind_ends_the_volume("linux_raid_member", &bench.source), "1.2 is at the beginning");
    must(kind_of("nonsense") == NULL && kind_of("") == NULL, "unknown kinds");
    bench_close(&bench);
}
END_TEST

/* ---- GPT ---- */

struct header {
    uint64_t lba, alternate, last_usable, entries_lba, bytes;
    uint32_t entries, entry_bytes;
};

static void put_header(const struct bench *bench, const struct header *h)
{
    uint8_t sector[SECTOR] = "EFI PART";
    put_number(sector + 8, 4, false, 0x10000);
    put_number(sector + 12, 4, false, h->bytes);
    put_number(sector + 24, 8, false, h->lba);
    put_number(sector + 32, 8, false, h->alternate);
    put_number(sector + 40, 8, false, 34);
    put_number(sector + 48, 8, false, h->last_usable);
    put_number(sector + 72, 8, false, h->entries_lba);
    put_number(sector + 80, 4, false, h->entries);
    put_number(sector + 84, 4, false, h->entry_bytes);
    put_number(sector + 16, 4, false, crc_ieee(sector, h->bytes <= SECTOR ? h->bytes : 92));
    file_write_at(bench->path, h->lba * SECTOR, sector, sizeof sector);
}

static struct cow_gpt read_gpt(const struct bench *bench)
{
    struct cow_error err = {.status = 0};
    struct cow_gpt gpt;
    must_succeed(gpt_read(&gpt, &bench->source, &err), err);
    return gpt;
}

START_TEST(both_headers)
{
    const uint64_t last = DISK / SECTOR - 1;
    struct header first = {1, last, last - 33, 2, 92, 128, 128},
                  second = {last, 1, last - 33, last - 32, 92, 128, 128};
    struct bench bench;
    bench_open(&bench, DISK);
    struct cow_gpt gpt = read_gpt(&bench);
    must(!gpt.present, "zeros are no GPT");
    put_header(&bench, &first);
    gpt = read_gpt(&bench);
    must(gpt.present && gpt.primary && !gpt.backup && gpt.backup_at_end && gpt.backup_byte == last * SECTOR &&
             gpt.usable_end == (last - 32) * SECTOR,
         "the first alone");
    put_header(&bench, &second);
    gpt = read_gpt(&bench);
    must(gpt.present && gpt.primary && gpt.backup && gpt.backup_at_end, "both");
    file_write_at(bench.path, SECTOR + 57, "x", 1); /* in the checksum */
    gpt = read_gpt(&bench);
    must(gpt.present && !gpt.primary && gpt.backup && gpt.backup_at_end, "the second alone");
    first.alternate = second.lba = last - 100;
    put_header(&bench, &first);
    put_header(&bench, &second);
    gpt = read_gpt(&bench);
    must(gpt.primary && gpt.backup && !gpt.backup_at_end && gpt.backup_byte == (last - 100) * SECTOR,
         "on a disk that has grown");
    bench_close(&bench);
}
END_TEST

static void count_entry(void *context, unsigned partition, uint64_t first_byte, uint64_t size_bytes)
{
    uint64_t *sum = context;
    sum[0]++;
    sum[1] = partition;
    sum[2] = first_byte;
    sum[3] = size_bytes;
}

START_TEST(headers_that_are_meant_to_harm)
{
    static const struct {
        struct header header;
        bool primary;
        uint64_t entries; /* that are listed */
    } table[] = {
        {{1, 8191, 8158, 2, 92, 128, 128}, true, 1},
        {{1, UINT64_MAX, UINT64_MAX, UINT64_MAX, 92, UINT32_MAX, UINT32_MAX}, true, 0},
        {{1, 1, 0, 2, 512, UINT32_MAX, 128}, true, 1}, /* 1024 of them are enough */
        {{1, 0, 0, 2, 92, 0, 128}, true, 0},
        {{1, 8191, 8158, 2, 92, 128, 0}, true, 0},
        {{1, 8191, 8158, 2, 92, 128, 64}, true, 0},
        {{1, 8191, 8158, 2, 513, 128, 128}, false, 0},
        {{1, 8191, 8158, 2, 91, 128, 128}, false, 0},
        {{1, 8191, 8158, 2, UINT32_MAX, 128, 128}, false, 0},
        {{1, 8191, 8158, DISK / SECTOR, 92, 128, 128}, true, 0},
    };
    struct cow_error err = {.status = 0};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct bench bench;
        uint64_t sum[4] = {0};
        bench_open(&bench, DISK);
        put_header(&bench, &table[i].header);
        put_at(&bench, 2 * SECTOR + 128, 8, false, 7); /* the second entry */
        put_at(&bench, 2 * SECTOR + 128 + 32, 8, false, 100);
        put_at(&bench, 2 * SECTOR + 128 + 40, 8, false, 109);
        put_at(&bench, 2 * SECTOR + 256, 8, false, 7); /* the third: it ends before it begins */
        put_at(&bench, 2 * SECTOR + 256 + 32, 8, false, UINT64_MAX);
        put_at(&bench, 2 * SECTOR + 384, 8, false, 7); /* the fourth: no disk has that many bytes */
        put_at(&bench, 2 * SECTOR + 384 + 40, 8, false, UINT64_MAX);
        must(read_gpt(&bench).primary == table[i].primary, "row %zu", i);
        must_succeed(gpt_list(&bench.source, count_entry, sum, &err), err);
        must(sum[0] == table[i].entries, "row %zu: %" PRIu64 " entries", i, sum[0]);
        must(sum[0] == 0 || (sum[1] == 2 && sum[2] == 100 * SECTOR && sum[3] == 10 * SECTOR), "row %zu", i);
        bench_close(&bench);
    }
    for (uint64_t size = 1; size < 4 * SECTOR; size += 255) {
        struct bench bench;
        bench_open(&bench, size);
        must(!read_gpt(&bench).present, "a disk of %" PRIu64 " bytes", size);
        bench_close(&bench);
    }
}
END_TEST

Suite *kinds_suite(void)
{
    Suite *suite = suite_create("kinds");
    TCase *tc = tcase_create("kinds");
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_loop_test(tc, each_kind_says_how_large_it_is, 0, KINDS);
    tcase_add_loop_test(tc, sizes_that_are_meant_to_harm, 0, KINDS);
    tcase_add_test(tc, what_lies_at_the_end);
    tcase_add_test(tc, both_headers);
    tcase_add_test(tc, headers_that_are_meant_to_harm);
    suite_add_tcase(suite, tc);
    return suite;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The header as a stock kernel reads it: four variants rightly, the others wrongly or not at all.
 */
#include "core/format/kernel.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

enum { SIZE = 67108864 };

static struct kernel_header read_exactly(const uint8_t *bytes, size_t n_bytes)
{
    struct kernel_header h;
    uint8_t *exact = malloc(n_bytes + (n_bytes == 0));
    must(exact != NULL, "out of memory");
    memcpy(exact, bytes, n_bytes);
    memset(&h, 0x5a, sizeof h);
    kernel_header_read(&h, exact, n_bytes);
    free(exact);
    return h;
}

static uint32_t alignment_of(int format)
{
    return shapes[format].kind == 'a' ? 65536 : 0;
}

static bool kernel_knows(int format)
{
    return format == COW_FORMAT_V1 || format == COW_FORMAT_V2 || format == COW_FORMAT_V3 ||
           format == COW_FORMAT_V3_64;
}

START_TEST(reads_the_variants_it_knows)
{
    uint8_t bytes[COW_HEADER_BYTES_MAX];
    model_header(bytes, (enum cow_format)_i, "/srv/root_fs", SIZE, 512, alignment_of(_i), MODEL_MTIME, true);
    struct kernel_header h = read_exactly(bytes, sizeof bytes);
    if (!kernel_knows(_i)) {
        must(h.refusal != NULL || h.size_bytes != SIZE, "%s would open", shapes[_i].name);
        return;
    }
    struct geometry g = model_geometry((enum cow_format)_i, SIZE, 512, alignment_of(_i));
    must(h.refusal == NULL && !h.raw, "%s: %s", shapes[_i].name, h.refusal);
    ck_assert_uint_eq(h.size_bytes, SIZE);
    ck_assert_int_eq(h.mtime, MODEL_MTIME);
    ck_assert_uint_eq(h.sector_bytes, 512);
    ck_assert_uint_eq(h.alignment, alignment_of(_i));
    ck_assert_uint_eq(h.bitmap_offset, g.bitmap_offset);
    ck_assert_uint_eq(h.data_offset, g.data_offset);
    ck_assert_str_eq(h.backing_path, "/srv/root_fs");
    ck_assert_uint_eq(h.version, shapes[_i].kind == 'a' ? 3 : _i == COW_FORMAT_V1 ? 1 : 2);
}
END_TEST

START_TEST(a_short_header_is_a_raw_disk)
{
    uint8_t bytes[COW_HEADER_BYTES_MAX];
    model_header(bytes, (enum cow_format)_i, "/srv/root_fs", SIZE, 512, alignment_of(_i), MODEL_MTIME, true);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        struct kernel_header h = read_exactly(bytes, n);
        must(!kernel_knows(_i) || (h.refusal == NULL) == (n >= shapes[_i].header_bytes),
             "%s of %zu bytes: %s", shapes[_i].name, n, h.refusal == NULL ? "read" : h.refusal);
        must((h.refusal != NULL) == h.raw, "%s of %zu bytes: raw is %d", shapes[_i].name, n, h.raw);
    }
}
END_TEST

START_TEST(what_is_no_header_is_a_raw_disk)
{
    static const char *const magics[] = {"\0\0\0\0\0\0\0\3", "QFI\xfb\0\0\0\2", "OOOM\0\0\0\4",
                                         "OOOM\0\0\0\0", "MOOO\3\0\0\1"};
    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++) {
        uint8_t bytes[COW_HEADER_BYTES_MAX] = {0};
        memcpy(bytes, magics[i], 8);
        struct kernel_header h = read_exactly(bytes, sizeof bytes);
        must(h.refusal != NULL && h.raw, "row %zu is read", i);
        if (i == 2) {
            ck_assert_str_eq(h.refusal, "read_cow_header - invalid COW version");
        }
    }
}
END_TEST

START_TEST(nothing_in_a_header_is_too_odd)
{
    struct rng rng = {8};
    for (unsigned round = 0; round < 5000; round++) {
        uint8_t bytes[COW_HEADER_BYTES_MAX];
        const struct shape *shape = &shapes[round % COW_FORMATS];
        rng_fill(&rng, bytes, sizeof bytes);
        memcpy(bytes, shape->magic, shape->magic_bytes);
        if (round % 2 == 0) { /* zeros in the divisors */
            memset(bytes + shape->sector, 0, 4);
            memset(bytes + (shape->alignment != 0 ? shape->alignment : shape->sector), 0, 4);
        }
        struct kernel_header h = read_exactly(bytes, sizeof bytes);
        must(memchr(h.backing_path, 0, sizeof h.backing_path) != NULL, "path without end");
    }
}
END_TEST

START_TEST(a_mark_is_a_size_that_no_file_has)
{
    uint8_t bytes[COW_HEADER_BYTES_MAX];
    if (kernel_knows(_i)) {
        model_header(bytes, (enum cow_format)_i, "/b", UINT64_MAX, 512, alignment_of(_i), MODEL_MTIME, false);
        struct kernel_header h = read_exactly(bytes, sizeof bytes);
        must(h.refusal != NULL || h.size_bytes == UINT64_MAX, "%s: %" PRIu64, shapes[_i].name, h.size_bytes);
    }
}
END_TEST

START_TEST(a_late_mtime_is_unsigned_in_v3)
{
    uint8_t bytes[COW_HEADER_BYTES_MAX];
    for (int format = COW_FORMAT_V3; format <= COW_FORMAT_V3_64; format++) {
        model_header(bytes, (enum cow_format)format, "/b", SIZE, 512, 4096, UINT32_MAX, false);
        ck_assert_int_eq(read_exactly(bytes, sizeof bytes).mtime, UINT32_MAX);
    }
}
END_TEST

/* As measured (tests/guest holds the like against a real kernel). */
START_TEST(what_its_command_line_can_name)
{
    static const struct {
        const char *path;
        enum kernel_naming naming;
        const char *boot;
    } names[] = {
        {"root.cow", KERNEL_NAMES_IT, "boot with ubd0=root.cow"},
        {"/d/a'b$c=d\\e.cow", KERNEL_NAMES_IT, NULL},
        {"\xc3\xa4.cow", KERNEL_NAMES_IT, NULL},
        {"a b.cow", KERNEL_NAMES_IT_QUOTED, "boot with 'ubd0=\"a b.cow\"' "},
        {"a\tb.cow", KERNEL_NAMES_IT_QUOTED, NULL},
        {"a\nb.cow", KERNEL_NAMES_IT_QUOTED, NULL},
        {"\xc3\xa0.cow", KERNEL_NAMES_IT_QUOTED, NULL}, /* its second byte is a blank in Latin 1 */
        {"a:b.cow", KERNEL_CANNOT_NAME_IT, "ubd0= cannot name it"},
        {"/a,b/c.cow", KERNEL_CANNOT_NAME_IT, NULL},
        {"a b:c.cow", KERNEL_CANNOT_NAME_IT, NULL},
        {"\"a.cow", KERNEL_CANNOT_NAME_IT, NULL},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char text[4096];
        must(kernel_naming_of(names[i].path) == names[i].naming, "%s", names[i].path);
        kernel_boot_text(text, sizeof text, names[i].path);
        must(names[i].boot == NULL || strncmp(text, names[i].boot, strlen(names[i].boot)) == 0, "%s", text);
    }
}
END_TEST

Suite *kernel_suite(void)
{
    Suite *suite = suite_create("kernel");
    TCase *tc = tcase_create("kernel");
    tcase_set_timeout(tc, 30);
    tcase_add_loop_test(tc, reads_the_variants_it_knows, 0, COW_FORMATS);
    tcase_add_loop_test(tc, a_short_header_is_a_raw_disk, 0, COW_FORMATS);
    tcase_add_test(tc, what_is_no_header_is_a_raw_disk);
    tcase_add_test(tc, nothing_in_a_header_is_too_odd);
    tcase_add_loop_test(tc, a_mark_is_a_size_that_no_file_has, 0, COW_FORMATS);
    tcase_add_test(tc, a_late_mtime_is_unsigned_in_v3);
    tcase_add_test(tc, what_its_command_line_can_name);
    suite_add_tcase(suite, tc);
    return suite;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where bitmap and data lie, against the model's formula, and how far an image can grow in place.
 */
#include "cow/layout.h"

#include <inttypes.h>
#include <string.h>

#include "support.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define TIB (UINT64_C(1) << 40)

static struct cow_header header_of(enum cow_format format, uint64_t size_bytes, uint32_t sector_bytes,
                                   uint32_t alignment)
{
    return (struct cow_header){.format = format,
                               .size_bytes = size_bytes,
                               .sector_bytes = sector_bytes,
                               .alignment = alignment,
                               .backing_path = "/b"};
}

static void check_geometry(enum cow_format format, uint64_t size_bytes, uint32_t sector_bytes,
                           uint32_t alignment)
{
    struct cow_header h = header_of(format, size_bytes, sector_bytes, alignment);
    struct cow_layout l;
    struct cow_error err = {.status = 0};
    must_succeed(cow_layout_of(&l, &h, &err), err);
    struct geometry g = model_geometry(format, size_bytes, sector_bytes, alignment);
    must(l.sectors == g.sectors && l.mapped_sectors == g.mapped && l.bitmap_offset == g.bitmap_offset &&
             l.bitmap_bytes == g.bitmap_bytes && l.data_offset == g.data_offset &&
             l.end_offset == g.end_offset && l.header_bytes == shapes[format].header_bytes,
         "%s size %" PRIu64 " sector %u alignment %u: sectors %" PRIu64 " mapped %" PRIu64 " bitmap %" PRIu64
         "+%" PRIu64 " data %" PRIu64 " end %" PRIu64 ", not %" PRIu64 " %" PRIu64 " %" PRIu64 "+%" PRIu64
         " %" PRIu64 " %" PRIu64,
         shapes[format].name, size_bytes, sector_bytes, alignment, l.sectors, l.mapped_sectors,
         l.bitmap_offset, l.bitmap_bytes, l.data_offset, l.end_offset, g.sectors, g.mapped, g.bitmap_offset,
         g.bitmap_bytes, g.data_offset, g.end_offset);
}

START_TEST(geometry_matrix)
{
    static const uint64_t sector_counts[] = {1, 7, 8, 9, 63, 64, 65, 1859, 3907, 32767, 32768, 32769};
    static const uint64_t sizes[] = {2 * GIB - 512, 2 * GIB,       2 * GIB + 512, 4 * GIB - 512,
                                     4 * GIB,       4 * GIB + 512, 8 * TIB - GIB, 8 * TIB - 512};
    static const uint32_t alignments[] = {1, 8, 512, 4096, 5000, 65536, 1 << 20, 1 << 29, INT32_MAX};
    const enum cow_format format = (enum cow_format)_i;
    const char kind = shapes[format].kind;
    const size_t n_alignments = kind == 'a' ? sizeof alignments / sizeof alignments[0] : 1;
    for (uint32_t sector = 512; sector <= (kind == 'q' ? 512 : 65536); sector *= 2) {
        for (size_t a = 0; a < n_alignments; a++) {
            const uint32_t alignment = kind == 'a' ? alignments[a] : 0;
            for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
                check_geometry(format, sizes[i], sector, alignment);
            }
            for (size_t i = 0; i < sizeof sector_counts / sizeof sector_counts[0]; i++) {
                const uint64_t whole = sector_counts[i] * sector;
                check_geometry(format, whole, sector, alignment);
                if (kind != 'q') { /* partial last sectors: of one byte, and all but one */
                    check_geometry(format, whole - sector + 1, sector, alignment);
                    check_geometry(format, whole - 1, sector, alignment);
                }
            }
        }
    }
}
END_TEST

START_TEST(known_geometries)
{
    /* Of real files: v1 with 1859 sectors and v2 with 3907 have no byte between bitmap and data. */
    struct cow_layout l;
    struct cow_header h = header_of(COW_FORMAT_V1, 1859 * 512, 512, 0);
    ck_assert_int_eq(cow_layout_of(&l, &h, NULL), 0);
    ck_assert_uint_eq(l.bitmap_offset + l.bitmap_bytes, l.data_offset);
    ck_assert_uint_eq(l.mapped_sectors, 1856);
    h = header_of(COW_FORMAT_V2, 3907 * 512, 512, 0);
    ck_assert_int_eq(cow_layout_of(&l, &h, NULL), 0);
    ck_assert_uint_eq(l.bitmap_offset + l.bitmap_bytes, l.data_offset);
    h = header_of(COW_FORMAT_V3, 67108864, 512, 4096);
    ck_assert_int_eq(cow_layout_of(&l, &h, NULL), 0);
    ck_assert_uint_eq(l.bitmap_offset, 8192);
    ck_assert_uint_eq(l.data_offset, 24576);
    ck_assert_uint_eq(l.end_offset, 67133440);
}
END_TEST

START_TEST(an_unfinished_header_has_no_layout)
{
    struct cow_header h = header_of(COW_FORMAT_V3, 0, 512, 4096);
    struct cow_layout l, before;
    struct cow_error err = {.status = 0};
    memset(&l, 0x5a, sizeof l);
    before = l;
    h.unfinished = true;
    must_fail(cow_layout_of(&l, &h, &err), COW_INVALID, err);
    must(memcmp(&l, &before, sizeof l) == 0, "a failure touched the layout");
}
END_TEST

START_TEST(nothing_overflows)
{
    struct rng rng = {11};
    for (unsigned i = 0; i < 20000; i++) {
        struct cow_header h =
            header_of((enum cow_format)rng_below(&rng, COW_FORMATS), rng_next(&rng) >> rng_below(&rng, 40),
                      512u << rng_below(&rng, 8), 1 + (uint32_t)rng_below(&rng, UINT32_MAX));
        struct cow_layout l;
        struct cow_error err = {.status = 0};
        h.size_bytes = h.size_bytes == 0 ? 1 : h.size_bytes;
        int status = cow_layout_of(&l, &h, &err);
        must(status == 0 || status == COW_INVALID, "status %d", status);
        must(status != 0 || (l.end_offset <= INT64_MAX && l.bitmap_offset >= l.header_bytes &&
                             l.data_offset >= l.bitmap_offset + l.bitmap_bytes &&
                             l.end_offset >= l.data_offset && l.mapped_sectors <= l.sectors),
             "%s size %" PRIu64 " sector %u alignment %u", shapes[h.format].name, h.size_bytes,
             h.sector_bytes, h.alignment);
    }
}
END_TEST

/* ---- growing in place ---- */

START_TEST(capacity_is_exact)
{
    struct rng rng = {12};
    for (unsigned i = 0; i < 3000; i++) {
        const uint32_t alignment =
            i < 40 ? 1u << i % 31 : 1 + (uint32_t)rng_below(&rng, 1u << rng_below(&rng, 31));
        const uint64_t size = (1 + (rng_next(&rng) >> 30 >> rng_below(&rng, 34)) % (8 * TIB / 512 - 1)) * 512;
        const struct geometry now = model_geometry(COW_FORMAT_V3, size, 512, alignment);
        const uint64_t capacity = cow_layout_capacity(alignment, now.data_offset);
        must(capacity % 512 == 0 && capacity >= size && capacity < 8 * TIB,
             "size %" PRIu64 " alignment %u: capacity %" PRIu64, size, alignment, capacity);
        must(model_geometry(COW_FORMAT_V3, capacity, 512, alignment).data_offset == now.data_offset,
             "size %" PRIu64 " alignment %u: at capacity %" PRIu64 " the data moves", size, alignment,
             capacity);
        must(capacity == 8 * TIB - 512 ||
                 model_geometry(COW_FORMAT_V3, capacity + 512, 512, alignment).data_offset > now.data_offset,
             "size %" PRIu64 " alignment %u: more than %" PRIu64 " would fit", size, alignment, capacity);
    }
}
END_TEST

START_TEST(known_capacities)
{
    /* With alignment A, bitmap at A and data at 2A, the disk can grow to A * 8 sectors. */
    ck_assert_uint_eq(cow_layout_capacity(65536, 131072), 256 * MIB);
    ck_assert_uint_eq(cow_layout_capacity(1 << 20, 2 << 20), 4 * GIB);
    ck_assert_uint_eq(cow_layout_capacity(1 << 29, 1 << 30), 2 * TIB);
    ck_assert_uint_eq(cow_layout_capacity(4096, 24576), 64 * MIB);
    /* Data in front of where a bitmap could be: nothing fits. */
    ck_assert_uint_eq(cow_layout_capacity(4096, 0), 0);
    ck_assert_uint_eq(cow_layout_capacity(4096, 8192), 0);
}
END_TEST

/* How far a disk could grow with a power of two, by the model; 0: its offsets do not fit a signed 32-bit int.
 */
static uint64_t reach(uint64_t size_bytes, uint32_t alignment)
{
    struct geometry g = model_geometry(COW_FORMAT_V3, size_bytes, 512, alignment);
    if (g.data_offset > INT32_MAX) {
        return 0;
    }
    uint64_t bits = (g.data_offset - g.bitmap_offset) * 8;
    return bits >= 8 * TIB / 512 ? 8 * TIB - 512 : bits * 512;
}

static void check_choice(uint64_t size_bytes, uint64_t reserve)
{
    const uint64_t wanted = reserve != 0 ? reserve : 2 * size_bytes > 4 * GIB ? 2 * size_bytes : 4 * GIB;
    bool any = false, large = false, enough = false;
    for (uint32_t alignment = 512; alignment <= 1u << 30; alignment *= 2) {
        const uint64_t far = reach(size_bytes, alignment);
        any = any || far != 0;
        large = large || (alignment >= MIB && far != 0);
        enough = enough || (alignment >= MIB && far >= wanted && wanted < 8 * TIB);
    }
    uint32_t alignment = 77;
    struct cow_error err = {.status = 0};
    int status = cow_layout_choose_alignment(&alignment, size_bytes, reserve, &err);
    if (!any || (reserve != 0 && !enough && status != 0)) {
        must(status == COW_INVALID && alignment == 77 && err.message[0] != '\0',
             "size %" PRIu64 " reserve %" PRIu64 ": %d, alignment %u", size_bytes, reserve, status,
             alignment);
        return;
    }
    must(status == 0, "size %" PRIu64 " reserve %" PRIu64 ": %s", size_bytes, reserve, err.message);
    const uint64_t far = reach(size_bytes, alignment);
    must(alignment != 0 && (alignment & (alignment - 1)) == 0, "%u is no power of two", alignment);
    must(far >= size_bytes, "size %" PRIu64 ": alignment %u gives offsets out of range", size_bytes,
         alignment);
    must(!large || alignment >= MIB, "size %" PRIu64 " reserve %" PRIu64 ": alignment %u", size_bytes,
         reserve, alignment);
    must(!(enough || reserve != 0) || far >= wanted,
         "size %" PRIu64 " reserve %" PRIu64 ": alignment %u reaches %" PRIu64, size_bytes, reserve,
         alignment, far);
}

START_TEST(the_chosen_alignment_keeps_its_word)
{
    static const uint64_t sizes[] = {
        512,           32768,         64 * MIB,      128 * MIB, 2 * GIB - 512, 2 * GIB,       2 * GIB + 512,
        4 * GIB - 512, 4 * GIB,       4 * GIB + 512, 100 * GIB, TIB,           2 * TIB,       4 * TIB - 512,
        4 * TIB,       4 * TIB + 512, 6 * TIB,       7 * TIB,   8 * TIB - GIB, 8 * TIB - MIB, 8 * TIB - 512};
    static const uint64_t reserves[] = {
        0,       1,       512,     MIB,           GIB,     4 * GIB,       4 * GIB + 512, TIB,
        2 * TIB, 3 * TIB, 4 * TIB, 4 * TIB + 512, 6 * TIB, 8 * TIB - GIB, 8 * TIB,       UINT64_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (size_t k = 0; k < sizeof reserves / sizeof reserves[0]; k++) {
            check_choice(sizes[i], reserves[k]);
        }
    }
    struct rng rng = {13};
    for (unsigned i = 0; i < 3000; i++) {
        uint64_t size = (1 + (rng_next(&rng) >> 30 >> rng_below(&rng, 30)) % (8 * TIB / 512 - 1)) * 512;
        check_choice(size, rng_below(&rng, 2) != 0 ? 0 : size + rng_below(&rng, 8 * TIB - size));
    }
}
END_TEST

START_TEST(a_reserve_that_is_possible_is_granted)
{
    /* 1 MiB: 4 GiB; doubling from there on. */
    static const struct {
        uint64_t size, reserve;
        uint32_t alignment;
    } table[] = {
        {64 * MIB, 0, 1 << 20},       {64 * MIB, 4 * GIB, 1 << 20}, {64 * MIB, 4 * GIB + 512, 1 << 21},
        {64 * MIB, 2 * TIB, 1 << 29}, {3 * GIB, 0, 1 << 21},        {4 * GIB, 0, 1 << 21}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        uint32_t alignment = 0;
        ck_assert_int_eq(cow_layout_choose_alignment(&alignment, table[i].size, table[i].reserve, NULL), 0);
        must(alignment == table[i].alignment, "row %zu: %u", i, alignment);
    }
}
END_TEST

START_TEST(impossible_disks_are_refused)
{
    static const struct {
        uint64_t size, reserve;
    } table[] = {{0, 0}, {8 * TIB, 0}, {UINT64_MAX, 0}, {64 * MIB, 8 * TIB}, {4 * TIB, 8 * TIB - 512}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        uint32_t alignment = 77;
        struct cow_error err = {.status = 0};
        must_fail(cow_layout_choose_alignment(&alignment, table[i].size, table[i].reserve, &err), COW_INVALID,
                  err);
        must(alignment == 77, "row %zu touched its output", i);
        must(table[i].reserve == 0 || err.hint[0] != '\0', "row %zu does not tell what is possible", i);
    }
}
END_TEST

Suite *layout_suite(void)
{
    Suite *suite = suite_create("layout");
    TCase *tc = tcase_create("geometry");
    tcase_add_loop_test(tc, geometry_matrix, 0, COW_FORMATS);
    tcase_add_test(tc, known_geometries);
    tcase_add_test(tc, an_unfinished_header_has_no_layout);
    tcase_add_test(tc, nothing_overflows);
    suite_add_tcase(suite, tc);
    tc = tcase_create("growing");
    tcase_add_test(tc, capacity_is_exact);
    tcase_add_test(tc, known_capacities);
    tcase_add_test(tc, the_chosen_alignment_keeps_its_word);
    tcase_add_test(tc, a_reserve_that_is_possible_is_granted);
    tcase_add_test(tc, impossible_disks_are_refused);
    suite_add_tcase(suite, tc);
    return suite;
}

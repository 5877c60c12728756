/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Making a disk smaller: refused, with exact numbers, where a sector that matters or the guest's filesystem
 * lies beyond the new end. (Successes over all variants are in the matrix of commits, too.)
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "changes.h"

static struct change usual(enum cow_format format, uint32_t sector_bytes)
{
    return (struct change){.operation = OPERATION_SHRINK,
                           .spec = {.format = format,
                                    .sector_bytes = sector_bytes,
                                    .alignment = shapes[format].kind == 'a' ? 4096 : 0,
                                    .size_bytes = 800 * 512,
                                    .backing_bytes = 800 * 512,
                                    .pattern = PATTERN_ALL,
                                    .dull_from = 400 * 512,
                                    .seed = 6},
                           .new_bytes = 400 * 512};
}

static int shrink_to(const struct subject *s, uint64_t size_bytes, struct cow_error *err)
{
    struct cow_image *img;
    struct cow_plan *plan = NULL;
    const struct cow_resize_options opt = {
        .size_bytes = size_bytes, .policy = COW_POLICY_COPY, .shrink = true};
    must_succeed(cow_image_open(&img, s->model->cow_path, NULL, err), *err);
    int status = cow_plan_resize(&plan, img, &opt, err);
    cow_plan_free(plan);
    cow_image_close(img);
    return status;
}

/* Each number stands in the message as a word. */
static bool says(const char *text, uint64_t number)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRIu64, number);
    for (const char *at = strstr(text, digits); at != NULL; at = strstr(at + 1, digits)) {
        const char after = at[strlen(digits)];
        if ((at == text || at[-1] == ' ') &&
            (after == ' ' || after == '\0' || after == ',' || after == ';')) {
            return true;
        }
    }
    return false;
}

/* Refused for so many sectors, the last of which ends there; and the hint's size would be taken. */
static void check_losses(const struct subject *s, uint64_t size_bytes, uint64_t sectors, uint64_t last_byte)
{
    struct cow_error err = {.status = 0};
    char words[64], exact[COW_SIZE_TEXT_BYTES];
    int status = shrink_to(s, size_bytes, &err);
    must(status == COW_REFUSED, "%s to %" PRIu64 ": %d: %s", subject_describe(s), size_bytes, status,
         err.message);
    must_fail(status, COW_REFUSED, err);
    snprintf(words, sizeof words, " %" PRIu64 " sectors past ", sectors);
    must(strstr(err.message, words) != NULL && says(err.message, last_byte),
         "%s to %" PRIu64 ": not%sand %" PRIu64 ": %s", subject_describe(s), size_bytes, words, last_byte,
         err.message);
    const uint64_t least = (last_byte + 511) / 512 * 512;
    must(strstr(err.hint, cow_size_argument(exact, least)) != NULL, "%s is not in \"%s\"", exact, err.hint);
    if (least < s->change.spec.size_bytes) {
        must_succeed(shrink_to(s, least, &err), err);
    }
    subject_check_untouched(s, "refused");
}

/* Data in that sector of the image: something that neither the backing has nor is zero. */
static void write_sector(struct subject *s, uint64_t sector)
{
    const uint32_t ss = s->change.spec.sector_bytes;
    const uint64_t left = s->change.spec.size_bytes - sector * ss;
    file_write_at(s->model->cow_path,
                  s->model->geometry.data_offset + sector * ss + (left < ss ? left : ss) - 3, "\x11\x22\x33",
                  3);
    subject_look_again(s);
}

static const struct {
    enum cow_format format;
    uint32_t sector_bytes;
} kinds[] = {{COW_FORMAT_V3, 512},    {COW_FORMAT_V3, 1024},     {COW_FORMAT_V3, 4096},
             {COW_FORMAT_V3, 65536},  {COW_FORMAT_V2, 4096},     {COW_FORMAT_V1, 1024},
             {COW_FORMAT_V3_64, 512}, {COW_FORMAT_V2_LONG, 512}, {COW_FORMAT_QEMU, 512}};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

START_TEST(a_sector_that_matters)
{
    const uint32_t ss = kinds[_i].sector_bytes;
    struct change change = usual(kinds[_i].format, ss);
    struct cow_error err = {.status = 0};
    struct subject *s = subject_create(&change);
    const uint64_t sectors = s->model->geometry.sectors, mapped = s->model->geometry.mapped;
    const uint64_t first = (change.new_bytes + ss - 1) / ss;
    /* The model put no data past the new end but zeros and what the backing has. */
    must_succeed(shrink_to(s, change.new_bytes, &err), err);
    must_succeed(shrink_to(s, first * ss, &err), err);
    must(first < mapped, "the test itself");
    const uint64_t last_end = mapped < sectors                        ? mapped * ss
                              : sectors * ss < change.spec.size_bytes ? sectors * ss
                                                                      : change.spec.size_bytes;
    write_sector(s, mapped - 1);
    check_losses(s, change.new_bytes, 1, last_end);
    write_sector(s, first);
    check_losses(s, change.new_bytes, mapped - 1 == first ? 1 : 2, last_end);
    check_losses(s, first * ss, mapped - 1 == first ? 1 : 2, last_end);
    if (first + 2 < mapped) {
        write_sector(s, first + 1);
        check_losses(s, change.new_bytes, mapped - 2 == first + 1 ? 3 : 3, last_end);
        check_losses(s, (first + 1) * ss, 2, last_end);
        check_losses(s, (first + 2) * ss, 1, last_end);
    }
    subject_free(s);
}
END_TEST

/* The new end lies within a sector: what of it is cut off counts once. */
START_TEST(a_new_end_within_a_sector)
{
    static const uint32_t sizes[] = {1024, 4096, 65536};
    for (unsigned i = 0; i < 3; i++) {
        const uint32_t ss = sizes[i];
        struct change change = usual(COW_FORMAT_V3, ss);
        struct cow_error err = {.status = 0};
        change.spec.dull_from = 2 * 65536 - 512;
        change.new_bytes = change.spec.dull_from;
        struct subject *s = subject_create(&change);
        must_succeed(shrink_to(s, change.new_bytes, &err), err);
        const uint64_t k = 2 * 65536 / ss; /* a sector whose first half would fall into the chunk before */
        write_sector(s, k);
        check_losses(s, change.new_bytes, 1, (k + 1) * ss);
        file_write_at(s->model->cow_path, s->model->geometry.data_offset + k * ss, "\x44", 1);
        subject_look_again(s);
        check_losses(s, change.new_bytes, 1, (k + 1) * ss);
        write_sector(s, k - 1); /* the one that is cut, behind the cut */
        check_losses(s, change.new_bytes, 2, (k + 1) * ss);
        subject_free(s);
    }
}
END_TEST

START_TEST(what_is_clean_does_not_matter)
{
    for (enum pattern pattern = PATTERN_NONE; pattern < PATTERNS; pattern++) {
        struct change change = usual(COW_FORMAT_V3, 512);
        struct cow_error err = {.status = 0};
        bool planned;
        change.spec.pattern = pattern;
        change.spec.garbage = true; /* orphans among the clean ones */
        change.spec.short_file = pattern % 2 == 1;
        change.spec.backing_bytes = 1000 * 512 - 300; /* longer, and odd */
        struct subject *s = subject_create(&change);
        must_succeed(subject_run(s, NULL, NULL, &planned, &err), err);
        subject_check_done(s, "clean");
        subject_check_undo(s, "clean");
        subject_free(s);
    }
}
END_TEST

/* Holes in the COW read as zeros, and zeros do not matter; not even over a backing that is not zero. */
START_TEST(holes_do_not_matter)
{
    struct change change = usual(COW_FORMAT_V3, 512);
    struct cow_error err = {.status = 0};
    bool planned;
    struct subject *s = subject_create(&change);
    file_truncate(s->model->cow_path, s->model->geometry.data_offset + change.new_bytes);
    subject_look_again(s); /* all past the new end is dirty and missing */
    must_succeed(subject_run(s, NULL, NULL, &planned, &err), err);
    subject_check_done(s, "holes");
    subject_check_undo(s, "holes");
    subject_free(s);
}
END_TEST

START_TEST(without_a_backing_only_zeros_do_not_matter)
{
    struct change change = usual(COW_FORMAT_QEMU, 512);
    struct cow_error err = {.status = 0};
    bool planned;
    change.spec.backing_bytes = NO_BACKING;
    struct subject *s = subject_create(&change);
    write_sector(s, 500);
    check_losses(s, change.new_bytes, 1, 501 * 512);
    const uint8_t zeros[512] = {0};
    file_write_at(s->model->cow_path, s->model->geometry.data_offset + 500 * 512, zeros, sizeof zeros);
    subject_look_again(s);
    must_succeed(subject_run(s, NULL, NULL, &planned, &err), err);
    subject_check_done(s, "no backing");
    subject_check_undo(s, "no backing");
    subject_free(s);
}
END_TEST

START_TEST(odd_sizes)
{
    for (unsigned n = 0; n < 24; n++) {
        struct change change = usual(n % 3 == 0   ? COW_FORMAT_V3
                                     : n % 3 == 1 ? COW_FORMAT_V2
                                                  : COW_FORMAT_V1_BE_64,
                                     n % 4 < 2 ? 512 : 4096);
        struct cow_error err = {.status = 0};
        bool planned;
        change.spec.size_bytes = 800 * 512 - 1 - n * 20;
        change.spec.backing_bytes = n % 5 == 4 ? 100 * 512 + 17 : change.spec.size_bytes;
        change.spec.pattern = n % 2 == 0 ? PATTERN_ALL : PATTERN_RANDOM;
        change.spec.garbage = n % 7 < 4;
        change.spec.seed = n;
        change.new_bytes = change.spec.dull_from =
            n % 6 == 5 ? change.spec.size_bytes / 512 * 512 : (300 + n * 3) * 512;
        struct subject *s = subject_create(&change);
        int status = subject_run(s, NULL, NULL, &planned, &err);
        must(status == 0, "%s: %s", subject_describe(s), err.message);
        subject_check_done(s, "odd");
        subject_check_undo(s, "odd");
        subject_free(s);
    }
}
END_TEST

START_TEST(elsewhere)
{
    struct change change = usual(COW_FORMAT_V2, 512);
    struct cow_error err = {.status = 0};
    bool planned;
    change.elsewhere = true;
    struct subject *s = subject_create(&change);
    must_succeed(subject_run(s, NULL, NULL, &planned, &err), err);
    subject_check_done(s, "elsewhere");
    subject_free(s);
}
END_TEST

/* Changed between the plan and the commit: what is lost would be another thing now. */
START_TEST(what_is_written_after_the_plan_is_not_lost)
{
    struct change change = usual(COW_FORMAT_V3, 512);
    struct cow_error err = {.status = 0};
    struct cow_image *img;
    struct cow_plan *plan;
    struct subject *s = subject_create(&change);
    const struct cow_resize_options opt = {
        .size_bytes = change.new_bytes, .policy = COW_POLICY_COPY, .shrink = true};
    must_succeed(cow_image_open(&img, s->model->cow_path, NULL, &err), err);
    must_succeed(cow_plan_resize(&plan, img, &opt, &err), err);
    write_sector(s, 700);
    must_fail(cow_plan_commit(plan, NULL, &err), COW_REFUSED, err);
    cow_plan_free(plan);
    cow_image_close(img);
    subject_check_untouched(s, "written after the plan");
    subject_free(s);
}
END_TEST

/* ---- the guest's filesystem ---- */

struct super {
    uint64_t blocks;
    unsigned shift; /* of the block size, from 1 KiB */
    bool wide;      /* the feature that makes blocks 64 bits wide */
    unsigned magic;
};

/* Puts a superblock on the composed disk, into the COW or the backing. */
static void write_super(struct subject *s, bool in_cow, const struct super *super)
{
    uint8_t bytes[1024] = {0};
    put_number(bytes + 4, 4, false, super->blocks & UINT32_MAX);
    put_number(bytes + 336, 4, false, super->blocks >> 32);
    put_number(bytes + 24, 4, false, super->shift);
    put_number(bytes + 56, 2, false, super->magic);
    put_number(bytes + 96, 4, false, super->wide ? 0x82 : 0x02);
    if (in_cow) {
        file_write_at(s->model->cow_path, s->model->geometry.data_offset + 1024, bytes, sizeof bytes);
    } else {
        file_write_at(s->model->backing_path, 1024, bytes, sizeof bytes);
        file_set_mtime(s->model->backing_path, MODEL_MTIME);
        s->backing = witness_of(s->model->backing_path);
    }
    subject_look_again(s);
}

START_TEST(the_guests_filesystem_has_to_fit)
{
    static const struct {
        struct super super;
        uint64_t bytes; /* 0: it does not count */
    } table[] = {
        {{450, 0, false, 0xef53}, 450 * 1024},
        {{401, 0, false, 0xef53}, 401 * 1024},
        {{200, 0, false, 0xef53}, 0}, /* exactly as large as the new size */
        {{199, 0, false, 0xef53}, 0},
        {{50, 2, false, 0xef53}, 0},
        {{51, 2, false, 0xef53}, 51 * 4096},
        {{101, 1, false, 0xef53}, 101 * 2048},
        {{(UINT64_C(1) << 32) + 5, 2, true, 0xef53}, ((UINT64_C(1) << 32) + 5) * 4096},
        {{(UINT64_C(1) << 32) + 5, 2, false, 0xef53},
         0}, /* the high word means nothing without the feature */
        {{UINT32_MAX, 2, false, 0xef53}, UINT64_C(4096) * UINT32_MAX},
        {{450, 0, false, 0xef52}, 0}, /* another filesystem */
        {{450, 0, false, 0}, 0},
    };
    const bool in_cow = _i % 2 == 0;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct change change = usual(COW_FORMAT_V3, 512);
        struct cow_error err = {.status = 0};
        change.spec.pattern = in_cow ? PATTERN_ALL : PATTERN_NONE;
        struct subject *s = subject_create(&change);
        write_super(s, in_cow, &table[i].super);
        int status = shrink_to(s, change.new_bytes, &err);
        if (table[i].bytes == 0) {
            must(status == 0, "row %zu: %s", i, err.message);
        } else {
            must(status == COW_REFUSED, "row %zu: %d: %s", i, status, err.message);
            must_fail(status, COW_REFUSED, err);
            must(says(err.message, table[i].bytes) && says(err.message, change.new_bytes),
                 "row %zu: not %" PRIu64 " and %" PRIu64 ": %s", i, table[i].bytes, change.new_bytes,
                 err.message);
            must(strstr(err.hint, "resize2fs") != NULL, "row %zu: \"%s\"", i, err.hint);
            subject_check_untouched(s, "the filesystem does not fit");
        }
        subject_free(s);
    }
}
END_TEST

/* The superblock is what the guest sees: the COW's, where it has one. */
START_TEST(the_composed_superblock_counts)
{
    const struct super large = {450, 0, false, 0xef53}, small = {100, 0, false, 0xef53};
    struct change change = usual(COW_FORMAT_V3, 512);
    struct cow_error err = {.status = 0};
    struct subject *s = subject_create(&change);
    write_super(s, false, &large);
    write_super(s, true, &small);
    must_succeed(shrink_to(s, change.new_bytes, &err), err);
    write_super(s, false, &small);
    write_super(s, true, &large);
    must_fail(shrink_to(s, change.new_bytes, &err), COW_REFUSED, err);
    subject_free(s);
}
END_TEST

Suite *shrink_suite(void)
{
    Suite *suite = suite_create("shrink");
    TCase *tc = tcase_create("shrink");
    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, test_directory_setup, NULL);
    tcase_add_loop_test(tc, a_sector_that_matters, 0, KINDS);
    tcase_add_test(tc, a_new_end_within_a_sector);
    tcase_add_test(tc, what_is_clean_does_not_matter);
    tcase_add_test(tc, holes_do_not_matter);
    tcase_add_test(tc, without_a_backing_only_zeros_do_not_matter);
    tcase_add_test(tc, odd_sizes);
    tcase_add_test(tc, elsewhere);
    tcase_add_test(tc, what_is_written_after_the_plan_is_not_lost);
    tcase_add_loop_test(tc, the_guests_filesystem_has_to_fit, 0, 2);
    tcase_add_test(tc, the_composed_superblock_counts);
    suite_add_tcase(suite, tc);
    return suite;
}

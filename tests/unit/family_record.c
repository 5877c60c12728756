/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The record of a change of several images as bytes: there and back, where its files lie now, and nothing but
 * a whole one is taken for one, however good its sum is.
 */
#include "core/ledger/family_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "changes.h"
#include "core/base/bytes.h"
#include "core/base/crc.h"

static struct family_record some_family(void)
{
    struct family_record r = {.committed = 1,
                              .goes_back = 1,
                              .backing_inode = UINT64_C(0x1122334455667788),
                              .old_bytes = 65536,
                              .new_bytes = 327680,
                              .mtime = {.tv_sec = 1049522828, .tv_nsec = 987654321}};
    memset(r.id, 0xa5, sizeof r.id);
    memset(r.filesystem, 3, sizeof r.filesystem);
    snprintf(r.path, sizeof r.path, "/base/b.img");
    must(family_record_add(&r, "/base/m1.cow", NULL) == 0 &&
             family_record_add(&r, "/lab/m2.cow", NULL) == 0 &&
             family_record_add(&r, "/base/sub/m3.cow", NULL) == 0,
         "no memory");
    return r;
}

static uint8_t *encoded(size_t *n_bytes)
{
    uint8_t *bytes;
    struct cow_error err = {.status = 0};
    struct family_record r = some_family();
    must_succeed(family_record_encode(&bytes, n_bytes, &r, &err), err);
    family_record_clear(&r);
    return bytes;
}

START_TEST(there_and_back)
{
    size_t n_bytes;
    uint8_t *bytes = encoded(&n_bytes);
    struct cow_error err = {.status = 0};
    struct family_record was = some_family(), is;
    must_succeed(family_record_decode(&is, bytes, n_bytes, "/base/b.img", &err), err);
    must(memcmp(is.id, was.id, sizeof is.id) == 0 && is.committed == 1 && is.goes_back == 1 &&
             is.backing_inode == was.backing_inode && is.old_bytes == was.old_bytes &&
             is.new_bytes == was.new_bytes && is.mtime.tv_sec == was.mtime.tv_sec &&
             is.mtime.tv_nsec == was.mtime.tv_nsec &&
             memcmp(is.filesystem, was.filesystem, sizeof is.filesystem) == 0 &&
             strcmp(is.path, was.path) == 0,
         "a field");
    ck_assert_uint_eq(is.members, 3);
    for (size_t i = 0; i < is.members; i++) {
        ck_assert_str_eq(is.member[i], was.member[i]);
    }
    family_record_clear(&is);
    family_record_clear(&was);
    free(bytes);
}
END_TEST

/* What lies beside the backing file goes along with its directory; what lies elsewhere, below it too, stays.
 */
START_TEST(a_directory_that_was_moved)
{
    size_t n_bytes;
    uint8_t *bytes = encoded(&n_bytes);
    struct cow_error err = {.status = 0};
    struct family_record is;
    must_succeed(family_record_decode(&is, bytes, n_bytes, "/elsewhere/now/b.img", &err), err);
    ck_assert_str_eq(is.path, "/base/b.img");
    ck_assert_str_eq(is.member[0], "/elsewhere/now/m1.cow");
    ck_assert_str_eq(is.member[1], "/lab/m2.cow");
    ck_assert_str_eq(is.member[2], "/base/sub/m3.cow");
    family_record_clear(&is);
    free(bytes);
}
END_TEST

static void give_sum(uint8_t *bytes, size_t n_bytes)
{
    bytes_put(bytes + n_bytes - 4, 4, true, crc_ieee(bytes, n_bytes - 4));
}

START_TEST(what_is_not_whole)
{
    size_t n_bytes;
    uint8_t *bytes = encoded(&n_bytes);
    struct cow_error err = {.status = 0};
    struct family_record is;
    for (size_t i = 0; i < n_bytes; i++) {
        bytes[i] ^= 0x10;
        must_fail(family_record_decode(&is, bytes, n_bytes, "/base/b.img", &err), COW_INVALID, err);
        bytes[i] ^= 0x10;
    }
    for (size_t i = 0; i < n_bytes; i++) { /* with a good sum, too */
        uint8_t *part = calloc(1, i + 4);
        memcpy(part, bytes, i);
        must_fail(family_record_decode(&is, part, i, "/base/b.img", &err), COW_INVALID, err);
        if (i > 20 && i < n_bytes) {
            give_sum(part, i);
            must(family_record_decode(&is, part, i, "/base/b.img", &err) == COW_INVALID, "%zu bytes", i);
        }
        free(part);
    }
    free(bytes);
}
END_TEST

/* Each byte of the numbers and paths, with a good sum: refused, or what is read is sane. */
START_TEST(strange_contents)
{
    size_t n_bytes;
    struct cow_error err = {.status = 0};
    struct family_record is;
    uint8_t *bytes = encoded(&n_bytes);
    for (size_t i = 16; i < n_bytes - 4; i++) {
        for (unsigned value = 0; value < 256; value += i < 100 ? 5 : 51) {
            const uint8_t kept = bytes[i];
            bytes[i] = (uint8_t)value;
            give_sum(bytes, n_bytes);
            if (family_record_decode(&is, bytes, n_bytes, "/base/b.img", &err) == 0) {
                must(is.old_bytes <= is.new_bytes && is.committed <= 1 && is.goes_back <= 1 &&
                         is.members > 0 && is.members <= FAMILY_MEMBERS_MAX,
                     "byte %zu is %u", i, value);
                for (size_t k = 0; k < is.members; k++) {
                    must(is.member[k][0] == '/' && strstr(is.member[k], "/../") == NULL, "%s", is.member[k]);
                }
                family_record_clear(&is);
            }
            bytes[i] = kept;
        }
    }
    free(bytes);
}
END_TEST

START_TEST(a_newer_one)
{
    size_t n_bytes;
    uint8_t *bytes = encoded(&n_bytes);
    struct cow_error err = {.status = 0};
    struct family_record is;
    bytes[15]++;
    give_sum(bytes, n_bytes);
    must_fail(family_record_decode(&is, bytes, n_bytes, "/base/b.img", &err), COW_INVALID, err);
    must(strstr(err.message, "newer") != NULL, "%s", err.message);
    free(bytes);
}
END_TEST

Suite *family_record_suite(void)
{
    Suite *suite = suite_create("family-record");
    TCase *tc = tcase_create("family-record");
    tcase_add_test(tc, there_and_back);
    tcase_add_test(tc, a_directory_that_was_moved);
    tcase_add_test(tc, what_is_not_whole);
    tcase_add_test(tc, strange_contents);
    tcase_add_test(tc, a_newer_one);
    suite_add_tcase(suite, tc);
    return suite;
}

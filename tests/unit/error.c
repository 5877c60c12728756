/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * struct cow_error: what is set, what is put in front, what is cut off.
 */
#include "cow/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "support.h"

/* An error whose every byte is known, so that a stale one shows. */
static struct cow_error stale(void)
{
    struct cow_error err;
    memset(&err, 'x', sizeof err);
    err.message[sizeof err.message - 1] = '\0';
    err.hint[sizeof err.hint - 1] = '\0';
    return err;
}

START_TEST(set_fills_everything)
{
    struct cow_error err = stale();
    ck_assert_int_eq(cow_error_set(&err, COW_INVALID, "sector size is %d", 3), COW_INVALID);
    ck_assert_int_eq(err.status, COW_INVALID);
    ck_assert_int_eq(err.sys_errno, 0);
    ck_assert_str_eq(err.message, "sector size is 3");
    ck_assert_str_eq(err.hint, "");
}
END_TEST

START_TEST(system_appends_the_reason)
{
    struct cow_error err = stale();
    ck_assert_int_eq(cow_error_system(&err, ENOSPC, "%s", "disk.cow"), COW_IO);
    ck_assert_int_eq(err.sys_errno, ENOSPC);
    ck_assert_str_eq(err.message, "disk.cow: No space left on device");
    ck_assert_str_eq(err.hint, "");
    ck_assert_int_eq(cow_error_system(&err, ENOMEM, "disk.cow"), COW_NO_MEMORY);
    ck_assert_int_eq(err.status, COW_NO_MEMORY);
}
END_TEST

START_TEST(prefix_and_hint_keep_the_rest)
{
    struct cow_error err = stale();
    cow_error_system(&err, EIO, "reading");
    ck_assert_int_eq(cow_error_hint(&err, "try %s", "again"), COW_IO);
    ck_assert_int_eq(cow_error_prefix(&err, "root.%s", "cow"), COW_IO);
    ck_assert_str_eq(err.message, "root.cow: reading: Input/output error");
    ck_assert_str_eq(err.hint, "try again");
    ck_assert_int_eq(err.sys_errno, EIO);
    cow_error_set(&err, COW_LOCKED, "held");
    ck_assert_int_eq(cow_error_prefix(&err, "a"), COW_LOCKED);
    ck_assert_int_eq(cow_error_hint(&err, "b"), COW_LOCKED);
}
END_TEST

START_TEST(nobody_needs_an_error)
{
    ck_assert_int_eq(cow_error_set(NULL, COW_REFUSED, "x"), COW_REFUSED);
    ck_assert_int_eq(cow_error_system(NULL, EIO, "x"), COW_IO);
    ck_assert_int_eq(cow_error_system(NULL, ENOMEM, "x"), COW_NO_MEMORY);
    ck_assert_int_eq(cow_error_prefix(NULL, "x"), COW_IO);
    ck_assert_int_eq(cow_error_hint(NULL, "x"), COW_IO);
}
END_TEST

START_TEST(names_are_escaped)
{
    struct cow_error err;
    const char *name = "a\x1b]0;x\x07\n\xc2\x9b\xff";
    cow_error_set(&err, COW_IO, "%s", name);
    ck_assert_str_eq(err.message, "a\\x1b]0;x\\x07\\x0a\\xc2\\x9b\\xff");
    cow_error_system(&err, EIO, "%s", name);
    ck_assert(is_terminal_safe(err.message));
    cow_error_prefix(&err, "%s", name);
    ck_assert(is_terminal_safe(err.message));
    cow_error_hint(&err, "%s", name);
    ck_assert_str_eq(err.hint, "a\\x1b]0;x\\x07\\x0a\\xc2\\x9b\\xff");
    /* What is escaped already, stays as it is. */
    cow_error_set(&err, COW_IO, "%s", "a\\x1bb");
    ck_assert_str_eq(err.message, "a\\x1bb");
}
END_TEST

/* Names of n two- and three-byte characters, for every alignment of the cut. */
START_TEST(long_names_are_cut_at_whole_characters)
{
    for (size_t lead = 0; lead < 6; lead++) {
        char name[5000] = "";
        memset(name, 'n', lead);
        for (size_t at = lead; at + 8 < sizeof name; at += 5) {
            memcpy(name + at, "\xc3\xa4\xe2\x82\xac", 6);
        }
        struct cow_error err = stale();
        cow_error_set(&err, COW_IO, "%s", name);
        must(strlen(err.message) < sizeof err.message, "no end");
        must(is_terminal_safe(err.message), "set cuts a character, lead %zu", lead);
        err = stale();
        cow_error_system(&err, ENOSPC, "%s", name);
        must(strlen(err.message) < sizeof err.message, "no end");
        must(strstr(err.message, ": No space left on device") != NULL, "the reason is lost");
        must(is_terminal_safe(err.message), "system cuts a character, lead %zu", lead);
        cow_error_hint(&err, "%s", name);
        must(strlen(err.hint) < sizeof err.hint, "no end");
        must(is_terminal_safe(err.hint), "hint cuts a character, lead %zu", lead);
    }
}
END_TEST

START_TEST(a_prefix_cuts_at_whole_characters_too)
{
    for (size_t lead = 0; lead < 24; lead++) {
        char name[5000] = "";
        memset(name, 'n', lead);
        for (size_t at = lead; at + 8 < sizeof name; at += 5) {
            memcpy(name + at, "\xc3\xa4\xe2\x82\xac", 6);
        }
        struct cow_error err = stale();
        cow_error_set(&err, COW_IO, "%s", name);
        cow_error_prefix(&err, "prefix");
        must(strncmp(err.message, "prefix: ", 8) == 0 && strlen(err.message) < sizeof err.message, "prefix");
        must(is_terminal_safe(err.message), "prefix cuts a character, lead %zu", lead);
        cow_error_set(&err, COW_IO, "lower");
        cow_error_prefix(&err, "%s", name);
        must(is_terminal_safe(err.message), "a long prefix is cut in a character, lead %zu", lead);
        must(strstr(err.message, "lower") != NULL, "a long prefix pushed the message out");
    }
}
END_TEST

START_TEST(exit_codes_are_the_documented_ones)
{
    static const struct {
        int status, code;
    } table[] = {{COW_OK, 0},
                 {COW_FINDING, 1},
                 {COW_USAGE, 2},
                 {COW_IO, 2},
                 {COW_NO_MEMORY, 2},
                 {COW_REFUSED, 3},
                 {COW_LOCKED, 4},
                 {COW_INVALID, 5},
                 {COW_NOT_COW, 63},
                 {COW_UNSUPPORTED, 63},
                 {COW_CANCELLED, 130},
                 {-99, 2},
                 {1, 2}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        must(cow_status_exit_code(table[i].status) == table[i].code, "status %d", table[i].status);
    }
}
END_TEST

/* Also where the path is shown in other letters than it has. */
START_TEST(the_words_come_without_the_path)
{
    static const struct {
        const char *path, *words;
    } rows[] = {{"root.cow", "it is cut off"}, {"a\033[31m\n\\b", "it is cut off"}, {"/", "it is cut off"}};
    struct cow_error err;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cow_error_set(&err, COW_INVALID, "%s", rows[i].words);
        ck_assert_str_eq(cow_error_words(&err, rows[i].path), rows[i].words);
        cow_error_prefix(&err, "%s", rows[i].path);
        ck_assert_str_eq(cow_error_words(&err, rows[i].path), rows[i].words);
        ck_assert_str_eq(cow_error_words(&err, "other"), err.message);
    }
    cow_error_set(&err, COW_INVALID, "root.cow.gz: it is packed");
    ck_assert_str_eq(cow_error_words(&err, "root.cow"), err.message);
}
END_TEST

Suite *error_suite(void)
{
    Suite *suite = suite_create("error");
    TCase *tc = tcase_create("error");
    tcase_add_test(tc, set_fills_everything);
    tcase_add_test(tc, system_appends_the_reason);
    tcase_add_test(tc, prefix_and_hint_keep_the_rest);
    tcase_add_test(tc, nobody_needs_an_error);
    tcase_add_test(tc, names_are_escaped);
    tcase_add_test(tc, long_names_are_cut_at_whole_characters);
    tcase_add_test(tc, a_prefix_cuts_at_whole_characters_too);
    tcase_add_test(tc, exit_codes_are_the_documented_ones);
    tcase_add_test(tc, the_words_come_without_the_path);
    suite_add_tcase(suite, tc);
    return suite;
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is typed behind a `:` command: options and a name, in any order, and what is wrong in it. Both front
 * ends know the same changes, with the same options.
 */
#include <stdio.h>
#include <string.h>

#include "cli/options.h"
#include "front/change/options.h"
#include "support.h"

static char line[256];

static int read_line(struct front_words *words, const char *name, const char *text, struct cow_error *err)
{
    snprintf(line, sizeof line, "%s", text);
    return front_read_words(words, front_find_change(name), line, err);
}

START_TEST(a_name_goes_on_to_the_next_option)
{
    static const struct {
        const char *change, *text, *name;
        bool restamp;
    } good[] = {
        {"rebase", "a b.img", "a b.img", false},
        {"rebase", "  a  b.img  ", "a  b.img", false},
        {"rebase", "a b.img --restamp", "a b.img", true},
        {"rebase", "--restamp a b.img", "a b.img", true},
        {"rebase", "\"a --restamp\"", "a --restamp", false},
        {"rebase", "\"--restamp\" --restamp", "--restamp", true},
        {"rebase", "disk restamp", "disk restamp", false},
        {"rebase", "--to=a --restamp", "a", true},
        {"rebase", "--to \"a b\" --restamp", "a b", true},
        {"rebase", "--to=", "", false},
        {"rebase", "", NULL, false},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct front_words words;
        struct cow_error err = {0};
        ck_assert_msg(read_line(&words, good[i].change, good[i].text, &err) == 0, "%s: %s", good[i].text,
                      err.message);
        if (good[i].name == NULL) {
            ck_assert_ptr_null(words.to);
        } else {
            ck_assert_str_eq(words.to, good[i].name);
        }
        ck_assert_msg(words.restamp == good[i].restamp, "%s", good[i].text);
    }
}
END_TEST

START_TEST(each_kind_of_option)
{
    struct front_words words;
    struct cow_error err = {0};
    ck_assert_int_eq(read_line(&words, "compact", "--unused -f --reserve 1G --force=larger -o x.cow", &err),
                     0);
    ck_assert(words.unused && words.force && words.larger && !words.sectors);
    ck_assert_str_eq(words.reserve, "1G");
    ck_assert_str_eq(words.output, "x.cow");
    ck_assert_int_eq(read_line(&words, "convert", "x y.cow --to=qcow2 --with-backing", &err), 0);
    ck_assert_str_eq(words.output, "x y.cow");
    ck_assert_str_eq(words.to, "qcow2");
    ck_assert(words.with_backing);
}
END_TEST

START_TEST(what_is_wrong_is_said)
{
    static const struct {
        const char *change, *text, *says, *hint;
    } bad[] = {
        {"compact", "unused", "takes options only, and \"unused\"", "did you mean --unused?"},
        {"compact", "larger", "takes options only", "did you mean --force=larger?"},
        {"compact", "--restamp", "takes no option --restamp", "quotes"},
        {"compact", "--unusd", "takes no option --unusd", "did you mean --unused?"},
        {"compact", "--unused=yes", "takes no option", ""},
        {"merge", "a -o b", "and \"b\" is too much", ""},
        {"merge", "-o", "needs its FILE", ""},
        {"merge", "--output", "needs its FILE", ""},
        {"rebase", "a --to b", "too much", ""},
        {"rebase", "a - c", "takes no option -", ""},
        {"restamp", "--restamp", "takes no option", ""},
        {"undo", "discard", "takes options only", "did you mean --discard?"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct front_words words;
        struct cow_error err = {0};
        ck_assert_msg(read_line(&words, bad[i].change, bad[i].text, &err) == COW_USAGE, "%s", bad[i].text);
        ck_assert_msg(strstr(err.message, bad[i].says) != NULL, "%s: %s", bad[i].text, err.message);
        ck_assert_msg(strstr(err.hint, bad[i].hint) != NULL, "%s: %s", bad[i].text, err.hint);
    }
}
END_TEST

/* The option of the command line of that name ("--force=larger" is a word of "--force"). */
static bool command_takes(const struct cli_command *command, const char *option)
{
    const char *words = strchr(option, '=');
    if (words != NULL) {
        for (const struct cli_force_word *word = cli_force_table; word->name != NULL; word++) {
            if (strcmp(word->name, words + 1) == 0) {
                return (word->takes & command->bit) != 0;
            }
        }
        return false;
    }
    for (const struct cli_option *known = cli_option_table; known->name != NULL; known++) {
        if (strcmp(known->name, option + 2) == 0) {
            return (known->takes & command->bit) != 0;
        }
    }
    return false;
}

/* A name that the command line does not have is one for something that it has. */
START_TEST(both_front_ends_take_the_same)
{
    size_t n = 0;
    for (const struct front_change *change = front_changes; change->name != NULL; change++) {
        const struct cli_command *command = cli_find_command(change->name);
        const char *option;
        ck_assert_msg((command != NULL) == (change->bit != 0), "%s", change->name);
        for (size_t i = 0; command != NULL && (option = front_change_option(change, i)) != NULL; i++, n++) {
            ck_assert_msg(command_takes(command, option), "%s %s", change->name, option);
        }
    }
    ck_assert_uint_gt(n, 20);
}
END_TEST

Suite *words_suite(void)
{
    Suite *suite = suite_create("words");
    TCase *tcase = tcase_create("words");
    tcase_add_test(tcase, a_name_goes_on_to_the_next_option);
    tcase_add_test(tcase, each_kind_of_option);
    tcase_add_test(tcase, what_is_wrong_is_said);
    tcase_add_test(tcase, both_front_ends_take_the_same);
    suite_add_tcase(suite, tcase);
    return suite;
}

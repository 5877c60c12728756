/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Reading the arguments. Options and operands may stand in any order (a leading '-' in the option string
 * makes getopt hand out operands in place), and "-512M" is an operand: no option begins with a digit, so a
 * word of a minus and a digit is kept away from getopt.
 */
#include "cli/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cow/text.h"

enum {
    LONG_ONLY = 256, /* getopt's value for the option at index i without a letter: LONG_ONLY + i */
    OPERAND = 1,     /* getopt's value for an operand */
};

struct getopt_tables {
    char letters[2 * CLI_OPTIONS_MAX + 3];
    struct option longs[CLI_OPTIONS_MAX + 1];
};

static void build_getopt_tables(struct getopt_tables *tables)
{
    size_t n = 0;
    char *letter = tables->letters;

    memset(tables, 0, sizeof *tables);
    *letter++ = '-';
    *letter++ = ':';
    for (const struct cli_option *option = cli_option_table; option->name != NULL && n < CLI_OPTIONS_MAX;
         option++, n++) {
        tables->longs[n].name = option->name;
        tables->longs[n].has_arg = option->kind == CLI_FORCE  ? optional_argument
                                   : option->argument != NULL ? required_argument
                                                              : no_argument;
        tables->longs[n].val = option->letter != 0 ? option->letter : LONG_ONLY + (int)n;
        if (option->letter == 0) {
            continue;
        }
        *letter++ = (char)option->letter;
        if (option->argument != NULL && option->kind != CLI_FORCE) { /* -f has no words: they need the "=" */
            *letter++ = ':';
        }
    }
}

static const struct cli_option *option_of_value(int value)
{
    if (value >= LONG_ONLY) {
        return &cli_option_table[value - LONG_ONLY];
    }
    for (const struct cli_option *option = cli_option_table; option->name != NULL; option++) {
        if (option->letter == value) {
            return option;
        }
    }
    return NULL;
}

int cli_hint_command(struct cow_error *err, const char *typed)
{
    struct cow_nearest nearest = {.typed = typed, .typed_bytes = strlen(typed)};

    for (const struct cli_command *command = cli_command_table; command->name != NULL; command++) {
        cow_nearest_offer(&nearest, command->name);
    }
    if (nearest.word != NULL) {
        return cow_error_hint(err, "did you mean \"%s\"? cowtui help lists the commands", nearest.word);
    }
    return cow_error_hint(err, "try: cowtui --help");
}

static int add_operand(struct cli_options *options, const char *word, struct cow_error *err)
{
    if (options->command == NULL) {
        options->command = cli_find_command(word);
        if (options->command != NULL) {
            return 0;
        }
        options->command = &cli_screen_command;
    }
    if (options->command->bit == CLI_LIST) {
        options->place[options->places++] = word;
        return 0;
    }
    if (options->operands < CLI_OPERANDS_MAX && options->operands < options->command->n_operands) {
        options->operand[options->operands++] = word;
        return 0;
    }
    if (options->command == &cli_screen_command) {
        cow_error_set(err, COW_USAGE, "'%s' is not a command", options->operand[0]);
        return cli_hint_command(err, options->operand[0]);
    }
    if (options->command->run == NULL) { /* refused below, for a better reason */
        return 0;
    }
    cow_error_set(err, COW_USAGE, "%s takes %s, and '%s' is too much", options->command->name,
                  options->command->operands, word);
    return cow_error_hint(err, "try: cowtui %s --help", options->command->name);
}

/* "--force=cut-foreign (resize), --force=larger (compact)" */
static const char *force_words(char *out, size_t out_bytes)
{
    size_t used = 0;

    for (const struct cli_force_word *word = cli_force_table; word->name != NULL && used < out_bytes;
         word++) {
        const struct cli_command *command = cli_command_table;
        while (command->name != NULL && command->bit != word->takes) {
            command++;
        }
        used += (size_t)snprintf(out + used, out_bytes - used, "%s--force=%s (%s)", used != 0 ? ", " : "",
                                 word->name, command->name != NULL ? command->name : "");
    }
    return out;
}

/* "--force=WORD[,WORD]": those words, and not what --force means alone. */
static int set_force_words(struct cli_options *options, const char *words, struct cow_error *err)
{
    char *base = (char *)options, known_words[256];

    for (const char *word = words, *end; word != NULL; word = *end != '\0' ? end + 1 : NULL) {
        const struct cli_force_word *known = cli_force_table;
        end = strchrnul(word, ',');
        while (known->name != NULL && (strncmp(known->name, word, (size_t)(end - word)) != 0 ||
                                       strlen(known->name) != (size_t)(end - word))) {
            known++;
        }
        if (known->name == NULL) {
            cow_error_set(err, COW_USAGE, "--force=%s: '%.*s' is nothing that can be forced by name", words,
                          (int)(end - word), word);
            return cow_error_hint(err, "there is %s; --force alone is another",
                                  force_words(known_words, sizeof known_words));
        }
        *(bool *)(void *)(base + known->offset) = true;
    }
    return 0;
}

static int check_force_words(const struct cli_options *options, struct cow_error *err)
{
    const char *base = (const char *)options;

    for (const struct cli_force_word *word = cli_force_table; options->command != NULL && word->name != NULL;
         word++) {
        if (*(const bool *)(const void *)(base + word->offset) &&
            (word->takes & options->command->bit) == 0) {
            cow_error_set(err, COW_USAGE, "%s does not take --force=%s",
                          options->command == &cli_screen_command ? "the screen" : options->command->name,
                          word->name);
            return cow_error_hint(err, "try: cowtui --help");
        }
    }
    return 0;
}

static int add_word(struct cli_words *words, const struct cli_option *option, const char *argument,
                    struct cow_error *err)
{
    if (words->n == CLI_WORDS_MAX) {
        return cow_error_set(err, COW_USAGE, "--%s stands there more than %d times", option->name,
                             (int)CLI_WORDS_MAX);
    }
    words->word[words->n++] = argument;
    return 0;
}

static int set_member(struct cli_options *options, const struct cli_option *option, const char *argument,
                      struct cow_error *err)
{
    char *base = (char *)options;

    if (option->kind == CLI_FLAG || option->kind == CLI_FORCE) {
        *(bool *)(void *)(base + option->offset) = true;
    } else if (option->kind == CLI_TEXT) {
        *(const char **)(void *)(base + option->offset) = argument;
    } else if (option->kind == CLI_MANY) {
        return add_word((struct cli_words *)(void *)(base + option->offset), option, argument, err);
    }
    return 0;
}

/* The long options that begin with what was typed. Returns how many. */
static size_t options_beginning(char *out, size_t out_bytes, const char *typed, size_t typed_bytes)
{
    size_t n = 0, used = 0;

    out[0] = '\0';
    for (const struct cli_option *option = cli_option_table; option->name != NULL && used < out_bytes;
         option++) {
        if (strncmp(option->name, typed, typed_bytes) != 0) {
            continue;
        }
        used += (size_t)snprintf(out + used, out_bytes - used, "%s--%s", n++ != 0 ? ", " : "", option->name);
    }
    return n;
}

/* A long option that getopt does not take: there is none of that name, or several begin so, or it has no
 * argument and was given one. */
static int bad_long_option(const char *word, struct cow_error *err)
{
    struct cow_nearest nearest = {.typed = word + 2, .typed_bytes = strcspn(word + 2, "=")};
    char beginning[COW_HINT_BYTES / 2];
    size_t n = options_beginning(beginning, sizeof beginning, nearest.typed, nearest.typed_bytes);

    for (const struct cli_option *option = cli_option_table; option->name != NULL; option++) {
        cow_nearest_offer(&nearest, option->name);
    }
    if (n > 0 && word[2 + nearest.typed_bytes] == '=' &&
        (n == 1 || (nearest.word != NULL && nearest.distance == 0))) {
        cow_error_set(err, COW_USAGE, "option '%.*s' takes no argument", (int)nearest.typed_bytes + 2, word);
        return cow_error_hint(err, "try: cowtui --help");
    }
    if (n > 1) {
        cow_error_set(err, COW_USAGE, "option '%s' may mean several", word);
        return cow_error_hint(err, "%s", beginning);
    }
    cow_error_set(err, COW_USAGE, "unknown option '%s'", word);
    if (nearest.word != NULL) {
        return cow_error_hint(err, "did you mean --%s? cowtui --help lists the options", nearest.word);
    }
    return cow_error_hint(err, "try: cowtui --help");
}

/* Words for what getopt did not like; word is the argument it stood in. */
static int bad_option(const char *word, int value, struct cow_error *err)
{
    if (value == ':') {
        cow_error_set(err, COW_USAGE, "option '%s' needs an argument", word);
    } else if (strncmp(word, "--", 2) != 0 && optopt != 0) {
        cow_error_set(err, COW_USAGE, "unknown option '-%c'", optopt);
    } else {
        return bad_long_option(word, err);
    }
    return cow_error_hint(err, "try: cowtui --help");
}

static bool is_minus_number(const char *word)
{
    return word[0] == '-' && (isdigit((unsigned char)word[1]) || word[1] == '.');
}

/* Fills *options and the bits of the options that were given, by their index. The first error is kept;
 * the rest is read, too. */
static int read_words(struct cli_options *options, bool *given, int argc, char **argv, struct cow_error *err)
{
    struct getopt_tables tables;
    struct cow_error ignored;
    int status = 0;

    build_getopt_tables(&tables);
    opterr = 0;
    optind = 1;
    options->place = (const char **)argv; /* a place is a word that has been read, so it never gets ahead */
    while (optind < argc) {
        struct cow_error *to = status != 0 ? &ignored : err;
        int at = optind, one = 0, value;

        if (is_minus_number(argv[optind])) {
            one = add_operand(options, argv[optind++], to);
        } else if ((value = getopt_long(argc, argv, tables.letters, tables.longs, NULL)) == OPERAND) {
            one = add_operand(options, optarg, to);
        } else if (value == -1) { /* "--": the rest are operands */
            while (optind < argc && one == 0) {
                one = add_operand(options, argv[optind++], to);
            }
        } else if (value == '?' || value == ':') {
            one = bad_option(argv[at], value, to);
        } else {
            const struct cli_option *option = option_of_value(value);
            given[option - cli_option_table] = true;
            if (option->kind == CLI_FORCE && optarg != NULL) {
                one = set_force_words(options, optarg, to);
            } else {
                one = set_member(options, option, optarg, to);
            }
        }
        if (one != 0 && status == 0) {
            status = one;
        }
    }
    if (options->command == NULL) {
        options->command = &cli_screen_command;
    }
    return status;
}

static int check_option(const struct cli_command *command, const struct cli_option *option,
                        struct cow_error *err)
{
    const char *name = command == &cli_screen_command ? "the screen" : command->name;

    if (((option->takes | option->ignores) & command->bit) != 0) {
        return 0;
    }
    cow_error_set(err, COW_USAGE, "%s does not take --%s", name, option->name);
    if (command == &cli_screen_command) {
        return cow_error_hint(err, "name a command, as in: cowtui info --json IMAGE");
    }
    return cow_error_hint(err, "try: cowtui %s --help", command->name);
}

int cli_read_color(struct cli_options *options, struct cow_error *err)
{
    static const char *const words[] = {
        [CLI_COLOR_AUTO] = "auto", [CLI_COLOR_NEVER] = "never", [CLI_COLOR_ALWAYS] = "always"};

    if (options->color == NULL) {
        return 0;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(options->color, words[i]) == 0) {
            options->color_mode = (enum cli_color)i;
            return 0;
        }
    }
    return cow_error_set(err, COW_USAGE, "--color is auto, never or always, not '%s'", options->color);
}

static int check_operands(const struct cli_options *options, struct cow_error *err)
{
    if (options->operands == options->command->n_operands ||
        (strchr(options->command->operands, '[') != NULL &&
         options->operands + 1 == options->command->n_operands)) {
        return 0;
    }
    cow_error_set(err, COW_USAGE, "%s needs %s", options->command->name, options->command->operands);
    return cow_error_hint(err, "try: cowtui %s --help", options->command->name);
}

/* A word that is no file was meant for a command, most likely: that is said before what is wrong with its
 * options, which are the command's. */
static int check_word(const struct cli_options *options, struct cow_error *err)
{
    const char *word = options->operand[0];

    if (options->command != &cli_screen_command || options->operands == 0 || strchr(word, '/') != NULL ||
        access(word, F_OK) == 0 || errno != ENOENT) {
        return 0;
    }
    cow_error_set(err, COW_USAGE, "'%s' is neither a command nor a file", word);
    return cli_hint_command(err, word);
}

int cli_read_options(struct cli_options *options, int argc, char **argv, struct cow_error *err)
{
    bool given[CLI_OPTIONS_MAX] = {false};
    int status;

    memset(options, 0, sizeof *options);
    status = read_words(options, given, argc, argv, err);
    if (options->command != NULL && options->command != &cli_screen_command &&
        options->command->run == NULL) {
        return cow_error_set(err, COW_UNSUPPORTED, "%s is not supported yet", options->command->name);
    }
    if (status != 0) {
        return status;
    }
    if (options->help || options->version) {
        return 0;
    }
    if ((status = check_word(options, err)) != 0) {
        return status;
    }
    for (size_t i = 0; options->command != NULL && cli_option_table[i].name != NULL; i++) {
        if (given[i] && (status = check_option(options->command, &cli_option_table[i], err)) != 0) {
            return status;
        }
    }
    if (options->backing != NULL && options->no_backing) {
        return cow_error_set(err, COW_USAGE, "--backing names a backing file, and --no-backing wants none");
    }
    if ((status = check_force_words(options, err)) != 0 || (status = cli_read_color(options, err)) != 0) {
        return status;
    }
    return check_operands(options, err);
}

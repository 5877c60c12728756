/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is typed behind a `:` command, read. A file's name may have blanks in it, and mostly stands alone:
 * so an operand goes on to the next option, and needs quotes only where it looks like one itself.
 */
#include "front/change/options.h"

#include <string.h>

#include "cow/text.h"

#define MEMBER(name) offsetof(struct front_words, name)
#define FOR(CHANGE)  FRONT_##CHANGE

const struct front_option front_options[] = {
#define OPTION(name, letter, kind, argument, member, takes, help, values, excludes)                          \
    {name, letter, argument, MEMBER(member), takes},
    FRONT_EACH_OPTION(OPTION, FOR)
#undef OPTION
        {"force", 'f', NULL, MEMBER(force),
         FRONT_PAGES | FRONT_COMPACT | FRONT_REBASE | FRONT_CONVERT | FRONT_MERGE},
    {"force=larger", 0, NULL, MEMBER(larger), FRONT_COMPACT},
    {NULL, 0, NULL, 0, 0},
};

static char *skip_blanks(char *text)
{
    return text + strspn(text, " ");
}

/* Ends the word that begins there: at a blank, or at the second quote. Returns what follows it. */
static char *end_word(char **word)
{
    const bool is_quoted = **word == '"';
    char *end = strchrnul(*word + is_quoted, is_quoted ? '"' : ' ');

    *word += is_quoted;
    if (*end != '\0') {
        *end++ = '\0';
    }
    return skip_blanks(end);
}

/* Ends the operand that begins there, before the next option. Returns that. */
static char *end_operand(char **operand)
{
    if (**operand == '"') {
        return end_word(operand);
    }
    char *end = *operand;
    while (*end != '\0' && !(end[0] == ' ' && end[strspn(end, " ")] == '-')) {
        end++;
    }
    char *next = skip_blanks(end);
    while (end > *operand && end[-1] == ' ') {
        end--;
    }
    *end = '\0';
    return next;
}

/* The option of that name, which the change takes; *value: what stands behind its "=", or NULL. */
static const struct front_option *find_option(const struct front_change *change, const char *word,
                                              const char **value)
{
    const bool is_long = strncmp(word, "--", 2) == 0;

    *value = NULL;
    for (const struct front_option *option = front_options; option->name != NULL; option++) {
        const size_t n = strlen(option->name);
        if ((option->takes & change->bit) == 0) {
            continue;
        }
        if (!is_long && word[0] == '-' && word[1] == option->letter && option->letter != 0 &&
            word[2] == '\0') {
            return option;
        }
        if (!is_long || strncmp(word + 2, option->name, n) != 0) {
            continue;
        }
        if (word[2 + n] == '\0') {
            return option;
        }
        if (word[2 + n] == '=' && option->argument != NULL) {
            *value = word + 2 + n + 1;
            return option;
        }
    }
    return NULL;
}

static int refuse_option(const struct front_change *change, const char *word, struct cow_error *err)
{
    struct cow_nearest nearest = {.typed = word, .typed_bytes = strlen(word)};
    const char *known;

    cow_error_set(err, COW_USAGE, "%s takes no option %s", change->name, word);
    for (size_t i = 0; (known = front_change_option(change, i)) != NULL; i++) {
        cow_nearest_offer(&nearest, known);
    }
    if (nearest.word != NULL) {
        return cow_error_hint(err, "did you mean %s? a name that begins so stands in quotes", nearest.word);
    }
    return cow_error_hint(err, "a name that begins so stands in quotes");
}

/* A word that would be one, with its dashes. */
static int hint_option(const struct front_change *change, const char *word, struct cow_error *err)
{
    const char *known;

    for (size_t i = 0; (known = front_change_option(change, i)) != NULL; i++) {
        const char *name = strrchr(known, '=') != NULL ? strrchr(known, '=') + 1 : known + 2;
        if (strcmp(name, word) == 0) {
            return cow_error_hint(err, "did you mean %s?", known);
        }
    }
    return cow_error_hint(err, "Tab lists them behind a dash");
}

static int set_text(struct front_words *out, const struct front_change *change,
                    const struct front_option *option, const char *text, struct cow_error *err)
{
    const char **member = (const char **)(void *)((char *)out + option->offset);

    if (*member != NULL) {
        return cow_error_set(err, COW_USAGE, "%s takes one %s, and \"%s\" is too much", change->name,
                             option->argument, text);
    }
    *member = text;
    return 0;
}

/* Reads the option at *line, and its argument. *line is what follows. */
static int read_option(struct front_words *out, const struct front_change *change, char **line,
                       struct cow_error *err)
{
    const char *value;
    char *word = *line;
    char *next = end_word(&word);
    const struct front_option *option = find_option(change, word, &value);

    if (option == NULL) {
        return refuse_option(change, word, err);
    }
    char *member = (char *)out + option->offset;
    *line = next;
    if (option->argument == NULL) {
        *(bool *)(void *)member = true;
        return 0;
    }
    if (value == NULL) {
        if (*next == '\0') {
            return cow_error_set(err, COW_USAGE, "%s: --%s needs its %s", change->name, option->name,
                                 option->argument);
        }
        char *argument = next;
        *line = end_word(&argument);
        value = argument;
    }
    return set_text(out, change, option, value, err);
}

/* What a word alone stands for. */
static int read_operand(struct front_words *out, const struct front_change *change, char **line,
                        struct cow_error *err)
{
    char *operand = *line;
    const struct front_option *option = front_options;

    *line = end_operand(&operand);
    if (change->operand == NULL) {
        cow_error_set(err, COW_USAGE, "%s takes options only, and \"%s\" is none", change->name, operand);
        return hint_option(change, operand, err);
    }
    while (strcmp(option->name, change->operand) != 0) {
        option++;
    }
    return set_text(out, change, option, operand, err);
}

int front_read_words(struct front_words *out, const struct front_change *change, char *line,
                     struct cow_error *err)
{
    int status = 0;

    memset(out, 0, sizeof *out);
    for (line = skip_blanks(line); status == 0 && *line != '\0';) {
        status = *line == '-' ? read_option(out, change, &line, err) : read_operand(out, change, &line, err);
    }
    return status;
}

const char *front_change_option(const struct front_change *change, size_t index)
{
    static const char *const shown[] = {
#define OPTION(name, letter, kind, argument, member, takes, help, values, excludes) "--" name,
        FRONT_EACH_OPTION(OPTION, FOR)
#undef OPTION
            "--force",
        "--force=larger",
    };

    for (size_t i = 0; front_options[i].name != NULL; i++) {
        if ((front_options[i].takes & change->bit) != 0 && index-- == 0) {
            return shown[i];
        }
    }
    return NULL;
}

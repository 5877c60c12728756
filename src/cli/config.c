/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See config.h. Only what says how the screen looks may stand in the file: whoever reads a command, or types
 * one, must see all that it does. So what confirms, changes or names a file is an error there, and
 * subcommands, which scripts call, do not read it.
 */
#include "cli/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cow/text.h"

static const char *const allowed[] = {"ascii", "color", "mouse", "theme"};

enum { ALLOWED = sizeof allowed / sizeof *allowed };

static bool find_path(char *out, size_t out_bytes)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    int n = -1;

    if (config != NULL && config[0] == '/') { /* a relative one is to be ignored, says the specification */
        n = snprintf(out, out_bytes, "%s/cowtui/config", config);
    } else if (home != NULL && home[0] == '/') {
        n = snprintf(out, out_bytes, "%s/.config/cowtui/config", home);
    }
    return n > 0 && (size_t)n < out_bytes;
}

/* Into config->text. */
static int read_open_file(struct cli_config *config, int fd, struct cow_error *err)
{
    struct stat facts;
    size_t n = 0;
    ssize_t one = 1;

    if (fstat(fd, &facts) != 0) {
        return cow_error_system(err, errno, "%s", config->path);
    }
    if (!S_ISREG(facts.st_mode)) {
        return cow_error_set(err, COW_USAGE, "%s: not a regular file", config->path);
    }
    while (n <= CLI_CONFIG_BYTES && (one = read(fd, config->text + n, CLI_CONFIG_BYTES + 1 - n)) > 0) {
        n += (size_t)one;
    }
    if (one < 0) {
        return cow_error_system(err, errno, "%s", config->path);
    }
    if (n > CLI_CONFIG_BYTES || memchr(config->text, '\0', n) != NULL) {
        return cow_error_set(err, COW_USAGE, "%s: this is no config file: %s", config->path,
                             n > CLI_CONFIG_BYTES ? "it is too long" : "it is not text");
    }
    config->text[n] = '\0';
    return 0;
}

static char *trim(char *text)
{
    size_t length;

    text += strspn(text, " \t\r");
    length = strlen(text);
    while (length > 0 && strchr(" \t\r", text[length - 1]) != NULL) {
        text[--length] = '\0';
    }
    return text;
}

static bool is_allowed(const char *name)
{
    for (int i = 0; i < ALLOWED; i++) {
        if (strcmp(allowed[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static int refuse(const char *name, const struct cli_option *known, struct cow_error *err)
{
    struct cow_nearest nearest = {.typed = name, .typed_bytes = strlen(name)};
    char safe[64];

    cow_escape(safe, sizeof safe, name);
    for (int i = 0; i < ALLOWED; i++) {
        cow_nearest_offer(&nearest, allowed[i]);
    }
    if (known->name != NULL) {
        cow_error_set(err, COW_USAGE, "--%s has no place in a config file", safe);
    } else {
        cow_error_set(err, COW_USAGE, "there is no option '%s'", safe);
    }
    if (known->name == NULL && nearest.word != NULL) {
        return cow_error_hint(err, "did you mean \"%s\"?", nearest.word);
    }
    return cow_error_hint(err,
                          "it may say ascii, mouse, color=WHEN and theme=NAME; --no-config goes without it");
}

static int set_option(struct cli_options *options, const struct cli_option *option, const char *argument,
                      struct cow_error *err)
{
    char *member = (char *)options + option->offset;

    if (argument != NULL && option->argument == NULL) {
        return cow_error_set(err, COW_USAGE, "%s takes no argument", option->name);
    }
    if (argument == NULL && option->argument != NULL) {
        return cow_error_set(err, COW_USAGE, "%s needs an argument: %s=%s", option->name, option->name,
                             option->argument);
    }
    if (option->kind == CLI_FLAG) {
        *(bool *)(void *)member = true;
    } else if (*(const char **)(void *)member == NULL) { /* the command line has the last word */
        *(const char **)(void *)member = argument;
    }
    return cli_read_color(options, err);
}

static int take_line(struct cli_options *options, char *line, struct cow_error *err)
{
    char *name = trim(line), *argument = strchr(name, '=');
    const struct cli_option *option = cli_option_table;

    if (name[0] == '\0' || name[0] == '#') {
        return 0;
    }
    if (argument != NULL) {
        *argument = '\0';
        argument = trim(argument + 1);
    }
    name = trim(strncmp(name, "--", 2) == 0 ? name + 2 : name);
    while (option->name != NULL && strcmp(option->name, name) != 0) {
        option++;
    }
    return is_allowed(name) ? set_option(options, option, argument, err) : refuse(name, option, err);
}

int cli_read_config(struct cli_options *options, struct cli_config *config, struct cow_error *err)
{
    char *line = config->text, *next;
    int status, fd;

    if (!find_path(config->path, sizeof config->path)) {
        return 0;
    }
    fd = open(config->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return errno == ENOENT || errno == ENOTDIR ? 0 : cow_error_system(err, errno, "%s", config->path);
    }
    status = read_open_file(config, fd, err);
    close(fd);
    for (int number = 1; status == 0 && line != NULL; number++, line = next) {
        next = strchr(line, '\n');
        if (next != NULL) {
            *next++ = '\0';
        }
        status = take_line(options, line, err);
        if (status != 0) {
            cow_error_prefix(err, "%s:%d", config->path, number);
        }
    }
    return status;
}

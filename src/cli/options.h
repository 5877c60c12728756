/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The options and the subcommands, a table each. getopt_long, --help and (through --help) the check of man
 * page and completions are fed from here, so an option exists in one place.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/output/color.h"
#include "cow/error.h"
#include "front/change/words.h"

/* The subcommands that are no changes told in words (FRONT_EACH_CHANGE), each with the name of its function
 * behind "cli_". */
#define CLI_EACH_COMMAND(COMMAND)                                                                            \
    COMMAND(INFO, info)                                                                                      \
    COMMAND(MAP, map)                                                                                        \
    COMMAND(CREATE, create)                                                                                  \
    COMMAND(RESIZE, resize)                                                                                  \
    COMMAND(CHECK, check)                                                                                    \
    COMMAND(DIFF, diff)                                                                                      \
    COMMAND(FILES, files)                                                                                    \
    COMMAND(FAMILY, family)                                                                                  \
    COMMAND(SERVE, serve)                                                                                    \
    COMMAND(MOUNT, mount)                                                                                    \
    COMMAND(LIST, list)                                                                                      \
    COMMAND(HELP, help)                                                                                      \
    COMMAND(RECORD, record)                                                                                  \
    COMMAND(REPLAY, replay)

/* Which subcommand, as a bit, so that an option can name all that take it. */
enum {
    CLI_PLACE_SCREEN,
#define COMMAND_PLACE(ID, ...) CLI_PLACE_##ID,
    FRONT_EACH_CHANGE(COMMAND_PLACE) CLI_EACH_COMMAND(COMMAND_PLACE)
#undef COMMAND_PLACE
        CLI_COMMANDS
};

_Static_assert(CLI_COMMANDS < 31, "a subcommand's bit is one of an int's");

enum {
#define COMMAND_BIT(ID, ...) CLI_##ID = 1 << CLI_PLACE_##ID,
    FRONT_EACH_CHANGE(COMMAND_BIT) CLI_EACH_COMMAND(COMMAND_BIT)
#undef COMMAND_BIT
#define OR_BIT(ID) | CLI_##ID
        CLI_SCREEN = 1 << CLI_PLACE_SCREEN,
    CLI_SERVERS = CLI_SERVE | CLI_MOUNT,
    CLI_READERS = CLI_INFO | CLI_MAP | CLI_FAMILY | CLI_LIST,
    CLI_CHANGES = CLI_CREATE | CLI_RESIZE | CLI_DIFF FRONT_EACH_CHANGE(OR_BIT),
#undef OR_BIT
    CLI_ALL = (1 << CLI_COMMANDS) - 1,
};

enum { CLI_OPERANDS_MAX = 2, CLI_OPTIONS_MAX = 64, CLI_WORDS_MAX = 64 };

struct cli_command;

/* What an option was given each time that it stood there. */
struct cli_words {
    const char *word[CLI_WORDS_MAX];
    size_t n;
};

/* The arguments, read. Strings are argv's, and so is the room for places: they are gathered at its beginning,
 * over words that have been read. */
struct cli_options {
    const struct cli_command *command;
    const char *operand[CLI_OPERANDS_MAX];
    size_t operands;
    const char **place; /* of `list`, which takes any number: instead of operands */
    size_t places;
    bool help, version, quiet, verbose;
    struct front_words words; /* what both front ends tell a change */
    bool json, dry_run, yes;
    bool cut_foreign; /* a word of --force= */
    bool ascii, mouse;
    bool shrink, grow_fs, resize_fs, family;
    bool scan, quick, repair, owners;
    bool follow, hilbert, files;
    bool write, once, fs;
    bool no_backing, no_config, tour;
    const char *backing, *policy, *method;
    const char *owner, *extract, *diff, *from, *partition, *socket;
    struct cli_words in, fix;
    const char *interval; /* of `follow` and record */
    const char *for_seconds, *at;
    const char *svg, *png;
    const char *color, *theme, *script;
    enum cli_color color_mode; /* from `color` */
};

enum cli_option_kind {
    CLI_FLAG,  /* sets a bool */
    CLI_TEXT,  /* sets a string */
    CLI_MANY,  /* adds to the words of that option */
    CLI_FORCE, /* sets a bool, or with words behind a "=" those of the words */
};

/* A row may end where all that follows is zero. `values` and `excludes` are for the shells' completions
 * alone, which share/completions/completions.py writes from these tables. Where they, or help, are not the
 * same for all commands, each has its own: "files: guest backing; create: FILE". */
struct cli_option {
    const char *name;
    int letter;           /* 0: long form only */
    const char *argument; /* NULL: takes none */
    enum cli_option_kind kind;
    size_t offset;        /* of the member in struct cli_options */
    unsigned takes;       /* the commands where it does something */
    unsigned ignores;     /* the commands that accept it though it means nothing there */
    const char *help;     /* NULL: not offered (not supported yet) */
    const char *values;   /* words that it may be, or FILE, DIR, THEME; NULL: FILE if called so, or PLACE */
    const char *excludes; /* options that do not go with it, if one of the two says so; "*": none does */
};

/* What --force can be asked for by name: what is not meant by it alone. */
struct cli_force_word {
    const char *name;
    size_t offset;  /* of the member in struct cli_options */
    unsigned takes; /* the commands where it does something */
};

/* Operands are completed as files are, but SIZE, DIR, DIRECTORY and COMMAND as their name says. */
struct cli_command {
    const char *name;
    unsigned bit;
    const char *operands; /* one in [brackets] may be left out: the command says when */
    size_t n_operands;
    int (*run)(const struct cli_options *options, struct cow_error *err); /* NULL: not supported yet */
    const char *summary;
    const char *detail; /* a few lines for `cowtui COMMAND --help` */
};

/* The tables end with an entry whose name is NULL. cli_screen_command stands for "an image alone". */
extern const struct cli_option cli_option_table[];
extern const struct cli_force_word cli_force_table[];
extern const struct cli_command cli_command_table[];
extern const struct cli_command cli_screen_command;

/* The row of a subcommand, by its whole name; NULL: there is none. */
const struct cli_command *cli_find_command(const char *name);

/* Sets the hint to the command that was meant, most likely; or to where they are listed. Returns err's
 * status.
 */
int cli_hint_command(struct cow_error *err, const char *typed);

/* Reads argv into *options. Errors: COW_USAGE with a hint; COW_UNSUPPORTED for what comes later. *options is
 * filled as far as it was read, also then. */
int cli_read_options(struct cli_options *options, int argc, char **argv, struct cow_error *err);

/* Reads what the option --color says into color_mode. Errors: COW_USAGE. */
int cli_read_color(struct cli_options *options, struct cow_error *err);

/* Help on standard output: of the command, or of the whole program where there is none. */
void cli_print_help(const struct cli_command *command);

#endif

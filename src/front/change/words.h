/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What changes are told: the options, a line each, from which the command line makes rows of its own table,
 * and the screen reads what stands behind a `:` command.
 */
#ifndef FRONT_CHANGE_WORDS_H
#define FRONT_CHANGE_WORDS_H

#include <stdbool.h>

struct front_words {
    const char *output, *to, *reserve, *mtime;
    bool force, larger; /* larger: a word of force */
    bool with_backing, restamp, safe, sectors, unused, in_place;
    bool forward, back, discard;
    const int *stream_fd; /* merge: to this open file, and not to a new one; no word stands for it */
};

/* OPTION(name, letter or 0, FLAG or TEXT, what it takes or NULL, its member, the changes that take it, its
 * help, and for the shells what its argument can be and what it does not go with, as cli/options.h has them,
 * or NULL). FOR names a change; the command line's own ones have a FOR as well, which the screen does not
 * offer. */
/* clang-format off */
#define FRONT_EACH_OPTION(OPTION, FOR)                                                                       \
    OPTION("output", 'o', TEXT, "FILE", output, FOR(MERGE) | FOR(RESIZE) | FOR(DIFF) | FOR(PAGES)            \
           | FOR(COMPACT) | FOR(REBASE) | FOR(CONVERT) | FOR(FILES) | FOR(RECORD),                           \
           "write the result to this new file", NULL, NULL)                                                  \
    OPTION("to", 0, TEXT, "WHAT", to, FOR(REBASE) | FOR(CONVERT) | FOR(REPLAY),                              \
           "rebase: a file; convert: v3, qcow2; replay: TIME", "rebase: FILE; convert: v3 qcow2", NULL)      \
    OPTION("with-backing", 0, FLAG, NULL, with_backing, FOR(CONVERT),                                        \
           "qcow2: on the same backing file, not the whole disk", NULL, NULL)                                \
    OPTION("restamp", 0, FLAG, NULL, restamp, FOR(REBASE), "take over the backing file's date", NULL,        \
           NULL)                                                                                             \
    OPTION("safe", 0, FLAG, NULL, safe, FOR(REBASE), "hold in the image what the other file lacks",          \
           NULL, NULL)                                                                                       \
    OPTION("mtime", 0, TEXT, "SECONDS", mtime, FOR(REBASE),                                                  \
           "store that date of the backing file, since 1970", NULL, NULL)                                    \
    OPTION("sectors", 0, FLAG, NULL, sectors, FOR(COMPACT) | FOR(REBASE) | FOR(DIFF),                        \
           "work by sectors, not by pages of 4 KiB", NULL, NULL)                                             \
    OPTION("unused", 0, FLAG, NULL, unused, FOR(COMPACT),                                                    \
           "drop what the guest's filesystem has free, too", NULL, NULL)                                     \
    OPTION("in-place", 0, FLAG, NULL, in_place, FOR(MERGE) | FOR(RESIZE),                                    \
           "merge: into the backing file; resize: make no copy", NULL, "merge: output")                      \
    OPTION("forward", 0, FLAG, NULL, forward, FOR(RECOVER), "to its end, where both ways are open",          \
           NULL, NULL)                                                                                       \
    OPTION("back", 0, FLAG, NULL, back, FOR(RECOVER), "to its beginning, where both ways are open",          \
           NULL, "forward")                                                                                  \
    OPTION("reserve", 0, TEXT, "SIZE", reserve, FOR(CREATE) | FOR(RESIZE) | FOR(DIFF) | FOR(PAGES)           \
           | FOR(COMPACT) | FOR(REBASE) | FOR(CONVERT),                                                      \
           "be able to grow to SIZE later without moving data", NULL, NULL)                                  \
    OPTION("discard", 0, FLAG, NULL, discard, FOR(UNDO), "remove the undo data instead", NULL, NULL)
/* clang-format on */

/* The changes that the screen takes options for: each has a bit here, and as a subcommand one of
 * cli/options.h. */
#define FRONT_EACH_CHANGE(CHANGE)                                                                            \
    CHANGE(PAGES) CHANGE(COMPACT) CHANGE(REBASE) CHANGE(CONVERT) CHANGE(MERGE) CHANGE(UNDO) CHANGE(RECOVER)

enum {
#define CHANGE_PLACE(ID) FRONT_PLACE_##ID,
    FRONT_EACH_CHANGE(CHANGE_PLACE)
#undef CHANGE_PLACE
};

enum {
#define CHANGE_BIT(ID) FRONT_##ID = 1 << FRONT_PLACE_##ID,
    FRONT_EACH_CHANGE(CHANGE_BIT)
#undef CHANGE_BIT
        FRONT_RESIZE = 0,
    FRONT_DIFF = 0,
    FRONT_CREATE = 0,
    FRONT_FILES = 0,
    FRONT_RECORD = 0,
    FRONT_REPLAY = 0,
};

#endif

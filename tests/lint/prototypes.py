#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""No function is declared in a header of ours without a word about it.

Each prototype, and each inline function, in a .h below include or src has a comment: one that ends on the line above
it, one behind it in its last line, or that of the group it stands in. A group begins with a comment, and goes on up to
a blank line, the next comment, a line of the preprocessor other than a #define, or a declaration of several lines,
which takes the comment above it for its own. At most four prototypes share one comment, unless that speaks of each,
all or both of them; those with a comment of their own in the line do not count. The heading of a section, which has
dashes before and behind it, says nothing about a function. What a comment has to say is in HACKING.md, and not held
here. Prints file:line: words for each that has none.

Usage: prototypes.py [ROOT]        check a tree (default: the current directory)
       prototypes.py --self-test   break every rule once in a scratch tree and see that each is found
"""

import os
import re
import sys
import tempfile

MOST_IN_GROUP = 4

SECTION = re.compile(r"/\*\s*----.*----\s*\*/", re.S)
OF_ALL = re.compile(r"\b(each|all|both)\b", re.I)
ATTRIBUTE = re.compile(r"__attribute__\s*\(\(.*?\)\)(?=\s*[;{_]|\s*$)", re.S)
FUNCTION = re.compile(r"(?!typedef\b|_Static_assert\b)[\w\s*]*?\b(\w+)\s*\([^{};=]*\)\s*[;{]", re.S)


def headers(root):
    """Paths of the headers, from the root."""
    for top in ("include", "src"):
        for folder, folders, names in os.walk(os.path.join(root, top)):
            folders.sort()
            for name in sorted(names):
                if name.endswith(".h"):
                    yield os.path.relpath(os.path.join(folder, name), root)


def without_comments(text):
    return re.sub(r"/\*.*?\*/", "", text, flags=re.S)


def end_of(lines, begin, is_whole):
    """Where the piece ends that begins at a line: the first line with which it is whole, or the last one."""
    for end in range(begin, len(lines)):
        if is_whole("\n".join(lines[begin : end + 1])):
            return end
    return len(lines) - 1


def comments_are_closed(text):
    return "/*" not in without_comments(text)


def is_whole_declaration(text):
    code = without_comments(text).rstrip()
    return comments_are_closed(text) and code.count("{") == code.count("}") and code.endswith((";", "}"))


def is_whole_directive(text):
    return comments_are_closed(text) and not text.endswith("\\")


def problems(lines):
    """The prototypes of a header that have no comment, as (line, words)."""
    comment, n_in_group = None, 0
    at = 0
    while at < len(lines):
        begin, line = at, lines[at]
        if not line.strip():
            comment = None
        elif line.lstrip().startswith("/*"):
            at = end_of(lines, begin, comments_are_closed)
            text = "\n".join(lines[begin : at + 1])
            comment, n_in_group = None if SECTION.fullmatch(text.strip()) else text, 0
        elif line.startswith("#"):
            at = end_of(lines, begin, is_whole_directive)
            comment = comment if line.startswith("#define") else None
        else:
            at = end_of(lines, begin, is_whole_declaration)
            text = "\n".join(lines[begin : at + 1])
            function = FUNCTION.match(ATTRIBUTE.sub("", without_comments(text)))
            if function is None:
                comment = comment if at == begin else None
            elif not text.rstrip().endswith("*/"):
                n_in_group += 1
                if comment is None:
                    yield begin + 1, f"no comment says what {function[1]}() does"
                elif n_in_group > MOST_IN_GROUP and OF_ALL.search(comment) is None:
                    yield begin + 1, f"{function[1]}() shares its comment with {MOST_IN_GROUP} others or more"
        at += 1


def check(root):
    """The problems of a tree as (path, line, words)."""
    found = []
    for path in headers(root):
        with open(os.path.join(root, path), encoding="utf-8") as file:
            found += [(path, line, words) for line, words in problems(file.read().splitlines())]
    return found


CLEAN = """/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What it is about.
 */
#ifndef COW_X_H
#define COW_X_H

#include "cow/error.h"

struct cow_x;

extern const int cow_table[];

enum cow_kind {
#define COW_ENUM(id) COW_##id,
    COW_LIST(COW_ENUM)
#undef COW_ENUM
        COW_KINDS
};

/* ---- making ---- */

/* A member that is a function. */
struct cow_calls {
    /* Reads. */
    int (*read)(void *context);
    bool (*stop)(void *context, int (*asked)(void));
};

typedef bool cow_look(void *context);

/* Makes one. The comment has
 * two lines. */
int cow_make(struct cow_x **out,
             struct cow_error *err);
void cow_free(struct cow_x *x); /* NULL is allowed */

const char *cow_name(int x); /* "x", and what goes
                                on in a second line */

/* Text, into a buffer of that size. */
enum { COW_TEXT_BYTES = 40 };
#define COW_TEXT_END "."
const char *cow_text(char out[COW_TEXT_BYTES], int (*look)(void *), const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Whether it is one. */
static inline bool cow_is(int x)
{
    return x > 0 && cow_name(x) != NULL; /* a call is no prototype */
}

/* Four. */
int cow_a(void);
int cow_b(void);
int cow_own(void); /* does not count */
int cow_c(void);
int cow_d(void);

/* Both ways, and each of these. */
int cow_e(void);
int cow_f(void);
int cow_g(void);
int cow_h(void);
int cow_i(void);

#endif
"""

# What is put in the place of what, and found at the line of the words.
VIOLATIONS = [
    ("/* Whether it is one. */\n", "", "static inline bool cow_is"),
    ("/* Whether it is one. */\n", "/* ---- asking ---- */\n", "static inline bool cow_is"),
    ("/* Whether it is one. */\n", "/* Whether it is one. */\n\n", "static inline bool cow_is"),
    ("void cow_free(struct cow_x *x); /* NULL is allowed */", "\nvoid cow_free(struct cow_x *x);", "void cow_free"),
    (" two lines. */\n", " two lines. */\n#if COW_Y\n", "int cow_make"),
    ("typedef bool cow_look(void *context);\n", "/* A look. */\nstruct y {\n    int y;\n};\nint cow_y(struct y *y);\n", "int cow_y"),
    ("struct cow_x;\n", "struct cow_x;\nFILE *cow_open(void);\n", "FILE *cow_open"),
    ("struct cow_x;\n", "struct cow_x;\nint cow_put(const char *format, ...) __attribute__((format(printf, 1, 2)));\n", "int cow_put"),
    ("enum { COW_TEXT_BYTES = 40 };\n", "enum {\n    COW_TEXT_BYTES = 40\n};\n", "const char *cow_text"),
    ("#define COW_TEXT_END", "#undef COW_TEXT_END", "const char *cow_text"),
    ("int cow_d(void);\n", "int cow_d(void);\nint cow_more(void);\n", "int cow_more"),
    ("/* Both ways, and each of these. */", "/* These. */", "int cow_i"),
]


def write_header(root, path, text):
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w", encoding="utf-8") as file:
        file.write(text)


def self_test():
    bad = []
    with tempfile.TemporaryDirectory() as root:
        write_header(root, "include/cow/x.h", CLEAN)
        write_header(root, "tests/unit/x.h", "int not_looked_at(void);\n")
        if check(root):
            bad.append(f"the clean tree is not clean: {check(root)}")
    for number, (old, new, words) in enumerate(VIOLATIONS):
        path = ("include/cow/x.h", "src/core/base/x.h")[number % 2]
        text = CLEAN.replace(old, new)
        line = next(i for i, l in enumerate(text.splitlines(), 1) if l.startswith(words))
        with tempfile.TemporaryDirectory() as root:
            write_header(root, path, text)
            if text == CLEAN or [found[:2] for found in check(root)] != [(path, line)]:
                bad.append(f"{new!r} for {old!r}: {check(root)}, not one at line {line}")
    for words in bad:
        print(f"prototypes.py --self-test: {words}", file=sys.stderr)
    return 1 if bad else 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    found = check(arguments[0] if arguments else ".")
    for path, line, words in found:
        print(f"{path}:{line}: {words}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

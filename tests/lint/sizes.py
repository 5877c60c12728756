#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""No function of ours is longer than one can see at a time, and no file of the tests longer than one can know.

A function in a .c or .h below src or tests has at most 60 lines between its braces; a .c or .h below tests has at
most 800 lines (what files below src come to is held by rooms.py). As clang-format leaves them, a function's braces
stand alone at the beginning of a line, and no other brace does. Prints file:line: words for each that is longer.

Usage: sizes.py [ROOT]        check a tree (default: the current directory)
       sizes.py --self-test   break every rule once in a scratch tree and see that each is found
"""

import os
import sys
import tempfile

MOST_FUNCTION_LINES, MOST_FILE_LINES = 60, 800


def sources(root):
    """Paths of the C files below src and tests, from the root."""
    for top in ("src", "tests"):
        for folder, folders, names in os.walk(os.path.join(root, top)):
            folders.sort()
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    yield os.path.relpath(os.path.join(folder, name), root)


def problems(path, lines):
    """What is too long in a file, as (line, words)."""
    if path.startswith("tests/") and len(lines) > MOST_FILE_LINES:
        yield MOST_FILE_LINES + 1, f"the file has {len(lines)} lines; {MOST_FILE_LINES} at most: split it by what it tests"
    begin = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            begin = number
        elif line.startswith("}") and begin is not None:
            length = number - begin - 1
            if length > MOST_FUNCTION_LINES:
                yield begin, f"the function has {length} lines; {MOST_FUNCTION_LINES} at most"
            begin = None


def check(root):
    """The problems of a tree as (path, line, words)."""
    found = []
    for path in sources(root):
        with open(os.path.join(root, path), encoding="utf-8") as file:
            found += [(path, line, words) for line, words in problems(path, file.read().splitlines())]
    return found


def function(n_lines, head="static int f(void)", last="}"):
    return f"{head}\n{{\n" + "    g();\n" * n_lines + f"{last}\n"


CLEAN_TREE = {
    "src/main.c": function(MOST_FUNCTION_LINES),
    "src/core/base/io.c": "int x;\n" * (MOST_FILE_LINES + 1),
    "src/core/base/io.h": function(MOST_FUNCTION_LINES, "static inline int f(void)") * 2,
    "tests/unit/table.c": "static const int table[] = {\n" + "    1,\n" * (2 * MOST_FUNCTION_LINES) + "};\n",
    "tests/unit/text.c": "int x;\n" * (MOST_FILE_LINES - MOST_FUNCTION_LINES - 3) + function(MOST_FUNCTION_LINES),
    "tests/e2e/model.py": "x = 1\n" * (MOST_FILE_LINES + 1),
}

# Each file, written anew so, is found, and at that line.
VIOLATIONS = [
    ("src/main.c", function(MOST_FUNCTION_LINES + 1), 2),
    ("src/core/base/io.h", function(2) + "\n" + function(MOST_FUNCTION_LINES + 1, "static inline int g(int a,\n    int b)"), 9),
    ("tests/unit/text.c", function(MOST_FUNCTION_LINES + 1, "START_TEST(one)") + "END_TEST\n", 2),
    ("tests/crash/sim.h", function(MOST_FUNCTION_LINES + 1), 2),
    ("tests/unit/table.c", "int x;\n" * (MOST_FILE_LINES + 1), MOST_FILE_LINES + 1),
    ("tests/unit/table.h", "int x;\n" * MOST_FILE_LINES + "int y;", MOST_FILE_LINES + 1),
]


def write_tree(root, tree):
    for path, text in tree.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)


def self_test():
    bad = []
    with tempfile.TemporaryDirectory() as root:
        write_tree(root, CLEAN_TREE)
        if check(root):
            bad.append(f"the clean tree is not clean: {check(root)}")
    for path, text, line in VIOLATIONS:
        with tempfile.TemporaryDirectory() as root:
            write_tree(root, {**CLEAN_TREE, path: text})
            if [found[:2] for found in check(root)] != [(path, line)]:
                bad.append(f"{path}: {check(root)}, not one at line {line}")
    for words in bad:
        print(f"sizes.py --self-test: {words}", file=sys.stderr)
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

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each folder below src that holds C sources is a room, and says what it is.

Its file ROOM has three lines of at most 120 characters: what the room is; what it knows and may include; what it may
touch (files, terminal, system calls). Prints folder: words for each room that does not.

Usage: rooms.py [ROOT]        check a tree (default: the current directory)
       rooms.py --self-test   break every rule once in a scratch tree and see that each is found
"""

import os
import sys
import tempfile

LINES, COLUMNS = 3, 120


def rooms(root):
    """The folders below src with a .c file in them, and the names in each."""
    for folder, folders, names in os.walk(os.path.join(root, "src")):
        folders.sort()
        path = os.path.relpath(folder, root)
        if path != "src" and any(name.endswith(".c") for name in names):
            yield path, names


def telling_problem(root, room):
    """What is wrong with what the room says of itself, or None."""
    try:
        with open(os.path.join(root, room, "ROOM"), encoding="utf-8") as file:
            lines = file.read().split("\n")
    except FileNotFoundError:
        return "has no ROOM"
    if len(lines) != LINES + 1 or lines[-1] or not all(line.strip() for line in lines[:LINES]):
        return f"ROOM has to have {LINES} lines that say something, and nothing else"
    if max(map(len, lines)) > COLUMNS:
        return f"ROOM has a line of more than {COLUMNS} characters"
    return None


def check(root):
    """The problems of a tree as (room, words)."""
    found = []
    for room, _names in rooms(root):
        problem = telling_problem(root, room)
        if problem:
            found.append((room, problem))
    return found


CLEAN_TREE = {
    "src/main.c": "",
    "src/core/base/io.c": "",
    "src/core/base/ROOM": "What it is.\nWhat it knows.\n" + "t" * COLUMNS + "\n",
    "src/cli/cli.c": "",
    "src/cli/ROOM": "a\nb\nc\n",
    "src/cli/output/out.c": "",
    "src/cli/output/ROOM": "a\nb\nc\n",
    "src/tui/README": "no room: it has no sources\n",
}

# Each file, written anew so (None: removed), makes the room be found.
VIOLATIONS = [
    ("src/core/base", "ROOM", None),
    ("src/core/base", "ROOM", ""),
    ("src/core/base", "ROOM", "a\nb\n"),
    ("src/core/base", "ROOM", "a\n\nc\n"),
    ("src/core/base", "ROOM", "a\n \nc\n"),
    ("src/core/base", "ROOM", "a\nb\nc"),
    ("src/core/base", "ROOM", "a\nb\nc\nd\n"),
    ("src/core/base", "ROOM", "a\nb\n" + "c" * (COLUMNS + 1) + "\n"),
    ("src/cli/output", "ROOM", None),
    ("src/tui", "tui.c", ""),
]


def write_file(root, path, text):
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w", encoding="utf-8") as file:
        file.write(text)


def self_test():
    bad = []
    with tempfile.TemporaryDirectory() as root:
        for path, text in CLEAN_TREE.items():
            write_file(root, path, text)
        if check(root):
            bad.append(f"the clean tree is not clean: {check(root)}")
    for room, name, text in VIOLATIONS:
        with tempfile.TemporaryDirectory() as root:
            for path, clean in CLEAN_TREE.items():
                write_file(root, path, clean)
            if text is None:
                os.remove(os.path.join(root, room, name))
            else:
                write_file(root, f"{room}/{name}", text)
            if [found[0] for found in check(root)] != [room]:
                bad.append(f"{room}/{name}: {text!r}: not found")
    for words in bad:
        print(f"rooms.py --self-test: {words}", file=sys.stderr)
    return 1 if bad else 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    found = check(arguments[0] if arguments else ".")
    for room, words in found:
        print(f"{room}: {words}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

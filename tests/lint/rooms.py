#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each folder below src that holds C sources is a room: it says what it is, and is no larger than one can know.

Its file ROOM has three lines of at most 120 characters: what the room is; what it knows and may include; what it may
touch (files, terminal, system calls). It holds at most 20 files, a .c with its .h being one, and 4,000 lines. Prints
folder: words for each room that breaks one of these.

Usage: rooms.py [ROOT]        check a tree (default: the current directory)
       rooms.py --self-test   break every rule once in a scratch tree and see that each is found
"""

import os
import sys
import tempfile

TOLD_LINES, TOLD_COLUMNS = 3, 120
MOST_FILES, MOST_LINES = 20, 4000


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
    if len(lines) != TOLD_LINES + 1 or lines[-1] or not all(line.strip() for line in lines[:TOLD_LINES]):
        return f"ROOM has to have {TOLD_LINES} lines that say something, and nothing else"
    if max(map(len, lines)) > TOLD_COLUMNS:
        return f"ROOM has a line of more than {TOLD_COLUMNS} characters"
    return None


def size_problem(root, room, names):
    """Whether the room is too large, in words, or None."""
    sources = [name for name in names if name.endswith((".c", ".h"))]
    files = len({os.path.splitext(name)[0] for name in sources})
    lines = 0
    for name in sources:
        with open(os.path.join(root, room, name), "rb") as file:
            lines += file.read().count(b"\n")
    if files > MOST_FILES:
        return f"has {files} files, a .c with its .h being one; {MOST_FILES} at most"
    if lines > MOST_LINES:
        return f"has {lines} lines; {MOST_LINES} at most"
    return None


def check(root):
    """The problems of a tree as (room, words)."""
    found = []
    for room, names in rooms(root):
        problems = telling_problem(root, room), size_problem(root, room, names)
        found += [(room, problem) for problem in problems if problem]
    return found


CLEAN_TREE = {
    "src/main.c": "",
    "src/core/base/io.c": "\n" * (MOST_LINES - 1),
    "src/core/base/io.h": "\n",
    "src/core/base/ROOM": "What it is.\nWhat it knows.\n" + "t" * TOLD_COLUMNS + "\n",
    "src/cli/cli.c": "",
    "src/cli/ROOM": "a\nb\nc\n",
    "src/cli/output/out.c": "",
    **{f"src/cli/output/file{i}.{ending}": "" for i in range(MOST_FILES - 1) for ending in "ch"},
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
    ("src/core/base", "ROOM", "a\nb\n" + "c" * (TOLD_COLUMNS + 1) + "\n"),
    ("src/cli/output", "ROOM", None),
    ("src/cli/output", "further.h", ""),
    ("src/core/base", "io.h", "\n\n"),
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

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the suites have run through, by room of the tree: lines and branches, as gcov counts them; and BUILD/unreached
names the lines that nothing ran through, by function.

Usage: coverage.py BUILD      a build with --coverage, after the suites have run with it"""
import collections
import json
import os
import subprocess
import sys


def gcov(notes):
    """What gcov tells of one object's notes, a dictionary a source file."""
    told = subprocess.run(["gcov", "-b", "--json-format", "--stdout", notes], capture_output=True, check=False)
    for line in told.stdout.splitlines():
        if line.startswith(b"{"):
            yield from json.loads(line)["files"]


def main(build):
    rooms = collections.defaultdict(lambda: [0, 0, 0, 0])
    unreached = collections.defaultdict(list)
    for directory, _, names in os.walk(os.path.join(build, "obj", "src")):
        for name in names:
            if not name.endswith(".gcno"):
                continue
            for file in gcov(os.path.join(directory, name)):
                if not file["file"].endswith(".c"):
                    continue
                room = rooms[os.path.relpath(directory, os.path.join(build, "obj"))]
                path = os.path.relpath(file["file"])
                for line in file["lines"]:
                    if line["count"] == 0:
                        unreached[path, line.get("function_name") or ""].append(line["line_number"])
                    room[0] += line["count"] > 0
                    room[1] += 1
                    room[2] += sum(branch["count"] > 0 for branch in line["branches"])
                    room[3] += len(line["branches"])
    if not rooms:
        sys.exit(f"coverage.py: {build}: no object was compiled with --coverage")
    with open(os.path.join(build, "unreached"), "w", encoding="utf-8") as out:
        for (path, function), lines in sorted(unreached.items()):
            print(f"{path}: {function}: {' '.join(map(str, sorted(set(lines))))}", file=out)
    rooms["src, all of it"] = [sum(column) for column in zip(*rooms.values())]
    rooms["src/core, all of it"] = [sum(column) for column in zip(*(r for n, r in rooms.items() if n.startswith("src/core")))]
    print(f"{'room':24}{'lines':>8}{'run':>8}{'branches':>11}{'taken':>8}")
    for name, (lines, of_lines, branches, of_branches) in sorted(rooms.items()):
        print(f"{name:24}{of_lines:8}{100 * lines / max(of_lines, 1):7.1f}%{of_branches:11}{100 * branches / max(of_branches, 1):7.1f}%")


if __name__ == "__main__":
    main(sys.argv[1])

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every relative link of the Markdown files below a directory leads to a file there, and anchors to a heading.

Usage: links.py DIRECTORY     prints "FILE: TARGET" for each that does not; exit code 1 then
"""

import os
import re
import sys

LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*(\S+)|(?:src|href)=\"([^\"]+)\"", re.M)
FENCE = re.compile(r"^```.*?^```", re.M | re.S)
CODE = re.compile(r"`[^`\n]*`")


def anchors(path):
    """The names by which a file's headings are linked to."""
    with open(path, encoding="utf-8") as text:
        headings = re.findall(r"^#+\s+(.*?)\s*#*$", FENCE.sub("", text.read()), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(path, top):
    """The targets of a file that lead nowhere, or out of the tree."""
    with open(path, encoding="utf-8") as text:
        words = CODE.sub("", FENCE.sub("", text.read()))
    for match in LINK.finditer(words):
        target = next(group for group in match.groups() if group)
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        file, _, anchor = target.partition("#")
        place = os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path
        inside = os.path.relpath(place, top).split(os.sep)[0] != os.pardir
        if not inside or not os.path.exists(place) or (anchor and anchor not in anchors(place)):
            yield target


def main():
    top = os.path.abspath(sys.argv[1])
    files = failures = 0
    for folder, _, names in sorted(os.walk(top)):
        for name in sorted(name for name in names if name.endswith(".md")):
            files += 1
            path = os.path.join(folder, name)
            for target in broken(path, top):
                failures += 1
                print(f"{os.path.relpath(path, top)}: {target}")
    if files == 0:
        print(f"no Markdown file in {top}")
    return failures > 0 or files == 0


if __name__ == "__main__":
    sys.exit(main())

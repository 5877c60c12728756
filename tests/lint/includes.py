#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Includes go in one direction only.

include/cow <- src/core <- src/front <- { src/cli, src/tui } <- src/main.c, and include/cow <- src/nbd, the plugin; inside the
core base <- { format, beside } <- bits <- { image, shift } <- { volumes, list, follow } <- { guestfs, ledger, history } <- { plan, writer } <- { ops, resize, write } <-
{ commit, family } <- check, and nobody includes writer; inside the tui screen <- { jobs, look, terminal } <- actions <- app <-
change <- cells <- { views, lesson, replay } <- map <- files <- start; inside the cli output <- the subcommands, which lie in src/cli itself <- { history, serve }. No circle of files
anywhere, a .c with its .h taken for one. Each outside library stays in its file, and screen, look and terminal know no COW. Where a
sector lies in a file is computed by core/format, and asked of core/image: nobody else adds to a data offset or takes the
descriptor of a backing file. Prints file:line for each violation.

Usage: includes.py [ROOT]        check a tree (default: the current directory)
       includes.py --self-test   break every rule once in a scratch tree and see that each is found
"""

import os
import re
import sys
import tempfile

# Floors of a house, from the ground up: a room may know those below its own floor, and itself.
CORE_FLOORS = [
    {"base"}, {"format", "beside"}, {"bits"}, {"image", "shift"}, {"volumes", "list", "follow"}, {"guestfs", "ledger", "history"}, {"plan", "writer"}, {"ops", "resize", "write"},
    {"commit", "family"}, {"check"}
]
TUI_FLOORS = [{"screen"}, {"jobs", "look", "terminal"}, {"actions"}, {"app"}, {"change"}, {"cells"}, {"views", "lesson", "replay"}, {"map"}, {"files"}, {"start"}]
CLI_FLOORS = [{"output"}, {None}, {"history", "serve"}]
FLOORS = {"core": CORE_FLOORS, "tui": TUI_FLOORS, "cli": CLI_FLOORS}

# Rooms of the core whose face alone is for others: no room above has anything to do with them.
FACES_ONLY = {"writer"}

# All that the screen may know of the core's face.
SCREEN_FACE = {"include/cow/error.h", "include/cow/text.h"}

# An outside library and the only places (a path, or a folder with its slash) that may include it.
LIBRARIES = [
    (re.compile(r"n?cursesw?/|n?curses(_dll)?\.h|term(cap)?\.h|panel\.h|menu\.h|form\.h"), "src/tui/terminal/term.c", "src/tui/terminal/colors.c", "src/tui/terminal/colors.h"),
    (re.compile(r"readline/"), "src/tui/screen/prompt.c"),
    (re.compile(r"ext2fs/|et/com_err\.h"), "src/core/guestfs/"),
    (re.compile(r"blkid/"), "src/core/volumes/volumes.c"),
    (re.compile(r"jansson"), "src/cli/", "src/front/qcow2/qcow2_chain.c"),
    (re.compile(r"libnbd"), "src/front/qcow2/nbd_client.c"),
    (re.compile(r"png\.h"), "src/front/picture/png.c"),
    (re.compile(r"nbdkit-(plugin|filter|common)\.h"), "src/nbd/plugin.c"),
]

# What is made as the program is built, and by whom alone it is included.
MADE = {"themes.inc": "src/tui/look/shipped.c"}

C11_HEADERS = {
    name + ".h"
    for name in (
        "assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg"
        " stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar wchar wctype"
    ).split()
}

INCLUDE = re.compile(r"^\s*#\s*include\b\s*(.*)$")
TARGET = re.compile(r'^(?:"([^"]+)"|<([^>]+)>)')


# Where a sector lies in a file is computed and read there alone; all others ask (core/image/image.h, cow/disk.h).
PLACES_HOME = ("src/core/format/", "src/core/image/", "src/core/beside/half.c")
PLACES = [
    (re.compile(r"\bdata_offset\s*\+|\+\s*[\w.>()&-]*\bdata_offset\b"), "an offset in a file is asked of the layout or image"),
    (re.compile(r"\bbacking(_file)?(\.|->)(file(\.|->))?fd\b"), "the backing file is read through the image"),
]


def place_problem(source, line):
    """Why source may not compute or read what this line does, or None."""
    if not source.startswith("src/") or source.startswith(PLACES_HOME):
        return None
    return next((words for pattern, words in PLACES if pattern.search(line)), None)


def room_of(path):
    """The room a file of the tree belongs to: (house, folder in it, or None)."""
    parts = path.split("/")
    if parts[0] == "include":
        return "include", None
    if path == "src/main.c":
        return "main", None
    if parts[0] == "src" and len(parts) > 3 and parts[1] in FLOORS:
        return parts[1], parts[2]
    if len(parts) > 2 and parts[0] == "src":
        return parts[1], None
    return "outside", None


def resolve(root, source, name):
    """Where a quoted include is found, as a path in the tree, or None."""
    for folder in (os.path.dirname(source), "src", "include"):
        path = os.path.normpath(os.path.join(folder, name))
        if os.path.isfile(os.path.join(root, path)):
            return path
    return None


def floor_problem(house, floors, from_folder, to_folder):
    """Why a room of a house may not know another one, or None."""
    at = {}
    for folder in (from_folder, to_folder):
        at[folder] = next((number for number, rooms in enumerate(floors) if folder in rooms), None)
        if at[folder] is None:
            return f"{house}/{folder or ''} has no place in the order of src/{house}"
    if from_folder == to_folder or (at[to_folder] < at[from_folder] and to_folder not in FACES_ONLY):
        return None
    return f"{house}/{from_folder or ''} must not know {house}/{to_folder or ''}"


def direction_problem(source, target):
    """Why source may not include target (both in the tree), or None."""
    from_house, from_folder = room_of(source)
    to_house, to_folder = room_of(target)
    if to_house == "include":
        is_screen = from_house == "tui" and from_folder in ("screen", "terminal", "look")
        return f"tui/{from_folder} must not know {target}" if is_screen and target not in SCREEN_FACE else None
    if from_house == to_house and from_house in FLOORS:
        return floor_problem(from_house, FLOORS[from_house], from_folder, to_folder)
    if to_house == "front" and from_house in ("front", "cli", "tui") and from_folder not in ("screen", "terminal", "look"):
        return None
    if from_house == to_house == "nbd":
        return None
    if from_house == "main":
        return None if to_house in ("cli", "tui") else "main.c knows the front ends and cow/*.h only"
    return f"{os.path.dirname(source)} must not know {os.path.dirname(target)}"


def system_problem(source, name):
    """Why source may not include <name>, or None."""
    for pattern, *homes in LIBRARIES:
        if pattern.match(name) and not any(source == home or (home.endswith("/") and source.startswith(home)) for home in homes):
            return f"<{name}> belongs to {' and '.join(homes)} alone"
    if room_of(source)[0] == "include" and name not in C11_HEADERS:
        return f"<{name}> is no standard C header; public headers need nothing else"
    return None


def include_problem(root, source, rest):
    match = TARGET.match(rest)
    if not match:
        return "an include must name its file"
    quoted, angled = match.groups()
    if angled:
        return system_problem(source, angled)
    if MADE.get(quoted) == source:
        return None
    target = resolve(root, source, quoted)
    if target is None:
        return f'"{quoted}" is not found in the tree'
    return direction_problem(source, target)


def file_edge(root, source, rest):
    """The two files that an include ties, without their endings, or None."""
    quoted = TARGET.match(rest).group(1)
    target = quoted and resolve(root, source, quoted)
    if not target:
        return None
    edge = os.path.splitext(source)[0], os.path.splitext(target)[0]
    return edge if edge[0] != edge[1] else None


def sources(root):
    for top in ("include", "src"):
        for folder, folders, names in os.walk(os.path.join(root, top)):
            folders.sort()
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    yield os.path.relpath(os.path.join(folder, name), root)


def circle_problems(edges):
    """An include is refused that lies on a circle of files. edges: {(file, file): [(path, line)]}, a file
    being a path without its ending. Each circle is told once, at the first of its includes."""
    knows = {}
    for source, target in edges:
        knows.setdefault(source, set()).add(target)

    def way(start, goal):
        """The files from start to goal, the shortest way, or None."""
        ways, seen = [[start]], {start}
        for so_far in ways:
            if so_far[-1] == goal:
                return so_far
            ways += [so_far + [file] for file in sorted(knows.get(so_far[-1], set()) - seen)]
            seen |= knows.get(so_far[-1], set())
        return None

    told = set()
    for (source, target), places in sorted(edges.items()):
        back = way(target, source)
        if back is not None and frozenset(back) not in told:
            told.add(frozenset(back))
            yield (*places[0], "a circle of files: " + " -> ".join([source, *back]))


def check(root):
    """The violations of a tree as (path, line, words)."""
    found, edges = [], {}
    for source in sources(root):
        with open(os.path.join(root, source), encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                match = INCLUDE.match(line)
                problem = match and include_problem(root, source, match.group(1)) or place_problem(source, line)
                if problem:
                    found.append((source, number, problem))
                edge = match and not problem and file_edge(root, source, match.group(1))
                if edge:
                    edges.setdefault(edge, []).append((source, number))
    return found + list(circle_problems(edges))


CLEAN_TREE = {
    "include/cow/cow.h": '#include <stdint.h>\n#include "cow/error.h"\n',
    "include/cow/error.h": "#include <stddef.h>\n",
    "src/core/base/io.h": "#include <sys/types.h>\n",
    "src/core/image/image.h": '#include "core/base/io.h"\n#include "cow/error.h"\n',
    "src/core/image/image.c": '#include "image.h"\n#include "../base/io.h"\n#include "core/bits/bitmap.h"\n#include <unistd.h>\n',
    "src/core/bits/bitmap.h": '#include "core/base/io.h"\n',
    "src/core/bits/bitmap.c": '#include "core/bits/bitmap.h"\n',
    "src/core/image/side.h": '#include "core/image/image.h"\n',
    "src/core/image/read.c": "at = l->data_offset + offset; io_read(img->backing.file.fd);\n",
    "src/core/check/check.c": "left = l->data_offset - end; fd = c->backing_fd;\n",
    "src/core/volumes/volumes.h": '#include "core/image/image.h"\n',
    "src/core/volumes/volumes.c": "#include <blkid/blkid.h>\n",
    "src/core/guestfs/fs.h": '#include "core/volumes/volumes.h"\n',
    "src/core/guestfs/fs.c": "#include <ext2fs/ext2fs.h>\n",
    "src/core/ledger/record.h": '#include "core/image/image.h"\n',
    "src/core/plan/plan.h": '#include "core/ledger/record.h"\n#include "core/guestfs/fs.h"\n',
    "src/core/writer/writer.h": '#include "core/ledger/record.h"\n#include "core/guestfs/fs.h"\n',
    "src/core/write/work.h": '#include "core/plan/plan.h"\n',
    "src/core/check/check.h": "",
    "src/front/process.h": '#include "cow/error.h"\n',
    "src/front/server.c": '#include "front/process.h"\n',
    "src/nbd/served.h": '#include "cow/cow.h"\n',
    "src/nbd/plugin.c": '#include <nbdkit-plugin.h>\n#include "nbd/served.h"\n',
    "src/cli/cli.h": '#include "cli/output/json.h"\n',
    "src/cli/info.c": '#include <jansson.h>\n#include "cli.h"\n#include "front/process.h"\n',
    "src/cli/output/json.h": "",
    "src/cli/output/json.c": '#include <jansson.h>\n#include "cli/output/json.h"\n',
    "src/tui/start/tui.h": "",
    "src/tui/app/app.h": '#include "tui/jobs/job.h"\n#include "tui/screen/style.h"\n#include "cow/cow.h"\n',
    "src/tui/jobs/job.h": '#include "tui/screen/style.h"\n',
    "src/tui/jobs/job.c": '#include "tui/jobs/job.h"\n',
    "src/tui/jobs/scan_job.h": '#include "tui/jobs/job.h"\n',
    "src/tui/change/change.h": '#include "tui/app/app.h"\n',
    "src/tui/views/view.h": "",
    "src/tui/views/view_map.c": '#include "tui/change/change.h"\n#include "tui/jobs/job.h"\n',
    "src/tui/lesson/lesson.h": '#include "tui/app/app.h"\n',
    "src/tui/files/level.h": '#include "tui/views/view.h"\n',
    "src/tui/screen/style.h": '#include "cow/error.h"\n',
    "src/tui/terminal/term.c": '#include <curses.h>\n#include "tui/screen/style.h"\n',
    "src/tui/screen/prompt.c": "#include <readline/readline.h>\n",
    "src/main.c": '#include "cli/cli.h"\n#include "tui/start/tui.h"\n#include "cow/cow.h"\n',
}

# Each line, appended to its file, must be found there.
VIOLATIONS = [
    ("include/cow/error.h", "#include <unistd.h>"),
    ("include/cow/error.h", '#include "core/base/io.h"'),
    ("include/cow/cow.h", "#include <curses.h>"),
    ("src/core/base/io.h", '#include "core/image/image.h"'),
    ("src/core/base/io.h", '#  include "../image/image.h"'),
    ("src/core/image/image.c", '#include "core/check/check.h"'),
    ("src/core/image/image.c", '#include "cli/cli.h"'),
    ("src/core/guestfs/fs.h", '#include "core/ledger/record.h"'),
    ("src/core/ledger/record.h", '#include "core/guestfs/fs.h"'),
    ("src/core/ledger/record.h", '#include "core/plan/plan.h"'),
    ("src/core/plan/plan.h", '#include "core/write/work.h"'),
    ("src/core/write/work.h", '#include "core/check/check.h"'),
    ("src/core/write/work.h", '#include "core/writer/writer.h"'),
    ("src/core/writer/writer.h", '#include "core/plan/plan.h"'),
    ("src/cli/info.c", '#include "core/writer/writer.h"'),
    ("src/core/bits/bitmap.h", '#include "core/image/image.h"'),
    ("src/core/bits/bitmap.c", '#include "side.h"'),
    ("src/core/image/image.c", "#include <ext2fs/ext2_fs.h>"),
    ("src/core/volumes/volumes.c", "#include <ext2fs/ext2_fs.h>"),
    ("src/core/volumes/volumes.c", '#include "core/guestfs/fs.h"'),
    ("src/core/guestfs/fs.c", "#include <blkid/blkid.h>"),
    ("src/core/image/image.c", "#include <jansson.h>"),
    ("src/core/image/image.c", "#include HEADER"),
    ("src/core/image/image.c", '#include "nowhere.h"'),
    ("src/front/server.c", '#include "core/base/io.h"'),
    ("src/front/server.c", '#include "cli/cli.h"'),
    ("src/front/server.c", '#include "nbd/served.h"'),
    ("src/nbd/plugin.c", '#include "core/base/io.h"'),
    ("src/nbd/plugin.c", '#include "front/process.h"'),
    ("src/nbd/served.h", "#include <nbdkit-plugin.h>"),
    ("src/core/check/check.h", '#include "front/process.h"'),
    ("src/tui/screen/prompt.c", '#include "front/process.h"'),
    ("src/cli/info.c", '#include "nbd/served.h"'),
    ("src/cli/info.c", '#include "tui/start/tui.h"'),
    ("src/cli/info.c", '#include "../tui/start/tui.h"'),
    ("src/cli/info.c", '#include "core/base/io.h"'),
    ("src/cli/info.c", "#include <ncursesw/curses.h>"),
    ("src/cli/output/json.c", '#include "cli/cli.h"'),
    ("src/tui/screen/prompt.c", '#include "cli/cli.h"'),
    ("src/tui/screen/prompt.c", '#include "tui/start/tui.h"'),
    ("src/tui/screen/prompt.c", '#include "cow/cow.h"'),
    ("src/tui/screen/style.h", '#include "tui/terminal/term.c"'),
    ("src/tui/screen/style.h", '#include "themes.inc"'),
    ("src/tui/terminal/term.c", '#include "cow/cow.h"'),
    ("src/tui/terminal/term.c", '#include "tui/app/app.h"'),
    ("src/tui/app/app.h", '#include "tui/start/tui.h"'),
    ("src/tui/app/app.h", '#include "tui/change/change.h"'),
    ("src/tui/jobs/job.c", '#include "tui/change/change.h"'),
    ("src/tui/jobs/job.c", '#include "tui/app/app.h"'),
    ("src/tui/jobs/job.c", '#include "tui/jobs/scan_job.h"'),
    ("src/tui/change/change.h", '#include "tui/views/view.h"'),
    ("src/tui/views/view_map.c", '#include "tui/files/level.h"'),
    ("src/tui/views/view_map.c", '#include "tui/lesson/lesson.h"'),
    ("src/tui/lesson/lesson.h", '#include "tui/views/view.h"'),
    ("src/tui/app/app.h", '#include "tui/lesson/lesson.h"'),
    ("src/tui/screen/prompt.c", "#include <ncurses.h>"),
    ("src/tui/terminal/term.c", "#include <readline/history.h>"),
    ("src/tui/terminal/term.c", "#include <jansson.h>"),
    ("src/tui/terminal/term.c", '#include "core/image/image.h"'),
    ("src/core/plan/plan.h", "enum { AT = layout.data_offset + 1 };"),
    ("src/core/write/work.h", "at = begin + plan->layout.data_offset;"),
    ("src/core/check/check.h", "int fd = img->backing.file.fd;"),
    ("src/tui/views/view_map.c", "read(s->backing.fd);"),
    ("src/main.c", '#include "core/image/image.h"'),
    ("src/main.c", "#include <curses.h>"),
]


def write_tree(root, broken_path=None, broken_line=None):
    for path, text in CLEAN_TREE.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text + (broken_line + "\n" if path == broken_path else ""))


def self_test():
    bad = []
    with tempfile.TemporaryDirectory() as root:
        write_tree(root)
        if check(root):
            bad.append(f"the clean tree is not clean: {check(root)}")
        for path, line in VIOLATIONS:
            write_tree(root, path, line)
            expected = (path, CLEAN_TREE[path].count("\n") + 1)
            if [found[:2] for found in check(root)] != [expected]:
                bad.append(f"{path}: {line}: not found")
    for words in bad:
        print(f"includes.py --self-test: {words}", file=sys.stderr)
    return 1 if bad else 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    found = check(arguments[0] if arguments else ".")
    for path, number, words in found:
        print(f"{path}:{number}: {words}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

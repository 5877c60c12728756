#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers what the cases of a test file ask, one question after the other: an interpreter (or jq) that is started
for each costs more than most commands that are tested.

    answers.py ASK ANSWER SAID    two named pipes; the file that what is printed goes to

A question is its number of words, a name for it, the directory it is asked in, and the words, a NUL behind each. The
answer is a line: that name, an exit code, how many bytes are in SAID. What a question leaves behind (but in files) is
gone with it.

    model WORDS...       what model.py says
    state FILE...        what must not change of these
    sha FILE [N_BYTES]   sha256 of it, or of its first bytes
    json FILTER FILE     what jq -r prints; code 9: a filter that is for jq itself (so is whatever is odd in the file)
    good-json FILE       code 0 where it is: one value, UTF-8, and no number that JSON does not know
    run CODE WORDS...    a script of a case; what it prints is text
"""
import hashlib
import io
import json
import os
import re
import select
import stat
import sys
import time
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import model  # noqa: E402
import sparse_sum  # noqa: E402

ALONE_SECONDS = 5  # after so long without a question it looks whether there is still somebody to ask
FOR_JQ = 9
EXACT = 1 << 53  # beyond it jq's numbers are others

# ---- what must not change ----

KINDS = {stat.S_IFREG: "regular file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symbolic link",
         stat.S_IFBLK: "block device", stat.S_IFCHR: "character device", stat.S_IFIFO: "fifo"}


def state(paths):
    """Name, type, size, date to the nanosecond, mode, owner, inode and content of each file."""
    for path in paths:
        try:
            facts, is_file = os.lstat(path), os.path.isfile(path)
            kind, mode = KINDS.get(stat.S_IFMT(facts.st_mode), "other"), oct(stat.S_IMODE(facts.st_mode))
            if not is_file:
                print(path, kind, mode)
                continue
            date = time.strftime("%F %T", time.gmtime(facts.st_mtime_ns // 10**9))
            print(path, kind, facts.st_size, f"{date}.{facts.st_mtime_ns % 10**9:09} +0000", mode,
                  f"{facts.st_uid}:{facts.st_gid}", facts.st_ino, sparse_sum.sparse_sum(path))
        except FileNotFoundError:
            print(path, "is not there")
        except OSError as error:
            print(path, error.strerror)


def sha(path, n_bytes=None):
    out, left = hashlib.sha256(), int(n_bytes) if n_bytes is not None else sys.maxsize
    with open(path, "rb", buffering=0) as f:
        while left > 0 and (piece := f.read(min(left, 1 << 20))):
            out.update(piece)
            left -= len(piece)
    print(out.hexdigest())


# ---- the simple half of jq ----


class ForJq(Exception):
    """What is not done here: jq does it, or says what is wrong."""


PATH = r"\.(?:[A-Za-z_]\w*)?(?:\[-?\d*\]|\.[A-Za-z_]\w*)*"
STEP = re.compile(r"\.?([A-Za-z_]\w*)|\[(-?\d*)\]")
LENGTH = re.compile(rf"({PATH}) \| length")
JOIN = re.compile(rf'\[({PATH})\] \| join\("([^"\\]*)"\)')
TEXT = re.compile(rf'(?:({PATH}) \| )?"((?:[^"\\]|\\\({PATH}\))*)"')
TEXTS_BETWEEN = re.compile(r'"\s+\+\s+"')
HOLE = re.compile(rf"\\\(({PATH})\)")


def walk(values, path):
    """What lies at a path, of each value."""
    for name, index in STEP.findall(path):
        if name:
            if not all(v is None or isinstance(v, dict) for v in values):
                raise ForJq
            values = [None if v is None else v.get(name) for v in values]
        elif not all(isinstance(v, list) for v in values):
            raise ForJq
        elif index:
            values = [v[int(index)] if -len(v) <= int(index) < len(v) else None for v in values]
        else:
            values = [w for v in values for w in v]
    return values


def shown(value):
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and abs(value) <= EXACT:
        return str(value)
    raise ForJq


def one(value, path):
    values = walk([value], path)
    if len(values) != 1:
        raise ForJq
    return shown(values[0])


def select_from(value, wanted):
    if re.fullmatch(PATH, wanted):
        return [shown(v) for v in walk([value], wanted)]
    if found := LENGTH.fullmatch(wanted):
        values = walk([value], found[1])
        if not all(isinstance(v, (list, dict)) for v in values):
            raise ForJq
        return [str(len(v)) for v in values]
    if found := JOIN.fullmatch(wanted):
        values = walk([value], found[1])
        if not all(isinstance(v, str) for v in values):
            raise ForJq
        return [found[2].join(values)]
    if found := TEXT.fullmatch(TEXTS_BETWEEN.sub("", wanted)):
        return [HOLE.sub(lambda hole, v=v: one(v, hole[1]), found[2]) for v in walk([value], found[1] or ".")]
    raise ForJq


def no_number(text):
    raise ForJq(text)


def from_json(wanted, path):
    try:
        with open(path, encoding="utf-8") as f:
            value = json.load(f, parse_constant=no_number, parse_float=float)
        lines = select_from(value, wanted)
    except (ForJq, ValueError, OSError):
        sys.exit(FOR_JQ)
    for line in lines:
        print(line)


# ---- asking ----


def run(code, words):
    sys.argv = ["-", *words]
    exec(compile(code, "<a case>", "exec"), {"__name__": "__main__"})  # pylint: disable=exec-used


def answer(words):
    command, rest = words[0], words[1:]
    if command == "model":
        model.main(["model.py", *rest])
    elif command == "state":
        state(rest)
    elif command == "sha":
        sha(*rest)
    elif command == "json":
        from_json(*rest)
    elif command == "good-json":
        with open(rest[0], encoding="utf-8") as f:
            json.load(f, parse_constant=no_number)
    elif command == "run":
        run(rest[0], rest[1:])
    else:
        sys.exit("answers.py: unknown question " + command)


def code_of(words):
    """Answers, as a process of its own would: with an exit code."""
    try:
        answer(words)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
            return 1
        return end.code or 0
    except Exception:  # pylint: disable=broad-except
        traceback.print_exc()
        return 1
    return 0


def questions(fd):
    """(name, directory, words) of each."""
    parent, had = os.getppid(), b""

    def more():
        while not select.select([fd], [], [], ALONE_SECONDS)[0]:
            if os.getppid() != parent:
                sys.exit(0)
        return os.read(fd, 1 << 16)

    while True:
        while b"\0" not in had:
            had += more()
        n, _, had = had.partition(b"\0")
        pieces, n_fields = [had], int(n) + 2
        n_seen = had.count(b"\0")
        while n_seen < n_fields:
            pieces.append(more())
            n_seen += pieces[-1].count(b"\0")
        *fields, had = b"".join(pieces).split(b"\0")
        if len(fields) != n_fields:
            sys.exit("answers.py: two ask at once")
        yield fields[0], fields[1], [os.fsdecode(word) for word in fields[2:]]


def main():
    ask, reply = os.open(sys.argv[1], os.O_RDWR), os.open(sys.argv[2], os.O_RDWR)
    said_path, stdout = sys.argv[3], sys.stdout
    os.write(reply, b"ready\n")
    for name, directory, words in questions(ask):
        said = io.BytesIO()
        sys.stdout = out = io.TextIOWrapper(said, encoding="utf-8", errors="surrogateescape", write_through=True)
        try:
            os.chdir(directory)
            code = code_of(words)
        except OSError as error:
            print(f"answers.py: {directory!r}: {error.strerror}", file=sys.stderr)
            code = 1
        os.chdir("/")  # so that it can be unmounted
        out.flush()
        sys.stdout, text = stdout, said.getvalue()
        if b"\0" in text:
            print("answers.py: a NUL cannot be said", file=sys.stderr)
            code = 1
        if text:
            with open(said_path, "wb") as f:
                f.write(text)
        os.write(reply, b"%s %d %d\n" % (name, code, len(text)))


if __name__ == "__main__":
    main()

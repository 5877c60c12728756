#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The served disk against a plain one.

serve.py BINARY [--parts | PART...]
"""
import fnmatch
import os
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import operations  # noqa: E402
import tree  # noqa: E402
import trouble  # noqa: E402
from scene import Skip, Wrong  # noqa: E402

LEVEL = os.environ.get("LEVEL") or "test"
SEED = int(os.environ.get("SEED") or 1)
MORE = LEVEL in ("more", "soak")
SANITIZED = "/asan/" in os.path.realpath(sys.argv[1]) if len(sys.argv) > 1 else False  # the plain one does all of them


def random_cases():
    for seed in range(SEED, SEED + 4):
        count = (5000 if SANITIZED else 25000) if MORE else 1000
        yield f"random operations, seed {seed}", lambda b, d, s=seed, n=count: operations.at_random(b, d, s, n)


def kill_cases():
    rounds = 100 if MORE else 6
    yield "killed among operations", lambda b, d: operations.killed(b, d, SEED, rounds)


def trouble_cases():
    yield "lies to a server that only reads", lambda b, d: trouble.lies(b, d, False)
    yield "lies to a server that writes", lambda b, d: trouble.lies(b, d, True)
    yield "the disk is full", trouble.full


def tree_cases():
    files = 10000 if MORE else 300
    yield "files copied in, blocks of 4 KiB", lambda b, d: tree.copied(b, d, files, 4096)
    yield "files copied in, blocks of 1 KiB", lambda b, d: tree.copied(b, d, files + 1, 1024)


# name: (its cases, about how many seconds they take: in test, in more)
PARTS = {
    "random": (random_cases, 20, 300),
    "killed": (kill_cases, 10, 100),
    "trouble": (trouble_cases, 5, 5),
    "tree": (tree_cases, 20, 200),
}


def wanted(name):
    pattern = os.environ.get("ONLY_CASE")
    return not pattern or name == pattern or fnmatch.fnmatchcase(name, pattern)


def part(binary, name):
    """Whether all of it is as it has to be."""
    good = True
    for title, case in PARTS[name][0]():
        if not wanted(title):
            continue
        with tempfile.TemporaryDirectory(prefix="cowtui-serve.") as directory:
            try:
                print(f"   {title}: {case(binary, directory)}")
                print(f"ok {title}", flush=True)
            except Skip as why:
                print(f"skip {title}: {why}", flush=True)
            except (Wrong, OSError, subprocess.SubprocessError) as wrong:
                good = False
                print(f"FAIL {title}: {wrong}".replace("\n", " "), flush=True)
    return good


def main():
    binary, *names = sys.argv[1:]
    if names == ["--parts"]:
        for name, (_, short, long) in PARTS.items():
            print(name, long if MORE else short)
        return 0
    unknown = [n for n in names if n not in PARTS]
    if unknown:
        sys.exit(f"serve.py: no part \"{unknown[0]}\": there are {', '.join(PARTS)}")
    signal.signal(signal.SIGTERM, lambda n, frame: sys.exit(128 + n))
    return 0 if all([part(binary, name) for name in names or PARTS]) else 1


if __name__ == "__main__":
    sys.exit(main())

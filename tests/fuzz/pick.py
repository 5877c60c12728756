#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Picks, from what a libFuzzer target has found, the files that reach most: a greedy cover, so that a corpus stays small.

Usage: pick.py FUZZER DIRECTORY CORPUS [FILES [BYTES]]
Adds to CORPUS what DIRECTORY has and it lacks, up to FILES in all (40), none larger than BYTES (4500). What is there stays.
FUZZ_SCRATCH and FUZZ_SEEDS as for the fuzzer."""
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile


def features(fuzzer, directory):
    """{path: set of features}, by libFuzzer's own merge."""
    with tempfile.TemporaryDirectory() as work:
        control, out = os.path.join(work, "control"), os.path.join(work, "out")
        os.mkdir(out)
        env = dict(os.environ, FUZZ_KEEP=work, ASAN_OPTIONS="detect_leaks=0:allocator_may_return_null=1")
        subprocess.run([os.path.realpath(fuzzer), "-merge=1", f"-merge_control_file={control}", out, os.path.realpath(directory)], env=env,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        with open(control, encoding="utf-8") as file:
            lines = file.read().splitlines()
    count = int(lines[0])
    paths = lines[2 : 2 + count]
    found = {path: set() for path in paths}
    for line in lines[2 + count :]:
        words = line.split()
        if words[0] == "FT":
            found[paths[int(words[1])]] = set(words[2:])
    return found


def main(fuzzer, directory, corpus, most_files="40", most_bytes="4500"):
    os.makedirs(corpus, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        for where in corpus, directory:
            for name in os.listdir(where):
                if os.path.getsize(os.path.join(where, name)) <= int(most_bytes):
                    shutil.copy(os.path.join(where, name), os.path.join(work, ("kept-" if where == corpus else "") + name))
        found = features(fuzzer, work)
        reached = set().union(*(f for p, f in found.items() if os.path.basename(p).startswith(("kept-", "start-"))))
        rest = {p: f for p, f in found.items() if not os.path.basename(p).startswith(("kept-", "start-"))}
        while rest and len(os.listdir(corpus)) < int(most_files):
            best = max(rest, key=lambda p: (len(rest[p] - reached), -os.path.getsize(p)))
            if not rest[best] - reached:
                break
            with open(best, "rb") as file:
                data = file.read()
            reached |= rest.pop(best)
            with open(os.path.join(corpus, hashlib.sha1(data).hexdigest()[:12]), "wb") as file:
                file.write(data)
    print(f"{corpus}: {len(os.listdir(corpus))} files, {len(reached)} features")


if __name__ == "__main__":
    main(*sys.argv[1:])

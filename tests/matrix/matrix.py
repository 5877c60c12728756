#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The geometry matrix: formats x sector sizes x alignments x sizes x patterns x garbage, and on each
combination a chain of changes, held against a model of its own.

    matrix.py BINARY COUNT --work DIRECTORY [--seed N] [--share K/N] [--only N] [--keep] [--damage KIND]

What is made is in combos.py, what is done in walk.py, what must be true then in chain.py; formats.py reads
the results. Every combination has a number; with the same seed it is the same one again. --only does just
that one and tells each command; --keep leaves its files; --share 2/4 is the second quarter. --damage spoils what the product left (damage.py):
that must be found, and after the matrix each kind of damage is tried once.
"""
import argparse
import collections
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
import traceback

import combos
import damage
from chain import Wrong
from sparse import Pages
from walk import Walk

ENOUGH = 0.8  # of the combinations must have seen a real change
options = None


def where_it_broke(error):
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({os.path.basename(frame.filename)}:{frame.lineno})"


def one(number, hurt=None, trace=None):
    """Makes and does a combination: (number, label, counts, changed, damaged, problem or None)."""
    home = os.path.join(options.work, f"{number}-{hurt}" if hurt else str(number))
    os.mkdir(home)
    os.chdir(home)
    chain, label, problem = None, "", None
    try:
        rng, disk = combos.make(options.seed, number)
        label = disk.label
        if trace:
            trace(f"{number}: {label}")
        chain = Walk(options.binary, options.moo, rng, disk, hurt, trace)
        chain.go()
    except Wrong as wrong:
        problem = f"{chain.doing}: {wrong}"
    except subprocess.TimeoutExpired:
        problem = f"{chain.doing}: does not end"
    except Exception as error:  # pylint: disable=broad-except
        problem = f"{chain.doing if chain else 'making it'}: {where_it_broke(error)}"
    os.chdir(options.work)
    if not options.keep:
        shutil.rmtree(home)
    if chain is None:
        return number, label, {}, False, False, problem
    return number, label, chain.counts, chain.changed, chain.hurt is None, problem


def say(line):
    print(line, flush=True)


def again(number):
    return f"SEED={options.seed} tests/matrix/run.sh {sys.argv[1]} {options.count} --only {number}"


class Tally:
    """What came of the combinations."""

    def __init__(self):
        self.passed, self.failed, self.skipped, self.idle = 0, 0, 0, 0
        self.sums = collections.Counter()
        self.variants = collections.Counter()

    def add(self, number, label, counts, changed, problem):
        self.sums.update(counts)
        self.variants[label.split(",")[0]] += 1
        self.idle += not changed and problem is None
        if problem is None:
            self.passed += 1
            return
        self.failed += 1
        say(f"FAIL {number}: {label}\n    {problem}\n    again: {again(number)}")

    def judge(self, good, name, why=""):
        self.passed += good
        self.failed += not good
        say(f"{'ok' if good else 'FAIL'} {name}{why if not good else ''}")

    def skip(self, name, why):
        self.skipped += 1
        say(f"skip {name}: {why}")


def workers():
    return multiprocessing.get_context("fork").Pool(min(os.cpu_count() or 1, options.jobs))


def matrix(tally):
    begin = time.monotonic()
    with workers() as pool:
        for number, label, counts, changed, _, problem in pool.imap_unordered(one, options.numbers):
            tally.add(number, label, counts, changed, problem)
    for variant, n in sorted(tally.variants.items()):
        say(f"   {variant or 'not made'}: {n}")
    s = tally.sums
    kinds = ", ".join(f"{kind} {s[kind]}" for kind in "extend copy keep shrink same".split())
    say(f"   {s['changes']} changes: {kinds}")
    say(f"   {s['stayed']} of them by the header, {s['moved']} moved, {s['inserted']} inserted, {s['copied']} by copy; {s['undone']} undone")
    say(f"   {s['chains']} chains that move, grow, shrink and undo")
    say(f"   {s['refused']} refusals, {s['merged']} merges, {s['moo']} disks read by uml_moo")
    say(f"   {s['checks']} checks in {time.monotonic() - begin:.0f} s")
    count = len(options.numbers)
    done = count - tally.idle
    tally.judge(done >= ENOUGH * count, f"{done} of {count} combinations saw a real change",
                f": fewer than {ENOUGH:.0%}")


def proves(kind):
    """Spoils the combinations one after the other until one could be spoilt so: whether that was found."""
    for number in range(60):
        *_, damaged, problem = one(number, kind)
        if damaged:
            return kind, problem is not None
    return kind, False


def self_test(tally):
    with workers() as pool:
        for kind, found in pool.imap(proves, damage.WHERE):
            tally.judge(found, f"damage is found: {kind}", ": nothing was noticed")


def holes_work():
    """Whether this filesystem has files of 16 TiB, and tells where their holes are."""
    path = os.path.join(options.work, "probe")
    pages = Pages()
    pages.write(9 << 40, b"x")
    try:
        pages.save(path, 10 << 40)
        works = Pages.of_file(path, 9 << 40).read(0, 1) == b"x" and os.stat(path).st_blocks < 1000
        with open(path, "rb") as f:
            return works and os.lseek(f.fileno(), 0, os.SEEK_DATA) > 1 << 40
    except OSError:
        return False
    finally:
        os.unlink(path)


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("count", type=int)
    parser.add_argument("--work", required=True)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--share", default="1/1")
    parser.add_argument("--only", type=int)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--damage", choices=damage.WHERE)
    parser.add_argument("--jobs", type=int, default=2)
    out = parser.parse_args()
    share, shares = map(int, out.share.split("/"))
    out.numbers, out.first = range(share - 1, out.count, shares), share == 1
    out.binary, out.work = os.path.realpath(out.binary), os.path.realpath(out.work)
    out.moo = shutil.which("uml_moo")
    return out


def main():
    global options
    options = parse()
    if not holes_work():
        say(f"{options.work} is on a filesystem without sparse files of 10 TiB")
        return 77
    if options.only is not None:
        *_, problem = one(options.only, options.damage, trace=say)
        say(f"FAIL {options.only}: {problem}" if problem else f"ok {options.only}")
        return problem is not None
    tally = Tally()
    if not options.moo:
        tally.skip("the disks as uml_moo reads them", "uml_moo (uml-utilities) is not installed")
    matrix(tally)
    if options.first:
        self_test(tally)
    say(f"matrix: {tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    return tally.failed > 0 or tally.passed == 0


if __name__ == "__main__":
    sys.exit(main())

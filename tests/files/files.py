#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filesystems of all kinds, changed by e2fsprogs, and `cowtui files` on the image between; see run.sh. A check is
a question to one filesystem; the last line is the count.

The suite's own reader is held against e2fsprogs first. Then the program's answers are spoiled, and each check has
to notice."""
import argparse
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from cases import CASES, DAMAGES, Case  # noqa: E402
from scene import Missing  # noqa: E402

MEMORY = "/dev/shm"
ALWAYS = ("made", "image")  # without a disk, or an image of it, there is nothing for the other checks to ask
options = None


def one_case(name):
    """(passed, [what failed], {what was skipped})"""
    directory = tempfile.mkdtemp(prefix=f"{name}-", dir=options.work)
    passed, failed, skipped = 0, [], set()
    try:
        case = Case(options.binary, name, directory, options.seed, options.many)
        for check, run in case.checks():
            if options.check and check not in (*options.check, *ALWAYS):
                continue
            try:
                run()
                passed += 1
            except Missing as missing:
                skipped.add(f"{check}: {missing}")
                if check in ALWAYS:
                    break
            except Exception as error:  # an answer that is no JSON at all, for example
                failed.append(f"FAIL {check}: {type(error).__name__}: {error}".replace(directory + "/", ""))
                if check in ALWAYS:
                    break
    except Missing as missing:
        skipped.add(f"all: {missing}")
    if not (failed and options.keep):
        shutil.rmtree(directory)
    else:
        failed.append(f"  its files are in {directory}")
    return passed, failed, skipped


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("many", nargs="?", type=int, default=2000, help="files in the large directory")
    parser.add_argument("--only", action="append", help="this case")
    parser.add_argument("--check", action="append", help="only this check")
    parser.add_argument("--names", action="store_true", help="print the names of all cases")
    parser.add_argument("--keep", action="store_true", help="keep the files of failed cases")
    parser.add_argument("--jobs", type=int, default=1)
    out = parser.parse_args()
    out.seed = os.environ.get("SEED", "1")
    if out.names:
        return out
    place = MEMORY if os.access(MEMORY, os.W_OK | os.X_OK) else None
    out.work = tempfile.mkdtemp(prefix="cowtui-files.", dir=place)
    return out


def begin_worker():
    """The parent decides when it is over, and cleans up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def main():
    global options
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    options = arguments()
    passed, failed, skipped = 0, 0, set()
    if options.names:
        print(*CASES, *DAMAGES, sep="\n")
        return 0
    names = options.only or [*CASES, *([] if options.check else DAMAGES)]
    try:
        with multiprocessing.get_context("fork").Pool(options.jobs, begin_worker) as pool:
            for good, wrong, left in pool.imap_unordered(one_case, names):
                passed += good
                failed += sum(line.startswith("FAIL") for line in wrong)
                skipped |= left
                for line in wrong:
                    print(line, flush=True)
    finally:
        if not (options.keep and failed):
            shutil.rmtree(options.work, ignore_errors=True)
    for why in sorted(skipped):
        print(f"skip {why}")
    if failed:
        print(f"with its files kept: SEED={options.seed} tests/files/run.sh {options.binary} {' '.join(names)} --keep")
    if skipped and not (passed or failed):
        print(sorted(skipped)[0])
        return 77
    print(f"files: {passed} passed, {failed} failed, {len(skipped)} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())

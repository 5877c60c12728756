#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs COUNT random images through all operations, several at a time; see run.sh. A check is an image and an
operation; the last line is the count.

Four images of five lie in memory, where flushing costs nothing; the fifth is on a real filesystem.
Before them, the suite is tried itself: a bit, a byte, a date is spoiled in what the program has made, and each
operation has to notice."""
import argparse
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

from operations import DAMAGES, OPERATIONS, Operations  # noqa: E402
from trial import Skip, Wrong  # noqa: E402

COUNT = 200
SELF_TEST_IMAGES = 12  # a damage is tried on one after the other until there is something to spoil
MEMORY = "/dev/shm"
ON_DISK = 5  # one image of these
SHOWN = 60  # lines about failures
options = None


def attempt(trial, operation):
    """None, or why it failed; Skip passes through."""
    try:
        trial.judged(operation)
    except Wrong as wrong:
        return str(wrong)
    except Skip:
        raise
    except Exception as error:  # an image that cannot be decoded at all, for example
        return f"{type(error).__name__}: {error}"
    return None


def one_image(number):
    """(passed, [what failed], {what was skipped})"""
    seed = f"{options.seed}-{number}"
    directory = tempfile.mkdtemp(prefix=f"{number}-", dir=options.work[number % ON_DISK == 0])
    trial = Operations(options.binary, seed, directory)
    passed, failed, skipped = 0, [], set()
    for operation in OPERATIONS:
        if options.operation and operation.__name__ not in options.operation:
            continue
        try:
            why = attempt(trial, operation)
        except Skip as skip:
            skipped.add(str(skip))
            continue
        if why is None:
            passed += 1
        else:
            why = why.replace(directory + "/", "")
            failed.append(f"FAIL image {number}, {operation.__name__}: {why} [{trial.disk.story}]")
    if not (failed and options.keep):
        shutil.rmtree(directory)
    else:
        failed.append(f"  its files are in {directory}")
    return passed, failed, skipped


def notices(case):
    """Whether this operation notices that damage: (passed, [failed], {skipped})"""
    operation, damage = case
    for number in range(SELF_TEST_IMAGES):
        with tempfile.TemporaryDirectory(dir=options.work[0]) as directory:
            trial = Operations(options.binary, f"damage-{number}", directory, damage)
            try:
                why = attempt(trial, operation)
            except Skip as skip:
                return 0, [], {str(skip)}
            if trial.spoiled:
                good = why is not None
                return int(good), [] if good else [f"FAIL {operation.__name__} does not notice {damage}"], set()
    return 0, [f"FAIL {operation.__name__} gave nothing to spoil for {damage}"], set()


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("count", nargs="?", type=int, default=COUNT)
    parser.add_argument("--share", default="1/1", help="2/4: the second quarter of the images")
    parser.add_argument("--only", type=int, help="one image")
    parser.add_argument("--operation", action="append", help="only this one")
    parser.add_argument("--keep", action="store_true", help="keep the files of failed images")
    parser.add_argument("--jobs", type=int, default=1)
    out = parser.parse_args()
    out.seed = os.environ.get("SEED", "1")
    memory = MEMORY if os.access(MEMORY, os.W_OK | os.X_OK) else None
    out.work = [tempfile.mkdtemp(prefix="cowtui-differential.", dir=place) for place in (memory, None)]
    return out


def begin_worker():
    """The parent decides when it is over, and cleans up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def main():
    global options
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    options = arguments()
    passed, failed, skipped, shown = 0, 0, set(), 0
    share, shares = map(int, options.share.split("/"))
    numbers = range(share - 1, options.count, shares) if options.only is None else [options.only]
    cases = [(operation, damage) for operation, damages in DAMAGES for damage in damages]
    if options.only is not None or options.operation or share > 1:
        cases = []
    try:
        with multiprocessing.get_context("fork").Pool(options.jobs, begin_worker) as pool:
            for work, items in (notices, cases), (one_image, numbers):
                for good, wrong, left in pool.imap_unordered(work, items):
                    passed += good
                    failed += sum(line.startswith("FAIL") for line in wrong)
                    skipped |= left
                    for line in wrong[: max(0, SHOWN - shown)]:
                        print(line, flush=True)
                    shown += len(wrong)
    finally:
        if not (options.keep and failed):
            for directory in options.work:
                shutil.rmtree(directory, ignore_errors=True)
    if shown > SHOWN:
        print(f"... and {shown - SHOWN} lines more")
    for why in sorted(skipped):
        print(f"skip {why}")
    if failed:
        print(f"with its files kept: SEED={options.seed} tests/differential/run.sh {options.binary} all --keep --only N")
    print(f"differential: {passed} passed, {failed} failed, {len(skipped)} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Growing in place on real filesystems: shut down, killed, without space, copied half way.

moves.py BINARY [--parts | PART...]
"""
import fnmatch
import os
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "worlds"), HERE]
import copies  # noqa: E402
import full  # noqa: E402
import mounts  # noqa: E402
import programs  # noqa: E402
import shutdowns  # noqa: E402
from scene import Wrong  # noqa: E402

LEVEL = os.environ.get("LEVEL") or "test"
ROUNDS = {"more": 20, "soak": 100}.get(LEVEL, 2)


def shut_down(kind, *methods):
    """The cases of a filesystem that is shut down."""
    def cases(binary, scratch):
        world = kind(scratch)
        try:
            for method in methods:
                yield f"{method}, shut down in the middle", lambda m=method: shutdowns.Trial(binary, world, m, ROUNDS).go()
        finally:
            world.close()

    return cases


# name: (its cases, about how many seconds they take: in test, in more)
PARTS = {
    "shutdown-ext4": (shut_down(shutdowns.Ext4, "inserted", "moved"), 8, 100),
    "shutdown-xfs": (shut_down(shutdowns.Xfs, "inserted", "moved"), 8, 100),
    "shutdown-xfs-copies": (shut_down(shutdowns.XfsCopies, "moved"), 4, 40),
    "copies": (copies.cases, 20, 20),
    "full": (full.cases(every=ROUNDS > 2), 15, 150),
    "programs": (programs.cases(every=ROUNDS > 2), 10, 120),
}


def wanted(name):
    pattern = os.environ.get("ONLY_CASE")
    return not pattern or name == pattern or fnmatch.fnmatchcase(name, pattern)


def part(binary, name):
    """Whether all of it is as it has to be. A case answers a remark, or nothing."""
    good = True
    with tempfile.TemporaryDirectory(prefix="cowtui-moves.") as scratch:
        cases = PARTS[name][0](binary, scratch)
        try:
            for title, case in cases:
                if not wanted(title):
                    continue
                try:
                    remark = case()
                    print(f"   {title}: {remark}" if remark else "", end="\n" if remark else "")
                    print(f"ok {title}", flush=True)
                except mounts.Skip as why:
                    print(f"skip {title}: {why}", flush=True)
                except (Wrong, OSError, subprocess.TimeoutExpired) as wrong:
                    good = False
                    print(f"FAIL {title}: {wrong}", flush=True)
        except mounts.Skip as why:
            print(f"skip all of {name}: {why}", flush=True)
        except (Wrong, OSError) as wrong:
            good = False
            print(f"FAIL making the files of {name}: {wrong}", flush=True)
        finally:
            cases.close()
    return good


def main():
    binary, *names = sys.argv[1:]
    if names == ["--parts"]:
        for name, (_, short, long) in PARTS.items():
            if LEVEL == "test" or name != "copies":  # of which more would be the same again
                print(name, short if LEVEL == "test" else long)
        return 0
    unknown = [n for n in names if n not in PARTS]
    if unknown:
        sys.exit(f"moves.py: no part \"{unknown[0]}\": there are {', '.join(PARTS)}")
    signal.signal(signal.SIGTERM, lambda n, frame: sys.exit(128 + n))
    return 0 if all([part(binary, name) for name in names or PARTS]) else 1


if __name__ == "__main__":
    sys.exit(main())

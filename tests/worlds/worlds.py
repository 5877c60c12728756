#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""All operations on many filesystems (mounts.py): committed, undone, killed and recovered. After each a reader of the tests'
own (tests/crash/kill_real.py) judges what is on the disk.

worlds.py BINARY [--parts | FILESYSTEM...]
"""
import collections
import fnmatch
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "crash"), HERE]
import kill_real  # noqa: E402
import mounts  # noqa: E402

SECTORS, OLD_BYTES, NEW_BYTES = 201, 201 * 512, 153600
CALLS = "pwrite64,fsync,rename,renameat2,ftruncate,utimensat,unlink,link,linkat,copy_file_range,ioctl"
SOAK = os.environ.get("LEVEL") == "soak"
KILLS = 1000 if SOAK else 5  # of an operation
FULL_BYTES = 24 << 20  # of a backing file in a filesystem that is filled
SECONDS = 60 * float(os.environ.get("TIME_SCALE") or 1)  # for one command

# What is done: its alignment makes a change by copy or one in place.
Operation = collections.namedtuple("Operation", "name alignment words bytes undo prepare", defaults=(None,))
OPERATIONS = (
    Operation("extend by copy", 32, ["resize", "--policy", "extend", "--reserve", "1G", "x.cow", str(NEW_BYTES)], NEW_BYTES, "copy"),
    Operation("extend the header", 4096, ["resize", "--policy", "extend", "x.cow", str(NEW_BYTES)], NEW_BYTES, "place"),
    Operation("private by copy", 32, ["resize", "--policy", "copy", "--reserve", "1G", "x.cow", str(NEW_BYTES)], NEW_BYTES, "copy"),
    Operation("private, the header", 4096, ["resize", "--policy", "copy", "x.cow", str(NEW_BYTES)], NEW_BYTES, "place"),
    Operation("compact", 4096, ["compact", "x.cow"], OLD_BYTES, "copy"),
    Operation("restamp", 4096, ["rebase", "--restamp", "x.cow"], OLD_BYTES, "place", "touch"),
    Operation("merge in place", 4096, ["merge", "--in-place", "x.cow"], OLD_BYTES, ""),
)


class Wrong(Exception):
    """What is not as it has to be."""


def read(path):
    with open(path, "rb") as f:
        return f.read()


class Trial:
    """The operations in one world."""

    def __init__(self, binary, world, name):
        self.binary, self.world = binary, world
        self.noise = random.Random(f"{name} {os.environ.get('SEED') or 1}")
        self.counted = {}

    def at(self, name):
        return os.path.join(self.world.place, name)

    def run(self, *words, prefix=()):
        done = subprocess.run([*prefix, self.binary, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                              cwd=self.world.place, timeout=SECONDS, check=False)
        done.said = (done.stdout + done.stderr).strip()
        return done

    def must(self, code, *words):
        done = self.run(*words)
        if done.returncode != code:
            raise Wrong(f"{words[0]} answers {done.returncode}, not {code}: {last(done)}")
        return done

    def fresh(self, operation, **names):
        def fill(directory):
            kill_real.make(directory, operation.alignment, SECTORS)
            # The header names the backing file where the files will be, not where they are made.
            cow = os.path.join(directory, "x.cow")
            path = os.path.join(os.path.realpath(self.world.place), "back.img").encode()
            with open(cow, "r+b") as f:
                f.seek(32)
                f.write(path.ljust(4096, b"\0"))
            mtime = int(os.stat(os.path.join(directory, "back.img")).st_mtime)
            with open(cow, "r+b") as f:
                f.seek(8)
                f.write(mtime.to_bytes(4, "big"))
            if operation.prepare == "touch":
                os.utime(os.path.join(directory, "back.img"), (mtime + 1000, mtime + 1000))
            for name in names.get("also", ()):
                shutil.copyfile(cow, os.path.join(directory, name))
        self.world.fresh(fill)

    def state(self):
        """What undo has to bring back: bytes, modes, and the backing file's date."""
        out = {}
        for name in self.names():
            path = self.at(name)
            facts = os.stat(path)
            out[name] = read(path), facts.st_mode, facts.st_mtime_ns if name == "back.img" else 0
        return out

    def names(self):
        return sorted(n for n in os.listdir(self.world.place) if not n.startswith((".fuse_hidden", "lost+found")))

    def same(self, before, what):
        after = self.state()
        if after != before:
            differ = sorted(n for n in {*before, *after} if before.get(n) != after.get(n))
            raise Wrong(f"{what}: {', '.join(differ)} not as before")

    def judge(self, operation, *wanted):
        which, reason = kill_real.check(self.world.place, operation.bytes)
        if not which:
            raise Wrong(reason)
        if operation.bytes == OLD_BYTES:
            which = "new" if "new" in wanted else which
        if which not in wanted:
            raise Wrong(f"the {which} disk, not the {' or '.join(wanted)} one")
        left = [n for n in self.names() if ".cowtui-" in n and not n.endswith("-undo")]
        if left:
            raise Wrong(f"left behind: {' '.join(left)}")
        return which

    # The cases

    def commit(self, operation):
        self.fresh(operation)
        before = self.state()
        done = self.run(operation.words[0], "--yes", *operation.words[1:])
        if self.world.refuses:
            if not done.returncode or self.world.refuses not in done.stderr:
                raise Wrong(f"it is not refused, but answers {done.returncode}: {last(done)}")
            return self.same(before, "refused")
        if done.returncode:
            raise Wrong(f"exit {done.returncode}: {last(done)}")
        self.world.between()
        self.judge(operation, "new")
        found = set(re.findall(r"^  error +([a-z-]+)", self.run("check", "x.cow").said, re.M)) - {"mixed-pages"}
        if found:
            raise Wrong(f"check finds {' '.join(sorted(found))}")
        return None

    def promised(self, done):
        """Whether the preview said that it can be undone."""
        line = re.search(r"^ +undo +(.*)", done.said, re.M)
        if not line:
            raise Wrong("the preview does not say how to go back")
        return not line[1].startswith("none")

    def undo(self, operation):
        self.fresh(operation)
        before = self.state()
        done = self.must(0, operation.words[0], "--yes", *operation.words[1:])
        promised = self.promised(done)
        if not promised and (self.world.links or operation.undo != "copy"):
            raise Wrong("the preview says that it cannot be undone")
        self.world.between()
        if promised:
            self.must(0, "undo", "--yes", "x.cow")
            self.same(before, "undo")
            return None
        self.must(3, "undo", "--yes", "x.cow")
        self.judge(operation, "new")
        return None

    def calls(self, operation):
        """How often the operation calls what, in order: [(call, n-th)]"""
        if operation.name not in self.counted:
            self.fresh(operation)
            log = os.path.join(self.world.scratch, "calls")
            done = self.run(operation.words[0], "--yes", *operation.words[1:],
                            prefix=("strace", "-qq", "-f", "-o", log, "-e", "trace=" + CALLS))
            if done.returncode:
                raise Wrong(f"under strace it answers {done.returncode}: {last(done)}")
            seen, out = collections.Counter(), []
            for line in open(log, encoding="utf-8", errors="replace"):
                found = re.match(r"(?:\d+ +)?([a-z0-9_]+)\(", line)
                if found:
                    seen[found[1]] += 1
                    out.append((found[1], seen[found[1]]))
            self.counted[operation.name] = out
        return self.counted[operation.name]

    def kill(self, operation):
        every = self.calls(operation)
        for call, n in sorted(self.noise.sample(every, min(KILLS, len(every)))):
            try:
                self.kill_at(operation, call, n)
            except Wrong as wrong:
                raise Wrong(f"killed at {call} number {n}: {wrong}") from wrong
        return None

    def kill_at(self, operation, call, n):
        self.fresh(operation)
        before = self.state()
        done = self.run(operation.words[0], "--yes", *operation.words[1:],
                        prefix=("strace", "-qq", "-f", "-o", "/dev/null", "-e", "trace=" + CALLS, "-e",
                                f"inject={call}:signal=KILL:when={n}"))
        if done.returncode not in (-signal.SIGKILL, 137):
            raise Wrong(f"it was not killed, but answers {done.returncode}: {last(done)}")
        self.world.between()
        after = self.run("recover", "--yes", "x.cow")
        if after.returncode and not (after.returncode == 3 and "nothing to recover" in after.stderr):
            raise Wrong(f"recover answers {after.returncode}: {last(after)}")
        if operation.prepare and read(self.at("x.cow")) == before["x.cow"][0]:
            return  # the old one, whose date is wrong
        which, reason = kill_real.check(self.world.place, operation.bytes)
        if not which:
            raise Wrong(reason)
        # What nobody asks for is swept up by the next change of it, and that must go well.
        if which == "old" and not operation.prepare and operation.undo:
            self.must(0, operation.words[0], "--yes", "--quiet", *operation.words[1:])
            self.judge(operation, "new")

    def create(self, _):
        """A new image, and a disk written anew."""
        self.fresh(OPERATIONS[0])
        before = self.state()
        for words, name in ((["create", "n.cow", "back.img"], "n.cow"), (["merge", "-o", "m.raw", "x.cow"], "m.raw")):
            done = self.run(*words)
            if self.world.refuses_new:
                if not done.returncode or self.world.refuses not in done.stderr:
                    raise Wrong(f"{words[0]} is not refused, but answers {done.returncode}: {last(done)}")
                continue
            if done.returncode:
                raise Wrong(f"{words[0]} answers {done.returncode}: {last(done)}")
            bytes_ = read(self.at(name))
            disk = bytes_ if name == "m.raw" else kill_real.compose(bytes_, read(self.at("back.img")))[1]
            if disk != read(self.at("old.raw" if name == "m.raw" else "back.img")):
                raise Wrong(f"{words[0]}: another disk")
            self.must(3, *words)  # it is there already
            os.unlink(self.at(name))
        self.same(before, "create and merge")

    def long_name(self, _):
        """A name as long as can be: all works, or it is refused before anything happens."""
        name = "n" * (self.world.name_bytes - 4) + ".cow"
        other = name[:-5] + "m.cow"
        self.fresh(OPERATIONS[0], also=(name, other))
        before = self.state()
        words = ["resize", "--reserve", "1G", "--policy"]
        done = self.run(*words, "copy:one.img", "--yes", name, str(NEW_BYTES))
        if done.returncode:
            if done.returncode != 3 and not self.world.refuses:
                raise Wrong(f"exit {done.returncode}: {last(done)}")
            return self.same(before, "refused")
        self.must(3, "undo", "--yes", other)
        # The other one, too: it has what undoes it to itself.
        self.must(0, *words, "copy:other.img", "--yes", other, str(NEW_BYTES))
        self.world.between()
        if self.promised(done):
            self.must(0, "undo", "--yes", name)
            self.must(0, "undo", "--yes", other)
            self.same(before, "undo")
        return None

    def copied(self, _):
        """The directory is copied in the middle of a change, and then acted on in the copy: nothing of the original moves."""
        for operation in OPERATIONS[:4]:
            for end in ["undo"], ["recover"]:
                self.fresh(operation)
                prefix = ()
                if end == ["recover"]:
                    call, n = self.noise.choice([c for c in self.calls(operation)])
                    self.fresh(operation)
                    prefix = ("strace", "-qq", "-f", "-o", "/dev/null", "-e", "trace=" + CALLS, "-e",
                              f"inject={call}:signal=KILL:when={n}")
                self.run(operation.words[0], "--yes", *operation.words[1:], prefix=prefix)
                before = self.state()
                snapshot = self.world.snapshot()
                done = subprocess.run([self.binary, *end, "--yes", "x.cow"], stdin=subprocess.DEVNULL, capture_output=True, cwd=snapshot,
                                      timeout=SECONDS, check=False)
                self.same(before, f"{operation.name}, {end[0]} in the snapshot (exit {done.returncode})")
        return None

    def full(self, _):
        """Merging in place, where what is written over takes new room: too little of it is known before, not half way."""
        base, fill = self.at("base.img"), self.at("fill")
        self.world.fresh(lambda directory: None)
        with tempfile.TemporaryDirectory() as directory:  # elsewhere, so that no block is shared with the image
            cow = os.path.join(directory, "full.cow")
            merged = make_scattered(cow, base, self.noise)
            self.world.share(base)
            before = read(base)
            needed = FULL_BYTES // 2 + FULL_BYTES // 2 // 16  # of the data, and for noting where they are
            self.leave(fill, FULL_BYTES // 8)
            done = self.must(2, "merge", "--in-place", "--yes", cow)
            if "not enough space" not in done.said or read(base) != before or os.listdir(directory) != ["full.cow"]:
                raise Wrong(f"not refused before: {last(done)}")
            self.leave(fill, needed + (128 << 10))
            self.must(0, "merge", "--in-place", "--yes", cow)
            if read(base) != merged:
                raise Wrong("another disk")
        os.unlink(fill)

    def leave(self, fill, n_bytes):
        """Fills the filesystem, so that so much is free."""
        if os.path.exists(fill):
            os.unlink(fill)
        os.sync()
        facts = os.statvfs(self.world.place)
        with open(fill, "wb") as f:
            os.posix_fallocate(f.fileno(), 0, facts.f_bavail * facts.f_frsize - n_bytes)
        os.sync()


def make_scattered(cow, base, noise):
    """A backing file full of data, and an image with every other page of it dirty; what the disk is."""
    pages, page = FULL_BYTES // 4096, 4096
    disk = bytearray(noise.randbytes(FULL_BYTES))
    with open(base, "wb") as f:
        f.write(disk)
    os.utime(base, (1100000000, 1100000000))
    bits = bytes(255 if i % 2 == 0 else 0 for i in range(pages))
    data = 8192 + -(-pages // page) * page
    with open(cow, "wb") as f:
        f.write(b"OOOM" + (3).to_bytes(4, "big") + (1100000000).to_bytes(4, "big") + FULL_BYTES.to_bytes(8, "big"))
        f.write((512).to_bytes(4, "big") + page.to_bytes(4, "big") + bytes(4) + os.path.realpath(base).encode())
        f.seek(8192)
        f.write(bits)
        for i in range(0, pages, 2):
            disk[i * page : (i + 1) * page] = noise.randbytes(page)
            f.seek(data + i * page)
            f.write(disk[i * page : (i + 1) * page])
        f.truncate(data + FULL_BYTES)
    return bytes(disk)


def last(done):
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return " / ".join(lines[-2:]) or "without a word"


def wanted(name):
    pattern = os.environ.get("ONLY_CASE")
    return not pattern or name == pattern or fnmatch.fnmatchcase(name, pattern)


def cases(trial):
    yield "create, merge to a file", trial.create, None
    yield "a long name", trial.long_name, None
    if hasattr(trial.world, "snapshot"):
        yield "acted on in a snapshot", trial.copied, None
    if hasattr(trial.world, "share"):
        yield "merge in place, no room to write elsewhere", trial.full, None
    for operation in OPERATIONS:
        yield f"{operation.name}, committed", trial.commit, operation
        if operation.undo and not trial.world.refuses:
            yield f"{operation.name}, undone", trial.undo, operation
        if not trial.world.refuses:
            yield f"{operation.name}, killed", trial.kill, operation


def strace_works():
    return shutil.which("strace") and not subprocess.run(["strace", "-qq", "-o", "/dev/null", "-e", "trace=none", "true"],
                                                         capture_output=True, check=False).returncode


def part(binary, name):
    """Whether all of it is as it has to be."""
    good, may_trace = True, strace_works()
    with tempfile.TemporaryDirectory(prefix="cowtui-worlds.") as scratch:
        try:
            world = mounts.WORLDS[name][0](scratch)
        except mounts.Skip as why:
            print(f"skip all of {name}: {why}", flush=True)
            return True
        try:
            trial = Trial(binary, world, name)
            for title, function, operation in cases(trial):
                if not wanted(title):
                    continue
                try:
                    traces = function in (trial.kill, trial.copied)
                    why = "strace may not trace here" if traces and not may_trace else function(operation)
                    print(f"skip {title}: {why}" if why else f"ok {title}", flush=True)
                except (Wrong, OSError, subprocess.TimeoutExpired) as wrong:
                    good = False
                    print(f"FAIL {title}: {wrong}", flush=True)
        finally:
            world.close()
    return good


def main():
    binary, *names = sys.argv[1:]
    if names == ["--parts"]:
        for name, (_, seconds) in mounts.WORLDS.items():
            print(name, seconds)
        return 0
    unknown = [n for n in names if n not in mounts.WORLDS]
    if unknown:
        sys.exit(f"worlds.py: no filesystem \"{unknown[0]}\": there are {', '.join(mounts.WORLDS)}")
    signal.signal(signal.SIGTERM, lambda n, frame: sys.exit(128 + n))
    return 0 if all([part(binary, name) for name in names or mounts.WORLDS]) else 1


if __name__ == "__main__":
    sys.exit(main())

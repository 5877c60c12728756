#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast and how small, against other tools, as ratios of medians over interleaved rounds.

All images are made here and taken away again. Before every timed run the disks are synced and the last
output is removed, so that nobody writes back another one's bytes. merge is timed with the fsync that it
always does; "+ sync" means that the peer, which does none, was followed by `sync FILE` in the time.

Usage: bench.py [--rounds N] [--only WORD] COWTUI SCRATCH_DIRECTORY
"""

import argparse
import ctypes
import fcntl
import filecmp
import json
import os
import pty
import random
import select
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import termios
import time

KIB, MIB, GIB, TIB = (1 << shift for shift in (10, 20, 30, 40))
SECTOR = 512
PAGE = 4096
PR_SET_CHILD_SUBREAPER = 36


# ---- running --------------------------------------------------------------------------------------------


def seconds_of(command, stderr=None):
    """Wall time of one run; what it prints goes nowhere."""
    begin = time.perf_counter()
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr, check=True)
    return time.perf_counter() - begin


def peak_bytes_of(command):
    """Peak resident memory (ru_maxrss of wait4).

    The kernel counts what a process was before its exec, too, and we are larger than what we measure. So a
    small shell starts the program and leaves; as its new parent we reap it.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    shell = subprocess.Popen(["/bin/sh", "-c", '"$@" >/dev/null &', "sh", *command], stdin=subprocess.DEVNULL)
    shell.wait()
    _, status, usage = os.wait4(-1, 0)
    if status != 0:
        raise RuntimeError(f"{command}: status {status}")
    return usage.ru_maxrss * KIB


def medians(rounds, *runs):
    """Medians of callables that return seconds, called in turns."""
    times = [[] for _ in runs]
    for _ in range(rounds):
        for taken, run in zip(times, runs):
            os.sync()
            taken.append(run())
    return [statistics.median(taken) for taken in times]


def open_terminal(command):
    """Starts command in a new 80x24 terminal; returns (pid, terminal)."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm-256color"
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    return pid, terminal


def seconds_to_first_frame(command, complete):
    """From start until the first frame is on a real terminal: the words of `complete` have come, and then
    nothing more for 50 ms (those do not count)."""
    begin = last = time.perf_counter()
    pid, terminal = open_terminal(command)
    seen = b""
    try:
        while True:
            quiet = 0.05 if all(word in seen for word in complete) else 60
            if not select.select([terminal], [], [], quiet)[0]:
                break
            chunk = os.read(terminal, 65536)
            last = time.perf_counter()
            seen += chunk
    except OSError:
        pass
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)
    if not all(word in seen for word in complete):
        raise RuntimeError(f"no complete frame of {command}: {seen[-300:]!r}")
    return last - begin


# ---- images ---------------------------------------------------------------------------------------------


class Image:
    """A COW made by cowtui create, whose bitmap and data are then filled from here."""

    def __init__(self, bench, name, backing):
        self.path = bench.file(name)
        subprocess.run([bench.cowtui, "create", "-q", self.path, backing], check=True, stdout=subprocess.DEVNULL)
        facts = json.loads(subprocess.check_output([bench.cowtui, "info", "--json", self.path]))
        self.bitmap_offset = facts["layout"]["bitmap_offset"]
        self.bitmap_bytes = facts["layout"]["bitmap_bytes"]
        self.data_offset = facts["layout"]["data_offset"]

    def scatter(self, rng, fraction, unit_bytes):
        """Sets that fraction of the disk dirty, in units at random, with random data."""
        per_chunk = MIB // unit_bytes
        sectors = unit_bytes // SECTOR
        junk = rng.randbytes(MIB)
        with open(self.path, "r+b", buffering=0) as file:
            for chunk in range(self.bitmap_bytes * 8 * SECTOR // MIB):
                bits = 0
                pages = {}
                for unit in rng.sample(range(per_chunk), round(per_chunk * fraction)):
                    offset = unit * unit_bytes
                    bits |= ((1 << sectors) - 1) << (offset // SECTOR)
                    page = pages.setdefault(offset // PAGE, bytearray(PAGE))
                    page[offset % PAGE : offset % PAGE + unit_bytes] = junk[offset : offset + unit_bytes]
                os.pwrite(file.fileno(), bits.to_bytes(MIB // SECTOR // 8, "little"),
                          self.bitmap_offset + chunk * (MIB // SECTOR // 8))
                for number, page in pages.items():
                    os.pwrite(file.fileno(), page, self.data_offset + chunk * MIB + number * PAGE)

    def fill_bitmap(self, rng, copy_path):
        """Random bits from end to end; the same bytes go to copy_path."""
        with open(self.path, "r+b") as file, open(copy_path, "wb") as copy:
            file.seek(self.bitmap_offset)
            for _ in range(self.bitmap_bytes // MIB):
                block = rng.randbytes(MIB)
                file.write(block)
                copy.write(block)


class Bench:
    def __init__(self, arguments):
        self.cowtui = os.path.realpath(arguments.cowtui)
        self.rounds = arguments.rounds
        self.only = arguments.only
        self.directory = os.path.realpath(arguments.directory)
        self.rng = random.Random(2003)

    def file(self, name):
        return os.path.join(self.directory, name)

    def remove(self, *names):
        for name in names:
            if os.path.exists(self.file(name)):
                os.unlink(self.file(name))

    def hole(self, name, size):
        with open(self.file(name), "wb") as file:
            file.truncate(size)
        return self.file(name)

    def noise(self, name, size):
        with open(self.file(name), "wb") as file:
            for _ in range(size // MIB):
                file.write(self.rng.randbytes(MIB))
        return self.file(name)

    # ---- the table -----------------------------------------------------------------------------------

    @staticmethod
    def heading():
        print(f"{'case':<62} {'ours':>10} {'peer':>10} {'ratio':>7} {'goal':>6}", flush=True)

    @staticmethod
    def row(case, ours, peer, ratio, goal):
        verdict = "" if goal is None else "ok" if ratio <= goal else "MISS"
        goal = "" if goal is None else f"{goal:g}"
        print(f"{case:<62} {ours:>10} {peer:>10} {ratio:>7.3f} {goal:>6} {verdict}", flush=True)

    def compare(self, case, ours, *peers):
        """Each peer is (what it is, goal, run); ours runs once a round for all of them."""
        mine, *others = medians(self.rounds, ours, *(run for _, _, run in peers))
        for (name, goal, _), theirs in zip(peers, others):
            self.row(f"{case}, to {name}", f"{mine * 1000:.1f} ms", f"{theirs * 1000:.1f} ms", mine / theirs, goal)

    def memory(self, case, goal_bytes, command):
        peak = max(peak_bytes_of(command) for _ in range(min(self.rounds, 3)))
        self.row(case, f"{peak / MIB:.1f} MiB", "", peak / MIB, goal_bytes / MIB)

    # ---- cases ---------------------------------------------------------------------------------------

    def writer(self, output, *command):
        def run():
            self.remove(output)
            return seconds_of(command)

        return run

    def merge(self, cow):
        return self.writer("ours.raw", self.cowtui, "merge", "-q", "-o", self.file("ours.raw"), cow)

    def uml_moo(self, cow, sync):
        script = 'uml_moo "$1" "$2"' + (' && sync "$2"' if sync else "")
        return self.writer("peer.raw", "/bin/sh", "-c", script, "sh", cow, self.file("peer.raw"))

    def same_bytes(self):
        if not filecmp.cmp(self.file("ours.raw"), self.file("peer.raw"), shallow=False):
            raise RuntimeError("merge and uml_moo do not agree")
        self.remove("ours.raw", "peer.raw")

    def merge_cases(self):
        backing = self.noise("merge.img", 2 * GIB)
        copy = self.writer("peer.raw", "/bin/sh", "-c", 'cp "$1" "$2" && sync "$2"', "sh", backing,
                           self.file("peer.raw"))
        for unit, words in ((SECTOR, "sectors"), (PAGE, "4 KiB pages")):
            image = Image(self, "merge.cow", backing)
            image.scatter(self.rng, 0.13, unit)
            self.compare(f"merge -o, 2 GiB, 13% dirty in scattered {words}", self.merge(image.path),
                         ("cp + sync", 1.25, copy),
                         ("uml_moo", 0.6, self.uml_moo(image.path, False)),
                         ("uml_moo + sync", 0.6, self.uml_moo(image.path, True)))
            self.same_bytes()
            self.remove("merge.cow")
        self.remove("merge.img")

    def hole_cases(self):
        image = Image(self, "hole.cow", self.hole("hole.img", 2 * GIB))
        self.compare("merge -o of a 2 GiB hole", self.merge(image.path),
                     ("uml_moo", 0.01, self.uml_moo(image.path, False)))
        self.same_bytes()
        self.remove("hole.img", "hole.cow")

    def sparse_cases(self):
        size = 8 * TIB - GIB
        backing = self.hole("sparse.img", size)
        image = Image(self, "sparse.cow", backing)
        qcow2 = self.file("sparse.qcow2")
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", backing, "-F", "raw", qcow2], check=True)
        self.compare("info of a sparse 8 TiB - 1 GiB disk",
                     lambda: seconds_of([self.cowtui, "info", image.path]),
                     ("qemu-img info", 2, lambda: seconds_of(["qemu-img", "info", qcow2])))
        self.memory("info of it: peak memory, MiB", 16 * MIB, [self.cowtui, "info", image.path])
        self.memory("map --json of it: peak memory, MiB", 16 * MIB, [self.cowtui, "map", "--json", image.path])
        self.memory("check of it: peak memory, MiB", 16 * MIB, [self.cowtui, "check", image.path])
        self.remove("sparse.img", "sparse.cow", "sparse.qcow2")

    def bitmap_cases(self):
        image = Image(self, "bitmap.cow", self.hole("bitmap.img", TIB))
        same = self.file("bitmap.bytes")
        image.fill_bitmap(self.rng, same)
        info = [self.cowtui, "info", image.path]
        self.compare("info, counting a full 256 MiB bitmap", lambda: seconds_of(info),
                     ("cat of it", 2, lambda: seconds_of(["cat", same])))
        self.memory("info of it: peak memory, MiB", 16 * MIB, info)
        complete = (b"dirty", b"Help", b"Quit")
        self.compare("start to first full frame of it (80x24 pty)",
                     lambda: seconds_to_first_frame([self.cowtui, image.path], complete),
                     ("info", 1.5, lambda: seconds_of(info)))
        self.remove("bitmap.img", "bitmap.cow", "bitmap.bytes")

    # ---- growing ---------------------------------------------------------------------------------------

    def resize(self, cow, size, policy="extend"):
        return [self.cowtui, "resize", "-q", "-y", "--policy", policy, cow, size]

    def grow_header_cases(self):
        """A MiB more each time, with the backing file, where the data stays where it is."""
        qcow2 = self.file("header.qcow2")
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", qcow2, "64M"], check=True)
        cows = [Image(self, f"header-{name}.cow", self.hole(f"header-{name}.img", size)).path
                for name, size in (("small", 64 * MIB), ("large", 256 * GIB))]
        small, large = (lambda cow=cow: seconds_of(self.resize(cow, "+1M")) for cow in cows)
        for cow in cows:
            plan = subprocess.check_output([*self.resize(cow, "+1M"), "--dry-run", "--json"])
            if json.loads(plan)["method"] != "header":
                raise RuntimeError(f"{cow} would not grow by its header alone")
        self.compare("resize +1M of 64 MiB, header only", small,
                     ("qemu-img resize", 1.5, lambda: seconds_of(["qemu-img", "resize", "-q", qcow2, "+1M"])))
        self.compare("resize +1M of 256 GiB, header only", large,
                     ("qemu-img resize", 1.5, lambda: seconds_of(["qemu-img", "resize", "-q", qcow2, "+1M"])),
                     ("that of 64 MiB", 1.2, small))
        self.remove("header.qcow2")
        for name in ("small", "large"):
            self.remove(f"header-{name}.cow", f"header-{name}.img", f".header-{name}.cow.cowtui-undo")

    def grow_by_copy(self, words, goal, directory, fill):
        """2 GiB to 8 GiB, which its bitmap has no room for, against a plain copy of the same COW; undone each time."""
        image = Image(self, os.path.join(directory, "grow.cow"), self.hole(os.path.join(directory, "grow.img"), 2 * GIB))
        fill(image)
        undo = [self.cowtui, "undo", "-q", "-y", image.path]

        def ours():
            taken = seconds_of(self.resize(image.path, "8G"))
            subprocess.run(undo, stdin=subprocess.DEVNULL, check=True)
            return taken

        peer = os.path.join(directory, "grow.copy")
        copy = self.writer(peer, "/bin/sh", "-c", 'cp --reflink=never --sparse=always "$1" "$2" && sync "$2"', "sh",
                           image.path, self.file(peer))
        self.compare(f"resize {words}", ours, ("cp --sparse + sync", goal, copy))
        self.remove(*(os.path.join(directory, f"grow.{end}") for end in ("cow", "img", "copy")))

    def one_run(self, image):
        """256 MiB in one piece, in the middle."""
        first = 512 * MIB
        with open(image.path, "r+b") as file:
            file.seek(image.bitmap_offset + first // SECTOR // 8)
            file.write(b"\xff" * (256 * MIB // SECTOR // 8))
            file.seek(image.data_offset + first)
            for _ in range(256):
                file.write(self.rng.randbytes(MIB))

    def scattered(self, image):
        image.scatter(self.rng, 0.13, PAGE)

    def grow_copy_cases(self):
        self.grow_by_copy("by copy, 256 MiB in one run", 1.25, "", self.one_run)
        self.grow_by_copy("by copy, 13% in scattered pages", 1.25, "", self.scattered)

    def grow_reflink_cases(self):
        """On a filesystem that can share blocks, on a loop device."""
        mount_point = self.file("xfs")
        os.mkdir(mount_point)
        disk = self.hole("xfs.img", 8 * GIB)
        script = 'mkfs.xfs -q -m reflink=1 "$1" && mount -o loop "$1" "$2"'
        environment = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}
        mounted = subprocess.run(["/bin/sh", "-c", script, "sh", disk, mount_point], env=environment, check=False,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if mounted.returncode == 0:
            try:
                self.grow_by_copy("by reflink, 256 MiB in one run", 0.1, "xfs", self.one_run)
                self.grow_by_copy("on XFS, 13% in scattered pages", None, "xfs", self.scattered)
            finally:
                subprocess.run(["umount", mount_point], check=True)
        else:
            reason = mounted.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
            print(f"skipped: growing by reflink on a loop-mounted XFS (needs root, loops and xfsprogs): {reason[0]}")
        self.remove("xfs.img")
        os.rmdir(mount_point)

    # ---- comparing ---------------------------------------------------------------------------------------

    def compare_cases(self):
        """All bytes of a disk of 1 GiB, dirty and equal to the backing: what scan and compact have to compare is
        what cmp compares, and nothing is left to write. All of it is in the page cache."""
        backing = self.noise("equal.img", GIB)
        image = Image(self, "equal.cow", backing)
        with open(image.path, "r+b") as file, open(backing, "rb") as source:
            file.seek(image.bitmap_offset)
            file.write(b"\xff" * (GIB // SECTOR // 8))
            file.seek(image.data_offset)
            shutil.copyfileobj(source, file, MIB)
        twin = self.file("equal.twin")
        shutil.copyfile(backing, twin)
        undo = [self.cowtui, "undo", "-q", "-y", image.path]
        cmp = lambda: seconds_of(["cmp", backing, twin])  # noqa: E731
        cmp()

        def compact():
            taken = seconds_of([self.cowtui, "compact", "-q", "-y", image.path])
            subprocess.run(undo, stdin=subprocess.DEVNULL, check=True)
            return taken

        self.compare("map --scan, 1 GiB that is all redundant",
                     lambda: seconds_of([self.cowtui, "map", "--scan", "-q", image.path]), ("cmp", 1.3, cmp))
        self.compare("compact of it", compact, ("cmp", 1.5, cmp))
        self.remove("equal.img", "equal.cow", "equal.twin")

    def diff_cases(self):
        """Two raw disks that differ in a thousand pages; cmp stops at a difference, so it gets equal ones."""
        backing = self.noise("diff.img", 2 * GIB)
        raw, twin = self.file("diff.raw"), self.file("diff.twin")
        shutil.copyfile(backing, raw)
        shutil.copyfile(backing, twin)
        with open(raw, "r+b", buffering=0) as file:
            for page in self.rng.sample(range(2 * GIB // PAGE), 1000):
                os.pwrite(file.fileno(), self.rng.randbytes(PAGE), page * PAGE)
        ours = self.writer("diff.cow", self.cowtui, "diff", "-q", "-o", self.file("diff.cow"), backing, raw)
        cmp = lambda: seconds_of(["cmp", backing, twin])  # noqa: E731
        cmp()
        ours()
        self.compare("diff of two 2 GiB raw disks, 1000 pages differ", ours, ("cmp of equal ones", 1.3, cmp))
        self.remove("diff.img", "diff.raw", "diff.twin", "diff.cow")

    # ---- the guest's files -------------------------------------------------------------------------------

    def tree_of_files(self):
        """100,000 files of up to 3 KiB in 1000 directories, as ext4 on 1 GiB."""
        tree, disk = self.file("files.tree"), self.hole("files.img", GIB)
        for n in range(1000):
            place = f"{tree}/{n // 100}/{n}"
            os.makedirs(place)
            for name in range(100):
                with open(f"{place}/file-{name:02}", "wb") as file:
                    file.write(b"%2d" % name * name * 15)
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-N", "131072", "-E", "nodiscard", "-d", tree,
                        disk], check=True)
        shutil.rmtree(tree)
        return disk

    def change_files(self, disk, every):
        """In each `every`th directory one file goes, two get another owner, two come."""
        source = self.file("files.source")
        with open(source, "wb") as file:
            file.write(self.rng.randbytes(9000))
        script = ""
        for n in range(0, 1000, every):
            place = f"/{n // 100}/{n}"
            script += f"rm {place}/file-10\nsif {place}/file-20 uid 5\nsif {place}/file-30 gid 5\n"
            script += f"cd {place}\nwrite {source} new-1\nwrite {source} new-2\n"
        subprocess.run(["debugfs", "-w", "-f", "-", disk], input=script.encode(), check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    def dirty_blocks(self, cow):
        runs = json.loads(subprocess.check_output([self.cowtui, "map", "--json", cow]))
        return sorted({block for run in runs if run["origin"] in ("cow", "hole")
                       for block in range(run["start"] // PAGE, -(-(run["start"] + run["length"]) // PAGE))})

    def owners_by_debugfs(self, disk, blocks):
        """icheck of all blocks, and ncheck of all inodes that it names: the seconds that both take."""
        def ask(question, numbers):
            command = ["debugfs", "-R", f"{question} {' '.join(map(str, numbers))}", disk]
            return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  check=True).stdout.decode()

        def run():
            begin = time.perf_counter()
            found = [line.split("\t")[-1] for line in ask("icheck", blocks).splitlines()[1:]]
            ask("ncheck", sorted({int(inode) for inode in found if inode.isdigit()}))
            return time.perf_counter() - begin

        return run

    def files_case(self, backing, every):
        raw, cow = self.file("files.raw"), self.file("files.cow")
        subprocess.run(["cp", "--sparse=always", backing, raw], check=True)
        self.change_files(raw, every)
        subprocess.run([self.cowtui, "diff", "-q", "-o", cow, backing, raw], check=True, stdout=subprocess.DEVNULL)
        os.unlink(raw)
        subprocess.run([self.cowtui, "merge", "-q", "-o", raw, cow], check=True, stdout=subprocess.DEVNULL)
        command, changed = [self.cowtui, "files", cow], 5000 // every
        told = len(json.loads(subprocess.check_output([*command, "--json"]))["files"])
        if told < changed:
            raise RuntimeError(f"files tells of {told} files, and {changed} have changed")
        ours = lambda: seconds_of(command)  # noqa: E731
        as_json = lambda: seconds_of([*command, "--json"])  # noqa: E731
        fsck = lambda: seconds_of(["e2fsck", "-fn", raw], subprocess.DEVNULL)  # noqa: E731
        self.compare(f"files, {changed} of 100,000 changed", ours, ("e2fsck -fn of the same", 0.5, fsck))
        self.compare(f"files --json, {changed} changed", as_json, ("e2fsck -fn of the same", 0.5, fsck))
        owners = lambda: seconds_of([self.cowtui, "files", "--owners", "--json", cow])  # noqa: E731
        self.compare(f"owners of all in the COW ({changed} files)", owners,
                     ("icheck + ncheck", 0.05, self.owners_by_debugfs(raw, self.dirty_blocks(cow))))
        self.memory("files of it: peak memory, MiB", 64 * MIB, command)
        self.remove("files.raw", "files.cow")

    def files_cases(self):
        os.environ["PATH"] += ":/usr/sbin:/sbin"
        backing = self.tree_of_files()
        self.files_case(backing, 5)
        self.files_case(backing, 1)
        self.remove("files.img", "files.source")

    def run(self):
        print(f"medians of {self.rounds} interleaved rounds; ratio = ours / peer; MISS = beyond the goal")
        self.heading()
        for cases in (self.merge_cases, self.hole_cases, self.sparse_cases, self.bitmap_cases, self.grow_header_cases,
                      self.grow_copy_cases, self.grow_reflink_cases, self.compare_cases, self.diff_cases,
                      self.files_cases):
            if self.only in cases.__name__:
                cases()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="", help="a word of: merge hole sparse bitmap grow_header grow_copy grow_reflink compare diff files")
    parser.add_argument("cowtui")
    parser.add_argument("directory")
    bench = Bench(parser.parse_args())
    if os.path.exists(bench.directory):
        shutil.rmtree(bench.directory)
    os.makedirs(bench.directory)
    free = shutil.disk_usage(bench.directory).free
    if free < 8 * GIB:
        sys.exit(f"bench: needs 8 GiB of disk, {free / GIB:.1f} GiB are free")
    try:
        bench.run()
    finally:
        shutil.rmtree(bench.directory)


if __name__ == "__main__":
    main()

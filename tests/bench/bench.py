#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast and how small, against other tools: ratios, round by round (see measure.py).

All images are made here, in a directory of our own inside the one that is given, and taken away again. A peer
does what ours does: where our command ends with an fsync, the peer's output is fsynced in the measured time,
too ("+ sync"); cp shares blocks only beside our sharing of blocks. What both answered is compared.

Exit codes: 0 every goal was met, 1 one was missed, 2 it could not be measured, or the answers were wrong.

Usage: bench.py [--rounds N] [--only WORD] COWTUI SCRATCH_DIRECTORY
"""

import argparse
import filecmp
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback

from files_cases import FilesCases
from images import PAGE, SECTOR, Image
from keys_cases import KeysCases
from measure import GIB, MIB, TIB, Table, require, seconds_of, seconds_to_first_frame, sum_of
from serve_cases import ServeCases

NEEDED_BYTES = 8 * GIB


class Bench(FilesCases, KeysCases, ServeCases):
    """The cases. Each removes what it made; all of it lies in one directory."""

    def __init__(self, arguments, directory):
        self.cowtui = os.path.realpath(arguments.cowtui)
        self.rounds = arguments.rounds
        self.directory = directory
        self.rng = random.Random(2003)
        self.table = Table()

    def file(self, name):
        return os.path.join(self.directory, name)

    def remove(self, *names):
        for name in names:
            if os.path.lexists(self.file(name)):
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

    def image(self, name, backing):
        return Image(self.cowtui, self.file(name), backing)

    def compare(self, case, ours, *peers):
        self.table.compare(self.rounds, case, ours, *peers)

    def memory(self, case, goal_bytes, command):
        self.table.memory(self.rounds, case, goal_bytes, command)

    # ---- commands ------------------------------------------------------------------------------------

    def writer(self, output, *command):
        """Runs a command; before it, and not in its time, its last output is removed."""
        def run():
            self.remove(output)
            return seconds_of(command)

        return run

    def shell(self, output, script, *arguments):
        return self.writer(output, "/bin/sh", "-c", script, "sh", *arguments)

    def copy(self, source, output, reflink="never"):
        return self.shell(output, f'cp --reflink={reflink} "$1" "$2" && sync "$2"', source, self.file(output))

    def merge(self, cow):
        return self.writer("ours.raw", self.cowtui, "merge", "-q", "-o", self.file("ours.raw"), cow)

    def uml_moo(self, cow):
        return self.shell("peer.raw", 'uml_moo "$1" "$2" && sync "$2"', cow, self.file("peer.raw"))

    # ---- merging -------------------------------------------------------------------------------------

    def merge_cases(self):
        backing = self.noise("merge.img", GIB)
        for unit, words in ((SECTOR, "sectors"), (PAGE, "4 KiB pages")):
            image = self.image("merge.cow", backing)
            image.scatter(self.rng, 0.13, unit)
            self.compare(f"merge -o, 1 GiB, 13% dirty in scattered {words}", self.merge(image.path),
                         ("cp + sync", 1.0, self.copy(backing, "copy.raw")),
                         ("uml_moo + sync", 0.3, self.uml_moo(image.path)))
            require(sum_of(self.file("ours.raw")) == sum_of(self.file("peer.raw")), "merge and uml_moo do not agree")
            require(sum_of(self.file("copy.raw")) == sum_of(backing), "cp has not copied")
            self.remove("merge.cow", "ours.raw", "peer.raw", "copy.raw")
        self.remove("merge.img")

    def hole_cases(self):
        image = self.image("hole.cow", self.hole("hole.img", 2 * GIB))
        self.compare("merge -o of a 2 GiB hole", self.merge(image.path),
                     ("uml_moo + sync", 0.01, self.uml_moo(image.path)))
        require(filecmp.cmp(self.file("ours.raw"), self.file("peer.raw"), shallow=False),
                "merge and uml_moo do not agree")
        self.remove("hole.img", "hole.cow", "ours.raw", "peer.raw")

    # ---- looking -------------------------------------------------------------------------------------

    def sparse_cases(self):
        size = 8 * TIB - GIB
        backing = self.hole("sparse.img", size)
        image = self.image("sparse.cow", backing)
        qcow2 = self.file("sparse.qcow2")
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", backing, "-F", "raw", qcow2], check=True)
        told = json.loads(subprocess.check_output(["qemu-img", "info", "--output=json", qcow2]))["virtual-size"]
        require(told == image.facts["size_bytes"] == size, "the size of a sparse disk")
        self.compare("info of a sparse 8 TiB - 1 GiB disk",
                     lambda: seconds_of([self.cowtui, "info", image.path]),
                     ("qemu-img info", 2, lambda: seconds_of(["qemu-img", "info", qcow2])))
        self.memory("info of it: peak memory, MiB", 16 * MIB, [self.cowtui, "info", image.path])
        self.memory("map --json of it: peak memory, MiB", 16 * MIB, [self.cowtui, "map", "--json", image.path])
        self.memory("check of it: peak memory, MiB", 16 * MIB, [self.cowtui, "check", image.path])
        self.remove("sparse.img", "sparse.cow", "sparse.qcow2")

    def bitmap_cases(self):
        image = self.image("bitmap.cow", self.hole("bitmap.img", TIB))
        same = self.file("bitmap.bytes")
        dirty = image.fill_bitmap(self.rng, same)
        image.look()
        require(image.facts["usage"]["dirty_sectors"] == dirty, "the count of a full bitmap")
        info = [self.cowtui, "info", image.path]
        self.compare("info, counting a full 256 MiB bitmap", lambda: seconds_of(info),
                     ("cat of it", 1.5, lambda: seconds_of(["cat", same])))
        self.memory("info of it: peak memory, MiB", 16 * MIB, info)
        complete = (b"Help", b"Quit")  # what is told of the bits comes later, a change at a time
        self.compare("start to first full frame of it (80x24 pty)",
                     lambda: seconds_to_first_frame([self.cowtui, image.path], complete),
                     ("info", 1.5, lambda: seconds_of(info)))
        self.remove("bitmap.img", "bitmap.cow", "bitmap.bytes")

    # ---- growing ---------------------------------------------------------------------------------------

    def resize(self, cow, size, policy="extend"):
        return [self.cowtui, "resize", "-q", "-y", "--policy", policy, cow, size]

    def growing(self, image):
        """A MiB more each time. qemu-img ends with a flush of its own."""
        plan = subprocess.check_output([*self.resize(image.path, "+1M"), "--dry-run", "--json"])
        require(json.loads(plan)["method"] == "header", f"{image.path} would not grow by its header alone")
        return lambda: seconds_of(self.resize(image.path, "+1M"))

    def grow_header_cases(self):
        qcow2 = self.file("header.qcow2")
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", qcow2, "64M"], check=True)
        qemu = lambda: seconds_of(["qemu-img", "resize", "-q", qcow2, "+1M"])  # noqa: E731
        images = [self.image(f"header-{name}.cow", self.hole(f"header-{name}.img", size))
                  for name, size in (("small", 64 * MIB), ("large", 256 * GIB))]
        sizes = [image.facts["size_bytes"] for image in images]
        small, large = (self.growing(image) for image in images)
        self.compare("resize +1M of 64 MiB, header only", small, ("qemu-img resize", 0.6, qemu))
        self.compare("resize +1M of 256 GiB, header only", large,
                     ("qemu-img resize", 0.6, qemu), ("that of 64 MiB", 1.2, small))
        for image, size, times in zip(images, sizes, (2, 1)):
            image.look()
            size += times * self.rounds * MIB
            require(image.facts["size_bytes"] == size == os.path.getsize(image.path[:-3] + "img"),
                    "the size of what has grown")
        self.remove("header.qcow2")
        for name in ("small", "large"):
            self.remove(f"header-{name}.cow", f"header-{name}.img", f".header-{name}.cow.cowtui-undo")

    def grow_by_copy(self, words, directory, size, fill, *peers):
        """To 8 GiB, which its bitmap has no room for, against a plain copy of the same COW; undone each time."""
        name = os.path.join(directory, "grow")
        image = self.image(f"{name}.cow", self.hole(f"{name}.img", size))
        fill(image)
        before = image.dirty_sum()
        undo = [self.cowtui, "undo", "-q", "-y", image.path]

        def grown():
            taken = seconds_of(self.resize(image.path, "8G"))
            subprocess.run(undo, stdin=subprocess.DEVNULL, check=True)
            return taken

        self.compare(f"resize {words}", grown,
                     *(("cp + sync" if reflink == "never" else f"cp --reflink={reflink} + sync", goal, self.copy(image.path, f"{name}.{reflink}", reflink))
                       for reflink, goal in peers))
        for reflink, _ in peers:
            require(filecmp.cmp(image.path, self.file(f"{name}.{reflink}"), shallow=False), "cp has not copied")
            self.remove(f"{name}.{reflink}")
        subprocess.run(self.resize(image.path, "8G"), stdin=subprocess.DEVNULL, check=True)
        image.look()
        require(image.facts["size_bytes"] == 8 * GIB and image.dirty_sum() == before,
                "what has grown is another disk")
        self.remove(f"{name}.cow", f"{name}.img", os.path.join(directory, ".grow.cow.cowtui-undo"))

    def dense(self, image):
        image.one_run(self.rng, 512 * MIB, 256 * MIB)

    def scattered(self, image):
        """Of a smaller disk: where a host's filesystem discards what is freed, extent by extent, taking 70,000 of
        them away lasts a minute, and that is done twice a round."""
        image.scatter(self.rng, 0.13, PAGE)

    def grow_copy_cases(self):
        self.grow_by_copy("by copy, 256 MiB in one run", "", 2 * GIB, self.dense, ("never", 1.0))
        self.grow_by_copy("by copy, 13% of 256 MiB in scattered pages", "", 256 * MIB, self.scattered, ("never", 1.0))

    def grow_reflink_cases(self):
        """On a filesystem that can share blocks, on a loop device."""
        mount_point = self.file("xfs")
        os.mkdir(mount_point)
        disk = self.hole("xfs.img", 8 * GIB)
        script = 'mkfs.xfs -q -m reflink=1 "$1" && mount -o loop "$1" "$2"'
        mounted = subprocess.run(["/bin/sh", "-c", script, "sh", disk, mount_point], check=False,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if mounted.returncode == 0:
            try:
                self.grow_by_copy("by reflink on XFS, 256 MiB in one run", "xfs", 2 * GIB, self.dense,
                                  ("never", 0.1), ("always", None))
                self.grow_by_copy("by reflink on XFS, 13% of 256 MiB in scattered pages", "xfs", 256 * MIB, self.scattered,
                                  ("never", None), ("always", None))
            finally:
                subprocess.run(["umount", mount_point], check=True)
        else:
            reason = mounted.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
            self.table.skip("growing by reflink on a loop-mounted XFS",
                            f"needs root, loop devices and xfsprogs: {reason[0]}")
        self.remove("xfs.img")
        os.rmdir(mount_point)

    def in_place(self, image, method):
        """A GiB more, where it lies; undone each time."""
        words = [self.cowtui, "resize", "-q", "-y", "--policy", "extend", "--method", method, image.path, "+1G"]
        plan = json.loads(subprocess.check_output([*words, "--dry-run", "--json"]))
        require(plan["method"] == method, f"{image.path} would not be {method}")

        def grown():
            taken = seconds_of(words)
            subprocess.run([self.cowtui, "undo", "-q", "-y", image.path], stdin=subprocess.DEVNULL, check=True)
            return taken

        return grown, plan

    def insertion(self, path, offset, length):
        """What the filesystem takes for it alone, in a file like it; taken back each time."""
        insert = ["/bin/sh", "-c", 'fallocate --insert-range -o "$2" -l "$3" "$1" && sync "$1"', "sh", path, str(offset), str(length)]

        def inserted():
            taken = seconds_of(insert)
            subprocess.run(["fallocate", "--collapse-range", "-o", str(offset), "-l", str(length), path], check=True)
            return taken

        return inserted

    def grow_in_place_cases(self):
        """Dense images: all of the data would have to be copied."""
        for method, size in ("inserted", 2 * GIB), ("moved", GIB):
            image = self.image("place.cow", self.hole("place.img", size))
            image.one_run(self.rng, 0, size)
            before = image.dirty_sum()
            grown, plan = self.in_place(image, method)
            peers = [("cp + sync", 0.1 if method == "inserted" else 2, self.copy(image.path, "place.copy"))]
            if method == "inserted":
                twin = self.file("place.twin")
                shutil.copyfile(image.path, twin)
                shift = plan["after"]["data_offset"] - image.data_offset
                peers.append(("fallocate --insert-range + sync", 2, self.insertion(twin, image.data_offset, shift)))
            self.compare(f"resize --method {method} of a dense {size // GIB} GiB", grown, *peers)
            require(filecmp.cmp(image.path, self.file("place.copy"), shallow=False), "cp has not copied, or undo not taken back")
            subprocess.run(self.resize(image.path, "+1G") + ["--method", method], stdin=subprocess.DEVNULL, check=True)
            image.look()
            require(image.facts["size_bytes"] == size + GIB and image.dirty_sum() == before, "what has grown is another disk")
            self.remove("place.cow", "place.img", "place.copy", "place.twin", ".place.cow.cowtui-undo")

    # ---- comparing ---------------------------------------------------------------------------------------

    def compare_cases(self):
        """All bytes of a disk of 1 GiB, dirty and equal to the backing: what scan and compact have to compare is
        what cmp compares, and nothing is left to write. All of it is in the page cache."""
        backing = self.noise("equal.img", GIB)
        image = self.image("equal.cow", backing)
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
            image.look()
            require(image.facts["usage"]["dirty_sectors"] == 0, "compact has left something")
            subprocess.run(undo, stdin=subprocess.DEVNULL, check=True)
            return taken

        runs = json.loads(subprocess.check_output([self.cowtui, "map", "--scan", "-q", "--json", image.path]))
        require([(run["origin"], run["length"]) for run in runs] == [("redundant", GIB)], "map --scan")
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
        cow = self.file("diff.cow")
        ours = self.writer("diff.cow", self.cowtui, "diff", "-q", "-o", cow, backing, raw)
        cmp = lambda: seconds_of(["cmp", backing, twin])  # noqa: E731
        cmp()
        ours()
        self.compare("diff of two 2 GiB raw disks, 1000 pages differ", ours, ("cmp of equal ones", 1.3, cmp))
        self.remove("diff.twin")
        self.uml_moo(cow)()
        require(filecmp.cmp(raw, self.file("peer.raw"), shallow=False), "the COW that diff made is another disk")
        self.remove("diff.img", "diff.raw", "diff.cow", "peer.raw")

    def run(self, only):
        """All cases, or those whose name has the word in it."""
        chosen = [cases for cases in (self.merge_cases, self.hole_cases, self.sparse_cases, self.bitmap_cases,
                                      self.grow_header_cases, self.grow_copy_cases, self.grow_reflink_cases, self.grow_in_place_cases,
                                      self.compare_cases, self.diff_cases, self.files_cases, self.keys_cases,
                                      self.open_cases, self.serve_read_cases, self.serve_write_cases,
                                      self.grow_fs_cases)
                  if only in cases.__name__]
        if not chosen:
            raise RuntimeError(f"no cases are called '{only}'")
        self.table.head(self.rounds)
        for cases in chosen:
            cases()
        return self.table.tail()


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="",
                        help="a word of: merge hole sparse bitmap grow_header grow_copy grow_reflink grow_in_place compare diff files keys"
                        " open serve_read serve_write grow_fs")
    parser.add_argument("cowtui")
    parser.add_argument("directory")
    return parser.parse_args()


def main():
    arguments = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    os.makedirs(arguments.directory, exist_ok=True)
    free = shutil.disk_usage(arguments.directory).free
    if free < NEEDED_BYTES:
        print(f"bench: {arguments.directory}: needs {NEEDED_BYTES / GIB:g} GiB of disk, {free / GIB:.1f} GiB are free",
              file=sys.stderr)
        return 2
    # What is in the directory that was given is somebody's: only our own one inside it is ever removed.
    directory = tempfile.mkdtemp(prefix="bench-", dir=os.path.realpath(arguments.directory))
    try:
        return 0 if Bench(arguments, directory).run(arguments.only) else 1
    except (OSError, RuntimeError, subprocess.CalledProcessError):
        traceback.print_exc()
        return 2
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        shutil.rmtree(directory)


if __name__ == "__main__":
    sys.exit(main())

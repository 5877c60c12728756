# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command must leave: the model's disk, and every check of the files against it."""
import ctypes
import functools
import os
import re
import subprocess
from dataclasses import replace

import damage
from combos import GIB, MIB
from formats import KERNEL_OFFSET_MAX, SMALLEST_SIZE, compose, layout, read_v3, round_up
from sparse import Pages, clip, extents, joined

UNDO = ".x.cow.cowtui-undo"
MOO_LIMIT = 64 * MIB
LONG_BITMAP = 16 * MIB
SECONDS = 120 * float(os.environ.get("TIME_SCALE") or 1)  # for one command; it takes milliseconds


COUNTED = "changes extend copy keep shrink same copied stayed moved inserted chains undone refused merged moo checks".split()


class Wrong(Exception):
    """What is not as the model says."""


def expect(wanted, got, what):
    if wanted != got:
        raise Wrong(f"{what}: {short(got)} instead of {short(wanted)}")


def short(value):
    text = str(value)
    return text if len(text) < 200 else text[:200] + "..."


def expect_pages(wanted, got, what):
    at = wanted.difference(got)
    if at is not None:
        raise Wrong(f"{what}: byte {at} is {got.read(at, 1).hex()} instead of {wanted.read(at, 1).hex()}")


@functools.cache
def filesystem_inserts():
    """Whether room can be inserted into a file here, in blocks of 4096 bytes."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.fallocate64.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    fd = os.open(".", os.O_TMPFILE | os.O_RDWR) if hasattr(os, "O_TMPFILE") else -1
    try:
        os.pwrite(fd, bytes(8192), 0)
        return libc.fallocate64(fd, 0x20, 4096, 4096) == 0
    except OSError:
        return False
    finally:
        os.close(fd)


def state(path):
    """What must not change about a file."""
    info = os.stat(path)
    return info.st_ino, info.st_mode, info.st_size, info.st_mtime_ns, Pages.of_file(path).digest()


def states():
    return {name: state(name) for name in sorted(os.listdir("."))}


def expect_states(wanted, what, without=()):
    got = states()
    for name in sorted(wanted.keys() | got.keys()):
        if name not in without:
            expect(wanted.get(name, "not there"), got.get(name, "not there"), f"{what}: {name}")


def roomy_alignment(size):
    """What an image gets that is written anew: room to grow to twice its size, 4 GiB at least; or None."""
    for shift in range(20, 31):
        lay = layout("uml-cow-v3", size, 512, 1 << shift)
        if lay.data_offset <= KERNEL_OFFSET_MAX and lay.capacity >= max(4 * GIB, 2 * size):
            return 1 << shift
    return None


def roomy_place(disk, target):
    """Where the data of a v3 moves to, if it moves in place: the first alignment, from 16 MiB on, that has room to grow to
    twice the size, 4 GiB at least, and leaves the old bits readable until the end; or None."""
    for shift in range(24, 31):
        if fits_place(disk, target, 1 << shift) and layout("uml-cow-v3", target, 512, 1 << shift).capacity >= max(4 * GIB, 2 * target):
            return 1 << shift
    return None


def fits_place(disk, target, alignment):
    new, old = layout("uml-cow-v3", target, 512, alignment), disk.layout
    apart = new.bitmap_offset == old.bitmap_offset or new.bitmap_offset >= old.data_offset
    return old.data_offset + 512 <= new.data_offset <= KERNEL_OFFSET_MAX and apart


class Chain:
    """The changes of one combination, in its directory, which is the working directory."""

    def __init__(self, binary, moo, rng, disk, hurt=None, trace=None):
        self.binary, self.moo, self.rng, self.disk = binary, moo, rng, disk
        self.hurt, self.trace = hurt, trace
        self.inserts = filesystem_inserts()
        self.doing = "making it"
        self.counts = dict.fromkeys(COUNTED, 0)
        self.changed = False

    def count(self, what):
        self.counts[what] += 1

    def damaged(self, where):
        """For the proof that the suite can fail: something is damaged behind the product's back."""
        if self.hurt and damage.WHERE[self.hurt] == where and damage.do(self.hurt, self.disk):
            self.hurt = None

    # Running

    def run(self, *arguments, program=None):
        command = [program or self.binary, *arguments]
        if self.trace:
            self.trace("  " + " ".join(command))
        options = {"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": SECONDS}
        done = subprocess.run(command, check=False, **options)
        return done.returncode, done.stderr.decode("utf-8", "replace")

    def must(self, code, *arguments):
        self.doing = "cowtui " + " ".join(arguments)
        got, error = self.run(*arguments)
        expect(code, got, f"exit code ({error.strip()})")
        if code != 0 and not re.search("^cowtui: .", error, re.M):
            raise Wrong(f"exit code {code} without a message: {error!r}")
        self.count("checks")
        return error

    def refused(self, code, *arguments):
        """Exit code, and not a byte, date or name has changed."""
        before = states()
        error = self.must(code, *arguments)
        self.damaged("refused")
        expect_states(before, "after a refusal")
        self.count("refused")
        self.count("checks")
        return error

    # What a request must lead to

    def backing_bytes(self):
        return os.stat(self.disk.backing).st_size if self.disk.backing else 0

    def can_stay(self, target):
        """The data of a v3 stay where they are if the longer bitmap ends before them."""
        d = self.disk
        if d.variant != "uml-cow-v3" or d.sector != 512 or target <= d.size:
            return False
        offset = layout(d.variant, target, 512, d.alignment).data_offset
        return offset == d.layout.data_offset and offset <= KERNEL_OFFSET_MAX

    def only_backing(self, target, policy):
        """The image is as it should be; its backing file is too short."""
        return target == self.disk.size and self.disk.variant == "uml-cow-v3" and policy == "extend"

    def matters_until(self, new_size):
        """Past new_size: where the last dirty sector ends that is neither zero nor as in the backing file."""
        d, last = self.disk, 0
        under = Pages.of_file(d.backing) if d.backing else Pages()
        for first, end in d.runs:
            begin, stop = max(first * d.sector, new_size), min(end * d.sector, d.size)
            if begin >= stop:
                continue
            for page in d.pages.within(begin, stop):  # in sectors; one that has no page is zeros
                low, high = max(page * 4096, begin), min(page * 4096 + 4096, stop)
                for at in range(low, high, 512):
                    length = min(512, high - at)
                    mine = d.pages.read(at, length)
                    if mine.count(0) < length and mine != under.read(at, length):
                        last = max(last, min(round_up(at + 1, d.sector), d.size))
        return last

    def least_size(self):
        return max(round_up(self.matters_until(0), 512), SMALLEST_SIZE)

    def can_move(self, target, policy):
        """By moving its data in place: a v3 with sectors of 512, with somewhere to go. keep: nothing behind its end."""
        d = self.disk
        if d.variant != "uml-cow-v3" or d.sector != 512 or target <= d.size:
            return False
        if policy == "keep" and (d.size % 512 or d.overlong):
            return False
        return any(fits_place(d, target, a) for a in [512 << i for i in range(22)] + [d.alignment])

    def must_insert(self, target):
        """The filesystem does, and whole blocks of it have to move."""
        return self.inserts and self.disk.layout.data_offset % 4096 == 0 and roomy_place(self.disk, target) is not None

    def resized(self, target, policy, method=""):
        """The model's disk after it."""
        d, ratio = self.disk, self.disk.sector // 512
        old_sectors = -(-min(d.size, target) // 512)
        runs = clip([(a * ratio, b * ratio) for a, b in d.runs], 0, old_sectors)
        pages = d.pages.copy()
        pages.zero(target)
        if policy == "keep":
            runs = joined(runs + [(old_sectors, target // 512)])
        elif policy == "extend" and self.backing_bytes() > d.size:
            pages.write(d.size, Pages.of_file(d.backing, d.size, target).read(0, target - d.size))
        mtime = os.stat(d.backing).st_mtime_ns // 10**9 if d.backing else d.mtime
        overlong = d.overlong and (method != "" or self.can_stay(target) or self.only_backing(target, policy))
        changed = {"size": target, "runs": runs, "pages": pages, "mtime": mtime, "overlong": overlong}
        return replace(d, variant="uml-cow-v3", sector=512, **changed)

    def copy_name(self):
        names = ["x.cow.backing"] + [f"x.cow.backing.{n}" for n in range(1, 10)]
        return next(name for name in names if not os.path.exists(name))

    # Changes

    def change(self, target, policy, *options, method=""):
        """A resize that must succeed, and all that must be true then. method: how the data moves in place."""
        before, old = states(), self.disk
        options = (*options, "--method", method) if method else options
        stays, had = self.can_stay(target) and not method, Pages.of_file(old.backing) if old.backing else Pages()
        new = self.resized(target, policy, method)
        if policy == "copy":
            new.backing = self.copy_name()
            new.stored = os.fsencode(os.path.join(os.getcwd(), new.backing))
        only_backing = self.only_backing(target, policy)
        self.must(0, "resize", "-q", "--yes", *options, "x.cow", self.size_text(target))
        self.disk = new
        self.damaged("changed")
        self.check_names(before, policy, new)
        self.check_backing(before, old, had, policy)
        image = self.check_header(old, stays or only_backing)
        if policy != "keep" or old.size % 512 == 0:
            expect(new.runs, image.runs, "dirty sectors")
        new.runs, new.alignment = image.runs, image.alignment
        self.check_disk(image, "composed disk")
        if not only_backing:
            self.check_moved(before, old, method) if method else self.check_place(before, old, stays, policy)
        self.check_moo(policy)
        self.changed = True
        self.count("changes")
        self.count("same" if target == old.size else "shrink" if target < old.size else policy)
        if method:
            self.count(method)
        return before, old

    def size_text(self, target):
        """In bytes; now and then as a difference."""
        if target > self.disk.size and self.disk.size % 512 == 0 and self.rng.random() < 0.2:
            return f"+{target - self.disk.size}"
        return str(target)

    def check_names(self, before, policy, new):
        names = set(before) | {UNDO} | ({new.backing} if policy == "copy" else set())
        expect(sorted(names), sorted(os.listdir(".")), "files")
        self.count("checks")

    def check_backing(self, before, old, had, policy):
        """Every byte that existed, and the date, are as they were; what is new is a hole."""
        for name, facts in before.items():
            if name not in ("x.cow", UNDO) and not (policy == "extend" and name == old.backing):
                expect(facts, state(name), f"the file {name}")
        if policy == "keep":
            return
        new, wanted = self.disk, had.copy()
        if policy == "copy":
            wanted.zero(min(old.size, new.size))
        expect(new.size, os.stat(new.backing).st_size, "size of the backing file")
        expect_pages(wanted, Pages.of_file(new.backing), "backing file")
        if old.backing:
            expect(before[old.backing][3], os.stat(new.backing).st_mtime_ns, "date of the backing file")
            self.check_hole(before[old.backing][2])
        self.count("checks")

    def check_hole(self, old_bytes):
        block = os.statvfs(".").f_bsize
        with open(self.disk.backing, "rb") as f:
            found = list(extents(f.fileno(), round_up(old_bytes, block), self.disk.size))
        expect([], found, "data where the backing file should have a hole")

    def check_header(self, old, stays):
        d = self.disk
        image = read_v3("x.cow")
        if image is None:
            raise Wrong("the result is no v3")
        expect((d.size, 512, d.mtime, 0, d.stored),
               (image.size, image.sector, image.mtime, image.cow_format, image.path),
               "size, sector size, date, COW format and backing path in the header")
        lay, length = image.layout, os.stat("x.cow").st_size
        if lay.data_offset > KERNEL_OFFSET_MAX and not (stays and old.layout.data_offset == lay.data_offset):
            raise Wrong(f"the data offset {lay.data_offset} does not fit a kernel's number")
        if length < lay.data_offset and not stays:
            raise Wrong(f"a file of {length} bytes, which ends before the data")
        if length > max(lay.data_offset + lay.sectors * 512, lay.bitmap_end + 24) and not d.overlong:
            raise Wrong(f"a file of {length} bytes, longer than its layout")
        self.count("checks")
        return image

    def check_disk(self, image, what):
        under = Pages.of_file(self.disk.backing) if self.disk.backing else Pages()
        expect_pages(self.disk.pages, compose("x.cow", image, under), what)
        self.count("checks")

    def check_place(self, before, old, stays, policy):
        """By header where the format's arithmetic says that the data may stay, else by copy, with room."""
        d = self.disk
        same_file = os.stat("x.cow").st_ino == before["x.cow"][0]
        if stays and policy == "keep" and (old.size % 512 or old.overlong):
            stays = same_file  # the new sectors must be holes: either way will do
        if stays and d.layout.bitmap_end - old.layout.bitmap_end > LONG_BITMAP:
            stays = same_file  # what lies there has to be kept for undo, and may be much
        expect(stays, same_file, "the data could stay; they did")
        best = old.alignment if stays else roomy_alignment(d.size)
        if best:
            expect(best, d.alignment, "alignment")
        self.count("stayed" if stays else "copied")
        self.count("checks")

    def check_moved(self, before, old, method):
        """The same file, its data further on, with room to grow where there is a place for that."""
        d = self.disk
        expect(before["x.cow"][0], os.stat("x.cow").st_ino, f"inode after it was {method}")
        expect(True, d.layout.data_offset > old.layout.data_offset, "is the data further on")
        best = roomy_place(old, d.size)
        if best:
            expect(best, d.alignment, "alignment")
        self.count("checks")

    def check_moo(self, policy):
        """What uml-utilities makes of a copy of it. Its output is a new file."""
        d = self.disk
        if not self.moo or policy == "keep" or d.size > MOO_LIMIT:
            return
        if os.stat("x.cow").st_size < d.layout.bitmap_end:
            return  # zeros to us, an error to uml_moo; only a file that was made so is so short
        Pages.of_file("x.cow").save("moo.cow", os.stat("x.cow").st_size)
        code, error = self.run("moo.cow", "moo.raw", program=self.moo)
        expect(0, code, f"exit code of uml_moo ({error.strip()})")
        expect(d.size, os.stat("moo.raw").st_size, "size of the disk, by uml_moo")
        expect_pages(d.pages, Pages.of_file("moo.raw"), "disk, by uml_moo")
        os.unlink("moo.cow")
        os.unlink("moo.raw")
        self.count("moo")
        self.count("checks")

    def merge(self):
        """The product's own reading of any variant."""
        before = states()
        self.must(0, "merge", "-q", "-o", "raw", "x.cow")
        expect(self.disk.size, os.stat("raw").st_size, "size of the merged disk")
        expect_pages(self.disk.pages, Pages.of_file("raw"), "merged disk")
        os.unlink("raw")
        expect_states(before, "after a merge")
        self.count("merged")
        self.count("checks")

    def undo(self, before, old):
        """Every byte, date and name is as it was, but for what would have undone the change before."""
        self.must(0, "undo", "-q", "--yes", "x.cow")
        self.disk = old
        self.damaged("undone")
        expect_states(before, "after undo", without={UNDO})
        expect(False, os.path.exists(UNDO), "undo data after undo")
        self.count("undone")
        self.count("checks")

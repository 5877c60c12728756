# SPDX-License-Identifier: GPL-3.0-or-later
"""An image that is going to grow in place, and a reader of its own: which disk is it? Written from
share/doc/format.md; nothing here knows the product."""
import os
import random
import re
import shutil
import struct
import subprocess

SECTOR, PAGE, MIB = 512, 4096, 1 << 20
HEADER_BYTES = 4128
MARK = 2**64 - 1
DATE_NS = 1049522828 * 10**9 + 250000000
NAME, BACKING, UNDO, DRAFT = "x.cow", "back.img", ".x.cow.cowtui-undo", ".x.cow.cowtui-journal-new"
POSITION = ".x.cow.cowtui-position"
SECONDS = 60 * float(os.environ.get("TIME_SCALE") or 1)  # for one command


class Wrong(Exception):
    """What is not as it has to be."""


def expect(wanted, got, what):
    if wanted != got:
        raise Wrong(f"{what}: {got!r:.200} instead of {wanted!r:.200}")


def round_up(value, unit):
    return -(-value // unit) * unit


def read(path):
    with open(path, "rb") as f:
        return f.read()


def layout(size, alignment):
    """(sectors, where the bitmap begins, where the data begins)"""
    sectors = -(-size // SECTOR)
    bitmap = round_up(HEADER_BYTES, alignment)
    return sectors, bitmap, round_up(bitmap + -(-sectors // 8), alignment)


def runs_of(bits):
    """The set bits, as (first, end)."""
    first = end = -1
    for found in re.finditer(rb"\xff+|[^\x00\xff]", bits):
        whole = found.group()[0] == 0xFF
        at = found.start() * 8
        inside = [(at, at + len(found.group()) * 8)] if whole else [(at + i, at + i + 1) for i in range(8) if found.group()[0] >> i & 1]
        for begin, stop in inside:
            if begin == end:
                end = stop
                continue
            if end > first:
                yield first, end
            first, end = begin, stop
    if end > first:
        yield first, end


def compose(cow, backing):
    """(size, the disk) of a v3."""
    size, _, alignment = struct.unpack_from(">QII", cow, 12)
    sectors, bitmap, data = layout(size, alignment)
    disk = bytearray(backing[:size].ljust(sectors * SECTOR, b"\0"))
    bits = bytearray(cow[bitmap : bitmap + -(-sectors // 8)])
    if sectors % 8:
        bits[-1] &= (1 << sectors % 8) - 1
    view = memoryview(cow)
    for first, end in runs_of(bytes(bits)):
        begin, stop = first * SECTOR, end * SECTOR
        piece = view[data + begin : data + stop]
        disk[begin:stop] = piece if len(piece) == stop - begin else bytes(piece).ljust(stop - begin, b"\0")
    return size, bytes(disk[:size])


def first_difference(a, b):
    if len(a) != len(b):
        return f"{len(a)} bytes instead of {len(b)}"
    return f"byte {next(i for i in range(len(a)) if a[i] != b[i])}"


class Scene:
    """x.cow on back.img, in a directory: so many units of data, `stride` units apart. A stride of 1: dense, but for a
    stretch in the middle. Unit and stride are powers of two."""

    def __init__(self, binary, place, unit, units, stride=1, alignment=4096, more=100 * MIB, seed=1):
        self.binary, self.place = binary, place
        self.unit, self.units, self.stride, self.alignment = unit, units, stride, alignment
        self.size = unit * units * stride
        self.new_size = self.size + more
        self.noise = random.Random(f"{seed} {os.environ.get('SEED') or 1}")
        self.make()

    def at(self, name):
        return os.path.join(self.place, name)

    # ---- making it ---------------------------------------------------------------------------------------

    def is_dirty(self, n):
        return n % self.stride == 0 and (self.stride > 1 or not self.units // 2 <= n < self.units // 2 + self.units // 16)

    def make(self):
        with open(self.at(BACKING), "wb") as f:
            f.write(self.noise.randbytes(256 * 1024))
            f.seek(self.size // 2)
            f.write(self.noise.randbytes(64 * 1024))
            f.truncate(self.size)
        os.utime(self.at(BACKING), ns=(0, DATE_NS))
        sectors, bitmap, data = layout(self.size, self.alignment)
        bits = bytearray(-(-sectors // 8))
        per = self.unit // SECTOR
        with open(self.at(NAME), "wb", buffering=0) as f:
            head = struct.pack(">4sIIQIII", b"OOOM", 3, DATE_NS // 10**9, self.size, SECTOR, self.alignment, 0)
            f.write(head + os.path.realpath(self.at(BACKING)).encode())
            os.ftruncate(f.fileno(), data + self.size)  # first: XFS takes more than is asked for behind the end, and fills holes
            for n in range(self.units * self.stride):
                if self.is_dirty(n):
                    for i in range(n * per, (n + 1) * per):
                        bits[i // 8] |= 1 << i % 8
                    os.pwrite(f.fileno(), self.noise.randbytes(self.unit), data + n * self.unit)
            os.pwrite(f.fileno(), bits, bitmap)
            os.fsync(f.fileno())
        self.data_offset = data
        self.old_cow, self.old_backing = read(self.at(NAME)), read(self.at(BACKING))
        self.old_disk = compose(self.old_cow, self.old_backing)[1]
        self.extents = len(list(self.data_extents()))
        os.sync()

    def data_extents(self, begin=0):
        """The stretches that are no holes, from a place of the file on."""
        fd = os.open(self.at(NAME), os.O_RDONLY)
        try:
            while True:
                try:
                    begin = os.lseek(fd, begin, os.SEEK_DATA)
                except OSError:
                    return
                end = os.lseek(fd, begin, os.SEEK_HOLE)
                yield begin, end
                begin = end
        finally:
            os.close(fd)

    # ---- running -----------------------------------------------------------------------------------------

    def words(self, *words):
        return [self.binary, *words, "--yes", self.at(NAME)]

    def grow(self, method):
        return self.words("resize", "--policy", "extend", "--method", method)[:-1] + [self.at(NAME), str(self.new_size)]

    def run(self, command, **options):
        options.setdefault("timeout", SECONDS)
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False, **options)
        done.said = " / ".join(line for line in done.stderr.splitlines() if line.strip())[-300:] or "without a word"
        return done

    def must(self, code, *command):
        done = self.run(list(command))
        if done.returncode != code:
            raise Wrong(f"{' '.join(command[1:])} answers {done.returncode}, not {code}: {done.said}")
        return done

    # ---- judging -----------------------------------------------------------------------------------------

    def size_field(self):
        with open(self.at(NAME), "rb") as f:
            return struct.unpack_from(">Q", f.read(20), 12)[0]

    def is_half(self):
        return self.size_field() == MARK

    def left(self, draft=False):
        spared = [DRAFT] if draft else []
        return sorted(n for n in os.listdir(self.place) if n.startswith("." + NAME) and n not in spared)

    def same_disk(self, got, wanted, what):
        if got != wanted:
            raise Wrong(f"{what} is another disk: {first_difference(got, wanted)}")

    def check_backing(self, size):
        facts = os.stat(self.at(BACKING))
        expect((size, DATE_NS), (facts.st_size, facts.st_mtime_ns), "size and date of the backing file")
        self.same_disk(read(self.at(BACKING)), self.old_backing.ljust(size, b"\0"), "the backing file")

    def check_old(self, left=(), draft=False):
        """Every byte of image and backing file is as it was before. draft: a journal in the making may be left: one that
        never got its name, so that there is nothing to recover; the next change replaces it."""
        cow = read(self.at(NAME))
        if cow != self.old_cow:
            raise Wrong(f"the image is not the old one: {first_difference(cow, self.old_cow)}")
        self.check_backing(self.size)
        expect(sorted(left), self.left(draft), "files beside the old image")

    def check_new(self, moo=False, draft=False):
        cow = read(self.at(NAME))
        expect(b"OOOM\0\0\0\3", cow[:8], "magic and version")
        expect(DATE_NS // 10**9, int.from_bytes(cow[8:12], "big"), "date in the header")
        size = int.from_bytes(cow[12:20], "big")
        expect(self.new_size, size, "size in the header")
        self.check_backing(size)
        self.same_disk(compose(cow, read(self.at(BACKING)))[1], self.old_disk.ljust(size, b"\0"), "what has grown")
        expect([UNDO], self.left(draft), "files beside the new image")
        if moo:
            self.check_moo()

    def check_moo(self):
        """The disk as uml_moo reads it, where it is installed."""
        moo = shutil.which("uml_moo")
        if moo:
            raw = os.path.join(os.path.dirname(self.place), "moo.raw")
            try:
                expect(0, self.run([moo, self.at(NAME), raw]).returncode, "exit code of uml_moo")
                self.same_disk(read(raw), self.old_disk.ljust(self.new_size, b"\0"), "what uml_moo makes of it")
            finally:
                if os.path.exists(raw):
                    os.unlink(raw)

    def check_half(self, *options):
        """A marked image: the disk as it was can be read; nothing else can be done with it."""
        raw = os.path.join(os.path.dirname(self.place), "half.raw")
        try:
            # Its preview does not count that the blocks of two filesystems may differ, so no promise is asked of it here.
            done = self.run([self.binary, "merge", "-q", "-o", raw, *options, self.at(NAME)], env=dict(os.environ, COWTUI_PROMISES="off"))
            expect(0, done.returncode, f"exit code of merging what is half way ({done.said})")
            got = read(raw)
        finally:
            if os.path.exists(raw):
                os.unlink(raw)
        self.same_disk(got, self.old_disk, "what is half way")
        for words in ["resize", "--in-place", "--reserve", "200G"], ["compact"], ["undo"], ["rebase", "--restamp"]:
            before = os.stat(self.at(NAME)).st_mtime_ns
            self.must(3, self.binary, *words, "--yes", self.at(NAME))
            expect(before, os.stat(self.at(NAME)).st_mtime_ns, f"date of a half-moved image after {words[0]}")

    def settle(self, way, undoing=False, moo=False):
        """recover, and what must be true then. An undo's way on is the image's way back. "old" or "new"."""
        way = [f"--{way}"] if way else []
        was_half = self.is_half()
        done = self.run(self.words("recover", *way))
        if done.returncode == 3 and not was_half and "recovery does not go" in done.stderr:
            way, done = [], self.run(self.words("recover"))  # nothing has moved yet, or all has: one way only
        if done.returncode not in (0, 3) or (done.returncode == 3 and was_half):
            raise Wrong(f"recover {' '.join(way)} answers {done.returncode}: {done.said}")
        which = "new" if self.size_field() == self.new_size else "old"
        if undoing and re.search(rf"^ *makes .*{re.escape(UNDO)}$", done.stdout, re.M):
            raise Wrong("the preview says that finishing an undo makes undo data")
        if was_half and way:
            expect("new" if (way[0] == "--forward") != undoing else "old", which, f"image after recover {way[0]}")
        if which == "new":
            self.check_new(moo, draft=done.returncode == 3)
        else:
            self.check_old(draft=done.returncode == 3)
        return which

    def back_to_old(self):
        """From what settle leaves."""
        if self.size_field() == self.new_size:
            self.must(0, *self.words("undo"))
            self.check_old()

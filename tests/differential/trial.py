# SPDX-License-Identifier: GPL-3.0-or-later
"""One random image and its files: running the program on it, and judging what comes out.

A check that fails raises Wrong. `damage` spoils what the program has made before it is judged: so the suite
shows that it can fail."""
import json
import os
import random
import shutil
import subprocess

import disks
from model import MAGICS, Image, ranges
from truth import Truth, read

V3 = MAGICS["uml-cow-v3"]
LIMIT_SECONDS = 30 * float(os.environ.get("TIME_SCALE") or 1)  # of one command; they take milliseconds


class Wrong(Exception):
    pass


class Skip(Exception):
    pass


def expect(good, text):
    if not good:
        raise Wrong(text)


def first_difference(a, b):
    if len(a) != len(b):
        return f"{len(a)} bytes instead of {len(b)}"
    at = next(n for n in range(len(a)) if a[n] != b[n])
    return f"first at byte {at} (sector {at // 512})"


def same_bytes(got, want, what):
    expect(got == want, f"{what} differs, {'' if got == want else first_difference(got, want)}")


def same_sectors(got, want, what):
    more, less = ranges(sorted(got - want)), ranges(sorted(want - got))
    expect(got == want, f"{what}: dirty, but should not be: {more}; not dirty, but should be: {less}")


def clone(source, target):
    """Holes, date and mode are kept."""
    with open(source, "rb") as src, open(target, "wb") as dst:
        size = os.fstat(src.fileno()).st_size
        at = 0
        while at < size:
            try:
                start = os.lseek(src.fileno(), at, os.SEEK_DATA)
            except OSError:
                break
            at = os.lseek(src.fileno(), start, os.SEEK_HOLE)
            src.seek(start)
            dst.seek(start)
            dst.write(src.read(at - start))
        dst.truncate(size)
    shutil.copystat(source, target)


def state(path):
    """What must not change."""
    info = os.stat(path)
    return info.st_ino, info.st_mode, info.st_mtime_ns, read(path)


def flip(path, offset, bit=0):
    with open(path, "r+b") as f:
        f.seek(offset)
        byte = (f.read(1) or b"\0")[0]
        f.seek(offset)
        f.write(bytes([byte ^ 1 << bit]))


class Trial:
    def __init__(self, binary, seed, directory, damage=None):
        self.binary, self.directory, self.damage = binary, directory, damage
        self.seed = seed
        self.disk = disks.make(random.Random(f"{seed}"), directory)
        self.truth = Truth(self.disk.image, self.disk.variant, self.disk.backing)
        self.backing = ["-b", self.disk.backing] if self.disk.named else []
        self.spoiled = False

    # ---- helpers -----------------------------------------------------------------------------------------

    def rng(self, what):
        return random.Random(f"{self.seed} {what}")

    def path(self, name):
        return os.path.join(self.directory, name)

    def cowtui(self, *arguments, codes=(0,)):
        words = [self.binary, *arguments]
        try:
            run = subprocess.run(
                words, cwd=self.directory, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_SECONDS
            )
        except subprocess.TimeoutExpired:
            raise Wrong(f"{' '.join(arguments)}: does not end") from None
        said = run.stderr.decode("utf-8", "replace")
        want = "/".join(map(str, codes))
        expect(
            run.returncode in codes,
            f"{' '.join(arguments)}: exit {run.returncode} instead of {want}: {said.strip()[-300:]}",
        )
        return run.returncode, run.stdout, said

    def doubtful(self):
        """Not the backing file that the header tells of: changes ask for --force."""
        if not self.disk.backing:
            return False
        info = os.stat(self.disk.backing)
        return info.st_size != self.disk.size or int(info.st_mtime) != self.disk.mtime

    def spoil(self, kind, path, size=None):
        """Damages a result: `raw` and `cow` are kinds of files."""
        if self.damage is None or not self.damage.startswith(kind):
            return
        rng = self.rng(self.damage)
        if self.damage == "raw-byte":
            flip(path, rng.randrange(size), rng.randrange(8))
        elif self.damage == "raw-length":
            os.truncate(path, size - 1)
        elif self.damage == "cow-bit":
            image = Image(path, "uml-cow-v3")
            n = rng.randrange(image.sectors)
            flip(path, image.bitmap_offset + n // 8, n % 8)
        elif self.damage == "cow-byte":
            image = Image(path, "uml-cow-v3")
            if not image.dirty():
                return
            n = rng.choice(image.dirty())
            flip(path, image.data_offset + rng.randrange(n * 512, min(n * 512 + 512, image.size)), rng.randrange(8))
        elif self.damage == "cow-path":
            flip(path, 33)
        elif self.damage == "undo-byte":
            flip(path, rng.randrange(os.path.getsize(path)))
        elif self.damage == "backing-date":
            info = os.stat(path)
            os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns + 1))
        elif self.damage == "backing-byte":
            info = os.stat(path)
            flip(path, rng.randrange(os.path.getsize(path)))
            os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
        self.spoiled = True

    def sources(self):
        return [path for path in (self.disk.image, self.disk.backing) if path]

    def judged(self, operation):
        """Runs one operation; what was there before must be as it was."""
        before = {path: state(path) for path in self.sources()}
        names = set(os.listdir(self.directory))
        operation(self)
        if self.disk.backing and self.damage and self.damage.startswith("backing"):
            self.spoil("backing", self.disk.backing)
        for path, was in before.items():
            expect(state(path) == was, f"{os.path.basename(path)} was changed")
        stray = set(os.listdir(self.directory)) - names
        for name in stray:
            os.unlink(self.path(name))
        stray = sorted(name for name in stray if name.startswith(".") and not name.endswith(".cowtui-undo"))
        expect(not stray, f"left behind: {stray}")

    # ---- results -----------------------------------------------------------------------------------------

    def is_raw(self, path, want, what):
        self.spoil("raw", path, len(want))
        same_bytes(read(path), want, what)

    def is_cow(self, path, disk, backing, dirty, what, stored, whole=True):
        """A v3 on `backing` that shows `disk`, with these sectors dirty, and of full length if `whole`."""
        self.spoil("cow", path)
        expect(read(path, 8) == V3, f"{what} is no v3")
        image = Image(path, "uml-cow-v3")
        expect(image.sector == 512 and image.size == len(disk), f"{what}: sector {image.sector}, size {image.size}")
        same_sectors(set(image.dirty()), dirty, what)
        same_bytes(image.compose(backing), disk, f"{what}: the composed disk")
        expect(image.path in stored, f"{what} names {image.path!r} instead of {stored!r}")
        end = image.data_offset + len(disk) if whole else 0
        expect(end <= len(image.bytes), f"{what} is too short: {len(image.bytes)}")
        return image

    def stored(self):
        """The path that a result may name; with -b also that one."""
        return {self.disk.stored, os.fsencode(self.disk.backing)} if self.disk.named else {self.disk.stored}

    def opens(self, path, backing=()):
        _, out, _ = self.cowtui("info", "--json", *backing, path)
        verdict = json.loads(out)["uml"]
        expect(verdict["opens"], f"{os.path.basename(path)}: UML would refuse it: {verdict['reason']}")

    def undone(self, path, before):
        self.cowtui("undo", "-q", "--yes", path)
        self.spoil("undo", path)
        same_bytes(read(path), before[3], "after undo the image")
        expect(os.stat(path).st_mtime_ns == before[2], "undo leaves another date")
        name = os.path.basename(path)
        rest = [other for other in os.listdir(self.directory) if other.startswith(f".{name}.")]
        expect(not rest, f"undo leaves {rest}")

    def refused(self, words, path, codes):
        """Refused, and not touched."""
        before = state(path)
        code, _, said = self.cowtui(*words, codes=codes)
        expect(state(path) == before, f"{words[0]} was refused ({code}), and the image has changed")
        return said

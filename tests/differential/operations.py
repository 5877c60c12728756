# SPDX-License-Identifier: GPL-3.0-or-later
"""What each command has to make of an image: a function an operation, and the table of them."""
import json
import os
import shutil
import struct
import subprocess
import time

import disks
from model import VARIANTS, Image, ranges
from trial import V3, Skip, Trial, clone, expect, same_bytes, same_sectors, state
from truth import PAGE, Holes, Truth, data_extents, dirty_512, pages_that_differ, read, sectors_that_differ, whole_pages

UML_MOO_READS = {"uml-cow-v1", "uml-cow-v2", "uml-cow-v3", "uml-cow-v3-64"}
UNDONE = 0.3  # of the changes, to see that this gives the old image


class Operations(Trial):
    """A method an operation; `judged` runs them."""

    def change(self, name, words, want, backing=None):
        """Changes a copy of the image; `want` are the dirty sectors that it has to have. Undoes it now and then."""
        path = self.path(name + ".cow")
        clone(self.disk.image, path)
        before = state(path)
        words = [words[0], "-q", "--yes", *self.backing, *words[1:], path]
        if not self.disk.backing and not backing:
            self.refused(words, path, (63,))
            return
        code, _, said = self.cowtui(*words, codes=(0, 3))
        if code == 3:
            expect(state(path) == before, f"{words[0]} was refused, and the image has changed")
            expect(self.doubtful(), f"{name} was refused: {said.strip()}")
            self.cowtui(words[0], "--force", *words[1:])
        if state(path) == before:
            same_sectors(self.truth.dirty, want, f"{name} has done nothing")
            return
        stored, named = ({os.fsencode(backing)}, []) if backing else (self.stored(), self.backing)
        self.is_cow(path, self.truth.disk, backing or self.disk.backing, want, name, stored)
        if backing or not self.doubtful():
            self.opens(path, named)
        if self.damage == "undo-byte" or self.rng(name).random() < UNDONE:
            self.undone(path, before)

    def facts(self):
        _, out, _ = self.cowtui("info", "--json", *self.backing, self.disk.image)
        info = json.loads(out)
        image = self.truth.image
        got = info["format"], info["size_bytes"], info["sector_bytes"], info["usage"]["dirty_sectors"]
        want = self.disk.variant, self.disk.size, self.disk.sector, len(image.dirty())
        expect(got == want, f"info says {got} instead of {want}")

    def merge(self):
        path = self.path("merged.raw")
        self.cowtui("merge", "-q", *self.backing, "-o", path, self.disk.image)
        self.is_raw(path, self.truth.disk, "the merged disk")

    def uml_moo(self):
        """The other program agrees with the tests' decoder, where it can read the image."""
        image, disk = self.truth.image, self.disk
        whole = disk.size % disk.sector == 0 and len(image.bytes) >= image.data_offset + disk.size
        if disk.variant not in UML_MOO_READS or not whole or image.mapped < image.sectors:
            return
        if self.doubtful():
            return
        if not shutil.which("uml_moo"):
            raise Skip("uml_moo is not installed")
        copy, path = self.path("moo.cow"), self.path("moo.raw")
        clone(disk.image, copy)
        run = subprocess.run(["uml_moo", "-b", disk.backing, copy, path], cwd=self.directory, capture_output=True)
        expect(run.returncode == 0, f"uml_moo failed: {run.stderr[-200:]}")
        self.is_raw(path, self.truth.disk, "uml_moo's disk")

    def scan(self):
        if not self.disk.backing:
            return
        before = self.truth.origins()
        _, out, _ = self.cowtui("map", "--scan", "--json", *self.backing, self.disk.image)
        after = self.truth.origins()  # a hole may have been filled with zeros by the filesystem meanwhile
        sector, at = self.disk.sector, 0
        runs = json.loads(out)
        if self.damage == "map-origin" and runs:
            run = self.rng("map").choice(runs)
            run["origin"] = "zero" if run["origin"] != "zero" else "changed"
            self.spoiled = True
        for run in runs:
            expect(run["start"] == at and run["length"] > 0, f"the map has a gap at {at}: {run}")
            for n in range(at // sector, -(-(at + run["length"]) // sector)):
                want = {before[n], after[n]}
                expect(run["origin"] in want, f"sector {n}: {run['origin']} instead of {'/'.join(want)}")
                self.right_offset(run, at, n)
            at += run["length"]
        expect(at == self.disk.size, f"the map ends at {at} instead of {self.disk.size}")

    def right_offset(self, run, at, n):
        base = self.truth.image.data_offset if self.truth.image.is_dirty(n) else 0
        want = None if run["origin"] == "beyond-backing" else base + at
        if run["origin"] == "orphan" and at >= os.path.getsize(self.disk.backing):
            want = run["offset"]
        expect(run["offset"] == want, f"{run} should have the offset {want}")

    def compact(self):
        """All pages are completed, even where the file grows by that; and by itself it does not grow."""
        self.change("compact", ["compact", "--force=larger"], self.truth.after_compact())
        self.compact_small()
        path = self.path("compact.cow")
        if self.disk.backing and self.rng("compact").random() >= UNDONE and read(path) != self.truth.image.bytes:
            self.zeros_are_holes(path)

    def compact_small(self):
        """Unless forced the data takes no more room: mixed pages stay as they are rather, or it is refused."""
        if not self.disk.backing or self.doubtful():
            return
        path = self.path("small.cow")
        clone(self.disk.image, path)
        before, blocks = state(path), os.stat(path).st_blocks
        code, _, said = self.cowtui("compact", "-q", "--yes", *self.backing, path, codes=(0, 3))
        if code == 3:
            expect("make the file larger" in said, f"compact was refused: {said.strip()}")
            expect(state(path) == before, "compact was refused, and the image has changed")
            return
        if state(path) == before:
            return
        after = Image(path, "uml-cow-v3")
        completed, kept = self.truth.after_compact(), self.truth.after_compact_small()
        dirty = dirty_512(after)
        expect(dirty in (completed, kept), "compact neither completes all pages nor leaves them as they are")
        self.is_cow(path, self.truth.disk, self.disk.backing, dirty, "small", self.stored())
        room = 64 * 1024 + after.sectors // 8 + 3 * 4096  # shared blocks, and a v3's own header and bitmap
        expect(os.stat(path).st_blocks * 512 <= blocks * 512 + room, f"the file has grown from {blocks} blocks")

    def zeros_are_holes(self, path):
        image = Image(path, "uml-cow-v3")
        holes = Holes(data_extents(path))
        for page in whole_pages(self.disk.size):
            at = page.start * 512
            if image.is_dirty(page.start) and not any(self.truth.disk[at : at + PAGE]):
                start = image.data_offset + at
                expect(holes.cover(start, start + PAGE), f"compact leaves zeros in the page at {at}")

    def compact_sectors(self):
        self.change("sectors", ["compact", "--sectors"], self.truth.after_compact_sectors())

    def complete_pages(self):
        self.change("pages", ["pages"], self.truth.after_pages())

    def convert(self):
        path, image = self.path("converted.cow"), self.disk.image
        words = ["convert", "-q", "--to", "v3", *self.backing, "-o", path, image]
        if not self.disk.backing:
            self.refused(words, image, (63,))
            return
        code, _, said = self.cowtui(*words, codes=(0, 3))
        if code == 3:
            expect(self.doubtful(), f"convert was refused: {said.strip()}")
            self.cowtui(words[0], "--force", *words[1:])
        self.is_cow(path, self.truth.disk, self.disk.backing, self.truth.dirty, "converted", self.stored())

    def other_backing(self, name):
        """Of the size of the disk; it may be the disk itself."""
        rng, path = self.rng(name), self.path(name)
        date = rng.choice([self.disk.mtime, rng.randrange(10**9, 2 * 10**9)])
        start = rng.choice([self.truth.under, self.truth.under, self.truth.disk])
        return path, disks.vary_raw(rng, path, start, date * 10**9 + rng.randrange(10**9))

    def rebase_safe(self):
        path, other = self.other_backing("other.img")
        want = pages_that_differ(self.truth.disk, other)
        self.rebased("safe", ["rebase", "--to", path, "--safe"], want, path, other)

    def rebase_sectors(self):
        path, other = self.other_backing("another.img")
        want = sectors_that_differ(self.truth.disk, other)
        self.rebased("sectored", ["rebase", "--to", path, "--safe", "--sectors"], want, path, other)

    def rebased(self, name, words, want, path, other):
        before = state(path)
        self.change(name, words, want, path)
        expect(state(path) == before, "the new backing file was changed")
        expect(read(path) == other, "the new backing file was changed")

    def restamp(self):
        """The header takes over the date of the backing file, or of one of the same content; nothing else changes."""
        disk = self.disk
        if not disk.backing or os.path.getsize(disk.backing) != disk.size:
            return
        path, moved = self.path("restamped.cow"), self.path("moved.img")
        clone(disk.image, path)
        clone(disk.backing, moved)
        date = disk.mtime + 1000
        os.utime(moved, ns=(date * 10**9, date * 10**9 + 5))
        before, under = state(path), state(moved)
        self.cowtui("rebase", "-q", "--yes", *self.backing, "--to", "moved.img", "--restamp", path)
        self.is_same_cow(path, moved, date)
        self.opens(path)
        self.undone(path, before)
        self.cowtui("rebase", "-q", "--yes", "--restamp", "-b", moved, path)
        expect(state(moved) == under, "restamp has changed the backing file")
        self.is_same_cow(path, moved, date, disk.stored)

    def is_same_cow(self, path, backing, date, stored=None):
        """The old bits in the old variant, or all of them in a v3."""
        head = read(path, 36)
        variant = "uml-cow-v3" if head[:8] == V3 and head[32:] != bytes(4) else self.disk.variant
        if variant == "uml-cow-v3":
            self.spoil("cow", path)
        image = Image(path, variant)
        got = Truth(path, variant, backing)
        want = date, stored or os.fsencode(backing)
        expect((image.mtime, image.path) == want, f"the header has {image.mtime, image.path} instead of {want}")
        same_sectors(got.dirty, self.truth.dirty, "restamp")
        same_bytes(got.disk, self.truth.disk, "restamp: the composed disk")

    def diff(self):
        self.diff_of("diff.cow", [], pages_that_differ)

    def diff_sectors(self):
        self.diff_of("fine.cow", ["--sectors"], sectors_that_differ)

    def diff_of(self, name, options, differing):
        rng = self.rng(name)
        base, raw, path, back = (self.path(name + end) for end in (".base", ".want", "", ".raw"))
        size = disks.pick_size(rng, 1)
        disks.write_raw(rng, base, size, rng.randrange(10**9, 2 * 10**9) * 10**9 + rng.randrange(10**9))
        under = read(base)
        want = disks.vary_raw(rng, raw, under, 10**18)
        before = state(base), state(raw)
        self.cowtui("diff", "-q", *options, "-o", path, base, raw)
        expect((state(base), state(raw)) == before, "diff has changed what it reads")
        image = self.is_cow(path, want, base, differing(under, want), name, {os.fsencode(base)})
        expect(image.mtime == int(os.stat(base).st_mtime), f"diff writes the date {image.mtime}")
        self.opens(path)
        self.cowtui("merge", "-q", "-o", back, path)
        self.is_raw(back, want, "diff and merge")

    def chain(self):
        """One change upon another, and one undo."""
        if not self.disk.backing or self.doubtful():
            return
        path, rng = self.path("chain.cow"), self.rng("chain")
        clone(self.disk.image, path)
        now, backing, stored, named = self.truth, self.disk.backing, self.stored(), self.backing
        before, changed = state(path), False
        for step in rng.sample(["pages", "compact", "sectors", "rebase"], 3):
            before = state(path)
            want, words = {
                "pages": (now.after_pages, ["pages"]),
                "compact": (now.after_compact, ["compact", "--force=larger"]),
                "sectors": (now.after_compact_sectors, ["compact", "--sectors"]),
                "rebase": (lambda now=now: now.dirty, ["rebase", "--to", self.moved(backing)]),
            }[step]
            self.cowtui(words[0], "-q", "--yes", *named, *words[1:], path)
            if step == "rebase":
                backing, stored, named = words[2], {os.fsencode(words[2])}, []
            changed = state(path) != before
            if not changed:
                same_sectors(now.dirty, want(), f"chain: {step} has done nothing")
                continue
            self.is_cow(path, self.truth.disk, backing, want(), f"chain: {step}", stored, step != "rebase")
            now = Truth(path, "uml-cow-v3", backing)
        if changed:
            self.undone(path, before)

    def moved(self, backing):
        path = self.path("moved-" + os.path.basename(backing))
        clone(backing, path)
        return path

    def merge_in_place(self):
        """On copies of both files, for this one writes to the backing file. A date of the future is refused: the new
        one has to be later still."""
        if not self.disk.backing:
            return
        path, backing = self.path("placed.cow"), self.path("placed.img")
        clone(self.disk.image, path)
        clone(self.disk.backing, backing)
        old_date = self.date_now(path, backing)
        words = ["merge", "--in-place", "-q", "--yes", "-b", backing, path]
        before = state(path), state(backing)
        code, _, said = self.cowtui(*words, codes=(0, 3))
        if code == 3:
            expect((state(path), state(backing)) == before, "merge --in-place was refused, and something has changed")
            late = "future" in said and old_date > time.time()
            expect(self.doubtful() or late, f"merge --in-place was refused: {said.strip()}")
            if late or os.path.getsize(backing) != self.disk.size:
                return
            code, _, said = self.cowtui("merge", "--force", *words[1:], codes=(0, 3))
            if code == 3:
                expect("future" in said, f"merge --in-place --force was refused: {said.strip()}")
                return
        expect(os.path.getsize(self.disk.backing) == self.disk.size, "merge --in-place took a file of another size")
        if (state(path), state(backing)) == before:
            expect(not self.truth.dirty, "merge --in-place has done nothing")
            return
        self.is_placed(path, backing, old_date)

    def date_now(self, path, backing):
        """Some backing files are as young as can be: the new date must differ all the same."""
        rng = self.rng("date")
        if self.doubtful() or rng.random() < 0.75:
            return self.disk.mtime
        now = int(time.time()) + rng.choice([0, 0, 1])
        os.utime(backing, ns=(now * 10**9, now * 10**9 + rng.randrange(10**9)))
        order, at = VARIANTS[self.disk.variant][0], VARIANTS[self.disk.variant][3]
        with open(path, "r+b") as f:
            f.seek(at)
            f.write(struct.pack(order + "I", now))
        return now

    def is_placed(self, path, backing, old_date):
        self.spoil("raw", backing, self.disk.size)
        same_bytes(read(backing), self.truth.disk, "the backing file after merge --in-place")
        _, out, _ = self.cowtui("info", "--json", "-b", backing, path)
        info = json.loads(out)
        image = Image(path, info["format"])
        expect(not image.dirty(), f"merge --in-place leaves dirty sectors: {ranges(image.dirty())}")
        expect(image.mtime == int(os.stat(backing).st_mtime), "merge --in-place: the dates differ")
        expect(image.mtime != old_date, "merge --in-place leaves the date: siblings would not notice")
        expect(image.size == self.disk.size, f"merge --in-place: the size is {image.size}")
        expect(info["uml"]["opens"], f"merge --in-place: UML would refuse it: {info['uml']['reason']}")
        after = state(path), state(backing)
        self.cowtui("undo", "-q", "--yes", path, codes=(3,))
        expect((state(path), state(backing)) == after, "undo after merge --in-place was refused, and changed something")


OPERATIONS = [
    Operations.facts,
    Operations.merge,
    Operations.uml_moo,
    Operations.scan,
    Operations.compact,
    Operations.compact_sectors,
    Operations.complete_pages,
    Operations.convert,
    Operations.rebase_safe,
    Operations.rebase_sectors,
    Operations.restamp,
    Operations.diff,
    Operations.diff_sectors,
    Operations.chain,
    Operations.merge_in_place,
]

# What is spoiled in which operation's result, to see that it is noticed.
DAMAGES = [
    (Operations.merge, ["raw-byte", "raw-length", "backing-byte", "backing-date"]),
    (Operations.uml_moo, ["raw-byte"]),
    (Operations.scan, ["map-origin", "backing-date"]),
    (Operations.compact, ["cow-bit", "cow-byte", "cow-path", "undo-byte", "backing-byte", "backing-date"]),
    (Operations.compact_sectors, ["cow-bit", "cow-byte"]),
    (Operations.complete_pages, ["cow-bit", "cow-byte", "undo-byte"]),
    (Operations.convert, ["cow-bit", "cow-byte", "cow-path"]),
    (Operations.rebase_safe, ["cow-bit", "cow-byte", "cow-path", "undo-byte"]),
    (Operations.rebase_sectors, ["cow-bit"]),
    (Operations.restamp, ["cow-bit", "cow-path", "undo-byte"]),
    (Operations.diff, ["cow-bit", "cow-byte", "raw-byte"]),
    (Operations.diff_sectors, ["cow-bit"]),
    (Operations.chain, ["cow-bit", "undo-byte"]),
    (Operations.merge_in_place, ["raw-byte"]),
]

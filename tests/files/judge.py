# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs `cowtui files` on an image and holds each answer against the oracle. What is wrong raises Wrong."""
import hashlib
import json
import os
import subprocess

from oracle import NO_BLOCK, OF_FILES, SECTOR, Dirty, changes_of, escape
from scene import ENVIRONMENT

LIMIT_SECONDS = 60 * float(os.environ.get("TIME_SCALE") or 1)
FIELDS = {
    "": {"files", "classes", "volumes", "table", "dirty_bytes", "damage"},
    "files": {"path", "kind", "changed_bytes", "size_bytes", "type", "inode", "partition", "from", "content_differs"},
    "classes": {"class", "changed_bytes"},
    "volumes": {"partition", "start", "length", "type", "readable", "used_bytes", "minimum_bytes", "clean",
                "needs_recovery", "block_bytes", "size_bytes"},
    "owner": {"class", "path", "inode", "file_offset", "start", "length", "dirty", "partition"},
}  # fmt: skip


class Wrong(Exception):
    pass


def expect(good, text):
    if not good:
        raise Wrong(text)


def same(what, got, want):
    expect(got == want, f"{what}: {got!r} instead of {want!r}")


def read_dirty(cow, layout, size):
    """The dirty sectors, as byte ranges of the disk, by the bitmap of a v3; holes of the file are not read."""
    ranges = []
    with open(cow, "rb") as file:
        at, end = layout["bitmap_offset"], layout["bitmap_offset"] + layout["bitmap_bytes"]
        begin = at
        while at < end:
            try:
                at = max(at, os.lseek(file.fileno(), at, os.SEEK_DATA))
            except OSError:
                break
            data = os.pread(file.fileno(), min(4096, end - at), at) if at < end else b""
            for n, byte in enumerate(data):
                for bit in range(8) if byte else ():
                    first = ((at - begin + n) * 8 + bit) * SECTOR
                    if byte >> bit & 1 and first < size:
                        if ranges and ranges[-1][1] == first:
                            ranges[-1][1] = min(first + SECTOR, size)
                        else:
                            ranges.append([first, min(first + SECTOR, size)])
            at += len(data) or 4096
    return Dirty([tuple(pair) for pair in ranges])


def add_dirty(cow, raw, layout, sectors):
    """Puts these sectors into the COW, with what the disk has there anyway."""
    with open(cow, "r+b") as file, open(raw, "rb") as source:
        info = os.fstat(file.fileno())
        for sector in sectors:
            place = layout["bitmap_offset"] + sector // 8
            byte = os.pread(file.fileno(), 1, place) or b"\0"
            os.pwrite(file.fileno(), bytes([byte[0] | 1 << sector % 8]), place)
            data = os.pread(source.fileno(), SECTOR, sector * SECTOR)
            os.pwrite(file.fileno(), data, layout["data_offset"] + sector * SECTOR)
        os.utime(file.fileno(), ns=(info.st_atime_ns, info.st_mtime_ns))


class Judge:
    """`pairs`: (base, new) Filesystems of each readable volume; `elsewhere(offset)`: the classes that a byte
    outside of them may have."""

    def __init__(self, binary, cow, backing, raw, pairs, elsewhere):
        self.binary, self.cow, self.backing, self.raw = binary, cow, backing, raw
        self.pairs, self.elsewhere = pairs, elsewhere
        info = json.loads(self.cowtui("info", "--json", cow))
        self.layout, self.usage, self.size = info["layout"], info["usage"], info["size_bytes"]
        self.dirty = read_dirty(cow, self.layout, self.size)
        self.changes = [changes_of(base, new) for base, new in pairs]
        self._report = None
        self.spoil = None  # self-test: changes a report before it is judged

    # ---- running -----------------------------------------------------------------------------------------

    def cowtui(self, *words, codes=(0,), both=False):
        try:
            done = subprocess.run([self.binary, *words], stdin=subprocess.DEVNULL, capture_output=True,
                                  timeout=LIMIT_SECONDS, env={**os.environ, **ENVIRONMENT})
        except subprocess.TimeoutExpired:
            raise Wrong(f"{' '.join(map(str, words))}: does not end") from None
        said = done.stderr.decode("utf-8", "replace").strip()
        expect(done.returncode in codes, f"{words[0]}: exit {done.returncode} instead of {codes}: {said[-300:]}")
        return done.stdout + done.stderr if both else done.stdout

    def report(self):
        if self._report is None:
            self._report = json.loads(self.cowtui("files", "--json", self.cow))
        report = json.loads(json.dumps(self._report))
        for item in report["files"] + report["volumes"]:
            item["partition"] = item["partition"] or 0  # null: the whole disk
        if self.spoil:
            self.spoil(report)
        return report

    def owner(self, offset):
        answer = json.loads(self.cowtui("files", "--owner", str(offset), "--json", self.cow))
        if self.spoil:
            self.spoil(answer)
        same(f"fields of the owner of {offset}", FIELDS["owner"] - set(answer), set())
        return answer

    def listed_owners(self):
        answers = json.loads(self.cowtui("files", "--owners", "--json", self.cow))
        for answer in answers:
            if self.spoil:
                self.spoil(answer)
            same("fields of an owner that is listed", FIELDS["owner"] - set(answer), set())
        return answers

    # ---- the report --------------------------------------------------------------------------------------

    def check_fields(self):
        report = self.report()
        same("fields that are not there", FIELDS[""] - set(report), set())
        for part in ("files", "classes", "volumes"):
            for item in report[part]:
                same(f"fields of {part} that are not there", FIELDS[part] - set(item), set())
        expect(not report["damage"], f"damage is told of: {report['damage']}")

    def listed(self, partition):
        """{path: entry} of a volume."""
        out = {}
        for entry in self.report()["files"]:
            if entry["partition"] == partition:
                expect(entry["path"] not in out, f"{entry['path']} is told twice")
                out[entry["path"]] = entry
        return out

    def expected(self, n):
        """({path: Change}, {inode: dirty bytes}) of a pair"""
        dirty = {}
        for (classes, inode), n_bytes in self.dirty.by_owner(self.pairs[n][1]).items():
            if classes <= OF_FILES:
                dirty[inode] = dirty.get(inode, 0) + n_bytes
        return self.changes[n], dirty

    @staticmethod
    def told_elsewhere(change, new, got):
        """A file with several names is told of once, if it is not the names that have changed."""
        names = [escape(path) for path in new.names(change.inode)]
        return change.kind in ("content", "metadata") and any(got.get(name) == change.kind for name in names)

    def check_kinds(self):
        for n, (_, new) in enumerate(self.pairs):
            found, dirty = self.expected(n)
            got = {path: entry["kind"] for path, entry in self.listed(new.partition).items()}
            want = {escape(path): change for path, change in found.items()}
            named = {escape(path): number for number in dirty for path in new.names(number)}
            covered = {named[path] for path in got if path in named}
            wrong = [f"{path}: {got.get(path, 'not told')} instead of {change.kind}" for path, change in want.items()
                     if got.get(path) != change.kind and not (path not in got and self.told_elsewhere(change, new, got))]
            wrong += [f"{path}: {kind}, but has not changed" for path, kind in got.items() if path not in want
                      and not (kind == "same" and path in named)]  # fmt: skip
            wrong += [f"{escape(new.names(number)[0])}: not told, though {n_bytes} bytes of it are in the COW"
                      for number, n_bytes in dirty.items() if number not in covered]
            expect(not wrong, "; ".join(wrong[:6]) + (f"; and {len(wrong) - 6} more" if len(wrong) > 6 else ""))

    def check_details(self):
        for n, (_, new) in enumerate(self.pairs):
            found, dirty = self.expected(n)
            listed, sums = self.listed(new.partition), {}
            paths = {escape(path): inode for path, inode in new.paths.items()}
            for path, entry in listed.items():
                inode = paths.get(path)
                if entry["kind"] != "removed" and inode:
                    sums[inode.number] = sums.get(inode.number, 0) + entry["changed_bytes"]
                    same(f"inode of {path}", entry["inode"], inode.number)
                    same(f"type of {path}", entry["type"], inode.type)
                    same(f"size of {path}", entry["size_bytes"], inode.size)
            same("changed bytes by inode", {number: n for number, n in sums.items() if n},
                 {number: n for number, n in dirty.items() if new.by_inode.get(number)})  # fmt: skip
            for path, change in found.items():
                if escape(path) in listed:
                    self.check_one(listed[escape(path)], change, bool(new.ext.inodes[2].created))

    @staticmethod
    def check_one(entry, change, born):
        """born: inodes have a date of birth; else a number that is used again looks like a file that was moved."""
        path = escape(change.path)
        same(f"type of {path}", entry["type"], change.type)
        same(f"size of {path}", entry["size_bytes"], change.size)
        same(f"inode of {path}", entry["inode"], change.inode)
        if change.source is not None and born:
            same(f"old name of {path}", entry["from"], escape(change.source))
            if change.type != "directory":
                same(f"content_differs of {path}", entry["content_differs"], change.content_differs)
        elif born:
            same(f"old name of {path}", entry["from"], None)
        if change.kind == "removed":
            same(f"changed bytes of {path}, which is gone", entry["changed_bytes"], 0)

    def check_sums(self):
        report = self.report()
        classes = {item["class"]: item["changed_bytes"] for item in report["classes"]}
        sectors = self.usage["dirty_sectors"] * SECTOR
        same("sum of the classes", sum(classes.values()), sectors)
        same("dirty_bytes", report["dirty_bytes"], sectors)
        of_files = sum(n_bytes for name, n_bytes in classes.items() if name in OF_FILES)
        same("sum of the files", sum(entry["changed_bytes"] for entry in report["files"]), of_files)

    def check_classes(self):
        classes = {item["class"]: item["changed_bytes"] for item in self.report()["classes"]}
        want = {}
        for first, end in self.dirty.ranges:
            at = first
            while at < end:
                options, step = self.classes_at(at, end)
                want[options] = want.get(options, 0) + step
                at += step
        for options, n_bytes in want.items():
            if len(options) == 1 and not any(options < other for other in want):
                name = next(iter(options))
                same(f"class {name}", classes.get(name, 0), n_bytes)
        allowed = set().union(*want) if want else set()
        same("other classes", {name for name, n_bytes in classes.items() if n_bytes} - allowed, set())

    def classes_at(self, at, end):
        for _, new in self.pairs:
            if new.start <= at < new.start + new.size:
                owner = new.owner(at - new.start)
                return owner.classes, min(owner.end + new.start, end, new.start + new.size) - at
        return self.elsewhere(at), SECTOR

    # ---- owners ------------------------------------------------------------------------------------------

    def check_owners(self, rng, limit):
        """Every dirty stretch, piece by piece; where there are very many, as many of them as `limit`."""
        ranges, asked = list(self.dirty.ranges), 0
        rng.shuffle(ranges)
        for first, end in ranges:
            at = first + (rng.randrange(SECTOR) if rng.random() < 0.3 else 0)
            while at < end and asked < limit:
                at = self.check_owner(at)
                asked += 1
        for _ in range(10):
            self.check_owner(rng.randrange(self.size))

    def check_listed(self):
        """The list of --owners goes through all that is dirty, in order, and each piece of it is right."""
        ranges, at = list(self.dirty.ranges), None
        for got in self.listed_owners():
            start, end = got["start"], got["start"] + got["length"]
            expect(at is not None or ranges, f"an owner of {start} is listed, where nothing is dirty")
            first, stop = (at, ranges[0][1]) if at is not None else ranges[0]
            same("the start of the next piece", start, first)
            expect(first < end <= stop, f"the piece from {start} ends at {end}, the dirty ones at {stop}")
            same(f"owner of {start}: dirty", got["dirty"], True)
            for place in {start, end - 1, (start + end) // 2}:
                self.same_owner(place, got, start)
            at = end if end < stop else None
            if at is None:
                ranges.pop(0)
        same("dirty stretches that are not listed", ranges, [])

    def check_owner(self, at):
        """Answers where the next one begins."""
        got = self.owner(at)
        start, end = got["start"], got["start"] + got["length"]
        expect(start <= at < end, f"the owner of {at} goes from {start} to {end}")
        dirty = any(first <= at < stop for first, stop in self.dirty.ranges)
        same(f"owner of {at}: dirty", got["dirty"], dirty)
        for place in {at, start, end - 1, (start + end) // 2}:
            self.same_owner(place, got, start)
        return end

    def same_owner(self, place, got, start):
        what = f"owner of byte {place}"
        classes, _ = self.classes_at(place, place + 1)
        expect(got["class"] in classes, f"{what}: class {got['class']} instead of {'/'.join(sorted(classes))}")
        for _, new in self.pairs:
            if new.start <= place < new.start + new.size:
                owner = new.owner(place - new.start)
                break
        else:
            return
        same(f"{what}: partition", got["partition"] or 0, new.partition)
        if owner.classes <= OF_FILES:
            same(f"{what}: inode", got["inode"], owner.inode)
            names = [escape(path) for path in new.names(owner.inode)]
            expect(got["path"] in names, f"{what}: path {got['path']} instead of {names}")
        else:
            same(f"{what}: path", got["path"], None)
        if owner.file_offset != NO_BLOCK and owner.classes <= OF_FILES:
            # start is of the disk, and lies in the same stretch: their distances are equal
            same(f"{what}: file offset of its first byte", got["file_offset"],
                 owner.file_offset + start - new.start - owner.first)  # fmt: skip

    # ---- content -----------------------------------------------------------------------------------------

    def check_extract(self, rng, scratch, count=12):
        for changes, (base, new) in zip(self.changes, self.pairs):
            for side, filesystem in (("cow", new), ("backing", base)):
                files = sorted(path for path, inode in filesystem.paths.items() if inode.type == "file")
                changed = [path for path in files if path in changes]
                for path in rng.sample(changed, min(count, len(changed))) + rng.sample(files, min(5, len(files))):
                    self.extract(filesystem, side, path, scratch)

    def extract(self, filesystem, side, path, scratch):
        words = ["files", "--extract", path, "-q", "-f", "-o", scratch]
        words += ["--from", "backing"] if side == "backing" else []
        words += ["--partition", str(filesystem.partition)] if filesystem.partition else []
        self.cowtui(*words, self.cow)
        with open(scratch, "rb") as file:
            got = file.read()
        os.unlink(scratch)
        if self.spoil:
            got = got[:-1] + b"?"
        want = filesystem.ext.content(filesystem.paths[path])
        expect(hashlib.sha256(got).digest() == hashlib.sha256(want).digest(),
               f"{escape(path)} of the {side}: {len(got)} bytes, other than the {len(want)} that it has")  # fmt: skip

    # ---- text --------------------------------------------------------------------------------------------

    def check_text(self):
        """Nothing that a terminal would obey."""
        said = self.cowtui("files", self.cow, both=True)
        text = said.decode("utf-8", "strict")
        printable = escape(text.replace("\n", "").encode()).replace("\\\\", "\\")
        same("raw bytes in the text", [text for text in (text.replace("\n", ""),) if text != printable], [])

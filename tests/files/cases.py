# SPDX-License-Identifier: GPL-3.0-or-later
"""The cases of the suite: which filesystems there are, and what is checked of each."""
import hashlib
import os
import random
import re
import subprocess

import disks
from judge import ENVIRONMENT, Judge, Wrong, add_dirty, expect, read_dirty, same
from kernel import KernelScene
from many import Many
from oracle import Filesystem, changes_of
from peer import expect_same, reader_is_right
from scene import MIB, Scene, run

TIB = 1 << 40
PAGE = 4096
SINGLE = {
    "ext2-1k": ("-t ext2 -b 1024", 8 * MIB),
    "ext2-old-inodes": ("-t ext2 -b 4096 -I 128", 8 * MIB),
    "ext3-1k": ("-t ext3 -b 1024", 8 * MIB),
    "ext3-4k": ("-t ext3 -b 4096", 16 * MIB),
    "ext4-1k": ("-t ext4 -b 1024", 8 * MIB),
    "ext4-4k": ("-t ext4 -b 4096", 16 * MIB),
    "ext4-2k-no-journal": ("-t ext4 -b 2048 -O ^has_journal", 12 * MIB),
    "ext4-4k-no-journal": ("-t ext4 -b 4096 -O ^has_journal", 8 * MIB),
    "ext4-no-checksums": ("-t ext4 -b 1024 -O ^64bit,^metadata_csum,uninit_bg", 24 * MIB),
    "ext4-no-64bit": ("-t ext4 -b 4096 -O ^64bit", 8 * MIB),
    "bigalloc-1k": ("-t ext4 -b 1024 -O bigalloc -C 8192", 12 * MIB),
    "bigalloc-4k": ("-t ext4 -b 4096 -O bigalloc -C 16384", 16 * MIB),
    "inline-data": ("-t ext4 -b 1024 -O inline_data", 8 * MIB),
    "meta-bg": ("-t ext4 -b 1024 -O meta_bg,^resize_inode -g 256", 8 * MIB),
    "many-groups": ("-t ext4 -b 1024 -O ^flex_bg -g 1024", 12 * MIB),
    "sparse-super2": ("-t ext4 -b 1024 -O sparse_super2 -g 1024", 12 * MIB),
    "quota-and-orphan-file": ("-t ext4 -b 1024 -O quota,project,orphan_file", 8 * MIB),
    "debian-13": ("-t ext4 -b 4096 -O metadata_csum_seed,orphan_file", 16 * MIB),
    "one-tebibyte": ("-t ext4 -b 4096 -T largefile4 -J size=4", TIB),
}
KERNEL = {  # changed by the kernel of this machine
    "kernel-1k": ("-t ext4 -b 1024", 12 * MIB),
    "kernel-4k": ("-t ext4 -b 4096", 16 * MIB),
    "kernel-ext3": ("-t ext3 -b 1024", 12 * MIB),
    "kernel-ext2": ("-t ext2 -b 4096", 12 * MIB),
    "kernel-inline": ("-t ext4 -b 1024 -O inline_data", 12 * MIB),
    "kernel-crashed": ("-t ext4 -b 4096", 16 * MIB),
}
TABLES = {"mbr": disks.mbr, "gpt": disks.gpt}
CASES = [*SINGLE, "many", *TABLES, *KERNEL]


# ---- the self-test: what a wrong program would say ---------------------------------------------------------


def item_of(report, part, **wanted):
    if part not in report:
        return {}
    return next(item for item in report[part] if all(item[key] == value for key, value in wanted.items()))


def spoil_file(key, value, **wanted):
    def spoil(report):
        item_of(report, "files", **wanted)[key] = value

    return spoil


def spoil_more(part, key, **wanted):
    def spoil(report):
        item = item_of(report, part, **wanted)
        item[key] = item.get(key, 0) + 512

    return spoil


def drop_file(report):
    report["files"] = [entry for entry in report["files"] if entry["path"] != "/gone"]


def spoil_owner(key, change):
    def spoil(answer):
        if key in answer and answer.get("class") == "file":
            answer[key] = change(answer[key])

    return spoil


def free_for_file(answer):
    if answer.get("class") == "free":
        answer["class"] = "file"


def spoil_volume(report):
    report["volumes"][0]["minimum_bytes"] += 1024


DAMAGES = {
    "spoilt-kind": ("kinds", spoil_file("kind", "content", path="/mode")),
    "spoilt-missing": ("kinds", drop_file),
    "spoilt-same": ("kinds", spoil_file("kind", "same", path="/overwritten")),
    "spoilt-size": ("details", spoil_file("size_bytes", 1, path="/new")),
    "spoilt-from": ("details", spoil_file("from", "/gone", path="/to/new-name")),
    "spoilt-differs": ("details", spoil_file("content_differs", False, path="/new-name-too")),
    "spoilt-inode": ("details", spoil_file("inode", 3, path="/new")),
    "spoilt-bytes": ("details", spoil_more("files", "changed_bytes", path="/overwritten")),
    "spoilt-sum": ("sums", spoil_more("files", "changed_bytes", path="/overwritten")),
    "spoilt-class": ("classes", spoil_more("classes", "changed_bytes", **{"class": "free"})),
    "spoilt-owner-inode": ("owners", spoil_owner("inode", lambda inode: inode + 1)),
    "spoilt-owner-path": ("owners", spoil_owner("path", lambda path: path + "x")),
    "spoilt-owner-offset": ("owners", spoil_owner("file_offset", lambda offset: offset + 512)),
    "spoilt-owner-length": ("owners", spoil_owner("length", lambda length: length + 4096)),
    "spoilt-owner-class": ("owners", free_for_file),
    "spoilt-listed-inode": ("listed", spoil_owner("inode", lambda inode: inode + 1)),
    "spoilt-listed-length": ("listed", spoil_owner("length", lambda length: length - 512)),
    "spoilt-listed-start": ("listed", spoil_owner("start", lambda start: start + 512)),
    "spoilt-minimum": ("volumes", spoil_volume),
    "spoilt-content": ("extract", lambda report: None),
}


# ---- a case ------------------------------------------------------------------------------------------------


def digest(path):
    """Of what is no hole, and of size and date; a disk of 1 TiB has little of it."""
    total = hashlib.sha256()
    with open(path, "rb") as file:
        info, at = os.fstat(file.fileno()), 0
        while True:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:
                break
            end = os.lseek(file.fileno(), at, os.SEEK_HOLE)
            while at < end:
                data = os.pread(file.fileno(), min(end - at, MIB), at)
                if any(data):
                    total.update(b"%d" % at + data)
                at += len(data)
    return total.hexdigest(), info.st_size, info.st_mtime_ns


class Case:
    def __init__(self, binary, name, directory, seed, many):
        self.binary, self.name, self.directory = binary, name, directory
        self.seed, self.many = seed, many
        self.rng = random.Random(f"{seed} {name}")
        self.damage = DAMAGES.get(name)
        self.crashed = name == "kernel-crashed"

    def path(self, name):
        return os.path.join(self.directory, name)

    def checks(self):
        """(name, function) in their order."""
        yield "made", self.make
        if self.damage:
            yield "notices", self.notices
            return
        if not self.crashed:
            yield "reader", self.reader
        yield "image", self.judge
        for name in ("fields", "kinds", "details", "sums", "classes", "text"):
            yield name, lambda name=name: getattr(self.judged, "check_" + name)()
        yield "owners", self.owners
        yield "owners, listed", self.listed
        yield "extract", self.extract
        yield "volumes", self.volumes
        yield "unused", self.refused if self.crashed else self.unused
        yield "sources", self.sources

    # ---- making ------------------------------------------------------------------------------------------

    def make(self):
        """Scenes, and the disk of them; what the oracle finds must be what the scripts did."""
        self.disk = self.make_disk()
        opened = [open(path, "rb") for path in (self.disk.base, self.disk.new)]
        self.pairs = [tuple(Filesystem(file, start, partition) for file in opened)
                      for start, partition in self.disk.places]
        for scene, (base, new) in zip(self.disk.scenes, self.pairs):
            found = {path: change.kind for path, change in changes_of(base, new).items()}
            if self.crashed:
                continue  # what the journal holds has not come to its place
            self.forgive(scene, found, base)
            why = expect_same("oracle and script", found, scene.told)
            expect(why is None, why)

    def make_disk(self):
        if self.name in TABLES:
            return TABLES[self.name](self.directory, self.seed)
        options, size = SINGLE.get(self.name, SINGLE["ext4-1k"])
        if self.name in KERNEL:
            options, size = KERNEL[self.name]
            scene = KernelScene(self.directory, self.name, options.split(), size, self.seed, self.crashed)
        elif self.name == "many":
            scene = Many(self.directory, self.name, self.many, self.seed)
        else:
            scene = Scene(self.directory, self.name, options.split(), size, self.seed)
        scene.build()
        return disks.Disk(scene.base, scene.new, [scene], [(0, 0)], disks.outside)

    @staticmethod
    def forgive(scene, found, base):
        """An inode number that is used again at once, which nobody can tell without a date of birth."""
        if not base.ext.inodes[2].created and scene.told.get(b"/replaced-in-place") == "replaced":
            found[b"/replaced-in-place"] = "replaced"

    def reader(self):
        for scene, (base, new) in zip(self.disk.scenes, self.pairs):
            for image, filesystem in ((scene.base, base), (scene.new, new)):
                why = reader_is_right(image, filesystem, self.path("dump"), self.rng)
                expect(why is None, f"the suite's own reader: {why}")

    def judge(self):
        """The image, with more sectors in it than have changed: some of each class."""
        cow = self.path("x.cow")
        words = ["diff", "-q", "-o", cow, self.disk.base, self.disk.new]
        subprocess.run([self.binary, *words], stdin=subprocess.DEVNULL, check=True, capture_output=True)
        self.before = {path: digest(path) for path in (self.disk.base, self.disk.new)}
        judged = Judge(self.binary, cow, self.disk.base, self.disk.new, self.pairs, self.disk.elsewhere)
        add_dirty(cow, self.disk.new, judged.layout, self.more_sectors())
        self.judged = Judge(self.binary, cow, self.disk.base, self.disk.new, self.pairs, self.disk.elsewhere)
        self.before[cow] = digest(cow)

    def more_sectors(self):
        sectors = set()
        for _, new in self.pairs:
            by_class = {}
            for stretch in new.owned:
                by_class.setdefault(stretch[2], []).append(stretch)
            for stretches in by_class.values():
                for first, end, *_ in self.rng.sample(stretches, min(5, len(stretches))):
                    at = self.rng.randrange(new.start + first * new.ext.block, new.start + end * new.ext.block)
                    sectors |= {at // 512, at // 512 + self.rng.randrange(3)}
        sectors |= {self.rng.randrange(os.path.getsize(self.disk.new) // 512) for _ in range(10)}
        return sorted(sector for sector in sectors if sector < os.path.getsize(self.disk.new) // 512)

    # ---- what is checked here ----------------------------------------------------------------------------

    def owners(self):
        """Of every piece that is in the COW; where each answer takes long, of some."""
        limit = 60 if self.name == "one-tebibyte" else 1000
        self.judged.check_owners(random.Random(self.seed), limit)

    def listed(self):
        self.judged.check_listed()

    def extract(self):
        self.judged.check_extract(random.Random(self.seed), self.path("extracted"))

    def volumes(self):
        report = self.judged.report()
        same("table", report["table"] or "", self.disk.table)
        told = {volume["partition"]: volume for volume in report["volumes"]}
        for scene, (_, new) in zip(self.disk.scenes, self.pairs):
            volume, ext = told[new.partition], new.ext
            want = {"start": new.start, "readable": True, "block_bytes": ext.block, "size_bytes": new.size,
                    "used_bytes": (ext.n_blocks - ext.free_blocks) * ext.block, "clean": not self.crashed,
                    "needs_recovery": self.crashed, "type": scene.type}  # fmt: skip
            if not self.crashed:
                said = run("resize2fs", "-P", scene.new).decode()
                least = int(re.search(r"minimum size of the filesystem: (\d+)", said)[1])
                want["minimum_bytes"] = least * ext.block
            same(f"partition {new.partition}", {key: volume[key] for key in want}, want)
        for partition, kind in self.disk.others.items():
            same(f"type of partition {partition}", told[partition]["type"] or "", kind)
            same(f"partition {partition} is readable", told[partition]["readable"], False)

    def fsck(self, raw):
        """What e2fsck says of each filesystem of a disk."""
        said = []
        for start, _ in self.disk.places:
            name = raw if start == 0 else f"{raw}?offset={start}"
            done = subprocess.run(["e2fsck", "-fn", name], capture_output=True, env=ENVIRONMENT, check=False)
            said.append((done.returncode, done.stdout.decode("utf-8", "replace").replace(raw, "RAW")))
        return said

    def unused(self):
        """compact --unused: no file changes, and no page that is free as a whole stays in the COW."""
        small, raw = self.path("small.cow"), self.path("small.raw")
        self.judged.cowtui("compact", "--unused", "-q", "-y", "-o", small, self.judged.cow)
        self.judged.cowtui("merge", "-q", "-o", raw, small)
        same("e2fsck", self.fsck(raw), self.fsck(self.disk.new))
        dirty = read_dirty(small, self.judged_layout(small), self.judged.size)
        with open(raw, "rb") as file:
            for _, new in self.pairs:
                after = Filesystem(file, new.start, new.partition)
                same("other files after it", changes_of(new, after), {})
                same("superblock after it", after.ext.superblock, new.ext.superblock)
        for first, end in dirty.ranges:
            for page in range(first // PAGE * PAGE, end, PAGE):
                classes = {name for at in range(page, page + PAGE, 512) for name in self.judged.classes_at(at, at + 1)[0]}
                expect(classes != {"free"}, f"the page at {page} is free, and still in the COW")
        os.unlink(small)
        os.unlink(raw)

    def refused(self):
        """Blocks that the bitmap calls free may be in the journal."""
        small = self.path("small.cow")
        self.judged.cowtui("compact", "--unused", "-q", "-y", "-o", small, self.judged.cow, codes=(3,))
        expect(not os.path.exists(small), "compact --unused was refused, and has left an image")

    def judged_layout(self, cow):
        return Judge(self.binary, cow, self.disk.base, self.disk.new, [], disks.outside).layout

    def sources(self):
        for path, was in self.before.items():
            same(f"{os.path.basename(path)} after all", digest(path), was)

    # ---- self-test ---------------------------------------------------------------------------------------

    def notices(self):
        check, spoil = self.damage
        self.judge()
        self.judged.spoil = spoil
        run_check = {"owners": self.owners, "listed": self.listed, "extract": self.extract, "volumes": self.volumes}.get(check)
        try:
            (run_check or getattr(self.judged, "check_" + check))()
        except Wrong:
            return
        raise Wrong(f"{check} does not notice it")

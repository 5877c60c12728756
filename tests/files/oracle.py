# SPDX-License-Identifier: GPL-3.0-or-later
"""What `cowtui files` has to say about two raw disks, worked out from the two disks alone (ext.py)."""
import bisect
from dataclasses import dataclass

from ext import NO_BLOCK, Ext

SECTOR = 512
OF_FILES = {"file", "directory", "symlink", "mapping", "xattr"}
DIRECTIONAL = {0x061C, 0x200E, 0x200F, 0xFEFF, *range(0x200B, 0x200E), *range(0x2028, 0x202F), *range(0x2066, 0x206A)}


def escape(path):
    """A name as text: control bytes, bidirectional marks and broken UTF-8 as \\xNN, a backslash doubled."""
    out, at = [], 0
    while at < len(path):
        for length in (1, 2, 3, 4):
            try:
                character = path[at : at + length].decode("utf-8")
            except UnicodeDecodeError:
                continue
            if len(character) == 1 and not 0 <= ord(character) < 0x20 and not 0x7F <= ord(character) < 0xA0:
                if ord(character) not in DIRECTIONAL:
                    out.append("\\\\" if character == "\\" else character)
                    at += length
                    break
        else:
            out.append(f"\\x{path[at]:02x}")
            at += 1
    return "".join(out)


@dataclass(frozen=True)
class Owner:
    """Of a byte of the filesystem, and how far it goes. `classes`: any of them is right."""

    classes: frozenset
    inode: int
    first: int
    end: int
    file_offset: int  # of `first`; NO_BLOCK: none
    rest: bool = False  # of a cluster that a file has not filled: in use, though nothing maps it


class Filesystem:
    """An Ext, and who owns each byte of it."""

    def __init__(self, file, start=0, partition=0):
        self.ext, self.start, self.partition = Ext(file, start), start, partition
        self.owned = self.ext.owners()
        self.firsts = [stretch[0] for stretch in self.owned]
        self.paths = self.ext.paths()
        self.by_inode = {}
        for path, inode in sorted(self.paths.items()):
            self.by_inode.setdefault(inode.number, []).append(path)

    @property
    def size(self):
        return self.ext.n_blocks * self.ext.block

    def owner(self, offset):
        """Of a byte; the answer is cut at the end of the stretch, and of the block where nobody owns it."""
        block, size = offset // self.ext.block, self.ext.block
        if offset < 1024:
            return Owner(frozenset({"boot"}), 0, 0, 1024, NO_BLOCK)
        if offset >= self.size:
            return Owner(frozenset({"outside"}), 0, self.size, 1 << 64, NO_BLOCK)
        at = bisect.bisect_right(self.firsts, block) - 1
        if at >= 0 and block < self.owned[at][1]:
            first, end, kind, inode, file_block = self.owned[at]
            place = NO_BLOCK if file_block == NO_BLOCK else file_block * size
            if block == 0:  # boot sector and superblock share it
                return Owner(frozenset({"superblock"}), 0, 1024, size, NO_BLOCK)
            return Owner(frozenset({kind}), inode, first * size, end * size, place)
        if self.ext.ratio > 1 and self.ext.in_use(block) and at >= 0:
            before = self.owned[at]
            if before[2] in OF_FILES | {"journal"} and (before[1] - 1) // self.ext.ratio == block // self.ext.ratio:
                kind = frozenset({before[2]})
                return Owner(kind, before[3], block * size, block * size + size, NO_BLOCK, True)
        free = "unowned" if self.ext.in_use(block) else "free"
        return Owner(frozenset({free}), 0, block * size, block * size + size, NO_BLOCK)

    def names(self, number):
        """All paths of an inode; one without any is "<123>"."""
        return self.by_inode.get(number, [b"<%d>" % number])

    def file(self, inode):
        """(type, content) of an inode; for a directory its entries."""
        if inode.type == "directory":
            return "directory", self.ext.entries(inode)
        return inode.type, self.ext.content(inode) if inode.type != "special" else inode.map_bytes[:8]

    def attributes(self, inode):
        xattrs = {name: value for name, value in self.ext.xattrs(inode).items() if name != b"\x07data"}
        flags = inode.flags & ~0x80000 & ~0x1000 & ~0x10000000  # extents, indexed, inline: how it is stored
        return inode.mode, inode.owner, inode.times, inode.links, flags, xattrs


@dataclass
class Change:
    kind: str
    path: bytes
    inode: int
    type: str
    size: int
    source: bytes = None  # renamed: from where
    content_differs: bool = False


def split(path):
    parent, _, name = path.rpartition(b"/")
    return parent or b"/", name


def changes_of(base, new):
    """{path: Change} of all that differs, "same" excepted. A child of a renamed directory has not changed: it is
    the same name in the same directory."""
    out = {}

    def entry(filesystem, path):
        parent, name = split(path)
        return filesystem.paths[parent].identity, name

    old_entries = {entry(base, path): path for path in base.paths if path != b"/"}
    gone = {}  # identity: path, of those whose name is not there any more
    new_entries = {entry(new, path): path for path in new.paths if path != b"/"}
    for key, path in old_entries.items():
        if key not in new_entries or new.paths[new_entries[key]].identity != base.paths[path].identity:
            gone.setdefault(base.paths[path].identity, []).append(path)
    pairs = [(b"/", b"/")] + [(old_entries.get(key), path) for key, path in new_entries.items()]
    for old_path, path in pairs:
        inode = new.paths[path]
        was = base.paths[old_path] if old_path is not None else None
        if was is not None and was.identity == inode.identity:
            kind = kind_of(base, was, new, inode)
            if kind:
                out[path] = Change(kind, path, inode.number, inode.type, inode.size)
            continue
        if gone.get(inode.identity):
            source = gone[inode.identity].pop(0)
            differs = kind_of(base, base.paths[source], new, inode) == "content"
            kind = "renamed" if was is None else "replaced"  # moved over another file
            out[path] = Change(kind, path, inode.number, inode.type, inode.size, source, differs)
        else:
            kind = "new" if was is None else "replaced"
            out[path] = Change(kind, path, inode.number, inode.type, inode.size)
    for paths in gone.values():
        for path in paths:
            inode = base.paths[path]
            if path not in new.paths:
                out[path] = Change("removed", path, inode.number, inode.type, inode.size)
    return out


def kind_of(base, old, new, inode):
    """What has become of an inode; None: nothing."""
    if old.size != inode.size and inode.type != "directory" or base.file(old) != new.file(inode):
        return "content"
    return "metadata" if base.attributes(old) != new.attributes(inode) else None


class Dirty:
    """The dirty sectors of an image, as byte ranges of the disk."""

    def __init__(self, ranges):
        self.ranges = ranges
        self.bytes = sum(end - first for first, end in ranges)

    def by_owner(self, filesystem):
        """{(classes, inode): bytes} within this filesystem's volume, whose end the caller has cut to."""
        out = {}
        for first, end in self.ranges:
            at, end = max(first - filesystem.start, 0), end - filesystem.start
            while at < end and at < filesystem.size:
                owner = filesystem.owner(at)
                step = min(owner.end, end, filesystem.size) - at
                key = owner.classes, owner.inode
                out[key] = out.get(key, 0) + step
                at += step
        return out

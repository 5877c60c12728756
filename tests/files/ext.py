# SPDX-License-Identifier: GPL-3.0-or-later
"""A second opinion on ext2, ext3 and ext4: a small reader, independent of src/ and of libext2fs.

It reads filesystems that are in order, as the kernel's documentation describes them, and nothing else: whatever
is odd is an assertion that fails. Who owns a block is told as a stretch (first, end, class, inode, file block);
the classes have the names that cowtui gives them."""
import struct

ROOT, RESIZE, JOURNAL = 2, 7, 8
NO_BLOCK = -1

COMPAT_JOURNAL, COMPAT_SPARSE2, COMPAT_ORPHAN_FILE = 0x4, 0x200, 0x1000
INCOMPAT_META_BG, INCOMPAT_64BIT, INCOMPAT_RECOVER = 0x10, 0x80, 0x4
RO_SPARSE, RO_GDT_CSUM, RO_BIGALLOC, RO_METADATA_CSUM = 0x1, 0x10, 0x200, 0x400
BG_INODE_UNINIT, BG_BLOCK_UNINIT = 1, 2
FLAG_EXTENTS, FLAG_EA_INODE, FLAG_INLINE = 0x80000, 0x200000, 0x10000000
TYPES = {0o100000: "file", 0o040000: "directory", 0o120000: "symlink"}
XATTR_MAGIC = 0xEA020000


def u16(data, at):
    return struct.unpack_from("<H", data, at)[0]


def u32(data, at):
    return struct.unpack_from("<I", data, at)[0]


def is_power(number, base):
    while number > 1 and number % base == 0:
        number //= base
    return number == 1


class Inode:
    def __init__(self, number, raw):
        self.number, self.raw = number, raw
        self.mode = u16(raw, 0)
        self.type = TYPES.get(self.mode & 0o170000, "special")
        self.size = u32(raw, 4) | u32(raw, 108) << 32
        self.links = u16(raw, 26)
        self.blocks_512 = u32(raw, 28)
        self.flags = u32(raw, 32)
        self.generation = u32(raw, 100)
        self.xattr_block = u32(raw, 104) | u16(raw, 118) << 32
        self.map_bytes = raw[40:100]
        extra = u16(raw, 128) if len(raw) > 128 else 0
        self.inline_xattrs = raw[128 + extra :] if len(raw) > 128 else b""
        self.created = raw[144:152] if extra >= 24 else b""
        # All but access time, number of blocks, map and checksums: what is "metadata" of a file.
        mtime_more = raw[136:140] if extra >= 12 else b""
        ctime_more = raw[132:136] if extra >= 8 else b""
        self.times = raw[12:16] + ctime_more, raw[16:20] + mtime_more
        self.owner = u16(raw, 2) | u16(raw, 120) << 16, u16(raw, 24) | u16(raw, 122) << 16

    @property
    def identity(self):
        return self.number, self.generation, self.created, self.mode & 0o170000


class Ext:
    """`file` is any binary file; the filesystem begins at `start` of it."""

    def __init__(self, file, start=0):
        self.file, self.start = file, start
        sb = self.superblock = self.bytes_at(1024, 1024)
        assert u16(sb, 56) == 0xEF53, "no ext filesystem"
        self.compat, self.incompat, self.ro_compat = u32(sb, 92), u32(sb, 96), u32(sb, 100)
        self.wide = bool(self.incompat & INCOMPAT_64BIT)
        self.block = 1024 << u32(sb, 24)
        self.ratio = (1 << u32(sb, 28) - u32(sb, 24)) if self.ro_compat & RO_BIGALLOC else 1
        self.n_blocks = u32(sb, 4) | (u32(sb, 336) << 32 if self.wide else 0)
        self.free_blocks = u32(sb, 12) | (u32(sb, 344) << 32 if self.wide else 0)
        self.first = u32(sb, 20)
        self.per_group = u32(sb, 32)
        self.inodes_per_group = u32(sb, 40)
        self.n_inodes = u32(sb, 0)
        self.first_inode = u32(sb, 84)
        self.inode_bytes = u16(sb, 88)
        self.descriptor_bytes = (u16(sb, 254) or 32) if self.wide else 32
        self.reserved_descriptors = u16(sb, 206)
        self.journal_inode = u32(sb, 224)
        self.quota_inodes = {u32(sb, at) for at in (0x240, 0x244, 0x26C)} - {0}
        self.orphan_file = u32(sb, 0x280) if self.compat & COMPAT_ORPHAN_FILE else 0
        self.backups = {u32(sb, 0x24C), u32(sb, 0x250)}
        self.first_meta_group = u32(sb, 260)
        self.n_groups = -(-(self.n_blocks - self.first) // self.per_group)
        self.table_blocks = -(-self.inodes_per_group * self.inode_bytes // self.block)
        per_block = self.descriptors_per_block = self.block // self.descriptor_bytes
        self.descriptor_blocks = -(-self.n_groups // per_block)
        self.groups = [self.descriptor(group) for group in range(self.n_groups)]
        self.inodes, self._owners, self._maps = {}, None, {}
        self.read_inodes()

    # ---- bytes -------------------------------------------------------------------------------------------

    def bytes_at(self, offset, n_bytes):
        self.file.seek(self.start + offset)
        data = self.file.read(n_bytes)
        return data + bytes(n_bytes - len(data))

    def block_at(self, block):
        return self.bytes_at(block * self.block, self.block)

    # ---- groups ------------------------------------------------------------------------------------------

    def first_of(self, group):
        return self.first + group * self.per_group

    def super_of(self, group):
        """Where its copy of the superblock lies; with blocks of 1 KiB the first is always in block 1."""
        return self.first_of(group) + (group == 0 and self.block == 1024 and self.first == 0)

    def has_super(self, group):
        if group == 0:
            return True
        if self.compat & COMPAT_SPARSE2:
            return group in self.backups
        if self.ro_compat & RO_SPARSE:
            return group == 1 or any(is_power(group, base) for base in (3, 5, 7))
        return True

    def old_descriptors(self):
        """Blocks of descriptors that follow each superblock (the others are in their own meta group)."""
        return self.first_meta_group if self.incompat & INCOMPAT_META_BG else self.descriptor_blocks

    def descriptor_place(self, number):
        """Where a block of group descriptors lies, the first copy."""
        if number < self.old_descriptors():
            return self.super_of(0) + 1 + number
        group = number * self.descriptors_per_block
        return self.super_of(group) + self.has_super(group)

    def descriptor(self, group):
        at = self.descriptor_place(group // self.descriptors_per_block) * self.block
        raw = self.bytes_at(at + group % self.descriptors_per_block * self.descriptor_bytes, self.descriptor_bytes)
        high = [u32(raw, at) << 32 if self.descriptor_bytes >= 64 else 0 for at in (32, 36, 40)]
        unused = u16(raw, 28) | (u16(raw, 50) << 16 if self.descriptor_bytes >= 64 else 0)
        flags = u16(raw, 18) if self.ro_compat & (RO_GDT_CSUM | RO_METADATA_CSUM) else 0
        places = [u32(raw, 4 * n) | high[n] for n in range(3)]
        return (*places, flags, unused)

    def group_owners(self):
        """Superblocks, descriptors, bitmaps and tables."""
        for group, (block_bitmap, inode_bitmap, table, _, _) in enumerate(self.groups):
            at = self.super_of(group)
            if self.has_super(group):
                yield at, at + 1, "superblock", 0, NO_BLOCK
                if self.old_descriptors():
                    yield at + 1, at + 1 + self.old_descriptors(), "group-descriptors", 0, NO_BLOCK
            if self.incompat & INCOMPAT_META_BG:
                number, place = divmod(group, self.descriptors_per_block)
                if number >= self.first_meta_group and place in (0, 1, self.descriptors_per_block - 1):
                    own = at + self.has_super(group)
                    yield own, own + 1, "group-descriptors", 0, NO_BLOCK
            yield block_bitmap, block_bitmap + 1, "block-bitmap", 0, NO_BLOCK
            yield inode_bitmap, inode_bitmap + 1, "inode-bitmap", 0, NO_BLOCK
            yield table, table + self.table_blocks, "inode-table", 0, NO_BLOCK

    def in_use(self, block):
        """By its group's bitmap. An uninitialised group uses what describes it, which has owners anyway."""
        group, bit = divmod(block - self.first, self.per_group)
        if self.groups[group][3] & BG_BLOCK_UNINIT:
            return False
        bit //= self.ratio
        return bool(self.bytes_at(self.groups[group][0] * self.block + bit // 8, 1)[0] >> bit % 8 & 1)

    # ---- inodes ------------------------------------------------------------------------------------------

    def read_inodes(self):
        for group, (_, bitmap, table, flags, unused) in enumerate(self.groups):
            if flags & BG_INODE_UNINIT:
                continue
            count = self.inodes_per_group - unused
            bits = self.block_at(bitmap)
            raw = self.bytes_at(table * self.block, count * self.inode_bytes)
            for n in range(count):
                if bits[n // 8] >> n % 8 & 1:
                    number = group * self.inodes_per_group + n + 1
                    inode = Inode(number, raw[n * self.inode_bytes : (n + 1) * self.inode_bytes])
                    if inode.links or self.reserved_class(number):
                        self.inodes[number] = inode

    def reserved_class(self, number):
        """The class of all that belongs to an inode that no path leads to; None: an ordinary one."""
        if number == RESIZE:
            return "resize-inode"
        if number == JOURNAL or number == self.journal_inode:
            return "journal"
        if number == self.orphan_file or number in self.quota_inodes:
            return "reserved"
        return "reserved" if number < self.first_inode and number != ROOT else None

    # ---- where content lies ------------------------------------------------------------------------------

    def map_of(self, inode):
        """([(file block, disk block, count, written)], [mapping blocks])"""
        if inode.number not in self._maps:
            stretches, nodes = [], []
            mapped = inode.type in ("file", "directory") or inode.type == "symlink" and not self.is_short(inode)
            if not mapped or inode.flags & FLAG_INLINE:
                pass
            elif inode.flags & FLAG_EXTENTS:
                self.walk_extents(inode.map_bytes, stretches, nodes)
            else:
                self.walk_pointers(inode.map_bytes, stretches, nodes)
            self._maps[inode.number] = stretches, nodes
        return self._maps[inode.number]

    @staticmethod
    def is_short(inode):
        """A symbolic link whose target stands in the inode itself."""
        return inode.size < 60 and not inode.flags & FLAG_EXTENTS

    def walk_extents(self, node, stretches, nodes):
        magic, entries, _, depth = struct.unpack_from("<4H", node)
        assert magic == 0xF30A, "no extent node"
        for n in range(entries):
            if depth:
                _, low, high = struct.unpack_from("<IIH", node, 12 + 12 * n)
                nodes.append(low | high << 32)
                self.walk_extents(self.block_at(nodes[-1]), stretches, nodes)
            else:
                at, count, high, low = struct.unpack_from("<IHHI", node, 12 + 12 * n)
                written = count <= 0x8000
                stretches.append((at, low | high << 32, count if written else count - 0x8000, written))

    def walk_pointers(self, array, stretches, nodes):
        per_block = self.block // 4

        def visit(block, at, depth):
            if block == 0:
                return
            if depth == 0:
                last = stretches[-1] if stretches else (NO_BLOCK, 0, 0, True)
                if last[0] + last[2] == at and last[1] + last[2] == block:
                    stretches[-1] = last[0], last[1], last[2] + 1, True
                else:
                    stretches.append((at, block, 1, True))
                return
            nodes.append(block)
            for n, below in enumerate(struct.unpack(f"<{per_block}I", self.block_at(block))):
                visit(below, at + n * per_block ** (depth - 1), depth - 1)

        pointers, at = struct.unpack("<15I", array), 12
        for n in range(12):
            visit(pointers[n], n, 0)
        for depth in (1, 2, 3):
            visit(pointers[11 + depth], at, depth)
            at += per_block**depth

    def content(self, inode):
        """All bytes of a file; a hole, and what was reserved but not written, are zeros."""
        if inode.type == "symlink" and self.is_short(inode):
            return inode.map_bytes[: inode.size]
        if inode.flags & FLAG_INLINE:
            rest = self.xattrs(inode).get(b"\x07data", b"")
            return (inode.map_bytes + rest)[: inode.size].ljust(inode.size, b"\0")
        out = bytearray(inode.size)
        for at, block, count, written in self.map_of(inode)[0]:
            if written and at * self.block < inode.size:
                data = self.bytes_at(block * self.block, count * self.block)
                begin, end = at * self.block, min((at + count) * self.block, inode.size)
                out[begin:end] = data[: end - begin]
        return bytes(out)

    def xattrs(self, inode):
        """{index byte + name: value}"""
        out = {}
        if len(inode.inline_xattrs) >= 4 and u32(inode.inline_xattrs, 0) == XATTR_MAGIC:
            self.read_xattrs(inode.inline_xattrs[4:], 0, out)
        if inode.xattr_block:
            block = self.block_at(inode.xattr_block)
            assert u32(block, 0) == XATTR_MAGIC, "no attribute block"
            self.read_xattrs(block, 32, out)
        return out

    @staticmethod
    def read_xattrs(area, at, out):
        while at + 4 <= len(area) and u32(area, at):
            length, index, value_at, _, size = struct.unpack_from("<BBHII", area, at)
            name = bytes([index]) + area[at + 16 : at + 16 + length]
            out[name] = area[value_at : value_at + size]
            at += -(-(16 + length) // 4) * 4

    # ---- names -------------------------------------------------------------------------------------------

    def entries(self, inode):
        """{name: inode number} of a directory, without "." and ".."."""
        data, out = self.content(inode), {}
        if inode.flags & FLAG_INLINE:  # parent, then entries in the map's room and in the attribute, each by itself
            pieces = [data[4:60], data[60:]]
        else:
            pieces = [data[at : at + self.block] for at in range(0, len(data), self.block)]
        for piece in pieces:
            at = 0
            while at + 8 <= len(piece):
                number, length, name_bytes = struct.unpack_from("<IHB", piece, at)
                name = piece[at + 8 : at + 8 + name_bytes]
                if number and name not in (b".", b".."):
                    out[name] = number
                length = length or 65536
                assert length >= 8, "an entry without a length"
                at += length
        return out

    def paths(self):
        """{path: inode}, the root included; a file with several names has several paths."""
        out, todo = {b"/": self.inodes[ROOT]}, [(b"", self.inodes[ROOT])]
        while todo:
            parent, directory = todo.pop()
            for name, number in self.entries(directory).items():
                inode = out[parent + b"/" + name] = self.inodes[number]
                if inode.type == "directory":
                    todo.append((parent + b"/" + name, inode))
        return out

    # ---- owners ------------------------------------------------------------------------------------------

    def inode_owners(self):
        names = {"file": "file", "directory": "directory", "symlink": "symlink", "special": "file"}
        for inode in self.inodes.values():
            reserved = self.reserved_class(inode.number)
            if reserved == "reserved" and not any(inode.map_bytes):
                continue
            if inode.number == RESIZE:  # the kernel finds these blocks by arithmetic; so do we
                yield from self.resize_owners(inode)
                continue
            stretches, nodes = self.map_of(inode)
            for at, block, count, _ in stretches:
                yield block, block + count, reserved or names[inode.type], inode.number, at
            for block in nodes:
                yield block, block + 1, reserved or "mapping", inode.number, NO_BLOCK
            if inode.xattr_block:
                yield inode.xattr_block, inode.xattr_block + 1, reserved or "xattr", inode.number, NO_BLOCK

    def resize_owners(self, inode):
        double = u32(inode.map_bytes, 13 * 4)
        if double:
            yield double, double + 1, "resize-inode", RESIZE, NO_BLOCK
        for group in range(self.n_groups):
            if self.has_super(group) and self.reserved_descriptors:
                at = self.super_of(group) + 1 + self.old_descriptors()
                yield at, at + self.reserved_descriptors, "resize-inode", RESIZE, NO_BLOCK

    def owners(self):
        """All stretches, sorted. Two that overlap are the same shared attribute block."""
        if self._owners is None:
            self._owners = sorted({*self.group_owners(), *self.inode_owners()})
        return self._owners

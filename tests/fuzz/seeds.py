#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeds for the fuzz target: small filesystems, as a backing file and a guest have them, and a map of what lies
where in them, by the reader of the files suite.

Usage: seeds.py DIRECTORY"""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "files"))

from ext import JOURNAL, Ext  # noqa: E402
from scene import KIB, LATER, MIB, Scene, debugfs, in_directory, run, write_file, write_sparse  # noqa: E402

SECTOR = 512
OPTIONS = {
    "ext2-1k": "-t ext2 -b 1024",
    "ext2-4k": "-t ext2 -b 4096 -I 128 -N 64",
    "ext3-1k": "-t ext3 -b 1024 -J size=1 -N 64",
    "ext4-1k": "-t ext4 -b 1024 -O ^has_journal",
    "ext4-4k": "-t ext4 -b 4096 -O ^has_journal -N 64",
    "ext4-32bit": "-t ext4 -b 1024 -O ^64bit,^metadata_csum,^has_journal,uninit_bg -g 512 -N 128",
    "inline": "-t ext4 -b 1024 -O inline_data,^has_journal -N 128",
    "bigalloc": "-t ext4 -b 1024 -O bigalloc,^has_journal,^resize_inode -C 4096 -N 64",
    "meta-bg": "-t ext4 -b 1024 -O meta_bg,^resize_inode,^has_journal -g 256 -N 64",
}


class Seed(Scene):
    """Small: a file of each kind that has a structure of its own."""

    def tree(self):
        root, noise = self.host(self.name + ".tree"), self.rng.randbytes
        os.makedirs(root + "/dir/below")
        write_file(root + "/small", noise(40))
        write_file(root + "/attribute", noise(10))
        write_file(root + "/file", noise(20 * KIB))
        write_file(root + "/gone", noise(5 * KIB))
        write_file(root + "/dir/below/file", noise(3 * KIB))
        # so many pieces that blocks of pointers and of extents are needed, two and three deep
        pieces = {n * 8 * KIB: b"%5d" % n * 4 for n in range(90)}
        write_sparse(root + "/fragments", pieces, 800 * KIB)
        write_sparse(root + "/far", {0: b"x", 70 * MIB: b"y"}, 70 * MIB + 5)
        os.symlink("small", root + "/short-link")
        os.symlink("/" + "long/" * 30, root + "/long-link")
        return root

    def change_all(self):
        self.script = [
            *in_directory("write", "/new", self.source(7000)), "rm /gone", "mkdir /new-dir",
            "ln /file /dir/moved", "unlink /file", "sif /small uid 5",
        ]  # fmt: skip
        debugfs(self.new, self.script, write=True, environment=LATER)
        self.overwrites = [(b"/fragments", 16 * KIB, 9), (b"/dir/below/file", 100, 5)]
        self.write_over()

    def poke_elsewhere(self, file, ext):
        pass


def places(ext, start):
    """Lines of a map: kind, offset, length."""
    table = {"superblock": "super", "group-descriptors": "descriptor", "block-bitmap": "bitmap", "inode-bitmap": "bitmap",
             "xattr": "xattr", "directory": "directory"}
    yield "super", start + 1024, 1024
    for number, inode in ext.inodes.items():
        group, index = divmod(number - 1, ext.inodes_per_group)
        if inode.mode or number == 7:
            yield "inode", start + ext.groups[group][2] * ext.block + index * ext.inode_bytes, ext.inode_bytes
        extents = inode.flags & 0x80000
        stretches, nodes = ext.map_of(inode) if number != 7 else ([], [])
        for block in nodes:
            yield "extents" if extents else "pointers", start + block * ext.block, ext.block
        if number == JOURNAL and stretches:
            yield "journal", start + stretches[0][1] * ext.block, ext.block
    for first, end, kind, *_ in ext.owners():
        for block in range(first, end):
            if kind in table and block:
                yield table[kind], start + block * ext.block, ext.block


def write_map(path, disk, start=0):
    with open(disk, "rb") as file:
        ext = Ext(file, start)
    lines = [f"{ext.block} {ext.n_blocks} {start}"]
    with open(disk, "rb") as file:
        ext.file = file
        lines += [f"{kind} {offset} {n_bytes}" for kind, offset, n_bytes in places(ext, start)]
    if start:
        lines += [f"table {at} {SECTOR}" for at in (0, SECTOR, 2 * SECTOR)]
    write_file(path, ("\n".join(lines) + "\n").encode())


def with_table(seed, label, script, start):
    """The seed again, in a partition."""
    for end in ("base", "new"):
        path = os.path.join(seed.directory, f"{label}.{end}")
        with open(os.path.join(seed.directory, f"{seed.name}.{end}"), "rb") as file:
            data = file.read()
        write_file(path, bytes(start) + data + bytes(64 * KIB))
        run("sfdisk", "-q", "--no-reread", path, stdin=script.encode())
    write_map(os.path.join(seed.directory, f"{label}.map"), path, start)


def main(directory):
    os.makedirs(directory, exist_ok=True)
    for name, options in OPTIONS.items():
        seed = Seed(directory, name, options.split(), (4 if "ext3" in name else 2) * MIB, 1)
        seed.build()
        write_map(os.path.join(directory, name + ".map"), seed.new)
        if name == "ext4-1k":
            last = seed
    try:
        size = last.size // SECTOR
        with_table(last, "dos", f"label: dos\nstart=64, size={size}, type=83\n", 64 * SECTOR)
        with_table(last, "gpt", f"label: gpt\nfirst-lba: 34\nstart=64, size={size}\n", 64 * SECTOR)
    except Exception as error:  # without sfdisk there are no such seeds
        print(f"seeds: no partition tables: {error}", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1])

# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks of one filesystem, or with a partition table and several."""
import os
from dataclasses import dataclass, field
from typing import Callable

from scene import MIB, Missing, Scene, run

SECTOR = 512


def outside(_):
    return frozenset({"outside"})


@dataclass
class Disk:
    """`places`: (first byte, partition) of each scene; `elsewhere`: the classes of a byte in none of them."""

    base: str
    new: str
    scenes: list
    places: list
    elsewhere: Callable
    table: str = ""
    others: dict = field(default_factory=dict)  # partition: type, of what is no ext filesystem


def put(path, source, start):
    """A filesystem at its place; holes stay holes."""
    with open(source, "rb") as file, open(path, "r+b") as disk:
        at = 0
        while True:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:
                return
            end = min(os.lseek(file.fileno(), at, os.SEEK_HOLE), at + MIB)
            os.pwrite(disk.fileno(), os.pread(file.fileno(), end - at, at), start + at)
            at = end


# What makes a partition of a kind that is named, not read; and its size. That of XFS is the least there is.
FOREIGN = {"swap": (["mkswap", "-q"], MIB), "vfat": (["mkfs.vfat"], 4 * MIB), "xfs": (["mkfs.xfs", "-q"], 320 * MIB)}


def foreign_filesystem(directory, kind):
    """A file with it; None: nothing here makes one."""
    path = os.path.join(directory, kind)
    command, size = FOREIGN[kind]
    with open(path, "wb") as file:
        file.truncate(size)
    try:
        run(*command, path)
    except (Missing, RuntimeError):
        if kind == "swap":
            raise
        return None
    return path


def partitioned(directory, seed, name, size, script, parts, slack_after):
    """`parts`: {partition: (first MiB, Scene arguments, or one of FOREIGN)}. Both disks have the same table, but for one
    byte of its boot code; and bytes are changed between partitions and in those that are foreign."""
    disk = Disk(*(os.path.join(directory, f"{name}.{end}") for end in ("base", "new")), [], [], None, name)
    for path in (disk.base, disk.new):
        with open(path, "wb") as file:
            file.truncate(size)
        run("sfdisk", "-q", "--no-reread", path, stdin=script.encode())
    foreign = []
    for partition, (first, *what) in parts.items():
        start = first * MIB
        if what[0] in FOREIGN:
            path = foreign_filesystem(directory, what[0])
            for target in (disk.base, disk.new) if path else ():
                put(target, path, start)
            foreign.append((start, start + FOREIGN[what[0]][1]))
            disk.others[partition] = what[0] if path else ""
            continue
        scene = Scene(directory, f"{name}{partition}", what[0].split(), what[1], seed)
        scene.build()
        put(disk.base, scene.base, start)
        put(disk.new, scene.new, start)
        disk.scenes.append(scene)
        disk.places.append((start, partition))
    with open(disk.new, "r+b") as file:
        for at in [100, MIB - 1000, *(start + 8192 for start, _ in foreign), slack_after]:
            os.pwrite(file.fileno(), b"changed", at)
    disk.elsewhere = elsewhere_of(disk, foreign, size)
    return disk


def elsewhere_of(disk, foreign, size):
    """In a table's own sectors, in a partition with something else, or between them. Where logical partitions and
    the second table of a GPT are told is as much a table as it is outside."""
    first = 512 if disk.table == "dos" else 34 * SECTOR

    def classes(at):
        if at < first:
            return frozenset({"partition-table"})
        if any(start <= at < end for start, end in foreign):
            return frozenset({"other"})
        told = at % MIB < SECTOR and disk.table == "dos" or at >= size - 33 * SECTOR and disk.table == "gpt"
        return frozenset({"outside", "partition-table"} if told else {"outside"})

    return classes


def mbr(directory, seed):
    """Two primary ones, and two logical ones in an extended one."""
    script = """label: dos
1 : start=2048, size=16384, type=83
2 : start=20480, size=2048, type=82
3 : start=24576, size=69632, type=5
5 : start=26624, size=20480, type=83
6 : start=49152, size=32768, type=83
"""
    parts = {1: (1, "-t ext4 -b 1024", 8 * MIB), 2: (10, "swap"), 5: (13, "-t ext2 -b 1024", 8 * MIB),
             6: (24, "-t ext4 -b 4096", 16 * MIB)}  # fmt: skip
    return partitioned(directory, seed, "dos", 48 * MIB, script, parts, 22 * MIB)


def gpt(directory, seed):
    script = """label: gpt
1 : start=2048, size=18432
2 : start=22528, size=2048
4 : start=26624, size=32768
5 : start=61440, size=8192
6 : start=71680, size=655360
"""
    parts = {1: (1, "-t ext3 -b 1024", 8 * MIB), 2: (11, "swap"), 4: (13, "-t ext4 -b 4096", 16 * MIB),
             5: (30, "vfat"), 6: (35, "xfs")}  # fmt: skip
    return partitioned(directory, seed, "gpt", 360 * MIB, script, parts, 9 * MIB + 4096)

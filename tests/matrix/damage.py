# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof that the suite can fail: each of these damages one thing in what a command has left, just before
the checks look at it."""
import os
import struct

from formats import read_v3
from sparse import extents

# What is damaged, and after what.
WHERE = {
    "data": "changed",
    "bit": "changed",
    "clean-data": "changed",
    "size": "changed",
    "alignment": "changed",
    "date-in-header": "changed",
    "path": "changed",
    "cut": "changed",
    "backing": "changed",
    "backing-hole": "changed",
    "backing-date": "changed",
    "left-over": "changed",
    "touched": "refused",
    "written": "refused",
    "undone": "undone",
    "undone-mode": "undone",
}


def flip(path, offset):
    """One bit, the date as it was."""
    info = os.stat(path)
    with open(path, "r+b", buffering=0) as f:
        f.seek(offset)
        byte = f.read(1) or b"\0"
        f.seek(offset)
        f.write(bytes([byte[0] ^ 1]))
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
    return True


def poke(offset, value):
    with open("x.cow", "r+b", buffering=0) as f:
        f.seek(offset)
        f.write(value)
    return True


def dirty_data(image, path="x.cow"):
    """The offset of a byte of a dirty sector, or None."""
    with open(path, "rb") as f:
        for first, end in image.runs:
            base = image.layout.data_offset
            for begin, _ in extents(f.fileno(), base + first * 512, base + end * 512):
                return begin
    return None


def do(kind, disk):
    """False: nothing here that could be damaged so."""
    image = read_v3("x.cow")
    if image is None:
        return WHERE[kind] == "refused" and touch_or_write(kind)
    lay = image.layout
    if kind == "data":
        at = dirty_data(image)
        return at is not None and flip("x.cow", at)
    if kind == "bit":
        return flip("x.cow", lay.bitmap_offset + (lay.sectors - 1) // 8)
    if kind == "clean-data":  # a byte of the backing file that shows through, beyond what any bit covers
        return disk.backing is not None and not image.runs and flip(disk.backing, disk.size - 1)
    if kind == "size":
        return poke(12, struct.pack(">Q", image.size + 512))
    if kind == "alignment":
        return poke(24, struct.pack(">I", image.alignment * 2))
    if kind == "date-in-header":
        return poke(8, struct.pack(">I", image.mtime ^ 1))
    if kind == "path":
        return poke(32, b"?")
    if kind == "cut":
        os.truncate("x.cow", lay.bitmap_offset)
        return True
    return do_beside(kind, disk)


def touch_or_write(kind):
    info = os.stat("x.cow")
    if kind == "touched":
        os.utime("x.cow", ns=(info.st_atime_ns, info.st_mtime_ns + 1))
        return True
    return flip("x.cow", info.st_size - 1)


def do_beside(kind, disk):
    """Damage to other files, and to the old image."""
    if kind in ("touched", "written"):
        return touch_or_write(kind)
    if kind in ("undone", "undone-mode"):
        if kind == "undone-mode":
            os.chmod("x.cow", 0o600)
            return True
        return flip("x.cow", 7)
    if kind == "left-over":
        with open(".x.cow.cowtui-new", "wb"):
            return True
    if disk.backing is None:
        return False
    if kind == "backing":
        return os.stat(disk.backing).st_size > 0 and flip(disk.backing, 0)
    if kind == "backing-hole":
        return flip(disk.backing, os.stat(disk.backing).st_size - 1)
    info = os.stat(disk.backing)
    os.utime(disk.backing, ns=(info.st_atime_ns, info.st_mtime_ns + 1))
    return True

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images for kill_real.sh, and a reader of its own: what disk is it, and would a stock kernel open it?

    kill_real.py make  DIRECTORY ALIGNMENT SECTORS   x.cow on back.img, and old.raw, the disk in it
    kill_real.py check DIRECTORY NEW_BYTES           prints old or new; 1 with the reason for anything else
"""
import os
import random
import struct
import sys

HEADER_BYTES = 4128
MTIME = 1049522828


def round_up(value, unit):
    return (value + unit - 1) // unit * unit


def layout(size, alignment):
    sectors = (size + 511) // 512
    bitmap = round_up(HEADER_BYTES, alignment)
    return sectors, bitmap, round_up(bitmap + (sectors + 7) // 8, alignment)


def make(directory, alignment, sectors):
    noise = random.Random(sectors)
    size = sectors * 512
    backing = os.path.join(directory, "back.img")
    disk = bytearray(noise.randbytes(size))
    with open(backing, "wb") as f:
        f.write(disk)
    os.utime(backing, ns=(0, MTIME * 10**9 + 250000000))
    n, bitmap, data = layout(size, alignment)
    bits = bytearray((n + 7) // 8)
    cow = bytearray(data + n * 512)
    for i in range(n):
        if i // 9 % 3 == 0 or i >= n - 2:
            bits[i // 8] |= 1 << i % 8
            disk[i * 512 : i * 512 + 512] = noise.randbytes(512)
            cow[data + i * 512 : data + i * 512 + 512] = disk[i * 512 : i * 512 + 512]
    path = os.path.realpath(backing).encode()
    cow[0:32] = struct.pack(">4sIIQIII", b"OOOM", 3, MTIME, size, 512, alignment, 0)
    cow[32 : 32 + len(path)] = path
    cow[bitmap : bitmap + len(bits)] = bits
    with open(os.path.join(directory, "x.cow"), "wb") as f:
        f.write(cow)
    with open(os.path.join(directory, "old.raw"), "wb") as f:
        f.write(disk)


def compose(cow, backing):
    size, = struct.unpack_from(">Q", cow, 12)
    alignment, = struct.unpack_from(">I", cow, 24)
    n, bitmap, data = layout(size, alignment)
    disk = bytearray(backing[: n * 512].ljust(n * 512, b"\0"))
    cow = cow.ljust(data + n * 512, b"\0")
    for i in range(n):
        if cow[bitmap + i // 8] >> i % 8 & 1:
            disk[i * 512 : i * 512 + 512] = cow[data + i * 512 : data + i * 512 + 512]
    return size, bytes(disk)


def check(directory, new_bytes):
    def read(name):
        with open(os.path.join(directory, name), "rb") as f:
            return f.read()

    old = read("old.raw")
    cow = read("x.cow")
    magic, version, mtime, size = struct.unpack_from(">4sIIQ", cow)
    if (magic, version) != (b"OOOM", 3) or size == 2**64 - 1:
        return None, "no good header: %r %d %d" % (magic, version, size)
    path = cow[32:HEADER_BYTES].split(b"\0")[0]
    if not os.path.exists(path):
        return None, "no backing file %r" % path
    with open(path, "rb") as f:
        backing = f.read()
    size, disk = compose(cow, backing)
    if disk == old:
        which = "old"
    elif size == new_bytes and disk == old.ljust(new_bytes, b"\0"):
        which = "new"
    else:
        return None, "neither the old nor the new disk (%d bytes)" % size
    facts = os.stat(path)
    if facts.st_size != size:
        return None, "Size mismatch (%d vs %d)" % (size, facts.st_size)
    if int(facts.st_mtime) != mtime:
        return None, "mtime mismatch (%d vs %d)" % (mtime, int(facts.st_mtime))
    for name in os.listdir(directory):
        if name.endswith("cowtui-journal") or name.endswith("cowtui-old"):
            return None, "%s is left" % name
    return which, ""


def main():
    if sys.argv[1] == "make":
        make(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
        return 0
    which, reason = check(sys.argv[2], int(sys.argv[3]))
    print(which or reason)
    return 0 if which else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks for the guest suite, written by nothing of cowtui's.

Usage: disks.py pattern FILE BYTES    a backing file in which every sector is different and none is zero
       disks.py odd DIRECTORY         odd-*.cow: images that a stock kernel refuses, each for its own reason
       disks.py old DIRECTORY         old-*.cow: images with scattered sectors on old.img, to be changed; one is on
                                      touched.img, which has another date, one on moved.img, which is not where
                                      it says; old.raw is the disk that they all show
       disks.py direct JOB DISK...    whether the files of mnt/DISK have the sums in gf-DISK.sums, read by O_DIRECT;
                                      JOB-DISK.direct says which have not, or "same"
       disks.py bits FILE             of a v3: its dirty sectors, and its pages that mix dirty and clean ones
"""

import hashlib
import mmap
import os
import struct
import sys

SECTOR = 512
SIZE = 1 << 20
MTIME = 1049522828


def pattern(path, size):
    with open(path, "wb") as file:
        for sector in range(size // SECTOR):
            file.write(struct.pack("<Q", sector + 1) * (SECTOR // 8))
    os.utime(path, (MTIME, MTIME))


def v1(word, path, size, mtime=MTIME):
    """word: what longs look like in that build: '<I' or '<Q', and '>' for a big-endian host."""
    order = word[0]
    magic = b"MOOO" if order == "<" else b"OOOM"
    head = magic + struct.pack(order + "I", 1) + path.ljust(256, b"\0")
    return head + struct.pack(word, mtime) + struct.pack(order + "QI", size, SECTOR)


def v2(path, size, mtime=MTIME):
    return b"OOOM" + struct.pack(">I", 2) + path.ljust(4096, b"\0") + struct.pack(">IQI", mtime, size, SECTOR)


def v2_64(path, size, mtime=MTIME):
    return b"OOOM" + struct.pack(">I", 2) + path.ljust(4096, b"\0") + struct.pack(">IIQI4x", mtime, 0, size, SECTOR)


def v3(path, size, mtime=MTIME, alignment=4096):
    return b"OOOM" + struct.pack(">IIQIII", 3, mtime, size, SECTOR, alignment, 0) + path.ljust(4096, b"\0")


def v3_64(path, size, mtime=MTIME, alignment=4096):
    numbers = struct.pack(">IIIQIII", 3, mtime, 0xDEAD, size, SECTOR, alignment, 0)
    return b"OOOM" + numbers + path.ljust(4096, b"\0")


def qemu(path, size):
    head = b"OOOM" + struct.pack(">I", 2) + path.ljust(1024, b"\0")
    return head + struct.pack(">IIQII", MTIME, 0, size, SECTOR, 0)


def write_odd(directory, name, header, data_bytes=SIZE):
    """A full-length image: whatever the variant, bitmap and padding fit into 12 KiB beside the header."""
    with open(os.path.join(directory, f"odd-{name}.cow"), "wb") as file:
        file.write(header)
        file.truncate(len(header) + data_bytes)


def odd(directory):
    backing = os.path.join(os.path.realpath(directory), "odd.img")
    pattern(backing, SIZE)
    path = os.fsencode(backing)
    # Different numbers where two cases would give the same words: a line on the console must prove one of them.
    write_odd(directory, "mtime", v3(path, SIZE, MTIME + 1))
    write_odd(directory, "size", v3(path, SIZE + 512 * 8))
    write_odd(directory, "missing", v3(path + b".not-there", SIZE))
    write_odd(directory, "directory", v3(os.fsencode(os.path.realpath(directory)), SIZE))
    write_odd(directory, "unfinished", v3(path, 2**64 - 1))
    write_odd(directory, "v1-mtime", v1("<I", path, SIZE, MTIME + 2))
    write_odd(directory, "v1-64", v1("<Q", path, SIZE))
    write_odd(directory, "v1-be", v1(">I", path, SIZE))
    write_odd(directory, "v2-64", v2_64(path, SIZE + (1 << 32)), 1 << 20)
    write_odd(directory, "qemu", qemu(path, SIZE))


# First, last, alone, in pairs, and a whole page: most of their pages are mixed.
OLD_DIRTY = [0, 7, 8, 100, 1000, 1001, *range(1024, 1032), SIZE // SECTOR - 1]


def write_old(directory, name, header, unit):
    """unit: what bitmap and data begin at a multiple of; 1: the bitmap follows the header."""
    bitmap_offset = -(-len(header) // unit) * unit
    bits = bytearray(SIZE // SECTOR // 8)
    unit = max(unit, SECTOR)
    data_offset = -(-(bitmap_offset + len(bits)) // unit) * unit
    with open(os.path.join(directory, f"old-{name}.cow"), "wb") as file:
        file.write(header)
        for sector in OLD_DIRTY:
            bits[sector // 8] |= 1 << sector % 8
            file.seek(data_offset + sector * SECTOR)
            file.write(struct.pack(">Q", sector + 1) * (SECTOR // 8))
        file.seek(bitmap_offset)
        file.write(bits)
        file.truncate(data_offset + SIZE)


def old(directory):
    directory = os.path.realpath(directory)
    here = {name: os.path.join(directory, name + ".img") for name in ("old", "touched", "moved")}
    for path in here.values():
        pattern(path, SIZE)
    os.utime(here["touched"], (MTIME + 3, MTIME + 3))
    path = os.fsencode(here["old"])
    write_old(directory, "v2", v2(path, SIZE), 1)
    write_old(directory, "v2-64", v2_64(path, SIZE), 1)
    write_old(directory, "v3-64", v3_64(path, SIZE), 4096)
    write_old(directory, "touched", v3(os.fsencode(here["touched"]), SIZE), 4096)
    write_old(directory, "moved", v3(os.fsencode(here["moved"]) + b".not-there", SIZE), 4096)
    with open(here["old"], "rb") as file:
        disk = bytearray(file.read())
    for sector in OLD_DIRTY:
        disk[sector * SECTOR : (sector + 1) * SECTOR] = struct.pack(">Q", sector + 1) * (SECTOR // 8)
    with open(os.path.join(directory, "old.raw"), "wb") as file:
        file.write(disk)


def bits(path):
    with open(path, "rb") as file:
        head = file.read(32)
        size, alignment = struct.unpack_from(">Q4xI", head, 12)
        assert head[:8] == b"OOOM\0\0\0\3" and size % 4096 == 0
        file.seek(-(-4128 // alignment) * alignment)
        pages = file.read(size // 4096)  # 8 sectors, a byte
    print(sum(bin(page).count("1") for page in pages), sum(page not in (0, 255) for page in pages))


def has_sum(path, expected, buffer):
    found = hashlib.sha256()
    file = os.open(path, os.O_RDONLY | os.O_DIRECT)
    while n_bytes := os.readv(file, [buffer]):
        found.update(buffer[:n_bytes])
    os.close(file)
    return found.hexdigest() == expected


def direct(job, disks):
    buffer = mmap.mmap(-1, 64 << 10)
    for disk in disks:
        if not os.path.isdir(f"mnt/{disk}/gf-tree"):
            continue
        with open(f"gf-{disk}.sums", encoding="utf-8") as lines:
            sums = [line.split() for line in lines]
        wrong = [name for expected, name in sums if not has_sum(f"mnt/{disk}/gf-tree/{name}", expected, buffer)]
        with open(f"{job}-{disk}.direct", "w", encoding="utf-8") as told:
            print(*(wrong or ["same"]), file=told)


def main(arguments):
    if len(arguments) == 3 and arguments[0] == "pattern":
        pattern(arguments[1], int(arguments[2]))
    elif len(arguments) == 2 and arguments[0] == "odd":
        odd(arguments[1])
    elif len(arguments) == 2 and arguments[0] == "old":
        old(arguments[1])
    elif len(arguments) > 2 and arguments[0] == "direct":
        direct(arguments[1], arguments[2:])
    elif len(arguments) == 2 and arguments[0] == "bits":
        bits(arguments[1])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])

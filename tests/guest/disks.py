#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks for the guest suite, written by nothing of cowtui's.

Usage: disks.py pattern FILE BYTES    a backing file in which every sector is different and none is zero
       disks.py odd DIRECTORY         odd-*.cow: images that a stock kernel refuses, each for its own reason
"""

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


def v2_64(path, size, mtime=MTIME):
    return b"OOOM" + struct.pack(">I", 2) + path.ljust(4096, b"\0") + struct.pack(">IIQI", mtime, 0, size, SECTOR)


def v3(path, size, mtime=MTIME, alignment=4096):
    return b"OOOM" + struct.pack(">IIQIII", 3, mtime, size, SECTOR, alignment, 0) + path.ljust(4096, b"\0")


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


def main(arguments):
    if len(arguments) == 3 and arguments[0] == "pattern":
        pattern(arguments[1], int(arguments[2]))
    elif len(arguments) == 2 and arguments[0] == "odd":
        odd(arguments[1])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])

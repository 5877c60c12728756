#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the samples of cow-variants.tar.xz from their manifest, byte for byte.

    samples.py DIRECTORY    writes every sample and every backing file there

The archive holds what real programs made; this is what they made, told in a page, so that nothing in it is a
riddle or anybody else's. README.md has more.
"""

import csv
import os
import struct
import sys

#            order  path at  mtime   size  sector  align
FIELDS = {
    "uml-cow-v1": ("<", 8, 264, 268, 276, None),
    "uml-cow-v1-64": ("<", 8, 264, 272, 280, None),
    "uml-cow-v1-be": (">", 8, 264, 268, 276, None),
    "uml-cow-v2": (">", 8, 4104, 4108, 4116, None),
    "uml-cow-v2-64": (">", 8, 4104, 4112, 4120, None),
    "uml-cow-v3": (">", 32, 8, 12, 20, 24),
    "uml-cow-v3-64": (">", 36, 8, 16, 24, 28),
    "qemu-cow": (">", 8, 1032, 1040, 1048, None),
    "qemu-cow-i386": (">", 8, 1032, 1036, 1044, None),
}

MAGIC = 0x4F4F4F4D  # "OOOM" in the order of the header
BACKING_BYTES = {"b1859.raw": 951808, "b1m.raw": 1048576, "b300001.raw": 300001, "b3907.raw": 2000384, "b515.raw": 263680}
BACKING_DATE = 1049522828

# What the kernel's memory held where the path's field goes on behind the path.
KERNEL_REMNANTS = {"v3-kernel-1m.cow": ((56, b"raw"), (4097, b"\x60\x0a\x7e"))}


def words(letter, number, count):
    """A sector that says which it is: "W0000007|W0000007|..."."""
    word = b"%c%07d|" % (letter, number)
    return (word * (count // len(word) + 1))[:count]


def backing(count):
    return b"".join(words(ord("B"), sector, 512) for sector in range(-(-count // 512)))[:count]


def stored_path(row):
    """What stands in the path's field. The samples were made under a longer name of the backing file; what of it the
    shorter one has not covered is still behind its end."""
    if row["stored_backing"] == "-":
        return b""
    path = row["stored_backing"].encode()
    if row["variant"].startswith("qemu") or row["file"].endswith("-rel.cow"):
        return path
    return path + b"\0" + path[-6:]


def dirty_groups(row):
    """The ranges that were written, each in one go."""
    for text in row["dirty_sectors"].split(",") if row["dirty_sectors"] != "-" else []:
        first, _, last = text.partition("-")
        yield range(int(first), int(last or first) + 1)


def sample(row):
    order, path_at, mtime_at, size_at, sector_at, alignment_at = FIELDS[row["variant"]]
    out = bytearray(int(row["file_len"]))
    sector_bytes = int(row["sectorsize"])

    def number(at, kind, value):
        struct.pack_into(order + kind, out, at, int(value))

    number(0, "I", MAGIC)
    number(4, "I", row["version"])
    number(mtime_at, "I", row["mtime"])
    number(size_at, "Q", row["size"])
    number(sector_at, "I", sector_bytes)
    if alignment_at:
        number(alignment_at, "I", row["alignment"])
    path = stored_path(row)
    out[path_at : path_at + len(path)] = path
    for group, sectors in enumerate(dirty_groups(row)):
        for sector in sectors:
            out[int(row["bitmap_offset"]) + sector // 8] |= 1 << sector % 8
            at = int(row["data_offset"]) + sector * sector_bytes
            qemu = bytes([ord("a") + group]) * sector_bytes  # a letter for each write
            data = qemu if row["variant"].startswith("qemu") else words(ord("W"), sector, sector_bytes)
            room = min(sector_bytes, len(out) - at)
            out[at : at + room] = data[:room]
    for at, remnant in KERNEL_REMNANTS.get(row["file"], ()):
        out[at : at + len(remnant)] = remnant
    return out


def main(arguments):
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.exit("usage: samples.py DIRECTORY")
    directory = arguments[0]
    os.makedirs(directory, exist_ok=True)
    for name, count in BACKING_BYTES.items():
        path = os.path.join(directory, name)
        with open(path, "wb") as out:
            out.write(backing(count))
        os.utime(path, (BACKING_DATE, BACKING_DATE))
    manifest = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cow-variants.tsv")
    with open(manifest, encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows, delimiter="\t"):
            with open(os.path.join(directory, row["file"]), "wb") as out:
                out.write(sample(row))


if __name__ == "__main__":
    main(sys.argv[1:])

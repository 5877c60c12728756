#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A second opinion on the format: COW images read and composed in a few lines, independent of src/.

The facts are those of share/doc/format.md. Nothing here guesses: the variant is named by the caller.

    model.py header  IMAGE VARIANT                   "field value" lines: what the header says and the layout
    model.py dirty   IMAGE VARIANT                   the dirty sectors, as ranges
    model.py compose IMAGE VARIANT BACKING [SIZE]    sha256 of the composed disk, with zeros up to SIZE
    model.py raw     IMAGE VARIANT BACKING OUT       the composed disk as a file
    model.py make    IMAGE BACKING ALIGNMENT SECTORS a v3 image on BACKING with these sectors dirty ("0,7-9")
    model.py as      IMAGE VARIANT NEW_VARIANT OUT   the same disk in another variant
    model.py poke    FILE OFFSET HEX                 bytes into a file
    model.py mixed   IMAGE VARIANT                   the mixed pages of 4 KiB, as ranges
    model.py scan    IMAGE VARIANT BACKING           "start length what": clean, redundant, zero (also as a hole),
                                                     changed, orphan; in bytes
    model.py fill    IMAGE VARIANT BACKING SECTORS WHAT  data for these sectors, whatever their bits say: zero, same
                                                     (as in the backing), other
BACKING is - where there is none.
"""
import hashlib
import os
import struct
import sys

#            order  path at, bytes  mtime   size  sector  align  header
VARIANTS = {
    "uml-cow-v1": ("<", 8, 256, 264, 268, 276, None, 280),
    "uml-cow-v1-64": ("<", 8, 256, 264, 272, 280, None, 288),
    "uml-cow-v1-be": (">", 8, 256, 264, 268, 276, None, 280),
    "uml-cow-v1-be-64": (">", 8, 256, 268, 272, 280, None, 288),
    "uml-cow-v2": (">", 8, 4096, 4104, 4108, 4116, None, 4120),
    "uml-cow-v2-64": (">", 8, 4096, 4104, 4112, 4120, None, 4128),
    "uml-cow-v2-long": (">", 16, 4096, 4112, 4120, 4128, None, 4136),
    "uml-cow-v3": (">", 32, 4096, 8, 12, 20, 24, 4128),
    "uml-cow-v3-64": (">", 36, 4096, 8, 16, 24, 28, 4136),
    "qemu-cow": (">", 8, 1024, 1032, 1040, 1048, None, 1056),
    "qemu-cow-i386": (">", 8, 1024, 1032, 1036, 1044, None, 1048),
}

MAGICS = {"uml-cow-v1": b"MOOO\1\0\0\0", "uml-cow-v1-64": b"MOOO\1\0\0\0"}
MAGICS.update({"uml-cow-v1-be": b"OOOM\0\0\0\1", "uml-cow-v1-be-64": b"OOOM\0\0\0\1"})
MAGICS.update({"uml-cow-v2-long": b"OOOM" + bytes(7) + b"\2" + bytes(4)})
MAGICS.update({"uml-cow-v3": b"OOOM\0\0\0\3", "uml-cow-v3-64": b"OOOM\0\0\0\3"})


def round_up(value, unit):
    return (value + unit - 1) // unit * unit


class Image:
    def __init__(self, path, variant):
        order, path_at, path_bytes, mtime, size, sector, align, header = VARIANTS[variant]
        with open(path, "rb") as f:
            self.bytes = f.read()
        b = self.bytes

        def number(at, kind):
            return struct.unpack_from(order + kind, b, at)[0]

        self.path = b[path_at : path_at + path_bytes].split(b"\0")[0]
        self.mtime = number(mtime, "I")
        self.size = number(size, "Q")
        self.sector = number(sector, "I")
        self.alignment = number(align, "I") if align else 0
        self.sectors = -(-self.size // self.sector)
        if align:
            self.bitmap_offset = round_up(header, self.alignment)
            self.bitmap_bytes = -(-self.sectors // 8)
            unit = self.alignment
            self.mapped = self.sectors
        elif variant.startswith("qemu"):
            self.bitmap_offset = header
            self.bitmap_bytes = -(-(self.size // 512) // 8)
            unit = 512
            self.mapped = self.sectors
        else:
            self.bitmap_offset = header
            self.bitmap_bytes = self.sectors // 8
            unit = self.sector
            self.mapped = self.bitmap_bytes * 8
        self.data_offset = round_up(self.bitmap_offset + self.bitmap_bytes, unit)

    def is_dirty(self, sector):
        at = self.bitmap_offset + sector // 8
        return sector < self.mapped and at < len(self.bytes) and self.bytes[at] >> (sector % 8) & 1

    def dirty(self):
        return [n for n in range(self.sectors) if self.is_dirty(n)]

    def under(self, backing):
        """What the backing gives: zeros past its end."""
        under = b""
        if backing != "-":
            with open(backing, "rb") as f:
                under = f.read(self.size)
        return under + bytes(self.size - len(under))

    def held(self, start, end):
        """What the image holds for these bytes of the disk, whatever its bits say."""
        data = self.bytes[self.data_offset + start : self.data_offset + end]
        return data + bytes(end - start - len(data))

    def extent(self, n):
        return n * self.sector, min((n + 1) * self.sector, self.size)

    def compose(self, backing, size=0):
        disk = bytearray(self.under(backing))
        for n in self.dirty():
            start, end = self.extent(n)
            disk[start:end] = self.held(start, end)
        return bytes(disk) + bytes(max(0, size - self.size))

    def mixed(self):
        per_page = 4096 // self.sector
        out = []
        for first in range(0, self.sectors, max(1, per_page)):
            bits = {bool(self.is_dirty(n)) for n in range(first, min(first + per_page, self.sectors))}
            if len(bits) == 2:
                out.append(first // per_page)
        return out

    def scan(self, backing):
        under, out = self.under(backing), []
        for n in range(self.sectors):
            start, end = self.extent(n)
            held, below = self.held(start, end), under[start:end]
            if self.is_dirty(n):
                what = "redundant" if held == below else "changed" if any(held) else "zero"
            else:
                what = "orphan" if any(held) and held != below else "clean"
            if out and out[-1][2] == what:
                out[-1][1] += end - start
            else:
                out.append([start, end - start, what])
        return out


def ranges(numbers):
    out = []
    for n in numbers:
        if out and out[-1][1] == n - 1:
            out[-1][1] = n
        else:
            out.append([n, n])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in out) or "-"


def numbers(text):
    out = []
    for part in text.split(",") if text != "-" else []:
        first, _, last = part.partition("-")
        out += range(int(first), int(last or first) + 1)
    return out


def make(path, backing, alignment, dirty):
    """Sector n is filled with a pattern that tells n, so that a misplaced sector shows."""
    info = os.stat(backing)
    size, n_sectors = info.st_size, -(-info.st_size // 512)
    bitmap_offset = round_up(4128, alignment)
    data_offset = round_up(bitmap_offset + -(-n_sectors // 8), alignment)
    head = struct.pack(">4sIIQIII", b"OOOM", 3, int(info.st_mtime), size, 512, alignment, 0)
    bits = bytearray(-(-n_sectors // 8))
    with open(path, "wb") as f:
        f.write(head + os.path.abspath(backing).encode("utf-8", "surrogateescape"))
        for n in dirty:
            bits[n // 8] |= 1 << n % 8
            f.seek(data_offset + n * 512)
            f.write(struct.pack("<Q", n * 2654435761 + 1) * 64)
        f.seek(bitmap_offset)
        f.write(bits)
        f.truncate(data_offset + n_sectors * 512)


def fill(path, image, backing, sectors, what):
    under = image.under(backing)
    with open(path, "r+b") as f:
        for n in sectors:
            start, end = image.extent(n)
            other = (struct.pack("<Q", n * 40503 + 7) * (image.sector // 8))[: end - start]
            f.seek(image.data_offset + start)
            f.write({"zero": bytes(end - start), "same": under[start:end], "other": other}[what])


def write_as(image, variant, out, alignment=4096):
    order, path_at, _, mtime, size, sector, align, header = VARIANTS[variant]
    magic = MAGICS.get(variant, b"OOOM\0\0\0\2")
    head = bytearray(header)
    head[: len(magic)] = magic
    head[path_at : path_at + len(image.path)] = image.path
    fields = [(mtime, "I", image.mtime), (size, "Q", image.size), (sector, "I", image.sector)]
    for at, kind, value in fields + ([(align, "I", alignment)] if align else []):
        struct.pack_into(order + kind, head, at, value)
    with open(out, "wb") as f:
        f.write(head)
    new = Image(out, variant)
    with open(out, "r+b") as f:
        bits = bytearray(new.bitmap_bytes)
        for n in image.dirty():
            if n < new.mapped:
                bits[n // 8] |= 1 << n % 8
        f.seek(new.bitmap_offset)
        f.write(bits)
        f.seek(new.data_offset)
        f.write(image.bytes[image.data_offset : image.data_offset + image.size])


def main(argv):
    command = argv[1]
    if command == "header":
        image = Image(argv[2], argv[3])
        for name in "size sector alignment mtime bitmap_offset bitmap_bytes data_offset".split():
            print(name, getattr(image, name))
        print("path", os.fsdecode(image.path))
    elif command == "dirty":
        print(ranges(Image(argv[2], argv[3]).dirty()))
    elif command == "compose":
        size = int(argv[5]) if len(argv) > 5 else 0
        print(hashlib.sha256(Image(argv[2], argv[3]).compose(argv[4], size)).hexdigest())
    elif command == "raw":
        with open(argv[5], "wb") as f:
            f.write(Image(argv[2], argv[3]).compose(argv[4]))
    elif command == "make":
        make(argv[2], argv[3], int(argv[4]), numbers(argv[5]))
    elif command == "mixed":
        print(ranges(Image(argv[2], argv[3]).mixed()))
    elif command == "scan":
        for start, length, what in Image(argv[2], argv[3]).scan(argv[4]):
            print(start, length, what)
    elif command == "fill":
        fill(argv[2], Image(argv[2], argv[3]), argv[4], numbers(argv[5]), argv[6])
    elif command == "as":
        write_as(Image(argv[2], argv[3]), argv[4], argv[5])
    elif command == "poke":
        with open(argv[2], "r+b") as f:
            f.seek(int(argv[3]))
            f.write(bytes.fromhex(argv[4]))
    else:
        sys.exit("model.py: unknown command " + command)


if __name__ == "__main__":
    main(sys.argv)

# SPDX-License-Identifier: GPL-3.0-or-later
"""The COW formats as share/doc/format.md tells them: fields, geometry, and how an image and its backing file
make a disk. Written from those tables alone; nothing here knows the product."""
import os
import struct
from dataclasses import dataclass

from sparse import Pages, pieces

TIB = 1 << 40
KERNEL_OFFSET_MAX = 2**31 - 1  # kernels hold offsets in a signed 32-bit number
SIZE_LIMIT = 8 * TIB
SMALLEST_SIZE = 32768 + 512  # disks of 32 KiB hang the guest


@dataclass(frozen=True)
class Variant:
    """Fields as (offset, bytes)."""

    magic: bytes
    order: str
    path: tuple
    mtime: tuple
    size: int
    sector: int
    fields_end: int
    alignment: int = 0
    geometry: str = "truncated"


V1L, V1B, V2 = b"MOOO\1\0\0\0", b"OOOM\0\0\0\1", b"OOOM\0\0\0\2"
V2L, V3 = b"OOOM\0\0\0\0\0\0\0\2\0\0\0\0", b"OOOM\0\0\0\3"
VARIANTS = {
    "uml-cow-v1": Variant(V1L, "<", (8, 256), (264, 4), 268, 276, 280),
    "uml-cow-v1-64": Variant(V1L, "<", (8, 256), (264, 8), 272, 280, 288),
    "uml-cow-v1-be": Variant(V1B, ">", (8, 256), (264, 4), 268, 276, 280),
    "uml-cow-v1-be-64": Variant(V1B, ">", (8, 256), (264, 8), 272, 280, 288),
    "uml-cow-v2": Variant(V2, ">", (8, 4096), (4104, 4), 4108, 4116, 4120),
    "uml-cow-v2-64": Variant(V2, ">", (8, 4096), (4104, 4), 4112, 4120, 4128),
    "uml-cow-v2-long": Variant(V2L, ">", (16, 4096), (4112, 4), 4120, 4128, 4136),
    "uml-cow-v3": Variant(V3, ">", (32, 4096), (8, 4), 12, 20, 4128, 24, "aligned"),
    "uml-cow-v3-64": Variant(V3, ">", (36, 4096), (8, 4), 16, 24, 4136, 28, "aligned"),
    "qemu-cow": Variant(V2, ">", (8, 1024), (1032, 4), 1040, 1048, 1056, 0, "qemu"),
    "qemu-cow-i386": Variant(V2, ">", (8, 1024), (1032, 4), 1036, 1044, 1048, 0, "qemu"),
}


def round_up(value, unit):
    return -(-value // unit) * unit


@dataclass(frozen=True)
class Layout:
    """Where things lie. `mapped` sectors have a bit."""

    sectors: int
    mapped: int
    bitmap_offset: int
    bitmap_bytes: int
    data_offset: int

    @property
    def bitmap_end(self):
        return self.bitmap_offset + self.bitmap_bytes

    @property
    def capacity(self):
        """How large a disk with sectors of 512 can become before its data must move."""
        return (self.data_offset - self.bitmap_offset) * 8 * 512


def layout(name, size, sector, alignment):
    variant = VARIANTS[name]
    sectors = -(-size // sector)
    bitmap_offset, bitmap_bytes, unit = variant.fields_end, -(-sectors // 8), 512
    mapped = sectors
    if variant.geometry == "truncated":
        bitmap_bytes, unit = sectors // 8, sector
        mapped = bitmap_bytes * 8
    elif variant.geometry == "aligned":
        bitmap_offset, unit = round_up(variant.fields_end, alignment), alignment
    data_offset = round_up(bitmap_offset + bitmap_bytes, unit)
    return Layout(sectors, mapped, bitmap_offset, bitmap_bytes, data_offset)


def fits_kernel(size, alignment):
    return layout("uml-cow-v3", size, 512, alignment).data_offset <= KERNEL_OFFSET_MAX


def largest_size():
    """The largest disk with whole sectors that an alignment of 4096 lets a kernel read."""
    return (KERNEL_OFFSET_MAX // 4096 * 4096 - round_up(VARIANTS["uml-cow-v3"].fields_end, 4096)) * 8 * 512


def surely_too_large():
    """The smallest one that no alignment does."""
    return (KERNEL_OFFSET_MAX - VARIANTS["uml-cow-v3"].fields_end) * 8 * 512 + 512


def encode(name, path, mtime, size, sector, alignment, noise):
    """A header. noise(n) gives n bytes for what real files leave uninitialised."""
    variant = VARIANTS[name]
    out = bytearray(variant.fields_end)
    out[: len(variant.magic)] = variant.magic
    at, width = variant.path
    tail = bytes(width) if variant.geometry == "qemu" else noise(width)
    out[at : at + width] = (path + b"\0" + tail)[:width]
    struct.pack_into(variant.order + ("Q" if variant.mtime[1] == 8 else "I"), out, variant.mtime[0], mtime)
    struct.pack_into(variant.order + "Q", out, variant.size, size)
    struct.pack_into(variant.order + "I", out, variant.sector, sector)
    if variant.alignment:
        struct.pack_into(">II", out, variant.alignment, alignment, 0)
    if name == "uml-cow-v3-64":
        out[12:16] = noise(4)
    return bytes(out)


@dataclass(frozen=True)
class Image:
    """A v3 as it lies in the file."""

    mtime: int
    size: int
    sector: int
    alignment: int
    cow_format: int
    path: bytes
    layout: Layout
    runs: list  # of dirty sectors: (first, end)


def read_v3(path):
    """Reads a v3; None if it is none, or has fields that make no sense."""
    with open(path, "rb") as f:
        head = f.read(4128)
    if len(head) < 4128 or head[:8] != V3 or head[32:36] == bytes(4):
        return None
    mtime, size, sector, alignment, cow_format = struct.unpack_from(">IQIII", head, 8)
    if sector not in [512 << i for i in range(8)] or alignment == 0 or not 0 < size < SIZE_LIMIT:
        return None
    lay = layout("uml-cow-v3", size, sector, alignment)
    bits = Pages.of_file(path, lay.bitmap_offset, lay.bitmap_end)
    stored = head[32:].split(b"\0")[0]
    return Image(mtime, size, sector, alignment, cow_format, stored, lay, bits.bits(0, lay.mapped))


def compose(path, image, backing):
    """The disk: a v3 over the pages of its backing file."""
    disk = backing.copy()
    disk.zero(image.size)
    base = image.layout.data_offset
    fd = os.open(path, os.O_RDONLY)
    try:
        for first, end in image.runs:
            begin, stop = first * image.sector, min(end * image.sector, image.size)
            disk.zero(begin, stop)
            for offset, piece in pieces(fd, base + begin, base + stop):
                disk.write(offset - base, piece)
    finally:
        os.close(fd)
    return disk

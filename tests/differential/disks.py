# SPDX-License-Identifier: GPL-3.0-or-later
"""Random images with a backing file: every variant, and what happens to images in the wild.

A disk is decided by its random generator alone, so that a number repeats it."""
import os
import struct
from dataclasses import dataclass

from model import MAGICS, VARIANTS, round_up

PAGE = 4096
ALIGNMENTS = [4096] * 5 + [1, 3, 512, 1000, 8192, 65536, 1 << 20]
KIB, MIB = 1 << 10, 1 << 20


@dataclass
class Disk:
    """How an image was made; `backing` is None for a QEMU image without one."""

    directory: str
    variant: str
    sector: int
    alignment: int
    size: int
    mtime: int
    stored: bytes
    backing: str
    named: bool  # its stored path leads nowhere: it wants -b
    story: str

    @property
    def image(self):
        return os.path.join(self.directory, "x.cow")


def geometry(variant, size, sector, alignment):
    """(bitmap offset, bitmap bytes, data offset, sectors, sectors that have a bit)"""
    at, sectors = VARIANTS[variant][7], -(-size // sector)
    if variant.startswith("uml-cow-v3"):
        at, n_bytes, unit = round_up(at, alignment), -(-sectors // 8), alignment
    elif variant.startswith("qemu"):
        n_bytes, unit = -(-(size // 512) // 8), 512
    else:
        n_bytes, unit = sectors // 8, sector
    return at, n_bytes, round_up(at + n_bytes, unit), sectors, min(sectors, n_bytes * 8)


def pick_size(rng, unit):
    size = rng.randrange(100 * KIB, MIB) if rng.random() < 0.8 else rng.randrange(33 * KIB, 3 * MIB)
    kind = rng.random()
    if unit > 1 or kind < 0.8:
        size = round_up(size, PAGE if kind < 0.5 else 512)
    return size


# ---- content ---------------------------------------------------------------------------------------------


def page_bytes(rng):
    kind = rng.random()
    if kind < 0.5:
        return rng.randbytes(PAGE)
    if kind < 0.65:
        return bytes(PAGE)
    if kind < 0.85:
        return bytes([rng.randrange(256)]) * PAGE
    return b"".join(rng.choice([bytes(512), rng.randbytes(512)]) for _ in range(PAGE // 512))


def write_raw(rng, path, size, mtime_ns):
    """A raw disk: stretches of pages, some of them holes."""
    with open(path, "wb") as f:
        at = 0
        while at < size:
            pages = rng.choice([1, 1, 2, 5, 20])
            if rng.random() < 0.75:
                data = b"".join(page_bytes(rng) for _ in range(pages))
                f.seek(at)
                f.write(data[: size - at])
            at += pages * PAGE
        f.truncate(size)
    os.utime(path, ns=(mtime_ns, mtime_ns))


def vary_raw(rng, path, old, mtime_ns):
    """Another raw disk of the size of `old`, that differs in a page, a sector, a byte here and there."""
    new = bytearray(old)
    for _ in range(rng.choice([0, 1, 3, 10, 40])):
        length = min(len(new), rng.choice([1, 1, 512, 512, PAGE, PAGE, 3 * PAGE, 50000]))
        at = rng.randrange(len(new) - length + 1)
        if length > 1 and rng.random() < 0.7:
            at -= at % length
        new[at : at + length] = rng.choice([bytes(length), rng.randbytes(length)])
    with open(path, "wb") as f:
        for at in range(0, len(new), PAGE):
            page = new[at : at + PAGE]
            if any(page) or rng.random() < 0.3:
                f.seek(at)
                f.write(page)
        f.truncate(len(new))
    os.utime(path, ns=(mtime_ns, mtime_ns))
    return bytes(new)


def content(rng, under):
    """What a sector of the COW holds; None: a hole. `under` is what the backing file has there."""
    kind = rng.random()
    if kind < 0.35:
        return rng.randbytes(len(under))
    if kind < 0.6:
        return bytes(under)
    if kind < 0.72:
        return bytes(len(under))
    if kind < 0.87:
        return None
    near = bytearray(under)
    near[rng.choice([0, -1, rng.randrange(len(under))])] ^= 1 << rng.randrange(8)
    return bytes(near)


def strokes(rng, sectors, sector):
    """Stretches (first, count, dirty) as a guest, a crash or a discard makes them."""
    page = max(1, PAGE // sector)
    for _ in range(rng.choice([0, 1, 3, 10, 30, 60])):
        first, count = rng.randrange(sectors), rng.choice([1, 1, 1, 2, 3, page, page, 2 * page, 5 * page, 64])
        if count % page == 0 and rng.random() < 0.8:
            first -= first % page
        if rng.random() < 0.1:
            first = rng.choice([0, max(0, sectors - count)])
        yield first, min(count, sectors - first), rng.random() < 0.85


def paint(rng, disk, under):
    """The bit and the bytes (None: never written) of each sector."""
    sectors = -(-disk.size // disk.sector)
    bits, data = bytearray(sectors), [None] * sectors
    if rng.random() < 0.06:
        paint_twins(rng, disk, under, bits, data)
        return bits, data
    for first, count, dirty in strokes(rng, sectors, disk.sector):
        discarded = first  # up to there a hole
        if count >= 16 and rng.random() < 0.4:
            discarded += count // rng.choice([1, 2])
        alike = rng.random() < 0.5
        mood = rng.getrandbits(32)
        for n in range(first, first + count):
            bits[n] = dirty
            choose = type(rng)(mood) if alike else rng
            below = under[n * disk.sector : (n + 1) * disk.sector]
            data[n] = None if n < discarded else content(choose, below + bytes(disk.sector - len(below)))
    return bits, data


def paint_twins(rng, disk, under, bits, data):
    """Halves of pages, as many changed as redundant: what compact drops is as much as it completes."""
    half = max(1, PAGE // 2 // disk.sector)
    pages = rng.sample(range(len(bits) // (2 * half)), 2)
    for page, changed in zip(pages, (True, False)):
        for n in range(page * 2 * half, page * 2 * half + half):
            bits[n] = 1
            data[n] = rng.randbytes(disk.sector) if changed else under[n * disk.sector : (n + 1) * disk.sector]


# ---- the image ---------------------------------------------------------------------------------------------


def header(rng, disk):
    order, path_at, path_bytes, mtime, size, sector, align, end = VARIANTS[disk.variant]
    head = bytearray(end)
    if not disk.variant.startswith("qemu") and rng.random() < 0.5:  # uninitialised memory behind the path
        head[path_at : path_at + path_bytes] = rng.randbytes(path_bytes)
    magic = MAGICS.get(disk.variant, b"OOOM\0\0\0\2")
    head[: len(magic)] = magic
    head[path_at : path_at + len(disk.stored) + 1] = disk.stored + b"\0"
    if disk.variant == "uml-cow-v3-64":
        head[12:16] = rng.randbytes(4)
    struct.pack_into(order + "I", head, mtime, disk.mtime)
    struct.pack_into(order + "Q", head, size, disk.size)
    struct.pack_into(order + "I", head, sector, disk.sector)
    if align:
        struct.pack_into(">I", head, align, disk.alignment)
    return head


def pack_bits(rng, bits, mapped, n_bytes, room):
    """The bitmap. Its padding, and in v1 and v2 the byte behind it, may hold anything."""
    out = bytearray(n_bytes)
    for n in range(mapped):
        out[n // 8] |= bits[n] << n % 8
    if rng.random() < 0.4:
        if mapped % 8:
            out[-1] |= rng.randrange(256) << mapped % 8 & 0xFF
        out += rng.randbytes(min(room, rng.choice([0, 1, 8, 16])))
    return out


def file_length(rng, disk, bitmap_end, data_offset, sectors):
    full = data_offset + sectors * disk.sector
    kind = rng.random()
    if kind < 0.5:
        return full
    if kind < 0.7:
        return data_offset + disk.size
    if kind < 0.8:
        return max(full, bitmap_end + 24)
    if kind < 0.95:  # what is missing is zeros
        return rng.randrange(data_offset, full)
    least = bitmap_end if disk.variant.startswith("qemu") else VARIANTS[disk.variant][7]
    return rng.randrange(least, data_offset + 1)


def write_image(rng, disk, bits, data):
    bitmap_at, n_bytes, data_offset, sectors, mapped = geometry(disk.variant, disk.size, disk.sector, disk.alignment)
    with open(disk.image, "wb") as f:
        f.write(header(rng, disk))
        f.seek(bitmap_at)
        f.write(pack_bits(rng, bits, mapped, n_bytes, data_offset - bitmap_at - n_bytes))
        for n, piece in enumerate(data):
            if piece is not None:
                f.seek(data_offset + n * disk.sector)
                f.write(piece)
        f.truncate(file_length(rng, disk, bitmap_at + n_bytes, data_offset, sectors))


def pick_backing(rng, directory, size, qemu):
    """(path or None, its size, what is stored, whether -b is needed)"""
    if qemu and rng.random() < 0.15:
        return None, 0, b"", False
    path, kind = os.path.join(directory, "b.img"), rng.random()
    if kind > 0.85:
        size = rng.randrange(size) if kind < 0.96 else size + rng.randrange(1, 9000)
    kind = rng.random()
    if kind < 0.08:
        return path, size, b"/none/such.img", True
    return path, size, b"b.img" if kind < 0.3 else os.fsencode(path), False


def make(rng, directory):
    variant = rng.choice(list(VARIANTS) + ["uml-cow-v3"] * 8 + ["uml-cow-v2"] * 2)
    qemu = variant.startswith("qemu")
    sector = 512 if qemu else rng.choice([512] * 8 + [1024, 1024, 4096, 4096, 16384])
    size = pick_size(rng, 512 if qemu else 1)
    alignment = rng.choice(ALIGNMENTS)
    backing, backing_size, stored, named = pick_backing(rng, directory, size, qemu)
    mtime = rng.randrange(10**9, (17 if rng.random() < 0.9 else 40) * 10**8)  # now and then in the future
    under = b""
    if backing:
        late = rng.choice([0] * 9 + [1])  # somebody has touched it since
        write_raw(rng, backing, backing_size, (mtime + late) * 10**9 + rng.randrange(10**9))
        with open(backing, "rb") as f:
            under = f.read(size)
    story = f"{variant} size {size} sector {sector} alignment {alignment} backing {backing_size if backing else 'none'}"
    disk = Disk(directory, variant, sector, alignment, size, mtime, stored, backing, named, story)
    write_image(rng, disk, *paint(rng, disk, under + bytes(size - len(under))))
    return disk

# SPDX-License-Identifier: GPL-3.0-or-later
"""What is right, from the bytes of the files alone: the composed disk, the origin of each sector, and which bits a
change has to leave. Decoded by the e2e suite's model.py; nothing here knows the product."""
import errno
import os

from model import Image

SECTOR, PAGE = 512, 4096


def read(path, limit=-1):
    with open(path, "rb") as f:
        return f.read(limit)


def data_extents(path):
    """What SEEK_DATA calls data, as [start, end)."""
    out = []
    fd = os.open(path, os.O_RDONLY)
    try:
        at, size = 0, os.fstat(fd).st_size
        while at < size:
            try:
                start = os.lseek(fd, at, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                break
            at = os.lseek(fd, start, os.SEEK_HOLE)
            out.append((start, at))
    finally:
        os.close(fd)
    return out


class Holes:
    """Asked in ascending order: is [start, end) a hole as a whole?"""

    def __init__(self, extents):
        self.extents, self.next = extents, 0

    def cover(self, start, end):
        while self.next < len(self.extents) and self.extents[self.next][1] <= start:
            self.next += 1
        return self.next == len(self.extents) or self.extents[self.next][0] >= end


def dirty_512(image):
    """The dirty sectors of an image, in sectors of 512 bytes."""
    times, end = image.sector // SECTOR, -(-image.size // SECTOR)
    return {k for n in image.dirty() for k in range(n * times, min(n * times + times, end))}


class Truth:
    """An image over its backing file (None: zeros)."""

    def __init__(self, path, variant, backing):
        self.image = Image(path, variant)
        self.path, self.backing_path = path, backing
        self.size = self.image.size
        self.disk = self.image.compose(backing or "-")
        self.under = pad(read(backing, self.size) if backing else b"", self.size)
        self.dirty = dirty_512(self.image)

    def after_pages(self):
        return {n for page in pages(self.size) if any(k in self.dirty for k in page) for n in page}

    def after_compact(self):
        return {
            n
            for page in pages(self.size)
            if any(k in self.dirty for k in page) and differs(self.disk, self.under, page)
            for n in page
        }

    def after_compact_small(self):
        """Where completing made the file larger: the pages that differ, as they are."""
        return self.after_compact() & self.dirty

    def after_compact_sectors(self):
        return {n for n in self.dirty if differs(self.disk, self.under, range(n, n + 1))}

    def origins(self):
        """The origin of each sector, after a scan."""
        image, sector = self.image, self.image.sector
        in_cow = Holes(data_extents(self.path))
        backing_bytes = os.path.getsize(self.backing_path) if self.backing_path else 0
        in_backing = Holes(data_extents(self.backing_path) if self.backing_path else [])
        out = []
        for n in range(image.sectors):
            start = n * sector
            end = min(start + sector, self.size)
            at = image.data_offset + start
            own = pad(image.bytes[at : at + end - start], end - start)
            cow_hole = in_cow.cover(at, at + sector)
            backing_hole = in_backing.cover(start, start + sector)
            same = own == self.under[start:end]
            if image.is_dirty(n):
                out.append("redundant" if same else "hole" if cow_hole else "changed" if any(own) else "zero")
            elif not same and any(own):
                out.append("orphan")
            elif start >= backing_bytes:
                out.append("beyond-backing")
            else:
                out.append("backing-hole" if backing_hole else "backing")
        return out


def pad(data, size):
    return data + bytes(size - len(data))


def pages(size):
    sectors = -(-size // SECTOR)
    for first in range(0, sectors, PAGE // SECTOR):
        yield range(first, min(first + PAGE // SECTOR, sectors))


def whole_pages(size):
    return [page for page in pages(size) if page.stop * SECTOR <= size and len(page) == PAGE // SECTOR]


def differs(a, b, sectors):
    span = slice(sectors.start * SECTOR, sectors.stop * SECTOR)
    return a[span] != b[span]


def pages_that_differ(a, b):
    return {n for page in pages(len(a)) if differs(a, b, page) for n in page}


def sectors_that_differ(a, b):
    return {n for n in range(-(-len(a) // SECTOR)) if differs(a, b, range(n, n + 1))}

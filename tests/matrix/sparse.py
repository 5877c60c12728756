# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and disks of any size that are mostly zeros: a dict of the pages that somebody wrote."""
import hashlib
import os
import re

PAGE = 4096
PIECE = 1 << 20
FOREVER = 1 << 62


def extents(fd, begin, end):
    """The stretches of [begin, end) of a file that are not holes."""
    while begin < end:
        try:
            data = os.lseek(fd, begin, os.SEEK_DATA)
        except OSError:  # ENXIO: nothing but a hole until the end of the file
            return
        if data >= end:
            return
        hole = min(os.lseek(fd, data, os.SEEK_HOLE), end)
        yield data, hole
        begin = hole


def pieces(fd, begin, end):
    """The same as (offset, bytes), in pieces."""
    for data, hole in extents(fd, begin, end):
        while data < hole:
            piece = os.pread(fd, min(PIECE, hole - data), data)
            if not piece:
                return
            yield data, piece
            data += len(piece)


class Pages:
    """Bytes by offset. Pages that are not there are zeros; a page of zeros that was written is there."""

    def __init__(self, pages=()):
        self.pages = dict(pages)

    @classmethod
    def of_file(cls, path, begin=0, end=FOREVER):
        """What a file holds from begin to end; begin becomes 0."""
        out = cls()
        fd = os.open(path, os.O_RDONLY)
        try:
            for offset, piece in pieces(fd, begin, min(end, os.fstat(fd).st_size)):
                out.write(offset - begin, piece)
        finally:
            os.close(fd)
        return out

    def copy(self):
        return Pages(self.pages)

    def write(self, offset, data):
        at = 0
        while at < len(data):
            page, inside = divmod(offset + at, PAGE)
            length = min(PAGE - inside, len(data) - at)
            chunk = bytes(data[at : at + length])
            if length < PAGE:
                old = self.pages.get(page, bytes(PAGE))
                chunk = old[:inside] + chunk + old[inside + length :]
            self.pages[page] = chunk
            at += length

    def read(self, offset, length):
        out = bytearray()
        while len(out) < length:
            page, inside = divmod(offset + len(out), PAGE)
            out += self.pages.get(page, bytes(PAGE))[inside : inside + length - len(out)]
        return bytes(out)

    def within(self, begin, end):
        """The numbers of the pages that are there and touch [begin, end)."""
        first, last = begin // PAGE, (end - 1) // PAGE
        if last - first < len(self.pages):
            return [page for page in range(first, last + 1) if page in self.pages]
        return sorted(page for page in self.pages if first <= page <= last)

    def zero(self, begin, end=FOREVER):
        """Zeros from begin to end, at no cost for what is zero already."""
        for page in self.within(begin, end) if begin < end else ():
            start = page * PAGE
            low, high = max(begin - start, 0), min(end - start, PAGE)
            old = self.pages[page]
            self.pages[page] = old[:low] + bytes(high - low) + old[high:]
            if high - low == PAGE:
                del self.pages[page]

    def set_bits(self, base, first, end):
        """Bits first to end - 1 of the bitmap that begins at byte base."""
        while first < end:
            length = 8 if first % 8 == 0 and end - first >= 8 else 1
            if length == 8:
                length = (end - first) // 8 * 8
                self.write(base + first // 8, b"\xff" * (length // 8))
            else:
                old = self.read(base + first // 8, 1)[0]
                self.write(base + first // 8, bytes([old | 1 << first % 8]))
            first += length

    def bits(self, base, n_bits):
        """The set ones of n_bits bits from byte base on, as a list of (first, end), ascending and joined."""
        out = []
        for page in self.within(base, base + (n_bits + 7) // 8) if n_bits else ():
            for found in re.finditer(rb"\xff+|[^\x00\xff]", self.pages[page]):
                bit = (page * PAGE + found.start() - base) * 8
                if found.group()[0] == 0xFF:
                    add_run(out, bit, bit + len(found.group()) * 8)
                    continue
                for i in range(8):
                    if found.group()[0] >> i & 1:
                        add_run(out, bit + i, bit + i + 1)
        return clip(out, 0, n_bits)

    def save(self, path, size):
        """As a file of size bytes. What is written may stand past that end only as zeros."""
        with open(path, "wb", buffering=0) as f:
            for page in sorted(self.pages):
                f.seek(page * PAGE)
                f.write(self.pages[page])
            f.truncate(size)

    def end(self):
        """One past the last page that is there."""
        return (max(self.pages) + 1) * PAGE if self.pages else 0

    def meaning(self):
        """The pages that are not zeros."""
        return {page: data for page, data in self.pages.items() if data.count(0) < PAGE}

    def difference(self, other):
        """The offset of the first byte that differs, or None."""
        mine, theirs = self.meaning(), other.meaning()
        if mine == theirs:
            return None
        for page in sorted(mine.keys() | theirs.keys()):
            a, b = mine.get(page, bytes(PAGE)), theirs.get(page, bytes(PAGE))
            if a != b:
                return page * PAGE + next(i for i in range(PAGE) if a[i] != b[i])
        return None

    def digest(self):
        sha = hashlib.sha256()
        meaning = self.meaning()
        for page in sorted(meaning):
            sha.update(b"%d " % page)
            sha.update(meaning[page])
        return sha.hexdigest()


def add_run(runs, first, end):
    """Appends to an ascending list, joined with its last run where they touch."""
    if runs and runs[-1][1] >= first:
        runs[-1] = (runs[-1][0], max(end, runs[-1][1]))
    elif first < end:
        runs.append((first, end))


def joined(runs):
    out = []
    for first, end in sorted(runs):
        add_run(out, first, end)
    return out


def clip(runs, begin, end):
    return [(max(a, begin), min(b, end)) for a, b in runs if a < end and b > begin]

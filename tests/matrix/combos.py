# SPDX-License-Identifier: GPL-3.0-or-later
"""The combinations: which image, on which backing file, with what in it. Variant and class of size go round,
so that every pair of them comes up once in len(VARIANTS) * len(SIZES) combinations; all else is drawn."""
import os
import random
from dataclasses import dataclass, field

from formats import KERNEL_OFFSET_MAX, SIZE_LIMIT, TIB, VARIANTS, encode, largest_size, layout, round_up
from sparse import Pages, joined

GIB, MIB = 1 << 30, 1 << 20
SIZES = "1 7 8 9 63 64 65 32767 32768 32769 odd-small odd 2G-512 2G 2G+512 4G-512 4G 4G+512".split()
SIZES += "medium large top offset".split()
PATTERNS = "none all edges edges runs runs random random last discard".split()
BACKINGS = "full full holes holes shorter empty longer hole".split()
ALIGNMENTS = [512] * 3 + [4096] * 5 + [65536] * 3 + [MIB] * 3 + [512 * MIB] * 2 + [1, 1000]
LETTERS = bytes(byte % 126 + 1 for byte in range(256)).replace(b"H", b"h")  # no zero, and no magic of a filesystem (HFS+: two letters)
V1_64_LIMIT = 2 * TIB  # from there on it cannot be told from a v1


@dataclass
class Disk:
    """An image in a directory, and what must be in it."""

    variant: str
    sector: int
    alignment: int
    size: int
    mtime: int
    stored: bytes  # the backing path in the header
    backing: str  # the backing file's name, or None
    pages: Pages = field(default_factory=Pages)  # the composed disk
    runs: list = field(default_factory=list)  # of dirty sectors
    overlong: bool = False  # the file goes on past its layout
    label: str = ""

    @property
    def layout(self):
        return layout(self.variant, self.size, self.sector, self.alignment)


def fill(rng, length):
    return rng.randbytes(length).translate(LETTERS)


def draw_size(rng, kind, sector):
    if kind.isdigit():
        return int(kind) * sector
    if kind == "odd-small":
        return rng.choice([1, 511, 513, 4095, 32767, 32769, rng.randrange(1, 200000)])
    if kind == "odd":
        return rng.randrange(20000, 40 * MIB) * 2 + 1
    if kind == "medium":
        return rng.randrange(100, 64 * 2048) * 512
    if kind == "large":
        return rng.randrange(64 * 2048, 7 * TIB // 512) * 512
    if kind == "offset":
        return rng.randrange(4 * TIB // 512 + 1, 6 * TIB // 512) * 512 - rng.choice([0, 0, 1, 511])
    if kind == "top":
        return rng.choice([SIZE_LIMIT - 512, SIZE_LIMIT - 1, largest_size(), largest_size() - 48 * MIB])
    giga, _, rest = kind.partition("G")
    return int(giga) * GIB + int(rest or 0)


def draw_geometry(rng, number):
    """(variant, sector, alignment, class of size, size)."""
    variant = list(VARIANTS)[number % len(VARIANTS)]
    kind = SIZES[number // len(VARIANTS) % len(SIZES)]
    geometry = VARIANTS[variant].geometry
    sector = 512 if geometry == "qemu" else rng.choice([512] * 9 + [1024, 4096, 65536])
    size = draw_size(rng, kind, sector)
    if geometry == "qemu":
        size = min(round_up(size, 512), SIZE_LIMIT - 512)
    if variant == "uml-cow-v1-64" and size >= V1_64_LIMIT:
        size = V1_64_LIMIT - rng.choice([1, 512, 64 * MIB])
    alignment = rng.choice(ALIGNMENTS) if geometry == "aligned" else 0
    if kind == "offset" and geometry == "aligned":
        alignment, sector = 512 * MIB, 512  # the data offset does not fit a kernel's number
    return variant, sector, alignment, kind, size


class Maker:
    """Builds one combination: x.cow and b.img in the working directory of the number given."""

    def __init__(self, rng, number):
        self.rng = rng
        self.variant, self.sector, self.alignment, self.kind, self.size = draw_geometry(rng, number)
        self.layout = layout(self.variant, self.size, self.sector, self.alignment)
        self.qemu = VARIANTS[self.variant].geometry == "qemu"
        self.pattern = rng.choice(PATTERNS)
        if self.pattern == "all" and self.layout.mapped * self.sector > 4 * MIB:
            self.pattern = "edges"
        unders = BACKINGS + ["longer"] * 3 if self.size % 512 else BACKINGS
        self.under = "none" if self.qemu and rng.random() < 0.2 else rng.choice(unders)
        self.garbage = {what for what in ("padding", "path", "orphans", "tail") if rng.random() < 0.5}
        if VARIANTS[self.variant].geometry != "aligned" or rng.random() < 0.6:
            self.garbage.discard("tail")  # a file past its layout: where nothing else could be meant
        self.length = rng.choice(["whole", "exact", "short"])
        self.runs = []

    def noise(self, length):
        return self.rng.randbytes(length) if "path" in self.garbage else bytes(length)

    # The dirty sectors

    def edges(self):
        n = self.layout.mapped
        near = [0, 1, 7, 8, n - 9, n - 8, n - 2, n - 1, 32767, 32768, 524287, 524288, 2**22 - 1, 2**22, 2**23]
        return [(s, s + 1) for s in near if 0 <= s < n and self.rng.random() < 0.7]

    def draw_runs(self):
        n, rng = self.layout.mapped, self.rng
        if n == 0 or self.pattern == "none":
            return []
        if self.pattern == "all":
            return [(0, n)]
        if self.pattern == "edges":
            return joined(self.edges())
        if self.pattern == "last":
            return [(n - 1, n)]
        if self.pattern == "discard":
            first = rng.randrange(n)
            return [(first, min(n, first + rng.randrange(1, 1 << rng.randrange(1, 23))))]
        many, longest = (60, 1) if self.pattern == "random" else (6, 40)
        starts = [rng.randrange(n) for _ in range(rng.randrange(1, many))]
        return joined((s, min(n, s + rng.randrange(1, longest + 1))) for s in starts)

    # The backing file

    def backing_size(self):
        if self.under == "shorter":
            short = [self.size - 1, self.size // 2, max(self.size - 513, 0), self.size // 512 * 512]
            return self.rng.choice(short)
        if self.under == "longer":
            return round_up(self.size, 512) + self.rng.choice([512, 512, 4096, 100 * 512, MIB])
        return 0 if self.under == "empty" else self.size

    def backing_pages(self, size):
        """All of a small one; of others clusters, among them near the dirty sectors and at the end."""
        out = Pages()
        if self.under == "hole" or size == 0:
            return out
        if size <= MIB and self.under != "holes":
            out.write(0, fill(self.rng, size))
            return out
        around = [first * self.sector for first, _ in self.runs[:8]] + [2 * GIB, 4 * GIB]
        spots = around + [0, size - 1] + [self.rng.randrange(size) for _ in range(6)]
        for spot in spots:
            begin = max(spot - self.rng.randrange(6000), 0)
            out.write(begin, fill(self.rng, max(min(size - begin, self.rng.randrange(1, 12000)), 0)))
        if self.under == "longer":
            begin = self.size - min(self.size, 1500)  # something on both sides of the disk's end
            out.write(begin, fill(self.rng, min(size - begin, 3000)))
        return out

    def make_backing(self):
        if self.under == "none":
            return Pages()
        size = self.backing_size()
        pages = self.backing_pages(size)
        pages.save("b.img", size)
        part = self.rng.randrange(10**9)
        os.utime("b.img", ns=(0, self.mtime * 10**9 + part))
        if os.stat("b.img").st_mtime_ns // 10**9 != self.mtime:  # not every filesystem goes past 2038
            self.mtime = 1049522828
            os.utime("b.img", ns=(0, self.mtime * 10**9 + part))
        return pages

    # The COW file

    def write_run(self, cow, disk, first, end):
        """The data of a run of dirty sectors: bytes, zeros, a hole, or what the backing file has there."""
        begin, stop = first * self.sector, end * self.sector
        kind = self.rng.choices(["bytes", "zeros", "hole", "same"], [6, 1, 2, 1])[0]
        if self.pattern == "discard" or stop - begin > 4 * MIB:
            kind = "hole"
        data = disk.read(begin, stop - begin) if kind == "same" else bytes(0)
        disk.zero(begin, min(stop, self.size))
        if kind == "bytes":
            data = fill(self.rng, stop - begin)  # a last sector is written whole, past the disk's odd end
        elif kind == "zeros":
            data = bytes(stop - begin)
        cow.write(self.layout.data_offset + begin, data)
        disk.write(begin, data[: self.size - begin])

    def write_dirty(self, cow, disk):
        for first, end in self.runs:
            cow.set_bits(self.layout.bitmap_offset, first, end)
            while first < end:
                length = end - first if self.pattern == "discard" else self.rng.choice([1, 1, 2, 9, 400])
                stop = min(end, first + length)
                self.write_run(cow, disk, first, stop)
                first = stop

    def write_orphans(self, cow):
        """Data whose bit is clear."""
        for _ in range(4):
            sector = self.rng.randrange(self.layout.sectors)
            if not any(first <= sector < end for first, end in self.runs):
                cow.write(self.layout.data_offset + sector * self.sector, fill(self.rng, self.sector))

    def write_padding(self, cow):
        """Garbage in the bits past the last sector, behind the bitmap and, in a v3, before it."""
        lay = self.layout
        if lay.mapped % 8:
            old = cow.read(lay.bitmap_end - 1, 1)[0]
            cow.write(lay.bitmap_end - 1, bytes([old | 0xFF << lay.mapped % 8 & 0xFF]))
        for begin in (lay.bitmap_end, lay.data_offset - 700):
            begin = max(begin, lay.bitmap_end)
            cow.write(begin, self.rng.randbytes(min(lay.data_offset - begin, self.rng.randrange(700))))
        if self.alignment:
            before = VARIANTS[self.variant].fields_end
            cow.write(before, self.rng.randbytes(min(lay.bitmap_offset - before, 300)))

    def cow_length(self, cow):
        lay = self.layout
        exact = lay.data_offset + self.size
        if "tail" in self.garbage:
            begin = lay.data_offset + lay.sectors * self.sector
            cow.write(begin, self.rng.randbytes(5000))
            return begin + 5000
        if self.length == "short" and self.variant != "uml-cow-v2-64":  # one that is cut off looks like a v2
            return max(min(cow.end(), exact), 0 if self.alignment else lay.bitmap_end)
        return exact if self.length == "exact" else lay.data_offset + lay.sectors * self.sector

    def stored_path(self):
        absolute = os.path.join(os.getcwd(), "b.img")
        if self.under == "none":
            return b""
        relative = self.rng.random() < 0.2 or len(absolute) >= 255
        return os.fsencode("b.img" if relative else absolute)

    def make(self):
        rng = self.rng
        self.mtime = rng.choice([1049522828, rng.randrange(1, 2**32), 2**31, 2**31 - 1])
        self.runs = self.draw_runs()
        disk = self.make_backing()
        backing = None if self.under == "none" else "b.img"
        disk.zero(self.size)
        cow, stored = Pages(), self.stored_path()
        if "orphans" in self.garbage:
            self.write_orphans(cow)
        self.write_dirty(cow, disk)
        if "padding" in self.garbage:
            self.write_padding(cow)
        fields = (self.mtime, self.size, self.sector, self.alignment)
        cow.write(0, encode(self.variant, stored, *fields, self.noise))
        cow.save("x.cow", self.cow_length(cow))
        return Disk(
            variant=self.variant,
            sector=self.sector,
            alignment=self.alignment,
            size=self.size,
            mtime=self.mtime,
            stored=stored,
            backing=backing,
            pages=disk,
            runs=joined(self.runs),
            overlong="tail" in self.garbage,
            label=self.label(),
        )

    def label(self):
        words = [self.variant, f"sectors of {self.sector}"]
        if self.alignment:
            words.append(f"alignment {self.alignment}")
        words += [f"size {self.size} ({self.kind})", f"dirty: {self.pattern}", f"backing: {self.under}"]
        words += ["garbage: " + (" ".join(sorted(self.garbage)) or "none"), f"length: {self.length}"]
        if self.layout.data_offset > KERNEL_OFFSET_MAX:
            words.append("offset too large for a kernel")
        return ", ".join(words)


def make(seed, number):
    """Makes combination `number` in the working directory: (generator for what follows, disk)."""
    rng = random.Random(f"{seed}/{number}")
    return rng, Maker(rng, number).make()

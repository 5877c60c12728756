#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of the map, held against the bitmap: what colour each cell has, and what the picture's own legend says of it. SVG is
read by an XML parser, PNG by zlib; the bits by the few lines below, independent of src/.

    picture.py SVG IMAGE [OPTION=VALUE]...
        png=FILE       has the same cells, legend and marks
        backing=BYTES  how long the backing file is
        curved=SVG     the cells lie along a curve, and in that picture the same in rows: they are the same as a whole
        scan=BACKING   the picture was made with --scan
        ends=A,B...    the sectors behind an end: the marks are at these, and at no others
IMAGE is a v3. Prints what is wrong, and nothing where nothing is.
"""
import re
import struct
import sys
import xml.etree.ElementTree as ET
import zlib
from collections import Counter

SVG = "{http://www.w3.org/2000/svg}"


class Bits:
    """Of a v3 image, without its data."""

    def __init__(self, path):
        with open(path, "rb") as f:
            header = f.read(4128)
            assert header[:8] == b"OOOM\0\0\0\3", "no v3"
            self.size, self.sector, align = struct.unpack_from(">QII", header, 12)
            self.sectors = -(-self.size // self.sector)
            f.seek(-(-4128 // align) * align)
            self.bits = f.read(-(-self.sectors // 8))

    def dirty(self, first, end):
        """How many of [first, end) are. By bytes, for a disk may be large."""
        end = min(end, self.sectors)
        if end - first < 64:
            return sum(self.is_dirty(n) for n in range(first, end))
        a, b = -(-first // 8), end // 8
        inner = self.bits[a:b]
        count = 8 * inner.count(255)
        if len(inner) != inner.count(255) + inner.count(0):
            count = bin(int.from_bytes(inner, "little")).count("1")
        return count + sum(self.is_dirty(n) for n in range(first, min(8 * a, end))) + \
            sum(self.is_dirty(n) for n in range(max(8 * b, first), end))

    def is_dirty(self, n):
        at = n // 8
        return at < len(self.bits) and self.bits[at] >> n % 8 & 1


class Picture:
    def __init__(self, path):
        root = ET.parse(path).getroot()
        assert root.tag == SVG + "svg", "no SVG"
        self.width, self.height = int(root.get("width")), int(root.get("height"))
        self.title = root.findtext(SVG + "title")
        self.group = {g.get("id"): list(g) for g in root.iter(SVG + "g")}
        assert len(self.group) == len(list(root.iter(SVG + "g"))), "two groups of one name"
        for e in root.iter():
            assert e.tag in (SVG + t for t in ("svg", "g", "title", "rect", "text")), f"a {e.tag}"
        self.rect = {name: [self.box(e) for e in group if e.tag == SVG + "rect"] for name, group in self.group.items()}
        self.text = {name: [e.text for e in group if e.tag == SVG + "text"] for name, group in self.group.items()}
        boxes = self.rect["map"]
        self.left, self.top = min(b[0] for b in boxes), min(b[1] for b in boxes)
        self.pitch = boxes[0][3]

    @staticmethod
    def box(e):
        return tuple(int(e.get(k)) for k in ("x", "y", "width", "height")) + (e.get("fill"),)

    def cells(self):
        """Colours by row and column; a cell that two rectangles cover, or that one covers in part, is an error."""
        out = {}
        for x, y, width, height, fill in self.rect["map"]:
            assert height == self.pitch and width % self.pitch == 0, "a rectangle that is no cells"
            assert (x - self.left) % self.pitch == 0 and (y - self.top) % self.pitch == 0, "between the cells"
            for n in range(width // self.pitch):
                at = ((y - self.top) // self.pitch, (x - self.left) // self.pitch + n)
                assert at not in out, f"two colours at {at}"
                out[at] = fill
        return out

    def legend(self):
        """(colour, words) as they stand."""
        swatches, words = self.rect["legend"], self.text["legend"]
        assert len(swatches) == len(words), "swatches without words"
        return [(s[4], w) for s, w in zip(swatches, words)]

    def first_sector(self, sector_bytes):
        """Of the first cell: what is shown is told exactly, where it is not all."""
        found = re.search(r"shown: ([\d.]+) ?(|.iB) to", " ".join(self.text["scale"]))
        return round(float(found.group(1)) * 1024 ** " KMGT".index((found.group(2) or " ")[0])) // sector_bytes if found else 0

    def cell_sectors(self):
        return int(re.search(r"\((\d+) sectors?\)", " ".join(self.text["scale"])).group(1))


class Shades:
    """What the legend says of a share: the first is more than nothing."""

    def __init__(self, legend):
        self.bound, self.colour = [], {}
        for colour, words in legend:
            found = re.match(r"(?:up to )?(?:[\d.]+-)?([\d.]+)%", words)
            if found:
                self.bound.append((float(found.group(1)) / 100, colour))
            else:
                self.colour[words.split(",")[0]] = colour
        self.is_log = "up to" in legend[1][1] or any("logarithmic" in w for _, w in legend)
        assert len(self.bound) == 4 and sorted(self.bound) == self.bound, "no four shades"

    def fits(self, colour, share):
        """Whether a share may have a colour, by what is written; bounds are told with two digits."""
        at = [c for _, c in self.bound].index(colour) if colour in [c for _, c in self.bound] else -1
        if at < 0:
            return False
        if not self.is_log:
            low = (0, 0.25, 0.5, 1)[at]
            high = (0.25, 0.5, 1, 2)[at]
            return share > 0 and low <= share < high
        low, high = self.bound[at - 1][0] if at else 0, self.bound[at][0]
        return low * 0.94 <= share <= high * 1.06


def scanned(image, backing):
    """Kind of each sector, by the model."""
    import model
    out = []
    img = model.Image(image, "uml-cow-v3")
    for start, length, what in img.scan(backing):
        out += [what] * -(-length // img.sector)
    return out


def scan_colour(shades, kinds):
    count = Counter(kinds)
    if count["orphan"]:
        return shades.colour["orphans"]
    if count["redundant"] > count["changed"] + count["zero"]:
        return shades.colour["mostly redundant"]
    return shades.colour["mostly zeros"] if count["zero"] > count["changed"] else None


def check_cell(bits, shades, first, end, colour, kinds, backing):
    end = min(end, bits.sectors)
    dirty = bits.dirty(first, end)
    other = scan_colour(shades, kinds[first:end]) if kinds else None
    if other:
        return colour == other
    if dirty:
        return shades.fits(colour, dirty / (end - first))
    beyond = end - max(first, min(end, -(-backing // bits.sector))) if backing is not None else 0
    return colour == shades.colour["past its end" if beyond > (end - first) // 2 else "all from the backing file"]


def check_curve(picture, cells, rows):
    """As many of each colour as in rows; neighbours in rows that are alike are so here, too: a curve tears no run apart."""
    other = Picture(rows).cells()
    if Counter(cells.values()) != Counter(other.values()):
        yield "other cells than in rows"
    if cells[(0, 0)] != other[(0, 0)]:
        yield "the first cell is not in the corner"
    if picture.text.get("places"):
        yield "rows have places"
    for colour in set(cells.values()):
        runs = 1 + sum(b != a for a, b in zip(in_order(other, colour), in_order(other, colour)[1:]))
        if pieces({at for at, c in cells.items() if c == colour}) > runs:
            yield f"what is {colour} lies in more pieces than it has runs"


def in_order(cells, colour):
    return [cells[at] == colour for at in sorted(cells)]


def pieces(places):
    """How many pieces hang together, by corners, too."""
    n = 0
    while places:
        todo, n = [places.pop()], n + 1
        while todo:
            y, x = todo.pop()
            for at in [(y + a, x + b) for a in (-1, 0, 1) for b in (-1, 0, 1)]:
                if at in places:
                    places.remove(at)
                    todo.append(at)
    return n


def check(svg, image, png=None, backing=None, curved=None, scan=None, ends=None):
    picture, bits = Picture(svg), Bits(image)
    cells, shades, size = picture.cells(), Shades(picture.legend()), picture.cell_sectors()
    cols = 1 + max(x for _, x in cells)
    first, backing = picture.first_sector(bits.sector), int(backing) if backing is not None else None
    kinds = scanned(image, scan) if scan else None
    n = min(-(-(bits.sectors - first) // size), cols * (1 + max(y for y, _ in cells)))
    if len(cells) != n:
        yield f"{len(cells)} cells, not {n}"
    if curved:
        yield from check_curve(picture, cells, curved)
    else:
        for i in range(n):
            a = first + i * size
            colour = cells.get(divmod(i, cols))
            if colour is None or not check_cell(bits, shades, a, a + size, colour, kinds, backing):
                yield f"cell {i} is {colour}: {bits.dirty(a, a + size)} of {size} dirty"
    if ends is not None:
        marks = {((y + h // 2 - picture.top) // picture.pitch, (x + w // 2 + 1 - picture.left) // picture.pitch)
                 for x, y, w, h, _ in picture.rect.get("ends", [])}
        want = {divmod((int(s) - first) // size, cols) for s in ends.split(",") if s}
        if marks != want:
            yield f"ends at {sorted(marks)}, not {sorted(want)}"
    if png:
        yield from compare(picture, cells, png)


# ---- PNG ----


def chunks(data):
    assert data[:8] == b"\x89PNG\r\n\x1a\n", "no PNG"
    at = 8
    while at < len(data):
        n, = struct.unpack_from(">I", data, at)
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + n]
        assert struct.unpack_from(">I", data, at + 8 + n)[0] == zlib.crc32(kind + body), "a wrong CRC"
        yield kind, body
        at += 12 + n


def paeth(a, b, c):
    p = a + b - c
    pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
    return a if pa <= pb and pa <= pc else b if pb <= pc else c


def unfilter(kind, line, above, bpp):
    out = bytearray(line)
    for i in range(len(out)):
        left, up, corner = (out[i - bpp] if i >= bpp else 0), above[i], (above[i - bpp] if i >= bpp else 0)
        out[i] = out[i] + (0, left, up, (left + up) // 2, paeth(left, up, corner))[kind] & 255
    return out


class Png:
    def __init__(self, path):
        with open(path, "rb") as f:
            parts = list(chunks(f.read()))
        assert parts[0][0] == b"IHDR" and parts[-1][0] == b"IEND", "no whole PNG"
        self.width, self.height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", parts[0][1])
        assert (depth, colour, interlace) == (8, 2, 0), "not 8 bits of red, green and blue"
        raw = zlib.decompress(b"".join(body for kind, body in parts if kind == b"IDAT"))
        stride, self.lines, above = 3 * self.width, [], bytearray(3 * self.width)
        assert len(raw) == self.height * (stride + 1), "too short"
        for y in range(self.height):
            line = raw[y * (stride + 1) + 1 : (y + 1) * (stride + 1)]
            kind = raw[y * (stride + 1)]
            above = bytearray(line) if kind == 0 else unfilter(kind, line, above, 3)
            self.lines.append(above)

    def at(self, x, y):
        return "#" + self.lines[y][3 * x : 3 * x + 3].hex()


def compare(picture, cells, path):
    png = Png(path)
    if (png.width, png.height) != (picture.width, picture.height):
        yield f"{png.width}x{png.height}, not {picture.width}x{picture.height}"
        return
    marks = picture.rect.get("ends", [])
    for (row, col), colour in cells.items():
        x, y = picture.left + col * picture.pitch + picture.pitch // 2, picture.top + row * picture.pitch + picture.pitch // 2
        covered = any(a <= x < a + w and b <= y < b + h for a, b, w, h, _ in marks)
        if png.at(x, y) != colour and not covered:
            yield f"PNG: the cell at {row}, {col} is {png.at(x, y)}, not {colour}"
    for name in ("legend", "ends-told"):
        for x, y, w, h, colour in picture.rect.get(name, []):
            if png.at(x + w // 2, y + h // 2) != colour:
                yield f"PNG: a swatch of the {name} is {png.at(x + w // 2, y + h // 2)}, not {colour}"
    # Each text has ink where it stands, and none behind its end.
    for name in ("head", "legend", "places", "scale", "ends-told"):
        for e in picture.group.get(name, []):
            if e.tag != SVG + "text" or not e.text.strip():
                continue
            x, y, size, width = (float(e.get(k)) for k in ("x", "y", "font-size", "textLength"))
            rows = range(int(y - 0.9 * size), int(y + 0.3 * size))
            letters = len(e.text)
            for i, letter in enumerate(e.text):
                pen = 1 if letter == " " else 0  # a neighbour's may reach so far
                span = range(int(x + i * width / letters) + pen, int(x + (i + 1) * width / letters) - pen)
                has_ink = any(png.at(a, b) != "#ffffff" for a in span for b in rows)
                if has_ink != (letter != " "):
                    yield f"PNG: {'no ' if letter != ' ' else ''}ink at letter {i} of {e.text!r}"


def main(argv):
    options = dict(word.split("=", 1) for word in argv[3:])
    try:
        problems = list(check(argv[1], argv[2], **options))
    except AssertionError as problem:
        problems = [str(problem)]
    for problem in problems[:5]:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))

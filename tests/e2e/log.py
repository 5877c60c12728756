#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A second opinion on the log of a recording: read and written in a few lines from share/doc/format.md alone.

    log.py dump LOG                    "at_ms FIRST-LAST,..." a line: the sectors that are dirty at each moment
    log.py make LOG IMAGE NAME BACKING a log of the v3 image IMAGE, called NAME in it: of its dirty runs the first half
                                       is there at the beginning, the others come one after the other; then one goes
                                       and comes again
"""
import os
import struct
import sys
import zlib

from model import Image

MAGIC, VERSION = b"cow-log\n", 1
ABOUT, BITS, KNOWN, CHANGE, END = 1, 2, 3, 4, 5
BEGUN_MS = 1796040000000  # 2026-11-30 12:00:00 UTC


def number(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def text(value):
    return number(len(value)) + value


def runs(pairs):
    out, at = number(len(pairs)), 0
    for first, end in pairs:
        out += number(first - at) + number(end - first)
        at = end
    return out


def record(kind, *parts):
    body = bytes([kind]) + b"".join(parts)
    length = struct.pack(">I", len(body))
    return length + struct.pack(">I", zlib.crc32(length + struct.pack(">I", zlib.crc32(body)))) + body


class Reader:
    def __init__(self, body):
        self.body, self.at = body, 0

    def number(self):
        value = shift = 0
        while True:
            byte = self.body[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def runs(self):
        at, sectors = 0, []
        for _ in range(self.number()):
            first = at + self.number()
            at = first + self.number()
            sectors += range(first, at)
        return sectors


def ranges(sectors):
    out = []
    for sector in sorted(sectors):
        if out and out[-1][1] + 1 == sector:
            out[-1][1] = sector
        else:
            out.append([sector, sector])
    return out


def dump(path):
    with open(path, "rb") as f:
        log = f.read()
    assert log[:8] == MAGIC and struct.unpack(">I", log[8:12])[0] == VERSION
    at, dirty = 12, set()
    while at + 8 <= len(log):
        length, crc = struct.unpack(">II", log[at:at + 8])
        body = log[at + 8:at + 8 + length]
        if len(body) < length or zlib.crc32(log[at:at + 4] + struct.pack(">I", zlib.crc32(body))) != crc:
            break
        at += 8 + length
        reader = Reader(body)
        reader.at = 1
        if body[0] == BITS:
            dirty |= set(reader.runs())
        if body[0] in (KNOWN, CHANGE):
            when = reader.number()
            if body[0] == CHANGE:
                dirty |= set(reader.runs())
                dirty -= set(reader.runs())
            print(when, ",".join(f"{first}-{last}" for first, last in ranges(dirty)))


def make(path, image_path, name, backing):
    image = Image(image_path, "uml-cow-v3")
    pieces = [(first, last + 1) for first, last in ranges(image.dirty())]
    half, rest = pieces[:len(pieces) // 2], pieces[len(pieces) // 2:]
    head = image.bytes[:min(image.bitmap_offset, 4136)]
    out = MAGIC + struct.pack(">I", VERSION)
    out += record(
        ABOUT, number(BEGUN_MS), number(500), number(image.size), number(image.sector), number(image.sectors), text(b"uml-cow-v3"),
        text(os.fsencode(name)), text(os.fsencode(os.path.abspath(backing))), number(0), text(b""), number(os.stat(image_path).st_ino),
        number(zlib.crc32(head)))
    count = sum(end - first for first, end in half)
    out += record(BITS, runs(half)) + record(KNOWN, number(2), number(count))
    when = 1000
    for i, piece in enumerate(rest):
        when += 700 + 2300 * (i % 3)
        count += piece[1] - piece[0]
        out += record(CHANGE, number(when), runs([piece]), runs([]))
    first = rest[-1]
    out += record(CHANGE, number(when + 20000), runs([]), runs([first]))
    out += record(CHANGE, number(when + 20250), runs([first]), runs([]))
    out += record(END, number(when + 30000), number(1), number(count), text(b""))
    with open(path, "xb") as f:
        f.write(out)


if __name__ == "__main__":
    {"dump": dump, "make": make}[sys.argv[1]](*sys.argv[2:])

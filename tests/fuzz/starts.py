#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the libFuzzer targets start from, where it can be made: headers of all formats, partition tables, command lines,
texts, scripts. The rest of a corpus is what fuzzing has found, and is in the tree (corpus/TARGET).

Usage: starts.py DIRECTORY      writes DIRECTORY/TARGET/start-N"""
import binascii
import glob
import os
import struct
import sys

SECTOR = 512
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
import log  # noqa: E402

# magic, big endian, path: offset and room, date: offset and width, size, sector size, end (share/doc/format.md)
SHAPES = {
    "v1": (b"MOOO\1\0\0\0", "<", 8, 256, 264, 4, 268, 276, 280),
    "v1-64": (b"MOOO\1\0\0\0", "<", 8, 256, 264, 8, 272, 280, 288),
    "v1-be": (b"OOOM\0\0\0\1", ">", 8, 256, 264, 4, 268, 276, 280),
    "v2": (b"OOOM\0\0\0\2", ">", 8, 4096, 4104, 4, 4108, 4116, 4120),
    "v2-64": (b"OOOM\0\0\0\2", ">", 8, 4096, 4104, 8, 4112, 4120, 4128),
    "v2-long": (b"OOOM" + bytes(7) + b"\2" + bytes(4), ">", 16, 4096, 4112, 4, 4120, 4128, 4136),
    "qemu": (b"OOOM\0\0\0\2", ">", 8, 1024, 1032, 4, 1040, 1048, 1056),
    "qemu-i386": (b"OOOM\0\0\0\2", ">", 8, 1024, 1032, 4, 1036, 1044, 1048),
}
DATE = 1500000000  # of the backing file that the targets make


def headers():
    for magic, order, path, _room, date, width, size, sector, end in SHAPES.values():
        head = bytearray(end)
        head[: len(magic)] = magic
        head[path : path + 5] = b"x.img"
        struct.pack_into(order + ("Q" if width == 8 else "I"), head, date, DATE)
        struct.pack_into(order + "Q", head, size, 65536)
        struct.pack_into(order + "I", head, sector, SECTOR)
        yield bytes((3, 3)) + bytes(head) + bytes(range(16)) + b"data" * 300
    for alignment, disk, cow_format in (512, 65536, 0), (512, 5 * 512 + 3, 0), (4096, 1 << 20, 0), (65536, 515, 0), (4096, (1 << 64) - 1, 0), (8192, 1 << 40, 7):
        head = struct.pack(">4sIIQIII", b"OOOM", 3, DATE, disk, SECTOR, alignment, cow_format) + b"x.img"
        yield bytes((4, 3)) + head.ljust(-(-4128 // alignment) * alignment if alignment < 16384 else 4128, b"\0") + b"\xa5\x0f\0\xff" * 4


def mbr(*entries):
    out = bytearray(SECTOR)
    for n, (kind, first, sectors) in enumerate(entries):
        struct.pack_into("<B3sB3sII", out, 446 + 16 * n, 0, b"\0\2\0", kind, b"\xff\xff\xff", first, sectors)
    out[510:] = b"\x55\xaa"
    return bytes(out)


def gpt_header(own, other, first_usable, last_usable, entries_at, entries):
    head = struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, own, other, first_usable, last_usable, b"disk" * 4,
                       entries_at, len(entries) // 128, 128, binascii.crc32(entries))
    return (head[:16] + struct.pack("<I", binascii.crc32(head)) + head[20:]).ljust(SECTOR, b"\0")


def table(sectors, head, tail=b"", choice=0):
    """As targets/tables.c reads it."""
    size = struct.pack("<H", sectors - 8)
    return struct.pack("<H", choice) + size + struct.pack("<H", max(len(head) - 1, 0)) + head + tail


def tables():
    swap = bytearray(4096)
    swap[-10:] = b"SWAPSPACE2"
    swap[1024:1032] = struct.pack("<II", 1, 100)
    yield table(2048, mbr((0x83, 8, 100), (0x82, 108, 100), (0x8E, 300, 1700)) + bytes(7 * SECTOR) + bytes(swap))
    extended = mbr((0x83, 8, 20), (0x05, 40, 1000)) + bytes(39 * SECTOR) + mbr((0x83, 8, 8), (0x05, 20, 40)) + bytes(19 * SECTOR)
    yield table(2048, extended + mbr((0x83, 8, 16)))
    yield table(1024, mbr((0x83, 100, 5000), (0xEE, 1, 0xFFFFFFFF)))
    for count in 4, 128:
        kind = bytes.fromhex("af3dc60f838472478e793d69d8477de4")
        entries = struct.pack("<16s16sQQQ72s", kind, b"part" * 4, 40, 800, 0, "root".encode("utf-16le")).ljust(128 * count, b"\0")
        rest = len(entries) // SECTOR
        n = 2000
        head = mbr((0xEE, 1, n - 1)) + gpt_header(1, n - 1, 34, n - rest - 2, 2, entries) + entries
        yield table(n, head, entries + gpt_header(n - 1, 1, 34, n - rest - 2, n - rest - 1, entries))
        yield table(n, head)
        yield table(n, bytes(SECTOR), entries + gpt_header(n - 1, 1, 34, n - rest - 2, n - rest - 1, entries))
    for magic, at in ((b"XFSB\0\0\x10\0", 0), (b"LABELONE", SECTOR), (b"LUKS\xba\xbe\0\2", 0), (b"NTFS    ", 3)):
        yield table(2040, bytes(at) + magic + bytes(SECTOR))


def arguments():
    lines = """info IMAGE|info --json x|map --scan -b B x|map --json x|check -q x|check --quick --json x|check --repair -n x|files --json x
files --owner 16M x|files --owners x|files --diff /a x|files --extract /a -o o x|create x y|diff -o a b c|merge -o a b|merge --in-place x
resize --policy extend --reserve 1G x +1G|resize --shrink --force=cut-foreign x -512M|pages -n x|compact --sectors x|rebase --to y --safe x
rebase --restamp x|convert --to v3 -o y x|recover x|undo --discard x|--help|resize --help|--version|x --script s --theme t --ascii
-- info x|info -x|info --j x|map --svg - --hilbert x|map --scan --force --png p x|map --color always x|files --partition 2 x|files --owner s32768 --json x|check --no-backing x"""
    for line in lines.replace("\n", "|").split("|"):
        yield b"\0".join(word.encode() for word in line.split(" ")) + b"\0"


def texts():
    for text in ("root.cow", "a b'c", "\x1b[31mred\x1b]0;t\x07", "\u202ertl", "e\u0301\u0301\u0301\u0301\u0301\u0301", "\\x41\\\\", "1.5G", "+512M", "-1",
                 "9223372036854775807", "1e3", "64MiB", "\u2028", "\U0001f600\ufe0f"):  # fmt: skip
        yield struct.pack("<HQ", 64, 1 << 33) + text.encode()
    yield struct.pack("<HQ", 9, 2**64 - 1) + bytes(range(1, 256))


def prompts():
    yield b"resize 64M\r"
    yield b"re\t\tsi\x1b[D\x1b[D\x1b[3~\x12abc\x07\x01\x0b\x19\r"
    yield b"\x1b[200~paste \r\n\x1b[201~\x1b[A\x1b[B\r"
    yield "märge ./名前\t\x17\x1b".encode() + b"\0" + b"map\r"
    yield b"set \tthe\tda\t\rset co\t\t\rtheme \tli\t\r"
    yield b"\x1b[<0;12;5M\x1b[<32;13;5M\x1b[<0;13;5m\x1b[<64;1;1M\x1b[<65;1000;1000M\x1b[<0;1"
    yield b"\x1b]0;title\x07\x1b[<0;1;1M\x1bOM\x18\x15undo\r"


def scripts():
    """Of the screen suite's those that are short: each key draws a screen."""
    for path in sorted(glob.glob(os.path.join(HERE, "..", "tui", "scripts", "*")))[::2]:
        with open(path, "rb") as file:
            lines = [line for line in file.read().splitlines() if line.split(b" ")[0] in (b"key", b"type", b"paste", b"wait", b"during", b"mouse")]
        if lines and len(b"\n".join(lines)) < 300:
            yield b"\0" + b"\n".join(lines) + b"\n"
    for command in "resize 128K|compact|pages|rebase x.img|undo|recover|merge out|convert out|export out.svg|export out.png|check|files|header|map|blocks|backing x.img|w|q".split("|"):
        yield b"\1key :\ntype " + command.encode() + b"\nkey Enter Enter\ntype yes\nkey Enter y Enter q q q\n"


def themes():
    for path in sorted(glob.glob(os.path.join(HERE, "..", "..", "share", "themes", "*.theme"))):
        with open(path, "rb") as file:
            yield file.read()[:4000]
    yield b"about = x\npaper = #102030\nink=#fff000\nbase = light\nkey = bold dim reverse underline 17 on 230 | red on 3 | bold\n"
    for words in b"theme=light", b"theme dark", b"color=never", b"nomouse", b"noascii", b"theme", b"moose":
        yield words


def changes():
    for operation in range(8):
        for kind in (0, 4, 5, 7):
            yield bytes((operation, operation % 2, 0, 0, kind, 0, 3, 127, 0, 0, 0, 9, 1)) + bytes(16) + b"\5\0\xa5\x0f\xff\x81\x70" + bytes(range(60))


def checks():
    for flags in b"\1\0", b"\0\0", b"\1\1", b"\0\1":
        for kind in (0, 4, 7):
            yield flags + bytes((kind, 0, 3, 127, 0, 0, 0, 9, 1)) + bytes(16) + b"\5\0\xa5\x0f\xff\x81\x70" + bytes(range(40))


def records():
    for scene in range(40):
        yield bytes((scene, 0, 0, 0, 0, 15))
        yield bytes((scene, 2, scene * 7 % 31, 6)) + b"\1\0\0\0\0\0\0\0" + bytes((3, scene % 3, 1, 0, 0, 0, 15))


def histories():
    """Logs of recordings: of a disk of a hundred sectors, with an end or without, and one that was cut off."""
    about = log.record(log.ABOUT, *map(log.number, (1, 1000, 51200, 512, 100)), log.text(b"uml-cow-v3"), log.text(b"/x"), log.text(b""),
                       log.number(0), log.text(bytes(17)), log.number(7), log.number(9))  # fmt: skip
    begun = log.MAGIC + b"\0\0\0\1" + about + log.record(log.BITS, log.runs([(10, 15), (20, 21)])) + log.record(log.KNOWN, *map(log.number, (3, 6)))
    changes = b"".join(log.record(log.CHANGE, log.number(10 * n), log.runs([(30 + 5 * n, 33 + 5 * n)]), log.runs([])) for n in range(1, 9))
    gone = log.record(log.CHANGE, log.number(99), log.runs([(0, 2)]), log.runs([(10, 12), (20, 21)]))
    end = log.record(log.END, *map(log.number, (200, 2, 6 + 24 + 2 - 3)), log.text(b"gone"))
    for whole in (begun, begun + changes, begun + changes + gone, begun + changes + gone + end, begun + changes[:-3]):
        yield b"\0" + whole
        yield b"\1" + whole


def main(directory):
    kinds = {"header": headers, "tables": tables, "arguments": arguments, "text": texts, "prompt": prompts, "script": scripts, "theme": themes,
             "change": changes, "check": checks, "records": records, "history": histories, "guestfs": lambda: (bytes((n,)) for n in range(11))}  # fmt: skip
    for name, make in kinds.items():
        os.makedirs(os.path.join(directory, name), exist_ok=True)
        for n, data in enumerate(make()):
            with open(os.path.join(directory, name, f"start-{n:03}"), "wb") as file:
                file.write(data)


if __name__ == "__main__":
    main(sys.argv[1])

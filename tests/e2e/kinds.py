#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what says what lies on a disk, for the kinds whose tools want block devices, or are rare: kinds.py KIND FILE.

Numbers are those of the formats' own descriptions; nothing here knows how cowtui reads them.
"""
import os
import struct
import sys
import zlib


def crc_lvm(data):
    """LVM2's CRC-32: that of zlib, begun with a number of its own and not inverted at the end."""
    return zlib.crc32(data, 0xF597A6CF ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


def lvm(size):
    sector = bytearray(512)
    sector[0:8] = b"LABELONE"
    struct.pack_into("<QII8s", sector, 8, 1, 0, 32, b"LVM2 001")
    sector[32:64] = b"abcdefghijklmnopqrstuvwxyz012345"
    struct.pack_into("<Q", sector, 64, size)
    struct.pack_into("<I", sector, 16, crc_lvm(bytes(sector[20:])))
    return [(512, sector)]


def md(version, size):
    if version == "0.90":
        words = [0] * 1024
        words[0:10] = [0xA92B4EFC, 0, 90, 0, 0, 0x11223344, 1600000000, 1, size // 1024 - 64, 2]
        words[11:18] = [2, 0, 0, 0x55667788, 0x99AABBCC, 0xDDEEFF00, 0]
        return [((size & ~0xFFFF) - 0x10000, struct.pack("<1024I", *words))]
    sectors = size // 512
    offset = {"1.0": (sectors - 16) & ~7, "1.1": 0, "1.2": 8}[version]
    data = 0 if version == "1.0" else 2048
    block = bytearray(4096)
    struct.pack_into("<IIII16s32s", block, 0, 0xA92B4EFC, 1, 0, 0, bytes(range(16)), b"host:0")
    struct.pack_into("<QIIQII", block, 64, 1600000000, 1, 0, (sectors if data else offset) - data, 0, 2)
    struct.pack_into("<QQQ", block, 128, data, (sectors if data else offset) - data, offset)
    # Its sum, as md has it: newer versions of libblkid ask for it.
    total = sum(struct.unpack_from("<64I", block))
    struct.pack_into("<I", block, 216, ((total & 0xFFFFFFFF) + (total >> 32)) & 0xFFFFFFFF)
    return [(offset * 512, block)]


def luks(size):
    block = bytearray(4096)
    struct.pack_into(">6sH32s32s32s", block, 0, b"LUKS\xba\xbe", 1, b"aes", b"xts-plain64", b"sha256")
    struct.pack_into(">II", block, 104, 4096, 64)
    block[168:208] = b"11111111-2222-3333-4444-555555555555".ljust(40, b"\0")
    return [(0, block)]


def ntfs(size):
    boot = bytearray(512)
    boot[3:11] = b"NTFS    "
    struct.pack_into("<HB", boot, 11, 512, 8)
    struct.pack_into("<BHHH", boot, 21, 0xF8, 0, 63, 255)
    struct.pack_into("<QQQ", boot, 40, size // 512 - 1, 4, 2)
    struct.pack_into("<bxxxbxxxQ", boot, 64, -10, 1, 0x1234567890)
    boot[510:512] = b"\x55\xaa"
    record = bytearray(1024)
    record[0:4] = b"FILE"
    return [(0, boot), (4 * 4096, record), (4 * 4096 + 3 * 1024, record), (2 * 4096, record), (size - 512, boot)]


def f2fs(size):
    block = bytearray(2048)
    struct.pack_into("<IHHIIII", block, 0, 0xF2F52010, 1, 16, 9, 3, 12, 9)
    struct.pack_into("<Q", block, 36, size // 4096)
    block[108:124] = bytes(range(16))
    return [(1024, block)]


def squashfs(size):
    block = bytearray(96)
    struct.pack_into("<4sIIIIHHHHHHQQ", block, 0, b"hsqs", 1, 0, 131072, 0, 1, 17, 0, 1, 4, 0, 0, size)
    return [(0, block)]


def iso9660(size):
    block = bytearray(2048)
    block[0:7] = b"\x01CD001\x01"
    block[40:72] = b"A_LABEL".ljust(32)
    struct.pack_into("<I", block, 80, size // 2048)
    struct.pack_into(">I", block, 84, size // 2048)
    struct.pack_into("<H", block, 128, 2048)
    end = bytearray(2048)
    end[0:7] = b"\xffCD001\x01"
    return [(16 * 2048, block), (17 * 2048, end)]


def main():
    kind, path = sys.argv[1:3]
    size = int(sys.argv[3]) if len(sys.argv) > 3 else os.path.getsize(path)
    pieces = md(kind[2:], size) if kind.startswith("md") else globals()[kind](size)
    with open(path, "r+b") as file:
        for offset, piece in pieces:
            file.seek(offset)
            file.write(piece)


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bytes of the demo's programs, made here, and put into its archive.

A real guest made the demo's image, and the programs that it had and copied were those of a distribution. This
script has put bytes of its own in their place, in the backing file and in the COW: text of the same lengths, that
is zeros in the same sectors and nowhere else. So bits, holes, dates, metadata and every count are what the guest
left; only the data of three files differs. Whose the other files are: README.md beside this script.

    own_bytes.py guest-ext4.tar.xz    puts them into the archive; into one that has them, nothing
    own_bytes.py --show tool1         writes that program to standard output
"""

import io
import lzma
import os
import sys
import tarfile

SECTOR_BYTES = 512
BLOCK_BYTES = 1024  # of the guest's filesystem
COW_DATA_OFFSET = 24576
PROGRAM_BYTES = 35664
ZERO_SECTORS = set(range(10, 16)) | {47}  # the first six are a hole in all three files

# Name of the file in the guest's /usr/bin: the text it holds, where its disk is in the archive's file, and the
# first block on the disk of each extent with the extent's blocks in the file (debugfs: stat /usr/bin/tool1).
PROGRAMS = {
    "tool1": ("tool1", "root_fs.img", 0, ((4665, 0, 5), (4670, 8, 27))),
    "tool2": ("tool2", "root_fs.img", 0, ((4697, 0, 5), (4702, 8, 27))),
    "tool3": ("tool1", "root.cow", COW_DATA_OFFSET, ((8513, 0, 5), (8521, 8, 27))),  # the guest's copy of tool1
}


def program(name):
    """A shell script that ends before the lines that only make it as long as it is; those run on across sectors."""
    status = 0 if name == "tool1" else 1
    text = f"#!/bin/sh\n# {name} of cowtui's demo: it does nothing, and says {'yes' if status == 0 else 'no'}.\nexit {status}\n"
    lines = [text]
    used = len(text)
    while used < PROGRAM_BYTES:
        lines.append(f"{name}, from byte {used}: nobody runs this, it is here to be copied.\n")
        used += len(lines[-1])
    content = bytearray("".join(lines).encode("ascii")[:PROGRAM_BYTES])
    for sector in ZERO_SECTORS:
        content[sector * SECTOR_BYTES : (sector + 1) * SECTOR_BYTES] = bytes(SECTOR_BYTES)
    return bytes(content)


def is_zero(data):
    return not any(data)


def put(stream, member, offset, content):
    """Writes content where the member has byte `offset`; a hole of the archive has no place for it."""
    place = member.offset_data
    for start, length in member.sparse:
        if start <= offset and offset + len(content) <= start + length:
            place += offset - start
            old = stream[place : place + len(content)]
            if is_zero(old) != is_zero(content):
                sys.exit(f"own_bytes.py: byte {offset} of {member.name}: zeros there and here differ; another archive?")
            stream[place : place + len(content)] = content
            return
        place += length
    sys.exit(f"own_bytes.py: byte {offset} of {member.name} is in no piece of the archive; another archive?")


def replace(stream):
    """Every sector of the three files in the tar `stream`, a bytearray."""
    with tarfile.open(fileobj=io.BytesIO(bytes(stream))) as archive:
        members = {member.name: member for member in archive}
    for text, file, disk_offset, extents in PROGRAMS.values():
        content = program(text)
        for disk_block, first_block, blocks in extents:
            start = first_block * BLOCK_BYTES
            piece = content[start : start + blocks * BLOCK_BYTES].ljust(blocks * BLOCK_BYTES, b"\0")
            for at in range(0, len(piece), SECTOR_BYTES):
                put(stream, members[file], disk_offset + disk_block * BLOCK_BYTES + at, piece[at : at + SECTOR_BYTES])


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "--show" and arguments[1] in PROGRAMS:
        sys.stdout.buffer.write(program(PROGRAMS[arguments[1]][0]))
        return
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.exit("usage: own_bytes.py ARCHIVE | --show tool1|tool2|tool3")
    path = arguments[0]
    with lzma.open(path) as packed:
        before = packed.read()
    stream = bytearray(before)
    replace(stream)
    if stream == before:
        print(f"{path}: has them already")
        return
    with open(path + ".new", "wb") as out:
        out.write(lzma.compress(bytes(stream), preset=9 | lzma.PRESET_EXTREME))
    os.replace(path + ".new", path)


if __name__ == "__main__":
    main(sys.argv[1:])

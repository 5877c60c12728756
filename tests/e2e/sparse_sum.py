#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""sparse_sum.py FILE...: "SUM  NAME" a line, of a file's length and of every block that is not all zeros, with its
place. Holes are stepped over: that a file of gigabytes has not changed is known at once."""
import hashlib
import os
import sys

BLOCK = 1 << 16
ZEROS = bytes(BLOCK)


def extents(fd, size):
    at = 0
    while at < size:
        try:
            begin = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:  # no data behind it
            return
        at = os.lseek(fd, begin, os.SEEK_HOLE)
        yield begin, at


def sparse_sum(path):
    out = hashlib.sha256()
    with open(path, "rb", buffering=0) as f:
        size = os.fstat(f.fileno()).st_size
        out.update(str(size).encode())
        done = 0
        for begin, end in list(extents(f.fileno(), size)):
            for block in range(max(done, begin // BLOCK), (end + BLOCK - 1) // BLOCK):
                data = os.pread(f.fileno(), BLOCK, block * BLOCK)
                if data != ZEROS[:len(data)]:
                    out.update(b"%d:" % block + data)
            done = (end + BLOCK - 1) // BLOCK
    return out.hexdigest()


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(f"{sparse_sum(name)}  {name}")

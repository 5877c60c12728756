# SPDX-License-Identifier: GPL-3.0-or-later
"""COW images whose bitmap and data are filled from here, and read without our own code."""

import hashlib
import json
import os
import subprocess

from measure import MIB

SECTOR = 512
PAGE = 4096


class Image:
    """A COW made by cowtui create."""

    def __init__(self, cowtui, path, backing):
        self.cowtui = cowtui
        self.path = path
        subprocess.run([cowtui, "create", "-q", path, backing], check=True, stdout=subprocess.DEVNULL)
        self.look()

    def look(self):
        """Where things lie; again after a change."""
        self.facts = json.loads(subprocess.check_output([self.cowtui, "info", "--json", self.path]))
        self.bitmap_offset = self.facts["layout"]["bitmap_offset"]
        self.bitmap_bytes = self.facts["layout"]["bitmap_bytes"]
        self.data_offset = self.facts["layout"]["data_offset"]

    def scatter(self, rng, fraction, unit_bytes):
        """Sets that fraction of the disk dirty, in units at random, with random data."""
        per_chunk = MIB // unit_bytes
        sectors = unit_bytes // SECTOR
        junk = rng.randbytes(MIB)
        with open(self.path, "r+b", buffering=0) as file:
            for chunk in range(self.bitmap_bytes * 8 * SECTOR // MIB):
                bits = 0
                pages = {}
                for unit in rng.sample(range(per_chunk), round(per_chunk * fraction)):
                    offset = unit * unit_bytes
                    bits |= ((1 << sectors) - 1) << (offset // SECTOR)
                    page = pages.setdefault(offset // PAGE, bytearray(PAGE))
                    page[offset % PAGE : offset % PAGE + unit_bytes] = junk[offset : offset + unit_bytes]
                os.pwrite(file.fileno(), bits.to_bytes(MIB // SECTOR // 8, "little"),
                          self.bitmap_offset + chunk * (MIB // SECTOR // 8))
                for number, page in pages.items():
                    os.pwrite(file.fileno(), page, self.data_offset + chunk * MIB + number * PAGE)

    def one_run(self, rng, first, size):
        """A stretch of the disk in one piece."""
        with open(self.path, "r+b") as file:
            file.seek(self.bitmap_offset + first // SECTOR // 8)
            file.write(b"\xff" * (size // SECTOR // 8))
            file.seek(self.data_offset + first)
            for _ in range(size // MIB):
                file.write(rng.randbytes(MIB))

    def fill_bitmap(self, rng, copy_path):
        """Random bits from end to end; the same bytes go to copy_path. Answers how many are set."""
        dirty = 0
        with open(self.path, "r+b") as file, open(copy_path, "wb") as copy:
            file.seek(self.bitmap_offset)
            for _ in range(self.bitmap_bytes // MIB):
                block = rng.randbytes(MIB)
                dirty += int.from_bytes(block, "little").bit_count()
                file.write(block)
                copy.write(block)
        return dirty

    def dirty_sum(self):
        """A sum of all dirty stretches of the disk, with their places: MiB by MiB, what each dirty page holds."""
        total = hashlib.sha256()
        bits_of_chunk = MIB // SECTOR // 8
        with open(self.path, "rb", buffering=0) as file:
            for chunk in range(self.bitmap_bytes // bits_of_chunk):
                bits = os.pread(file.fileno(), bits_of_chunk, self.bitmap_offset + chunk * bits_of_chunk)
                if not any(bits):
                    continue
                data = bytearray(os.pread(file.fileno(), MIB, self.data_offset + chunk * MIB).ljust(MIB, b"\0"))
                for page, byte in enumerate(bits):  # a byte of bits is a page
                    if byte != 0xFF:
                        for sector in range(8):
                            if not byte >> sector & 1:
                                at = page * PAGE + sector * SECTOR
                                data[at : at + SECTOR] = bytes(SECTOR)
                total.update(b"%d" % chunk + bits + data)
        return total.hexdigest()

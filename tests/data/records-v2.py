#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of version 2 as they lie beside images: journals of interrupted changes, and undo data, of every kind.

    records-v2.py make COWTUI OUT.tar.xz   makes the samples with a cowtui that writes version 2; needs strace
    records-v2.py place DIRECTORY          fits unpacked samples to where they are: inode numbers, paths, sums
    records-v2.py judge DIRECTORY NAME     whether NAME is now what its maker would have made of it

A record names files by inode number and absolute path, which no archive keeps. So "make" notes which file had which
number, and "place" writes the present numbers and paths into the records, and new sums. Beside the samples lies
samples.json: what each is, the command that ends it, and what there was when the maker had ended it.
"""
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

OPENING = b"cowtui change" + b"\0\0\2"
V3_HEADER_BYTES = 32 + 4096
MIB = 1 << 20

# name, commands before, the command that is killed (none: undo data), the call, its number
SAMPLES = [
    ("journal-copy-private-data", [], "resize -y --policy copy x.cow 32M", "copy_file_range", 2),
    ("journal-copy-private-name", [], "resize -y --policy copy x.cow 32M", "renameat2", 2),
    ("journal-copy-complete", [], "resize -y --policy extend x.cow 32M", "/^link", 1),
    ("journal-copy-renamed", [], "resize -y --policy extend x.cow 32M", "/^rename(at)?$", 2),
    ("journal-copy-keep", [], "resize -y --policy keep x.cow 32M", "/^link", 1),
    ("journal-header-prepared", [], "resize -y --policy extend x.cow 1M", "ftruncate", 1),
    ("journal-header-private", [], "resize -y --policy copy x.cow 1M", "renameat2", 2),
    ("journal-header-lengthened", [], "resize -y --policy extend x.cow 1M", "utimensat", 3),
    ("journal-header-written", [], "resize -y --policy keep x.cow 1M", "utimensat", 2),
    ("journal-header-done", [], "resize -y --policy extend x.cow 1M", "/^rename(at)?$", 1),
    ("journal-backing-only", ["resize -y --policy keep x.cow 1M"], "resize -y --policy extend x.cow 1M", "utimensat", 3),
    ("journal-restamp", ["touch"], "rebase -y --restamp x.cow", "utimensat", 2),
    ("journal-rebase-safe", [], "rebase -y --safe --to other x.cow", "/^link", 1),
    ("journal-merge", [], "merge -y --in-place x.cow", "utimensat", 3),
    ("journal-merge-begun", [], "merge -y --in-place x.cow", "utimensat", 4),
    ("journal-undo-copy", ["resize -y --policy extend x.cow 32M"], "undo -y x.cow", "/^rename(at)?$", 1),
    ("journal-undo-private", ["resize -y --policy copy x.cow 32M"], "undo -y x.cow", "/^unlink", 2),
    ("journal-undo-header", ["resize -y --policy extend x.cow 1M"], "undo -y x.cow", "ftruncate", 1),
    ("undo-copy-extend", ["resize -y --policy extend x.cow 32M"], None, None, 0),
    ("undo-copy-private", ["resize -y --policy copy x.cow 32M"], None, None, 0),
    ("undo-copy-keep", ["resize -y --policy keep x.cow 32M"], None, None, 0),
    ("undo-header-extend", ["resize -y --policy extend x.cow 1M"], None, None, 0),
    ("undo-header-private", ["resize -y --policy copy x.cow 1M"], None, None, 0),
    ("undo-backing-only", ["resize -y --policy keep x.cow 1M", "resize -y --policy extend x.cow 1M"], None, None, 0),
    ("undo-restamp", ["touch", "rebase -y --restamp x.cow"], None, None, 0),
    ("undo-rebase-safe", ["rebase -y --safe --to other x.cow"], None, None, 0),
    ("undo-pages", ["pages -y x.cow"], None, None, 0),
]


def v3_header(backing, mtime, size):
    return struct.pack(">4sIIQIII", b"OOOM", 3, mtime, size, 512, 4096, 0) + backing.encode().ljust(4096, b"\0")


def pattern(seed, n_bytes):
    return b"".join(hashlib.sha256(b"%s %d" % (seed, i)).digest() * 16 for i in range(n_bytes // 512))


def make_files(directory):
    """x.cow on base, both of 64 KiB, with an odd number of sectors in the last byte of the bitmap's."""
    sectors, dirty = 125, [0, 7, 8, 9, 64, 124]
    with open(directory + "/base", "wb") as f:
        f.write(pattern(b"base", 64 * 1024)[: sectors * 512])
    with open(directory + "/other", "wb") as f:
        f.write(pattern(b"other", 64 * 1024)[: sectors * 512])
    for name in ("base", "other"):
        os.utime(directory + "/" + name, (1049522828, 1049522828))
    bits = bytearray(16)
    for sector in dirty:
        bits[sector // 8] |= 1 << sector % 8
    with open(directory + "/x.cow", "wb") as f:
        f.write(v3_header("base", 1049522828, sectors * 512))
        f.seek(8192)
        f.write(bits)
        for sector in dirty:
            f.seek(12288 + sector * 512)
            f.write(pattern(b"dirty %d" % sector, 512))
        f.truncate(12288 + sectors * 512)


def header_of(path):
    """(path of the backing file, size, data offset, bitmap offset) of a v3 image with sectors of 512."""
    with open(path, "rb") as f:
        b = f.read(V3_HEADER_BYTES)
    _, _, _, size, _, alignment, _ = struct.unpack(">4sIIQIII", b[:32])
    bitmap = -(-V3_HEADER_BYTES // alignment) * alignment
    bitmap_bytes = (-(-size // 512) + 7) // 8
    data = -(-(bitmap + bitmap_bytes) // alignment) * alignment
    return os.fsdecode(b[32:].split(b"\0")[0]), size, data, bitmap


def disk_sum(directory):
    """What the guest sees, with zeros up to the end of the disk."""
    image = directory + "/x.cow"
    backing, size, data, bitmap = header_of(image)
    with open(os.path.join(directory, backing), "rb") as f:
        disk = bytearray(f.read(size))
    disk += bytes(size - len(disk))
    with open(image, "rb") as f:
        f.seek(bitmap)
        bits = f.read((-(-size // 512) + 7) // 8)
        for sector in range(-(-size // 512)):
            if bits[sector // 8] >> sector % 8 & 1:
                f.seek(data + sector * 512)
                n = min(512, size - sector * 512)
                disk[sector * 512 : sector * 512 + n] = f.read(n).ljust(n, b"\0")
    return hashlib.sha256(disk).hexdigest()


def state(directory):
    """All that must be as the maker would have left it: the disk, the names, the other files and their dates."""
    out = {"disk": disk_sum(directory), "size": header_of(directory + "/x.cow")[1], "files": {}}
    for name in sorted(os.listdir(directory)):
        facts = os.stat(directory + "/" + name)
        is_image = "x.cow" in name and not name.startswith("x.cow.backing")
        with open(directory + "/" + name, "rb") as f:
            content = "" if is_image else hashlib.sha256(f.read()).hexdigest()
        out["files"][name] = [content, 0 if is_image else facts.st_size, 0 if is_image else facts.st_mtime]
    return out


def run(cowtui, directory, words, call=None, number=0):
    command = [cowtui, *words.split()]
    if call:
        command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + call, "-e",
                   "inject=%s:signal=KILL:when=%d" % (call, number)] + command
    return subprocess.run(command, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True).returncode


def make(cowtui, out):
    cowtui = os.path.realpath(cowtui)
    work = tempfile.mkdtemp()
    samples = {}
    for name, before, killed, call, number in SAMPLES:
        directory = work + "/" + name
        os.mkdir(directory)
        make_files(directory)
        for words in before:
            if words == "touch":
                os.utime(directory + "/base", (1100000000, 1100000000))
            elif run(cowtui, directory, words) != 0:
                raise SystemExit("%s: %s failed" % (name, words))
        if killed and run(cowtui, directory, killed, call, number) not in (137, -9):
            raise SystemExit("%s: was not killed" % name)
        record = directory + "/.x.cow.cowtui-" + ("journal" if killed else "undo")
        if not os.path.exists(record):
            raise SystemExit("%s: no record: %s" % (name, os.listdir(directory)))
        samples[name] = {"directory": directory, "made": killed or before[-1],
                         "end": "recover -y x.cow" if killed else "undo -y x.cow",
                         "inode": {str(os.stat(directory + "/" + n).st_ino): n for n in os.listdir(directory)}}
    with open(work + "/samples.json", "w") as f:
        json.dump(samples, f, indent=1)
    shutil.copytree(work, work + ".end", copy_function=shutil.copy2)
    place(work + ".end")
    for name, sample in samples.items():
        directory = work + ".end/" + name
        if run(cowtui, directory, sample["end"]) != 0:
            raise SystemExit("%s: its maker cannot end it" % name)
        sample["state"] = state(directory)
        sample["state"]["path"] = header_of(directory + "/x.cow")[0].replace(directory + "/", "")
    with open(work + "/samples.json", "w") as f:
        json.dump(samples, f, indent=1)
    subprocess.run(["tar", "--format=posix", "--sparse", "--sort=name", "--owner=0", "--group=0", "--numeric-owner",
                    "-C", work, "-cJf", os.path.abspath(out), "."], check=True)
    shutil.rmtree(work)
    shutil.rmtree(work + ".end")


class Record:
    """The record at the end of a file: its fields, to be changed and written back."""

    def __init__(self, path):
        with open(path, "rb") as f:
            content = f.read()
        self.path, self.offset = path, -1
        if content[-8:] == b"endofchg":
            length = struct.unpack(">I", content[-16:-12])[0]
            self.offset = len(content) - 16 - length
            self.bytes = content[self.offset : -16]
            assert self.bytes[:16] == OPENING, path

    def take(self, n_bytes):
        self.at += n_bytes
        return self.bytes[self.at - n_bytes : self.at]

    def place(self, number, old_directory, new_directory):
        """number(inode) is the present one."""
        self.at, out = 0, []
        out.append(self.take(16 + 4))
        out += [number(self.take(8)), number(self.take(8))]
        out.append(self.take(3 * 8 + 4 + 4))
        self.take(4)  # the sum of the new header, below
        rest = [self.take(4 + 8 + 512)]
        header = self.take(512)
        old, new = os.fsencode(old_directory), os.fsencode(new_directory)
        path = header[32:].rstrip(b"\0")
        if path.startswith(old + b"/"):
            header = header[:32] + (new + path[len(old) :]).ljust(480, b"\0")
        rest.append(header)
        rest.append(self.take(2 * 12 + 4 + 4 + 8 + 8 + 2 * 12))
        for _ in range(2):
            rest.append(number(self.take(8)))
            path = self.take(struct.unpack(">I", self.take(4))[0])
            path = new + path[len(old) :] if path.startswith(old + b"/") else path
            rest += [struct.pack(">I", len(path)), path]
        rest.append(self.bytes[self.at :])
        out.append(struct.pack(">I", zlib.crc32(header + bytes(V3_HEADER_BYTES - 512))))
        record = b"".join(out + rest)
        record += struct.pack(">I", len(record))
        record += struct.pack(">I", zlib.crc32(record)) + b"endofchg"
        facts = os.stat(self.path)
        with open(self.path, "r+b") as f:
            f.seek(self.offset)
            f.write(record)
            f.truncate()
        os.utime(self.path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def place_header(path, old, new):
    facts = os.stat(path)
    with open(path, "r+b") as f:
        f.seek(32)
        stored = f.read(4096).rstrip(b"\0")
        if stored.startswith(os.fsencode(old) + b"/"):
            f.seek(32)
            f.write((os.fsencode(new) + stored[len(os.fsencode(old)) :]).ljust(4096, b"\0"))
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def place(directory):
    directory = os.path.realpath(directory)
    with open(directory + "/samples.json") as f:
        samples = json.load(f)
    for name, sample in samples.items():
        here = directory + "/" + name

        def number(raw, sample=sample, here=here):
            known = sample["inode"].get(str(struct.unpack(">Q", raw)[0]))
            return struct.pack(">Q", os.stat(here + "/" + known).st_ino) if known else raw

        for file in os.listdir(here):
            if "x.cow" in file and not file.endswith("journal") and not file.startswith("x.cow.backing"):
                with open(here + "/" + file, "rb") as f:
                    if f.read(4) == b"OOOM":
                        place_header(here + "/" + file, sample["directory"], here)
            if file.endswith("-journal") or file.endswith("-undo"):
                record = Record(here + "/" + file)
                if record.offset >= 0:
                    record.place(number, sample["directory"], here)


def judge(directory, name):
    with open(directory + "/samples.json") as f:
        want = json.load(f)[name]["state"]
    here = os.path.realpath(directory) + "/" + name
    path = want.pop("path")
    have = json.loads(json.dumps(state(here)))
    for key in want:
        if have[key] != want[key]:
            raise SystemExit("%s: %s: %s instead of %s" % (name, key, have[key], want[key]))
    if header_of(here + "/x.cow")[0] not in (path, here + "/" + path):
        raise SystemExit("%s: backing file %s" % (name, header_of(here + "/x.cow")[0]))


if __name__ == "__main__":
    {"make": make, "place": place, "judge": judge}[sys.argv[1]](*sys.argv[2:])

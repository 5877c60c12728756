# SPDX-License-Identifier: GPL-3.0-or-later
"""The disk as it is served, against nbdkit's own file plugin on the merged disk; and a filesystem that grows with its
disk, against the same tools on a plain one."""

import contextlib
import filecmp
import os
import random
import shutil
import struct
import subprocess
import sys
import time

from images import PAGE
from measure import GIB, MIB, require, seconds_of

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "serve"))
from nbd import REQUEST, SIMPLE_REPLY, WRITE, Client  # noqa: E402

WRITES, FLUSH_EVERY = 2000, 50


def random_writes(socket, size, seed):
    """Pages at random places, a flush behind each fifty: the seconds that they take. Those between two flushes are sent in one piece, so
    that what is measured is the server and not this client."""
    rng = random.Random(seed)
    junk = rng.randbytes(MIB)
    batches = []
    for _ in range(WRITES // FLUSH_EVERY):
        batch = bytearray()
        for _ in range(FLUSH_EVERY):
            at = rng.randrange(MIB - PAGE)
            batch += struct.pack(">IHHQQI", REQUEST, 0, WRITE, 0, rng.randrange(size // PAGE) * PAGE, PAGE)
            batch += junk[at : at + PAGE]
        batches.append(batch)
    client = Client(socket)
    begin = time.perf_counter()
    for batch in batches:
        client.send(batch)
        require(client.get(16 * FLUSH_EVERY) == struct.pack(">IIQ", SIMPLE_REPLY, 0, 0) * FLUSH_EVERY, "a write failed")
        require(client.flush() == 0, "a flush failed")
    taken = time.perf_counter() - begin
    client.close()
    return taken


class ServeCases:
    """A part of the bench."""

    @contextlib.contextmanager
    def server(self, name, *command):
        """Listening at the socket of that name until the end; a word of `command` that is "SOCKET" becomes its path."""
        socket = self.file(name)
        words = [socket if word == "SOCKET" else word for word in command]
        with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            try:
                limit = time.monotonic() + 30
                while not os.path.exists(socket):
                    if process.poll() is not None or time.monotonic() > limit:
                        raise RuntimeError(f"{words[0]} does not serve: {process.stderr.read().decode(errors='replace')}")
                    time.sleep(0.01)
                yield socket
            finally:
                process.terminate()
                process.wait()
        self.remove(name)

    def ours(self, *words):
        return self.server("ours.socket", self.cowtui, "serve", "-q", "--socket", "SOCKET", *words)

    def peer(self, raw):
        return self.server("peer.socket", "nbdkit", "-f", "-U", "SOCKET", "file", raw)

    def can_serve(self, case):
        """Whether all is here that serves and asks."""
        plugin = os.path.join(os.path.dirname(self.cowtui), "nbdkit-cow-plugin.so")
        missing = [tool for tool in ("nbdkit", "nbdcopy") if not shutil.which(tool)] + ([] if os.path.exists(plugin) else [plugin])
        if missing:
            self.table.skip(case, f"{', '.join(missing)}: not here")
        return not missing

    def serve_read_cases(self):
        """All of it, from the page cache: by one request after the other what a program reads that copies a disk."""
        if not self.can_serve("the served disk, read"):
            return
        backing, raw = self.noise("served.img", GIB), self.file("served.raw")
        for words in ("13% dirty in scattered 4 KiB pages", "half of it dirty in one run"):
            image = self.image("served.cow", backing)
            if words.startswith("13%"):
                image.scatter(self.rng, 0.13, PAGE)
            else:
                image.one_run(self.rng, 256 * MIB, 512 * MIB)
            subprocess.run([self.cowtui, "merge", "-q", "-o", raw, image.path], check=True)
            copy = self.file("served.copy")
            with self.ours(image.path) as ours, self.peer(raw) as peer:
                read = lambda socket: lambda: seconds_of(["nbdcopy", f"nbd+unix:///?socket={socket}", "null:"])  # noqa: E731
                self.compare(f"the served disk of 1 GiB read by nbdcopy, {words}", read(ours), ("nbdkit file", 1.3, read(peer)))
                subprocess.run(["nbdcopy", f"nbd+unix:///?socket={ours}", copy], check=True)
            require(filecmp.cmp(copy, raw, shallow=False), "served is another disk than merged")
            self.remove("served.cow", "served.raw", "served.copy")
        self.remove("served.img")

    def serve_write_cases(self):
        """The same requests to both. Nearly all pages are clean before: of each the bits have to reach the file, too."""
        if not self.can_serve("the served disk, written"):
            return
        backing, raw = self.noise("served.img", GIB), self.file("served.raw")
        image = self.image("served.cow", backing)
        shutil.copyfile(backing, raw)
        with self.ours("--write", "-y", image.path) as ours, self.peer(raw) as peer:
            def writer(socket):
                seeds = iter(range(1000))
                return lambda: random_writes(socket, GIB, next(seeds))

            self.compare(f"{WRITES} random 4 KiB writes, flushed after each {FLUSH_EVERY}", writer(ours),
                         ("nbdkit file", 2, writer(peer)))
        subprocess.run([self.cowtui, "merge", "-q", "-o", self.file("ours.raw"), image.path], check=True)
        require(filecmp.cmp(self.file("ours.raw"), raw, shallow=False), "the same writes made another disk")
        self.remove("served.img", "served.raw", "served.cow", "ours.raw")

    # ---- a filesystem that grows -----------------------------------------------------------------------------

    def few_files(self, size):
        """ext4 of that size with 64 files of 4 MiB: next to nothing for e2fsck to look at."""
        disk, tree = self.hole("files.img", size), self.file("fs.tree")
        os.mkdir(tree)
        for i in range(64):
            with open(f"{tree}/{i}", "wb") as file:
                file.write(self.rng.randbytes(4 * MIB))
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-E", "nodiscard", "-d", tree, disk], check=True)
        shutil.rmtree(tree)
        return disk

    def grow_fs(self, words, disk):
        """10 GiB to 20, undone each time; the peer's disk is made anew each time."""
        image, raw = self.image("fs.cow", disk), self.file("fs.raw")
        grow = [self.cowtui, "resize", "-q", "-y", "--policy", "extend", "--grow-fs", image.path, "20G"]
        tools = 'truncate -s 20G "$1" && e2fsck -f -p "$1" && resize2fs "$1" && sync "$1"'

        def ours():
            taken = seconds_of(grow)
            subprocess.run([self.cowtui, "undo", "-q", "-y", image.path], stdin=subprocess.DEVNULL, check=True)
            return taken

        def peer():
            self.remove("fs.raw")
            subprocess.run(["cp", "--sparse=always", disk, raw], check=True)
            os.sync()
            return seconds_of(["/bin/sh", "-c", tools, "sh", raw], subprocess.DEVNULL)

        self.compare(f"resize --grow-fs, 10 GiB to 20, {words}", ours, ("truncate, e2fsck, resize2fs + sync", 1.5, peer))
        subprocess.run(grow, stdin=subprocess.DEVNULL, check=True)
        subprocess.run([self.cowtui, "merge", "-q", "-o", self.file("ours.raw"), image.path], check=True)
        for name in ("ours.raw", "fs.raw"):
            subprocess.run(["e2fsck", "-fn", self.file(name)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        require(self.blocks_of("ours.raw") == self.blocks_of("fs.raw"), "the filesystems have other sizes")
        self.remove("files.img", "fs.cow", "fs.raw", "ours.raw", ".fs.cow.cowtui-undo")

    def grow_fs_cases(self):
        self.grow_fs("64 files", self.few_files(10 * GIB))
        self.grow_fs("100,000 files", self.tree_of_files(10 * GIB))

    def blocks_of(self, name):
        told = subprocess.check_output(["dumpe2fs", "-h", self.file(name)], stderr=subprocess.DEVNULL).decode()
        return next(line.split()[-1] for line in told.splitlines() if line.startswith("Block count:"))

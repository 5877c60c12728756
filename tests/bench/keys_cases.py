# SPDX-License-Identifier: GPL-3.0-or-later
"""How soon the screen answers: 1,000 keys at 200x60 on two processors while a scan runs, and the first frame."""

import os
import statistics
import time

from images import SECTOR
from keys import Keyboard
from measure import GIB, MIB, TIB

WORST_SECONDS, MEDIAN_SECONDS, QUIT_SECONDS, FRAME_SECONDS = 0.050, 0.005, 0.100, 0.100
MOVE_BYTES, ZOOM_BYTES = 200, 8192
REST_SECONDS, RESTS = 0.1, 40
FRAGMENTS = 120_000
KEYS = {"Map": 400, "Blocks": 300, "Bytes": 300}
FRAME = (b"Map", b"Help", b"Quit")


class Tally:
    """What came of the keys in one view."""

    def __init__(self):
        self.seconds, self.processor, self.moves, self.zooms = [], [], [], []

    def add(self, seconds, processor, sent, zooms):
        if seconds is not None:
            self.seconds.append(seconds)
            self.processor.append(processor)
            (self.zooms if zooms else self.moves).append(len(sent))


class KeysCases:
    """Mixed into Bench."""

    def goal(self, case, told, value, goal):
        """A row whose "ratio" is the value to its goal."""
        self.table.row(case, told, "", [value / goal], 1)

    def sparse_disk(self):
        """8 TiB - 1 GiB with a thousand small spots."""
        size = 8 * TIB - GIB
        image = self.image("keys.cow", self.hole("keys.img", size))
        self.spots(image, size, 1000)
        return image

    def fragmented_disk(self):
        """4 TiB, a page at a time."""
        image = self.image("keys.cow", self.hole("keys.img", 4 * TIB))
        self.spots(image, 4 * TIB, FRAGMENTS)
        return image

    def spots(self, image, size, count):
        """Pages of 4 KiB, none beside another: bits and data."""
        page = self.rng.randbytes(4096)
        with open(image.path, "r+b", buffering=0) as file:
            for number in sorted(self.rng.sample(range(size // 8192), count)):
                os.pwrite(file.fileno(), b"\xff", image.bitmap_offset + number * 8192 // SECTOR // 8)
                os.pwrite(file.fileno(), page, image.data_offset + number * 8192)

    def forget(self, *paths):
        """The kernel reads them anew."""
        for path in paths:
            with open(path, "rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def scanning(self, keyboard, seen):
        """Begins a scan, again where one has ended; answers whether it had to."""
        if b"scanned" not in seen and seen != b"start":
            return
        keyboard.press("s")

    def walk(self, keyboard, ways, weights, count):
        """So many keys: there and back by chance, up to eight steps. A key that has nothing to do sends nothing, and
        would be taken for one that waits; so each goes where there is something, or comes back from there."""
        tally = Tally()
        keys = []
        while len(keys) < count:
            there, back = self.rng.choices(ways, weights)[0]
            steps = self.rng.randint(1, 8)
            keys += [there] * steps + [back] * steps
        for key in keys[:count]:
            seconds, sent = keyboard.press(key)
            tally.add(seconds, keyboard.processor_until_first, sent, key in "+-")
            self.scanning(keyboard, sent)
        return tally

    def tell_keys(self, words, tally):
        """The rows of one view."""
        worst, median = max(tally.seconds), statistics.median(tally.seconds)
        self.goal(f"{words}: worst key to first byte (most of a processor: {max(tally.processor) * 1000:.1f} ms)",
                  f"{worst * 1000:.1f} ms", worst, WORST_SECONDS)
        self.goal(f"{words}: median", f"{median * 1000:.1f} ms", median, MEDIAN_SECONDS)
        for kind, sizes, goal in (("move", tally.moves, MOVE_BYTES), ("zoom", tally.zooms, ZOOM_BYTES)):
            if sizes:
                middle = statistics.median(sizes)
                self.goal(f"{words}: bytes of a {kind}, median (worst {max(sizes)})", f"{middle:.0f} B", middle, goal)

    def at_rest(self, words, keyboard, ways):
        """The bytes of a key that no other follows: with the pane, which is drawn when none does."""
        sizes = [len(keyboard.press(key, REST_SECONDS)[1]) for key in ways * (RESTS // len(ways))]
        middle = statistics.median(sizes)
        self.goal(f"{words}: bytes of a single move, with the pane", f"{middle:.0f} B", middle, MOVE_BYTES)

    def keys_of(self, words, image):
        with Keyboard([self.cowtui, image.path]) as keyboard:
            keyboard.wait_for(*FRAME)
            keyboard.settle(0.3)
            keyboard.press("j")
            keyboard.press("l")
            self.scanning(keyboard, b"start")
            self.tell_keys(f"{words}, Map", self.walk(keyboard, ["lh", "jk", "+-"], [3, 3, 2], KEYS["Map"]))
            self.at_rest(f"{words}, Map", keyboard, "lljh")
            keyboard.press("3")
            self.tell_keys(f"{words}, Blocks", self.walk(keyboard, ["jk", "]["], [4, 1], KEYS["Blocks"]))
            self.at_rest(f"{words}, Blocks", keyboard, "jjjk")
            keyboard.press("\r")
            self.tell_keys(f"{words}, Bytes", self.walk(keyboard, ["lh", "jk"], [1, 1], KEYS["Bytes"]))
            keyboard.press("2")
            seconds = keyboard.quit()
            self.goal(f"{words}: q until it has ended", f"{seconds * 1000:.1f} ms", seconds, QUIT_SECONDS)

    def stop_a_plan(self, words, image):
        """Esc while the screen compares, or counts, for a plan: the time until it is heard. Several times, at other
        places."""
        seconds = []
        with Keyboard([self.cowtui, image.path]) as keyboard:
            keyboard.wait_for(*FRAME)
            keyboard.settle(0.3)
            for wait_seconds in (0.15, 0.3, 0.6, 1.2, 2.4):
                keyboard.press(":")
                keyboard.press("compact")
                os.write(keyboard.terminal, b"\r")
                keyboard.settle(wait_seconds, wait_seconds)
                begin = time.perf_counter()
                os.write(keyboard.terminal, b"\x1b")
                seen = b""
                while b"cancelled" not in seen:
                    seen += keyboard.read(5) or b"cancelled"
                seconds.append(time.perf_counter() - begin)
        self.goal(f"{words}: Esc until a plan is given up, worst", f"{max(seconds) * 1000:.1f} ms", max(seconds),
                  WORST_SECONDS)

    def first_frame(self, words, image):
        self.forget(image.path)
        with Keyboard([self.cowtui, image.path]) as keyboard:
            seconds, _ = keyboard.wait_for(*FRAME)
            self.goal(f"{words}: start to first frame, cold", f"{seconds * 1000:.1f} ms", seconds, FRAME_SECONDS)
            quit_seconds = keyboard.quit()
            self.goal(f"{words}: q while it opens", f"{quit_seconds * 1000:.1f} ms", quit_seconds, QUIT_SECONDS)

    def keys_cases(self):
        for words, make in (("8 TiB - 1 GiB, sparse", self.sparse_disk), (f"4 TiB, {FRAGMENTS} runs", self.fragmented_disk)):
            image = make()
            self.first_frame(words, image)
            self.keys_of(words, image)
            if words.startswith("4"):
                self.stop_a_plan(words, image)
            self.remove("keys.img", "keys.cow")

    def open_cases(self):
        """A bitmap of 2 GiB that is full of random bits."""
        image = self.image("open.cow", self.hole("open.img", 8 * TIB - GIB))
        block = self.rng.randbytes(16 * MIB)
        with open(image.path, "r+b") as file:
            file.seek(image.bitmap_offset)
            for _ in range(image.bitmap_bytes // len(block)):
                file.write(block)
        self.first_frame("8 TiB - 1 GiB, a bitmap of 2 GiB", image)
        self.remove("open.img", "open.cow")

# SPDX-License-Identifier: GPL-3.0-or-later
"""The filesystem is shut down while the data moves: what had not reached the disk is gone, as after a power cut. Then
it is mounted again, and recover must find every byte."""
import fcntl
import os
import random
import subprocess
import time

import mounts
from scene import POSITION, SECONDS, UNDO, Scene, Wrong

SHUTDOWN = 0x8004587D  # ext4 and XFS have the same number
# All that was written is flushed; only the log is; nothing is.
FLUSH_ALL, FLUSH_LOG, FLUSH_NOTHING = 0, 1, 2
FLAGS = (FLUSH_LOG, FLUSH_NOTHING, FLUSH_LOG, FLUSH_ALL, FLUSH_LOG)
WAYS = ("forward", "back", None)


class Shut(mounts.OnDisk):
    """A filesystem that can be shut down and mounted again."""

    megabytes = 768

    def shut_down(self, flags):
        fd = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, SHUTDOWN, flags.to_bytes(4, "little"))
        finally:
            os.close(fd)

    def again(self):
        for _ in range(100):
            done = subprocess.run(["umount", self.place], capture_output=True, text=True, check=False)
            if not done.returncode:
                break
            time.sleep(0.1)
        else:
            raise Wrong(f"it cannot be unmounted: {done.stderr.strip()}")
        self.mounted.remove(self.place)
        self.mount(self.place, "mount", "-o", self.options, os.path.join(self.scratch, "disk"))


class Ext4(Shut):
    mkfs = ("mkfs.ext4", "-q", "-F", "-b", "1024", "-m", "0")


class Xfs(Shut):
    mkfs = ("mkfs.xfs", "-q", "-f", "-b", "size=1024", "-m", "reflink=1")


class XfsCopies(Shut):
    """Without shared blocks: what moves is written."""

    mkfs = ("mkfs.xfs", "-q", "-f", "-m", "reflink=0")


class Trial:
    """Rounds of one method on one filesystem."""

    def __init__(self, binary, world, method, rounds):
        self.world, self.method, self.rounds = world, method, rounds
        self.random = random.Random(f"{type(world).__name__} {method} {os.environ.get('SEED') or 1}")
        for name in os.listdir(world.place):
            if name != "lost+found":
                os.unlink(os.path.join(world.place, name))
        self.scene = Scene(binary, world.place, **self.geometry())
        self.halves = self.splits = self.twice = 0
        self.spans = {}

    def geometry(self):
        extents = 100000 if self.rounds > 2 else 10000
        if self.method == "inserted":
            return {"unit": 1024, "units": extents, "stride": 2}
        return {"unit": 4096, "units": 16384 if self.rounds > 2 else 6144}

    def leave(self, n_bytes):
        """Only so much is free: it moves in small pieces then."""
        facts = os.statvfs(self.world.place)
        with open(self.scene.at("fill"), "wb") as f:
            os.posix_fallocate(f.fileno(), 0, max(facts.f_bavail * facts.f_frsize - n_bytes, 1))
        os.sync()

    # ---- moments -----------------------------------------------------------------------------------------

    def has_begun(self, command):
        """Does the data move by now? An insertion makes the file longer first, a collapse does so last."""
        s = self.scene
        if not os.path.exists(s.at(POSITION)):
            return False
        return self.method == "moved" or "undo" in command or os.stat(s.at("x.cow")).st_size > len(s.old_cow)

    def wait(self, process, command):
        """Until it begins. False: it has ended."""
        began = time.monotonic()
        while not self.has_begun(command):
            if process.poll() is not None:
                return False
            if time.monotonic() - began > SECONDS:
                raise Wrong("it does not begin to move")
        return True

    def start(self, command):
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def measure(self, what, command):
        """Without a shutdown: how long it moves."""
        with self.start(command) as process:
            begins = self.wait(process, command)
            begun = time.monotonic()
            while process.poll() is None and os.path.exists(self.scene.at(POSITION)):
                time.sleep(0.001)
            self.spans[what] = time.monotonic() - begun
            _, said = process.communicate(timeout=SECONDS)
        if not begins:  # on a busy machine it can be over before it is seen; whether enough is met half way is asked at the end
            self.spans[what] = 0.01
        if process.returncode:
            raise Wrong(f"{what} answers {process.returncode}: {said.strip()[-300:]}")

    def interrupt(self, what, command, flags):
        """Shuts the filesystem down some time after it has begun, or a little before, and mounts it again."""
        with self.start(command) as process:
            if self.random.random() < 0.85:
                self.wait(process, command)
            time.sleep(self.random.uniform(0, self.spans[what]))
            self.world.shut_down(flags)
            process.communicate(timeout=SECONDS)
        self.world.again()

    def aim(self, what):
        """What it takes depends on what else the machine does: too late makes it earlier the next time, too early later."""
        s = self.scene
        if s.is_half():
            self.spans[what] *= 1.15
            return
        is_longer = os.stat(s.at("x.cow")).st_size > len(s.old_cow)
        self.spans[what] *= 0.75 if is_longer == (what == "growth") else 1.5

    # ---- rounds ------------------------------------------------------------------------------------------

    def is_split(self):
        """Does the data lie in both places? (What stood at the beginning is there still, and the end has moved.)"""
        s = self.scene
        begins = [begin for begin, _ in s.data_extents(s.data_offset)]
        return bool(begins) and begins[0] < s.data_offset + s.size // 8 and begins[-1] >= len(s.old_cow) - s.size // 8

    def round(self, number):
        s = self.scene
        undo = number % 2 == 1
        if undo:
            s.must(0, *s.grow(self.method))
        command = s.words("undo") if undo else s.grow(self.method)
        flags, way = FLAGS[number % len(FLAGS)], WAYS[number % len(WAYS)]
        what = "undo" if undo else "growth"
        self.interrupt(what, command, flags)
        self.aim(what)
        if s.is_half():
            self.halves += 1
            self.splits += self.is_split()
            if number % 4 == 0:
                s.check_half()
            if number % 3 == 0:
                self.interrupt(what, s.words("recover", *(["--back"] if self.random.random() < 0.5 else ["--forward"])),
                               self.random.choice(FLAGS))
                self.twice += 1
        try:
            s.settle(way, undo, moo=number % 5 == 0)
        except Wrong as wrong:
            raise Wrong(f"round {number}, {what} shut down with flags {flags}, recover {way or ''}: {wrong}") from wrong
        s.back_to_old()

    def has_too_few(self):
        """In the middle. A few rounds may miss it."""
        return self.rounds >= 20 and (self.halves < self.rounds // 5 or not self.splits)

    def go(self):
        s = self.scene
        if self.method == "inserted" and s.extents < self.geometry()["units"]:
            raise Wrong(f"the image has {s.extents} extents only")
        if self.method == "moved":
            self.leave(2 << 20)
        self.measure("growth", s.grow(self.method))
        s.check_new(moo=True)
        self.measure("undo", s.words("undo"))
        s.check_old()
        number = 0
        while number < self.rounds or (self.has_too_few() and number < 3 * self.rounds):
            self.round(number)
            number += 1
        told = f"{number} shutdowns; {self.halves} half way, {self.splits} of them in two places; {self.twice} again in the recovery"
        if self.has_too_few():
            raise Wrong(f"too few in the middle: {told}")
        return told

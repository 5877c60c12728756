# SPDX-License-Identifier: GPL-3.0-or-later
"""A filesystem with less free space than the image has data: no copy fits, the move does. It is killed at each of its
pieces, and the rest of the filesystem is filled in the middle of it."""
import errno
import os
import shutil

import halves
import mounts
from scene import POSITION, Scene, Wrong, expect

MIB = 1 << 20


class Small(mounts.OnDisk):
    mkfs, megabytes = ("mkfs.ext4", "-q", "-F", "-b", "4096", "-m", "0", "-O", "^resize_inode"), 27


class Full:
    """15 MiB of data, and some 6 that are free."""

    def __init__(self, binary, world, every):
        self.world, self.every = world, every
        self.scene = Scene(binary, world.place, 4096, 16 * MIB // 4096)
        self.fill_path = self.scene.at("fill")
        self.chunks = {}
        if self.free() >= self.scene.size // 2:
            raise Wrong(f"{self.free()} bytes are free: a copy would fit")

    def free(self):
        facts = os.statvfs(self.world.place)
        return facts.f_bavail * facts.f_frsize

    def fill(self, leave=0):
        """Takes all but so much."""
        os.sync()
        with open(self.fill_path, "ab", buffering=0) as f:
            for _ in range(1000):
                left = self.free() - leave
                if left <= 0:
                    return
                try:
                    os.posix_fallocate(f.fileno(), os.fstat(f.fileno()).st_size, max(left // 2, 4096))
                except OSError as full:
                    if full.errno != errno.ENOSPC:
                        raise
                    if left <= 8192:
                        return
                    os.sync()
        raise Wrong("the filesystem does not get full")

    def empty(self):
        if os.path.exists(self.fill_path):
            os.unlink(self.fill_path)
        os.sync()

    def begin_old(self):
        """Whatever the case before has left."""
        s = self.scene
        if s.is_half():
            s.must(0, *s.words("recover"))
        s.back_to_old()

    # ---- cases -------------------------------------------------------------------------------------------

    def copy_refused(self):
        """Before the yes, and in a dry run; in place is named, and fits."""
        s = self.scene
        plain = [s.binary, "resize", "--policy", "extend", s.at("x.cow"), str(s.new_size)]
        for words in plain, [*plain, "--dry-run"], [*plain, "--yes"]:
            done = s.must(3, *words)
            if "--in-place" not in done.stderr:
                raise Wrong(f"the refusal does not name --in-place: {done.said}")
            s.check_old()
        s.must(0, *plain, "--in-place", "--dry-run")
        s.check_old()

    def moves(self):
        """It succeeds, and is undone; how the calls lie is told by it."""
        s = self.scene
        for what, command in ("growth", s.grow("moved")), ("undo", s.words("undo")):
            self.chunks[what] = halves.chunks_of(halves.calls_of(s, command))
            s.check_new(moo=True) if what == "growth" else s.check_old()
            if len(self.chunks[what]) < 5:
                raise Wrong(f"the {what} moves {len(self.chunks[what])} pieces only")
        return ", ".join(f"{what} in {len(pieces)} pieces" for what, pieces in self.chunks.items())

    def points(self, what):
        """Where it is killed, and which way is taken then: at each piece, or at each call of each piece both ways."""
        pieces = self.chunks[what]
        if self.every:
            return [(call, way) for piece in pieces for call in piece for way in ("forward", "back")]
        return [(piece[i % len(piece)], ("forward", "back", None)[i % 3]) for i, piece in enumerate(pieces)]

    def killed(self, what):
        s = self.scene
        self.begin_old()
        if what not in self.chunks:
            self.moves()
        points = self.points(what)
        for number, ((call, n), way) in enumerate(points):
            if what == "undo" and s.size_field() != s.new_size:
                s.must(0, *s.grow("moved"))
            elif what == "growth":
                s.back_to_old()
            halves.kill_at(s, s.grow("moved") if what == "growth" else s.words("undo"), call, n)
            try:
                self.half_then(way, what == "undo", number % 4 == 0)
            except Wrong as wrong:
                raise Wrong(f"killed at {call} number {n}, recover {way or ''}: {wrong}") from wrong
        s.back_to_old()
        return f"{len(points)} kills"

    def half_then(self, way, undoing, look):
        s = self.scene
        expect(True, s.is_half(), "is it half way")
        if look:
            s.check_half()
        s.settle(way, undoing)

    def filled(self):
        """Somebody takes all space in the middle: it stops half way, and goes on when there is some."""
        s = self.scene
        self.begin_old()
        if "growth" not in self.chunks:
            self.moves()
        for what, way in ("growth", "forward"), ("growth", "back"), ("undo", "forward"):
            command = s.grow("moved")
            if what == "undo":
                s.must(0, *s.grow("moved"))
                command = s.words("undo")
            pieces = self.chunks[what]
            call, n = pieces[len(pieces) // 2][-1]
            try:
                code, said = halves.stop_at(s, command, call, n, self.fill)
                self.is_stopped(what, code, said)
                self.still_full(way)
            finally:
                self.empty()
            s.settle(way, what == "undo")
            s.back_to_old()

    def is_stopped(self, what, code, said):
        s = self.scene
        expect(2, code, f"exit code of the {what} ({said.strip()[-300:]})")
        expect(True, s.is_half(), f"is the {what} half way ({said.strip()[-300:]})")
        for word in "space", "recover", "half":
            if word not in said:
                raise Wrong(f"it does not say \"{word}\": {said.strip()[-400:]}")
        s.check_half()

    def still_full(self, way):
        """No space, no recovery; and what is there stays."""
        s = self.scene
        position = os.stat(s.at(POSITION)).st_size
        done = s.run(s.words("recover", f"--{way}"))
        expect(2, done.returncode, f"exit code of recover {way} on a full filesystem ({done.said})")
        expect((True, position), (s.is_half(), os.stat(s.at(POSITION)).st_size), "is it half way, with its position")
        s.check_half()

    def no_room(self):
        """Too little even for the move: known before anything happens."""
        s = self.scene
        try:
            self.fill(64 * 1024)
            done = s.run(s.grow("moved"))
            if done.returncode not in (2, 3) or "space" not in done.stderr:
                raise Wrong(f"it answers {done.returncode}: {done.said}")
        finally:
            self.empty()
        s.check_old()


def cases(every):
    """Those of the part."""
    def of(binary, scratch):
        world = Small(scratch)
        try:
            halves.need_strace()
            full = Full(binary, world, every)
            yield "a copy is refused, in place is named", full.copy_refused
            yield "moved where no copy fits", full.moves
            yield "too little room for a move", full.no_room
            yield "killed at every piece", lambda: full.killed("growth")
            yield "undo, killed at every piece", lambda: full.killed("undo")
            yield "no space in the middle", full.filled
        finally:
            world.close()
            shutil.rmtree(os.path.join(scratch, "other"), ignore_errors=True)

    return of

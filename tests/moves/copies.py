# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory that is copied, moved or restored while an image in it is half way; and what lies beside the image lost."""
import hashlib
import os
import shutil
import subprocess

import halves
import mounts
from scene import BACKING, NAME, POSITION, Scene, Wrong, expect, read

JOURNAL = ".x.cow.cowtui-move"


class Elsewhere:
    """A scene, looked at in another directory."""

    def __init__(self, scene, place):
        self.scene, self.place = scene, place

    def __enter__(self):
        self.was, self.scene.place = self.scene.place, self.place
        return self.scene

    def __exit__(self, *_):
        self.scene.place = self.was


class Copies:
    """An image half way, in a directory of its own each time."""

    def __init__(self, binary, scratch, method):
        self.scratch, self.method = scratch, method
        self.home, self.copy = os.path.join(scratch, "home"), os.path.join(scratch, "copy")
        os.mkdir(self.home)
        # 24 MiB of disk and 3 MiB of data, with holes: it moves in two pieces.
        self.scene = Scene(binary, self.home, 4096, 768, stride=8, more=8 << 20)
        self.kept = os.path.join(scratch, "kept")
        self.call = None
        self.cp("-a", self.home, self.kept)

    def cp(self, how, source, target):
        subprocess.run(["cp", how, source, target], check=True)

    def fresh(self):
        """Half way: killed in the middle of its calls, the image marked."""
        for path in self.home, self.copy:
            shutil.rmtree(path, ignore_errors=True)
        self.cp("-a", self.kept, self.home)
        s = self.scene
        if self.call is None:
            if self.method == "inserted":
                halves.have_insertion(s)
            # All has been inserted, and that is being flushed; or the first piece is being given back.
            if self.method == "inserted":
                self.call = halves.calls_of(s, s.grow(self.method), after="INSERT_RANGE")[1]
            else:
                self.call = halves.chunks_of(halves.calls_of(s, s.grow(self.method)))[0][-1]
            return self.fresh()
        halves.kill_at(s, s.grow(self.method), *self.call)
        expect(True, s.is_half(), "is it half way")
        return s

    def sums(self):
        """Everything below the scratch directory: bytes, lengths, dates."""
        out = {}
        for place in self.home, self.copy:
            for name in sorted(os.listdir(place)) if os.path.isdir(place) else ():
                path = os.path.join(place, name)
                facts = os.stat(path)
                out[path] = hashlib.sha256(read(path)).hexdigest(), facts.st_size, facts.st_mtime_ns
        return out

    def refused(self, place, words, *ways, code=3):
        """recover there: refused, with all these words; nothing is changed, here or there."""
        s, before = self.scene, self.sums()
        for way in ways or ((), ("--forward",), ("--back",)):
            done = s.must(code, s.binary, "recover", *way, "--yes", os.path.join(place, NAME))
            for word in words:
                if word not in done.stderr:
                    raise Wrong(f"recover {' '.join(way)} does not say \"{word}\": {done.said}")
            if self.sums() != before:
                changed = [path for path, facts in self.sums().items() if before.get(path) != facts]
                raise Wrong(f"recover {' '.join(way)} was refused, and changed {changed}")

    # ---- cases -------------------------------------------------------------------------------------------

    def copied(self, how, *words):
        """Refused as long as the original is there; once that is gone, it is one that was moved."""
        for way in "forward", "back":
            self.fresh()
            self.cp(how, self.home, self.copy)
            self.refused(self.copy, words or ("copy", os.path.join(self.home, NAME)))
            shutil.rmtree(self.home)
            with Elsewhere(self.scene, self.copy) as s:
                s.check_half("-b", s.at(BACKING))  # the header names the one that is gone
                s.settle(way)

    def beside_original(self):
        """The original goes on while there is a copy; the copy is refused also then, for it is no longer about the original."""
        s = self.fresh()
        self.cp("-a", self.home, self.copy)
        s.settle("forward")
        with Elsewhere(s, self.copy):
            expect(True, s.is_half(), "is the copy half way")
            done = s.run(s.words("recover", "--back"))
            if done.returncode == 0:
                s.check_old()
        s.check_new()  # whatever was done to the copy

    def restored(self):
        """A backup of image and side files, made half way, is put back where the image was changed since, or elsewhere."""
        archive = os.path.join(self.scratch, "backup.tar")
        for way, since in ("forward", "back"), ("back", "forward"), (None, None):
            s = self.fresh()
            subprocess.run(["tar", "-C", self.scratch, "--format=posix", "-Scf", archive, "home"], check=True)
            if since:
                s.settle(since)
            shutil.rmtree(self.home)
            subprocess.run(["tar", "-C", self.scratch, "-xf", archive], check=True)
            s.check_half()
            s.settle(way)
        shutil.rmtree(self.home)
        os.mkdir(self.copy)
        subprocess.run(["tar", "-C", self.copy, "--strip-components=1", "-xf", archive], check=True)
        with Elsewhere(s, self.copy):
            s.settle("forward")

    def without_holes(self):
        """A backup that has written zeros where holes were. What is moved is known by the position; what was inserted, by
        its holes only: then nothing is done."""
        s = self.fresh()
        whole = s.at("whole")
        with open(whole, "wb") as f:
            f.write(read(s.at(NAME)))
        os.replace(whole, s.at(NAME))
        if self.method == "inserted":
            self.refused(self.home, ["not where the moving of it can have left it"], (), code=5)
        else:
            s.settle("back")

    def odd_end(self):
        """A file that ends within a block of the filesystem: the rest of that block is no hole, and no data."""
        place = os.path.join(self.scratch, "odd")
        os.mkdir(place)
        s = Scene(self.scene.binary, place, 512, 4097, more=8 << 20)
        if self.method == "inserted":
            halves.have_insertion(s)
        for call, n in [c for c in halves.calls_of(s, s.grow(self.method)) if c[0] in ("fallocate", "fsync")][-8:]:
            s.back_to_old()
            halves.kill_at(s, s.grow(self.method), call, n)
            s.settle("back" if n % 2 else "forward")
        s.check_moo() if s.size_field() == s.new_size else None
        s.back_to_old()

    def lost(self, name, *words):
        """Without one of the side files nothing is begun anew; when it is back, all goes well."""
        s = self.fresh()
        away = os.path.join(self.scratch, "away")
        os.rename(s.at(name), away)
        self.refused(self.home, words, ())
        before = self.sums()
        for change in ["resize", "--in-place", "--reserve", "200G"], ["check", "--repair"], ["undo"]:
            done = s.run(s.words(*change))
            if done.returncode == 0:
                raise Wrong(f"{change[0]} answers 0")
        expect(before, self.sums(), "files after what was refused")
        os.rename(away, s.at(name))
        s.settle("forward")

    def torn(self):
        """A slot that is half written leaves the other one; both do not; nor does another image's."""
        for slots in (0,), (1,), (0, 1):
            s = self.fresh()
            whole = read(s.at(POSITION))
            for slot in slots:
                poke(s.at(POSITION), slot * 4096 + 256, b"\xa5" * 256)
            if not any(whole[slot * 4096 : slot * 4096 + 6] == b"cowtui" for slot in {0, 1} - set(slots)):  # it was the only one
                self.refused(self.home, ["position"], ())
                poke(s.at(POSITION), 0, whole)
            s.settle("back")
        s = self.fresh()
        other = read(s.at(POSITION))
        self.fresh()
        mine = read(s.at(POSITION))
        poke(s.at(POSITION), 0, other)
        self.refused(self.home, ["position"], ())
        poke(s.at(POSITION), 0, mine)
        s.settle("forward")

    def alone(self):
        """The image without anything beside it: nothing can be known."""
        self.fresh()
        os.mkdir(self.copy)
        self.cp("-a", self.scene.at(NAME), os.path.join(self.copy, NAME))
        self.refused(self.copy, ["journal of that is not beside it"], ())
        self.scene.settle("forward")


def poke(path, offset, data):
    with open(path, "r+b", buffering=0) as f:
        f.seek(offset)
        f.write(data)


def cases(binary, scratch):
    """On ext4, where loop devices are to be had; else wherever the scratch directory is."""
    halves.need_strace()
    world = None
    try:
        world = Home(scratch)
    except mounts.Skip:
        pass
    try:
        for method in "moved", "inserted":
            place = os.path.join(world.place if world else scratch, method)
            os.mkdir(place)
            copies = Copies(binary, place, method)
            yield f"{method}: a copied directory", lambda c=copies: c.copied("-a")
            yield f"{method}: a directory of links", lambda c=copies: c.copied("-al", "2 names")
            yield f"{method}: a copy, when the original has gone on", copies.beside_original
            yield f"{method}: a restored backup", copies.restored
            yield f"{method}: a backup without holes", copies.without_holes
            yield f"{method}: a file that ends within a block", copies.odd_end
            yield f"{method}: the position file is lost", lambda c=copies: c.lost(POSITION, "position")
            yield f"{method}: the journal is lost", lambda c=copies: c.lost(JOURNAL, "journal of that is not beside it")
            yield f"{method}: torn slots, and another image's", copies.torn
            yield f"{method}: the image alone", copies.alone
    finally:
        if world:
            world.close()


class Home(mounts.OnDisk):
    mkfs, megabytes = ("mkfs.ext4", "-q", "-F", "-b", "4096"), 160

# SPDX-License-Identifier: GPL-3.0-or-later
"""resize --grow-fs, and somebody is killed while e2fsck or resize2fs runs: cowtui, one of the two that serve the disk to
it, or the program itself. Then the disk is the old one or the new one, nothing is mounted, and nobody is left."""
import errno
import os
import shutil
import signal
import subprocess
import sys
import time

import mounts
from scene import DATE_NS, SECONDS, Wrong, compose, expect, first_difference, read

MIB = 1 << 20
OLD_BYTES, NEW_BYTES = 24 * MIB, 80 * MIB
HERE = os.path.dirname(os.path.abspath(__file__))
STAND_IN = os.path.join(HERE, "stand_in.py")

# (program, moment): before it, after it, or in its so many-th write.
MOMENTS = [("e2fsck", "before"), ("e2fsck", "1"), ("e2fsck", "after"), ("resize2fs", "before"), ("resize2fs", "1"), ("resize2fs", "4"),
           ("resize2fs", "16"), ("resize2fs", "after")]
FEW = [("e2fsck", "1", "cowtui"), ("resize2fs", "4", "cowtui"), ("resize2fs", "16", "nbdkit"), ("resize2fs", "1", "self")]


def is_dead(path):
    """A mount that nobody answers for."""
    try:
        os.stat(path)
    except OSError as wrong:
        return wrong.errno == errno.ENOTCONN
    return False


class Disk:
    """x.cow on back.img, an ext4 of 24 MiB with some files."""

    def __init__(self, binary, scratch):
        self.binary = binary
        self.place = os.path.join(os.path.realpath(scratch), "place")
        self.private = os.path.join(os.path.realpath(scratch), "private")
        self.tools = os.path.join(os.path.realpath(scratch), "tools")
        for name in self.place, self.private, self.tools:
            os.mkdir(name)
        for tool in "e2fsck", "resize2fs":
            path = os.path.join(self.tools, tool)
            with open(path, "w", encoding="utf-8") as f:
                f.write(f"#!{sys.executable} -BES\n" + read(STAND_IN).decode())
            os.chmod(path, 0o755)
        back = self.at("back.img")
        with open(back, "wb") as f:
            f.truncate(OLD_BYTES)
        self.must(0, "mkfs.ext4", "-q", "-F", "-d", HERE, back)
        os.utime(back, ns=(0, DATE_NS))
        self.must(0, binary, "create", "-q", self.at("x.cow"), back)
        self.old = [read(self.at(name)) for name in ("x.cow", "back.img")]
        self.names = sorted(os.listdir(self.place))

    def at(self, name):
        return os.path.join(self.place, name)

    def run(self, *command, **more):
        env = {k: v for k, v in os.environ.items() if k != "XDG_RUNTIME_DIR"} | {"TMPDIR": self.private} | more
        env["PATH"] = self.tools + ":" + env["PATH"]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False, env=env,
                              timeout=SECONDS / 2)

    def must(self, code, *command):
        done = self.run(*command)
        if done.returncode != code:
            raise Wrong(f"{' '.join(command[:3])} answers {done.returncode}, not {code}: {(done.stderr or done.stdout)[-300:]}")
        return done

    def grow(self, method, **more):
        return self.run(self.binary, "resize", "-q", "-y", "--policy", "extend", "--method", method, "--grow-fs", self.at("x.cow"),
                        str(NEW_BYTES), **more)

    # ---- judging -----------------------------------------------------------------------------------------

    def check_nobody(self, was_killed):
        """Nothing of it runs a few seconds later, and nothing is mounted. Where cowtui was killed, nbdfuse may go before it has
        unmounted, for the server under it went at the same time: then what is left is dead, and the next one clears it away."""
        for _ in range(int(SECONDS)):
            left = self.running() + [path for path in self.mounted() if not (was_killed and is_dead(path))]
            if not left:
                return
            time.sleep(0.1)
        raise Wrong(f"left: {', '.join(left)}")

    def running(self):
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                words = read(f"/proc/{pid}/cmdline").replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if self.private in words or (self.place in words and int(pid) != os.getpid()):
                found.append(words[:100])
        return found

    def mounted(self):
        return [line.split()[1] for line in read("/proc/self/mounts").decode().splitlines() if self.private in line]

    def check_old(self):
        for name, old in zip(("x.cow", "back.img"), self.old):
            if read(self.at(name)) != old:
                raise Wrong(f"{name} is not the old one: {first_difference(read(self.at(name)), old)}")
        expect(self.names, sorted(os.listdir(self.place)), "files beside the old image")

    def check_new(self):
        size, disk = compose(read(self.at("x.cow")), read(self.at("back.img")))
        expect(NEW_BYTES, size, "size of the disk")
        raw = os.path.join(os.path.dirname(self.place), "raw")
        with open(raw, "wb") as f:
            f.write(disk)
        self.must(0, "e2fsck", "-fn", raw)
        expect(NEW_BYTES // 1024, int(self.must(0, "dumpe2fs", "-h", raw).stdout.split("Block count:")[1].split()[0]), "blocks")
        os.unlink(raw)
        expect([".x.cow.cowtui-undo", *self.names], sorted(os.listdir(self.place)), "files beside the new image")

    def check_either(self):
        """What recover makes of it."""
        done = self.run(self.binary, "recover", "-q", "-y", self.at("x.cow"))
        if done.returncode != 0 and not (done.returncode == 3 and "nothing to recover" in done.stderr):
            raise Wrong(f"recover answers {done.returncode}: {done.stderr[-300:]}")
        if os.stat(self.at("back.img")).st_size == OLD_BYTES:
            self.check_old()
            return "old"
        self.check_new()
        return "new"

    # ---- cases -------------------------------------------------------------------------------------------

    def begin_old(self):
        """Whatever a case that failed has left."""
        for path in self.mounted():
            subprocess.run(["umount", "-l", path], check=False, capture_output=True)
        self.run(self.binary, "recover", "-q", "-y", self.at("x.cow"))
        if os.stat(self.at("back.img")).st_size != OLD_BYTES:
            self.must(0, self.binary, "undo", "-q", "-y", self.at("x.cow"))
        self.check_old()

    def killed(self, method, program, when, who):
        self.begin_old()
        marker = os.path.join(os.path.dirname(self.place), "killed")
        done = self.grow(method, KILL_AT=program, KILL_WHEN=when, KILL_WHO=who, KILL_SIGNAL=str(int(signal.SIGKILL)), KILL_DONE=marker)
        if not os.path.exists(marker):
            raise Wrong(f"nobody was killed: {done.returncode}, {done.stderr[-300:]}")
        os.unlink(marker)
        if who == "cowtui":
            expect(-signal.SIGKILL, done.returncode, "how it ended")
        self.check_nobody(who == "cowtui")
        which = self.check_either()
        if who != "cowtui" and (done.returncode == 0) != (which == "new"):
            raise Wrong(f"it answers {done.returncode}, and the disk is the {which} one: {done.stderr[-300:]}")
        self.grows_now(method, which)
        return f"the {which} disk, exit {done.returncode}"

    def grows_now(self, method, which):
        """The next one works, and clears away what a kill has left."""
        if which == "old":
            done = self.grow(method)
            expect(0, done.returncode, f"exit code of the next one ({done.stderr[-300:]})")
            self.check_new()
        expect(([], []), (os.listdir(self.private), self.mounted()), "private directories, and mounts")
        self.must(0, self.binary, "undo", "-q", "-y", self.at("x.cow"))
        self.check_old()

    def interrupted(self, method):
        """Ctrl-C while resize2fs runs."""
        self.begin_old()
        marker = os.path.join(os.path.dirname(self.place), "killed")
        done = self.grow(method, KILL_AT="resize2fs", KILL_WHEN="4", KILL_WHO="cowtui", KILL_SIGNAL=str(int(signal.SIGINT)), KILL_DONE=marker)
        expect(True, os.path.exists(marker), "somebody pressed Ctrl-C")
        os.unlink(marker)
        expect(130, done.returncode, f"exit code ({done.stderr[-300:]})")
        self.check_nobody(False)
        self.check_old()
        expect([], os.listdir(self.private), "private directories")


def cases(every):
    """The cases: each victim at each moment by two methods, or a few of them."""
    def go(binary, scratch):
        for tool in "strace", "nbdkit", "nbdfuse", "mkfs.ext4":
            if not shutil.which(tool):
                raise mounts.Skip(f"{tool} is not installed")
        if not os.access("/dev/fuse", os.R_OK | os.W_OK):
            raise mounts.Skip("/dev/fuse may not be used here")
        if subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], check=False, capture_output=True).returncode:
            raise mounts.Skip("strace may not trace here (ptrace is forbidden)")
        signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts in the background would ignore it
        disk = Disk(binary, scratch)
        chosen = [(at, when, who) for at, when in MOMENTS for who in ("cowtui", "nbdkit", "nbdfuse", "self") if who != "self" or when.isdigit()]
        try:
            for method in ("header", "copy") if every else ("header",):
                for at, when, who in chosen if every else FEW:
                    moment = f"in write {when} of" if when.isdigit() else when
                    yield f"{method}, {who} is killed {moment} {at}", lambda w=(method, at, when, who): disk.killed(*w)
                yield f"{method}, Ctrl-C", lambda m=method: disk.interrupted(m)
        finally:
            disk.begin_old()

    return go

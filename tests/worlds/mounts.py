# SPDX-License-Identifier: GPL-3.0-or-later
"""Filesystems of many kinds, made in files below a scratch directory and mounted there."""
import os
import shlex
import shutil
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SFTP_SERVERS = ("/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server")


class Skip(Exception):
    """It cannot be had here, and why."""


def call(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Skip(f"{command[0]}: {said[-1] if said else 'exit %d' % done.returncode}")
    return done.stdout


def need(program):
    if not shutil.which(program):
        raise Skip(f"{program} is not installed")


def need_root():
    if os.geteuid():
        raise Skip("not root: nothing can be mounted")


class World:
    """A mounted filesystem. `place` is where the files are."""

    links = True  # an undo by copy needs hard links
    refuses = ""  # what it says of this filesystem, where nothing can be changed
    refuses_new = False  # ... new files neither
    name_bytes = 255

    def __init__(self, scratch):
        self.scratch, self.mounted = scratch, []
        self.place = self.directory("m")
        try:
            self.make()
        except BaseException:
            self.close()
            raise

    def directory(self, name):
        path = os.path.join(self.scratch, name)
        os.makedirs(path, exist_ok=True)
        return path

    def mount(self, where, *command):
        call(*command, where)
        self.mounted.append(where)

    def image(self, name, megabytes, *mkfs):
        path = os.path.join(self.scratch, name)
        with open(path, "wb") as f:
            f.truncate(megabytes << 20)
        need(mkfs[0])
        call(*mkfs, path)
        return path

    def fresh(self, fill):
        """The files, anew: fill(directory) makes them."""
        for name in os.listdir(self.place):
            path = os.path.join(self.place, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        fill(self.place)

    def between(self):
        """What may happen between two runs of the program."""

    def unmount(self, where):
        for _ in range(50):
            done = subprocess.run(["umount", where], capture_output=True, check=False)
            if not done.returncode:
                return
            time.sleep(0.1)
        subprocess.run(["umount", "-l", where], capture_output=True, check=False)

    def close(self):
        while self.mounted:
            self.unmount(self.mounted.pop())


class OnDisk(World):
    mkfs, megabytes, options = (), 64, "loop"

    def make(self):
        need_root()
        disk = self.image("disk", self.megabytes, *self.mkfs)
        self.mount(self.place, "mount", "-o", self.options, disk)


class Ext4(OnDisk):
    mkfs = ("mkfs.ext4", "-q", "-F")


class Ext4Seconds(OnDisk):
    """Inodes of 128 bytes: dates in seconds."""

    mkfs = ("mkfs.ext4", "-q", "-F", "-I", "128")


class Xfs(OnDisk):
    mkfs, megabytes = ("mkfs.xfs", "-q", "-f", "-m", "reflink=1"), 320

    def share(self, path):
        """Writing over it takes new room from now on."""
        call("cp", "--reflink=always", path, path + ".other")


class Btrfs(OnDisk):
    mkfs, megabytes = ("mkfs.btrfs", "-q", "-f"), 160

    def make(self):
        super().make()
        self.top = self.place
        self.place = os.path.join(self.top, "live")
        call("btrfs", "subvolume", "create", self.place)

    def share(self, path):
        """Nothing is ever written over here."""

    def snapshot(self):
        path = os.path.join(self.top, "snap")
        if os.path.exists(path):
            call("btrfs", "subvolume", "delete", path)
        call("btrfs", "subvolume", "snapshot", self.place, path)
        return path


class Tmpfs(World):
    def make(self):
        need_root()
        self.mount(self.place, "mount", "-t", "tmpfs", "-o", "size=64m", "worlds")


class Overlay(World):
    """Over two filesystems: the files are in the lower one, and come up at the first write."""

    def make(self):
        need_root()
        for name in "lower", "upper":
            self.mount(self.directory(name), "mount", "-o", "loop", self.image(name + ".img", 48, "mkfs.ext4", "-q", "-F"))
        self.over()

    def over(self):
        lower, upper = (os.path.join(self.scratch, n) for n in ("lower", "upper"))
        shutil.rmtree(os.path.join(upper, "u"), ignore_errors=True)
        for name in "u", "w":
            os.makedirs(os.path.join(upper, name), exist_ok=True)
        self.mount(self.place, "mount", "-t", "overlay", "-o",
                   f"xino=off,lowerdir={lower},upperdir={upper}/u,workdir={upper}/w", "worlds")

    def fresh(self, fill):
        self.unmount(self.place)
        self.mounted.remove(self.place)
        lower = os.path.join(self.scratch, "lower")
        for name in os.listdir(lower):
            if name != "lost+found":
                os.unlink(os.path.join(lower, name))
        fill(lower)
        self.over()


class Fuse(World):
    def make(self):
        if not os.path.exists("/dev/fuse"):
            raise Skip("there is no /dev/fuse")
        need_root()
        self.again()

    def between(self):
        """A new mount: whoever makes inode numbers up makes others now."""
        self.unmount(self.place)
        self.mounted.remove(self.place)
        self.again()

    def again(self):
        raise NotImplementedError


class Exfat(Fuse):
    links, loop, umask = False, None, "077"

    def make(self):
        disk = self.image("disk", 64, "mkfs.exfat")
        kernel = "exfat" in open("/proc/filesystems", encoding="ascii").read()
        if not kernel:
            need("mount.exfat-fuse")
        need_root()
        self.loop = call("losetup", "-f", "--show", disk).strip()
        self.command = ("mount", "-o", f"umask={self.umask}", self.loop) if kernel else ("mount.exfat-fuse", "-o", f"umask={self.umask}", self.loop)
        super().make()

    def close(self):
        super().close()
        if self.loop:
            subprocess.run(["losetup", "-d", self.loop], capture_output=True, check=False)

    def again(self):
        self.mount(self.place, *self.command)


class ExfatForAll(Exfat):
    """As it is mounted by default: everybody may write everything."""

    umask, refuses = "000", "others than its owner"


class Sshfs(Fuse):
    def make(self):
        need("sshfs")
        server = next((s for s in SFTP_SERVERS if os.path.exists(s)), None)
        if not server:
            raise Skip("sftp-server is not installed")
        self.command = os.path.join(self.scratch, "no-ssh")
        with open(self.command, "w", encoding="ascii") as f:
            f.write(f"#!/bin/sh\nexec {shlex.quote(server)}\n")
        os.chmod(self.command, 0o755)
        self.directory("far")
        super().make()

    def again(self):
        far = os.path.join(self.scratch, "far")
        self.mount(self.place, "sshfs", "-o", f"ssh_command={self.command}", f"nowhere:{far}")


class Cripple(Fuse):
    """One of our own, that lacks what it is told to lack (cripple.c)."""

    lacks = ""

    def make(self):
        compiler = os.environ.get("CC") or "cc"
        need(compiler.split()[0])
        need("pkg-config")
        flags = shlex.split(call("pkg-config", "--cflags", "--libs", "fuse3"))
        self.program = os.path.join(self.scratch, "cripple")
        call(*compiler.split(), "-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64", "-O1", "-o", self.program,
             os.path.join(HERE, "cripple.c"), *flags)
        self.directory("far")
        super().make()

    def again(self):
        self.mount(self.place, self.program, "-o", self.lacks or "rw", os.path.join(self.scratch, "far"))


class LikeNothing(Cripple):
    """Passes everything on: what fails here fails for FUSE's sake."""


class LikeFat(Cripple):
    links = False
    lacks = "nolink,norename2,nochmod,nochown,noxattr,coarsedates=2,newinodes"


class LikeNfs(Cripple):
    lacks = "norename2,nodirsync,nocopyrange=EIO,coarsedates=1,newinodes"


class LikeCifs(Cripple):
    links = False
    lacks = "nolink,norename2,nodirsync,nocopyrange=EPERM,noxattr,newinodes"


class Busy(Cripple):
    lacks = "nocopyrange=ETXTBSY,coarsedates=2"


class NoCopies(Cripple):
    lacks = "nocopyrange=EOPNOTSUPP,smallnames=143"
    name_bytes = 143


class NoLocks(Cripple):
    refuses, refuses_new = "no locks", True
    lacks = "nolocks"


# name: (kind, about how many seconds it takes)
WORLDS = {
    "ext4": (Ext4, 40),
    "ext4-seconds": (Ext4Seconds, 40),
    "xfs": (Xfs, 40),
    "btrfs": (Btrfs, 60),
    "tmpfs": (Tmpfs, 40),
    "overlay": (Overlay, 60),
    "exfat": (Exfat, 60),
    "exfat-for-all": (ExfatForAll, 10),
    "sshfs": (Sshfs, 90),
    "cripple": (LikeNothing, 60),
    "cripple-fat": (LikeFat, 60),
    "cripple-nfs": (LikeNfs, 60),
    "cripple-cifs": (LikeCifs, 60),
    "cripple-busy": (Busy, 60),
    "cripple-names": (NoCopies, 60),
    "cripple-locks": (NoLocks, 10),
}

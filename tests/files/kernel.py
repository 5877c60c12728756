# SPDX-License-Identifier: GPL-3.0-or-later
"""A filesystem that the kernel of this machine changes, on a loop device. That needs root; where it cannot be had
the case is skipped, with the reason."""
import contextlib
import os
import shutil

from scene import KIB, Missing, Scene, copy_sparse, run, write_file

CREATED = 300  # so many that the directory gets an index


@contextlib.contextmanager
def mounted(image, point):
    """The root of its filesystem, while the block runs."""
    if os.geteuid() != 0:
        raise Missing("only root can mount")
    os.mkdir(point)
    try:
        run("mount", "-o", "loop,strictatime,nodiscard", image, point)
    except RuntimeError as error:
        raise Missing(f"no loop mounts here: {str(error).partition(': ')[2]}") from None
    try:
        yield point
    finally:
        run("umount", point)


class KernelScene(Scene):
    """crashed: the disk is taken while it is mounted, with a journal that nobody has replayed."""

    def __init__(self, directory, name, options, size, seed, crashed=False):
        super().__init__(directory, name, options, size, seed)
        self.crashed = crashed

    def change_all(self):
        with mounted(self.new, self.host(self.name + ".mnt")) as root:
            os.sync()
            self.work(root)
            run("sync", "-f", root)
            if self.crashed:
                copy_sparse(self.new, self.new + ".crashed")
        if self.crashed:
            os.rename(self.new + ".crashed", self.new)

    def work(self, root):
        noise = self.rng.randbytes
        for step in (self.contents, self.names, self.attributes):
            step(root, noise)
        self.tell("/", "content")
        self.tell("/to", "content")

    def contents(self, root, noise):
        with open(root + "/tiny", "ab") as file:
            file.write(noise(5000))
        with open(root + "/overwritten", "r+b") as file:
            file.seek(20000)
            file.write(noise(100))
        with open(root + "/owner", "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, 60 * KIB)
        if self.type == "ext4":
            run("fallocate", "-n", "-o", str(64 * KIB), "-l", str(20 * KIB), root + "/same")  # beyond its end
            run("fallocate", "-p", "-o", str(8 * KIB), "-l", str(12 * KIB), root + "/punched")
            self.tell("/same", "metadata")
            self.tell("/punched", "content")
        os.truncate(root + "/shrunk", 12345)
        with open(root + "/linked", "ab") as file:
            file.write(b"more")
        for path in ("/tiny", "/overwritten", "/owner", "/shrunk", "/linked", "/linked-before"):
            self.tell(path, "content")

    def names(self, root, noise):
        write_file(root + "/new", noise(30 * KIB))
        os.mkdir(root + "/new-dir")
        for n in range(CREATED):
            write_file(f"{root}/new-dir/file-{n:03}-with-a-name-that-takes-some-room", noise(n % 3))
            self.tell(f"/new-dir/file-{n:03}-with-a-name-that-takes-some-room", "new")
        os.symlink("y" * 150, root + "/new-long-link")
        for path in ("/new", "/new-dir", "/new-long-link"):
            self.tell(path, "new")
        os.rename(root + "/old-name", root + "/to/new-name")
        os.rename(root + "/moving", root + "/to/moved")  # with another parent
        os.rename(root + "/mover", root + "/moved-over")
        self.tell("/to/new-name", "renamed")
        self.tell("/to/moved", "renamed")
        self.tell("/moved-over", "replaced")
        os.unlink(root + "/replaced")
        write_file(root + "/replaced", noise(9000))
        self.tell("/replaced", "replaced")
        shutil.rmtree(root + "/tree")
        os.unlink(root + "/gone-large")
        for path in ("", "/file", "/a", "/a/file", "/a/b", "/a/b/file"):
            self.tell("/tree" + path, "removed")
        self.tell("/gone-large", "removed")

    def attributes(self, root, _):
        os.chmod(root + "/mode", 0o600)
        os.chown(root + "/both", 1000, 1000)
        os.utime(root + "/time", (1, 1))
        os.setxattr(root + "/attribute", "user.large", b"w" * 500)
        os.link(root + "/gone", root + "/to/gone-too")
        for path in ("/mode", "/both", "/time", "/attribute", "/gone"):
            self.tell(path, "metadata")
        self.tell("/to/gone-too", "new")
        with open(root + "/accessed", "rb") as file:
            file.read()

# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory of very many files."""
import os
import shutil

from kernel import mounted
from scene import KIB, LATER, MIB, Scene, copy_sparse, debugfs, in_directory, run, write_file

MANY_FOR_MKE2FS = 5000


class Many(Scene):
    """One directory of many files, with an index."""

    def __init__(self, directory, name, many, seed):
        size = (16 * MIB + many * 5 * KIB) // MIB * MIB
        super().__init__(directory, name, ["-t", "ext4", "-b", "4096", "-N", str(many + 1000)], size, seed)
        self.many = many

    def file(self, n):
        return f"/many/{n:06}-a-name-of-some-length"

    def fill(self, root):
        os.makedirs(root + "/many")
        for n in range(self.many):
            write_file(root + self.file(n), b"%d\n" % n if n % 10 else b"x" * 3000)

    def make(self):
        """mke2fs looks for each name in all of the directory: with very many of them the kernel has to do it."""
        tree = self.host(self.name + ".tree")
        with open(self.base, "wb") as file:
            file.truncate(self.size)
        words = ["mke2fs", "-q", "-F", "-E", "nodiscard", *self.options]
        if self.many <= MANY_FOR_MKE2FS:
            self.fill(tree)
            run(*words, "-d", tree, self.base)
            shutil.rmtree(tree)
        else:
            run(*words, self.base)
            with mounted(self.base, tree) as root:
                self.fill(root)
        run("e2fsck", "-fyD", self.base, check=False)
        copy_sparse(self.base, self.new)

    def change_all(self):
        numbers = self.rng.sample(range(self.many), 60)
        for n in numbers[:20]:
            self.change("removed", self.file(n), f"rm {self.file(n)}")
        for n in numbers[20:40]:
            self.change("metadata", self.file(n), f"sif {self.file(n)} uid 7")
        for n in numbers[40:]:
            self.overwrite(self.file(n).encode(), 0, 1)
            self.tell(self.file(n), "content")
        for n in range(20):
            name = self.file(self.many + n)
            self.change("new", name, *in_directory("write", name, self.source(100)))
        debugfs(self.new, self.script, write=True, environment=LATER)
        self.write_over()

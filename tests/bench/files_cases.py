# SPDX-License-Identifier: GPL-3.0-or-later
"""The guest's files: 100,000 of them, some changed, against e2fsprogs."""

import json
import os
import shutil
import subprocess
import time

from images import PAGE
from measure import GIB, MIB, require, seconds_of

DIRECTORIES = 1000


class FilesCases:
    """A part of the bench."""

    def tree_of_files(self, size=GIB):
        """100,000 files of up to 3 KiB in 1000 directories, as ext4 on 1 GiB, or more."""
        tree, disk = self.file("files.tree"), self.hole("files.img", size)
        for n in range(DIRECTORIES):
            place = f"{tree}/{n // 100}/{n}"
            os.makedirs(place)
            for name in range(100):
                with open(f"{place}/file-{name:02}", "wb") as file:
                    file.write(b"%2d" % name * name * 15)
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-N", "131072", "-E", "nodiscard", "-d", tree,
                        disk], check=True)
        shutil.rmtree(tree)
        return disk

    def change_files(self, disk, every):
        """In each `every`th directory one file goes, two get another owner, two come. Answers what `files` has to
        tell of them."""
        source = self.file("files.source")
        with open(source, "wb") as file:
            file.write(self.rng.randbytes(9000))
        script = ""
        truth = set()
        for n in range(0, DIRECTORIES, every):
            place = f"/{n // 100}/{n}"
            script += f"rm {place}/file-10\nsif {place}/file-20 uid 5\nsif {place}/file-30 gid 5\n"
            script += f"cd {place}\nwrite {source} new-1\nwrite {source} new-2\n"
            truth |= {(f"{place}/file-10", "removed"), (f"{place}/file-20", "metadata"),
                      (f"{place}/file-30", "metadata"), (f"{place}/new-1", "new"), (f"{place}/new-2", "new")}
        subprocess.run(["debugfs", "-w", "-f", "-", disk], input=script.encode(), check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        return truth

    def dirty_blocks(self, cow):
        """Of the filesystem, by number."""
        runs = json.loads(subprocess.check_output([self.cowtui, "map", "--json", cow]))
        return sorted({block for run in runs if run["origin"] in ("cow", "hole")
                       for block in range(run["start"] // PAGE, -(-(run["start"] + run["length"]) // PAGE))})

    def owners_by_debugfs(self, disk, blocks, found):
        """icheck of all blocks, and ncheck of all inodes that it names: the seconds that both take. What was found
        is put into the dictionary."""
        def ask(question, numbers):
            command = ["debugfs", "-R", f"{question} {' '.join(map(str, numbers))}", disk]
            return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  check=True).stdout.decode()

        def run():
            begin = time.perf_counter()
            pairs = [line.split("\t") for line in ask("icheck", blocks).splitlines()[1:]]
            inode_of = {int(block): int(inode) for block, inode in pairs if inode.isdigit()}
            names = ask("ncheck", sorted(set(inode_of.values())))
            taken = time.perf_counter() - begin
            path_of = {int(inode): path for inode, path in (line.split("\t", 1) for line in names.splitlines()[1:])}
            found.update({block: (inode, path_of.get(inode)) for block, inode in inode_of.items()})
            return taken

        return run

    def judge_owners(self, cow, found):
        """Each block that debugfs gives to a file with a name belongs to the same one by our account."""
        told = json.loads(subprocess.check_output([self.cowtui, "files", "--owners", "--json", cow]))
        ours = {block: (piece["inode"], piece["path"]) for piece in told
                for block in range(piece["start"] // PAGE, -(-(piece["start"] + piece["length"]) // PAGE))}
        named = {block: owner for block, owner in found.items() if owner[1] is not None}
        require(len(named) > 100 and all(ours.get(block) == owner for block, owner in named.items()), "files --owners")

    def files_case(self, backing, every):
        raw, cow = self.file("files.raw"), self.file("files.cow")
        subprocess.run(["cp", "--sparse=always", backing, raw], check=True)
        truth = self.change_files(raw, every)
        subprocess.run([self.cowtui, "diff", "-q", "-o", cow, backing, raw], check=True, stdout=subprocess.DEVNULL)
        os.unlink(raw)
        subprocess.run([self.cowtui, "merge", "-q", "-o", raw, cow], check=True, stdout=subprocess.DEVNULL)
        command, changed = [self.cowtui, "files", cow], 5 * DIRECTORIES // every
        told = json.loads(subprocess.check_output([*command, "--json"]))["files"]
        told = {(file["path"], file["kind"]) for file in told if file["type"] == "file" and file["kind"] != "same"}
        require(told == truth and len(truth) == changed, f"files: {len(told)} told, {len(truth)} changed")
        fsck = lambda: seconds_of(["e2fsck", "-fn", raw], subprocess.DEVNULL)  # noqa: E731
        self.compare(f"files, {changed} of 100,000 changed", lambda: seconds_of(command),
                     ("e2fsck -fn of the same", 0.5, fsck))
        self.compare(f"files --json, {changed} changed", lambda: seconds_of([*command, "--json"]),
                     ("e2fsck -fn of the same", 0.5, fsck))
        found = {}
        debugfs = self.owners_by_debugfs(raw, self.dirty_blocks(cow), found)
        self.compare(f"owners of all in the COW ({changed} files)",
                     lambda: seconds_of([self.cowtui, "files", "--owners", "--json", cow]),
                     ("icheck + ncheck", 0.1, debugfs))
        self.judge_owners(cow, found)
        self.memory("files of it: peak memory, MiB", 64 * MIB, command)
        self.remove("files.raw", "files.cow")

    def files_cases(self):
        """A few changes, and many."""
        backing = self.tree_of_files()
        self.files_case(backing, 5)
        self.files_case(backing, 1)
        self.remove("files.img", "files.source")

# SPDX-License-Identifier: GPL-3.0-or-later
"""A filesystem made on the mounted disk, and a tree of files copied in through a mount of it."""

import filecmp
import os
import random
import shutil
import signal
import subprocess

from scene import SCALE, Skip, have, kill_all, run, wait_for


class Mount:
    """cowtui mount, from its path to its end."""

    def __init__(self, binary, image, directory, *options):
        self.directory = directory
        os.makedirs(directory, exist_ok=True)
        self.process = subprocess.Popen([binary, "mount", "-q", *options, image, directory], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.path = self.process.stdout.readline().decode().strip()
        if not self.path:
            said = self.process.communicate()[1].decode()
            if self.process.returncode == 63:
                raise Skip(said.strip().replace("\n", ";"))
            have(False, f"it does not mount: {said}")

    def end(self, by_unmounting):
        if by_unmounting:
            subprocess.run(["umount", self.directory] if os.geteuid() == 0 else ["fusermount3", "-u", self.directory],
                           check=True)
        else:
            self.process.send_signal(signal.SIGTERM)
        said = self.process.communicate(timeout=300 * SCALE)[1].decode()
        have(self.process.returncode == 0, f"exit {self.process.returncode}: {said}")
        have(not os.path.ismount(self.directory), "it is still mounted")

    def kill(self):
        kill_all(self.process)
        if os.path.ismount(self.directory):
            subprocess.run(["umount", "-l", self.directory], check=False)


def plant(top, files, seed):
    """A tree of small files, links and directories."""
    choice = random.Random(seed)
    for i in range(files):
        folder = os.path.join(top, f"d{i % 37}", f"e{i % 11}")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, f"file-{i}"), "wb") as file:
            file.write(choice.randbytes(choice.choice([0, 1, 700, 1024, 4096, 5000, 20000])))
    os.symlink("d1/e1", os.path.join(top, "link"))


def same(left, right):
    differs = filecmp.dircmp(left, right, ignore=["lost+found"])
    bad = differs.left_only + differs.right_only + differs.funny_files
    _, unequal, errors = filecmp.cmpfiles(left, right, differs.common_files, shallow=False)
    bad += unequal + errors
    for name in differs.common_dirs:
        if not os.path.islink(os.path.join(left, name)):
            bad += same(os.path.join(left, name), os.path.join(right, name))
    return bad


def kernel_reads(raw, directory, tree):
    """By a loop mount: a remark where there is none."""
    if os.geteuid() != 0 or subprocess.run(["mount", "-o", "loop,ro", raw, directory], check=False,
                                           stderr=subprocess.DEVNULL).returncode:
        return ", not read by a kernel (no loop device)"
    try:
        bad = same(tree, directory)
        have(not bad, f"the kernel reads others: {bad[:3]}")
    finally:
        subprocess.run(["umount", directory], check=True)
    return ", read by the kernel"


def copied(binary, directory, files, block_bytes):
    tree, place = os.path.join(directory, "tree"), os.path.join(directory, "m")
    backing, image = os.path.join(directory, "b.img"), os.path.join(directory, "x.cow")
    raw = os.path.join(directory, "merged.img")
    plant(tree, files, files)
    with open(backing, "wb") as file:
        file.truncate(max(32, files * 12 // 1000) * 1024 * 1024)
    run(binary, "create", "-q", image, backing)
    mount = Mount(binary, image, place, "--write", "-y")
    try:
        made = subprocess.run(["mkfs.ext4", "-q", "-b", str(block_bytes), "-N", str(files + 1000), mount.path], check=False,
                              capture_output=True)
        have(made.returncode == 0, f"mkfs: {made.stderr.decode()}")
        mount.end(by_unmounting=True)
    finally:
        mount.kill()
    mount = Mount(binary, image, place, "--write", "-y", "--fs")
    try:
        wait_for(lambda: os.path.ismount(place), "the filesystem is not mounted")
        shutil.copytree(tree, place, symlinks=True, dirs_exist_ok=True)
        mount.end(by_unmounting=bool(files % 2))
    finally:
        mount.kill()
    run(binary, "check", "--quick", image)
    run(binary, "merge", "-q", "-o", raw, image)
    checked = subprocess.run(["e2fsck", "-fn", raw], check=False, capture_output=True)
    have(checked.returncode == 0, f"e2fsck: {checked.stdout.decode()[-300:]}")
    mount = Mount(binary, image, place, "--fs")
    try:
        bad = same(tree, place)
        have(not bad, f"files are others: {bad[:3]}")
        mount.end(by_unmounting=False)
    finally:
        mount.kill()
    return f"{files} files{kernel_reads(raw, place, tree)}"

# SPDX-License-Identifier: GPL-3.0-or-later
"""Filesystems for the suite, made and changed by e2fsprogs: a base disk, and what a guest has made of it.

Names begin as files of the host, which mke2fs copies; changes are a script for debugfs, and bytes that are
written over where debugfs says that a file's block lies. What the script did is told as `told`: {path: kind}."""
import os
import random
import shutil
import subprocess

KIB, MIB = 1 << 10, 1 << 20
CONTROL = b"esc\x1b[31m\n\"new\"\x7fline\\"
UTF8 = "gr\u00fc\u00df \u65e5\u672c".encode()
OVERRIDE = "txt\u202egpj.exe".encode()
BROKEN = b"\xff\xfe-\xc3("
ODD_NAMES = [CONTROL, UTF8, OVERRIDE, BROKEN]
ENVIRONMENT = {
    "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin",
    "LC_ALL": "C.UTF-8",
    "E2FSPROGS_FAKE_TIME": "1700000000",  # of the base disk; what a change makes is younger
    "DEBUGFS_PAGER": "cat",
    "PAGER": "cat",
    "MKE2FS_SYNC": "0",
    "MKE2FS_CONFIG": os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "mke2fs.conf"),
}


class Missing(Exception):
    """A tool that a scene needs is not there, or cannot do it: a skip, with the reason."""


def run(*words, stdin=None, check=True):
    """Standard output of a tool, as bytes."""
    if shutil.which(words[0], path=ENVIRONMENT["PATH"]) is None:
        raise Missing(f"{words[0]} is not installed")
    done = subprocess.run(words, input=stdin or b"", capture_output=True, env=ENVIRONMENT, check=False)
    if check and done.returncode:
        said = (done.stderr + done.stdout).decode("utf-8", "replace").strip()
        raise RuntimeError(f"{' '.join(map(str, words))[:200]}: exit {done.returncode}: {said[-300:]}")
    return done.stdout


LATER = {**ENVIRONMENT, "E2FSPROGS_FAKE_TIME": "1700001000"}


def debugfs(image, lines, write=False, environment=None):
    """Runs lines; any complaint is an error, for debugfs itself does not say by its exit code."""
    words = ["debugfs", *(["-w"] if write else []), "-f", "-", image]
    if shutil.which("debugfs", path=ENVIRONMENT["PATH"]) is None:
        raise Missing("debugfs is not installed")
    script = "".join(line + "\n" for line in lines).encode()
    done = subprocess.run(words, input=script, capture_output=True, env=environment or ENVIRONMENT, check=True)
    said = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    if len(said) > 1:  # the first is the version
        raise RuntimeError(f"debugfs: {said[1:4]}")
    return done.stdout.decode("utf-8", "surrogateescape")


def in_directory(command, path, *words):
    """For write and mknod, which make a name in the working directory, whatever it looks like."""
    parent, _, name = path.rpartition("/")
    source = words if command == "write" else ()
    rest = () if command == "write" else words
    return [f"cd {parent or '/'}", " ".join([command, *source, name, *map(str, rest)]), "cd /"]


def write_file(path, data):
    with open(path, "wb") as file:
        file.write(data)


def write_sparse(path, pieces, size):
    """Holes but for pieces {offset: bytes}."""
    with open(path, "wb") as file:
        for offset, data in pieces.items():
            file.seek(offset)
            file.write(data)
        file.truncate(size)


def copy_sparse(source, target):
    run("cp", "--sparse=always", source, target)


def give_to_root(image):
    """What mke2fs copies belongs to whoever runs it; the same filesystem for all, whatever number a user has."""
    if os.geteuid() == 0:
        return
    from ext import Ext  # where names are bytes, debugfs cannot be asked

    with open(image, "rb") as file:
        ext = Ext(file)
        numbers = [number for number, inode in ext.inodes.items() if inode.mode and (number == 2 or number >= ext.first_inode)]
    debugfs(image, [f"sif <{number}> {field} 0" for number in numbers for field in ("uid", "gid")], write=True)


class Scene:
    """One filesystem: `options` are mke2fs's. Offsets of a partition are the caller's affair."""

    def __init__(self, directory, name, options, size, seed):
        self.directory, self.name, self.options, self.size = directory, name, options, size
        self.rng = random.Random(f"{seed} {name}")
        self.base, self.new = (os.path.join(directory, f"{name}.{end}") for end in ("base", "new"))
        self.script, self.told, self.overwrites = [], {}, []

    @property
    def type(self):
        return self.options[self.options.index("-t") + 1]

    @property
    def block(self):
        return int(self.options[self.options.index("-b") + 1])

    def host(self, name):
        return os.path.join(self.directory, name)

    def tree(self):
        """The host's directory that becomes the base disk."""
        root, noise = self.host(self.name + ".tree"), self.rng.randbytes
        tree = os.fsencode(root)
        for place in ("dir", "tree/a/b", "moving/inside", "odd", "to"):
            os.makedirs(os.path.join(root, place))
        for name, length in (
            ("same", 3000), ("overwritten", 60 * KIB), ("mode", 5), ("time", 5000), ("owner", 1), ("accessed", 100),
            ("attribute", 700), ("gone", 9000), ("gone-large", 50 * KIB), ("old-name", 4321), ("old-name-too", 20000),
            ("replaced", 8000), ("replaced-in-place", 8000), ("linked", 2000), ("both", 12000), ("empty", 0),
            ("tree/file", 3000), ("tree/a/file", 100), ("tree/a/b/file", 100 * KIB), ("moving/inside/file", 77),
            ("punched", 40 * KIB), ("dir/last", 10000), ("shrunk", 30000), ("tiny", 30),
            ("mover", 3333), ("moved-over", 4444),
        ):  # fmt: skip
            write_file(os.path.join(root, name), noise(length))
        for name in ODD_NAMES:
            write_file(os.path.join(tree, b"odd", name), noise(5000))
        for n in range(60):
            write_file(os.path.join(root, f"dir/file-{n:03}-{'x' * (n % 30)}"), noise(n * 20))
        write_sparse(self.host(self.name + ".tree/holes"), {0: noise(5), 200 * KIB: noise(9000)}, 900 * KIB)
        write_sparse(root + "/fragments", {n * 8 * KIB: noise(4 * KIB) for n in range(90)}, 90 * 8 * KIB + 17)
        os.symlink("same", root + "/short-link")
        os.symlink("/" + "long/" * 30, root + "/long-link")
        os.link(root + "/linked", root + "/linked-before")
        return root

    def make(self):
        tree = self.tree()
        with open(self.base, "wb") as file:
            file.truncate(self.size)
        lazy = int(self.size > 1 << 30)  # tables of a large disk would be written, hundreds of MiB of zeros
        run("mke2fs", "-q", "-F", "-E", f"nodiscard,lazy_itable_init={lazy}", *self.options, "-d", tree, self.base)
        shutil.rmtree(tree)
        give_to_root(self.base)
        # debugfs has a line of its own for what a shell could not name
        debugfs(self.base, ["ea_set /dir user.small value", f"ea_set /attribute user.large {'v' * 500}",
                            "mknod device c 1 3"], write=True)
        copy_sparse(self.base, self.new)

    def build(self):
        self.make()
        self.change_all()

    # ---- changes -----------------------------------------------------------------------------------------

    def change(self, kind, path, *lines, parent=True):
        """Lines for debugfs, and what they make of a path; its directory has other entries then."""
        self.script += lines
        self.tell(path, kind)
        if parent and kind in ("new", "removed", "renamed", "replaced"):
            self.tell(path.rpartition("/")[0] or "/", "content")

    def tell(self, path, kind):
        self.told[path if isinstance(path, bytes) else path.encode()] = kind

    def source(self, n_bytes):
        """A file of the host, for debugfs to write."""
        path = self.host(f"{self.name}.source{len(self.script)}")
        write_file(path, self.rng.randbytes(n_bytes))
        return path

    def rename(self, old, new):
        self.change("renamed", new, f"ln {old} {new}", f"unlink {old}")
        self.tell(old.rpartition("/")[0] or "/", "content")

    def make_new(self):
        self.change("new", "/new", *in_directory("write", "/new", self.source(33000)))
        self.change("new", "/to/new-tiny", *in_directory("write", "/to/new-tiny", self.source(40)))
        self.change("new", "/new-dir", "mkdir /new-dir")
        self.change("new", "/new-dir/file", *in_directory("write", "/new-dir/file", self.source(1)))
        self.change("new", "/new-link", "symlink /new-link same")
        self.change("new", "/new-long-link", f"symlink /new-long-link {'y' * 150}")
        self.change("new", "/new-device", "mknod new-device b 7 1")
        self.tell("/new-dir", "new")

    def change_attributes(self):
        self.change("metadata", "/mode", "sif /mode mode 0100600")
        self.change("metadata", "/time", "sif /time mtime @1600000001")
        self.change("metadata", "/owner", "sif /owner uid 1000")
        self.change("metadata", "/attribute", "ea_set /attribute user.another one")
        self.change("metadata", "/long-link", "sif /long-link gid 5")
        self.change("metadata", "/device", "sif /device mode 0020640")
        self.script.append("sif /accessed atime @1600000009")

    def remove(self):
        for path in ("/gone", "/gone-large", "/tree/a/b/file", "/tree/a/file", "/tree/file", "/dir/file-007-xxxxxxx"):
            self.change("removed", path, f"rm {path}")
        for path in ("/tree/a/b", "/tree/a", "/tree"):
            self.change("removed", path, f"rmdir {path}")
        for path in ("/tree/a/b", "/tree/a", "/tree"):
            self.tell(path, "removed")
        self.change("removed", "/short-link", "rm /short-link")

    def rename_and_replace(self):
        self.rename("/old-name", "/to/new-name")
        self.rename("/old-name-too", "/new-name-too")
        self.rename("/moving", "/moved")
        self.change("replaced", "/replaced", *in_directory("write", "/temporary", self.source(9000)), "rm /replaced",
                    "ln /temporary /replaced", "unlink /temporary")
        self.change("replaced", "/replaced-in-place", "rm /replaced-in-place",
                    *in_directory("write", "/replaced-in-place", self.source(7000)))
        self.change("replaced", "/moved-over", "rm /moved-over", "ln /mover /moved-over", "unlink /mover")
        self.change("new", "/linked-too", "ln /linked /linked-too", "sif /linked links_count 3")
        self.tell("/linked", "metadata")
        self.tell("/linked-before", "metadata")

    def change_content(self):
        if "bigalloc" not in " ".join(self.options):  # there debugfs punches clusters that are in use
            self.change("content", "/punched", "punch /punched 2 5")
            keep = 12 * KIB // self.block
            self.change("content", "/shrunk", f"punch /shrunk {keep} 1000", f"sif /shrunk size {keep * self.block}")
        self.change("content", "/both", "sif /both mode 0100644", "sif /both mtime @1600000077")
        for path, offset, length in (("/overwritten", 20000, 700), ("/both", 5000, 1), ("/new-name-too", 19000, 600),
                                     ("/holes", 205 * KIB, 100), ("/fragments", 30 * 8 * KIB + 11, 2000),
                                     ("/odd/" + CONTROL.decode("latin-1"), 4000, 30), ("/dir/last", 9999, 1)):  # fmt: skip
            self.overwrite(path.encode("latin-1"), offset, length)
        for path in ("/overwritten", "/holes", "/fragments", "/dir/last", b"/odd/" + CONTROL):
            self.tell(path, "content")

    def overwrite(self, path, offset, n_bytes):
        self.overwrites.append((path, offset, n_bytes))

    def change_all(self):
        for step in (self.make_new, self.change_attributes, self.rename_and_replace, self.remove, self.change_content):
            step()
        debugfs(self.new, self.script, write=True, environment=LATER)
        self.write_over()

    def write_over(self):
        """Bytes into blocks of files, and into some that are nobody's, or the filesystem's own."""
        from ext import Ext  # where names are bytes, debugfs cannot be asked

        with open(self.new, "r+b") as file:
            ext = Ext(file)
            paths = ext.paths()
            for path, offset, n_bytes in self.overwrites:
                for at, block, count, _ in ext.map_of(paths[path])[0]:
                    first, end = at * ext.block, (at + count) * ext.block
                    if first <= offset < end:
                        self.poke(file, block * ext.block + offset - first, min(n_bytes, end - offset))
                        break
                else:
                    raise RuntimeError(f"{path} has no block at {offset}")
            self.poke_elsewhere(file, ext)

    def poke(self, file, at, n_bytes):
        """Every byte becomes another one."""
        file.seek(at)
        data = file.read(n_bytes)
        file.seek(at)
        file.write(bytes(byte ^ self.rng.randrange(1, 256) for byte in data))

    def poke_elsewhere(self, file, ext):
        self.poke(file, 7, 100)  # the boot sector
        free = 0
        while free < 5:
            block = self.rng.randrange(ext.first, ext.n_blocks)
            if not ext.in_use(block) and not any(first <= block < end for first, end, *_ in ext.owners()):
                self.poke(file, block * ext.block + 17, 30)
                free += 1
        journal = [stretch for stretch in ext.owners() if stretch[2] == "journal"]
        if journal:  # an old transaction's block, which nobody replays
            self.poke(file, (journal[-1][1] - 1) * ext.block + 100, 30)

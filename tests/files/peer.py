# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds the suite's own reader against e2fsprogs: icheck, ncheck, testb, dumpe2fs and rdump. So an answer of
cowtui's that agrees with the reader agrees with both."""
import os
import re
import shutil

from ext import FLAG_INLINE
from scene import debugfs, run


def expect_same(what, got, want):
    """Both are dictionaries or sets; None, or what differs, in short."""
    if got == want:
        return None
    if isinstance(got, dict):
        keys = [key for key in {**got, **want} if got.get(key, "nothing") != want.get(key, "nothing")]
        text = "; ".join(f"{key!r}: {got.get(key, 'nothing')} instead of {want.get(key, 'nothing')}" for key in keys[:6])
        return f"{what}: {text}{'; ...' if len(keys) > 6 else ''}"
    return f"{what}: too much {sorted(got - want)[:6]}, missing {sorted(want - got)[:6]}"


def ask(image, command, numbers):
    """debugfs cuts lines of more than 8 KiB."""
    numbers = list(map(str, numbers))
    return debugfs(image, [f"{command} {' '.join(numbers[at : at + 700])}" for at in range(0, len(numbers), 700)])


def icheck(image, blocks):
    """{block: inode}, 0 where debugfs finds none."""
    said = ask(image, "icheck", blocks)
    pairs = re.findall(r"^(\d+)\t(<block not found>|\d+)$", said, re.M)
    return {int(block): 0 if inode.startswith("<") else int(inode) for block, inode in pairs}


def ncheck(image, inodes):
    """{inode: {paths}} as raw bytes, of names without odd bytes."""
    said = ask(image, "ncheck", inodes)
    out = {}
    for inode, path in re.findall(r"^(\d+)\t(/[ -~]*)$", said, re.M):
        out.setdefault(int(inode), set()).add(path.replace("//", "/").encode())
    return out


def owners_agree(image, filesystem, blocks):
    mine = {}
    for block in sorted(blocks):
        owner = filesystem.owner(block * filesystem.ext.block + 1024 * (block == 0))
        mine[block] = 0 if owner.rest else owner.inode
    return expect_same("icheck", mine, icheck(image, list(mine)))


def names_agree(image, filesystem):
    plain = {}
    for path, inode in filesystem.paths.items():
        if re.fullmatch(rb"/[ -~]+", path):
            plain.setdefault(inode.number, set()).add(path)
    listed = ncheck(image, [number for number in filesystem.by_inode if number != 2])
    return expect_same("ncheck", plain, {inode: paths for inode, paths in listed.items() if inode in plain})


def bitmap_agrees(image, filesystem, blocks):
    blocks = sorted(block for block in blocks if max(filesystem.ext.first, 1) <= block < filesystem.ext.n_blocks)
    said = debugfs(image, [f"testb {block}" for block in blocks])
    used = {int(block) for block in re.findall(r"^Block (\d+) marked in use$", said, re.M)}
    mine = {block for block in blocks
            if not filesystem.owner(block * filesystem.ext.block + 1024 * (block == 0)).classes & {"free"}}
    return expect_same("testb", mine, used)


def groups_agree(image, filesystem):
    said = run("dumpe2fs", image).decode("utf-8", "replace")
    theirs = set()
    for words, kind in (("Block bitmap at", "block-bitmap"), ("Inode bitmap at", "inode-bitmap"),
                        ("Inode table at", "inode-table"), (r"(?:Primary|Backup) superblock at", "superblock"),
                        (r"Group descriptors? at", "group-descriptors")):  # fmt: skip
        for first, last in re.findall(rf"{words} (\d+)(?:-(\d+))?", said):
            theirs |= {(block, kind) for block in range(int(first), int(last or first) + 1)}
    mine = {(block, kind) for first, end, kind, *_ in filesystem.ext.group_owners() for block in range(first, end)}
    return expect_same("dumpe2fs", mine, theirs)


def contents_agree(image, filesystem, scratch):
    """All regular files, by rdump; as an ordinary user it complains that it cannot give them their owners."""
    os.mkdir(scratch)
    try:
        run("debugfs", "-R", f"rdump / {scratch}", image)
        theirs = {}
        for place, _, names in os.walk(os.fsencode(scratch)):
            for name in names:
                path = os.path.join(place, name)
                if os.path.isfile(path) and not os.path.islink(path):
                    inside = path[len(os.fsencode(scratch)) :]
                    with open(path, "rb") as file:
                        theirs[inside] = file.read()
                    inode = filesystem.paths.get(inside)
                    if inode and inode.flags & FLAG_INLINE:  # debugfs gives all the room that such a file has
                        theirs[inside] = theirs[inside][: inode.size]
    finally:
        shutil.rmtree(scratch)
    mine = {path: filesystem.ext.content(inode) for path, inode in filesystem.paths.items() if inode.type == "file"}
    differing = {path: "other content" for path in mine if path in theirs and mine[path] != theirs[path]}
    return expect_same("rdump", differing, {}) or expect_same("rdump", set(mine), set(theirs))


def reader_is_right(image, filesystem, scratch, rng):
    """None, or how the reader and e2fsprogs differ. `image` may carry debugfs's "?offset="."""
    ext = filesystem.ext
    blocks = set(range(ext.n_blocks)) if ext.n_blocks <= 1 << 15 else {rng.randrange(ext.n_blocks) for _ in range(500)}
    sample = rng.sample(sorted(blocks), min(len(blocks), 600))
    return (owners_agree(image, filesystem, blocks) or names_agree(image, filesystem)
            or bitmap_agrees(image, filesystem, sample) or groups_agree(image, filesystem)
            or contents_agree(image, filesystem, scratch))

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A COW on a COW: it can be looked at through all layers, and what a kernel makes of it, and what changes it, stay as they
# are: the file below is raw bytes for them. debugfs on the disk that the model composes is the witness.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# As a header has it, with the NUL behind it.
path_hex()
{
    printf '%s\0' "$1" | od -An -v -tx1 | tr -d ' \n'
}

# top.cow on sub/root.cow (the guest's) on sub/root_fs.img; disk.raw is what top.cow shows through both.
stack()
{
    command -v debugfs >/dev/null || skip "debugfs is not installed"
    mkdir sub
    tar -C sub -xf "$root/share/demo/guest-ext4.tar.xz" || die "share/demo/guest-ext4.tar.xz does not unpack"
    model raw sub/root.cow uml-cow-v3 sub/root_fs.img below.raw
    cp --sparse=always below.raw disk.raw
    printf 'of the top layer\n' >said
    debugfs -w -R "write said /top.txt" disk.raw >/dev/null 2>&1
    run 0 diff -o top.cow below.raw disk.raw
    model poke top.cow 32 "$(path_hex sub/root.cow)"
    freeze top.cow sub/root.cow sub/root_fs.img
}

three_layers()
{
    stack
    run 0 info --json top.cow
    eq "top.cow uml-cow-v3 sub/root.cow uml-cow-v3 root_fs.img raw" \
        "$(json '[.layers[] | "\(.path | sub("^.*/sub/root_fs"; "root_fs")) \(.format)"] | join(" ")')" layers
    eq null "$(json .below)" "below"
    eq false "$(json .uml.opens)" "would UML open it"
    run 0 info top.cow
    has "layer 2" out
    # As large as that file: a kernel opens it. The preview knows what info will say.
    run 0 create -n -f over.cow sub/root.cow
    has "as if they were the disk" out
    run 0 create -q -f over.cow sub/root.cow
    run 0 info over.cow
    has "as if they were the disk" out
    run 0 rebase -n --restamp over.cow
    has "as if they were the disk" out
    cp sub/root.cow other.cow
    run 0 rebase -n --force --restamp --to other.cow over.cow
    has "as if they were the disk" out
    truncate -s "$(stat -c %s other.cow)" plain.img
    run 0 rebase -n --force --restamp --to plain.img over.cow
    hasnt "as if they were the disk" out
    rm over.cow other.cow plain.img
    run 0 map --json top.cow
    eq "0 1 2" "$(json '[.[].layer] | unique | map(tostring) | join(" ")')" "layers of the map"
    eq "backing backing-hole cow" "$(json '[.[].origin] | unique | join(" ")')" origins
    # Each run's bytes lie where it says, in the file that it says.
    json '.[] | select(.origin == "cow" or .origin == "backing") | "\(.start) \(.length) \(.layer) \(.offset)"' >runs
    py <<'END' || die "a run whose bytes lie elsewhere: $(cat wrong)"
files = [open(name, "rb") for name in ("top.cow", "sub/root.cow", "sub/root_fs.img")]
disk = open("disk.raw", "rb")
for line in open("runs"):
    start, length, layer, offset = map(int, line.split())
    files[layer].seek(offset)
    disk.seek(start)
    if files[layer].read(length) != disk.read(length):
        open("wrong", "w").write(line)
        raise SystemExit(1)
END
    run 0 map top.cow
    has "layer" out
    run 0 map --scan --json top.cow
    json '.[] | select(.origin == "redundant" or .origin == "changed") | "\(.start) \(.length) \(.origin)"' >runs
    py <<'END' || die "not so: $(cat wrong)"
below, disk = open("below.raw", "rb"), open("disk.raw", "rb")
seen = set()
for line in open("runs"):
    start, length, origin = line.split()
    seen.add(origin)
    for at in range(int(start), int(start) + int(length), 512):
        below.seek(at)
        disk.seek(at)
        if (below.read(512) == disk.read(512)) != (origin == "redundant"):
            open("wrong", "w").write(line)
            raise SystemExit(1)
if len(seen) < 2:
    open("wrong", "w").write(f"only {seen}")
    raise SystemExit(1)
END
    unchanged "looking"
}

# A file of each layer, also from another directory.
files_of_all_layers()
{
    local name
    stack
    for name in /top.txt /home/user/new/file1.txt /usr/share/doc/GPL-3; do
        debugfs -R "dump $name want" disk.raw >/dev/null 2>&1
        [ -s want ] || continue
        run 0 files --extract "$name" -o - top.cow
        cmp want out || die "$name differs"
        run 0 files --extract "$name" -o got top.cow
        cmp want got || die "$name differs in a file"
        (cd / && "$COWTUI" files --extract "$name" -o - "$OLDPWD/top.cow") >out || die "$name: not from another directory"
        cmp want out || die "$name differs from another directory"
        rm want got
    done
    run 0 files --json top.cow
    eq "new /top.txt" "$(json '.files[] | select(.path == "/top.txt") | "\(.kind) \(.path)"')" "what is new"
    eq "" "$(json '.files[] | select(.path == "/etc/hostname") | .path')" "what the layer below has changed"
    unchanged "looking"
}

# A kernel, and whatever writes, takes the file below for raw bytes.
as_a_kernel_does()
{
    stack
    run 1 check top.cow
    has backing-is-cow out
    model raw top.cow uml-cow-v3 sub/root.cow want.raw
    run 0 merge -o got.raw top.cow
    cmp want.raw got.raw || die "another merge"
    run 3 merge --in-place -y top.cow
    run 3 resize --policy extend -y top.cow 80M
    unchanged "a change"
}

# sub/root.cow's backing file lies elsewhere, and nobody but its owner may read it; no image beside top.cow, nor beside that
# file, is on it. What copies through all layers says so, and shows nobody more; nothing takes the file's place.
file_below()
{
    local command size output
    stack
    mkdir below
    mv sub/root_fs.img below
    "$COWTUI" rebase -q -y --to "$PWD/below/root_fs.img" sub/root.cow || die "no image"
    mkdir top
    "$COWTUI" create -q -f top/top.cow sub/root.cow || die "no image on the image"
    chmod 600 below/root_fs.img
    ln below/root_fs.img link.img
    freeze top/top.cow sub/root.cow below/root_fs.img
    run 0 files -b sub/root.cow --extract /etc/hostname -o - top/top.cow
    has "comes from $(realpath below/root_fs.img), too" err
    run 0 files -q --extract /etc/hostname -o got top/top.cow
    has "outside the image's directory" err
    eq 600 "$(stat -c %a got)" "permissions of what was copied"
    for command in "files --extract /etc/hostname" merge compact "resize --policy keep"; do
        case $command in resize*) size=128M ;; *) size= ;; esac
        for output in below/root_fs.img link.img; do
            # shellcheck disable=SC2086 # words
            run 3 $command --force -y -o $output top/top.cow $size
            has "the image lies on it" err
        done
    done
    unchanged "a refusal"
}

loop()
{
    small
    cp x.cow y.cow
    model poke x.cow 32 "$(path_hex y.cow)"
    model poke y.cow 32 "$(path_hex x.cow)"
    freeze x.cow y.cow
    run 0 info x.cow
    has "leads back into itself" out
    run 0 info --json x.cow
    json .below | grep -q "leads back" || die "not told: $(json .below)"
    run 0 map x.cow
    run 2 files x.cow
    has "leads back into itself" err
    run 2 map --scan x.cow
    run 0 map --no-backing x.cow
    run 1 check x.cow
    unchanged "a loop"
}

missing_middle()
{
    small
    model make x.cow b.img 4096 7-9,127
    cp x.cow y.cow
    model poke x.cow 32 "$(path_hex y.cow)"
    model poke y.cow 32 "$(path_hex nowhere.img)"
    freeze x.cow y.cow
    run 0 info x.cow
    has "nowhere.img: No such file" out
    run 0 map --json x.cow
    run 2 files x.cow
    has "nowhere.img: No such file" err
    run 0 merge -o got.raw x.cow # a kernel does not ask for it
    model raw x.cow uml-cow-v3 y.cow want.raw
    cmp want.raw got.raw || die "another merge"
    unchanged "a missing middle"
}

t "chain: three layers" three_layers
t "chain: files of all layers" files_of_all_layers
t "chain: as a kernel does" as_a_kernel_does
t "chain: a file below" file_below
t "chain: a loop" loop
t "chain: a missing middle" missing_middle

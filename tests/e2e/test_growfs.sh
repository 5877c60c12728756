#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# resize --grow-fs and --resize-fs, by the real e2fsck, resize2fs and sfdisk: what the disk is afterwards, what undo
# gives back, and what is refused with nothing changed. (Who is killed in the middle: tests/moves/programs.py.)
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/served.sh
. "$here/served.sh"

MIB=1048576

can_grow()
{
    can_serve
    needs nbdfuse e2fsck resize2fs mkfs.ext4 debugfs sfdisk
    [ -r /dev/fuse ] && [ -w /dev/fuse ] || skip "/dev/fuse may not be used here"
}

# A tree that fills some blocks, the same in each case.
tree()
{
    mkdir tree tree/d
    cp "$here"/test_*.sh tree/d
    head -c 700000 /dev/urandom >tree/random
    ln -s random tree/link
}

# fs FILE SIZE OPTIONS...: an ext4 with the tree.
fs()
{
    local file=$1 size=$2
    shift 2
    rm -f "$file"
    truncate -s "$size" "$file"
    mkfs.ext4 -q -F -d tree "$@" "$file" >mkfs.out 2>&1 || die "mkfs.ext4: $(head -n 2 mkfs.out)"
    rm mkfs.out
}

# Puts a filesystem into a disk of SIZE at FIRST MiB, of which sfdisk makes partitions by the words on standard input.
disk() # FILE SIZE FIRST FS
{
    rm -f "$1"
    truncate -s "$2" "$1"
    sfdisk -q "$1" >sfdisk.out 2>&1 || die "sfdisk: $(head -n 2 sfdisk.out)"
    rm sfdisk.out
    dd if="$4" of="$1" bs=1M seek="$3" conv=notrunc,sparse status=none
}

# x.cow on b.img, with a file that only the image has, at an offset of OFFSET MiB.
image() # OFFSET OPTIONS of create...
{
    local offset=$1 part
    shift
    head -c 300000 /dev/urandom >tree/newer
    cp --sparse=always b.img new.raw
    part=new.raw
    [ "$offset" = 0 ] || part="new.raw?offset=$((offset * MIB))"
    debugfs -w -R "write tree/newer newer" "$part" >debugfs.out 2>&1
    touch -d '2003-04-05 06:07:08 UTC' b.img
    run 0 diff -q "$@" -o x.cow b.img new.raw
    rm new.raw debugfs.out
}

# The filesystem of a raw disk: from FIRST MiB to its end, or so many bytes.
part_of() # RAW FIRST [BYTES]
{
    rm -f part
    if [ "$2" = 0 ]; then
        ln "$1" part
    else
        dd if="$1" of=part bs=1M skip="$2" conv=sparse status=none ${3:+iflag=count_bytes count="$3"}
    fi
}

# What must hold of x.cow now: BYTES of filesystem at FIRST MiB, the tree on it, and nothing that a kernel misreads.
holds() # FIRST BYTES [BACKING]
{
    local first=$1 bytes=$2 blocks block
    run 0 merge -q -f ${3:+-b "$3"} -o raw x.cow
    part_of raw "$first" "$bytes"
    e2fsck -fn part >fsck.out 2>&1 || die "e2fsck: $(tail -n 4 fsck.out)"
    blocks=$(dumpe2fs -h part 2>/dev/null | sed -n 's/^Block count: *//p')
    block=$(dumpe2fs -h part 2>/dev/null | sed -n 's/^Block size: *//p')
    eq $((bytes / block)) "$blocks" "blocks of the filesystem"
    rm -rf got && mkdir got
    debugfs -R 'rdump / got' part >debugfs.out 2>&1
    rm -rf got/lost+found part raw
    diff -r --no-dereference tree got >diff.out || die "other files: $(head -n 3 diff.out)"
    run 0 info --json ${3:+-b "$3"} x.cow
    eq "true null" "$(json '"\(.uml.opens) \(.pending)"')" "would UML open it; pending"
    "$COWTUI" check --json ${3:+-b "$3"} x.cow >out 2>err
    eq "" "$(json '.findings[] | select(.severity != "note" or (.code | test("mixed"))) | .code' | tr '\n' ' ')" findings
    rm -rf got fsck.out debugfs.out diff.out
    left_nothing
    [ -z "$(find . -name '.*cowtui*' ! -name '.*cowtui-undo')" ] || die "something is left: $(names)"
    ! mount | grep -q " $TMPDIR" || die "something is mounted"
}

# Remembers the disk and the backing file; given_back takes the change back.
remember()
{
    under=b.img
    run 0 merge -q -f -o old.raw x.cow
    old_sum=$(sha x.cow) old_backing=$(state "$under") old_names=$(names)
}

given_back()
{
    run 0 undo -q -y x.cow
    run 0 merge -q -f -o new.raw x.cow
    cmp old.raw new.raw || die "undo gives another disk"
    rm -f new.raw
    eq "$old_backing" "$(state "$under")" "the backing file after undo"
    eq "$old_names" "$(names)" "files after undo"
}

same_bytes()
{
    eq "$old_sum" "$(sha x.cow)" "the image after undo"
}

same_date()
{
    eq 1049522828 "$(stat -c %Y "$under")" "date of the backing file"
}

header_only()
{
    can_grow
    tree
    fs b.img 64M
    image 0
    remember
    run 0 resize -n --grow-fs x.cow 256M
    has "e2fsck and resize2fs" out
    eq "$old_sum" "$(sha x.cow)" "the image after a dry run"
    run 0 resize -y --json --grow-fs x.cow 256M
    eq "header $((64 * MIB)) $((256 * MIB))" \
        "$(json '"\(.method) \(.filesystem.before_bytes) \(.filesystem.after_bytes)"')" "method, and the filesystem"
    eq "cowtui resize --policy extend --grow-fs x.cow 256M" "$(json .command)" command
    holds 0 $((256 * MIB))
    same_date
    given_back
    same_bytes
    run 0 resize -q -y --policy extend --grow-fs x.cow 256M
    holds 0 $((256 * MIB))
}

# Each policy, by the copy and by the header.
policies() # POLICY METHOD
{
    can_grow
    tree
    fs b.img 24M
    image 0
    remember
    run 0 resize -q -y --policy "$1" --method "$2" --grow-fs x.cow 80M
    holds 0 $((80 * MIB))
    same_date
    [ "$1" != copy ] || eq "$old_backing" "$(state b.img)" "the backing file"
    given_back
    same_bytes
}

keeps() # METHOD
{
    can_grow
    tree
    fs b.img 24M
    image 0
    remember
    run 0 resize -q -y --policy keep --method "$1" --grow-fs x.cow 80M
    run 0 merge -q -f -o raw x.cow
    e2fsck -fn raw >/dev/null 2>&1 || die "e2fsck"
    eq $((80 * MIB / 1024)) "$(dumpe2fs -h raw 2>/dev/null | sed -n 's/^Block count: *//p')" blocks
    rm raw
    eq "$old_backing" "$(state b.img)" "the backing file"
    given_back
    same_bytes
}

output()
{
    can_grow
    tree
    fs b.img 24M
    image 0
    freeze x.cow b.img
    run 0 resize -q --policy copy:c.img -o y.cow --grow-fs x.cow 80M
    unchanged "resize -o"
    mv x.cow old.cow
    mv y.cow x.cow
    holds 0 $((80 * MIB))
    mv x.cow y.cow
    mv old.cow x.cow
    unchanged "resize -o"
}

# The data has to move: the image has no room for the bits of the larger disk.
moved() # METHOD
{
    can_grow
    tree
    fs b.img 16M -b 4096
    image 0
    small_alignment
    remember
    run 3 resize -y --method header --grow-fs x.cow 200M
    eq "$old_sum" "$(sha x.cow)" "the image after a refusal"
    if [ "$1" = moved ]; then
        run 0 resize -n --json --method "$1" --grow-fs x.cow 200M
        eq "cowtui resize --policy extend" "$(json .command | cut -d ' ' -f 1-4)" "the command, where nobody named a policy"
    fi
    "$COWTUI" resize -q -y --method "$1" --grow-fs x.cow 200M >out 2>err
    code=$?
    [ "$1:$code" != inserted:63 ] || skip "no room can be inserted here: $(head -n 1 err)"
    eq 0 $code "exit code ($(head -n 2 err))"
    holds 0 $((200 * MIB))
    same_date
    given_back
}

# Writes x.cow anew with an alignment of 4096, so that its bitmap has room for 128 MiB. The tree on it stays.
small_alignment()
{
    run 0 merge -q -f -o new.raw x.cow
    py <<'PYTHON' || die "no image of a small alignment"
import struct

PAGE = 4096
with open("x.cow", "rb") as f:
    header = bytearray(f.read(4128))
with open("b.img", "rb") as f:
    below = f.read()
with open("new.raw", "rb") as f:
    disk = f.read()
struct.pack_into(">I", header, 24, PAGE)
bits = bytearray(len(disk) // 512 // 8)
data = 2 * PAGE + -(-len(bits) // PAGE) * PAGE
with open("x.cow", "wb") as f:
    f.write(header)
    for at in range(0, len(disk), PAGE):
        if disk[at : at + PAGE] != below[at : at + PAGE]:
            bits[at // PAGE] = 255
            f.seek(data + at)
            f.write(disk[at : at + PAGE])
    f.seek(2 * PAGE)
    f.write(bits)
    f.truncate(data + len(disk))
PYTHON
    rm new.raw
    run 0 info --json x.cow
    eq "4096 true" "$(json '"\(.alignment) \(.uml.opens)"')" "alignment; would UML open it"
}

small_blocks()
{
    can_grow
    tree
    fs b.img 24M -b 1024
    image 0
    remember
    run 0 resize -q -y --policy "$1" --grow-fs x.cow 80M
    holds 0 $((80 * MIB))
    same_date
    given_back
    same_bytes
}

# The filesystem is in the last partition: of the table, of an extended one, of a GPT whose backup moves.
partition() # TABLE NUMBER METHOD
{
    local size=96 table=$1
    can_grow
    tree
    fs f.img 24M
    case $table in
    mbr) printf '2048,2048\n4096,%s\n' 49152 | disk b.img 32M 2 f.img ;;
    logical) printf '2048,2048\n4096,,E\n6144,49152\n' | disk b.img 32M 3 f.img ;;
    gpt)
        needs sgdisk
        printf 'label: gpt\n2048,2048\n4096,49152\n' | disk b.img 32M 2 f.img
        ;;
    esac
    rm f.img
    first=2
    [ "$table" != logical ] || first=3
    image $first
    remember
    run 0 resize -n --grow-fs x.cow ${size}M
    has sfdisk out
    run 0 resize -q -y --method "$2" --policy extend --grow-fs x.cow ${size}M
    run 0 merge -q -o raw x.cow
    case $table in
    gpt)
        sgdisk -v raw >sgdisk.out 2>&1
        has "No problems found" sgdisk.out
        rm sgdisk.out
        ;;
    esac
    sfdisk -V -q raw >sfdisk.out 2>&1 || die "sfdisk: $(head -n 2 sfdisk.out)"
    bytes=$(sfdisk -J raw | jq '.partitiontable.partitions[-1] | .size * 512')
    starts=$(sfdisk -J raw | jq '.partitiontable.partitions[-1].start / 2048')
    rm -f raw sfdisk.out
    eq $first "$starts" "where the partition begins"
    # All that there is, but for what GPT keeps at the end; sfdisk ends partitions at whole MiB there.
    [ "$bytes" -gt $(((size - first - 2) * MIB)) ] || die "the partition has $bytes bytes"
    holds $first "$((bytes / 4096 * 4096))"
    same_date
    given_back
    same_bytes
}

shrunk()
{
    can_grow
    tree
    fs b.img 64M
    image 0
    remember
    run 3 resize -y --resize-fs x.cow 32M
    run 0 resize -q -y --shrink --resize-fs x.cow 32M
    run 0 info --json x.cow
    eq $((32 * MIB)) "$(json .size_bytes)" "size of the disk"
    holds 0 $((32 * MIB))
    under=b.img
    same_date
    eq "$old_backing" "$(state b.img)" "the backing file"
    given_back
    same_bytes
}

# The last partition of a DOS table.
shrunk_partition()
{
    can_grow
    tree
    fs f.img 24M
    printf '2048,2048\n4096,49152\n' | disk b.img 32M 2 f.img
    rm f.img
    image 2
    remember
    run 0 resize -q -y --shrink --resize-fs x.cow 20M
    holds 2 $((18 * MIB))
    run 0 merge -q -o raw x.cow
    sfdisk -V -q raw >sfdisk.out 2>&1 || die "sfdisk: $(head -n 2 sfdisk.out)"
    eq $((18 * 2048)) "$(sfdisk -J raw | jq '.partitiontable.partitions[-1].size')" "sectors of the partition"
    rm raw sfdisk.out
    eq "$old_backing" "$(state b.img)" "the backing file"
    given_back
    same_bytes
}

# Old formats become a v3 by the copy.
old_format() # VARIANT
{
    can_grow
    tree
    fs b.img 24M -b 4096
    image 0
    model as x.cow uml-cow-v3 "$1" old.cow
    mv old.cow x.cow
    run 0 info --json x.cow
    [ "$(json .format)" != uml-cow-v3 ] || die "no old format"
    remember
    run 3 resize -y --method header --grow-fs x.cow 80M
    run 63 resize -y --in-place --grow-fs x.cow 80M
    eq "$old_sum" "$(sha x.cow)" "the image after a refusal"
    run 0 resize -q -y --policy extend --grow-fs x.cow 80M
    holds 0 $((80 * MIB))
    same_date
    given_back
    same_bytes
}

# What nothing may change: the image, its backing file, the names beside them.
refused() # CODE TEXT OPTIONS...
{
    local code=$1 text=$2 there
    shift 2
    freeze x.cow b.img
    there=$(names)
    run "$code" resize -y "$@"
    has "$text" err
    unchanged "resize $*"
    eq "$there" "$(names)" "files after resize $*"
    left_nothing
}

wrong_use()
{
    can_grow
    tree
    fs b.img 24M
    image 0
    refused 2 "does not grow with a disk that becomes smaller" --shrink --grow-fs x.cow 16M
    refused 2 "not both" --grow-fs --resize-fs x.cow 80M
    refused 2 "--family" --family --grow-fs x.cow 80M
    refused 3 "--shrink" --resize-fs x.cow 16M
    refused 3 "resize2fs could make the disk" --shrink --resize-fs x.cow 2M
    hold write x.cow
    refused 4 "$holder" --grow-fs x.cow 80M
    let_go
    served --write -y x.cow
    refused_while_served=$("$COWTUI" resize -y --grow-fs x.cow 80M 2>&1)
    eq 4 $? "exit code of resize while it is served for writing: $refused_while_served"
    ends 0
}

# What is no ext filesystem: the words for the guest.
other_kinds()
{
    can_grow
    needs mkfs.xfs mkswap
    truncate -s 320M b.img
    mkfs.xfs -q -f b.img || die "mkfs.xfs"
    run 0 create -q x.cow b.img
    refused 63 "xfs_growfs" --grow-fs x.cow 400M
    rm x.cow b.img
    truncate -s 24M b.img
    mkswap -q b.img || die mkswap
    run 0 create -q x.cow b.img
    refused 63 "swap" --grow-fs x.cow 80M
    rm x.cow b.img
    truncate -s 24M b.img
    run 0 create -q x.cow b.img
    refused 63 "nothing known" --grow-fs x.cow 80M
}

# Not unmounted, with a journal, with errors that a kernel found; and what only e2fsck finds.
not_clean()
{
    can_grow
    tree
    fs good.img 24M
    for how in "ssv state 0" "feature needs_recovery" "ssv state 3"; do
        cp --sparse=always good.img b.img
        debugfs -w -R "$how" b.img >/dev/null 2>&1
        rm -f x.cow
        run 0 create -q x.cow b.img
        refused 3 "its filesystem" --grow-fs x.cow 80M
    done
    for how in "sif <2> mode 0100644" "clri <2>"; do
        cp --sparse=always good.img b.img
        debugfs -w -R "$how" b.img >/dev/null 2>&1
        ! e2fsck -fp b.img >/dev/null 2>&1 || skip "e2fsck mends it"
        cp --sparse=always good.img b.img
        debugfs -w -R "$how" b.img >/dev/null 2>&1
        rm -f x.cow
        run 0 create -q x.cow b.img
        for method in header copy; do
            refused 3 "e2fsck: Root inode is not a directory" --policy extend --method $method --grow-fs x.cow 80M
            refused 3 "e2fsck: Root inode is not a directory" --policy copy --method $method --grow-fs x.cow 80M
        done
    done
}

# without NAME... -- ARGUMENTS...: cowtui where these files are not there. Its exit code.
without()
{
    local gone=() each script=''
    while [ "$1" != -- ]; do
        gone+=("$1")
        shift
    done
    shift
    for each in "${gone[@]}"; do
        script+="mount --bind /dev/null '$each' && "
    done
    unshare -m sh -c "$script exec \"\$@\"" sh "$COWTUI" "$@" >out 2>err
}

can_hide()
{
    unshare -m true 2>/dev/null || skip "no mount namespaces here"
}

missing() # TOOL PACKAGE
{
    can_grow
    can_hide
    tree
    fs f.img 24M
    printf '2048,49152\n' | disk b.img 32M 1 f.img
    rm f.img
    image 1
    freeze x.cow b.img
    there=$(names)
    without "$(type -P "$1")" -- resize -y --grow-fs x.cow 80M
    eq 63 $? "exit code without $1"
    has "$1 is not installed" err
    has "Debian package $2" err
    unchanged "a missing $1"
    eq "$there" "$(names)" "files without $1"
    left_nothing
}

# Where the disk cannot be served, the programs write a copy, and the plan says so.
by_a_copy() # WHAT IS NOT THERE, METHOD
{
    local hidden_paths=("$1")
    can_grow
    can_hide
    tree
    fs f.img 24M
    printf '2048,49152\n' | disk b.img 32M 1 f.img
    rm f.img
    image 1
    remember
    case $1 in /*) ;; *) mapfile -t hidden_paths < <(type -aP "$1") ;; esac
    without "${hidden_paths[@]}" -- resize -n --json --grow-fs x.cow 80M
    eq 0 $? "exit code of a dry run without $1"
    if [ "$1" != /dev/fuse ]; then # that one is there, and does not work
        eq true "$(json '.notes | any(test("they write a copy of it"))')" "the plan speaks of a copy"
        needs_copied=$(json .needs_free_bytes)
        run 0 resize -n --json --grow-fs x.cow 80M
        [ "$needs_copied" -gt "$(json .needs_free_bytes)" ] || die "a copy needs no room"
        eq false "$(json '.notes | any(test("they write a copy of it"))')" "the plan without a copy speaks of one"
    fi
    without "${hidden_paths[@]}" -- resize -q -y --policy extend --method "$2" --grow-fs x.cow 80M
    eq 0 $? "exit code without $1 ($(head -n 2 err))"
    holds 1 $((79 * MIB))
    same_date
    given_back
    same_bytes
}

# resize2fs cuts a file to its filesystem: what the copy lacks then is as it was.
shrunk_by_a_copy()
{
    can_grow
    can_hide
    tree
    fs f.img 24M
    printf '2048,2048\n4096,49152\n' | disk b.img 32M 2 f.img
    rm f.img
    image 2
    remember
    without "$(type -P nbdfuse)" -- resize -q -y --shrink --resize-fs x.cow 20M
    eq 0 $? "exit code without nbdfuse ($(head -n 2 err))"
    holds 2 $((18 * MIB))
    given_back
    same_bytes
}

# The disk gets full while the programs write.
full() # METHOD
{
    can_grow
    [ "$(id -u)" = 0 ] || skip "only root mounts a small filesystem"
    tree
    fs b.img 24M
    image 0
    size=$(du -k x.cow | cut -f 1)
    mkdir m
    mount -t tmpfs -o size=$((size + 40000))k none m 2>/dev/null || skip "nothing can be mounted here"
    mounted_at=$PWD/m
    trap 'umount -l "$mounted_at"' EXIT
    cp --preserve=all --sparse=always x.cow m/
    mv x.cow kept.cow
    sum=$(sha m/x.cow) backing=$(state b.img)
    # The room is there when it is asked for, and gone when the programs run.
    mkdir tools
    printf '#!/bin/sh\nhead -c 200M /dev/zero >"%s/m/fill" 2>/dev/null\nexec %s "$@"\n' "$PWD" "$(type -P resize2fs)" >tools/resize2fs
    chmod +x tools/resize2fs
    PATH=$PWD/tools:$PATH "$COWTUI" resize -y --policy keep --method "$1" --grow-fs m/x.cow 2G >out 2>err
    code=$?
    rm -f m/fill
    eq 2 $code "exit code ($(tail -n 2 err))"
    has "No space left on device" err
    eq "$sum" "$(sha m/x.cow)" "the image"
    eq "$backing" "$(state b.img)" "the backing file"
    eq "x.cow " "$(cd m && names)" "files beside the image"
    left_nothing
    run 0 check --quick m/x.cow
}

t "growfs: by the header" header_only
for policy in extend copy; do
    for method in header copy; do
        t "growfs: $policy, by $method" policies $policy $method
    done
done
t "growfs: keep, by header" keeps header
t "growfs: keep, by copy" keeps copy
t "growfs: a new file" output
t "growfs: inserted" moved inserted
t "growfs: moved" moved moved
t "growfs: blocks of 1 KiB, extend" small_blocks extend
t "growfs: blocks of 1 KiB, copy" small_blocks copy
for table in mbr logical gpt; do
    for method in header copy; do
        t "growfs: $table, by $method" partition $table $method
    done
done
t "growfs: shrunk" shrunk
t "growfs: a partition, shrunk" shrunk_partition
t "growfs: wrong use" wrong_use
t "growfs: other filesystems" other_kinds
t "growfs: not clean" not_clean
t "growfs: no e2fsck" missing e2fsck e2fsprogs
t "growfs: no resize2fs" missing resize2fs e2fsprogs
t "growfs: no sfdisk" missing sfdisk fdisk
t "growfs: no nbdkit" by_a_copy nbdkit header
t "growfs: no nbdfuse" by_a_copy nbdfuse copy
t "growfs: FUSE that may not mount" by_a_copy /dev/fuse header
t "growfs: smaller, no nbdfuse" shrunk_by_a_copy
t "growfs: a full disk, by header" full header
t "growfs: a full disk, by copy" full copy
t "growfs: a v1" old_format uml-cow-v1
t "growfs: a v2" old_format uml-cow-v2

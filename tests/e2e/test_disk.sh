#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What lies on the disk: shrinking does not cut what it does not understand, and after growing the guest is told what
# fits this disk. Made with the real tools where they are installed, and judged by them.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

old=400M old_bytes=419430400

needs()
{
    local tool
    for tool; do
        command -v "$tool" >/dev/null || skip "$tool is not installed"
    done
}

table()
{
    needs sfdisk
    sfdisk -q "$1" 2>sfdisk.err || die "sfdisk: $(cat sfdisk.err)"
    rm sfdisk.err
}

# Puts KIND into FILE, which is there.
put_kind() # KIND FILE
{
    case $1 in
    xfs) needs mkfs.xfs && mkfs.xfs -q -f "$2" ;;
    btrfs) needs mkfs.btrfs && mkfs.btrfs -q "$2" ;;
    swap) needs mkswap && mkswap "$2" ;;
    exfat) needs mkfs.exfat && mkfs.exfat "$2" ;;
    vfat) needs mkfs.vfat && mkfs.vfat "$2" ;;
    ext4) needs mkfs.ext4 && mkfs.ext4 -q -F "$2" ;;
    luks2) needs cryptsetup && echo secret | cryptsetup -q luksFormat --type luks2 --pbkdf pbkdf2 \
        --pbkdf-force-iterations 1000 "$2" - ;;
    random) head -c 65536 /dev/urandom >"$2.part" && dd if="$2.part" of="$2" conv=notrunc status=none && rm "$2.part" ;;
    *) "$PYTHON" -ES "$here/kinds.py" "$1" "$2" ;;
    esac >mkfs.out 2>&1 </dev/null || die "$1 cannot be made: $(tail -n 2 mkfs.out)"
    rm mkfs.out
}

on_it()
{
    touch -d '2020-01-02 03:04:05 UTC' b.img
    rm -f x.cow
    run 0 create x.cow b.img
}

whole() # KIND [SIZE]
{
    rm -f b.img
    truncate -s "${2:-$old}" b.img
    put_kind "$1" b.img
    on_it
}

# A file with KIND in it becomes the disk's bytes from OFFSET on.
put_at() # KIND OFFSET BYTES
{
    rm -f part.img
    truncate -s "$3" part.img
    put_kind "$1" part.img
    py "$2" <<'END'
import os, sys
import sparse_sum
offset, size = int(sys.argv[1]), os.path.getsize("part.img")
with open("part.img", "rb", buffering=0) as part, open("b.img", "r+b", buffering=0) as disk:
    for begin, end in list(sparse_sum.extents(part.fileno(), size)): # over its holes
        for at in range(begin, end, 1 << 16):
            piece = os.pread(part.fileno(), min(1 << 16, end - at), at)
            if piece.count(0) != len(piece):
                os.pwrite(disk.fileno(), piece, offset + at)
END
    rm part.img
}

# Half of it would be cut: refused, and the command that the refusal prints is the one that does it.
cut() # KIND TYPE
{
    local command
    whole "$1"
    freeze b.img x.cow
    run 3 resize --shrink -y x.cow 200M
    has "$2" err
    has "the new size is 209715200" err
    run 3 resize --shrink -y -f x.cow 200M
    has "$2" err
    command=$(grep -oE 'cowtui resize .*--force=cut-foreign x.cow 200M$' err) || die "no command in: $(cat err)"
    unchanged "a refused shrink"
    # shellcheck disable=SC2086 # words
    run 0 ${command#cowtui } -y
    has "cut off" err
    hasnt "fits the smaller disk" err
    run 0 undo -q -y x.cow
    unchanged "cut off, and undone"
}

# Larger: what the guest is told.
told() # KIND WORDS...
{
    local kind=$1 words
    shift
    whole "$kind"
    run 0 resize -n --json --policy extend x.cow 500M
    json .next >saved.json
    for words; do
        has "$words" saved.json
    done
    [ "$kind" = ext4 ] || hasnt resize2fs saved.json
    rm saved.json
    run 0 resize -n --json --policy keep x.cow 500M
    has "$1" out
}

# Something that ends where the new end will be is not cut, and its own tool finds it as it was.
fits() # KIND
{
    rm -f b.img
    truncate -s "$old" b.img
    put_kind "$1" b.img
    truncate -s 500M b.img
    on_it
    run 3 resize --shrink -y x.cow $((old_bytes - 1048576))
    run 0 resize --shrink -y x.cow "$old"
    has "fits the smaller disk" err
    run 0 merge -o raw x.cow
    judged "$1" raw
    rm raw
    run 0 resize -q -y --policy extend x.cow 600M
    run 0 merge -o raw x.cow
    judged "$1" raw
    rm raw
}

judged() # KIND FILE
{
    case $1 in
    xfs) needs xfs_repair && xfs_repair -n "$2" ;;
    btrfs) needs btrfs && btrfs check "$2" ;;
    swap) needs swaplabel && swaplabel "$2" && swaplabel "$2" | grep -q UUID ;;
    exfat) needs fsck.exfat && fsck.exfat -n "$2" ;;
    vfat) needs fsck.vfat && fsck.vfat -n "$2" ;;
    luks2) needs cryptsetup && cryptsetup luksDump "$2" ;;
    ext4) needs e2fsck && e2fsck -f -n "$2" ;;
    esac >judge.out 2>&1 || die "$1, by its own tool: $(tail -n 2 judge.out)"
    rm judge.out
}

mbr()
{
    rm -f b.img
    truncate -s "$old" b.img
    printf 'label: dos\n2048,204800,S\n,204800\n' | table b.img
    put_at swap 1048576 104857600
    put_at ext4 105906176 104857600
    on_it
    freeze b.img x.cow
    run 3 resize --shrink -y x.cow 200M
    has "partition 2 (ext4) ends at 210763776, the new size is 209715200" err
    run 3 resize --shrink -y --force=cut-foreign x.cow 200M # ext is no stranger
    hasnt cut-foreign err
    unchanged "refused partitions"
    run 0 resize -n --json --policy extend x.cow 500M
    json .next >saved.json
    has "growpart /dev/ubda 2" saved.json
    has "sfdisk -N 2 /dev/ubda" saved.json
    has "resize2fs /dev/ubda2" saved.json
    hasnt sgdisk saved.json
    rm saved.json
    run 0 resize --shrink -y x.cow 300M
    has "its partitions fit the smaller disk" err
    run 0 merge -o raw x.cow
    sfdisk -q -V raw >judge.out 2>&1 || die "sfdisk -V, smaller: $(cat judge.out)"
    rm raw
    run 0 resize -q -y --policy extend x.cow 500M
    run 0 merge -o raw x.cow
    sfdisk -q -V raw >judge.out 2>&1 || die "sfdisk -V, larger: $(cat judge.out)"
}

# A partition may stay as it is where its disk grows, and so does what lies at its end.
raid_in_partition()
{
    rm -f b.img
    truncate -s "$old" b.img
    printf 'label: dos\n2048\n' | table b.img
    put_at md1.0 1048576 418381824
    on_it
    run 0 resize -n --json --policy extend x.cow 500M
    json .next >saved.json
    has "a member of a RAID has to stay at its end: the new room lies behind it" saved.json
    hasnt growpart saved.json
    hasnt "disk's end" <(json '.notes[]')
    run 3 resize -y --shrink x.cow 300M
    has "partition 1 (linux_raid_member) ends at 419430400" err
}

logical()
{
    rm -f b.img
    truncate -s "$old" b.img
    table b.img <<'END' # the container goes up to 251 MiB
label: dos
b.img1 : start=2048, size=102400, type=83
b.img2 : start=104448, size=409600, type=5
b.img5 : start=106496, size=102400, type=83
b.img6 : start=210944, size=102400, type=83
END
    on_it
    run 0 resize -n --json --policy extend x.cow 500M
    json .next >saved.json
    has "sfdisk -N 2 /dev/ubda (the device of this disk), echo ', +' | sfdisk -N 6 /dev/ubda" saved.json
    rm saved.json
    run 3 resize --shrink -y x.cow 220M # in the container, behind the last logical one
    has "lists something that ends at 263192576, the new size is 230686720" err
    run 0 resize --shrink -y x.cow 251M
}

gpt()
{
    rm -f b.img
    truncate -s "$old" b.img
    printf 'label: gpt\n2048,204800\n,256000\n' | table b.img
    put_at swap 1048576 104857600
    put_at btrfs 105906176 131072000
    on_it
    run 0 check x.cow
    run 3 resize --shrink -y x.cow 200M
    has "partition 2 (btrfs) ends at 236978176" err
    run 0 resize -n --json --policy extend x.cow 500M
    json '.notes[]' >saved.json
    has "sgdisk -e /dev/ubda" saved.json
    json .next >saved.json
    has "sgdisk -e /dev/ubda (the device of this disk), growpart /dev/ubda 2" saved.json
    has "btrfs filesystem resize max MOUNTPOINT" saved.json
    rm saved.json
    run 0 resize --shrink -y x.cow 300M
    has "is cut off" err
    has "sgdisk -e /dev/ubda" err
    has "finds no partitions" err
    run 0 merge -o raw x.cow
    [ -z "$(partx -rgo NR raw 2>/dev/null)" ] || die "partitions are found before sgdisk -e"
    rm raw
    mended smaller
    run 0 undo -q -y x.cow
    run 0 resize -q -y --policy extend x.cow 500M
    mended larger
}

# What the preview names, done to the merged disk; then the tools have nothing to say.
mended() # WHAT
{
    run 0 merge -o raw x.cow
    if command -v sgdisk >/dev/null; then
        sgdisk -e raw >judge.out 2>&1 || die "sgdisk -e, $1: $(tail -n 2 judge.out)"
        sgdisk -v raw >judge.out 2>&1
        has "No problems found" judge.out
        sfdisk -q -V raw >judge.out 2>&1 || die "sfdisk -V, $1: $(cat judge.out)"
        eq "1 2" "$(partx -rgo NR raw | tr '\n' ' ' | sed 's/ $//')" "partitions"
    elif [ "$1" = larger ]; then
        sfdisk -q --relocate gpt-bak-std raw >judge.out 2>&1 || die "sfdisk, $1: $(cat judge.out)"
        sfdisk -q -V raw >judge.out 2>&1 || die "sfdisk -V, $1: $(cat judge.out)"
    fi
    rm -f raw judge.out
}

# What of a RAID lies at the end is lost both ways.
raid_at_end() # KIND
{
    cut "$1" linux_raid_member
    run 0 resize -n --policy extend x.cow 500M
    has "lies at its end" out
    has "a member of a RAID" out
}

words()
{
    small
    run 2 resize -y --force=nonsense x.cow 128K
    has "'nonsense' is nothing that can be forced by name" err
    run 2 resize -y --force= x.cow 128K
    run 2 resize -y --force=cut-foreign,x x.cow 128K
    run 2 merge --force=cut-foreign -o raw x.cow
    has "merge does not take --force=cut-foreign" err
    run 2 --force=cut-foreign x.cow
    run 0 resize -n --force=cut-foreign,cut-foreign --policy extend x.cow 128K
    has "--force=cut-foreign x.cow 128K" out
    hasnt "--force --force" out
    run 0 resize -n -f --force=cut-foreign --policy extend x.cow 128K
    has "--force --force=cut-foreign x.cow 128K" out
}

# Data that nothing claims: refused as ever, and that can be lost by name, too.
unclaimed()
{
    small
    run 3 resize -y --shrink x.cow 33280
    has "--force=cut-foreign x.cow 33280; the smallest size that loses nothing is 64K" err
    run 3 resize -y --shrink -f x.cow 33280
    run 0 resize -y --shrink --force=cut-foreign x.cow 33280
    has "1 sectors of data past 32.5 KiB are lost" err
}

# As many partitions as a table can have: no more notes than can be read, and all are counted.
many_partitions()
{
    local i
    rm -f b.img
    truncate -s "$old" b.img
    {
        echo 'label: gpt'
        for ((i = 0; i < 40; i++)); do
            echo "$((430080 + i * 4096)),2048"
        done
    } | table b.img
    on_it
    run 3 resize --shrink -y x.cow 200M
    run 0 resize --shrink -n --force=cut-foreign x.cow 200M
    has "partition 12 (nothing known), which ends at 233 MiB, is cut off at 200 MiB" out
    hasnt "partition 13" out
    has "28 more are cut off there" out
    has "the backup of the partition table (GPT)" out
}

# Somebody has cut the file under it. check tells, whatever the date is.
larger() # KIND TYPE
{
    rm -f b.img
    truncate -s "$old" b.img
    put_kind "$1" b.img
    on_it
    run 0 check x.cow
    truncate -s 300M b.img
    on_it
    run 1 check --json x.cow
    eq "filesystem-larger error" "$(json '.findings[] | "\(.code) \(.severity)"')" findings
    has "the $2 says that it has 419430400 bytes (400 MiB), and the disk has 314572800" <(json '.findings[].message')
    run 0 check --quick x.cow
}

beyond() # TABLE
{
    rm -f b.img
    truncate -s "$old" b.img
    printf 'label: %s\n2048,204800\n,256000\n' "$1" | table b.img
    put_at ext4 105906176 131072000
    truncate -s 200M b.img
    on_it
    run 1 check --json x.cow
    json '.findings[] | "\(.code) \(.severity)"' >saved.json
    has "partition-beyond error" saved.json
    has "filesystem-larger error" saved.json
    [ "$1" = dos ] || has "gpt-backup warning" saved.json
    has "ends at 236978176, and the disk has 209715200 bytes" <(json '.findings[].message')
    rm saved.json
}

# Another filesystem than the image's own copy of the superblock remembers: only that tells, the date does not.
other() # KIND SUPERBLOCK_SECTOR
{
    rm -f b.img
    truncate -s "$old" b.img
    put_kind "$1" b.img
    cp --sparse=always b.img right.img
    touch -d '2020-01-02 03:04:05 UTC' right.img
    run 0 create x.cow right.img
    model dirty x.cow uml-cow-v3 >/dev/null
    own_copy x.cow right.img "$2"
    run 0 check --quick x.cow
    run 1 check --json x.cow # equal to what lies below: no other filesystem
    eq redundant "$(json '.findings[].code')" findings
    run 0 rebase -n --restamp --to b.img x.cow
    hasnt "another filesystem" out
    rm b.img
    truncate -s "$old" b.img
    put_kind "$1" b.img
    touch -d '2020-01-02 03:04:05 UTC' b.img
    run 0 rebase -n --to b.img x.cow
    has "b.img holds another filesystem: on the disk the guest has $1 with the UUID" out
    has "the guest's files are damaged" out
    run 0 rebase -n --safe --to b.img x.cow
    has "takes in all that differs" out
    run 0 create y.cow right.img # the image has no copy of its own, but the present file is there
    run 0 rebase -n --to b.img y.cow
    has "another filesystem" out
    mv right.img away.img
    run 0 rebase -n --to b.img x.cow # with the present one gone the image's own copy is asked
    has "another filesystem" out
    run 0 rebase -n --to b.img y.cow
    hasnt "another filesystem" out
    mv b.img right.img
    run 1 check --json x.cow
    has "other-filesystem warning" <(json '.findings[] | "\(.code) \(.severity)"')
    has "on the disk the guest has $1 with the UUID" <(json '.findings[].message')
}

# Eight sectors of the disk from SECTOR on become dirty, with what FILE has there.
own_copy() # IMAGE FILE SECTOR
{
    py "$@" <<'END'
import struct, sys
image, file, first = sys.argv[1], sys.argv[2], int(sys.argv[3])
with open(image, "r+b") as cow, open(file, "rb") as below:
    header = cow.read(4128)
    size, = struct.unpack(">Q", header[12:20])
    alignment, = struct.unpack(">I", header[24:28])
    bitmap = -(-4128 // alignment) * alignment
    data = -(-(bitmap + -(-(size // 512) // 8)) // alignment) * alignment
    cow.seek(bitmap + first // 8)
    cow.write(b"\xff")
    below.seek(first * 512)
    cow.seek(data + first * 512)
    cow.write(below.read(4096))
END
}

# One fact is told in the same words, whoever tells it.
same_words()
{
    local fact="says that it has 8388608 bytes (8.00 MiB), and the disk has 6291456 (6.00 MiB)"
    command -v mke2fs >/dev/null && command -v sfdisk >/dev/null || skip "e2fsprogs or sfdisk is not installed"
    truncate -s 8M b.img
    mke2fs -q -F -t ext4 b.img
    truncate -s 6M b.img
    run 0 create -q x.cow b.img
    run 1 check x.cow
    has "filesystem-larger: the ext4 $fact" out
    run 0 files x.cow
    has "it $fact" out
    rm -f x.cow b.img
    truncate -s 8M b.img
    echo 'label: dos' | table b.img
    run 0 create -q x.cow b.img
    run 0 files x.cow
    has "x.cow: the partition table is empty" out
    run 0 resize --dry-run --json --policy extend x.cow 16M
    has "the partition table is empty" out
}

gpt_backup()
{
    local last=$((old_bytes / 512 - 1))
    rm -f b.img
    truncate -s "$old" b.img
    printf 'label: gpt\n2048,204800\n' | table b.img
    on_it
    run 0 check x.cow
    run 0 resize -q -y --policy extend x.cow 500M
    run 1 check x.cow
    has "gpt-backup: the backup of the partition table (GPT) lies at 419429888, and not at the end" out
    run 0 undo -q -y x.cow
    run 0 resize -q -y --shrink x.cow 300M
    run 1 check x.cow
    has "partition-beyond: the partition table (GPT) is that of a disk of at least" out
    has "a kernel finds no partition at all" out
    has "gpt-backup: the partition table (GPT) has no backup: at 419429888" out
    run 0 undo -q -y x.cow
    dd if=/dev/zero of=b.img bs=512 seek=$last count=1 conv=notrunc status=none
    on_it
    run 1 check x.cow
    has "gpt-backup: the partition table (GPT) has no backup" out
    rm -f b.img
    truncate -s "$old" b.img
    printf 'label: gpt\n2048,204800\n' | table b.img
    printf x | dd of=b.img bs=1 seek=570 conv=notrunc status=none
    on_it
    run 1 check x.cow
    has "the header at the beginning is damaged" out
    run 0 resize -n --policy extend x.cow 500M
    has "nobody finds it on a larger disk" out
}

cow_below()
{
    small
    run 3 create y.cow x.cow
    has "is a COW image itself" err
    [ ! -e y.cow ] || die "it was made"
    run 0 create -f y.cow x.cow
    has "is a COW image itself" err
    run 1 check y.cow
    has backing-is-cow out
}

for kind in xfs btrfs swap exfat ntfs f2fs squashfs iso9660; do
    t "disk: shrink, $kind" cut $kind "the guest's $kind has 419430400 bytes"
done
t "disk: shrink, vfat" cut vfat "the guest's vfat has 4194"
t "disk: shrink, lvm" cut lvm "the guest's LVM2_member has 419430400 bytes"
t "disk: shrink, luks" cut luks "crypto_LUKS, which takes all of its 419430400 bytes"
t "disk: shrink, luks2" cut luks2 "crypto_LUKS, which takes all of its 419430400 bytes"
for kind in md1.1 md1.2; do
    t "disk: shrink, $kind" cut $kind "the guest's linux_raid_member has 419430400 bytes"
done
for kind in md0.90 md1.0; do
    t "disk: raid, $kind" raid_at_end $kind
done
t "disk: grow, ext4" told ext4 "resize2fs /dev/ubda"
t "disk: grow, xfs" told xfs "xfs_growfs MOUNTPOINT"
t "disk: grow, btrfs" told btrfs "btrfs filesystem resize max MOUNTPOINT"
t "disk: grow, swap" told swap "swap stays as large as it is"
t "disk: grow, lvm" told lvm "pvresize /dev/ubda (the device of this disk)"
t "disk: grow, luks" told luks "cryptsetup resize NAME"
t "disk: grow, raid" told md1.2 "mdadm --grow --size=max"
t "disk: grow, ntfs" told ntfs "ntfsresize /dev/ubda"
t "disk: grow, f2fs" told f2fs "resize.f2fs /dev/ubda"
t "disk: grow, vfat" told vfat "FAT stays as large as it is"
t "disk: grow, nothing known" told random "nothing known"
for kind in xfs btrfs swap exfat vfat ext4; do
    t "disk: fits, $kind" fits $kind
done
t "disk: one fact, one text" same_words
t "disk: partitions, mbr" mbr
t "disk: partitions, raid" raid_in_partition
t "disk: partitions, logical" logical
t "disk: partitions, gpt" gpt
t "disk: words of --force" words
t "disk: data that nothing claims" unclaimed
t "disk: partitions, more than notes" many_partitions
t "disk: larger, xfs" larger xfs xfs
t "disk: larger, btrfs" larger btrfs btrfs
t "disk: larger, swap" larger swap swap
t "disk: larger, lvm" larger lvm LVM2_member
t "disk: larger, ext4" larger ext4 ext4
t "disk: beyond, mbr" beyond dos
t "disk: beyond, gpt" beyond gpt
t "disk: other, ext4" other ext4 0
t "disk: other, xfs" other xfs 0
t "disk: other, btrfs" other btrfs 128
t "disk: other, swap" other swap 0
t "disk: the backup of a GPT" gpt_backup
t "disk: a COW below" cow_below

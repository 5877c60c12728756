#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Drives every view and the wizard by scripts, in process, without a terminal, and compares the screens that
# they dump with golden ones. A script's first line names the screens to run it on ("# screens: 80x24
# 120x40-ascii"); "# options: WORD..." are the program's; "# prepare: NAME" and "# check: NAME" name functions below. After every run the files must be
# what they were, but where a check says otherwise.
# Usage: run.sh COWTUI [--parts | SHARE]      A part is a share of the scripts: "2 of 4"; without one all are run. A case
# is "SCRIPT SCREEN"; ONLY_CASE chooses. UPDATE=1 rewrites the golden screens.
set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
program=$(realpath "${1:-$here/../../build/cowtui}") || exit 2
archive=${DEMO:-$here/../../share/demo/guest-ext4.tar.xz}
share=${2:-1 of 1}
if [ "$share" = --parts ]; then
    printf '%s\n' '1 of 4 15' '2 of 4 15' '3 of 4 15' '4 of 4 15'
    exit 0
fi
# shellcheck source=tests/wanted.sh
. "$here/../wanted.sh"
# Always a path of the same length: where text is wrapped depends on it.
work=$(mktemp -d /tmp/cowtui.XXXXXXXXXX) || exit 2
# shellcheck disable=SC2154 # set when it runs
trap 'code=$?; release; cd /; rm -rf "$work"; exit $code' EXIT
trap 'exit 130' INT TERM

# Nothing of the caller's may show on a screen.
export LC_ALL=C.UTF-8 HOME=$work TERM=dumb
# Administrators' tools (debugfs) are not in every user's PATH; and what they make is the same on every system.
PATH=$PATH:/usr/sbin:/sbin
export MKE2FS_CONFIG=$here/../data/mke2fs.conf
# A sanitized plugin wants the sanitizer in nbdkit, which has none of its own.
if grep -q __asan_init "$program" && command -v nbdkit >/dev/null; then
    mkdir "$work/shims" && "$here/../serve/shim.sh" "$work/shims" && PATH=$work/shims:$PATH
fi
unset XDG_STATE_HOME XDG_RUNTIME_DIR TMPDIR INPUTRC NO_COLOR COLUMNS LINES

composed=11979388e1eda3f239f3866cea5d09493997f686676df49b1c90de51ab898d17 # sha256 of what the guest sees
disk_bytes=67108864
backing_date=1051358400
holes_map=037f42db99daea37 # sha256 of its map where holes are multiples of 4 KiB

why=
fail() {
    why=$*
    return 1
}

skip() {
    why=$*
    return 77
}

# What the program says is compared less than elsewhere where the filesystem has it say something else. On the usual
# ones it is the program that has changed, and nothing is skipped.
skip_elsewhere() { # WHY
    local there
    there=$(stat -f -c %T .)
    case $there in
    ext2/ext3 | tmpfs) fail "$1, on $there, where that cannot be" ;;
    *) skip "$1, on $there" ;;
    esac
}

# sha256 of standard input. Where the processor can do it, openssl lets it: that takes a sixth of the time.
sum() {
    if command -v openssl >/dev/null; then openssl dgst -sha256 -r; else sha256sum; fi | cut -d ' ' -f 1
}

# The case's files are still what they were: $1, by default as unpacked.
same_as() { # DIRECTORY
    local file
    [ "$(cd "$1" && find . -type f -name 'ro*' -printf '%f %T@ %s\n' | sort)" = \
        "$(find . -type f -name 'ro*' -printf '%f %T@ %s\n' | sort)" ] || fail "a file's name, size or date changed" || return
    for file in "$1"/ro*; do
        cmp -s "$file" "$(basename "$file")" || fail "$(basename "$file") changed" || return
    done
}

# Where holes are is up to the filesystem, so the images have none, and the screens are the same everywhere; one
# script looks at an image with holes, where they are kept in blocks of 4 KiB.

# --- prepare: what is done to the fresh image ---

prepare_unfinished() { # the mark of an interrupted change stands where the size was
    printf '\377\377\377\377\377\377\377\377' | dd of=root.cow bs=1 seek=12 conv=notrunc status=none
}

prepare_no-backing() {
    rm root_fs.img
}

prepare_unusable-backing() {
    ln --symbolic --force root.cow root_fs.img
}

prepare_layers() { # an image on the image
    image=root-top.cow
    touch --date=@$backing_date root.cow
    "$program" --quiet create --force $image root.cow || fail "cannot make an image on the image"
}

prepare_layers-cut() { # ... whose own backing file is gone
    prepare_layers && prepare_no-backing
}

# Renamed, and beside it the same of another date, one that is too short, and more names. The date is of its content.
prepare_moved() {
    prepare_holes || return
    mkdir "a directory"
    mv root_fs.img root_fs.old && cp root_fs.old root_fs.new && cp -p root_fs.old "a directory/it's a disk.img" &&
        touch --date=@$((backing_date + 86400)) root_fs.new && truncate --size=32M short.img && "$program" --quiet create other.cow root_fs.new
}

prepare_touched() { # somebody has touched the backing file
    touch --date=@$((backing_date + 60)) root_fs.img
}

prepare_elsewhere() { # the backing file is in another directory, under another name
    mkdir lab && mv root_fs.img lab/base.img
}

prepare_short-backing() {
    truncate --size=32M root_fs.img
    touch --date=@$backing_date root_fs.img
}

prepare_holes() {
    local file
    for file in root.cow root_fs.img; do
        cp --sparse=always --preserve=timestamps,mode "$fresh/$file" .
    done
    [ "$("$program" map --json root.cow | sed 's/, "layer": [0-9]*//' | tr -d ' \n' | sha256sum | cut -c 1-16)" = $holes_map ] && return
    printf x | dd of=probe bs=4096 seek=5 status=none && set -- "$(stat -c %b probe)" && rm probe || fail "cannot ask how holes are kept" || return
    [ "$1" = 8 ] || skip "this filesystem keeps holes in another way" || return # a tmpfs with huge pages, an ext4 with small blocks
    skip_elsewhere "the map of an image with holes is another one"
}

prepare_names() { # a bell, a colour sequence, wide and combining characters, broken UTF-8, and length
    image=$(printf 'ro\007ot \033[31mred 名前 e\314\201 \377 with a name that is longer than a line of text.cow')
    mv root.cow "$image"
}

grow() { # SIZE
    "$program" --quiet --yes resize --policy extend root.cow "$1" 2>grow.err || fail "cannot grow the image: $(cat grow.err)" || return
    rm -f grow.err
}

prepare_changed() { # grown by copy; the old image is kept for undo
    grow 128M
}

prepare_kept() { # grown, but not its backing file
    "$program" --quiet --yes resize --policy keep root.cow 128M || fail "cannot grow the image"
}

prepare_grown() { # the same, with nothing to undo; its bitmap has room
    grow 128M && { "$program" --quiet --yes undo --discard root.cow || fail "cannot discard the undo data"; }
}

prepare_used-since() { # a guest has written a sector since the image was grown
    grow 128M && printf changed | dd of=root.cow bs=1 seek=2097152 conv=notrunc status=none
}

interrupt() { # CALL METHOD [--family]: a growth that is killed at the first such system call on the new image; what recover then does
    command -v strace >/dev/null || skip "strace is not installed" || return
    strace -o strace.out -e trace=none true 2>/dev/null || skip "strace cannot trace here" || return
    rm strace.out
    { strace -qq -o /dev/null -P "$(pwd -P)/.root.cow.cowtui-new" -e inject="$1":signal=KILL:when=1 "$program" --quiet --yes resize --policy extend "${@:3}" root.cow 128M; } 2>/dev/null
    [ -e .root.cow.cowtui-journal ] && [ -e .root.cow.cowtui-new ] || fail "the killed growth left no journal, or no new image" || return
    "$program" recover --dry-run --json root.cow | grep -q "\"method\": *\"$2\"" || fail "the killed growth is not one that recover takes $2"
}

prepare_interrupted-early() { # while the new image is in the making
    interrupt fsync back
}

prepare_interrupted-late() { # it is complete, but not in its place yet
    interrupt '/^rename(at)?$' forward
}

# Data that does not begin where a block does: no filesystem inserts room there, so it is moved on each of them.
prepare_unaligned() {
    mv root.cow aligned.cow || return
    { head -c 4128 aligned.cow && head -c 480 /dev/zero && tail -c +8193 aligned.cow; } >root.cow
    printf '\0\0\2\0' | dd of=root.cow bs=1 seek=24 conv=notrunc status=none # the alignment: 512
    chmod --reference=aligned.cow root.cow && touch --reference=aligned.cow root.cow && rm aligned.cow
}

# Its data is being moved, and that is stopped when a half of it is done.
prepare_half-moved() {
    local n
    prepare_unaligned || return
    {
        printf '%s\n' 'size 80x24' 'key r' 'type 128M' 'key Enter f Enter Right Enter Enter' 'type yes'
        for ((n = 0; n < 7; n++)); do echo 'during wait'; done
        printf '%s\n' 'during key Esc' 'key Enter' 'expect 32.0 MiB of its 64.0 MiB'
    } >half.script
    "$program" --script half.script root.cow >half.out 2>&1 || fail "it is not half moved: $(head -n 1 half.out)" || return
    rm half.script half.out
}

prepare_moving() { # a program holds the lock of a half-moved image
    prepare_half-moved && prepare_in-use
}

prepare_inserts() {
    head -c 8192 /dev/zero >probe && fallocate --insert-range --offset 4096 --length 4096 probe 2>/dev/null ||
        skip "this filesystem does not insert room" || return
    rm probe
}

# A disk that holds a little everywhere, and forty hot spots that are not much fuller.
prepare_large() {
    local at
    image=large.cow
    rm root.cow root_fs.img && truncate -s 1G root_fs.img && touch --date=@$backing_date root_fs.img &&
        "$program" --quiet create large.cow root_fs.img && truncate -s +1G large.cow || fail "no image of 1 GiB" || return
    at=$("$program" info --json large.cow | sed -n 's/.*"bitmap_offset": \([0-9]*\).*/\1/p')
    LC_ALL=C awk 'BEGIN { for (i = 0; i < 262144; i++) printf "%c", ((i % 375 == 0 || i % 6553 >= 6000 && i % 6553 < 6012) ? 255 : 0) }' >bits
    dd if=bits of=large.cow bs=4096 seek=$((at / 4096)) conv=notrunc status=none && rm bits
}

# A piece of the disk whose bits a crash lost, one that the guest wrote zeros to, and all else as it was.
prepare_states() {
    dd if=/dev/zero of=root.cow bs=1 count=1 seek=$((8192 + 10072 / 8)) conv=notrunc status=none || return
    dd if=/dev/zero of=root.cow bs=512 count=8 seek=$((24576 / 512 + 17048)) conv=notrunc status=none || return
    head -c 4096 /dev/zero | tr '\0' x | dd of=root_fs.img bs=512 seek=17048 conv=notrunc status=none && touch --date=@$backing_date root_fs.img
}

prepare_dirty() { # 16 MiB of it, which is enough for a progress
    prepare_holes || return
    head -c 4096 /dev/zero | tr '\0' '\377' | dd of=root.cow bs=4096 seek=4 conv=notrunc status=none
}

# What the disk is served by: without it the screens speak of a copy.
prepare_served() {
    local name
    for name in nbdkit nbdfuse resize2fs; do
        command -v "$name" >/dev/null || skip "$name is not installed" || return
    done
    [ -w /dev/fuse ] && [ -e "${program%/*}/nbdkit-cow-plugin.so" ] || skip "no FUSE here, or no plugin was built" || return
}

# An e2fsck that says something and goes on until it is told to stop, on an image whose data stays.
prepare_slow-tools() {
    prepare_served && prepare_grown || return
    tools=$PWD/tools
    mkdir tools && printf '%s\n' '#!/bin/sh' 'echo "Pass 1: Checking inodes, blocks, and sizes"' 'exec sleep 8' >tools/e2fsck && chmod +x tools/e2fsck
}

prepare_qcow2() {
    local name
    for name in qemu-img qemu-nbd; do
        command -v "$name" >/dev/null || skip "$name is not installed" || return
    done
}

prepare_mount() {
    prepare_served || return
    command -v fuse2fs >/dev/null || skip "fuse2fs is not installed" || return
    mkdir mnt
}

prepare_not-clean() { # the guest has its filesystem mounted: the superblock says so
    local at=$((24576 + 1024 + 58))
    printf '\0\0' | dd of=root.cow bs=1 seek=$at conv=notrunc status=none
}

prepare_clean() { # nothing is wrong with it
    "$program" --quiet --yes pages root.cow && "$program" --quiet --yes rebase --to "$PWD/root_fs.img" root.cow &&
        "$program" --quiet --yes compact root.cow && "$program" --quiet --yes undo --discard root.cow || fail "cannot mend the image"
}

# A file removed, one renamed, one given another mode, one replaced by a text that would control a terminal, and
# new ones: with a bell in its name, with NULs in it, and a link to nowhere.
prepare_edited() {
    command -v debugfs >/dev/null || skip "debugfs is not installed" || return
    "$program" --quiet merge -o guest.raw root.cow || fail "merge failed" || return
    printf 'order\thosts,bind\r\n\033[31mred \302\233 \377 and a line that is a good deal longer than the screen is wide, even where it is 160 cells wide, so that it has to be shifted to the left to be seen\n' >long.text
    { seq 400 | tr '\n' '\0'; } >new.bytes
    {
        printf '%s\n' 'rm /etc/fstab' 'ln /etc/motd.old /etc/welcome' 'unlink /etc/motd.old' 'sif /etc/profile mode 0100600' \
            'rm /etc/hosts.conf' 'write long.text /etc/hosts.conf' 'symlink /etc/dangling nowhere' 'write new.bytes /home/user/new.bin'
        printf 'write long.text /home/user/be\007ep\n'
    } >edits
    debugfs -w -f edits guest.raw >/dev/null 2>&1
    "$program" --quiet diff --force -o root.cow root_fs.img guest.raw || fail "diff failed" || return
    rm guest.raw long.text new.bytes edits
}

# New files whose names have emoji of the BMP and beyond it, wide and narrow letters.
prepare_widths() {
    local name
    PATH=$PATH:/usr/sbin:/sbin command -v debugfs >/dev/null || skip "debugfs is not installed" || return
    "$program" --quiet merge -o guest.raw root.cow || fail "merge failed" || return
    echo text >new.text
    for name in 'so long that the frame follows ⌚⌛' 'the front of this one is not shown ✅⭐⚡ done' '😀 smile' '名前.txt' '한글' 'ﾊﾝｶｸ' '☎ 1'; do
        echo "write new.text \"/etc/$name\""
    done >edits
    PATH=$PATH:/usr/sbin:/sbin debugfs -w -f edits guest.raw >/dev/null 2>&1
    "$program" --quiet diff --force -o root.cow root_fs.img guest.raw || fail "diff failed" || return
    rm guest.raw new.text edits
}

# A log of root.cow, made by hand, and so always the same.
prepare_recorded() {
    image=demo.log
    command -v python3 >/dev/null || skip "python3, which makes the log, is not installed" || return
    python3 "$here/../e2e/log.py" make demo.log root.cow "$PWD/root.cow" root_fs.img || fail "cannot make a log"
}

prepare_recorded-cut() { # ... whose last record is cut off, and whose image nobody finds
    prepare_recorded || return
    rm demo.log
    image=$'demo\e[31m.log'
    python3 "$here/../e2e/log.py" make "$image" root.cow $'/nowhere/root\e]0;x\a.cow' root_fs.img && truncate --size=-3 "$image"
}

# A disk with two ext filesystems and swap in partitions, in each filesystem a new file.
prepare_swap() { # all of the disk is swap
    command -v mkswap >/dev/null || skip "mkswap is not installed" || return
    rm root.cow && truncate -s 0 root_fs.img && truncate -s 64M root_fs.img &&
        mkswap -q root_fs.img && touch --date=@$backing_date root_fs.img &&
        "$program" --quiet create root.cow root_fs.img || fail "no image of a swap disk"
}

prepare_partitions() {
    local tool part start
    for tool in sfdisk mke2fs mkswap debugfs; do
        command -v $tool >/dev/null || skip "$tool is not installed" || return
    done
    (
        rm root.cow root_fs.img
        truncate -s 24M root_fs.img swap.part && truncate -s 4M swap.part && mkswap -q swap.part
        printf 'label: dos\nstart=2048,size=16384,type=83\nstart=18432,size=8192,type=82\nstart=26624,size=16384,type=83\n' | sfdisk -q root_fs.img
        dd if=swap.part of=root_fs.img bs=1M seek=9 conv=notrunc status=none
        cp root_fs.img guest.raw
        echo new >new.text
        for start in 1 13; do
            part=$start.part
            mke2fs -q -t ext2 -b 1024 -F $part 8M
            dd if=$part of=root_fs.img bs=1M seek=$start conv=notrunc status=none
            debugfs -w -R "mkdir /sub" $part && debugfs -w -R "write new.text /sub/new-$start" $part
            dd if=$part of=guest.raw bs=1M seek=$start conv=notrunc status=none
        done
    ) >/dev/null 2>&1
    touch --date=@$backing_date root_fs.img
    "$program" --quiet diff -o root.cow root_fs.img guest.raw || fail "diff failed" || return
    rm ./*.part guest.raw new.text
}

prepare_siblings() { # two other images on its backing file
    "$program" --quiet create lab2.cow root_fs.img && "$program" --quiet create lab3.cow root_fs.img || fail "cannot make other images"
}

prepare_siblings-in-use() {
    prepare_siblings && prepare_in-use lab2.cow
}

prepare_siblings-unaligned() {
    prepare_unaligned && prepare_siblings
}

prepare_family-grown() { # all three as one change
    prepare_siblings && { "$program" --quiet --yes resize --family root.cow 128M || fail "cannot grow the family"; }
}

prepare_family-interrupted() { # while the new image is in the making, and the journal is for all three
    prepare_siblings && interrupt fsync back --family
}

prepare_family() { # besides: one of another size, one whose change was interrupted, one broken
    local name
    for name in another marked broken; do
        cp --sparse=always root.cow $name.cow || fail "cannot copy the image" || return
    done
    "$program" --quiet resize --policy keep --yes another.cow 128M && "$program" --quiet undo --yes --discard another.cow || fail "cannot grow" || return
    printf '\377\377\377\377\377\377\377\377' | dd of=marked.cow bs=1 seek=12 conv=notrunc status=none
    printf '\0\0\0\0' | dd of=broken.cow bs=1 seek=24 conv=notrunc status=none
}

# A directory to choose from: the family, one that somebody uses, one whose name a terminal would obey, one that is cut
# off, and a qcow2 of 1 GiB.
prepare_list() {
    prepare_family && prepare_in-use another.cow || return
    image=.
    cp --sparse=always root.cow "$(printf 'evil \033[31m\302\233name.cow')" && printf OOOM >cut.cow || return
    { printf 'QFI\373\0\0\0\3' && head -c 16 /dev/zero && printf '\0\0\0\0\100\0\0\0' && head -c 4096 /dev/zero; } >vm.qcow2
}

prepare_long-list() { # forty of them, which only their names tell apart
    local n
    head -c 24576 root.cow >vm.seed && truncate --size=67133440 vm.seed && mkdir lab || return
    for ((n = 10; n < 50; n++)); do ln vm.seed lab/vm$n.cow || return; done
    image=lab
}

prepare_empty-list() {
    mkdir empty && image=empty
}

# No image: the tour makes its own, in a directory that is told where.
prepare_tour() {
    image=--tour
    mkdir tmp && export TMPDIR=$PWD/tmp
}

prepare_holes-no-backing() {
    prepare_holes && prepare_no-backing
}

prepare_holes-in-use() {
    prepare_holes && prepare_in-use
}

holder=
prepare_in-use() { # [IMAGE]
    local n
    command -v python3 >/dev/null || skip "python3, which holds the lock, is not installed" || return
    python3 -c 'import fcntl, signal, sys
image = open(sys.argv[1], "r+b")
fcntl.lockf(image, fcntl.LOCK_EX)
open("locked", "w").close()
signal.pause()' "${1:-root.cow}" &
    holder=$!
    for ((n = 0; n < $(turns 100); n++)); do
        if [ -e locked ]; then
            rm locked
            return
        fi
        sleep 0.1 # between two looks
    done
    fail "the lock is not held"
}

release() {
    if [ -n "$holder" ]; then
        kill "$holder"
        wait "$holder" 2>/dev/null
        holder=
    fi
}

# --- meanwhile: what somebody else does when the image has been read, and before the first key ---

meanwhile_grown() { # a guest writes behind all that is there, and leaves the lock
    printf more >>root.cow
}

meanwhile_replaced() {
    mv root.cow old.cow && cp --preserve=timestamps,mode old.cow root.cow
}

meanwhile_gone() {
    mv root.cow old.cow
}

meanwhile_backing-written() {
    touch --date=@$((backing_date + 60)) root_fs.img
}

# What a guest does that is followed: each time that the script dumps a screen to a FIFO go1, go2... it does something, and
# then lets the script dump another one to done1, done2...
at_each_turn() { # COMMAND...: for each turn
    local n=0 each
    for each; do
        n=$((n + 1))
        timeout 60 cat go$n >go$n.screen && $each && timeout 60 cat done$n >done$n.screen || break
    done >/dev/null 2>&1 & # whom a script that has failed leaves waiting holds nobody up
}

make_turns() { # HOW MANY
    local n
    for ((n = 1; n <= $1; n++)); do mkfifo go$n done$n || return; done
}

dirty_bits() { # OCTETS OF_THE_BITMAP AT: all their sectors become dirty
    head -c "$1" /dev/zero | tr '\0' '\377' | dd of=root.cow bs=1 seek=$(($(json bitmap_offset) + $2)) conv=notrunc status=none
}

meanwhile_followed() { # 512 sectors from 60000 on, and a page elsewhere
    make_turns 2 && at_each_turn 'dirty_bits 64 7500' 'dirty_bits 1 12001'
}

meanwhile_followed-to-its-end() {
    make_turns 2 && at_each_turn 'dirty_bits 64 7500' meanwhile_replaced
}

# The program opens its script when it has read the image, and so waits there for whoever writes it.
play() { # MEANWHILE SCRIPT
    rm -f case.fifo && mkfifo case.fifo || return
    { exec 3>case.fifo && "meanwhile_$1" && cat "$2" >&3; } &
}

# --- check: what a script that changes files must have made ---

json() { # FIELD of `info --json`, which need not be a JSON parser's work here
    "$program" info --json root.cow | tr -d ' \n' | grep -o "\"$1\":[^,}]*" | head -n 1 | cut -d : -f 2-
}

content_stays() { # the first bytes of the composed disk are what they were, the rest is zero; $1 is its size
    "$program" -q merge -o composed.raw root.cow || fail "merge failed" || return
    [ "$(head -c $disk_bytes composed.raw | sum)" = $composed ] || fail "the disk's content changed" || return
    [ "$(stat -c %s composed.raw)" = "$1" ] || fail "the composed disk has another size" || return
    tail -c +$((disk_bytes + 1)) composed.raw | cmp -s -n $(($1 - disk_bytes)) - /dev/zero || fail "the new part is not zero"
}

backing_stays() { # its first bytes and its date; $1 is its size
    cmp -s -n $disk_bytes root_fs.img "$fresh/root_fs.img" || fail "the backing file changed" || return
    [ "$(stat -c %Y root_fs.img)" = $backing_date ] || fail "the backing file's date changed" || return
    [ "$(stat -c %s root_fs.img)" = "$1" ] || fail "the backing file's size is $(stat -c %s root_fs.img)"
}

only_left() { # NAME...: beside the image and its backing files
    local extra
    extra=$(find . -type f ! -name 'root*' ! -name 'case.script' ! -name 'screens*' ! -name composed.raw -printf '%f\n' | sort | xargs)
    [ "$extra" = "$*" ] || fail "left beside the image: \"$extra\", not \"$*\""
}

info_says() { # SIZE OPENS
    [ "$(json size_bytes) $(json opens)" = "$1 $2" ] || fail "info does not agree"
}

undo=.root.cow.cowtui-undo

check_unchanged() {
    same_as "$before"
}

check_extended() {
    info_says 134217728 true && backing_stays 134217728 && content_stays 134217728 && only_left $undo
}

# A filesystem that has another size: clean, with the same files.
fs_is() { # BYTES BACKING_BYTES
    info_says "$1" true && backing_stays "$2" || return
    "$program" --quiet merge -o composed.raw root.cow || fail "merge failed" || return
    e2fsck -fn composed.raw >fsck.out 2>&1 || fail "e2fsck: $(tail -n 1 fsck.out)" || return
    [ "$(dumpe2fs -h composed.raw 2>/dev/null | sed -n 's/^Block count: *//p;s/^Block size: *//p' | paste -sd '*' | bc)" = "$1" ] ||
        fail "the filesystem has another size" || return
    [ "$(debugfs -R 'cat /etc/hostname' composed.raw 2>/dev/null)" = guest42 ] || fail "a file is another one" || return
    rm fsck.out
}

check_fs-grown() {
    fs_is 134217728 134217728 && only_left $undo
}

check_fs-shrunk() {
    fs_is 33554432 $disk_bytes && only_left $undo
}

check_copied() {
    info_says 134217728 true || return
    [ "$(stat -c %s root.cow.backing)" = 134217728 ] || fail "no private copy of the right size" || return
    backing_stays $disk_bytes && content_stays 134217728 && only_left $undo
}

check_kept() {
    info_says 134217728 false && backing_stays $disk_bytes && content_stays 134217728 && only_left $undo
}

check_header-grown() {
    info_says 201326592 true && backing_stays 201326592 && content_stays 201326592 && only_left $undo || return
    cmp -s -i 2097152 -n 134217728 "$before/root.cow" root.cow || fail "the data did not stay where it was"
}

family_undo='.lab2.cow.cowtui-undo .lab3.cow.cowtui-undo'
family_images='lab2.cow lab3.cow'

check_family-grown() { # all three, and what undoes it for each and for all
    local image
    info_says 134217728 true && backing_stays 134217728 && content_stays 134217728 || return
    for image in $family_images; do
        [ "$("$program" info --json $image | tr -d ' \n' | grep -o '"size_bytes":[0-9]*' | head -n 1)" = '"size_bytes":134217728' ] ||
            fail "$image has another size" || return
    done
    only_left $family_undo $undo .root_fs.img.cowtui-family-undo $family_images
}

check_family-moved() { # within the file: nothing of it is kept but the journal
    check_family-grown && [ "$(json can_grow_to_bytes)" = 68719476736 ] || fail "it can grow to $(json can_grow_to_bytes)"
}

check_family-old() {
    cmp -s root.cow "$fresh/root.cow" || fail "root.cow is not what it was" || return
    backing_stays $disk_bytes && only_left $family_images || return
    "$program" --quiet create another.cow root_fs.img && cmp another.cow lab2.cow && cmp another.cow lab3.cow ||
        fail "the others are not what they were"
}

check_family-old-unaligned() {
    cmp -s "$before/root.cow" root.cow && cmp -s "$before/lab2.cow" lab2.cow && cmp -s "$before/lab3.cow" lab3.cow ||
        fail "not all are what they were" || return
    backing_stays $disk_bytes && only_left $family_images
}

check_moved() { # the data where the new layout has it, and the room of 64 GiB before it
    info_says 134217728 true && backing_stays 134217728 && content_stays 134217728 && only_left $undo || return
    [ "$(json can_grow_to_bytes)" = 68719476736 ] || fail "it can grow to $(json can_grow_to_bytes)"
}

check_inserted() {
    check_moved
}

check_moved-undone() { # the same bytes as before; its date is the header's
    cmp -s "$before/root.cow" root.cow || fail "root.cow is not what it was" || return
    backing_stays $disk_bytes && only_left
}

check_unaligned-as-it-was() {
    check_moved-undone
}

check_shrunk() { # the long backing file stays as it is
    info_says $disk_bytes true || return
    [ "$(stat -c %s root.cow.backing)" = $disk_bytes ] || fail "no private copy of the right size" || return
    backing_stays 134217728 && content_stays $disk_bytes && only_left $undo
}

check_unmounted() {
    rmdir mnt "$before/mnt" && same_as "$before"
}

check_undone() { # byte for byte, dates included
    same_as "$before" && only_left
}

check_any() { # what somebody else did to the files
    true
}

check_discarded() {
    same_as "$before" && only_left
}

check_recovered-back() {
    same_as "$fresh" && only_left
}

check_renamed() { # the header names the file that was found
    info_says $disk_bytes true || return
    [ "$(json path)" = "\"$PWD/root_fs.old\"" ] || fail "the path is $(json path)"
}

check_mended-on-old() { # over the file that was named, which stays as it is; the header names the one that is gone
    [ "$(json path)" = "\"root_fs.img\"" ] || fail "the path is $(json path)" || return
    cmp -s root_fs.old "$fresh/root_fs.img" || fail "the backing file changed" || return
    "$program" -q merge -b root_fs.old -o composed.raw root.cow || fail "merge failed" || return
    [ "$(sum <composed.raw)" = $composed ] || fail "the disk's content changed"
}

check_mended() { # mixed pages completed and what is redundant dropped
    info_says $disk_bytes true && backing_stays $disk_bytes && content_stays $disk_bytes && only_left $undo || return
    [ "$(json dirty_sectors)" = 1616 ] || fail "it has $(json dirty_sectors) dirty sectors"
}

check_mended-elsewhere() { # the header names the file where it is now
    [ "$(json path)" = "\"$PWD/lab/base.img\"" ] && [ "$(json opens)" = true ] || fail "the path is $(json path)" || return
    cmp -s lab/base.img "$fresh/root_fs.img" && [ "$(stat -c %Y lab/base.img)" = $backing_date ] || fail "the backing file changed" || return
    content_stays $disk_bytes
}

check_compacted() { # what the backing file has as well is dropped, a page at a time
    backing_stays $disk_bytes && content_stays $disk_bytes && only_left $undo || return
    [ "$(json dirty_sectors)" = 536 ] || fail "it has $(json dirty_sectors) dirty sectors"
}

check_edited() { # the backing file's path is absolute now
    info_says $disk_bytes true && backing_stays $disk_bytes && content_stays $disk_bytes && only_left $undo || return
    [ "$(json path)" = "\"$PWD/root_fs.img\"" ] || fail "the path is $(json path)"
}

check_converted-merged() { # two new files, and nothing else has changed
    [ "$(sum <new.raw)" = $composed ] || fail "the raw disk is another one" || return
    "$program" --quiet merge -o again.raw new.cow && cmp -s new.raw again.raw || fail "the new image shows another disk" || return
    only_left again.raw new.cow new.raw && check_unchanged
}

check_forced() { # the raw disk that was there is an image now
    "$program" --quiet merge -o again.raw new.raw && [ "$(sum <again.raw)" = $composed ] || fail "the new image shows another disk" || return
    only_left again.raw new.raw && check_unchanged
}

check_qcow2() { # the whole disk, and what is dirty over the backing file
    qemu-img convert -f qcow2 -O raw new.qcow2 whole.raw && qemu-img convert -f qcow2 -O raw over.qcow2 over.raw || fail "it cannot be read" || return
    [ "$(sum <whole.raw)" = $composed ] && [ "$(sum <over.raw)" = $composed ] || fail "a disk is another one" || return
    only_left new.qcow2 over.qcow2 over.raw whole.raw && check_unchanged
}

check_extracted() { # two new files, and nothing else has changed
    [ "$(cat new.txt)" = guest42 ] || fail "the guest's version is another one" || return
    [ "$(cat old.txt)" = "# hostname of the base image" ] || fail "the backing file's version is another one" || return
    only_left new.txt old.txt && check_unchanged
}

check_exported() { # what was on the map is in the pictures, by the bitmap; nothing else was made
    local one png=''
    command -v python3 >/dev/null || skip "python3, which reads the pictures, is not installed" || return
    if [ -e scan.png ]; then
        png=png=scan.png
    else # a program without libpng has said so
        grep -q 'built without libpng' screens* || fail "no PNG" || return
    fi
    for one in whole.svg part.svg "scan.svg scan=root_fs.img $png"; do
        # shellcheck disable=SC2086 # words
        set -- $one
        python3 -ES "$here/../e2e/picture.py" "$1" root.cow "${@:2}" >said 2>&1 || fail "$1: $(head -n 3 said)" || return
    done
    python3 -ES "$here/../e2e/picture.py" curve.svg root.cow curved=part.svg >said 2>&1 || fail "curve.svg: $(cat said)" || return
    rm said hard.svg
    only_left curve.svg part.svg scan.png scan.svg whole.svg && check_unchanged
}

prepare_linked() { # another name of the image
    ln root.cow hard.svg
}

check_merged-in-place() {
    [ "$(sum <root_fs.img)" = $composed ] || fail "the backing file is not what the guest saw" || return
    [ "$(json dirty_sectors) $(json opens)" = "0 true" ] || fail "the image does not fit it"
}

check_tour() { # it has left nothing
    rmdir tmp "$before/tmp" || fail "left behind: $(ls -A tmp)" || return
    check_unchanged
}

check_pictures() {
    local picture
    for picture in map.svg blocks.svg; do
        grep -q '^<svg xmlns=' $picture && grep -q '^</svg>$' $picture || fail "$picture is no picture" || return
        [ "$(grep -c 'textLength' $picture)" -gt 20 ] || fail "$picture has no text" || return
        if command -v xmllint >/dev/null; then
            xmllint --noout $picture || fail "$picture is no XML" || return
        fi
    done
    check_unchanged
}

# --- running ---

header() { # FIELD SCRIPT: the rest of a "# FIELD: ..." line
    sed -n "s/^# $1: //p" "$2" | head -n 1
}

# What differs from run to run: the directory, how many bytes a sparse file takes, and a process number with the
# blanks that it moves.
normalise() {
    sed -E -e "s|$work|/tmp/cowtui.DIRECTORY_|g" -e "s|${work#/tmp}|/cowtui.DIRECTORY_|g" -e 's/cowtui-nbd-[A-Za-z0-9]{6}/cowtui-nbd-SOCKET/g' \
        -e 's/cowtui-tour-[A-Za-z0-9]{6}/cowtui-tour-MADEUP/g' -e 's/(a hole: it|disk.cow) takes [0-9.]+ [KM]iB/\1 takes SOME MiB/' \
        -e 's/^.*on its disk.*allocated.*$/(what the file takes on its disk)/' \
        -e 's/takes [0-9.]+ KiB \(/takes NNN KiB (/' \
        -e 's/gets the date [-0-9]+ [0-9:]+/gets the date DATE/' \
        -e 's/(old image|undo data) \([0-9]{3} /\1 (NNN /' -e 's/(old image|undo data) \([0-9.]{4} /\1 (SIZE /' \
        -e 's/^(│|[|])( free +)[0-9.]+ [KMGT]iB +[0-9.]+ [KMGT]iB.*$/\1\2(how much there is)/' \
        -e '/pid [0-9]+/{s/pid [0-9]+/pid N/g;s/  +/ /g}' -e '/in use by [0-9]+/{s/in use by [0-9]+/in use by N/g;s/  +/ /g}' |
        sed -zE -e 's/(file takes|, now)([ │┃|#\n]+)[0-9]{3}([ │┃|#\n]+)KiB/\1\2NNN\3KiB/g' \
            -e 's/(file takes|, now)([ │┃|#\n]+)[0-9.]{4}([ │┃|#\n]+)(K|M)iB/\1\2SIZE\3\4iB/g'
}

# A task in at most six keys, beyond names, sizes (what its line "typed" has) and the word yes.
in_six_keys() { # SCRIPT
    local names keys typed
    names=$(sed -n 's/^# typed: *//p' "$1")
    keys=$(sed -n 's/^key //p' "$1" | wc -w)
    typed=$(sed -n 's/^type //p' "$1" | grep -vxF -e yes ${names:+-e "$names"})
    [ "$keys" -le 6 ] || fail "that are $keys keys" || return
    [ -z "$typed" ] || fail "\"$typed\" is neither a name, nor a size, nor yes"
}

run_case() { # SCRIPT SCREEN, in a fresh directory
    local script=$1 screen=$2 prepare check size golden options=() image=root.cow before code played meanwhile
    prepare=$(header prepare "$script")
    check=$(header check "$script")
    size=${screen%-ascii}
    golden=$here/golden/$(basename "$script" .script)-$screen.txt
    read -ra options < <(header options "$script")
    [ "$size" = "$screen" ] || options+=(--ascii)
    if grep -q '^# typed:' "$script"; then in_six_keys "$script" || return; fi
    cp --sparse=never --preserve=timestamps,mode "$fresh"/root* . || fail "cannot copy the image" || return
    before=$fresh
    tools=
    unset TMPDIR
    if [ -n "$prepare" ]; then
        "prepare_$prepare" || return
        before=$work/before
        rm -rf "$before"
        cp --recursive --preserve=timestamps . "$before"
    fi
    sed "1s/.*/size $size/" "$script" >case.script # the same line numbers
    played=case.script
    meanwhile=$(header meanwhile "$script")
    if [ -n "$meanwhile" ]; then
        played=case.fifo
        play "$meanwhile" case.script || fail "cannot play the script" || return
    fi
    PATH=${tools:+$tools:}$PATH "$program" "${options[@]}" --script $played "$image" >screens 2>screens.err </dev/null
    code=$?
    release
    normalise <screens >screens.txt
    [ $code -eq 0 ] || fail "exit code $code: $(grep -m 1 'case.script\|cowtui:\|a promise' screens.err)" || return
    [ ! -s screens.err ] || fail "on standard error: $(head -n 1 screens.err)" || return
    "check_${check:-unchanged}" || return
    compare "$golden"
}

# Golden screens do only where the filesystem of the disk becomes another one, for what its programs write is estimated.
says_about() { # FILE
    grep -qE '(needs|takes) +about ' "$1"
}

compare() {
    if [ "${UPDATE:-}" = 1 ]; then
        if [ -s screens.txt ]; then cp screens.txt "$1"; else rm -f "$1"; fi
        return
    fi
    if [ ! -e "$1" ] && [ ! -s screens.txt ]; then
        return
    fi
    if ! says_about "$1" && says_about screens.txt; then # src/core/base/io.h, counts_blocks
        skip_elsewhere "of room the screens say about: they are not compared"
        return
    fi
    diff -u "$1" screens.txt >screens.diff || fail "the screens differ from golden/$(basename "$1")"
}

failed=0
fresh=$work/fresh # the image of the demo, as unpacked
mkdir "$fresh"
tar --extract --sparse --no-same-owner --directory "$fresh" --file "$archive" || exit 2
mkdir -p "$here/golden"
number=0
for script in "$here"/scripts/*.script; do
    number=$((number + 1))
    [ $((number % ${share#* of })) -eq $((${share% of *} % ${share#* of })) ] || continue
    for screen in $(header screens "$script"); do
        [ "${LEVEL:-test}" != check ] || [ "$screen" = 80x24 ] || continue # the quickest set: one size
        wanted "$(basename "$script" .script) $screen" || continue
        directory=$work/case
        mkdir "$directory"
        cd "$directory" || exit 2
        why=
        run_case "$script" "$screen"
        case $? in
        0)
            echo "ok $(basename "$script" .script) $screen"
            ;;
        77)
            echo "skip $(basename "$script" .script) $screen: $why"
            ;;
        *)
            echo "FAIL $(basename "$script" .script) $screen: $why"
            if [ -s screens.diff ]; then head -n 60 screens.diff; else head -n 70 screens.err; fi
            failed=$((failed + 1))
            ;;
        esac
        cd "$work" || exit 2
        rm -rf "$directory"
    done
done
[ $failed -eq 0 ]

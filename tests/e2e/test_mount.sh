#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# mount: the disk as a file, a filesystem on it, how it ends, and what it leaves: nothing. (Trees that are copied in are
# in tests/serve.)
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/served.sh
. "$here/served.sh"

can_mount()
{
    can_serve
    needs nbdfuse
    [ -r /dev/fuse ] && [ -w /dev/fuse ] || skip "/dev/fuse may not be used here"
    mkdir m
    trap 'kill $server $second_server 2>/dev/null; wait; ! mountpoint -q m || umount -l m' EXIT
}

# mounted OPTIONS... IMAGE: at ./m.
mounted()
{
    begun first mount "$@" m
}

unmount()
{
    if [ "$(id -u)" = 0 ]; then umount m; else fusermount3 -u m; fi || die "m cannot be unmounted"
}

# By a signal, or by being unmounted.
ends_by() # signal|unmount
{
    if [ "$1" = signal ]; then kill "$server"; else unmount; fi
    ended 0
    [ -z "$(ls m)" ] || die "it is still mounted"
}

# g.cow on g.img, with a filesystem and files on it.
guest_disk()
{
    needs mkfs.ext4
    truncate -s 8M g.img
    mkfs.ext4 -q -F -d "$here" g.img || die "mkfs.ext4"
    touch -d '2003-04-05 06:07:08 UTC' g.img
    run 0 create -q g.cow g.img
}

as_a_file()
{
    local how
    can_mount
    small
    run 0 merge -q -o merged.raw x.cow
    freeze x.cow b.img
    for how in signal unmount; do
        mounted x.cow
        eq "$PWD/m/nbd" "$(cat out)" "what it prints"
        cmp merged.raw m/nbd || die "another disk"
        ! { echo x >m/nbd; } 2>/dev/null || die "it can be written to"
        ends_by $how
    done
    mounted --json x.cow
    eq "mount $PWD/m/nbd null" "$(json '"\(.operation) \(.path) \(.uri)"')" json
    ends_by signal
    unchanged "a mount"
}

written()
{
    local how
    can_mount
    small
    for how in signal unmount; do
        mounted --write -y x.cow
        has "cannot be taken back" said
        printf %s "$how" | dd of=m/nbd bs=1 seek=5000 conv=notrunc status=none || die "dd"
        ends_by $how
        run 0 merge -q -f -o merged.raw x.cow
        eq "$how" "$(dd if=merged.raw bs=1 skip=5000 count=${#how} status=none)" "what was written"
    done
    run 0 check --quick x.cow
}

filesystem()
{
    local how
    can_mount
    needs fuse2fs
    guest_disk
    freeze g.cow g.img
    for how in signal unmount; do
        mounted --fs g.cow
        eq "$PWD/m" "$(cat out)" "what it prints"
        diff -rq "$here" m | grep -v 'lost+found\|__pycache__' && die "other files"
        ! touch m/new 2>/dev/null || die "it can be written to"
        ends_by $how
    done
    unchanged "a mount"
    mounted --write -y --fs g.cow
    echo new >m/new || die "it cannot be written to"
    rm m/lib.sh || die "nothing can be removed"
    ends_by unmount
    run 0 merge -q -o merged.raw g.cow
    e2fsck -fn merged.raw >fsck.out 2>&1 || die "e2fsck: $(tail -n 3 fsck.out)"
    eq new "$(debugfs -R 'cat new' merged.raw 2>/dev/null)" "the new file"
    mounted --fs g.cow
    [ -e m/new ] && [ ! -e m/lib.sh ] || die "other files than were written"
    ends_by unmount
}

# What a guest left with a journal to be replayed: it is read as it stands, and not replayed.
journal()
{
    can_mount
    needs fuse2fs
    guest_disk
    debugfs -w -R 'ssv state 0' g.img >/dev/null 2>&1
    debugfs -w -R 'feature needs_recovery' g.img >/dev/null 2>&1
    touch -d '2003-04-05 06:07:08 UTC' g.img
    freeze g.cow g.img
    mounted --fs g.cow
    [ -e m/lib.sh ] || die "no files"
    ends_by signal
    unchanged "a mount"
}

partitions()
{
    can_mount
    needs fuse2fs
    needs sfdisk
    guest_disk
    truncate -s 24M p.img
    printf '2048,8192\n16384,16384\n' | sfdisk -q p.img || die sfdisk
    dd if=g.img of=p.img bs=1M seek=8 conv=notrunc status=none
    run 0 create -q p.cow p.img
    run 0 mount -n --partition 2 p.cow m
    has "partition 2, ext4" out
    mounted --partition 2 p.cow
    [ -e m/lib.sh ] || die "no files"
    ends_by unmount
    mounted --fs p.cow # the only one
    [ -e m/lib.sh ] || die "no files"
    ends_by unmount
    run 2 mount --partition 3 p.cow m
    has "no partition 3" err
    run 2 mount --partition x p.cow m
    run 2 mount --partition 2 --fs p.cow m
    mounted --write -y --partition 2 p.cow
    echo more >m/more
    ends_by signal
    run 0 files --extract /more -o - p.cow
    eq more "$(cat out)" "the new file"
    eq "$(sha g.img)" "$(dd if=p.img bs=1M skip=8 count=8 status=none | sha256sum | cut -d ' ' -f 1)" "the backing file"
}

# Where no program mounts it, the kernel does, for root.
by_kernel()
{
    can_mount
    [ "$(id -u)" = 0 ] || skip "only root mounts by the kernel"
    guest_disk
    mkdir loop
    mount -o loop,ro,noload g.img loop 2>/dev/null && umount loop || skip "no loop devices here"
    hidden nbdkit nbdfuse mount
    freeze g.cow g.img
    for how in signal unmount; do
        COWTUI=$PWD/hidden begun first mount --fs g.cow m
        [ -e m/lib.sh ] || die "no files"
        ends_by $how
    done
    unchanged "a mount"
}

bad_directories()
{
    can_mount
    small
    freeze x.cow b.img
    run 2 mount x.cow nowhere
    echo precious >file
    run 2 mount x.cow file
    has "not a directory" err
    mkdir full && touch full/a
    run 2 mount x.cow full
    has "not empty" err
    run 2 mount x.cow ''
    mounted x.cow
    mkdir other
    run 2 mount x.cow m
    has "mounted there already" err
    ends_by signal
    run 2 mount x.cow
    run 2 mount --socket s x.cow m
    run 2 mount --fs x.cow m
    has "no filesystem" err
    run 3 mount --write x.cow m
    run 0 mount -n --write x.cow m
    unchanged "what is refused"
}

# Whoever is killed: nothing stays; and what somebody else left is told.
killed_any()
{
    local who
    can_mount
    needs fuse2fs
    guest_disk
    cp --sparse=always g.cow whole.cow
    for who in cowtui nbdkit nbdfuse fuse2fs; do
        cp --sparse=always whole.cow g.cow # fuse2fs, which has no journal, can have been cut off in the middle
        mounted --write -y --fs g.cow
        echo "$who" >"m/$who"
        case $who in
        cowtui)
            kill -9 "$server"
            wait "$server" 2>/dev/null
            gone_soon
            ;;
        *)
            kill -9 "$(pgrep -P "$(pgrep -P "$server")" -x $who)"
            ended 2
            ;;
        esac
        left_nothing
        [ -z "$(ls m)" ] || die "$who was killed: it is still mounted"
        [ -n "$(run 0 merge -q -f -o merged.raw g.cow && e2fsck -fy merged.raw >/dev/null 2>&1; echo $?)" ] || die merge
    done
}

stale()
{
    can_mount
    small
    begun first serve x.cow
    nbdfuse -P pid m "$(cat out)" &
    nbdfuse=$!
    for _ in $(seq "$(turns 100)"); do
        [ ! -s pid ] || break
        sleep 0.1
    done
    kill -9 $nbdfuse
    wait $nbdfuse 2>/dev/null
    run 2 mount x.cow m
    has "fusermount3 -u m" err
    umount -l m || fusermount3 -u m || die umount
    ends 0
}

missing()
{
    can_mount
    guest_disk
    hidden nbdkit
    COWTUI=$PWD/hidden run 63 mount g.cow m
    has "Debian package libnbd-bin" err
    hidden nbdfuse fusermount3
    COWTUI=$PWD/hidden run 63 mount g.cow m
    has "Debian package nbdkit" err
    hidden nbdkit nbdfuse fusermount3
    COWTUI=$PWD/hidden run 63 mount --fs g.cow m
    [ "$(id -u)" = 0 ] || has "Debian package fuse2fs" err
}

t "mount: as a file" as_a_file
t "mount: written to" written
t "mount: a filesystem" filesystem
t "mount: a journal" journal
t "mount: partitions" partitions
t "mount: by the kernel" by_kernel
t "mount: bad directories" bad_directories
t "mount: killed" killed_any
t "mount: stale" stale
t "mount: missing programs" missing

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What a filesystem does not keep: calls are made to answer as other filesystems do. (Real ones: tests/worlds.) What can be done
# another way is done so; what cannot is said before anything is written.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
PATH=$PATH:/usr/sbin:/sbin

may_trace()
{
    command -v strace >/dev/null || skip "strace is not installed"
    strace -qq -o /dev/null -e trace=none true 2>/dev/null || skip "strace may not trace here (ptrace is forbidden)"
    ! sanitized || skip "the leak checker cannot run under strace"
}

# without CODE CALLS=ERROR... -- ARGUMENTS...: as run, but for calls that fail.
without()
{
    local want=$1 code options=() calls=
    shift
    while [ "$1" != -- ]; do
        calls+=${calls:+,}${1%%=*}
        options+=(-e "inject=${1%%=*}:error=${1#*=}")
        shift
    done
    shift
    strace -qq -f -o /dev/null -e trace="$calls" "${options[@]}" "$COWTUI" "$@" >out 2>err
    code=$?
    judge "$want" "$code" 0 "$* without ${options[*]}"
}

copies_are_read_and_written()
{
    may_trace
    small
    sum=$(model compose x.cow uml-cow-v3 b.img)
    for error in EPERM EIO ETXTBSY EXDEV EINVAL ENOSYS EOPNOTSUPP; do
        without 0 copy_file_range=$error -- merge -q -f -o m.raw x.cow
        eq "$sum" "$(sha m.raw)" "the disk that is written where copy_file_range answers $error"
    done
    cp b.img was.img
    without 0 copy_file_range=EPERM -- merge --in-place -q -y x.cow
    eq "$sum" "$(sha b.img)" "merged in place"
    without 2 copy_file_range=EPERM pwrite64=ENOSPC -- merge -q -f -o m.raw x.cow # what is true stays an error
}
t "no copy_file_range" copies_are_read_and_written

directories_are_not_flushed()
{
    may_trace
    small
    mkdir bin
    # Only of the directory: an fsync of a file that fails is final.
    strace -qq -f -o calls -y -e trace=fsync "$COWTUI" resize -q -y --policy extend --reserve 1G x.cow 1M || die "resize"
    "$COWTUI" undo -q -y x.cow || die "undo"
    for command in "resize -y --policy extend --reserve 1G x.cow 1M" "create n.cow b.img"; do
        # shellcheck disable=SC2086 # words
        strace -qq -f -o /dev/null -P "$PWD" -e trace=fsync -e inject=fsync:error=EINVAL "$COWTUI" $command >out 2>err
        judge 0 $? 0 "$command"
        eq 1 "$(grep -c 'does not flush directories' err)" "how often it is said"
    done
    run 0 undo -q -y x.cow
    strace -qq -f -o /dev/null -P "$PWD" -e trace=fsync -e inject=fsync:error=EIO "$COWTUI" create -f n.cow b.img >out 2>err
    judge 2 $? 0 "a directory that cannot be flushed"
}
t "directories without fsync" directories_are_not_flushed

# FAT, CIFS, some of FUSE: no hard links, and no renaming without replacing.
neither_links_nor_noreplace()
{
    may_trace
    small
    lacks=("link,linkat=EPERM" "renameat2=EINVAL")
    without 0 "${lacks[@]}" -- create -q n.cow b.img
    without 3 "${lacks[@]}" -- create -q n.cow b.img
    has exists err
    without 0 "${lacks[@]}" -- merge -q -o m.raw x.cow
    eq "$(model compose x.cow uml-cow-v3 b.img)" "$(sha m.raw)" "the disk"
    rm n.cow m.raw
    freeze x.cow b.img
    without 3 "${lacks[@]}" -- resize --policy extend --reserve 1G x.cow 1M
    has "undo          none: this filesystem has no hard links" err
    hasnt "keep the old image" err
    unchanged "before the yes"
    eq "b.img x.cow " "$(names)" "files before the yes"
    without 0 "${lacks[@]}" -- resize -y --policy copy --reserve 1G x.cow 1M
    has "undo          none: this filesystem has no hard links" err
    eq "b.img x.cow x.cow.backing " "$(names)" "files"
    run 3 undo -y x.cow
    has "nothing to undo" err
}
t "no links, no renaming without replacing" neither_links_nor_noreplace

# What is written down in place needs no link.
undo_in_place_without_links()
{
    may_trace
    small
    before=$(state x.cow b.img)
    without 0 link,linkat=EPERM renameat2=EINVAL -- resize -y --policy extend x.cow 1M
    hasnt "no hard links" err
    back_again x.cow b.img
}
t "undo in place without links" undo_in_place_without_links

# A dry run is no trial.
a_dry_run_leaves_no_trace()
{
    may_trace
    small
    freeze x.cow b.img
    strace -qq -f -y -o calls -e trace=openat,link,linkat,unlink,rename,renameat2,utimensat,ftruncate,pwrite64 "$COWTUI" resize -n --policy copy x.cow 1M >/dev/null ||
        die "the plan"
    sed -i '/^[0-9]* *[a-z0-9]*([0-9]*<[^>]*memfd:/d' calls # that is no file
    ! grep -E 'O_CREAT|^[0-9]+ +(link|unlink|rename|utimens|ftruncate|pwrite)' calls >&2 || die "it writes: $(grep -m 1 O_CREAT calls)"
    unchanged "a dry run"
}
t "a dry run leaves no trace" a_dry_run_leaves_no_trace

no_locks()
{
    may_trace
    small
    # The first three ask whether the standard descriptors are open.
    freeze x.cow b.img
    for command in "resize -y --policy extend --reserve 1G x.cow 1M" "merge --in-place -y x.cow" "create n.cow b.img" "merge -o m.raw x.cow"; do
        # shellcheck disable=SC2086 # words
        without 2 fcntl=ENOLCK:when=4+ -- $command
        has "no locks" err
        has "copy the files to a local one" err
        unchanged "$command without locks"
        eq "b.img x.cow " "$(names)" "files after $command without locks"
    done
    without 0 fcntl=ENOLCK:when=4+ -- merge -q -f -o m.raw x.cow # --force goes on without one
    eq "$(model compose x.cow uml-cow-v3 b.img)" "$(sha m.raw)" "the disk"
}
t "no locks" no_locks

modes_that_cannot_be_set()
{
    may_trace
    small
    chmod 640 x.cow
    freeze x.cow b.img
    without 2 fchmod=EPERM -- resize -y --policy extend --reserve 1G x.cow 1M
    has "keeping the mode" err
    has "--force" err
    unchanged "a mode that cannot be kept"
    eq "b.img x.cow " "$(names)" files
    without 0 fchmod=EPERM -- resize -q -f -y --policy extend --reserve 1G x.cow 1M
    run 0 undo -q -y x.cow
    # A private backing file that only its owner can read is as good.
    chmod 600 x.cow
    without 0 fchmod=EPERM -- resize -q -y --policy copy:p.img --reserve 1G x.cow 1M
    eq 600 "$(stat -c %a p.img)" "its mode"
}
t "modes that cannot be set" modes_that_cannot_be_set

# ---- dates -------------------------------------------------------------------------------------------------

# A filesystem of its own, with inodes of 128 bytes: dates in seconds.
on_ext4_with_seconds()
{
    [ "$(id -u)" = 0 ] || skip "not root: nothing can be mounted"
    command -v mkfs.ext4 >/dev/null || skip "mkfs.ext4 is not installed"
    truncate -s 64M disk
    mkfs.ext4 -q -F -I 128 disk >mkfs.out 2>&1 || skip "mkfs.ext4 does not make inodes of 128 bytes: $(tail -n 1 mkfs.out)"
    mkdir m
    mount -o loop disk m 2>mount.err || skip "it cannot be mounted: $(tail -n 1 mount.err)"
    ( cd m && "$@" )
    code=$?
    umount m || umount -l m
    return $code
}

undo_with_seconds()
{
    small
    before=$(state x.cow b.img | sed 's/\.[0-9]\{9\}//')
    for policy in "extend x.cow 1M" "extend --reserve 1G x.cow 1M" "copy x.cow 1M" "copy --reserve 1G x.cow 1M"; do
        # shellcheck disable=SC2086 # words
        run 0 resize -q -y --policy $policy
        run 0 undo -q -y x.cow
        eq "$before" "$(state x.cow b.img | sed 's/\.[0-9]\{9\}//')" "what undo of $policy leaves"
        [ -z "$(find . -name '.*cowtui*')" ] || die "undo leaves $(find . -name '.*cowtui*')"
    done
}
t "undo where dates are in seconds" on_ext4_with_seconds undo_with_seconds

# A guest that writes in the second in which the change was made is noticed all the same.
a_write_in_the_same_second()
{
    for reserve in "" "--reserve 1G"; do
        small
        # shellcheck disable=SC2086 # words
        run 0 resize -q -y --policy extend $reserve x.cow 1M
        model poke x.cow 20000 41
        run 3 undo -y x.cow
        has "changed since" err
        run 0 undo --discard -q -y x.cow
        rm x.cow b.img
    done
}
t "a write in the same second" on_ext4_with_seconds a_write_in_the_same_second

# libfuse 2 does not set one date without the other, and does not tell.
both_dates_are_set()
{
    may_trace
    small
    touch -a -d '+1 minute' b.img # so that reading, which the plan does, does not date it (relatime)
    before=$(stat -c %x b.img)
    strace -qq -f -o calls -e trace=utimensat "$COWTUI" resize -q -y --policy extend x.cow 1M || die "resize"
    ! grep UTIME_OMIT calls >&2 || die "only one date is set"
    eq "$before" "$(stat -c %x b.img)" "when it was read"
}
t "both dates are set" both_dates_are_set

# ---- names -------------------------------------------------------------------------------------------------

long_names()
{
    small
    long=$(printf 'n%.0s' $(seq 251))
    one=${long%n}1.cow two=${long%n}2.cow
    mv x.cow "$one" 2>/dev/null || skip "this filesystem has no names of 255 bytes"
    cp "$one" "$two"
    freeze "$one" "$two" b.img
    run 0 resize -q -y --policy copy:1.img --reserve 1G "$one" 1M
    run 3 undo -y "$two"
    has "nothing to undo" err
    run 0 resize -q -y --policy copy:2.img --reserve 1G "$two" 1M
    run 0 undo -q -y "$one"
    run 0 undo -q -y "$two"
    unchanged "both undone"
    [ -z "$(find . -name '.*cowtui*')" ] || die "something is left: $(find . -name '.*cowtui*')"
    # 230 bytes are kept as they are.
    short=$(printf 'n%.0s' $(seq 226)).cow
    mv "$one" "$short"
    run 0 resize -q -y --policy copy:1.img --reserve 1G "$short" 1M
    [ -f ".$short.cowtui-undo" ] || die "another name for the undo data of a short name"
}
t "names that begin alike" long_names

names_that_are_too_long()
{
    may_trace
    small
    freeze x.cow b.img
    name=$PWD/.x.cow.cowtui-trial-file
    strace -qq -f -o /dev/null -P "$name" -e trace=openat -e inject=openat:error=ENAMETOOLONG "$COWTUI" resize -y --policy extend x.cow 1M >out 2>err
    judge 3 $? 0 "resize where names are short"
    has "too long" err
    unchanged "a name that is too long"
    eq "b.img x.cow " "$(names)" files
}
t "a name that is too long for this filesystem" names_that_are_too_long

# ---- in the way --------------------------------------------------------------------------------------------

directories_in_the_way()
{
    for what in new journal-new old journal undo; do
        for reserve in "" "--reserve 1G"; do
            rm -rf ./* ./.x*
            small
            mkdir ".x.cow.cowtui-$what"
            freeze x.cow b.img ".x.cow.cowtui-$what"
            # shellcheck disable=SC2086 # words
            run 3 resize -n --policy extend $reserve x.cow 1M
            # shellcheck disable=SC2086 # words
            run 3 resize -y --policy extend $reserve x.cow 1M
            [ "$what" = journal ] || has "cowtui-$what" err
            unchanged "a directory in the way ($what)"
            eq ".x.cow.cowtui-$what b.img x.cow " "$(names)" "files ($what)"
            rmdir ".x.cow.cowtui-$what"
            # shellcheck disable=SC2086 # words
            run 0 resize -q -y --policy extend $reserve x.cow 1M
        done
    done
}
t "a directory in the way of a side file" directories_in_the_way

strangers_in_the_way()
{
    [ "$(id -u)" = 0 ] || skip "not root: no file of somebody else can be made"
    for what in new journal-new old undo; do
        rm -f ./* ./.x*
        small
        echo precious >".x.cow.cowtui-$what"
        chown 12345 ".x.cow.cowtui-$what"
        freeze x.cow b.img ".x.cow.cowtui-$what"
        run 3 resize -y --policy extend --reserve 1G x.cow 1M
        has "cowtui-$what" err
        has 12345 err
        unchanged "somebody else's file in the way ($what)"
    done
    chown 12345 x.cow # the image's owner is nobody else
    run 0 resize -q -y --policy extend --reserve 1G x.cow 1M
}
t "somebody else's file in the way" strangers_in_the_way

# ---- room --------------------------------------------------------------------------------------------------

# One dirty sector a page over holes takes the page: that is known before the yes.
merge_counts_blocks()
{
    [ "$(id -u)" = 0 ] || skip "not root: nothing can be mounted"
    mkdir m
    mount -t tmpfs -o size=4m worlds m 2>mount.err || skip "it cannot be mounted: $(tail -n 1 mount.err)"
    ( cd m && merge_into_little )
    code=$?
    umount m || umount -l m
    return $code
}

merge_into_little()
{
    truncate -s 1M b.img
    touch -d '2003-04-05 06:07:08 UTC' b.img
    model make x.cow b.img 4096 "$(seq -s , 8 8 2040)"
    run 0 merge --in-place -n --json x.cow
    [ "$(json .needs_free_bytes)" -ge $((255 * 4096)) ] || die "it needs more than $(json .needs_free_bytes) bytes"
    free=$(df --output=avail -B 1 . | tail -n 1)
    head -c $((free - 400 * 1024)) /dev/zero >filler
    freeze x.cow b.img
    run 2 merge --in-place x.cow # without --yes: it does not come to the question
    has "not enough space" err
    run 2 merge --in-place -y x.cow
    has "not enough space" err
    unchanged "a merge without room"
    rm filler
    sum=$(model compose x.cow uml-cow-v3 b.img)
    run 0 merge --in-place -q -y x.cow
    eq "$sum" "$(sha b.img)" "merged"
}
t "merge --in-place counts blocks" merge_counts_blocks

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What the system refuses in the middle of it all: locks of others, a full disk, a limit, a directory or a file of
# somebody else. Nothing is lost, and the word is clear.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# ---- somebody else has it open -----------------------------------------------------------------------------

# With its pid and within a second, whatever is to be changed.
held_image()
{
    small
    run 0 resize -q -y --policy extend x.cow 1M
    hold write x.cow
    sanitized || limit 1000
    freeze x.cow b.img .x.cow.cowtui-undo
    for command in "resize --policy extend x.cow 2M" "resize --policy copy x.cow 32M" "resize --policy keep x.cow 2M" \
        "resize --shrink x.cow 64K" "resize --policy copy -o y.cow x.cow 2M" "undo x.cow" "undo --discard x.cow"; do
        # shellcheck disable=SC2086 # words
        run 4 -y -f $command
        has "in use by pid $holder" err
        unchanged "$command of an image in use"
        eq ".x.cow.cowtui-undo b.img x.cow " "$(names)" "files after $command"
    done
    run 0 info --json x.cow
    eq "$holder" "$(json .in_use.pid)" "who uses it, by info"
    run 0 resize -n --policy extend x.cow 2M
    has "$holder" out
    let_go
    run 0 resize -q -y --policy extend x.cow 2M
}

# A guest on another image of the same backing file reads it: only extend writes to that.
held_backing()
{
    small
    hold read b.img
    sanitized || limit 1000
    freeze x.cow b.img
    for size in 1M 32M; do
        run 4 resize -y -f --policy extend x.cow $size
        has "pid $holder" err
        has "backing file" err
        unchanged "extend of a backing file in use"
        eq "b.img x.cow " "$(names)" files
    done
    run 0 resize -q -y --policy copy x.cow 1M
    run 0 undo -q -y x.cow
    unchanged "copied and undone"
    let_go
    # Undo cuts the backing file, so it waits, too.
    run 0 resize -q -y --policy extend x.cow 1M
    hold read b.img
    freeze x.cow b.img .x.cow.cowtui-undo
    run 4 undo -y x.cow
    has "pid $holder" err
    unchanged "undo with a backing file in use"
    let_go
    run 0 undo -q -y x.cow
}

# Another cowtui tells no pid; a guest that was started with the c flag holds no lock at all.
held_otherwise()
{
    small
    freeze x.cow b.img
    hold ofd x.cow
    run 4 resize -y --policy extend x.cow 1M
    has "another process" err
    let_go
    hold open x.cow
    "$COWTUI" resize -y --policy extend x.cow 1M >out 2>err
    code=$?
    let_go
    [ $code != 0 ] || skip "the filesystem here has no leases"
    judge 4 $code 0 "resize of an image that is open elsewhere"
    has "holds no lock" err
    unchanged "an image in use"
    eq "b.img x.cow " "$(names)" files
}

# ---- no room -----------------------------------------------------------------------------------------------

# mounted SIZE COMMAND...: runs it in a new ext4 of that size.
mounted()
{
    local size=$1 code
    shift
    [ "$(id -u)" = 0 ] || skip "only root can mount"
    command -v mkfs.ext4 >/dev/null || skip "mkfs.ext4 is not installed"
    truncate -s "$size" disk && mkfs.ext4 -q -m 0 disk || skip "mkfs.ext4 does not work here"
    mkdir mnt
    mount -o loop disk mnt 2>mount.err || skip "no loop mounts here: $(tr '\n' ' ' <mount.err)"
    ( cd mnt && rmdir lost+found && "$@" )
    code=$?
    umount mnt
    return $code
}

# b.img and x.cow with so many MiB each that cost room.
fill() # MIB
{
    head -c "$1M" /dev/zero | tr '\0' 'b' >b.img
    touch -d '2003-04-05 06:07:08 UTC' b.img
    model make x.cow b.img 4096 "0-$(($1 * 2048 - 1))"
    sync -f .
}

free_bytes()
{
    df --output=avail -B1 . | tail -n 1 | tr -d ' '
}

# 8 MiB in the image, 8 in the backing file, 13 or so free: room for the one copy and for the other, but not for both,
# so that it is the kernel that says no, in the middle.
full_disk()
{
    local free
    fill 8
    freeze x.cow b.img
    free=$(free_bytes)
    [ "$free" -gt 9000000 ] && [ "$free" -lt 16000000 ] || die "$free bytes are free"
    run 2 resize -y --policy copy x.cow 32M
    has "No space left on device" err
    has "nothing has changed" err
    unchanged "no room"
    eq "b.img x.cow " "$(names)" files
    sync -f .
    [ "$(free_bytes)" -ge $((free - 65536)) ] || die "$(free_bytes) bytes are free afterwards, not $free"
    run 0 info --json x.cow
    eq "true null" "$(json '"\(.uml.opens) \(.pending)"')" "would UML open it, and pending"
    run 0 resize -q -y --policy extend x.cow 32M
    run 0 undo -q -y x.cow
    unchanged "grown and undone"
}

# No room from the start is told before anything is written; where moving the data would do, with that way.
fuller_disk()
{
    fill 8
    head -c 12M /dev/urandom >junk
    freeze x.cow b.img
    for policy in extend copy keep; do
        case $policy in copy) code=2 ;; *) code=3 ;; esac # a copy of the backing file has no room either way
        run $code resize -y --policy $policy x.cow 32M
        has "not enough space" err
        [ $code = 2 ] || has "--in-place moves" err
        unchanged "no room"
        eq "b.img junk x.cow " "$(names)" files
    done
    run 0 resize -q -y --policy extend --in-place x.cow 32M
    run 0 undo -q -y x.cow
    unchanged "moved where there is no room for a copy, and back"
    rm junk
    run 0 resize -q -y --policy extend x.cow 32M
}

to_the_last_block()
{
    local n
    mkdir junk
    head -c 64M /dev/zero >junk/a 2>/dev/null
    for n in $(seq 2000); do
        { echo x >junk/"$n"; } 2>/dev/null || break
    done
}

# Not a block is free: not even the journal has room.
fullest_disk()
{
    small
    freeze x.cow b.img
    to_the_last_block
    for size in 1M 32M; do
        for policy in extend copy keep; do
            "$COWTUI" resize -y --policy $policy x.cow $size >/dev/null 2>"$case_dir/err"
            eq 2 $? "exit code without a free block"
            has "space" "$case_dir/err"
            unchanged "without a free block"
        done
    done
    rm -r junk
    eq "b.img x.cow " "$(names)" files
    run 0 resize -q -y --policy extend x.cow 1M
    cp x.cow b.img .x.cow.cowtui-undo "$case_dir"
    freeze x.cow b.img .x.cow.cowtui-undo
    to_the_last_block
    "$COWTUI" undo -y x.cow >/dev/null 2>"$case_dir/err"
    eq 2 $? "exit code of undo without a free block"
    has "space" "$case_dir/err"
    rm -r junk
    unchanged "undo without a free block"
    run 0 undo -q -y x.cow
}

# A limit of so many KiB for each file: at the new image, at the backing file, at the private one.
limited()
{
    small
    freeze x.cow b.img
    for case in "extend 32M 1024" "copy 32M 1024" "keep 32M 1024" "extend 32M 34000" "extend 1M 512" "copy 1M 512" "keep 1M 512" \
        "extend 1M 1030"; do
        read -r policy size limit <<<"$case"
        "$COWTUI" resize -n --policy "$policy" x.cow "$size" >out 2>err
        (
            ulimit -f "$limit"
            exec "$COWTUI" resize -y --policy "$policy" x.cow "$size"
        ) >out 2>err
        code=$?
        if [ "$code" = 0 ] && [ "$limit" -gt 1024 ]; then # it was enough
            run 0 undo -q -y x.cow
        else
            judge 2 $code 0 "resize --policy $policy to $size under a limit of $limit KiB"
            has "File too large" err
        fi
        unchanged "a limit ($case)"
        eq "b.img x.cow " "$(names)" "files ($case)"
    done
    run 0 info --json x.cow
    eq "true null" "$(json '"\(.uml.opens) \(.pending)"')" "would UML open it, and pending"
}

# ---- somebody else's ---------------------------------------------------------------------------------------

nobody=65534

# The binary, as a user who is not root.
as_nobody() # CODE ARGUMENTS...
{
    local want=$1
    shift
    "${as_them[@]}" "$program" "$@" >"$case_dir/out" 2>"$case_dir/err"
    code=$?
    (cd "$case_dir" && judge "$want" $code 0 "$* as another user") || exit 1
}

# A directory "mine" of that user, with b.img and x.cow in it; we go there.
in_their_directory()
{
    [ "$(id -u)" = 0 ] || skip "only root can give files to somebody else"
    another_user $nobody
    in_a_directory
    chown -R $nobody:$nobody .
}

in_a_directory()
{
    mkdir mine
    cd mine || exit 1
    small
}

# Who is not root is stopped as another user is.
read_only_directory()
{
    if [ "$(id -u)" = 0 ]; then in_their_directory; else in_a_directory; fi
    chmod 555 .
    freeze x.cow b.img
    for size in 1M 32M; do
        for policy in extend copy keep; do
            as_nobody 2 resize -y --policy $policy x.cow $size
            has "Permission denied" "$case_dir/err"
            unchanged "a directory that cannot be written"
            eq "b.img x.cow " "$(names)" files
        done
    done
    chmod 755 .
    as_nobody 0 resize -q -y --policy extend x.cow 1M
    freeze x.cow b.img .x.cow.cowtui-undo
    chmod 555 .
    as_nobody 2 undo -y x.cow
    has "Permission denied" "$case_dir/err"
    unchanged "undo in a directory that cannot be written"
    chmod 755 .
    as_nobody 0 undo -q -y x.cow
}

# Files that may not be written at all.
read_only_files()
{
    in_their_directory
    chown 0:0 x.cow && chmod 644 x.cow
    freeze x.cow b.img
    for size in 1M 32M; do
        for policy in extend copy keep; do
            as_nobody 2 resize -y --policy $policy x.cow $size
            has "Permission denied" "$case_dir/err"
            unchanged "an image of somebody else"
        done
    done
    as_nobody 0 resize -q -y --policy copy -o y.cow x.cow 1M # leaves it alone
    unchanged "-o"
    rm y.cow*
    chown $nobody:$nobody x.cow
    chown 0:0 b.img
    freeze x.cow b.img
    for size in 1M 32M; do
        as_nobody 2 resize -y --policy extend x.cow $size
        has "b.img" "$case_dir/err"
        has "--policy copy" "$case_dir/err"
        unchanged "a backing file of somebody else"
        eq "b.img x.cow " "$(names)" files
        as_nobody 0 resize -q -y --policy copy x.cow $size
        as_nobody 0 undo -q -y x.cow
        unchanged "copied and undone"
    done
}

# Files of somebody else that may be written, but whose owner and date cannot be kept.
writable_files()
{
    in_their_directory
    chown 0:0 x.cow && chmod 666 x.cow
    freeze x.cow b.img
    for size in 1M 32M; do
        for policy in extend copy keep; do
            as_nobody 2 resize -y --policy $policy x.cow $size
            grep -qE 'owner|belongs|not permitted' "$case_dir/err" || die "no clear word: $(tail -n 2 "$case_dir/err")"
            unchanged "an image of somebody else that may be written"
            eq "b.img x.cow " "$(names)" files
        done
    done
    chown $nobody:$nobody x.cow
    chown 0:0 b.img && chmod 666 b.img
    freeze x.cow b.img
    for size in 1M 32M; do
        as_nobody 2 resize -y --policy extend x.cow $size
        has "b.img" "$case_dir/err"
        unchanged "a backing file of somebody else that may be written"
        eq "b.img x.cow " "$(names)" files
    done
}

# Not by force either, for undo could not put the date back; but a new file is theirs.
forced_owner()
{
    in_their_directory
    chown 0:0 x.cow && chmod 666 x.cow
    freeze x.cow b.img
    as_nobody 2 resize -y -f --policy copy x.cow 32M
    has "somebody else" "$case_dir/err"
    has "-o FILE" "$case_dir/err"
    as_nobody 0 resize -q --policy copy -o y.cow x.cow 32M
    unchanged "-o"
    eq $nobody "$(stat -c %u y.cow)" owner
    as_nobody 0 info --json y.cow
    eq "33554432 true" "$(jq -r '"\(.size_bytes) \(.uml.opens)"' "$case_dir/out")" "size, and would UML open it"
}

t "trouble: image in use" held_image
t "trouble: backing file in use" held_backing
t "trouble: another lock, or none" held_otherwise
t "trouble: the disk gets full" mounted 36M full_disk
t "trouble: the disk is too full" mounted 36M fuller_disk
t "trouble: not a block is free" mounted 8M fullest_disk
t "trouble: a limit for files" limited
t "trouble: read-only directory" read_only_directory
t "trouble: read-only files" read_only_files
t "trouble: files of somebody else" writable_files
t "trouble: files of somebody else, forced" forced_owner

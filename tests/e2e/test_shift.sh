#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# resize --in-place: the data moves within the file. What is asked wrongly, what the plan says, what a half-moved image
# answers to each command, alone and while somebody moves it, and both ways out of it.
# (A crash at every call is what tests/crash does.)
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

samples
disk_bytes=41943040 new_bytes=83886080

# x.cow on b.img: 40 MiB with a few sectors at the beginning, in the middle and at the end, and a run that lies across
# the end of a piece. Its data does not begin where a block does, so it is moved, in three pieces, on each filesystem.
wide()
{
    truncate -s "$disk_bytes" b.img
    printf 'backing' | dd of=b.img bs=1M seek=30 conv=notrunc status=none
    touch -d '2003-04-05 06:07:08 UTC' b.img
    model make x.cow b.img 512 0-15,31744-37887,40960-40975,81904-81919
    sum=$(model compose x.cow uml-cow-v3 b.img)
}

# Stopped when the last piece, and the one before it, have been moved.
half()
{
    local n
    wide
    {
        printf '%s\n' 'size 80x24' 'key r' 'type 80M' 'key Enter f Enter Right Enter Enter' 'type yes'
        for ((n = 0; n < 7; n++)); do echo 'during wait'; done
        printf '%s\n' 'during key Esc' 'key Enter' 'expect Stopped half way'
    } >../half.script
    run 0 --script ../half.script x.cow
    rm ../half.script
    eq ".x.cow.cowtui-move .x.cow.cowtui-position b.img x.cow " "$(names)" "files of a half-moved image"
}

wrong()
{
    wide
    freeze x.cow b.img
    run 2 resize --policy keep --in-place -o y.cow -y x.cow 80M
    has "-o writes a new file" err
    run 2 resize --policy keep --method moved -o y.cow -y x.cow 80M
    run 2 resize --policy extend --in-place --method copy -y x.cow 80M
    has "--method copy writes a new file" err
    run 2 resize --policy copy --shrink --in-place -y x.cow 20M
    has "without --in-place" err
    run 2 resize --policy extend --method nonsense -y x.cow 80M
    has "copy, header, inserted or moved" err
    run 2 resize --policy extend --in-place -y x.cow
    has "SIZE may be left out" err
    run 2 resize --policy extend --reserve 1G -y x.cow
    run 2 resize --policy extend --in-place --reserve 1M -y x.cow 80M
    run 63 resize --policy extend --method inserted -y x.cow 80M
    has "--method moved" err
    run 3 resize --policy extend --method header -y x.cow 80M
    has "--in-place" err
    run 2 recover --forward --back x.cow
    run 2 merge --forward -o raw x.cow
    run 3 recover --forward x.cow
    has "nothing to recover" err
    run 3 resize --policy extend --in-place x.cow 80M
    has "--yes" err
    unchanged "wrong use"
    eq "b.img x.cow " "$(names)" files
}

# What is no v3 with sectors of 512 bytes is written anew by a copy, or not at all.
variants()
{
    sample v2-1m-24.cow "$(of v2-1m-24.cow backing_file)"
    freeze v2-1m-24.cow
    run 63 resize --policy keep --in-place -y -b "$(of v2-1m-24.cow backing_file)" v2-1m-24.cow 64M
    has "convert --to v3" err
    unchanged "an old variant"
}

plan()
{
    wide
    freeze x.cow b.img
    run 0 resize --policy extend --in-place -n --json x.cow 80M
    good_json
    eq moved "$(json .method)" method
    eq "$(json '[.steps[] | select(.kind == "shift-data") | .bytes][0]')" "$(json .writes_bytes)" "bytes of the step"
    eq "$(json .moves_bytes)" "$(json .writes_bytes)" "bytes that are moved"
    [ "$(json .moves_bytes)" -ge 3170304 ] || die "it moves $(json .moves_bytes) bytes"
    [ "$(json .needs_free_bytes)" -gt 0 ] || die "it needs no space"
    eq "lock check-space journal mark shift-data write-bits extend-backing write-header clear-up end-journal" \
        "$(json '[.steps[].kind] | join(" ")')" steps
    run 0 resize --policy extend --in-place -n x.cow 80M
    has "of data within the file, from its end to its beginning; needs" out
    has "recover" out
    has "--in-place" out
    run 0 resize --policy extend -n --json x.cow 80M
    eq copy "$(json .method)" "method without --in-place"
    run 0 resize --policy extend --in-place --reserve 1T -n --json x.cow
    eq moved "$(json .method)" "method of room alone"
    [ "$(json .can_grow_to_bytes)" -ge 1099511627776 ] || die "it can grow to $(json .can_grow_to_bytes)"
    unchanged "a plan"
}

room()
{
    wide
    run 0 info --json x.cow
    eq 41943040 "$(json .can_grow_to_bytes)" "room of an image that has none"
    run 0 info x.cow
    has "before its data has to move" out
    run 0 resize -q -y --policy extend --in-place x.cow 80M
    run 0 info --json x.cow
    eq 68719476736 "$(json .can_grow_to_bytes)" "room of an image that was moved"
    run 0 resize --policy extend -n --json x.cow 60G
    eq header "$(json .method)" "method of growing within that"
    eq "$sum" "$(model_of_old)" "the disk, moved"
    run 0 undo -q -y x.cow
    eq "$sum" "$(model compose x.cow uml-cow-v3 b.img)" "the disk, moved back"
    sample v2-1m-24.cow
    run 0 info --json v2-1m-24.cow
    eq null "$(json .can_grow_to_bytes)" "room of an old variant"
}

# The old part of the grown disk.
model_of_old()
{
    run 0 merge -f -o raw x.cow
    eq "$new_bytes" "$(stat -c %s raw)" "size of the disk"
    cmp -n $((new_bytes - disk_bytes)) -i "$disk_bytes:0" raw /dev/zero >&2 || die "the new part is not zero"
    sha raw "$disk_bytes"
    rm raw
}

looked_at()
{
    half
    freeze x.cow b.img .x.cow.cowtui-move .x.cow.cowtui-position
    run 0 info x.cow
    has "interrupted half way" out
    has "40.0 MiB" out
    hasnt "can grow" out
    run 0 info --json x.cow
    eq "$disk_bytes false null" "$(json '"\(.size_bytes) \(.uml.opens) \(.can_grow_to_bytes)"')" "what info says"
    run 0 map --json x.cow
    eq 3170304 "$(json '[.[] | select(.origin == "cow") | .length] | add')" "bytes in the COW"
    run 0 map --scan x.cow
    run 0 merge -o raw x.cow
    eq "$sum" "$(sha raw)" "the disk of a half-moved image"
    rm raw
    run 1 check --json x.cow
    eq true "$(json '[.findings[].code] | index("interrupted") != null and index("file-long") == null')" findings
    run 0 family b.img
    has "half way" out
    for words in "resize --policy extend -y x.cow 160M" "resize --policy extend --in-place -y x.cow 160M" "undo -y x.cow" \
        "undo --discard -y x.cow" "compact -y x.cow" "pages -y x.cow" "rebase --restamp -y x.cow" "convert --to v3 -o y.cow x.cow" \
        "merge --in-place -y x.cow"; do
        # shellcheck disable=SC2086 # it is words
        run 3 $words
        has "cowtui recover x.cow" err
    done
    for words in "create -f x.cow b.img" "diff -f -o x.cow b.img raw" "merge -f -o x.cow other.cow"; do
        [ -e other.cow ] || { run 0 create -q other.cow b.img && cp --sparse=always b.img raw; }
        # shellcheck disable=SC2086
        run 3 $words
        has "cowtui recover x.cow" err
    done
    rm other.cow raw
    run 0 recover -n --json x.cow
    eq "recover forward" "$(json '"\(.operation) \(.method)"')" "what recovery would do"
    forward=$(json .moves_bytes)
    run 0 recover -n --json --back x.cow
    eq back "$(json .method)" "the other way"
    [ "$forward" -gt 0 ] && [ "$forward" -lt "$(json .moves_bytes)" ] || die "forward moves $forward, back $(json .moves_bytes)"
    run 0 recover -n x.cow
    has "both ways are open" out
    has "within the file" out
    run 3 recover x.cow
    has "--yes" err
    unchanged "looking at a half-moved image"
}

# While somebody moves it.
locked()
{
    half
    freeze x.cow b.img .x.cow.cowtui-move .x.cow.cowtui-position
    hold "$1" x.cow
    for words in info "info --json" map "map --json" files check "merge -o raw" "convert --to v3 -o y.cow" "compact -y" "undo -y" \
        "recover -y" "recover --back -y" "resize --policy extend -y"; do
        # shellcheck disable=SC2086 # it is words
        case $words in resize*) run 4 $words x.cow 160M ;; *) run 4 $words x.cow ;; esac
        case $words in recover*) has "in use" err ;; *) has "at this moment" err ;; esac
    done
    run 4 info --json x.cow
    good_json
    eq "null null" "$(json '"\(.size_bytes) \(.layout)"')" "what info knows"
    let_go
    unchanged "what somebody moves"
    run 0 map x.cow
}

out_of_it()
{
    half
    run 0 recover -q -y --"$1" x.cow
    eq "$2" "$(names)" files
    if [ "$1" = back ]; then
        eq "$sum" "$(model compose x.cow uml-cow-v3 b.img)" "the disk, moved back"
        eq "$disk_bytes" "$(stat -c %s b.img)" "size of the backing file"
    else
        eq "$sum" "$(model_of_old)" "the disk, moved"
        run 0 undo -q -y x.cow
        eq "$sum" "$(model compose x.cow uml-cow-v3 b.img)" "the disk, moved and undone"
    fi
    eq "2003-04-05 06:07:08" "$(date -u -d "@$(stat -c %Y b.img)" '+%F %T')" "date of the backing file"
}

# Without the position file nobody knows where its data is: it is refused, and nothing else is tried.
lost()
{
    half
    mv .x.cow.cowtui-position away
    freeze x.cow b.img .x.cow.cowtui-move
    run 0 info x.cow
    has "unfinished" out
    run 5 map x.cow
    run 3 recover -y x.cow
    has "put that file back" err
    unchanged "an image whose position is lost"
    mv away .x.cow.cowtui-position
    run 0 recover -q -y x.cow
    eq "$sum" "$(model_of_old)" "the disk"
}

# Stopped by a signal: the exit code, how far it is, and what goes on.
stopped()
{
    wide
    can_trace
    # The leak sanitizer does not run under strace; the others do.
    ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" strace -f -qq -o /dev/null \
        -P "$(pwd -P)/.x.cow.cowtui-position" -e trace=pwrite64 \
        -e inject=pwrite64:signal=INT:when=3 "$COWTUI" resize -y --policy extend --in-place x.cow 80M >out 2>err
    eq 130 $? "exit code of a move that was stopped"
    has "stopped half way" err
    has "have their new place" err
    has "--back" err
    run 0 recover -q -y --back x.cow
    eq "$sum" "$(model compose x.cow uml-cow-v3 b.img)" "the disk, moved back"
}

t "shift: wrong uses" wrong
t "shift: old variants" variants
t "shift: the plan" plan
t "shift: room to grow" room
t "shift: half way, looked at" looked_at
t "shift: half way, while somebody moves it" locked ofd
t "shift: half way, forward" out_of_it forward ".x.cow.cowtui-undo b.img x.cow "
t "shift: half way, back" out_of_it back "b.img x.cow "
t "shift: half way, the position lost" lost
t "shift: stopped by a signal" stopped

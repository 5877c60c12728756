#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# serve: what a client is given, who is kept out and who is not, how it ends, and what it leaves: nothing. (What clients
# do at random, and what is there after a kill, is in tests/serve.)
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/served.sh
. "$here/served.sh"

# qemu-img's copy of what is served, and merge's, of every variant.
as_merge()
{
    local file backing named
    can_serve
    needs qemu-img
    samples
    for file in $(awk -F'\t' 'NR > 1 { print $1 }' "$root/tests/data/cow-variants.tsv"); do
        backing=$(of "$file" backing_file)
        sample "$file"
        named=()
        [ "$backing" = - ] || { sample "$backing" && named=(-b "$backing"); }
        run 0 merge -q -o merged.raw "${named[@]}" "$file"
        freeze "$file" "${named[@]:1}"
        served "${named[@]}" "$file"
        qemu-img convert -O raw "$uri" copied.raw || die "qemu-img convert of $file"
        cmp -n "$(stat -c %s merged.raw)" merged.raw copied.raw || # whole sectors are all that qemu-img knows
            die "$file: served is another disk than merged"
        if command -v nbdcopy >/dev/null; then
            rm copied.raw
            nbdcopy "$uri" copied.raw || die "nbdcopy of $file"
            cmp merged.raw copied.raw || die "$file: served is another disk than merged"
        fi
        ends 0
        unchanged "serving $file"
        rm merged.raw copied.raw
    done
}

# Holes of both files are told to a client, so that a copy stays small.
holes()
{
    can_serve
    needs nbdinfo
    truncate -s 1G b.img
    run 0 create -q x.cow b.img
    printf data | dd of=b.img bs=1 seek=500M conv=notrunc status=none
    run 0 rebase -q -y --restamp x.cow
    served x.cow
    nbdinfo --map "$uri" >map || die "nbdinfo --map"
    ends 0
    [ "$(awk '{ n[$3] += $2 } END { print (n[3] > 1073000000), (n[0] >= 512 && n[0] < 1048576) }' map)" = "1 1" ] ||
        die "holes are not told: $(tr '\n' ' ' <map)"
}

dry()
{
    can_serve
    small
    freeze x.cow b.img
    run 0 serve -n x.cow
    has "nobody is kept out" out
    run 0 serve -n --write x.cow
    has "cannot be taken back" out
    run 0 serve -n --write --json x.cow
    good_json
    eq "serve true 65536 false" "$(json '"\(.operation) \(.write) \(.size_bytes) \(.undo_becomes_void)"')" "what -n says"
    run 3 serve --write x.cow # no terminal
    has --yes err
    unchanged "a dry run"
    eq "b.img x.cow " "$(names)" files
}

# With undo data it is said that they become void; they do with the first write, and not before.
undo_becomes_void()
{
    can_serve
    needs qemu-io
    small
    run 0 resize -q -y --policy extend x.cow 1M
    run 0 serve -n --write --json x.cow
    eq true "$(json .undo_becomes_void)" "undo becomes void"
    served --write -y x.cow
    has "undo data become void" said
    ends 0
    freeze x.cow
    run 0 undo -n x.cow
    served --write -y x.cow
    run 4 undo -y x.cow
    qemu-io -f raw -c 'write 0 512' "$uri" >qemu.out || die "qemu-io: $(cat qemu.out)"
    ends 0
    run 3 undo -y x.cow
}

json_of_it()
{
    can_serve
    small
    served --json x.cow
    eq "serve false 65536 null" "$(json '"\(.operation) \(.write) \(.size_bytes) \(.in_use)"')" json
    eq "$uri" "$(json .uri)" uri
    ends 0
}

# Who reads locks nothing, and is kept out by nobody; who writes is alone.
locks()
{
    can_serve
    needs qemu-io
    small
    hold write x.cow
    served x.cow
    has "in use (process $holder)" said
    run 4 serve --write -y x.cow
    has "$holder" err
    let_go
    served2 --write -y x.cow # while another one reads
    run 4 serve --write -y x.cow
    run 4 resize -y --policy extend x.cow 1M
    run 4 compact -y x.cow
    run 4 pages -y x.cow
    run 4 merge -y --in-place x.cow
    run 0 info --json x.cow
    [ "$(json .in_use)" != null ] || die "info does not say that it is in use"
    ends2 0
    ends 0
    run 0 pages -q -y x.cow
}

# Only a v3 is written.
variants()
{
    local variant file
    can_serve
    samples
    for variant in uml-cow-v1 uml-cow-v2 qemu-cow; do
        file=$(awk -F'\t' -v v=$variant '$2 == v { print $1; exit }' "$root/tests/data/cow-variants.tsv")
        [ -n "$file" ] || die "no sample of $variant"
        sample "$file" "$(of "$file" backing_file)"
        freeze "$file"
        run 63 serve --write -y -b "$(of "$file" backing_file)" "$file"
        has convert err
        unchanged "serving $file for writing"
    done
}

once()
{
    can_serve
    needs nbdinfo
    small
    served --once x.cow
    eq 65536 "$(nbdinfo --size "$uri")" size
    ended 0
    served --once --write -y x.cow
    qemu-io -f raw -c 'write -P 1 0 4096' "$uri" >qemu.out || die "qemu-io: $(cat qemu.out)"
    ended 0
    eq 1 "$(model compose x.cow uml-cow-v3 b.img >/dev/null; run 0 merge -q -o m.raw x.cow; od -An -tu1 -N1 m.raw | tr -d ' ')" "first byte"
}

# Where the socket may be, and where not: said before anything else.
sockets()
{
    local long
    can_serve
    needs nbdinfo
    small
    freeze x.cow b.img
    long=$PWD/$(printf '%0120d' 0)
    run 2 serve --socket "$long" x.cow
    has "at most 107 bytes" err
    run 2 serve --socket "$PWD/$(printf '%0*d' $((107 - ${#PWD})) 0)" x.cow # one too many
    echo precious >there
    run 2 serve --socket there x.cow
    has "is there already" err
    run 2 serve --socket nowhere/s x.cow
    run 2 serve --socket '' x.cow
    mkdir directory
    run 2 serve --socket directory x.cow
    run 2 serve --socket directory/ x.cow
    "$PYTHON" -c 'import socket; s = socket.socket(socket.AF_UNIX); s.bind("left")'
    run 2 serve --socket left x.cow
    has "left by a crash" err
    eq precious "$(cat there)" "what was there"
    rm left
    served --socket 's %' x.cow
    [ -z "$(find 's %' -perm /022)" ] || die "others may connect: $(stat -c %a 's %')"
    eq 65536 "$(nbdinfo --size "$uri")" size
    run 2 serve --socket 's %' x.cow
    hasnt "left by a crash" err
    ends 0
    [ ! -e 's %' ] || die "the socket is left"
    unchanged "serving"
}

# Something is served from a path with all that a path may hold.
strange_names()
{
    can_serve
    needs nbdinfo
    small
    mkdir $'a=b c,\n%'
    mv x.cow $'a=b c,\n%/write=1'
    served -b b.img $'a=b c,\n%/write=1'
    eq 65536 "$(nbdinfo --size "$uri")" size
    ends 0
    cd $'a=b c,\n%' || die cd
    served -b ../b.img write=1
    nbdinfo "$uri" >info || die nbdinfo
    has "is_read_only: true" info
    ends 0
}

# Whoever of the two is killed: nothing stays.
killed_either()
{
    can_serve
    needs nbdinfo
    small
    served --write -y x.cow
    kill -9 "$(server_pid)"
    ended 2
    has "signal 9" said
    left_nothing
    served --write -y x.cow
    kill -9 "$server"
    wait "$server" 2>/dev/null
    gone_soon
    left_nothing
    run 0 pages -q -y x.cow # nobody has it locked
}

# The same of what lies below the backing file.
below_replaced()
{
    can_serve
    needs qemu-io
    small
    mv x.cow middle.cow
    model make top.cow middle.cow 4096 1
    served top.cow
    readable
    mv b.img away
    not_readable
    cp -p away b.img
    not_readable
    mv away b.img
    readable
    ends 0
}

# An image that is replaced, or cut, while it is served: EIO, and all is well when it is back.
replaced()
{
    local option
    can_serve
    needs qemu-io
    for option in '' '--write -y'; do
        rm -f ./*
        small
        # shellcheck disable=SC2086
        served $option x.cow
        readable
        mv x.cow aside
        not_readable
        cp -p aside x.cow
        not_readable
        mv aside x.cow
        readable
        cp -p x.cow saved
        mv b.img away
        not_readable
        cp -p away b.img
        not_readable
        mv away b.img
        readable
        truncate -s 100 b.img
        not_readable
        ends 0
    done
    small
    served x.cow
    readable
    truncate -s 20 x.cow
    not_readable
    cat saved >x.cow
    truncate -s 8192 x.cow
    not_readable
    ends 0
}

# What a guest writes while only we look.
a_guest_writes()
{
    can_serve
    needs qemu-io
    small
    served x.cow
    io "read -P 98 2048 512" || die "at first it is the backing file's"
    model poke x.cow $((12288 + 4 * 512)) "$(printf '07%.0s' {1..512})"
    model poke x.cow 8192 91
    io "read -P 7 2048 512" || die "what the guest wrote is not seen: $(cat qemu.out)"
    ends 0
}

missing()
{
    local tool
    can_serve
    small
    hidden
    COWTUI=$PWD/hidden run 63 serve x.cow
    has "nbdkit is not installed" err
    has "Debian package nbdkit" err
    mkdir alone
    cp "$COWTUI" alone/cowtui
    COWTUI=$PWD/alone/cowtui run 63 serve x.cow
    has "nbdkit-plugin-dev" err
    rm -r hidden alone
    eq "b.img x.cow " "$(names)" files
}

wrong_use()
{
    can_serve
    small
    run 2 serve
    run 2 serve x.cow y.cow
    run 2 serve --fs x.cow
    run 2 serve --no-backing x.cow
    run 2 info --write x.cow
    run 2 serve nowhere.cow
    run 63 serve b.img
    run 2 serve -b nowhere.img x.cow
    mv b.img c.img
    run 2 serve x.cow
    run 2 serve --write -y x.cow
    mv c.img b.img
    touch .x.cow.cowtui-journal
    run 3 serve --write -y x.cow
    rm .x.cow.cowtui-journal
    model poke x.cow 12 ffffffffffffffff
    run 5 serve x.cow
}

t "serve: as merge" as_merge
t "serve: holes" holes
t "serve: -n" dry
t "serve: undo" undo_becomes_void
t "serve: json" json_of_it
t "serve: locks" locks
t "serve: variants" variants
t "serve: once" once
t "serve: sockets" sockets
t "serve: strange names" strange_names
t "serve: killed" killed_either
t "serve: replaced, cut, gone" replaced
t "serve: a COW on a COW, one below is replaced" below_replaced
t "serve: a guest writes" a_guest_writes
t "serve: missing programs" missing
t "serve: wrong use" wrong_use

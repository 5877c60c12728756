#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# list: what a directory holds, a line each; files that are named; what is no COW image, by name; and what stops
# nothing.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# The names of the last run's lines, as the program has them.
listed()
{
    tail -n +2 out | cut -c 53- | sed -E 's/ on .*|: .*//' | tr '\n' ' '
}

a_directory()
{
    small
    cp --preserve=all x.cow a.cow
    printf OOOM >cut.cow
    echo 'a text' >text
    mkdir below && cp x.cow below
    freeze x.cow a.cow b.img cut.cow text
    run 1 list
    eq "a.cow cut.cow x.cow " "$(listed)" "what is listed"
    has "cut.cow: header: cut off after 4 bytes" out
    has "1 of 3 listed is no COW image that opens" err
    rm cut.cow
    run 0 list
    eq 'uml-cow-v3        64.0 KiB   3.9%  opens         -  x.cow on '"$PWD/b.img" "$(tail -n 1 out)" "the line of x.cow"
    [ ! -s err ] || die "it says $(cat err)"
    run 0 list .
    eq "a.cow x.cow " "$(listed)" "by the name of the directory"
    run 0 list below "$PWD/below/"
    eq "below/x.cow $PWD/below/x.cow " "$(listed)" "two places"
    frozen_files=(x.cow a.cow b.img text) frozen=$(state x.cow a.cow b.img text)
    run 0 list --no-backing
    has "x.cow on $PWD/b.img (not opened)" out
    unchanged "listing"
    "$COWTUI" </dev/null >without 2>err || die "without arguments and a terminal: $?"
    run 0 list
    cmp without out || die "without a terminal it is not the list"
    "$COWTUI" below </dev/null >without || die "a directory without a terminal: $?"
    run 0 list below
    cmp without out || die "a directory without a terminal is not its list"
}

as_json()
{
    small
    printf OOOM >cut.cow
    run 1 list --json
    good_json
    eq 2 "$(json length)" "how many"
    eq "cut.cow x.cow" "$(json 'map(.path) | join(" ")')" paths
    eq "uml-cow-v3 65536 2560 $PWD/b.img true true null null null" \
        "$(json '.[1] | "\(.format) \(.size_bytes) \(.dirty_bytes) \(.backing.path) \(.backing.found) \(.uml.opens) \(.in_use) \(.pending) \(.error)"')" "the image"
    eq "null null null null" "$(json '.[0] | "\(.format) \(.size_bytes) \(.uml) \(.backing)"')" "the broken one"
    has "cut off after 4 bytes" out
    mkdir empty
    run 0 list --json empty
    good_json
    eq 0 "$(json length)" "of an empty directory"
    run 0 list empty
    [ ! -s out ] || die "an empty directory has $(cat out)"
    has "no COW image is there" err
    run 0 -q list empty
    [ ! -s err ] || die "-q says $(cat err)"
    run 2 list --json nowhere x.cow
    good_json
    eq 1 "$(json length)" "beside a place that is not there"
    has "nowhere: No such file" err
}

# A change that was interrupted, a backing file that is gone, or touched, and somebody who uses it.
states()
{
    local other
    small
    cp --preserve=all x.cow marked.cow
    model poke marked.cow 12 ffffffffffffffff
    cp --preserve=all x.cow journal.cow
    touch .journal.cow.cowtui-journal
    hold write x.cow
    run 0 list
    let_go
    has "$holder  x.cow" out
    has "marked.cow on $PWD/b.img: an interrupted change left this file unfinished" out
    has "no kernel opens it; Size mismatch" out
    has "journal.cow on $PWD/b.img: a change of this image was interrupted" out
    touch b.img
    run 0 list x.cow
    has "refuses" out
    has "mtime mismatch" out
    rm b.img
    run 0 list x.cow
    has "x.cow on $PWD/b.img (not found): Couldn't stat" out
    other=$(printf 'a\033[31m\n\302\233b')
    cp x.cow "$other"
    run 0 list
    has 'a\x1b[31m\x0a' out
    run 0 list --json
    good_json
}

# Whatever it is, a file that is named is told.
named_files()
{
    small
    echo text >text
    : >empty
    mkfifo fifo
    run 0 list x.cow
    run 1 list x.cow text empty b.img
    eq "x.cow text empty b.img " "$(listed)" "as they are named"
    has "text: not a COW image: it does not begin with the magic" out
    has "empty: not a COW image: the file is empty" out
    has "3 of 4 listed are no COW image" err
    run 2 list x.cow fifo nowhere
    has "fifo: a FIFO, not a regular file" err
    has "nowhere: No such file" err
    eq "x.cow fifo " "$(listed)" "beside what is not there"
}

# Somebody else's files stop nothing.
closed_files()
{
    [ "$(id -u)" = 0 ] || skip "only root can be another user"
    another_user 65534
    small
    cp x.cow closed.cow
    chmod 600 closed.cow
    chmod 644 x.cow b.img
    "${as_them[@]}" "$program" list >out 2>err || die "exit code $?"
    eq "x.cow " "$(listed)" "what may be read"
    has "1 file may not be read and is left out: closed.cow" err
    "${as_them[@]}" "$program" list closed.cow >out 2>err
    eq 2 $? "exit code of a closed file that is named"
}

# One line each for thousands, before a second has gone; each with another date than the backing file has.
thousands()
{
    local n begin ms
    small
    touch b.img
    mkdir lab
    for n in {0001..2000}; do echo "lab/$n.cow"; done >names
    xargs -n 500 sh -c 'for name; do ln x.cow "$name" || exit; done' sh <names || die "no links"
    begin=${EPOCHREALTIME//[!0-9]/}
    run 0 list lab
    ms=$(((${EPOCHREALTIME//[!0-9]/} - begin) / 1000))
    eq 2001 "$(wc -l <out)" lines
    [ "$ms" -le "$(turns 4000)" ] || die "2000 images took $ms ms"
    run 0 list --json lab
    eq 2000 "$(json length)" entries
}

# It is there before all are looked at: who has seen enough stops it.
as_found()
{
    local n first
    small
    mkdir lab
    for n in {1..300}; do ln x.cow "lab/$n.cow"; done
    mkfifo pipe
    "$COWTUI" list lab >pipe 2>err &
    n=$!
    exec 3<pipe
    IFS= read -r _ <&3 && IFS= read -r first <&3 || die "nothing comes"
    exec 3<&-
    wait "$n"
    code=$?
    [ "$code" = 0 ] || [ "$code" = 141 ] || die "exit code $code: $(cat err)"
    [[ $first == *lab/1.cow* ]] || die "the first line is $first"
    can_trace
    ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 strace -qq -o trace -e trace=openat,open,write "$COWTUI" list lab >out || die "it fails under strace"
    [ "$(grep -n 'write(1,' trace | cut -d : -f 1 | sed -n 2p)" -lt "$(grep -n 'lab/100\.cow' trace | cut -d : -f 1 | head -n 1)" ] ||
        die "a line comes after the next file was opened"
}

# Opened as an image, each of them is said by name, with what helps; and that does.
other_formats()
{
    local tool
    small
    head -c 65536 /dev/zero >zeros.img
    for tool in gzip xz zstd bzip2; do
        command -v "$tool" >/dev/null || continue
        "$tool" -c x.cow >"it's x.cow.packed" || die "$tool"
        touch -d '2004-01-01' "it's x.cow.packed"
        run 63 info "it's x.cow.packed"
        has "compressed by $tool" err
        has "$tool -dc 'it'\''s x.cow.packed'" err
        rm -f NEW
        sed -n 's/^ *unpack it first[^:]*: //p' err >do.sh
        sh -e do.sh || die "what it says does not work: $(cat do.sh)"
        cmp NEW x.cow || die "unpacked it is another one"
        [ "$(stat -c %Y NEW)" = "$(stat -c %Y "it's x.cow.packed")" ] || die "its date is another one"
        run 0 list # of a directory it is no disk
        hasnt packed out
        rm NEW "it's x.cow.packed"
    done
    if command -v mkfs.ext4 >/dev/null; then
        truncate -s 4M disk.img && mkfs.ext4 -q disk.img || die "mkfs.ext4"
        run 63 check disk.img
        has "disk.img: not a COW image: a raw disk with an ext4 filesystem" err
        has "cowtui family disk.img" err
        run 0 list
        has "raw               4.00 MiB      -  -             -  disk.img: not a COW image: a raw disk" out
        run 63 --script /dev/null disk.img
        has "an ext4 filesystem" err
    fi
    if command -v qemu-img >/dev/null; then
        qemu-img create -q -f qcow2 d.qcow2 1G && qemu-img create -q -f vmdk d.vmdk 2G && qemu-img create -q -f vdi d.vdi 3G &&
            qemu-img create -q -f vhdx d.vhdx 4G && qemu-img create -q -f vpc d.vhd 1G || die "qemu-img"
        run 63 info d.qcow2
        has "a qcow2 image, version" err
        has "cowtui create --from d.qcow2" err
        run 0 list --json
        eq "qcow2 vdi vhd vhdx vmdk" "$(json 'map(select(.path | startswith("d."))) | map(.format) | sort | join(" ")')" formats
        eq "1073741824 2147483648 3221225472" \
            "$(json 'map(select(.format == ("qcow2", "vmdk", "vdi"))) | map(.size_bytes) | sort | map(tostring) | join(" ")')" sizes
    fi
    printf OOOM >short
    run 5 info short
    has "short: header: cut off after 4 bytes" err
}

# On the screen: alone, and of another directory; an image is opened without a look at what it names.
chosen()
{
    small
    mkdir below
    mv x.cow below
    rm b.img
    printf 'wait\nexpect No COW image is here\nkey q\nexpect not read\n' >script
    run 0 --script script
    printf 'wait\nexpect b.img (not found)\nkey Enter\nexpect Map\nkey q q\n' >script
    run 0 --script script below
    printf 'wait\nexpect b.img (not opened)\nkey Enter\nexpect (not opened)\n' >script
    run 0 --script script --no-backing below/
    printf 'wait\nkey Enter\nexpect Map\nexpect nothing like it\n' >script
    run 2 --script script below
    has 'the screen lacks "nothing like it"' err
    run 2 --script script --theme nonsense below
    run 2 --script nowhere below
    run 2 --json below
}

# The command that was meant, and the option.
did_you_mean()
{
    small
    run 2 infoo
    has 'did you mean "info"?' err
    run 2 infoo --json
    has 'did you mean "info"?' err
    run 2 rezise x.cow 1M
    has 'did you mean "resize"?' err
    run 2 help fmaily
    has 'did you mean "family"?' err
    run 2 nothing-like-it
    hasnt "did you mean" err
    run 2 info --jsno x.cow
    has "did you mean --json?" err
    run 2 resize --resreve=1G x.cow 1M
    has "did you mean --reserve?" err
    run 2 resize --fo x.cow 1M
    has "--force" err
    has "--forward" err
    run 2 info --json=yes x.cow
    has "takes no argument" err
    run 2 info --nothing-like-it x.cow
    hasnt "did you mean" err
    run 0 help info
    cp out saved
    run 0 info --help
    cmp saved out || die "help info is not info --help"
    run 0 help
    cp out saved
    run 0 --help
    cmp saved out || die "help is not --help"
}

limit_is_said()
{
    truncate -s 8T b8.img 2>/dev/null || skip "no file of 8 TiB can be made here"
    run 3 create z.cow b8.img
    has "less than 8 TiB" err
}

t "list: a directory" a_directory
t "list: JSON" as_json
t "list: what is wrong, and who uses it" states
t "list: files that are named" named_files
t "list: files that may not be read" closed_files
t "list: two thousand" thousands
t "list: as it is found" as_found
t "list: other formats" other_formats
t "list: chosen from" chosen
t "list: did you mean" did_you_mean
t "list: less than 8 TiB" limit_is_said

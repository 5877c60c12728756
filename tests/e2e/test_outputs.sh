#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Where an output goes: standard output, a block device, through a symbolic link; and what is said where nobody reads
# what is printed.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# piped CODE READER ARGUMENTS...: cowtui into a pipe that the shell command READER reads.
piped()
{
    local want=$1 reader=$2 code
    shift 2
    { "$COWTUI" "$@" 2>err; echo $? >code; } | bash -c "$reader" >out
    code=$(cat code)
    rm code
    [ "$code" = "$want" ] || die "$*: exit $code instead of $want: $(head -n 2 err | tr '\n' ' ')"
}

# One of some size: x.cow on b.img, of 8 MiB, with data throughout.
larger()
{
    head -c 8M /dev/urandom >b.img
    touch -d '2003-04-05 06:07:08 UTC' b.img
    model make x.cow b.img 4096 0,7-9,127,8000-9000,16383
}

to_standard_output()
{
    larger
    want=$(model compose x.cow uml-cow-v3 b.img) || exit 1
    freeze x.cow b.img
    piped 0 cat merge -q -o - x.cow
    eq "$want" "$(sha out)" "the disk in a pipe"
    [ ! -s err ] || die "-q talks"
    piped 0 "sha256sum; exec sleep 0" merge -o - x.cow
    eq "$want" "$(cut -d' ' -f1 out)" "the disk in a pipe"
    has "standard output" err
    "$COWTUI" merge -o - x.cow >disk.raw 2>err || die "into a file: $(cat err)"
    eq "$want" "$(sha disk.raw)" "the disk in a file"
    run 0 merge -n -o - x.cow
    has "to standard output" out
    run 0 merge -n --json -o - x.cow
    eq "lock write-stream" "$(json '[.steps[].kind] | join(" ")')" steps
    run 2 merge --json -o - x.cow
    [ ! -s out ] || die "the disk and its plan"
    eq "b.img disk.raw x.cow " "$(names)" "files, and none named -"
    unchanged "merge to standard output"
}

# An odd end, and what the bitmap says nothing of.
an_odd_end()
{
    all_kinds
    want=$(model compose x.cow uml-cow-v3 b.img) || exit 1
    piped 0 cat merge -q -o - x.cow
    eq "$want" "$(sha out)" "the disk"
    eq "$(stat -c %s b.img)" "$(stat -c %s out)" length
}

# What was written stays written, and that it is not the whole is said.
incomplete()
{
    larger
    freeze x.cow b.img
    piped 141 'head -c 1000' merge -o - x.cow
    has "standard output is incomplete" err
    piped 141 'head -c 1000' merge -q -o - x.cow
    has "standard output is incomplete" err
    "$COWTUI" merge -o - x.cow >/dev/full 2>err
    eq 2 $? "exit code on a full device"
    has "No space" err
    (
        ulimit -f 4096
        "$COWTUI" merge -o - x.cow >disk.raw 2>err
        echo $? >code
    )
    eq 2 "$(cat code)" "exit code on a file that is limited"
    has "standard output is incomplete" err
    unchanged "an incomplete merge"
}

# Nobody reads: Ctrl-C ends it all the same.
interrupted()
{
    local signal
    larger
    mkfifo pipe
    for signal in INT TERM; do
        "$PYTHON" -ES -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$COWTUI" merge -o - x.cow >pipe 2>err &
        child=$!
        exec 7<pipe
        head -c 1000 <&7 >/dev/null # it is writing
        kill -"$signal" "$child"
        wait "$child"
        code=$?
        : >out
        judge 130 "$code" 0 "merge to a pipe that nobody reads, $signal"
        has "standard output is incomplete" err
        exec 7<&-
    done
}

not_to_a_terminal()
{
    small
    "$PYTHON" -ES - "$COWTUI" >out 2>&1 <<'END'
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], "merge", "-o", "-", "x.cow"])
text = b""
try:
    while piece := os.read(terminal, 4096):
        text += piece
except OSError:
    pass
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
print(text.decode())
END
    eq 2 "$(head -n 1 out)" "exit code: $(cat out)"
    has "terminal" out
}

never_its_own_input()
{
    small
    freeze x.cow b.img
    for file in x.cow b.img; do
        "$COWTUI" merge -f -o - x.cow >>"$file" 2>err
        eq 3 $? "exit code with $file as standard output"
    done
    unchanged "merge to standard output"
}

# A guest's lock counts as for any merge.
a_guest_holds_it()
{
    small
    hold write x.cow
    run 4 merge -o - x.cow
    [ ! -s out ] || die "it was written"
    has "$holder" err
    "$COWTUI" merge -f -q -o - x.cow >disk.raw || die "--force"
    let_go
    eq "$(model compose x.cow uml-cow-v3 b.img)" "$(sha disk.raw)" "the disk"
}

# Nothing else is written there; and no file gets that name by accident.
others_refuse_it()
{
    small
    cp b.img raw
    for command in "diff -o - b.img raw" "convert --to v3 -o - x.cow" "resize --policy keep -o - x.cow 1M" \
        "pages -o - x.cow" "create - b.img" "resize -y --policy copy:- x.cow 1M"; do
        # shellcheck disable=SC2086 # words
        run 2 $command
        has "standard output" err
    done
    eq "b.img raw x.cow " "$(names)" files
    run 0 create ./- b.img
    run 0 info ./-
}

# As cp: what is replaced is the file that a link leads to; nothing is made where a link leads to.
through_a_link()
{
    small
    mkdir d
    echo old >d/target
    ln -s d/target link
    ln -s d/nothing dangling
    cp b.img raw
    for command in "merge -o link x.cow" "diff -o link b.img raw" "convert --to v3 -o link x.cow" "create link b.img" \
        "resize --policy keep -o link x.cow 1M"; do
        # shellcheck disable=SC2086 # words
        run 3 $command
        has "exists" err
        # shellcheck disable=SC2086
        run 3 ${command/link/dangling}
        has "symbolic link" err
        # shellcheck disable=SC2086
        run 0 $command --force -n
        has "$PWD/d/target" out
        has "symbolic link" out
        eq old "$(cat d/target)" "what is only planned"
        # shellcheck disable=SC2086
        run 0 $command --force
        has "$PWD/d/target" err
        eq "symbolic link" "$(stat -c %F link)" "the link"
        [ "$(stat -c %s d/target)" -gt 1000 ] || die "$command: the target was not replaced"
        echo old >d/target
    done
    run 3 resize -y --policy copy:dangling x.cow 1M
    has "symbolic link" err
    eq target "$(ls d)" "files there"
    [ -z "$(find . -name '.*cowtui*')" ] || die "something is left: $(find . -name '.*cowtui*')"
}

# loop SIZE: a block device of its own, in $device; it shows the file disk.
loop()
{
    [ "$(id -u)" = 0 ] || skip "not root: there is no block device of one's own"
    command -v losetup >/dev/null || skip "losetup is not installed"
    truncate -s "$1" disk
    device=$(losetup -f --show disk 2>/dev/null) || skip "there are no loop devices here"
    trap 'losetup -d "$device"' EXIT
}

over_a_device()
{
    larger
    loop 10M
    yes old | head -c 10M | dd of="$device" status=none || die "the device cannot be written"
    freeze x.cow b.img
    want=$(model compose x.cow uml-cow-v3 b.img) || exit 1
    run 3 merge -o "$device" x.cow
    has "block device" err
    has "--force" err
    run 0 merge -f -n -o "$device" x.cow
    has "over what is on" out
    run 0 merge -f -n --json -o "$device" x.cow
    eq "lock write-device finish-raw" "$(json '[.steps[].kind] | join(" ")')" steps
    eq "$(yes old | head -c 10M | sha256sum)" "$(sha256sum <"$device")" "the device so far"
    ln -s "$device" link
    run 0 merge -f -o link x.cow
    has "$device" err
    eq "$want" "$(head -c 8M "$device" | sha256sum | cut -d' ' -f1)" "the disk on the device"
    eq "$(yes old | head -c 10M | tail -c 2M | sha256sum)" "$(tail -c 2M "$device" | sha256sum)" "what is behind it"
    eq "block special file" "$(stat -c %F "$device")" "the device"
    unchanged "merge to a device"
    # Only a merge goes there.
    run 3 convert -f --to v3 -o "$device" x.cow
    run 3 create -f "$device" b.img
}

# What a device cannot be.
devices_refused()
{
    larger
    loop 4M
    freeze x.cow b.img disk
    run 2 merge -f -o "$device" x.cow
    has "not enough space" err
    losetup -d "$device"
    device=$(losetup -f --show b.img) || skip "no second loop device"
    run 3 merge -f -o "$device" x.cow # it shows the backing file
    has "backing file itself" err
    losetup -d "$device"
    device=$(losetup -f --show x.cow) || skip "no third loop device"
    run 3 merge -f -o "$device" x.cow
    has "image itself" err
    unchanged "merge to a device that is an input"
    losetup -d "$device"
    truncate -s 16M disk
    device=$(losetup -f --show disk) || skip "no fourth loop device"
    mkfs.ext4 -q -F "$device" && mkdir mounted && mount "$device" mounted 2>/dev/null || skip "nothing can be mounted"
    run 3 merge -f -o "$device" x.cow
    has "in use" err
    umount mounted
}

# Who prints into a pipe that is closed says nothing, and 141 tells.
nobody_reads()
{
    larger
    model make many.cow b.img 4096 "$(seq -s, 0 2 16383)" # more than a pipe holds
    mkfifo pipe
    for command in "map x.cow" "map many.cow" "map --json many.cow" "map --scan many.cow" "info x.cow" "info --json x.cow" \
        "info -v x.cow" "check -q x.cow" "check -q --json x.cow" "resize -n --policy copy x.cow 16M" \
        "merge -n --json -o raw x.cow" "files -q x.cow" "--help" "map --help" "--version"; do
        # Both ends are open, and only the writing one when it begins.
        exec 8<>pipe 9>pipe 8>&-
        # shellcheck disable=SC2086 # words
        "$COWTUI" $command >&9 2>err 9>&-
        code=$?
        exec 9>&-
        eq 141 "$code" "exit code of $command: $(cat err)"
        [ ! -s err ] || die "$command: $(cat err)"
    done
    piped 141 'head -n 1' map many.cow
    [ ! -s err ] || die "noise: $(cat err)"
}

# --no-backing: the image alone. Whoever made it may have it name any file, and that one is not even looked at.
the_image_alone()
{
    can_trace
    small
    cp -p x.cow full.cow
    model make full.cow b.img 4096 0-127
    mkdir d
    mv b.img d/secret
    "$COWTUI" rebase -q -y --to "$PWD/d/secret" x.cow || die "no image"
    cp -p x.cow missing.cow
    freeze x.cow missing.cow full.cow d/secret
    for command in "info" "info -v" "info --json" "map" "map --json" "check" "check --json" "check --quick" "files" \
        "convert --to v3 -o new.cow -n" "merge -o raw -n"; do
        case $command in merge* | files*) want=2 ;; check*) want=1 ;; *) want=0 ;; esac # it has mixed pages
        # shellcheck disable=SC2086 # words
        ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 strace -f -qq -o trace -e trace=file,fsync "$COWTUI" $command --no-backing x.cow >out 2>err
        eq "$want" $? "exit code of $command --no-backing: $(head -n 2 err)"
        hasnt secret trace
    done
    run 0 info --no-backing --json x.cow
    eq "null false null" "$(json '"\(.uml.opens) \(.backing.found) \(.uml.reason)"')" "what is known"
    run 0 info --no-backing x.cow
    has "not opened" out
    has "not known" out
    run 0 map --no-backing --json x.cow
    eq "0 512 3584 1536 65024 512" "$(json '[.[] | select(.origin == "cow") | .start, .length] | join(" ")')" "dirty runs"
    run 2 map --scan --no-backing x.cow
    has "no-backing" err
    run 2 resize -y --policy copy --no-backing x.cow 1M
    run 2 info --no-backing -b d/secret x.cow
    for command in "undo x.cow" "recover x.cow" "create y.cow d/secret"; do
        # shellcheck disable=SC2086
        run 2 $command --no-backing
    done
    unchanged "an image looked at alone"
    # What is whole in the image is read.
    want=$(model compose full.cow uml-cow-v3 d/secret) || exit 1
    mv d/secret d/gone
    run 0 merge -q --no-backing -o whole full.cow
    eq "$want" "$(sha whole)" "a disk that is all in the image"
}

on_the_screen_alone()
{
    small
    printf 'key 1\ndump-screen\n' >keys
    run 0 --no-backing --script keys x.cow
    has "not opened" out
    has "not known" out
}

# A backing "file" that is a block device: kernels make and open such images.
on_a_device()
{
    local want
    larger
    loop 8M
    cat b.img >"$device"
    touch -d '2003-04-05 06:07:08 UTC' "$device"
    # As uml_mkcow writes it; the model asks stat for the size.
    "$PYTHON" -ES - x.cow "$device" <<'END' || die "no image"
import sys
path, device = sys.argv[1:]
with open(path, "r+b") as f:
    f.seek(32)
    f.write(device.encode() + bytes(64))
END
    want=$(model compose x.cow uml-cow-v3 b.img) || exit 1
    freeze x.cow disk
    run 0 info --json x.cow
    eq "true true 8388608 null" "$(json '"\(.uml.opens) \(.backing.found) \(.backing.size_bytes) \(.uml.reason)"')" "what is known"
    run 0 map --json x.cow
    eq 8388608 "$(json 'map(.length) | add')" "what the map covers"
    run 1 check x.cow # mixed pages
    hasnt "regular file" out
    run 0 merge -q -o m.raw x.cow
    has "$device" err
    eq "$want" "$(sha m.raw)" "the composed disk"
    run 0 create new.cow "$device"
    has "block device" err
    run 0 info --json new.cow
    eq "true 8388608" "$(json '"\(.uml.opens) \(.size_bytes)"')" "a new image"
    run 0 diff -q -o diff.cow "$device" m.raw
    eq "$want" "$(model compose diff.cow uml-cow-v3 b.img)" "what diff makes"
    run 0 rebase -q -y --safe --to b.img -o other.cow x.cow
    eq "$want" "$(model compose other.cow uml-cow-v3 b.img)" "on another backing file"
    unchanged "an image on a device"
    # It cannot be lengthened, nor written over.
    run 3 resize -y x.cow 16M
    has "block device" err
    run 3 resize -y --policy extend x.cow 16M
    has "block device" err
    run 3 merge -y --in-place x.cow
    has "block device" err
    run 3 merge -f -o "$device" x.cow
    ln -s "$device" link
    run 3 merge -f -o link x.cow
    mknod node b "$(stat -c '0x%t' "$device")" "$(stat -c '0x%T' "$device")" 2>/dev/null && run 3 merge -f -o node x.cow
    unchanged "an image on a device"
    before=$(state x.cow disk)
    for policy in copy keep; do
        run 0 resize -q -y --policy $policy x.cow 16M
        [ $policy = keep ] || eq "$(head -c 8M <x.cow.backing | sha256sum)" "$(sha256sum <b.img)" "the private copy"
        eq "$want" "$(run 0 merge -q -o grown.raw x.cow && head -c 8M grown.raw | sha256sum | cut -d' ' -f1)" "the grown disk"
        rm grown.raw
        run 0 undo -q -y x.cow
        eq "$before" "$(state x.cow disk)" "what undo leaves of $policy"
    done
    # Lengthened by its own tool, it is as good as any.
    truncate -s 16M disk && losetup -c "$device" && touch -d '2003-04-05 06:07:08 UTC' "$device" || die "the device does not grow"
    run 0 resize -q -y x.cow 16M
    run 0 info --json x.cow
    eq "true 16777216" "$(json '"\(.uml.opens) \(.size_bytes)"')" "on a device that has grown"
    touch "$device"
    run 0 info --json x.cow
    eq false "$(json .uml.opens)" "a device whose node has another date"
    run 0 rebase -q -y --restamp x.cow
    run 0 info --json x.cow
    eq true "$(json .uml.opens)" "the date of its node taken over"
    # A character device is none.
    run 2 info -b /dev/zero x.cow
    has "device" err
}

# warned WHAT: info of x.cow, or a plan, has so many warnings that say it; the image opens all the same.
warned()
{
    eq "true $2" "$(json "\"\(.uml.opens) \(.uml.warnings | map(select(contains(\"$1\"))) | length)\"")" "warnings of '$1'"
}

# What the kernel's command line cannot be given, or only in quotes: it opens, and what helps is said wherever it is made,
# looked at, or said to be booted.
names_for_a_kernel()
{
    local name
    small
    cp b.img raw
    cp -p b.img base
    printf x | dd of=raw bs=1 seek=5000 conv=notrunc status=none
    for name in 'a:b.cow' 'a,b.cow' 'a"b.cow'; do
        run 0 create "$name" b.img
        has "symbolic link" err
        hasnt "boot with ubd0" err
        run 0 create -f -n --json "$name" b.img
        warned colon 1
        eq true "$(json '.next | contains("cannot name it")')" "what comes next"
        run 0 info --json "$name"
        warned colon 1
        run 0 info "$name"
        has "symbolic link" out
        run 0 resize -n --json --policy keep -o y.cow "$name" 1M
        eq 0 "$(json '.uml.warnings | length')" "warnings of another name"
        run 0 convert -f -n --json --to v3 -o "$name" x.cow
        warned colon 1
        run 0 diff -f -q -o "$name" b.img raw
        run 0 merge -y --in-place "$name"
        has "cannot name it" err
        ln -s "$name" good.cow
        run 0 info --json good.cow
        warned colon 0
        rm good.cow
        cp -p base b.img
    done
    run 0 create 'a b.cow' b.img
    has "boot with 'ubd0=\"a b.cow\"'" err
    run 0 info --json 'a b.cow'
    warned quotes 1
    run 0 info 'a b.cow'
    has "quotes" out
    mkdir d:d
    run 0 create d:d/z.cow b.img
    run 0 info --json d:d/z.cow
    warned colon 1
    run 0 create z.cow b.img
    has "boot with ubd0=z.cow" err
    run 0 info --json z.cow
    warned colon 0
    warned quotes 0
    # In a header any path may stand.
    cp -p b.img 'b:,".img'
    run 0 create w.cow 'b:,".img'
    run 0 info --json w.cow
    warned colon 0
    run 0 info --json -b 'b:,".img' z.cow
    warned colon 1
}

t "merge: to standard output" to_standard_output
t "merge: to standard output, an odd end" an_odd_end
t "merge: to standard output, not the whole" incomplete
t "merge: to standard output, interrupted" interrupted
t "merge: not to a terminal" not_to_a_terminal
t "merge: not to standard output that is an input" never_its_own_input
t "merge: to standard output, while a guest holds it" a_guest_holds_it
t "others: not to standard output" others_refuse_it
t "output through a symbolic link" through_a_link
t "merge: over a block device" over_a_device
t "merge: devices that are refused" devices_refused
t "nobody reads what is printed" nobody_reads
t "the image alone" the_image_alone
t "the image alone, on the screen" on_the_screen_alone
t "a backing file that is a block device" on_a_device
t "names that a kernel's command line cannot have" names_for_a_kernel

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# merge -o: never onto its own input, never over something else unasked, whole or not at all; and what a lock
# of another process means.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# Holds a write lock on FILE, as a guest does, until the directory's "release" appears.
hold() # FILE [EX|SH]
{
    "$PYTHON" -ES - "$1" "${2:-EX}" <<'END' &
import fcntl, os, sys, time
with open(sys.argv[1], "r+b") as f:
    fcntl.lockf(f, fcntl.LOCK_EX if sys.argv[2] == "EX" else fcntl.LOCK_SH)
    open("held", "w").close()
    for _ in range(3000):
        if os.path.exists("release"):
            break
        time.sleep(0.02)
END
    holder=$!
    for _ in $(seq "$(turns 250)"); do
        [ ! -e held ] || return 0
        sleep 0.02
    done
    die "no lock"
}

release()
{
    touch release
    wait "$holder"
    rm -f held release
}

never_its_input()
{
    local name
    small
    ln x.cow hard.cow
    ln -s x.cow soft.cow
    ln b.img hard.img
    ln -s b.img soft.img
    freeze x.cow b.img
    for name in x.cow ./x.cow hard.cow soft.cow b.img hard.img soft.img "$PWD/b.img"; do
        run 3 merge -o "$name" x.cow
        run 3 merge --force -o "$name" x.cow
    done
    unchanged "merge onto its input"
}

existing_output()
{
    small
    echo precious >out.raw
    freeze x.cow b.img out.raw
    run 3 merge -o out.raw x.cow
    has exists err
    unchanged "an existing output"
    run 0 merge -f -o out.raw x.cow
    eq "$(model compose x.cow uml-cow-v3 b.img)" "$(sha out.raw)" "composed disk"
    mkdir d
    run 3 merge -f -o d x.cow
    run 2 merge -o nowhere/raw x.cow
    mkfifo f
    run 3 merge -f -o f x.cow
    eq "b.img d f out.raw x.cow " "$(names)" files
}

# -q says nothing; otherwise the plan goes to standard error, and standard output stays empty.
streams()
{
    small
    run 0 merge -q -o raw x.cow
    [ ! -s out ] && [ ! -s err ] || die "-q talks"
    rm raw
    run 0 merge -o raw x.cow
    [ ! -s out ] || die "something on standard output"
    has raw err
    rm raw
    run 0 merge --json -o raw x.cow
    eq merge "$(json .operation)" operation
    [ -s raw ] || die "no output"
    rm raw
    run 0 merge -n -o raw x.cow
    [ ! -e raw ] || die "a dry run writes"
    run 0 merge -n --json -o raw x.cow
    eq compose "$(json '.steps[] | select(.kind == "compose") | .kind')" "a step of the plan"
}

locked()
{
    small
    mkdir made
    hold x.cow
    freeze x.cow b.img
    run 0 info --json x.cow
    eq "$holder" "$(json .in_use.pid)" "pid in info"
    run 0 info x.cow
    has "pid $holder" out
    run 0 map x.cow
    run 4 merge -o made/raw x.cow
    has "$holder" err
    run 4 resize -y --policy copy x.cow 1M
    has "$holder" err
    run 4 resize -y --policy extend x.cow 1M
    has "$holder" err
    run 4 resize -y --force --policy keep x.cow 1M
    has "$holder" err
    eq "" "$(ls -A made)" "what a refused merge left"
    unchanged "a locked image"
    run 0 merge --force -o made/raw x.cow
    eq "$(model compose x.cow uml-cow-v3 b.img)" "$(sha made/raw)" "composed disk"
    unchanged "a locked image"
    release
    eq "b.img made x.cow " "$(names)" files
    run 0 info --json x.cow
    eq null "$(json .in_use)" "in use"
    run 0 resize -y --policy copy x.cow 1M
}

# Another guest on the same backing file holds a read lock on it: it must not grow under that guest, but may be
# read.
locked_backing()
{
    small
    hold b.img SH
    freeze x.cow b.img
    run 4 resize -y --policy extend x.cow 1M
    has "$holder" err
    has b.img err
    run 4 resize -y --force --policy extend x.cow 1M
    unchanged "a locked backing file"
    eq "b.img held x.cow " "$(names)" files
    run 0 merge -o raw x.cow
    run 0 resize --policy copy -o y.cow x.cow 1M
    run 0 create z.cow b.img
    unchanged "a locked backing file"
    release
}

# What is made is nobody else's business if the user says so.
modes()
{
    small
    chmod 666 x.cow b.img
    (
        umask 077
        run 0 merge -o raw x.cow && run 0 create y.cow b.img
    ) || exit 1
    eq "600 600" "$(stat -c %a raw y.cow | tr '\n' ' ' | sed 's/ $//')" "modes under umask 077"
    (
        umask 002
        run 0 merge -o raw2 x.cow && run 0 create y2.cow b.img
    ) || exit 1
    eq "664 664" "$(stat -c %a raw2 y2.cow | tr '\n' ' ' | sed 's/ $//')" "modes under umask 002"
}

# What holds an input's content can be read by nobody who could not read that input: the permission bits that all
# inputs have, less the umask, and never a setid bit.
modes_of_inputs()
{
    local image base want
    small
    cp b.img raw && printf x | dd of=raw bs=1 seek=5000 conv=notrunc status=none || die "no raw disk"
    for modes in 600:644:600 644:600:600 640:664:640 6755:6755:755 4644:664:644 444:644:444 666:660:640; do
        IFS=: read -r image base want <<<"$modes"
        chmod "$image" x.cow raw
        chmod "$base" b.img
        (
            umask 022
            run 0 merge -q -o out.merge x.cow
            run 0 diff -q -o out.diff b.img raw
            run 0 convert -q --to v3 -o out.convert x.cow
            run 0 resize -q --policy keep -o out.keep x.cow 1M
            run 0 resize -q --policy copy:out.copy -o out.resize x.cow 1M
            run 0 compact -q -o out.compact x.cow
            run 0 pages -q -o out.pages x.cow
            run 0 rebase -q --restamp -o out.rebase x.cow
        ) || exit 1
        eq "$(seq 9 | sed "s/.*/$want/" | sort | uniq -c)" "$(stat -c %a out.* | sort | uniq -c)" "modes of image $image, backing file $base"
        rm -f out.*
    done
    chmod 640 x.cow
    chmod 666 b.img
    (umask 027 && run 0 merge -q -o out.merge x.cow && run 0 resize -q -y --policy copy x.cow 1M) || exit 1
    eq "640 640 640" "$(stat -c %a out.merge x.cow x.cow.backing | tr '\n' ' ' | sed 's/ $//')" "modes under umask 027"
    chmod 444 x.cow
    run 0 convert --to v3 -o out.convert x.cow
    has "chmod u+w" err
}

# An image keeps its mode, but whose owner does not own the private backing file must still be able to read it.
modes_of_anothers_image()
{
    [ "$(id -u)" = 0 ] || skip "needs root"
    small
    chown 1234 x.cow
    chmod 600 x.cow
    chmod 644 b.img
    run 0 resize -q -y --policy copy x.cow 1M
    eq "1234 600" "$(stat -c '%u %a' x.cow)" "the image"
    eq "0 644" "$(stat -c '%u %a' x.cow.backing)" "the private backing file"
}

# The lock that cowtui's looking must not take away from itself, or leave.
no_lock_for_looking()
{
    small
    chmod 444 x.cow b.img
    run 0 info x.cow
    run 0 map x.cow
    run 0 merge -o raw x.cow
}

# A limit of size stands for a full disk: an error, and nothing is left.
no_space()
{
    local code
    small
    head -c 4M /dev/urandom >b.img
    touch -d '2003-04-05 06:07:08 UTC' b.img
    model make x.cow b.img 4096 0,100-900
    freeze x.cow b.img
    mkdir made
    for command in "merge -o made/raw x.cow" "resize -y --policy copy:$PWD/made/b x.cow 8M" \
        "resize -y -o made/y.cow --policy keep x.cow 8M" "create made/z.cow b.img"; do
        # shellcheck disable=SC2086 # words
        (
            ulimit -f 64
            "$COWTUI" $command >/dev/null 2>made.err
        )
        code=$?
        case $code in 2 | 3) ;; *) die "$command with too little space: exit $code: $(head -n1 made.err)" ;; esac
        grep -q '^cowtui: .' made.err || die "$command with too little space: no message"
        eq "" "$(ls -A made)" "what $command left"
    done
    rm made.err
    unchanged "too little space"
    eq "b.img made x.cow " "$(names)" files
}

# Ctrl-C in the middle of the work: 130, and nothing is left.
interrupted()
{
    local code signal
    head -c 128M /dev/urandom >b.img
    "$PYTHON" -ES "$here/model.py" make x.cow b.img 4096 "$(seq -s, 0 16 262143)"
    freeze x.cow b.img
    mkdir made
    for signal in INT TERM; do
        (
            trap - INT # what runs in the background does not hear it otherwise
            exec "$PYTHON" -ES -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$COWTUI" merge -o made/raw x.cow
        ) >out 2>err &
        child=$!
        for _ in $(seq "$(turns 500)"); do
            [ -z "$(ls -A made)" ] || break
            sleep 0.002
        done
        # Stopped first, so that what follows does not depend on who is faster.
        kill -STOP "$child"
        if [ -e made/raw ] || [ -z "$(ls -A made)" ]; then
            kill -KILL "$child"
            skip "this machine is too fast to be interrupted"
        fi
        kill -"$signal" "$child"
        kill -CONT "$child"
        wait "$child"
        code=$?
        judge 130 "$code" 0 "merge, interrupted by $signal"
        has cancelled err
        eq "" "$(ls -A made)" "what an interrupted merge left"
    done
    unchanged "an interrupted merge"
}

t "merge: never onto its input" never_its_input
t "merge: an existing output" existing_output
t "merge: what goes where" streams
t "merge: a guest's lock" locked
t "merge: a lock on the backing file" locked_backing
# An image that names a file elsewhere gets that file's content copied: which one is said, even with -q; not where the
# user named it, nor where nothing of it is copied.
outside()
{
    local where
    small
    mkdir d below
    cp -p b.img d/s.img
    model make y.cow d/s.img 4096 0,7-9,127 || exit 1
    mv y.cow below
    ln -s "$PWD/d/s.img" below/link.img
    "$COWTUI" rebase -q -y --to "$PWD/d/s.img" below/y.cow || die "no image"
    cp -p below/y.cow below/l.cow
    "$COWTUI" rebase -q -y --to "$PWD/below/link.img" below/l.cow || die "no image"
    where=$(realpath d/s.img)
    for image in below/y.cow below/l.cow; do
        for command in "merge -o o.new" "resize --policy copy:c -o o.new" "pages -o o.new" "compact -o o.new"; do
            case $command in resize*) size=1M ;; *) size= ;; esac
            # shellcheck disable=SC2086 # words
            run 0 $command -q $image $size
            has "$where" err
            rm -f o.new c
            # shellcheck disable=SC2086
            run 0 $command -n $image $size
            has "$where, too" out
            # shellcheck disable=SC2086
            run 0 $command -n --json $image $size
            [ "$(json '[.notes[] | select(contains("outside"))] | length')" = 1 ] || die "$command: no note in JSON"
            # shellcheck disable=SC2086
            run 0 $command -q -b d/s.img $image $size
            [ ! -s err ] || die "$command: somebody else's file that was named: $(cat err)"
            rm -f o.new c
        done
        run 0 resize -q -y --policy copy:c "$image" 1M
        has "$where" err
        run 0 undo -q -y "$image"
    done
    for command in "convert --to v3" "resize --policy keep"; do
        case $command in resize*) size=1M ;; *) size= ;; esac
        # shellcheck disable=SC2086
        run 0 $command -q -o o.new below/y.cow $size
        [ ! -s err ] || die "$command copies nothing of it: $(cat err)"
        rm -f o.new
    done
    mkdir x.d && cp -p b.img x.d && "$COWTUI" rebase -q -y --to x.d/b.img x.cow
    run 0 merge -q -o o.new x.cow
    [ ! -s err ] || die "a directory below is not outside: $(cat err)"
}

t "merge: modes" modes
t "merge: what the image names elsewhere" outside
t "merge: modes of the inputs" modes_of_inputs
t "merge: modes of another's image" modes_of_anothers_image
t "merge: a read-only image" no_lock_for_looking
t "merge: too little space" no_space
t "merge: interrupted" interrupted

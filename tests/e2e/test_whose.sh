#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Whose files are these? Two users and root in one sticky directory: what one plants beside another's image is obeyed by
# no command, and each refusal says whose file it is.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

image_owner=12001 planter=12002

two_users()
{
    [ "$(id -u)" = 0 ] || skip "needs root, to be two users"
    another_user $planter
    strace -qq -o /dev/null true 2>/dev/null || skip "strace is not to be had here"
    mkdir shared && chmod 1777 shared && cd shared || die "no directory"
}

as() # USER COMMAND...
{
    local user=$1
    shift
    setpriv --reuid="$user" --regid="$user" --clear-groups -- "$@"
}

# run, as another user.
run_as() # USER CODE ARGUMENTS...
{
    local user=$1 want=$2 code
    shift 2
    as "$user" "$program" "$@" >../out 2>../err
    code=$?
    cp ../out ../err .
    judge "$want" "$code" 0 "$* as $user"
    rm -f out err
}

said()
{
    grep -qF -- "$1" ../err ../out || die "nobody says '$1': $(head -n 3 ../err | tr '\n' ' ')"
}

# A journal, or undo data, of x.cow, whole and true.
make_record() # WHAT SIZE
{
    small
    chown $image_owner:$image_owner x.cow b.img
    if [ "$1" = journal ]; then
        local as_them=(setpriv --reuid="$image_owner" --regid="$image_owner" --clear-groups --)
        killed at ftruncate x.cow resize -y --policy extend x.cow "$2"
        eq 77824 "$(stat -c %s x.cow)" "size of the image's file, which nothing was done to yet"
        rm -f out err
    else
        as $image_owner "$program" resize -q -y --policy extend x.cow "$2" >/dev/null 2>&1
    fi
    record=.x.cow.cowtui-$1
    [ -e "$record" ] || die "no $record: $(names)"
}

refused_by_all() # WHAT
{
    local user
    frozen_files=(x.cow b.img "$record" "${other[@]}")
    freeze "${frozen_files[@]}"
    for user in 0 $image_owner; do
        if [ "$1" = journal ]; then
            run_as $user 3 recover -y x.cow
            said "$record"
            said "$whose"
            run_as $user 3 resize -y --policy keep x.cow 64M
            said "$record"
            run_as $user 3 undo -y x.cow
            run_as $user 3 merge -y --in-place x.cow
            run_as $user 3 rebase -y --restamp x.cow
            as $user "$program" check --repair -y x.cow >../out 2>../err
        else
            run_as $user 3 undo -y x.cow
            said "$record"
            said "$whose"
            run_as $user 3 undo -n x.cow
            run_as $user 3 undo -y --discard x.cow
            said "$record"
        fi
        as $user "$program" check x.cow >../out 2>../err
        run_as $user 0 info x.cow
        unchanged "a planted $1, as user $user"
    done
}

planted() # WHAT SIZE HOW
{
    two_users
    make_record "$1" "$2"
    other=()
    whose="user $planter"
    case $3 in
    owner) chown $planter:$planter "$record" ;;
    group)
        chmod 660 "$record"
        whose="others than its owner (user $image_owner)"
        ;;
    linked) # the image's owner's own file, under the name of a record
        cp -p x.cow other.cow
        ln "$record" .other.cow.cowtui-journal
        whose="2 names" other=(other.cow)
        ;;
    esac
    refused_by_all "$1"
    # What was said accepts it.
    rm -f .other.cow.cowtui-journal
    chown $image_owner:$image_owner "$record"
    chmod 600 "$record"
    if [ "$1" = journal ]; then
        run_as $image_owner 0 recover -y x.cow
    else
        run_as $image_owner 0 undo -y x.cow
    fi
    eq 65536 "$(stat -c %s b.img)" "size of the backing file"
}

# Nobody has woken the writer at the other end of a FIFO. It is let go, which shows that it would have told.
not_woken() # FIFO
{
    local i
    [ ! -e woken ] || die "the writer of the FIFO was woken"
    eq woken "$(timeout 5 cat "$1")" "what the writer of the FIFO had to say"
    for ((i = 0; i < 100; i++)); do
        [ ! -e woken ] || break
        sleep 0.05
    done
    rm woken || die "the writer does not tell that it was woken"
}

# What is no file at all: nothing is opened, so that nobody at the other end wakes.
not_a_file()
{
    two_users
    small
    chown $image_owner:$image_owner x.cow b.img
    for what in journal undo; do
        record=.x.cow.cowtui-$what
        as $planter mkfifo "$record"
        freeze x.cow b.img
        (as $planter timeout 20 sh -c "echo woken >$record && touch woken" &)
        for user in 0 $image_owner; do
            run_as $user 2 "$([ $what = journal ] && echo recover || echo undo)" -y x.cow
            as $user "$program" check x.cow >../out 2>../err
            run_as $user 0 info x.cow
        done
        unchanged "a FIFO for a $what"
        not_woken "$record"
        rm -f "$record"
    done
}

# A header that names a FIFO for a backing file.
backing_fifo()
{
    small
    rm b.img
    mkfifo b.img
    (timeout 10 sh -c 'echo woken >b.img && touch woken' &)
    sleep 0.2
    run 0 info x.cow
    "$COWTUI" check x.cow >out 2>err
    run 2 merge -o raw x.cow
    sleep 0.2
    not_woken b.img
}

for how in owner group linked; do
    t "whose: a planted journal ($how), header" planted journal 1M $how
    t "whose: planted undo data ($how), header" planted undo 1M $how
done
t "whose: planted undo data, copy" planted undo 32M owner
t "whose: a FIFO for a record" not_a_file
t "whose: a FIFO for a backing file" backing_fifo

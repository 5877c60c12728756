# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What every test file uses. A case is a function that runs in a subshell in a directory of its own: `t NAME
# FUNCTION ARGUMENTS...`. It ends at the first thing that is not as expected (die), or passes, or is skipped.
# Lines "ok NAME", "FAIL NAME: why", "skip NAME: why" on standard output are what run.sh counts.

set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
: "${COWTUI:?names the binary}"
: "${PYTHON:=python3}"
work=$(mktemp -d) || exit 2
# shellcheck disable=SC2154 # set when it runs
trap 'code=$?; cd /; chmod -R u+rwx "$work"; rm -rf "$work"; exit $code' EXIT
trap 'exit 130' INT TERM

limit_ms=30000 # of one command; test_bad.sh asks for less

# Sanitizers make everything slower.
sanitized()
{
    grep -q __asan_init "${1:-$COWTUI}"
}

die()
{
    printf '%s\n' "$*" | cat -v | tr '\n' ' ' >"$case_dir.why" # it may hold what the case is about
    exit 1
}

skip()
{
    printf '%s\n' "$*" >"$case_dir.why"
    exit 77
}

t()
{
    local name=$1 code
    shift
    case_dir=$work/$(printf '%s' "$name" | tr -c 'A-Za-z0-9.\n-' _)
    mkdir "$case_dir" || exit 2
    ( cd "$case_dir" && "$@" ) </dev/null
    code=$?
    case $code in
    0) echo "ok $name" ;;
    77) echo "skip $name: $(cat "$case_dir.why")" ;;
    *) echo "FAIL $name: $(cat "$case_dir.why" 2>/dev/null || echo "exit $code")" ;;
    esac
    chmod -R u+rwx "$case_dir"
    rm -rf "$case_dir" "$case_dir.why"
}

# run CODE ARGUMENTS...: runs cowtui; its output is in ./out and ./err. Dies if the exit code is another one,
# if it takes longer than the limit, or if a control byte or a sanitizer's report is in what it says. Who is too
# slow and fails (so it changed nothing) gets a second and a third chance: the machine may have been busy.
run()
{
    local want=$1 code begin ms tries=3
    shift
    while :; do
        begin=$(date +%s%N)
        "$COWTUI" "$@" >out 2>err
        code=$?
        ms=$((($(date +%s%N) - begin) / 1000000))
        tries=$((tries - 1))
        [ "$ms" -gt "$limit_ms" ] && [ "$code" -gt 0 ] && [ "$tries" -gt 0 ] || break
    done
    judge "$want" "$code" "$ms" "$*"
}

# The same without the limit of time.
run_long()
{
    local want=$1 code
    shift
    "$COWTUI" "$@" >out 2>err
    code=$?
    judge "$want" "$code" 0 "$*"
}

judge()
{
    local want=$1 code=$2 ms=$3 what=$4
    if grep -qE 'Sanitizer|runtime error' err; then
        die "$what: $(grep -E 'Sanitizer|runtime error' err | head -n 1)"
    fi
    [ "$code" = "$want" ] || die "$what: exit $code instead of $want: $(head -n 2 err | tr '\n' ' ')"
    [ "$ms" -le "$limit_ms" ] || die "$what: took $ms ms"
    if LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]' out err; then
        die "$what: a control byte is printed"
    fi
    if [ "$code" != 0 ]; then
        grep -q '^cowtui: .' err || die "$what: exit $code without a message"
    fi
}

eq() # EXPECTED ACTUAL WHAT
{
    [ "$1" = "$2" ] || die "$3: '$2' instead of '$1'"
}

has() # TEXT FILE
{
    grep -qF -- "$1" "$2" || die "$2 does not say '$1': $(head -n 3 "$2" | tr '\n' ' ')"
}

hasnt() # TEXT FILE
{
    if grep -qF -- "$1" "$2"; then
        die "$2 says '$1'"
    fi
}

json() # FILTER [FILE]: the value, from ./out
{
    jq -r "$1" "${2:-out}" 2>jq.err || die "no good JSON for $1: $(cat jq.err)"
}

model()
{
    "$PYTHON" -ES "$here/model.py" "$@" || die "model.py $1 failed"
}

sha()
{
    sha256sum <"$1" | cut -d' ' -f1
}

# What must not change: name, type, size, mtime to the nanosecond, mode, owner, inode and content of each file.
state()
{
    local file
    for file; do
        if [ -f "$file" ]; then
            stat -c '%n %F %s %y %a %u:%g %i' "$file"
            sha "$file"
        else
            stat -c '%n %F %a' "$file" 2>/dev/null || echo "$file: not there"
        fi
    done
}

freeze() # FILES...
{
    frozen_files=("$@")
    frozen=$(state "$@")
}

unchanged() # WHAT
{
    [ "$(state "${frozen_files[@]}")" = "$frozen" ] ||
        die "$1: changed: $(diff <(echo "$frozen") <(state "${frozen_files[@]}") | grep '^[<>]' | head -n 2 |
            tr '\n' ' ')"
}

# The names in this directory, but for the tests' own.
names()
{
    find . -mindepth 1 -maxdepth 1 ! -name out ! -name err ! -name jq.err ! -name saved.json -printf '%f\n' |
        LC_ALL=C sort | tr '\n' ' '
}

# Unpacks the samples once a test file; sample NAME... copies them here, times and all.
samples()
{
    [ -d "$work/samples" ] || { mkdir "$work/samples" && tar -C "$work/samples" -xf "$root/tests/data/cow-variants.tar.xz"; } ||
        die "the samples do not unpack"
}

sample()
{
    local name
    for name; do
        cp --preserve=all --sparse=always "$work/samples/$name" . || die "no sample $name"
    done
}

# of FILE COLUMN: from the manifest.
of()
{
    awk -F'\t' -v file="$1" -v column="$2" 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i }
        $1 == file { print $at[column] }' "$root/tests/data/cow-variants.tsv"
}

# A small image for cases where the format does not matter: b.img (64 KiB) and x.cow on it.
small()
{
    head -c 65536 /dev/zero | tr '\0' 'b' >b.img
    touch -d '2003-04-05 06:07:08 UTC' b.img
    model make x.cow b.img 4096 0,7-9,127
}

# Holds FILE until it is told to end: "write" or "read" with a POSIX lock on all of it, as UML does, "ofd" with one
# of the other kind, "open" without any. Sets holder.
hold() # HOW FILE
{
    cat >hold.py <<'END'
import fcntl, os, struct, sys, time
how, path = sys.argv[1:]
fd = os.open(path, os.O_RDONLY if how == "read" else os.O_RDWR)
if how == "ofd":
    fcntl.fcntl(fd, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))  # F_OFD_SETLK
elif how != "open":
    fcntl.lockf(fd, fcntl.LOCK_SH if how == "read" else fcntl.LOCK_EX)
open("held", "w").close()
time.sleep(60)
END
    rm -f held
    "$PYTHON" -ES hold.py "$1" "$2" &
    holder=$!
    for _ in $(seq 200); do
        [ ! -e held ] || break
        sleep 0.05
    done
    [ -e held ] || die "nobody holds $2"
    rm held hold.py
}

let_go()
{
    kill "$holder"
    wait "$holder" 2>/dev/null
}

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The shipped program, killed at each of its system calls: kill_real.sh BINARY [LEVEL]. strace sends the signal when
# the n-th call of a kind is entered, until there is no n-th. Then "recover --yes", and a reader of our own
# (kill_real.py) must find the old or the new disk, and a kernel's checks fulfilled. A line a kind of call; the last
# line is the count. 77 with a reason where that cannot be done.
set -u

dir=$(cd "$(dirname "$0")" && pwd)
cowtui=$(realpath "${1:-$dir/../../build/cowtui}")
[ -x "$cowtui" ] || {
    echo "kill_real.sh: no binary ${1:-build/cowtui}" >&2
    exit 1
}
for tool in strace python3; do
    command -v "$tool" >/dev/null || {
        echo "$tool is not installed"
        exit 77
    }
done
strace -qq -o /dev/null -e trace=none true 2>/dev/null || {
    echo "strace may not trace here (ptrace is forbidden)"
    exit 77
}
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" # leaks are looked for by ptrace, and that is taken
# The interpreter itself: a version manager's wrapper costs more than most cases.
python=$(python3 -c 'import sys; print(sys.executable)')
calls="pwrite64 fsync rename renameat2 ftruncate utimensat unlink link linkat"
[ "${2:-}" != soak ] || calls="$calls copy_file_range fchmod openat pread64 fstat fcntl"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# shellcheck source=tests/wanted.sh
. "$dir/../wanted.sh"
failed=0 kills=0 asked=0

# fresh ALIGNMENT: the same image each time, in $work/t.
fresh()
{
    rm -rf "$work/t"
    mkdir "$work/t"
    if [ -d "$work/made-$1" ]; then
        cp -a "$work/made-$1/." "$work/t/"
    else
        "$python" "$dir/kill_real.py" make "$work/t" "$1" 201 || exit 1
        cp -a "$work/t" "$work/made-$1"
    fi
}

# settle: recovery, which may find nothing to do. Prints what is wrong.
settle()
{
    local said code
    said=$("$cowtui" recover --yes "$work/t/x.cow" 2>&1 </dev/null)
    code=$?
    case $code in
    0) ;;
    3)
        case $said in
        *"nothing to recover"*) ;;
        *) echo "recover refuses: $said" && return 1 ;;
        esac
        ;;
    *) echo "recover answers $code: $said" && return 1 ;;
    esac
    "$python" "$dir/kill_real.py" check "$work/t" 153600
}

# kill_at NAME CALL ALIGNMENT PREPARE COMMAND...: COMMAND is killed at each CALL. PREPARE runs before it.
kill_at()
{
    local name="$1, $2" call=$2 alignment=$3 prepare=$4 n=0 code said wrong=""
    shift 4
    wanted "$name" || return
    asked=$((asked + 1))
    while [ -z "$wrong" ]; do
        n=$((n + 1))
        fresh "$alignment"
        if [ -n "$prepare" ]; then
            # shellcheck disable=SC2086 # its words
            "$cowtui" $prepare >/dev/null 2>&1 </dev/null || wrong="the preparation fails"
        fi
        { # and not a word from the shell about the death
            strace -qq -f -o /dev/null -e trace="$call" -e inject="$call:signal=KILL:when=$n" \
                "$cowtui" "$@" >/dev/null </dev/null
            code=$?
        } 2>/dev/null
        if [ "$code" -eq 0 ]; then
            break
        fi
        kills=$((kills + 1))
        if [ "$code" -ne 137 ]; then
            wrong="it was not killed, but answers $code"
        elif ! said=$(settle); then
            wrong=$said
        fi
    done
    if [ -z "$wrong" ]; then
        echo "ok $name"
    else
        echo "FAIL $name: killed at $call number $n: $wrong"
        failed=$((failed + 1))
    fi
}

image=$work/t/x.cow
for call in $calls; do
    kill_at "growth by copy" "$call" 32 "" resize --yes --policy extend --reserve 1G "$image" 153600
    kill_at "growth by copy, private backing" "$call" 32 "" \
        resize --yes --policy copy --reserve 1G "$image" 153600
    kill_at "growth of the header" "$call" 4096 "" resize --yes --policy extend "$image" 153600
    kill_at "growth of the header, private backing" "$call" 4096 "" resize --yes --policy copy "$image" 153600
    kill_at "undo of a copy" "$call" 32 "resize --yes --policy extend --reserve 1G $image 153600" \
        undo --yes "$image"
    kill_at "undo of a header" "$call" 4096 "resize --yes --policy extend $image 153600" undo --yes "$image"
done
echo "$kills kills of the real program"
[ "$failed" -eq 0 ] && { [ "$kills" -gt 50 ] || [ "$asked" -lt 50 ]; }

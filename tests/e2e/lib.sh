# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What every test file uses. A case is a function that runs in a subshell in a directory of its own: `t NAME
# FUNCTION ARGUMENTS...`. It ends at the first thing that is not as expected (die), or passes, or is skipped.
# Lines "ok NAME", "FAIL NAME<tab>why", "skip NAME<tab>why" on standard output are what run.sh counts.

set -u
frozen_files=() frozen='' answers=''
as_them=() program=${COWTUI:?names the binary}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
: "${PYTHON:=python3}"
# Administrators' tools (mkfs.ext4) are not in every user's PATH; and what they make is the same on every system.
PATH=$PATH:/usr/sbin:/sbin
export MKE2FS_CONFIG=$root/tests/data/mke2fs.conf
work=$(mktemp -d) || exit 2
# shellcheck disable=SC2154 # set when it runs
trap 'code=$?; cd /; [ -z "$answers" ] || kill "$answers"; chmod -R u+rwx "$work"; rm -rf "$work"; exit $code' EXIT
trap 'exit 130' INT TERM

# shellcheck source=tests/wanted.sh
. "$here/../wanted.sh"

# limit MILLISECONDS: what one command may take, on a machine that is not slow (TIME_SCALE).
limit()
{
    limit_ms=$(turns "$1")
}
limit 30000 # test_bad.sh asks for less

# Sanitizers make everything slower.
sanitized()
{
    grep -q __asan_init "${1:-$COWTUI}"
}

# Who answers the questions of the cases (answers.py): begun once a test file.
answers_s=$(turns 120)
mkfifo "$work/ask" "$work/answer" || exit 2
"$PYTHON" -ES "$here/answers.py" "$work/ask" "$work/answer" "$work/said" </dev/null >/dev/null &
answers=$!
read -r -t "$answers_s" _ 0<>"$work/answer" || {
    echo "answers.py does not begin" >&2
    exit 2
}

# query WORDS...: what answers.py says to them, and its exit code. One at a time: who asks reads the answer before it goes
# on. Two at once are an error: they could be given each other's.
query()
{
    local id=$BASHPID.$RANDOM$RANDOM whose='' code='' n='' text
    kill -0 "$answers" 2>/dev/null || die "answers.py has ended"
    printf '%s\0' "$#" "$id" "$PWD" "$@" 1<>"$work/ask"
    read -r -t "$answers_s" whose code n 0<>"$work/answer" || die "no answer to $1 ${2:-}"
    [ "$whose" = "$id" ] || die "two ask at once: $1 ${2:-}"
    if [ "$n" -gt 0 ]; then
        IFS= read -r -d '' text <"$work/said"
        printf '%s' "$text"
    fi
    return "$code"
}

# py WORDS... <SCRIPT: the script, in the interpreter that is there already. For what changes only files.
py()
{
    local script
    IFS= read -r -d '' script
    query run "$script" "$@"
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

# For cases that look at the calls that are made.
can_trace()
{
    command -v strace >/dev/null || skip "strace is not installed"
    strace -qq -o /dev/null -e trace=none true 2>/dev/null || skip "strace may not trace here (ptrace is forbidden)"
}

# killed HOW CALL FILE ARGUMENTS...: cowtui, killed "at" (as it enters) or "behind" its first CALL, as strace names it, on
# that FILE of this directory. A number among all calls of a kind would be another place as soon as one more is made.
killed()
{
    local how=$1 call=$2 file=$3 signal=KILL code=137
    [ "$how" = at ] || signal=USR1 code=138 # no handler, and what is being done is done first
    shift 3
    can_trace
    # The shell that tells of the kill is not shown.
    { "${as_them[@]}" strace -f -qq -o /dev/null -P "$(pwd -P)/$file" -e "trace=$call,?${call}64" \
        -e "inject=$call,?${call}64:signal=$signal:when=1" "$program" "$@" >out 2>err; } 2>/dev/null
    eq $code $? "exit code of $* killed $how $call of $file"
}

t()
{
    local name=$1 code
    shift
    wanted "$name" || return 0
    case_dir=$work/$(printf '%s' "$name" | tr -c 'A-Za-z0-9.\n-' _)
    mkdir "$case_dir" || exit 2
    ( cd "$case_dir" && "$@" ) </dev/null
    code=$?
    case $code in
    0) echo "ok $name" ;;
    77) printf 'skip %s\t%s\n' "$name" "$(cat "$case_dir.why")" ;; # a tab: there are colons in the names
    *) printf 'FAIL %s\t%s\n' "$name" "$(cat "$case_dir.why" 2>/dev/null || echo "exit $code")" ;;
    esac
    chmod -R u+rwx "$case_dir"
    rm -rf "$case_dir" "$case_dir.why"
}

# another_user UID: as_them runs a command as that user, who can come here; program is cowtui where that user can run it,
# for the tree may lie below a directory that is closed to others (/root). Only root may ask for it.
another_user()
{
    command -v setpriv >/dev/null || skip "setpriv is not installed"
    as_them=(setpriv --reuid="$1" --regid="$1" --clear-groups --)
    program=$work/program # beside the directories of the cases
    [ -e "$program" ] || cp "$COWTUI" "$program" || die "the program cannot be copied"
    chmod 755 "$work" "$case_dir" "$program" # whatever the umask is
    "${as_them[@]}" test -x "$case_dir" || skip "another user cannot come to $work"
    "${as_them[@]}" "$program" --version >/dev/null 2>&1 || skip "another user cannot run a program in $work"
}

# run CODE ARGUMENTS...: runs cowtui; its output is in ./out and ./err. Dies if the exit code is another one,
# if it takes longer than the limit, or if a control byte or a sanitizer's report is in what it says. Who is too
# slow and fails (so it changed nothing) gets a second and a third chance: the machine may have been busy.
run()
{
    local want=$1 code begin ms tries=3
    shift
    while :; do
        begin=${EPOCHREALTIME//[!0-9]/} # in microseconds
        "$COWTUI" "$@" >out 2>err
        code=$?
        ms=$(((${EPOCHREALTIME//[!0-9]/} - begin) / 1000))
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
    if [ -s err ] && grep -qE 'Sanitizer|runtime error' err; then
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
    # What is simple is answered at once, all else by jq.
    [[ ${2:-} == /dev/* ]] || ! query json "$1" "${2:-out}" || return 0
    jq -r "$1" "${2:-out}" 2>jq.err || die "no good JSON for $1: $(cat jq.err)"
}

good_json() # that ./out is
{
    query good-json out || die "no good JSON: $(head -c 300 out)"
}

model()
{
    case " $* " in
    *' /dev/'*) "$PYTHON" -ES "$here/model.py" "$@" ;; # ours, and not those of who answers
    *) query model "$@" ;;
    esac || die "model.py $1 failed"
}

sha() # FILE [N_BYTES]: of its first bytes
{
    query sha "$@" || die "no sum of $1"
}

# What must not change: name, type, size, mtime to the nanosecond, mode, owner, inode and content of each file.
state()
{
    query state "$@" || die "no state of $*"
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

# One with all that a scan can tell: x.cow on b.img, 64 KiB and an odd end. Pages of 8 sectors:
#   0 one changed sector (mixed)      1 all the same as below     2 all zeros over data    3 all changed, dirty
#   4 the same and changed, all dirty 5 two sectors the same (mixed)   6 clean    7 clean, but one is an orphan
#   8 zeros over zeros, all dirty     9 zeros over data and changed    15 half changed (mixed)    16 the end, dirty
all_kinds()
{
    {
        head -c 32768 /dev/zero | tr '\0' 'b'
        head -c 4096 /dev/zero
        head -c 28972 /dev/zero | tr '\0' 'c'
    } >b.img
    touch -d '2003-04-05 06:07:08 UTC' b.img
    model make x.cow b.img 4096 0,8-39,41-42,64-79,120-123,128
    model fill x.cow uml-cow-v3 b.img 8-15,32-35,41-42 same
    model fill x.cow uml-cow-v3 b.img 16-23,64-75 zero
    model fill x.cow uml-cow-v3 b.img 58 other
}

# Each name that an input has, as an output: refused, also with --force, and nothing happens. The command gets
# OPTIONS... -o NAME OPERANDS...; "--" stands for the place of the output.
outputs_refused() # INPUT... -- COMMAND OPTIONS... -- OPERANDS...
{
    local inputs=() asking=() name input had_files=("${frozen_files[@]}") had=$frozen
    while [ "$1" != -- ]; do
        inputs+=("$1")
        shift
    done
    shift
    while [ "$1" != -- ]; do
        asking+=("$1")
        shift
    done
    shift
    for input in "${inputs[@]}"; do
        ln "$input" "hard.$input"
        ln -s "$input" "soft.$input"
    done
    echo precious >exists
    mkdir directory
    freeze "${inputs[@]}" exists
    for input in "${inputs[@]}"; do
        for name in "$input" "./$input" "hard.$input" "soft.$input" "$PWD/$input"; do
            run 3 "${asking[@]}" -o "$name" "$@"
            run 3 "${asking[@]}" -f -o "$name" "$@"
        done
    done
    run 3 "${asking[@]}" -o exists "$@"
    has exists err
    run 3 "${asking[@]}" -f -o directory "$@"
    run 2 "${asking[@]}" -o nowhere/out.cow "$@"
    run 2 "${asking[@]}" -o '' "$@"
    unchanged "a refused output"
    [ -z "$(find . -name '.*cowtui*')" ] || die "something is left: $(find . -name '.*cowtui*')"
    for input in "${inputs[@]}"; do
        rm "hard.$input" "soft.$input"
    done
    rm -r exists directory
    frozen_files=("${had_files[@]}")
    frozen=$had
}

# A change of what exists: without --yes and without a terminal it is refused, -n only shows it, and neither writes.
only_asked() # COMMAND... (its image is the last word)
{
    local there
    there=$(names)
    run 3 "$@"
    has --yes err
    unchanged "a change that was not agreed to"
    run 0 "$@" -n
    [ -s out ] || die "-n shows nothing"
    run 0 "$@" -n -y --json
    [ "$(json '.steps | length')" -gt 1 ] || die "a plan without steps"
    unchanged "a dry run"
    eq "$there" "$(names)" "files after a dry run"
}

# What must stop every change of x.cow, however much it is agreed to.
never_then() # COMMAND OPTIONS...
{
    freeze x.cow
    hold write x.cow
    run 4 "$@" -y x.cow
    has "$holder" err
    run 4 "$@" -y -f x.cow
    let_go
    hold open x.cow # a guest without locks
    run 4 "$@" -y x.cow
    let_go
    touch .x.cow.cowtui-journal
    run 3 "$@" -y x.cow
    has recover err
    rm .x.cow.cowtui-journal
    unchanged "a change that was refused"
    cp x.cow marked.cow
    model poke marked.cow 12 ffffffffffffffff
    run 5 "$@" -y marked.cow
    run 63 "$@" -y b.img
    run 2 "$@" -y nowhere.cow
    rm marked.cow
    [ -z "$(find . -name '.*cowtui*')" ] || die "something is left: $(find . -name '.*cowtui*')"
}

# What became of an image: its bits, its disk and its backing file, by the model; and a kernel opens it.
is_now() # IMAGE BACKING DIRTY SUM
{
    eq "$3" "$(model dirty "$1" uml-cow-v3)" "dirty sectors of $1"
    eq "$4" "$(model compose "$1" uml-cow-v3 "$2")" "composed disk of $1"
    run 0 info --json -b "$2" "$1"
    eq true "$(json .uml.opens)" "would UML open $1"
    eq null "$(json .pending)" "pending at $1"
}

# Takes the change back; the files are as they were when the case put their state into `before`.
back_again() # FILES...
{
    run 0 undo -q -y x.cow
    # shellcheck disable=SC2154 # the case sets it
    eq "$before" "$(state "$@")" "what undo leaves"
    [ -z "$(find . -name '.*cowtui*')" ] || die "undo leaves $(find . -name '.*cowtui*')"
}

# Holds FILE until it is told to end: "write" or "read" with a POSIX lock on all of it, as UML does, "ofd" with one
# of the other kind, "open" without any. Sets holder.
hold() # HOW FILE
{
    cat >hold.py <<'END'
import fcntl, os, struct, sys, time
how, path = sys.argv[1:3]
fd = os.open(path, os.O_RDONLY if how == "read" else os.O_RDWR)
if how == "ofd":
    fcntl.fcntl(fd, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))  # F_OFD_SETLK
elif how != "open":
    fcntl.lockf(fd, fcntl.LOCK_SH if how == "read" else fcntl.LOCK_EX)
open("held", "w").close()
time.sleep(float(sys.argv.pop()))
END
    rm -f held
    "$PYTHON" -ES hold.py "$1" "$2" "$(turns 60)" &
    holder=$!
    for _ in $(seq "$(turns 200)"); do
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

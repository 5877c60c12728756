#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs suites, two at a time where there are two processors, and adds up their counts. A suite ends with a
# line "NAME: N passed, N failed, N skipped", or with exit code 77 and the reason as its last line. What cannot
# be counted (a crash, no count, a bad exit code in spite of a good count) is a failure. The last line printed
# is the total.
# Usage: run.sh BUILD_DIRECTORY SUITE...      suites: unit crash e2e tui tmux guest matrix differential files fuzz, and asan-unit asan-e2e asan-tui
set -u

cd "$(dirname "$0")/.." || exit 2
build=$1
shift
logs=$build/logs
lanes=$(($(nproc) > 1 ? 2 : 1))
mkdir -p "$logs"

export ASAN_OPTIONS=exitcode=99:detect_leaks=1:allocator_may_return_null=1
export UBSAN_OPTIONS=exitcode=99:halt_on_error=1:print_stacktrace=1
export LC_ALL=C.UTF-8
if [ -x "$build/asan/cowtui" ]; then
    ASAN_BINARY=$(realpath "$build/asan/cowtui")
    export ASAN_BINARY
fi

# The command of a suite, a word a line.
command_of() {
    local root=$build
    case $1 in asan-*) root=$build/asan ;; esac
    root=$(realpath "$root")
    case ${1#asan-} in
    unit) printf '%s\n' "$root/tests/unit" ;;
    crash) printf '%s\n' tests/crash/run.sh "$root" ;;
    e2e) printf '%s\n' tests/e2e/run.sh "$root/cowtui" ;;
    matrix) printf '%s\n' tests/matrix/run.sh "$root/cowtui" ;;
    differential) printf '%s\n' tests/differential/run.sh "$root/cowtui" ;;
    files) printf '%s\n' tests/files/run.sh "$root/cowtui" ;;
    fuzz) printf '%s\n' tests/fuzz/run.sh "$root/asan" ;;
    tui) printf '%s\n' tests/tui/run.sh "$root/cowtui" ;;
    tmux) printf '%s\n' tests/tui/tmux.sh "$root/cowtui" ;;
    guest) printf '%s\n' tests/guest/run.sh "$root/cowtui" ;;
    *)
        echo "run.sh: no suite '$1'" >&2
        exit 2
        ;;
    esac
}

# Prints "passed failed skipped" for a finished suite: its log and exit code.
counts_of() {
    local log=$1 code=$2 counts
    if [ "$code" -eq 77 ]; then
        echo 0 0 1
        return
    fi
    counts=$(sed -nE \
        -e 's/^[0-9]+%: Checks: ([0-9]+), Failures: ([0-9]+), Errors: ([0-9]+)$/check \1 \2 \3/p' \
        -e 's/^[a-z0-9-]+: ([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p' "$log" | tail -n 1)
    case $counts in
    check*)
        # shellcheck disable=SC2086 # three numbers
        set -- $counts
        counts="$(($2 - $3 - $4)) $(($3 + $4)) 0"
        ;;
    '')
        echo "the suite gave no count (exit $code)" >>"$log"
        counts="0 1 0"
        ;;
    esac
    # shellcheck disable=SC2086 # three numbers
    set -- $counts
    [ "$code" -eq 0 ] || [ "$2" -gt 0 ] || counts="$1 1 $3"
    echo "$counts"
}

# A directory in memory, where there is one with 2 GiB free: there flushing costs nothing.
memory=
if [ -w /dev/shm ] && [ "$(df --output=avail /dev/shm 2>/dev/null | tail -n 1)" -gt $((2 * 1024 * 1024)) ]; then
    memory=/dev/shm
fi

# Runs one suite and leaves NAME.log and NAME.result ("passed failed skipped line"). What it said is shown when
# it is done, in one piece.
run_suite() {
    local suite=$1 log=$logs/$1.log begin=$SECONDS code=0 command line p f s
    mapfile -t command < <(command_of "$suite")
    # The loop of random headers goes through the sanitizers wherever it runs, each time from another seed.
    case $suite in asan-*) export SEED=2 ;; *) export SEED=1 ;; esac
    # What has run on a disk already, without sanitizers, need not wait for the disk again.
    case $suite in asan-* | tui) [ -z "$memory" ] || export TMPDIR=$memory ;; esac
    "${command[@]}" </dev/null >"$log" 2>&1 || code=$?
    read -r p f s < <(counts_of "$log" "$code")
    line="$suite: $p passed, $f failed, $s skipped ($((SECONDS - begin)) s)"
    [ "$code" -ne 77 ] || line="$line: $(tail -n 1 "$log")"
    [ "$f" -eq 0 ] || line="$line; see $log"
    echo "$p $f $s $line" >"$logs/$suite.result"
    flock "$logs" sh -c 'echo "== $1"; cat "$2"' sh "$suite" "$log"
}

# Suites in the background do not get the terminal's interrupt by themselves.
trap 'trap - TERM; kill 0; exit 130' INT TERM

for suite; do
    command_of "$suite" >/dev/null
    rm -f "$logs/$suite.result"
done
for suite; do
    while [ "$(jobs -rp | wc -l)" -ge "$lanes" ]; do wait -n; done
    run_suite "$suite" &
done
wait

echo
passed=0 failed=0 skipped=0
for suite; do
    read -r p f s line < <(cat "$logs/$suite.result" 2>/dev/null || echo "0 1 0 $suite: 0 passed, 1 failed, 0 skipped: no result")
    echo "$line"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]

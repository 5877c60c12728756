#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The command line from outside: run.sh [BINARY]. A line a case; the last line is the count.
# E2E_ONLY names the test files to run ("info resize"), default all. ASAN_BINARY: the random headers go
# through that one.
set -u

dir=$(cd "$(dirname "$0")" && pwd)
COWTUI=$(realpath "${1:-$dir/../../build/cowtui}")
[ -x "$COWTUI" ] || {
    echo "run.sh: no binary ${1:-build/cowtui}" >&2
    exit 1
}
export COWTUI
export LC_ALL=C.UTF-8
unset NO_COLOR
for tool in jq python3; do
    command -v "$tool" >/dev/null || {
        echo "$tool is not installed"
        exit 77
    }
done
# The interpreter itself: a version manager's wrapper costs more than most cases.
PYTHON=$(python3 -c 'import sys; print(sys.executable)')
export PYTHON

logs=$(mktemp -d) || exit 1
trap 'rm -rf "$logs"' EXIT
trap 'exit 130' INT TERM

# One file, its lines in a log of its own: they come out in one piece however many files run at a time.
run_file()
{
    bash "$1" >"$logs/$2" 2>&1 || echo "FAIL $2: the test file itself ended badly" >>"$logs/$2"
    cat "$logs/$2"
}

jobs=$(nproc 2>/dev/null || echo 2)
running=0
for test in "$dir"/test_*.sh; do
    name=${test##*/test_}
    name=${name%.sh}
    case " ${E2E_ONLY:-$name} " in *" $name "*) ;; *) continue ;; esac
    if [ "$running" -ge "$jobs" ]; then
        wait -n
        running=$((running - 1))
    fi
    run_file "$test" "$name" &
    running=$((running + 1))
done
wait

count()
{
    cat "$logs"/* 2>/dev/null | grep -ac "^$1 "
}

passed=$(count ok)
failed=$(count FAIL)
skipped=$(count skip)
if [ "$failed" -gt 0 ]; then
    echo
    cat "$logs"/* | grep -a '^FAIL '
fi
echo "e2e: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

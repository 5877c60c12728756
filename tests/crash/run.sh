#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# All crash tests: run.sh [BUILD_DIRECTORY [soak]]. Two at a time; a line a mode; the last line is the count. A case is
# a scene in a mode, or a kind of call in kill_real.sh. soak: the full counts (about an hour) instead of the quick ones
# (a minute or two). SEED=N: other choices. To repeat a violation, copy what its "repeat:" line says.
set -u

dir=$(cd "$(dirname "$0")" && pwd)
build=$(realpath "${1:-$dir/../../build}")
crash=$build/tests/crash
seed=${SEED:-1}
[ -x "$crash" ] || {
    echo "run.sh: no binary $crash" >&2
    exit 1
}

# What is run: "mode options" a line.
quick()
{
    cat <<MODES
fsyncs --count 200 --allowed $dir/fsync-allowed.txt
rollbacks --count 200 --allowed $dir/fsync-allowed.txt
power --count 130000
second --count 30000
fault --count 21000
kill --count 5000
oom --count 6000
look
cancel
MODES
}

soak()
{
    cat <<MODES
fsyncs --count 3000 --thorough --allowed $dir/fsync-allowed.txt
rollbacks --count 3000 --thorough --allowed $dir/fsync-allowed.txt
second --count 1000000
power --count 1600000
fault --count 202000
kill --count 50000
oom
look
cancel
MODES
}

logs=$(mktemp -d) || exit 1
trap 'rm -rf "$logs"' EXIT
trap 'exit 130' INT TERM

# One after the other in each of two lanes: real kills in one of their own, for they wait for the disk.
real()
{
    "$dir/kill_real.sh" "$build/cowtui" "${1:-}" >"$logs/kill_real" 2>&1
    local code=$?
    if [ "$code" -eq 77 ]; then
        sed -i '$s/$/; kill_real: 0 passed, 0 failed, 1 skipped/' "$logs/kill_real"
    elif ! tail -n 1 "$logs/kill_real" | grep -q ' passed, '; then
        echo "kill_real: 0 passed, 1 failed, 0 skipped" >>"$logs/kill_real"
    fi
}

one()
{
    local mode=$1
    shift
    "$crash" "$mode" --seed "$seed" "$@" >"$logs/$mode" 2>&1
    tail -n 1 "$logs/$mode" | grep -q ' passed, ' ||
        echo "$mode: ended badly; 0 passed, 1 failed, 0 skipped" >>"$logs/$mode"
}

kind=${2:-quick}
[ "$kind" = soak ] || kind=quick
real "$kind" &
lane=0
while read -r mode options; do
    # shellcheck disable=SC2086 # options are words
    one "$mode" $options &
    lane=$((lane + 1))
    [ "$lane" -lt 2 ] || wait -n
done < <($kind)
wait

for log in "$logs"/*; do
    grep -v -e '^ok ' "$log"
done
# "N passed, N failed, N skipped" ends the last line of each.
counts=$(for log in "$logs"/*; do
    tail -n 1 "$log"
done | sed -nE 's/.* ([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p' |
    awk '{ p += $1; f += $2; s += $3 } END { print p + 0, f + 0, s + 0 }')
read -r passed failed skipped <<<"$counts"
echo "crash: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

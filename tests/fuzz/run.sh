#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Hostile filesystems through the core: run.sh BUILD [--parts | SHARE]. A part is a share of the executions ("1 of 2", or
# "all"), a case is the number of one; ONLY_CASE=NUMBER repeats just that, and shows what was done to the seed. They begin
# at SEED times a million; LEVEL, or COUNT, says how many. The fuzz target is BUILD/tests/fuzz. The last line is the
# count; 77: e2fsprogs is missing.
set -u

dir=$(cd "$(dirname "$0")" && pwd)
build=${1:-$dir/../../build/asan}
share=${2:-all}
case ${LEVEL:-test} in more) count=${COUNT:-20000} ;; soak) count=${COUNT:-500000} ;; *) count=${COUNT:-5000} ;; esac
first=$((${SEED:-1} * 1000000))
if [ "$share" = --parts ]; then
    printf '%s\n' '1 of 2 30' '2 of 2 30'
    exit 0
fi
case $share in
*' of '*)
    count=$((count / ${share#* of }))
    first=$((first + count * (${share% of *} - 1)))
    lanes=1
    ;;
*) lanes=$(nproc) ;;
esac
# Executions that found something: an inode with a wrong checksum in libext2fs's cache under another one's number.
known=(5025850 5473550 5431809 5046048 5049008)
case ${ONLY_CASE:-} in
'') case $share in all | '1 of '*) ;; *) known=() ;; esac ;;
*[!0-9]*) exit 0 ;; # a case is a number
*)
    case $share in all | '1 of '*) ;; *) exit 0 ;; esac
    count=1 first=$ONLY_CASE lanes=1 known=()
    ;;
esac
target=$build/tests/fuzz
[ -x "$target" ] || {
    echo "run.sh: no fuzz target $target" >&2
    exit 1
}
for tool in python3 mke2fs debugfs; do
    PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null || {
        echo "$tool is not installed"
        exit 77
    }
done
# shellcheck source=tests/leaks.sh
. "$dir/../leaks.sh"
leaks=$(leaks_by "$target")
[ "$leaks" = 1 ] || echo "skip leaks: LeakSanitizer may not trace here (ptrace is forbidden)"
export ASAN_OPTIONS=exitcode=99:detect_leaks=$leaks:allocator_may_return_null=1:max_allocation_size_mb=64:handle_abort=1
export UBSAN_OPTIONS=exitcode=99:halt_on_error=1:print_stacktrace=1
export LC_ALL=C.UTF-8

place=
[ ! -w /dev/shm ] || place=/dev/shm
work=$(mktemp -d "${place:-${TMPDIR:-/tmp}}/cowtui-fuzz.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'trap - TERM; kill 0; exit 130' INT TERM

python3 -ES "$dir/seeds.py" "$work/seeds" || exit 1
self_test=(self-test)
[ "$leaks" = 1 ] || self_test+=(no-leaks)
"$target" "${self_test[@]}" >"$work/out.self" 2>"$work/err.self"
passed=0 failed=0
for number in "${known[@]}"; do
    if "$target" "$work/seeds" "$work" "$number" 1 >"$work/out.known" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        head -c 20000 "$work/out.known"
    fi
done
[ "$count" -ge $((lanes * 100)) ] || lanes=1
begin=$first
for ((lane = 0; lane < lanes; lane++)); do
    share=$(((count + lane) / lanes))
    "$target" "$work/seeds" "$work" "$begin" "$share" >"$work/out.$lane" 2>"$work/err.$lane" &
    begin=$((begin + share))
done
wait

for lane in self $(seq 0 $((lanes - 1))); do
    head -c 20000 "$work/err.$lane"
    grep -v '^[0-9]' "$work/out.$lane"
    ran=0 bad=1
    read -r ran bad < <(tail -n 1 "$work/out.$lane" | grep -E '^[0-9]+ [0-9]+$')
    passed=$((passed + ran - bad)) failed=$((failed + bad))
done
[ "$passed" -ge 0 ] || passed=0
[ "$failed" -eq 0 ] || echo "again, and what was changed: make test ONLY=fuzz::NUMBER"
echo "fuzz: $passed passed, $failed failed, $((1 - leaks)) skipped"
[ "$failed" -eq 0 ]

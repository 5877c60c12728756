#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Fuzzing: run.sh BUILD [--parts | PART]. BUILD is sanitized, and holds the fuzz target (tests/fuzz) of the numbered
# executions; the libFuzzer targets are in BUILD/../fuzzer/fuzzers, or nowhere: then they are skipped, and said why. 77:
# nothing can run. The last line is the count.
#
# A part "1 of 2" is a share of the numbered executions: hostile filesystems, a case is the number of one, and
# ONLY_CASE=NUMBER repeats just that, and shows what was done to the seed. They begin at SEED times a million; LEVEL, or
# COUNT, says how many. A part "TARGET" is a libFuzzer target (tests/fuzz/targets): its corpus is replayed (corpus/TARGET,
# and what starts.py makes), a case is a file of it, and then it fuzzes for as long as LEVEL, or FUZZ_SECONDS, says. What
# it finds is kept in BUILD/../fuzzer/found/TARGET; ONLY_CASE=FILE repeats a file, of the corpus or by its path.
set -u

dir=$(cd "$(dirname "$0")" && pwd)
build=${1:-$dir/../../build/asan}
part=${2:-all}
fuzzers=$(dirname "$build")/fuzzer/fuzzers found=$(dirname "$build")/fuzzer/found
mapfile -t targets < <(cd "$dir/targets" && printf '%s\n' *.c | sed 's/\.c$//')
# Where libFuzzer targets run, there are less of the numbered executions.
[ -x "$fuzzers/guestfs" ] && count=1000 || count=5000
case ${LEVEL:-test} in
more) count=${COUNT:-20000} seconds=${FUZZ_SECONDS:-30} ;;
soak) count=${COUNT:-500000} seconds=${FUZZ_SECONDS:-3600} ;;
*) count=${COUNT:-$count} seconds=${FUZZ_SECONDS:-2} ;;
esac
if [ "$part" = --parts ]; then
    printf '%s 30\n' '1 of 2' '2 of 2'
    printf "%s $((seconds + 3))\n" "${targets[@]}"
    exit 0
fi
case ${ONLY_CASE:-} in
'') ;;
*[!0-9]*) case $part in *' of '* | all) exit 0 ;; esac ;; # of the numbered executions a case is a number
*) case $part in 1' of '* | all) ;; *) exit 0 ;; esac ;;
esac
[ -x "$build/tests/fuzz" ] || {
    echo "run.sh: no fuzz target $build/tests/fuzz" >&2
    exit 1
}
# shellcheck source=tests/leaks.sh
. "$dir/../leaks.sh"
leaks=$(leaks_by "$build/tests/fuzz")
[ "$leaks" = 1 ] || echo "skip leaks: LeakSanitizer may not trace here (ptrace is forbidden)"
export ASAN_OPTIONS=exitcode=99:detect_leaks=$leaks:allocator_may_return_null=1:max_allocation_size_mb=64:handle_abort=1
export UBSAN_OPTIONS=exitcode=99:halt_on_error=1:print_stacktrace=1
export LSAN_OPTIONS=suppressions=$dir/leaks.txt:print_suppressions=0
export LC_ALL=C.UTF-8

place=
[ ! -w /dev/shm ] || place=/dev/shm
work=$(mktemp -d "${place:-${TMPDIR:-/tmp}}/cowtui-fuzz.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'trap - TERM; kill 0; exit 130' INT TERM

# Seeds with filesystems on them; 77 where they cannot be made.
make_seeds() {
    local tool
    for tool in python3 mke2fs debugfs; do
        PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null || {
            echo "$tool is not installed"
            exit 77
        }
    done
    python3 -ES "$dir/seeds.py" "$work/seeds" || exit 1
}

# ---- libFuzzer -----------------------------------------------------------------------------------------

# With the options that each run has.
fuzzer() {
    local target=$1 most=4096 scale
    shift
    case $target in header) most=65536 ;; tables) most=131072 ;; esac
    scale=$(awk -v scale="${TIME_SCALE:-1}" 'BEGIN { printf "%d", scale * 20 + 1 }')
    FUZZ_SCRATCH=$work FUZZ_SEEDS=$work/seeds FUZZ_KEEP=$work "$fuzzers/$target" -timeout="$scale" -rss_limit_mb=1024 \
        -malloc_limit_mb=64 -detect_leaks="$leaks" -max_len=$most -artifact_prefix="$work/found-" "$@" >"$work/out" 2>&1
}

# Why the last run ended as it did, in a line.
why() {
    grep -hE -m 1 '^fuzz: |^SUMMARY: |ERROR: libFuzzer' "$work/out" || tail -n 1 "$work/out"
}

again() {
    echo "again: make test ONLY='fuzz:$1:$2'"
}

# Files of a corpus, all in a process; behind one that fails the others go on in another.
replay() {
    local target=$1 at=0
    shift
    local files=("$@")
    while [ "$at" -lt ${#files[@]} ]; do
        if fuzzer "$target" "${files[@]:at}"; then
            passed=$((passed + ${#files[@]} - at))
            return
        fi
        local ran
        ran=$(grep -c '^Running: ' "$work/out")
        [ "$ran" -gt 0 ] || ran=1
        local file=${files[at + ran - 1]}
        passed=$((passed + ran - 1)) failed=$((failed + 1))
        echo "FAIL $(basename "$file"): $(why)"
        again "$target" "$(basename "$file")"
        head -c 8000 "$work/out" | grep -v '^INFO: \|^Running: \|^Executed '
        at=$((at + ran))
    done
}

# Looks for something new, and keeps what it finds.
search() {
    local target=$1 corpora=("${@:2}") ran file
    mkdir -p "$work/new"
    if ! fuzzer "$target" -max_total_time="$seconds" -seed="${SEED:-1}" -print_final_stats=1 "$work/new" "${corpora[@]}"; then
        failed=$((failed + 1))
        mkdir -p "$found/$target"
        for file in "$work"/found-*; do
            [ -e "$file" ] || continue
            cp "$file" "$found/$target/${file##*/found-}"
            echo "FAIL ${file##*/found-}: $(why)"
            again "$target" "$(realpath --relative-to="$dir/../.." "$found/$target/${file##*/found-}")"
        done
        [ -e "$found/$target" ] || echo "FAIL $target: $(why)"
        tail -c 8000 "$work/out"
    fi
    ran=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/out")
    passed=$((passed + ${ran:-0}))
    echo "$target: ${ran:-0} executions in $seconds s"
}

run_target() {
    local target=$1 files=() file reason
    [ -x "$fuzzers/$target" ] || {
        reason=$(sh "$dir/can_build.sh") && reason="$fuzzers/$target is not built"
        echo "$reason"
        exit 77
    }
    [ "$target" != guestfs ] || make_seeds
    python3 -ES "$dir/starts.py" "$work/starts" || exit 1
    mkdir -p "$work/starts/$target" "$work/corpus"
    [ ! -d "$dir/corpus/$target" ] || cp -r "$dir/corpus/$target/." "$work/corpus"
    if [ -f "$dir/../../${ONLY_CASE:-/}" ]; then
        files=("$dir/../../$ONLY_CASE")
    else
        # shellcheck source=tests/wanted.sh
        . "$dir/../wanted.sh"
        for file in "$work/corpus"/* "$work/starts/$target"/*; do
            if [ -f "$file" ] && wanted "$(basename "$file")"; then files+=("$file"); fi
        done
    fi
    replay "$target" "${files[@]}"
    [ -n "${ONLY_CASE:-}" ] || search "$target" "$work/starts/$target" "$work/corpus"
    [ $((passed + failed)) -gt 0 ] || exit 0
    echo "fuzz: $passed passed, $failed failed, $((1 - leaks)) skipped"
    [ "$failed" -eq 0 ]
    exit
}

passed=0 failed=0
case $part in
all | *' of '*) ;;
*) run_target "$part" ;;
esac

# ---- numbered executions -------------------------------------------------------------------------------

target=$build/tests/fuzz
first=$((${SEED:-1} * 1000000))
case $part in
*' of '*)
    count=$((count / ${part#* of }))
    first=$((first + count * (${part% of *} - 1)))
    lanes=1
    ;;
*) lanes=$(nproc) ;;
esac
# Executions that found something: an inode with a wrong checksum in libext2fs's cache under another one's number.
known=(5025850 5473550 5431809 5046048 5049008)
case $part in all | '1 of '*) ;; *) known=() ;; esac
[ -z "${ONLY_CASE:-}" ] || count=1 first=$ONLY_CASE lanes=1 known=()
make_seeds
self_test=(self-test)
[ "$leaks" = 1 ] || self_test+=(no-leaks)
"$target" "${self_test[@]}" >"$work/out.self" 2>"$work/err.self"
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

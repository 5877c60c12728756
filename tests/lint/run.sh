#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Everything that can be said about the tree without running it, but for the compilers, which `make lint`
# runs first. Every step is tried; one that finds something makes the whole fail.
# Usage: run.sh BUILD_DIRECTORY
set -u

cd "$(dirname "$0")/../.." || exit 2
build=$1
failed=0

# A step that cannot be made here puts the reason into `why` and returns 77.
step() {
    local name=$1 code=0
    shift
    why=
    "$@" || code=$?
    case $code in
    0) printf '  %-10s ok\n' "$name" ;;
    77) printf '  %-10s skipped: %s\n' "$name" "$why" ;;
    *)
        printf '  %-10s FAILED\n' "$name"
        failed=1
        ;;
    esac
}

# All files of the tree that are text of ours, NUL separated: what git knows or would add.
ours() {
    git ls-files -z --cached --others --exclude-standard -- "$@" |
        while IFS= read -r -d '' file; do
            if [ -f "$file" ]; then printf '%s\0' "$file"; fi
        done
}

# Where git answers nothing (not a clone, or somebody else's), all that follows would look at no file and pass.
tree() {
    [ -n "$(ours 'src/*.c' | tr '\0' ' ')" ]
}

# Each version of clang-format has its own opinion of some lines; that of one counts.
FORMAT_VERSION=14

format() {
    local program
    for program in "clang-format-$FORMAT_VERSION" clang-format; do
        case $("$program" --version 2>/dev/null) in
        *" version $FORMAT_VERSION."*)
            ours '*.c' '*.h' | xargs -0 -r "$program" --dry-run -Werror
            return
            ;;
        esac
    done
    why="clang-format $FORMAT_VERSION decides, and is not here ($(clang-format --version 2>/dev/null | grep -o 'version [0-9.]*' || echo none))"
    return 77
}

# uninitvar is left to the compilers (at -O2) and the sanitizers: cppcheck takes the address of a variable behind a
# ? for a read of it. So are pointers of allocations that failed left to the crash suite, which makes each one fail:
# cppcheck does not see that `status` stands for them. That it looked at fewer branches than it could is no finding.
static_analysis() {
    mkdir -p "$build/cppcheck"
    cppcheck --quiet --std=c11 --language=c -j "$(nproc)" --cppcheck-build-dir="$build/cppcheck" \
        --enable=warning,performance,portability --inline-suppr --suppress=missingIncludeSystem \
        --suppress=uninitvar --suppress=ctuuninitvar --suppress=normalCheckLevelMaxBranches \
        --suppress=nullPointerOutOfMemory --suppress=nullPointerArithmeticOutOfMemory \
        --suppress=ctunullpointerOutOfMemory \
        --error-exitcode=1 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 '-DCOWTUI_VERSION="0"' \
        -Iinclude -Isrc src
}

# What it cannot be asked without is told by its last line.
dialect() {
    local said code=0
    said=$(tests/lint/dialect.py --self-test && BUILD=$build/lint-gcc tests/lint/dialect.py) || code=$?
    [ -z "$said" ] || printf '%s\n' "$said"
    [ "$code" != 77 ] || why=$said
    return "$code"
}

# Warnings, not remarks: those take every jq program in single quotes for a mistake.
scripts() {
    ours | xargs -0 grep -lZE '^#!(/bin/sh|/usr/bin/env bash|/bin/bash)' |
        xargs -0 -r shellcheck -S warning -x -P SCRIPTDIR -P .
}

python() {
    ours '*.py' | xargs -0 -r python3 -c '
import ast, sys
for path in sys.argv[1:]:
    ast.parse(open(path, encoding="utf-8").read(), path)'
}

# libcow.a must do without curses, readline and jansson: all of it is linked with just what reads file systems.
library_alone() {
    local scratch=$build/lint-gcc/alone
    # shellcheck disable=SC2046 # a list of options
    echo 'int main(void) { return 0; }' |
        gcc -x c - -x none -o "$scratch" -Wl,--whole-archive "$build/lint-gcc/libcow.a" -Wl,--no-whole-archive \
            -Wl,--as-needed $(pkg-config --libs ext2fs com_err blkid)
}

# Paths of the machine that something was written on do not belong here.
machine_paths() {
    ! ours | xargs -0 grep -InE '(^|[^[:alnum:]_.$}-])/(wor[k]|hom[e]/[a-z]+/(src|git|cowtui))(/|$|[^[:alnum:]])'
}

licence() {
    local bad
    bad=$(ours '*.c' '*.h' '*.py' '*.sh' Makefile .ci/run .ci/deps .ci/version .ci/hardening tests/e2e/complete.zsh | xargs -0 grep -L 'SPDX-License-Identifier')
    [ -z "$bad" ] || {
        echo "no SPDX line: $bad"
        return 1
    }
}

# A check that finds nothing proves nothing before it has been seen to find something.
self_tests() {
    tests/lint/includes.py --self-test && tests/lint/rooms.py --self-test && tests/lint/sizes.py --self-test &&
        tests/lint/prototypes.py --self-test
}

step tree tree
step self-test self_tests
step includes tests/lint/includes.py
step rooms tests/lint/rooms.py
step sizes tests/lint/sizes.py
step prototypes tests/lint/prototypes.py
step dialect dialect
step library library_alone
step format format
step cppcheck static_analysis
step shellcheck scripts
step python python
step licence licence
step paths machine_paths
exit "$failed"

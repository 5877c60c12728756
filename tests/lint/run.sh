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

step() {
    local name=$1
    shift
    if "$@"; then
        printf '  %-10s ok\n' "$name"
    else
        printf '  %-10s FAILED\n' "$name"
        failed=1
    fi
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

format() {
    ours '*.c' '*.h' | xargs -0 -r clang-format --dry-run -Werror
}

# uninitvar is left to the compilers (at -O2) and the sanitizers: cppcheck takes the address of a variable behind a
# ? for a read of it.
static_analysis() {
    mkdir -p "$build/cppcheck"
    cppcheck --quiet --std=c11 --language=c -j "$(nproc)" --cppcheck-build-dir="$build/cppcheck" \
        --enable=warning,performance,portability --inline-suppr --suppress=missingIncludeSystem \
        --suppress=uninitvar --suppress=ctuuninitvar \
        --error-exitcode=1 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 '-DCOWTUI_VERSION="0"' \
        -Iinclude -Isrc src
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
    bad=$(ours '*.c' '*.h' '*.py' '*.sh' Makefile .ci/run .ci/deps .ci/version | xargs -0 grep -L 'SPDX-License-Identifier')
    [ -z "$bad" ] || {
        echo "no SPDX line: $bad"
        return 1
    }
}

step tree tree
step self-test tests/lint/includes.py --self-test
step includes tests/lint/includes.py
step library library_alone
step format format
step cppcheck static_analysis
step shellcheck scripts
step python python
step licence licence
step paths machine_paths
exit "$failed"

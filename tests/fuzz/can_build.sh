#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Can libFuzzer targets be built here? Exits with 0, or prints why not and exits with 1.
set -eu

command -v clang >/dev/null 2>&1 || {
    echo "clang is not installed"
    exit 1
}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM HUP
echo 'int LLVMFuzzerTestOneInput(const char *data, unsigned long n); int LLVMFuzzerTestOneInput(const char *data, unsigned long n) { return data == 0 && n > 0; }' \
    >"$scratch/probe.c"
clang -fsanitize=fuzzer,address,undefined -o "$scratch/probe" "$scratch/probe.c" >/dev/null 2>&1 || {
    echo "clang here has no libFuzzer (libclang-rt-dev)"
    exit 1
}

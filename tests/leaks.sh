# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# Sourced by what runs sanitized programs.

# leaks_by BINARY: for ASAN_OPTIONS, 1 where a sanitized program can look for leaks, 0 where it cannot: at its end it
# looks at itself by ptrace, and where that is forbidden it would die of it, every time.
leaks_by() {
    local said
    said=$(ASAN_OPTIONS=detect_leaks=1 "$1" --version 2>&1 </dev/null)
    case $said in
    *'LeakSanitizer has encountered a fatal error'*) echo 0 ;;
    *) echo 1 ;;
    esac
}

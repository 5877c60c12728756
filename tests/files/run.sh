#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Ext filesystems of all kinds and what has changed in them, against a reader of the tests' own and e2fsprogs:
# run.sh BINARY [--parts | FILESYSTEM...] [--keep]. A part is a filesystem, a case is a question to it; ONLY_CASE asks
# just that one. LEVEL=soak: the large directory has 100,000 files (else 2,000). SEED (default 1) gives other content. The
# last line is the count; 77: e2fsprogs is not there.
set -u

dir=$(cd "$(dirname "$0")" && pwd)
binary=$(realpath "${1:-$dir/../../build/cowtui}")
[ -x "$binary" ] || {
    echo "run.sh: no binary ${1:-build/cowtui}" >&2
    exit 1
}
[ $# -eq 0 ] || shift
for tool in python3 mke2fs debugfs; do
    PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null || {
        echo "$tool is not installed"
        exit 77
    }
done
export LC_ALL=C.UTF-8
unset NO_COLOR
case ${LEVEL:-test} in soak) many=100000 ;; *) many=2000 ;; esac
options=()
for word; do
    case $word in
    --parts) options+=(--names) ;;
    --*) options+=("$word") ;;
    *) options+=(--only "$word") ;;
    esac
done
[ -z "${ONLY_CASE:-}" ] || options+=(--check "$ONLY_CASE")
# The interpreter itself: a version manager's wrapper would cost as much as a case.
exec "$(python3 -c 'import sys; print(sys.executable)')" -ES "$dir/files.py" "$binary" "$many" "${options[@]}"

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# All operations on filesystems of many kinds: run.sh BINARY [--parts | FILESYSTEM...]. A part is a filesystem, made for the
# purpose and mounted; a case is an operation that is committed, undone, or killed at some of its system calls and recovered
# (worlds.py). LEVEL=soak: at all of them. What cannot be mounted is skipped, and the reason told; 77: nothing can.
set -u

dir=$(cd "$(dirname "$0")" && pwd)
binary=$(realpath "${1:-$dir/../../build/cowtui}")
[ -x "$binary" ] || {
    echo "run.sh: no binary ${1:-build/cowtui}" >&2
    exit 1
}
[ $# -eq 0 ] || shift
command -v python3 >/dev/null || {
    echo "python3 is not installed"
    exit 77
}
export LC_ALL=C.UTF-8 PATH=$PATH:/usr/sbin:/sbin
unset NO_COLOR
exec "$(python3 -c 'import sys; print(sys.executable)')" -BES "$dir/worlds.py" "$binary" "$@"

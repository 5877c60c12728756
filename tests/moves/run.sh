#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Growing in place, on real filesystems: run.sh BINARY [--parts | PART...]. Parts: filesystems that are shut down in the
# middle (shutdowns.py), one without room for a copy (full.py), directories that are copied half way (copies.py). LEVEL
# says how many rounds. What cannot be mounted is skipped, and the reason told.
set -u

dir=$(cd "$(dirname "$0")" && pwd)
binary=$(realpath "${1:-$dir/../../build/tests/cowtui}")
[ -x "$binary" ] || {
    echo "run.sh: no binary ${1:-build/tests/cowtui}" >&2
    exit 1
}
[ $# -eq 0 ] || shift
command -v python3 >/dev/null || {
    echo "python3 is not installed"
    exit 77
}
export LC_ALL=C.UTF-8 PATH=$PATH:/usr/sbin:/sbin
unset NO_COLOR
exec "$(python3 -c 'import sys; print(sys.executable)')" -BES "$dir/moves.py" "$binary" "$@"

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Random images through every command, against a decoder of the tests' own: run.sh [BINARY] [COUNT]
# [--only N] [--keep]. SEED (default 1) gives other images; --only repeats one of them, --keep leaves the files of
# those that failed. The last line is the count.
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
export LC_ALL=C.UTF-8
unset NO_COLOR
# The interpreter itself: a version manager's wrapper would cost as much as the suite's first images.
exec "$(python3 -c 'import sys; print(sys.executable)')" -ES "$dir/differential.py" "$binary" "$@"

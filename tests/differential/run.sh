#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Random images through every command, against a decoder of the tests' own: run.sh BINARY [--parts | SHARE]
# [OPTIONS OF differential.py...]. A part is a share of the images ("2 of 4", or "all"), a case is "image N" or "image N,
# OPERATION"; ONLY_CASE repeats just that one. LEVEL says how many images, SEED (default 1) gives others; --keep leaves
# the files of those that failed. The last line is the count.
set -u

dir=$(cd "$(dirname "$0")" && pwd)
binary=$(realpath "${1:-$dir/../../build/cowtui}")
share=${2:-all}
shift $(($# < 2 ? $# : 2))
case ${LEVEL:-test} in more) count=240 ;; soak) count=3000 ;; *) count=120 ;; esac
if [ "$share" = --parts ]; then
    for part in 1 2 3 4; do echo "$part of 4 30"; done
    exit 0
fi
[ "$share" != all ] || share="1 of 1"
[ -x "$binary" ] || {
    echo "run.sh: no binary $binary" >&2
    exit 1
}
command -v python3 >/dev/null || {
    echo "python3 is not installed"
    exit 77
}
only=()
if [ -n "${ONLY_CASE:-}" ]; then
    [[ $ONLY_CASE =~ ^image\ ([0-9]+)(,\ (.*))?$ ]] || exit 0
    [ $((BASH_REMATCH[1] % ${share#* of } + 1)) -eq "${share% of *}" ] || exit 0
    only=(--only "${BASH_REMATCH[1]}" ${BASH_REMATCH[3]:+--operation "${BASH_REMATCH[3]}"})
fi
export LC_ALL=C.UTF-8
unset NO_COLOR
# The interpreter itself: a version manager's wrapper would cost as much as the suite's first images.
exec "$(python3 -c 'import sys; print(sys.executable)')" -ES "$dir/differential.py" "$binary" "$count" --share "${share/ of //}" \
    "${only[@]}" "$@"

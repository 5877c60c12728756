#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The geometry matrix: run.sh BINARY [COUNT] [OPTIONS OF matrix.py...]. Formats, sector sizes, alignments,
# sizes, dirty patterns and garbage are combined; each combination is resized, shrunk and undone, and compared
# with a model written from share/doc/format.md alone. SEED chooses other combinations; what fails names its
# number, and --only NUMBER repeats just that one. The last line is the count.
set -u

dir=$(cd "$(dirname "$0")" && pwd)
binary=${1:-$dir/../../build/cowtui}
count=500
shift $(($# < 1 ? 0 : 1))
if [[ ${1:-} =~ ^[0-9]+$ ]]; then
    count=$1
    shift
fi
[ -x "$binary" ] || {
    echo "run.sh: no binary $binary" >&2
    exit 1
}
export LC_ALL=C.UTF-8
command -v python3 >/dev/null || {
    echo "python3 is not installed"
    exit 77
}

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

python3 -BES "$dir/matrix.py" "$binary" "$count" --seed "${SEED:-1}" --work "$work" "$@"

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The geometry matrix: run.sh BINARY [--parts | SHARE] [OPTIONS OF matrix.py...]. Formats, sector sizes, alignments,
# sizes, dirty patterns and garbage are combined; each combination is resized, shrunk and undone, and compared with a
# model written from share/doc/format.md alone. A part is a share of them ("2 of 4"), a case is a combination's number;
# ONLY_CASE=NUMBER repeats just that one and tells each command. LEVEL says how many, SEED chooses others, JOBS how many
# at a time. The last line is the count.
set -u

dir=$(cd "$(dirname "$0")" && pwd)
binary=${1:-$dir/../../build/cowtui}
share=${2:-1 of 1}
shift $(($# < 2 ? $# : 2))
case ${LEVEL:-test} in more) count=1000 ;; soak) count=3000 ;; *) count=300 ;; esac
if [ "$share" = --parts ]; then
    for part in 1 2 3 4; do echo "$part of 4 30"; done
    exit 0
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
only=()
case ${ONLY_CASE:-} in
'') ;;
*[!0-9]*) exit 0 ;; # a case is a number
*)
    [ $((ONLY_CASE % ${share#* of } + 1)) -eq "${share% of *}" ] || exit 0
    only=(--only "$ONLY_CASE")
    ;;
esac

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

python3 -BES "$dir/matrix.py" "$binary" "$count" --seed "${SEED:-1}" --work "$work" --jobs "${JOBS:-1}" \
    --share "${share/ of //}" "${only[@]}" "$@"

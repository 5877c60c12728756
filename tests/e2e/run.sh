#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The command line from outside: run.sh BINARY [--parts | NAME...]. A part is a test file (test_NAME.sh); without one
# all are run, one after the other. ONLY_CASE chooses among their cases. A line a case; tests/run.py counts them.
set -u

dir=$(cd "$(dirname "$0")" && pwd)
binary=${1:-$dir/../../build/cowtui}
[ $# -eq 0 ] || shift
if [ "${1:-}" = --parts ]; then
    # Those that take longer than most are begun first; make check has some quick ones. Under sanitizers make more has
    # what takes long and whose code the unit suites go through under sanitizers anyway, and the completions, where it
    # is shells that take the time, and of the program only --help is run. Without them it has what make test plays in part.
    late=' bad compact completions convert files files_odd growfs inplace kin names pages qcow2 rebase resize undo variants '
    case $binary in */asan/*) kind=asan- ;; *) kind= ;; esac
    for test in "$dir"/test_*.sh; do
        name=${test##*/test_}
        name=${name%.sh}
        case $late in *" $name "*) when=late ;; *) when=early ;; esac
        case $kind${LEVEL:-test}:$when:$name in
        asan-more:late:* | more:late:kin) echo "$name 40" && continue ;;
        asan-more:* | more:* | asan-test:late:*) continue ;;
        esac
        case ${LEVEL:-test}:$name in
        check:cli | check:header | check:records | check:merge) echo "$name 5" ;;
        check:*) ;;
        *:resize | *:check | *:files | *:files_odd | *:compact) echo "$name 60" ;;
        *:convert | *:disk | *:growfs | *:guest | *:rebase | *:bad | *:inplace | *:kin | *:undo) echo "$name 20" ;;
        *) echo "$name 10" ;;
        esac
    done
    exit 0
fi
COWTUI=$(realpath "$binary")
[ -x "$COWTUI" ] || {
    echo "run.sh: no binary $binary" >&2
    exit 1
}
export COWTUI
export LC_ALL=C.UTF-8
unset NO_COLOR
for tool in jq python3; do
    command -v "$tool" >/dev/null || {
        echo "$tool is not installed"
        exit 77
    }
done
# The interpreter itself: a version manager's wrapper costs more than most cases.
PYTHON=$(python3 -c 'import sys; print(sys.executable)')
export PYTHON

if [ $# -eq 0 ]; then
    for test in "$dir"/test_*.sh; do
        name=${test##*/test_}
        set -- "$@" "${name%.sh}"
    done
fi
code=0
for name; do
    bash "$dir/test_$name.sh" || code=1
done
exit $code

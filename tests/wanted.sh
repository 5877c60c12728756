# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What the suites that are shell scripts share.

# Whether the case of that name is asked for.
wanted() {
    # shellcheck disable=SC2053 # a pattern
    [ -z "${ONLY_CASE:-}" ] || [ "$1" = "$ONLY_CASE" ] || [[ $1 == $ONLY_CASE ]]
}

# N, or as many more as TIME_SCALE says: how often is looked for something before it is given up.
turns() {
    awk -v n="$1" -v scale="${TIME_SCALE:-1}" 'BEGIN { printf "%d\n", n * scale }'
}

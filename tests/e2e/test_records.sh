#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Records that an older cowtui left beside an image are ended as that one would have done it.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

placed=$work/records
tool=$root/tests/data/records-v2.py
{ mkdir "$placed" && tar -C "$placed" --no-same-owner -xf "$root/tests/data/records-v2.tar.xz" &&
    "$PYTHON" -ES "$tool" place "$placed"; } || exit 2

# By a command alone, and after looking at it first.
ended() # NAME
{
    local end
    cd "$placed/$1" || die "no sample $1"
    end=$(jq -r ".[\"$1\"].end" ../samples.json)
    # shellcheck disable=SC2086 # it is words
    {
        run 0 $end -n
        run 0 $end
    }
    rm -f out err jq.err
    "$PYTHON" -ES "$tool" judge "$placed" "$1" 2>../why || die "$(cat ../why)"
}

for name in $(jq -r 'keys[]' "$placed/samples.json"); do
    t "records of version 2: $name" ended "$name"
done

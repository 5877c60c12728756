#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# map --follow: a line for each change of the bitmap as it happens, a sum at the end that is the bitmap's, and what ends it.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# Sets bits of x.cow, as a guest that writes there would: octets 255 of the bitmap.
dirty() # AT [OCTETS]
{
    head -c "${2:-1}" /dev/zero | tr '\0' '\377' |
        dd of=x.cow bs=1 seek=$(($("$COWTUI" info --json x.cow | jq .layout.bitmap_offset) + $1)) conv=notrunc status=none
}

dirty_sectors() # of x.cow, by the model
{
    model dirty x.cow uml-cow-v3 | tr ',' '\n' | awk -F - '{ n += NF == 2 ? $2 - $1 + 1 : NF } END { print n + 0 }'
}

# Follows x.cow with more options, its lines in `lines`; sets follower. A shell has its background jobs ignore SIGINT, so
# Python begins it.
follow() # OPTION...
{
    : >lines
    "$PYTHON" -ES -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$COWTUI" map --follow --interval 0.05 "$@" x.cow >lines 2>err &
    follower=$!
    comes 1
}

comes() # LINES: so many are there
{
    for _ in $(seq "$(turns 200)"); do
        [ "$(wc -l <lines)" -lt "$1" ] || return 0
        sleep 0.05
    done
    die "there are $(wc -l <lines) lines, not $1: $(cat lines err)"
}

ends() # CODE
{
    local code=0
    for _ in $(seq "$(turns 200)"); do
        kill -0 "$follower" 2>/dev/null || break
        sleep 0.05
    done
    kill -KILL "$follower" 2>/dev/null
    wait "$follower" || code=$?
    eq "$1" "$code" "exit code"
}

as_text()
{
    small
    freeze b.img
    follow
    comes 2
    dirty 2
    comes 3
    dirty 3 3
    comes 4
    kill -INT "$follower"
    ends 0
    [ ! -s err ] || die "it says $(cat err)"
    has "what is written into sectors that are dirty already does not show" lines
    [ "$(grep -vc '^#' lines)" -eq 2 ] || die "other lines than two: $(cat lines)"
    grep -qE '^20[0-9-]+T[0-9:]+\.[0-9]{3}Z +[0-9]+ +[0-9]+ +[0-9]+  [0-9]+\+[0-9]+' lines || die "no such line: $(cat lines)"
    eq "$(dirty_sectors)" "$(tail -n 1 lines | sed -E 's/.*; ([0-9]+) sectors are dirty$/\1/')" "sectors at the end"
    unchanged "following"
}

as_json()
{
    local before
    small
    before=$(dirty_sectors)
    follow --json
    dirty 8 2
    comes 2
    dirty 12
    comes 3
    dirty 12 # what is dirty already
    dirty 0 16
    comes 4
    kill -TERM "$follower"
    ends 0
    jq -se . lines >/dev/null || die "no JSON: $(cat lines)"
    eq "start change change change end" "$(jq -rs 'map(.event) | join(" ")' lines)" "events"
    eq "x.cow 512 $before" "$(jq -rs '.[0] | "\(.image) \(.sector_bytes) \(.dirty_sectors)"' lines)" "the first line"
    eq "16 8192 0 [{\"start\":32768,\"length\":8192,\"dirty\":true}] 0" \
        "$(jq -rs '.[1] | "\(.newly_dirty_sectors) \(.newly_dirty_bytes) \(.newly_clean_sectors) \(.ranges) \(.more_ranges)"' lines)" "a change"
    eq "$(dirty_sectors)" "$(jq -s '.[-1].dirty_sectors' lines)" "sectors at the end"
    eq "$(jq -s 'map(select(.event == "change").newly_dirty_sectors) | add' lines)" \
        "$(jq -s '.[-1].newly_dirty_sectors' lines)" "the sum"
    eq "$(($(dirty_sectors) - before))" "$(jq -s '.[-1].newly_dirty_sectors' lines)" "the sum, by the bitmap"
}

# What has not been told when the signal comes is told before the sum.
last_change()
{
    small
    "$COWTUI" map --follow --json --interval 600 x.cow >lines &
    follower=$!
    comes 1
    dirty 8 2
    kill -TERM "$follower"
    ends 0
    eq "start change end 16" "$(jq -rs '(map(.event) | join(" ")) + " \(.[-1].newly_dirty_sectors)"' lines)" "events"
}

what_ends_it()
{
    small
    cp --preserve=all x.cow keep.cow
    follow
    cp --preserve=all keep.cow other.cow && mv other.cow x.cow
    ends 2
    has "x.cow: is another file now, and so is no longer followed" err
    follow
    rm x.cow
    ends 2
    has "x.cow: is gone, and so is no longer followed" err
    cp --preserve=all keep.cow x.cow
    follow
    truncate --size=-1 x.cow
    ends 2
    has "x.cow: has become shorter" err
    cp --preserve=all keep.cow x.cow
    follow
    printf '\377\377\377\377\377\377\377\377' | dd of=x.cow bs=1 seek=12 conv=notrunc status=none
    ends 2
    has "x.cow: its header is another one now" err
    run 5 map --follow x.cow
}

# Who reads has had enough: it ends quietly, also while nothing is written.
reader_goes()
{
    local code
    small
    timeout "$(turns 20)" "$COWTUI" map --follow --json x.cow 2>err | head -n 1 >lines
    code=${PIPESTATUS[0]}
    eq 141 "$code" "exit code"
    [ ! -s err ] || die "it says $(cat err)"
    has '"event": "start"' lines
}

names_are_escaped()
{
    local name=$'x\e]0;y\a.cow'
    small
    mv x.cow "$name"
    "$COWTUI" map --follow --json "$name" >lines 2>err &
    follower=$!
    comes 1
    mv "$name" elsewhere
    ends 2
    ! grep -q $'[\001-\010\013-\037]' lines err || die "a control byte"
    has 'x\x1b]0;y\x07.cow: is gone' err
}

wrong_use()
{
    small
    run 2 map --follow --scan x.cow
    has "it does not go with --scan" err
    run 2 map --interval 1 x.cow
    has "--interval is for --follow" err
    for bad in 0 0.001 3601 -1 1s x '' 1,5 99999999999999999999; do
        run 2 map --follow --interval "$bad" x.cow
        has "is no number of seconds" err
    done
}

t "a line a change" as_text
t "JSON, a line an object" as_json
t "the last change" last_change
t "what ends it" what_ends_it
t "the reader goes" reader_goes
t "names" names_are_escaped
t "wrong use" wrong_use

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# record and replay: while an image is written to, its bits are kept by a decoder of its own (model.py), and the log tells
# the same ones for each of these moments; logs that are cut off; whose sectors are; what is refused.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# Sets bits of x.cow, as a guest that writes there would: octets of the bitmap, 255 if no other value.
dirty() # AT [OCTETS [VALUE]]
{
    head -c "${2:-1}" /dev/zero | tr '\0' "${3:-\377}" |
        dd of=x.cow bs=1 seek=$((bitmap_offset + $1)) conv=notrunc status=none
}

dirty_ranges() # of x.cow, by the model: "FIRST-LAST" a line
{
    model dirty x.cow uml-cow-v3 | tr ',' '\n' | awk -F - '{ print $1 "-" (NF == 2 ? $2 : $1) }'
}

replayed_ranges() # replay's lines of runs, in the same form
{
    awk '!/^#/ { print $1 / 512 "-" ($1 + $2 + 511 - ($1 + $2 + 511) % 512) / 512 - 1 }' out
}

# Records x.cow to LOG with more options; sets recorder.
record() # LOG OPTION...
{
    local log=$1
    shift
    bitmap_offset=$("$COWTUI" info --json x.cow | jq .layout.bitmap_offset)
    : >lines
    "$COWTUI" record --interval 0.05 -o "$log" "$@" x.cow >lines 2>err &
    recorder=$!
    for _ in $(seq "$(turns 200)"); do
        [ ! -s lines ] || return 0
        kill -0 "$recorder" 2>/dev/null || break
        sleep 0.05
    done
    die "it does not begin: $(cat lines err)"
}

ends() # CODE
{
    local code=0
    for _ in $(seq "$(turns 200)"); do
        kill -0 "$recorder" 2>/dev/null || break
        sleep 0.05
    done
    kill -KILL "$recorder" 2>/dev/null
    wait "$recorder" || code=$?
    eq "$1" "$code" "exit code"
}

# The log has come to what the bitmap has: then that is kept as moment N, with its time.
catch_up() # N
{
    dirty_ranges >"ranges$1"
    local want
    want=$(awk -F - '{ n += $2 - $1 + 1 } END { print n + 0 }' "ranges$1")
    for _ in $(seq "$(turns 200)"); do
        "$COWTUI" replay --json log >moments.json 2>/dev/null
        if [ "$(jq '.moments[-1].dirty_sectors' moments.json)" = "$want" ]; then
            jq '.moments[-1].at_ms' moments.json >"at$1"
            return 0
        fi
        sleep 0.05
    done
    die "the log never has $want sectors: $(cat moments.json err)"
}

read_log()
{
    "$PYTHON" -ES "$here/log.py" dump "$1" || die "log.py failed"
}

seconds() # FILE with milliseconds
{
    printf '%d.%03d' $(($(cat "$1") / 1000)) $(($(cat "$1") % 1000))
}

each_moment()
{
    local i
    small
    freeze b.img
    record log
    catch_up 0
    for i in 1 2 3 4 5; do
        dirty $((i * 3)) $((i % 3 + 1))
        catch_up "$i"
    done
    dirty 4 1 '\0' # which no guest does
    catch_up 6
    kill -TERM "$recorder"
    ends 0
    [ ! -s err ] || die "it says $(cat err)"
    for i in 3 0 6 1 5 2 4; do
        run 0 replay log --at "$(seconds "at$i")"
        replayed_ranges >got
        diff "ranges$i" got >difference || die "at moment $i: $(cat difference)"
        # ... and a reader of the log that is not ours
        awk -v at="$(cat "at$i")" '$1 <= at { line = $2 } END { print line }' <(read_log log) | tr ',' '\n' >got
        diff "ranges$i" got >difference || die "at moment $i by log.py: $(cat difference)"
    done
    eq "$(cat at6)" "$(jq '.moments[-1].at_ms' moments.json)" "the last moment"
    run 0 replay log
    grep -q '^# .*x.cow, .*, uml-cow-v3, on .*b.img$' out || die "no heading: $(cat out)"
    has "it was ended" out
    [ "$(grep -vc '^#' out)" -eq 7 ] || die "other moments than seven: $(cat out)"
    unchanged "recording"
}

# Between two moments: the sectors that were clean before and are dirty then.
between()
{
    local from=$1 to=$2
    comm -13 <(expand_ranges "ranges$from") <(expand_ranges "ranges$to") >want
    run 0 replay log --from "$(seconds "at$from")" --to "$(seconds "at$to")"
    replayed_ranges >got.ranges
    expand_ranges got.ranges >got
    diff want got >difference || die "from $from to $to: $(cat difference)"
}

expand_ranges() # FILE
{
    awk -F - '$2 != "" { for (i = $1; i <= $2; i++) print i }' "$1" | sort
}

two_moments()
{
    small
    record log
    catch_up 0
    dirty 3 2
    catch_up 1
    dirty 9
    catch_up 2
    dirty 1
    dirty 12 4
    catch_up 3
    kill -TERM "$recorder"
    ends 0
    between 0 3
    between 1 2
    between 2 2
    between 1 3
    run 0 replay log --json --from "$(seconds at1)"
    eq "$(jq -c '[.from_ms, .newly_dirty_sectors, .newly_clean_sectors]' out)" \
        "[$(cat at1),$(comm -13 <(expand_ranges ranges1) <(expand_ranges ranges3) | wc -l),0]" "JSON"
    run 0 replay log --json --at "$(seconds at2)"
    eq "$(awk -F - '{ n += $2 - $1 + 1 } END { print n }' ranges2)" "$(jq '[.ranges[].length] | add / 512' out)" "bytes at a moment"
}

# What has not been written when it ends is written before; --for ends it by itself.
last_change()
{
    small
    record log --interval 600
    dirty 8 2
    kill -INT "$recorder" # ignored: a shell has its background jobs do so
    kill -TERM "$recorder"
    ends 0
    dirty_ranges >want
    run 0 replay log --at 9999
    replayed_ranges >got
    cmp want got || die "the last change is missing"
    run 0 record --for 0.3 --json -o second x.cow
    eq "start end" "$(jq -rs 'map(.event) | join(" ")' out)" "events"
    eq "$(stat -c %s second)" "$(jq -s '.[1].log_bytes' out)" "bytes of the log"
    run 0 replay second --json
    [ "$(jq '.length_ms' out)" -ge 300 ] || die "it has ended early: $(cat out)"
    eq '"ended" 0' "$(jq -r '"\(.end | tojson) \(.left_bytes)"' out)" "the end"
}

# A log whose recorder was killed has no end; one that is cut off is read up to its last whole record, and says so.
cut_off()
{
    local size
    small
    record log
    catch_up 0
    dirty 8 2
    catch_up 1
    dirty 15
    catch_up 2
    kill -KILL "$recorder"
    wait "$recorder" 2>/dev/null
    run 0 replay log --json
    eq '"none" 3' "$(jq -r '"\(.end | tojson) \(.moments | length)"' out)" "of a killed one"
    size=$(stat -c %s log)
    truncate --size=$((size - 1)) log
    run 0 replay log
    [ "$(grep -vc '^#' out)" -eq 2 ] || die "other moments than two: $(cat out)"
    has "behind its last whole record cannot be read: the recording was cut off" err
    run 0 replay log --json
    [ "$(jq .left_bytes out)" -gt 8 ] || die "nothing is left: $(cat out)"
    run 0 replay log --at 9999
    replayed_ranges >got
    cmp ranges1 got || die "the last whole record is not the end"
    truncate --size=30 log
    run 5 replay log
    has "ends before the bits at its beginning are whole" err
    run 5 replay x.cow
    has "is no log of a recording" err
    run 2 replay nowhere
}

what_ends_it()
{
    small
    cp --preserve=all x.cow keep.cow
    record log
    cp --preserve=all keep.cow other.cow && mv other.cow x.cow
    ends 2
    has "x.cow: is another file now, and so is no longer followed" err
    run 0 replay log --json
    eq '"replaced"' "$(jq .end out)" "the end"
    run 0 replay log --files # of another file
    has "whose the sectors are cannot be told: $PWD/x.cow: is not the file that was recorded" err
    run 0 replay log --files --json
    has "is not the file that was recorded" out
    rm log
    record log
    truncate --size=-1 x.cow
    ends 2
    run 0 replay log
    has "has become shorter" out
    rm x.cow
    run 0 replay log --owners
    has "whose the sectors are cannot be told" err
}

nothing_is_written_over()
{
    small
    echo "somebody's" >theirs
    ln -s x.cow link
    ln b.img hard
    freeze x.cow b.img theirs
    run 3 record -o x.cow x.cow
    run 3 record --force -o x.cow x.cow
    has "is the image itself" err
    run 3 record --force -o link x.cow
    run 3 record --force -o b.img x.cow
    run 3 record --force -o hard x.cow
    has "a file that the image lies on" err
    run 3 record -o theirs x.cow
    has "exists already" err
    run 3 record --force -o theirs x.cow
    has "is no log of a recording" err
    run 0 record --for 0.1 -o log x.cow
    run 3 record --for 0.1 -o log x.cow
    run 0 record --for 0.1 --force -o log x.cow
    record second
    run 4 record --force -o second x.cow
    kill -TERM "$recorder"
    ends 0
    run 2 record -o nowhere/log x.cow
    unchanged "recording"
}

full_disk()
{
    head -c 2097152 /dev/zero >b.img
    model make x.cow b.img 4096 "$(seq -s , 0 2 4094)" # more runs than go into a KiB
    (
        ulimit -f 1
        run 2 record --for 0.1 -o log x.cow
    ) || exit 1
    has "File too large" err
    [ "$(stat -c %s log)" -lt 1024 ] || die "a part of a record is left"
    run 5 replay log
}

names_are_escaped()
{
    local name=$'x\e]0;y\a.cow'
    small
    mv x.cow "$name"
    run 0 record --for 0.1 -o $'log\e]0;z\a' "$name"
    run 0 replay $'log\e]0;z\a'
    has 'x\x1b]0;y\x07.cow' out
    run 0 replay --json $'log\e]0;z\a'
    jq . out >/dev/null || die "no JSON"
}

some_bits() # BEGIN END: those octets of whole.cow's bitmap
{
    dd if=whole.cow of=x.cow bs=1 skip="$1" seek="$1" count=$(($2 - $1)) conv=notrunc status=none
}

# Files of a guest, with a name that a terminal would obey; only what was written after the first moment is theirs.
whose()
{
    command -v mkfs.ext4 >/dev/null || skip "mkfs.ext4 is not installed"
    command -v debugfs >/dev/null || skip "debugfs is not installed"
    truncate --size=16M disk.img
    mkfs.ext4 -q -F -b 4096 disk.img
    cp disk.img new.img
    head -c 200000 /dev/urandom >content
    printf 'write content file\nwrite content "five\033]0;x\007"\n' >commands
    debugfs -w -f commands new.img >/dev/null 2>&1
    run 0 diff -q -o whole.cow disk.img new.img
    run 0 create -q x.cow disk.img
    record log
    # What a guest does: the data first, then the bits. Both images have the same layout.
    data_offset=$("$COWTUI" info --json x.cow | jq .layout.data_offset)
    eq "$bitmap_offset $data_offset" "$("$COWTUI" info --json whole.cow | jq -r '.layout | "\(.bitmap_offset) \(.data_offset)"')" "layout"
    dd if=whole.cow of=x.cow bs=4096 skip=$((data_offset / 4096)) seek=$((data_offset / 4096)) conv=notrunc status=none
    # In two steps, parted in the middle of a file.
    half=$("$COWTUI" files --owners --json whole.cow | jq 'map(select(.path == "/file"))[0].start + 98304')
    some_bits "$bitmap_offset" $((bitmap_offset + half / 4096))
    catch_up 1
    some_bits $((bitmap_offset + half / 4096)) "$data_offset"
    kill -TERM "$recorder"
    ends 0
    run 0 replay log --files --json
    jq -e '.problem == null' out >/dev/null || die "it has a problem: $(cat out)"
    eq "200704 200704" "$(jq -r '[.files[] | select(.class == "file").new_bytes] | join(" ")' out)" "bytes of the two files"
    eq "$(jq '.newly_dirty_sectors * 512' out)" "$(jq '[.files[].new_bytes] | add' out)" "the sum"
    run 0 replay log --files
    has 'five\x1b]0;x\x07' out
    run 0 replay log --owners
    has 'five\x1b]0;x\x07' out
    run 0 replay log --owners --json
    eq "$(jq '.newly_dirty_sectors * 512' out)" "$(jq '[.owners[].length] | add' out)" "the sum of the pieces"
    run 0 replay log --owners --json --from "$(seconds at1)"
    eq "$(jq '.newly_dirty_sectors * 512' out)" "$(jq '[.owners[].length] | add' out)" "the sum of the second half's"
    eq "/file 98304" "$(jq -r '.owners[0] | "\(.path) \(.file_offset)"' out)" "where that begins"
    run 0 replay log --owners --json --to "$(seconds at1)"
    eq "$(jq '.newly_dirty_sectors * 512' out)" "$(jq '[.owners[].length] | add' out)" "the sum of the first half's"
    eq "98304" "$(jq '[.owners[] | select(.path == "/file").length] | add' out)" "the file's first half"
}

wrong_use()
{
    small
    run 0 record --for 0 -o log x.cow
    run 2 record x.cow
    has "needs to know the log" err
    run 2 record -o y --interval 0 x.cow
    run 2 record -o y --for x x.cow
    has "is no time in seconds" err
    run 2 replay
    run 2 replay log --at 1 --from 0
    run 2 replay log --from 2 --to 1
    has "--from is later than --to" err
    for bad in -1 1s x '' 1,5 . 99999999999999; do
        run 2 replay log --at "$bad"
    done
    run 2 replay log --script nowhere --json
    run 2 info --at 1 x.cow
    run 63 info log
    has "a log of \"cowtui record\"" err
    has "cowtui replay log" err
    [ ! -e y ] || die "a log is left"
}

t "each moment" each_moment
t "two moments" two_moments
t "the last change" last_change
t "cut off" cut_off
t "what ends it" what_ends_it
t "nothing is written over" nothing_is_written_over
t "a full disk" full_disk
t "names" names_are_escaped
t "whose" whose
t "wrong use" wrong_use

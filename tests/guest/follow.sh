# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2154
#
# Following a live guest; sourced by run.sh, in its scratch directory. A guest mounts an ext4 filesystem and writes files of
# known sizes when it is told to, while `map --follow --json` and the screen's F look on, without a lock. What each of them
# counts is what a reader of its own finds in the bitmap; the lines have the time of the writing; a file that is written over
# shows nothing; and Files names what was written, whatever is in its name. Beside them `record` keeps all of it: its log replays to
# the bitmaps that a reader of its own has found at known moments, and at the end.

# Sectors that are dirty, by a reader of its own.
dirty_now() {
    bits_of follow.cow | cut -d ' ' -f 1
}

follow_tmux() {
    tmux -S "$scratch/follow.socket" -f /dev/null "$@"
}

follow_screen() {
    follow_tmux capture-pane -p -t f "$@"
}

follow_shows() { # TEXT on the screen, within the limit
    local i
    for ((i = 0; i < limit; i++)); do
        if follow_screen | grep -qF -- "$1"; then return 0; fi
        sleep 0.1
    done
    echo "not on the screen: $1"
    follow_screen
    return 1
}

# How many sectors the lines of map --follow have told as newly dirty, up to now.
followed_sectors() {
    jq -s 'map(select(.event == "change").newly_dirty_sectors) | add // 0' follow.json
}

# Both count what the bitmap has since they began; each look is at most half a second behind.
counts_agree() {
    local i expected
    for ((i = 0; i < limit; i++)); do
        expected=$(($(dirty_now) - follow_before))
        if [ "$(followed_sectors)" = "$expected" ] &&
            { [ -z "$follow_has_screen" ] || follow_screen | grep -qF "($expected sectors)"; }; then
            return 0
        fi
        sleep 0.1
    done
    echo "the bitmap has $expected more; map --follow: $(followed_sectors); the screen:"
    [ -z "$follow_has_screen" ] || follow_screen
    return 1
}

# The lines told since the marker hold at least so many bytes, and have their time between its making and the answer's, and
# the half second that a look may take.
follow_told_since() { # MARKER ANSWER BYTES
    jq -se --argjson from "$(stat -c %.Y "$1")" --argjson to "$(stat -c %.Y "$2")" --argjson bytes "$3" '
        def seconds: (.[:19] + "Z" | fromdate) + (.[20:23] | tonumber) / 1000;
        [.[] | select(.event == "change") | select((.time | seconds) >= $from - 0.1 and (.time | seconds) <= $to + 3)]
        | (map(.newly_dirty_bytes) | add // 0) >= $bytes' follow.json
}

# All dirty sectors at this moment, "FIRST-LAST" a line, by a reader of its own.
dirty_ranges() {
    python3 "$here/../e2e/model.py" dirty follow.cow uml-cow-v3 | tr ',' '\n' | awk -F - '{ print $1 "-" (NF == 2 ? $2 : $1) }'
}

# The log has come to what the bitmap has, and nobody has written meanwhile: that is kept as moment N.
recorded_moment() { # N
    local i
    for ((i = 0; i < limit; i++)); do
        dirty_ranges >"ranges$1"
        "$cowtui" replay --json follow.log >moments.json 2>/dev/null
        if [ "$(jq '.moments[-1].dirty_sectors' moments.json)" = "$(dirty_now)" ] && dirty_ranges | cmp -s - "ranges$1"; then
            jq '.moments[-1].at_ms' moments.json >"moment$1"
            return 0
        fi
        sleep 0.1
    done
    echo "the log does not come to $(dirty_now) sectors:"
    tail -n 3 moments.json
    return 1
}

at_moment() { # N, in seconds
    printf '%d.%03d' $(($(cat "moment$1") / 1000)) $(($(cat "moment$1") % 1000))
}

# The log's bits of moment N are those that were found then; by `replay`, and by a reader of logs that is not ours.
replays_to() { # N
    "$cowtui" replay --at "$(at_moment "$1")" follow.log | awk '!/^#/ { print $1 / 512 "-" ($1 + $2) / 512 - 1 }' >replayed
    diff "ranges$1" replayed || return
    python3 "$here/../e2e/log.py" dump follow.log | awk -v at="$(cat "moment$1")" '$1 <= at { line = $2 } END { print line }' |
        tr ',' '\n' | diff "ranges$1" -
}

# To which file how many of the bytes belong that were written between two moments.
written_between() { # N M PATH
    "$cowtui" replay --json --files --from "$(at_moment "$1")" --to "$(at_moment "$2")" follow.log |
        jq --arg path "$3" '.files[] | select(.path == $path).new_bytes'
}

# Tells the guest to write, and waits until it says that it has.
follow_let_write() { # N
    touch "follow-go$1"
    wait_for "follow-wrote$1"
}

write_follow_job() {
    write_job follow <<'JOB'
step() { # N
    touch "follow-ready$1"
    for ((i = 0; i < limit; i++)); do [ ! -e "follow-go$1" ] || break; sleep 0.1; done
}
mount -o noatime /dev/ubdb mnt
sync
step 1
head -c 300000 /dev/urandom >mnt/three-hundred-thousand && sync && touch follow-wrote1
step 2
mkdir mnt/dir && head -c 5000000 /dev/urandom >"mnt/dir/"$'five\emillion' && sync && touch follow-wrote2
step 3
head -c 262144 /dev/urandom | dd of=mnt/three-hundred-thousand bs=4096 conv=notrunc oflag=direct status=none && sync && touch follow-wrote3
step 4
umount mnt
touch follow-ended
JOB
}

begin_following() {
    "$cowtui" map --follow --json --interval 0.1 follow.cow >follow.json 2>follow.err &
    follow_pid=$!
    "$cowtui" record --interval 0.1 -o follow.log follow.cow >record.out 2>record.err &
    record_pid=$!
    follow_has_screen=
    if command -v tmux >/dev/null && LC_ALL=C.UTF-8 follow_tmux new-session -d -s f -x 110 -y 30 "$cowtui $PWD/follow.cow" 2>/dev/null; then
        follow_has_screen=yes
        check "the screen shows the image of a running guest" follow_shows "in use by"
        follow_tmux send-keys -t f 2 F
        check "F begins with nothing new" follow_shows "(0 sectors)"
        check "it says what it cannot see" follow_shows "rewrites of sectors that are dirty already do not show"
    fi
    for ((i = 0; i < limit; i++)); do [ ! -s follow.json ] || break; sleep 0.1; done
    check "map --follow begins with what is dirty" equal "$(dirty_now)" "$(jq -s '.[0].dirty_sectors' follow.json)"
    follow_before=$(dirty_now)
    check "record begins with the same" recorded_moment 0
}

# Whether it has ended, with 0, within the limit.
end_follower() { # PID
    local i
    kill -TERM "$1" # the shell has its background jobs ignore SIGINT
    for ((i = 0; i < limit; i++)); do
        kill -0 "$1" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$1" 2>/dev/null
    wait "$1"
}

replay_recording() {
    local i
    check "a signal ends record well" end_follower "$record_pid"
    record_pid=
    for i in 2 0 3 1 4; do
        check "the log replays to the bitmap of moment $i" replays_to "$i"
    done
    check "... and ends with the last one" equal "$(cat moment4)" "$("$cowtui" replay --json follow.log | jq '.moments[-1].at_ms')"
    check "... in order" equal ended "$("$cowtui" replay --json follow.log | jq -r .end)"
    check "between two moments it names the file that was written" \
        test "$(written_between 1 2 '/dir/five\x1bmillion')" -ge 5000000
    check "... and no other one" equal "" "$(written_between 1 2 /three-hundred-thousand)"
    check "record told nothing on standard error" equal "" "$(cat record.err)"
}

follow_guest() {
    local before
    truncate -s 64M follow.img
    mkfs.ext4 -q -F -b 4096 -E nodiscard,lazy_itable_init=0,lazy_journal_init=0 follow.img && touch -d @1049522828 follow.img
    check "create makes the followed disk" "$cowtui" create -q follow.cow follow.img
    write_follow_job
    start_guest follow ubdb=follow.cow
    check "a guest mounts the disk" wait_for follow-ready1
    begin_following
    check "the guest writes a file of 300,000 bytes" follow_let_write 1
    check "screen and lines count what the bitmap has" counts_agree
    check "the lines have the time of the writing" follow_told_since follow-go1 follow-wrote1 300000
    check "record keeps that" recorded_moment 1
    check "the guest writes 5,000,000 bytes more" follow_let_write 2
    check "screen and lines count that, too" counts_agree
    check "record keeps that, too" recorded_moment 2
    check "those lines have their time, as well" follow_told_since follow-go2 follow-wrote2 5000000
    if [ -n "$follow_has_screen" ]; then
        check "what is new glows on the Map" eval "follow_screen | grep -q '[●◉◎]'"
        follow_tmux send-keys -t f 4
        check "Files names the new file and how much of it is new" follow_shows "three-hundred-thousand"
        check "... with its bytes" eval "follow_shows '+' && follow_screen | grep 'three-hundred-thousand' | grep -q '+29[0-9] KiB'"
        follow_tmux send-keys -t f t
        check "no control byte of a name reaches the terminal" follow_shows 'five\x1bmillion'
    fi
    before=$(dirty_now)
    check "the guest writes the first file over" follow_let_write 3
    check "what was written over is no change but for the filesystem's own notes" \
        test $(($(dirty_now) - before)) -lt 256
    check "screen and lines agree to the end" counts_agree
    check "so does the log" recorded_moment 3
    touch follow-go4
    check "the guest unmounts it and shuts down" end_guest
    check "it did all of its work" test -e follow-ended
    check "counts agree when it has ended" counts_agree
    check "the log has that as well" recorded_moment 4
    check "a signal ends map --follow well" end_follower "$follow_pid"
    follow_pid=
    check "the sum is that of the bitmap" equal "$(dirty_now) $(($(dirty_now) - follow_before))" \
        "$(jq -rs '.[-1] | "\(.dirty_sectors) \(.newly_dirty_sectors)"' follow.json)"
    check "nothing was told on standard error" equal "" "$(cat follow.err)"
    replay_recording
    [ -z "$follow_has_screen" ] || follow_tmux kill-server
    rm -f follow.socket
}

follow_guest

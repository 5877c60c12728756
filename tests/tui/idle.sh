# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What following costs while nobody writes: an image of 1 TiB is followed for a minute, by the screen (in Map and in
# Blocks) and by map --follow, and takes less than 1 % of a processor. Read by tmux.sh, whose words and counts it uses. It is
# told on the way that the following was alive: what is written at the end shows, and that only what changes is sent.

# shellcheck disable=SC2034 # why is what tmux.sh tells

IDLE_SECONDS=60 IDLE_PERCENT=1 SENT_BYTES=4000

# Hundredths of a second of a processor that a process has taken.
ticks_of() { # PID
    sed 's/^.*) //' "/proc/$1/stat" | awk -v hertz="$(getconf CLK_TCK)" '{ printf "%d\n", ($12 + $13) * 100 / hertz }'
}

make_idle() {
    truncate --size=1T idle.img && touch --date=@1051358400 idle.img && "$program" create --quiet --force idle.cow idle.img || return
    write_idle 1000000 && touch --date='1 minute ago' idle.cow
}

write_idle() { # SECTOR: a page of 4 KiB becomes dirty
    python3 - "$1" <<'PYTHON'
import os, struct, sys
file = os.open("idle.cow", os.O_RDWR)
alignment = struct.unpack_from(">I", os.pread(file, 32, 0), 24)[0]
os.pwrite(file, b"\xff", -(-4128 // alignment) * alignment + int(sys.argv[1]) // 8)
PYTHON
}

is_idle() { # PID WHAT
    local before after
    before=$(ticks_of "$1") && sleep $IDLE_SECONDS && after=$(ticks_of "$1") || return
    echo "# $2: $((after - before)) hundredths of a second of a processor in $IDLE_SECONDS s"
    why="$((after - before)) hundredths of a second in $IDLE_SECONDS s are more than $IDLE_PERCENT %"
    [ $((after - before)) -lt $((IDLE_SECONDS * IDLE_PERCENT)) ]
}

case_idle_screen() { # KEY
    make_idle || return
    shell "'$program' idle.cow"
    wait_for 'kernel: opens' || return
    keys "$1" F
    wait_for '(0 sectors)' || return
    sleep 5 # the first round, the frames of the beginning
    : >sent && in_tmux pipe-pane -t t 'cat >>sent' || return
    is_idle "$(pgrep --newest --full "^$program idle.cow")" "the screen, in view $1" || return
    why="$(wc -c <sent) bytes were sent, and nothing has changed"
    [ ! -s sent ] || return
    write_idle 3000000
    wait_for '(8 sectors)' || return
    sleep 10 # it fades, and the history moves on
    echo "# $(wc -c <sent) bytes were sent for a page that has become dirty, in 10 s"
    why="$(wc -c <sent) bytes were sent for one page"
    [ "$(wc -c <sent)" -lt $SENT_BYTES ] || return
    in_tmux pipe-pane -t t
    keys q
    wait_end 0
}

case_idle_lines() {
    local pid code=0
    make_idle || return
    "$program" map --follow idle.cow >idle.out &
    pid=$!
    sleep 2
    is_idle "$pid" "map --follow" || code=1
    write_idle 3000000
    sleep 2
    kill -TERM "$pid" && wait "$pid" || code=1
    grep -q ' 8 .* 1536000000+4096$' idle.out || { [ $code -ne 0 ] || why="what was written does not show: $(cat idle.out)"; code=1; }
    return $code
}

t "map follows an idle image of 1 TiB" case_idle_screen 2
t "blocks follows it" case_idle_screen 3
t "map --follow of it" case_idle_lines

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The screen in a real terminal: tmux is the terminal, keys go in, its screen is read back. Everything is waited
# for by a marker with a time limit, nothing by sleeping.
# Usage: tmux.sh COWTUI [--parts | all | hostile | idle]      Parts hostile and idle are files of those names. ONLY_CASE chooses among the cases. The later ones go on with what the
# earlier have made of the image: each of those takes back what it did.
set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
program=$(realpath "${1:-$here/../../build/cowtui}") || exit 2
archive=${DEMO:-$here/../../share/demo/guest-ext4.tar.xz}
if [ "${2:-all}" = --parts ]; then
    echo 'all 60'
    [ "${LEVEL:-test}" = check ] || echo 'hostile 40'
    case ${LEVEL:-test} in more | soak) echo 'idle 210' ;; esac
    exit 0
fi
# shellcheck source=tests/wanted.sh
. "$here/../wanted.sh"

if ! command -v tmux >/dev/null; then
    echo "tmux is not installed"
    exit 77
fi

work=$(mktemp -d) || exit 2
socket=$work/socket
export LC_ALL=C.UTF-8 HOME=$work
export HISTFILE=
export TMPDIR=$work
unset TMUX XDG_STATE_HOME XDG_RUNTIME_DIR INPUTRC NO_COLOR COLUMNS LINES

in_tmux() {
    tmux -S "$socket" -f /dev/null "$@"
}

# shellcheck disable=SC2154 # set when it runs
trap 'code=$?; in_tmux kill-server 2>/dev/null; cd /; rm -rf "$work"; exit $code' EXIT
trap 'exit 130' INT TERM

cd "$work" || exit 2
tar --extract --sparse --no-same-owner --file "$archive" || exit 2
if ! in_tmux new-session -d -s t -x 80 -y 24 "PS1='ready> ' exec bash --norc --noprofile -i" 2>"$work/error"; then
    echo "tmux does not run here: $(head -n 1 "$work/error")"
    exit 77
fi
in_tmux set-option -g default-terminal tmux-256color >/dev/null
in_tmux set-option -s escape-time 0 >/dev/null

limit=$(turns 100) # tenths of a second
screen() {
    in_tmux capture-pane -p -t t "$@"
}

wait_for() { # TEXT on the screen
    local n
    for ((n = 0; n < limit; n++)); do
        if screen | grep -qF -- "$1"; then
            return 0
        fi
        sleep 0.1 # between two looks
    done
    why="waited in vain for \"$1\""
    return 1
}

wait_gone() { # TEXT no longer there
    local n
    for ((n = 0; n < limit; n++)); do
        if ! screen | grep -qF -- "$1"; then
            return 0
        fi
        sleep 0.1
    done
    why="\"$1\" did not go"
    return 1
}

keys() {
    in_tmux send-keys -t t "$@"
}

# Bytes as they are.
raw() {
    # shellcheck disable=SC2059
    printf "$1" >pasted
    in_tmux load-buffer pasted && in_tmux paste-buffer -r -t t
    rm pasted
}

mouse_modes() { # that the program has asked for: presses and dragging, in SGR form
    in_tmux display-message -p -t t '#{mouse_button_flag}#{mouse_sgr_flag}'
}

wait_modes() { # FLAGS
    local n
    for ((n = 0; n < limit; n++)); do
        [ "$(mouse_modes)" != "$1" ] || return 0
        sleep 0.1
    done
    why="the terminal's modes for the mouse are $(mouse_modes)"
    return 1
}

# Starts a command line in an empty window.
shell() {
    keys C-u
    keys -l "clear; $1"
    keys Enter
}

wait_end() { # CODE: the shell is back, the terminal is as it was
    wait_for 'ready>' || return
    # the mark is written so that the command line itself does not hold it
    keys -l "echo left \"with\" \$?; stty -g >after; echo it is \"over\""
    keys Enter
    wait_for "left with $1" && wait_for 'it is over' || return
    why="the terminal's settings are not what they were"
    cmp -s before after || return
    why="the mouse is still asked for"
    [ "$(mouse_modes)" = 00 ] || return
    why="the alternate screen is still on"
    [ "$(in_tmux display-message -p -t t '#{alternate_on}')" = 0 ]
}

pid_of_program() {
    local n pid
    for ((n = 0; n < limit; n++)); do
        for pid in $(ps -e -o pid=,ppid= | awk -v shell="$(in_tmux display-message -p -t t '#{pane_pid}')" '$2 == shell { print $1 }'); do
            if [ "$(readlink "/proc/$pid/exe")" = "$program" ]; then
                echo "$pid"
                return 0
            fi
        done
        sleep 0.1
    done
    return 1
}

failed=0
t() { # NAME FUNCTION ARGUMENTS
    local title=$1
    shift
    wanted "$title" || return
    why=
    if "$@"; then
        echo "ok $title"
    else
        echo "FAIL $title: ${why:-$*}"
        screen | sed 's/^/    /'
        failed=$((failed + 1))
        # whatever still runs ends, so that the next case has a shell
        in_tmux respawn-pane -k -t t "PS1='ready> ' exec bash --norc --noprofile -i"
        in_tmux resize-window -t t -x 80 -y 24
        wait_for 'ready>'
    fi
}

start() {
    shell "'$program' root.cow"
    wait_for 'the whole disk'
}

case_look() {
    start && keys + && wait_gone 'the whole disk' || return
    keys - && wait_for 'the whole disk' || return
    keys ']' ']' ']' && wait_for 'sectors 8736-8839' || return
    keys Down && wait_for 'sectors 16536-16639' || return
    keys Enter && wait_for 'runs of sectors' || return
    keys Enter && wait_for 'differs between COW and backing' || return
    keys Escape && wait_gone 'differs between COW' || return
    keys 1 && wait_for 'Would a stock UML kernel' || return
    keys Tab && wait_for '1 cell = 104' || return
    keys '?' && wait_for 'A cell of the map' || return
    keys q && wait_gone 'A cell of the map' || return
    keys q && wait_end 0
}

case_prompt() {
    start || return
    keys ':' && keys -l 'head' && keys Tab Enter && wait_for 'Fields of the header' || return
    keys ':' && keys Up && wait_for ':header' || return
    keys C-u && keys -l 'goto 16M' && keys Enter 2 && wait_for '@ 16.0 MiB' || return
    keys ':' && keys -l quit && keys Enter && wait_end 0 || return
    why='no history was kept'
    grep -qx 'goto 16M' .local/state/cowtui/history
}

case_complete() { # files, where a command wants one; a name with blanks is one, and "~" is the home directory
    mkdir 'my place' && cp --sparse=always --preserve=timestamps root_fs.img 'my place/it is.img' || return
    start || return
    keys ':' && keys -l 'backing ~/m' && keys Tab && wait_for ':backing ~/my place/' || return
    keys Tab && wait_for ':backing ~/my place/it is.img' || return
    keys Enter && wait_for '/my place/it is.img, as' || return
    keys ':' && keys -l 'merge ro' && keys Tab && wait_for ':merge root' && keys Tab && wait_for 'root.cow  root_fs.img' || return
    keys Escape && wait_for ': Command' || return
    keys ':' && keys -l 'backing' && keys Enter && wait_for 'the backing file is root_fs.img, as the header says' || return
    keys 1 && wait_for 'Fields of the header' && keys q && wait_end 0
}

case_window() {
    start || return
    in_tmux resize-window -t t -x 120 -y 40 && wait_for '1 cell = 56' || return
    in_tmux resize-window -t t -x 40 -y 10 && wait_for 'this terminal has 40x10' || return
    in_tmux resize-window -t t -x 80 -y 24 && wait_for '1 cell = 104' || return
    keys q && wait_end 0
}

case_suspend() {
    start || return
    keys C-z && wait_for 'Stopped' && wait_for 'ready>' || return
    keys -l "stty -g >stopped; echo it is \"back\"" && keys Enter && wait_for 'it is back' || return
    why='the terminal is not clean while stopped'
    cmp -s before stopped || return
    keys -l fg && keys Enter && wait_for 'the whole disk' || return
    keys ']' && wait_for '2 of 104' || return
    keys q && wait_end 0
}

start_with_mouse() {
    shell "'$program' --mouse root.cow"
    wait_for 'the whole disk' && wait_modes 11
}

# KIND;COLUMN;ROW, M or m behind it: 0 press and release, 32 drag, 64 and 65 the wheel.
mouse() {
    local report
    for report in "$@"; do raw "\\033[<$report"; done
}

case_mouse() { # it is asked for on request only
    start && wait_modes 00 && raw '\033[<0;20;5M' || return
    keys ':' && keys -l 'set mouse' && keys Enter && wait_for 'mouse on' && wait_modes 11 || return
    why='a press did something before the mouse was asked for'
    screen | grep -q 'sectors 0-103' || return
    mouse '0;20;5M' '0;20;5m' && wait_for 'sectors 9672-9775' || return
    mouse '0;22;5M' '32;25;6M' '32;26;6M' '0;26;6m' && wait_for 'range 9880-18199' || return
    mouse '0;10;4M' '0;10;4m' && wait_gone 'range' && mouse '65;10;10M' '65;10;10M' '64;10;10M' && wait_for 'sectors 8632-8735' || return
    mouse '0;33;2M' '0;33;2m' && wait_for 'by changed bytes' && mouse '0;10;9M' '0;10;9m' && mouse '0;10;9M' '0;10;9m' && wait_for 'Files ─ /etc' || return
    mouse '0;14;2M' '0;14;2m' && wait_for 'the whole disk' && mouse '0;20;5M' '0;20;5m' '0;20;5M' '0;20;5m' && wait_for 'runs of sectors' || return
    keys ':' && keys -l 'set nomouse' && keys Enter && wait_for 'mouse off' && wait_modes 00 || return
    keys q q && wait_end 0
}

case_mouse_suspend() {
    start_with_mouse && keys C-z && wait_for 'Stopped' && wait_for 'ready>' && wait_modes 00 || return
    keys -l fg && keys Enter && wait_for 'the whole disk' && wait_modes 11 || return
    mouse '0;20;5M' '0;20;5m' && wait_for 'sectors 9672-9775' || return
    keys q && wait_end 0
}

case_mouse_window() { # a column that the old form of reports has no number for
    start_with_mouse && in_tmux resize-window -t t -x 290 -y 50 && wait_for '1 cell = 13' && mouse '0;240;7M' && wait_gone 'sectors 0-12' || return
    in_tmux resize-window -t t -x 290 -y 30 && mouse '0;33;2M' && wait_for 'by changed bytes' && mouse '0;280;7M' && mouse '0;280;7M' && wait_for 'Files ─ /var' || return
    in_tmux resize-window -t t -x 40 -y 10 && wait_for 'this terminal has 40x10' && mouse '0;12;2M' '0;5;5M' || return
    in_tmux resize-window -t t -x 80 -y 24 && wait_for 'by changed bytes' && mouse '0;14;2M' && wait_for '1 cell = 104' && mouse '0;20;5M' && wait_for 'sectors 9672-9775' || return
    keys q && wait_end 0
}

case_mouse_choose() {
    shell "'$program' --mouse"
    wait_for '1 image, 1 other' && wait_modes 11 || return
    mouse '0;10;5M' && wait_for 'it may be a backing file' && mouse '64;10;5M' && wait_gone 'it may be a backing file' || return
    mouse '0;10;4M' '0;10;4M' && wait_for 'the whole disk' && mouse '0;20;5M' && wait_for 'sectors 9672-9775' || return
    keys q && wait_for '1 image, 1 other' && wait_modes 11 && mouse '0;10;5M' '0;10;5M' && wait_for 'Message' || return
    mouse '0;40;10M' '0;40;10M' && keys Enter && wait_gone 'Message' && keys q && wait_end 0
}

case_themes() { # each is drawn, and gone from; colours by colour
    local theme
    start || return
    for theme in 16 contrast dark light mono default; do
        keys ':' && keys -l "theme $theme" && keys Enter && wait_for "theme $theme" || return
        screen -e >theme.txt
        case $theme in
        mono) why='mono has colours' && ! grep -q $'\033\[[0-9;]*[34]8;5' theme.txt || return ;;
        16) why='16 has other colours' && ! grep -q $'\033\[[0-9;]*[34]8;5' theme.txt || return ;;
        *) why="$theme has no colours" && grep -q $'\033\[[0-9;]*38;5' theme.txt || return ;;
        esac
    done
    rm theme.txt
    why=
    keys ':' && keys -l 'set color=never' && keys Enter && wait_for 'color never' || return
    why='there are colours'
    ! screen -e | grep -q $'\033\[[0-9;]*[34]8;5' || return
    keys q && wait_end 0
}

choose() { # alone: the list of this directory
    shell "'$program'"
    wait_for 'root.cow'
}

case_choose() { # an image from the list, and back; in another window; a stop; what is no image
    choose && wait_for '1 image, 1 other' && keys Enter && wait_for 'the whole disk' && wait_for 'q List' || return
    in_tmux resize-window -t t -x 120 -y 40 && wait_for 'dirty 1904 of 131072' && keys q && wait_for '1 image, 1 other' || return
    in_tmux resize-window -t t -x 40 -y 10 && wait_for 'this terminal has 40x10' || return
    in_tmux resize-window -t t -x 80 -y 24 && wait_for '1 image, 1 other' || return
    keys C-z && wait_for 'Stopped' && wait_for 'ready>' || return
    keys -l fg && keys Enter && wait_for '1 image, 1 other' || return
    keys G && wait_for 'it may be a backing file' && keys Enter && wait_for 'Message' || return
    keys q && wait_gone 'Message' && keys q && wait_end 0
}

case_choose_signal() { # in the list, and in an image from it
    local pid
    choose && pid=$(pid_of_program) && kill -TERM "$pid" && wait_end 143 || return
    choose && keys Enter && wait_for 'the whole disk' && pid=$(pid_of_program) && kill -TERM "$pid" && wait_end 143 || return
    choose && keys C-c && wait_end 130
}

case_signal() { # NAME CODE
    start || return
    local pid
    pid=$(pid_of_program) || return
    kill -s "$1" "$pid" && wait_end "$2"
}

case_interrupt() {
    start && keys C-c && wait_end 130
}

case_terminal() { # TYPE: as good there, in ASCII
    shell "TERM=$1 '$program' --ascii root.cow"
    wait_for '+- Map - 1 cell = 104 sectors' || return
    keys ']' Enter && wait_for '# cow' || return
    keys q && wait_for 'the whole disk' || return
    keys q && wait_end 0
}

case_no_terminal() { # TYPE: it says so, and what to do instead
    shell "TERM=$1 '$program' root.cow"
    wait_for 'cowtui info' && wait_end 2
}

case_no_color() {
    shell "NO_COLOR=1 '$program' root.cow"
    wait_for 'the whole disk' || return
    why='there is colour'
    if screen -e | grep -q $'\033\\[[0-9;]*[34]8;5;'; then
        return 1
    fi
    keys q && wait_end 0 || return
    start || return
    why='there is no colour'
    screen -e | grep -q $'\033\\[[0-9;]*38;5;' || return
    keys q && wait_end 0
}

case_c_locale() { # a locale without UTF-8 gets ASCII
    shell "LC_ALL=C '$program' root.cow"
    wait_for '+- Map -' && keys q && wait_end 0
}

case_lost_terminal() { # the window closes under it
    local pid n
    start || return
    pid=$(pid_of_program) || return
    in_tmux respawn-pane -k -t t "PS1='ready> ' exec bash --norc --noprofile -i" || return
    for ((n = 0; n < limit; n++)); do
        if [ ! -e "/proc/$pid" ]; then
            wait_for 'ready>'
            return
        fi
        sleep 0.1
    done
    why='it is still running'
    return 1
}

case_wizard() {
    start || return
    keys r && wait_for '1 of 4' || return
    keys -l '+64M' && wait_for '= 128 MiB' || return
    keys Enter && wait_for '2 of 4' && wait_for 'grows with it' && keys f && wait_for 'in the guest' || return
    keys Enter && wait_for '3 of 5' && keys Enter && wait_for '4 of 5' && wait_for 'moves by' || return
    keys Enter && wait_for '5 of 5' || return
    keys -l 'yes' && keys Enter && wait_for 'Done: root.cow has 128 MiB now.' || return
    keys Enter && wait_for '128 MiB over root_fs.img' || return
    keys q && wait_end 0 || return
    why='the image has not the new size'
    "$program" info --json root.cow | grep -q '"size_bytes": *134217728' || return
    why="the backing file's date changed"
    [ "$(stat -c %Y root_fs.img)" = 1051358400 ]
}

case_undo() { # of the wizard's growth, or of one of its own
    [ -e .root.cow.cowtui-undo ] || "$program" -q -y resize --policy extend root.cow 128M || return
    start && keys u && wait_for 'Undo' && wait_for 'Type yes' || return
    keys -l 'no' && keys Enter && wait_for 'nothing is written' || return
    keys C-u && keys -l 'yes' && keys Enter && wait_for 'is what it was before the change: 64.0 MiB' || return
    keys Enter && wait_for '64.0 MiB over root_fs.img' || return
    keys u && wait_for 'there is nothing to undo' || return
    keys q && wait_end 0
}

case_in_use() { # a guest starts, and stops, while we look
    local pid
    start && wait_for 'kernel: opens' || return
    python3 -c 'import fcntl, signal
image = open("root.cow", "r+b")
fcntl.lockf(image, fcntl.LOCK_EX)
signal.pause()' &
    pid=$!
    wait_for "in use by $pid python3" && keys r && wait_for 'nothing can be written' && keys Escape
    local code=$?
    kill $pid
    wait $pid 2>/dev/null
    [ $code -eq 0 ] && wait_gone 'in use by' && wait_for 'kernel: opens' || return
    keys q && wait_end 0
}

# Somebody writes a file behind, and removes it: that is said without a key, on whatever screen, and R reads it.
case_outside() {
    mkdir -p outside && cp --preserve=timestamps root.cow root_fs.img outside/ || return
    shell "(cd outside && exec '$program' root.cow)"
    wait_for 'the whole disk' && keys 5 && wait_for 'Check' || return
    printf more >>outside/root.cow
    wait_for 'root.cow has grown: R reads it anew' && wait_for 'grown, R reads it' && keys R && wait_gone 'grown, R reads it' || return
    mv outside/root_fs.img outside/away.img
    wait_for 'root_fs.img is gone' && keys R && wait_for 'kernel: REFUSES, no backing file' || return
    mv outside/away.img outside/root_fs.img
    wait_for 'root_fs.img is there now' && keys R && wait_for 'kernel: opens' || return
    keys q && wait_end 0 && rm -r outside
}

# What the screen serves: its URI as it stands there, in one line.
uri_on_screen() {
    screen | sed -n 's/.*URI  *\(nbd+unix:[^ ]*\).*/\1/p'
}

nothing_is_left() {
    why="left: $(find "$TMPDIR" -maxdepth 1 -name 'cowtui-nbd-*')"
    [ "$why" = 'left: ' ]
}

# A client reads what the guest sees, and the socket is gone with the page; a signal ends it in order, too.
case_serve() {
    local uri pid
    "$program" -q merge -o served.raw root.cow && start && keys ':' && keys -l serve && keys Enter && wait_for 'its disk can be used' || return
    uri=$(uri_on_screen)
    why="what $uri serves is not the disk"
    nbdcopy "$uri" copied.raw && cmp served.raw copied.raw || return
    keys q && wait_for 'no longer served' || return
    why="it is served on"
    ! nbdinfo "$uri" >/dev/null 2>&1 && nothing_is_left || return
    keys ':' && keys -l serve && keys Enter && wait_for 'its disk can be used' && pid=$(pid_of_program) && kill -TERM "$pid" && wait_end 143 || return
    rm served.raw copied.raw
    nothing_is_left
}

# Files go in through the directory; the page ends where somebody unmounts it, and shows the image as it is then.
case_mount() {
    mkdir -p written mnt && cp --preserve=timestamps root.cow root_fs.img written/ || return
    shell "'$program' written/root.cow"
    wait_for 'the whole disk' && keys ':' && keys -l 'mount mnt --fs --write' && keys Enter && wait_for 'cannot be taken back' || return
    keys -l yes && keys Enter && wait_for 'the files of the guest' && wait_for 'in use' || return
    why='the guest has no such file'
    [ "$(cat mnt/etc/hostname)" = guest42 ] && echo from-here >mnt/etc/new-file && sync -f mnt/etc/new-file || return
    fusermount3 -u mnt 2>/dev/null || umount mnt || return
    wait_for 'it was unmounted' && wait_gone 'in use' || return
    keys 4 && wait_for 'etc/' && keys / && wait_for 'In the path:' && keys -l new-file && keys Enter && wait_for '/etc/new-file' || return
    keys Esc && keys q && wait_end 0 || return
    "$program" -q merge -o written.raw written/root.cow 2>/dev/null && why='the filesystem is not clean' || return
    PATH=$PATH:/usr/sbin:/sbin e2fsck -fn written.raw >/dev/null 2>&1 || return
    rm -r written written.raw && rmdir mnt
    nothing_is_left
}

# The data of a half-moved image is moved on by another program while we look, and that stops again.
case_moving() {
    local pid n code
    mkdir -p moving && cp --preserve=timestamps root_fs.img moving/ || return
    { head -c 4128 root.cow && head -c 480 /dev/zero && tail -c +8193 root.cow; } >moving/root.cow # as prepare_unaligned
    printf '\0\0\2\0' | dd of=moving/root.cow bs=1 seek=24 conv=notrunc status=none
    {
        printf '%s\n' 'size 80x24' 'key r' 'type 128M' 'key Enter f Down Down Enter Right Enter Enter' 'type yes'
        for ((n = 0; n < 7; n++)); do echo 'during wait'; done
        printf '%s\n' 'during key Esc' 'key Enter' 'expect Stopped half way'
    } >half.script
    why='it is not half moved'
    "$program" --script half.script moving/root.cow || return
    shell "'$program' moving/root.cow"
    wait_for 'Pending change' && keys q && wait_for 'half moved' && keys 3 && wait_for 'runs of sectors' && wait_for 'cow ' || return
    python3 -c 'import fcntl, signal
image = open("moving/root.cow", "r+b")
fcntl.lockf(image, fcntl.LOCK_EX)
signal.pause()' &
    pid=$!
    wait_for 'being moved at this moment, by another cowtui' && wait_for "in use by $pid"
    code=$?
    kill $pid
    wait $pid 2>/dev/null
    [ $code -eq 0 ] && wait_gone 'being moved at this moment' && wait_for 'half moved' && wait_for 'cow ' || return
    keys q && wait_end 0 && rm -r moving half.script
}

# The practice disks of tours that are there.
practice_disks() {
    find "$TMPDIR" -maxdepth 1 -name 'cowtui-tour-*' -perm 700
}

no_practice_disk() {
    why="left: $(practice_disks)"
    [ "$why" = 'left: ' ]
}

tour() {
    shell "'$program' --tour"
    wait_for 'One disk, two files' && why='there is no practice disk' && [ -e "$(practice_disks)/disk.cow" ]
}

case_tour() { # by the clock, in another window, stopped, and left in the middle of what moves
    tour && keys Enter && wait_for 'the bit is clear' && keys Enter && wait_for 'the bits are set: written' || return
    in_tmux resize-window -t t -x 120 -y 40 && wait_for '          A guest writes' || return
    in_tmux resize-window -t t -x 40 -y 10 && wait_for 'this terminal has 40x10' || return
    in_tmux resize-window -t t -x 80 -y 24 && wait_for 'the bits are set: written' || return
    keys C-z && wait_for 'Stopped' && wait_for 'ready>' || return
    keys -l fg && keys Enter && wait_for 'the bits are set: written' || return
    keys Enter Enter && wait_for 'it moves' && keys p && wait_for 'held' && keys q && wait_end 0 && no_practice_disk
}

case_tour_signal() {
    local pid
    tour && keys Enter Enter Enter Enter Enter && wait_for 'it moves' && pid=$(pid_of_program) && kill -TERM "$pid" && wait_end 143 && no_practice_disk || return
    tour && keys C-c && wait_end 130 && no_practice_disk || return
    tour && pid=$(pid_of_program) && kill -KILL "$pid" && wait_for 'ready>' || return
    why='a kill leaves nothing, so there is nothing to be swept'
    [ -n "$(practice_disks)" ] || return
    keys -l "clear; stty '$(cat before)'; printf '\\33[?1049l'" && keys Enter && tour && keys q && wait_end 0 && no_practice_disk
}

replay() {
    shell "'$program' replay replay.log"
    wait_for 'the beginning'
}

case_replay() { # by the clock, in another window, to the files, stopped by signals
    local pid sum
    sum=$(cksum root.cow root_fs.img)
    rm -f replay.log && python3 "$here/../e2e/log.py" make replay.log root.cow "$PWD/root.cow" root_fs.img || return
    replay && keys Right && wait_for 'change 1 of 11' && keys + + + + + + && wait_for 'it plays 64x' && keys Space && wait_for 'that was the end' || return
    in_tmux resize-window -t t -x 130 -y 40 && wait_for '1 cell = 57' && keys o && wait_for '/home/user/zeros.bin' || return
    in_tmux resize-window -t t -x 80 -y 24 && keys q && wait_end 0 || return
    replay && pid=$(pid_of_program) && kill -TERM "$pid" && wait_end 143 || return
    replay && keys Space C-c && wait_end 130 || return
    rm replay.log
    why='an image has changed'
    [ "$(cksum root.cow root_fs.img)" = "$sum" ]
}

case_tour_command() { # over an image, which is where it was afterwards; a signal in it ends both
    local sum pid
    sum=$(cksum root.cow root_fs.img)
    start && keys ']' ']' ']' && wait_for 'sectors 8736-8839' && keys ':' && keys -l tour && keys Enter && wait_for 'One disk, two files' || return
    keys Enter Enter Enter && wait_for 'the bits are set: written' && keys q && wait_for 'sectors 8736-8839' && no_practice_disk || return
    keys ':' && keys -l tour && keys Enter && wait_for 'One disk, two files' && pid=$(pid_of_program) && kill -TERM "$pid" && wait_end 143 && no_practice_disk || return
    why='the image has changed'
    [ "$(cksum root.cow root_fs.img)" = "$sum" ]
}

case_scan() { # also left in the middle
    start && keys s && wait_for 'mixed pages 22' && keys Right && wait_for '= redundant' || return
    keys ']' Enter && wait_for 'compared with the backing file' && wait_for 'changed    m' || return
    keys q R && wait_gone '= redundant' || return
    keys s s s q && wait_end 0 || return
    start && keys s && wait_for scan && keys C-c && wait_end 130
}

clipboard_is() { # TEXT: as the terminal took it
    local n
    for ((n = 0; n < limit; n++)); do
        [ "$(in_tmux show-buffer 2>/dev/null)" = "$1" ] && return 0
        sleep 0.1
    done
    why="the clipboard has \"$(in_tmux show-buffer 2>&1)\""
    return 1
}

case_find() { # what is typed is found; and taken along: an offset, and the command that reads what was found
    local n
    in_tmux set-option -s set-clipboard on >/dev/null
    start && keys 3 && keys / && keys -l guest-name && keys C-u && keys -l hostn && wait_for '/hostn' &&
        wait_for '17410' && keys Enter && keys Enter && wait_for 'owner  /etc/hostname' || return
    keys / && keys -l 'uest42' && wait_for 'byte 8913921' && keys Enter y && clipboard_is 8913921 || return
    keys Y && wait_for 'dd if=root.cow' || return
    for ((n = 0; n < limit; n++)); do
        case $(in_tmux show-buffer) in dd*) break ;; esac
        sleep 0.1
    done
    why="the command reads something else"
    [ "$(sh -c "$(in_tmux show-buffer)" 2>/dev/null | head -c 7)" = guest42 ] || return
    [ "$(sh -c "$(in_tmux show-buffer)" 2>/dev/null | wc -c)" = 512 ] || return
    keys e && wait_for 'The bit of sector 17410 is set' && keys q && wait_gone 'The bit of sector' || return
    keys '<' && wait_for 'byte 8913920' && keys '<' && wait_for 'comes from' && keys q && wait_end 0
}

case_files() { # to a file, its versions, its places, a copy of it; and the map by owners
    start && keys 4 && wait_for 'of no file' && wait_for '952 KiB in the COW' || return
    keys Enter Enter && wait_for 'zeros.bin' && keys Left Left && wait_for 'the journal' || return
    keys / && wait_for 'In the path:' && keys -l 'HOSTNAME' && keys Enter && wait_for '/etc/hostname' || return
    keys Enter && wait_for 'it has other content' && keys d && wait_for '+guest42' && wait_for '-# hostname' || return
    keys q && wait_gone '+guest42' && keys b && wait_for 'runs of sectors' && wait_for '/etc/hostname, and more' || return
    keys q && wait_for 'all with' && keys m && wait_for 'holds some of /etc/hostname' || return
    keys q && wait_for 'all with' && keys x && wait_for 'Write it to: hostname' && keys C-u && keys -l out.txt && keys Enter || return
    wait_for 'a file of the guest' && keys Enter && wait_for 'out.txt is written' && keys Enter && wait_for 'all with' || return
    keys Escape && wait_for 'the journal' && keys 2 && wait_for Clear && keys Escape && wait_gone Clear && keys c && wait_for 'by owners' && wait_for 'F file' && wait_for FFFF || return
    keys c && wait_gone 'by owners' && keys q && wait_end 0 || return
    why='the extracted file is another one'
    [ "$(cat out.txt)" = guest42 ] && rm out.txt || return
    why='something is left in the directory for temporary files'
    [ -z "$(find "$TMPDIR" -name 'cowtui-*')" ]
}

case_files_wide() { # ARGUMENTS: in a large window
    in_tmux resize-window -t t -x 160 -y 50
    shell "NO_COLOR=1 '$program' $1 root.cow"
    wait_for 'the whole disk' && keys 4 && wait_for 'of no file' && keys '?' && wait_for 'What has happened to a file' || return
    keys q 2 c && wait_for 'J journal' && wait_for FFFF && keys R && wait_for 'read anew' && wait_for FFFF || return
    keys q && wait_end 0
    local code=$?
    in_tmux resize-window -t t -x 80 -y 24
    return $code
}

# What is sent for a key is only what has changed. Random keys, and now and then all of the screen is sent anew: a
# terminal that we have not written must show the same before and after, colours too.
case_painted() { # COMMAND SEED
    in_tmux resize-window -t t -x 160 -y 40
    shell "$1 root.cow"
    wait_for 'the whole disk' && keys s && wait_for 'scanned' || return
    local random=$2 i code=0 choices=(j j j k l l h + + - 0 % H 'NPage' 'PPage' G g ']' ']' '[' v 2 2 3 3 3 4 1 5)
    for ((i = 1; i <= 150 && code == 0; i++)); do
        random=$(((random * 1103515245 + 12345) & 0x7fffffff))
        keys "${choices[random / 65536 % ${#choices[@]}]}"
        [ $((i % 10)) = 0 ] || continue
        still >painted
        keys C-l
        still >anew
        if ! cmp -s painted anew; then
            why="after $i keys the screen is not what is sent anew: $(diff painted anew | head -n 6)"
            code=1
        fi
    done
    keys 2 q
    wait_gone 'Quit' || code=1
    [ $code = 0 ] && { wait_end 0 || code=1; }
    in_tmux resize-window -t t -x 80 -y 24
    return $code
}

# The screen when it no longer changes: each run of cells that look the same behind what they look like. A blank looks the
# same in all colours but those behind it.
still() {
    local before='' now=' ' n
    for ((n = 0; n < limit && n < 50; n++)); do
        now=$(screen -e)
        [ "$now" != "$before" ] || break
        before=$now
        sleep 0.15
    done
    python3 -c '
import re, sys
on = {}
for line in sys.stdin.read().split("\n"):
    told, out = "", ""
    for codes, text in re.findall(r"\x1b\[([0-9;]*)m|(.)", line):
        if text:
            seen = "".join(on[key] for key in sorted(on) if text != " " or key in ("bg", "4", "7"))
            out += text if seen == told or text == " " and not seen else f"<{seen}>{text}"
            told = seen if text != " " or seen else told
            continue
        codes = codes.split(";")
        while codes:
            code = codes.pop(0) or "0"
            if code == "0":
                on = {}
            elif code in ("38", "48"):
                on["fg" if code == "38" else "bg"] = code + "/" + "/".join([codes.pop(0), codes.pop(0)])
            elif code in ("39", "49"):
                on.pop("fg" if code == "39" else "bg", None)
            elif len(code) == 1:
                on[code] = code
            else:
                on["bg" if code[:-1] in ("4", "10") else "fg"] = code
    print(out.rstrip())
' <<<"$now" | sed 39d
}

mend() { # stages all that the check finds, and writes it
    keys 5 && wait_for 'bytes were looked at' && keys f Down Down f && wait_for '2 fixes staged' || return
    keys W && wait_for '1 of 2' && keys Enter && wait_for '2 of 2' && keys -l yes && keys Enter
}

# Names of emoji of the BMP and beyond it, of wide letters, and of letters with marks: whatever the terminal makes of
# them, every line ends with the frame where the others do. Python's table is a third opinion on widths.
case_files_widths() {
    local directory
    directory=$(mktemp -d "$work/widths.XXXX") && cp --sparse=always --preserve=timestamps root_fs.img "$directory" || return
    (
        cd "$directory" || exit
        "$program" --quiet merge -o guest.raw "$work/root.cow" || exit
        echo text >text
        for name in 'so long that the frame follows ⌚⌛' 'the front of this one is not shown ✅⭐⚡ done' '😀 smile' '名前.txt' '한글' \
            'e\u0301te\u0301' '❤\ufe0f' '\u1112\u1161\u11ab' 'ﾊﾝｶｸ' '☎ 1'; do
            echo "write text \"/etc/$(printf '%b' "$name")\""
        done >edits
        PATH=$PATH:/usr/sbin:/sbin debugfs -w -f edits guest.raw >/dev/null 2>&1
        "$program" --quiet diff -o root.cow root_fs.img guest.raw
    ) || {
        why="cannot make the image"
        return 1
    }
    shell "'$program' '$directory/root.cow'"
    wait_for 'the whole disk' && keys 4 && wait_for 'etc/' && keys / && keys -l /etc/ && keys Enter || return
    wait_for '名前' && wait_for '⌚' && wait_for '☎' || return
    screen >widths.screen
    why="the frame is not straight"
    python3 - widths.screen <<'END' || return
import sys, unicodedata

def cells(line):
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in line)

lines = [line.rstrip("\n") for line in open(sys.argv[1], encoding="utf-8")]
top = next(i for i, line in enumerate(lines) if line.startswith("┌"))
end = next(i for i, line in enumerate(lines) if line.startswith("└"))
sys.exit(end - top != 18 or any(line[0] != "│" or line[-1] != "│" or cells(line) != 80 for line in lines[top + 1 : end]))
END
    keys q && wait_end 0
    rm -r "$directory"
}

case_check() {
    start && mend && wait_for 'Done: root.cow is mended as chosen.' || return
    keys Enter && wait_gone mixed-pages && wait_for 'bytes were looked at' && wait_for '1.2% dirty' || return
    keys u && wait_for 'Type yes' && keys -l yes && keys Enter && wait_for 'is what it was before the change' || return
    keys Enter && wait_for mixed-pages && keys q && wait_end 0
}

case_replaced() { # another file takes the image's name while we look
    cp -p root.cow other.cow || return
    start && keys s && wait_for scanned && mv other.cow root.cow || return
    mend && wait_for 'Not done: nothing was changed.' || return
    keys Enter R && wait_for 'read anew' && wait_for 'bytes were looked at' || return
    keys q q && wait_end 0
}

case_edit() {
    start && keys 1 && wait_for 'e Edit' && keys e && wait_for 'mtime: 1051358400' || return
    keys BSpace && keys -l 7 && keys Enter && wait_for '-> 1051358407' || return
    keys q && wait_for 'is not written' && keys q && wait_end 0
}

wait_for 'ready>' || exit 2
keys -l 'stty -g >before; echo it is "saved"'
keys Enter
wait_for 'it is saved' || exit 2
checksum=$(sha256sum root.cow root_fs.img; stat -c %Y root_fs.img root.cow)
if [ "${2:-all}" != all ]; then
    # shellcheck source=/dev/null
    . "$here/$2.sh"
    [ $failed -eq 0 ]
    exit
fi
t "open, zoom, walk, quit" case_look
t "prompt, completion, history" case_prompt
t "files change outside" case_outside
t "prompt, files complete" case_complete
t "window resize" case_window
t "suspend and resume" case_suspend
t "mouse" case_mouse
t "mouse, suspend and resume" case_mouse_suspend
t "mouse, window resize" case_mouse_window
t "mouse, choose" case_mouse_choose
t "themes" case_themes
t "choose, and back to the list" case_choose
t "choose, signals" case_choose_signal
t "tour" case_tour
t "tour, signals" case_tour_signal
t "tour, over an image" case_tour_command
t "SIGTERM" case_signal TERM 143
t "SIGHUP" case_signal HUP 129
t "SIGINT" case_signal INT 130
t "Ctrl-C" case_interrupt
t "closed window" case_lost_terminal
t "vt100" case_terminal vt100
t "linux" case_terminal linux
t "xterm" case_terminal xterm
t "painted as anew" case_painted "'$program'" 1
t "painted as anew, with repetitions" case_painted "env -u TMUX TERM=xterm-256color '$program' --ascii" 2
t "TERM=dumb" case_no_terminal dumb
t "unknown TERM" case_no_terminal no-such-terminal
t "NO_COLOR" case_no_color
t "locale without UTF-8" case_c_locale
if command -v python3 >/dev/null; then
    t "replay" case_replay
    t "in use, and no longer" case_in_use
    t "moved by another, and no longer" case_moving
else
    echo "skip replay, and in use: python3 is not installed"
fi
t "scan" case_scan
t "found, and taken along" case_find
t "files" case_files
t "files, 160x50" case_files_wide ''
t "files, 160x50, ASCII" case_files_wide --ascii
if command -v python3 >/dev/null && PATH=$PATH:/usr/sbin:/sbin command -v debugfs >/dev/null; then
    t "files, characters of all widths" case_files_widths
else
    echo "skip files, characters of all widths: python3 or debugfs is not installed"
    skipped=$((skipped + 1))
fi
t "a field typed, and forgotten" case_edit
t "image replaced" case_replaced
if [ -w /dev/fuse ] && [ -e "${program%/*}/nbdkit-cow-plugin.so" ] && command -v nbdkit nbdcopy nbdfuse fuse2fs >/dev/null; then
    t "serve" case_serve
    t "mount, and write" case_mount
else
    echo "skip serve, and mount: no FUSE, nbdkit, its plugin, libnbd-bin or fuse2fs"
    skipped=$((skipped + 1))
fi
t "nothing written by looking" test "$checksum" = "$(sha256sum root.cow root_fs.img; stat -c %Y root_fs.img root.cow)"
t "wizard to its end" case_wizard
t "undo to its end" case_undo
t "check, mend, undo" case_check
t "all is as it was" test "$checksum" = "$(sha256sum root.cow root_fs.img; stat -c %Y root_fs.img root.cow)"
[ $failed -eq 0 ]

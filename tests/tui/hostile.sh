# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What comes from a terminal and was not typed: pastes, answers, mouse reports, and what was typed too early; and
# what is left of the terminal when the program dies. Read by tmux.sh, whose words and counts it uses.

# shellcheck disable=SC2034 # why is what tmux.sh tells

# shellcheck disable=SC2154 # tmux.sh's
state_of_files() {
    sha256sum root.cow root_fs.img
    stat -c %Y root_fs.img root.cow
    find . -maxdepth 1 ! -name after ! -name '.before*' -printf '%p %s\n' | grep cow | sort # what is not the tests' own
}

# A paste as a terminal marks it, if it was asked to. printf's escapes.
paste() {
    # shellcheck disable=SC2059
    printf "$1" >pasted
    in_tmux load-buffer pasted && in_tmux paste-buffer -p -r -t t
    rm pasted
}

press_until_gone() { # KEY TEXT: the key may be dropped for a while
    local n
    for ((n = 0; n < limit; n++)); do
        screen | grep -qF -- "$2" || return 0
        keys "$1"
        sleep 0.1 # between two looks
    done
    why="\"$2\" did not go"
    return 1
}

same_picture() { # FILE
    screen >now.txt
    why="the screen is another one: $(diff "$1" now.txt | head -n 4)"
    cmp -s "$1" now.txt
    local code=$?
    rm now.txt
    return $code
}

case_paste_nowhere() { # it walks through nothing, and its control characters end nothing
    local files
    files=$(state_of_files)
    start && screen >"$work/.before.txt" || return
    paste 'r\n32M\n\nW\nyes\nq\003\032\034q' && wait_for 'pasted text is taken where' || return
    keys '?' && wait_for 'A cell of the map' && keys q && wait_gone 'A cell of the map' || return
    same_picture "$work/.before.txt" || return
    keys q && wait_end 0 || return
    rm "$work/.before.txt"
    why='a file has changed'
    [ "$files" = "$(state_of_files)" ]
}

case_paste_prompt() { # text for the line, which Enter alone ends
    start && keys ':' && paste 'goto 16\n' && wait_for ':goto 16' && keys -l 'M' && wait_for ':goto 16M' || return
    keys Enter && wait_for '@ 16.0 MiB' && keys ':' && paste 'header\033[A\n\nquit' && wait_for ':header quit' || return
    keys Escape && wait_gone ':header' && keys : && keys C-r && paste 'map' && wait_for ':map' || return
    keys C-u && paste 'q\033[201~\033q\rq\r' && wait_for ':q' || return # a paste with the mark of its own end
    press_until_gone Escape ':q' && keys 1 && wait_for 'Would a stock UML kernel' && keys q && wait_end 0
}

case_paste_wizard() { # a size may be pasted; the word yes not
    local files
    files=$(state_of_files)
    start && keys r && wait_for '1 of 4' && paste '\n+64M\n' && wait_for '= 128 MiB' && wait_for '1 of 4' || return
    keys Enter && wait_for '2 of 4' && paste '\n\n' && paste 'x' && wait_for 'pasted text is taken where' || return
    keys Enter && wait_for '3 of 5' && keys Enter && wait_for '4 of 5' && keys Enter && wait_for '5 of 5' && paste 'yes\n' && wait_for 'a pasted yes is none' || return
    keys Enter && wait_for 'that is not the word yes' && keys Escape && wait_gone '5 of 5' && keys q && wait_end 0 || return
    why='a file has changed'
    [ "$files" = "$(state_of_files)" ]
}

case_early_yes() { # a terminal that marks no pastes: what was on its way before the question is dropped
    local files
    files=$(state_of_files)
    # more than one read takes, so some of it comes after the question is there
    start && raw "r+64M\r\r\r\ryes\r$(printf 'x%.0s' {1..6000})\025yes\r" && wait_for '5 of 5' && press_until_gone Escape '5 of 5' || return
    why='it was obeyed'
    ! screen | grep -q 'Done' || return
    raw ':merge early.raw\r\r' && wait_for 'Write it' && press_until_gone Escape 'Write it' && keys q && wait_end 0 || return
    why='a file has changed'
    [ "$files" = "$(state_of_files)" ]
}

case_ahead() { # keys that are typed while a plan is made (each read takes long) are meant for what comes then
    local files
    files=$(state_of_files)
    shell "strace -f -qq -o /dev/null -e trace=pread64 -e inject=pread64:delay_enter=30000 '$program' root.cow" && wait_for 'cell =' || return
    keys 2 && keys r && wait_for '1 of 4' && keys -l '+64M' && keys Enter && wait_for '2 of 4' && raw 'f\r\r\r' && wait_for '5 of 5' || return
    press_until_gone Escape '5 of 5' && press_until_gone q 'cell =' && wait_end 0 || return
    why='a file has changed'
    [ "$files" = "$(state_of_files)" ]
}

case_sequences() { # none of them is a key, nor is any part of it
    start && screen >"$work/.before.txt" || return
    raw '\033[99;5u\033[1;5B\033[<65;10;10M\033[M`q:\033[64;10;10M\033[?62;1;6c\033[24;80R\033[I\033[O\033[2~1\033[12~' || return
    keys 2 && raw '\033]11;rgb:1a1a/1a1a/1a1a\007\033]52;c;cQ==\033\\\033P1$r0q\033\\\033_q\033\\\033^q\033\\\033Xq\033\\\033q\033u\033r\033\r\033OQ\033O5B' || return
    raw '\033\303\244\303\377\342\202\302\2331;5B\302\2332u\302\235r\007' || return
    keys '?' && wait_for 'A cell of the map' && keys q && wait_gone 'A cell of the map' || return
    same_picture "$work/.before.txt" || return
    raw '\033[' && raw 'C' && wait_for 'sectors 104-207' && raw '\033O' && raw 'C' && wait_for 'sectors 208-311' && keys q && wait_end 0
    local code=$?
    rm "$work/.before.txt"
    return $code
}

case_death() { # NAME CODE
    local pid
    start && pid=$(pid_of_program) && kill -s "$1" "$pid" && wait_end "$2"
}

case_death_mouse() { # NAME CODE: it is given back, too
    local pid
    start_with_mouse && pid=$(pid_of_program) && kill -s "$1" "$pid" && wait_end "$2"
}

case_mouse_sequences() { # torn, of others, and malformed: none of them is anything, nor is any part of it
    local files
    files=$(state_of_files)
    start_with_mouse && raw '\033[<0;20;5M' && wait_for 'sectors 9672-9775' && screen >"$work/.before.txt" || return
    raw '\033[<0;1;1m\033[<1;9;9M\033[<2;9;9M\033[<35;9;9M\033[<4;9;9M\033[<66;9;9M\033[<0;0;0M\033[<0;1001;5M\033[<0;99999999;5M' || return
    raw '\033[<0;9M\033[<0;9;9;9M\033[<;;M\033[<M\033[<0;-9;9M\033[<0;9;9A\033[M !!\033[32;9;9M\033[<<0;9;9M\033\033[<0;9;9M\033[<0;9;\033[<0;9\033[<0\033[I' || return
    keys '?' && wait_for 'A cell of the map' && keys q && wait_gone 'A cell of the map' && same_picture "$work/.before.txt" || return
    raw '\033[<0;22' && raw ';5M' && wait_for 'sectors 9880-9983' || return
    keys r && wait_for '1 of 4' && keys -l '+64M' && keys Enter && wait_for '2 of 4' && keys Enter && wait_for '3 of 5' && keys Enter && wait_for '4 of 5' && keys Enter && wait_for '5 of 5' || return
    keys -l yes && wait_for 'yes' && raw '\033[<0;20;21M\033[<0;20;21m\033[<0;20;21M\033[<0;33;2M' && keys BSpace && keys Escape && wait_gone '5 of 5' && keys q && wait_end 0 || return
    rm "$work/.before.txt"
    why='a file has changed'
    [ "$files" = "$(state_of_files)" ]
}

case_huge() { # a size that nobody has: it takes no more memory than one that somebody may have
    shell "(ulimit -v 600000; LINES=10000 COLUMNS=10000 exec '$program' root.cow)"
    pid_of_any "$program" >pid && rm pid && keys q && wait_end 0
}

pid_of_any() { # PROGRAM, in whatever shell
    local n pid
    for ((n = 0; n < limit; n++)); do
        for pid in /proc/[0-9]*; do
            [ "$(readlink "$pid/exe")" = "$1" ] && [ "$(readlink "$pid/cwd")" = "$work" ] && echo "${pid#/proc/}" && return
        done
        sleep 0.1 # between two looks
    done 2>/dev/null
    return 1
}

t "paste outside of a field" case_paste_nowhere
t "paste into the prompt" case_paste_prompt
t "paste into the wizard" case_paste_wizard
t "yes before the question" case_early_yes
if strace -qq -o /dev/null -e trace=none true 2>/dev/null; then
    t "keys ahead of a plan" case_ahead
else
    echo "skip keys ahead of a plan: strace is not here, or may not trace"
fi
t "sequences that are no keys" case_sequences
keys -l 'ulimit -c 0'
keys Enter
t "SIGSEGV" case_death SEGV 139
t "SIGABRT" case_death ABRT 134
t "SIGBUS" case_death BUS 135
t "SIGFPE" case_death FPE 136
t "SIGILL" case_death ILL 132
t "SIGQUIT" case_death QUIT 131
t "SIGSEGV, with the mouse" case_death_mouse SEGV 139
t "SIGABRT, with the mouse" case_death_mouse ABRT 134
t "SIGTERM, with the mouse" case_death_mouse TERM 143
t "sequences of no mouse" case_mouse_sequences
t "10000x10000" case_huge

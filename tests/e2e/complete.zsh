#!/usr/bin/env zsh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What zsh offers for a command line that ends where Tab is pressed, a line each: complete.zsh COMPLETIONS LINE.
# A zsh of its own completes it in a terminal of its own; what it is about to offer goes through compadd.
emulate -R zsh
zmodload zsh/zpty || exit 77

scratch=$(mktemp -d) || exit 1
trap 'rm -rf $scratch' EXIT
cat >$scratch/setup <<SETUP
PROMPT=
fpath=(${(q)1} \$fpath)
autoload -Uz compinit && compinit -u -D
bindkey '^I' complete-word
setopt no_list_beep
zstyle ':completion:*' insert-tab false
compadd() {
    local -a hits
    builtin compadd -A hits "\$@"
    print -rl -- \$hits >>${(q)scratch}/hits
    builtin compadd "\$@"
}
finished() { print yes >${(q)scratch}/done; exit 0 }
comppostfuncs=(finished)
: >${(q)scratch}/ready
SETUP
touch $scratch/hits
zpty -b z exec zsh -f -i || exit 1
zpty -w z "source $scratch/setup"
wait_for() {
    repeat 300; do
        [[ -e $scratch/$1 ]] && return 0
        zpty -rt z line 2>/dev/null
        sleep 0.1
    done
    print -u2 "zsh: no sign of $1"
    exit 1
}
wait_for ready
zpty -w -n z "$2"$'\t'
wait_for done
zpty -d z
grep -v '^$' $scratch/hits | sort -u

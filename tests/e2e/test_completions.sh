#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What the shells really offer, against what the program says that it takes: the options of each command, and the
# values of those that take one of a few, behind the option and behind its '='; and that the files are those that
# share/completions/completions.py writes.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

completions=$root/share/completions
commands=$("$COWTUI" --help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')

# Each "in_SHELL WORD..." prints what that shell offers for the last word, a line each.
in_bash()
{
    # As readline splits a line: '=' is a word of its own.
    bash --norc --noprofile -c '
        . "$1"; shift
        COMP_WORDBREAKS="=:" COMP_WORDS=(cowtui)
        for word; do
            case $word in
            --*=?*) COMP_WORDS+=("${word%%=*}" = "${word#*=}") ;;
            --*=) COMP_WORDS+=("${word%%=*}" =) ;;
            *) COMP_WORDS+=("$word") ;;
            esac
        done
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _cowtui cowtui "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf "%s\n" "${COMPREPLY[@]}"' bash "$completions/cowtui.bash" "$@" | grep -v '^$' | sort -u
}

in_zsh()
{
    zsh -f "$here/complete.zsh" "$completions" "cowtui $*" 2>zsh.err
    [ ! -s zsh.err ] || die "zsh: $(cat zsh.err)"
}

# fish gives "word TAB description", and the whole word where a value stands behind '='. An option whose value may be
# left out it offers twice, once with its '='.
in_fish()
{
    HOME=$PWD XDG_CONFIG_HOME=$PWD XDG_DATA_HOME=$PWD fish --no-config -c '
        source $argv[1]; complete -C "cowtui $argv[2..]"' "$completions/cowtui.fish" "$@" 2>fish.err |
        cut -f1 | sed 's/^--[a-z-]*=//' | grep -v '^$' | sort -u
    [ ! -s fish.err ] || die "fish: $(head -n 2 fish.err)"
}

offers() # SHELL WANTED WORD...
{
    local shell=$1 want=$2
    shift 2
    "in_$shell" "$@" >got
    eq "$want" "$(tr '\n' ' ' <got | sed 's/ $//')" "$shell, cowtui $*"
}

# The options of every command, and of the screen.
options_of_each()
{
    local shell=$1 command
    command -v "$shell" >/dev/null || skip "$shell is not installed"
    for command in $commands; do
        run 0 "$command" --help
        grep -oE -- '^ +(-[a-zA-Z], )?--[a-z-]+' out | grep -oE -- '--[a-z-]+' | sort -u >want
        [ "$(wc -l <want)" -ge 5 ] || die "no options in the help of $command"
        "in_$shell" "$command" -- >got
        diff want got >difference || die "$shell, $command: $(grep '^[<>]' difference | tr '\n' ' ')"
    done
}

# What the program itself names when it is given nonsense.
values()
{
    local shell=$1 themes=
    command -v "$shell" >/dev/null || skip "$shell is not installed"
    export HOME=$PWD XDG_CONFIG_HOME=$PWD # in_fish has them so
    small
    : >keys
    run 2 --script keys --theme nonsense x.cow
    themes=$(sed -n 's/^ *themes: //p' err | tr -d , | tr ' ' '\n' | sort | tr '\n' ' ' | sed 's/ $//')
    [ -n "$themes" ] || die "the program names no themes: $(cat err)"
    run 2 info --color nonsense x.cow
    has "auto, never or always" err
    for gap in ' ' =; do
        # shellcheck disable=SC2086 # one word or two
        {
            offers "$shell" "$themes" --theme${gap}''
            offers "$shell" "always auto never" info --color${gap}''
            offers "$shell" "copy extend keep" resize --policy${gap}''
            offers "$shell" "copy header inserted moved" resize --method${gap}''
            offers "$shell" "backing guest" files --from${gap}''
            offers "$shell" "qcow2 v3" convert --to${gap}''
            offers "$shell" always info --color${gap}al
        }
    done
    offers "$shell" cut-foreign resize --force=''
    offers "$shell" larger compact --force=''
    : >a.cow
    offers "$shell" a.cow info --backing=a
    offers "$shell" a.cow info -b a
}

# What is not a command is none: an option's argument, and an option behind it.
arguments_are_no_commands()
{
    : >info
    offers bash "--ascii --backing --color --help --mouse --no-backing --no-config --quiet --script --theme --tour --verbose --version" --backing info --
    offers bash "--ascii --backing --color --help --mouse --no-backing --no-config --quiet --script --theme --tour --verbose --version" --backing=info --
    offers bash "--backing --color --help --json --no-backing --quiet --verbose --version" --color=auto info --
    offers bash "--backing --color --help --json --no-backing --quiet --verbose --version" -b info info --
}

# Where '=' ends no word (COMP_WORDBREAKS without it), what is offered replaces all of it.
bash_without_breaks()
{
    local offered
    offered=$(bash --norc --noprofile -c '. "$1"; COMP_WORDBREAKS=" " COMP_WORDS=(cowtui info --color=a) COMP_CWORD=2
        _cowtui; echo "${COMPREPLY[*]}"' bash "$completions/cowtui.bash")
    eq "--color=auto --color=always" "$offered" "words"
}

# The user's own themes are offered, from where the program looks; and nothing else that lies there, least of all a name
# that a shell would run.
themes()
{
    local shell=$1 own='16 Mine-2.x contrast dark default light mono' shipped='16 contrast dark default light mono'
    command -v "$shell" >/dev/null || skip "$shell is not installed"
    unset XDG_CONFIG_HOME
    export HOME=$PWD LC_ALL=C
    mkdir -p cowtui .config
    ln -s ../cowtui .config/cowtui # in_fish says XDG_CONFIG_HOME=$PWD
    offers "$shell" "$shipped" --theme ''
    mkdir cowtui/themes
    : >cowtui/themes/Mine-2.x.theme
    : >cowtui/themes/dark.theme
    : >cowtui/themes/other.txt
    : >"cowtui/themes/\$(touch run).theme"
    : >'cowtui/themes/two words.theme'
    : >'cowtui/themes/`touch run`.theme'
    : >cowtui/themes/.hidden.theme
    offers "$shell" "$own" --theme ''
    offers "$shell" Mine-2.x --theme=Mi
    [ ! -e run ] || die "$shell runs what a file is called"
    small
    : >keys
    run 2 --script keys --theme nonsense x.cow
    eq "$own" "$(sed -n 's/^ *themes: //p' err | tr -d ,)" "what the program names"
    [ "$shell" != fish ] || return 0
    XDG_CONFIG_HOME=$PWD/none offers "$shell" "$shipped" --theme ''
    XDG_CONFIG_HOME=none offers "$shell" "$own" --theme '' # a relative one does not count
    rm .config/cowtui
    XDG_CONFIG_HOME=$PWD offers "$shell" "$own" --theme ''
}

# Each operand by what it is; and a word is a command where the program takes it for one, not behind a file or an option.
operands()
{
    local shell=$1
    command -v "$shell" >/dev/null || skip "$shell is not installed"
    mkdir directory
    : >disk.cow
    offers "$shell" disk.cow info dis
    offers "$shell" disk.cow resize dis
    offers "$shell" "" resize disk.cow dis
    offers "$shell" "" info disk.cow dis
    "in_$shell" mount disk.cow d >got
    eq directory "$(tr -d / <got)" "$shell, cowtui mount disk.cow d"
    offers "$shell" disk.cow list disk.cow disk.cow dis
    offers "$shell" disk.cow create --from dis
    offers "$shell" "" files --owner dis
    offers "$shell" "" files --extract dis
    offers "$shell" "mount" help mo
    offers "$shell" "" help mount mo
    offers "$shell" "info" inf
    offers "$shell" "disk.cow" dis
    offers "$shell" "--owner --owners" files --ow
    offers "$shell" "" disk.cow files --ow
    offers "$shell" "" -b files --ow
    offers "$shell" "" --backing files --ow
    offers "$shell" "--owner --owners" --backing disk.cow files --ow
    offers "$shell" "--tour" -q --to
}

# What does not go with what is there already, zsh leaves out.
zsh_excludes()
{
    command -v zsh >/dev/null || skip "zsh is not installed"
    offers zsh "--no-backing" info --no-
    offers zsh "" info -b x.cow --no-
    offers zsh "--grow-fs" resize --gr
    offers zsh "" resize --resize-fs --gr
    offers zsh "" merge --in-place --out
    offers zsh "--output" resize --in-place --out
    offers zsh "--in" family --in x.cow --in
    offers zsh "" info --json --js
}

# The files are what is written from the tables.
written()
{
    local shell=$1 file=$2
    "$PYTHON" "$root/share/completions/completions.py" "$shell" >want || die "completions.py fails"
    diff want "$completions/$file" >difference ||
        die "$file is behind the tables: run share/completions/completions.py; $(grep '^[<>]' difference | head -n 2 | tr '\n' ' ')"
}

t completions-written-bash written bash cowtui.bash
t completions-written-zsh written zsh _cowtui
t completions-written-fish written fish cowtui.fish
for shell in bash zsh fish; do
    t "completions-$shell-options" options_of_each "$shell"
    t "completions-$shell-values" values "$shell"
    t "completions-$shell-themes" themes "$shell"
    t "completions-$shell-operands" operands "$shell"
done
t completions-zsh-excludes zsh_excludes
t completions-bash-arguments arguments_are_no_commands
t completions-bash-without-breaks bash_without_breaks

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Arguments, help, the streams, and that help, manual and completions name the same commands and options.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

help_and_version()
{
    run 0 --version
    eq cowtui "$(head -n 1 out | cut -d' ' -f1)" version
    eq 2 "$(head -n 1 out | wc -w)" "words in its line"
    has "Copyright (C) 2026 The cowtui authors" out
    has "License GPLv3+" out
    run 0 -V
    run 0 --help
    has "usage: cowtui" out
    [ "$(wc -L <out)" -le 80 ] || die "help is wider than 80 columns"
    for command in $commands; do
        run 0 "$command" --help
        has "usage: cowtui $command" out
        run 0 -h "$command"
        has "usage: cowtui $command" out
    done
}

usage_errors()
{
    small
    freeze x.cow b.img
    run 2 --json # of the list by its name alone
    run 2 x.cow # no terminal
    has "info x.cow" err
    run 2 infoo
    has "neither a command nor a file" err
    run 2 x.cow b.img
    run 2 info
    run 2 info x.cow b.img
    run 2 --nonsense info x.cow
    run 2 info -Q x.cow
    run 2 info --policy extend x.cow
    run 2 info --color=often x.cow
    run 2 info -b
    run 2 --json x.cow
    run 2 merge x.cow
    run 2 merge -o '' x.cow
    run 2 resize x.cow
    run 2 resize --policy nonsense x.cow 1M
    run 2 resize --policy copy: x.cow 1M
    run 2 resize --policy keep x.cow 12Q
    run 2 resize --policy keep x.cow ''
    run 2 resize --policy keep --reserve +1G x.cow 1M
    run 2 resize --policy extend --shrink x.cow 40K
    run 2 resize --discard --policy extend x.cow 1M
    run 2 recover
    run 2 recover --shrink x.cow
    run 2 undo x.cow b.img
    run 2 undo --policy copy x.cow
    run 2 create b.img
    run 2 info nowhere.cow
    run 2 info --scan x.cow
    run 2 map --repair x.cow
    run 2 check
    run 2 check --force --to v3 x.cow
    run 2 check -o y.cow x.cow
    run 2 check nowhere.cow
    run 2 merge -o raw --in-place x.cow
    run 2 pages --shrink x.cow
    run 2 compact x.cow b.img
    run 2 compact --reserve nonsense x.cow
    run 2 rebase x.cow
    run 2 rebase --to x.cow
    run 2 convert --to v2 -o y.cow x.cow
    run 2 convert --to v3 x.cow
    run 2 diff b.img raw
    run 2 diff -o y.cow b.img
    unchanged "wrong use"
}

anywhere()
{
    small
    run 0 info x.cow --json
    cp out saved.json
    run 0 --json info x.cow
    cmp out saved.json || die "the place of an option matters"
    run 0 info --json -- x.cow
    run 0 -b b.img info x.cow
    run 0 info -bb.img --backing=b.img x.cow
    cp x.cow info
    run 2 ./info
    has "needs a terminal" err
    run 0 info ./info
    run 0 info info
    cp x.cow ./-5.cow
    run 0 info -- -5.cow
    run 0 info -5.cow
}

# "-512" is a size, wherever it stands; a smaller one is refused for what it is.
minus_size()
{
    small
    freeze x.cow b.img
    run 3 resize --policy copy x.cow -512
    has smaller err
    run 3 resize x.cow -512 --policy copy -y
    run 3 resize --policy copy -y x.cow -1K
    run 2 resize --policy copy x.cow -1G
    run 0 resize -n --policy copy x.cow +1M
    unchanged "a size with a minus"
}

streams()
{
    local code
    small
    for args in "info x.cow" "info --json x.cow" "map x.cow" "map --json x.cow" "--help" "resize -n --policy keep x.cow 1M" \
        "map --scan x.cow" "map --scan --json x.cow" "pages -n x.cow" "pages -n --json x.cow" "check -n --repair x.cow" \
        "files x.cow" "files --json x.cow" "files --owner 0 x.cow" "files --owner 0 --json x.cow"; do
        # shellcheck disable=SC2086 # words
        "$COWTUI" $args >/dev/full 2>err
        eq 2 $? "exit code of $args on a full device"
        has "standard output" err
        # shellcheck disable=SC2086
        "$COWTUI" $args >&- 2>err
        eq 2 $? "exit code of $args with a closed output"
    done
    "$COWTUI" --nonsense 2>&- >out
    eq 2 $? "exit code with a closed standard error"
    (
        "$COWTUI" map --json x.cow 2>err
        echo $? >code
    ) | true
    for _ in $(seq "$(turns 50)"); do
        [ -s code ] || sleep 0.1
    done
    code=$(cat code)
    [ "$code" = 141 ] || [ "$code" = 0 ] || die "exit code $code for a reader that is gone"
    TMPDIR=$PWD/nowhere "$COWTUI" map --json x.cow >out 2>err
    eq 2 $? "exit code without a place for the temporary file"
    eq 0 "$(stat -c %s out)" "bytes printed then"
    eq "" "$(find . -name 'cowtui*')" "temporary files left"
}

color()
{
    small
    run 0 info x.cow
    "$COWTUI" info --color=always x.cow >colored 2>err || die "--color=always"
    grep -q $'\033' colored || die "no colour with --color=always"
    sed 's/\x1b\[[0-9;]*m//g' colored | cmp - out || die "colour changes the words"
}

# The words of help are those of the tables; manual and completions must name just these.
names_agree()
{
    local page=$root/share/man/cowtui.1 word file
    run 0 --help
    grep -oE -- '--[a-z][a-z-]+' out | sort -u >options
    [ "$(wc -l <options)" -gt 10 ] || die "no options in the help"
    for file in "$page" "$root/share/completions/cowtui.bash" "$root/share/completions/_cowtui" \
        "$root/share/completions/cowtui.fish"; do
        [ -s "$file" ] || die "$file is missing"
        sed -e 's/\\-/-/g' "$file" >plain
        if [ "${file##*.}" = fish ]; then # it writes them without the dashes
            sed -E 's/ -l ([a-z-]+)/ --\1/g' plain >plain2 && mv plain2 plain
        fi
        while read -r word; do
            grep -qE -- "(^|[^a-z-])$word([^a-z-]|\$)" plain || die "${file##*/} does not name $word"
        done <options
        for word in $commands; do
            grep -qw -- "$word" plain || die "${file##*/} does not name $word"
        done
    done
    # And no extra than these.
    for file in "$root"/share/completions/cowtui.bash "$root"/share/completions/_cowtui; do
        grep -v '^ *#' "$file" | grep -oE -- '--[a-z][a-z-]+' | sort -u | comm -13 options - >extra
        [ ! -s extra ] || die "${file##*/} offers $(tr '\n' ' ' <extra)"
    done
    sed -nE 's/^complete .* -l ([a-z-]+).*/--\1/p' "$root/share/completions/cowtui.fish" | sort -u | comm -13 options - >extra
    [ ! -s extra ] || die "cowtui.fish offers $(tr '\n' ' ' <extra)"
}

man_page()
{
    command -v groff >/dev/null || skip "groff is not installed"
    groff -man -Tutf8 -ww -z "$root/share/man/cowtui.1" 2>warnings
    [ ! -s warnings ] || die "$(head -n 1 warnings)"
    for code in 0 1 2 3 4 5 63 130; do
        grep -qE "^\.(B|TP|IP) .*\b$code\b|^\.B $code\$" "$root/share/man/cowtui.1" || die "exit code $code is not in it"
    done
}

# Its keys and commands are those of the program's table; its head has a date, and gets the version when it is built.
manual_keys()
{
    local page=$root/share/man/cowtui.1
    "$root/share/man/keys.sh" "$COWTUI" >want || die "keys.sh failed"
    [ "$(grep -c '^\.TP' want)" -gt 60 ] || die "Help has no keys"
    sed -n '/^\.SH KEYS$/,/^\.SH ORIGINS$/p' "$page" | sed '$d' >got
    diff want got >difference || die "share/man/keys.sh says: $(grep '^[<>]' difference | head -n 3)"
    sed -n 2p "$page" | grep -qE '^\.TH COWTUI 1 20[0-9]{2}-[01][0-9]-[0-3][0-9] "cowtui @VERSION@" ' ||
        die "no date or version: $(sed -n 2p "$page")"
}

# The findings that the manual lists are those of the table, and so are the stars.
findings_listed()
{
    sed -n '/^#define COW_FINDING_LIST/,/^$/p' "$root/include/cow/check.h" |
        grep -oE 'X\([A-Z_]+, "[a-z-]+", [A-Z]+, [A-Z]+, (true|false)' |
        sed -E 's/.*"(.*)", ([A-Z]+), [A-Z]+, (.*)/\2 \1 \3/; s/ true$/ */; s/ false$//' |
        sed -E 's/^([A-Z]+)/\L\1/' | sort >want
    [ "$(wc -l <want)" -gt 20 ] || die "the table is not found"
    sed -n '/^\.SH FINDINGS/,/^\.SH JSON/p' "$root/share/man/cowtui.1" | sed 's/\\-/-/g; s/\\%//; s/\\~/ /' |
        awk '/^\.B (corrupt|error|warning|note)$/ { severity = $2; next } /^\./ { next }
            severity { sub(/,$/, ""); print severity, $0 }' | sort >got
    diff want got >difference || die "$(head -n 3 difference | tr '\n' ' ')"
}

# The screen in a terminal, left at once.
on_screen() # ARGUMENTS...
{
    (sleep 0.4 && printf q) | timeout 20 script -qec "stty cols 80 rows 24; exec '$COWTUI' $*" /dev/null >out 2>&1
}

# How the screen looks, from the user's own file.
config_file()
{
    command -v script >/dev/null || skip "script (bsdutils) is not installed"
    local line
    small
    mkdir -p home/.config/cowtui other/cowtui
    export HOME=$PWD/home TERM=xterm
    unset XDG_CONFIG_HOME
    on_screen x.cow || die "the screen without a config file"
    has '┌' out
    printf '# look\n\n  ascii \n mouse\n--theme = light\n' >home/.config/cowtui/config
    on_screen x.cow || die "the screen with one"
    hasnt '┌' out
    on_screen --no-config x.cow && has '┌' out || die "--no-config reads it"
    export XDG_CONFIG_HOME=$PWD/other
    on_screen x.cow && has '┌' out || die "XDG_CONFIG_HOME is not where it is looked for"
    echo 'color=sometimes' >other/cowtui/config
    on_screen --color=never x.cow || die "the command line has the last word"
    for line in yes force --in-place write=1 backing=b.img script=s ascii=1 mouse=1 theme color=sometimes nonsense; do
        printf '\n%s\n' "$line" >other/cowtui/config
        on_screen x.cow
        eq 2 $? "exit code with '$line'"
        has "other/cowtui/config:2" out
    done
    echo mouse >other/cowtui/config
    on_screen x.cow && has '?1006h' out && has '?1006l' out || die "the mouse is not asked for, or not given back"
    : >other/cowtui/config
    on_screen x.cow && hasnt '?1006h' out || die "the mouse is asked for by itself"
    run 0 info x.cow # subcommands do not read it
    rm other/cowtui/config && mkfifo other/cowtui/config
    on_screen x.cow
    eq 2 $? "exit code with a FIFO"
}

# The tour has a disk of its own, which is nobody's business, and goes with it.
tour()
{
    small
    freeze x.cow b.img
    mkdir tmp
    export TMPDIR=$PWD/tmp
    run 2 --tour
    has "the tour needs a terminal" err
    run 2 --tour x.cow
    has "takes no other" err
    run 2 --tour --no-backing
    run 2 --tour -b b.img
    run 2 info --tour x.cow
    has "info does not take --tour" err
    printf 'expect One disk, two files\nkey Enter\ndump-screen\n' >keys
    run 0 --tour --script keys
    has "What was always here" out
    printf 'key nonsense\n' >keys
    run 2 --tour --script keys
    (
        ulimit -f 64
        run 2 --tour --script keys
        has "the tour needs a practice disk: making $PWD/tmp/cowtui-tour-" err
        has "disk.img: File too large" err
    ) || exit
    # What it lacks room for in the middle is told there, and what went before can be seen again.
    {
        for _ in 1 2 3 4 5 6 7 8 9 10 11; do echo key Enter; done
        printf '%s\n' 'expect The disk grows' 'key Enter' 'expect File too large' 'key Enter' 'expect There is no practice disk'
        printf '%s\n' 'key Backspace' 'expect What mends it' 'expect kernel: opens' 'key Enter Enter' 'expect File too large'
    } >keys
    (
        ulimit -f 10000
        run 0 --tour --script keys
    ) || exit
    eq "" "$(ls -A tmp)" "left behind"
    : >file
    printf 'expect One disk, two files\n' >keys
    TMPDIR=$PWD/file run 0 --tour --script keys # /tmp, then
}

# Files of the user's, and beside the program; whatever is in their place is told, and holds nobody.
theme_files()
{
    small
    : >keys
    mkdir -p other/cowtui/themes prefix/bin prefix/share/cowtui/themes
    export XDG_CONFIG_HOME=$PWD/other
    local own=other/cowtui/themes
    printf 'base = light\nkey = red\n' >$own/mine.theme
    run 0 --script keys --theme mine x.cow
    printf '# mine\nkey = yelow\n' >$own/mine.theme
    run 2 --script keys --theme mine x.cow
    has "$own/mine.theme:2: there is no colour \"yelow\"" err
    has 'did you mean yellow?' err
    run 0 --script keys x.cow
    run 0 --script keys --theme dark x.cow
    mkfifo $own/fifo.theme && mkdir $own/directory.theme && ln -s /dev/zero $own/zero.theme
    printf '\033[31m = red\n' >$own/evil.theme
    printf 'x = red\n' >"$own/$(printf 'e\033[31m').theme"
    for theme in fifo directory zero evil ../themes/mine ''; do
        run 2 --script keys --theme "$theme" x.cow
        ! grep -q $'\033' err || die "a control byte is told of $theme"
    done
    run 2 --script keys --theme nonsense x.cow
    has 'themes: 16, contrast, dark, default, directory, evil, fifo, light, mine, mono, zero' err
    echo 'key = blue' >prefix/share/cowtui/themes/ours.theme
    cp "$COWTUI" prefix/bin/cowtui
    local COWTUI=$PWD/prefix/bin/cowtui
    run 0 --script keys --theme ours x.cow
    echo 'key = bleu' >prefix/share/cowtui/themes/ours.theme
    run 2 --script keys --theme ours x.cow
    has 'share/cowtui/themes/ours.theme:1: there is no colour' err
}

# Each theme once, as it is; and its manual.
themes_shown()
{
    for theme in "$root"/share/themes/*.theme; do
        theme=$(basename "$theme" .theme)
        [ -s "$root/share/doc/img/theme-$theme.svg" ] || die "there is no picture of $theme"
        grep -q "img/theme-$theme.svg" "$root/share/doc/themes.md" || die "its picture is not shown"
        grep -q "^\.B $theme\$" "$root/share/man/cowtui.1" || die "the manual does not name $theme"
    done
}

commands=$("$COWTUI" --help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
t "cli: help and version" help_and_version
t "cli: wrong use" usage_errors
t "cli: options anywhere" anywhere
t "cli: a size with a minus" minus_size
t "cli: streams that fail" streams
t "cli: colour" color
t "cli: help, manual and completions agree" names_agree
t "cli: config file" config_file
t "cli: tour" tour
t "cli: theme files" theme_files
t "cli: themes shown" themes_shown
t "cli: manual" man_page
t "cli: manual, keys" manual_keys
t "cli: manual, findings" findings_listed

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Hostile names, as image, as backing file, as output: no byte of theirs reaches a terminal raw (run() looks),
# and JSON stays JSON from which the name can be had back.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

hostile=(
    $'esc \033[31m\033]0;title\007'
    $'new\nline'
    $'cr\rbs\b\x7f'
    $'c1 \xc2\x9b31m \x9b31m'
    $'rlo \xe2\x80\xaegpj.exe'
    $'latin1 \xe9t\xe9'
    $'broken \xc3 \xf0\x9f\x92'
    $'overlong \xc0\xaf \xed\xa0\x80'
    "back\\slash \"quotes\" 'both' \$HOME"
    ' spaces  '
    $'utf8 ünïcödé \xf0\x9f\x90\xae'
    $'hidden \xc2\xad \xe3\x85\xa4 \xef\xb8\x8f \xf3\xa0\x81\x81'
    $'\xcc\x81marks a\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81'
    '%s%n%d'
    '-b'
    '--help'
    "$(printf 'long%.0s' $(seq 60))"
)

# The text of JSON back to bytes.
unescaped()
{
    py "$1" <<'END'
import json, os, re, sys
with open("out", encoding="utf-8") as f:
    text = json.load(f)
for name in sys.argv[1].split(".")[1:]:
    text = text[name]
text = re.sub(rb"\\(\\|x([0-9a-fA-F]{2}))", lambda m: b"\\" if m[1] == b"\\" else bytes([int(m[2], 16)]), text.encode())
sys.stdout.write(os.fsdecode(text) + ".")
END
}

all_of() # IMAGE BACKING: every command, text and JSON; the names are given with a path
{
    local image=$1 backing=$2 json policy
    head -c 65536 /dev/zero >other.raw
    freeze "$image" "$backing"
    run 0 info "$image"
    run 0 info -v "$image"
    run 0 info --json "$image"
    good_json
    run 0 map "$image"
    run 0 map --json "$image"
    good_json
    for json in "" --json; do
        run 0 merge -n ${json:+"$json"} -o ./raw "$image"
        [ -z "$json" ] || good_json
        for policy in extend copy keep "copy:./$backing.copy"; do
            run 0 resize -n ${json:+"$json"} --policy "$policy" "$image" 1M
            [ -z "$json" ] || good_json
        done
        run 0 create -n ${json:+"$json"} "./$backing.cow" "$backing"
        [ -z "$json" ] || good_json
        run 0 pages -n ${json:+"$json"} "$image"
        [ -z "$json" ] || good_json
        run 0 compact -n ${json:+"$json"} -o "./$backing.cow" "$image"
        [ -z "$json" ] || good_json
        run 0 rebase -n ${json:+"$json"} --safe --to "$backing" "$image"
        [ -z "$json" ] || good_json
        run 0 convert -n ${json:+"$json"} --to v3 -o "./$backing.cow" "$image"
        [ -z "$json" ] || good_json
        run 0 merge -n ${json:+"$json"} --in-place "$image"
        [ -z "$json" ] || good_json
        run 0 diff -n ${json:+"$json"} -o "./$backing.cow" "$backing" other.raw
        [ -z "$json" ] || good_json
        run 1 check ${json:+"$json"} "$image" # mixed pages
        [ -z "$json" ] || good_json
        run 1 check -n --repair ${json:+"$json"} "$image"
        [ -z "$json" ] || good_json
    done
    # And where it fails, in the words of the error.
    run 3 merge -o "$backing" "$image"
    run 3 merge -o "$image" "$image"
    run 3 resize -y "$image" 40K
    run 3 rebase -y --to "$image" "$image"
    run 2 rebase -y --to "./no/$backing" "$image"
    run 3 diff -o "$backing" "$backing" "$image"
    run 3 create "$image" "$backing"
    run 2 resize -y --policy keep "$image" 12Q
    run 2 merge -o "./no/$image" "$image"
    unchanged "a hostile name"
}

# A line of text stays one line.
one_line()
{
    small
    mv x.cow $'a\nb.cow'
    mv b.img $'a\nb.img'
    "$PYTHON" -ES -c 'import os; f = open("a\nb.cow", "r+b"); f.seek(32); f.write(os.getcwdb() + b"/a\nb.img\0")'
    run 0 info $'a\nb.cow'
    ! grep -q '^b\.' out || die "a name makes a line: $(grep '^b' out)"
    run 0 resize -n --policy extend $'a\nb.cow' 1M
    ! grep -q '^b\.' out || die "a name makes a line: $(grep '^b' out)"
    run 3 resize --policy extend $'a\nb.cow' 1M
    ! grep -q '^b\.' err || die "a name makes a line: $(grep '^b' err)"
    run 2 info $'a\nb.gone'
    ! grep -q '^b\.' err || die "a name makes a line: $(grep '^b' err)"
}

name()
{
    local name=$1 text
    small
    mv x.cow "./$name.cow"
    py "./$name.cow" "$PWD/./$name.img" <<'END'
import os, sys
with open(sys.argv[1], "r+b") as f:
    f.seek(32)
    f.write(os.fsencode(sys.argv[2]) + b"\0")
END
    mv b.img "./$name.img"
    all_of "./$name.cow" "./$name.img"
    run 0 info --json "./$name.cow"
    text=$(unescaped .backing.path)
    eq "$PWD/./$name.img." "$text" "the backing path out of the JSON"
    # The real thing, with names that are made.
    run 0 merge -o "./$name.raw" "./$name.cow"
    run 0 resize --json -y --policy copy "./$name.cow" 1M
    text=$(unescaped .backing_path)
    eq "$PWD/$name.cow.backing." "$text" "the new backing path out of the JSON"
    run 0 info --json "./$name.cow"
    eq true "$(json .uml.opens)" "would UML open it"
    run 0 create "./$name.new" "./$name.img"
    rm "./$name.img" "./$name.cow.backing"
    run 0 info "./$name.cow"
    run 2 merge -o raw "./$name.cow"
    run 2 info "./$name.gone"
    run 2 "./$name.cow"
    run 2 "$name.gone"
}

# The stored path alone is hostile, the file is named with -b; garbage behind the NUL.
stored()
{
    local n=0 text
    samples
    sample v3-1m.cow b1m.raw
    for text in "${hostile[@]}"; do
        py "$text" <<'END'
import os, sys
with open("v3-1m.cow", "r+b") as f:
    f.seek(32)
    f.write(os.fsencode(sys.argv[1]) + b"\0\x1b[2J\xff")
END
        run 0 info v3-1m.cow
        run 0 info -v -b b1m.raw v3-1m.cow
        run 0 info --json -b b1m.raw v3-1m.cow
        eq "$text." "$(unescaped .backing.path)" "the stored path out of the JSON"
        run 0 resize -n -b b1m.raw --json --policy keep v3-1m.cow 2M
        good_json
        n=$((n + 1))
    done
    # 4095 bytes that all have to be escaped.
    "$PYTHON" -ES -c 'f = open("v3-1m.cow", "r+b"); f.seek(32); f.write(b"\x1b" * 4095 + b"\0")'
    run 0 info --json v3-1m.cow
    eq 4095 "$(unescaped .backing.path | tr -d . | wc -c)" "bytes of a long path"
    run 0 info v3-1m.cow
    run 2 merge -o raw v3-1m.cow
}

words()
{
    small
    freeze x.cow b.img
    for text in "${hostile[@]}"; do
        case $text in -*) continue ;; esac
        run 2 info x.cow "$text"
        run 2 "--$text" info x.cow
        run 2 info --color="$text" x.cow
        run 2 resize -y --policy "$text" x.cow 1M
        run 2 resize -y --policy keep x.cow "$text"
        run 2 info -b "./$text" x.cow
        run 2 create "./$text" "./$text"
    done
    run 2 info -$'\033' x.cow
    run 2 info -$'\xff' x.cow
    unchanged "hostile words"
}

# Where the locale has no UTF-8, 0x80 to 0x9f are control characters, and each good character is made of them.
narrow() # LOCALE
{
    local name=$'x\xc2\xa0\xe5\x90\x8d' before=$LC_ALL
    small
    mv x.cow "$name.cow"
    mv b.img "$name.img"
    freeze "$name.cow" "$name.img"
    run 0 info --json -b "$name.img" "$name.cow"
    cp out wide
    export LC_ALL=$1
    run 0 info -b "$name.img" "$name.cow"
    has 'x\xc2\xa0\xe5\x90\x8d.cow' out
    ascii "info"
    run 0 resize -n --policy copy -b "$name.img" "$name.cow" 1M
    ascii "a plan"
    run 0 resize -y --policy copy -b "$name.img" "$name.cow" 1M # the plan goes to standard error
    has 'x\xc2\xa0\xe5\x90\x8d.cow' err
    ascii "a plan with yes"
    run 0 undo -y "$name.cow"
    ascii "undo"
    unchanged "to and fro"
    run 2 info "$name"
    has 'x\xc2\xa0\xe5\x90\x8d' err
    ascii "an error"
    run 0 info --json -b "$name.img" "$name.cow"
    ascii "JSON"
    [ "$(jq -c . out)" = "$(jq -c . wide)" ] || die "the JSON says something else"
    export LC_ALL=$before
}

latin1()
{
    mkdir locales
    localedef -i en_US -f ISO-8859-1 locales/narrow 2>/dev/null || skip "a Latin-1 locale cannot be made here"
    # setlocale itself does not give back what it makes of LOCPATH
    ! sanitized || export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0"
    export LOCPATH=$PWD/locales
    narrow narrow
}

ascii() # WHAT
{
    if LC_ALL=C grep -qP '[\x80-\xff]' out err; then die "$1: a byte beyond ASCII"; fi
}

i=0
for text in "${hostile[@]}"; do
    i=$((i + 1))
    t "names: $i" name "$text"
done
t "names: one line" one_line
t "names: stored paths" stored
t "names: arguments" words
t "names: the C locale" narrow C
t "names: a Latin-1 locale" latin1

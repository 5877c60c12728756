#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Prints the manual's section of keys and commands, as the program's own Help has them: its table is the only
# place that knows. The test suite holds cowtui.1 against it; after a change of the table, put this in its place.
# Usage: keys.sh [COWTUI]      default: build/cowtui
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
program=$(realpath "${1:-$root/build/cowtui}")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM HUP
export LC_ALL=C.UTF-8
cd "$scratch"

truncate -s 64K b.img
"$program" create --quiet --yes x.cow b.img
printf 'size 240x400\nkey ?\ndump-screen\n' >keys.script
"$program" --ascii --script keys.script x.cow >help

cat <<'END'
.SH KEYS
On the screen; the footer names the most important ones, and
.B ?
shows them all.
.B C\-
is Ctrl,
.B S\-
is Shift.
END
# A line of Help: the frame, three blanks, the keys, and from column 24 on what they do.
sed -n 's/^| \(.*[^ ]\) *|$/\1/p; s/^| *|$//p' help | awk '
    function roff(text) {
        gsub(/\\/, "\\e", text); gsub(/-/, "\\-", text); gsub(/\047/, "\\(aq", text)
        return text
    }
    /^Everywhere / { inside = 1; print ".SS Everywhere"; next }
    !inside || /^$/ { next }
    /^[^ ]/ { print ".SS " roff($0); next }
    {
        keys = substr($0, 3, 21); text = substr($0, 24)
        if (length($0) < 24 || substr($0, 23, 1) != " ") { keys = substr($0, 3); text = "" }
        sub(/ +$/, "", keys); sub(/^ +/, "", text)
        if (keys != "") { gsub(/  +/, ", ", keys); print ".TP\n.B \\&" roff(keys) }
        if (text != "") print (text ~ /^[.\047]/ ? "\\&" : "") roff(text)
    }'

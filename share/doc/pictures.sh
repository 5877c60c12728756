#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Makes the pictures of the README and of the themes anew: the demo image in a scratch directory, keys by --script, the screen as
# SVG. The same program makes the same pictures, byte for byte; nothing of the machine is in them (the files are
# named relatively, and what depends on the filesystem is scrolled out of sight).
# Usage: pictures.sh [COWTUI [DIRECTORY]]      default: build/cowtui, share/doc/img
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
program=$(realpath "${1:-$root/build/cowtui}")
target=${2:-$here/img}
mkdir -p "$target"
target=$(realpath "$target")

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM HUP
export LC_ALL=C.UTF-8 TZ=UTC XDG_CONFIG_HOME="$scratch" # no themes of the user's own
unset NO_COLOR || true

tar --extract --sparse --file "$root/share/demo/guest-ext4.tar.xz" --directory "$scratch" --no-same-owner
cd "$scratch"

# shot NAME [OPTION]...: the lines of a script from standard input, then the picture.
shot() {
    name=$1
    shift
    { cat && echo "dump-svg $name.svg"; } >"$name.script"
    case $* in
    --tour) "$program" --tour --script "$name.script" ;;
    *) "$program" "$@" --script "$name.script" root.cow ;;
    esac
    mv "$name.svg" "$target/$name.svg"
}

# The whole disk; the selection stands on what the guest wrote most.
shot map <<'KEYS'
size 120x33
key 2
type :goto 9M
key Enter
KEYS

# The same place, a page a cell.
shot map-zoom <<'KEYS'
size 120x28
key 2
type :goto 5M
key Enter
key + + + ] ]
KEYS

shot header <<'KEYS'
size 120x30
key 1
KEYS

shot blocks <<'KEYS'
size 120x24
key 3 ] ] ] ] ]
KEYS

# The tour, where the practice disk has grown; it needs no image.
shot tour --tour <<'KEYS'
size 100x26
key Enter Enter Enter Enter Enter Enter Enter Enter Enter Enter Enter
expect 1 as it is
key Enter
expect 3 marked
KEYS

# What is wrong with it: one finding explained.
shot check <<'KEYS'
size 120x24
key 5
key f
KEYS

# The same disk, looked into: what the guest really changed.
shot scan <<'KEYS'
size 120x28
key 2
type :goto 5M
key Enter
key + + + s
KEYS

# What the guest has changed, and what of the COW is of no file.
shot files <<'KEYS'
size 120x24
key 4
KEYS

# The whole disk by owners: what the changed sectors are to the guest.
shot map-owners <<'KEYS'
size 120x33
key 2
type :goto s18434
key Enter c
KEYS

# Twelve bytes of a text file that the guest changed.
shot bytes <<'KEYS'
size 120x24
type :goto s9033
key Enter 3 Enter PgDn Down Down Down Down
KEYS

shot wizard-policy <<'KEYS'
size 120x24
key r
type 128M
key Enter
KEYS

shot wizard-preview <<'KEYS'
size 120x31
key r
type 128M
key Enter Enter Enter
KEYS

# The disk as a picture: what the guest wrote, by what it is worth.
"$program" map --quiet --scan --svg - root.cow >"$target/picture.svg"

# Each theme once: the map, looked into, with what a scan tells.
for theme in "$root"/share/themes/*.theme; do
    theme=$(basename "$theme" .theme)
    shot "theme-$theme" --theme "$theme" <<'KEYS'
size 80x20
key 2
type :goto 4700K
key Enter
key + + + + s
KEYS
done

echo "pictures: $target"

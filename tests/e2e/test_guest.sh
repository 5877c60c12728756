#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The disk that a real guest has written: what every reader says of it, and that none touches it.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

composed=11979388e1eda3f239f3866cea5d09493997f686676df49b1c90de51ab898d17

guest()
{
    tar -xf "$root/share/demo/guest-ext4.tar.xz" || die "share/demo/guest-ext4.tar.xz does not unpack"
    freeze root.cow root_fs.img
}

facts()
{
    guest
    run 0 info --json root.cow
    eq 1904 "$(json .usage.dirty_sectors)" "dirty sectors"
    eq 974848 "$(json .usage.dirty_bytes)" "dirty bytes"
    eq 67108864 "$(json .size_bytes)" size
    eq true "$(json .uml.opens)" "would UML open it"
    eq true "$(json .backing.found)" "backing found"
    run 0 info root.cow
    has "1904 of 131072" out
    has "opens it" out
    run 0 map --json root.cow
    eq 974848 "$(json '[.[] | select(.origin == "cow" or .origin == "hole") | .length] | add')" "dirty bytes of the map"
    unchanged "info and map"
}

merge()
{
    guest
    run 0 merge -o disk.raw root.cow
    eq "$composed" "$(sha disk.raw)" "composed disk"
    [ "$(stat -c %b disk.raw)" -lt 16384 ] || die "merge filled the holes: $(stat -c %b disk.raw) blocks"
    unchanged merge
}

dry_run()
{
    guest
    run 0 resize -n --policy extend root.cow 128M
    has "128 MiB" out
    run 0 resize -n --policy copy --json root.cow 128M
    eq 974848 "$(json .moves_bytes)" "bytes that move"
    unchanged "a dry run"
    eq "root.cow root_fs.img " "$(names)" "files"
}

# Each policy to 128 MiB: the old disk and zeros after it.
resize()
{
    local policy=$1 backing=root_fs.img want
    guest
    want=$( (model raw root.cow uml-cow-v3 root_fs.img old.raw && cat old.raw && head -c 67108864 /dev/zero) | sha256sum |
        cut -d' ' -f1)
    rm old.raw
    [ "$policy" != copy ] || backing=root.cow.backing
    run_long 0 resize -y --policy "$policy" root.cow 128M
    [ "$(stat -c %b root.cow)" -lt 4096 ] || die "the holes were filled: $(stat -c %b root.cow) blocks"
    eq "$want" "$(model compose root.cow uml-cow-v3 "$backing" 134217728)" "composed disk"
    [ "$policy" = keep ] || eq 134217728 "$(stat -c %s "$backing")" "size of the backing"
    [ "$policy" = copy ] || eq 1051358400 "$(stat -c %Y root_fs.img)" "date of the backing"
    run 0 info --json root.cow
    [ "$policy" = keep ] || eq true "$(json .uml.opens)" "would UML open it"
}

# The programs on the disk are nobody else's: the script beside the archive has made them.
own_bytes()
{
    local program script=$root/share/demo/own_bytes.py
    guest
    for program in tool1 tool2 tool3; do
        "$PYTHON" "$script" --show $program >want || die "own_bytes.py --show $program"
        rm -f got
        run 0 files --extract /usr/bin/$program -o got root.cow
        cmp -s want got || die "/usr/bin/$program is not what own_bytes.py makes"
    done
    cp "$root/share/demo/guest-ext4.tar.xz" .
    "$PYTHON" "$script" guest-ext4.tar.xz >out || die "own_bytes.py does not take the archive"
    has "has them already" out
}

t "guest: info and map" facts
t "guest: the bytes of its programs" own_bytes
t "guest: merge" merge
t "guest: resize, dry run" dry_run
for policy in extend copy keep; do
    t "guest: resize $policy" resize "$policy"
done

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# merge --in-place: the backing file becomes the disk, the image is empty, and who else stands on that file is told.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

merged() # IMAGE BACKING SUM: the backing file is the disk now, the image is empty and fits it
{
    eq "$3" "$(sha "$2")" "the backing file"
    is_now "$1" "$2" - "$3"
    eq "$(stat -c %Y "$2")" "$(model header "$1" uml-cow-v3 | sed -n 's/^mtime //p')" "date in the header"
}

merges()
{
    local want
    all_kinds
    chmod 640 x.cow
    chmod 604 b.img
    want=$(model compose x.cow uml-cow-v3 b.img)
    freeze x.cow b.img
    only_asked merge --in-place x.cow
    eq "merge true true" "$(json '"\(.operation) \(.changes_existing) \([.steps[] | .kind == "merge-into-backing"] | any)"')" \
        "the plan"
    run 0 merge -n --in-place x.cow
    has b.img out
    has "undo" out
    grep -q '  undo .*none' out || die "the plan does not say that there is no way back"
    inode=$(stat -c %i b.img)
    run 0 merge -y --in-place x.cow
    merged x.cow b.img "$want"
    eq "640 604 $inode 65836" "$(stat -c %a x.cow) $(stat -c '%a %i %s' b.img)" "modes; inode and size of the backing file"
    [ "$(stat -c %Y b.img)" != 1049522828 ] || die "the backing file has its old date: other images would not notice"
    run 0 merge -o raw x.cow
    eq "$want" "$(sha raw)" "composed disk, by merge"
    rm raw
    run 3 undo -y x.cow
    eq "b.img x.cow " "$(names)" files
}

variant()
{
    local file=$1 under want
    under=$(of "$file" backing_file)
    sample "$file" "$under"
    if [ "$(stat -c %s "$under")" != "$(of "$file" size)" ]; then
        freeze "$file" "$under"
        run 3 merge -y --in-place -b "$under" "$file"
        unchanged "a backing file of another size"
        return
    fi
    if [ "$(model dirty "$file" "$(of "$file" variant)")" = - ]; then
        freeze "$file" "$under"
        run 0 merge --in-place -b "$under" "$file"
        unchanged "nothing to merge"
        return
    fi
    want=$(model compose "$file" "$(of "$file" variant)" "$under")
    run 0 merge -y --in-place -b "$under" "$file"
    merged "$file" "$under" "$want"
    eq "$(printf '%s\n' "$under" "$file" | LC_ALL=C sort | tr '\n' ' ')" "$(names)" files
    run 0 info --json "$file" # without -b: it names the file that it was merged into
    eq true "$(json .uml.opens)" "would UML open it"
}

# Nothing to write: the date of the backing file stays, and with it all other images.
nothing_to_do()
{
    small
    model make x.cow b.img 4096 -
    freeze x.cow b.img
    run 0 merge --in-place x.cow
    run 0 merge --json --in-place x.cow
    eq none "$(json .method)" method
    unchanged "nothing to merge"
    eq "b.img x.cow " "$(names)" files
}

siblings()
{
    small
    want=$(model compose x.cow uml-cow-v3 b.img)
    model make y.cow b.img 4096 3
    mkdir elsewhere
    model make elsewhere/z.cow b.img 4096 4 # not beside them: nobody looks there
    head -c 65536 /dev/zero | tr '\0' 'q' >other.img
    model make q.cow other.img 4096 3 # of another file
    freeze x.cow b.img y.cow q.cow
    run 0 merge -n --in-place --json x.cow
    eq "$PWD/y.cow" "$(json '.siblings[]')" siblings
    run 0 merge -n --in-place x.cow
    has "$PWD/y.cow" out
    hasnt q.cow out
    hold write y.cow
    run 4 merge -y --in-place x.cow
    has "$holder" err
    run 4 merge -y -f --in-place x.cow
    unchanged "a guest on another image"
    let_go
    hold read b.img # what a guest does with it on any image
    run 4 merge -y --in-place x.cow
    unchanged "a guest on the backing file"
    let_go
    freeze y.cow
    run 0 merge -y --in-place x.cow
    has "$PWD/y.cow" err
    merged x.cow b.img "$want"
    unchanged "the other image"
    run 0 info --json y.cow
    eq false "$(json .uml.opens)" "would UML open the other image"
}

refused()
{
    all_kinds
    never_then merge --in-place
    freeze x.cow b.img
    run 2 merge x.cow
    run 2 merge -y --in-place -o raw x.cow
    run 2 merge -y --in-place x.cow b.img
    ln x.cow other.cow
    run 3 merge -y --in-place x.cow
    rm other.cow
    touch -d '2011-02-03 04:05:06 UTC' b.img
    freeze x.cow b.img
    run 3 merge -y --in-place x.cow
    has force err
    unchanged "a backing file of another date"
    touch -d '2003-04-05 06:07:08 UTC' b.img
    for size in 65835 65837 30000; do
        cp --preserve=all b.img away.img
        truncate -s "$size" b.img
        touch -r away.img b.img
        freeze x.cow b.img
        run 3 merge -y --in-place x.cow
        run 3 merge -y -f --in-place x.cow
        unchanged "a backing file of another size"
        mv away.img b.img
    done
    rm b.img
    freeze x.cow
    run 2 merge -y --in-place x.cow
    ln -s x.cow b.img
    "$COWTUI" merge -y --in-place x.cow >out 2>err && die "an image merged into itself"
    unchanged "no backing file"
    run 0 diff --help
    hasnt in-place out
    [ -z "$(find . -name '.*cowtui*')" ] || die "something is left"
}

# Nobody may write it.
read_only()
{
    small
    chmod 444 b.img
    if [ "$(id -u)" = 0 ]; then
        another_user 65534 # root may write everything
        chown 65534 x.cow .
    fi
    freeze x.cow b.img
    "${as_them[@]}" "$program" merge -y --in-place x.cow >out 2>err
    eq 2 $? "exit code"
    unchanged "a backing file that cannot be written"
    eq "b.img x.cow " "$(names)" files
}

qemu()
{
    sample qemu64-nobacking.cow
    freeze qemu64-nobacking.cow
    run 63 merge -y --in-place qemu64-nobacking.cow
    unchanged "an image without a backing file"
}

guest()
{
    tar -xf "$root/share/demo/guest-ext4.tar.xz" || die "share/demo/guest-ext4.tar.xz does not unpack"
    run_long 0 merge -y --in-place root.cow
    merged root.cow root_fs.img 11979388e1eda3f239f3866cea5d09493997f686676df49b1c90de51ab898d17
    [ "$(stat -c %b root_fs.img)" -lt 32768 ] || die "the holes were filled: $(stat -c %b root_fs.img) blocks"
}

t "in place: merges" merges
t "in place: nothing to do" nothing_to_do
t "in place: other images" siblings
t "in place: refused" refused
t "in place: a backing file that is read only" read_only
t "in place: the disk of a guest" guest
samples
t "in place: QEMU without a backing file" qemu
while read -r file; do
    t "in place: $file" variant "$file"
done < <(awk -F'\t' 'NR > 1 && $16 != "-" { print $1 }' "$root/tests/data/cow-variants.tsv")

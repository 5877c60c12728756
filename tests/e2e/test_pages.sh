#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# pages: no mixed page is left, and the disk is what it was.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

complete=0-47,64-79,120-128 # of all_kinds

completes()
{
    local want before
    all_kinds
    chmod 640 x.cow
    want=$(model compose x.cow uml-cow-v3 b.img)
    before=$(state x.cow b.img)
    freeze x.cow b.img
    only_asked pages x.cow
    eq "pages copy 56 73" "$(json '"\(.operation) \(.method) \(.dirty_sectors) \(.after_dirty_sectors)"')" "the plan"
    run 0 pages -n x.cow
    has "56 dirty sectors become 73" out
    freeze b.img
    run 0 pages -y x.cow
    is_now x.cow b.img "$complete" "$want"
    eq - "$(model mixed x.cow uml-cow-v3)" "mixed pages"
    eq 640 "$(stat -c %a x.cow)" mode
    run 0 merge -o raw x.cow
    eq "$want" "$(sha raw)" "composed disk, by merge"
    unchanged pages
    rm raw
    back_again x.cow b.img
}

nothing_to_do()
{
    all_kinds
    model make x.cow b.img 4096 8-15,128 # the page that the end of the disk cuts is complete
    freeze x.cow b.img
    run 0 pages x.cow
    has "nothing" err
    run 0 pages -q x.cow
    [ ! -s err ] || die "-q talks"
    run 0 pages -n x.cow
    run 0 pages --json x.cow
    eq none "$(json .method)" method
    unchanged "nothing to do"
    eq "b.img x.cow " "$(names)" files
}

variant()
{
    local file=$1 under want before
    under=$(of "$file" backing_file)
    sample "$file" "$under"
    before=$(state "$file" "$under")
    freeze "$file" "$under"
    want=$(model compose "$file" "$(of "$file" variant)" "$under")
    if [ "$(model mixed "$file" "$(of "$file" variant)")" = - ]; then
        run 0 pages -b "$under" "$file"
        unchanged "an image without mixed pages"
        return
    fi
    freeze "$under"
    run 0 pages -y -b "$under" "$file"
    model header "$file" uml-cow-v3 >header
    has "sector 512" header
    has "mtime 1049522828" header
    has "path $(of "$file" stored_backing)" header
    eq - "$(model mixed "$file" uml-cow-v3)" "mixed pages"
    eq "$want" "$(model compose "$file" uml-cow-v3 "$under")" "composed disk"
    unchanged pages
    run 0 undo -q -y "$file"
    eq "$before" "$(state "$file" "$under")" "what undo leaves"
}

elsewhere()
{
    local want
    all_kinds
    want=$(model compose x.cow uml-cow-v3 b.img)
    freeze x.cow b.img
    run 0 pages -n -o y.cow x.cow
    [ ! -e y.cow ] || die "a dry run writes"
    run 0 pages -o y.cow x.cow # a new file: nothing to ask
    is_now y.cow b.img "$complete" "$want"
    outputs_refused x.cow b.img -- pages -- x.cow
    echo precious >y.cow
    run 3 pages -o y.cow x.cow
    eq precious "$(cat y.cow)" "an existing output"
    run 0 pages -f --reserve 16G -o y.cow x.cow
    is_now y.cow b.img "$complete" "$want"
    unchanged "pages -o"
    run 0 resize -n --json --policy extend y.cow 16G
    eq header "$(json .method)" "method of growing into the reserve"
    eq "b.img x.cow y.cow " "$(names)" files
}

refused()
{
    all_kinds
    never_then pages
    ln x.cow other.cow
    freeze x.cow b.img
    run 3 pages -y x.cow
    unchanged "an image with two names"
    run 0 pages -y -f x.cow
    cmp -s x.cow other.cow && die "the other name got the new disk"
    all_kinds
    rm other.cow
    freeze x.cow
    mv b.img away.img
    run 2 pages -y x.cow
    run 2 pages -y -b nowhere x.cow
    mkdir b.img
    run 2 pages -y x.cow
    unchanged "no backing file"
    run 2 pages --sectors x.cow
    run 2 pages --to v3 x.cow
    run 2 pages
}

guest()
{
    tar -xf "$root/share/demo/guest-ext4.tar.xz" || die "share/demo/guest-ext4.tar.xz does not unpack"
    freeze root_fs.img
    eq 22 "$(model mixed root.cow uml-cow-v3 | tr , '\n' | awk -F- '{ n += $2 ? $2 - $1 + 1 : 1 } END { print n }')" \
        "mixed pages before"
    run_long 0 pages -y root.cow
    eq - "$(model mixed root.cow uml-cow-v3)" "mixed pages after"
    eq 11979388e1eda3f239f3866cea5d09493997f686676df49b1c90de51ab898d17 \
        "$(model compose root.cow uml-cow-v3 root_fs.img)" "composed disk"
    [ "$(stat -c %b root.cow)" -lt 4096 ] || die "the holes were filled: $(stat -c %b root.cow) blocks"
    run 0 info --json root.cow
    eq true "$(json .uml.opens)" "would UML open it"
    unchanged pages
}

t "pages: completes" completes
t "pages: nothing to do" nothing_to_do
t "pages: to another file" elsewhere
t "pages: refused" refused
t "pages: the disk of a guest" guest
samples
while read -r file; do
    t "pages: $file" variant "$file"
done < <(awk -F'\t' 'NR > 1 && $16 != "-" { print $1 }' "$root/tests/data/cow-variants.tsv")

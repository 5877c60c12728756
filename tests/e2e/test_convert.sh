#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# convert: the same disk and the same bits as a UML COW v3, from every variant there is.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# The bits in sectors of 512, "0-7,15", from those in sectors of BYTES, on a disk of SIZE.
in_512() # RANGES BYTES SIZE
{
    py "$here" "$@" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
import model
ratio, last = int(sys.argv[3]) // 512, -(-int(sys.argv[4]) // 512)
print(model.ranges(s for n in model.numbers(sys.argv[2]) for s in range(n * ratio, min((n + 1) * ratio, last))))
END
}

check_new() # FILE VARIANT BACKING
{
    local size sector
    read -r size sector < <(model header "$1" "$2" | awk '{ v[$1] = $2 } END { print v["size"], v["sector"] }')
    eq "$(in_512 "$(model dirty "$1" "$2")" "$sector" "$size")" "$(model dirty y.cow uml-cow-v3)" "dirty sectors"
    eq "$(model compose "$1" "$2" "$3")" "$(model compose y.cow uml-cow-v3 "$3")" "composed disk"
    model header y.cow uml-cow-v3 >header
    has "size $size" header
    has "sector 512" header
    run 0 info --json -b "$3" y.cow
    eq uml-cow-v3 "$(json .format)" format
    [ "$(stat -c %s "$3")" != "$size" ] || eq true "$(json .uml.opens)" "would UML open it"
}

variant()
{
    local file=$1 under
    under=$(of "$file" backing_file)
    sample "$file" "$under"
    freeze "$file" "$under"
    run 0 convert -n --to v3 -o y.cow -b "$under" "$file"
    [ ! -e y.cow ] || die "a dry run writes"
    run 0 convert --to v3 -o y.cow -b "$under" "$file"
    unchanged convert
    check_new "$file" "$(of "$file" variant)" "$under"
    has "path " header
    # uml_moo drops an odd end, and wants a backing file of the disk's size.
    if command -v uml_moo >/dev/null && [ "$(stat -c %s "$under")" = "$(of "$file" size)" ] &&
        [ $(($(of "$file" size) % 512)) = 0 ]; then
        uml_moo -b "$under" y.cow moo.raw >/dev/null || die "uml_moo failed"
        cmp -n "$(of "$file" size)" moo.raw <(model raw y.cow uml-cow-v3 "$under" /dev/stdout) || die "uml_moo's disk differs"
    fi
}

made()
{
    local variant=$1
    sample v3-515.cow b515.raw
    model as v3-515.cow uml-cow-v3 "$variant" x.cow
    freeze x.cow b515.raw
    run 0 convert --to v3 --json -o y.cow -b b515.raw x.cow
    eq "convert copy" "$(json '"\(.operation) \(.method)"')" "the plan"
    unchanged convert
    check_new x.cow "$variant" b515.raw
}

wrong_use()
{
    small
    freeze x.cow b.img
    run 2 convert x.cow
    run 2 convert --to v3 x.cow
    run 2 convert -o y.cow x.cow
    for to in v1 v2 V3 v3-64 qcow raw ''; do
        run 2 convert --to "$to" -o y.cow x.cow
        has v3 err
    done
    run 2 convert --to v3 -o y.cow
    run 2 convert --to v3 -o y.cow nowhere.cow
    run 63 convert --to v3 -o y.cow b.img
    outputs_refused x.cow b.img -- convert --to v3 -- x.cow
    run 2 convert --to v3 --sectors -o y.cow x.cow
    unchanged "wrong use"
    eq "b.img x.cow " "$(names)" files
    # A guest that holds it: what is read may change.
    hold write x.cow
    run 4 convert --to v3 -o y.cow x.cow
    let_go
    [ ! -e y.cow ] || die "a refused convert writes"
    touch .x.cow.cowtui-journal
    run 3 convert --to v3 -o y.cow x.cow
    rm .x.cow.cowtui-journal
    unchanged "a refused convert"
}

# QEMU's may have no backing file; a v3 needs one.
qemu()
{
    sample qemu64-nobacking.cow
    freeze qemu64-nobacking.cow
    run 63 convert --to v3 -o y.cow qemu64-nobacking.cow
    has backing err
    unchanged "a refused convert"
    truncate -s 999936 zeros.img
    run 0 convert --to v3 -o y.cow -b zeros.img qemu64-nobacking.cow
    eq "$(model compose qemu64-nobacking.cow qemu-cow -)" "$(model compose y.cow uml-cow-v3 zeros.img)" "composed disk"
    unchanged convert
}

# The backing file need not be there: nothing of it is read.
no_backing()
{
    small
    want=$(model compose x.cow uml-cow-v3 b.img)
    mv b.img away.img
    run 0 convert --to v3 -o y.cow x.cow
    eq "$want" "$(model compose y.cow uml-cow-v3 away.img)" "composed disk"
    eq "$(model header x.cow uml-cow-v3 | grep -E 'path|mtime')" "$(model header y.cow uml-cow-v3 | grep -E 'path|mtime')" \
        "path and date"
}

samples
while read -r file; do
    t "convert: $file" variant "$file"
done < <(awk -F'\t' 'NR > 1 && $16 != "-" { print $1 }' "$root/tests/data/cow-variants.tsv")
for variant in uml-cow-v1 uml-cow-v1-64 uml-cow-v1-be uml-cow-v1-be-64 uml-cow-v2 uml-cow-v2-64 uml-cow-v2-long \
    uml-cow-v3 uml-cow-v3-64 qemu-cow qemu-cow-i386; do
    t "convert, made: $variant" made "$variant"
done
t "convert: wrong use" wrong_use
t "convert: QEMU without a backing file" qemu
t "convert: no backing file" no_backing

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# diff: an image that turns one raw file into another, and holds no more than that needs.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# b.img, and raw on it with SECTORS changed ("at:bytes" changes single bytes).
pair() # SIZE SECTORS
{
    py "$here" "$@" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
import model
size = int(sys.argv[2])
disk = bytearray(b"".join(n.to_bytes(4, "little") for n in range(size // 4 + 1))[:size])
disk[:8192] = bytes(8192)
open("b.img", "wb").write(disk)
for n in model.numbers(sys.argv[3]):
    disk[n * 512 + 100 : n * 512 + 101] = b"!"[: max(0, size - n * 512 - 100)]
open("raw", "wb").write(disk)
END
    touch -d '2003-04-05 06:07:08 UTC' b.img
}

# The pages that hold these sectors, whole.
pages_of() # RANGES SIZE
{
    py "$here" "$@" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
import model
last = -(-int(sys.argv[3]) // 512)
print(model.ranges(s for p in sorted({n // 8 for n in model.numbers(sys.argv[2])}) for s in range(p * 8, min(p * 8 + 8, last))))
END
}

differs()
{
    local size=$1 sectors=$2
    pair "$size" "$sectors"
    freeze b.img raw
    run 0 diff -n -o x.cow b.img raw
    [ ! -e x.cow ] || die "a dry run writes"
    run 0 diff --json -o x.cow b.img raw
    eq "diff $PWD/b.img true" "$(json '"\(.operation) \(.backing_path) \(.uml.opens)"')" "the plan"
    eq "$(pages_of "$sectors" "$size")" "$(model dirty x.cow uml-cow-v3)" "dirty sectors"
    eq "$(sha raw)" "$(model compose x.cow uml-cow-v3 b.img)" "composed disk"
    eq "$PWD/b.img" "$(model header x.cow uml-cow-v3 | sed -n 's/^path //p')" "stored path"
    run 0 info --json x.cow
    eq "true $(stat -c %Y b.img)" "$(json '"\(.uml.opens) \(.backing.header_mtime)"')" "would UML open it; date"
    run 0 diff --sectors -o y.cow b.img raw
    eq "$sectors" "$(model dirty y.cow uml-cow-v3)" "dirty sectors, by sectors"
    eq "$(sha raw)" "$(model compose y.cow uml-cow-v3 b.img)" "composed disk, by sectors"
    run 0 merge -o again x.cow
    cmp again raw || die "merge gives something else"
    unchanged diff
    eq "again b.img raw x.cow y.cow " "$(names)" files
}

# Holes stay holes: a page of zeros over data is one in the image, and a large disk of nothing costs nothing.
holes()
{
    truncate -s 64G b.img raw
    printf x | dd of=b.img bs=1 seek=40000000000 conv=notrunc status=none
    printf y | dd of=raw bs=1 seek=60000000000 conv=notrunc status=none
    freeze_facts=$(stat -c '%s %y' b.img raw)
    run 0 diff -o x.cow b.img raw
    run 0 info --json x.cow
    eq 16 "$(json .usage.dirty_sectors)" "dirty sectors"
    [ "$(stat -c %b x.cow)" -lt 1024 ] || die "it has $(stat -c %b x.cow) blocks"
    eq "$freeze_facts" "$(stat -c '%s %y' b.img raw)" "size and date of both files"
    run 0 map x.cow
    eq "40000000000 4096 hole" "$(awk '$3 == "hole" { print $1, $2, $3 }' out)" "a page that is zeros now"
}

reserve()
{
    pair 65536 3
    run 0 diff --reserve 16G -o x.cow b.img raw
    run 0 resize -n --json --policy extend x.cow 16G
    eq header "$(json .method)" "method of growing into the reserve"
}

refused()
{
    pair 65536 3
    outputs_refused b.img raw -- diff -- b.img raw
    freeze b.img raw
    run 2 diff b.img raw
    run 2 diff -o x.cow b.img
    run 2 diff -o x.cow b.img raw raw
    run 2 diff -b b.img -o x.cow b.img raw
    run 2 diff -o x.cow nowhere raw
    run 2 diff -o x.cow b.img nowhere
    run 2 diff --reserve nonsense -o x.cow b.img raw
    mkdir d
    "$COWTUI" diff -o x.cow b.img d >out 2>err
    case $? in 2 | 3) ;; *) die "a directory: exit $?" ;; esac
    "$COWTUI" diff -o x.cow d raw >out 2>err
    case $? in 2 | 3) ;; *) die "a directory: exit $?" ;; esac
    rmdir d
    for size in 65024 66048 65535; do
        head -c "$size" raw >other
        [ "$size" -le 65536 ] || truncate -s "$size" other
        run 3 diff -o x.cow b.img other
        has "$size" err
        run 3 diff -o x.cow other raw
        rm other
    done
    : >other
    run 5 diff -o x.cow b.img other # no size of a disk at all
    rm other
    unchanged "a refused diff"
    eq "b.img raw " "$(names)" files
    echo precious >x.cow
    run 3 diff -o x.cow b.img raw
    eq precious "$(cat x.cow)" "an existing output"
    run 0 diff -f -o x.cow b.img raw
    eq "$(sha raw)" "$(model compose x.cow uml-cow-v3 b.img)" "composed disk"
    unchanged diff
}

# A raw disk that is a COW itself, on a file that must not go, whatever is forced.
raw_is_a_cow()
{
    truncate -s 64K below
    run 0 create raw below
    truncate -s "$(stat -c %s raw)" b.img
    freeze below raw b.img
    run 3 diff -f -o below b.img raw
    has "below: is the backing file of $PWD/raw, whose disk would be lost" err
    unchanged "a refused diff"
    run 0 diff -o x.cow b.img raw
}

# merge and back: as small as compact makes it.
guest()
{
    tar -xf "$root/share/demo/guest-ext4.tar.xz" || die "share/demo/guest-ext4.tar.xz does not unpack"
    run 0 merge -o raw root.cow
    freeze root_fs.img raw
    run_long 0 diff -o x.cow root_fs.img raw
    run 0 info --json x.cow
    eq "1616 true" "$(json '"\(.usage.dirty_sectors) \(.uml.opens)"')" "dirty sectors, would UML open it"
    eq "$(sha raw)" "$(model compose x.cow uml-cow-v3 root_fs.img)" "composed disk"
    eq - "$(model mixed x.cow uml-cow-v3)" "mixed pages"
    unchanged diff
}

t "diff: a few sectors" differs 65536 0,3,8-17,127
t "diff: none" differs 65536 -
t "diff: all" differs 65536 0-127
t "diff: an odd end" differs 65836 20,128
t "diff: an end within a page" differs 66560 9,129
t "diff: larger than a chunk" differs 9437184 0,77,8191-8192,10000-12000,18431
t "diff: holes" holes
t "diff: reserve" reserve
t "diff: refused" refused
t "diff: the output is below the raw disk" raw_is_a_cow
t "diff: the disk of a guest" guest

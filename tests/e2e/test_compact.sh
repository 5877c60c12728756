#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# compact: what the backing file has as well is dropped, zeros become holes, and the disk is what it was.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

by_pages=0-7,16-39,72-79,120-128 # of all_kinds: the pages where something differs, whole
by_sectors=0,16-31,36-39,72-79,120-123,128

compacts()
{
    local want before
    all_kinds
    want=$(model compose x.cow uml-cow-v3 b.img)
    before=$(state x.cow b.img)
    freeze x.cow b.img
    only_asked compact x.cow
    eq "compact copy 56 49" "$(json '"\(.operation) \(.method) \(.dirty_sectors) \(.after_dirty_sectors)"')" "the plan"
    run 0 compact -n x.cow
    has "56 dirty sectors become 49: 18 are dropped (pages equal to the backing file), 11 are added (to complete pages)" out
    freeze b.img
    run 0 compact -y x.cow
    is_now x.cow b.img "$by_pages" "$want"
    eq - "$(model mixed x.cow uml-cow-v3)" "mixed pages"
    run 0 map --scan x.cow
    hasnt " orphan" out
    eq "4096 hole" "$(awk '$1 == 8192 { print $2, $3 }' out)" "a page of zeros"
    unchanged compact
    back_again x.cow b.img
}

sectors()
{
    local want before
    all_kinds
    want=$(model compose x.cow uml-cow-v3 b.img)
    before=$(state x.cow b.img)
    freeze b.img
    run 0 compact --sectors -n x.cow
    has "56 dirty sectors become 34: 22 are dropped (sectors equal to the backing file); zeros" out
    grep -qiE 'mix|misread|wrong' out || die "no warning of mixed pages: $(tr '\n' ' ' <out)"
    run 0 compact --sectors -y x.cow
    grep -qiE 'mix|misread|wrong' err || die "no warning of mixed pages"
    is_now x.cow b.img "$by_sectors" "$want"
    run 0 map --scan x.cow
    hasnt redundant out
    unchanged "compact --sectors"
    back_again x.cow b.img
}

nothing_to_do()
{
    all_kinds
    run 0 compact -y x.cow
    rm .x.cow.cowtui-undo
    freeze x.cow b.img
    run 0 compact x.cow
    has nothing err
    run 0 compact --json x.cow
    eq none "$(json .method)" method
    unchanged "nothing to do"
    eq "b.img x.cow " "$(names)" files
}

# Nothing that differs: an empty image. Everything: nothing is dropped.
extremes()
{
    small
    model fill x.cow uml-cow-v3 b.img 0,7-9,127 same
    run 0 compact -y x.cow
    is_now x.cow b.img - "$(sha b.img)"
    small
    model make x.cow b.img 4096 0-127
    want=$(model compose x.cow uml-cow-v3 b.img)
    freeze x.cow b.img
    run 0 compact -y x.cow
    unchanged "an image that is all changed"
    # Zeros that are written cost something, though every bit stays.
    head -c 1048576 /dev/zero | tr '\0' 'b' >b.img
    model make x.cow b.img 4096 0-2047
    model fill x.cow uml-cow-v3 b.img 8-1999 zero
    want=$(model compose x.cow uml-cow-v3 b.img)
    run 0 compact -y x.cow
    is_now x.cow b.img 0-2047 "$want"
    [ "$(stat -c %b x.cow)" -lt 256 ] || die "it has $(stat -c %b x.cow) blocks"
    run 0 map --scan x.cow
    hasnt " zero" out
    has " hole" out
}

# Over no backing data at all, past its end: zeros there are what it gives.
short_backing()
{
    local want
    all_kinds
    want=$(model compose x.cow uml-cow-v3 b.img)
    truncate -s 30000 b.img
    want=$(model compose x.cow uml-cow-v3 b.img)
    freeze x.cow b.img
    "$COWTUI" compact -y -f x.cow >out 2>err
    case $? in
    0) eq "$want" "$(model compose x.cow uml-cow-v3 b.img)" "composed disk" ;;
    3) unchanged "a refused compact" ;;
    *) die "exit code: $(cat err)" ;;
    esac
}

variant()
{
    local file=$1 under want before
    under=$(of "$file" backing_file)
    sample "$file" "$under"
    before=$(state "$file" "$under")
    want=$(model compose "$file" "$(of "$file" variant)" "$under")
    freeze "$under"
    run 0 compact -y -b "$under" "$file"
    if [ "$before" != "$(state "$file" "$under")" ]; then
        eq - "$(model mixed "$file" uml-cow-v3)" "mixed pages"
        eq "$want" "$(model compose "$file" uml-cow-v3 "$under")" "composed disk"
        # No page without a reason.
        model scan "$file" uml-cow-v3 "$under" | awk '$3 == "redundant" && $2 >= 8192 { exit 1 }' || die "redundant pages"
        run 0 undo -q -y "$file"
    fi
    eq "$before" "$(state "$file" "$under")" "what undo leaves"
    unchanged compact
}

elsewhere()
{
    local want
    all_kinds
    want=$(model compose x.cow uml-cow-v3 b.img)
    freeze x.cow b.img
    run 0 compact -o y.cow x.cow
    is_now y.cow b.img "$by_pages" "$want"
    run 0 compact --sectors -o z.cow x.cow
    is_now z.cow b.img "$by_sectors" "$want"
    outputs_refused x.cow b.img -- compact -- x.cow
    unchanged "compact -o"
    eq "b.img x.cow y.cow z.cow " "$(names)" files
}

refused()
{
    all_kinds
    never_then compact
    ln x.cow other.cow
    freeze x.cow b.img
    run 3 compact -y x.cow
    unchanged "an image with two names"
    rm other.cow
    freeze x.cow
    rm b.img
    run 2 compact -y x.cow
    run 2 compact -y -b nowhere x.cow
    unchanged "no backing file"
    run 2 compact --safe x.cow
}

# Stopped while it compares, before there is a plan: nothing has happened.
stopped()
{
    local code
    all_kinds
    truncate -s 1G b.img
    model make x.cow b.img 4096 0
    py <<'END'
n = 1 << 21
with open("x.cow", "r+b") as f:
    f.seek(8192 - 4096)
    f.seek(8192)
    f.write(b"\xff" * (n // 8))
    f.seek(8192 + n // 8)
    block = b"x" * (1 << 20)
    for _ in range(160):
        f.write(block)
END
    freeze x.cow
    "$COWTUI" compact -y x.cow >out 2>err &
    for _ in $(seq "$(turns 500)"); do
        [ -z "$(find . -name '.*cowtui*')" ] || break # it has begun to write
        sleep 0.002
    done
    kill -TERM $! 2>/dev/null
    wait $!
    code=$?
    case $code in
    130) unchanged "a compact that was stopped" ;;
    0 | 143) skip "it was too fast, or not there yet" ;; # it ends by the signal before it catches it
    *) die "exit code $code: $(cat err)" ;;
    esac
    [ -z "$(find . -name '.*cowtui*')" ] || die "something is left"
}

guest()
{
    tar -xf "$root/share/demo/guest-ext4.tar.xz" || die "share/demo/guest-ext4.tar.xz does not unpack"
    freeze root_fs.img
    run_long 0 compact -y root.cow
    eq - "$(model mixed root.cow uml-cow-v3)" "mixed pages"
    eq 11979388e1eda3f239f3866cea5d09493997f686676df49b1c90de51ab898d17 \
        "$(model compose root.cow uml-cow-v3 root_fs.img)" "composed disk"
    run 0 info --json root.cow
    eq "1616 true" "$(json '"\(.usage.dirty_sectors) \(.uml.opens)"')" "dirty sectors, would UML open it"
    unchanged compact
    run 0 undo -q -y root.cow
    run_long 0 compact --sectors -y root.cow
    run 0 info --json root.cow
    eq 518 "$(json .usage.dirty_sectors)" "dirty sectors, by sectors"
    eq 11979388e1eda3f239f3866cea5d09493997f686676df49b1c90de51ab898d17 \
        "$(model compose root.cow uml-cow-v3 root_fs.img)" "composed disk, by sectors"
    unchanged "compact --sectors"
}

# Where most of what is dirty is a hole, completing would need room that nothing has now.
sparse_copy()
{
    local blocks
    tar -xf "$root/share/demo/guest-ext4.tar.xz" || die "share/demo/guest-ext4.tar.xz does not unpack"
    cp --sparse=always --preserve=timestamps root.cow x.cow
    blocks=$(stat -c %b x.cow)
    [ "$blocks" -lt 1000 ] || skip "this filesystem makes no holes of 4 KiB"
    freeze root_fs.img x.cow
    run 0 compact -n x.cow
    has "1904 dirty sectors become 536: 1368 are dropped (pages equal to the backing file); zeros" out
    has "stay as they are" out
    freeze root_fs.img
    run 0 compact -y x.cow
    eq 11979388e1eda3f239f3866cea5d09493997f686676df49b1c90de51ab898d17 \
        "$(model compose x.cow uml-cow-v3 root_fs.img)" "composed disk"
    run 0 info --json x.cow
    eq 536 "$(json .usage.dirty_sectors)" "dirty sectors"
    # header, bitmap, and where the filesystem notes what lies where, do not count
    [ "$(stat -c %b x.cow)" -le $((blocks + 24)) ] || die "it takes $(stat -c %b x.cow) blocks, and took $blocks"
    run 0 undo -q -y x.cow
    run_long 0 compact -y --force=larger x.cow
    eq - "$(model mixed x.cow uml-cow-v3)" "mixed pages"
    run 0 info --json x.cow
    eq 1616 "$(json .usage.dirty_sectors)" "dirty sectors, all completed"
    [ "$(stat -c %b x.cow)" -gt $((2 * blocks)) ] || die "the test itself: it has not grown"
    unchanged "compact of a sparse copy"
}

# Pairs of sectors to either side of a page's end share a block, for the data begins in the middle of one: as a new
# image has it, each takes its own.
would_grow()
{
    head -c 6M /dev/urandom >b.img
    model make x.cow b.img 512 "$(seq -s , 15 32 2031),$(seq -s , 16 32 2032)"
    freeze x.cow b.img
    run 3 compact -y x.cow
    grep -qE "compacting would make the file larger: its data takes 2[56].* KiB now, and would take 512 KiB" err ||
        die "no word of the size: $(cat err)"
    has "--force=larger" err
    run 3 compact -y --force x.cow
    run 3 compact --json x.cow
    run 2 compact --force=large x.cow
    has "there is --force=cut-foreign (resize), --force=larger (compact)" err
    run 2 pages --force=larger x.cow
    unchanged "a refused compact"
    freeze b.img
    run 0 compact -y --force=larger x.cow
    eq - "$(model mixed x.cow uml-cow-v3)" "mixed pages"
    unchanged "compact --force=larger"
}

t "compact: by pages" compacts
t "compact: a sparse copy" sparse_copy
t "compact: refused, for the file would grow" would_grow
t "compact: by sectors" sectors
t "compact: nothing to do" nothing_to_do
t "compact: all and nothing" extremes
t "compact: a short backing file" short_backing
t "compact: to another file" elsewhere
t "compact: refused" refused
t "compact: stopped" stopped
t "compact: the disk of a guest" guest
samples
while read -r file; do
    t "compact: $file" variant "$file"
done < <(awk -F'\t' 'NR > 1 && $16 != "-" { print $1 }' "$root/tests/data/cow-variants.tsv")

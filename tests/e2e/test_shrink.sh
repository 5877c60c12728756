#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# resize --shrink: refused with numbers where something that matters lies past the new end, else done, on a private
# backing file. What the image stood on stays as it is.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# b.img (1 MiB) and x.cow on it, with sectors 0, 7 to 9, 255 and 256, and 1000 dirty.
disk()
{
    head -c 1048576 /dev/zero | tr '\0' 'b' >b.img
    touch -d '2003-04-05 06:07:08 UTC' b.img
    model make x.cow b.img 4096 "${1:-0,7-9,255-256,1000}"
}

# The sum of the first SIZE bytes of the disk.
expect_head() # SIZE
{
    model raw x.cow uml-cow-v3 b.img saved.json
    want=$(head -c "$1" saved.json | sha256sum | cut -d' ' -f1)
    rm saved.json
}

refused()
{
    disk
    freeze x.cow b.img
    run 3 resize -y --policy copy x.cow 128K # without --shrink
    has smaller err
    has --shrink err
    run 3 resize -y --shrink x.cow 128K
    has "2 sectors past 128 KiB hold data that would be lost" err
    has "the last ends at 512512" err
    has "the smallest size that loses nothing is 512512" err
    run 3 resize -y --shrink x.cow 512000
    has "1 sectors past" err
    run 3 resize -n --shrink x.cow 512000
    run 3 resize -y --shrink -f x.cow 512000
    run 2 resize -y --shrink --policy extend x.cow 640K
    has copy err
    run 2 resize -y --shrink --policy keep x.cow 640K
    run 2 resize -y --shrink x.cow 100000
    run 5 resize -y --shrink x.cow 32K
    run 3 resize --shrink x.cow 640K # no terminal
    has terminal err
    run 2 resize -y --shrink x.cow 0
    unchanged "what is refused"
    eq "b.img x.cow " "$(names)" files
}

# To the very size that it has named, and one that ends within a byte of the bitmap.
works() # SIZE DIRTY
{
    disk
    freeze x.cow b.img
    expect_head "$1"
    run 0 resize -n --json --shrink x.cow "$1"
    eq "copy copy" "$(json '"\(.method) \(.policy)"')" "method and policy"
    has "--shrink" <(json .command)
    unchanged "a dry run"
    run 0 resize -q -y --shrink x.cow "$1"
    eq "$want" "$(model compose x.cow uml-cow-v3 x.cow.backing)" "composed disk"
    eq "$2" "$(model dirty x.cow uml-cow-v3)" "dirty sectors"
    eq "$1" "$(stat -c %s x.cow.backing)" "size of the private backing file"
    eq 1049522828 "$(stat -c %Y x.cow.backing)" "its date"
    run 0 info --json x.cow
    eq "$1 true" "$(json '"\(.size_bytes) \(.uml.opens)"')" "size, and would UML open it"
    run 0 merge -o raw x.cow
    eq "$want" "$(sha raw)" "composed disk, by merge"
    eq ".x.cow.cowtui-undo b.img raw x.cow x.cow.backing " "$(names)" files
    state b.img >saved.json
    grep -qF "$(cat saved.json)" <<<"$frozen" || die "the backing file that it stood on changed"
    rm saved.json raw
    run 0 undo -q -y x.cow
    unchanged "shrunk and undone"
    eq "b.img x.cow " "$(names)" "files after undo"
}

# Past the end: a dirty hole, zeros, what the backing file has there anyway. None of it matters.
nothing_lost()
{
    disk 0,7-9
    py <<'END'
with open("x.cow", "r+b") as f:
    f.seek(8192 + 1024 // 8)      # sectors from 512 KiB on: 8 zero, 8 a hole, 8 as in the backing file
    f.write(b"\xff\xff\xff")
    data = 12288 + 1024 * 512
    f.seek(data)
    f.write(bytes(8 * 512))
    f.seek(data + 16 * 512)
    f.write(b"b" * (8 * 512))
END
    expect_head 524288
    freeze b.img
    run 0 resize -q -y --shrink x.cow 512K
    unchanged "the backing file that it stood on"
    eq "$want" "$(model compose x.cow uml-cow-v3 x.cow.backing)" "composed disk"
    eq 0,7-9 "$(model dirty x.cow uml-cow-v3)" "dirty sectors"
}

# The guest's filesystem is larger than the new size, even where all its data would fit.
filesystem()
{
    tar -xf "$root/share/demo/guest-ext4.tar.xz" || die "share/demo/guest-ext4.tar.xz does not unpack"
    freeze root.cow root_fs.img
    run 3 resize -y --shrink root.cow 60M
    has "ext filesystem has 67108864 bytes, the new size is 62914560" err
    has "resize2fs" err
    unchanged "a filesystem that would be cut"
    run 0 resize -q -y --policy extend root.cow 128M
    model raw root.cow uml-cow-v3 root_fs.img raw
    want=$(head -c 67108864 raw | sha256sum | cut -d' ' -f1)
    rm raw
    freeze root_fs.img
    run 0 resize -q -y --shrink root.cow 64M
    unchanged "the backing file that it stood on"
    eq "$want" "$(model compose root.cow uml-cow-v3 root.cow.backing)" "composed disk"
}

# A partition would be cut: whatever it holds. One by hand: an MBR with a single entry, from sector 64 on, 100 sectors long.
partition()
{
    head -c 131072 /dev/zero >b.img
    printf '\203\0\0\0\100\0\0\0\144\0\0\0' | dd of=b.img bs=1 seek=450 conv=notrunc status=none
    printf '\125\252' | dd of=b.img bs=1 seek=510 conv=notrunc status=none
    touch -d '2003-04-05 06:07:08 UTC' b.img
    run 0 create x.cow b.img
    freeze x.cow b.img
    run 3 resize -y --shrink x.cow 83456
    has "partition 1 (nothing known) ends at 83968, the new size is 83456" err
    unchanged "a partition that would be cut"
    run 0 resize -q -y --shrink x.cow 83968
}

# Smaller, larger again: the new part is empty, whatever lay there before.
chain()
{
    disk 0,7-9
    expect_head 131072
    run 0 resize -q -y --shrink x.cow 128K
    eq "$want" "$(model compose x.cow uml-cow-v3 x.cow.backing)" "composed disk"
    run 0 resize -q -y --policy extend x.cow 1M
    want=$( (model raw x.cow uml-cow-v3 x.cow.backing raw && head -c 131072 raw && head -c 917504 /dev/zero) | sha256sum |
        cut -d' ' -f1)
    rm raw
    eq "$want" "$(model compose x.cow uml-cow-v3 x.cow.backing)" "composed disk, larger again"
    run 0 resize -q -y --shrink x.cow 512K
    eq 524288 "$(stat -c %s x.cow.backing.1)" "size of the second private backing file"
    run 0 info --json x.cow
    eq true "$(json .uml.opens)" "would UML open it"
}

# Of every variant, by a sector; or to the least that is named where that one matters. -o leaves the image alone.
variant() # FILE
{
    local file=$1 under size variant code
    under=$(of "$file" backing_file) variant=$(of "$file" variant)
    sample "$file" "$under"
    size=$((($(of "$file" size) - 1) / 512 * 512))
    freeze "$file" "$under"
    "$COWTUI" resize --shrink -b "$under" -o y.cow "$file" $size >out 2>err
    code=$?
    if [ $code = 3 ]; then
        has "data that would be lost" err
        size=$(sed -nE 's/.*loses nothing is ([0-9]+)([KM]?)$/\1\2/p' err | numfmt --from=iec)
        [ "$size" -gt $((($(of "$file" size) - 1) / 512 * 512)) ] || die "$size would be less than what is refused"
    else
        judge 0 $code 0 shrink
        model raw "$file" "$variant" "$under" raw
        eq "$(head -c $size raw | sha256sum | cut -d' ' -f1)" "$(model compose y.cow uml-cow-v3 y.cow.backing)" \
            "composed disk"
        run 0 info --json y.cow
        eq "$size true" "$(json '"\(.size_bytes) \(.uml.opens)"')" "size, and would UML open it"
    fi
    unchanged "--shrink -o"
}

t "shrink: refused" refused
t "shrink: to the last sector that matters" works 512512 0,7-9,255-256,1000
t "shrink: with room" works 655360 0,7-9,255-256,1000
t "shrink: what does not matter" nothing_lost
t "shrink: the guest's filesystem" filesystem
t "shrink: a partition" partition
t "shrink: and grow" chain
samples
while read -r file; do
    case $file in qemu64-nobacking.cow | *-kern.cow | *-rel.cow | qemu64-short.cow) continue ;; esac
    t "shrink: $file" variant "$file"
done < <(tail -n +2 "$root/tests/data/cow-variants.tsv" | cut -f1)

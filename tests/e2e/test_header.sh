#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Growing where the data stays where it is: a few KiB are written, whatever the size; what lies where the bitmap grows is
# cleared, and undo puts it back.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# The bytes that a command writes into files, and its calls: writing ones, by name. ./calls
traced() # ARGUMENTS...
{
    can_trace
    ! sanitized || skip "the leak sanitizer does not run under strace"
    # A memfd is no file: what lies on the disk is looked at in one, by libblkid.
    strace -f -y -qq -o trace -e trace=write,pwrite64,writev,pwritev,copy_file_range,sendfile,fallocate,ioctl,ftruncate,fsync \
        "$COWTUI" "$@" >out 2>err
    eq 0 $? "exit code of $*"
    sed -i '/^[0-9]* *[a-z0-9]*([0-9]*<[^>]*memfd:/d' trace
    awk '/pwrite64\(|copy_file_range\(|sendfile\(|pwritev\(/ { sum += $NF } END { print sum + 0 }' trace >bytes
    sed -nE 's/^[0-9]+ +([a-z0-9_]+)\(.*/\1/p' trace | grep -vx ioctl | sort | uniq -c >calls
    rm trace
}

# A disk of SIZE with room to grow, and 8 MiB of data in it, at its end.
disk() # SIZE
{
    truncate -s "$1" b.img
    touch -d '2003-04-05 06:07:08 UTC' b.img
    run 0 create -q --reserve 1T x.cow b.img
    run 0 info --json x.cow
    py "$(json .layout.bitmap_offset)" "$(json .layout.data_offset)" "$(json .size_bytes)" <<'END'
import sys
bitmap, data, size = map(int, sys.argv[1:])
first = size // 512 - 16384
with open("x.cow", "r+b") as f:
    f.seek(bitmap + first // 8)
    f.write(b"\xff" * 2048)
    f.seek(data + first * 512)
    f.write(b"data" * 2097152)
END
}

# The same few bytes and the same calls for a small disk as for a large one.
cost()
{
    for size in 64M 256G; do
        rm -f x.cow b.img .x.cow.*
        disk $size
        run 0 resize -n --json --policy extend x.cow +64M
        eq "header 0" "$(json '"\(.method) \(.moves_bytes)"')" "method, and bytes that move"
        traced resize -q -y --policy extend x.cow +64M
        [ "$(cat bytes)" -le 16384 ] || die "$(cat bytes) bytes are written to grow $size"
        mv bytes bytes.$size && mv calls calls.$size
        run 0 info --json x.cow
        eq "$(($(numfmt --from=iec $size) + 67108864)) true" "$(json '"\(.size_bytes) \(.uml.opens)"')" \
            "size, and would UML open it"
        run 0 undo -q -y x.cow
        run 0 info --json x.cow
        eq "$(numfmt --from=iec $size) true" "$(json '"\(.size_bytes) \(.uml.opens)"')" "size after undo"
    done
    cmp bytes.64M bytes.256G || die "the large disk costs $(cat bytes.256G) bytes, the small one $(cat bytes.64M)"
    cmp calls.64M calls.256G || die "other calls: $(diff calls.64M calls.256G | tr '\n' ' ')"
}

# The bits' and the data's new room may hold anything: what a tool or an earlier, larger disk left there.
garbage() # SIZE_BEFORE SIZE_AFTER
{
    local want
    head -c "$1" /dev/zero | tr '\0' 'b' >b.img
    touch -d '2003-04-05 06:07:08 UTC' b.img
    model make x.cow b.img 4096 0,7-9
    py "$(model header x.cow uml-cow-v3 | awk '{ print $2 }' ORS=' ')" "$1" <<'END'
import sys
size, sector, alignment, mtime, bitmap, bits, data = map(int, sys.argv[1].split()[:7])
with open("x.cow", "r+b") as f:
    f.seek(bitmap + bits)
    f.write(b"\xa5" * (data - bitmap - bits))
    if size // 512 % 8:                       # bits past the last sector
        f.seek(bitmap + bits - 1)
        byte = f.read(1)[0]
        f.seek(bitmap + bits - 1)
        f.write(bytes([byte | 0xff << size // 512 % 8 & 0xff]))
END
    want=$(model compose x.cow uml-cow-v3 b.img "$2")
    freeze x.cow b.img
    for policy in extend copy; do
        run 0 resize -n --json --policy $policy x.cow "$2"
        eq header "$(json .method)" method
        run 0 resize -q -y --policy $policy x.cow "$2"
        run 0 info --json x.cow
        eq "$2 true" "$(json '"\(.size_bytes) \(.uml.opens)"')" "size, and would UML open it"
        eq "$want" "$(model compose x.cow uml-cow-v3 "$(json .backing.path)")" "composed disk"
        eq 0,7-9 "$(model dirty x.cow uml-cow-v3)" "dirty sectors"
        run 0 undo -q -y x.cow
        unchanged "grown and undone"
    done
}

# As long as the bitmap ends before the data, and not further.
room()
{
    small # alignment 4096: one page of bits, so 16 MiB
    run 0 resize -n --json --policy extend x.cow 16M
    eq header "$(json .method)" "method up to the room's end"
    eq 16777216 "$(json .can_grow_to_bytes)" "what it can grow to"
    run 0 resize -n --json --policy extend x.cow $((16777216 + 512))
    eq copy "$(json .method)" "method past the room's end"
    run 0 resize -n --json --policy extend --reserve 1G x.cow 16M
    eq copy "$(json .method)" "method with a larger reserve"
    run 0 resize -n --json --policy copy -o y.cow x.cow 1M
    eq copy "$(json .method)" "method with -o"
    run 0 resize -n --policy extend x.cow 1M
    has "the data stays where it is" out
    has "costs nothing" out
}

# Each growth is one more write of the header's first sector, so the inode and the data stay.
steps()
{
    local inode want size
    small
    inode=$(stat -c %i x.cow)
    for size in 131072 131584 1048576 16777216; do
        want=$(model compose x.cow uml-cow-v3 b.img $size)
        run 0 resize -q -y --policy extend x.cow $size
        eq "$inode" "$(stat -c %i x.cow)" inode
        eq "$want" "$(model compose x.cow uml-cow-v3 b.img)" "composed disk"
        eq 0,7-9,127 "$(model dirty x.cow uml-cow-v3)" "dirty sectors"
        eq "$size" "$(stat -c %s b.img)" "size of the backing file"
    done
}

t "header: what it costs" cost
t "header: garbage in the new room" garbage 65536 1048576
t "header: garbage, bits that part within a byte" garbage 67072 1048576
t "header: only as far as there is room" room
t "header: step by step" steps

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# files: filesystems that are not as they should be, or seldom are. A leftover superblock, blocks with two owners, files
# that a crash left half truncated, shared attributes, absurd sizes, files that were deleted while open. What is in the
# COW is accounted for on all of them.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

limit 20000
limit_s=$((limit_ms / 1000)) # of a command that may not go through all that a size tells

ask() # REQUEST DISK
{
    debugfs -R "$1" "$2" 2>/dev/null
}

set_field() # DISK PATH FIELD VALUE
{
    debugfs -w -R "sif $2 $3 $4" "$1" >said 2>&1
    # Where a long has 32 bits it cannot write what this is about.
    if [ "$(getconf LONG_BIT)" -lt 64 ] && [ "$4" -gt 4294967295 ] 2>/dev/null && grep -q "Couldn't parse" said; then
        skip "debugfs of this machine takes no number of 64 bits"
    fi
    if grep -qv '^debugfs [0-9]' said; then
        die "debugfs sif $2 $3 $4: $(cat said)"
    fi
}

inode_of() # PATH DISK
{
    ask "stat $1" "$2" | awk '/^Inode:/ { print $2 }'
}

block_of() # PATH DISK [INDEX]: which block of the disk holds that block of the file
{
    ask "bmap $1 ${3:-0}" "$2"
}

# tree/NAME, of so many KiB that are all the same letter.
put() # NAME KIB LETTER
{
    mkdir -p tree
    head -c $(($2 * 1024)) /dev/zero | tr '\0' "$3" >"tree/$1"
}

format() # DISK OPTIONS...: 8 MiB with blocks of 1 KiB; from ./tree
{
    local disk=$1
    shift
    mkdir -p tree
    truncate -s 8M "$disk"
    mke2fs -q -F -b 1024 -N 64 -d tree "$@" "$disk" 2>said || die "mke2fs $*: $(cat said)"
}

overwrite() # DISK BLOCK TEXT
{
    printf '%s' "$3" | dd of="$1" bs=1024 seek="$2" conv=notrunc status=none
}

# x.cow, the guest's disk later.raw on base.img; in it are the sectors that differ, and no others.
guest_on_base()
{
    rm -f x.cow
    run 0 diff -q --sectors -o x.cow base.img later.raw
    freeze x.cow base.img
}

# All that the bits tell is in the sums and has an owner, once; and asked alone a piece has the same one. By the model
# that is sectors; owners may end within one.
accounted()
{
    local dirty bytes start class inode
    dirty=$(model dirty x.cow uml-cow-v3)
    bytes=$(tr ',' '\n' <<<"$dirty" | awk -F- '/[0-9]/ { sum += ($2 == "" ? $1 : $2) - $1 + 1 } END { print sum * 512 }')
    [ "$bytes" -gt 0 ] || die "nothing is in the COW: the test is wrong"
    run 0 files -q --json x.cow
    eq "$bytes $bytes" "$(json '"\(.dirty_bytes) \([.classes[].changed_bytes] | add)"')" "the sum of the classes"
    eq "$(json '[.classes[] | select(.class | IN("file", "directory", "symlink", "mapping", "xattr")) | .changed_bytes] | add // 0')" \
        "$(json '[.files[].changed_bytes] | add // 0')" "the sum of the files"
    run 0 files -q --owners --json x.cow
    eq "$bytes" "$(json 'map(.length) | add')" "what has an owner"
    # shellcheck disable=SC2016 # jq's
    eq "$dirty" "$(json 'reduce .[] as $o ([]; if length > 0 and .[-1][1] == $o.start then .[-1][1] += $o.length
        else . + [[$o.start, $o.start + $o.length]] end) |
        map((.[0] / 512 | tostring) + (if .[1] - .[0] > 512 then "-\(.[1] / 512 - 1)" else "" end)) | join(",")')" \
        "where that is"
    eq true "$(json 'all(.class != null and .dirty)')" "all of it has a class"
    json '.[] | "\(.start) \(.class) \(.inode)"' | awk 'NR <= 5 || NR % 9 == 0' >pieces
    while read -r start class inode; do
        run 0 files -q --json --owner "$start" x.cow
        eq "$class $inode" "$(json '"\(.class) \(.inode)"')" "the byte $start, asked alone"
    done <pieces
    unchanged "what only reads"
}

# Nothing is dropped: the answer is `no`, and the reason is told.
not_compacted() # REASON
{
    run 3 compact --unused -q -y x.cow
    has "$1" err
    unchanged "compact --unused that is refused"
}

# The owner of the first byte of a block.
owner_is() # BLOCK CLASS PATH WHAT
{
    run 0 files -q --json --owner "$(($1 * 1024))" x.cow
    eq "$2 $3" "$(json '"\(.class) \(.path)"')" "$4"
}

changed_as() # PATH: its kind, "-" if it is not listed
{
    json "[.files[] | select(.path == \"$1\") | .kind] | join(\" \") | if . == \"\" then \"-\" else . end"
}

# ---- a leftover superblock ----

# A header of LUKS 1 as cryptsetup makes it; of it libblkid looks at the first few bytes.
luks()
{
    printf 'LUKS\272\276\0\1aes'
    head -c 29 /dev/zero
    printf 'xts-plain64'
    head -c 21 /dev/zero
    printf 'sha256'
    head -c 26 /dev/zero
    printf '\0\0\020\0\0\0\0\100'
    head -c 56 /dev/zero
    printf '\0\0\003\350'
    printf '8c3a1a5e-6c1f-4b8e-9d0a-0a1b2c3d4e5f'
}

# One of LVM2, with the sum over it.
lvm()
{
    "$PYTHON" -ES - <<'END'
import struct, sys
uuid = b"abcdefghijklmnopqrstuvwxyz012345"
rest = struct.pack("<I8s", 32, b"LVM2 001") + uuid + struct.pack("<Q", 8 << 20)
rest += bytes(512 - 20 - len(rest))
crc = 0xF597A6CF
table = []
for n in range(256):
    for _ in range(8):
        n = n >> 1 ^ (0xEDB88320 if n & 1 else 0)
    table.append(n)
for byte in rest:
    crc = table[(crc ^ byte) & 255] ^ crc >> 8
sys.stdout.buffer.write(b"LABELONE" + struct.pack("<QI", 1, crc) + rest)
END
}

no_ext_there() # TYPE: what x.cow holds instead; the old superblock counts for nothing
{
    run 0 files -q --json x.cow
    eq "$1 false false" "$(json '.volumes[0] | "\(.type) \(.readable) \(.compared)"')" "what is there"
    eq "other 0" "$(json '"\([.classes[].class] | unique - ["partition-table"] | join(" ")) \(.files | length)"')" "the classes"
    run 0 files x.cow
    has "$1" out
    run 2 files --extract /f -o got x.cow
    has "no ext filesystem" err
    [ ! -e got ] || die "a file of a leftover filesystem"
    not_compacted "holds no ext filesystem that can be read"
    run 3 compact --unused -q -y -f x.cow
    unchanged "compact --unused --force"
}

leftover() # MAKER OFFSET TYPE
{
    put f 20 f
    truncate -s 8M base.img
    format later.raw -t ext4
    guest_on_base
    run 0 files -q --json x.cow
    eq "ext4 true" "$(json '.volumes[0] | "\(.type) \(.readable)"')" "before, the filesystem"
    "$1" | dd of=later.raw bs=1 seek="$2" conv=notrunc status=none
    eq "20 53 ef" "$(ask "stat /f" later.raw | awk '/Links:/ { print 20 }') $(od -A n -t x1 -j 1080 -N 2 later.raw | xargs)" \
        "the old superblock is whole"
    guest_on_base
    no_ext_there "$3"
    accounted
}

leftover_in_partition()
{
    put f 20 f
    format inner -t ext4
    luks | dd of=inner conv=notrunc status=none
    truncate -s 10M base.img
    printf '\203\0\0\0\0\010\0\0\0\100\0\0' | dd of=base.img bs=1 seek=450 conv=notrunc status=none
    printf '\125\252' | dd of=base.img bs=1 seek=510 conv=notrunc status=none
    cp --sparse=always base.img later.raw
    dd if=inner of=later.raw bs=1M seek=1 conv=notrunc,sparse status=none
    guest_on_base
    run 0 files -q --json x.cow
    eq "dos 1" "$(json '"\(.table) \(.volumes[0].partition)"')" "the table"
    no_ext_there crypto_LUKS
    accounted
}

# A superblock of XFS, version 4. It lies beside that of ext, and libblkid names neither.
xfs()
{
    "$PYTHON" -ES - <<'END'
import struct, sys
super_block = struct.pack(">4sIQQQ16sQQQQIIIIIHHHH12s", b"XFSB", 4096, 2048, 0, 0, b"0123456789abcdef", 1028, 128, 129, 130,
                          1, 1024, 2, 0, 512, 0x30a4, 512, 256, 16, b"")
sys.stdout.buffer.write(super_block + bytes((12, 9, 8, 4, 10, 0, 0, 25)))
END
}

# It may be looked at; but nothing is dropped.
two_signatures()
{
    put f 20 f
    truncate -s 8M base.img
    format later.raw -t ext4
    xfs | dd of=later.raw bs=1 conv=notrunc status=none
    guest_on_base
    not_compacted "of them is a leftover"
    run 3 compact --unused -q -y -f x.cow
    unchanged "compact --unused --force"
    accounted
    # without ext it is a superblock that libblkid takes
    head -c 1024 /dev/zero | dd of=later.raw bs=1024 seek=1 conv=notrunc status=none
    guest_on_base
    no_ext_there xfs
}

# ---- blocks that two files claim ----

# /b's first blocks become ones of /a. How: the field of its map, by the kind of filesystem.
claimed_twice() # FIELD OPTIONS...
{
    local field=$1 block last
    shift
    put a 10 a
    put b 10 b
    format base.img "$@"
    cp --sparse=always base.img later.raw
    block=$(block_of /a base.img 4)
    last=$(block_of /b base.img)
    set_field later.raw /b "$field" "$block"
    eq "$block" "$(block_of /b later.raw)" "the block of both"
    overwrite later.raw "$last" "what nobody owns now"
    overwrite later.raw "$block" "what both own"
    ! e2fsck -fn later.raw >fsck 2>&1 || die "e2fsck has nothing to say: the test is wrong"
    grep -qi "multiply-claimed" fsck || die "e2fsck does not tell of multiply-claimed blocks: the test is wrong"
    guest_on_base
    run 0 files x.cow
    has "the filesystem is damaged: blocks are claimed more than once" err
    run 0 files --json x.cow
    eq "blocks are claimed more than once" "$(json .damage)" "the damage"
    # one of the two is the owner, and is told of
    eq content "$(changed_as /b)" "the file that has the other one's block"
    not_compacted "its filesystem is damaged: blocks are claimed more than once"
    run 3 compact --unused -q -y -f x.cow
    unchanged "compact --unused --force"
    accounted
}

# They were claimed twice before, too, and the guest has written to that block only: neither inode is in the COW.
claimed_before()
{
    local block
    put a 10 a
    put b 10 b
    format base.img -t ext4
    block=$(block_of /a base.img 9)
    set_field base.img /b "block[5]" "$block"
    cp --sparse=always base.img later.raw
    overwrite later.raw "$block" "what both own"
    guest_on_base
    run 0 files --json x.cow
    eq "blocks are claimed more than once" "$(json .damage)" "the damage"
    eq 512 "$(json .dirty_bytes)" "one sector differs"
    eq content "$({ changed_as /a && changed_as /b; } | grep -v '^-$' | sort -u)" "one of the two is the owner"
    not_compacted "blocks are claimed more than once"
    accounted
}

# The feature that allows it.
shared_blocks()
{
    put a 10 a
    put b 10 b
    format base.img -t ext4
    debugfs -w -R "feature shared_blocks" base.img >said 2>&1
    grep -q shared_blocks said || skip "debugfs does not know shared_blocks"
    cp --sparse=always base.img later.raw
    set_field later.raw /b "block[5]" "$(block_of /a base.img)"
    overwrite later.raw "$(block_of /a base.img 3)" "what both own"
    guest_on_base
    run 0 files --json x.cow
    eq "null" "$(json .damage)" "no damage"
    eq "content content" "$(changed_as /a) $(changed_as /b)" "both have changed"
    accounted
}

# ---- half truncated ----

# i_dtime is the next one in the list of orphans, and the file has a name: it is a file as any other.
half_truncated()
{
    local block
    put f 40 f
    put g 40 g
    format base.img -t ext4
    cp --sparse=always base.img later.raw
    block=$(block_of /f base.img 7)
    for path in /f /g; do
        set_field later.raw "$path" dtime 12345
        eq 1 "$(ask "stat $path" later.raw | awk '/Links:/ { print $2 }')" "links of $path"
    done
    overwrite later.raw "$block" "of a file that is half truncated"
    # what is really free, so that compact --unused has something to drop
    overwrite later.raw 8000 "of nobody"
    eq "8000 <block not found>" "$(ask "icheck 8000" later.raw | tail -n 1 | tr '\t' ' ')" "a free block"
    guest_on_base
    run 0 files --json x.cow
    eq null "$(json .damage)" "the damage"
    eq content "$(changed_as /f)" "a file that was changed"
    eq "- -" "$(changed_as /g) $(changed_as "<$(inode_of /g base.img)>")" "one of which only the date of deletion changed"
    eq 0 "$(json '[.files[] | select(.kind == "removed" or .kind == "new")] | length')" "nothing is new or gone"
    owner_is "$block" file /f "its block in the COW"
    owner_is "$(block_of /f base.img 2)" file /f "its block in the backing file"
    owner_is "$(block_of /g base.img 30)" file /g "a block of the other one"
    owner_is 8000 free null "a free one"
    accounted
    ask "dump /f f.want" later.raw
    run 0 files --extract /f -o f.got x.cow
    cmp f.want f.got || die "its content"
    run 1 files --diff /f x.cow
    run 0 files --diff /g x.cow
    run 0 compact --unused -q -y x.cow
    run 0 merge -q -o after.raw x.cow
    ask "dump /f f.after" after.raw
    cmp f.want f.after || die "compact --unused has taken its block"
    ! grep -qa "of nobody" after.raw || die "what is free is still there"
}

# ---- attributes ----

# Sets how many share the block of attributes, and where there is one the checksum over that (struct ext4_xattr_header in
# the kernel's fs/ext4/xattr.h; CRC32C from the filesystem's UUID and the number of the block on).
share() # DISK BLOCK NUMBER
{
    py "$@" <<'END'
import struct, sys
def crc32c(crc, data):
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc
disk, block, number = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with open(disk, "r+b") as f:
    f.seek(1024)
    super_block = f.read(1024)
    f.seek(block * 1024)
    data = bytearray(f.read(1024))
    struct.pack_into("<I", data, 4, number)
    if super_block[0x65] & 4:  # metadata_csum
        struct.pack_into("<I", data, 16, 0)
        seed = crc32c(0xFFFFFFFF, super_block[0x68:0x78])
        struct.pack_into("<I", data, 16, crc32c(crc32c(seed, struct.pack("<Q", block)), data))
    f.seek(block * 1024)
    f.write(data)
END
}

sound() # DISK
{
    e2fsck -fn "$1" >fsck 2>&1 || die "the test is wrong: e2fsck: $(cat fsck)"
}

# Two files with one block of attributes, as the kernel does it where they are the same. It is BLOCK.
share_attributes() # OPTIONS...
{
    put a 4 a
    put b 4 b
    put c 4 c
    format base.img -t ext4 "$@"
    head -c 600 /dev/zero | tr '\0' 'v' >value
    debugfs -w -R "ea_set -f value /a user.x" base.img >said 2>&1
    acl=$(ask "stat /a" base.img | awk '/^File ACL:/ { print $3 }')
    [ "${acl:-0}" -gt 0 ] || die "no block of attributes: $(cat said)"
    set_field base.img /b file_acl "$acl"
    set_field base.img /b blocks "$(ask "stat /a" base.img | sed -n 's/.*Blockcount: *//p')"
    share base.img "$acl" 2
    sound base.img
    ask "ea_get /b user.x" base.img >got
    grep -q vvvv got || die "/b does not have the attribute: the test is wrong"
    cp --sparse=always base.img later.raw
}

attributes_shared_by_more() # OPTIONS...
{
    share_attributes "$@"
    # a third file gets them
    set_field later.raw /c file_acl "$acl"
    set_field later.raw /c blocks "$(ask "stat /a" base.img | sed -n 's/.*Blockcount: *//p')"
    share later.raw "$acl" 3
    sound later.raw
    guest_on_base
    run 0 files --json x.cow
    eq null "$(json .damage)" "the damage"
    eq "same - metadata" "$(changed_as /a) $(changed_as /b) $(changed_as /c)" "those that had them, and the one that got them"
    owner_is "$acl" xattr /a "the block of attributes"
    accounted
    run 0 compact --unused -q -y x.cow # blocks of attributes with several owners are no damage
}

# One of them gets others: in the block only the number changes, and the checksum.
attributes_shared_by_fewer()
{
    share_attributes -O metadata_csum
    set_field later.raw /b file_acl 0
    set_field later.raw /b blocks "$(ask "stat /c" base.img | sed -n 's/.*Blockcount: *//p')"
    share later.raw "$acl" 1
    sound later.raw
    eq "5 6 17 18 19 20" "$(cmp -l <(dd if=base.img bs=1024 skip="$acl" count=1 status=none) \
        <(dd if=later.raw bs=1024 skip="$acl" count=1 status=none) | awk '{ print $1 }' | sed '1s/^5$/5 6/' | xargs)" \
        "the bytes of the block that differ"
    guest_on_base
    run 0 files --json x.cow
    eq null "$(json .damage)" "the damage"
    eq "same metadata -" "$(changed_as /a) $(changed_as /b) $(changed_as /c)" "the one that has them, and the one that had them"
    accounted
}

# Nothing else is in the COW: the inode of the third file lies in another block, and is left out here.
attributes_by_others() # OPTIONS...
{
    share_attributes "$@"
    share later.raw "$acl" 3
    guest_on_base
    run 0 files --json x.cow
    eq 512 "$(json .dirty_bytes)" "one sector differs"
    eq null "$(json .damage)" "the damage"
    eq "same -" "$(changed_as /a) $(changed_as /b)" "files whose attributes are the same"
    run 0 files x.cow
    hasnt metadata out
    accounted
}

# In place, as in a block that one file has: a value; in the entry the index, and the name.
attributes_changed() # OPTIONS...
{
    local at
    share_attributes "$@"
    set_field base.img /b file_acl 0
    set_field base.img /b blocks "$(ask "stat /c" base.img | sed -n 's/.*Blockcount: *//p')"
    share base.img "$acl" 1
    sound base.img
    for at in 1000 33 48; do
        cp --sparse=always base.img later.raw
        model poke later.raw $((acl * 1024 + at)) 57
        share later.raw "$acl" 1
        guest_on_base
        run 0 files --json x.cow
        eq "metadata -" "$(changed_as /a) $(changed_as /b)" "with another byte at $at"
        eq null "$(json .damage)" "the damage"
        accounted
    done
}

# ---- sizes ----

# The command ends in time, with an answer or an error.
ends() # CODES ARGUMENTS...
{
    local codes=$1 code
    shift
    timeout "$limit_s" "$COWTUI" "$@" >out 2>err
    code=$?
    case " $codes " in
    *" $code "*) ;;
    *) die "$*: exit $code, not one of $codes: $(head -n 2 err | tr '\n' ' ')" ;;
    esac
    judge "$code" "$code" 0 "$*"
}

# Files that say that they are so long, on both sides; the guest has changed a byte of two, and the mode of one.
absurd_size() # BYTES
{
    local size=$1 path
    printf 'in the inode' >small
    mkdir tree
    for path in inline other mode; do
        cp small "tree/$path"
    done
    put blocks 12 x
    put mapped 12 y
    format base.img -t ext4 -O inline_data
    for path in inline other mode; do
        ask "stat /$path" base.img | grep -q 'Flags: 0x10000000' || die "/$path is not in its inode: the test is wrong"
    done
    for path in inline other mode blocks mapped; do
        set_field base.img "/$path" size "$size"
    done
    cp --sparse=always base.img later.raw
    set_field later.raw /other "block[1]" 0x21212121 # content: "in t!!!!node"
    set_field later.raw /mode mode 0100600
    set_field later.raw /mapped mode 0100600
    overwrite later.raw "$(block_of /blocks base.img 11)" "another last block"
    guest_on_base
    ends 0 files -q --json x.cow
    cp out listed.json
    eq "- content metadata" "$(changed_as /inline) $(changed_as /other) $(changed_as /mode)" "those in their inodes"
    eq "content metadata" "$(changed_as /blocks) $(changed_as /mapped)" "those that have blocks"
    # jq does not know such numbers
    eq "$size" "$("$PYTHON" -ES -c 'import json
print(*[f["size_bytes"] for f in json.load(open("listed.json"))["files"] if f["path"] == "/other"])')" "what it says"
    for path in inline mode mapped; do
        ends 0 files --diff "/$path" x.cow
        has "same content" out
    done
    ends 1 files --diff /other --json x.cow
    eq 4 "$(json .first_difference)" "the first byte that differs"
    ends 1 files --diff /blocks --json x.cow
    eq $((11 * 1024)) "$(json .first_difference)" "the first byte that differs"
    for path in inline other blocks; do
        rm -f got
        ends "0 2" files --extract "/$path" -o got x.cow
        if [ -e got ]; then
            eq "$size" "$(stat -c %s got)" "the size of what was made"
            [ "$(stat -c %b got)" -le 128 ] || die "no sparse file: $(stat -c %b got) sectors"
        fi
        [ -z "$(find . -name '.*cowtui*')" ] || die "something is left: $(find . -name '.*cowtui*')"
        ends 0 files --extract "/$path" -n -o got2 x.cow
        eq in "$(timeout "$limit_s" "$COWTUI" files --extract /inline -o - x.cow 2>err | head -c 2)" "its first bytes"
    done
    ends 0 files -q --owners --json x.cow
    accounted
}

# The other things that are short, and say that they are long.
absurd_names()
{
    mkdir -p tree/directory
    : >tree/directory/name
    ln -s target tree/link
    echo target >tree/target
    format base.img -t ext4 -O inline_data
    cp --sparse=always base.img later.raw
    for path in directory link; do
        set_field later.raw "/$path" size 4611686018427387904
    done
    guest_on_base
    ends 0 files -q --json x.cow
    ends 0 files -q --owners x.cow
    ends "0 2" files --extract /link -o got x.cow
    ends "0 2" files --extract /directory/name -o got2 x.cow
    ends "0 1 2" files --diff /link x.cow
    ends "0 3" compact --unused -q -y -n x.cow
    accounted
}

# ---- deleted, and still open ----

# Two files without names, in the list of orphans: what was written to them is in the COW, and nobody's but not free.
orphans()
{
    local first second first_block second_block
    put f 40 f
    put g 40 g
    put h 4 h
    format base.img -t ext4 "$@"
    cp --sparse=always base.img later.raw
    first=$(inode_of /f base.img)
    second=$(inode_of /g base.img)
    first_block=$(block_of /f base.img 5)
    second_block=$(block_of /g base.img 39)
    overwrite later.raw "$first_block" "written to the first one"
    overwrite later.raw "$second_block" "written to the second one"
    set_field later.raw /f links_count 0
    set_field later.raw /f dtime "$second"
    set_field later.raw /g links_count 0
    set_field later.raw /g dtime 0
    printf 'unlink /f\nunlink /g\n' >script
    debugfs -w -f script later.raw >said 2>&1
    debugfs -w -R "ssv last_orphan $first" later.raw >said 2>&1
    eq "$first_block $second_block" "$(ask "bmap <$first> 5" later.raw) $(ask "bmap <$second> 39" later.raw)" "the blocks"
    ask "testb $first_block" later.raw | grep -q "marked in use" || die "the blocks are free: the test is wrong"
    guest_on_base
    run 0 files --json x.cow
    eq "ext4 true false" "$(json '.volumes[0] | "\(.type) \(.readable) \(.clean)"')" "the filesystem"
    eq null "$(json .damage)" "the damage"
    eq "removed removed" "$(changed_as /f) $(changed_as /g)" "the files"
    eq 1024 "$(json '.classes[] | select(.class == "unowned") | .changed_bytes')" "what is of no file"
    eq 0 "$(json '[.classes[] | select(.class == "free")] | length')" "nothing that differs is free"
    owner_is "$first_block" unowned null "a block of the first one"
    owner_is "$second_block" unowned null "a block of the second one"
    run 2 files --extract /f -o got x.cow
    run 0 files --extract /f --from backing -o got x.cow
    cmp got tree/f || die "what it was"
    not_compacted "not clean"
    accounted
    # The list is lost, and the filesystem says that it is clean: what the bitmap has in use is not dropped.
    debugfs -w -R "ssv last_orphan 0" later.raw >said 2>&1
    overwrite later.raw 8000 "of nobody"
    guest_on_base
    accounted
    run 0 compact --unused -q -y x.cow
    run 0 merge -q -o after.raw x.cow
    for text in "written to the first one" "written to the second one"; do
        grep -qa "$text" after.raw || die "gone: $text"
    done
    ! grep -qa "of nobody" after.raw || die "what is free is still there"
}

t "files: a leftover superblock under LUKS" leftover luks 0 crypto_LUKS
t "files: a leftover superblock under LVM" leftover lvm 512 LVM2_member
t "files: a leftover superblock in a partition" leftover_in_partition
t "files: superblocks of XFS and ext" two_signatures
t "files: blocks claimed twice, extents" claimed_twice "block[5]" -t ext4
t "files: blocks claimed twice, maps" claimed_twice "block[0]" -t ext2
t "files: blocks claimed twice, already before" claimed_before
t "files: blocks that may be shared" shared_blocks
t "files: a half truncated file" half_truncated
t "files: attributes that one more file shares" attributes_shared_by_more -O metadata_csum
t "files: attributes that one more file shares, no checksums" attributes_shared_by_more -O ^metadata_csum
t "files: attributes that one file less shares" attributes_shared_by_fewer
t "files: attributes of which only the number of owners differs" attributes_by_others -O metadata_csum
t "files: attributes of which only that differs, no checksums" attributes_by_others -O ^metadata_csum
t "files: other attributes" attributes_changed -O metadata_csum
t "files: other attributes, no checksums" attributes_changed -O ^metadata_csum
t "files: absurd sizes, 2^62" absurd_size 4611686018427387904
t "files: absurd sizes, 2^63 - 1" absurd_size 9223372036854775807
t "files: absurd sizes, 16 TiB" absurd_size 17592186044416
t "files: absurd sizes, 64 MiB" absurd_size 67108864
t "files: absurd sizes of names" absurd_names
t "files: deleted while open" orphans

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# files: what a real guest has changed in its filesystem, whose each sector is, and its files as files of the host. debugfs
# on the merged disk and on the backing file is the witness.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

guest()
{
    tar -xf "$root/share/demo/guest-ext4.tar.xz" || die "share/demo/guest-ext4.tar.xz does not unpack"
    freeze root.cow root_fs.img
}

ask() # REQUEST [IMAGE]
{
    debugfs -R "$1" "${2:-disk.raw}" 2>/dev/null
}

inode_of() # PATH [IMAGE]
{
    ask "stat $1" "${2:-disk.raw}" | awk '/^Inode:/ { print $2 }'
}

# Kinds and paths as the guest was told to change them; /etc/fstab was written with the content that it had.
changes()
{
    guest
    cat >want <<'END'
content /etc
content /etc/hostname
content /home/user
content /srv/www/data.txt
content /usr/bin
content /usr/share/doc
content /var/log/syslog
metadata /etc/fstab
new /etc/log
new /home/user/new
new /home/user/new/file1.txt
new /home/user/new/file2.txt
new /home/user/new/file3.txt
new /home/user/new/file4.txt
new /home/user/new/file5.txt
new /home/user/zeros.bin
new /usr/bin/tool3
removed /usr/share/doc/Artistic
renamed /etc/motd.old
END
    run 0 files --json root.cow
    json '.files[] | "\(.kind) \(.path)"' | LC_ALL=C sort >got
    cmp -s want got || die "the changes: $(diff want got | grep '^[<>]' | tr '\n' ' ')"
    eq /etc/motd "$(json '.files[] | select(.kind == "renamed") | .from')" "the old name"
    eq 700000 "$(json '.files[] | select(.path == "/home/user/zeros.bin") | .size_bytes')" "a size"
    eq symlink "$(json '.files[] | select(.path == "/etc/log") | .type')" "a type"
    eq 6111 "$(json '.files[] | select(.kind == "removed") | .size_bytes')" "the size of what is gone"
    eq $((1904 * 512)) "$(json .dirty_bytes)" "dirty bytes"
    eq $((1904 * 512)) "$(json '[.classes[].changed_bytes] | add')" "the sum of the classes"
    eq "$(json '[.classes[] | select(.class | IN("file", "directory", "symlink", "mapping", "xattr")) | .changed_bytes] | add')" \
        "$(json '[.files[].changed_bytes] | add')" "the sum of the files"
    run 0 merge -q -o disk.raw root.cow
    eq "$(inode_of /etc/hostname root_fs.img)" "$(inode_of /etc/hostname)" "content, not replaced: the inode"
    eq "$(inode_of /etc/motd root_fs.img)" "$(inode_of /etc/motd.old)" "renamed: the inode"
    run 0 files --json root.cow
    eq true "$(json '[.files[] | [-.changed_bytes, .path]] | . == sort')" "sorted, the largest first, then by path"
    eq "ext4 true true true" "$(json '.volumes[0] | "\(.type) \(.readable) \(.clean) \(.compared)"')" "the filesystem"
    run 0 files root.cow
    has "684 KiB    684 KiB  new       /home/user/zeros.bin" out
    has "/etc/motd.old  (was /etc/motd)" out
    has "952 KiB  in all, 1904 sectors" out
    has "  /home/user/new/" out # a directory
    run 0 files -v root.cow
    has "    inode  path" out
    unchanged files
}

# The owner of every dirty block, against what debugfs says of it.
owners()
{
    local block inode class path at
    guest
    run 0 merge -q -o disk.raw root.cow
    run 0 files --owners --json root.cow
    eq $((1904 * 512)) "$(json 'map(.length) | add')" "all that is in the COW has an owner"
    json '.[] | . as $o | range(.start / 1024 | floor; (.start + .length) / 1024 | ceil) |
        "\(.) \($o.inode // 0) \($o.class) \($o.path) \(if $o.file_offset then
            (($o.file_offset + ([. * 1024, $o.start] | max) - $o.start) / 1024 | floor) else "-" end)"' |
        sort -n -u -k 1,1 >owned
    [ "$(wc -l <owned)" -ge 952 ] || die "$(wc -l <owned) blocks"
    ask "icheck $(cut -d ' ' -f 1 owned | tr '\n' ' ')" |
        awk 'NR > 1 { print $1, ($2 ~ /^[0-9]+$/ ? $2 : 0) }' >want
    cut -d ' ' -f 1,2 owned | cmp -s - want || die "inodes: $(cut -d ' ' -f 1,2 owned | diff - want | head -n 4)"
    awk '$2 > 10 { print $2, $4 }' owned | sort -u >paths
    [ "$(wc -l <paths)" -ge 10 ] || die "only $(wc -l <paths) files"
    ask "ncheck $(cut -d ' ' -f 1 paths | tr '\n' ' ')" | awk 'NR > 1 { sub("^//", "/", $2); print $1, $2 }' | sort -u >want
    cmp -s paths want || die "paths: $(diff paths want | head -n 4)"
    awk '$2 > 10 && $5 != "-" { print "bmap <" $2 "> " $5 }' owned >requests
    debugfs -f requests disk.raw 2>/dev/null | grep -E '^[0-9]+$' >want
    awk '$2 > 10 && $5 != "-" { print $1 }' owned | cmp -s - want || die "places in files"
    while read -r block inode class path at; do
        case $((block % 11)) in 0 | 5) ;; *) [ "$inode" = 0 ] || continue ;; esac # all metadata, and some of the data
        run 0 files --owner $((block * 1024 + 512)) --json root.cow
        eq "$inode $class $path $at" "$(json '"\(.inode // 0) \(.class) \(.path) \(if .file_offset then
            (.file_offset / 1024 | floor) else "-" end)"')" "block $block, asked alone"
    done <owned
    unchanged owners
}

# As text; a partition's only; nothing at all.
listed()
{
    guest
    run 0 files --owners root.cow
    has "         start      length  owner                  inode  path" out
    has "   1024  directory                " out
    eq "$((1904 * 512))" "$(awk 'NR > 1 { sum += $2 } END { print sum }' out)" "the sum of the lengths"
    run 2 files --owners --owner 5 root.cow
    run 2 files --owners --partition 3 root.cow
    run 0 create -q x.cow root_fs.img
    run 0 files --owners x.cow
    eq "" "$(cat out)" "nothing is in the COW"
    run 0 files --owners --json x.cow
    eq "0" "$(json length)" "nothing is in the COW"
    unchanged "--owners"
}

places()
{
    guest
    run 0 files --owner 0 --json root.cow
    eq boot "$(json .class)" "the first byte"
    run 0 files --owner s2 --json root.cow
    eq "superblock 1024" "$(json '"\(.class) \(.start)"')" "sector 2"
    run 0 files --owner 67108863 --json root.cow
    eq false "$(json .dirty)" "the last byte"
    run 0 files --owner 4386K root.cow
    has "/etc/fstab" out
    run 2 files --owner 64M root.cow
    run 2 files --owner s131072 root.cow
    for bad in '' s x 1x -1 +1 s-1 99999999999T 0x10; do
        run 2 files --owner "$bad" root.cow
    done
    unchanged "--owner"
}

extracts() # PATH SIDE
{
    local path=$1 side=$2 disk=disk.raw
    guest
    run 0 merge -q -o disk.raw root.cow
    [ "$side" = guest ] || disk=root_fs.img
    ask "dump $path want" "$disk" || die "debugfs dump"
    [ -s want ] || die "debugfs has no $path"
    run 0 files --extract "$path" --from "$side" -o got root.cow
    cmp want got || die "$path as $side has it"
    "$COWTUI" files --extract "$path" --from "$side" -o - root.cow >out 2>err || die "to standard output: $(cat err)"
    cmp want out || die "$path on standard output"
    unchanged --extract
}

extract_rules()
{
    guest
    run 0 files --extract /etc/hostname -n -o got root.cow
    has "cowtui files --extract /etc/hostname -o got" out
    [ ! -e got ] || die "a dry run wrote"
    run 0 files --extract /var/log/syslog -o syslog root.cow
    run 0 files --extract /etc/log -o log root.cow # a link to it
    cmp syslog log || die "a symbolic link is not followed"
    run 2 files --extract /etc/hostname -n -o - root.cow
    run 2 files --extract /etc/hostname --json -o - root.cow
    [ ! -s out ] || die "a file without its plan"
    "$COWTUI" files --extract /etc/hostname -o - root.cow >/dev/full 2>err
    eq 2 $? "exit code on a full device"
    run 0 files --extract /etc/hostname -o got --json root.cow
    eq extract "$(json .operation)" "the plan that was carried out"
    echo precious >got
    run 3 files --extract /etc/hostname -o got root.cow
    eq precious "$(cat got)" "what was there"
    run 0 files --extract /etc/hostname -f -o got root.cow
    eq guest42 "$(cat got)" "what was replaced"
    rm got
    chmod 4640 root.cow
    run 0 files --extract /etc/hostname -o got root.cow
    eq 640 "$(stat -c %a got)" "mode, as image and backing file have it"
    chmod 644 root.cow
    rm got
    for path in /nothing /etc /etc/hostname/x '' /usr/share/doc/Artistic; do
        run 2 files --extract "$path" -o got root.cow
    done
    run 0 files --extract /usr/share/doc/Artistic --from backing -o got root.cow
    eq 6111 "$(stat -c %s got)" "what was removed"
    rm got
    run 2 files --extract /etc/hostname root.cow
    run 2 files --extract /etc/hostname -o got --owner 5 root.cow
    run 2 files --extract /etc/hostname -o got --from nowhere root.cow
    run 2 files --extract /etc/hostname -o got --partition 1 root.cow
    run 2 files --from backing root.cow
    run 2 files --from '' --extract /etc/hostname -o got root.cow
    run 2 files -n root.cow
    run 2 files -f --owner 5 root.cow
    run 2 files -o got root.cow
    for bad in 0 -1 x '' 1x 99999999999999; do
        run 2 files --partition "$bad" root.cow
    done
    outputs_refused root.cow root_fs.img -- files --extract /etc/hostname -- root.cow
    unchanged "what was refused"
    run 0 files --extract /home/user/zeros.bin -o zeros root.cow
    eq "700000 0" "$(stat -c '%s %b' zeros)" "zeros are a hole"
}

# The two versions of a file, against cmp on what debugfs dumps.
differences()
{
    local path first
    guest
    run 0 merge -q -o disk.raw root.cow
    for path in /etc/hostname /var/log/syslog /srv/www/data.txt; do
        ask "dump $path new"
        ask "dump $path old" root_fs.img
        # the first byte that differs, or the end of the shorter one
        first=$(LC_ALL=C cmp -l old new 2>/dev/null | awk 'NR == 1 { print $1 - 1 }')
        [ -n "$first" ] || first=$({ stat -c %s old && stat -c %s new; } | sort -n | head -n 1)
        run 1 files --diff "$path" --json root.cow
        eq "$path false $first $(stat -c %s new) $(stat -c %s old)" \
            "$(json '"\(.path) \(.equal) \(.first_difference) \(.guest_bytes) \(.backing_bytes)"')" "a difference"
        run 1 files --diff "$path" root.cow
        diff -a -u --label "root_fs.img:$path" --label "root.cow:$path" old new >want
        cmp want out || die "$path: not what diff -u says"
        has "$path" err
        has "from byte $first on" err
    done
    for path in /etc/fstab /usr/share/doc/../../../etc/fstab; do
        run 0 files --diff "$path" --json root.cow
        eq "true null" "$(json '"\(.equal) \(.first_difference)"')" "$path is the same"
        run 0 files --diff "$path" root.cow
        eq "  both versions have the same content" "$(cat out)" "$path is the same"
        [ ! -s err ] || die "equal, but: $(cat err)"
    done
    for path in /etc '' /nothing; do # no file, on neither side
        run 2 files --diff "$path" root.cow
    done
    run 2 files --diff /etc/fstab --owner 5 root.cow
    run 2 files --diff /etc/fstab --extract /etc/fstab -o got root.cow
    run 2 files --diff /etc/fstab -o got root.cow
    run 2 files --diff /etc/fstab --from backing root.cow
    [ ! -e got ] || die "a file was written"
    "$COWTUI" files --diff /etc/hostname root.cow >/dev/full 2>err
    eq 2 $? "exit code on a full device"
    unchanged --diff
}

# What is on one side only, or has another name there, and what is no text.
one_sided()
{
    guest
    run 0 merge -q -o disk.raw root.cow
    ask "dump /home/user/new/file1.txt new"
    run 1 files --diff /home/user/new/file1.txt root.cow
    diff -a -u --label "root_fs.img: not there" --label "root.cow:/home/user/new/file1.txt" /dev/null new >want
    cmp want out || die "a new file"
    has "is new" err
    run 1 files --diff /home/user/new/file1.txt --json root.cow
    eq "false 0 $(stat -c %s new) null" \
        "$(json '"\(.equal) \(.first_difference) \(.guest_bytes) \(.backing_bytes)"')" "a new file"
    ask "dump /usr/share/doc/Artistic old" root_fs.img
    run 1 files --diff /usr/share/doc/Artistic root.cow
    diff -a -u --label "root_fs.img:/usr/share/doc/Artistic" --label "root.cow: not there" old /dev/null >want
    cmp want out || die "one that is gone"
    has "is gone" err
    run 1 files --diff /usr/share/doc/Artistic --json root.cow
    eq "null $(stat -c %s old)" "$(json '"\(.guest_bytes) \(.backing_bytes)"')" "one that is gone"
    run 0 files --diff /etc/motd.old root.cow
    eq "  both versions have the same content" "$(cat out)" "renamed"
    run 1 files --diff /home/user/zeros.bin root.cow
    eq "  this is no text, so it is compared byte by byte" "$(head -n 1 out)" "no text"
    has "+++ root.cow:/home/user/zeros.bin (700000 bytes)" out
    has "@@ byte 0 (0x0), 700000 bytes @@" out
    env PATH=/nowhere "$COWTUI" files --diff /etc/hostname root.cow >out 2>err
    eq 1 $? "exit code without diff"
    eq "  there is no diff(1) here, so it is compared byte by byte" "$(head -n 1 out)" "without diff"
    unchanged --diff
}

# Content that would drive a terminal stays as it is for a program that reads it, and is escaped on a terminal.
hostile_content()
{
    printf 'one\n\033]0;title\007two\tthree\n' >old
    printf 'one\n\033[2Jtwo\tthree\n' >new
    truncate -s 2M base.img
    mkfs.ext4 -q -F -b 1024 base.img || skip "no mkfs.ext4"
    debugfs -w -R "write old f" base.img >/dev/null 2>&1
    cp base.img later.raw
    debugfs -w -f - later.raw >/dev/null 2>&1 <<'END'
rm f
write new f
END
    run 0 diff -q -o x.cow base.img later.raw
    "$COWTUI" files --diff /f x.cow >out 2>err # not by run: that refuses control bytes
    eq 1 $? "exit code"
    diff -a -u --label base.img:/f --label x.cow:/f old new >want
    cmp want out || die "its bytes are not as they are"
    "$PYTHON" -ES -c 'import pty, sys; pty.spawn(sys.argv[1:])' "$COWTUI" files --color=never --diff /f x.cow >terminal
    ! grep -q "$(printf '[\033\007]')" terminal || die "control bytes on a terminal"
    has "+\\x1b[2Jtwo	three" terminal
    has "-\\x1b]0;title\\x07two	three" terminal
}

# Blocks that the guest has freed go; every file stays, and the change can be undone.
unused()
{
    local want before free left dirty
    guest
    run 0 merge -q -o base.raw root.cow
    # what the guest wrote and deleted again: a file that is there in the first image, and removed in the second
    cp --sparse=always base.raw later.raw
    debugfs -w -R 'rm /home/user/new/file3.txt' later.raw 2>/dev/null
    printf 'deleted, but not gone' | dd of=later.raw bs=1 seek=$((30 * 1024 * 1024)) conv=notrunc status=none
    run 0 diff -q -o x.cow root_fs.img later.raw
    run 0 files --json x.cow
    free=$(json '[.classes[] | select(.class == "free") | .changed_bytes] | add')
    dirty=$(json .dirty_bytes)
    before=$(sha x.cow)
    want=$(ask "ls -l /home/user/new" later.raw)
    run 3 compact --unused x.cow
    run 2 pages --unused x.cow
    run 0 compact --unused -q -y x.cow
    run 0 files --json x.cow
    # what stays shares a page of 4 KiB with something that is in use
    left=$(json '[.classes[] | select(.class == "free") | .changed_bytes] | add // 0')
    [ "$left" -le $((free - 8192)) ] || die "free and in the COW: $free, then $left"
    [ "$(json .dirty_bytes)" -le $((dirty - 8192)) ] || die "in the COW: $dirty bytes, then $(json .dirty_bytes)"
    run 0 merge -q -o after.raw x.cow
    grep -qa "deleted, but not gone" later.raw || die "the test is wrong"
    ! grep -qa "deleted, but not gone" after.raw || die "what was deleted is still there"
    e2fsck -fn after.raw >fsck 2>&1 || die "e2fsck: $(tail -n 3 fsck)"
    eq "$want" "$(ask "ls -l /home/user/new" after.raw)" "the files"
    mkdir a b
    ask "rdump / a" later.raw
    ask "rdump / b" after.raw
    diff -r --no-dereference a b >/dev/null || die "a file differs"
    run 0 undo -q -y x.cow
    eq "$before" "$(sha x.cow)" "after undo"
    rm -rf base.raw later.raw after.raw x.cow a b fsck
    unchanged "compact --unused"
}

# A disk that was formatted as a whole, and partitioned later without wiping that: the partition counts, and nothing is
# dropped that only one of the two calls free.
two_at_once()
{
    truncate -s 16M base.img
    cp --sparse=always base.img later.raw
    mkfs.ext4 -q -F -b 1024 -N 128 later.raw || die "mkfs.ext4"
    printf '\203\0\0\0\0\010\0\0\0\130\0\0' | dd of=later.raw bs=1 seek=450 conv=notrunc status=none
    printf '\125\252' | dd of=later.raw bs=1 seek=510 conv=notrunc status=none
    mkfs.ext4 -q -F -b 4096 -E offset=1048576 later.raw 11M || die "mkfs.ext4"
    run 0 diff -q -o x.cow base.img later.raw
    freeze x.cow base.img
    run 0 files --json x.cow
    eq "dos 1 ext4" "$(json '"\(.table) \(.volumes[0].partition) \(.volumes[0].type)"')" "which counts"
    run 3 compact --unused -y x.cow
    has "of them is a leftover" err
    unchanged "a disk with two filesystems"
}

# Where what is free cannot be known, nothing is dropped.
unused_refused()
{
    guest
    run 0 merge -q -o disk.raw root.cow
    debugfs -w -R 'ssv state 0' disk.raw 2>/dev/null
    run 0 diff -q -o dirty.cow root_fs.img disk.raw
    freeze dirty.cow root_fs.img
    run 3 compact --unused -y dirty.cow
    has "not unmounted cleanly" err
    unchanged "a filesystem that is not clean"
    small
    freeze x.cow b.img
    run 3 compact --unused -y x.cow
    has "no ext filesystem" err
    unchanged "a disk without a filesystem"
}

nothing_there()
{
    small
    freeze x.cow b.img
    run 0 files x.cow
    has "no ext filesystem" out
    run 0 files --json x.cow
    eq "[] other" "$(json '"\(.files) \(.classes[0].class)"')" "a disk without a filesystem"
    run 2 files --extract /etc/passwd -o got x.cow
    has "no ext filesystem" err
    unchanged "a disk without a filesystem"
    rm b.img
    run 2 files x.cow
    has "name it with -b" err
    run 2 files /dev/null
    head -c 65536 /dev/zero >zeros
    run 63 files zeros
}

# Names that would drive a terminal are printed escaped, in text and in JSON.
names_are_safe()
{
    local odd number
    truncate -s 8M base.img
    odd=$(printf 'x\033[31m\r\n\302\233\342\200\256y')
    mkdir tree
    : >"tree/$odd"
    mkfs.ext4 -q -F -d tree base.img || die "mkfs.ext4"
    cp --sparse=always base.img later.raw
    number=$(ask 'ls -p /' base.img | awk -F/ '$3 ~ /^100/ { print $2; exit }') # its name is none for debugfs
    [ -n "$number" ] || die "the file has no inode"
    printf 'write /dev/null "a\001b"\nset_inode_field <%s> uid 5\n' "$number" >script
    debugfs -w -f script later.raw >/dev/null 2>&1
    run 0 diff -q -o x.cow base.img later.raw
    freeze x.cow base.img
    run 0 files x.cow
    has '\x1b[31m\x0d\x0a\xc2\x9b\xe2\x80\xaey' out
    run 0 files --json x.cow
    json '.files[].path' >paths
    has '\x1b[31m' paths
    unchanged "odd names"
}

# Two filesystems and swap space, with the same names in both; the second was not unmounted.
partitions()
{
    local first=$((2048 * 512)) second=$((18432 * 512)) offset
    command -v sfdisk >/dev/null || skip "sfdisk is not installed"
    truncate -s 24M base.img
    printf 'label: dos\nstart=2048,size=16384\nstart=18432,size=16384\nstart=34816,size=8192,type=82\n' |
        sfdisk -q base.img || die "sfdisk"
    truncate -s 4M swap
    mkswap swap >made 2>&1 || die "mkswap"
    dd if=swap of=base.img bs=512 seek=34816 conv=notrunc status=none
    for offset in "$first" "$second"; do
        mkfs.ext4 -q -F -E offset="$offset" base.img 8M || die "mkfs.ext4"
    done
    cp --sparse=always base.img later.raw
    echo first >file.1
    echo second >file.2
    debugfs -w -R "write file.1 a" "later.raw?offset=$first" >said 2>&1
    printf 'write file.2 a\nfeature needs_recovery\n' >script
    debugfs -w -f script "later.raw?offset=$second" >said 2>&1
    touch -d '2003-04-05 06:07:08 UTC' base.img
    run 0 diff -q -o x.cow base.img later.raw
    freeze x.cow base.img

    run 0 files x.cow
    has "x.cow: partition 1: ext4, 8.00 MiB" out
    has "x.cow: partition 2: ext4, 8.00 MiB" out
    has "x.cow: partition 3: swap, 4.00 MiB" out
    has "x.cow: partition 2: the journal has to be replayed" err
    hasnt "partition 1" err
    run 0 files -q x.cow
    [ ! -s err ] || die "not quiet: $(cat err)"
    run 0 files --partition 1 x.cow
    hasnt "partition 2" out
    [ ! -s err ] || die "a note about another partition: $(cat err)"

    run 0 files --json -q x.cow
    cp out all.json
    eq dos "$(json .table)" "the table"
    eq "1 ext4 2 ext4 3 swap" "$(json '[.volumes[] | "\(.partition) \(.type)"] | join(" ")')" "the volumes"
    eq "false true false" "$(json '[.volumes[].needs_recovery] | join(" ")')" "journals"
    eq "/a 1 /a 2" "$(json '[.files[] | select(.kind == "new") | "\(.path) \(.partition)"] | join(" ")')" "both files"
    for number in 1 2 3; do
        run 0 files --json -q --partition "$number" x.cow
        eq "$(json .dirty_bytes)" "$(json '[.classes[].changed_bytes] | add // 0')" "the classes of partition $number"
        eq true "$(json "[.files[].partition] | all(. == $number)")" "the files of partition $number"
        json .dirty_bytes >"sum.$number"
    done
    eq "$(json '.dirty_bytes - ([.classes[] | select(.class == "partition-table" or .class == "outside") | .changed_bytes] | add // 0)' all.json)" \
        "$(($(cat sum.1) + $(cat sum.2) + $(cat sum.3)))" "the sum of the partitions"

    run 2 files --extract /a -o got x.cow
    has "--partition" err
    for number in 1 2; do
        run 0 files --extract /a --partition "$number" -o - x.cow
        cmp out "file.$number" || die "the file of partition $number"
    done
    run 2 files --extract /a --partition 3 -o got x.cow
    run 2 files --partition 4 x.cow
    run 0 files --owner "s18434" -q --json x.cow
    eq "superblock 2" "$(json '"\(.class) \(.partition)"')" "a superblock"
    run 0 files --owner 0 -q --json x.cow
    eq "partition-table null" "$(json '"\(.class) \(.partition)"')" "the first sector"
    unchanged "a disk with partitions"
}

t "files: what the guest has changed" changes
t "files: the owner of each block" owners
t "files: --owners" listed
t "files: places and words" places
t "files: extract a changed file" extracts /var/log/syslog guest
t "files: extract what it was" extracts /var/log/syslog backing
t "files: extract a file in an odd place" extracts /srv/www/data.txt guest
t "files: extract a new file" extracts /usr/bin/tool3 guest
t "files: what extract refuses" extract_rules
t "files: what differs" differences
t "files: what differs, on one side only" one_sided
t "files: what differs, and a terminal" hostile_content
t "files: compact --unused" unused
t "files: compact --unused is careful" unused_refused
t "files: a table and a filesystem" two_at_once
t "files: a disk without a filesystem" nothing_there
t "files: hostile names" names_are_safe
t "files: partitions" partitions

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# convert --to qcow2 and create --from: what QEMU's own tools say of the one, and what the model says of the other. Both
# are held against the raw disk that merge -o makes.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

needs_qemu()
{
    local tool
    for tool in qemu-img qemu-nbd; do
        command -v "$tool" >/dev/null || skip "$tool is not installed"
    done
    "$COWTUI" convert --to qcow2 -o x nowhere 2>&1 | grep -q 'built without libnbd' && skip "built without libnbd"
    return 0
}

# Runs QEMU's tool, which has to be content.
qemu()
{
    "$@" >qemu.out 2>&1 || die "$*: $(head -n 2 qemu.out)"
    rm qemu.out
}

# The qcow2 shows the same disk as the raw file, behind which only zeros are, and is sound.
shows() # QCOW2 RAW
{
    qemu qemu-img compare -f raw -F qcow2 "$2" "$1"
    qemu qemu-img check -q -f qcow2 "$1"
}

nothing_left()
{
    left=$(find . -name '.*cowtui*' ! -name '.*cowtui-undo')
    [ -z "$left" ] || die "something is left: $left"
}

fact() # FILTER QCOW2: what qemu-img info says
{
    qemu-img info --output=json "$2" | jq -r "$1"
}

# Both kinds of qcow2 of x.cow on b.img; what is dirty, and no more, is in the second.
both_ways() # IMAGE BACKING
{
    local image=$1 backing=$2
    freeze "$image" "$backing"
    run 0 merge -q -o raw -b "$backing" "$image"
    run 0 convert -q --to qcow2 -o whole.qcow2 -b "$backing" "$image"
    run 0 convert -q --to qcow2 --with-backing -o overlay.qcow2 -b "$backing" "$image"
    shows whole.qcow2 raw
    shows overlay.qcow2 raw
    eq "null null" "$(fact '"\(."backing-filename") \(."backing-filename-format")"' whole.qcow2)" "backing file of the whole disk"
    eq "$PWD/$backing raw" "$(fact '"\(."backing-filename") \(."backing-filename-format")"' overlay.qcow2)" "backing file"
    unchanged convert
    nothing_left
}

# What create --from makes of a qcow2: the same disk, and what diff would hold.
back() # QCOW2 BACKING RAW [NAMED]
{
    rm -f back.cow diff.cow
    freeze "$1" "$2" "$3"
    if [ -n "${4:-}" ]; then
        run 0 create -q --from "$1" back.cow "$2"
    else
        run 0 create -q --from "$1" back.cow
    fi
    run 0 diff -q -o diff.cow "$2" "$3"
    eq "$(sha "$3")" "$(model compose back.cow uml-cow-v3 "$2")" "composed disk of what was made of $1"
    eq "$(model dirty diff.cow uml-cow-v3)" "$(model dirty back.cow uml-cow-v3)" "dirty sectors of what was made of $1"
    run 0 info --json back.cow
    eq "true $PWD/$2" "$(json '"\(.uml.opens) \(.backing.path)"')" "would UML open it; on which file"
    unchanged "create --from"
    nothing_left
}

round_trip() # IMAGE BACKING
{
    both_ways "$@"
    back whole.qcow2 "$2" raw named
    back overlay.qcow2 "$2" raw named
    back overlay.qcow2 "$2" raw
}

kinds()
{
    needs_qemu
    all_kinds
    round_trip x.cow b.img
}

# Sizes around clusters and pages, and dirt at both ends.
sizes() # BYTES DIRTY
{
    needs_qemu
    head -c "$1" /dev/urandom >b.img
    touch -d '2003-04-05 06:07:08 UTC' b.img
    model make x.cow b.img 4096 "$2"
    round_trip x.cow b.img
    eq $((($1 + 511) / 512 * 512)) "$(fact '."virtual-size"' whole.qcow2)" "size of the disk"
}

guest()
{
    needs_qemu
    tar -xf "$root/share/demo/guest-ext4.tar.xz" || die "share/demo/guest-ext4.tar.xz does not unpack"
    both_ways root.cow root_fs.img
    [ "$(stat -c %s overlay.qcow2)" -lt 1500000 ] || die "the overlay has $(stat -c %s overlay.qcow2) bytes"
    back overlay.qcow2 root_fs.img raw
    back whole.qcow2 root_fs.img raw named
}

variant() # FILE
{
    needs_qemu
    local under
    under=$(of "$1" backing_file)
    sample "$1" "$under"
    both_ways "$1" "$under"
}

# Zeros that are dirty hide what the backing file has: a hole of the COW, whole clusters, and written ones.
dirty_holes()
{
    needs_qemu
    head -c 1048576 /dev/zero | tr '\0' 'b' >b.img
    touch -d '2003-04-05 06:07:08 UTC' b.img
    model make x.cow b.img 1048576 3,100-900,1000-1100,2047
    model fill x.cow uml-cow-v3 b.img 100-900,1000-1100 zero
    run 0 compact -q -y x.cow
    round_trip x.cow b.img
    eq true "$(qemu-img map --output=json overlay.qcow2 | jq '[.[] | select(.zero and .depth == 0)] | length > 0')" \
        "zeros are noted, not written"
}

# The image holds more than its backing file does: policy keep; and less.
other_sizes()
{
    needs_qemu
    small
    run 0 resize -q -y --policy keep x.cow 300032
    freeze x.cow b.img
    run 0 merge -q -o raw x.cow
    run 0 convert -q --to qcow2 --with-backing -o overlay.qcow2 x.cow
    shows overlay.qcow2 raw
    eq 300032 "$(fact '."virtual-size"' overlay.qcow2)" "size of the disk"
    unchanged convert
    head -c 40000 /dev/zero | tr '\0' 'c' >>b.img
    run 0 merge -q -f -o raw x.cow
    run 0 convert -q -f --to qcow2 --with-backing -o overlay.qcow2 x.cow
    shows overlay.qcow2 raw
    run 3 create --from overlay.qcow2 y.cow b.img
    run 2 create --from overlay.qcow2 y.cow
}

# An odd end in front of more of the backing file: nothing of that shows.
odd_end_over_more()
{
    needs_qemu
    head -c 65836 /dev/urandom >b.img
    model make x.cow b.img 4096 20
    head -c 5000 /dev/urandom >>b.img
    run 0 merge -q -o raw x.cow
    run 0 convert -q --to qcow2 --with-backing -o overlay.qcow2 x.cow
    shows overlay.qcow2 raw
}

# A disk of 1 TiB that holds nothing but a sector at each end costs neither time nor room.
sparse()
{
    needs_qemu
    limit 10000
    truncate -s 1T b.img
    printf b | dd of=b.img bs=1 seek=800000000000 conv=notrunc status=none
    run 0 create -q x.cow b.img
    cp --sparse=always b.img raw 2>/dev/null &&
        printf x | dd of=raw bs=1 seek=1099511627000 conv=notrunc status=none &&
        printf x | dd of=raw bs=1 seek=5 conv=notrunc status=none || die "no room for a sparse file"
    run 0 diff -q -f -o x.cow b.img raw
    freeze_facts=$(stat -c '%s %y' b.img x.cow)
    run 0 convert -q --to qcow2 -o whole.qcow2 x.cow
    run 0 convert -q --to qcow2 --with-backing -o overlay.qcow2 x.cow
    [ "$(stat -c %s whole.qcow2)" -lt 2000000 ] || die "the whole disk has $(stat -c %s whole.qcow2) bytes"
    run 0 create -q --from overlay.qcow2 y.cow
    run 0 create -q --from whole.qcow2 z.cow b.img
    for made in y z; do
        run 0 info --json $made.cow
        eq 16 "$(json .usage.dirty_sectors)" "dirty sectors of $made.cow"
    done
    eq "$freeze_facts" "$(stat -c '%s %y' b.img x.cow)" "size and date"
}

# Made by QEMU: compressed and zero clusters, what a chain of three holds, an old version.
by_qemu()
{
    needs_qemu
    sample v3-515.cow b515.raw
    head -c 3000000 /dev/zero | tr '\0' 'b' >b.img
    truncate -s 3145728 b.img
    cp b.img raw
    head -c 500000 /dev/urandom | dd of=raw bs=1000 seek=700 conv=notrunc status=none
    head -c 300000 /dev/zero | dd of=raw bs=1000 seek=2000 conv=notrunc status=none
    qemu qemu-img convert -c -f raw -O qcow2 raw compressed.qcow2
    back compressed.qcow2 b.img raw named
    qemu qemu-img convert -f raw -O qcow2 -o compat=0.10 raw old.qcow2
    back old.qcow2 b.img raw named
    qemu qemu-img create -q -f qcow2 -b b.img -F raw middle.qcow2
    qemu qemu-io -f qcow2 -c 'write -P 1 0 64k' -c 'write -z 128k 200k' -c 'write -P 2 500001 7' middle.qcow2
    qemu qemu-img convert -f qcow2 -O raw middle.qcow2 raw
    back middle.qcow2 b.img raw
    qemu qemu-img create -q -f qcow2 -b middle.qcow2 -F qcow2 top.qcow2
    qemu qemu-io -f qcow2 -c 'write -P 3 130k 10k' -c 'discard 0 64k' top.qcow2
    qemu qemu-img convert -f qcow2 -O raw top.qcow2 raw
    freeze middle.qcow2 top.qcow2
    back top.qcow2 b.img raw named
    run 2 create --from top.qcow2 y.cow
    has "does not lie on one raw file" err
    run 0 create -q --from top.qcow2 y.cow b.img
    has "$PWD/middle.qcow2" err # told even then: whoever made the qcow2 chose that file
    run 3 create -f --from top.qcow2 middle.qcow2 b.img # it is read from that
    run 3 create -f --from top.qcow2 top.qcow2 b.img
}

# The backing file's own content is not read where the overlay holds nothing.
reads_only_the_overlay()
{
    needs_qemu
    can_trace
    truncate -s 64M b.img
    head -c 40000000 /dev/urandom | dd of=b.img conv=notrunc status=none
    qemu qemu-img create -q -f qcow2 -b b.img -F raw x.qcow2
    qemu qemu-io -f qcow2 -c 'write -P 1 1m 4k' x.qcow2
    ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" strace -f -qq -o calls -e trace=pread64,preadv,preadv2,read -P "$PWD/b.img" "$COWTUI" create -q --from x.qcow2 x.cow 2>err ||
        die "exit $?: $(head -n 1 err)"
    read_bytes=$(awk '{ if ($NF ~ /^[0-9]+$/) sum += $NF } END { print sum + 0 }' calls)
    [ "$read_bytes" -lt 8000000 ] || die "$read_bytes bytes of the backing file were read"
    run 0 info --json x.cow
    eq 8 "$(json .usage.dirty_sectors)" "dirty sectors"
}

sizes_refused()
{
    needs_qemu
    small
    qemu qemu-img create -q -f qcow2 x.qcow2 128K
    freeze b.img x.qcow2
    run 3 create --from x.qcow2 y.cow b.img
    has 131072 err
    run 2 create --from x.qcow2 y.cow
    has BACKING err
    truncate -s 65K other.img
    qemu qemu-img create -q -f qcow2 -b other.img -F raw over.qcow2 128K
    run 2 create --from over.qcow2 y.cow
    run 3 create --from over.qcow2 y.cow other.img
    unchanged "a refused create"
    [ ! -e y.cow ] || die "a refused create writes"
}

# The disk that --to qcow2 makes is lent nowhere: locks, outputs, and what is in the way.
refused()
{
    needs_qemu
    small
    outputs_refused x.cow b.img -- convert --to qcow2 -- x.cow
    outputs_refused x.cow b.img -- convert --to qcow2 --with-backing -- x.cow
    freeze x.cow b.img
    for options in --with-backing --to=v3; do
        run 2 convert --to qcow2 "$options" x.cow
    done
    run 2 convert --to v3 --with-backing -o y.qcow2 x.cow
    run 2 convert --to qcow2 --reserve 1G -o y.qcow2 x.cow
    run 2 convert --to qcow2 -o y.qcow2 nowhere.cow
    run 63 convert --to qcow2 -o y.qcow2 b.img
    run 2 convert --to qcow2 --no-backing --with-backing -o y.qcow2 x.cow
    run 2 convert --to qcow2 --no-backing -o y.qcow2 x.cow
    run 2 convert --to qcow -o y.qcow2 x.cow
    run 2 create y.cow
    run 2 create --from '' y.cow b.img
    run 2 create --from nowhere.qcow2 y.cow b.img
    run 2 create --with-backing y.cow b.img
    run 63 create --from b.img y.cow b.img
    hold write x.cow
    run 4 convert --to qcow2 -o y.qcow2 x.cow
    has "$holder" err
    [ ! -e y.qcow2 ] || die "a refused convert writes"
    run 0 convert -q -f --to qcow2 -o y.qcow2 x.cow
    let_go
    unchanged "a refused convert"
    nothing_left
    eq "b.img x.cow y.qcow2 " "$(names)" files
}

# A COW on a COW: merge takes the lower one for a raw disk, as kernels do, and so does the whole disk.
on_a_cow()
{
    needs_qemu
    truncate -s 128K below
    run 0 create -q b.cow below
    run 0 create -q -f x.cow b.cow
    run 0 merge -q -o raw x.cow
    run 3 convert --to qcow2 --with-backing -o y.qcow2 x.cow
    has "COW image itself" err
    run 0 convert -q --to qcow2 -o y.qcow2 x.cow
    shows y.qcow2 raw
}

# A plan says what it does, and a dry run does nothing.
plans()
{
    needs_qemu
    small
    freeze x.cow b.img
    run 0 convert -n --to qcow2 -o y.qcow2 x.cow
    has "qcow2 image" out
    run 0 convert -n --json --to qcow2 --with-backing -o y.qcow2 x.cow
    eq "convert copy $PWD/b.img null" "$(json '"\(.operation) \(.method) \(.backing_path) \(.uml)"')" "the plan"
    eq "makes $PWD/y.qcow2 null" "$(json '.files[] | "\(.touch) \(.path) \(.size_bytes)"')" files
    eq "cowtui convert --to qcow2 --with-backing -o y.qcow2 x.cow" "$(json .command)" command
    eq "b.img x.cow " "$(names)" files
    run 0 convert --json --to qcow2 --with-backing -o y.qcow2 x.cow
    good_json
    run 0 create -n --json --from y.qcow2 z.cow
    eq "create $PWD/b.img" "$(json '"\(.operation) \(.backing_path)"')" "the plan"
    eq "cowtui create --from y.qcow2 z.cow $PWD/b.img" "$(json .command)" command
    [ ! -e z.cow ] || die "a dry run writes"
    run 0 create --json --reserve 16G --from y.qcow2 z.cow
    run 0 resize -n --json --policy extend z.cow 16G
    eq header "$(json .method)" "method of growing into the reserve"
    echo precious >there.cow
    run 3 create --from y.qcow2 there.cow
    eq precious "$(cat there.cow)" "an existing output"
    run 0 create -q -f --from y.qcow2 there.cow
    unchanged convert
}

# Names that QEMU would take for something else, or apart.
odd_names()
{
    needs_qemu
    small
    mkdir 'a,b:c = d'
    mv b.img 'a,b:c = d/b,,i.img'
    run 0 create -q -f 'x:y,z.cow' 'a,b:c = d/b,,i.img'
    run 0 convert -q --to qcow2 --with-backing -o 'json:q,cow.2' 'x:y,z.cow'
    qemu qemu-img compare -f raw -F qcow2 "$PWD/a,b:c = d/b,,i.img" "$PWD/json:q,cow.2"
    run 0 create -q --from 'json:q,cow.2' 'nbd:x'
    eq "$PWD/a,b:c = d/b,,i.img" "$(model header nbd:x uml-cow-v3 | sed -n 's/^path //p')" "stored path"
}

# Broken, strange, or gone: QEMU's word, and nothing left.
broken()
{
    needs_qemu
    small
    qemu qemu-img convert -f raw -O qcow2 b.img good.qcow2
    cp good.qcow2 x.qcow2
    printf '\xff\xff\xff\xff' | dd of=x.qcow2 bs=1 seek=20 conv=notrunc status=none # cluster bits
    run 5 create --from x.qcow2 y.cow b.img
    has "luster" err
    cp good.qcow2 x.qcow2
    printf '\xff\xff\xff\xff\xff\xff\xff\x00' | dd of=x.qcow2 bs=1 seek=40 conv=notrunc status=none # L1's place
    run 5 create --from x.qcow2 y.cow b.img
    cp good.qcow2 x.qcow2
    l1=$(od -An -tu8 --endian=big -j40 -N8 x.qcow2)
    printf '\x80\x00\x00\x00\xff\xff\x00\x00' | dd of=x.qcow2 bs=1 seek=$((l1)) conv=notrunc status=none # L2 past the end
    "$COWTUI" create --from x.qcow2 y.cow b.img >out 2>err # QEMU reads zeros there, or refuses
    head -c 100 good.qcow2 >x.qcow2
    run 5 create --from x.qcow2 z.cow b.img
    : >x.qcow2
    run 63 create --from x.qcow2 z.cow b.img
    qemu qemu-img create -q -f qcow2 -b b.img -F raw x.qcow2
    mv b.img away.img
    run 2 create --from x.qcow2 z.cow away.img
    has b.img err
    mkdir d
    run 2 create --from d z.cow away.img
    mkfifo f
    run 2 create --from f z.cow away.img
    [ ! -e z.cow ] || die "something was made of nothing"
    nothing_left
}

# Who made the image chose what it lies on: nothing but files and disks of this host is opened.
chosen_by_others()
{
    needs_qemu
    can_trace
    small
    mkfifo f
    qemu qemu-img convert -f raw -O vmdk b.img b.vmdk
    for under in nbd://127.0.0.1:1/x nbd+unix:///x?socket=/nowhere 'json:{"driver":"raw","file":{"driver":"file","filename":"b.img"}}' \
        "$PWD/f" /dev/zero file:b.img; do
        qemu qemu-img create -q -u -f qcow2 -b "$under" -F raw x.qcow2 64K
        ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" strace -f -qq -o calls -e trace=openat,connect "$COWTUI" create --from x.qcow2 y.cow b.img >out 2>err
        eq 3 $? "exit code on $under"
        has "it lies on" err
        grep -E "connect.*sin_port|\"$PWD/f\"" calls && die "$under was opened"
    done
    qemu qemu-img create -q -u -f qcow2 -b "$PWD/b.vmdk" -F vmdk x.qcow2 64K
    run 3 create --from x.qcow2 y.cow b.img
    has vmdk err
    # Without the format of what it lies on: QEMU looks, and finds a raw file.
    qemu qemu-img create -q -u -f qcow2 -b b.img -F raw x.qcow2 64K
    py <<'END'
with open("x.qcow2", "r+b") as file:
    at = file.read(4096).index(bytes.fromhex("e2792aca"))
    file.seek(at)
    file.write(b"none")
END
    eq null "$(fact '."backing-filename-format"' x.qcow2)" "format of what it lies on"
    run 0 create -q --from x.qcow2 y.cow
    rm y.cow
    qemu qemu-img create -q -u -f qcow2 -b x.qcow2 -F qcow2 z.qcow2 64K # each on the other
    qemu qemu-img rebase -u -f qcow2 -b z.qcow2 -F qcow2 x.qcow2
    run 5 create --from x.qcow2 y.cow b.img
    # Its data in another file, which counts as one of them.
    qemu qemu-img create -q -f qcow2 -o data_file=data.raw,data_file_raw=on d.qcow2 64K
    run 3 create -f --from d.qcow2 data.raw b.img
    run 0 create --from d.qcow2 y.cow b.img
    has "$PWD/data.raw" err
    chmod 600 data.raw
    run 0 create -q -f --from d.qcow2 y.cow b.img
    eq 600 "$(stat -c %a y.cow)" "mode of what was read from a file of mode 600"
    nothing_left
}

# Another program has the qcow2 open for writing.
in_use()
{
    needs_qemu
    small
    qemu qemu-img convert -f raw -O qcow2 b.img x.qcow2
    timeout 60 qemu-nbd -f qcow2 -t -k "$PWD/s" x.qcow2 >/dev/null 2>&1 &
    holder=$!
    for _ in $(seq "$(turns 200)"); do
        [ ! -e s ] || break
        sleep 0.05
    done
    run 4 create --from x.qcow2 y.cow b.img
    has lock err
    let_go
    run 0 create -q --from x.qcow2 y.cow b.img
}

# Ctrl-C, and a kill, in the middle of the writing: nothing under the name, and none of QEMU's left running.
stopped() # SIGNAL CODE
{
    needs_qemu
    can_trace
    head -c 3000000 /dev/urandom >b.img
    model make x.cow b.img 4096 0-3000
    freeze x.cow b.img
    # Thirteen of the handshake, then three for each 256 KiB.
    # (The shell that tells of the kill is not shown.)
    { ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" strace -qq -o /dev/null -e trace=sendto -e "inject=sendto:signal=$1:when=25" \
        "$COWTUI" convert -q --to qcow2 -o y.qcow2 x.cow >out 2>err; } 2>/dev/null
    eq "$2" $? "exit code"
    [ ! -e y.qcow2 ] || die "an unfinished file has its name"
    [ "$1" = KILL ] || nothing_left
    for _ in $(seq "$(turns 100)"); do
        pgrep -f "qemu-nbd.*$PWD" >/dev/null || break
        sleep 0.05
    done
    pgrep -f "qemu-nbd.*$PWD" >/dev/null && die "qemu-nbd still runs"
    unchanged "a stop"
    run 0 convert -q --to qcow2 -o y.qcow2 x.cow
    nothing_left
    run 0 merge -q -o raw x.cow
    shows y.qcow2 raw
}

# A full disk.
full()
{
    needs_qemu
    [ "$(id -u)" = 0 ] || skip "only root mounts a small filesystem"
    head -c 3000000 /dev/urandom >b.img
    run 0 create -q x.cow b.img
    mkdir m
    mount -t tmpfs -o size=1m none m 2>/dev/null || skip "nothing can be mounted here"
    "$COWTUI" convert -q --to qcow2 -o m/y.qcow2 x.cow >out 2>err
    code=$?
    left=$(ls -A m)
    umount m
    eq 2 $code "exit code"
    has "space" err
    eq "" "$left" "what is left"
}

missing() # TOOL
{
    needs_qemu
    small
    there=$(command -v "$1")
    unshare -m true 2>/dev/null || skip "no mount namespaces here"
    freeze x.cow b.img
    unshare -m sh -c 'mount --bind /dev/null "$1" && shift && exec "$@"' sh "$there" \
        "$COWTUI" convert --to qcow2 -o y.qcow2 x.cow >out 2>err
    eq 63 $? "exit code without $1"
    has "$1 is not installed" err
    has qemu-utils err
    unshare -m sh -c 'mount --bind /dev/null "$1" && shift && exec "$@"' sh "$there" \
        "$COWTUI" create -n --from y.qcow2 y.cow b.img >out 2>err
    eq 63 $? "exit code without $1"
    has qemu-utils err
    unchanged "a missing tool"
    eq "b.img x.cow " "$(names)" files
}

samples
t "qcow2: all that a scan can tell" kinds
for size in 65536 66048 131072 200704 1048576 65836 1100001; do
    t "qcow2: $size bytes" sizes $size "0,9-20,$(((size + 511) / 512 - 1))"
done
t "qcow2: the disk of a guest" guest
while read -r file; do
    t "qcow2: $file" variant "$file"
done < <(awk -F'\t' 'NR > 1 && $16 != "-" { print $1 }' "$root/tests/data/cow-variants.tsv")
t "qcow2: dirty holes" dirty_holes
t "qcow2: another size than the backing file" other_sizes
t "qcow2: an odd end over more" odd_end_over_more
t "qcow2: 1 TiB of nothing" sparse
t "qcow2: made by QEMU" by_qemu
t "qcow2: only the overlay is read" reads_only_the_overlay
t "qcow2: other sizes are refused" sizes_refused
t "qcow2: refused" refused
t "qcow2: a COW on a COW" on_a_cow
t "qcow2: plans" plans
t "qcow2: odd names" odd_names
t "qcow2: broken" broken
t "qcow2: chosen by others" chosen_by_others
t "qcow2: in use" in_use
t "qcow2: Ctrl-C" stopped INT 130
t "qcow2: killed" stopped KILL 137
t "qcow2: a full disk" full
t "qcow2: no qemu-nbd" missing qemu-nbd
t "qcow2: no qemu-img" missing qemu-img

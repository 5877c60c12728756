# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2154
#
# What a real guest must see; sourced by run.sh, in its scratch directory. Two disks go the whole way: fs, with
# an ext4 filesystem that the guest makes, and raw, with single sectors scattered over it. Reads of raw are
# 512 bytes each: the kernel misreads larger requests over pages that mix dirty and clean sectors. The
# filesystem has 4 KiB blocks and makes no such pages.

make_disks() {
    python3 "$here/disks.py" pattern fs.img $((64 * MIB))
    python3 "$here/disks.py" pattern raw.img $((8 * MIB))
    check "create makes a COW on a 64 MiB disk" "$cowtui" create fs.cow fs.img
    check "create makes a COW on an 8 MiB disk" "$cowtui" create raw.cow raw.img
    check "info says that UML will open it" equal true "$(json fs.cow .uml.opens)"
    sha256sum fs.img raw.img >backing.sums
    write_job make <<'JOB'
mkfs.ext4 -q -F -b 4096 -E nodiscard /dev/ubdb >make.log
mount /dev/ubdb mnt >>make.log && mkdir mnt/dir
for i in 1 2 3 4 5 6 7 8; do head -c $((i * 300000 + 7)) /dev/urandom >"mnt/dir/file$i"; done
(cd mnt && sha256sum dir/*) >files.sums
for sector in 0 7 8 100 1000 4095 4096 12345 16383; do
    head -c 512 /dev/urandom | dd of=/dev/ubdc bs=512 seek="$sector" oflag=direct conv=notrunc status=none
done >>make.log
dd if=/dev/ubdc bs=512 iflag=direct status=none | sha256sum >raw.sum
sync
touch ready
for ((i = 0; i < limit; i++)); do [ ! -e go ] || break; sleep 0.1; done
umount mnt
touch made
JOB
}

while_guest_runs() {
    local before
    start_guest make ubdb=fs.cow ubdc=raw.cow
    check "the guest formats, writes files and scattered sectors" wait_for ready
    check "info tells the pid of the running guest" equal "$guest_pid" "$(json fs.cow .in_use.pid)"
    before=$(ls -A)
    check "resize of a disk in use is refused with 4 within a second" \
        refused_within_a_second resize --policy extend --yes fs.cow 128M
    check "merge of a disk in use is refused with 4 within a second" \
        refused_within_a_second merge -o in-use.raw fs.cow
    check "a refused change leaves no file behind" equal "$before" "$(ls -A)"
    touch go
    check "the guest shuts down" end_guest
    check "the guest did all of its work" test -e made
    check "nobody holds the disk afterwards" equal null "$(json fs.cow .in_use)"
    check "backing files are unchanged" sha256sum --quiet -c backing.sums
}

# One guest gets all the odd images at once, each as a device of its own.
verdicts() {
    local letters=bcdefghijklmnop arguments=() name i=0
    cp --sparse=always -p fs.cow keep.cow
    check "resize --policy keep" "$cowtui" resize --policy keep --yes keep.cow 128M
    check "keep leaves the backing file alone" sha256sum --quiet -c backing.sums
    python3 "$here/disks.py" odd .
    for name in keep.cow odd-*.cow; do
        arguments+=("ubd${letters:i:1}=$name")
        i=$((i + 1))
    done
    write_job verdict <<'JOB'
for disk in /dev/ubd?; do dd if="$disk" of=/dev/null bs=512 count=1 iflag=direct status=none; done
JOB
    guest verdict "${arguments[@]}"
    for name in keep.cow odd-*.cow; do
        check "the guest refuses $name with the words of info" refuses verdict "$name"
    done
}

is_zero_from() {
    tail -c "+$(($2 + 1))" "$1" | cmp -n "$(($(stat -c %s "$1") - $2))" - /dev/zero
}

# The grown disk in a guest: size, files, growing the filesystem while it is mounted, single sectors.
grown_in_guest() {
    local policy=$1
    # shellcheck disable=SC2016 # for the guest's shell
    write_job "$policy" < <(
        echo "name=$policy"
        cat <<'JOB'
blockdev --getsize64 /dev/ubdb >"$name.size"
mount /dev/ubdb mnt && (cd mnt && sha256sum --quiet -c ../files.sums) >"$name.files" && echo same >>"$name.files"
resize2fs /dev/ubdb >"$name.resize2fs"
df -B1 --output=size mnt | tail -n 1 >"$name.df"
head -c 30000000 /dev/urandom >mnt/new && sha256sum mnt/new >"$name.new"
umount mnt
dd if=/dev/ubdc bs=512 iflag=direct status=none | sha256sum >"$name.rawsum"
touch "$name.done"
JOB
    )
    guest "$policy" "ubdb=$policy-fs.cow" "ubdc=$policy-raw.cow"
    check "$policy: the guest runs to its end" test -e "$policy.done"
    check "$policy: the guest sees 128 MiB" equal $((128 * MIB)) "$(result "$policy.size")"
    check "$policy: its files have the same checksums" equal same "$(result "$policy.files")"
    check "$policy: resize2fs grows the filesystem in the guest" test "$(result "$policy.df")" -gt $((100 * MIB))
}

grown_on_host() {
    local policy=$1
    check "$policy: merge -o" "$cowtui" merge -o "$policy-fs.raw" "$policy-fs.cow"
    check "$policy: the merged disk has 128 MiB" equal $((128 * MIB)) "$(stat -c %s "$policy-fs.raw")"
    check "$policy: e2fsck -fn finds the merged disk clean" e2fsck -fn "$policy-fs.raw"
    check "$policy: merge -o of the scattered sectors" "$cowtui" merge -o "$policy-raw.raw" "$policy-raw.cow"
    check "$policy: the guest reads what merge writes" \
        equal "$(sha256sum <"$policy-raw.raw")" "$(result "$policy.rawsum")"
    check "$policy: the old part of the disk is what the guest saw before" \
        equal "$(result raw.sum)" "$(head -c $((8 * MIB)) "$policy-raw.raw" | sha256sum)"
    check "$policy: the new part is zero" is_zero_from "$policy-raw.raw" $((8 * MIB))
    rm -f "$policy-fs.raw" "$policy-raw.raw"
}

grow() {
    local policy=$1 disk
    for disk in fs raw; do
        cp --sparse=always -p "$disk.cow" "$policy-$disk.cow"
    done
    check "resize --policy $policy to 128 MiB" "$cowtui" resize --policy "$policy" --yes "$policy-fs.cow" 128M
    check "resize --policy $policy to 16 MiB" "$cowtui" resize --policy "$policy" --yes "$policy-raw.cow" 16M
    check "$policy: info says that UML will open it" equal true "$(json "$policy-fs.cow" .uml.opens)"
    grown_in_guest "$policy"
    grown_on_host "$policy"
}

# A name that info warns of is not found as it is; one with a blank is found in quotes, one with a colon through a link.
names() {
    local letters=bcdefghijkl arguments=() name warned i=0
    python3 "$here/disks.py" pattern name.img $MIB
    for name in 'plain.cow' "a'b\$c=d.cow" 'ä.cow' 'a:b.cow' 'a,b.cow' 'a b.cow' 'à.cow'; do
        check "create makes $name" "$cowtui" create -q "$name" name.img
        arguments+=("ubd${letters:i:1}=$name")
        warned=$(json "$name" '.uml.warnings | length')
        echo "${letters:i:1} $warned $name" >>names.list
        i=$((i + 1))
    done
    arguments+=("ubd${letters:i:1}=\"a b.cow\"")
    echo "${letters:i:1} 0 \"a b.cow\"" >>names.list
    i=$((i + 1))
    ln -s 'a:b.cow' link.cow
    arguments+=("ubd${letters:i:1}=link.cow")
    echo "${letters:i:1} $(json link.cow '.uml.warnings | length') link.cow" >>names.list
    write_job names <<'JOB'
for disk in b c d e f g h i j; do
    if dd if="/dev/ubd$disk" of=/dev/null bs=512 count=1 iflag=direct status=none; then echo "$disk 0"; else echo "$disk 1"; fi
done >names.out
JOB
    guest names "${arguments[@]}"
    while read -r letter warned name; do
        check "the guest is given $name as info says" equal "$letter $warned" "$(grep "^$letter" names.out)"
    done <names.list
}

# A backing file that is a block device.
on_a_device() {
    local device=
    if [ "$(id -u)" != 0 ] || ! command -v losetup >/dev/null; then
        echo "skip a block device as backing file: needs root and losetup"
        return
    fi
    python3 "$here/disks.py" pattern device.img $MIB
    if ! device=$(losetup -f --show device.img 2>/dev/null); then
        echo "skip a block device as backing file: there are no loop devices here"
        return
    fi
    loops+=("$device")
    touch "$device" # the node keeps its date from run to run
    check "create makes a COW on a block device" "$cowtui" create -q device.cow "$device"
    check "info says that UML will open it" equal true "$(json device.cow .uml.opens)"
    write_job device <<'JOB'
blockdev --getsize64 /dev/ubdb >device.size
dd if=/dev/ubdb bs=512 iflag=direct status=none | sha256sum >device.sum
JOB
    guest device ubdb=device.cow
    check "the guest opens an image on a block device" equal $MIB "$(result device.size)"
    check "and reads what merge writes" equal "$("$cowtui" merge -q -o - device.cow | sha256sum)" "$(result device.sum)"
    touch -d '2001-02-03 04:05:06 UTC' "$device"
    guest device ubdb=device.cow
    check "the guest refuses it when its node has another date" refuses device device.cow
    touch "$device"
}

make_disks
names
on_a_device
while_guest_runs
verdicts
grow copy
check "copy leaves the backing file alone" sha256sum --quiet -c backing.sums
grow extend
check "extend: the backing file has 128 MiB" equal $((128 * MIB)) "$(stat -c %s fs.img)"

# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2154
#
# What moving in place means to a real kernel; sourced by run.sh, in its scratch directory. A guest makes a filesystem on
# one disk and scatters sectors over another; both grow in place by both methods, one is left half way, and a second guest
# looks at all of them. Scattered sectors are read 512 bytes at a time: larger requests are misread (cases.sh).

make_moving() {
    python3 "$here/disks.py" pattern move-fs.img $((64 * MIB))
    python3 "$here/disks.py" pattern move-raw.img $((8 * MIB))
    "$cowtui" create -q move-fs.cow move-fs.img
    "$cowtui" create -q move-raw.cow move-raw.img
    write_job fill <<'JOB'
mkfs.ext4 -q -F -b 4096 -E nodiscard /dev/ubdb >fill.log
mount /dev/ubdb mnt >>fill.log && mkdir mnt/dir
for i in 1 2 3 4 5 6; do head -c $((i * 1500000 + 7)) /dev/urandom >"mnt/dir/file$i"; done
(cd mnt && sha256sum dir/*) >move-files.sums
umount mnt
for sector in 0 7 8 100 1000 4095 4096 12345 16383; do
    head -c 512 /dev/urandom | dd of=/dev/ubdc bs=512 seek="$sector" oflag=direct conv=notrunc status=none
done
dd if=/dev/ubdc bs=512 iflag=direct status=none | sha256sum >move-raw.sum
touch filled
JOB
    guest fill ubdb=move-fs.cow ubdc=move-raw.cow
    check "the guest fills the disks that are going to grow" test -e filled
}

# What the filesystem here cannot do is done by moving; both are looked at in any case.
can_insert() {
    "$cowtui" resize --dry-run --in-place --method inserted --policy copy move-raw.cow 16M >insert.plan 2>&1
    local code=$?
    [ "$code" -eq 0 ] || [ "$code" -eq 63 ] || cat insert.plan
    [ "$code" -eq 0 ]
}

grow_in_place() {
    local method disk inode size
    for method in "${methods[@]}"; do
        for disk in fs raw; do
            size=${sizes[$disk]}
            cp --sparse=always -p "move-$disk.cow" "$method-$disk.cow"
            inode=$(stat -c %i "$method-$disk.cow")
            check "$method: the $disk disk grows to twice its size" \
                "$cowtui" resize --method "$method" --policy extend --yes "$method-$disk.cow" "$size"
            check "$method: the $disk disk is the same file" equal "$inode" "$(stat -c %i "$method-$disk.cow")"
            check "$method: info says that UML will open the $disk disk" equal true "$(json "$method-$disk.cow" .uml.opens)"
        done
    done
}

# One on a backing file of its own: the other one grows with the others.
apart() {
    cp --sparse=always -p move-fs.img apart.img
    cp --sparse=always -p move-fs.cow apart.cow
    "$cowtui" rebase --to apart.img --yes apart.cow
}

# Killed when its first piece is to be given back.
leave_half() {
    cp --sparse=always -p apart.cow "$1.cow"
    strace -qq -f -o /dev/null -e trace=fallocate -e inject=fallocate:signal=KILL:when=2 \
        "$cowtui" resize --method moved --policy copy --yes "$1.cow" 128M >half.out 2>&1
    equal 137 $? && [ -e ".$1.cow.cowtui-position" ]
}

can_kill() {
    command -v strace >/dev/null && strace -qq -o /dev/null -e trace=none true 2>/dev/null
}

# Twice what they are.
declare -A sizes=([fs]=$((128 * MIB)) [raw]=$((16 * MIB)))

look_at() {
    local name letters=bcdefgh arguments=() i=0
    : >look.list
    for name in "${@:2}"; do
        arguments+=("ubd${letters:i:1}=$name.cow")
        echo "${letters:i:1} $name" >>look.list
        i=$((i + 1))
    done
    # shellcheck disable=SC2016 # for the guest's shell
    write_job "$1" < <(
        echo "job=$1"
        cat <<'JOB'
while read -r letter name; do
    blockdev --getsize64 "/dev/ubd$letter" >"$job-$name.size"
    case $name in
    *raw) dd if="/dev/ubd$letter" bs=512 iflag=direct status=none | sha256sum >"$job-$name.sum" ;;
    *) mount -o ro "/dev/ubd$letter" mnt && (cd mnt && sha256sum --quiet -c ../move-files.sums) && echo same >"$job-$name.files" && umount mnt ;;
    esac
done <look.list >"$job.log"
touch "$job.done"
JOB
    )
    guest "$1" "${arguments[@]}"
    check "the guest looks at what has moved ($1)" test -e "$1.done"
}

raw_grown() {
    "$cowtui" merge -q -o grown.raw "$1.cow" || return 1
    local sum old
    sum=$(sha256sum <grown.raw)
    old=$(head -c $((8 * MIB)) grown.raw | sha256sum)
    tail -c +$((8 * MIB + 1)) grown.raw | cmp -n $((8 * MIB)) - /dev/zero || return 1
    rm -f grown.raw
    equal "$(result move-raw.sum)" "$old" && equal "$sum" "$2"
}

all_of_it() {
    local method disk half=()
    methods=(moved)
    make_moving
    if can_insert; then methods+=(inserted); else echo "skip inserted: the filesystem cannot insert room into a file"; fi
    check "a copy of the disk gets a backing file of its own" apart
    grow_in_place
    if can_kill; then
        half=(half)
        check "a move is killed half way" leave_half half
        check "a half-moved image and its side files are copied" cp --sparse=always -p half.cow half-before.cow
    else
        echo "skip half way: strace may not trace here"
    fi
    look_at look "${methods[@]/%/-fs}" "${methods[@]/%/-raw}" "${half[@]}"
    for method in "${methods[@]}"; do
        for disk in fs raw; do
            check "$method: the guest sees the new size of the $disk disk" equal "${sizes[$disk]}" "$(result "look-$method-$disk.size")"
        done
        check "$method: its files have the same checksums" equal same "$(result "look-$method-fs.files")"
        check "$method: the scattered sectors are those of before, the rest is as it is merged" \
            raw_grown "$method-raw" "$(result "look-$method-raw.sum")"
    done
    [ "${#half[@]}" -eq 0 ] || half_way
}

half_way() {
    check "the guest refuses the half-moved image with the words of info" refuses look half.cow
    check "the guest has not touched it" cmp half.cow half-before.cow
    check "recover takes it back" "$cowtui" recover --back --yes half.cow
    cp --sparse=always -p half.cow back.cow
    check "a move is killed half way once more" leave_half half
    check "recover finishes it" "$cowtui" recover --forward --yes half.cow
    look_at again back half
    check "taken back: its files have the same checksums" equal same "$(result again-back.files)"
    check "finished: the guest sees 128 MiB" equal $((128 * MIB)) "$(result again-half.size)"
    check "finished: its files have the same checksums" equal same "$(result again-half.files)"
}

all_of_it

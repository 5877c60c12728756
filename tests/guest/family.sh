# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2154
#
# What growing all images on a backing file means to real kernels; sourced by run.sh, in its scratch directory. Five disks
# on one backing file, written by a guest that still runs on one of them: they do not grow, and nothing is changed. When it
# has ended they do, as one change, and a second guest looks at all five; that is undone, and a third sees the old ones.
# Sectors are read 512 bytes at a time: larger requests are misread (cases.sh).

family_of_five=(kin1 kin2 kin3 kin4 kin5)
kin_bytes=$((2 * MIB))
kin_grown_bytes=$((18 * MIB)) # whose bits take two pages

# Two are made by cowtui and have room for more bits. The others the kernel makes, with none: their data has to move.
make_kin() {
    local name
    mkdir kin
    python3 "$here/disks.py" pattern kin.img $kin_bytes
    for name in kin1 kin4; do
        check "create makes $name on the shared backing file" "$cowtui" create -q "kin/$name.cow" "$PWD/kin.img"
    done
}

# ubdb is kin1, and so on; one that is not there yet is made by the kernel.
kin_arguments() {
    local letters=bcdef name i=0
    for name in "${family_of_five[@]}"; do
        if [ -e "kin/$name.cow" ]; then
            echo "ubd${letters:i:1}=kin/$name.cow"
        else
            echo "ubd${letters:i:1}=kin/$name.cow,$PWD/kin.img"
        fi
        i=$((i + 1))
    done
}

# Bytes, lengths and dates of all that is there.
kin_facts() {
    sha256sum kin.img kin/*.cow
    stat -c '%n %s %y' kin.img kin/*.cow
    find . -maxdepth 2 -name '.*cowtui*'
}

fill_kin() {
    write_job kin-fill <<'JOB'
for disk in b c d e f; do
    for sector in 0 7 8 100 1000 4000 4095; do
        head -c 512 /dev/urandom | dd of="/dev/ubd$disk" bs=512 seek="$sector" oflag=direct conv=notrunc status=none
    done
    dd if="/dev/ubd$disk" bs=512 iflag=direct status=none | sha256sum >"kin-$disk.old"
done
sync
touch kin-filled
JOB
    # shellcheck disable=SC2046 # five words
    guest kin-fill $(kin_arguments)
    check "a guest writes to all five" test -e kin-filled
}

while_one_is_held() {
    local before
    write_job kin-hold <<'JOB'
exec 3</dev/ubdb # the kernel locks an image as long as somebody has it open
touch kin-held
for ((i = 0; i < limit; i++)); do [ ! -e kin-go ] || break; sleep 0.1; done
touch kin-ended
JOB
    start_guest kin-hold ubdb=kin/kin3.cow
    check "a guest runs on one of them" wait_for kin-held
    before=$(kin_facts)
    check "resize --family is refused with 4 within a second" \
        refused_within_a_second resize --family --yes kin/kin1.cow $kin_grown_bytes
    exits 4 "$cowtui" resize --family --yes kin/kin1.cow $kin_grown_bytes >kin.refused 2>&1
    check "it names the image" says kin3.cow kin.refused
    check "and the guest's pid" says "pid $guest_pid" kin.refused
    check "bytes, lengths and dates of all are what they were" equal "$before" "$(kin_facts)"
    touch kin-go
    check "the guest that held it ends" end_guest
    check "it ran to its end" test -e kin-ended
}

# look_at_kin JOB: size and content of each, as a guest sees them.
look_at_kin() {
    # shellcheck disable=SC2016 # for the guest's shell
    write_job "$1" < <(
        echo "job=$1"
        cat <<'JOB'
for disk in b c d e f; do
    blockdev --getsize64 "/dev/ubd$disk" >"$job-$disk.size"
    dd if="/dev/ubd$disk" bs=512 count=4096 iflag=direct status=none | sha256sum >"$job-$disk.old"
    dd if="/dev/ubd$disk" bs=64K skip=32 iflag=direct status=none | tr -d '\0' | wc -c >"$job-$disk.rest"
done
touch "$job.done"
JOB
    )
    # shellcheck disable=SC2046 # five words
    guest "$1" $(kin_arguments)
    check "a guest boots with all five ($1)" test -e "$1.done"
}

# kin_are JOB SIZE
kin_are() {
    local disk
    for disk in b c d e f; do
        check "$1: ubd$disk has $2 bytes" equal "$2" "$(result "$1-$disk.size")"
        check "$1: ubd$disk holds what was written to it" equal "$(result "kin-$disk.old")" "$(result "$1-$disk.old")"
        check "$1: ubd$disk is zero behind that" equal 0 "$(result "$1-$disk.rest")"
    done
}

all_five() {
    local before after
    make_kin
    fill_kin
    before=$(sha256sum kin.img kin/*.cow)
    while_one_is_held
    "$cowtui" resize --family --dry-run --json kin/kin1.cow $kin_grown_bytes >kin.plan
    check "by header and by copy, each as it needs" equal "copy copy copy header header" "$(jq -r '[.images[].method] | sort | join(" ")' kin.plan)"
    check "resize --family grows all five" "$cowtui" resize --family --yes kin/kin1.cow $kin_grown_bytes
    look_at_kin kin-grown
    kin_are kin-grown $kin_grown_bytes
    check "undo of another one takes all back" "$cowtui" undo --yes kin/kin4.cow
    after=$(sha256sum kin.img kin/*.cow)
    check "all are what they were, byte for byte" equal "$before" "$after"
    check "nothing is left beside them" equal '' "$(find . -maxdepth 2 -name '.*cowtui*')"
    look_at_kin kin-undone
    kin_are kin-undone $kin_bytes
}

all_five

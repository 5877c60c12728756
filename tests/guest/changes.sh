# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2154
#
# What pages, compact, rebase, convert and merge --in-place mean to a real kernel; sourced by run.sh after
# cases.sh. Two boots: one looks at the disks as they are found, one at what has become of them. root.cow is
# the demo's disk: ext4 with blocks of 1 KiB, written by a real guest, with 22 pages that mix dirty and clean
# sectors. What old-*.cow show is read in single sectors, for they have such pages, too.

composed=11979388e1eda3f239f3866cea5d09493997f686676df49b1c90de51ab898d17 # the demo's disk, also in the e2e suite
old_disks=(touched moved v2 v3-64 v2-64)

unpack_disks() {
    local name
    tar -xSf "$here/../../share/demo/guest-ext4.tar.xz" --no-same-owner
    python3 "$here/disks.py" old .
    check "the demo's disk has 1904 dirty sectors and 22 mixed pages" equal "1904 22" "$(bits_of root.cow)"
    for name in first pages compact placed sibling; do
        cp --sparse=always -p root.cow "$name.cow"
    done
    cp --sparse=always -p root_fs.img placed.img
    sha256sum root_fs.img old.img touched.img moved.img >changes.sums
    stat -c '%n %y' root_fs.img old.img touched.img moved.img >changes.dates
}

backing_untouched() {
    sha256sum --quiet -c changes.sums &&
        equal "$(cat changes.dates)" "$(stat -c '%n %y' root_fs.img old.img touched.img moved.img)"
}

merge_stops() {
    exits 4 timeout "$(turns 5)" "$cowtui" merge --in-place --yes "$1" </dev/null 2>"$1.err" || {
        cat "$1.err"
        return 1
    }
}

# The guest holds root.cow; first.cow is another image on the same backing file.
while_sibling_runs() {
    local before
    before=$(sum_of root.cow first.cow root_fs.img)
    check "merge --in-place is refused with 4 while a guest holds the image" merge_stops root.cow
    check "merge --in-place is refused with 4 while a guest holds a sibling" merge_stops first.cow
    check "it names the guest's pid" says "$guest_pid" first.cow.err
    check "pages of a disk in use is refused with 4" refused_within_a_second pages --yes root.cow
    check "rebase of a disk in use is refused with 4" refused_within_a_second rebase --to placed.img --yes root.cow
    check "nothing has changed" equal "$before" "$(sum_of root.cow first.cow root_fs.img)"
}

as_found() {
    write_job found <<'JOB'
dd if=/dev/ubdb bs=1M status=none | sha256sum | cut -d ' ' -f 1 >found-mixed.sum
for letter in c d e f g; do
    dd if=/dev/ubd$letter bs=512 iflag=direct status=none | sha256sum | cut -d ' ' -f 1 >found-$letter.sum
done
exec 3</dev/ubdb
touch holds
for ((i = 0; i < limit; i++)); do [ ! -e release ] || break; sleep 0.1; done
touch found
JOB
    start_guest found ubdb=root.cow ubdc=old-touched.cow ubdd=old-moved.cow ubde=old-v2.cow ubdf=old-v3-64.cow \
        ubdg=old-v2-64.cow
    check "the guest reads the disks as they are found" wait_for holds
    while_sibling_runs
    touch release
    check "the guest shuts down" end_guest
    check "the guest did all of its work" test -e found
    check "large reads of the mixed pages are wrong in the guest" differs "$composed" "$(result found-mixed.sum)"
    check "the guest refuses a touched backing file with the words of info" refuses found old-touched.cow
    check "the guest refuses a moved backing file with the words of info" refuses found old-moved.cow
    check "the guest refuses a v2 of a 64-bit host with the words of info" refuses found old-v2-64.cow
    check "the guest reads a v2" equal "$(sum_of old.raw)" "$(result found-e.sum)"
    check "the guest reads a v3 of a 64-bit host" equal "$(sum_of old.raw)" "$(result found-f.sum)"
}

differs() {
    [ -n "$2" ] && [ "$1" != "$2" ]
}

change_disks() {
    check "pages" "$cowtui" pages --yes pages.cow
    check "pages leaves no mixed page" equal 0 "$(bits_of pages.cow | cut -d ' ' -f 2)"
    check "compact" "$cowtui" compact --force=larger --yes compact.cow
    check "compact leaves 1616 dirty sectors and no mixed page" equal "1616 0" "$(bits_of compact.cow)"
    check "rebase --restamp" "$cowtui" rebase --restamp --yes old-touched.cow
    check "rebase --to" "$cowtui" rebase --to moved.img --yes old-moved.cow
    check "convert of a v2" "$cowtui" convert --to v3 -o new-v2.cow old-v2.cow
    check "convert of a v3 of a 64-bit host" "$cowtui" convert --to v3 -o new-v3-64.cow old-v3-64.cow
    check "convert of a v2 of a 64-bit host" "$cowtui" convert --to v3 -o new-v2-64.cow old-v2-64.cow
    ln -s old-touched.cow new-touched.cow
    ln -s old-moved.cow new-moved.cow
    check "no backing file was touched" backing_untouched
}

# Both are put on a backing file of their own first.
place() {
    check "rebase to a copy of the backing file" "$cowtui" rebase --to placed.img --yes placed.cow
    check "rebase of a sibling" "$cowtui" rebase --to placed.img --yes sibling.cow
    check "merge --in-place" "$cowtui" merge --in-place --yes placed.cow
    check "the backing file is the composed disk" equal "$composed" "$(sum_of placed.img)"
    check "the image is empty" equal "0 0" "$(bits_of placed.cow)"
    check "no other backing file was touched" backing_untouched
}

# Sector 5 of the converted v2 is written, too: the kernel takes the image for one of its own.
as_changed() {
    local name
    for name in pages.cow compact.cow placed.cow new-*.cow; do
        check "info says that UML will open $name" equal true "$(json "$name" .uml.opens)"
    done
    write_job changed <<'JOB'
for disk in b:pages c:compact d:placed; do
    dd if=/dev/ubd${disk%:*} bs=1M status=none | sha256sum | cut -d ' ' -f 1 >changed-${disk#*:}.sum
done
for disk in e:touched f:moved g:v2 h:v3-64 i:v2-64; do
    dd if=/dev/ubd${disk%:*} bs=512 iflag=direct status=none | sha256sum | cut -d ' ' -f 1 >changed-${disk#*:}.sum
done
head -c 512 /dev/zero | dd of=/dev/ubdg bs=512 seek=5 oflag=direct conv=notrunc status=none
dd if=/dev/ubdj of=/dev/null bs=512 count=1 iflag=direct status=none
touch changed
JOB
    guest changed ubdb=pages.cow ubdc=compact.cow ubdd=placed.cow ubde=new-touched.cow ubdf=new-moved.cow \
        ubdg=new-v2.cow ubdh=new-v3-64.cow ubdi=new-v2-64.cow ubdj=sibling.cow
    check "the guest did all of its work on the changed disks" test -e changed
}

right_in_guest() {
    local name
    for name in pages compact placed; do
        check "$name: large reads in the guest are right" equal "$composed" "$(result "changed-$name.sum")"
    done
    for name in "${old_disks[@]}"; do
        check "$name: the guest boots with it and sees the same disk" \
            equal "$(sum_of old.raw)" "$(result "changed-$name.sum")"
    done
    check "the guest refuses the sibling of a merged image with the words of info" refuses changed sibling.cow
    check "what the guest wrote into a converted image is there" written_sector
}

written_sector() {
    cp old.raw want.raw
    dd if=/dev/zero of=want.raw bs=512 seek=5 count=1 conv=notrunc status=none
    "$cowtui" merge -q -o got.raw new-v2.cow && cmp want.raw got.raw
}

unpack_disks
as_found
change_disks
place
as_changed
right_in_guest

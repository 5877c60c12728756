#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The world is open: other images, other names, and whoever else works on the same files.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# --force replaces a file, but not one on which another image lives, by whatever name.
others_base()
{
    small
    cp -p b.img base.img
    model make y.cow base.img 4096 3
    ln -s base.img soft.img
    ln base.img hard.img
    freeze x.cow y.cow b.img base.img
    for out in base.img soft.img hard.img; do
        run 3 merge -f -o $out x.cow
        has y.cow err
        run 3 resize -f --policy keep -o $out x.cow 1M
        run 3 convert --to v3 -f -o $out x.cow
        run 3 diff -f -o $out b.img b.img
        run 3 create -f $out b.img
    done
    unchanged "another image's backing file"
    mv y.cow elsewhere # also if that one is a link, or marked
    ln -s elsewhere y.cow
    run 3 merge -f -o base.img x.cow
    rm y.cow elsewhere hard.img soft.img
    run 0 merge -q -f -o base.img x.cow
}

hard_linked_base()
{
    small
    run 0 resize -n --policy extend x.cow 1M
    hasnt "hard link" out
    ln b.img second
    run 0 resize -n --policy extend x.cow 1M
    has "hard link" out
}

# The private copy is a disk, no program.
no_setuid()
{
    small
    chmod 6755 b.img
    chmod 755 x.cow
    run 0 resize -q -y --policy copy x.cow 1M
    eq 755 "$(stat -c %a x.cow.backing)" "mode of the private backing file"
}

# A change of another image on the same backing file is half done: nobody goes by its date.
half_done()
{
    small
    cp -p x.cow y.cow
    killed behind ftruncate b.img resize -y --policy extend x.cow 1M
    [ -e .x.cow.cowtui-journal ] || die "no journal"
    eq 1048576 "$(stat -c %s b.img)" "size of the backing file"
    [ "$(stat -c %Y b.img)" != 1049522828 ] || die "the backing file has its date"
    freeze x.cow y.cow b.img
    "$COWTUI" check --json y.cow >out 2>err
    hasnt restamp out
    hasnt "touch -d" out
    has "x.cow" out
    run 0 info y.cow
    hasnt "touch -d" out
    has "cowtui recover" out
    run 3 rebase -y --restamp y.cow
    has "x.cow" err
    "$COWTUI" check --repair -y y.cow >out 2>err
    unchanged "what a half done change of another image explains"
    run 0 recover -y x.cow
    run 0 info --json y.cow
    eq true "$(json .uml.opens)" "would UML open the other image"
}

# Until a new image is in place the old one has all of the disk: where its backing file has changed, it is kept.
changed_base()
{
    all_kinds
    before=$(state x.cow)
    killed at '/^link' .x.cow.cowtui-old compact -y x.cow
    eq "journal new" "$(names | grep -oE 'journal|new' | tr '\n' ' ' | sed 's/ $//')" "what the kill leaves"
    printf other | dd of=b.img bs=512 seek=16 conv=notrunc status=none
    run 0 recover -n x.cow
    has "has changed or moved since" out
    run 0 recover -y x.cow
    eq "$before" "$(state x.cow)" "the old image"
    eq "b.img x.cow " "$(names)" "names"
}

# Half merged, and then somebody writes: nobody gives that the date that says it is all right.
written_while_merged()
{
    small
    killed behind copy_file_range b.img merge -y --in-place x.cow
    [ -e .x.cow.cowtui-journal ] || die "no journal"
    printf other | dd of=b.img bs=512 seek=16 conv=notrunc status=none
    touch -d '+1 minute' b.img
    frozen_files=(x.cow b.img .x.cow.cowtui-journal .x.cow.cowtui-new)
    freeze "${frozen_files[@]}"
    run 3 recover -n x.cow
    has "b.img: was written or dated by somebody" err
    run 3 recover -y x.cow
    unchanged "what somebody has written"
    eval "$(grep -o 'touch -d @[0-9]* [^ ,]*' err)" || die "no advice that can be followed: $(cat err)"
    run 0 recover -y x.cow
    eq other "$(dd if=b.img bs=512 skip=16 count=1 status=none | head -c 5)" "what was written"
    run 0 info --json x.cow
    eq true "$(json .uml.opens)" "would UML open it"
}

# A backup has other inode numbers: what the merge had begun is not known again, and the image has all of it.
merge_from_a_backup()
{
    small
    want=$(model compose x.cow uml-cow-v3 b.img)
    killed behind copy_file_range b.img merge -y --in-place x.cow
    mkdir backup
    cp -p x.cow b.img .x.cow.cowtui-journal .x.cow.cowtui-new backup
    rm x.cow b.img .x.cow.cowtui-*
    mv backup/.x.cow* backup/* .
    run 0 recover -n x.cow
    has "the merge is given up: the image stays as it is" out
    freeze x.cow b.img
    run 0 recover -y x.cow
    unchanged "an image whose merge is given up"
    eq ".x.cow.cowtui-new b.img backup x.cow " "$(names)" "names" # of another number: not known for ours
    run 0 rebase -q -y --restamp x.cow # nor is it in the way
    eq "$want" "$(model compose x.cow uml-cow-v3 b.img)" "the disk"
}

# Of another backing file than the old one the new header has the date.
other_base_changes()
{
    small
    head -c 65536 /dev/zero | tr '\0' 'o' >other.img
    before=$(state x.cow b.img)
    killed at '/^link' .x.cow.cowtui-old rebase -y --safe --to other.img x.cow
    touch -d '2004-05-06 07:08:09 UTC' other.img
    run 0 recover -n x.cow
    has "has changed or moved since" out
    run 0 recover -y x.cow
    eq "$before" "$(state x.cow b.img)" "the old image"
    eq "b.img other.img x.cow " "$(names)" "names"
}

# The journal of an undo, under the name of undo data: there is no way back from that, but out of the way.
no_undo_data()
{
    small
    run 0 resize -q -y --policy extend x.cow 1M
    killed at pwrite64 x.cow undo -y x.cow
    mv .x.cow.cowtui-journal .x.cow.cowtui-undo
    freeze x.cow b.img
    run 5 undo -y x.cow
    has "about no change that could be undone" err
    run 0 undo -y --discard x.cow
    unchanged "undo data of another kind"
    [ ! -e .x.cow.cowtui-undo ] || die "it is not removed"
}

# It would be found in the way when all else is done.
in_recoverys_way()
{
    small
    killed at '/^link' .x.cow.cowtui-old resize -y --policy extend x.cow 32M
    mkdir .x.cow.cowtui-undo
    freeze x.cow b.img .x.cow.cowtui-journal .x.cow.cowtui-new
    run 3 recover -n x.cow
    run 3 recover -y x.cow
    has ".x.cow.cowtui-undo: in the way" err
    unchanged "all that recovery would change"
    rmdir .x.cow.cowtui-undo
    run 0 recover -y x.cow
}

# Another name of the image would still be the new one, on a backing file that is cut.
undo_of_one_name()
{
    small
    before=$(state x.cow b.img)
    run 0 resize -q -y --policy extend x.cow 32M
    ln x.cow second
    freeze x.cow b.img .x.cow.cowtui-undo
    run 3 undo -y x.cow
    has "names (hard links)" err
    unchanged "an image with two names"
    rm second
    run 0 undo -q -y x.cow
    eq "$before" "$(state x.cow b.img)" "the old image"

    run 0 resize -q -y --policy copy x.cow 32M # this one needs nothing of ours
    ln x.cow second
    run 0 undo -q -y x.cow
    [ -e x.cow.backing ] || die "the private backing file is gone, and second lives on it"
    run 0 info --json second
    eq true "$(json .uml.opens)" "would UML open the other name"

    rm second x.cow.backing
    run 0 resize -q -y --policy copy x.cow 1M # in place, so all names go back
    ln x.cow second
    run 0 undo -q -y x.cow
    [ ! -e x.cow.backing ] || die "a private backing file is left over"
}

# A directory that was copied by hard links: what is changed in place would be changed in both.
undo_in_a_copy()
{
    small
    run 0 resize -q -y --policy extend x.cow 1M
    mkdir copy
    ln x.cow copy/x.cow
    mv .x.cow.cowtui-undo copy
    freeze x.cow b.img copy/.x.cow.cowtui-undo
    run 3 undo -y copy/x.cow
    has "is a copy" err
    unchanged "an image and its other name"
    mv copy/.x.cow.cowtui-undo .
    run 0 undo -q -y x.cow
}

t "world: another image's backing file as an output" others_base
t "world: a backing file with two names" hard_linked_base
t "world: a private copy of a setuid file" no_setuid
t "world: half a change of another image" half_done
t "world: the backing file changes while a change waits" changed_base
t "world: somebody writes into a half merged file" written_while_merged
t "world: something in recovery's way" in_recoverys_way
t "world: undo, and another name of the image" undo_of_one_name
t "world: undo in a copy by hard links" undo_in_a_copy
t "world: half a merge from a backup" merge_from_a_backup
t "world: the other backing file changes while a rebase waits" other_base_changes
t "world: undo data that is none" no_undo_data

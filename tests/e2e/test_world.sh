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

t "world: another image's backing file as an output" others_base
t "world: a backing file with two names" hard_linked_base
t "world: a private copy of a setuid file" no_setuid
t "world: half a change of another image" half_done

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Is a record about this image? Directories that were moved, copied, restored or made of links.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# d/x.cow on d/b.img (or e/b.img), with a record of WHAT.
made() # WHAT SIZE [POLICY [BACKING]]
{
    mkdir d e
    cd d || die "no directory"
    small
    if [ "${4:-b.img}" != b.img ]; then
        mv b.img "$4"
        run 0 rebase -q -y --to "$4" x.cow
        run 0 undo -y --discard x.cow
    fi
    if [ "$1" = journal ]; then
        killed at ftruncate x.cow resize -y --policy "${3:-extend}" x.cow "$2"
        eq 77824 "$(stat -c %s x.cow)" "size of the image's file, which nothing was done to yet"
        end="recover -y"
    else
        run 0 resize -q -y --policy "${3:-extend}" x.cow "$2"
        end="undo -y"
    fi
    [ -e ".x.cow.cowtui-$1" ] || die "no record: $(names)"
    rm -f out err jq.err
    cd ..
}

moved()
{
    made "$@"
    mv d moved
    # shellcheck disable=SC2086 # it is words
    run 0 $end moved/x.cow
    eq 65536 "$(stat -c %s moved/b.img)" "size of the backing file"
    [ -z "$(find . -name '.*cowtui*')" ] || die "something is left: $(find . -name '.*cowtui*')"
    run 0 info --json -b moved/b.img moved/x.cow
    eq 65536 "$(json .size_bytes)" "size of the disk"
}

# The image alone was renamed, with what belongs to it.
renamed()
{
    made undo "$1"
    mv d/x.cow d/y.cow
    mv d/.x.cow.cowtui-undo d/.y.cow.cowtui-undo
    run 0 undo -y d/y.cow
    eq 65536 "$(stat -c %s d/b.img)" "size of the backing file"
}

copied() # WHAT SIZE HOW
{
    made "$1" "$2"
    case $3 in
    copy) cp -a d copy ;;
    links) cp -al d copy ;;
    esac
    freeze d/x.cow d/b.img "d/.x.cow.cowtui-$1" copy/x.cow copy/b.img "copy/.x.cow.cowtui-$1"
    # shellcheck disable=SC2086 # it is words
    run 3 $end copy/x.cow
    if [ "$3" = copy ]; then
        has "is a copy" err
        has "$PWD/d/x.cow" err
    else
        has "2 names" err
    fi
    "$COWTUI" check copy/x.cow >out 2>err
    [ "$1" != journal ] || "$COWTUI" check --repair -y copy/x.cow >out 2>err
    unchanged "acting in a copy"
    if [ "$3" = links ]; then
        rm -r copy
    elif [ "$1" = undo ]; then
        run 0 undo -y --discard copy/x.cow # that is the copy's own
    fi
    # shellcheck disable=SC2086
    run 0 $end d/x.cow
    eq 65536 "$(stat -c %s d/b.img)" "size of the original's backing file"
    # What is left of the copy is one that was moved.
    if [ "$1 $3" = "journal copy" ]; then
        rm -rf d
        run 0 recover -y copy/x.cow
        eq 65536 "$(stat -c %s copy/b.img)" "size of the copy's backing file"
    fi
}

# A backing file elsewhere: at home the header names it; once the image has been moved, only the user can.
elsewhere() # WHAT SIZE
{
    made "$1" "$2" extend "$PWD/e/b.img"
    mv d moved
    freeze moved/x.cow e/b.img "moved/.x.cow.cowtui-$1"
    # shellcheck disable=SC2086
    run 3 $end moved/x.cow
    has "$PWD/e/b.img" err
    has "-b" err
    unchanged "the backing file elsewhere"
    # shellcheck disable=SC2086
    run 0 $end -b e/b.img moved/x.cow
    eq 65536 "$(stat -c %s e/b.img)" "size of the backing file"
}

at_home()
{
    made "$1" "$2" extend "$PWD/e/b.img"
    # shellcheck disable=SC2086
    run 0 $end d/x.cow
    eq 65536 "$(stat -c %s e/b.img)" "size of the backing file"
}

# The name beside the image leads elsewhere by now.
linked_away()
{
    made "$1" "$2"
    mv d/b.img e/b.img
    ln -s ../e/b.img d/b.img
    freeze d/x.cow e/b.img
    # shellcheck disable=SC2086
    run 3 $end d/x.cow
    unchanged "a backing file that is a link by now"
}

# The private backing file of a change, where the image has been moved: what is elsewhere is kept.
private_copy() # PATH KEPT
{
    mkdir d e
    cd d || die "no directory"
    small
    run 0 resize -q -y --policy "copy:$1" x.cow 1M
    rm -f out err jq.err
    cd ..
    mv d moved
    run 0 undo -y moved/x.cow
    eq "$2" "$(find . -name private | wc -l)" "private backing files"
}

# The undo data is nobody else's to write, and the image gets its mode back.
undo_mode()
{
    small
    chmod 664 x.cow
    run 0 resize -q -y --policy extend x.cow "$1"
    eq 600 "$(stat -c %a .x.cow.cowtui-undo)" "mode of the undo data"
    eq 664 "$(stat -c %a x.cow)" "mode of the image"
    run 0 undo -q -y x.cow
    eq 664 "$(stat -c %a x.cow)" "mode of the image, undone"
}

for record in "journal 1M" "undo 1M" "undo 32M"; do
    read -r what size <<<"$record"
    t "moved: the directory, $record" moved "$what" "$size"
    t "moved: a copy, $record" copied "$what" "$size" copy
    t "moved: a copy made of links, $record" copied "$what" "$size" links
    t "moved: a backing file elsewhere, $record" elsewhere "$what" "$size"
    t "moved: a backing file elsewhere, at home, $record" at_home "$what" "$size"
    t "moved: a backing file that is a link by now, $record" linked_away "$what" "$size"
done
t "moved: the image's name, header" renamed 1M
t "moved: the image's name, copy" renamed 32M
t "moved: a private backing file beside it" private_copy private 0
t "moved: a private backing file elsewhere" private_copy ../e/private 1
t "moved: mode of the undo data, header" undo_mode 1M
t "moved: mode of the undo data, copy" undo_mode 32M

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# undo: after it all is as it was, byte for byte and to the nanosecond; and it is refused where that would lose
# something. (That it takes back every variant's growth is in test_resize.sh.)
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# By header (to 1M) and by copy (to 32M), by each policy.
takes_back() # POLICY SIZE METHOD
{
    small
    run 0 resize -n --json --policy "$1" x.cow "$2"
    eq "$3" "$(json .method)" method
    has "cowtui undo" out
    freeze x.cow b.img
    run 0 resize -q -y --policy "$1" x.cow "$2"
    [ "$(state x.cow b.img)" != "$frozen" ] || die "nothing was changed"
    state x.cow b.img .x.cow.cowtui-undo >before
    run 0 undo -n x.cow
    has "cowtui undo x.cow" out
    run 0 undo -n --json x.cow
    eq undo "$(json .operation)" operation
    eq "$3" "$(json .method)" "method of what is undone"
    run 3 undo x.cow # no terminal
    has terminal err
    state x.cow b.img .x.cow.cowtui-undo | diff before - >difference || die "looking changed $(cat difference)"
    rm before difference
    run 0 undo -y x.cow
    unchanged "grown and undone"
    eq "b.img x.cow " "$(names)" files
    run 3 undo -y x.cow
    has "nothing to undo" err
    run 0 info --json x.cow
    eq true "$(json .uml.opens)" "would UML open it"
}

# A file that ends with its bitmap, as kernels leave it before the first write: that the new bits are in the place of its
# data, which it has not yet, is no reason to refuse.
takes_back_a_short_file()
{
    small
    model make x.cow b.img 4096 0
    truncate -s "$($COWTUI info --json x.cow | jq '.layout.bitmap_offset + .layout.bitmap_bytes')" x.cow
    freeze x.cow b.img
    run 0 resize -q -y --policy keep x.cow 1M
    run 0 undo -q -y x.cow
    unchanged "a short file, grown and undone"
}

# Each undo goes one change back, and only one.
chain()
{
    local middle
    small
    run 0 resize -q -y --policy extend x.cow 1M
    middle=$(state x.cow b.img)
    for size in 2M 32M; do
        run 0 resize -q -y --policy extend x.cow $size
        run 0 undo -q -y x.cow
        eq "$middle" "$(state x.cow b.img)" "back from $size"
        run 3 undo -q -y x.cow
    done
    # What is redone is the same.
    run 0 resize -q -y --policy extend x.cow 32M
    run 0 info --json x.cow
    eq "33554432 true" "$(json '"\(.size_bytes) \(.uml.opens)"')" "size, and would UML open it"
}

# The last change may be one of the backing file alone: keep has made the image larger, extend lets that follow.
backing_only()
{
    small
    run 0 resize -q -y --policy keep x.cow 1M
    freeze x.cow b.img
    run 0 resize -n --json --policy extend x.cow 1M
    eq backing-only "$(json .method)" method
    run 0 resize -q -y --policy extend x.cow 1M
    eq 1048576 "$(stat -c %s b.img)" "size of the backing file"
    run 0 undo -q -y x.cow
    unchanged "a longer backing file, undone"
    run 3 undo -q -y x.cow
}

# After each of these going back would lose something.
refused() # SIZE
{
    small
    cp -p b.img b.old && cp -p x.cow x.old
    for change in image backing copy; do
        cp -p b.old b.img && cp -p x.old x.cow
        case $change in
        image | backing) run 0 resize -q -y --policy extend x.cow "$1" ;;
        copy) run 0 resize -q -y --policy copy x.cow "$1" ;;
        esac
        case $change in
        image) printf '\001' | dd of=x.cow bs=1 seek=$(($(stat -c %s x.cow) - 1)) conv=notrunc status=none ;;
        backing) printf b | dd of=b.img bs=1 conv=notrunc status=none ;;
        copy) printf B | dd of=x.cow.backing bs=1 conv=notrunc status=none ;;
        esac
        freeze b.img x.cow .x.cow.cowtui-undo x.cow.backing
        run 3 undo -y x.cow
        has "changed since" err
        has "--discard" err
        run 3 undo -n x.cow
        unchanged "undo of a changed $change"
        run 3 undo --discard x.cow # no terminal
        run 0 undo -n --discard x.cow
        has "remove the undo data" out
        unchanged "asking for --discard"
        freeze b.img x.cow x.cow.backing
        run 0 undo -y --discard x.cow
        unchanged --discard
        [ ! -e .x.cow.cowtui-undo ] || die "the undo data is still there"
        run 3 undo -y x.cow
        run 3 undo -y --discard x.cow
        has "nothing to undo" err
        rm -f x.cow.backing
    done
}

# A file of that name that is none of ours, or not whole, is not obeyed.
strange()
{
    small
    run 0 resize -q -y --policy extend x.cow 1M
    mv .x.cow.cowtui-undo saved.json # a name that the tests do not count
    for kind in empty garbage cut longer bit directory link; do
        rm -rf .x.cow.cowtui-undo
        case $kind in
        empty) : >.x.cow.cowtui-undo ;;
        garbage) head -c 2000 /dev/urandom >.x.cow.cowtui-undo ;;
        cut) head -c -1 saved.json >.x.cow.cowtui-undo ;;
        longer) (cat saved.json && echo) >.x.cow.cowtui-undo ;;
        bit) cp saved.json .x.cow.cowtui-undo && model poke .x.cow.cowtui-undo 60 ff ;;
        directory) mkdir .x.cow.cowtui-undo ;;
        link) ln -s saved.json .x.cow.cowtui-undo ;;
        esac
        freeze x.cow b.img saved.json
        case $kind in
        directory | link) run 2 undo -y x.cow ;;
        *) run 5 undo -y x.cow ;;
        esac
        has .x.cow.cowtui-undo err
        unchanged "undo data that is strange ($kind)"
        run 0 info --json x.cow
        eq null "$(json .pending)" pending
    done
    rm .x.cow.cowtui-undo
    # That of another image.
    cp -p x.cow y.cow
    cp -p saved.json .y.cow.cowtui-undo
    freeze x.cow y.cow b.img
    run 3 undo -y y.cow
    unchanged "the undo data of another image"
    mv saved.json .x.cow.cowtui-undo
    run 0 undo -q -y x.cow
}

# By copy the old image is the undo data: no kernel goes on with it by mistake.
kept_is_marked()
{
    small
    run 0 resize -q -y --policy copy x.cow 32M
    run 0 info --json .x.cow.cowtui-undo
    eq false "$(json .uml.opens)" "would UML open what is kept for undo"
    [ "$(json .pending)" != null ] || die "the mark is not told"
    run 5 map .x.cow.cowtui-undo
    run 5 merge -o raw .x.cow.cowtui-undo
    run 5 resize -y --policy copy .x.cow.cowtui-undo 64M
    run 0 undo -q -y x.cow
    run 0 map x.cow
}

# Through a symbolic link the files beside the image itself count.
through_link()
{
    small
    mkdir real
    mv x.cow real/
    ln -s real/x.cow link.cow
    freeze real/x.cow b.img link.cow
    for size in 1M 32M; do
        run 0 resize -q -y --policy extend link.cow $size
        eq "b.img link.cow real " "$(names)" "files beside the link"
        run 0 undo -q -y link.cow
        unchanged "grown and undone through a link"
    done
}

# The only whole copy of the disk is not thrown away: the backing file of then is gone, or another one.
needs_the_base()
{
    small
    head -c 65536 /dev/zero | tr '\0' 'o' >o.img
    touch -r b.img o.img
    run 0 rebase -q -y --safe --to o.img x.cow
    cp -p b.img b.old
    for how in gone touched written; do
        cp -p b.old b.img
        case $how in
        gone) rm b.img ;;
        touched) touch b.img ;;
        written) printf x | dd of=b.img bs=1 conv=notrunc status=none ;;
        esac
        freeze x.cow o.img .x.cow.cowtui-undo
        run 3 undo -y x.cow
        has b.img err
        unchanged "undo with a base that is $how"
    done
    cp -p b.old b.img
    run 0 undo -y x.cow
}

# Another file with the size and the date of then may be a copy of it: it is said, also where that is what is cut.
another_base()
{
    local words=$1
    small
    cp -p b.img b.old
    # shellcheck disable=SC2086 # words
    run 0 $words -q -y
    run 0 undo -n x.cow
    hasnt "another file" out
    cp -p b.img b.copy && mv b.copy b.img
    run 0 undo -n x.cow
    has "the backing file $PWD/b.img is another file than then" <(tr -s ' \n' ' ' <out)
    run 0 undo -y --json x.cow
    has "is another file than then" out
    eq 0 "$(cmp b.old b.img; echo $?)" "difference of the backing files"
    eq "$(stat -c '%s %y' b.old)" "$(stat -c '%s %y' b.img)" "size and date of the backing file"
}

# What will be cut is named: the record's file, also where the image is shown with another one.
names_what_is_cut()
{
    small
    run 0 resize -q -y --policy extend x.cow 1M
    cp -p b.img other.img
    run 0 undo -n --json -b other.img x.cow
    has "$PWD/b.img" <(json .backing)
}

for policy in extend copy keep; do
    t "undo: $policy, header" takes_back $policy 1M header
    t "undo: $policy, copy" takes_back $policy 32M copy
done
t "undo: a file that ends with its bitmap" takes_back_a_short_file
t "undo: one change at a time" chain
t "undo: the backing file alone" backing_only
t "undo: refused after a header growth" refused 1M
t "undo: refused after a copy" refused 32M
t "undo: strange undo data" strange
t "undo: what is kept is marked" kept_is_marked
t "undo: through a link" through_link
t "undo: the backing file of then" needs_the_base
t "undo: another backing file of then, which was read" another_base "pages x.cow"
t "undo: another backing file of then, which was lengthened" another_base "resize --policy extend x.cow 1M"
t "undo: what is cut is named" names_what_is_cut

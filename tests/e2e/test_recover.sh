#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A change that was cut off: looking goes on and tells of it, changing waits, recover finishes it or takes it back.
# (A kill at every call is what tests/crash does; here are a few moments, and all that is said and refused then.)
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# killed, and that left the files that it should: PLACE is what there is besides x.cow and b.img, then how long b.img
# is, and the disk by x.cow's header.
cut_off() # PLACE HOW CALL FILE ARGUMENTS...
{
    local place=$1 there
    shift
    killed "$@"
    there=$(names | sed -E 's/\.?x\.cow\.//g; s/cowtui-//g; s/(^| )(b\.img|x\.cow)//g; s/^ //')
    there+=$(stat -c %s b.img | numfmt --to=iec),$(od -An -t u8 --endian=big -j 12 -N 8 x.cow | tr -d ' ' | numfmt --to=iec)
    eq "$place" "$there" "what $4 leaves, killed $1 $2 of $3"
}

# Name, policy, size, how and at which call on which file it is killed, the place, what recover does with it, whether
# undo takes back the rest. renameat2 is what refuses to replace.
moments='
copy, while data are copied         |copy   |32M |at     |copy_file_range |.x.cow.cowtui-new         |journal new backing 64K,64K     |back
copy, private backing file          |copy   |32M |at     |renameat2       |.x.cow.backing.cowtui-new |backing.new journal new 64K,64K |back
copy, before the rename             |extend |32M |at     |/^link          |.x.cow.cowtui-old         |journal new 32M,64K             |forward |undo
copy, after the rename              |extend |32M |at     |/^rename(at)?$  |.x.cow.cowtui-old         |journal old 32M,32M             |forward |undo
header, while it is prepared        |extend |1M  |at     |ftruncate       |x.cow                     |journal 64K,64K                 |back
header, private backing file        |copy   |1M  |at     |renameat2       |.x.cow.backing.cowtui-new |backing.new journal 64K,64K     |back
header, the backing file lengthened |extend |1M  |behind |ftruncate       |b.img                     |journal 1.0M,64K                |back
header, written but not dated       |extend |1M  |behind |pwrite64        |x.cow                     |journal 1.0M,1.0M               |forward |no
header, kept, before the end        |keep   |1M  |at     |/^rename(at)?$  |.x.cow.cowtui-journal     |journal 64K,1.0M                |forward |undo
header, before the end              |extend |1M  |at     |/^rename(at)?$  |.x.cow.cowtui-journal     |journal 1.0M,1.0M               |forward |undo
'

# State but for the date of an image that was changed in place: a guest may have written to it since.
content()
{
    state x.cow b.img | if [ "$1" = header ]; then sed -E 's/^(x.cow regular file [0-9]+) [^ ]+ [^ ]+ [^ ]+/\1/'; else cat; fi
}

interrupted() # METHOD POLICY SIZE HOW CALL FILE PLACE DIRECTION [UNDO]
{
    local method=$1 policy=$2 size=$3 direction=$8 undo=${9:-undo} before bytes
    bytes=$(numfmt --from=iec "$size")
    small
    before=$(content "$method")
    cut_off "$7" "$4" "$5" "$6" resize -y --policy "$policy" x.cow "$size"

    # Looking tells of it, and does nothing.
    mapfile -t files < <(find . -maxdepth 1 -type f -name '*x.cow*')
    freeze "${files[@]}" b.img
    run 0 info --json x.cow
    has interrupted <(json .pending)
    run 0 info x.cow
    has "cowtui recover" out
    run 0 map x.cow
    unchanged looking

    # Changing waits.
    for policy in extend copy keep; do
        run 3 resize -y -f --policy $policy x.cow 64M
        has interrupted err
        has "cowtui recover x.cow" err
        run 3 resize -y --policy $policy x.cow 64M
        has interrupted err
    done
    run 3 undo -y x.cow
    run 3 recover x.cow # no terminal
    has terminal err
    run 0 recover -n x.cow
    run 0 recover -n --json x.cow
    eq "recover $direction" "$(json '"\(.operation) \(.method)"')" "what recover would do"
    unchanged "what is refused"

    run 0 recover -y x.cow
    run 3 recover -y x.cow
    has "nothing to recover" err
    run 0 info --json x.cow
    eq null "$(json .pending)" pending
    [ "$policy $direction" = "keep forward" ] || eq true "$(json .uml.opens)" "would UML open it"
    if [ "$direction" = back ]; then
        eq "$before" "$(content "$method")" "what recover has taken back"
        eq "b.img x.cow " "$(names)" "files after recover"
        before=$(content none)
        run 0 resize -q -y --policy "$policy" x.cow "$size"
        run 0 info --json x.cow
    fi
    eq "$bytes" "$(json .size_bytes)" "size in the end"
    if [ "$undo" = undo ]; then
        run 0 undo -q -y x.cow
        eq "$before" "$(content "$([ "$direction" = back ] || echo "$method")")" "what undo leaves in the end"
        eq "b.img x.cow " "$(names)" "files after undo"
    else # who knows whether a guest has written to it in between
        run 3 undo -q -y x.cow
        run 0 undo -q -y --discard x.cow
    fi
}

# An undo that was cut off is finished.
undo_interrupted() # METHOD SIZE CALL FILE PLACE
{
    local method=$1 before
    small
    before=$(content "$method")
    run 0 resize -q -y --policy extend x.cow "$2"
    cut_off "$5" at "$3" "$4" undo -y x.cow
    run 0 info --json x.cow
    has interrupted <(json .pending)
    run 3 undo -y x.cow
    run 3 resize -y --policy keep x.cow 64M
    run 0 recover -q -y x.cow
    eq "$before" "$(content "$method")" "an undo that was cut off, and recovered"
    eq "b.img x.cow " "$(names)" files
}

# The image was copied to, or moved from, its place in between: the journal is not obeyed.
another_image()
{
    small
    cut_off 'journal 64K,64K' at ftruncate x.cow resize -y --policy extend x.cow 1M
    cp -p x.cow y.cow
    cp -p .x.cow.cowtui-journal .y.cow.cowtui-journal
    freeze x.cow y.cow b.img .x.cow.cowtui-journal .y.cow.cowtui-journal
    run 3 recover -y y.cow
    has "is a copy" err
    has "$PWD/x.cow" err
    has .y.cow.cowtui-journal err
    unchanged "another image's journal"
    run 0 recover -q -y x.cow
}

strange_journal()
{
    small
    cut_off 'journal 64K,64K' at ftruncate x.cow resize -y --policy extend x.cow 1M
    mv .x.cow.cowtui-journal saved.json # a name that the tests do not count
    for kind in empty garbage cut longer bit directory link; do
        rm -rf .x.cow.cowtui-journal
        case $kind in
        empty) : >.x.cow.cowtui-journal ;;
        garbage) head -c 2000 /dev/urandom >.x.cow.cowtui-journal ;;
        cut) head -c -1 saved.json >.x.cow.cowtui-journal ;;
        longer) (cat saved.json && echo) >.x.cow.cowtui-journal ;;
        bit) cp saved.json .x.cow.cowtui-journal && model poke .x.cow.cowtui-journal 60 ff ;;
        directory) mkdir .x.cow.cowtui-journal ;;
        link) ln -s saved.json .x.cow.cowtui-journal ;;
        esac
        freeze x.cow b.img saved.json
        case $kind in
        directory | link) run 2 recover -y x.cow ;;
        *) run 5 recover -y x.cow ;;
        esac
        has .x.cow.cowtui-journal err
        run 3 resize -y --policy extend x.cow 1M
        unchanged "a strange journal ($kind)"
        run 0 info --json x.cow
        has interrupted <(json .pending)
    done
    rm .x.cow.cowtui-journal
    mv saved.json .x.cow.cowtui-journal
    run 0 recover -q -y x.cow
}

# It may be another cowtui that is changing it this moment, or a guest that has been started since.
in_use()
{
    small
    cut_off 'journal 64K,64K' at ftruncate x.cow resize -y --policy extend x.cow 1M
    freeze x.cow b.img .x.cow.cowtui-journal
    for file in x.cow b.img; do
        hold write $file
        run 4 recover -y x.cow
        has "pid $holder" err
        unchanged "recover with $file in use"
        let_go
    done
    run 0 recover -q -y x.cow
}

# What a kill leaves before there is a journal is in nobody's way.
left_overs()
{
    small
    for name in new journal-new old; do
        echo left >.x.cow.cowtui-$name
    done
    run 0 info --json x.cow
    eq null "$(json .pending)" pending
    run 0 resize -q -y --policy extend x.cow 32M
    eq ".x.cow.cowtui-undo b.img x.cow " "$(names)" files
    run 0 undo -q -y x.cow
}

while IFS='|' read -r name policy size how call file place direction undo; do
    [ -n "$name" ] || continue
    place=${place%"${place##*[! ]}"}
    # shellcheck disable=SC2086 # words, with spaces around them
    t "recover: ${name%"${name##*[! ]}"}" interrupted "${name%%,*}" $policy $size $how $call $file "$place" $direction $undo
done <<<"$moments"
t "recover: undo by copy, before the old image has its name" \
    undo_interrupted copy 32M '/^rename(at)?$' .x.cow.cowtui-undo 'journal undo 64K,32M'
t "recover: undo by copy, after it" undo_interrupted copy 32M /^unlink .x.cow.cowtui-journal 'journal 64K,64K'
t "recover: undo in place, the header is back" undo_interrupted header 1M ftruncate x.cow 'journal undo 1.0M,64K'
t "recover: undo in place, the backing file is short" \
    undo_interrupted header 1M /^unlink .x.cow.cowtui-undo 'journal undo 64K,64K'
t "recover: another image" another_image
t "recover: in use" in_use
t "recover: a strange journal" strange_journal
t "recover: left-overs" left_overs

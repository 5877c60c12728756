#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A change that was cut off: looking goes on and tells of it, changing waits, recover finishes it or takes it back.
# (A kill at every call is what tests/crash does; here are a few moments, and all that is said and refused then.)
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# cut_off CALL N ARGUMENTS...: cowtui, killed as it enters its Nth call of that kind.
cut_off()
{
    local call=$1 n=$2
    shift 2
    can_trace
    # The shell that tells of the kill is not shown.
    { strace -f -qq -o /dev/null -e "trace=$call,?${call}64" -e "inject=$call,?${call}64:signal=KILL:when=$n" "$COWTUI" "$@" >out 2>err; } 2>/dev/null
    eq 137 $? "exit code of $* killed at $call $n"
    [ -e .x.cow.cowtui-journal ] || die "no journal after a kill at $call $n: $(names)"
}

# Name, policy, size, the call and its number, what recover does with it, whether undo takes back the rest. renameat2
# is what refuses to replace: a private backing file gets its name by it, the journal by the first rename. utimensat is tried
# first on a file that is made for the trial, on each file that will be written, and on the draft of the journal; the
# first link is a trial, too.
moments='
copy, while data are copied         |copy   |32M |copy_file_range  |2 |back
copy, private backing file          |copy   |32M |renameat2        |1 |back
copy, before the rename             |extend |32M |/^link           |2 |forward |undo
copy, after the rename              |extend |32M |/^rename(at)?$   |3 |forward |undo
header, while it is prepared        |extend |1M  |ftruncate        |1 |back
header, private backing file        |copy   |1M  |renameat2        |1 |back
header, the backing file lengthened |extend |1M  |utimensat        |6 |back
header, written but not dated       |keep   |1M  |utimensat        |4 |forward |no
header, before the end              |extend |1M  |/^rename(at)?$   |2 |forward |undo
'

# State but for the date of an image that was changed in place: a guest may have written to it since.
content()
{
    state x.cow b.img | if [ "$1" = header ]; then sed -E 's/^(x.cow regular file [0-9]+) [^ ]+ [^ ]+ [^ ]+/\1/'; else cat; fi
}

interrupted() # METHOD POLICY SIZE CALL N DIRECTION [UNDO]
{
    local method=$1 before bytes
    shift
    bytes=$(numfmt --from=iec "$2")
    small
    before=$(content "$method")
    cut_off "$3" "$4" resize -y --policy "$1" x.cow "$2"

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
    eq "recover $5" "$(json '"\(.operation) \(.method)"')" "what recover would do"
    unchanged "what is refused"

    run 0 recover -y x.cow
    run 3 recover -y x.cow
    has "nothing to recover" err
    run 0 info --json x.cow
    eq null "$(json .pending)" pending
    [ "$1 $5" = "keep forward" ] || eq true "$(json .uml.opens)" "would UML open it"
    if [ "$5" = back ]; then
        eq "$before" "$(content "$method")" "what recover has taken back"
        eq "b.img x.cow " "$(names)" "files after recover"
        before=$(content none)
        run 0 resize -q -y --policy "$1" x.cow "$2"
        run 0 info --json x.cow
    fi
    eq "$bytes" "$(json .size_bytes)" "size in the end"
    if [ "${6:-undo}" = undo ]; then
        run 0 undo -q -y x.cow
        eq "$before" "$(content "$([ "$5" = back ] || echo "$method")")" "what undo leaves in the end"
        eq "b.img x.cow " "$(names)" "files after undo"
    else # who knows whether a guest has written to it in between
        run 3 undo -q -y x.cow
        run 0 undo -q -y --discard x.cow
    fi
}

# An undo that was cut off is finished.
undo_interrupted() # SIZE CALL N METHOD
{
    local method=$4 before
    small
    before=$(content "$method")
    run 0 resize -q -y --policy extend x.cow "$1"
    cut_off "$2" "$3" undo -y x.cow
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
    cut_off ftruncate 1 resize -y --policy extend x.cow 1M
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
    cut_off ftruncate 1 resize -y --policy extend x.cow 1M
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
    cut_off ftruncate 1 resize -y --policy extend x.cow 1M
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

while IFS='|' read -r name rest; do
    [ -n "$name" ] || continue
    read -ra words < <(echo "${name%%,*} ${rest//|/ }")
    t "recover: ${name%%"${name##*[! ]}"}" interrupted "${words[@]}"
done <<<"$moments"
t "recover: undo by copy, before the old image has its name" undo_interrupted 32M '/^rename(at)?$' 2 copy
t "recover: undo by copy, after it" undo_interrupted 32M "/^unlink" 2 copy
t "recover: undo in place, the header is back" undo_interrupted 1M ftruncate 1 header
t "recover: undo in place, the backing file is short" undo_interrupted 1M "/^unlink" 2 header
t "recover: another image" another_image
t "recover: in use" in_use
t "recover: a strange journal" strange_journal
t "recover: left-overs" left_overs

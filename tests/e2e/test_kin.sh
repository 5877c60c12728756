#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# All images on a backing file changed as one: resize --family, its undo, and recovery from any of them, wherever it is
# cut off: all old or all new.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

new_size=327680
# Of the places where a change is killed, or a call fails, make test has the first three and then every third, make more all.
case ${LEVEL:-test} in check | test) stride=3 ;; *) stride=1 ;; esac

# Members 1 and 3 grow by header, 2 and 4 by copy; 3 lies in another directory, 4 is a v1, 5 names it relatively.
made() # HOW_MANY
{
    head -c 65536 /dev/urandom >b.img
    touch -d '2003-04-05 06:07:08 UTC' b.img
    mkdir sub
    model make m1.cow b.img 4096 0,7-9,127
    [ "$1" -lt 2 ] || model make m2.cow b.img 32 1-8,64
    [ "$1" -lt 3 ] || model make sub/m3.cow b.img 4096 5
    [ "$1" -lt 4 ] || { model make m4.cow b.img 4096 3,100-127 && model as m4.cow uml-cow-v3 uml-cow-v1 m4.v1 &&
        mv m4.v1 m4.cow; }
    [ "$1" -lt 5 ] || { model make m5.cow b.img 4096 12-40 &&
        model poke m5.cow 32 "$(printf 'b.img' | od -An -v -tx1 | tr -d ' \n')00"; }
    members=()
    local m
    for m in m1.cow m2.cow sub/m3.cow m4.cow m5.cow; do
        [ ! -e $m ] || members+=("$m")
    done
    files=(b.img "${members[@]}")
    old=$(facts "${files[@]}")
    old_disks=$(disks old)
}

# What recovery may not change, but for the dates of images, by which later writes are noticed.
facts()
{
    local file
    for file; do
        echo "$file $(stat -c %s "$file") $(sha "$file")"
    done
    stat -c %Y b.img
}

variant_of()
{
    if [ "$2" = old ] && [ "$1" = m4.cow ]; then echo uml-cow-v1; else echo uml-cow-v3; fi
}

# disks old|new: the composed disk of each, as far as the old one goes.
disks()
{
    local m
    for m in "${members[@]}"; do
        echo "$m $(model compose "$m" "$(variant_of "$m" "$1")" b.img $new_size)"
    done
}

grow()
{
    "$program" resize --family --yes --quiet --in sub m1.cow $new_size
}

# all_new: each has the new size, the disk is what it was and zeros, and a kernel opens it.
all_new()
{
    local m
    for m in "${members[@]}"; do
        run 0 info --json -b b.img "$m"
        [ "$(json .size_bytes)" = $new_size ] || return 1
        eq true "$(json .uml.opens)" "would UML open $m"
        eq null "$(json .pending)" "pending at $m"
    done
    [ "$(stat -c %s b.img)" = $new_size ] || return 1
    eq "$old_disks" "$(disks new)" "the disks"
    eq "$(date -d '2003-04-05 06:07:08 UTC' +%s)" "$(stat -c %Y b.img)" "the backing file's date"
}

left()
{
    find . -name '.*cowtui*' ! -name '*undo' | sort | tr '\n' ' '
}

several() # HOW_MANY
{
    made "$1"
    local m
    for m in "${members[@]}"; do
        run 0 resize --family --yes --quiet --in sub "$m" $new_size
        all_new || die "not all are new, grown by $m"
        eq '' "$(left)" "what is left"
        [ -e .b.img.cowtui-family-undo ] || die "nothing undoes it for all"
        run 0 undo -y -q "${members[-1]}"
        eq "$old" "$(facts "${files[@]}")" "what undo leaves"
        [ -z "$(find . -name '.*cowtui*')" ] || die "undo leaves $(find . -name '.*cowtui*')"
    done
}

# Members go in place, but for a v1, which is not changed where it lies.
in_place()
{
    made 5
    run 3 resize --family --yes --quiet --in-place --in sub m1.cow $new_size
    has m4.cow err
    eq "$old" "$(facts "${files[@]}")" "after what was refused"
    rm m4.cow
    members=(m1.cow m2.cow sub/m3.cow m5.cow) files=(b.img m1.cow m2.cow sub/m3.cow m5.cow)
    old=$(facts "${files[@]}") old_disks=$(disks old)
    for method in '--in-place' '--method moved'; do
        inodes=$(stat -c %i "${members[@]}")
        # shellcheck disable=SC2086 # two words
        run 0 resize --family --yes --quiet $method --in sub m5.cow $new_size
        all_new || die "not all are new ($method)"
        eq "$inodes" "$(stat -c %i "${members[@]}")" "the files"
        run 0 undo -y -q m2.cow
        eq "$old" "$(facts "${files[@]}")" "what undo leaves ($method)"
        [ -z "$(find . -name '.*cowtui*')" ] || die "undo leaves $(find . -name '.*cowtui*')"
    done
}

told()
{
    made 3
    run 0 resize --family -n --json --in sub m1.cow $new_size
    good_json
    eq '3 header copy header null null' \
        "$(json '"\(.images | length) \([.images[].method] | join(" ")) \(.before) \(.after)"')" "the images"
    eq "$PWD/m1.cow" "$(json '.images[0].path')" "a path"
    eq "65536 $new_size" "$(json '.images[1] | "\(.before.size_bytes) \(.after.size_bytes)"')" "the sizes"
    for m in lock commit-all family-journal end-family-journal extend-backing; do
        [ "$(json ".steps | map(select(.kind == \"$m\" or .kind == \"$m-backing\")) | length")" -ge 1 ] || die "no step $m"
    done
    eq "$old" "$(facts "${files[@]}")" "after a dry run"
    run 0 resize --family -n m1.cow $new_size # the third lies elsewhere
    has 'all 2 images' out
    run 3 resize --family m1.cow $new_size
    has --yes err
    run 3 resize m1.cow $new_size
    has --family err
    run 2 resize --family --policy keep -y m1.cow $new_size
    run 2 resize --family --policy copy -y m1.cow $new_size
    run 2 resize --family --shrink -y m1.cow 40K
    run 2 resize --family -o new.cow -y m1.cow $new_size
    run 2 resize --in sub -y m1.cow $new_size
    run 3 resize --family -y m1.cow 40K
    eq "$old" "$(facts "${files[@]}")" "after what was refused"
    [ -z "$(find . -name '.*cowtui*')" ] || die "something is left: $(find . -name '.*cowtui*')"
}

in_the_way()
{
    made 3
    hold write sub/m3.cow
    run 4 resize --family -y --in sub m1.cow $new_size
    has "sub/m3.cow" err
    has "$holder" err
    let_go
    hold open m2.cow
    run 4 resize --family -y m1.cow $new_size
    has "m2.cow" err
    let_go
    cp m2.cow broken.cow
    model poke broken.cow 24 00000000
    run 3 resize --family -y m1.cow $new_size
    has "broken.cow" err
    rm broken.cow
    cp m2.cow marked.cow
    model poke marked.cow 12 ffffffffffffffff
    run 3 resize --family -y m1.cow $new_size
    has "marked.cow" err
    rm marked.cow
    touch .m2.cow.cowtui-journal
    run 3 resize --family -y m1.cow $new_size
    has "m2.cow" err
    rm .m2.cow.cowtui-journal
    cp m2.cow other.cow
    model poke other.cow 8 01020304 # another date of the backing file
    run 3 resize --family -y m1.cow $new_size
    has "other.cow" err
    rm other.cow
    eq "$old" "$(facts "${files[@]}")" "after what was refused"
    [ -z "$(find . -name '.*cowtui*')" ] || die "something is left: $(find . -name '.*cowtui*')"
    grow || die "it does not grow after all"
    all_new || die "not all are new"
}

# One that has the size already is held, and left as it is.
one_has_it()
{
    made 2
    run 0 resize --policy keep -y -q --reserve 1G m2.cow $new_size
    rm .m2.cow.cowtui-undo
    before=$(sha m2.cow)
    run 0 resize --family -y -q m1.cow $new_size
    eq "$before" "$(sha m2.cow)" "the one that has it"
    eq $new_size "$(stat -c %s b.img)" "the backing file"
    run 0 undo -y -q m1.cow
    eq "$before" "$(sha m2.cow)" "the one that had it"
    run 0 resize --policy extend -y -q m1.cow $new_size 2>/dev/null || true
}

# All have it: nothing is done, and what undoes the change before stays. Where only the backing file is behind, that grows.
all_have_it()
{
    made 3
    grow || die "it does not grow"
    before=$(facts "${files[@]}" .b.img.cowtui-family-undo .m1.cow.cowtui-undo)
    run 0 resize --family -y --in sub m1.cow $new_size
    has unchanged err
    eq "$before" "$(facts "${files[@]}" .b.img.cowtui-family-undo .m1.cow.cowtui-undo)" "after nothing was done"
    run 0 undo -y -q m2.cow
    eq "$old" "$(facts "${files[@]}")" "what undo leaves"
    for m in m1.cow m2.cow sub/m3.cow; do
        run 0 resize --policy keep -y -q $m $new_size
        run 0 undo --discard -y -q $m
    done
    before=$(facts "${files[@]}")
    run 0 resize --family -y -q --in sub m1.cow $new_size
    all_new || die "the backing file is still behind"
    run 0 undo -y -q m1.cow
    eq "$before" "$(facts "${files[@]}")" "what undo leaves of the backing file"
    [ -z "$(find . -name '.*cowtui*')" ] || die "undo leaves $(find . -name '.*cowtui*')"
}

written_since()
{
    made 3
    grow || die "it does not grow"
    touch b.img
    run 3 undo -y m1.cow
    has 'b.img has changed since' err
    touch -d '2003-04-05 06:07:08 UTC' b.img
    printf x | dd of=sub/m3.cow bs=1 seek=9000 conv=notrunc status=none
    run 3 undo -y m1.cow
    has "sub/m3.cow" err
    run 3 undo -y sub/m3.cow
    all_new || true
    eq $new_size "$(stat -c %s b.img)" "the backing file after what was refused"
    run 0 undo --discard -y -q m2.cow
    [ -z "$(find . -name '.*cowtui*')" ] || die "discarding leaves $(find . -name '.*cowtui*')"
    run 3 undo -y m1.cow
    has 'nothing to undo' err
}

# Changed alone since: that is another undo, and the way back for all is closed.
changed_alone()
{
    made 2
    grow || die "it does not grow"
    run 0 compact -y -q m2.cow
    run 3 undo -y m1.cow
    has m2.cow err
    run 0 undo -y -q m2.cow
    run 3 undo -y m1.cow
    eq $new_size "$(stat -c %s b.img)" "the backing file"
}

# cut_off HOW_MANY PREPARED CALL COMMAND...: killed at each CALL; then recovered, from another member each time.
cut_off()
{
    local many=$1 prepared=$2 call=$3 n=0 turn=0 code m i
    shift 3
    can_trace
    made "$many"
    mkdir ../"kept.$many.$call$prepared" && cp -a . ../"kept.$many.$call$prepared"
    local kept=$PWD/../kept.$many.$call$prepared
    while :; do
        turn=$((turn + 1))
        n=$((turn <= 3 ? turn : n + stride))
        find . -mindepth 1 -delete
        cp -a "$kept/." .
        [ -z "$prepared" ] || grow 2>err || die "it does not grow: $(cat err)" # here: copied files have other inodes
        { strace -f -qq -o /dev/null -e "trace=$call" -e "inject=$call:signal=KILL:when=$n" "$program" "$@" >out 2>err </dev/null
            code=$?; } 2>/dev/null
        [ $code != 0 ] || break
        eq 137 $code "exit code of $* killed at $call number $n: $(cat err)"
        m=${members[$((turn % many))]}
        "$program" recover -y -q "$m" >out 2>err
        code=$?
        [ $code = 0 ] || { [ $code = 3 ] && grep -q 'nothing to recover' err; } ||
            die "killed at $call $n, recover $m: $code $(cat err)"
        # What nobody looks for was there before there was a journal, and the next change replaces it.
        eq '' "$(left | tr ' ' '\n' | grep -v -e 'cowtui-new$' -e 'cowtui-trial-' -e 'cowtui-journal-new$' |
            { [ $code = 0 ] && cat || grep -v 'cowtui-family-new$'; } | tr '\n' ' ')" "killed at $call $n, recovered: left"
        if [ "$(facts "${files[@]}")" != "$old" ]; then
            all_new || die "killed at $call $n, recovered by $m: neither old nor new: $(ls -la . sub)"
            if [ -z "$prepared" ]; then
                if "$program" undo -y -q "${members[0]}" 2>err; then
                    eq "$old" "$(facts "${files[@]}")" "killed at $call $n, recovered and undone"
                else # a header that was written, and not dated yet: nobody can tell who has written since
                    [ $call = utimensat ] && grep -q 'the image has changed since' err ||
                        die "killed at $call $n: undo: $(cat err)"
                fi
            fi
        fi
        find . -name '.*cowtui*' -delete
        for i in "${!members[@]}"; do
            [ -e "${members[$i]}" ] || die "killed at $call $n: ${members[$i]} is gone"
        done
    done
    [ $n -gt 3 ] || die "only $n kills at $call"
    rm -r "$kept"
}

# Recovery that is killed, and begun again from another member.
recovery_cut_off() # HOW_MANY PREPARED AT CALL COMMAND...: COMMAND is killed as it calls AT, recover at each CALL
{
    local many=$1 prepared=$2 at=$3 call=$4 n=0 turn=0 code
    shift 4
    can_trace
    made "$many"
    local kept=$PWD/../kept.again.$prepared.$at.$call
    mkdir "$kept" && cp -a . "$kept"
    while :; do
        turn=$((turn + 1))
        n=$((turn <= 3 ? turn : n + stride))
        find . -mindepth 1 -delete
        cp -a "$kept/." .
        [ -z "$prepared" ] || grow 2>err || die "it does not grow: $(cat err)"
        { strace -f -qq -o /dev/null -e "trace=${at%:*}" -e "inject=${at%:*}:signal=KILL:when=${at#*:}" "$program" "$@" \
            >out 2>err </dev/null; } 2>/dev/null
        { strace -f -qq -o /dev/null -e "trace=$call" -e "inject=$call:signal=KILL:when=$n" "$program" recover -y -q \
            "${members[$((turn % many))]}" >out 2>err </dev/null
            code=$?; } 2>/dev/null
        [ "$code" = 0 ] || [ "$code" = 137 ] || die "recover: $code $(cat err)"
        run 0 family --json --in sub b.img # looking is possible at every point
        [ "$code" = 0 ] || "$program" recover -y -q "${members[$(((turn + 1) % many))]}" 2>err ||
            grep -q 'nothing to recover' err || die "recovery killed at $call $n: $(cat err)"
        eq '' "$(left)" "recovery killed at $call $n: left"
        [ "$(facts "${files[@]}")" = "$old" ] || all_new || die "recovery killed at $call $n: neither old nor new"
        [ "$code" != 0 ] || break
    done
    rm -r "$kept"
}

# What is written down is not believed if it is not ours, not whole, not about us, or gone.
strange_journals()
{
    made 3
    can_trace
    { strace -f -qq -o /dev/null -e trace=ftruncate -e inject=ftruncate:signal=KILL:when=4 "$program" resize --family --yes \
        --quiet --in sub m1.cow $new_size >out 2>err; } 2>/dev/null
    [ -e .b.img.cowtui-family ] || die "no journal"
    half=$(facts "${files[@]}")
    for command in 'compact m1.cow' 'resize --policy extend sub/m3.cow 1M' 'undo m2.cow' 'resize --family m2.cow 1M'; do
        # shellcheck disable=SC2086 # words
        run 3 $command -y
        has recover err
    done
    run 0 info --json m2.cow
    [[ $(json .pending) == *interrupted* ]] || die "not told to be pending"
    cp .b.img.cowtui-family kept
    printf x | dd of=.b.img.cowtui-family bs=1 seek=40 conv=notrunc status=none
    run 5 recover -y m1.cow
    has cowtui-family err
    mv .b.img.cowtui-family away
    run 3 recover -y m1.cow
    has "put that file back" err
    cp kept .b.img.cowtui-family
    chmod 666 .b.img.cowtui-family
    run 3 recover -y m1.cow
    chmod 600 .b.img.cowtui-family
    mkdir copy && cp -a m1.cow .m1.cow.cowtui-* b.img .b.img.cowtui-family copy
    run 3 recover -y copy/m1.cow -b copy/b.img
    rm -r copy kept away
    eq "$half" "$(facts "${files[@]}")" "after what was refused"
    run 3 recover --forward -y m1.cow
    run 0 recover --back -y -q sub/m3.cow
    eq "$old" "$(facts "${files[@]}")" "after recovery"
    eq '' "$(left)" "what is left"
}

# A call that fails, once: what was begun is taken back for all, or recover is named and does that.
fails() # HOW_MANY PREPARED CALL COMMAND...
{
    local many=$1 prepared=$2 call=$3 n=0 turn=0 code
    shift 3
    can_trace
    made "$many"
    local kept=$PWD/../kept.fails.$call$prepared
    mkdir "$kept" && cp -a . "$kept"
    while :; do
        turn=$((turn + 1))
        n=$((turn <= 3 ? turn : n + stride))
        find . -mindepth 1 -delete
        cp -a "$kept/." .
        [ -z "$prepared" ] || grow 2>err || die "it does not grow: $(cat err)"
        { strace -f -qq -o "$kept.trace" -e "trace=$call" -e "inject=$call:error=EIO:when=$n" "$program" "$@" >out 2>err \
            </dev/null
            code=$?; } 2>/dev/null
        grep -q INJECTED "$kept.trace" || break
        if [ $code != 0 ]; then # some failures do not matter
            [ -e .b.img.cowtui-family ] || [ $call = fsync ] || hasnt 'half done' err # a flush at the very end
            eq 2 $code "exit code of $* with $call $n failing: $(cat err)"
            if [ -e .b.img.cowtui-family ]; then
                has 'cowtui recover' err
                "$program" recover -y -q "${members[$((turn % many))]}" 2>err || die "$call $n failed: recover: $(cat err)"
            fi
            [ "$(facts "${files[@]}")" = "$old" ] || all_new || die "$call $n failed: neither old nor new"
        fi
        eq '' "$(left | tr ' ' '\n' | grep -v -e 'cowtui-new$' -e 'cowtui-trial-' -e 'cowtui-journal-new$' |
            grep -v 'cowtui-family-new$' | tr '\n' ' ')" "$call $n failed: left"
        find . -name '.*cowtui*' -delete
    done
    [ $n -gt 3 ] || die "only $n failures of $call"
    rm -r "$kept" "$kept.trace"
}

for n in 1 2 5; do
    t "$n images" several $n
done
t 'in place' in_place
t 'told and refused' told
t 'one is in the way' in_the_way
t 'one has the size already' one_has_it
t 'all have the size already' all_have_it
t 'written since' written_since
t 'changed alone since' changed_alone
t 'strange journals' strange_journals
# What follows is killed, or fails, at many places; it is the same code under sanitizers, and leaks are looked for by ptrace.
! sanitized || exit 0
for call in fsync rename,renameat2 pwrite64 unlink; do
    t "recovery back killed at $call" recovery_cut_off 3 '' ftruncate:7 $call resize --family --yes --quiet --in sub m1.cow $new_size
    t "recovery on killed at $call" recovery_cut_off 3 '' rename,renameat2:7 $call resize --family --yes --quiet --in sub \
        m1.cow $new_size
    t "recovery of undo killed at $call" recovery_cut_off 3 grown rename,renameat2:6 $call undo --yes --quiet m2.cow
done
for call in pwrite64 fsync rename,renameat2 ftruncate utimensat unlink; do
    many=3
    [ $call != rename,renameat2 ] || many=5 # the calls that decide
    t "killed at $call" cut_off $many '' $call resize --family --yes --quiet --in sub m1.cow $new_size
    t "$call fails" fails 2 '' $call resize --family --yes --quiet --in sub m1.cow $new_size
    t "undo, $call fails" fails 2 grown $call undo --yes --quiet m2.cow
    t "undo killed at $call" cut_off 3 grown $call undo --yes --quiet m2.cow
done

#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The family of a backing file: which images are found on it, and what is told of each.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# paths WANTED...: the images of the last JSON, as names below this directory.
paths()
{
    local found
    found=$(json '.images[].path' | sed "s|^$(pwd -P)/||" | tr '\n' ' ')
    eq "${*:+$* }" "$found" "the images found"
}

# field PATH FILTER: of one of them.
field()
{
    json ".images[] | select(.path == \"$(pwd -P)/$1\") | $2"
}

# on FILE PATH: an image whose header has just that path.
on()
{
    model make "$1" "$PWD/b.img" 4096 0
    model poke "$1" 32 "$(printf '%s' "$2" | od -An -v -tx1 | tr -d ' \n')00"
}

however_it_is_named()
{
    small
    mkdir sub other
    ln -s b.img link.img
    ln -s "$PWD/other" door
    cp x.cow keep.cow
    model make absolute.cow "$PWD/b.img" 4096 0
    on by-link.cow link.img
    on dots.cow ./sub/../b.img
    on sub/up.cow ../b.img
    (cd other && model make far.cow "$OLDPWD/b.img" 4096 1-2)
    cp b.img c.img
    model make stranger.cow c.img 4096 0
    freeze b.img ./*.cow sub/up.cow other/far.cow
    run 0 family --json b.img
    good_json
    paths absolute.cow by-link.cow dots.cow keep.cow x.cow
    run 0 family --json "$PWD/link.img" --in sub
    paths absolute.cow by-link.cow dots.cow keep.cow sub/up.cow x.cow
    run 0 family --in sub --json --in door b.img
    paths absolute.cow by-link.cow dots.cow keep.cow other/far.cow sub/up.cow x.cow
    eq 1024 "$(field other/far.cow .dirty_bytes)" dirty
    run 0 family --json --in other/far.cow --in ./other/far.cow --in . b.img
    paths absolute.cow by-link.cow dots.cow keep.cow other/far.cow x.cow
    run 0 family --json stranger.cow # whoever it is, nobody stands on it
    paths
    unchanged family
}

# One file is one member, whatever names it has; a link in another directory is where a relative path may be meant from.
several_names()
{
    small
    mkdir links
    on x.cow b.img
    ln -s ../x.cow links/x.cow
    ln -s x.cow z.cow
    ln x.cow a.cow
    run 0 family --json b.img
    paths a.cow
    run 0 family --json --in links b.img
    paths a.cow
    rm a.cow
    run 0 family --json --in links --in links/x.cow --in z.cow b.img
    paths x.cow
}

what_is_told()
{
    small
    run 0 family --json b.img
    good_json
    eq b.img "$(json .backing.path)" path
    eq 65536 "$(json .backing.size_bytes)" size
    eq "$(stat -c %Y b.img)" "$(json .backing.mtime)" mtime
    eq '65536 2560 null true null null' \
        "$(json '.images[0] | "\(.size_bytes) \(.dirty_bytes) \(.in_use) \(.uml.opens) \(.pending) \(.error)"')" "of x.cow"
    cp out saved.json
    run 0 info --json x.cow
    eq "$(json '.uml | tostring')" "$(json '.images[0].uml | tostring' saved.json)" "the verdict of info"
    run 0 family b.img
    eq 'b.img: 64.0 KiB, modified 2003-04-05 06:07:08 UTC: 1 image on it' "$(head -n 1 out)" "the first line"
    eq " 64.0 KiB  2.50 KiB  opens    $PWD/x.cow" "$(tail -n 1 out)" "the last line"
    touch b.img
    run 0 family b.img
    has 'refuses' out
    has 'a UML kernel says: mtime mismatch' out
    (mkdir empty && cd empty && run 0 family ../b.img && has "$(dirname "$PWD")/x.cow" out) || die "from elsewhere"
}

# A relative path that leads to another file from the working directory: the family's own is judged.
another_from_here()
{
    small
    on x.cow b.img
    mkdir here
    cp --preserve=timestamps b.img here
    touch b.img
    cd here || die "cd"
    run 0 info --json ../x.cow
    eq true "$(json .uml.opens)" "through the file of that name here"
    run 0 family --json ../b.img
    eq "$(dirname "$PWD")/x.cow false" "$(json '.images[] | "\(.path) \(.uml.opens)"')" "from another directory"
    run 0 family --json b.img # both are meant by the path
    paths
    run 0 family --json --in .. b.img
    eq "$(dirname "$PWD")/x.cow true" "$(json '.images[] | "\(.path) \(.uml.opens)"')" "on the file here"
}

held()
{
    small
    cp --preserve=timestamps x.cow y.cow
    hold write y.cow
    run 0 family --json b.img
    eq "$holder" "$(field y.cow .in_use.pid)" "the holder"
    eq null "$(field x.cow .in_use)" "who has the other one"
    run 0 family b.img
    has "in use by pid $holder" out
    let_go
    hold open y.cow # a guest without locks
    run 0 family --json b.img
    eq null "$(field y.cow .in_use.pid)" "a holder without a name"
    run 0 family b.img
    has "in use by a process" out
    let_go
    run 0 family --json b.img
    eq 'null null' "$(json '[.images[].in_use | tostring] | join(" ")')" "after that"
}

half_way()
{
    small
    cp x.cow marked.cow
    model poke marked.cow 12 ffffffffffffffff
    cp x.cow begun.cow
    touch .begun.cow.cowtui-journal
    freeze marked.cow begun.cow x.cow b.img .begun.cow.cowtui-journal
    run 0 family --json b.img
    paths begun.cow marked.cow x.cow
    eq null "$(field marked.cow .size_bytes)" "the size of a marked one"
    eq false "$(field marked.cow .uml.opens)" "a marked one opens"
    [[ $(field marked.cow .pending) == *unfinished* ]] || die "the mark is not told"
    [[ $(field begun.cow .pending) == *interrupted* ]] || die "the journal is not told"
    eq 65536 "$(field begun.cow .size_bytes)" "the size of one that was begun"
    run 0 family b.img
    has unfinished out
    has '        ?         ?  refuses' out
    unchanged family
}

broken()
{
    small
    cp x.cow broken.cow
    model poke broken.cow 24 00000000 # the alignment
    head -c 100 x.cow >short.cow
    run 0 family --json b.img
    paths broken.cow x.cow
    [[ $(field broken.cow .error) == *alignment* ]] || die "not said what is wrong: $(field broken.cow .error)"
    eq 'null null null' "$(field broken.cow '"\(.size_bytes) \(.dirty_bytes) \(.uml)"')" "what is not known"
    run 0 family b.img
    has 'alignment is 0' out
}

nobody()
{
    truncate -s 64K b.img
    echo text >text
    mkdir empty
    run 0 family b.img --in empty
    has '0 images on it' out
    eq 1 "$(wc -l <out)" lines
    run 0 family --json b.img
    eq '[]' "$(json '.images | tostring')" images
    run 0 family --json empty/../b.img
    paths
}

wrong_uses()
{
    small
    mkdir closed
    cp x.cow closed
    cp b.img c.img
    model make other.cow c.img 4096 0
    run 2 family
    run 2 family b.img x.cow
    run 2 family nowhere.img
    run 2 family closed
    run 2 family --in b.img
    run 2 family b.img --in
    run 2 info --in closed x.cow
    for option in '-b b.img' --no-backing --scan '--reserve 1M'; do
        # shellcheck disable=SC2086 # two words
        run 2 family b.img $option || die "$option"
    done
    # What was found is told all the same.
    run 2 family b.img --in nowhere --in gone
    has "$PWD/x.cow" out
    has 'nowhere: No such file' err
    has 'note: gone: No such file' err
    run 2 family --json b.img --in nowhere
    paths x.cow
    run 63 family --json b.img --in b.img
    paths x.cow
    run 2 family --json b.img --in other.cow
    paths x.cow
    has 'other.cow: not an image on b.img' err
    cp x.cow broken.cow
    model poke broken.cow 24 00000000
    mkdir in && mv broken.cow in
    run 0 family --json b.img --in in/broken.cow # it names b.img from here
    paths in/broken.cow x.cow
    # shellcheck disable=SC2046 # many words
    run 2 family b.img $(for _ in $(seq 65); do echo --in .; done)
    has 64 err
}

may_not_read()
{
    small
    mkdir closed
    cp x.cow closed
    chmod 000 closed
    as_them=()
    [ "$(id -u)" != 0 ] || another_user 12345
    chmod 755 .
    chmod 644 b.img x.cow
    "${as_them[@]}" "$program" family --json --in closed "$PWD/b.img" >out 2>err
    eq 2 $? "exit code"
    has 'closed: Permission denied' err
    paths x.cow
}

t 'however it is named' however_it_is_named
t 'several names' several_names
t 'what is told' what_is_told
t 'another file of that name here' another_from_here
t 'held' held
t 'half way' half_way
t 'broken' broken
t 'nobody' nobody
t 'wrong uses' wrong_uses
t 'a directory that may not be read' may_not_read

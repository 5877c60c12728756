#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# rebase: another backing file, or its date; what the guest sees stays what it was.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# One image, and beside it the same backing file under another name, dates among it.
two()
{
    small
    cp -p b.img other.img
    want=$(model compose x.cow uml-cow-v3 b.img)
}

# A v3's path and date lie in its first sector: that alone is written.
moves()
{
    local before
    two
    before=$(state x.cow b.img other.img)
    tail -c +513 x.cow | sha256sum >rest
    freeze x.cow b.img other.img
    only_asked rebase --to other.img x.cow
    eq "rebase header 0 $PWD/other.img" "$(json '"\(.operation) \(.method) \(.moves_bytes) \(.backing_path)"')" "the plan"
    freeze b.img other.img
    run 0 rebase -y --to other.img x.cow
    is_now x.cow other.img 0,7-9,127 "$want"
    eq "$PWD/other.img" "$(model header x.cow uml-cow-v3 | sed -n 's/^path //p')" "stored path"
    tail -c +513 x.cow | sha256sum | cmp - rest || die "more than the first sector was written"
    rm b.img
    run 0 info --json x.cow
    eq "true true" "$(json '"\(.uml.opens) \(.backing.found)"')" "would UML open it, backing found"
    cp -p other.img b.img
    run 0 undo -q -y x.cow
    eq "$PWD/b.img" "$(model header x.cow uml-cow-v3 | sed -n 's/^path //p')" "stored path after undo"
    eq "$want" "$(model compose x.cow uml-cow-v3 b.img)" "composed disk after undo"
    [ -z "$(find . -name '.*cowtui*')" ] || die "undo leaves something"
}

# The old file need not be there any more: size and date speak for the new one.
old_is_gone()
{
    two
    rm b.img
    run 0 rebase -y --to other.img x.cow
    is_now x.cow other.img 0,7-9,127 "$want"
    # A relative name and links in it: what is stored is absolute.
    mkdir -p a/b
    cp -p other.img a/real.img
    ln -s a c
    run 0 rebase -y --to c/b/../real.img x.cow
    path=$(model header x.cow uml-cow-v3 | sed -n 's/^path //p')
    [ "${path#/}" != "$path" ] && [ "$path" -ef a/real.img ] || die "stored path $path"
}

same_again()
{
    two
    freeze x.cow b.img other.img
    run 0 rebase --to b.img x.cow
    run 0 rebase --restamp x.cow
    run 0 rebase --restamp --json x.cow
    eq none "$(json .method)" method
    unchanged "nothing to do"
    eq "b.img other.img x.cow " "$(names)" files
}

# Any date, as the screen edits it; and back.
a_date()
{
    two
    run 0 rebase -n --mtime 7 x.cow
    has "rebase --mtime 7 x.cow" out
    freeze x.cow b.img
    for wrong in never -1 +1 1.5 4294967296 "" 7x; do
        run 2 rebase -y --mtime "$wrong" x.cow
    done
    run 2 rebase -y --mtime 7 --restamp x.cow
    has "goes without" err
    run 2 rebase -y --mtime 7 --safe --to other.img x.cow
    run 2 compact -y --mtime 7 x.cow
    unchanged "dates that are none"
    run 0 rebase -y --mtime 4294967295 x.cow
    eq 4294967295 "$(model header x.cow uml-cow-v3 | sed -n 's/^mtime //p')" "stored date"
    run 0 info --json x.cow
    eq false "$(json .uml.opens)" "would UML open it"
    run 0 undo -q -y x.cow
    unchanged "a date, and back"
}

restamp()
{
    local before
    two
    touch -d '2011-02-03 04:05:06 UTC' b.img
    before=$(state x.cow b.img)
    run 0 info --json x.cow
    eq false "$(json .uml.opens)" "would UML open it"
    freeze x.cow b.img
    only_asked rebase --restamp x.cow
    eq "header 1296705906" "$(json .method) $(stat -c %Y b.img)" "the plan"
    freeze b.img
    run 0 rebase -y --restamp x.cow
    is_now x.cow b.img 0,7-9,127 "$want"
    eq 1296705906 "$(model header x.cow uml-cow-v3 | sed -n 's/^mtime //p')" "date in the header"
    unchanged "rebase --restamp"
    back_again x.cow b.img
}

# Another date: refused, unless somebody vouches for the content, or it is compared.
another_date()
{
    two
    touch -d '2011-02-03 04:05:06 UTC' other.img
    freeze x.cow b.img other.img
    run 3 rebase -y --to other.img x.cow
    has restamp err
    has safe err
    unchanged "a file of another date"
    for how in --restamp --force --safe; do
        rm -f y.cow
        run 0 rebase "$how" -o y.cow --to other.img x.cow
        is_now y.cow other.img "$(case $how in --safe) echo 0-15,120-127 ;; *) echo 0,7-9,127 ;; esac)" "$want"
        eq 1296705906 "$(model header y.cow uml-cow-v3 | sed -n 's/^mtime //p')" "date in the header"
    done
    unchanged "rebase -o"
}

another_size()
{
    two
    for size in 65024 66048 0; do
        truncate -s "$size" other.img
        touch -r b.img other.img
        freeze x.cow b.img other.img
        run 3 rebase -y --to other.img x.cow
        run 3 rebase -y --restamp --to other.img x.cow
        run 3 rebase -y --safe --to other.img x.cow
        unchanged "a file of another size"
    done
    # With its date alone the one that has shrunk is not mended either.
    truncate -s 65024 b.img
    freeze x.cow b.img
    run 3 rebase -y --restamp x.cow
    unchanged "a backing file of another size"
}

# Another content, compared: the image takes in what differs, and lets go what does not.
safe()
{
    local before
    all_kinds
    want=$(model compose x.cow uml-cow-v3 b.img)
    model raw x.cow uml-cow-v3 b.img other.img # the disk itself ...
    printf 'xyz' | dd of=other.img bs=1 seek=45000 conv=notrunc status=none # ... but for sector 87
    touch -d '2011-02-03 04:05:06 UTC' other.img
    before=$(state x.cow b.img)
    freeze x.cow b.img other.img
    only_asked rebase --safe --to other.img x.cow
    freeze b.img other.img
    run 0 rebase --safe -o y.cow --to other.img x.cow
    is_now y.cow other.img 80-87 "$want"
    run 0 rebase --safe --sectors -o z.cow --to other.img x.cow
    is_now z.cow other.img 87 "$want"
    run 0 rebase -y --safe --to other.img x.cow
    is_now x.cow other.img 80-87 "$want"
    eq - "$(model mixed x.cow uml-cow-v3)" "mixed pages"
    eq 1296705906 "$(model header x.cow uml-cow-v3 | sed -n 's/^mtime //p')" "date in the header"
    unchanged "rebase --safe"
    back_again x.cow b.img
    rm y.cow z.cow
    # A file of zeros: all of the disk that is not zeros. Both files are needed for this.
    truncate -s 0 other.img
    truncate -s 65836 other.img
    freeze b.img other.img
    run 0 rebase -y --safe --to other.img x.cow
    eq "$want" "$(model compose x.cow uml-cow-v3 other.img)" "composed disk over nothing"
    unchanged "rebase --safe"
    back_again x.cow b.img
    rm b.img
    freeze x.cow
    run 2 rebase -y --safe --to other.img x.cow
    unchanged "no old backing file"
}

# Whatever is not a v3 becomes one, by copy.
variant()
{
    local file=$1 under want method=copy before
    under=$(of "$file" backing_file)
    sample "$file" "$under"
    want=$(model compose "$file" "$(of "$file" variant)" "$under")
    # The new file has the size of the disk: what the old one has past it, or lacks, is not part of that.
    cp -p "$under" other.img
    truncate -s "$(of "$file" size)" other.img
    touch -r "$under" other.img
    before=$(state "$file" "$under" other.img)
    freeze "$under" other.img
    if [ "$(of "$file" variant)" = uml-cow-v3 ] && [ "$(of "$file" sectorsize)" = 512 ]; then
        method=header
    fi
    run 0 rebase -n --json --to other.img "$file"
    eq "$method" "$(json .method)" method
    run 0 rebase -y --to other.img "$file"
    eq "$want" "$(model compose "$file" uml-cow-v3 other.img)" "composed disk"
    eq "$PWD/other.img" "$(model header "$file" uml-cow-v3 | sed -n 's/^path //p')" "stored path"
    run 0 info --json "$file"
    eq true "$(json .uml.opens)" "would UML open it"
    unchanged rebase
    run 0 undo -q -y "$file"
    if [ "$method" = copy ]; then
        eq "$before" "$(state "$file" "$under" other.img)" "what undo leaves"
    else
        eq "$want" "$(model compose "$file" uml-cow-v3 "$under")" "composed disk after undo"
    fi
}

refused()
{
    two
    touch -d '2011-02-03 04:05:06 UTC' b.img
    never_then rebase --restamp
    touch -r other.img b.img
    freeze x.cow b.img other.img
    run 2 rebase -y x.cow
    run 2 rebase -y --to '' x.cow
    run 2 rebase -y --safe x.cow
    run 2 rebase -y --sectors --to other.img x.cow
    run 2 rebase -y --to nowhere.img x.cow
    run 2 rebase -y --to nowhere/other.img x.cow
    mkdir d
    "$COWTUI" rebase -y --to d x.cow >out 2>err
    case $? in 2 | 3) ;; *) die "a directory: exit $?" ;; esac
    mkfifo f
    "$COWTUI" rebase -y --to f x.cow >out 2>err
    case $? in 2 | 3) ;; *) die "a fifo: exit $?" ;; esac
    ln -s x.cow soft.cow
    run 3 rebase -y --to x.cow x.cow
    run 3 rebase -y --to soft.cow x.cow
    cp -p x.cow y.cow
    run 3 rebase -y --to y.cow x.cow # an image is no raw disk
    rm -r d f soft.cow y.cow
    unchanged "a refused rebase"
    rm b.img
    freeze x.cow
    run 2 rebase -y --restamp x.cow
    unchanged "a date of no file"
    small
    for date in 1969-12-31 2107-01-01; do
        touch -d "$date 12:00:00 UTC" b.img
        [ "$(stat -c %Y b.img)" -lt 0 ] || [ "$(stat -c %Y b.img)" -gt 4294967295 ] || continue # the filesystem has none
        freeze x.cow b.img
        # A date beyond 2038 is one that a time_t of 32 bits cannot even be told.
        if [ "$(getconf LONG_BIT)" -lt 64 ] && [ "$date" = 2107-01-01 ]; then
            run 2 rebase -y --restamp x.cow
        else
            run 3 rebase -y --restamp x.cow
        fi
        unchanged "a date that fits no header"
    done
}

outputs()
{
    two
    rm b.img # outputs_refused has two inputs: the image and the new backing file
    outputs_refused x.cow other.img -- rebase --to other.img -- x.cow
    cp -p other.img b.img
    outputs_refused x.cow b.img -- rebase --to other.img -- x.cow
    freeze x.cow b.img other.img
    run 0 rebase --to other.img -o y.cow x.cow
    is_now y.cow other.img 0,7-9,127 "$want"
    unchanged "rebase -o"
    eq "b.img other.img x.cow y.cow " "$(names)" files
}

# A path that does not fit the first sector: by copy.
long_path()
{
    local deep path
    two
    deep=$(printf 'd%.0s' $(seq 200))/$(printf 'e%.0s' $(seq 200))/$(printf 'f%.0s' $(seq 200))
    mkdir -p "$deep"
    cp -p other.img "$deep/b.img"
    run 0 rebase -n --json --to "$deep/b.img" x.cow
    eq copy "$(json .method)" method
    run 0 rebase -y --to "$deep/b.img" x.cow
    is_now x.cow "$deep/b.img" 0,7-9,127 "$want"
    path=$(model header x.cow uml-cow-v3 | sed -n 's/^path //p')
    [ "$path" -ef "$deep/b.img" ] || die "stored path"
}

t "rebase: to another file" moves
t "rebase: the old file is gone" old_is_gone
t "rebase: nothing to do" same_again
t "rebase: takes the date" restamp
t "rebase: a date by hand" a_date
t "rebase: another date" another_date
t "rebase: another size" another_size
t "rebase: safe" safe
t "rebase: refused" refused
t "rebase: outputs" outputs
t "rebase: a long path" long_path
samples
while read -r file; do
    t "rebase: $file" variant "$file"
done < <(awk -F'\t' 'NR > 1 && $16 != "-" { print $1 }' "$root/tests/data/cow-variants.tsv")

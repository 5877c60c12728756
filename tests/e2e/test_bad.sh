#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Bad input: each a clear error with its code, at once, and nothing is written, nor is the input touched.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# At once: under a second.
limit 1000
if sanitized; then
    limit 8000
fi

# All that look or change, on FILE: each must end with CODE (`info` may have one of its own).
each_command() # CODE INFO_CODE FILE WORDS
{
    local code=$1 info=$2 file=$3 words=$4 before
    freeze "$file" b.img
    before=$(names)
    run "$info" info -b b.img "$file"
    [ "$info" = 0 ] || has "$words" err
    run "$info" info --json -b b.img "$file"
    if [ "$info" != 0 ]; then
        [ ! -s out ] || die "JSON in spite of an error"
    fi
    run "$code" map -b b.img "$file"
    run "$code" map --json -b b.img "$file"
    [ ! -s out ] || die "JSON in spite of an error"
    run "$code" merge -o raw -b b.img "$file"
    run "$code" resize --policy copy -y -b b.img "$file" 1M
    has "$words" err
    eq "$before" "$(names)" "files"
    unchanged "bad input"
}

base()
{
    small
    mv x.cow good.cow
    cp --sparse=always good.cow x.cow
}

# A v3 header with other bytes: "OFFSET HEX" pairs.
poked() # CODE INFO_CODE WORDS OFFSET HEX...
{
    local code=$1 info=$2 words=$3
    shift 3
    base
    while [ $# -gt 0 ]; do
        model poke x.cow "$1" "$2"
        shift 2
    done
    each_command "$code" "$info" x.cow "$words"
}

empty()
{
    base
    : >x.cow
    each_command 63 63 x.cow empty
}

directory()
{
    base
    mkdir d
    each_command 2 2 d "directory"
}

fifo()
{
    base
    mkfifo f
    each_command 2 2 f "regular"
}

device()
{
    base
    run 2 info /dev/zero
    run 2 info /dev/null
    run 2 map --json /dev/zero
}

not_there()
{
    base
    run 2 info nowhere.cow
    has "No such file" err
    run 2 info x.cow/
    run 2 info ''
    ln -s loop loop
    run 2 info loop
}

truncated() # BYTES CODE
{
    base
    truncate -s "$1" x.cow
    each_command "$2" "$2" x.cow "$3"
}

# A whole path field without a NUL, for each width of field.
endless_path()
{
    local file at width
    samples
    while read -r file at width; do
        sample "$file"
        "$PYTHON" -ES -c "f = open('$file', 'r+b'); f.seek($at); f.write(b'p' * $width)"
        freeze "$file"
        run 5 info "$file"
        has "path" err
        run 5 map --json "$file"
        unchanged "a path without an end"
    done <<END
v3-1m.cow 32 4096
v3b-1m.cow 36 4096
v2-1m.cow 8 4096
v1-1m.cow 8 256
END
}

empty_path()
{
    local file at
    samples
    while read -r file at; do
        sample "$file"
        model poke "$file" "$at" 0000
        run 5 info "$file"
        has "path is empty" err
    done <<END
v3b-1m.cow 36
v2-1m.cow 8
v1-1m.cow 8
END
}

backing_missing()
{
    base
    mv b.img elsewhere
    freeze x.cow elsewhere
    run 0 info x.cow
    has "missing" out
    run 0 info --json x.cow
    eq false "$(json .backing.found)" found
    eq false "$(json .uml.opens)" "would UML open it"
    run 0 map --json x.cow
    run 2 merge -o raw x.cow
    has "b.img" err
    run 2 info -b nowhere x.cow
    has nowhere err
    run 2 merge -o raw -b nowhere x.cow
    run 2 info -b "/nowhere/COW image itself.img" x.cow # missing, whatever its name says
    run 3 info -b x.cow x.cow
    for policy in extend copy; do
        "$COWTUI" resize -y --policy "$policy" x.cow 1M >out 2>err </dev/null
        code=$?
        judge $code $code 0 "resize $policy"
        case $code in 2 | 3) ;; *) die "resize $policy without a backing file: exit $code" ;; esac
    done
    unchanged "a missing backing file"
    eq "elsewhere good.cow x.cow " "$(names)" files
}

backing_unusable() # a directory or a fifo
{
    base
    rm b.img
    "$1" b.img
    freeze x.cow
    run 0 info x.cow
    has unusable out
    run 0 info --json x.cow
    eq false "$(json .backing.found)" found
    run 2 merge -o raw x.cow
    run 2 info -b b.img x.cow
    eq "b.img good.cow x.cow " "$(names)" files
    unchanged "an unusable backing file"
}

# By its stored path, by -b, by a hard and by a symbolic link.
backing_is_image()
{
    local name
    base
    ln x.cow hard
    ln -s x.cow soft
    freeze x.cow
    for name in x.cow hard soft "$PWD/x.cow"; do
        "$COWTUI" info -b "$name" x.cow >out 2>err
        code=$?
        judge $code $code 0 "info -b $name"
        case $code in 2 | 3) ;; *) die "info -b $name x.cow: exit $code" ;; esac
        has "itself" err
        "$COWTUI" merge -o raw -b "$name" x.cow >out 2>err
        case $? in 2 | 3) ;; *) die "merge -b $name x.cow: exit $?" ;; esac
    done
    "$PYTHON" -ES - "$PWD/x.cow" <<'END'
import sys
with open("x.cow", "r+b") as f:
    f.seek(32)
    f.write(sys.argv[1].encode() + b"\0")
END
    freeze x.cow
    run 0 info x.cow
    has "itself" out
    run 2 merge -o raw x.cow
    unchanged "an image on itself"
    eq "b.img good.cow hard soft x.cow " "$(names)" files
}

# Without the right to read. Root has it always, so it is taken away.
no_permission()
{
    base
    if [ "$(id -u)" = 0 ]; then
        another_user 65534 # root may read everything
    fi
    chmod 0 x.cow
    for command in "info x.cow" "map --json x.cow" "merge -o raw x.cow" "resize --policy copy -y x.cow 1M"; do
        # shellcheck disable=SC2086 # words
        "${as_them[@]}" "$program" $command >out 2>err
        judge 2 $? 0 "$command"
        has "Permission denied" err
    done
    chmod 644 x.cow
    chmod 0 b.img
    "${as_them[@]}" "$program" info x.cow >out 2>err
    judge 0 $? 0 "info with an unreadable backing file"
    has "Permission denied" out
    chmod 644 b.img
    if [ "$(id -u)" = 0 ]; then
        freeze x.cow b.img
        "${as_them[@]}" "$program" resize --policy keep -y x.cow 1M >out 2>err
        code=$?
        judge $code $code 0 "resize where nothing may be written"
        case $code in 2 | 3) ;; *) die "resize where nothing may be written: exit $code" ;; esac
        "${as_them[@]}" "$program" create y.cow b.img >out 2>err
        judge 2 $? 0 "create where nothing may be written"
        unchanged "no permission"
    fi
}

# Size 2^64-1 is the mark of an unfinished change: it is shown, and nothing else is done with it.
unfinished()
{
    base
    model poke x.cow 12 ffffffffffffffff
    each_command 5 0 x.cow ""
    run 0 info --json x.cow
    [ "$(json '.pending | length')" -gt 0 ] || die "nothing pending"
    eq null "$(json .size_bytes)" size
    eq uml-cow-v3 "$(json .format)" format
    eq false "$(json .uml.opens)" "would UML open it"
    run 0 info x.cow
    has pending out
    run 2 x.cow
}

random_headers()
{
    local count=3000
    samples
    ! sanitized || count=1500
    "$PYTHON" -ES "$here/random_headers.py" "$COWTUI" "$work/samples" "$count" "${SEED:-1}" "$limit_ms" >result 2>&1 ||
        die "$(tail -n 1 result)"
}

t "bad: empty file" empty
t "bad: directory" directory
t "bad: fifo" fifo
t "bad: device" device
t "bad: not there" not_there
t "bad: 3 bytes" truncated 3 63 magic
t "bad: 8 bytes" truncated 8 5 "cut off"
t "bad: 100 bytes" truncated 100 5 "cut off"
t "bad: a header but for its last byte" truncated 4127 5 "cut off"
t "bad: other magic" poked 63 63 magic 0 4f4f4f4e
t "bad: version 0" poked 63 63 version 4 00000000
t "bad: version 4" poked 63 63 version 4 00000004
t "bad: size 0" poked 5 5 "size is 0" 12 0000000000000000
t "bad: size 8 TiB" poked 5 5 "size is" 12 0000080000000000
t "bad: size 2^63" poked 5 5 "size is" 12 8000000000000000
t "bad: sector size 0" poked 5 5 "sector size is 0" 20 00000000
t "bad: sector size 3" poked 5 5 "sector size is 3" 20 00000003
t "bad: sector size 256" poked 5 5 "sector size is 256" 20 00000100
t "bad: sector size 2^31" poked 5 5 "sector size is 2147483648" 20 80000000
t "bad: alignment 0" poked 5 5 "alignment is 0" 24 00000000
t "bad: alignment 2^32-1" poked 5 5 "alignment is 4294967295" 24 ffffffff
t "bad: empty path" empty_path
t "bad: path without an end" endless_path
t "bad: unfinished" unfinished
t "bad: backing missing" backing_missing
t "bad: backing is a directory" backing_unusable mkdir
t "bad: backing is a fifo" backing_unusable mkfifo
t "bad: backing is the image" backing_is_image
t "bad: no permission" no_permission
t "bad: random headers" random_headers

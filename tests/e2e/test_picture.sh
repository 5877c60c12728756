#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# map --svg and --png: each cell's colour against the bitmap and what the picture's own legend says of it (picture.py); where
# pictures go, and where they do not.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

can_png()
{
    ! "$COWTUI" map --png x x 2>&1 | grep -q 'built without libpng' || skip "built without libpng"
}

# drawn IMAGE [OPTION=VALUE]... [-- ARGUMENTS...]: both pictures of it, looked at: map.svg and map.png.
drawn()
{
    local image=$1 options=() problems
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    [ $# -eq 0 ] || shift
    run 0 map -q --force --svg map.svg "$@" "$image"
    run 0 map -q --force --png map.png "$@" "$image"
    problems=$(py map.svg "$image" png=map.png "${options[@]}" <<'END'
import sys, picture
picture.main(["picture.py"] + sys.argv[1:])
END
    ) || die "picture.py: $problems"
    [ -z "$problems" ] || die "$problems"
}

# The texts of a group of map.svg, a line each.
texts() # GROUP [FILE]
{
    py "$1" "${2:-map.svg}" <<'END'
import sys, picture
print("\n".join(picture.Picture(sys.argv[2]).text.get(sys.argv[1], [])))
END
}

a_row()
{
    can_png
    small
    freeze x.cow b.img
    drawn x.cow
    texts scale >said
    has "1 cell = 512 B (1 sector)" said
    texts head >said
    has "x.cow" said
    has "UML COW v3, 64.0 KiB, of which 2.50 KiB" said
    has "on b.img" said
    unchanged "a picture"
    eq "b.img map.png map.svg said x.cow " "$(names)" files
}

# 8 MiB and an odd end in cells of two sectors and more, at random.
many_rows()
{
    local dirty
    can_png
    head -c $((8 * 1024 * 1024 + 300)) /dev/zero | tr '\0' b >b.img
    touch -d '2003-04-05 06:07:08 UTC' b.img
    dirty=$(py "$RANDOM" <<'END'
import random, sys
random.seed(int(sys.argv[1]))
print(",".join(f"{a}-{min(a + random.choice((0, 1, 3, 100, 900)), 16384)}" for a in random.sample(range(16385), 60)) + ",16384")
END
    )
    model make x.cow b.img 4096 "$dirty"
    freeze x.cow b.img
    drawn x.cow
    texts scale >said
    has "1 row = 256 KiB" said
    texts places >said
    has "1 MiB" said
    has "8 MiB" said
    unchanged "a picture"
}

# Cells that hold little: the scale is logarithmic, and says so. The largest disk that there is takes a moment.
a_large_disk()
{
    can_png
    truncate -s 64G b.img
    touch -d '2003-04-05 06:07:08 UTC' b.img
    run 0 create -q x.cow b.img
    py x.cow <<'END'
import random, struct, sys
random.seed(4)
with open(sys.argv[1], "r+b") as f:
    align = struct.unpack(">I", f.read(28)[24:])[0]
    for _ in range(300):
        f.seek(-(-4128 // align) * align + random.randrange(16 << 20))
        f.write(b"\xff" * random.choice((1, 2, 30, 500)))
END
    freeze x.cow
    drawn x.cow
    texts legend >said
    has "(logarithmic)" said
    unchanged "a picture"
    truncate -s 8191G big.img
    run 0 create -q big.cow big.img
    limit 3000
    run 0 map -q --png big.png big.cow
    run 0 map -q --svg big.svg big.cow
    [ "$(stat -c %s big.svg)" -lt 100000 ] || die "the picture of nothing takes $(stat -c %s big.svg) bytes"
}

looked_into()
{
    can_png
    all_kinds
    freeze x.cow b.img
    drawn x.cow scan=b.img -- --scan
    texts legend >said
    has "mostly redundant" said
    has "orphans" said
    unchanged "a picture"
    # Cells that hold several kinds: what most of one is tells.
    head -c 16M /dev/zero | tr '\0' b >c.img
    touch -d '2003-04-05 06:07:08 UTC' c.img
    model make y.cow c.img 4096 0-2000,3001-3302,8000-12000,32767
    model fill y.cow uml-cow-v3 c.img 100-999,3002,8003-8004,9000-9002 same
    model fill y.cow uml-cow-v3 c.img 500-701,1001-1002,8005,9003-9500 zero
    model fill y.cow uml-cow-v3 c.img 20001,2002 other
    drawn y.cow scan=c.img -- --scan
}

along_a_curve()
{
    can_png
    head -c 4M /dev/zero | tr '\0' b >b.img
    touch -d '2003-04-05 06:07:08 UTC' b.img
    model make x.cow b.img 4096 0,9-300,4000-4100,5001,6000-8191
    run 0 map -q --svg rows.svg x.cow
    drawn x.cow curved=rows.svg -- --hilbert
    texts scale >said
    has "along a Hilbert curve" said
}

# The backing file is shorter than the disk; a partition, and a filesystem that does not fill it.
ends()
{
    command -v sfdisk >/dev/null || skip "sfdisk is not installed"
    command -v mkfs.ext4 >/dev/null || skip "mkfs.ext4 is not installed"
    can_png
    truncate -s 16M b.img
    printf 'label: dos\n2048,16384,83\n' | sfdisk -q b.img >/dev/null 2>&1 || die "no partition"
    mkfs.ext4 -q -F -E offset=1048576 b.img 4096k >/dev/null 2>&1 || die "no filesystem"
    run 0 create -q x.cow b.img
    run 0 resize -q -y --policy keep x.cow 24M
    run 0 undo -q -y --discard x.cow
    freeze x.cow b.img
    drawn x.cow backing=16777216 ends=32768,18432,10240
    texts ends-told >said
    has "backing file ends at 16 MiB" said
    has "partition 1 ends at 9 MiB" said
    has "its ext4 ends at 5 MiB" said
    # What is clean behind the backing file's end has a colour of its own.
    py x.cow <<'END'
import struct, sys
with open(sys.argv[1], "r+b") as f:
    align = struct.unpack(">I", f.read(28)[24:])[0]
    f.seek(-(-4128 // align) * align + 4500)
    f.write(bytes(1000))
END
    drawn x.cow backing=16777216 ends=32768,18432,10240
    texts legend >said
    has "past its end" said
}

standard_output()
{
    local kind
    can_png
    small
    freeze x.cow b.img
    for kind in svg png; do
        run 0 map -q --$kind file.$kind x.cow
        # what a picture is made of may be control bytes
        "$COWTUI" map --$kind - x.cow >printed 2>err || die "--$kind -: $(cat err)"
        cmp -s printed file.$kind || die "--$kind - is another picture"
        [ ! -s err ] || die "--$kind - talks"
        "$COWTUI" map --$kind - x.cow >/dev/full 2>err
        eq 2 $? "exit code on a full device"
        has "No space" err
        { "$COWTUI" map --$kind - x.cow 2>err; echo $? >code; } | true
        [[ $(cat code) =~ ^(0|141)$ ]] || die "exit $(cat code) where nobody reads"
        run 2 map --$kind - --json x.cow
        run 2 map --$kind - -n x.cow
    done
    eq "b.img code file.png file.svg printed x.cow " "$(names)" "files, and none named -"
    unchanged "a picture"
}

not_to_a_terminal()
{
    can_png
    small
    "$PYTHON" -ES - "$COWTUI" >out 2>&1 <<'END'
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], "map", "--png", "-", "x.cow"])
text = b""
try:
    while piece := os.read(terminal, 4096):
        text += piece
except OSError:
    pass
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
print(text.decode("utf-8", "replace").replace("\r", ""))
END
    eq 2 "$(head -n 1 out)" "exit code"
    has "not written to a terminal" out
}

# No name of the image or of its backing file becomes a picture, whatever is forced; what exists only if it is.
refused()
{
    local input name kind
    can_png
    small
    for input in x.cow b.img; do
        ln "$input" "hard.$input"
        ln -s "$input" "soft.$input"
    done
    echo precious >exists.svg
    ln -s nowhere dangling.svg
    mkdir directory
    freeze x.cow b.img exists.svg
    for kind in svg png; do
        for input in x.cow b.img; do
            for name in "$input" "./$input" "hard.$input" "soft.$input" "$PWD/$input"; do
                run 3 map --$kind "$name" x.cow
                run 3 map --$kind "$name" --force x.cow
            done
        done
        run 3 map --$kind exists.svg x.cow
        has "exists already" err
        has "--force" err
        run 3 map --$kind dangling.svg x.cow
        run 3 map --$kind directory --force x.cow
        run 2 map --$kind nowhere/x.svg x.cow
        run 2 map --$kind '' x.cow
    done
    unchanged "a refused picture"
    [ -z "$(find . -name '.*cowtui*')" ] || die "something is left: $(find . -name '.*cowtui*')"
    run 0 map --svg exists.svg --force x.cow
    has "done" err
    has '<svg' exists.svg
    freeze x.cow b.img
    # another image's backing file
    head -c 65536 /dev/zero >other.img
    touch -d '2003-04-05 06:07:08 UTC' other.img
    model make other.cow other.img 4096 3
    run 3 map --svg other.img --force x.cow
    has "is the backing file of" err
    unchanged "pictures"
}

# Whole or not at all, with no more rights than the image has.
whole()
{
    small
    chmod 640 x.cow
    freeze x.cow b.img
    (
        ulimit -f 1
        "$COWTUI" map --svg map.svg x.cow 2>err
        echo $? >code
    )
    eq 2 "$(cat code)" "exit code where files are limited"
    eq "b.img code x.cow " "$(names)" "files after a failure"
    [ -z "$(find . -name '.*cowtui*')" ] || die "something is left"
    (umask 000 && run 0 map --svg map.svg x.cow) || exit 1
    eq 640 "$(stat -c %a map.svg)" "rights of the picture"
    can_trace
    ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 strace -qq -o calls -e trace=openat,open,fsync,rename,renameat,renameat2,link,linkat "$COWTUI" map -q --svg second.svg x.cow
    # fsync before the name, and the name given by a rename that replaces nothing
    awk '/second\.svg\.cowtui-new/ && /open/ { made = NR } /fsync/ { synced = NR } /rename/ && /second\.svg"/ { named = NR }
        END { exit !(made && synced > made && named > made && /./) }' calls || die "$(cat calls)"
    grep rename calls | grep -q NOREPLACE || die "it may replace: $(grep rename calls)"
    unchanged "pictures"
}

# A plan like any other: told, and not written where that was asked for.
planned()
{
    small
    freeze x.cow b.img
    run 0 map --svg map.svg -n x.cow
    has "cowtui map --svg map.svg x.cow" out
    has "a picture of the map, as SVG" out
    eq "b.img x.cow " "$(names)" "files after -n"
    run 0 map --svg 'my map.svg' --scan --hilbert --json -q x.cow
    eq "save" "$(json .operation)" operation
    eq "check-space begin-raw write-file finish-raw rename" "$(json '[.steps[].kind] | join(" ")')" steps
    [ -s 'my map.svg' ] || die "no picture"
    eq "$(stat -c %s 'my map.svg')" "$(json .writes_bytes)" "bytes that are written"
    for words in '--svg a.svg --png b.png' '--svg a.svg --follow' '--hilbert'; do
        # shellcheck disable=SC2086 # words
        run 2 map $words x.cow
    done
    hold write x.cow # a guest that runs does not matter
    run 0 map -q --svg guest.svg x.cow
    let_go
    unchanged "pictures"
}

# Whatever somebody calls a file, it is text in the picture, and seen.
odd_names()
{
    local name n=0
    can_png
    small
    for name in $'a\033[31m\ab\nc.cow' '<script>&amp;"]]>.cow' $'\xef\xbf\xbf\xef\xbf\xbe.cow' $'\xff\xfe\x80.cow' $'\xe2\x80\xaeabc.cow' 'ä☃𝄞.cow' \
        "$(printf 'long%.0s' $(seq 60)).cow"; do
        n=$((n + 1))
        cp --preserve=all x.cow "$name"
        run 0 map -q --svg $n.svg "$name"
        run 0 map -q --png $n.png "$name"
        texts head $n.svg >said || die "no picture of name $n"
        ! LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]' $n.svg said || die "a control byte in picture $n"
        # nothing but the head may differ, and the title
        sed -e '/<title>/d' -e '/<g id="head">/,/<\/g>/d' $n.svg >rest.$n
        cmp -s rest.1 rest.$n || die "name $n reaches beyond the head"
        py $n.png <<'END' || die "PNG of name $n"
import sys, picture
picture.Png(sys.argv[1])
END
    done
    texts head 1.svg >said
    has 'a\x1b[31m\x07b\x0ac.cow' said
    texts head 2.svg >said
    has '<script>&amp;"]]>.cow' said
    texts head 6.svg >said
    has 'ä☃𝄞.cow' said
    texts head 7.svg >said
    has '...' said
    LC_ALL=C run 0 map -q --svg c.svg 'ä☃𝄞.cow'
    cmp -s c.svg 6.svg || die "another picture in another locale"
}

# The same image makes the same picture, and one of each format has one.
all_formats()
{
    local file
    samples
    for file in v1.cow v2.cow v3.cow qemu.cow; do
        [ -e "$work/samples/$file" ] || continue
        sample "$file"
        run 0 map -q --no-backing --svg "$file.svg" "$file"
        run 0 map -q --no-backing --svg "$file.again.svg" "$file"
        cmp -s "$file.svg" "$file.again.svg" || die "$file: another picture"
        texts head "$file.svg" >said
        has "backing file not looked at:" said
    done
}

# The one file that wants libpng says so where it was built without it.
without_libpng()
{
    local library
    for library in "$(dirname "$COWTUI")"/{,../}libcow.a; do
        [ ! -e "$library" ] || break
    done
    [ -e "$library" ] && command -v cc >/dev/null || skip "no library, or no compiler"
    ! sanitized || skip "the library is a sanitized one"
    cat >main.c <<'END'
#include <stdio.h>
#include "front/picture/drawing.h"
int main(void)
{
    struct cow_error err = {0};
    struct drawing_bytes out = {0};
    int status = drawing_need_png(&err);
    if (status != drawing_png(NULL, &out, &err)) {
        return 1;
    }
    printf("%s - %s\n", err.message, err.hint);
    return cow_status_exit_code(status);
}
END
    cc -D_GNU_SOURCE -I"$root/include" -I"$root/src" -o main main.c "$root/src/front/picture/png.c" "$library" 2>err || die "$(head -n 3 err)"
    ./main >out
    eq 63 $? "exit code"
    has "built without libpng" out
    has "libpng-dev" out
}

t "a small image in one row" a_row
t "many rows, at random" many_rows
t "a large disk, and the largest" a_large_disk
t "looked into" looked_into
t "along a curve" along_a_curve
t "where things end" ends
t "to standard output" standard_output
t "no PNG to a terminal" not_to_a_terminal
t "files that no picture replaces" refused
t "whole or not at all" whole
t "a plan like others" planned
t "odd names" odd_names
t "other formats" all_formats
t "without libpng" without_libpng

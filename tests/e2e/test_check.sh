#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# check: each finding as it is printed, what is clean, what cannot be checked; and --repair, after which the disk is the
# same and what could be mended is gone. Looking writes nothing.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# A backing file of SIZE whose sectors all differ, none of them zero, dated as in 2003; and x.cow on it.
disk() # SIZE SECTORS [ALIGNMENT]
{
    py "$1" <<'END'
import random, sys
random.seed(1)
open("b.img", "wb").write(random.randbytes(int(sys.argv[1])))
END
    touch -d '2003-04-05 06:07:08 UTC' b.img
    rm -f x.cow .x.cow.*
    model make x.cow b.img "${3:-4096}" "$2"
}

# at WHAT SECTOR [SECTORS]: bytes into the data of x.cow, bits left alone: zeros, noise, or those of the backing file.
at()
{
    py "$1" "$2" "${3:-1}" "$(model header x.cow uml-cow-v3 | awk '$1 == "data_offset" { print $2 }')" <<'END'
import sys
what, first, n, data = sys.argv[1], *map(int, sys.argv[2:])
with open("b.img", "rb") as b, open("x.cow", "r+b") as x:
    b.seek(first * 512)
    x.seek(data + first * 512)
    x.write({"zeros": bytes(n * 512), "noise": b"noise..." * 64 * n}.get(what) or b.read(n * 512))
END
}

lines='.findings[] | "\(.severity) \(.code): \(.message)\(if .fixable then " [fixable]" else "" end)"'

# What check finds, told by standard input; "clean" for nothing. Both forms say the same, and the files stay as they are.
finds() # CODE [ARGUMENTS...]
{
    local code=$1 severity text
    shift
    mapfile -t files < <(find . -maxdepth 1 -type f ! -name out ! -name err ! -name want ! -name got ! -name jq.err)
    freeze "${files[@]}"
    cat >want
    run "$code" check --json "$@"
    json "$lines" >got
    [ -s got ] || echo clean >got
    cmp -s want got || die "$(diff want got | grep '^[<>]' | tr '\n' ' ')"
    run "$code" check "$@"
    while read -r severity text; do
        [ "$severity" != clean ] || continue
        grep -F -- "${text% \[fixable\]}" out | grep -qE "^ *$severity +" || die "the text does not say: $severity $text"
    done <want
    unchanged check
}

clean()
{
    disk 1048576 8-23,2040-2047
    finds 0 x.cow <<<clean
    run 0 check --json x.cow
    eq true "$(json .scanned)" scanned
    run 0 check --quick --json x.cow
    eq false "$(json .scanned)" "scanned with --quick"
}

cannot()
{
    small
    run 2 check nothing.cow
    run 63 check b.img
    run 2 check -b nothing x.cow
    run 3 check -b x.cow x.cow
    model poke x.cow 4 00000009
    run 63 check x.cow
}

invalid()
{
    small
    model poke x.cow 20 00000003
    finds 5 x.cow <<<'corrupt not-valid: header: sector size is 3, not a power of two from 512 to 65536'
    model poke x.cow 20 00000200
    model poke x.cow 24 00000000
    finds 5 x.cow <<<'corrupt not-valid: header: alignment is 0, not from 1 to 2147483647 (it makes a UML kernel panic)'
    model poke x.cow 24 00001000
    model poke x.cow 12 ffffffffffffffff
    finds 5 x.cow <<<'corrupt unfinished: the size field is 2^64-1, the mark of an unfinished change, and there is no journal that tells its size'
    run 5 check --repair -y x.cow
    unchanged "a repair of what has no fix"
}

backing()
{
    disk 65536 0-7
    mv b.img c.img
    finds 1 x.cow <<END
error backing-missing: the backing file $PWD/b.img is not there [fixable]
END
    finds 1 -b c.img x.cow <<END
warning backing-elsewhere: the header names $PWD/b.img, not c.img [fixable]
END
    mkdir b.img
    finds 1 x.cow <<END
error backing-unusable: the backing file cannot be used: $PWD/b.img: a directory, not a regular file [fixable]
END
    rmdir b.img
    mv c.img b.img
    truncate -s 69632 b.img
    touch -d @1049522828 b.img
    finds 1 x.cow <<'END'
error backing-size: the disk has 65536 bytes (64.0 KiB), the backing file 69632 (68.0 KiB) [fixable]
END
    truncate -s 65536 b.img
    touch -d @1049522829 b.img
    finds 1 x.cow <<'END'
error backing-date: the date of the backing file is 2003-04-05 06:07:09 UTC (1049522829), that in the header 2003-04-05 06:07:08 UTC (1049522828); nothing tells whether its content has changed: there is no ext filesystem at its beginning [fixable]
END
    run 1 check --repair -y x.cow # it takes a decision
    unchanged "a repair of what takes a decision"
    cp x.cow b.img
    truncate -s 65536 b.img
    touch -d @1049522828 b.img
    finds 1 x.cow <<'END'
error backing-is-cow: the backing file is a COW image itself: UML COW v3
END
}

candidates='.findings[] | .code as $c | .candidates[] | "\($c) \(.path) \(.fits | join(","))"'

# What is offered, by standard input; the commands of the text are those of the JSON, and each is possible.
offers() # [ARGUMENTS...]
{
    cat >want
    run 1 check --json "$@"
    json "$candidates" >got
    cmp -s want got || die "$(diff want got | grep '^[<>]' | tr '\n' ' ')"
    json '.findings[].candidates[].command' >commands
    run 1 check "$@"
    while read -r command; do
        has "): $command" out
    done <commands
}

# A backing file that is not where the header says is looked for, beside the image and where the header says.
moved()
{
    mkdir there gone
    disk 65536 0-7
    mv x.cow there/
    freeze there/x.cow
    mv b.img there/
    offers there/x.cow <<<"backing-missing $PWD/there/b.img name,size,date"
    has "name the file that fits as the backing file (same name, size and date): cowtui rebase --to $PWD/there/b.img there/x.cow" out
    cp there/b.img there/other.img # of today: nothing but its size fits
    cp -p there/b.img renamed.img
    offers there/x.cow <<END
backing-missing $PWD/there/b.img name,size,date
backing-missing $PWD/renamed.img size,date
END
    run 1 check --repair -y there/x.cow # it takes a decision
    unchanged "a repair of what takes a decision"
    offers --quick there/x.cow <<END
backing-missing $PWD/there/b.img name,size,date
backing-missing $PWD/renamed.img size,date
END
    run 0 check --json --no-backing there/x.cow
    eq 0 "$(json '[.findings[].candidates[]] | length')" "candidates where none is to be looked for"
    run 0 rebase -y --to "$PWD/there/b.img" there/x.cow
    run 0 undo -y there/x.cow
    rm renamed.img
    touch there/b.img
    offers there/x.cow <<<"backing-missing $PWD/there/b.img name,size"
    has "if you know that its content is right (same name and size, another date): cowtui rebase --restamp --to" out
    run 3 rebase -y --to "$PWD/there/b.img" there/x.cow
    unchanged "a rebase to a file of another date"
    run 0 rebase -y --restamp --to "$PWD/there/b.img" there/x.cow
    run 0 check there/x.cow
}

# Nothing is opened that is no file, no link followed, no other directory entered; and nobody waits.
not_offered()
{
    mkdir other
    disk 65536 0-7
    mv b.img other/
    mkfifo -m 600 b.img
    run 1 check --json x.cow
    eq 0 "$(json '[.findings[].candidates[]] | length')" "a FIFO is offered"
    rm b.img
    ln -s other/b.img c.img
    ln -s c.img d.img
    ln -s . loop
    ln -s e.img e.img
    run 1 check --json x.cow
    eq 0 "$(json '[.findings[].candidates[]] | length')" "a link is offered"
    eq false "$(json '.findings[].fixable')" fixable
    run 1 check x.cow
    hasnt "fix" out
    cp -p other/b.img $'odd\033[31m\tname'
    run 1 check x.cow
    has "same size and date" out
    hasnt $'\033' out
    mv $'odd\033[31m\tname' "it's a name"
    run 1 check x.cow
    bash -c "$(sed -n 's/^ *fix .*): cowtui \(rebase\)/"$0" -y \1/p' out)" "$COWTUI" >/dev/null 2>&1 || die "the command does not do it: $(cat out)"
    run 0 check x.cow
}

# Only its date, or its content, too? The superblock of the filesystem in it is asked.
touched()
{
    command -v mke2fs >/dev/null && command -v debugfs >/dev/null || skip "e2fsprogs is not installed"
    truncate -s 1M b.img
    E2FSPROGS_FAKE_TIME=1049522000 mke2fs -q -F -t ext2 b.img
    touch -d @1049522828 b.img
    run 0 create -q x.cow b.img
    finds 0 x.cow <<<clean
    touch -d @1049609228 b.img
    run 1 check --json x.cow
    has "looks touched only" <(json '.findings[] | select(.code == "backing-date") | .message')
    has "written 2003-04-05 05:53:20 UTC" out
    E2FSPROGS_FAKE_TIME=1049609000 debugfs -w -R 'mkdir new' b.img 2>/dev/null
    touch -d @1049609228 b.img
    run 1 check --json x.cow
    has "looks modified" <(json '.findings[] | select(.code == "backing-modified") | .message')
    has "written 2003-04-06 06:03:20 UTC" out
}

paths()
{
    disk 65536 0-7
    model poke x.cow 32 622e696d6700 # b.img
    finds 1 x.cow <<<'warning path-relative: the backing path "b.img" is relative [fixable]'
    mkdir d
    cd d || die cd
    run 1 check ../x.cow
    has "; the file was found beside the image only" out
    cd ..
    rm -r d
    mv b.img "$(printf 'b\033[31m.img')"
    model poke x.cow 32 621b5b33316d2e696d6700
    finds 1 x.cow <<'END'
warning path-relative: the backing path "b\x1b[31m.img" is relative [fixable]
warning path-control: the backing path has 1 control character in it: "b\x1b[31m.img"
END
    model poke x.cow 32 "2f$(printf '78%.0s' $(seq 300))00"
    run 1 check --json x.cow
    eq 'the backing path has a name of 300 bytes in it; the limit is 255' \
        "$(json '.findings[] | select(.code == "path-long") | .message')" message
}

header()
{
    disk 65536 0-7
    model poke x.cow 28 00000007
    finds 1 x.cow <<<'warning cow-format: the field "cow format" is 7, not 0 [fixable]'
    disk 32768 -
    finds 1 x.cow <<<'warning small-disk: the disk has 32768 bytes (32.0 KiB)'
    disk 1050112 - 1
    finds 1 x.cow <<<'warning overlap: a kernel writes the bitmap in pieces of 16 bytes; the last one reaches 7 bytes into sector 0 [fixable]'
    disk 65536 - 1073741824
    finds 1 x.cow <<<'error data-offset: the data begin at 2147483648, past 2147483647 [fixable]'
}

formats()
{
    local v
    disk 263680 8-15
    for v in uml-cow-v1-64:'UML COW v1 (64-bit host)' uml-cow-v2-64:'UML COW v2 (64-bit host)' \
        uml-cow-v2-long:'UML COW v2 (64-bit host, long magic)'; do
        model as x.cow uml-cow-v3 "${v%%:*}" y.cow
        finds 1 y.cow <<END
error format: the format is ${v#*:} [fixable]
warning tail: the last 3 of 515 sectors have no bit [fixable]
END
    done
    for v in qemu-cow:'QEMU COW' qemu-cow-i386:'QEMU COW (i386)'; do
        model as x.cow uml-cow-v3 "${v%%:*}" y.cow
        finds 1 y.cow <<<"error format: the format is ${v#*:} [fixable]"
    done
    model as x.cow uml-cow-v3 uml-cow-v1-be y.cow
    finds 1 y.cow <<'END'
error big-endian: the format is UML COW v1 (big-endian host): the bitmap may be in numbers of that byte order, and the header does not tell [fixable]
warning tail: the last 3 of 515 sectors have no bit [fixable]
END
    model as x.cow uml-cow-v3 uml-cow-v2 y.cow
    finds 1 y.cow <<<'warning tail: the last 3 of 515 sectors have no bit [fixable]'
    model as x.cow uml-cow-v3 uml-cow-v3-64 y.cow
    finds 0 y.cow <<<clean
}

layout()
{
    disk 1048576 8-15,1000-1007
    truncate -s $((12288 + 1003 * 512)) x.cow
    finds 1 x.cow <<<'error data-cut: the file ends at 525824: the data of 5 dirty sectors, from sector 1003 on, are missing [fixable]'
    truncate -s 8292 x.cow
    finds 1 x.cow <<'END'
error bitmap-cut: the file ends at 8292, and its bitmap would at 8448: 156 bytes of it are missing [fixable]
error data-cut: the file ends at 8292: the data of 8 dirty sectors, from sector 0 on, are missing [fixable]
END
    disk 1048576 8-15
    truncate -s $((12288 + 1048576 + 4096)) x.cow
    finds 1 x.cow <<<'warning file-long: the file has 1064960 bytes, 4096 (4.00 KiB) more than its layout [fixable]'
    disk 1047040 8-15
    model poke x.cow $((8192 + 255)) e0
    finds 1 x.cow <<<'note padding: 3 bits behind that of the last sector, 2044, are set [fixable]'
    disk 4194304 8-15
    cp --sparse=never x.cow y.cow && sync y.cow
    run 1 check --json y.cow
    eq inflated "$(json '.findings[].code')" "an inflated copy"
    grep -qE 'takes 4\.0[0-9] MiB, what it holds needs [0-9.]+ KiB: (3\.9[0-9]|4\.00) MiB of holes were filled' out || die "$(cat out)"
}

content()
{
    disk 1048576 8-15,100-119,1001
    finds 1 x.cow <<<'error mixed-pages: 2 pages of 4 KiB mix sectors of the COW and of the backing file, the first at 48.0 KiB (sector 96) [fixable]'
    disk 1048576 8-23,40-63,128-151
    at redundant 8 15
    at redundant 40 24
    at zeros 128 12
    at noise 200 3
    finds 1 x.cow <<'END'
note orphans: 3 clean sectors have other data in the COW (1.50 KiB), from sector 200 on: writes that a crash lost [fixable]
note redundant: 39 of 64 dirty sectors equal the backing file; compacting drops 32 of them, whole pages: 16.0 KiB, of which 16.0 KiB take space [fixable]
note zeros: 12 of 64 dirty sectors are written zeros; compacting makes holes of 8 of them, whole pages: 4.00 KiB [fixable]
END
}

around()
{
    disk 65536 0-7,9
    hold write x.cow
    finds 1 x.cow <<END
error mixed-pages: 1 page of 4 KiB mixes sectors of the COW and of the backing file, the first at 4.00 KiB (sector 8)
note locked: in use by pid $holder
END
    let_go
    ln x.cow y.cow
    finds 1 x.cow <<'END'
error mixed-pages: 1 page of 4 KiB mixes sectors of the COW and of the backing file, the first at 4.00 KiB (sector 8)
note several-names: the file has 2 names (hard links)
END
    rm y.cow
    head -c 2097152 /dev/urandom >.x.cow.cowtui-undo && sync .x.cow.cowtui-undo
    run 1 check --json x.cow
    has 'what undoes the last change takes 2.0' <(json '.findings[] | select(.code == "undo") | .message')
    # Told, but nothing is wrong.
    run 0 pages -q -y x.cow
    head -c 2097152 /dev/urandom >.x.cow.cowtui-undo && sync .x.cow.cowtui-undo
    run 0 check --json x.cow
    eq undo "$(json '.findings[].code')" "findings"
}

interrupted()
{
    small
    killed at copy_file_range .x.cow.cowtui-new resize -y --policy copy x.cow 32M
    eq ".x.cow.cowtui-journal .x.cow.cowtui-new b.img x.cow x.cow.backing " "$(names)" "files after the kill"
    run 1 check --json x.cow
    eq 'interrupted true' "$(json '.findings[0] | "\(.code) \(.fixable)"')" "first finding"
    run 1 check --repair -y --json x.cow
    [ ! -e .x.cow.cowtui-journal ] || die "not recovered"
    eq mixed-pages "$(json '.findings[].code')" "what is left"
    run 0 check --repair -y x.cow # now what was found behind it
}

# ---- mending ----

# check --repair: the same disk; no finding is left that it could mend.
repairs() # BACKING VARIANT IMAGE
{
    local want
    want=$(model compose "$3" "$2" "$1")
    freeze "$1"
    "$COWTUI" check --repair -y -b "$1" "$3" >out 2>err
    [ $? -le 1 ] || die "$3: $(cat err)"
    unchanged "the backing file of $3"
    eq "$want" "$(model compose "$3" uml-cow-v3 "$1")" "the disk of $3"
    "$COWTUI" check --json -b "$1" "$3" >out 2>err
    eq "" "$(json '.findings[] | select(.safe) | .code')" "what is left in $3"
}

all_at_once()
{
    disk 1050112 8-23,40-63,128-151,100,1001 1
    at redundant 8 15
    at redundant 40 24
    at zeros 128 16
    freeze x.cow b.img
    run 1 check --json x.cow
    eq 'mixed-pages overlap redundant zeros' "$(json '[.findings[].code] | join(" ")')" findings
    repairs b.img uml-cow-v3 x.cow
    run 0 check x.cow
    eq 16-23,96-103,128-151,1000-1007 "$(model dirty x.cow uml-cow-v3)" "dirty sectors"
    run 0 undo -q -y x.cow
    run 1 check --json x.cow
    eq 4 "$(json '.findings | length')" "findings after undo"
}

dry()
{
    small
    freeze x.cow b.img
    run 1 check --repair -n x.cow
    has "x.cow" out
    unchanged "a dry run"
    run 3 check --repair x.cow
    unchanged "without a yes"
}

# --fix: what is named, safe or not, and nothing else.
named()
{
    local want
    disk 1048576 8-23,40-63,128-151
    at redundant 8 15
    at redundant 40 24
    at zeros 128 12
    at noise 200 3
    freeze x.cow b.img
    run 2 check --fix orphan -y x.cow
    has "did you mean orphans?" err
    run 2 check --fix locked -y x.cow # it has none
    run 2 check --fix orphans --fix nothing -y x.cow
    run 2 check --fix orphans --repair -y x.cow
    has "one of them" err
    run 1 check --fix mixed-pages -y x.cow # there are none
    has "none of them is mended by --fix" err
    run 1 check --fix orphans -n x.cow
    has "check --fix orphans x.cow" out
    run 3 check --fix orphans x.cow
    unchanged "what mends nothing"
    want=$(model compose x.cow uml-cow-v3 b.img)
    run 1 check --fix orphans -y x.cow
    run 1 check --json x.cow
    eq 'redundant zeros' "$(json '[.findings[].code] | join(" ")')" "findings behind it"
    eq "$want" "$(model compose x.cow uml-cow-v3 b.img)" "the disk"
    run 0 check --fix zeros --fix redundant --json -y x.cow
    eq repair "$(json .repair.operation)" "the plan"
    has "check --repair" <(json .repair.command) # both are safe, and nothing else is left
    run 0 check x.cow
    eq "$want" "$(model compose x.cow uml-cow-v3 b.img)" "the disk"
    touch -d @1049609228 b.img
    run 0 check --fix backing-date -y x.cow
    eq 1049609228 "$(model header x.cow uml-cow-v3 | sed -n 's/^mtime //p')" "date in the header"
}

every_sample()
{
    local file backing variant n=0
    samples
    while IFS=$'\t' read -r file variant _ _ _ _ _ _ _ _ _ _ _ _ _ backing _; do
        [ "$file" != file ] && [ "$backing" != - ] || continue
        sample "$file" "$backing"
        "$COWTUI" check --json -b "$backing" "$file" >out 2>err
        [ "$(json '[.findings[] | select(.safe)] | length')" -gt 0 ] || continue
        repairs "$backing" "$variant" "$file"
        eq "$(of "$file" sha256_merged)" "$(model compose "$file" uml-cow-v3 "$backing")" "the disk of $file"
        n=$((n + 1))
    done <"$root/tests/data/cow-variants.tsv"
    [ "$n" -gt 25 ] || die "only $n samples had something to mend"
}

# A sparse disk of 7 TiB costs next to nothing, whatever its size.
memory()
{
    ! sanitized || skip "sanitizers have their own memory"
    truncate -s 7T b.img 2>/dev/null || skip "no file of 7 TiB is to be had here"
    touch -d '2003-04-05 06:07:08 UTC' b.img
    run 0 create -q x.cow b.img
    "$PYTHON" -ES - "$COWTUI" <<'END' >out 2>err || die "$(cat out err)"
import resource, subprocess, sys, time
begin = time.time()
code = subprocess.call([sys.argv[1], "check", "x.cow"])
kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
seconds = time.time() - begin
print(code, kib, "KiB", seconds, "s")
sys.exit(code != 0 or kib > 16384 or seconds > 10)
END
}

t "check: a clean image" clean
t "check: what cannot be checked" cannot
t "check: no valid image" invalid
t "check: backing file" backing
t "check: a backing file that has moved" moved
t "check: what is no candidate" not_offered
t "check: touched or modified" touched
t "check: paths" paths
t "check: header" header
t "check: formats" formats
t "check: file and layout" layout
t "check: bits and bytes" content
t "check: locks, links, undo data" around
t "check: an interrupted change" interrupted
t "check: repair of everything at once" all_at_once
t "check: fixes by name" named
t "check: a repair that nobody agrees to" dry
t "check: repair of every sample" every_sample
t "check: memory and time for 7 TiB" memory

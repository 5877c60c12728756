#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# map --scan: what every sector of the image is worth, against the model's own comparison of the bytes; and that
# looking so closely still only looks.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# The map in ./out in the model's words: "start length what", neighbours joined. Where a hole begins is up to the
# filesystem, so holes are zeros, and the origins of what is clean are one.
in_models_words()
{
    awk '!/^#/ { what = $3
            if (what ~ /^(backing|backing-hole|beyond-backing)$/) what = "clean"
            if (what == "hole") what = "zero"
            if (what == last) { length_ += $2 } else { if (last) print start, length_, last; start = $1; length_ = $2 }
            last = what }
        END { print start, length_, last }' "$1"
}

# The map begins at 0, has no gap, ends with the disk, and joins what can be joined.
well_formed() # SIZE
{
    awk -v size="$1" '!/^#/ { if ($1 != end + 0) print "gap before " $1
            if ($3 == last && ($4 == "-" ? at == "-" : $4 == at)) print "not joined at " $1
            if ($3 == "cow") print "not looked into at " $1
            end = $1 + $2; last = $3; at = $4 == "-" ? "-" : $4 + $2 }
        END { if (end != size) print "ends at " end }' out >wrong
    [ ! -s wrong ] || die "the map: $(head -n 3 wrong | tr '\n' ' ')"
    rm wrong
}

same_as_json()
{
    cp out text
    run 0 map --scan --json "$@"
    json '.[] | "\(.start) \(.length) \(.origin) \(.offset // "-")"' >from_json
    awk '!/^#/ { print $1, $2, $3, $4 }' text | cmp - from_json || die "text and JSON differ"
    rm text from_json
}

kinds()
{
    all_kinds
    freeze x.cow b.img
    run 0 map --scan x.cow
    well_formed 65836
    for origin in backing redundant zero changed orphan; do
        has "$origin" out
    done
    in_models_words out >got
    model scan x.cow uml-cow-v3 b.img >want
    diff want got >difference || die "$(head -n 3 difference | tr '\n' ' ')"
    same_as_json x.cow
    unchanged "a scan"
}

variant()
{
    local file=$1 under named=()
    under=$(of "$file" backing_file)
    sample "$file"
    if [ "$under" != - ]; then
        sample "$under"
        named=(-b "$under")
    fi
    freeze "$file" "$under"
    run 0 map --scan "${named[@]}" "$file"
    well_formed "$(of "$file" size)"
    in_models_words out >got
    model scan "$file" "$(of "$file" variant)" "$under" >want
    diff want got >difference || die "$(head -n 3 difference | tr '\n' ' ')"
    same_as_json "${named[@]}" "$file"
    unchanged "a scan"
}

# Holes of both files: dirty and a hole is zeros, unless below it is the same.
holes()
{
    truncate -s 4M b.img
    head -c 1048576 /dev/zero | tr '\0' 'b' | dd of=b.img bs=1M seek=1 conv=notrunc status=none
    touch -d '2003-04-05 06:07:08 UTC' b.img
    model make x.cow b.img 65536 0
    # Bits of 512 KiB from 512 KiB on, and of the last MiB; no data.
    model poke x.cow $((65536 + 1024 / 8)) "$(printf 'ff%.0s' $(seq 256))"
    model poke x.cow $((65536 + 6144 / 8)) "$(printf 'ff%.0s' $(seq 256))"
    run 0 map --scan x.cow
    well_formed 4194304
    eq "0 512 changed
512 523776 backing-hole
524288 524288 redundant
1048576 524288 hole
1572864 524288 backing
2097152 1048576 backing-hole
3145728 1048576 redundant" "$(awk '!/^#/ { print $1, $2, $3 }' out)" "the map"
}

# What is longer than one piece of reading is one run all the same.
long_runs()
{
    head -c 9437184 /dev/zero | tr '\0' 'b' >b.img
    model make x.cow b.img 4096 -
    cp b.img over
    model poke x.cow 4096 00 # nothing, but the path is there
    py <<'END'
with open("x.cow", "r+b") as f:
    f.seek(8192)
    f.write(b"\xff" * (9437184 // 512 // 8))
    f.seek(12288)
    f.write(b"b" * 5242880 + b"c" * 4194304)
END
    run 0 map --scan x.cow
    well_formed 9437184
    eq "0 5242880 redundant 5242880 4194304 changed" "$(awk '!/^#/ { printf "%s%s %s %s", s, $1, $2, $3; s = " " }' out)" \
        "the map"
}

refusals()
{
    small
    rm b.img
    run 2 map --scan x.cow
    run 2 map --scan --json x.cow
    [ ! -s out ] || die "JSON that is not whole"
    run 0 map x.cow
    run 2 map --scan -b nowhere x.cow
    run 2 info --scan x.cow
    small
    model poke x.cow 12 ffffffffffffffff
    run 5 map --scan x.cow
    run 63 map --scan b.img
}

# A backing file that is shorter than the header says: zeros after its end.
short_backing()
{
    all_kinds
    truncate -s 30000 b.img
    freeze x.cow b.img
    run 0 map --scan x.cow
    has beyond-backing out
    well_formed 65836
    in_models_words out >got
    model scan x.cow uml-cow-v3 b.img >want
    diff want got >difference || die "$(head -n 3 difference | tr '\n' ' ')"
    unchanged "a scan"
}

streams()
{
    all_kinds
    "$COWTUI" map --scan x.cow >/dev/full 2>err
    eq 2 $? "exit code on a full device"
    "$COWTUI" map --scan --json x.cow >/dev/full 2>err
    eq 2 $? "exit code on a full device, JSON"
    TMPDIR=$PWD/nowhere "$COWTUI" map --scan --json x.cow >out 2>err
    eq 2 $? "exit code without a place for the temporary file"
    eq 0 "$(stat -c %s out)" "bytes printed then"
}

# While a guest holds the image.
in_use()
{
    all_kinds
    run 0 map --scan x.cow
    cp out text
    hold write x.cow
    run 0 map --scan x.cow
    let_go
    cmp out text || die "another map while a guest runs"
}

guest()
{
    tar -xf "$root/share/demo/guest-ext4.tar.xz" || die "share/demo/guest-ext4.tar.xz does not unpack"
    freeze root.cow root_fs.img
    run 0 map --scan root.cow
    well_formed 67108864
    eq "1386 518" "$(awk '!/^#/ { n[$3] += $2 / 512 } END { print n["redundant"], n["changed"] + n["zero"] + n["hole"] }' out)" \
        "redundant and changed sectors"
    in_models_words out >got
    model scan root.cow uml-cow-v3 root_fs.img >want
    diff want got >difference || die "$(head -n 3 difference | tr '\n' ' ')"
    unchanged "a scan"
}

# The commands that the screen hands out for each run of Blocks, carried out one after the other: that is the disk.
taken_along()
{
    small
    printf 'size 200x40\nkey 3\n' >keys.script
    for _ in 1 2 3 4 5; do printf 'key Y\ndump-screen\nkey Down\n' >>keys.script; done
    run 0 --script keys.script x.cow
    grep -oE '^ *dd if=[^ ]+ bs=64K iflag=[a-z_,]+ skip=[0-9]+ count=[0-9]+' out >commands
    eq 5 "$(wc -l <commands)" "commands"
    while read -r command; do
        bash -c "$command" 2>/dev/null </dev/null || die "it fails: $command"
    done <commands >raw
    eq "$(model compose x.cow uml-cow-v3 b.img)" "$(sha raw)" "what they read"
}

t "scan: all kinds" kinds
t "scan: the screen's commands read the disk" taken_along
samples
while read -r file; do
    t "scan: $file" variant "$file"
done < <(tail -n +2 "$root/tests/data/cow-variants.tsv" | cut -f1)
t "scan: holes" holes
t "scan: long runs" long_runs
t "scan: refusals" refusals
t "scan: a short backing file" short_backing
t "scan: streams" streams
t "scan: an image in use" in_use
t "scan: the disk of a guest" guest

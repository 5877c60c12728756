#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# create: a new image on a backing file, judged by the model, by info, and by uml_moo.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

fresh()
{
    samples
    sample b1m.raw b515.raw
    freeze b1m.raw b515.raw
    run 0 create x.cow b1m.raw
    run 0 create ./y.cow ./b515.raw
    unchanged create
    eq "b1m.raw b515.raw x.cow y.cow " "$(names)" files
    model header x.cow uml-cow-v3 >fields
    has "size 1048576" fields
    has "sector 512" fields
    has "mtime 1049522828" fields
    has "path $PWD/b1m.raw" fields
    run 0 info --json x.cow
    eq uml-cow-v3 "$(json .format)" format
    eq 0 "$(json .usage.dirty_sectors)" "dirty sectors"
    eq true "$(json .uml.opens)" "would UML open it"
    eq "$PWD/b1m.raw" "$(json .backing.path)" "backing path"
    [ "$(json .alignment)" -ge 1048576 ] || die "an alignment of $(json .alignment) leaves no room to grow"
    run 0 merge -o raw x.cow
    cmp raw b1m.raw || die "the composed disk is not the backing file"
    eq "$(sha b515.raw)" "$(model compose y.cow uml-cow-v3 b515.raw)" "composed disk"
}

by_uml_moo()
{
    command -v uml_moo >/dev/null || skip "uml_moo is not installed"
    samples
    sample b1m.raw
    run 0 create x.cow b1m.raw
    uml_moo x.cow moo.raw >/dev/null || die "uml_moo does not read it"
    cmp moo.raw b1m.raw || die "uml_moo's disk is not the backing file"
}

refused()
{
    samples
    sample b1m.raw
    small
    ln b1m.raw hard
    ln -s b1m.raw soft
    freeze b1m.raw x.cow b.img
    run 3 create x.cow b1m.raw
    has exists err
    for name in b1m.raw ./b1m.raw hard soft; do
        run 3 create "$name" b1m.raw
        run 3 create --force "$name" b1m.raw
    done
    mkdir d
    run 3 create -f d b1m.raw
    run 2 create y.cow nowhere
    run 2 create y.cow d
    run 2 create nowhere/y.cow b1m.raw
    run 2 create y.cow/ b1m.raw
    run 2 create --reserve 12Q y.cow b1m.raw
    run 2 create -b b.img y.cow b1m.raw
    head -c 32768 /dev/zero >tiny
    run 3 create y.cow tiny
    touch -d 1969-12-31T00:00:00Z tiny
    truncate -s 1M old && touch -d 1969-12-31T00:00:00Z old
    run 3 create y.cow old
    truncate -s 8T big 2>/dev/null && run 3 create y.cow big
    unchanged "what is refused"
    rm -f big
    eq "b.img b1m.raw d hard old soft tiny x.cow " "$(names)" files
}

forced()
{
    small
    run 0 create --force x.cow b.img
    run 0 info --json x.cow
    eq 0 "$(json .usage.dirty_sectors)" "dirty sectors"
}

dry_run()
{
    small
    freeze x.cow b.img
    run 0 create -n y.cow b.img
    has "64.0 KiB" out
    run 0 create -n --json y.cow b.img
    eq null "$(json .before)" before
    eq uml-cow-v3 "$(json .after.format)" format
    eq false "$(json .changes_existing)" "changes something"
    [ "$(json '.steps | length')" -gt 0 ] || die "no steps"
    eq "b.img x.cow " "$(names)" files
    unchanged "a dry run"
}

# The reserve is kept: a disk of that size lies in the same place.
reserve()
{
    local size
    small
    for size in 64M 4G 1T; do
        run 0 create -f --reserve "$size" y.cow b.img
        run 0 create -n -f --reserve "$size" --json y.cow b.img
        [ "$(json .can_grow_to_bytes)" -ge "$(numfmt --from=iec "$size")" ] ||
            die "--reserve $size: grows to $(json .can_grow_to_bytes) only"
        [ "$(json .after.data_offset)" -le 2147483647 ] || die "--reserve $size: out of a kernel's range"
        [ "$(stat -c %b y.cow)" -lt 64 ] || die "--reserve $size: takes $(stat -c %b y.cow) blocks"
    done
    run 5 create -f --reserve 16T y.cow b.img
}

# 8 TiB - 1 GiB, and the map of such a disk in a few MiB of memory.
huge()
{
    truncate -s $((8 * 1024 ** 4 - 1024 ** 3)) big 2>/dev/null || skip "no file of 8 TiB can be made here"
    run 0 create x.cow big
    run 0 info --json x.cow
    eq true "$(json .uml.opens)" "would UML open it"
    py "$(json .layout.bitmap_offset)" <<'END'
import random, sys
rng = random.Random(1)
with open("x.cow", "r+b") as f:
    for page in range(60):
        f.seek(int(sys.argv[1]) + rng.randrange(2**31 // 4096 - 2**18 // 4096) * 4096)
        f.write(rng.randbytes(4096))
END
    "$PYTHON" -ES - "$COWTUI" <<'END' || die "$(cat peak)"
import resource, subprocess, sys
for command in ["info", "--json"], ["map", "--json"]:
    with open("map.json", "w") as out:
        subprocess.run([sys.argv[1]] + command + ["x.cow"], stdout=out, check=True)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
with open(sys.argv[1], "rb") as f:
    sanitized = b"__asan_init" in f.read()
if peak > 16384 and not sanitized:
    open("peak", "w").write(f"{peak} KiB at the peak")
    sys.exit(1)
END
    [ "$(wc -l <map.json)" -gt 100000 ] || die "the map is short"
    eq $((8 * 1024 ** 4 - 1024 ** 3)) "$(jq '.[-1] | .start + .length' map.json)" "end of the map"
}

t "create: a fresh image" fresh
t "create: uml_moo reads it" by_uml_moo
t "create: refused" refused
t "create: --force" forced
t "create: dry run" dry_run
t "create: --reserve" reserve
t "create: 8 TiB - 1 GiB, and its map" huge

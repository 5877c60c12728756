#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# resize on copies of real files of every variant: the composed disk must be the old bytes and zeros, by the
# model's reading of the result; what is not part of the change stays as it was.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

grown=2097664 # 2 MiB and a sector: the bitmap's last byte is a partial one

# Fills `want` with the sum of the disk as it must be.
expect_disk() # IMAGE VARIANT BACKING SIZE
{
    want=$(model compose "$1" "$2" "$3" "$4") || exit 1
}

attributes()
{
    py "$1" <<'END'
import os, stat, sys
info = os.stat(sys.argv[1])
names = [n for n in os.listxattr(sys.argv[1]) if n.startswith("user.")]
print(oct(info.st_mode), info.st_uid, info.st_gid, {n: os.getxattr(sys.argv[1], n) for n in sorted(names)})
END
}

give_attributes()
{
    chmod 640 "$1"
    [ "$(id -u)" != 0 ] || chown 12:34 "$1"
    py "$1" <<'END'
import contextlib, os, sys
with contextlib.suppress(OSError):
    os.setxattr(sys.argv[1], "user.note", b"kept")
END
}

# The backing file after extend: the old bytes, then zeros; the date as it was.
check_extended() # FILE SIZE_BEFORE SHA_BEFORE
{
    eq "$grown" "$(stat -c %s "$1")" "size of the backing file"
    eq "$backing_date" "$(stat -c %.Y "$1")" "date of the backing file"
    eq "$3" "$(sha "$1" "$2")" "content of the backing file"
    eq 0 "$(tail -c "+$(($2 + 1))" "$1" | tr -d '\0' | wc -c)" "bytes that are no zeros behind it"
}

# One sample, one policy.
grow()
{
    local file=$1 policy=$2 under new had before_size before_sha method before
    under=$(of "$file" backing_file)
    sample "$file" "$under"
    new=$under
    give_attributes "$file"
    before=$(state "$file" "$under")
    method=$(expected_method "$file" "$policy") || exit 1
    had=$(attributes "$file")
    expect_disk "$file" "$(of "$file" variant)" "$under" "$grown"
    before_size=$(stat -c %s "$under") backing_date=$(stat -c %.Y "$under")
    # What a backing file holds past the disk's end is not part of it (qemu32-300001).
    [ "$before_size" -le "$(of "$file" size)" ] || before_size=$(of "$file" size)
    before_sha=$(sha "$under" "$before_size")
    freeze "$file" "$under"
    run 0 resize -n --json --policy "$policy" -b "$under" "$file" "$grown"
    eq "$method" "$(json .method)" method
    unchanged "a dry run"
    freeze "$under"
    run_long 0 resize -y --policy "$policy" -b "$under" "$file" "$grown"
    case $policy in
    extend) check_extended "$under" "$before_size" "$before_sha" ;;
    copy)
        new=$file.backing
        check_extended "$new" "$before_size" "$before_sha"
        unchanged "policy copy"
        ;;
    keep) unchanged "policy keep" ;;
    esac
    check_result "$file" "$new" "$policy" "$had" "$method"
    eq "$( (printf '%s\n' "$file" "$under" "$new" ".$file.cowtui-undo") | LC_ALL=C sort -u | tr '\n' ' ')" "$(names)" files
    run_long 0 undo -q -y "$file"
    eq "$before" "$(state "$file" "$under")" "what undo leaves"
    eq "$( (printf '%s\n' "$file" "$under") | LC_ALL=C sort | tr '\n' ' ')" "$(names)" "files after undo"
}

# By the format's arithmetic alone: the data of a v3 with sectors of 512 may stay where they are if the longer bitmap
# still ends before them.
expected_method() # IMAGE POLICY
{
    local size sector alignment bitmap_offset data_offset end
    [ "$(of "$1" variant)" = uml-cow-v3 ] || { echo copy && return; }
    model header "$1" uml-cow-v3 >header || exit 1
    read -r size sector alignment bitmap_offset data_offset < <(awk '{ v[$1] = $2 }
        END { print v["size"], v["sector"], v["alignment"], v["bitmap_offset"], v["data_offset"] }' header)
    rm header
    end=$((bitmap_offset + (grown / 512 + 7) / 8))
    # The new sectors of keep are holes, so nothing may lie behind the old end.
    if [ "$sector" != 512 ] || [ $(((end + alignment - 1) / alignment * alignment)) != "$data_offset" ] ||
        { [ "$2" = keep ] && [ $((size % 512)) != 0 ]; }; then
        echo copy
    else
        echo header
    fi
}

check_result() # IMAGE BACKING POLICY ATTRIBUTES METHOD
{
    model header "$1" uml-cow-v3 >header
    has "size $grown" header
    has "sector 512" header
    has "mtime 1049522828" header
    [ "$5" = header ] || [ "$(awk '$1 == "alignment" { print $2 }' header)" -ge 1048576 ] ||
        die "little room to grow: $(grep alignment header)"
    if [ "$3" = copy ]; then
        has "path $PWD/$2" header
    else
        has "path $(of "$1" stored_backing)" header
    fi
    rm header
    eq "$want" "$(model compose "$1" uml-cow-v3 "$2" "$grown")" "composed disk, by the model"
    eq "$4" "$(attributes "$1")" "mode, owner and extended attributes"
    run 0 info --json -b "$2" "$1"
    eq uml-cow-v3 "$(json .format)" format
    eq "$grown" "$(json .size_bytes)" size
    if [ "$3" = keep ]; then
        eq false "$(json .uml.opens)" "would UML open it"
        eq "Size mismatch ($grown vs $(stat -c %s "$2")) of COW header vs backing file" "$(json .uml.reason)" reason
    else
        eq true "$(json .uml.opens)" "would UML open it"
    fi
    run 0 merge -o raw -b "$2" "$1"
    eq "$want" "$(sha raw)" "composed disk, by merge"
    rm raw
}

# A v3 made here by us, so the bitmap must say just what it said: no bit for the new part, or all (keep).
bits()
{
    samples
    sample v3-515.cow b515.raw
    run 0 resize -y --policy copy -b b515.raw v3-515.cow 1M
    eq "0-1,300-309,512-514" "$(model dirty v3-515.cow uml-cow-v3)" "dirty sectors after copy"
    rm -f v3-515.cow
    sample v3-515.cow
    run 0 resize -y --policy keep -b b515.raw v3-515.cow 1M
    eq "0-1,300-309,512-2047" "$(model dirty v3-515.cow uml-cow-v3)" "dirty sectors after keep"
    run 0 map --json -b b515.raw v3-515.cow
    eq hole "$(json '.[-1].origin')" "origin of the new part"
}

# A QEMU image without a backing file becomes a v3 only with one: made by copy, or named.
no_backing()
{
    samples
    sample qemu64-nobacking.cow
    expect_disk qemu64-nobacking.cow qemu-cow - "$grown"
    freeze qemu64-nobacking.cow
    run 63 resize -y --policy extend qemu64-nobacking.cow "$grown"
    run 63 resize -y --policy keep qemu64-nobacking.cow "$grown"
    unchanged "what is refused"
    run 0 resize -y --policy copy qemu64-nobacking.cow "$grown"
    eq "$want" "$(model compose qemu64-nobacking.cow uml-cow-v3 qemu64-nobacking.cow.backing "$grown")" "composed disk"
    run 0 info --json qemu64-nobacking.cow
    eq true "$(json .uml.opens)" "would UML open it"
}

# Bytes that the disk does not have would show up in it.
longer_backing()
{
    samples
    sample qemu32-300001.cow b300001.raw
    freeze qemu32-300001.cow b300001.raw
    run 3 resize -y --policy extend qemu32-300001.cow 1M
    has "b300001.raw" err
    small
    truncate -s 100K b.img
    touch -d '2003-04-05 06:07:08 UTC' b.img
    run 3 resize -y --policy extend x.cow 1M
    run 3 resize -y --force --policy extend x.cow 80K
    unchanged "a backing file that is longer than the disk"
}

# Without a policy: extend, where that harms nobody that can be seen.
no_policy()
{
    small
    freeze x.cow b.img
    run 3 resize -y -o y.cow x.cow 1M
    has policy err
    cp x.cow sibling.cow
    run 3 resize -y x.cow 1M
    has sibling.cow err
    has policy err
    run 3 resize -y -f x.cow 1M
    unchanged "growing without a decision"
    run 0 resize -n --policy extend x.cow 1M
    has "$PWD/sibling.cow" out
    run 0 resize -n --json --policy extend x.cow 1M
    eq "$PWD/sibling.cow" "$(json '.siblings[]')" siblings
    run 0 resize -n --json --policy copy x.cow 1M
    eq "" "$(json '.siblings[]')" "siblings where the backing file is not written"
    rm sibling.cow
    run 0 resize -n --json x.cow 1M
    eq extend "$(json .policy)" policy
    unchanged "a dry run"
    run 0 resize -y x.cow 1M
    eq "1048576 1048576" "$(stat -c %s b.img) $(model header x.cow uml-cow-v3 | sed -n 's/^size //p')" "sizes"
}

refused()
{
    small
    touch -d '2003-04-05 06:07:08 UTC' b.img
    echo precious >there
    freeze x.cow b.img there
    run 3 resize --policy extend x.cow 1M
    has terminal err
    run 3 resize --policy copy x.cow 1M
    run 3 resize --policy keep x.cow 1M
    run 3 resize -y --policy copy:there x.cow 1M
    run 3 resize -y --policy copy -o there x.cow 1M
    run 3 resize -y --policy copy:b.img x.cow 1M
    run 3 resize -y -f --policy copy:b.img x.cow 1M
    run 3 resize -y -f --policy copy:x.cow x.cow 1M
    run 3 resize -y -f --policy copy -o x.cow x.cow 1M
    run 3 resize -y -f --policy copy -o b.img x.cow 1M
    run 3 resize -y --policy extend x.cow 40K
    run 2 resize -y --policy extend -o y.cow x.cow 1M
    has "-o" err
    for size in 1000000 +1 65537 0 12Q 1.3 x "" -1M 1M1 0x100000; do
        run 2 resize -y --policy copy x.cow "$size"
    done
    run 5 resize -y --policy copy x.cow 8T
    run 2 resize -y --policy copy --reserve 100K x.cow 1M
    run 2 resize -y --policy copy:nowhere/b x.cow 1M
    run 2 resize -y --policy copy -o nowhere/x.cow x.cow 1M
    unchanged "what is refused"
    eq "b.img there x.cow " "$(names)" files
}

# Sizes in every form name the same disk.
sizes()
{
    small
    for size in 1M 1048576 +960K 1024K 1MiB 1.0M +0.9375M; do
        run 0 resize -n --json --policy keep x.cow "$size"
        eq 1048576 "$(json .after.size_bytes)" "$size"
    done
}

dry_run()
{
    small
    freeze x.cow b.img
    run 0 resize -n --policy extend x.cow 1M
    for words in "64.0 KiB -> 1.00 MiB" extend "opens the result" "resize2fs" "cowtui resize --policy extend x.cow 1M"; do
        [ "$words" = resize2fs ] || has "$words" out
    done
    [ ! -s err ] || die "something on standard error"
    run 0 resize -n --json --policy extend x.cow 1M
    eq "65536 1048576" "$(json '[.before.size_bytes, .after.size_bytes] | map(tostring) | join(" ")')" sizes
    eq header "$(json .method)" method
    eq true "$(json .uml.opens)" "would UML open it"
    eq 0 "$(json '.siblings | length')" siblings
    eq true "$(json '.steps | map(has("kind") and has("text") and has("bytes")) | all')" "fields of the steps"
    eq "lock check-space journal prepare-in-place extend-backing write-header end-journal" \
        "$(json '[.steps[].kind] | join(" ")')" "order of the steps"
    eq 0 "$(json .moves_bytes)" "bytes that move"
    run 0 resize -n --json --policy extend x.cow 32M
    eq copy "$(json .method)" method
    eq "lock journal extend-backing rename keep-undo end-journal" "$(json '[.steps[].kind | select(IN("lock", "journal",
        "extend-backing", "rename", "keep-undo", "end-journal"))] | join(" ")')" "order of the steps"
    eq 2560 "$(json .moves_bytes)" "bytes that move"
    [ "$(json .needs_free_bytes)" -gt 0 ] || die "needs no space"
    eq number "$(json '.before.data_offset | type')" "layout before"
    run 0 resize -n --json --policy keep x.cow 1M
    eq false "$(json .uml.opens)" "would UML open what keep makes"
    eq "Size mismatch (1048576 vs 65536) of COW header vs backing file" "$(json .uml.reason)" reason
    unchanged "a dry run"
    eq "b.img x.cow " "$(names)" files
}

reserve()
{
    local at
    small
    run 0 resize -y --policy copy --reserve 4G x.cow 1M
    run 0 info --json x.cow
    at=$(json .layout.data_offset)
    eq 1048576 "$(json .alignment)" "alignment for 4 GiB"
    run 0 resize -y --policy extend --reserve 4G x.cow 2G
    run 0 info --json x.cow
    eq "$at" "$(json .layout.data_offset)" "data offset after growing into the reserve"
    small
    run 0 resize -y --policy keep --reserve 1T x.cow 1M
    run 0 info --json x.cow
    eq 268435456 "$(json .alignment)" "alignment for 1 TiB"
    run 0 merge -o raw x.cow
    eq 1048576 "$(stat -c %s raw)" "size of the disk"
}

# A backing file that has the new size already, because another image on it was resized first.
longer_already()
{
    small
    expect_disk x.cow uml-cow-v3 b.img 1048576
    truncate -s 1M b.img
    touch -d '2003-04-05 06:07:08 UTC' b.img
    freeze b.img
    run 0 resize -y --policy extend x.cow 1M
    unchanged "a backing file that has the new size already"
    eq "$want" "$(model compose x.cow uml-cow-v3 b.img)" "composed disk"
    run 0 info --json x.cow
    eq true "$(json .uml.opens)" "would UML open it"
    freeze x.cow b.img
    run 0 resize -y --policy extend x.cow 1M
    unchanged "the size that it has"
}

# keep, then extend to the same size: the backing file is all that changes.
keep_then_extend()
{
    small
    expect_disk x.cow uml-cow-v3 b.img 1048576
    run 0 resize -y --policy keep x.cow 1M
    run 0 resize -y --policy extend x.cow 1M
    eq 1048576 "$(stat -c %s b.img)" "size of the backing file"
    run 0 info --json x.cow
    eq true "$(json .uml.opens)" "would UML open it"
    eq "$want" "$(model compose x.cow uml-cow-v3 b.img)" "composed disk"
}

output_elsewhere()
{
    small
    mkdir d
    expect_disk x.cow uml-cow-v3 b.img 1048576
    freeze x.cow b.img
    run 0 resize --policy copy -o d/y.cow x.cow 1M # makes new files only: nothing to ask
    unchanged "-o"
    eq "y.cow y.cow.backing " "$(cd d && names)" "files made"
    eq "$want" "$(model compose d/y.cow uml-cow-v3 d/y.cow.backing)" "composed disk"
    run 0 resize --policy keep -o z.cow x.cow 1M
    unchanged "-o"
    eq "$want" "$(model compose z.cow uml-cow-v3 b.img)" "composed disk"
    run 3 resize --policy keep -o z.cow x.cow 2M
    run 0 resize -f --policy keep -o z.cow x.cow 2M
    run 0 resize --policy copy:private.img -o v.cow x.cow 1M
    eq "$want" "$(model compose v.cow uml-cow-v3 private.img)" "composed disk"
    unchanged "-o"
    eq "b.img d private.img v.cow x.cow z.cow " "$(names)" files
}

# The first free name.
copy_names()
{
    small
    echo precious >x.cow.backing
    freeze x.cow.backing
    run 0 resize -y --policy copy x.cow 1M
    [ -f x.cow.backing.1 ] || die "not x.cow.backing.1: $(names)"
    unchanged "a file that is in the way"
    run 0 info --json x.cow
    eq "$PWD/x.cow.backing.1" "$(json .backing.path)" "backing path"
}

dates()
{
    small
    touch -d '2004-01-02 03:04:05 UTC' b.img
    freeze x.cow b.img
    for policy in extend copy keep; do
        run 3 resize -y --policy $policy x.cow 1M
        has date err
    done
    unchanged "another date"
    run 0 resize -y --force --policy extend x.cow 1M
    eq 1073012645 "$(stat -c %Y b.img)" "date of the backing file"
    run 0 info --json x.cow
    eq true "$(json .uml.opens)" "would UML open it"
    # A date to the nanosecond stays so.
    touch -d '2004-01-02 03:04:05.123456789 UTC' b.img
    run 0 resize -y --policy extend x.cow 2M
    eq 1073012645.123456789 "$(stat -c %.9Y b.img)" "date of the backing file"
}

links()
{
    small
    expect_disk x.cow uml-cow-v3 b.img 1048576
    mkdir real
    mv x.cow real/
    ln -s real/x.cow link.cow
    run 0 resize -y --policy copy link.cow 1M
    eq real/x.cow "$(readlink link.cow)" "the link"
    run 0 info --json real/x.cow
    eq 1048576 "$(json .size_bytes)" "size of what it leads to"
    eq "$want" "$(model compose real/x.cow uml-cow-v3 "$(json .backing.path)")" "composed disk"
    rm link.cow
    small
    ln x.cow other.cow
    freeze x.cow other.cow b.img
    run 3 resize -y --policy copy x.cow 32M
    has link err
    run 3 resize -y --policy extend other.cow 32M
    unchanged "an image with two names"
    freeze other.cow b.img
    run 0 resize -y --force --policy copy x.cow 32M
    state other.cow >now # its link count changes, so ctime does; all that state() looks at stays
    unchanged "the other name"
    run 0 info --json other.cow
    eq 65536 "$(json .size_bytes)" "size under the other name"
    [ ! -e .x.cow.cowtui-undo ] || die "undo data of an image with two names"
    # Where the data may stay, both names get the new disk.
    rm -r x.cow* other.cow
    small
    ln x.cow other.cow
    run 0 resize -y --policy extend x.cow 1M
    eq "$want" "$(model compose other.cow uml-cow-v3 b.img)" "composed disk under the other name"
}

# The old file, still open somewhere, must not be taken for a good one.
old_inode()
{
    local fd
    small
    exec {fd}<x.cow
    run 0 resize -y --policy copy x.cow 32M
    eq ffffffffffffffff "$(od -An -tx1 -j12 -N8 <&"$fd" | tr -d ' ')" "size field of the old file"
    exec {fd}<&-
}

# With a terminal the word decides.
typed()
{
    small
    cat >typing_user.py <<'END'
import os, pty, select, signal, sys
answer, argv = sys.argv[1], sys.argv[2:]
pid, fd = pty.fork()
if pid == 0:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever runs the tests in the background ignores it
    os.execv(argv[0], argv)
seen, sent = b"", False
while True:
    ready, _, _ = select.select([fd], [], [], 10)
    try:
        data = os.read(fd, 4096) if ready else b""
    except OSError:
        data = b""
    if not data:
        if not ready:
            os.kill(pid, signal.SIGKILL)  # it says nothing more, and does not end
        break
    seen += data
    if not sent and b"yes" in seen.split(b"\n")[-1]:
        sent = True
        if answer == "TERM":
            os.kill(pid, signal.SIGTERM)
        else:
            os.write(fd, answer.encode().decode("unicode_escape").encode())
_, status = os.waitpid(pid, 0)
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(status) & 255)
END
    freeze x.cow b.img
    for answer in 'no\n' '\n' 'y\n' 'YES\n' 'yes please\n' '\x04' '\x03' TERM; do
        "$PYTHON" -ES typing_user.py "$answer" "$COWTUI" resize --policy extend x.cow 1M >out 2>&1
        eq 130 $? "exit code after $answer"
        has "extend" out
        unchanged "the answer $answer"
    done
    "$PYTHON" -ES typing_user.py 'yes\n' "$COWTUI" resize --policy extend x.cow 1M >out 2>&1
    eq 0 $? "exit code after yes"
    run 0 info --json x.cow
    eq 1048576 "$(json .size_bytes)" size
}

# What lies in the terminal's queue before the question is there answers nothing.
typed_ahead()
{
    small
    cat >early_user.py <<'END'
import os, pty, select, signal, sys
go, ready = os.pipe()
pid, fd = pty.fork()
if pid == 0:
    os.read(go, 1)
    os.execv(sys.argv[1], sys.argv[1:])
os.write(fd, b"yes\n")
os.write(ready, b".")
seen = b""
while True:
    if not select.select([fd], [], [], 10)[0]:
        os.kill(pid, signal.SIGKILL)
        break
    try:
        data = os.read(fd, 4096)
    except OSError:
        break
    seen += data
    if b"to do this: " in data:
        os.write(fd, b"no\n")
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 255)
END
    freeze x.cow b.img
    "$PYTHON" -ES early_user.py "$COWTUI" resize --policy extend x.cow 1M >out 2>&1
    eq 130 $? "exit code"
    has "Type yes to do this" out
    unchanged "a yes from before the question"
}

samples
while read -r file; do
    case $file in qemu64-nobacking.cow | *-kern.cow | *-rel.cow | qemu64-short.cow) continue ;; esac
    for policy in extend copy keep; do
        [ "$file $policy" != "qemu32-300001.cow extend" ] || continue
        t "resize $policy $file" grow "$file" "$policy"
    done
done < <(tail -n +2 "$root/tests/data/cow-variants.tsv" | cut -f1)
t "resize: bits" bits
t "resize: QEMU image without a backing file" no_backing
t "resize: no policy" no_policy
t "resize: refused" refused
t "resize: a backing file longer than the disk" longer_backing
t "resize: sizes" sizes
t "resize: dry run" dry_run
t "resize: --reserve" reserve
t "resize: a backing file of the new size" longer_already
t "resize: keep, then extend" keep_then_extend
t "resize: -o" output_elsewhere
t "resize: names of copies" copy_names
t "resize: dates" dates
t "resize: links" links
t "resize: the old file" old_inode
t "resize: the typed word" typed
t "resize: typed ahead" typed_ahead

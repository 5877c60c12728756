#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Every real file of every variant against the manifest (written down when the files were made, by other
# programs), the composed disk against the manifest's sum, against uml_moo where that reads the file, and
# against the model.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# The dirty sectors of map --json as "0 1 7 8 ..."; runs that touch need not be one.
map_dirty() # SECTOR_BYTES
{
    json ".[] | select(.origin == \"cow\" or .origin == \"hole\") | [.start / $1, ((.length + $1 - 1) / $1 | floor)]
        | range(.[0]; .[0] + .[1])" | tr '\n' ' '
}

expand() # "0,7-9,-" -> "0 7 8 9 "
{
    [ "$1" = - ] || tr , '\n' <<<"$1" | awk -F- '{ for (i = $1; i <= ($2 == "" ? $1 : $2); i++) printf "%d ", i }'
}

# One string for all the fields: the difference shows in the message, and jq starts once.
check_info()
{
    local file=$1 endian=little alignment path
    [ "$(of "$file" header_endian)" = BE ] && endian=big
    alignment=$(of "$file" alignment)
    [ "$alignment" != - ] || alignment=null
    path=$(of "$file" stored_backing)
    [ "$path" != - ] || path=null
    run 0 info --json "${backing[@]}" "$file"
    eq "$(of "$file" variant) version $(of "$file" version) $endian size $(of "$file" size) sector $(of "$file" sectorsize)\
 alignment $alignment mtime $(of "$file" mtime) bitmap $(of "$file" bitmap_offset) + $(of "$file" bitmap_len)\
 data $(of "$file" data_offset) file $(of "$file" file_len) path $path\
 dirty $(expand "$(of "$file" dirty_sectors)" | wc -w)" \
        "$(json '"\(.format) version \(.version) \(.endian) size \(.size_bytes) sector \(.sector_bytes)" +
            " alignment \(.alignment) mtime \(.backing.header_mtime)" +
            " bitmap \(.layout.bitmap_offset) + \(.layout.bitmap_bytes) data \(.layout.data_offset)" +
            " file \(.usage.file_bytes) path \(.backing.path) dirty \(.usage.dirty_sectors)"')" info
}

# What a kernel said of the file: OK, REJECT, or DIFF (it opens and misreads it: that wants a warning). The
# samples name paths that are not there; -b stands for the kernel's own "ubd0=COW,BACKING".
check_verdict()
{
    local want
    case $(of "$1" linux_uml_6.1) in
    OK) want="true false" ;;
    DIFF) want="true true" ;;
    *) want="false true" ;;
    esac
    # opens, and: are there words about it?
    eq "$want" "$(json '"\(.uml.opens) \(if .uml.opens then (.uml.warnings | map(select(test("sectors of"))) | length > 0)
        else .uml.reason != null and .uml.reason != "" end)"')" "would UML open it, and with words?"
}

check_map()
{
    local file=$1
    run 0 map --json "${backing[@]}" "$file"
    eq "$(expand "$(of "$file" dirty_sectors)")" "$(map_dirty "$(of "$file" sectorsize)")" "dirty sectors"
    eq "$(of "$file" size) true true" "$(json '. as $m | "\(.[-1] | .start + .length) \([.[] | .length > 0] | all) " +
        "\([range(1; length) | $m[.].start == $m[. - 1].start + $m[. - 1].length] | all)"')" \
        "end of the map; no empty run; each begins where the last one ends"
    run 0 map "${backing[@]}" "$file"
    eq "$(of "$file" size)" "$(awk '!/^#/ { end = $1 + $2 } END { print end }' out)" "end of the text map"
}

check_merge()
{
    local file=$1 moo truncated
    run 0 merge -o raw "${backing[@]}" "$file"
    eq "$(of "$file" sha256_merged)" "$(sha raw)" "composed disk"
    eq "$(of "$file" sha256_merged)" "$(model compose "$file" "$(of "$file" variant)" "$(of "$file" backing_file)")" \
        "the model's composed disk"
    moo=$(of "$file" uml_moo_debian)
    case $moo in
    OK*) ;;
    *) return ;;
    esac
    command -v uml_moo >/dev/null || skip "uml_moo is not installed; all else agrees"
    truncated=${moo#OK}
    truncated=${truncated#-TRUNC}
    uml_moo -b "$(of "$file" backing_file)" "$file" moo.raw >/dev/null || die "uml_moo failed"
    cmp -n "${truncated:-$(of "$file" size)}" raw moo.raw || die "uml_moo's disk differs"
}

variant()
{
    local file=$1 under
    under=$(of "$file" backing_file)
    sample "$file"
    backing=()
    if [ "$under" != - ]; then
        sample "$under"
        backing=(-b "$under")
    fi
    freeze "$file" "$under"
    check_info "$file"
    check_verdict "$file"
    check_map "$file"
    check_merge "$file"
    unchanged "looking and merging"
}

# A path that is relative is found beside the image and in the working directory, without -b.
relative()
{
    sample v3-1m-rel.cow b1m.raw
    mkdir elsewhere
    freeze v3-1m-rel.cow b1m.raw
    run 0 info --json v3-1m-rel.cow
    eq true "$(json .backing.found)" "found in the working directory"
    cd elsewhere || die "no directory"
    run 0 info --json ../v3-1m-rel.cow
    eq true "$(json .backing.found)" "found beside the image"
    cd ..
    mv v3-1m-rel.cow elsewhere
    run 0 info --json elsewhere/v3-1m-rel.cow
    eq true "$(json .backing.found)" "found in the working directory, not beside the image"
}

# Every variant there is, also those of which no real file was found, made from a real one by the model; an odd
# number of sectors, so that what v1 and v2 lose shows.
made()
{
    local variant=$1 dirty version=2 endian=big
    samples
    sample v3-515.cow b515.raw
    model as v3-515.cow uml-cow-v3 "$variant" x.cow
    freeze x.cow b515.raw
    dirty=$(model dirty x.cow "$variant")
    case $variant in
    *-v1-be*) version=1 ;;
    *-v1*) version=1 endian=little ;;
    *-v3*) version=3 ;;
    esac
    run 0 info --json -b b515.raw x.cow
    model header x.cow "$variant" >header
    eq "$variant $version $endian $(awk '$1 != "alignment" { printf "%s ", $2 }' header)" \
        "$(json '"\(.format) \(.version) \(.endian) \(.size_bytes) \(.sector_bytes) \(.backing.header_mtime) " +
            "\(.layout.bitmap_offset) \(.layout.bitmap_bytes) \(.layout.data_offset) \(.backing.path) "')" info
    run 0 map --json -b b515.raw x.cow
    eq "$(expand "$dirty")" "$(map_dirty 512)" "dirty sectors"
    run 0 merge -o raw -b b515.raw x.cow
    eq "$(model compose x.cow "$variant" b515.raw)" "$(sha raw)" "composed disk"
    unchanged "looking and merging"
    run 0 resize -y --policy copy -b b515.raw x.cow 1M
    eq "$( (cat raw && head -c $((1048576 - 263680)) /dev/zero) | sha256sum | cut -d' ' -f1)" \
        "$(model compose x.cow uml-cow-v3 x.cow.backing)" "composed disk after a resize"
}

# Nothing is in the archive that the tree does not say how to make.
told()
{
    "$PYTHON" "$root/tests/data/samples.py" made || die "samples.py failed"
    diff -r made "$work/samples" >out || die "samples.py makes another: $(head -n 1 out)"
    (cd "$work/samples" && stat -c '%n %Y' ./*.raw) >want
    (cd made && stat -c '%n %Y' ./*.raw) | cmp -s - want || die "samples.py gives the backing files another date"
}

samples
t "variants: the script makes every sample" told
while read -r file; do
    t "variant $file" variant "$file"
done < <(tail -n +2 "$root/tests/data/cow-variants.tsv" | cut -f1)
for variant in uml-cow-v1 uml-cow-v1-64 uml-cow-v1-be uml-cow-v1-be-64 uml-cow-v2 uml-cow-v2-64 uml-cow-v2-long \
    uml-cow-v3 uml-cow-v3-64 qemu-cow qemu-cow-i386; do
    t "variant made: $variant" made "$variant"
done
t "variant: relative backing path" relative

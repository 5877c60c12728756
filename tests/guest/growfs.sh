# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2154
#
# What a filesystem that grows with its disk means to a real kernel, and a disk that was served for writing; sourced by
# run.sh, in its scratch directory. A guest makes filesystems on four disks (of 4 KiB and 1 KiB blocks, and in the last
# partition of an MBR and a GPT) and copies a tree to each; while it holds one, that one is served and is not written. All
# grow from 64 to 256 MiB by each method, and a second guest sees the new sizes with nothing done inside, and the same files.
# What is shrunk or undone then, a third one sees.

growfs_old=$((64 * MIB))
growfs_new=$((256 * MIB))
declare -A on_partition=([mbr]=2 [gpt]=2)

# Files of many sizes: those of less than a page share pages with others where blocks are small.
make_tree() {
    local i
    mkdir -p gf-tree/small gf-tree/large
    for ((i = 1; i <= 30; i++)); do head -c $((i * 529)) /dev/urandom >"gf-tree/small/file$i"; done
    for ((i = 1; i <= 3; i++)); do head -c $((i * 700000 + 7)) /dev/urandom >"gf-tree/large/file$i"; done
    (cd gf-tree && find . -type f -exec sha256sum {} +) >gf-tree.sums
}

make_growfs() {
    local name
    make_tree
    python3 "$here/disks.py" pattern gf-4k.img $growfs_old
    for name in 1k mbr gpt; do cp -p gf-4k.img "gf-$name.img"; done
    check "an MBR is written" sfdisk -q gf-mbr.img < <(printf '2048,8192\n16384\n')
    check "a GPT is written" sfdisk -q gf-gpt.img < <(printf 'label: gpt\n2048,8192\n16384\n')
    python3 "$here/disks.py" pattern gf-raw.img $((8 * MIB))
    for name in 4k 1k mbr gpt raw; do "$cowtui" create -q "gf-$name.cow" "gf-$name.img"; done
    write_job gf-fill <<'JOB'
make() {
    mkfs.ext4 -q -F -b "$2" -E nodiscard "/dev/$1" && mount "/dev/$1" mnt && cp -a gf-tree mnt/ && umount mnt
}
make ubdb 4096 && make ubdc 1024 && make ubdd2 4096 && make ubde2 4096 && touch gf-filled
exec 9<>/dev/ubdf # it is held, as a mounted one would be
head -c 512 /dev/urandom | dd of=/dev/ubdf bs=512 seek=9 oflag=direct conv=notrunc status=none
touch gf-held
for ((i = 0; i < limit; i++)); do [ ! -e gf-write ] || break; sleep 0.1; done
printf "%0512d" 7 | dd of=/dev/ubdf bs=512 seek=100 oflag=direct conv=notrunc status=none
touch gf-written
for ((i = 0; i < limit; i++)); do [ ! -e gf-go ] || break; sleep 0.1; done
touch gf-ended
JOB
}

# ---- served ----

can_serve() {
    local tool
    for tool in nbdkit qemu-io qemu-img; do
        command -v $tool >/dev/null || {
            echo "skip served: $tool is not installed"
            return 1
        }
    done
    [ -e "$(dirname "$cowtui")/nbdkit-cow-plugin.so" ] || {
        echo "skip served: the plugin is not built (nbdkit-plugin-dev)"
        return 1
    }
}

# begin COMMAND...: serve or mount in the background, until its first line; that goes to gf-first.
begin() {
    local i
    rm -f gf-first # the new one is made by another process, a moment later
    "$cowtui" "$@" >gf-first 2>gf-said &
    server_pid=$!
    for ((i = 0; i < limit; i++)); do
        [ ! -s gf-first ] || return 0
        kill -0 $server_pid 2>/dev/null || break
        sleep 0.1
    done
    cat gf-said
    return 1
}

end_server() {
    local code=0
    kill "$server_pid"
    wait "$server_pid" || code=$?
    server_pid=
    equal 0 $code || cat gf-said
}

io() {
    local words=() request
    for request; do
        case $request in read*) words+=(-r) ;; esac
        words+=(-c "$request")
    done
    qemu-io -f raw "${words[@]}" "$(cat gf-first)" >gf-io 2>&1 && ! grep -iE 'fail|error|verification' gf-io
}

while_it_is_held() {
    check "serve --write of a disk that a guest holds is refused with 4 within a second" \
        refused_within_a_second serve --write --yes gf-raw.cow
    exits 4 "$cowtui" serve --write --yes gf-raw.cow >gf-refused 2>&1 </dev/null
    check "it names the guest's pid" says "$guest_pid" gf-refused
    check "serve of it is allowed" begin serve gf-raw.cow
    check "that says by whom it is in use" says "$guest_pid" gf-said
    check "what the guest has not written yet is not there" io 'read 4608 512' 'read -P 101 51200 1'
    touch gf-write
    check "the guest writes to it while it is served" wait_for gf-written
    check "what it wrote is what a client reads" io 'read -P 48 51200 511'
    check "the live disk is copied by its client" qemu-img convert -O raw "$(cat gf-first)" gf-live.raw
    check "the server of a live disk ends" end_server
}

# Through an NBD client and its own socket: unaligned, zeros, trims, and where the guest had written sectors.
write_raw() {
    check "serve --write begins when the guest is gone" begin serve --write --yes gf-raw.cow
    check "a client writes" io 'write -P 17 4700 3000' 'write -P 18 100k 300k' 'write -z 200k 50k' 'discard 1m 64k' \
        'write -P 19 5m 1' 'write -P 20 8388096 512' flush
    check "the server of a written disk ends" end_server
    check "merge shows what was written" "$cowtui" merge -q -o gf-raw.raw gf-raw.cow
    check "and what was not" same_beside
}

same_beside() {
    cmp -n $((5 * MIB - 1200 * 1024)) -i $((1200 * 1024)) gf-raw.raw gf-live.raw &&
        cmp -n 4700 gf-raw.raw gf-live.raw && ! cmp -s gf-raw.raw gf-live.raw
}

# Small blocks, files added and removed among those that a guest had written: by a program that knows no pages.
write_small_blocks() {
    if ! command -v nbdfuse >/dev/null || ! command -v fuse2fs >/dev/null || [ ! -w /dev/fuse ]; then
        echo "skip mounted: nbdfuse, fuse2fs or /dev/fuse is not there"
        return
    fi
    cp --sparse=always -p gf-1k.cow gf-mounted.cow
    cp -p gf-1k.img gf-mounted.img # the other one grows
    mkdir gf-mount
    check "its copy gets a backing file of its own" "$cowtui" rebase -q --to gf-mounted.img --yes gf-mounted.cow
    check "mount --write of its filesystem with 1 KiB blocks" begin mount --write --yes --fs gf-mounted.cow gf-mount
    rm gf-mount/gf-tree/small/file?5 && cp -r gf-tree/small gf-mount/gf-tree/more
    (cd gf-mount/gf-tree && find . -type f -exec sha256sum {} +) >gf-mounted.sums
    check "the mount ends" end_server
    check "it has other files than before" test "$(wc -l <gf-mounted.sums)" -gt "$(wc -l <gf-tree.sums)"
    mounted=(mounted)
}

# ---- growing ----

# grows NAME OF OPTIONS...: a copy of the image OF becomes 256 MiB large, with its filesystem.
grows() {
    local name=$1 of=$2
    shift 2
    [ "$name" = "$of" ] || cp --sparse=always -p "gf-$of.cow" "gf-$name.cow"
    check "$name: it grows with its filesystem" "$cowtui" resize --grow-fs --yes "$@" "gf-$name.cow" 256M
    check "$name: info says that UML will open it" equal true "$(json "gf-$name.cow" .uml.opens)"
    check "$name: no page is mixed" equal 0 "$(bits_of "gf-$name.cow" | cut -d ' ' -f 2)"
    check "$name: check finds no error" no_error "gf-$name.cow"
    clean "$name"
    grown+=("$name")
}

no_error() {
    "$cowtui" check --json "$1" >gf-findings
    equal '' "$(jq -r '.findings[] | select(.severity == "error" or .severity == "warning") | .message' gf-findings)"
}

# inserts: whether this filesystem inserts room into a file. What it cannot do is not tried.
inserts() {
    local code=0
    "$cowtui" resize --dry-run --method inserted --grow-fs --policy copy gf-4k.cow 256M >gf-plan 2>&1 || code=$?
    [ $code -eq 0 ] || [ $code -eq 63 ] || cat gf-plan
    [ $code -eq 0 ]
}

# clean NAME: e2fsck has nothing to say of the merged disk, nor sfdisk of its partitions.
clean() {
    local place=gf-merged.raw
    check "$1: merge -o" "$cowtui" merge -q -f -o gf-merged.raw "gf-$1.cow"
    if [ -n "${on_partition[$1]:-}" ]; then
        check "$1: sfdisk finds no fault" sfdisk -V -q gf-merged.raw
        place="gf-merged.raw?offset=$((16384 * 512))"
    fi
    check "$1: e2fsck -fn finds the merged disk clean" e2fsck -fn "$place"
    rm -f gf-merged.raw
}

# Each sees a disk: its size, and that of its filesystem without anything done to it; its files, as the page cache
# has them and then by direct reads. One is written to, and more than the old disk could hold.
look_at_growfs() {
    local name letters=bcdefghijk arguments=() i=0
    : >"$1.list"
    for name in "${@:2}"; do [ -e "gf-$name.sums" ] || ln -s gf-tree.sums "gf-$name.sums"; done
    for name in "${@:2}"; do
        arguments+=("ubd${letters:i:1}=gf-$name.cow")
        echo "ubd${letters:i:1} $name ${on_partition[$name]:-}" >>"$1.list"
        i=$((i + 1))
    done
    # shellcheck disable=SC2016 # for the guest's shell
    write_job "$1" < <(
        printf 'job=%q\nhere=%q\n' "$1" "$here"
        cat <<'JOB'
while read -r disk name partition; do
    blockdev --getsize64 "/dev/$disk" >"$job-$name.size"
    if [ "$name" = raw ]; then
        dd if="/dev/$disk" bs=64K iflag=direct status=none | sha256sum >"$job-raw.sum"
        continue
    fi
    place=mnt/$name
    mkdir -p "$place"
    mount -o ro "/dev/$disk$partition" "$place" || continue
    awk -v disk="/dev/$disk$partition" '$1 == disk { print $3 }' /proc/mounts >"$job-$name.type"
    echo $(($(stat -f -c '%b * %S' "$place"))) >"$job-$name.stat"
    df -B1 --output=size "$place" | tail -n 1 | tr -d ' ' >"$job-$name.df"
    (cd "$place/gf-tree" && sha256sum --quiet -c "$scratch/gf-$name.sums") && echo same >"$job-$name.files"
    if [ "$name" = header ]; then
        mount -o remount,rw "$place" && cat $(yes gf-tree/large/file3 | head -n 32) >"$place/new"
        sync
        echo 3 >/proc/sys/vm/drop_caches
        sha256sum <"$place/new" >"$job-new.sum"
    fi
done <"$job.list" >"$job.log"
python3 "$here/disks.py" direct "$job" $(cut -d ' ' -f 2 "$job.list") >>"$job.log"
umount mnt/*
touch "$job.done"
JOB
    )
    guest "$1" "${arguments[@]}"
    check "a guest boots with all of them ($1)" test -e "$1.done"
}

# seen JOB NAME BYTES LEAST MOST: a disk of so many bytes, whose filesystem has between so many.
seen() {
    local stat
    stat=$(result "$1-$2.stat")
    check "$2: the guest sees $3 bytes ($1)" equal "$3" "$(result "$1-$2.size")"
    check "$2: it mounts it as ext4 ($1)" equal ext4 "$(result "$1-$2.type")"
    check "$2: its filesystem is of that size, with no step inside ($1)" test "${stat:-0}" -gt "$4" -a "${stat:-0}" -lt "$5"
    check "$2: df says the same ($1)" equal "$stat" "$(result "$1-$2.df")"
    check "$2: its files have the same checksums ($1)" equal same "$(result "$1-$2.files")"
    check "$2: so have they in direct reads ($1)" equal same "$(result "$1-$2.direct")"
}

grow_all() {
    grown=()
    cp -p gf-4k.img gf-copy.img # what is copied may be taken back alone
    cp --sparse=always -p gf-4k.cow gf-copy.cow
    check "a copy of the disk gets a backing file of its own (growfs)" "$cowtui" rebase -q --to gf-copy.img --yes gf-copy.cow
    grows copy copy --method copy --policy extend
    grows header 4k --method header --policy extend
    grows moved 4k --method moved --policy extend
    if inserts; then
        grows inserted 4k --method inserted --policy extend
    else
        echo "skip inserted: the filesystem cannot insert room into a file"
    fi
    sha256sum gf-1k.cow gf-1k.img gf-gpt.cow gf-gpt.img >gf-before.sums
    grows 1k 1k --policy extend
    grows mbr mbr --policy extend
    grows gpt gpt --policy extend
}

shrink_and_undo() {
    local name
    for name in copy mbr; do
        check "$name: it shrinks again, the filesystem first" \
            "$cowtui" resize --shrink --resize-fs --policy copy --yes "gf-$name.cow" 64M
        check "$name: info says that UML will open what has shrunk" equal true "$(json "gf-$name.cow" .uml.opens)"
        clean "$name"
    done
    for name in 1k gpt; do check "$name: undo" "$cowtui" undo --yes "gf-$name.cow"; done
    check "1k and gpt are what they were, byte for byte" sha256sum --quiet -c gf-before.sums
}

all_grown() {
    local name
    mounted=()
    make_growfs
    start_guest gf-fill ubdb=gf-4k.cow ubdc=gf-1k.cow ubdd=gf-mbr.cow ubde=gf-gpt.cow ubdf=gf-raw.cow
    check "a guest makes four filesystems and holds a disk" wait_for gf-held
    check "all four have their files" test -e gf-filled
    if can_serve; then while_it_is_held; fi
    touch gf-write gf-go
    check "that guest ends" end_guest
    check "it did all of its work" test -e gf-ended
    if can_serve >gf-cannot; then
        check "the live disk was what merge writes of it now" cmp gf-live.raw <("$cowtui" merge -q -o - gf-raw.cow)
        write_raw
        write_small_blocks
    fi
    grow_all
    look_at_growfs gf-look "${grown[@]}" "${mounted[@]}" raw
    for name in "${grown[@]}"; do seen gf-look "$name" $growfs_new $((200 * MIB)) $growfs_new; done
    check "header: more than the old disk held is written and read" \
        equal "$(for ((i = 0; i < 32; i++)); do cat gf-tree/large/file3; done | sha256sum)" "$(result gf-look-new.sum)"
    for name in "${mounted[@]}"; do seen gf-look "$name" $growfs_old $((40 * MIB)) $growfs_old; done
    check "the disk that a client wrote is what the guest reads" \
        equal "$("$cowtui" merge -q -o - gf-raw.cow | sha256sum)" "$(result gf-look-raw.sum)"
    shrink_and_undo
    look_at_growfs gf-again copy mbr 1k gpt
    for name in copy mbr 1k gpt; do seen gf-again "$name" $growfs_old $((40 * MIB)) $growfs_old; done
}

all_grown

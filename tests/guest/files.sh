# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2154
#
# What `files` and `compact --unused` say and do of filesystems that a real kernel has changed; sourced by run.sh
# after changes.sh. Two boots: one changes files and unmounts, one reads the compacted images and is killed with a
# mounted filesystem.

file_disks=(1024 4096)

make_file_disks() {
    local size name
    mkdir -p tree/dir
    for name in append allocated mode gone old-name replaced replacing linked accessed attribute same dir/file; do
        head -c 5000 /dev/urandom >"tree/$name"
    done
    head -c 2000000 /dev/urandom >tree/large-gone
    for size in "${file_disks[@]}"; do
        truncate -s 16M "files-$size.img"
        check "mke2fs makes a filesystem with blocks of $size" \
            mke2fs -q -F -t ext4 -b "$size" -E nodiscard -d tree "files-$size.img"
        touch -d @1500000000 "files-$size.img"
        check "create makes a COW on it" "$cowtui" create -q "files-$size.cow" "files-$size.img"
    done
    sha256sum files-*.img >files.backing
    rm -r tree
}

change_files() {
    write_job files <<'JOB'
for disk in b:1024 c:4096; do
    name=files-${disk#*:}
    mount -o strictatime,nodiscard "/dev/ubd${disk%:*}" mnt
    (
        cd mnt || exit
        head -c 30000 /dev/urandom >new
        mkdir dir/new-dir && echo x >dir/new-dir/file
        head -c 3000 /dev/urandom >>append
        fallocate -l 60000 allocated
        head -c 500000 /dev/urandom >temporary
        sync
        rm gone large-gone temporary
        mv old-name dir/new-name
        mv replacing replaced
        ln linked linked-too
        ln -s same link
        chmod 600 mode
        setfattr -n user.test -v value attribute
        cat accessed >/dev/null
        find . -type f -exec sha256sum {} + | sort -k 2
    ) >"$name.sums" 2>"$name.err"
    umount mnt && touch "$name.done"
done
JOB
    guest files ubdb=files-1024.cow ubdc=files-4096.cow
}

# "kind path", sorted, without what does not differ.
kinds_of() {
    "$cowtui" files --json "$1" | jq -r '.files[] | select(.kind != "same") | "\(.kind) \(.path)"' | LC_ALL=C sort
}

expected_kinds() {
    cat <<'END'
content /
content /allocated
content /append
content /dir
metadata /attribute
metadata /linked
metadata /mode
new /dir/new-dir
new /dir/new-dir/file
new /link
new /linked-too
new /new
removed /gone
removed /large-gone
renamed /dir/new-name
replaced /replaced
END
}

extracts_all() {
    local sum path
    while read -r sum path; do
        "$cowtui" files -q --extract "${path#.}" -f -o extracted "$1.cow" || return 1
        equal "$path: $sum" "$path: $(sum_of extracted)" || return 1
    done <"$1.sums"
}

sums_add_up() {
    "$cowtui" files --json "$1" | jq -e '
        (([.classes[].changed_bytes] | add) == .dirty_bytes) and
        (([.files[].changed_bytes] | add) == ([.classes[] | select(.class | IN("file", "directory", "symlink",
            "mapping", "xattr")) | .changed_bytes] | add))'
}

volume() {
    "$cowtui" files --json "$1" | jq -r ".volumes[0].$2"
}

clean_on_host() {
    "$cowtui" merge -q -f -o files.raw "$1" && e2fsck -fn files.raw
}

less_than() {
    local before after mixed
    before=$(bits_of "$1.cow")
    read -r after mixed < <(bits_of "$1-small.cow")
    [ "$after" -lt "${before% *}" ] && equal 0 "$mixed"
}

seen_from_host() {
    local size name
    for size in "${file_disks[@]}"; do
        name=files-$size
        check "blocks of $size: the guest did all of its work" test -e "$name.done" -a ! -s "$name.err"
        check "blocks of $size: files tells what the guest has changed" equal "$(expected_kinds)" \
            "$(kinds_of "$name.cow")"
        check "blocks of $size: the sums are what is in the COW" sums_add_up "$name.cow"
        check "blocks of $size: each file can be taken out as the guest has it" extracts_all "$name"
        check "blocks of $size: it is clean" equal "true false" \
            "$(volume "$name.cow" clean) $(volume "$name.cow" needs_recovery)"
        cp --sparse=always -p "$name.cow" "$name-small.cow"
        check "blocks of $size: compact --unused" "$cowtui" compact --unused --yes "$name-small.cow"
        check "blocks of $size: it leaves less in the COW, and no mixed page" less_than "$name"
        check "blocks of $size: e2fsck finds it clean" clean_on_host "$name-small.cow"
    done
}

read_and_crash() {
    local size
    write_job reads <<'JOB'
for disk in b:1024 c:4096; do
    name=files-${disk#*:}
    mount -o ro "/dev/ubd${disk%:*}" mnt && (cd mnt && sha256sum --quiet -c "../$name.sums") >"$name.read" &&
        echo same >>"$name.read"
    umount mnt
done
mount /dev/ubdd mnt && echo late >mnt/late && sync
touch crash
sleep 600
JOB
    start_guest reads ubdb=files-1024-small.cow ubdc=files-4096-small.cow ubdd=files-4096.cow
    check "the guest reads the compacted disks and writes to another one" wait_for crash
    kill_guest
    wait "$guest_pid" 2>/dev/null
    guest_pid=
    for size in "${file_disks[@]}"; do
        check "blocks of $size: after compact --unused the guest has the same files" \
            equal same "$(result "files-$size.read")"
    done
}

crashed() {
    kinds_of files-4096.cow >files.kinds
    check "after a crash the journal has to be replayed" equal "false true" \
        "$(volume files-4096.cow clean) $(volume files-4096.cow needs_recovery)"
    check "after a crash files still tells what has changed" says "renamed /dir/new-name" files.kinds
    check "after a crash compact --unused is refused with 3" \
        exits 3 "$cowtui" compact --unused --yes files-4096.cow
    check "no backing file was touched by all this" sha256sum --quiet -c files.backing
}

make_file_disks
change_files
seen_from_host
read_and_crash
crashed

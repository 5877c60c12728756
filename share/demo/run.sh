#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Opens the image of a real guest; without a terminal it prints what the program knows about it. What was
# unpacked once is kept, so that a resized demo can be looked at again (`make demo-reset` starts over).
# Usage: run.sh COWTUI DIRECTORY
set -eu

program=$1
directory=$2
archive=$(dirname "$0")/guest-ext4.tar.xz

# Unpacked beside and renamed when complete: an interrupted run leaves nothing half. The backing file's mtime
# counts, and tar keeps it.
if [ ! -e "$directory/root.cow" ]; then
    rm -rf "$directory" "$directory.new"
    mkdir -p "$directory.new"
    tar --extract --sparse --file "$archive" --directory "$directory.new" --no-same-owner
    mv "$directory.new" "$directory"
fi

image=$directory/root.cow
if [ -t 0 ] && [ -t 1 ]; then
    exec "$program" "$image"
fi
"$program" info "$image"
echo
"$program" map "$image"
echo
"$program" files "$image"

# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2154
# The beginning of every job that runs in the guest (see run.sh).
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
# A directory in memory lies below /dev, where the guest has its own devices now (and not yet when it looked for init).
# Its path is the whole of hostfs's options; mount(8) would take it for the name of one.
[ -d "$scratch" ] || { mkdir -p "$scratch" && LIBMOUNT_FORCE_MOUNT2=always mount -t hostfs -o "$scratch" none "$scratch"; }
exec </dev/null >/dev/console
mkdir -p "$scratch/mnt"
cd "$scratch" || exit
exec 2>&1

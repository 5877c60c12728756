# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2154
# The beginning of every job that runs in the guest (see run.sh).
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
# A directory in memory lies below /dev, where the guest has its own devices now (and not yet when it looked for init).
[ -d "$scratch" ] || { mkdir -p "$scratch" && mount -t hostfs -o "$scratch" none "$scratch"; }
exec </dev/null >/dev/console
mkdir -p "$scratch/mnt"
cd "$scratch" || exit
exec 2>&1

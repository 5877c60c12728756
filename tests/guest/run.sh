#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A real User-Mode Linux guest makes, changes and reads disks that cowtui created and changed. The guest's root
# is the host's own filesystem (hostfs), its jobs are shell scripts, and their results come back as files in
# the scratch directory: a boot takes three seconds and needs no disk image.
#
# Exits 77 with the reason as the last line where no guest can be booted.
# Usage: run.sh COWTUI [--parts | PART...]      A part is a file of cases: cases, changes, files, moves, family, growfs, follow; without one all are run.
# A case is a check; ONLY_CASE chooses which are told, for each rests on what was done before it.
set -u

cowtui=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck disable=SC2034 # of the parts
MIB=1048576
PATH=$PATH:/usr/sbin:/sbin
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- cases changes files moves family growfs follow
if [ "$1" = --parts ]; then
    printf '%s\n' 'cases 25' 'changes 30' 'files 30' 'moves 20' 'family 20' 'growfs 25' 'follow 20'
    exit 0
fi
# shellcheck source=tests/wanted.sh
. "$here/../wanted.sh"
limit=$(turns 1200) # tenths of a second
failed=0
preload= # what linux.uml needs to boot here (registers.c)

scratch=$(mktemp -d "${TMPDIR:-/tmp}/cowtui-guest.XXXXXX") || exit 2
guest_pid=
follow_pid= # of one that follows an image
record_pid= # ... and of one that records it
server_pid= # of cowtui, which serves or mounts a disk
loops=() # devices to be given back

# A guest leads a process group of its own, with its helpers in it.
kill_guest() {
    kill -KILL "$guest_pid" "-$guest_pid" 2>/dev/null
}

cleanup() {
    trap '' INT TERM HUP
    if [ -n "$guest_pid" ]; then kill_guest; fi
    if [ -n "$follow_pid" ]; then kill "$follow_pid"; fi
    if [ -n "$record_pid" ]; then kill "$record_pid"; fi
    if [ -S "$scratch/follow.socket" ]; then tmux -S "$scratch/follow.socket" kill-server; fi
    if [ -n "$server_pid" ]; then kill "$server_pid" && wait "$server_pid"; fi
    for device in "${loops[@]}"; do losetup -d "$device"; done
    rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

skip() {
    echo "$1"
    exit 77
}

# check WHAT COMMAND...: a test is a command that succeeds. What it printed is shown when it does not.
check() {
    local what=$1
    shift
    if "$@" >"$scratch/output" 2>&1; then
        ! wanted "$what" || echo "ok $what"
    elif wanted "$what"; then
        echo "FAIL $what: see below"
        sed 's/^/    /' "$scratch/output"
        failed=$((failed + 1))
    fi
}

equal() {
    [ "$1" = "$2" ] || {
        printf 'expected: %s\nbut got:  %s\n' "$1" "$2"
        return 1
    }
}

# exits CODE COMMAND...
exits() {
    local expected=$1 code=0
    shift
    "$@" || code=$?
    equal "exit code $expected" "exit code $code"
}

# Writes a job (standard input) as the guest's init. It runs in the scratch directory, as $scratch.
write_job() {
    {
        echo '#!/bin/bash'
        printf 'scratch=%q\nPATH=%q\nlimit=%q\n' "$scratch" "$PATH" "$limit"
        cat "$here/prologue.sh" -
        # Not every system has a halt that works without an init: this is the system call that it makes.
        echo 'python3 -c "import ctypes; ctypes.CDLL(None).reboot(0x4321fedc)"'
    } >"$scratch/$1.sh"
    chmod +x "$scratch/$1.sh"
}

# start_guest NAME UBD...: boots in the background; its console goes to NAME.console.
start_guest() {
    local name=$1
    shift
    env ${preload:+"LD_PRELOAD=$preload"} linux.uml mem=128M root=/dev/root rootfstype=hostfs rootflags=/ rw "init=$scratch/$name.sh" "$@" \
        con=null con0=fd:0,fd:1 con1=null ssl=null "uml_dir=$scratch/uml" devtmpfs.mount=0 \
        </dev/null >"$scratch/$name.console" 2>&1 &
    guest_pid=$!
}

# Waits for its end, two minutes at most (more where TIME_SCALE says so), and leaves nothing of it behind.
end_guest() {
    local code=0 i
    for ((i = 0; i < limit; i++)); do
        kill -0 "$guest_pid" 2>/dev/null || break
        sleep 0.1
    done
    kill_guest
    wait "$guest_pid" || code=$?
    guest_pid=
    return "$code"
}

guest() {
    start_guest "$@"
    end_guest
}

show_console() {
    tr -d '\r' <"$scratch/$1.console" | tail -n 30 | sed -e 's/^/    /' -e '$a\' # whose last line may have no end
}

# console NAME LINE: the kernel said exactly that.
console() {
    tr -d '\r' <"$scratch/$1.console" | grep -qFx -- "$2" || {
        echo "not on the console: $2"
        show_console "$1"
        return 1
    }
}

result() {
    cat "$scratch/$1" 2>/dev/null
}

json() {
    "$cowtui" info --json "$1" | jq -r "$2"
}

wait_for() {
    local i
    for ((i = 0; i < limit; i++)); do
        [ ! -e "$1" ] || return 0
        kill -0 "$guest_pid" 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}

refused_within_a_second() {
    exits 4 timeout "$(turns 1)" "$cowtui" "$@" </dev/null
}

# refuses JOB NAME.cow: the kernel's console has, word for word, what info predicts.
refuses() {
    local reason
    reason=$(json "$2" .uml.reason)
    equal false "$(json "$2" .uml.opens)" && [ -n "$reason" ] && console "$1" "$reason"
}

sum_of() {
    sha256sum "$@" | cut -d ' ' -f 1
}

bits_of() {
    python3 "$here/disks.py" bits "$1"
}

says() {
    grep -qF -- "$1" "$2" || {
        cat "$2"
        return 1
    }
}

# The first complaint on a console, or its last line.
why_not() {
    tr -d '\r' <"$scratch/$1.console" | grep -a . >"$scratch/$1.lines" || echo 'linux.uml says nothing' >"$scratch/$1.lines"
    grep -m 1 -a 'Kernel panic' "$scratch/$1.lines" ||
        grep -m 1 -aiE 'ptrace.*(denied|permitted)|mount: .*failed|not executable|no space left' "$scratch/$1.lines" || tail -n 1 "$scratch/$1.lines"
}

can_boot() {
    command -v linux.uml >/dev/null || skip "guest: linux.uml (package user-mode-linux) is not installed"
    write_job probe <<'JOB'
echo booted >probe.out
JOB
    guest probe
    if [ "$(result probe.out)" != booted ] && command -v cc >/dev/null &&
        cc -shared -fPIC -O1 -o registers.so "$here/registers.c"; then
        preload=$scratch/registers.so
        guest probe
    fi
    [ "$(result probe.out)" = booted ] || {
        show_console probe
        skip "guest: no User-Mode Linux guest boots here: $(why_not probe)"
    }
}

cd "$scratch" || exit 2
can_boot
for part; do
    # shellcheck source=/dev/null
    . "$here/$part.sh"
done
[ "$failed" -eq 0 ]

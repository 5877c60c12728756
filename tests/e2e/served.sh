# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What the tests of serve and mount share: beginning it, waiting for its first line, ending it, and looking for what it
# left. Sourced behind lib.sh.
# shellcheck disable=SC2154 # work and root are set there

needs()
{
    local tool
    for tool; do
        command -v "$tool" >/dev/null || skip "$tool is not installed"
    done
}

# Private directories are made here, so that what is left is ours.
can_serve()
{
    needs nbdkit
    [ -e "$(dirname "$COWTUI")/nbdkit-cow-plugin.so" ] || skip "the plugin is not built (nbdkit-plugin-dev)"
    unset XDG_RUNTIME_DIR
    export TMPDIR=$work/private
    mkdir -p "$TMPDIR"
    server='' second_server=''
    trap 'kill $server $second_server 2>/dev/null; wait' EXIT # of a case that fails
    ! sanitized || [ -e "$work/shims" ] || { mkdir "$work/shims" && "$root/tests/serve/shim.sh" "$work/shims"; } ||
        skip "the sanitizer cannot be put into nbdkit"
    ! sanitized || PATH=$work/shims:$PATH
}

# hidden NAME...: makes a program "hidden" here, which is cowtui where of the programs in /usr/bin just these are there.
hidden() # NAME...
{
    local tool
    rm -rf "$work/only" && mkdir "$work/only"
    for tool; do
        ln -s "$(type -P "$tool")" "$work/only/"
    done
    printf '#!%s\nPATH=%s exec %s "$@"\n' "$(type -P bash)" "$work/only" "$COWTUI" >hidden
    chmod +x hidden
}

# begun NAME COMMAND...: in the background; its first line in ./NAME.out (all of it with --json), the rest in ./NAME.err.
begun()
{
    local name=$1
    shift
    rm -f "$name.out"
    "$COWTUI" "$@" >"$name.out" 2>"$name.err" &
    server=$!
    for _ in $(seq "$(turns 600)"); do
        case " $* " in
        *' --json '*) ! grep -q '^}' "$name.out" || break ;;
        *) [ ! -s "$name.out" ] || break ;;
        esac
        kill -0 $server 2>/dev/null || die "$*: it ended: $(cat "$name.err")"
        sleep 0.05
    done
    [ -s "$name.out" ] || die "$*: not begun: $(cat "$name.err")"
    cp "$name.out" out
    cp "$name.err" said # what it had said before it began
}

# served OPTIONS... IMAGE: sets uri and server. served2: another one beside it.
served()
{
    begun first serve "$@"
    uri=$(grep -o 'nbd+unix:[^"]*' first.out)
}
served2()
{
    first_server=$server
    begun second serve "$@"
    second_server=$server server=$first_server
}

ended_with() # PID CODE NAME
{
    local code=0
    for _ in $(seq "$(turns 600)"); do
        kill -0 "$1" 2>/dev/null || break
        sleep 0.05
    done
    kill -0 "$1" 2>/dev/null && die "it does not end: $(cat "$3.err")"
    wait "$1" || code=$?
    cp "$3.err" said
    eq "$2" "$code" "exit code ($(tail -n 2 "$3.err" | tr '\n' ' '))"
    ! grep -qE 'Sanitizer|runtime error' said || die "$(grep -E 'Sanitizer|runtime error' said | head -n 1)"
}

# It is asked to end, and does with CODE; or it ended by itself.
ends() # CODE
{
    kill "$server"
    ended "$1"
}
ended() # CODE
{
    ended_with "$server" "$1" first
    left_nothing
    rm -f first.out first.err
}
ends2()
{
    kill "$second_server"
    ended_with "$second_server" "$1" second
    rm -f second.out second.err
}

left_nothing()
{
    [ -z "$(ls "$TMPDIR")" ] || die "left: $(ls "$TMPDIR" | tr '\n' ' ')"
}

# Behind a kill of cowtui itself: what it had started ends by itself.
gone_soon()
{
    for _ in $(seq "$(turns 200)"); do
        [ -n "$(ls "$TMPDIR")" ] || return 0
        sleep 0.05
    done
    die "left by a kill: $(ls "$TMPDIR" | tr '\n' ' ')"
}

# The process of nbdkit: a child of the child.
server_pid()
{
    pgrep -P "$(pgrep -P "$server")" -x nbdkit
}

# A request by qemu-io; what it said is in qemu.out.
io() # REQUEST...
{
    local words=() request
    for request; do
        words+=(-c "$request")
    done
    qemu-io -r -f raw "${words[@]}" "$uri" >qemu.out 2>&1 && ! grep -qiE 'fail|error|verification' qemu.out
}

# A clean sector: of the backing file.
readable()
{
    io "read -P 98 2048 512" || die "it cannot be read: $(cat qemu.out)"
}
not_readable()
{
    ! io "read 2048 512" || die "it is read"
    grep -q 'Input/output error' qemu.out || die "another error: $(cat qemu.out)"
}

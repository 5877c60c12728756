#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The served disk against a plain file: run.sh BINARY [--parts | PART...]. Parts: random operations, servers that are
# killed, clients that lie, a full disk, a tree of files through a mount. LEVEL says how many of each.
set -u

dir=$(cd "$(dirname "$0")" && pwd)
binary=$(realpath "${1:-$dir/../../build/tests/cowtui}")
[ -x "$binary" ] || {
    echo "run.sh: no binary ${1:-build/tests/cowtui}" >&2
    exit 1
}
[ $# -eq 0 ] || shift
export LC_ALL=C.UTF-8 PATH=$PATH:/usr/sbin:/sbin
unset NO_COLOR
for tool in python3 nbdkit; do
    [ "${1:-}" = --parts ] || command -v $tool >/dev/null || {
        echo "$tool is not installed"
        exit 77
    }
done
[ "${1:-}" = --parts ] || [ -e "$(dirname "$binary")/nbdkit-cow-plugin.so" ] || {
    echo "the plugin is not built: nbdkit-plugin-dev is not installed"
    exit 77
}
# A sanitized plugin wants the sanitizer in nbdkit, which has none of its own.
if grep -q __asan_init "$binary"; then
    shims=$(mktemp -d) || exit 1
    trap 'rm -rf "$shims"' EXIT
    "$dir/shim.sh" "$shims" || exit 1
    PATH=$shims:$PATH
fi
"$(python3 -c 'import sys; print(sys.executable)')" -BES "$dir/serve.py" "$binary" "$@"

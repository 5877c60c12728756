#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# shim.sh DIRECTORY: puts a program "nbdkit" there that starts the real one with the address sanitizer in it, for a plugin
# that was built with it. What nbdkit itself leaks is not looked for.
set -eu

real=$(command -v nbdkit)
library=$(gcc -print-file-name=libasan.so)
cat >"$1/nbdkit" <<END_OF_SHIM
#!/bin/sh
LD_PRELOAD=$library ASAN_OPTIONS=detect_leaks=0 exec $real "\$@"
END_OF_SHIM
chmod +x "$1/nbdkit"

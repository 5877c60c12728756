#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What whoever packages it relies on: installing compiles nothing and uninstalling leaves nothing, links lead
# somewhere, DEPS=no installs no package, the version is our own, two builds are the same bytes, and the user's
# flags win; and the Debian packages (deb.sh). Lines "ok NAME", "FAIL NAME: why", "skip NAME: why".
# Usage: run.sh BUILD_DIRECTORY [--parts | all | deb | reproducible]      one in which make has been run; ONLY_CASE chooses among the cases
set -u

if [ "${2:-all}" = --parts ]; then
    printf '%s\n' 'all 20' 'deb 15' 'reproducible 40'
    exit 0
fi

root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/wanted.sh
. "$root/tests/wanted.sh"
build=$(realpath "${1:-$root/build}")
[ -x "$build/cowtui" ] || {
    echo "run.sh: $build/cowtui is not there: run make first" >&2
    exit 1
}
# Of the make that runs this, nothing is to be heard of; nor what the user chose for his own build.
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL DESTDIR prefix BUILD CFLAGS CPPFLAGS LDFLAGS DEPS CC
unset DEBFULLNAME DEBEMAIL SOURCE_DATE_EPOCH
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
export LC_ALL=C.UTF-8
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
failed=0

die()
{
    printf '%s' "$*" | tr '\n' ' ' >"$work/why"
    exit 1
}

skip()
{
    printf '%s' "$*" >"$work/why"
    exit 77
}

t() # NAME FUNCTION: a case in a subshell, in a directory of its own
{
    local name=$1 code
    wanted "$name" || return 0
    mkdir "$work/$name" || exit 1
    rm -f "$work/why"
    ( cd "$work/$name" && "$2" ) </dev/null
    code=$?
    case $code in
    0) echo "ok $name" ;;
    77) echo "skip $name: $(cat "$work/why")" ;;
    *) echo "FAIL $name: $(cat "$work/why" 2>/dev/null || echo "exit $code")" && failed=$((failed + 1)) ;;
    esac
    rm -rf "${work:?}/$name"
}

# The tree as a tarball has it: without git, and without what was built.
tarball() # DIRECTORY
{
    mkdir -p "$1" || die "mkdir $1"
    tar -C "$root" --exclude=./.git --exclude=./build --exclude=__pycache__ -cf - . | tar -C "$1" -xf - || die "no copy"
}

# Tools that must not be called: they leave a trace and fail.
forbid() # NAME...
{
    mkdir -p "$PWD/forbidden"
    for tool; do
        printf '#!/bin/sh\necho "%s $*" >>"%s"\nexit 1\n' "$tool" "$PWD/called" >"forbidden/$tool"
        chmod +x "forbidden/$tool"
    done
    PATH=$PWD/forbidden:$PATH
}

listing() # DIRECTORY: all that is in it, with what tells a change
{
    find "$1" ! -type d -printf '%P %i %T@ %s\n' | sort
}

install_copies()
{
    listing "$build" >before
    forbid cc gcc clang ar pkg-config git
    make -s -C "$root" BUILD="$build" CC=cc CFLAGS='-O0 -DOTHER' DESTDIR="$PWD/to" prefix=/usr install >out 2>&1 ||
        die "make install: $(tail -n 2 out)"
    [ ! -e called ] || die "make install called $(head -n 1 called)"
    listing "$build" | diff before - >difference || die "make install changes the build: $(head -n 2 difference)"
    cmp "$build/cowtui" to/usr/bin/cowtui || die "another program is installed"
    for file in share/man/man1/cowtui.1 share/doc/cowtui/README.md share/doc/cowtui/CHANGELOG.md \
        share/bash-completion/completions/cowtui share/zsh/site-functions/_cowtui \
        share/fish/vendor_completions.d/cowtui.fish; do
        [ -s "to/usr/$file" ] || die "$file is not installed"
    done
    [ -z "$(find to -type f -perm /022)" ] || die "others may write: $(find to -type f -perm /022 | head -n 1)"
}

install_wants_make()
{
    mkdir empty
    forbid cc gcc clang ar
    make -s -C "$root" BUILD="$PWD/empty" CC=cc DESTDIR="$PWD/to" install >out 2>&1 && die "it installs what is not there"
    grep -q 'run "make" first' out || die "it does not say what to do: $(head -n 1 out)"
    [ ! -e called ] || die "it compiles: $(head -n 1 called)"
    [ -z "$(find empty to -type f 2>/dev/null)" ] || die "it writes $(find empty to -type f | head -n 1)"
}

links_lead_somewhere()
{
    command -v python3 >/dev/null || skip "python3 is not installed"
    make -s -C "$root" BUILD="$build" DESTDIR="$PWD/to" install >out 2>&1 || die "make install: $(tail -n 1 out)"
    "$root/tests/install/links.py" to >broken || die "installed: $(head -n 3 broken)"
    tarball tree
    tree/tests/install/links.py tree >broken || die "in the tree: $(head -n 3 broken)"
}

uninstall_leaves_nothing()
{
    make -s -C "$root" BUILD="$build" DESTDIR="$PWD/to" install >out 2>&1 || die "make install: $(tail -n 1 out)"
    make -s -C "$root" BUILD="$build" DESTDIR="$PWD/to" uninstall >out 2>&1 || die "make uninstall: $(tail -n 1 out)"
    [ -z "$(find to -mindepth 1)" ] || die "left: $(find to -mindepth 1 | head -n 3)"
    # Without DESTDIR, among what is there already: that stays, and so do the directories of any system.
    mkdir -p usr/bin usr/include usr/lib/pkgconfig usr/share/man/man1 usr/share/man/man3 usr/share/man/man5 usr/share/doc usr/share/zsh/site-functions
    echo other >usr/share/zsh/site-functions/_other
    find usr | sort >before
    make -s -C "$root" BUILD="$build" prefix="$PWD/usr" install >out 2>&1 || die "make install: $(tail -n 1 out)"
    [ -x usr/bin/cowtui ] || die "it is not in prefix/bin"
    make -s -C "$root" BUILD="$build" prefix="$PWD/usr" uninstall >out 2>&1 || die "make uninstall: $(tail -n 1 out)"
    find usr | sort | diff before - >difference || die "differs: $(grep '^[<>]' difference | head -n 3)"
}

# A PATH with nothing in it but what is named.
only() # NAME...
{
    local tool at
    mkdir -p only
    for tool; do
        at=$(type -P "$tool") && ln -s "$at" only/
    done
}

deps_no()
{
    local shell=/bin/sh
    only id cat sort tr cut uname
    printf '#!/bin/sh\necho "$0 $*" >>"%s/called"\n' "$PWD" >only/apt-get
    cp only/apt-get only/sudo
    chmod +x only/apt-get only/sudo
    # Nothing is there: without DEPS=no it would install.
    PATH=$PWD/only DEPS=no "$shell" "$root/.ci/deps" build test >out 2>err && die "it goes on without a compiler"
    grep -q 'DEPS=no.*pkg-config' err || die "it does not name what is missing: $(head -n 1 err)"
    # Only tests lack something: named, and on.
    awk '/^ *build\) cat/ { inside = 1; print; next } /^END$/ { inside = 0 } !inside' "$root/.ci/deps" >deps
    PATH=$PWD/only DEPS=no "$shell" ./deps build test >out 2>err || die "missing packages of tests stop it: $(cat err)"
    grep -q 'DEPS=no.*tmux' err || die "it does not name tmux: $(head -n 1 err)"
    [ ! -e called ] || die "it calls $(head -n 1 called)"
}

# Every target that may install something asks .ci/deps, which gets to know of DEPS=no from either side.
deps_no_everywhere()
{
    local target
    mkdir -p tree/.ci
    cp "$root/Makefile" tree/
    printf '#!/bin/sh\necho "${DEPS-}" >>asked\nexit 1\n' >tree/.ci/deps
    chmod +x tree/.ci/deps
    grep -oE '^[a-z-]+:' "$root/Makefile" | tr -d : | sort -u >targets
    forbid apt-get sudo
    while read -r target; do
        make -n -C "$root" "$target" 2>/dev/null | grep -q '^\.ci/deps' || continue
        make -s -C tree "$target" DEPS=no >/dev/null 2>&1
        DEPS=no make -s -C tree "$target" >/dev/null 2>&1
    done < <(grep -vxE 'install|uninstall|clean|format|help' targets)
    [ "$(sort -u tree/asked 2>/dev/null)" = no ] || die "DEPS=no does not arrive: $(sort tree/asked | uniq -c | head -n 3)"
    [ "$(wc -l <tree/asked)" -ge 8 ] || die "only $(wc -l <tree/asked) questions were asked"
    ! grep -rlE '^[^#]*(apt-get|apt) (-[a-z-]+ )*(install|update)' "$root/tests" "$root/share" "$root/Makefile" |
        grep -v '/tests/install/run.sh$' >found || die "packages are installed by $(head -n 1 found)"
    [ ! -e called ] || die "it calls $(head -n 1 called)"
}

# Not root, and no sudo: one line that can be pasted, whole.
whole_command()
{
    only cat sort tr cut uname env
    printf '#!/bin/sh\necho 1000\n' >only/id
    printf '#!/bin/sh\necho "$0 $*" >>"%s/called"\n' "$PWD" >only/apt-get
    chmod +x only/id only/apt-get
    PATH=$PWD/only /bin/sh "$root/.ci/deps" build >out 2>err && die "it goes on"
    [ ! -e called ] || die "it calls $(head -n 1 called) though it may not"
    grep -qxE 'apt-get update && apt-get install -y --no-install-recommends( [a-z0-9.+-]+)+' err ||
        die "no whole command: $(cat err)"
    # Followed, it installs all that was missing: the same question again finds the same names.
    grep -q ' pkg-config' err || die "pkg-config is not in it"
    # sudo that is refused: the same.
    printf '#!/bin/sh\nexit 1\n' >only/sudo
    chmod +x only/sudo
    PATH=$PWD/only /bin/sh "$root/.ci/deps" build >out 2>err && die "it goes on where sudo fails"
    grep -q '^apt-get update && apt-get install' err || die "no whole command where sudo fails: $(cat err)"
}

version_is_ours()
{
    command -v git >/dev/null || skip "git is not installed"
    git init -q outer && cd outer || die "git init"
    git -c user.name=a -c user.email=a@b commit -q --allow-empty -m other && git tag v9.9.9 || die "git commit"
    tarball unpacked
    [ "$(sh unpacked/.ci/version 1.2.3)" = 1.2.3 ] || die "an enclosing repository gives $(sh unpacked/.ci/version 1.2.3)"
    (cd / && [ "$(sh "$OLDPWD/unpacked/.ci/version" 1.2.3)" = 1.2.3 ]) || die "from elsewhere it is another one"
    [ "$(GIT_DIR=$PWD/.git sh unpacked/.ci/version 1.2.3)" = 1.2.3 ] || die "GIT_DIR gives another one"
    # Our own: with a commit, and with a tag.
    cd unpacked && git init -q . && git add .ci && git -c user.name=a -c user.email=a@b commit -q -m ours || die "git"
    case $(sh .ci/version 1.2.3) in 1.2.3+g*) ;; *) die "our commit gives $(sh .ci/version 1.2.3)" ;; esac
    git tag v2.0 && [ "$(sh .ci/version 1.2.3)" = 2.0 ] || die "our tag gives $(sh .ci/version 1.2.3)"
    # A link to the tree is the same tree.
    ln -s "$PWD" ../../link && [ "$(sh ../../link/.ci/version 1.2.3)" = 2.0 ] || die "through a link: $(sh ../../link/.ci/version 1)"
}

# The same bytes from two directories, one of them under another name, and at another time; the library, too.
reproducible()
{
    local each
    tarball one
    cp -a one another-directory-with-a-longer-name
    ln -s another-directory-with-a-longer-name link
    make -s -j2 -C one CFLAGS='-O0 -g' DEPS=no all >out 2>&1 || die "make: $(tail -n 2 out)"
    find another-directory-with-a-longer-name -exec touch -d '2001-02-03' {} +
    (cd link && TZ=Asia/Tokyo LC_ALL=C make -s -j2 CFLAGS='-O0 -g' DEPS=no all) >out 2>&1 || die "make: $(tail -n 2 out)"
    for each in cowtui libcow.a cowtui.1 nbdkit-cow-plugin.so; do
        [ "${each##*.}" != so ] || [ -e "$build/$each" ] || continue
        cmp -s "one/build/$each" "link/build/$each" || die "$each differs"
    done
    grep -qaF "$PWD" one/build/cowtui && die "the program knows where it was built"
    return 0
}

# The plugin for nbdkit: it is installed where nbdkit looks, or below a prefix of one's own, where the program finds it;
# it shows nbdkit one name only; and without nbdkit-plugin-dev all else is built.
plugin()
{
    local place tool=nbdkit-cow-plugin.so
    [ -e "$build/$tool" ] || skip "nbdkit-plugin-dev is not installed"
    make -s -C "$root" BUILD="$build" DESTDIR="$PWD/to" prefix=/usr install >out 2>&1 || die "make install: $(tail -n 1 out)"
    place=to$(pkg-config --variable=plugindir nbdkit)/$tool
    cmp "$build/$tool" "$place" || die "it is not at $place"
    make -s -C "$root" BUILD="$build" prefix="$PWD/own" install >out 2>&1 || die "make install: $(tail -n 1 out)"
    cmp "$build/$tool" own/lib/nbdkit/plugins/$tool || die "it is not below the prefix"
    truncate -s 1M b.img
    own/bin/cowtui create -q x.cow b.img || die "create: $?"
    own/bin/cowtui serve -q --once x.cow >uri &
    until [ -s uri ]; do kill -0 $! 2>/dev/null || die "installed, it does not serve"; sleep 0.1; done
    if command -v nbdinfo >/dev/null; then
        [ "$(nbdinfo --size "$(cat uri)")" = 1048576 ] || die "the disk has another size"
    else
        kill $!
    fi
    wait $! || die "it ends with $?"
    if command -v nm >/dev/null; then
        [ "$(nm -D --defined-only "$build/$tool" | sed 's/.* //' | grep -v '^_')" = plugin_init ] ||
            grep -qa __asan_init "$build/$tool" || die "nbdkit sees more than one name"
    fi
    printf '#!/bin/sh\ncase "$*" in *nbdkit*) exit 1 ;; esac\nexec pkg-config "$@"\n' >no-nbdkit
    chmod +x no-nbdkit
    make -n -C "$root" BUILD="$PWD/without" PKG_CONFIG="$PWD/no-nbdkit" all >out 2>&1 || die "make -n: $(tail -n 1 out)"
    grep -q "without/cowtui " out || die "the program is not built without nbdkit-plugin-dev"
    ! grep -q "without/$tool" out || die "the plugin is built without nbdkit-plugin-dev"
}

# What somebody else's program needs: the sample is compiled by nothing but what is installed, and tells of an image what the
# program tells. Each header stands alone, the names of the core's rooms are not seen, and the manual names all that are.
library()
{
    command -v cc >/dev/null && command -v pkg-config >/dev/null || skip "no compiler here"
    make -s -C "$root" BUILD="$build" prefix="$PWD/own" install >out 2>&1 || die "make install: $(tail -n 1 out)"
    export PKG_CONFIG_PATH=$PWD/own/lib/pkgconfig
    pkg-config --modversion libcow >out 2>&1 || die "pkg-config: $(head -n 1 out)"
    [ "$(cat out)" = "$(cat "$build/version")" ] || die "libcow.pc has version $(cat out)"
    local header flags=() each
    ! grep -qa __asan_init "$build/cowtui" || flags=(-fsanitize=address -fsanitize=undefined)
    # shellcheck disable=SC2046 # words
    cc -Wall -Wextra -Werror "${flags[@]}" -o runs own/share/doc/cowtui/examples/runs.c $(pkg-config --cflags --libs libcow) 2>out ||
        die "the sample: $(head -n 1 out)"
    [ "$(grep -cv '^ \*\|^/\*' own/share/doc/cowtui/examples/runs.c)" -le 35 ] || die "the sample is long"
    head -c 1048576 /dev/zero | tr '\0' x >b.img && head -c 65536 b.img | cat - /dev/zero | head -c 1048576 >new.raw
    own/bin/cowtui diff -q -o x.cow b.img new.raw || die "diff: $?"
    ./runs x.cow >said || die "it ends with $?"
    own/bin/cowtui map --json x.cow | tr -d ' \n' | grep -o '"origin":"[^"]*"' | cut -d '"' -f 4 >wanted
    cut -d ' ' -f 3 said | diff - wanted >out || die "it tells other runs: $(head -n 2 out)"
    [ "$(wc -l <wanted)" -ge 2 ] && [ "$(awk '{ n += $2 } END { print n }' said)" = 2048 ] || die "not all of the disk is told"
    ./runs b.img >out 2>err && die "it opens what is no image"
    for header in own/include/cow/*.h; do
        echo "#include <cow/${header##*/}>" >alone.c
        cc -std=c11 -pedantic -Wall -Wextra -Werror -Iown/include -c alone.c 2>out || die "$header does not stand alone: $(head -n 1 out)"
    done
    if command -v nm >/dev/null && [ "${#flags[@]}" -eq 0 ]; then
        each=$(nm -g --defined-only own/lib/libcow.a | awk 'NF == 3 { print $3 }' | grep -v '^cow_' | head -n 3)
        [ -z "$each" ] || die "names that are the core's own are seen: $each"
    fi
    command -v python3 >/dev/null || skip "python3 is not installed"
    python3 "$root/share/man/library.py" "$root/include" | cmp -s - own/share/man/man3/libcow.3 || die "libcow.3 is not what library.py writes"
    python3 "$root/share/man/format.py" "$root/share/doc/format.md" | cmp -s - own/share/man/man5/cowtui-format.5 ||
        die "cowtui-format.5 is not what format.py writes"
    sed 's/\\f[BR]//g' own/share/man/man3/libcow.3 | grep -oE '\bcow_[a-z0-9_]+\(' | sort -u >named
    cat own/include/cow/*.h | tr '\n' ' ' | grep -oE '\bcow_[a-z0-9_]+\([^;{}]*\)[^;{}]*;' | grep -oE '^cow_[a-z0-9_]+\(' | sort -u >declared
    diff declared named >out || die "the manual and the headers name other functions: $(head -n 2 out)"
    # All of them by the one header that the manual names, and in the library.
    { echo '#include <cow/cow.h>' && echo '#include <stdio.h>' && echo 'int main(void) { int n = 0;' &&
        sed 's/($//; s/.*/n += (void (*)(void))& != 0;/' named && echo 'printf("%d\n", n); return 0; }'; } >all.c
    # shellcheck disable=SC2046 # words
    cc -Wno-address "${flags[@]}" -o all all.c $(pkg-config --cflags --libs libcow) 2>out || die "by cow.h alone: $(grep -m 1 'error\|undefined' out)"
    [ "$(./all)" = "$(wc -l <named)" ] || die "not all functions are there"
}

# What the compiler has is used, and the flags of whoever builds win.
hardened()
{
    local flags
    [ "$(readelf -h "$build/cowtui" 2>/dev/null | grep -c 'Type:.*DYN')" = 1 ] || {
        command -v readelf >/dev/null || skip "readelf is not installed"
        die "no position independent program"
    }
    readelf -ld "$build/cowtui" >elf
    grep -q GNU_RELRO elf || die "no RELRO"
    grep -q 'BIND_NOW\|Flags:.*NOW' elf || die "no immediate binding"
    grep -qa __stack_chk_fail "$build/cowtui" || die "no stack protector"
    grep -qa __snprintf_chk "$build/cowtui" || grep -qa __asan_init "$build/cowtui" || die "no FORTIFY"
    cd "$root" || die "no root"
    flags=$(.ci/hardening compile cc -O2; .ci/hardening link cc -O2)
    case $flags in *-fPIE*FORTIFY_SOURCE=*-pie*-z,now*) ;; *) die "too little: $flags" ;; esac
    flags=$(.ci/hardening compile cc -O2 -D_FORTIFY_SOURCE=2)
    case $flags in *FORTIFY*) die "FORTIFY twice: $flags" ;; esac
    flags=$(.ci/hardening compile cc -O0)
    case $flags in *FORTIFY*) die "FORTIFY without optimization: $flags" ;; esac
    flags=$(.ci/hardening compile cc -O2 -fsanitize=address)
    case $flags in *FORTIFY*) die "FORTIFY under a sanitizer: $flags" ;; esac
    flags=$(.ci/hardening link cc -no-pie)
    case $flags in *-pie*) die "PIE though the user says no: $flags" ;; esac
    flags=$(.ci/hardening compile false; .ci/hardening link false)
    [ -z "$flags" ] || die "a compiler that has nothing gets $flags"
}

if [ "${2:-all}" = deb ]; then
    # shellcheck source=tests/install/deb.sh
    . "$root/tests/install/deb.sh"
    [ "$failed" -eq 0 ]
    exit
fi
if [ "${2:-all}" = reproducible ]; then
    t reproducible reproducible
    [ "$failed" -eq 0 ]
    exit
fi
t install-copies install_copies
t install-wants-make install_wants_make
t links links_lead_somewhere
t uninstall uninstall_leaves_nothing
t deps-no deps_no
t deps-no-everywhere deps_no_everywhere
t whole-command whole_command
t version version_is_ours
t hardened hardened
t plugin plugin
t library library
[ "$failed" -eq 0 ]

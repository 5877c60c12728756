# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The Debian packages: who made them is asked for, lintian finds nothing, each file is in its place, two builds are the
# same bytes, and what is installed from them works and goes again. They are packed of what make has built, elsewhere.

# What share/debian/build.sh takes from a build; under the program's version, or another one.
built() # DIRECTORY [VERSION]
{
    mkdir -p "$1/installed" || die "mkdir $1"
    cp "$build/cowtui" "$build/cowtui.1" "$1/" && cp "$build/installed/libcow.a" "$1/installed/" || die "no build to pack"
    cp "$build"/nbdkit* "$1/" 2>/dev/null
    if [ -n "${2:-}" ]; then echo "$2" >"$1/version"; else cp "$build/version" "$1/"; fi
}

# The packages are made once.
packages()
{
    command -v dpkg-gencontrol >/dev/null || skip "dpkg-dev is not installed"
    debs=$work/packages
    [ ! -e "$debs/made" ] || return 0
    rm -rf "$debs"
    built "$debs"
    DEBFULLNAME='Jané Doe' DEBEMAIL=jane@example.org "$root/share/debian/build.sh" "$debs" >"$debs/names" 2>"$debs/err" ||
        die "build.sh: $(head -n 2 "$debs/err")"
    [ ! -s "$debs/err" ] || die "build.sh says: $(head -n 2 "$debs/err")"
    touch "$debs/made"
}

package() # NAME: its file
{
    local files=("$debs/$1"_*.deb)
    [ "${#files[@]}" -eq 1 ] && [ -f "${files[0]}" ] || die "no package $1, or several: ${files[*]}"
    echo "${files[0]}"
}

# Nobody is named: that is said first, with what to do, and nothing is compiled or written.
deb_maintainer()
{
    local each
    forbid cc gcc clang ar apt-get sudo
    mkdir tree && cp -a "$root/Makefile" "$root/.ci" "$root/share" tree/ || die "no copy"
    for each in 'DEBFULLNAME= DEBEMAIL=' 'DEBFULLNAME=Jane DEBEMAIL=' 'DEBFULLNAME= DEBEMAIL=jane@example.org'; do
        # shellcheck disable=SC2086 # words
        env $each make -s -C tree deb DEPS=no >out 2>err && die "it packs with $each"
        grep -q 'set DEBFULLNAME and DEBEMAIL' err || die "it does not say what to set: $(head -n 1 err)"
        grep -q '^make deb DEBFULLNAME=.* DEBEMAIL=.*@' err || die "no example: $(cat err)"
    done
    for each in 'Jane <x>' 'Doe, Jane' $'Jane\nDoe'; do
        DEBFULLNAME=$each DEBEMAIL=jane@example.org make -s -C tree deb DEPS=no >out 2>err && die "it takes the name $each"
        grep -q 'a character that cannot stand' err || die "it does not say why: $(head -n 1 err)"
    done
    make -s -C tree deb DEPS=no DEBFULLNAME=Jane DEBEMAIL=jane >out 2>err && die "it takes an address without @"
    grep -q 'DEBEMAIL is no address' err || die "it does not say why: $(head -n 1 err)"
    [ ! -e called ] || die "it calls $(head -n 1 called)"
    [ ! -e tree/build ] || die "it writes $(find tree/build | head -n 2)"
    # As variables of make, as the example has them, they arrive.
    [ "$(DEBFULLNAME=Jane DEBEMAIL=jane@example.org "$root/share/debian/build.sh" --maintainer)" = 'Jane <jane@example.org>' ] ||
        die "it is somebody else"
    make -n -C "$root" BUILD="$build" deb DEPS=no >out 2>&1 || die "make -n deb: $(tail -n 1 out)"
    grep -q '^share/debian/build.sh ' out || die "make deb does not pack"
}

deb_lintian()
{
    packages
    command -v lintian >/dev/null || skip "lintian is not installed"
    local as=()
    [ "$(id -u)" -ne 0 ] || as=(--allow-root)
    lintian "${as[@]}" --no-cfg "$(package cowtui)" "$(package libcow-dev)" >out 2>err || die "$(cat out err | head -n 3)"
    [ ! -s out ] || die "$(head -n 3 out)"
}

# The files of a package, without what differs from machine to machine.
files_of() # NAME
{
    dpkg-deb --fsys-tarfile "$(package "$1")" | tar -t | sed -n 's#^\./##; /[^/]$/p' |
        sed -e "s#^usr/lib/$(dpkg-architecture -q DEB_HOST_MULTIARCH)/#usr/lib/ARCH/#" | sort
}

deb_contents()
{
    local each
    packages
    { printf '%s\n' usr/bin/cowtui usr/share/man/man1/cowtui.1.gz usr/share/man/man5/cowtui-format.5.gz \
        usr/share/bash-completion/completions/cowtui usr/share/zsh/vendor-completions/_cowtui \
        usr/share/fish/vendor_completions.d/cowtui.fish
        [ ! -e "$build/nbdkit-cow-plugin.so" ] || echo usr/lib/ARCH/nbdkit/plugins/nbdkit-cow-plugin.so
        for each in README.md SECURITY.md architecture.md format.md themes.md changelog.gz changelog.Debian.gz copyright; do
            echo "usr/share/doc/cowtui/$each"
        done
        (cd "$root/share/doc" && printf 'usr/share/doc/cowtui/%s\n' img/*.svg)
        (cd "$root/share" && printf 'usr/share/cowtui/%s\n' themes/*.theme); } | sort >want
    files_of cowtui | diff want - >difference || die "cowtui: $(grep '^[<>]' difference | head -n 3)"
    { printf '%s\n' usr/lib/ARCH/libcow.a usr/lib/ARCH/pkgconfig/libcow.pc usr/share/man/man3/libcow.3.gz
        printf 'usr/share/doc/libcow-dev/%s\n' changelog.gz changelog.Debian.gz copyright examples/runs.c
        (cd "$root/include" && printf 'usr/include/%s\n' cow/*.h); } | sort >want
    files_of libcow-dev | diff want - >difference || die "libcow-dev: $(grep '^[<>]' difference | head -n 3)"
    for each in cowtui libcow-dev; do
        dpkg-deb --fsys-tarfile "$(package $each)" | tar -tv --numeric-owner >listing
        ! grep -vE '^(drwxr-xr-x|-rw-r--r--|-rwxr-xr-x) 0/0 ' listing >odd || die "$each: $(head -n 1 odd)"
        grep -E '^-rwx' listing | grep -v ' \./usr/bin/cowtui$' >odd && die "$each: $(head -n 1 odd)"
        dpkg-deb -x "$(package $each)" tree && dpkg-deb -e "$(package $each)" control-$each || die "it cannot be unpacked"
        (cd tree && md5sum --quiet -c "../control-$each/md5sums") >out 2>&1 || die "$each: md5sums: $(head -n 1 out)"
        [ "$(wc -l <control-$each/md5sums)" -eq "$(files_of $each | wc -l)" ] || die "$each: md5sums does not name all files"
        [ "$(find control-$each -type f -printf '%f\n' | sort | tr '\n' ' ')" = "control md5sums " ] || die "$each has scripts"
    done
    deb_texts
    ! command -v python3 >/dev/null || "$root/tests/install/links.py" tree/usr/share/doc >broken || die "links: $(head -n 3 broken)"
}

# What the packages say of themselves.
deb_texts()
{
    local file version each
    version=$("$root/share/debian/build.sh" --version "$debs") || die "no version"
    for each in cowtui libcow-dev; do
        file=$(package $each)
        [ "$(dpkg-deb -f "$file" Version)" = "$version" ] || die "$each has version $(dpkg-deb -f "$file" Version), not $version"
        [ "$(dpkg-deb -f "$file" Maintainer)" = 'Jané Doe <jane@example.org>' ] || die "maintainer: $(dpkg-deb -f "$file" Maintainer)"
        zcat "tree/usr/share/doc/$each/changelog.Debian.gz" >changelog
        dpkg-parsechangelog -l changelog >parsed 2>err || die "changelog: $(head -n 1 err)"
        [ ! -s err ] || die "changelog: $(head -n 1 err)"
        grep -qxF "Version: $version" parsed && grep -qxF 'Source: cowtui' parsed || die "its changelog is for $(grep Version parsed)"
        zcat "tree/usr/share/doc/$each/changelog.gz" | cmp - "$root/CHANGELOG.md" || die "changelog.gz is not CHANGELOG.md"
        grep -q '^Copyright: 2[0-9]* The cowtui authors$' "tree/usr/share/doc/$each/copyright" || die "copyright of $each"
    done
    zcat tree/usr/share/doc/cowtui/changelog.Debian.gz | awk '/^ -- / { gone = 1 } !gone' >newest
    [ "$(grep -c '^  \* ' newest)" = "$(awk '/^## / { n++ } n == 1 && /^- /' "$root/CHANGELOG.md" | wc -l)" ] ||
        die "the changelog has $(grep -c '^  \* ' newest) items"
    dpkg-deb -f "$(package cowtui)" Depends | grep -q 'libc6.*libext2fs.*libncursesw6' || die "it depends on too little"
    [ "$(sed -n 's/^Version: //p' tree/usr/lib/*/pkgconfig/libcow.pc)" = "$(cat "$build/version")" ] || die "libcow.pc"
}

# Debian's order of versions is that of the commits.
deb_versions()
{
    command -v dpkg >/dev/null || skip "dpkg is not installed"
    local earlier='' later
    export SOURCE_DATE_EPOCH=1000000000
    for later in 0.1.0+gfff 0.1.0+gaaa 0.1.0+gaaa-dirty 0.1.0-rc1 0.1.0 0.1.0-3-gabc 0.1.0-12-gabc 0.1.1 0.10.0; do
        mkdir -p build && echo "$later" >build/version
        later=$("$root/share/debian/build.sh" --version build) || die "no version for $later"
        dpkg --validate-version "$later" || die "$later is no version"
        [ -z "$earlier" ] || dpkg --compare-versions "$earlier" lt "$later" || die "$earlier is not before $later"
        earlier=$later
        SOURCE_DATE_EPOCH=$((SOURCE_DATE_EPOCH + 1))
    done
    dpkg --compare-versions "$later" lt 0.10.0-1 || die "$later is not before Debian's own"
}

# The same bytes by somebody else, elsewhere, at another time: the tree without git, whose last commit is told.
deb_reproducible()
{
    local each
    packages
    tarball other
    find other -exec touch -d '2001-02-03' {} +
    built a-directory-with-a-longer-name
    (umask 077 && DEBFULLNAME='Jané Doe' DEBEMAIL=jane@example.org TZ=Asia/Tokyo LANG=C SOURCE_DATE_EPOCH=$(sh "$root/.ci/version" --date) \
        bindir=/elsewhere other/share/debian/build.sh a-directory-with-a-longer-name) >out 2>&1 || die "build.sh: $(head -n 1 out)"
    for each in cowtui libcow-dev; do
        cmp "$(package $each)" "a-directory-with-a-longer-name/$(basename "$(package $each)")" >out 2>&1 || die "$each differs: $(cat out)"
    done
    [ -z "$(find other -newermt 2001-02-04 -type f)" ] || die "it writes into the tree: $(find other -newermt 2001-02-04 -type f | head -n 2)"
    # Without git it is the date of the last release, or the file's own.
    [ "$(sh other/.ci/version --date)" = "$(stat -c %Y other/CHANGELOG.md)" ] || die "the date is $(sh other/.ci/version --date)"
    sed -i '0,/^## .*/s//## [7.0.0] - 2031-05-06/' other/CHANGELOG.md
    [ "$(sh other/.ci/version --date)" = "$(date -u -d '2031-05-06 12:00 UTC' +%s)" ] || die "the release's date is $(sh other/.ci/version --date)"
}

# In a root of its own, which knows of the packages that this machine has: they are installed, used from within, and
# removed, and nothing is left.
deb_install()
{
    local as=() dpkg each libraries
    packages
    [ -s /var/lib/dpkg/status ] || skip "dpkg knows of no packages here"
    [ "$(id -u)" -eq 0 ] || as=(unshare --map-root-user)
    "${as[@]}" chroot / true 2>/dev/null || skip "not root, and no user namespaces: dpkg --root and chroot want one"
    mkdir -p root/var/lib/dpkg/info root/var/lib/dpkg/updates root/tmp
    awk -v RS= -v ORS='\n\n' '!/^Package: (cowtui|libcow-dev)\n/' /var/lib/dpkg/status >root/var/lib/dpkg/status
    libraries=$(ldd "$build/cowtui" | grep -o '/[^ ]*')
    # shellcheck disable=SC2086 # words
    cp -L --parents $libraries root/ || die "no libraries"
    truncate -s 1M root/tmp/b.img
    find root -path root/var -prune -o -print | sort >before
    dpkg=(dpkg --root="$PWD/root" --log=/dev/null --no-triggers)
    "${as[@]}" "${dpkg[@]}" --install "$(package cowtui)" "$(package libcow-dev)" >out 2>err || die "dpkg: $(grep -v 'files list file' err | head -n 2)"
    each=$("${as[@]}" chroot root /usr/bin/cowtui --version | head -n 1)
    [ "$each" = "cowtui $(cat "$build/version")" ] || die "in the root it says '$each'"
    "${as[@]}" chroot root /usr/bin/cowtui create -q /tmp/x.cow /tmp/b.img || die "create: $?"
    "${as[@]}" chroot root /usr/bin/cowtui info /tmp/x.cow >out 2>err || die "info: $(head -n 1 err)"
    grep -q 'uml-cow-v3' out || die "info: $(head -n 1 out)"
    zcat root/usr/share/man/man1/cowtui.1.gz | grep -q "cowtui $(cat "$build/version")" || die "no manual"
    deb_library root
    rm root/tmp/x.cow
    "${as[@]}" "${dpkg[@]}" --remove libcow-dev cowtui >out 2>err || die "dpkg --remove: $(grep -v 'files list file' err | head -n 2)"
    find root -path root/var -prune -o -print | sort | diff before - >difference || die "left, or gone: $(grep '^[<>]' difference | head -n 3)"
    ! grep -qE '^Package: (cowtui|libcow-dev)$' root/var/lib/dpkg/status || die "dpkg still knows of it"
}

# The sample, by what the package of the library has.
deb_library() # ROOT
{
    command -v cc >/dev/null && command -v pkg-config >/dev/null || return 0
    grep -qa __asan_init "$build/cowtui" && return 0
    export PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_SYSROOT_DIR=$PWD/$1
    PKG_CONFIG_PATH=$(echo "$PWD/$1"/usr/lib/*/pkgconfig)
    export PKG_CONFIG_PATH
    # shellcheck disable=SC2046 # words
    cc -o runs "$1/usr/share/doc/libcow-dev/examples/runs.c" $(pkg-config --cflags --libs libcow) 2>out || die "the sample: $(head -n 1 out)"
    ./runs "$1/tmp/x.cow" >said || die "the sample ends with $?"
    grep -q backing said || die "the sample says $(head -n 1 said)"
}

t deb-maintainer deb_maintainer
t deb-versions deb_versions
t deb-contents deb_contents
t deb-lintian deb_lintian
t deb-reproducible deb_reproducible
t deb-install deb_install

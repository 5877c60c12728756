#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Packs what make has built into two Debian packages in BUILD_DIRECTORY: cowtui, and libcow-dev for who builds on the
# library. Of Debian's tools it uses those of dpkg-dev alone. The same sources give the same bytes, whoever builds:
# all times are those of the last commit (SOURCE_DATE_EPOCH, if that is set).
# Usage: build.sh BUILD_DIRECTORY            writes the packages, and prints their names
#        build.sh --version BUILD_DIRECTORY  prints the version that they would have
#        build.sh --maintainer               prints who that is, or says how to say so
set -eu

mode=pack
case ${1-} in
--maintainer) mode=maintainer ;;
--version) mode=version && shift ;;
esac
if [ "$mode" != maintainer ]; then
    build=$(cd "${1:?names no BUILD_DIRECTORY}" && pwd)
fi
cd "$(dirname "$0")/../.."
export LC_ALL=C.UTF-8
umask 022
# Of the make that runs this, and of where it would install, nothing is heard.
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL bindir datadir mandir includedir pkgconfigdir docdir bashcompletiondir \
    fishcompletiondir themedir nbdkitplugindir

fail() {
    echo "deb: $*" >&2
    exit 1
}

who() {
    if [ -z "${DEBFULLNAME-}" ] || [ -z "${DEBEMAIL-}" ]; then
        fail "a package names its maintainer: set DEBFULLNAME and DEBEMAIL, as in
make deb DEBFULLNAME='Jane Doe' DEBEMAIL=jane@example.org"
    fi
    case $DEBFULLNAME$DEBEMAIL in
    *[\<\>\&\|,\\]* | *'
'*) fail "DEBFULLNAME or DEBEMAIL has a character that cannot stand in \"Maintainer: NAME <ADDRESS>\"" ;;
    esac
    case $DEBEMAIL in
    *[!\ ]@[!\ ]*) ;;
    *) fail "DEBEMAIL is no address: $DEBEMAIL" ;;
    esac
    echo "$DEBFULLNAME <$DEBEMAIL>"
}

# The program's version in Debian's order: a commit before the first tag comes before that version, and those of a tree
# without tags come one after the other; one behind a tag comes after that version. What Debian itself may make of the
# same version (-1) comes after ours.
debian_version() {
    day=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d.%H%M%S)
    sed -E "s/^([^+]*)\+g/\1~$day.g/; s/-(alpha|beta|rc)/~\1/; s/-([0-9]+)-g/+\1.g/; s/-/./g; s/$/-0.1/" "$build/version"
}

if [ "$mode" = maintainer ]; then
    who
    exit
fi
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(sh .ci/version --date)}
export SOURCE_DATE_EPOCH
if [ "$mode" = version ]; then
    debian_version
    exit
fi

# What make install brings, each file in its package; and what Debian keeps elsewhere.
place() {
    make -s BUILD="$build" DESTDIR="$work/cowtui" prefix=/usr libdir="/usr/lib/$multiarch" \
        zshcompletiondir=/usr/share/zsh/vendor-completions install
    for part in usr/include "usr/lib/$multiarch/libcow.a" "usr/lib/$multiarch/pkgconfig" usr/share/man/man3; do
        mkdir -p "$work/libcow-dev/${part%/*}"
        mv "$work/cowtui/$part" "$work/libcow-dev/$part"
    done
    mkdir -p "$work/libcow-dev/usr/share/doc/libcow-dev"
    mv "$work/cowtui/usr/share/doc/cowtui/examples" "$work/libcow-dev/usr/share/doc/libcow-dev/"
    find "$work/cowtui" -type d -empty -delete
}

strip_all() {
    ${STRIP:-strip} --strip-unneeded --remove-section=.comment --remove-section=.note "$work/cowtui/usr/bin/cowtui"
    find "$work/cowtui" -name '*.so' -exec ${STRIP:-strip} --strip-unneeded --remove-section=.comment --remove-section=.note {} +
    ${STRIP:-strip} --strip-debug --remove-section=.comment --enable-deterministic-archives "$work/libcow-dev/usr/lib/$multiarch/libcow.a"
}

# The licence is one of those that each Debian has; what has changed is changelog.gz. The links of the documents follow.
documents() {
    docs=$work/cowtui/usr/share/doc/cowtui
    [ "$(head -n 2 LICENSE | tr -s ' \n' ' ')" = ' GNU GENERAL PUBLIC LICENSE Version 3, 29 June 2007 ' ] ||
        fail "LICENSE is another one than share/debian/copyright says"
    holders=$(sed -n 's/^Copyright (C) \(.*\)\. GPL-3\.0-or-later;.*/\1/p' README.md)
    [ -n "$holders" ] || fail "README.md does not say whose copyright it is"
    sed -e 's#](LICENSE)#](copyright)#g' -e 's#](CHANGELOG\.md)#](changelog.gz)#g' -e 's#](examples/#](../libcow-dev/examples/#g' \
        "$docs/README.md" >"$work/README.md"
    mv "$work/README.md" "$docs/README.md"
    rm "$docs/LICENSE"
    mv "$docs/CHANGELOG.md" "$docs/changelog"
    cp "$docs/changelog" "$work/libcow-dev/usr/share/doc/libcow-dev/changelog"
    for package in cowtui libcow-dev; do
        cp "$work/debian/changelog" "$work/$package/usr/share/doc/$package/changelog.Debian"
        sed "s/@COPYRIGHT@/$holders/" share/debian/copyright >"$work/$package/usr/share/doc/$package/copyright"
        find "$work/$package" \( -path '*/man/*' -type f -o -name changelog -o -name changelog.Debian \) -exec gzip -9n {} +
    done
}

pack() { # PACKAGE
    tree=$work/$1
    mkdir "$tree/DEBIAN"
    (cd "$work" && dpkg-gencontrol "-p$1" "-P$tree" "-Tdebian/$1.substvars")
    (cd "$tree" && find usr -type f | sort | xargs md5sum) >"$tree/DEBIAN/md5sums"
    find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
    find "$tree" -type d -exec chmod 755 {} + # a build directory may have bits that its children inherit
    dpkg-deb --root-owner-group -Zxz --build "$tree" "$build/$1_${version}_$arch.deb" >/dev/null
    echo "$build/$1_${version}_$arch.deb"
}

maintainer=$(who)
work=$build/deb
multiarch=$(dpkg-architecture -q DEB_HOST_MULTIARCH)
arch=$(dpkg-architecture -q DEB_HOST_ARCH)
version=$(debian_version)
rm -rf "$work" && mkdir -p "$work/debian" "$work/cowtui" "$work/libcow-dev"
rm -f "$build"/cowtui_*.deb "$build"/libcow-dev_*.deb
awk -v version="$version" -v maintainer="$maintainer" -v date="$(date -u -R -d "@$SOURCE_DATE_EPOCH")" \
    -f share/debian/changelog.awk CHANGELOG.md >"$work/debian/changelog"
sed "s|@MAINTAINER@|$maintainer|" share/debian/control >"$work/debian/control"
place
strip_all
documents
# What nbdkit itself has, a plugin finds where it is loaded.
(cd "$work" && find cowtui -type f \( -name cowtui -path '*/bin/*' -o -name '*.so' \) -exec dpkg-shlibdeps -Tdebian/cowtui.substvars {} + 2>shlibdeps.log) || {
    cat "$work/shlibdeps.log" >&2
    exit 1
}
: >"$work/debian/libcow-dev.substvars"
pack cowtui
pack libcow-dev
rm -rf "$work"

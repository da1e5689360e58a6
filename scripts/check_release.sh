#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Another release's compiler: builds the release preset in a bare system of it, from a copy of the tracked files. --gcc N takes
# the release's gcc of that version instead of its standard one: Ubuntu 24.04's is 13, which Debian 13 has too. --demo runs
# ./caisson demo there instead, which installs, builds and boots. Needs root, mmdebstrap and a network.
# usage: check_release.sh CODENAME [--gcc N | --demo]     (CAISSON_BARE: a bare system to use instead of a new one)
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
codename=${1:?CODENAME} what=${2:-build} version=${3:-}
[ "$what" != --gcc ] || [ -n "$version" ] || { echo "--gcc takes a version: --gcc 13"; exit 2; }
[ "$(id -u)" -eq 0 ] || { echo "skipped: needs root"; exit 77; }
command -v mmdebstrap >/dev/null || { echo "skipped: needs mmdebstrap"; exit 77; }
# The same cache as the root script's: sources are content-addressed, a QEMU lies under its release's name.
cache=${CAISSON_CACHE:-${XDG_CACHE_HOME:-${HOME:-$here}/.cache}/caisson}
mkdir -p "$cache"
work=$(mktemp -d "${TMPDIR:-/tmp}/caisson-release.XXXXXX")
root=${CAISSON_BARE:-$work/root}
mounted=()
clean() {
    # What stays mounted is the cache of this system: nothing is removed then.
    for place in "${mounted[@]}"; do
        umount "$place" || { echo "$place is still in use: $work stays"; return 1; }
    done
    rm -rf --one-file-system "$work"
    [ -z "${CAISSON_BARE:-}" ] || rm -rf --one-file-system "$root/checkout"
}
trap clean EXIT

if [ ! -d "$root" ]; then
    # shellcheck disable=SC1091
    own=$(. /etc/os-release && echo "$VERSION_CODENAME")
    # The archive of this system's own release has the other one beside it. shellcheck: apt's own format.
    # shellcheck disable=SC2016
    archive=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' |
        awk -v c="$own" '$2 == c && $3 == "main" && !found++ { print $1 }')
    packages=()
    if [ "$what" != --demo ]; then
        mapfile -t packages < <(awk '$1 == "build" { print "--include=" $2 }' "$here/packaging/packages.txt")
        [ -z "$version" ] || packages+=("--include=gcc-$version,g++-$version")
    fi
    mmdebstrap --variant=minbase -q "${packages[@]}" "$codename" "$root" "deb $archive $codename main" ||
        { echo "mmdebstrap failed"; exit 1; }
fi
[ ! -e /etc/resolv.conf ] || cp /etc/resolv.conf "$root/etc/resolv.conf"
mkdir -p "$root/checkout" "$root/cache" "$root/proc" "$root/dev"
git -C "$here" ls-files -z | tar -C "$here" --null -T - -c | tar -x -C "$root/checkout"
mount --bind "$cache" "$root/cache" && mounted+=("$root/cache")
mount -t proc proc "$root/proc" && mounted+=("$root/proc")
[ -c "$root/dev/null" ] || mknod -m 666 "$root/dev/null" c 1 3

inside() { chroot "$root" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin CAISSON_CACHE=/cache "CAISSON_JOBS=$(nproc)" sh -c "$1"; }
if [ "$what" = --demo ]; then
    inside 'cd /checkout && ./caisson demo --yes'
    echo "$codename: the demo runs"
    exit 0
fi
# CMake's download step asks apt for the archive where a source is missing from the cache.
inside 'apt-get -q update' >"$work/log" 2>&1 || { tail -n 20 "$work/log"; exit 1; }
compiler=g++ choice=
if [ -n "$version" ]; then
    compiler=g++-$version choice="-DCMAKE_C_COMPILER=gcc-$version -DCMAKE_CXX_COMPILER=$compiler"
    # The release's libraries are made by its standard compiler: one may want what this one's own library does not have yet.
    choice+=" -DCMAKE_EXE_LINKER_FLAGS=-Wl,--allow-shlib-undefined"
fi
inside "cd /checkout && cmake --preset release $choice && cmake --build --preset release" >"$work/log" 2>&1 ||
    { grep -A 30 '^FAILED: ' "$work/log" || tail -n 40 "$work/log"; exit 1; }
inside '/checkout/build/release/bin/caisson version'
echo "$codename: the release preset compiles with gcc $(inside "$compiler -dumpfullversion")"

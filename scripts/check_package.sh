#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The Debian package in a bare system: made by cpack, installed by apt with its dependencies, runs examples/hello as a
# plain user. Needs root, mmdebstrap and a network. usage: check_package.sh BUILD-DIR  (CAISSON_QEMU: the QEMU to use)
set -euo pipefail
build=$(cd -- "${1:?BUILD-DIR}" && pwd -P)
qemu=$(readlink -f -- "$(command -v "${CAISSON_QEMU:-qemu-system-x86_64}")")
# shellcheck disable=SC1091
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
[ "$(id -u)" -eq 0 ] || { echo "skipped: needs root"; exit 77; }
command -v mmdebstrap >/dev/null || { echo "skipped: needs mmdebstrap"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/caisson-package.XXXXXX")
mounted=()
clean() {
    for place in "${mounted[@]}"; do umount "$place"; done
    rm -rf --one-file-system "$work"
}
trap clean EXIT

(cd "$build" && cpack -B "$work/deb" >"$work/cpack.log" 2>&1) || { cat "$work/cpack.log"; exit 1; }
package=$(echo "$work"/deb/caisson_*.deb)
dpkg-deb --info "$package" | sed -n 's/^ \(Package\|Version\|Depends\|Recommends\|Installed-Size\):/\1:/p'
dpkg-deb --contents "$package" | awk '{ print $6 }' | grep -cx ./usr/lib/caisson/caisson.elf >/dev/null || { echo "no caisson.elf"; exit 1; }
debug=$(echo "$work"/deb/caisson-dbg_*.deb)
dpkg-deb --contents "$debug" | awk '{ print $6 }' | grep -cx ./usr/lib/debug/usr/lib/caisson/caisson.elf.debug >/dev/null || { echo "no symbols"; exit 1; }

# shellcheck disable=SC2016 # apt's own format
archive=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' |
    awk -v c="$codename" '$2 == c && $3 == "main" && !found++ { print $1 }')
also=()
# An unpacked QEMU is lent to the bare system, with everything it needs; else the system's own is installed there.
[ "$qemu" = /usr/bin/qemu-system-x86_64 ] && also=(--include=qemu-system-x86)
mmdebstrap --variant=minbase -q "${also[@]}" "$codename" "$work/root" "deb $archive $codename main" ||
    { echo "mmdebstrap failed"; exit 1; }
cp "$package" "$work/root/caisson.deb"
[ ! -e /etc/resolv.conf ] || cp /etc/resolv.conf "$work/root/etc/resolv.conf"
chroot "$work/root" sh -c 'apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -y -q --no-install-recommends install /caisson.deb' \
    >"$work/install.log" 2>&1 || { tail -n 20 "$work/install.log"; exit 1; }
chroot "$work/root" useradd -m somebody

mkdir -p "$work/root/lent" "$work/root/proc" "$work/root/dev"
if [ ${#also[@]} -eq 0 ]; then
    mount --bind "$(dirname "$qemu")" "$work/root/lent"
    mounted+=("$work/root/lent")
    qemu=/lent/$(basename "$qemu")
fi
mount -t proc proc "$work/root/proc" && mounted+=("$work/root/proc")
[ -c "$work/root/dev/null" ] || mknod -m 666 "$work/root/dev/null" c 1 3

run() { chroot --userspec=somebody "$work/root" env -i HOME=/home/somebody PATH=/usr/bin:/bin "CAISSON_QEMU=$qemu" "$@"; }
run caisson version
output=$(run sh -c 'cd /tmp && caisson run /usr/share/caisson/examples/hello/appliance.yaml' 2>"$work/stderr") && status=0 || status=$?
printf '%s\n' "$output"
if [ "$status" -ne 0 ] || ! grep -q 'hello, world' <<<"$output"; then
    echo "status $status"
    tail -n 20 "$work/stderr"
    exit 1
fi
chroot "$work/root" apt-get -y -q purge caisson >"$work/purge.log" 2>&1 || { cat "$work/purge.log"; exit 1; }
[ ! -e "$work/root/usr/lib/caisson" ] || { echo "purging leaves files"; exit 1; }
echo "package: installs, runs examples/hello as a user, purges"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What `build -o x.efi -o x.img -o x.iso` writes, as the programs of others see it; the same bytes in another directory, at
# another date, for another user; and how large the loaders are.
# usage: check_media.sh BUILD-DIR
set -euo pipefail
build=$(cd -- "${1:?BUILD-DIR}" && pwd -P)
tool=$build/image-tools/cli/caisson
PATH=$PATH:/usr/sbin:/sbin
for program in sgdisk fsck.fat mdir mcopy xorriso sbverify objdump; do
    command -v "$program" >/dev/null || { echo "skipped: needs $program"; exit 77; }
done
work=$(mktemp -d "${TMPDIR:-/tmp}/caisson-media.XXXXXX")
trap 'rm -rf "$work"' EXIT
export HOME=$work/home XDG_CONFIG_HOME=$work/home XDG_CACHE_HOME=$work/home XDG_DATA_HOME=$work/home
fail() { echo "$1"; exit 1; }

make_in() { # DIRECTORY
    mkdir -p "$1"
    cp "$build/qemu-tests/guests/statuses.elf" "$1/kernel.elf"
    cat >"$1/appliance.yaml" <<'END'
apiVersion: caisson/v1
name: media
version: 1.0.0
securityVersion: 1
machine: {board: qemu-q35, cpus: 2, memory: 256MiB}
partitions:
  a: {kernel: kernel.elf, cmdline: "0", cpus: 1, memory: 4MiB}
END
    (cd "$1" && "$tool" build -q --progress none -o a.bundle -o a.efi -o a.img -o a.iso >/dev/null 2>"$work/log") ||
        { cat "$work/log"; exit 1; }
}
make_in "$work/one"
touch -d 2001-02-03 "$work/one/kernel.elf"
sleep 1
TZ=Asia/Tokyo make_in "$work/another place"
for file in a.bundle a.efi a.img a.iso; do
    cmp "$work/one/$file" "$work/another place/$file" || fail "$file differs from directory to directory"
done
cd "$work/one"
"$tool" build -q --progress none --check -o b.efi -o b.img -o b.iso >/dev/null 2>"$work/log" || fail "build --check: $(cat "$work/log")"
[ ! -e media.bundle ] || fail "a bundle that nobody asked for"
echo "the same bytes in two directories, and by build --check"
for file in a.efi a.img a.iso; do
    "$tool" verify "$file" >"$work/log" 2>&1 || fail "verify $file: $(cat "$work/log")"
    grep 'not signed for Secure Boot' "$work/log" >/dev/null || fail "verify $file does not say that it is not signed"
    grep 'media 1.0.0: verified' "$work/log" >/dev/null || fail "verify $file: $(cat "$work/log")"
done

# The application: sections, checksum and signature table as sbsign's own reader sees them.
sbverify --list a.efi 2>&1 | grep 'No signature table present' >/dev/null || fail "sbverify: $(sbverify --list a.efi 2>&1)"
objdump -h a.efi | grep '\.bundle' >/dev/null || fail "objdump finds no .bundle"
size=$(stat -c %s a.efi) bundle=$(stat -c %s a.bundle)
empty=$((size - (bundle + 511) / 512 * 512))
echo "sizes: loader and hypervisor $(stat -c %s a.elf), application without its bundle $empty bytes"
[ "$empty" -le $((300 * 1024)) ] || fail "the application is larger than 300 KiB without a bundle"

# The disk and its volume.
sgdisk -v a.img | grep 'No problems found' >/dev/null || fail "sgdisk: $(sgdisk -v a.img)"
sgdisk -p a.img | grep EF00 >/dev/null || fail "sgdisk finds no EFI system partition"
tail -c +$((1024 * 1024 + 1)) a.img >volume
truncate -s $(($(sgdisk -i 1 a.img | sed -n 's/^Partition size: \([0-9]*\) .*/\1/p') * 512)) volume
fsck.fat -n volume >"$work/log" || fail "fsck.fat: $(cat "$work/log")"
mcopy -n -i volume ::/EFI/caisson/media.bundle - | cmp - a.bundle || fail "another bundle on the disk"
mdir -i volume -b ::/EFI/BOOT | grep BOOTX64.EFI >/dev/null || fail "no application on the disk"

# The CD.
xorriso -indev a.iso -report_el_torito plain 2>/dev/null | grep 'UEFI  y   none' >/dev/null || fail "xorriso finds nothing to boot"
xorriso -indev a.iso -check_media 2>/dev/null | grep '+ good' >/dev/null || fail "xorriso finds the CD damaged"
xorriso -osirrox on -indev a.iso -extract /EFI.IMG cd.volume 2>/dev/null
fsck.fat -n cd.volume >"$work/log" || fail "fsck.fat, of the CD: $(cat "$work/log")"
echo "sgdisk, fsck.fat, mtools and xorriso accept them"

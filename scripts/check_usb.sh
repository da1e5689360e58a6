#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The USB stick of docs/hardware.md, made by that page's own lines and booted in QEMU as a USB disk, on BIOS and on UEFI.
# usage: check_usb.sh BUILD-DIR   (CAISSON_QEMU: the QEMU to use)
set -euo pipefail
build=$(cd -- "${1:?BUILD-DIR}" && pwd -P)
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
qemu=${CAISSON_QEMU:-qemu-system-x86_64}
for program in grub-mkrescue xorriso mformat; do
    command -v "$program" >/dev/null || { echo "skipped: needs $program"; exit 77; }
done
work=$(mktemp -d "${TMPDIR:-/tmp}/caisson-usb.XXXXXX")
trap 'rm -rf "$work"' EXIT
cp -r "$here/examples/hello/appliance.yaml" "$build/packaging/hello/image" "$work/"
cd "$work"
"$build/bin/caisson" build -q --progress none -o gateway.bundle >/dev/null

recipe=$(sed -n '/^## From a USB stick/,/^## [^F]/s/^    //p' "$here/docs/hardware.md" | grep -v '^sudo ')
[ "$(wc -l <<<"$recipe")" -eq 4 ] || { echo "docs/hardware.md has no recipe of four lines"; exit 1; }
while IFS= read -r line; do
    eval "$line" >"$work/log" 2>&1 || { echo "failed: $line"; tail -n 20 "$work/log"; exit 1; }
done <<<"$recipe"

# The hypervisor talks on COM1; the machine powers itself off at its end.
boot() { # NAME ARGUMENT...
    local name=$1
    shift
    python3 "$here/qemu-tests/harness/patience.py" 900 "$qemu" -machine q35 -cpu max,+svm -smp 2 -m 512M -display none -no-reboot -serial "file:$name.log" \
        -drive "if=none,id=stick,format=raw,file=gateway.img" -device qemu-xhci -device usb-storage,drive=stick,bootindex=0 "$@" \
        2>"$name.qemu" || { echo "$name: QEMU ended with $?"; tail -n 5 "$name.qemu"; exit 1; }
    # What firmware and GRUB say comes before the hypervisor's first frame.
    "$build/bin/caisson" console "$name.log" --bundle gateway.bundle --prefix never >"$name.out" 2>"$name.err" ||
        { echo "$name: console says $?"; cat "$name.out" "$name.err"; exit 1; }
    grep -q 'hello, world' "$name.out" || { echo "$name: no greeting"; tail -n 20 "$name.out" "$name.err"; exit 1; }
    echo "the stick boots on $name: $(grep -m 1 'hello, world' "$name.out")"
}
boot BIOS
firmware=/usr/share/OVMF/OVMF_CODE_4M.fd
if [ -f "$firmware" ]; then
    cp /usr/share/OVMF/OVMF_VARS_4M.fd vars.fd
    boot UEFI -drive "if=pflash,format=raw,unit=0,readonly=on,file=$firmware" -drive "if=pflash,format=raw,unit=1,file=vars.fd"
else
    echo "UEFI not tried: OVMF is not here"
fi

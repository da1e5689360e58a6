#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `caisson flash` onto files, and onto loop devices where this machine has them: what it refuses, what the disk then holds, and
# what twenty kills at random moments leave.
# usage: check_flash.sh BUILD-DIR
set -euo pipefail
build=$(cd -- "${1:?BUILD-DIR}" && pwd -P)
tool=$build/image-tools/cli/caisson
PATH=$PATH:/usr/sbin:/sbin
work=$(mktemp -d "${TMPDIR:-/tmp}/caisson-flash.XXXXXX")
loop=""
clean() {
    if mountpoint -q "$work/mnt" 2>/dev/null; then umount "$work/mnt"; fi
    [ -z "$loop" ] || losetup -d "$loop" || true
    rm -rf "$work"
}
trap clean EXIT
export HOME=$work/home XDG_CONFIG_HOME=$work/home XDG_CACHE_HOME=$work/home XDG_DATA_HOME=$work/home
fail() { echo "$1"; [ ! -s "$work/log" ] || cat "$work/log"; exit 1; }
cd "$work"
cp "$build/qemu-tests/guests/statuses.elf" kernel.elf
make_image() { # NAME
    cat >appliance.yaml <<END
apiVersion: caisson/v1
name: $1
version: 1.0.0
securityVersion: 1
machine: {board: qemu-q35, cpus: 2, memory: 256MiB}
partitions:
  a: {kernel: kernel.elf, cmdline: "0", cpus: 1, memory: 4MiB}
END
    "$tool" build -q --progress none -o "$1.img" -o "$1.efi" >/dev/null 2>"$work/log" || fail "build"
}
make_image new
make_image old
flash() { "$tool" flash --progress none "$@" >"$work/out" 2>"$work/log" </dev/null; }
expect() { # EXIT WORDS ARGUMENTS...: both streams hold the words
    local code=0 exit=$1 words=$2
    shift 2
    flash "$@" || code=$?
    [ "$code" = "$exit" ] || { cat "$work/out"; fail "flash $* ended with $code, expected $exit"; }
    cat "$work/out" "$work/log" >"$work/both"
    grep -F -- "$words" "$work/both" >/dev/null || { cat "$work/out"; fail "flash $* did not say: $words"; }
}

truncate -s 200M disk
expect 2 'nobody can be asked' new.img disk
expect 0 'boots new 1.0.0' --yes new.img disk
expect 0 'byte for byte' --verify new.img disk
expect 1 'something else than' --verify old.img disk
cp disk changed
printf x | dd of=changed bs=1 seek=5000000 conv=notrunc status=none
expect 1 'from byte 5000000 on' --verify new.img changed
sgdisk -v disk >"$work/log"
grep 'No problems found' "$work/log" >/dev/null || fail "sgdisk finds problems on a longer disk"
truncate -s 10M small
expect 8 'E0806' --yes new.img small
expect 6 'E0608' --yes new.img missing
expect 6 'E0608' --yes new.img .
expect 6 'is the image itself' --yes new.img new.img
expect 4 'E0424' --yes new.efi disk
head -c 20000000 new.img >cut.img
expect 4 'E0424' --yes cut.img disk
cp new.img bad.img
bundle_at=$(grep -obUa 'CAISSONB' bad.img | tail -n 1 | cut -d: -f1)
printf x | dd of=bad.img bs=1 seek=$((bundle_at + 5000)) conv=notrunc status=none
expect 5 'E0501' --yes bad.img disk
"$tool" board scan -o scan.img >/dev/null 2>"$work/log" || fail "board scan"
expect 0 'boots a scan of the board' --yes scan.img disk
expect 0 'byte for byte' --verify scan.img disk
words_at=$(grep -obUa 'caisson.no-scan/1' scan.img | tail -n 1 | cut -d: -f1)
printf x | dd of=scan.img bs=1 seek="$words_at" conv=notrunc status=none
expect 5 'E0501' --yes scan.img disk

# Kills: the disk held an older appliance; afterwards it holds that, or the new one, or nothing that boots.
complete=0 incomplete=0 untouched=0
for i in $(seq 20); do
    rm -f disk
    truncate -s 120M disk
    flash --yes old.img disk || fail "flash"
    "$tool" flash --progress none --yes new.img disk >/dev/null 2>&1 </dev/null &
    sleep "0.$(printf %03d $((RANDOM % 400)))"
    kill -9 $! 2>/dev/null || true
    wait $! 2>/dev/null || true
    if flash --verify new.img disk; then
        complete=$((complete + 1))
    elif grep incomplete "$work/out" >/dev/null; then
        incomplete=$((incomplete + 1))
    elif flash --verify old.img disk; then
        untouched=$((untouched + 1))
    else
        fail "kill $i left a disk that may boot and is neither"
    fi
done
echo "20 kills: $complete complete, $incomplete incomplete and said so, $untouched not begun"
expect 0 'boots new' --yes new.img disk

if [ "$(id -u)" = 0 ] && loop=$(losetup -f --show disk 2>/dev/null); then
    expect 2 '--serial none' --yes old.img "$loop"
    expect 2 'another disk' --yes --serial 123 old.img "$loop"
    expect 0 'boots old 1.0.0' --yes --serial none old.img "$loop"
    expect 0 'byte for byte' --verify old.img "$loop"
    offset=$((1024 * 1024)) size=$((64 * 1024 * 1024))
    mkdir mnt
    if mount -o "loop,offset=$offset,sizelimit=$size" -t vfat "$loop" mnt 2>/dev/null; then
        [ -f mnt/EFI/caisson/old.bundle ] || fail "no bundle on the mounted volume"
        umount mnt
    fi
    mkfs.ext4 -qF "$loop"
    mount -t ext4 "$loop" mnt
    expect 6 "is mounted on $work/mnt" --yes --serial none new.img "$loop"
    umount mnt
    losetup -d "$loop"
    loop=""
    echo "loop devices: written, compared, and refused while mounted"
else
    loop=""
    echo "no loop devices here: files only"
fi

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# image-tools/cli/golden_test.sh - the first failures a newcomer meets, word for word.
#
#   golden_test.sh TOOL KERNEL GOLDEN-FOLDER [--update]
# Each case runs the tool in an empty folder; stdout, stderr and exit code must equal golden/NAME.txt. KERNEL is any PVH ELF.
set -u
tool=$1 kernel=$2 golden=$3 update=${4:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HOME="$work/home" XDG_CONFIG_HOME="$work/config" XDG_CACHE_HOME="$work/cache" CAISSON_CACHE= SOURCE_DATE_EPOCH=0 NO_COLOR=1
failed=0

manifest() { # PARTITION-LINE
    printf 'apiVersion: caisson/v1\nname: test\npartitions:\n  web: {%s}\n' "$1" >appliance.yaml
}

fake_qemu() { # BODY
    printf '#!/bin/sh\nif [ "$1" = --version ]; then echo "QEMU emulator version 9.9.9"; exit 0; fi\n%s\n' "$1" >"$work/qemu"
    chmod +x "$work/qemu"
}

# What differs from machine to machine: folders, keys, sizes of our own ELFs.
normal() {
    sed -e "s|$work|WORK|g" -e 's/25519:[0-9a-f]*/25519:KEY/g' -e 's/sha256:[0-9a-f]*/sha256:DIGEST/g' \
        -e 's/ *[0-9.]* s$/ TIME/' -e 's/[0-9.]* [KM]iB/SIZE/g' -e 's/[0-9]*MiB/SIZE/g' -e 's/^\(OK table  *\)[0-9]* bytes/\1SIZE/' -e 's/0x[0-9a-f]*/0xN/g' -e "s/bundle id [0-9a-f]*/bundle id ID/"
}

golden() { # NAME ARGUMENTS...
    name=$1
    shift
    {
        printf '$ caisson'
        printf ' %s' "$@"
        printf '\n'
        "$tool" "$@" 2>&1
        printf 'exit %s\n' "$?"
    } | normal >"$work/$name.out"
    if [ "$update" = --update ]; then
        cp "$work/$name.out" "$golden/$name.txt"
    elif ! diff -u "$golden/$name.txt" "$work/$name.out"; then
        echo "golden_test: $name differs" >&2
        failed=1
    fi
}

begin() {
    rm -rf "$work/folder"
    mkdir "$work/folder"
    cd "$work/folder" || exit 1
}

exec </dev/null
begin
golden no-manifest check
golden no-manifest-json check --format json
golden unknown-command biuld
golden not-yet-command doctor
golden unknown-option run --exit-code-form web

manifest 'image: "nginx:1.27", memory: 96MiB'
golden registry check --offline

manifest 'kernel: x.elf, memory: 96MiB, ports: ["8080:80"]'
golden ports check
manifest 'image: "oci:./web", memory: 96MiB, volumes: []'
golden not-yet-key check

manifest 'image: "oci:./web", memory: 96M'
golden size check

manifest 'image: "oci:./web", memmory: 96MiB'
golden misspelt check

manifest 'image: "oci:./web", memory: 96MiB'
golden no-tests test
printf 'tests: [{http: {port: 80}}]\n' >>appliance.yaml
golden test-of-a-closed-port check

# What people write by mistake, each in plain words.
golden format check --format yaml
printf 'apiVersion: caisson/v1\nname: test\npartitions: {}\n' >appliance.yaml
golden no-partitions check
printf 'apiVersion: caisson/v1\nname: test\npartitions:\n  web: {image: "oci:./web", memory: 96MiB\n  db: {image: "oci:./db"}\n' >appliance.yaml
golden unclosed check
manifest 'image: "oci:./web", memory: 1.5GiB'
golden fraction check
manifest 'image: "oci:./web", memory: 96MiB, cpus: -1'
golden negative check
printf 'apiVersion: caisson/v1\nname: test\nmachine: {cpus: 257}\npartitions:\n  web: {image: "oci:./web", memmory: 1MiB, restart: maybe}\n  db: {memory: 96MiB}\n' >appliance.yaml
golden several check
golden several-json check --format json
cp "$tool" program
manifest 'kernel: program, memory: 96MiB'
golden program-as-kernel check
manifest 'kernel: nothing.elf, memory: 96MiB'
golden no-kernel check
manifest 'image: "oci:./nothing", memory: 96MiB'
golden no-image check
printf 'apiVersion: caisson/v1\nname: test\npartitions:\n  web: {memory: 1}\n' | golden stdin check -

golden help help verify
golden help-two-words help image ls
golden usage verify
# Every command's page has what its values are and an example; every code is explained.
commands=$("$tool" help --man | sed -n 's/^\.BR caisson\\-\(.*\) (1).*/\1/p' | tr -d '\\' | tr '-' ' ')
[ "$(printf '%s\n' "$commands" | wc -l)" -ge 22 ] || { echo "golden_test: commands are missing: $commands"; failed=1; }
printf '%s\n' "$commands" >"$work/commands"
while read -r command; do
    # shellcheck disable=SC2086 # "image create" is two words
    page=$("$tool" help $command)
    case $page in
    *' TEXT'* | *' UINT'*) echo "golden_test: help $command has values of no kind"; failed=1 ;;
    *Example:*) ;;
    *) echo "golden_test: help $command has no example"; failed=1 ;;
    esac
done <"$work/commands"
for code in $("$tool" explain | cut -d ' ' -f 1); do
    [ "$("$tool" explain "$code" | sed 1,2d | wc -c)" -gt 20 ] || { echo "golden_test: $code is not explained"; failed=1; }
done
golden explain explain E0407
golden explain-unknown explain E9999

# What would be built and not run.
rm appliance.yaml
mkdir -p root/bin
printf '#!/bin/sh\r\nexit 0\r\n' >root/bin/app
chmod +x root/bin/app
"$tool" image create --from root --entrypoint /bin/app oci:script >/dev/null 2>&1
golden init init --from oci:script
golden crlf check
sed -i 's|^    cpus: 1|    cpus: 2|; s|cpus: 1, memory|cpus: 2, memory|' appliance.yaml
golden two-cpus check
sed -i 's|oci:script|oci:script:none|' appliance.yaml
golden no-tag check
sed -i 's|oci:script:none|oci:script|' appliance.yaml
rm script/blobs/sha256/"$(ls -S script/blobs/sha256 | tail -n 1)"
golden no-blob check
rm -rf root/bin/app script
cp "$tool" root/bin/app
"$tool" image create --from root --entrypoint /bin/app oci:script >/dev/null 2>&1
golden no-loader check
rm -rf script root/bin/app appliance.yaml

# An image whose one layer is larger than any bundle: told by its packed size, nothing is unpacked.
cp "$tool" root/bin/app
"$tool" image create --from root --entrypoint /bin/app oci:large >/dev/null 2>&1
blobs=large/blobs/sha256
digests() { grep -o 'sha256:[0-9a-f]*' "$1" | cut -d : -f 2; }
old=$(digests large/index.json)
layer=$(digests "$blobs/$old" | tail -n 1)
sed "s/\"size\":$(stat -c %s "$blobs/$layer")/\"size\":2200000000/" "$blobs/$old" >large/manifest
truncate -s 2200000000 "$blobs/$layer"
new=$(sha256sum <large/manifest | cut -d ' ' -f 1)
sed -i "s/$old/$new/; s/\"size\":$(stat -c %s "$blobs/$old")/\"size\":$(stat -c %s large/manifest)/" large/index.json
mv large/manifest "$blobs/$new"
manifest 'image: "oci:./large", memory: 96MiB'
golden too-large check
rm -rf large root/bin/app appliance.yaml

printf '\177ELF' >root/bin/app
"$tool" image create --arch arm64 --from root --entrypoint /bin/app oci:arm >/dev/null 2>&1
manifest 'image: "oci:./arm", memory: 96MiB'
golden architecture check

ln -s "$kernel" kernel.elf
manifest 'kernel: kernel.elf, memory: 64KiB'
golden memory check

manifest 'kernel: kernel.elf, memory: 96MiB'
CAISSON_QEMU=$work/nothing golden no-qemu run
fake_qemu 'exec sleep 60'
CAISSON_QEMU=$work/qemu golden never-ends run --timeout 1s --progress none
fake_qemu 'echo "qemu: Bad icount read" >&2; exit 134'
CAISSON_QEMU=$work/qemu golden bad-icount run --icount --progress none
fake_qemu 'echo "firmware talks"; exit 0'
CAISSON_QEMU=$work/qemu golden no-record run --progress none

golden build build --progress none
golden verify verify test.bundle
printf 'X' | dd of=test.bundle bs=1 seek=40960 conv=notrunc 2>/dev/null
golden tampered verify test.bundle
golden tampered-key verify --key nothing.pub test.bundle
golden not-a-bundle verify appliance.yaml

cp "$golden/../../journal/corpus/audit_log_fuzz/gap.jsonl" run.jsonl
golden audit-show audit show run.jsonl
golden audit-gap audit verify run.jsonl
head -n 1 run.jsonl >cut.jsonl
golden audit-truncated audit verify cut.jsonl
golden audit-keygen keygen --purpose audit -o audit
golden audit-other-key audit verify --key audit.key cut.jsonl
golden audit-wrong-key audit verify --key audit.pub cut.jsonl

exit "$failed"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2317 # for inner shells; called by expect
# image-tools/cli/kept_test.sh - what `check` and `build` keep from one run to the next: an image is unpacked once, files that would
# be the same are left alone, and nothing that matters is believed of a note.
#
#   kept_test.sh TOOL PROGRAM     PROGRAM: a static program, the image's command
set -euo pipefail
tool=$1 program=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HOME="$work/home" XDG_CONFIG_HOME="$work/config" CAISSON_CACHE="$work/cache" SOURCE_DATE_EPOCH=0
unset XDG_CACHE_HOME
cd "$work"
failed=0
expect() { # WHAT COMMAND...
    local what=$1
    shift
    if "$@" >"$work/said" 2>&1; then echo "ok      $what"; else
        echo "FAILED  $what"
        sed 's/^/        /' "$work/said"
        failed=1
    fi
}
not() { ! "$@"; }

mkdir -p root/bin
cp "$program" root/bin/program
head -c 3000000 /dev/urandom >root/noise
"$tool" image create --from root --entrypoint /bin/program oci:image >/dev/null 2>&1
manifest() { # PARTITION...
    printf 'apiVersion: caisson/v1\nname: kept\nmachine: {cpus: 4, memory: 512MiB}\npartitions:\n'
    printf '  %s\n' "$@"
}
one='one: {image: "oci:./image", memory: 16MiB}'
manifest "$one" >appliance.yaml
build() { "$tool" build -q --progress none --format json -o x.bundle >built.json; }
unchanged() { grep -q '"unchanged": *true' built.json; }
state() { stat -c '%i %y' x.bundle x.elf; }
blob() { find image/blobs/sha256 -size +1000k; }

expect "a first check unpacks" "$tool" check
# CPU milliseconds of a command, the least of seven.
least_cost() {
    local TIMEFORMAT=%3U+%3S
    for _ in 1 2 3 4 5 6 7; do
        { time "$@" >/dev/null; } 2>&1
    done | awk -F+ '{ sum = 1000 * ($1 + $2); if (NR == 1 || sum < least) least = sum } END { printf "%d", least }'
}
# 50 ms where starting the tool costs 17; how fast this machine is does not matter.
a_few_starts() {
    local start check
    start=$(least_cost "$tool" help)
    check=$(least_cost "$tool" check)
    echo "$check ms, a start costs $start ms"
    [[ $check -le $((3 * start)) ]]
}
expect "a second one costs at most what three starts of the tool do" a_few_starts
expect "build" build
expect "  writes" not unchanged
cp x.bundle first.bundle
state >before
expect "build again" build
expect "  leaves the files alone" unchanged
state >after
expect "  which have their times" cmp before after
expect "  and says the same digest" bash -c 'grep -q "$(sha256sum <x.bundle | cut -c 1-64)" built.json'
expect "  in at most 0.2 s of CPU" bash -c 'TIMEFORMAT=%3U+%3S; t=$( { time "$0" build -q --progress none -o x.bundle >/dev/null; } 2>&1); echo "$t s"; awk -F+ "{ exit !(\$1 + \$2 <= 0.2) }" <<<"$t"' "$tool"
expect "a quiet build says nothing" bash -c '[ -z "$("$0" build -q --progress none -o x.bundle 2>&1)" ]' "$tool"
expect "  and another its files' SHA-256" bash -c '"$0" build --progress none -o x.bundle 2>/dev/null | grep -c "file sha256:$(sha256sum x.bundle | cut -d " " -f 1)"' "$tool"

# Whatever differs is written again.
touch x.bundle
build
expect "a bundle that was touched is written again" not unchanged
expect "  the same" cmp x.bundle first.bundle
printf X | dd of=x.elf bs=1 seek=5000 conv=notrunc 2>/dev/null
build
expect "a loader that was changed is written again" not unchanged
expect "  and good" "$tool" verify x.bundle
rm x.elf
build
expect "a loader that is gone is written again" not unchanged
manifest 'one: {image: "oci:./image", memory: 17MiB}' >appliance.yaml
build
expect "another amount of memory is another bundle" not unchanged
expect "  without unpacking for check" "$tool" check
manifest "$one" >appliance.yaml
SOURCE_DATE_EPOCH=1 build
expect "another time is another bundle" not unchanged
build
expect "back again it is the first" cmp x.bundle first.bundle

# Two with the same image share its root; each of them has its own start.
manifest "$one" 'two: {image: "oci:./image", memory: 16MiB, args: [x]}' >appliance.yaml
build
expect "the same image in two partitions is in the bundle once" bash -c '[ "$(stat -c %s x.bundle)" -lt $(($(stat -c %s first.bundle) + 100000)) ]'
expect "  and good" "$tool" verify x.bundle
"$tool" inspect x.bundle >inspected
expect "  as one section" bash -c '[ "$(grep -c "^root " inspected)" = 1 ]'
expect "  every promise of the plan holds" "$tool" prove x.bundle
build
expect "  and is left alone too" unchanged
manifest "$one" >appliance.yaml

# Notes are no truth: damaged, in no place, or of a blob that is gone.
build
for note in cache/root-facts/* cache/builds/*; do head -c 20 "$note" >"$work/short" && cp "$work/short" "$note"; done
build
expect "damaged notes are as none" not unchanged
expect "  the bundle is the first" cmp x.bundle first.bundle
touch no-folder
expect "a cache that cannot be is none" env CAISSON_CACHE=no-folder/cache "$tool" build -q --progress none -o y.bundle
expect "  the bundle is the first" cmp y.bundle first.bundle
"$tool" check >/dev/null
head -c "$(stat -c %s "$(blob)")" /dev/zero >zeros
cp "$(blob)" kept-blob
cp zeros "$(blob)"
expect "what is known is not unpacked again" "$tool" check
touch x.bundle
"$tool" build -q --progress none -o x.bundle >answer 2>&1 && status=0 || status=$?
expect "  but nothing is built of a blob that is another" [ "$status" = 5 ]
rm "$(blob)"
"$tool" check >answer 2>&1 && status=0 || status=$?
expect "a blob that is gone is missed" grep -q E0420 answer
exit "$failed"

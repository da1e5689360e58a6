#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the guest as README.md says, boots it and compares. usage: guest_test.sh TOOL CC
set -eu
tool=$(readlink -f -- "$1") cc=$2
here=$(cd -- "$(dirname -- "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HOME="$work/home" XDG_CONFIG_HOME="$work/config" CAISSON_CACHE="$work/cache"
cp "$here/guest.S" "$here/appliance.yaml" "$work"
cd "$work"
command=$(sed -n 's/^    cc //p' "$here/README.md")
# shellcheck disable=SC2086 # the command's words, as a reader would type them
"$cc" $command
output=$("$tool" run --progress none --timeout 5m) || { echo "status $?"; exit 1; }
[ "$output" = "hello from a kernel of thirty lines" ] || { echo "it said: $output"; exit 1; }

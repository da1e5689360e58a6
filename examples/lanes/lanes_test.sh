#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the kernels as README.md says, boots them and compares. usage: lanes_test.sh TOOL CC HEADERS
set -eu
tool=$(readlink -f -- "$1") cc=$2 headers=$(readlink -f -- "$3")
here=$(cd -- "$(dirname -- "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HOME="$work/home" XDG_CONFIG_HOME="$work/config" CAISSON_CACHE="$work/cache"
cp "$here/start.S" "$here/talk.c" "$here/appliance.yaml" "$work"
cp -r "$headers" "$work/headers" # whose own path may hold spaces
cd "$work"
command=$(sed -n 's/^    cc //p' "$here/README.md" | sed "s#/usr/include/caisson#headers#")
# shellcheck disable=SC2086 # the command's words, as a reader would type them
"$cc" -Wall -Wextra -Werror $command
output=$("$tool" run --progress none --timeout 5m) || { echo "status $?"; exit 1; }
case "$output" in
*"HELLO OVER A WIRE"*) ;;
*) echo "it said: $output"; exit 1 ;;
esac

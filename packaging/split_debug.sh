#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A program without its symbols, and those in a file of their own that the program names (.gnu_debuglink).
# usage: split_debug.sh OBJCOPY PROGRAM STRIPPED DEBUG
set -euo pipefail
objcopy=${1:?OBJCOPY} program=${2:?PROGRAM} stripped=${3:?STRIPPED} debug=${4:?DEBUG}
mkdir -p "$(dirname "$stripped")" "$(dirname "$debug")"
"$objcopy" --only-keep-debug "$program" "$debug"
chmod 644 "$debug"
"$objcopy" --strip-all --add-gnu-debuglink="$debug" "$program" "$stripped"

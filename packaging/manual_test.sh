#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every manual page renders without a warning, and says its name, an example and what the exit codes are.
# usage: manual_test.sh FOLDER-WITH-man1
set -euo pipefail
folder=${1:?FOLDER}/man1
command -v man >/dev/null || { echo "skipped: needs man"; exit 77; }
failed=0 count=0
for page in "$folder"/*.1; do
    count=$((count + 1))
    text=$(MANWIDTH=100 LC_ALL=C.UTF-8 MANROFFOPT='-ww' man --warnings -l "$page" 2>&1 >/dev/null) || failed=1
    [ -z "$text" ] || { printf '%s: %s\n' "$page" "$text"; failed=1; }
    shown=$(MANWIDTH=100 LC_ALL=C.UTF-8 man -l "$page" 2>/dev/null | col -b)
    for part in NAME SYNOPSIS 'EXIT STATUS' 'SEE ALSO'; do
        grep -q "^$part" <<<"$shown" || { echo "$page: no $part"; failed=1; }
    done
    case $page in */caisson.1 | */caisson-help.1) continue ;; esac
    grep -q '^EXAMPLE' <<<"$shown" || { echo "$page: no example"; failed=1; }
done
[ "$count" -ge 20 ] || { echo "only $count pages"; failed=1; }
echo "$count pages"
exit "$failed"

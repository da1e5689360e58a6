#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What is installed, file for file, and that programs are without symbols, which their debug files hold.
# usage: files_test.sh BUILD-DIR LOADER-ELF [--update]
set -euo pipefail
build=${1:?BUILD-DIR} loader=${2:?LOADER-ELF}
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
work=$(mktemp -d "${TMPDIR:-/tmp}/caisson-files.XXXXXX")
trap 'rm -rf "$work"' EXIT
failed=0
listed() ( # COMPONENT FILE, in a shell of its own
    DESTDIR=$work/$1 cmake --install "$build" --prefix /usr --component "$1" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
    # Blobs of the example's image are named by their digests.
    {
        echo "# SPDX-License-Identifier: Apache-2.0"
        echo "# Written by files_test.sh --update: what the package holds, file for file."
        cd "$work/$1"
        find . -type f | sed -e 's|^\.||' -e 's|/sha256/[0-9a-f]*$|/sha256/DIGEST|' | LC_ALL=C sort
    } >"$work/$2"
    if [ "${update:-}" = --update ]; then cp "$work/$2" "$here/$2"; fi
    diff -u "$here/$2" "$work/$2"
)
update=${3:-}
listed tool files.txt || failed=1
listed debug files-dbg.txt || failed=1

shipped=$work/tool/usr/lib/caisson/caisson.elf
# Into files first: a reader that ends at its first match breaks the pipe, and readelf's complaint would be the answer.
readelf -SW "$shipped" >"$work/sections"
if grep -q -e ' \.symtab' -e ' \.debug' "$work/sections"; then
    echo "the shipped loader has symbols"
    failed=1
fi
# gdb finds main by name only through the debug file.
readelf -sW "$work/debug/usr/lib/debug/usr/lib/caisson/caisson.elf.debug" >"$work/symbols"
grep -q 'caisson_boot' "$work/symbols" ||
    { echo "the debug file has no symbols"; failed=1; }
# What is loaded is the same.
readelf -lW "$loader" | sed -n '/LOAD/p' >"$work/before"
readelf -lW "$shipped" | sed -n '/LOAD/p' >"$work/after"
cut -c 1-8,28- "$work/before" | diff - <(cut -c 1-8,28- "$work/after") || failed=1
echo "loader: $(stat -c %s "$loader") bytes, shipped $(stat -c %s "$shipped")"
exit "$failed"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# No indirect branch lies on the way of an exit: a guest may have trained what it would be predicted to go to. Usage: check_indirect.sh ELF
# Resident code is looked at, boot's is gone by then. What is allowed: leaving boot, reading the bundle, and libsodium's
# BLAKE2b, which reaches its one engine through a pointer when a record is chained into the audit log (docs/threat-model.md).
set -euo pipefail
allowed='^(enter_address_space|bytes::Source::(view|copy)\(.*|crypto_generichash_blake2b__(update|final))$'
found=$(objdump -d -j .text --no-show-raw-insn -C "$1" |
    awk '/^[0-9a-f]+ <.*>:$/ { name = $0; sub(/^[0-9a-f]+ </, "", name); sub(/>:$/, "", name) }
         /[ \t](call|jmp) +\*/ { print name }' | sort -u)
[ -n "$found" ] || { echo "no indirect branch found at all: is $1 an image of the hypervisor?"; exit 1; }
if bad=$(grep -vE "$allowed" <<<"$found"); then
    echo "indirect branches where none is allowed:"
    echo "$bad"
    exit 1
fi
echo "indirect branches: $(wc -l <<<"$found") functions, none on the way of an exit but BLAKE2b's"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The manual page of each command and the completion of each shell, as the tool writes them. usage: write_manual.sh TOOL FOLDER
set -euo pipefail
tool=${1:?TOOL} folder=${2:?FOLDER}
mkdir -p "$folder/man1"
"$tool" help --man >"$folder/man1/caisson.1"
"$tool" help --man | sed -n 's/^\.BR caisson\\-\(.*\) (1).*/\1/p' | sed 's/\\-/ /g' | while read -r command; do
    # shellcheck disable=SC2086 # "image create" is two words
    "$tool" help --man $command >"$folder/man1/caisson-${command// /-}.1"
done
for shell in bash zsh fish; do
    "$tool" completion "$shell" >"$folder/completion.$shell"
done

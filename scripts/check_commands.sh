#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The root script, the manual pages and the completions know the tool's commands, and no others. usage: check_commands.sh TOOL
set -euo pipefail
tool=${1:?TOOL}
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
real=$("$tool" help | sed -n '/^[A-Z]*[Ss]ubcommands:/I,/^$/s/^  \([a-z]*\) .*/\1/p' | grep -vx help | sort)
[ -n "$real" ] || { echo "'caisson help' lists no commands"; exit 1; }
bad=0
compare() { # WHERE LIST
    diff <(printf '%s\n' "$real") <(tr ' ' '\n' <<<"$2" | grep -vx help | sort) || { echo "$1 lists other commands (above)"; bad=1; }
}
compare caisson "$(sed -n 's/^tool_commands=(\(.*\))$/\1/p' caisson)"
compare "the usage of caisson" "$(sed -n '/^Commands of the tool/{n;s/^  //;p}' caisson)"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
packaging/write_manual.sh "$tool" "$folder"
compare caisson.1 "$(sed -n '/^\.SH COMMANDS/,/^\.SH OPTIONS/s/^\.B \([a-z]*\)$/\1/p' "$folder/man1/caisson.1" | tr '\n' ' ' | sed 's/ $//')"
compare completion.bash "$(sed -n "s/^        '') words='\([^-]*\) -.*/\1/p" "$folder/completion.bash")"
compare completion.fish "$(sed -n 's/^complete -c caisson -n __fish_use_subcommand -a \([a-z]*\) .*/\1/p' "$folder/completion.fish" | tr '\n' ' ' | sed 's/ $//')"
for page in "$folder"/man1/*.1; do # every one is troff that man can show
    ! command -v groff >/dev/null || groff -man -Tutf8 -ww -z "$page" 2>&1 | sed "s|^|$page: |" | grep . && bad=1
done
bash -n "$folder/completion.bash" || bad=1
[ "$bad" -eq 0 ] && echo "commands: all lists agree"
exit "$bad"

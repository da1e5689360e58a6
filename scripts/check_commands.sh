#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The root script, the man page and the completion know the tool's commands, and no others. usage: check_commands.sh TOOL
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
compare packaging/completion.bash "$(sed -n 's/^    local commands="\(.*\)"$/\1/p' packaging/completion.bash)"
compare packaging/caisson.1 "$(sed -n '/^\.SH COMMANDS/,/^\.PP/{s/^\.B \([a-z]*\)$/\1/p}' packaging/caisson.1 | tr '\n' ' ' | sed 's/ $//')"
[ "$bad" -eq 0 ] && echo "commands: all lists agree"
exit "$bad"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a shell offers when TAB is typed, seen on a terminal: bash, zsh and fish in tmux. A shell that is not there is skipped and
# said. usage: completion_test.sh TOOL
set -euo pipefail
tool=$(readlink -f -- "${1:?TOOL}")
command -v tmux >/dev/null || { echo "skipped: needs tmux"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/caisson-completion.XXXXXX")
session=caisson-completion-$$
server=0 # one for each shell: a server that is ending takes no new session
terminal() { tmux -S "$work/tmux$server" -f /dev/null "$@"; }
trap 'terminal kill-server 2>/dev/null || true; rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/place" "$work/place/keys" "$work/home"
ln -s "$tool" "$work/bin/caisson"
touch "$work/place/gateway.yaml" "$work/place/gateway.bundle" "$work/place/run.log"
failed=0 tried=0

# A terminal in a folder with a few files, the shell's prompt on its first line.
start() { # SHELL...
    terminal kill-server 2>/dev/null || true
    server=$((server + 1))
    terminal new-session -d -s "$session" -x 100 -y 24 -c "$work/place" \
        "env -i HOME='$work/home' PATH='$work/bin:/usr/bin:/bin' TERM=screen LC_ALL=C.UTF-8 $*"
}
screen() { terminal capture-pane -p -t "$session"; }
# Types and waits until the screen says what it should (ERE); a minute is for a busy machine. A list may come with a later TAB.
expect() { # NAME KEYS PATTERN [list]
    local i
    tried=$((tried + 1))
    terminal send-keys -t "$session" C-u
    terminal send-keys -t "$session" -l "$2"
    terminal send-keys -t "$session" Tab
    for ((i = 0; i < 300; i++)); do
        if grep -qE -e "$3" <<<"$(screen | tr '\n' '~')"; then
            terminal send-keys -t "$session" C-u C-l
            sleep 0.3
            return 0
        fi
        [ "${4:-}" != list ] || [ $((i % 25)) -ne 24 ] || terminal send-keys -t "$session" Tab
        sleep 0.2
    done
    echo "$1: '$2' and TAB do not give '$3' but"
    screen | sed '/^$/d; s/^/    /'
    failed=1
    terminal send-keys -t "$session" C-c C-l
}
ready() { # KEYS: the prompt is there
    terminal send-keys -t "$session" -l "$1"
    terminal send-keys -t "$session" Enter
    local i
    for ((i = 0; i < 300; i++)); do
        grep -q '^READY' <<<"$(screen)" && { terminal send-keys -t "$session" C-l; sleep 0.3; return 0; }
        sleep 0.2
    done
    echo "$1: no shell"
    screen
    exit 1
}
offers() { # SHELL
    expect "$1: the rest of a word" 'caisson prov' 'caisson prove'
    expect "$1: a command" 'caisson ver' 'verify.*version|version.*verify' list
    expect "$1: an option" 'caisson run --exit' 'caisson run --exit-code-from'
    expect "$1: its words" 'caisson check --format js' 'caisson check --format json'
    expect "$1: a command of two words" 'caisson image insp' 'caisson image inspect'
    expect "$1: a file" 'caisson verify gateway.b' 'caisson verify gateway.bundle'
    expect "$1: a file of an option" 'caisson run --log ru' 'caisson run --log run.log'
    expect "$1: a code" 'caisson explain E04' 'E0407' list
    expect "$1: a shell" 'caisson completion fi' 'caisson completion fish'
}

"$tool" completion bash >"$work/bash"
start "bash --norc --noprofile -i"
ready "PS1='> '; source '$work/bash'; echo READY"
offers bash
expect "bash: with an equals sign" 'caisson check --format=js' 'caisson check --format=json'
expect "bash: a folder only" 'caisson -C k' 'caisson -C keys/'

if command -v zsh >/dev/null; then
    mkdir "$work/functions"
    "$tool" completion zsh >"$work/functions/_caisson"
    start "zsh -f -i"
    # As installed: found by its name, loaded at the first TAB.
    ready "PS1='> '; fpath=('$work/functions' \$fpath); autoload -Uz compinit; compinit -u -d '$work/dump'; echo READY"
    offers zsh
else
    echo "zsh is not here: not tried"
fi
if command -v fish >/dev/null; then
    "$tool" completion fish >"$work/fish"
    start "fish --no-config -i"
    ready "function fish_prompt; echo '> '; end; source '$work/fish'; echo READY"
    offers fish
else
    echo "fish is not here: not tried"
fi
echo "$tried offers looked at"
exit "$failed"

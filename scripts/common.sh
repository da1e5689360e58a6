# shellcheck shell=bash disable=SC2154,SC2034,SC2016 # shared variables; apt format strings
# SPDX-License-Identifier: Apache-2.0
# scripts/common.sh - names of directories, messages, phases with times and sizes. Sourced by the root script `caisson`.

: "${here:?}"
cache=${CAISSON_CACHE:-${XDG_CACHE_HOME:-${HOME:-$here}/.cache}/caisson}
case $cache in /*) ;; *) cache=$PWD/$cache ;; esac
export CAISSON_CACHE=$cache # CMake's download step and the tool use the same
jobs=${CAISSON_JOBS:-$(nproc 2>/dev/null || echo 2)}
logs=$here/build/log

project_version() {
    sed -n 's/^project(caisson VERSION \([0-9.]*\).*/\1/p' "$here/CMakeLists.txt"
}

is_tool_command() {
    local known
    for known in "${tool_commands[@]}"; do
        [ "$known" = "$1" ] && return 0
    done
    return 1
}

# fail STATUS MESSAGE [HELP]...
fail() {
    local status=$1 line
    printf 'error: %s\n' "$2" >&2
    shift 2
    for line in "$@"; do printf 'help: %s\n' "$line" >&2; done
    exit "$status"
}

# nearest WORD: the line of stdin that is fewest edits away (a swap of neighbours is one), if that is at most a third of the
# word's length, and one at least: the rule of the tool's own suggestions.
nearest() {
    awk -v word="$1" '
        function edits(a, b,    d, i, j, best) {
            for (i = 0; i <= length(a); i++)
                for (j = 0; j <= length(b); j++) {
                    if (i == 0 || j == 0) { d[i, j] = i + j; continue }
                    best = d[i - 1, j - 1] + (substr(a, i, 1) != substr(b, j, 1))
                    if (d[i - 1, j] + 1 < best) best = d[i - 1, j] + 1
                    if (d[i, j - 1] + 1 < best) best = d[i, j - 1] + 1
                    if (i > 1 && j > 1 && substr(a, i - 1, 2) == substr(b, j, 1) substr(b, j - 1, 1) && d[i - 2, j - 2] + 1 < best)
                        best = d[i - 2, j - 2] + 1
                    d[i, j] = best
                }
            return d[length(a), length(b)]
        }
        BEGIN { fewest = int(length(word) / 3); if (fewest < 1) fewest = 1; fewest++ }
        { count = edits(tolower(word), $0); if (count < fewest) { fewest = count; found = $0 } }
        END { print found }'
}

unknown_command() {
    local best
    best=$(printf '%s\n' demo selftest help "${tool_commands[@]}" | nearest "$1")
    fail 2 "'$1' is not a command" "${best:+did you mean '$best'? }see ./caisson --help"
}

human_size() { # bytes
    awk -v b="$1" 'BEGIN { split("B KiB MiB GiB", u, " "); i = 1; while (b >= 1024 && i < 4) { b /= 1024; i++ }
                           printf (i == 1 ? "%d %s" : "%.1f %s"), b, u[i] }'
}

seconds_now() { date +%s; }

# phase NAME: starts a step of `steps`, on a terminal with a line of progress. done_phase TEXT ends it and says what was done
# and how long it took; same_phase ends it silently: there was nothing to do.
phase_name='' phase_started=0 phase_number=0
phase() {
    phase_number=$((phase_number + 1)) phase_started=$(seconds_now)
    phase_name="[$phase_number/$steps] $1"
    [ -t 1 ] && printf '%-16s ...\r' "$phase_name"
    return 0
}
done_phase() {
    printf '%-16s %-56s %4d s\n' "$phase_name" "$1" $(($(seconds_now) - phase_started))
}
same_phase() {
    [ -t 1 ] && printf '%20s\r' ''
    return 0
}

# logged NAME COMMAND...: runs a command with its output in build/log/NAME.log; on failure shows the end of it.
logged() {
    local log=$logs/$1.log status=0
    shift
    mkdir -p "$logs"
    if [ "$verbose" = 1 ]; then
        "$@" 2>&1 | tee "$log" || status=${PIPESTATUS[0]}
    else
        "$@" >"$log" 2>&1 || status=$?
    fi
    if [ "$status" -ne 0 ]; then
        [ "$verbose" = 1 ] || show_failure "$log" >&2
        return "$status"
    fi
}

# From the first failed step of a build on; of other logs the end.
show_failure() { # LOG
    if grep -q '^FAILED: ' "$1"; then
        echo "--- the first failure in $1:"
        sed -n '/^FAILED: /,$p' "$1" | grep -v '^\[' | sed -n 1,40p
    else
        echo "--- the end of $1:"
        tail -n 40 "$1"
    fi
}

# retry COMMAND...: three tries with a pause, for what a network can spoil.
retry() {
    local try
    for try in 1 2 3; do
        "$@" && return 0
        [ "$try" = 3 ] || sleep $((try * 3))
    done
    return 1
}

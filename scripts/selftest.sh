# shellcheck shell=bash disable=SC2154,SC2034,SC2016 # shared variables; apt format strings
# SPDX-License-Identifier: Apache-2.0
# scripts/selftest.sh - builds with tests and runs them. Sourced by the root script.

: "${here:?}" "${jobs:?}"

# Sets `used` to the seconds of CPU that everything started here and ended has used. Not by a pipe: a subshell has none.
used=0
count_cpu() {
    times >"$logs/times"
    used=$(awk 'NR == 2 { split($1, u, /[ms]/); split($2, s, /[ms]/); printf "%d", u[1] * 60 + u[2] + s[1] * 60 + s[2] }' "$logs/times")
}

selftest() {
    local tests=$here/build/dev selection=(-LE nightly) status=0 total failed skipped before
    if [ "$nightly" = 1 ]; then ensure_packages build test nightly && unpack_peer_kernel; else ensure_packages build test; fi
    ensure_qemu
    configure_and_build dev
    printf '%s' "$CAISSON_QEMU" >"$tests/qemu-program"
    phase tests
    [ "$quick" = 1 ] && selection=(-L quick)
    [ "$nightly" = 1 ] && selection=()
    mkdir -p "$logs"
    count_cpu
    before=$used
    rm -f "$tests/qemu-tests/platforms.txt"
    (cd "$tests" && ctest -j "$jobs" "${selection[@]}" --output-on-failure --no-tests=error \
        --output-junit "$logs/tests.xml" >"$logs/tests.log" 2>&1) || status=$?
    if [ ! -s "$logs/tests.xml" ]; then
        tail -n 20 "$logs/tests.log" >&2
        fail 1 "no test ran"
    fi
    # Everything a failing test printed, then one line each for what failed and for what was skipped and why.
    [ "$status" -eq 0 ] || sed -n '/^ *Start /d; p' "$logs/tests.log" | grep -v ' Passed  ' || true
    count() { sed -n "s/.*<testsuite .*[[:space:]]$1=\"\([0-9]*\)\".*/\1/p; s/^[[:space:]]*$1=\"\([0-9]*\)\".*/\1/p" "$logs/tests.xml" | head -n 1; }
    total=$(count tests) failed=$(count failures)
    skipped=$(($(count skipped) + $(count disabled)))
    count_cpu
    done_phase "$total tests, $((used - before)) s of CPU, all they said: build/log/tests.log"
    if [ "$skipped" -gt 0 ]; then
        echo "$skipped skipped (not counted as passed):"
        grep -E '\*\*\*(Skipped|Not Run)' "$logs/tests.log" | sed 's/^ *[0-9/]* *Test *#[0-9]*: /  /' || true
    fi
    if [ -s "$tests/qemu-tests/platforms.txt" ]; then
        printf 'boot cases by platform, the same loader and bundle on each:\n'
        sed 's/^/  /' "$tests/qemu-tests/platforms.txt"
    fi
    echo "$((total - failed - skipped)) passed, $failed failed"
    [ "$status" -eq 0 ] && [ "$failed" -eq 0 ]
}

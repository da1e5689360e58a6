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

# The lines of quick.txt: a test and the targets it needs.
quick_tests() { sed '/^#/d; s/  */ /g' "$here/scripts/quick.txt"; }

selftest() {
    local name tests=$here/build/dev preset=dev selection=(-LE nightly) targets=() status=0 total failed skipped before
    local started
    mkdir -p "$logs"
    count_cpu
    started=$used
    if [ "$quick" = 1 ]; then
        # A build of its own, of what these tests need.
        preset=quick tests=$here/build/quick
        selection=(-R "^($(quick_tests | cut -d ' ' -f 1 | sed 's/[.]/[.]/g' | paste -s -d '|'))\$")
        mapfile -t targets < <(quick_tests | awk '{ for (i = 2; i <= NF; i++) print $i }' | sort -u)
    fi
    [ "$quick" = 1 ] || steps=6 # the step `roots`
    if [ "$nightly" = 1 ]; then ensure_packages build test nightly && unpack_peer_kernel; else ensure_packages build test; fi
    if [ "$quick" = 0 ]; then
        phase roots
        if [ "$nightly" = 1 ]; then
            unpack_roots root nightly-root
            unpack_trees shells postgres python compiler mariadb
        else
            unpack_roots root
            unpack_trees shells postgres python
        fi
        # Without a network the tests that need it say so.
        logged sources cmake -DCAISSON_FETCH_TESTS=ON -P "$here/third_party/fetch.cmake" || true
        if [ ${#unpacked[@]} -gt 0 ]; then done_phase "${#unpacked[@]} systems of Debian packages for images, unpacked in the cache"; else same_phase; fi
    fi
    ensure_qemu
    configure_and_build "$preset" ${targets[@]+"${targets[@]}"}
    printf '%s' "$CAISSON_QEMU" >"$tests/qemu-program"
    phase tests
    [ "$nightly" = 1 ] && selection=()
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
    count() { sed -n "s/.*<testsuite .*[[:space:]]$1=\"\([0-9]*\)\".*/\1/p; s/^[[:space:]]*$1=\"\([0-9]*\)\".*/\1/p" "$logs/tests.xml" | sed -n 1p; }
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
    if [ "$quick" = 1 ]; then
        echo "$((used - started)) s of CPU from the start on, building included"
        # A name that no test has would be left out silently. (Without git there is no rules.tree.)
        while read -r name _; do
            grep -q "<testcase name=\"$name\"" "$logs/tests.xml" || { [ "$name" = rules.tree ] && [ ! -e "$here/.git" ]; } ||
                { echo "scripts/quick.txt names $name, which is no test here"; status=1; }
        done < <(quick_tests)
    fi
    echo "$((total - failed - skipped)) passed, $failed failed"
    [ "$status" -eq 0 ] && [ "$failed" -eq 0 ]
}

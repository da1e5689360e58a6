# shellcheck shell=bash disable=SC2154,SC2034,SC2016 # shared variables; apt format strings
# SPDX-License-Identifier: Apache-2.0
# scripts/build.sh - configures and builds a preset under build/. Sourced by the root script.

: "${here:?}" "${jobs:?}"
tool=$here/build/release/bin/caisson

configure_and_build() { # PRESET [TARGET]...
    local preset=$1 size again='' targets=()
    shift
    [ $# -eq 0 ] || targets=(--target "$@")
    [ -f "$here/build/$preset/build.ninja" ] && again=1
    phase configure
    # CMake's download step asks apt where this system's archive is; that needs lists, though only when a source is missing.
    private_apt
    if ! have_lists && [ ! -f "$here/build/$preset/build.ninja" ]; then update_lists; fi
    logged "configure-$preset" cmake -S "$here" --preset "$preset" ||
        fail 70 "configuring failed (preset $preset)" "the whole output is in $logs/configure-$preset.log"
    if [ -n "$again" ]; then same_phase; else done_phase "preset $preset"; fi
    phase build
    logged "build-$preset" cmake --build "$here/build/$preset" -j "$jobs" ${targets[@]+"${targets[@]}"} ||
        fail 70 "the build failed (preset $preset)" "the whole output is in $logs/build-$preset.log"
    if [ -n "$again" ] && grep -q '^ninja: no work to do' "$logs/build-$preset.log"; then
        same_phase
        return 0
    fi
    size=$(du -sk "$here/build/$preset" | cut -f 1)
    done_phase "build/$preset, $(human_size $((size * 1024)))"
}

ensure_built() {
    ensure_packages build
    if [ -z "${CAISSON_QEMU:-}" ]; then ensure_qemu; fi
    configure_and_build release
}

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The same sources in another directory, whose path is longer and has a space, give the same ELFs, byte for byte; with --tool
# the release preset there and in a third directory gives the same tool too, and no path of the build is in what is shipped.
# usage: same_build_test.sh BUILD-DIR [--tool]
set -euo pipefail
build=$(cd -- "${1:?BUILD-DIR}" && pwd -P)
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
work=$(mktemp -d "${TMPDIR:-/tmp}/caisson-same.XXXXXX")
trap 'rm -rf "$work"' EXIT
targets=(caisson_elf caisson-efi_elf unikernel_elf unikernel_net_elf uplink_elf adversary)
elves=(hypervisor/kernel/caisson.elf loader/caisson-efi.elf partitions/unikernel/start/unikernel.elf partitions/unikernel/start/unikernel-net.elf partitions/uplink/uplink.elf partitions/adversary/adversary.elf)
cached() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; }
# Compiled for real: a cache of compilers would give back what another directory made.
unset CMAKE_C_COMPILER_LAUNCHER CMAKE_CXX_COMPILER_LAUNCHER

copy() { # DIRECTORY
    mkdir -p "$1"
    (cd "$here" && git ls-files -z --cached --others --exclude-standard | tar --null -T - -c) | tar -x -C "$1"
}
make_in() { # SOURCE PRESET TYPE TARGET...
    cmake -S "$1" -B "$1/build/$2" -G Ninja "-DCMAKE_BUILD_TYPE=$3" -DCAISSON_TESTS=OFF \
        "-DCMAKE_C_COMPILER=$(cached CMAKE_C_COMPILER)" "-DCMAKE_CXX_COMPILER=$(cached CMAKE_CXX_COMPILER)" >"$work/log" 2>&1 ||
        { tail -n 40 "$work/log"; exit 1; }
    cmake --build "$1/build/$2" -j "${CAISSON_JOBS:-$(nproc)}" --target "${@:4}" >"$work/log" 2>&1 || { tail -n 40 "$work/log"; exit 1; }
}
compare() { # ONE OTHER FILE...
    local one=$1 other=$2 file
    shift 2
    for file in "$@"; do
        cmp "$one/$file" "$other/$file" || exit 1
    done
    echo "$# files are the same in both directories"
}

preset=$(basename "$build") type=$(cached CMAKE_BUILD_TYPE)
one="$work/a longer place/further down/checkout" other=$work/b
copy "$one"
if [ "${2:-}" != --tool ]; then
    make_in "$one" "$preset" "$type" "${targets[@]}"
    # A cache compiles what is already preprocessed, which has other debug information: then both are made here.
    if [ -n "$(cached CMAKE_CXX_COMPILER_LAUNCHER)" ]; then
        copy "$other"
        make_in "$other" "$preset" "$type" "${targets[@]}"
        build=$other/build/$preset
    fi
    compare "$build" "$one/build/$preset" "${elves[@]}"
    exit 0
fi
copy "$other"
for source in "$one" "$other"; do make_in "$source" release Release caisson "${targets[@]}"; done
compare "$one/build/release" "$other/build/release" image-tools/cli/caisson "${elves[@]}"
for file in image-tools/cli/caisson "${elves[@]}"; do
    if grep -aqF -e "$work" "$other/build/release/$file"; then
        echo "$file names the directory it was built in"
        exit 1
    fi
done

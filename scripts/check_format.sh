#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every C++ file is as clang-format 14 with the tree's .clang-format leaves it. Other versions format differently: with
# one of them this says so and ends with status 77, which ctest counts as skipped.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
format=$(command -v clang-format-14 || command -v clang-format) || { echo "clang-format is not installed"; exit 77; }
[[ $("$format" --version) == *'version 14.'* ]] || { echo "not clang-format 14: $("$format" --version)"; exit 77; }
# Many files a start: a file costs less than starting the program does.
if ! said=$(git ls-files -z "*.cpp" "*.hpp" | xargs -0 -r -n 40 -P "$(nproc)" "$format" --dry-run -Werror 2>&1); then
    echo "not formatted (clang-format -i):"
    sed -n 's/^\([^:]*\):[0-9]*:[0-9]*: error: .*/\1/p' <<<"$said" | sort -u | grep . || echo "$said"
    exit 1
fi
echo "format: all files agree"

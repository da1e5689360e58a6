#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every C++ file is as clang-format 14 with the tree's .clang-format leaves it. Other versions format differently: with
# one of them this says so and ends with status 77, which ctest counts as skipped.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
format=$(command -v clang-format-14 || command -v clang-format) || { echo "clang-format is not installed"; exit 77; }
[[ $("$format" --version) == *'version 14.'* ]] || { echo "not clang-format 14: $("$format" --version)"; exit 77; }
# shellcheck disable=SC2016 # expanded by the inner shell
bad=$(git ls-files -z "*.cpp" "*.hpp" | xargs -0 -r -n 1 -P "$(nproc)" sh -c '"$0" --dry-run -Werror "$1" >/dev/null 2>&1 || echo "$1"' "$format" | sort)
if [ -n "$bad" ]; then
    echo "not formatted (clang-format -i):"
    echo "$bad"
    exit 1
fi
echo "format: all files agree"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Rules about the files themselves: a licence line in each, sizes, no host names of package archives, no notes to self.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
bad=0
complain() { echo "$1"; bad=1; }

while IFS= read -r -d '' file; do
    case $file in
        LICENSE | NOTICE | .clang-format | .gitignore | *.json | */corpus/* | */golden/* | *.bin | *.dmar | *.key | *.pub) continue ;;
        *.md) continue ;;
    esac
    # A generated or data file that cannot carry a comment is listed above; everything else says its licence.
    head -n 8 "$file" | grep -q 'SPDX-License-Identifier: ' || complain "$file: no SPDX line"
done < <(git ls-files -z)

while IFS= read -r -d '' file; do
    lines=$(wc -l <"$file")
    case $file in
        *.hpp) [ "$lines" -le 320 ] || complain "$file: $lines lines, a header has about 250" ;;
        *) [ "$lines" -le 660 ] || complain "$file: $lines lines, a file has about 600" ;;
    esac
done < <(git ls-files -z '*.cpp' '*.hpp' '*.py' '*.sh' '*.S')

# Words are put together here so that this file does not find itself.
todo="TO""DO|FIX""ME|XX""X|for"" now"
git grep -nIwE "($todo)" -- '*.cpp' '*.hpp' '*.c' '*.h' '*.S' '*.py' '*.sh' '*.cmake' && complain "notes to self (above)"
hosts="deb\.debian""\.org|archive\.ubuntu""\.com|security\.debian""\.org"
git grep -nIE "($hosts)" && complain "host names of package archives (above): they come from the system's apt"

for folder in $(git ls-files | sed -n 's#^\([^/]*\(/[^/]*\)\{0,1\}\)/.*#\1#p' | sort -u); do
    case $folder in hypervisor | arch | drivers | partitions | loader | image-tools | qemu-tests | hypervisor/* | partitions/*)
        [ -f "$folder/README.md" ] || complain "$folder: no README.md" ;;
    esac
done
# README.md and docs/architecture.md name folders and files of this tree; what they name is there, unless the line says
# (later). Names in the listing stand below the first of their line: "core/ ... acpi/" is hypervisor/core/acpi.
named() { # FILE: every path with a slash, in code marks or in a listing
    # shellcheck disable=SC2016 # backticks of Markdown
    sed -n '/(later)/!p' "$1" | grep -oE '(\]\(|`)[A-Za-z0-9_.]+(/[A-Za-z0-9_.]+)+/?[)`]' | tr -d '`()]' | sort -u
}
for page in README.md docs/architecture.md; do
    while IFS= read -r path; do
        [ -e "$path" ] || [ -e "$(dirname "$page")/$path" ] || complain "$page names $path, which is not there"
    done < <(named "$page")
done
listing() { # the tree of docs/architecture.md as paths
    # shellcheck disable=SC2016 # backticks of Markdown
    sed -n '/^## 4\. Folders/,/^May include/p' docs/architecture.md | sed -n '/^```$/,/^```$/p' | sed '1d;$d;/(later)/d' | awk '
        /^[a-z-]+\// { top = $1; $1 = ""; inner = top; print top }
        /^  [a-z0-9_]+\// { inner = top $1; print inner; $1 = "" }
        { line = $0; gsub(/\([^)]*\)/, "", line)
          while (match(line, /[a-z0-9_]+\//)) { print inner substr(line, RSTART, RLENGTH); line = substr(line, RSTART + RLENGTH) } }' |
        grep . || true
}
while IFS= read -r path; do
    [ -d "$path" ] || complain "docs/architecture.md, Folders: $path is not there"
done < <(listing)
[ "$bad" -eq 0 ] && echo "tree: all rules hold"
exit "$bad"

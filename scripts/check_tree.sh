#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Rules about the files themselves: a licence line in each, sizes, no host names of package archives, no notes to self.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
bad=0
complain() { echo "$1"; bad=1; }

# A generated or data file that cannot carry a comment is left out; everything else says its licence in its first lines.
unlicensed=$(git ls-files -z -- . ':!LICENSE' ':!NOTICE' ':!.clang-format' ':!.gitignore' ':!*.json' ':!*/corpus/*' ':!*/golden/*' \
    ':!*.bin' ':!*.dmar' ':!*.key' ':!*.pub' ':!*.md' | xargs -0 awk '
        FNR <= 8 && /SPDX-License-Identifier: / { said[FILENAME] = 1 }
        FNR > 8 { nextfile }
        END { for (i = 1; i < ARGC; i++) if (!(ARGV[i] in said)) print ARGV[i] ": no SPDX line" }')
[ -z "$unlicensed" ] || complain "$unlicensed"

long=$(git ls-files -z '*.cpp' '*.hpp' '*.py' '*.sh' '*.S' | xargs -0 awk '
    { lines[FILENAME] = FNR }
    END { for (name in lines) {
              header = name ~ /\.hpp$/
              if (lines[name] > (header ? 320 : 660))
                  print name ": " lines[name] " lines, a " (header ? "header has about 250" : "file has about 600") } }')
[ -z "$long" ] || complain "$long"

# A reader that ends before its writer breaks the pipe: the writer then fails, or not, as time will have it. (A bracket, so
# that this line does not find itself.)
early="[|] *(\(|\{)* *(head|grep [^|]*-[a-zA-Z]*[qm]|awk [^|]*exit *\}|sed [^|]*[0-9;]q[';])|^ +awk .*; exit \}'"
git grep -nIE "$early" -- '*.sh' caisson .ci/run '*.toml' '*.cmake' '*CMakeLists.txt' &&
    complain "readers that end early (above): read all, or into a file first"

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
# Documents have 100 columns, also their tables; commands and what they print are as they are, and three pages are written
# by programs.
while IFS= read -r line; do complain "more than 100 columns: ${line:0:80}"; done < <(
    git ls-files '*.md' ':!*/corpus/*' ':!docs/benchmarks.md' ':!docs/compatibility.md' ':!docs/scaling.md' | grep -E '^(docs/|[^/]*$)' |
        LC_ALL=C.UTF-8 xargs grep -HnE '^.{101,}' | grep -vE '^[^:]*:[0-9]*:    ')
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
# What the weakened hypervisor can be told to have is what its code asks for.
# shellcheck disable=SC2312 # no name at all is a difference, too
weaknesses=$(diff <(sed '/^#/d;s/ .*//' qemu-tests/weak/weaknesses.txt | sort) \
    <(git grep -hoE 'weak\("[a-z0-9_]+"\)' -- hypervisor arch drivers loader | sed 's/.*"\(.*\)".*/\1/' | sort -u)) ||
    complain "weaknesses.txt lists other names than base::weak() is asked for: $weaknesses"
[ "$bad" -eq 0 ] && echo "tree: all rules hold"
exit "$bad"

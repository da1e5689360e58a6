#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# qemu-tests/bench/build_big150.sh - what converting a large image costs: CPU seconds and peak memory of `caisson build`
# (verify, flatten, EROFS, hash, sign) beside `umoci unpack` followed by `mkfs.erofs`, three runs each, medians.
# The image has three gzip layers, 167 MB packed and 425 MB unpacked: a base, a Java runtime, Node.js; made from this
# system's Debian archive. usage: build_big150.sh TOOL [WORK]     Needs mmdebstrap, umoci, erofs-utils, time, a network.
set -euo pipefail
tool=$(realpath "${1:?TOOL}")
work=${2:-$(mktemp -d)}
for program in mmdebstrap umoci mkfs.erofs /usr/bin/time; do
    command -v "$program" >/dev/null || { echo "skipped: needs $program"; exit 77; }
done
[ "$(id -u)" -eq 0 ] || { echo "skipped: needs root (mmdebstrap, umoci unpack)"; exit 77; }
export SOURCE_DATE_EPOCH=1700000000
mkdir -p "$work" && cd "$work"

# shellcheck disable=SC1091
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
# shellcheck disable=SC2016 # apt's own format
archive=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' |
    awk -v c="$codename" '$2 == c && $3 == "main" && !found++ { print $1 }')
layer() { # NAME PACKAGES: resolved and extracted only, no maintainer scripts
    [ -f "$1.tar" ] || mmdebstrap --mode=root --variant=extract --include="$2" --skip=cleanup/reproducible -q \
        --aptopt='APT::Install-Recommends "false"' "$codename" "$1.tar" "deb $archive $codename main"
}
layer base base-files,libc6,netbase,busybox-static
layer jre base-files,libc6,netbase,busybox-static,bash,coreutils,openjdk-17-jre-headless
layer node base-files,libc6,netbase,nodejs
if [ ! -d big150 ]; then
    umoci init --layout big150
    umoci new --image big150:latest
    for name in base jre node; do umoci raw add-layer --image big150:latest --history.comment "$name" "$name.tar"; done
    umoci config --image big150:latest --config.entrypoint /usr/bin/node --config.cmd -v
    umoci gc --layout big150
fi
cat >appliance.yaml <<'YAML'
apiVersion: caisson/v1
name: big
version: 1.0.0
securityVersion: 1
machine: {board: qemu-q35, cpus: 1, memory: 2GiB}
partitions:
  big: {image: "oci:big150", cpus: 1, memory: 512MiB}
YAML

cost() { # LABEL COMMAND...: appends "LABEL CPU-SECONDS KIBIBYTES" to costs
    local label=$1
    shift
    /usr/bin/time -o one -f '%U %S %M' "$@" >output.log 2>&1 || { tail -n 5 output.log; exit 1; }
    awk -v label="$label" '{ print label, $1 + $2, $3 }' one >>costs
}
rm -f costs
for _ in 1 2 3; do
    cost caisson "$tool" build appliance.yaml -o big.bundle
    rm -rf unpacked
    cost umoci umoci unpack --image big150:latest unpacked
    cost mkfs mkfs.erofs -T0 -U00000000-0000-0000-0000-000000000000 big.erofs unpacked/rootfs
done
rm -rf unpacked big.erofs big.bundle
median() { awk -v label="$1" -v column="$2" '$1 == label { print $column }' costs | sort -n | sed -n 2p; }
printf 'caisson build    %6.2f CPU s  %6d KiB peak\n' "$(median caisson 2)" "$(median caisson 3)"
printf 'umoci unpack     %6.2f CPU s  %6d KiB peak\n' "$(median umoci 2)" "$(median umoci 3)"
printf 'mkfs.erofs       %6.2f CPU s  %6d KiB peak\n' "$(median mkfs 2)" "$(median mkfs 3)"
# The target is a factor of four; three leaves room for a busy machine.
awk -v ours="$(median caisson 2)" -v umoci="$(median umoci 2)" -v mkfs="$(median mkfs 2)" 'BEGIN {
    ratio = (umoci + mkfs) / ours
    printf "ratio            %6.2f (target 4)\n", ratio
    exit ratio < 3
}'

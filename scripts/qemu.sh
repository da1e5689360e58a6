# shellcheck shell=bash disable=SC2154,SC2034,SC2016 # shared variables; apt format strings
# SPDX-License-Identifier: Apache-2.0
# scripts/qemu.sh - a QEMU of version 8.2 or newer, without touching the system's. Sourced by the root script.
#
# The system's is used when it is new enough. Otherwise the release's own packages, or its backports where the release is
# older, are unpacked under the cache with every library that a minimal system may lack.

: "${here:?}" "${cache:?}"
qemu_wanted=8.2

qemu_version() { "$1" --version 2>/dev/null | sed -n '1s/.*version \([0-9]*\.[0-9]*\).*/\1/p'; }

new_enough() { [ -n "$1" ] && [ "$(printf '%s\n%s\n' "$qemu_wanted" "$1" | sort -V | sed -n 1p)" = "$qemu_wanted" ]; }

ensure_qemu() {
    local version
    phase qemu
    if [ -n "${CAISSON_QEMU:-}" ]; then
        version=$(qemu_version "$CAISSON_QEMU") || true
        new_enough "$version" || fail 7 "CAISSON_QEMU ($CAISSON_QEMU) is not a QEMU of version $qemu_wanted or newer"
        same_phase
        return 0
    fi
    version=$(qemu_version qemu-system-x86_64) || true
    if new_enough "$version"; then
        CAISSON_QEMU=$(command -v qemu-system-x86_64)
        export CAISSON_QEMU
        same_phase
        return 0
    fi
    local codename
    # shellcheck disable=SC1090
    codename=$(. "$os_release" && echo "$VERSION_CODENAME")
    local home=$cache/qemu/$codename size=''
    if [ ! -x "$home/qemu-system-x86_64" ]; then
        unpack_qemu "$codename" "$home"
        size="$unpacked_count packages, $(human_size "$unpacked_bytes"), unpacked in the cache"
    fi
    version=$(qemu_version "$home/qemu-system-x86_64") || true
    new_enough "$version" || fail 7 "the QEMU under $home does not start" "delete that directory and try again"
    export CAISSON_QEMU=$home/qemu-system-x86_64
    if [ -n "$size" ]; then done_phase "version $version, $size"; else same_phase; fi
}

# The packages that no system of this release can be without: what essential packages depend on. They are taken as
# installed, everything else is unpacked, so that the result does not depend on what else the system has today.
base_status() {
    local essential
    mapfile -t essential < <(dpkg-query -W -f '${Essential} ${Package}\n' | awk '$1 == "yes" { print $2 }')
    apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances \
        "${essential[@]}" libc6 libstdc++6 | awk '/^[a-z0-9]/ { print $1 }' | sed 's/:.*//' | sort -u
}

unpack_qemu() { # CODENAME HOME
    local codename=$1 home=$2 archive keyring apt deb
    local work=$home.unpacking
    update_lists
    archive=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' |
        awk -v c="$codename" '$2 == c && $3 == "main" && !found++ { print $1 }')
    [ -n "$archive" ] || fail 7 "the system's apt sources do not name the archive of $codename" "see /etc/apt/sources.list"
    # The main archive's key signs its backports as well.
    keyring=$(apt-get indextargets --format '$(CODENAME) $(SIGNED_BY)' 'Created-By: Packages' |
        awk -v c="$codename" '$1 == c && $2 ~ /^\// && !found++ { print $2 }')
    rm -rf "$work"
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/state" "$work/root"
    for deb in "$codename" "$codename-backports"; do
        echo "deb ${keyring:+[signed-by=$keyring] }$archive $deb main"
    done >"$work/sources.list"
    base_status >"$work/base"
    awk 'NR == FNR { base[$1] = 1; next }
         /^Package: / { keep = ($2 in base) } keep' "$work/base" /var/lib/dpkg/status >"$work/state/status"
    apt=(apt-get -y -q -o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o "Dir::State::Lists=$work/lists" -o "Dir::State::status=$work/state/status" -o "Dir::State=$work/state"
        -o "Dir::Cache=$work/cache" -o Debug::NoLocking=1)
    retry logged qemu-update "${apt[@]}" update || fail 6 "the lists of $codename-backports could not be read"
    local from=()
    new_enough "$(apt-cache -o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache" policy qemu-system-x86 |
        sed -n 's/^  Candidate: \([0-9]*:\)\{0,1\}\([0-9]*\.[0-9]*\).*/\2/p')" || from=(-t "$codename-backports")
    retry logged qemu-download "${apt[@]}" "${from[@]}" install --no-install-recommends --download-only qemu-system-x86 ||
        fail 6 "the QEMU packages could not be downloaded" "check the network, or set CAISSON_QEMU"
    unpacked_count=0 unpacked_bytes=0
    for deb in "$work"/cache/archives/*.deb; do
        dpkg-deb -x "$deb" "$work/root"
        unpacked_count=$((unpacked_count + 1)) unpacked_bytes=$((unpacked_bytes + $(stat -c %s "$deb")))
    done
    cat >"$work/qemu-system-x86_64" <<'WRAPPER'
#!/bin/sh
# Runs the QEMU unpacked beside this file with its own libraries and firmware.
root=$(dirname -- "$(readlink -f -- "$0")")/root
libraries=$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu
export LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
exec "$root/usr/bin/qemu-system-x86_64" -L "$root/usr/share/qemu" -L "$root/usr/share/seabios" \
    -L "$root/usr/lib/ipxe/qemu" "$@"
WRAPPER
    chmod +x "$work/qemu-system-x86_64"
    rm -rf "$work/cache" "$work/lists" "$home"
    mv "$work" "$home"
}

# shellcheck shell=bash disable=SC2154,SC2034,SC2016 # shared variables; apt format strings
# SPDX-License-Identifier: Apache-2.0
# scripts/packages.sh - which packages are missing, and installing them with consent. Sourced by the root script.
#
# apt works on lists of its own under the cache: the system's lists and archives stay as they are, and a plain user can
# update, resolve and download. Installing is done as root without a question, with sudo after one, and never otherwise.

: "${here:?}" "${cache:?}" "${jobs:?}"
os_release=${CAISSON_TEST_OS_RELEASE:-/etc/os-release}

package_set() { # SET...
    awk -v sets=" $* " '/^[a-z]/ && index(sets, " " $1 " ") { print $2 }' "$here/packaging/packages.txt"
}

supported_system() {
    local id version
    [ -r "$os_release" ] && command -v apt-get >/dev/null && command -v dpkg-query >/dev/null || return 1
    # shellcheck disable=SC1090
    id=$(. "$os_release" && echo "${ID:-}") version=$(. "$os_release" && echo "${VERSION_ID:-}")
    case $id:$version in
        debian:12 | debian:13 | ubuntu:24.04) return 0 ;;
        *) return 1 ;;
    esac
}

require_supported_system() {
    supported_system && [ "$(uname -m)" = x86_64 ] && return 0
    fail 7 "this system is not Debian 12 or 13 or Ubuntu 24.04 on x86-64" \
        "docker run --rm -it -v \"$here\":/caisson -w /caisson debian:13 ./caisson ${command:-demo}"
}

missing_packages() { # PACKAGE...
    local package
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
    done
}

# Writes the private apt configuration; from here on APT_CONFIG makes every apt tool, also CMake's download step, use it.
private_apt() {
    [ -n "${private_apt_done:-}" ] && return 0
    local config=$cache/apt/apt.conf
    mkdir -p "$cache/apt/lists/partial" "$cache/apt/cache/archives/partial"
    cat >"$config.$$" <<CONF
Dir::State::Lists "$cache/apt/lists/";
Dir::Cache "$cache/apt/cache/";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Retries "3";
DPkg::Lock::Timeout "300";
CONF
    mv "$config.$$" "$config"
    export APT_CONFIG=$config DEBIAN_FRONTEND=noninteractive
    private_apt_done=1
}

have_lists() { compgen -G "$cache/apt/lists/*_InRelease" >/dev/null || compgen -G "$cache/apt/lists/*_Release" >/dev/null; }

# Reads the archive's package lists into the cache, once a run.
update_lists() {
    private_apt
    [ -n "${lists_updated:-}" ] && return 0
    retry logged apt-update apt-get -q update ||
        fail 6 "the package lists could not be read" "check the network and the system's apt sources"
    have_lists || fail 6 "the system's apt sources name no archive" "see /etc/apt/sources.list"
    lists_updated=1
}

# Prints how many bytes installing PACKAGE... would download.
download_size() {
    apt-get -y -q --print-uris install "$@" 2>/dev/null | awk '/^\047/ { sum += $3 } END { printf "%d", sum }'
}

install_packages() { # [PREFIX...] -- PACKAGE...
    local prefix=()
    while [ "$1" != -- ]; do prefix+=("$1"); shift; done
    shift
    retry logged apt-install "${prefix[@]}" apt-get -y -q -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold \
        -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@" </dev/null
}

# ensure_packages SET...: afterwards every package of these sets is installed, or the script has ended.
ensure_packages() {
    local missing size line answer
    require_supported_system
    phase packages
    # shellcheck disable=SC2046 # package names have no spaces
    mapfile -t missing < <(missing_packages $(package_set "$@"))
    if [ ${#missing[@]} -eq 0 ]; then
        same_phase
        return 0
    fi
    line="apt-get install -y --no-install-recommends ${missing[*]}"
    if [ "$(id -u)" -eq 0 ]; then
        update_lists
        size=$(download_size "${missing[@]}")
        install_packages -- "${missing[@]}" || fail 7 "packages could not be installed" "$line"
    elif command -v sudo >/dev/null && { [ "$yes" = 1 ] || [ -t 0 ]; }; then
        update_lists
        size=$(download_size "${missing[@]}")
        if [ "$yes" != 1 ]; then
            printf 'These packages are missing and would be installed with sudo (%s to download):\n  %s\n' \
                "$(human_size "$size")" "${missing[*]}"
            read -r -p 'Install them? [y/N] ' answer
            case $answer in [yY]*) ;; *) fail 7 "packages are missing" "as root: $line" ;; esac
        fi
        # Root's downloads go where the system keeps them, so that nothing in the user's cache belongs to root.
        if [ -t 0 ]; then sudo -v || fail 7 "sudo refused" "as root: $line"; fi
        install_packages sudo -n env "APT_CONFIG=$APT_CONFIG" DEBIAN_FRONTEND=noninteractive \
            -- -o Dir::Cache::Archives=/var/cache/apt/archives "${missing[@]}" ||
            fail 7 "packages could not be installed" "as root: $line"
    else
        fail 7 "packages are missing and this user may not install them: ${missing[*]}" "as root: $line"
    fi
    mapfile -t missing < <(missing_packages "${missing[@]}")
    [ ${#missing[@]} -eq 0 ] || fail 7 "still missing: ${missing[*]}" "as root: $line"
    done_phase "installed, $(human_size "$size") downloaded"
}

# The kernel that the set `peer` names by its newest version's package, unpacked into the cache; without the network the tests that
# need it say so.
unpack_peer_kernel() {
    local package
    compgen -G "$cache/peers/boot/vmlinuz-*-cloud-amd64" >/dev/null && return 0
    update_lists
    package=$(apt-cache depends "$(package_set peer)" 2>/dev/null | awk '/Depends: linux-image-[0-9]/ { print $2; exit }')
    [ -n "$package" ] || return 0 # not this distribution's name for it
    unpack_packages "$cache/peers" "$package"
}

# unpack_packages DIRECTORY PACKAGE...: downloads and unpacks these alone, installs nothing.
unpack_packages() {
    local into=$1 package deb
    shift
    update_lists
    mkdir -p "$into" "$cache/debs"
    (cd "$cache/debs" && retry logged apt-download apt-get -q download "$@") ||
        fail 6 "could not download $*" "check the network; or put the .deb files into $cache/debs"
    for package in "$@"; do
        for deb in "$cache/debs/${package}"_*.deb; do dpkg-deb -x "$deb" "$into"; done
    done
}

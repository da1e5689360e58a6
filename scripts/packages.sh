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
    local prefix=() install
    while [ "$1" != -- ]; do prefix+=("$1"); shift; done
    shift
    install=("${prefix[@]}" apt-get -y -q -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=300
        install --no-install-recommends "$@")
    logged apt-install "${install[@]}" </dev/null && return 0
    # An installation that was stopped halfway (a machine that went down, a job that was ended) is finished first: until then apt
    # refuses every other. Only then: apt waits for who is installing just now, dpkg does not.
    if grep -q 'dpkg was interrupted' "$logs/apt-install.log"; then
        logged dpkg-configure "${prefix[@]}" dpkg --force-confold --configure -a </dev/null || return 1
    fi
    retry logged apt-install "${install[@]}" </dev/null
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
    package=$(apt-cache depends "$(package_set peer)" 2>/dev/null | awk '/Depends: linux-image-[0-9]/ && !found++ { print $2 }')
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

# What unpack_roots and unpack_trees have unpacked in this run.
unpacked=()

# unpack_roots SET...: a tree in the cache for every package of these sets, with all it depends on as if nothing were installed;
# texts for people are left out. A package that this distribution does not have has no tree, and what needs it is skipped.
unpack_roots() {
    local package into name version deb missing=()
    # shellcheck disable=SC1090
    into=$cache/roots/$(. "$os_release" && echo "${VERSION_CODENAME:-none}")
    for package in $(package_set "$@"); do [ -d "$into/$package" ] || missing+=("$package"); done
    [ ${#missing[@]} -gt 0 ] || return 0
    update_lists
    # With usr-is-merged in the set apt does not choose usrmerge, which brings all of perl.
    local bare=(-y -q -o Dir::State::status=/dev/null -o Debug::NoLocking=1 install usr-is-merged)
    for package in "${missing[@]}"; do
        apt-get -s "${bare[@]}" "$package" >"$cache/apt/simulated" 2>/dev/null || continue
        retry logged apt-download apt-get --download-only "${bare[@]}" "$package" ||
            fail 6 "could not download $package and what it depends on" "check the network"
        rm -rf "$into/$package.new"
        mkdir -p "$into/$package.new"
        while read -r name version; do
            deb=$(find "$cache/apt/cache/archives" -name "${name}_${version//:/%3a}_*.deb" -print -quit)
            dpkg-deb --fsys-tarfile "$deb" | tar -C "$into/$package.new" -xp --exclude=./usr/share/{doc,man,locale,info,lintian}/\*
        done < <(sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1 \2/p' "$cache/apt/simulated")
        mv "$into/$package.new" "$into/$package"
        unpacked+=("$package")
    done
}

# unpack_trees NAME...: the trees that test images are made of: each set tree-NAME with all that its packages need, unpacked into the
# cache without their scripts being run, and what no program reads taken out. Where that fails, for want of a network say, the tests skip.
unpack_trees() {
    local name packages archive into
    archive=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' |
        awk '$3 == "main" && $2 !~ /-/ && !found++ { print $1, $2 }')
    for name in "$@"; do
        packages=$(package_set "tree-$name" | paste -s -d ,) into=$cache/trees/$name
        [ "$(cat "$into.packages" 2>/dev/null)" = "$packages" ] && continue
        rm -rf "$into" "$into.new"
        mkdir -p "$cache/trees"
        retry logged tree mmdebstrap -q --variant=extract --include="$packages" --skip=cleanup/reproducible \
            --aptopt='APT::Install-Recommends "false"' "${archive#* }" "$into.new" "deb ${archive% *} ${archive#* } main" || continue
        rm -rf "$into.new/dev" # an image's /dev is its kernel's
        rm -rf "$into.new"/usr/share/{doc,man,info,locale,lintian,i18n,gdb,gcc} "$into.new"/var/{cache,lib/dpkg,lib/apt} "$into.new/boot"
        find "$into.new" \( -name '*.a' ! -name 'lib[cm]*.a' -o -name 'lib[atlu]*san.so*' -o -name 'libLLVM*' -o -name 'libz3*' -o -name '*llvmjit*' \) -delete
        printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\npostgres:x:101:102::/var/lib/postgresql:/bin/sh\n%s\n' \
            'app:x:1000:1000::/home/app:/bin/sh' >"$into.new/etc/passwd"
        printf 'root:x:0:\nnogroup:x:65534:\npostgres:x:102:\napp:x:1000:\n' >"$into.new/etc/group"
        [ -e "$into.new/usr/bin/awk" ] || ln -s mawk "$into.new/usr/bin/awk"
        mkdir -p "$into.new"/{home/app,root,dev,proc,sys,tmp,run}
        mv "$into.new" "$into"
        printf %s "$packages" >"$into.packages"
        unpacked+=("the tree of $name")
    done
}

# shellcheck shell=bash disable=SC2154,SC2034,SC2016 # shared variables; apt format strings
# SPDX-License-Identifier: Apache-2.0
# scripts/demo.sh - three OCI images, made here without root or Docker, run at once. Sourced by the root script.

: "${here:?}"

# add_program ROOT FILE [PATH]: FILE into the tree ROOT with the libraries it loads.
add_program() {
    local root=$1 file=$2 path=${3:-$2} library
    install -D -m 755 "$file" "$root$path"
    while read -r library; do
        install -D -m 755 "$library" "$root$library"
    done < <(ldd "$file" 2>/dev/null | grep -o '/[^ ]*' | sort -u)
}

# Debian 12 has it in bin/, later releases in usr/bin/.
fetched_busybox() {
    find "$cache/fetched" -path '*/bin/busybox' -type f -print -quit 2>/dev/null || true
}

make_images() {
    local images=$here/build/demo/images work=$here/build/demo/work
    rm -rf "$images" "$work"
    mkdir -p "$images" "$work/busybox/bin" "$work/threads/bin" "$work/perl"
    if [ -z "$(fetched_busybox)" ]; then
        # shellcheck disable=SC2046
        unpack_packages "$cache/fetched" $(package_set fetch)
    fi
    install -m 755 "$(fetched_busybox)" "$work/busybox/bin/busybox"
    install -D -m 644 "$here/examples/demo/hello.sh" "$work/busybox/srv/hello.sh"
    logged demo-threads cc -O2 -pthread -o "$work/threads/threads" "$here/examples/demo/threads.c" ||
        fail 70 "the demo's threads program does not compile"
    add_program "$work/threads.root" "$work/threads/threads" /bin/threads
    add_program "$work/perl" /usr/bin/perl
    install -D -m 644 "$here/examples/demo/primes.pl" "$work/perl/srv/primes.pl"
    logged demo-images "$tool" image create --from "$work/busybox" --entrypoint /bin/busybox "oci:$images/busybox"
    logged demo-images "$tool" image create --from "$work/threads.root" --entrypoint /bin/threads "oci:$images/threads"
    logged demo-images "$tool" image create --from "$work/perl" --entrypoint /usr/bin/perl "oci:$images/perl"
}

demo() {
    ensure_packages build
    ensure_qemu
    configure_and_build release
    phase images
    if [ -d "$here/build/demo/images/perl" ]; then
        same_phase
        "$tool" run "$here/examples/demo/appliance.yaml"
        return
    fi
    make_images
    done_phase "build/demo/images, $(human_size "$(($(du -sk "$here/build/demo/images" | cut -f 1) * 1024))")"
    "$tool" run "$here/examples/demo/appliance.yaml"
}

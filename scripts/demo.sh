# shellcheck shell=bash disable=SC2154,SC2034,SC2016 # shared variables; apt format strings
# SPDX-License-Identifier: Apache-2.0
# scripts/demo.sh - three OCI images, made here without root or Docker, run at once; one serves a page, which is fetched.
# Sourced by the root script.

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
    mkdir -p "$images" "$work/busybox/bin" "$work/threads/bin" "$work/web"
    if [ -z "$(fetched_busybox)" ]; then
        # shellcheck disable=SC2046
        unpack_packages "$cache/fetched" $(package_set fetch)
    fi
    install -m 755 "$(fetched_busybox)" "$work/busybox/bin/busybox"
    install -D -m 644 "$here/examples/demo/hello.sh" "$work/busybox/srv/hello.sh"
    logged demo-threads cc -O2 -pthread -o "$work/threads/threads" "$here/examples/demo/threads.c" ||
        fail 70 "the demo's threads program does not compile"
    add_program "$work/threads.root" "$work/threads/threads" /bin/threads
    add_program "$work/web" /usr/bin/perl
    install -D -m 644 "$here/examples/demo/primes.pl" "$work/web/srv/primes.pl"
    logged demo-images "$tool" image create --from "$work/busybox" --entrypoint /bin/busybox "oci:$images/busybox"
    logged demo-images "$tool" image create --from "$work/threads.root" --entrypoint /bin/threads "oci:$images/threads"
    logged demo-images "$tool" image create --from "$work/web" --entrypoint /usr/bin/perl "oci:$images/web"
}

# Of this computer's, the first from 8080 on that nobody listens at.
free_port() {
    local port=8080
    while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
    echo "$port"
}

# fetch_page PORT PATH: what a web server on this computer answers, without its head. Tries for two minutes: QEMU takes a
# connection before its guest does.
fetch_page() {
    local port=$1 path=$2 tries=120 page
    while [ "$tries" -gt 0 ]; do
        tries=$((tries - 1))
        # shellcheck disable=SC2016 # its own words
        page=$(timeout 10 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0" && printf "GET %s HTTP/1.0\r\n\r\n" "$1" >&3 && cat <&3' \
            "$port" "$path" 2>/dev/null) || page=
        case $page in
            *' 200 OK'*) printf '%s\n' "${page##*$'\r\n\r\n'}"; return ;;
        esac
        sleep 1
    done
    return 1
}

# Published for this run only; the page is there when all partitions have ended.
run_demo() {
    local port page=$here/build/demo/page fetcher status=0
    port=$(free_port)
    fetch_page "$port" /primes/40 >"$page" &
    fetcher=$!
    "$tool" run -p "web=$port:80/tcp" "$here/examples/demo/appliance.yaml" || status=$?
    [ "$status" -eq 0 ] || kill "$fetcher" 2>/dev/null || true
    wait "$fetcher" || [ "$status" -ne 0 ] || fail 70 "the demo's web server did not answer at http://localhost:$port/primes/40"
    [ "$status" -ne 0 ] || printf '\nhttp://localhost:%s/primes/40 said, from the partition '\''web'\'':\n    %s\n' "$port" "$(cat "$page")"
    return "$status"
}

demo() {
    ensure_packages build
    ensure_qemu
    configure_and_build release
    phase images
    if [ -d "$here/build/demo/images/web" ]; then
        same_phase
        run_demo
        return
    fi
    make_images
    done_phase "build/demo/images, $(human_size "$(($(du -sk "$here/build/demo/images" | cut -f 1) * 1024))")"
    run_demo
}

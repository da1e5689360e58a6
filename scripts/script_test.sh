#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Tests of the root script without a network, without root and without installing: apt, sudo, dpkg, cmake and id are
# stand-ins that write down how they were called. usage: script_test.sh SOURCE-DIR
set -u
source=$(cd -- "${1:?SOURCE-DIR}" && pwd -P)
work=$(mktemp -d "${TMPDIR:-/tmp}/caisson script test.XXXXXX")
trap 'rm -rf "$work"' EXIT
failures=0 checks=0

# A copy in a path with a space; nothing of the real tree is written to.
checkout="$work/my checkout"
mkdir -p "$checkout" "$work/bin" "$work/home"
cp -R "$source/caisson" "$source/scripts" "$source/packaging" "$source/CMakeLists.txt" "$checkout/"

stand_in() { # NAME, body on stdin
    { echo '#!/bin/bash'; echo "echo \"${1} \$*\" >>\"$work/calls\""; cat; } >"$work/bin/$1"
    chmod +x "$work/bin/$1"
}

# dpkg-query: everything is installed except what $work/missing names.
stand_in dpkg-query <<STANDIN
package=\${@: -1}
grep -qx -- "\$package" "$work/missing" && { printf 'not-installed'; exit 1; }
printf installed
STANDIN
stand_in apt-get <<STANDIN
[ -f "$work/apt-fails" ] && exit 100
case " \$* " in
    *' update '*) mkdir -p "$work/cache dir/apt/lists"; : >"$work/cache dir/apt/lists/x_InRelease" ;;
    *--print-uris*) echo "'http://x/y.deb' y.deb 1048576 SHA256:0" ;;
    *' install '*)
        [ -f "$work/interrupted" ] && { echo "E: dpkg was interrupted"; exit 100; }
        [ "\${DEBIAN_FRONTEND:-}" = noninteractive ] || exit 99
        : >"$work/missing" ;;
esac
STANDIN
stand_in dpkg <<STANDIN
case " \$* " in *' --configure -a '*) rm -f "$work/interrupted" ;; esac
STANDIN
stand_in cmake <<'STANDIN'
exit 1
STANDIN
stand_in id <<STANDIN
cat "$work/uid"
STANDIN
stand_in uname <<'STANDIN'
echo x86_64
STANDIN
stand_in sleep </dev/null
stand_in qemu-system-x86_64 <<'STANDIN'
echo "QEMU emulator version 9.1.0"
STANDIN
sudo_there() { stand_in sudo <<'STANDIN'
[ "$1" = -n ] && shift
[ "$1" = -v ] && exit 0
exec "$@"
STANDIN
}
printf 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n' >"$work/os-release"

reset() {
    : >"$work/calls"
    : >"$work/missing"
    echo 1000 >"$work/uid"
    rm -rf "$work/apt-fails" "$work/interrupted" "$work/bin/sudo" "$work/cache dir" "$checkout/build"
}

run() { # ARGUMENT...: sets status, out (both streams)
    out=$(cd / && env -i PATH="$work/bin:/usr/bin:/bin" HOME="$work/home" CAISSON_CACHE="$work/cache dir" \
        CAISSON_TEST_OS_RELEASE="${os_release:-$work/os-release}" "$checkout/caisson" "$@" 2>&1 </dev/null)
    status=$?
}

check() { # WHAT CONDITION...
    local what=$1
    shift
    checks=$((checks + 1))
    if ! "$@"; then
        failures=$((failures + 1))
        printf 'FAILED: %s\n--- status %s, said:\n%s\n--- calls:\n%s\n' "$what" "$status" "$out" "$(cat "$work/calls")"
    fi
}
is() { [ "$status" -eq "$1" ]; }
says() { grep -qF -- "$1" <<<"$out"; }
not_says() { ! says "$1"; }
called() { grep -q -- "$1" "$work/calls"; }
not_called() { ! grep -q -- "$1" "$work/calls"; }
untouched() { [ ! -e "$checkout/build" ] && [ ! -e "$work/cache dir" ] && not_called apt-get && not_called cmake; }

for arguments in --help -h help "demo --help" "selftest --help"; do
    reset
    # shellcheck disable=SC2086 # split on purpose
    run $arguments
    check "$arguments answers" is 0
    check "$arguments shows usage" says "Usage: ./caisson"
    check "$arguments does nothing else" untouched
done

reset; run --version
check "--version answers" is 0
check "--version prints it" says "caisson $(sed -n 's/^project(caisson VERSION \([0-9.]*\).*/\1/p' "$source/CMakeLists.txt")"
check "--version does nothing else" untouched

reset; run selftets
check "an unknown command is a usage error" is 2
check "an unknown command gets a suggestion" says "did you mean 'selftest'"
check "an unknown command does nothing else" untouched

for typo in ckeck:check Plan:plan atack:attack xn: slftest:selftest; do
    reset; run "${typo%:*}"
    if [ -n "${typo#*:}" ]; then check "$typo is suggested" says "did you mean '${typo#*:}'"
    else check "nothing is near '${typo%:*}'" not_says "did you mean"; fi
done

reset; run --format json plan
check "common options before a command go on to the build" called "^cmake"
reset; run --format
check "an option that lacks its value is a usage error" is 2
reset; run --print-qemu
check "CI asks for the QEMU" says "qemu-system-x86_64"
reset; run -q
check "an option without a command is a usage error" is 2
reset; run -q demo
check "the tool's options are not the demo's" is 2
check "the tool's options are not the demo's: nothing else" untouched

ln -s "$checkout/caisson" "$work/a link"
reset
out=$(cd / && env -i PATH="$work/bin:/usr/bin:/bin" HOME="$work/home" "$work/a link" --version 2>&1) && status=0 || status=$?
check "through a symbolic link: the same" is 0
check "through a symbolic link: finds its scripts" says "caisson "

reset; run selftest --fast
check "an unknown option is a usage error" is 2
check "an unknown option does nothing else" untouched

reset; run
check "no command is a usage error" is 2

reset; echo ninja-build >"$work/missing"; run demo
check "no root, no sudo: environment" is 7
check "no root, no sudo: the one line" says "apt-get install -y --no-install-recommends ninja-build"
check "no root, no sudo: nothing installed" not_called apt-get

reset; sudo_there; echo ninja-build >"$work/missing"; run demo
check "sudo without a terminal is not used unasked" is 7
check "sudo without a terminal: nothing installed" not_called sudo

reset; sudo_there; echo ninja-build >"$work/missing"; run demo --yes
check "sudo with --yes installs" called "sudo .*apt-get .* install .*ninja-build"
check "sudo with --yes: goes on to the build" called "^cmake"

reset; echo 0 >"$work/uid"; printf 'ninja-build\ncmake\n' >"$work/missing"; run demo
check "root installs without a question" called "apt-get .* install .*ninja-build"
check "root: only what is missing" not_called "install .*libfmt-dev"
check "root: waits for the lock" called "DPkg::Lock::Timeout=300"
check "root: goes on to the build" called "^cmake"
check "root: sizes are shown" says "1.0 MiB"
check "root: dpkg, which does not wait for who is installing, is left alone" not_called "^dpkg .*--configure"

reset; echo 0 >"$work/uid"; echo ninja-build >"$work/missing"; : >"$work/interrupted"; run demo
check "an installation that was stopped halfway is finished first" called "^cmake"
reset; sudo_there; echo ninja-build >"$work/missing"; : >"$work/interrupted"; run demo --yes
check "so it is with sudo" called "sudo .*dpkg .*--configure -a"

reset; echo 0 >"$work/uid"; echo ninja-build >"$work/missing"; : >"$work/apt-fails"; run demo
check "no network: input/output" is 6
check "no network: tried three times" test "$(grep -c 'apt-get .*update' "$work/calls")" -eq 3

reset; run demo
check "a plain user with all packages builds" called "^cmake"
check "a plain user with all packages: nothing installed" not_called "apt-get .*install"

printf 'ID=fedora\nVERSION_ID=40\n' >"$work/other-release"
reset; os_release="$work/other-release" run demo
check "another system: environment" is 7
check "another system: the docker line" says "docker run --rm -it -v \"$checkout\":/caisson -w /caisson debian:13 ./caisson demo"
check "another system: nothing touched" untouched

reset; stand_in qemu-system-x86_64 <<'STANDIN'
echo "QEMU emulator version 7.2.1"
STANDIN
echo 1 >"$work/apt-fails"; run demo
check "an old QEMU is not used" is 6

printf '%d checks, %d failed\n' "$checks" "$failures"
[ "$failures" -eq 0 ]

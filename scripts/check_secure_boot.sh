#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Firmware with Secure Boot enforced (OVMF with Debian's test key enrolled): an application signed by that key runs its
# partitions; one that is not signed, signed by another key, or changed after it was signed is not started. A changed bundle
# beside a good application is refused by the hypervisor itself.
# usage: check_secure_boot.sh BUILD-DIR   (CAISSON_QEMU: the QEMU to use)
set -euo pipefail
build=$(cd -- "${1:?BUILD-DIR}" && pwd -P)
tool=$build/image-tools/cli/caisson
qemu=${CAISSON_QEMU:-qemu-system-x86_64}
firmware=/usr/share/OVMF/OVMF_CODE_4M.secboot.fd variables=/usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd
key=/usr/share/ovmf/PkKek-1-snakeoil.key certificate=/usr/share/ovmf/PkKek-1-snakeoil.pem
for file in "$firmware" "$variables" "$key" "$certificate"; do
    [ -f "$file" ] || { echo "skipped: needs $file (package ovmf)"; exit 77; }
done
for program in openssl sbverify xorriso mcopy python3; do
    command -v "$program" >/dev/null || { echo "skipped: needs $program"; exit 77; }
done
work=$(mktemp -d "${TMPDIR:-/tmp}/caisson-secure.XXXXXX")
machine=
trap '[ -z "$machine" ] || kill "$machine" 2>/dev/null; rm -rf "$work"' EXIT
export HOME=$work/home XDG_CONFIG_HOME=$work/home XDG_CACHE_HOME=$work/home XDG_DATA_HOME=$work/home
cd "$work"
fail() { echo "$1"; exit 1; }

openssl rsa -in "$key" -passin pass:snakeoil -out db.key 2>/dev/null
chmod 600 db.key
cp "$certificate" db.pem
openssl req -x509 -newkey rsa:2048 -nodes -keyout other.key -out other.pem -days 3650 -subj /CN=other 2>/dev/null
chmod 600 other.key
manifest() { # SIGNING
    cat <<END
apiVersion: caisson/v1
name: secure
version: 1.0.0
securityVersion: 1
machine: {board: qemu-q35, cpus: 2, memory: 256MiB}
signing: $1
partitions:
  a: {kernel: "$build/qemu-tests/guests/statuses.elf", cmdline: "0", cpus: 1, memory: 4MiB}
END
}
made() { # NAME SIGNING
    manifest "$2" >"$1.yaml"
    "$tool" build -q --progress none "$1.yaml" -o "$1.efi" -o "$1.iso" -o "$1.bundle" >/dev/null 2>log || fail "build: $(cat log)"
}
made good '{secureBoot: {key: db.key, certificate: db.pem}}'
made unsigned '{}'
made wrong '{secureBoot: {key: other.key, certificate: other.pem}}'
sbverify --cert db.pem good.efi >/dev/null 2>&1 || fail "sbverify does not accept what was signed"
cp good.efi again.efi
made good '{secureBoot: {key: db.key, certificate: db.pem}}'
cmp good.efi again.efi || fail "signed twice: not the same bytes"
manifest '{secureBoot: {key: db.key, certificate: other.pem}}' >mixed.yaml
"$tool" build -q --progress none mixed.yaml -o mixed.efi 2>log && fail "a certificate of another key is accepted"
grep -q E0511 log || fail "not the refusal that was expected: $(cat log)"

# What the owner enrols lies on the system partition: the certificate, as a signature list, and that signed for each variable.
xorriso -osirrox on -indev good.iso -extract /EFI.IMG volume 2>/dev/null
mkdir keys
mcopy -n -i volume '::/EFI/caisson/keys/*' keys
openssl x509 -in db.pem -outform DER | cmp - keys/db.cer || fail "db.cer is not the certificate"
python3 - <<'END' || fail "what is to be enrolled is not as UEFI wants it"
import struct, subprocess, sys, uuid
certificate = open("keys/db.cer", "rb").read()
for name in ("PK", "KEK", "db"):
    lists, auth = (open(f"keys/{name}.{kind}", "rb").read() for kind in ("esl", "auth"))
    kind, size, header, entry = struct.unpack("<16sIII", lists[:28])
    assert uuid.UUID(bytes_le=kind) == uuid.UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072"), "a list of certificates"
    assert (size, header, entry) == (len(lists), 0, len(lists) - 28) and lists[44:] == certificate, "one certificate"
    length, revision, form, guid = struct.unpack("<IHH16s", auth[16:40])
    assert (revision, form) == (0x200, 0xef1) and uuid.UUID(bytes_le=guid) == uuid.UUID("4aafd29d-68df-49ee-8aa9-347d375665a7")
    year, month, day, hour, minute, second = struct.unpack("<HBBBBB", auth[:7])
    assert year >= 1970 and 1 <= month <= 12 and 1 <= day <= 31 and auth[7:16] == bytes(9), "a time without a zone"
    assert auth[16 + length:] == lists, "the list follows the signature"
    vendor = "d719b2cb-3d3a-4596-a3bc-dad00e67656f" if name == "db" else "8be4df61-93ca-11d2-aa0d-00e098032b8c"
    hashed = name.encode("utf-16-le") + uuid.UUID(vendor).bytes_le + struct.pack("<I", 0x27) + auth[:16] + lists
    signed = auth[40:16 + length]
    inner = b"\xa0\x82" + struct.pack(">H", len(signed)) + signed
    whole = bytes.fromhex("06092a864886f70d010702") + inner
    open("message", "wb").write(b"\x30\x82" + struct.pack(">H", len(whole)) + whole)
    for content, good in ((hashed, True), (hashed[:-1] + b"\0", False)):
        open("content", "wb").write(content)
        run = subprocess.run(["openssl", "smime", "-verify", "-inform", "DER", "-in", "message", "-content", "content", "-binary", "-noverify", "-out", "/dev/null"],
                             capture_output=True, check=False)
        assert (run.returncode == 0) == good, run.stderr
END
echo "certificate, signature lists and signed variables for the owner's enrolment are on the volume"

flipped() { # FILE OFFSET OUTPUT
    cp "$1" "$3"
    local byte
    byte=$(od -An -tu1 -j "$2" -N 1 "$1")
    printf %b "\\x$(printf %x $((byte ^ 1)))" | dd of="$3" bs=1 seek="$2" conv=notrunc 2>/dev/null
}
size=$(stat -c %s good.efi)
flipped good.efi $((size / 2)) changed.efi
# In the signed attributes: the digest of the message, which stands after its name 1.2.840.113549.1.9.4.
attribute=$(LC_ALL=C grep -obUaP '\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04' good.efi | tail -n 1 | cut -d : -f 1)
flipped good.efi $((attribute + 20)) attribute.efi

# The tool judges them as firmware does.
for file in good.efi good.iso; do
    "$tool" verify --certificate db.pem "$file" >log 2>&1 || fail "verify $file: $(cat log)"
    grep 'OK Secure Boot: signed by' log >/dev/null || fail "verify $file does not say who signed it"
done
for file in unsigned wrong changed attribute; do
    ! "$tool" verify --certificate db.pem "$file.efi" >log 2>&1 || fail "verify accepts $file.efi"
    grep 'E0512' log >/dev/null || fail "verify of $file.efi: $(cat log)"
done

# Until the machine ends or firmware says that it does not start the application.
boot() { # DISK-ARGUMENTS...
    cp "$variables" vars.fd
    : >serial
    "$qemu" -machine q35,smm=on -global driver=cfi.pflash01,property=secure,value=on -cpu max,+svm,-la57 -smp 2 -m 256M \
        -display none -nodefaults -no-reboot -serial file:serial -device isa-debug-exit,iobase=0xf4,iosize=4 \
        -drive "if=pflash,format=raw,readonly=on,file=$firmware" -drive if=pflash,format=raw,file=vars.fd "$@" 2>qemu.log &
    machine=$!
    for _ in $(seq 1200); do
        kill -0 "$machine" 2>/dev/null || break
        if grep -aqE 'failed to (load|start) Boot0001.*(Access Denied|Security Violation)' serial; then
            kill "$machine"
        fi
        sleep 0.5
    done
    status=0
    wait "$machine" 2>/dev/null || status=$?
    machine=
}
application() { # FILE
    rm -rf esp
    mkdir -p esp/EFI/BOOT
    cp "$1" esp/EFI/BOOT/BOOTX64.EFI
    boot -drive format=raw,file=fat:rw:esp
}
application good.efi
[ "$status" -eq 33 ] || fail "the signed application does not run: $status, $(tr -d '\0' <serial | tail -n 5)"
grep -aq 'partition=a.*status=0' serial || fail "its partition does not end as it should"
for file in unsigned wrong changed attribute; do
    application "$file.efi"
    grep -aqE 'failed to (load|start) Boot0001.*(Access Denied|Security Violation)' serial || fail "$file.efi is not refused: $status"
    ! grep -aq 'Caisson' serial || fail "$file.efi was started"
done
echo "Secure Boot starts what is signed, and nothing that is unsigned, signed by others or changed"

# The bundle beside a good application has only its own signature. Its first bytes stand in the hypervisor too, which is before it.
place=$(LC_ALL=C grep -obUaF "$(head -c 8 good.bundle)" good.iso | tail -n 1 | cut -d : -f 1)
flipped good.iso $((place + $(stat -c %s good.bundle) / 2)) tampered.iso
boot -cdrom tampered.iso
[ "$status" -eq 35 ] || fail "a changed bundle beside a good application: status $status"
grep -aq 'bundle refused' serial || fail "the hypervisor does not say that it refuses the bundle"
echo "a changed bundle beside a good application is refused by the hypervisor"

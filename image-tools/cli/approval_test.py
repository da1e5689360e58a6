#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""approve, and what a loader demands: two people's keys, keys that are encrypted or in a token.

usage: approval_test.py CAISSON KERNEL

KERNEL is any PVH ELF. The token is SoftHSM's where it is installed ($CAISSON_SOFTHSM names the folder where it is unpacked).
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

BAD = []


def main():
    tool, kernel = (os.path.abspath(path) for path in sys.argv[1:3])
    with tempfile.TemporaryDirectory() as work:
        environment = {**os.environ, "HOME": work, "XDG_CONFIG_HOME": work, "XDG_CACHE_HOME": work, "CAISSON_CACHE": "",
                       "SOURCE_DATE_EPOCH": "1700000000"}

        def caisson(*words, status=0, code="", **more):
            done = subprocess.run([tool, "--format", "json", "-q", *words], cwd=work, env={**environment, **more}, text=True,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
            told = json.loads(done.stdout) if done.stdout.startswith("{") else {}
            if done.returncode != status or (code and told.get("error", {}).get("code") != code):
                BAD.append(f"caisson {' '.join(words)}: exit {done.returncode}, not {status} {code}: {done.stdout}{done.stderr}")
            return told

        def manifest(name, signing, version="1.0.0"):
            with open(os.path.join(work, name + ".yaml"), "w", encoding="utf-8") as file:
                file.write(f"apiVersion: caisson/v1\nname: test\nversion: {version}\nsigning: {signing}\n"
                           f"partitions:\n  own: {{kernel: {kernel}, memory: 64MiB}}\n")

        def path(name):
            return os.path.join(work, name)

        for key in ("builder", "alice", "mallory", "old"):
            caisson("keygen", "-o", key)
        manifest("two", "{key: builder.key, approve: [alice.pub], revoked: [old.pub]}")
        caisson("build", "two.yaml", "-o", "two.bundle", "--provenance", "two.provenance")
        caisson("verify", "two.bundle", status=5, code="E0501")
        said = caisson("inspect", "two.bundle")["bundle"]["id"]
        # Who may not, and what is not meant.
        caisson("approve", "two.bundle", "--key", "builder.key", "--id", said, status=5, code="E0516")
        caisson("approve", "two.bundle", "--key", "alice.key", "--id", said[:15], status=5, code="E0516")
        caisson("approve", "two.bundle", "--key", "alice.key", "--id", "0" * 16, status=5, code="E0516")
        caisson("approve", "two.bundle", "--key", "alice.key", status=2, code="E0101")
        caisson("approve", "two.bundle", "--key", "mallory.key", "--id", said)
        caisson("verify", "two.bundle", status=5, code="E0501")
        caisson("approve", "two.bundle", "--key", "alice.key", "--id", said[:16])
        told = caisson("verify", "two.bundle", "--provenance", "two.provenance")
        if [(one["purpose"], one["verified"]) for one in told.get("approvals", [])] != [("approve", False), ("approve", True)]:
            BAD.append(f"approvals: {told.get('approvals')}")
        caisson("approve", "two.bundle", "--key", "alice.key", "--id", said)  # in its own place
        caisson("verify", "two.bundle")
        shutil.copy(path("two.bundle"), path("revoked.bundle"))
        shutil.copy(path("two.elf"), path("revoked.elf"))
        for key, status in (("third", 0), ("fourth", 5)):
            caisson("keygen", "-o", key)
            caisson("approve", "two.bundle", "--key", key + ".key", "--id", said, status=status, code="E0516" if status else "")
        caisson("verify", "two.bundle")
        caisson("approve", "revoked.bundle", "--key", "old.key", "--id", said)
        caisson("verify", "revoked.bundle", status=5, code="E0501")
        # An approval as a file goes into what is built again, and into nothing else.
        caisson("build", "two.yaml", "-o", "again.bundle")
        caisson("approve", "again.bundle", "--key", "alice.key", "--id", said, "--to", "alice.approval")
        caisson("verify", "again.bundle", status=5, code="E0501")
        caisson("build", "two.yaml", "-o", "again.bundle", "-o", "again.img", "--approval", "alice.approval")
        caisson("verify", "again.bundle")
        caisson("verify", "again.img")
        manifest("next", "{key: builder.key, approve: [alice.pub]}", "1.0.1")
        caisson("build", "next.yaml", "-o", "next.bundle", "--approval", "alice.approval", status=5, code="E0516")
        if os.path.exists(path("next.bundle")):
            BAD.append("a bundle was written that is not what was approved")
        with open(path("bad.approval"), "w", encoding="utf-8") as file:
            file.write('{"schema": "caisson.approval/1"}')
        caisson("build", "next.yaml", "-o", "next.bundle", "--approval", "bad.approval", status=5, code="E0516")
        # A key for two things.
        manifest("one", "{key: builder.key, approve: [builder.pub]}")
        caisson("build", "one.yaml", "-o", "one.bundle", status=5, code="E0516")
        encrypted(caisson, path, said)
        token(caisson, path, environment)
        if not BAD:
            print("two people, keys that are encrypted and in a token: as it should be")
    print("\n".join(BAD))
    return 1 if BAD else 0


def encrypted(caisson, path, said):
    with open(path("phrase"), "w", encoding="utf-8") as file:
        file.write("correct horse\n")
    os.chmod(path("phrase"), 0o600)
    subprocess.run(["openssl", "pkcs8", "-topk8", "-v2", "aes-256-cbc", "-in", path("alice.key"), "-out", path("locked.key"),
                    "-passout", f"file:{path('phrase')}"], check=True)
    os.chmod(path("locked.key"), 0o600)
    words = ["approve", "again.bundle", "--id", said, "--to", "locked.approval", "--key", "locked.key", "--signer", "builder.pub"]
    caisson(*words, status=5, code="E0502")
    caisson(*words, CAISSON_PASSPHRASE_FILE=path("phrase"))
    with open(path("alice.approval"), encoding="utf-8") as one, open(path("locked.approval"), encoding="utf-8") as two:
        if one.read() != two.read():
            BAD.append("an encrypted key signs another thing")
    os.chmod(path("phrase"), 0o644)
    caisson(*words, status=5, code="E0503", CAISSON_PASSPHRASE_FILE=path("phrase"))


def token(caisson, path, environment):
    root = os.environ.get("CAISSON_SOFTHSM", "/usr")
    util = os.path.join(root, "bin", "softhsm2-util")
    module = next((name for name in (os.path.join(root, "lib", folder, "softhsm", "libsofthsm2.so")
                                     for folder in ("", "x86_64-linux-gnu")) if os.path.exists(name)), None)
    if not os.path.exists(util) or module is None:
        print("SoftHSM is not installed: keys in tokens are not tried")
        return
    os.makedirs(path("tokens"))
    with open(path("softhsm2.conf"), "w", encoding="utf-8") as file:
        file.write(f"directories.tokendir = {path('tokens')}\nlog.level = ERROR\n")
    with open(path("pin"), "w", encoding="utf-8") as file:
        file.write("123456\n")
    os.chmod(path("pin"), 0o600)
    environment.update(SOFTHSM2_CONF=path("softhsm2.conf"), CAISSON_PKCS11_MODULE=module)

    def softhsm(*words):
        subprocess.run([util, "--module", module, *words], env=environment, check=True, stdout=subprocess.DEVNULL)

    softhsm("--init-token", "--free", "--label", "release", "--so-pin", "12345678", "--pin", "123456")
    softhsm("--import", path("builder.key"), "--token", "release", "--label", "bundle", "--id", "01", "--pin", "123456")
    uri = "pkcs11:token=release;object=bundle?pin-source=file:" + path("pin")
    with open(path("two.yaml"), encoding="utf-8") as file:
        text = file.read()
    with open(path("token.yaml"), "w", encoding="utf-8") as file:
        file.write(text.replace("key: builder.key", f'key: "{uri}"'))
    caisson("build", "two.yaml", "-o", "file.bundle")
    caisson("build", "token.yaml", "-o", "token.bundle")
    with open(path("file.bundle"), "rb") as one, open(path("token.bundle"), "rb") as two:
        if one.read() != two.read():
            BAD.append("a token's key signs another bundle than the same key in a file")
    for wrong in ("pkcs11:token=release;object=other?pin-source=file:" + path("pin"), "pkcs11:token=none",
                  uri + "&module-path=/bin/true", "pkcs11:token=release;object=bundle?pin-value=123456", "pkcs11:x"):
        caisson("approve", "file.bundle", "--key", wrong, status=5, code="E0517")
    with open(path("pin"), "w", encoding="utf-8") as file:
        file.write("000000\n")
    caisson("approve", "file.bundle", "--key", uri, status=5, code="E0517")


sys.exit(main())

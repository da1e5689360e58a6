#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Images in a registry, signed by keys of each kind as cosign does, held against policies by `caisson lock`.

usage: signed_test.py TOOL
Signatures are made with openssl, and by cosign itself where $CAISSON_COSIGN or PATH has one. Exit 77: no docker-registry.
"""
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "registry"))
from testbed import Blob, Image, Images, Registry  # noqa: E402

SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
KINDS = {"p256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
         "p384": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
         "rsa": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
         "ed25519": ["-algorithm", "ED25519"]}


def openssl(*words, **more):
    return subprocess.run(["openssl", *words], check=True, capture_output=True, **more).stdout


class Bench:
    def __init__(self, tool, folder, registry):
        self.tool, self.folder, self.registry, self.failed = tool, folder, registry, 0
        self.environment = {**os.environ, "CAISSON_CACHE": os.path.join(folder, "cache"), "HOME": folder,
                            "XDG_CONFIG_HOME": folder, "NO_COLOR": "1",
                            "CONTAINERS_REGISTRIES_CONF": os.path.join(folder, "registries.conf")}
        self.write("registries.conf", "")

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def key(self, name, kind):
        openssl("genpkey", *KINDS[kind], "-out", self.path(name + ".key"))
        openssl("pkey", "-in", self.path(name + ".key"), "-pubout", "-out", self.path(name + ".pub"))

    def sign(self, payload, key, kind):
        self.write("payload", payload)
        hashed = [] if kind == "ed25519" else ["-digest", "sha256"]
        raw = [] if kind != "ed25519" else ["-rawin"]
        return openssl("pkeyutl", "-sign", "-inkey", self.path(key + ".key"), "-in", self.path("payload"),
                       *(["-rawin", *hashed] if hashed else raw))

    def attach(self, repository, digest, key, kind, reference, tag=None, of=None):
        """A signature as `cosign sign` leaves it."""
        payload = json.dumps({"critical": {"identity": {"docker-reference": reference},
                                           "image": {"docker-manifest-digest": of or digest},
                                           "type": "cosign container image signature"}, "optional": None})
        signature = base64.b64encode(self.sign(payload, key, kind)).decode()
        layer = Blob(payload.encode(), SIMPLE, annotations={"dev.cosignproject.cosign/signature": signature})
        self.registry.push(repository, Image(None, [layer], {"rootfs": {"type": "layers", "diff_ids": []}}),
                           tag or digest.replace(":", "-") + ".sig")

    def policy(self, keys, identity):
        self.write("policy.json", json.dumps({
            "default": [{"type": "reject"}],
            "transports": {"docker": {self.registry.host: [
                {"type": "sigstoreSigned", "keyPaths": [key + ".pub" for key in keys], "signedIdentity": identity}]}}}))

    def lock(self, reference, *words):
        self.write("appliance.yaml", "apiVersion: caisson/v1\nname: test\ntrust: policy.json\npartitions:\n"
                                     f"  web: {{image: \"{reference}\", memory: 64MiB}}\n")
        return subprocess.run([self.tool, "lock", *words], cwd=self.folder, env=self.environment, capture_output=True,
                              text=True, check=False)

    def expect(self, what, reference, code, *words, said=""):
        result = self.lock(reference, *words)
        good = result.returncode == code and said in result.stderr + result.stdout
        print(("ok   " if good else "FAIL ") + what)
        if not good:
            self.failed += 1
            print(result.stdout, result.stderr)


def repository_of(bench, name):
    image = Images.single("1", [Images.layer({"bin/app": name.encode()})])
    bench.registry.push(name, image, "1")
    return image, f"{bench.registry.host}/{name}"


def by_openssl(bench):
    for kind in KINDS:
        image, reference = repository_of(bench, "web-" + kind)
        bench.key(kind, kind)
        bench.policy([kind], {"type": "matchRepository"})
        bench.expect(f"{kind}: no signature", f"docker://{reference}:1", 5, said="it has no signature")
        bench.attach("web-" + kind, image.digest, kind, kind, reference)
        bench.expect(f"{kind}: signed", f"docker://{reference}:1", 0)
        with open(bench.path("appliance.lock"), encoding="utf-8") as file:
            assert "signedBy" in json.load(file)["items"][0]
        bench.expect(f"{kind}: signed, now offline", f"docker://{reference}:1", 0, "--offline")
    bench.policy(["rsa"], {"type": "matchRepository"})
    image, reference = repository_of(bench, "web-p256")
    bench.expect("another key", f"docker://{reference}:1", 5, said="none of the policy's keys")
    bench.policy(["p256"], {"type": "exactRepository", "dockerRepository": reference + "x"})
    bench.expect("another identity", f"docker://{reference}:1", 5, said="is not what the policy asks for")
    bench.policy(["p256"], {"type": "matchExact"})
    bench.expect("a tag that the signature does not say", f"docker://{reference}:1", 5, said="identity")
    bench.policy(["rsa", "p256"], {"type": "matchRepository"})
    bench.expect("the second key", f"docker://{reference}:1", 0)
    # The tag moves to an image that nobody signed, and that one gets the other's signature.
    other = Images.single("1", [Images.layer({"bin/app": b"hostile"})])
    bench.registry.push("web-p256", other, "1")
    bench.expect("re-tagged", f"docker://{reference}:1", 5, said="it has no signature")
    bench.attach("web-p256", other.digest, "p256", "p256", reference, of=image.digest)
    bench.expect("swapped", f"docker://{reference}:1", 5, said="of another image")
    bench.expect("the first by its digest", f"docker://{reference}@{image.digest}", 0)
    huge = Blob(b"x" * (2 << 20), SIMPLE, annotations={"dev.cosignproject.cosign/signature": "AAAA"})
    bench.registry.push("web-p256", Image(None, [huge], {"rootfs": {"type": "layers", "diff_ids": []}}),
                        other.digest.replace(":", "-") + ".sig")
    bench.expect("a huge signature", f"docker://{reference}:1", 8, said="larger than 1 MiB")


def how_long(bench):
    """What a signature costs: a reference locked with and without a policy, the least of 15 each. Wall clock counts where no
    others wait for a CPU."""
    image, reference = repository_of(bench, "timed")
    bench.key("timed", "p256")
    bench.attach("timed", image.digest, "timed", "p256", reference)
    bench.policy(["timed"], {"type": "matchRepository"})
    least = {"": [9.0, 9.0], "trust: policy.json\n": [9.0, 9.0]}
    for _ in range(15):
        for trust in least:
            bench.write("timed.yaml", f"apiVersion: caisson/v1\nname: test\n{trust}partitions:\n"
                                      f"  web: {{image: \"docker://{reference}:1\", memory: 64MiB}}\n")
            shutil.rmtree(bench.path("cache"), ignore_errors=True)
            began = time.monotonic()
            process = subprocess.Popen([bench.tool, "lock", "timed.yaml"], cwd=bench.folder, env=bench.environment,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            assert status == 0
            this = (usage.ru_utime + usage.ru_stime, time.monotonic() - began)
            least[trust] = [min(pair) for pair in zip(least[trust], this)]
    (cpu, wall), (signed_cpu, signed_wall) = least.values()
    idle = os.getloadavg()[0] < (os.cpu_count() or 1)
    good = signed_cpu - cpu <= 0.020 and (signed_wall - wall <= 0.020 or not idle)
    print(f"{'ok  ' if good else 'FAIL'} verified in {(signed_cpu - cpu) * 1e3:.1f} ms of CPU and {(signed_wall - wall) * 1e3:.1f} ms beside a "
          f"pull of {wall * 1e3:.1f} ms, at most 20{'' if idle else ' (not idle: CPU alone counts)'}")
    bench.failed += 0 if good else 1


def by_cosign(bench, cosign):
    environment = {**bench.environment, "COSIGN_PASSWORD": ""}

    def run(*words):
        subprocess.run([cosign, *words], cwd=bench.folder, env=environment, check=True, capture_output=True)

    # Debian's cosign 2.5 takes in no RSA or ECDSA key of others ("unsupported public key type").
    for kind in ("p256", "ed25519"):
        image, reference = repository_of(bench, "cosign-" + kind)
        bench.key("c" + kind, kind)
        if kind == "p256":
            run("generate-key-pair", "--output-key-prefix", "i" + kind)
        else:
            run("import-key-pair", "--key", f"c{kind}.key", "--output-key-prefix", "i" + kind)
        bench.policy(["i" + kind], {"type": "matchRepository"})
        bench.expect(f"cosign, {kind}: not yet", f"docker://{reference}:1", 5, said="it has no signature")
        run("sign", "--key", f"i{kind}.key", "--tlog-upload=false", "--yes", "--allow-insecure-registry",
            f"{reference}@{image.digest}")
        bench.expect(f"cosign, {kind}: signed", f"docker://{reference}:1", 0)
        bench.policy(["p256"], {"type": "matchRepository"})
        bench.expect(f"cosign, {kind}: another key", f"docker://{reference}:1", 5, said="none of the policy's keys")
        # As a Sigstore bundle, under the referrers' tag.
        image, reference = repository_of(bench, "bundle-" + kind)
        bench.policy(["i" + kind], {"type": "matchRepository"})
        bench.write("nothing.json", "{}")
        attest = ["attest", "--key", f"i{kind}.key", "--predicate", "nothing.json", "--new-bundle-format", "--tlog-upload=false", "--yes",
                  "--allow-insecure-registry", f"{reference}@{image.digest}"]
        run(*attest, "--type", "custom")
        bench.expect(f"cosign, {kind}: a bundle that attests something else", f"docker://{reference}:1", 5, said="does not sign the image")
        run(*attest, "--type", "https://sigstore.dev/cosign/sign/v1")
        bench.expect(f"cosign, {kind}: a bundle", f"docker://{reference}:1", 0)
        bench.policy(["p256"], {"type": "matchRepository"})
        bench.expect(f"cosign, {kind}: a bundle by another key", f"docker://{reference}:1", 5, said="none of the policy's keys")


def main():
    tool = os.path.abspath(sys.argv[1])
    if shutil.which("docker-registry") is None:
        print("signed_test: there is no docker-registry")
        return 77
    with tempfile.TemporaryDirectory() as folder, Registry(folder) as registry:
        bench = Bench(tool, folder, registry)
        by_openssl(bench)
        how_long(bench)
        cosign = os.environ.get("CAISSON_COSIGN") or shutil.which("cosign")
        if cosign:
            by_cosign(bench, cosign)
        else:
            print("signed_test: there is no cosign: openssl's signatures alone were tried")
        return 1 if bench.failed else 0


if __name__ == "__main__":
    sys.exit(main())

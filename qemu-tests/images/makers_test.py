#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Images as buildah, podman and skopeo make them: each becomes a bundle, and all have the same tree.

usage: makers_test.py TOOL ROOT_LISTING PROGRAM

PROGRAM is static: the image's command. What is not installed is skipped and said; nothing of the three: exit 77. Nothing is run
in a container and nothing comes from a network; stores lie in a folder of their own.
"""
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

NAME = "localhost/busy:1"


class Makers:
    def __init__(self, work, program):
        self.work = work
        self.program = program
        self.storage = ["--root", work + "/store", "--runroot", work + "/run", "--storage-driver", "vfs"]
        self.policy = work + "/policy.json"
        with open(self.policy, "w", encoding="utf-8") as file:
            json.dump({"default": [{"type": "insecureAcceptAnything"}]}, file)
        os.environ.update(BUILDAH_ISOLATION="chroot", STORAGE_DRIVER="vfs", XDG_RUNTIME_DIR=work + "/runtime")
        os.mkdir(work + "/runtime")

    def do(self, *words):
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()

    def buildah(self):
        container = self.do("buildah", *self.storage, "from", "scratch")
        self.do("buildah", *self.storage, "copy", container, self.program, "/bin/program")
        os.makedirs(self.work + "/more/etc")
        with open(self.work + "/more/etc/text", "w", encoding="utf-8") as file:
            file.write("text\n")
        self.do("buildah", *self.storage, "copy", "--chown", "7:8", container, self.work + "/more", "/")
        self.do("buildah", *self.storage, "config", "--cmd", '["/bin/program"]', "--user", "1000:1000", container)
        for target, format_ in (("oci:%s/b-oci:latest", "oci"), ("docker-archive:%s/b-docker.tar:busy:1", "docker"),
                                ("oci-archive:%s/b-archive.tar", "oci")):
            target %= self.work
            self.do("buildah", *self.storage, "commit", "--signature-policy", self.policy, "--format", format_, container, target)
            yield "buildah " + target.split(":")[0], target
        self.do("buildah", *self.storage, "commit", "--signature-policy", self.policy, container, NAME)

    def podman(self):
        for kind in ("oci-archive", "docker-archive", "oci-dir"):
            place = f"{self.work}/p-{kind}"
            self.do("podman", *self.storage, "save", "--format", kind, "-o", place, NAME)
            yield "podman save " + kind, {"oci-dir": "oci"}.get(kind, kind) + ":" + place

    def skopeo(self):
        source = f"oci:{self.work}/b-oci:latest"
        copies = {"zstd": ["--dest-compress", "--dest-compress-format", "zstd"], "gzip": ["--dest-compress"],
                  "zstd:chunked": ["--dest-compress", "--dest-compress-format", "zstd:chunked"]}
        for name, how in copies.items():
            place = f"{self.work}/s-{name.replace(':', '-')}"
            # An OCI layout is compressed on the way only through dir: of version 2.
            self.do("skopeo", "--policy", self.policy, "copy", *how, source, f"dir:{place}.dir")
            self.do("skopeo", "--policy", self.policy, "copy", f"dir:{place}.dir", f"oci:{place}:latest")
            yield "skopeo " + name, f"oci:{place}:latest"
        place = f"{self.work}/s-docker.tar"
        self.do("skopeo", "--policy", self.policy, "copy", source, f"docker-archive:{place}:example.org/a/busy:2")
        yield "skopeo docker-archive with a name", f"docker-archive:{place}:example.org/a/busy:2"
        place = f"{self.work}/s-v2s2"
        self.do("skopeo", "--policy", self.policy, "copy", "--format", "v2s2", source, f"dir:{place}.dir")
        yield "skopeo v2s2, as a layout", layout_of_dir(place)


def layout_of_dir(place):
    """What skopeo's dir: holds, as a layout with the same documents: Docker's types, byte for byte."""
    blobs = place + "/blobs/sha256"
    os.makedirs(blobs)
    for name in os.listdir(place + ".dir"):
        if name == "version":
            continue
        with open(f"{place}.dir/{name}", "rb") as file:
            data = file.read()
        digest = hashlib.sha256(data).hexdigest()
        with open(f"{blobs}/{digest}", "wb") as file:
            file.write(data)
        if name == "manifest.json":
            entry = {"mediaType": json.loads(data)["mediaType"], "digest": "sha256:" + digest, "size": len(data)}
    with open(place + "/oci-layout", "w", encoding="utf-8") as file:
        file.write('{"imageLayoutVersion":"1.0.0"}')
    with open(place + "/index.json", "w", encoding="utf-8") as file:
        json.dump({"schemaVersion": 2, "manifests": [entry]}, file)
    return "oci:" + place


def tree(listing, reference, work):
    """Path, mode, owner, size and contents: times are the makers'."""
    made = subprocess.run([listing, reference, work + "/root.erofs"], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        return None, made.stderr.strip()
    fields = [line.split("\t") for line in made.stdout.splitlines()]
    return sorted((f[0], f[1], f[2], f[3], f[7], f[8]) for f in fields), ""


def bundle(tool, reference, work):
    with open(work + "/appliance.yaml", "w", encoding="utf-8") as file:
        file.write(f'apiVersion: caisson/v1\nname: made\npartitions:\n  one: {{image: "{reference}", memory: 16MiB}}\n')
    for words in (["check", work + "/appliance.yaml", "--format", "json"],
                  ["build", work + "/appliance.yaml", "-q", "--progress", "none", "-o", work + "/x.bundle"]):
        done = subprocess.run([tool, *words], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return f"{words[0]}: exit {done.returncode}: {done.stderr.strip()}"
        if words[0] == "check" and json.loads(done.stdout)["warnings"]:
            return f"check warns: {json.loads(done.stdout)['warnings']}"
    return ""


def main():
    tool, listing, program = sys.argv[1:]
    if os.geteuid() != 0 or not shutil.which("buildah"):
        print("skipped: needs root and buildah")
        return 77
    failed = 0
    with tempfile.TemporaryDirectory(prefix="caisson-makers-") as work:
        makers = Makers(work, program)
        expected = None
        for maker in ("buildah", "podman", "skopeo"):
            if not shutil.which(maker):
                print(f"skipped {maker}: not installed")
                continue
            for name, reference in getattr(makers, maker)():
                found, trouble = tree(listing, reference, work)
                expected = expected or found
                trouble = trouble or ("" if found == expected else f"another tree: {found} {expected}")
                trouble = trouble or bundle(tool, reference, work)
                print(("FAILED  " if trouble else "ok      ") + name + (f": {trouble}" if trouble else ""), flush=True)
                failed += bool(trouble)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

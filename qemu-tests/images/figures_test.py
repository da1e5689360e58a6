#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A large image on its way to a signed bundle: CPU, wall clock and memory, beside a floor program, umoci + mkfs.erofs, and skopeo.

usage: figures_test.py TOOL FLOOR_PROGRAM [--image LAYOUT] [--runs N]

Without --image (an OCI layout with gzip layers) one is made of Debian packages, about 150 MB packed; that needs root, mmdebstrap,
umoci and a network, else exit 77. The least of N runs counts. Limits: 1.15 times the floor's CPU, 64 MiB of memory; a build that changes
nothing 0.2 s, a check of what is known 50 ms, its SBOM 0.5 s (CPU); wall is held to 0.75 times the floor's CPU where two CPUs were idle. Then two images that
`image create` makes: 100,000 files of 250 bytes (0.5 s, 40 MiB of bundle) and a file of 1 GiB that is a hole (20 ms more than one of nothing).
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

LAYERS = {"base": "base-files,libc6,netbase,busybox-static",
          "jre": "base-files,libc6,netbase,busybox-static,bash,coreutils,openjdk-17-jre-headless",
          "node": "base-files,libc6,netbase,nodejs"}


def make_image(work):
    targets = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)", "Created-By: Packages"],
                             capture_output=True, text=True, check=True).stdout.split("\n")
    base, release = next(t.split()[:2] for t in targets if t.endswith(" main") and "-" not in t.split()[1])
    image = work + "/image"
    subprocess.run(["umoci", "init", "--layout", image], check=True)
    subprocess.run(["umoci", "new", "--image", image + ":latest"], check=True)
    for name, packages in LAYERS.items():
        subprocess.run(["mmdebstrap", "-q", "--mode=root", "--variant=extract", "--include=" + packages, "--skip=cleanup/reproducible",
                        "--aptopt=APT::Install-Recommends \"false\"", release, f"{work}/{name}.tar", f"deb {base} {release} main"], check=True)
        subprocess.run(["umoci", "raw", "add-layer", "--image", image + ":latest", f"{work}/{name}.tar"], check=True)
    subprocess.run(["umoci", "config", "--image", image + ":latest", "--config.entrypoint", "/usr/bin/node"], check=True)
    return image


def blobs_of(image):
    def document(digest):
        with open(f"{image}/blobs/sha256/{digest[7:]}", encoding="utf-8") as file:
            return json.load(file)
    with open(image + "/index.json", encoding="utf-8") as file:
        manifest = document(json.load(file)["manifests"][0]["digest"])
    return [f"{image}/blobs/sha256/{layer['digest'][7:]}" for layer in manifest["layers"]]


def fill_small(root):
    for folder in range(100):
        os.mkdir(f"{root}/{folder}")
        for number in range(1000):
            with open(f"{root}/{folder}/{number}", "wb") as file:
                file.write(f"{folder} {number}\n".encode().ljust(250, b"."))


def fill_packages(root):
    """What package managers keep of this system: no image has more."""
    for place in ("var/lib/dpkg/status", "var/lib/dpkg/info", "usr/share/doc", "usr/share/java", "usr/lib/python3", "usr/lib/node_modules"):
        if os.path.isdir("/" + place):
            shutil.copytree("/" + place, f"{root}/{place}", symlinks=True)
        elif os.path.exists("/" + place):
            os.makedirs(os.path.dirname(f"{root}/{place}"), exist_ok=True)
            shutil.copy("/" + place, f"{root}/{place}")


def fill_hole(root):
    with open(root + "/hole", "wb") as file:
        file.truncate(1 << 30)


class Figures:
    def __init__(self, work, runs):
        self.work = work
        self.runs = runs
        self.failed = False

    def take(self, name, words, before=None, env=None, runs=None):
        best = None
        for _ in range(runs or self.runs):
            if before:
                before()
            began = time.monotonic()
            with open(self.work + "/said", "wb") as said:
                process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env={**os.environ, **(env or {})})
                _, status, usage = os.wait4(process.pid, 0)
            wall = time.monotonic() - began
            if status != 0:
                with open(self.work + "/said", encoding="utf-8", errors="replace") as said:
                    print(f"FAILED  {name}: {said.read()[-500:]}")
                self.failed = True
                return None
            this = (usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)
            best = min(best or this, this)
        print(f"{name:34} {best[0]:7.3f} s CPU {best[1]:7.3f} s wall {best[2]:6.0f} MiB", flush=True)
        return best

    def expect(self, what, value, limit, unit):
        good = value <= limit
        print(("ok      " if good else "FAILED  ") + f"{what}: {value:.3f} {unit}, at most {limit:.3f}")
        self.failed |= not good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("floor")
    parser.add_argument("--image")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    if not options.image and (os.geteuid() != 0 or not shutil.which("mmdebstrap") or not shutil.which("umoci")):
        print("skipped: needs root, mmdebstrap and umoci, or --image")
        return 77
    with tempfile.TemporaryDirectory(prefix="caisson-figures-") as work:
        image = os.path.realpath(options.image or make_image(work))
        os.environ.update(HOME=work + "/home", XDG_CONFIG_HOME=work + "/config", SOURCE_DATE_EPOCH="0", CAISSON_CACHE=work + "/cache")
        with open(work + "/appliance.yaml", "w", encoding="utf-8") as file:
            file.write(f'apiVersion: caisson/v1\nname: big\npartitions:\n  one: {{image: "oci:{image}", memory: 64MiB}}\n')
        build = [options.tool, "build", work + "/appliance.yaml", "-q", "--progress", "none", "-o", work + "/x.bundle"]
        check = [options.tool, "check", work + "/appliance.yaml"]

        def clean():
            for name in ("cache", "unpacked", "copied"):
                shutil.rmtree(f"{work}/{name}", ignore_errors=True)
            for name in ("x.bundle", "x.elf", "floor", "y.erofs"):
                if os.path.exists(f"{work}/{name}"):
                    os.unlink(f"{work}/{name}")
        figures = Figures(work, options.runs)
        idle = os.getloadavg()[0] < 0.3 and (os.cpu_count() or 1) >= 2
        floor = figures.take("the floor", [options.floor, work + "/floor", *blobs_of(image)], clean)
        made = figures.take("build", build, clean)
        again = figures.take("build, nothing changed", build)
        known = figures.take("check of what is known", check)
        figures.take("build, its SHA-256 said", [word for word in build if word != "-q"], clean) # no limit: the floor does not hash it
        bill = figures.take("sbom", [options.tool, "sbom", work + "/x.bundle", "--as", "cyclonedx", "-o", work + "/x.cdx"])
        if None in (floor, made, again, known, bill):
            return 1
        figures.expect("build beside the floor, CPU", made[0] / floor[0], 1.15, "times")
        figures.expect("build's memory", made[2], 64, "MiB")
        figures.expect("a build that changes nothing", again[0], 0.2, "s")
        figures.expect("a check of what is known", known[0], 0.05, "s")
        figures.expect("the packages of a bundle", bill[0], 0.5, "s")
        if idle:
            figures.expect("build's wall clock beside the floor's CPU", made[1] / floor[0], 0.75, "times")
        else:
            print("wall clock is not held to its limit: this machine was not idle")
        made_of = {}
        for name, fill in (("nothing", lambda root: None), ("100,000 small files", fill_small), ("a hole of 1 GiB", fill_hole),
                           ("all packages of this system", fill_packages)):
            place = f"{work}/{len(made_of)}"
            os.makedirs(place + "/root")
            shutil.copy(shutil.which("busybox"), place + "/root/program")
            fill(place + "/root")
            subprocess.run([options.tool, "image", "create", "--from", place + "/root", "--entrypoint", "/program", f"oci:{place}/image",
                            "-q", "--progress", "none"], check=True)
            with open(place + "/appliance.yaml", "w", encoding="utf-8") as file:
                file.write(f'apiVersion: caisson/v1\nname: made\npartitions:\n  one: {{image: "oci:{place}/image", memory: 64MiB}}\n')
            output = place + "/x.bundle"
            made_of[name] = figures.take("build of " + name, [options.tool, "build", place + "/appliance.yaml", "-q", "--progress", "none",
                                                              "-o", output], clean)
            if name.startswith("100,000"):
                figures.expect("bundle of 100,000 small files", os.path.getsize(output) / (1 << 20), 40, "MiB")
        if None in made_of.values():
            return 1
        small, hole, _ = (made_of[name][0] for name in list(made_of)[1:])
        bill = figures.take("sbom of this system", [options.tool, "sbom", output, "--as", "cyclonedx", "-o", work + "/x.cdx"])
        figures.expect("the packages of this system", bill[0], 0.5, "s")
        figures.expect("a build of 100,000 small files", small, 0.5, "s")
        figures.expect("1 GiB of holes", hole - made_of["nothing"][0], 0.02, "s")
        if os.geteuid() == 0 and shutil.which("umoci"):
            figures.take("umoci unpack", ["umoci", "unpack", "--image", image + ":latest", work + "/unpacked"], clean, runs=1)
            if shutil.which("mkfs.erofs") and os.path.isdir(work + "/unpacked/rootfs"):
                figures.take("mkfs.erofs of that", ["mkfs.erofs", work + "/y.erofs", work + "/unpacked/rootfs"], runs=1)
        if shutil.which("skopeo"):
            figures.take("skopeo copy to another layout", ["skopeo", "--insecure-policy", "copy", "-q", f"oci:{image}:latest",
                                                           f"oci:{work}/copied:latest"], clean, runs=1)
        return 1 if figures.failed else 0


if __name__ == "__main__":
    sys.exit(main())

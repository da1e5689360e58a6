#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A bundle with this system's packages: its list, scan, diff, provenance, and the way through a registry.

usage: oracles_test.py TOOL
"""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "registry"))
from testbed import Registry  # noqa: E402


class Bench:
    def __init__(self, tool, folder):
        self.tool, self.folder, self.failed = tool, folder, 0
        self.environment = {**os.environ, "CAISSON_CACHE": os.path.join(folder, "cache"), "XDG_CONFIG_HOME": folder,
                            "SOURCE_DATE_EPOCH": "1700000000", "NO_COLOR": "1"}

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def run(self, *words, code=0):
        result = subprocess.run([self.tool, *words], cwd=self.folder, env=self.environment, capture_output=True, text=True,
                                check=False)
        self.check(f"exit {code} of {words[0]}", result.returncode == code, result.stdout[-2000:] + result.stderr[-2000:])
        return result.stdout

    def other(self, *words):
        return subprocess.run(words, cwd=self.folder, env=self.environment, capture_output=True, check=False).returncode

    def check(self, what, good, more=""):
        print(("ok   " if good else "FAIL ") + what)
        if not good:
            self.failed += 1
            print(more)

    def build(self, name, version):
        self.write("appliance.yaml", f"apiVersion: caisson/v1\nname: test\nversion: {version}\n"
                                     "signing: {key: release.key}\npartitions:\n"
                                     "  web: {image: \"oci:./image\", memory: 96MiB}\n")
        self.run("build", "--sbom", "-o", name + ".bundle", "--provenance", name + ".json")


def system_packages(root):
    """This system's dpkg database into a root; what dpkg-query says of it."""
    os.makedirs(os.path.join(root, "var/lib/dpkg"))
    os.makedirs(os.path.join(root, "etc"), exist_ok=True)
    shutil.copy("/var/lib/dpkg/status", os.path.join(root, "var/lib/dpkg/status"))
    shutil.copy("/etc/os-release", os.path.join(root, "etc/os-release"))
    said = subprocess.run(["dpkg-query", "--admindir", os.path.join(root, "var/lib/dpkg"), "-W", "-f",
                           "${db:Status-Status} ${Package} ${Version}\n"], check=True, capture_output=True, text=True).stdout
    return sorted({tuple(line.split()[1:]) for line in said.splitlines() if line.startswith("installed ")})


def through_a_registry(bench):
    """The bundle with what belongs to it as an artifact, and back; then from a registry that altered it."""
    with Registry(bench.folder) as registry:
        where = f"docker://{registry.host}/team/gateway"
        said = json.loads(bench.run("artifact", "push", "one.bundle", where + ":1.0", "--provenance", "one.json", "--format",
                                    "json"))
        bench.run("artifact", "push", "one.bundle", where + ":1.0", "--provenance", "one.json")
        os.makedirs(bench.path("back"))
        bench.run("artifact", "pull", f"{where}@{said['digest']}", "-o", "back")
        for name in ("one.bundle", "one.elf"):
            with open(bench.path(name), "rb") as one, open(bench.path("back", name), "rb") as two:
                bench.check(f"{name} through a registry", one.read() == two.read())
        index = ask(registry, "manifests/" + said["digest"].replace(":", "-"))
        bench.check("two referrers under the fallback tag, though pushed twice",
                    [entry["artifactType"] for entry in index["manifests"]] ==
                    ["application/vnd.cyclonedx+json", "application/vnd.in-toto+json"], str(index))
        referrer = ask(registry, "manifests/" + index["manifests"][0]["digest"])
        bench.check("the referrer names its subject", referrer["subject"]["digest"] == said["digest"], str(referrer))
        if shutil.which("skopeo"):
            copied = bench.other("skopeo", "--insecure-policy", "copy", "-q", "--src-tls-verify=false", "--preserve-digests",
                                 f"{where}@{said['digest']}", "oci:copied")
            with open(bench.path("copied", "blobs", "sha256", said["digest"][7:]), encoding="utf-8") as file:
                bench.check("skopeo copies it, digest and all", copied == 0 and "application/vnd.caisson" in file.read())
        manifest = ask(registry, "manifests/1.0")
        bench.check("the tag is the artifact", manifest["artifactType"] == "application/vnd.caisson.bundle.v2", str(manifest))
        digest = manifest["layers"][1]["digest"].removeprefix("sha256:")
        for blob in glob.glob(bench.path("registry-*", "data", "**", digest, "data"), recursive=True):
            with open(blob, "r+b") as file:
                file.write(b"hostile")
        shutil.rmtree(bench.path("cache"))
        bench.run("artifact", "pull", where + ":1.0", "-o", "back", code=5)


def ask(registry, path):
    connection = registry.connection()
    connection.request("GET", "/v2/team/gateway/" + path, headers={
        "Accept": "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"})
    return json.loads(connection.getresponse().read())


def advisory(package, version):
    with open("/etc/os-release", encoding="utf-8") as file:
        ecosystem = "Ubuntu" if "\nID=ubuntu\n" in "\n" + file.read() else "Debian"
    return json.dumps({"id": "TEST-1", "modified": "2023-11-01T00:00:00Z", "aliases": ["CVE-2023-1"], "affected": [
        {"package": {"ecosystem": ecosystem, "name": package}, "ranges": [
            {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"last_affected": version}]}]}]})


def vex(purl):
    return json.dumps({"@context": "https://openvex.dev/ns/v0.2.0", "statements": [
        {"vulnerability": {"name": "CVE-2023-1"}, "products": [{"@id": purl}], "status": "not_affected",
         "justification": "vulnerable_code_not_in_execute_path"}]})


def main():
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(os.path.abspath(sys.argv[1]), folder)
        expected = system_packages(bench.path("root"))
        bench.run("image", "create", "--from", "root", "--entrypoint", "/bin/hello", "oci:image")
        bench.run("keygen", "-o", "release")
        bench.build("one", "1.0")
        items = json.loads(bench.run("sbom", "one.bundle", "--format", "json"))["items"]
        bench.check(f"{len(expected)} packages", sorted({(item["name"], item["version"]) for item in items}) == expected)
        for form in ("spdx", "cyclonedx"):
            bench.run("sbom", "one.bundle", "--as", form, "-o", form + ".1")
            bench.run("sbom", "one.bundle", "--as", form, "-o", form + ".2")
            with open(bench.path(form + ".1"), "rb") as one, open(bench.path(form + ".2"), "rb") as two:
                bench.check(f"{form}, twice", one.read() == two.read())
        section = next(item for item in json.loads(bench.run("inspect", "one.bundle", "--format", "json"))["sections"]
                       if item["type"] == "sbom")
        with open(bench.path("one.bundle"), "rb") as whole, open(bench.path("cyclonedx.1"), "rb") as document:
            whole.seek(section["offset"])
            bench.check("the section is the document", whole.read(section["size"]) == document.read())
        bench.run("build", "--check", "--sbom", "-o", "one.bundle")
        bench.run("verify", "one.bundle", "--provenance", "one.json")
        shutil.copy(bench.path("one.json"), bench.path("first.json"))
        cosign = os.environ.get("CAISSON_COSIGN") or shutil.which("cosign")
        if cosign:
            words = [cosign, "verify-blob-attestation", "--key", "release.pub", "--signature", "one.json", "--type", "slsaprovenance1",
                     "--insecure-ignore-tlog=true"]
            bench.check("cosign: the provenance is of the bundle", bench.other(*words, "one.bundle") == 0)
            bench.check("cosign: and of nothing else", bench.other(*words, "appliance.yaml") != 0)
        bench.run("diff", "one.bundle", "one.bundle")
        name, version = next(package for package in expected if package[0] == "base-files")
        bench.write("db/TEST-1.json", advisory(name, version))
        bench.run("scan", "one.bundle", "--db", "db", "--sarif", "s.sarif", "--junit", "s.xml", code=1)
        purl = next(item["purl"] for item in items if item["name"] == name and item["kind"] == "deb")
        bench.write("vex.json", vex(purl))
        bench.run("scan", "one.bundle", "--db", "db", "--vex", "vex.json")
        bench.write("other/X-1.json", advisory(name, version).replace('"ecosystem": "', '"ecosystem": "Not'))
        said = json.loads(bench.run("scan", "one.bundle", "--db", "other", "--format", "json"))
        bench.check("what the database does not know is said", any("deb packages" in text for text in said["notKnown"]), str(said)[:500])
        if shutil.which("docker-registry"):
            through_a_registry(bench)
        # An update: one package less.
        with open(bench.path("root/var/lib/dpkg/status"), encoding="utf-8") as file:
            paragraphs = file.read().split("\n\n")
        bench.write("root/var/lib/dpkg/status",
                    "\n\n".join(text for text in paragraphs if not text.startswith(f"Package: {name}\n")))
        shutil.rmtree(bench.path("image"))
        bench.run("image", "create", "--from", "root", "--entrypoint", "/bin/hello", "oci:image")
        bench.build("two", "1.1")
        said = bench.run("diff", "one.bundle", "two.bundle", code=1)
        bench.check("diff names version and package", "version: 1.0 -> 1.1" in said and f"deb {name}: {version} -> -" in said, said)
        bench.run("verify", "two.bundle", "--provenance", "first.json", code=5)
        return 1 if bench.failed else 0


if __name__ == "__main__":
    sys.exit(main())

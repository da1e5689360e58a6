#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Nine images, each with packages of one kind: what `caisson sbom` finds beside what their own tools say, and the documents.

usage: images_test.py TOOL

Databases are made by the tools themselves (dpkg-query, rpmbuild and rpm, go, cargo auditable, npm, Python's importlib.metadata,
Debian's Maven repository). A tool that is not there leaves its image out, and that is said; apk-tools is in no Debian: that
database is written here, as its format is described. The documents are checked by documents_check.py, and made a second time
from a bundle that was built in another folder.
"""
import glob
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from documents_check import Schemas, wrong_spdx  # noqa: E402
from oracles_test import Bench, system_packages  # noqa: E402


def run(*words, **more):
    return subprocess.run(words, check=True, capture_output=True, text=True, **more).stdout


def write(root, name, text):
    path = os.path.join(root, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def installed(root, work):
    """This system's dpkg database."""
    return {"deb": system_packages(root)}


def distroless(root, work):
    """Each package's paragraph in a file of its own, as images without dpkg have them."""
    said = []
    for paragraph in run("dpkg-query", "-s", "base-files", "libc6", "zlib1g", "dpkg", "bash", "coreutils").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if re.match(r"[A-Z][\w-]*: ", line))
        if fields.get("Status", "").endswith(" installed"):
            said.append((fields["Package"], fields["Version"]))
            write(root, "var/lib/dpkg/status.d/" + fields["Package"], re.sub(r"(?m)^(Status|Conffiles):.*\n( .*\n)*", "", paragraph + "\n"))
            write(root, f"var/lib/dpkg/status.d/{fields['Package']}.md5sums", "0123456789abcdef0123456789abcdef  usr/share/doc/x\n")
    write(root, "etc/os-release", 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Distroless"\n')
    return {"deb": said}


def alpine(root, work):
    said = [("musl", "1.2.5-r9"), ("busybox", "1.37.0-r12"), (".build-deps", "20250101.000000"), ("libcrypto3", "3.3.3-r0")]
    write(root, "etc/os-release", 'ID=alpine\nVERSION_ID=3.21.3\nPRETTY_NAME="Alpine Linux v3.21"\n')
    write(root, "lib/apk/db/installed", "".join(
        f"C:Q1pSfxR3AmVpXKvBGMLLvoYAApSl0=\nP:{name}\nV:{version}\nA:x86_64\nS:411000\nI:667648\nT:a package\nU:https://alpinelinux.org\n"
        f"L:MIT AND GPL-2.0-only\no:{name}\nm:Somebody <somebody@alpinelinux.org>\nt:1739000000\nc:0123456789\nD:so:libc.musl-x86_64.so.1\n"
        f"p:cmd:{name}=1\nF:lib\nR:{name}.so\na:0:0:755\nZ:Q1pSfxR3AmVpXKvBGMLLvoYAApSl0=\n\n" for name, version in said))
    return {"apk": said}


SPEC = """Name: %s
Epoch: %d
Version: %s
Release: %s
Summary: a package
License: MIT AND Apache-2.0
BuildArch: noarch
%%description
A package.
%%files
"""


def fedora(root, work):
    if not shutil.which("rpmbuild"):
        return None
    database = os.path.join(root, "usr/lib/sysimage/rpm")
    os.makedirs(database)
    options = ["--define", f"_topdir {work}/rpm", "--dbpath", database]
    for name, epoch, version, release in (("alpha", 0, "1.0", "1.fc41"), ("beta-libs", 2, "3.2~rc1", "4.fc41"), ("gamma", 0, "7^git9", "2")):
        write(work, name + ".spec", SPEC % (name, epoch, version, release))
        run("rpmbuild", "-bb", "--define", f"_topdir {work}/rpm", os.path.join(work, name + ".spec"))
    run("rpm", *options, "--initdb")
    run("rpm", *options, "-i", "--justdb", "--nodeps", "--nosignature", *glob.glob(f"{work}/rpm/RPMS/noarch/*.rpm"))
    said = run("rpm", *options, "-qa", "--qf", "%{NAME} %{EPOCH}:%{VERSION}-%{RELEASE}\n").splitlines()
    for name in os.listdir(database):
        if name != "rpmdb.sqlite":
            os.remove(os.path.join(database, name))
    write(root, "etc/os-release", 'ID=fedora\nVERSION_ID=41\nPRETTY_NAME="Fedora Linux 41"\n')
    return {"rpm": [(line.split()[0], line.split()[1].removeprefix("(none):").removeprefix("0:")) for line in said]}


def go(root, work):
    """Two modules, one from a proxy that is a folder."""
    if not shutil.which("go"):
        return None
    proxy = os.path.join(work, "proxy", "example.test", "lib", "@v")
    os.makedirs(proxy)
    module = "module example.test/lib\n\ngo 1.19\n"
    for name, text in {"list": "v1.2.3\n", "v1.2.3.info": '{"Version":"v1.2.3","Time":"2024-01-01T00:00:00Z"}', "v1.2.3.mod": module}.items():
        write(proxy, name, text)
    with zipfile.ZipFile(os.path.join(proxy, "v1.2.3.zip"), "w") as archive:
        archive.writestr("example.test/lib@v1.2.3/go.mod", module)
        archive.writestr("example.test/lib@v1.2.3/lib.go", "package lib\n\nfunc Word() string { return \"hello\" }\n")
    write(work, "app/go.mod", "module example.test/hello\n\ngo 1.19\n\nrequire example.test/lib v1.2.3\n")
    write(work, "app/main.go", "package main\n\nimport \"example.test/lib\"\n\nfunc main() { println(lib.Word()) }\n")
    program = os.path.join(root, "bin", "hello")
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod -modcacherw", "GOTOOLCHAIN": "local", "GOPROXY": f"file://{work}/proxy",
                   "GONOSUMDB": "*", "GONOSUMCHECK": "1", "GOCACHE": work + "/go-cache", "GOPATH": work + "/go-path", "GOSUMDB": "off"}
    run("go", "build", "-o", program, ".", cwd=os.path.join(work, "app"), env=environment)
    lines = run("go", "version", "-m", program, env=environment).splitlines()
    modules = [line.split("\t") for line in lines[1:]]
    return {"golang": [("stdlib", lines[0].split(": go")[1].split()[0])] + [
        (words[2], words[3].replace("(devel)", "")) for words in modules if words[1] in ("mod", "dep")]}


def rust(root, work):
    auditable = os.environ.get("CAISSON_CARGO_AUDITABLE") or shutil.which("cargo-auditable")
    if not auditable or not shutil.which("cargo"):
        return None
    for name, more in {"app": 'middle = {path = "../middle"}\n', "middle": 'low = {path = "../low"}\n', "low": ""}.items():
        kind = "main.rs" if name == "app" else "lib.rs"
        write(work, f"{name}/Cargo.toml", f'[package]\nname = "{name}"\nversion = "1.{len(more)}.0"\nedition = "2021"\n\n[dependencies]\n{more}')
        write(work, f"{name}/src/{kind}", "fn main() { middle::f() }\n" if name == "app" else
              "pub fn f() { low::f() }\n" if name == "middle" else "pub fn f() { println!(\"hello\") }\n")
    run(auditable, "auditable", "build", "--offline", "--release", cwd=os.path.join(work, "app"))
    os.makedirs(os.path.join(root, "bin"))
    shutil.copy(os.path.join(work, "app/target/release/app"), os.path.join(root, "bin", "app"))
    said = run("cargo", "tree", "--offline", "--prefix", "none", "-e", "normal", cwd=os.path.join(work, "app")).splitlines()
    return {"cargo": sorted({(line.split()[0], line.split()[1].removeprefix("v")) for line in said})}


def python(root, work):
    packages = os.path.join(root, "usr/lib/python3/dist-packages")
    os.makedirs(packages)
    for place in sys.path:
        for info in glob.glob(os.path.join(place, "*.dist-info"))[:20]:
            if not os.path.exists(os.path.join(packages, os.path.basename(info))):
                shutil.copytree(info, os.path.join(packages, os.path.basename(info)), symlinks=True)
    return {"pypi": [(one.metadata["Name"], one.version) for one in importlib.metadata.distributions(path=[packages])]}


def node(root, work):
    """One package twice, in two versions, the other one's own below it."""
    if not shutil.which("npm"):
        return None
    os.makedirs(os.path.join(root, "srv"))

    def packed(name, version, needs):
        folder = f"{work}/{name.replace('/', '-')}-{version}"
        write(folder, "package.json", json.dumps({"name": name, "version": version, "license": "MIT", "dependencies": needs}))
        return "file:" + os.path.join(work, run("npm", "pack", "--silent", "--pack-destination", work, cwd=folder).split()[-1])

    old, new = packed("left", "0.9.0", {}), packed("left", "1.0.0", {})
    write(root, "srv/package.json", json.dumps({"name": "app", "version": "1.0.0", "dependencies": {
        "left": new, "@scope/right": packed("@scope/right", "2.0.0-rc.1", {"left": old})}}))
    run("npm", "install", "--offline", "--no-audit", "--no-fund", cwd=root + "/srv", env={**os.environ, "npm_config_cache": work + "/npm"})
    said = []

    def walk(tree):
        for name, one in tree.get("dependencies", {}).items():
            said.append((name, one["version"]))
            walk(one)

    walk(json.loads(run("npm", "ls", "--all", "--json", cwd=root + "/srv")))
    return {"npm": said}


def java(root, work):
    """Archives of Debian's Maven repository, whose paths say what they are; one inside an application."""
    said = []
    for artifact in ("org/apache/commons/commons-lang3", "commons-io/commons-io", "commons-cli/commons-cli"):
        for archive in glob.glob(f"/usr/share/maven-repo/{artifact}/[0-9]*/*.jar"):
            version = os.path.basename(os.path.dirname(archive))
            folder, name = artifact.rsplit("/", 1)
            said.append((folder.replace("/", ".") + ":" + name, version))
            os.makedirs(os.path.join(root, "opt"), exist_ok=True)
            if name == "commons-cli":
                with zipfile.ZipFile(os.path.join(root, "opt", "app.war"), "w") as war:
                    war.write(os.path.realpath(archive), "WEB-INF/lib/" + os.path.basename(archive))
            else:
                shutil.copy(os.path.realpath(archive), os.path.join(root, "opt", os.path.basename(archive)))
    return {"maven": said} if said else None


KINDS = {"debian": installed, "distroless": distroless, "alpine": alpine, "fedora": fedora, "go": go,
         "rust": rust, "python": python, "node": node, "java": java}


def build(bench, folder, names):
    """The bundle of all images, in that folder."""
    os.makedirs(bench.path(folder))
    for name in names:
        shutil.copytree(bench.path("images", name), bench.path(folder, name))
    bench.write(folder + "/appliance.yaml", "apiVersion: caisson/v1\nname: many\nversion: 1.0\npartitions:\n" + "".join(
        f"  {name}: {{image: \"oci:./{name}\", memory: 128MiB}}\n" for name in names))
    bench.run("build", folder + "/appliance.yaml", "--sbom", "-o", folder + "/many.bundle")


def main():
    schemas = Schemas()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(os.path.abspath(sys.argv[1]), folder)
        expected = {}
        for name, make in KINDS.items():
            root, work = bench.path("roots", name), bench.path("work", name)
            os.makedirs(root)
            os.makedirs(work)
            said = make(root, work)
            if said is None:
                print(f"left out: {name}: its tool is not here")
                continue
            expected[name] = said
            bench.write(f"roots/{name}/app", "#!/bin/true\n")
            os.chmod(bench.path("roots", name, "app"), 0o755)
            bench.run("image", "create", "--from", "roots/" + name, "--entrypoint", "/app", f"oci:images/{name}")
        build(bench, "one", expected)
        build(bench, "two", expected)
        items = json.loads(bench.run("sbom", "one/many.bundle", "--format", "json"))["items"]
        for name, kinds in expected.items():
            found = sorted({(item["kind"], item["name"], item["version"]) for item in items if item["partition"] == name})
            wanted = sorted({(kind, *one) for kind, packages in kinds.items() for one in packages})
            bench.check(f"{name}: {len(wanted)} packages", found == wanted and wanted,
                        f"only here {set(found) - set(wanted)}\nonly there {set(wanted) - set(found)}")
        for form in ("spdx", "cyclonedx", "cyclonedx-1.6") if schemas.all else ("spdx",):
            for partition in ([], *(["--partition", name] for name in expected)):
                one, two = (bench.run("sbom", place + "/many.bundle", "--as", form, *partition) for place in ("one", "two"))
                bench.check(f"{form} {' '.join(partition)}, elsewhere", one == two and one)
                document = json.loads(one)
                bad = wrong_spdx(document, schemas.licences) if form == "spdx" else schemas.cyclonedx(document)
                bench.check(f"{form} {' '.join(partition)}", not bad, "\n".join(map(str, bad[:20])))
                its = {item["purl"] for item in items if not partition or item["partition"] == partition[1]}
                purls = {ref["referenceLocator"] for one in document["packages"] for ref in one.get("externalRefs", [])} if form == "spdx" else {
                    one.get("purl") for one in document["components"]}
                bench.check(f"{form} {' '.join(partition)} has them all", its <= purls, str(its - purls)[:500])
        return 1 if bench.failed else 0


if __name__ == "__main__":
    sys.exit(main())

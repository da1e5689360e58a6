#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plans of the examples against docs/plan.schema.json, and the packaged sets against the examples.

usage: plan_schema_test.py CAISSON SOURCE-DIR KERNEL

The schema must hold for what the tool writes, and must know every field that it writes; so must the example of a plan that
expressions are checked against. KERNEL is any PVH ELF: examples whose images are not there are planned with it in place of them.
"""
import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "null": type(None)}


def wrong(value, schema, path):
    """What the schema has against it; also every field that it does not know."""
    if "const" in schema:
        return [] if value == schema["const"] else [f"{path}: {value!r} is not {schema['const']!r}"]
    if "enum" in schema:
        return [] if value in schema["enum"] else [f"{path}: {value!r} is none of {schema['enum']}"]
    kinds = schema.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    fits = [kind for kind in kinds if isinstance(value, TYPES[kind]) and not (kind == "integer" and isinstance(value, bool))]
    if kinds and not fits:
        return [f"{path}: {value!r} is no {' or '.join(kinds)}"]
    out = []
    if isinstance(value, dict) and "properties" in schema:
        known = schema["properties"]
        out += [f"{path}: '{name}' is missing" for name in schema.get("required", []) if name not in value]
        for name, one in value.items():
            out += wrong(one, known[name], f"{path}.{name}") if name in known else [f"{path}: the schema does not know '{name}'"]
    if isinstance(value, list) and "items" in schema:
        for number, one in enumerate(value):
            out += wrong(one, schema["items"], f"{path}[{number}]")
    if isinstance(value, int) and value < schema.get("minimum", value):
        out.append(f"{path}: {value} is less than {schema['minimum']}")
    return out


STATUS = "".join(f"Package: {name}\nStatus: {status} ok installed\nArchitecture: all\nVersion: 1\n\n"
                 for name, status in (("one", "install"), ("two", "hold"))) + (
                     "Package: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n")
SUMMARY = {"distribution": "debian:12", "packages": 2, "kinds": [{"kind": "deb", "packages": 2}], "licences": [],
           "notRead": [f"{name}: an ELF that points outside of itself" for name in ("bin/app", "usr/bin/app")]}

BAD_APPLIANCE = """apiVersion: caisson/v1
name: bad
policy:
- baseline
- restricted
- cis-docker
- name: caisson-hardening
  exceptions:
  - {rule: hardening-image-trust, owner: alice, reason: an image of the test's own, expires: 2099-01-01}
partitions:
  web:
    image: oci:./web
    memory: 96MiB
    user: "0:0"
    restart: always
    env: {DB_PASSWORD: x}
    security: {capabilities: {add: [SYS_ADMIN]}}
    tmpfs: [{path: /run, size: 60MiB}]
"""
ITS_RULES = {"baseline-capabilities", "restricted-escalation", "restricted-non-root", "restricted-seccomp", "restricted-capabilities",
             "cis-user", "cis-trusted-images", "cis-set-user-id", "cis-secrets", "cis-capabilities", "cis-read-only", "cis-restart",
             "cis-syscalls", "hardening-key", "hardening-security-version", "hardening-audit-key", "hardening-image-trust",
             "hardening-read-only", "hardening-programs", "hardening-secrets", "hardening-tmpfs"}


def fixes(work, caisson, bad):
    """A bad appliance fails exactly the rules that are meant; with what is printed it fails none."""
    def write(name, text):
        with open(os.path.join(work, name), "w", encoding="utf-8") as file:
            file.write(text)

    # The one that no manifest can fix is met elsewhere: cis-trusted-images needs a signature.
    unsigned = BAD_APPLIANCE.replace("- cis-docker\n", "- name: cis-docker\n  exceptions:\n  - {rule: cis-trusted-images, owner: "
                                     "alice, reason: an image of the test's own, expires: 2099-01-01}\n")
    write("bad.yaml", unsigned.replace("- baseline", "- {name: baseline, action: audit}").replace(
        "- restricted", "- {name: restricted, action: audit}").replace("- name: cis-docker", "- name: cis-docker\n  action: audit"))
    told = json.loads(caisson("check", "bad.yaml") or "{}").get("policy", {})
    found = {item["rule"] for item in told.get("items", [])}
    if found != ITS_RULES:
        bad.append(f"the bad appliance: not meant {sorted(found - ITS_RULES)}, not found {sorted(ITS_RULES - found)}")
    write("bad.yaml", unsigned)
    caisson("check", "bad.yaml", status=5)
    told = json.loads(caisson("policy", "fix", "bad.yaml", "-o", "fixed.yaml") or "{}")
    if "readOnly: true" not in told.get("patch", ""):
        bad.append(f"the patch: {told}")
    caisson("keygen", "-o", "release")
    caisson("keygen", "--purpose", "audit", "-o", "audit")
    told = json.loads(caisson("check", "fixed.yaml") or "{}").get("policy", {})
    left = {item["rule"] for item in told.get("items", [])} - {"hardening-image-trust", "cis-trusted-images"}
    if left or not told:
        bad.append(f"after the fixes: {sorted(left)} {told}")


def suite(name, cases):
    inside = "".join(f'<testcase classname="{name}" name="{one}"/>' for one in cases)
    return f'<testsuite name="{name}" tests="{len(cases)}">{inside}</testsuite>'


def evidence(work, caisson, bad):
    """The same inputs give the same archive; a result that is not there turns its control."""
    names = ["caisson.attack." + one for one in ("memory", "instructions", "dma", "hypercalls")]

    def results(name, *, without=None):
        all_of_it = "".join(suite(one, ["a", "b"]) for one in names)
        if without:
            all_of_it = all_of_it.replace(f'<testcase classname="{without}" name="b"/>', "")
        with open(os.path.join(work, name), "w", encoding="utf-8") as file:
            file.write(f"<testsuites>{all_of_it}</testsuites>")

    build = ["build", "fixed.yaml", "-o", "fixed.bundle", "--provenance", "fixed.provenance"]
    caisson(*build)
    results("attack.xml")
    words = ["evidence", "fixed.yaml", "--bundle", "fixed.bundle", "--junit", "attack.xml", "--provenance", "fixed.provenance", "-o"]
    caisson(*words, "one.zip", status=1)
    caisson(*words, "two.zip", status=1)
    with open(os.path.join(work, "one.zip"), "rb") as one, open(os.path.join(work, "two.zip"), "rb") as two:
        archive = one.read()
        if archive != two.read():
            bad.append("two runs give two archives")
    # Built and gathered again elsewhere: another folder and user's folder, another hour, another zone.
    day = {"SOURCE_DATE_EPOCH": str(int(time.time()) // 86400 * 86400)}
    caisson(*build, **day)
    caisson(*words, "here.zip", status=1, **day)
    with tempfile.TemporaryDirectory() as other:
        shutil.copytree(work, other, dirs_exist_ok=True, copy_function=shutil.copyfile)
        for name in ("one.zip", "here.zip", "fixed.bundle", "fixed.elf", "fixed.provenance"):
            os.remove(os.path.join(other, name))
        for name in ("release.key", "audit.key"):
            os.chmod(os.path.join(other, name), 0o600)
        there = {**day, "HOME": other, "XDG_CONFIG_HOME": other, "XDG_CACHE_HOME": other, "TZ": "Pacific/Kiritimati", "LC_ALL": "C"}
        caisson(*build, folder=other, **there)
        caisson(*words, "there.zip", status=1, folder=other, **there)
        with open(os.path.join(work, "here.zip"), "rb") as one, open(os.path.join(other, "there.zip"), "rb") as two:
            if one.read() != two.read():
                bad.append("elsewhere another archive")
    caisson(*build)
    verify = ["evidence", "--signer", "release.pub", "--verify"]
    if json.loads(caisson(*verify, "one.zip", "--bundle", "fixed.bundle") or "{}").get("key") is None:
        bad.append("no key is told")
    caisson("evidence", "--signer", "attack.xml", "--verify", "one.zip", status=5)
    caisson("keygen", "-o", "other")
    caisson("evidence", "--signer", "other.pub", "--verify", "one.zip", status=5)
    caisson(*verify, "one.zip", "--bundle", "other.bundle", status=6)
    caisson("build", "plain.yaml", "-o", "other.bundle")
    caisson(*verify, "one.zip", "--bundle", "other.bundle", status=5)
    with zipfile.ZipFile(os.path.join(work, "one.zip")) as whole:
        plan = whole.read("plan.json")
    lie = plan.replace(b'"name": "bad"', b'"name": "lie"', 1)
    sums = [zlib.crc32(text).to_bytes(4, "little") for text in (plan, lie)]
    forged = archive.replace(plan, lie).replace(*sums)
    for name, text in {"a file": forged, "a byte after it": archive + b"x", "a byte": archive[:700] + bytes([archive[700] ^ 1]) + archive[701:],
                       "half": archive[:len(archive) // 2]}.items():
        with open(os.path.join(work, "forged.zip"), "wb") as file:
            file.write(text)
        caisson(*verify, "forged.zip", status=5)
        if text == archive:
            bad.append(f"{name} is not changed")
    results("attack.xml", without="caisson.attack.dma")
    caisson(*words, "three.zip", status=1)

    def states(name):
        with zipfile.ZipFile(os.path.join(work, name)) as archive:
            if archive.testzip():
                bad.append(f"{name} is damaged")
            listed = json.loads(base64.b64decode(json.loads(archive.read("evidence.dsse.json"))["payload"]))
            for item in listed["files"]:
                if hashlib.sha256(archive.read(item["name"])).hexdigest() != item["sha256"]:
                    bad.append(f"{name}: {item['name']} is not what is listed")
            wanted = {"bundle.json", "plan.json", "controls.json", "controls.html", "controls.oscal.json", "sbom.cdx.json",
                      "sbom.spdx.json", "provenance.json", "tests/attack.xml"}
            if {item["name"] for item in listed["files"]} != wanted:
                bad.append(f"{name} holds {listed}")
            bad.extend(wrong_oscal(json.loads(archive.read("controls.oscal.json"))))
            return {item["id"]: item["state"] for item in json.loads(archive.read("controls.json"))["items"]}

    before, after = states("one.zip"), states("three.zip")
    turned = {name for name, state in before.items() if after[name] != state}
    if turned != {"cis-devices", "nist-host-files"} or after["cis-devices"] != "notMet" or before["cis-devices"] != "byDesign":
        bad.append(f"without one result of caisson.attack.dma these turned: {turned}")
    with open(os.path.join(work, "bomb.xml"), "w", encoding="utf-8") as file:
        file.write('<!DOCTYPE x [<!ENTITY a "aaaa">]><testsuites><testsuite name="&a;"/></testsuites>')
    caisson("report", "fixed.yaml", "--junit", "bomb.xml", status=4)


def wrong_oscal(document):
    """What OSCAL's metaschema (assessment-results 1.1.2) asks for, as far as this document uses it."""
    uuid = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[45][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
    token = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
    instant = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
    out = []

    def expect(holds, what):
        if not holds:
            out.append("OSCAL: " + what)

    expect(set(document) == {"assessment-results"}, "one member")
    results = document["assessment-results"]
    expect(set(results) == {"uuid", "metadata", "import-ap", "results"}, f"members {set(results)}")
    meta = results["metadata"]
    expect(set(meta) == {"title", "last-modified", "version", "oscal-version"} and instant.fullmatch(meta["last-modified"]), f"{meta}")
    uuids = [results["uuid"]]
    for result in results["results"]:
        expect({"uuid", "title", "description", "start", "reviewed-controls"} <= set(result) and instant.fullmatch(result["start"]), "result")
        selected = [one["control-id"] for selection in result["reviewed-controls"]["control-selections"]
                    for one in selection["include-controls"]]
        expect(selected and all(token.fullmatch(one) for one in selected) and len(selected) == len(set(selected)), "control-id")
        observed = {one["uuid"] for one in result["observations"]}
        uuids += [result["uuid"], *observed]
        for one in result["observations"]:
            expect(one["description"] and set(one["methods"]) <= {"EXAMINE", "INTERVIEW", "TEST"} and instant.fullmatch(one["collected"]),
                   f"observation {one}")
        for one in result["findings"]:
            uuids.append(one["uuid"])
            target = one["target"]
            expect(one["title"] and one["description"] and target["type"] in ("statement-id", "objective-id") and
                   target["target-id"] in selected and target["status"]["state"] in ("satisfied", "not-satisfied"), f"finding {one}")
            expect(all(link["observation-uuid"] in observed for link in one["related-observations"]), "its observation")
    expect(all(uuid.fullmatch(one) for one in uuids) and len(uuids) == len(set(uuids)), "uuids")
    return out


def main():
    tool, source, kernel = (os.path.abspath(path) for path in sys.argv[1:4])
    schema = json.load(open(os.path.join(source, "docs", "plan.schema.json"), encoding="utf-8"))
    example = json.load(open(os.path.join(source, "image-tools", "admission", "sets", "plan.json"), encoding="utf-8"))
    bad = wrong(example, schema, "the example")
    assert wrong({**example, "tpm": "perhaps"}, schema, "x") and wrong({**example, "more": 1}, schema, "x"), "finds nothing"
    with tempfile.TemporaryDirectory() as work:
        environment = {**os.environ, "HOME": work, "XDG_CONFIG_HOME": work, "XDG_CACHE_HOME": work, "CAISSON_CACHE": ""}

        def caisson(*words, status=0, folder=work, **more):
            done = subprocess.run([tool, "--format", "json", "-q", *words], cwd=folder, env={**environment, **more}, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
            if done.returncode != status:
                bad.append(f"caisson {' '.join(words)}: exit {done.returncode}, not {status}: {done.stderr}")
            return done.stdout

        os.makedirs(os.path.join(work, "root", "bin"))
        os.makedirs(os.path.join(work, "root", "usr", "bin"))
        for folder in ("bin", os.path.join("usr", "bin")):
            with open(os.path.join(work, "root", folder, "app"), "wb") as file:
                file.write(open(tool, "rb").read(1 << 16))
            os.chmod(os.path.join(work, "root", folder, "app"), 0o755)
        os.makedirs(os.path.join(work, "root", "var", "lib", "dpkg"))
        for name, text in {"etc/os-release": "ID=debian\nVERSION_ID=\"12\"\n", "var/lib/dpkg/status": STATUS}.items():
            os.makedirs(os.path.dirname(os.path.join(work, "root", name)), exist_ok=True)
            with open(os.path.join(work, "root", name), "w", encoding="utf-8") as file:
                file.write(text)
        caisson("image", "create", "--from", "root", "--entrypoint", "/bin/app", "--user", "1000:1000", "oci:web")
        head = "apiVersion: caisson/v1\nname: test\n"
        kernel_line = f"  own: {{kernel: {kernel}, memory: 64MiB}}\n"
        manifests = {
            "plain": head + "partitions:\n  web: {image: \"oci:./web\", memory: 96MiB}\n",
            "kernel": head + "partitions:\n" + kernel_line,
            "full": head + "securityVersion: 1\nmachine: {onPanic: reboot}\npartitions:\n" + kernel_line +
                    "  web:\n    image: oci:./web\n    memory: 96MiB\n    readOnly: true\n    tmpfs: [{path: /run, size: 1MiB}]\n"
                    "    security: {syscalls: default, noNewPrivileges: true, capabilities: {drop: [ALL]}, allowExec: [/bin/app]}\n"
                    "  db: {image: \"oci:./web\", memory: 96MiB}\n"
                    "network: {allow: [{from: web, to: db, ports: [5432/tcp]}]}\npolicy: [{name: caisson-hardening, action: audit}]\n",
        }
        for name, text in manifests.items():
            with open(os.path.join(work, name + ".yaml"), "w", encoding="utf-8") as file:
                file.write(text)
            out = caisson("plan", name + ".yaml")
            if out:
                bad += wrong(json.loads(out), schema, name)
                bad += [f"{name}: sbom of {item['name']} is {item['sbom']}" for item in json.loads(out)["items"]
                        if item["sbom"] != (SUMMARY if item["image"] else None)]
        # The same rules, met and not met.
        with open(os.path.join(work, "good.yaml"), "w", encoding="utf-8") as file:
            file.write(manifests["full"].replace("  db: {image: \"oci:./web\", memory: 96MiB}\n", "").replace(
                "network: {allow: [{from: web, to: db, ports: [5432/tcp]}]}\n", ""))
        caisson("check", "good.yaml", "--policy", "baseline", "--policy", "restricted")
        caisson("build", "plain.yaml", "--policy", "restricted", "-o", "never.bundle", status=5)
        if os.path.exists(os.path.join(work, "never.bundle")):
            bad.append("a plan that was refused was built")
        told = json.loads(caisson("check", "plain.yaml", "--policy", "restricted", status=5) or "{}")
        notes = " ".join(told.get("error", {}).get("notes", []))
        for rule in ("restricted-escalation", "restricted-seccomp", "restricted-capabilities"):
            if rule not in notes:
                bad.append(f"{rule} is not told: {told}")
        if "restricted-non-root" in notes:
            bad.append("user 1000 is told to be root")
        told = json.loads(caisson("report", "good.yaml", "-o", "page.html", status=1) or "{}")
        states = {item["id"]: item["state"] for item in told.get("items", [])}
        for rule, state in {"restricted-seccomp": "met", "design-host": "byDesign", "hardening-key": "notMet"}.items():
            if states.get(rule) != state:
                bad.append(f"report: {rule} is {states.get(rule)}, not {state}")
        page = open(os.path.join(work, "page.html"), encoding="utf-8").read() if told else ""
        for needless in ("<script", "http:", "https:", "src=", "url("):
            if needless in page:
                bad.append(f"the page has {needless}")
        if page.count("<tr>") != page.count("</tr>") or "<h1>Controls of test 0</h1>" not in page:
            bad.append("the page is not whole")
        fixes(work, caisson, bad)
        evidence(work, caisson, bad)
        cases = os.path.join(source, "image-tools", "admission", "sets", "restricted_cases.yaml")
        caisson("policy", "test", cases)
        for level in ("baseline", "restricted"):
            told = json.loads(caisson("policy", "test", os.path.join(source, "image-tools", "admission", "pods", level + "_pods.yaml")))
            if len(told["items"]) < 30:
                bad.append(f"{len(told['items'])} pods of the level {level}")
        with open(os.path.join(work, "bad_cases.yaml"), "w", encoding="utf-8") as file:
            file.write("kind: PolicyTest\npolicy: restricted\ncases:\n- {fails: [restricted-seccomp]}\n")
        caisson("policy", "test", "bad_cases.yaml", status=1)
    print("\n".join(bad) or "plans are as their schema says")
    return 1 if bad else 0


sys.exit(main())

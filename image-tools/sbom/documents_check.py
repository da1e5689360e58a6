# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a document: SPDX 2.3 by rules written from the specification (clauses 6 to 11, annexes D and F), CycloneDX
by the official schemas, which the npm package of the CycloneDX library holds. All are lists of sentences; empty: nothing.
"""
import json
import os
import re
import sys
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts"))
from npm_package import npm_package  # noqa: E402

VERSION = "10.3.0"
SHA256 = "9833bd949052eb18218dd64b13ad62d9246f7395eef01c66dad08fcbacf74f01"

NAMES = {"deb", "apk", "rpm", "golang", "cargo", "pypi", "npm", "maven", "oci"}
PURPOSES = {"APPLICATION", "FRAMEWORK", "LIBRARY", "CONTAINER", "OPERATING-SYSTEM", "DEVICE", "FIRMWARE", "SOURCE", "ARCHIVE",
            "FILE", "INSTALL", "OTHER"}
DIGITS = {"SHA1": 40, "SHA224": 56, "SHA256": 64, "SHA384": 96, "SHA512": 128, "MD5": 32}
TOP = {"spdxVersion", "dataLicense", "SPDXID", "name", "documentNamespace", "creationInfo", "packages", "relationships",
       "hasExtractedLicensingInfos", "files", "annotations", "comment", "externalDocumentRefs"}
PACKAGE = {"SPDXID", "name", "versionInfo", "supplier", "originator", "downloadLocation", "filesAnalyzed", "licenseConcluded",
           "licenseDeclared", "licenseComments", "copyrightText", "primaryPackagePurpose", "checksums", "externalRefs",
           "sourceInfo", "comment", "summary", "description", "homepage", "packageFileName", "attributionTexts"}
ACTOR = r"(Person|Organization): [^()<>\n]*[^()<>\s]( \([^()<>\s]+@[^()<>\s]+\))?"


class Schemas:
    """The official schemas; also the identifiers of SPDX's list, licences and exceptions. `all` is empty where they are not here."""

    def __init__(self):
        self.all, self.licences = {}, None
        package = npm_package("@cyclonedx/cyclonedx-library", VERSION, SHA256)
        if package is None:
            return
        with package as archive:
            for member in archive.getmembers():
                if member.name.endswith(".schema.json"):
                    schema = json.load(archive.extractfile(member))
                    self.all[os.path.basename(member.name)] = schema
        self.licences = set(self.all["spdx.SNAPSHOT.schema.json"]["enum"])

    def cyclonedx(self, document):
        import jsonschema
        warnings.simplefilter("ignore", DeprecationWarning)
        schema = self.all[f"bom-{document.get('specVersion')}.SNAPSHOT.schema.json"]
        store = {"http://cyclonedx.org/schema/" + name: one for name, one in self.all.items()}
        resolver = jsonschema.RefResolver(schema["$id"], schema, store={**store, schema["$id"]: schema})
        validator = jsonschema.Draft7Validator(schema, resolver=resolver, format_checker=jsonschema.FormatChecker())
        out = [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in validator.iter_errors(document)]
        # What a schema cannot say: references are unique, and name something.
        components = document.get("components", [])
        names = [one["bom-ref"] for one in [document["metadata"]["component"], *components]]
        out += [f"{name} twice" for name in set(names) if names.count(name) > 1] if len(set(names)) < len(names) else []
        known = set(names)
        for one in document["dependencies"]:
            out += [f"dependencies: there is no {name}" for name in [one["ref"], *one.get("dependsOn", [])] if name not in known]
        return out + [error for one in components for error in wrong_purl(one.get("purl"))]


def wrong_purl(text):
    """The package URL specification, as far as its types are used here."""
    if text is None:
        return []
    match = re.fullmatch(r"pkg:([a-z][a-z0-9.+-]*)/((?:[^/@?#]+/)*)([^/@?#]+)(?:@([^?#]+))?(?:\?([^#]+))?(?:#.+)?", text)
    if not match or match.group(1) not in NAMES:
        return [f"{text}: no package URL"]
    kind, folder, name, version, qualifiers = match.groups()
    out = []
    for part in (folder, name, version or "", qualifiers or ""):
        if not re.fullmatch(r"(?:[A-Za-z0-9.\-_~/&=:]|%[0-9A-F]{2})*", part):
            out.append(f"{text}: {part} is not encoded")
    plain = re.sub("%..", "", folder + name)
    if kind in ("deb", "apk", "pypi", "oci") and plain.lower() != plain:
        out.append(f"{text}: upper case")
    if kind == "pypi" and "_" in name:
        out.append(f"{text}: an underline")
    keys = [one.split("=")[0] for one in (qualifiers or "").split("&") if one]
    if keys != sorted(set(keys)) or any("=" not in one or one.endswith("=") for one in (qualifiers or "").split("&") if one):
        out.append(f"{text}: its qualifiers")
    if kind in ("deb", "rpm", "apk", "maven") and not folder:
        out.append(f"{text}: no namespace")
    return out


def licence_words(text):
    """The identifiers of a licence expression (annex D); None: it is none."""
    words = re.findall(r"[()]|[^\s()]+", text)
    at, out = 0, []

    def simple():
        nonlocal at
        if at < len(words) and words[at] == "(":
            at += 1
            good = either()
            if not good or at >= len(words) or words[at] != ")":
                return False
            at += 1
            return True
        if at >= len(words) or words[at] in ("AND", "OR", "WITH", ")"):
            return False
        out.append(words[at])
        at += 1
        if at < len(words) and words[at] == "WITH":
            if at + 1 >= len(words):
                return False
            out.append(words[at + 1])
            at += 2
        return True

    def either():
        nonlocal at
        good = simple()
        while good and at < len(words) and words[at] in ("AND", "OR"):
            at += 1
            good = simple()
        return good

    return out if either() and at == len(words) else None


def wrong_licence(text, licences, used):
    if text in ("NOASSERTION", "NONE"):
        return []
    words = licence_words(text)
    if words is None:
        return [f"{text!r} is no licence expression"]
    out = []
    for word in words:
        if re.fullmatch(r"LicenseRef-[A-Za-z0-9.-]+", word):
            used.add(word)
        elif licences and word.removesuffix("+") not in licences:
            out.append(f"{word} is not in SPDX's list")
    return out


def wrong_spdx(document, licences):
    out = [f"the document has {name}" for name in set(document) - TOP]

    def expect(holds, what):
        if not holds:
            out.append(what)

    created = document["creationInfo"]
    expect(document["spdxVersion"] == "SPDX-2.3", "6.1 version")
    expect(document["dataLicense"] == "CC0-1.0", "6.2 data licence")
    expect(document["SPDXID"] == "SPDXRef-DOCUMENT", "6.3 identifier")
    expect(document["name"] and "\n" not in document["name"], "6.4 name")
    expect(re.fullmatch(r"[a-z][a-z0-9+.-]*:[^\s#]+", document["documentNamespace"]), "6.5 namespace")
    expect(created["creators"] and all(re.fullmatch(r"Tool: \S.*|" + ACTOR, one) for one in created["creators"]), "6.8 creators")
    expect(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", created["created"]), "6.9 created")
    used, known = set(), ["SPDXRef-DOCUMENT"]
    for one in document["packages"]:
        name = one["SPDXID"]
        known.append(name)
        out += [f"{name} has {key}" for key in set(one) - PACKAGE]
        expect(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", name), f"7.2 identifier {name}")
        expect(one["name"] and "\n" not in one["name"], f"7.1 name of {name}")
        expect(one.get("versionInfo", "1") and "\n" not in one.get("versionInfo", ""), f"7.3 version of {name}")
        expect(re.fullmatch(ACTOR + "|NOASSERTION", one.get("supplier", "NOASSERTION")), f"7.5 supplier {one.get('supplier')!r}")
        expect(re.fullmatch(r"NOASSERTION|NONE|[a-z+]+:\S+", one["downloadLocation"]), f"7.7 location of {name}")
        expect(one.get("filesAnalyzed") is False, f"7.8 files of {name} are said to be analyzed")
        for check in one.get("checksums", []):
            expect(re.fullmatch("[0-9a-f]{%d}" % DIGITS.get(check["algorithm"], 0), check["checksumValue"]), f"7.10 {check}")
        for field in ("licenseConcluded", "licenseDeclared"):
            out += [f"{name}: {error}" for error in wrong_licence(one.get(field, "NOASSERTION"), licences, used)]
        for link in one.get("externalRefs", []):
            expect(link["referenceCategory"] == "PACKAGE-MANAGER" and link["referenceType"] == "purl", f"7.21 {link}")
            out += wrong_purl(link["referenceLocator"])
        expect(one.get("primaryPackagePurpose", "OTHER") in PURPOSES, f"7.24 purpose of {name}")
    expect(len(known) == len(set(known)), "7.2 an identifier twice")
    said = [one["licenseId"] for one in document.get("hasExtractedLicensingInfos", [])]
    expect(sorted(said) == sorted(used), f"10.1 licences said {sorted(set(said) ^ used)}")
    expect(all(one["extractedText"] for one in document.get("hasExtractedLicensingInfos", [])), "10.2 text")
    reached, links = {"SPDXRef-DOCUMENT"}, {}
    for one in document["relationships"]:
        expect(one["spdxElementId"] in known and one["relatedSpdxElement"] in known, f"11.1 {one}")
        expect(one["relationshipType"] in ("DESCRIBES", "CONTAINS"), f"11.1 type of {one}")
        expect((one["relationshipType"] == "DESCRIBES") == (one["spdxElementId"] == "SPDXRef-DOCUMENT"), f"11.1 {one}")
        links.setdefault(one["spdxElementId"], []).append(one["relatedSpdxElement"])
    todo = ["SPDXRef-DOCUMENT"]
    while todo:
        for other in links.get(todo.pop(), []):
            if other not in reached:
                reached.add(other)
                todo.append(other)
    expect(reached == set(known), f"not reached from the document: {sorted(set(known) - reached)[:5]}")
    return out

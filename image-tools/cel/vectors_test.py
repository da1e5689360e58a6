#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The official conformance vectors of CEL, as the npm package @bufbuild/cel-spec holds them.

usage: vectors_test.py CEL-VECTORS [--list]

The package is fetched by npm once, into the cache, and pinned by its SHA-256; without it and without npm or a network the
test is skipped (77). A section passes when it has at least the vectors of PASSING below; --list shows each that does not pass.
What is left out is left out by its reason: there are no protobuf messages in a plan, only JSON.
"""
import base64
import json
import math
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts"))
from npm_package import npm_package  # noqa: E402

VERSION = "0.6.1"
SHA256 = "37e4b203f5ca5192db73a6095d129fb5e58a262a89309ba32e1840e7a80270e1"
MEMBER = "package/dist/cjs/testdata/conformance.js"

# Whole sections that are not ours to pass.
LEFT_OUT = {
    "dynamic": "protobuf messages", "enums": "protobuf enumerations", "proto2": "protobuf messages",
    "proto2_ext": "protobuf messages", "proto3": "protobuf messages",
    "block_ext": "cel.block is written by compilers, not by people", "type_deductions": "what a checker deduces, not values",
}
# Of the rest the core of the language; the others are extensions.
CORE = ["basic", "comparisons", "conversions", "fields", "fp_math", "integer_math", "lists", "logic", "macros", "namespace",
        "parse", "plumbing", "string", "timestamps"]
MESSAGE = re.compile(r"TestAllTypes|GlobalEnum|google\.protobuf\.(?!Timestamp\b|Duration\b)\w+|NestedEnum")


def literal(text):
    """The object that a JavaScript file exports, as JSON: names quoted, quotes made double, last commas dropped."""
    start = text.rindex("exports.tests = ") + len("exports.tests = ")
    tokens = [token for token in re.findall(
        r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`(?:[^`\\]|\\.)*`|[A-Za-z_$][\w$]*|-?[\d.][\w.+-]*|\s+|//[^\n]*|.',
        text[start:].rstrip().rstrip(";"), re.S) if not token.isspace() and not token.startswith("//")]
    out = []
    for token, following in zip(tokens, tokens[1:] + [""]):
        if token[0] in "\"'`":
            out.append(json.dumps(string(token[1:-1])))
        elif following == ":" and re.match(r"[A-Za-z_$]", token):
            out.append(f'"{token}"')
        elif token != "," or following not in "}]":
            out.append(token)
    return json.loads("".join(out))


def string(body):
    simple = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "\n": ""}

    def one(match):
        escape = match.group(1)
        if escape[0] in "ux" and len(escape) > 1:
            return chr(int(escape[1:].strip("{}"), 16))
        return simple.get(escape, escape)

    text = re.sub(r"\\(u\{[0-9a-fA-F]+\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[\s\S])", one, body)
    return text.encode("utf-16", "surrogatepass").decode("utf-16")


def same(wanted, found):
    """Of two values in protobuf's JSON form; maps without their order."""
    if not isinstance(found, dict) or not isinstance(wanted, dict):
        return wanted == found
    if "doubleValue" in wanted:
        if "doubleValue" not in found:
            return False
        one, other = (float(str(value).replace("Infinity", "inf").replace("Inf", "inf").replace("+", ""))
                      for value in (wanted["doubleValue"], found["doubleValue"]))
        return one == other or (math.isnan(one) and math.isnan(other))
    if "bytesValue" in wanted:
        return base64.b64decode(wanted["bytesValue"]) == base64.b64decode(found.get("bytesValue", ""))
    if "listValue" in wanted:
        one, other = (value.get("listValue", {"values": None}).get("values", []) for value in (wanted, found))
        return other is not None and len(one) == len(other) and all(map(same, one, other))
    if "mapValue" in wanted:
        one, other = (value.get("mapValue", {"entries": None}).get("entries", []) for value in (wanted, found))
        return other is not None and len(one) == len(other) and all(
            any(same(entry["key"], its["key"]) and same(entry["value"], its["value"]) for its in other) for entry in one)
    return wanted == found


def judge(vector, answer):
    if "evalError" in vector:
        return "error" in answer or "problem" in answer
    return "value" in answer and same(vector.get("value", {"boolValue": True}), answer["value"])


def main():
    program, listing = sys.argv[1], "--list" in sys.argv[2:]
    package = npm_package("@bufbuild/cel-spec", VERSION, SHA256)
    if package is None:
        sys.exit(77)
    with package as archive:
        suites = literal(archive.extractfile(MEMBER).read().decode())["suites"]
    evaluator = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    total, passed, core_total, core_passed, bad = 0, 0, 0, 0, []
    for suite in suites:
        if suite["name"] in LEFT_OUT:
            print(f"{suite['name']:<18} left out: {LEFT_OUT[suite['name']]}")
            continue
        good = count = messages = 0
        for section in suite.get("suites", []):
            for test in section.get("tests", []):
                vector = test["original"]
                if MESSAGE.search(json.dumps(vector)) or vector.get("checkOnly"):
                    messages += 1
                    continue
                question = {"expr": vector["expr"], "container": vector.get("container", ""),
                            "bindings": {name: bound["value"] for name, bound in vector.get("bindings", {}).items()}}
                evaluator.stdin.write(json.dumps(question, ensure_ascii=False) + "\n")
                evaluator.stdin.flush()
                line = evaluator.stdout.readline()
                if not line:
                    sys.exit(f"{program} ended at: {question['expr']}")
                answer = json.loads(line)
                count += 1
                if judge(vector, answer):
                    good += 1
                else:
                    bad.append((suite["name"], section["name"], vector, answer))
        total, passed = total + count, passed + good
        if suite["name"] in CORE:
            core_total, core_passed = core_total + count, core_passed + good
        left = f"; {messages} left out: protobuf messages" if messages else ""
        print(f"{suite['name']:<18} {good:4} of {count:4}{left}")
    print(f"core {core_passed} of {core_total} ({100 * core_passed / core_total:.1f} %), all {passed} of {total} "
          f"({100 * passed / total:.1f} %)")
    if listing:
        for suite, section, vector, answer in bad:
            wanted = vector.get("evalError") and "an error" or vector.get("value")
            print(f"{suite}/{section}: {vector['expr']}\n    wanted {json.dumps(wanted)[:150]}\n    found  {json.dumps(answer)[:150]}")
    evaluator.stdin.close()
    evaluator.wait()
    if core_passed < 0.98 * core_total or evaluator.returncode != 0:
        sys.exit("less than 98 % of the core's vectors pass")


main()

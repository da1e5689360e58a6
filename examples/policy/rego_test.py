#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Rego examples before the example of a plan and two changed ones, by opa or conftest where there is one.

usage: rego_test.py SOURCE-DIR        ($CAISSON_OPA names an opa that is not in the PATH)

Without a runner the files are looked at: package, import, brackets, that every field they ask for stands in the plan's example.
"""
import copy
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile


def judged(runner, folder, plan):
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(plan, file)
        file.flush()
        if os.path.basename(runner) == "conftest":
            done = subprocess.run([runner, "test", "--policy", folder, "--output", "json", file.name], text=True,
                                  stdout=subprocess.PIPE, check=False)
            return {one["msg"] for result in json.loads(done.stdout) for one in result.get("failures", [])}
        done = subprocess.run([runner, "eval", "--data", folder, "--input", file.name, "--format", "json", "data.main.deny"],
                              text=True, stdout=subprocess.PIPE, check=True)
        return set(json.loads(done.stdout)["result"][0]["expressions"][0]["value"])


def looked_at(name, text, plan):
    """Without a runner: what is wrong with a file as far as it can be seen."""
    code = re.sub(r"#.*", "", text)
    bare = re.sub(r'"[^"]*"', '""', code)
    out = []
    if not code.lstrip().startswith("package main") or "import rego.v1" not in code:
        out.append(f"{name}: no package main, or no import rego.v1")
    stack = []
    for sign in re.findall(r"[][(){}]", bare):
        if sign in "([{":
            stack.append(sign)
        elif not stack or stack.pop() + sign not in ("()", "[]", "{}"):
            out.append(f"{name}: brackets")
            break
    if stack:
        out.append(f"{name}: a bracket is open")
    # From what is the variable, its fields: some X in input.A.B
    known = {"input": plan}
    for variable, path in re.findall(r"some (\w+) in (input[\w.]*)", code):
        value = plan
        for part in path.split(".")[1:]:
            value = value.get(part) if isinstance(value, dict) else None
        known[variable] = (value or [None])[0]
    for variable, field in re.findall(r"\b(\w+)\.(\w+)", bare):
        if isinstance(known.get(variable), dict) and field not in known[variable]:
            out.append(f"{name}: a plan has no {variable}.{field}")
    return out


def main():
    source = os.path.abspath(sys.argv[1])
    folder = os.path.join(source, "examples", "policy")
    with open(os.path.join(source, "image-tools", "admission", "sets", "plan.json"), encoding="utf-8") as file:
        plan = json.load(file)
    bad = []
    runner = os.environ.get("CAISSON_OPA") or shutil.which("opa") or shutil.which("conftest")
    names = sorted(name for name in os.listdir(folder) if name.endswith(".rego"))
    if len(names) != 3:
        bad.append(f"three examples: {names}")
    for name in names:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            bad += looked_at(name, file.read(), plan)
    assert looked_at("x", "package main\nimport rego.v1\nx if { input.nothing == 1 }", plan), "finds nothing"
    if runner:
        changed = copy.deepcopy(plan)
        web = changed["items"][0]
        web.update(user=0, readOnly=False)
        web["image"]["trust"] = None
        web["ports"][0]["outside"] = 80
        changed["network"]["rules"][0]["ports"] = []
        known = copy.deepcopy(plan)
        known["items"][0]["image"].update(trust=None, reference="docker://registry.example/team/web:1")
        for case, wanted in ((plan, set()), (known, set()), (changed, {
                "web runs as root", "web may write to its root", "web may talk to every port outside", "web publishes port 80",
                "web: oci:./web is neither signed nor from a registry that is known"})):
            found = judged(runner, folder, case)
            if found != wanted:
                bad.append(f"{os.path.basename(runner)}: {found}, not {wanted}")
    print("\n".join(bad) or (f"judged by {os.path.basename(runner)}" if runner else
                             "no opa and no conftest here: the files were only looked at"))
    return 1 if bad else 0


sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""Case files: reading them, and refusing keys that are not known, so that a typing error never weakens a test."""
import re
import tomllib

IMAGE = {"tree": str, "programs": list, "host": list, "host_trees": list, "busybox": list, "files": dict, "directories": dict,
         "packages": list, "isolated": bool, "compiled": dict,
         "links": dict, "entrypoint": list, "args": list, "env": dict, "working_dir": str, "user": str, "stop_signal": str}
COMPILED = {"package": str, "source": str, "run": list}
KNOWN = {
    "": {"description": str, "labels": list, "time_limit": int, "requires": list, "images": dict, "manifest": dict,
         "manifests": dict, "keys": list, "scale": int, "bundle": dict, "boot": dict, "expect": dict, "command": dict,
         "platforms": list},
    "manifest": {"text": str},
    "bundle": {"of": str, "approve": list, "approvals_of": str, "unsigned": bool, "flip": list, "truncate": int, "append": str},
    "boot": {"path": str, "cpu": str, "cpus": int, "memory": str, "icount": bool, "qemu": list, "elf": str,
             "module": str, "cmdline": str, "direct": str, "loader": str, "uplink": str, "unikernel": str, "weakness": str, "stage": str, "place": int,
             "monitor": list, "host": list, "screens": list, "models": dict, "serial_rate": int, "threads": bool, "lives": int, "graphics": bool, "stop_after": str, "stop_times": int},
    "expect": {"qemu_status": int, "log": list, "no_log": list, "kept": list, "text": list, "end": dict, "boot": dict, "audit": list,
               "no_audit": list, "partitions": dict, "command": dict, "lives": list},
    "command": {"run": list, "environment": dict},
    "expect.command": {"status": int, "stdout": str, "stderr": str, "stdout_contains": list, "stderr_contains": list,
                       "golden": str},
}
PARTITION_CHECKS = {"output": str, "errors": str, "contains": list, "lacks": list, "generations": int, "same_as_chroot": str, "same_as_init": str,
                    "outlives": str}
END_KEYS = ["status", "reason", "detail", "exits", "refusals", "dropped", "started", "first_output", "ended", "last"]
LABELS = {"quick", "full", "nightly", "boot", "isolation", "chroot", "trust", "grub", "cli", "figures", "abi"}
PATHS = {"pvh", "grub-bios", "grub-uefi", "efi", "img", "img-usb", "img-nvme", "iso"}
PLATFORMS = ["qemu-svm", "bochs-svm", "bochs-vmx"]


class CaseError(Exception):
    pass


def expect_keys(where, table, known):
    for key, value in table.items():
        if key not in known:
            raise CaseError(f"[{where or 'top'}]: '{key}' is not a key; known: {', '.join(sorted(known))}")
        if not isinstance(value, known[key]) or (known[key] is int and isinstance(value, bool)):
            raise CaseError(f"[{where or 'top'}]: '{key}' must be {known[key].__name__}")


def load(path):
    with open(path, "rb") as file:
        try:
            case = tomllib.load(file)
        except tomllib.TOMLDecodeError as error:
            raise CaseError(f"not TOML: {error}") from error
    expect_keys("", case, KNOWN[""])
    for section in ("manifest", "bundle", "boot", "expect", "command"):
        expect_keys(section, case.get(section, {}), KNOWN[section])
    for name, image in case.get("images", {}).items():
        expect_keys(f"images.{name}", image, IMAGE)
        for path, how in image.get("compiled", {}).items():
            expect_keys(f"images.{name}.compiled.'{path}'", how, COMPILED)
    for name, manifest in case.get("manifests", {}).items():
        expect_keys(f"manifests.{name}", manifest, KNOWN["manifest"])
    for step in case.get("boot", {}).get("monitor", []):
        expect_keys("boot.monitor", step, {"after": str, "command": str, "times": int})
        if not {"after", "command"} <= step.keys():
            raise CaseError("[[boot.monitor]]: a step has `after` and `command`")
    for step in case.get("boot", {}).get("screens", []):
        expect_keys("boot.screens", step, {"after": str, "golden": str, "vga": bool})
        if not {"after", "golden"} <= step.keys():
            raise CaseError("[[boot.screens]]: a step has `after` and `golden`")
    for step in case.get("boot", {}).get("host", []):
        expect_keys("boot.host", step, {"after": str, "times": int, "fetch": str, "contains": str, "bytes": int,
                                        "image": str, "run": list, "prints": list, "neighbour": str})
        if "neighbour" in step:
            if step.keys() != {"neighbour", "contains"}:
                raise CaseError("[[boot.host]]: a step with `neighbour` has `contains`, and nothing else")
            continue
        page, program = step.keys() & {"fetch", "contains", "bytes"}, step.keys() & {"image", "run", "prints"}
        if ("fetch" in page) == ("run" in program) or (page and program) or not ("fetch" in page or {"image", "prints"} <= program):
            raise CaseError("[[boot.host]]: a step has `fetch`, or `image`, `run` and `prints`")
        if "image" in step and step["image"] not in case.get("images", {}):
            raise CaseError(f"[[boot.host]]: there is no image '{step['image']}'")
    expect = case.get("expect", {})
    expect_keys("expect.command", expect.get("command", {}), KNOWN["expect.command"])
    lives = expect.get("lives", [])
    for life in lives:
        expect_keys("expect.lives", life, {key: kind for key, kind in KNOWN["expect"].items()
                                           if key in ("log", "no_log", "kept", "end", "boot", "audit", "no_audit", "partitions")})
    if len(lives) != case.get("boot", {}).get("lives", len(lives)) or (lives and expect.keys() - {"lives", "qemu_status"}):
        raise CaseError("[[expect.lives]]: as many as boot.lives, and nothing but `qemu_status` is expected beside them")
    for name, checks in [item for part in [expect, *lives] for item in part.get("partitions", {}).items()]:
        for key, value in checks.items():
            if key in END_KEYS:
                if not isinstance(value, (int, str)):
                    raise CaseError(f"[expect.partitions.{name}]: '{key}' must be a number or a comparison")
                continue
            expect_keys(f"expect.partitions.{name}", {key: value}, PARTITION_CHECKS)
    unknown = set(case.get("labels", [])) - LABELS
    if unknown:
        raise CaseError(f"labels: {', '.join(sorted(unknown))} not known; known: {', '.join(sorted(LABELS))}")
    if not set(case.get("platforms", PLATFORMS)) <= set(PLATFORMS):
        raise CaseError(f"platforms: known are {', '.join(PLATFORMS)}")
    if case.get("boot", {}).get("path", "pvh") not in PATHS:
        raise CaseError(f"[boot]: path must be one of {', '.join(sorted(PATHS))}")
    kinds = [kind for kind in ("manifest", "command") if kind in case] + (["elf"] if "elf" in case.get("boot", {}) else [])
    if not kinds or kinds == ["manifest", "elf"]:
        raise CaseError("a case has [manifest], or boot.elf, or [command]")
    if not expect:
        raise CaseError("a case without [expect] cannot fail")
    return case


def substitute(value, variables):
    """${name} in every string of a table."""
    if isinstance(value, str):
        def replace(match):
            if match.group(1) not in variables:
                raise CaseError(f"${{{match.group(1)}}} is not known; known: {', '.join(sorted(variables))}")
            return str(variables[match.group(1)])
        return re.sub(r"\$\{([a-z_]+)\}", replace, value)
    if isinstance(value, list):
        return [substitute(item, variables) for item in value]
    if isinstance(value, dict):
        return {key: substitute(item, variables) for key, item in value.items()}
    return value


def partition_names(manifest, expected=()):
    """The names below `partitions:` (two spaces in, as every case writes them); then the uplink, where the case expects one."""
    below = re.split(r"^partitions:[ ]*$", manifest, maxsplit=1, flags=re.MULTILINE)
    names = []
    for line in below[1].split("\n") if len(below) == 2 else []:
        if line and not line.startswith((" ", "#")):
            break
        match = re.match(r"  ([a-z0-9-]+):", line)
        if match:
            names.append(match.group(1))
    if not names:
        raise CaseError("the manifest has no block of partitions, written `partitions:` and `  NAME: {...}`")
    return names + ["uplink"] if "uplink" in expected else names


COMPARISON = re.compile(r"^(<=|>=|<|>|!=) *(-?\d+)$")


def holds(expected, actual):
    """expected: a value, or "<= 10" and the like; actual: a record's text."""
    match = COMPARISON.match(expected) if isinstance(expected, str) else None
    if not match:
        return str(expected) == actual
    try:
        number = int(actual, 0)
    except ValueError:
        return False
    bound = int(match.group(2))
    return {"<=": number <= bound, ">=": number >= bound, "<": number < bound, ">": number > bound,
            "!=": number != bound}[match.group(1)]

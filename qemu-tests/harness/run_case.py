#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs one boot-test case; see README.md beside this file. Status: 0 passed, 1 failed, 77 skipped with a reason."""
import argparse
import glob
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import time

import bochs
import case as cases
import check
import frames
import images
import machine
import patience
import place
import weak

FAILED, SKIPPED = 1, 77
DEFAULT_LIMIT = 60


def boot_on(platform, boot, kernel, module, time_limit, directory, source=None):
    """Boots what a case built on one platform, to the end or the limit."""
    if platform in bochs.MODELS:
        return bochs.run(platform, boot, kernel, module, time_limit, directory)
    return machine.run(machine.command_line(boot, kernel, module, directory), time_limit, directory, boot.get("monitor", []),
                       boot.get("serial_rate"), machine.stopper(boot), boot.get("host", []),
                       boot.get("screens", []), source)


def consoles_of(line, run):
    """{console: text} of a run: for people."""
    consoles = {"hv log": line.log(), "hv records": "\n".join(f"{r.type} {r.partition} {r.keys}" for r in line.records)}
    if line.noise:
        consoles["before the first frame"] = line.noise.decode("utf-8", "replace")
    consoles.update({name: line.output(name).decode("utf-8", "replace") for name in
                     sorted({line.name(f.partition) for f in line.frames if f.type in "or"})})
    if run.stderr:
        consoles["emulator"] = run.stderr.decode("utf-8", "replace")
    return consoles


class Case:
    def __init__(self, path, build, work, home=None):
        self.path = path
        self.name = os.path.splitext(os.path.basename(path))[0]
        self.case = cases.load(path)
        self.build = os.path.abspath(build)
        self.work = os.path.abspath(work)
        with open(os.path.join(self.build, "qemu-tests/built.json"), encoding="utf-8") as file:
            self.built = json.load(file)
        self.limit = self.case.get("time_limit", DEFAULT_LIMIT)
        self.programs = [os.path.join(self.build, "qemu-tests/programs"), os.path.join(self.build, "qemu-tests/bench")]
        self.chroot = {}
        shutil.rmtree(self.work, ignore_errors=True)
        home = home or os.path.join(self.work, "home")
        for directory in ("guests", "images", "roots", home):
            os.makedirs(os.path.join(self.work, directory), exist_ok=True)
        for folder in ("partitions/adversary", "qemu-tests/guests", "qemu-tests/bench"):
            for guest in glob.glob(os.path.join(self.build, folder, "*.elf")):
                os.symlink(guest, os.path.join(self.work, "guests", os.path.basename(guest)))
        self.variables = {"work": self.work, "guests": os.path.join(self.work, "guests"), "build": self.build,
                          "images": os.path.join(self.work, "images"), "source": self.built["source"],
                          "tool": self.built["tool"], "scale": str(self.case.get("scale", 1)), **{name: machine.free_port() for name in ("port", "other_port", "third_port")}}
        # Keys and caches of a person never get into a test, nor a test's into theirs.
        self.environment = {**os.environ, "HOME": home, "XDG_CONFIG_HOME": home + "/config", "XDG_CACHE_HOME": home + "/cache",
                            "XDG_DATA_HOME": home + "/data", "XDG_STATE_HOME": home + "/state"}
        self.environment.pop("CAISSON_CACHE", None)

    def rescale(self, scale):
        """More of what the case does, and as much more time for it."""
        self.limit = self.limit * max(1, scale // self.case.get("scale", 1))
        self.variables["scale"] = str(scale)

    def missing(self, platform):
        """Why this case cannot run here, or None."""
        if platform in bochs.MODELS and bochs.missing():
            return bochs.missing()
        for spec in self.case.get("images", {}).values():
            for package in spec.get("packages", []) + [how["package"] for how in spec.get("compiled", {}).values()]:
                if images.package_tree(package) is None:
                    return f"needs {package} unpacked into the cache (./caisson selftest does that; see packaging/packages.txt)"
            if any("run" in step for step in self.case.get("boot", {}).get("host", [])) and images.can_chroot() is None:
                return "needs root or user namespaces, for the programs that ask on the host"
            if spec.get("isolated") and os.geteuid() != 0:
                return "needs root, for a pid namespace with its own /proc and devices"
        for need in self.case.get("requires", []):
            if need == "root" and images.can_chroot() is None:
                return "needs root or user namespaces"
            if need == "grub" and not shutil.which("grub-mkrescue"):
                return "needs grub-mkrescue"
            if need == "ovmf" and machine.find_ovmf() is None:
                return "needs OVMF"
            if need.startswith("command:") and not shutil.which(need[8:]):
                return f"needs {need[8:]}"
            if need.startswith("file:") and not os.path.exists(need[5:]):
                return f"needs {need[5:]}"
            if need.startswith("program:") and not any(os.path.exists(os.path.join(d, need[8:])) for d in self.programs):
                return f"needs the test program {need[8:]} (its compiler is not installed)"
            if need.startswith("tree:") and not os.path.isdir(images.tree(need[5:])):
                return f"needs the Debian packages tree-{need[5:]} (packaging/packages.txt), which the root script unpacks where there is a network"
            if need not in ("root", "grub", "ovmf") and not need.startswith(("command:", "file:", "program:", "tree:")):
                raise cases.CaseError(f"requires: '{need}' is not known")
        return None

    def tool(self, arguments):
        run = patience.run([self.built["tool"], *arguments], self.limit + 60, env=self.environment, cwd=self.work)
        if run.returncode != 0:
            said = (run.stdout + run.stderr).decode("utf-8", "replace")
            raise cases.CaseError(f"caisson {' '.join(arguments)}: status {run.returncode}\n{said}")
        return run.stdout.decode("utf-8", "replace")

    def make_images(self):
        for name, spec in self.case.get("images", {}).items():
            root = os.path.join(self.work, "roots", name)
            images.make_root(spec, root, self.programs)
            self.tool(images.create_arguments(spec, root, os.path.join(self.work, "images", name)))
        wanted = self.case.get("expect", {}).get("partitions", {})
        for checks in wanted.values():
            for how, run in (("same_as_chroot", images.run_in_chroot), ("same_as_init", images.run_as_init)):
                name = checks.get(how)
                if name and name not in self.chroot:
                    self.chroot[name] = run(self.case["images"][name], os.path.join(self.work, "roots", name), self.limit)

    def write_manifest(self, name, text):
        path = os.path.join(self.work, f"{name}.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(cases.substitute(text, self.variables))
        return path

    def make_keys(self):
        for name in self.case.get("keys", []):
            self.tool(["keygen", "-o", os.path.join(self.work, name)])

    def build_bundle(self, name, text):
        """-> (loader ELF, bundle) of a manifest."""
        bundle = os.path.join(self.work, f"{name}.bundle")
        loader, media = os.path.join(self.work, f"{name}.elf"), []
        path = self.case.get("boot", {}).get("path")
        if path in machine.MEDIA:
            loader = os.path.join(self.work, f"{name}.{path[:3]}")
            media = ["-o", loader]
        self.tool(["build", self.write_manifest(name, text), "-o", bundle, *media])
        if not os.path.exists(loader):
            raise cases.CaseError(f"caisson build wrote no loader beside {bundle}")
        return loader, bundle

    def use_kernels(self, boot):
        """Has the tool take another of the built kernels than the product's, where the case says so."""
        if not {"loader", "uplink", "unikernel"} & boot.keys():
            return
        name, weakness, uplink = boot.get("loader", "product"), boot.get("weakness"), boot.get("uplink", "uplink")
        unikernel = boot.get("unikernel", "product")
        if name not in ("product", "control", "weak"):
            raise cases.CaseError(f"boot.loader: '{name}' is not known; known: control, weak")
        if uplink not in ("uplink", "mortal"):
            raise cases.CaseError(f"boot.uplink: '{uplink}' is not known; known: mortal")
        if unikernel not in ("product", "checked"):
            raise cases.CaseError(f"boot.unikernel: '{unikernel}' is not known; known: checked")
        if (name == "weak") != bool(weakness):
            raise cases.CaseError("boot.loader = \"weak\" and boot.weakness belong together")
        library = os.path.join(self.work, "library")
        os.makedirs(library)
        if name == "weak":
            weak.weakened(self.built, weakness, os.path.join(library, "caisson.elf"))
            self.environment["CAISSON_TEST_WEAK_LOADER"] = "1"
        else:
            os.symlink(self.built["loader" if name == "product" else name], os.path.join(library, "caisson.elf"))
        os.symlink(self.built["unikernel" if unikernel == "product" else "unikernel-checked"], os.path.join(library, "unikernel.elf"))
        os.symlink(self.built["unikernel-net"], os.path.join(library, "unikernel-net.elf"))
        os.symlink(self.built[uplink], os.path.join(library, "uplink.elf"))
        self.environment["CAISSON_LIB"] = library

    def approve(self, bundle, keys):
        for key in keys:
            with open(bundle, "rb") as file:
                said = file.read(0x48)[0x28:].hex()  # bundle_id, hypervisor/core/bundle/format.hpp
            self.tool(["approve", bundle, "--key", os.path.join(self.work, f"{key}.key"), "--id", said])

    @staticmethod
    def signatures(data):
        """The countersignatures of a bundle: where they are."""
        size = int.from_bytes(data[12:16], "little")
        return slice(size - 512, size - 128)

    def tamper(self, bundle, how):
        with open(bundle, "rb") as file:
            data = bytearray(file.read())
        if "approvals_of" in how:
            _, other = self.build_bundle(how["approvals_of"], self.case["manifests"][how["approvals_of"]]["text"])
            self.approve(other, how.get("approve", []))
            with open(other, "rb") as file:
                pasted = file.read()
            data[self.signatures(data)] = pasted[self.signatures(pasted)]
        for flip in how.get("flip", []):
            data[flip["at"]] ^= flip.get("xor", 1)
        if how.get("unsigned"):
            size = int.from_bytes(data[12:16], "little")  # header_size, hypervisor/core/bundle/format.hpp
            data[size - 64:size] = bytes(64)
        if "truncate" in how:
            del data[how["truncate"]:]
        data += bytes.fromhex(how.get("append", ""))
        tampered = bundle + ".tampered"
        with open(tampered, "wb") as file:
            file.write(data)
        return tampered

    @staticmethod
    def put_into(medium, good, tampered):
        """What `build` wrote for firmware, with another bundle of the same length in it."""
        with open(medium, "rb") as one, open(good, "rb") as two, open(tampered, "rb") as three:
            whole, old, new = one.read(), two.read(), three.read()
        if whole.count(old) != 1 or len(old) != len(new):
            raise cases.CaseError(f"{medium} does not hold the bundle in one piece, or it has another length now")
        with open(medium, "wb") as file:
            file.write(whole.replace(old, new))

    def staged(self, loader, bundle):
        """The one module of a guest that runs before the hypervisor: the bundle, then the loader, then where both are."""
        with open(bundle, "rb") as file:
            data = bytearray(file.read())
        size = len(data)
        data += bytes(-size % 4096)
        with open(loader, "rb") as file:
            image = file.read()
        trailer = struct.pack("<QQQQ", 0x4547415453534943, size, len(data), len(image))
        data += image + bytes(-(len(image) + len(trailer)) % 4096) + trailer
        path = os.path.join(self.work, "staged")
        with open(path, "wb") as file:
            file.write(data)
        return path

    def build_appliance(self):
        """-> (boot, kernel, module, names of the partitions): what the case boots."""
        boot = dict(cases.substitute(self.case.get("boot", {}), self.variables))
        if "elf" in boot:
            return boot, boot["elf"], boot.get("module"), []
        if "direct" in boot:
            module = os.path.join(self.work, "direct.module")
            manifest = self.write_manifest("main", self.case["manifest"]["text"])
            self.tool(["build", manifest, "--direct", boot["direct"], "-o", module])
            return boot, self.built["unikernel"], module, []
        self.use_kernels(boot)
        text = self.case["manifest"]["text"]
        kernel, module = self.build_bundle("main", text)
        found = re.search(r"machine:.*cpus: *(\d+)", text)
        boot.setdefault("cpus", int(found.group(1)) if found else 2)
        found = re.search(r"machine:.*memory: *(\d+)(MiB|GiB)", text)
        if found:
            boot.setdefault("memory", found.group(1) + found.group(2)[0])
        how = self.case.get("bundle", {})
        if "of" in how:
            _, module = self.build_bundle(how["of"], self.case["manifests"][how["of"]]["text"])
        if "approvals_of" not in how:
            self.approve(module, how.get("approve", []))
        if how.keys() - {"of", "approve"}:
            good, module = module, self.tamper(module, how)
            if boot.get("path") in machine.MEDIA:
                self.put_into(kernel, good, module)
        if "place" in boot:
            at_link, kernel = kernel, os.path.join(self.work, "placed.elf")
            place.placed(at_link, boot["place"], kernel)
        if "stage" in boot:
            kernel, module = boot["stage"], self.staged(kernel, module)
        return boot, kernel, module, cases.partition_names(text, self.case.get("expect", {}).get("partitions", {}))

    def check_machine(self, platform):
        boot, kernel, module, partitions = self.build_appliance()
        for step in boot.get("host", []):
            if "run" in step:
                step["command"] = images.chroot_command(self.case["images"][step["image"]], os.path.join(self.work, "roots", step["image"]), step["run"])
        for step in boot.get("screens", []):
            step["folder"] = os.path.join(os.path.dirname(self.path), "golden")
        run = boot_on(platform, boot, kernel, module, self.limit, self.work, self.variables["source"])
        expect = cases.substitute(self.case["expect"], self.variables)
        if boot.keys() & {"elf", "direct"}:
            text = run.serial.decode("utf-8", "replace")
            consoles = {"serial": text, "emulator": run.stderr.decode("utf-8", "replace")}
            return check.check_run(run, expect) + check.in_order("output", expect.get("text", []), text), consoles
        line = frames.Line(run.serial)
        complaints = check.check_run(run, expect) + check.check_machine(line, partitions, expect, self.chroot)
        return complaints, consoles_of(line, run)

    def check_command(self):
        """The tool as a user sees it."""
        boot = self.case.get("boot", {})
        self.use_kernels(boot)
        command = cases.substitute(self.case["command"], self.variables)
        if "manifest" in self.case:
            self.write_manifest("appliance", self.case["manifest"]["text"])
        environment = {**self.environment, **command.get("environment", {})}
        try:
            run = patience.run(command["run"], self.limit, env=environment, cwd=self.work)
        except subprocess.TimeoutExpired as late:
            return [f"the time limit of {self.limit} s passed"], {"stderr": (late.stderr or b"").decode("utf-8", "replace")}
        said = {"stdout": run.stdout.decode("utf-8", "replace"), "stderr": run.stderr.decode("utf-8", "replace")}
        expect = cases.substitute({k: v for k, v in self.case["expect"].get("command", {}).items()}, self.variables)
        complaints = []
        if run.returncode != expect.get("status", 0):
            complaints.append(f"status {run.returncode}, expected {expect.get('status', 0)}")
        for stream, text in said.items():
            if stream in expect and text != expect[stream]:
                complaints.append(f"{stream} is {text!r}, expected {expect[stream]!r}")
            complaints += check.in_order(stream, expect.get(stream + "_contains", []), text)
        if "golden" in expect:
            complaints += self.check_golden(expect["golden"], said, run.returncode)
        return complaints, said

    def check_golden(self, name, said, status):
        golden = os.path.join(os.path.dirname(self.path), "golden", name)
        now = f"--- stdout\n{said['stdout']}--- stderr\n{said['stderr']}--- status {status}\n"
        for variable in ("tool", "work", "source", "build"):
            now = now.replace(str(self.variables[variable]), f"${{{variable}}}")
        if os.environ.get("CAISSON_WRITE_GOLDEN"):
            with open(golden, "w", encoding="utf-8") as file:
                file.write(now)
            return []
        with open(golden, encoding="utf-8") as file:
            expected = file.read()
        return [] if now == expected else [f"the transcript differs from golden/{name}; it is now:\n{now}"]

    def run(self, platform):
        """-> (complaints, {console: text})"""
        self.make_images()
        self.make_keys()
        return self.check_command() if "command" in self.case else self.check_machine(platform)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case")
    parser.add_argument("--build", required=True, help="the build directory")
    parser.add_argument("--work", help="where files go (default: qemu-tests/work/NAME in the build directory)")
    parser.add_argument("--platform", choices=cases.PLATFORMS, default="qemu-svm")
    parser.add_argument("--scale", type=int, help="${scale}, and as often the case's time limit (default: what the case says, else 1)")
    parser.add_argument("--keep", action="store_true", help="keep them after success")
    parser.add_argument("-v", "--verbose", action="store_true", help="print the consoles also after success")
    options = parser.parse_args(arguments)
    name = os.path.splitext(os.path.basename(options.case))[0]
    work = options.work or os.path.join(options.build, "qemu-tests/work", name)
    started = time.monotonic()
    consoles = {}
    try:
        one = Case(os.path.abspath(options.case), options.build, work)
        if options.scale:
            one.rescale(options.scale)
        reason = one.missing(options.platform)
        if reason:
            print(f"skipped: {reason}")
            return SKIPPED
        complaints, consoles = one.run(options.platform)
    except (cases.CaseError, weak.WeaknessError, images.ImageError, machine.MachineError, subprocess.TimeoutExpired, OSError) as error:
        complaints = [str(error)]
    if complaints or options.verbose:
        for console, text in consoles.items():
            print(f"--- {console} (last 30 lines)")
            print("\n".join(text.replace("\x1b", "\\e").split("\n")[-31:]))
    for complaint in complaints:
        print(f"FAILED: {complaint}")
    if complaints:
        print(f"files: {work}")
        return FAILED
    if not options.keep:
        shutil.rmtree(work, ignore_errors=True)
    print(f"passed in {time.monotonic() - started:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())

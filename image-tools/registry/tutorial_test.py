#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/tutorial.md, line by line: what stands after each "$ " is run in an empty folder, and what it prints must be what the
page says.

usage: tutorial_test.py TOOL HELLO PAGE [--update]
HELLO is a static program, which becomes the image hello:1 in a registry of the test. What differs from run to run (ports,
digests, keys, sizes, seconds) is compared by its form.
"""
import difflib
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from testbed import Blob, Registry  # noqa: E402

PORT = "127.0.0.1:5000"  # as the page writes it


def normal(text):
    for pattern, form in ((r"sha256:[0-9a-f]{6,}", "sha256:DIGEST"), (r"25519:[0-9a-f]+", "25519:KEY"),
                          (r"bundle id [0-9a-f]+", "bundle id ID"), (r"[0-9.]+ ([KMG]iB|bytes)", "SIZE"),
                          (r"[0-9]+MiB", "SIZE"), (r" +[0-9.]+ s\b", " TIME"), (r"0x[0-9a-f]+", "0xN"),
                          (r"[0-9]+ (of|leaves|ms|us)\b", r"N \1"), (r"  +", "  ")):
        text = re.sub(pattern, form, text)
    return text


def on_terminal(arguments, **more):
    """Its status, and what a reader would see: standard output and error in their order."""
    master, slave = pty.openpty()
    process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=slave, stderr=slave, **more)
    os.close(slave)
    text = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # nobody has the other end any more
            part = b""
        if not part:
            break
        text += part
    os.close(master)
    return process.wait(), text.decode(errors="replace").replace("\r\n", "\n")


def layout_image(folder):
    """What `caisson image create` wrote, as something to push."""
    def blob(descriptor):
        with open(os.path.join(folder, "blobs", "sha256", descriptor["digest"].removeprefix("sha256:")), "rb") as file:
            return Blob(file.read(), descriptor["mediaType"])

    class Layout:
        tag = "1"
    with open(os.path.join(folder, "index.json"), encoding="utf-8") as file:
        Layout.manifest = blob(json.load(file)["manifests"][0])
    manifest = json.loads(Layout.manifest.data)
    Layout.config, Layout.layers = blob(manifest["config"]), [blob(layer) for layer in manifest["layers"]]
    return Layout


def blocks(page):
    """The page in pieces: text, and (command, what it printed)."""
    pieces, text, inside = [], [], False
    for line in page.split("\n"):
        if line.startswith("    $ "):
            pieces.append("\n".join(text + [""]) if text else "")
            text = []
            pieces.append([line[6:], []])
            inside = True
        elif inside and line.startswith("    "):
            pieces[-1][1].append(line[4:])
        else:
            inside = False
            text.append(line)
    pieces.append("\n".join(text))
    return pieces


def main(arguments):
    tool, hello, page_file = (os.path.abspath(name) for name in arguments[:3])
    if shutil.which("docker-registry") is None:
        print("skipped: needs docker-registry")
        return 77
    with open(page_file, encoding="utf-8") as file:
        page = file.read()
    failed = False
    out = []
    with tempfile.TemporaryDirectory(prefix="caisson-tutorial.") as work, Registry(work) as registry:
        bin_folder = os.path.join(work, "bin")
        os.makedirs(bin_folder)
        os.symlink(os.path.abspath(tool), os.path.join(bin_folder, "caisson"))
        library = os.environ.get("CAISSON_LIB")
        env = {"PATH": bin_folder + ":" + os.environ["PATH"], "HOME": work, "CAISSON_CACHE": os.path.join(work, "cache"),
               "XDG_CONFIG_HOME": os.path.join(work, "config"), "NO_COLOR": "1", "TERM": "dumb", "LC_ALL": "C.UTF-8",
               **({"CAISSON_LIB": library} if library else {}),
               **{name: os.environ[name] for name in ("CAISSON_QEMU", "TMPDIR") if name in os.environ}}
        root = os.path.join(work, "root", "bin")
        os.makedirs(root)
        shutil.copy(hello, os.path.join(root, "hello"))
        subprocess.run([tool, "image", "create", "--from", "root", "--entrypoint", "/bin/hello", "oci:layout"], cwd=work,
                       env=env, check=True, capture_output=True)
        registry.push("hello", layout_image(os.path.join(work, "layout")))
        folder = os.path.join(work, "empty")
        os.makedirs(folder)
        for piece in blocks(page):
            if isinstance(piece, str):
                out.append(piece)
                continue
            command, said = piece
            status, text = on_terminal(["sh", "-c", command.replace(PORT, registry.host)], cwd=folder, env=env)
            text = text.replace(registry.host, PORT).replace(work, "~")
            printed = [line.rstrip() for line in text.rstrip("\n").split("\n")]
            if status != 0:
                printed.append(f"(status {status})")
            out.append("".join(f"    {line}".rstrip() + "\n" for line in ["$ " + command, *printed]))
            want, got = [normal(line) for line in said], [normal(line) for line in printed]
            if want != got and "--update" not in arguments:
                failed = True
                print(f"$ {command}")
                print("\n".join(difflib.unified_diff(want, got, "the page", "the tool", lineterm="")))
    if "--update" in arguments:
        with open(page_file, "w", encoding="utf-8") as file:
            file.write("".join(out))
    print("the tutorial is what happens" if not failed else "the tutorial differs")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random stacks of layers: the root image must be the tree that umoci unpacks, path for path.

usage: stacks_test.py --tool ROOT_LISTING [--count N] [--seed S] [--keep DIR]

Compared: names, types, modes, owners, times, sizes, contents, link targets, devices, attributes, which names are one inode.
Every root passes fsck.erofs; where this kernel mounts EROFS (and we may), what it shows is compared too. Needs root for owners and
devices, else exits 77 (skipped); umoci and fsck.erofs.
"""
import argparse
import gzip
import hashlib
import io
import json
import os
import random
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile

EPOCH = 1700000000
OCI = "application/vnd.oci.image."


def run(*words, **options):
    return subprocess.run(words, capture_output=True, **options)


class Stack:
    """One image: what the layers below made is known well enough to link to it, replace it or take it away."""

    def __init__(self, rng):
        self.rng = rng
        self.kinds = {}  # path -> kind, after the layers so far
        self.described = set()  # paths whose time a layer says

    def name(self):
        return self.rng.choice(["a", "b", "c", "lib", "x" * 150, "ä", "with space", "-dash", "a.b"]) + self.rng.choice(["", "1", "2"])

    def parent(self):
        directories = [""] + [p for p, kind in self.kinds.items() if kind == "directory" and p.count("/") < 5]
        return self.rng.choice(directories)

    def forget(self, path):
        for known in [p for p in self.kinds if p == path or p.startswith(path + "/")]:
            del self.kinds[known]
            self.described.discard(known)

    def data(self):
        rng = self.rng
        size = rng.choice([0, 1, 7, 300, 4031, 4032, 4033, 4095, 4096, 4097, 9000, 70000])
        if rng.random() < 0.08:
            return b"\x7fELF" + bytes(size)
        if rng.random() < 0.08:
            return rng.randbytes(size) + bytes(rng.choice([65535, 65536, 200000])) + rng.randbytes(rng.choice([0, 5]))
        return rng.randbytes(size)

    def entry(self, path, kind):
        rng = self.rng
        info = tarfile.TarInfo(path)
        info.mode = rng.choice([0o644, 0o600, 0o755, 0o4755, 0o2711, 0o1777, 0])
        info.uid, info.gid = rng.choice([0, 1, 1000, 65535, 65536, 4000000000]), rng.choice([0, 5, 70000])
        info.mtime = rng.choice([EPOCH, EPOCH, EPOCH + 1, 0, 4102444800])
        data = b""
        info.type = {"file": tarfile.REGTYPE, "directory": tarfile.DIRTYPE, "symlink": tarfile.SYMTYPE,
                     "fifo": tarfile.FIFOTYPE, "device": tarfile.CHRTYPE}[kind]
        if kind == "file":
            data = self.data()
            if rng.random() < 0.15:
                info.pax_headers["SCHILY.xattr.security.capability"] = "\x01\0\0\x02\x02\0\0\0" + "\0" * 12
        if kind in ("file", "directory") and rng.random() < 0.1:
            info.pax_headers["SCHILY.xattr.trusted.note"] = "n" * rng.choice([1, 50, 900])
        if kind == "symlink":
            info.linkname = rng.choice(["target", "../a", "/b/c", "t" * 200])
        if kind == "device":
            info.devmajor, info.devminor = rng.choice([(1, 3), (5, 1)])
        info.size = len(data)
        return info, data

    def layer(self):
        rng, entries, touched = self.rng, [], set()
        for path in rng.sample(sorted(self.kinds), min(len(self.kinds), rng.randrange(4))):
            if path not in self.kinds:
                continue
            directory, _, name = path.rpartition("/")
            prefix = directory + "/" if directory else ""
            if self.kinds[path] == "directory" and rng.random() < 0.3:
                entries.append((tarfile.TarInfo(f"{path}/.wh..wh..opq"), b""))
                for below in [p for p in self.kinds if p.startswith(path + "/")]:
                    self.forget(below)
            else:
                entries.append((tarfile.TarInfo(f"{prefix}.wh.{name}"), b""))
                self.forget(path)
        for _ in range(rng.randrange(1, 14)):
            directory = self.parent()
            path = (directory + "/" if directory else "") + self.name()
            if any(path == t or t.startswith(path + "/") or path.startswith(t + "/") and self.kinds.get(t) != "directory"
                   for t in touched):
                continue
            links = [p for p, kind in self.kinds.items() if kind == "file" and p != path and not p.startswith(path + "/")]
            if links and rng.random() < 0.15:
                info = tarfile.TarInfo(path)
                info.type, info.linkname = tarfile.LNKTYPE, rng.choice(links)
                kind, data = "file", b""
            else:
                kind = rng.choice(["file"] * 6 + ["directory"] * 4 + ["symlink"] * 2 + ["fifo", "device"])
                info, data = self.entry(path, kind)
            if not (kind == "directory" and self.kinds.get(path) == "directory"):
                self.forget(path)
            self.kinds[path] = kind
            self.described.add(path)
            touched.add(path)
            entries.append((info, data))
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=rng.choice([tarfile.PAX_FORMAT, tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])) as tar:
            for info, data in entries:
                tar.addfile(info, io.BytesIO(data))
        return buffer.getvalue()


def layout(where, layers):
    os.makedirs(where + "/blobs/sha256")

    def blob(data, media):
        digest = hashlib.sha256(data).hexdigest()
        with open(f"{where}/blobs/sha256/{digest}", "wb") as out:
            out.write(data)
        return {"mediaType": media, "digest": "sha256:" + digest, "size": len(data)}

    config = {"created": "2023-11-14T22:13:20Z", "architecture": "amd64", "os": "linux", "config": {},
              "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(x).hexdigest() for x in layers]}}
    manifest = {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
                "config": blob(json.dumps(config).encode(), OCI + "config.v1+json"),
                "layers": [blob(gzip.compress(x, 1, mtime=0), OCI + "layer.v1.tar+gzip") for x in layers]}
    top = blob(json.dumps(manifest).encode(), OCI + "manifest.v1+json")
    top["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    with open(where + "/index.json", "w") as out:
        json.dump({"schemaVersion": 2, "manifests": [top]}, out)
    with open(where + "/oci-layout", "w") as out:
        out.write('{"imageLayoutVersion":"1.0.0"}')


def unescaped(text):
    out, at = bytearray(), 0
    while at < len(text):
        if text[at] == "%":
            out.append(int(text[at + 1:at + 3], 16))
            at += 3
        else:
            out += text[at].encode()
            at += 1
    return bytes(out)


def listed(text):
    """What root_listing printed: path -> properties."""
    tree = {}
    for line in text.splitlines():
        path, mode, uid, gid, mtime, links, number, size, what, *attributes = line.split("\t")
        mode = int(mode, 8)
        tree[unescaped(path)] = {
            "mode": oct(mode), "owner": (int(uid), int(gid)), "mtime": int(mtime), "inode": int(number),
            "links": None if stat.S_ISDIR(mode) else int(links), "size": int(size) if stat.S_ISREG(mode) else None,
            "what": unescaped(what) if stat.S_ISLNK(mode) else what if stat.S_ISREG(mode) else device(int(what)) if stat.S_ISCHR(mode) else None,
            "attributes": sorted(tuple(unescaped(x) for x in a.split("=")) for a in attributes)}
    return tree


def device(word):
    return (word >> 8 & 0xFFF, word & 0xFF | word >> 12 & 0xFFF00)


ATTRIBUTES = {b"security.capability": b"6:capability", b"trusted.note": b"4:note"}


def walked(top):
    """What lies on a file system: path -> properties."""
    tree = {}
    top = os.fsencode(top)
    for directory, directories, files in os.walk(top):
        for path in [directory] + [os.path.join(directory, x) for x in files + directories if x in files or os.path.islink(os.path.join(directory, x))]:
            s = os.lstat(path)
            what = None
            if stat.S_ISREG(s.st_mode):
                with open(path, "rb") as data:
                    what = hashlib.sha256(data.read()).hexdigest()
            elif stat.S_ISLNK(s.st_mode):
                what = os.readlink(path)
            elif stat.S_ISCHR(s.st_mode):
                what = (os.major(s.st_rdev), os.minor(s.st_rdev))
            names = [] if stat.S_ISLNK(s.st_mode) else [os.fsencode(n) for n in os.listxattr(path)]
            tree[os.path.relpath(path, top) if path != top else b""] = {
                "mode": oct(s.st_mode), "owner": (s.st_uid, s.st_gid), "mtime": int(s.st_mtime), "inode": s.st_ino,
                "links": None if stat.S_ISDIR(s.st_mode) else s.st_nlink,
                "size": s.st_size if stat.S_ISREG(s.st_mode) else None, "what": what,
                "attributes": sorted((ATTRIBUTES[n], os.getxattr(path, n)) for n in names if n in ATTRIBUTES)}
    return tree


def same_inodes(tree):
    groups = {}
    for path, node in tree.items():
        groups.setdefault(node["inode"], set()).add(path)
    return sorted(sorted(g) for g in groups.values() if len(g) > 1)


def differences(ours, theirs, timed):
    out = [f"only ours: {p}" for p in ours.keys() - theirs.keys()] + [f"only theirs: {p}" for p in theirs.keys() - ours.keys()]
    for path in ours.keys() & theirs.keys():
        for key in ("mode", "owner", "mtime", "links", "size", "what", "attributes"):
            if path == b"" or key == "mtime" and path not in timed:
                continue
            if ours[path][key] != theirs[path][key]:
                out.append(f"{path}: {key} is {ours[path][key]}, there {theirs[path][key]}")
    if same_inodes(ours) != same_inodes(theirs):
        out.append(f"hard links: {same_inodes(ours)}, there {same_inodes(theirs)}")
    return out


def one(tool, seed, work):
    """The differences of one stack; and whether the kernel could be asked."""
    stack = Stack(random.Random(seed))
    layers = [stack.layer() for _ in range(stack.rng.randrange(1, 6))]
    layout(work + "/layout", layers)
    made = run(tool, f"oci:{work}/layout:latest", work + "/root.erofs")
    if made.returncode != 0:
        return [f"refused: {made.stderr.decode()}"], False
    unpacked = run("umoci", "unpack", "--image", work + "/layout:latest", work + "/bundle")
    if unpacked.returncode != 0:
        return [f"umoci: {unpacked.stderr.decode()}"], False
    checked = run("fsck.erofs", work + "/root.erofs")
    out = [] if checked.returncode == 0 else [f"fsck.erofs: {checked.stdout.decode()}{checked.stderr.decode()}"]
    ours, timed = listed(made.stdout.decode()), {p.encode() for p in stack.described}
    out += differences(ours, walked(work + "/bundle/rootfs"), timed)
    os.mkdir(work + "/mounted")
    mounted = run("mount", "-t", "erofs", "-o", "loop,ro", work + "/root.erofs", work + "/mounted").returncode == 0
    if mounted:
        out += ["kernel: " + d for d in differences(ours, walked(work + "/mounted"), timed)]
        run("umount", work + "/mounted", check=True)
    return out, mounted


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tool", required=True)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep")
    options = parser.parse_args()
    if os.geteuid() != 0 or not shutil.which("umoci") or not shutil.which("fsck.erofs"):
        print("skipped: needs root, umoci and fsck.erofs")
        return 77
    bad = mounted = 0
    for seed in range(options.seed, options.seed + options.count):
        with tempfile.TemporaryDirectory(prefix="caisson-stack-") as work:
            found, by_kernel = one(options.tool, seed, work)
            mounted += by_kernel
            for line in found:
                print(f"stack {seed}: {line}")
            if found and options.keep:
                shutil.copytree(work + "/layout", f"{options.keep}/{seed}", dirs_exist_ok=True)
            bad += bool(found)
    kernel = f"{mounted} mounted by this kernel too" if mounted else "this kernel does not mount EROFS here"
    print(f"{options.count} stacks, {bad} differ from umoci; {kernel}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes OCI images that no ordinary tool will emit: every tar header is under control.

usage: make_oci.py OUTDIR [NAME-PREFIX]

edge-* are unusual but valid, bad-* are hostile or damaged. The result is deterministic: SOURCE_DATE_EPOCH
(default 1700000000) is the only time in it. Needs Python's standard library and the zstd program. BUSYBOX=FILE puts that
program into the images' /bin; otherwise a stand-in of a few bytes is used.
"""
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile

EPOCH = int(os.environ.get("SOURCE_DATE_EPOCH", "1700000000"))
OUT = sys.argv[1]
PREFIX = sys.argv[2] if len(sys.argv) > 2 else ""
OCI = "application/vnd.oci.image."


# --- tar entries -------------------------------------------------------------------------------------------------
def header(name, kind=tarfile.REGTYPE, mode=0o644, uid=0, gid=0, link="", device=(0, 0), pax=None, mtime=EPOCH):
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.uid, info.gid, info.linkname, info.mtime = kind, mode, uid, gid, link, mtime
    info.devmajor, info.devminor = device
    info.pax_headers = pax or {}
    return info, b""


def file(name, data=b"", **fields):
    return header(name, **fields)[0], data if isinstance(data, bytes) else data.encode()


def folder(name, mode=0o755, **fields):
    return header(name, tarfile.DIRTYPE, mode, **fields)


def symlink(name, to):
    return header(name, tarfile.SYMTYPE, 0o777, link=to)


def hard_link(name, to):
    return header(name, tarfile.LNKTYPE, link=to)


def whiteout(directory, name):
    return file(f"{directory}/.wh.{name}" if directory else f".wh.{name}")


def opaque(directory):
    return file(f"{directory}/.wh..wh..opq")


def layer(entries):
    buffer = io.BytesIO()
    tar = tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT)
    for info, data in entries:
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data) if data else None)
    tar.close()
    return buffer.getvalue()


# --- compression -------------------------------------------------------------------------------------------------
def parts(data, size=65536):
    return [data[at:at + size] for at in range(0, len(data), size)]


def zstd(data):
    return subprocess.run(["zstd", "-q", "-3", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout


def compress(data, kind):
    """Returns the blob and the suffix of its media type."""
    if kind == "none":
        return data, ""
    if kind == "gzip":
        return gzip.compress(data, 6, mtime=0), "+gzip"
    if kind == "gzip-multi":  # several members, as pigz and eStargz make
        return b"".join(gzip.compress(part, 6, mtime=0) for part in parts(data)), "+gzip"
    if kind == "zstd":
        return zstd(data), "+zstd"
    if kind == "zstd-chunked":  # several frames and a skippable one behind them
        skippable = b"\x50\x2a\x4d\x18" + (8).to_bytes(4, "little") + b"caisson!"
        return b"".join(zstd(part) for part in parts(data)) + skippable, "+zstd"
    raise ValueError(kind)


# --- layouts -----------------------------------------------------------------------------------------------------
class Layout:
    def __init__(self, name):
        self.folder = os.path.join(OUT, name)
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder + "/blobs/sha256")
        self.index = []
        with open(self.folder + "/oci-layout", "w") as out:
            out.write('{"imageLayoutVersion":"1.0.0"}')

    def blob_path(self, digest):
        return f"{self.folder}/blobs/sha256/{digest[7:]}"

    def put(self, media_type, data, **fields):
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        with open(self.blob_path(digest), "wb") as out:
            out.write(data)
        return {"mediaType": OCI + media_type, "digest": digest, "size": len(data), **fields}

    def read_json(self, descriptor):
        with open(self.blob_path(descriptor["digest"])) as blob:
            return json.load(blob)

    def image(self, layers, config=None, architecture="amd64", kinds=None, variant=None):
        descriptors, diff_ids = [], []
        for tar, kind in zip(layers, kinds or ["gzip"] * len(layers)):
            diff_ids.append("sha256:" + hashlib.sha256(tar).hexdigest())
            blob, suffix = compress(tar, kind)
            descriptors.append(self.put("layer.v1.tar" + suffix, blob))
        platform = {"architecture": architecture, "os": "linux"}
        if variant:
            platform["variant"] = variant
        document = {"created": "2023-11-14T22:13:20Z", **platform, "config": config or {},
                    "rootfs": {"type": "layers", "diff_ids": diff_ids},
                    "history": [{"created_by": "make_oci.py"} for _ in layers]}
        manifest = {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
                    "config": self.put("config.v1+json", json.dumps(document).encode()), "layers": descriptors}
        return self.put("manifest.v1+json", json.dumps(manifest).encode(), platform=platform)

    def tag(self, descriptor, tag="latest"):
        self.index.append({**descriptor, "annotations": {"org.opencontainers.image.ref.name": tag}})

    def nest(self, descriptors, tag="latest"):
        index = {"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": descriptors}
        self.tag(self.put("index.v1+json", json.dumps(index).encode()), tag)

    def done(self):
        with open(self.folder + "/index.json", "w") as out:
            json.dump({"schemaVersion": 2, "manifests": self.index}, out)


MAKERS = {}


def maker(name):
    def register(make):
        MAKERS[name] = make
        return make
    return register


def simple(name, layers, **fields):
    """layers: a function, so that only what is asked for is made."""
    def make():
        layout = Layout(name)
        layout.tag(layout.image(layers(), **fields))
        layout.done()
    MAKERS[name] = make


def busybox():
    program = b"#!/bin/sh\n"
    if "BUSYBOX" in os.environ:
        with open(os.environ["BUSYBOX"], "rb") as source:
            program = source.read()
    return layer([folder("bin"), file("bin/busybox", program, mode=0o755), hard_link("bin/sh", "bin/busybox"), folder("etc"),
                  file("etc/passwd", "root:x:0:0::/:/bin/sh\n")])


MIB = bytes(range(256)) * 4096

simple("busybox", lambda: [busybox()],
       config={"Entrypoint": ["/bin/busybox"], "Cmd": ["echo", "hello from caisson"], "Env": ["PATH=/bin"]})

# --- unusual, valid ----------------------------------------------------------------------------------------------
simple("edge-whiteout", lambda: [
    layer([folder("a"), file("a/keep", "1"), file("a/gone", "2"), folder("a/sub"), file("a/sub/x", "3"), folder("op"),
           file("op/old1"), file("op/old2"), folder("dirgone"), file("dirgone/y"), file("file2dir", "f"), folder("dir2file"),
           file("dir2file/z"), symlink("lnkdir", "a"), file("top")]),
    # The opaque marker comes after a sibling of its own layer, which must survive.
    layer([whiteout("a", "gone"), whiteout("a", "sub"), whiteout("", "dirgone"), whiteout("", "top"), folder("op"),
           file("op/new", "n"), opaque("op"), folder("file2dir"), file("file2dir/in", "x"), file("dir2file", "now a file"),
           whiteout("", "neverexisted")]),
    layer([folder("dirgone"), file("dirgone/reborn", "r"), file("a/gone", "again")])])

simple("edge-hardlink-cross-layer", lambda: [
    layer([folder("d"), file("d/orig", MIB, uid=1000, gid=1000, mode=0o640), hard_link("d/l1", "d/orig")]),
    layer([hard_link("d/l2", "d/orig"), file("d/l1", "replaced, orig must not change")]),
    layer([whiteout("d", "orig")])])

simple("edge-zstd", lambda: [busybox(), layer([file("z1", MIB)]), layer([file("z2", MIB)]), layer([file("g2", MIB)])],
       kinds=["gzip", "zstd", "zstd-chunked", "gzip-multi"])
simple("edge-uncompressed", lambda: [busybox()], kinds=["none"])

CAPABILITIES = "\x01\x00\x00\x02\x00\x04" + "\x00" * 14
simple("edge-meta", lambda: [layer([
    folder("tmp", mode=0o1777), file("suid", "s", mode=0o4755), file("sgid", "s", mode=0o2755),
    file("u1000", "u", uid=1000, gid=1000, mode=0o600), file("biguid", "u", uid=3000000, gid=4294967294), folder("dev"),
    header("dev/null", tarfile.CHRTYPE, 0o666, device=(1, 3)), header("dev/sda", tarfile.BLKTYPE, 0o660, device=(8, 0)),
    header("fifo", tarfile.FIFOTYPE), symlink("abs", "/etc/x"), symlink("dangling", "no/where"),
    file("caps", "x", mode=0o755, pax={"SCHILY.xattr.security.capability": CAPABILITIES}),
    file("uattr", "x", pax={"SCHILY.xattr.user.hello": "w\u00f6rld", "SCHILY.xattr.trusted.overlay.opaque": "y"}),
    file("n" * 255, "maxname"), file("/".join(["p" * 100] * 20), "deep"), file("uni-\u00e9\u4e2d\U0001f600", "u"),
    file("sp ace\tnl\n", "w"), file("epoch0", mtime=0), file("y2100", mtime=4102444800),
    file("nsec", pax={"mtime": "1700000000.123456789"}), file("./dotslash", "d"), file("/leadingslash", "d"),
    file("implicit/parent/f", "no dir entries"), file("empty")])])


def sparse_layer():
    """PAX 1.0: 1 GiB, two extents of data."""
    extents = [(0, b"A" * 4096), (1 << 29, b"B" * 4096), (1 << 30, b"")]
    table = f"{len(extents)}\n" + "".join(f"{offset}\n{len(data)}\n" for offset, data in extents)
    body = table.encode().ljust(512, b"\0") + b"".join(data for _, data in extents)
    return layer([file("GNUSparseFile.0/sparse", body, pax={
        "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "sparse", "GNU.sparse.realsize": str(1 << 30)})])


simple("edge-sparse", lambda: [sparse_layer()])
simple("edge-100k-small", lambda: [layer(
    [item for i in range(1000) for item in [folder(f"d{i}")] + [file(f"d{i}/f{j}", f"{i}.{j}\n") for j in range(100)]])])
simple("edge-many-layers", lambda: [layer([folder("l"), file(f"l/{i}", str(i)), file("l/last", str(i))]) for i in range(127)])
simple("edge-symlink-through", lambda: [layer([symlink("link", "/tmp")]),
                                        layer([file("link/evil", "must land inside the root: /tmp/evil of the image")])])


@maker("edge-multiarch")
def multiarch():
    layout = Layout("edge-multiarch")
    layout.nest([layout.image([layer([file("arch", name)])], architecture=name, variant=variant)
                 for name, variant in (("arm64", "v8"), ("amd64", None), ("arm", "v7"))])
    layout.done()


@maker("edge-two-tags")
def two_tags():
    layout = Layout("edge-two-tags")
    for number in "12":
        layout.tag(layout.image([layer([file("v", number)])]), "v" + number)
    layout.done()


@maker("edge-other-platform")
def other_platform():
    layout = Layout("edge-other-platform")
    layout.nest([layout.image([layer([file("arch", "arm64")])], architecture="arm64", variant="v8")])
    layout.done()


# --- hostile or damaged: each must be refused --------------------------------------------------------------------
simple("bad-dotdot", lambda: [layer([file("../../etc/evil", "x")])])
simple("bad-hardlink-missing", lambda: [layer([hard_link("h", "no/such/target")])])
simple("bad-hardlink-escape", lambda: [layer([hard_link("h", "../../../etc/passwd")])])
simple("bad-wh-dotdot", lambda: [layer([folder("a"), file("a/.wh...", "")])])
simple("bad-bomb", lambda: [layer([file("bomb", b"bomb" * (64 << 20))])])  # 256 MiB from 256 KiB
simple("edge-zeros", lambda: [layer([file("lastlog", b"\0" * (100 << 20)), file("end", b"e" + b"\0" * 200000 + b"x")])])


def damaged(name, damage):
    def make():
        layout = Layout(name)
        manifest = layout.image([busybox()])
        layout.tag(manifest)
        layout.done()
        damage(layout.blob_path(layout.read_json(manifest)["layers"][0]["digest"]))
    MAKERS[name] = make


def flip_a_bit(path):
    with open(path, "r+b") as blob:
        data = bytearray(blob.read())
        data[len(data) // 2] ^= 1
        blob.seek(0)
        blob.write(data)


damaged("bad-digest", flip_a_bit)
damaged("bad-truncated", lambda path: os.truncate(path, os.path.getsize(path) - 10))
damaged("bad-missing-blob", os.unlink)


@maker("bad-diffid")
def wrong_diff_id():
    layout = Layout("bad-diffid")
    manifest = layout.read_json(layout.image([busybox()]))
    config = layout.read_json(manifest["config"])
    config["rootfs"]["diff_ids"] = ["sha256:" + "0" * 64]
    manifest["config"] = layout.put("config.v1+json", json.dumps(config).encode())
    layout.tag(layout.put("manifest.v1+json", json.dumps(manifest).encode()))
    layout.done()


for image, make_image in MAKERS.items():
    if image.startswith(PREFIX):
        make_image()

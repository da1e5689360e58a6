#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Images from registries, as a whole: Debian's docker-registry on loopback, and between it and the tool a server
that does what registries, proxies and attackers do.

usage: registry_test.py TOOL [CASE]...
"""
import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import testbed  # noqa: E402
from testbed import Front, Images, Registry, TokenServer, sha256  # noqa: E402

TOOL = None
WORK = None
CASES = []


def case(function):
    CASES.append(function)
    return function


class Failed(Exception):
    pass


def expect(condition, what):
    if not condition:
        raise Failed(what)


class Run:
    """What the tool did."""

    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def fails(self, status, *texts):
        expect(self.status == status, f"status {self.status} instead of {status}\n{self.out}{self.err}")
        for text in texts:
            expect(text in self.err, f"'{text}' is not in:\n{self.err}")
        return self

    def works(self):
        expect(self.status == 0, f"status {self.status}\n{self.out}{self.err}")
        return self


class User:
    """A home with a cache of its own."""

    def __init__(self, name):
        self.home = os.path.join(WORK, name)
        os.makedirs(self.home, exist_ok=True)
        self.cache = os.path.join(self.home, "cache", "images")
        # The machine's own settings and the user's proxies do not matter here.
        self.env = {"HOME": self.home, "PATH": os.environ["PATH"], "CAISSON_CACHE": os.path.join(self.home, "cache"),
                    "XDG_CONFIG_HOME": os.path.join(self.home, "config"), "NO_COLOR": "1", "SOURCE_DATE_EPOCH": "0"}
        if "CAISSON_LIB" in os.environ:
            self.env["CAISSON_LIB"] = os.environ["CAISSON_LIB"]
        self.settings("")

    def write(self, name, text, mode=0o600):
        path = os.path.join(self.home, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def settings(self, text):
        self.env["CONTAINERS_REGISTRIES_CONF"] = self.write("registries.conf", text)

    def login(self, host, user, password):
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        self.write(".docker/config.json", json.dumps({"auths": {host: {"auth": pair}}}))

    def start(self, *arguments):
        return subprocess.Popen([TOOL, *arguments], env=self.env, cwd=self.home, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)

    def run(self, *arguments):
        process = self.start(*arguments)
        out, err = process.communicate(timeout=300)
        return Run(process.returncode, out, err)

    def pull(self, reference, *more):
        return self.run("image", "pull", reference, "--progress", "none", *more)

    def cached(self):
        folder = os.path.join(self.cache, "blobs", "sha256")
        return set(os.listdir(folder)) if os.path.isdir(folder) else set()

    def check_cache(self):
        """Every blob is what its name says; every name that is written has all its blobs."""
        for name in self.cached():
            with open(os.path.join(self.cache, "blobs", "sha256", name), "rb") as file:
                expect(sha256(file.read()) == "sha256:" + name, f"the blob {name} in the cache is something else")
        names = os.path.join(self.cache, "names")
        for name in os.listdir(names) if os.path.isdir(names) else []:
            with open(os.path.join(names, name), encoding="utf-8") as file:
                record = json.load(file)
            for blob in record["blobs"]:
                expect(blob["digest"].removeprefix("sha256:") in self.cached(), f"{record['reference']} lacks {blob}")

    def has(self, image):
        return {digest.removeprefix("sha256:") for digest in image.blobs()} <= self.cached()


# The images that most cases pull.
def small(tag="1"):
    return Images.single(tag, layers=[Images.layer({"bin/app": b"#!/bin/sh\necho " + tag.encode() + b"\n"})])


def large(tag="big", layers=3, size=600_000):
    return Images.single(tag, layers=[Images.layer({f"data{i}": Images.noise(size, f"{tag}{i}")}) for i in range(layers)])


@case
def by_tag_and_by_digest():
    with Registry(WORK) as registry:
        image = registry.push("demo/web", small())
        user = User("tag")
        user.env["http_proxy"] = user.env["https_proxy"] = "http://127.0.0.1:1"  # nobody listens; not for this machine
        done = user.pull(f"docker://{registry.host}/demo/web:1").works()
        expect(image.digest in done.out, done.out)
        expect(user.has(image), "blobs are missing")
        user.check_cache()
        # The same, by name alone and by digest; then nothing is left to bring.
        user.pull(f"{registry.host}/demo/web@{image.digest}").works()
        again = json.loads(user.pull(f"docker://{registry.host}/demo/web:1", "--format", "json").works().out)
        expect(again["items"][0]["fetched"] < 2000, f"pulled again: {again}")
        listed = user.run("image", "ls").works().out
        expect(f"{registry.host}/demo/web:1" in listed and "@sha256:" in listed, listed)
        user.pull(f"docker://{registry.host}/demo/web:none").fails(4, "E0403", "MANIFEST_UNKNOWN")
        user.pull(f"docker://{registry.host}/demo/none:1").fails(4, "E0403")  # docker-registry does not tell the two apart
        wrong = sha256(b"nothing")
        user.pull(f"docker://{registry.host}/demo/web@{wrong}").fails(4, "E0403")
        # A tag that moves: what was pulled stays, until it is asked again.
        other = registry.push("demo/web", small("2"), tag="1")
        seen = json.loads(user.run("image", "inspect", f"docker://{registry.host}/demo/web:1", "--format", "json").works().out)
        expect(seen["digest"] == image.digest, "a pulled tag changed by itself")
        user.pull(f"docker://{registry.host}/demo/web:1").works()
        seen = json.loads(user.run("image", "inspect", f"docker://{registry.host}/demo/web:1", "--format", "json").works().out)
        expect(seen["digest"] == other.digest, "pull did not ask again")


@case
def no_network():
    with Registry(WORK) as registry:
        registry.push("demo/web", small())
        user = User("offline")
        name = f"docker://{registry.host}/demo/web:1"
        user.run("image", "inspect", "--offline", name).fails(6, "E0607", "image pull")
        user.pull(name).works()
    # The registry is gone.
    user.run("image", "inspect", name).works()
    user.run("image", "inspect", "--offline", name).works()
    user.pull(name, "--offline").works()
    user.pull(name).fails(6, "E0604", "cannot be reached")
    # One layer is lost: only then it matters.
    blobs = os.path.join(user.cache, "blobs", "sha256")
    os.unlink(max((os.path.join(blobs, name) for name in os.listdir(blobs)), key=os.path.getsize))
    user.run("image", "inspect", "--offline", name).fails(6, "E0607")


@case
def platforms():
    with Registry(WORK) as registry:
        amd, arm = small("amd"), small("arm")
        arm.set_platform("linux", "arm64", "v8")
        index = registry.push_index("demo/multi", "1", [amd, arm], attestation=True)
        user = User("platforms")
        done = json.loads(user.pull(f"docker://{registry.host}/demo/multi:1", "--format", "json").works().out)["items"][0]
        expect(done["digest"] == index and done["manifest"] == amd.digest, done)
        expect(not user.has(arm), "the other platform was brought too")
        done = json.loads(user.pull(f"docker://{registry.host}/demo/multi:1", "--platform", "linux/arm64", "--format",
                                    "json").works().out)["items"][0]
        expect(done["digest"] == index and done["manifest"] == arm.digest, done)
        expect(len(user.run("image", "ls").works().out.splitlines()) == 2, "both platforms are listed")
        user.pull(f"docker://{registry.host}/demo/multi:1", "--platform", "linux/s390x").fails(4, "E0404", "linux/arm64/v8")
        # A manifest of the index by its own digest.
        user.pull(f"docker://{registry.host}/demo/multi@{amd.digest}").works()


@case
def certificates():
    tls = testbed.make_authority(WORK)
    with Registry(WORK, tls=tls) as registry:
        registry.push("demo/web", small())
        name = f"docker://{registry.host}/demo/web:1"
        user = User("tls")
        user.pull(name).fails(5, "E0508", "certs.d")
        expect(not user.cached(), "something was kept")
        user.env["SSL_CERT_FILE"] = tls.authority
        user.pull(name).works()
        other = User("tls2")
        with open(tls.authority, encoding="utf-8") as file:
            other.write(f"config/containers/certs.d/{registry.host}/ca.crt", file.read())
        other.pull(name).works()
        # A certificate for another name, by an authority that is known.
        user.pull(name.replace("127.0.0.1", "localhost")).fails(5, "E0508")
        # Not verified where registries.conf says so.
        lax = User("tls3")
        lax.settings(f'[[registry]]\nlocation = "{registry.host}"\ninsecure = true\n')
        lax.pull(name).works()


@case
def passwords():
    tls = testbed.make_authority(WORK)
    login = ("anna", "s3cret:with colon")
    with Registry(WORK, tls=tls, htpasswd=login) as registry:
        registry.push("demo/web", small(), user=login)
        name = f"docker://{registry.host}/demo/web:1"
        user = User("basic")
        user.env["SSL_CERT_FILE"] = tls.authority
        user.pull(name).fails(6, "E0605", "no login", "docker login " + registry.host)
        user.login(registry.host, "anna", "wrong")
        refused = user.pull(name).fails(6, "E0605", "config.json")
        expect("wrong" not in refused.err, "the password is in the message")
        user.login("https://" + registry.host + "/v1/", "anna", "s3cret:with colon")
        user.pull(name).works()
        # By a helper from PATH.
        helped = User("helper")
        helped.env["SSL_CERT_FILE"] = tls.authority
        helped.write("bin/docker-credential-test-store", "#!/bin/sh\nread -r server\n"
                     f'[ "$1" = get ] && [ "$server" = {registry.host} ] || {{ echo "credentials not found"; exit 1; }}\n'
                     'echo \'{"ServerURL":"x","Username":"anna","Secret":"s3cret:with colon"}\'\n', 0o700)
        helped.env["PATH"] = os.path.join(helped.home, "bin") + ":" + os.environ["PATH"]
        helped.write(".docker/config.json", json.dumps({"credHelpers": {registry.host: "test-store"}}))
        helped.pull(name).works()
        helped.write(".docker/config.json", json.dumps({"credsStore": "test-store"}))
        helped.pull(name).works()
        helped.write(".docker/config.json", json.dumps({"credsStore": "missing"}))
        helped.pull(name).fails(7, "E0707", "docker-credential-missing")
        helped.write(".docker/config.json", json.dumps({"credsStore": "../../bin/evil"}))
        helped.pull(name).fails(4, "E0423", "cannot be a credential helper's name")


@case
def tokens():
    tls = testbed.make_authority(WORK)
    with TokenServer(tls, WORK) as server, Registry(WORK, tls=tls, token=server) as registry:
        server.users["anna"] = "s3cret"
        server.allow["demo/web"] = {"anna"}
        server.allow["demo/open"] = {None}
        registry.push("demo/web", small(), authorization=server.push_token("demo/web"))
        registry.push("demo/open", small(), authorization=server.push_token("demo/open"))
        user = User("token")
        user.env["SSL_CERT_FILE"] = tls.authority
        user.pull(f"docker://{registry.host}/demo/open:1").works()
        user.pull(f"docker://{registry.host}/demo/web:1").fails(6, "E0605")
        user.login(registry.host, "anna", "s3cret")
        server.seen.clear()
        user.pull(f"docker://{registry.host}/demo/web:1").works()
        expect([request["scope"] for request in server.seen] == ["repository:demo/web:pull"], server.seen)
        expect(server.seen[0]["service"] == "test-registry" and server.seen[0]["user"] == "anna", server.seen)
        user.login(registry.host, "anna", "wrong")
        user.pull(f"docker://{registry.host}/demo/web:1").fails(6, "E0605", "token server")
        # A refresh token instead of a password.
        server.refresh["r3fresh"] = "anna"
        user.write(".docker/config.json", json.dumps({"auths": {registry.host: {"identitytoken": "r3fresh"}}}))
        user.pull(f"docker://{registry.host}/demo/web:1").works()


@case
def tokens_run_out():
    """Each token is good for two requests: it is renewed in mid-pull, and every blob arrives."""
    with Registry(WORK) as registry, Front(registry, tokens=2) as front:
        image = registry.push("demo/web", large(layers=6, size=50_000))
        user = User("renewal")
        user.pull(f"docker://{front.host}/demo/web:big").works()
        expect(user.has(image), "blobs are missing")
        expect(front.tokens_given >= 4, f"{front.tokens_given} tokens were asked for")


@case
def realms():
    """A realm without TLS that is not this machine gets no credentials."""
    with Registry(WORK) as registry, Front(registry) as front:
        registry.push("demo/web", small())
        user = User("realm")
        user.login(front.host, "anna", "s3cret")
        front.answer_all(401, {"WWW-Authenticate": 'Bearer realm="http://registry.invalid/token",service="x"'})
        user.pull(f"docker://{front.host}/demo/web:1").fails(5, "E0510", "registry.invalid")
        front.answer_all(401, {"WWW-Authenticate": 'Bearer realm="file:///etc/passwd",service="x"'})
        user.pull(f"docker://{front.host}/demo/web:1").fails(5, "E0510")
        front.answer_all(401, {"WWW-Authenticate": 'Bearer realm="unclosed'})
        user.pull(f"docker://{front.host}/demo/web:1").fails(6, "E0606", "WWW-Authenticate")


@case
def cut_transfers():
    with Registry(WORK) as registry, Front(registry) as front:
        image = registry.push("demo/web", large(layers=1))
        layer = image.layers[0]
        user = User("cut")
        front.cut_after[layer.digest] = [100_000, 200_000]
        user.pull(f"docker://{front.host}/demo/web:big").works()
        expect(user.has(image), "blobs are missing")
        user.check_cache()
        ranges = [request.headers.get("Range") for request in front.requests if layer.digest in request.path]
        expect(ranges == [None, "bytes=100000-", "bytes=300000-"], f"ranges asked for: {ranges}")

        # A tool that is killed goes on where it was, in the next run.
        user = User("cut2")
        front.requests.clear()
        front.pause_after[layer.digest] = 250_000
        process = user.start("image", "pull", f"docker://{front.host}/demo/web:big")
        partial = os.path.join(user.cache, "partial", layer.digest.removeprefix("sha256:"))
        testbed.wait_for(lambda: os.path.exists(partial) and os.path.getsize(partial) >= 200_000)
        process.kill()
        process.communicate()
        front.pause_after.clear()
        had = os.path.getsize(partial)
        user.pull(f"docker://{front.host}/demo/web:big").works()
        ranges = [request.headers.get("Range") for request in front.requests if layer.digest in request.path]
        expect(ranges == [None, f"bytes={had}-"], f"ranges asked for: {ranges}, there were {had} bytes")
        user.check_cache()

        # What is there is not what the blob begins with: noticed, and brought anew.
        user = User("cut3")
        os.makedirs(os.path.join(user.cache, "partial"))
        with open(os.path.join(user.cache, "partial", layer.digest.removeprefix("sha256:")), "wb") as file:
            file.write(b"x" * 1000)
        user.pull(f"docker://{front.host}/demo/web:big").works()
        user.check_cache()

        # A server without ranges, and one that gives another range than was asked for.
        for kind in ("ignored", "wrong"):
            user = User("cut-" + kind)
            front.requests.clear()
            front.ranges = kind
            front.cut_after[layer.digest] = [100_000]
            user.pull(f"docker://{front.host}/demo/web:big").works()
            user.check_cache()
        front.ranges = "right"
        # One that never gets to the end.
        front.cut_after[layer.digest] = [0] * 50
        User("cut-never").pull(f"docker://{front.host}/demo/web:big").fails(6, "E0604", layer.digest)


@case
def damage():
    with Registry(WORK) as registry, Front(registry) as front:
        image = registry.push("demo/web", large(layers=1))
        layer = image.layers[0]
        name = f"docker://{front.host}/demo/web:big"
        user = User("damage")
        front.damage = layer.digest
        user.pull(name).fails(5, "E0407", layer.digest)
        expect(layer.digest.removeprefix("sha256:") not in user.cached(), "a damaged blob is in the cache")
        user.run("image", "inspect", "--offline", name).fails(6, "E0607")
        for part in (image.config.digest, "manifests"):
            front.damage = part
            for form in (name, name.replace(":big", "@" + image.digest)):
                fresh = User("damage" + part[-9:] + form[-9:])
                fresh.pull(form).fails(5, "E0407")
                fresh.check_cache()
        front.damage = None
        front.longer = layer.digest
        user.pull(name).fails(5, "E0407", "longer")
        front.longer = None
        user.check_cache()
        user.pull(name).works()
        # Damage in the cache itself: refused, removed, and mended by the next pull.
        path = os.path.join(user.cache, "blobs", "sha256", layer.digest.removeprefix("sha256:"))
        with open(path, "r+b") as file:
            file.seek(1000)
            file.write(b"xxxx")
        user.write("appliance.yaml", f"apiVersion: caisson/v1\nname: test\npartitions:\n  web: {{image: \"{name}\", "
                   "memory: 96MiB, entrypoint: [/bin/app]}\n")
        user.run("check").fails(5, "E0407", "run the command again")
        expect(not os.path.exists(path), "the damaged blob is still there")
        user.pull(name).works()
        user.check_cache()


@case
def redirects():
    tls = testbed.make_authority(WORK)
    with Registry(WORK, htpasswd=("anna", "s3cret")) as registry, Front(registry) as elsewhere, \
            Front(registry, tls=tls) as front:
        image = registry.push("demo/web", small(), user=("anna", "s3cret"))
        elsewhere.login = front.login = ("anna", "s3cret")  # towards the registry after them
        user = User("redirect")
        user.env["SSL_CERT_FILE"] = tls.authority
        user.login(front.host, "anna", "s3cret")
        front.wants_login = True
        name = f"docker://{front.host}/demo/web:1"
        # To another port of this machine: another origin.
        with Front(registry, tls=tls) as other:
            other.login = ("anna", "s3cret")
            front.redirect["/blobs/"] = f"https://{other.host}"
            user.pull(name).works()
            expect(user.has(image) and len(other.requests) == 2, "the blobs did not come from there")
            leaked = [request.path for request in other.requests if "Authorization" in request.headers]
            expect(not leaked, f"credentials went to another host: {leaked}")
            shown = [request for request in front.requests if "Authorization" in request.headers]
            expect(shown, "and they were not shown to the registry either")
        # From https to http, in circles, to other kinds of address.
        for target, why in ((f"http://{elsewhere.host}", "https to http"), (f"https://{front.host}", "more than 5"),
                            ("file:///etc/passwd#", "no address"), ("https://user:pw@127.0.0.1:1/", "no address")):
            front.redirect["/blobs/"] = target
            fresh = User("redirect-" + str(len(why)) + target[:4])
            fresh.env["SSL_CERT_FILE"] = tls.authority
            fresh.login(front.host, "anna", "s3cret")
            fresh.pull(name).fails(6, "E0606", why)
        expect(not elsewhere.requests, "https was left")


@case
def patience():
    with Registry(WORK) as registry, Front(registry) as front:
        image = registry.push("demo/web", small())
        name = f"docker://{front.host}/demo/web:1"
        user = User("patience")
        front.first_answers[image.layers[0].digest] = [(429, {"Retry-After": "2"}), (503, {})]
        front.first_answers["manifests/1"] = [(500, {}), (502, {})]
        began = time.monotonic()
        user.pull(name).works()
        expect(time.monotonic() - began >= 2, "Retry-After was not kept to")
        front.first_answers["manifests/1"] = [(503, {})] * 50
        user.pull(name).fails(6, "E0606", "503")
        front.first_answers["manifests/1"] = [(429, {"Retry-After": "86400"})]
        user.pull(name).fails(6, "E0606", "429", "86400")
        front.first_answers["manifests/1"] = [(503, {"Retry-After": "30"})]
        user.pull(name, "--timeout", "1s").fails(124, "E0905")


@case
def mirrors():
    with Registry(WORK) as registry, Registry(WORK) as mirror, Front(registry) as front, Front(mirror) as bad:
        image = registry.push("demo/web", small())
        mirror.push("copies/web", image)
        user = User("mirror")
        user.settings(f'unqualified-search-registries = ["{front.host}"]\n[[registry]]\nprefix = "{front.host}/demo"\n'
                      f'location = "{front.host}/demo"\n[[registry.mirror]]\nlocation = "{bad.host}/copies"\n')
        user.pull("demo/web:1").works()  # a bare name, in the registry that is set
        expect(not front.requests and bad.requests, "the mirror was not asked")
        expect(any("copies/web" in request.path for request in bad.requests), "under its own name")
        for fault in ("damage", "gone"):
            again = User("mirror-" + fault)
            again.env["CONTAINERS_REGISTRIES_CONF"] = user.env["CONTAINERS_REGISTRIES_CONF"]
            if fault == "damage":
                bad.damage = image.layers[0].digest
            else:
                bad.answer_all(404, {})
            again.pull("demo/web:1").works()
            expect(again.has(image), "blobs are missing")
            again.check_cache()
        user.pull("demo/web:none").fails(4, "E0403", "before that, the mirror")
        user.settings(f'[[registry]]\nlocation = "{front.host}"\nblocked = true\n')
        user.pull(f"{front.host}/demo/web:1").fails(6, "E0605", "blocks")
        user.settings('unqualified-search-registries = ["a.example", "b.example"]\n')
        user.pull("demo/web:1").fails(4, "E0423", "registries.conf:1:")
        user.settings('[[registry]]\nlocation = 7\n')
        user.pull("demo/web:1").fails(4, "E0423", "registries.conf:2:")


@case
def documents():
    """Documents that are no images, or two things at once."""
    with Registry(WORK) as registry, Front(registry) as front:
        registry.push("demo/web", small())
        user = User("documents")
        name = f"docker://{front.host}/demo/web:1"
        for body, code, status in ((b"{}", "E0406", 4), (b"[]", "E0405", 4), (b'{"schemaVersion":1,"fsLayers":[]}', "E0406", 4),
                                   (b'{"schemaVersion":2,"manifests":[],"layers":[]}', "E0405", 4),
                                   (b'{"a":1,"a":2}', "E0405", 4), (b"x" * (5 << 20), "E0413", 8)):
            front.instead["manifests/1"] = body
            user.pull(name).fails(status, code)
        expect(not user.cached(), "something was kept")


@case
def at_once():
    with Registry(WORK) as registry, Front(registry, delay=0.02) as front:
        image = registry.push("demo/web", large())
        user = User("parallel")
        name = f"docker://{front.host}/demo/web:big"
        running = [user.start("image", "pull", name) for _ in range(3)]
        for process in running:
            out, err = process.communicate(timeout=120)
            expect(process.returncode == 0, out + err)
        user.check_cache()
        expect(user.has(image), "blobs are missing")
        for digest in image.blob_digests():
            count = sum(1 for request in front.requests if digest in request.path)
            expect(count == 1, f"{digest} was fetched {count} times by three tools at once")


@case
def killed():
    """kill -9 at 20 points of a pull."""
    with Registry(WORK) as registry, Front(registry, delay=0.02) as front:
        image = registry.push("demo/web", large())
        name = f"docker://{front.host}/demo/web:big"
        began = time.monotonic()
        User("unhurt").pull(name).works()
        whole = time.monotonic() - began
        points = 20
        outcomes = {"whole": 0, "part": 0}
        for i in range(points):
            user = User(f"killed{i}")
            process = user.start("image", "pull", name)
            time.sleep(whole * (i + 0.5) / points)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            user.check_cache()
            offline = user.run("image", "inspect", "--offline", name)
            if offline.status == 0:
                expect(user.has(image), "used, and not whole")
                outcomes["whole"] += 1
            else:
                offline.fails(6, "E0607")
                outcomes["part"] += 1
            user.pull(name).works()
            user.check_cache()
            expect(user.has(image), "blobs are missing")
        print(f"    killed at {points} points of {whole:.1f} s: {outcomes}")
        expect(outcomes["part"] >= points // 2, "most of them came too late to show anything")
        # Nothing is left over but what gc takes away.
        user.run("image", "gc", "--max-size", "0").works()
        expect(not user.cached() and not os.listdir(os.path.join(user.cache, "partial")), "gc left something")


@case
def collected():
    with Registry(WORK) as registry:
        shared = Images.layer({"shared": Images.noise(100_000, "s")})
        first = Images.single("1", layers=[shared, Images.layer({"a": Images.noise(50_000, "a")})])
        second = Images.single("2", layers=[shared, Images.layer({"b": Images.noise(50_000, "b")})])
        for image in (first, second):
            registry.push("demo/web", image)
        user = User("gc")
        user.pull(f"docker://{registry.host}/demo/web:1").works()
        time.sleep(0.05)
        user.pull(f"docker://{registry.host}/demo/web:2").works()
        stray = os.path.join(user.cache, "blobs", "sha256", sha256(b"stray").removeprefix("sha256:"))
        with open(stray, "wb") as file:
            file.write(b"stray")
        user.run("image", "gc").works()
        expect(not os.path.exists(stray) and user.has(first) and user.has(second), "gc took what is needed, or left what is not")
        user.run("image", "gc", "--max-size", "180KiB").works()
        expect(user.has(second) and not user.has(first), "the longest unused goes, what is shared stays")
        user.run("image", "gc", "--max-size", "0").works()
        expect(not user.cached(), "something is left")
        expect(user.run("image", "ls").works().out == "", "and is listed")


@case
def locked():
    with Registry(WORK) as registry, Front(registry) as front:
        image = registry.push("demo/web", small())
        name = f"docker://{front.host}/demo/web:1"
        user = User("lock")
        user.write("appliance.yaml", f"apiVersion: caisson/v1\nname: test\npartitions:\n  web: {{image: \"{name}\", memory: 96MiB,"
                   " entrypoint: [/bin/app]}\n")
        lock = os.path.join(user.home, "appliance.lock")
        user.run("check", "--locked").fails(5, "E0509", "caisson lock", "appliance.yaml:4")
        user.run("lock").works()
        with open(lock, encoding="utf-8") as file:
            text = file.read()
        pin = json.loads(text)["items"][0]
        expect(pin == {"reference": name, "platform": "linux/amd64", "digest": image.digest, "manifest": image.digest}, pin)
        user.run("lock", "--locked").works()
        user.run("check", "--locked").works()
        user.run("check", "--locked", "--offline").works()
        # The tag moves: what is pinned is built, and that the lock is old is said to who asks.
        moved = registry.push("demo/web", small("2"), tag="1")
        user.run("check", "--locked").works()
        user.run("lock", "--locked").fails(5, "E0509", image.digest[:19], moved.digest[:19])
        with open(lock, encoding="utf-8") as file:
            expect(file.read() == text, "--locked wrote")
        # From nothing but the lock file, in an empty cache: the pinned one.
        shutil.rmtree(user.cache)
        user.run("check", "--locked").works()
        expect(user.has(image) and not user.has(moved), "not the pinned image was brought")
        user.run("lock").works()
        user.run("check", "--locked").works()
        expect(user.has(moved), "the lock was not taken over")
        # A lock that contradicts itself, one that is none, another reference.
        user.write("appliance.lock", text.replace(f'"manifest": "{image.digest}"', f'"manifest": "{moved.digest}"'))
        user.run("check").fails(5, "E0509")
        user.write("appliance.lock", "{}")
        user.run("check").fails(4, "E0423", "caisson lock")
        user.write("appliance.lock", text.replace("demo/web:1", "demo/web:3"))
        user.run("check", "--locked").fails(5, "E0509")
        loose = user.run("check").works()
        expect("not in the lock file" in loose.err, loose.err)
        # Images on this machine are pinned as well.
        user.write("root/bin/app", "#!/bin/sh\n", 0o755)
        user.run("image", "create", "--from", "root", "--entrypoint", "/bin/app", "oci:local").works()
        user.write("appliance.yaml", "apiVersion: caisson/v1\nname: test\npartitions:\n  web: {image: \"oci:local\", memory: 96MiB}\n")
        user.run("lock").works()
        user.run("check", "--locked").works()
        user.write("root/more", "x")
        shutil.rmtree(os.path.join(user.home, "local"))
        user.run("image", "create", "--from", "root", "--entrypoint", "/bin/app", "oci:local").works()
        user.run("check", "--locked").fails(5, "E0509", "oci:local")
        loose = user.run("check").works()
        expect("not what the lock file pins" in loose.err, loose.err)


def main(arguments):
    global TOOL, WORK
    if not arguments:
        print(__doc__)
        return 2
    TOOL = os.path.abspath(arguments[0])
    for program in ("docker-registry", "openssl", "perl"):
        if shutil.which(program) is None:
            print(f"skipped: needs {program}")
            return 77
    failed = []
    known = {function.__name__: function for function in CASES}
    chosen = arguments[1:] or list(known)
    with tempfile.TemporaryDirectory(prefix="caisson-registry.") as folder:
        for name in chosen:
            WORK = os.path.join(folder, name)
            os.makedirs(WORK)
            began = time.monotonic()
            try:
                known[name]()
                print(f"{name}: passed, {time.monotonic() - began:.1f} s", flush=True)
            except Failed as error:
                failed.append(name)
                print(f"{name}: FAILED\n{error}", flush=True)
    print(f"{len(chosen) - len(failed)} of {len(chosen)} passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

# SPDX-License-Identifier: Apache-2.0
"""What the tests of registries need: images made here, Debian's docker-registry, a token server, and Front, which stands
between the tool and a registry and does what the test says.

Spec: OCI distribution specification 1.1; the distribution project, "Token Authentication".
"""
import base64
import gzip
import hashlib
import http.client
import http.server
import io
import json
import os
import random
import socket
import ssl
import subprocess
import tarfile
import threading
import time
import types
import urllib.parse

OCI = "application/vnd.oci.image."


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("waited too long")
        time.sleep(0.01)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Blob:
    def __init__(self, data, media_type, **more):
        self.data, self.media_type, self.digest, self.more = data, media_type, sha256(data), more

    def descriptor(self):
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.data), **self.more}


class Image:
    def __init__(self, tag, layers, config):
        self.tag, self.layers, self.plain_config = tag, layers, config
        self._finish()

    def _finish(self):
        self.config = Blob(json.dumps(self.plain_config).encode(), OCI + "config.v1+json")
        self.manifest = Blob(json.dumps({
            "schemaVersion": 2, "mediaType": OCI + "manifest.v1+json", "config": self.config.descriptor(),
            "layers": [layer.descriptor() for layer in self.layers]}).encode(), OCI + "manifest.v1+json")
        self.digest = self.manifest.digest

    def set_platform(self, os_name, architecture, variant):
        self.plain_config |= {"os": os_name, "architecture": architecture, "variant": variant}
        self._finish()

    def platform(self):
        keys = ("os", "architecture", "variant")
        return {key: self.plain_config[key] for key in keys if key in self.plain_config}

    def blob_digests(self):
        return [blob.digest for blob in [self.config, *self.layers]]

    def blobs(self):
        return {self.digest, *self.blob_digests()}


class Images:
    @staticmethod
    def noise(size, seed):
        return random.Random(seed).randbytes(size)

    @staticmethod
    def layer(files):
        plain = io.BytesIO()
        with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for name, data in files.items():
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(data), 0o755
                tar.addfile(entry, io.BytesIO(data))
        blob = Blob(gzip.compress(plain.getvalue(), 1, mtime=0), OCI + "layer.v1.tar+gzip")
        blob.diff_id = sha256(plain.getvalue())
        return blob

    @staticmethod
    def single(tag, layers):
        return Image(tag, layers, {"os": "linux", "architecture": "amd64", "config": {"Cmd": ["/bin/app"]},
                                   "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]}})


class Authority:
    def __init__(self, folder):
        self.authority = os.path.join(folder, "authority.crt")
        self.certificate, self.key = os.path.join(folder, "server.crt"), os.path.join(folder, "server.key")
        authority_key, request = os.path.join(folder, "authority.key"), os.path.join(folder, "server.csr")

        def openssl(*words):
            subprocess.run(["openssl", *words], check=True, capture_output=True)

        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        openssl("req", "-x509", *curve, "-keyout", authority_key, "-out", self.authority, "-subj", "/CN=test authority",
                "-days", "30")
        openssl("req", *curve, "-keyout", self.key, "-out", request, "-subj", "/CN=test registry")
        names = os.path.join(folder, "names")
        with open(names, "w", encoding="utf-8") as file:
            file.write("subjectAltName=IP:127.0.0.1\n")
        openssl("x509", "-req", "-in", request, "-CA", self.authority, "-CAkey", authority_key, "-CAcreateserial", "-out",
                self.certificate, "-days", "30", "-extfile", names)

    def server_context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def make_authority(folder):
    return Authority(folder)


class Registry:
    """A docker-registry of its own on a free port."""

    def __init__(self, folder, tls=None, htpasswd=None, token=None):
        self.tls, self.port = tls, free_port()
        self.host = f"127.0.0.1:{self.port}"
        place = os.path.join(folder, f"registry-{self.port}")
        os.makedirs(place)
        config = {"version": "0.1", "log": {"level": "error", "accesslog": {"disabled": True}},
                  "storage": {"filesystem": {"rootdirectory": os.path.join(place, "data")}},
                  "http": {"addr": self.host, "secret": "of the test"}}
        if tls:
            config["http"]["tls"] = {"certificate": tls.certificate, "key": tls.key}
        if htpasswd:
            with open(os.path.join(place, "htpasswd"), "w", encoding="utf-8") as file:
                hashed = subprocess.run(["perl", "-e", "print crypt($ARGV[0], '$2y$05$abcdefghijklmnopqrstuu')", htpasswd[1]],
                                        check=True, capture_output=True, text=True).stdout
                file.write(f"{htpasswd[0]}:{hashed}\n")
            config["auth"] = {"htpasswd": {"realm": "test realm", "path": file.name}}
        if token:
            config["auth"] = {"token": {"realm": token.realm, "service": token.service, "issuer": token.issuer,
                                        "rootcertbundle": token.certificate}}
        path = os.path.join(place, "config.yml")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file)  # JSON is YAML
        with open(os.path.join(place, "log"), "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(["docker-registry", "serve", path], stdout=log, stderr=log,
                                            env={"PATH": os.environ["PATH"], "OTEL_TRACES_EXPORTER": "none"})

        def listens():
            if self.process.poll() is not None:
                with open(os.path.join(place, "log"), encoding="utf-8") as log:
                    raise RuntimeError("docker-registry ended: " + log.read())
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            except OSError:
                return False

        wait_for(listens)

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.process.kill()
        self.process.wait()

    def connection(self):
        if self.tls:
            return http.client.HTTPSConnection(self.host, context=ssl.create_default_context(cafile=self.tls.authority))
        return http.client.HTTPConnection(self.host)

    def send(self, method, path, body=None, headers=None):
        connection = self.connection()
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status}")
        return answer

    def push_blob(self, repository, blob, headers):
        place = self.send("POST", f"/v2/{repository}/blobs/uploads/", headers=headers).getheader("Location")
        url = urllib.parse.urlsplit(place)
        query = url.query + ("&" if url.query else "") + "digest=" + blob.digest
        self.send("PUT", f"{url.path}?{query}", blob.data, {"Content-Type": "application/octet-stream", **headers})

    def push(self, repository, image, tag=None, user=None, authorization=None):
        headers = {}
        if user:
            headers["Authorization"] = "Basic " + base64.b64encode(":".join(user).encode()).decode()
        if authorization:
            headers["Authorization"] = authorization
        for blob in [image.config, *image.layers]:
            self.push_blob(repository, blob, headers)
        self.send("PUT", f"/v2/{repository}/manifests/{tag or image.tag}", image.manifest.data,
                  {"Content-Type": image.manifest.media_type, **headers})
        return image

    def push_index(self, repository, tag, images, attestation=False):
        entries = []
        for image in images:
            self.push(repository, image, tag=image.tag)
            entries.append({**image.manifest.descriptor(), "platform": image.platform()})
        if attestation:
            beside = Images.single("beside", [Images.layer({"statement": b"{}"})])
            self.push(repository, beside)
            entries.insert(0, {**beside.manifest.descriptor(), "platform": {"os": "unknown", "architecture": "unknown"},
                               "annotations": {"vnd.docker.reference.type": "attestation-manifest"}})
        index = Blob(json.dumps({"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": entries}).encode(),
                     OCI + "index.v1+json")
        self.send("PUT", f"/v2/{repository}/manifests/{tag}", index.data, {"Content-Type": index.media_type})
        return index.digest


class Server:
    """An HTTP server on a free port that answers by handle(request)."""

    def __init__(self, tls=None):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body are two writes: the second would wait for the client's late ACK

            def do_GET(self):  # noqa: N802
                try:
                    outer.handle(self)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            do_POST = do_HEAD = do_GET  # noqa: N815

            def log_message(self, *ignored):
                pass

        class Listener(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *ignored):
                pass  # clients that hang up, and those that are killed

        self.server = Listener(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"
        if tls:
            self.server.socket = tls.server_context().wrap_socket(self.server.socket, server_side=True,
                                                                  do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.server.shutdown()
        self.server.server_close()

    @staticmethod
    def answer(request, status, headers, body=b""):
        request.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)


class TokenServer(Server):
    """Gives tokens that docker-registry believes: JWT, signed by the authority of `tls`."""

    service, issuer = "test-registry", "test issuer"

    def __init__(self, tls, folder):
        self.folder = folder
        self.users, self.refresh, self.allow, self.seen = {}, {}, {}, []
        self.key, self.certificate = os.path.join(folder, "token.key"), os.path.join(folder, "token.crt")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.key, "-out",
                        self.certificate, "-subj", "/CN=tokens", "-days", "30"], check=True, capture_output=True)
        super().__init__(tls)
        self.realm = f"https://{self.host}/token"

    def token(self, user, access):
        def part(value):
            return base64.urlsafe_b64encode(value).rstrip(b"=")

        der = subprocess.run(["openssl", "x509", "-in", self.certificate, "-outform", "DER"], check=True,
                             capture_output=True).stdout
        now = int(time.time())
        head = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
        claims = {"iss": self.issuer, "sub": user or "", "aud": self.service, "exp": now + 300, "nbf": now - 60, "iat": now,
                  "jti": str(now), "access": access}
        text = part(json.dumps(head).encode()) + b"." + part(json.dumps(claims).encode())
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], check=True, input=text,
                                   capture_output=True).stdout
        return (text + b"." + part(signature)).decode()

    def push_token(self, repository):
        return "Bearer " + self.token("pusher", [{"type": "repository", "name": repository, "actions": ["pull", "push"]}])

    def handle(self, request):
        url = urllib.parse.urlsplit(request.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        user = None
        if request.command == "POST":
            query = dict(urllib.parse.parse_qsl(request.rfile.read(int(request.headers["Content-Length"])).decode()))
            user = self.refresh.get(query.get("refresh_token"))
            if user is None or query.get("grant_type") != "refresh_token":
                return self.answer(request, 401, {})
        elif shown := request.headers.get("Authorization", "").removeprefix("Basic "):
            user, _, password = base64.b64decode(shown).decode().partition(":")
            if self.users.get(user) != password:
                self.seen.append({**query, "user": user})
                return self.answer(request, 401, {})
        self.seen.append({**query, "user": user})
        kind, name, actions = query["scope"].split(":")
        allowed = self.allow.get(name, set())
        access = [{"type": kind, "name": name, "actions": [actions]}] if user in allowed or None in allowed else []
        key = "access_token" if request.command == "POST" else "token"
        return self.answer(request, 200, {"Content-Type": "application/json"},
                           json.dumps({key: self.token(user, access), "expires_in": 300}).encode())


class Front(Server):
    """Passes requests on to a registry, except what the test has set."""

    def __init__(self, registry, tls=None, tokens=0, delay=0.0):
        self.registry, self.delay = registry, delay
        self.requests = []
        self.lock = threading.Lock()
        self.login = None          # for the registry after it
        self.wants_login = False   # basic, any
        self.cut_after, self.pause_after = {}, {}  # digest -> bytes, for each request in turn; bytes
        self.ranges = "right"
        self.damage = self.longer = None
        self.redirect, self.instead = {}, {}  # part of a path -> origin, body
        self.first_answers = {}    # part of a path -> [(status, headers)]
        self.always = None
        self.uses, self.tokens_given, self.uses_left = tokens, 0, 0
        super().__init__(tls)

    def answer_all(self, status, headers):
        self.always = (status, headers)

    def handle(self, request):
        with self.lock:
            if request.path.startswith("/token"):
                self.tokens_given += 1
                self.uses_left = self.uses
                return self.answer(request, 200, {}, json.dumps({"token": f"t{self.tokens_given}"}).encode())
            if "/manifests/" in request.path or "/blobs/" in request.path:
                # Its handler goes on with the next request of the connection.
                self.requests.append(types.SimpleNamespace(path=request.path, headers=request.headers))
            early = self.early_answer(request)
        if early:
            return self.answer(request, *early)
        return self.pass_on(request)

    def early_answer(self, request):
        if self.always:
            return self.always
        if self.uses:
            shown = request.headers.get("Authorization")
            if shown != f"Bearer t{self.tokens_given}" or self.uses_left == 0:
                return 401, {"WWW-Authenticate": f'Bearer realm="http://{self.host}/token",service="front"'}
            self.uses_left -= 1
        if self.wants_login and "Authorization" not in request.headers:
            return 401, {"WWW-Authenticate": 'Basic realm="front"'}
        for part, answers in self.first_answers.items():
            if part in request.path and answers:
                return answers.pop(0)
        for part, body in self.instead.items():
            if part in request.path:
                return 200, {"Content-Type": OCI + "manifest.v1+json"}, body
        for part, origin in self.redirect.items():
            if part in request.path:
                return 307, {"Location": origin + request.path}
        return None

    def pass_on(self, request):
        headers = {name: request.headers[name] for name in ("Accept",) if name in request.headers}
        if self.login:
            headers["Authorization"] = "Basic " + base64.b64encode(":".join(self.login).encode()).decode()
        connection = self.registry.connection()
        connection.request(request.command, request.path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        kept = {name: value for name, value in answer.getheaders()
                if name in ("Content-Type", "Docker-Content-Digest", "WWW-Authenticate")}
        digest = urllib.parse.unquote(request.path.rsplit("/", 1)[1])
        if self.damage and answer.status == 200 and self.damage in request.path:
            body = body[:10] + bytes([body[10] ^ 1]) + body[11:]
        if self.longer and self.longer in request.path:
            body += b"more"
        status, start = answer.status, 0
        wanted = request.headers.get("Range")
        if wanted and status == 200 and self.ranges != "ignored":
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            said = start + 7 if self.ranges == "wrong" else start
            kept["Content-Range"] = f"bytes {said}-{len(body) - 1}/{len(body)}"
            status = 206
        request.send_response(status)
        for name, value in {**kept, "Content-Length": str(len(body) - start)}.items():
            request.send_header(name, value)
        request.end_headers()
        self.send_body(request, digest, body[start:])

    def send_body(self, request, digest, body):
        if request.command == "HEAD":
            return
        cuts = self.cut_after.get(digest)
        cut = cuts.pop(0) if cuts else None
        pause = self.pause_after.get(digest)
        sent, step = 0, 16384
        while sent < len(body) and (cut is None or sent < cut):
            end = min(sent + step, len(body) if cut is None else cut)
            if pause is not None and end > pause:
                request.wfile.write(body[sent:pause])
                request.wfile.flush()
                wait_for(lambda: not self.pause_after)
                request.close_connection = True
                return
            request.wfile.write(body[sent:end])
            sent = end
            if self.delay:
                time.sleep(self.delay)
        if cut is not None:
            request.wfile.flush()
            request.close_connection = True

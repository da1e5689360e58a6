#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""server_figures.py BUILD-DIR [--json]: instructions of a request of Debian's redis and nginx over the loopback, client and server
together, in a partition and on Debian's cloud kernel on the same emulated machine (-icount: an instruction is a nanosecond, so what the
clients measure is instructions). Then the memory that is in use while a server that has answered rests: all RAM of the machine or partition
without what is free and without the cache of files, so programs and libraries, which are files of the image on both sides, do not count.
Status 1 where one costs more than on Linux; 77 where the packages or the kernel are not in the cache.

The programs are the same files on both sides, so what they do in user mode is in both figures."""
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../harness")]

import images  # noqa: E402
import linux_figures  # noqa: E402
import run_case  # noqa: E402
from frames import Line  # noqa: E402

CPU = "max,-erms,-fsrm"
TIME_LIMIT = 2400
MEMORY = r"""
memory() { sleep 1; echo "@@ memory" $1 $(sed -n 's/^\(MemFree\|Buffers\|Cached\): *\([0-9]*\) kB/\2/p' /proc/meminfo); }
"""
SCRIPT = MEMORY + r"""
ulimit -n 4096
redis-server --port 6379 --save "" --appendonly no --daemonize no --logfile /dev/null &
until redis-cli ping 2>/dev/null | grep PONG > /dev/null; do sleep 0.1; done
redis-benchmark -n 2000 -c 1 -t set,get --csv | sed 's/^/@@ redis /'
redis-cli shutdown nosave
cp /nginx.conf /tmp
nginx -c /tmp/nginx.conf &
until curl -s -o /dev/null http://127.0.0.1:8080/page; do sleep 0.1; done
ab -q -k -n 2000 -c 1 http://127.0.0.1:8080/page | sed -n 's/^Requests per second: *\([0-9.]*\) .*/@@ nginx \1/p'
kill -QUIT $!
wait

memory nothing
redis-server --port 6379 --save "" --appendonly no --daemonize no --logfile /dev/null &
until redis-cli ping 2>/dev/null | grep PONG > /dev/null; do sleep 0.1; done
redis-benchmark -q -n 100 -t set,get > /dev/null
memory redis
kill $!; wait
sed -i 's/worker_processes 1/worker_processes 4/' /tmp/nginx.conf
nginx -c /tmp/nginx.conf &
until curl -s -o /dev/null http://127.0.0.1:8080/page; do sleep 0.1; done
ab -q -n 100 -c 4 http://127.0.0.1:8080/page > /dev/null
memory nginx
kill $!; wait
memcached -u nobody -l 127.0.0.1 -p 11211 &
until (echo version; sleep 0.1) | nc 127.0.0.1 11211 2>/dev/null | grep VERSION > /dev/null; do sleep 0.1; done
memory memcached
kill $!; wait
mosquitto -p 1883 > /dev/null 2>&1 &
until mosquitto_pub -h 127.0.0.1 -t a -m b 2>/dev/null; do sleep 0.1; done
memory mosquitto
kill $!; wait
haproxy -f /haproxy.conf &
until curl -s -o /dev/null http://127.0.0.1:8082/; do sleep 0.1; done
memory haproxy
kill $!; wait
echo "@@ end"
"""
HAPROXY = """defaults
 mode http
 timeout connect 1s
 timeout client 1s
 timeout server 1s
frontend f
 bind 127.0.0.1:8082
 http-request return status 200 content-type text/plain string ok
"""
NGINX = """worker_processes 1; daemon off; pid /tmp/pid; error_log /dev/null; events { worker_connections 64; }
http { access_log off; keepalive_requests 100000; client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fastcgi;
uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi; server { listen 8080; root /www; } }
"""
SPEC = {"packages": ["redis-server", "redis-tools", "nginx-light", "apache2-utils", "curl", "memcached", "mosquitto", "mosquitto-clients", "haproxy"],
        "busybox": ["sh", "sleep", "grep", "sed", "cp", "kill", "nc", "mount", "ifconfig", "poweroff"],
        "directories": {"/tmp": 0o1777, "/dev": 0o755, "/proc": 0o755},
        "files": {"/etc/passwd": "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n", "/etc/group": "root:x:0:\nnogroup:x:65534:\n",
                  "/nginx.conf": NGINX, "/haproxy.conf": HAPROXY, "/www/page": "x" * 1023 + "\n", "/servers.sh": SCRIPT}}

# Those whose image is large: memory alone.
LARGE_SCRIPT = MEMORY + r"""
export HOME=/root PATH=/usr/lib/postgresql/15/bin:/usr/lib/jvm/java-17-openjdk-amd64/bin:$PATH
cd /tmp
answers() { until curl -s -k -o /dev/null "$1"; do sleep 0.1; done; curl -s -k -o /dev/null "$1"; memory $2; kill $!; wait; }
memory nothing_large
python3.11 -B -m http.server -b 127.0.0.1 8001 > /dev/null 2>&1 &
answers http://127.0.0.1:8001/etc/hosts python_http
python3.11 -B /echo.py &
answers http://127.0.0.1:8001/ python_asyncio
node /http.js &
answers http://127.0.0.1:8001/ node_http
node /cluster.js &
answers http://127.0.0.1:8001/ node_cluster
/bin/go-server > /dev/null &
answers http://127.0.0.1:8080/ go
rm -f /tmp/socket
/bin/rust-server &
answers http://127.0.0.1:8080/ rust
java -Xshare:auto -XX:+UseSerialGC -Xmx128m -cp /classes Serve &
answers http://127.0.0.1:8001/ java
erl -noshell -eval '{ok, L} = gen_tcp:listen(8001, [binary, {active, false}, {reuseaddr, true}]), F = fun F() -> {ok, S} = gen_tcp:accept(L),
    {ok, _} = gen_tcp:recv(S, 0), gen_tcp:send(S, "HTTP/1.0 200 OK\r\n\r\nok"), gen_tcp:close(S), F() end, F().' &
answers http://127.0.0.1:8001/ erlang
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key -out cert -subj /CN=a -days 3000 2> /dev/null
openssl s_server -quiet -www -accept 8001 -key key -cert cert > /dev/null 2>&1 &
answers https://127.0.0.1:8001/ openssl
dropbearkey -t ed25519 -f /tmp/host > /dev/null 2>&1
dropbear -F -r /tmp/host -p 2222 2> /dev/null &
until sleep 0.2 | nc 127.0.0.1 2222 2> /dev/null | grep SSH > /dev/null; do sleep 0.1; done
memory dropbear
kill $!; wait
chown 99:99 /data
su postgres -c 'initdb -D /data -A trust --no-sync -E UTF8 --locale=C > /dev/null'
su postgres -c 'exec postgres -D /data -k /tmp -c listen_addresses=127.0.0.1 -c fsync=off -c jit=off > /dev/null 2>&1' &
until psql -U postgres -h 127.0.0.1 -Atc "select 1" > /dev/null 2>&1; do sleep 0.2; done
memory postgres
kill -INT $!; wait
echo "@@ end"
"""
ASYNCIO = """import asyncio
async def serve(reader, writer):
    await reader.readline()
    writer.write(b"HTTP/1.0 200 OK\\r\\n\\r\\nok\\n")
    await writer.drain()
    writer.close()
async def main():
    async with await asyncio.start_server(serve, "127.0.0.1", 8001) as server:
        await server.serve_forever()
asyncio.run(main())
"""
JAVA = """import com.sun.net.httpserver.HttpServer;
public class Serve {
    public static void main(String[] words) throws Exception {
        HttpServer server = HttpServer.create(new java.net.InetSocketAddress("127.0.0.1", 8001), 10);
        server.createContext("/", exchange -> {
            exchange.sendResponseHeaders(200, 3);
            exchange.getResponseBody().write("ok\\n".getBytes());
            exchange.close();
        });
        server.start();
    }
}
"""
NODE_HTTP = "require('http').createServer((request, response) => response.end('ok\\n')).listen(8001, '127.0.0.1');\n"
NODE_CLUSTER = f"""const cluster = require('cluster');
if (!cluster.isPrimary) {{ {NODE_HTTP} }} else {{
  cluster.fork();
  cluster.fork();
  process.on('SIGTERM', () => {{ for (const id in cluster.workers) cluster.workers[id].kill(); process.exit(0); }});
}}
"""


def of_case(name, image, path):
    """How a case makes the server of its image."""
    with open(os.path.join(HERE, f"../cases/{name}.toml"), "rb") as file:
        return tomllib.load(file)["images"][image]["compiled"][path]


LARGE_SPEC = {
    "packages": ["postgresql-15", "nodejs", "openjdk-17-jre-headless", "erlang-base", "openssl", "dropbear-bin", "curl"],
    "busybox": ["sh", "sleep", "grep", "sed", "kill", "nc", "mount", "ifconfig", "poweroff", "su", "chown", "rm"],
    "host": ["/usr/bin/python3.11"], "host_trees": ["/usr/lib/python3.11"],
    "directories": {"/tmp": 0o1777, "/dev": 0o755, "/dev/shm": 0o1777, "/proc": 0o755, "/root": 0o755, "/data": 0o700, "/etc/dropbear": 0o755},
    "files": {"/etc/passwd": "root:x:0:0::/root:/bin/sh\npostgres:x:99:99::/tmp:/bin/sh\n", "/etc/group": "root:x:0:\npostgres:x:99:\n",
              "/etc/hosts": "127.0.0.1 localhost\n", "/echo.py": ASYNCIO, "/http.js": NODE_HTTP, "/cluster.js": NODE_CLUSTER,
              "/servers.sh": LARGE_SCRIPT},
    "compiled": {"/bin/go-server": of_case("server-go", "go", "/bin/server"), "/bin/rust-server": of_case("server-rust", "rust", "/bin/server"),
                 "/classes": {**of_case("server-java", "java", "/classes"), "source": JAVA,
                              "run": ["/bin/sh", "-c", "cp /source /tmp/Serve.java && /usr/lib/jvm/java-17-openjdk-amd64/bin/javac -d /made /tmp/Serve.java"]}}}
LARGE_NAMES = ["nothing_large", "python_http", "python_asyncio", "node_http", "node_cluster", "go", "rust", "java", "erlang", "openssl", "dropbear", "postgres"]


def large_figures_of(text):
    """-> {free: as above}"""
    memory = memory_of(text)
    if "@@ end" not in text or list(memory) != LARGE_NAMES:
        sys.exit(f"the large servers did not come to their end; they said ...{text[-1500:]}")
    return {"free": memory}


def memory_of(text):
    return {name: sum(map(int, parts.split())) for name, parts in re.findall(r"@@ memory (\w+) ((?:\d+ ?){3})", text)}


def figures_of(text):
    """-> {requests: {name: instructions of one}, free: {server: KiB that are free or cache of files while it rests}}"""
    found = {f"redis_{kind.lower()}": 1e9 / float(rate) for kind, rate in re.findall(r'@@ redis "(SET|GET)","([0-9.]+)"', text)}
    found.update({"nginx_1k": 1e9 / float(rate) for rate in re.findall(r"@@ nginx ([0-9.]+)", text)})
    memory = memory_of(text)
    if "@@ end" not in text or len(found) != 3 or len(memory) != 6:
        sys.exit(f"the servers did not come to their end; they said ...{text[-1500:]}")
    return {"requests": found, "free": memory}


def tree_archive(root):
    """The tree as a kernel's initramfs."""
    entries = []
    for folder, directories, files in os.walk(root):
        for name in directories + files:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            data = b""
            if os.path.islink(path):
                data = os.readlink(path).encode()
            elif os.path.isfile(path):
                with open(path, "rb") as file:
                    data = file.read()
            entries.append((os.path.relpath(path, root), status.st_mode, (0, 0), data))
    entries += [("dev/console", 0o20600, (5, 1), b""), ("dev/null", 0o20666, (1, 3), b""), ("dev/urandom", 0o20666, (1, 9), b""),
                ("init", 0o100755, (0, 0), b"#!/bin/sh\nmount -t proc proc /proc\nifconfig lo 127.0.0.1 up\nsh /servers.sh\npoweroff -f\n")]
    return linux_figures.newc(entries)


def on_linux(root, kernel, directory, figures=figures_of, memory=1024):
    archive = os.path.join(directory, "initramfs")
    with open(archive, "wb") as file:
        file.write(tree_archive(root))
    command = [os.environ.get("CAISSON_QEMU") or "qemu-system-x86_64", "-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-rtc",
               "clock=vm,base=2026-01-01", "-M", "q35", "-cpu", CPU, "-smp", "1", "-m", f"{memory}M", "-display", "none", "-nodefaults", "-serial", "stdio",
               "-no-reboot", "-nic", "none", "-kernel", kernel, "-initrd", archive, "-append", "console=ttyS0 quiet panic=-1 transparent_hugepage=never rootfstype=ramfs"]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIME_LIMIT, check=False)
    return figures(run.stdout.decode("utf-8", "replace"))


def in_partition(root, build, directory, figures=figures_of, memory=192):
    with open(os.path.join(build, "qemu-tests/built.json"), encoding="utf-8") as file:
        tool = json.load(file)["tool"]
    environment = {**os.environ, "HOME": directory, "XDG_CONFIG_HOME": directory + "/config", "XDG_DATA_HOME": directory + "/data"}
    manifest, bundle = os.path.join(directory, "main.yaml"), os.path.join(directory, "main.bundle")
    with open(manifest, "w", encoding="utf-8") as file:
        file.write("apiVersion: caisson/v1\nname: servers\nversion: 1.0.0\nsecurityVersion: 1\nmachine: {board: qemu-q35, cpus: 1, memory: 3GiB}\n"
                   f"partitions:\n  servers: {{image: \"oci:{directory}/image\", cpus: 1, memory: {memory}MiB}}\n")
    for arguments in (["image", "create", "--from", root, "--entrypoint=/bin/sh", "--cmd=/servers.sh", f"oci:{directory}/image"],
                      ["build", manifest, "-o", bundle]):
        subprocess.run([tool, *arguments], env=environment, check=True, capture_output=True)
    boot = {"cpus": 1, "memory": "3G", "icount": True, "cpu": CPU + ",+svm"}
    run = run_case.boot_on("qemu-svm", boot, os.path.join(directory, "main.elf"), bundle, TIME_LIMIT, directory)
    return figures(Line(run.serial).output("servers").decode("utf-8", "replace"))


def main():
    build, kernel = os.path.abspath(sys.argv[1]), linux_figures.find_kernel([])
    specs = [(SPEC, figures_of, 192, 1024), (LARGE_SPEC, large_figures_of, 768, 3072)]  # MiB of RAM here and of Linux's machine
    packages = [package for spec, *_ in specs for package in spec["packages"] + [how["package"] for how in spec.get("compiled", {}).values()]]
    absent = [package for package in packages if images.package_tree(package) is None]
    if kernel is None or absent:
        print(f"skipped: not in the cache: {', '.join(absent) or 'the cloud kernel'} (./caisson selftest --nightly unpacks them)")
        sys.exit(77)
    ours, linux = {"memory": {}}, {"memory": {}}
    for spec, figures, here, there in specs:
        with tempfile.TemporaryDirectory() as directory:
            root = os.path.join(directory, "root")
            images.make_root(spec, root, [])
            for side, ram, found in ((ours, here, in_partition(root, build, directory, figures, here)), (linux, there, on_linux(root, kernel, directory, figures, there))):
                side["memory"].update({name: (ram << 10) - free for name, free in found.pop("free").items()})
                side.update(found)
    if sys.argv[2:] == ["--json"]:
        json.dump({"schema": "caisson.servers/1", "here": ours, "linux": linux}, sys.stdout, indent=1)
        return
    above = []
    for kind in ("requests", "memory"):
        for name, value in ours[kind].items():
            other = linux[kind][name]
            print(f"{kind:<9} {name:<12} {value:>10,.0f} {other:>10,.0f}  {value / other:.2f}")
            above += [f"{kind} of {name}"] if value > other else []
    sys.exit(f"above Linux: {', '.join(above)}" if above else 0)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""`pavise audit --fix --compose`: the override loads, four real programs start under it and answer, and the same audit then
passes but for what the override names as left. Images are made of the programs on this machine: no registry."""

import glob
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvtest import *  # noqa: E402,F403


def libraries(*programs):
    """What the loader would map."""
    found = set()
    for p in programs:
        for m in re.finditer(r"(?:=> )?(/\S+) \(0x", subprocess.run(["ldd", p], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout):
            found.add(m.group(1))
    return sorted(found)


class Image:
    """A tar for `docker import`: programs with their libraries, and busybox as the shell."""

    def __init__(self, users=()):
        self.buf = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.buf, mode="w")
        self.seen = set()
        for d, mode in (("tmp", 0o1777), ("var/tmp", 0o1777), ("proc", 0o755), ("sys", 0o755), ("dev", 0o755), ("run", 0o755)):
            self.folder(d, mode)
        self.link("var/run", "/run")
        self.file("/bin/busybox", "bin/busybox")
        for name in ("sh", "mkdir", "chown", "chmod", "id", "cat", "wget", "nc", "ls", "touch", "rm"):
            self.link(f"bin/{name}", "busybox")
        lines = ["root:x:0:0::/:/bin/sh", *(f"{n}:x:{u}:{u}::{h}:/bin/sh" for n, u, h in users)]
        self.text("etc/passwd", "\n".join(lines) + "\n")
        self.text("etc/group", "root:x:0:\n" + "".join(f"{n}:x:{u}:\n" for n, u, _ in users))
        self.text("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")

    def _parents(self, at):
        parts = at.split("/")[:-1]
        for i in range(len(parts)):
            self.folder("/".join(parts[:i + 1]))

    def folder(self, at, mode=0o755, uid=0):
        if at in self.seen:
            return
        self._parents(at)
        self.seen.add(at)
        i = tarfile.TarInfo(at)
        i.type, i.mode, i.uid, i.gid = tarfile.DIRTYPE, mode, uid, uid
        self.tar.addfile(i)

    def data(self, at, data, mode=0o644, uid=0):
        if at in self.seen:
            return
        self._parents(at)
        self.seen.add(at)
        i = tarfile.TarInfo(at)
        i.size, i.mode, i.uid, i.gid = len(data), mode, uid, uid
        self.tar.addfile(i, io.BytesIO(data))

    def text(self, at, text, mode=0o644, uid=0):
        self.data(at, text.encode(), mode, uid)

    def link(self, at, to):
        self._parents(at)
        i = tarfile.TarInfo(at)
        i.type, i.linkname = tarfile.SYMTYPE, to
        self.tar.addfile(i)

    def file(self, path, at=None):
        at = (at or path).lstrip("/")
        with open(path, "rb") as f:
            self.data(at, f.read(), os.stat(path).st_mode & 0o777)

    def program(self, path, at=None):
        self.file(path, at)
        for lib in libraries(path):
            self.file(os.path.realpath(lib), lib)

    def tree(self, path):
        for top, _, names in os.walk(path):
            for n in names:
                if os.path.isfile(os.path.join(top, n)):
                    self.file(os.path.join(top, n))

    def done(self):
        self.tar.close()
        return self.buf.getvalue()


NGINX_CONF = """error_log /dev/stderr;
pid /run/nginx.pid;
events {}
http {
  access_log /dev/stdout;
  client_body_temp_path /var/cache/nginx/body; proxy_temp_path /var/cache/nginx/proxy; fastcgi_temp_path /var/cache/nginx/fastcgi;
  uwsgi_temp_path /var/cache/nginx/uwsgi; scgi_temp_path /var/cache/nginx/scgi;
  server { listen 80; location / { return 200 "nginx answers\\n"; } }
}
"""

NODE = """const fs = require('fs');
fs.mkdirSync('/data', { recursive: true });
require('http').createServer((q, r) => {
  let n = 0;
  try { n = Number(fs.readFileSync('/data/count', 'utf8')); } catch (e) {}
  fs.writeFileSync('/data/count', String(n + 1));
  r.end('node ' + (n + 1) + '\\n');
}).listen(3000);
"""

# As the official image does it: root gives the folder to its user, then becomes it.
ENTRY = """#!/bin/sh
set -e
mkdir -p "$PGDATA" /run/postgresql
chown -R postgres:postgres "$PGDATA" /run/postgresql
chmod 700 "$PGDATA"
[ -s "$PGDATA/PG_VERSION" ] || /usr/bin/setpriv --reuid=postgres --regid=postgres --clear-groups initdb -D "$PGDATA" -A trust --no-sync >/dev/null
exec /usr/bin/setpriv --reuid=postgres --regid=postgres --clear-groups "$@"
"""

COMPOSE = """version: "2.4"
services:
  web:
    image: t-nginx:1
    ports: ["127.0.0.1:18080:80"]
  db:
    image: t-postgres:1
    volumes: ["pgdata:/var/lib/postgresql/data"]
  cache:
    image: t-redis:1
    mem_limit: 256m
    memswap_limit: 256m
  app:
    image: t-node:1
volumes:
  pgdata: {}
"""


def build(d):
    """The four images; returns those that could be made."""
    made = []
    if shutil.which("nginx"):
        i = Image(users=(("www-data", 33, "/"), ("nobody", 65534, "/"), ("nogroup", 65533, "/")))
        i.program(shutil.which("nginx"))
        i.folder("var/cache/nginx")
        i.folder("var/log/nginx")
        i.folder("usr/share/nginx")
        i.text("etc/nginx/nginx.conf", NGINX_CONF)
        d.import_image(i.done(), "t-nginx:1", ('CMD ["nginx","-g","daemon off;"]', "ENV PATH=/usr/sbin:/usr/bin:/bin", "EXPOSE 80"))
        made.append("web")
    pg = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"))
    if pg and shutil.which("setpriv"):
        home = os.path.dirname(os.path.dirname(pg[-1]))
        version = os.path.basename(home)
        i = Image(users=(("postgres", 999, "/var/lib/postgresql"),))
        for p in ("postgres", "initdb", "psql"):
            i.program(f"{home}/bin/{p}")
        i.program(shutil.which("setpriv"), "usr/bin/setpriv")
        i.tree(f"/usr/share/postgresql/{version}")
        for so in glob.glob(f"{home}/lib/*.so"):
            if os.path.basename(so) in ("plpgsql.so", "dict_snowball.so") or "utf8" in so:
                i.program(so)
        for extra in ("/usr/share/zoneinfo/UTC", "/usr/share/zoneinfo/Etc/UTC"):
            if os.path.exists(extra):
                i.file(extra)
        i.text("docker-entrypoint.sh", ENTRY, 0o755)
        d.import_image(i.done(), "t-postgres:1", ('ENTRYPOINT ["/docker-entrypoint.sh"]', 'CMD ["postgres"]', f"ENV PATH={home}/bin:/usr/bin:/bin",
                                                 "ENV PGDATA=/var/lib/postgresql/data LC_ALL=C", "EXPOSE 5432", 'VOLUME ["/var/lib/postgresql/data"]'))
        made.append("db")
    if shutil.which("redis-server"):
        i = Image(users=(("redis", 999, "/data"),))
        i.program(os.path.realpath(shutil.which("redis-server")), "usr/bin/redis-server")
        i.folder("data", 0o755, 999)
        d.import_image(i.done(), "t-redis:1", ('CMD ["redis-server","--dir","/data","--protected-mode","no"]', "ENV PATH=/usr/bin:/bin", "USER 999", "WORKDIR /data"))
        made.append("cache")
    if shutil.which("node"):
        i = Image()
        i.program(os.path.realpath(shutil.which("node")), "usr/bin/node")
        i.text("app/server.js", NODE)
        d.import_image(i.done(), "t-node:1", ('CMD ["node","/app/server.js"]', "ENV PATH=/usr/bin:/bin"))
        made.append("app")
    return made


class Project:
    """The file below the folder, brought up by docker-compose where there is one."""

    def __init__(self, d, services):
        self.d, self.services = d, services
        self.dir = tempfile.mkdtemp(prefix="pv-override-")
        os.chmod(self.dir, 0o755)
        os.mkdir(f"{self.dir}/shop")
        text = re.sub(r"(?ms)^  (\w+):\n    image.*?(?=^  \w+:\n    image|^volumes)", lambda m: m.group(0) if m.group(1) in services else "", COMPOSE)
        self.file = f"{self.dir}/shop/docker-compose.yml"
        with open(self.file, "w") as f:
            f.write(text)
        self.override = f"{self.dir}/shop/docker-compose.pavise.yml"
        self.conf = f"{self.dir}/pavise.yaml"
        with open(self.conf, "w") as f:
            f.write(f"state_dir: {self.dir}/state\ndocker: {{socket: {d.sock}}}\npodman: {{socket: no}}\n")
        os.chmod(self.conf, 0o600)

    def pavise(self, *args):
        r = subprocess.run([PAVISE, "audit", "--config", self.conf, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, timeout=60)
        return r.returncode, r.stdout, r.stderr

    def compose(self, *args, files=None, check=True):
        names = [x for f in files or [self.file] for x in ("-f", f)]
        r = subprocess.run(["docker-compose", "-p", "shop", *names, *args], env={**os.environ, "DOCKER_HOST": f"unix://{self.d.sock}", "PYTHONWARNINGS": "ignore"},
                           cwd=f"{self.dir}/shop", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120 * SLOW)
        if check and r.returncode:
            raise RuntimeError(f"docker-compose {args}: {r.stdout}")
        return r.stdout

    def container(self, service):
        for c in self.d.containers():
            if c["Labels"].get("com.docker.compose.service") == service:
                return Container(self.d, c["Id"])
        raise RuntimeError(f"no container of {service}")

    def done(self):
        shutil.rmtree(self.dir, ignore_errors=True)


def answers(p, service):
    """What the service says when it is asked; "" when it does not."""
    try:
        c = p.container(service)
        if service == "web":
            return c.exec("wget", "-q", "-O", "-", "http://127.0.0.1/")
        if service == "app":
            return c.exec("wget", "-q", "-O", "-", "http://127.0.0.1:3000/")
        if service == "cache":
            return c.exec("sh", "-c", "printf 'SET k v\\r\\nGET k\\r\\nSAVE\\r\\nQUIT\\r\\n' | nc 127.0.0.1 6379")
        return c.exec("psql", "-h", "127.0.0.1", "-U", "postgres", "-tAc", "CREATE TABLE IF NOT EXISTS t(a int); INSERT INTO t VALUES (1); SELECT 'rows', count(*) FROM t", timeout=20)
    except (ApiError, OSError, RuntimeError):
        return ""


WANT = {"web": r"nginx answers", "app": r"node \d+", "cache": r"\+OK\s+\$1\s+v\s+\+OK", "db": r"rows\|\d+"}


def test_override(tap):
    if not shutil.which("docker-compose"):
        raise Skip("docker-compose is not installed")
    with Dockerd() as d:
        services = build(d)
        p = Project(d, services)
        try:
            run(tap, d, p, services)
        finally:
            p.compose("down", "-v", "-t", "1", check=False)
            p.done()
        for s in WANT:
            if s not in services:
                tap.skip(f"{s} under the override", "its program is not on this machine")


def run(tap, d, p, services):
    p.compose("up", "-d")
    for s in services:
        if not wait_for(lambda: re.search(WANT[s], answers(p, s)), 15 * SLOW, 0.3):
            tap.note(f"{s}: {p.container(s).state()} {p.container(s).logs()}")
        tap.ok(re.search(WANT[s], answers(p, s)), f"{s} answers before", answers(p, s))

    code, out, err = p.pavise("--compose", p.file, "--fix", "--dry-run")
    tap.ok(code == 0 and not os.path.exists(p.override) and "read_only: true" in out, "a rehearsal writes nothing", f"{code} {out} {err}")
    code, out, err = p.pavise("--compose", p.file, "--fix", "--yes")
    with open(p.override) as f:
        text = f.read()
    tap.note(text)
    os.makedirs(os.path.join(REPO, "build/test/evidence"), exist_ok=True)
    with open(os.path.join(REPO, "build/test/evidence/audit-override.txt"), "w") as o:
        o.write(text)
    tap.ok(code == 0 and out.strip() == text.strip() and "up -d" in err, "the override is shown and written", f"{code} {out} {err}")
    tap.ok("not applied" not in text, "everything was observed", text)
    if "app" in services:
        tap.ok('"pavise_app_data:/data"' in text and "lost when the container is recreated" in text, "a written folder becomes a volume, and is named as lost till now", text)

    config = p.compose("config", files=[p.file, p.override])
    tap.ok("no-new-privileges" in config, "docker-compose loads both", config)
    p.compose("up", "-d", files=[p.file, p.override])
    for s in services:
        wait_for(lambda: re.search(WANT[s], answers(p, s)), 15 * SLOW, 0.3)
        got = answers(p, s)
        tap.ok(re.search(WANT[s], got), f"{s} answers under the override", f"{got!r} {p.container(s).state()} {p.container(s).logs()}")
        host = p.container(s).inspect()["HostConfig"]
        tap.ok(host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and host["SecurityOpt"] == ["no-new-privileges:true"] and host["PidsLimit"] == 100 and host["Memory"] and
               host["NanoCpus"], f"{s} is hardened", host)
    for s in ("db", "app"):
        if s not in services:
            continue
        number = lambda: int((wait_for(lambda: re.search(r"(\d+)\s*$", answers(p, s)), 20 * SLOW, 0.3) or re.match("(0)", "0")).group(1))
        before = number()
        p.container(s).restart()
        tap.ok(number() > before, f"{s} keeps its data over a restart")
        p.compose("up", "-d", "--force-recreate", "--no-deps", s, files=[p.file, p.override])
        tap.ok(number() > before, f"{s} keeps its data when it is recreated")

    named = set(re.findall(r"(?m)^# (\S+) (\S+?):", text.split("# Left")[1])) if "# Left" in text else set()
    code, out, err = p.pavise("--compose", f"{p.file},{p.override}", "--format", "json")
    left = {(x["id"], x["subject"]["name"]) for x in json.loads(out)["findings"] if x["verdict"] == "fail"}
    tap.eq(left, named, "the same audit over both files fails only in what the override names")
    tap.ok(not {i for i, _ in left} & {"ctr.readonly-rootfs", "ctr.cap-drop-all", "ctr.no-new-privileges", "ctr.pids-limit", "ctr.memory-limit", "ctr.cpu-limit", "ctr.tmpfs-tmp"},
           "and in none of the hardening", left)
    live = {(x["id"], x["subject"]["name"]) for x in json.loads(p.pavise("--only", "ctr", "--format", "json")[1])["findings"] if x["verdict"] == "fail"}
    tap.ok(not {i for i, _ in live} - {"ctr.non-root", "ctr.healthcheck", "ctr.image-tag"}, "the running containers pass, too", live)

    code, out, err = p.pavise("--compose", p.file, "--fix", "--yes")
    tap.eq(code, 0, "our own file is written again")
    code, out, err = p.pavise("--undo", "--yes")
    tap.ok(code == 0 and not os.path.exists(p.override), "undo takes the file away", f"{code} {out} {err}")
    with open(p.override, "w") as f:
        f.write("services: {}\n")
    code, out, err = p.pavise("--compose", p.file, "--fix", "--yes")
    tap.ok(code == 3 and open(p.override).read() == "services: {}\n", "somebody else's file is left alone", f"{code} {err}")


main(test_override)

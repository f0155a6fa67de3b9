#!/usr/bin/env python3
"""The rules that say `verified: real`: the real program, started here on the loopback, refuses a login, and what it writes is judged. A
program that is absent is skipped with the reason. Most of them are not installed: tools/setup has unpacked them, and their files are
laid over this process's own view of /usr and /etc."""

import base64
import concurrent.futures
import ctypes
import glob
import http.client
import os
import pwd
import shutil
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvtest import *  # noqa: E402,F403

PVLOGS = os.environ.get("PAVISE_LOGS_HELPER", os.path.join(REPO, "build", "meson", "test", "pvlogs"))
RULES = os.path.join(REPO, "rules", "log")
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:" + ":".join(sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True))
HERE = "127.0.0.1"
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "pavise-test")
ASIDE, MODULES = f"{CACHE}/aside/root", f"{CACHE}/npm/node_modules"
USERS = ("postfix", "postdrop", "Debian-exim", "dovecot", "dovenull", "mysql", "postgres")


def own_view():
    """A mount namespace in which the unpacked programs lie where they belong; the users that their packages would have made."""
    if os.geteuid() or ctypes.CDLL(None, use_errno=True).unshare(0x00020000) != 0:  # CLONE_NEWNS
        return
    sh("mount", "--make-rprivate", "/")
    etc = tempfile.mkdtemp(prefix="pavise-services-etc-")
    sh("mount", "-t", "tmpfs", "-o", "mode=755", "pavise-test", etc)
    for name, line in (("passwd", "{0}:x:{1}:{1}::/nonexistent:/usr/sbin/nologin\n"), ("group", "{0}:x:{1}:\n")):
        with open(f"/etc/{name}") as f:
            text = f.read()
        for i, user in enumerate(USERS):
            if not re.search(f"^{user}:", text, re.M):
                text += line.format(user, 64100 + i)
        write(f"{etc}/{name}", text)
    for place, layers in (("etc", [etc, f"{ASIDE}/etc"]), ("usr", [f"{ASIDE}/usr"]), ("usr/lib", [f"{ASIDE}/lib"])):
        below = ":".join([d for d in layers if os.path.isdir(d)] + [f"/{place}"])
        if ":" in below:
            subprocess.run(["mount", "-t", "overlay", "-o", f"lowerdir={below}", "pavise-test", f"/{place}"], check=False)
    sh("umount", "--lazy", etc)  # overlay keeps it
    os.rmdir(etc)


def need(program):
    found = shutil.which(program, path=PATH)
    if not found:
        raise Skip(f"{program} is not installed")
    return found


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind((HERE, 0))
        return s.getsockname()[1]


class Service:
    """A program in a folder of its own, ended when the block is left."""

    def __init__(self, argv, folder, env=None, user=None, out="out.log"):
        self.argv, self.folder, self.env, self.user, self.out = argv, folder, env, user, os.path.join(folder, out)

    def __enter__(self):
        who = {}
        if self.user and os.geteuid() == 0:
            who = {"user": self.user, "group": pwd.getpwnam(self.user).pw_gid, "extra_groups": []}
        self.p = subprocess.Popen(self.argv, cwd=self.folder, env={**os.environ, "PATH": PATH, **(self.env or {})}, stdin=subprocess.DEVNULL,
                                  stdout=open(self.out, "ab"), stderr=subprocess.STDOUT, start_new_session=True, **who)
        return self

    def __exit__(self, *a):
        for sig in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.p.pid, sig)
            except ProcessLookupError:
                break
            try:
                self.p.wait(5 * SLOW)
                break
            except subprocess.TimeoutExpired:
                pass

    def wait(self, port):
        end = time.monotonic() + 20 * SLOW
        while time.monotonic() < end:
            if self.p.poll() is not None:
                break
            try:
                socket.create_connection((HERE, port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        with open(self.out, errors="replace") as f:
            raise RuntimeError(f"{self.argv[0]} does not listen: {f.read()[-2000:]}")


def http_get(port, path="/", method="GET", auth=None, body=None):
    c = http.client.HTTPConnection(HERE, port, timeout=10 * SLOW)
    headers = {"Authorization": "Basic " + base64.b64encode(auth.encode()).decode()} if auth else {}
    c.request(method, path, body=body, headers=headers)
    r = c.getresponse()
    r.read()
    c.close()
    return r.status


def events(path, service):
    with open(path, "rb") as f:
        data = f.read()
    r = subprocess.run([PVLOGS, RULES, "--", service, "file"], input=data, capture_output=True, check=True)
    return [line.split(" ") for line in r.stdout.decode("utf-8", "replace").splitlines()], data.decode("utf-8", "replace")


def judge(tap, path, service, rule, at_least=1, address=HERE, end=5):
    """The rule took a line of the file, with the address."""
    limit = time.monotonic() + end * SLOW
    while True:
        got, text = events(path, service) if os.path.exists(path) else ([], "")
        hits = [e for e in got if e[2] == rule and e[3] == (address or "-")]
        if len(hits) >= at_least or time.monotonic() > limit:
            break
        time.sleep(0.1)
    tap.ok(len(hits) >= at_least, f"{service}: {rule} takes what the real program writes", f"{got}\n{text[-1500:]}")


def folder():
    d = tempfile.TemporaryDirectory(prefix="pavise-services-", ignore_cleanup_errors=True)
    os.chmod(d.name, 0o755)
    return d


def write(path, text, mode=0o644):
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)
    return path


HTPASSWD = "ada:$apr1$4p9l5qkD$7YBqPhxZLb5GmQ0ZlQ0pq0\n"


def test_nginx(tap):
    nginx = need("nginx")
    with folder() as d:
        port = free_port()
        write(f"{d}/htpasswd", HTPASSWD)
        write(f"{d}/nginx.conf", f"""daemon off; master_process off; pid {d}/pid; error_log {d}/error.log info;
events {{ worker_connections 64; }}
http {{ access_log {d}/access.log combined; client_body_temp_path {d}/b; proxy_temp_path {d}/p; fastcgi_temp_path {d}/f; uwsgi_temp_path {d}/u; scgi_temp_path {d}/s;
server {{ listen {HERE}:{port}; location / {{ auth_basic x; auth_basic_user_file {d}/htpasswd; }} location = /login {{ return 401; }} location = /open {{ return 200; }} }} }}
""")
        with Service([nginx, "-p", d, "-c", f"{d}/nginx.conf", "-e", f"{d}/error.log"], d) as s:
            s.wait(port)
            tap.eq(http_get(port, auth="ada:wrong"), 401, "nginx refuses a password")
            http_get(port, auth="nobody\", client: 203.0.113.9, server: x:wrong")
            http_get(port, auth="eve:wrong")
            http_get(port, "/login", "POST")
            http_get(port)
            judge(tap, f"{d}/error.log", "nginx", "nginx.password", 2)
            judge(tap, f"{d}/access.log", "nginx", "nginx.refused", 4)
        got, _ = events(f"{d}/error.log", "nginx")
        tap.ok(all(e[3] in (HERE, "-") for e in got), "nginx: a forged name moves nothing", got)


def test_apache(tap):
    apache = need("apache2")
    modules = "/usr/lib/apache2/modules"
    if not os.path.exists(f"{modules}/mod_auth_basic.so"):
        raise Skip("apache2 has no modules here")
    with folder() as d:
        port = free_port()
        write(f"{d}/htpasswd", HTPASSWD)
        load = "".join(f"LoadModule {m}_module {modules}/mod_{m}.so\n" for m in
                       ("mpm_event", "authn_file", "authn_core", "authz_user", "authz_core", "auth_basic") if os.path.exists(f"{modules}/mod_{m}.so"))
        user = "User www-data\nGroup www-data\n" if os.geteuid() == 0 else ""
        write(f"{d}/apache.conf", f"""ServerRoot {d}\nServerName x\nListen {HERE}:{port}\nPidFile {d}/pid\nErrorLog {d}/error.log\nLogLevel info\n{load}{user}DocumentRoot {d}
LogFormat "%h %l %u %t \\"%r\\" %>s %O \\"%{{Referer}}i\\" \\"%{{User-Agent}}i\\"" combined\nCustomLog {d}/access.log combined
<Directory {d}>\nAuthType Basic\nAuthName x\nAuthUserFile {d}/htpasswd\nRequire valid-user\n</Directory>
""")
        with Service([apache, "-d", d, "-f", f"{d}/apache.conf", "-DFOREGROUND"], d) as s:
            s.wait(port)
            tap.eq(http_get(port, auth="ada:wrong"), 401, "apache refuses a password")
            http_get(port, auth="eve:wrong")
            http_get(port, "/login", "POST")
            judge(tap, f"{d}/error.log", "apache", "apache.password", 2)
            judge(tap, f"{d}/access.log", "apache", "apache.refused", 3)


def test_caddy(tap):
    caddy = need("caddy")
    with folder() as d:
        port = free_port()
        hashed = "$2a$04$abcdefghijklmnopqrstuuFmEfrkTQnczNzw475xE2VhDrK1uwJiC"  # of `right`, at the least cost
        write(f"{d}/Caddyfile", f"""{{\n admin off\n auto_https off\n}}\nhttp://{HERE}:{port} {{\n log {{\n output file {d}/access.log\n format json\n }}\n basicauth /* {{\n ada {hashed}\n }}\n respond "x"\n}}\n""")
        with Service([caddy, "run", "--config", f"{d}/Caddyfile", "--adapter", "caddyfile"], d, env={"HOME": d, "XDG_DATA_HOME": d, "XDG_CONFIG_HOME": d}) as s:
            s.wait(port)
            tap.eq(http_get(port, auth="ada:wrong"), 401, "caddy refuses a password")
            http_get(port, "/login", "POST")
            judge(tap, f"{d}/access.log", "caddy", "caddy.refused", 2)


def test_haproxy(tap):
    haproxy = need("haproxy")
    with folder() as d:
        port = free_port()
        write(f"{d}/haproxy.cfg", f"""global\n log stdout format raw local0 info\ndefaults\n mode http\n log global\n option httplog\n timeout client 5s\n timeout server 5s\n timeout connect 5s
userlist u\n user ada insecure-password right\nfrontend main\n bind {HERE}:{port}\n http-request auth unless {{ http_auth(u) }}\n http-request return status 200\n""")
        with Service([haproxy, "-f", f"{d}/haproxy.cfg", "-db"], d) as s:
            s.wait(port)
            tap.eq(http_get(port, auth="ada:wrong"), 401, "haproxy refuses a password")
            http_get(port, "/login", "POST")
            judge(tap, f"{d}/out.log", "haproxy", "haproxy.refused", 2)


ASGI = """
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    status = 200 if scope["path"] == "/open" else 401
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"1")]})
    await send({"type": "http.response.body", "body": b"x"})
"""
WSGI = """
def app(environ, start):
    start("401 Unauthorized", [("Content-Length", "1")])
    return [b"x"]
"""
FASTAPI = """
from fastapi import FastAPI, HTTPException
app = FastAPI()
@app.post("/token")
def token():
    raise HTTPException(status_code=401, detail="x")
"""


def python_has(module):
    if subprocess.run(["/usr/bin/python3", "-c", f"import {module}"], capture_output=True, check=False).returncode:
        raise Skip(f"python3-{module} is not installed")


def test_uvicorn(tap):
    python_has("uvicorn")
    with folder() as d:
        port = free_port()
        write(f"{d}/a.py", ASGI)
        with Service(["/usr/bin/python3", "-m", "uvicorn", "a:app", "--host", HERE, "--port", str(port), "--use-colors"], d) as s:
            s.wait(port)
            tap.eq(http_get(port, "/login", "POST"), 401, "the application refuses a login")
            judge(tap, f"{d}/out.log", "uvicorn", "uvicorn.refused")


def test_fastapi(tap):
    python_has("uvicorn")
    python_has("fastapi")
    with folder() as d:
        port = free_port()
        write(f"{d}/a.py", FASTAPI)
        with Service(["/usr/bin/python3", "-m", "uvicorn", "a:app", "--host", HERE, "--port", str(port)], d) as s:
            s.wait(port)
            tap.eq(http_get(port, "/token", "POST"), 401, "the application refuses a login")
            judge(tap, f"{d}/out.log", "fastapi", "fastapi.refused")


def test_gunicorn(tap):
    python_has("gunicorn")
    with folder() as d:
        port = free_port()
        write(f"{d}/a.py", WSGI)
        with Service(["/usr/bin/python3", "-m", "gunicorn", "-b", f"{HERE}:{port}", "--access-logfile", f"{d}/access.log", "a:app"], d) as s:
            s.wait(port)
            tap.eq(http_get(port, "/login", "POST"), 401, "the application refuses a login")
            judge(tap, f"{d}/access.log", "gunicorn", "gunicorn.refused")


EXPRESS = """
const express = require('express'), morgan = require('morgan'), app = express();
app.use(morgan('combined'));
app.use(morgan('dev', {stream: process.stderr}));
app.post('/login', (q, r) => r.status(401).send('x'));
app.listen(+process.argv[2], '127.0.0.1');
"""


def need_modules(*names):
    for name in names:
        if not os.path.isdir(f"{MODULES}/{name}") or not os.path.exists(f"{CACHE}/npm/done"):
            raise Skip(f"{name} is not there: tools/setup could not install it from npm")


def test_express(tap):
    node = need("node")
    need_modules("express", "morgan")
    with folder() as d:
        port = free_port()
        write(f"{d}/a.js", EXPRESS)
        with Service([node, f"{d}/a.js", str(port)], d, env={"NODE_PATH": MODULES}) as s:
            s.wait(port)
            tap.eq(http_get(port, "/login", "POST"), 401, "the application refuses a login")
            judge(tap, f"{d}/out.log", "express", "express.refused")
            judge(tap, f"{d}/out.log", "express", "express.tiny", address=None)


NEXTJS = "export async function POST() { return new Response('x', {status: 401}) }\n"


def test_nextjs(tap):
    """Next.js's own server for development tells requests, without an address; the one for production none at all."""
    node = need("node")
    need_modules("next", "react", "react-dom")
    with folder() as d:
        port = free_port()
        os.makedirs(f"{d}/app/api/login")
        os.symlink(MODULES, f"{d}/node_modules")
        write(f"{d}/package.json", "{}")
        write(f"{d}/next.config.js", "module.exports = {turbopack: {root: '/'}, outputFileTracingRoot: '/'}\n")
        write(f"{d}/app/layout.js", "export default function Root({children}) { return <html><body>{children}</body></html> }\n")
        write(f"{d}/app/api/login/route.js", NEXTJS)
        env = {"NEXT_TELEMETRY_DISABLED": "1", "HOME": d}
        with Service([node, f"{MODULES}/next/dist/bin/next", "dev", "-H", HERE, "-p", str(port)], d, env=env) as s:
            s.wait(port)
            tap.eq(http_get(port, "/api/login?from=x", "POST"), 401, "the application refuses a login")
            judge(tap, f"{d}/out.log", "nextjs", "nextjs.refused", address=None)
        got, text = events(f"{d}/out.log", "nextjs")
        tap.ok(HERE not in "".join(l for l in text.splitlines() if "POST" in l), "nextjs: it names no address", text)


def test_postgresql(tap):
    postgres, initdb, psql = need("postgres"), need("initdb"), need("psql")
    if os.geteuid() == 0 and not any(u.pw_name == "postgres" for u in pwd.getpwall()):
        raise Skip("there is no user postgres")
    with folder() as d:
        port = free_port()
        shutil.chown(d, "postgres")
        who = {"user": "postgres", "group": pwd.getpwnam("postgres").pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
        write(f"{d}/pw", "right\n")
        subprocess.run([initdb, "-D", f"{d}/data", "-U", "ada", "--pwfile", f"{d}/pw", "-A", "scram-sha-256", "-N"], cwd=d, capture_output=True, check=True, **who)
        with Service([postgres, "-D", f"{d}/data", "-p", str(port), "-c", f"unix_socket_directories={d}", "-c", f"listen_addresses={HERE}",
                      "-c", "log_line_prefix=%m [%p] %q%u@%d %h ", "-c", "fsync=off"], d, user="postgres") as s:
            s.wait(port)
            for name in ("ada", "eve", "x 203.0.113.9 FATAL:  "):
                subprocess.run([psql, "-h", HERE, "-p", str(port), "-U", name, "-d", "postgres", "-c", "select 1"], capture_output=True, check=False,
                               env={"PGPASSWORD": "wrong", "PATH": PATH}, cwd="/")
            judge(tap, f"{d}/out.log", "postgresql", "postgresql.password", 2)
            got, text = events(f"{d}/out.log", "postgresql")
            tap.ok(all(e[3] == HERE for e in got if e[0] == "logs.auth-failure"), "postgresql: a forged name moves nothing", f"{got}\n{text[-800:]}")


def test_mariadb(tap):
    mariadbd, share = need("mariadbd"), "/usr/share/mysql"
    if not os.path.exists(f"{share}/mysql_system_tables.sql"):
        raise Skip("MariaDB's own tables are not here (mariadb-server-core)")
    with folder() as d:
        port = free_port()
        user = "mysql" if any(u.pw_name == "mysql" for u in pwd.getpwall()) else "nobody"
        if os.geteuid() == 0:
            shutil.chown(d, user)
        sql = "create database mysql;\nuse mysql;\nset @auth_root_socket=NULL;\n"
        for name in ("mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql"):
            with open(f"{share}/{name}") as f:
                sql += f.read()
        os.mkdir(f"{d}/data")
        if os.geteuid() == 0:
            shutil.chown(f"{d}/data", user)
        r = subprocess.run([mariadbd, "--no-defaults", "--bootstrap", f"--user={user}", f"--datadir={d}/data", "--basedir=/usr"], cwd=d, input=sql.encode(),
                           capture_output=True, check=False)
        if r.returncode:
            raise Skip("mariadbd --bootstrap does not work here: " + r.stderr.decode(errors="replace")[-200:].replace("\n", " "))
        with Service([mariadbd, "--no-defaults", f"--user={user}", f"--datadir={d}/data", f"--socket={d}/s", f"--pid-file={d}/pid", f"--port={port}",
                      f"--bind-address={HERE}", "--log-warnings=2", "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0"], d) as s:
            s.wait(port)
            for name in (b"eve", b"x'@'203.0.113.9' (using password: YES)"):
                with socket.create_connection((HERE, port), 5 * SLOW) as c:
                    c.recv(4096)
                    body = struct.pack("<IIB23x", 0x0008A205 & ~8, 1 << 24, 33) + name + b"\0" + b"\x14" + os.urandom(20) + b"mysql_native_password\0"
                    c.sendall(struct.pack("<I", len(body))[:3] + b"\x01" + body)
                    c.recv(4096)
            judge(tap, f"{d}/out.log", "mariadb", "mariadb.denied", 2)


def test_redis(tap):
    redis = need("redis-server")
    with folder() as d:
        port = free_port()
        with Service([redis, "--port", str(port), "--bind", HERE, "--save", "", "--dir", d], d) as s:
            s.wait(port)
            with socket.create_connection((HERE, port), 5 * SLOW) as c:
                c.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n\r\n")
                c.settimeout(2)
                try:
                    c.recv(100)
                except OSError:
                    pass
            judge(tap, f"{d}/out.log", "redis", "redis.cross-protocol", address=None)


def test_dovecot(tap):
    dovecot = need("dovecot")
    if not os.path.exists("/usr/lib/dovecot/imap"):
        raise Skip("dovecot-imapd is not installed")
    if os.geteuid():
        raise Skip("dovecot needs root")
    with folder() as d:
        port = free_port()
        write(f"{d}/passwd", "ada:{PLAIN}right::::::\n")
        write(f"{d}/dovecot.conf", f"""base_dir = {d}/run\nlog_path = {d}/dovecot.log\nprotocols = imap\nlisten = {HERE}\nssl = no\ndisable_plaintext_auth = no\nauth_mechanisms = plain
auth_verbose = yes\nauth_failure_delay = 0\nstate_dir = {d}/state\npassdb {{\n driver = passwd-file\n args = {d}/passwd\n}}\nuserdb {{\n driver = static\n args = uid=nobody gid=nogroup home=/nonexistent\n}}
service imap-login {{\n inet_listener imap {{\n port = {port}\n }}\n inet_listener imaps {{\n port = 0\n }}\n chroot =\n}}\n""")
        with Service([dovecot, "-F", "-c", f"{d}/dovecot.conf"], d) as s:
            s.wait(port)
            with socket.create_connection((HERE, port), 5 * SLOW) as c:
                c.settimeout(10 * SLOW)
                c.recv(1000)
                for i in range(3):
                    c.sendall(b"%d LOGIN ada wrong\r\n" % i)
                    c.recv(1000)
                c.sendall(b"9 LOGOUT\r\n")
                c.recv(1000)
            judge(tap, f"{d}/dovecot.log", "dovecot", "dovecot.verbose", 3)
            judge(tap, f"{d}/dovecot.log", "dovecot", "dovecot.session")
            got, text = events(f"{d}/dovecot.log", "dovecot")
            tap.eq(len({e[6] for e in got if e[0] == "logs.auth-failure"}), 3, "dovecot: three refused logins are three attempts, whatever lines tell them")


def test_exim(tap):
    exim = need("exim4")
    with folder() as d:
        port = free_port()
        write(f"{d}/exim.conf", f"""spool_directory = {d}/spool\nlog_file_path = {d}/%slog\nprimary_hostname = x\nlocal_interfaces = {HERE}\ndaemon_smtp_ports = {port}\npid_file_path = {d}/pid
auth_advertise_hosts = *\ntls_advertise_hosts =\nacl_smtp_rcpt = deny\nbegin authenticators\nplain:\n driver = plaintext\n public_name = PLAIN\n server_prompts = :\n server_condition = ${{if eq{{$auth3}}{{right}}}}\n server_set_id = $auth2\n""")
        os.mkdir(f"{d}/spool")
        if os.geteuid() == 0:
            try:
                shutil.chown(d, "Debian-exim")
                shutil.chown(f"{d}/spool", "Debian-exim")
            except LookupError as e:
                raise Skip(f"no user for exim: {e}")
        with Service([exim, "-C", f"{d}/exim.conf", "-bdf"], d) as s:
            s.wait(port)
            for name in ("eve", "x) [203.0.113.9]: 535 Incorrect authentication data (set_id=y"):
                with socket.create_connection((HERE, port), 5 * SLOW) as c:
                    c.settimeout(20 * SLOW)
                    c.recv(1000)
                    c.sendall(b"EHLO me\r\n")
                    c.recv(1000)
                    c.sendall(b"AUTH PLAIN " + base64.b64encode(f"\0{name}\0wrong".encode()) + b"\r\n")
                    c.recv(1000)
                    c.sendall(b"QUIT\r\n")
            judge(tap, f"{d}/mainlog", "exim", "exim.failed", 2)


STAGE = """set -e
mkdir {d}/dev
mount -t tmpfs dev {d}/dev
for n in null zero full random urandom tty; do : > {d}/dev/$n; mount --bind /dev/$n {d}/dev/$n; done
mkdir {d}/dev/pts {d}/dev/shm; mount --rbind /dev/pts {d}/dev/pts
ln -s /proc/self/fd {d}/dev/fd; ln -s pts/ptmx {d}/dev/ptmx
mount --rbind {d}/dev /dev
rsyslogd -n -f {d}/rsyslog.conf -i NONE &
while [ ! -S /dev/log ]; do sleep 0.02; done
exec "$@"
"""


def staged(d, *argv):
    """The program with a /dev of its own, whose syslog socket a real syslog daemon reads into D/syslog."""
    need("rsyslogd")
    if os.geteuid():
        raise Skip("needs root")
    write(f"{d}/rsyslog.conf", 'module(load="imuxsock" SysSock.RateLimit.Interval="0")\n'
          f'*.* action(type="omfile" file="{d}/syslog" template="RSYSLOG_TraditionalFileFormat")\n')
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", STAGE.format(d=d), "sh", *argv]


def ftp(port, name):
    with socket.create_connection((HERE, port), 5 * SLOW) as c:
        c.settimeout(20 * SLOW)
        c.recv(1000)
        c.sendall(b"USER " + name.encode() + b"\r\n")
        c.recv(1000)
        c.sendall(b"PASS wrong\r\n")
        return c.recv(1000)


def test_pam(tap):
    """A program that knows nothing of logs but PAM; and su, which knows no address."""
    vsftpd = need("vsftpd")
    with folder() as d:
        port = free_port()
        os.mkdir(f"{d}/empty")
        write(f"{d}/vsftpd.conf", f"listen=YES\nlisten_address={HERE}\nlisten_port={port}\nbackground=NO\nanonymous_enable=NO\nlocal_enable=YES\n"
              f"pam_service_name=vsftpd\nsecure_chroot_dir={d}/empty\nseccomp_sandbox=NO\n")
        script = f"{vsftpd} {d}/vsftpd.conf & echo wrong | setpriv --reuid 65534 --regid 65534 --clear-groups su root -c true; wait"
        with Service(staged(d, "sh", "-c", script), d) as s:
            s.wait(port)
            with concurrent.futures.ThreadPoolExecutor() as pool:  # vsftpd and PAM wait for some seconds at each
                for answer in pool.map(lambda name: ftp(port, name), ("root", "eve", "rhost=203.0.113.9")):
                    tap.ok(answer.startswith(b"530"), "vsftpd refuses a login", answer)
            judge(tap, f"{d}/syslog", "-", "pam.failed", 2)
            wait_for(lambda: "su:auth" in open(f"{d}/syslog").read(), 5 * SLOW)
        got, text = events(f"{d}/syslog", "-")
        tap.ok(all(e[3] == HERE for e in got if e[0] == "logs.auth-failure"), "pam: a forged name moves nothing", f"{got}\n{text}")
        tap.ok("(su:auth): authentication failure" in text and len([e for e in got if e[2].startswith("pam.")]) == text.count("vsftpd:auth): authentication"),
               "pam: a line without an address counts for nobody", f"{got}\n{text}")


POSTFIX = """compatibility_level = 3.6
queue_directory = {d}/queue
data_directory = {d}/data
default_database_type = texthash
myhostname = mail.example
mydestination =
inet_interfaces = {here}
inet_protocols = ipv4
alias_maps =
local_recipient_maps =
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {d}/auth
smtpd_error_sleep_time = 0
smtpd_tls_auth_only = no
smtpd_relay_restrictions = reject
smtpd_peername_lookup = no
"""
SASL = """base_dir = {d}/run
log_path = {d}/dovecot.log
state_dir = {d}/state
protocols =
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
passdb {{
 driver = passwd-file
 args = {d}/passwd
}}
userdb {{
 driver = static
 args = uid=nobody gid=nogroup home=/nonexistent
}}
service anvil {{
 unix_listener anvil-auth-penalty {{
  mode = 0
 }}
}}
service auth {{
 unix_listener {d}/auth {{
  mode = 0666
 }}
}}
"""


def smtp(port, *lines):
    with socket.create_connection((HERE, port), 5 * SLOW) as c:
        c.settimeout(20 * SLOW)
        c.recv(1000)
        for line in ("EHLO me", *lines):
            c.sendall(line.encode() + b"\r\n")
            answer = c.recv(1000)
        c.sendall(b"QUIT\r\n")
        return answer


def coded(text):
    return base64.b64encode(text.encode()).decode()


def test_postfix(tap):
    """SMTP AUTH against dovecot's passwords, told through a real syslog daemon."""
    master, dovecot = need("/usr/lib/postfix/sbin/master"), need("dovecot")
    with folder() as d:
        port = free_port()
        argv = staged(d, "sh", "-c", f"{dovecot} -F -c {d}/dovecot.conf & exec {master} -d -c {d}")
        write(f"{d}/main.cf", POSTFIX.format(d=d, here=HERE))
        write(f"{d}/master.cf", f"{HERE}:{port} inet n - n - - smtpd\nanvil unix - - n - 1 anvil\nproxymap unix - - n - - proxymap\nrewrite unix - - n - - trivial-rewrite\n")
        write(f"{d}/dynamicmaps.cf", "")
        write(f"{d}/dovecot.conf", SASL.format(d=d))
        write(f"{d}/passwd", "ada:{PLAIN}right::::::\n")
        for name in ("data", "queue", *(f"queue/{q}" for q in "active bounce corrupt defer deferred flush hold incoming private saved trace maildrop public pid".split())):
            os.mkdir(f"{d}/{name}")
            if name not in ("queue", "queue/pid", "queue/public", "queue/maildrop"):
                shutil.chown(f"{d}/{name}", "postfix")
        shutil.chown(f"{d}/queue/public", "postfix", "postdrop")
        with Service(argv, d, env={"MAIL_CONFIG": d}) as s:
            s.wait(port)
            wait_for(lambda: os.path.exists(f"{d}/auth"), 10)
            for name in ("eve", "x[203.0.113.9]: SASL LOGIN authentication failed: y"):
                tap.ok(smtp(port, "AUTH PLAIN " + coded(f"\0{name}\0wrong")).startswith(b"535"), "postfix refuses a login (PLAIN)")
                answer = smtp(port, "AUTH LOGIN", coded(name), coded("wrong"))
                tap.ok(answer.startswith(b"5"), "postfix refuses a login (LOGIN)", answer)
            tap.ok(smtp(port, "AUTH PLAIN " + coded("\0ada\0right")).startswith(b"235"), "and takes the right password")
            judge(tap, f"{d}/syslog", "-", "postfix.sasl", 4)
        got, text = events(f"{d}/syslog", "-")
        tap.eq(sorted(e[3] for e in got if e[0] == "logs.auth-failure"), [HERE] * 4, "postfix: a forged name moves nothing, a good login is none")


PHPMYADMIN = """<?php
$cfg['blowfish_secret'] = str_repeat('x', SODIUM_CRYPTO_SECRETBOX_KEYBYTES);
$cfg['Servers'][1]['auth_type'] = 'cookie';
$cfg['Servers'][1]['host'] = '{here}';
$cfg['Servers'][1]['port'] = '{db}';
$cfg['Servers'][1]['connect_type'] = 'tcp';
$cfg['TempDir'] = '{d}/tmp';
"""


def refuse_mysql(listener):
    """A server of MySQL's protocol that knows nobody: greeting, then error 1045."""
    greeting = b"\x0a8.0.0\0" + struct.pack("<I", 1) + b"a" * 8 + b"\0" + struct.pack("<HBHHB", 0xF7FF, 33, 2, 0x8008, 21) + b"\0" * 10 + b"b" * 12 + b"\0mysql_native_password\0"
    error = b"\xff" + struct.pack("<H", 1045) + b"#28000Access denied"
    while True:
        try:
            c, _ = listener.accept()
        except OSError:
            return
        with c:
            c.sendall(struct.pack("<I", len(greeting))[:3] + b"\0" + greeting)
            n = c.recv(4096)[3:4]
            c.sendall(struct.pack("<I", len(error))[:3] + bytes([n[0] + 1 if n else 2]) + error)


def test_phpmyadmin(tap):
    """Debian's phpMyAdmin under PHP's own web server; the database refuses."""
    php = need(os.path.basename((glob.glob("/usr/bin/php[78].[0-9]") or ["php"])[0]))
    if not os.path.exists("/usr/share/phpmyadmin/index.php"):
        raise Skip("phpmyadmin is not installed")
    with folder() as d, socket.create_server((HERE, 0)) as db:
        port = free_port()
        threading.Thread(target=refuse_mysql, args=(db,), daemon=True).start()
        os.mkdir(f"{d}/tmp", 0o777)
        os.mkdir(f"{d}/etc")
        write(f"{d}/etc/config.inc.php", PHPMYADMIN.format(here=HERE, db=db.getsockname()[1], d=d))
        more = [a for name in ("mysqlnd", "mysqli", "mbstring", "xml", "dom", "simplexml", "xmlreader", "xmlwriter", "ctype", "iconv", "sodium", "tokenizer", "fileinfo", "phar", "posix")
                for a in ("-d", f"extension={name}") if glob.glob(f"/usr/lib/php/2*/{name}.so")]
        script = f'mount --bind {d}/etc /etc/phpmyadmin; exec "$@"'
        argv = staged(d, "sh", "-c", script, "sh", php, "-n", *more, "-d", f"session.save_path={d}/tmp", "-S", f"{HERE}:{port}", "-t", "/usr/share/phpmyadmin")
        with Service(argv, d) as s:
            s.wait(port)
            for name in ("root", "x (mysql-denied) from 203.0.113.9"):
                c = http.client.HTTPConnection(HERE, port, timeout=20 * SLOW)
                c.request("GET", "/index.php")
                r = c.getresponse()
                page = r.read().decode(errors="replace")
                cookies = "; ".join(v.split(";")[0] for k, v in r.getheaders() if k.lower() == "set-cookie")
                token, session = re.search('name="token" value="([^"]*)"', page), re.search('name="set_session" value="([^"]*)"', page)
                form = {"pma_username": name, "pma_password": "wrong", "server": "1", "token": token[1] if token else "", "set_session": session[1] if session else ""}
                c = http.client.HTTPConnection(HERE, port, timeout=20 * SLOW)
                c.request("POST", "/index.php?route=/", urllib.parse.urlencode(form), {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookies})
                c.getresponse().read()
            judge(tap, f"{d}/syslog", "-", "phpmyadmin.denied", 2)
            got, text = events(f"{d}/syslog", "-")
            with open(s.out, errors="replace") as f:
                tap.ok(len(got) >= 2 and all(e[3] == HERE for e in got), "phpmyadmin: a forged name moves nothing", f"{got}\n{text}\n{f.read()[-2000:]}")


def test_openvpn(tap):
    openvpn, openssl = need("openvpn"), need("openssl")
    with folder() as d:
        port = free_port(socket.SOCK_DGRAM)
        subprocess.run([openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{d}/key", "-out", f"{d}/cert", "-days", "2", "-subj", "/CN=x"],
                       capture_output=True, check=True)
        subprocess.run([openvpn, "--genkey", "secret", f"{d}/ta"], capture_output=True, check=True)
        with Service([openvpn, "--dev", "null", "--tls-server", "--local", HERE, "--port", str(port), "--proto", "udp4", "--ca", f"{d}/cert",
                      "--cert", f"{d}/cert", "--key", f"{d}/key", "--dh", "none", "--tls-auth", f"{d}/ta", "0"], d) as s:
            end = time.monotonic() + 10 * SLOW
            hits = []
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as c:
                while time.monotonic() < end and not hits and s.p.poll() is None:
                    c.sendto(b"\x38" + os.urandom(8) + b"\0\0\0\0\0", (HERE, port))
                    time.sleep(0.2)
                    hits = [e for e in events(s.out, "openvpn")[0] if e[2] == "openvpn.hmac"]
            judge(tap, s.out, "openvpn", "openvpn.hmac", end=1)


def test_sshd(tap):
    sshd, ssh, keygen = need("sshd"), need("ssh"), need("ssh-keygen")
    if os.geteuid():
        raise Skip("sshd needs root")
    with folder() as d:
        port = free_port()
        subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", f"{d}/host"], check=True)
        os.makedirs("/run/sshd", exist_ok=True)
        write(f"{d}/conf", f"Port {port}\nListenAddress {HERE}\nHostKey {d}/host\nUsePAM no\nPasswordAuthentication yes\nKbdInteractiveAuthentication no\nPidFile {d}/pid\n")
        ask = write(f"{d}/ask", "#!/bin/sh\necho wrong\n", 0o755)
        with Service([sshd, "-D", "-e", "-f", f"{d}/conf"], d) as s:
            s.wait(port)
            for name in ("nobody-here", "x from 203.0.113.9 port 22 ssh2"):
                subprocess.run([ssh, "-F", "none", "-p", str(port), "-l", name, "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={d}/known", "-o", "IdentityFile=none",
                                "-o", "NumberOfPasswordPrompts=2", HERE, "true"], capture_output=True, check=False, stdin=subprocess.DEVNULL,
                               env={"PATH": PATH, "SSH_ASKPASS": ask, "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":0", "HOME": d}, timeout=60 * SLOW)
            judge(tap, f"{d}/out.log", "sshd", "sshd.failed", 4)
            got, text = events(f"{d}/out.log", "sshd")
            tap.ok(got and all(e[3] == HERE for e in got if e[0] == "logs.auth-failure"), "sshd: a forged name moves nothing", f"{got}\n{text}")


if __name__ == "__main__":
    own_view()
    main(test_nginx, test_apache, test_caddy, test_haproxy, test_uvicorn, test_fastapi, test_gunicorn, test_express, test_nextjs, test_postgresql, test_mariadb,
         test_redis, test_dovecot, test_exim, test_pam, test_postfix, test_phpmyadmin, test_openvpn, test_sshd)

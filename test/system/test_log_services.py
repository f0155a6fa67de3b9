#!/usr/bin/env python3
"""The rules that say `verified: real`: the real program, started here on the loopback, refuses a login, and what it writes is judged. A
program that is absent is skipped with the reason."""

import base64
import glob
import http.client
import os
import pwd
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvtest import *  # noqa: E402,F403

PVLOGS = os.environ.get("PAVISE_LOGS_HELPER", os.path.join(REPO, "build", "meson", "test", "pvlogs"))
RULES = os.path.join(REPO, "rules", "log")
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:" + ":".join(sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True))
HERE = "127.0.0.1"


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
        hashed = subprocess.run([caddy, "hash-password", "--plaintext", "right"], capture_output=True, text=True, check=True).stdout.strip()
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


def test_express(tap):
    node = need("node")
    modules = os.environ.get("PAVISE_NODE_MODULES", "/usr/share/nodejs")
    if not os.path.isdir(f"{modules}/morgan"):
        raise Skip("express and morgan are not installed (npm install express morgan, then PAVISE_NODE_MODULES=.../node_modules)")
    with folder() as d:
        port = free_port()
        write(f"{d}/a.js", EXPRESS)
        with Service([node, f"{d}/a.js", str(port)], d, env={"NODE_PATH": modules}) as s:
            s.wait(port)
            tap.eq(http_get(port, "/login", "POST"), 401, "the application refuses a login")
            judge(tap, f"{d}/out.log", "express", "express.refused")


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
    main(test_nginx, test_apache, test_caddy, test_haproxy, test_uvicorn, test_fastapi, test_gunicorn, test_express, test_postgresql, test_mariadb,
         test_redis, test_dovecot, test_exim, test_openvpn, test_sshd)

#!/usr/bin/env python3
"""`pavise audit --fix`, --undo, accept, the difference to the last run, and the gate: as a person uses them."""

import http.server
import json
import os
import pty
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvtest import *  # noqa: E402,F403

EVIDENCE = os.path.join(REPO, "build/test/evidence")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ9rM4Y0mB2mTn0b1Q8n5b2mJ1H3x6c0q8nF0m0pV7dQ"


class Folder:
    def __init__(self, at=None):
        self.at = at

    def __enter__(self):
        self.path = os.path.realpath(tempfile.mkdtemp(prefix="pv-fix-", dir=self.at))
        os.chmod(self.path, 0o755)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)

    def write(self, name, text="", mode=0o644):
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def config(self, sock="no"):
        return self.write("pavise.yaml", f"state_dir: {self.path}/state\ndocker: {{socket: {sock}}}\npodman: {{socket: no}}\n", 0o600)

    def project(self, name="shop", owner=0):
        top = os.path.join(self.path, name)
        self.write(f"{name}/.env", "A=1\n")
        self.write(f"{name}/.env.prod", "A=1\n", 0o640)
        self.write(f"{name}/dump.sql.gz", "x")
        os.makedirs(f"{top}/backups")
        os.chmod(f"{top}/backups", 0o755)
        subprocess.run(["git", "init", "-q", top], check=True)
        for at, dirs, files in os.walk(top):
            for x in [at, *(os.path.join(at, f) for f in files)]:
                os.lchown(x, owner, owner)
        return top


def pavise(*args, **kw):
    r = subprocess.run([PAVISE, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=kw.pop("stdin", subprocess.DEVNULL), text=True, timeout=60 * SLOW, **kw)
    return r.returncode, r.stdout, r.stderr


def keep(name, text):
    os.makedirs(EVIDENCE, exist_ok=True)
    with open(os.path.join(EVIDENCE, name), "w") as f:
        f.write(text)


def mode(path):
    return os.stat(path).st_mode & 0o7777


IDS = "file,git.dumps-sessions,backup"


def test_files(tap):
    with Folder() as f:
        conf, top = f.config(), f.project()
        run = lambda *a: pavise("audit", "--config", conf, "--only", IDS, *a)
        shown = f"$ pavise audit --only {IDS} --fix --dry-run {top}\n"
        code, out, err = run("--fix", "--dry-run", top)
        shown += out + err
        tap.ok(code == 0 and mode(f"{top}/.env") == 0o644 and not os.path.exists(f"{top}/.gitignore"), "a rehearsal changes nothing", f"{code} {out} {err}")
        want = [f"chmod 600 {top}/.env ", f"chmod 600 {top}/.env.prod ", f"printf '\\n%s\\n' .env >> {top}/.gitignore", f"printf '\\n%s\\n' dump.sql.gz >> {top}/.gitignore", f"chmod 700 {top}/backups"]
        tap.ok(all(w in out for w in want), "each step is shown as the command that would do it", out)
        code, out, err = run("--fix", top)
        tap.ok(code == 2 and mode(f"{top}/.env") == 0o644, "without a terminal and --yes nothing is done", f"{code} {err}")
        code, out, err = run("--fix", "--yes", top)
        shown += f"$ pavise audit --only {IDS} --fix --yes {top}\n" + out + err
        tap.ok(code == 0 and (mode(f"{top}/.env"), mode(f"{top}/.env.prod"), mode(f"{top}/backups")) == (0o600, 0o600, 0o700), "modes are set", f"{code} {out} {err}")
        tap.eq(open(f"{top}/.gitignore").read().split(), [".env", ".env.prod", "dump.sql.gz"], "what git must not take is ignored")
        left = {(x["id"], x["verdict"]) for x in json.loads(run("--format", "json", top)[1])["findings"]}
        tap.ok(not {i for i, v in left if v == "fail"} & {"file.env-mode", "file.env-ignored", "git.dumps-sessions"}, "the same audit passes then", left)
        code, out, err = run("--undo", "--yes")
        shown += "$ pavise audit --undo --yes\n" + out + err
        tap.ok(code == 0 and (mode(f"{top}/.env"), mode(f"{top}/.env.prod"), mode(f"{top}/backups")) == (0o644, 0o640, 0o755) and not os.path.exists(f"{top}/.gitignore"),
               "undo brings everything back", f"{code} {out} {err}")
        tap.ok("nothing was done" in run("--undo", "--yes")[2], "once")
        keep("P11.1.txt", shown.replace(f.path, "/srv"))
        tap.eq(mode(f"{f.path}/state/undo"), 0o700, "the record is root's")


def test_owner(tap):
    """Who owns the file changes it: root's power is not lent to whoever swaps names."""
    if os.geteuid():
        raise Skip("needs root")
    with Folder() as f:
        conf, top = f.config(), f.project(owner=4242)
        victim = f.write("victim.env", "ROOT=1\n", 0o644)
        run = lambda *a: pavise("audit", "--config", conf, "--only", IDS, *a)
        code, out, err = run("--fix", "--yes", top)
        st = os.stat(f"{top}/.gitignore")
        tap.ok(code == 0 and (st.st_uid, st.st_gid) == (4242, 4242) and mode(f"{top}/.env") == 0o600, "a file that is made belongs to the folder's owner", f"{code} {out} {err} {st}")
        run("--undo", "--yes")
        # The names are swapped after the plan was shown: the prompt holds the command still.
        swaps = {"a link": lambda p: (os.rename(p, p + ".old"), os.symlink(victim, p)), "a hard link": lambda p: (os.unlink(p), os.link(victim, p)),
                 "a FIFO": lambda p: (os.unlink(p), os.mkfifo(p, 0o644)), "root's file": lambda p: (os.unlink(p), shutil.copy(victim, p))}
        for what, swap in swaps.items():
            other = f.project("p" + re.sub(r"\W", "", what), owner=4242)
            path = f"{other}/.env"
            master, slave = pty.openpty()
            p = subprocess.Popen([PAVISE, "audit", "--config", conf, "--only", "file.env-mode", "--fix", other], stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            os.close(slave)
            asked = b""
            while b"[y/N]" not in asked:
                piece = p.stderr.read1(4096)
                if not piece:
                    break
                asked += piece
            swap(path)
            os.write(master, b"y\n")
            out = p.communicate(timeout=30 * SLOW)[0].decode()
            os.close(master)
            tap.ok(p.returncode == 3 and "NOT DONE" in out and mode(victim) == 0o644 and f"done      chmod 600 {other}/.env.prod" in out,
                   f"{what} between check and fix is left alone, and the rest is done", f"{p.returncode} {out}")
            run("--undo", "--yes")


def test_limits(tap):
    with Dockerd() as d, Folder() as f:
        conf = f.config(d.sock)
        d.run("sleep 1000", name="plain")
        d.run(["sh", "-c", "for i in $(seq 80); do sleep 1000 & done; wait"], name="many")
        d.run("sleep 1000", name="has", PidsLimit=50, Memory=64 << 20, NanoCpus=500000000)
        d.run("sleep 1000", name="stopped", start=False)
        wait_for(lambda: len(Container(d, "many").exec("ls", "/proc").split()) > 90, 10)
        host = lambda n: Container(d, n).inspect()["HostConfig"]
        run = lambda *a: pavise("audit", "--config", conf, "--only", "ctr", *a)
        code, out, err = run("--fix", "--dry-run")
        tap.ok("docker update --pids-limit 100 --memory 512m --memory-swap 512m --cpus " in out and out.count("docker update") == 2, "the limits, in one line a container", out)
        tap.ok(re.search(r"left: ctr.pids-limit, many: it uses \d+ processes", out) and "stopped: it does not run" in out, "what its use does not allow is left, with the reason", out)
        code, out, err = run("--fix", "--yes")
        h = host("plain")
        tap.ok(code == 0 and (h["PidsLimit"], h["Memory"], h["MemorySwap"]) == (100, 512 << 20, 512 << 20) and h["NanoCpus"], "live limits", f"{code} {out} {err}")
        h = host("many")
        tap.ok(not h["PidsLimit"] and h["Memory"] == 512 << 20, "the one with many processes keeps its freedom to have them", h)
        tap.ok(Container(d, "plain").running() and Container(d, "many").running() and host("has")["PidsLimit"] == 50, "nothing was stopped, nothing else changed")
        tap.eq(pavise("accept", "--config", conf, "deployments", "--yes")[0], 0, "the deployments are accepted")
        extra = d.run("sleep 1000", name="docker-daemon", start=False)
        code, out, err = pavise("audit", "--config", conf, "--only", "dokploy.unknown-deploys", "--all")
        keep("G7.7.txt", "$ pavise accept deployments --yes\n$ pavise audit --only dokploy.unknown-deploys --all\n" + out)
        tap.ok(code == 1 and "docker-daemon: " in out and "plain" not in out, "a deployment that came is named, and no other", out)
        extra.remove()
        left = [x["subject"]["name"] for x in json.loads(run("--format", "json")[1])["findings"] if x["verdict"] == "fail" and x["id"] in ("ctr.pids-limit", "ctr.memory-limit", "ctr.cpu-limit")]
        tap.eq(sorted(set(left)), ["many", "stopped"], "the same audit passes but for those")
        code, out, err = run("--undo", "--yes")
        h = host("plain")
        tap.ok(code == 0 and h["PidsLimit"] in (0, -1, None) and h["Memory"] > 1 << 30, "undo lifts them", f"{code} {out} {err} {h['PidsLimit']} {h['MemorySwap']}")


def test_accept_and_last(tap):
    """In a mount namespace of its own: the host's keys and cron jobs are made up, and nobody else works in /tmp."""
    world()
    os.makedirs("/run/pv", exist_ok=True)
    with Folder("/run/pv") as f:
        conf = f.config()
        home = f.write("home/.ssh/authorized_keys", f"{KEY} anna@laptop\n")
        passwd = open("/etc/passwd").read()
        fake = f.write("passwd", passwd + f"anna:x:4243:4243::{f.path}/home:/bin/sh\n")
        cron = os.path.join(f.path, "cron.d")
        os.mkdir(cron)
        sh("mount", "--bind", fake, "/etc/passwd")
        sh("mount", "--bind", cron, "/etc/cron.d")
        for shared in ("/tmp", "/var/tmp"):
            if not REPO.startswith(shared + "/"):
                sh("mount", "-t", "tmpfs", "tmpfs", shared)
        try:
            look = lambda: {x["id"]: x for x in json.loads(pavise("audit", "--config", conf, "--format", "json")[1])["findings"]}
            tap.eq(look()["host.new-keys"]["verdict"], "unknown", "with nothing to compare with it is unknown")
            tap.eq(look()["host.new-keys"]["verdict"], "pass", "the run before counts until somebody accepts")
            code, out, err = pavise("accept", "--config", conf, "keys", env={**os.environ, "SUDO_USER": "anna"})
            tap.ok(code == 2 and "anna: ssh-ed25519 anna@laptop" in out, "shown, and asked for", f"{code} {out} {err}")
            code, out, err = pavise("accept", "--config", conf, "keys", "--yes", env={**os.environ, "SUDO_USER": "anna"})
            text = open(f"{f.path}/state/accepted/keys").read()
            tap.ok(code == 0 and re.match(r"# accepted by anna \(uid 0\) at 20\d\d-", text) and mode(f"{f.path}/state/accepted/keys") == 0o600, "who and when are kept", text)
            with open(home, "a") as o:
                tabs = (KEY[:-3] + "AAA").replace(" ", "\t  ")  # sshd takes them, too
                o.write(f"command=\"x\" {tabs} evil\x1b[2J@worm\n# {KEY} a comment\n")
            found = look()["host.new-keys"]
            tap.ok(found["verdict"] == "fail" and [e["value"] for e in found["evidence"] if e["what"] == "new"] == ["anna: ssh-ed25519 evil\\u001b[2J@worm"], "a key that came is named", found)
            tap.eq(found["remedy"]["command"], "pavise accept keys", "with the command")
            code, out, err = pavise("accept", "--config", conf, "keys", "--yes")
            tap.ok(code == 0 and out.startswith("+ key ") and out.count("\n") == 1 and "\x1b" not in out and "before: accepted by anna" in err, "only what changed is shown", f"{out} {err}")
            tap.eq(look()["host.new-keys"]["verdict"], "pass", "accepted")
            with open(home, "w") as o:
                o.write("")
            code, out, err = pavise("accept", "--config", conf, "keys", "--dry-run")
            tap.ok(out.count("- key ") == 2, "what is gone is shown, too", out)

            screen = lambda: pavise("audit", "--config", conf)[1].splitlines()
            screen()
            tap.ok("nothing new, nothing mended" in screen()[1], "the same twice", screen()[:2])
            with open(f"{cron}/evil", "w") as o:
                o.write("* * * * * root /tmp/x\n")
            lines = screen()
            tap.ok(re.match(r"since 20.*: 1 new \(host.new-files host\)", lines[1]) and len(lines) <= 15, "a new finding is named", lines[:2])
            tap.ok("1 mended (host.new-files host)" in screen()[1], "and when it is gone", screen()[:2])
            with open(f"{f.path}/state/audit/last") as o:
                rows = o.read().splitlines()
            tap.ok(len(rows) > 1 and all(re.match(r"[0-9a-f]{32} \d+ [a-z0-9.-]+ \"", r) for r in rows[1:]), "first seen is kept", rows[:3])
            first = [x.get("first_seen") for x in look().values() if x["verdict"] == "fail"]
            tap.ok(first and all(first), "and told", first)
            accepted_on_host(tap, f, conf)
        finally:
            sh("umount", "/etc/passwd", check=False)
            sh("umount", "/etc/cron.d", check=False)
            sh("umount", "/tmp", "/var/tmp", check=False)


def accepted_on_host(tap, f, conf):
    """/etc/pavise/pavise.ignore: what it accepts is neither new nor mended, and the gate says so."""
    top, there = f.project(), os.path.isdir("/etc/pavise")
    os.makedirs("/etc/pavise", exist_ok=True)
    sh("mount", "-t", "tmpfs", "tmpfs", "/etc/pavise")
    try:
        look = lambda: pavise("audit", "--config", conf, top)
        row = lambda: re.search(r"(?m)^P1\.2 .*$", pavise("audit", "--config", conf, "--gate", "deploy", top)[1]).group(0)
        look()
        tap.ok("FAIL" in row(), "the gate: a row that fails", row())
        soon = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 86400))
        with open("/etc/pavise/pavise.ignore", "w") as o:
            o.write(f"- {{id: file.env-mode, subject: {top}/*, reason: a test, owner: anna, expires: {soon}}}\n")
        os.chmod("/etc/pavise/pavise.ignore", 0o644)
        out = look()[1].splitlines()
        tap.ok("accepted in pavise.ignore" in out[0] and "file.env-mode" not in out[1], "accepted: it is neither new nor mended", out[:2])
        tap.ok(" pass " in row() and "[file.env-mode accepted in pavise.ignore]" in row(), "the gate passes the row, and says why", row())
        os.unlink("/etc/pavise/pavise.ignore")
        tap.ok("file.env-mode" not in look()[1].splitlines()[1], "and it is not new when it counts again")
        open("/etc/pavise/pavise.ignore", "w").close()
        os.chmod("/etc/pavise/pavise.ignore", 0o664)
        code, out, err = look()
        tap.ok(code == 2 and "others can write it" in err, "a file that a group can write is refused for the host", err)
    finally:
        sh("umount", "/etc/pavise")
        if not there:
            os.rmdir("/etc/pavise")


def test_guarded(tap):
    """A real sshd: passwords are switched off, and come back unless somebody confirms."""
    if not os.path.exists("/usr/sbin/sshd"):
        raise Skip("openssh-server is not installed")
    world()
    with Folder() as f:
        conf, drop = f.config(), "/etc/ssh/sshd_config.d/00-pavise.conf"
        f.write("ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\nPort 2222\nPidFile /run/sshd.pid\nPasswordAuthentication yes\nPermitRootLogin yes\nUsePAM no\n")
        os.makedirs(f"{f.path}/ssh/sshd_config.d")
        sh("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{f.path}/ssh/ssh_host_ed25519_key")
        os.makedirs(f"{f.path}/root/.ssh")
        os.makedirs(f"{f.path}/home")
        os.makedirs("/root", exist_ok=True)
        os.makedirs("/run/sshd", exist_ok=True)
        mounts = [(f"{f.path}/ssh", "/etc/ssh"), (f"{f.path}/root", "/root"), (f"{f.path}/home", "/home")]
        for a, b in mounts:
            sh("mount", "--bind", a, b)
        daemon = None
        try:
            daemon = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
            wait_for(lambda: os.path.exists("/run/sshd.pid"), 10)
            env = {k: v for k, v in os.environ.items() if k != "SUDO_USER"}
            run = lambda *a: pavise("audit", "--config", conf, *a, env=env)
            offers = lambda: sh("ssh", "-F", "none", "-p", "2222", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "PreferredAuthentications=none",
                                "root@127.0.0.1", "true", check=False) or ""
            tap.ok(wait_for(lambda: "password" in offers(), 10), "sshd takes passwords before", offers())
            code, out, err = run("--only", "ssh", "--fix", "--guarded", "--yes")
            tap.ok("no key can log in yet" in out and not os.path.exists(drop), "without a key nothing is touched", f"{code} {out} {err}")
            with open("/root/.ssh/authorized_keys", "w") as o:
                o.write(KEY + " me\n")
            code, out, err = run("--only", "ssh", "--fix", "--yes")
            tap.ok("only with --guarded" in out and not os.path.exists(drop), "SSH is not touched without --guarded", f"{code} {out} {err}")
            code, out, err = run("--only", "ssh", "--fix", "--guarded", "--within", f"{2 * SLOW:.0f}s", "--yes")
            tap.ok(code == 0 and "PermitRootLogin prohibit-password" in open(drop).read() and "pavise audit --confirm" in err, "written, since root may come by key alone", f"{code} {out} {err}")
            tap.ok(wait_for(lambda: "publickey" in offers() and "password" not in offers(), 5), "sshd follows at once", offers())
            tap.ok(wait_for(lambda: not os.path.exists(drop), 15 * SLOW), "not confirmed: taken back by itself")
            tap.ok(wait_for(lambda: "password" in offers(), 5), "sshd takes passwords again", offers())
            tap.eq(run("--confirm")[0], 2, "too late to confirm")
            code, out, err = run("--only", "ssh", "--fix", "--guarded", "--within", "3s", "--yes")
            code, out, err = run("--confirm")
            time.sleep(4)
            tap.ok(code == 0 and os.path.exists(drop) and "password" not in offers(), "confirmed: it stays", f"{code} {out} {err}")
            run("--undo", "--yes")
            tap.ok(not os.path.exists(drop) and wait_for(lambda: "password" in offers(), 5), "and --undo takes it back", offers())
            with open("/etc/ssh/sshd_config", "r+") as o:
                text = o.read()
                o.seek(0)
                o.write("PasswordAuthentication yes\n" + text)
            code, out, err = run("--only", "ssh", "--fix", "--guarded", "--yes")
            tap.ok(code == 3 and "sshd would not follow it" in err and not os.path.exists(drop), "where sshd would not follow it nothing is left behind", f"{code} {out} {err}")
            with open("/etc/ssh/sshd_config", "w") as o:
                o.write("PermitRootLogin yes\n" + text)
            code, out, err = run("--only", "ssh", "--fix", "--guarded", "--yes")
            tap.ok(code == 3 and "PermitRootLogin" in err and not os.path.exists(drop), "nor where root would go on coming with a password", f"{code} {out} {err}")
        finally:
            if daemon:
                daemon.terminate()
                daemon.wait()
            for _, b in reversed(mounts):
                sh("umount", b, check=False)


class Site:
    """A site with a certificate of a test CA: what it answers is set by the test."""

    def __init__(self, folder):
        self.dir, self.limit, self.cors, self.redirect, self.seen, self.big = folder, True, {}, True, [], False
        key = ["-newkey", "rsa:2048", "-nodes", "-subj"]
        sh("openssl", "req", "-x509", *key, "/CN=test CA", "-days", "2", "-keyout", f"{folder}/ca.key", "-out", f"{folder}/ca.pem")
        sh("openssl", "req", *key, "/CN=shop.test", "-keyout", f"{folder}/k.pem", "-out", f"{folder}/r.pem")
        with open(f"{folder}/ext", "w") as o:
            o.write("subjectAltName=DNS:shop.test\n")
        sh("openssl", "x509", "-req", "-in", f"{folder}/r.pem", "-CA", f"{folder}/ca.pem", "-CAkey", f"{folder}/ca.key", "-CAcreateserial", "-days", "2", "-extfile", f"{folder}/ext", "-out",
           f"{folder}/c.pem")
        self.servers = [self._serve(80, False), self._serve(443, True)]

    def _serve(self, port, tls):
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                site.seen.append((tls, self.command, self.path, body))
                posts = sum(1 for x in site.seen if x[1] == "POST")
                if not tls and site.redirect:
                    self.send_response(301)
                    self.send_header("Location", "https://shop.test" + self.path)
                else:
                    self.send_response((429 if site.limit and posts > 5 else 401) if self.command == "POST" else 200)
                for k, v in site.cors.items():
                    self.send_header(k, self.headers.get("Origin", "") if v == "echo" else v)
                self.end_headers()
                try:
                    for _ in range(100 if site.big else 0):
                        self.wfile.write(b"x" * 65536)
                except OSError:  # it was enough
                    pass
            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(f"{self.dir}/c.pem", f"{self.dir}/k.pem")
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    def close(self):
        for s in self.servers:
            s.shutdown()


def test_probe(tap):
    """A site in this test's network: asked little, judged right, and never anybody else."""
    world()
    with Folder() as f:
        conf, site, mounts = f.config(), Site(f.path), []
        hosts = f.write("hosts", "127.0.0.1 localhost shop.test wrong.test\n203.0.113.9 far.test\n")
        for a, b in ((hosts, "/etc/hosts"), (f"{f.path}/ca.pem", "/etc/ssl/certs/ca-certificates.crt")):
            sh("mount", "--bind", a, b)
            mounts.append(b)
        try:
            def probe(url, *args):
                site.seen.clear()
                code, out, err = pavise("audit", "--config", conf, "--probe", url, "--format", "json", *args)
                return code, {x["id"]: x for x in json.loads(out)["findings"]} if out else {}, err
            login = "https://shop.test/api/login"
            shown = f"$ pavise audit --probe {login}\n" + "".join(pavise("audit", "--config", conf, "--probe", login, "--all")[1:])
            code, got, err = probe(login)
            tap.eq({i: x["verdict"] for i, x in got.items()}, {"tls.https-on": "pass", "tls.redirect": "pass", "app.cors-explicit": "pass", "app.rate-limit": "pass"}, "a good site passes")
            posts = [x for x in site.seen if x[1] == "POST"]
            tap.ok(code == 0 and len(posts) == 6 and len({p[3] for p in posts}) == 1 and b"pavise-probe-" in posts[0][3], "stops at the first 429, one user that cannot exist", site.seen)
            tap.ok("will ask" in err and "7 of them" in err, "announced beforehand", err)
            site.limit, site.redirect, site.cors = False, False, {"Access-Control-Allow-Origin": "echo", "Access-Control-Allow-Credentials": "true"}
            shown += f"(the same site without them)\n$ pavise audit --probe {login}\n" + pavise("audit", "--config", conf, "--probe", login, "--all")[1]
            keep("P4.4.txt", shown)
            code, got, err = probe(login)
            tap.eq({i: x["verdict"] for i, x in got.items()}, {"tls.https-on": "pass", "tls.redirect": "fail", "app.cors-explicit": "fail", "app.rate-limit": "fail"}, "a bad one fails")
            tap.ok(sum(x[1] == "POST" for x in site.seen) == 7 and len(site.seen) == 10, "7 logins, 10 requests in all", site.seen)
            tap.eq((code, got["app.cors-explicit"]["severity"]), (1, "high"), "an echoed origin with credentials is high")
            site.cors, site.big = {"Access-Control-Allow-Origin": "*"}, True
            code, got, err = probe("https://shop.test/")
            tap.eq((got["app.cors-explicit"]["verdict"], got["app.rate-limit"]["verdict"], got["tls.https-on"]["verdict"]), ("pass", "not-applicable", "pass"),
                   "a star without credentials; no login; an answer without end")
            tap.ok(not any(x[1] == "POST" for x in site.seen), "nothing was sent as a login")
            code, got, err = probe("https://wrong.test/")
            tap.ok(got["tls.https-on"]["verdict"] == "fail" and "certificate" in str(got["tls.https-on"]["evidence"]), "a certificate for another name", got["tls.https-on"])
            code, got, err = probe("https://far.test/")
            tap.ok(got["tls.https-on"]["verdict"] == "unknown" and "--probe-remote" in str(got["tls.https-on"]["evidence"]) and code == 3, "another host is not asked", f"{code} {got}")
            for bad in ("http://shop.test/", "https://", "https://a b/", "https://u@shop.test/", "https://shop.test/$(id)", "file:///etc/passwd"):
                tap.eq(pavise("audit", "--config", conf, "--probe", bad)[0], 2, f"{bad} is no URL to probe")
        finally:
            site.close()
            for b in mounts:
                sh("umount", b, check=False)


def test_gate(tap):
    with Folder() as f:
        conf, top = f.config(), f.project()
        f.write("shop/app.js", 'const k = "' + "ghp_" + 'aBcD1234eFgH5678iJkL9012mNoP3456qRsT";\n')
        code, out, err = pavise("audit", "--config", conf, "--gate", "deploy", top)
        keep("P15.5.txt", f"$ pavise audit --gate deploy {top}\n".replace(f.path, "/srv") + out)
        rows = dict(re.findall(r"(?m)^([PG]\d+\.\d+) +(pass|FAIL|could not check)", out))
        with open(os.path.join(REPO, "doc/requirements.tsv")) as r:
            want = {l.split("\t")[0] for l in r if re.match(r"(P([1-9]|10)|G[2-6])\.\d+\t", l)}
        tap.eq(set(rows), want, "every row is answered")
        tap.ok(rows["P1.2"] == rows["P1.3"] == rows["P2.1"] == rows["P2.4"] == "FAIL", "what is wrong fails", out)
        tap.eq((rows["P5.2"], rows["G5.2"]), ("could not check", "could not check"), "what nobody can answer is said so")
        tap.eq(code, 1, "status 1")
        pavise("audit", "--config", conf, "--only", IDS, "--fix", "--yes", top)
        rows = dict(re.findall(r"(?m)^([PG]\d+\.\d+) +(pass|FAIL|could not check)", pavise("audit", "--config", conf, "--gate", "deploy", top)[1]))
        tap.eq((rows["P1.2"], rows["P1.3"], rows["P2.1"]), ("pass", "pass", "pass"), "what was mended passes")
        tap.eq(pavise("audit", "--gate", "nothing")[0], 2, "there is one gate")


main(test_files, test_owner, test_limits, test_accept_and_last, test_guarded, test_probe, test_gate)

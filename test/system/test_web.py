#!/usr/bin/env python3
"""tls.*: what is read out of the configuration of nginx, Apache and Caddy, against what the same servers answer when they run
with it; certificates of a test authority in every state; Traefik by labels; files made to break a reader."""

import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvtest import *  # noqa: E402,F403

NAMES = ["a.example.com", "b.example.com", "c.example.com", "d.example.com", "e.example.com", "www.e.example.com"]


class Ca:
    def __init__(self, folder):
        self.dir = folder
        self.run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "ca.key", "-out", "ca.pem",
                 "-days", "400", "-subj", "/O=Test CA/CN=ca")

    def run(self, *args):
        subprocess.run(["openssl", *args], cwd=self.dir, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def make(self, path, names, days):
        """A certificate that ends in so many days (-1: yesterday), its key beside it."""
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(f"{self.dir}/ext", "w") as f:
            f.write("subjectAltName=" + ",".join("DNS:" + n for n in names) + "\n")
        key = path.replace(".pem", ".key")
        self.run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", "r.csr", "-subj", "/CN=x")
        self.run("x509", "-req", "-in", "r.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", str(days), "-extfile", "ext", "-out", path)
        return path


def audit(*args):
    r = subprocess.run([PAVISE, "audit", "--format", "json", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    return json.loads(r.stdout)["findings"] if r.stdout else r.stderr.decode()


def verdicts(found, fid):
    return {f["subject"]["name"]: f["verdict"] for f in found if f["id"] == fid}


# --- real servers ------------------------------------------------------------------------------------------------------

def nginx_conf(c):
    site = lambda name, body: f"server {{ {body} server_name {name}; root /nonexistent; }}\n"
    tls = lambda cert: f"listen 443 ssl; ssl_certificate {cert}; ssl_certificate_key {cert.replace('.pem', '.key')};"
    inner = (site("a.example.com", "listen 80; location ~ ^/.well-known/ { root /x; } location / { return 301 https://$host$request_uri; }") +
             site("a.example.com", tls(c["good"])) + site("b.example.com", "listen [::]:80; listen 80;") +
             site("c.example.com", "listen 80; " + tls(c["good"])) + site("d.example.com", tls(c["wrong"])) +
             "server { if ($host = e.example.com) {\n return 301 https://$host$request_uri;\n } # managed\n"
             " if ($host = www.e.example.com) { return 301 \"https://$host$request_uri\"; }\n"
             " listen 80; server_name e.example.com www.e.example.com; return 404; }\n" + site("e.example.com www.e.example.com", tls(c["good"])))
    return {"nginx/nginx.conf": "daemon off; pid /run/pv/nginx.pid; error_log /run/pv/nginx.log; events {}\nhttp { access_log off;\n"
                                " include /etc/nginx/conf.d/*.conf; # and no more\n}\n", "nginx/conf.d/sites.conf": inner}


def apache_conf(c):
    host = lambda port, name, body: f"<VirtualHost *:{port}>\n ServerName {name}\n{body}</VirtualHost>\n"
    tls = lambda cert: f" SSLEngine on\n SSLCertificateFile {cert}\n SSLCertificateKeyFile {cert.replace('.pem', '.key')}\n"
    mods = "".join(f"LoadModule {m}_module /usr/lib/apache2/modules/mod_{m}.so\n" for m in ("mpm_event", "authz_core", "ssl", "socache_shmcb", "alias", "rewrite"))
    inner = (host(80, "a.example.com", " Redirect permanent / https://a.example.com/\n") + host(443, "a.example.com", tls(c["good"])) +
             host(80, "b.example.com", "") + host(80, "c.example.com", "") + host(443, "c.example.com", tls(c["good"])) +
             host(443, "d.example.com", tls(c["wrong"])) +
             host(80, "e.example.com", " ServerAlias \\\n   www.e.example.com\n RewriteEngine on\n RewriteRule ^ https://%{SERVER_NAME}%{REQUEST_URI} [END,R=permanent]\n") +
             host(443, "e.example.com", " ServerAlias www.e.example.com\n" + tls(c["good"])))
    return {"apache2/apache2.conf": f"ServerRoot /etc/apache2\nPidFile /run/pv/apache.pid\nErrorLog /run/pv/apache.log\nMutex file:/run/pv default\nServerName x\n"
                                    f"DocumentRoot /run/pv\n{mods}Listen 80\nListen 443\nIncludeOptional sites-enabled/*.conf\n",
            "apache2/sites-enabled/sites.conf": inner}


def caddy_conf(c):
    tls = lambda cert: f"\ttls {cert} {cert.replace('.pem', '.key')}\n"
    return {"caddy/Caddyfile": "{\n\tadmin off\n}\n(common) {\n\tencode gzip\n}\nimport sites/*\n",
            "caddy/sites/all": f"a.example.com {{\n\timport common\n{tls(c['good'])}\trespond ok\n}}\nhttp://b.example.com {{\n\trespond ok\n}}\n"
                               f"http://c.example.com {{\n\trespond ok\n}}\nhttps://c.example.com {{\n{tls(c['good'])}\trespond ok\n}}\n"
                               f"https://d.example.com {{\n{tls(c['wrong'])}\trespond ok\n}}\n"
                               f"http://e.example.com, http://www.e.example.com {{\n\tredir https://{{host}}{{uri}} permanent\n}}\n"
                               f"https://e.example.com,\nhttps://www.e.example.com {{\n{tls(c['good'])}\trespond ok\n}}\n"}


SERVERS = {"nginx": ("/usr/sbin/nginx", nginx_conf, ["/usr/sbin/nginx"]),
           "Apache": ("/usr/sbin/apache2", apache_conf, ["/usr/sbin/apache2", "-DFOREGROUND", "-f", "/etc/apache2/apache2.conf"]),
           "Caddy": ("/usr/bin/caddy", caddy_conf, ["/usr/bin/caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"])}


def over_http(name):
    """none, redirect or served"""
    c = http.client.HTTPConnection("127.0.0.1", 80, timeout=5)
    try:
        c.request("GET", "/some/page", headers={"Host": name})
        r = c.getresponse()
        r.read()
        return "redirect" if r.status in (301, 302, 307, 308) and r.headers.get("Location", "").startswith("https://") else "served"
    except OSError:
        return "none"
    finally:
        c.close()


def over_https(name, ca):
    """none, wrong or good: the chain and the name as a browser checks them"""
    ctx = ssl.create_default_context(cafile=ca)
    try:
        with socket.create_connection(("127.0.0.1", 443), timeout=5) as s, ctx.wrap_socket(s, server_hostname=name):
            return "good"
    except ssl.SSLCertVerificationError:
        return "wrong"
    except (OSError, ssl.SSLError):
        return "none"


def one_server(tap, which, c, ca):
    program, conf, argv = SERVERS[which]
    if not os.path.exists(program):
        tap.skip(which, f"{program} is not installed")
        return
    top = f"/run/pv/etc-{which}"
    for path, text in conf(c).items():
        os.makedirs(os.path.dirname(f"{top}/{path}"), exist_ok=True)
        with open(f"{top}/{path}", "w") as f:
            f.write(text)
    mounted = []
    for d in ("nginx", "apache2", "caddy"):
        if os.path.isdir(f"/etc/{d}") or os.path.isdir(f"{top}/{d}"):
            os.makedirs(f"{top}/{d}", exist_ok=True)
            os.makedirs(f"/etc/{d}", exist_ok=True)
            sh("mount", "--bind", f"{top}/{d}", f"/etc/{d}")
            mounted.append(f"/etc/{d}")
    with open("/run/pv/server.log", "w") as log:
        p = subprocess.Popen(argv, stdout=log, stderr=log, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/run/pv", "XDG_DATA_HOME": "/run/pv",
                                                                "XDG_CONFIG_HOME": "/run/pv"})
    try:
        up = wait_for(lambda: over_http("b.example.com") == "served" and over_https("a.example.com", ca) == "good", 20, 0.2)
        if not tap.ok(up, f"{which} runs", open("/run/pv/server.log").read()[-1500:]):
            return
        found = audit("--config", "/run/pv/audit.yaml", "--only", "tls.https-on,tls.redirect")
        on, redirect = verdicts(found, "tls.https-on"), verdicts(found, "tls.redirect")
        for name in NAMES:
            plain, tls = over_http(name), over_https(name, ca)
            if name == "d.example.com":
                plain = "none"  # whoever asks for it over HTTP gets the first host there is, which is another
            truth = ("pass" if tls == "good" else "fail", "fail" if plain == "served" else "pass")
            if which == "Caddy" and name == "b.example.com":
                truth = ("fail", "fail")
            tap.eq((on.get(name), redirect.get(name)), truth, f"{which}: {name}: HTTP {plain}, HTTPS {tls}")
    finally:
        p.terminate()
        p.wait(10)
        for m in mounted:
            sh("umount", m)


def test_real_servers(tap):
    world()
    ca = Ca("/run/pv")
    c = {"good": ca.make("/run/pv/tls/good.pem", ["a.example.com", "c.example.com", "*.e.example.com", "e.example.com"], 80),
         "wrong": ca.make("/run/pv/tls/wrong.pem", ["other.example.org"], 80)}
    sh("chmod", "-R", "a+rX", "/run/pv/tls")
    with open(os.open("/run/pv/audit.yaml", os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
        f.write("state_dir: /run/pv/state\ndocker: {socket: no}\npodman: {socket: no}\n")
    for which in SERVERS:
        one_server(tap, which, c, "/run/pv/ca.pem")


# --- certificates of a saved host --------------------------------------------------------------------------------------

class Host:
    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="pv-web-")
        os.makedirs(self.path + "/h/etc")
        os.mkdir(self.path + "/ca")
        self.ca = Ca(self.path + "/ca")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)

    def write(self, path, text, mode=0o644):
        full = f"{self.path}/h/{path}"
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb" if isinstance(text, bytes) else "w") as f:
            f.write(text)
        os.chmod(full, mode)

    def live(self, name, days, names=None):
        self.ca.make(f"{self.path}/h/etc/letsencrypt/live/{name}/fullchain.pem", names or [name], days)
        os.rename(f"{self.path}/h/etc/letsencrypt/live/{name}/fullchain.key", f"{self.path}/h/etc/letsencrypt/live/{name}/privkey.pem")

    def site(self, name, extra=""):
        self.write(f"etc/nginx/conf.d/{name}.conf", f"server {{ listen 443 ssl; server_name {name}; ssl_certificate /etc/letsencrypt/live/{name}/fullchain.pem;\n"
                   f"ssl_certificate_key /etc/letsencrypt/live/{name}/privkey.pem; {extra} }}\n")
        self.write("etc/nginx/nginx.conf", "http { include conf.d/*.conf; }\n")

    def look(self, only="tls"):
        return audit("--facts", self.path + "/h", "--only", only)


def test_certificates(tap):
    for days, want in ((-1, "fail"), (20, "fail"), (22, "pass"), (80, "pass")):
        with Host() as h:
            h.live("shop.example.com", days)
            h.site("shop.example.com")
            h.write("etc/systemd/system/timers.target.wants/certbot.timer", "")
            f = [x for x in h.look() if x["id"] == "tls.expiry"][0]
            tap.eq((f["verdict"], f["subject"]["name"]), (want, "shop.example.com"), f"a certificate that ends in {days} days")
            if days < 0:
                tap.eq(f["severity"], "critical", "one that has ended is critical")
    with Host() as h:
        h.live("shop.example.com", 80, ["www.other.org", "*.example.com.evil.org"])
        h.site("shop.example.com")
        tap.eq(verdicts(h.look(), "tls.https-on"), {"shop.example.com": "fail"}, "a certificate for another name")
        h.write("etc/nginx/conf.d/shop.example.com.conf", "server { listen 443 ssl; server_name shop.example.com; ssl_certificate /gone.pem; }")
        tap.eq(verdicts(h.look(), "tls.expiry").get("/gone.pem"), "unknown", "a certificate that is not there cannot be judged")
    renewal = lambda h: [x for x in h.look("tls.renewal")][0]["verdict"]
    with Host() as h:
        h.live("shop.example.com", 80)
        h.site("shop.example.com")
        tap.eq(renewal(h), "fail", "nothing renews it")
        h.write("etc/systemd/system/timers.target.wants/certbot.timer", "")
        tap.eq(renewal(h), "pass", "certbot's timer does")
        h.write("var/log/letsencrypt/letsencrypt.log", "ERROR:certbot._internal.renewal:Failed to renew certificate shop.example.com with error: timeout\n")
        tap.eq(renewal(h), "fail", "the last renewal failed")
        os.unlink(h.path + "/h/var/log/letsencrypt/letsencrypt.log")
        os.unlink(h.path + "/h/etc/systemd/system/timers.target.wants/certbot.timer")
        h.write("var/spool/cron/crontabs/root", "0 3 * * * certbot renew\n")
        tap.eq(renewal(h), "pass", "a cron job does")
    with Host() as h:
        tap.eq({x["verdict"] for x in h.look()}, {"not-applicable"}, "no web server, no certificates: does not apply")
        h.live("old.example.com", -1)
        h.live("shop.example.com", 80)
        h.site("shop.example.com")
        old = [x for x in h.look("tls.expiry") if x["subject"]["name"] == "old.example.com"][0]
        tap.eq((old["verdict"], old["severity"]), ("fail", "low"), "one that no site names is left over")
        os.chmod(h.path + "/h/etc/letsencrypt/live/shop.example.com/privkey.pem", 0o644)
        tap.eq(verdicts(h.look(), "tls.acme-perm"), {"host": "fail"}, "a key that everybody may read")
        os.chmod(h.path + "/h/etc/letsencrypt/live/shop.example.com/privkey.pem", 0o640)
        tap.eq(verdicts(h.look(), "tls.acme-perm"), {"host": "pass"}, "one for the server's group")


# --- Traefik -----------------------------------------------------------------------------------------------------------

def traefik(h, args, labels):
    boxes = {"a" * 64: {"Name": "/traefik", "Config": {"Image": "traefik:v3.1", "Cmd": args, "Labels": {}}},
             "b" * 64: {"Name": "/shop", "Config": {"Image": "shop:1", "Cmd": ["x"], "Labels": labels}}}
    h.write("engine/list.json", json.dumps([{"Id": i, "Labels": {}} for i in boxes]))
    for i, b in boxes.items():
        h.write(f"engine/inspect-{i}.json", json.dumps({**b, "HostConfig": {}, "State": {"Running": True, "Pid": 0}}))
    found = h.look()
    return verdicts(found, "tls.https-on").get("shop.example.com"), verdicts(found, "tls.redirect").get("shop.example.com")


def test_traefik(tap):
    r = "traefik.http.routers."
    web = {"traefik.enable": "true", r + "w.rule": "Host(`shop.example.com`) && PathPrefix(`/`)", r + "w.entrypoints": "web"}
    sec = {r + "s.rule": "Host(`shop.example.com`)", r + "s.entrypoints": "websecure", r + "s.tls.certresolver": "le"}
    mid = {r + "w.middlewares": "gzip,to-https@docker", "traefik.http.middlewares.to-https.redirectscheme.scheme": "https"}
    all_ = ["--entrypoints.web.http.redirections.entrypoint.to=websecure", "--entryPoints.websecure.address=:443"]
    for args, labels, want, what in (([], web, ("fail", "fail"), "HTTP alone"), ([], {**web, **sec}, ("pass", "fail"), "both, no way from one to the other"),
                                     ([], {**web, **sec, **mid}, ("pass", "pass"), "a middleware leads to HTTPS"),
                                     (all_, {**web, **sec}, ("pass", "pass"), "the entry point does"),
                                     (["--entrypoints.websecure.http.tls=true", *all_[:1]], {**web, r + "s.rule": "Host(`shop.example.com`)", r + "s.entrypoints": "websecure"},
                                      ("pass", "pass"), "the entry point speaks TLS"),
                                     ([], {**web, **sec, "traefik.enable": "false"}, (None, None), "not enabled")):
        with Host() as h:
            tap.eq(traefik(h, args, labels), want, f"Traefik: {what}")


# --- made to break it --------------------------------------------------------------------------------------------------

def test_hostile(tap):
    big = b"-----BEGIN CERTIFICATE-----\n" + b"MIIC" + b"A" * 900000 + b"\n-----END CERTIFICATE-----\n"
    rows = {"includes in a loop": lambda h: h.write("etc/nginx/nginx.conf", "http { include nginx.conf; include /etc/nginx/*; }"),
            "a file that never ends": lambda h: (h.write("etc/nginx/nginx.conf", "http { include endless; }"), os.mknod(h.path + "/h/etc/nginx/endless", 0o20644, os.makedev(1, 5))),
            "a file of 30 MB": lambda h: h.write("etc/nginx/nginx.conf", "http {\n" + "server { listen 80; }\n" * 1500000),
            "a pipe": lambda h: (h.write("etc/nginx/nginx.conf", "http { include p; }"), os.mkfifo(h.path + "/h/etc/nginx/p")),
            "a hundred thousand braces": lambda h: h.write("etc/nginx/nginx.conf", "http " + "{ a " * 100000),
            "5,000 sites": lambda h: h.write("etc/nginx/nginx.conf", "http {" + "".join(f"server {{ listen 80; server_name n{i}.example.com; }}\n" for i in range(5000)) + "}"),
            "Apache includes itself": lambda h: h.write("etc/apache2/apache2.conf", "Include apache2.conf\n" * 50),
            "Caddy imports itself": lambda h: h.write("etc/caddy/Caddyfile", "import Caddyfile\nimport ./*\n")}
    for name, make in rows.items():
        with Host() as h:
            try:
                make(h)
            except PermissionError as e:
                tap.skip(name, e)
                continue
            start = time.monotonic()
            v = {x["verdict"] for x in h.look() if x["id"] == "tls.https-on"}
            took = time.monotonic() - start
            tap.ok("unknown" in v and took < 2 * SLOW, f"{name}: unknown, {took * 1000:.0f} ms", v)
    with Host() as h:
        h.site("shop.example.com")
        for name, data in (("giant fields", big), ("nothing", b""), ("no base64", b"-----BEGIN CERTIFICATE-----\n\xff\xfe\n"), ("cut off", big[:200])):
            h.write("etc/letsencrypt/live/shop.example.com/fullchain.pem", data)
            tap.eq(verdicts(h.look(), "tls.expiry"), {"/etc/letsencrypt/live/shop.example.com/fullchain.pem": "unknown"}, f"a certificate of {name}")
        long_ = "a" * 60
        h.live("shop.example.com", 80, [f"{long_}.{i}.example.com" for i in range(300)] + ["shop.example.com"])
        f = h.look()
        tap.eq(verdicts(f, "tls.https-on"), {"shop.example.com": "pass"}, "three hundred names: more than are kept is not a wrong name")


main(test_certificates, test_traefik, test_hostile, test_real_servers)

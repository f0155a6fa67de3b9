#!/usr/bin/env python3
"""Notices on their way out: store, outbox and pavise-sender (started as the launcher starts it, by helpers/pvnotify.c)
against a real HTTPS receiver with its own CA, a stand-in for the journal's socket and one for syslog's. Everything happens
on the loopback of a private network namespace, the CA and the sockets lie in a private mount namespace."""

import hashlib
import hmac
import http.server
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import pvcanary  # noqa: E402
import pvseccomp  # noqa: E402
from pvtest import PAVISE, REPO, main  # noqa: E402

SENDER = os.environ.get("PAVISE_SENDER", os.path.join(os.path.dirname(PAVISE), "pavise-sender"))
HELPER = os.environ.get("PAVISE_NOTIFY_HELPER", os.path.join(REPO, "build", "meson", "test", "pvnotify"))
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
SECRET = pvcanary.KEY  # must appear nowhere but in its file
WORK = os.environ.get("PV_WEBHOOK_WORK", "")


def enter():
    """Once more, in namespaces of our own."""
    work = tempfile.mkdtemp(prefix="pavise-webhook.")
    try:
        code = subprocess.call(["unshare", "--mount", "--net", "--propagation", "private", sys.executable, *sys.argv],
                               env={**os.environ, "PV_WEBHOOK_WORK": work})
    finally:
        shutil.rmtree(work)
    sys.exit(code)


def run(*args):
    subprocess.run([str(a) for a in args], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def certificates(name):
    """A CA of this name and a certificate for the loopback by it."""
    p = os.path.join(WORK, name)
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 2, "-subj",
        f"/CN={name}", "-keyout", p + ".cakey", "-out", p + ".ca")
    run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
        "-keyout", p + ".key", "-out", p + ".csr")
    with open(p + ".ext", "w") as f:
        f.write("subjectAltName=DNS:localhost,IP:127.0.0.1,DNS:hooks.example,DNS:evil.example\n")
    run("openssl", "x509", "-req", "-in", p + ".csr", "-CA", p + ".ca", "-CAkey", p + ".cakey", "-CAcreateserial", "-days", 2,
        "-extfile", p + ".ext", "-out", p + ".pem")
    return p


class Receiver:
    """Answers with what stands in `plan` (status, headers, body), then 204; keeps what came."""

    def __init__(self, certs, port=0):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 5

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((self.path, dict(self.headers), body, time.time()))
                status, headers, text = outer.plan.pop(0) if outer.plan else (204, {}, b"")
                if status == "hang":
                    time.sleep(text)
                    return
                self.send_response(status)
                for k, v in headers.items():
                    self.send_header(k, v)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                try:
                    self.wfile.write(text)
                except OSError:
                    pass

            do_GET = do_POST

            def log_message(self, *a):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *a):  # a client that refuses our certificate
                outer.refused += 1

            def finish_request(self, request, address):
                request.settimeout(5)
                with context.wrap_socket(request, server_side=True) as tls:
                    Handler(tls, address, self)

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certs + ".pem", certs + ".key")
        self.got, self.plan, self.refused = [], [], 0
        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Notifier:
    def __init__(self, *channels):
        self.dir = tempfile.mkdtemp(dir=WORK)
        self.log_path = self.dir + ".log"
        self.log = open(self.log_path, "w")
        secret = os.path.join(WORK, "secret")
        with open(secret, "w") as f:
            f.write(SECRET + "\n")
        argv = [HELPER, self.dir, SENDER]
        for url in channels:
            argv += [url, secret if url.startswith("https:") else "-"]
        env = {**os.environ, "https_proxy": "http://127.0.0.1:9", "SSL_CERT_FILE": "/nowhere", "CURL_CA_BUNDLE": "/nowhere"}
        self.p = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, env=env)

    def ask(self, line):
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()
        return self.p.stdout.readline().strip()

    def run(self, seconds=10):
        return json.loads(self.ask(f"run {seconds}"))

    def end(self):
        """Everything that was written anywhere, as one piece of text."""
        self.p.stdin.close()
        code = self.p.wait(20)
        self.log.close()
        text = f"exit {code}\n".encode()
        for path in [self.log_path] + [os.path.join(self.dir, f) for f in os.listdir(self.dir)]:
            with open(path, "rb") as f:
                text += f.read()
        return code, text


def stand_in(path, kind=socket.SOCK_DGRAM):
    if os.path.lexists(path):
        os.unlink(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    s = socket.socket(socket.AF_UNIX, kind)
    s.bind(path)
    os.chmod(path, 0o666)
    s.settimeout(5)
    return s


def drain(sock):
    try:
        while sock.recv(9000):
            pass
    except OSError:
        pass


def signature_ok(headers, body):
    want = hmac.new(SECRET.encode(), headers["X-Pavise-Timestamp"].encode() + b"." + body, hashlib.sha256).hexdigest()
    return headers["X-Pavise-Signature"] == "sha256=" + want


def test_delivery(tap):
    r = Receiver(GOOD)
    journal, syslog = stand_in("/run/systemd/journal/socket"), stand_in(f"{WORK}/syslog")
    n = Notifier(f"https://localhost:{r.port}/hook?a=b", "journal:", f"syslog://{WORK}/syslog")
    n.ask("add 3 high")
    tap.eq(n.run(), {"waiting": 0, "given_up": 0, "starts": 1}, "three notices reach three channels")
    tap.eq(len(r.got), 3, "the receiver got three")
    for path, headers, body, _ in r.got:
        tap.ok(signature_ok(headers, body), "the signature over timestamp and body is right", headers)
        tap.ok(abs(int(headers["X-Pavise-Timestamp"]) - time.time()) < 20, "the timestamp is that of now")
    path, headers, body, _ = sorted(r.got, key=lambda g: g[1]["X-Pavise-Id"])[0]
    j = json.loads(body)
    tap.eq(path, "/hook?a=b", "path and query as configured")
    tap.eq(headers["Content-Type"], "application/json", "it is JSON")
    tap.eq((j["schema"], j["id"], j["severity"], j["action"], j["subject"]["name"], j["detail"]["evidence"], j["next"]),
           (1, "net.stratum", "high", "blocked", "shop/web", [{"what": "port", "value": "3333"}], "pavise allow shop/web net"),
           "the notice as everybody shows it")
    tap.eq(j["text"], "shop/web tried to connect to 203.0.113.1:3333 (mining port); refused | pavise allow shop/web net",
           "and the sentence")
    tap.eq(len({g[1]["X-Pavise-Id"] for g in r.got}), 3, "each has an id of its own")
    fields = dict(l.split("=", 1) for l in journal.recv(9000).decode().splitlines())
    tap.eq({k: fields.get(k) for k in ("MESSAGE", "PRIORITY", "PAVISE_ID", "PAVISE_SUBJECT", "SYSLOG_IDENTIFIER")},
           {"MESSAGE": j["text"], "PRIORITY": "3", "PAVISE_ID": "net.stratum", "PAVISE_SUBJECT": "shop/web",
            "SYSLOG_IDENTIFIER": "pavise"}, "the journal's fields")
    line = syslog.recv(9000).decode()
    tap.ok(re.match(r"<27>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d pavise\[\d+\]: " + re.escape(j["text"]) + "$", line),
           "the line for syslog", line)
    pid, kib = n.ask("pid"), int(n.ask("pss"))
    with open(f"/proc/{pid}/status") as f:
        status = dict(l.rstrip("\n").split(":\t", 1) for l in f if ":\t" in l)
    tap.eq((status["CapEff"].strip("0"), status["NoNewPrivs"], status["Seccomp"], status["Uid"].split()[0]),
           ("", "1", "2", "63137"), "the sender holds nothing: no capability, no new privileges, a filter, its own user")
    got = pvseccomp.answers(int(pid), ("bpf", "listen", "execve", "execveat", "ptrace", "process_vm_readv", "setns", "mount"))
    if got is None:
        tap.skip("its filter", "unknown machine")
    else:
        tap.ok("allow" not in got.values(), f"its filter refuses {', '.join(got)}", got)
    tap.ok(0 < kib < 16000, f"its memory stays small: PSS {kib} KiB")
    tap.note(f"pavise-sender after three deliveries over TLS: PSS {kib} KiB")
    with open(f"/proc/{pid}/cmdline", "rb") as f, open(f"/proc/{pid}/environ", "rb") as e:
        tap.ok(SECRET.encode() not in f.read() + e.read(), "no secret on the command line or in the environment")
    code, text = n.end()
    tap.eq(code, 0, "the sender ends when its launcher hangs up")
    tap.ok(SECRET.encode() not in text and SECRET.encode() not in b"".join(g[2] for g in r.got) + line.encode(),
           "no secret in log, history, message or body")
    tap.ok(not any(SECRET in str(g[1]) for g in r.got), "no secret in the headers")
    r.stop()


def test_statuses(tap):
    """(what the receiver answers, given up?, deliveries it sees)"""
    for plan, given_up, seen in (
            ([(404, {}, b"")], 1, 1), ([(401, {}, SECRET.encode())], 1, 1),
            ([(302, {"Location": "/other"}, b"")], 1, 1), ([(500, {}, b"")], 0, 2),
            ([(503, {}, b""), (429, {}, b"")], 0, 3), ([(200, {}, b"x" * 200000)], 0, 1),
            ([(200, {"X-Long": "y" * 30000}, b"")], 0, 1)):
        r = Receiver(GOOD)
        r.plan = list(plan)
        n = Notifier(f"https://127.0.0.1:{r.port}/hook")
        n.ask("add 1 high")
        got = n.run(12)
        what = ", ".join(str(p[0]) for p in plan)
        tap.eq((got["waiting"], got["given_up"], len(r.got)), (0, given_up, seen), f"{what}: {len(plan[0][2])} bytes of body")
        tap.eq(len({g[1]["X-Pavise-Id"] for g in r.got}), 1, f"{what}: the same id at each attempt")
        tap.ok(all(g[0] == "/hook" for g in r.got), f"{what}: no redirect is followed")
        tap.ok(SECRET.encode() not in n.end()[1], f"{what}: no secret in log or history")
        r.stop()


def test_retry_after(tap):
    r = Receiver(GOOD)
    r.plan = [(503, {"Retry-After": "4"}, b"")]
    n = Notifier(f"https://127.0.0.1:{r.port}/hook")
    n.ask("add 1 high")
    tap.eq(n.run(15)["waiting"], 0, "delivered in the end")
    pause = r.got[1][3] - r.got[0][3]
    tap.ok(3.9 <= pause <= 7, f"the second attempt came {pause:.1f} s later, as the receiver asked")
    n.end()
    r.stop()


def test_outage(tap):
    """Down, notices gather, up again: one digest, and nothing is lost."""
    r = Receiver(GOOD)
    port = r.port
    r.stop()
    journal = stand_in("/run/systemd/journal/socket")
    n = Notifier(f"https://127.0.0.1:{port}/hook", "journal:")
    n.ask("add 1 high")
    first = n.run(2)
    tap.ok(first["waiting"] == 1 and journal.recv(9000), "the journal has it, the webhook waits", first)
    n.ask("add 29 high")
    n.ask("add 1 critical")
    threading.Thread(target=drain, args=(journal,), daemon=True).start()
    n.run(1)
    r = Receiver(GOOD, port)
    n.ask("skew 5")
    tap.eq(n.run(15)["waiting"], 0, "all delivered after the outage")
    bodies = [json.loads(g[2]) for g in r.got]
    tap.eq(len(bodies), 1, "as one message")
    tap.eq((bodies[0].get("digest"), bodies[0].get("count"), bodies[0].get("severity")), (True, 31, "critical"), "a digest")
    tap.ok(bodies[0]["text"].startswith("31 notices from ") and ": 1 critical, 30 high | shop/web tried" in bodies[0]["text"],
           "that says how many, from when to when, and the worst", bodies[0]["text"])
    tap.ok(signature_ok(r.got[0][1], r.got[0][2]), "signed like all")
    n.end()
    r.stop()


def test_sender_dies(tap):
    r = Receiver(GOOD)
    r.plan = [("hang", {}, 8)]
    n = Notifier(f"https://127.0.0.1:{r.port}/hook")
    n.ask("add 1 high")
    n.run(1)
    n.ask("kill")
    n.ask("skew 95")  # the engine waits that long for an answer
    got = n.run(1)
    n.ask("skew 5")
    got = n.run(10)
    tap.eq((got["waiting"], got["starts"]), (0, 2), "a sender that was killed is started again, the notice goes out")
    tap.eq(len({g[1]["X-Pavise-Id"] for g in r.got}), 1, "the receiver can tell that it is the same")
    n.end()
    r.stop()


def test_certificates(tap):
    """A receiver that the system's CAs do not vouch for, one with another's name, plain http: nothing is handed over."""
    r = Receiver(BAD)
    n = Notifier(f"https://localhost:{r.port}/hook")
    n.ask("add 1 high")
    got = n.run(3)
    tap.eq((got["waiting"], len(r.got)), (1, 0), "unknown CA: refused, kept")
    tap.ok(b"certificate" in n.end()[1], "and the log says so")
    r.stop()
    r = Receiver(GOOD)
    n = Notifier(f"https://127.0.0.2:{r.port}/hook")
    run("ip", "addr", "replace", "127.0.0.2/8", "dev", "lo")
    forward = socket.create_server(("127.0.0.2", r.port))
    threading.Thread(target=pump, args=(forward, r.port), daemon=True).start()
    n.ask("add 1 high")
    tap.eq((n.run(3)["waiting"], len(r.got)), (1, 0), "another's name: refused, kept")
    tap.ok(b"no alternative certificate subject name matches" in n.end()[1], "and the log says so")
    forward.close()
    r.stop()


def pump(listener, port):
    def copy(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
        except OSError:
            pass
        b.close()
    try:
        while True:
            a, _ = listener.accept()
            b = socket.create_connection(("127.0.0.1", port))
            threading.Thread(target=copy, args=(a, b), daemon=True).start()
            threading.Thread(target=copy, args=(b, a), daemon=True).start()
    except OSError:
        pass


def name_server(names):
    """Answers A questions on 127.0.0.1:53, and AAAA with nothing."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 53))

    def serve():
        try:
            while True:
                q, peer = s.recvfrom(512)
                end = q.index(0, 12) + 5
                labels, at = [], 12
                while q[at]:
                    labels.append(q[at + 1:at + 1 + q[at]].decode())
                    at += 1 + q[at]
                address = names.get(".".join(labels)) if q[end - 3] == 1 else None
                answer = b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + socket.inet_aton(address) if address else b""
                s.sendto(q[:2] + b"\x81\x80\0\1" + (b"\0\1" if address else b"\0\0") + b"\0\0\0\0" + q[12:end] + answer, peer)
        except OSError:
            pass

    threading.Thread(target=serve, daemon=True).start()
    return s


def test_names(tap):
    """A name from a name server, and one whose owner points it at the cloud's metadata service."""
    dns = name_server({"hooks.example": "127.0.0.1", "evil.example": "169.254.169.254"})
    run("ip", "addr", "replace", "169.254.169.254/32", "dev", "lo")
    with open(f"{WORK}/resolv.conf", "w") as f:
        f.write("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    run("mount", "--bind", f"{WORK}/resolv.conf", "/etc/resolv.conf")
    r = Receiver(GOOD)
    n = Notifier(f"https://hooks.example:{r.port}/hook")
    n.ask("add 2 high")
    tap.eq((n.run(8)["waiting"], len(r.got)), (0, 2), "a name is looked up inside the sandbox")
    n.end()
    r.stop()
    touched = []
    trap = socket.create_server(("169.254.169.254", 4443))
    threading.Thread(target=lambda: touched.append(accept(trap)), daemon=True).start()
    n = Notifier("https://evil.example:4443/hook")
    n.ask("add 1 high")
    tap.eq((n.run(3)["waiting"], touched), (1, []), "no connection to a link-local address")
    n.end()
    trap.close()
    dns.close()
    run("umount", "/etc/resolv.conf")


def accept(listener):
    try:
        return listener.accept()[1]
    except OSError:
        return None


def test_absent_sockets(tap):
    if os.path.lexists("/run/systemd/journal/socket"):
        os.unlink("/run/systemd/journal/socket")
    n = Notifier("journal:", f"syslog://{WORK}/late")
    n.ask("add 1 high")
    tap.eq(n.run(2)["waiting"], 2, "no journal, no syslog: both wait")
    journal, syslog = stand_in("/run/systemd/journal/socket"), stand_in(f"{WORK}/late", socket.SOCK_STREAM)
    syslog.listen()
    n.ask("skew 5")
    tap.eq(n.run(10)["waiting"], 0, "delivered once they are there")
    tap.ok(b"PAVISE_ID=net.stratum\n" in journal.recv(9000), "to the journal")
    tap.note(f"pavise-sender without a webhook: PSS {n.ask('pss')} KiB")
    c, _ = syslog.accept()
    tap.ok(c.recv(9000).endswith(b"net\0"), "and to a syslog that listens on a stream")
    n.end()


def test_root(tap):
    p = subprocess.run([SENDER], stdin=subprocess.DEVNULL, capture_output=True, timeout=10)
    tap.eq(p.returncode, 78, "as root it does not start")


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("1..1\nok 1 - test_webhook # SKIP needs root for its namespaces")
        sys.exit(0)
    if not WORK:
        enter()
    os.chmod(WORK, 0o711)
    run("ip", "link", "set", "lo", "up")
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    GOOD, BAD = certificates("good"), certificates("bad")
    run("mount", "--bind", GOOD + ".ca", BUNDLE)
    main(test_delivery, test_statuses, test_retry_after, test_outage, test_sender_dies, test_certificates, test_names,
         test_absent_sockets, test_root)

#!/usr/bin/env python3
"""An Engine API that lies, floods and stalls: the guard goes on guarding, keeps its size, and prints no control character."""

import os
import socketserver
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvtest import *  # noqa: E402,F403

ID = "%064x"
NASTY = "evil\x1b[2J\x07\r\n\u202e\x00name"


def inspect(cid, **kw):
    return merge({"Id": cid, "Name": "/fine", "Image": "sha256:" + "a" * 64, "State": {"Running": True, "Pid": 1},
                  "HostConfig": {"RestartPolicy": {"Name": "no"}, "NetworkMode": "bridge"}, "Config": {"Labels": {}, "Image": "x"},
                  "NetworkSettings": {"Networks": {}}}, kw)


class Fake(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    mode = "fine"
    asked = images = 0
    labels = None  # what a container and its image say of themselves (mode claims)

    def __init__(self, *args):
        super().__init__(*args)
        self.told, self.image_told = threading.Event(), threading.Event()


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        try:
            line = self.rfile.readline(4096).decode(errors="replace")
            while self.rfile.readline(4096).strip():
                pass
            self.server.asked += 1
            self.answer(line.split()[1] if len(line.split()) > 1 else "/")
        except (OSError, ValueError):
            pass

    def send(self, body, head=b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"):
        self.wfile.write((head % len(body) if b"%d" in head else head) + body)

    def label(self, path):
        """A container with a label, whose image cannot be had at the first two times."""
        if "/events" in path:
            time.sleep(30)
        elif "/images/" in path:
            self.server.images += 1
            if self.server.images > 2:
                self.send(json.dumps({"Id": "sha256:" + "a" * 64, "Config": {"Labels": {}}}).encode())
            else:
                self.wfile.write(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")
        elif re.search(r"[0-9a-f]{64}", path):
            self.send(json.dumps(inspect(re.search(r"[0-9a-f]{64}", path)[0], Config={"Labels": {"pavise.cpu": "ignore"}})).encode())
        else:
            self.send(b"[]")

    def claims(self, path):
        """An image with labels of a Compose service's; container and image are told when the test says so."""
        m = re.search(r"[0-9a-f]{64}", path)
        if "/events" in path:
            time.sleep(30)
        elif "/images/" in path:
            self.server.images += 1
            self.server.image_told.wait(30)
            self.send(json.dumps({"Id": "sha256:" + "a" * 64, "Config": {"Labels": self.server.labels}}).encode())
        elif m:
            self.server.told.wait(30)
            self.send(json.dumps(inspect(m[0], Config={"Labels": self.server.labels})).encode())
        else:
            self.send(b"[]")

    def answer(self, path):
        mode = self.server.mode
        if mode in ("label", "claims"):
            getattr(self, mode)(path)
            return
        if "/events" in path:
            if mode == "events":
                for _ in range(2000):
                    self.wfile.write(b"{" * 3000 + b"\n")
            else:
                time.sleep(3)
            return
        m = re.search(r"[0-9a-f]{64}", path)
        cid = m.group(0) if m else ID % 1
        fine = json.dumps(inspect(cid) if m else []).encode()
        if mode == "fine":
            self.send(fine)
        elif mode == "huge":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 209715200\r\n\r\n[")
            for _ in range(3200):
                self.wfile.write(b'"' + b"A" * 65534 + b'"')
        elif mode == "chunks":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(100000):
                self.wfile.write(b"1\r\n[\r\n")
        elif mode == "chunk-size":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}")
        elif mode == "deep":
            self.send(b"[" * 500000)
        elif mode == "types":
            self.send(json.dumps({"Id": 7, "Name": ["x"], "State": "on", "HostConfig": None, "Config": {"Labels": [1, 2]},
                                  "NetworkSettings": {"Networks": {"n": 5}}} if m else {"not": "a list"}).encode())
        elif mode == "names":
            self.send(json.dumps(inspect(cid, Name="/" + NASTY, Config={"Labels": {NASTY: NASTY, "pavise.net": "ignore"}},
                                         NetworkSettings={"Networks": {NASTY * 50: {"IPAddress": NASTY}}})
                                 if m else [{"Id": cid, "Names": ["/" + NASTY]}]).encode())
        elif mode == "garbage":
            self.wfile.write(os.urandom(70000))
        elif mode == "status":
            self.wfile.write(b"HTTP/1.1 999999999999 \xff\r\n" + b"X: y\r\n" * 20000)
        elif mode == "early":
            self.send(fine[:20], b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
        elif mode == "stall":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            time.sleep(20)


MODES = ("huge", "chunks", "chunk-size", "deep", "types", "names", "garbage", "status", "early", "events", "stall")


def rss(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmRSS:\s*(\d+)", f.read()).group(1))


def beside_fake():
    """A guard, not started, and the engine that it will find."""
    g = Guard(conf={"sample": "500ms"})
    sock = f"{g.dir}/fake.sock"
    g.write({"docker": {"socket": sock}})
    fake = Fake(sock, Handler)
    threading.Thread(target=fake.serve_forever, daemon=True).start()
    return g, fake


def connect(cg, port=3333):
    r = subprocess.run(["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', cg, helper("pvnet"), "connect", OUT4, str(port)],
                       stdout=subprocess.PIPE, text=True)
    return r.stdout.strip()


def test_hostile(tap):
    w = world()
    g, fake = beside_fake()
    n = [0]

    def container():
        n[0] += 1
        path = os.path.join(w.root, ID % n[0])
        os.makedirs(path)
        return path

    with g:
        roles = g.roles()
        for mode in MODES:
            fake.mode, before = mode, fake.asked
            cg = container()
            p = subprocess.Popen(["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec sleep 100', cg])
            wait_for(lambda: fake.asked > before, 6)
            time.sleep(0.6)
            tap.eq(connect(cg), "EPERM", f"{mode}: refused all the while")
            tap.ok(wait_for(g.answers, 6), f"{mode}: the control socket answers", g.log(4))
            if mode == "names":
                out = g.cmd("events", "--json", check=False) + g.cmd("events", check=False) + g.cmd("top", check=False)
                tap.ok("evil" in out, "names: one of them is on the screen")
                bad = [c for c in out if ord(c) < 32 and c not in "\n\t" or c in "\x7f\u202e"]
                tap.eq(bad, [], "names: no control character on the screen")
            p.kill()
            p.wait()
        tap.eq(g.roles(), roles, "no role has died")
        sizes = {k: rss(v) for k, v in g.roles().items()}
        tap.ok(all(v < 40 << 10 for v in sizes.values()), "every role has kept its size", sizes)
        fake.mode = "fine"
        fake.shutdown()


def test_image_fails(tap):
    """An image that cannot be had at once costs its container no label."""
    w = world()
    g, fake = beside_fake()
    fake.mode = "label"
    with g:
        wait_for(lambda: "Docker: connected" in g.log(), 6)
        os.makedirs(os.path.join(w.root, ID % 900))
        tap.ok(wait_for(lambda: g.status()["exceptions"], 8), "the label holds", f"{fake.images} {g.log(4)}")
        tap.eq(fake.images, 3, "at the third time")
        fake.shutdown()


def test_image_claims(tap):
    """A name that is only what the image says of itself names no notice of before, and is no command where it does."""
    w = world()
    g, fake = beside_fake()
    fake.mode, fake.labels = "claims", {"com.docker.compose.project": "$(touch /tmp/x)", "com.docker.compose.service": "x"}
    cgs = [os.path.join(w.root, f"{n:012x}" + "0" * 52) for n in (0xabcdef012345, 0xabcdef678901)]

    def rows():
        return {(n["subject"]["name"], n["next"]) for n in g.notices("net.stratum")}
    with g:
        wait_for(lambda: "Docker: connected" in g.log(), 6)
        for cg in cgs:
            os.makedirs(cg)
            tap.eq(connect(cg), "EPERM", "refused before its engine says a word")
        before = {(d, f"pavise allow {d} net") for d in ("abcdef012345", "abcdef678901")}
        tap.ok(wait_for(lambda: rows() == before, 5), "told by the first digits of the ids", rows())
        fake.told.set()
        tap.ok(wait_for(lambda: fake.images == 2, 6), "the engine has told; the images are being asked for", g.log(4))
        time.sleep(0.3)
        tap.eq(rows(), before, "which names nothing yet")
        connect(cgs[0], 4444)
        claimed = ("$(touch /tmp/x)/x", "pavise allow '$(touch /tmp/x)/x' net")
        tap.ok(wait_for(lambda: rows() == before | {claimed}, 5), "what comes now bears it, as one word", rows())
        os.rmdir(cgs[1])
        time.sleep(0.5)
        fake.image_told.set()
        tap.ok(wait_for(lambda: rows() == {("fine", "pavise allow fine net"), ("abcdef678901", "pavise allow abcdef678901 net")}, 6),
               "the image has the same labels: what is there has the name of its container, what ended keeps its digits", rows())
        fake.shutdown()


main(test_hostile, test_image_fails, test_image_claims)

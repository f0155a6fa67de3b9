#!/usr/bin/env python3
"""net.stratum against real containers. Each way out is first tried without the guard (it must work, else a refusal would
prove nothing), then with it; beside each stands a benign twin that must go through."""

import base64
import ctypes
import os
import signal
import ssl
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvtest import *  # noqa: E402,F403

MAPPED = "::ffff:" + OUT4
TCP = ("connect", "tcp", "tfo", "mptcp", "uring-tcp")
UDP = ("udp", "udpc", "udp-mmsg", "uring-udp")
FORBIDDEN = [f"{how} {addr} {port}" for how in TCP + UDP for addr in (OUT4, OUT6, MAPPED) for port in (3333,)]
FORBIDDEN += [f"{how} 198.51.100.9 {port}" for how in ("connect", "udp") for port in (4444, 14444)]
FORBIDDEN += [f"rawsyn {OUT4} 3333"]
BENIGN = [f"{how} {addr} {port}" for how in ("tcp", "mptcp", "uring-tcp", "udp", "udpc", "uring-udp")
          for addr in (OUT4, OUT6, MAPPED) for port in (443, 3334)]
BENIGN += [f"tcp {OUT4} 4445", f"tcp {OUT4} 80", f"udp {OUT4} 123", f"rawsyn {OUT4} 3334",
           "tcp 192.0.2.1 3333", "udp 192.0.2.1 3333"]  # the host's own address is no pool
HOST_ONLY = [c for c in FORBIDDEN if not c.startswith("rawsyn")]


class Wire:
    """Counts SYNs that leave towards the outside, by destination port."""

    def __init__(self):
        self.s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.s.bind(("out0", 0))
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.s.setblocking(False)

    def syns(self):
        out = {}
        while True:
            try:
                p = self.s.recv(2048)
            except BlockingIOError:
                return out
            kind = p[12:14]
            if kind == b"\x08\x00":
                at, proto = 14 + (p[14] & 15) * 4, p[23]
            elif kind == b"\x86\xdd":
                at, proto = 54, p[20]
            else:
                continue
            if proto == 6 and len(p) >= at + 14 and p[at + 13] & 0x12 == 2:
                port = int.from_bytes(p[at + 2:at + 4], "big")
                out[port] = out.get(port, 0) + 1


def wrong(cmds, got, want):
    """The commands that did not end as they should."""
    if len(got) != len(cmds):
        return [f"{len(got)} results for {len(cmds)} commands: {got[:5]}"]
    return [f"{c}: {g}" for c, g in zip(cmds, got) if (g not in want if isinstance(want, tuple) else g != want)]


def in_cgroup(cgroup, *argv):
    """Runs a command in a cgroup and in the network namespace that its processes have."""
    pid = next(iter(cgroup_procs(os.path.dirname(cgroup))))
    r = subprocess.run(["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', cgroup, "nsenter", "--net", "-t", str(pid),
                        *argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    return r.stdout.split()


def test_net(tap):
    with Dockerd() as d:
        d.network("usernet", v6="fd00:96::/64")
        world().spawn_out([helper("pvnet"), "-t", "100", "serve", "tcp:9"], "/run/pv/x.log")
        own = subprocess.Popen([helper("pvnet"), "serve", "3333"], stdout=subprocess.PIPE)
        own.stdout.readline()
        where = {
            "bridge": d.run("sleep 1000", name="bridge"),
            "usernet": d.run("sleep 1000", name="usernet", network="usernet"),
            "hostnet": d.run("sleep 1000", name="hostnet", network="host"),
            "nonroot": d.run("sleep 1000", name="nonroot"),
            "shop-web": d.run("sleep 1000", name="shop_web_1",
                              labels={"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}),
        }
        peer = d.run("pvnet serve 3333", name="peer", network="usernet")
        internal = [f"tcp {peer.address()} 3333", f"udp {peer.address()} 3333"]
        servers = d.run("pvnet serve tcp:8080 udp:8080 quic:8081", name="servers",
                        ports={"8080/tcp": 8080, "8080/udp": 8080, "8081/udp": 8081})
        v6 = servers.inspect()["NetworkSettings"]["Networks"]["bridge"]["GlobalIPv6Address"]
        clients = [f"-s {port} {how}" for port in (3333, 4444, 14444)
                   for how in ("tcp 192.0.2.1 8080", "udp 192.0.2.1 8080", "udp 192.0.2.1 8081")]
        clients += [f"-s {port} {how} {v6} {p}" for port in (3333, 4444, 14444)
                    for how, p in (("tcp", 8080), ("udp", 8080), ("udp", 8081))]

        def ask_servers():
            return world().ask(*clients)

        # Without the guard.
        for name in ("bridge", "usernet"):
            tap.eq(wrong(FORBIDDEN, where[name].net(*FORBIDDEN), "ok"), [], f"unguarded, {name}: every way is open")
        tap.eq(wrong(HOST_ONLY, where["hostnet"].net(*HOST_ONLY), "ok"), [], "unguarded, host network: every way is open")
        tap.eq(wrong(clients, ask_servers(), "ok"), [], "unguarded: servers answer clients from ports 3333, 4444, 14444")
        held = where["bridge"].engine.api("POST", f"/containers/{where['bridge'].id}/exec", {
            "Cmd": ["sh", "-c", f"pvnet hold {OUT4} 3333 {15 * SLOW} > /tmp/hold 2>&1"], "AttachStdout": False})["Id"]
        d.api("POST", f"/exec/{held}/start", {"Detach": True})
        tap.ok(wait_for(lambda: "ok" in where["bridge"].exec("cat /tmp/hold"), 5), "unguarded: a connection stands open")
        d.run("sleep 1000", name="mate", NetworkMode="container:bridge")

        with Guard(d) as g:
            wire = Wire()
            for name, c in where.items():
                cmds = HOST_ONLY if name in ("hostnet", "nonroot") else FORBIDDEN
                tap.eq(wrong(cmds, c.net(*cmds), "EPERM"), [], f"{name}: {len(cmds)} ways are refused")
            tap.eq({p: n for p, n in wire.syns().items() if p in (3333, 4444, 14444)}, {}, "no SYN of them on the wire")
            benign = [c for c in BENIGN]
            for name in ("bridge", "usernet"):
                tap.eq(wrong(benign, where[name].net(*benign), "ok"), [], f"{name}: {len(benign)} benign twins go through")
            tap.ok(wire.syns().get(3334, 0) > 0, "SYNs of the benign twins are on the wire")
            tap.eq(wrong(internal, where["usernet"].net(*internal), "ok"), [], "port 3333 of another container is no pool")
            tap.eq(wrong(clients, ask_servers(), "ok"), [],
                   "TCP, UDP and QUIC-like servers answer clients from ports 3333, 4444, 14444")

            cg = os.path.join(where["bridge"].cgroup(), "nested")
            os.mkdir(cg)
            tap.eq(in_cgroup(cg, helper("pvnet"), "connect", OUT4, "3333"), ["EPERM"], "nested cgroup: refused")
            tap.eq(in_cgroup(cg, helper("pvnet"), "connect", OUT4, "443"), ["ok"], "nested cgroup: benign goes through")
            os.rmdir(cg)
            end = wait_for(lambda: [l for l in where["bridge"].exec("cat /tmp/hold").splitlines() if l != "ok"], 20)
            tap.ok(end and end[0] != "open", "the connection opened before the guard came is cut", end)
            late = d.run(["pvnet", "connect", OUT4, "3333"], name="late")
            late.wait()
            tap.eq(late.logs().strip(), "EPERM", "a container's first instruction is already guarded")

            for name, subject in (("bridge", "bridge"), ("usernet", "usernet"), ("hostnet", "hostnet"), ("shop-web", "shop/web")):
                n = g.wait_notice("net.stratum", subject)
                if tap.ok(n, f"notice for {subject}", g.notices()[-5:]):
                    tap.eq((n["action"], n["severity"], n["subject"]["kind"]), ("blocked", "high", "container"),
                           f"{subject}: blocked, high, container")
                    tap.ok(n["next"].startswith(f"pavise allow {subject}"), f"{subject}: the way out is named", n["next"])
            for name in ("servers", "peer", "mate"):  # mate: in the network namespace of whose connection was cut
                tap.eq(g.notices(subject=name), [], f"no notice about {name}")
        own.kill()
        own.wait()


def test_flood(tap):
    """A burst: each connect is refused, and each is counted, in detail or as lost."""
    n = int(os.environ.get("PAVISE_FLOOD", "100000"))
    with Dockerd() as d:
        c = d.run("sleep 1000", name="flood")
        with Guard(d) as g:
            tap.eq(c.exec("pvnet", "flood", OUT4, "3333", str(n), timeout=120), f"{n} 0 0", f"{n} connects, all refused")
            def total():
                lost = g.ask({"verb": "status"})[-1]["status"]["counts"]["lost"]  # a busy machine's ring runs over
                return sum(x["count"] for x in g.notices("net.stratum", "flood")) + lost
            wait_for(lambda: total() >= n, 15)
            tap.eq(total(), n, "the notices count every one, and what was lost is counted, too")
            tap.eq(c.net(f"connect {OUT4} 3333", f"connect {OUT4} 443"), ["EPERM", "ok"], "and it goes on afterwards")


def test_units(tap):
    """A systemd unit's cgroup is blocked like a container; a login session is only told about."""
    w = world()
    with Dockerd():
        with Guard() as g:
            for name, want in (("system.slice/backup.service", "EPERM"),
                               ("user.slice/user-1000.slice/session-7.scope", "ok")):
                cg = os.path.join(w.root, name)
                os.makedirs(cg)
                r = subprocess.run(["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', cg, helper("pvnet"), "connect",
                                    OUT4, "3333"], stdout=subprocess.PIPE, text=True)
                tap.eq(r.stdout.strip(), want, f"{name}: {want}")
            n = g.wait_notice("net.stratum", "backup.service")
            tap.ok(n and n["subject"]["kind"] == "unit" and n["action"] == "blocked", "notice names the unit", g.notices()[-3:])
            n = g.wait_notice("net.stratum", where=lambda n: n["action"] == "alerted")
            tap.ok(n, "the session's connect is told", g.notices()[-3:])


def hello(name):
    """The first bytes of a TLS client, by OpenSSL."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(ssl.MemoryBIO(), out := ssl.MemoryBIO(), server_hostname=name)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def send(c, data, port=443):
    """Bytes to a server outside; what nc says is nobody's concern."""
    c.exec("sh", "-c", f"(echo {base64.b64encode(data).decode()} | base64 -d; sleep 0.3) | nc -w 1 {OUT4} {port} || true")


def signed(text, path):
    """A list of pools and its signature as minisign writes it; returns the public key."""
    s, data = ctypes.CDLL("libsodium.so.23"), text.encode()
    pk, sk, h, out = (ctypes.create_string_buffer(n) for n in (32, 64, 64, 64))
    s.crypto_sign_seed_keypair(pk, sk, b"\7" * 32)

    def sign(what):
        s.crypto_sign_detached(out, None, what, ctypes.c_ulonglong(len(what)), sk)
        return out.raw
    s.crypto_generichash(h, 64, data, ctypes.c_ulonglong(len(data)), None, 0)
    sig = sign(h.raw)
    lines = ("untrusted comment: x", base64.b64encode(b"ED12345678" + sig).decode(), "trusted comment: y",
             base64.b64encode(sign(sig + b"y")).decode())
    for name, content in ((path, text), (path + ".minisig", "\n".join(lines) + "\n")):
        with open(name, "w") as f:
            f.write(content)
        os.chmod(name, 0o644)
    return base64.b64encode(b"Ed12345678" + pk.raw).decode()


LIST = """schema: 1
kind: ioc
name: pools
version: {}
reference: [https://example.org/]
verified: documentation
rules:
  - {{id: net.pool-name, title: a, severity: high, names: [{}], examples: {{yes: [{}], no: [x.org]}}}}
"""


def pools(tap, c, g):
    """net.pool: names asked of DNS and of TLS, words of the protocol, ports; and a list of the owner's own."""
    def told(what, id_="net.pool", act="blocked"):
        n = g.wait_notice(id_, "web", where=lambda n: what in n["detail"]["what"])
        return tap.ok(n and n["action"] == act, f"{id_}: {what}: {act}", [x["detail"]["what"] for x in g.notices()][-6:])
    tap.eq(c.net(f"dns udp {DNS4} 53 gulf.moneroocean.stream", f"dns udp {DNS4} 53 xmrig.com"), ["EPERM", "ok"], "a pool's name is refused, its program's site is not")
    told("asked for gulf.moneroocean.stream")
    send(c, b'{"id":1,"method":"mining.subscribe","params":[]}\n')
    told(f"tried to log in to a mining pool at {OUT4}:443")
    send(c, hello("xmr.nanopool.org"))
    told("tried to reach xmr.nanopool.org at")
    before = len(g.notices())
    send(c, hello("www.example.com"))
    send(c, b'{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}\n')
    tap.eq(len(g.notices()), before, "benign twins of both are let through in silence")
    c.net(f"connect {OUT4} 7777", f"connect {OUT4} 853", f"connect {OUT4} 7777")
    told(f"connected to {OUT4}:7777 (a port that mining pools use)", act="alerted")
    told(f"connected to {OUT4}:853 (DNS over TLS)", "dns.encrypted", "alerted")

    path = os.path.join(g.dir, "pools.yaml")
    key = signed(LIST.format(2999010100, "own-pool.org", "own-pool.org"), path)
    own, shipped = f"dns udp {DNS4} 53 eu.own-pool.org", f"dns udp {DNS4} 53 eu.hashvault.pro"

    def degraded(signal_, what):
        return any(e["signal"] == signal_ and what in e["why"] and e["next"] == "pavise config check" for e in g.ask({"verb": "status"})[-1]["status"]["degraded"])

    def reload(want, **conf):
        g.write(conf)
        g.proc.send_signal(signal.SIGHUP)
        return wait_for(lambda: c.net(own, shipped) == want, 5)
    os.chmod(path, 0o646)
    g.proc.send_signal(signal.SIGHUP)
    tap.ok(wait_for(lambda: degraded("net, dns", "can be written by others"), 5), "a list that others may write to is not used: status says so", g.log(5))
    tap.ok(g.wait_notice("guard.degraded", where=lambda n: "can be written by others" in n["detail"]["what"] and n["next"] == "pavise config check"),
           "and a notice", g.notices()[-2:])
    tap.ok("can be written by others" in g.cmd("doctor", check=False), "and doctor")
    os.chmod(path, 0o644)
    g.proc.send_signal(signal.SIGHUP)
    tap.ok(wait_for(lambda: "no key is configured" in g.log(60), 5) and c.net(own, shipped) == ["ok", "EPERM"],
           "a list without a key to check it by is not used, and it is said so", g.log(5))
    tap.ok(reload(["EPERM", "ok"], net={"pool_key": key}), "with its key it takes the place of ours", g.log(5))
    tap.ok(not degraded("net, dns", ""), "and nothing is degraded any more")
    with open(path, "a") as f:
        f.write("# changed\n")
    g.proc.send_signal(signal.SIGHUP)
    tap.ok(wait_for(lambda: "changed after it was signed" in g.log(60), 5) and c.net(own, shipped) == ["EPERM", "ok"],
           "changed afterwards it is refused, and the one in force stays", g.log(5))
    signed(LIST.format(2999010000, "old-pool.org", "old-pool.org"), path)
    g.proc.send_signal(signal.SIGHUP)
    tap.ok(wait_for(lambda: "is older (version 2999010000)" in g.log(60), 5) and c.net(own, shipped) == ["EPERM", "ok"],
           "so is an older one", g.log(5))
    tap.ok(degraded("configuration", "is older (version 2999010000)"), "which status says until it is mended")
    told = [n["detail"]["what"] for n in g.notices("guard.degraded")]
    tap.eq([sum(w in x for x in told) for w in ("written by others", "no key", "the configuration was refused")], [1, 1, 1], f"each told once: {told}")
    os.unlink(path)


def test_network_removed(tap):
    """Addresses are internal as long as a network of Docker's has them."""
    with Dockerd() as d:
        c = d.run("sleep 1000", name="web")
        d.run("arping -c 60 -I eth0 203.0.113.200", name="frames")
        with Guard(d) as g:
            pools(tap, c, g)
            tap.eq(c.net("connect 198.51.100.7 3333"), ["EPERM"], "outside: refused")
            n = d.api("POST", "/networks/create", {"Name": "odd", "Driver": "bridge",
                                                   "IPAM": {"Config": [{"Subnet": "198.51.100.0/24"}]}})["Id"]
            tap.ok(wait_for(lambda: c.net("udp 198.51.100.7 3333") != ["EPERM"], 5), "a network of Docker's: let through", g.log(4))
            d.api("DELETE", f"/networks/{n}")
            tap.ok(wait_for(lambda: c.net("connect 198.51.100.7 3333") == ["EPERM"], 5), "removed: refused again", g.log(4))
            n = g.wait_notice("net.packet", "frames", 25)
            tap.ok(n and n["action"] == "alerted" and not g.notices("net.packet", "web"), "a container's packet socket is told", n)


main(test_net, test_flood, test_units, test_network_removed)

#!/usr/bin/env python3
"""dns.mining against real containers: every way to ask, through the default bridge and through the embedded resolver of
a user-defined network, with benign twins. Without the guard every question is answered."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvtest import *  # noqa: E402,F403

UDP = ("udp", "udpc", "mmsg", "uring")
RAW = ("raw",)
TCP = ("tcp", "tcpbytes", "tcpsplit:1", "tcpsplit:5", "tcpsplit:16", "tcptwo")
BAD = ("x.mine.org", "pool.example.com", "a.b.mine.example")
GOOD = ("www.example.com", "pool.ntp.org", "0.debian.pool.ntp.org", "mine.example", "xmr.pool.example.org", "pool")
EMBEDDED = "127.0.0.11"


def ways(server, names, modes, opts="-x"):
    return [f"{opts} -t 4000 dns {m} {server} 53 {n}" for m in modes for n in names]


def wrong(cmds, got, fits):
    if len(got) != len(cmds):
        return [f"{len(got)} results for {len(cmds)} commands: {got[:5]}"]
    return [f"{c}: {g}" for c, g in zip(cmds, got) if not fits(g)]


def is_ok(g):
    return g == "ok"


def refused(g):
    return g == "EPERM"


def cut(g):
    """TCP is held back and then cut: an error, not a silence and not an answer."""
    return g in ("reset", "closed", "ECONNABORTED", "EPERM", "ECONNREFUSED", "ENETUNREACH")


def real_ports(c):
    """Where the embedded resolver really listens in a container: {udp: port, tcp: port}."""
    rules = sh("nsenter", "--net", "-t", c.pid(), "iptables-save", "-t", "nat")
    return {m.group(1): m.group(2) for m in re.finditer(r"-p (udp|tcp) .*--dport 53 -j DNAT --to-destination 127\.0\.0\.11:(\d+)", rules)}


def test_dns(tap):
    with Dockerd() as d:
        d.network("pmbackend", v6="fd00:96::/64")
        b = d.run("sleep 1000", name="bridge")
        u = d.run("sleep 1000", name="usernet", network="pmbackend")
        h = d.run("sleep 1000", name="hostnet", network="host")
        d.run("sleep 1000", name="pool", network="pmbackend")
        places = ((b, "bridge", DNS4), (b, "bridge, IPv6", DNS6), (b, "bridge, mapped", "::ffff:" + DNS4),
                  (u, "embedded resolver", EMBEDDED), (u, "user network, direct", DNS4), (h, "host network", DNS4))

        def modes(server, host):
            return UDP + (RAW if "." in server and ":" not in server and not host else ())
        for c, what, server in places:
            cmds = ways(server, BAD[:2], modes(server, c is h) + TCP)
            tap.eq(wrong(cmds, c.net(*cmds), is_ok), [], f"unguarded, {what}: every question is answered")
        ports = real_ports(u)
        tap.eq(sorted(ports), ["tcp", "udp"], "the embedded resolver's real ports are known")

        with Guard(d) as g:
            for c, what, server in places:
                asked = world().dns_names()
                cmds = ways(server, BAD, modes(server, c is h))
                tap.eq(wrong(cmds, c.net(*cmds), refused), [], f"{what}: {len(cmds)} UDP questions are refused")
                cmds = ways(server, BAD, TCP)
                start = time.monotonic()
                tap.eq(wrong(cmds, c.net(*cmds), cut), [], f"{what}: {len(cmds)} TCP questions are cut")
                took = time.monotonic() - start
                tap.ok(took < 3.5 * SLOW, f"{what}: cut within a second or so", f"{took:.1f} s for all of them")
                names = world().dns_names()[len(asked):]
                tap.eq([n for n in names if "mine." in n or n.startswith("pool.")], [], f"{what}: none reached a server")
                good = GOOD if server != EMBEDDED else [n for n in GOOD if n != "pool"]
                cmds = ways(server, good, modes(server, c is h) + TCP)
                tap.eq(wrong(cmds, c.net(*cmds), is_ok), [], f"{what}: {len(cmds)} benign questions are answered")
            port = ports.get("udp", "1"), ports.get("tcp", "1")
            got = u.net(f"-t 4000 dns udp {EMBEDDED} {port[0]} x.mine.org", f"-t 4000 dns tcp {EMBEDDED} {port[1]} x.mine.org")
            tap.ok(refused(got[0]) and cut(got[1]), "the resolver asked at its real ports", got)
            tap.eq(u.net(f"dns udp {EMBEDDED} 53 pool.pmbackend", f"dns udp {EMBEDDED} 53 pool"), ["ok", "ok"],
                   "a container named pool is found as pool.pmbackend and pool")
            tap.eq(b.net(f"dns udp {DNS4} 53 pool.pmbackend"), ["EPERM"], "not by a container outside that network")
            got = b.net(f"-t 1500 -n 60 dns udp {DNS4} 53 x.mine.org", f"-t 1500 -z dns udp {DNS4} 53 x.mine.org",
                        f"-t 1500 -6 dns udp {DNS4} 53 x.mine.org", f"-t 1500 dns frag {DNS4} 53 x.mine.org",
                        f"-t 1500 -n 60 dns udp {DNS4} 53 www.example.com")
            tap.eq(got[:3], ["EPERM"] * 3, "60 labels before it, AD and CD set, AAAA: refused")
            tap.ok(got[3] != "ok", "in two IP fragments: not answered", got)
            tap.eq(got[4], "ok", "many labels of a benign name: answered")
            b.net(f"-t 300 -g dns udp {DNS4} 53 x.mine.org")
            tap.ok(g.wait_notice("dns.odd", "bridge"), "an unreadable question is told", g.notices()[-3:])
            got = b.net(f"-t 1500 -q 1 dns udp {DNS4} 53 x.mine.org")[0]
            tap.ok(got == "EPERM" or g.wait_notice("dns.odd", "bridge", where=lambda n: n["count"] > 1),
                   "a second question behind a harmless one: refused or told", got)

            for subject in ("bridge", "usernet", "hostnet"):
                n = g.wait_notice("dns.mining", subject)
                if tap.ok(n, f"notice for {subject}", g.notices()[-4:]):
                    tap.eq((n["action"], n["severity"]), ("blocked", "high"), f"{subject}: blocked, high")
                    tap.ok(any(b_ in json.dumps(n).lower() for b_ in BAD), f"{subject}: the notice names what was asked for", n)
                    tap.ok(n["next"].startswith(f"pavise allow {subject}"), f"{subject}: the way out is named", n["next"])
            tap.eq(g.notices(subject="pool"), [], "no notice about the container named pool")


def test_resolver(tap):
    """A DNS server in a container that hands questions on: the client is named, and the server goes on."""
    with Dockerd() as d:
        r = d.run(f"pvdns -f {DNS4} 53", name="resolver", ports={"53/udp": 5300})
        c = d.run("sleep 1000", name="client")
        ask = lambda name: c.net(f"-t 4000 dns udp {r.address()} 53 {name}")[0]
        out = lambda name: world().ask(f"-t 1500 dns udp 192.0.2.1 5300 {name}")[0]
        tap.eq([ask("x.mine.org"), out("x.mine.org")], ["ok", "ok"], "unguarded: it answers its clients")
        with Guard(d) as g:
            tap.eq(ask("x.mine.org"), "EPERM", "a client in a container is refused at its own door")
            tap.eq(ask("www.example.com"), "ok", "benign questions are handed on")
            n = g.wait_notice("dns.mining", "client")
            tap.ok(n, "the notice names the client", g.notices()[-3:])
            tap.eq(g.notices("dns.mining", "resolver"), [], "and not the resolver")
            tap.ok(out("x.mine.org") != "ok", "a stranger's question through it is refused as well")
            n = g.wait_notice("dns.mining", where=lambda n: CLIENT4 in json.dumps(n))
            tap.ok(n, "the notice names the stranger who asked", g.notices()[-3:])
            tap.eq(out("www.example.com"), "ok", "the resolver still answers strangers")


def test_resolver_clients(tap):
    """Who may ask at his own door is named by what his resolver is refused, by either of his addresses."""
    with Dockerd() as d:
        r = d.run(f"pvdns -f {DNS4} 53", name="resolver")
        v6 = r.inspect()["NetworkSettings"]["Networks"]["bridge"]["GlobalIPv6Address"]
        clients = {"four": (r.address(), d.run("sleep 1000", name="four")), "six": (v6, d.run("sleep 1000", name="six"))}
        with Guard(d, {"exceptions": [{"name": name, "signal": "dns", "action": "ignore"} for name in clients]}) as g:
            for name, (server, c) in clients.items():
                for i in range(2):  # from the second question on it is seen who asks
                    got = c.net(f"-t 1500 dns udp {server} 53 x{i}.mine.org")[0]
                    time.sleep(2)
                tap.ok(got != "ok", f"{name}: the resolver is refused to ask on: {got}")
                n = g.wait_notice("dns.mining", name)
                if tap.ok(n, f"{name}: is named", g.notices()[-3:]):
                    tap.ok("through resolver" in n["detail"]["what"], f"{name}: and so is the resolver", n)


main(test_dns, test_resolver, test_resolver_clients)

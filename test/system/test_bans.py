#!/usr/bin/env python3
"""Refused logins lead to bans, and bans cut: written lines, a real nftables, a private dockerd with a published port, a
stranger and an outside in namespaces of their own."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvtest import CLIENT4, DNS4, IMAGE, Dockerd, Guard, OUT4, PAVISE, REPO, fill, main, sh, wait_for, world  # noqa: E402

AUTH = "/run/pv/auth.log"
seq = [1000]


def stamp(back=0):
    return time.strftime("%b %e %H:%M:%S", time.localtime(time.time() - back))


def sshd(address, user="root", back=0):
    seq[0] += 1
    return f"{stamp(back)} web sshd[{seq[0]}]: Failed password for {user} from {address} port {20000 + seq[0] % 40000} ssh2\n"


def write(*lines, path=AUTH):
    with open(path, "a") as f:
        f.write("".join(lines))


def new_guard(engine=None, conf=None, args=()):
    """Each with a state of its own."""
    seq[0] += 1
    name = f"b{seq[0]}"
    open(AUTH, "w").close()
    os.chmod(AUTH, 0o640)
    base = {"logs": {"files": [{"path": AUTH, "service": "sshd"}], "journal": False}}
    for k, v in (conf or {}).items():
        base[k] = {**base.get(k, {}), **v} if isinstance(v, dict) else v
    return Guard(engine, base, args, name=name)


def elements(name):
    """What a set of the kernel holds, as text."""
    r = subprocess.run(["nft", "list", "set", "inet", "pavise", name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    m = re.search(r"elements = \{(.*?)\}", r.stdout, re.S)
    return [e.split()[0] for e in m[1].split(",")] if m else []


def banned(address):
    return address in elements("ban6" if ":" in address else "ban4")


def table_gone():
    subprocess.run(["nft", "delete", "table", "inet", "pavise"], stderr=subprocess.DEVNULL)


def started(g, sources=1):
    """Starts the guard and waits until it reads its logs."""
    g.start()
    if not wait_for(lambda: g.status()["logs"]["rules"] and g.status()["logs"]["reading"] >= sources, 60):
        raise RuntimeError(f"logs are not read: {g.status()['logs']}\n{g.log()}")
    for _ in range(100):  # a line that is counted: from here on none is missed
        write(f"{stamp()} web CRON[1]: nothing\n")
        if wait_for(lambda: g.status()["logs"]["lines"] > 0, 0.3):
            return g
    raise RuntimeError(f"no line is read: {g.status()['logs']}")


def code(g, *args):
    """The exit status of a subcommand."""
    return subprocess.run([PAVISE, args[0], "--config", g.config, *args[1:]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode


def output(g, *args):
    """What a subcommand prints, whatever its exit status."""
    return subprocess.run([PAVISE, args[0], "--config", g.config, *args[1:]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout


def settled(g):
    """What was written is read: the lines of the log counted so far do not change."""
    time.sleep(0.5)


def test_limit(tap):
    """Five ban, four never do, and the notice says which lines."""
    world()
    table_gone()
    pg = "/run/pv/pg.log"
    open(pg, "w").close()
    g = new_guard(conf={"logs": {"files": [{"path": AUTH, "service": "sshd"}, {"path": pg, "service": "postgresql"}]}})
    try:
        started(g, 2)
        write(time.strftime("%Y-%m-%d %H:%M:%S.123 UTC", time.gmtime()) + ' [812] FATAL:  password authentication failed for user "ada"\n', path=pg)
        write(*[sshd("203.0.113.8") for _ in range(4)])
        start = time.monotonic()
        write(*[sshd("203.0.113.9") for _ in range(5)])
        tap.ok(wait_for(lambda: banned("203.0.113.9"), 10), "five refused logins ban", g.log())
        tap.note(f"{(time.monotonic() - start) * 1000:.0f} ms with the look")
        n = g.wait_notice("login.bruteforce")
        tap.ok(n and n["action"] == "banned" and n["severity"] == "medium", "and are told", n)
        values = " ".join(e["value"] for e in n["detail"]["evidence"])
        tap.ok(values.count("Failed password for root from 203.0.113.9") == 5, "with the five lines", n)
        settled(g)
        tap.ok(not banned("203.0.113.8"), "four do not")
        os.makedirs(os.path.join(REPO, "build", "test", "evidence"), exist_ok=True)
        with open(os.path.join(REPO, "build", "test", "evidence", "P10.4.txt"), "w") as f:
            f.write(g.cmd("bans", "203.0.113.9"))
        tap.ok("5 refused logins" in g.cmd("bans", "203.0.113.9"), "P10.4: an address is locked out after five refused logins")
        rows = [r for r in g.ask({"verb": "bans"}) if "address" in r]
        tap.eq([(r["address"], r["by"], r["times"], len(r["evidence"])) for r in rows], [("203.0.113.9", "pavise", 1, 5)], "the list")
        tap.ok("bans are in force: the first one dropped its test packet" in g.log(), "the first ban was tested with a packet", g.log())
        write(*[sshd(f"2001:db8:7:7::{i}") for i in range(1, 6)])
        tap.ok(wait_for(lambda: banned("2001:db8:7:7::"), 10), "five addresses of one /64 are one", g.log())
        for address, why in (("127.0.0.9", "loopback"), ("192.0.2.1", "own"), ("198.51.100.77", "never_ban")):
            write(*[sshd(address) for _ in range(6)])
        settled(g)
        tap.ok(not banned("192.0.2.1") and not banned("127.0.0.9"), "own addresses are never banned")
        tap.ok(g.wait_notice("login.bruteforce", where=lambda n: "address of this host" in n["detail"]["what"]), "and it is told why",
               json.dumps(g.notices())[:2000])
        # Who is never banned cannot be read whole: nobody is banned until it can be.
        with open("/run/pv/huge", "w") as f:
            f.truncate(5 << 20)
        resolv = os.path.realpath("/etc/resolv.conf")
        sh("mount", "--bind", "/run/pv/huge", resolv)
        time.sleep(1.1)
        write(*[sshd("203.0.113.10") for _ in range(5)])
        n = g.wait_notice("ban.failed")
        tap.ok(n and "cannot be read now" in n["detail"]["what"] and not banned("203.0.113.10"), "resolv.conf cannot be read: nobody is banned", f"{n}\n{g.log()}")
        tap.ok(g.wait_notice("guard.degraded", where=lambda n: "nobody is banned for now" in n["detail"]["what"]), "it is told", g.log())
        said = output(g, "doctor")
        tap.ok("nobody is banned for now" in said, "and doctor says so", said)
        tap.ok("1 refused logins named no address (the last one by postgresql)" in said and "log_line_prefix" in said,
               "a log without addresses: doctor says that nobody can be banned for it", said)
        tap.ok("cannot be read now" in output(g, "ban", "203.0.113.11"), "nor by a person")
        sh("umount", resolv)
        time.sleep(1.1)
        tap.ok("locked out" in g.cmd("ban", "203.0.113.11"), "it can be read again")
    finally:
        g.stop()


def get(source, port, address="192.0.2.1"):
    """Whether an HTTP question of the stranger (or of the outside) is answered."""
    w = world()
    pid = w.stranger.pid if source == CLIENT4 else w.outside.pid
    r = subprocess.run(["nsenter", "--net", "-t", str(pid), "curl", "-s", "-m", "1", "-o", "/dev/null", "-w", "%{http_code}",
                        "--interface", source, f"http://{address}:{port}/"], stdout=subprocess.PIPE, text=True)
    return r.stdout not in ("", "000")


def test_cut(tap):
    """A banned source is cut from the host and from published container ports; the host still connects out to it."""
    w = world()
    table_gone()
    with Dockerd() as d:
        web = d.run("httpd -f -p 80", ports={"80/tcp": 8080}, network="bridge")
        host = subprocess.Popen(["busybox", "httpd", "-f", "-p", "9090", "-h", "/run/pv"])
        far = subprocess.Popen(["nsenter", "--net", "-t", str(w.stranger.pid), "busybox", "httpd", "-f", "-p", "8000", "-h", "/run/pv"])
        g = new_guard(d)
        try:
            started(g)
            for port in (8080, 9090):
                tap.ok(wait_for(lambda: get(CLIENT4, port), 10), f"before: the stranger reaches port {port}", web.logs())
            out = socket.create_connection((CLIENT4, 8000), 5)
            out.close()
            write(*[sshd(CLIENT4) for _ in range(5)])
            tap.ok(wait_for(lambda: banned(CLIENT4), 10), "the stranger is banned", g.log())
            tap.ok(not get(CLIENT4, 9090), "cut from the host's service")
            tap.ok(not get(CLIENT4, 8080), "cut from the published container port")
            tap.ok(get(OUT4, 9090) and get(OUT4, 8080), "others are not")
            r = subprocess.run(["curl", "-s", "-m", "3", "-o", "/dev/null", "-w", "%{http_code}", f"http://{CLIENT4}:8000/"],
                               stdout=subprocess.PIPE, text=True)
            tap.ok(r.stdout not in ("", "000"), "the host still connects out to it", r.stdout)
            tap.ok(wait_for(lambda: int(g.ask({"verb": "status"})[-1]["status"]["bans"]["in_force"]) == 1, 5), "status counts it")
            said = g.cmd("unban", CLIENT4)
            tap.ok("is let in again" in said, "unban says so", said)
            tap.ok(get(CLIENT4, 9090) and get(CLIENT4, 8080), "and both answer again")
        finally:
            g.stop()
            host.kill()
            far.kill()
            web.remove()


OTHERS = "\n".join(f"add table {table}\nadd set {table} {name} {{ type {kind}; {flags} }}\nadd element {table} {name} {{ {what} }}" for table, name, kind, flags, what in (
    ("ip sshguard", "attackers", "ipv4_addr", "flags interval;", "203.0.113.89-203.0.113.90"),
    ("inet f2b-table", "addr-set-sshd", "ipv4_addr", "", "203.0.113.91"),
    ("ip crowdsec", "crowdsec-blacklists", "ipv4_addr", "flags timeout;", "203.0.113.93 timeout 1h"),
    ("ip6 crowdsec6", "crowdsec6-blacklists", "ipv6_addr", "flags timeout;", "2001:db8:9::9 timeout 1h"),
    ("inet shop", "visitors", "ipv4_addr", "", "203.0.113.94")))


def test_persons(tap):
    """ban, unban, bans, off, on; restored at the next start; a flush under us is noticed; stop leaves bans in force."""
    world()
    table_gone()
    g = new_guard()
    shutil.copy("/usr/bin/sleep", "/run/pv/sshguard")
    other = subprocess.Popen(["/run/pv/sshguard", "100"])
    try:
        started(g)
        for n in (90, 91, 92, 93, 94):  # held back while others that ban have their time; looked for at the end
            write(*[sshd(f"203.0.113.{n}") for _ in range(5)])
        write(*[sshd("2001:db8:9::9") for _ in range(5)])
        tap.ok("locked out for 1d" in g.cmd("ban", "203.0.113.0/25", "--for", "1d", "--reason", "a test"), "a network by a person")
        tap.eq(elements("net4"), ["203.0.113.0/25"], "it stands in the set of networks")
        tap.ok("locked out for 1h" in g.cmd("ban", "198.51.100.3"), "an address for the usual time")
        tap.eq(code(g, "ban", "192.0.2.1"), 3, "not an own one")
        tap.eq(code(g, "ban", "203.0.113.0/3"), 3, "nor half of the world")
        tap.eq(code(g, "ban", "nonsense"), 2, "nor a word")
        out = g.cmd("bans")
        tap.ok("203.0.113.0/25" in out and "a test" in out, "the list", out)
        g.cmd("off", "--for", "1h")
        tap.ok(elements("off"), "off lifts them")
        g.cmd("on")
        tap.ok(not elements("off"), "on puts them in force")
        sh("nft", "flush", "ruleset")
        tap.ok(wait_for(lambda: banned("198.51.100.3") and elements("net4") == ["203.0.113.0/25"], 10), "after a flush they are back", g.log())
        tap.ok(g.wait_notice("guard.degraded", where=lambda n: "bans were gone" in n["detail"]["what"]), "and it is told")
        sh("nft", "-f", "-", input=OTHERS)
        sh("iptables", "-N", "f2b-sshd")
        sh("iptables", "-A", "f2b-sshd", "-s", "203.0.113.92", "-j", "REJECT")
        sh("nft", "flush", "set", "inet", "pavise", "ban4")
        tap.ok(wait_for(lambda: banned("198.51.100.3"), 10), "a flush of one set, too", g.log())
        sh("nft", "flush", "set", "inet", "pavise", "net4")
        tap.ok(wait_for(lambda: elements("net4"), 10), "and of the networks", g.log())
        sh("nft", "flush", "chain", "inet", "pavise", "in")
        tap.ok(wait_for(lambda: "@ban4" in sh("nft", "list", "chain", "inet", "pavise", "in", check=False), 10), "and of the chain", g.log())
        tap.ok(wait_for(lambda: banned("203.0.113.94"), 15), "another program bans here: what none of them has is banned", g.log())
        for address, name in (("203.0.113.90", "sshguard"), ("203.0.113.91", "fail2ban"), ("203.0.113.92", "fail2ban"), ("203.0.113.93", "CrowdSec"),
                              ("2001:db8:9::/64", "CrowdSec")):
            n = g.wait_notice("login.bruteforce", where=lambda n: address in n["detail"]["what"])
            tap.ok(n and f"{name} has locked it out already" in n["detail"]["what"] and not banned(address), f"{name} has banned it: nobody is banned twice", n)
        other.kill()
        other.wait()
        write(*[sshd("203.0.113.200") for _ in range(3)])
        settled(g)
        g.stop()
        tap.ok(banned("198.51.100.3"), "the stop leaves them in force")
        table_gone()
        started(g)
        tap.ok(wait_for(lambda: banned("198.51.100.3"), 10), "the start restores them", g.log())
        write(sshd("203.0.113.200"))
        settled(g)
        tap.ok(not banned("203.0.113.200"), "three refused logins before, one after: four")
        write(sshd("203.0.113.200"))
        tap.ok(wait_for(lambda: banned("203.0.113.200"), 10), "and one more is five", g.log())
        g.cmd("unban", "203.0.113.200")
        tap.eq(code(g, "unban", "203.0.113.9"), 0, "an address within a banned network lets the network in")
        tap.eq(elements("net4"), [], "it is gone")
        tap.eq(code(g, "unban", "203.0.113.9"), 3, "twice is said")
        for n in range(70):
            g.ask({"verb": "ban", "address": f"203.0.113.{n + 100}", "for_us": 3600 * 10**6})
        tap.ok(len([e for e in elements("ban4") if e.startswith("203.0.113.")]) >= 70, "seventy addresses of one network")
        said = output(g, "unban", "203.0.113.0/24")
        tap.ok("203.0.113.0/24 is let in again" in said, "all are let in", said)
        tap.eq([e for e in elements("ban4") if e.startswith("203.0.113.")], [], "none is left")
        tap.eq([r["address"] for r in g.ask({"verb": "bans"}) if r.get("address", "").startswith("203.0.113.")], [], "nor listed")
    finally:
        other.kill()
        other.wait()
        g.stop()


def lifetimes(name):
    """What a set of networks holds, and for how long, in hours."""
    out = sh("nft", "-j", "list", "set", "inet", "pavise", name)
    return {f"{e['val']['prefix']['addr']}/{e['val']['prefix']['len']}" if isinstance(e["val"], dict) else e["val"]: round(e["timeout"] / 3600)
            for e in (x["elem"] for x in json.loads(out)["nftables"][1]["set"].get("elem", []))}


def test_networks(tap):
    """Networks of IPv6 within one another: refused with the next step, or one stands for both."""
    world()
    table_gone()
    g = new_guard()
    try:
        started(g)
        g.cmd("ban", "2001:db8:5::1", "--for", "4h")
        out = output(g, "ban", "2001:db8:5::/48", "--for", "1h")
        tap.ok("let that one in first" in out, "a network that holds a banned address: what to do first", out)
        tap.ok("locked out for 2h" in g.cmd("ban", "2001:db8:5::/64", "--for", "2h"), "but not where it stands in another set")
        g.cmd("ban", "2001:db8:6::/64", "--for", "3h")
        tap.eq((lifetimes("net6"), sorted(elements("ban6"))), ({"2001:db8:5::1": 4}, ["2001:db8:5::", "2001:db8:6::"]), "each in its set")
        g.write({"ban": {"prefix6": 56}})
        tap.ok(g.ask({"verb": "reload"})[-1]["ok"], "prefix6: 56")
        tap.ok(wait_for(lambda: lifetimes("net6") == {"2001:db8:5::/64": 4, "2001:db8:6::/64": 3}, 10),
               "one stands for both, for as long as the longer", (lifetimes("net6"), g.log()))
        out = output(g, "ban", "2001:db8:6::/48", "--for", "1h")
        tap.ok("let that one in first" in out, "the networks of before are known", out)
        tap.eq(code(g, "unban", "2001:db8:5::2"), 0, "letting in the wider one")
        tap.ok(wait_for(lambda: lifetimes("net6") == {"2001:db8:5::1": 4, "2001:db8:6::/64": 3}, 40), "brings the other one back", (lifetimes("net6"), g.log()))
        tap.ok("nftables:" not in g.log() and "could not be restored" not in g.log(), "nothing was refused", g.log())
    finally:
        g.stop()


def test_refused(tap):
    """A ban that is there already outlives a second one that is refused, with its time and its reason."""
    world()
    table_gone()
    g = new_guard()
    try:
        started(g)
        g.cmd("ban", "203.0.113.30", "--for", "1d", "--reason", "the first")
        with open("/run/pv/huge", "w") as f:  # who is never banned cannot be read: every ban is refused
            f.truncate(5 << 20)
        resolv = os.path.realpath("/etc/resolv.conf")
        sh("mount", "--bind", "/run/pv/huge", resolv)
        try:
            time.sleep(1.1)
            said = output(g, "ban", "203.0.113.30", "--for", "2d", "--reason", "the second")
            tap.ok("is not locked out anew" in said, "the second is refused", said)
            tap.ok("is not locked out:" in output(g, "ban", "203.0.113.31"), "and one without a first")
        finally:
            sh("umount", resolv)
        rows = [(r["address"], r["reason"], r["times"], r["left_us"] < 86400 * 10**6) for r in g.ask({"verb": "bans"}) if "address" in r]
        tap.eq(rows, [("203.0.113.30", "the first", 1, True)], "the list")
        tap.ok(banned("203.0.113.30"), "the kernel")
        tap.ok("is let in again" in output(g, "unban", "203.0.113.30") and not banned("203.0.113.30"), "it can be let in")
    finally:
        g.stop()


def test_disk_full(tap):
    """A ban that the history has no room for is in force, and is stored and told when there is room again."""
    world()
    table_gone()
    g = new_guard()
    os.makedirs(g.state_dir)
    sh("mount", "-t", "tmpfs", "-o", "size=2m,mode=755", "pvtest", g.state_dir)
    full = lambda: any(x["signal"] == "history" for x in g.status()["degraded"])  # noqa: E731
    try:
        started(g)
        filler = fill(g.state_dir)
        n = 0
        while n < 60 and not full():  # the log of the database may have some room left
            n += 1
            write(*[sshd(f"203.0.113.{n}") for _ in range(5)])
            wait_for(lambda: banned(f"203.0.113.{n}"), 10)
        all_ = {f"203.0.113.{i}" for i in range(1, n + 1)}
        listed = lambda: {r["address"] for r in g.ask({"verb": "bans"}) if "address" in r}  # noqa: E731
        tap.ok(full() and all_ == set(elements("ban4")) and listed() < all_, "no room: banned all the same", (n, elements("ban4"), listed(), g.log(5)))
        os.unlink(filler)
        tap.ok(wait_for(lambda: listed() == all_, 40), "room again: stored", (n, listed(), g.log()))
        tap.ok(not full() and g.wait_notice("login.bruteforce"), "and told", g.log())
        g.stop()
        table_gone()
        started(g)
        tap.ok(wait_for(lambda: all_ == set(elements("ban4")), 10), "the next start restores them", (n, elements("ban4"), g.log()))
    finally:
        g.stop()
        sh("umount", "-l", g.state_dir, check=False)


def test_observe(tap):
    world()
    table_gone()
    g = new_guard(args=["--observe"])
    try:
        started(g)
        write(*[sshd("203.0.113.9") for _ in range(5)])
        n = g.wait_notice("login.bruteforce")
        tap.ok(n and n["action"] == "would-ban", "observe: would-ban", n)
        tap.eq(sh("nft", "list", "tables").count("pavise"), 0, "and nothing is made in the kernel")
    finally:
        g.stop()
    table_gone()
    g, rules = new_guard(conf={"ban": {"prefix6": 56}}), lambda: sh("nft", "-s", "list", "table", "inet", "pavise")
    try:
        started(g)
        said = output(g, "ban", "2001:db8::7")
        tap.ok("is locked out" in said, "a guard bans", said)
    finally:
        g.stop()
    before = rules()
    g = new_guard(conf={"ban": {"prefix6": 64}}, args=["--observe"])
    try:
        started(g)
        tap.eq(rules(), before, "one that only observes leaves another's table as it is")
        output(g, "off")
        tap.ok(rules() != before, "off lifts it all the same")
        output(g, "on")
        tap.eq(rules(), before, "and on brings it back")
    finally:
        g.stop()


def test_forged(tap):
    """10,000 forged lines of a container that name this host's resolver, router and an open connection: nobody is banned, one
    critical notice. A stranger's address costs its budget, and no more than that."""
    w = world()
    table_gone()
    far = subprocess.Popen(["nsenter", "--net", "-t", str(w.stranger.pid), "busybox", "nc", "-l", "-p", "8022"], stdin=subprocess.PIPE)
    conf = "nameserver 203.0.113.53\n"
    with open("/run/pv/resolv.conf", "w") as f:
        f.write(conf)
    sh("mount", "--bind", "/run/pv/resolv.conf", os.path.realpath("/etc/resolv.conf"))
    sh("ip", "route", "add", "198.18.0.0/15", "via", "192.0.2.2")
    out = wait_for(lambda: connect(CLIENT4, 8022), 5)
    with Dockerd() as d:
        g = new_guard(d, conf={"docker": {"root": f"{d.dir}/data"}, "logs": {"containers": True}, "ban": {"budget": "3/h"}})
        try:
            started(g, 0)
            d.api("POST", f"/images/{IMAGE}/tag?repo=nginx&tag=1.27")
            lines = [f"{a} - - [{time.strftime('%d/%b/%Y:%H:%M:%S +0000', time.gmtime())}] \"POST /login HTTP/1.1\" 401 12 \"-\" \"x\""
                     for a in (DNS4, "192.0.2.2", CLIENT4)]
            script = "i=0; while [ $i -lt 3334 ]; do " + "; ".join(f"echo '{l}'" for l in lines) + "; i=$((i+1)); done; sleep 60"
            web = d.run(["sh", "-c", script], name="web", image="nginx:1.27")
            n = g.wait_notice("ban.failed", seconds=20)
            tap.ok(n and n["severity"] == "critical" and n["subject"]["kind"] == "container", "a critical notice names the container",
                   f"{n}\n{json.dumps(g.status().get('logs'))}\n{g.log()}")
            wait_for(lambda: g.status()["logs"]["lines"] >= 10000, 20)
            settled(g)
            tap.eq(sum(x["severity"] == "critical" for x in g.notices()), 1, "one, for all of them")
            tap.ok(not elements("ban4"), "and nobody is banned", elements("ban4"))
            script = "; ".join(f"for i in 1 2 3 4 5; do echo '{lines[0].replace(DNS4, f'198.51.100.{k}')}'; done" for k in range(1, 21))
            d.run(["sh", "-c", script + "; sleep 60"], name="web2", image="nginx:1.27")
            n = g.wait_notice("ban.failed", seconds=20, where=lambda n: "budget" in n["detail"]["what"])
            tap.ok(n, "a container has a budget", g.log())
            settled(g)
            tap.eq(len(elements("ban4")), 3, "and no more bans than that")
            guess = "for i in 1 2 3 4 5; do echo '{}'; done; sleep 60"
            d.run(["sh", "-c", guess.format(lines[0].replace(DNS4, "198.51.100.60"))], name="shape")
            d.run(["sh", "-c", guess.format(lines[0].replace(DNS4, "198.51.100.61"))], name="label", labels={"pavise.logs": "nginx"})
            n = g.wait_notice("login.bruteforce", seconds=20, where=lambda n: "198.51.100.60" in n["detail"]["what"])
            tap.ok(n and n["action"] == "alerted", "what is judged by its shape alone bans nobody", f"{n}\n{g.log()}")
            wait_for(lambda: "198.51.100.61" in elements("ban4"), 20)
            d.run("sleep 60", name="afar", LogConfig={"Type": "gelf", "Config": {"gelf-address": "udp://127.0.0.1:12201", "cache-disabled": "true"}})
            tap.ok(wait_for(lambda: "their driver (gelf) keeps nothing" in output(g, "doctor"), 15), "a log that is kept elsewhere is not read: doctor says so",
                   output(g, "doctor"))
            tap.ok("198.51.100.61" in elements("ban4") and "198.51.100.60" not in elements("ban4"), "a label says whose log it is", elements("ban4"))
        finally:
            g.stop()
            far.kill()
            if out:
                out.close()


def connect(address, port):
    try:
        return socket.create_connection((address, port), 2)
    except OSError:
        return None


def test_import(tap):
    """What fail2ban has banned is taken over with the time that is left. Who comes back is banned for longer."""
    import sqlite3
    world()
    table_gone()
    g = new_guard(conf={"login": {"ban": "1m"}, "ban": {"max": "10m"}})
    db = sqlite3.connect("/run/pv/fail2ban.sqlite3")
    db.execute("CREATE TABLE bips(ip TEXT NOT NULL, jail TEXT NOT NULL, timeofban INTEGER NOT NULL, bantime INTEGER NOT NULL, "
               "bancount INTEGER NOT NULL default 1, data JSON, PRIMARY KEY(ip, jail))")
    now = int(time.time())
    db.executemany("INSERT INTO bips VALUES(?,?,?,?,1,'{}')", [
        ("203.0.113.20", "sshd", now - 60, 600), ("2001:db8:5::1", "sshd", now, 3600), ("203.0.113.21", "sshd", now - 700, 600),
        ("192.0.2.1", "sshd", now, 600), ("host.example", "sshd", now, 600), ("203.0.113.22", "recidive", now, -1)])
    db.commit()
    db.close()
    try:
        started(g)
        said = g.cmd("bans", "import", "fail2ban", "--file", "/run/pv/fail2ban.sqlite3")
        tap.ok("3 bans taken over, 1 were over already, 2 were not taken" in said, "three of six", said)
        tap.eq(sorted(elements("ban4")), ["203.0.113.20", "203.0.113.22"], "those that are still to last")
        tap.ok("fail2ban" in g.cmd("bans", "203.0.113.20"), "the list says where they come from")
        env = {**os.environ, "SSH_CONNECTION": "203.0.113.20 4000 192.0.2.1 22"}
        inner = ["env", "-u", "SSH_CONNECTION", PAVISE, "unban", "--config", g.config, "--me"]  # as sudo clears it
        r = subprocess.run(["sh", "-c", '"$@"; exit $?', "sh", *inner], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)
        tap.ok(r.returncode == 0 and "203.0.113.20 is let in again" in r.stdout, "unban --me finds the session above sudo", r.stdout)
        for expect in ("1m", "4m", "10m"):
            said = g.cmd("ban", "203.0.113.70")
            tap.ok(f"locked out for {expect}" in said, f"who comes back is banned for longer: {expect}", said)
    finally:
        g.stop()


main(test_limit, test_cut, test_persons, test_networks, test_refused, test_disk_full, test_observe, test_import, test_forged)

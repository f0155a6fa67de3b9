#!/usr/bin/env python3
"""What fw.* says is reachable, against what a neighbour reaches: nft, iptables, ufw and firewalld, each with containers that
are published on 0.0.0.0, on ::, on 127.0.0.1, that use the host's network, that DOCKER-USER closes, with and without
Docker's userland proxy; and VXLAN, which has a socket and no process."""

import json
import os
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvtest import *  # noqa: E402,F403

WIDE, SIX, LOOP, HOST, USER, OWN = 7001, 7002, 7003, 7004, 7005, 7006
PORTS = (WIDE, SIX, LOOP, HOST, USER, OWN)
ADDRESS = {"IPv4": "192.0.2.1", "IPv6": "fd00:98::1"}


def publish(d):
    bind = lambda port, ip: {f"{port}/{proto}": [{"HostIp": ip, "HostPort": str(port)}] for proto in ("tcp", "udp")}
    for name, port, ip in (("wide", WIDE, "0.0.0.0"), ("six", SIX, "::"), ("loop", LOOP, "127.0.0.1"), ("user", USER, "")):
        conf = {"Image": IMAGE, "Cmd": ["pvnet", "serve", str(port)], "StopTimeout": 1, "ExposedPorts": {k: {} for k in bind(port, ip)},
                "HostConfig": {"PortBindings": bind(port, ip)}}
        Container(d, d.api("POST", f"/containers/create?name={name}", conf)["Id"]).start()
    d.run(f"pvnet serve {HOST}", name="host", NetworkMode="host")
    for tool in ("iptables", "ip6tables"):
        for proto in ("tcp", "udp"):
            sh(tool, "-N", "DOCKER-USER", check=False)
            sh(tool, "-I", "DOCKER-USER", "-i", "out0", "-p", proto, "-m", "conntrack", "--ctorigdstport", USER, "--ctdir", "ORIGINAL", "-j", "DROP")


def measured():
    asks = [(proto, port, family) for family in ADDRESS for port in PORTS for proto in ("tcp", "udp")]
    words = []
    for proto, port, family in asks:
        words += [proto, ADDRESS[family], str(port), ","]
    got = world().out(helper("pvnet"), "-t", "700", "each", *words[:-1], check=False).split()
    assert len(got) == len(asks), got
    return {f"{port}/{proto} {family}" for (proto, port, family), answer in zip(asks, got) if answer == "ok"}


def said(conf):
    out = subprocess.run([PAVISE, "audit", "--config", conf, "--only", "fw", "--format", "json"], stdout=subprocess.PIPE, timeout=60).stdout
    found = {f["id"]: f for f in json.loads(out)["findings"]}
    ports = set()
    for f in found.values():
        for e in f.get("evidence", []):
            m = re.match(r"(\d+)/(tcp|udp) over (IPv4 and IPv6|IPv4|IPv6)", e["value"])
            if m and f["id"] in ("fw.listening", "fw.docker-bypass"):
                ports |= {f"{m.group(1)}/{m.group(2)} {family}" for family in m.group(3).split(" and ")}
    return ports, found


# --- the firewalls: what sets one up, what takes it away, whether it denies by default ---------------------------------

def nft_up():
    subprocess.run(["nft", "-f", "-"], input="""table inet mine {
  set open { type inet_service; flags interval; elements = { 22, 7006-7010 }; }
  chain input { type filter hook input priority 0; policy drop;
    ct state vmap { established : accept, related : accept, invalid : drop }
    iif lo accept
    meta l4proto { icmp, ipv6-icmp } accept
    ip saddr 10.0.0.0/8 tcp dport 7004 accept
    udp dport 7004 accept
    tcp dport @open accept
  }
}
""", text=True, check=True)


def nft_down():
    sh("nft", "delete", "table", "inet", "mine", check=False)


def iptables_up():
    for tool in ("iptables", "ip6tables"):
        for rule in ("-A INPUT -i lo -j ACCEPT", "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", "-A INPUT -p ipv6-icmp -j ACCEPT",
                     "-N MINE", "-A INPUT -m limit --limit 5/sec -j LOG --log-prefix x", "-A INPUT -p tcp -m multiport --dports 22,7004 -j MINE",
                     "-A INPUT -p udp ! --sport 1:1023 --dport 7006 -j MINE", "-A MINE -m recent --name x --rcheck -j DROP", "-A MINE -j ACCEPT", "-P INPUT DROP"):
            sh(tool, *rule.split(), check=False)


def iptables_down():
    for tool in ("iptables", "ip6tables"):
        sh(tool, "-P", "INPUT", "ACCEPT")
        sh(tool, "-F", "INPUT")
        sh(tool, "-F", "MINE", check=False)
        sh(tool, "-X", "MINE", check=False)


def ufw_up():
    for d in ("/etc/ufw", "/etc/default", "/usr/share/ufw"):  # a copy of our own: this mount namespace ends with the test
        if os.path.isdir(d) and not os.path.isdir("/run/pv" + d):
            own = "/run/pv" + d
            shutil.copytree(d, own, symlinks=True, dirs_exist_ok=True)
            sh("mount", "--bind", own, d)
    sh("ufw", "--force", "default", "deny", "incoming")
    sh("ufw", "allow", "7006/udp")
    sh("ufw", "allow", "from", "10.1.2.3", "to", "any", "port", "7006", "proto", "tcp")
    sh("ufw", "limit", "7004/tcp")
    sh("ufw", "--force", "enable")


def ufw_down():
    sh("ufw", "--force", "disable")
    for tool in ("iptables", "ip6tables"):
        for table in ("INPUT", "FORWARD", "OUTPUT"):
            sh(tool, "-P", table, "ACCEPT", check=False)
        for line in sh(tool + "-save", check=False).splitlines():
            if line.startswith("-A ") and " -j ufw" in line and not line.startswith("-A ufw"):
                sh(tool, "-D", *line.split()[1:], check=False)


firewalld = {}


def firewalld_up():
    bus = "unix:path=/run/pv/bus"
    conf = "/run/pv/bus.conf"
    with open(conf, "w") as f:
        f.write(f"<busconfig><type>system</type><listen>{bus}</listen><auth>EXTERNAL</auth><policy context='default'>"
                "<allow send_destination='*' eavesdrop='true'/><allow eavesdrop='true'/><allow own='*'/></policy></busconfig>")
    env = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": bus}
    firewalld["env"] = env
    firewalld["bus"] = subprocess.Popen(["dbus-daemon", "--config-file", conf, "--nofork", "--nopidfile"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: os.path.exists("/run/pv/bus"))
    firewalld["proc"] = subprocess.Popen(["firewalld", "--nofork", "--nopid"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    run = lambda *a: subprocess.run(["firewall-cmd", *a], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if not wait_for(lambda: run("--state").returncode == 0, 20, 0.2):
        firewalld_down()
        raise Skip("firewalld does not start here")
    run("--add-port=7004/tcp")
    run("--add-port=7006/udp")
    run("--add-rich-rule=rule family=ipv4 source address=10.0.0.0/8 port port=7006 protocol=tcp accept")


def firewalld_down():
    for p in ("proc", "bus"):
        firewalld[p].terminate()
        firewalld[p].wait(10)
    for f in os.listdir("/run/pv"):
        if f.startswith("bus"):
            os.unlink("/run/pv/" + f)
    sh("nft", "delete", "table", "inet", "firewalld", check=False)


FIREWALLS = {"none": (None, None, None), "nft": ("nft", nft_up, nft_down), "iptables": ("iptables", iptables_up, iptables_down),
             "ufw": ("ufw", ufw_up, ufw_down), "firewalld": ("firewalld", firewalld_up, firewalld_down)}


def one(tap, d, conf, name, proxy):
    tool, up, down = FIREWALLS[name]
    label = f"{name}, {'with' if proxy else 'without'} proxy"
    if tool and not shutil.which(tool) and not os.path.exists(f"/usr/sbin/{tool}"):
        tap.skip(label, f"{tool} is not installed")
        return
    try:
        if up:
            up()
        truth = measured()
        ports, found = said(conf)
        for what, port in (("0.0.0.0", WIDE), ("::", SIX), ("127.0.0.1", LOOP), ("host network", HOST), ("DOCKER-USER", USER), ("a program", OWN)):
            of = lambda s: sorted(x for x in s if x.startswith(f"{port}/"))
            tap.eq(of(ports), of(truth), f"{label}: {what}: {', '.join(of(truth)) or 'closed'}")
        tap.eq(ports - truth, set(), f"{label}: nothing else is said to be open")
        tap.eq(found["fw.active-default-deny"]["verdict"], "fail" if name == "none" else "pass", f"{label}: default deny")
        denied = [e["value"] for e in found["fw.docker-bypass"].get("evidence", []) if "although the firewall denies it" in e["value"]]
        tap.ok(bool(denied) == (name != "none" and any(x.startswith(str(WIDE)) for x in ports)), f"{label}: says that the firewall is bypassed", denied)
    finally:
        if down and (name != "firewalld" or firewalld.get("proc")):
            down()


def worlds(tap, proxy):
    w = world()
    sh("ip", "route", "replace", "default", "via", "192.0.2.2")
    sh("ip", "-6", "route", "replace", "default", "via", "fd00:98::2")
    with Dockerd(f"--userland-proxy={'true' if proxy else 'false'}") as d:
        publish(d)
        own = subprocess.Popen([helper("pvnet"), "serve", str(OWN)], stdout=subprocess.DEVNULL)
        conf = "/run/pv/audit.yaml"
        with open(os.open(conf, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            f.write(f"state_dir: /run/pv/state\ndocker: {{socket: {d.sock}}}\npodman: {{socket: no}}\n")
        try:
            wait_for(lambda: f"{OWN}/tcp IPv4" in measured() and f"{HOST}/tcp IPv4" in measured(), 10)
            if not proxy and shutil.which("nft"):
                closes(tap, d, conf)
            for name in os.environ.get("PAVISE_FIREWALLS", " ".join(FIREWALLS)).split():
                one(tap, d, conf, name, proxy)
        finally:
            own.kill()
            own.wait()


def closes(tap, d, conf):
    """--fix --guarded: what a stranger reaches is closed from outside, and only from there; it opens again unless confirmed."""
    run = lambda *a: subprocess.run([PAVISE, "audit", "--config", conf, *a], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, timeout=60,
                                    env={**{k: v for k, v in os.environ.items() if k != "SSH_CONNECTION"}, **session})
    session = {"SSH_CONNECTION": f"198.51.100.7 4242 192.0.2.1 {HOST}"}
    near = lambda: sh(helper("pvnet"), "-t", "700", "each", "tcp", "127.0.0.1", str(OWN), ",", "tcp", "192.0.2.1", str(WIDE), check=False).split()
    before, here = measured(), near()
    r = run("--only", "fw", "--fix", "--yes")
    tap.ok("only with --guarded" in r.stdout and measured() == before, "the firewall is not touched without --guarded", r.stdout + r.stderr)
    r = run("--only", "fw", "--fix", "--guarded", "--yes")
    tap.ok("this would close a port of SSH" in r.stderr and any(x.startswith(f"{OWN}/") for x in measured()), "the port of the session that asks for it is never closed", r.stdout + r.stderr)
    session.clear()
    r = run("--only", "fw.listening", "--fix", "--guarded", "--within", "3s", "--yes")
    tap.ok(r.returncode == 0 and "pavise audit --confirm" in r.stderr and not any(x.startswith(f"{OWN}/") for x in measured()), "closed from outside", r.stdout + r.stderr)
    tap.eq(near(), here, "not from the host itself")
    r2 = run("--only", "fw.docker-bypass", "--fix", "--guarded", "--yes")
    tap.ok("waits to be confirmed" in r2.stderr, "one change waits at a time", r2.stderr)
    tap.ok(wait_for(lambda: measured() == before, 20, 0.5), "not confirmed: all is open again", sorted(before - measured()))
    tap.eq(run("--confirm").returncode, 2, "too late to confirm")
    r = run("--only", "fw", "--fix", "--guarded", "--within", "3s", "--yes")
    c = run("--confirm")
    tap.ok(r.returncode == c.returncode == 0 and "confirmed: the change" in c.stderr, "both kinds in one step: confirmed", r.stderr + c.stderr)
    time.sleep(3.5)
    found = said(conf)[1]
    tap.eq((sorted(measured()), found["fw.listening"]["verdict"], found["fw.docker-bypass"]["verdict"]), ([], "pass", "pass"), "it stays: nothing is reachable, and the same audit passes")
    tap.eq(near(), here, "the host itself reaches all as before")
    run("--undo", "--yes")
    tap.eq(measured(), before, "--undo opens them")
    sh("mount", "-t", "tmpfs", "none", "/etc/systemd/system")
    for enabled in (False, True): # /etc/nftables.conf begins with flush ruleset: no advice where nobody uses it
        if enabled:
            os.mkdir("/etc/systemd/system/sysinit.target.wants")
            os.symlink("/lib/systemd/system/nftables.service", "/etc/systemd/system/sysinit.target.wants/nftables.service")
        run("--only", "fw", "--fix", "--guarded", "--yes")
        c = run("--confirm")
        tap.eq(("nftables.conf" in c.stderr, "until the machine restarts" in c.stderr), (enabled, not enabled), f"how it is kept, nftables.service {'enabled' if enabled else 'not enabled'}")
        run("--undo", "--yes")
    sh("umount", "/etc/systemd/system")
    run("--only", "fw", "--fix", "--guarded", "--yes")
    run("--undo", "--yes")
    tap.eq((measured(), run("--confirm").returncode), (before, 2), "undone before it was confirmed: nothing waits any more")
    sh("nft", "delete", "table", "inet", "pavise_audit", check=False)


def test_with_proxy(tap):
    worlds(tap, True)


def test_without_proxy(tap):
    worlds(tap, False)


def test_vxlan(tap):
    """4789/udp is the kernel's: a socket, and nobody who holds it."""
    world()
    conf = "/run/pv/audit.yaml"
    with open(os.open(conf, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
        f.write("state_dir: /run/pv/state\ndocker: {socket: no}\npodman: {socket: no}\n")
    tap.ok(not any(x.startswith("4789/") for x in said(conf)[0]), "no VXLAN: no port")
    r = subprocess.run("ip link add vx0 type vxlan id 7 dev out0 dstport 4789 && ip link set vx0 up", shell=True)
    if r.returncode:
        tap.skip("VXLAN", "this kernel has none")
        return
    ports, found = said(conf)
    tap.ok("4789/udp IPv4" in ports, "a VXLAN device is reachable on 4789/udp", sorted(ports))
    subprocess.run(["nft", "-f", "-"], input="table ip v {\nchain c {\ntype filter hook input priority 0; policy accept;\nudp dport 4789 ip saddr != 10.0.0.0/8 drop\n}\n}\n",
                   text=True, check=True)
    tap.ok(not any(x.startswith("4789/") for x in said(conf)[0]), "closed to all but 10.0.0.0/8: not reachable for a stranger")
    sh("nft", "delete", "table", "ip", "v")
    sh("ip", "link", "del", "vx0")


main(test_vxlan, test_with_proxy, test_without_proxy)

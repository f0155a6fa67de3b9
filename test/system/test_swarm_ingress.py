#!/usr/bin/env python3
"""A port of Swarm's routing mesh: nobody listens on it in the host's namespace, it is redirected into one of Docker's own. What
fw.* says is what a neighbour reaches, open, closed by a firewall on the way in, and closed in DOCKER-USER."""

import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvtest import *  # noqa: E402,F403

PORT = 7011
CONF = "/run/pv/ingress.yaml"


def reaches():
    return world().out(helper("pvnet"), "-t", "1500", "tcp", "192.0.2.1", PORT, check=False).split()[-1:] == ["ok"]


def said():
    out = subprocess.run([PAVISE, "audit", "--config", CONF, "--only", "fw,host.swarm-ports", "--format", "json"], stdout=subprocess.PIPE, timeout=60).stdout
    found = {f["id"]: f for f in json.loads(out)["findings"]}
    values = [e["value"] for f in ("fw.docker-bypass", "fw.listening") for e in found[f].get("evidence", [])]
    return any(v.startswith(f"{PORT}/tcp ") for v in values), found, values


def test_ingress(tap):
    sh("modprobe", "-q", "ip_vs", check=False) if shutil.which("modprobe") else None
    if not os.path.exists("/proc/net/ip_vs"):
        raise Skip("this kernel has no IPVS, which the mesh is made of")
    world()
    sh("ip", "route", "replace", "default", "via", "192.0.2.2")
    with Dockerd() as d:
        try:
            d.api("POST", "/swarm/init", {"ListenAddr": "192.0.2.1:2377", "AdvertiseAddr": "192.0.2.1"})
        except ApiError as e:
            raise Skip(f"no Swarm here: {e}")
        try:
            sid = d.api("POST", "/services/create", {
                "Name": "shop_web", "Mode": {"Replicated": {"Replicas": 1}}, "Labels": {"com.docker.stack.namespace": "shop"},
                "TaskTemplate": {"ContainerSpec": {"Image": IMAGE, "Command": ["pvnet", "serve", str(PORT)]}},
                "EndpointSpec": {"Ports": [{"Protocol": "tcp", "TargetPort": PORT, "PublishedPort": PORT, "PublishMode": "ingress"}]}})["ID"]
            mine = lambda: [t for t in d.api("GET", "/tasks") if t["ServiceID"] == sid]
            if not wait_for(lambda: any(t["Status"]["State"] in ("running", "rejected", "failed") for t in mine()), 40) or not any(t["Status"]["State"] == "running" for t in mine()):
                raise Skip("the mesh does not start here: " + str([t["Status"].get("Err", t["Status"]["State"]) for t in mine()][:1])[:160])
            # The mesh's namespace forwards as the machine's own does, which these tests leave as it is.
            sh("nsenter", f"--net={d.dir}/run/netns/ingress_sbox", "sysctl", "-qw", "net.ipv4.ip_forward=1")
            if not wait_for(reaches, 15, 0.5):
                raise Skip("the mesh carries nothing here (it needs VXLAN and IPVS)")
            with open(os.open(CONF, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
                f.write(f"state_dir: /run/pv/state\ndocker: {{socket: {d.sock}}}\npodman: {{socket: no}}\n")
            worlds(tap)
        finally:
            d.api("POST", "/swarm/leave?force=1")


def worlds(tap):
    same = lambda what: tap.ok(said()[0] == reaches(), f"{what}: {'open' if reaches() else 'closed'}, and said so", said()[2])
    same("no firewall")
    found = said()[1]
    tap.eq(found["host.swarm-ports"]["verdict"], "fail", "2377 and 7946 are open, too")
    if shutil.which("nft"):
        subprocess.run(["nft", "-f", "-"], input="table inet mine { chain i { type filter hook input priority 0; policy drop; ct state established,related accept; iif lo accept; }; }\n", text=True,
                       check=True)
        same("nft denies what comes in")
        sh("nft", "delete", "table", "inet", "mine")
        subprocess.run(["nft", "-f", "-"], input=f"table inet mine {{ chain p {{ type filter hook prerouting priority -150; iifname out0 tcp dport {PORT} drop; }}; }}\n", text=True, check=True)
        same("nft drops it before it is redirected")
        tap.ok(not reaches(), "so it is closed")
        sh("nft", "delete", "table", "inet", "mine")
    for rule in (("-i", "out0", "-p", "tcp", "-m", "conntrack", "--ctorigdstport", PORT, "--ctdir", "ORIGINAL", "-j", "DROP"), ("-i", "out0", "-s", "10.0.0.0/8", "-j", "DROP")):
        sh("iptables", "-I", "DOCKER-USER", *rule)
        same("DOCKER-USER " + " ".join(map(str, rule)))
        sh("iptables", "-D", "DOCKER-USER", *rule)


main(test_ingress)

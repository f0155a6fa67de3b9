#!/usr/bin/env python3
"""The rows of doc/requirements.tsv that the guard meets, one after another on real containers; what the command printed is
kept for doc/requirements.md (build/test/evidence). The five-minute window itself runs on a virtual clock (test/flow); here it
is four seconds, at a tenth of a core."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvtest import *  # noqa: E402,F403

EVIDENCE = os.path.join(REPO, "build", "test", "evidence")


def keep(row, text):
    os.makedirs(EVIDENCE, exist_ok=True)
    with open(os.path.join(EVIDENCE, row + ".txt"), "w") as f:
        f.write(text)
    return text


def compose(project, service):
    return {"com.docker.compose.project": project, "com.docker.compose.service": service,
            "com.docker.compose.container-number": "1", "com.docker.compose.config-hash": "0" * 64}


def test_rows(tap):
    with Dockerd() as d:
        web = d.run("sleep 1000", name="shop-web-1", labels=compose("shop", "web"))
        mem = d.run("pvnet eat 58 1000", name="shop-api-1", labels=compose("shop", "api"), Memory=64 << 20, MemorySwap=64 << 20)
        d.run("pvnet forks 60 1000", name="shop-jobs-1", labels=compose("shop", "jobs"))
        with Guard(d, {"sample": "500ms", "cpu": {"limit": "10%", "for": "4s"}}) as g:
            web.net(f"connect {OUT4} 3333", f"connect {OUT4} 14444", f"dns udp {DNS4} 53 pool.hashvault.pro",
                    f"dns udp {DNS4} 53 eu.mine.example.org", f"dns udp {DNS4} 53 pool.hashvault.pro")
            oom = d.run(["sh", "-c", "pvnet oomchild 64; sleep 1000"], name="shop-report-1", labels=compose("shop", "report"),
                        Memory=32 << 20, MemorySwap=32 << 20)
            miner = d.run("pvnet burn 1000", name="shop-worker-1", restart="always", labels=compose("shop", "worker"))

            n = g.wait_notice("run.cpu", "shop/worker", 30, where=lambda n: n["action"] == "killed")
            out = keep("G1.1", g.cmd("events", "--id", "run.cpu"))
            tap.ok(n and not miner.running() and "shop/worker used" in out and "; killed" in out,
                   "G1.1 sustained CPU load: the container is killed, and told", out)
            n = g.wait_notice("run.memory", "shop/api") and g.wait_notice("run.oom", "shop/report")
            out = keep("G1.2", g.cmd("events", "--id", "run.memory") + g.cmd("events", "--id", "run.oom"))
            tap.ok(n and mem.running() and "shop/api holds" in out and "shop/report" in out,
                   "G1.2 memory close to its limit, and an OOM kill of a child: told", out)
            n = g.wait_notice("run.pids", "shop/jobs")
            out = keep("G1.3", g.cmd("events", "--id", "run.pids"))
            tap.ok(n and "shop/jobs" in out and "(limit 50)" in out, "G1.3 more than 50 processes: told", out)
            out = keep("G1.4", g.cmd("events", "--id", "net.stratum"))
            tap.ok(f"shop/web tried to connect to {OUT4}:3333" in out and "; refused" in out and ":14444" in out,
                   "G1.4 connections to mining ports: refused and told", out)
            out = keep("G1.5", g.cmd("events", "--id", "dns.mining"))
            tap.ok("shop/web asked for pool.hashvault.pro" in out and "eu.mine.example.org" in out and "refused" in out,
                   "G1.5 questions for pool.* and *.mine.*: refused and told", out)
            d.run("pvnet burn 2", name="shop-batch-1", labels=compose("shop", "batch"))
            time.sleep(1.5)
            top = g.cmd("top")
            status = g.cmd("status")
            keep("G4.1", top + "\n$ pavise status\n" + status)
            tap.ok("shop/jobs" in top and "shop/web" in top and "last 24 h" in status,
                   "G4.1 processes and load of each container on one screen", top + status)
            row = next(x["row"] for x in g.notices("net.stratum"))
            keep("event", g.cmd("events", "show", str(row)))
            oom.remove()


main(test_rows)

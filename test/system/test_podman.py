#!/usr/bin/env python3
"""Podman's containers, by its Docker-compatible socket."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvtest import *  # noqa: E402,F403


def pvnet(p, c, *cmd):
    return p.podman("exec", c.id, "pvnet", *cmd, check=False).strip()


def test_podman(tap):
    with Podman() as p:
        c = p.run("sleep 1000", name="pod-web", network="host")
        tap.eq(pvnet(p, c, "connect", OUT4, "3333"), "ok", "unguarded: the way is open")
        with Guard(p, {"sample": "500ms", "cpu": {"limit": "10%", "for": "4s"}}) as g:
            tap.eq(pvnet(p, c, "connect", OUT4, "3333"), "EPERM", "refused")
            tap.eq(pvnet(p, c, "connect", OUT4, "443"), "ok", "a benign port goes through")
            tap.eq(pvnet(p, c, "dns", "udp", DNS4, "53", "x.mine.org"), "EPERM", "a mining name is refused")
            tap.ok(wait_for(lambda: any(x["signal"] == "exec" for x in g.status()["degraded"]), 15),
                   "with storage that is no overlay the status says that programs are not judged", g.status()["degraded"])
            tap.eq(p.podman("exec", c.id, "sh", "-c", "cp /bin/busybox /tmp/busybox && /tmp/busybox echo on", check=False).strip(), "on",
                   "and none is taken for a stranger")
            n = g.wait_notice("net.stratum", "pod-web")
            tap.ok(n, "the notice knows the container's name", g.notices()[-3:])
            m = p.run("pvnet burn 1000", name="pod-miner", network="none")
            gone = wait_for(lambda: not m.running(), 30)
            tap.ok(gone, "a busy container is killed", g.log(8))
            tap.ok(g.wait_notice("run.cpu", "pod-miner", where=lambda n: n["action"] == "killed"), "and told", g.notices()[-3:])


main(test_podman)

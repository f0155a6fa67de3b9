#!/usr/bin/env python3
"""Podman's containers, by its Docker-compatible socket."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvtest import *  # noqa: E402,F403
from test_logs import each, kill_engine, seen, word  # noqa: E402


def pvnet(p, c, *cmd):
    return p.podman("exec", c.id, "pvnet", *cmd, check=False).strip()


def log_of(tap, p, g):
    """Its k8s-file is followed by the API, whose times are whole seconds: both streams, each line once, with the engine killed in between."""
    cmd = "".join(f"for w in {' '.join(word(i, k) for i in range(10))}; do echo 2026/11/28 15:00:00 [error] 28#28: the spool $w is not there{to}; sleep 0.1; done; "
                  for k, to in (("p", ""), ("q", " >&2")))
    p.run(["/bin/sh", "-c", cmd + "sleep 1000"], name="pod-log")
    wait_for(lambda: len(seen(g)) >= 8, 20)
    kill_engine(g)
    want = {**each(10, "p"), **each(10, "q")}
    wait_for(lambda: set(want) <= set(seen(g)), 30)
    time.sleep(0.3)
    tap.eq(seen(g), want, "k8s-file: each line once, over kill -9")


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
            log_of(tap, p, g)  # before: what comes from a killed one's image is killed on sight
            m = p.run("pvnet burn 1000", name="pod-miner", network="none")
            gone = wait_for(lambda: not m.running(), 30)
            tap.ok(gone, "a busy container is killed", g.log(8))
            tap.ok(g.wait_notice("run.cpu", "pod-miner", where=lambda n: n["action"] == "killed"), "and told", g.notices()[-3:])


main(test_podman)

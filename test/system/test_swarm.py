#!/usr/bin/env python3
"""A Swarm task is stopped at its service: killing it alone would bring it back."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvtest import *  # noqa: E402,F403


def service(d, name, cmd, mode):
    return d.api("POST", "/services/create", {
        "Name": name, "Mode": mode, "Labels": {"com.docker.stack.namespace": "shop"},
        "TaskTemplate": {"ContainerSpec": {"Image": IMAGE, "Command": cmd.split(),
                                           "Labels": {"com.docker.stack.namespace": "shop"}}}})["ID"]


def tasks(d, sid):
    return [t for t in d.api("GET", "/tasks") if t["ServiceID"] == sid and t["Status"]["State"] == "running"]


def test_swarm(tap):
    with Dockerd() as d:
        d.api("POST", "/swarm/init", {"ListenAddr": "192.0.2.1:2377", "AdvertiseAddr": "192.0.2.1"})
        miner = service(d, "shop_miner", "pvnet burn 1000", {"Replicated": {"Replicas": 1}})
        every = service(d, "shop_every", "pvnet burn 1000", {"Global": {}})
        web = service(d, "shop_web", "sleep 1000", {"Replicated": {"Replicas": 1}})
        for sid in (miner, every, web):
            tap.ok(wait_for(lambda: tasks(d, sid), 40), "a task runs before the guard comes")
        with Guard(d, {"sample": "500ms", "cpu": {"limit": "10%", "for": "4s"}}) as g:
            for sid, name in ((miner, "shop/miner"), (every, "shop/every")):
                n = g.wait_notice("run.cpu", name, 40, where=lambda n: n["action"] in ("killed", "stopped"))
                tap.ok(n, f"{name}: stopped and told", g.notices()[-4:])
                tap.ok(wait_for(lambda: not tasks(d, sid), 20), f"{name}: no task runs")
            time.sleep(7)  # a task that is killed alone is replaced after about five seconds
            tap.eq([len(tasks(d, s)) for s in (miner, every)], [0, 0], "and none comes back")
            tap.eq(len(tasks(d, web)), 1, "its neighbour runs on")
            spec = d.api("GET", f"/services/{miner}")["Spec"]
            tap.eq(spec["Mode"]["Replicated"].get("Replicas", 0), 0, "the service is scaled to nothing")
            def act(subject):
                return next((a["row"] for a in g.ask({"verb": "acts"})[-1]["acts"] if a["subject"] == subject and not a["undone"]), None)

            row = act("shop/miner")
            if tap.ok(row is not None, "the act is on record"):
                g.cmd("undo", str(row))
                spec = d.api("GET", f"/services/{miner}")["Spec"]
                tap.eq(spec["Mode"]["Replicated"].get("Replicas", 0), 1, "undo scales it back")
                tap.ok(wait_for(lambda: tasks(d, miner), 20), "its new task runs")
                time.sleep(2)
                tap.eq(g.notices("run.respawn"), [], "and is not taken for a miner that came back")
            tap.ok(wait_for(lambda: act("shop/miner"), 40) and wait_for(lambda: not tasks(d, miner), 20), "it is stopped again", g.notices()[-4:])
            now = d.api("GET", f"/services/{miner}")
            now["Spec"]["Mode"]["Replicated"]["Replicas"] = 2
            d.api("POST", f"/services/{miner}/update?version={now['Version']['Index']}", now["Spec"])
            said = g.cmd("undo", str(act("shop/miner")))
            tap.eq(d.api("GET", f"/services/{miner}")["Spec"]["Mode"]["Replicated"]["Replicas"], 2, "undo leaves what its owner has set since")
            tap.ok("stays as it is" in said and f"docker service scale {miner}=1" in said, "and says so", said)
        d.leave_swarm()


if __name__ == "__main__":
    main(test_swarm)

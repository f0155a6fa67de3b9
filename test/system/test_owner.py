#!/usr/bin/env python3
"""The owner stays in charge: off and on, also with the guard dead; exceptions by name and by label; reload; observe."""

import os
import pwd
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvtest import *  # noqa: E402,F403

TRY = f"connect {OUT4} 3333"


def blocked(c):
    return c.net(TRY) == ["EPERM"]


def test_off(tap):
    with Dockerd() as d:
        c = d.run("sleep 1000", name="web")
        with Guard(d) as g:
            tap.ok(blocked(c), "blocked to begin with")
            g.cmd("off")
            tap.ok(wait_for(lambda: not blocked(c), 3), "off: open")
            tap.ok("off" in g.cmd("status", check=False).lower(), "status says so")
            tap.ok(g.wait_notice("guard.off"), "so does a notice", g.notices()[-3:])
            g.cmd("on")
            tap.ok(wait_for(lambda: blocked(c), 3), "on: blocked")
            g.cmd("off", "--for", "3s")
            tap.ok(wait_for(lambda: not blocked(c), 2), "off --for 3s: open")
            tap.ok(wait_for(lambda: blocked(c), 6), "and blocked again by itself")


def kill_all(tap, g):
    pids = {g.proc.pid}
    for _ in range(3):
        pids |= set(g.roles().values())
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    g.proc.wait()
    # who dies has no program any more while its sockets are still open
    tap.ok(wait_for(lambda: not g.roles() and not any(os.path.exists(f"/proc/{p}") for p in pids), 5), "every role is dead", g.roles())


def test_off_dead(tap):
    with Dockerd() as d:
        c = d.run("sleep 1000", name="web")
        g = Guard(d)
        with g:
            tap.ok(blocked(c), "blocked to begin with")
            kill_all(tap, g)
            tap.ok(blocked(c), "blocks stay in force without them")
            g.cmd("off", "--for", "4s")
            tap.ok(not blocked(c), "off --for works with the guard dead")
            tap.ok(wait_for(lambda: blocked(c), 7), "and the kernel goes on by itself")
            g.cmd("off")
            tap.ok(not blocked(c), "off works with the guard dead")
            g.start()
            tap.ok(wait_for(lambda: not blocked(c), 1) and not blocked(c), "off until told otherwise outlives a new start",
                   g.status())
            g.cmd("on")
            tap.ok(wait_for(lambda: blocked(c), 3), "on: blocked again")
            tap.ok(g.stop(), "the guard ends by itself")
            tap.ok(blocked(c), "stopped in order: blocks stay")
            tap.ok("block" in g.log().lower(), "and it says so", g.log(5))
            g.start()
            tap.ok(blocked(c), "started again: blocked")


def undo_dead(tap, g, subject, kind):
    """Every role is killed and the act on `subject` taken back; the row."""
    row = next(a["row"] for a in g.ask({"verb": "acts"})[-1]["acts"] if (a["subject"], a["kind"]) == (subject, kind))
    kill_all(tap, g)
    said = g.cmd("undo")
    tap.ok(f"{subject}: {kind}" in said and "taken back" not in said, "with the guard dead: listed", said)
    said = g.cmd("undo", str(row), check=False)
    tap.ok(subject in said and "the guard does not run" in said and "next:" not in said, "and taken back", said)
    tap.ok("taken back already" in g.cmd("undo", str(row), check=False), "once", said)
    tap.ok("no act of that number" in g.cmd("undo", "4711", check=False), "another number is none")
    said = g.cmd("undo", str(row), check=False, user=65534)
    tap.ok("only root" in said and f"next: sudo pavise undo --config {g.config} {row}" in said, "only by root, who is told how", said)
    own = pwd.getpwnam("pavise").pw_uid
    files = {f: os.stat(f"{g.state_dir}/engine/{f}").st_uid for f in os.listdir(f"{g.state_dir}/engine")}
    tap.ok("history.db" in files and set(files.values()) == {own}, "all files of the history are the engine's", files)
    return row


def add_acts(g, *acts):
    """Rows (kind, id, old value) in the history of a guard that is dead; their numbers. Nothing of ours stays in its folder."""
    db = sqlite3.connect(f"{g.state_dir}/engine/history.db")
    rows = [db.execute("INSERT INTO acts(time_us,notice,kind,subject,id,old_value,undone) VALUES(1,0,?,'svc',?,?,0)", a).lastrowid for a in acts]
    db.commit()
    db.close()
    return rows


def test_undo_dead(tap):
    fast = {"sample": "500ms", "cpu": {"limit": "10%", "for": "4s"}}
    with Dockerd() as d:
        with Guard(d, merge(fast, {"cpu": {"action": "freeze"}}), name="g-freeze") as g:
            c = d.run("pvnet burn 1000", name="frozen", image=d.variant("frozen"))
            frozen = lambda: "frozen 1" in open(c.cgroup() + "/cgroup.events").read()  # noqa: E731
            tap.ok(g.wait_notice("run.cpu", "frozen", 25, where=lambda n: n["action"] == "frozen") and wait_for(frozen, 5), "frozen", g.log(5))
            undo_dead(tap, g, "frozen", "freeze")
            tap.ok(not frozen(), "it goes on")
            c.remove()
        with Guard(d, fast) as g:
            c = d.run("pvnet burn 1000", name="busy", image=d.variant("busy"), restart="always")
            tap.ok(g.wait_notice("run.cpu", "busy", 25, where=lambda n: n["action"] == "killed") and wait_for(lambda: not c.running(), 5), "killed", g.log(5))
            tap.eq(c.policy(), "no", "its restart policy is off")
            row = undo_dead(tap, g, "busy", "restart-docker")
            tap.eq(c.policy(), "always", "its restart policy is back")
            svc, cannot = "a1" * 12 + "b", "the act could not be taken back"
            for n, (what, want) in zip(add_acts(g, ("swarm-scale", svc, "2"), ("swarm-scale", svc, "global"), ("swarm-scale", svc, "$(id)"),
                                                ("swarm-scale", "x;id", "2"), ("freeze", "1; id", ""), ("restart-docker", "../images", "always")),
                                       (("a service", f"next: docker service scale {svc}=2\n"),
                                        ("a global one", f"next: docker service update --constraint-rm node.labels.pavise.stopped==true {svc}\n"),
                                        ("a number that is none", cannot), ("a service's id that is none", cannot), ("a cgroup that is none", cannot),
                                        ("a container that is none", "svc: could not be taken back: Invalid argument"))):
                said = g.cmd("undo", str(n), check=False)
                tap.ok(want in said, f"{what}: {want.strip()}", said)
            tap.eq(g.cmd("undo", check=False).count("taken back"), 1, "none of these is taken back")
            g.start()
            tap.ok(next(a["undone"] for a in g.ask({"verb": "acts"})[-1]["acts"] if a["row"] == row), "the guard that comes knows it")
            d.api("POST", f"/containers/{c.id}/start")
            time.sleep(2)
            tap.ok(c.running(), "and does not kill it on sight", g.log(5))
            c.remove()


def test_off_past(tap):
    """Root switches in the kernel, past an engine that does not answer: the engine learns it, and does not kill either."""
    with Dockerd() as d:
        with Guard(d) as g:
            broker = os.path.join(os.path.dirname(PAVISE), "pavise-broker")
            until = time.clock_gettime_ns(time.CLOCK_MONOTONIC) + 60 * 10**9
            sh(broker, "off", until, "--bpf-dir", g.bpf_dir)
            tap.ok(wait_for(lambda: g.status()["off"], 5), "the engine knows", g.log(5))
            tap.ok(g.wait_notice("guard.off"), "and tells", g.notices()[-3:])
            g.cmd("on")
            tap.ok(not g.status()["off"], "on again")


def test_exceptions(tap):
    with Dockerd() as d:
        conf = {"sample": "500ms", "cpu": {"limit": "10%", "for": "4s"}}
        d.import_image(image_tar(), "excused:1", changes=("ENV PATH=/bin", "LABEL pavise.cpu=ignore"))
        web = d.run("sleep 1000", name="web")
        other = d.run("sleep 1000", name="other")
        label = d.run("pvnet burn 1000", name="by-label", labels={"pavise.cpu": "ignore", "pavise.net": "ignore"})
        with Guard(d, conf) as g:
            image = d.run("pvnet burn 1000", name="by-image", image="excused:1")
            tap.ok(wait_for(lambda: not image.running(), 25), "a label of the image excuses nobody", g.log(8))
            tap.ok(label.running(), "a label of the container does")
            tap.ok(blocked(label), "but never for net")
            tap.ok("by-label" in g.cmd("status", check=False), "status lists the exception")
            tap.ok(blocked(web) and blocked(other), "blocked to begin with")
            g.cmd("allow", "web", "net")
            tap.ok(wait_for(lambda: not blocked(web), 5), "allow: open for web", g.log(5))
            tap.ok(blocked(other), "for nobody else")
            tap.ok("web" in g.cmd("status", check=False), "status lists it")
            tap.eq(web.net(f"dns udp {DNS4} 53 x.mine.org"), ["EPERM"], "for no other signal")
            g.stop()
            g.start()
            tap.ok(wait_for(lambda: not blocked(web), 3), "and it outlives a new start")
            asks = lambda: web.net(f"dns udp {DNS4} 53 x.mine.org") != ["EPERM"]  # noqa: E731
            g.cmd("allow", "web", "dns")
            tap.ok(wait_for(asks, 5) and not blocked(web), "a second one beside it: both hold", g.log(5))
            g.stop()
            for signal_ in ("net", "dns"):
                g.cmd("allow", "web", signal_, "--remove")
            g.start()
            tap.ok(wait_for(lambda: blocked(web) and not asks(), 5), "taken back while no guard ran, they are over", g.log(5))


def test_first_program(tap):
    """An exception holds from the container's first program on, and a notice has its name, however short it lived."""
    line = ["sh", "-c", "cp /bin/pvran /tmp/m; exec /tmp/m"]
    labels = {"com.docker.compose.project": "shop", "com.docker.compose.service": "api", "com.docker.compose.container-number": "1"}
    files = image_tar(extra=((helper("pvran"), "bin/pvran"),))

    def runs(c):
        before = c.logs().count("RAN")
        c.start()
        c.wait()
        return c.logs().count("RAN") - before

    def listed(g, times):
        wait_for(lambda: g.log(100).count("containers listed") >= times, 20 * SLOW)

    with Dockerd() as d:
        d.import_image(files, "ran:1")
        d.import_image(files, "forged:1", changes=["ENV PATH=/bin", *(f"LABEL {k}={v}" for k, v in labels.items())])
        excused = [{"name": n, "signal": "exec", "action": "ignore"} for n in ("web", "shop/api")]
        with Guard(d, {"exec": {"grace": "0s"}, "docker": {"root": d.dir + "/data"}, "exceptions": excused}) as g:
            listed(g, 1)
            web = d.run(line, "web", "ran:1", start=False)
            tap.eq([runs(web) for _ in range(4)], [1] * 4, "by its name: at each of its starts")
            api = d.run(line, "shop-api-1", "ran:1", start=False, labels=labels)
            soft = d.run(line, "soft", "ran:1", start=False, labels={"pavise.exec": "alert"})
            time.sleep(0.5 * SLOW)  # Compose makes all of them before it starts the first
            tap.eq([runs(api) for _ in range(4)], [1] * 4, "by project and service")
            tap.eq([runs(soft) for _ in range(4)], [1] * 4, "by its label")
            other = d.run(line, "other", "ran:1", start=False)
            forged = d.run(line, "forged", "forged:1", start=False)
            time.sleep(0.5 * SLOW)
            tap.eq([runs(other), runs(other), runs(forged), runs(forged)], [0] * 4, "nobody else, whatever an image says of itself")
            d.run(line, "short", "ran:1", AutoRemove=True)
            tap.ok(g.wait_notice("exec.dropped", "short"), "a container that is gone at once is told by its name", g.notices()[-2:])
            tap.eq({n["subject"]["name"] for n in g.notices("exec.dropped") if n["action"] == "blocked"}, {"other", "forged", "short"}, "and so are all")
            g.stop()
            g.start()
            listed(g, 2)
            time.sleep(1 * SLOW)
            tap.eq([runs(web), runs(api), runs(other), runs(forged)], [1, 1, 0, 0], "the same for those that a new guard finds stopped")


def test_reload(tap):
    with Dockerd() as d:
        c = d.run("sleep 1000", name="web")
        with Guard(d) as g:
            tap.eq(c.net(TRY, f"connect {OUT4} 4445"), ["EPERM", "ok"], "to begin with")
            g.write({"net": {"ports": [3333, 4445]}})
            g.proc.send_signal(signal.SIGHUP)
            tap.ok(wait_for(lambda: c.net(f"connect {OUT4} 4445") == ["EPERM"], 6), "SIGHUP: the new port is blocked", g.log(5))
            tap.eq(c.net(TRY, f"connect {OUT4} 4444"), ["EPERM", "ok"], "the old policy is gone")
            good = open(g.config).read()
            g.write_text(good.replace("[3333, 4445]", "[3333, banana]"))
            answer = g.ask({"verb": "reload"})[-1]
            tap.ok(not answer["ok"] and "pavise.yaml:" in answer["error"], "an invalid file is refused with its place", answer)
            tap.eq(c.net(f"connect {OUT4} 4445"), ["EPERM"], "and the policy stays")
            g.write_text(good)
            # No gap: 40 connects while the policy changes 10 times.
            e = d.api("POST", f"/containers/{c.id}/exec", {"Cmd": ["sh", "-c", f"pvnet flood {OUT4} 3333 60000 >/tmp/gap"]})["Id"]
            d.api("POST", f"/exec/{e}/start", {"Detach": True})
            for i in range(10):
                g.write({"net": {"ports": [3333, 5000 + i]}})
                tap.ok(g.ask({"verb": "reload"})[-1]["ok"], f"reload {i}")
            got = wait_for(lambda: c.exec("cat /tmp/gap"), 60)
            tap.eq(got, "60000 0 0", "60,000 connects meanwhile: not one went through")


def test_observe(tap):
    with Dockerd() as d:
        c = d.run("sleep 1000", name="web")
        busy = d.run("pvnet forks 60 1000", name="busy")
        with Guard(d, {"mode": "observe", "sample": "500ms", "cpu": {"limit": "10%", "for": "4s"}}) as g:
            tap.eq(c.net(TRY, f"dns udp {DNS4} 53 x.mine.org"), ["ok", "ok"], "nothing is refused")
            for id_ in ("net.stratum", "dns.mining"):
                n = g.wait_notice(id_, "web")
                tap.ok(n and n["action"] == "would-block", f"{id_}: would-block", g.notices()[-3:])
            m = d.run("pvnet burn 1000", name="miner")
            n = g.wait_notice("run.cpu", "miner", 25, where=lambda n: n["action"] == "would-kill")
            tap.ok(n and m.running(), "run.cpu: would-kill, and it lives", g.notices()[-3:])
            tap.ok(wait_for(lambda: "busy" in g.log(200), 5), "at start it says who would be hit", g.log())
            busy.remove()


main(test_reload, test_exceptions, test_first_program, test_undo_dead, test_off_dead, test_observe, test_off, test_off_past, at_once=3)

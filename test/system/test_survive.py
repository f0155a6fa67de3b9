#!/usr/bin/env python3
"""kill -9 of every role at any moment: blocks stay in force, no written notice is lost, the role comes back. And dockerd
absent, late, restarted."""

import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvtest import *  # noqa: E402,F403

ROUNDS = int(os.environ.get("PAVISE_ROUNDS", "200"))
# In each life of a guard three deaths: so many its roles come back from at once, then the pauses grow.
LIVES = (("pavise-broker", "pavise-engine", "pavise-launcher"), ("pavise-engine", "pavise-broker", "all"))


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def launcher(g):
    """The launcher is what `pavise guard` has become."""
    return g.roles().get("pavise-launcher", g.proc.pid)


def rows(g):
    return {n.get("row") or (n["time"], n["id"]) for n in g.notices()} if g.answers() else set()


def comes_back(g, role, pid):
    """It, or all of them, ended for good or run again."""
    if role in ("all", "pavise-launcher"):
        g.proc.wait(20 * SLOW)
        return wait_for(lambda: not g.roles(), 20)
    return wait_for(lambda: g.roles().get(role) not in (None, pid) and g.answers(), 20)


def kills(tap, seed, rounds):
    rng = random.Random(seed)
    plan = (LIVES[0] + LIVES[1]) * (rounds // 6 + 1)
    with Dockerd() as d:
        with Guard(d) as g:
            tries = d.run(f"pvnet always {OUT4} 3333 {DNS4} 53 x.mine.org", name="web")
            tap.ok(g.wait_notice("net.stratum", "web") and g.wait_notice("dns.mining", "web"), "both are refused and told", g.notices()[-3:])
            lost, stuck = [], []
            for i, role in enumerate(plan[:rounds]):
                before = rows(g)
                time.sleep(rng.random() * 0.05)
                roles = g.roles()
                pid = roles.get(role)
                for victim in list(roles.values()) if role == "all" else [launcher(g) if role == "pavise-launcher" else pid]:
                    if victim:
                        kill(victim)
                if not comes_back(g, role, pid):
                    stuck.append((i, role, g.roles(), g.log(4)))
                if not g.roles():
                    g.stop(signal.SIGKILL)
                    g.start()
                lost += before - rows(g)
            count = int((re.findall(r"(?m)^\d+$", tries.logs()) or ["0"])[-1])
            tap.ok(tries.running() and count > 5 * rounds, f"{rounds} kills: both blocks in force throughout",
                   f"{count} tries, then {tries.logs()[-200:]}")
            tap.eq(lost, [], "no notice lost")
            tap.eq(stuck, [], "every role came back, and none was left over")
            tap.note(f"{count} times both were refused")


def test_kill(tap):
    kills(tap, 1, ROUNDS // 2)


def test_kill_too(tap):
    """The other half, beside it: what a start costs is the kernel's check of the programs."""
    kills(tap, 2, ROUNDS - ROUNDS // 2)


def test_often(tap):
    """Three deaths within a minute are a notice."""
    with Dockerd() as d:
        with Guard(d) as g:
            for _ in range(3):
                pid = wait_for(lambda: g.roles().get("pavise-engine"), 10)
                kill(pid)
                wait_for(lambda: g.roles().get("pavise-engine") not in (None, pid), 10)
            wait_for(g.answers, 15)
            tap.ok(g.wait_notice("guard.role", seconds=15), "told", g.notices()[-4:])


def test_link(tap):
    """Somebody takes a pinned link away: noticed and mended within 5 s."""
    with Dockerd() as d:
        c = d.run("sleep 1000", name="web")
        with Guard(d) as g:
            links = [l for l in sh("bpftool", "-j", "link", "show").strip().splitlines()]
            mine = [l["id"] for l in json.loads(links[-1]) if l.get("type") == "cgroup" and
                    l.get("cgroup_id") == os.stat(world().root).st_ino]
            tap.ok(len(mine) >= 5, "the hooks sit at the watched root", mine)
            for id_ in mine:
                sh("bpftool", "link", "detach", "id", id_, check=False)
            tap.ok(wait_for(lambda: c.net(f"connect {OUT4} 3333") == ["EPERM"], 15, 0.3), "blocked again within 5 s", g.log(6))
            tap.ok(g.wait_notice("guard.degraded"), "and told", g.notices()[-3:])


def test_dockerd(tap):
    """The guard starts without dockerd, finds it when it comes, and lists again after its restart."""
    d = Dockerd()
    with Guard(d) as g:
        def names():
            return [w.get("name") for w in g.ask({"verb": "top"})[-1]["workloads"]]
        tap.ok(g.answers(), "the guard runs without dockerd")
        with d:
            c = d.run("sleep 1000", name="first", restart="always")
            tap.ok(wait_for(lambda: "first" in names(), 15), "a container of a late dockerd is known by name", names)
            tap.eq(c.net(f"connect {OUT4} 3333"), ["EPERM"], "and guarded")
            d.down()
            d.up()
            c2 = d.run("sleep 1000", name="second")
            tap.ok(wait_for(lambda: {"first", "second"} <= set(names()), 20), "after a restart both are known", names())
            c2.remove()
            tap.ok(wait_for(lambda: "second" not in names(), 10), "one that went is forgotten", names())


def test_upgrade(tap):
    """dockerd is replaced by another file while its containers live on (live-restore): they stay guarded, and what the new one
    starts is known by name."""
    with Dockerd("--live-restore") as d:
        c = d.run("sleep 1000", name="first")
        pid = c.pid()
        with Guard(d) as g:
            def names():
                return [w.get("name") for w in g.ask({"verb": "top"})[-1]["workloads"]]
            tap.ok(wait_for(lambda: "first" in names(), 15), "known by name", names())
            d.down()
            tap.eq(sh("nsenter", "-t", pid, "-n", "sh", "-c", 'echo $$ > "$0/cgroup.procs"; exec "$@"', c_group(pid), helper("pvnet"),
                      "connect", OUT4, "3333", check=False).strip(), "EPERM", "guarded while no dockerd runs")
            d.program = "/run/pv/dockerd-next"
            shutil.copy(shutil.which("dockerd"), d.program)
            d.up()
            tap.ok(c.running() and c.pid() == pid, "the container has lived through the upgrade")
            second = d.run("sleep 1000", name="second")
            tap.ok(wait_for(lambda: {"first", "second"} <= set(names()), 20), "both are known to the guard", names())
            tap.eq(second.net(f"connect {OUT4} 3333"), ["EPERM"], "and guarded")
            tap.ok(wait_for(lambda: not g.status()["degraded"], 20), "nothing is degraded", g.status()["degraded"])
        c.kill()


def c_group(pid):
    """The cgroup2 folder of a process."""
    with open(f"/proc/{pid}/cgroup") as f:
        return cgroup2() + next(l.split("::", 1)[1].strip() for l in f if "::" in l)


def test_disk_full(tap):
    """A disk without room: the block holds, status says so, and the notice comes when there is room again."""
    with Dockerd() as d:
        c = d.run("sleep 1000", name="web")
        g = Guard(d)
        os.makedirs(g.state_dir)
        sh("mount", "-t", "tmpfs", "-o", "size=2m,mode=755", "pvtest", g.state_dir)
        try:
            with g:
                filler = fill(g.state_dir)
                n = 0
                while n < 60 and not any(x["signal"] == "history" for x in g.status()["degraded"]):
                    # the log of the database may have some room left: a new subject is a new notice
                    c.net(f"dns udp {DNS4} 53 pool{n}.mine.org")
                    n += 1
                tap.ok(any(x["signal"] == "history" for x in g.status()["degraded"]), "no room: status says so", g.log(5))
                before = len(g.notices())
                os.unlink(filler)
                tap.ok(wait_for(lambda: len(g.notices()) > before, 10), "room again: what waited is stored", g.log(5))
                tap.eq([x for x in g.status()["degraded"] if x["signal"] == "history"], [], "and status is content")
                g.stop()
                g._rules = lambda save=False: None  # nothing of ours either
                fill(g.state_dir)
                g.start()
                tap.ok(g.answers() and len(g.notices()) > before, "stopped and started on a full disk: it runs, with its history", g.log(8))
                tap.eq(c.net(f"-t 1500 connect {OUT4} 3333"), ["EPERM"], "and refuses")
        finally:
            sh("umount", "-l", g.state_dir, check=False)


def test_damaged(tap):
    """A damaged history is set aside at the next start, and that is told."""
    with Dockerd() as d:
        with Guard(d) as g:
            old = g.roles()["pavise-engine"]
            for f in ("history.db", "history.db-wal"):
                path = f"{g.state_dir}/engine/{f}"
                with open(path, "r+b") as h:
                    h.write(os.urandom(os.path.getsize(path)))
            os.kill(old, signal.SIGKILL)
            tap.ok(wait_for(lambda: g.roles().get("pavise-engine") not in (None, old) and g.answers(), 15), "it starts", g.log(8))
            tap.ok(g.wait_notice("guard.lost", where=lambda n: "set aside" in n["detail"]["what"]), "told", g.notices())
            tap.ok(os.path.exists(f"{g.state_dir}/engine/history.db.bad"), "and kept for whoever wants to look")


main(test_kill, test_kill_too, test_dockerd, test_upgrade, test_often, test_disk_full, test_damaged, test_link, at_once=3)

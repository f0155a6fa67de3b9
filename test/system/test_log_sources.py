#!/usr/bin/env python3
"""Where logs come from: containers' files of both drivers, the journal, Docker's journald driver, the syslog socket. Each line once, also with
the engine killed in the middle; trusted fields decide what a journal's record may lead to."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import pvcanary  # noqa: E402
from pvtest import *  # noqa: E402,F403
from test_logs import LINES, each, error, banned, kill_engine, line, logs_world, seen, settled, word  # noqa: E402


# --- containers --------------------------------------------------------------------------------------------------------

def printer(kind, pause, n=LINES):
    words = " ".join(word(i, kind) for i in range(n))
    return ["/bin/sh", "-c", f"for w in {words}; do echo 2026/11/28 15:00:00 [error] 28#28: the spool $w is not there; sleep {pause}; done; sleep 1000"]


def container_conf(d):
    return {"docker": {"socket": d.sock, "root": f"{d.dir}/data"}, "logs": {"journal": False}}


def test_containers(tap):
    """Both drivers with a file of their own, rotated while the container prints, and the engine killed meanwhile."""
    logs_world()
    with Dockerd() as d:
        d.import_image(d.tar, "nginx:1", ("ENV PATH=/bin",))
        with Guard(d, conf=container_conf(d)) as g:
            tap.ok(wait_for(lambda: g.status()["logs"]["rules"], 60), "rules are there")
            small = {"max-size": "4k", "max-file": "3"}
            d.run(printer("s", 0.05), name="json", image="nginx:1", LogConfig={"Type": "json-file", "Config": small})
            d.run(printer("t", 0.05), name="local", image="nginx:1",
                  LogConfig={"Type": "local", "Config": {**small, "compress": "false"}})
            d.run(printer("v", 0, 30), name="short", image="nginx:1", LogConfig={"Type": "json-file", "Config": {}}).kill()
            time.sleep(1)
            kill_engine(g)
            want = {**each(LINES), **each(LINES, "t")}
            got = settled(g, len(want), 15)
            short = {a: n for a, n in got.items() if a.startswith("v")}
            got = {a: n for a, n in got.items() if a not in short}
            tap.ok(got == want, "json-file and local: each line once, over rotations and kill -9",
                   f"missing {sorted(set(want) - set(got))}, twice {[a for a in got if got[a] > 1]}\n{g.log(10)}")
            tap.ok(short and set(short.values()) == {1} and short == each(len(short), "v"), "a container that is over already: what it printed", short)
            tap.eq({n["subject"]["kind"] for n in g.notices("logs.error")}, {"container"}, "told of the container")


def test_pieces(tap):
    """A line of 40,000 bytes comes as three records of Docker's; it is one line."""
    logs_world()
    with Dockerd() as d:
        d.import_image(d.tar, "nginx:1", ("ENV PATH=/bin",))
        with Guard(d, conf=container_conf(d)) as g:
            wait_for(lambda: g.status()["logs"]["rules"], 60)
            for i, driver in enumerate(("json-file", "local")):
                before = g.status()["logs"]["lines"]
                cmd = ("x=$(head -c 40000 /dev/zero | tr '\\0' x); echo one; echo 'two '$x; echo '" + error(i).strip() + "'; sleep 100")
                c = d.run(["/bin/sh", "-c", cmd], image="nginx:1", LogConfig={"Type": driver, "Config": {}})
                tap.ok(wait_for(lambda: word(i) in seen(g), 8), f"{driver}: the line after it is read", c.logs()[-300:])
                lines = g.status()["logs"]["lines"] - before
                tap.note(f"{driver}: {lines} lines counted for 3 of the application")
                if driver == "local":
                    tap.eq(lines, 3, "local: pieces are joined")


def test_found(tap):
    """What a container prints: a miner's words are told (G4.7); a secret is told masked, and stands nowhere in what pavise writes."""
    logs_world()
    canary = pvcanary.TOKEN
    with Dockerd() as d:
        with Guard(d, conf=container_conf(d)) as g:
            wait_for(lambda: g.status()["logs"]["rules"], 60)
            d.run(["/bin/sh", "-c", f"echo '[2026-11-28 15:00:00.000]  net      use pool pool.example.org:3333  203.0.113.9'; "
                   f"echo ' * ABOUT        XMRig/6.21.0 gcc/11.2.0'; echo 'new job from stratum+tcp://pool.example.org:3333 diff 120001'; "
                   f"echo 'clone https://{canary}@github.com/x/y failed'; sleep 100"], name="worker")
            n = g.wait_notice("logs.miner", "worker", 10)
            out = g.cmd("events", "--id", "logs.miner")
            os.makedirs(os.path.join(REPO, "build", "test", "evidence"), exist_ok=True)
            with open(os.path.join(REPO, "build", "test", "evidence", "G4.7.txt"), "w") as f:
                f.write(out)
            tap.ok(n and "worker" in out, "G4.7 a container's log speaks of mining: told", out + g.log(6))
            n = g.wait_notice("logs.secret", "worker", 10)
            tap.ok(n and canary not in json.dumps(n), "a secret in a container's log is told, masked", n)
            g.cmd("events", "show", str(n["row"])) if n else None
            found = []
            for folder, _, names in os.walk(g.dir):
                for name in (x for x in names if os.path.isfile(os.path.join(folder, x))):
                    with open(os.path.join(folder, name), "rb") as f:
                        if canary.encode() in f.read():
                            found.append(f"{folder}/{name}")
            tap.eq(found, [], "the secret itself stands nowhere in history and log")


# --- the journal and the socket ----------------------------------------------------------------------------------------

class Journald:
    """A real systemd-journald in the foreground, in this test's mount namespace."""

    def __init__(self):
        if not os.path.exists("/lib/systemd/systemd-journald"):
            raise Skip("no systemd-journald")
        logs_world()
        for p in ("/run/systemd/journal", "/run/log/journal", "/run/systemd/journald.conf.d"):
            os.makedirs(p, exist_ok=True)
        with open("/run/systemd/journald.conf.d/t.conf", "w") as f:
            f.write("[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\nRateLimitIntervalSec=0\n")

    def __enter__(self):
        self.proc = subprocess.Popen(["/lib/systemd/systemd-journald"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if not wait_for(lambda: glob.glob("/run/log/journal/*/system.journal") and os.path.exists("/run/systemd/journal/dev-log"), 10):
            raise RuntimeError("journald does not start")
        return self

    def log(self, *texts, tag="app"):
        """From a cgroup of its own: what the guard's own cgroup says is not read."""
        cg = os.path.join(world().v2, world().name, "app")
        os.makedirs(cg, exist_ok=True)
        prog = ("import socket,sys,os\nopen(sys.argv[1]+'/cgroup.procs','w').write(str(os.getpid()))\ns=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\n"
                "[s.sendto(t.encode(),'/run/systemd/journal/dev-log') for t in sys.argv[2:]]")
        subprocess.run([sys.executable, "-c", prog, cg, *(f"<38>{tag}: {t}" for t in texts)], check=True)

    def rotate(self):
        n = len(glob.glob("/run/log/journal/*/*"))
        self.proc.send_signal(signal.SIGUSR2)
        wait_for(lambda: len(glob.glob("/run/log/journal/*/*")) > n, 5)

    def __exit__(self, *exc):
        self.proc.terminate()
        self.proc.wait(10)
        shutil.rmtree("/run/log/journal", ignore_errors=True)


def test_journal(tap):
    """Records of a real journald: read once, over its rotation and kill -9. A tag proves nothing: none of these comes from ssh.service."""
    with Journald() as j:
        with Guard(conf={"login": {"limit": 1}, "logs": {"journal": True, "containers": False}}) as g:
            tap.ok(wait_for(lambda: g.status()["logs"]["rules"] and g.status()["logs"]["reading"], 60), "the journal is read", g.log())
            first = g.status()["logs"]["lines"]
            j.log(*(f"record {i}" for i in range(20)))
            tap.ok(wait_for(lambda: g.status()["logs"]["lines"] - first >= 20, 5), "20 records", g.status()["logs"])
            j.rotate()
            j.log(*(f"record {i}" for i in range(20, 40)))
            tap.ok(wait_for(lambda: g.status()["logs"]["lines"] - first >= 40, 5), "20 more after its rotation", g.status()["logs"])
            time.sleep(0.5)
            tap.eq(g.status()["logs"]["lines"] - first, 40, "none twice")
            j.log("Failed password for root from 203.0.113.9 port 4000 ssh2", tag="sshd[999]")
            time.sleep(0.5)
            tap.ok("203.0.113.9" not in banned(g), "a tag alone is no sshd")
            time.sleep(1.2)  # what says nothing is remembered once a second
            pid = g.roles()["pavise-engine"]
            os.kill(pid, signal.SIGSTOP)
            j.log(*(f"record {i}" for i in range(40, 60)))
            j.rotate()
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: g.roles().get("pavise-engine", pid) != pid and g.answers(), 10)
            wait_for(lambda: g.status()["logs"]["lines"] >= 20, 8)
            time.sleep(0.5)
            tap.eq(g.status()["logs"]["lines"], 20, "what came while none ran, once")


def made_journal(path, records):
    text = ""
    for i, r in enumerate(records):
        fields = {"__REALTIME_TIMESTAMP": str(int(time.time() * 1e6) + i), "__MONOTONIC_TIMESTAMP": str(1000 + i), "_BOOT_ID": "0" * 31 + "1", **r}
        text += "".join(f"{k}={v}\n" for k, v in fields.items()) + "\n"
    subprocess.run(["/lib/systemd/systemd-journal-remote", "-o", path, "-"], input=text.encode(), stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=True)


def test_made_journal(tap):
    """Trusted fields decide: unit, transport and user are journald's own."""
    if not os.path.exists("/lib/systemd/systemd-journal-remote"):
        raise Skip("systemd-journal-remote is not installed")
    logs_world()
    folder = "/run/log/journal/00000000000000000000000000000001"
    os.makedirs(folder, exist_ok=True)
    made_journal(f"{folder}/system.journal", [{"MESSAGE": "old"}])
    ssh = {"_SYSTEMD_UNIT": "ssh.service", "_TRANSPORT": "syslog", "_UID": "0", "_PID": "42", "SYSLOG_IDENTIFIER": "sshd"}
    open("/var/log/auth.log", "w").close()
    with Guard(conf={"login": {"limit": 1}, "logs": {"journal": True}}) as g:
        wait_for(lambda: g.status()["logs"]["rules"] and g.status()["logs"]["reading"], 60)
        out = g.cmd("doctor", check=False)
        tap.ok("read from the journal" in out, "doctor: logins come from the journal", out)
        text = "Failed password for root from 203.0.113.{} port 4000 ssh2"
        made_journal(f"{folder}/system.journal", [{**ssh, "MESSAGE": text.format(1)},
                                                  {**ssh, "MESSAGE": text.format(2), "_UID": "1000"},
                                                  {**ssh, "MESSAGE": text.format(3), "_SYSTEMD_UNIT": "session-3.scope"},
                                                  {**ssh, "MESSAGE": text.format(4), "_TRANSPORT": "kernel"}])
        with open("/var/log/auth.log", "a") as f:  # whoever can call logger(1) can do that
            f.write(line(49))
        tap.ok(wait_for(lambda: "203.0.113.1" in banned(g), 10), "sshd's own record counts", g.log())
        time.sleep(0.5)
        tap.eq(sorted(banned(g)), ["203.0.113.1"], "and no other")
    shutil.rmtree("/run/log/journal", ignore_errors=True)
    with Guard(conf={"login": {"limit": 1}, "logs": {"journal": True}}) as g:
        wait_for(lambda: g.status()["logs"]["rules"] and g.status()["logs"]["reading"], 60)
        with open("/var/log/auth.log", "a") as f:
            f.write(line(50))
        tap.ok(wait_for(lambda: "203.0.113.51" in banned(g), 10), "without a journal auth.log stands in", g.log())
        out = g.cmd("doctor", check=False)
        tap.ok("any local user can write forged lines" in out, "and doctor says what that means", out)


def test_journald_driver(tap):
    """Docker's journald driver: records that name a container count as its log where Docker itself wrote them; pieces are joined."""
    if not os.path.exists("/lib/systemd/systemd-journal-remote"):
        raise Skip("systemd-journal-remote is not installed")
    logs_world()
    folder = "/run/log/journal/00000000000000000000000000000001"
    os.makedirs(folder, exist_ok=True)
    made_journal(f"{folder}/system.journal", [{"MESSAGE": "old"}])
    with Dockerd() as d:
        c = d.run("sleep 1000", name="app", LogConfig={"Type": "none", "Config": {}})
        with Guard(d, conf={"docker": {"socket": d.sock, "root": f"{d.dir}/data"}, "logs": {"journal": True}}) as g:
            wait_for(lambda: g.status()["logs"]["rules"] and g.status()["logs"]["reading"], 60)
            wait_for(lambda: any(w for w in [g.cmd("top")] if "app" in w), 10)
            by = {"_SYSTEMD_UNIT": "docker.service", "_TRANSPORT": "journal", "_UID": "0", "CONTAINER_ID_FULL": c.id, "CONTAINER_NAME": "app"}
            text = error(1).strip()
            made_journal(f"{folder}/system.journal", [{**by, "MESSAGE": error(0).strip()},
                                                      {**by, "MESSAGE": text[:40], "CONTAINER_PARTIAL_MESSAGE": "true"},
                                                      {**by, "MESSAGE": text[40:]},
                                                      {**by, "MESSAGE": error(2).strip(), "_UID": "1000"}])
            wait_for(lambda: len(seen(g)) >= 3, 6)
            got = {n["subject"]["name"]: n["subject"]["kind"] for n in g.notices("logs.error")}
            mine = sorted(w for w in seen(g) if any(w in json.dumps(n) for n in g.notices("logs.error", "app")))
            tap.eq(mine, [word(0), word(1)], "the container's lines, joined; not what a user wrote in its name")
            tap.note(got)
    shutil.rmtree("/run/log/journal", ignore_errors=True)


def test_syslog_socket(tap):
    logs_world()
    os.makedirs("/run/pv/s", exist_ok=True)
    path = "/run/pv/s/syslog.sock"
    with Guard(conf={"login": {"limit": 1}, "logs": {"journal": False, "syslog": path}}) as g:
        tap.ok(wait_for(lambda: os.path.exists(path), 60), "the socket is made", g.log())
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.sendto(f"<38>{time.strftime('%b %e %H:%M:%S')} sshd[7]: Failed password for root from 203.0.113.5 port 4000 ssh2\n".encode(), path)
        tap.ok(wait_for(lambda: "203.0.113.5" in banned(g), 5), "a datagram is a line", g.log())
        s.sendto(b"\0" * 60000, path)
        s.sendto(b"", path)
        tap.ok(g.answers(), "nothing and NULs")
        s.close()


if __name__ == "__main__":
    main(test_containers, test_pieces, test_found, test_journal, test_made_journal, test_journald_driver, test_syslog_socket)

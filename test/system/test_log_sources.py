#!/usr/bin/env python3
"""Where logs come from: containers' files of both drivers, the journal, Docker's journald driver, the syslog socket. Each line once, also with
the engine killed in the middle; trusted fields decide what a journal's record may lead to."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import pvcanary  # noqa: E402
import pvunit  # noqa: E402
from pvtest import *  # noqa: E402,F403
from pvloglines import made_journal  # noqa: E402
from test_logs import each, error, banned, line, logs_world, seen, word  # noqa: E402


# --- containers --------------------------------------------------------------------------------------------------------

def printing(kind, a, b, pause=0.01, to=""):
    """A shell's lines that print errors a to b."""
    words = " ".join(word(i, kind) for i in range(a, b))
    return f"for w in {words}; do echo 2026/11/28 15:00:00 [error] 28#28: the spool $w is not there{to}; sleep {pause}; done"


class Printer:
    """A container that says what it is told to, and Docker's files of it. The words of its lines begin with `kind`."""
    FILES = {"json-file": "{0}-json.log", "local": "local-logs/container.log"}

    CONFIG = {"json-file": {"max-size": "4k", "max-file": "3"}, "local": {"max-size": "4k", "max-file": "3", "compress": "false"},
              "gelf": {"gelf-address": "udp://127.0.0.1:12201"}}  # somebody must listen: Docker keeps no copy of what was refused

    def __init__(self, d, driver, kind, config=None, **more):
        self.c = d.run("sleep 1000", name=f"{driver}-{kind}", image="nginx:1", LogConfig={"Type": driver, "Config": config or self.CONFIG[driver]}, **more)
        self.file = f"{d.dir}/data/containers/{self.c.id}/" + self.FILES.get(driver, "none").format(self.c.id)
        self.kind, self.n = kind, 0

    def say(self, n):
        self.c.exec("sh", "-c", printing(self.kind, self.n, self.n + n, to=" >/proc/1/fd/1"))
        self.n += n

    def rotate_twice(self):
        """Says so much that the file that was the log is the oldest one that is left."""
        def ino(end):
            return os.path.exists(self.file + end) and os.stat(self.file + end).st_ino
        first = ino("")
        while ino(".1") != first:
            self.say(10)
        self.say(10)
        while ino(".2") != first:
            if first not in (ino(".1"), ino(".2")):
                raise RuntimeError(f"{self.file}: gone before it was looked at")
            self.say(10)

    def want(self):
        return each(self.n, self.kind)


def told_once(tap, g, want, name):
    """Each of these lines was told once, however long it takes; then a moment longer, for those that come twice."""
    wait_for(lambda: set(want) <= set(seen(g)), 30)
    time.sleep(0.3)
    kinds = {w[0] for w in want}
    got = {w: n for w, n in seen(g).items() if w[0] in kinds}
    tap.ok(got == want, name, f"missing {sorted(set(want) - set(got))}, twice {[w for w in got if got[w] > 1]}\n{g.log(10)}")


def rotated(tap, d, g):
    """Both drivers with a file of their own, rotated twice while the engine stands still, or stands still and is killed: the file in between was
    never the log as far as it has seen."""
    both = [Printer(d, "json-file", "s"), Printer(d, "local", "t")]
    for p in both:
        p.say(10)
    wait_for(lambda: len(seen(g)) == 20, 30)
    for killed in (False, True):
        pid = g.roles()["pavise-engine"]
        os.kill(pid, signal.SIGSTOP)
        for p in both:
            p.rotate_twice()
        os.kill(pid, signal.SIGKILL if killed else signal.SIGCONT)
        if killed:
            wait_for(lambda: g.roles().get("pavise-engine", pid) != pid and g.answers(), 20)
        for p in both:
            p.say(5)
        told_once(tap, g, {**both[0].want(), **both[1].want()},
                  f"json-file and local: each line once, over two rotations{' and kill -9' if killed else ''}")
    for p in both:
        p.c.remove()


def short(tap, d, g):
    """Over, and rotated twice, before anybody looked."""
    pid = g.roles()["pavise-engine"]
    os.kill(pid, signal.SIGSTOP)
    small = {"Type": "json-file", "Config": {"max-size": "4k", "max-file": "4"}}
    c = d.run(["/bin/sh", "-c", printing("v", 0, 80)], name="short", image="nginx:1", LogConfig=small)
    c.wait()
    tap.ok(os.path.exists(f"{d.dir}/data/containers/{c.id}/{c.id}-json.log.2"), "a short container has rotated twice")
    os.kill(pid, signal.SIGCONT)
    told_once(tap, g, each(80, "v"), "a container that is over already: what it printed")
    tap.eq({n["subject"]["kind"] for n in g.notices("logs.error")}, {"container"}, "told of the container")


def pieces(tap, d, g):
    """A line of 40,000 bytes comes as three records of Docker's; it is one line."""
    for i, driver in enumerate(("json-file", "local")):
        before = g.status()["logs"]["lines"]
        cmd = ("x=$(head -c 40000 /dev/zero | tr '\\0' x); echo one; echo 'two '$x; echo '" + error(i).strip().replace(word(i), word(i, "u")) +
               "'; sleep 100")
        c = d.run(["/bin/sh", "-c", cmd], image="nginx:1", LogConfig={"Type": driver, "Config": {}})
        tap.ok(wait_for(lambda: word(i, "u") in seen(g), 20), f"{driver}: the line after it is read", c.logs()[-300:])
        lines = g.status()["logs"]["lines"] - before
        tap.note(f"{driver}: {lines} lines counted for 3 of the application")
        if driver == "local":
            tap.eq(lines, 3, "local: pieces are joined")


def found(tap, d, g):
    """What a container prints: a miner's words are told (G4.7); a secret is told masked, and stands nowhere in what pavise writes."""
    canary = pvcanary.TOKEN
    d.run(["/bin/sh", "-c", f"echo '[2026-11-28 15:00:00.000]  net      use pool pool.example.org:3333  203.0.113.9'; "
           f"echo ' * ABOUT        XMRig/6.21.0 gcc/11.2.0'; echo 'new job from stratum+tcp://pool.example.org:3333 diff 120001'; "
           f"echo 'clone https://{canary}@github.com/x/y failed'; sleep 100"], name="worker")
    n = g.wait_notice("logs.miner", "worker", 20)
    out = g.cmd("events", "--id", "logs.miner")
    os.makedirs(os.path.join(REPO, "build", "test", "evidence"), exist_ok=True)
    with open(os.path.join(REPO, "build", "test", "evidence", "G4.7.txt"), "w") as f:
        f.write(out)
    tap.ok(n and "worker" in out, "G4.7 a container's log speaks of mining: told", out + g.log(6))
    n = g.wait_notice("logs.secret", "worker", 20)
    tap.ok(n and canary not in json.dumps(n), "a secret in a container's log is told, masked", n)
    g.cmd("events", "show", str(n["row"])) if n else None
    where = []
    for folder, _, names in os.walk(g.dir):
        for name in (x for x in names if os.path.isfile(os.path.join(folder, x))):
            with open(os.path.join(folder, name), "rb") as f:
                if canary.encode() in f.read():
                    where.append(f"{folder}/{name}")
    tap.eq(where, [], "the secret itself stands nowhere in history and log")


def by_engine(tap, d):
    """docker.root means another folder, so that no file is to be had; and a driver that sends its lines away, of which Docker keeps a copy. The
    engine's API tells them: each once, over kill -9 of ours and the restart of theirs; what keeps no copy is said and not asked again."""
    far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    far.bind(("127.0.0.1", 12201))
    all_of = [Printer(d, "json-file", "w", {"max-size": "10m"}), Printer(d, "gelf", "x"), Printer(d, "local", "y", {"max-size": "10m"}, tty=True)]
    Printer(d, "gelf", "z", {**Printer.CONFIG["gelf"], "cache-disabled": "true"})
    want = {}
    with Guard(d, conf={"docker": {"socket": d.sock, "root": "/run/pv/elsewhere"}, "logs": {"journal": False}}) as g:
        tap.ok(wait_for(lambda: g.status()["logs"]["rules"] and g.status()["logs"]["reading"] >= 3, 60), "three are followed", g.status()["logs"])

        def say(what, n):
            for p in all_of:
                p.say(n)
                want.update(p.want())
            told_once(tap, g, want, f"by the engine's API: each line once{what}")

        say("", 10)
        pid = g.roles()["pavise-engine"]
        os.kill(pid, signal.SIGSTOP)
        for p in all_of:
            p.say(10)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: g.roles().get("pavise-engine", pid) != pid and g.answers(), 20)
        say(", over kill -9", 5)
        tap.ok(wait_for(lambda: g.status()["logs"]["unread"] == 1, 10), "what no one keeps is counted", g.status()["logs"])
        out = g.cmd("doctor", check=False)
        tap.ok("1 containers' logs are not read: their driver (gelf) keeps nothing" in out, "and doctor names its driver", out)
        all_of[0].c.restart()
        wait_for(lambda: g.status()["logs"]["reading"] >= 3, 20)
        say(", over the container's restart", 5)
    far.close()


def test_containers(tap):
    logs_world()
    with Dockerd() as d:
        d.import_image(d.tar, "nginx:1", ("ENV PATH=/bin",))
        with Guard(d, conf={"docker": {"socket": d.sock, "root": f"{d.dir}/data"}, "logs": {"journal": False}}) as g:
            tap.ok(wait_for(lambda: g.status()["logs"]["rules"], 60), "rules are there")
            rotated(tap, d, g)
            short(tap, d, g)
            pieces(tap, d, g)
            found(tap, d, g)
        by_engine(tap, d)


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
    own = int(pvunit.wanted())  # journald says that it rotated: in the guard's own cgroup, which is not read, unless that is a unit's
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
            tap.eq(g.status()["logs"]["lines"] - first, 40 + own, "none twice")
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
            tap.eq(g.status()["logs"]["lines"], 20 + own, "what came while none ran, once")


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
                                                      {**by, "MESSAGE": text[:40], "PRIORITY": "6", "CONTAINER_PARTIAL_MESSAGE": "true"},
                                                      {**by, "MESSAGE": error(5).strip(), "PRIORITY": "3"}, # the other stream
                                                      {**by, "MESSAGE": text[40:], "PRIORITY": "6"},
                                                      # a last piece whose beginning is not here: a client may have chosen all of it
                                                      {**by, "MESSAGE": error(6).strip(), "CONTAINER_PARTIAL_ORDINAL": "2", "CONTAINER_PARTIAL_LAST": "true"},
                                                      {**by, "MESSAGE": error(2).strip(), "_UID": "1000"},
                                                      # as conmon writes for Podman, from the scope that Podman made for it
                                                      {**by, "MESSAGE": error(3).strip(), "_SYSTEMD_UNIT": f"libpod-conmon-{c.id}.scope"},
                                                      {**by, "MESSAGE": error(4).strip(), "_SYSTEMD_UNIT": "cron.service"}])
            wait_for(lambda: len(seen(g)) >= 5, 6)
            got = {n["subject"]["name"]: n["subject"]["kind"] for n in g.notices("logs.error")}
            mine = sorted(w for w in seen(g) if any(w in json.dumps(n) for n in g.notices("logs.error", "app")))
            tap.eq(mine, [word(0), word(1), word(3), word(5)], "the container's lines, joined by stream, Podman's among them; not what others wrote in its name")
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
    main(test_containers, test_journal, test_made_journal, test_journald_driver, test_syslog_socket)

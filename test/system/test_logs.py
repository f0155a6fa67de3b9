#!/usr/bin/env python3
"""Logs as the guard reads them: each line once through every rotation, with the engine killed in the middle; containers' logs of both drivers,
the journal, the syslog socket; hostile files."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvtest import *  # noqa: E402,F403

LINES = 40
DIR = "/run/pv/logs"
LOG = f"{DIR}/auth.log"
KIND = "s"  # of the words in it


def line(n, net="203.0.113"):
    """A refused login, just now."""
    return f"{time.strftime('%b %e %H:%M:%S')} host sshd[{1000 + n}]: Failed password for root from {net}.{n + 1} port {4000 + n} ssh2\n"


def word(n, kind="s"):
    """Letters that are no hexadecimal digits: each makes an error of its own."""
    abc = "ghijklmnopqrstuvwxyz"
    return kind + abc[n // 20] + abc[n % 20]


def error(n):
    return f"2026/11/28 15:00:{n % 60:02} [error] 28#28: the spool {word(n, KIND)} is not there\n"


def logs_world():
    """Nothing of this machine's own logs."""
    if world() and not os.path.ismount("/var/log"):
        sh("mount", "-t", "tmpfs", "-o", "mode=755", "pvtest", "/var/log")


class Writer:
    """A log's writer, as programs write: appending, one descriptor kept open."""

    def __init__(self, path=None):
        self.path = path or LOG
        self.fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)

    def lines(self, a, b):
        for n in range(a, b):
            os.write(self.fd, error(n).encode())

    def logins(self, a, b):
        for n in range(a, b):
            os.write(self.fd, line(n).encode())

    def text(self, s):
        os.write(self.fd, s.encode())

    def reopen(self):
        os.close(self.fd)
        self.__init__(self.path)


def seen(g):
    """How often each line was told. Each is an error of its own, and so a notice: one that is read twice counts twice, one that is not read is
    missing."""
    out = {}
    for n in g.notices("logs.error"):
        m = re.search(r"the spool (\w+) is", n["what"] if "what" in n else json.dumps(n))
        if m:
            out[m.group(1)] = out.get(m.group(1), 0) + n["count"]
    return out


def banned(g):
    """Addresses that were banned."""
    return {e["value"] for n in g.notices("login.bruteforce") for e in n["detail"]["evidence"] if e["what"] == "address"}


def each(n, kind="s"):
    return {word(i, kind): 1 for i in range(n)}


def settled(g, n, seconds=6):
    """Waits until `n` lines were told; then a moment longer, for those that come twice."""
    wait_for(lambda: len(seen(g)) >= n, seconds)
    time.sleep(0.3)
    return seen(g)


def kill_engine(g):
    pid = g.roles().get("pavise-engine")
    if pid:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: g.roles().get("pavise-engine", pid) != pid and g.answers(), 10)


def plain(w, cut):
    w.lines(0, 20)
    cut()
    w.lines(20, LINES)


def renamed(w, cut):
    w.lines(0, 20)
    os.rename(LOG, LOG + ".1")
    cut()
    w.reopen()
    w.lines(20, LINES)


def keeps_old(w, cut):
    w.lines(0, 10)
    os.rename(LOG, LOG + ".1")
    new = os.open(LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
    w.lines(10, 20)  # into the renamed one
    cut()
    w.lines(20, 30)
    os.close(w.fd)
    w.fd = new
    w.lines(30, LINES)


def copied(w, cut):
    w.lines(0, 20)
    shutil.copyfile(LOG, LOG + ".1")
    cut()
    os.truncate(LOG, 0)
    w.lines(20, LINES)


def copied_dead(w, cut):
    """Written, copied and truncated while no engine runs: only the copy has it."""
    w.lines(0, 10)
    cut(lambda: (w.lines(10, 20), shutil.copyfile(LOG, LOG + ".1"), os.truncate(LOG, 0), w.lines(20, 25)))
    w.lines(25, LINES)


def truncated_grown(w, cut):
    w.lines(0, 10)
    cut()
    time.sleep(0.3)  # read by now
    os.truncate(LOG, 0)
    w.lines(10, LINES)


def same_size(w, cut):
    w.lines(10, 20)
    cut()
    time.sleep(0.3)
    os.truncate(LOG, 0)
    w.lines(20, LINES)
    w.lines(0, 10)


def halves(w, cut):
    for n in range(LINES):
        w.text(error(n)[:50])
        if n in (10, 25):
            cut()
        w.text(error(n)[50:])


def deleted(w, cut):
    w.lines(0, 20)
    cut()
    time.sleep(0.3)  # with nobody who has it open, what is deleted cannot be read
    os.unlink(LOG)
    time.sleep(1)
    w.reopen()
    w.lines(20, LINES)


SCENARIOS = (plain, renamed, keeps_old, copied, copied_dead, truncated_grown, same_size, halves, deleted)


def scenario(tap, g, fn, i, with_kill):
    """One of them in a log of its own, with words of its own."""
    global LOG, KIND
    LOG, KIND = f"{DIR}/{fn.__name__}.log", "ghijklmnopqr"[i]
    open_logs = g.status()["logs"]["reading"]
    w, done = Writer(), []
    w.text("2026/11/28 14:00:00 [notice] 1#1: start\n")
    wait_for(lambda: g.status()["logs"]["reading"] > open_logs, 5)

    def cut(meanwhile=None):
        done.append(1)
        if meanwhile and with_kill:
            pid = g.roles()["pavise-engine"]
            os.kill(pid, signal.SIGSTOP)
            meanwhile()
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: g.roles().get("pavise-engine", pid) != pid and g.answers(), 10)
        elif meanwhile:
            meanwhile()
        elif with_kill:
            kill_engine(g)
    fn(w, cut)
    want = each(LINES, KIND)
    wait_for(lambda: set(want) <= set(seen(g)), 6)
    time.sleep(0.3)
    got = {k: v for k, v in seen(g).items() if k[0] == KIND}
    tap.ok(got == want and done, f"{fn.__name__}{', engine killed' if with_kill else ''}: each of {LINES} lines once",
           f"missing {sorted(set(want) - set(got))}, twice {[k for k in got if got[k] > 1]}\n{g.log(8)}")
    os.close(w.fd)


def rotation(tap, fns, with_kill):
    global LOG, KIND
    logs_world()
    shutil.rmtree(DIR, ignore_errors=True)
    os.makedirs(DIR, 0o755)
    open(f"{DIR}/other.log", "w").close()
    with Guard(conf={"logs": {"files": [{"path": f"{DIR}/*.log", "service": "nginx"}], "journal": False}}) as g:
        wait_for(lambda: reading(g), 60)
        for i, fn in fns:
            scenario(tap, g, fn, i, with_kill)
    LOG, KIND = f"{DIR}/auth.log", "s"


def reading(g):
    s = g.status().get("logs") or {}
    return s.get("rules") and s.get("reading", 0) > 0


def test_rotation(tap):
    rotation(tap, list(enumerate(SCENARIOS)), False)


def test_rotation_killed(tap):
    for i in range(0, len(SCENARIOS), 2):  # a new guard for each two: the launcher waits longer after each death
        rotation(tap, list(enumerate(SCENARIOS))[i:i + 2], True)


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
    canary = "ghp_" + "Zk4" + "q7Rw2Xn9Bv6Lm1Tc8Yd5Hf3Jg0Ps4Ua7Ee"[:33]
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
        self.proc.send_signal(signal.SIGUSR2)
        n = len(glob.glob("/run/log/journal/*/*"))
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


# --- hostile ------------------------------------------------------------------------------------------------------------

def test_swapped(tap):
    """A log that is swapped for a link to /etc/shadow, a fifo, a second name of it, a folder: not read, and said."""
    logs_world()
    shutil.rmtree(DIR, ignore_errors=True)
    os.makedirs(DIR)
    os.chmod(DIR, 0o777)
    w = Writer()
    with Guard(conf={"logs": {"files": [{"path": LOG, "service": "nginx"}], "journal": False}}) as g:
        wait_for(lambda: reading(g), 60)
        w.lines(0, 1)
        tap.ok(wait_for(lambda: len(seen(g)) == 1, 5), "it is read at first")
        os.rename(LOG, LOG + ".1")
        os.symlink("/etc/shadow", LOG)
        n = g.wait_notice("logs.refused", seconds=8)
        tap.ok(n and n["subject"]["name"] == LOG, "the link is told", n)
        pid = g.roles()["pavise-engine"]
        files = [os.readlink(f"/proc/{pid}/fd/{f}") for f in os.listdir(f"/proc/{pid}/fd") if os.path.lexists(f"/proc/{pid}/fd/{f}")]
        tap.ok("/etc/shadow" not in files, "and not opened", files)
        w.lines(1, 2)
        tap.ok(wait_for(lambda: len(seen(g)) == 2, 5), "the old file is read on")
        os.unlink(LOG)
        os.mkfifo(LOG)
        time.sleep(0.3)
        tap.ok(g.answers(), "a fifo holds nobody up")
        os.unlink(LOG)
        w.reopen()
        w.lines(2, 4)
        tap.ok(wait_for(lambda: len(seen(g)) == 4, 5), "a real one is read again", seen(g))


def test_endless(tap):
    """100 MB without a newline, NULs, escapes, invalid UTF-8: the line after it counts, others are not delayed, memory stays."""
    logs_world()
    shutil.rmtree(DIR, ignore_errors=True)
    os.makedirs(DIR)
    a, b = Writer(f"{DIR}/a.log"), Writer(f"{DIR}/b.log")
    with Guard(conf={"logs": {"files": [{"path": f"{DIR}/*.log", "service": "nginx"}], "journal": False}}) as g:
        wait_for(lambda: g.status()["logs"]["reading"] >= 2, 60)
        pid = g.roles()["pavise-engine"]
        piece = (b"\0\xff\x1b[31m" + b"x" * 1017) * 1024
        for _ in range(100):
            os.write(a.fd, piece)
        b.lines(0, 5)
        t = time.monotonic()
        tap.ok(wait_for(lambda: len(seen(g)) == 5, 5, 0.01), "another log is read meanwhile")
        tap.note(f"5 lines behind 100 MB of another log: {time.monotonic() - t:.2f} s")
        os.write(a.fd, b"\n")
        a.lines(10, 12)
        tap.ok(wait_for(lambda: len(seen(g)) == 7, 15), "the lines after it count", seen(g))
        peak = int(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{pid}/status").read()).group(1))
        tap.ok(g.roles().get("pavise-engine") == pid and peak < 40000, "the same engine, and no memory for it", f"{peak} kB")


def test_flood(tap):
    """Refused logins of a hundred thousand addresses in one log, 5 MB a second: another log is not delayed, a ban that was there stays, memory
    is bounded. Then more than can be read at all: passed over, counted and told."""
    logs_world()
    shutil.rmtree(DIR, ignore_errors=True)
    os.makedirs(DIR)
    a, b = Writer(f"{DIR}/a.log"), Writer(f"{DIR}/b.log")
    files = [{"path": f"{DIR}/a.log", "service": "sshd"}, {"path": f"{DIR}/b.log", "service": "nginx"}]
    with Guard(conf={"login": {"limit": 5}, "logs": {"files": files, "journal": False}}) as g:
        wait_for(lambda: g.status()["logs"]["reading"] >= 2, 60)
        pid = g.roles()["pavise-engine"]
        for i in range(5):
            a.text(line(99).replace("sshd[1099]", f"sshd[{i + 1}]"))
        tap.ok(wait_for(lambda: "203.0.113.100" in banned(g), 5), "one is banned", g.log(4))
        now, n, pieces = time.strftime("%b %e %H:%M:%S"), 0, []
        for _ in range(20):
            text = "".join(f"{now} host sshd[{k % 30000}]: Failed password for root from 10.{k >> 16 & 255}.{k >> 8 & 255}.{k & 255} port 4000 ssh2\n"
                           for k in ((n + i) % 100000 for i in range(12000)))
            n, pieces = n + 12000, pieces + [text.encode()]
        start, slowest = time.monotonic(), 0
        for i, piece in enumerate(pieces):
            os.write(a.fd, piece)
            if i % 5 == 4:
                t = time.monotonic()
                b.lines(i // 5, i // 5 + 1)
                wait_for(lambda: word(i // 5) in seen(g), 5, 0.005)
                slowest = max(slowest, time.monotonic() - t)
            time.sleep(max(0, start + i * len(piece) / 5e6 - time.monotonic()))
        tap.ok(slowest < 1 * SLOW, "another log is told at once meanwhile", f"{slowest:.2f} s")
        tap.note(f"{sum(map(len, pieces)) / 1e6:.0f} MB in {time.monotonic() - start:.1f} s; the other log's lines within {slowest * 1000:.0f} ms")
        tap.ok(wait_for(lambda: g.status()["logs"]["lines"] >= n, 15), "every line of it is read", g.status()["logs"])
        tap.ok("203.0.113.100" in g.cmd("bans", check=False), "the ban that was there stays")
        peak = int(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{pid}/status").read()).group(1))
        tap.ok(g.roles().get("pavise-engine") == pid and peak < 80000, "the same engine, memory bounded", f"{peak} kB")
        tap.note(f"engine: at most {peak} kB")
        plain_line = b"an ordinary line that says nothing, written again and again and again\n" * 14000
        for _ in range(200):
            os.write(a.fd, plain_line)
        n = g.wait_notice("logs.shed", seconds=15)
        tap.ok(n and "MiB were passed over" in json.dumps(n), "what was passed over is counted and told", n)
        a.text(line(98).replace("203.0.113", "198.51.100"))
        for i in range(5):
            a.text(line(97).replace("sshd[1097]", f"sshd[{i + 101}]"))
        tap.ok(wait_for(lambda: "203.0.113.98" in banned(g), 15), "and reading goes on behind it", g.status()["logs"])


if __name__ == "__main__":
    main(test_rotation, test_rotation_killed, test_containers, test_pieces, test_found, test_journal, test_made_journal, test_journald_driver, test_syslog_socket, test_swapped,
         test_endless, test_flood)

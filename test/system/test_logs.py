#!/usr/bin/env python3
"""Logs as the guard reads them: each line once through every rotation, with the engine killed in the middle; hostile files, a flood. Where they
come from: test_log_sources.py."""

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
        n = g.wait_notice("logs.shed", seconds=15)
        tap.ok(n and "1 line of more than 192 KiB" in json.dumps(n) and f"{DIR}/a.log" in json.dumps(n), "that it was passed over is told", n)
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
    main(test_rotation, test_rotation_killed, test_swapped, test_endless, test_flood)

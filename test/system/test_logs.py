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


def line(n, net="203.0.113"):
    return f"Nov 28 15:00:{n % 60:02} host sshd[{1000 + n}]: Failed password for root from {net}.{n + 1} port {4000 + n} ssh2\n"


class Writer:
    """A log's writer, as programs write: appending, one descriptor kept open."""

    def __init__(self, path=LOG):
        self.path = path
        self.fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)

    def lines(self, a, b):
        for n in range(a, b):
            os.write(self.fd, line(n).encode())

    def text(self, s):
        os.write(self.fd, s.encode())

    def reopen(self):
        os.close(self.fd)
        self.__init__(self.path)


def seen(g):
    """How often each attacker was told."""
    out = {}
    for n in g.notices("logs.auth-failure"):
        for e in n["detail"]["evidence"]:
            if e["what"] == "address":
                out[e["value"]] = out.get(e["value"], 0) + n["count"]
    return out


def attackers(n, net="203.0.113"):
    return {f"{net}.{i + 1}": 1 for i in range(n)}


def settled(g, n, seconds=6):
    """Waits until `n` attackers were told; then a moment longer, for those that come twice."""
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
        w.text(line(n)[:50])
        if n in (10, 25):
            cut()
        w.text(line(n)[50:])


def deleted(w, cut):
    w.lines(0, 20)
    cut()
    time.sleep(0.3)  # with nobody who has it open, what is deleted cannot be read
    os.unlink(LOG)
    time.sleep(1)
    w.reopen()
    w.lines(20, LINES)


SCENARIOS = (plain, renamed, keeps_old, copied, copied_dead, truncated_grown, same_size, halves, deleted)


def rotation(tap, name, with_kill):
    world()
    shutil.rmtree(DIR, ignore_errors=True)
    os.makedirs(DIR, 0o755)
    for fn in SCENARIOS:
        for f in os.listdir(DIR):
            os.unlink(f"{DIR}/{f}")
        w = Writer()
        w.text("Nov 28 14:00:00 host sshd[1]: Server listening on 0.0.0.0 port 22.\n")
        with Guard(conf={"logs": {"files": [{"path": f"{DIR}/*.log", "service": "sshd"}], "journal": False}}, name="g") as g:
            wait_for(lambda: reading(g), 5)
            done = []

            def cut(meanwhile=None):
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
                done.append(1)
            fn(w, cut)
            got = settled(g, LINES)
            tap.ok(got == attackers(LINES) and done, f"{fn.__name__}{name}: each of {LINES} lines once",
                   f"missing {sorted(set(attackers(LINES)) - set(got))}, twice {[a for a in got if got[a] > 1]}\n{g.log(8)}")
        os.close(w.fd)


def reading(g):
    s = g.status().get("logs") or {}
    return s.get("rules") and s.get("reading", 0) > 0


def test_rotation(tap):
    rotation(tap, "", False)


def test_rotation_killed(tap):
    rotation(tap, ", engine killed", True)


if __name__ == "__main__":
    main(test_rotation, test_rotation_killed)

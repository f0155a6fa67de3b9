#!/usr/bin/env python3
"""A real sshd with a real syslog daemon: four refused logins of each kind never ban, the fifth does, and a user name that holds a
whole forged tail never moves the ban."""

import os
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvloglines import JOURNAL_REMOTE, made_journal  # noqa: E402
from pvtest import SLOW, Guard, Skip, main, sh, wait_for, world  # noqa: E402

DIR = "/run/pv/ssh"
AUTH = f"{DIR}/auth.log"
VICTIM = "198.51.100.200"
# A mount namespace with a /dev of its own: the syslog socket is a fixed path.
STAGE = """set -e
mount -t tmpfs dev {d}/dev
for n in null zero full random urandom tty; do : > {d}/dev/$n; mount --bind /dev/$n {d}/dev/$n; done
mkdir {d}/dev/pts {d}/dev/shm; mount --rbind /dev/pts {d}/dev/pts
ln -s /proc/self/fd {d}/dev/fd; ln -s pts/ptmx {d}/dev/ptmx
mount --rbind {d}/dev /dev
rsyslogd -n -f {d}/rsyslog.conf -i NONE & s=$!
trap 'kill $s' TERM
while [ ! -S /dev/log ]; do sleep 0.05; done
{sshd} -D -f {d}/sshd_config & p=$!
trap 'kill $s $p' TERM
wait
"""


def addresses(n):
    """Sources of the stranger, one for each case."""
    w = world()
    out = []
    for i in range(n):
        a = f"203.0.113.{150 + i}"
        sh("nsenter", "--net", "-t", w.stranger.pid, "ip", "addr", "add", f"{a}/32", "dev", "in1")
        sh("ip", "route", "add", a, "dev", "cl0")
        out.append(a)
    return out


def stage():
    sshd = shutil.which("sshd", path=os.environ["PATH"] + ":/usr/sbin")
    if not sshd or not shutil.which("ssh") or not shutil.which("rsyslogd", path=os.environ["PATH"] + ":/usr/sbin"):
        raise Skip("no sshd, no ssh client or no rsyslogd")
    os.makedirs(f"{DIR}/dev", exist_ok=True)
    os.makedirs("/run/sshd", exist_ok=True)
    sh("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{DIR}/key")
    with open(f"{DIR}/sshd_config", "w") as f:
        f.write(f"Port 2222\nHostKey {DIR}/key\nPidFile none\nUsePAM no\nPasswordAuthentication yes\nKbdInteractiveAuthentication no\n"
                f"PermitRootLogin yes\nMaxStartups 100\nLoginGraceTime {20 * SLOW:.0f}\n")
    with open(f"{DIR}/rsyslog.conf", "w") as f:
        f.write('module(load="imuxsock" SysSock.RateLimit.Interval="0")\n'
                f'*.* action(type="omfile" file="{AUTH}" template="RSYSLOG_TraditionalFileFormat")\n')
    with open(f"{DIR}/askpass", "w") as f:
        f.write("#!/bin/sh\necho wrong\n")
    os.chmod(f"{DIR}/askpass", 0o755)
    open(AUTH, "w").close()
    p = subprocess.Popen(["unshare", "-m", "sh", "-c", STAGE.format(d=DIR, log=AUTH, sshd=sshd)])
    if not wait_for(lambda: "Server listening on 0.0.0.0 port 2222" in open(AUTH).read(), 10):
        raise Skip(f"sshd does not start here: {open(AUTH).read()}")
    return p


def attempt(source, user, prompts=1):
    w = world()
    return subprocess.Popen(
        ["nsenter", "--net", "-t", str(w.stranger.pid), "ssh", "-F", "none", "-b", source, "-p", "2222", "-o", "StrictHostKeyChecking=no",
         "-o", "UserKnownHostsFile=/dev/null", "-o", f"NumberOfPasswordPrompts={prompts}", "-o", "PubkeyAuthentication=no",
         "-o", "PreferredAuthentications=password", "-o", f"ConnectTimeout={10 * SLOW:.0f}", "-l", user, "192.0.2.1", "true"],
        env={**os.environ, "SSH_ASKPASS": f"{DIR}/askpass", "SSH_ASKPASS_REQUIRE": "force"}, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def banned(address):
    r = subprocess.run(["nft", "get", "element", "inet", "pavise", "ban4", "{ " + address + " }"], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    return r.returncode == 0


def records(log):
    """What sshd wrote, as journald would have kept it."""
    for m in re.finditer(r"^.{15} \S+ (sshd[\w-]*)\[(\d+)\]: (.*)$", log, re.M):
        yield {"MESSAGE": m[3], "SYSLOG_IDENTIFIER": m[1], "SYSLOG_PID": m[2], "_PID": m[2], "_UID": "0", "_TRANSPORT": "syslog",
               "_SYSTEMD_UNIT": "ssh.service", "_COMM": "sshd"}


def journal_half(tap, log, sources):
    """The same lines told by a journal alone (under other addresses), and by a journal and a file."""
    if not os.path.exists(JOURNAL_REMOTE):
        tap.skip("the same out of a journal", "systemd-journal-remote is not installed")
        return
    sh("mount", "-t", "tmpfs", "-o", "mode=755", "pvtest", "/var/log")
    subprocess.run(["nft", "delete", "table", "inet", "pavise"], stderr=subprocess.DEVNULL)
    folder = "/run/log/journal/00000000000000000000000000000001"
    os.makedirs(folder)
    made_journal(f"{folder}/system.journal", [{"MESSAGE": "old"}])
    open(AUTH, "w").close()

    def elsewhere(text):
        return text.replace("203.0.113.", "198.51.101.")
    with Guard(conf={"logs": {"files": [{"path": AUTH, "service": "sshd"}], "journal": True}}, name="banssshdjournal") as g:
        wait_for(lambda: g.status()["logs"]["rules"] and g.status()["logs"]["reading"] >= 2, 60)
        both = list(records(log))
        made_journal(f"{folder}/system.journal", both + [{**r, "MESSAGE": elsewhere(r["MESSAGE"])} for r in both])
        with open(AUTH, "a") as f:
            f.write(log)
        for how, of in (("a journal alone", elsewhere), ("a journal and a file", str)):
            good = [wait_for(lambda: banned(of(a)), 10) for a in sources[1::2]]
            tap.ok(all(good), f"{how}: five ban", f"{list(zip(sources[1::2], good))}\n{g.log()}\n{log}")
        time.sleep(0.5)
        for how, of in (("a journal alone", elsewhere), ("a journal and a file", str)):
            bad = [a for a in sources[::2] if banned(of(a))]
            tap.eq(bad, [], f"{how}: four do not")
        tap.ok(not banned(VICTIM), "nor who is named in a user name")


KINDS = (
    ("a wrong password", "root", 1),
    ("a user that is not there", "oracle", 1),
    ("a forged tail", f"x from {VICTIM} port 22 ssh2", 1),
    ("a forged end of a connection", f"test {VICTIM} port 22 [preauth]", 1),
    ("several passwords in one connection", "root", 2),
)


def test_sshd(tap):
    world()
    subprocess.run(["nft", "delete", "table", "inet", "pavise"], stderr=subprocess.DEVNULL)
    sources = addresses(2 * len(KINDS))
    p = stage()
    g = Guard(conf={"logs": {"files": [{"path": AUTH, "service": "sshd"}], "journal": False}}, name="bansshd")
    try:
        g.start()
        wait_for(lambda: g.status()["logs"]["rules"] and g.status()["logs"]["reading"], 60)
        jobs = []
        for i, (_, user, prompts) in enumerate(KINDS):
            for source, n in ((sources[2 * i], 4 // prompts), (sources[2 * i + 1], -(-5 // prompts))):  # four; five or six
                jobs += [(source, attempt(source, user, prompts)) for _ in range(n)]
        # The ban cuts its own last connection: that client waits in vain.
        wait_for(lambda: all(j.poll() is not None or banned(s) for s, j in jobs), 90)
        for _, j in jobs:
            j.kill()
            j.wait()
        time.sleep(1)
        log = open(AUTH).read()
        for i, (kind, _, _) in enumerate(KINDS):
            tell = "\n".join(l for l in log.splitlines() if sources[2 * i] in l or sources[2 * i + 1] in l)
            tap.ok(not banned(sources[2 * i]), f"{kind}: four do not ban", tell)
            tap.ok(wait_for(lambda: banned(sources[2 * i + 1]), 10), f"{kind}: five do", tell)
        tap.ok(not banned(VICTIM), "who is named in a user name is not banned", log)
        tap.ok(VICTIM in log, "(it was in the log)")
        g.stop()
        journal_half(tap, log, sources)
    finally:
        g.stop()
        p.terminate()
        p.wait(10)
        subprocess.run(["nft", "delete", "table", "inet", "pavise"], stderr=subprocess.DEVNULL)


main(test_sshd)

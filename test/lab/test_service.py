#!/usr/bin/env python3
"""pavise installed as users install it: `make install`, the systemd unit, the machine's own dockerd with its systemd
scopes, systemd services as workloads. Only for the lab: it changes the machine it runs on."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import pvtest  # noqa: E402
from pvtest import *  # noqa: E402,F403

# An address that is not private, on the guest's own loopback-less network card: nobody answers, and nobody need.
OUTSIDE = "203.0.113.7"


def pavise(*args, check=False):
    return sh("pavise", *args, check=check, timeout=120)


def events(id_):
    out = pavise("events", "--format", "jsonl")
    return [n for n in (json.loads(l) for l in out.splitlines() if l.startswith("{")) if n["id"] == id_]


def result(*cmd):
    return sh(*cmd, check=False, timeout=120).strip().splitlines()[-1:]


def test_service(tap):
    sh("ip", "link", "add", "ext0", "type", "dummy", check=False)
    sh("ip", "link", "set", "ext0", "up")
    sh("ip", "addr", "add", "192.0.2.1/24", "dev", "ext0", check=False)
    sh("ip", "route", "add", "203.0.113.0/24", "dev", "ext0", check=False)
    helper_ = helper("pvnet")
    tap.ok("installed" in sh(os.path.join(REPO, "tools", "install"), "", "/usr"), "make install")
    for user in ("pavise", "pavise-send"):
        tap.ok(sh("id", "-u", user, check=False).strip().isdigit(), f"user {user} is made")
    sh("systemctl", "start", "docker", timeout=300)
    d = Engine("/var/run/docker.sock")
    d.import_image(image_tar())
    conf = "/etc/pavise/pavise.yaml"
    os.makedirs("/etc/pavise", exist_ok=True)
    with open(conf, "w") as f:
        f.write("sample: 1s\ncpu: { limit: 10%, for: 10s }\n")
    started = sh("systemctl", "start", "pavise", check=False, timeout=300)
    if started.strip():
        tap.note(started + sh("journalctl", "-u", "pavise", "--no-pager", "-n", "40", check=False))
    tap.ok(wait_for(lambda: "pavise" in pavise("status") and os.path.exists("/run/pavise/control.sock"), 30),
           "systemctl start pavise", sh("systemctl", "status", "--no-pager", "pavise", check=False))
    tap.eq(sh("systemctl", "is-active", "pavise", check=False).strip(), "active", "the unit is active")
    tap.note(pavise("doctor"))
    tap.note("programs: " + " ".join(sorted(set(re.findall(r"name (pv_\w+)", sh("bpftool", "prog", "show", check=False))))))
    c = d.run("sleep 1000", name="web")
    tap.ok("docker-" in c.cgroup() and c.cgroup().endswith(".scope"), "the container has a systemd scope", c.cgroup())
    tap.eq(c.net(f"-t 1500 connect {OUTSIDE} 3333", f"-t 1500 dns udp {OUTSIDE} 53 x.mine.org"), ["EPERM", "EPERM"],
           "a container in a scope is refused")
    tap.ok(c.net(f"-t 1500 connect {OUTSIDE} 443") != ["EPERM"], "a benign port is not")
    run = ["systemd-run", "--quiet", "--wait", "--pipe", "--unit=backup-test", helper_, "-t", "1500", "connect", OUTSIDE]
    tap.eq(result(*run, "3333"), ["EPERM"], "a systemd service is refused")
    tap.ok(result(*run, "443") != ["EPERM"], "but not on a benign port")
    tap.ok(wait_for(lambda: any("backup-test" in n["subject"]["name"] and n["subject"]["kind"] == "unit"
                                for n in events("net.stratum")), 15), "the notice names the unit", events("net.stratum"))
    sh("systemd-run", "--quiet", "--unit=busy-test", helper_, "burn", "60")
    miner = d.run("pvnet burn 1000", name="miner", restart="always")
    tap.ok(wait_for(lambda: not miner.running(), 60), "a busy container is killed", pavise("events"))
    tap.ok(wait_for(lambda: any("busy-test" in n["subject"]["name"] and n["action"] == "alerted" for n in events("run.cpu")), 40),
           "a busy systemd service is told about", events("run.cpu"))
    tap.eq(sh("systemctl", "is-active", "busy-test", check=False).strip(), "active", "and lives")
    sh("systemctl", "stop", "busy-test")
    sh("systemctl", "restart", "docker", timeout=300)
    wait_for(d.alive, 60)
    time.sleep(3)
    tap.eq(miner.state(), "exited", "restart=always stays dead after systemctl restart docker")
    sh("systemctl", "stop", "docker.service", timeout=300)
    time.sleep(15)
    tap.eq(sh("systemctl", "is-active", "docker.service", "docker.socket", check=False).split(), ["inactive", "active"],
           "systemctl stop docker stays done, although any connection to docker.socket would start it again")
    sh("systemctl", "start", "docker.service", timeout=300)
    wait_for(d.alive, 60)
    c.start()
    oom = d.run(["sh", "-c", "pvnet oomchild 64; sleep 1000"], name="oom", Memory=32 << 20, MemorySwap=32 << 20)
    tap.ok(wait_for(lambda: any(n["subject"]["name"] == "oom" for n in events("run.oom")), 30), "an OOM kill is told", events("run.oom"))
    oom.remove()
    sh("systemctl", "restart", "pavise", timeout=120)
    tap.eq(c.net(f"-t 1500 connect {OUTSIDE} 3333"), ["EPERM"], "refused after systemctl restart pavise")
    sh("systemctl", "stop", "pavise", timeout=120)
    tap.eq(c.net(f"-t 1500 connect {OUTSIDE} 3333"), ["EPERM"], "the blocks outlive systemctl stop pavise")
    pavise("off")
    tap.ok(c.net(f"-t 1500 connect {OUTSIDE} 3333") != ["EPERM"], "pavise off lifts them with the service stopped")
    tap.ok("removed" in sh(os.path.join(REPO, "tools", "install"), "--remove", "", "/usr"), "make uninstall")
    tap.ok(not os.path.exists("/usr/bin/pavise"), "and it is gone")
    for x in (c, miner):
        x.remove()
    sh("systemctl", "stop", "docker.socket", "docker", check=False, timeout=120)


if not os.path.exists("/run/systemd/system") or not os.path.exists("/share/run.sh"):
    print("1..0 # SKIP only for the lab")
    sys.exit(0)
main(test_service)

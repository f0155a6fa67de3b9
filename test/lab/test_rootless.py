#!/usr/bin/env python3
"""Rootless engines of a user with a session of systemd's: their containers lie below user.slice in scopes of their own, no
Engine API of the machine reaches them. Container rules hold, and they are ended by cgroup.kill. Only for the lab."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvtest import *  # noqa: E402,F403

OUTSIDE = "203.0.113.7"
USER = "tester"


def pavise(*args):
    return sh("pavise", *args, check=False, timeout=120)


def events(id_):
    out = pavise("events", "--format", "jsonl")
    return [n for n in (json.loads(l) for l in out.splitlines() if l.startswith("{")) if n["id"] == id_]


def told(id_, cid, **want):
    """The notice about that container; rootless ones have no name but the beginning of their id."""
    return [n for n in events(id_) if cid[:12] in n["subject"]["name"] and all(n[k] == v for k, v in want.items())]


class Owner:
    """A user who is logged in for good."""

    def __init__(self):
        sh("useradd", "-m", "-s", "/bin/sh", USER, check=False)
        self.uid = sh("id", "-u", USER).strip()
        self.dir = f"/run/user/{self.uid}"
        sh("loginctl", "enable-linger", USER)
        if not wait_for(lambda: os.path.exists(f"{self.dir}/bus"), 30):
            raise Skip("no user session: " + sh("systemctl", "status", f"user@{self.uid}", check=False))

    def run(self, *argv, check=True, timeout=300, env=()):
        return sh("runuser", "-u", USER, "--", "env", f"XDG_RUNTIME_DIR={self.dir}", f"HOME=/home/{USER}",
                  f"DBUS_SESSION_BUS_ADDRESS=unix:path={self.dir}/bus", *env, *argv, check=check, timeout=timeout, cwd="/").strip()


def cgroup_of(cid):
    found = [d for d, _, _ in os.walk("/sys/fs/cgroup/user.slice") if cid in os.path.basename(d)]
    return found[0] if found else ""


def start_guard(tap):
    sh("ip", "link", "add", "ext0", "type", "dummy", check=False)
    sh("ip", "link", "set", "ext0", "up")
    sh("ip", "addr", "add", "192.0.2.1/24", "dev", "ext0", check=False)
    sh("ip", "route", "add", "203.0.113.0/24", "dev", "ext0", check=False)
    sh(os.path.join(REPO, "tools", "install"), "", "/usr")
    os.makedirs("/etc/pavise", exist_ok=True)
    with open("/etc/pavise/pavise.yaml", "w") as f:
        f.write("sample: 1s\ncpu: { limit: 10%, for: 10s }\nexec: { grace: 1s }\n")
    sh("systemctl", "start", "pavise", check=False, timeout=300)
    tap.ok(wait_for(lambda: os.path.exists("/run/pavise/control.sock"), 30), "the guard runs",
           sh("journalctl", "-u", "pavise", "--no-pager", "-n", "30", check=False))


def start(u, *argv, **kw):
    """Runs a container; its id. What the guard has to say belongs to a failure."""
    try:
        return u.run(*argv, **kw).splitlines()[-1]
    except RuntimeError as e:
        raise RuntimeError(f"{e}\n{pavise('events')}")


def container_rules(tap, engine, run, exec_, inspect, storage):
    """`run(name, words)` starts a container with the host's network and gives its id; `exec_(id, words)` runs in it. Its programs are judged
    where its storage is the kernel's overlay."""
    web, miner = run("web", "sleep 1000"), None
    path = cgroup_of(web)
    tap.ok(path.startswith("/sys/fs/cgroup/user.slice/") and path.endswith(".scope"), f"{engine}: a scope below the user's slice", path)
    tap.eq(exec_(web, f"pvnet -t 1500 connect {OUTSIDE} 3333"), "EPERM", f"{engine}: a mining port is refused")
    tap.eq(exec_(web, f"pvnet -t 1500 dns udp {OUTSIDE} 53 x.mine.org"), "EPERM", f"{engine}: a mining name is refused")
    tap.ok(exec_(web, f"pvnet -t 1500 connect {OUTSIDE} 443") != "EPERM", f"{engine}: a benign port is not")
    n = wait_for(lambda: told("net.stratum", web), 30)
    tap.ok(n and n[0]["subject"]["kind"] == "container" and n[0]["action"] == "blocked", f"{engine}: told as a container's", events("net.stratum"))
    exec_(web, "mkdir -p -m 1777 /tmp")
    exec_(web, "cp /bin/pvnet /tmp/dropped")
    ran = exec_(web, f"/tmp/dropped -t 1500 connect {OUTSIDE} 3333")
    if storage.startswith("overlay"):
        tap.ok("EPERM" not in ran and wait_for(lambda: told("exec.dropped", web, action="blocked"), 30),
               f"{engine} on {storage}: a dropped program is refused, and told", (ran, events("exec.dropped")))
    else:
        tap.eq(ran, "EPERM", f"{engine} on {storage}: a dropped program runs")
    miner = run("miner", "pvnet burn 1000")
    tap.ok(wait_for(lambda: inspect(miner) != "running", 60), f"{engine}: a busy one is ended", pavise("events"))
    n = wait_for(lambda: told("run.cpu", miner, action="killed"), 30)
    how = [e["value"] for e in n[0]["detail"]["evidence"] if e["what"] == "how"] if n else []
    tap.ok(any("cgroup.kill" in h for h in how), f"{engine}: by cgroup.kill, and it says so", n or events("run.cpu"))
    tap.eq(inspect(web), "running", f"{engine}: its quiet neighbour lives")


def test_podman(tap):
    start_guard(tap)
    u = Owner()
    with open("/tmp/image.tar", "wb") as f:
        f.write(image_tar())
    os.chmod("/tmp/image.tar", 0o644)
    os.makedirs(f"/home/{USER}/.config/containers", exist_ok=True)
    with open(f"/home/{USER}/.config/containers/containers.conf", "w") as f:
        f.write("[engine]\ncgroup_manager = \"systemd\"\n")
    sh("chown", "-R", USER, f"/home/{USER}/.config")
    info = u.run("podman", "info", "--format", "{{.Host.Security.Rootless}} {{.Host.CgroupManager}} {{.Host.CgroupsVersion}} "
                 "{{.Host.OCIRuntime.Name}} {{.Store.GraphDriverName}}", check=False)
    tap.note(info)
    u.run("podman", "import", "-c", "ENV PATH=/bin", "/tmp/image.tar", "pv:1")

    def run(name, words):
        return start(u, "podman", "run", "-d", "--name", name, "--network", "host", "pv:1", *words.split())
    container_rules(tap, "podman", run, lambda c, w: u.run("podman", "exec", c, *w.split(), check=False),
                    lambda c: u.run("podman", "inspect", "-f", "{{.State.Status}}", c, check=False), info.split()[-1])
    u.run("podman", "rm", "-fa", check=False)


def test_docker(tap):
    u = Owner()
    script = "/usr/share/docker.io/contrib/dockerd-rootless.sh"
    if not os.path.exists(script):
        raise Skip("docker.io without dockerd-rootless.sh")
    sh("modprobe", "tun", check=False)
    sock = f"{u.dir}/docker.sock"
    u.run("systemd-run", "--user", "--unit=docker", "-p", "Delegate=yes", "--setenv=PATH=/usr/sbin:/usr/bin:/sbin:/bin", "sh", script, check=False)
    host = [f"DOCKER_HOST=unix://{sock}"]
    if not wait_for(lambda: os.path.exists(sock) and "rootless" in u.run("docker", "info", check=False, env=host), 40):
        raise Skip("rootless dockerd does not come up: " +
                   sh("journalctl", f"_UID={u.uid}", "--no-pager", "-n", "8", "-o", "cat", check=False).replace("\n", "; ")[-600:])
    u.run("docker", "import", "-c", "ENV PATH=/bin", "/tmp/image.tar", "pv:1", env=host)

    def run(name, words):
        return start(u, "docker", "run", "-d", "--name", name, "--network", "host", "pv:1", *words.split(), env=host)
    container_rules(tap, "docker", run, lambda c, w: u.run("docker", "exec", c, *w.split(), check=False, env=host),
                    lambda c: u.run("docker", "inspect", "-f", "{{.State.Status}}", c, check=False, env=host),
                    u.run("docker", "info", "-f", "{{.Driver}}", check=False, env=host).splitlines()[-1])


def test_removed(tap):
    """What is left here would guard the suites that come after it."""
    u = Owner()
    u.run("systemctl", "--user", "stop", "docker", check=False)
    u.run("podman", "rm", "-fa", check=False)
    sh("loginctl", "disable-linger", USER, check=False)
    tap.ok("removed" in sh(os.path.join(REPO, "tools", "install"), "--remove", "", "/usr"), "make uninstall")
    sh("rm", "-rf", "/etc/pavise", "/var/lib/pavise")
    tap.eq(re.findall(r"name (pv_\w+)", sh("bpftool", "prog", "show")), [], "nothing of it is in the kernel")


main(test_podman, test_docker, test_removed)

#!/usr/bin/env python3
"""Inside the guest of test/lab/package, once at each boot. /var/tmp/stage says how far it is. Changes the machine it runs on."""

import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvtest import *  # noqa: E402,F403

STAGE = "/var/tmp/stage"
OUTSIDE = "203.0.113.7"  # nobody is there, and nobody need be: what is asked is whether the kernel lets it out
BANNED = "203.0.113.200"
REFUSED = f"-t 1500 connect {OUTSIDE} 3333"
FINE = f"-t 1500 connect {OUTSIDE} 443"
MINER = ("sh", "-c", f"echo boot $(cat /proc/sys/kernel/random/boot_id); while :; do pvnet -t 500 connect {OUTSIDE} 3333; sleep 1; done")


def pavise(*args):
    return sh("pavise", *args, check=False, timeout=180)


def systemctl(*args, check=False):
    return sh("systemctl", *args, check=check, timeout=400).strip()


def show(unit, *props):
    return dict(l.split("=", 1) for l in systemctl("show", unit, *[f"-p{p}" for p in props]).splitlines())


def events(id_=""):
    return [n for n in (json.loads(l) for l in pavise("events", "--max", "1000", "--format", "jsonl").splitlines() if l.startswith("{"))
            if n["id"].startswith(id_)]


def listing():
    """Every file of the machine but what changes by itself, and what the kernel holds for us."""
    skip = re.compile(r"/(proc|sys|dev|run|tmp|share|lost\+found|root|opt/job|var/(tmp|log|cache)|var/lib/(dpkg|docker|containerd|containers|systemd|private))(/|$)|"
                      r"/etc/systemd/system/[^/]+\.wants$|"  # deb-systemd-helper takes empty ones away, whoever made them
                      r"/etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$|/etc/(docker|\.pwd\.lock|machine-id|ld\.so\.cache|mtab|resolv\.conf|cni)|.*/__pycache__")
    out = []
    for d, dirs, files in os.walk("/"):
        dirs[:] = [n for n in dirs if not skip.match(os.path.join(d, n))]
        out += [os.path.join(d, n) for n in dirs + files if not skip.match(os.path.join(d, n))]
    out += [f"table {l}" for l in sh("nft", "list", "tables", check=False).splitlines() if "pavise" in l]
    out += [os.path.join(p, f) for p, dirs, files in os.walk("/sys/fs/bpf") for f in files + dirs if not f.endswith(".debug")]
    out += [d for d, _, _ in os.walk("/sys/fs/cgroup") if "pavise" in d]
    out += [f"program {p['name']}" for p in json.loads(sh("bpftool", "-j", "prog", "list")) if p.get("name", "").startswith("pv_")]
    out += [f for f in glob.glob("/run/pavise*") + glob.glob("/run/systemd/**/*pavise*", recursive=True) + glob.glob("/var/lib/pavise*")]
    return out


def status_of(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(l.rstrip("\n").split(":\t", 1) for l in f if ":\t" in l)


def roles():
    out = {}
    for p in glob.glob("/proc/[0-9]*/exe"):
        try:
            name = os.path.basename(os.readlink(p).removesuffix(" (deleted)"))
        except OSError:
            continue
        if name.startswith("pavise-"):
            out[name] = int(p.split("/")[2])
    return out


def network():
    sh("ip", "link", "add", "ext0", "type", "dummy", check=False)
    sh("ip", "link", "set", "ext0", "up")
    sh("ip", "addr", "add", "192.0.2.1/24", "dev", "ext0", check=False)
    sh("ip", "route", "add", "203.0.113.0/24", "dev", "ext0", check=False)


def banned():
    """Whether the kernel holds the ban, and drops by it."""
    out = sh("nft", "list", "table", "inet", "pavise", check=False)
    return [f"{BANNED} {'drop' in out and BANNED in out}"]


class Hammer:
    """Asks over and over; what it got."""

    def __init__(self, ask):
        self.ask, self.got, self.end = ask, [], False
        self.thread = threading.Thread(target=self.loop, daemon=True)

    def loop(self):
        while not self.end:
            self.got += self.ask()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.end = True
        self.thread.join()


def stage_install(tap):
    tap.note(f"kernel {os.uname().release}, systemd {systemctl('is-system-running')}, cgroups {sh('stat', '-fc', '%T', '/sys/fs/cgroup').strip()}")
    network()
    for deb in glob.glob("/share/debs/*.deb"):
        sh("dpkg", "-i", deb, timeout=300)
    systemctl("enable", "containerd", "docker", check=True)
    systemctl("start", "docker", check=True)
    d = Engine("/var/run/docker.sock")
    d.import_image(image_tar())
    c = d.run("sleep 100000", name="web", restart="always")
    first = listing()
    with open("/var/tmp/before", "w") as f:
        f.write("\n".join(first))
    start = time.monotonic()
    said = sh("dpkg", "-i", "/share/pavise.deb", timeout=600)
    installed = time.monotonic() - start
    ok = wait_for(lambda: c.net(REFUSED) == ["EPERM"], 20)
    took = time.monotonic() - start
    tap.ok(ok and took < 60, f"from dpkg -i to the first refused connect: {took:.0f} s, dpkg itself {installed:.0f} s (60 s)", said)
    tap.eq((systemctl("is-active", "pavise"), systemctl("is-enabled", "pavise")), ("active", "enabled"), "started and enabled, no question asked")
    tap.ok(c.net(FINE) != ["EPERM"], "an ordinary port is not refused")
    tap.ok(c.net(f"-t 1500 dns udp {OUTSIDE} 53 x.mine.org") == ["EPERM"], "a question for a mining name is refused")
    doctor = json.loads(pavise("doctor", "--install", "--format", "json").splitlines()[-1])
    tap.eq([k for k in doctor["checks"] if k["result"] != "ok" and k["check"] != "channels"], [], "pavise doctor --install finds nothing")
    *lines, score = sh("systemd-analyze", "security", "--no-pager", "pavise.service", check=False, timeout=120).strip().splitlines()
    tap.ok(float(re.search(r"level for \S+: ([\d.]+)", score).group(1)) <= 4.0, f"systemd-analyze security, as it runs: {score.strip('→-> ')}",
           "\n".join(l for l in lines if re.search(r" \d\.\d\s*$", l)))

    # The roles in the unit.
    with open("/etc/pavise/hook.key", "w") as f:
        f.write("0123456789abcdef0123456789abcdef")
    os.chmod("/etc/pavise/hook.key", 0o600)
    with open("/etc/pavise/conf.d/lab.yaml", "w") as f:
        f.write('sample: 1s\ncpu: { limit: 10%, for: 10s }\nnotify: { channels: [{ url: "https://127.0.0.1:9/hook", secret_file: /etc/pavise/hook.key, name: lab }] }\n')
    tap.eq(pavise("config", "check") and systemctl("reload", "pavise"), "", "systemctl reload pavise")
    wait_for(lambda: "pavise-sender" in roles(), 20)
    r = roles()
    for name in ("pavise-engine", "pavise-sender"):
        st = status_of(r[name]) if name in r else {}
        tap.eq([st.get(k) for k in ("CapEff", "CapPrm", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")], ["0" * 16] * 4 + ["1", "2"],
               f"{name} in the unit: no capability, no new privileges, its own filter")
        tap.ok(st.get("Uid", "0").split()[0] != "0", f"{name} is not root: {st.get('Uid')}")
    st = status_of(r["pavise-broker"])
    tap.ok(st["NoNewPrivs"] == "1" and st["Seccomp"] == "2" and st["CapEff"] == st["CapBnd"], f"pavise-broker: CapEff {st['CapEff']} and no more", st)

    # What the guard does, inside the shipped unit.
    out = sh("systemd-run", "--quiet", "--wait", "--pipe", "--unit=backup-lab", helper("pvnet"), *REFUSED.split(), check=False, timeout=120)
    tap.eq(out.strip(), "EPERM", "a systemd service is refused")
    busy = d.run("pvnet burn 100000", name="busy", restart="always")
    tap.ok(wait_for(lambda: not busy.running(), 60), "a busy container is killed", pavise("events"))
    tap.ok(wait_for(lambda: [n for n in events("run.cpu") if n["subject"]["name"] == "busy"], 20), "and told", pavise("events"))
    row = re.search(r"^\s*(\d+)\s", "\n".join(l for l in pavise("undo").splitlines() if "busy" in l), re.M)
    tap.ok(row and busy.policy() == "no", "its restart policy is set to no, and kept", pavise("undo"))
    pavise("undo", row.group(1))  # what comes of its image from now on is not it again
    tap.eq(pavise("off", "--for", "1h") and c.net(REFUSED) == ["EPERM"], False, "pavise off lifts the blocks")
    pavise("on")
    tap.eq(c.net(REFUSED), ["EPERM"], "pavise on puts them back")
    pavise("allow", "web", "net")
    tap.ok(wait_for(lambda: c.net(REFUSED) != ["EPERM"], 10), "pavise allow spares the container", pavise("status"))
    pavise("allow", "web", "net", "--remove")
    tap.ok(wait_for(lambda: c.net(REFUSED) == ["EPERM"], 10), "and takes it back", pavise("status"))
    os.unlink("/etc/pavise/conf.d/lab.yaml")
    systemctl("reload", "pavise")
    pavise("allow", "shop/worker", "cpu")

    # Upgrade while it is being refused.
    before = {(n["time"], n["id"]) for n in events()}
    pid = show("pavise", "MainPID")["MainPID"]
    pavise("ban", BANNED)
    tap.eq(banned(), [f"{BANNED} True"], "an address is banned")
    spared = d.run("sleep 100000", name="spared")
    pavise("allow", "spared", "net")
    tap.ok(wait_for(lambda: spared.net(REFUSED) != ["EPERM"], 10), "and a container is spared")
    layout = os.listdir("/sys/fs/bpf/pavise")
    with Hammer(lambda: c.net(*[f"-t 500 connect {OUTSIDE} 3333"] * 5)) as h, Hammer(banned) as b, \
            Hammer(lambda: spared.net(f"-t 300 connect {OUTSIDE} 3333")) as s:
        time.sleep(2)
        sh("dpkg", "-i", "/share/next.deb", timeout=600)
        time.sleep(5)
    tap.eq(sorted(set(h.got)), ["EPERM"], f"no connect of {len(h.got)} went through during the upgrade")
    tap.eq(sorted(set(b.got)), [f"{BANNED} True"], f"the ban was in the kernel throughout ({len(b.got)} looks)")
    tap.ok(s.got and "EPERM" not in s.got, f"the spared container was not refused once ({len(s.got)} tried)", s.got)
    tap.ok(os.listdir("/sys/fs/bpf/pavise") == ["v9999"] != layout, f"the kernel's part has another layout than before: {layout}")
    tap.ok(systemctl("is-active", "pavise") == "active" and show("pavise", "MainPID")["MainPID"] != pid, "the new guard runs")
    tap.ok("+next" in sh("dpkg-query", "-W", "pavise"), "of the new version")
    wait_for(lambda: "shop/worker" in pavise("status"), 10)
    tap.ok(before and before <= {(n["time"], n["id"]) for n in events()}, "the history is kept")
    tap.ok("shop/worker" in pavise("status"), "the exception is kept", pavise("status"))

    # For the next boot.
    busy.remove()
    spared.remove()
    d.run(list(MINER), name="miner", restart="always")
    time.sleep(8)
    return "boot"


def first_after(boot_id):
    """What the container's first connect after that boot got."""
    text = sh("docker", "logs", "miner", check=False, timeout=120)
    at = text.rfind(f"boot {boot_id}\n")
    lines = text[at:].splitlines()[1:] if at >= 0 else []
    return lines[0] if lines else ""


def stage_boot(tap):
    network()
    with open("/proc/sys/kernel/random/boot_id") as f:
        boot_id = f.read().strip()
    wait_for(lambda: systemctl("is-active", "docker") == "active", 60, 1)
    wait_for(lambda: first_after(boot_id), 40, 1)
    tap.eq(first_after(boot_id), "EPERM", "after the reboot: the first connect of a container that starts with the machine is refused")
    p = show("pavise", "ExecMainStartTimestampMonotonic", "ActiveEnterTimestampMonotonic", "ActiveState")
    k = show("docker", "ExecMainStartTimestampMonotonic", "ActiveEnterTimestampMonotonic", "ActiveState")
    s = {n: int(v) / 1e6 for n, v in ((f"{u} {w}", x[f"{w}TimestampMonotonic"]) for u, x in (("pavise", p), ("docker", k)) for w in ("ExecMainStart", "ActiveEnter"))}
    tap.note("; ".join(f"{n} {v:.1f} s" for n, v in s.items()))
    tap.ok(s["pavise ActiveEnter"] < s["docker ExecMainStart"], "dockerd was started when the guard said that it was ready")
    tap.eq(p["ActiveState"], "active", "the guard started by itself")
    tap.ok("shop/worker" in pavise("status") and events("net.stratum"), "history and exceptions have come through the reboot", pavise("status"))
    tap.eq(banned(), [f"{BANNED} True"], "and the ban")
    tap.eq(systemctl("list-timers", "--all", "--no-legend", "--plain").count("pavise"), len(glob.glob("/usr/lib/systemd/system/pavise*.timer")),
           "every timer that is shipped is known to systemd")
    # What the order is worth: the same without it.
    systemctl("stop", "docker.socket", "docker", "pavise")
    sh("/usr/lib/pavise/pavise-broker", "unpin", check=False)
    was = sh("docker", "--version") and open("/proc/uptime").read()
    systemctl("start", "docker")
    marks = wait_for(lambda: sh("docker", "logs", "miner", check=False).count(f"boot {boot_id}\n") >= 2, 40, 1)
    wait_for(lambda: first_after(boot_id), 20, 1)
    tap.ok(marks and first_after(boot_id) != "EPERM", f"with dockerd alone the first connect is let through: {first_after(boot_id)}", was)
    systemctl("start", "pavise", check=True)
    d = Engine("/var/run/docker.sock")
    c = Container(d, "web")
    tap.ok(wait_for(lambda: c.net(REFUSED) == ["EPERM"], 20), "and is refused once the guard runs")

    out = sh("dpkg", "-r", "pavise", timeout=300)
    tap.ok(c.net(REFUSED) != ["EPERM"], "removal lifts everything", out)
    tap.ok("pavise" not in sh("nft", "list", "tables", check=False), "the firewall's table is gone")
    tap.eq((roles(), [p for p in glob.glob("/sys/fs/bpf/*") if "pavise" in p]), ({}, []), "no role, no pin")
    tap.ok(os.path.exists("/etc/pavise/conf.d/allow.yaml") and os.path.isdir("/var/lib/pavise/engine"), "configuration and history are left")
    tap.ok(systemctl("is-active", "docker") == "active" and c.running(), "dockerd and the containers never noticed")
    sh("dpkg", "-P", "pavise", timeout=300)
    for name in ("web", "miner"):
        Container(d, name).remove()
    with open("/var/tmp/before") as f:
        before = set(f.read().split("\n"))
    now = set(listing())
    tap.eq(sorted(now - before), [], "purge: the machine has nothing that it had not before")
    tap.eq(sorted(before - now), [], "and lacks nothing")
    tap.eq(systemctl("--failed", "--no-legend", "--plain"), "", "no unit has failed")
    return ""


class Numbered(Tap):
    def __init__(self, n):
        super().__init__()
        self.n = n


def run():
    stages = {"install": stage_install, "boot": stage_boot}
    name, n = "install", 0
    if os.path.exists(STAGE):
        with open(STAGE) as f:
            name, n = f.read().split()
    tap, following = Numbered(int(n)), ""
    start = time.monotonic()
    try:
        following = stages[name](tap)
    except Exception as e:
        tap.ok(False, f"stage {name}", f"{type(e).__name__}: {e}\n{traceback.format_exc()}\n{sh('journalctl', '-u', 'pavise', '-n', '40', '--no-pager', check=False)}")
    tap.note(f"{name}: {time.monotonic() - start:.0f} s")
    if following:
        with open(STAGE, "w") as f:
            f.write(f"{following} {tap.n}")
        sys.stdout.flush()
        os.sync()
        sh("systemctl", "reboot", check=False)
        time.sleep(600)
    print(f"1..{tap.n}\n# the end", flush=True)
    return 1 if tap.bad else 0


if not os.path.exists("/run/systemd/system") or not os.path.exists("/share/run.sh"):
    print("1..0 # SKIP only for the lab")
    sys.exit(0)
sys.exit(run())

#!/usr/bin/env python3
"""The package and the tarball on a copy of this machine: overlays in a private mount namespace take what dpkg writes, so that what each step
leaves is read off them. A container is being refused its miner's port all the while."""

import os
import sys
import stat
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import pvpackage  # noqa: E402
import pvunit  # noqa: E402
from pvtest import *  # noqa: E402,F403

UPPER = "/run/pv/upper"
TREES = ("etc", "usr", "var", "opt")
# What dpkg and its helpers keep for themselves, and the users, which stay.
NOT_OURS = re.compile(r"/var/lib/dpkg/|/var/log/|/var/cache/|/var/lib/systemd/deb-systemd-helper-[a-z]+/?$|/etc/(passwd|group|shadow|gshadow)-?$|"
                      r"/etc/\.(pwd|updated)|/etc/ld\.so\.cache|/etc/sub[ug]id-?$")


def overlay():
    """From here on whatever is written to these trees ends with this process."""
    world()
    sh("mount", "--make-rprivate", "/")  # the sandbox's test has left it shared: what is mounted here would show below `low`, too
    for f in ("/etc/passwd", "/etc/group"):
        sh("umount", f, check=False)
    for t in TREES:
        for d in ("up", "work", "low"):
            os.makedirs(f"{UPPER}/{t}/{d}")
        sh("mount", "--bind", f"/{t}", f"{UPPER}/{t}/low")
        sh("mount", "-t", "overlay", "overlay", "-o", f"lowerdir=/{t},upperdir={UPPER}/{t}/up,workdir={UPPER}/{t}/work", f"/{t}")


def added():
    """Files and folders that the machine did not have, and files that went (with a minus sign)."""
    out = set()
    for t in TREES:
        up, low = f"{UPPER}/{t}/up", f"{UPPER}/{t}/low"
        for d, dirs, files in os.walk(up):
            rel = d[len(up):]
            for name in dirs + files:
                path = f"{rel}/{name}"
                st = os.lstat(up + path)
                if not os.path.lexists(low + path):
                    if not (stat.S_ISCHR(st.st_mode) and st.st_rdev == 0):
                        out.add(f"/{t}{path}")
                elif stat.S_ISCHR(st.st_mode) and st.st_rdev == 0:
                    out.add(f"-/{t}{path}")
    return sorted(p for p in out if not NOT_OURS.search(p))


def dpkg(*args):
    return sh("dpkg", *args, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"})


class Service:
    """What systemd would do with the unit: its ExecStart, a signal to end."""

    def __init__(self, unit="/usr/lib/systemd/system/pavise.service"):
        with open(unit) as f:
            self.argv = re.search(r"^ExecStart=(.*)$", f.read(), re.M).group(1).split()
        self.proc, self.log = None, "/run/pv/service.log"

    def start(self):
        with open(self.log, "a") as log:
            self.proc = subprocess.Popen(self.argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True, cwd="/")
        if not wait_for(lambda: self.answers() or self.proc.poll() is not None, 20) or self.proc.poll() is not None:
            raise RuntimeError("the guard does not start: " + self.said())
        return self

    def answers(self):
        return subprocess.run([self.argv[0], "status", "--format", "json"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

    def stop(self):
        self.proc.terminate()
        self.proc.wait(20)

    def said(self):
        with open(self.log) as f:
            return f.read()[-3000:]


class Hammer:
    """Asks over and over; what it got, with the times."""

    def __init__(self, ask):
        self.ask, self.got, self.end = ask, [], False
        self.thread = threading.Thread(target=self.loop, daemon=True)

    def loop(self):
        while not self.end:
            self.got.append((time.monotonic(), self.ask()))

    def through(self, since):
        """What was not refused."""
        return [(round(t - since, 2), g) for t, g in self.got if set(g) - {"EPERM", "timeout"}]

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.end = True
        self.thread.join()


def configure(d):
    """This world instead of the whole machine; nothing else differs from what is shipped."""
    with open("/etc/pavise/conf.d/test.yaml", "w") as f:
        f.write(f"cgroup_root: {world().root}\ndocker: {{ socket: {d.sock} }}\npodman: {{ socket: no }}\n")


def pins():
    return sorted(os.path.join(p, f) for p, dirs, files in os.walk("/sys/fs/bpf") for f in files + dirs if not f.endswith(".debug"))


def events():
    return [json.loads(l) for l in sh("pavise", "events", "--format", "jsonl").splitlines() if l.startswith("{")]


def guards():
    out = []
    for p in glob.glob("/proc/[0-9]*/exe"):
        try:
            if os.path.basename(os.readlink(p)).startswith("pavise-") and os.readlink(os.path.dirname(p) + "/ns/mnt") == os.readlink("/proc/self/ns/mnt"):
                out.append(p)
        except OSError:
            pass
    return out


def test_unit(tap):
    """The score, and that each line the scorer misses is accounted for in the unit."""
    if not shutil.which("systemd-analyze"):
        raise Skip("systemd-analyze is not installed")
    unit = os.path.join(REPO, "dist/pavise.service")
    text = open(unit).read()
    r = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=40", "--no-pager", unit], stdout=subprocess.PIPE, text=True)
    tap.eq(r.returncode, 0, "systemd-analyze security: at most 4.0: " + r.stdout.strip().splitlines()[-1].strip("→ "))
    comments = "\n".join(l for l in text.splitlines() if l.startswith("#"))
    missed = [l.split()[1] for l in r.stdout.splitlines() if l.startswith("✗")]
    tap.ok(len(missed) > 10, "the scorer names what is missing", r.stdout)
    silent = []
    for m in missed:
        key, _, value = m.partition("=")
        cap = re.match(r"~CAP_(\w+)", value)
        if key == "CapabilityBoundingSet":
            ok = not cap or cap.group(1) in comments
        else:
            ok = f"{key}=" in comments and (not value.startswith("~@") or value.split("~")[1] in comments or value == "~@resources")
        if not ok:
            silent.append(m)
    tap.eq(silent, [], f"each of the {len(missed)} lines that are left out is explained in the unit")
    tap.eq(sh("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit, check=False).replace("/usr/bin/pavise", "").count("Unknown"), 0,
           "no unknown line")


def test_sandbox(tap):
    """The unit's sandbox as systemd puts it in force, and the guard at work in it. PAVISE_UNDER_UNIT=1 does the same to every system suite."""
    if pvunit.missing():
        raise Skip(pvunit.missing())
    os.environ["PAVISE_UNDER_UNIT"] = "1"
    try:
        with Dockerd() as d, Guard(d) as g:
            c = d.run("sleep 1000", name="web")
            tap.eq(c.net(f"-t 300 connect {OUT4} 3333", f"-t 300 dns udp {DNS4} 53 x.mine.org"), ["EPERM", "EPERM"], "in the shipped unit's sandbox the guard refuses")
            tap.ok(g.wait_notice("net.stratum", "web"), "and tells who it was", g.log())
            loaded = world().manager.show(g.proc.name, "ProtectSystem", "ProtectHome", "PrivateTmp", "PrivateDevices", "NoNewPrivileges", "MemoryDenyWriteExecute",
                                          "CapabilityBoundingSet", "RestrictNamespaces", "SystemCallErrorNumber")
            text = open(pvunit.UNIT).read()
            want = {k: " ".join(re.findall(rf"^{k}=(.*)$", text, re.M)).lower() for k in loaded}
            same = lambda k, v: sorted(v.lower().split()) == sorted(want[k].split()) or (k == "SystemCallErrorNumber" and v == "1")  # noqa: E731
            tap.eq([k for k, v in loaded.items() if not same(k, v)], [], "systemd has taken the unit's lines")
            top = g.roles().get("pavise-launcher", g.proc.pid)
            with open(f"/proc/{top}/status") as f:
                status = dict(l.rstrip("\n").split(":\t", 1) for l in f if ":\t" in l)
            tap.eq(bin(int(status["CapBnd"], 16)).count("1"), len(want["CapabilityBoundingSet"].split()), "the bounding set is the unit's: " + status["CapBnd"])
            tap.ok(status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", "no new privileges, a filter", status)
            root = f"/proc/{top}/root"
            try:
                open(f"{root}/etc/pavise-was-here", "w").close()
                tap.ok(False, "its tree is read-only")
            except OSError as e:
                tap.eq(e.errno, 30, "its tree is read-only")
            tap.eq([os.statvfs(f"{root}{h}").f_flag & os.ST_RDONLY for h in ("/home", "/root")], [os.ST_RDONLY] * 2, "the homes are read-only")
            tap.eq([sorted(os.listdir(f"{root}{h}")) == sorted(os.listdir(h)) for h in ("/home", "/root")], [True, True], "and seen: what settles there is watched")
            tap.eq(os.path.exists(f"{root}/dev/kmsg"), False, "no device of the machine")
    finally:
        del os.environ["PAVISE_UNDER_UNIT"]


def test_docs(tap):
    """The pages speak of commands, options, files and notices that there are."""
    def out(*args):
        return subprocess.run([PAVISE, *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
    known = {m: out(m, "--help") for m in re.findall(r"^  ([a-z]+) ", out("--help"), re.M)}
    ids = {l.split()[0] for l in out("explain", "--list").splitlines()}
    wrong = []
    for path in sorted(glob.glob(os.path.join(REPO, "doc/*.md"))):
        name = os.path.basename(path)
        if name == "requirements.md":
            continue
        text = open(path).read()
        for m in re.finditer(r"(?:`|\$ |sudo |&& |^)pavise ([a-z]+)((?: [^`\n]*)?)", text, re.M):
            if m.group(1) not in known:
                if text[m.start()] == "`" or "$ " in m.group(0) or "sudo" in m.group(0):
                    wrong.append(f"{name}: pavise {m.group(1)}")
                continue
            wrong += [f"{name}: pavise {m.group(1)} {o}" for o in re.findall(r"(?<=\s)--[a-z-]+", m.group(2).split("#")[0]) if o not in known[m.group(1)]]
        wrong += [f"{name}: {i}" for i in re.findall(r"`((?:net|dns|run|guard|exec|login)\.[a-z-]+)`", text)
                  if i not in ids and i not in ("net.allow", "dns.allow", "dns.names", "net.ports", "net.internal")]
        for link in re.findall(r"\]\(([^)#]+)\)", text):
            if "://" not in link and not os.path.exists(os.path.join(REPO, "doc", link)):
                wrong.append(f"{name}: link to {link}")
    tap.eq(wrong, [], "doc/: every command, option, notice and link that is named exists")
    with tempfile.TemporaryDirectory() as shipped:
        sh(os.path.join(REPO, "tools/docs"), shipped)
        wrong = []
        for path in sorted(glob.glob(shipped + "/*.md")):
            text = open(path).read()
            named = re.findall(r"\]\(([^)#]+)\)", text) + ([] if path.endswith("release.md") else re.findall(r"\b[A-Z]{4,}\.md\b", text))
            wrong += [f"{os.path.basename(path)}: {n}" for n in named if "://" not in n and not os.path.exists(os.path.join(shipped, n))]
        tap.eq(wrong, [], "and every page that one of those names which the package brings is among them")
    tap.eq(open(os.path.join(REPO, "doc/notices.md")).read(), sh(os.path.join(REPO, "tools/notices"), env={**os.environ, "PAVISE": PAVISE}),
           "doc/notices.md is what pavise explain says (else: tools/notices >doc/notices.md)")
    with open(os.path.join(REPO, "src/model/ids.def")) as f:
        every = set(re.findall(r'^ID\(\w+, "([^"]+)"', f.read(), re.M))
    with open(os.path.join(REPO, "doc/notices.md")) as f:
        told = set(re.findall(r"(?m)^## (\S+)$", f.read()))
    tap.eq((every - told, told - every, len(every) > 100), (set(), set(), True), f"doc/notices.md has each of the {len(every)} ids of ids.def")
    with open(os.path.join(REPO, "doc/cast/miner.cast")) as f:
        head = json.loads(f.readline())
        events_ = [json.loads(l) for l in f]
    told = "".join(e[2] for e in events_)
    tap.ok(head["version"] == 2 and [e[0] for e in events_] == sorted(e[0] for e in events_) and "; refused" in told and "killed" in told,
           "doc/cast/miner.cast can be played, and shows a miner refused and killed")


def test_package(tap):
    old, new = (pvpackage.built()[n] for n in ("deb", "next"))
    out = sh("lintian", "--fail-on", "error", "--tag-display-limit", "0", old, check=False) if shutil.which("lintian") else None
    if out is None:
        tap.skip("lintian", "lintian is not installed")
    else:
        tap.eq([l for l in out.splitlines() if l.startswith("E:")], [], "lintian finds no error")
    overlay()
    tap.eq(added(), [], "the copy of the machine is as the machine is")
    with Dockerd() as d:
        c = d.run("sleep 1000", name="web")
        start = time.monotonic()
        said = dpkg("-i", old)
        tap.ok("nothing was started" in said, "without systemd the installation says that nothing was started", said)
        configure(d)
        s = Service().start()
        refused = wait_for(lambda: c.net(f"-t 300 connect {OUT4} 3333") == ["EPERM"], 10)
        took = time.monotonic() - start
        tap.ok(refused and took < 10, f"from dpkg -i to the first refused connect: {took:.1f} s (10 s)", s.said())
        files = added()
        for f in ("/usr/bin/pavise", "/usr/lib/pavise/pavise-broker", "/usr/lib/systemd/system/pavise.service", "/etc/pavise/pavise.yaml",
                  "/usr/share/man/man8/pavise.8.gz", "/usr/share/bash-completion/completions/pavise", "/usr/share/doc/pavise/copyright",
                  "/etc/systemd/system/multi-user.target.wants/pavise.service"):
            tap.ok(f in files, f"{f} is installed", "\n".join(files))
        listed = set(sh("dpkg", "-L", "pavise").split())
        stray = [f for f in files if f not in listed and not f.startswith(("/var/lib/pavise", "/etc/pavise/conf.d/test.yaml",
                 "/etc/systemd/system/multi-user.target.wants", "/var/lib/systemd/deb-systemd-helper"))]
        tap.eq(stray, [], "nothing is installed that the package does not list")
        for u in ("pavise", "pavise-send"):
            tap.ok(sh("getent", "passwd", u, check=False).endswith("/usr/sbin/nologin\n"), f"user {u}, who cannot log in")
        tap.ok("pavise-admin" in sh("getent", "group", "pavise-admin", check=False), "group pavise-admin")
        if shutil.which("debsums"):
            tap.eq(sh("debsums", "-s", "-a", "pavise", check=False), "", "debsums: every file is as shipped")
        else:
            tap.skip("debsums", "debsums is not installed")
        doctor = json.loads(sh("pavise", "doctor", "--install", "--format", "json", check=False))
        bad = [k for k in doctor["checks"] if k["result"] == "degraded" and k["check"] != "channels"]
        tap.eq(bad, [], "pavise doctor --install finds nothing")
        tap.ok(any(k["check"] == "programs" and k["result"] == "ok" for k in doctor["checks"]), "and has looked at the programs", doctor)
        os.chmod("/usr/lib/pavise/pavise-broker", 0o777)
        tap.ok("pavise-broker" in sh("pavise", "doctor", "--install", check=False), "a program that others may change is named")
        os.chmod("/usr/lib/pavise/pavise-broker", 0o755)
        lib = re.search(r"libdeflate\S* => (\S+)", sh("ldd", "/usr/lib/pavise/pavise-scan")).group(1)
        os.rename(lib, lib + ".away")
        tap.ok(re.search(r"pavise-scan cannot start: libdeflate\S* => not found", sh("pavise", "doctor", check=False)), "a library that is missing is named")
        os.rename(lib + ".away", lib)

        # Upgrade while a container is being refused.
        sh("pavise", "allow", "shop/worker", "cpu")
        wait_for(lambda: [n for n in events() if n["id"] == "net.stratum"], 5)
        before = {(n["time"], n["id"]) for n in events()}
        with open("/etc/pavise/pavise.yaml", "a") as f:
            f.write("# the owner's own line\n")
        launcher = s.proc.pid
        served = subprocess.Popen([helper("pvnet"), "serve", "9090"], stdout=subprocess.DEVNULL, start_new_session=True)
        ask = lambda: world().ask("-t 200 connect 192.0.2.1 9090")  # noqa: E731
        tap.ok(wait_for(lambda: ask() == ["ok"], 5), "a stranger reaches a service of the host", ask())
        sh("pavise", "ban", CLIENT4)
        tap.eq(ask(), ["timeout"], "and does not once he is banned")
        spared = d.run("sleep 1000", name="spared")
        sh("pavise", "allow", "spared", "net")
        fine = lambda: spared.net(f"-t 300 connect {OUT4} 3333")  # noqa: E731
        tap.ok(wait_for(lambda: fine() == ["ok"], 5), "another container is spared", fine())
        with Hammer(lambda: c.net(*[f"-t 300 connect {OUT4} 3333"] * 10)) as h, Hammer(ask) as stranger, Hammer(fine) as friend:
            time.sleep(0.5)
            dpkg("-i", new)
            middle = time.monotonic()
            tap.ok(os.path.exists(f"/proc/{launcher}") and s.proc.poll() is None, "the old guard works on until the new one takes over")
            s.stop()
            stopped = time.monotonic()
            s.start()
            time.sleep(1)
        tap.eq(h.through(middle), [], f"no connect went through during the upgrade ({sum(len(g) for _, g in h.got)} tried)")
        tap.ok(stranger.got and stranger.through(middle) == [], f"nor one of the banned stranger ({len(stranger.got)} tried)", stranger.got)
        tap.eq([g for _, g in friend.got if g != ["ok"]], [], f"nor was one of the spared container's refused ({len(friend.got)} tried)")
        tap.eq(os.listdir("/sys/fs/bpf/pavise"), ["v9999"], "though the kernel's part has another layout, which alone is left")
        tap.ok(CLIENT4 in sh("pavise", "bans"), "the ban is listed by the new one", sh("pavise", "bans"))
        tap.ok(any(stopped < t for t, _ in h.got) and len(h.got) > 5, "some of them while no guard ran or the new one started", len(h.got))
        tap.ok("+next" in sh("dpkg-query", "-W", "pavise"), "the new version is installed")
        after = {(n["time"], n["id"]) for n in events()}
        tap.ok(before and before <= after, "the history is still there", before - after)
        tap.ok("shop/worker" in sh("pavise", "status"), "the exception is still in force", sh("pavise", "status"))
        tap.ok("owner's own line" in open("/etc/pavise/pavise.yaml").read(), "the owner's configuration is kept")

        # Remove: everything lifted, though the guard runs.
        served.kill()
        served.wait()
        dpkg("-r", "pavise")
        tap.ok(wait_for(lambda: not guards(), 3), "removal ends the guard and its roles", guards())
        tap.eq(pins(), [], "nothing is pinned in the kernel")
        tap.ok(c.net(f"-t 300 connect {OUT4} 3333") != ["EPERM"], "nothing is refused any more")
        if shutil.which("nft"):
            tap.ok("pavise" not in sh("nft", "list", "tables"), "no table in the firewall")
        links = json.loads(sh("bpftool", "-j", "cgroup", "tree", world().root).strip().splitlines()[-1] or "[]")
        tap.eq(links, [], "nothing is attached to the cgroups")
        left = [f for f in added() if not f.startswith(("/etc/pavise", "/var/lib/pavise", "/etc/systemd/system", "/var/lib/systemd"))]
        tap.eq(left, [], "only configuration, history and the owner's choice of start are left")
        tap.ok(os.path.exists("/etc/pavise/conf.d/allow.yaml") and os.listdir("/var/lib/pavise"), "and they are")
        tap.ok(not os.path.exists("/run/pavise"), "nothing in /run")

        # Back again: as it was before.
        dpkg("-i", new)
        s = Service().start()
        tap.ok(before <= {(n["time"], n["id"]) for n in events()}, "installed again, the history is there")
        tap.ok("shop/worker" in sh("pavise", "status"), "and the exception")
        tap.eq(c.net(f"-t 300 connect {OUT4} 3333"), ["EPERM"], "and the port is refused again")
        sh("pavise", "logs", "/var/log/dpkg.log", check=False, env={**os.environ, "XDG_CACHE_HOME": ""})
        tap.ok(os.path.exists("/var/cache/pavise"), "root's rules are cached")
        if shutil.which("nft"):
            sh("nft", "add", "table", "inet", "pavise_audit")  # what audit --fix --guarded closed
        dpkg("-P", "pavise")
        tap.eq(added(), [], "purge leaves no file")
        tap.ok(not os.path.exists("/var/cache/pavise"), "nor a cache")
        wait_for(lambda: not guards(), 5)  # the child that compiles rules ends with its parent, a moment later
        tap.eq(guards() + pins() + glob.glob("/run/pavise*"), [], "no process, no pin, nothing in /run")
        tap.ok(c.net(f"-t 300 connect {OUT4} 3333") != ["EPERM"], "nothing is refused")
        if shutil.which("nft"):
            tap.ok("pavise" not in sh("nft", "list", "tables"), "nor a table in the firewall")
        else:
            tap.note("no nft here: there is no firewall table to look for")


def test_tarball(tap):
    world()
    tarball, installer = (pvpackage.built()[n] for n in ("tarball", "installer"))
    sh("rm", "-rf", "/opt/shield")
    wrong = "/run/pv/wrong.tar.gz"
    with open(tarball, "rb") as f:
        data = f.read()
    with open(wrong, "wb") as f:
        f.write(data[:-1] + bytes([data[-1] ^ 1]))
    r = subprocess.run(["sh", installer, wrong], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    tap.ok(r.returncode == 1 and "is not the tarball" in r.stdout, "another tarball is refused", r.stdout)
    r = subprocess.run(["sh", os.path.join(REPO, "dist/install.sh"), tarball], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    tap.ok(r.returncode == 1, "the installer without a digest installs nothing", r.stdout)
    with open(installer) as f:
        script = f.read()
    ran = []
    for at in range(0, len(script) - len('main "$@"\n'), 97):  # half a download
        r = subprocess.run(["sh", "-s", tarball], input=script[:at], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/run/pv")
        if added() or "what is done" in r.stdout:
            ran.append(at)
            break
    tap.eq(ran, [], "half a download of the installer does nothing, wherever it ends")
    said = sh("sh", installer, "--dry-run", "--prefix", "/opt/shield", tarball)
    tap.ok("(rehearsal)" in said and added() == [], "the rehearsal names the steps and takes none", said)
    said = sh("sh", installer, "--prefix", "/opt/shield", tarball)
    floor = {"GLIBC": (2, 35), "LIBSYSTEMD": (249,)}  # Ubuntu 22.04
    above = []
    for f in glob.glob("/opt/shield/lib/pavise*"):
        for name, v in re.findall(r"\((GLIBC|LIBSYSTEMD)_([0-9.]+)\)", sh("objdump", "-T", f)):
            if tuple(map(int, v.split("."))) > floor[name]:
                above.append((os.path.basename(f), name, v))
        above += [(os.path.basename(f), l) for l in re.findall(r"\[(libbpf[^\]]*)\]", sh("readelf", "-d", f))]
    tap.eq(above, [], "no program asks for a newer glibc or libsystemd than Ubuntu 22.04 has, nor for libbpf, which is too old there")
    tap.ok(all(f"/opt/shield/lib/{p}" in said for p in ("pavise", "pavise-broker")), "each step is said", said)
    tap.eq(sh("/usr/local/bin/pavise", "version").split()[-1], sh("tools/version", cwd=REPO).strip(), "pavise version")
    with Dockerd() as d:
        configure(d)
        c = d.run("sleep 1000", name="web")
        s = Service("/etc/systemd/system/pavise.service").start()
        tap.eq(s.argv[0], "/opt/shield/lib/pavise", "the unit starts the one in its folder")
        tap.eq(c.net(f"-t 300 connect {OUT4} 3333"), ["EPERM"], "the guard refuses from any folder")
        sh("sh", "/opt/shield/install.sh", "--prefix", "/opt/shield", tarball)
        tap.ok(os.path.exists("/opt/shield/rules/log"), "what lies there installs over itself")
        os.makedirs("/opt/other")
        open("/opt/other/mine", "w").close()
        r = subprocess.run(["sh", installer, "--prefix", "/opt/other", tarball], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        tap.ok(r.returncode == 1 and "holds something else" in r.stdout and os.listdir("/opt/other") == ["mine"], "a folder that holds something else is left alone", r.stdout)
        shutil.rmtree("/opt/other")
        sh("sh", "/opt/shield/install.sh", "--remove", "--purge", "--prefix", "/opt/shield")
        wait_for(lambda: not guards(), 5)
        tap.eq(guards(), [], "removal ends a guard that nobody stopped")
        tap.ok(c.net(f"-t 300 connect {OUT4} 3333") != ["EPERM"], "removal lifts it")
        tap.eq(pins(), [], "nothing is pinned")
    left = [f for f in added() if not f.startswith(("/usr/local/share", "/usr/local/bin", "/opt"))]
    tap.eq(left, [], "nothing of it is left")
    tap.eq([f for f in added() if "pavise" in f or "shield" in f], [], "also not in /usr/local and /opt")


def test_image(tap):
    """tools/image: the package in a container, without a registry, with the capabilities that it prints and no more."""
    world()
    tar = "/run/pv/image.tar"
    said = sh("tools/image", pvpackage.built()["deb"], tar, cwd=REPO)
    caps = re.findall(r"--cap-add (\w+)", said)
    os.makedirs("/run/pv/image.d/conf.d", exist_ok=True)
    with Dockerd() as d, Podman() as p:  # Debian 12's Docker does not know CAP_BPF; its Podman does
        with open("/run/pv/image.d/pavise.yaml", "w") as f:
            f.write(f"cgroup_root: {world().root}\ndocker: {{ socket: {d.sock} }}\npodman: {{ socket: no }}\n")
        p.podman("import", "-c", 'ENTRYPOINT ["/usr/bin/pavise"]', "-c", 'CMD ["guard"]', tar, "pavise:test")
        c = d.run("sleep 1000", name="web")
        tap.eq(c.net(f"-t 300 connect {OUT4} 3333"), ["ok"], "no guard: the mining port is reached")
        start = time.monotonic()
        mounts = [x for m in ("/sys/fs/cgroup:/sys/fs/cgroup", "/sys/fs/bpf:/sys/fs/bpf", f"{d.dir}:{d.dir}", "/run/pv/image.d:/etc/pavise") for x in ("-v", m)]
        p.podman("run", "-d", "--name", "guard", "--pid", "host", "--network", "host", "--cgroupns", "host", "--cgroup-parent", world().containers,
                 "--security-opt", "seccomp=unconfined", "--cap-drop", "ALL", *[x for k in caps for x in ("--cap-add", k)], *mounts, "pavise:test")
        refused = wait_for(lambda: c.net(f"-t 300 connect {OUT4} 3333") == ["EPERM"], 10)
        tap.ok(refused, f"the image's guard refuses it, {time.monotonic() - start:.1f} s after its start", p.podman("logs", "guard", check=False))
        inside = lambda *a: p.podman("exec", "guard", "/usr/bin/pavise", *a, check=False)  # noqa: E731
        tap.ok(wait_for(lambda: "docker connected" in inside("status"), 10) and "web" in inside("events"), "and knows the container by its name", inside("status"))
        tap.ok("true" in p.podman("inspect", "-f", "{{.State.Running}}", "guard"), "with the capabilities that are printed and no more: " + " ".join(caps))


main(test_unit, test_sandbox, test_docs, test_package, test_tarball, test_image)

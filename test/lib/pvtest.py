"""What the system tests stand on: TAP output, a world of its own for each test (mount and network namespace, cgroups,
an outside with documentation addresses), a private dockerd or podman, and the guard running in that world.

Nothing is left behind: mounts and interfaces end with the namespaces, cgroups and processes with `World.leave()`, and
where a test was killed before that, with `sweep()`, which the next test and tools/test call."""

import atexit
import concurrent.futures
import ctypes
import glob
import http.client
import io
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tarfile
import time
import traceback
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pvcanary  # noqa: E402
import pvunit  # noqa: E402

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAVISE = os.environ.get("PAVISE", os.path.join(REPO, "build", "pavise"))
HELPERS = os.environ.get("PAVISE_TEST_HELPERS", os.path.join(REPO, "build", "helpers"))
IMAGE = "pv:1"
SLOW = float(os.environ.get("PAVISE_SLOW", "1"))  # a slower machine: every time limit is multiplied
DNS4, DNS6 = "203.0.113.53", "2001:db8::53"
OUT4, OUT6 = "203.0.113.7", "2001:db8::7"  # peers outside; every address of their networks answers
CLIENT4, CLIENT6 = "203.0.113.129", "2001:db8:1::7"  # a stranger who asks our servers, in a namespace without servers
OUTSIDE_PORTS = ["80", "443", "853", "3333", "3334", "4444", "4445", "14444", "123"]


# --- TAP -------------------------------------------------------------------------------------------------------------

class Tap:
    """Numbers the results. A test function gets it and calls ok() and eq(); `only` runs what fits a name."""

    def __init__(self):
        self.n = self.bad = self.passed = 0

    def ok(self, cond, name, detail=""):
        self.n += 1
        if cond:
            self.passed += 1
            print(f"ok {self.n} - {name}", flush=True)
        else:
            self.bad += 1
            print(f"not ok {self.n} - {name}", flush=True)
            for line in str(detail).splitlines()[:40]:
                print(f"#   {line}", flush=True)
        return bool(cond)

    def eq(self, got, want, name):
        return self.ok(got == want, name, f"got  {got!r}\nwant {want!r}")

    def skip(self, name, reason):
        self.n += 1
        print(f"ok {self.n} - {name} # SKIP {reason}", flush=True)

    def note(self, text):
        for line in str(text).splitlines():
            print(f"# {line}", flush=True)


def main(*tests, at_once=1):
    """Runs the test functions one after another. An exception fails that function only. `test_x.py NAME...` runs those whose name contains
    one of the NAMEs (`=NAME`: is it). `at_once`: so many of them beside each other, each in a process and a world of its own, the first ones
    first. For functions that wait more than they work; not on a slower machine."""
    only = sys.argv[1:]
    chosen = [fn for fn in tests if not only or any(fn.__name__ == o[1:] if o[0] == "=" else o in fn.__name__ for o in only)]
    tap = Tap()
    try:
        if at_once > 1 and len(chosen) > 1 and SLOW <= 1:
            with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
                for fn, out, code in pool.map(_apart, chosen):
                    _retell(tap, fn, out, code)
        else:
            for fn in chosen:
                _run(tap, fn)
    finally:
        print(f"1..{tap.n}", flush=True)
    sys.exit(1 if tap.bad or not tap.n else 0)


def _run(tap, fn):
    start = time.monotonic()
    try:
        fn(tap)
    except Skip as e:
        tap.skip(fn.__name__, e)
    except FileNotFoundError as e:
        if not e.filename or "/" in str(e.filename) or shutil.which(e.filename):
            tap.ok(False, fn.__name__, f"{type(e).__name__}: {e}\n{traceback.format_exc()}")
        else:
            tap.skip(fn.__name__, f"{e.filename} is not installed")
    except Exception as e:
        tap.ok(False, fn.__name__, f"{type(e).__name__}: {e}\n{traceback.format_exc()}")
    tap.note(f"{fn.__name__}: {time.monotonic() - start:.1f} s")


def _apart(fn):
    """In a process of the same group, so that a time limit ends it, too."""
    r = subprocess.run([sys.executable, sys.argv[0], "=" + fn.__name__], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    return fn.__name__, r.stdout.decode(errors="replace"), r.returncode


def _retell(tap, name, out, code):
    """What it printed, with numbers of our own."""
    bad = tap.bad
    for line in out.splitlines():
        m = re.match(r"(not )?ok \d+ - (.*)", line)
        if m:
            tap.n += 1
            tap.bad += bool(m.group(1))
            line = f"{m.group(1) or ''}ok {tap.n} - {m.group(2)}"
        if not re.match(r"1\.\.\d+$", line):
            print(line, flush=True)
    if code and tap.bad == bad:
        tap.ok(False, name, f"its process ended with {code}")


class Skip(Exception):
    """This machine cannot run the test; the text says why."""


def wait_for(fn, seconds=10, every=0.05):
    """The first true value of fn() within the time, else its last value."""
    end = time.monotonic() + seconds * SLOW
    while True:
        got = fn()
        if got or time.monotonic() > end:
            return got
        time.sleep(every)


def fill(folder):
    """Leaves no room on the disk that holds the folder (a small tmpfs of the test's); the path of the file that takes it."""
    with open(f"{folder}/filler", "wb", buffering=0) as f:
        try:
            while f.write(bytes(4096)):
                pass
        except OSError:
            pass
        return f.name


def sh(*args, check=True, **kw):
    r = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kw)
    if check and r.returncode:
        raise RuntimeError(f"{' '.join(map(str, args))}: {r.returncode}: {r.stdout.strip()}")
    return r.stdout


# --- cgroups ---------------------------------------------------------------------------------------------------------

def cgroup_mounts():
    """Every cgroup hierarchy, v2 first."""
    v1, v2 = [], []
    with open("/proc/self/mounts") as f:
        for line in f:
            _, at, kind = line.split()[:3]
            if kind == "cgroup2":
                v2.append(at)
            elif kind == "cgroup":
                v1.append(at)
    return v2[:1] + v1


def cgroup2():
    return cgroup_mounts()[0]


def _tree(path):
    return [d for d, _, _ in os.walk(path, topdown=False)]


def _procs(path):
    try:
        with open(os.path.join(path, "cgroup.procs")) as f:
            return [int(p) for p in f.read().split()]
    except OSError:
        return []


def cgroup_procs(path):
    return [p for d in _tree(path) for p in _procs(d)]


def end_cgroup(name, spare=()):
    """Ends every process of the cgroups `name` in every hierarchy and removes them."""
    dirs = [os.path.join(m, name) for m in cgroup_mounts() if os.path.isdir(os.path.join(m, name))]
    for d in dirs:
        for sub in _tree(d):
            for state, word in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
                try:
                    with open(os.path.join(sub, state), "w") as f:
                        f.write(word)
                except OSError:
                    pass
    for _ in range(100):
        left = {p for d in dirs for p in cgroup_procs(d)} - set(spare)
        if not left:
            break
        for p in left:
            try:
                os.kill(p, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.05)
    for _ in range(40):
        for d in dirs:
            for sub in _tree(d):
                try:
                    os.rmdir(sub)
                except OSError:
                    pass
        if not any(os.path.isdir(d) for d in dirs):
            return
        time.sleep(0.05)


def sweep():
    """Ends what tests that no longer run have left."""
    names = {os.path.basename(p) for m in cgroup_mounts() for p in glob.glob(os.path.join(m, "pvtest-*"))}
    for name in names:
        pid = name.split("-")[1]
        if pid.isdigit() and not os.path.isdir(f"/proc/{pid}"):
            end_cgroup(name)


# --- the world ---------------------------------------------------------------------------------------------------------

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
USERS = (("pavise", 990), ("pavise-send", 991), ("pavise-panel", 992), ("pavise-admin", 993))
_world = None


class World:
    """The namespaces and cgroups of this test process; entered once, it stays there."""

    def __init__(self):
        if os.geteuid() != 0:
            raise Skip("needs root")
        sweep()
        self.name = f"pvtest-{os.getpid()}"
        self.v2 = cgroup2()
        with open("/proc/self/cgroup") as f:
            self.old = next(l.strip()[3:] for l in f if l.startswith("0::"))
        self.root = os.path.join(self.v2, self.name, "ctr")   # what the guard watches
        self.host = os.path.join(self.v2, self.name, "host")  # test, dockerd, guard
        self.containers = f"/{self.name}/ctr"                 # dockerd's --cgroup-parent
        self.outside = self.stranger = self.manager = None
        self._namespaces()
        os.makedirs(self.root)
        os.makedirs(self.host)
        with open(os.path.join(self.host, "cgroup.procs"), "w") as f:
            f.write(str(os.getpid()))
        self.pid = os.getpid()
        atexit.register(self.leave)
        for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(s, lambda *_: sys.exit(1))
        self._outside()
        self._stranger()

    def _namespaces(self):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNS | CLONE_NEWNET) != 0:
            raise Skip(f"no namespaces: {os.strerror(ctypes.get_errno())}")
        sh("mount", "--make-rprivate", "/")
        if pvunit.wanted():  # as on a machine with systemd: what is mounted later is seen by the units
            sh("mount", "--make-rshared", "/")
        sh("mount", "-t", "tmpfs", "-o", "mode=755", "pvtest", "/run")
        os.makedirs("/run/lock", exist_ok=True)
        os.makedirs("/run/pv")
        os.makedirs("/sys/fs/bpf", exist_ok=True)
        sh("mount", "-t", "bpf", "bpf", "/sys/fs/bpf")
        self._users()
        sh("ip", "link", "set", "lo", "up")

    def _users(self):
        """Where they do not exist. Somebody who adds a user to the machine (a package) replaces the files, which takes ours away."""
        for path, line in (("/etc/passwd", "{0}:x:{1}:{1}::/nonexistent:/usr/sbin/nologin\n"), ("/etc/group", "{0}:x:{1}:\n")):
            with open(path) as f:
                text = f.read()
            for user, n in USERS:
                if not re.search(f"^{user}:", text, re.M):
                    text += line.format(user, n)
            own = "/run/pv/" + os.path.basename(path)
            with open(own, "w") as f:
                f.write(text)
            sh("mount", "--bind", own, path)

    def unit(self, argv, log):
        """Starts a command inside the shipped unit's sandbox; all that it may write is below /run/pv."""
        if pvunit.missing():
            raise Skip(pvunit.missing())
        if self.manager is None:
            self.manager = pvunit.Manager("/run/pv/unit", os.path.join(self.v2, self.name, "unit"))
        return self.manager.start(argv, log, "/run/pv")

    def own_procs(self):
        """Everything of this test but the containers."""
        return _procs(self.host) + (cgroup_procs(self.manager.cgroup) if self.manager else [])

    def _netns(self):
        """A process that holds a network namespace."""
        p = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        wait_for(lambda: os.readlink(f"/proc/{p.pid}/ns/net") != os.readlink("/proc/self/ns/net") and
                 open(f"/proc/{p.pid}/comm").read() == "sleep\n")
        return p

    def _stranger(self):
        """A third one with nothing but a client, so that it can use any source port."""
        self.stranger = self._netns()
        sh("ip", "link", "add", "cl0", "type", "veth", "peer", "name", "in1", "netns", self.stranger.pid)
        sh("ip", "addr", "add", "fd00:94::1/64", "dev", "cl0", "nodad")
        sh("ip", "link", "set", "cl0", "up")
        for c in (f"addr add {CLIENT4}/32 dev in1", f"addr add {CLIENT6}/128 dev in1 nodad", "link set lo up", "link set in1 up",
                  "route add 192.0.2.1 dev in1", "route add default via 192.0.2.1", "addr add fd00:94::2/64 dev in1 nodad",
                  f"-6 route add default via fd00:94::1 src {CLIENT6}"):
            sh("nsenter", "--net", "-t", self.stranger.pid, "ip", *c.split())
        sh("ip", "route", "add", CLIENT4, "dev", "cl0")
        sh("ip", "-6", "route", "add", CLIENT6, "via", "fd00:94::2")

    def ask(self, *cmds):
        """pvnet commands run one after another by the stranger; their lines."""
        return [sh("nsenter", "--net", "-t", self.stranger.pid, helper("pvnet"), *c.split(), check=False).strip() for c in cmds]

    def _outside(self):
        """A second network namespace behind a veth, where every documentation address answers."""
        self.outside = self._netns()
        sh("ip", "link", "add", "out0", "type", "veth", "peer", "name", "in0", "netns", self.outside.pid)
        sh("ip", "addr", "add", "192.0.2.1/24", "dev", "out0")
        sh("ip", "addr", "add", "fd00:98::1/64", "dev", "out0", "nodad")
        sh("ip", "link", "set", "out0", "up")
        for c in ("addr add 192.0.2.2/24 dev in0", "addr add fd00:98::2/64 dev in0 nodad", "link set lo up",
                  "link set in0 up", "route add default via 192.0.2.1", "-6 route add default via fd00:98::1",
                  "route add local 203.0.113.0/24 dev lo", "route add local 198.51.100.0/24 dev lo",
                  "-6 route add local 2001:db8::/32 dev lo"):
            self.out("ip", *c.split())
        for net in ("203.0.113.0/24", "198.51.100.0/24"):
            sh("ip", "route", "add", net, "via", "192.0.2.2")
        sh("ip", "-6", "route", "add", "2001:db8::/32", "via", "fd00:98::2")
        for s in ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"):
            with open("/proc/sys/" + s, "w") as f:
                f.write("1")
        self.dns_log = "/run/pv/dns.log"
        self.spawn_out([helper("pvdns"), "53"], self.dns_log)
        self.spawn_out([helper("pvnet"), "serve", "udp:5353", *OUTSIDE_PORTS], "/run/pv/serve.log")

    def spawn_out(self, argv, log):
        """Starts a server outside and waits until it says `ready`."""
        with open(log, "w") as f:
            p = subprocess.Popen(["nsenter", "--net", "-t", str(self.outside.pid), *argv], stdout=f,
                                 stderr=subprocess.STDOUT)
        if not wait_for(lambda: "ready" in open(log).read() or p.poll() is not None, 5) or p.poll() is not None:
            raise RuntimeError(f"{argv}: {open(log).read()}")
        return p

    def out(self, *args, **kw):
        """Runs a command outside and returns its output."""
        return sh("nsenter", "--net", "-t", self.outside.pid, *args, **kw)

    def dns_names(self):
        """Names that reached the DNS server outside, lower case."""
        with open(self.dns_log) as f:
            return [l.split()[-1].lower() for l in f if l.startswith(("udp ", "tcp "))]

    def leave(self):
        if os.getpid() != self.pid:
            return
        try:
            with open(os.path.join(self.v2 + self.old, "cgroup.procs"), "w") as f:
                f.write(str(os.getpid()))
        except OSError:
            with open(os.path.join(self.v2, "cgroup.procs"), "w") as f:
                f.write(str(os.getpid()))
        end_cgroup(self.name, spare=(os.getpid(),))
        try:
            self.outside.wait(5)
        except (AttributeError, subprocess.TimeoutExpired):
            pass


def world():
    global _world
    if _world is None:
        _world = World()
    return _world


DYNAMIC = {"pvdyn": ["-O1"], "pvlib": ["-shared", "-fPIC"]}  # how the helpers are built that need a loader; the others are static


def helper(name):
    """Builds test/helpers/NAME.c once, statically but for DYNAMIC."""
    src, out = os.path.join(REPO, "test", "helpers", name + ".c"), os.path.join(HELPERS, name)
    if not os.path.exists(out) or os.path.getmtime(out) < os.path.getmtime(src):
        os.makedirs(HELPERS, exist_ok=True)
        tmp = f"{out}.{os.getpid()}"
        sh("gcc", *DYNAMIC.get(name, ["-static", "-O1"]), "-Wall", "-Wextra", "-Werror", "-I", os.path.join(REPO, "src"), "-o", tmp, src)
        os.rename(tmp, out)
    return out


def dynamic_files():
    """For image_tar(): pvdyn, pvlib, and what they need, where they look for it; and the path of the loader."""
    with open(helper("pvdyn"), "rb") as f:
        loader = re.search(rb"/lib[\w/]*/ld-[\w.-]+", f.read())[0].decode()
    libc = os.path.realpath(glob.glob("/lib/*-linux-gnu/libc.so.6")[0])
    return ((helper("pvdyn"), "bin/pvdyn"), (helper("pvlib"), "lib/pvlib.so"), (os.path.realpath(loader), loader[1:]),
            (libc, libc.removeprefix("/usr")[1:])), loader


# --- Docker ----------------------------------------------------------------------------------------------------------

class ApiError(Exception):
    def __init__(self, status, text):
        super().__init__(f"{status} {text}")
        self.status = status


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("engine", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def demux(data):
    """Docker's stream of 8-byte heads and pieces -> text."""
    out, at = b"", 0
    while at + 8 <= len(data):
        n = struct.unpack(">I", data[at + 4:at + 8])[0]
        out += data[at + 8:at + 8 + n]
        at += 8 + n
    return out.decode(errors="replace")


class Engine:
    """The Engine API on a unix socket: Docker's, and Podman's imitation of it."""
    version = "v1.40"

    def __init__(self, sock):
        self.sock = sock

    def api(self, method, path, body=None, timeout=60, headers=None):
        """Returns the decoded answer: JSON, else bytes."""
        c = _UnixConnection(self.sock, timeout * SLOW)
        h = {"Host": "engine", **(headers or {})}
        if isinstance(body, (dict, list)):
            body, h["Content-Type"] = json.dumps(body), "application/json"
        try:
            c.request(method, f"/{self.version}{path}", body, h)
            r = c.getresponse()
            data = r.read()
        finally:
            c.close()
        if r.status >= 400:
            raise ApiError(r.status, data[:300].decode(errors="replace"))
        if "json" in r.headers.get("Content-Type", "") and data[:1] in (b"{", b"["):
            try:
                return json.loads(data)
            except ValueError:
                return data
        return data

    def alive(self):
        try:
            return self.api("GET", "/_ping", timeout=2) is not None
        except (OSError, http.client.HTTPException, ApiError):
            return False

    def import_image(self, tar, name=IMAGE, changes=("CMD [\"/bin/sh\"]", "ENV PATH=/bin")):
        repo, _, tag = name.partition(":")
        q = urllib.parse.urlencode([("fromSrc", "-"), ("repo", repo), ("tag", tag)] + [("changes", c) for c in changes])
        self.api("POST", "/images/create?" + q, tar, headers={"Content-Type": "application/x-tar"})

    def run(self, cmd, name=None, image=IMAGE, start=True, env=None, labels=None, ports=None, network=None,
            restart=None, tty=False, health=None, **host):
        """Makes and starts a container. `host` are keys of HostConfig (Memory, PidsLimit, NanoCpus, Dns ...); `health` is a
        HEALTHCHECK, each second: CMD and words, or CMD-SHELL and a line."""
        if isinstance(cmd, str):
            cmd = cmd.split()
        conf = {"Image": image, "Cmd": cmd, "Env": [f"PVTEST_NOTE={pvcanary.ENV}", *(env or [])], "Labels": labels or {}, "StopTimeout": 1, "Tty": tty,
                "ExposedPorts": {p: {} for p in ports or {}}, "HostConfig": {"Dns": [DNS4], **host}}
        if health:
            conf["Healthcheck"] = {"Test": health, "Interval": 10**9, "Timeout": 10**10, "Retries": 100}
        if host.get("NetworkMode", "").startswith(("host", "none", "container:")):
            del conf["HostConfig"]["Dns"]
        if ports:
            conf["HostConfig"]["PortBindings"] = {p: [{"HostPort": str(h)}] for p, h in ports.items()}
        if network:
            conf["HostConfig"]["NetworkMode"] = network
        if restart:
            name_, _, count = restart.partition(":")
            conf["HostConfig"]["RestartPolicy"] = {"Name": name_, "MaximumRetryCount": int(count or 0)}
        q = "?" + urllib.parse.urlencode({"name": name}) if name else ""
        c = Container(self, self.api("POST", "/containers/create" + q, conf)["Id"])
        if start:
            c.start()
        return c

    def containers(self, all_=True):
        return self.api("GET", f"/containers/json?all={int(all_)}")


class Container:
    def __init__(self, engine, cid):
        self.engine, self.id = engine, cid

    def _post(self, what, **kw):
        return self.engine.api("POST", f"/containers/{self.id}/{what}", **kw)

    def start(self):
        self._post("start")

    def kill(self):
        self._post("kill")

    def restart(self):
        self._post("restart?t=0")

    def inspect(self):
        return self.engine.api("GET", f"/containers/{self.id}/json")

    def state(self):
        return self.inspect()["State"]["Status"]

    def running(self):
        return self.inspect()["State"]["Running"]

    def policy(self):
        return self.inspect()["HostConfig"]["RestartPolicy"]["Name"]

    def pid(self):
        return self.inspect()["State"]["Pid"]

    def address(self, network=None):
        n = self.inspect()["NetworkSettings"]["Networks"]
        return (n[network] if network else next(iter(n.values())))["IPAddress"]

    def wait(self, timeout=30):
        return self._post("wait", timeout=timeout)["StatusCode"]

    def logs(self):
        return demux(self.engine.api("GET", f"/containers/{self.id}/logs?stdout=1&stderr=1"))

    def remove(self):
        try:
            self.engine.api("DELETE", f"/containers/{self.id}?force=1&v=1")
        except ApiError as e:
            if e.status not in (404, 409):
                raise

    def cgroup(self):
        """Its folder in the v2 hierarchy."""
        with open(f"/proc/{self.pid()}/cgroup") as f:
            return cgroup2() + next(l.strip()[3:] for l in f if l.startswith("0::"))

    def exec(self, *argv, timeout=60, detach=False, user=None):
        """Runs a command inside; returns its output, stripped. `detach`: does not wait."""
        if len(argv) == 1:
            argv = argv[0].split()
        conf = {"Cmd": list(argv), "AttachStdout": not detach, "AttachStderr": not detach}
        if user:
            conf["User"] = user
        e = self.engine.api("POST", f"/containers/{self.id}/exec", conf)["Id"]
        return demux(self.engine.api("POST", f"/exec/{e}/start", {"Detach": detach, "Tty": False},
                                     timeout=timeout) or b"").strip()

    def net(self, *cmds, timeout=90):
        """Several pvnet commands at once; their lines."""
        argv = ["pvnet", "each"]
        for i, c in enumerate(cmds):
            argv += ([","] if i else []) + c.split()
        return self.exec(*argv, timeout=timeout).splitlines()


def image_tar(extra=()):
    """busybox with all its names, and the helpers."""
    buf = io.BytesIO()
    t = tarfile.open(fileobj=buf, mode="w")

    def add(name, data=b"", kind=tarfile.REGTYPE, link="", mode=0o755):
        i = tarfile.TarInfo(name)
        i.type, i.linkname, i.mode, i.size = kind, link, mode, len(data)
        t.addfile(i, io.BytesIO(data) if data else None)

    for d in ("bin", "etc", "tmp", "proc", "sys", "dev"):
        add(d, kind=tarfile.DIRTYPE, mode=0o1777 if d == "tmp" else 0o755)
    for path, at in (("/bin/busybox", "bin/busybox"), (helper("pvnet"), "bin/pvnet"), (helper("pvdns"), "bin/pvdns"),
                     *extra):
        with open(path, "rb") as f:
            add(at, f.read())
    for name in sh("/bin/busybox", "--list").split():
        if name not in ("busybox", "pvnet"):
            add(f"bin/{name}", kind=tarfile.SYMTYPE, link="busybox")
    add("etc/passwd", b"root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n", mode=0o644)
    add("etc/group", b"root:x:0:\nnogroup:x:65534:\n", mode=0o644)
    t.close()
    return buf.getvalue()


class Dockerd(Engine):
    """A dockerd of our own, its data in memory, in this test's world. `with Dockerd() as d: d.run(...)`"""

    def __init__(self, *args):
        if not shutil.which("dockerd"):
            raise Skip("dockerd is not installed")
        self.world = world()
        self.dir = "/run/pv/d"
        os.makedirs(self.dir, exist_ok=True)
        super().__init__(f"{self.dir}/docker.sock")
        self.args, self.proc, self.program = args, None, "dockerd"
        with open(f"{self.dir}/daemon.json", "w") as f:
            f.write("{}")

    def up(self):
        """dockerd gives its containerd 15 s to start, which a starved machine does not always make."""
        for left in (2, 1, 0):
            try:
                return self.start()
            except RuntimeError:
                if not left or "timeout waiting for containerd" not in self.log():
                    raise
                self.down()

    def start(self):
        log = open(f"{self.dir}/log", "a")
        self.proc = subprocess.Popen(
            [self.program, "--data-root", f"{self.dir}/data", "--exec-root", f"{self.dir}/run", "--pidfile",
             f"{self.dir}/docker.pid", "-H", f"unix://{self.sock}", "--config-file", f"{self.dir}/daemon.json",
             "--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", self.world.containers,
             "--bip", "10.99.0.1/24", "--ipv6", "--fixed-cidr-v6", "fd00:99::/64", "--dns", DNS4,
             "--default-address-pool", "base=10.97.0.0/16,size=24", "--log-level", "warn", *self.args],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
        log.close()
        if not wait_for(lambda: self.alive() or self.proc.poll() is not None, 60) or self.proc.poll() is not None:
            raise RuntimeError("dockerd does not start:\n" + self.log())
        return self

    def down(self, how=signal.SIGTERM):
        if self.proc and self.proc.poll() is None:
            self.proc.send_signal(how)
            try:
                self.proc.wait(30 * SLOW)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
        try:
            os.unlink(f"{self.dir}/docker.pid")
        except FileNotFoundError:
            pass

    def leave_swarm(self):
        """A starved dockerd answers that it took too long, and has left all the same or goes away in a moment."""
        try:
            self.api("POST", "/swarm/leave?force=1")
        except ApiError:
            pass

    def log(self, lines=30):
        with open(f"{self.dir}/log") as f:
            return "".join(f.readlines()[-lines:])

    def variant(self, name):
        """The same image under another name and digest: what comes back from a killed one's image is killed on sight."""
        self.import_image(self.tar, f"{name}:1", ("ENV PATH=/bin", f"LABEL variant={name}"))
        return f"{name}:1"

    def network(self, name, v6=None, internal=False):
        conf = {"Name": name, "Driver": "bridge", "CheckDuplicate": True, "Internal": internal}
        if v6:
            conf.update(EnableIPv6=True, IPAM={"Config": [{"Subnet": v6}]})
        return self.api("POST", "/networks/create", conf)["Id"]

    def __enter__(self):
        self.up()
        self.tar = image_tar()
        self.import_image(self.tar)
        return self

    def __exit__(self, *exc):
        if exc[0] and exc[0] is not Skip and os.path.exists(f"{self.dir}/log"):
            print("# dockerd: " + self.log(8).replace("\n", "\n# "), flush=True)
        try:
            for c in self.containers():
                Container(self, c["Id"]).remove()
        except (ApiError, OSError, http.client.HTTPException):
            pass
        self.down()
        end_mounts(self.dir)
        shutil.rmtree(self.dir, ignore_errors=True)


def end_mounts(below):
    with open("/proc/self/mounts") as f:
        at = [l.split()[1] for l in f if l.split()[1].startswith(below + "/")]
    for m in sorted(at, reverse=True):
        sh("umount", "-l", m, check=False)


class Podman(Engine):
    """Podman's Docker-compatible service, in the same world."""
    version = "v1.40"

    def __init__(self):
        for p in ("podman", "conmon", "runc"):
            if not shutil.which(p):
                raise Skip(f"{p} is not installed")
        self.world = world()
        self.dir = "/run/pv/p"
        os.makedirs(self.dir, exist_ok=True)
        super().__init__(f"{self.dir}/podman.sock")
        with open(f"{self.dir}/containers.conf", "w") as f:
            f.write('[containers]\nlog_driver = "k8s-file"\ndefault_ulimits = ["nofile=1024:1024","nproc=1024:1024"]\n'
                    '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n')
        with open(f"{self.dir}/policy.json", "w") as f:
            f.write('{"default":[{"type":"insecureAcceptAnything"}]}')
        self.env = {**os.environ, "CONTAINERS_CONF": f"{self.dir}/containers.conf"}
        self.base = ["podman", "--root", f"{self.dir}/data", "--runroot", f"{self.dir}/run", "--storage-driver", "vfs"]
        self.proc = None

    def podman(self, *args, check=True, **kw):
        return sh(*self.base, *args, check=check, env=self.env, **kw)

    def __enter__(self):
        tar = f"{self.dir}/image.tar"
        with open(tar, "wb") as f:
            f.write(image_tar())
        self.podman("import", "-c", "ENV PATH=/bin", tar, IMAGE)
        log = open(f"{self.dir}/log", "w")
        self.proc = subprocess.Popen([*self.base, "system", "service", "--time", "0", f"unix://{self.sock}"],
                                     env=self.env, stdout=log, stderr=log, start_new_session=True)
        if not wait_for(self.alive, 30):
            raise RuntimeError("podman does not start: " + open(f"{self.dir}/log").read())
        return self

    def run(self, cmd, name=None, **kw):
        """By the command, since the service takes no cgroup parent from Docker's API in every version."""
        if isinstance(cmd, str):
            cmd = cmd.split()
        extra = [x for k, v in kw.items() for x in (f"--{k.replace('_', '-')}", str(v))]
        out = self.podman("run", "-d", "--cgroup-parent", self.world.containers, *(["--name", name] if name else []),
                          *(extra if "--network" in extra else ["--network", "none", *extra]), IMAGE, *cmd)
        return Container(self, out.strip().splitlines()[-1])

    def __exit__(self, *exc):
        self.podman("rm", "-af", "-t", "0", check=False)
        if self.proc:
            self.proc.terminate()
            self.proc.wait(10)
        end_mounts(self.dir)
        shutil.rmtree(self.dir, ignore_errors=True)


# --- the guard ---------------------------------------------------------------------------------------------------------

def yaml(conf, indent=""):
    """Nested dicts and lists as YAML, as far as the configuration needs it."""
    out = ""
    for k, v in conf.items():
        if isinstance(v, dict):
            out += f"{indent}{k}:\n" + yaml(v, indent + "  ")
        elif isinstance(v, bool):
            out += f"{indent}{k}: {'yes' if v else 'no'}\n"
        elif isinstance(v, (list, str)):
            out += f"{indent}{k}: {json.dumps(v)}\n"
        else:
            out += f"{indent}{k}: {v}\n"
    return out


def merge(a, b):
    out = dict(a)
    for k, v in b.items():
        out[k] = merge(out[k], v) if isinstance(v, dict) and isinstance(out.get(k), dict) else v
    return out


class Guard:
    """`pavise guard` in this test's world. `conf` is laid over the test's configuration."""

    def __init__(self, engine=None, conf=None, args=(), name="g"):
        if not os.path.exists(PAVISE):
            raise RuntimeError(f"{PAVISE} is not built")
        self.world, self.args, self.proc = world(), list(args), None
        self.dir = f"/run/pv/{name}"
        os.makedirs(self.dir, exist_ok=True)
        os.chmod("/run/pv", 0o755)
        self.run_dir, self.state_dir = f"{self.dir}/run", f"{self.dir}/state"
        self.bpf_dir = f"/sys/fs/bpf/{name}"
        self.config = f"{self.dir}/pavise.yaml"
        self.logfile = f"{self.dir}/log"
        self.conf = merge({
            "mode": "enforce", "state_dir": self.state_dir, "run_dir": self.run_dir, "bpf_dir": self.bpf_dir,
            "cgroup_root": self.world.root,
            "docker": {"socket": engine.sock if isinstance(engine, Dockerd) else f"{self.dir}/none.sock"},
            "podman": {"socket": engine.sock if isinstance(engine, Podman) else f"{self.dir}/none.sock"},
        }, conf or {})
        self.write()

    def write(self, conf=None):
        """Writes the configuration, with `conf` laid over it."""
        if conf:
            self.conf = merge(self.conf, conf)
        self.write_text(yaml(self.conf))

    def write_text(self, text):
        with open(self.config + ".new", "w") as f:
            f.write(text)
        os.chmod(self.config + ".new", 0o644)
        os.rename(self.config + ".new", self.config)

    def _rules(self, save=False):
        """Compiled rules for logs, kept from guard to guard: compiling them anew takes seconds of CPU each time."""
        own, kept = f"{self.state_dir}/rules", os.path.join(os.path.dirname(PAVISE), "rules-cache")
        src, to = (own, kept) if save else (kept, own)
        names = os.listdir(src) if os.path.isdir(src) else []
        if not names or (save and not set(names) - set(os.listdir(to) if os.path.isdir(to) else [])):
            return
        os.makedirs(os.path.dirname(to), exist_ok=True)
        os.makedirs(to, 0o700, exist_ok=True)
        for name in names:
            tmp = f"{to}/.{name}.{os.getpid()}"
            shutil.copyfile(f"{src}/{name}", tmp)
            os.chmod(tmp, 0o600)
            os.rename(tmp, f"{to}/{name}")

    def _folders(self):
        """What tmpfiles.d makes for the installed one: the unit has no CAP_CHOWN."""
        with open("/etc/passwd") as f:
            if "\npavise:" not in f.read():
                self.world._users()
        os.makedirs(f"{self.state_dir}/engine", 0o700, exist_ok=True)
        shutil.chown(f"{self.state_dir}/engine", "pavise", "pavise")

    def start(self, seconds=20):
        seconds *= SLOW
        self._rules()
        argv = [PAVISE, "guard", "--config", self.config, *self.args]
        if pvunit.wanted():
            self._folders()
            self.proc = self.world.unit(argv, self.logfile)
        else:
            with open(self.logfile, "a") as log:
                self.proc = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.proc.poll() is None:
            if self.answers():
                return self
            time.sleep(0.05)
        said, code = self.log(), self.proc.poll()
        self.stop(signal.SIGKILL)
        raise RuntimeError(f"the guard does not start ({code}):\n{said}")

    def answers(self):
        try:
            return bool(self.ask({"verb": "status"}, timeout=2)[-1].get("ok"))
        except (OSError, ValueError, IndexError):
            return False

    def ask(self, what, timeout=10):
        """Sends one request to the control socket; every line of the answer, decoded."""
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(timeout * SLOW)
        try:
            s.connect(f"{self.run_dir}/control.sock")
            s.sendall(json.dumps(what).encode() + b"\n")
            f, lines = s.makefile("rb"), []
            for line in f:
                lines.append(json.loads(line))
                if "ok" in lines[-1]:
                    return lines
            raise OSError("the answer ended early")
        finally:
            s.close()

    def status(self):
        return self.ask({"verb": "status"})[-1]["status"]

    def notices(self, id_=None, subject=None, max_=1000):
        """Stored notices, oldest first."""
        q = {"verb": "events", "max": max_}
        got = self.ask(q)[:-1]
        return [n for n in got if (not id_ or n["id"] == id_) and
                (not subject or n.get("subject", {}).get("name", "") == subject)]

    def wait_notice(self, id_, subject=None, seconds=10, where=lambda n: True):
        """The first notice that fits, or None."""
        def look():
            try:
                return next((n for n in self.notices(id_, subject) if where(n)), None)
            except (OSError, ValueError):
                return None
        return wait_for(look, seconds)

    def cmd(self, *args, check=True, timeout=60, **kw):
        """Runs a subcommand of pavise with this guard's configuration; its output."""
        r = subprocess.run([PAVISE, args[0], "--config", self.config, *args[1:]], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, timeout=timeout * SLOW, **kw)
        if check and r.returncode:
            raise RuntimeError(f"pavise {' '.join(args)}: {r.returncode}: {r.stdout}")
        return r.stdout

    def roles(self):
        """name -> pid of the programs of this guard, found by their names in the test's own cgroup."""
        out = {}
        for pid in self.world.own_procs():
            try:
                exe = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
            except OSError:
                continue
            if exe.startswith("pavise"):
                out[exe] = pid
        return out

    def log(self, lines=40):
        try:
            with open(self.logfile) as f:
                return "".join(f.readlines()[-lines:])
        except FileNotFoundError:
            return ""

    def stop(self, how=signal.SIGTERM, seconds=15):
        """Ends the guard; True when it and its roles went by themselves."""
        if not self.proc:
            return True
        if self.proc.poll() is None:
            self.proc.send_signal(how)
        try:
            self.proc.wait(seconds * SLOW)
            gone = wait_for(lambda: not self.roles(), 5)
        except subprocess.TimeoutExpired:
            gone = False
        for pid in self.roles().values():
            os.kill(pid, signal.SIGKILL)
        self.proc.wait()
        self.proc = None
        self._rules(save=True)
        written = pvcanary.found(self.dir, [pvcanary.ENV])
        if written:
            raise RuntimeError(f"a container's secret was written by pavise: {written}")
        return bool(gone)

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        if exc[0] and exc[0] is not Skip:
            print("# guard: " + self.log(25).replace("\n", "\n# "), flush=True)
        self.stop()
        try:
            self.cmd("off", check=False, timeout=10)  # takes the pinned links away
        except (OSError, subprocess.TimeoutExpired):
            pass
        shutil.rmtree(self.bpf_dir, ignore_errors=True)
        shutil.rmtree(self.dir, ignore_errors=True)

#!/usr/bin/env python3
"""Launcher and broker alone, with a stand-in for the engine: rights, descriptors, restarts, reload, and every request
against real cgroups, connections and a real dockerd."""

import errno
import grp
import os
import pwd
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import pvseccomp  # noqa: E402
from pvtest import *  # noqa: E402,F403

ID = "0123456789abcdef" * 4
HELLO, API, SCALE, KILL, FREEZE, CUT, EXCEPT, NETNAME, INTERNAL, OFF, STATE = range(1, 12)
(VERSION, INFO, LIST, INSPECT, IMAGE_, NETWORKS, EVENTS, SERVICE, LOGS, FOLLOW, CHANGES, RESTART_NO, ALWAYS, UNLESS_STOPPED, ON_FAILURE, API_KILL,
 STOP, PAUSE, UNPAUSE) = range(19)
# DAC_READ_SEARCH, KILL, NET_ADMIN, SYS_PTRACE, SYS_ADMIN, PERFMON, BPF; the launcher SETGID, SETUID, SETPCAP as well
BROKER = sum(1 << n for n in (2, 5, 12, 19, 21, 38, 39))
LAUNCHER = BROKER | sum(1 << n for n in (6, 7, 8))
NONE = (1 << 64) - 1


def request(op, cgroup=0, arg=0, arg2=0, addr=b"", port=0, prefix=0, id_=""):
    return struct.pack("<IIQQQ16sHB5x72s", op, 7, cgroup, arg, arg2, addr, port, prefix, id_.encode())


def v4(text):
    return b"\0" * 10 + b"\xff\xff" + socket.inet_aton(text)


class Roles:
    """The launcher with the real broker and policy child; engine and sender are pvengine."""

    def __init__(self, conf=None, env=None):
        self.world, self.env = world(), {**os.environ, **(env or {})}
        built = os.path.dirname(os.path.realpath(PAVISE))
        if not os.path.exists(os.path.join(built, "pavise-broker")):
            raise RuntimeError(f"{built}/pavise-broker is not built")
        self.dir = "/run/pv/roles"
        self.bin = f"{self.dir}/bin"
        os.makedirs(self.bin, exist_ok=True)
        for p in ("launcher", "broker", "policy", "swarm"):
            shutil.copy(os.path.join(built, "pavise-" + p), self.bin)
        for p in ("engine", "sender"):
            shutil.copy(helper("pvengine"), f"{self.bin}/pavise-{p}")
        self.run, self.state = f"{self.dir}/run", f"{self.dir}/state"
        self.config, self.logfile = f"{self.dir}/pavise.yaml", f"{self.dir}/log"
        self.write(merge({"state_dir": self.state, "run_dir": self.run, "bpf_dir": "/sys/fs/bpf/roles",
                          "cgroup_root": self.world.root, "docker": {"socket": f"{self.dir}/none.sock"},
                          "podman": {"socket": f"{self.dir}/none.sock"}}, conf or {}))
        self.proc = None

    def write(self, conf):
        with open(self.config, "w") as f:
            f.write(conf if isinstance(conf, str) else yaml(conf))
        os.chmod(self.config, 0o644)

    def launch(self):
        with open(self.logfile, "a") as log:
            self.proc = subprocess.Popen([f"{self.bin}/pavise-launcher", "--config", self.config], stdout=log, stderr=log,
                                         env=self.env, start_new_session=True)

    def __enter__(self):
        open(self.logfile, "w").close()
        self.launch()
        if not wait_for(lambda: "hello" in self.log() or self.proc.poll() is not None, 20) or self.proc.poll() is not None:
            log = self.log()
            self.__exit__(None)
            raise RuntimeError("the roles do not start:\n" + log)
        return self

    def __exit__(self, *exc):
        if exc[0]:
            print("# roles: " + self.log()[-3000:].replace("\n", "\n# "), flush=True)
        if self.proc.poll() is None:
            self.proc.terminate()
            self.proc.wait(20)
        subprocess.run([f"{self.bin}/pavise-broker", "unpin", "--bpf-dir", "/sys/fs/bpf/roles"], stdout=subprocess.DEVNULL)
        shutil.rmtree(self.dir, ignore_errors=True)

    def log(self):
        with open(self.logfile) as f:
            return f.read()

    def said(self, text, times=1, seconds=10):
        return wait_for(lambda: self.log().count(text) >= times, seconds)

    def pids(self):
        """name -> pid of the roles that run (no zombies)."""
        out = {}
        for pid in cgroup_procs(self.world.host):
            try:
                with open(f"/proc/{pid}/stat") as f:
                    name, state = f.read().split("(", 1)[1].rsplit(")", 1)
            except OSError:
                continue
            if name.startswith("pavise") and state.split()[0] != "Z":
                out[name] = pid
        return out

    def tell(self, text):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(60 * SLOW)
        with s:
            s.connect(f"{self.run}/control.sock")
            s.sendall(text)
            out = b""
            while True:
                piece = s.recv(1 << 16)
                if not piece:
                    return out
                out += piece

    def ask(self, *a, **kw):
        """(error name or 0, value, what the descriptor held)"""
        out = self.tell(request(*a, **kw))
        if len(out) < 24:
            return ("closed", 0, b"")
        seq, result, value, _ = struct.unpack("<IiQQ", out[:24])
        return (errno.errorcode.get(-result, result) if seq == 7 else "wrong seq", value, out[24:])

    def err(self, *a, **kw):
        return self.ask(*a, **kw)[0]


def status_of(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(l.rstrip("\n").split(":\t", 1) for l in f if ":\t" in l)


def peek(victim, uid):
    """Whether a process of `uid` can read 8 bytes of the victim's stack by process_vm_readv(2)."""
    with open(f"/proc/{victim}/maps") as f:
        at = next(int(l.split("-")[0], 16) for l in f if "[stack]" in l)
    pid = os.fork()
    if pid == 0:
        class Iov(ctypes.Structure):
            _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
        room = ctypes.create_string_buffer(8)
        mine, theirs = Iov(ctypes.addressof(room), 8), Iov(at, 8)
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
        n = ctypes.CDLL(None).process_vm_readv(victim, ctypes.byref(mine), 1, ctypes.byref(theirs), 1, 0)
        os._exit(0 if n == 8 else 1)
    return os.waitpid(pid, 0)[1] == 0


def pss(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return next(int(l.split()[1]) for l in f if l.startswith("Pss:"))


def descriptors(pid):
    return {int(n): os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")}


def test_rights(tap):
    world()
    with open("/run/pv/secret", "w") as f:
        f.write("not for everybody")
    os.chmod("/run/pv/secret", 0o600)
    channels = [{"name": "one", "url": "https://192.0.2.2/hook", "secret_file": "/run/pv/secret"},
                {"name": "two", "url": "https://192.0.2.2/other", "secret_file": "/run/pv/open"}]
    with open("/run/pv/open", "w") as f:
        f.write("x")
    os.chmod("/run/pv/open", 0o666)
    with Roles() as r:
        pids = r.pids()
        tap.eq(sorted(pids), ["pavise-broker", "pavise-engine", "pavise-launcher"], "the sender waits until it is wanted")
        r.write(open(r.config).read() + "notify:\n  channels: " + json.dumps(channels) + "\n")
        r.tell(b"R")
        tap.ok(r.said("op 1 "), "the new policy reaches the engine", r.log())
        r.tell(b"S")
        tap.ok(r.said("sender: secrets 17 0"), "the sender gets the secrets; a file that anybody can write is refused", r.log())
        tap.ok("writable by nobody else" in r.log(), "and that is said", r.log())
        pids = r.pids()
        root, engine, sender = (pwd.getpwnam(u) for u in ("root", "pavise", "pavise-send"))
        want = {"pavise-launcher": (root, LAUNCHER), "pavise-broker": (root, BROKER), "pavise-engine": (engine, 0), "pavise-sender": (sender, 0)}
        for name, (user, caps) in want.items():
            s, uid = status_of(pids[name]), user.pw_uid
            tap.eq((set(s["Uid"].split()), set(s["Gid"].split())), ({str(uid)}, {str(user.pw_gid)}), f"{name}: user and group {user.pw_name}")
            tap.eq(s["Groups"].strip(), "", f"{name}: no further groups")
            tap.eq([int(s[c], 16) for c in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb")], [caps] * 3 + [0, 0],
                   f"{name}: exactly its capabilities")
            tap.eq(s["NoNewPrivs"], "1", f"{name}: no new privileges")
            tap.ok(not peek(pids[name], uid if uid else 65534), f"{name}: its memory is not read by its own user")
        tap.ok(not peek(pids["pavise-engine"], sender.pw_uid) and not peek(pids["pavise-sender"], engine.pw_uid), "engine and sender do not read each other")
        tap.eq(status_of(pids["pavise-broker"])["Seccomp"], "2", "broker: a system call filter")
        got = pvseccomp.answers(pids["pavise-broker"], ("execve", "clone", "ptrace", "setuid", "listen", "mount", "read", "bpf"))
        if got is not None:
            tap.eq([n for n, a in got.items() if a == "allow"], ["read", "bpf"], "broker: it refuses exec, fork, ptrace, setuid, listen")
        tap.eq(sorted(descriptors(pids["pavise-engine"])), list(range(9)), "engine: its descriptors and no other")
        tap.eq(sorted(descriptors(pids["pavise-sender"])), [0, 1, 2, 3, 4, 5, 7], "sender: its descriptors and no other")
        holds = [n for n, p in pids.items() if any("pavise-secrets" in d for d in descriptors(p).values())]
        tap.eq(holds, ["pavise-sender"], "nobody else holds the secrets")
        for path, mode, uid in (("run", 0o755, 0), ("run/control.sock", 0o660, 0), ("state", 0o755, 0), ("state/engine", 0o700, engine.pw_uid),
                                ("state/evidence", 0o700, 0), ("state/undo", 0o700, 0)):
            st = os.stat(f"{r.dir}/{path}")
            tap.eq((st.st_mode & 0o777, st.st_uid), (mode, uid), f"{path}: {oct(mode)}, user {uid}")
        tap.eq(os.stat(f"{r.run}/control.sock").st_gid, grp.getgrnam("pavise-admin").gr_gid, "the control socket is pavise-admin's")
        kb = {n: pss(pids[n]) for n in ("pavise-launcher", "pavise-broker")}
        tap.ok(sum(kb.values()) < 5 * 1024, "launcher and broker take less than 5 MB", kb)
        tap.note(f"PSS kB: {kb}")
        again = subprocess.run([f"{r.bin}/pavise-launcher", "--config", r.config], stderr=subprocess.PIPE, text=True)
        tap.ok(again.returncode == 78 and "another guard" in again.stderr, "a second launcher is refused", again.stderr)


def test_configuration(tap):
    r = Roles()
    launcher = [f"{r.bin}/pavise-launcher", "--config", r.config]
    good = open(r.config).read()

    def refused(text, word, name, mode=0o644):
        r.write(text)
        os.chmod(r.config, mode)
        p = subprocess.run(launcher, stderr=subprocess.PIPE, text=True, timeout=30)
        tap.ok(p.returncode == 78 and word in p.stderr, name, f"{p.returncode}: {p.stderr}")

    refused(good + "cpu: {limit: lots}\n", f"{r.config}:", "a wrong value: its place is named, status 78")
    refused(good, "writ", "a file that others can write", 0o666)
    refused(good.replace("/run/pv/roles/run", "/run/pv/link/run"), "run_dir", "a run_dir whose folder does not exist")
    os.symlink("/run/pv/roles", "/run/pv/link")
    refused(good.replace("/run/pv/roles/run", "/run/pv/link/run"), "symbolic link", "a run_dir behind a link")
    os.unlink("/run/pv/link")
    os.makedirs(r.state)
    os.chown(r.state, 1234, 1234)
    refused(good, "somebody else", "a state_dir that is somebody else's")
    os.rmdir(r.state)
    r.write(good)

    os.truncate(f"{r.bin}/pavise-policy", 4096)
    p = subprocess.run(launcher, stderr=subprocess.PIPE, text=True, timeout=30)
    tap.ok(p.returncode == 1 and "ended by a signal" in p.stderr, "the policy child is ended by a signal: status 1, so that it is started again",
           f"{p.returncode}: {p.stderr}")
    shutil.copy(os.path.join(os.path.dirname(os.path.realpath(PAVISE)), "pavise-policy"), r.bin)
    with r:
        r.write(good + "bogus: 1\n")
        os.kill(r.proc.pid, signal.SIGHUP)
        tap.ok(r.said("op 3 ") and "bogus" in r.log().split("op 3 ")[1], "a reload that fails: the engine gets the lines", r.log())
        tap.eq(r.err(STATE), 0, "and the old policy holds")
        r.write(good)
        time.sleep(1)
        r.tell(b"R")
        tap.ok(r.said("op 1 "), "the next one is taken", r.log())
        # The broker has requests to read before and after the launcher's word: the later one is judged by the new policy.
        cgroup = os.path.join(r.world.root, "9" * 64)
        os.mkdir(cgroup)
        broker = r.pids()["pavise-broker"]
        os.kill(broker, signal.SIGSTOP)
        r.tell(b"+" + request(STATE))
        r.write(good + "exceptions: [{name: web, signal: net, action: ignore}]\n")
        time.sleep(1)
        r.tell(b"R")
        r.said("op 1 ", 2)
        r.tell(b"+" + request(EXCEPT, os.stat(cgroup).st_ino, arg=1))
        os.kill(broker, signal.SIGCONT)
        tap.ok(r.said("late answer 7 ", 2) and r.log().count("late answer 7 result 0") == 2, "an exception of a reload is not judged by the policy before it", r.log()[-400:])
        os.rmdir(cgroup)


def test_deaths(tap):
    world()
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind("/run/pv/notify")
    got = set()

    def hear():  # from the start on: few datagrams wait in a socket
        while True:
            got.add(s.recv(100))
    threading.Thread(target=hear, daemon=True).start()
    with Roles(env={"NOTIFY_SOCKET": "/run/pv/notify", "WATCHDOG_USEC": "600000"}) as r:
        both = {b"READY=1", b"WATCHDOG=1"}
        wait_for(lambda: got >= both, 20)
        tap.eq(got, both, "the service manager is told, and patted")
        first = r.pids()
        os.kill(first["pavise-engine"], signal.SIGKILL)
        tap.ok(r.said("hello", 2, 3), "a dead engine starts again at once", r.log())
        now = r.pids()
        tap.eq(now.get("pavise-broker"), first["pavise-broker"], "with the broker that was there")
        tap.eq(r.err(STATE), 0, "over a fresh socket")
        tap.eq(r.tell(b"x" * 50), b"", "a malformed request ends the connection")
        tap.ok(r.said("hello", 3, 5) and r.pids().get("pavise-broker") == first["pavise-broker"], "and not the broker", r.log())
        time.sleep(0.1)
        os.kill(r.pids()["pavise-engine"], signal.SIGKILL)
        tap.ok(r.said("op 4 role 2", seconds=8), "three deaths in a minute: the next engine is told", r.log())
        tap.ok("three times within a minute" in r.log(), "and so is the log")
        old = r.pids()
        r.tell(b"S")
        tap.ok(r.said("sender: secrets"), "the sender runs")
        os.kill(old["pavise-broker"], signal.SIGKILL)
        tap.ok(r.said("hello", 5, 5) and r.said("sender: secrets", 2), "a dead broker: all three start afresh", r.log())
        tap.ok(not set(r.pids().values()) & (set(old.values()) - {r.proc.pid}), "none of them is an old one")
        tap.eq(r.err(STATE), 0, "and they work")
        r.tell(b">one")
        tap.ok(r.said("sender: got one"), "engine and sender have each other")
        r.tell(b">bye")
        tap.ok(wait_for(lambda: "pavise-sender" not in r.pids()), "a sender that has nothing to do ends")
        time.sleep(0.3)
        tap.ok("pavise-sender" not in r.pids(), "and stays away")
        r.tell(b">two")
        r.tell(b"S")
        tap.ok(r.said("sender: got two"), "what was queued meanwhile is there for the next one", r.log())
        os.kill(r.proc.pid, signal.SIGKILL)
        r.proc.wait()
        tap.ok(wait_for(lambda: not r.pids(), 5), "when the launcher dies, all end by themselves", r.pids())
        r.launch()
        tap.ok(r.said("hello", 6), "and it starts again over what it left")
        r.proc.terminate()
        tap.eq(r.proc.wait(20), 0, "SIGTERM: status 0")
        tap.eq(r.pids(), {}, "nobody is left")
        tap.ok("`pavise off` lifts them" in r.log(), "it says that blocks stay in force")
    s.close()
    os.unlink("/run/pv/notify")


class Cgroups:
    """Containers' cgroups without containers, below the watched root."""

    def __init__(self):
        self.root, self.made, self.procs = world().root, [], []

    def make(self, path):
        d = os.path.join(self.root, path)
        os.mkdir(d)
        self.made.append(d)
        return d, os.stat(d).st_ino

    def start(self, d, *argv, **kw):
        def move():
            with open(d + "/cgroup.procs", "w") as f:
                f.write(str(os.getpid()))
        p = subprocess.Popen(argv, preexec_fn=move, **kw)
        self.procs.append(p)
        return p

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for p in self.procs:
            p.kill()
            p.wait()
        for d in reversed(self.made):
            for _ in range(40):
                try:
                    os.rmdir(d)
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.05)


def container(n):
    return f"docker-{n:02x}{ID[2:]}.scope"


def test_cgroups(tap):
    with Roles() as r, Cgroups() as c:
        d, cg = c.make(container(1))
        nested, _ = c.make(container(1) + "/nested")
        unit, unit_id = c.make("web.service")
        procs = [c.start(d, "sleep", "1000"), c.start(nested, "sleep", "1000")]
        other = c.start(unit, "sleep", "1000")
        wait_for(lambda: len(cgroup_procs(d)) == 2)
        tap.eq(r.err(FREEZE, cg, 1), 0, "freeze")
        tap.ok(wait_for(lambda: "frozen 1" in open(d + "/cgroup.events").read()), "its processes stand still")
        tap.eq(r.err(FREEZE, cg, 0), 0, "thaw")
        tap.eq(r.err(KILL, unit_id), "EPERM", "a unit is not killed")
        tap.eq(r.err(KILL, os.stat(world().root).st_ino), "EPERM", "nor the watched root")
        tap.eq(r.err(KILL, os.stat(world().host).st_ino), "EPERM", "nor what is not below it")
        tap.eq(r.err(KILL, 1 << 40), "ESRCH", "what does not exist is gone")
        tap.eq(r.err(KILL, cg, id_="f" * 64), "EPERM", "an id that is not the cgroup's")
        tap.eq(r.err(KILL, cg, id_="01" + ID[2:]), 0, "kill")
        tap.ok(wait_for(lambda: all(p.poll() == -9 for p in procs), 3), "everything in it and below is dead")
        tap.eq(other.poll(), None, "its neighbour lives")
        # a rootless user's: its files are the user's, and the broker may not override file modes
        d, cg = c.make(container(2))
        for f in os.listdir(d):
            os.chown(f"{d}/{f}", 12345, 12345)
        procs = [c.start(d, "sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; wait")]
        wait_for(lambda: len(cgroup_procs(d)) == 9)
        tap.eq(r.err(KILL, cg), 0, "kill where cgroup.kill is not ours to write")
        tap.ok(wait_for(lambda: not cgroup_procs(d), 3), "one by one: nobody is left")
        d, cg = c.make(container(3))
        os.rmdir(d)
        tap.eq(r.err(KILL, cg), "ESRCH", "a cgroup that ended")
        # limits: two were killed above (a refused one does not count)
        got = [r.err(KILL, c.make(container(i))[1]) for i in range(4, 9)]
        tap.eq(got, [0, 0, 0, "EDQUOT", "EDQUOT"], "five different ones a minute")
        tap.eq(r.err(FREEZE, os.stat(f"{world().root}/{container(8)}").st_ino, 0), 0, "thawing is not counted")
        tap.ok("over the limit" in r.log(), "the refusal is told")
        # the launcher's own container
        own, own_id = c.make(container(9))
        pids = r.pids()
        with open(own + "/cgroup.procs", "w") as f:
            f.write(str(pids["pavise-broker"]))
        os.kill(pids["pavise-broker"], signal.SIGKILL)  # the new one reads its place at start; it must be inside
        with open(own + "/cgroup.procs", "w") as f:
            f.write(str(r.proc.pid))
        wait_for(lambda: len(cgroup_procs(own)) == 3)
        r.said("hello", 2)
        tap.eq(r.err(FREEZE, own_id, 1), "EPERM", "not the cgroup that it lives in")
        for p in cgroup_procs(own):
            with open(world().host + "/cgroup.procs", "w") as f:
                f.write(str(p))


HOLD = """import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
print("open", flush=True)
try:
    print("end", s.recv(1), flush=True)
except OSError as e:
    print(e.errno, flush=True)
"""


def test_cut(tap):
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    server6 = socket.create_server(("::1", port), family=socket.AF_INET6)
    with Roles() as r, Cgroups() as c:
        d, cg = c.make(container(1))
        nested, _ = c.make(container(1) + "/nested")
        unit, _ = c.make("web.service")

        def hold(where, host, *before):
            p = c.start(where, *before, "python3", "-c", HOLD, host, str(port), stdout=subprocess.PIPE, text=True)
            assert p.stdout.readline() == "open\n"
            return p

        mine, below, six, other = hold(d, "127.0.0.1"), hold(nested, "127.0.0.1"), hold(d, "::1"), hold(unit, "127.0.0.1")
        tap.eq(r.ask(CUT, cg, addr=v4("127.0.0.1"), port=port + 1)[:2], (0, 0), "another port: nothing")
        tap.eq(r.ask(CUT, cg, addr=v4("127.0.0.2"), port=port)[:2], (0, 0), "another address: nothing")
        tap.eq(r.ask(CUT, cg, addr=v4("127.0.0.1"), port=port)[:2], (0, 2), "the container's two connections")
        tap.eq([p.stdout.readline() for p in (mine, below)], [f"{errno.ECONNABORTED}\n"] * 2, "they are aborted")
        tap.eq((six.poll(), other.poll()), (None, None), "IPv6 and the neighbour go on")
        tap.eq(r.ask(CUT, cg, addr=socket.inet_pton(socket.AF_INET6, "::1"), port=port)[:2], (0, 1), "IPv6")
        tap.eq(six.stdout.readline(), f"{errno.ECONNABORTED}\n", "aborted")
        inner = f"ip link set lo up; exec python3 -c '{HOLD.replace('import socket, sys', 'import socket, sys; l = socket.create_server((sys.argv[1], int(sys.argv[2])))')}' 127.0.0.1 {port}"
        p = c.start(d, "unshare", "-n", "sh", "-c", inner, stdout=subprocess.PIPE, text=True)
        tap.eq(p.stdout.readline(), "open\n", "a connection in a network namespace of its own")
        for one in (mine, below, six):
            one.wait()
        tap.eq(r.ask(CUT, cg, addr=v4("127.0.0.1"), port=port)[:2], (0, 1), "is found there")
        tap.eq(p.stdout.readline(), f"{errno.ECONNABORTED}\n", "aborted")
        p.wait()
        tap.eq(r.err(CUT, cg, port=port), "ESRCH", "no process left: nothing to look for")
        tap.eq(other.poll(), None, "the neighbour still goes on")
        home = os.readlink("/proc/self/ns/net")
        tap.eq(os.readlink(f"/proc/{r.pids()['pavise-broker']}/ns/net"), home, "the broker is back in its own namespace")
    server.close()
    server6.close()


def test_engine_api(tap):
    with Dockerd() as d, Roles({"docker": {"socket": d.sock}}) as r:
        c = d.run("sleep 1000", name="web")
        cg = os.stat(c.cgroup()).st_ino

        def http(*a, **kw):
            e, _, body = r.ask(*a, **kw)
            return body.split(b"\r\n")[0].decode() if e == 0 else e

        tap.eq(http(API, arg=VERSION), "HTTP/1.1 200 OK", "version")
        body = r.ask(API, arg=LIST)[2]
        tap.ok(body.startswith(b"HTTP/1.1 200 OK") and c.id.encode() in body, "list", body[:300])
        tap.ok(b'"Config"' in r.ask(API, arg=INSPECT, id_=c.id)[2], "inspect")
        tap.eq(http(API, arg=NETWORKS), "HTTP/1.1 200 OK", "networks")
        tap.eq(http(API, arg=INSPECT, id_=ID), "HTTP/1.1 404 Not Found", "inspect of nobody")
        for what, number, policy in ((ALWAYS, 0, ("always", 0)), (UNLESS_STOPPED, 0, ("unless-stopped", 0)),
                                     (ON_FAILURE, 3, ("on-failure", 3)), (RESTART_NO, 0, ("no", 0))):
            got = http(API, cg, what, number << 32, id_=c.id)
            p = c.inspect()["HostConfig"]["RestartPolicy"]
            tap.eq((got, (p["Name"], p["MaximumRetryCount"])), ("HTTP/1.1 200 OK", policy), f"restart policy {policy[0]}")
        tap.eq(http(API, cg, PAUSE, id_=c.id), "HTTP/1.1 204 No Content", "pause")
        tap.eq(c.state(), "paused", "it is paused")
        tap.eq(http(API, cg, UNPAUSE, id_=c.id), "HTTP/1.1 204 No Content", "unpause")
        tap.eq(http(API, 0, API_KILL, id_=c.id), "EINVAL", "no kill without its cgroup")
        tap.eq(http(API, cg, API_KILL, id_=c.id), "HTTP/1.1 204 No Content", "kill")
        tap.ok(wait_for(lambda: not c.running()), "it is dead")
        tap.eq(http(API, cg, API_KILL, id_=c.id), "ESRCH", "it cannot be killed twice")
        tap.eq(http(API, 0, ALWAYS, id_=c.id), "HTTP/1.1 200 OK", "its restart policy can be given back")
        d.down()
        tap.eq(r.ask(API, arg=LIST)[0] in ("ENOENT", "ECONNREFUSED"), True, "dockerd is gone: said at once")
        tap.ok(r.ask(STATE)[1] & 0x80, "and shown as degraded")
        d.up()
        tap.ok(r.said("pvengine: news", seconds=6) and not r.ask(STATE)[1] & 0x80, "it is back: told without being asked", r.log())


def test_swarm(tap):
    with Dockerd() as d, Roles({"docker": {"socket": d.sock}}) as r:
        d.api("POST", "/swarm/init", {"ListenAddr": "192.0.2.1:2377", "AdvertiseAddr": "192.0.2.1"})

        def service(name, mode):
            return d.api("POST", "/services/create", {
                "Name": name, "Mode": mode,
                "TaskTemplate": {"ContainerSpec": {"Image": IMAGE, "Command": ["sleep", "1000"], "Env": ["A=\"é\\n"]},
                                 "Resources": {"Limits": {"MemoryBytes": 33554432, "NanoCPUs": 300000000}}}})["ID"]

        def spec(sid):
            return d.api("GET", f"/services/{sid}")["Spec"]

        many, every = service("many", {"Replicated": {"Replicas": 2}}), service("every", {"Global": {}})
        before = spec(many)
        tap.eq(r.ask(SCALE, arg=0, id_=many)[:2], (0, 2), "scale to nothing; it had 2")
        tap.eq(spec(many)["Mode"]["Replicated"].get("Replicas", 0), 0, "it has none")
        tap.eq(r.ask(SCALE, arg=0, id_=every)[:2], (0, NONE), "a global service is constrained away")
        tap.eq(spec(every)["TaskTemplate"]["Placement"]["Constraints"], ["node.labels.pavise.stopped==true"], "by a line of ours")
        tap.eq(r.ask(SCALE, arg=2, id_=many)[:2], (0, 0), "and back")
        tap.eq(spec(many), before, "its specification is what it was, to the letter")
        tap.eq(r.err(SCALE, arg=1, id_=many), "EALREADY", "one that runs is not scaled: only what was stopped is given back")
        tap.eq(spec(many), before, "it is as it was")
        tap.eq(r.ask(SCALE, arg=NONE, id_=every)[:2], (0, NONE), "the global one as well")
        tap.eq(spec(every)["TaskTemplate"]["Placement"].get("Constraints", []), [], "the line is gone")
        tap.eq(r.err(SCALE, arg=0, id_="a" * 25), "ENOENT", "no such service")
        tap.ok(wait_for(lambda: "pavise-swarm" not in r.pids(), 5), "nobody is left of them")
        d.leave_swarm()


def test_by_hand(tap):
    """Root's own commands, with no guard running."""
    with Roles() as r:
        r.proc.terminate()
        r.proc.wait(20)

        def broker(*args, **kw):
            p = subprocess.run([f"{r.bin}/pavise-broker", *args, "--bpf-dir", "/sys/fs/bpf/roles"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, **kw)
            return p.returncode, p.stdout.strip()

        until = str(time.monotonic_ns() + 3600 * 10 ** 9)
        tap.eq(broker("state"), (0, "on"), "what is pinned is in force")
        tap.eq((broker("off", until), broker("state")), ((0, "off"), (0, f"off {until}")), "off for an hour")
        tap.eq((broker("on"), broker("state")), ((0, "on"), (0, "on")), "on again")
        tap.eq((broker("off", "1"), broker("state")), ((0, "off"), (0, "on")), "a time that is over is none")
        tap.eq(broker("state", user=pwd.getpwnam("pavise").pw_uid)[0], 1, "only root may ask")
        tap.eq([broker(*a)[0] for a in (("off",), ("off", "soon"), ("on", "x"), ("what",))], [2] * 4, "what it does not know")
        tap.eq((broker("off", "forever"), broker("state")), ((0, "off"), (0, "off forever")), "off without an end")
        tap.eq((broker("on"), broker("state")), ((0, "on"), (0, "on")), "and on again, with no guard running")

        def undo(asked):
            """What one request to `undo` is answered, and its exit status."""
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            if asked:
                ours.send(asked)
            ours.shutdown(socket.SHUT_WR)
            p = subprocess.run(["sh", "-c", f'exec 3<&{theirs.fileno()}; exec "$@"', "sh", f"{r.bin}/pavise-broker", "undo", r.world.root,
                                f"{r.dir}/none.sock", f"{r.dir}/none.sock"], pass_fds=[theirs.fileno()], stderr=subprocess.DEVNULL, timeout=30)
            theirs.close()
            with ours:
                got = ours.recv(64)
            return p.returncode, -struct.unpack("<i", got[4:8])[0] if got else None

        own = os.stat(r.world.root).st_ino
        for what, asked, want in (("nothing is asked", b"", (0, None)), ("half of a request", request(FREEZE)[:64], (1, None)),
                                  ("a kill", request(KILL, own), (0, errno.EPERM)), ("a freeze", request(FREEZE, own, 1), (0, errno.EPERM)),
                                  ("a policy taken away", request(API, arg=RESTART_NO, id_=ID), (0, errno.EPERM)),
                                  ("a list", request(API, arg=LIST), (0, errno.EPERM)), ("off", request(OFF, arg=1), (0, errno.EPERM)),
                                  ("a policy given to a path", request(API, arg=ALWAYS, id_="../images"), (0, errno.EINVAL)),
                                  ("a policy, and no engine", request(API, arg=ALWAYS, id_=ID), (0, errno.ENOENT)),
                                  ("one that is no container is thawed", request(FREEZE, own), (0, errno.EPERM)),
                                  ("one that is gone is thawed", request(FREEZE, 1 << 50), (0, errno.ESRCH))):
            tap.eq(undo(asked), want, f"undo: {what}")
        tap.ok(broker("unpin")[1].startswith("unpinned "), "the pins are removed")
        tap.eq((broker("state"), broker("on")), ((3, "none"), (3, "none")), "nothing is left to ask")
        r.launch()
        tap.ok(r.said("hello", 2), "the guard starts after that")


if __name__ == "__main__":
    main(test_rights, test_configuration, test_deaths, test_by_hand, test_cgroups, test_cut, test_engine_api, test_swarm)

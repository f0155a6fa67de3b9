#!/usr/bin/env python3
"""Who may do what: users, capabilities, filters of every role; memory; nothing left behind."""

import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import pvseccomp  # noqa: E402
from pvtest import *  # noqa: E402,F403

# DAC_READ_SEARCH, KILL, NET_ADMIN, SYS_PTRACE, SYS_ADMIN, PERFMON, BPF (linux/capability.h)
BROKER = sum(1 << n for n in (2, 5, 12, 19, 21, 38, 39))

# What the filter in force must refuse, asked of the filter itself.
REFUSED = {
    "pavise-engine": ("bpf", "socket", "connect", "bind", "listen", "execve", "execveat", "ptrace", "process_vm_readv", "setns", "mount"),
    "pavise-broker": ("listen", "clone", "execve", "execveat", "ptrace", "setuid", "process_vm_readv", "mount", "init_module"),
    "pavise-collector": ("bpf", "socket", "connect", "bind", "listen", "execve", "execveat", "ptrace", "process_vm_readv", "setns", "mount"),
}
COLLECTOR = sum(1 << n for n in (2, 5, 19))  # DAC_READ_SEARCH, KILL, SYS_PTRACE


def proc_status(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(l.rstrip("\n").split(":\t", 1) for l in f if ":\t" in l)


def peek(victim, uid):
    """Whether a process of `uid` without capabilities can read the victim's memory."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            with open(f"/proc/{victim}/mem", "rb"):
                os._exit(1)
        except OSError:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1


def pss(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return next(int(l.split()[1]) for l in f if l.startswith("Pss:"))


def test_roles(tap):
    with Dockerd() as d:
        with Guard(d) as g:
            time.sleep(3)
            tap.ok(wait_for(lambda: g.status()["logs"]["rules"] and "pavise-rules" not in g.roles(), 60), "the rules for logs are loaded")
            roles = g.roles()
            tap.ok({"pavise-broker", "pavise-engine"} <= set(roles), "broker and engine run", roles)
            for name, pid in roles.items():
                s = proc_status(pid)
                eff, bnd = int(s["CapEff"], 16), int(s["CapBnd"], 16)
                uid = int(s["Uid"].split()[0])
                tap.eq(s["NoNewPrivs"], "1", f"{name}: no new privileges")
                if name == "pavise-engine":
                    tap.ok(uid not in (0, 65534), f"{name}: a user of its own", uid)
                    tap.eq((eff, bnd), (0, 0), f"{name}: no capabilities, and none to be had")
                elif name == "pavise-broker":
                    tap.eq(uid, 0, f"{name}: root")
                    tap.eq(eff & ~BROKER, 0, f"{name}: no capability that it has no use for")
                if name in ("pavise-broker", "pavise-engine"):
                    tap.eq(s["Seccomp"], "2", f"{name}: a system call filter")
                    got = pvseccomp.answers(pid, REFUSED[name])
                    if got is None:
                        tap.skip(f"{name}: its filter", "unknown machine")
                    else:
                        tap.ok("allow" not in got.values(), f"{name}: its filter refuses {', '.join(got)}", got)
                tap.ok(not peek(pid, uid or 65534), f"{name}: its memory cannot be read by its own kind")
            total = sum(pss(p) for p in set(roles.values()) | {g.proc.pid})
            tap.ok(total <= 12 * 1024, "at most 12 MB over all roles after 3 s", f"{total} kB")
            tap.note(f"PSS {total} kB: " + ", ".join(f"{n} {pss(p)}" for n, p in roles.items()))
            sock = os.stat(f"{g.run_dir}/control.sock")
            tap.eq(sock.st_mode & 0o777, 0o660, "the control socket is for root and its group")
            tap.eq(os.stat(g.state_dir).st_uid, 0, "the state folder is root's")
            tap.ok(g.stop(), "SIGTERM ends all of them")
            tap.eq(g.roles(), {}, "nobody is left")
            sh(os.path.join(os.path.dirname(PAVISE), "pavise-broker"), "unpin", "--bpf-dir", g.bpf_dir)
            left = lambda: [l for l in json.loads(sh("bpftool", "-j", "link", "show").strip() or "[]")
                    if l.get("cgroup_id") == os.stat(world().root).st_ino]
            tap.ok(wait_for(lambda: not left(), 5), "without its pins nothing stays attached", left())


def caught(g, fn):
    """What /proc says of a collector that `fn` leads to, last seen: its rights and its network namespace."""
    over, seen = threading.Event(), {}

    def watch():
        while not over.is_set():
            pid = g.roles().get("pavise-collector")
            try:
                while pid:
                    s, net = proc_status(pid), os.readlink(f"/proc/{pid}/ns/net")
                    if s["Seccomp"] == "2":
                        seen.update(s, net=net)
                    time.sleep(0.002)
            except (OSError, ValueError, KeyError):
                pass
            time.sleep(0.002)
    t = threading.Thread(target=watch)
    t.start()
    try:
        fn()
        wait_for(lambda: seen, 5)
    finally:
        over.set()
        t.join()
    return seen


def test_collector(tap):
    """It runs for a moment only: caught while it looks at a container; and one that waits for its order is asked for its filter."""
    with Dockerd() as d:
        with Guard(d, {"exec": {"grace": "0s"}}) as g:
            c = d.run("sleep 1000", name="box")
            for i in range(5):
                s = caught(g, lambda: c.exec("sh", "-c", f"cp /bin/busybox /tmp/m{i}; /tmp/m{i} true; true"))
                if s:
                    break
            tap.ok(s, "a collector was seen", g.log(6))
            tap.eq((s["Uid"].split(), s["Gid"].split(), s["Groups"].split()), (["0"] * 4, ["0"] * 4, []), "root, of no further group")
            tap.eq([int(s[k], 16) for k in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb")], [COLLECTOR] * 3 + [0, 0],
                   "SYS_PTRACE, DAC_READ_SEARCH and KILL, and no more to be had")
            tap.eq((s["NoNewPrivs"], s["Seccomp"]), ("1", "2"), "no new privileges, a system call filter")
            tap.ok(s["net"] != os.readlink("/proc/self/ns/net"), "and a network of its own, which is none")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    order, folder = os.pipe(), os.open("/run", os.O_RDONLY)
    argv = [os.path.join(os.path.dirname(PAVISE), "pavise-collector")]
    fds = [os.dup2(fd, 60 + i) for i, fd in enumerate((theirs.fileno(), folder, order[0]))]
    p = subprocess.Popen(argv, close_fds=False, preexec_fn=lambda: [os.dup2(fd, 3 + i) for i, fd in enumerate(fds)])
    try:
        wait_for(lambda: proc_status(p.pid)["Seccomp"] == "2")
        got = pvseccomp.answers(p.pid, REFUSED["pavise-collector"])
        if got is None:
            tap.skip("its filter", "unknown machine")
        else:
            tap.ok("allow" not in got.values(), f"its filter refuses {', '.join(got)}", got)
    finally:
        p.kill()
        p.wait()
        ours.close()
        theirs.close()
        for fd in (*order, folder, *fds):
            os.close(fd)


main(test_roles, test_collector)

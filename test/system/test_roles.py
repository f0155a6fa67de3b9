#!/usr/bin/env python3
"""Who may do what: users, capabilities, filters of every role; memory; nothing left behind."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import pvseccomp  # noqa: E402
from pvtest import *  # noqa: E402,F403

# DAC_READ_SEARCH, KILL, NET_ADMIN, SYS_PTRACE, SYS_ADMIN, PERFMON, BPF (linux/capability.h)
BROKER = sum(1 << n for n in (2, 5, 12, 19, 21, 38, 39))

# What the filter in force must refuse, asked of the filter itself.
REFUSED = {
    "pavise-engine": ("bpf", "socket", "connect", "bind", "listen", "execve", "execveat", "ptrace", "process_vm_readv", "setns", "mount"),
    "pavise-broker": ("listen", "clone", "execve", "execveat", "ptrace", "setuid", "process_vm_readv", "mount", "init_module"),
    "pavise-sender": ("bpf", "listen", "execve", "execveat", "ptrace", "process_vm_readv", "setns", "mount"),
}


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
                elif name == "pavise-sender":
                    tap.ok(uid not in (0, 65534), f"{name}: a user of its own", uid)
                    tap.eq(eff, 0, f"{name}: no capabilities")
                if name in ("pavise-broker", "pavise-engine", "pavise-sender"):
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


main(test_roles)

"""The guard inside the shipped unit's sandbox. A user's manager of systemd, run by root in the test's own namespaces, starts dist/pavise.service
with nothing replaced but paths: capabilities, system call filter, read-only tree, private /tmp and /dev, address families and all the rest are put
in force by systemd itself, whatever is PID 1. PAVISE_UNDER_UNIT=1 makes pvtest.Guard use it.

Not there: what needs the machine's own manager (limits of memory and tasks, StateDirectory= below /var/lib); test/lab/package has those."""

import os
import select
import shutil
import signal
import stat
import subprocess
import time

SYSTEMD = "/lib/systemd/systemd"
REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
UNIT = os.path.join(REPO, "dist", "pavise.service")
# What is replaced, and why: another start, no second one behind the test's back; where systemd itself would take folders of the machine.
REPLACED = ("ExecStart", "ExecReload", "Restart", "RestartSec", "StateDirectory", "StateDirectoryMode", "RuntimeDirectory", "RuntimeDirectoryMode",
            "ConfigurationDirectory")


def wanted():
    return os.environ.get("PAVISE_UNDER_UNIT", "") not in ("", "0")


def missing():
    """Why it cannot be done here, or None."""
    for p in (SYSTEMD, shutil.which("systemctl")):
        if not p or not os.path.exists(p):
            return "systemd is not installed"
    return None


def service(argv, log, writable):
    """The shipped unit's sandbox around another command."""
    with open(UNIT) as f:
        lines = f.read().split("[Service]\n")[1].split("[Install]")[0].splitlines()
    kept = [l for l in lines if l and not l.startswith("#") and l.split("=")[0] not in REPLACED]
    words = " ".join('"' + a.replace("%", "%%").replace("$", "$$") + '"' for a in argv)
    if REPO.startswith(("/tmp/", "/var/tmp/", "/home/", "/root/")):  # which the unit does not see
        kept.append(f"BindReadOnlyPaths={REPO}")
    return "\n".join(["[Unit]", "DefaultDependencies=no", "[Service]", *kept, f"ExecStart={words}", f"StandardOutput=append:{log}",
                      f"StandardError=append:{log}", f"ReadWritePaths={writable}", ""])


class Manager:
    """One for each world; its units live in the cgroup `cgroup`."""

    def __init__(self, folder, cgroup):
        self.folder, self.cgroup, self.n = folder, cgroup, 0
        self.env = {**os.environ, "XDG_RUNTIME_DIR": f"{folder}/run", "HOME": folder, "SYSTEMD_LOG_LEVEL": "warning", "SYSTEMD_UNIT_PATH": f"{folder}/units",
                    **{f"XDG_{d}_HOME": f"{folder}/{d.lower()}" for d in ("CONFIG", "STATE", "CACHE", "DATA")}}
        for d in ("run", "units"):
            os.makedirs(f"{folder}/{d}")
        with open(f"{folder}/units/basic.target", "w") as f:
            f.write("[Unit]\nDefaultDependencies=no\n")
        nodes = "/run/systemd/inaccessible"  # what PID 1 would have made: mounted over what a unit must not see
        os.makedirs(f"{nodes}/dir", 0)
        for name, kind in (("reg", stat.S_IFREG), ("fifo", stat.S_IFIFO), ("sock", stat.S_IFSOCK), ("chr", stat.S_IFCHR), ("blk", stat.S_IFBLK)):
            os.mknod(f"{nodes}/{name}", kind)
        os.makedirs(self.cgroup)

        def own_cgroup():
            with open(f"{cgroup}/cgroup.procs", "w") as f:
                f.write("0")
        booted = "/run/systemd/system"  # it asks for this once, at its start; nobody else shall be misled by it
        made = not os.path.exists(booted)
        os.makedirs(booted, exist_ok=True)
        with open(f"{folder}/log", "w") as log:
            self.proc = subprocess.Popen([SYSTEMD, "--user", "--unit=basic.target"], env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                         start_new_session=True, preexec_fn=own_cgroup)
        end = time.monotonic() + 60
        while not os.path.exists(f"{folder}/run/systemd/private"):
            if self.proc.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"systemd --user does not start: {open(folder + '/log').read()}")
            time.sleep(0.02)
        if made:
            os.rmdir(booted)

    def ctl(self, *args, check=True):
        r = subprocess.run(["systemctl", "--user", *args], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if check and r.returncode:
            raise RuntimeError(f"systemctl --user {' '.join(args)}: {r.stdout}")
        return r.stdout.strip()

    def show(self, unit, *props):
        return dict(l.split("=", 1) for l in self.ctl("show", unit, *[f"-p{p}" for p in props]).splitlines())

    def start(self, argv, log, writable):
        """A Popen of the command inside the sandbox."""
        self.n += 1
        name = f"pavise-test-{self.n}.service"
        with open(f"{self.folder}/units/{name}", "w") as f:
            f.write(service(argv, log, writable))
        self.ctl("start", "--no-block", name)
        return Process(self, name)


class Process:
    """Looks like a subprocess.Popen, as far as the tests need it."""

    def __init__(self, manager, name):
        self.manager, self.name, self.returncode = manager, name, None
        end = time.monotonic() + 60
        while True:
            s = manager.show(name, "MainPID", "ActiveState", "ExecMainStartTimestampMonotonic")
            self.pid = int(s["MainPID"])
            ended = s["ActiveState"] == "inactive" and s["ExecMainStartTimestampMonotonic"] != "0"  # else it has not begun
            if self.pid or ended or s["ActiveState"] == "failed" or time.monotonic() > end:
                break
            time.sleep(0.02)
        try:
            self.fd = os.pidfd_open(self.pid) if self.pid else -1
        except ProcessLookupError:
            self.fd = -1

    def __del__(self):
        if self.fd >= 0:
            os.close(self.fd)

    def poll(self):
        return self.wait(0, False)

    def wait(self, timeout=None, must=True):
        if self.returncode is not None:
            return self.returncode
        if self.fd >= 0:
            p = select.poll()
            p.register(self.fd, select.POLLIN)
            if not p.poll(None if timeout is None else timeout * 1000):
                if must:
                    raise subprocess.TimeoutExpired(self.name, timeout)
                return None
        end = time.monotonic() + 30
        while True:  # the manager learns it a moment later, and then ends what is left in the unit
            s = self.manager.show(self.name, "ActiveState", "ExecMainCode", "ExecMainStatus")
            if s["ActiveState"] in ("failed", "inactive") or time.monotonic() > end:
                break
            time.sleep(0.02)
        status = int(s["ExecMainStatus"] or 0)
        self.returncode = status if s["ExecMainCode"] == "1" else -status
        return self.returncode

    def send_signal(self, sig):
        if self.fd >= 0 and self.returncode is None:
            try:
                signal.pidfd_send_signal(self.fd, sig)
            except ProcessLookupError:
                pass

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def kill(self):
        self.send_signal(signal.SIGKILL)

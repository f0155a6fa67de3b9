#!/usr/bin/env python3
"""Runs inside the lab's guest: the kernel's programs against its sockets (all but what they cost, which is not to be measured here), then pavise as an
installed systemd service beside the machine's own dockerd, then every system suite; with names, those that they fit, in the order of the names.
Prints their TAP and, last, the counts of each and of all."""

import glob
import os
import re
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BPF = os.path.join(HERE, "..", "..", "build", "meson", "test", "bpf", "test_bpf")
SUITE_SECONDS = 1800
BPF_SUITES = "net", "metadata", "servers", "dns", "nat", "opening", "modes", "cgroups", "pins", "exec", "load"
names = sys.argv[1:]
KINDS = ((r"(ok |1\.\.0 ).*# SKIP", "skipped"), (r"ok ", "passed"), (r"not ok ", "failed"))
total, lines = dict.fromkeys(("passed", "failed", "skipped"), 0), []


def said(counts):
    return ", ".join(f"{n} {k}" for k, n in counts.items())


def rank(suite):
    name = suite[0] + ".py"
    return next((i for i, n in enumerate(names) if n in name), len(names))


def stuck(p):
    """It must not take the time of the others. What it stands at goes with it."""
    show = "ps -eo pid,ppid,stat,pcpu,wchan:20,args --sort=-pcpu | head -40"
    print(subprocess.run(["sh", "-c", show], stdout=subprocess.PIPE, text=True).stdout.replace("\n", "\n# "), flush=True)
    p.send_signal(signal.SIGABRT)  # with -X faulthandler: where it stands
    time.sleep(5)
    try:
        os.killpg(p.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


files = [os.path.join(HERE, f"test_{n}.py") for n in ("service", "rootless")] + sorted(glob.glob(os.path.join(HERE, "..", "system", "test_*.py")))
suites = [(f"test_bpf_{n}", ["unshare", "-m", "sh", "-c", 'mount -t bpf bpf /sys/fs/bpf; exec "$@"', "sh", BPF, n]) for n in BPF_SUITES]
suites += [(os.path.basename(f)[:-3], [sys.executable, "-X", "faulthandler", f]) for f in files]
for suite in sorted(suites, key=rank) if names else suites:
    name, argv = suite
    if names and rank(suite) == len(names):
        continue
    start = time.monotonic()
    print(f"# --- {name}", flush=True)
    p = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    late = threading.Timer(SUITE_SECONDS, stuck, [p])
    late.start()
    counts = dict.fromkeys(total, 0)
    for line in p.stdout:
        print(line, end="", flush=True)
        kind = next((k for pattern, k in KINDS if re.match(pattern, line)), None)
        if kind:
            counts[kind] += 1
    late.cancel()
    if p.wait() and not counts["failed"]:
        print(f"not ok - {name} ended with {p.returncode}")
        counts["failed"] += 1
    total = {k: total[k] + counts[k] for k in total}
    lines.append(f"{name}: {said(counts)}, {time.monotonic() - start:.0f} s")
    print(f"# --- {lines[-1]}", flush=True)
print("\n".join(["", *lines, said(total)]))
sys.exit(1 if total["failed"] or not total["passed"] else 0)

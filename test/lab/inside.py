#!/usr/bin/env python3
"""Runs inside the lab's guest: first pavise as an installed systemd service beside the machine's own dockerd, then every
system suite. Prints their TAP and, last, the counts."""

import glob
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
names = sys.argv[1:]
total = {"passed": 0, "failed": 0, "skipped": 0}
suites = [os.path.join(HERE, f"test_{n}.py") for n in ("service", "rootless")] + sorted(glob.glob(os.path.join(HERE, "..", "system", "test_*.py")))
for path in suites:
    name = os.path.basename(path)[:-3]
    if names and not any(n in name for n in names):
        continue
    start = time.monotonic()
    print(f"# --- {name}", flush=True)
    p = subprocess.Popen([sys.executable, path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    got = 0
    for line in p.stdout:
        print(line, end="", flush=True)
        if re.match(r"ok .*# SKIP", line):
            total["skipped"] += 1
        elif re.match(r"ok ", line):
            total["passed"] += 1
        elif re.match(r"not ok ", line):
            total["failed"] += 1
        else:
            continue
        got += 1
    if p.wait() and not got:
        print(f"not ok - {name} ended with {p.returncode}")
        total["failed"] += 1
    print(f"# --- {name}: {time.monotonic() - start:.0f} s", flush=True)
print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
sys.exit(1 if total["failed"] or not total["passed"] else 0)

#!/usr/bin/env python3
"""Exactly the right addresses out of made-up logs. PAVISE_LINES and PAVISE_ATTACKERS make it larger: a million and 5,500 in
bench/logins."""

import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvtest import REPO, main  # noqa: E402
import pvloglines  # noqa: E402

BUILD = os.environ.get("PAVISE_BUILD", os.path.join(REPO, "build", "meson"))
LINES = int(os.environ.get("PAVISE_LINES", "20000"))
ATTACKERS = int(os.environ.get("PAVISE_ATTACKERS", "440"))


def test_exact(tap):
    with tempfile.TemporaryDirectory() as d:
        for kind, args in (("sshd", ["-"]), ("nginx", ["nginx"]), ("docker", ["nginx", "docker"])):
            want = pvloglines.make(f"{d}/log", kind, LINES, ATTACKERS)
            before = os.times()  # of children that ended
            start = time.monotonic()
            with open(f"{d}/log") as f:
                r = subprocess.run([f"{BUILD}/test/pvlogin", f"{REPO}/rules/log", f"{REPO}/rules/secret", "--", *args], stdin=f,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env={**os.environ, "TZ": "UTC", "PV_RULES_CACHE": d})
            after = os.times()
            got = set(r.stdout.split())
            tap.ok(got == want and len(want) > ATTACKERS / 3, f"{kind}: {len(want)} of {ATTACKERS} addresses, exactly those",
                   f"{r.stderr}missing {sorted(want - got)[:5]} ({len(want - got)}), wrong {sorted(got - want)[:5]} ({len(got - want)})")
            cpu = after.children_user + after.children_system - before.children_user - before.children_system
            tap.note(f"{kind}: {os.path.getsize(d + '/log') >> 20} MiB, {time.monotonic() - start:.1f} s, CPU {cpu:.2f} s with loading the rules")


main(test_exact)

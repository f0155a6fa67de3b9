#!/usr/bin/env python3
"""The programs for arm64 (tools/arm64), run by qemu-user: what the command says is what it says here, and the unit tests hold. Roles and children that
give up their rights do not start under qemu-user, which has no seccomp: that part is for a machine."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvtest import *  # noqa: E402,F403

ROOT = os.environ.get("PAVISE_ARM64_ROOT", os.path.join(REPO, "build", "arm64"))
PROGRAMS = os.path.join(REPO, "build", "release", "programs-arm64")
MESON = os.path.join(REPO, "build", "release-meson-cross")
QEMU = "qemu-aarch64-static"
NO_SECCOMP = "a child that gives up its rights ends at once: the emulator has no seccomp(2)"
NO_OPENAT2 = "the emulator has no openat2(2)"
EMULATORS = {"store": "a database by a descriptor's path, processes that are killed and speed are the emulator's here",
             "cgroup": "how fast the emulator is",
             **dict.fromkeys(("confine", "match", "logs", "rules"), NO_SECCOMP),
             **dict.fromkeys(("check_host", "collector", "log_files", "mend"), NO_OPENAT2)}


def emulated(*argv, env=None):
    return subprocess.run([QEMU, "-L", ROOT, *argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, cwd=REPO, env={**os.environ, **(env or {})})


def test_command(tap):
    elf = sh("readelf", "-h", f"{PROGRAMS}/pavise-broker")
    tap.ok("AArch64" in elf, "the programs are for arm64", elf)
    commands = re.findall(r"^  ([a-z]+) ", sh(PAVISE, "--help"), re.M)
    asked = [["--help"], ["explain", "--list"], ["config", "sample"], ["man"], *[["completion", s] for s in ("bash", "zsh", "fish")], *[[c, "--help"] for c in commands]]
    differ = []
    for args in asked:
        want = subprocess.run([PAVISE, *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        got = emulated(f"{PROGRAMS}/pavise", *args)
        if (got.returncode, got.stdout) != (want.returncode, want.stdout):
            differ.append((args, got.returncode, got.stdout[:200]))
    tap.eq(differ, [], f"{len(asked)} commands say the same as here")
    r = emulated(f"{PROGRAMS}/pavise-policy", "--help")
    tap.ok(r.returncode != 0 and "not found" not in r.stdout and "Exec format" not in r.stdout, f"a role starts and says what it lacks: {r.stdout.strip()[:80]}")


def test_units(tap):
    tests = [t for t in json.loads(subprocess.check_output(["meson", "introspect", MESON, "--tests"])) if t["suite"][0].endswith(":unit")]
    if not tests:
        raise Skip("built without cmocka")
    targets = [os.path.relpath(t["cmd"][0] if "qemu" not in t["cmd"][0] else t["cmd"][1], MESON) for t in tests]
    sh("ninja", "-C", MESON, "--quiet", *targets)
    for t, path in zip(tests, targets):
        r = emulated(os.path.join(MESON, path), env=t["env"])
        n, bad = len(re.findall(r"(?m)^\s*ok", r.stdout)), re.findall(r"(?m)^\s*not ok.*", r.stdout)
        if t["name"] in EMULATORS and bad:
            tap.skip(t["name"], f"{EMULATORS[t['name']]}: {', '.join(bad)}")
            continue
        tap.ok(n and not bad and r.returncode == 0, f"{t['name']}: {n} cases", "\n".join(bad) or r.stdout[-1500:])


for what, there in ((QEMU, shutil.which(QEMU)), ("build/release/programs-arm64 (tools/arm64 makes it)", os.path.exists(f"{PROGRAMS}/pavise")),
                    (ROOT, os.path.exists(f"{ROOT}/lib/ld-linux-aarch64.so.1"))):
    if not there:
        print(f"1..0 # SKIP {what} is not there")
        sys.exit(0)
main(test_command, test_units)

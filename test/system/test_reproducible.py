#!/usr/bin/env python3
"""Package, tarball and installer are the same bytes whoever builds them: what `make build` has left, and a copy of the tree that is built from
nothing, later, in a folder of another name, with another locale, time zone, umask, number of cores and compiler flags in the environment."""

import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import pvpackage  # noqa: E402
from pvtest import *  # noqa: E402,F403


def copy(to):
    os.makedirs(to)
    skip = shutil.ignore_patterns("build", ".git", "__pycache__")
    shutil.copytree(REPO, to, ignore=lambda d, names: skip(d, names) if os.path.abspath(d) == REPO else {"__pycache__"} & set(names),
                    dirs_exist_ok=True)


def build(tree, umask, **env):
    env = {**os.environ, "SOURCE_DATE_EPOCH": "1800000000", **env}
    run = {"cwd": tree, "env": env, "umask": umask}
    r = subprocess.run(["tools/deb", "out"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **run)
    r2 = subprocess.run(["tools/tarball", "out"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tree, umask=umask,
                        env={**env, "PAVISE_SKIP_BUILD": "1"})
    if r.returncode or r2.returncode:
        raise RuntimeError(f"{r.stdout[-2000:]}\n{r2.stdout[-2000:]}")
    return {f: open(f"{tree}/out/{f}", "rb").read() for f in sorted(os.listdir(f"{tree}/out"))}


def differs(name, a, b):
    """Which member of the package it is."""
    out = []
    for i, data in enumerate((a, b)):
        with tempfile.TemporaryDirectory() as d:
            with open(f"{d}/x", "wb") as f:
                f.write(data)
            if name.endswith(".deb"):
                sh("dpkg-deb", "-R", f"{d}/x", f"{d}/t")
            elif name.endswith(".gz"):
                os.makedirs(f"{d}/t")
                sh("tar", "-xf", f"{d}/x", "-C", f"{d}/t")
            else:
                return "its text"
            out.append({l.split()[1]: l.split()[0] for l in sh("sh", "-c", f"cd {d}/t && find . -type f | xargs sha256sum").splitlines()})
    return "\n".join(f for f in sorted(set(out[0]) | set(out[1])) if out[0].get(f) != out[1].get(f)) or "only times, modes or order"


def test_bytes(tap):
    one = {os.path.basename(f): open(f, "rb").read() for n, f in pvpackage.built().items() if n != "next"}
    with tempfile.TemporaryDirectory() as d:
        tree = f"{d}/another-place/with-a-long-name"
        copy(tree)
        locales = sh("locale", "-a", check=False).split()
        b = build(tree, 0o077, NINJAFLAGS=f"-j{(os.cpu_count() or 1) + 1}", LC_ALL=next((l for l in locales if l.lower() in ("tr_tr.utf8", "de_de.utf8", "c.utf8")), "C"),
                  TZ="Asia/Kathmandu", HOME="/nonexistent", CFLAGS="-O0 -g3", USER="nobody", GREP_COLORS="x", MAKEFLAGS="-j9", CCACHE_DISABLE="1")
        tap.eq(sorted(one), sorted(b), "the same files")
        tap.ok(len(one) == 3, "package, tarball, installer", list(one))
        for f in one:
            tap.ok(one[f] == b.get(f), f"{f}: the same bytes", one[f] != b[f] and differs(f, one[f], b[f]))
        later = build(tree, 0o022, SOURCE_DATE_EPOCH="1800000001", PAVISE_SKIP_BUILD="1")  # the programs carry no date
        tap.ok(all(later[f] != one[f] for f in one), "another release date gives other bytes, so the comparison sees something")


for tool in ("dpkg-deb", "dpkg-shlibdeps"):
    if not shutil.which(tool):
        print(f"1..0 # SKIP {tool} is not installed")
        sys.exit(0)
main(test_bytes)

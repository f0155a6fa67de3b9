"""Package, tarball and installer of this tree, made once for all suites that need them, from the programs that `make build` has just built (a build
from nothing gives the same bytes: test_reproducible)."""

import hashlib
import os
import re
import shutil
import subprocess

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILT = os.path.join(REPO, "build", "test-package")
EPOCH = "1800000000"


def run(*args, **kw):
    r = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=REPO, **kw)
    if r.returncode:
        raise RuntimeError(f"{' '.join(args)}: {r.returncode}\n{r.stdout[-2000:]}")
    return r.stdout.strip().splitlines()


def key():
    """Of everything that goes in."""
    h = hashlib.sha256()
    for folder in ("build", "src", "rules", "dist", "man", "doc", "packaging", "tools"):
        for d, dirs, files in os.walk(os.path.join(REPO, folder)):
            dirs.sort()
            if folder == "build":
                dirs.clear()
                files = [f for f in files if f.startswith("pavise")]
            for f in sorted(files):
                path = os.path.join(d, f)
                h.update(path.encode() + b"\0")
                with open(path, "rb") as data:
                    h.update(data.read())
    for f in ("meson.build", "CHANGELOG.md", "LICENSE"):
        with open(os.path.join(REPO, f), "rb") as data:
            h.update(data.read())
    return h.hexdigest()


def plain(folder):
    """The usual build folder, if nothing of the environment went into it."""
    import json
    if not os.path.exists(f"{folder}/build.ninja"):
        return None
    options = {o["name"]: o["value"] for o in json.loads(subprocess.check_output(["meson", "introspect", "--buildoptions", folder]))}
    fits = options.get("c_args") == [] and options.get("c_link_args") == [] and options["buildtype"] == "debugoptimized" and options["b_sanitize"] == "none"
    return folder if fits else None


def second(deb, out):
    """What an upgrade installs: the same with a higher version and a kernel's part of another layout."""
    folder = os.path.join(REPO, "build", "meson")
    subprocess.run(["ninja", "-C", folder, "--quiet", "src/broker/pavise-broker-next"], check=True, stdout=subprocess.DEVNULL)
    tree = out + ".tree"
    run("dpkg-deb", "-R", deb, tree)
    run("strip", "--strip-unneeded", "-o", f"{tree}/usr/lib/pavise/pavise-broker", f"{folder}/src/broker/pavise-broker-next")
    with open(f"{tree}/DEBIAN/control") as f:
        control = f.read()
    with open(f"{tree}/DEBIAN/control", "w") as f:
        f.write(re.sub(r"(?m)^(Version: .*)$", r"\1+next", control))
    sums = subprocess.run("find usr -type f | sort | xargs md5sum", shell=True, check=True, stdout=subprocess.PIPE, cwd=tree).stdout
    with open(f"{tree}/DEBIAN/md5sums", "wb") as f:
        f.write(sums)
    run("dpkg-deb", "--root-owner-group", "-Zgzip", "-b", tree, out)
    shutil.rmtree(tree)


def built():
    """{"deb", "next", "tarball", "installer": path}"""
    stamp, want = f"{BUILT}/key", key()
    if not os.path.exists(stamp) or open(stamp).read() != want:
        shutil.rmtree(BUILT, ignore_errors=True)
        env = {**os.environ, "SOURCE_DATE_EPOCH": EPOCH}
        folder = plain(os.path.join(REPO, "build", "meson"))
        deb = run("tools/deb", BUILT, env={**env, **({"PAVISE_BUILT": folder} if folder else {})})[-1]
        run("tools/tarball", BUILT, env={**env, "PAVISE_SKIP_BUILD": "1"})
        second(os.path.join(REPO, deb), f"{BUILT}/next.deb")
        with open(stamp, "w") as f:
            f.write(want)
    names = sorted(os.listdir(BUILT))
    return {"deb": next(f"{BUILT}/{n}" for n in names if n.startswith("pavise_")), "next": f"{BUILT}/next.deb",
            "tarball": next(f"{BUILT}/{n}" for n in names if n.endswith(".tar.gz")), "installer": next(f"{BUILT}/{n}" for n in names if n.endswith(".install.sh"))}

#!/usr/bin/env python3
"""The secret rules on other people's published code: at most 5 findings at medium or above in at least 5,000 files, and
500 examples of our own rules, planted there in four encodings, found again. The packages are pinned and fetched for the
test; without a network it is skipped."""

import base64
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvtest import *  # noqa: E402,F403

PVMATCH = os.environ.get("PAVISE_MATCH_HELPER", os.path.join(REPO, "build", "meson", "test", "pvmatch"))
RULES = os.environ.get("PAVISE_RULES", os.path.join(REPO, "rules", "secret"))
NPM = ("express@4.21.2", "lodash@4.17.21", "typescript@5.6.3", "react-dom@18.3.1", "next@14.2.18", "webpack@5.96.1",
       "@babel/core@7.26.0", "eslint@9.15.0", "axios@1.7.8", "mongoose@8.8.3")
DEBIAN = ("python3-django", "python3-sqlalchemy", "python3-botocore", "python3-numpy")
SERIOUS = ("medium", "high", "critical")
PLANTED, SEED = 500, 20


def run(*argv, cwd, timeout=180):
    try:
        return subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=timeout)
    except (subprocess.TimeoutExpired, FileNotFoundError) as e:
        raise Skip(f"{argv[0]}: {e}")


def fetch_npm(folder):
    for name in NPM:
        p = run("npm", "pack", "--silent", "--ignore-scripts", name, cwd=folder)
        if p.returncode:
            raise Skip(f"npm pack {name} does not work here: {p.stderr.strip()[-120:]}")
        archive = os.path.join(folder, p.stdout.split()[-1])
        target = archive[:-4]
        os.mkdir(target)
        subprocess.run(["tar", "xzf", archive, "-C", target], check=True)
        os.unlink(archive)


def fetch_debian(folder):
    for name in DEBIAN:
        p = run("apt-get", "download", name, cwd=folder)
        if p.returncode:
            raise Skip(f"apt-get download {name} does not work here: {p.stderr.strip()[-120:]}")
    for archive in [f for f in os.listdir(folder) if f.endswith(".deb")]:
        subprocess.run(["dpkg-deb", "-x", archive, archive[:-4]], check=True, cwd=folder)
        os.unlink(os.path.join(folder, archive))


def fetch():
    folder = tempfile.mkdtemp(prefix="pavise-packages-")
    try:
        fetch_npm(folder)
        fetch_debian(folder)
    except BaseException:
        shutil.rmtree(folder)
        raise
    return folder


def all_files(folder):
    return sorted(os.path.join(d, f) for d, _, fs in os.walk(folder) for f in fs if not os.path.islink(os.path.join(d, f)))


def scan(files):
    """{path: [(rule, severity, start, length, depth)]}"""
    p = subprocess.run([PVMATCH, "-d", "3", "-f", RULES], input="\n".join(files) + "\n", capture_output=True, text=True)
    if p.returncode:
        raise RuntimeError(p.stderr)
    out, i = {f: [] for f in files}, 0
    for line in p.stdout.split("\n")[:-1]:
        if not line:
            i += 1
            continue
        rule, severity, _, start, length, depth, _ = line.split("\t")
        out[files[i]].append((rule, severity, int(start), int(length), int(depth)))
    return out


def unquote(s):
    """A quoted scalar of our rule files."""
    if s[0] == "'":
        return s[1:-1].replace("''", "'")
    return re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t"}.get(m.group(1), m.group(1)), s[1:-1])


def examples():
    """[(rule, text)]: the first example of each rule, as rule_file.h says: + taken out, «» marks the credential."""
    found = []
    for path in all_files(RULES):
        rule = None
        with open(path, encoding="utf-8") as f:
            for line in f:
                m = re.match(r"  - id: (\S+)", line)
                rule = (m.group(1), False) if m else rule
                if line == "      yes:\n":
                    rule = (rule[0], True)
                elif rule and rule[1] and re.match(r"        - ['\"]", line):
                    text = unquote(line.strip()[2:])
                    text = re.sub(r"\++", lambda m: "+" * (len(m.group()) // 2), text)
                    found.append((rule[0], text.replace("«", "").replace("»", "")))
                    rule = (rule[0], False)
    return found


ENCODINGS = {
    "plain": lambda s: s,
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "hex": lambda s: s.encode().hex(),
    "url": lambda s: urllib.parse.quote(s, safe=""),
}


def plant(rng, files, rule, text, encoding):
    """Puts it on a line of its own into one of the files; (path, start, end) in bytes."""
    path = rng.choice(files)
    with open(path, "rb") as f:
        lines = f.read().split(b"\n")
    at = rng.randrange(len(lines))
    start = sum(len(l) + 1 for l in lines[:at])
    put = ENCODINGS[encoding](text).encode()
    lines.insert(at, put)
    with open(path, "wb") as f:
        f.write(b"\n".join(lines))
    files.remove(path)  # one for each file, so that no position moves
    return path, start, start + len(put)


def test_packages(tap):
    folder = fetch()
    try:
        files = all_files(folder)
        found = scan(files)
        serious = [(f, h) for f, hits in found.items() for h in hits if h[1] in SERIOUS]
        tap.ok(len(files) >= 5000, f"{len(files)} files, {sum(map(os.path.getsize, files)) / 1e6:.0f} MB")
        tap.ok(len(serious) <= 5, f"{len(serious)} findings at medium or above (at most 5)",
               "\n".join(f"{f[len(folder):]}: {h}" for f, h in serious))
        check_planted(tap, [f for f in files if os.path.getsize(f) < 200000 and f.endswith((".js", ".ts", ".py", ".json", ".md"))])
    finally:
        shutil.rmtree(folder)


def check_planted(tap, files):
    rng, known = random.Random(SEED), examples()
    tap.ok(len(known) >= 200, f"{len(known)} rules with an example")
    places = []
    for i in range(PLANTED):
        rule, text = known[i % len(known)]
        encoding = list(ENCODINGS)[(i + i // len(known)) % len(ENCODINGS)]
        places.append((rule, encoding) + plant(rng, files, rule, text, encoding))
    found = scan([p[2] for p in places])
    missed = [(rule, encoding) for rule, encoding, path, start, end in places
              if not any(h[0] == rule and start <= h[2] and h[2] + h[3] <= end for h in found[path])]
    tap.ok(len(missed) <= 0.02 * PLANTED, f"{PLANTED - len(missed)} of {PLANTED} planted secrets found (at least 98 %)", missed)
    for m in missed:
        tap.note(f"missed: {m}")


if __name__ == "__main__":
    main(test_packages)

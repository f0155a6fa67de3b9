#!/usr/bin/env python3
"""pavise scan over real repositories made by git: what it finds is compared with what git itself says. Needs no root."""

import base64
import gzip
import hashlib
import io
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import xml.etree.ElementTree
import zipfile
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import pvseccomp  # noqa: E402
import pvtest  # noqa: E402
from pvtest import SLOW, PAVISE, REPO, Skip, main  # noqa: E402

ENV = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "GIT_AUTHOR_NAME": "A", "LC_ALL": "C",
       "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.org",
       "NO_COLOR": "1"}
# A form of our own, so that nothing here depends on how a provider's rule is worded.
RULES = """schema: 1
kind: secret
name: pavise-test
reference: [https://docs.example/]
verified: documentation
rules:
  - {id: pavise-test.key, title: test key, opens: nothing, severity: high, strength: strong, literal: [pvtest_],
     match: '\\bpvtest_[a-f0-9]{32}\\b', remedy: revoke it, examples: {yes: [{text: 'pvte+st_00112233445566778899aabbccddeeff',
     span: 'pvte+st_00112233445566778899aabbccddeeff'}], no: [pvtest_1]}}
"""
DAY = 0


def key(n):
    return "pvtest" + "_" + hashlib.md5(b"%d" % n).hexdigest()


class Repo:
    """A repository in a folder of its own that ends with the test."""

    def __init__(self, *init):
        self.tmp = tempfile.TemporaryDirectory(prefix="pvscan-")
        self.dir = os.path.join(self.tmp.name, "repo")
        ENV["XDG_CACHE_HOME"] = CACHE.name
        subprocess.check_call(["git", "init", "-q", "-b", "main", *init, self.dir], env=ENV)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tmp.cleanup()

    def git(self, *args, **kw):
        r = subprocess.run(["git", "-C", self.dir, *args], env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)
        if r.returncode:
            raise RuntimeError(f"git {args}: {r.stderr.decode()}")
        return r.stdout.decode(errors="surrogateescape").strip()

    def write(self, path, text):
        full = os.path.join(self.dir, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", errors="surrogateescape") as f:
            f.write(text)

    def commit(self, message="change", **files):
        global DAY
        DAY += 1
        for path, text in files.items():
            self.write(path.replace("__", "/"), text)
        self.git("add", "-A")
        when = f"{1704067200 + DAY * 3600} +0000"
        subprocess.check_call(["git", "-C", self.dir, "commit", "-q", "--allow-empty", "-m", message],
                              env={**ENV, "GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when})
        return self.git("rev-parse", "HEAD")


EVIDENCE = os.path.join(REPO, "build", "test", "evidence")


def keep(name, *args):
    """The command's real output, for doc/requirements.md."""
    r = subprocess.run([PAVISE, "scan", "--rules", RULE_DIR, *args], env=ENV, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    os.makedirs(EVIDENCE, exist_ok=True)
    with open(os.path.join(EVIDENCE, name), "wb") as f:
        f.write(b"$ pavise scan " + " ".join(a for a in args if a.startswith("-")).encode() + b"\n" + r.stdout
                + b"$ echo $?\n%d\n" % r.returncode)


CACHE = tempfile.TemporaryDirectory(prefix="pvscan-cache-")
RULE_DIR = os.path.join(CACHE.name, "rules")


def scan(target, *args, stdin=None, fmt="json", env=None):
    """(exit status, report, standard error)"""
    if not os.path.exists(RULE_DIR):
        os.makedirs(RULE_DIR)
        with open(os.path.join(RULE_DIR, "test.yaml"), "w") as f:
            f.write(RULES)
    ENV["XDG_CACHE_HOME"] = CACHE.name
    argv = [PAVISE, "scan", "--rules", RULE_DIR, "--format", fmt, *args] + ([target] if target else [])
    r = subprocess.run(argv, env={**ENV, **(env or {})}, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    out = r.stdout
    if fmt == "json":
        try:
            out = json.loads(r.stdout)
        except ValueError:
            out = {"findings": [], "broken": r.stdout[:200]}
    return r.returncode, out, r.stderr.decode(errors="replace")


def ours(report, id="secret.in-history"):
    return [f for f in report["findings"] if f["id"] == id and f["verdict"] == "fail" and evidence(f, "rule") == "pavise-test.key"]


def evidence(f, what):
    return next((e["value"] for e in f["evidence"] if e["what"] == what), None)


def unknown(report):
    return [(f.get("reason"), evidence(f, "because")) for f in report["findings"] if f["verdict"] == "unknown"]


# --- the work tree ----------------------------------------------------------------------------------------------------

def test_tree(tap):
    with Repo() as r:
        r.commit(src__a="x = '%s'\n" % key(1), gitignore="", **{".gitignore": "*.log\n!keep.log\n/dist/\n"})
        for path in ("x.log", "keep.log", "dist/b.js", "new.txt", "sub/new.txt", "odd\nname\x1b[31m.txt", "bad\udcff.txt"):
            r.write(path, key(2) + "\n")
        os.symlink("/etc/passwd", os.path.join(r.dir, "link"))
        os.symlink("..", os.path.join(r.dir, "sub", "loop"))
        os.mkfifo(os.path.join(r.dir, "fifo"))
        st, out, err = scan(r.dir)
        got = sorted(f["subject"]["path"] for f in ours(out, "secret.in-code"))
        want = ["bad\u00ff.txt", "keep.log", "new.txt", "odd\nname\x1b[31m.txt", "src/a", "sub/new.txt"]
        tap.eq(got, want, "tracked and not ignored files, whatever they are called")
        tap.eq(st, 1, "exit status of a finding")
        keep("P1.1.txt", r.dir)
        tap.eq(next(f["subject"]["line"] for f in ours(out, "secret.in-code") if f["subject"]["path"] == "src/a"), 1, "line")
        st, out, err = scan(os.path.join(r.dir, "sub"))
        tap.eq([f["subject"]["path"] for f in ours(out, "secret.in-code")], ["sub/new.txt"], "a folder below: same names")
        os.symlink("a", os.path.join(r.dir, "src/was-link"))
        r.write("dist/local", "x\n")
        r.git("add", "-f", "dist/local")
        r.commit(sparse="x\n")
        os.unlink(os.path.join(r.dir, "src/was-link"))
        for path in ("meant", "src/was-link", "dist/local", "conflict"):
            r.write(path, key(3) + "\n")
        r.git("add", "-N", "meant")
        r.git("update-index", "--skip-worktree", "dist/local", "sparse")
        os.unlink(os.path.join(r.dir, "sparse"))
        sides = [f"100644 {r.git('rev-parse', 'HEAD:sparse')} {n}\tconflict" for n in (1, 2, 3)]
        r.git("update-index", "--index-info", input="\n".join(sides).encode())
        _, out, _ = scan(r.dir)
        tap.eq(sorted(f["subject"]["path"] for f in ours(out, "secret.in-code")), sorted(want + ["meant", "src/was-link", "dist/local", "conflict"]),
               "what the index names otherwise than it lies there: only meant to be added, a link once, kept out, in conflict")
        for fmt in ("table", "json", "jsonl", "sarif", "junit", "markdown", "html"):
            st, text, err = scan(r.dir, fmt=fmt)
            text = json.dumps(text).encode() if fmt == "json" else text
            tap.ok(st == 1 and key(1).encode() not in text and key(2).encode() not in text and b"\x1b" not in text,
                   f"{fmt}: status, nothing unmasked, no escape")
            if fmt == "sarif":
                tap.eq(json.loads(text)["version"], "2.1.0", "sarif is JSON")
            if fmt == "junit":
                xml.etree.ElementTree.fromstring(text)
            if fmt == "jsonl":
                tap.ok(all(json.loads(line) for line in text.splitlines()), "each line is JSON")


def test_ignore_rules(tap):
    """Random ignore files: the files looked at are those that git lists."""
    rng, bad, n = random.Random(5), [], 0
    names = ["a", "b", "build", "x.log", "y.txt", "lib", "keep.log", "a b", "#x", "!y"]
    patterns = ["*.log", "!keep.log", "build/", "/a", "lib/*", "**/b", "a/**", "a/**/y.txt", "*.t?t", "[ab]", "!lib/keep.log",
                "\\#x", "\\!y", "# no", "a b", "x*", "!x.log", "/lib/a/", "**", "!*/", "*/b", "foo\\"]
    for _ in range(30):
        with Repo() as r:
            for _ in range(40):
                path = "/".join(rng.choice(names) for _ in range(rng.randrange(1, 4)))
                full = os.path.join(r.dir, path)
                try:
                    r.write(path, key(1))
                except OSError:
                    pass
            for folder in (".", "a", "lib"):
                if os.path.isdir(os.path.join(r.dir, folder)) and rng.random() < 0.7:
                    r.write(os.path.join(folder, ".gitignore"), "\n".join(rng.choices(patterns, k=rng.randrange(1, 6))) + "\n")
            r.write(".git/info/exclude", rng.choice(["", "y.txt\n", "/b\n"]))
            want = [p for p in r.git("ls-files", "-z", "-co", "--exclude-standard").split("\0") if p and ".gitignore" not in p]
            _, out, _ = scan(r.dir)
            got = [f["subject"]["path"] for f in ours(out, "secret.in-code")]
            n += len(want)
            if sorted(got) != sorted(want):
                bad.append((sorted(set(got) - set(want)), sorted(set(want) - set(got))))
    tap.ok(not bad and n > 100, f"the same {n} files as git ls-files", bad[:3])


def test_own_values(tap):
    with Repo() as r:
        r.write(".env", "# comment\nexport SECRET_KEY='Zx81kfjw92kdkkei'\nDATABASE_URL=postgres://app:Qw9sjk2kskw1@db/app\n"
                        "NODE_ENV=production\nSITE=our-shop-name\nTOKEN=\"two words and 7\" # why\n")
        r.write(".gitignore", ".env\n")
        r.write(".env.example", "SECRET_KEY=changeme-please\n")
        r.commit(a="k = Zx81kfjw92kdkkei\n", b="our-shop-name in production\n", c="pw Qw9sjk2kskw1\n", d="x two words and 7 y")
        st, out, _ = scan(r.dir, "--history")
        got = {(f["id"], f["subject"]["path"], evidence(f, "value of")) for f in out["findings"] if f["verdict"] == "fail"
               and evidence(f, "rule") == "own-value"}
        want = {(i, p, v) for i in ("secret.in-code", "secret.in-history")
                for p, v in (("a", "SECRET_KEY"), ("c", "DATABASE_URL"), ("d", "TOKEN"))}
        tap.eq(got, want, "values of .env in code and history, by the name of their variable")
        keep("P5.3.txt", r.dir)
        tap.ok("Zx81kfjw92kdkkei" not in json.dumps(out), "no value in the report")
        r.write(".env", "".join(f"KEY_{i}={hashlib.md5(b'%d' % i).hexdigest()}\n" for i in range(5000)))
        st, out, _ = scan(r.dir)
        tap.eq([(f["subject"]["path"], f["reason"], evidence(f, "because")) for f in out["findings"] if f["verdict"] == "unknown"],
               [(".env", "too-large", "more values than there is room for: not all are looked for")], "more values than can be looked for")


def test_exceptions(tap):
    with Repo() as r:
        line = f"'{key(1)}'"
        r.write("ok.js", f"{line} // pavise:allow pavise-test.key until=2027-06-01 reason=made up\n")
        r.write("above.js", f"// pavise:allow pavise-test.key until=2027-06-01 reason=made up\n{line}\n")
        r.write("over.js", f"{line} // pavise:allow pavise-test.key until=2020-01-01 reason=made up\n")
        r.write("far.js", f"{line} // pavise:allow pavise-test.key until=2040-01-01 reason=made up\n")
        r.write("why.js", f"{line} // pavise:allow pavise-test.key until=2027-06-01\n")
        r.write("other.js", f"{line} // pavise:allow github.pat until=2027-06-01 reason=made up\n")
        r.write("nothing.js", "// pavise:allow pavise-test.key until=2027-06-01 reason=made up\n")
        r.write("file.js", line + "\n")
        r.write("late.js", line + "\n")
        r.write("pavise.ignore", "- {id: secret.in-code, subject: file.js, reason: test, owner: anna, expires: 2027-06-01}\n"
                                 "- {id: secret.in-code, subject: late.js, reason: test, owner: anna, expires: 2025-06-01}\n"
                                 "- {id: secret.in-code, subject: gone.js, reason: test, owner: anna, expires: 2027-06-01}\n"
                                 "- {id: 'secret.*', subject: x, reason: test, owner: anna, expires: 2027-06-01}\n")
        now = subprocess.check_output(["date", "+%Y"]).decode().strip()
        if now != "2026":
            raise Skip("the dates of this test are those of 2026")
        _, out, _ = scan(r.dir)
        got = sorted(f["subject"]["path"] for f in ours(out, "secret.in-code") if "accepted" not in f)
        tap.eq([(f["subject"]["path"], f["accepted"]["owner"]) for f in ours(out, "secret.in-code") if "accepted" in f], [("file.js", "anna")],
               "what is accepted is shown, with who answers for it")
        tap.eq(got, ["far.js", "late.js", "other.js", "over.js", "why.js"], "what an exception in force does not cover")
        # other.js names a rule that exists (github.pat), so its comment is told as unused where that rule is there.
        told = {(f["id"], f["subject"]["path"], f["subject"]["line"]) for f in out["findings"] if f["id"].startswith("ignore.")}
        want = {("ignore.unused", "nothing.js", 1), ("ignore.invalid", "pavise.ignore", 2), ("ignore.unused", "pavise.ignore", 3),
                ("ignore.invalid", "pavise.ignore", 4)}
        tap.ok(want <= told, "entries that are over, wrong or unused", told)
        base = os.path.join(r.tmp.name, "base.json")
        with open(base, "w") as f:
            json.dump(out, f, separators=(",", ":"))
        r.write("new.js", f"'{key(7)}'\n")
        st, out, _ = scan(r.dir, "--baseline", base)
        tap.eq([f["subject"]["path"] for f in ours(out, "secret.in-code") if not f.get("baseline") and "accepted" not in f], ["new.js"], "only the new one")
        os.unlink(os.path.join(r.dir, "new.js"))
        st, out, _ = scan(r.dir, "--baseline", base)
        tap.eq(st, 0, "nothing new: status 0")
        r.write("pavise.ignore", "not: [a, list\n")
        st, out, err = scan(r.dir)
        tap.ok(st == 2 and "pavise.ignore:" in err, "a broken pavise.ignore is an error with its place", err)


def test_staged(tap):
    with Repo() as r:
        r.commit(a=key(1) + "\n")
        r.write("a", key(1) + "\nmore\n" + key(2) + "\n")
        r.write("b", key(3) + "\n")
        st, out, _ = scan(r.dir, "--staged")
        tap.eq((st, ours(out, "secret.in-code")), (0, []), "nothing staged")
        r.git("add", "a")
        st, out, _ = scan(r.dir, "--staged")
        tap.eq([(f["subject"]["path"], f["subject"]["line"]) for f in ours(out, "secret.in-code")], [("a", 3)],
               "only what is new in what is staged")
        hooks = os.path.join(r.dir, ".git/hooks")
        with open(os.path.join(hooks, "pre-commit"), "w") as f:
            f.write("#!/bin/sh\ntouch called\n")
        os.chmod(os.path.join(hooks, "pre-commit"), 0o755)
        st = subprocess.run([PAVISE, "scan", "--install-hook", r.dir], env=ENV, capture_output=True).returncode
        tap.eq(st, 0, "hook installed")
        again = subprocess.run([PAVISE, "scan", "--install-hook", r.dir], env=ENV, capture_output=True).returncode
        tap.eq((again, sorted(x for x in os.listdir(hooks) if not x.endswith(".sample"))),
               (0, ["pre-commit", "pre-commit.before-pavise"]), "twice is once")
        # The hook knows our own rules only: a form of a provider.
        token = "gl" + "pat-" + "zQ4nT8vB2mK7rX9wL3sD"
        r.write("c", "token = '%s'\n" % token)
        r.git("add", "c")
        head = r.git("rev-parse", "HEAD")
        p = subprocess.run(["git", "-C", r.dir, "commit", "-qm", "x"], env=ENV, capture_output=True)
        said = p.stdout.decode() + p.stderr.decode()
        tap.ok(os.path.exists(os.path.join(r.dir, "called")), "the hook that was there is called")
        tap.ok(p.returncode != 0 and r.git("rev-parse", "HEAD") == head and "c:1" in said and token not in said, "the commit is refused, and why", said)
        with open(os.path.join(hooks, "pre-commit")) as f:
            text = f.read()
        with open(os.path.join(hooks, "pre-commit"), "w") as f:
            f.write(text.replace(PAVISE, "/gone/pavise"))
        p = subprocess.run(["git", "-C", r.dir, "commit", "-qm", "x"], env=ENV, capture_output=True)
        said = (p.stdout + p.stderr).decode()
        tap.ok(PAVISE in text and p.returncode == 0 and "not installed any more" in said and "rm '.git/hooks/pre-commit'" in said,
               "without the program commits go through, and it is said", said)
        r.git("reset", "-q", "--soft", head)
        with open(os.path.join(hooks, "pre-commit"), "w") as f:
            f.write(text)
        with open(os.path.join(hooks, "pre-commit.before-pavise"), "w") as f:
            f.write("#!/bin/sh\nexit 7\n")
        r.git("rm", "-q", "--cached", "c")
        r.write("d", "clean\n")
        r.git("add", "d")
        r.git("reset", "-q", "b")
        p = subprocess.run(["git", "-C", r.dir, "commit", "-qm", "x"], env=ENV, capture_output=True)
        tap.ok(p.returncode != 0 and r.git("rev-parse", "HEAD") == head, "what the hook before says counts")
        os.unlink(os.path.join(hooks, "pre-commit.before-pavise"))
        r.git("reset", "-q", "a")
        p = subprocess.run(["git", "-C", r.dir, "commit", "-qm", "x"], env=ENV, capture_output=True)
        tap.ok(p.returncode == 0 and r.git("rev-parse", "HEAD") != head, "a clean commit goes through", p.stderr)
        os.unlink(os.path.join(r.dir, "c"))
        head = r.commit("tracked", sub__e="clean\n", sub__f="clean\n")
        r.write("sub/e", "token = '%s'\n" % token)
        r.write("sub/f", "clean, too\n")
        for cwd, *args in ((".", "-a"), (".", "sub/e"), ("sub", "-a"), ("sub", "e"), ("sub", "-i", "e")):
            p = subprocess.run(["git", "-C", os.path.join(r.dir, cwd), "commit", "-qm", "x", *args], env=ENV, capture_output=True)
            said = p.stdout.decode() + p.stderr.decode()
            tap.ok(p.returncode != 0 and r.git("rev-parse", "HEAD") == head and "sub/e:1" in said, f"git commit {args} in {cwd}: refused", said)
        r.git("add", "sub/e")
        p = subprocess.run(["git", "-C", r.dir, "commit", "-qm", "x", "sub/f"], env=ENV, capture_output=True)
        tap.ok(p.returncode == 0 and r.git("rev-parse", "HEAD") != head, "a clean FILE goes through beside a staged secret", p.stderr)
    with Repo() as r:
        r.commit(**{".env": "A_KEY=x1y2z3w4v5u6\n", "was-file.env": "x\n", "sub__.env": "x\n"})
        shutil.rmtree(os.path.join(r.dir, "sub"))
        r.write("sub", "a file\n")
        os.unlink(os.path.join(r.dir, ".env"))
        os.unlink(os.path.join(r.dir, "was-file.env"))
        os.symlink("sub", os.path.join(r.dir, "was-file.env"))
        st, out, err = scan(r.dir, "--staged")
        tap.eq((st, unknown(out)), (0, []), "a tracked .env that is gone, a link, or below what is no folder any more")


# --- the history ------------------------------------------------------------------------------------------------------

def shape(r):
    """Five keys: in HEAD, removed, on a deleted branch, in a stash, in a merge only. {key number: (commit, path, in head)}"""
    want = {}
    text = "".join(f"line {i}\n" for i in range(200))
    r.commit(f=text)
    want[1] = (r.commit(a__keep=text + key(1) + "\n"), "a/keep", "yes")
    want[2] = (r.commit(b__gone="x\n" + key(2) + "\n" + text), "b/gone", "no")
    r.commit(b__gone="x\n" + text)
    for i in range(8):  # versions, so that there are chains of deltas
        r.commit(a__keep=text.replace(f"line {i * 20}\n", f"changed {i}\n") + key(1) + "\n")
    r.git("checkout", "-q", "-b", "side")
    want[3] = (r.commit(c=key(3) + "\n"), "c", "no")
    r.git("checkout", "-q", "main")
    r.git("branch", "-q", "-D", "side")
    r.write("f", text + key(4) + "\n")
    r.git("stash")
    want[4] = (r.git("rev-parse", "stash@{0}"), "f", "no")
    r.git("checkout", "-q", "-b", "other", "HEAD~3")
    r.commit(other="o\n")
    r.git("checkout", "-q", "main")
    r.git("merge", "-q", "--no-commit", "--no-ff", "other")
    want[5] = (r.commit("merge", m=key(5) + "\n"), "m", "yes")
    return want


def check_shape(tap, r, want, name, target=None):
    st, out, err = scan(target or r.dir, "--history")
    got = {}
    for f in ours(out):
        got.setdefault(f["subject"]["path"], []).append((f["subject"].get("commit"), evidence(f, "still in the tree")))
    bad = []
    for n, (commit, path, head) in want.items():
        entries = got.get(path, [])
        stash = n == 4 and len(entries) == 1  # the stash has two commits with the same content: the index's and its own
        if not stash and (commit, head) not in entries:
            bad.append((n, path, commit, head, entries))
    tap.ok(not bad and sum(map(len, got.values())) == len(want), name, f"{bad}\n{got}\n{err}\n{unknown(out)}")
    return out


def test_history(tap):
    with Repo() as r:
        want = shape(r)
        out = check_shape(tap, r, want, "loose objects: each key with its first commit, path and state")
        tap.eq(unknown(out), [], "nothing left unknown")
        keep("P1.6.txt", "--history", "--only", "secret.in-history", r.dir)
        tap.ok(any("no branch or tag" in (evidence(f, "reachable") or "") for f in ours(out)), "an unreachable commit is called so")
        r.git("-c", "gc.pruneExpire=never", "-c", "gc.reflogExpire=never", "repack", "-adfk", "--depth=50")
        check_shape(tap, r, want, "one pack")
        r.git("-c", "repack.useDeltaBaseOffset=false", "repack", "-adfk")
        check_shape(tap, r, want, "REF_DELTA")
        r.commit(late="late\n")
        r.git("repack", "-d")
        r.commit(later="later\n")
        check_shape(tap, r, want, "two packs and loose objects")
        r.git("repack", "-d")
        r.git("multi-pack-index", "write")
        check_shape(tap, r, want, "several packs with a multi-pack index")
        r.git("repack", "-adfk")
        r.git("repack", "-adfk", "--write-bitmap-index")
        bare = os.path.join(r.tmp.name, "bare")
        shutil.copytree(os.path.join(r.dir, ".git"), bare)
        check_shape(tap, r, want, "a bare repository", target=bare)
        shared = os.path.join(r.tmp.name, "shared")
        r.git("clone", "-q", "--shared", r.dir, shared)
        out = check_shape(tap, r, want, "a clone that borrows its objects", target=shared)
        linked = os.path.join(r.tmp.name, "linked")
        r.git("worktree", "add", "-q", linked, "HEAD")
        check_shape(tap, r, want, "a linked work tree", target=linked)
        r.git("pack-refs", "--all")
        check_shape(tap, r, want, "packed references")
        r.git("replace", r.git("rev-parse", "HEAD"), r.git("rev-parse", "HEAD~1"))
        check_shape(tap, r, want, "replace references are looked behind")
        with open(os.path.join(r.dir, ".git/info/grafts"), "w") as f:
            f.write(r.git("--no-replace-objects", "rev-parse", "HEAD") + "\n")
        check_shape(tap, r, want, "grafts are looked behind")
        st, out, err = scan(r.dir, "--history")
        tap.ok("replace refs or grafts" in err, "and said", err)
        st, out, err = scan(r.dir, "--history", "--since", want[2][0][:10])
        got = sorted(f["subject"]["path"] for f in ours(out))
        tap.eq(got, ["c", "f", "m"], "--since: only what came after")
        st, out, err = scan(r.dir, "--history", "--since", "nonsense")
        tap.ok(st == 2 and "no such commit" in err, "--since: an unknown commit", err)


def test_packed_refs(tap):
    """A packed reference counts until a loose one takes its place, as in git."""
    with Repo() as r:
        r.commit(a="x\n")
        r.commit(a=key(1) + "\n")
        r.git("branch", "side/one")
        r.git("pack-refs", "--all")
        os.makedirs(os.path.join(r.dir, ".git/refs/heads/side/one"), exist_ok=True)
        st, out, err = scan(r.dir, "--history")
        tap.eq([evidence(f, "reachable") for f in ours(out)], [None], "packed; a folder of that name is no reference")
        r.git("update-ref", "refs/heads/side/one", "main~1")
        r.git("update-ref", "refs/heads/main", "main~1")
        st, out, err = scan(r.dir, "--history")
        tap.ok([evidence(f, "reachable") is not None for f in ours(out)] == [True], "replaced by loose ones", out["findings"])


def tree_object(r, entries):
    """A tree as nobody would make it: its id."""
    data = b"".join(b"%s %s\0%s" % (mode, name, bytes.fromhex(id)) for mode, name, id in entries)
    return r.git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", input=data)


def test_still_there(tap):
    """Whether HEAD has what was found, at that path or another; also where its folders hold each other ten times over, ten deep."""
    with Repo() as r:
        r.commit(old__k=key(1) + "\n", old__m=key(2) + "\n", stays=key(3) + "\n", gone=key(4) + "\n", twice__a=key(5) + "\n",
                 whole__k=key(6) + "\n")
        r.git("mv", "old", "new")
        r.git("mv", "whole", "moved")
        r.git("rm", "-q", "gone")
        r.commit(new__m="changed\n" + key(2) + "\n", twice__b=key(5) + "\n")
        bare = os.path.join(r.tmp.name, "bare")
        r.git("clone", "-q", "--bare", "file://" + r.dir, bare)
        st, out, err = scan(bare, "--history")
        got = {f["subject"]["path"]: evidence(f, "still in the tree") for f in ours(out)}
        tap.eq(got, {"old/k": "under another path", "old/m": "under another path", "new/k": "yes", "new/m": "yes", "whole/k": "under another path", "stays": "yes", "gone": "no",
                     "twice/a": "yes", "twice/b": "yes"}, "yes, under another path, no")
    with Repo() as r:
        r.write("d/k", key(1) + "\n")
        r.git("add", "d/k")
        top = tree_object(r, [(b"0100644", b"k", r.git("hash-object", "d/k"))])
        r.git("update-ref", "HEAD", r.git("commit-tree", "-m", "x", tree_object(r, [(b"040000", b"d", top)])))
        st, out, err = scan(r.dir, "--history", "--only", "secret.in-history")
        tap.eq([(f["subject"]["path"], evidence(f, "still in the tree")) for f in ours(out)], [("d/k", "yes")], "modes with a zero before")
        st, out, err = scan(r.dir, "--staged")
        tap.eq((st, ours(out, "secret.in-code")), (0, []), "and --staged")
    for names, why in (([b"%d" % i for i in range(10)], []),
                       ([b"d"] * 10, [("too-large", "HEAD has more than 4000000 entries: whether it still has what was found is not known")])):
        with Repo() as r:
            r.write("k", key(1) + "\n")
            top, mode = r.git("hash-object", "-w", "k"), b"100644"
            for _ in range(10):
                top, mode = tree_object(r, [(mode, n, top) for n in names]), b"40000"
            r.git("update-ref", "HEAD", r.git("commit-tree", "-m", "x", top))
            start = time.monotonic()
            st, out, err = scan(r.dir, "--history")
            tap.ok(time.monotonic() - start < 20 * SLOW and len(ours(out)) == len(set(names)) and unknown(out) == why and
                   {evidence(f, "still in the tree") for f in ours(out)} == {"yes"}, f"10^10 ways to one blob as {names[-1]}",
                   (unknown(out), ours(out)))
            if not why:
                continue
            r.git("add", "k")
            start = time.monotonic()
            st, out, err = scan(r.dir, "--staged")
            tap.ok(time.monotonic() - start < 60 * SLOW and unknown(out) == [("too-large", "what is staged cannot be read")],
                   "and --staged", (st, unknown(out)))


def test_sha256(tap):
    with Repo("--object-format=sha256") as r:
        want = shape(r)
        check_shape(tap, r, want, "SHA-256, loose")
        r.git("repack", "-adfk")
        check_shape(tap, r, want, "SHA-256, packed")


def test_incomplete(tap):
    with Repo() as r:
        want = shape(r)
        shallow = os.path.join(r.tmp.name, "shallow")
        r.git("clone", "-q", "--depth", "2", "file://" + r.dir, shallow)
        st, out, _ = scan(shallow, "--history", "--only", "secret.in-history")
        tap.ok(("absent", "a shallow clone: older commits are not here") in unknown(out), "a shallow clone is not a clean one")
        r.git("config", "uploadpack.allowFilter", "true")
        partial = os.path.join(r.tmp.name, "partial")
        r.git("clone", "-q", "--no-checkout", "--filter=blob:none", "file://" + r.dir, partial)
        st, out, _ = scan(partial, "--history")
        tap.ok(any("partial clone" in b for _, b in unknown(out)) and st == 3, "a partial clone: could not check, status 3", unknown(out))
        for args, status in ((("--history", "--fail-on", "critical"), 3), (("--history", "--only", "pavise-test."), 3),
                             (("--history", "--only", "own-value"), 3), (("--history", "--only", "secret.in-code"), 0),
                             (("--history", "--skip", "secret.in-history"), 0)):
            st, out, _ = scan(partial, *args)
            tap.eq((st, bool(unknown(out))), (status, status == 3), f"could not check, with {' '.join(args)}")
        for option in ("--only", "--skip"):
            st, out, err = scan(partial, option, "secret.in-code,gitub.")
            tap.ok(st == 2 and f"{option}: no rule and no finding is called `gitub.`" in err, f"{option} with a word that means nothing is no clean scan", (st, out, err))
        with Repo() as many:
            for i in range(300):
                with open(os.path.join(many.dir, f"{i}.xz"), "wb") as f:
                    f.write(b"\xfd7zXZ\0%d" % i)
            with open(os.path.join(many.dir, "zz.zip"), "wb") as f:
                f.write(zipped({"x": b"x"})[:-30])
            many.commit()
            for how in ((), ("--history",)):
                st, out, err = scan(many.dir, *how)
                tap.ok(st == 3 and unknown(out) and re.search(r"(?m)^\d+ more remarks are not told$", err),
                       f"a damaged file behind 300 remarks {how}: could not check, and how much is not told", (st, unknown(out), err[-200:]))
        sub = os.path.join(r.tmp.name, "super")
        subprocess.check_call(["git", "init", "-q", sub], env=ENV)
        subprocess.check_call(["git", "-C", sub, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", r.dir, "mod"], env=ENV)
        st, out, err = scan(sub, "--history")
        tap.ok("a submodule: scan it by itself" in err, "a submodule is named", err)
        # A clone of a folder takes all objects along, reachable or not.
        check_shape(tap, r, want, "a submodule by itself", target=os.path.join(sub, "mod"))


def test_damage(tap):
    """Bytes of a pack overwritten or cut: it ends, in little memory, and does not say that all is well."""
    rng, wrong, unsure = random.Random(3), [], 0
    with Repo() as r:
        shape(r)
        r.git("repack", "-adfk")
        packs = os.path.join(r.dir, ".git/objects/pack")
        name = next(x for x in os.listdir(packs) if x.endswith(".pack"))
        path = os.path.join(packs, name)
        os.chmod(path, 0o644)
        with open(path, "rb") as f:
            good = f.read()
        idx = path[:-5] + ".idx"
        os.chmod(idx, 0o644)
        with open(idx, "rb") as f:
            good_idx = f.read()
        for i in range(60):
            bad, bad_idx = bytearray(good), bytearray(good_idx)
            if i % 3 == 0:
                bad = bad[:rng.randrange(len(bad))]
            elif i % 3 == 1:
                for _ in range(rng.randrange(1, 20)):
                    bad[rng.randrange(12, len(bad) - 20)] = rng.randrange(256)
            else:
                for _ in range(rng.randrange(1, 20)):
                    bad_idx[rng.randrange(8, len(bad_idx) - 40)] = rng.randrange(256)
            for p, data in ((path, bad), (idx, bad_idx)):
                with open(p, "wb") as f:
                    f.write(data)
            st, out, err = scan(r.dir, "--history")
            unsure += bool(unknown(out))
            if st not in (0, 1, 3) or "broken" in out:
                wrong.append((i, st, err[:200]))
            if i % 3 == 0 and not unknown(out):
                wrong.append((i, "cut, and not said"))
        tap.ok(not wrong, "60 damaged packs", wrong[:3])
        tap.ok(unsure >= 40, f"could not check was said for {unsure} of them")


def test_foreign(tap):
    """What a stranger's repository would like to have run, or opened."""
    with Repo() as r:
        r.commit(a="x\n")
        mark = os.path.join(r.tmp.name, "ran")
        for k in ("core.fsmonitor", "core.pager", "diff.external", "filter.x.clean", "core.sshCommand", "alias.log"):
            r.git("config", k, f"touch {mark}")
        r.write(".gitattributes", "* filter=x diff=x\n")
        for hook in ("post-checkout", "post-index-change", "fsmonitor-watchman"):
            with open(os.path.join(r.dir, ".git/hooks", hook), "w") as f:
                f.write(f"#!/bin/sh\ntouch {mark}\n")
            os.chmod(os.path.join(r.dir, ".git/hooks", hook), 0o755)
        st, out, _ = scan(r.dir, "--history")
        tap.ok(st == 0 and not os.path.exists(mark), "nothing of its configuration and hooks was run")
        odd = os.path.join(r.tmp.name, "odd")
        os.makedirs(odd)
        for text in ("gitdir: /nonexistent", "nonsense", "gitdir: " + "x" * 5000, "gitdir: ../odd/.git", "gitdir: /dev/zero"):
            with open(os.path.join(odd, ".git"), "w") as f:
                f.write(text)
            st, out, err = scan(odd, "--history")
            tap.ok(st == 3 and unknown(out), f".git says `{text[:30]}`: could not check", (st, err))
        if os.geteuid() == 0:
            os.unlink(os.path.join(odd, ".git"))
            with open(os.path.join(odd, ".git"), "w") as f:
                f.write("gitdir: " + os.path.join(r.dir, ".git"))
            os.chown(odd, 65534, 65534)
            st, out, err = scan(odd, "--history")
            tap.ok(("permission", "it points to what belongs to somebody else: not followed") in unknown(out),
                   "root does not follow a stranger's .git to what is not the stranger's", unknown(out))


# --- archives ---------------------------------------------------------------------------------------------------------

def zipped(files, how=zipfile.ZIP_DEFLATED):
    b = io.BytesIO()
    with zipfile.ZipFile(b, "w", how) as z:
        for name, text in files.items():
            z.writestr(name, text)
    return b.getvalue()


def tarred(files, form=tarfile.GNU_FORMAT):
    b = io.BytesIO()
    with tarfile.open(fileobj=b, mode="w", format=form) as t:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            t.addfile(info, io.BytesIO(text))
    return b.getvalue()


def test_archives(tap):
    """Every form, three deep; what is more is not unpacked, and said."""
    def line(n):
        return b"one\n'%s'\n" % key(n).encode()
    long, pax, split = "n" * 150 + "/e", "n" * 220 + "/\u00fc", "d" * 90 + "/" + "e" * 90
    files = {
        "a.zip": (zipped({"lib/x.js": line(1), "y": b"no"}), "!lib/x.js"), "s.jar": (zipped({"x": line(2)}, zipfile.ZIP_STORED), "!x"),
        "t.tar": (tarred({"d/e": line(3)}), "!d/e"), "long.tar": (tarred({long: line(4)}), "!" + long),
        "pax.tar": (tarred({pax: line(5)}, tarfile.PAX_FORMAT), "!" + pax), "u.tar": (tarred({split: line(6)}, tarfile.USTAR_FORMAT), "!" + split),
        "log.gz": (gzip.compress(line(7)), ""), "t.tgz": (gzip.compress(tarred({"in/f": line(8)})), "!in/f"),
        "three.zip": (zipped({"m.zip": zipped({"i.tar": tarred({"deep": line(9)})})}), "!m.zip!i.tar!deep"),
        "parts.gz": (gzip.compress(b"") + gzip.compress(line(10)), ""),
        "inside.zip": (zipped({"conf": b"x: " + base64.b64encode(line(11))}), "!conf"),
    }
    bad = {
        "four.zip": (zipped({"m.zip": zipped({"i.zip": zipped({"4.zip": zipped({"f": line(20)})})})}), "archives in archives more than 3 deep"),
        "bomb.gz": (gzip.compress(bytes(300 << 20)), "what is packed in it is more than 64 MB, or more than 100 times"),
        "bomb.zip": (zipped({f"b{i}": bytes(20 << 20) for i in range(8)}), "what is packed in it is more than 64 MB, or more than 100 times"),
        "cut.zip": (zipped({"x": line(21)})[:-30], "a damaged archive"), "cut.tar": (tarred({"x": bytes(2000)})[:700], "a damaged archive"),
    }
    with tempfile.TemporaryDirectory(prefix="pvscan-") as d:
        with open(os.path.join(d, "sparse"), "wb") as f:
            for i in range(60):
                f.seek(i << 20)
                f.write(line(30) if i == 40 else b"x\n")
        plain = tarred({"after": line(31)})
        with open(os.path.join(d, "s.tar"), "wb") as f:
            f.write(subprocess.check_output(["tar", "-C", d, "--format=gnu", "-cSf", "-", "sparse"]).rstrip(b"\0"))
            f.write(bytes(-f.tell() % 512) + plain)
        tap.ok(os.path.getsize(os.path.join(d, "s.tar")) < 1 << 20, "tar made a sparse file")
        st, out, err = scan(d, "--only", "pavise-test.key")
        tap.eq(sorted(f["subject"]["path"] for f in out["findings"]), ["s.tar!after", "s.tar!sparse", "sparse"], "a sparse file in a tar")
    with Repo() as r:
        for name, (data, _) in {**files, **bad}.items():
            with open(os.path.join(r.dir, name), "wb") as f:
                f.write(data)
        want = sorted(name + inner for name, (_, inner) in files.items())
        st, out, err = scan(r.dir)
        got = ours(out, "secret.in-code")
        tap.eq(sorted(f["subject"]["path"] for f in got), want, "zip, jar, tar of three kinds, gzip, one in another: every key by its place")
        tap.ok(all(f["subject"]["line"] == (1 if "inside" in f["subject"]["path"] else 2) for f in got), "by its line in there")
        because = {(f["subject"].get("path"), evidence(f, "because")) for f in out["findings"] if f["verdict"] == "unknown"}
        missing = [n for n, (_, why) in bad.items() if not any(p == n and b.startswith(why) for p, b in because)]
        tap.ok(not missing, "too deep, too much, damaged: could not check, each by its name", (missing, because))
        start = time.monotonic()
        st, mb = peak(r.dir)
        tap.ok(mb < 200 and time.monotonic() - start < 20 * SLOW, f"bombs take {mb} MB")
        os.unlink(os.path.join(r.dir, "bomb.gz"))
        r.git("add", "a.zip", "t.tgz")
        st, out, err = scan(r.dir, "--staged")
        tap.eq(sorted(f["subject"]["path"] for f in ours(out, "secret.in-code")), ["a.zip!lib/x.js", "t.tgz!in/f"], "staged")
        first = r.commit()
        r.git("rm", "-q", "three.zip")
        r.commit()
        st, out, err = scan(r.dir, "--history")
        got = ours(out)
        tap.eq(sorted(f["subject"]["path"] for f in got), want, "the same in the history")
        tap.ok(all(f["subject"]["commit"] == first for f in got), "with their first commit")
        tap.eq([f["subject"]["path"] for f in got if evidence(f, "still in the tree") == "no"], ["three.zip!m.zip!i.tar!deep"],
               "and whether they are still in the tree")


# --- other sources, sizes ---------------------------------------------------------------------------------------------

def peak(target, *args, stdin=None):
    """Peak resident memory in MB of the children so far is monotone: run in a child of its own."""
    code = ("import resource,subprocess,sys;p=subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL,stderr=subprocess.DEVNULL);"
            "print(p.returncode,resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss//1024)")
    argv = [sys.executable, "-c", code, PAVISE, "scan", "--rules", RULE_DIR, *args] + ([target] if target else [])
    out = subprocess.run(argv, env=ENV, stdin=stdin, capture_output=True, timeout=300).stdout.split()
    return int(out[0]), int(out[1])


def test_large(tap):
    st, out, _ = scan(None, "--stdin", stdin=f"a\nb {key(1)} c\n".encode())
    tap.eq([(f["subject"]["name"], f["subject"]["line"]) for f in ours(out, "secret.in-code")], [("standard input", 2)], "standard input")
    with tempfile.TemporaryDirectory(prefix="pvscan-") as d:
        path = os.path.join(d, "big.txt")
        with open(path, "wb") as f:  # one line of 300 MB with keys at the seams of the windows
            chunk = b"lorem ipsum " * 87381
            for i in range(300):
                f.write(chunk)
                if i % 8 == 0:
                    f.write(b" %s " % key(i).encode())
        st, out, err = scan(d)
        tap.eq(len(ours(out, "secret.in-code")), 38, "one line of 300 MB: every key once")
        tap.ok("windows" in err, "that it was looked at in windows is said", err)
        st, mb = peak(d)
        tap.ok(st == 1 and mb < 128, f"at {mb} MB of memory")
        path = os.path.join(d, "app.zip")
        data = zipped({"x": random.Random(1).randbytes(17 << 20), "y": key(1).encode()}, zipfile.ZIP_STORED)
        with open(path, "wb") as f:
            f.write(data)
        st, out, err = scan(path)
        tap.eq((st, [f["subject"]["path"] for f in ours(out, "secret.in-code")]), (1, [path + "!y"]), "a zip of 17 MB, by its name")
        tap.ok("windows" not in err, "as a whole", err)
        st, out, err = scan(None, "--stdin", stdin=data)
        tap.ok("larger than 16 MB: looked at in windows" in err, "on standard input: what is said is so", err)
    with Repo() as r:
        r.git("config", "core.bigFileThreshold", "1m")
        with open(os.path.join(r.dir, "big"), "wb") as f:
            for i in range(280):
                f.write(b"lorem ipsum\n" * 87381)
            f.write(key(9).encode() + b"\n")
        want = r.commit("big")
        os.unlink(os.path.join(r.dir, "big"))
        st, out, err = scan(r.dir, "--history")
        tap.eq([(f["subject"]["path"], f["subject"]["line"], f["subject"]["commit"]) for f in ours(out)],
               [("big", 280 * 87381 + 1, want)], "a loose blob of 290 MB")
        r.git("repack", "-adfk")
        st, out, err = scan(r.dir, "--history")
        tap.eq(len(ours(out)), 1, "packed")
        st, mb = peak(r.dir, "--history")
        tap.ok(mb < 128, f"at {mb} MB of memory")


def varint(v):
    return bytes([v & 127]) if v < 128 else bytes([v & 127 | 128]) + varint(v >> 7)


def packed(kind, size, data, base=b""):
    """One entry of a pack."""
    return bytes([kind << 4 | size & 15 | (size > 15) << 7]) + (varint(size >> 4) if size > 15 else b"") + base + data


def test_large_base(tap):
    """A small blob that is a delta of one too large to hold."""
    size, new = (256 << 20) + 4096, key(1).encode() + b"\n"
    z, sha, chunk = zlib.compressobj(1), hashlib.sha1(b"blob %d\0" % size), bytes(1 << 20)
    data = b""
    for at in range(0, size, len(chunk)):
        part = chunk[:size - at]
        sha.update(part)
        data += z.compress(part)
    data += z.flush()
    delta = varint(size) + varint(len(new)) + bytes([len(new)]) + new
    pack = b"PACK" + (2).to_bytes(4, "big") + (2).to_bytes(4, "big") + packed(3, size, data) + \
        packed(7, len(delta), zlib.compress(delta), sha.digest())
    with Repo() as r:
        r.git("index-pack", "--stdin", input=pack + hashlib.sha1(pack).digest())
        st, out, err = scan(r.dir, "--history")
        tap.eq((st, unknown(out)), (3, [("too-large", "deltas of an object of 256 MB were not looked at")]), "could not check")


def test_many_alike(tap):
    """Thousands of secrets of one rule in one file: told apart, in time that grows with their number."""
    took = {}
    for n in (500, 10000):
        start = time.monotonic()
        st, out, err = scan(None, "--stdin", stdin="".join(key(i) + "\n" for i in range(n)).encode())
        took[n] = time.monotonic() - start
        got = ours(out, "secret.in-code")
        tap.eq((len(got), len({f["fingerprint"] for f in got})), (n, n), f"{n} secrets, as many fingerprints")
        if n == 500:
            first = [f["fingerprint"] for f in got]
        else:
            tap.ok(set(first) <= {f["fingerprint"] for f in got}, "the first keep theirs")
    tap.ok(took[10000] < 10 * SLOW, f"in {took[10000]:.1f} s")


def test_container(tap):
    """A made-up engine on a socket of its own."""
    body = json.dumps({"Id": "0" * 64, "Config": {"Env": ["PATH=/usr/bin", "API=" + key(3), "X=\x1b[31m"]},
                       "GraphDriver": {"Data": {}}}).encode()
    with tempfile.TemporaryDirectory(prefix="pvscan-") as d:
        if os.geteuid() != 0:
            raise Skip("the configuration must belong to root")
        path = os.path.join(d, "docker.sock")
        s = socket.socket(socket.AF_UNIX)
        s.bind(path)
        s.listen(4)

        def serve():
            while True:
                try:
                    c, _ = s.accept()
                except OSError:
                    return
                ask = c.recv(4096).decode()
                found = ask.startswith("GET /containers/web/json ")
                c.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (b"200 OK" if found else b"404 Not Found",
                                                                         len(body) if found else 0))
                c.sendall(body if found else b"")
                c.close()
        threading.Thread(target=serve, daemon=True).start()
        conf = os.path.join(d, "pavise.yaml")
        with open(conf, "w") as f:
            f.write(f"docker: {{ socket: {path} }}\n")
        st, out, err = scan(None, "--config", conf, "--container", "web")
        got = [(f["subject"]["kind"], f["subject"]["name"], f["subject"]["path"]) for f in ours(out, "secret.in-code")]
        tap.eq(got, [("container", "web", "environment")], "a key in the environment of a container")
        tap.eq([x for x, _ in unknown(out)], ["unsupported"], "changed files that cannot be found are unknown")
        st, out, err = scan(None, "--config", conf, "--container", "nobody")
        tap.eq((st, [x for x, _ in unknown(out)]), (3, ["absent"]), "no such container")
        st, out, err = scan(None, "--config", conf, "--container", "../x")
        tap.eq(st, 2, "no name of a container")
        s.close()


def test_real_container(tap):
    """A real engine: the environment, the files that the container changed, and nothing else of the machine."""
    with pvtest.Dockerd() as d:
        if d.api("GET", "/info")["Driver"] != "overlay2":
            raise Skip("this dockerd keeps changed files in no overlay")
        script = f"mkdir -p /srv/app; echo x={key(4)} >/srv/app/conf; echo {key(5)} >/bin/plain; ln -s /etc/hostname /srv/link; sleep 1000"
        c = d.run(["sh", "-c", script], name="shop", env=["API=" + key(3), "SESSION_SECRET=Zx81kfjw92kdkkei"])
        upper = d.api("GET", f"/containers/{c.id}/json")["GraphDriver"]["Data"]["UpperDir"]
        pvtest.wait_for(lambda: os.path.exists(os.path.join(upper, "bin/plain")), 20)
        with open(os.path.join(upper, "own"), "w") as f:
            f.write("Zx81kfjw92kdkkei\n")
        with tempfile.TemporaryDirectory(prefix="pvscan-") as tmp:
            conf = os.path.join(tmp, "pavise.yaml")
            with open(conf, "w") as f:
                f.write(f"docker: {{ socket: {d.sock} }}\n")
            st, out, err = scan(None, "--config", conf, "--container", "shop")
        got = sorted((f["subject"]["path"], f["subject"]["line"]) for f in ours(out, "secret.in-code"))
        tap.eq(got, [("bin/plain", 1), ("environment", 2), ("srv/app/conf", 1)], "its environment (its first line is the canary of test/lib) and the files that it changed")
        own = [(f["subject"]["path"], evidence(f, "value of")) for f in out["findings"] if evidence(f, "rule") == "own-value"]
        tap.eq(own, [("own", "SESSION_SECRET")], "a value of its environment in one of its files")
        tap.eq((st, unknown(out)), (1, []), "nothing left unknown")
        tap.ok(not any(x in json.dumps(out) for x in (key(3), key(4), "Zx81kfjw92kdkkei")), "no value in the report")


def waiting_child(*args, **kw):
    """A scan of standard input that waits for its text: (process, pid of pavise-scan)"""
    p = subprocess.Popen([PAVISE, "scan", "--stdin", "--rules", RULE_DIR, *args], env=ENV, stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)

    def child():
        for pid in os.listdir("/proc"):
            try:
                with open(f"/proc/{pid}/status") as f:
                    status = f.read()
            except (OSError, ValueError):
                continue
            if re.search(r"(?m)^Name:\tpavise-scan$", status) and re.search(rf"(?m)^PPid:\t{p.pid}$", status) and \
               re.search(r"(?m)^Seccomp_filters:\t1$", status):
                return int(pid)
        return 0
    if not pvtest.wait_for(child, 30):
        p.kill()
        raise RuntimeError("pavise-scan does not wait for its text")
    return p, child()


def test_limits(tap):
    """What pavise-scan may still do when it looks at the first byte: asked of the kernel, and of the filter in force."""
    scan(None, "--stdin", stdin=b"")
    p, pid = waiting_child()
    try:
        with open(f"/proc/{pid}/status") as f:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
        tap.eq((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"), "no new privileges, and a filter")
        if os.geteuid() == 0:
            tap.eq({k: int(status[k], 16) & ~(1 << 2) for k in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")},
                   dict.fromkeys(("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"), 0), "as root: no capability but reading")
            tap.eq(os.stat(f"/proc/{pid}").st_uid, 0, "not dumpable")
            calls = ("read", "openat", "socket", "connect", "bind", "listen", "execve", "execveat", "ptrace", "setuid", "mount",
                     "init_module", "unshare", "process_vm_readv", "setns", "bpf", "open_by_handle_at", "io_uring_setup")
            got = pvseccomp.answers(pid, calls)
            tap.eq([c for c in calls if got[c] == "allow"], ["read", "openat"], "system calls: reading; no network, no program, no other process")
    finally:
        p.communicate(b"")
    tap.eq(p.returncode, 0, "it ends well")


def test_differential(tap):
    """A generated repository: what is found is what a search through every blob finds."""
    with Repo() as r:
        shutil.rmtree(r.dir)
        subprocess.check_call([sys.executable, os.path.join(REPO, "bench/mkrepo.py"), r.dir, "--commits", "1500", "--files", "150",
                               "--secrets", "60"], env=ENV, stdout=subprocess.DEVNULL)
        ids = [l.split()[0] for l in r.git("cat-file", "--batch-all-objects", "--batch-check").splitlines() if " blob " in l]
        text = subprocess.run(["git", "-C", r.dir, "cat-file", "--batch"], env=ENV, input="\n".join(ids).encode(),
                              stdout=subprocess.PIPE).stdout
        rules = RULES.replace("pvtest_", "gh" + "p_").replace("pvte+st_", "gh+p_").replace("[a-f0-9]{32}", "[A-Za-z0-9]{36}") \
            .replace("00112233445566778899aabbccddeeff", "00112233445566778899aabbccddeeff0123")
        want = len(set(re.findall(rb"\bgh" + rb"p_[A-Za-z0-9]{36}\b", text)))
        own = os.path.join(r.tmp.name, "rules")
        os.makedirs(own)
        with open(os.path.join(own, "t.yaml"), "w") as f:
            f.write(rules)
        p = subprocess.run([PAVISE, "scan", "--history", "--format", "json", "--rules", own, r.dir], env=ENV, capture_output=True)
        out = json.loads(p.stdout)
        found = [f for f in out["findings"] if f["id"] == "secret.in-history" and evidence(f, "rule") in ("pavise-test.key", "github.pat")]
        tap.ok(want == 60 and len(found) == want, f"{want} keys", (len(found), p.stderr))


def examples():
    """The texts of all rules' own examples."""
    out, folder = [], os.path.join(REPO, "rules", "secret")
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name)) as f:
            for quote, text in re.findall(r"(?m)^        - (['\"])(.*)\1$", f.read()):
                text = text.replace("''", "'") if quote == "'" else json.loads(f'"{text}"') if "\\x" not in text else ""
                text = re.sub(r"\+(\+)?", lambda m: "+" if m.group(1) else "", text)
                out.append(text.replace("«", "").replace("»", ""))
    return [t for t in out if t]


def edit(rng, lines, texts):
    """One change as people make it: an example comes, lines go, move, are joined, or a character in one changes."""
    at, what = rng.randrange(len(lines)), rng.random()
    if what < 0.4:
        lines.insert(at, rng.choice(texts))
    elif what < 0.5:
        del lines[at:at + rng.randrange(1, 4)]
    elif what < 0.7:
        k = rng.randrange(len(lines[at]) + 1)
        lines[at] = lines[at][:k] + rng.choice(["", "x", " ", "9", "\n", "-", '"']) + lines[at][k + rng.randrange(3):]
    elif what < 0.8:
        lines[at:at + 2] = ["".join(lines[at:at + 2])]
    else:
        moved = lines[at:at + 5]
        del lines[at:at + 5]
        to = rng.randrange(len(lines))
        lines[to:to] = moved


def test_windows(tap):
    """With all our rules: looking at what changed finds all that looking at every version as a whole finds, and nothing else."""
    program = os.path.join(REPO, "build", "meson", "test", "pvhistory")
    if not os.path.exists(program):
        raise Skip("the helper pvhistory is not built")
    rng, texts = random.Random(11), examples()
    words = "alpha beta return const if x = 42 secret data: kind: token".split()
    files = {f"f{i}": [" ".join(rng.choices(words, k=rng.randrange(3, 14))) for _ in range(300)] for i in range(8)}
    with Repo() as r:
        for _ in range(70):
            for name in rng.sample(sorted(files), 5):
                for _ in range(rng.randrange(1, 8)):
                    edit(rng, files[name], texts)
            r.commit(**{name: "\n".join(lines) for name, lines in files.items()})
        r.git("repack", "-adfq", "--depth=50", "--window=20")
        got = {}
        for how in ("whole", "windows"):
            p = subprocess.run([program, os.path.join(REPO, "rules", "secret"), r.dir, how], env=ENV, capture_output=True)
            got[how] = sorted(p.stdout.decode(errors="replace").splitlines())
            looked = int(p.stderr.split(b" looked at")[0].split()[-1])
            tap.note(f"{how}: {len(got[how])} places, {looked} bytes looked at")
        tap.ok(len(got["whole"]) > 150, "enough to compare", len(got["whole"]))
        lost, more = set(got["whole"]) - set(got["windows"]), set(got["windows"]) - set(got["whole"])
        tap.ok(not lost and not more, "rule, path, line, first commit, versions, HEAD: the same", (sorted(lost)[:5], sorted(more)[:5]))


main(test_tree, test_ignore_rules, test_own_values, test_exceptions, test_staged, test_history, test_packed_refs, test_still_there, test_sha256, test_incomplete,
     test_damage, test_foreign, test_archives, test_large, test_large_base, test_many_alike, test_container, test_real_container, test_limits, test_differential,
     test_windows)

#!/usr/bin/env python3
"""A large git repository that is the same on every machine: bench/mkrepo.py DIR [--commits N] [--files N] [--secrets N]

Sources of several kinds that grow and change as people change them, feature branches that are merged, deleted files.
The defaults give about 110,000 blobs and 1.2 GB of content. Written with `git fast-import`, then packed as a host would.
`--secrets N` puts N made-up tokens, each of another value, into revisions that lie evenly over the history; half of them
are taken out again by a later revision. Prints one JSON line with what was made."""

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys

START = 1420070400  # 2015-01-01
SYLLABLES = "ba ce di fo gu ha je ki lo mu na pe qui ro su ta ve wi xo yu za tra ple ske min der ver con pre for ter".split()
KINDS = [
    ("js", ["  const {a} = await {b}.{c}({d}, {{ {a}: {n} }});", "  if ({a} !== {b}.{c}) {{", "  }}", "", "import {a} from './{b}/{c}';",
            "  return {a}.map(({b}) => {b}.{c} + {n});", "// {a} {b} {c} {d} before the {a} is {b}", "  {a}.on('{b}', ({c}, {d}) => {{",
            "  logger.info(`{a} {b}: ${{{c}.{d}}}`);", "module.exports = {{ {a}, {b}, {c} }};"]),
    ("py", ["    {a} = {b}.{c}({d}={n})", "    if {a} is not {b}:", "        return {c}[{n}]", "", "from {a}.{b} import {c}",
            "    for {a} in {b}.{c}({d}):", "    # {a} {b} {c} {d} before the {a} is {b}", "def {a}({b}, {c}=None):",
            "    raise {a}Error(f\"{b} {{{c}}} {d}\")", "    assert {a} == {n}"]),
    ("json", ["    \"{a}\": \"{b}-{c}\",", "    \"{a}\": {n},", "    \"{a}\": {{", "    }},", "      \"version\": \"{n}.{m}.{n}\",",
              "      \"resolved\": \"https://registry.example/{a}/-/{a}-{n}.{m}.tgz\",", "      \"integrity\": \"sha512-{h}==\","]),
    ("md", ["{a} {b} {c} {d} {b} {a} when {c} has {d}.", "## {a} {b}", "", "* `{a}`: {b} {c} {d}", "See [{a}](./{b}.md) for {c}."]),
]


def words(rng, n):
    seen = set()
    while len(seen) < n:
        seen.add("".join(rng.choice(SYLLABLES) for _ in range(rng.choice((1, 2, 2, 3)))))
    return sorted(seen)


class File:
    def __init__(self, rng, vocabulary, index):
        self.rng, self.vocabulary = random.Random(rng.random()), vocabulary
        self.kind, self.lines = rng.choices(KINDS, (5, 3, 1, 1))[0]
        depth = rng.choice((1, 2, 2, 3, 3, 3, 4, 5))
        top = rng.randrange(24)
        parts = [vocabulary[(top * 37 + 11 * d * (index % (3 ** d + 1))) % len(vocabulary)] for d in range(depth)]
        self.path = "/".join(parts + [f"{rng.choice(vocabulary)}{index}.{self.kind}"])
        # A few files are much larger and change more often than most: lock files, translations, generated code.
        size = int(min(rng.lognormvariate(5.0, 0.95), 6000)) + 4
        self.text = [self.line() for _ in range(size)]
        self.plan = []

    def line(self):
        r, v = self.rng, self.vocabulary
        w = r.choice
        t = w(self.lines)
        h = "%x" % r.getrandbits(256) if "{h}" in t else ""
        return t.format(a=w(v), b=w(v), c=w(v), d=w(v), n=r.randrange(1000), m=r.randrange(30), h=h) + "\n"

    def edit(self):
        r = self.rng
        for _ in range(r.choice((1, 1, 1, 2, 2, 3, 5))):
            at, n = r.randrange(len(self.text)), r.choice((1, 1, 1, 2, 3, 6))
            self.text[at:at + n] = [self.line() for _ in range(r.choice((n, n, n, n + 1, n + 2, max(n - 1, 0))))]
        if len(self.text) < 3:
            self.text += [self.line() for _ in range(5)]


def token(i):
    """Made up from the number; no check sum would hold. In two parts, so that no scanner finds one here."""
    digest = hashlib.sha256(b"bench%d" % i).digest()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    return "gh" + "p_" + "".join(alphabet[b % 62] for b in (digest + digest)[:36])


def schedule(rng, files, commits):
    """[(branch or None, [file], merge of branch or None)]: a branch touches files that the trunk leaves alone meanwhile."""
    out, branches, busy, weights = [], {}, set(), [1 / (1 + i % 97) for i in range(len(files))]
    total, picks, number = sum(weights), [], 0
    cumulative = []
    acc = 0
    for w in weights:
        acc += w / total
        cumulative.append(acc)
    while len(out) < commits:
        if len(picks) < 8:
            picks = rng.choices(range(len(files)), cum_weights=cumulative, k=4096)
        n = rng.choice((1, 1, 2, 2, 3, 3, 4, 8))
        chosen = sorted({picks.pop() for _ in range(min(n, len(picks)))})
        if branches and rng.random() < 0.35:
            name = rng.choice(sorted(branches))
            left, own = branches[name]
            chosen = [f for f in chosen if f not in busy or f in own]
            own.update(chosen)
            busy.update(chosen)
            out.append((name, chosen, None))
            branches[name] = (left - 1, own)
            if left <= 1:
                out.append((None, sorted(own), name))
                busy -= own
                del branches[name]
            continue
        if len(branches) < 4 and rng.random() < 0.03:
            number += 1
            branches[f"feature-{number}"] = (rng.randrange(3, 15), set())
        out.append((None, [f for f in chosen if f not in busy], None))
    return out


def write_blob(out, mark, data):
    out.write(b"blob\nmark :%d\ndata %d\n" % (mark, len(data)))
    out.write(data)
    out.write(b"\n")


def plan_files(plan, files):
    """Each file's revisions in the order they are made, by step; -1: it stands from the first commit on."""
    for f in files:
        f.plan = [-1]
    for step, (_, chosen, merge) in enumerate(plan):
        if not merge:
            for i in chosen:
                files[i].plan.append(step)


def write_blobs(out, files, secrets):
    revisions = sum(len(f.plan) for f in files)
    every = revisions / secrets if secrets else 0
    mark = planted = size = seen = 0
    marks = []
    for f in files:
        own, inside = {}, None
        for step in f.plan:
            if step >= 0:
                f.edit()
            if inside in f.text:
                if int(inside.split("#")[1]) % 2:
                    f.text.remove(inside)
                inside = None
            if every and seen >= planted * every and planted < secrets:
                inside = f"  token: '{token(planted)}', #{planted}\n"
                f.text.insert(len(f.text) // 2, inside)
                planted += 1
            seen += 1
            mark += 1
            data = "".join(f.text).encode()
            size += len(data)
            own[step] = mark
            write_blob(out, mark, data)
        marks.append(own)
    return marks, mark, size, planted


def write_commits(out, plan, files, marks):
    when = START

    def head(branch, text):
        nonlocal when
        when += 1800
        who = b"A. Developer %d <dev%d@example.org> %d +0100" % (when % 23, when % 23, when)
        text = text.encode()
        out.write(b"commit refs/heads/%s\nauthor %s\ncommitter %s\ndata %d\n%s\n" % (branch, who, who, len(text), text))

    def change(i, step):
        out.write(b"M 100644 :%d %s\n" % (marks[i][step], files[i].path.encode()))
    head(b"main", "start")
    for i in range(len(files)):
        change(i, -1)
    latest, open_branches, tips = {}, set(), []
    for step, (branch, chosen, merge) in enumerate(plan):
        name = (branch or "main").encode()
        head(name, f"change {step}" if not merge else f"Merge {merge}")
        if branch and branch not in open_branches:
            out.write(b"from refs/heads/main\n")
            open_branches.add(branch)
        if merge:
            if merge in open_branches:
                out.write(b"merge refs/heads/%s\n" % merge.encode())
            tips.append(merge)
        for i in chosen:
            if merge:
                if (merge, i) in latest:
                    change(i, latest[merge, i])
            else:
                latest[branch, i] = step
                change(i, step)
    return tips


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("dir")
    ap.add_argument("--commits", type=int, default=40000)
    ap.add_argument("--files", type=int, default=5500)
    ap.add_argument("--secrets", type=int, default=0)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--object-format", default="sha1")
    a = ap.parse_args()
    rng = random.Random(a.seed)
    vocabulary = words(rng, 2500)
    files = [File(rng, vocabulary, i) for i in range(a.files)]
    plan = schedule(rng, files, a.commits)
    plan_files(plan, files)
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    subprocess.check_call(["git", "init", "-q", "-b", "main", f"--object-format={a.object_format}", a.dir], env=env)
    imported = subprocess.Popen(["git", "-C", a.dir, "fast-import", "--quiet", "--force", "--depth=50"],
                                stdin=subprocess.PIPE, env=env)
    marks, blobs, size, planted = write_blobs(imported.stdin, files, a.secrets)
    write_commits(imported.stdin, plan, files, marks)
    imported.stdin.close()
    if imported.wait():
        sys.exit("mkrepo: git fast-import failed")
    subprocess.check_call(["git", "-C", a.dir, "-c", "pack.threads=0", "repack", "-a", "-d", "-f", "-q", "--depth=50",
                           "--window=10"], env=env)
    print(json.dumps({"blobs": blobs, "bytes": size, "commits": len(plan) + 1, "files": len(files), "secrets": planted}))


main()

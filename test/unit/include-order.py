#!/usr/bin/env python3
"""include-order.py BUILD: an arrow between the folders of src/ points one way only. Reads which files the build really
used (ninja -t deps), then every #include line of those below src/, and names the line that goes the wrong way. The
broker's objects are checked for everything that reaches them, over any number of headers."""

import os
import re
import subprocess
import sys
import tempfile

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Steps from the ground up; folders of one step do not include each other.
STEPS = [["base"], ["model"], ["bpf"], ["match"], ["host", "engine_api"], ["logs"], ["sense"], ["detect", "check", "scan"],
         ["store"], ["report"], ["act", "notify", "broker", "policy_child", "scan_child", "logs_child", "check_child", "fetch_child", "caps_child", "rules_child", "collector", "launcher"], ["guard"], ["mend"], ["cmd"]]
RANK = {folder: i for i, step in enumerate(STEPS) for folder in step}
# Plain headers that kernel and user space share; they include nothing of ours.
EVERYBODY = {"bpf/event.h", "bpf/dns_match.h", "bpf/classify.h"}
BROKER_FOLDERS = {"broker", "base", "model", "bpf"}
BROKER_FILES = {"engine_api/request.h"}


def includes(path):
    """(line number, name) of each #include "..." of a file."""
    with open(path, errors="replace") as f:
        for n, line in enumerate(f, 1):
            m = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if m:
                yield n, m.group(1)


def judge(path, name):
    """What is wrong with `path` (below src/) including `name`, or None."""
    mine = path.split("/")[0]
    if "/" not in name:
        return f'"{name}": an include names its folder: "{mine}/{name}"'
    theirs = name.split("/")[0]
    if theirs not in RANK:
        return f'"{name}": {theirs}/ is not a folder of the design'
    if mine == "broker":
        if theirs in BROKER_FOLDERS or name in BROKER_FILES:
            return None
        return f'"{name}": the broker sees only base, model, bpf and engine_api/request.h'
    if name in EVERYBODY or theirs == mine:
        return None
    if mine not in RANK:
        return f"{mine}/ is not a folder of the design"
    if RANK[theirs] == RANK[mine]:
        return f'"{name}": {mine} and {theirs} stand on one step and do not include each other'
    return None if RANK[theirs] < RANK[mine] else f'"{name}": {mine} stands below {theirs}'


def check(src, files):
    """Lines `file:line: what`, for files relative to src."""
    bad = []
    for path in sorted(files):
        for n, name in includes(os.path.join(src, path)):
            if generated(src, path, name):
                continue
            wrong = judge(path, name)
            if wrong:
                bad.append(f"src/{path}:{n}: {wrong}")
    return bad


def generated(src, path, name):
    """A header made by the build: the BPF skeletons, which only broker and the commands see."""
    return name.endswith((".skel.h", ".inc")) or \
        ("/" not in name and name.endswith(".h") and not os.path.exists(os.path.join(src, os.path.dirname(path), name)))


def build_deps(build):
    """{object: [files below src/ it was made from]}"""
    src, deps, obj = os.path.join(REPO, "src") + "/", {}, None
    for line in subprocess.check_output(["ninja", "-C", build, "-t", "deps"], text=True).splitlines():
        if line and not line[0].isspace() and ": #deps" in line:
            obj = line.split(": #deps")[0]
            deps[obj] = []
        elif obj and line.strip():
            path = os.path.normpath(os.path.join(build, line.strip()))
            if path.startswith(src):
                deps[obj].append(path[len(src):])
    return deps


def reaches_broker(deps):
    """Headers that reach a broker source, through whatever other header."""
    bad = []
    for obj, files in deps.items():
        if not any(f.startswith("broker/") and f.endswith(".c") for f in files):
            continue
        for f in files:
            if f.split("/")[0] not in BROKER_FOLDERS and f not in BROKER_FILES:
                bad.append(f"{os.path.basename(obj)}: {f} reaches the broker")
    return sorted(set(bad))


def self_test():
    """A planted violation of each kind is found, and a good file passes."""
    with tempfile.TemporaryDirectory() as src:
        cases = {
            "base/a.c": ('#include "base/util.h"\n', 0),
            "base/b.c": ('\n#include "model/notice.h"\n', 1),
            "model/c.h": ('#include "bpf/event.h"\n', 0),
            "model/d.h": ('#  include "store/store.h"\n', 1),
            "host/e.c": ('#include "engine_api/http.h"\n', 1),
            "broker/f.c": ('#include "engine_api/request.h"\n#include "engine_api/answer.h"\n#include "host/cgroup.h"\n', 2),
            "act/g.c": ('#include "guard/guard.h"\n#include "store/store.h"\n', 1),
            "cmd/h.c": ('#include "guard/guard.h"\n', 0),
        }
        for path, (text, _) in cases.items():
            os.makedirs(os.path.join(src, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(src, path), "w") as f:
                f.write(text)
        got = check(src, cases)
        want = sum(n for _, n in cases.values())
        line = any(g.startswith("src/base/b.c:2: ") for g in got)
        through = reaches_broker({"x.o": ["broker/x.c", "base/util.h", "host/cgroup.h"]})
        return len(got) == want and line and len(through) == 1, got


def main():
    build = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(REPO, "build", "meson"))
    n = 0

    def ok(cond, name, detail=()):
        nonlocal n
        n += 1
        print(("ok" if cond else "not ok") + f" {n} - {name}")
        for d in detail if not cond else ():
            print(f"#   {d}")
        return cond
    fine, got = self_test()
    good = ok(fine, "planted violations are found", got)
    deps = build_deps(build)
    files = {f for fs in deps.values() for f in fs}
    good &= ok(len(files) > 10, "the build's dependencies are known", [f"{len(files)} files in {build}"])
    bad = check(os.path.join(REPO, "src"), files)
    good &= ok(not bad, "every include points to the ground", bad)
    bad = reaches_broker(deps)
    good &= ok(not bad, "the broker sees only base, model, bpf and engine_api/request.h", bad)
    print(f"1..{n}")
    sys.exit(0 if good else 1)


main()

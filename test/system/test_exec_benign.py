#!/usr/bin/env python3
"""exec.dropped: what honest containers do goes through. The attacks are in test_exec.py."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvtest import *  # noqa: E402,F403

RUN = "exec:1"
# what, a line for the shell, what it is told as; None: not told
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
    ("a library on a read-only mount", "LD_PRELOAD=/tools/pvlib.so /bin/pvdyn | cut -c1-3", None),
    ("a mounted source folder", "/src/pvran", "volume or another mount"),
    ("an allowed folder in /tmp", "mkdir -p /tmp/allowed && cp /bin/pvran /tmp/allowed/t && /tmp/allowed/t", None),
]


def image(d):
    d.import_image(image_tar(extra=((helper("pvran"), "bin/pvran"), (helper("pvran"), "bin/node"), (helper("pvran"), "bin/npm"), *dynamic_files()[0])), RUN)


def on_disk(name):
    """A folder of the host with the stand-in, to be mounted; on a file system that is no tmpfs: that would be memory."""
    path = os.path.join(REPO, "build", f"pvtest-{os.getpid()}-{name}")
    os.makedirs(path, exist_ok=True)
    os.chmod(path, 0o755)
    for name in ("pvran", "pvdyn", "pvlib"):
        shutil.copy(helper(name), f"{path}/{name}" + ".so" * (name == "pvlib"))
    return path


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


main(test_benign, test_build)

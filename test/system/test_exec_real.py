#!/usr/bin/env python3
"""exec.dropped and exec.web-shell beside real programs: package managers, builds, databases, entrypoints. Nothing of it is refused or
ended. The programs are this machine's own (its /usr, read-only); what they write and run is new to the container. More honest
containers: test_exec_benign.py."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvtest import *  # noqa: E402,F403

REAL = "real:1"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HELLO = '#include <stdio.h>\nint main(void) { puts("BUILT"); return 0; }\n'
PG = next(iter(sorted(glob.glob("/usr/lib/postgresql/*/bin"))), "")

# name, the program it needs, a line for its shell; OK at the end of its output says that it worked
WORK = [
    ("npm-ci", "npm", "cd /root/app && npm install --offline --no-audit --no-fund && rm -rf node_modules && npm ci --offline --no-audit --no-fund && "
     "./node_modules/dep/tool && echo OK"),
    ("npx", "npx", "cd /root/app && npx --offline --yes --package file:/root/app/dep-1.0.0.tgz dep-says && echo OK"),
    ("pnpm-store", "gcc", "mkdir -p /root/app/node_modules/.pnpm/t && gcc -o /root/app/node_modules/.pnpm/t/tool /root/hello.c && "
     "/root/app/node_modules/.pnpm/t/tool && echo OK"),
    ("pip-install", "python3", "python3 -m venv /root/venv && cd /root/py && /root/venv/bin/pip install --no-index --no-build-isolation . && "
     "/root/venv/bin/said && echo OK"),
    ("dpkg-install", "dpkg-deb", "mkdir -p /var/lib/dpkg/updates /var/lib/dpkg/info /etc/dpkg && touch /var/lib/dpkg/status /var/lib/dpkg/available && "
     "dpkg-deb -b /root/deb /root/t.deb && dpkg --force-all -i /root/t.deb && /opt/t/tool && echo OK"),
    ("apt-install", "apt-get", "mkdir -p /var/lib/dpkg/updates /var/lib/dpkg/info /var/lib/apt/lists/partial /var/cache/apt/archives/partial /var/log/apt "
     "/etc/apt/apt.conf.d /etc/apt/preferences.d /etc/apt/sources.list.d /etc/dpkg && touch /var/lib/dpkg/status /etc/apt/sources.list && dpkg-deb -b /root/deb /root/t.deb "
     "&& apt-get -y -o APT::Sandbox::User=root install /root/t.deb && /opt/t/tool && echo OK"),
    ("native-build", "gcc", "cp -r /root/src /root/build && cd /root/build && make && ./hello && echo OK"),
    ("conftest-in-tmp", "gcc", "cd /tmp && gcc -o conftest /root/hello.c && ./conftest && echo OK"),
    ("entrypoint-setpriv", "setpriv", "mkdir -p /data && cp /root/hello.c /data/ && chown -R 65534 /data && "
     "setpriv --reuid=65534 --regid=65534 --clear-groups sh -c 'id -u; ls /data' && echo OK"),
    ("redis", "redis-server", "redis-server --port 6399 --daemonize yes --dir /tmp --save '' && sleep 1 && redis-cli -p 6399 ping && redis-cli -p 6399 "
     "shutdown nosave; echo OK"),
    ("postgres", PG + "/initdb", "mkdir -p /data /etc/pg && chown 65534 /data && setpriv --reuid=65534 --regid=65534 --clear-groups sh -ec '"
     f"{PG}/initdb -D /data/pg -A trust >/dev/null; {PG}/pg_ctl -D /data/pg -o \"-k /tmp -c listen_addresses=\" -w start >/dev/null; "
     f"{PG}/psql -h /tmp -U nobody postgres -c \"create extension pg_trgm\"; {PG}/pg_ctl -D /data/pg -m fast stop >/dev/null' && echo OK"),
    ("nginx", "nginx", "mkdir -p /var/log/nginx /var/lib/nginx /etc/nginx /run && printf 'events{} http{access_log off; server{listen 8099;}}' > /etc/nginx/n.conf && "
     "nginx -c /etc/nginx/n.conf && sleep 1 && nginx -c /etc/nginx/n.conf -s stop; echo OK"),
    ("cron", "busybox", "mkdir -p /tabs && printf '* * * * * /root/job\\n' > /tabs/root && printf '#!/bin/sh\\nid > /root/ran\\n' > /root/job && "
     "chmod 755 /root/job && (busybox crond -f -c /tabs -d 8 >/dev/null 2>&1 & sleep 2; kill $!); /root/job && cat /root/ran && echo OK"),
    ("git-hook", "git", "cd /root && git init -q r && cd r && printf '#!/bin/sh\\nid >/dev/null\\n' > .git/hooks/pre-commit && chmod 755 .git/hooks/pre-commit && "
     "git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x && echo OK"),
    ("python-tool", "python3", "python3 -c 'import subprocess; subprocess.run([\"gcc\", \"-o\", \"/root/t\", \"/root/hello.c\"], check=True); "
     "subprocess.run([\"/root/t\"], check=True)' && echo OK"),
]


def files():
    """What the containers start with, below /root."""
    npm = {"name": "dep", "version": "1.0.0", "scripts": {"install": "gcc -o tool tool.c && ./tool"}, "bin": {"dep-says": "says.js"}}
    dep = io.BytesIO()
    with tarfile.open(fileobj=dep, mode="w:gz") as t:
        for name, text in (("package.json", json.dumps(npm)), ("tool.c", HELLO), ("says.js", "#!/usr/bin/env node\nconsole.log('SAYS')\n")):
            i = tarfile.TarInfo("package/" + name)
            i.size, i.mode = len(text), 0o755
            t.addfile(i, io.BytesIO(text.encode()))
    return {
        "hello.c": HELLO, "app/dep-1.0.0.tgz": dep.getvalue(),
        "app/package.json": json.dumps({"name": "app", "version": "1.0.0", "dependencies": {"dep": "file:dep-1.0.0.tgz"}}),
        "src/hello.c": HELLO, "src/Makefile": "hello: hello.c\n\tgcc -o $@ $<\n",
        "py/setup.py": "from setuptools import setup, Extension\nsetup(name='said', version='1', py_modules=['said'], "
                       "ext_modules=[Extension('fast', ['fast.c'])], entry_points={'console_scripts': ['said=said:main']})\n",
        "py/said.py": "def main():\n    import fast\n    print('SAID')\n",
        "py/fast.c": "#include <Python.h>\nstatic struct PyModuleDef m = {PyModuleDef_HEAD_INIT, \"fast\", 0, -1, 0, 0, 0, 0, 0};\n"
                     "PyMODINIT_FUNC PyInit_fast(void) { return PyModule_Create(&m); }\n",
        "deb/DEBIAN/control": "Package: pv-tool\nVersion: 1\nArchitecture: all\nMaintainer: t <t@example.org>\nDescription: t\n",
        "deb/DEBIAN/preinst": "#!/bin/sh\nset -e\nid >/dev/null\n",
        "deb/DEBIAN/postinst": "#!/bin/sh\nset -e\n/opt/t/tool\nsh -c 'echo configured'\n",
        "deb/opt/t/tool": open(helper("pvran"), "rb").read(),
    }


def image(d):
    buf = io.BytesIO()
    with tarfile.open(fileobj=buf, mode="w") as t:
        def add(name, data=b"", kind=tarfile.REGTYPE, link="", mode=0o755):
            i = tarfile.TarInfo(name)
            i.type, i.linkname, i.mode, i.size = kind, link, mode, len(data)
            t.addfile(i, io.BytesIO(data) if data else None)

        for name in ("tmp", "var/tmp", "etc", "root", "usr", "proc", "sys", "dev", "run", "var/log", "var/lib"):
            add(name, kind=tarfile.DIRTYPE, mode=0o1777 if name.endswith("tmp") else 0o755)
        for name in ("bin", "sbin", "lib", "lib64"):
            add(name, kind=tarfile.SYMTYPE, link="usr/" + name)
        for name in ("ld.so.cache", "nsswitch.conf"):
            if os.path.exists("/etc/" + name):
                add("etc/" + name, open("/etc/" + name, "rb").read(), mode=0o644)
        add("etc/passwd", b"root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n", mode=0o644)
        add("etc/group", b"root:x:0:\nnogroup:x:65534:\n", mode=0o644)
        for name, data in files().items():
            add("root/" + name, data if isinstance(data, bytes) else data.encode())
    d.import_image(buf.getvalue(), REAL, (f"ENV PATH={PATH}", "ENV HOME=/root"))
    d.import_image(buf.getvalue(), "checked:1", (f"ENV PATH={PATH}", "HEALTHCHECK --interval=1s --start-period=1s CMD sh -c 'id >/dev/null'"))


def binds():
    return [f"{p}:{p}:ro" for p in ("/usr", "/etc/alternatives", "/etc/postgresql-common") if os.path.exists(p)]


def has(program):
    return os.path.exists(program) if "/" in program else any(os.path.exists(f"{p}/{program}") for p in PATH.split(":"))


def start(d, name, line, image_=REAL, **kw):
    return d.run(["sh", "-c", line], name=name, image=image_, Binds=binds(), NetworkMode="none", **kw)


def alone(tap, d, g):
    """Who needs its line: a CI runner, a server whose shells bring programs."""
    runner = "require('child_process').execSync('sh -c \"gcc -o /root/job /root/hello.c; /root/job\"', {stdio: 'inherit'})"
    for name, allowed in (("runner", False), ("runner-allowed", True)):
        if allowed:
            g.cmd("allow", name, "exec")
            time.sleep(0.5)
        c = d.run(["node", "-e", runner], name=name, image=REAL, Binds=binds(), NetworkMode="none")
        c.wait(60)
        if allowed:
            tap.ok("BUILT" in c.logs(), "a CI runner with its line runs what it builds", c.logs())
            continue
        tap.ok("BUILT" not in c.logs(), "a CI runner without its line does not run what its shell brings", c.logs())
        n = g.wait_notice("exec.dropped", name, where=lambda n: n["action"] == "blocked")
        tap.ok(n and n["next"] == f"pavise allow {name} exec", "and the notice names the line", n)


def test_real(tap):
    if not os.path.islink("/bin"):
        raise Skip("/bin is no link to /usr/bin here")
    with Dockerd() as d:
        image(d)
        with Guard(d, conf={"docker": {"root": d.dir + "/data"}, "pids": {"action": "ignore"}}) as g:
            healthy = start(d, "health-check", "sleep 6; echo OK", "checked:1")
            todo = [(n, line) for n, program, line in WORK if has(program)]
            for n, program, _ in WORK:
                if not has(program):
                    tap.skip(n, f"{program} is not installed")
            for at in range(0, len(todo), 4):  # a few at once: two cores
                batch = [(n, start(d, n, line)) for n, line in todo[at:at + 4]]
                for n, c in batch:
                    code = c.wait(120 * SLOW)
                    out = c.logs()
                    tap.ok(code == 0 and "OK" in out.split(), n, f"{code}\n{out[-1500:]}")
            if has("node") and has("gcc"):
                alone(tap, d, g)
            healthy.wait()
            time.sleep(1.5)
            names = {n for n, _, _ in WORK} | {"health-check"}
            told = [n for n in g.notices() if n["subject"]["name"] in names]
            tap.eq([(n["subject"]["name"], n["detail"]["what"]) for n in told if n["action"] != "alerted"], [],
                   "nothing of it is refused or ended")
            tap.eq([(n["subject"]["name"], n["detail"]["what"]) for n in told if n["severity"] == "critical"], [], "and nothing is called critical")
            tap.eq([n["detail"]["what"] for n in told if n["subject"]["name"] == "health-check"], [], "a health check's shell is not told")
            slow(tap, d, g)


def slow(tap, d, g):
    """A native build that goes on after the grace: in its own folder it runs and is told, below /tmp it is refused."""
    g.write({"exec": {"grace": "0s"}})
    g.ask({"verb": "reload"}, timeout=30)
    c = start(d, "long-build", "cp -r /root/src /root/b && cd /root/b && make >/dev/null && ./hello; cd /tmp && gcc -o conftest /root/hello.c && ./conftest; echo $?")
    c.wait(60)
    tap.ok({"BUILT", "137"} <= set(c.logs().split()), "after the grace: what is built in its folder runs, in /tmp it is refused", c.logs())
    n = g.wait_notice("exec.dropped", "long-build", where=lambda n: n["action"] == "blocked")
    tap.ok(n and n["next"] == "pavise allow long-build exec", "with the line that spares it", (n, g.notices()[-4:], g.log(6)))


main(test_real)

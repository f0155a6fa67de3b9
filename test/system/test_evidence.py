#!/usr/bin/env python3
"""Evidence: complete for every attack, or the rest named with the reason; before a kill, within its time, masked, signed, bounded."""

import hashlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvevidence import *  # noqa: E402,F403
from pvtest import *  # noqa: E402,F403

RUN = "exec:1"
CANARY = "Zq7Zq7canary"


def image(d):
    d.import_image(image_tar(extra=((helper("pvran"), "bin/pvran"), (helper("pvran"), "bin/node"))), RUN)


def conf(d, **more):
    return merge({"exec": {"grace": "0s"}, "docker": {"root": d.dir + "/data"}}, more)


def test_refused(tap):
    with Dockerd() as d:
        image(d)
        with Guard(d, conf(d)) as g:
            c = d.run(["sh", "-c", f"echo started password={CANARY}; exec /bin/pvran wait 1000"], name="box", image=RUN)
            c.exec("sh", "-c", f"cp /bin/pvran /tmp/m; /tmp/m --api-key={CANARY} --token {CANARY}; true")
            b, n = bundle_of(g, "exec.dropped", lambda n: "/tmp/m" in n["detail"]["what"])
            tap.ok(b and not b.wrong() and set(PARTS) <= set(b.files), "a bundle, as its manifest says, in the order of its names",
                   b and (b.wrong(), sorted(b.files)))
            tap.ok(b.signed(), "signed by the host's key")
            tap.eq(b.find("5-files"), [open(helper("pvran"), "rb").read()], "with the dropped file itself")
            who = b.json("2-container.json")
            tap.ok(who["id"] == c.id and who["workload"] == "box" and who["image_digest"].startswith("sha256:"), "the container's identity", who)
            procs = b.json("3-processes.json")["processes"]
            tap.ok(any(p["inside"] == 1 and "pvran wait" in p["command"] for p in procs), "its processes", procs)
            programs = b.json("7-programs.json")["programs"]
            tap.ok(any(p["path"] == "/bin/pvran" and p["of_image"] and p["sha256"] == sha(helper("pvran")) for p in programs),
                   "and their programs by digest", programs)
            tap.ok("started password=" in b.files["8-log.txt"].decode(), "its last log lines", b.files["8-log.txt"])
            everything = b"".join(v for k, v in b.files.items() if not k.startswith(("5-", "6-")))
            tap.ok(CANARY.encode() not in everything and CANARY not in json.dumps(n), "no secret of command lines and logs stands in it")
            tap.ok(any("first instruction" in w for w in b.missing.values()), "what a kernel kill left nothing of is named, with why", b.missing)
            tap.eq(os.stat(b.path).st_mode & 0o777, 0o700, "root's alone")
            shown = g.cmd("events", "show", str(n["row"]))
            tap.ok(b.path in shown and "what started what" in shown and CANARY not in shown, "events show says where it lies", shown)

            c.exec("/bin/pvran", "memory")
            b, n = bundle_of(g, "exec.dropped", lambda n: "lies in memory" in n["detail"]["what"])
            gone = [w for w in b.missing if w.startswith("/memfd:")] if b else None
            tap.ok(b and (b.find("5-files") or gone), "a program in memory: taken, or missing with the reason", b and b.missing)
            one = d.run(["sh", "-c", "cp /bin/pvran /tmp/p1; exec /tmp/p1"], name="dies", image=RUN)
            one.wait()
            b, n = bundle_of(g, "exec.dropped", lambda n: n["subject"]["name"] == "dies" or "/tmp/p1" in n["detail"]["what"])
            tap.ok(b and b.find("5-files") == [open(helper("pvran"), "rb").read()],
                   "of a container that ended with it the file comes from its layer", b and (b.missing, sorted(b.files)))
            tap.ok(b and ("processes and sockets" in b.missing or b.json("3-processes.json")["processes"]), "and the rest is there or named", b and (b.missing, sorted(b.files)))


def test_before_kill(tap):
    """What the kill destroys is in the bundle: a deleted program, open sockets; and the kill comes though nobody answers."""
    with Dockerd() as d:
        image(d)
        fast = {"sample": "200ms", "cpu": {"limit": "20%", "for": "2s"}}
        with Guard(d, conf(d, **fast, exec={"action": "alert"})) as g:
            c = d.run(["sh", "-c", "nc -l -p 7777 & mkdir /opt; cp /bin/busybox /opt/ash; exec /opt/ash -c 'rm /opt/ash; while :; do :; done'"], name="burns", image=RUN)
            n = g.wait_notice("run.cpu", "burns", 40, where=lambda n: n["action"] == "killed" and said(n, "evidence"))
            tap.ok(n and not c.running(), "killed", g.log(6))
            b = Bundle(said(n, "evidence"))
            tap.ok(not b.wrong() and b.signed(), "with a whole bundle", b.wrong())
            gone = [p for p in b.json("7-programs.json")["programs"] if p["deleted"]]
            tap.ok(gone and gone[0]["path"] == "/opt/ash" and hashlib.sha256(b.files[gone[0]["taken"]]).hexdigest() == gone[0]["sha256"] ==
                   sha("/bin/busybox"), "the deleted program is in it", b.json("7-programs.json"))
            sockets = b.json("4-sockets.json")["sockets"]
            tap.ok(any(s["local"].endswith(":7777") and s["state"] == "listening" and s["pid"] for s in sockets),
                   "and the open socket with its process", sockets)
            tap.ok("while" in json.dumps(b.json("3-processes.json")), "and the command line")


def test_same_bytes(tap):
    """Length and time agree, the bytes do not; and what was refused elsewhere for what it is."""
    with Dockerd() as d:
        image(d)
        with Guard(d, conf(d)) as g:
            c = d.run("sleep 1000", name="forged", image=RUN)
            patch = "printf 'XXXX' | dd of=/bin/pvran bs=1 seek=%d conv=notrunc 2>/dev/null" % (os.path.getsize(helper("pvran")) - 4)
            c.exec("sh", "-c", f"cp -p /bin/node /tmp/ref; {patch}; touch -r /tmp/ref /bin/pvran")
            said_ = c.exec("sh", "-c", "/bin/pvran wait 20; echo $?")
            n = g.wait_notice("exec.dropped", "forged", where=lambda n: "other bytes" in n["detail"]["what"])
            tap.ok(n and n["action"] == "killed" and "137" in said_, "a program of the image with other bytes is ended", (said_, g.log(6)))
            c.exec("sh", "-c", "chmod 700 /bin/node")
            tap.eq(c.exec("sh", "-c", "/bin/node wait 1 >/dev/null; echo $?").strip()[-1:], "0", "one that was only chmod-ed runs")

            c.exec("sh", "-c", "mkdir -p /opt; cp /bin/pvdns /opt/xmrig; /opt/xmrig; true")
            wait_for(lambda: any(said(n, "evidence") for n in g.notices("exec.dropped", "forged") if "xmrig" in n["detail"]["what"]))
            other = d.run("sleep 1000", name="elsewhere", image=RUN)
            got = other.exec("sh", "-c", "chmod 700 /bin/pvdns; /bin/pvdns 5353 >/dev/null & sleep 2; kill %1 && echo lives")
            tap.ok("lives" in got, "but not where they are the image's own", got)
            got = other.exec("sh", "-c", "mkdir -p /opt; cp /bin/pvdns /opt/tool; /opt/tool 5353; echo $?")
            n = g.wait_notice("exec.dropped", "elsewhere", where=lambda n: n["action"] == "killed")
            tap.ok(n and "refused before" in n["detail"]["what"] and "137" in got, "the same bytes under another name, elsewhere, are ended",
                   (got, g.log(6)))


def test_limit(tap):
    """Looks end programs in five containers a minute, and tell of the others."""
    with Dockerd() as d:
        image(d)
        with Guard(d, conf(d)) as g:
            patch = "printf 'XXXX' | dd of=/bin/pvran bs=1 seek=%d conv=notrunc 2>/dev/null" % (os.path.getsize(helper("pvran")) - 4)
            boxes = [d.run("sleep 1000", name=f"box{i}", image=RUN) for i in range(6)]
            for c in boxes:
                c.exec("sh", "-c", f"cp -p /bin/node /tmp/ref; {patch}; touch -r /tmp/ref /bin/pvran")
            codes = [c.exec("sh", "-c", "/bin/pvran wait 3 >/dev/null 2>&1; echo $?").strip() for c in boxes]
            tap.eq([c == "137" for c in codes], [True] * 5 + [False], "the sixth lives")
            n = g.wait_notice("exec.dropped", "box5", where=lambda n: "other bytes" in n["detail"]["what"])
            tap.ok(n and n["action"] != "killed" and "30 an hour" in (said(n, "not ended") or ""), "and is told, with why", n)


main(test_refused, test_before_kill, test_same_bytes, test_limit)

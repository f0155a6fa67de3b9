#!/usr/bin/env python3
"""pavise logs as a person and a pipeline use it: files, one screen, events, rules of one's own, what is damaged or hostile; nothing that is
printed holds a secret."""

import gzip
import json
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import pvcanary  # noqa: E402
from pvtest import *  # noqa: E402,F403

EVIDENCE = os.path.join(REPO, "build", "test", "evidence")
CANARY = pvcanary.PASSWORD
TOKEN = "gl" + "pat-Zx81kQpWm2LtBv93RsYd"


def stamp(ago):
    return time.strftime("%b %e %H:%M:%S", time.localtime(time.time() - ago))


def iso(ago):
    return time.strftime("%Y/%m/%d %H:%M:%S", time.localtime(time.time() - ago))


class Case:
    def __init__(self):
        self.dir = tempfile.TemporaryDirectory(prefix="pavise-logs-")
        self.d = self.dir.name
        self.printed = ""

    def __enter__(self):
        return self

    def __exit__(self, *a):
        self.dir.cleanup()

    def write(self, name, text):
        path = os.path.join(self.d, name)
        with open(path, "wb") as f:
            f.write(text.encode() if isinstance(text, str) else text)
        return path

    def logs(self, *args, stdin=None, evidence=None):
        r = subprocess.run([PAVISE, "logs", *args], input=stdin, capture_output=True, check=False, env={**os.environ, "XDG_CACHE_HOME": self.d, "NO_COLOR": "1"},
                           cwd=self.d)
        out, err = r.stdout.decode("utf-8", "replace"), r.stderr.decode("utf-8", "replace")
        self.printed += out + err
        if evidence:
            os.makedirs(EVIDENCE, exist_ok=True)
            with open(os.path.join(EVIDENCE, evidence + ".txt"), "w") as f:
                f.write(f"$ pavise logs {' '.join(a.replace(self.d + '/', '') for a in args)}\n{out.replace(self.d + '/', '')}")
        return r.returncode, out, err


def auth_log():
    old = f"{stamp(30 * 3600)} web1 sshd[6]: Failed password for root from 203.0.113.6 port 5 ssh2\n"
    new = "".join(f"{stamp(600 - 10 * i)} web1 sshd[{70 + i}]: Failed password for root from 203.0.113.7 port {5 + i} ssh2\n" for i in range(7))
    return old + new + f"{stamp(5)} web1 sshd[99]: Accepted publickey for git from 192.0.2.1 port 5 ssh2: ED25519 SHA256:x\n"


def test_day(tap):
    with Case() as c:
        auth = c.write("auth.log", auth_log())
        web = c.write("access.log", f'203.0.113.8 - - [{time.strftime("%d/%b/%Y:%H:%M:%S %z")}] "POST /login HTTP/1.1" 401 5 "-" "x"\n')
        status, out, err = c.logs("--since", "24h", "--only", "logs.auth-failure", auth, web, evidence="P12.1")
        tap.ok(status == 0 and "203.0.113.7" in out and "203.0.113.8" in out and "203.0.113.6" not in out and "192.0.2.1" not in out,
               "P12.1: the refused logins of the last 24 hours, 401 among them, in one screen", out + err)
        conf = c.write("pavise.yaml", f"logs: {{files: [{{path: {web}, service: nginx}}]}}\n")
        os.chmod(conf, 0o600)
        status, out, err = c.logs("--config", conf, "--since", "24h", "--only", "logs.auth-failure")
        tap.ok(status == 0 and "203.0.113.8" in out, "without a name: the configuration's own files, too", out + err)
        status, out, _ = c.logs("--since", "24h", "--format", "jsonl", "--service", "sshd", auth)
        events = [json.loads(line) for line in out.splitlines()]
        tap.ok(len(events) == 7 and all(e["schema"] == 1 and e["id"] == "logs.auth-failure" and e["service"] == "sshd" and e["strength"] == "strong" and
                                        e["address"] == "203.0.113.7" and e["user"] == "root" and e["rule"] == "sshd.failed" for e in events) and
               [e["line"] for e in events] == list(range(2, 9)) and len({e["attempt"] for e in events}) == 7,
               "every event as one JSON object, the lines counted from 1", out)
        status, out, _ = c.logs("--format", "json", "--fail-on", "medium", auth)
        report = json.loads(out)
        tap.ok(status == 1 and report["findings"][0]["id"] == "logs.auth-failure", "findings as JSON, and a status of 1 from --fail-on on", out[:500])
        for form in ("sarif", "junit", "markdown", "html"):
            status, out, err = c.logs("--format", form, auth)
            tap.ok(status == 0 and "203.0.113.7" in out, f"--format {form}", err)


def test_errors(tap):
    with Case() as c:
        log = c.write("error.log", f"{iso(7200)} [error] 7#7: *1 the old one is not there, client: 203.0.113.7\n" +
                      "".join(f"{iso(60 - i)} [error] 7#7: *{i} connect() failed (111: Connection refused) while connecting, client: 203.0.113.{i}\n" for i in range(12)) +
                      f"{iso(5)} [notice] 7#7: 0 errors, nothing failed\n")
        status, out, err = c.logs("--since", "1h", "--only", "logs.error", log, evidence="P12.2")
        tap.ok(status == 0 and "1 kinds" in out and "    12  " in out and "old one" not in out, "P12.2: the errors of the last hour, grouped, with count, first and last", out + err)


def test_secrets(tap):
    with Case() as c:
        log = c.write("app.log", f'{{"level":"info","token":"{TOKEN}"}}\nconnecting to postgres' + f"ql://ada:{CANARY}@db/shop\n" +
                      f"POST /login password={CANARY} HTTP/1.1\ntoken=glpat-Zx81… is cut\npassword: ********\n")
        status, out, err = c.logs("--only", "logs.secret", log, evidence="P6.1")
        tap.ok(status == 1 and "logs.secret" in out, "P6.1: secrets in a log are found", out + err)
        for row, what in (("P6.2", "whole tokens are found, those that are cut short are none"), ("P6.3", "passwords are found, masked ones are none")):
            status, out, err = c.logs("--only", "logs.secret", "--format", "json", log, evidence=row)
            lines = sorted(f["subject"]["line"] for f in json.loads(out)["findings"])
            tap.eq(lines, [1, 2, 3], f"{row}: {what}")
        for form in ("table", "jsonl", "sarif", "junit", "markdown", "html"):
            c.logs("--format", form, log)
        c.logs("test", f"token={TOKEN}")
        tap.ok(CANARY not in c.printed and TOKEN not in c.printed and TOKEN[12:] not in c.printed, "no format shows a secret")


def test_kinds_of_files(tap):
    with Case() as c:
        text = auth_log()
        packed = c.write("auth.log.1.gz", gzip.compress(text.encode()))
        status, out, _ = c.logs("--format", "jsonl", packed)
        tap.eq(len(out.splitlines()), 8, "a packed file is read")
        status, out, _ = c.logs("--format", "jsonl", "-", stdin=text.encode())
        tap.eq(len(out.splitlines()), 8, "standard input is read")
        docker = c.write("c-json.log", "".join(json.dumps({"log": "INFO:     203.0.113.7:5 - \"POST /login HTTP/1.1\" 401 Unauthorized\n", "stream": "stdout",
                                                           "time": "2026-11-21T19:00:00Z"}) + "\n" for _ in range(3)))
        damaged = c.write("x.gz", gzip.compress(b"x" * 100000)[:60])
        status, out, err = c.logs(damaged)
        tap.ok(status == 3 and "damaged" in err, "a damaged file is told", err)
        status, _, err = c.logs(os.path.join(c.d, "absent.log"))
        tap.ok(status == 2 and "absent.log" in err, "a file that is not there is told", err)
        status, _, err = c.logs("--service", "nonsense", docker)
        tap.ok(status == 2 and "nonsense" in err, "a service without rules is told", err)
        hostile = c.write("hostile.log", b"\0\xff\xfe\x1b[2J\x1b]0;x\x07 sshd[1]: Failed password for \x1b[31mroot from 203.0.113.7 port 5 ssh2\n" * 3 + b"x" * 3000000)
        status, out, err = c.logs("--service", "sshd", hostile)
        tap.ok(status == 0 and "\x1b" not in out + err, "a terminal gets no control character of a log", repr(out + err)[:300])


def test_try_and_own_rules(tap):
    with Case() as c:
        status, out, _ = c.logs("test", "Nov 21 19:00:00 web1 sshd[7]: Failed password for root from 192.0.2.7 port 5 ssh2")
        tap.ok(status == 0 and "sshd.failed" in out and "takes it: logs.auth-failure, strong, address 192.0.2.7, user root" in out and "sshd.yaml" in out,
               "test: which rule took a line, and where it stands", out)
        _, out, _ = c.logs("test", "Nov 21 19:00:00 web1 logger: Failed password for root from 192.0.2.7 port 5 ssh2")
        tap.ok("no rule takes this line" in out and "written by another program" in out, "test: why a rule does not", out)
        os.mkdir(os.path.join(c.d, "own"))
        rule = ("schema: 1\nkind: log\nname: shop\nreference: [https://example.org/]\nverified: real\nrules:\n  - id: shop.denied\n    severity: medium\n"
                "    literal: ['denied: ']\n    match: 'denied: <host> as (?<user>.*)'\n    examples:\n      yes: [{text: 'denied: 192.0.2.7 as ada', address: %s}]\n")
        c.write("own/shop.yaml", rule % "192.0.2.7")
        status, out, err = c.logs("--rules", os.path.join(c.d, "own"), "--service", "shop", "--format", "jsonl", "-", stdin=b"denied: 203.0.113.7 as eve\n")
        tap.ok(status == 0 and '"rule":"shop.denied","address":"203.0.113.7","user":"eve"' in out, "a rule of one's own", out + err)
        c.write("own/shop.yaml", rule % "192.0.2.8")
        status, out, err = c.logs("--rules", os.path.join(c.d, "own"), "-", stdin=b"x\n")
        tap.ok(status == 2 and "shop.yaml" in err and "another address" in err, "whose example is wrong is refused, with its place", err)


if __name__ == "__main__":
    main(test_day, test_errors, test_secrets, test_kinds_of_files, test_try_and_own_rules)

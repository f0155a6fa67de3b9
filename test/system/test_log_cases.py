#!/usr/bin/env python3
"""The grammar of log lines against other projects' labelled lines and our own hostile ones (../shared/cases, no part of this
project; skipped where it is not present).

login-lines.jsonl: rows of the services in SERVICE, one for each distinct line, in the filter's default mode, with a numeric address
that stands in the line, without lines that carry both labels and without accepted logins. Of those that report a refused login
(NO_LOGIN says which do not, and why) at least 97 in 100 become logs.auth-failure with that address; what is missed is listed. On all
rows of all filters: never an address that is not in the line, nor another than the label's, and no logs.auth-failure on a line that
is labelled as none."""

import collections
import ipaddress
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvtest import *  # noqa: E402,F403

CASES = os.environ.get("PAVISE_CASES", os.path.join(REPO, "..", "shared", "cases"))
PVLOGS = os.environ.get("PAVISE_LOGS_HELPER", os.path.join(REPO, "build", "meson", "test", "pvlogs"))
RULES = os.environ.get("PAVISE_RULES", os.path.join(REPO, "rules", "log"))

SERVICE = {"sshd": "sshd", "sshd-journal": "sshd", "zzz-sshd-obsolete-multiline": "sshd", "pam-generic": "pam",
           "nginx-http-auth": "nginx", "apache-auth": "apache", "haproxy-http-auth": "haproxy", "mysqld-auth": "mariadb",
           "postfix": "postfix", "dovecot": "dovecot", "exim": "exim", "openvpn": "openvpn", "traefik-auth": "traefik",
           "mongodb-auth": "mongodb", "gitlab": "gitlab", "grafana": "grafana", "vaultwarden": "vaultwarden",
           "bitwarden": "vaultwarden", "proxmox": "proxmox"}

# Lines that are labelled because the filter wants to lock somebody out, though no login was refused.
NO_LOGIN = [
    (r"NOQUEUE: reject|milter-reject|: reject: ", "a mail was refused, not a login"),
    (r"improper command pipelining|too many errors after", "a broken mail client"),
    (r"provided via SNI|No hostname was provided", "a TLS handshake"),
    (r"client denied by server configuration", "a rule about addresses, no login"),
    (r"sshd\[\d+\]: Connection closed by [\d.]+ \[preauth\]$", "only the end; what came before was refused"),
    (r"sshd\[\d+\]: Disconnecting: Too many authentication failures", "no address in the line"),
    (r"Accepted \w+ for ", "an accepted login"),
    (r"session opened for user", "an accepted login"),
]


def rows():
    path = os.path.join(CASES, "login-lines.jsonl")
    if not os.path.exists(path):
        raise Skip("the labelled lines of other projects are not here (../shared/cases/login-lines.jsonl)")
    with open(path) as f:
        return [json.loads(line) for line in f]


def default_mode(row):
    return not row["options"] or any(o.get("mode", "normal") == "normal" for o in row["options"])


def is_journal(row):
    return any(o.get("logtype") == "journal" for o in row["options"])


def feed(row):
    """A journal row is the MESSAGE: its record came with sshd's trusted fields."""
    line = row["line"]
    if is_journal(row):
        line = re.sub(r"^srv sshd\[\d+\]: ", "", line)
    return line


def judge(lines, service, kind="file"):
    """For each line the (strength, address or None) of its logs.auth-failure that counts."""
    data = b"".join(l.encode("utf-8", "surrogateescape") + b"\n" if isinstance(l, str) else l + b"\n" for l in lines)
    r = subprocess.run([PVLOGS, RULES, "--", service or "-", kind], input=data, capture_output=True, check=False)
    if r.returncode:
        raise RuntimeError(r.stderr.decode())
    out = collections.defaultdict(list)
    for line in r.stdout.decode("utf-8", "replace").splitlines():
        ident, strength, rule, address, _, number, _ = line.split(" ", 6)
        if ident == "logs.auth-failure" and strength in ("strong", "weak"):
            out[int(number)].append((strength, None if address == "-" else address, rule))
    return [out.get(i + 1, []) for i in range(len(lines))]


def numeric(host):
    try:
        a = ipaddress.ip_address(host)
    except ValueError:
        return None
    return str(a.ipv4_mapped) if a.version == 6 and a.ipv4_mapped else str(a)


def stands_in(address, line):
    want = ipaddress.ip_address(address)
    for token in re.findall(r"[0-9A-Fa-f:.]{2,}", line):
        for t in {token, token.rstrip(".:"), token.rsplit(":", 1)[0], token.lstrip(":")}:
            if numeric(t) == str(want):
                return True
    return False


def by_service(all_rows):
    groups = collections.defaultdict(dict)
    for row in all_rows:
        groups[SERVICE.get(row["filter"])].setdefault((row["line"], is_journal(row)), []).append(row)
    return groups


def test_labels(tap):
    wanted = found = 0
    missed = []
    for service, lines in by_service(rows()).items():
        if not service:
            continue
        keys = list(lines)
        got = judge([feed(lines[k][0]) for k in keys], service)
        seen = set()
        for key, events in zip(keys, got):
            labels = [r for r in lines[key] if default_mode(r)]
            if key[0] in seen or not labels or len({r["expect_match"] for r in labels}) != 1 or not labels[0]["expect_match"]:
                continue
            seen.add(key[0])
            host = numeric(labels[0]["expect_host"] or "")
            if not host or not stands_in(host, key[0]) or any(re.search(p, key[0]) for p, _ in NO_LOGIN):
                continue
            wanted += 1
            if any(a == host for _, a, _ in events):
                found += 1
            else:
                missed.append(f"{service}: {host}: {key[0]}")
    for m in missed:
        tap.note("missed: " + m)
    tap.ok(wanted > 120 and found >= 0.97 * wanted, f"at least 97 in 100 refused logins are found ({found} of {wanted})",
           "\n".join(missed))


def test_never_wrong(tap):
    all_rows = rows()
    bad = []
    for service, lines in by_service(all_rows).items():
        keys = list(lines)
        texts = [feed(lines[k][0]) for k in keys]
        runs = [(service, "file"), (None, "file"), (None, "syslog"), (None, "container")] if service else \
            [(None, "file"), (None, "syslog"), (None, "container")]
        for forced, kind in runs:
            for key, events in zip(keys, judge(texts, forced, kind)):
                bad += wrong(key[0], lines[key], events, f"{forced} {kind}")
    tap.ok(not bad, f"no wrong address on {len(all_rows)} rows, and nothing where nothing was refused", "\n".join(bad))


def wrong(line, labelled, events, how):
    hosts = {numeric(r["expect_host"]) for r in labelled if r["expect_host"]} - {None}
    default = [r for r in labelled if default_mode(r)]
    negative = default and not any(r["expect_match"] for r in default)
    out = []
    for _, address, rule in events:
        if address and not stands_in(address, line):
            out.append(f"{how} {rule}: {address} is not in the line: {line}")
        elif address and hosts and address not in hosts:
            out.append(f"{how} {rule}: {address}, not {hosts}: {line}")
        if negative and not any(re.search(p, line) for p in REFUSED):
            out.append(f"{how} {rule}: an event on a line that is labelled as none: {line}")
    return out


# Labelled as none for another reason than that nothing was refused.
REFUSED = [
    r"sshd\[1556\]: pam_unix\(sshd:auth\): authentication failure",
]


def test_evasion(tap):
    path = os.path.join(CASES, "login-evasion.jsonl")
    if not os.path.exists(path):
        raise Skip("the hostile lines are not here (../shared/cases/login-evasion.jsonl)")
    with open(path) as f:
        records = [json.loads(line) for line in f]
    bad = []
    for r in records:
        service, kind = {"sshd": ("sshd", "file"), "nginx": ("nginx", "file"), "docker": ("uvicorn", "docker")}[r["source"]]
        for forced in (service, None):
            for k in {kind, "syslog"} if r["source"] == "sshd" else {kind}:
                events = judge([bytes.fromhex(r["bytes_hex"])], forced, k)[0]
                got = [a for _, a, _ in events if a]
                want = [r["expect_host"]] if r["expect"] == "ban" else []
                if got != want:
                    bad.append(f"{r['id']} ({forced}, {k}): got {events}, want {want}")
    tap.ok(not bad, f"every hostile record is right ({len(records)})", "\n".join(bad))


if __name__ == "__main__":
    main(test_labels, test_never_wrong, test_evasion)

"""Logs and journals made up for tests: ordinary lines, and attackers of whom is known who must be banned (five refused logins within ten
minutes) and who must not (four, or five spread wider). The truth is computed here from the attempts, by itself."""

import random
import subprocess
import time

LIMIT, WITHIN = 5, 600


def address(i):
    """IPv4, and every eleventh IPv6, each of a network of its own."""
    if i % 11 == 10:
        return f"2001:db8:{i >> 8:x}:{i & 255:x}::{i % 7 + 1:x}"
    return f"{11 + i % 80}.{i // 80 % 250}.{i // 20000}.{i % 251 + 1}"


def times(rng, kind, start, span):
    """The attempts of one attacker, in seconds."""
    t0 = start + rng.random() * (span - 8000)
    if kind == "over":  # at least five within the window
        return sorted(t0 + rng.random() * (WITHIN - 10) for _ in range(rng.randint(LIMIT, 14)))
    if kind == "below":
        return sorted(t0 + rng.random() * 300 for _ in range(rng.randint(1, LIMIT - 1)))
    return [t0 + k * 170 for k in range(rng.randint(LIMIT, 15))]  # spread: four in any ten minutes


def truth(attempts):
    """Who has five within ten minutes; whole seconds, as logs have them."""
    bad = set()
    for who, ts in attempts.items():
        ts = [int(t) for t in ts]
        if any(ts[i + LIMIT - 1] - ts[i] <= WITHIN for i in range(len(ts) - LIMIT + 1)):
            bad.add(who)
    return bad


def network(who):
    if ":" not in who:
        return who
    import ipaddress
    return str(ipaddress.ip_network(f"{who}/64", strict=False).network_address)


def make(path, kind, lines, attackers, seed=7):
    """Writes the log; returns the networks that must be banned."""
    rng = random.Random(seed)
    span = 20 * 3600
    start = int(time.time()) - span - 3600
    attempts = {}
    for i in range(attackers):
        shape = ("over",) * 9 + ("below", "spread")
        attempts[address(i)] = times(rng, shape[i % 11] if i % 2 else "over" if i % 20 else "below", start, span)
    events = [(t, who) for who, ts in attempts.items() for t in ts]
    per = 3 if kind == "sshd" else 1
    events += [(start + rng.random() * span, None) for _ in range(max(lines - len(events) * per, 1000))]
    events.sort(key=lambda e: e[0])
    with open(path, "w") as f:
        for n, (t, who) in enumerate(events):
            f.write(LINES[kind](rng, t, who, n))
    return {network(a) for a in truth(attempts)}


def sshd(rng, t, who, n):
    at = time.strftime("%b %e %H:%M:%S", time.gmtime(t))
    pid, port = 1000 + n, 1024 + n % 60000
    if who is None:
        return rng.choice((
            f"{at} web CRON[{pid}]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)\n",
            f"{at} web sshd[{pid}]: Accepted publickey for deploy from 198.18.{n % 200}.7 port {port} ssh2: ED25519 SHA256:x\n",
            f"{at} web sudo:   deploy : TTY=pts/0 ; PWD=/srv ; USER=root ; COMMAND=/usr/bin/true\n",
            f"{at} web systemd-logind[300]: New session {n} of user deploy.\n"))
    user = rng.choice(("root", "admin", "oracle", "from 192.0.2.66 port 22 ssh2"))
    return (f"{at} web sshd[{pid}]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={who}  user=root\n"
            f"{at} web sshd[{pid}]: Failed password for {user} from {who} port {port} ssh2\n"
            f"{at} web sshd[{pid}]: Connection closed by authenticating user {user} {who} port {port} [preauth]\n")


def combined(rng, t, who, n):
    at = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(t))
    if who is None:
        return (f"198.18.{n % 250}.{n // 250 % 250} - - [{at}] \"GET /page/{n % 977}?q=401 HTTP/1.1\" "
                f"{rng.choice((200, 200, 200, 304, 404))} {n % 5000} \"-\" \"Mozilla/5.0 (X11; Linux x86_64) \\x22POST /login\\x22 401\"\n")
    return f"{who} - - [{at}] \"POST /login HTTP/1.1\" 401 {n % 500} \"-\" \"Mozilla/5.0\"\n"


def docker(rng, t, who, n):
    line = combined(rng, t, who, n)[:-1].replace("\\", "\\\\").replace('"', '\\"')
    return (f'{{"log":"{line}\\n","stream":"stdout","time":"{time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(t))}'
            f'.{n % 1000000000:09d}Z"}}\n')


LINES = {"sshd": sshd, "nginx": combined, "docker": docker}


JOURNAL_REMOTE = "/lib/systemd/systemd-journal-remote"


def made_journal(path, records):
    """Appends records to a journal file, fields that only journald itself may set among them."""
    text = ""
    for i, r in enumerate(records):
        fields = {"__REALTIME_TIMESTAMP": str(int(time.time() * 1e6) + i), "__MONOTONIC_TIMESTAMP": str(1000 + i), "_BOOT_ID": "0" * 31 + "1", **r}
        text += "".join(f"{k}={v}\n" for k, v in fields.items()) + "\n"
    subprocess.run([JOURNAL_REMOTE, "-o", path, "-"], input=text.encode(), stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=True)

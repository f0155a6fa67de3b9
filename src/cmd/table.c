#include <string.h>

#include "cmd/cmd.h"

#define END                                                                                        \
	{                                                                                          \
		NULL, 0, NULL, NULL, NULL                                                          \
	}

const struct cmd_option common_options[] = {
	{ "config", 0, "FILE", "read this configuration (default: /etc/pavise/pavise.yaml, then conf.d/*.yaml beside it)", NULL },
	{ "no-color", 0, NULL, "no colours (also with NO_COLOR set, and when the output is no terminal)", NULL },
	{ "quiet", 'q', NULL, "say nothing but results and errors", NULL },
	{ "help", 'h', NULL, "show this", NULL },
	END
};

static const struct cmd_option guard_options[] = {
	{ "observe", 0, NULL, "refuse and kill nothing, tell what would have been done; names at start what would be hit", NULL },
	END
};
static const struct cmd_option status_options[] = {
	{ "format", 0, "FORMAT", "table (default) or json", "table json" },
	END
};
static const struct cmd_option doctor_options[] = {
	{ "install", 0, NULL, "look at the installation instead: programs, folders, configuration, unit", NULL },
	{ "format", 0, "FORMAT", "table (default) or json", "table json" },
	END
};
static const struct cmd_option events_options[] = {
	{ "follow", 'f', NULL, "go on with new ones as they come", NULL },
	{ "since", 0, "DURATION", "only those of the last 90s, 10m, 24h, 7d", NULL },
	{ "id", 0, "ID", "only this id or those that start so, such as net.", NULL },
	{ "subject", 0, "NAME", "only those of this workload, such as shop/web", NULL },
	{ "max", 'n', "N", "at most N, the newest (default 50)", NULL },
	{ "format", 0, "FORMAT", "table (default) or jsonl; for `events show` json too, with what happened around it", "table json jsonl" },
	{ "output", 'o', "FILE", "write to FILE", NULL },
	END
};
static const struct cmd_option off_options[] = {
	{ "for", 0, "DURATION", "resume by itself after 10m, 1h, 2d (the kernel does, also with the guard dead)", NULL },
	END
};
static const struct cmd_option allow_options[] = {
	{ "alert", 0, NULL, "still tell about it; only nothing is refused or killed", NULL },
	{ "remove", 0, NULL, "take the exception back", NULL },
	END
};
static const struct cmd_option ban_options[] = {
	{ "for", 0, "DURATION", "10m, 1h, 30d (default: login.ban, and longer for who comes back)", NULL },
	{ "reason", 0, "TEXT", "shown by pavise bans", NULL },
	END
};
static const struct cmd_option unban_options[] = {
	{ "me", 0, NULL, "the address that this SSH session comes from (works through sudo)", NULL },
	END
};
static const struct cmd_option bans_options[] = {
	{ "max", 'n', "N", "at most N (default 100)", NULL },
	{ "format", 0, "FORMAT", "table (default) or jsonl", "table jsonl" },
	{ "file", 0, "FILE", "import: the database (default /var/lib/fail2ban/fail2ban.sqlite3)", NULL },
	END
};
static const struct cmd_option explain_options[] = {
	{ "list", 0, NULL, "all ids", NULL },
	END
};
static const struct cmd_option config_options[] = {
	{ "origin", 0, NULL, "show: where each value was set", NULL },
	END
};

static const struct cmd_option audit_options[] = {
	{ "compose", 0, "FILE", "a Compose file before it is deployed (or its folder; with overrides: a.yaml,b.yaml)", NULL },
	{ "dockerfile", 0, "FILE", "a Dockerfile", NULL },
	{ "facts", 0, "DIR", "a saved host: a folder with its files (etc/, proc/ ...)", NULL },
	{ "only", 0, "ID,...", "only these checks, or families such as ctr, ssh", NULL },
	{ "skip", 0, "ID,...", "all but these", NULL },
	{ "all", 0, NULL, "every finding with its evidence, also what passed or does not apply", NULL },
	{ "fail-on", 0, "SEVERITY", "exit 1 from this severity on (default: high)", "critical high medium low info" },
	{ "baseline", 0, "FILE", "what failed in this earlier report (json, jsonl or sarif) is known", NULL },
	{ "fix", 0, NULL, "mend what can be mended without stopping anything: modes, .gitignore, limits of running containers", NULL },
	{ "guarded", 0, NULL, "--fix: also SSH and ports that strangers reach; tested first, and rolled back unless confirmed", NULL },
	{ "within", 0, "DURATION", "--guarded: how long it waits to be confirmed (default 5m)", NULL },
	{ "confirm", 0, NULL, "keep what --guarded changed", NULL },
	{ "dry-run", 0, NULL, "--fix, --undo: only show the steps", NULL },
	{ "yes", 0, NULL, "--fix, --undo: do not ask", NULL },
	{ "undo", 0, NULL, "take the newest --fix back", NULL },
	{ "recreate", 0, "NAME,...", "print the lines of a shell that make these containers anew without what is wrong with them", NULL },
	{ "watch", 0, "DURATION", "--fix --compose, --recreate: look on first, while you restart the containers, which capabilities they use", NULL },
	{ "probe", 0, "URL", "ask a site of this host: HTTPS, redirect, CORS, and, where the URL is a login, its rate limit", NULL },
	{ "probe-remote", 0, NULL, "--probe: also where the site is not on this host", NULL },
	{ "gate", 0, "NAME", "deploy: every row of the checklist that a deploy is held to, each by the command that answers for it", "deploy" },
	{ "format", 0, "FORMAT", "table (default), json, jsonl, sarif, junit, markdown, html", "table json jsonl sarif junit markdown html" },
	{ "output", 'o', "FILE", "write to FILE", NULL },
	END
};
static const struct cmd_option accept_options[] = {
	{ "dry-run", 0, NULL, "only show what would be accepted", NULL },
	{ "yes", 0, NULL, "do not ask", NULL },
	END
};
static const struct cmd_option scan_options[] = {
	{ "history", 0, NULL, "also every blob of the git history, reachable or not", NULL },
	{ "since", 0, "COMMIT", "of the history only what came after this commit", NULL },
	{ "staged", 0, NULL, "only what `git commit` would commit now", NULL },
	{ "stdin", 0, NULL, "only what comes on standard input", NULL },
	{ "container", 0, "NAME", "only the environment and the changed files of a container", NULL },
	{ "format", 0, "FORMAT", "table (default), json, jsonl, sarif, junit, markdown or html",
	  "table json jsonl sarif junit markdown html" },
	{ "output", 'o', "FILE", "write to FILE", NULL },
	{ "fail-on", 0, "SEVERITY", "exit with 1 from this severity on (default high)", "critical high medium low info" },
	{ "baseline", 0, "FILE", "what failed in this earlier report (json, jsonl or sarif) is known", NULL },
	{ "only", 0, "ID,...", "only these ids or rules, or those that start so: secret.in-code, github.", NULL },
	{ "skip", 0, "ID,...", "all but these", NULL },
	{ "rules", 0, "DIR", "rule files of your own, in addition", NULL },
	{ "install-hook", 0, NULL, "look at every commit before it is made (a pre-commit hook; one that is there is kept)", NULL },
	{ "all", 0, NULL, "also what passed and does not apply", NULL },
	END
};

static const struct cmd_option logs_options[] = {
	{ "since", 0, "DURATION", "only what was written within the last 1h, 24h, 7d", NULL },
	{ "unit", 0, "UNIT", "only this unit's records of the journal", NULL },
	{ "container", 0, "NAME", "only this container's output", NULL },
	{ "service", 0, "NAME", "the files are this service's: sshd, nginx ...; without it the shape of each line decides", NULL },
	{ "only", 0, "ID,...", "only these ids: logs.auth-failure, logs.miner, logs.error, logs.secret, logs.probe, logs.silent",
	  "logs.auth-failure logs.miner logs.error logs.secret logs.probe logs.silent" },
	{ "skip", 0, "ID,...", "all but these", NULL },
	{ "format", 0, "FORMAT", "table (default), json, jsonl (every event), sarif, junit, markdown or html",
	  "table json jsonl sarif junit markdown html" },
	{ "output", 'o', "FILE", "write to FILE", NULL },
	{ "fail-on", 0, "SEVERITY", "exit with 1 from this severity on (default high)", "critical high medium low info" },
	{ "rules", 0, "DIR", "rule files of your own, in addition", NULL },
	{ "all", 0, NULL, "everything, not only the most frequent of each kind", NULL },
	END
};

const struct command commands[] = {
	{ .name = "guard", .args = "", .brief = "the daemon (in the foreground; systemd runs this)",
	  .about = "Watches every container and systemd service: refuses connections to mining ports and questions for "
		   "mining names in the kernel, stops what burns CPU without end, and tells. Needs root.",
	  .options = guard_options, .max_words = 0,
	  .statuses = "0 ended as told; 2 the configuration is not good; 3 it could not start",
	  .examples = "pavise guard --observe  # while the service does not run: says what it would do\n"
		      "systemctl enable --now pavise  # for good",
	  .run = cmd_guard },
	{ .name = "status", .args = "", .brief = "one screen: fine or not, and what to do next",
	  .about = "Shows whether the guard is in force, what it did in the last 24 hours, every exception in force with the "
		   "place it comes from, what does not work on this machine, and the next command.",
	  .options = status_options, .max_words = 0,
	  .statuses = "0 the guard runs; 2 usage or configuration; 3 the guard does not run or does not answer",
	  .examples = "pavise status\npavise status --format json", .run = cmd_status },
	{ .name = "top", .args = "", .brief = "live table of workloads",
	  .about = "CPU, memory against its limit, processes and refusals of every workload, drawn again every 2 seconds "
		   "on a terminal (q or Ctrl-C ends it), once when piped.",
	  .max_words = 0, .statuses = "0 shown; 3 the guard does not run or does not answer",
	  .examples = "pavise top\npavise top | head", .run = cmd_top },
	{ .name = "events", .args = "[show ROW]", .brief = "history and live stream",
	  .about = "What the guard saw and did, oldest first, each with its ROW in brackets. `events show ROW` tells the story of one of "
		   "them: what started what, what happened when, what was refused, where the evidence lies.",
	  .options = events_options, .max_words = 2, .words = "show",
	  .statuses = "0 shown (also when there is nothing); 2 usage; 3 the guard does not run or does not answer",
	  .examples = "pavise events --since 24h\npavise events -f\npavise events --id net. --subject shop/web\n"
		      "pavise events --format jsonl -o events.jsonl\npavise events show 42",
	  .run = cmd_events },
	{ .name = "off", .args = "", .brief = "lift every block and kill at once",
	  .about = "Works with the guard stopped or broken. With --for the kernel resumes by itself when the time is over; "
		   "without, until `pavise on`. `pavise status` shows it all the while.",
	  .options = off_options, .max_words = 0,
	  .statuses = "0 done; 2 usage; 3 it could not be done",
	  .examples = "pavise off --for 1h\npavise off", .run = cmd_off },
	{ .name = "on", .args = "", .brief = "put them in force again",
	  .about = "Takes back `pavise off`.", .max_words = 0,
	  .statuses = "0 done; 2 usage; 3 it could not be done", .examples = "pavise on", .run = cmd_on },
	{ .name = "allow", .args = "NAME [SIGNAL]", .brief = "write an exception and load it",
	  .about = "NAME is a workload as `pavise top` shows it (shop/web, backup.service); `*` stands for any text; `image:NAME` spares the "
		   "containers of an image for what they use one after the other. SIGNAL is "
		   SIGNAL_LIST "; without it the workload is spared by all of them. The exception is "
		   "written to conf.d/allow.yaml beside the configuration, checked, and loaded when the guard runs.",
	  .options = allow_options, .min_words = 1, .max_words = 2,
	  .statuses = "0 in force (or from the next start on); 2 usage or configuration; 3 it could not be written or loaded",
	  .examples = "pavise allow shop/worker cpu\npavise allow 'ci-*' pids --alert\npavise allow shop/worker cpu --remove",
	  .run = cmd_allow },
	{ .name = "ban", .args = "ADDRESS", .brief = "lock an address or a network out",
	  .about = "ADDRESS is one address or a network (203.0.113.0/24), of IPv4 or IPv6. It is cut from this host and from every "
		   "published container port; what this host opens to it goes on. Never: this host's own addresses, its router and name "
		   "servers, container networks, proxies, never_ban, an administrator's open SSH session.",
	  .options = ban_options, .min_words = 1, .max_words = 1,
	  .statuses = "0 locked out; 2 usage or configuration; 3 refused, or the guard does not run",
	  .examples = "pavise ban 203.0.113.7 --for 1d --reason 'scans us'\npavise ban 2001:db8:1:2::/64", .run = cmd_ban },
	{ .name = "unban", .args = "[ADDRESS]", .brief = "let an address in again",
	  .about = "Every ban that holds ADDRESS, or that lies within it when it is a network, ends; 4,096 at once, and it says when more are left.",
	  .options = unban_options, .max_words = 1,
	  .statuses = "0 let in; 2 usage or configuration; 3 it was not locked out, bans are left, or the guard does not run",
	  .examples = "pavise unban 203.0.113.7\nsudo pavise unban --me", .run = cmd_unban },
	{ .name = "bans", .args = "[ADDRESS | import fail2ban]", .brief = "who is locked out, and why",
	  .about = "With ADDRESS: also the lines of the logs that led to it. `import fail2ban` takes over what fail2ban has banned, "
		   "with the time that is left; it reads fail2ban's database without rights.",
	  .options = bans_options, .max_words = 2, .words = "import",
	  .statuses = "0 shown; 2 usage or configuration; 3 the guard does not run, or the database cannot be read",
	  .examples = "pavise bans\npavise bans 203.0.113.7\npavise bans --format jsonl\nsudo pavise bans import fail2ban", .run = cmd_bans },
	{ .name = "undo", .args = "[ROW]", .brief = "take one act back",
	  .about = "Without ROW: lists what can be taken back. With it: gives the container its restart policy back, scales "
		   "the service up again, thaws what was frozen. Works with the guard dead, too, for root; a service is then scaled by the "
		   "command that it prints.",
	  .max_words = 1, .statuses = "0 done or listed; 2 usage; 3 it could not be done",
	  .examples = "pavise undo\npavise undo 3", .run = cmd_undo },
	{ .name = "doctor", .args = "", .brief = "what this machine can and cannot do",
	  .about = "Looks at the kernel, cgroups, container engines, users, clock and channels, and names what is degraded, "
		   "what could not be looked at, and the next command. Works without root as far as it can.",
	  .options = doctor_options, .max_words = 0,
	  .statuses = "0 all is well; 1 something is degraded; 3 something could not be checked",
	  .examples = "pavise doctor\nsudo pavise doctor --install\nsudo pavise doctor --format json", .run = cmd_doctor },
	{ .name = "explain", .args = "[ID]", .brief = "why, how it is attacked, how it is mended",
	  .about = "Explains an id that a notice carries. Works without a guard and without a network.",
	  .options = explain_options, .max_words = 1, .statuses = "0 explained; 2 there is no such id",
	  .examples = "pavise explain net.stratum\npavise explain --list", .run = cmd_explain },
	{ .name = "audit", .args = "[DIR...]", .brief = "the checklist: what is set up unsafely, and how to mend it",
	  .about = "Looks at containers and Swarm services (running or not), units, SSH, projects with their .env files and backups, and "
		   "says what is wrong, worst first, each with the command or the line that mends it. With --compose or --dockerfile "
		   "only those files are judged, by the same checks. DIR is a project to look at besides those that are found. "
		   "What is accepted stands in pavise.ignore beside the files that are looked at, or in /etc/pavise/pavise.ignore: a list of "
		   "{id, subject, reason, owner, expires}; subject is a glob over names and paths, and expires lies at most a year ahead. It is "
		   "listed as accepted and counts for nothing else; what could not be checked is never accepted. The file belongs to root, to "
		   "whoever asks, or to the owner of the project, and nobody else may write it. A run over the whole host is "
		   "kept, and the next one says what is new and what is mended.\n\n"
		   "Without --fix it changes nothing. With it, it shows each step as a command, asks, and carries them out: modes of .env "
		   "files, backups and keys, lines of .gitignore, and live limits of running containers where what they use allows it. A "
		   "file is changed as its owner, only if it is still the one that was judged, never through a link or another mount. "
		   "Every step is recorded before it is made; --undo takes the newest run back (a memory limit goes back to the whole "
		   "machine's, since engines know no other way). SSH and the firewall are touched with --guarded alone: SSH only where a "
		   "key can log in; ports are closed by nft on the interfaces that lead outside, never SSH's and never for connections that are "
		   "open. Unless you confirm it in time the change is taken back.\n\n"
		   "--fix --compose FILE writes FILE.pavise.yaml beside it, to be loaded on top: no new privileges, limits from what the "
		   "service used so far, a read-only root with tmpfs where nothing is to be kept and volumes where something is, and no "
		   "capabilities but those that its way of starting needs. It looks at the running containers of the project; what was not "
		   "observed is not applied, and what is left is named at the file's end. Read it before you load it.\n\n"
		   "--recreate NAME prints what makes a container of no Compose file anew (`| sh` carries it out): all that the engine knows "
		   "about it as options of docker create, with the remedies of --only in between, and its data. The old one is put back when "
		   "the new one does not stay up.\n\n"
		   "Which capabilities a container needs is known by the way it starts, for the usual programs. --watch asks the kernel: what a "
		   "container that starts meanwhile is granted is added back, too. It costs something for every fork while it runs, and nothing "
		   "afterwards.\n\n"
		   "--probe sends one request over HTTP and at most nine over HTTPS, seven of them failed logins of a user that cannot exist "
		   "where the URL looks like a login, each for 5 s and 64 kB at most; redirects are told, not followed.\n\n"
		   "--gate deploy runs the audit and a scan with the history of DIR, and answers every row of the checklist that a deploy is held to.",
	  .options = audit_options, .max_words = 8,
	  .statuses = "0 nothing at or above --fail-on; 1 findings; 2 usage or configuration; 3 something that matters could not be checked",
	  .examples = "sudo pavise audit\npavise audit --compose compose.yaml\npavise audit --compose . --fail-on medium --format sarif -o audit.sarif\n"
		      "pavise audit --dockerfile Dockerfile\nsudo pavise audit --only ctr,ssh --all\nsudo pavise audit --fix --dry-run\nsudo pavise audit --fix && sudo pavise audit --undo\n"
		      "sudo pavise audit --fix --compose /srv/shop/compose.yaml\nsudo pavise audit --probe https://shop.example/api/login\nsudo pavise audit --gate deploy /srv/shop",
	  .run = cmd_audit },
	{ .name = "accept", .args = "keys | deployments | files", .brief = "take the host's keys, deployments or files as known",
	  .about = "From then on `pavise audit` names what differs: keys that may log in (host.new-keys), containers and services "
		   "(dokploy.unknown-deploys), cron jobs, units and programs (host.new-files). Shows first what is new and what is "
		   "gone since it was last accepted; who accepted and when is kept with it.",
	  .options = accept_options, .min_words = 1, .max_words = 1, .words = "keys deployments files",
	  .statuses = "0 accepted, or nothing had changed; 2 usage; 3 not everything could be read, or it could not be kept",
	  .examples = "sudo pavise accept keys\nsudo pavise accept deployments --yes\npavise accept files --dry-run", .run = cmd_accept },
	{ .name = "scan", .args = "[DIR]", .brief = "secrets in code, in git history, in a container",
	  .about = "Looks for credentials of known providers, private keys, connection strings and what else looks like a secret, "
		   "and for the values of the project's own .env files, wherever they stand besides; also in what is encoded (base64, hex, "
		   "%XX) or packed (zip, jar, tar, gzip; three deep, 64 MB). Values are shown masked. "
		   "Exceptions: a comment `pavise:allow RULE until=DATE reason=...` on the line, or an entry in pavise.ignore "
		   "(id, subject, reason, owner, expires), both for a year at most. What is read is read by a child without "
		   "network or write access.",
	  .options = scan_options, .max_words = 1,
	  .statuses = "0 nothing from --fail-on on; 1 a secret was found; 2 usage; 3 something could not be checked",
	  .examples = "pavise scan\npavise scan --history /srv/shop\npavise scan --history --since v1.2 --format sarif -o scan.sarif\n"
		      "pavise scan --container shop-web-1\ngit diff | pavise scan --stdin\npavise scan --install-hook",
	  .run = cmd_scan },
	{ .name = "logs", .args = "[FILE... | test LINE]", .brief = "what logs say: refused logins, miners, errors, secrets, probes",
	  .about = "Reads the journal, the logs of containers and of the usual services, or the FILEs that are named (- is standard input, .gz "
		   "is read, too), and prints one screen. Secrets are shown masked. test LINE: which rule takes a line, and why the others "
		   "do not. What is read is read by a child without paths, network or write access. Rules of your own: --rules DIR, "
		   "their form stands in the rule files; their examples are tried whenever they change.",
	  .options = logs_options, .max_words = CMD_WORDS,
	  .statuses = "0 nothing from --fail-on on; 1 something was found; 2 usage, or a rule file is wrong; 3 something could not be read",
	  .examples = "sudo pavise logs --since 24h\nsudo pavise logs --since 1h --only logs.error\nsudo pavise logs --container shop-web-1\n"
		      "pavise logs access.log --service nginx --format jsonl\n"
		      "pavise logs test 'Nov 21 19:00:00 web1 sshd[7]: Failed password for root from 192.0.2.7 port 5 ssh2'",
	  .run = cmd_logs },
	{ .name = "config", .args = "check [FILE] | show | sample", .brief = "check it, show what is in force, print a sample",
	  .about = "check: reads the configuration as the guard would and names every error with file, line and column. "
		   "show: every key with its value. sample: a file with every key, its default and its bounds.",
	  .options = config_options, .min_words = 1, .max_words = 2, .words = "check show sample",
	  .statuses = "0 good; 2 it has errors",
	  .examples = "pavise config check\npavise config show --origin\npavise config sample > pavise.yaml", .run = cmd_config },
	{ .name = "version", .args = "", .brief = "the version", .about = "Prints the version.", .max_words = 0,
	  .statuses = "0", .examples = "pavise version", .run = cmd_version },
	{ .name = "help", .args = "[COMMAND | exit-codes]", .brief = "this list, or the help of one command",
	  .about = "`pavise help exit-codes` explains the exit statuses.", .max_words = 1, .statuses = "0; 2 no such command",
	  .examples = "pavise help off\npavise help exit-codes", .run = cmd_help },
	{ .name = "man", .args = "", .brief = "the man page", .about = "Writes pavise(8) in mdoc.", .max_words = 0,
	  .statuses = "0", .examples = "pavise man | mandoc", .run = cmd_man, .hidden = true },
	{ .name = "completion", .args = "bash | zsh | fish", .brief = "completion for a shell",
	  .about = "Writes the completion of this command for a shell.", .min_words = 1, .max_words = 1,
	  .words = "bash zsh fish", .statuses = "0; 2 the shell is not known",
	  .examples = "pavise completion bash > /usr/share/bash-completion/completions/pavise", .run = cmd_completion,
	  .hidden = true },
	{ .name = NULL }
};

const struct command *command_find(const char *name)
{
	for (const struct command *c = commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

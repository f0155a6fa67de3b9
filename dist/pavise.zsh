#compdef pavise
# Made by `pavise completion zsh` from the table of commands.
_pavise() {
	local -a commands
	commands=(
		'guard:the daemon (in the foreground; systemd runs this)'
		'status:one screen\: fine or not, and what to do next'
		'top:live table of workloads'
		'events:history and live stream'
		'off:lift every block and kill at once'
		'on:put them in force again'
		'allow:write an exception and load it'
		'ban:lock an address or a network out'
		'unban:let an address in again'
		'bans:who is locked out, and why'
		'undo:take one act back'
		'doctor:what this machine can and cannot do'
		'explain:why, how it is attacked, how it is mended'
		'audit:the checklist\: what is set up unsafely, and how to mend it'
		'accept:take the host'\''s keys, deployments or files as known'
		'scan:secrets in code, in git history, in a container'
		'logs:what logs say\: refused logins, miners, errors, secrets, probes'
		'config:check it, show what is in force, print a sample'
		'version:the version'
		'help:this list, or the help of one command'
	)
	if (( CURRENT == 2 )); then
		_describe command commands
		return
	fi
	local command=$words[2]
	shift words
	(( CURRENT-- ))
	case $command in
	guard)
		_arguments \
			'--observe[refuse and kill nothing, tell what would have been done; names at start what would be hit]' \
			'--config=[read this configuration (default\: /etc/pavise/pavise.yaml, then conf.d/*.yaml beside it)]:FILE:_files' \
			'--no-color[no colours (also with NO_COLOR set, and when the output is no terminal)]' \
			'--quiet[say nothing but results and errors]' \
			'--help[show this]' \
			'*::word:()' ;;
	status)
		_arguments \
			'--format=[table (default) or json]:FORMAT:(table json)' \
			'--config=[read this configuration (default\: /etc/pavise/pavise.yaml, then conf.d/*.yaml beside it)]:FILE:_files' \
			'--no-color[no colours (also with NO_COLOR set, and when the output is no terminal)]' \
			'--quiet[say nothing but results and errors]' \
			'--help[show this]' \
			'*::word:()' ;;
	top)
		_arguments \
			'--config=[read this configuration (default\: /etc/pavise/pavise.yaml, then conf.d/*.yaml beside it)]:FILE:_files' \
			'--no-color[no colours (also with NO_COLOR set, and when the output is no terminal)]' \
			'--quiet[say nothing but results and errors]' \
			'--help[show this]' \
			'*::word:()' ;;
	events)
		_arguments \
			'--follow[go on with new ones as they come]' \
			'--since=[only those of the last 90s, 10m, 24h, 7d]:DURATION:' \
			'--id=[only this id or those that start so, such as net.]:ID:' \
			'--subject=[only those of this workload, such as shop/web]:NAME:' \
			'--max=[at most N, the newest (default 50)]:N:' \
			'--format=[table (default) or jsonl; for `events show` json too, with what happened around it]:FORMAT:(table json jsonl)' \
			'--output=[write to FILE]:FILE:_files' \
			'--config=[read this configuration (default\: /etc/pavise/pavise.yaml, then conf.d/*.yaml beside it)]:FILE:_files' \
			'--no-color[no colours (also with NO_COLOR set, and when the output is no terminal)]' \
			'--quiet[say nothing but results and errors]' \
			'--help[show this]' \
			'*::word:(show)' ;;
	off)
		_arguments \
			'--for=[resume by itself after 10m, 1h, 2d (the kernel does, also with the guard dead)]:DURATION:' \
			'--config=[read this configuration (default\: /etc/pavise/pavise.yaml, then conf.d/*.yaml beside it)]:FILE:_files' \
			'--no-color[no colours (also with NO_COLOR set, and when the output is no terminal)]' \
			'--quiet[say nothing but results and errors]' \
			'--help[show this]' \
			'*::word:()' ;;
	on)
		_arguments \
			'--config=[read this configuration (default\: /etc/pavise/pavise.yaml, then conf.d/*.yaml beside it)]:FILE:_files' \
			'--no-color[no colours (also with NO_COLOR set, and when the output is no terminal)]' \
			'--quiet[say nothing but results and errors]' \
			'--help[show this]' \
			'*::word:()' ;;
	allow)
		_arguments \
			'--alert[still tell about it; only nothing is refused or killed]' \
			'--remove[take the exception back]' \
			'--config=[read this configuration (default\: /etc/pavise/pavise.yaml, then conf.d/*.yaml beside it)]:FILE:_files' \
			'--no-color[no colours (also with NO_COLOR set, and when the output is no terminal)]' \
			'--quiet[say nothing but results and errors]' \
			'--help[show this]' \
			'*::word:(cpu memory pids net dns login exec)' ;;
	ban)
		_arguments \
			'--for=[10m, 1h, 30d (default\: login.ban, and longer for who comes back)]:DURATION:' \
			'--reason=[shown by pavise bans]:TEXT:' \
			'--config=[read this configuration (default\: /etc/pavise/pavise.yaml, then conf.d/*.yaml beside it)]:FILE:_files' \
			'--no-color[no colours (also with NO_COLOR set, and when the output is no terminal)]' \
			'--quiet[say nothing but results and errors]' \
			'--help[show this]' \
			'*::word:()' ;;
	unban)
		_arguments \
			'--me[the address that this SSH session comes from (works through sudo)]' \
			'--config=[read this configuration (default\: /etc/pavise/pavise.yaml, then conf.d/*.yaml beside it)]:FILE:_files' \
			'--no-color[no colours (also with NO_COLOR set, and when the output is no terminal)]' \
			'--quiet[say nothing but results and errors]' \
			'--help[show this]' \
			'*::word:()' ;;
	bans)
		_arguments \
			'--max=[at most N (default 100)]:N:' \
			'--format=[table (default) or jsonl]:FORMAT:(table jsonl)' \
			'--file=[import\: the database (default /var/lib/fail2ban/fail2ban.sqlite3)]:FILE:_files' \
			'--config=[read this configuration (default\: /etc/pavise/pavise.yaml, then conf.d/*.yaml beside it)]:FILE:_files' \
			'--no-color[no colours (also with NO_COLOR set, and when the output is no terminal)]' \
			'--quiet[say nothing but results and errors]' \
			'--help[show this]' \
			'*::word:(import)' ;;
	undo)
		_arguments \
			'--config=[read this configuration (default\: /etc/pavise/pavise.yaml, then conf.d/*.yaml beside it)]:FILE:_files' \
			'--no-color[no colours (also with NO_COLOR set, and when the output is no terminal)]' \
			'--quiet[say nothing but results and errors]' \
			'--help[show this]' \
			'*::word:()' ;;
	doctor)
		_arguments \
			'--install[look at the installation instead\: programs, folders, configuration, unit]' \
			'--format=[table (default) or json]:FORMAT:(table json)' \
			'--config=[read this configuration (default\: /etc/pavise/pavise.yaml, then conf.d/*.yaml beside it)]:FILE:_files' \
			'--no-color[no colours (also with NO_COLOR set, and when the output is no terminal)]' \
			'--quiet[say nothing but results and errors]' \
			'--help[show this]' \
			'*::word:()' ;;
	explain)
		_arguments \
			'--list[all ids]' \
			'--config=[read this configuration (default\: /etc/pavise/pavise.yaml, then conf.d/*.yaml beside it)]:FILE:_files' \
			'--no-color[no colours (also with NO_COLOR set, and when the output is no terminal)]' \
			'--quiet[say nothing but results and errors]' \
			'--help[show this]' \
			'*::word:{compadd -- ${(f)"$(pavise explain --list 2>/dev/null | cut -d" " -f1)"}}' ;;
	audit)
		_arguments \
			'--compose=[a Compose file before it is deployed (or its folder; with overrides\: a.yaml,b.yaml)]:FILE:_files' \
			'--dockerfile=[a Dockerfile]:FILE:_files' \
			'--facts=[a saved host\: a folder with its files (etc/, proc/ ...)]:DIR:' \
			'--only=[only these checks, or families such as ctr, ssh]:ID,...:' \
			'--skip=[all but these]:ID,...:' \
			'--all[every finding with its evidence, also what passed or does not apply]' \
			'--fail-on=[exit 1 from this severity on (default\: high)]:SEVERITY:(critical high medium low info)' \
			'--baseline=[what failed in this earlier report (json, jsonl or sarif) is known]:FILE:_files' \
			'--fix[mend what can be mended without stopping anything\: modes, .gitignore, limits of running containers]' \
			'--guarded[--fix\: also SSH and ports that strangers reach; tested first, and rolled back unless confirmed]' \
			'--within=[--guarded\: how long it waits to be confirmed (default 5m)]:DURATION:' \
			'--confirm[keep what --guarded changed]' \
			'--dry-run[--fix, --undo\: only show the steps]' \
			'--yes[--fix, --undo\: do not ask]' \
			'--undo[take the newest --fix back]' \
			'--recreate=[print the lines of a shell that make these containers anew without what is wrong with them]:NAME,...:' \
			'--watch=[--fix --compose, --recreate\: look on first, while you restart the containers, which capabilities they use]:DURATION:' \
			'--probe=[ask a site of this host\: HTTPS, redirect, CORS, and, where the URL is a login, its rate limit]:URL:' \
			'--probe-remote[--probe\: also where the site is not on this host]' \
			'--gate=[deploy\: every row of the checklist that a deploy is held to, each by the command that answers for it]:NAME:(deploy)' \
			'--format=[table (default), json, jsonl, sarif, junit, markdown, html]:FORMAT:(table json jsonl sarif junit markdown html)' \
			'--output=[write to FILE]:FILE:_files' \
			'--config=[read this configuration (default\: /etc/pavise/pavise.yaml, then conf.d/*.yaml beside it)]:FILE:_files' \
			'--no-color[no colours (also with NO_COLOR set, and when the output is no terminal)]' \
			'--quiet[say nothing but results and errors]' \
			'--help[show this]' \
			'*::word:()' ;;
	accept)
		_arguments \
			'--dry-run[only show what would be accepted]' \
			'--yes[do not ask]' \
			'--config=[read this configuration (default\: /etc/pavise/pavise.yaml, then conf.d/*.yaml beside it)]:FILE:_files' \
			'--no-color[no colours (also with NO_COLOR set, and when the output is no terminal)]' \
			'--quiet[say nothing but results and errors]' \
			'--help[show this]' \
			'*::word:(keys deployments files)' ;;
	scan)
		_arguments \
			'--history[also every blob of the git history, reachable or not]' \
			'--since=[of the history only what came after this commit]:COMMIT:' \
			'--staged[only what `git commit` would commit now]' \
			'--stdin[only what comes on standard input]' \
			'--container=[only the environment and the changed files of a container]:NAME:' \
			'--format=[table (default), json, jsonl, sarif, junit, markdown or html]:FORMAT:(table json jsonl sarif junit markdown html)' \
			'--output=[write to FILE]:FILE:_files' \
			'--fail-on=[exit with 1 from this severity on (default high)]:SEVERITY:(critical high medium low info)' \
			'--baseline=[what failed in this earlier report (json, jsonl or sarif) is known]:FILE:_files' \
			'--only=[only these ids or rules, or those that start so\: secret.in-code, github.]:ID,...:' \
			'--skip=[all but these]:ID,...:' \
			'--rules=[rule files of your own, in addition]:DIR:' \
			'--install-hook[look at every commit before it is made (a pre-commit hook; one that is there is kept)]' \
			'--all[also what passed and does not apply]' \
			'--config=[read this configuration (default\: /etc/pavise/pavise.yaml, then conf.d/*.yaml beside it)]:FILE:_files' \
			'--no-color[no colours (also with NO_COLOR set, and when the output is no terminal)]' \
			'--quiet[say nothing but results and errors]' \
			'--help[show this]' \
			'*::word:()' ;;
	logs)
		_arguments \
			'--since=[only what was written within the last 1h, 24h, 7d]:DURATION:' \
			'--unit=[only this unit'\''s records of the journal]:UNIT:' \
			'--container=[only this container'\''s output]:NAME:' \
			'--service=[the files are this service'\''s\: sshd, nginx ...; without it the shape of each line decides]:NAME:' \
			'--only=[only these ids\: logs.auth-failure, logs.miner, logs.error, logs.secret, logs.probe, logs.silent]:ID,...:(logs.auth-failure logs.miner logs.error logs.secret logs.probe logs.silent)' \
			'--skip=[all but these]:ID,...:' \
			'--format=[table (default), json, jsonl (every event), sarif, junit, markdown or html]:FORMAT:(table json jsonl sarif junit markdown html)' \
			'--output=[write to FILE]:FILE:_files' \
			'--fail-on=[exit with 1 from this severity on (default high)]:SEVERITY:(critical high medium low info)' \
			'--rules=[rule files of your own, in addition]:DIR:' \
			'--all[everything, not only the most frequent of each kind]' \
			'--config=[read this configuration (default\: /etc/pavise/pavise.yaml, then conf.d/*.yaml beside it)]:FILE:_files' \
			'--no-color[no colours (also with NO_COLOR set, and when the output is no terminal)]' \
			'--quiet[say nothing but results and errors]' \
			'--help[show this]' \
			'*::word:()' ;;
	config)
		_arguments \
			'--origin[show\: where each value was set]' \
			'--config=[read this configuration (default\: /etc/pavise/pavise.yaml, then conf.d/*.yaml beside it)]:FILE:_files' \
			'--no-color[no colours (also with NO_COLOR set, and when the output is no terminal)]' \
			'--quiet[say nothing but results and errors]' \
			'--help[show this]' \
			'*::word:(check show sample)' ;;
	version)
		_arguments \
			'--config=[read this configuration (default\: /etc/pavise/pavise.yaml, then conf.d/*.yaml beside it)]:FILE:_files' \
			'--no-color[no colours (also with NO_COLOR set, and when the output is no terminal)]' \
			'--quiet[say nothing but results and errors]' \
			'--help[show this]' \
			'*::word:()' ;;
	help)
		_arguments \
			'--config=[read this configuration (default\: /etc/pavise/pavise.yaml, then conf.d/*.yaml beside it)]:FILE:_files' \
			'--no-color[no colours (also with NO_COLOR set, and when the output is no terminal)]' \
			'--quiet[say nothing but results and errors]' \
			'--help[show this]' \
			'*::word:(guard status top events off on allow ban unban bans undo doctor explain audit accept scan logs config version help exit-codes)' ;;
	esac
}
_pavise "$@"

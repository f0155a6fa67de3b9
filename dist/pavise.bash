# Made by `pavise completion bash` from the table of commands.
_pavise() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=
	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		words='guard status top events off on allow ban unban bans undo doctor explain audit accept scan logs config version help'
	else
		case $prev in
		--config|--output|-o) COMPREPLY=($(compgen -f -- "$cur")); return ;;
		esac
		case ${COMP_WORDS[1]}:$prev in
		status:--format) words='table json' ;;
		events:--format) words='table json jsonl' ;;
		bans:--format) words='table jsonl' ;;
		doctor:--format) words='table json' ;;
		audit:--fail-on) words='critical high medium low info' ;;
		audit:--gate) words='deploy' ;;
		audit:--format) words='table json jsonl sarif junit markdown html' ;;
		scan:--format) words='table json jsonl sarif junit markdown html' ;;
		scan:--fail-on) words='critical high medium low info' ;;
		logs:--only) words='logs.auth-failure logs.miner logs.error logs.secret logs.probe logs.silent' ;;
		logs:--format) words='table json jsonl sarif junit markdown html' ;;
		logs:--fail-on) words='critical high medium low info' ;;
		*)
			case ${COMP_WORDS[1]} in
			guard) words=' --observe --config --no-color --quiet --help' ;;
			status) words=' --format --config --no-color --quiet --help' ;;
			top) words=' --config --no-color --quiet --help' ;;
			events) words='show --follow --since --id --subject --max --format --output --config --no-color --quiet --help' ;;
			off) words=' --for --config --no-color --quiet --help' ;;
			on) words=' --config --no-color --quiet --help' ;;
			allow) words='cpu memory pids net dns login exec --alert --remove --config --no-color --quiet --help' ;;
			ban) words=' --for --reason --config --no-color --quiet --help' ;;
			unban) words=' --me --config --no-color --quiet --help' ;;
			bans) words='import --max --format --file --config --no-color --quiet --help' ;;
			undo) words=' --config --no-color --quiet --help' ;;
			doctor) words=' --install --format --config --no-color --quiet --help' ;;
			explain) words=$(pavise explain --list 2>/dev/null | cut -d' ' -f1)' --list --config --no-color --quiet --help' ;;
			audit) words=' --compose --dockerfile --facts --only --skip --all --fail-on --baseline --fix --guarded --within --confirm --dry-run --yes --undo --recreate --watch --probe --probe-remote --gate --format --output --config --no-color --quiet --help' ;;
			accept) words='keys deployments files --dry-run --yes --config --no-color --quiet --help' ;;
			scan) words=' --history --since --staged --stdin --container --format --output --fail-on --baseline --only --skip --rules --install-hook --all --config --no-color --quiet --help' ;;
			logs) words=' --since --unit --container --service --only --skip --format --output --fail-on --rules --all --config --no-color --quiet --help' ;;
			config) words='check show sample --origin --config --no-color --quiet --help' ;;
			version) words=' --config --no-color --quiet --help' ;;
			help) words='guard status top events off on allow ban unban bans undo doctor explain audit accept scan logs config version help exit-codes --config --no-color --quiet --help' ;;
			esac ;;
		esac
	fi
	COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _pavise pavise

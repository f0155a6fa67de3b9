#!/bin/sh
# Installs pavise from its tarball where there is no package for the distribution. Download both, read this, then run it:
#
#   sh install.sh [--prefix DIR] [--no-start] [--dry-run] pavise-VERSION-ARCH.tar.gz
#   sh install.sh --remove [--purge] [--prefix DIR]
#
# It fetches nothing, says what it does before it does it, and takes no tarball but the one it was made with. The whole of it is a
# function that is called in the last line: half a download does nothing.
set -eu
umask 022

digest=@SHA256@ # of the tarball; tools/tarball writes it
units=/etc/systemd/system
links=/usr/local

say() { printf '%s\n' "$*"; }
fail() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }
# A step: said, and done unless it is a rehearsal.
step() {
	say "  $*"
	[ -n "$dry" ] || "$@"
}
systemd_up() { [ -d /run/systemd/system ]; }

verify() {
	[ -f "$1" ] || fail "$1: there is no such file"
	case $digest in *@*) fail "this is the source of the installer; tools/tarball makes the one that goes with a tarball" ;; esac
	got=$(sha256sum "$1") || fail "$1 cannot be read"
	[ "${got%% *}" = "$digest" ] || fail "$1 is not the tarball this installer was made with:
  SHA-256 is     ${got%% *}
  it should be   $digest"
	say "$1: SHA-256 $digest, as it should be"
}

# Programs whose libraries are missing would only fail later, with less to say.
libraries() {
	missing=$(for p in "$1"/pavise*; do ldd "$p" 2>/dev/null | sed -n 's/^[[:space:]]*\([^ ]*\) => not found.*/\1/p'; done | sort -u)
	[ -z "$missing" ] || fail "these libraries are missing:
$missing
  on Debian and Ubuntu: apt-get install $(cat "$1/../packages")"
}

users() {
	for u in pavise pavise-send; do
		getent passwd "$u" >/dev/null || step useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$u"
	done
	getent group pavise-admin >/dev/null || step groupadd --system pavise-admin
}

add() {
	verify "$tarball"
	tmp=$(mktemp -d)
	trap 'rm -rf "$tmp"' EXIT
	tar -xzf "$tarball" -C "$tmp" --strip-components=1 --no-same-owner
	(cd "$tmp" && sha256sum --quiet -c SHA256SUMS) || fail "the files in it do not fit its own list"
	libraries "$tmp/lib"
	[ ! -d "$prefix" ] || [ -e "$prefix/lib/pavise-launcher" ] || [ -z "$(ls -A "$prefix")" ] || fail "$prefix holds something else; give --prefix a folder of its own"
	[ -n "$dry" ] || [ "$(id -u)" = 0 ] || fail "run it as root, or with --dry-run to see what it would do"
	say "${dry:+(rehearsal) }what is done:"
	users
	step install -d -m 755 "$prefix" "$prefix/lib" /etc/pavise /etc/pavise/conf.d /var/lib/pavise "$links/bin" "$links/share/man/man8" "$links/share/bash-completion/completions"
	step install -d -m 700 -o pavise -g pavise /var/lib/pavise/engine
	for p in "$tmp"/lib/pavise*; do
		step install -m 755 "$p" "$prefix/lib/${p##*/}.new"
		step mv -f "$prefix/lib/${p##*/}.new" "$prefix/lib/${p##*/}"
	done
	step rm -rf "$prefix/rules"
	step cp -r "$tmp/rules" "$prefix/rules"
	# shellcheck disable=SC3013
	[ "$self" -ef "$prefix/install.sh" ] || step install -m 755 "$self" "$prefix/install.sh"
	step ln -sfn "$prefix/lib/pavise" "$links/bin/pavise"
	step install -m 644 "$tmp/share/pavise.8" "$links/share/man/man8/pavise.8"
	step install -m 644 "$tmp/share/pavise.bash" "$links/share/bash-completion/completions/pavise"
	[ -e /etc/pavise/pavise.yaml ] || step install -m 644 "$tmp/share/pavise.yaml" /etc/pavise/pavise.yaml
	if [ -d "$units" ] || systemd_up; then
		sed "s|^ExecStart=/usr/bin/pavise|ExecStart=$prefix/lib/pavise|" "$tmp/share/pavise.service" >"$tmp/pavise.service"
		step install -D -m 644 "$tmp/pavise.service" "$units/pavise.service"
	fi
	if systemd_up; then
		step systemctl daemon-reload
		step systemctl enable --quiet pavise.service
		[ -n "$nostart" ] || step systemctl restart pavise.service
		say "look at it with: pavise status"
	else
		say "systemd does not run here: start the guard with: $prefix/lib/pavise guard"
	fi
}

# Guards of this folder, also one that was started by hand. By name within our own mount namespace: a container may have a file of the
# same name.
running() {
	launcher=$(readlink -f "$prefix/lib/pavise-launcher")
	for p in /proc/[0-9]*; do
		case $(readlink "$p/exe" 2>/dev/null) in
		"$launcher" | "$launcher (deleted)")
			# shellcheck disable=SC3013
			[ ! "$p/ns/mnt" -ef /proc/self/ns/mnt ] || echo "${p#/proc/}" ;;
		esac
	done
}

# A guard that goes on would pin again what is about to be lifted.
stop() {
	pids=$(running)
	[ -n "$pids" ] || return 0
	# shellcheck disable=SC2086
	step kill -TERM $pids || true
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		[ -z "$dry" ] && [ -n "$(running)" ] || return 0
		sleep 0.5
	done
}

take_away() {
	[ -n "$dry" ] || [ "$(id -u)" = 0 ] || fail "run it as root, or with --dry-run to see what it would do"
	[ -x "$prefix/lib/pavise" ] || fail "$prefix/lib/pavise is not there; give the folder with --prefix"
	say "${dry:+(rehearsal) }what is done:"
	! systemd_up || step systemctl disable --quiet --now pavise.service || true
	stop
	# What is pinned in the kernel outlives the guard on purpose, but must not outlive the program that can lift it.
	pinned=$("$prefix/lib/pavise" config show 2>/dev/null | sed -n 's/^bpf_dir: "\(.*\)"$/\1/p') || true
	step "$prefix/lib/pavise" off --quiet || true
	step "$prefix/lib/pavise-broker" --bpf-dir "${pinned:-/sys/fs/bpf/pavise}" unpin || true
	for f in "$prefix"/lib/pavise* "$prefix/rules" "$prefix/install.sh" "$links/bin/pavise" "$links/share/man/man8/pavise.8" \
		"$links/share/bash-completion/completions/pavise" "$units/pavise.service"; do
		[ ! -e "$f" ] && [ ! -L "$f" ] || step rm -rf "$f"
	done
	[ -n "$dry" ] || rmdir "$prefix/lib" "$prefix" 2>/dev/null || true
	! systemd_up || step systemctl daemon-reload
	if [ -n "$purge" ]; then
		step rm -rf /var/lib/pavise /etc/pavise /run/pavise /var/cache/pavise
		# What `audit --fix --guarded` closed: its record, and with it the command that takes it back, are gone.
		! nft list table inet pavise_audit >/dev/null 2>&1 || step nft delete table inet pavise_audit
	else
		say "/etc/pavise and /var/lib/pavise are left; --purge takes them too"
	fi
}

main() {
	self=$0 prefix=/opt/pavise dry='' nostart='' remove='' purge='' tarball=''
	while [ $# -gt 0 ]; do
		case $1 in
		--prefix) [ $# -gt 1 ] || fail "--prefix takes a folder"; prefix=${2%/}; shift ;;
		--dry-run) dry=1 ;;
		--no-start) nostart=1 ;;
		--remove) remove=1 ;;
		--purge) purge=1 ;;
		-h | --help) sed -n 's/^# \{0,1\}//p' "$0" | sed -n '2,9p'; exit 0 ;;
		-*) fail "$1 is not known; --help says what is" ;;
		*) tarball=$1 ;;
		esac
		shift
	done
	case $prefix in /?*) ;; *) fail "--prefix takes an absolute path" ;; esac
	case $prefix in *[!A-Za-z0-9/._-]*) fail "--prefix takes letters, digits, / . _ and -" ;; esac
	if [ -n "$remove" ]; then
		take_away
	else
		[ -n "$tarball" ] || fail "which tarball? --help says more"
		add
	fi
}

main "$@"

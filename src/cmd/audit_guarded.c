#include "cmd/audit_guarded.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "cmd/audit_firewall.h"
#include "mend/state.h"
#include "mend/target.h"

#define MARK	"# Written by pavise audit --fix --guarded; pavise audit --undo takes it away."

/* What waits is a file of this name. */
static const struct pending {
	enum step_kind kind;
	const char *file, *what;
} pendings[] = {
	{ STEP_SSHD, "pending-sshd", "SSH" },
	{ STEP_FIREWALL, "pending-firewall", "the firewall" },
};

static const struct pending *pending_of(const struct audit_step *s)
{
	return &pendings[s->kind == STEP_FIREWALL];
}

bool guarded_kind(const struct audit_step *s)
{
	return s->kind == STEP_SSHD || s->kind == STEP_FIREWALL;
}

static void text_of(struct pv_buf *out, const struct audit_step *s)
{
	pv_buf_printf(out, MARK "\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin %s\n",
		      s->root_login ? "prohibit-password" : "no");
}

void guarded_words(struct pv_buf *out, const struct audit_step *s)
{
	if (s->kind == STEP_FIREWALL) {
		firewall_words(out, s);
		return;
	}
	pv_buf_printf(out, "printf 'PasswordAuthentication no\\nKbdInteractiveAuthentication no\\nPermitRootLogin %s\\n' > "
			   STEP_SSHD_DIR "/" STEP_SSHD_NAME " && sshd -t && systemctl reload ssh",
		      s->root_login ? "prohibit-password" : "no");
}

/* --- sshd --- */

static const char *sshd_path(void)
{
	static const char *const places[] = { "/usr/sbin/sshd", "/usr/local/sbin/sshd", "/sbin/sshd" };

	for (size_t i = 0; i < N_ELEMENTS(places); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

static int sshd_says(const char *option, struct pv_buf *out)
{
	const char *const argv[] = { sshd_path(), option, NULL };
	pv_autobuf err = PV_BUF_INIT;
	int r = argv[0] ? child_run(argv, &(struct child_io){ .fd3 = -1, .out = out, .err = &err }) : -ENOENT;

	if (r > 0) {
		pv_autobuf safe = PV_BUF_INIT;

		pv_buf_safe(&safe, pv_buf_str(&err), 400);
		cmd_say("sshd %s: %s", option, pv_buf_str(&safe));
	}
	return r > 0 ? -EREMOTEIO : r;
}

/* The daemon itself; with socket activation there is none, and the next connection reads the new file. */
static void reload(void)
{
	char text[32] = "", comm[32] = "", path[64];
	FILE *f = fopen("/run/sshd.pid", "re");
	uint32_t pid;

	if (f && fgets(text, sizeof(text), f))
		text[strcspn(text, "\n")] = '\0';
	if (f)
		(void) fclose(f);
	if (parse_u32(text, &pid) < 0 || pid < 2 || pid > INT32_MAX)
		return;
	(void) snprintf(path, sizeof(path), "/proc/%u/comm", pid);
	f = fopen(path, "re");
	if (f && fgets(comm, sizeof(comm), f) && strcmp(comm, "sshd\n") == 0)
		(void) kill((pid_t) pid, SIGHUP);
	if (f)
		(void) fclose(f);
}

static int take_away(const struct audit_step *s)
{
	pv_autobuf text = PV_BUF_INIT;
	int r;

	if (s->kind == STEP_FIREWALL)
		return firewall_take(s);
	text_of(&text, s);
	r = mend_unwrite(STEP_SSHD_DIR, STEP_SSHD_NAME, MARK, text.len);
	if (r == 0)
		reload();
	return r;
}

/* --- before --- */

static bool key_of(const char *user)
{
	const struct passwd *pw = user && *user ? getpwnam(user) : NULL;
	char path[4096];
	struct stat st;

	if (!pw || snprintf(path, sizeof(path), "%s/.ssh/authorized_keys", pw->pw_dir) >= (int) sizeof(path))
		return false;
	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;
}

int guarded_prepare(const struct audit_step *s)
{
	if (s->kind == STEP_FIREWALL)
		return firewall_prepare(s);
	if (geteuid() != 0)
		return -EPERM;
	if (strcmp(s->dir, STEP_SSHD_DIR) != 0 || strcmp(s->name, STEP_SSHD_NAME) != 0)
		return -EINVAL;
	/* Whoever runs this must be able to come back: as themselves, or as root where root may come with a key. */
	if (!key_of(getenv("SUDO_USER")) && !(s->root_login && key_of("root"))) {
		cmd_say("no key of yours could log in afterwards: ssh-copy-id first (run this with sudo from your own account)");
		return -EREMOTEIO;
	}
	return sshd_says("-t", NULL); /* it must be good before, too */
}

/* --- the process that waits --- */

static void wait_and_roll_back(int folder, const struct audit_step *s, uint64_t until_us)
{
	const struct pending *p = pending_of(s);

	while (faccessat(folder, p->file, F_OK, 0) == 0 && clock_wall_us() < until_us) {
		const struct timespec nap = { .tv_nsec = 200000000 };

		(void) nanosleep(&nap, NULL);
	}
	if (unlinkat(folder, p->file, 0) < 0) /* confirmed, or taken back by hand: whoever removes it decides */
		return;
	openlog("pavise", 0, LOG_AUTHPRIV);
	if (take_away(s) == 0)
		syslog(LOG_WARNING, "the change of %s was not confirmed in time and is taken back", p->what);
	else
		syslog(LOG_ERR, "the change of %s was not confirmed, and could not be taken back: remove %s/%s", p->what, s->dir, s->name);
}

/* Of no terminal and nobody's child: it must outlive a session that the change has cut off. */
static int start_waiting(int folder, const struct audit_step *s, uint64_t until_us)
{
	pid_t pid;

	(void) fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		if (setsid() < 0 || null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
			_exit(1);
		(void) signal(SIGHUP, SIG_IGN);
		if (chdir("/") == 0 && fork() == 0)
			wait_and_roll_back(folder, s, until_us);
		_exit(0);
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return 0;
}

static int pend(struct start *s, const struct audit_step *step, int *ret_folder, uint64_t *ret_until)
{
	pv_autobuf text = PV_BUF_INIT;
	int folder = state_folder(s->state_dir, "undo", NULL), r;

	if (folder < 0)
		return folder;
	*ret_until = clock_wall_us() + s->within_us;
	pv_buf_printf(&text, "%" PRIu64 " %u %s\n%s\n%s\n", *ret_until, step->root_login, step->name, step->dir, step->line);
	r = state_write(folder, pending_of(step)->file, pv_buf_str(&text), text.len);
	if (r < 0)
		(void) close(folder);
	else
		*ret_folder = folder;
	return r;
}

/* One line into `out`; returns what follows, NULL when it is no whole line or does not fit. */
static const char *take_line(const char *s, char *out, size_t size)
{
	size_t n = s ? strcspn(s, "\n") : 0;

	if (!s || s[n] != '\n' || n >= size)
		return NULL;
	memcpy(out, s, n);
	out[n] = '\0';
	return s + n + 1;
}

/* As pend() writes it. */
static bool read_pending(const char *s, uint64_t *ret_until, struct audit_step *step)
{
	char *rest, *after;

	*ret_until = strtoull(s, &rest, 10);
	if (rest == s || *rest != ' ')
		return false;
	step->root_login = (unsigned) strtoul(rest, &after, 10);
	if (after == rest || *after != ' ')
		return false;
	if (step->kind != STEP_FIREWALL)
		return true;
	s = take_line(after + 1, step->name, sizeof(step->name));
	s = take_line(s, step->dir, sizeof(step->dir));
	return take_line(s, step->line, sizeof(step->line)) != NULL;
}

/* --- the change --- */

static int holds(const struct audit_step *s)
{
	pv_autobuf out = PV_BUF_INIT;
	int r = sshd_says("-t", NULL);
	const char *all, *against = NULL;

	if (r == 0)
		r = sshd_says("-T", &out);
	if (r < 0)
		return r;
	all = pv_buf_str(&out);
	if (!strstr(all, "\npasswordauthentication no\n"))
		against = "PasswordAuthentication";
	else if (!strstr(all, "\nkbdinteractiveauthentication no\n"))
		against = "KbdInteractiveAuthentication";
	else if ((s->root_login && strstr(all, "\npermitrootlogin yes\n")) || (!s->root_login && !strstr(all, "\npermitrootlogin no\n")))
		against = "PermitRootLogin";
	if (!against)
		return 0;
	cmd_say("sshd would not follow it: sshd_config sets %s before, or does not include " STEP_SSHD_DIR "/*.conf", against);
	return -EREMOTEIO;
}

static int put(const struct audit_step *s)
{
	pv_autobuf text = PV_BUF_INIT;
	int r;

	if (s->kind == STEP_FIREWALL)
		return firewall_put(s);
	text_of(&text, s);
	r = mend_write(STEP_SSHD_DIR, STEP_SSHD_NAME, MARK, pv_buf_str(&text), text.len, 0644);
	if (r < 0)
		return r;
	r = holds(s);
	if (r < 0)
		(void) mend_unwrite(STEP_SSHD_DIR, STEP_SSHD_NAME, MARK, text.len);
	return r;
}

/* One change of a kind at a time, so that it is known what is confirmed. */
static bool waits(struct start *s, const struct audit_step *step)
{
	pv_autoclose int folder = state_folder_open(s->state_dir, "undo", NULL);

	return folder >= 0 && faccessat(folder, pending_of(step)->file, F_OK, 0) == 0;
}

int guarded_apply(struct start *s, struct record_line *line)
{
	pv_autobuf wait = PV_BUF_INIT;
	pv_autoclose int folder = -1;
	uint64_t until;
	int r;

	if (waits(s, &line->step)) {
		cmd_say("a change of %s waits to be confirmed: pavise audit --confirm, then this again", pending_of(&line->step)->what);
		return -EREMOTEIO;
	}
	r = put(&line->step);
	if (r < 0)
		return r;
	r = pend(s, &line->step, &folder, &until);
	if (r == 0)
		r = start_waiting(folder, &line->step, until);
	if (r < 0) {
		(void) take_away(&line->step);
		return r;
	}
	clock_duration(&wait, s->within_us);
	if (line->step.kind == STEP_SSHD) /* only now: nothing was reloaded before */
		reload();
	cmd_say("%s: keep this session, %s, then: pavise audit --confirm\n     (without that it is taken back in %s)",
		line->step.kind == STEP_SSHD ? "SSH" : "firewall",
		line->step.kind == STEP_SSHD ? "log in with another" : "log in with another and look whether all answers that should", pv_buf_str(&wait));
	return 0;
}

int guarded_undo(struct start *s, const struct audit_step *step)
{
	pv_autoclose int folder = state_folder_open(s->state_dir, "undo", NULL);
	struct audit_step waiting = { .kind = step->kind };
	pv_autobuf text = PV_BUF_INIT;
	int r = take_away(step);
	uint64_t until;

	/* Nothing is left to be confirmed, or to be taken back a second time. */
	if (r == 0 && folder >= 0 && state_read(folder, pending_of(step)->file, 2048, &text) == 0 &&
	    read_pending(pv_buf_str(&text), &until, &waiting) && (step->kind == STEP_SSHD || strcmp(waiting.name, step->name) == 0))
		(void) unlinkat(folder, pending_of(step)->file, 0);
	return r;
}

/* --- afterwards --- */

/* Its file begins with flush ruleset: enabled for our table alone it would take those of Docker and ufw away. */
static bool nftables_enabled(void)
{
	static const char *const links[] = { "/etc/systemd/system/sysinit.target.wants/nftables.service",
					     "/etc/systemd/system/multi-user.target.wants/nftables.service" };

	for (size_t i = 0; i < N_ELEMENTS(links); i++)
		if (faccessat(AT_FDCWD, links[i], F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return true;
	return false;
}

int guarded_confirm(struct start *s)
{
	pv_autoclose int folder = state_folder_open(s->state_dir, "undo", NULL);
	bool any = false;

	for (size_t i = 0; i < N_ELEMENTS(pendings) && folder >= 0; i++) {
		if (unlinkat(folder, pendings[i].file, 0) < 0)
			continue;
		any = true;
		if (!s->quiet)
			cmd_say("confirmed: the change of %s stays", pendings[i].what);
		if (pendings[i].kind == STEP_FIREWALL && !s->quiet)
			cmd_say("%s", nftables_enabled() ? "to keep it over a restart: nft list table inet pavise_audit >> /etc/nftables.conf"
							 : "it lasts until the machine restarts: then pavise audit --only fw --fix --guarded again, or close the ports in this host's own firewall");
	}
	if (!any) {
		cmd_fail("nothing waits to be confirmed: it was taken back, or never made", "pavise audit --only ssh,fw");
		return CMD_USAGE;
	}
	return CMD_OK;
}

void guarded_late(struct start *s)
{
	pv_autoclose int folder = geteuid() == 0 ? state_folder_open(s->state_dir, "undo", NULL) : -1;

	for (size_t i = 0; i < N_ELEMENTS(pendings) && folder >= 0; i++) {
		struct audit_step step = { .kind = pendings[i].kind };
		pv_autobuf text = PV_BUF_INIT;
		uint64_t until = 0;

		if (state_read(folder, pendings[i].file, 2048, &text) < 0 || !read_pending(pv_buf_str(&text), &until, &step) ||
		    clock_wall_us() < until + 10 * USEC_PER_SEC) /* the process that waits comes first */
			continue;
		if (unlinkat(folder, pendings[i].file, 0) == 0 && take_away(&step) == 0)
			cmd_say("pavise: a change of %s was never confirmed, and is taken back now", pendings[i].what);
	}
}

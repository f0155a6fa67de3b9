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
#include "mend/state.h"
#include "mend/target.h"

#define MARK	"# Written by pavise audit --fix --guarded; pavise audit --undo takes it away."
#define PENDING "pending-sshd"

bool guarded_kind(const struct audit_step *s)
{
	return s->kind == STEP_SSHD;
}

static void text_of(struct pv_buf *out, const struct audit_step *s)
{
	pv_buf_printf(out, MARK "\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin %s\n",
		      s->root_login ? "prohibit-password" : "no");
}

void guarded_words(struct pv_buf *out, const struct audit_step *s)
{
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
	while (faccessat(folder, PENDING, F_OK, 0) == 0 && clock_wall_us() < until_us) {
		const struct timespec nap = { .tv_nsec = 200000000 };

		(void) nanosleep(&nap, NULL);
	}
	if (unlinkat(folder, PENDING, 0) < 0) /* confirmed, or taken back by hand: whoever removes it decides */
		return;
	openlog("pavise", 0, LOG_AUTHPRIV);
	if (take_away(s) == 0)
		syslog(LOG_WARNING, "the change of SSH was not confirmed in time and is taken back");
	else
		syslog(LOG_ERR, "the change of SSH was not confirmed, and could not be taken back: remove %s/%s", STEP_SSHD_DIR,
		       STEP_SSHD_NAME);
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
	pv_buf_printf(&text, "%" PRIu64 " %u\n", *ret_until, step->root_login);
	r = state_write(folder, PENDING, pv_buf_str(&text), text.len);
	if (r < 0)
		(void) close(folder);
	else
		*ret_folder = folder;
	return r;
}

/* --- the change --- */

static int holds(void)
{
	pv_autobuf out = PV_BUF_INIT;
	int r = sshd_says("-t", NULL);

	if (r == 0)
		r = sshd_says("-T", &out);
	if (r < 0)
		return r;
	if (strstr(pv_buf_str(&out), "\npasswordauthentication no\n") && strstr(pv_buf_str(&out), "\nkbdinteractiveauthentication no\n"))
		return 0;
	cmd_say("sshd would not follow it: sshd_config sets it before, or does not include " STEP_SSHD_DIR "/*.conf");
	return -EREMOTEIO;
}

int guarded_apply(struct start *s, struct record_line *line)
{
	pv_autobuf text = PV_BUF_INIT, wait = PV_BUF_INIT;
	pv_autoclose int folder = -1;
	uint64_t until;
	int r;

	text_of(&text, &line->step);
	r = mend_write(STEP_SSHD_DIR, STEP_SSHD_NAME, MARK, pv_buf_str(&text), text.len, 0644);
	if (r < 0)
		return r;
	r = holds();
	if (r == 0)
		r = pend(s, &line->step, &folder, &until);
	if (r == 0)
		r = start_waiting(folder, &line->step, until);
	if (r < 0) { /* nothing was reloaded yet */
		(void) mend_unwrite(STEP_SSHD_DIR, STEP_SSHD_NAME, MARK, text.len);
		return r;
	}
	reload();
	clock_duration(&wait, s->within_us);
	cmd_say("SSH: keep this session, log in with another, then: pavise audit --confirm\n"
		"     (without that it is taken back in %s)", pv_buf_str(&wait));
	return 0;
}

int guarded_undo(const struct audit_step *s)
{
	return take_away(s);
}

/* --- afterwards --- */

int guarded_confirm(struct start *s)
{
	pv_autoclose int folder = state_folder_open(s->state_dir, "undo", NULL);

	if (folder < 0 || unlinkat(folder, PENDING, 0) < 0) {
		cmd_fail("nothing waits to be confirmed: it was taken back, or never made", "pavise audit --only ssh");
		return CMD_USAGE;
	}
	if (!s->quiet)
		cmd_say("confirmed: the change of SSH stays");
	return CMD_OK;
}

static bool read_pending(const char *s, uint64_t *ret_until, uint32_t *ret_root_login)
{
	char *rest;

	*ret_until = strtoull(s, &rest, 10);
	if (rest == s || *rest != ' ')
		return false;
	*ret_root_login = (uint32_t) strtoul(rest + 1, NULL, 10);
	return true;
}

void guarded_late(struct start *s)
{
	pv_autoclose int folder = geteuid() == 0 ? state_folder_open(s->state_dir, "undo", NULL) : -1;
	pv_autobuf text = PV_BUF_INIT;
	struct audit_step step = { .kind = STEP_SSHD };
	uint64_t until = 0;

	if (folder < 0 || state_read(folder, PENDING, 256, &text) < 0 ||
	    !read_pending(pv_buf_str(&text), &until, &step.root_login) ||
	    clock_wall_us() < until + 10 * USEC_PER_SEC) /* the process that waits comes first */
		return;
	if (unlinkat(folder, PENDING, 0) == 0 && take_away(&step) == 0)
		cmd_say("pavise: a change of SSH was never confirmed, and is taken back now");
}

/* pavise audit: starts pavise-audit, which reads and judges without network or write access (audit_serve.c answers its
 * questions), and with --fix carries out what it proposes (audit_fix.c). */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/text.h"
#include "cmd/audit.h"
#include "cmd/audit_guarded.h"
#include "cmd/gate.h"
#include "mend/state.h"

void audit_arg(struct start *s, const char *name, const char *value)
{
	if (s->n + 3 >= ARGS_MAX)
		return;
	s->argv[s->n++] = name;
	if (value)
		s->argv[s->n++] = value;
}

/* --- what it is given --- */

static int bad_path(const char *path, int e)
{
	pv_autobuf text = PV_BUF_INIT;

	pv_buf_puts(&text, "cannot look at ");
	pv_buf_safe(&text, path, 0);
	pv_buf_printf(&text, ": %s", strerror(e));
	cmd_fail(pv_buf_str(&text), NULL);
	return -EINVAL;
}

/* The file that Compose would take in a folder. */
static const char *compose_in(const char *dir, char *out)
{
	static const char *const names[] = { "compose.yaml", "compose.yml", "docker-compose.yaml",
					     "docker-compose.yml" };

	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		int n = snprintf(out, PATH_MAX, "%s/%s", dir, names[i]);

		if (n > 0 && n < PATH_MAX && access(out, F_OK) == 0)
			return out;
	}
	return NULL;
}

/* `list`: paths with commas between. They are given to the child as they really are. */
static int add_paths(struct start *s, const char *option, const char *list)
{
	while (list && *list) {
		char one[PATH_MAX], inside[PATH_MAX];
		size_t len = strcspn(list, ",");
		struct stat st;

		if (len >= sizeof(one) || s->n_paths == PATHS_MAX) {
			cmd_fail("too many files, or too long a name", "pavise audit --help");
			return -EINVAL;
		}
		memcpy(one, list, len);
		one[len] = '\0';
		list += len + (list[len] == ',');
		if (!realpath(one, s->path[s->n_paths]) || stat(s->path[s->n_paths], &st) < 0)
			return bad_path(one, errno);
		if (S_ISDIR(st.st_mode) && strcmp(option, "--compose") == 0) {
			if (!compose_in(s->path[s->n_paths], inside))
				return bad_path(one, ENOENT);
			memcpy(s->path[s->n_paths], inside, sizeof(inside));
		}
		audit_arg(s, option, s->path[s->n_paths++]);
	}
	return 0;
}

/* pavise.ignore of the project that is looked at, or of the host. */
static void add_ignore(struct start *s, bool files)
{
	char dir[PATH_MAX];
	char *slash;

	if (!files || !s->n_paths) {
		audit_arg(s, "--ignore", "/etc/pavise/pavise.ignore");
		return;
	}
	memcpy(dir, s->path[0], sizeof(dir));
	slash = strrchr(dir, '/');
	if (slash)
		*slash = '\0';
	if (snprintf(s->ignore, sizeof(s->ignore), "%.4000s/pavise.ignore", dir) > 0)
		audit_arg(s, "--ignore", s->ignore);
}

static int add_baseline(struct cmd *c, struct start *s)
{
	const char *path = cmd_opt(c, "baseline");

	if (!path)
		return 0;
	s->baseline_fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (s->baseline_fd < 0)
		return bad_path(path, errno);
	(void) snprintf(s->baseline, sizeof(s->baseline), "%d", s->baseline_fd);
	audit_arg(s, "--baseline-fd", s->baseline);
	return 0;
}

static int add_report(struct cmd *c, struct start *s)
{
	static const char *const names[] = { "format", "fail-on", "only", "skip", "recreate" };
	static const char *const options[] = { "--format", "--fail-on", "--only", "--skip", "--recreate" };
	const char *output = cmd_opt(c, "fix") ? NULL : cmd_opt(c, "output");
	struct words_style style;

	for (size_t i = 0; i < N_ELEMENTS(names); i++)
		if (cmd_opt(c, names[i]))
			audit_arg(s, options[i], cmd_opt(c, names[i]));
	if (output && cmd_output_to(output) < 0)
		return -EINVAL;
	style = cmd_style(c);
	(void) snprintf(s->width, sizeof(s->width), "%u", style.width);
	audit_arg(s, "--width", s->width);
	if (style.colour && !output)
		audit_arg(s, "--colour", NULL);
	if (cmd_opt(c, "all"))
		audit_arg(s, "--all", NULL);
	if (c->quiet)
		audit_arg(s, "--quiet", NULL);
	return add_baseline(c, s);
}

/* What the configuration asks of containers and of the host (check/check.h). */
static void add_policy(struct start *s)
{
	const struct policy *p = s->policy;
	pv_autobuf text = PV_BUF_INIT;

	pv_buf_printf(&text, "pids=%u,memory=%" PRIu64 ",milli_cpus=%u,key_age=%" PRIu64 ",channels=%u", p->audit.pids,
		      p->audit.memory, p->audit.milli_cpus, p->audit.key_age_us / 1000000, p->n_channels);
	for (uint32_t i = 0; i < p->audit.n_ports; i++)
		pv_buf_printf(&text, "%s%u", i ? ":" : ",ports=", p->audit.ports[i]);
	if (text.len >= sizeof(s->policy_arg))
		return;
	memcpy(s->policy_arg, pv_buf_str(&text), text.len + 1);
	audit_arg(s, "--policy", s->policy_arg);
}

static void add_folders(struct start *s)
{
	for (uint32_t i = 0; i < s->policy->audit.n_projects; i++)
		audit_arg(s, "--project", s->policy->audit.projects[i]);
	for (uint32_t i = 0; i < s->policy->audit.n_backups; i++)
		audit_arg(s, "--backup", s->policy->audit.backups[i]);
}

static int add_what(struct cmd *c, struct start *s)
{
	const char *compose = cmd_opt(c, "compose"), *dockerfile = cmd_opt(c, "dockerfile"),
		   *facts = cmd_opt(c, "facts");
	int r = add_paths(s, "--compose", compose);

	if (r == 0)
		r = add_paths(s, "--dockerfile", dockerfile);
	if (r == 0 && facts)
		r = add_paths(s, "--facts", facts);
	for (size_t i = 0; i < c->n_words && r == 0; i++)
		r = add_paths(s, "--dir", c->word[i]);
	if (r < 0)
		return r;
	add_ignore(s, compose || dockerfile);
	add_policy(s);
	if (compose || dockerfile || facts || cmd_opt(c, "probe")) {
		audit_arg(s, "--target", compose ? compose : dockerfile ? dockerfile : facts ? facts : cmd_opt(c, "probe"));
		return 0;
	}
	add_folders(s);
	return 0;
}

/* --- the child --- */

static void in_child(const struct start *s, int sock)
{
	const int keep[] = { sock, s->baseline_fd, s->override_fd, s->save_fd, s->seen_fd, s->probe_fd, s->watch_fd };
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		_exit(127);
	for (size_t i = 0; i < N_ELEMENTS(keep); i++)
		if (keep[i] >= 0 && fcntl(keep[i], F_SETFD, 0) < 0)
			_exit(127);
	execve(s->argv[0], (char *const *) (uintptr_t) s->argv, (char *const[]){ NULL });
	_exit(127);
}

static void give_fd(struct start *s, const char *option, int fd, char *text, size_t size)
{
	if (fd < 0)
		return;
	(void) snprintf(text, size, "%d", fd);
	audit_arg(s, option, text);
}

int audit_run(struct start *s)
{
	int pair[2], status;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	(void) snprintf(s->sock, sizeof(s->sock), "%d", pair[1]);
	audit_arg(s, "--sock", s->sock);
	if (s->state.len)
		audit_arg(s, "--state", pv_buf_str(&s->state));
	give_fd(s, "--save-fd", s->save_fd, s->save_arg, sizeof(s->save_arg));
	give_fd(s, "--seen-fd", s->seen_fd, s->seen_arg, sizeof(s->seen_arg));
	give_fd(s, "--watch-fd", s->watch_fd, s->watch_arg, sizeof(s->watch_arg));
	give_fd(s, "--probe-fd", s->probe_fd, s->probe_arg, sizeof(s->probe_arg));
	give_fd(s, "--override-fd", s->override_fd, s->override, sizeof(s->override));
	s->argv[s->n] = NULL;
	(void) fflush(NULL);
	pid = fork();
	if (pid == 0)
		in_child(s, pair[1]);
	(void) close(pair[1]);
	if (pid > 0)
		audit_serve(s, pair[0]);
	(void) close(pair[0]); /* a child that still wants something ends now */
	known_done(s->known);
	s->known = NULL;
	if (pid < 0)
		return -EAGAIN;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* --- the last run --- */

static bool whole(const struct cmd *c)
{
	static const char *const parts[] = { "compose", "dockerfile", "facts", "only", "skip", "fix", "probe", "recreate" };

	for (size_t i = 0; i < N_ELEMENTS(parts); i++)
		if (cmd_opt(c, parts[i]))
			return false;
	return true;
}

/* Without a place for it the run is as good, only not compared. */
static void open_last(struct cmd *c, struct start *s)
{
	static const char *const names[] = { "audit", "accepted" };
	pv_autobuf path = PV_BUF_INIT;

	if (cmd_opt(c, "compose") || cmd_opt(c, "dockerfile") || cmd_opt(c, "facts"))
		return;
	for (size_t i = 0; i < (whole(c) ? 1 : N_ELEMENTS(names)) && s->state_fd < 0; i++) {
		pv_buf_clear(&path);
		s->state_fd = whole(c) ? state_folder(s->state_dir, names[i], &path) : state_folder_open(s->state_dir, names[i], &path);
	}
	if (s->state_fd < 0)
		return;
	pv_buf_add(&s->state, pv_buf_str(&path), (size_t) (strrchr(pv_buf_str(&path), '/') - pv_buf_str(&path)));
	if (!whole(c))
		return;
	s->save_fd = memfd_create("last", MFD_CLOEXEC);
	s->seen_fd = memfd_create("seen", MFD_CLOEXEC);
}

static void keep(const struct start *s, int fd, const char *name)
{
	pv_autobuf text = PV_BUF_INIT;

	if (fd < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return;
	if (pv_read_all(fd, PV_BUF_CAP, &text) < 0 || state_write(s->state_fd, name, pv_buf_str(&text), text.len) < 0)
		cmd_say("pavise: this run could not be kept for the next to compare with");
}

/* --- which of its ways --- */

int audit_program(struct cmd *c, struct start *s)
{
	if (child_path(c, "pavise-audit", s->program, sizeof(s->program)) < 0) {
		cmd_fail("the program pavise-audit is missing: it belongs beside pavise or into /usr/lib/pavise", NULL);
		return CMD_INCOMPLETE;
	}
	audit_arg(s, s->program, NULL);
	return CMD_OK;
}

static int look(struct cmd *c, struct start *s)
{
	int r = audit_program(c, s);

	if (r != CMD_OK)
		return r;
	if (s->step)
		audit_arg(s, "--plan", NULL);
	r = add_what(c, s);
	if (r == 0)
		r = add_report(c, s);
	if (r == 0)
		open_last(c, s);
	r = r < 0 ? CMD_USAGE : audit_run(s);
	if (r < 0 || r > 100) {
		cmd_fail("the audit was ended before it was done", NULL);
		return r == 130 ? r : CMD_INCOMPLETE;
	}
	if (r != CMD_USAGE) {
		keep(s, s->save_fd, "last");
		keep(s, s->seen_fd, "seen");
	}
	return r;
}

static int fix(struct cmd *c, struct start *s)
{
	int r;

	if (cmd_opt(c, "facts") || cmd_opt(c, "dockerfile") || cmd_opt(c, "format") || cmd_opt(c, "baseline")) {
		cmd_fail("--fix mends this host: it goes with --only, --skip, --compose and folders", "pavise audit --help");
		return CMD_USAGE;
	}
	s->step = calloc(AUDIT_STEPS, sizeof(*s->step));
	if (!s->step)
		return CMD_INCOMPLETE;
	if (cmd_opt(c, "compose")) {
		s->override_fd = memfd_create("override", MFD_CLOEXEC);
		if (s->override_fd < 0)
			return CMD_INCOMPLETE;
	}
	r = look(c, s);
	if (r == 0)
		r = cmd_opt(c, "compose") ? audit_override(c, s) : audit_fix(c, s);
	return r;
}

struct start *audit_start_new(struct cmd *c)
{
	struct start *s = calloc(1, sizeof(*s));
	const struct policy *p;

	if (!s)
		return NULL;
	p = load_policy_or_defaults(c);
	s->sockets[0] = p->docker_socket;
	s->sockets[1] = p->podman_socket;
	s->state_dir = p->state_dir;
	s->policy = p;
	s->baseline_fd = s->override_fd = s->state_fd = s->save_fd = s->seen_fd = s->probe_fd = s->watch_fd = -1;
	s->quiet = c->quiet;
	s->within_us = 5 * USEC_PER_MIN;
	return s;
}

struct start *audit_start_free(struct start *s)
{
	int *const fds[] = { &s->baseline_fd, &s->override_fd, &s->state_fd, &s->save_fd, &s->seen_fd, &s->probe_fd, &s->watch_fd };

	for (size_t i = 0; i < N_ELEMENTS(fds); i++)
		*fds[i] = pv_close(*fds[i]);
	pv_buf_done(&s->state);
	free(s->step);
	free(s);
	return NULL;
}

int cmd_audit(struct cmd *c)
{
	pv_auto(start) s = NULL;

	if (cmd_opt(c, "gate")) {
		if (strcmp(cmd_opt(c, "gate"), "deploy") == 0)
			return gate_deploy(c);
		cmd_fail("the gate is called deploy", "pavise audit --gate deploy");
		return CMD_USAGE;
	}
	s = audit_start_new(c);
	if (!s)
		return CMD_INCOMPLETE;
	guarded_late(s);
	if (cmd_opt(c, "confirm"))
		return guarded_confirm(s);
	if (cmd_opt(c, "within") && (parse_duration(cmd_opt(c, "within"), &s->within_us) < 0 || s->within_us < USEC_PER_SEC ||
				     s->within_us > USEC_PER_HOUR)) {
		cmd_fail("--within takes 1s to 1h, such as 5m", "pavise audit --help");
		return CMD_USAGE;
	}
	if (cmd_opt(c, "undo"))
		return audit_undo(c, s);
	if (cmd_opt(c, "probe")) {
		int r = audit_probe(c, s);

		return r == CMD_OK ? look(c, s) : r;
	}
	if (cmd_opt(c, "watch")) {
		int r = audit_watch(c, s);

		if (r != CMD_OK)
			return r;
	}
	return cmd_opt(c, "fix") ? fix(c, s) : look(c, s);
}

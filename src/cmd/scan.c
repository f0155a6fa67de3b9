/* pavise scan: opens what is to be read and starts pavise-scan over it, which reads without network or write access and
 * prints the report itself. What changes something (the hook) is done here. */
#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "cmd/cmd.h"
#include "host/gitdir.h"

#define ARGS_MAX 48
#define HOOK	 "pre-commit"
#define BEFORE	 "pre-commit.before-pavise"
#define MARK	 "# written by pavise scan --install-hook"

struct start { /* of the child */
	const char *argv[ARGS_MAX];
	size_t n;
	int keep[3];
	size_t n_keep;
	char number[3][12], width[12];
	char program[PATH_MAX], dir[PATH_MAX], rules[PATH_MAX], cache[PATH_MAX];
};

static void add(struct start *s, const char *arg)
{
	if (s->n + 1 < ARGS_MAX)
		s->argv[s->n++] = arg;
}

static void add_pair(struct start *s, const char *name, const char *value)
{
	if (value) {
		add(s, name);
		add(s, value);
	}
}

/* A descriptor for the child, above those that it is given by number. */
static void add_fd(struct start *s, const char *name, int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, 10);

	(void) close(fd);
	(void) snprintf(s->number[s->n_keep], sizeof(s->number[0]), "%d", high);
	add_pair(s, name, s->number[s->n_keep]);
	s->keep[s->n_keep++] = high;
}

static int fail_path(const char *what, const char *path, const char *why)
{
	pv_autobuf text = PV_BUF_INIT;

	pv_buf_puts(&text, what);
	pv_buf_putc(&text, ' ');
	pv_buf_safe(&text, path, 0);
	pv_buf_printf(&text, ": %s", why);
	cmd_fail(pv_buf_str(&text), NULL);
	return -EINVAL;
}

/* --- rules and their cache --- */

static int add_rules(struct cmd *c, struct start *s)
{
	const char *own = cmd_opt(c, "rules");
	bool found = false;

	for (size_t i = 0; i < 3 && !found; i++) { /* the build folder, beside the program, the package's place */
		int n = i == 0 ? snprintf(s->rules, sizeof(s->rules), "%s/../rules/secret", c->self) :
			i == 1 ? snprintf(s->rules, sizeof(s->rules), "%s/../share/pavise/rules/secret", c->self) :
				 snprintf(s->rules, sizeof(s->rules), "/usr/share/pavise/rules/secret");

		found = n > 0 && (size_t) n < sizeof(s->rules) && access(s->rules, R_OK) == 0;
	}
	if (found)
		add_pair(s, "--rules", s->rules);
	add_pair(s, "--rules", own);
	if (found || own)
		return 0;
	cmd_fail("the rule files are missing: they belong into /usr/share/pavise/rules", NULL);
	return -ENOENT;
}

static void add_cache(struct start *s)
{
	if (child_cache(s->cache, sizeof(s->cache)))
		add_pair(s, "--cache", s->cache);
}

/* --- what is looked at --- */

static int add_container(struct cmd *c, struct start *s, const char *name)
{
	const struct policy *p = load_policy_or_defaults(c);
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char request[320];
	int fd, n;

	for (const char *q = name; *q; q++)
		if (!isalnum((unsigned char) *q) && (q == name || !strchr("_.-", *q)))
			return fail_path("no name of a container:", name, "letters, digits, and . _ - inside");
	n = snprintf(request, sizeof(request), "GET /containers/%s/json HTTP/1.1\r\nHost: pavise\r\nConnection: close\r\n\r\n", name);
	if (n >= (int) sizeof(request) || strlen(p->docker_socket) >= sizeof(at.sun_path))
		return fail_path("no name of a container:", name, "too long");
	memcpy(at.sun_path, p->docker_socket, strlen(p->docker_socket) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *) &at, sizeof(at)) < 0 || write(fd, request, (size_t) n) != n) {
		int e = errno;

		(void) pv_close(fd);
		(void) fail_path("the container engine does not answer at", p->docker_socket, strerror(e));
		return -EIO;
	}
	add_fd(s, "--container-fd", fd);
	add_pair(s, "--name", name);
	return 0;
}

/* A folder is looked through; one file is looked at like standard input. */
static int add_target(struct cmd *c, struct start *s)
{
	const char *target = c->n_words ? c->word[0] : ".";
	struct stat st;
	int fd;

	if (!realpath(target, s->dir) || stat(s->dir, &st) < 0)
		return fail_path("cannot look at", target, strerror(errno));
	if (S_ISDIR(st.st_mode)) {
		add_pair(s, "--dir", s->dir);
		return 0;
	}
	fd = S_ISREG(st.st_mode) ? open(s->dir, O_RDONLY | O_NONBLOCK | O_CLOEXEC) : (errno = EINVAL, -1);
	if (fd < 0)
		return fail_path("cannot look at", target, S_ISREG(st.st_mode) ? strerror(errno) : "neither folder nor file");
	add_fd(s, "--text-fd", fd);
	add_pair(s, "--name", target);
	return 0;
}

/* `git commit -a` and `git commit FILE` prepare another index than the repository's, and name it to the hook. One that is not
 * there holds nothing, to git as well; the repository's own is looked at then. */
static int add_staged(struct start *s)
{
	const char *index = getenv("GIT_INDEX_FILE");
	int fd = index ? open(index, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) : -1;

	add(s, "--staged");
	if (fd >= 0)
		add_fd(s, "--index-fd", fd);
	else if (index && errno != ENOENT)
		return fail_path("cannot read the index", index, strerror(errno));
	return 0;
}

static int add_what(struct cmd *c, struct start *s)
{
	const char *container = cmd_opt(c, "container");
	bool from_stdin = cmd_opt(c, "stdin"), staged = cmd_opt(c, "staged"), history = cmd_opt(c, "history");

	if ((container != NULL) + from_stdin + staged > 1 || ((container || from_stdin) && (history || c->n_words))) {
		cmd_fail("--staged, --stdin and --container stand alone", "pavise scan --help");
		return -EINVAL;
	}
	if (cmd_opt(c, "since") && !history) {
		cmd_fail("--since belongs to --history", "pavise scan --history --since COMMIT");
		return -EINVAL;
	}
	if (container)
		return add_container(c, s, container);
	if (from_stdin) {
		int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10);

		if (fd < 0)
			return fail_path("cannot read", "standard input", strerror(errno));
		add_fd(s, "--text-fd", fd);
		add_pair(s, "--name", "standard input");
		return 0;
	}
	if (history)
		add(s, "--history");
	if (!staged)
		add(s, "--tree");
	else if (add_staged(s) < 0)
		return -EINVAL;
	return add_target(c, s);
}

static int add_report(struct cmd *c, struct start *s)
{
	static const char *const passed[] = { "since", "format", "fail-on", "only", "skip" };
	static const char *const names[] = { "--since", "--format", "--fail-on", "--only", "--skip" };
	const char *baseline = cmd_opt(c, "baseline"), *output = cmd_opt(c, "output");
	struct words_style style;

	for (size_t i = 0; i < N_ELEMENTS(passed); i++)
		add_pair(s, names[i], cmd_opt(c, passed[i]));
	if (baseline) {
		int fd = open(baseline, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

		if (fd < 0)
			return fail_path("cannot read the baseline", baseline, strerror(errno));
		add_fd(s, "--baseline-fd", fd);
	}
	if (output && cmd_output_to(output) < 0)
		return -EINVAL;
	style = cmd_style(c);
	(void) snprintf(s->width, sizeof(s->width), "%u", style.width);
	add_pair(s, "--width", s->width);
	if (style.colour && !output)
		add(s, "--colour");
	if (cmd_opt(c, "all"))
		add(s, "--all");
	if (c->quiet)
		add(s, "--quiet");
	return 0;
}

/* --- the hook --- */

static int write_hook(int hooks, const char *self)
{
	pv_autobuf text = PV_BUF_INIT, program = PV_BUF_INIT;
	pv_autoclose int fd = openat(hooks, HOOK ".pavise-new", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0755);

	if (fd < 0)
		return -errno;
	pv_buf_printf(&program, "%s/pavise", self);
	pv_buf_puts(&text, "#!/bin/sh\n" MARK "\n# Looks at what is about to be committed; `git commit --no-verify` goes past it.\n"
			   "before=$(dirname \"$0\")/" BEFORE "\n[ ! -x \"$before\" ] || \"$before\" \"$@\" || exit $?\n[ -x ");
	words_shell(&text, pv_buf_str(&program));
	pv_buf_puts(&text, " ] || { echo \"pavise is not installed any more, nobody has looked at this commit; without the hook: rm '$0'\" >&2; exit 0; }\nexec ");
	words_shell(&text, pv_buf_str(&program));
	pv_buf_puts(&text, " scan --staged --quiet .\n");
	if (write(fd, pv_buf_str(&text), text.len) != (ssize_t) text.len || renameat(hooks, HOOK ".pavise-new", hooks, HOOK) < 0) {
		int r = errno ? -errno : -EIO;

		(void) unlinkat(hooks, HOOK ".pavise-new", 0);
		return r;
	}
	return 0;
}

static bool is_ours(int hooks)
{
	pv_autofree char *text = NULL;

	return gitdir_read(hooks, HOOK, 65536, true, &text, NULL) == 0 && strstr(text, MARK);
}

/* An existing hook is kept under another name, and called first. */
static int keep_before(int hooks)
{
	if (faccessat(hooks, HOOK, F_OK, AT_SYMLINK_NOFOLLOW) < 0 || is_ours(hooks))
		return 0;
	if (renameat2(hooks, HOOK, hooks, BEFORE, RENAME_NOREPLACE) < 0)
		return -errno;
	cmd_say("pavise: the hook that was there is now " BEFORE " and is called first");
	return 0;
}

static int install_hook(struct cmd *c)
{
	const char *target = c->n_words ? c->word[0] : ".";
	pv_auto(gitdir) g = NULL;
	pv_autofree char *path = NULL;
	pv_autoclose int hooks = -1;
	int r = gitdir_find(target, &g);

	if (r == 0 && asprintf(&path, "%s/hooks", g->common_dir) < 0) {
		path = NULL;
		r = -ENOMEM;
	}
	if (r < 0 || !path) {
		(void) fail_path("no git repository at", target, strerror(-r));
		return CMD_USAGE;
	}
	(void) mkdir(path, 0755);
	hooks = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = hooks < 0 ? -errno : keep_before(hooks);
	if (r == 0)
		r = write_hook(hooks, c->self);
	if (r < 0) {
		(void) fail_path("cannot write the hook in", path, strerror(-r));
		return CMD_INCOMPLETE;
	}
	if (!c->quiet)
		cmd_say("pavise: every commit here is looked at from now on (where git's core.hooksPath is set, that folder "
			"counts instead)");
	return CMD_OK;
}

int cmd_scan(struct cmd *c)
{
	struct start *s;
	int r;

	if (cmd_opt(c, "install-hook"))
		return install_hook(c);
	s = calloc(1, sizeof(*s));
	if (!s)
		return CMD_INCOMPLETE;
	if (child_path(c, "pavise-scan", s->program, sizeof(s->program)) < 0) {
		cmd_fail("the program pavise-scan is missing: it belongs beside pavise or into /usr/lib/pavise", NULL);
		free(s);
		return CMD_INCOMPLETE;
	}
	add(s, s->program);
	r = add_rules(c, s);
	add_cache(s);
	if (r == 0)
		r = add_what(c, s);
	if (r == 0)
		r = add_report(c, s);
	if (r == 0)
		r = child_run(s->argv, &(struct child_io){ .fd3 = -1, .keep = s->keep, .n_keep = s->n_keep });
	else
		r = r == -EINVAL ? CMD_USAGE : CMD_INCOMPLETE;
	free(s);
	if (r >= 128 || r < 0) {
		cmd_fail("the scan was ended before it was done", NULL);
		return r == 130 ? r : CMD_INCOMPLETE;
	}
	return r;
}

/* pavise logs: opens what is to be read (as whoever runs it) and starts pavise-logs over the descriptors, which reads without paths, network
 * or write access and prints what it found. */
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/text.h"
#include "cmd/cmd.h"
#include "model/log_places.h"

#define ARGS_MAX 1400
#define FDS_MAX	 500

struct start { /* of the child */
	const char *argv[ARGS_MAX];
	char *owned[ARGS_MAX];
	size_t n, n_owned;
	int keep[FDS_MAX];
	size_t n_keep;
	char program[PATH_MAX], log_rules[PATH_MAX], secret_rules[PATH_MAX], cache[PATH_MAX];
	uint64_t since_us;
	bool full; /* more files than can be opened at once: said */
};

static const char *const syslog_files[] = { "/var/log/auth.log", "/var/log/secure", "/var/log/mail.log", "/var/log/maillog", "/var/log/syslog" };
static const char *const journal_files[] = { "/var/log/journal/*/*.journal", "/run/log/journal/*/*.journal" };

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

/* Takes `text` over. */
static void add_owned(struct start *s, const char *name, char *text)
{
	if (!text || s->n_owned == ARGS_MAX) {
		free(text);
		return;
	}
	s->owned[s->n_owned++] = text;
	add_pair(s, name, text);
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

/* A descriptor for the child, above those that it is given by number. -1: there is no room. */
static int keep_fd(struct start *s, int fd)
{
	int high = s->n_keep < FDS_MAX ? fcntl(fd, F_DUPFD_CLOEXEC, 10) : -1;

	(void) close(fd);
	if (high < 0) {
		s->full = true;
		return -1;
	}
	s->keep[s->n_keep++] = high;
	return high;
}

static int add_rules(struct cmd *c, struct start *s)
{
	bool found = false;

	for (size_t i = 0; i < 3 && !found; i++) { /* the build folder, beside the program, the package's place */
		char base[PATH_MAX - 16];
		int n = i < 2 ? snprintf(base, sizeof(base), i ? "%s/../share/pavise/rules" : "%s/../rules", c->self) :
				snprintf(base, sizeof(base), "/usr/share/pavise/rules");

		if (n <= 0 || (size_t) n >= sizeof(base))
			continue;
		(void) snprintf(s->log_rules, sizeof(s->log_rules), "%s/log", base);
		(void) snprintf(s->secret_rules, sizeof(s->secret_rules), "%s/secret", base);
		found = access(s->log_rules, R_OK) == 0 && access(s->secret_rules, R_OK) == 0;
	}
	if (found) {
		add_pair(s, "--rules", s->log_rules);
		add_pair(s, "--rules", s->secret_rules);
	}
	add_pair(s, "--rules", cmd_opt(c, "rules"));
	if (found || cmd_opt(c, "rules"))
		return 0;
	cmd_fail("the rule files are missing: they belong into /usr/share/pavise/rules", NULL);
	return -ENOENT;
}

static void add_cache(struct start *s)
{
	if (child_cache(s->cache, sizeof(s->cache)))
		add_pair(s, "--cache", s->cache);
}

/* --- what is read --- */

static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || S_ISDIR(st.st_mode)) {
		(void) close(fd);
		return -EISDIR;
	}
	return fd;
}

static void add_file(struct start *s, int fd, const char *path)
{
	char *text = NULL;
	int high = keep_fd(s, fd);

	if (high >= 0 && asprintf(&text, "%d:%s", high, path) > 0)
		add_owned(s, "--file", text);
}

/* Files that were not written since then say nothing. */
static bool too_old(const struct start *s, int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && ((uint64_t) st.st_mtim.tv_sec + 1) * USEC_PER_SEC < s->since_us;
}

static size_t add_matching(struct start *s, const char *pattern, bool journal)
{
	size_t found = 0;
	glob_t g = { 0 };

	if (glob(pattern, 0, NULL, &g) == 0)
		for (size_t i = 0; i < g.gl_pathc; i++) {
			int fd = open_file(g.gl_pathv[i]);
			char *text = NULL;

			if (fd < 0)
				continue;
			found++;
			if (too_old(s, fd)) {
				(void) close(fd);
			} else if (!journal) {
				add_file(s, fd, g.gl_pathv[i]);
			} else {
				fd = keep_fd(s, fd);
				if (fd >= 0 && asprintf(&text, "%d", fd) > 0)
					add_owned(s, "--journal-fd", text);
			}
		}
	globfree(&g);
	return found;
}

static void add_containers(struct start *s, const char *root)
{
	char pattern[PATH_MAX];
	glob_t g = { 0 };

	(void) snprintf(pattern, sizeof(pattern), "%s/containers/*/*-json.log", root);
	if (glob(pattern, 0, NULL, &g) == 0)
		for (size_t i = 0; i < g.gl_pathc; i++) {
			char about[PATH_MAX], *text = NULL;
			const char *slash = strrchr(g.gl_pathv[i], '/');
			int fd = open_file(g.gl_pathv[i]), other;

			if (fd < 0)
				continue;
			if (too_old(s, fd)) {
				(void) close(fd);
				continue;
			}
			(void) snprintf(about, sizeof(about), "%.*s/config.v2.json", (int) (slash - g.gl_pathv[i]), g.gl_pathv[i]);
			other = open_file(about);
			fd = keep_fd(s, fd);
			other = other >= 0 ? keep_fd(s, other) : fd;
			if (fd >= 0 && other >= 0 && asprintf(&text, "%d:%d:%.12s", fd, other, slash + 1) > 0)
				add_owned(s, "--container-file", text);
		}
	globfree(&g);
}

static void add_usual(struct cmd *c, struct start *s)
{
	const struct policy *p = load_policy_or_defaults(c);
	bool containers = !cmd_opt(c, "unit"), rest = !cmd_opt(c, "container");
	size_t journals = 0;

	add(s, "--usual");
	for (size_t i = 0; rest && i < N_ELEMENTS(journal_files); i++)
		journals += add_matching(s, journal_files[i], true);
	if (containers)
		add_containers(s, p->docker_root);
	if (cmd_opt(c, "unit") || !rest)
		return;
	for (size_t i = 0; !journals && i < N_ELEMENTS(syslog_files); i++)
		(void) add_matching(s, syslog_files[i], false);
	for (unsigned i = 0; i < log_places(p); i++)
		if (log_place(p, i).kind == PLACE_FILES)
			(void) add_matching(s, log_place(p, i).path, false);
	(void) add_matching(s, "/var/log/haproxy.log", false); /* by a socket of its own: not in the journal */
}

static int add_named(struct cmd *c, struct start *s)
{
	for (size_t i = 0; i < c->n_words; i++) {
		bool is_stdin = strcmp(c->word[i], "-") == 0;
		int fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10) : open_file(c->word[i]);

		if (fd < 0)
			return fail_path("cannot read", c->word[i], strerror(is_stdin ? errno : -fd));
		add_file(s, fd, is_stdin ? "standard input" : c->word[i]);
	}
	return 0;
}

static int add_what(struct cmd *c, struct start *s)
{
	const char *since = cmd_opt(c, "since");
	uint64_t ago;
	char *text = NULL;

	if (since) {
		if (parse_duration(since, &ago) < 0) {
			cmd_fail("--since takes a duration: 1h, 24h, 7d", NULL);
			return -EINVAL;
		}
		s->since_us = clock_wall_us() - PV_MIN(ago, clock_wall_us());
		if (asprintf(&text, "%llu", (unsigned long long) s->since_us) > 0)
			add_owned(s, "--since-us", text);
	}
	if (c->n_words && (cmd_opt(c, "unit") || cmd_opt(c, "container"))) {
		cmd_fail("--unit and --container choose among the usual logs; a FILE stands alone", "pavise logs --help");
		return -EINVAL;
	}
	if (c->n_words)
		return add_named(c, s);
	add_usual(c, s);
	if (!s->n_keep)
		cmd_say("pavise: no log of the usual places can be read%s", geteuid() == 0 ? "" : "; root reads more: sudo pavise logs");
	return 0;
}

static int add_report(struct cmd *c, struct start *s)
{
	static const char *const passed[] = { "service", "unit", "container", "only", "skip", "format", "fail-on" };
	static const char *const names[] = { "--service", "--unit", "--container", "--only", "--skip", "--format", "--fail-on" };
	const char *output = cmd_opt(c, "output");
	struct words_style style;
	char *text = NULL;

	for (size_t i = 0; i < N_ELEMENTS(passed); i++)
		add_pair(s, names[i], cmd_opt(c, passed[i]));
	if (output && cmd_output_to(output) < 0)
		return -EINVAL;
	style = cmd_style(c);
	if (asprintf(&text, "%u", style.width) > 0)
		add_owned(s, "--width", text);
	if (style.colour && !output)
		add(s, "--colour");
	if (cmd_opt(c, "all"))
		add(s, "--all");
	if (c->quiet)
		add(s, "--quiet");
	return 0;
}

static int run(struct cmd *c, struct start *s)
{
	int r;

	if (child_path(c, "pavise-logs", s->program, sizeof(s->program)) < 0) {
		cmd_fail("the program pavise-logs is missing: it belongs beside pavise or into /usr/lib/pavise", NULL);
		return CMD_INCOMPLETE;
	}
	add(s, s->program);
	r = add_rules(c, s);
	add_cache(s);
	if (r == 0 && c->n_words && strcmp(c->word[0], "test") == 0) {
		if (c->n_words != 2) {
			cmd_fail("pavise logs test takes one LINE, in quotes", "pavise logs test 'Nov 21 19:00:00 web1 sshd[1]: ...'");
			return CMD_USAGE;
		}
		add_pair(s, "--line", c->word[1]);
	} else if (r == 0) {
		r = add_what(c, s);
	}
	if (r == 0)
		r = add_report(c, s);
	if (r < 0)
		return r == -EINVAL ? CMD_USAGE : CMD_INCOMPLETE;
	if (s->full)
		cmd_say("pavise: more files than are read at once (%d): name those that matter", FDS_MAX);
	return child_run(s->argv, &(struct child_io){ .fd3 = -1, .keep = s->keep, .n_keep = s->n_keep });
}

int cmd_logs(struct cmd *c)
{
	struct start *s = calloc(1, sizeof(*s));
	struct rlimit files;
	int r;

	if (!s)
		return CMD_INCOMPLETE;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < FDS_MAX + 64) {
		files.rlim_cur = PV_MIN(files.rlim_max, (rlim_t) FDS_MAX + 64);
		(void) setrlimit(RLIMIT_NOFILE, &files);
	}
	r = run(c, s);
	for (size_t i = 0; i < s->n_owned; i++)
		free(s->owned[i]);
	if (r == CMD_OK && s->full)
		r = CMD_INCOMPLETE;
	free(s);
	if (r >= 128 || r < 0) {
		cmd_fail("the reading was ended before it was done", NULL);
		return r == 130 ? r : CMD_INCOMPLETE;
	}
	return r;
}

#include <cjson/cJSON.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "cmd/cmd.h"
#include "model/conf_files.h"

#define FILE_NAME "allow.yaml"
#define FILE_NEW  ".allow.yaml.new" /* no NAME.yaml: a reader in between does not see it */
#define HEADER                                                                                                         \
	"# Written by `pavise allow`. Lines may be added and removed by hand; keep one exception a line, as they are.\n"  \
	"exceptions:\n"
#define TEXT_MAX (256u << 10)

struct edit {
	char dir[CONF_FILE_NAME];
	int dir_fd;
	const char *name;
	enum pv_signal signal; /* SIGNAL_N: all */
	bool remove, alert;
	struct pv_buf old, text; /* the file before and after */
};

static int failed(const struct edit *e, const char *what, int r)
{
	pv_autobuf text = PV_BUF_INIT;

	pv_buf_safe(&text, e->dir, 0);
	pv_buf_printf(&text, "/" FILE_NAME ": %s: %s", what, strerror(-r));
	cmd_fail(pv_buf_str(&text), geteuid() ? "run it again with sudo" : NULL);
	return r;
}

/* conf.d beside the configuration; made when it is not there. Only root's folder is written into, or the caller's own. */
static int open_dir(struct edit *e, const char *config)
{
	char parent[CONF_FILE_NAME];
	struct stat st;
	char *slash;
	int r = conf_files_dropin_dir(config, e->dir, sizeof(e->dir));

	if (r < 0)
		return failed(e, "has too long a path", r);
	memcpy(parent, e->dir, sizeof(parent));
	slash = strrchr(parent, '/');
	if (slash && slash != parent) {
		*slash = '\0';
		(void) mkdir(parent, 0755);
	}
	if (mkdir(e->dir, 0755) < 0 && errno != EEXIST)
		return failed(e, "the folder cannot be made", -errno);
	e->dir_fd = open(e->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (e->dir_fd < 0)
		return failed(e, "the folder cannot be opened", -errno);
	if (fstat(e->dir_fd, &st) < 0)
		return failed(e, "the folder cannot be looked at", -errno);
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return failed(e, "the folder must belong to root and be writable by nobody else", -EPERM);
	return 0;
}

static int read_old(struct edit *e)
{
	pv_autoclose int fd = openat(e->dir_fd, FILE_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char chunk[4096];
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? 0 : failed(e, "cannot be opened", -errno);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return failed(e, "is not a regular file", -EINVAL);
	e->old.cap = TEXT_MAX;
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		pv_buf_add(&e->old, chunk, (size_t) n);
	if (n < 0 || e->old.cut)
		return failed(e, "cannot be read", n < 0 ? -errno : -EFBIG);
	return 0;
}

/* The file is edited by lines, never parsed here (this may be root): what does not look like our own lines is left to
 * its owner. */
static bool is_ours(const char *line, size_t n)
{
	static const char entry[] = "  - {name: ";

	return n == 0 || line[0] == '#' || (n == 11 && memcmp(line, "exceptions:", n) == 0) ||
	       (n > sizeof(entry) - 1 && memcmp(line, entry, sizeof(entry) - 1) == 0 && line[n - 1] == '}');
}

static int edit_text(struct edit *e)
{
	pv_autobuf begin = PV_BUF_INIT;
	const char *signal = signal_name(e->signal);
	bool found = false;

	pv_buf_puts(&begin, "  - {name: ");
	pv_buf_json_str(&begin, e->name);
	pv_buf_printf(&begin, ", signal: %s,", signal);
	if (!e->old.len)
		pv_buf_puts(&e->text, HEADER);
	for (const char *line = pv_buf_str(&e->old); *line;) {
		size_t n = strcspn(line, "\n");

		if (!is_ours(line, n)) {
			cmd_fail("conf.d/" FILE_NAME " was changed by hand in a way that this command does not edit",
				 "edit %s/" FILE_NAME " by hand, then: pavise config check", e->dir);
			return -EINVAL;
		}
		if (n > begin.len && memcmp(line, begin.data, begin.len) == 0)
			found = true; /* replaced below, or gone */
		else {
			pv_buf_add(&e->text, line, n);
			pv_buf_putc(&e->text, '\n');
		}
		line += n + (line[n] == '\n');
	}
	if (e->remove) {
		if (!found)
			cmd_fail("there is no such exception in conf.d/" FILE_NAME, "pavise config show --origin");
		return found ? 0 : -ENOENT;
	}
	pv_buf_puts(&e->text, pv_buf_str(&begin));
	pv_buf_printf(&e->text, " action: %s}\n", e->alert ? "alert" : "ignore");
	return 0;
}

static int write_new(struct edit *e)
{
	pv_autoclose int fd = -1;
	const char *s = pv_buf_str(&e->text);

	(void) unlinkat(e->dir_fd, FILE_NEW, 0); /* left by one that was interrupted */
	fd = openat(e->dir_fd, FILE_NEW, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	for (size_t at = 0; at < e->text.len;) {
		ssize_t n = write(fd, s + at, e->text.len - at);

		if (n < 0 && errno != EINTR)
			return -errno;
		at += n > 0 ? (size_t) n : 0;
	}
	return fchmod(fd, 0644) < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* The whole configuration as it will be: the new text in place of the old file. */
static int check_new(const struct cmd *c, struct edit *e)
{
	static const char *const show[] = { "--show", NULL };
	struct conf_files files = { .n = 0 };
	pv_autobuf err = PV_BUF_INIT, out = PV_BUF_INIT;
	char name[CONF_FILE_NAME * 2];
	size_t i;
	int r = conf_files_open(c->config, &files, &err);

	if (r == 0) {
		(void) snprintf(name, sizeof(name), "%s/" FILE_NAME, e->dir);
		for (i = 0; i < files.n && strcmp(files.file[i].name, name) != 0; i++)
			;
		if (i == CONF_FILES_MAX) {
			conf_files_close(&files);
			cmd_fail("nothing was changed: there are 64 files of configuration already, and no more are read", "put some of conf.d's together");
			return -E2BIG;
		}
		if (i == files.n) {
			files.file[i].fd = -1;
			(void) text_copy(files.file[i].name, CONF_FILE_NAME, name);
			files.n++;
		}
		(void) pv_close(files.file[i].fd);
		files.file[i].fd = openat(e->dir_fd, FILE_NEW, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		r = files.file[i].fd < 0 ? -errno : load_run_child(c, show, &files, -1, &out, &err);
	}
	conf_files_close(&files);
	if (r == 0)
		return 0;
	(void) fputs(pv_buf_str(&err), stderr);
	cmd_fail("nothing was changed: the configuration would have errors", "pavise config check");
	return -EINVAL;
}

static int reload(struct cmd *c, struct pv_buf *said)
{
	pv_auto(ask) a = NULL;
	const struct policy *p;
	cJSON *answer = NULL;

	if (load_policy(c, &p) < 0)
		return CMD_USAGE;
	if (ask_open(p, &a) < 0) {
		pv_buf_puts(said, "; the guard does not run, it takes effect when it starts\n");
		return CMD_OK;
	}
	ask_patience(a, ASK_ACT_S);
	ask_confine();
	if (ask(a, "{\"verb\":\"reload\"}", NULL, NULL, &answer) < 0) {
		cmd_say("pavise: the exception is written, but was not loaded");
		return CMD_INCOMPLETE;
	}
	cJSON_Delete(answer);
	pv_buf_puts(said, "; in force now\n");
	return CMD_OK;
}

static int change(struct cmd *c, struct edit *e)
{
	pv_autobuf said = PV_BUF_INIT;
	int r = open_dir(e, c->config);

	if (r == 0)
		r = read_old(e);
	if (r < 0)
		return CMD_INCOMPLETE;
	r = edit_text(e);
	if (r < 0)
		return r == -ENOENT ? CMD_USAGE : CMD_INCOMPLETE;
	r = write_new(e);
	if (r < 0) {
		(void) failed(e, "cannot be written", r);
		return CMD_INCOMPLETE;
	}
	if (check_new(c, e) < 0) {
		(void) unlinkat(e->dir_fd, FILE_NEW, 0);
		return CMD_USAGE;
	}
	if (renameat(e->dir_fd, FILE_NEW, e->dir_fd, FILE_NAME) < 0 || fsync(e->dir_fd) < 0) {
		(void) failed(e, "cannot be put in place", -errno);
		return CMD_INCOMPLETE;
	}
	pv_buf_safe(&said, e->name, 0);
	pv_buf_printf(&said, ": the exception for %s is %s %s/" FILE_NAME, e->signal == SIGNAL_N ? "all signals" : signal_name(e->signal),
		      e->remove ? "gone from" : "written to", e->dir);
	r = reload(c, &said);
	if (r == CMD_OK && !c->quiet)
		r = cmd_write(&said);
	return r;
}

int cmd_allow(struct cmd *c)
{
	struct edit e = { .dir_fd = -1, .name = c->word[0], .signal = SIGNAL_N, .remove = cmd_opt(c, "remove") != NULL,
			  .alert = cmd_opt(c, "alert") != NULL };
	int r;

	if (!*e.name || strlen(e.name) > 127 || strpbrk(e.name, "\n\r\t")) {
		cmd_fail("a workload's name has 1 to 127 bytes and no control characters", "pavise top");
		return CMD_USAGE;
	}
	if (c->n_words > 1 && strcmp(c->word[1], "all") != 0 && signal_parse(c->word[1], &e.signal) < 0) {
		cmd_fail("the signal is one of " SIGNAL_LIST, "pavise allow --help");
		return CMD_USAGE;
	}
	r = change(c, &e);
	(void) pv_close(e.dir_fd);
	pv_buf_done(&e.old);
	pv_buf_done(&e.text);
	return r;
}

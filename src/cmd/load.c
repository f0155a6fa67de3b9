#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "cmd/cmd.h"
#include "model/conf.h"
#include "model/conf_files.h"
#include "model/roles.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

int load_run_child(const struct cmd *c, const char *const *args, const struct conf_files *files, int fd3,
		   struct pv_buf *out, struct pv_buf *err)
{
	const struct conf_file *const pools[] = { &files->pools, &files->pools_sig };
	static const char *const options[] = { "--own-pools", "--own-pools-sig" };
	char path[4096], words[CONF_FILES_MAX + 2][CONF_FILE_NAME + 16], trouble[CONF_FILES_TROUBLE];
	const char *argv[CONF_FILES_MAX + 14] = { path };
	int keep[CONF_FILES_MAX + 2];
	size_t n = 1, n_keep = files->n;

	if (child_path(c, "pavise-policy", path, sizeof(path)) < 0) {
		cmd_fail("the program pavise-policy is missing: it belongs beside pavise or into /usr/lib/pavise", NULL);
		return -ENOENT;
	}
	while (args && *args && n < 6)
		argv[n++] = *args++;
	for (size_t i = 0; i < N_ELEMENTS(pools); i++) {
		char *word = words[CONF_FILES_MAX + i];

		if (pools[i]->fd <= 0)
			continue;
		(void) snprintf(word, sizeof(words[0]), "%d:%s", pools[i]->fd, pools[i]->name);
		argv[n++] = options[i];
		argv[n++] = word;
		keep[n_keep++] = pools[i]->fd;
	}
	if (conf_files_trouble(files, trouble, sizeof(trouble))) {
		argv[n++] = "--pools-trouble";
		argv[n++] = trouble;
	}
	for (size_t i = 0; i < files->n; i++) {
		(void) snprintf(words[i], sizeof(words[i]), "%d:%s", files->file[i].fd, files->file[i].name);
		argv[n++] = words[i];
		keep[i] = files->file[i].fd;
	}
	argv[n] = NULL;
	return child_run(argv, &(struct child_io){ .fd3 = fd3, .keep = keep, .n_keep = n_keep, .out = out, .err = err });
}

/* Descriptor 3 of the child must not be one of the files: they are opened from 10 up. */
static int lift_one(int *fd)
{
	int up = fcntl(*fd, F_DUPFD_CLOEXEC, 10);

	if (up < 0)
		return -errno;
	(void) close(*fd);
	*fd = up;
	return 0;
}

static int lift(struct conf_files *files)
{
	int r = 0;

	for (size_t i = 0; i < files->n && r == 0; i++)
		r = lift_one(&files->file[i].fd);
	if (r == 0 && files->pools.fd > 0)
		r = lift_one(&files->pools.fd);
	if (r == 0 && files->pools_sig.fd > 0)
		r = lift_one(&files->pools_sig.fd);
	return r;
}

static int open_files(const struct cmd *c, struct conf_files *files)
{
	pv_autobuf err = PV_BUF_INIT;
	int r = conf_files_open(c->config, files, &err);

	if (r == -EACCES && !c->config && geteuid() != 0) {
		if (!c->quiet)
			cmd_say("pavise: the configuration cannot be read by you; the defaults are assumed");
		files->n = 0;
		return 0;
	}
	if (r < 0) {
		(void) fputs(pv_buf_str(&err), stderr);
		cmd_fail("the configuration was refused", NULL);
		return r;
	}
	return lift(files);
}

static int map_result(int fd, const struct policy **ret)
{
	if (fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return -errno;
	return policy_map(fd, ret);
}

int load_policy(const struct cmd *c, const struct policy **ret)
{
	struct conf_files files = { .n = 0 };
	pv_autobuf err = PV_BUF_INIT;
	pv_autoclose int fd = -1;
	int r = open_files(c, &files);

	if (r < 0)
		return -EINVAL;
	fd = memfd_create("policy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	r = fd < 0 ? -errno : load_run_child(c, NULL, &files, fd, NULL, &err);
	conf_files_close(&files);
	if (r == 0)
		r = map_result(fd, ret);
	if (r == 0)
		return 0; /* notes are for `config check` */
	(void) fputs(pv_buf_str(&err), stderr);
	if (r == ROLE_EXIT_CONFIG)
		cmd_fail("the configuration has errors", "mend the lines above, then: pavise config check");
	else if (r != -ENOENT)
		cmd_fail("the configuration could not be read", NULL);
	return -EINVAL;
}

const struct policy *load_policy_or_defaults(const struct cmd *c)
{
	static struct policy defaults;
	const struct policy *p;

	if (load_policy(c, &p) == 0)
		return p;
	cmd_say("pavise: going on with the default folders");
	conf_defaults(&defaults);
	return &defaults;
}

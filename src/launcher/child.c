#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fdpass.h"
#include "base/log.h"
#include "launcher/launcher.h"
#include "model/conf_files.h"

#define POLICY_MS     5000
#define POLICY_FD     3
#define POLICY_RULES  4 /* the names of programs; behind it the lists of pools */
#define POLICY_FILES  8 /* first number of a configuration file */
#define ERRORS_MAX    (256u << 10)
#define SEALS	      (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

_Static_assert(N_ELEMENTS(((struct role_secrets *) 0)->channels) == POLICY_CHANNELS, "a secret for each channel");

int child_memfd(const char *name, const void *data, size_t len, int *ret_fd)
{
	pv_autoclose int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (write(fd, data, len) != (ssize_t) len)
		return -ENOSPC;
	if (fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return -errno;
	*ret_fd = pv_steal_fd(&fd);
	return 0;
}

/* What the child wrote on its stderr, line by line, so that a terminal prints it and does nothing else. */
static void take_errors(int fd, struct pv_buf *err)
{
	char *text = malloc(ERRORS_MAX + 1), *line, *rest;
	ssize_t n = text ? pread(fd, text, ERRORS_MAX, 0) : -1;

	if (n > 0) {
		text[n] = '\0';
		rest = text;
		while ((line = strsep(&rest, "\n"))) {
			if (!line[0])
				continue;
			pv_buf_safe(err, line, 0);
			pv_buf_putc(err, '\n');
		}
	}
	free(text);
}

static int run_child(const struct places *p, const struct conf_files *files, bool observe, uint64_t present, int out, int errors)
{
	pv_autoclose int names_fd = places_rules(p, "ioc/exec.yaml"), pools_fd = places_rules(p, "ioc/pools.yaml");
	const struct rules_arg {
		const char *option, *name;
		int fd;
	} rules[] = { { "--names", "ioc/exec.yaml", names_fd }, { "--pools", "ioc/pools.yaml", pools_fd },
		      { "--own-pools", files->pools.name, files->pools.fd }, { "--own-pools-sig", files->pools_sig.name, files->pools_sig.fd } };
	char rules_text[N_ELEMENTS(rules)][CONF_FILE_NAME + 16], version[24], trouble[CONF_FILES_TROUBLE];
	struct spawn_fd fds[CONF_FILES_MAX + 2 + N_ELEMENTS(rules)] = { { out, POLICY_FD }, { errors, STDERR_FILENO } };
	char *argv[CONF_FILES_MAX + 3 + 2 * N_ELEMENTS(rules) + 2 + 2] = { (char *) (uintptr_t) "pavise-policy" };
	char(*names)[CONF_FILE_NAME + 16] = calloc(CONF_FILES_MAX, sizeof(*names));
	struct spawn s = { .program = "pavise-policy", .argv = argv, .ids = p->child, .fds = fds, .n_fds = 2,
			   .no_network = true, .cpu_s = 5, .file_bytes = 2 * sizeof(struct policy) + ERRORS_MAX };
	size_t argc = 1;
	int pidfd, r;

	if (!names)
		return -ENOMEM;
	if (observe)
		argv[argc++] = (char *) (uintptr_t) "--observe";
	for (size_t i = 0; i < N_ELEMENTS(rules); i++) {
		if (rules[i].fd <= 0)
			continue;
		fds[s.n_fds++] = (struct spawn_fd){ rules[i].fd, POLICY_RULES + (int) i };
		(void) snprintf(rules_text[i], sizeof(rules_text[i]), "%d:%s", POLICY_RULES + (int) i, rules[i].name);
		argv[argc++] = (char *) (uintptr_t) rules[i].option;
		argv[argc++] = rules_text[i];
	}
	(void) snprintf(version, sizeof(version), "%" PRIu64, present);
	argv[argc++] = (char *) (uintptr_t) "--present-pools";
	argv[argc++] = version;
	if (conf_files_trouble(files, trouble, sizeof(trouble))) {
		argv[argc++] = (char *) (uintptr_t) "--pools-trouble";
		argv[argc++] = trouble;
	}
	for (size_t i = 0; i < files->n; i++) {
		fds[s.n_fds++] = (struct spawn_fd){ files->file[i].fd, POLICY_FILES + (int) i };
		(void) snprintf(names[i], sizeof(names[i]), "%d:%s", POLICY_FILES + (int) i, files->file[i].name);
		argv[argc++] = names[i];
	}
	r = spawn(p, &s, NULL, &pidfd);
	if (r == 0)
		r = spawn_wait(pidfd, POLICY_MS);
	free(names);
	return r;
}

/* The child is gone; nobody else may hold a writable mapping, or sealing fails (EBUSY). */
static int seal_and_check(int fd)
{
	const struct policy *policy;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size != (off_t) sizeof(struct policy))
		return -EBADMSG;
	if (fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return -errno;
	r = policy_map(fd, &policy);
	if (r == 0)
		policy_unmap(policy);
	return r;
}

int child_policy(const struct places *p, const char *config, bool observe, uint64_t present, int *ret_fd, struct pv_buf *err)
{
	pv_autoclose int out = memfd_create("pavise-policy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	pv_autoclose int errors = memfd_create("pavise-policy-errors", MFD_CLOEXEC);
	struct conf_files *files = calloc(1, sizeof(*files));
	int r;

	if (!files || out < 0 || errors < 0) {
		free(files);
		return -ENOMEM;
	}
	r = conf_files_open(config, files, err);
	if (r == 0) {
		r = run_child(p, files, observe, present, out, errors);
		conf_files_close(files);
		take_errors(errors, err);
		if (r == -ETIMEDOUT) {
			pv_buf_puts(err, "the configuration took longer than 5 s to read\n");
		} else if (r > 128) { /* memory was short, say */
			pv_buf_printf(err, "pavise-policy, which reads the configuration, was ended by a signal (%s)\n", sigdescr_np(r - 128));
			r = -EAGAIN;
		} else if (r >= 0) {
			r = r ? -EINVAL : seal_and_check(out);
		}
	}
	free(files);
	if (r < 0 && !err->len)
		pv_buf_printf(err, "the configuration cannot be read: %s\n", strerror(-r));
	if (r == 0)
		*ret_fd = pv_steal_fd(&out);
	return r;
}

static int read_secret(const char *path, struct role_secret *ret)
{
	pv_autoclose int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOTSUP;
	if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return -EPERM;
	if (st.st_size > ROLE_SECRET)
		return -EFBIG;
	n = read(fd, ret->data, ROLE_SECRET);
	if (n < 0)
		return -errno;
	ret->len = (uint32_t) n;
	return 0;
}

static const char *secret_why(int r)
{
	switch (r) {
	case -EPERM:
		return " (it must belong to root and be writable by nobody else)";
	case -ENOTSUP:
		return " (it is not a regular file)";
	case -EFBIG:
		return " (a secret has at most 512 bytes)";
	default:
		return "";
	}
}

int child_secrets(const struct policy *policy, int *ret_fd)
{
	struct role_secrets s;
	int r;

	memset(&s, 0, sizeof(s));
	for (uint32_t i = 0; i < policy->n_channels; i++) {
		const struct policy_channel *c = &policy->channels[i];

		if (!c->secret_file[0])
			continue;
		r = read_secret(c->secret_file, &s.channels[i]);
		if (r < 0)
			(void) log_warning_errno(r, "channel %s: cannot use its secret_file %s%s", c->name,
						 c->secret_file, secret_why(r));
	}
	r = child_memfd("pavise-secrets", &s, sizeof(s), ret_fd);
	explicit_bzero(&s, sizeof(s));
	return r;
}

#define RULES_OUT 3
#define RULES_CPU 90 /* seconds; half of one is usual, nothing when they are cached */

int child_rules(const struct places *p, const struct policy *policy, struct rules_job *ret)
{
	char cache[POLICY_PATH + 8];
	char *argv[] = { (char *) (uintptr_t) "pavise-rules", cache, NULL };
	struct spawn_fd fds[] = { { -1, RULES_OUT } };
	struct spawn s = { .program = "pavise-rules", .argv = argv, .ids = { 0, 0 }, .fds = fds, .n_fds = 1, .no_network = true,
			   .cpu_s = RULES_CPU,
			   .caps = 1ULL << CAP_SETUID | 1ULL << CAP_SETGID | 1ULL << CAP_SETPCAP }; /* its own child gives them up */
	int pair[2], r;

	(void) snprintf(cache, sizeof(cache), "%s/rules", policy->state_dir);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	fds[0].fd = pair[1];
	r = spawn(p, &s, NULL, &ret->pidfd);
	(void) pv_close(pair[1]);
	if (r < 0)
		(void) pv_close(pair[0]);
	ret->sock = r < 0 ? -1 : pair[0];
	return r;
}

static int take_rules(int sock, int *ret_fd)
{
	int fds[FDPASS_MAX], seals;
	size_t n_fds = 0;
	char byte;

	if (fcntl(sock, F_SETFL, O_NONBLOCK) < 0 || fdpass_recv(sock, &byte, 1, fds, &n_fds) != 1 || n_fds != 1) {
		while (n_fds)
			(void) pv_close(fds[--n_fds]);
		return -EBADMSG;
	}
	seals = fcntl(fds[0], F_GET_SEALS);
	if (seals < 0 || (seals & (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)) != (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)) {
		(void) pv_close(fds[0]);
		return -EBADMSG;
	}
	*ret_fd = fds[0];
	return 0;
}

int child_rules_end(struct rules_job *job, int *ret_fd)
{
	int r = spawn_wait(job->pidfd, 0);

	job->pidfd = -1;
	if (r == 0 && ret_fd)
		r = take_rules(job->sock, ret_fd);
	else if (r > 0)
		r = -EINVAL;
	job->sock = pv_close(job->sock);
	return r;
}

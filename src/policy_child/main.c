/* pavise-policy: the one place where the configuration's text is read. It owns nothing, may open nothing and is
 * confined before the first byte; it gets open files and leaves a flat, checked policy behind.
 *
 *   pavise-policy [--observe] [--names FD:NAME] [--pools FD:NAME] [--own-pools FD:NAME] [--own-pools-sig FD:NAME]
 *                 [--present-pools VERSION] [--pools-trouble NAME:WHY] FD:NAME ...
 *                                                writes struct policy to descriptor 3; --names: a rule file, whose names
 *                                                of programs the kernel is to know; --pools: see pools.h
 *   pavise-policy --show [--origin] FD:NAME ...  writes the configuration in force to standard output
 *
 * Errors and notes are lines on standard error, exit status 78 (EX_CONFIG) when the configuration is not good. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "base/text.h"
#include "base/util.h"
#include "match/rule_file.h"
#include "model/conf.h"
#include "model/conf_files.h"
#include "model/conf_yaml.h"
#include "model/roles.h"
#include "policy_child/pools.h"

#include <sodium.h>

#define POLICY_OUT 3
#define NOBODY	   65534

static struct policy policy;
static struct conf_origins origins;

static int confine(void)
{
	/* What reading, allocating and ending take, nothing that opens or connects. */
	static const char *const calls[] = {
		"read", "write", "pwrite64", "ftruncate", "close", "fstat", "newfstatat", "lseek", "brk", "mmap",
		"munmap", "mremap", "mprotect", "madvise", "futex", "exit", "exit_group", "rt_sigreturn",
		"restart_syscall", "getpid", "gettid", "tgkill", "rt_sigprocmask", "rt_sigaction", "clock_gettime",
	};
	int r = sandbox_basics();

	if (r == 0 && geteuid() == 0)
		r = sandbox_become(NOBODY, NOBODY, 0);
	if (r < 0)
		return r;
	r = sandbox_paths(NULL, 0);
	if (r < 0 && r != -ENOSYS && r != -EOPNOTSUPP) /* an older kernel: seccomp alone refuses every open */
		return r;
	return sandbox_syscalls(calls, N_ELEMENTS(calls));
}

static int parse_source(const char *arg, int *ret_fd, const char **ret_name)
{
	const char *colon = strchr(arg, ':');
	char number[12];
	uint32_t fd;

	if (!colon || (size_t) (colon - arg) >= sizeof(number))
		return -EINVAL;
	memcpy(number, arg, (size_t) (colon - arg));
	number[colon - arg] = '\0';
	if (parse_u32(number, &fd) < 0 || fd > 1 << 16 || !colon[1])
		return -EINVAL;
	*ret_fd = (int) fd;
	*ret_name = colon + 1;
	return 0;
}

/* One byte more than allowed is read, so that a file that is too long is told from one that just fits. */
static int read_all(int fd, struct pv_buf *out)
{
	char chunk[16384];

	while (out->len <= YAML_TEXT_MAX) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		pv_buf_add(out, chunk, (size_t) n);
	}
	return out->cut ? -ENOMEM : 0;
}

static int read_source(const char *arg, struct pv_buf *err, struct pv_buf *notes)
{
	pv_autobuf text = PV_BUF_INIT;
	const char *name;
	int fd, r;

	r = parse_source(arg, &fd, &name);
	if (r < 0) {
		pv_buf_puts(err, "pavise-policy: usage: pavise-policy [--observe | --show [--origin]] FD:NAME ...\n");
		return r;
	}
	r = read_all(fd, &text);
	if (r < 0) {
		pv_buf_safe(err, name, 0);
		pv_buf_printf(err, ":1:1: cannot be read: %s\n", strerror(-r));
		return r;
	}
	return conf_read_noted(&policy, name, pv_buf_str(&text), text.len, err, notes, &origins);
}

static int add_name(const char *word, uint32_t what, struct pv_buf *err)
{
	size_t len = strcspn(word, "*");
	struct policy_name *n;

	for (uint32_t i = 0; i < policy.exec.n_names; i++)
		if (strlen(policy.exec.names[i].name) == len && memcmp(policy.exec.names[i].name, word, len) == 0) {
			policy.exec.names[i].what |= what;
			return 0;
		}
	if (policy.exec.n_names == POLICY_EXEC_NAMES) {
		pv_buf_printf(err, "rules: too many names of programs; at most %d\n", POLICY_EXEC_NAMES);
		return -E2BIG;
	}
	n = &policy.exec.names[policy.exec.n_names++];
	memcpy(n->name, word, PV_MIN(len, sizeof(n->name) - 1));
	n->what = what | (word[len] ? PV_NAME_STEM : 0);
	return 0;
}

/* The rules that are the kernel's business, by the beginning of their ids. */
static uint32_t kind_of(const struct rule *rule)
{
	static const struct {
		const char *id;
		uint32_t what;
	} kinds[] = { { "exec.miner", PV_NAME_MINER },	   { "exec.lookalike", PV_NAME_LOOKALIKE },
		      { "exec.server", PV_NAME_SERVER },	   { "exec.shell", PV_NAME_SHELL },
		      { "exec.downloader", PV_NAME_DOWNLOADER }, { "exec.compiler", PV_NAME_COMPILER },
		      { "exec.package", PV_NAME_PACKAGE },	   { "exec.multi", PV_NAME_MULTI },
		      { "exec.installer", PV_NAME_PACKAGE | PV_NAME_INSTALLER },
		      { "exec.interpreter", PV_NAME_INTERPRETER } };

	for (size_t i = 0; i < N_ELEMENTS(kinds); i++)
		if (strncmp(rule->id, kinds[i].id, strlen(kinds[i].id)) == 0)
			return kinds[i].what;
	return 0;
}

static int take_names(const struct rules *rs, struct pv_buf *err)
{
	int r = 0;

	for (size_t i = 0; i < rules_count(rs) && r == 0; i++) {
		const struct rule *rule = rules_get(rs, i);
		uint32_t what = kind_of(rule);

		if (!what)
			continue;
		for (size_t k = 0; k < rule->names.n && r == 0; k++)
			r = add_name(rule->names.word[k], what, err);
	}
	return r;
}

static int read_names(const char *arg, struct pv_buf *err)
{
	pv_autobuf text = PV_BUF_INIT;
	pv_auto(rules) rs = NULL;
	const char *name;
	int fd, r = parse_source(arg, &fd, &name);

	if (r == 0)
		r = read_all(fd, &text);
	if (r == 0)
		r = rules_new(&rs);
	if (r == 0)
		r = rules_add_file(rs, name, pv_buf_str(&text), text.len, err);
	return r < 0 ? r : take_names(rs, err);
}

static struct {
	struct pv_buf text[3];
	struct pool_file file[3]; /* shipped, the owner's, its signature */
	uint64_t present;
} pools;

static int read_pools(const char *arg, size_t which, struct pv_buf *err)
{
	struct pool_file *f = &pools.file[which];
	int fd, r = parse_source(arg, &fd, &f->name);

	if (r == 0)
		r = read_all(fd, &pools.text[which]);
	if (r < 0 && which && f->name) { /* the owner's: the shipped one is used in its place */
		f->trouble = strerror(-r);
		return 0;
	}
	if (r < 0) {
		pv_buf_printf(err, "%s: cannot be read: %s\n", arg, strerror(-r));
		return r;
	}
	f->text = pv_buf_str(&pools.text[which]);
	f->len = pools.text[which].len;
	return 0;
}

/* An option with a word behind it: how many words that were, 0: it is none of these. */
/* NAME:WHY. The name of a file may hold a colon, too; why it cannot be opened holds none before its first blank. */
static int note_trouble(char *text)
{
	char *at = strstr(text, ":its ");

	if (!at)
		return -EINVAL;
	*at = '\0';
	pools.file[1] = (struct pool_file){ .name = text, .trouble = at + 1 };
	return 0;
}

static int take_option(char **argv, int left, struct pv_buf *err, int *bad)
{
	static const char *const files[] = { "--pools", "--own-pools", "--own-pools-sig" };

	if (left < 2)
		return 0;
	for (size_t i = 0; i < N_ELEMENTS(files); i++)
		if (strcmp(argv[0], files[i]) == 0) {
			*bad |= read_pools(argv[1], i, err) < 0;
			return 1;
		}
	if (strcmp(argv[0], "--names") == 0)
		*bad |= read_names(argv[1], err) < 0;
	else if (strcmp(argv[0], "--pools-trouble") == 0)
		*bad |= note_trouble(argv[1]) < 0;
	else if (strcmp(argv[0], "--present-pools") == 0)
		*bad |= parse_u64(argv[1], &pools.present) < 0;
	else
		return 0;
	return 1;
}

static int show(bool with_origins)
{
	pv_autobuf out = PV_BUF_INIT;

	conf_show(&out, &policy, with_origins ? &origins : NULL);
	return pv_write_all(STDOUT_FILENO, pv_buf_str(&out), out.len);
}

int main(int argc, char **argv)
{
	pv_autobuf err = PV_BUF_INIT, notes = PV_BUF_INIT;
	bool observe = false, to_show = false, with_origins = false;
	int i, r, bad = 0;

	log_open("pavise-policy");
	r = sodium_init() < 0 ? -EIO : confine(); /* it wants a random device */
	if (r < 0) {
		(void) log_error_errno(r, "cannot give up its rights");
		return 1;
	}
	conf_defaults(&policy);
	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		observe = observe || strcmp(argv[i], "--observe") == 0;
		to_show = to_show || strcmp(argv[i], "--show") == 0;
		with_origins = with_origins || strcmp(argv[i], "--origin") == 0;
		i += take_option(argv + i, argc - i, &err, &bad);
	}
	for (; i < argc; i++)
		if (read_source(argv[i], &err, &notes) < 0)
			bad = 1; /* go on: all errors at once */
	if (observe)
		policy.observe = 1;
	for (uint32_t k = 0; k < policy.exec.n_servers; k++)
		if (add_name(policy.exec.servers[k], PV_NAME_SERVER, &err) < 0)
			bad = 1;
	if (!bad && conf_finish(&policy, &err) < 0)
		bad = 1;
	if (!bad && pools_take(&policy, &pools.file[0], &pools.file[1], &pools.file[2], pools.present, &err, &notes) < 0)
		bad = 1;
	(void) pv_write_all(STDERR_FILENO, pv_buf_str(&err), err.len);
	(void) pv_write_all(STDERR_FILENO, pv_buf_str(&notes), notes.len);
	if (bad)
		return ROLE_EXIT_CONFIG;
	r = to_show ? show(with_origins) : pv_write_all(POLICY_OUT, &policy, sizeof(policy));
	if (r < 0)
		(void) log_error_errno(r, "cannot hand the policy over");
	return r < 0 ? 1 : 0;
}

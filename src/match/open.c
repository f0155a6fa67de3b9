/* From rule files to a set: out of the cache, or read and compiled in a child that can do nothing else. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/sandbox.h"
#include "match/engine.h"
#include "match/rules.h"

#define DEPTH_MAX     6
#if defined(__SANITIZE_ADDRESS__)
#define CHILD_MEMORY 0 /* its shadow takes terabytes */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CHILD_MEMORY 0
#endif
#endif
#ifndef CHILD_MEMORY
#define CHILD_MEMORY (1ULL << 30)
#endif
#define CHILD_SECONDS 60
#define NOBODY	      65534
#define ERR_MAX	      65536

struct rule_text {
	char *name, *text;
	size_t len;
};

struct texts {
	struct rule_text file[RULE_FILES_MAX];
	size_t n;
};

static struct texts *texts_free(struct texts *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free(t->file[i].name);
		free(t->file[i].text);
	}
	free(t);
	return NULL;
}
PV_AUTO(texts)

static int say(struct pv_buf *err, const char *name, const char *why, int r)
{
	pv_buf_safe(err, name, 0);
	pv_buf_printf(err, ":1:1: %s\n", why);
	return r;
}

static int read_text(int fd, const char *name, struct rule_text *t, struct pv_buf *err)
{
	struct stat st;
	size_t at = 0;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return say(err, name, "is not a regular file", -EINVAL);
	if (st.st_size > (off_t) RULE_FILE_MAX)
		return say(err, name, "is too large; at most 1 MiB", -EINVAL);
	t->text = malloc((size_t) st.st_size + 1);
	t->name = strdup(name);
	if (!t->text || !t->name)
		return -ENOMEM;
	while (at < (size_t) st.st_size) {
		ssize_t n = read(fd, t->text + at, (size_t) st.st_size - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return say(err, name, strerror(errno), -errno);
		if (n == 0)
			break;
		at += (size_t) n;
	}
	t->text[at] = '\0';
	t->len = at;
	return 0;
}

static int add_path(struct texts *t, int at, const char *path, const char *name, unsigned depth, struct pv_buf *err);

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static bool wanted(const char *name, int dir_fd)
{
	size_t n = strlen(name);
	struct stat st;

	if (name[0] == '.')
		return false;
	if (n > 5 && strcmp(name + n - 5, ".yaml") == 0)
		return true;
	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int add_dir(struct texts *t, int fd, const char *name, unsigned depth, struct pv_buf *err)
{
	struct dirent **list = NULL;
	int n = scandirat(fd, ".", &list, NULL, by_name), r = n < 0 ? -errno : 0;

	for (int i = 0; i < n; i++) {
		pv_autobuf full = PV_BUF_INIT;

		pv_buf_printf(&full, "%s/%s", name, list[i]->d_name);
		if (r == 0 && wanted(list[i]->d_name, fd))
			r = add_path(t, fd, list[i]->d_name, pv_buf_str(&full), depth + 1, err);
		free(list[i]);
	}
	free(list);
	return r;
}

static int add_path(struct texts *t, int at, const char *path, const char *name, unsigned depth, struct pv_buf *err)
{
	/* What the caller named may be a link; what lies in a folder may not. */
	pv_autoclose int fd = openat(at, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | (depth ? O_NOFOLLOW : 0));
	struct stat st;

	if (fd < 0)
		return say(err, name, strerror(errno), -errno);
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return depth >= DEPTH_MAX ? say(err, name, "is nested too deep", -EINVAL) : add_dir(t, fd, name, depth, err);
	if (t->n == RULE_FILES_MAX)
		return say(err, name, "is one rule file too many; at most 1024", -EINVAL);
	t->n++;
	return read_text(fd, name, &t->file[t->n - 1], err);
}

static void hash_piece(crypto_generichash_state *h, const void *data, size_t len)
{
	uint64_t n = len;

	(void) crypto_generichash_update(h, (const unsigned char *) &n, sizeof(n));
	(void) crypto_generichash_update(h, data, len);
}

/* All that decides what comes out of compiling. */
static int make_digest(const struct texts *t, bool lines, unsigned char digest[32])
{
	hs_platform_info_t cpu;
	crypto_generichash_state h;

	memset(&cpu, 0, sizeof(cpu));
	if (sodium_init() < 0 || hs_populate_platform(&cpu) != HS_SUCCESS)
		return -ENOSYS;
	(void) crypto_generichash_init(&h, NULL, 0, 32);
	hash_piece(&h, PAVISE_VERSION, strlen(PAVISE_VERSION));
	hash_piece(&h, hs_version(), strlen(hs_version()));
	hash_piece(&h, &cpu, sizeof(cpu));
	hash_piece(&h, lines ? "lines" : "text", 5);
	for (size_t i = 0; i < t->n; i++) {
		hash_piece(&h, t->file[i].name, strlen(t->file[i].name));
		hash_piece(&h, t->file[i].text, t->file[i].len);
	}
	return crypto_generichash_final(&h, digest, 32) == 0 ? 0 : -EINVAL;
}

/* --- the child --- */

static int confine(void)
{
	static const char *const calls[] = {
		"read", "write", "close", "fstat", "newfstatat", "lseek", "brk", "mmap", "munmap", "mremap", "mprotect",
		"madvise", "futex", "exit", "exit_group", "rt_sigreturn", "restart_syscall", "getpid", "gettid", "tgkill",
		"rt_sigprocmask", "rt_sigaction", "clock_gettime", "sched_yield", "getrandom", "sigaltstack",
		"prlimit64", "sched_getaffinity",
	};
	const struct rlimit cpu = { CHILD_SECONDS, CHILD_SECONDS };
	int r = sandbox_basics();

	if (r == 0 && CHILD_MEMORY != 0 && setrlimit(RLIMIT_AS, &(struct rlimit) { CHILD_MEMORY, CHILD_MEMORY }) < 0)
		r = -errno;
	if (r == 0 && setrlimit(RLIMIT_CPU, &cpu) < 0)
		r = -errno;
	if (r == 0 && geteuid() == 0)
		r = sandbox_become(NOBODY, NOBODY, 0);
	if (r == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) /* nobody waits for it without its parent; setuid clears this */
		r = -errno;
	if (r < 0)
		return r;
	r = sandbox_paths(NULL, 0);
	if (r < 0 && r != -ENOSYS && r != -EOPNOTSUPP) /* an older kernel: seccomp alone refuses every open */
		return r;
	return sandbox_syscalls(calls, N_ELEMENTS(calls));
}

static int compile_texts(const struct texts *t, const struct match_where *where, struct pv_buf *out, struct pv_buf *err)
{
	struct gates gates = { NULL, NULL, NULL };
	pv_auto(rules) rs = NULL;
	int r = rules_new(&rs), worst = 0;

	if (r < 0)
		return r;
	for (size_t i = 0; i < t->n; i++) {
		r = rules_add_file(rs, t->file[i].name, t->file[i].text, t->file[i].len, err);
		worst = worst ? worst : r;
	}
	if (worst == 0)
		worst = rules_try_examples(rs, err);
	if (worst == 0 && where->try_lines)
		worst = where->try_lines(rs, err);
	if (worst == 0)
		worst = gates_compile(rs, where->lines, &gates, err);
	if (worst == 0)
		worst = cache_pack(rs, &gates, out);
	gates_done(&gates);
	return worst;
}

static _Noreturn void child(const struct texts *t, const struct match_where *where, int out_fd, int err_fd)
{
	struct pv_buf out = { .cap = 256u << 20 }, err = { .cap = ERR_MAX };
	int r = confine();

	if (r < 0)
		pv_buf_printf(&err, "rules: cannot give up rights before reading them: %s\n", strerror(-r));
	if (r == 0)
		r = compile_texts(t, where, &out, &err);
	if (r == 0)
		r = pv_write_all(out_fd, pv_buf_str(&out), out.len);
	else
		(void) pv_write_all(err_fd, pv_buf_str(&err), err.len);
	_exit(r == 0 ? 0 : r == -EINVAL ? 2 : 1);
}

static void read_errors(int fd, struct pv_buf *err)
{
	char chunk[4096];
	ssize_t n;

	(void) lseek(fd, 0, SEEK_SET);
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		pv_buf_add(err, chunk, (size_t) n);
}

static int wait_child(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return WIFEXITED(status) && WEXITSTATUS(status) == 2 ? -EINVAL : -EIO;
}

/* A descriptor with what the child made. */
static int compile_apart(const struct match_where *where, const struct texts *t, int *ret_fd, struct pv_buf *err)
{
	pv_autoclose int out = memfd_create("pavise-match", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	pv_autoclose int wrong = memfd_create("pavise-errors", MFD_CLOEXEC);
	pid_t pid;
	int r;

	if (out < 0 || wrong < 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		child(t, where, out, wrong);
	r = wait_child(pid);
	if (r < 0) {
		read_errors(wrong, err);
		if (r == -EIO && !err->len)
			pv_buf_puts(err, "rules: compiling them took more than its memory or time\n");
		return r;
	}
	*ret_fd = pv_steal_fd(&out);
	return 0;
}

static int read_all(const struct match_where *where, struct texts *t, struct pv_buf *err)
{
	int r = t ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < where->n_paths; i++)
		r = add_path(t, AT_FDCWD, where->paths[i], where->paths[i], 0, err);
	return r;
}

int match_set_open(const struct match_where *where, struct match_set **ret, struct pv_buf *err)
{
	pv_auto(texts) t = calloc(1, sizeof(*t));
	pv_autoclose int fd = -1;
	unsigned char digest[32];
	size_t len = 0;
	void *map = NULL;
	int r = read_all(where, t, err);

	if (r == 0)
		r = make_digest(t, where->lines, digest);
	if (r < 0)
		return r;
	if (where->cache_dir) {
		r = cache_load(where->cache_dir, digest, ret);
		if (r != -ENOENT)
			return r;
	}
	r = compile_apart(where, t, &fd, err);
	if (r == 0)
		r = set_map(fd, &map, &len);
	if (r < 0)
		return r;
	if (where->cache_dir) /* without it the next start is slower, no more */
		(void) cache_store(where->cache_dir, digest, map, len);
	return cache_unpack(map, len, 0, ret);
}

static int from_cache(const char *dir, const unsigned char *digest, int *ret_fd)
{
	pv_autoclose int fd = dir ? memfd_create("pavise-match", MFD_CLOEXEC | MFD_ALLOW_SEALING) : -1;
	int r = fd < 0 ? -ENOENT : cache_copy(dir, digest, fd);

	if (r == 0)
		*ret_fd = pv_steal_fd(&fd);
	return r == 0 ? 0 : -ENOENT;
}

static void to_cache(const char *dir, const unsigned char *digest, int fd)
{
	size_t len = 0;
	void *map = NULL;

	if (!dir || set_map(fd, &map, &len) < 0)
		return;
	(void) cache_store(dir, digest, map, len); /* without it the next start is slower, no more */
	(void) munmap(map, len); /* a writable mapping would keep it from being sealed */
}

int match_set_save(const struct match_where *where, int *ret_fd, struct pv_buf *err)
{
	pv_auto(texts) t = calloc(1, sizeof(*t));
	pv_autoclose int fd = -1;
	unsigned char digest[32];
	int r = read_all(where, t, err);

	if (r == 0)
		r = make_digest(t, where->lines, digest);
	if (r < 0)
		return r;
	r = from_cache(where->cache_dir, digest, &fd);
	if (r == -ENOENT) {
		r = compile_apart(where, t, &fd, err);
		if (r == 0)
			to_cache(where->cache_dir, digest, fd);
	}
	if (r < 0)
		return r;
	if (fcntl(fd, F_ADD_SEALS, MATCH_SEALS) < 0)
		return -errno;
	*ret_fd = pv_steal_fd(&fd);
	return 0;
}

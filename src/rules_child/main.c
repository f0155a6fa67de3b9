/* pavise-rules: compiles the rules for logs, for one start or reload of the guard. The launcher starts it as
 *
 *   pavise-rules CACHE        with a SOCK_SEQPACKET socket as descriptor 3
 *
 * and gets one datagram with the sealed memfd that logs_save() makes; the engine loads that and nothing else. Rule files: those that came with
 * pavise, and /etc/pavise/rules/log. Reading and compiling them happens in yet another child without any right (match/set.h); this one is
 * root's only to read the files and to keep the cache. Where a rule of the owner's is wrong, that is said, and the rules that came with pavise
 * are used alone.
 *
 * Exit status: 0; 1 and a message. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/fdpass.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "logs/logs.h"

#define OUT_FD	  3
#define OWN_RULES "/etc/pavise/rules/log"

struct folders {
	char log[PATH_MAX], secret[PATH_MAX];
};

/* Beside the programs: in the build folder, or below /usr. */
static int find_folders(struct folders *ret)
{
	static const char *const places[] = { "/../rules", "/../../share/pavise/rules" };
	char self[PATH_MAX], *slash;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return -errno;
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (slash)
		*slash = '\0';
	for (size_t i = 0; i < N_ELEMENTS(places); i++) {
		int a = snprintf(ret->log, sizeof(ret->log), "%s%s/log", self, places[i]);
		int b = snprintf(ret->secret, sizeof(ret->secret), "%s%s/secret", self, places[i]);

		if (a > 0 && b > 0 && (size_t) a < sizeof(ret->log) && (size_t) b < sizeof(ret->secret) && access(ret->log, R_OK) == 0)
			return 0;
	}
	return -ENOENT;
}

static void say(const struct pv_buf *err)
{
	const char *line = pv_buf_str(err), *end;

	for (; *line; line = end + (*end != '\0')) {
		end = strchrnul(line, '\n');
		log_error("%.*s", (int) (end - line), line);
	}
}

static int save(const struct folders *f, const char *cache, int *ret_fd)
{
	const char *paths[] = { f->log, f->secret, OWN_RULES };
	struct match_where where = { .paths = paths, .n_paths = access(OWN_RULES, F_OK) == 0 ? 3 : 2, .cache_dir = cache };
	pv_autobuf err = PV_BUF_INIT;
	int r = logs_save(&where, ret_fd, &err);

	if (r < 0 && where.n_paths == 3) {
		say(&err);
		log_error("the rules in " OWN_RULES " are left out");
		pv_buf_clear(&err);
		where.n_paths = 2;
		r = logs_save(&where, ret_fd, &err);
	}
	if (r < 0)
		say(&err);
	return r;
}

int main(int argc, char **argv)
{
	pv_autoclose int fd = -1;
	struct folders f;
	int r;

	log_open("pavise-rules");
	if (argc != 2) {
		(void) fputs("usage: pavise-rules CACHE\nStarted by pavise-launcher.\n", stderr);
		return 2;
	}
	(void) setpriority(PRIO_PROCESS, 0, 10); /* nobody waits for it but the logs */
	r = sandbox_basics();
	if (r == 0)
		r = find_folders(&f);
	if (r < 0) {
		(void) log_error_errno(r, "the rule files for logs cannot be found; they belong into /usr/share/pavise/rules");
		return 1;
	}
	r = save(&f, argv[1], &fd);
	if (r == 0)
		r = fdpass_send(OUT_FD, "", 1, &fd, 1);
	if (r < 0)
		(void) log_error_errno(r, "the rules for logs cannot be used");
	return r < 0;
}

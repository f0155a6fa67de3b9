/* The notifying half of a guard without the rest: a store, an outbox, and pavise-sender started as the launcher starts
 * it. Reads commands from stdin and answers each with a line:
 *
 *   pvnotify DIR SENDER URL SECRET_FILE [URL SECRET_FILE ...]      SECRET_FILE `-`: none
 *     add N SEVERITY     N notices                                 -> ok
 *     skew SECONDS       the clock goes forward                    -> ok
 *     run SECONDS        until nothing waits, or so long           -> {"waiting":0,"given_up":0,"starts":1}
 *     pss                of the sender                             -> KiB, 0 when it does not run
 *     pid                of the sender                             -> pid, 0
 *     kill               the sender, -9                            -> ok */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "model/conf.h"
#include "model/roles.h"
#include "notify/outbox.h"

#define SENDER_ID (ROLE_UID_FIRST + 1)

static struct {
	struct policy policy;
	struct role_secrets secrets;
	const char *program;
	struct store *store;
	struct outbox *box;
	int pair[2], launcher;
	pid_t sender;
	unsigned starts;
	uint64_t skew_us;
} t = { .launcher = -1 };

static int sealed(const void *data, size_t len)
{
	int fd = memfd_create("pvnotify", MFD_ALLOW_SEALING);

	if (fd < 0 || write(fd, data, len) != (ssize_t) len ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		exit(3);
	return fd;
}

static _Noreturn void become_sender(int launcher)
{
	const int from[] = { launcher, sealed(&t.policy, sizeof(t.policy)), t.pair[1],
			     sealed(&t.secrets, sizeof(t.secrets)) };
	const int to[] = { ROLE_FD_LAUNCHER, ROLE_FD_POLICY, ROLE_FD_PEER, ROLE_FD_STATE };

	for (int i = 0; i < 4; i++) /* out of each other's way first */
		if (fcntl(from[i], F_DUPFD, 100 + i) != 100 + i)
			_exit(4);
	for (int i = 0; i < 4; i++)
		if (dup2(100 + i, to[i]) < 0)
			_exit(4);
	(void) close_range(100, ~0u, 0);
	(void) close(6);
	(void) close_range(8, ~0u, 0);
	if (setgid(SENDER_ID) < 0 || setuid(SENDER_ID) < 0)
		_exit(4);
	(void) execl(t.program, "pavise-sender", NULL);
	_exit(5);
}

static void sender_reap(void)
{
	if (t.sender && waitpid(t.sender, NULL, WNOHANG) == t.sender) {
		t.launcher = pv_close(t.launcher);
		t.sender = 0;
	}
}

static void sender_start(void)
{
	int pair[2];

	sender_reap();
	if (t.sender)
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		exit(3);
	t.starts++;
	t.sender = fork();
	if (t.sender == 0)
		become_sender(pair[1]);
	(void) close(pair[1]);
	t.launcher = pair[0];
}

static uint64_t now(void)
{
	return clock_wall_us() + t.skew_us;
}

static void run_for(uint64_t seconds)
{
	uint64_t end = clock_monotonic_us() + seconds * USEC_PER_SEC, next;
	struct store_counts c = { .waiting = 1 };

	while (clock_monotonic_us() < end && c.waiting) {
		struct pollfd fd = { .fd = t.pair[0], .events = POLLIN };

		if (outbox_run(t.box, &t.policy, now(), &next) > 0)
			sender_start();
		(void) poll(&fd, 1, 20);
		if (outbox_answers(t.box, now()) < 0 || store_counts(t.store, &c) < 0)
			exit(3);
	}
	sender_reap();
	(void) store_counts(t.store, &c);
	printf("{\"waiting\":%llu,\"given_up\":%llu,\"starts\":%u}\n", (unsigned long long) c.waiting,
	       (unsigned long long) c.given_up, t.starts);
}

static void add(uint64_t n, enum severity severity)
{
	for (uint64_t i = 1; i <= n; i++) {
		struct notice notice;

		notice_init(&notice, ID_NET_STRATUM, now());
		notice.severity = severity;
		notice.action = DONE_BLOCKED;
		notice.kind = SUBJECT_CONTAINER;
		(void) text_copy(notice.subject, sizeof(notice.subject), "shop/web");
		notice_set_what(&notice, "tried to connect to 203.0.113.%u:3333 (mining port)", (unsigned) (i % 250));
		notice_set_next(&notice, "pavise allow shop/web net");
		notice_add_evidence(&notice, "port", "3333");
		if (store_add(t.store, &notice, &t.policy) < 0)
			exit(3);
	}
}

static unsigned long pss(void)
{
	char path[64], line[256];
	unsigned long kib = 0;
	FILE *f;

	(void) snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int) t.sender);
	f = t.sender ? fopen(path, "re") : NULL;
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "Pss:", 4) == 0)
			kib = strtoul(line + 4, NULL, 10);
	if (f)
		(void) fclose(f);
	return kib;
}

static void command(char *line)
{
	char *word = strtok(line, " \n"), *first = strtok(NULL, " \n"), *second = strtok(NULL, " \n");
	enum severity severity = SEV_HIGH;
	uint64_t n = 0;

	if (first && parse_u64(first, &n) < 0)
		exit(2);
	if (second && severity_parse(second, &severity) < 0)
		exit(2);
	sender_reap();
	if (word && strcmp(word, "run") == 0) {
		run_for(n);
	} else if (word && strcmp(word, "pss") == 0) {
		printf("%lu\n", pss());
	} else if (word && strcmp(word, "pid") == 0) {
		printf("%d\n", (int) t.sender);
	} else {
		if (word && strcmp(word, "add") == 0)
			add(n, severity);
		else if (word && strcmp(word, "skew") == 0)
			t.skew_us += n * USEC_PER_SEC;
		else if (word && strcmp(word, "kill") == 0 && t.sender)
			(void) kill(t.sender, SIGKILL);
		printf("ok\n");
	}
	(void) fflush(stdout);
}

static void channel(const char *url, const char *secret_file)
{
	uint32_t i = t.policy.n_channels++;
	struct role_secret *s = &t.secrets.channels[i];
	int fd;

	(void) text_copy(t.policy.channels[i].url, sizeof(t.policy.channels[i].url), url);
	(void) snprintf(t.policy.channels[i].name, sizeof(t.policy.channels[i].name), "channel-%u", i);
	if (strcmp(secret_file, "-") == 0)
		return;
	fd = open(secret_file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		exit(3);
	s->len = (uint32_t) read(fd, s->data, ROLE_SECRET);
	(void) close(fd);
}

int main(int argc, char **argv)
{
	pv_autobuf err = PV_BUF_INIT;
	char line[256];

	if (argc < 5 || argc % 2 == 0)
		return 2;
	log_open("pvnotify");
	conf_defaults(&t.policy);
	t.policy.n_channels = 0;
	for (int i = 3; i + 1 < argc; i += 2)
		channel(argv[i], argv[i + 1]);
	t.program = argv[2];
	if (conf_finish(&t.policy, &err) < 0 || store_open(argv[1], &t.store) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, t.pair) < 0 || outbox_new(t.store, t.pair[0], &t.box) < 0)
		return 3;
	while (fgets(line, sizeof(line), stdin))
		command(line);
	t.launcher = pv_close(t.launcher); /* the sender ends by itself when its launcher hangs up */
	for (int i = 0; t.sender && i < 500; i++) {
		sender_reap();
		(void) usleep(10000);
	}
	if (t.sender) {
		(void) kill(t.sender, SIGKILL);
		(void) waitpid(t.sender, NULL, 0);
		return 6;
	}
	t.box = outbox_free(t.box);
	t.store = store_free(t.store);
	return 0;
}

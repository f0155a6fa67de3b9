/* pavise-collector [--docker-root DIR] [--max BYTES] [--count N] [--each BYTES]: started by the launcher for one capture
 * (collector.h; descriptors: enum collector_fd). Ends by itself, at the latest when its time is over; the launcher kills what
 * does not. */
#include <fcntl.h>
#include <getopt.h>
#include <linux/capability.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "base/text.h"
#include "collector/collector.h"

#define BIT(cap) (1ULL << (cap))
#define CAPS	 (BIT(CAP_SYS_PTRACE) | BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_KILL))
#define TEXT_MAX (512u << 10) /* of one part */
#define KNOWN_US (800 * USEC_PER_MSEC) /* event and container are on their way; a new one has to be asked for */

/* No landlock: whoever is in a domain may not look at processes outside of it, which is all that this is for. */
static const char *const syscalls[] = {
	"read",
	"write",
	"pread64",
	"readv",
	"writev",
	"lseek",
	"close",
	"openat",
	"openat2",
	"open",
	"stat",
	"fstat",
	"newfstatat",
	"lstat",
	"statx",
	"readlink",
	"readlinkat",
	"getdents64",
	"fcntl",
	"mkdirat",
	"unlinkat",
	"unlink",
	"rmdir",
	"renameat",
	"renameat2",
	"linkat",
	"fsync",
	"recvmsg",
	"recvfrom",
	"sendmsg",
	"sendto",
	"shutdown",
	"poll",
	"ppoll",
	"pidfd_open",
	"pidfd_send_signal",
	"getpid",
	"gettid",
	"uname",
	"getrandom",
	"mmap",
	"munmap",
	"mremap",
	"mprotect",
	"madvise",
	"brk",
	"futex",
	"rseq",
	"set_robust_list",
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"restart_syscall",
	"clock_gettime",
	"clock_nanosleep",
	"nanosleep",
	"tgkill",
	"exit",
	"exit_group",
};

static struct settings {
	const char *docker_root;
	uint64_t max, each;
	uint32_t count;
} set = { "/var/lib/docker", 2000000000, 64000000, 200 };

struct collector {
	struct capture_order order;
	struct capture_job job;
	struct pv_buf parts[CAPTURE_N_PARTS];
	struct procs procs;
	struct taken_file files[CAPTURE_PATHS];
	struct pv_buf sockets;
	size_t n_sockets;
	uint64_t deadline_us;
	bool engine_done; /* it has said all */
};

static int say(const struct capture_result *r)
{
	return send(COLLECTOR_FD_ENGINE, r, sizeof(*r), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* The next datagram, or 0 when the engine has said all, is gone, or time is over. */
static size_t hear(void *buf, size_t size, uint64_t until_us)
{
	struct pollfd p = { .fd = COLLECTOR_FD_ENGINE, .events = POLLIN };
	uint64_t now = clock_monotonic_us();
	int r = poll(&p, 1, now < until_us ? (int) ((until_us - now) / USEC_PER_MSEC) + 1 : 0);
	ssize_t n = r == 1 ? recv(COLLECTOR_FD_ENGINE, buf, size, MSG_DONTWAIT | MSG_TRUNC) : 0;

	return n > 0 && (size_t) n <= size ? (size_t) n : 0;
}

static bool hear_job(struct collector *c)
{
	struct capture_job *j = &c->job;

	if (hear(j, sizeof(*j), c->deadline_us) != sizeof(*j))
		return false;
	j->name[sizeof(j->name) - 1] = '\0';
	for (size_t i = 0; i < CAPTURE_PATHS; i++)
		j->paths[i][CAPTURE_PATH - 1] = '\0';
	return true;
}

/* Until the last part of these has come (0: all that it says), or time is over. */
static void hear_parts(struct collector *c, enum capture_part_is last, uint64_t until_us)
{
	struct capture_part *part = malloc(sizeof(*part));

	while (part && !c->engine_done && (!last || !c->parts[last].len)) {
		size_t n = hear(part, sizeof(*part), until_us), head = offsetof(struct capture_part, text);

		if (n == 0) {
			c->engine_done = clock_monotonic_us() < until_us;
			break;
		}
		if (n >= head && part->len == n - head && part->is > 0 && part->is < CAPTURE_N_PARTS)
			pv_buf_add(&c->parts[part->is], part->text, part->len);
	}
	free(part);
}

/* What an act would take away: from here on it is held by descriptors. */
static void hold(struct collector *c)
{
	struct procs *p = &c->procs;

	procs_gather(p, COLLECTOR_FD_CGROUP, c->order.cgroup, set.docker_root);
	for (size_t i = 0; i < CAPTURE_PATHS; i++) {
		c->files[i].fd = -1;
		if (*c->job.paths[i])
			file_find(p, &c->job, c->job.paths[i], set.docker_root, c->order.id, &c->files[i]);
	}
	c->n_sockets = sockets_json(p, &c->sockets);
}

static void put_part(struct bundle *b, struct collector *c, enum capture_part_is is, const char *path, const char *origin,
		     const char *what)
{
	if (c->parts[is].len)
		bundle_text(b, path, origin, pv_buf_str(&c->parts[is]), c->parts[is].len);
	else
		bundle_missing(b, what, "%s", c->engine_done ? "the engine had nothing to say of it" : "it did not come in time");
}

/* `3-files/1-helper`: the last name of its path, in letters that every file system takes. */
static void name_in_bundle(char *out, size_t size, const char *folder, unsigned number, const char *path)
{
	const char *base = strrchr(path, '/');
	size_t at = (size_t) snprintf(out, size, "%s/%03u-", folder, number);

	for (base = base ? base + 1 : path; *base && at + 1 < size; base++) {
		bool plain = (*base >= 'a' && *base <= 'z') || (*base >= 'A' && *base <= 'Z') || (*base >= '0' && *base <= '9') ||
			     strchr("._-", *base);

		out[at++] = plain ? *base : '_';
	}
	out[at] = '\0';
}

static unsigned put_files(struct bundle *b, struct collector *c, struct capture_result *ret)
{
	unsigned n = 0;

	for (size_t i = 0; i < CAPTURE_PATHS; i++) {
		struct taken_file *f = &c->files[i];
		char name[96], origin[CAPTURE_PATH + 200];
		uint8_t sha256[32];

		if (!*f->path)
			continue;
		if (f->fd < 0) {
			bundle_missing(b, f->path, "%s", f->why);
			continue;
		}
		name_in_bundle(name, sizeof(name), "5-files", n++, f->path);
		(void) snprintf(origin, sizeof(origin), "%.120s, %.60s", f->path, f->origin);
		if (bundle_file(b, name, origin, f->fd, sha256) && i == 0) {
			memcpy(ret->sha256, sha256, sizeof(ret->sha256));
			ret->has_digest = true;
		}
	}
	return n;
}

/* Programs of the image are the image's: their digest says which. */
static void put_programs(struct bundle *b, struct collector *c)
{
	pv_autobuf json = PV_BUF_INIT;

	for (size_t i = 0; i < c->procs.n_programs; i++) {
		struct program *g = &c->procs.programs[i];
		char origin[192];

		if (g->of_image) {
			g->hashed = bundle_hash(g->fd, UINT64_MAX, c->deadline_us, g->sha256) == 0;
			continue;
		}
		name_in_bundle(g->taken, sizeof(g->taken), "6-programs", (unsigned) i, g->path);
		(void) snprintf(origin, sizeof(origin), "%.160s%s", g->path, g->deleted ? " (deleted)" : "");
		g->hashed = bundle_file(b, g->taken, origin, g->fd, g->sha256);
	}
	programs_json(&c->procs, &json);
	bundle_text(b, "7-programs.json", "/proc/PID/exe", pv_buf_str(&json), json.len);
	for (size_t i = 0; i < c->procs.n_programs; i++)
		if (!c->procs.programs[i].hashed)
			bundle_missing(b, c->procs.programs[i].path, "the time was over before its digest was known");
}

static void say_parents(struct bundle *b, const struct collector *c)
{
	for (size_t i = 0; i < N_ELEMENTS(c->job.chain) && c->job.chain[i].pid; i++) {
		const struct capture_parent *parent = &c->job.chain[i];
		bool there = false;
		char what[64];

		for (size_t k = 0; k < c->procs.n; k++)
			there |= (uint32_t) c->procs.at[k].pid == parent->pid;
		if (there)
			continue;
		(void) snprintf(what, sizeof(what), "process %u (%.*s)", parent->pid, (int) sizeof(parent->comm) - 1,
				parent->comm);
		bundle_missing(b, what, "it had ended before it could be looked at; what is known of it stands in 1-event.json");
	}
}

/* What cannot be there any more, and what went while we looked. */
static void say_missing(struct bundle *b, const struct collector *c)
{
	const struct procs *p = &c->procs;
	const char *identity = pv_buf_str(&c->parts[CAPTURE_CONTAINER]);

	if (*identity && !strstr(identity, "\"image_digest\":"))
		bundle_missing(b, "the container's name and image", "the engine's API had not answered by then");
	if (c->job.dead) {
		char what[96];

		(void) snprintf(what, sizeof(what), "process %u: memory, sockets, environment", c->job.pid);
		bundle_missing(b, what, "the kernel ended it before its first instruction: it had opened and sent nothing");
	}
	say_parents(b, c);
	if (p->n == 0)
		bundle_missing(b, "processes and sockets", "%s",
			       *c->order.cgroup ? "the container's last process had ended" : "the container had ended");
	if (p->more)
		bundle_missing(b, "processes", "%zu more than the %u that are looked at", p->more, (unsigned) CAPTURE_PROCS);
	for (size_t i = 0; i < p->n; i++)
		if (p->at[i].program < 0 && *p->at[i].exe)
			bundle_missing(b, p->at[i].exe, "it could not be opened (process %d)", (int) p->at[i].pid);
}

static void put_all(struct bundle *b, struct collector *c, struct capture_result *ret)
{
	pv_autobuf procs = PV_BUF_INIT;
	unsigned files;

	put_part(b, c, CAPTURE_EVENT, "1-event.json", "pavise-engine", "the event");
	put_part(b, c, CAPTURE_CONTAINER, "2-container.json", "pavise-engine", "the container's identity");
	procs_json(&c->procs, &procs);
	bundle_text(b, "3-processes.json", "/proc/PID/{stat,status,cmdline,exe}", pv_buf_str(&procs), procs.len);
	bundle_text(b, "4-sockets.json", "/proc/PID/net/{tcp,udp,raw}", pv_buf_str(&c->sockets), c->sockets.len);
	files = put_files(b, c, ret);
	put_programs(b, c);
	hear_parts(c, 0, c->deadline_us);
	put_part(b, c, CAPTURE_LOG, "8-log.txt", "engine API", "the container's log");
	say_missing(b, c);
	(void) snprintf(ret->found, sizeof(ret->found), "%zu process%s, %zu program%s, %zu socket%s, %u file%s", c->procs.n,
			c->procs.n == 1 ? "" : "es", c->procs.n_programs, c->procs.n_programs == 1 ? "" : "s", c->n_sockets,
			c->n_sockets == 1 ? "" : "s", files, files == 1 ? "" : "s");
}

static int capture(struct collector *c, struct capture_result *ret)
{
	pv_auto(bundle) b = NULL;
	int r;

	hold(c);
	(void) say(&(struct capture_result){ .says = CAPTURE_HELD });
	hear_parts(c, CAPTURE_CONTAINER, clock_monotonic_us() + KNOWN_US);
	bundle_retain(COLLECTOR_FD_EVIDENCE, set.max, set.count, set.each);
	r = bundle_new(COLLECTOR_FD_EVIDENCE, c->job.name, set.each, c->deadline_us, &b);
	if (r < 0)
		return r;
	put_all(b, c, ret);
	r = bundle_end(b);
	ret->files = bundle_files(b);
	ret->missing = bundle_lacks(b);
	ret->bytes = bundle_bytes(b);
	bundle_lacks_text(b, ret->lacks, sizeof(ret->lacks));
	return r;
}

static int usage(void)
{
	(void) fputs("usage: pavise-collector [--docker-root DIR] [--max BYTES] [--count N] [--each BYTES]\nStarted by pavise's "
		     "launcher.\n",
		     stderr);
	return 2;
}

static int parse(int argc, char **argv)
{
	static const struct option options[] = { { "docker-root", required_argument, NULL, 'd' },
						 { "max", required_argument, NULL, 'm' },
						 { "count", required_argument, NULL, 'c' },
						 { "each", required_argument, NULL, 'e' },
						 { NULL, 0, NULL, 0 } };
	int c, r = 0;

	while (r == 0 && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'd')
			set.docker_root = optarg;
		else if (c == 'm')
			r = parse_u64(optarg, &set.max);
		else if (c == 'c')
			r = parse_u32(optarg, &set.count);
		else if (c == 'e')
			r = parse_u64(optarg, &set.each);
		else
			r = -EINVAL;
	}
	return optind == argc ? r : -EINVAL;
}

static int confine(void)
{
	int r = sandbox_become(0, 0, CAPS);

	if (r == 0)
		r = sandbox_basics();
	if (r == 0)
		r = sandbox_syscalls(syscalls, N_ELEMENTS(syscalls));
	return r < 0 ? log_error_errno(r, "cannot give up its rights") : 0;
}

int main(int argc, char **argv)
{
	static struct collector c;
	struct capture_result result = { .says = CAPTURE_DONE };

	log_open("pavise-collector");
	if (parse(argc, argv) < 0)
		return usage();
	if (confine() < 0)
		return 1;
	c.deadline_us = clock_monotonic_us() + CAPTURE_TIME_US;
	for (size_t i = 0; i < CAPTURE_N_PARTS; i++)
		c.parts[i].cap = TEXT_MAX;
	if (read(COLLECTOR_FD_ORDER, &c.order, sizeof(c.order)) != (ssize_t) sizeof(c.order) || !hear_job(&c))
		return 1;
	c.order.id[sizeof(c.order.id) - 1] = c.order.cgroup[sizeof(c.order.cgroup) - 1] = '\0';
	if (c.job.what == CAPTURE_JUDGE)
		judge(&c.job, &c.order, set.docker_root, &result);
	else
		result.result = capture(&c, &result);
	(void) say(&result);
	return 0;
}

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fdpass.h"
#include "base/log.h"
#include "base/text.h"
#include "broker/broker.h"
#include "broker/cut.h"
#include "broker/swarm.h"
#include "model/capture.h"
#include "model/roles.h"

static int op_cgroup_open(void *ctx, uint64_t id, struct broker_cgroup *ret)
{
	struct broker *b = ctx;

	return cgroups_open_container(&b->cgroups, id, ret);
}

static void op_cgroup_close(void *ctx, struct broker_cgroup *cg)
{
	(void) ctx;
	cg->fd = pv_close(cg->fd);
}

static int op_hello(void *ctx, struct broker_answer *ret)
{
	struct broker *b = ctx;

	ret->fds[0] = kernel_ring_fd(b->kernel);
	ret->fds[1] = kernel_counters_fd(b->kernel);
	ret->n_fds = 2;
	ret->rep.value = b->degraded = broker_degraded(b);
	ret->rep.value2 = kernel_off_until(b->kernel);
	return 0;
}

static const char *socket_of(const struct broker *b, unsigned engine)
{
	return engine ? b->policy->podman_socket : b->policy->docker_socket;
}

static uint64_t bit_of(unsigned engine)
{
	return engine ? BROKER_DEGRADED_PODMAN : BROKER_DEGRADED_DOCKER;
}

void broker_probe_engines(struct broker *b)
{
	for (unsigned engine = 0; engine < 2; engine++) {
		pv_autoclose int fd = -1;

		if (b->engines_down & bit_of(engine) && relay_connect(socket_of(b, engine), &b->activated[engine], &fd) == 0)
			b->engines_down &= ~bit_of(engine);
	}
}

static int op_api(void *ctx, enum api_request what, unsigned engine, const char *id, uint32_t number,
		  struct broker_answer *ret)
{
	struct broker *b = ctx;
	int fd, r = relay_start(b->relays, socket_of(b, engine), &b->activated[engine], what, id, number, clock_monotonic_us(), &fd);

	if (r == 0)
		b->engines_down &= ~bit_of(engine);
	else if (r != -EBUSY && r != -EAGAIN)
		b->engines_down |= bit_of(engine);
	/* This answer tells the engine; news comes with the next change, however soon it is. */
	b->degraded = (b->degraded & ~bit_of(engine)) | (b->engines_down & bit_of(engine));
	if (r < 0)
		return r;
	ret->fds[0] = fd;
	ret->n_fds = 1;
	ret->give = true;
	return 0;
}

/* The launcher starts pavise-swarm: this process may neither exec nor change its user. */
static int ask_launcher(struct broker *b, const struct swarm_job *job, int *ret_result)
{
	pv_autoclose int get = -1, post = -1, result_r = -1, result_w = -1, job_r = -1, job_w = -1;
	const char byte = LAUNCH_WANT_SWARM;
	int p[2], r = relay_connect(b->policy->docker_socket, &b->activated[0], &get);

	if (r == 0)
		r = relay_connect(b->policy->docker_socket, &b->activated[0], &post);
	if (r < 0)
		return r;
	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	result_r = p[0];
	result_w = p[1];
	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	job_r = p[0];
	job_w = p[1];
	/* The job's program waits where we must not. */
	if (fcntl(get, F_SETFL, 0) < 0 || fcntl(post, F_SETFL, 0) < 0 || fcntl(result_r, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	if (write(job_w, job, sizeof(*job)) != (ssize_t) sizeof(*job))
		return -EIO;
	const int fds[] = { get, post, result_w, job_r };

	r = fdpass_send(b->launcher_fd, &byte, 1, fds, N_ELEMENTS(fds));
	if (r == 0)
		*ret_result = pv_steal_fd(&result_r);
	return r;
}

static int op_swarm_scale(void *ctx, const char *service, uint64_t replicas, struct broker_answer *ret)
{
	struct swarm_job job = { .replicas = replicas };
	struct broker *b = ctx;
	int r;

	(void) memcpy(job.service, service, strnlen(service, sizeof(job.service) - 1));
	for (uint32_t i = 0; i < BROKER_JOBS; i++) {
		if (b->jobs[i].result_fd >= 0)
			continue;
		r = ask_launcher(b, &job, &b->jobs[i].result_fd);
		if (r < 0)
			return r;
		b->jobs[i].seq = ret->rep.seq;
		b->jobs[i].deadline_us = clock_monotonic_us() + (SWARM_TIME_S + 5) * USEC_PER_SEC;
		ret->later = true;
		return broker_watch(b, b->jobs[i].result_fd, TAG_JOB, i);
	}
	return -EBUSY;
}

void broker_job_done(struct broker *b, uint32_t which)
{
	struct broker_job *job = &b->jobs[which];
	struct broker_answer a = { .rep.seq = job->seq, .rep.result = -EIO };
	struct swarm_result result;

	if (job->result_fd < 0)
		return;
	if (read(job->result_fd, &result, sizeof(result)) == (ssize_t) sizeof(result) && result.result <= 0) {
		a.rep.result = result.result;
		a.rep.value = result.replicas;
	}
	job->result_fd = pv_close(job->result_fd);
	if (job->seq) /* 0: the engine that asked is gone */
		broker_reply(b, &a);
}

static int op_kill(void *ctx, const struct broker_cgroup *cg)
{
	struct broker *b = ctx;

	return cgroups_kill(&b->cgroups, cg);
}

static int op_freeze(void *ctx, const struct broker_cgroup *cg, bool freeze)
{
	(void) ctx;
	return cgroups_freeze(cg, freeze);
}

static int op_cut(void *ctx, const struct broker_cgroup *cg, const uint8_t addr[16], uint16_t port, uint64_t *ret_n)
{
	struct broker *b = ctx;

	return cut_connections(&b->cgroups, cg, addr, port, ret_n);
}

/* The collector's end holds the order; ours is kept until it has asked or ended. Where no place is free, or its cgroup is gone, ours
 * closes: it may look, and end nothing. */
static int order_socket(struct broker *b, const struct broker_cgroup *cg, const char *id, int *ret_collector)
{
	struct capture_order order = { 0 };
	pv_autoclose int ours = -1, theirs = -1;
	size_t mount = strcmp(b->cgroups.mount, "/") == 0 ? 0 : strlen(b->cgroups.mount);
	const uint64_t now = clock_monotonic_us();
	int p[2], r = 0;

	(void) memcpy(order.id, id, strnlen(id, sizeof(order.id) - 1));
	if (cg && !text_copy(order.cgroup, sizeof(order.cgroup), cg->path + mount))
		return -ENAMETOOLONG;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p) < 0)
		return -errno;
	ours = p[0];
	theirs = p[1];
	if (send(ours, &order, sizeof(order), MSG_NOSIGNAL) != (ssize_t) sizeof(order))
		return -EIO;
	for (uint32_t i = 0; cg && ours >= 0 && r == 0 && i < BROKER_LOOKS; i++) {
		if (b->looks[i].fd >= 0 && b->looks[i].until_us > now)
			continue;
		b->looks[i].fd = pv_close(b->looks[i].fd);
		r = broker_watch(b, ours, TAG_LOOK, i);
		if (r == 0)
			b->looks[i] = (struct broker_look){ pv_steal_fd(&ours), cg->cgroup, now + 2 * CAPTURE_TIME_US };
	}
	*ret_collector = pv_steal_fd(&theirs);
	return 0;
}

void broker_look_asks(struct broker *b, uint32_t which)
{
	struct broker_look *look = &b->looks[which];
	char byte;

	if (look->fd < 0)
		return;
	if (recv(look->fd, &byte, 1, MSG_DONTWAIT) == 1) {
		byte = limit_take(&b->looks_kill, look->cgroup, clock_monotonic_us()) == 0;
		if (!byte)
			log_warning("a look at a program may not end it: over the limit");
		(void) send(look->fd, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	look->fd = pv_close(look->fd);
}

/* The launcher starts the collector; the engine talks to it without us. */
static int op_capture(void *ctx, const struct broker_cgroup *cg, const char *id, struct broker_answer *ret)
{
	pv_autoclose int engine = -1, collector = -1, order = -1;
	const char byte = LAUNCH_WANT_CAPTURE;
	struct broker *b = ctx;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	engine = pair[0];
	collector = pair[1];
	if (fcntl(engine, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	r = order_socket(b, cg, id, &order);
	if (r == 0)
		r = fdpass_send(b->launcher_fd, &byte, 1, (const int[]){ collector, order, cg ? cg->fd : -1 }, cg ? 3 : 2);
	if (r < 0)
		return r;
	ret->fds[0] = pv_steal_fd(&engine);
	ret->n_fds = 1;
	ret->give = true;
	return 0;
}

/* A cgroup that has ended is no error to shout about: -ESRCH everywhere. */
static int gone(int r)
{
	return r == -ENOENT ? -ESRCH : r;
}

static int op_except(void *ctx, uint64_t cgroup, uint32_t flags)
{
	struct broker *b = ctx;

	return gone(kernel_except(b->kernel, cgroup, flags));
}

static int op_netname(void *ctx, uint64_t cgroup, const char *name, bool add)
{
	struct broker *b = ctx;

	return gone(kernel_netname(b->kernel, cgroup, name, add));
}

static int op_internal(void *ctx, const struct ip_prefix *net, bool add)
{
	struct broker *b = ctx;

	never_network(b->never, net, add);
	return kernel_internal(b->kernel, net, add);
}

static int op_exec(void *ctx, uint64_t cgroup, uint32_t flags)
{
	struct broker *b = ctx;

	return gone(kernel_exec(b->kernel, cgroup, flags));
}

static int op_off(void *ctx, uint64_t until_ns)
{
	struct broker *b = ctx;

	bans_off(b, until_ns);
	return kernel_off(b->kernel, until_ns);
}

static int op_log_watch(void *ctx, struct broker_answer *ret)
{
	struct broker *b = ctx;
	int r = log_files_watch(&b->logs, &ret->fds[0]);

	ret->n_fds = r == 0;
	return r;
}

static int op_log_list(void *ctx, uint32_t place, struct broker_answer *ret)
{
	struct broker *b = ctx;
	int r = log_files_list(&b->logs, b->policy, place, &ret->fds[0], &ret->rep.value, &ret->rep.value2);

	ret->n_fds = r == 0;
	ret->give = true;
	return r;
}

static int give_log(int r, const struct log_file *file, struct broker_answer *ret)
{
	if (r < 0)
		return r;
	ret->fds[0] = file->fd;
	ret->n_fds = 1;
	ret->give = true;
	ret->rep.value = file->watch;
	ret->rep.value2 = file->numbered;
	return 0;
}

static int op_log_open(void *ctx, uint32_t place, uint32_t position, uint32_t number, uint32_t which, struct broker_answer *ret)
{
	struct broker *b = ctx;
	struct log_file file = { .fd = -1 };
	int r = log_files_open(&b->logs, b->policy, place, position, number, which, &file);

	return give_log(r, &file, ret);
}

static int op_log_container(void *ctx, const char *id, uint32_t driver, uint32_t which, struct broker_answer *ret)
{
	struct broker *b = ctx;
	struct log_file file = { .fd = -1 };
	int r = log_files_container(&b->logs, b->policy, id, (enum log_driver) driver, which, &file);

	return give_log(r, &file, ret);
}

static int op_log_syslog(void *ctx, struct broker_answer *ret)
{
	struct broker *b = ctx;
	int r = log_files_syslog(b->policy, &ret->fds[0]);

	ret->n_fds = r == 0;
	ret->give = true;
	return r;
}

static int op_persist_watch(void *ctx, struct broker_answer *ret)
{
	struct broker *b = ctx;
	int r = persist_watch(&b->persist, &ret->fds[0]);

	ret->n_fds = r == 0;
	return r;
}

static int op_persist_list(void *ctx, struct broker_answer *ret)
{
	struct broker *b = ctx;
	int r = persist_list(&b->persist, &ret->fds[0], &ret->rep.value);

	ret->rep.value2 = b->persist.number;
	ret->n_fds = r == 0;
	ret->give = true;
	return r;
}

static int op_persist_names(void *ctx, uint32_t folder, uint32_t number, struct broker_answer *ret)
{
	struct broker *b = ctx;
	int r = number != b->persist.number ? -ESTALE : persist_names(&b->persist, folder, &ret->fds[0]);

	ret->n_fds = r == 0;
	ret->give = true;
	return r;
}

static int op_persist_look(void *ctx, uint32_t folder, uint32_t number, const char *name, uint32_t pid, struct broker_answer *ret)
{
	struct broker *b = ctx;
	int r = number != b->persist.number ? -ESTALE : persist_look(&b->persist, folder, name, pid, &ret->fds[0]);

	ret->n_fds = r == 0;
	ret->give = true;
	return r;
}

static void op_state(void *ctx, uint64_t *ret_degraded, uint64_t *ret_off_until)
{
	struct broker *b = ctx;

	*ret_degraded = b->degraded = broker_degraded(b);
	*ret_off_until = kernel_off_until(b->kernel);
}

uint64_t broker_degraded(const struct broker *b)
{
	return kernel_degraded(b->kernel) | b->engines_down | (b->bans_missing ? BROKER_DEGRADED_BANS : 0) |
	       (b->bans_failed ? BROKER_DEGRADED_UNBANNED : 0) | (b->never_unknown ? BROKER_DEGRADED_NEVER : 0);
}

const struct broker_ops broker_operations = {
	.cgroup_open = op_cgroup_open, .cgroup_close = op_cgroup_close, .hello = op_hello, .api = op_api,
	.swarm_scale = op_swarm_scale, .kill = op_kill, .freeze = op_freeze, .cut = op_cut, .except = op_except,
	.netname = op_netname, .internal = op_internal, .exec = op_exec, .off = op_off, .capture = op_capture, .state = op_state,
	.ban = bans_ban, .ban_look = bans_look_never, .ban_others = bans_look_others, .unban = bans_unban, .bans_file = bans_file, .bans_load = bans_load, .bans_state = bans_state,
	.log_watch = op_log_watch, .log_list = op_log_list, .log_open = op_log_open, .log_container = op_log_container,
	.log_syslog = op_log_syslog, .persist_watch = op_persist_watch, .persist_list = op_persist_list, .persist_names = op_persist_names,
	.persist_look = op_persist_look,
};

/* The engine's parts that wait for answers, with a broker, an engine and a clock that the test plays: link.c, acts.c and
 * control.c as they are, the rest of the guard replaced by what stands here. */
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/fdpass.h"
#include "base/text.h"
#include "check.h"
#include "full_disk.h"
#include "guard/guard.h"
#include "host/sockets.h"

#define ID64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static char dir[64];
static struct policy policy;
static struct guard g;
static int peer = -1; /* the broker's end */

/* ---- what the guard's other files would do ---- */

static struct notice told[16];
static size_t n_told, n_released;
static struct { /* the request to an engine that waits for its answer */
	struct broker_req req;
	engine_act_fn fn;
	void *arg;
} asked[8];
static size_t n_asked;
static uint64_t rows_at_request; /* acts in the history when it was made */

static int count_act(const struct store_act *a, void *arg)
{
	*(uint64_t *) arg += !a->undone;
	return 0;
}

static uint64_t acts_kept(void)
{
	uint64_t n = 0;

	(void) store_acts(g.store, 100, count_act, &n);
	return n;
}

int engines_act(struct guard *gg, const struct broker_req *req, engine_act_fn fn, void *arg)
{
	(void) gg;
	assert_true(n_asked < N_ELEMENTS(asked));
	rows_at_request = acts_kept();
	asked[n_asked].req = *req;
	asked[n_asked].fn = fn;
	asked[n_asked++].arg = arg;
	return 0;
}

bool engines_answer(const struct guard *gg, enum engine_kind kind)
{
	(void) gg;
	return kind == ENGINE_DOCKER;
}

void notices_subject(struct notice *n, struct guard_workload *w)
{
	workload_name(n->subject, sizeof(n->subject), &w->w);
}

int notices_raise(struct guard *gg, struct notice *n)
{
	(void) gg;
	assert_true(n_told < N_ELEMENTS(told));
	told[n_told++] = *n;
	return 0;
}

/* Evidence: none is taken unless a test says so; then the act waits for `held`. */
static struct {
	bool takes;
	capture_fn held;
	void *arg;
	unsigned over;
} evidence_of;

struct capture *capture_before(struct guard *gg, struct guard_workload *w, struct notice *n, capture_fn held, void *arg)
{
	(void) gg;
	(void) w;
	(void) n;
	evidence_of.held = held;
	evidence_of.arg = arg;
	return evidence_of.takes ? (struct capture *) &evidence_of : NULL;
}

void capture_act_over(struct capture *c, uint64_t row)
{
	(void) c;
	(void) row;
	evidence_of.over++;
}

static struct guard_workload *there; /* the container whose cgroup lives */

struct guard_workload *table_container(struct guard *gg, const char *id)
{
	(void) gg;
	return there && strcmp(there->w.id, id) == 0 ? there : NULL;
}

void table_release(struct guard_workload *w)
{
	w->acting = false;
	n_released++;
}

void guard_degraded(struct guard *gg, uint64_t bits)
{
	gg->degraded = bits;
}

void guard_off(struct guard *gg, uint64_t until_ns)
{
	gg->off_until_ns = until_ns;
}

int guard_ask_launcher(char byte)
{
	(void) byte;
	return 0;
}

void bans_json(struct guard *g_, const char *address, size_t max, struct pv_buf *out)
{
	(void) g_;
	(void) address;
	(void) max;
	pv_buf_puts(out, "{\"ok\":true}\n");
}

void bans_ask_ban(struct guard *g_, const char *address, uint64_t for_us, const char *reason, const char *by, bans_fn fn, void *arg)
{
	(void) for_us;
	(void) reason;
	(void) by;
	fn(g_, true, address, "", arg);
}

void bans_ask_unban(struct guard *g_, const char *address, bans_fn fn, void *arg)
{
	fn(g_, false, address, "", arg);
}

void status_json(struct guard *gg, struct pv_buf *out)
{
	(void) gg;
	pv_buf_puts(out, "{\"ok\":true}");
}

void top_json(struct guard *gg, struct pv_buf *out)
{
	status_json(gg, out);
}

/* ---- the stage ---- */

static int set_up(void **state)
{
	int s[2];

	(void) state;
	memset(&g, 0, sizeof(g));
	memset(&policy, 0, sizeof(policy));
	n_told = n_released = n_asked = 0;
	there = NULL;
	policy.cpu.action = ACTION_KILL;
	g.policy = &policy;
	(void) text_copy(dir, sizeof(dir), "/tmp/pavise-guard.XXXXXX");
	if (!mkdtemp(dir) || store_open(dir, &g.store) < 0 || respawn_new(&g.respawn) < 0 || succession_new(&g.succession) < 0 || sd_event_new(&g.loop) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s) < 0)
		return -1;
	peer = s[1];
	return link_start(&g, s[0]);
}

static int tear_down(void **state)
{
	static const char *const names[] = { "history.db", "history.db-wal", "history.db-shm", "control.sock" };
	char path[128];

	(void) state;
	control_stop(&g);
	link_stop(&g);
	g.store = store_free(g.store);
	g.respawn = respawn_free(g.respawn);
	g.succession = succession_free(g.succession);
	sd_event_unref(g.loop);
	(void) pv_close(peer);
	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		(void) snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void) unlink(path);
	}
	return rmdir(dir);
}

static void spin_for(unsigned ms)
{
	uint64_t now, end = clock_monotonic_us() + ms * USEC_PER_MSEC;

	while ((now = clock_monotonic_us()) < end)
		(void) sd_event_run(g.loop, end - now);
}

/* The loop, until it has nothing to do for `ms`. */
static void spin(unsigned ms)
{
	while (sd_event_run(g.loop, ms * 1000) > 0)
		;
}

/* ---- link ---- */

static uint64_t answered;

static void on_answer(struct guard *gg, const struct broker_rep *rep, int fd, void *arg)
{
	(void) gg;
	(void) fd;
	assert_int_equal(rep->result, 0);
	assert_int_equal((uintptr_t) arg, answered); /* in order */
	answered++;
}

/* A reload with thousands of workloads: nothing is refused, nothing is lost, and never more is on its way than either
 * socket holds, even with a broker that answers everything before we read. */
static void test_link_storm(void **state)
{
	struct broker_req req = { .op = BROKER_NETNAME }, got;
	struct broker_rep rep = { 0 };
	struct pollfd p = { .fd = peer, .events = POLLIN };

	(void) state;
	answered = 0;
	for (uintptr_t i = 0; i < 3000; i++)
		CHECK(link_call(&g, &req, on_answer, (void *) i) == 0, "request %zu", (size_t) i);
	while (answered < 3000) {
		uint64_t before = answered;

		while (poll(&p, 1, 0) == 1) {
			assert_int_equal(fdpass_recv(peer, &got, sizeof(got), NULL, NULL), sizeof(got));
			rep.seq = got.seq;
			assert_int_equal(send(peer, &rep, sizeof(rep), MSG_DONTWAIT), sizeof(rep));
		}
		spin(0);
		assert_true(answered > before);
	}
}

/* ---- acts ---- */

static struct guard_workload workload(const char *name, const char *restart)
{
	struct guard_workload w = { .w = { .cgroup = 42, .class_ = PV_CLASS_CONTAINER, .path = "/none" } };

	(void) text_copy(w.w.id, sizeof(w.w.id), ID64);
	w.info.inspected = w.info.running = true;
	(void) text_copy(w.info.id, sizeof(w.info.id), ID64);
	(void) text_copy(w.info.name, sizeof(w.info.name), name);
	(void) text_copy(w.info.restart_policy, sizeof(w.info.restart_policy), restart);
	for (int s = 0; s < SIGNAL_N; s++)
		w.info.label_action[s] = ACTION_N;
	return w;
}

static void judge(struct guard_workload *w)
{
	struct verdict v = { .id = ID_RUN_CPU, .action = ACTION_KILL, .cgroup = w->w.cgroup, .value = 9000, .limit = 8000 };

	w->w.info = &w->info;
	acts_verdict(&g, w, &v);
}

static void answer(size_t i, int status)
{
	asked[i].fn(&g, status, asked[i].arg);
}

static const char *evidence(const struct notice *n, const char *what)
{
	for (size_t i = 0; i < n->n_evidence; i++)
		if (strcmp(n->evidence[i].what, what) == 0)
			return n->evidence[i].value;
	return "";
}

/* Whenever we are killed in the midst of an act, what undo needs is in the history. */
static void test_undo_first(void **state)
{
	struct guard_workload w = workload("web", "always");

	(void) state;
	judge(&w);
	assert_int_equal(n_asked, 1);
	assert_int_equal(asked[0].req.arg, API_RESTART_NO);
	assert_int_equal(rows_at_request, 1);
	answer(0, 200);
	assert_int_equal(asked[1].req.arg, API_KILL);
	w.w.gone = true;
	answer(1, 204);
	assert_int_equal(n_told, 1);
	assert_int_equal(told[0].action, DONE_KILLED);
	CHECK_STR(evidence(&told[0], "undo"), "pavise undo 1 (restores always)", "undo");
	assert_int_equal(acts_kept(), 1);
	assert_int_equal(n_released, 1);
}

/* Without room for it in the history, what undo would need goes with the notice, which waits for room. */
static void test_undo_without_room(void **state)
{
	struct guard_workload w = workload("web", "always");

	(void) state;
	disk_take();
	disk_is_full = true;
	judge(&w);
	answer(0, 200);
	w.w.gone = true;
	answer(1, 204);
	disk_give_back();
	assert_int_equal(told[0].action, DONE_KILLED);
	CHECK_STR(evidence(&told[0], "undo"), "the history had no room for it; before: restart-docker always of " ID64, "undo");
}

/* Nothing is done before what it would destroy is held. */
static void test_evidence_first(void **state)
{
	struct guard_workload w = workload("web", "no");

	(void) state;
	evidence_of.takes = true;
	evidence_of.over = 0;
	judge(&w);
	assert_int_equal(n_asked, 0);
	evidence_of.held(&g, evidence_of.arg);
	evidence_of.takes = false;
	assert_int_equal(n_asked, 1);
	assert_int_equal(evidence_of.over, 0);
	w.w.gone = true;
	answer(0, 204);
	assert_int_equal(told[0].action, DONE_KILLED);
	assert_int_equal(evidence_of.over, 1);
}

/* What ended by itself was not killed, and what comes after it is not the same thing come back. */
static void test_ended_by_itself(void **state)
{
	struct guard_workload w = workload("job", "no");
	struct container_info next;
	struct verdict back = { .id = ID_RUN_RESPAWN, .now_us = clock_monotonic_us() };

	(void) state;
	(void) text_copy(w.info.image_id, sizeof(w.info.image_id), "sha256:" ID64);
	judge(&w);
	assert_int_equal(asked[0].req.arg, API_KILL);
	w.w.gone = true;
	answer(0, 409);
	assert_int_equal(told[0].action, DONE_ALERTED);
	CHECK_STR(evidence(&told[0], "spared"), "it ended by itself", "why");
	next = w.info;
	next.id[0] = 'f';
	assert_int_equal(respawn_seen(g.respawn, &next, &back), RESPAWN_NO);
}

/* But of containers that come one after the other each ends by itself: the next one is ended on sight. */
static void test_one_of_many_ended(void **state)
{
	struct guard_workload w = workload("job", "no");
	struct verdict v = { .id = ID_RUN_CPU, .action = ACTION_KILL, .cgroup = w.w.cgroup, .value = 9000, .limit = 8000, .chain = 3, .chain_image = 1 };
	struct container_info next;
	struct verdict back = { .id = ID_RUN_RESPAWN, .now_us = clock_monotonic_us() };

	(void) state;
	(void) text_copy(w.info.image_id, sizeof(w.info.image_id), "sha256:" ID64);
	w.w.info = &w.info;
	acts_verdict(&g, &w, &v);
	w.w.gone = true;
	answer(0, 409);
	CHECK_STR(evidence(&told[0], "spared"), "it ended by itself", "why");
	next = w.info;
	next.id[0] = 'f';
	next.created_us = clock_wall_us() + 1;
	assert_int_equal(respawn_seen(g.respawn, &next, &back), RESPAWN_KILL);
}

/* Those that wait for the limit are looked at again: the owner's word and their own end count until the last moment. */
static void test_waiting(void **state)
{
	struct guard_workload excepted = workload("excepted", "always"), ended = workload("ended", "always"),
			      still = workload("still", "always"), *all[] = { &excepted, &ended, &still };

	(void) state;
	for (size_t i = 0; i < N_ELEMENTS(all); i++) {
		judge(all[i]);
		answer(i, -EDQUOT);
	}
	assert_int_equal(n_asked, 3);
	assert_int_equal(n_told, 3); /* guard.limit */
	policy.n_exceptions = 1;
	(void) text_copy(policy.exceptions[0].name, sizeof(policy.exceptions[0].name), "excepted");
	policy.exceptions[0].signal = SIGNAL_CPU;
	policy.exceptions[0].action = ACTION_ALERT;
	ended.w.gone = true;
	spin_for(5300);
	assert_int_equal(n_told, 5);
	for (size_t i = 3; i < 5; i++) {
		CHECK(told[i].action == DONE_ALERTED, "%s", told[i].subject);
		CHECK_STR(evidence(&told[i], "spared"),
			  strcmp(told[i].subject, "ended") == 0 ? "it ended by itself" : "an exception names it", "why");
		CHECK_STR(evidence(&told[i], "undo"), "", "nothing was changed");
	}
	assert_int_equal(n_asked, 4);
	assert_int_equal(asked[3].req.arg, API_RESTART_NO);
	assert_int_equal(acts_kept(), 1);
	answer(3, 200);
	answer(4, -EDQUOT); /* the kill, a minute later */
	g.off_until_ns = UINT64_MAX;
	spin_for(5300);
	assert_int_equal(n_asked, 5);
	CHECK_STR(evidence(&told[n_told - 1], "spared"), "blocks were lifted by pavise off", "off");
	assert_int_equal(acts_kept(), 1); /* its policy is `no` now: undo gives it back */
}

/* What a dead engine held is freed here by an answer that it did not live to see. */
static void died(struct guard_workload *w, size_t asked_last)
{
	w->w.gone = true;
	answer(asked_last, 404);
}

/* The engine dies in the midst of an act: the next one goes on with it once it knows the container. */
static void test_resumed(void **state)
{
	struct guard_workload w = workload("web", "always"), again = workload("web", "no");

	(void) state;
	judge(&w);
	answer(0, 200); /* the policy is off; then we die */
	again.w.info = &again.info;
	there = &again;
	kept_leftovers(&g);
	assert_int_equal(n_told, 0);
	acts_seen_container(&g, &again);
	assert_int_equal(n_asked, 3);
	assert_int_equal(asked[2].req.arg, API_KILL);
	again.w.gone = true;
	answer(2, 204);
	assert_int_equal(n_told, 1);
	CHECK(told[0].action == DONE_KILLED && told[0].id == ID_RUN_CPU, "%s", told[0].what);
	assert_non_null(strstr(told[0].what, "90"));
	there = NULL;
	kept_leftovers(&g);
	assert_int_equal(n_told, 1); /* it is over */
	died(&w, 1);
}

/* An act that waits for the limit has done nothing yet: it is the run's that was judged, not the next one's of the same container. */
static void test_waiting_run(void **state)
{
	struct guard_workload w = workload("web", "no"), same = workload("web", "no"), next = workload("web", "no");

	(void) state;
	same.w.info = &same.info;
	next.w.info = &next.info;
	next.w.cgroup = 43;
	judge(&w);
	answer(0, -EDQUOT);
	w.w.gone = true;
	acts_seen_container(&g, &next); /* docker restart, while it waits */
	assert_int_equal(n_asked, 1);
	assert_false(next.acting);
	spin_for(5300);
	CHECK_STR(evidence(&told[n_told - 1], "spared"), "it ended by itself", "the first run");

	w.w.gone = false;
	judge(&w);
	answer(1, -EDQUOT); /* then we die: it still runs */
	acts_seen_container(&g, &same);
	assert_int_equal(n_asked, 3);
	died(&same, 2);
	w.w.gone = true;
	spin_for(5300);

	w.w.gone = false;
	judge(&w);
	answer(3, -EDQUOT);
	spin_for(5300); /* its turn: what comes back now is what is being ended */
	assert_int_equal(n_asked, 5);
	next.respawn_checked = false;
	acts_seen_container(&g, &next);
	assert_int_equal(n_asked, 6);
	died(&next, 5);
	died(&w, 4);
}

/* ... or tells what became of it, once. */
static void test_left_over(void **state)
{
	struct guard_workload w = workload("shop web", "no");

	(void) state;
	judge(&w);
	kept_leftovers(&g);
	assert_int_equal(n_told, 1);
	CHECK_STR(told[0].subject, "shop web", "subject");
	CHECK(told[0].id == ID_RUN_CPU && told[0].severity == SEV_HIGH, "%s", told[0].what);
	kept_leftovers(&g);
	assert_int_equal(n_told, 1);
	died(&w, 0);
}

/* Who was killed is known to the next engine. */
static void test_respawn_kept(void **state)
{
	struct guard_workload w = workload("web", "no"), next = workload("web2", "no");

	(void) state;
	(void) text_copy(w.info.image_id, sizeof(w.info.image_id), "sha256:" ID64);
	judge(&w);
	w.w.gone = true;
	answer(0, 204);
	assert_int_equal(told[0].action, DONE_KILLED);
	g.respawn = respawn_free(g.respawn);
	assert_int_equal(respawn_new(&g.respawn), 0);
	kept_start(&g);
	(void) text_copy(next.info.image_id, sizeof(next.info.image_id), "sha256:" ID64);
	next.info.id[0] = next.w.id[0] = 'f';
	next.w.info = &next.info;
	acts_seen_container(&g, &next);
	assert_int_equal(n_asked, 2);
	assert_int_equal(asked[1].req.arg, API_KILL);
	CHECK_STR(asked[1].req.id, next.info.id, "the new one");
	next.w.gone = true;
	answer(1, 204);
}

static void kill_for_memory(struct guard_workload *w)
{
	struct verdict v = { .id = ID_RUN_MEMORY, .action = ACTION_KILL, .cgroup = w->w.cgroup, .value = 9, .limit = 8 };

	policy.memory.action = ACTION_KILL;
	(void) text_copy(w->info.image_id, sizeof(w->info.image_id), "sha256:" ID64);
	w->w.info = &w->info;
	acts_verdict(&g, w, &v);
	w->w.gone = true;
	answer(0, 204);
	assert_int_equal(told[0].action, DONE_KILLED);
}

/* Another container of its image. */
static void come_back(struct guard_workload *next, unsigned id)
{
	*next = workload("web", "no");
	(void) text_copy(next->info.image_id, sizeof(next->info.image_id), "sha256:" ID64);
	(void) snprintf(next->info.id, sizeof(next->info.id), "%016x%s", id, &ID64[16]);
	(void) text_copy(next->w.id, sizeof(next->w.id), next->info.id);
	next->w.info = &next->info;
	acts_seen_container(&g, next);
}

/* What the owner says of what was ended holds for what comes back, and what is not ended counts for nothing. */
static void test_respawn_spared(void **state)
{
	struct guard_workload w = workload("web", "no"), next = workload("web", "no");

	(void) state;
	kill_for_memory(&w);
	for (unsigned i = 0; i < 24; i++) {
		policy.n_exceptions = i % 4 == 0;
		(void) text_copy(policy.exceptions[0].name, sizeof(policy.exceptions[0].name), "web");
		policy.exceptions[0].signal = SIGNAL_MEMORY;
		policy.exceptions[0].action = ACTION_ALERT;
		g.off_until_ns = i % 4 == 1 ? UINT64_MAX : 0;
		policy.observe = i % 4 == 2;
		policy.memory.action = i % 4 == 3 ? ACTION_IGNORE : ACTION_KILL;
		n_told = 0;
		come_back(&next, i + 1);
		CHECK(n_asked == 1 && n_told == (i % 4 != 3), "return %u: asked %zu, told %zu", i, n_asked, n_told);
		CHECK(!n_told || !strstr(told[0].what, "not killed again"), "return %u: %s", i, told[0].what);
		if (policy.observe)
			CHECK(strstr(evidence(&told[0], "would do"), "kill container 0000"), "%s", evidence(&told[0], "would do"));
	}
	policy.memory.action = ACTION_KILL;
	policy.observe = false;
	for (unsigned i = 1; i <= RESPAWN_KILLS; i++) {
		n_told = 0;
		come_back(&next, 100 + i);
		assert_int_equal(n_asked, i + 1);
		next.w.gone = true;
		answer(i, 204);
		CHECK(told[0].action == DONE_KILLED && strstr(told[0].what, "(return ") && told[0].what[strlen(told[0].what) - 2] == (char) ('0' + i),
		      "the %u. that counts: %s", i, told[0].what);
	}
	policy.n_exceptions = 1;
	n_told = 0;
	come_back(&next, 200); /* it would not be killed again; it is not to be */
	CHECK_STR(evidence(&told[0], "softened"), "an exception names it", "why");
	policy.n_exceptions = 0;
	come_back(&next, 201);
	CHECK(told[1].severity == SEV_CRITICAL && strstr(told[1].what, "came back 5 times"), "%s", told[1].what);
	come_back(&next, 202);
	assert_int_equal(n_told, 2);
	assert_int_equal(n_asked, 1 + RESPAWN_KILLS);
}

/* The act on a return goes on in the next engine as what it was: spared by what speaks of its cause, of nothing else. */
static void test_return_resumed(void **state)
{
	struct guard_workload w = workload("web", "no"), next, again[2];

	(void) state;
	kill_for_memory(&w);
	come_back(&next, 1);
	assert_int_equal(n_asked, 2); /* then we die */
	policy.n_exceptions = 1;
	policy.exceptions[0] = (struct policy_exception){ .name = "web", .signal = SIGNAL_CPU, .action = ACTION_ALERT };
	for (int i = 0; i < 2; i++) {
		g.respawn = respawn_free(g.respawn);
		assert_int_equal(respawn_new(&g.respawn), 0);
		kept_start(&g);
		n_told = 0;
		come_back(&again[i], 1);
		assert_int_equal(n_asked, 3);
		policy.exceptions[0].signal = SIGNAL_MEMORY; /* and again, and the owner has spared it */
	}
	assert_int_equal(n_told, 1);
	CHECK_STR(evidence(&told[0], "softened"), "an exception names it", "why");
	died(&next, 1);
	died(&again[0], 2);
}


/* ---- control ---- */

static int control_socket(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void) snprintf(a.sun_path, sizeof(a.sun_path), "%s/control.sock", dir);
	assert_int_equal(bind(fd, (struct sockaddr *) &a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 32), 0);
	return fd;
}

static int control_connect(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void) snprintf(a.sun_path, sizeof(a.sun_path), "%s/control.sock", dir);
	assert_int_equal(connect(fd, (struct sockaddr *) &a, sizeof(a)), 0);
	return fd;
}

static void ask(int fd, const char *line)
{
	assert_int_equal(send(fd, line, strlen(line), MSG_NOSIGNAL), strlen(line));
}

/* Everything that comes until the guard has nothing more to send; -1: it ended the connection. */
static ssize_t read_all(int fd, struct pv_buf *out)
{
	char buf[65536];
	ssize_t n;

	for (;;) {
		spin(0);
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n == 0)
			return -1;
		if (n < 0)
			return (ssize_t) out->len;
		pv_buf_add(out, buf, (size_t) n);
	}
}

static void add_long_notices(unsigned n)
{
	struct notice notice;

	for (unsigned i = 0; i < n; i++) {
		notice_init(&notice, ID_NET_STRATUM, clock_wall_us());
		for (int k = 0; k < NOTICE_EVIDENCE; k++)
			notice_add_evidence(&notice, "hostile", "%0200d\x01\x02\x03\x04", 7);
		assert_int_equal(store_add(g.store, &notice, NULL), 0);
	}
}

/* A follower gets the history that it asked for, however long, and stays; so does who reads a little behind. */
static void test_follow_history(void **state)
{
	int listening = control_socket(), fd;
	pv_autobuf got = PV_BUF_INIT;
	struct notice n;

	(void) state;
	add_long_notices(900);
	assert_int_equal(control_start(&g, listening), 0);
	fd = control_connect();
	ask(fd, "{\"verb\":\"events\",\"max\":900,\"follow\":true}\n");
	spin(1); /* before anything is read */
	assert_true(read_all(fd, &got) > 300000);
	CHECK(strstr(pv_buf_str(&got), "\"row\":900,"), "the newest is there");
	notice_init(&n, ID_NET_STRATUM, clock_wall_us());
	n.row = 901;
	pv_buf_clear(&got);
	control_follow(&g, &n);
	assert_true(read_all(fd, &got) > 0);
	for (unsigned i = 0; i < 60000; i++) { /* some 15 MB, in pieces that are not read to the end */
		char piece[512];

		control_follow(&g, &n);
		if (i % 4 == 0)
			spin(0);
		CHECK(recv(fd, piece, sizeof(piece), MSG_DONTWAIT) != 0, "dropped at %u", i);
	}
	(void) close(fd);
	spin(0);
	(void) close(listening);
}

/* The answer to an act may come before the request for it returns, to a client that went away: nothing is touched twice
 * (AddressSanitizer looks on), and a client that closed one direction only gets its answer. */
static void test_answers_at_once(void **state)
{
	int listening = control_socket(), gone, half;
	struct store_act act = { .kind = "restart-docker", .subject = "web", .id = ID64, .old_value = "always" };
	pv_autobuf got = PV_BUF_INIT;

	(void) state;
	assert_int_equal(store_act_add(g.store, &act), 0);
	assert_int_equal(control_start(&g, listening), 0);
	gone = control_connect();
	ask(gone, "{\"verb\":\"undo\",\"row\":1}\n");
	(void) close(gone);
	half = control_connect();
	ask(half, "{\"verb\":\"undo\",\"row\":1}\n");
	(void) shutdown(half, SHUT_WR);
	spin(10);
	assert_int_equal(n_asked, 2);
	answer(0, 200);
	answer(1, 200);
	(void) read_all(half, &got);
	CHECK(strstr(pv_buf_str(&got), "\"ok\":true"), "%s", pv_buf_str(&got));
	(void) close(half);
	(void) close(listening);
}

static void keep_text(struct guard *gg, bool ok, const char *text, void *arg)
{
	(void) gg;
	assert_true(ok);
	pv_buf_puts(arg, text);
}

/* What was taken back, and could not be marked: both are said. */
static void test_undo_unmarked(void **state)
{
	struct store_act act = { .kind = "restart-docker", .subject = "web", .id = ID64, .old_value = "always" };
	pv_autobuf got = PV_BUF_INIT;

	(void) state;
	assert_int_equal(store_act_add(g.store, &act), 0);
	assert_int_equal(acts_undo(&g, act.row, keep_text, &got), 0);
	disk_take();
	disk_is_full = true;
	answer(0, 200);
	disk_give_back();
	CHECK_STR(pv_buf_str(&got),
		  "web: restart policy is always again; start it with: docker start 001122334455; the history could not be written, and still lists it",
		  "unmarked");
	assert_int_equal(acts_kept(), 1);
}

/* `off` that the broker refuses is not told as done. */
static void test_off_refused(void **state)
{
	int listening = control_socket(), fd;
	pv_autobuf got = PV_BUF_INIT;
	struct broker_rep rep = { .result = -EIO };
	struct broker_req req;

	(void) state;
	assert_int_equal(control_start(&g, listening), 0);
	fd = control_connect();
	for (int i = 0; i < 2; i++) {
		ask(fd, "{\"verb\":\"off\",\"for_us\":0}\n");
		spin(10);
		assert_int_equal(fdpass_recv(peer, &req, sizeof(req), NULL, NULL), sizeof(req));
		assert_int_equal(n_told, 0);
		rep.seq = req.seq;
		assert_int_equal(send(peer, &rep, sizeof(rep), 0), sizeof(rep));
		spin(10);
		rep.result = 0;
	}
	assert_int_equal(n_told, 1);
	assert_true(acts_are_lifted(&g));
	(void) read_all(fd, &got);
	CHECK(strstr(pv_buf_str(&got), "\"ok\":false") && strstr(pv_buf_str(&got), "\"ok\":true"), "%s", pv_buf_str(&got));
	(void) close(fd);
	(void) close(listening);
}

static void test_too_many(void **state)
{
	int listening = control_socket(), fds[CONTROL_CLIENTS + 1];
	pv_autobuf got = PV_BUF_INIT;

	(void) state;
	assert_int_equal(control_start(&g, listening), 0);
	for (size_t i = 0; i < N_ELEMENTS(fds); i++) {
		fds[i] = control_connect();
		spin(1);
	}
	assert_int_equal(read_all(fds[CONTROL_CLIENTS], &got), -1);
	CHECK(strstr(pv_buf_str(&got), "16 clients"), "%s", pv_buf_str(&got));
	for (size_t i = 0; i < N_ELEMENTS(fds); i++)
		(void) close(fds[i]);
	(void) close(listening);
}

/* ---- standing connections ---- */

struct ports {
	unsigned remote[2], seen[2];
};

static int on_remote(const struct ip_addr *addr, uint16_t port, void *arg)
{
	struct ports *p = arg;

	(void) addr;
	for (size_t i = 0; i < 2; i++)
		p->seen[i] += port == p->remote[i];
	return 0;
}

static unsigned port_of(int fd)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);

	assert_int_equal(getsockname(fd, (struct sockaddr *) &a, &len), 0);
	return ntohs(a.sin_port);
}

/* A client's source port is not a port that we connected to: a server is never harmed for it. */
static void test_server_side(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct ports p = { 0 };

	(void) state;
	assert_int_equal(bind(server, (struct sockaddr *) &a, sizeof(a)), 0);
	assert_int_equal(listen(server, 1), 0);
	a.sin_port = htons((uint16_t) port_of(server));
	assert_int_equal(connect(client, (struct sockaddr *) &a, sizeof(a)), 0);
	p.remote[0] = port_of(server);
	p.remote[1] = port_of(client);
	assert_int_equal(sockets_remote(getpid(), on_remote, &p), 0);
	CHECK(p.seen[0] == 1, "the client's connection: %u", p.seen[0]);
	CHECK(p.seen[1] == 0, "the server's end of it: %u", p.seen[1]);
	(void) close(server);
	(void) close(client);
}

int main(void)
{
#define STAGED(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		STAGED(test_link_storm),    STAGED(test_undo_first), STAGED(test_undo_without_room), STAGED(test_evidence_first),	 STAGED(test_ended_by_itself), STAGED(test_one_of_many_ended), STAGED(test_waiting), STAGED(test_resumed), STAGED(test_waiting_run), STAGED(test_left_over), STAGED(test_respawn_kept), STAGED(test_respawn_spared), STAGED(test_return_resumed),
		STAGED(test_follow_history), STAGED(test_answers_at_once), STAGED(test_undo_unmarked), STAGED(test_off_refused),     STAGED(test_too_many),
		cmocka_unit_test(test_server_side),
	};

	return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}

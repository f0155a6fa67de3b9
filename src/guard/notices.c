#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "guard/guard.h"
#include "report/words.h"

#define KEEP_US	      (90 * USEC_PER_DAY)
#define STATE_FD_PATH "/proc/self/fd/7" /* ROLE_FD_STATE: the folder is handed over, its path is nobody's business */

void notices_subject(struct notice *n, const struct guard_workload *w)
{
	if (!w)
		return;
	n->kind = workload_subject(&w->w);
	n->cgroup = w->w.cgroup;
	workload_name(n->subject, sizeof(n->subject), &w->w);
}


struct naming {
	struct guard *g;
	uint64_t cgroup;
	const char *name;
};

static int on_unnamed(const struct notice *n, void *arg)
{
	struct naming *a = arg;
	struct notice named = *n;
	char *at = strstr(named.next, n->subject);

	if (n->cgroup != a->cgroup)
		return 0;
	(void) text_copy(named.subject, sizeof(named.subject), a->name);
	if (at) /* `pavise allow 0123456789ab net` */
		(void) snprintf(at, sizeof(named.next) - (size_t) (at - named.next), "%s%s", a->name,
				n->next + (at - named.next) + strlen(n->subject));
	notices_count(a->g, &named);
	return 0;
}

/* Events do not wait for the Engine API: what was told under the first digits of an id gets its name afterwards. */
void notices_named(struct guard *g, const struct guard_workload *w, const char *before)
{
	struct store_query q = { .max = 50, .subject = before };
	struct naming a = { .g = g, .cgroup = w->w.cgroup };
	char name[160];

	workload_name(name, sizeof(name), &w->w);
	a.name = name;
	if (strcmp(name, before) != 0)
		(void) store_notices(g->store, &q, on_unnamed, &a);
}

int notices_raise(struct guard *g, struct notice *n)
{
	pv_autobuf text = PV_BUF_INIT;
	int r = store_add(g->store, n, g->policy);

	words_sentence(&text, n);
	if (r < 0)
		return log_error_errno(r, "a notice could not be stored (%s)", pv_buf_str(&text));
	log_info("%s [%s, event %" PRIu64 "]", pv_buf_str(&text), id_info(n->id)->name, n->row);
	control_follow(g, n);
	notices_deliver(g);
	return 0;
}

void notices_count(struct guard *g, const struct notice *n)
{
	int r = store_count(g->store, n);

	if (r < 0)
		(void) log_error_errno(r, "event %" PRIu64 ": its count could not be stored", n->row);
}

void notices_deliver(struct guard *g)
{
	uint64_t next = UINT64_MAX, now = clock_wall_us();
	int r = outbox_run(g->outbox, g->policy, now, &next);

	if (r < 0)
		(void) log_error_errno(r, "notices wait: they could not be handed to the sender");
	if (r > 0)
		(void) guard_ask_launcher(LAUNCH_WANT_SENDER);
	if (next == UINT64_MAX) {
		(void) sd_event_source_set_enabled(g->outbox_timer, SD_EVENT_OFF);
		return;
	}
	(void) sd_event_source_set_time_relative(g->outbox_timer, next > now ? next - now : 0);
	(void) sd_event_source_set_enabled(g->outbox_timer, SD_EVENT_ONESHOT);
}

static int on_outbox_timer(sd_event_source *s, uint64_t usec, void *arg)
{
	(void) s;
	(void) usec;
	notices_deliver(arg);
	return 0;
}

static int on_sender(sd_event_source *s, int fd, uint32_t revents, void *arg)
{
	struct guard *g = arg;
	int r;

	(void) s;
	(void) fd;
	(void) revents;
	r = outbox_answers(g->outbox, clock_wall_us());
	if (r < 0)
		return r;
	notices_deliver(g);
	return 0;
}

int notices_start(struct guard *g, int sender_fd)
{
	int r;

	r = store_open(STATE_FD_PATH, &g->store);
	if (r < 0)
		return log_error_errno(r, "the history (engine/history.db) could not be opened");
	(void) store_trim(g->store, clock_wall_us() - KEEP_US);
	r = outbox_new(g->store, sender_fd, &g->outbox);
	if (r < 0)
		return r;
	r = sd_event_add_time_relative(g->loop, &g->outbox_timer, CLOCK_MONOTONIC, 0, 0, on_outbox_timer, g);
	if (r < 0)
		return r;
	return sd_event_add_io(g->loop, NULL, sender_fd, EPOLLIN, on_sender, g);
}

void notices_stop(struct guard *g)
{
	g->outbox_timer = sd_event_source_disable_unref(g->outbox_timer);
	g->outbox = outbox_free(g->outbox);
	g->store = store_free(g->store);
}

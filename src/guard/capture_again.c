/* capture_again.c - evidence that the engine before us did not come to: it was ended between a notice and what was to
 * be taken. A script that started
 * it is known no more; container, processes and the file are there as long as nobody took them away. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "guard/guard.h"

#define AGAIN_US  (2 * USEC_PER_MIN) /* what is older has nothing left to be looked at */
#define AGAIN_MAX 24		     /* below what is taken in a minute: new ones come as well */

struct again {
	uint64_t rows[AGAIN_MAX], last;
	size_t n;
};

static const char *said(const struct notice *n, const char *what)
{
	for (size_t i = 0; i < n->n_evidence; i++)
		if (strcmp(n->evidence[i].what, what) == 0)
			return n->evidence[i].value;
	return NULL;
}

/* As exec.c takes it; whose folded name begins with … is looked for by nobody. */
static bool is_owed(const struct notice *n)
{
	return n->cgroup && (n->id == ID_EXEC_DROPPED || n->id == ID_EXEC_WEB_SHELL) &&
	       (n->action == DONE_BLOCKED || n->severity >= SEV_HIGH) && !said(n, "evidence");
}

static int on_notice(const struct notice *n, void *arg)
{
	struct again *a = arg;

	if (n->row <= a->last && is_owed(n))
		a->rows[a->n++] = n->row;
	return a->n == AGAIN_MAX;
}

/* `sh (12) > m (13)`, as report/tell_exec.c writes it: the last is the program itself. */
static void parse_chain(const char *text, struct event_exec *e)
{
	const char *at = text, *end, *open;

	while (at && *at) {
		end = strstr(at, " > ");
		open = memrchr(at, '(', end ? (size_t) (end - at) : strlen(at));
		if (!end) {
			e->head.tgid = open ? (uint32_t) strtoul(open + 1, NULL, 10) : 0;
		} else if (open > at && e->n_chain < PV_EXEC_CHAIN) {
			e->chain[e->n_chain].tgid = (uint32_t) strtoul(open + 1, NULL, 10);
			memcpy(e->chain[e->n_chain++].comm, at, PV_MIN((size_t) (open - 1 - at), (size_t) PV_COMM_LEN - 1));
		}
		at = end ? end + 3 : NULL;
	}
}

static void take(struct guard *g, const struct notice *n)
{
	struct guard_workload *w = table_find(g, n->cgroup);
	struct event_exec e = { 0 };
	const char *path = said(n, "path");

	if (!w) {
		capture_none(g, n->row, -ESRCH);
		return;
	}
	parse_chain(said(n, "chain"), &e);
	capture_evidence(g, w, n,
			 &(struct capture_of){ .pid = e.head.tgid,
					       .dead = n->action == DONE_BLOCKED,
					       .event = &e,
					       .path = path && *path == '/' ? path : NULL });
}

static int on_time(sd_event_source *s, uint64_t usec, void *arg)
{
	struct guard *g = arg;
	struct again a = { .last = g->rows_before };
	const struct store_query q = { .since_us = clock_wall_us() - AGAIN_US, .max = 1000 };
	struct notice n;

	(void) usec;
	(void) sd_event_source_unref(s);
	(void) store_notices(g->store, &q, on_notice, &a);
	for (size_t i = 0; i < a.n; i++)
		if (store_notice(g->store, a.rows[i], &n) == 0)
			take(g, &n);
	return 0;
}

void capture_again(struct guard *g)
{
	sd_event_source *timer = NULL;

	g->rows_before = store_last_row(g->store);
	(void) sd_event_add_time_relative(g->loop, &timer, CLOCK_MONOTONIC, USEC_PER_SEC, 0, on_time, g);
}

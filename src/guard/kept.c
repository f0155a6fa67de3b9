/* kept.c - what an engine leaves to the next one: who was killed and may come back, the refused logins that were counted, and the
 * acts that were under way when it died. All lie in the history (store_kv), beside what undo needs. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "guard/bans.h"

#define KEY_RESPAWN "respawn"
#define KEY_LOGINS  "logins"
#define KEY_ACT	    "act/" /* and the container's id */

void kept_respawn(struct guard *g)
{
	pv_autobuf text = PV_BUF_INIT;

	respawn_json(g->respawn, clock_monotonic_us(), clock_wall_us(), &text);
	if (!text.cut)
		(void) store_kv_set(g->store, KEY_RESPAWN, pv_buf_str(&text));
}

void kept_start(struct guard *g)
{
	pv_autobuf text = PV_BUF_INIT;

	if (store_kv_get(g->store, KEY_RESPAWN, &text) == 0 &&
	    respawn_from_json(g->respawn, pv_buf_str(&text), clock_monotonic_us(), clock_wall_us()) < 0)
		log_warning("what was killed before this start is not known any more");
}

void kept_logins(struct guard *g)
{
	pv_autobuf text = PV_BUF_INIT;

	login_save(g->bans->login, clock_wall_us(), &text);
	if (!text.cut)
		(void) store_kv_set(g->store, KEY_LOGINS, pv_buf_str(&text));
}

bool kept_logins_seed(struct guard *g, uint64_t seed[2], struct pv_buf *ret_text)
{
	return store_kv_get(g->store, KEY_LOGINS, ret_text) == 0 && login_saved_seed(pv_buf_str(ret_text), seed);
}

static bool act_key(char *out, size_t size, const struct guard_workload *w)
{
	return *w->w.id && snprintf(out, size, KEY_ACT "%s", w->w.id) < (int) size;
}

void kept_act(struct guard *g, const struct guard_workload *w, const struct verdict *v, bool waits)
{
	char key[80], text[352], name[160], run[24] = "";

	if (!act_key(key, sizeof(key), w))
		return;
	workload_name(name, sizeof(name), &w->w);
	if (waits)
		(void) snprintf(run, sizeof(run), "@%" PRIu64 " ", w->w.cgroup);
	(void) snprintf(text, sizeof(text), "%s%s %d %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %u %u %u %s", run, id_info(v->id)->name, (int) v->action,
			v->value, v->limit, v->window_us, v->pressure, v->tasks,
			v->chain, v->chain_image, name);
	(void) store_kv_set(g->store, key, text);
}

void kept_act_over(struct guard *g, const struct guard_workload *w)
{
	char key[80];

	if (act_key(key, sizeof(key), w))
		(void) store_kv_drop(g->store, key);
}

/* One word and the space behind it. */
static bool take_word(const char **text, char *out, size_t size)
{
	size_t n = strcspn(*text, " ");

	if (n == 0 || n >= size || (*text)[n] != ' ')
		return false;
	memcpy(out, *text, n);
	out[n] = '\0';
	*text += n + 1;
	return true;
}

/* "run.cpu 4 9800 8000 300000000 0 0 0 0 shop/web"; "@42 run.cpu ..." while it waits: of this cgroup's run only. */
static bool act_parse(const char *text, struct verdict *v, const char **ret_name)
{
	uint64_t n[8];
	char word[64];

	*v = (struct verdict){ .now_us = clock_monotonic_us() };
	if (*text == '@' && (!take_word(&text, word, sizeof(word)) || parse_u64(word + 1, &v->cgroup) < 0))
		return false;
	if (!take_word(&text, word, sizeof(word)) || id_parse(word, &v->id) < 0)
		return false;
	for (size_t i = 0; i < N_ELEMENTS(n); i++)
		if (!take_word(&text, word, sizeof(word)) || parse_u64(word, &n[i]) < 0)
			return false;
	if (n[0] >= ACTION_N)
		return false;
	v->action = (enum pv_action) n[0];
	v->value = n[1];
	v->limit = n[2];
	v->window_us = n[3];
	v->pressure = n[4];
	v->tasks = n[5] != 0;
	v->chain = (uint32_t) n[6];
	v->chain_image = n[7] != 0;
	*ret_name = text;
	return true;
}

bool kept_act_take(struct guard *g, const struct guard_workload *w, struct verdict *ret)
{
	pv_autobuf text = PV_BUF_INIT;
	struct verdict v;
	const char *name;
	char key[80];

	if (!act_key(key, sizeof(key), w) || store_kv_get(g->store, key, &text) < 0)
		return false;
	(void) store_kv_drop(g->store, key);
	if (!act_parse(pv_buf_str(&text), &v, &name) || (v.cgroup && v.cgroup != w->w.cgroup))
		return false;
	*ret = v;
	ret->cgroup = w->w.cgroup;
	return true;
}

struct left {
	struct guard *g;
	size_t n;
	struct {
		char key[80];
		struct notice notice;
		bool tell;
	} v[16];
};

static int on_left(const char *key, const char *text, void *arg)
{
	struct left *l = arg;
	struct notice *n = &l->v[l->n].notice;
	struct verdict v;
	const char *name;

	if (table_container(l->g, key + strlen(KEY_ACT)))
		return 0; /* it is being ended, or will be when its engine has told about it */
	(void) text_copy(l->v[l->n].key, sizeof(l->v[l->n].key), key);
	l->v[l->n].tell = act_parse(text, &v, &name);
	if (l->v[l->n].tell) {
		notice_init(n, v.id, clock_wall_us());
		n->kind = SUBJECT_CONTAINER;
		n->action = DONE_ALERTED;
		n->severity = SEV_HIGH;
		(void) text_copy(n->subject, sizeof(n->subject), name);
		notice_set_what(n, "was being ended when the guard was restarted; it does not run any more");
		notice_set_next(n, "docker ps -a --no-trunc --filter id=%.12s", key + strlen(KEY_ACT));
	}
	return ++l->n == N_ELEMENTS(l->v);
}

/* The cgroups have been walked. An act of before whose container has none is over, and nobody has told so. */
void kept_leftovers(struct guard *g)
{
	pv_autofree struct left *l = calloc(1, sizeof(*l));

	if (!l)
		return;
	l->g = g;
	(void) store_kv_each(g->store, KEY_ACT, on_left, l);
	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i].tell)
			(void) notices_raise(g, &l->v[i].notice);
		(void) store_kv_drop(g->store, l->v[i].key);
	}
}

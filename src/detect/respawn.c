#include "detect/respawn.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/text.h"

struct entry {
	char image_id[sizeof(((struct container_info *) 0)->image_id)];
	char project[sizeof(((struct container_info *) 0)->project)];
	char service[sizeof(((struct container_info *) 0)->service)];
	char service_id[sizeof(((struct container_info *) 0)->service_id)];
	char killed[65];     /* id of the one that was killed first */
	uint64_t wall_us;    /* of its first kill, wall clock */
	uint64_t last_us;    /* of its last kill */
	enum id cause;
	bool chain;
	unsigned times;	     /* killed on sight */
	bool told;
	uint64_t seen[RESPAWN_KILLS + 1]; /* ids counted, their first 16 digits */
};

struct respawn {
	size_t n;
	struct entry entries[RESPAWN_SLOTS];
};

int respawn_new(struct respawn **ret)
{
	struct respawn *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	*ret = r;
	return 0;
}

struct respawn *respawn_free(struct respawn *r)
{
	free(r);
	return NULL;
}

static uint64_t id_head(const char *id)
{
	uint64_t v = 0;

	for (size_t i = 0; i < 16 && id[i]; i++)
		v = v << 4 | (uint64_t) (id[i] <= '9' ? id[i] - '0' : (id[i] - 'a' + 10) & 15);
	return v;
}

/* A service says who it is; the project alone is told by `docker compose run` too. */
static bool same_workload(const struct entry *e, const struct container_info *c)
{
	if (e->service[0] && c->service[0])
		return strcmp(e->service, c->service) == 0 && strcmp(e->project, c->project) == 0;
	return e->image_id[0] && strcmp(e->image_id, c->image_id) == 0;
}

static bool too_old(const struct entry *e, uint64_t now_us)
{
	return now_us > e->last_us && now_us - e->last_us > RESPAWN_WINDOW_US;
}

static struct entry *find(struct respawn *r, const struct container_info *c, uint64_t now_us)
{
	for (size_t i = 0; i < r->n; i++)
		if (!too_old(&r->entries[i], now_us) && same_workload(&r->entries[i], c))
			return &r->entries[i];
	return NULL;
}

static struct entry *entry_take(struct respawn *r, uint64_t now_us)
{
	struct entry *oldest = &r->entries[0];

	for (size_t i = 0; i < r->n; i++) {
		if (too_old(&r->entries[i], now_us))
			return &r->entries[i];
		if (r->entries[i].last_us < oldest->last_us)
			oldest = &r->entries[i];
	}
	return r->n < RESPAWN_SLOTS ? &r->entries[r->n++] : oldest;
}

static void note_cause(struct entry *e, const struct verdict *v)
{
	if (v->id == ID_RUN_RESPAWN) /* it came with what respawn_seen() said */
		return;
	e->cause = v->id;
	e->chain = v->chain != 0;
}

void respawn_killed(struct respawn *r, const struct container_info *c, const struct verdict *v, uint64_t now_us, uint64_t wall_us)
{
	struct entry *e;

	if (!c->image_id[0] && !c->service[0])
		return;
	e = find(r, c, now_us);
	if (e) {
		e->last_us = now_us;
		note_cause(e, v);
		return;
	}
	e = entry_take(r, now_us);
	*e = (struct entry){ .last_us = now_us, .wall_us = wall_us, .cause = v->cause, .chain = v->cause_chain };
	note_cause(e, v);
	(void) text_copy(e->image_id, sizeof(e->image_id), c->image_id);
	(void) text_copy(e->project, sizeof(e->project), c->project);
	(void) text_copy(e->service, sizeof(e->service), c->service);
	(void) text_copy(e->service_id, sizeof(e->service_id), c->service_id);
	(void) text_copy(e->killed, sizeof(e->killed), c->id);
}

/* Which of the returns that were counted it is, from 0; e->times: none of them. */
static unsigned place_of(const struct entry *e, const struct container_info *c)
{
	unsigned i = 0;

	while (i < e->times && e->seen[i] != id_head(c->id))
		i++;
	return i;
}

enum respawn_answer respawn_seen(struct respawn *r, const struct container_info *c, struct verdict *v)
{
	const struct entry *e = find(r, c, v->now_us);

	if (!e || strcmp(e->killed, c->id) == 0 || (c->created_us && c->created_us < e->wall_us))
		return RESPAWN_NO;
	v->cause = e->cause;
	v->cause_chain = e->chain;
	v->value = place_of(e, c) + 1;
	if (v->value <= RESPAWN_KILLS)
		return RESPAWN_KILL;
	return e->told ? RESPAWN_NO : RESPAWN_GIVE_UP;
}

void respawn_count(struct respawn *r, const struct container_info *c, uint64_t now_us)
{
	struct entry *e = find(r, c, now_us);

	if (!e || place_of(e, c) < e->times)
		return;
	if (e->times == RESPAWN_KILLS) {
		e->told = true;
		return;
	}
	e->seen[e->times++] = id_head(c->id);
	e->last_us = now_us;
}

/* Also by the id alone of any of its containers that was killed, or of its Swarm service: that is all undo knows. */
static bool is_about(const struct entry *e, const struct container_info *c)
{
	if (same_workload(e, c) || (c->service_id[0] && strcmp(e->service_id, c->service_id) == 0))
		return true;
	if (!c->id[0])
		return false;
	for (unsigned i = 0; i < e->times; i++)
		if (e->seen[i] == id_head(c->id))
			return true;
	return strcmp(e->killed, c->id) == 0;
}

void respawn_forget(struct respawn *r, const struct container_info *c)
{
	for (size_t i = 0; i < r->n;)
		if (is_about(&r->entries[i], c))
			r->entries[i] = r->entries[--r->n];
		else
			i++;
}

/* ---- kept over a restart ---- */

static void entry_json(const struct entry *e, uint64_t age_us, uint64_t wall_us, struct pv_buf *out)
{
	const char *const text[] = { e->killed, e->image_id, e->project, e->service, e->service_id };

	pv_buf_putc(out, '[');
	for (size_t i = 0; i < N_ELEMENTS(text); i++) {
		pv_buf_json_str(out, text[i]);
		pv_buf_putc(out, ',');
	}
	pv_buf_printf(out, "%" PRIu64 ",%" PRIu64 ",%d,[", e->wall_us, wall_us - PV_MIN(age_us, wall_us), e->told);
	for (unsigned i = 0; i < e->times; i++)
		pv_buf_printf(out, "%s\"%016" PRIx64 "\"", i ? "," : "", e->seen[i]);
	pv_buf_printf(out, "],\"%s\",%d]", id_info(e->cause)->name, e->chain);
}

void respawn_json(const struct respawn *r, uint64_t now_us, uint64_t wall_us, struct pv_buf *out)
{
	size_t n = 0;

	pv_buf_putc(out, '[');
	for (size_t i = 0; i < r->n; i++) {
		const struct entry *e = &r->entries[i];

		if (too_old(e, now_us))
			continue;
		if (n++)
			pv_buf_putc(out, ',');
		entry_json(e, now_us > e->last_us ? now_us - e->last_us : 0, wall_us, out);
	}
	pv_buf_putc(out, ']');
}

static bool take_text(const cJSON *row, int at, char *out, size_t size)
{
	const char *text = cJSON_GetStringValue(cJSON_GetArrayItem(row, at));

	return text && text_copy(out, size, text);
}

static bool take_number(const cJSON *row, int at, uint64_t *ret)
{
	const cJSON *v = cJSON_GetArrayItem(row, at);

	if (!cJSON_IsNumber(v) || v->valuedouble < 0 || v->valuedouble > (double) (1ull << 53))
		return false;
	*ret = (uint64_t) v->valuedouble;
	return true;
}

static bool entry_from_json(const cJSON *row, struct entry *e, uint64_t *ret_last_wall)
{
	const cJSON *seen = cJSON_GetArrayItem(row, 8), *id;
	uint64_t told = 0, chain = 0;
	char cause[40];

	*e = (struct entry){ 0 };
	if (!take_text(row, 0, e->killed, sizeof(e->killed)) || !take_text(row, 1, e->image_id, sizeof(e->image_id)) ||
	    !take_text(row, 2, e->project, sizeof(e->project)) || !take_text(row, 3, e->service, sizeof(e->service)) ||
	    !take_text(row, 4, e->service_id, sizeof(e->service_id)) || !take_number(row, 5, &e->wall_us) ||
	    !take_number(row, 6, ret_last_wall) || !take_number(row, 7, &told) || !cJSON_IsArray(seen))
		return false;
	e->cause = ID_RUN_CPU; /* of an older row, which ends here */
	if (cJSON_GetArraySize(row) > 9 &&
	    (!take_text(row, 9, cause, sizeof(cause)) || id_parse(cause, &e->cause) < 0 || !take_number(row, 10, &chain)))
		return false;
	e->told = told != 0;
	e->chain = chain != 0;
	cJSON_ArrayForEach(id, seen)
	{
		const char *text = cJSON_GetStringValue(id);

		if (!text || !text_is_hex(text, 16) || e->times == RESPAWN_KILLS)
			return false;
		e->seen[e->times++] = id_head(text);
	}
	return true;
}

int respawn_from_json(struct respawn *r, const char *text, uint64_t now_us, uint64_t wall_us)
{
	pv_auto(respawn) got = NULL;
	cJSON *all = cJSON_Parse(text);
	const cJSON *row;
	int result = cJSON_IsArray(all) ? respawn_new(&got) : -EINVAL;

	if (result == 0)
		cJSON_ArrayForEach(row, all)
		{
			struct entry *e = &got->entries[got->n];
			uint64_t last, age;

			if (got->n == RESPAWN_SLOTS || !entry_from_json(row, e, &last)) {
				result = -EINVAL;
				break;
			}
			age = wall_us > last ? wall_us - last : 0; /* a clock that was set back makes it younger, not immortal */
			e->last_us = now_us > age ? now_us - age : 0;
			if (age <= RESPAWN_WINDOW_US)
				got->n++;
		}
	cJSON_Delete(all);
	if (result == 0)
		*r = *got;
	return result;
}

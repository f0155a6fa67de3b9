#include "match/rules.h"

#include <string.h>

#define ARENA_CHUNK 65536

struct arena_chunk {
	struct arena_chunk *next;
	size_t used, size;
	_Alignas(16) char data[];
};

struct rules *rules_free(struct rules *rs)
{
	if (!rs)
		return NULL;
	while (rs->arena) {
		struct arena_chunk *next = rs->arena->next;

		free(rs->arena);
		rs->arena = next;
	}
	for (size_t i = 0; i < rs->n_examples; i++)
		free(rs->examples[i].text);
	free(rs->examples);
	free(rs->rule);
	free(rs);
	return NULL;
}

int rules_new(struct rules **ret)
{
	struct rules *rs = calloc(1, sizeof(*rs));

	if (!rs)
		return -ENOMEM;
	*ret = rs;
	return 0;
}

uint64_t rules_version(const struct rules *rs)
{
	return rs->version;
}

size_t rules_count(const struct rules *rs)
{
	return rs->n;
}

const struct rule *rules_get(const struct rules *rs, size_t i)
{
	return i < rs->n ? &rs->rule[i] : NULL;
}

const struct rule *rules_find(const struct rules *rs, const char *id)
{
	for (size_t i = 0; i < rs->n; i++)
		if (strcmp(rs->rule[i].id, id) == 0)
			return &rs->rule[i];
	return NULL;
}

void *rules_alloc(struct rules *rs, size_t size)
{
	struct arena_chunk *c = rs->arena;
	void *p;

	size = (size + 15) & ~(size_t) 15;
	if (!c || c->size - c->used < size) {
		size_t room = PV_MAX(size, (size_t) ARENA_CHUNK);

		c = calloc(1, sizeof(*c) + room);
		if (!c)
			return NULL;
		c->size = room;
		c->next = rs->arena;
		rs->arena = c;
	}
	p = c->data + c->used;
	c->used += size;
	return p;
}

const char *rules_strn(struct rules *rs, const char *s, size_t len)
{
	char *copy = rules_alloc(rs, len + 1);

	if (!copy)
		return NULL;
	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

struct rule *rules_push(struct rules *rs)
{
	struct rule *r;

	if (rs->n == rs->room) {
		size_t room = rs->room ? rs->room * 2 : 64;
		void *more = realloc(rs->rule, room * sizeof(*rs->rule));

		if (!more)
			return NULL;
		rs->rule = more;
		rs->room = room;
	}
	r = &rs->rule[rs->n++];
	*r = (struct rule) {
		.id = "", .family = "", .origin = "", .title = "", .opens = "", .remedy = "", .prefix = "", .match = "", .gate = "",
		.address = "", .user = "", .strength = RULE_STRONG,
	};
	return r;
}

static const char *const check_names[] = { "none", "crc32", "luhn", "base62crc", "base36crc", "jwt" };

_Static_assert(N_ELEMENTS(check_names) == RULE_CHECK_N, "every check has a name");

const char *rule_check_name(enum rule_check c)
{
	return check_names[c];
}

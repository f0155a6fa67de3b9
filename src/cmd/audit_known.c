#include "cmd/audit_known.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "mend/state.h"

#define ENTRIES_MAX 20000
#define FILE_MAX    (4u << 20)
#define FORGET_US   (400ull * 86400 * 1000000)

struct entry {
	char kind[16], digest[33];
	uint64_t first, last;
};

struct known {
	int folder;
	uint8_t key[32];
	struct entry *item;
	size_t n;
	uint64_t now_us;
	bool full; /* nothing more is taken in: what is forgotten would look new again */
};

/* Digests are keyed, so that the file tells nobody whether a guessed secret was right. */
static int load_key(struct known *s)
{
	pv_autobuf text = PV_BUF_INIT;
	int r = state_read(s->folder, "known.key", sizeof(s->key), &text);

	if (r == 0 && text.len == sizeof(s->key)) {
		memcpy(s->key, text.data, sizeof(s->key));
		return 0;
	}
	if (r < 0 && r != -ENOENT)
		return r;
	randombytes_buf(s->key, sizeof(s->key));
	return state_write(s->folder, "known.key", (const char *) s->key, sizeof(s->key));
}

static struct entry *add(struct known *s)
{
	struct entry *list;

	if (s->n == ENTRIES_MAX) {
		s->full = true;
		return NULL;
	}
	if ((s->n & (s->n - 1)) == 0) {
		list = realloc(s->item, (s->n ? 2 * s->n : 1) * sizeof(*list));
		if (!list)
			return NULL;
		s->item = list;
	}
	s->item[s->n] = (struct entry){ .first = s->now_us };
	return &s->item[s->n++];
}

static void load_lines(struct known *s, const char *text)
{
	char first[24], last[24];
	struct entry e;

	for (; *text; text += strcspn(text, "\n"), text += *text == '\n') {
		struct entry *to;

		e = (struct entry){ .first = 0 };
		if (sscanf(text, "%15s %32s %23s %23s", e.kind, e.digest, first, last) != 4 ||
		    parse_u64(first, &e.first) < 0 || parse_u64(last, &e.last) < 0 || !text_is_hex(e.digest, 32) || (e.last < s->now_us && s->now_us - e.last > FORGET_US))
			continue;
		to = add(s);
		if (to)
			*to = e;
	}
}

static int load(const char *state_dir, uint64_t now_us, struct known **ret)
{
	pv_autobuf text = PV_BUF_INIT;
	struct known *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->now_us = now_us;
	s->folder = sodium_init() < 0 ? -EIO : state_folder(state_dir, "audit", NULL);
	r = s->folder < 0 ? s->folder : load_key(s);
	if (r == 0)
		r = state_read(s->folder, "known", FILE_MAX, &text);
	if (r < 0 && r != -ENOENT) {
		(void) pv_close(s->folder);
		free(s);
		return r;
	}
	load_lines(s, pv_buf_str(&text));
	*ret = s;
	return 0;
}

static void keyed(const struct known *s, const char *digest, char out[33])
{
	uint8_t hash[16];

	(void) crypto_generichash(hash, sizeof(hash), (const uint8_t *) digest, strlen(digest), s->key, sizeof(s->key));
	(void) sodium_bin2hex(out, 33, hash, sizeof(hash));
}

int known_ask(struct known **s, const char *state_dir, const char *text, uint64_t now_us, struct pv_buf *out)
{
	char kind[16], digest[40], own[33];
	uint64_t since = now_us;
	struct entry *found = NULL;
	int r;

	if (sscanf(text, "%15[a-z-] %33s", kind, digest) != 2 || !text_is_hex(digest, 32))
		return -EINVAL;
	if (!*s) {
		r = load(state_dir, now_us, s);
		if (r < 0)
			return r;
	}
	keyed(*s, digest, own);
	for (size_t i = 0; i < (*s)->n; i++) {
		struct entry *e = &(*s)->item[i];

		if (strcmp(e->kind, kind) != 0)
			continue;
		since = PV_MIN(since, e->first);
		if (strcmp(e->digest, own) == 0)
			found = e;
	}
	if (!found) {
		found = add(*s);
		if (!found)
			return -ENOSPC;
		memcpy(found->kind, kind, sizeof(kind));
		memcpy(found->digest, own, sizeof(own));
	}
	found->last = (*s)->now_us;
	pv_buf_printf(out, "%" PRIu64 " %" PRIu64 "\n", found->first, PV_MIN(since, found->first));
	return 0;
}

void known_done(struct known *s)
{
	pv_autobuf text = PV_BUF_INIT;

	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		pv_buf_printf(&text, "%s %s %" PRIu64 " %" PRIu64 "\n", s->item[i].kind, s->item[i].digest, s->item[i].first,
			      s->item[i].last);
	if (!text.cut && !s->full)
		(void) state_write(s->folder, "known", pv_buf_str(&text), text.len);
	(void) pv_close(s->folder);
	free(s->item);
	free(s);
}

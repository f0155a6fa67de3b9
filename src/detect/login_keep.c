/* What was counted, kept from one process to the next. A line each: `s` a source's name, `a` an address, `t` an account; the structures
 * as they are, in hex, under a heading that names their sizes: another layout is not read. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "detect/login_private.h"

#define VERSION	     1
#define TARGETS_KEPT 512
#define HEX_MAX	     (2 * (sizeof(struct login_slot) + LOGIN_LIMIT_MAX * sizeof(struct login_entry)))

static void put_line(struct pv_buf *out, char kind, const void *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *b = data;

	pv_buf_printf(out, "%c ", kind);
	for (size_t i = 0; i < len; i++) {
		const char two[] = { digits[b[i] >> 4], digits[b[i] & 15] };

		pv_buf_add(out, two, sizeof(two));
	}
	pv_buf_putc(out, '\n');
}

static size_t slot_len(const struct login_slot *s)
{
	return sizeof(*s) + s->n * sizeof(s->entry[0]);
}

/* More than one attempt, or somebody who got in: what a restart would change most. */
static bool counts_most(const struct login_slot *s)
{
	unsigned n = 0;

	for (size_t i = 0; i < LOGIN_SPANS; i++)
		n += s->spans[i];
	return n > 1 || s->n > 1 || s->accept_s;
}

static void save_slots(const struct login *l, uint64_t now_us, struct pv_buf *out)
{
	const struct login_slot *s;
	size_t kept = 0;

	for (unsigned pass = 0; pass < 2; pass++)
		for (uint32_t at = 0; kept < LOGIN_KEPT && (s = login_table_next(&l->table, &at));) {
			if (s->newest_us + USEC_PER_DAY < now_us && s->accept_s + DAY_S < now_us / USEC_PER_SEC)
				continue;
			if (counts_most(s) == (pass == 1))
				continue;
			put_line(out, 'a', s, slot_len(s));
			kept++;
		}
}

void login_save(const struct login *l, uint64_t now_us, struct pv_buf *out)
{
	uint32_t now_s = (uint32_t) (now_us / USEC_PER_SEC);
	size_t kept = 0;

	pv_buf_printf(out, "logins %d %zu %zu %zu %" PRIx64 " %" PRIx64 "\n", VERSION, sizeof(struct login_slot), sizeof(struct login_entry),
		      sizeof(struct target), l->policy.seed[0], l->policy.seed[1]);
	for (uint16_t i = 1; i < l->n_sources; i++)
		put_line(out, 's', l->sources[i], strlen(l->sources[i]));
	save_slots(l, now_us, out);
	for (size_t i = 0; i < TARGETS && kept < TARGETS_KEPT; i++) {
		const struct target *t = &l->targets[i];

		if (!t->key || (now_s - t->start_s > HOUR_S && now_s - t->told_s > DAY_S))
			continue;
		put_line(out, 't', t, sizeof(*t));
		kept++;
	}
	pv_buf_puts(out, "end\n");
}

static bool heading(const char *text, uint64_t seed[2])
{
	size_t slot, entry, target;
	int version, used = 0;

	/* NOLINTNEXTLINE(cert-err34-c): our own text; numbers that do not fit are other sizes */
	if (sscanf(text, "logins %d %zu %zu %zu %" SCNx64 " %" SCNx64 "\n%n", &version, &slot, &entry, &target, &seed[0], &seed[1], &used) != 6 || !used)
		return false;
	return version == VERSION && slot == sizeof(struct login_slot) && entry == sizeof(struct login_entry) && target == sizeof(struct target);
}

bool login_saved_seed(const char *text, uint64_t seed[2])
{
	uint64_t got[2];

	if (!heading(text, got))
		return false;
	memcpy(seed, got, sizeof(got));
	return true;
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Bytes, or -1. */
static long bytes_of(const char *hex, size_t len, uint8_t *out, size_t room)
{
	if (len % 2 || len / 2 > room)
		return -1;
	for (size_t i = 0; i < len / 2; i++) {
		int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return -1;
		out[i] = (uint8_t) (high << 4 | low);
	}
	return (long) (len / 2);
}

static bool load_slot(struct login *l, struct login_slot *saved, long len, uint64_t now_us)
{
	struct login_slot *s;
	unsigned over;

	if (len < (long) sizeof(*saved) || (size_t) len != slot_len(saved) || saved->newest_us > now_us + USEC_PER_DAY)
		return false;
	s = login_table_take(&l->table, saved->key, now_us);
	if (!s)
		return false;
	over = saved->n > l->policy.limit ? saved->n - l->policy.limit : 0; /* the limit is a smaller one now */
	for (unsigned i = 0; i < saved->n; i++) {
		saved->entry[i].text = TEXT_MASK; /* forgotten */
		if (saved->entry[i].source >= l->n_sources)
			saved->entry[i].source = 0;
	}
	memmove(saved->entry, saved->entry + over, (saved->n - over) * sizeof(saved->entry[0]));
	saved->n = (uint8_t) (saved->n - over);
	saved->used = 1;
	memcpy(s, saved, slot_len(saved));
	return true;
}

static void load_target(struct login *l, const struct target *t)
{
	for (unsigned i = 0; t->key && i < TARGET_LOOKS; i++) {
		struct target *at = &l->targets[(t->key + i) % TARGETS];

		if (at->key)
			continue;
		*at = *t;
		return;
	}
}

int login_load(struct login *l, const char *text, uint64_t now_us)
{
	union {
		struct login_slot slot;
		struct target target;
		uint8_t b[HEX_MAX / 2];
	} raw;
	uint64_t seed[2];

	if (!heading(text, seed) || memcmp(seed, l->policy.seed, sizeof(seed)) != 0)
		return -EBADMSG;
	for (const char *line = strchr(text, '\n'); line; line = strchr(line, '\n')) {
		size_t len = strcspn(++line, "\n");
		long n;

		if (len == 3 && memcmp(line, "end", 3) == 0)
			return 0;
		if (len < 2 || line[1] != ' ')
			return -EBADMSG;
		memset(&raw, 0, sizeof(raw));
		n = bytes_of(line + 2, len - 2, raw.b, sizeof(raw.b));
		if (n < 0)
			return -EBADMSG;
		if (line[0] == 's' && l->n_sources < SOURCES)
			memcpy(l->sources[l->n_sources++], raw.b, PV_MIN((size_t) n, sizeof(l->sources[0]) - 1));
		else if (line[0] == 'a')
			(void) load_slot(l, &raw.slot, n, now_us);
		else if (line[0] == 't' && n == (long) sizeof(raw.target))
			load_target(l, &raw.target);
	}
	return -EBADMSG; /* no end */
}

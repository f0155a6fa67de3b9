/* Wu-Manber: the last three bytes of a window of eight say how far the search may jump; the whole window says which values
 * to compare. All of it lies in one mapping of its own, so that no allocator keeps a copy of a secret. */
#include "match/values.h"

#include <ctype.h>
#include <sodium.h>
#include <string.h>
#include <sys/mman.h>

#define WINDOW	  8 /* = MATCH_VALUE_MIN */
#define TAIL	  3
#define SHIFT_MAX (WINDOW - TAIL + 1)
#define SHIFTS	  65536
#define BUCKETS	  8192
#define NAME_MAX_ 128

struct value {
	uint32_t at, len; /* in bytes[] */
	uint32_t name;
	uint32_t next;	  /* 1 + index of the next in its bucket */
};

struct match_values {
	size_t n, used, longest;
	bool ready;
	struct value value[MATCH_VALUES_COUNT];
	uint32_t bucket[BUCKETS];
	uint8_t shift[SHIFTS];
	char bytes[MATCH_VALUES_BYTES + MATCH_VALUES_COUNT * NAME_MAX_ / 2];
};

/* Values that stand in any program. Lower case. */
static const char *const common[] = {
	"password", "postgres", "postgresql", "changeme", "change_me", "production", "development", "localhost", "secret123",
	"password1", "password123", "12345678", "123456789", "1234567890", "undefined", "username", "administrator",
	"database", "disabled", "required", "info@example.com", "admin@example.com", "utf8mb4_unicode_ci", "redis://localhost",
	"http://localhost", "https://localhost", "0.0.0.0:8080", "us-east-1", "eu-west-1", "eu-central-1", "application",
};

int match_values_new(struct match_values **ret)
{
	struct match_values *v = mmap(NULL, sizeof(*v), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (v == MAP_FAILED)
		return -ENOMEM;
	(void) madvise(v, sizeof(*v), MADV_DONTDUMP);
	(void) madvise(v, sizeof(*v), MADV_DONTFORK);
	*ret = v;
	return 0;
}

struct match_values *match_values_free(struct match_values *v)
{
	if (!v)
		return NULL;
	sodium_memzero(v, sizeof(*v));
	(void) munmap(v, sizeof(*v));
	return NULL;
}

/* One word, a number, a path, an address without a password, a placeholder: it would be found everywhere, or says nothing. */
static bool is_common(const char *s, size_t len)
{
	size_t alpha = 0, digit = 0, upper = 0;

	for (size_t i = 0; i < N_ELEMENTS(common); i++)
		if (strlen(common[i]) == len && strncasecmp(common[i], s, len) == 0)
			return true;
	for (size_t i = 0; i < len; i++) {
		alpha += isalpha((unsigned char) s[i]) != 0;
		digit += isdigit((unsigned char) s[i]) != 0;
		upper += isupper((unsigned char) s[i]) != 0;
	}
	if (digit + (memchr(s, '.', len) != NULL) == len || memcmp(s, "${", 2) == 0 || s[0] == '<')
		return true;
	if (alpha == len && len < 16 && (upper == 0 || upper == len || (upper == 1 && isupper((unsigned char) *s))))
		return true;
	if (s[0] == '/' && !digit)
		return true;
	return memmem(s, len, "://", 3) && !memchr(s, '@', len) && !memchr(s, '?', len) && !memmem(s, len, "/services/", 10);
}

static uint32_t hash_window(const char *s)
{
	uint64_t w;

	memcpy(&w, s, sizeof(w));
	return (uint32_t) (w * 0x9e3779b97f4a7c15ULL >> 40) % BUCKETS;
}

static uint32_t hash_tail(const char *s)
{
	const unsigned char *p = (const unsigned char *) s;

	return ((uint32_t) p[0] << 10 ^ (uint32_t) p[1] << 5 ^ p[2] ^ (uint32_t) p[0] >> 6) % SHIFTS;
}

static bool known(const struct match_values *v, const char *s, size_t len)
{
	for (size_t i = 0; i < v->n; i++)
		if (v->value[i].len == len && memcmp(v->bytes + v->value[i].at, s, len) == 0)
			return true;
	return false;
}

int match_values_add(struct match_values *v, const char *name, const char *value, size_t len)
{
	size_t name_len = strnlen(name, NAME_MAX_ - 1);
	struct value *e;

	if (v->ready)
		return -EBUSY;
	if (len < MATCH_VALUE_MIN || len > MATCH_VALUE_MAX || is_common(value, len) || known(v, value, len))
		return 0;
	if (v->n == MATCH_VALUES_COUNT || sizeof(v->bytes) - v->used < len + name_len + 1)
		return -ENOSPC;
	e = &v->value[v->n++];
	e->at = (uint32_t) v->used;
	e->len = (uint32_t) len;
	v->longest = PV_MAX(v->longest, len);
	memcpy(v->bytes + v->used, value, len);
	v->used += len;
	e->name = (uint32_t) v->used;
	memcpy(v->bytes + v->used, name, name_len); /* its NUL is there already */
	v->used += name_len + 1;
	return 1;
}

int match_values_ready(struct match_values *v)
{
	memset(v->shift, SHIFT_MAX, sizeof(v->shift));
	for (size_t i = 0; i < v->n; i++) {
		const char *s = v->bytes + v->value[i].at;
		uint32_t b = hash_window(s);

		for (size_t at = 0; at + TAIL <= WINDOW; at++) {
			uint8_t *shift = &v->shift[hash_tail(s + at)];

			*shift = PV_MIN(*shift, (uint8_t) (WINDOW - TAIL - at));
		}
		v->value[i].next = v->bucket[b];
		v->bucket[b] = (uint32_t) i + 1;
	}
	v->ready = true;
	return mlock(v, sizeof(*v)) < 0 ? -EPERM : 0;
}

size_t match_values_count(const struct match_values *v)
{
	return v->n;
}

const char *match_values_name(const struct match_values *v, size_t i)
{
	return i < v->n ? v->bytes + v->value[i].name : "";
}

static int compare(const struct match_values *v, const char *text, size_t len, size_t at, match_value_fn fn, void *user)
{
	for (uint32_t i = v->bucket[hash_window(text + at)]; i; i = v->value[i - 1].next) {
		const struct value *e = &v->value[i - 1];
		int r;

		if (e->len > len - at || memcmp(text + at, v->bytes + e->at, e->len) != 0)
			continue;
		r = fn(i - 1, at, e->len, user);
		if (r)
			return r;
	}
	return 0;
}

/* Values that begin in [at, limit). */
static int scan_from(const struct match_values *v, const char *text, size_t len, size_t at, size_t limit, match_value_fn fn,
		     void *user)
{
	while (at < limit && len - at >= WINDOW) {
		unsigned shift = v->shift[hash_tail(text + at + WINDOW - TAIL)];
		int r;

		if (shift) {
			at += shift;
			continue;
		}
		r = compare(v, text, len, at, fn, user);
		if (r)
			return r;
		at++;
	}
	return 0;
}

int match_values_scan(const struct match_values *v, const char *text, size_t len, match_value_fn fn, void *user)
{
	return v->n && v->ready ? scan_from(v, text, len, 0, len, fn, user) : 0;
}

int match_values_scan_changed(const struct match_values *v, const char *text, size_t len, size_t from, size_t to,
			      match_value_fn fn, void *user)
{
	size_t before = PV_MIN(from, v->longest);

	if (!v->n || !v->ready)
		return 0;
	return scan_from(v, text, PV_MIN(len, to + v->longest), from - before, PV_MIN(len, to + 1), fn, user);
}

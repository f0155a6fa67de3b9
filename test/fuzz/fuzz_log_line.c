/* Hostile lines, alone and many at once, with every rule of rules/log: an address that is returned stands in the line as a whole token,
 * spans lie inside, texts are terminated, and one line gives the same whether it comes alone or among others. */
#include <assert.h>
#include <string.h>
#include <time.h>

#include "logs/logs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_US 1795287600000000ULL

static struct logs *rules(void)
{
	static struct logs *l;
	const char *path = getenv("PV_RULES_LOG") ? getenv("PV_RULES_LOG") : "rules/log";
	struct match_where where = { .paths = &path, .n_paths = 1, .cache_dir = getenv("PV_CACHE") };
	struct pv_buf err = PV_BUF_INIT;

	if (!l && logs_open(&where, &l, &err) < 0)
		abort();
	pv_buf_done(&err);
	return l;
}

static bool token_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == '.' || c == ':';
}

static bool parses(const char *s, size_t len, const struct ip_addr *want)
{
	char copy[64];
	struct ip_addr a;

	if (len < 2 || len >= sizeof(copy))
		return false;
	memcpy(copy, s, len);
	copy[len] = '\0';
	return strlen(copy) == len && ip_parse(copy, &a) == 0 && memcmp(&a, want, sizeof(a)) == 0;
}

/* A run of address characters is the address, alone, before a port, or before a colon that belongs to the text. */
static bool stands_in(const char *s, size_t len, const struct ip_addr *want)
{
	for (size_t i = 0, n; i < len; i += n ? n : 1) {
		for (n = 0; i + n < len && token_char(s[i + n]); n++)
			;
		for (size_t end = n; end; end--)
			if ((end == n || s[i + end] == ':' || s[i + end] == '.') && parses(s + i, end, want))
				return true;
		for (size_t from = 1; from < n; from++) /* user@::ffff:192.0.2.7, [AF_INET]..., a:1.2.3.4 */
			if (s[i + from - 1] == ':' && parses(s + i + from, n - from, want))
				return true;
	}
	return false;
}

static int on_event(const struct log_event *e, void *arg)
{
	uint64_t *sum = arg;

	assert(e->from <= e->to && e->to <= e->text_len);
	assert(memchr(e->user, '\0', sizeof(e->user)));
	assert(e->time_us && e->time_us <= NOW_US);
	assert(!e->may_ban || e->strength != LOG_NO_LOGIN);
	if (e->has_address)
		assert(stands_in(e->text, e->text_len, &e->address));
	*sum += (uint64_t) e->id * 7 + e->strength + (e->has_address ? e->address.b[15] : 0);
	return 0;
}

static uint64_t many(const struct log_source *s, const char *text, size_t size)
{
	struct logs_reader *r = NULL;
	uint64_t sum = 0;
	size_t used;

	assert(logs_reader_new(rules(), s, &r) == 0);
	assert(logs_lines(r, text, size, NOW_US, on_event, &sum, &used) == 0 && used <= size);
	assert(logs_end(r, text + used, size - used, NOW_US, on_event, &sum) == 0);
	logs_reader_free(r);
	return sum;
}

static uint64_t each(const struct log_source *s, const char *text, size_t size)
{
	struct logs_reader *r = NULL;
	uint64_t sum = 0;

	assert(logs_reader_new(rules(), s, &r) == 0);
	for (const char *p = text, *end = text + size; p < end;) {
		const char *nl = memchr(p, '\n', (size_t) (end - p));
		size_t n = nl ? (size_t) (nl - p) : (size_t) (end - p);
		struct log_record rec = { .text = p, .len = n, .time_us = NOW_US };

		assert(logs_record(r, &rec, on_event, &sum) == 0);
		p += n + (nl != NULL);
	}
	logs_reader_free(r);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct log_source sources[] = {
		{ .kind = LOG_FILE, .name = "file:x" }, { .kind = LOG_SYSLOG, .name = "file:x" },
		{ .kind = LOG_FILE, .name = "file:x", .service = "sshd" }, { .kind = LOG_FILE, .name = "file:x", .service = "dovecot" },
		{ .kind = LOG_CONTAINER, .name = "container:x", .docker_json = true },
	};
	const struct log_source *s = &sources[size ? data[0] % N_ELEMENTS(sources) : 0];
	const char *text = (const char *) data + 1;
	uint64_t a, b;

	if (size < 2 || size > 8192)
		return 0;
	(void) setenv("TZ", "Europe/Berlin", 1);
	a = many(s, text, size - 1);
	b = each(s, text, size - 1);
	assert(s->docker_json || a == b);
	return 0;
}

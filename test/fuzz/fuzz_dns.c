/* The kernel's reader of DNS questions, built for user space: it stays within the message, and its answer is the one
 * that the name alone would get. */
#include <assert.h>
#include <string.h>

#include "model/dns_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char names[][128] = { "pool.*", "*.mine.*", "a.*.c" };
static const char allow[][128] = { "pool.ntp.org" };

/* Plain text of a name whose labels are all plain; false: it cannot be written with dots. */
static bool plain(char *out, const struct dns_state *s)
{
	size_t at = 0;

	for (uint32_t i = 0; i < s->len;) {
		uint32_t n = s->name[i++];

		for (uint32_t k = 0; k < n; k++, i++) {
			if (s->name[i] == '.' || s->name[i] == '\0')
				return false;
			out[at++] = (char) s->name[i];
		}
		out[at++] = '.';
	}
	out[at] = '\0';
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dns_table table;
	struct dns_state s = { .slot = 5 };
	uint8_t *buf;
	char text[300], err[200];
	uint32_t len;
	int look;

	if (!table.seed)
		assert(dns_table_build(&table, names, 3, allow, 1, err, sizeof(err)) == 0);
	buf = calloc(1, DNS_BUF); /* on the heap, where a byte too far is found */
	assert(buf);
	len = (uint32_t) PV_MIN(size, (size_t) DNS_BUF);
	memcpy(buf, data, len);
	look = dns_look(&s, &table, buf, len);
	assert(s.slot == 5);
	assert(s.len <= PV_DNS_NAME_MAX - 1 && s.labels <= 127);
	if (look == DNS_LOOK_CLEAN || look == DNS_LOOK_MATCH) {
		assert(s.end + 4 <= len);
		assert((look == DNS_LOOK_MATCH) == (s.pattern < 3));
		if (plain(text, &s))
			assert(dns_name_match(&table, text, NULL) == (look == DNS_LOOK_MATCH));
	}
	dns_name_text(text, sizeof(text), s.name, s.len);
	assert(strlen(text) < sizeof(text));
	/* the same bytes as a name on the wire, which may lie about its lengths */
	dns_name_text(text, 16, data, PV_MIN(size, (size_t) 255));
	assert(strlen(text) < 16);
	free(buf);
	return 0;
}

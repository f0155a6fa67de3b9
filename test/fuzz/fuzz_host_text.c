/* Small texts that the audit reads, by the first byte: sockets of procfs, packages of dpkg, .env files, values that may be
 * secrets, a Swarm service as the engine tells it, what a site answered, a file of apt's. */
#include <assert.h>
#include <string.h>

#include "check/apt_conf.h"
#include "check/deb.h"
#include "check/dotenv.h"
#include "check/probe.h"
#include "check/proc_net.h"
#include "check/secret_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void sockets(struct arena *a, char *text, size_t len)
{
	struct proc_net tcp = { .n = 0 }, udp = { .n = 0 };

	proc_net_parse(a, text, len, false, &tcp);
	proc_net_parse(a, text, len, true, &udp);
	assert(tcp.n <= PROC_NET_SOCKETS && udp.n <= PROC_NET_SOCKETS);
	for (size_t i = 0; i < tcp.n; i++)
		assert(!tcp.item[i].udp && !(tcp.item[i].listens && tcp.item[i].connected));
	for (size_t i = 0; i < udp.n; i++)
		assert(udp.item[i].udp);
}

/* Any text is a version; they have an order. What is offered is newer than what it is offered for. */
static void packages(struct arena *a, char *text, size_t len)
{
	struct deb_packages all = { .n = 0 };
	struct deb_stanza s = { .any = false };
	char *other = memchr(text, '\n', len);

	for (char *p = text, *end; p <= text + len; p = end + 1) {
		end = memchr(p, '\n', (size_t) (text + len - p));
		end = end ? end : text + len;
		if (!deb_line(&s, p, (size_t) (end - p)))
			continue;
		if (s.installed)
			deb_installed(a, &all, &s);
		s = (struct deb_stanza){ .any = false };
	}
	s = (struct deb_stanza){ .name = "a", .arch = "amd64", .version = "9:9", .any = true };
	deb_offered(a, &all, &s);
	for (size_t i = 0; i < all.n; i++)
		assert(!all.item[i].newer || deb_version_cmp(all.item[i].version, all.item[i].newer) < 0);
	if (other) {
		int there, back;

		*other++ = '\0';
		there = deb_version_cmp(text, other);
		back = deb_version_cmp(other, text);
		assert((there < 0) == (back > 0) && (there == 0) == (back == 0));
		assert(deb_version_cmp(text, text) == 0);
	}
}

static void dotenv(struct arena *a, char *text, size_t len)
{
	struct dotenv d = { .n = 0 };

	if (dotenv_parse(a, text, len, &d) < 0)
		return;
	assert(d.n <= DOTENV_LINES);
	for (size_t i = 0; i < d.n; i++) {
		assert(d.item[i].name && d.item[i].value && d.item[i].at.line >= 1);
		assert(dotenv_find(&d, d.item[i].name, strlen(d.item[i].name)));
	}
}

static void secrets(struct arena *a, char *text, size_t len)
{
	char *value = memchr(text, '=', len);

	(void) a;
	if (!value)
		return;
	*value++ = '\0';
	(void) secret_name(text);
	(void) signing_key_name(text);
	(void) secret_is_default(text, value);
	(void) secret_placeholder(value);
	assert(!secret_value(text, value) || *value);
	assert(strlen(value) >= 32 || strncmp(value, "${", 2) == 0 || signing_key_wrong(value));
}

static void check_answers(const struct finding_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		assert(l->item[i]->verdict != FINDING_UNKNOWN || l->item[i]->reason != REASON_NONE);
}

static void service(struct arena *a, char *text, size_t len)
{
	struct finding_list out = { .n = 0 };
	struct check_select all;
	struct check_policy p;
	struct ctr *c;
	char word[8];

	check_policy_defaults(&p);
	assert(check_select(&all, "ctr", NULL, word, sizeof(word)) == 0);
	if (ctr_from_service(a, text, len, &c) < 0)
		return;
	assert(c->name && check_container(c, &p, &all, &out) == 0);
	check_answers(&out);
	finding_list_done(&out);
}

static void site(struct arena *a, char *text, size_t len)
{
	struct audit *all = calloc(1, sizeof(*all));
	bool https = memmem(text, len, "https\t", 6);
	char word[8];

	(void) a;
	assert(all && check_select(&all->select, NULL, NULL, word, sizeof(word)) == 0);
	if (probe_judge(all, "https://shop.test/", text) == 0)
		for (size_t i = 0; i < all->out.n; i++)
			assert(https || all->out.item[i]->id != ID_TLS_HTTPS_ON || all->out.item[i]->verdict != FINDING_PASS);
	check_answers(&all->out);
	finding_list_done(&all->out);
	arena_done(&all->arena);
	free(all);
}

/* Whatever stands before it, outside of its blocks: what is said last counts. */
static void apt_conf(struct arena *a, char *text, size_t len)
{
	char value[APT_VALUE] = "";
	char *both;

	(void) len;
	(void) apt_conf_value(text, "A::B", value);
	assert(strlen(value) < APT_VALUE);
	if (strpbrk(text, "\"{/#"))
		return;
	both = arena_printf(a, "%s;\nA::B \"last\";\n", text);
	assert(both && apt_conf_value(both, "A::B", value) && strcmp(value, "last") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const readers[])(struct arena *a, char *text, size_t len) = { sockets, packages, dotenv, secrets, service, site, apt_conf };
	auto_arena a = { .cap = 0 };
	char *text = size ? malloc(size) : NULL; /* NUL behind it in the place of the first byte */

	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	readers[data[0] % N_ELEMENTS(readers)](&a, text, size - 1);
	free(text);
	return 0;
}

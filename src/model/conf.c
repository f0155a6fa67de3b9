#include "model/conf.h"

#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/util.h"
#include "model/conf_value.h"
#include "model/dns_table.h"

const struct conf_item conf_items[] = {
#define CONF(key_, type_, member_, default_, min_, max_, help_)                                                        \
	{ .key = key_, .type = CONF_##type_, .offset = offsetof(struct policy, member_), .fallback = default_,         \
	  .min = min_, .max = max_, .help = help_ },
#include "model/conf_items.def"
#undef CONF
	{ .key = NULL }
};
_Static_assert(N_ELEMENTS(conf_items) <= CONF_MAX_ITEMS, "raise CONF_MAX_ITEMS");

/* The table's own words go through the same setters as a file's; a default that they refuse is a bug found by the
 * first test that runs. */
static void set_default(struct policy *p, const struct conf_item *item)
{
	pv_autobuf why = PV_BUF_INIT;
	const char *s = item->fallback;

	if (conf_is_map_list(item))
		return;
	if (!conf_is_list(item)) {
		if (conf_set_scalar(p, item, s, &why) < 0)
			abort();
		return;
	}
	conf_list_clear(p, item);
	while (*s) {
		char word[128];
		size_t n = strcspn(s, ",");

		memcpy(word, s, PV_MIN(n, sizeof(word) - 1));
		word[PV_MIN(n, sizeof(word) - 1)] = '\0';
		if (conf_list_add(p, item, word, &why) < 0)
			abort();
		s += n;
		s += strspn(s, ", ");
	}
}

void conf_defaults(struct policy *p)
{
	memset(p, 0, sizeof(*p));
	p->magic = POLICY_MAGIC;
	p->version = POLICY_VERSION;
	p->size = sizeof(*p);
	for (const struct conf_item *item = conf_items; item->key; item++)
		set_default(p, item);
}

/* A machine whose clock cannot be set is worse off than before: this name stays allowed whatever else is. */
static void allow_built_in(struct policy *p)
{
	for (uint32_t i = 0; i < p->dns.n_allow; i++)
		if (strcmp(p->dns.allow[i], "pool.ntp.org") == 0)
			return;
	if (p->dns.n_allow < POLICY_PATTERNS)
		(void) text_copy(p->dns.allow[p->dns.n_allow++], sizeof(p->dns.allow[0]), "pool.ntp.org");
}

static int same_name_twice(const struct policy *p, struct pv_buf *err)
{
	for (uint32_t i = 0; i < p->n_channels; i++)
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(p->channels[i].name, p->channels[j].name) == 0) {
				pv_buf_puts(err, "configuration: notify.channels: two channels are named `");
				pv_buf_safe(err, p->channels[i].name, 0);
				pv_buf_puts(err, "`; give each a `name` of its own\n");
				return -EINVAL;
			}
	return 0;
}

int conf_finish(struct policy *p, struct pv_buf *err)
{
	int r = same_name_twice(p, err);
	char line[256] = "";

	/* The rule looks at fifths of the window: each needs a sample. */
	if (p->cpu.hold_us < 5 * p->sample_us) {
		pv_buf_puts(err, "configuration: cpu.for is shorter than five times `sample`; make it longer, or sample "
				 "more often\n");
		r = -EINVAL;
	}
	if (p->ban.max_us < p->login.ban_us) {
		pv_buf_puts(err, "configuration: ban.max is shorter than login.ban; right would be at least the same\n");
		r = -EINVAL;
	}
	allow_built_in(p);
	if (dns_table_build(&p->dns.table, p->dns.names, p->dns.n_names, p->dns.allow, p->dns.n_allow, line, sizeof(line)) < 0) {
		pv_buf_printf(err, "configuration: dns.names, dns.allow: %s; right would be fewer or shorter patterns\n", line);
		r = -EINVAL;
	}
	if (r == 0 && policy_check(p) < 0) {
		pv_buf_puts(err, "configuration: does not pass its own check; please report this\n");
		r = -EINVAL;
	}
	return r;
}

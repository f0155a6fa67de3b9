/* pvbans - what test/system/test_bans.py and bench drive: the broker's bans without a broker.
 *
 *   pvbans ban PREFIX SECONDS | unban PREFIX | off SECONDS | on | remove | check | dropped | test PREFIX
 *   pvbans load N          N bans of 203.0.113.0 and above at once; prints milliseconds
 *   pvbans never PREFIX    prints the reason's number
 *   --raw, --prefix6 N first */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "broker/never.h"
#include "broker/nft.h"

static int load(struct nft *n, uint32_t count)
{
	struct broker_ban *bans = calloc(count, sizeof(*bans));
	uint64_t start;
	int r;

	for (uint32_t i = 0; bans && i < count; i++) {
		struct ip_addr a = ip_from_v4(__builtin_bswap32(0xcb007100u + i));

		bans[i] = (struct broker_ban){ .prefix = 128, .seconds = 3600 + i % 1000 };
		memcpy(bans[i].addr, a.b, 16);
	}
	start = clock_monotonic_us();
	r = bans ? nft_load(n, bans, count) : -ENOMEM;
	printf("%.1f\n", (double) (clock_monotonic_us() - start) / 1000);
	free(bans);
	return r;
}

int main(int argc, char **argv)
{
	struct nft_form form = { .prefix6 = 64 };
	static struct policy policy;
	pv_auto(never) never = NULL;
	pv_auto(nft) n = NULL;
	struct ip_prefix who = { .len = 0 };
	uint32_t v = 0;
	uint64_t packets = 0;
	const char *verb;
	int r;

	for (argv++; *argv && **argv == '-'; argv++) {
		if (strcmp(*argv, "--raw") == 0)
			form.raw = true;
		else if (strcmp(*argv, "--prefix6") == 0 && argv[1] && parse_u32(*++argv, &v) == 0)
			form.prefix6 = (uint8_t) v;
	}
	verb = argc > 1 && *argv ? *argv++ : "";
	if (*argv && ip_prefix_parse(*argv, &who) == 0 && argv[1])
		(void) parse_u32(argv[1], &v);
	else if (*argv)
		(void) parse_u32(*argv, &v);
	if (nft_new(&n) < 0 || never_new(&never) < 0)
		return 1;
	if (strcmp(verb, "never") == 0) {
		printf("%d\n", never_check(never, &policy, &who, 1));
		return 0;
	}
	if (strcmp(verb, "other") == 0) {
		enum ban_other other = OTHER_N;

		r = nft_look_others(&who.addr, &other);
		printf("%d %d\n", r, other);
		return 0;
	}
	r = strcmp(verb, "remove") == 0 ? 0 : nft_form(n, &form);
	if (r == 0 && strcmp(verb, "ban") == 0)
		r = nft_ban(n, &who, v);
	else if (r == 0 && strcmp(verb, "unban") == 0)
		r = nft_unban(n, &who);
	else if (r == 0 && strcmp(verb, "off") == 0)
		r = nft_off(n, v);
	else if (r == 0 && strcmp(verb, "on") == 0)
		r = nft_off(n, 0);
	else if (r == 0 && strcmp(verb, "remove") == 0)
		r = nft_remove(n);
	else if (r == 0 && strcmp(verb, "load") == 0)
		r = load(n, v);
	else if (r == 0 && strcmp(verb, "test") == 0)
		r = nft_test(n, &who);
	else if (r == 0 && strcmp(verb, "dropped") == 0 && (r = nft_dropped(n, &packets)) == 0)
		printf("%llu\n", (unsigned long long) packets);
	if (r < 0)
		fprintf(stderr, "%s: %s\n", verb, strerror(-r));
	return r < 0;
}

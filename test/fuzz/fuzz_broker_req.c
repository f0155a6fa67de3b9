/* A stream of datagrams for the broker. Promises: it never crashes and leaves no cgroup open; only what keeps to the
 * protocol is answered; a refused request reaches no operation; more than five different workloads are never harmed
 * within a minute. (That operations see checked arguments only, they assert themselves: fake_broker.h.) */
#include <assert.h>
#include <stdio.h>

#include "../unit/fake_broker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool harms(const char *reached, const struct broker_req *req)
{
	if (strcmp(reached, "api") == 0)
		return req->arg == API_KILL || req->arg == API_STOP || req->arg == API_PAUSE;
	return strcmp(reached, "kill") == 0 || strcmp(reached, "freeze") == 0;
}

static void note(uint64_t *harmed, size_t *n, uint64_t cgroup)
{
	for (size_t i = 0; i < *n; i++)
		if (harmed[i] == cgroup)
			return;
	assert(*n < 5);
	harmed[(*n)++] = cgroup;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct policy policy = { .n_exceptions = 3, .exceptions = { { .signal = SIGNAL_NET }, { .signal = SIGNAL_CPU },
									  { .signal = SIGNAL_N } } };
	struct fake f = { 0 };
	struct requests r = { .ops = &fake_ops, .ctx = &f, .policy = &policy, .kills = LIMIT_KILL, .bans = LIMIT_BANS, .loads = LIMIT_LOADS, .captures = LIMIT_CAPTURES };
	uint64_t harmed[6];
	size_t n = 0;

	while (size) {
		size_t len = PV_MIN(size, sizeof(struct broker_req));
		struct broker_req req = { 0 };
		struct broker_answer a;
		int err;

		memcpy(&req, data, len);
		f.reached[0] = '\0';
		err = requests_handle(&r, data, len, 0, &a);
		assert(f.open == 0);
		assert((err == 0) == (len == sizeof(req) && req.seq && requests_name(req.op)));
		assert(err == 0 || err == -EBADMSG);
		if (err == 0) {
			assert(a.rep.seq == req.seq && a.rep.result <= 0);
			assert((a.rep.result == 0) == (f.reached[0] != '\0'));
			if (harms(f.reached, &req))
				note(harmed, &n, req.cgroup);
		} else {
			assert(!f.reached[0]);
		}
		data += len;
		size -= len;
	}
	return 0;
}

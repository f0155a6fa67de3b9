/* Promise of model/conf.h: any text either loads into a policy that passes its own check, and what `config show` prints
 * of it loads again, or there is at least one message, with a position, without control characters. */
#include <assert.h>
#include <string.h>

#include "model/conf.h"

/* The library itself forgets a buffer at some unfinished quotes (0.7.12). The policy child reads once and ends, so this is
 * no matter of ours; leaks of our own code are still found. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libfyaml.so";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct policy p, again;
	pv_autobuf err = PV_BUF_INIT, notes = PV_BUF_INIT, out = PV_BUF_INIT;
	int r;

	conf_defaults(&p);
	r = conf_read_noted(&p, "f", (const char *) data, size, &err, &notes, NULL);
	assert(r == 0 || err.len > 0);
	if (err.len)
		assert(strncmp(err.data, "f:", 2) == 0 && err.data[err.len - 1] == '\n');
	for (size_t i = 0; i < err.len; i++)
		assert(err.data[i] == '\n' || ((unsigned char) err.data[i] >= 0x20 && err.data[i] != 0x7f));
	if (r < 0 || conf_finish(&p, &err) < 0)
		return 0;
	assert(policy_check(&p) == 0);
	conf_show(&out, &p, NULL);
	conf_defaults(&again);
	assert(conf_read(&again, "shown", out.data, out.len, &err) == 0);
	assert(conf_finish(&again, &err) == 0);
	assert(again.n_exceptions == p.n_exceptions && again.n_channels == p.n_channels);
	assert(again.net.n_ports == p.net.n_ports && memcmp(again.net.ports, p.net.ports, sizeof(p.net.ports)) == 0);
	assert(again.dns.n_names == p.dns.n_names && memcmp(again.dns.names, p.dns.names, sizeof(p.dns.names)) == 0);
	assert(again.cpu.hold_us == p.cpu.hold_us && again.memory.limit == p.memory.limit && again.cpu.limit == p.cpu.limit);
	return 0;
}

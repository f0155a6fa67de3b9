/* Any text is a configuration of sshd. It is read to its end, with files that include each other; what stands first wins,
 * whatever follows. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "check/sshd_conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const char *text;
	size_t len;
};

static int each(void *user, const char *pattern, void (*fn)(void *arg, const char *path, const char *text, size_t len), void *arg)
{
	const struct input *in = user;

	assert(*pattern == '/');
	fn(arg, "/etc/ssh/sshd_config.d/x.conf", in->text, in->len); /* itself, again and again */
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char first[] = "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin no\n";
	struct sshd_conf *c = calloc(1, sizeof(*c));
	struct input in = { (const char *) data, size };
	struct conf_source files = { each, &in };
	const struct sshd_value *why;
	auto_arena a = { 0 };

	a.cap = 8 << 20;
	assert(c && sshd_conf_read(&a, c, "x", first, sizeof(first) - 1, NULL) == 0);
	if (sshd_conf_read(&a, c, "/etc/ssh/sshd_config", in.text, in.len, &files) == 0) {
		assert(!sshd_password_possible(c, &c->global, &why));
		assert(strcmp(sshd_root_login(c, &c->global), "no") == 0);
		assert(c->n_matches <= SSHD_MATCHES && c->n_ports <= SSHD_PORTS);
		for (size_t i = 0; i < c->n_matches; i++)
			assert(c->match[i].criteria);
	}
	free(c);
	return 0;
}

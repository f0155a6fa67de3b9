/* Any text is a configuration of nginx, Apache or Caddy: read to its end, with files that include each other. What stands
 * before it stays a site of its own, and no site has a name that is empty. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "check/web.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const char *text;
	size_t len;
};

static int each(void *user, const char *pattern, void (*fn)(void *arg, const char *path, const char *text, size_t len), void *arg)
{
	const struct input *in = user;

	assert(*pattern == '/');
	fn(arg, "/etc/x/included.conf", in->text, in->len);
	return 0;
}

static void look(const struct web *w)
{
	assert(w->n <= WEB_SITES && w->files <= WEB_FILES && w->depth == 0);
	for (size_t i = 0; i < w->n; i++) {
		assert(w->site[i].server && w->site[i].n_names <= WEB_NAMES);
		for (size_t k = 0; k < w->site[i].n_names; k++)
			assert(*w->site[i].name[k]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int (*const readers[])(struct web *, const char *, const char *, size_t, const struct conf_source *) = { web_read_nginx, web_read_apache,
														       web_read_caddy };
	static const char *const first[] = { "server { listen 80; server_name first.example.com; }\n",
					     "<VirtualHost *:80>\nServerName first.example.com\n</VirtualHost>\n", "http://first.example.com {\n}\n" };
	struct input in = { (const char *) data, size };
	const struct conf_source files = { each, &in };

	for (size_t i = 0; i < N_ELEMENTS(readers); i++) {
		auto_arena a = { 0 };
		struct web w = { .arena = &a };

		a.cap = 16 << 20;
		assert(readers[i](&w, "/etc/x/first.conf", first[i], strlen(first[i]), NULL) == 0);
		assert(w.n == 1 && w.site[0].http && strcmp(w.site[0].name[0], "first.example.com") == 0);
		(void) readers[i](&w, "/etc/x/second.conf", in.text, in.len, &files);
		assert(w.n >= 1 && strcmp(w.site[0].name[0], "first.example.com") == 0);
		look(&w);
	}
	return 0;
}

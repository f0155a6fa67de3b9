/* httpd.conf: a directive a line, sections in angle brackets (https://httpd.apache.org/docs/2.4/configuring.html). */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "check/web.h"

#define LINE_MAX_LEN 8192
#define WORDS_MAX    40

struct reader {
	struct web *w;
	const struct conf_source *files;
	const char *path, *root;
	size_t site;
	bool has_site, any_site;
	bool listens_http, listens_https; /* of the main server */
	char line[LINE_MAX_LEN];
	char *word[WORDS_MAX];
	size_t n;
	unsigned number;
	struct web_site main; /* what stands outside of every <VirtualHost> */
};

static struct web_site *site(struct reader *r)
{
	return r->has_site ? &r->w->site[r->site] : &r->main;
}

static void cut_words(struct reader *r)
{
	char *s = r->line;

	for (r->n = 0; r->n < WORDS_MAX;) {
		s += strspn(s, " \t\r");
		if (!*s)
			return;
		if (*s == '"') {
			char *out = ++s;

			r->word[r->n++] = out;
			for (; *s && *s != '"'; s++) {
				if (*s == '\\' && (s[1] == '"' || s[1] == '\\'))
					s++;
				*out++ = *s;
			}
			s += *s == '"';
			*out = '\0';
		} else {
			r->word[r->n++] = s;
			s += strcspn(s, " \t\r");
			if (*s)
				*s++ = '\0';
		}
	}
}

static unsigned port_of(const char *s)
{
	const char *colon = strrchr(s, ':');

	return (unsigned) strtoul(colon ? colon + 1 : s, NULL, 10);
}

static bool loopback(const char *s)
{
	return strncmp(s, "127.", 4) == 0 || strncmp(s, "[::1]", 5) == 0 || strncmp(s, "localhost", 9) == 0;
}

/* <VirtualHost *:80 [::]:80>: whether it speaks TLS is what SSLEngine says; see close_host(). */
static void open_host(struct reader *r)
{
	struct web_site *s;

	if (r->has_site)
		return;
	s = web_site_add(r->w, "Apache", r->path, r->number);
	if (!s)
		return;
	r->has_site = r->any_site = true;
	r->site = r->w->n - 1;
	for (size_t i = 1; i < r->n; i++) {
		char *end = strchr(r->word[i], '>');

		if (end)
			*end = '\0';
		if (*r->word[i] && !loopback(r->word[i]))
			s->http = true;
	}
}

static void close_host(struct reader *r)
{
	struct web_site *s = site(r);

	if (s->https)
		s->https = s->http, s->http = false;
	r->has_site = false;
}

static void add_name(struct reader *r, const char *word)
{
	const char *s = strstr(word, "://") ? strstr(word, "://") + 3 : word;

	web_name_add(r->w, site(r), s, strcspn(s, ":/"));
}

static bool to_https(const char *s)
{
	return strncasecmp(s, "https://", 8) == 0;
}

/* Redirect permanent / https://example.com/, RedirectMatch ^/(.*) https://..., RewriteRule ^ https://... */
static void on_redirect(struct reader *r, bool rewrite)
{
	const char *last = r->n > 2 ? r->word[r->n - 1] : "", *from = r->n > 2 ? r->word[r->n - 2] : "";

	if (rewrite) {
		from = r->n > 1 ? r->word[1] : "";
		last = r->n > 2 ? r->word[2] : "";
	}
	if (to_https(last) && (*from == '/' ? from[1] == '\0' : *from == '^' || *from == '(' || *from == '.'))
		site(r)->redirects = true;
}

static const char *keep(struct reader *r, const char *path)
{
	return *path == '/' ? arena_dup(r->w->arena, path) : arena_printf(r->w->arena, "%s/%s", r->root, path);
}

static void read_text(struct reader *r, const char *path, const char *text, size_t len);

static void include_one(void *arg, const char *path, const char *text, size_t len)
{
	struct reader *r = arg;
	const char *before = r->path;
	unsigned number = r->number;

	read_text(r, path, text, len);
	r->path = before;
	r->number = number;
}

static void on_listen(struct reader *r)
{
	unsigned port = r->n > 1 ? port_of(r->word[1]) : 0;

	if (!port || loopback(r->word[1]))
		return;
	if (port == 443 || (r->n > 2 && strcasecmp(r->word[2], "https") == 0))
		r->listens_https = true;
	else
		r->listens_http = true;
}

static void on_line(struct reader *r)
{
	const char *word = r->n ? r->word[0] : "";

	if (strcasecmp(word, "<VirtualHost") == 0)
		open_host(r);
	else if (strcasecmp(word, "</VirtualHost>") == 0)
		close_host(r);
	else if (r->n < 2)
		return;
	else if (strcasecmp(word, "Include") == 0 || strcasecmp(word, "IncludeOptional") == 0)
		web_include(r->w, r->files, r->root, arena_dup(r->w->arena, r->word[1]) ?: "", include_one, r);
	else if (strcasecmp(word, "ServerRoot") == 0 && *r->word[1] == '/')
		r->root = arena_dup(r->w->arena, r->word[1]) ?: r->root;
	else if (strcasecmp(word, "Listen") == 0)
		on_listen(r);
	else if (strcasecmp(word, "ServerName") == 0)
		add_name(r, r->word[1]);
	else if (strcasecmp(word, "ServerAlias") == 0 || strcasecmp(word, "MDomain") == 0)
		for (size_t i = 1; i < r->n; i++)
			add_name(r, r->word[i]);
	else if (strcasecmp(word, "SSLEngine") == 0)
		site(r)->https = strcasecmp(r->word[1], "on") == 0;
	else if (strcasecmp(word, "SSLCertificateFile") == 0)
		site(r)->cert = keep(r, r->word[1]);
	else if (strcasecmp(word, "SSLCertificateKeyFile") == 0)
		site(r)->key = keep(r, r->word[1]);
	else if (strcasecmp(word, "Redirect") == 0 || strcasecmp(word, "RedirectMatch") == 0 ||
		 strcasecmp(word, "RedirectPermanent") == 0)
		on_redirect(r, false);
	else if (strcasecmp(word, "RewriteRule") == 0)
		on_redirect(r, true);
	if (strcasecmp(word, "MDomain") == 0)
		site(r)->own_certs = true;
}

/* A line that ends with a backslash goes on. */
static void read_text(struct reader *r, const char *path, const char *text, size_t len)
{
	const char *end = text + len;
	size_t used = 0;

	r->path = arena_dup(r->w->arena, path);
	r->number = 0;
	for (const char *p = text; p < end;) {
		const char *lf = memchr(p, '\n', (size_t) (end - p)), *stop = lf ? lf : end;
		size_t n = (size_t) (stop - p);
		bool more = n && stop[-1] == '\\';

		r->number++;
		n -= more;
		n = PV_MIN(n, LINE_MAX_LEN - 1 - used);
		memcpy(r->line + used, p, n);
		used += n;
		p = lf ? lf + 1 : end;
		if (more && p < end)
			continue;
		r->line[used] = '\0';
		used = 0;
		if (r->line[strspn(r->line, " \t")] == '#')
			continue;
		cut_words(r);
		on_line(r);
	}
}

int web_read_apache(struct web *w, const char *path, const char *text, size_t len, const struct conf_source *files)
{
	struct reader *r = arena_alloc(w->arena, sizeof(*r));
	struct web_site *s;

	if (!r)
		return -ENOMEM;
	*r = (struct reader){ .w = w,
			      .files = files,
			      .root = strncmp(path, "/etc/httpd", 10) == 0 ? "/etc/httpd" : "/etc/apache2",
			      .main = { .server = "Apache", .file = path } };
	read_text(r, path, text, len);
	if (r->has_site)
		close_host(r);
	if (r->any_site || (!r->listens_http && !r->listens_https))
		return w->arena->poor ? -ENOMEM : 0;
	s = web_site_add(w, "Apache", path, 1); /* no host of its own: the main server answers */
	if (s) {
		unsigned line = s->line;
		bool tls = r->main.https;

		*s = r->main;
		s->line = line;
		s->https = tls && r->listens_https;
		s->http = r->listens_http;
	}
	return w->arena->poor ? -ENOMEM : 0;
}

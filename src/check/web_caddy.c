/* Caddyfile: addresses, blocks in braces, a directive a line (https://caddyserver.com/docs/caddyfile/concepts). A name gets
 * HTTPS, its certificate and the way there from HTTP by itself, unless it is told otherwise. */
#include <string.h>
#include <strings.h>

#include "check/web.h"

#define WORDS_MAX 80
#define BASE	  "/etc/caddy"

enum automatic { ALL, NO_REDIRECTS, NOTHING };

struct reader {
	struct web *w;
	const struct conf_source *files;
	const char *path;
	enum automatic automatic;
	unsigned depth, line;
	bool global, snippet, opened; /* what the block of depth 1 is; opened: some block was there */
	size_t first, last;	      /* sites of the block: first <= i < last */
	char *word[WORDS_MAX];
	size_t n;
};

/* "example.com", "http://x", "https://x:8443", ":80", "*.example.com", "localhost" */
static void add_address(struct reader *r, const char *s)
{
	bool http = strncmp(s, "http://", 7) == 0, https = strncmp(s, "https://", 8) == 0, named;
	const char *host = http ? s + 7 : https ? s + 8 : s, *port;
	size_t len = strcspn(host, ":/");
	struct web_site *to;

	if (!*s || strcmp(s, ",") == 0)
		return;
	port = host[len] == ':' ? host + len + 1 : "";
	if (strncmp(port, "80", 2) == 0 && (port[2] == '\0' || port[2] == '/'))
		http = true;
	to = web_site_add(r->w, "Caddy", r->path, r->line);
	if (!to)
		return;
	if (len)
		web_name_add(r->w, to, host, len);
	named = to->n_names && web_name_public(to->name[0]);
	to->http = http || (!https && !named);
	to->https = !to->http && (https || r->automatic != NOTHING || strncmp(port, "443", 3) == 0);
	to->http = to->http || !to->https;
	to->own_certs = to->https && named;
	to->redirects = to->https && r->automatic == ALL; /* it answers on port 80 with the way to HTTPS */
	r->last = r->w->n;
}

static void read_text(struct reader *r, const char *path, const char *text, size_t len);

static void include_one(void *arg, const char *path, const char *text, size_t len)
{
	struct reader *r = arg, before = *r;

	read_text(r, path, text, len);
	r->path = before.path;
	r->line = before.line;
	r->depth = before.depth;
	r->n = 0;
}

static void of_site(struct reader *r, const char *word)
{
	for (size_t i = r->first; i < r->last && i < r->w->n; i++) {
		struct web_site *s = &r->w->site[i];

		if (strcmp(word, "tls") == 0 && r->n > 2 && *r->word[1] == '/' && *r->word[2] == '/') {
			s->cert = arena_dup(r->w->arena, r->word[1]);
			s->key = arena_dup(r->w->arena, r->word[2]);
			s->own_certs = false;
			s->https = true;
		} else if (strcmp(word, "redir") == 0) {
			for (size_t k = 1; k < r->n; k++)
				s->redirects = s->redirects || strncmp(r->word[k], "https://", 8) == 0;
		} else if (strcmp(word, "respond") == 0 && r->n > 1 && (*r->word[1] == '4' || *r->word[1] == '5')) {
			s->refuses = true;
		}
	}
}

static void on_line(struct reader *r)
{
	const char *word = r->n ? r->word[0] : "";

	if (strcmp(word, "import") == 0 && r->n > 1 && strpbrk(r->word[1], "/*.")) {
		web_include(r->w, r->files, BASE, arena_dup(r->w->arena, r->word[1]) ?: "", include_one, r);
	} else if (r->depth == 1 && r->global && strcmp(word, "auto_https") == 0 && r->n > 1) {
		r->automatic = strcmp(r->word[1], "off") == 0		      ? NOTHING
			       : strcmp(r->word[1], "disable_redirects") == 0 ? NO_REDIRECTS
									      : r->automatic;
	} else if (r->depth == 1 && !r->global && !r->snippet) {
		of_site(r, word);
	} else if (r->depth == 0 && r->n) { /* a file without braces: its first line is the address */
		if (!r->opened && r->first == r->last) {
			r->first = r->w->n;
			for (size_t i = 0; i < r->n; i++)
				add_address(r, r->word[i]);
			r->opened = r->first == r->last;
		} else {
			of_site(r, word);
		}
	}
}

static void open_block(struct reader *r)
{
	if (r->depth++)
		return;
	r->global = r->n == 0 && !r->opened;
	r->snippet = r->n && *r->word[0] == '(';
	r->opened = true;
	r->first = r->last = r->w->n;
	for (size_t i = 0; i < r->n && !r->snippet; i++) {
		size_t len = strlen(r->word[i]);

		while (len && r->word[i][len - 1] == ',')
			r->word[i][--len] = '\0';
		add_address(r, r->word[i]);
	}
}

static void add_word(struct reader *r, char *s)
{
	if (r->n < WORDS_MAX)
		r->word[r->n++] = s;
}

/* One word behind *p on this line, cut off; NULL: the line is over. */
static char *next_word(char **p)
{
	char *s = *p + strspn(*p, " \t\r"), *start = s, quote = *s == '"' || *s == '`' ? *s : '\0';

	if (!*s || *s == '#')
		return NULL;
	if (quote) {
		start = ++s;
		while (*s && *s != quote)
			s++;
	} else {
		s += strcspn(s, " \t\r");
	}
	*p = *s ? s + 1 : s;
	*s = '\0';
	return start;
}

static void read_line(struct reader *r, char *line)
{
	bool goes_on = false;

	for (char *word; (word = next_word(&line));) {
		if (strcmp(word, "{") == 0) {
			open_block(r);
			r->n = 0;
		} else if (strcmp(word, "}") == 0) {
			if (r->n)
				on_line(r);
			r->n = 0;
			r->depth -= r->depth > 0;
		} else {
			add_word(r, word);
		}
	}
	/* addresses may go on behind a comma */
	if (r->n && r->depth == 0) {
		const char *last = r->word[r->n - 1];

		goes_on = *last && last[strlen(last) - 1] == ',';
	}
	if (!goes_on && r->n) {
		on_line(r);
		r->n = 0;
	}
}

static void read_text(struct reader *r, const char *path, const char *text, size_t len)
{
	char *own = arena_ndup(r->w->arena, text, len), *save = own;

	r->path = arena_dup(r->w->arena, path);
	r->line = 0;
	r->n = 0;
	while (save && *save) {
		char *line = save, *lf = strchr(save, '\n');

		save = lf ? lf + 1 : NULL;
		if (lf)
			*lf = '\0';
		r->line++;
		read_line(r, line);
	}
}

int web_read_caddy(struct web *w, const char *path, const char *text, size_t len, const struct conf_source *files)
{
	struct reader *r = arena_alloc(w->arena, sizeof(*r));

	if (!r)
		return -ENOMEM;
	*r = (struct reader){ .w = w, .files = files, .first = w->n, .last = w->n };
	read_text(r, path, text, len);
	return w->arena->poor ? -ENOMEM : 0;
}

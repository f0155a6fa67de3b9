/* nginx.conf: words, blocks in braces, semicolons (http://nginx.org/en/docs/). */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "check/web.h"

#define WORDS_MAX 80
#define LEVELS    64

enum context { OUTSIDE, HTTP, SERVER, ROOT /* location / */, CONDITION /* if below a server */, OTHER };

struct reader {
	struct web *w;
	const struct conf_source *files;
	const char *path;
	enum context level[LEVELS];
	unsigned depth, too_deep;
	size_t site;   /* index of the current one: the list may move */
	bool has_site; /* inside of a server */
	const char *cert, *key; /* of the block http */
	char *word[WORDS_MAX];
	size_t n;
	unsigned line;
};

static struct web_site *site(struct reader *r)
{
	return r->has_site ? &r->w->site[r->site] : NULL;
}

/* "443", "*:443", "[::]:443", "127.0.0.1:8080", "example.com:80", "unix:/x" */
static void on_listen(struct reader *r, struct web_site *s)
{
	const char *at = r->n > 1 ? r->word[1] : "", *colon = strrchr(at, ':');
	bool loop = strncmp(at, "127.", 4) == 0 || strncmp(at, "[::1]", 5) == 0 || strncmp(at, "localhost", 9) == 0,
	     ssl = false;

	if (strncmp(at, "unix:", 5) == 0 || loop)
		return;
	for (size_t i = 2; i < r->n; i++)
		ssl = ssl || strcmp(r->word[i], "ssl") == 0 || strcmp(r->word[i], "quic") == 0;
	(void) colon;
	if (ssl)
		s->https = true;
	else
		s->http = true;
}

static bool to_https(const char *url)
{
	return strncmp(url, "https://", 8) == 0;
}

static void on_return(struct reader *r, struct web_site *s, enum context c)
{
	const char *first = r->n > 1 ? r->word[1] : "", *url = r->n > 2 ? r->word[2] : first;

	if (to_https(url))
		s->redirects = true;
	else if (c == SERVER && (*first == '4' || *first == '5'))
		s->refuses = true;
}

/* rewrite ^ https://$host$request_uri permanent; */
static void on_rewrite(struct reader *r, struct web_site *s)
{
	if (r->n > 2 && to_https(r->word[2]) && (strncmp(r->word[1], "^", 1) == 0 || strcmp(r->word[1], ".*") == 0))
		s->redirects = true;
}

static const char *keep(struct reader *r, const char *word)
{
	return *word == '/' || strchr(word, '$') ? arena_dup(r->w->arena, word)
						 : arena_printf(r->w->arena, "/etc/nginx/%s", word);
}

static void read_text(struct reader *r, const char *path, const char *text, size_t len);

static void include_one(void *arg, const char *path, const char *text, size_t len)
{
	struct reader *r = arg, before = *r;

	read_text(r, path, text, len);
	/* what a file leaves open ends with it, as nginx would not even start */
	r->path = before.path;
	r->depth = before.depth;
	r->too_deep = before.too_deep;
	r->has_site = before.has_site;
	r->site = before.site;
	r->line = before.line;
}

static void on_directive(struct reader *r)
{
	enum context c = r->level[r->depth];
	const char *word = r->n ? r->word[0] : "";
	struct web_site *s = site(r);

	if (strcmp(word, "include") == 0 && r->n > 1) {
		web_include(r->w, r->files, "/etc/nginx", arena_dup(r->w->arena, r->word[1]) ?: "", include_one, r);
		return;
	}
	if (strcmp(word, "ssl_certificate") == 0 && r->n > 1 && (c == SERVER || c == HTTP))
		*(s ? &s->cert : &r->cert) = keep(r, r->word[1]);
	else if (strcmp(word, "ssl_certificate_key") == 0 && r->n > 1 && (c == SERVER || c == HTTP))
		*(s ? &s->key : &r->key) = keep(r, r->word[1]);
	if (!s)
		return;
	if (c == SERVER && strcmp(word, "listen") == 0)
		on_listen(r, s);
	else if (c == SERVER && strcmp(word, "server_name") == 0)
		for (size_t i = 1; i < r->n; i++)
			web_name_add(r->w, s, r->word[i], strlen(r->word[i]));
	else if (strcmp(word, "return") == 0 && (c == SERVER || c == ROOT || c == CONDITION))
		on_return(r, s, c);
	else if (strcmp(word, "rewrite") == 0 && (c == SERVER || c == ROOT || c == CONDITION))
		on_rewrite(r, s);
	else if (c == SERVER && strcmp(word, "ssl") == 0 && r->n > 1 && strcmp(r->word[1], "on") == 0)
		s->https = true, s->http = false;
	else if (c == SERVER && strcmp(word, "ssl_reject_handshake") == 0 && r->n > 1 && strcmp(r->word[1], "on") == 0)
		s->refuses = true;
}

static bool everything(const struct reader *r) /* location /, location ^~ / */
{
	return r->n > 1 && strcmp(r->word[r->n - 1], "/") == 0;
}

static void open_block(struct reader *r)
{
	enum context above = r->level[r->depth], c = OTHER;
	const char *word = r->n ? r->word[0] : "";

	if (strcmp(word, "http") == 0 && above == OUTSIDE)
		c = HTTP;
	else if (strcmp(word, "server") == 0 && (above == HTTP || (above == OUTSIDE && r->depth == 0)))
		c = SERVER;
	else if (strcmp(word, "location") == 0 && above == SERVER && everything(r))
		c = ROOT;
	else if (strcmp(word, "if") == 0 && (above == SERVER || above == ROOT))
		c = CONDITION;
	if (r->depth + 1 >= LEVELS) {
		r->too_deep++;
		return;
	}
	r->level[++r->depth] = c;
	if (c == SERVER && !r->has_site && web_site_add(r->w, "nginx", r->path, r->line)) {
		r->has_site = true;
		r->site = r->w->n - 1;
	}
}

static void close_block(struct reader *r)
{
	struct web_site *s = site(r);

	if (r->too_deep) {
		r->too_deep--;
		return;
	}
	if (!r->depth)
		return;
	if (r->level[r->depth--] != SERVER || !s)
		return;
	if (!s->http && !s->https)
		s->http = true; /* without listen it is *:80 */
	if (s->https && !s->cert)
		s->cert = r->cert;
	if (s->https && !s->key)
		s->key = r->key;
	r->has_site = false;
}

/* The next word; what stands in quotes is one. NULL: a brace or a semicolon, in *ret_mark; '\0': the end. */
static char *next_word(struct reader *r, char **p, char *ret_mark)
{
	char *s = *p, *start, *out;

	for (;; s++) {
		if (*s == '\n')
			r->line++;
		if (*s == '#')
			while (s[1] && s[1] != '\n')
				s++;
		else if (*s != ' ' && *s != '\t' && *s != '\n' && *s != '\r')
			break;
	}
	*ret_mark = *s;
	if (!*s || *s == '{' || *s == '}' || *s == ';') {
		*p = *s ? s + 1 : s;
		return NULL;
	}
	start = out = s;
	if (*s == '"' || *s == '\'') {
		char quote = *s++;

		for (; *s && *s != quote; s++) {
			if (*s == '\\' && s[1])
				s++;
			if (*s == '\n')
				r->line++;
			*out++ = *s;
		}
		*p = *s ? s + 1 : s;
		*out = '\0';
		return start;
	}
	while (*s && !strchr(" \t\r\n;", *s) && !(*s == '{' && (s == start || s[-1] != '$')))
		s++;
	*ret_mark = *s;
	*p = s;
	return start;
}

/* Words end where the mark behind them stands, so each is cut off once the next has been found. */
static void read_text(struct reader *r, const char *path, const char *text, size_t len)
{
	char *own = arena_ndup(r->w->arena, text, len), *p = own, mark;

	if (!own)
		return;
	r->path = arena_dup(r->w->arena, path);
	r->line = 1;
	r->n = 0;
	for (;;) {
		char *word = next_word(r, &p, &mark);

		if (word) {
			bool ends = *p == ';' || *p == '{';
			char behind = *p;

			if (*p && !ends)
				*p++ = '\0'; /* a blank; a line's end counts all the same */
			r->line += behind == '\n';
			if (ends)
				word = arena_ndup(r->w->arena, word, (size_t) (p - word));
			if (word && r->n < WORDS_MAX)
				r->word[r->n++] = word;
			continue;
		}
		if (!mark)
			return;
		if (mark == ';')
			on_directive(r);
		else if (mark == '{')
			open_block(r);
		else
			close_block(r);
		r->n = 0;
	}
}

int web_read_nginx(struct web *w, const char *path, const char *text, size_t len, const struct conf_source *files)
{
	struct reader *r = arena_alloc(w->arena, sizeof(*r));

	if (!r)
		return -ENOMEM;
	*r = (struct reader){ .w = w, .files = files };
	read_text(r, path, text, len);
	if (r->depth || r->too_deep)
		web_gap(w, REASON_MALFORMED, "a block of nginx.conf that is not closed");
	return w->arena->poor ? -ENOMEM : 0;
}

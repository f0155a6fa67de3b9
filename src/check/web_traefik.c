/* Traefik by the labels of containers and services: routers, their rules, entry points and middlewares
 * (https://doc.traefik.io/traefik/routing/providers/docker/), and by the arguments of Traefik's own container. Its dynamic
 * files are not read. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "check/web.h"

struct traefik {
	bool redirects_all;  /* an entry point sends everything to HTTPS */
	const char *tls[16]; /* entry points whose routers speak TLS */
	size_t n_tls;
};

static bool is_traefik(const struct ctr *c)
{
	const char *at = c->image.text ? strstr(c->image.text, "traefik") : NULL;

	return at && (at == c->image.text || at[-1] == '/') && (at[7] == '\0' || at[7] == ':' || at[7] == '@');
}

static void read_args(struct arena *a, struct traefik *t, const struct ctr *c)
{
	for (size_t i = 0; i < c->args.n; i++) {
		const char *s = c->args.item[i].text, *point = strcasestr(s, "entrypoints."), *dot;

		if (!point)
			continue;
		point += strlen("entrypoints.");
		dot = strchr(point, '.');
		if (!dot)
			continue;
		if (strcasestr(dot, ".http.redirections.entrypoint.to=") ||
		    strcasestr(dot, ".http.redirections.entrypoint.scheme=https"))
			t->redirects_all = true;
		else if (strcasestr(dot, ".http.tls") && !strcasestr(dot, "=false") && t->n_tls < N_ELEMENTS(t->tls))
			t->tls[t->n_tls++] = arena_ndup(a, point, (size_t) (dot - point));
	}
}

/* "traefik.http.routers.NAME.KEY=VALUE": NAME and its length, the rest behind the dot. */
static const char *router_label(const char *label, const char *kind, size_t *ret_len, const char **ret_rest)
{
	size_t n = strlen(kind);
	const char *dot;

	if (strncasecmp(label, kind, n) != 0)
		return NULL;
	dot = strchr(label + n, '.');
	if (!dot)
		return NULL;
	*ret_len = (size_t) (dot - label) - n;
	*ret_rest = dot + 1;
	return label + n;
}

/* Host(`a`, `b`) || Host("c"); HostRegexp and HostSNI are other things. */
static void add_hosts(struct web *w, struct web_site *s, const char *rule)
{
	for (const char *p = rule; (p = strstr(p, "Host(")); p++) {
		const char *end = strchr(p, ')');

		for (const char *q = p + 5; end && q < end;) {
			const char *open = q + strcspn(q, "`\"'"), *close;

			if (open >= end)
				break;
			close = strchr(open + 1, *open);
			if (!close || close > end)
				break;
			web_name_add(w, s, open + 1, (size_t) (close - open - 1));
			q = close + 1;
		}
	}
}

static bool value_is(const char *rest, const char *key, const char **ret)
{
	size_t n = strlen(key);

	if (strncasecmp(rest, key, n) != 0 || rest[n] != '=')
		return false;
	*ret = rest + n + 1;
	return true;
}

/* Some container defines this middleware as a way to HTTPS. `name` may carry @docker. */
static bool leads_to_https(const struct ctr_list *all, const char *name, size_t len)
{
	const char *at = memchr(name, '@', len);

	if (at)
		len = (size_t) (at - name);
	for (size_t i = 0; i < all->n; i++)
		for (size_t k = 0; k < all->item[i]->labels.n; k++) {
			const char *rest, *value, *own;
			size_t n;

			own = router_label(all->item[i]->labels.item[k].text, "traefik.http.middlewares.", &n, &rest);
			if (own && n == len && strncasecmp(own, name, n) == 0 &&
			    value_is(rest, "redirectscheme.scheme", &value) && strcasecmp(value, "https") == 0)
				return true;
		}
	return false;
}

static void on_router_label(struct web_site *s, const struct traefik *t, const struct ctr_list *all, const char *rest)
{
	const char *v;

	if (value_is(rest, "tls", &v))
		s->https = s->https || strcasecmp(v, "true") == 0;
	else if (value_is(rest, "tls.certresolver", &v))
		s->https = s->own_certs = true;
	else if (strncasecmp(rest, "tls.", 4) == 0)
		s->https = true;
	else if (value_is(rest, "entrypoints", &v))
		for (size_t i = 0; i < t->n_tls; i++)
			s->https = s->https || (t->tls[i] && strcasestr(v, t->tls[i]));
	else if (value_is(rest, "middlewares", &v))
		while (*v) {
			size_t n = strcspn(v, ",");

			s->redirects = s->redirects || leads_to_https(all, v, n);
			v += n + (v[n] == ',');
		}
}

/* A site for each router: all labels that name it. */
static void add_router(struct web *w, const struct traefik *t, const struct ctr_list *all, const struct ctr *c,
		       const char *name, size_t len, const char *rule)
{
	struct web_site *s = web_site_add(w, "Traefik", NULL, 0);

	if (!s)
		return;
	add_hosts(w, s, rule);
	for (size_t i = 0; i < c->labels.n; i++) {
		const char *rest, *own;
		size_t n;

		own = router_label(c->labels.item[i].text, "traefik.http.routers.", &n, &rest);
		if (own && n == len && strncasecmp(own, name, n) == 0)
			on_router_label(s, t, all, rest);
	}
	s->http = !s->https;
	s->redirects = s->redirects || t->redirects_all;
}

static bool enabled(const struct ctr *c)
{
	for (size_t i = 0; i < c->labels.n; i++)
		if (strcasecmp(c->labels.item[i].text, "traefik.enable=false") == 0)
			return false;
	return c->labels.n != 0;
}

int web_read_traefik(struct web *w, const struct ctr_list *containers)
{
	struct traefik t = { .redirects_all = false };
	bool any = false;

	for (size_t i = 0; i < containers->n; i++)
		if (is_traefik(containers->item[i])) {
			any = true;
			read_args(w->arena, &t, containers->item[i]);
		}
	for (size_t i = 0; i < containers->n && any; i++) {
		const struct ctr *c = containers->item[i];

		for (size_t k = 0; enabled(c) && k < c->labels.n; k++) {
			const char *rest, *rule, *name;
			size_t n;

			name = router_label(c->labels.item[k].text, "traefik.http.routers.", &n, &rest);
			if (name && value_is(rest, "rule", &rule))
				add_router(w, &t, containers, c, name, n, rule);
		}
	}
	return w->arena->poor ? -ENOMEM : 0;
}

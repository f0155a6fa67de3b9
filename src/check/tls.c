/* tls.*: sites, their certificates, and who renews them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check/gather.h"
#include "engine_api/json.h"
#include "check/remedy.h"
#include "check/web.h"
#include "check/x509.h"

#define DAY	   86400
#define SOON	   (21 * DAY)
#define CERTS_MAX  300
#define CERT_BYTES (1u << 20)
#define LIVE	   "/etc/letsencrypt/live"

struct cert {
	const char *path;
	struct x509 x;
	int error;	/* of reading it */
	bool used;	/* a site names it */
	bool certbot;	/* below /etc/letsencrypt */
	bool by_server; /* of Caddy's or Traefik's store */
};

struct view {
	struct audit *a;
	struct web web;
	struct cert cert[CERTS_MAX];
	size_t n_certs;
	int64_t now;
	bool cut;
};

/* --- certificates --- */

static struct cert *cert_at(struct view *v, const char *path)
{
	pv_autobuf text = PV_BUF_INIT;
	struct cert *c;

	for (size_t i = 0; i < v->n_certs; i++)
		if (strcmp(v->cert[i].path, path) == 0)
			return &v->cert[i];
	if (v->n_certs == CERTS_MAX) {
		v->cut = true;
		return NULL;
	}
	c = &v->cert[v->n_certs++];
	*c = (struct cert){ .path = path, .certbot = strncmp(path, "/etc/letsencrypt/", 17) == 0 };
	c->error = hostfs_read(&v->a->fs, path, CERT_BYTES, &text);
	if (c->error == 0)
		c->error = x509_read_pem(&v->a->arena, pv_buf_str(&text), text.len, &c->x);
	return c;
}

struct listing {
	struct view *v;
	const char *dir;
	unsigned depth;
};

static int live_dir(const char *name, unsigned char type, void *user)
{
	struct view *v = user;
	const char *path = arena_printf(&v->a->arena, LIVE "/%s/fullchain.pem", name);
	struct stat st;

	(void) type;
	if (path && hostfs_stat(&v->a->fs, path, true, &st) == 0)
		(void) cert_at(v, path);
	return 0;
}

static bool ends(const char *s, const char *with)
{
	size_t n = strlen(s), m = strlen(with);

	return n >= m && strcmp(s + n - m, with) == 0;
}

/* certificates/ISSUER/NAME/NAME.crt */
static int caddy_dir(const char *name, unsigned char type, void *user)
{
	struct listing *l = user, inner = { l->v, arena_printf(&l->v->a->arena, "%s/%s", l->dir, name), l->depth + 1 };
	struct cert *c;

	(void) type;
	if (inner.dir && l->depth < 2)
		(void) hostfs_list(&l->v->a->fs, inner.dir, 2000, caddy_dir, &inner);
	else if (inner.dir && ends(name, ".crt") && (c = cert_at(l->v, inner.dir)))
		c->by_server = c->used = true;
	return 0;
}

/* acme.json: { resolver: { Certificates: [ { domain: { main }, certificate: base64 of PEM } ] } } */
static void acme_json(struct view *v, const char *path)
{
	pv_autobuf text = PV_BUF_INIT;
	auto_json *root = NULL;
	const cJSON *resolver, *entry;

	if (hostfs_read(&v->a->fs, path, 4 << 20, &text) < 0 || json_parse(pv_buf_str(&text), text.len, &root) < 0)
		return;
	cJSON_ArrayForEach(resolver, json_object(root))
		cJSON_ArrayForEach(entry, json_array(json_member(resolver, "Certificates")))
	{
		const char *b64 = cJSON_GetStringValue(json_member(entry, "certificate")),
			   *main = cJSON_GetStringValue(json_member(json_member(entry, "domain"), "main"));
		struct cert *c = v->n_certs < CERTS_MAX ? &v->cert[v->n_certs] : NULL;

		if (!b64 || !main || !c)
			continue;
		*c = (struct cert){ .path = arena_printf(&v->a->arena, "%s (%.253s)", path, main),
				    .used = true,
				    .by_server = true };
		c->error = x509_read_wrapped(&v->a->arena, b64, &c->x);
		v->n_certs += c->path != NULL;
	}
}

static void gather_certs(struct view *v)
{
	static const char *const caddy[] = { "/var/lib/caddy/.local/share/caddy/certificates",
					     "/root/.local/share/caddy/certificates" };
	static const char *const acme[] = { "/etc/dokploy/traefik/dynamic/acme.json", "/data/coolify/proxy/acme.json",
					    "/etc/traefik/acme.json" };

	for (size_t i = 0; i < v->web.n; i++) {
		struct cert *c = v->web.site[i].https && v->web.site[i].cert && !strchr(v->web.site[i].cert, '$')
					 ? cert_at(v, v->web.site[i].cert)
					 : NULL;

		if (c)
			c->used = true;
	}
	(void) hostfs_list(&v->a->fs, LIVE, 1000, live_dir, v);
	for (size_t i = 0; i < N_ELEMENTS(caddy); i++) {
		struct listing l = { v, caddy[i], 0 };

		(void) hostfs_list(&v->a->fs, caddy[i], 1000, caddy_dir, &l);
	}
	for (size_t i = 0; i < N_ELEMENTS(acme); i++)
		acme_json(v, acme[i]);
	for (size_t i = 0; i < v->a->n_projects; i++) {
		const char *path = arena_printf(&v->a->arena, "%s/acme.json", v->a->project[i].dir);

		if (path)
			acme_json(v, path);
	}
}

/* --- sites --- */

static void read_conf(struct view *v, const char *path,
		      int (*read)(struct web *, const char *, const char *, size_t, const struct conf_source *))
{
	const struct conf_source files = conf_source_of(v->a);
	pv_autobuf text = PV_BUF_INIT;
	int r = hostfs_read(&v->a->fs, path, 1 << 20, &text);

	if (r == 0)
		(void) read(&v->web, path, pv_buf_str(&text), text.len, &files);
	else if (r != -ENOENT && r != -ENOTDIR)
		web_gap(&v->web, gather_reason(r), path);
}

static void gather_sites(struct view *v)
{
	v->web.arena = &v->a->arena;
	read_conf(v, "/etc/nginx/nginx.conf", web_read_nginx);
	read_conf(v, "/etc/apache2/apache2.conf", web_read_apache);
	read_conf(v, "/etc/httpd/conf/httpd.conf", web_read_apache);
	read_conf(v, "/etc/caddy/Caddyfile", web_read_caddy);
	(void) web_read_traefik(&v->web, &v->a->containers);
}

static bool has_name(const struct web_site *s, const char *name)
{
	for (size_t i = 0; i < s->n_names; i++)
		if (web_name_covers(s->name[i], name))
			return true;
	return false;
}

static struct finding *site_finding(enum id id, const struct web_site *s, const char *name)
{
	struct finding *f = finding_new(id, FINDING_PASS);

	finding_subject(f, SUBJECT_NETWORK, name, s->file, s->line);
	return f;
}

/* The site's certificate was read and is for other names. */
static bool wrong_name(struct view *v, const struct web_site *s, const char *name)
{
	struct cert *c = s->cert && !strchr(s->cert, '$') ? cert_at(v, s->cert) : NULL;

	return c && c->error == 0 && !x509_covers(&c->x, name);
}

static int https_on(struct view *v, const struct web_site *s, const char *name)
{
	struct finding *f = site_finding(ID_TLS_HTTPS_ON, s, name);
	bool any = false, wrong = false;

	if (!f)
		return -ENOMEM;
	for (size_t i = 0; i < v->web.n; i++) {
		const struct web_site *other = &v->web.site[i];

		if (!other->https || !has_name(other, name))
			continue;
		any = true;
		if (!wrong_name(v, other, name))
			continue;
		wrong = true;
		finding_evidence(f, "the certificate is not for this name", other->file, other->line, "%s", other->cert);
	}
	if (!any) {
		f->verdict = FINDING_FAIL;
		finding_evidence(f, s->server, s->file, s->line, "answers over HTTP alone");
	} else if (wrong) {
		f->verdict = FINDING_FAIL;
	}
	if (f->verdict == FINDING_FAIL) {
		pv_autobuf cmd = PV_BUF_INIT;

		if (strcmp(s->server, "nginx") == 0 || strcmp(s->server, "Apache") == 0) {
			pv_buf_printf(&cmd, "certbot --%s -d ", *s->server == 'n' ? "nginx" : "apache");
			remedy_word(&cmd, name);
		}
		finding_remedy(f, "get a certificate for it, and let it listen on 443", cmd.len ? pv_buf_str(&cmd) : NULL);
	}
	return gather_add(v->a, f, NULL);
}

static int redirect(struct view *v, const char *name)
{
	const struct web_site *bad = NULL, *s = NULL;
	struct finding *f;

	for (size_t i = 0; i < v->web.n; i++) {
		if (!v->web.site[i].http || !has_name(&v->web.site[i], name))
			continue;
		s = &v->web.site[i];
		if (!s->redirects && !s->refuses)
			bad = s;
	}
	for (size_t i = 0; i < v->web.n && !s; i++)
		s = has_name(&v->web.site[i], name) ? &v->web.site[i] : NULL;
	f = s ? site_finding(ID_TLS_REDIRECT, bad ? bad : s, name) : NULL;
	if (!f)
		return -ENOMEM;
	if (bad) {
		f->verdict = FINDING_FAIL;
		finding_evidence(f, bad->server, bad->file, bad->line, "answers over HTTP, without a way to HTTPS");
		finding_remedy(f,
			       strcmp(bad->server, "nginx") == 0    ? "return 301 https://$host$request_uri; in its server "
								      "block for port 80"
			       : strcmp(bad->server, "Apache") == 0 ? "Redirect permanent / https://NAME/ in its "
								      "<VirtualHost *:80>"
			       : strcmp(bad->server, "Caddy") == 0  ? "take http:// off its address, or auto_https off out "
								      "of the global options"
								    : "a middleware with redirectscheme.scheme=https on "
								      "its router for the entry point web",
			       NULL);
	}
	return gather_add(v->a, f, NULL);
}

static bool seen_before(const struct web *w, size_t site, size_t name)
{
	for (size_t i = 0; i <= site; i++)
		for (size_t k = 0; k < (i == site ? name : w->site[i].n_names); k++)
			if (strcmp(w->site[i].name[k], w->site[site].name[name]) == 0)
				return true;
	return false;
}

/* A container takes 80 or 443, and its configuration is its own. */
static const struct ctr *other_server(const struct audit *a)
{
	for (size_t i = 0; i < a->containers.n; i++) {
		const struct ctr *c = a->containers.item[i];

		for (size_t k = 0; k < c->n_ports; k++)
			if (!c->port[k].udp && (c->port[k].first == 80 || c->port[k].first == 443))
				return c;
	}
	return NULL;
}

static int nothing_named(struct view *v, enum id id)
{
	struct finding *f = gather_finding(id, FINDING_NOT_APPLICABLE, SUBJECT_HOST, "host", NULL);
	const struct ctr *c = other_server(v->a);

	if (f && v->web.gap != REASON_NONE) {
		finding_unknown(f, v->web.gap);
		finding_evidence(f, "could not be read", NULL, 0, "%s", v->web.gap_why);
	} else if (f && c) {
		finding_unknown(f, REASON_BY_NATURE);
		finding_evidence(f, "publishes port 80 or 443", NULL, 0,
				 "%s, whose configuration is inside of it: pavise audit --probe https://NAME", c->name);
	}
	return gather_add(v->a, f, NULL);
}

static int judge_sites(struct view *v)
{
	const bool *on = v->a->select.on;
	size_t named = 0;
	int r = 0;

	for (size_t i = 0; i < v->web.n && r == 0; i++)
		for (size_t k = 0; k < v->web.site[i].n_names && r == 0; k++) {
			const struct web_site *s = &v->web.site[i];

			if (!web_name_public(s->name[k]) || (!s->http && !s->https) || (s->refuses && !s->redirects) ||
			    seen_before(&v->web, i, k))
				continue;
			named++;
			r = on[ID_TLS_HTTPS_ON] ? https_on(v, s, s->name[k]) : 0;
			if (r == 0 && on[ID_TLS_REDIRECT])
				r = redirect(v, s->name[k]);
		}
	if (r == 0 && on[ID_TLS_HTTPS_ON] && (!named || v->web.gap != REASON_NONE))
		r = nothing_named(v, ID_TLS_HTTPS_ON);
	if (r == 0 && on[ID_TLS_REDIRECT] && (!named || v->web.gap != REASON_NONE))
		r = nothing_named(v, ID_TLS_REDIRECT);
	return r;
}

/* --- time --- */

static int64_t days(int64_t seconds)
{
	return seconds / DAY;
}

static int one_expiry(struct view *v, const struct cert *c)
{
	const char *name = c->error == 0 && c->x.n_names ? c->x.name[0] : c->path;
	struct finding *f = gather_finding(ID_TLS_EXPIRY, FINDING_PASS, SUBJECT_CERTIFICATE, name, c->path);
	int64_t left = c->x.not_after - v->now;

	if (!f)
		return -ENOMEM;
	if (c->error < 0) {
		finding_unknown(f, c->error == -ENOENT ? REASON_ABSENT : gather_reason(c->error));
	} else if (left < SOON) {
		f->verdict = FINDING_FAIL;
		if (!c->used && v->web.n)
			f->severity = SEV_LOW; /* left over: no site names it */
		else if (left <= 0)
			f->severity = SEV_CRITICAL;
		finding_evidence(f, left <= 0 ? "ended" : "ends", c->path, 0, "%s%" PRId64 " days%s", left <= 0 ? "" : "in ",
				 days(left <= 0 ? -left : left), left <= 0 ? " ago" : "");
		finding_remedy(f, c->certbot ? "see why its renewal does not work" : "renew it",
			       c->certbot ? "certbot renew --dry-run" : NULL);
	}
	return gather_add(v->a, f, NULL);
}

static int expiry(struct view *v)
{
	int r = 0;

	for (size_t i = 0; i < v->n_certs && r == 0; i++)
		r = one_expiry(v, &v->cert[i]);
	if (r == 0 && !v->n_certs)
		r = nothing_named(v, ID_TLS_EXPIRY);
	return r;
}

/* --- renewal --- */

static bool there(struct view *v, const char *path)
{
	struct stat st;

	return hostfs_stat(&v->a->fs, path, false, &st) == 0;
}

static bool file_says(struct view *v, const char *path, const char *word)
{
	pv_autobuf text = PV_BUF_INIT;

	return hostfs_read(&v->a->fs, path, 4 << 20, &text) == 0 && strstr(pv_buf_str(&text), word);
}

/* What would renew them, or NULL. */
static const char *mechanism(struct view *v, const char *tool)
{
	static const char *const timers[] = { "certbot.timer", "snap.certbot.renew.timer", "certbot-renew.timer", "lego.timer",
					      "acme.timer", "dehydrated.timer" };
	static const char *const tabs[] = { "/var/spool/cron/crontabs/root", "/var/spool/cron/root", "/etc/crontab" };

	for (size_t i = 0; i < N_ELEMENTS(timers); i++) {
		const char *path = arena_printf(&v->a->arena, "/etc/systemd/system/timers.target.wants/%s", timers[i]);

		if (path && there(v, path) && (!tool || strstr(timers[i], tool)))
			return timers[i];
	}
	if (there(v, "/etc/cron.d/certbot") && !there(v, "/run/systemd/system") && (!tool || strcmp(tool, "certbot") == 0))
		return "/etc/cron.d/certbot";
	for (size_t i = 0; i < N_ELEMENTS(tabs); i++)
		if (file_says(v, tabs[i], tool ? tool : "acme.sh") || (!tool && file_says(v, tabs[i], "certbot")))
			return tabs[i];
	return NULL;
}

/* Renewals are tried when a third of the time is left; two days later it should have worked. */
static bool overdue(const struct view *v, const struct x509 *x)
{
	int64_t life = x->not_after - x->not_before;

	return x->not_after <= v->now || (life > 0 && x->not_after - v->now < life / 3 - 2 * (int64_t) DAY);
}

static const char *lineage(struct view *v, const struct cert *c)
{
	const char *s = strncmp(c->path, LIVE "/", strlen(LIVE) + 1) == 0 ? c->path + strlen(LIVE) + 1 : NULL;

	return s ? arena_ndup(&v->a->arena, s, strcspn(s, "/")) : NULL;
}

static void judge_renewal(struct view *v, const struct cert *c, struct finding *f)
{
	const char *by = c->certbot ? mechanism(v, "certbot") : c->by_server ? "the server itself" : mechanism(v, NULL);
	const char *name = lineage(v, c), *failed = name ? arena_printf(&v->a->arena, "renew certificate %s", name) : NULL;

	if (!by && c->x.self_signed && !c->certbot)
		return; /* nobody's but one's own: tls.expiry tells when it ends */
	if (!by) {
		f->verdict = FINDING_FAIL;
		finding_evidence(f, "nothing renews", c->path, 0, "%s", c->path);
		finding_remedy(f, "have a timer renew it",
			       c->certbot ? "systemctl enable --now certbot.timer" : NULL);
	} else if (failed && file_says(v, "/var/log/letsencrypt/letsencrypt.log", failed) &&
		   file_says(v, "/var/log/letsencrypt/letsencrypt.log", "Failed to renew")) {
		f->verdict = FINDING_FAIL;
		finding_evidence(f, "the last renewal failed", "/var/log/letsencrypt/letsencrypt.log", 0, "%s", name);
	} else if (overdue(v, &c->x)) {
		f->verdict = FINDING_FAIL;
		finding_evidence(f, "not renewed in time", c->path, 0, "%" PRId64 " of %" PRId64 " days left, although %s is there",
				 days(c->x.not_after - v->now), days(c->x.not_after - c->x.not_before), by);
	}
	if (f->verdict == FINDING_FAIL && !f->remedy)
		finding_remedy(f, "see why its renewal does not work", c->certbot ? "certbot renew --dry-run" : NULL);
}

static int renewal(struct view *v)
{
	struct finding *f = gather_finding(ID_TLS_RENEWAL, FINDING_NOT_APPLICABLE, SUBJECT_HOST, "host", NULL);
	int error = 0;

	if (!f)
		return -ENOMEM;
	for (size_t i = 0; i < v->n_certs; i++) {
		const struct cert *c = &v->cert[i];

		if (!c->used && v->web.n)
			continue;
		if (c->error < 0) {
			error = c->error;
			continue;
		}
		if (f->verdict == FINDING_NOT_APPLICABLE)
			f->verdict = FINDING_PASS;
		judge_renewal(v, c, f);
	}
	for (size_t i = 0; i < v->web.n && f->verdict == FINDING_NOT_APPLICABLE; i++)
		if (v->web.site[i].own_certs)
			f->verdict = FINDING_PASS;
	if (f->verdict != FINDING_FAIL && (error < 0 || v->cut))
		finding_unknown(f, v->cut ? REASON_TOO_LARGE : error == -ENOENT ? REASON_ABSENT : gather_reason(error));
	return gather_add(v->a, f, NULL);
}

/* --- keys --- */

static int acme_perm(struct view *v)
{
	static const char *const fixed[] = { "/etc/dokploy/traefik/dynamic/acme.json", "/data/coolify/proxy/acme.json",
					     "/etc/traefik/acme.json" };
	static const char *const inside[] = { "acme.json", "letsencrypt/acme.json", "traefik/acme.json" };
	struct audit *a = v->a;
	struct finding *f = gather_finding(ID_TLS_ACME_PERM, FINDING_PASS, SUBJECT_HOST, "host", NULL);
	size_t n_stores = N_ELEMENTS(fixed) + a->n_projects * N_ELEMENTS(inside), seen = 0;
	pv_autobuf cmd = PV_BUF_INIT;

	if (!f)
		return -ENOMEM;
	for (size_t i = 0; i < n_stores + v->web.n; i++) {
		size_t k = i - N_ELEMENTS(fixed);
		bool store = i < n_stores;
		const char *path = i < N_ELEMENTS(fixed) ? fixed[i]
				   : store ? arena_printf(&a->arena, "%s/%s", a->project[k / N_ELEMENTS(inside)].dir,
							  inside[k % N_ELEMENTS(inside)])
					   : v->web.site[i - n_stores].key;
		struct stat st;
		int r = path ? hostfs_stat(&a->fs, path, true, &st) : -ENOENT;

		if (r == -EACCES)
			finding_unknown(f, REASON_PERMISSION);
		if (r < 0 || !S_ISREG(st.st_mode))
			continue;
		seen++;
		if (!(st.st_mode & (store ? 077 : 007))) /* a server's group may read its key */
			continue;
		f->verdict = FINDING_FAIL;
		f->reason = REASON_NONE;
		finding_evidence(f, path, NULL, 0, "mode %04o", st.st_mode & 07777);
		pv_buf_puts(&cmd, cmd.len ? " " : "chmod 600 ");
		remedy_word(&cmd, path);
	}
	if (!seen && f->verdict == FINDING_PASS)
		f->verdict = FINDING_NOT_APPLICABLE;
	if (f->verdict == FINDING_FAIL)
		finding_remedy(f, "only root may read it", pv_buf_str(&cmd));
	return gather_add(a, f, NULL);
}

int check_tls(struct audit *a)
{
	const bool *on = a->select.on;
	struct view *v;
	int r = 0;

	if (!on[ID_TLS_HTTPS_ON] && !on[ID_TLS_REDIRECT] && !on[ID_TLS_EXPIRY] && !on[ID_TLS_RENEWAL] &&
	    !on[ID_TLS_ACME_PERM])
		return 0;
	v = arena_alloc(&a->arena, sizeof(*v));
	if (!v)
		return -ENOMEM;
	v->a = a;
	v->now = (int64_t) (a->policy.now_us / 1000000);
	gather_sites(v);
	gather_certs(v);
	r = judge_sites(v);
	if (r == 0 && on[ID_TLS_EXPIRY])
		r = expiry(v);
	if (r == 0 && on[ID_TLS_RENEWAL])
		r = renewal(v);
	if (r == 0 && on[ID_TLS_ACME_PERM])
		r = acme_perm(v);
	return r;
}

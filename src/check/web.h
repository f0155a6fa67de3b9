/* web.h - sites of the web servers of a host, as their configuration has them: nginx, Apache, Caddy, and Traefik by the
 * labels of containers. Facts alone: which names, over HTTP, over HTTPS, whether HTTP leads to HTTPS, whose certificate. */
#ifndef PV_CHECK_WEB_H
#define PV_CHECK_WEB_H

#include "check/conf_files.h"
#include "check/container.h"

#define WEB_SITES 2000
#define WEB_NAMES 64 /* of one site */
#define WEB_FILES 400
#define WEB_DEPTH 12

struct web_site {
	const char *server; /* nginx, Apache, Caddy, Traefik */
	const char *file;   /* NULL: labels */
	unsigned line;
	const char *name[WEB_NAMES];
	size_t n_names;
	bool http, https; /* listens for it on an address that others reach */
	bool redirects;	  /* what comes over HTTP is sent to HTTPS */
	bool refuses;	  /* answers nothing but errors */
	bool own_certs;	  /* the server fetches and renews certificates itself */
	const char *cert, *key;
};

struct web {
	struct arena *arena;
	struct web_site *site;
	size_t n;
	unsigned files, depth;
	enum finding_reason gap; /* of what could not be read or followed; REASON_NONE: all was */
	const char *gap_why;
};

/* Each reads one text and what it includes; `files` NULL: nothing. 0 or -ENOMEM. What cannot be understood is passed over:
 * all of these ignore it, or do not start. */
int web_read_nginx(struct web *w, const char *path, const char *text, size_t len, const struct conf_source *files);
int web_read_apache(struct web *w, const char *path, const char *text, size_t len, const struct conf_source *files);
int web_read_caddy(struct web *w, const char *path, const char *text, size_t len, const struct conf_source *files);
/* All containers at once: a router of one may use what another one defines. */
int web_read_traefik(struct web *w, const struct ctr_list *containers);

/* --- for the readers --- */
struct web_site *web_site_add(struct web *w, const char *server, const char *file, unsigned line);
void web_name_add(struct web *w, struct web_site *s, const char *name, size_t len); /* lower case, once */
void web_gap(struct web *w, enum finding_reason reason, const char *why);	      /* the first one stays */
/* Runs fn over the files of a pattern, below `base` when it is relative; bounds depth and number. */
void web_include(struct web *w, const struct conf_source *files, const char *base, const char *pattern,
		 void (*fn)(void *arg, const char *path, const char *text, size_t len), void *arg);

/* A name that somebody on the Internet can use: with a dot, no address, not .local and the like. */
bool web_name_public(const char *name);
/* *.example.com and .example.com cover www.example.com; equal names do. */
bool web_name_covers(const char *have, const char *want);

#endif

/* deb.h - versions of Debian packages (deb-version(7)), and which installed packages a list of updates has newer ones of. */
#ifndef PV_CHECK_DEB_H
#define PV_CHECK_DEB_H

#include "check/arena.h"

/* Below, equal, above: like strcmp(). Any text is a version. */
int deb_version_cmp(const char *a, const char *b);

struct deb_package {
	const char *name, *arch, *version;
	const char *newer; /* the highest version a list has; NULL: none above its own */
};

struct deb_packages {
	struct deb_package *item;
	size_t n;
	bool sorted;
};

/* A stanza of /var/lib/dpkg/status, or of a Packages file, line by line. */
struct deb_stanza {
	char name[128], arch[32], version[128];
	bool installed, any;
};

/* Takes one line; true when the stanza is over (an empty line) and there was one: then its owner uses it and clears it. */
bool deb_line(struct deb_stanza *s, const char *line, size_t len);
void deb_installed(struct arena *a, struct deb_packages *to, const struct deb_stanza *s);
/* Compares; deb_installed() is over by then. */
void deb_offered(struct arena *a, struct deb_packages *l, const struct deb_stanza *s);

#endif

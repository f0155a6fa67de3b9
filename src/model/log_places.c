#include "model/log_places.h"

#include <string.h>

#include "base/util.h"

/* Debian's and Ubuntu's, then those of Red Hat's kin, as the packages' own configuration writes them. */
static const struct log_place known[] = {
	{ "/run/log/journal/*/system*.journal", NULL, PLACE_JOURNAL },
	{ "/var/log/journal/*/system*.journal", NULL, PLACE_JOURNAL },
	{ "/var/log/auth.log", NULL, PLACE_AUTH },
	{ "/var/log/secure", NULL, PLACE_AUTH },
	{ "/var/log/mail.log", NULL, PLACE_SYSLOG },
	{ "/var/log/maillog", NULL, PLACE_SYSLOG },
	{ "/var/log/haproxy.log", NULL, PLACE_SYSLOG },
	{ "/var/log/nginx/*.log", "nginx", PLACE_FILES },
	{ "/var/log/apache2/*.log", "apache", PLACE_FILES },
	{ "/var/log/httpd/*_log", "apache", PLACE_FILES },
	{ "/var/log/caddy/*.log", "caddy", PLACE_FILES },
	{ "/var/log/postgresql/*.log", "postgresql", PLACE_FILES },
	{ "/var/log/mysql/error.log", "mariadb", PLACE_FILES },
	{ "/var/log/mariadb/*.log", "mariadb", PLACE_FILES },
	{ "/var/log/redis/*.log", "redis", PLACE_FILES },
	{ "/var/log/exim4/mainlog", "exim", PLACE_FILES },
	{ "/var/log/exim4/rejectlog", "exim", PLACE_FILES },
	{ "/var/log/openvpn/*.log", "openvpn", PLACE_FILES },
};

unsigned log_places(const struct policy *p)
{
	return (unsigned) (N_ELEMENTS(known) + p->logs.n_files);
}

struct log_place log_place(const struct policy *p, unsigned i)
{
	const struct policy_log *own;

	if (i < N_ELEMENTS(known))
		return known[i];
	own = &p->logs.files[i - N_ELEMENTS(known)];
	return (struct log_place){ own->path, own->service[0] ? own->service : NULL, PLACE_FILES };
}

bool log_name_is_rotated(const char *name)
{
	static const char *const ends[] = { ".gz", ".xz", ".bz2", ".zst", ".zip", ".lz4", ".old", ".bak", "~", ".swp" };
	size_t len = strlen(name), digits = 0;

	for (size_t i = 0; i < N_ELEMENTS(ends); i++)
		if (len > strlen(ends[i]) && strcmp(name + len - strlen(ends[i]), ends[i]) == 0)
			return true;
	while (digits < len && name[len - 1 - digits] >= '0' && name[len - 1 - digits] <= '9')
		digits++;
	return digits > 0 && digits < 5 && digits + 1 < len && name[len - 1 - digits] == '.';
}

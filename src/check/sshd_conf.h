/* sshd_conf.h - what sshd's configuration says about logging in: our own reader, for Match blocks and for saved hosts.
 * The first value wins (sshd_config(5)); the output of `sshd -T` has the same form. */
#ifndef PV_CHECK_SSHD_CONF_H
#define PV_CHECK_SSHD_CONF_H

#include "check/conf_files.h"
#include "check/container.h"

#define SSHD_MATCHES 64
#define SSHD_PORTS   16

enum sshd_key { SSHD_PASSWORD, SSHD_KBD, SSHD_ROOT, SSHD_METHODS, SSHD_KEYS };

struct sshd_value {
	const char *text; /* lower case; NULL: not set */
	const char *file;
	unsigned line;
};

struct sshd_block {
	const char *criteria; /* of a Match line; NULL: global */
	struct sshd_value value[SSHD_KEYS];
};

struct sshd_conf {
	struct sshd_block global, match[SSHD_MATCHES];
	size_t n_matches;
	unsigned port[SSHD_PORTS];
	size_t n_ports;
	bool cut; /* more than is read: too many Match blocks or includes */
	int unread; /* -errno of an include that is there and could not be read */
	const char *unread_at;
};

/* Reads one text and what it includes (`files` NULL: nothing). 0 or -ENOMEM. */
int sshd_conf_read(struct arena *a, struct sshd_conf *c, const char *path, const char *text, size_t len,
		   const struct conf_source *files);

/* --- who a Match block is for --- */

/* A connection, as `sshd -T -C` takes it. */
struct sshd_login {
	const char *user, *host, *addr, *laddr;
	unsigned lport;
};

struct sshd_login sshd_stranger(void); /* somebody whom no list names */
/* One for whom all criteria hold. False: there is none that can be told (Group, a contradiction). */
bool sshd_login_for(struct arena *a, const char *criteria, struct sshd_login *ret);
bool sshd_applies(const char *criteria, const struct sshd_login *who);
/* "user=x,host=y,addr=z,laddr=w,lport=22" */
const char *sshd_login_text(struct arena *a, const struct sshd_login *who);
/* What holds for him: the first Match block that applies and sets a key, else what stands before all of them. */
struct sshd_block sshd_effective(const struct sshd_conf *c, const struct sshd_login *who);

/* Whether somebody can log in with a password there: a block's own value, else the global one, else sshd's default
 * (yes). With AuthenticationMethods every way must begin with a key. */
bool sshd_password_possible(const struct sshd_conf *c, const struct sshd_block *b, const struct sshd_value **ret_why);
/* "no", "prohibit-password", "forced-commands-only" or "yes". */
const char *sshd_root_login(const struct sshd_conf *c, const struct sshd_block *b);

#endif

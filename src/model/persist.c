#include "model/persist.h"

#include <string.h>

#include "base/text.h"
#include "base/util.h"

#define UNITS "*.service *.timer *.socket *.path *.mount"
#define SHELL ".bashrc .bash_profile .bash_login .bash_logout .profile .zshrc .zprofile .zshenv .zlogin"

/* Units of packages (/usr/lib/systemd) belong to it: their writer is what tells a package manager from somebody else. */
const struct persist_place persist_places[] = {
	{ "/etc", "crontab", PERSIST_CRON },
	{ "/etc", "ld.so.preload", PERSIST_PRELOAD },
	{ "/etc", "profile bash.bashrc zshenv", PERSIST_SHELL },
	{ "/etc", "rc.local", PERSIST_START },
	{ "/etc/cron.d", "*", PERSIST_CRON },
	{ "/etc/cron.hourly", "*", PERSIST_CRON },
	{ "/etc/cron.daily", "*", PERSIST_CRON },
	{ "/etc/cron.weekly", "*", PERSIST_CRON },
	{ "/etc/cron.monthly", "*", PERSIST_CRON },
	{ "/var/spool/cron", "*", PERSIST_CRON },
	{ "/var/spool/cron/crontabs", "*", PERSIST_CRON },
	{ "/etc/systemd/system", UNITS, PERSIST_UNIT },
	{ "/etc/systemd/system/*.d", "*.conf", PERSIST_UNIT },
	{ "/etc/systemd/user", UNITS, PERSIST_UNIT },
	{ "/usr/lib/systemd/system", UNITS, PERSIST_UNIT },
	{ "/root/.config/systemd/user", UNITS, PERSIST_UNIT },
	{ "/home/*/.config/systemd/user", UNITS, PERSIST_UNIT },
	{ "/root/.ssh", "authorized_keys authorized_keys2 rc", PERSIST_KEYS },
	{ "/home/*/.ssh", "authorized_keys authorized_keys2 rc", PERSIST_KEYS },
	{ "/root", SHELL, PERSIST_SHELL },
	{ "/home/*", SHELL, PERSIST_SHELL },
	{ "/etc/profile.d", "*.sh", PERSIST_SHELL },
	{ "/etc/init.d", "*", PERSIST_START },
};
const size_t persist_n_places = N_ELEMENTS(persist_places);

const char *persist_kind_text(enum persist_kind k)
{
	static const char *const texts[PERSIST_N] = { "runs at a time",	      "a unit of systemd's",
						      "keys that may log in", "is loaded into every program",
						      "runs at a login",      "runs at start" };

	return (unsigned) k < PERSIST_N ? texts[k] : "stays";
}

/* vi's, emacs', sed's and dpkg's own copies: what they leave for good is renamed to its name. */
static bool is_copy(const char *name)
{
	static const char *const globs[] = { "*~",     ".*.sw?",    "#*#", "*.dpkg-*",	     "*.ucf-*",
					     "*.rpm*", "sed??????", ".#*", "tmp.??????????", "4913" };

	for (size_t i = 0; i < N_ELEMENTS(globs); i++)
		if (glob_match(globs[i], name))
			return true;
	return false;
}

bool persist_takes(const struct persist_place *p, const char *name)
{
	char glob[64];

	if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || is_copy(name))
		return false;
	for (const char *at = p->names; *at;) {
		size_t len = strcspn(at, " ");

		memcpy(glob, at, PV_MIN(len, sizeof(glob) - 1));
		glob[PV_MIN(len, sizeof(glob) - 1)] = '\0';
		if ((glob[0] == '.' || name[0] != '.') && glob_match(glob, name))
			return true;
		at += len;
		at += strspn(at, " ");
	}
	return false;
}

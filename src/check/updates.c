/* upd.*: whether security updates install themselves, and which of them wait. apt's own files are read; nothing is
 * downloaded. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check/apt_conf.h"
#include "check/deb.h"
#include "check/gather.h"
#include "check/known.h"
#include "check/packed.h"

#define DAY_US	   ((uint64_t) 86400 * 1000000)
#define WEEK_US	   (7 * DAY_US)
#define STATUS	   "/var/lib/dpkg/status"
#define LISTS	   "/var/lib/apt/lists"
#define AGAIN	   "rm -f /var/lib/apt/lists/*_Packages* && apt-get -o Acquire::GzipIndexes=false update"
#define LIST_BYTES (256u << 20)
#define SHOWN	   6

static struct finding *host_finding(enum id id)
{
	return gather_finding(id, FINDING_PASS, SUBJECT_HOST, "host", NULL);
}

static bool file_there(struct audit *a, const char *path)
{
	struct stat st;

	return hostfs_stat(&a->fs, path, true, &st) == 0;
}

#define ALL_ON                                                                                                                              \
	"apt install unattended-upgrades && printf 'APT::Periodic::Update-Package-Lists \"1\";\\n"                                          \
	"APT::Periodic::Unattended-Upgrade \"1\";\\n' > /etc/apt/apt.conf.d/20auto-upgrades"
#define TIMER	  "apt-daily-upgrade.timer"
#define PARTS	  "/etc/apt/apt.conf.d"
#define PARTS_MAX 500

struct periodic {
	struct audit *a;
	char *part[PARTS_MAX];
	size_t n;
	char unattended[APT_VALUE], enable[APT_VALUE];
	int error;
	const char *unread, *from; /* where it is said last */
};

static int take_part(const char *name, unsigned char type, void *user)
{
	struct periodic *p = user;

	(void) type;
	if (!apt_conf_part(name))
		return 0;
	if (p->n == PARTS_MAX)
		return -EFBIG;
	p->part[p->n] = arena_printf(&p->a->arena, PARTS "/%s", name);
	return p->part[p->n] ? (p->n++, 0) : -ENOMEM;
}

static void read_part(struct periodic *p, const char *path)
{
	pv_autobuf text = PV_BUF_INIT;
	int r = hostfs_read(&p->a->fs, path, 1 << 20, &text);

	if (r == -ENOENT || r == -EBADMSG) /* apt passes over what is no file, too */
		return;
	if (r < 0) {
		p->error = r;
		p->unread = path;
		return;
	}
	if (apt_conf_value(pv_buf_str(&text), "APT::Periodic::Unattended-Upgrade", p->unattended))
		p->from = path;
	(void) apt_conf_value(pv_buf_str(&text), "APT::Periodic::Enable", p->enable);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* In apt's order (apt.conf(5)): the parts by their names, then apt.conf; what is said last counts. */
static int read_periodic(struct periodic *p)
{
	int r = hostfs_list(&p->a->fs, PARTS, 5000, take_part, p);

	if (r == -ENOMEM)
		return r;
	if (r < 0 && r != -ENOENT) {
		p->error = r;
		p->unread = PARTS;
	}
	if (p->n > 1)
		qsort(p->part, p->n, sizeof(*p->part), by_name);
	for (size_t i = 0; i < p->n; i++)
		read_part(p, p->part[i]);
	read_part(p, "/etc/apt/apt.conf");
	return 0;
}

/* 0 is never; a number is days, "always" each time. */
static bool is_off(const char *value)
{
	return !*value || strcmp(value, "0") == 0;
}

/* systemctl mask: a link to /dev/null. */
static bool masked(struct audit *a, const char *unit)
{
	const char *path = arena_printf(&a->arena, "/etc/systemd/system/%s", unit);
	struct stat st;

	return path && hostfs_stat(&a->fs, path, false, &st) == 0 && S_ISLNK(st.st_mode) &&
	       (hostfs_stat(&a->fs, path, true, &st) < 0 || !S_ISREG(st.st_mode));
}

/* systemctl disable: its package's unit is there, the link that starts it is not. */
static bool disabled(struct audit *a, const char *unit)
{
	static const char *const dirs[] = { "/usr/lib/systemd/system", "/lib/systemd/system" };
	const char *link = arena_printf(&a->arena, "/etc/systemd/system/timers.target.wants/%s", unit);
	bool there = false;
	struct stat st;

	for (size_t i = 0; i < N_ELEMENTS(dirs) && !there; i++) {
		const char *path = arena_printf(&a->arena, "%s/%s", dirs[i], unit);

		there = path && file_there(a, path);
	}
	return there && link && hostfs_stat(&a->fs, link, false, &st) == -ENOENT;
}

static const struct off {
	const char *why, *mend, *command;
} off_absent = { "not installed", "have security updates install themselves", ALL_ON },
  off_itself = { "switched off (APT::Periodic::Unattended-Upgrade)", "have security updates install themselves", ALL_ON },
  off_apt = { "switched off (APT::Periodic::Enable)", "let apt work by itself",
	      "printf 'APT::Periodic::Enable \"1\";\\n' > /etc/apt/apt.conf.d/99periodic" },
  off_timer = { "its timer is masked or disabled (" TIMER ")", "let its timer run",
		"systemctl unmask " TIMER " && systemctl enable --now " TIMER };

/* Why it does not run; NULL: it does. */
static const struct off *why_off(struct audit *a, const struct periodic *p)
{
	if (!file_there(a, "/usr/bin/unattended-upgrade"))
		return &off_absent;
	if (is_off(p->unattended))
		return &off_itself;
	if (*p->enable && is_off(p->enable))
		return &off_apt;
	return masked(a, TIMER) || disabled(a, TIMER) ? &off_timer : NULL;
}

static int unattended(struct audit *a)
{
	struct finding *f = host_finding(ID_UPD_UNATTENDED);
	struct periodic *p = arena_alloc(&a->arena, sizeof(*p));
	const struct off *off;

	if (!f || !p)
		return finding_free(f), -ENOMEM;
	p->a = a;
	if (!file_there(a, "/etc/apt")) {
		finding_unknown(f, REASON_UNSUPPORTED);
		finding_evidence(f, "packages", NULL, 0, "only apt is read");
		return gather_add(a, f, NULL);
	}
	if (read_periodic(p) < 0)
		return finding_free(f), -ENOMEM;
	off = why_off(a, p);
	if (p->error) {
		finding_unknown(f, gather_reason(p->error));
		finding_evidence(f, "not read", p->unread, 0, "%s", strerror(-p->error));
	} else if (off) {
		f->verdict = FINDING_FAIL;
		finding_evidence(f, "unattended-upgrades", p->from, 0, "%s", off->why);
		finding_remedy(f, off->mend, off->command);
	}
	return gather_add(a, f, NULL);
}

/* --- what waits --- */

struct waiting {
	struct audit *a;
	struct deb_packages all;
	struct deb_stanza stanza;
	bool offers; /* a list is read, not what is installed */
	size_t lists;
	uint64_t oldest_us; /* of the newest list: everything in it is at least as old */
	int error;	    /* the first one, and what could not be read */
	const char *unread;
};

static int on_line(const char *line, size_t len, void *user)
{
	struct waiting *w = user;

	if (!deb_line(&w->stanza, line, len))
		return 0;
	if (w->offers)
		deb_offered(&w->a->arena, &w->all, &w->stanza);
	else
		deb_installed(&w->a->arena, &w->all, &w->stanza);
	w->stanza = (struct deb_stanza){ .any = false };
	return w->a->arena.poor ? -ENOMEM : 0;
}

/* Keeps the first error. */
static int could_not(struct waiting *w, const char *path, int r)
{
	if (w->error == 0) {
		w->error = r;
		w->unread = path;
	}
	return r;
}

static int read_stanzas(struct waiting *w, const char *path)
{
	int r;

	w->stanza = (struct deb_stanza){ .any = false };
	r = packed_lines(&w->a->fs, path, LIST_BYTES, on_line, w);
	if (r == 0)
		r = on_line("", 0, w); /* the last one needs no empty line behind it */
	return r < 0 ? could_not(w, path, r) : r;
}

/* `_Packages`, and how it is packed. */
static bool is_list(const char *name)
{
	static const char *const ends[] = { "", ".gz", ".lz4", ".zst", ".xz", ".bz2", ".lzma" };
	const char *end = strstr(name, "_Packages");

	for (size_t i = 0; end && i < N_ELEMENTS(ends); i++)
		if (strcmp(end + strlen("_Packages"), ends[i]) == 0)
			return true;
	return false;
}

/* mirror.example.org_debian-security_dists_bookworm-security_main_binary-amd64_Packages, ..._noble-security_... */
static int one_list(const char *name, unsigned char type, void *user)
{
	struct waiting *w = user;
	const char *path;
	struct stat st;
	uint64_t at;

	(void) type;
	if (!strstr(name, "-security_") || !strstr(name, "_binary-") || !is_list(name))
		return 0;
	path = arena_printf(&w->a->arena, LISTS "/%s", name);
	if (!path)
		return -ENOMEM;
	w->lists++;
	if (read_stanzas(w, path) < 0 || hostfs_stat(&w->a->fs, path, true, &st) < 0)
		return w->error == -ENOMEM ? w->error : 0;
	at = (uint64_t) st.st_mtim.tv_sec * 1000000; /* apt gives it the server's time */
	w->oldest_us = PV_MAX(w->oldest_us, at);
	return 0;
}

/* How long this version waits at least: since the list has it, or since we know. 0: not known. */
static uint64_t waits_us(const struct waiting *w, const struct deb_package *p)
{
	const char *what = arena_printf(&w->a->arena, "%s:%s %s", p->name, p->arch, p->newer);
	uint64_t now = w->a->policy.now_us, by_list = now > w->oldest_us ? now - w->oldest_us : 0;
	struct known_at at;

	if (!what || known_since(w->a, "update", what, &at) < 0)
		return by_list;
	return PV_MAX(by_list, now > at.first_us ? now - at.first_us : 1);
}

static void judge_waiting(struct waiting *w, struct finding *f)
{
	uint64_t longest = 0;
	size_t n = 0;

	for (size_t i = 0; i < w->all.n; i++) {
		const struct deb_package *p = &w->all.item[i];
		uint64_t us = p->newer ? waits_us(w, p) : 0;

		if (!p->newer)
			continue;
		longest = PV_MAX(longest, us);
		if (n++ < SHOWN)
			finding_evidence(f, "waits", NULL, 0, "%s %s, installed %s%s", p->name, p->newer, p->version,
					 us > WEEK_US ? ", for more than 7 days" : "");
	}
	if (n > SHOWN)
		finding_evidence(f, "waits", NULL, 0, "and %zu more", n - SHOWN);
	if (longest <= WEEK_US)
		return;
	f->verdict = FINDING_FAIL;
	finding_remedy(f, "install them", "apt update && apt upgrade");
}

/* Nothing waits in what could be read: was that all? */
static void not_seen(const struct waiting *w, struct finding *f)
{
	bool dpkg = w->unread && strcmp(w->unread, STATUS) == 0;

	if (dpkg && w->error == -ENOENT) {
		finding_unknown(f, REASON_UNSUPPORTED);
		finding_evidence(f, "packages", NULL, 0, "only dpkg and apt are read");
	} else if (w->error) {
		finding_unknown(f, w->error == -EOPNOTSUPP ? REASON_UNSUPPORTED : gather_reason(w->error));
		finding_evidence(f, "not read", w->unread, 0, "%s",
				 w->error == -EOPNOTSUPP ? "packed by another program than gzip, lz4 and zstd" :
				 w->error == -EBADMSG	 ? "it is broken, or cut" :
				 w->error == -EFBIG	 ? "it is too large" :
							   strerror(-w->error));
		if (!dpkg)
			finding_remedy(f, "have apt write its lists anew", AGAIN);
	} else if (!w->lists) {
		finding_unknown(f, REASON_ABSENT);
		finding_evidence(f, LISTS, NULL, 0, "there is no list of security updates");
		finding_remedy(f, "have apt get them", "apt update");
	}
}

/* How old a file is; 0: it is not there. */
static uint64_t age(struct audit *a, const char *path)
{
	struct stat st;
	uint64_t at;

	if (hostfs_stat(&a->fs, path, true, &st) < 0)
		return 0;
	at = (uint64_t) st.st_mtim.tv_sec * 1000000;
	return a->policy.now_us > at ? a->policy.now_us - at : 1;
}

static int pending(struct audit *a)
{
	struct finding *f = host_finding(ID_UPD_PENDING);
	struct waiting *w = arena_alloc(&a->arena, sizeof(*w));
	uint64_t lists = age(a, LISTS), reboot = age(a, "/run/reboot-required");
	int r;

	if (!f || !w)
		return finding_free(f), -ENOMEM;
	w->a = a;
	if (read_stanzas(w, STATUS) == 0) {
		w->offers = true;
		r = hostfs_list(&a->fs, LISTS, 5000, one_list, w);
		if (r < 0 && r != -ENOENT && !w->error)
			could_not(w, LISTS, r);
		judge_waiting(w, f);
	}
	if (reboot > WEEK_US) {
		f->verdict = FINDING_FAIL;
		finding_evidence(f, "/run/reboot-required", NULL, 0, "for %" PRIu64 " days", reboot / DAY_US);
		finding_remedy(f, "restart the machine", "systemctl reboot");
	}
	if (lists > WEEK_US) {
		f->verdict = FINDING_FAIL;
		finding_evidence(f, "package lists", NULL, 0, "%" PRIu64 " days old", lists / DAY_US);
		finding_remedy(f, "look for updates and install them", "apt update && apt upgrade");
	}
	if (f->verdict == FINDING_PASS)
		not_seen(w, f);
	return gather_add(a, f, NULL);
}

int check_updates(struct audit *a)
{
	int r = a->select.on[ID_UPD_UNATTENDED] ? unattended(a) : 0;

	return r == 0 && a->select.on[ID_UPD_PENDING] ? pending(a) : r;
}

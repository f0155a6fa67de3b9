/* upd.*: whether security updates install themselves, and which of them wait. apt's own files are read; nothing is
 * downloaded. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check/deb.h"
#include "check/gather.h"
#include "check/known.h"

#define DAY_US	   ((uint64_t) 86400 * 1000000)
#define WEEK_US	   (7 * DAY_US)
#define LISTS	   "/var/lib/apt/lists"
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

static bool periodic_on(struct audit *a)
{
	static const char *const files[] = { "/etc/apt/apt.conf.d/20auto-upgrades", "/etc/apt/apt.conf.d/10periodic",
					     "/etc/apt/apt.conf.d/50unattended-upgrades", "/etc/apt/apt.conf" };
	bool on = false;

	for (size_t i = 0; i < N_ELEMENTS(files); i++) {
		pv_autobuf text = PV_BUF_INIT;
		const char *p = hostfs_read(&a->fs, files[i], 1 << 20, &text) == 0 ? pv_buf_str(&text) : "";

		for (; (p = strstr(p, "APT::Periodic::Unattended-Upgrade")); p++) {
			const char *line = p, *q = strchr(p, '"');

			while (line > pv_buf_str(&text) && line[-1] != '\n')
				line--;
			if (strncmp(line, "//", 2) != 0 && *line != '#' && q)
				on = q[1] != '0' && q[1] != '"';
		}
	}
	return on;
}

static int unattended(struct audit *a)
{
	struct finding *f = host_finding(ID_UPD_UNATTENDED);

	if (!f)
		return -ENOMEM;
	if (!file_there(a, "/etc/apt")) {
		finding_unknown(f, REASON_UNSUPPORTED);
		finding_evidence(f, "packages", NULL, 0, "only apt is read");
	} else if (!file_there(a, "/usr/bin/unattended-upgrade") || !periodic_on(a)) {
		f->verdict = FINDING_FAIL;
		finding_evidence(f, "unattended-upgrades", NULL, 0, "%s",
				 file_there(a, "/usr/bin/unattended-upgrade") ? "switched off" : "not installed");
		finding_remedy(
			f, "have security updates install themselves",
			"apt install unattended-upgrades && printf 'APT::Periodic::Update-Package-Lists \"1\";\\n"
			"APT::Periodic::Unattended-Upgrade \"1\";\\n' > /etc/apt/apt.conf.d/20auto-upgrades");
	}
	return gather_add(a, f, NULL);
}

/* --- what waits --- */

struct waiting {
	struct audit *a;
	struct deb_packages all;
	struct deb_stanza stanza;
	bool offers; /* a list is read, not what is installed */
	size_t lists, packed;
	uint64_t oldest_us; /* of the newest list: everything in it is at least as old */
	int error;
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

static int read_stanzas(struct waiting *w, const char *path)
{
	int r;

	w->stanza = (struct deb_stanza){ .any = false };
	r = hostfs_lines(&w->a->fs, path, LIST_BYTES, on_line, w);
	return r < 0 ? r : on_line("", 0, w); /* the last one needs no empty line behind it */
}

static bool ends(const char *s, const char *with)
{
	size_t n = strlen(s), m = strlen(with);

	return n >= m && strcmp(s + n - m, with) == 0;
}

/* mirror.example.org_debian-security_dists_bookworm-security_main_binary-amd64_Packages, ..._noble-security_... */
static int one_list(const char *name, unsigned char type, void *user)
{
	struct waiting *w = user;
	const char *path;
	struct stat st;
	uint64_t at;
	int r;

	(void) type;
	if (!strstr(name, "-security_") || !strstr(name, "_binary-"))
		return 0;
	if (!ends(name, "_Packages")) {
		w->packed += strstr(name, "_Packages.") != NULL;
		return 0;
	}
	path = arena_printf(&w->a->arena, LISTS "/%s", name);
	if (!path || hostfs_stat(&w->a->fs, path, true, &st) < 0)
		return 0;
	at = (uint64_t) st.st_mtim.tv_sec * 1000000; /* apt gives it the server's time */
	w->oldest_us = PV_MAX(w->oldest_us, at);
	w->lists++;
	r = read_stanzas(w, path);
	w->error = r < 0 ? r : w->error;
	return r == -ENOMEM ? r : 0;
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
	r = read_stanzas(w, "/var/lib/dpkg/status");
	w->offers = true;
	if (r == 0)
		(void) hostfs_list(&a->fs, LISTS, 5000, one_list, w);
	if (r == 0)
		judge_waiting(w, f);
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
	if (f->verdict == FINDING_PASS && (r < 0 || w->error < 0)) {
		finding_unknown(f, r == -ENOENT ? REASON_UNSUPPORTED : gather_reason(r < 0 ? r : w->error));
		finding_evidence(f, "packages", NULL, 0, "%s", r == -ENOENT ? "only dpkg and apt are read" : "/var/lib/dpkg/status");
	} else if (f->verdict == FINDING_PASS && !w->lists) {
		finding_unknown(f, w->packed ? REASON_UNSUPPORTED : REASON_ABSENT);
		finding_evidence(f, LISTS, NULL, 0, "%s",
				 w->packed ? "its lists are compressed" : "there is no list of security updates: apt update");
	}
	return gather_add(a, f, NULL);
}

int check_updates(struct audit *a)
{
	int r = a->select.on[ID_UPD_UNATTENDED] ? unattended(a) : 0;

	return r == 0 && a->select.on[ID_UPD_PENDING] ? pending(a) : r;
}

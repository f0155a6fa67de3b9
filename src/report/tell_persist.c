#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mask.h"
#include "base/text.h"
#include "base/util.h"
#include "report/tell.h"

#define LINES_SHOWN 6

void tell_persist_line(const char *line, size_t len, void *arg)
{
	pv_autobuf shown = PV_BUF_INIT;
	struct notice *n = arg;

	if (n->n_evidence >= LINES_SHOWN)
		return;
	mask_words(&shown, line, len);
	notice_add_evidence(n, "added", "%s", pv_buf_str(&shown));
}

void tell_persist_begin(struct notice *n, const struct tell_persist *t)
{
	n->kind = SUBJECT_FILE;
	(void) text_copy(n->subject, sizeof(n->subject), t->path);
}

/* Programs whose trade it is to write there. A path of the host's own says who it is; a process's name is whatever it likes. */
static bool is_package_manager(const char *exe)
{
	static const char *const paths[] = {
		"/usr/bin/dpkg",   "/usr/bin/apt",    "/usr/bin/apt-get", "/usr/bin/aptitude", "/usr/bin/unattended-upgrade",
		"/usr/bin/rpm",	   "/usr/bin/dnf",    "/usr/bin/dnf5",	  "/usr/bin/microdnf", "/usr/bin/yum",
		"/usr/bin/zypper", "/usr/bin/pacman", "/sbin/apk",	  "/usr/sbin/apk",     "/usr/lib/snapd/snapd"
	};

	for (size_t i = 0; i < N_ELEMENTS(paths); i++)
		if (strcmp(exe, paths[i]) == 0)
			return true;
	return false;
}

static const char *installed_by(const struct persist_look *l)
{
	for (uint32_t i = 0; i < l->n_chain; i++)
		if (l->chain[i].host && is_package_manager(l->chain[i].exe))
			return l->chain[i].exe;
	return NULL;
}

static void add_writer(struct notice *n, const struct persist_look *l)
{
	pv_autobuf chain = PV_BUF_INIT;

	if (!l->n_chain) {
		notice_add_evidence(n, "written by", "%s", "a process that had ended before it could be looked at");
		return;
	}
	notice_add_evidence(n, "written by", "%s (%s, pid %u)", l->chain[0].comm, l->chain[0].exe[0] ? l->chain[0].exe : "?",
			    l->chain[0].pid);
	for (uint32_t i = 1; i < l->n_chain; i++)
		pv_buf_printf(&chain, "%s%s (%u)", i > 1 ? " < " : "", l->chain[i].comm, l->chain[i].pid);
	if (chain.len)
		notice_add_evidence(n, "started by", "%s", pv_buf_str(&chain));
	if (!l->chain[0].host)
		notice_add_evidence(n, "from", "%s",
				    "another mount namespace than the host's: a container, or a sandboxed service");
}

void tell_persist_end(struct notice *n, const struct tell_persist *t)
{
	const char *by = installed_by(t->look), *first = n->n_evidence ? n->evidence[0].value : "";

	if (t->look->odd)
		notice_set_what(n, "(%s) became %s", t->kind,
				t->look->odd == PERSIST_LINK ? "a symbolic link" : "something that is no file of one name");
	else
		notice_set_what(n, "(%s) got %zu new line%s: %.160s", t->kind, t->added, t->added == 1 ? "" : "s", first);
	if (t->gone)
		notice_add_evidence(n, "lines gone", "%zu", t->gone);
	if (t->look->cut)
		notice_add_evidence(n, "looked at", "its first %d KiB", PERSIST_BYTES >> 10);
	add_writer(n, t->look);
	if (by) {
		n->severity = SEV_INFO;
		notice_add_evidence(n, "why only told", "a package manager wrote it (%s)", by);
	} else if (t->look->n_chain && !t->look->chain[0].host) {
		n->severity = SEV_CRITICAL;
	}
	notice_set_next(n, "pavise explain %s", id_info(n->id)->name);
}

void tell_holds_host(struct notice *n, const char *what, bool engine, const char *image, bool known_image)
{
	if (engine)
		notice_set_what(n, "began with the container engine's socket (%s): it can start what it likes, as root", what);
	else
		notice_set_what(n, "began with %s of the host, to write to: cron, keys and units lie there", what);
	notice_add_evidence(n, "mounted", "%s", what);
	notice_add_evidence(n, "image", "%s (%s)", image, known_image ? "seen before" : "not seen since the guard started");
	notice_set_next(n, "pavise explain %s", id_info(n->id)->name);
}

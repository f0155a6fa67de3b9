#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mask.h"
#include "report/tell.h"
#include "report/words.h"

/* What is odd about it, in the order of how odd. */
static const char *what_it_is(const struct event_exec *e)
{
	if (e->bits & PV_EXEC_DELETED && e->place != PV_PLACE_MEMFD) /* which never had a name */
		return "whose file was deleted";
	switch ((enum pv_place) e->place) {
	case PV_PLACE_MEMFD:
		return "which lies in memory and in no file";
	case PV_PLACE_TMPFS:
		return "which lies on a file system in memory";
	case PV_PLACE_CHANGED:
		return e->bits & PV_EXEC_SIZE ? "which is not as long as in the image" : "which was written to since the image";
	case PV_PLACE_COPIED:
		return "which has other bytes than in the image";
	case PV_PLACE_MOUNT:
		return "which lies on a volume or another mount";
	case PV_PLACE_NEW:
	default:
		return "which is not part of its image";
	}
}

static const char *why_refused(const struct event_exec *e)
{
	switch ((enum pv_exec_why) e->why) {
	case PV_WHY_WRITABLE:
		return " (in a folder that everybody may write to)";
	case PV_WHY_NAME:
		return " (a miner's name, or one meant to look like the system's)";
	case PV_WHY_SHELL:
		return " (brought by a shell that a server started)";
	default:
		return e->bits & PV_EXEC_GRACE ? " (in a folder that everybody may write to, soon after the first start)" : "";
	}
}

/* `cp -r a b`: NULs become blanks, passwords are masked; escaping is the printer's. */
static void words(struct pv_buf *out, const char *argv, size_t len)
{
	mask_words(out, argv, len);
}

static void command_line(struct pv_buf *out, const struct event_exec *e)
{
	words(out, e->argv, PV_MIN((size_t) e->argv_len, sizeof(e->argv)));
	if (e->argv_cut)
		pv_buf_puts(out, "…");
}

static void chain(struct pv_buf *out, const struct event_exec *e)
{
	for (unsigned i = PV_MIN((unsigned) e->n_chain, (unsigned) PV_EXEC_CHAIN); i-- > 0;)
		pv_buf_printf(out, "%.*s (%u) > ", PV_COMM_LEN, e->chain[i].comm, e->chain[i].tgid);
	pv_buf_printf(out, "%.*s (%u)", PV_COMM_LEN, e->head.comm, e->head.tgid);
}

static const char *place_name(const struct event_exec *e)
{
	static const char *const names[PV_N_PLACES] = { "image",	   "image, copied", "image, changed",
							"new file",	   "memory",	    "tmpfs",
							"mount",	   "mount, read-only", "root" };

	return e->place < PV_N_PLACES ? names[e->place] : "unknown";
}

/* The end of a path says more than its beginning. */
static const char *tail(const char *path, size_t max)
{
	size_t len = strlen(path);

	return len > max ? path + (len - max) : path;
}

/* Mapped by a program that goes on with what it does. */
static bool is_library(const struct event_exec *e)
{
	return (e->bits & (PV_EXEC_MAPPED | PV_EXEC_LOADER)) == PV_EXEC_MAPPED;
}

void tell_exec(struct notice *n, const struct event_exec *e, bool build)
{
	pv_autobuf argv = PV_BUF_INIT, from = PV_BUF_INIT, path = PV_BUF_INIT;
	bool refused = n->action == DONE_BLOCKED || n->action == DONE_WOULD_BLOCK, library = is_library(e);

	pv_buf_printf(&path, "%.*s", (int) sizeof(e->path), *e->path ? e->path : library ? "something" : e->filename);
	command_line(&argv, e);
	chain(&from, e);
	notice_set_what(n, "%s %s%s, %s%s%s%s%.*s", refused ? "tried to run" : library ? "loaded" : "ran", path.len > 140 ? "…" : "",
			tail(pv_buf_str(&path), 140), what_it_is(e), why_refused(e), build ? ", while an image was built" : "",
			library ? ", into " : e->bits & PV_EXEC_MAPPED ? ", by way of the dynamic loader" : "",
			library ? PV_COMM_LEN : 0, e->head.comm);
	notice_add_evidence(n, "path", "%s%s", path.len > 180 ? "…" : "", tail(pv_buf_str(&path), 180));
	notice_add_evidence(n, "place", "%s", place_name(e));
	if (e->bits & PV_EXEC_MAPPED)
		notice_add_evidence(n, "mapped by", "%.*s", (int) sizeof(e->filename), e->filename);
	notice_add_evidence(n, "command", "%s", pv_buf_str(&argv));
	notice_add_evidence(n, "chain", "%s", pv_buf_str(&from));
	notice_add_evidence(n, "user", "%u", e->uid);
	notice_add_evidence(n, "size", "%" PRIu64, (uint64_t) e->size);
	if (e->place == PV_PLACE_CHANGED)
		notice_add_evidence(n, "size in the image", "%" PRIu64, (uint64_t) e->lower_size);
	if (e->bits & PV_EXEC_UNKILLED)
		notice_add_evidence(n, "signal", "the kernel did not take it: the program may run");
	tell_allow(n, n->subject, signal_name(SIGNAL_EXEC));
}

void tell_exec_judged(struct notice *n, bool is_bad, bool killed, bool spared)
{
	char path[192] = "a program";

	for (size_t i = 0; i < n->n_evidence; i++)
		if (strcmp(n->evidence[i].what, "path") == 0)
			(void) snprintf(path, sizeof(path), "%s", n->evidence[i].value);
	n->action = killed ? DONE_KILLED : DONE_ALERTED;
	n->severity = is_bad ? SEV_CRITICAL : SEV_HIGH;
	notice_set_what(n, "ran %s, %s", path,
			is_bad ? "which is byte for byte a program that was refused before" : "which has other bytes than in the image");
	if (spared)
		notice_add_evidence(n, "not ended", "more than 5 containers a minute or 30 an hour had programs ended by such a look");
}

void tell_script(struct notice *n, const struct event_exec *e, const char *path)
{
	pv_autobuf argv = PV_BUF_INIT, from = PV_BUF_INIT;

	command_line(&argv, e);
	chain(&from, e);
	notice_set_what(n, "had %.*s run the script %s%s, which lies in a folder that everybody may write to", PV_COMM_LEN, e->head.comm,
			strlen(path) > 140 ? "…" : "", tail(path, 140));
	notice_add_evidence(n, "path", "%s%s", strlen(path) > 180 ? "…" : "", tail(path, 180));
	notice_add_evidence(n, "place", "script");
	notice_add_evidence(n, "command", "%s", pv_buf_str(&argv));
	notice_add_evidence(n, "chain", "%s", pv_buf_str(&from));
	notice_add_evidence(n, "user", "%u", e->uid);
	tell_allow(n, n->subject, signal_name(SIGNAL_EXEC));
}

/* The last one that is not a shell of the chain itself: the server. */
static const char *server_of(const struct event_exec *e, char out[PV_COMM_LEN + 1])
{
	static const char *const shells[] = { "sh", "bash", "dash", "ash", "busybox" };

	(void) memset(out, 0, PV_COMM_LEN + 1);
	for (unsigned i = 0; i < PV_MIN((unsigned) e->n_chain, (unsigned) PV_EXEC_CHAIN); i++) {
		bool shell = false;

		memcpy(out, e->chain[i].comm, PV_COMM_LEN);
		for (size_t k = 0; k < N_ELEMENTS(shells); k++)
			shell = shell || strcmp(out, shells[k]) == 0;
		if (!shell)
			return out;
	}
	return *out ? out : "a server";
}

void tell_shell(struct notice *n, const struct event_exec *e, const char *credentials)
{
	static const char *const what[] = { [PV_SHELL_STARTED] = "start a shell", [PV_SHELL_DOWNLOADS] = "fetch something by a shell's means",
					    [PV_SHELL_COMPILES] = "start a compiler" };
	pv_autobuf argv = PV_BUF_INIT, from = PV_BUF_INIT;
	char server[PV_COMM_LEN + 1];

	command_line(&argv, e);
	chain(&from, e);
	notice_set_what(n, "had %s %s%s%s: %.180s", server_of(e, server),
			e->why < N_ELEMENTS(what) && what[e->why] ? what[e->why] : "start something", credentials ? " that reads " : "",
			credentials ? credentials : "", pv_buf_str(&argv));
	notice_add_evidence(n, "command", "%s", pv_buf_str(&argv));
	if (!(e->bits & PV_EXEC_WRITABLE)) /* else it may be where the script lies */
		notice_add_evidence(n, "path", "%.180s", e->path);
	notice_add_evidence(n, "chain", "%s", pv_buf_str(&from));
	notice_add_evidence(n, "user", "%u", e->uid);
	tell_allow(n, n->subject, signal_name(SIGNAL_EXEC));
}

void tell_metadata(struct notice *n, const struct event_net *e, const char *argv, size_t len)
{
	pv_autobuf line = PV_BUF_INIT, at = PV_BUF_INIT;
	struct ip_addr addr;

	memcpy(addr.b, e->daddr, sizeof(addr.b));
	ip_format(&at, &addr);
	words(&line, argv, len);
	notice_set_what(n, "had a server's shell ask %s for the cloud's credentials%s%.180s", pv_buf_str(&at), line.len ? ": " : "", pv_buf_str(&line));
	if (line.len)
		notice_add_evidence(n, "command", "%s", pv_buf_str(&line));
	notice_add_evidence(n, "address", "%s", pv_buf_str(&at));
	tell_allow(n, n->subject, signal_name(SIGNAL_EXEC));
}

void tell_miner(struct notice *n, const char *sign, const char *argv, size_t len, uint32_t pid)
{
	pv_autobuf line = PV_BUF_INIT;

	words(&line, argv, len);
	notice_set_what(n, "runs a process with %s: %.200s", sign, pv_buf_str(&line));
	notice_add_evidence(n, "sign", "%s", sign);
	notice_add_evidence(n, "command", "%s", pv_buf_str(&line));
	notice_add_evidence(n, "process", "pid %u", pid);
	tell_allow(n, n->subject, signal_name(SIGNAL_EXEC));
}

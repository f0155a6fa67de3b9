/* The history without a guard, for `pavise undo` (cmd/undo.c): root may neither read what the engine wrote nor leave files in
 * its folder. So this program becomes the folder's owner, gives up what the engine gives up, and does with the engine's own
 * code what the verbs of the control socket do:
 *
 *   pavise-engine acts DIR
 *   pavise-engine undo DIR ROW    asks a broker at ROLE_FD_UNDO (broker/undo.c)
 *
 * Writes one line of JSON, the answer; exit status 0, or ROLE_EXIT_CONFIG for wrong words. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "base/text.h"
#include "broker/swarm.h"
#include "guard/guard.h"

/* 0, or negative errno: -ENOENT there is no history, -EPERM its folder is root's. */
static int become_owner(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r;
	struct stat st;

	if (fd < 0 || faccessat(fd, "history.db", F_OK, AT_SYMLINK_NOFOLLOW) < 0 || fstat(fd, &st) < 0 || dup2(fd, ROLE_FD_STATE) < 0)
		return -errno;
	if (st.st_uid == 0)
		return -EPERM;
	r = sandbox_become(st.st_uid, st.st_gid, 0);
	if (r == 0)
		r = sandbox_basics();
	return r < 0 ? r : guard_sandbox_files();
}

static int history_open(struct guard *g)
{
	char path[32];
	int r;

	(void) snprintf(path, sizeof(path), "/proc/self/fd/%d", ROLE_FD_STATE);
	r = store_open(path, &g->store);
	return r < 0 ? r : store_was_damaged(g->store) ? -EBADMSG : 0;
}

static void on_undone(struct guard *g, bool ok, const char *text, void *arg)
{
	if (ok)
		control_text(arg, text);
	else
		control_error(arg, text, "pavise undo");
	(void) sd_event_exit(g->loop, 0);
}

/* Its program is started by the launcher, which does not run. */
static void tell_swarm(struct guard *g, const struct store_act *a, struct pv_buf *out)
{
	pv_autobuf what = PV_BUF_INIT;
	char next[160];
	uint64_t n = 0;

	if (strcmp(a->old_value, "global") == 0)
		(void) snprintf(next, sizeof(next), "docker service update --constraint-rm " SWARM_STOPPED " %s", a->id);
	else if (parse_u64(a->old_value, &n) == 0)
		(void) snprintf(next, sizeof(next), "docker service scale %s=%" PRIu64, a->id, n);
	if (!api_id_valid(API_ID_SERVICE, a->id) || (!n && strcmp(a->old_value, "global") != 0)) {
		control_error(out, acts_undo_why(-EINVAL), "docker service ls");
		return;
	}
	acts_spare(g, a);
	pv_buf_printf(&what, "%s: a service is scaled up again by a running guard only, or by you", a->subject);
	control_error(out, pv_buf_str(&what), next);
}

static int undo(struct guard *g, uint64_t row, struct pv_buf *out)
{
	struct store_act a;
	int r;

	if (respawn_new(&g->respawn) < 0 || succession_new(&g->succession) < 0)
		return -ENOMEM;
	kept_start(g);
	r = sd_event_default(&g->loop);
	if (r >= 0)
		r = link_start(g, ROLE_FD_UNDO);
	if (r >= 0)
		r = guard_sandbox_calls();
	if (r < 0)
		return r;
	if (store_act(g->store, row, &a) == 0 && !a.undone && strcmp(a.kind, "swarm-scale") == 0) {
		tell_swarm(g, &a, out);
		return 0;
	}
	r = acts_undo(g, row, on_undone, out);
	if (r < 0)
		control_error(out, acts_undo_why(r), "pavise undo");
	else
		(void) sd_event_loop(g->loop);
	if (!out->len)
		control_error(out, "the broker ended without an answer: whether the act was taken back is not known", "sudo pavise doctor");
	return 0;
}

static int answer(const char *dir, const uint64_t *row, struct pv_buf *out)
{
	struct guard g = { 0 };
	int r = become_owner(dir);

	if (r >= 0)
		r = history_open(&g);
	if (r >= 0 && row) {
		r = undo(&g, *row, out);
	} else if (r >= 0) {
		r = guard_sandbox_calls();
		if (r >= 0)
			acts_json(g.store, out);
	}
	link_stop(&g);
	sd_event_unref(g.loop);
	g.respawn = respawn_free(g.respawn);
	g.succession = succession_free(g.succession);
	g.store = store_free(g.store);
	return r;
}

static void tell_failed(int r, const char *dir, struct pv_buf *out)
{
	pv_autobuf what = PV_BUF_INIT;

	pv_buf_printf(&what, "the guard does not run, and the history in %s ", dir);
	if (r == -ENOENT)
		pv_buf_puts(&what, "does not exist: nothing was done that could be taken back");
	else if (r == -EBADMSG)
		pv_buf_puts(&what, "was damaged: it was set aside (history.db.bad)");
	else
		pv_buf_printf(&what, "cannot be read: %s", strerror(-r));
	control_error(out, pv_buf_str(&what), "systemctl start pavise");
}

int offline(int argc, char **argv)
{
	pv_autobuf out = PV_BUF_INIT;
	uint64_t row = 0;
	bool one = argc == 3 && strcmp(argv[0], "undo") == 0 && parse_u64(argv[2], &row) == 0;
	int r;

	if (!one && (argc != 2 || strcmp(argv[0], "acts") != 0)) {
		log_error("usage: pavise-engine acts DIR | undo DIR ROW; without words the launcher starts it");
		return ROLE_EXIT_CONFIG;
	}
	r = answer(argv[1], one ? &row : NULL, &out);
	if (r < 0)
		tell_failed(r, argv[1], &out);
	return pv_write_all(STDOUT_FILENO, out.data, out.len) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

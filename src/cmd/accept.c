/* pavise accept: what the audit's reader lists of the host becomes what a person accepted. The lists are text and are compared
 * here line by line, never read. */
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/lines.h"
#include "cmd/audit.h"
#include "mend/state.h"

#define LIST_BYTES (8u << 20)

static int take(int fd, struct pv_buf *out)
{
	char chunk[16384];
	ssize_t n;

	out->cap = LIST_BYTES;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		pv_buf_add(out, chunk, (size_t) n);
	return n < 0 ? -errno : out->cut ? -EFBIG : 0;
}

/* Lines of one that the other has not; `#` begins who and when. */
static size_t differ(const char *a, const char *b, char sign, struct pv_buf *out)
{
	pv_auto(line_set) others = line_set_new(b);
	size_t n = 0;

	for (const char *p = a; others && *p;) {
		size_t len = strcspn(p, "\n"), shown = len > 33 ? len - 33 : len; /* without the hash */

		if (len && *p != '#' && !line_set_has(others, p, len)) {
			pv_autofree char *line = strndup(p, shown);

			pv_buf_printf(out, "%c ", sign);
			pv_buf_safe(out, line ? line : "", 0);
			pv_buf_putc(out, '\n');
			n++;
		}
		p += len + (p[len] == '\n');
	}
	return n;
}

/* Whoever became root by sudo is who it was. */
static void who(struct pv_buf *out, uint64_t now_us)
{
	const char *sudo = geteuid() == 0 ? getenv("SUDO_USER") : NULL;
	const struct passwd *pw = getpwuid(getuid());

	pv_buf_puts(out, "# accepted by ");
	pv_buf_safe(out, sudo && *sudo ? sudo : pw ? pw->pw_name : "?", 64);
	pv_buf_printf(out, " (uid %u) at ", (unsigned) getuid());
	clock_rfc3339(out, now_us);
	pv_buf_putc(out, '\n');
}

static int keep(const struct cmd *c, const struct start *s, const char *kind, const struct pv_buf *now)
{
	pv_autobuf text = PV_BUF_INIT, path = PV_BUF_INIT;
	pv_autoclose int folder = state_folder(s->state_dir, "accepted", &path);
	int r;

	who(&text, clock_wall_us());
	pv_buf_puts(&text, pv_buf_str(now));
	r = folder < 0 ? folder : text.cut ? -EFBIG : state_write(folder, kind, pv_buf_str(&text), text.len);
	if (r < 0) {
		cmd_fail("it could not be kept", NULL);
		cmd_say("  %s/%s: %s", pv_buf_str(&path), kind, strerror(-r));
		return CMD_INCOMPLETE;
	}
	if (!c->quiet)
		cmd_say("accepted; kept in %s/%s", pv_buf_str(&path), kind);
	return CMD_OK;
}

static int offer(struct cmd *c, struct start *s, const char *kind, const struct pv_buf *now)
{
	pv_autobuf old = PV_BUF_INIT, out = PV_BUF_INIT;
	pv_autoclose int folder = state_folder_open(s->state_dir, "accepted", NULL);
	int had = folder < 0 ? folder : state_read(folder, kind, LIST_BYTES, &old), r;
	size_t n = differ(pv_buf_str(now), pv_buf_str(&old), '+', &out);

	n += differ(pv_buf_str(&old), pv_buf_str(now), '-', &out);
	if (had == 0 && strncmp(pv_buf_str(&old), "# accepted by ", 14) == 0 && !c->quiet)
		cmd_say("before: %.*s", (int) strcspn(pv_buf_str(&old) + 2, "\n"), pv_buf_str(&old) + 2);
	(void) cmd_write(&out);
	if (!n && had == 0) {
		cmd_say("nothing has changed since");
		return CMD_OK;
	}
	if (cmd_opt(c, "dry-run")) {
		cmd_say("nothing was accepted (--dry-run)");
		return CMD_OK;
	}
	r = audit_agreed(c, "Accept this");
	if (r <= 0)
		return r < 0 ? CMD_USAGE : CMD_OK;
	return keep(c, s, kind, now);
}

int cmd_accept(struct cmd *c)
{
	static const char *const kinds[] = { "keys", "deployments", "files" };
	pv_auto(start) s = audit_start_new(c);
	pv_autobuf now = PV_BUF_INIT;
	const char *kind = NULL;
	int r;

	for (size_t i = 0; i < N_ELEMENTS(kinds); i++)
		if (strcmp(c->word[0], kinds[i]) == 0)
			kind = kinds[i];
	if (!kind) {
		cmd_fail("what is accepted is one of keys, deployments, files", "pavise accept --help");
		return CMD_USAGE;
	}
	if (!s)
		return CMD_INCOMPLETE;
	r = audit_program(c, s);
	if (r != CMD_OK)
		return r;
	s->seen_fd = memfd_create("seen", MFD_CLOEXEC);
	audit_arg(s, "--list", kind);
	r = s->seen_fd < 0 ? -errno : audit_run(s);
	if (r != 0 || take(s->seen_fd, &now) < 0) {
		cmd_fail("nothing was accepted", geteuid() ? "sudo pavise accept %s" : NULL, kind);
		return CMD_INCOMPLETE;
	}
	return offer(c, s, kind, &now);
}

/* pavise audit --fix --compose: the reader wrote the override into memory; here it is shown, and put beside the file that it is
 * for, as the folder's owner. It is text and is not read here. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/text.h"
#include "check/override.h"
#include "cmd/audit.h"
#include "mend/record.h"
#include "mend/state.h"

#define OVERRIDE_BYTES (1u << 20)

static int take_text(int fd, struct pv_buf *out)
{
	return lseek(fd, 0, SEEK_SET) < 0 ? -errno : pv_read_all(fd, OVERRIDE_BYTES, out);
}

/* docker-compose.yml: docker-compose.pavise.yml beside it; or what -o names. */
static int destination(struct cmd *c, const struct start *s, struct audit_step *to)
{
	const char *output = cmd_opt(c, "output"), *path = s->path[0], *slash = strrchr(path, '/'), *dot;
	char dir[PATH_MAX], real[PATH_MAX];
	int n;

	if (output) {
		slash = strrchr(output, '/');
		n = slash ? snprintf(dir, sizeof(dir), "%.*s/", (int) (slash - output), output) : snprintf(dir, sizeof(dir), ".");
		if (n < 0 || n >= (int) sizeof(dir) || !realpath(dir, real))
			return -ENOENT;
		return text_copy(to->dir, sizeof(to->dir), real) && text_copy(to->name, sizeof(to->name), slash ? slash + 1 : output)
			       ? 0
			       : -ENAMETOOLONG;
	}
	dot = slash ? strrchr(slash, '.') : NULL;
	if (!dot)
		dot = path + strlen(path);
	n = snprintf(to->dir, sizeof(to->dir), "%.*s", (int) PV_MAX(slash - path, 1), path);
	if (n < 0 || n >= (int) sizeof(to->dir))
		return -ENAMETOOLONG;
	n = snprintf(to->name, sizeof(to->name), "%.*s.pavise%s", (int) (dot - slash - 1), slash + 1, dot);
	return n < 0 || n >= (int) sizeof(to->name) ? -ENAMETOOLONG : 0;
}

/* Line by line, so that nothing in it reaches the terminal as more than text. */
static int show(const struct pv_buf *text)
{
	pv_autobuf out = PV_BUF_INIT;

	for (const char *p = pv_buf_str(text); *p;) {
		size_t n = strcspn(p, "\n");
		pv_autofree char *line = strndup(p, n);

		pv_buf_safe(&out, line ? line : "", 0);
		pv_buf_putc(&out, '\n');
		p += n + (p[n] == '\n');
	}
	return cmd_write(&out);
}

static int put(struct start *s, struct audit_step *to, const struct pv_buf *text)
{
	pv_autobuf path = PV_BUF_INIT;
	pv_autoclose int folder = state_folder(s->state_dir, "undo", &path);
	struct record_line line = { .size = { .after = text->len } };
	struct record run = { .fd = -1 };
	int r = folder < 0 ? folder : record_new(folder, clock_wall_us(), &run);

	to->kind = STEP_FILE;
	(void) text_copy(to->line, sizeof(to->line), OVERRIDE_MARK);
	line.step = *to;
	if (r == 0)
		r = record_add(&run, &line);
	if (r < 0) {
		cmd_fail("nothing was written: no record of it can be kept", NULL);
		return r;
	}
	r = mend_write(to->dir, to->name, OVERRIDE_MARK, pv_buf_str(text), text->len, 0644);
	line.failed = r < 0;
	(void) record_add(&run, &line);
	record_close(&run);
	return r;
}

static void say_next(const struct start *s, const struct audit_step *to)
{
	pv_autobuf out = PV_BUF_INIT, path = PV_BUF_INIT, safe = PV_BUF_INIT;

	pv_buf_puts(&out, "docker compose");
	for (size_t i = 0; i < s->n_paths; i++) {
		pv_buf_puts(&out, " -f ");
		words_shell(&out, s->path[i]);
	}
	pv_buf_printf(&path, "%s/%s", to->dir, to->name);
	pv_buf_puts(&out, " -f ");
	words_shell(&out, pv_buf_str(&path));
	pv_buf_safe(&safe, pv_buf_str(&out), 0);
	cmd_say("next: %s up -d    (takes the file away: pavise audit --undo)", pv_buf_str(&safe));
}

int audit_override(struct cmd *c, struct start *s)
{
	struct audit_step to = { .kind = STEP_FILE };
	pv_autobuf text = PV_BUF_INIT, why = PV_BUF_INIT;
	int r = take_text(s->override_fd, &text);

	if (r == 0 && !text.len) {
		cmd_say("nothing can be mended by itself");
		return CMD_OK;
	}
	if (r == 0 && strncmp(pv_buf_str(&text), OVERRIDE_MARK "\n", sizeof(OVERRIDE_MARK)) != 0)
		r = -EBADMSG;
	if (r == 0)
		r = destination(c, s, &to);
	if (r < 0) {
		cmd_fail("the override could not be made", NULL);
		return CMD_INCOMPLETE;
	}
	(void) show(&text);
	if (cmd_opt(c, "dry-run")) {
		cmd_say("nothing was written (--dry-run)");
		return CMD_OK;
	}
	pv_buf_printf(&why, "Write this to %s", to.name);
	r = audit_agreed(c, pv_buf_str(&why));
	if (r <= 0)
		return r < 0 ? CMD_USAGE : CMD_OK;
	r = put(s, &to, &text);
	if (r < 0) {
		pv_buf_clear(&why);
		pv_buf_puts(&why, "the override was not written to ");
		pv_buf_safe(&why, to.dir, 0);
		pv_buf_putc(&why, '/');
		pv_buf_safe(&why, to.name, 0);
		pv_buf_printf(&why, ": %s", mend_why(r));
		cmd_fail(pv_buf_str(&why), NULL);
		return CMD_INCOMPLETE;
	}
	if (!s->quiet)
		say_next(s, &to);
	return CMD_OK;
}

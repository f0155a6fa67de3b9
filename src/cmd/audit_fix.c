/* pavise audit --fix and --undo: each step is shown, looked at again, recorded, and then carried out; --undo takes the
 * newest run back, last step first. What the reader proposed is believed nowhere: modes are two, a line of .gitignore is one
 * line, limits are those of the policy, and a file is changed by mend/target.h only. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "cmd/audit.h"
#include "cmd/audit_guarded.h"
#include "mend/record.h"
#include "mend/state.h"
#include "mend/target.h"

#define PIDS_MAX   100000
#define MEMORY_MAX ((uint64_t) 1 << 40)
#define CPU_MAX	   1000000

/* --- in words --- */

static void path_word(struct pv_buf *out, const struct audit_step *s)
{
	pv_autobuf path = PV_BUF_INIT;

	pv_buf_printf(&path, "%s/%s", strcmp(s->dir, "/") == 0 ? "" : s->dir, s->name);
	words_shell(out, pv_buf_str(&path));
}

static void limits_words(struct pv_buf *out, const struct audit_step *s)
{
	const struct step_limits *w = &s->wanted;

	pv_buf_puts(out, s->engine ? "podman update" : "docker update");
	if (w->pids)
		pv_buf_printf(out, " --pids-limit %" PRIu64, w->pids);
	if (w->memory)
		pv_buf_printf(out, " --memory %" PRIu64 "m --memory-swap %" PRIu64 "m", w->memory >> 20, w->memory >> 20);
	if (w->milli_cpus)
		pv_buf_printf(out, " --cpus %" PRIu64 ".%03" PRIu64, w->milli_cpus / 1000, w->milli_cpus % 1000);
	pv_buf_putc(out, ' ');
	words_shell(out, s->name);
}

/* As the command that would do the same. */
static void step_words(struct pv_buf *out, const struct audit_step *s)
{
	pv_autobuf raw = PV_BUF_INIT;

	switch (s->kind) {
	case STEP_MODE:
		pv_buf_printf(&raw, "chmod %o ", s->mode);
		path_word(&raw, s);
		break;
	case STEP_IGNORE:
		pv_buf_puts(&raw, "printf '\\n%s\\n' "); /* the last line there may lack its end */
		words_shell(&raw, s->line);
		pv_buf_puts(&raw, " >> ");
		path_word(&raw, s);
		break;
	case STEP_LIMITS:
		limits_words(&raw, s);
		break;
	case STEP_FILE:
		pv_buf_puts(&raw, "write ");
		path_word(&raw, s);
		break;
	default:
		guarded_words(&raw, s);
	}
	pv_buf_safe(out, pv_buf_str(&raw), 0);
}

static struct mend_target target_of(const struct audit_step *s)
{
	return (struct mend_target){
		.dir = s->dir, .name = s->name, .dev = s->dev, .ino = s->ino, .owner = s->owner, .folder = s->kind == STEP_MODE && s->mode == 0700
	};
}

/* --- limits --- */

static int engine_said(int fd)
{
	pv_autobuf text = PV_BUF_INIT;
	char answer[2048];
	ssize_t n = pread(fd, answer, sizeof(answer) - 1, 0);
	const char *body;

	if (n < 12)
		return -EPIPE;
	answer[n] = '\0';
	if (strncmp(answer, "HTTP/1.", 7) == 0 && strncmp(answer + 8, " 200", 4) == 0)
		return 0;
	body = strstr(answer, "\r\n\r\n");
	pv_buf_puts(&text, "the engine refused it: ");
	pv_buf_safe(&text, body ? body + 4 : answer + 9, 300);
	cmd_say("%s", pv_buf_str(&text));
	return -EREMOTEIO;
}

static int limit(struct start *s, const struct audit_step *t, enum api_request what, uint64_t number)
{
	pv_autoclose int fd = memfd_create("answer", MFD_CLOEXEC);
	int r = fd < 0 ? -errno : audit_engine(s, t->engine, what, t->container, (uint32_t) number, fd);

	return r < 0 ? r : engine_said(fd);
}

static int apply_limits(struct start *s, const struct audit_step *t)
{
	const struct step_limits *w = &t->wanted;
	int r = 0, one;

	if (w->pids > PIDS_MAX || w->memory > MEMORY_MAX || w->milli_cpus > CPU_MAX)
		return -EINVAL;
	if (w->pids)
		r = limit(s, t, API_LIMIT_PIDS, w->pids);
	if (w->memory) {
		one = limit(s, t, API_LIMIT_MEMORY, w->memory >> 20);
		r = r < 0 ? r : one;
	}
	if (w->milli_cpus) {
		one = limit(s, t, API_LIMIT_CPU, w->milli_cpus);
		r = r < 0 ? r : one;
	}
	return r;
}

/* There was none: an engine takes a limit of processes away, but one of memory or CPU only by the machine's whole. */
static int undo_limits(struct start *s, const struct audit_step *t)
{
	uint64_t pages = (uint64_t) sysconf(_SC_PHYS_PAGES), size = (uint64_t) sysconf(_SC_PAGESIZE);
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int r = 0, one;

	if (t->wanted.pids)
		r = limit(s, t, API_LIMIT_PIDS, 0);
	if (t->wanted.memory) {
		one = limit(s, t, API_LIMIT_MEMORY, pages * size >> 20);
		r = r < 0 ? r : one;
	}
	if (t->wanted.milli_cpus) {
		one = limit(s, t, API_LIMIT_CPU, (uint64_t) (cpus > 0 ? cpus : 1) * 1000);
		r = r < 0 ? r : one;
	}
	return r;
}

/* --- one step --- */

/* What must be known to take it back, and whether it may be done at all. */
static int prepare(const struct audit_step *s, struct record_line *line)
{
	const struct mend_target t = target_of(s);
	struct stat st;
	int r;

	*line = (struct record_line){ .step = *s };
	switch (s->kind) {
	case STEP_MODE:
		if (s->mode != 0600 && s->mode != 0700)
			return -EINVAL;
		r = mend_look(&t, &st);
		line->old_mode = st.st_mode & 07777;
		return r;
	case STEP_IGNORE:
		if (strcmp(s->name, ".gitignore") != 0 || !*s->line || strpbrk(s->line, "\n\r/"))
			return -EINVAL;
		return s->ino ? mend_look(&t, &st) : 0;
	case STEP_LIMITS:
		return api_id_valid(API_ID_CONTAINER, s->container) ? 0 : -EINVAL;
	default:
		return guarded_prepare(s);
	}
}

/* The file is there now, for the next line of it, too. */
static int append(struct start *s, struct record_line *line)
{
	const struct mend_target t = target_of(&line->step);
	int r = mend_append(&t, line->step.line, &line->size);

	if (r < 0 || line->step.ino)
		return r;
	line->step.dev = line->size.dev;
	line->step.ino = line->size.ino;
	line->step.owner = line->size.owner;
	for (size_t i = 0; i < s->n_steps; i++)
		if (s->step[i].kind == STEP_IGNORE && !s->step[i].ino && strcmp(s->step[i].dir, line->step.dir) == 0) {
			s->step[i].dev = line->size.dev;
			s->step[i].ino = line->size.ino;
			s->step[i].owner = line->size.owner;
		}
	return 0;
}

static int apply(struct start *s, struct record_line *line)
{
	const struct mend_target t = target_of(&line->step);

	switch (line->step.kind) {
	case STEP_MODE:
		return mend_mode(&t, line->old_mode, line->step.mode);
	case STEP_IGNORE:
		return append(s, line);
	case STEP_LIMITS:
		return apply_limits(s, &line->step);
	default:
		return guarded_apply(s, line);
	}
}

static int take_back(struct start *s, const struct record_line *line)
{
	const struct mend_target t = target_of(&line->step);

	switch (line->step.kind) {
	case STEP_MODE:
		return mend_mode(&t, line->step.mode, line->old_mode);
	case STEP_IGNORE:
		return mend_unappend(&t, line->step.line, &line->size);
	case STEP_LIMITS:
		return undo_limits(s, &line->step);
	case STEP_FILE:
		return mend_unwrite(line->step.dir, line->step.name, line->step.line, line->size.after);
	default:
		return guarded_undo(s, &line->step);
	}
}

static void told(const struct audit_step *s, const char *before, int r)
{
	pv_autobuf out = PV_BUF_INIT;

	pv_buf_puts(&out, r == 0 ? before : "NOT DONE  ");
	step_words(&out, s);
	if (r < 0)
		pv_buf_printf(&out, ": %s", r == -EREMOTEIO ? "see above" : mend_why(r));
	pv_buf_putc(&out, '\n');
	(void) cmd_write(&out);
}

static int one(struct start *s, struct record *to, const struct audit_step *step)
{
	struct record_line line;
	int r = prepare(step, &line);

	if (r == 0) {
		r = record_add(to, &line);
		if (r < 0) {
			cmd_fail("nothing more is changed: what was done cannot be recorded", NULL);
			return -EIO;
		}
		r = apply(s, &line);
		line.failed = r < 0;
		if (record_add(to, &line) < 0 && r == 0)
			cmd_say("pavise: this step was done, but cannot be taken back by --undo");
	}
	told(step, "done      ", r);
	return r < 0;
}

/* --- all of them --- */

static size_t show(const struct start *s, bool guarded)
{
	pv_autobuf out = PV_BUF_INIT;
	size_t n = 0;

	for (size_t i = 0; i < s->n_steps; i++) {
		const struct audit_step *t = &s->step[i];

		if (t->kind == STEP_LEFT || (guarded_kind(t) && !guarded))
			continue;
		pv_buf_printf(&out, "%3zu  ", ++n);
		step_words(&out, t);
		pv_buf_printf(&out, "    # %s\n", id_info((enum id) t->id)->name);
	}
	for (size_t i = 0; i < s->n_steps; i++) {
		const struct audit_step *t = &s->step[i];

		if (t->kind == STEP_LEFT || (guarded_kind(t) && !guarded)) {
			pv_buf_printf(&out, "left: %s, ", id_info((enum id) t->id)->name);
			pv_buf_safe(&out, t->subject, 0);
			pv_buf_puts(&out, ": ");
			pv_buf_safe(&out, t->kind == STEP_LEFT ? t->line : "only with --guarded, which rolls it back unless confirmed", 0);
			pv_buf_putc(&out, '\n');
		}
	}
	if (s->more_steps)
		pv_buf_printf(&out, "left: more than %d steps at once; run it again for the rest\n", AUDIT_STEPS);
	(void) cmd_write(&out);
	return n;
}

int audit_agreed(struct cmd *c, const char *what)
{
	char answer[16] = "";

	if (cmd_opt(c, "yes"))
		return 1;
	if (!isatty(STDIN_FILENO)) {
		cmd_fail("nothing was changed: there is no terminal to ask, and --yes was not given", "pavise audit --help");
		return -EINVAL;
	}
	(void) fflush(stdout);
	(void) fprintf(stderr, "%s? [y/N] ", what);
	if (!fgets(answer, sizeof(answer), stdin))
		return 0;
	return *answer == 'y' || *answer == 'Y';
}

static int carry_out(struct start *s, bool guarded)
{
	pv_autobuf path = PV_BUF_INIT;
	pv_autoclose int folder = state_folder(s->state_dir, "undo", &path);
	struct record to = { .fd = -1 };
	size_t failed = 0;
	int r = folder < 0 ? folder : record_new(folder, clock_wall_us(), &to);

	if (r < 0) {
		cmd_fail("nothing was changed: no record of it can be kept", NULL);
		cmd_say("  %s: %s", pv_buf_str(&path), strerror(-r));
		return CMD_INCOMPLETE;
	}
	for (size_t i = 0; i < s->n_steps && r >= 0; i++) {
		if (s->step[i].kind == STEP_LEFT || (guarded_kind(&s->step[i]) && !guarded))
			continue;
		r = one(s, &to, &s->step[i]);
		failed += r > 0;
	}
	record_close(&to);
	if (!s->quiet)
		cmd_say("recorded in %s/%s\nnext: pavise audit    (takes it back: pavise audit --undo)", pv_buf_str(&path), to.name);
	return r < 0 || failed ? CMD_INCOMPLETE : CMD_OK;
}

int audit_fix(struct cmd *c, struct start *s)
{
	bool guarded = cmd_opt(c, "guarded") != NULL;
	size_t n = show(s, guarded);
	char what[48];
	int r;

	if (!n) {
		if (!s->quiet)
			cmd_say("nothing can be mended by itself");
		return CMD_OK;
	}
	if (cmd_opt(c, "dry-run")) {
		if (!s->quiet)
			cmd_say("nothing was changed (--dry-run)");
		return CMD_OK;
	}
	(void) snprintf(what, sizeof(what), "Carry out %zu step%s", n, n == 1 ? "" : "s");
	r = audit_agreed(c, what);
	if (r <= 0) {
		if (r == 0)
			cmd_say("nothing was changed");
		return r < 0 ? CMD_USAGE : CMD_OK;
	}
	return carry_out(s, guarded);
}

/* --- back --- */

static size_t show_undo(const struct record *run, const struct record_line *lines, size_t n)
{
	pv_autobuf out = PV_BUF_INIT;
	size_t shown = 0;

	pv_buf_printf(&out, "of %s, last first:\n", run->name);
	for (size_t i = n; i-- > 0;) {
		if (lines[i].failed)
			continue;
		pv_buf_printf(&out, "%3zu  back: ", ++shown);
		step_words(&out, &lines[i].step);
		if (lines[i].step.kind == STEP_MODE)
			pv_buf_printf(&out, "    # to %04o", lines[i].old_mode);
		pv_buf_putc(&out, '\n');
	}
	(void) cmd_write(&out);
	return shown;
}

static int undo_all(struct start *s, const struct record *run, const struct record_line *lines, size_t n)
{
	bool failed = false;

	for (size_t i = n; i-- > 0;) {
		int r = lines[i].failed ? 0 : take_back(s, &lines[i]);

		if (!lines[i].failed)
			told(&lines[i].step, "undone    ", r);
		failed = failed || r < 0;
	}
	if (record_undone(run) < 0)
		cmd_say("pavise: %s could not be marked as taken back", run->name);
	return failed ? CMD_INCOMPLETE : CMD_OK;
}

int audit_undo(struct cmd *c, struct start *s)
{
	pv_autobuf path = PV_BUF_INIT;
	pv_autoclose int folder = state_folder_open(s->state_dir, "undo", &path);
	pv_autofree struct record_line *lines = NULL;
	struct record run = { .fd = -1 };
	size_t n = 0;
	int r = folder < 0 ? folder : record_newest(folder, &run, &lines, &n);

	if (r == -ENOENT) {
		cmd_say("nothing was done that could be taken back");
		return CMD_OK;
	}
	if (r < 0) {
		cmd_fail("the record of what was done cannot be used", NULL);
		cmd_say("  %s/%s: %s", pv_buf_str(&path), run.name, strerror(-r));
		return CMD_INCOMPLETE;
	}
	if (!show_undo(&run, lines, n) || cmd_opt(c, "dry-run"))
		return cmd_opt(c, "dry-run") || record_undone(&run) == 0 ? CMD_OK : CMD_INCOMPLETE;
	r = audit_agreed(c, "Take it back");
	if (r <= 0)
		return r < 0 ? CMD_USAGE : CMD_OK;
	return undo_all(s, &run, lines, n);
}

/* pavise-audit: the part of `pavise audit` that reads and judges. It has given up writing, the network and starting
 * programs before it looks at the first byte; what it needs from the container engine or from sshd it asks of the
 * command that started it (check/ask.h). The report goes to standard output. Exit status: as in `pavise help
 * exit-codes`. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fdpass.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "check/ask.h"
#include "check/fix.h"
#include "check/gather.h"
#include "check/last.h"
#include "check/override_gather.h"
#include "check/probe.h"
#include "check/read_compose.h"
#include "check/recreate.h"
#include "check/seen.h"
#include "check_child/confine.h"
#include "check_child/screen.h"
#include "model/ignore.h"
#include "report/baseline.h"
#include "report/findings.h"

#define STATUS_USAGE      2
#define STATUS_INCOMPLETE 3
#define LAST_MAX	  (16u << 20)
#define WATCHED_MAX       (1u << 20) /* what a helper of the command wrote */
#define PATHS_MAX         48

struct args {
	const char *compose[PATHS_MAX], *dockerfile[PATHS_MAX], *dir[PATHS_MAX];
	size_t n_compose, n_dockerfile, n_dirs;
	const char *facts, *format, *only, *skip, *target, *ignore;
	const char *policy, *project[PATHS_MAX], *backup[PATHS_MAX];
	size_t n_projects, n_backups;
	enum severity fail_on;
	const char *state, *list, *recreate;
	uid_t uid; /* who asks */
	int sock, baseline, override, save, seen, probe, watch;
	bool all, quiet, plan;
	struct words_style style;
};

static int add_path(const char **list, size_t *n, const char *value)
{
	if (*n == PATHS_MAX)
		return -E2BIG;
	list[(*n)++] = value;
	return 0;
}

static int number(const char *value)
{
	uint32_t n;

	return parse_u32(value, &n) < 0 || n > 1 << 20 ? -EINVAL : (int) n;
}

static int set_value(struct args *a, const char *name, const char *value)
{
	if (strcmp(name, "--compose") == 0)
		return add_path(a->compose, &a->n_compose, value);
	if (strcmp(name, "--dockerfile") == 0)
		return add_path(a->dockerfile, &a->n_dockerfile, value);
	if (strcmp(name, "--dir") == 0)
		return add_path(a->dir, &a->n_dirs, value);
	if (strcmp(name, "--project") == 0)
		return add_path(a->project, &a->n_projects, value);
	if (strcmp(name, "--backup") == 0)
		return add_path(a->backup, &a->n_backups, value);
	if (strcmp(name, "--policy") == 0)
		a->policy = value;
	else if (strcmp(name, "--facts") == 0)
		a->facts = value;
	else if (strcmp(name, "--format") == 0)
		a->format = value;
	else if (strcmp(name, "--only") == 0)
		a->only = value;
	else if (strcmp(name, "--skip") == 0)
		a->skip = value;
	else if (strcmp(name, "--target") == 0)
		a->target = value;
	else if (strcmp(name, "--ignore") == 0)
		a->ignore = value;
	else if (strcmp(name, "--fail-on") == 0)
		return severity_parse(value, &a->fail_on);
	else if (strcmp(name, "--sock") == 0)
		return a->sock = number(value);
	else if (strcmp(name, "--baseline-fd") == 0)
		return a->baseline = number(value);
	else if (strcmp(name, "--state") == 0)
		a->state = value;
	else if (strcmp(name, "--recreate") == 0)
		a->recreate = value;
	else if (strcmp(name, "--list") == 0)
		a->list = value;
	else if (strcmp(name, "--save-fd") == 0)
		return a->save = number(value);
	else if (strcmp(name, "--seen-fd") == 0)
		return a->seen = number(value);
	else if (strcmp(name, "--probe-fd") == 0)
		return a->probe = number(value);
	else if (strcmp(name, "--watch-fd") == 0)
		return a->watch = number(value);
	else if (strcmp(name, "--override-fd") == 0)
		return a->override = number(value);
	else if (strcmp(name, "--width") == 0)
		a->style.width = number(value) < 0 ? 0 : (unsigned) number(value);
	else
		return -EINVAL;
	return 0;
}

static int read_args(struct args *a, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--all") == 0)
			a->all = true;
		else if (strcmp(argv[i], "--quiet") == 0)
			a->quiet = true;
		else if (strcmp(argv[i], "--colour") == 0)
			a->style.colour = true;
		else if (strcmp(argv[i], "--plan") == 0)
			a->plan = true;
		else if (i + 1 >= argc || set_value(a, argv[i], argv[i + 1]) < 0)
			return -EINVAL;
		else
			i++;
	}
	return 0;
}

/* --- what is looked at --- */

static int read_file(void *user, const char *path, size_t max, struct pv_buf *out)
{
	const struct hostfs here = { .root = -1, .prefix = "" };

	(void) user;
	return hostfs_read(&here, path, max, out);
}

static int look_compose(struct audit *a, const struct args *args)
{
	const struct compose_files files = { read_file, NULL };
	int r;

	if (!args->n_compose)
		return 0;
	r = ctr_from_compose(&a->arena, args->compose, args->n_compose, NULL, &files, &a->containers);
	return r < 0 ? r : 0;
}

static int look_dockerfile(struct audit *a, const char *path)
{
	pv_autobuf text = PV_BUF_INIT;
	struct ctr *c;
	int r = read_file(NULL, path, 1 << 20, &text);

	if (r == 0)
		r = ctr_from_dockerfile(&a->arena, pv_buf_str(&text), text.len, path, &c);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		c = ctr_new(&a->arena, CTR_DOCKERFILE);
		if (!c)
			return -ENOMEM;
		c->kind = SUBJECT_FILE;
		c->name = c->path = path;
		ctr_set_all_gaps(c, gather_reason(r), 0, strerror(-r));
	}
	ctr_list_add(&a->arena, &a->containers, c);
	return 0;
}

static int look_seen(struct audit *a, const struct args *args)
{
	pv_autobuf now = PV_BUF_INIT;
	int r = check_seen(a, args->state, &now);

	if (r == 0 && args->seen >= 0 && write(args->seen, pv_buf_str(&now), now.len) != (ssize_t) now.len)
		r = -EIO;
	return r;
}

static int look_host(struct audit *a, const struct args *args)
{
	int r = gather_engine(a);

	for (size_t i = 0; i < args->n_dirs; i++)
		gather_project(a, args->dir[i], "given");
	for (size_t i = 0; i < args->n_projects; i++)
		gather_project(a, args->project[i], "projects of the configuration");
	a->backup = args->backup;
	a->n_backups = args->n_backups;
	if (r == 0)
		r = check_units(a);
	if (r == 0)
		r = check_sshd(a);
	if (r == 0)
		r = check_projects(a);
	if (r == 0)
		r = check_firewall(a);
	if (r == 0)
		r = check_tls(a);
	if (r == 0)
		r = check_updates(a);
	if (r == 0)
		r = check_persistence(a);
	if (r == 0)
		r = check_machine(a);
	return r < 0 ? r : look_seen(a, args);
}

/* --watch: what pavise-caps saw. */
static int take_watched(struct audit *a, int fd)
{
	pv_autobuf text = PV_BUF_INIT;
	int r = fd < 0 ? 0 : pv_read_all(fd, WATCHED_MAX, &text);

	if (r == 0 && fd >= 0 && (text.len < 5 || strcmp(pv_buf_str(&text) + text.len - 5, "\nend\n") != 0))
		r = -EBADMSG;
	a->watched = fd < 0 || r < 0 ? NULL : arena_dup(&a->arena, pv_buf_str(&text));
	return r;
}

static int look_probe(struct audit *a, const struct args *args)
{
	pv_autobuf text = PV_BUF_INIT;

	return pv_read_all(args->probe, WATCHED_MAX, &text) < 0 ? -EBADMSG : probe_judge(a, args->target ? args->target : "", pv_buf_str(&text));
}

static int look(struct audit *a, const struct args *args)
{
	bool files = args->n_compose || args->n_dockerfile;
	int r = args->probe >= 0 ? 0 : look_compose(a, args);

	if (args->probe >= 0)
		return look_probe(a, args);
	for (size_t i = 0; i < args->n_dockerfile && r == 0; i++)
		r = look_dockerfile(a, args->dockerfile[i]);
	if (r == 0 && !files)
		r = look_host(a, args);
	for (size_t i = 0; i < a->containers.n && r == 0; i++)
		r = check_container(a->containers.item[i], &a->policy, &a->select, &a->out);
	return r < 0 ? r : check_unsupported(&a->select, !files, &a->out);
}

/* --- what is accepted, and what is old --- */

static const struct audit *current;
static bool current_files; /* only what these hold was looked at */

static bool ran(enum id id)
{
	bool any = !current_files;

	for (size_t i = 0; i < current->out.n && !any; i++)
		any = current->out.item[i]->id == id;
	return any && current->select.on[id];
}

static int refuse_ignore(const char *path, const char *why)
{
	pv_autobuf text = PV_BUF_INIT;

	pv_buf_safe(&text, path, 0);
	log_error("%s cannot be used: %s", pv_buf_str(&text), why);
	return -EINVAL;
}

/* Whoever can write it can hide a finding: root's, or whose run this is; a project's also by the owner of what is looked at. */
static const char *written_by_others(const struct args *args, const struct stat *st, const char *beside)
{
	struct stat other;

	if (st->st_mode & (beside ? 002 : 022))
		return "others can write it: chmod go-w";
	if (st->st_uid == 0 || st->st_uid == args->uid)
		return NULL;
	if (beside && stat(beside, &other) == 0 && other.st_uid == st->st_uid)
		return NULL;
	return "it belongs to somebody else: chown";
}

static int read_ignore(struct audit *a, const struct args *args, struct ignore_list **ret)
{
	const char *beside = args->n_compose ? args->compose[0] : args->n_dockerfile ? args->dockerfile[0] : NULL;
	const struct hostfs here = { .root = -1, .prefix = "" }, *fs = beside ? &here : &a->fs;
	pv_autobuf text = PV_BUF_INIT, err = PV_BUF_INIT;
	struct stat st;
	const char *why;
	int r = args->ignore ? hostfs_stat(fs, args->ignore, true, &st) : -ENOENT;

	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	if (r == -EACCES) /* more is shown then, not less */
		return (void) refuse_ignore(args->ignore, "Permission denied; nothing is accepted"), 0;
	why = r < 0 || a->saved ? NULL : written_by_others(args, &st, beside);
	if (why)
		return refuse_ignore(args->ignore, why);
	r = r < 0 ? r : hostfs_read(fs, args->ignore, 1 << 20, &text);
	if (r < 0)
		return refuse_ignore(args->ignore, r == -EFBIG ? "it is larger than 1 MiB" : r == -EBADMSG ? "it is no regular file" : strerror(-r));
	r = ignore_read(args->ignore, pv_buf_str(&text), text.len, a->policy.now_us, ret, &err);
	if (r == -EINVAL)
		(void) fputs(pv_buf_str(&err), stderr);
	return r;
}

static int apply_ignore(struct audit *a, const struct args *args)
{
	pv_auto(ignore_list) list = NULL;
	int r = read_ignore(a, args, &list);

	if (r < 0)
		return r;
	for (size_t i = 0; i < a->out.n; i++)
		(void) ignore_covers(list, a->out.item[i], NULL);
	current = a;
	current_files = args->n_compose || args->n_dockerfile;
	return ignore_report(list, ran, &a->out);
}

static int apply_baseline(struct audit *a, int fd)
{
	pv_auto(baseline) baseline = NULL;
	pv_autobuf text = PV_BUF_INIT, why = PV_BUF_INIT;
	int r = fd < 0 ? 0 : pv_read_all(fd, BASELINE_BYTES, &text);

	if (r == 0 && fd >= 0)
		r = baseline_read(pv_buf_str(&text), text.len, &baseline, &why);
	if (r < 0) {
		log_error("the baseline cannot be used: %s", why.len ? pv_buf_str(&why) : r == -EFBIG ? "it is larger than 16 MiB" : strerror(-r));
		return r;
	}
	(void) baseline_apply(baseline, &a->out);
	return 0;
}

/* --- the report --- */

/* What changed since the last run over the whole host, and what the next one will compare with. */
static int compare(struct audit *a, const struct args *args, struct last_diff *diff)
{
	pv_autobuf old = PV_BUF_INIT, now = PV_BUF_INIT;
	const char *path = args->state ? arena_printf(&a->arena, "%s/audit/last", args->state) : NULL;

	if (path)
		(void) read_file(NULL, path, LAST_MAX, &old);
	last_compare(&a->out, &a->select, pv_buf_str(&old), a->policy.now_us, diff);
	if (args->save < 0)
		return 0;
	last_write(&now, &a->out, diff, a->policy.now_us);
	return now.cut || write(args->save, pv_buf_str(&now), now.len) != (ssize_t) now.len ? -EIO : 0;
}

static int report(const struct audit *a, const struct args *args, const struct last_diff *diff)
{
	const struct findings_format *format = findings_format_find(args->format ? args->format : "table");
	struct findings_report r = { .command = "audit",
				     .target = args->target,
				     .list = &a->out,
				     .now_us = a->policy.now_us,
				     .all = args->all,
				     .style = args->style };
	pv_autobuf out = PV_BUF_INIT;
	int e;

	if (!args->format || strcmp(args->format, "table") == 0) {
		struct screen s = {
			.list = &a->out, .target = args->target, .diff = diff, .style = args->style
		};
		struct findings_count c = findings_count(&a->out);

		if (args->quiet && !c.failing && !c.unknown)
			return 0;
		if (!args->all) {
			screen_write(&out, &s);
			return fwrite(pv_buf_str(&out), 1, out.len, stdout) == out.len && fflush(stdout) == 0 ? 0
													      : -EIO;
		}
		for (size_t i = 0; i < a->n_projects; i++) {
			pv_buf_puts(&out, "project ");
			pv_buf_safe(&out, a->project[i].dir, 0);
			pv_buf_puts(&out, ": ");
			pv_buf_safe(&out, a->project[i].why, 0);
			pv_buf_putc(&out, '\n');
		}
		for (size_t i = 0; i < a->n_targets; i++) {
			pv_buf_puts(&out, "backups ");
			pv_buf_safe(&out, a->target[i].dir, 0);
			pv_buf_puts(&out, ": ");
			pv_buf_safe(&out, a->target[i].why, 0);
			pv_buf_putc(&out, '\n');
		}
		(void) fwrite(pv_buf_str(&out), 1, out.len, stdout);
	}
	e = format->write(stdout, &r);
	return e == 0 && fflush(stdout) != 0 ? -EIO : e;
}

/* --- what could be done about it: told to the command, which does it --- */

static int emit(void *user, const struct audit_step *s)
{
	const struct args *args = user;

	return fdpass_send(args->sock, s, sizeof(*s), NULL, 0);
}

/* pavise accept: what is there now, as text. */
static int list(struct audit *a, const struct args *args)
{
	pv_autobuf text = PV_BUF_INIT;
	int r = -EINVAL;

	for (unsigned k = 0; k < SEEN_KINDS; k++)
		if (strcmp(args->list, seen_names[k]) == 0) {
			r = k == SEEN_DEPLOYMENTS ? gather_engine(a) : 0;
			r = r < 0 ? r : seen_list(a, (enum seen_kind) k, &text);
		}
	if (r == 0 && write(args->seen, pv_buf_str(&text), text.len) != (ssize_t) text.len)
		r = -EIO;
	return r < 0 ? log_error_errno(r, "not everything could be read"), STATUS_INCOMPLETE : 0;
}

static int plan(struct audit *a, const struct args *args)
{
	const struct compose_files files = { read_file, NULL };
	pv_autobuf text = PV_BUF_INIT;
	int r;

	if (!args->n_compose)
		return fix_plan(a, emit, (void *) (uintptr_t) args);
	r = override_compose(a, args->compose, args->n_compose, &files, &text);
	if (r < 0)
		return r;
	return write(args->override, pv_buf_str(&text), text.len) == (ssize_t) text.len ? 0 : -EIO;
}

/* --recreate: lines of a shell. */
static int recreate(struct audit *a, const struct args *args)
{
	pv_autobuf text = PV_BUF_INIT, err = PV_BUF_INIT, safe = PV_BUF_INIT;
	int r = recreate_script(a, args->recreate, &text, &err);

	if (r < 0)
		return log_error_errno(r, "the commands could not be written"), STATUS_INCOMPLETE;
	for (char *save, *line = err.len ? strtok_r(err.data, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
		pv_buf_clear(&safe);
		pv_buf_safe(&safe, line, 0);
		log_warning("left as it is: %s", pv_buf_str(&safe));
	}
	if (fwrite(pv_buf_str(&text), 1, text.len, stdout) != text.len || fflush(stdout) != 0)
		return STATUS_INCOMPLETE;
	return r ? STATUS_INCOMPLETE : 0;
}

static int run(struct audit *a, const struct args *args)
{
	struct last_diff diff = { .when_us = 0 };
	int r;

	if (args->list)
		return list(a, args);
	r = take_watched(a, args->watch);
	if (r == 0)
		r = look(a, args);
	if (r == 0) {
		check_fold(&a->out);
		r = apply_ignore(a, args);
		if (r == -EINVAL)
			return STATUS_USAGE;
	}
	if (r == 0 && apply_baseline(a, args->baseline) < 0)
		return STATUS_USAGE;
	if (r < 0) {
		(void) log_error_errno(r, "the audit could not be finished");
		return STATUS_INCOMPLETE;
	}
	finding_list_sort(&a->out);
	if (args->plan) {
		r = plan(a, args);
		return r < 0 ? log_error_errno(r, "what can be mended could not be worked out"), STATUS_INCOMPLETE : 0;
	}
	if (args->recreate)
		return recreate(a, args);
	r = compare(a, args, &diff);
	if (r == 0)
		r = report(a, args, &diff);
	last_diff_done(&diff);
	if (r < 0)
		return STATUS_INCOMPLETE;
	if (!a->out.n) {
		(void) log_info("there was nothing to check");
		return args->target ? STATUS_INCOMPLETE : 0;
	}
	return finding_list_status(&a->out, args->fail_on);
}

int main(int argc, char **argv)
{
	struct args args = { .fail_on = SEV_HIGH, .sock = -1, .baseline = -1, .override = -1, .save = -1, .seen = -1, .probe = -1, .watch = -1 };
	static struct audit a;
	char word[64];
	int r;

	args.uid = getuid();
	log_open("pavise-audit");
	if (read_args(&args, argc, argv) < 0 || (args.format && !findings_format_find(args.format))) {
		log_error("wrong arguments; it is started by pavise audit");
		return STATUS_USAGE;
	}
	r = audit_confine();
	if (r < 0) {
		(void) log_error_errno(r, "cannot give up its rights");
		return STATUS_INCOMPLETE;
	}
	a.sock = args.sock;
	a.saved = args.facts != NULL;
	check_policy_defaults(&a.policy);
	if (args.policy && check_policy_read(&a.policy, args.policy) < 0) {
		log_error("wrong arguments; it is started by pavise audit");
		return STATUS_USAGE;
	}
	a.policy.now_us = clock_wall_us();
	if (check_select(&a.select, args.only || !args.recreate ? args.only : "ctr", args.skip, word, sizeof(word)) < 0) {
		pv_autobuf what = PV_BUF_INIT;

		pv_buf_safe(&what, word, 0);
		log_error("no check is called `%s`; pavise explain --list names them", pv_buf_str(&what));
		return STATUS_USAGE;
	}
	r = hostfs_open(&a.fs, args.facts);
	if (r < 0) {
		(void) log_error_errno(r, "the saved host cannot be opened");
		return STATUS_USAGE;
	}
	r = run(&a, &args);
	finding_list_done(&a.out);
	arena_done(&a.arena);
	hostfs_done(&a.fs);
	return r;
}

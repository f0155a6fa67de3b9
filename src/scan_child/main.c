/* pavise-scan: the part of `pavise scan` that reads. It loads the compiled rules, finds out where the repository keeps its
 * things, gives up everything but reading there, and only then looks at the first byte of content. The report goes to
 * standard output, what else is to be said to standard error. Exit status: as in `pavise help exit-codes`. */
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "report/baseline.h"
#include "scan/staged.h"
#include "scan_child/scan_child.h"

#define STATUS_USAGE	  2
#define STATUS_INCOMPLETE 3
#define IGNORE_FILE	  "pavise.ignore"

static unsigned cores(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	return (unsigned) PV_MIN(PV_MAX(n, 1), LOOK_THREADS);
}

static int open_rules(struct scan_run *run)
{
	pv_autobuf err = PV_BUF_INIT;
	const struct match_where where = { .paths = run->args->rules, .n_paths = run->args->n_rules,
					   .cache_dir = run->args->cache };
	int r = match_set_open(&where, &run->set, &err);

	if (r < 0) {
		(void) fputs(pv_buf_str(&err), stderr);
		(void) log_error_errno(r, "the rules cannot be used");
	}
	return r;
}

static int find_git(struct scan_run *run)
{
	int r = run->args->dir ? gitdir_find(run->args->dir, &run->git) : -ENOENT;

	if (r == 0)
		return 0;
	if (r == -EPERM)
		scan_note(&run->history_notes, REASON_PERMISSION, ".git", "it points to what belongs to somebody else: not followed");
	else if (r != -ENOENT)
		scan_note(&run->history_notes, REASON_MALFORMED, ".git", "it cannot be understood");
	else if (run->args->history || run->args->staged)
		scan_note(&run->history_notes, REASON_ABSENT, "", "there is no git repository");
	return r == -ENOMEM ? r : 0;
}

/* From the top of the work tree to the folder that was asked for. */
static const char *below_top(const struct scan_run *run)
{
	size_t n = run->git && run->git->work_tree ? strlen(run->git->work_tree) : 0;

	if (!n || strncmp(run->args->dir, run->git->work_tree, n) != 0 || run->args->dir[n] != '/')
		return "";
	return run->args->dir + n + 1;
}

static int read_ignore(struct scan_run *run)
{
	const char *top = run->git && run->git->work_tree ? run->git->work_tree : run->args->dir;
	pv_autofree char *text = NULL, *path = NULL;
	pv_autobuf err = PV_BUF_INIT;
	size_t len = 0;
	int r;

	if (!top)
		return 0;
	if (asprintf(&path, "%s/" IGNORE_FILE, top) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	r = gitdir_read(AT_FDCWD, path, 1u << 20, true, &text, &len);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = ignore_read(IGNORE_FILE, text, len, run->secrets.now_us, &run->secrets.ignore, &err);
	if (r == -EINVAL || r == -EFBIG || r == -EBADMSG) {
		(void) fputs(err.len ? pv_buf_str(&err) : IGNORE_FILE ":1:1: too large, or no text\n", stderr);
		return -EINVAL;
	}
	return r;
}

/* --- what is looked at --- */

static int values_ready(struct scan_run *run)
{
	int r = match_values_ready(run->values);

	if (r == -EPERM) { /* usable; a swapped-out page may hold one */
		pv_buf_puts(&run->said, "own values could not be locked in memory (RLIMIT_MEMLOCK)\n");
		r = 0;
	}
	if (r == 0)
		look_values(run->secrets.look, run->values);
	return r;
}

static int list_tree(struct scan_run *run, struct tree **ret)
{
	const char *top = run->git ? run->git->work_tree : run->args->dir;
	int r;

	if (!top)
		return 0; /* a bare repository */
	r = tree_list(&(struct tree_options){ .top = top, .below = below_top(run), .git = run->git, .threads = run->threads,
					       .early = run->args->tree && run->threads > 1 ? run->secrets.look : NULL },
		      &run->tree_notes, ret);
	if (r < 0 && r != -ENOMEM) {
		scan_note(&run->tree_notes, r == -EACCES ? REASON_PERMISSION : REASON_ABSENT, "", "the folder cannot be listed");
		return 0;
	}
	return r == 0 ? tree_values(*ret, run->values) : r;
}

static void say_limits(struct scan_run *run)
{
	const struct gitdir *g = run->git;
	struct scan_notes *n = &run->history_notes;

	if (g->shallow)
		scan_note(n, REASON_ABSENT, "", "a shallow clone: older commits are not here");
	if (g->partial)
		scan_note(n, REASON_ABSENT, "", "a partial clone: objects that were never fetched are not here");
	if (g->refused)
		scan_note(n, REASON_PERMISSION, "", "an alternate object folder is absent or belongs to somebody else");
	if (g->reftable)
		scan_note(n, REASON_UNSUPPORTED, "", "references in a form that is not read: what they reach is not known");
	if (g->replaced)
		scan_note(n, REASON_NONE, "", "replace refs or grafts: the history behind them is what was looked at");
}

static int look_history(struct scan_run *run, struct objects *s)
{
	struct history_options o = { .threads = run->threads };
	struct history_count count = { .blobs = 0 };
	uint8_t since[GIT_ID_MAX];
	int r;

	say_limits(run);
	if (run->args->since) {
		r = scan_commit(run->git, s, run->args->since, since);
		if (r == -ENOENT || r == -EEXIST) {
			log_error("--since: %s", r == -ENOENT ? "there is no such commit" : "more than one commit starts so");
			return -EINVAL;
		}
		if (r < 0)
			return r;
		o.since = since;
	}
	r = history_scan(s, run->git, run->secrets.look, &o, secrets_in_history, &run->secrets, &count);
	run->blobs = count.blobs;
	run->commits = count.commits;
	return r;
}

static int look_staged(struct scan_run *run, struct objects *s)
{
	int r = staged_scan(s, run->git, run->args->index_fd, run->secrets.look, secrets_in_text, &run->secrets, &run->files);

	if (r == -ENOMEM || r >= 0)
		return r;
	scan_note(&run->history_notes, r == -EOPNOTSUPP ? REASON_UNSUPPORTED : r == -EFBIG ? REASON_TOO_LARGE : REASON_MALFORMED, "",
		  "what is staged cannot be read");
	return 0;
}

static int look_git(struct scan_run *run)
{
	pv_auto(objects) s = NULL;
	int r;

	if (!run->git || (!run->args->history && !run->args->staged))
		return 0;
	r = objects_open(run->git, &run->history_notes, &s);
	if (r == 0 && run->args->staged)
		r = look_staged(run, s);
	if (r == 0 && run->args->history)
		r = look_history(run, s);
	return r;
}

static int look_all(struct scan_run *run)
{
	pv_auto(tree) t = NULL;
	int r;

	if (run->args->container_fd >= 0)
		return scan_container(run);
	r = look_new(run->set, NULL, &run->history_notes, run->threads, &run->secrets.look);
	if (r == 0 && run->args->dir)
		r = list_tree(run, &t);
	if (r == 0)
		r = values_ready(run);
	if (r == 0 && run->args->text_fd >= 0) {
		run->files++;
		r = tree_scan_fd(run->args->text_fd, run->args->name ? run->args->name : "standard input", run->secrets.look,
				 &run->tree_notes, secrets_in_text, &run->secrets);
	}
	if (r == 0 && t && run->args->tree) {
		r = tree_scan(t, run->secrets.look, secrets_in_text, &run->secrets);
		run->files += tree_count(t);
	}
	return r == 0 ? look_git(run) : r;
}

/* --- the result --- */

static const char *rule_of(const struct finding *f)
{
	for (size_t i = 0; i < f->n_evidence; i++)
		if (f->evidence[i].what && strcmp(f->evidence[i].what, "rule") == 0 && f->evidence[i].value)
			return f->evidence[i].value;
	return "";
}

/* What could not be read may hold what any rule finds. */
static bool names_rule(const struct scan_run *run, const char *list)
{
	const struct rules *rules = match_set_rules(run->set);

	for (size_t i = 0; i < rules_count(rules); i++)
		if (text_listed(list, rules_get(rules, i)->id))
			return true;
	return text_listed(list, "own-value");
}

/* A word that means nothing would leave everything out, and look like a clean tree. */
static int check_words(const struct scan_run *run, const char *option, const char *list)
{
	for (const char *p = list ? list : ""; *p;) {
		size_t n = strcspn(p, ",");
		char word[128] = "";
		bool known = n < sizeof(word);

		(void) snprintf(word, sizeof(word), "%.*s", (int) PV_MIN(n, sizeof(word) - 1), p);
		known = known && (!*word || names_rule(run, word));
		for (size_t i = 0; !known && i < ID_N; i++)
			known = text_listed(word, id_info((enum id) i)->name);
		if (!known) {
			pv_autobuf what = PV_BUF_INIT;

			pv_buf_safe(&what, word, sizeof(word));
			log_error("%s: no rule and no finding is called `%s`; pavise explain --list names the findings", option, pv_buf_str(&what));
			return -EINVAL;
		}
		p += n + (p[n] == ',');
	}
	return 0;
}

static void select_findings(struct scan_run *run)
{
	const struct scan_args *a = run->args;
	struct finding_list *l = &run->list;
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++) {
		const char *id = id_info(l->item[i]->id)->name, *rule = rule_of(l->item[i]);
		bool in = !a->only || text_listed(a->only, id) || text_listed(a->only, rule) ||
			  (l->item[i]->verdict == FINDING_UNKNOWN && names_rule(run, a->only));

		if (a->skip && (text_listed(a->skip, id) || text_listed(a->skip, rule)))
			in = false;
		if (in)
			l->item[kept++] = l->item[i];
		else
			(void) finding_free(l->item[i]);
	}
	l->n = kept;
}

static int apply_baseline(struct scan_run *run)
{
	pv_auto(baseline) b = NULL;
	pv_autofree char *text = NULL;
	pv_autobuf why = PV_BUF_INIT;
	size_t len = 0;
	int r;

	if (run->args->baseline_fd < 0)
		return 0;
	r = gitdir_read_fd(run->args->baseline_fd, BASELINE_BYTES, true, &text, &len);
	if (r == 0)
		r = baseline_read(text, len, &b, &why);
	if (r < 0)
		return log_error_errno(r == -ENOMEM ? r : -EINVAL, "the baseline cannot be used: %s",
				       why.len ? pv_buf_str(&why) : "it wants a report of an earlier run (--format json)");
	(void) baseline_apply(b, &run->list);
	return 0;
}

static const struct scan_args *asked;

static bool ran(enum id id)
{
	return (id == ID_SECRET_IN_CODE && asked->tree) || (id == ID_SECRET_IN_HISTORY && asked->history && !asked->since);
}

static int finish(struct scan_run *run)
{
	const struct scan_args *a = run->args;
	enum id id = a->history ? ID_SECRET_IN_HISTORY : ID_SECRET_IN_CODE;
	bool whole = !a->only && !a->skip && !*below_top(run);
	int r;

	if (run->secrets.look)
		look_end(run->secrets.look);
	r = secrets_notes(&run->secrets, &run->tree_notes, ID_SECRET_IN_CODE, &run->said);
	if (r == 0)
		r = secrets_notes(&run->secrets, &run->history_notes, id, &run->said);
	asked = a;
	if (r == 0 && whole)
		r = ignore_report(run->secrets.ignore, ran, &run->list);
	if (r == 0)
		r = apply_baseline(run);
	if (r < 0)
		return r;
	select_findings(run);
	finding_list_sort(&run->list);
	run->list.checked = run->files + run->blobs;
	return 0;
}

static int report(struct scan_run *run)
{
	const struct scan_args *a = run->args;
	const struct findings_report r = { .command = "scan", .target = a->name ? a->name : a->dir, .list = &run->list,
					   .now_us = run->secrets.now_us, .all = a->all,
					   .style = { .colour = a->colour, .width = a->width } };
	int e = a->format->write(stdout, &r);

	if (e == 0 && fflush(stdout) != 0)
		e = -EIO;
	if (e < 0)
		return log_error_errno(e, "the report cannot be written");
	if (!a->quiet && run->said.len)
		(void) fputs(pv_buf_str(&run->said), stderr);
	if (!a->quiet && strcmp(a->format->name, "table") == 0) {
		(void) fprintf(stderr, "%llu files, %llu blobs of the history", (unsigned long long) run->files,
			       (unsigned long long) run->blobs);
		if (run->secrets.spared)
			(void) fprintf(stderr, "; %llu findings spared by exceptions", (unsigned long long) run->secrets.spared);
		(void) fputc('\n', stderr);
	}
	return 0;
}

static void done(struct scan_run *run)
{
	secrets_done(&run->secrets);
	finding_list_done(&run->list);
	(void) look_free(run->secrets.look);
	(void) ignore_list_free(run->secrets.ignore);
	(void) match_values_free(run->values);
	(void) match_set_free(run->set);
	(void) gitdir_free(run->git);
	scan_notes_done(&run->tree_notes);
	scan_notes_done(&run->history_notes);
	pv_buf_done(&run->said);
	pv_buf_done(&run->answer);
}

static int scan(struct scan_run *run)
{
	const struct scan_args *a = run->args;
	int r = open_rules(run);

	if (r == 0)
		r = check_words(run, "--only", a->only);
	if (r == 0)
		r = check_words(run, "--skip", a->skip);
	if (r < 0)
		return r;
	r = find_git(run);
	if (r == 0)
		r = a->container_fd >= 0 ? scan_container_ask(run) : 0;
	if (r == 0)
		r = scan_confine(a, run->git, run->upper);
	if (r < 0)
		return log_error_errno(r, "cannot give up its rights");
	run->threads = cores();
	run->secrets = (struct secrets){ .list = &run->list, .now_us = clock_wall_us(),
					 .id_len = run->git ? run->git->id_len : 20 };
	if (a->container_fd >= 0) {
		run->secrets.subject = a->name;
		run->secrets.kind = SUBJECT_CONTAINER;
	} else if (a->text_fd >= 0) {
		run->secrets.subject = a->name;
		run->secrets.kind = SUBJECT_SOURCE;
	}
	r = match_values_new(&run->values);
	if (r == 0)
		r = read_ignore(run);
	if (r == 0)
		r = look_all(run);
	if (r == 0)
		r = finish(run);
	return r == 0 ? report(run) : r;
}

int main(int argc, char **argv)
{
	static struct scan_run run;
	struct scan_args args;
	int r;

	log_open("pavise-scan");
	if (scan_args_read(&args, argc, argv) < 0)
		return STATUS_USAGE;
	run.args = &args;
	/* Two threads that give their memory back after each object spend their time in page faults. */
	(void) mallopt(M_MMAP_THRESHOLD, 32 << 20);
	(void) mallopt(M_TRIM_THRESHOLD, 64 << 20);
	scan_notes_init(&run.tree_notes);
	scan_notes_init(&run.history_notes);
	r = scan(&run);
	if (r == 0)
		r = finding_list_status(&run.list, args.fail_on);
	else if (r == -EINVAL)
		r = STATUS_USAGE;
	else {
		(void) log_error_errno(r, "the scan could not be finished");
		r = STATUS_INCOMPLETE;
	}
	done(&run);
	return r;
}

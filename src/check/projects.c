/* file.*, git.dumps-sessions, ci.present, backup.*: folders that somebody deploys from, what git knows about them, and
 * their backups. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "check/dotenv.h"
#include "check/dumps.h"
#include "check/gather.h"
#include "check/remedy.h"
#include "check/secret_name.h"
#include "host/gitdir.h"
#include "host/gitignore.h"
#include "host/gitindex.h"

#define ENTRIES_MAX 20000
#define SHOWN	    100 /* pieces of evidence */
#define BACKUP_AGE  (48ull * 3600 * 1000000)

struct names {
	struct arena *arena;
	bool (*wanted)(const char *name);
	const char **item;
	size_t n;
};

struct place { /* a project while it is looked at */
	const char *why; /* of a backup folder: the job that writes to it; NULL: it was found otherwise */
	struct audit *a;
	const char *dir;
	struct gitdir *git;
	const char *below; /* from the top of the work tree to `dir`, "" or "x/y/" */
	int git_error;
	struct names tracked; /* paths from the top that one of the checks cares about */
};

static int keep_name(struct names *l, const char *name)
{
	const char **more = l->n < ENTRIES_MAX ? arena_grow(l->arena, l->item, l->n, sizeof(*more)) : NULL;

	if (!more)
		return l->n < ENTRIES_MAX ? -ENOMEM : -EFBIG;
	l->item = more;
	more[l->n] = name;
	l->n += name != NULL;
	return name ? 0 : -ENOMEM;
}

static int take_name(const char *name, unsigned char type, void *user)
{
	struct names *l = user;

	(void) type;
	return l->wanted(name) ? keep_name(l, arena_dup(l->arena, name)) : 0;
}

static bool ends(const char *s, const char *with)
{
	size_t n = strlen(s), m = strlen(with);

	return n >= m && strcmp(s + n - m, with) == 0;
}

static bool is_example(const char *name)
{
	static const char *const ends_with[] = { ".example", ".sample", ".template", ".dist", ".defaults", ".md" };

	for (size_t i = 0; i < N_ELEMENTS(ends_with); i++)
		if (ends(name, ends_with[i]))
			return true;
	return strcmp(name, ".envrc") == 0;
}

static bool env_name(const char *name)
{
	return strncmp(name, ".env", 4) == 0 && (name[4] == '\0' || name[4] == '.');
}

static bool is_secret_env(const char *name)
{
	return env_name(name) && !is_example(name);
}

static bool is_env_example(const char *name)
{
	return (env_name(name) && is_example(name) && !ends(name, ".md")) || strcmp(name, "env.example") == 0;
}

static bool is_dump(const char *name)
{
	static const char *const ends_with[] = { ".sql",  ".sql.gz",  ".sql.zst", ".sql.xz",  ".sql.bz2",
						 ".dump", ".dump.gz", ".pgdump",  ".session", ".session-journal" };

	for (size_t i = 0; i < N_ELEMENTS(ends_with); i++)
		if (ends(name, ends_with[i]))
			return true;
	return strncmp(name, "session_string", 14) == 0;
}

static bool is_backup_dir(const char *name)
{
	return strncasecmp(name, "backup", 6) == 0 && !strchr(name, '.');
}

static bool anything(const char *name)
{
	return *name != '.' && strcmp(name, "README.md") != 0 && !ends(name, ".sh") && !ends(name, ".log") &&
	       !ends(name, ".txt");
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* --- git --- */

static bool interesting(const char *path)
{
	return is_secret_env(base_of(path)) || is_dump(base_of(path));
}

static int take_tracked(const struct gitindex_entry *e, void *user)
{
	struct place *p = user;
	char *path = e->mode == 0160000 ? NULL : arena_ndup(p->tracked.arena, e->path, e->path_len);

	return path && interesting(path) ? keep_name(&p->tracked, path) : 0;
}

static void open_git(struct place *p)
{
	struct audit *a = p->a;
	const char *full = arena_printf(&a->arena, "%s%s", a->fs.prefix, p->dir);
	size_t n;

	p->tracked.arena = &a->arena;
	p->below = "";
	p->git_error = full ? gitdir_find(full, &p->git) : -ENOMEM;
	if (p->git_error == 0 && !p->git->work_tree)
		p->git_error = -ENOENT;
	if (p->git_error < 0)
		return;
	n = strlen(p->git->work_tree);
	if (strncmp(full, p->git->work_tree, n) == 0 && full[n] == '/')
		p->below = arena_printf(&a->arena, "%s/", full + n + 1);
	p->git_error = gitindex_read(p->git, take_tracked, p);
	if (p->git_error == -ENOENT) /* nothing was ever added */
		p->git_error = 0;
}

static bool tracked(const struct place *p, const char *path)
{
	for (size_t i = 0; i < p->tracked.n; i++)
		if (strcmp(p->tracked.item[i], path) == 0)
			return true;
	return false;
}

/* --- .env --- */

static const char *path_in(struct place *p, const char *name)
{
	return arena_printf(&p->a->arena, "%s/%s", p->dir, name);
}

static struct finding *file_finding(struct place *p, enum id id, enum finding_verdict v, const char *name)
{
	const char *path = path_in(p, name);

	return gather_finding(id, v, SUBJECT_FILE, path, path);
}

static void run_on(struct finding *f, const char *text, const char *command, const char *path)
{
	pv_autobuf cmd = PV_BUF_INIT;

	pv_buf_puts(&cmd, command);
	remedy_word(&cmd, path);
	finding_remedy(f, text, pv_buf_str(&cmd));
}

static int env_mode(struct place *p, const char *name)
{
	struct finding *f = file_finding(p, ID_FILE_ENV_MODE, FINDING_PASS, name);
	const char *path = path_in(p, name);
	struct stat st;
	int r = path ? hostfs_stat(&p->a->fs, path, true, &st) : -ENOMEM;

	if (!f)
		return -ENOMEM;
	if (r < 0) {
		finding_unknown(f, gather_reason(r));
	} else if (!S_ISREG(st.st_mode)) {
		f->verdict = FINDING_NOT_APPLICABLE;
	} else if (st.st_mode & 077) { /* with an ACL the group's bits are its mask: nobody in it has more */
		f->verdict = FINDING_FAIL;
		finding_evidence(f, "mode", NULL, 0, "%04o", st.st_mode & 07777);
		run_on(f, "only its owner may read it", "chmod 600 ", path);
	}
	return gather_add(p->a, f, NULL);
}

static int env_ignored(struct place *p, const char *name)
{
	struct finding *f = file_finding(p, ID_FILE_ENV_IGNORED, FINDING_PASS, name);
	const char *path = arena_printf(&p->a->arena, "%s%s", p->below, name);
	pv_autobuf cmd = PV_BUF_INIT;
	int r;

	if (!f || !path)
		return finding_free(f), -ENOMEM;
	if (p->git_error == -ENOENT) {
		f->verdict = FINDING_NOT_APPLICABLE;
	} else if (p->git_error < 0 && !tracked(p, path)) {
		finding_unknown(f, gather_reason(p->git_error));
	} else if (tracked(p, path)) {
		f->verdict = FINDING_FAIL;
		finding_evidence(f, "git", NULL, 0, "tracked");
		pv_buf_puts(&cmd, "git -C ");
		remedy_word(&cmd, p->dir);
		pv_buf_puts(&cmd, " rm --cached ");
		remedy_word(&cmd, name);
		finding_remedy(
			f, "take it out of git, ignore it, and change every secret in it: the history still has them",
			pv_buf_str(&cmd));
	} else {
		r = gitignore_check(p->git, path, false);
		if (r < 0) {
			finding_unknown(f, gather_reason(r));
		} else if (r == 0) {
			f->verdict = FINDING_FAIL;
			f->severity = SEV_HIGH;
			finding_evidence(f, "git", NULL, 0, "not ignored: the next `git add .` takes it along");
			pv_buf_puts(&cmd, "printf '\\n%s\\n' "); /* the last line there may lack its end */
			remedy_word(&cmd, name);
			pv_buf_puts(&cmd, " >> ");
			remedy_word(&cmd, path_in(p, ".gitignore") ?: ".gitignore");
			finding_remedy(f, "ignore it", pv_buf_str(&cmd));
		}
	}
	return gather_add(p->a, f, NULL);
}

static const char *same_value(const struct dotenv *real, const char *value)
{
	for (size_t i = 0; i < real->n; i++)
		if (strcmp(real->item[i].value, value) == 0)
			return real->item[i].name;
	return NULL;
}

static int example_clean(struct place *p, const char *name)
{
	struct finding *f = file_finding(p, ID_FILE_ENV_EXAMPLE_CLEAN, FINDING_PASS, name);
	pv_autobuf text = PV_BUF_INIT, real_text = PV_BUF_INIT;
	struct dotenv example = { 0 }, real = { 0 };
	int r = hostfs_read(&p->a->fs, path_in(p, name) ?: "", DOTENV_BYTES, &text);

	if (!f)
		return -ENOMEM;
	if (r == 0)
		r = dotenv_parse(&p->a->arena, pv_buf_str(&text), text.len, &example);
	if (hostfs_read(&p->a->fs, path_in(p, ".env") ?: "", DOTENV_BYTES, &real_text) == 0)
		(void) dotenv_parse(&p->a->arena, pv_buf_str(&real_text), real_text.len, &real);
	if (r < 0)
		finding_unknown(f, gather_reason(r));
	for (size_t i = 0; i < example.n; i++) {
		const struct ctr_env *e = &example.item[i];
		bool equal, looks = secret_name(e->name) && secret_value(e->name, e->value) && strlen(e->value) >= 8;

		equal = looks && same_value(&real, e->value);
		if (!equal && (!looks || secret_placeholder(e->value) || secret_is_default(e->name, e->value)))
			continue;
		f->verdict = FINDING_FAIL;
		finding_evidence(f, e->name, f->subject.path, e->at.line, "(len %zu)%s", strlen(e->value),
				 equal ? ", the value of .env" : "");
	}
	if (f->verdict == FINDING_FAIL)
		finding_remedy(f, "leave the value empty there, and change the secret", NULL);
	return gather_add(p->a, f, NULL);
}

/* --- dumps and sessions --- */

/* SQL without data is a schema. */
static bool holds_data(struct place *p, const char *path)
{
	pv_autobuf text = PV_BUF_INIT;
	const char *full = arena_printf(&p->a->arena, "%s/%s", p->git->work_tree, path);
	const struct hostfs here = { .root = -1, .prefix = "" };
	int r;

	if (!ends(path, ".sql"))
		return true;
	if (strcasestr(path, "migration") || strcasestr(path, "schema"))
		return false;
	r = full ? hostfs_read(&here, full, 4 << 20, &text) : -ENOMEM;
	if (r == -EFBIG)
		return true;
	return r < 0 || strcasestr(pv_buf_str(&text), "insert into") || strstr(pv_buf_str(&text), "FROM stdin");
}

/* As many as a command has room for: the next run names the rest. */
static void untrack(struct pv_buf *cmd, const struct place *p, const char *path)
{
	pv_autobuf one = PV_BUF_INIT;

	if (!cmd->len) {
		pv_buf_puts(cmd, "git -C ");
		remedy_word(cmd, p->git->work_tree);
		pv_buf_puts(cmd, " rm --cached");
	}
	pv_buf_putc(&one, ' ');
	remedy_word(&one, path);
	if (cmd->len + one.len <= FINDING_TEXT)
		pv_buf_add(cmd, one.data, one.len);
}

static int dumps(struct place *p)
{
	struct finding *f = gather_finding(ID_GIT_DUMPS_SESSIONS, FINDING_PASS, SUBJECT_REPOSITORY, p->dir, NULL);
	struct names lying = { .arena = &p->a->arena, .wanted = is_dump };
	pv_autobuf cmd = PV_BUF_INIT;
	size_t n = 0, ignored = 0;
	int r;

	if (!f)
		return -ENOMEM;
	if (p->git_error == -ENOENT)
		f->verdict = FINDING_NOT_APPLICABLE;
	else if (p->git_error < 0)
		finding_unknown(f, gather_reason(p->git_error));
	for (size_t i = 0; p->git && i < p->tracked.n; i++)
		if (is_dump(base_of(p->tracked.item[i])) && holds_data(p, p->tracked.item[i])) {
			f->verdict = FINDING_FAIL;
			if (n++ < SHOWN)
				finding_evidence(f, "tracked", p->tracked.item[i], 0, "%s", p->tracked.item[i]);
			untrack(&cmd, p, p->tracked.item[i]);
		}
	if (n > SHOWN)
		finding_evidence(f, "tracked", NULL, 0, "and %zu more", n - SHOWN);
	r = p->git_error == 0 ? hostfs_list(&p->a->fs, p->dir, ENTRIES_MAX, take_name, &lying) : 0;
	if (r < 0 && r != -ENOENT && f->verdict == FINDING_PASS)
		finding_unknown(f, gather_reason(r));
	for (size_t i = 0; i < lying.n; i++) {
		const char *path = arena_printf(&p->a->arena, "%s%s", p->below, lying.item[i]);

		if (!path || tracked(p, path) || gitignore_check(p->git, path, false) != 0 || !holds_data(p, path))
			continue;
		f->verdict = FINDING_FAIL;
		if (ignored++ < SHOWN)
			finding_evidence(f, "not ignored", path, 0, "%s", path);
	}
	if (f->verdict == FINDING_FAIL)
		finding_remedy(
			f,
			"ignore *.sql.gz, *.dump and session files in .gitignore; what was tracked is in the history",
			cmd.len ? pv_buf_str(&cmd) : NULL);
	return gather_add(p->a, f, NULL);
}

/* --- backups --- */

static bool is_encrypted(const char *s, size_t n)
{
	static const char *const heads[] = { "age-encryption.org/v1", "-----BEGIN AGE ENCRYPTED FILE-----",
					     "-----BEGIN PGP MESSAGE-----", "Salted__" };
	unsigned char c = n ? (unsigned char) *s : 0;
	unsigned tag = c & 0x40 ? c & 0x3f : c >> 2 & 0xf; /* RFC 4880, 4.2 */

	for (size_t i = 0; i < N_ELEMENTS(heads); i++)
		if (n >= strlen(heads[i]) && memcmp(s, heads[i], strlen(heads[i])) == 0)
			return true;
	return c & 0x80 && (tag == 1 || tag == 3);
}

static bool has_file(struct audit *a, const char *dir, const char *name)
{
	const char *path = arena_printf(&a->arena, "%s/%s", dir, name);
	struct stat st;

	return path && hostfs_stat(&a->fs, path, false, &st) == 0;
}

/* restic: config, keys, snapshots, index; borg: README, config, data. Both encrypt all that they keep. */
static bool is_vault(struct audit *a, const char *dir)
{
	return has_file(a, dir, "config") && has_file(a, dir, "data") &&
	       ((has_file(a, dir, "keys") && has_file(a, dir, "snapshots")) || has_file(a, dir, "README"));
}

/* The three are looked at together; only what was asked for is told. */
static int add_wanted(struct audit *a, struct finding *f)
{
	if (f && !a->select.on[f->id]) {
		(void) finding_free(f);
		return 0;
	}
	return gather_add(a, f, NULL);
}

#define BACKUP_DEPTH 4 /* backups/daily/2027-03-01/shop/dump.sql */

struct backups {
	struct audit *a;
	const char *dir; /* that is looked at now */
	unsigned depth;
	uint64_t newest_us, files, seen;
	bool empty, vault;
	const char *plain, *newest;
	int error;
};

static void list_backups(struct backups *b, const char *dir);

static void one_backup(struct backups *b, const char *path, const struct stat *st)
{
	const uint64_t at = (uint64_t) st->st_mtim.tv_sec * 1000000;
	char head[64];
	ssize_t n;

	b->files++;
	if (at >= b->newest_us) {
		b->newest_us = at;
		b->newest = path;
		b->empty = st->st_size == 0;
	}
	if (st->st_size == 0)
		return;
	n = hostfs_head(&b->a->fs, path, head, sizeof(head));
	if (n < 0)
		b->error = (int) n;
	else if (!is_encrypted(head, (size_t) n))
		b->plain = path;
}

static int look_backup(const char *name, unsigned char type, void *user)
{
	struct backups *b = user;
	const char *path = anything(name) ? arena_printf(&b->a->arena, "%s/%s", b->dir, name) : NULL;
	struct stat st;

	(void) type;
	if (!path || hostfs_stat(&b->a->fs, path, false, &st) < 0)
		return 0;
	if (++b->seen > ENTRIES_MAX)
		return -EFBIG;
	if (S_ISDIR(st.st_mode))
		list_backups(b, path);
	else if (S_ISREG(st.st_mode))
		one_backup(b, path, &st);
	return 0;
}

/* All files below, but within a vault, and links are not followed. */
static void list_backups(struct backups *b, const char *dir)
{
	const char *above = b->dir;
	int r;

	if (is_vault(b->a, dir)) {
		b->vault = true;
		return;
	}
	if (b->depth == BACKUP_DEPTH) {
		b->error = -EFBIG;
		return;
	}
	b->dir = dir;
	b->depth++;
	r = hostfs_list(&b->a->fs, dir, ENTRIES_MAX, look_backup, b);
	b->error = r < 0 ? r : b->error;
	b->depth--;
	b->dir = above;
}

/* As it stands below the folder. */
static const char *below(const char *path, const char *dir)
{
	return path + strlen(dir) + 1;
}

static int backup_location(struct place *p, const char *dir, const struct stat *st)
{
	struct finding *f = gather_finding(ID_BACKUP_LOCATION_MODE, FINDING_PASS, SUBJECT_FILE, dir, dir);
	const char *full = arena_printf(&p->a->arena, "%s%s", p->a->fs.prefix, dir);
	pv_auto(gitdir) g = NULL;

	if (!f)
		return -ENOMEM;
	if (st->st_mode & 077) {
		f->verdict = FINDING_FAIL;
		finding_evidence(f, "mode", NULL, 0, "%04o", st->st_mode & 07777);
		if (p->why)
			finding_evidence(f, "written to by", NULL, 0, "%s", p->why);
		run_on(f, "only its owner may enter it", "chmod 700 ", dir);
	}
	if (full && gitdir_find(full, &g) == 0 && g->work_tree) {
		f->verdict = FINDING_FAIL;
		finding_evidence(f, "inside of the repository", NULL, 0, "%s", g->work_tree + strlen(p->a->fs.prefix));
		if (!f->command) {
			pv_autobuf cmd = PV_BUF_INIT;

			pv_buf_puts(&cmd, "mv ");
			remedy_word(&cmd, dir);
			pv_buf_puts(&cmd, " /var/backups/");
			remedy_word(&cmd, base_of(p->dir));
			finding_remedy(f, "keep it outside of the repository", pv_buf_str(&cmd));
		}
	}
	return add_wanted(p->a, f);
}

static int backup_contents(struct place *p, const char *dir)
{
	struct backups b = { .a = p->a };
	int r;
	struct finding *e = gather_finding(ID_BACKUP_ENCRYPTED, FINDING_PASS, SUBJECT_FILE, dir, dir);
	struct finding *f = gather_finding(ID_BACKUP_FRESH, FINDING_PASS, SUBJECT_FILE, dir, dir);

	list_backups(&b, dir);
	if (e && b.plain) {
		e->verdict = FINDING_FAIL;
		finding_evidence(e, "not encrypted", NULL, 0, "%s", below(b.plain, dir));
		finding_remedy(e, "encrypt it where it is made: ... | age -r KEY > FILE.age; the key is kept elsewhere",
			       NULL);
	} else if (e && b.error) {
		finding_unknown(e, gather_reason(b.error));
	} else if (e && !b.files && !b.vault) {
		e->verdict = FINDING_NOT_APPLICABLE;
	}
	if (f && b.error && (!b.newest || b.newest_us + BACKUP_AGE < p->a->policy.now_us))
		finding_unknown(f, gather_reason(b.error));
	else if (f && b.vault) /* its snapshots have dates of their own, which need the key */
		finding_unknown(f, REASON_BY_NATURE);
	else if (f && (!b.files || b.empty || b.newest_us + BACKUP_AGE < p->a->policy.now_us)) {
		f->verdict = FINDING_FAIL;
		finding_evidence(f, "newest", NULL, 0, "%s", !b.files ? "there is none" : below(b.newest, dir));
		finding_remedy(f, "look at the job that makes it", "systemctl list-timers");
	}
	r = add_wanted(p->a, e);
	return r < 0 ? finding_free(f), r : add_wanted(p->a, f);
}

/* Folders called backup* in the project and beside it. */
static int backups_of(struct place *p, const char *parent, size_t *found)
{
	struct names l = { .arena = &p->a->arena, .wanted = is_backup_dir };
	int r = 0;

	(void) hostfs_list(&p->a->fs, parent, ENTRIES_MAX, take_name, &l);
	for (size_t i = 0; i < l.n && r == 0; i++) {
		const char *dir =
			arena_printf(&p->a->arena, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, l.item[i]);
		struct stat st;

		if (!dir || hostfs_stat(&p->a->fs, dir, true, &st) < 0 || !S_ISDIR(st.st_mode))
			continue;
		++*found;
		r = backup_location(p, dir, &st);
		if (r == 0)
			r = backup_contents(p, dir);
	}
	return r;
}

static int backups(struct place *p)
{
	const char *slash = strrchr(p->dir, '/'),
		   *parent = slash && slash != p->dir ? arena_ndup(&p->a->arena, p->dir, (size_t) (slash - p->dir))
						      : NULL;
	size_t found = 0;
	int r = backups_of(p, p->dir, &found);

	if (r == 0 && parent)
		r = backups_of(p, parent, &found);
	if (r == 0 && !found) {
		struct finding *f = gather_finding(ID_BACKUP_FRESH, FINDING_UNKNOWN, SUBJECT_FILE, p->dir, p->dir);

		finding_unknown(f, REASON_ABSENT);
		finding_evidence(f, "backups", NULL, 0, "no folder called backup* in it or beside it");
		r = add_wanted(p->a, f);
		if (r == 0)
			r = add_wanted(p->a, gather_finding(ID_BACKUP_LOCATION_MODE, FINDING_NOT_APPLICABLE,
							    SUBJECT_FILE, p->dir, p->dir));
		if (r == 0)
			r = add_wanted(p->a, gather_finding(ID_BACKUP_ENCRYPTED, FINDING_NOT_APPLICABLE, SUBJECT_FILE,
							    p->dir, p->dir));
	}
	return r;
}

/* A folder that the configuration names, or that a job writes to (`why`): it must be there. */
static int named_backup(struct audit *a, const char *dir, const char *why)
{
	struct place p = { .a = a, .dir = dir, .why = why };
	struct stat st;
	int r = hostfs_stat(&a->fs, dir, true, &st);

	if (r == 0 && !S_ISDIR(st.st_mode))
		r = -ENOTDIR;
	if (r < 0)
		return a->select.on[ID_BACKUP_FRESH] ? gather_unknown(a, ID_BACKUP_FRESH, SUBJECT_FILE, dir, gather_reason(r),
								      strerror(-r))
						     : 0;
	r = backup_location(&p, dir, &st);
	return r < 0 ? r : backup_contents(&p, dir);
}

/* --- the pipeline --- */

static bool is_workflow(const char *name)
{
	return ends(name, ".yml") || ends(name, ".yaml");
}

static bool checks_something(struct audit *a, const char *path)
{
	static const char *const words[] = { "npm audit", "yarn audit",  "pnpm audit",  "pip-audit",
					     "safety ",   "pavise ci",   "pavise scan", "osv-scanner",
					     "trivy",     "govulncheck", "cargo audit", "ioc-scan" };
	pv_autobuf text = PV_BUF_INIT;

	if (!path || hostfs_read(&a->fs, path, 1 << 20, &text) < 0)
		return false;
	for (size_t i = 0; i < N_ELEMENTS(words); i++)
		for (const char *p = pv_buf_str(&text); (p = strstr(p, words[i])); p++) {
			const char *line = p;

			while (line > pv_buf_str(&text) && line[-1] != '\n')
				line--;
			if (line[strspn(line, " \t")] != '#')
				return true;
		}
	return false;
}

static int pipeline(struct place *p)
{
	struct finding *f = gather_finding(ID_CI_PRESENT, FINDING_FAIL, SUBJECT_REPOSITORY, p->dir, NULL);
	struct names flows = { .arena = &p->a->arena, .wanted = is_workflow };
	const char *dir = path_in(p, ".github/workflows");
	int r = dir ? hostfs_list(&p->a->fs, dir, ENTRIES_MAX, take_name, &flows) : -ENOMEM;
	bool checked = checks_something(p->a, path_in(p, ".gitlab-ci.yml")) ||
		       checks_something(p->a, path_in(p, ".woodpecker.yml"));

	if (!f)
		return -ENOMEM;
	for (size_t i = 0; i < flows.n && !checked; i++)
		checked = checks_something(p->a, arena_printf(&p->a->arena, "%s/%s", dir, flows.item[i]));
	if (checked)
		f->verdict = FINDING_PASS;
	else if (p->git_error == -ENOENT)
		f->verdict = FINDING_NOT_APPLICABLE;
	else if (r < 0 && r != -ENOENT && r != -ENOTDIR)
		finding_unknown(f, gather_reason(r));
	if (f->verdict == FINDING_FAIL)
		finding_remedy(f,
			       flows.n ? "none of its workflows looks at dependencies: add npm audit, pip-audit or "
					 "pavise scan, on push and on a schedule"
				       : "it has no workflow: add one that runs npm audit, pip-audit or pavise scan, "
					 "on push and on a schedule",
			       NULL);
	return gather_add(p->a, f, NULL);
}

/* --- one project, and all --- */

static int key_length(struct place *p, const char *name)
{
	struct finding *f = file_finding(p, ID_SECRET_KEY_LENGTH, FINDING_NOT_APPLICABLE, name);
	pv_autobuf text = PV_BUF_INIT;
	struct dotenv env = { 0 };
	int r = hostfs_read(&p->a->fs, path_in(p, name) ?: "", DOTENV_BYTES, &text);

	if (!f)
		return -ENOMEM;
	if (r == 0)
		r = dotenv_parse(&p->a->arena, pv_buf_str(&text), text.len, &env);
	if (r < 0)
		finding_unknown(f, gather_reason(r));
	for (size_t i = 0; i < env.n; i++) {
		const char *wrong = signing_key_name(env.item[i].name) ? signing_key_wrong(env.item[i].value) : NULL;

		if (signing_key_name(env.item[i].name) && f->verdict == FINDING_NOT_APPLICABLE)
			f->verdict = FINDING_PASS;
		if (!wrong)
			continue;
		f->verdict = FINDING_FAIL;
		finding_evidence(f, env.item[i].name, f->subject.path, env.item[i].at.line, "(len %zu): %s",
				 strlen(env.item[i].value), wrong);
	}
	if (f->verdict == FINDING_FAIL)
		finding_remedy(f, "make a new one and restart what uses it; all sessions end", "openssl rand -hex 32");
	return gather_add(p->a, f, NULL);
}

static const enum id of_project[] = { ID_FILE_ENV_MODE,        ID_FILE_ENV_IGNORED, ID_FILE_ENV_EXAMPLE_CLEAN, ID_GIT_DUMPS_SESSIONS,
				      ID_BACKUP_LOCATION_MODE, ID_BACKUP_ENCRYPTED, ID_BACKUP_FRESH,	       ID_CI_PRESENT };

static int not_read(struct place *p, int error)
{
	int r = error == -ENOMEM ? error : 0;

	for (size_t i = 0; i < N_ELEMENTS(of_project) && r == 0; i++)
		if (p->a->select.on[of_project[i]])
			r = gather_unknown(p->a, of_project[i], SUBJECT_FILE, p->dir, gather_reason(error), strerror(-error));
	return r;
}

static int look(struct place *p)
{
	struct names env = { .arena = &p->a->arena, .wanted = is_secret_env },
		     examples = { .arena = &p->a->arena, .wanted = is_env_example };
	const bool *on = p->a->select.on;
	int r = hostfs_list(&p->a->fs, p->dir, ENTRIES_MAX, take_name, &env);

	if (r < 0 && r != -ENOENT)
		return not_read(p, r);
	(void) hostfs_list(&p->a->fs, p->dir, ENTRIES_MAX, take_name, &examples);
	open_git(p);
	r = 0;
	for (size_t i = 0; i < env.n && r == 0; i++) {
		r = on[ID_FILE_ENV_MODE] ? env_mode(p, env.item[i]) : 0;
		if (r == 0 && on[ID_FILE_ENV_IGNORED])
			r = env_ignored(p, env.item[i]);
		if (r == 0 && on[ID_SECRET_KEY_LENGTH])
			r = key_length(p, env.item[i]);
	}
	for (size_t i = 0; i < examples.n && r == 0 && on[ID_FILE_ENV_EXAMPLE_CLEAN]; i++)
		r = example_clean(p, examples.item[i]);
	if (r == 0 && on[ID_GIT_DUMPS_SESSIONS])
		r = dumps(p);
	if (r == 0 && on[ID_CI_PRESENT])
		r = pipeline(p);
	if (r == 0 && (on[ID_BACKUP_LOCATION_MODE] || on[ID_BACKUP_ENCRYPTED] || on[ID_BACKUP_FRESH]))
		r = backups(p);
	return r;
}

static bool of_backups(enum id id)
{
	return id == ID_BACKUP_LOCATION_MODE || id == ID_BACKUP_ENCRYPTED || id == ID_BACKUP_FRESH;
}

/* More than is looked at: what was not is no pass. */
static int left(struct audit *a, enum id id)
{
	size_t n = a->projects_left + (of_backups(id) ? a->targets_left : 0);

	if (!n)
		return 0;
	return gather_unknown(a, id, SUBJECT_HOST, "host", REASON_TOO_LARGE,
			      arena_printf(&a->arena, "%zu folders more than the %d that are looked at: name them (pavise audit DIR)", n, GATHER_DIRS));
}

/* Ids about which no project had anything to say: without a project on a host with workloads that is not a pass. */
static int fill(struct audit *a)
{
	int r = 0;

	for (size_t i = 0; i < N_ELEMENTS(of_project) && r == 0; i++) {
		bool any = !a->select.on[of_project[i]];

		if (!any)
			r = left(a, of_project[i]);
		for (size_t k = 0; k < a->out.n && !any; k++)
			any = a->out.item[k]->id == of_project[i];
		if (any)
			continue;
		if (a->n_projects || !a->workloads)
			r = gather_add(a, gather_finding(of_project[i], FINDING_NOT_APPLICABLE, SUBJECT_HOST, "host", NULL), NULL);
		else
			r = gather_unknown(a, of_project[i], SUBJECT_HOST, "host", REASON_ABSENT,
					   "there are workloads, but no project was found: name its folder");
	}
	return r;
}

/* By the project that it lies in or beside, or by the configuration. */
static bool judged(const struct audit *a, const char *dir)
{
	for (size_t i = 0; i < a->out.n; i++) {
		const struct finding *f = a->out.item[i];

		if (of_backups(f->id) && f->subject.path &&
		    strcmp(f->subject.path, dir) == 0)
			return true;
	}
	return false;
}

int check_projects(struct audit *a)
{
	int r = 0;

	for (size_t i = 0; i < a->n_projects && r == 0; i++) {
		struct place p = { .a = a, .dir = a->project[i].dir };

		r = look(&p);
		p.git = gitdir_free(p.git);
	}
	for (size_t i = 0; i < a->n_backups && r == 0; i++)
		r = named_backup(a, a->backup[i], NULL);
	if (a->select.on[ID_BACKUP_LOCATION_MODE] || a->select.on[ID_BACKUP_ENCRYPTED] || a->select.on[ID_BACKUP_FRESH])
		dumps_find(a);
	for (size_t i = 0; i < a->n_targets && r == 0; i++)
		r = judged(a, a->target[i].dir) ? 0 : named_backup(a, a->target[i].dir, a->target[i].why);
	return r < 0 ? r : fill(a);
}

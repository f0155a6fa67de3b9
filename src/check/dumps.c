#include "check/dumps.h"

#include <stdio.h>
#include <string.h>

#define FILE_BYTES (256u << 10)
#define FILES_MAX  1000
#define WORDS_MAX  256
#define DIR_UNITS  "/etc/systemd/system"

/* --- one line --- */

static const char *const programs[] = { "pg_dump",	"pg_dumpall",  "pg_basebackup",	 "mysqldump",
					"mariadb-dump", "mariabackup", "mariadb-backup", "xtrabackup",
					"mongodump",	"restic",      "borg",		 "duplicity",
					"influxd",	"redis-cli",   "sqlite3",	 "mydumper" };
/* An option and the path behind it, as a word of its own or after `=`. */
static const struct {
	const char *name;
	bool folder;
} options[] = {
	{ "-f", false },	 { "--file", false },	 { "-o", false },    { "--out", true },	   { "--result-file", false },
	{ "-r", true },		 { "--repo", true },	 { "-D", true },     { "--pgdata", true }, { "--target-dir", true },
	{ "--outputdir", true }, { "--archive", false }, { "--rdb", false },
};

static bool is_program(const char *word)
{
	const char *slash = strrchr(word, '/'), *name = slash ? slash + 1 : word;

	for (size_t i = 0; i < N_ELEMENTS(programs); i++)
		if (strcmp(name, programs[i]) == 0)
			return true;
	return false;
}

/* `/var/backups/db-$(date).sql` lies in /var/backups, whatever the rest comes to. */
static void folder_of(const char *path, bool is_folder, void (*take)(const char *dir, void *user), void *user)
{
	char room[1024];
	size_t len = strcspn(path, "$`%*?\\"), whole = strlen(path);
	char *slash;

	if (*path != '/' || len >= sizeof(room) || strncmp(path, "/dev/", 5) == 0)
		return;
	memcpy(room, path, len);
	room[len] = '\0';
	if (!is_folder || len < whole) {
		slash = strrchr(room, '/');
		if (slash == room)
			return;
		*slash = '\0';
	}
	while (len > 1 && *room && room[strlen(room) - 1] == '/')
		room[strlen(room) - 1] = '\0';
	if (*room)
		take(room, user);
}

/* Words as a shell would see them, near enough: quotes are taken off, `>` and `|` stand alone. */
static size_t split(char *text, char **word, size_t max)
{
	size_t n = 0;
	char *out = text, quote = 0;
	bool in = false;

	for (char *p = text; *p && n < max; p++) {
		char c = *p;

		if (quote ? c == quote : c == '"' || c == '\'') {
			quote = quote ? 0 : c;
			if (!in)
				word[n++] = out;
			in = true;
			continue;
		}
		if (!quote && strchr(" \t;&|><()", c)) {
			if (in)
				*out++ = '\0';
			in = false;
			if (c == '>' && n < max)
				word[n++] = (char *) (uintptr_t) ">";
			continue;
		}
		if (!in)
			word[n++] = out = p;
		in = true;
		*out++ = c;
	}
	*out = '\0';
	return n;
}

static void one_word(char **word, size_t n, size_t i, void (*take)(const char *dir, void *user), void *user)
{
	const char *colons;

	if (strcmp(word[i], ">") == 0 && i + 1 < n)
		folder_of(word[i + 1], false, take, user);
	for (size_t k = 0; k < N_ELEMENTS(options); k++) {
		size_t len = strlen(options[k].name);

		if (strncmp(word[i], options[k].name, len) != 0)
			continue;
		if (word[i][len] == '=')
			folder_of(word[i] + len + 1, options[k].folder, take, user);
		else if (word[i][len] == '\0' && i + 1 < n)
			folder_of(word[i + 1], options[k].folder, take, user);
	}
	colons = strstr(word[i], "::"); /* borg create /srv/borg::archive */
	if (colons && *word[i] == '/') {
		word[i][colons - word[i]] = '\0';
		folder_of(word[i], true, take, user);
	}
	if (strncmp(word[i], "RESTIC_REPOSITORY=", 18) == 0 || strncmp(word[i], "BORG_REPO=", 10) == 0)
		folder_of(strchr(word[i], '=') + 1, true, take, user);
}

void dumps_line(const char *line, void (*take)(const char *dir, void *user), void *user)
{
	pv_autofree char *text = strdup(line);
	char *word[WORDS_MAX];
	bool dumps = false;
	size_t n;

	if (!text || text[strspn(text, " \t")] == '#')
		return;
	n = split(text, word, N_ELEMENTS(word));
	for (size_t i = 0; i < n; i++)
		dumps = dumps || is_program(word[i]) || strncmp(word[i], "RESTIC_REPOSITORY=", 18) == 0 ||
			strncmp(word[i], "BORG_REPO=", 10) == 0;
	for (size_t i = 0; i < n && dumps; i++)
		one_word(word, n, i, take, user);
}

/* --- what runs by itself --- */

struct look {
	struct audit *a;
	const char *path, *why;
	bool scripts; /* a script that a line starts is read, too; not one that a script starts */
};

/* Folders that hold other things, too: what is to be thought of their modes is not for a backup to say. */
static bool general(const char *dir)
{
	static const char *const dirs[] = { "/tmp", "/var", "/var/tmp", "/var/lib", "/root",  "/home", "/etc",
					    "/srv", "/opt", "/usr",	"/mnt",	    "/media", "/data", "/run" };

	for (size_t i = 0; i < N_ELEMENTS(dirs); i++)
		if (strcmp(dir, dirs[i]) == 0)
			return true;
	return false;
}

static void take(const char *dir, void *user)
{
	const struct look *l = user;
	struct audit *a = l->a;
	const char *clean = ctr_path_clean(&a->arena, dir);

	if (!clean || general(clean))
		return;
	for (size_t i = 0; i < a->n_projects; i++)
		if (strcmp(a->project[i].dir, clean) == 0)
			return;
	for (size_t i = 0; i < a->n_targets; i++)
		if (strcmp(a->target[i].dir, clean) == 0)
			return;
	if (a->n_targets == N_ELEMENTS(a->target)) {
		a->targets_left++;
		return;
	}
	a->target[a->n_targets].dir = clean;
	a->target[a->n_targets++].why = l->why;
}

static int one_line(const char *line, size_t len, void *user);

static void read_file(struct audit *a, const char *path, const char *why, bool scripts)
{
	struct look l = { a, path, why, scripts };

	if (path && why)
		(void) hostfs_lines(&a->fs, path, FILE_BYTES, one_line, &l);
}

/* The scripts that a line names by their whole paths. */
static void scripts_of(const struct look *l, const char *text)
{
	for (const char *p = text; (p = strchr(p, '/')) != NULL;) {
		size_t len = strcspn(p, " \t;&|><()'\"$");
		char head[2];
		const char *path =
			(p == text || strchr(" \t=;&|'\"(-", p[-1])) && len > 1 ? arena_ndup(&l->a->arena, p, len) : NULL;

		if (path && strncmp(path, "/dev/", 5) != 0 && hostfs_head(&l->a->fs, path, head, 2) == 2 &&
		    memcmp(head, "#!", 2) == 0)
			read_file(l->a, path, arena_printf(&l->a->arena, "%s (%s)", l->why, path), false);
		p += len;
	}
}

static int one_line(const char *line, size_t len, void *user)
{
	const struct look *l = user;
	pv_autofree char *text = strndup(line, len);

	if (!text || text[strspn(text, " \t")] == '#')
		return 0;
	dumps_line(text, take, user);
	if (l->scripts)
		scripts_of(l, text);
	return 0;
}

struct folder {
	struct audit *a;
	const char *dir, *what;
};

static int entry(const char *name, unsigned char type, void *user)
{
	const struct folder *f = user;
	const size_t len = strlen(name);
	const char *path;

	(void) type;
	if (*name == '.' || (strcmp(f->what, "unit") == 0 && (len < 9 || strcmp(name + len - 8, ".service") != 0)))
		return 0;
	path = arena_printf(&f->a->arena, "%s/%s", f->dir, name);
	read_file(f->a, path, arena_printf(&f->a->arena, "%s %s", f->what, strcmp(f->what, "unit") == 0 ? name : path), true);
	return 0;
}

void dumps_find(struct audit *a)
{
	static const struct {
		const char *dir, *what;
	} folders[] = {
		{ "/etc/cron.d", "cron" },	{ "/etc/cron.hourly", "cron" },	 { "/etc/cron.daily", "cron" },
		{ "/etc/cron.weekly", "cron" }, { "/etc/cron.monthly", "cron" }, { "/var/spool/cron/crontabs", "cron" },
		{ "/var/spool/cron", "cron" },	{ DIR_UNITS, "unit" },
	};

	read_file(a, "/etc/crontab", "cron /etc/crontab", true);
	for (size_t i = 0; i < N_ELEMENTS(folders); i++) {
		struct folder f = { a, folders[i].dir, folders[i].what };

		(void) hostfs_list(&a->fs, f.dir, FILES_MAX, entry, &f);
	}
}

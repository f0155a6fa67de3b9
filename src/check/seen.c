#include "check/seen.h"

#include <sodium/crypto_generichash.h>
#include <stdio.h>
#include <string.h>

#include "base/lines.h"

#define LINES_MAX  20000
#define FILE_BYTES (1u << 20)
#define LIST_BYTES (8u << 20)
#define NEW_MAX	   20 /* lines of evidence */

const char *const seen_names[SEEN_KINDS] = { "keys", "deployments", "files" };

struct seen {
	struct audit *a;
	enum seen_kind kind;
	const char **line;
	size_t n;
	int error;
};

static void hash_text(struct pv_buf *out, const void *data, size_t len)
{
	unsigned char sum[16];

	(void) crypto_generichash(sum, sizeof(sum), data, len, NULL, 0);
	for (size_t i = 0; i < sizeof(sum); i++)
		pv_buf_printf(out, "%02x", sum[i]);
}

static void add(struct seen *s, const char *name, const void *data, size_t len)
{
	pv_autobuf text = PV_BUF_INIT;
	const char **more;

	if (s->n == LINES_MAX) {
		s->error = -EFBIG;
		return;
	}
	pv_buf_printf(&text, "%.*s ", (int) strlen(seen_names[s->kind]) - 1, seen_names[s->kind]);
	pv_buf_json_str(&text, name);
	pv_buf_putc(&text, ' ');
	hash_text(&text, data, len);
	more = arena_grow(&s->a->arena, s->line, s->n, sizeof(*more));
	if (!more)
		return;
	s->line = more;
	more[s->n] = arena_dup(&s->a->arena, pv_buf_str(&text));
	s->n += more[s->n] != NULL;
}

/* --- keys --- */

/* `options ssh-ed25519 BLOB comment`; the blob is the key, whatever stands around it (sshd(8)). */
static void key_line(struct seen *s, const char *user, const char *line, size_t len)
{
	static const char *const types[] = { "ssh-", "ecdsa-", "sk-" };
	pv_autofree char *text = strndup(line, len);
	char *type = NULL, *blob, *rest;
	pv_autobuf name = PV_BUF_INIT;

	for (size_t i = 0; text && i < N_ELEMENTS(types) && !type; i++)
		for (char *p = strstr(text, types[i]); p && !type; p = strstr(p + 1, types[i]))
			if (p == text || p[-1] == ' ' || p[-1] == '\t')
				type = p;
	if (!type || text[strspn(text, " \t")] == '#')
		return;
	blob = strpbrk(type, " \t");
	if (!blob)
		return;
	*blob++ = '\0';
	blob += strspn(blob, " \t");
	rest = strpbrk(blob, " \t");
	if (rest)
		*rest++ = '\0';
	pv_buf_printf(&name, "%s: %s %s", user, type, rest ? rest : "");
	add(s, pv_buf_str(&name), blob, strlen(blob));
}

static void keys_of(struct seen *s, const char *user, const char *home)
{
	static const char *const files[] = { ".ssh/authorized_keys", ".ssh/authorized_keys2" };

	for (size_t i = 0; i < N_ELEMENTS(files); i++) {
		const char *path = arena_printf(&s->a->arena, "%s/%s", strcmp(home, "/") == 0 ? "" : home, files[i]);
		pv_autobuf text = PV_BUF_INIT;
		int r = path ? hostfs_read(&s->a->fs, path, FILE_BYTES, &text) : -ENOMEM;

		if (r < 0 && r != -ENOENT && r != -ENOTDIR)
			s->error = r;
		for (const char *p = pv_buf_str(&text); r == 0 && *p; p += strcspn(p, "\n") + (p[strcspn(p, "\n")] != '\0'))
			key_line(s, user, p, strcspn(p, "\n"));
	}
}

static void keys(struct seen *s)
{
	pv_autobuf text = PV_BUF_INIT;
	int r = hostfs_read(&s->a->fs, "/etc/passwd", FILE_BYTES, &text);

	if (r < 0)
		s->error = r;
	for (const char *p = pv_buf_str(&text); *p;) {
		size_t len = strcspn(p, "\n");
		char *line = arena_ndup(&s->a->arena, p, len), *field[7] = { line };
		size_t n = 1;

		for (char *c = line; c && *c && n < 7; c++)
			if (*c == ':') {
				*c = '\0';
				field[n++] = c + 1;
			}
		if (n == 7 && *field[5] == '/')
			keys_of(s, field[0], field[5]);
		p += len + (p[len] == '\n');
	}
}

/* --- deployments --- */

static void deployments(struct seen *s)
{
	for (size_t i = 0; i < s->a->containers.n; i++) {
		const struct ctr *c = s->a->containers.item[i];
		pv_autobuf name = PV_BUF_INIT;

		if (c->kind == SUBJECT_HOST) { /* the engine could not be asked about it */
			s->error = -EIO;
			continue;
		}
		pv_buf_printf(&name, "%s: %s", c->name, c->image.text ? c->image.text : "");
		add(s, pv_buf_str(&name), pv_buf_str(&name), name.len);
	}
}

/* --- files that start things --- */

struct folder {
	struct seen *s;
	const char *dir;
	bool programs; /* only what can be executed, told apart by its size; else by its text */
};

static int one_file(const char *name, unsigned char type, void *user)
{
	struct folder *f = user;
	struct audit *a = f->s->a;
	const char *path = arena_printf(&a->arena, "%s/%s", f->dir, name);
	pv_autobuf text = PV_BUF_INIT;
	struct stat st;

	(void) type;
	if (!path || hostfs_stat(&a->fs, path, false, &st) < 0 || !S_ISREG(st.st_mode) || (f->programs && !(st.st_mode & 0111)))
		return 0;
	if (f->programs)
		add(f->s, path, &st.st_size, sizeof(st.st_size));
	else if (hostfs_read(&a->fs, path, FILE_BYTES, &text) == 0)
		add(f->s, path, pv_buf_str(&text), text.len);
	else
		add(f->s, path, &st.st_size, sizeof(st.st_size));
	return 0;
}

static void files(struct seen *s)
{
	static const struct {
		const char *dir;
		bool programs;
	} folders[] = {
		{ "/etc/cron.d", false },      { "/etc/cron.hourly", false }, { "/etc/cron.daily", false },
		{ "/etc/cron.weekly", false }, { "/etc/cron.monthly", false }, { "/var/spool/cron", false },
		{ "/var/spool/cron/crontabs", false }, { "/etc/systemd/system", false }, { "/etc/profile.d", false },
		{ "/usr/local/bin", true },    { "/usr/local/sbin", true },   { "/tmp", true },
		{ "/var/tmp", true },	       { "/dev/shm", true },
	};
	struct folder single = { s, "/etc", false };

	for (size_t i = 0; i < N_ELEMENTS(folders); i++) {
		struct folder f = { s, folders[i].dir, folders[i].programs };
		int r = hostfs_list(&s->a->fs, f.dir, LINES_MAX, one_file, &f);

		if (r < 0 && r != -ENOENT)
			s->error = r;
	}
	(void) one_file("crontab", 0, &single);
	(void) one_file("ld.so.preload", 0, &single);
	(void) one_file("rc.local", 0, &single);
}

/* --- a list --- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

int seen_list(struct audit *a, enum seen_kind kind, struct pv_buf *out)
{
	struct seen s = { .a = a, .kind = kind };

	switch (kind) {
	case SEEN_KEYS:
		keys(&s);
		break;
	case SEEN_DEPLOYMENTS:
		deployments(&s);
		break;
	default:
		files(&s);
	}
	if (s.n > 1)
		qsort(s.line, s.n, sizeof(*s.line), by_text);
	for (size_t i = 0; i < s.n; i++)
		if (i == 0 || strcmp(s.line[i - 1], s.line[i]) != 0)
			pv_buf_printf(out, "%s\n", s.line[i]);
	return a->arena.poor || out->cut ? -ENOMEM : s.error;
}

/* --- against what was there --- */

/* `key "root: x" HASH` without what is for us alone. */
static void tell_new(struct finding *f, const char *line, size_t len)
{
	const char *from = memchr(line, '"', len), *to = memrchr(line, '"', len);

	if (from && to > from)
		finding_evidence(f, "new", NULL, 0, "%.*s", (int) (to - from - 1), from + 1);
}

static int compare(struct finding *f, const char *old, const char *now)
{
	pv_auto(line_set) known = line_set_new(old);
	size_t n = 0;

	if (!known)
		return -ENOMEM;

	for (const char *p = now; *p;) {
		size_t len = strcspn(p, "\n");

		if (len && !line_set_has(known, p, len)) {
			if (n++ < NEW_MAX)
				tell_new(f, p, len);
			f->verdict = FINDING_FAIL;
		}
		p += len + (p[len] == '\n');
	}
	if (n > NEW_MAX)
		finding_evidence(f, "new", NULL, 0, "and %zu more", n - NEW_MAX);
	return 0;
}

/* What could not be seen this time is not gone: the next run would call it new. */
static int keep_old(struct pv_buf *all, enum seen_kind kind, const char *old, const char *now)
{
	const size_t kind_len = strlen(seen_names[kind]) - 1; /* "key " begins a line of keys */
	pv_auto(line_set) seen = line_set_new(now);

	for (const char *p = old; seen && *p; p += *p == '\n') {
		size_t len = strcspn(p, "\n");

		if (len > kind_len && strncmp(p, seen_names[kind], kind_len) == 0 && p[kind_len] == ' ' && !line_set_has(seen, p, len)) {
			pv_buf_add(all, p, len);
			pv_buf_putc(all, '\n');
		}
		p += len;
	}
	return seen ? 0 : -ENOMEM;
}

static int read_state(struct audit *a, const char *dir, const char *name, struct pv_buf *out)
{
	const struct hostfs here = { .root = -1, .prefix = "" };
	const char *path = dir ? arena_printf(&a->arena, "%s/%s", dir, name) : NULL;

	return path ? hostfs_read(&here, path, LIST_BYTES, out) : -ENOENT;
}

static int one(struct audit *a, const char *dir, enum seen_kind kind, enum id id, struct pv_buf *all)
{
	struct finding *f = gather_finding(id, FINDING_PASS, SUBJECT_HOST, "host", NULL);
	pv_autobuf now = PV_BUF_INIT, old = PV_BUF_INIT, text = PV_BUF_INIT;
	const char *accepted = arena_printf(&a->arena, "accepted/%s", seen_names[kind]);
	bool by_person;
	int r = seen_list(a, kind, &now), have;

	if (!f || r == -ENOMEM)
		return finding_free(f), -ENOMEM;
	have = read_state(a, dir, accepted, &old);
	by_person = have == 0;
	if (!by_person)
		have = read_state(a, dir, "audit/seen", &old);
	if (have < 0) {
		finding_unknown(f, have == -ENOENT ? REASON_ABSENT : gather_reason(have));
		finding_evidence(f, "to compare with", NULL, 0, "nothing was accepted, and there was no run before this one");
	} else {
		if (compare(f, pv_buf_str(&old), pv_buf_str(&now)) < 0)
			return finding_free(f), -ENOMEM;
		if (f->verdict == FINDING_PASS && r < 0)
			finding_unknown(f, gather_reason(r));
		finding_evidence(f, "compared with", NULL, 0, "%s", by_person ? "what was accepted" : "the last run");
	}
	if (f->verdict != FINDING_PASS) {
		pv_buf_printf(&text, "pavise accept %s", seen_names[kind]);
		finding_remedy(f, "look at them; what you do not know is to be removed, what is yours to be accepted", pv_buf_str(&text));
	}
	if (all)
		pv_buf_puts(all, pv_buf_str(&now));
	if (all && r < 0 && have == 0 && !by_person && keep_old(all, kind, pv_buf_str(&old), pv_buf_str(&now)) < 0)
		return finding_free(f), -ENOMEM;
	return gather_add(a, f, NULL);
}

int check_seen(struct audit *a, const char *dir, struct pv_buf *now)
{
	static const enum id ids[SEEN_KINDS] = { ID_HOST_NEW_KEYS, ID_DOKPLOY_UNKNOWN_DEPLOYS, ID_HOST_NEW_FILES };
	int r = 0;

	for (unsigned k = 0; k < SEEN_KINDS && r == 0; k++)
		if (a->select.on[ids[k]])
			r = one(a, dir, (enum seen_kind) k, ids[k], now);
	return r;
}

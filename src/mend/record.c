#include "mend/record.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "mend/state.h"

#define RECORD_BYTES (8u << 20)

int record_new(int folder, uint64_t now_us, struct record *ret)
{
	time_t s = (time_t) (now_us / 1000000);
	char when[32];
	struct tm tm;

	if (!gmtime_r(&s, &tm) || !strftime(when, sizeof(when), "%Y%m%dT%H%M%S", &tm))
		return -EINVAL;
	ret->folder = folder;
	(void) snprintf(ret->name, sizeof(ret->name), "audit-%s.%06uZ.jsonl", when, (unsigned) (now_us % 1000000));
	ret->fd = openat(folder, ret->name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	return ret->fd < 0 ? -errno : 0;
}

void record_close(struct record *r)
{
	r->fd = pv_close(r->fd);
}

/* --- one line --- */

static void text(struct pv_buf *b, const char *key, const char *value)
{
	pv_buf_printf(b, ",\"%s\":", key);
	pv_buf_json_str(b, value);
}

/* Numbers of 64 bit as text: a JSON number is a double to many readers, ours too. */
static void number(struct pv_buf *b, const char *key, uint64_t value)
{
	pv_buf_printf(b, ",\"%s\":\"%" PRIu64 "\"", key, value);
}

static void limits(struct pv_buf *b, const char *prefix, const struct step_limits *l)
{
	const uint64_t values[] = { l->pids, l->memory, l->milli_cpus };
	static const char *const names[] = { "pids", "memory", "milli_cpus" };

	for (size_t i = 0; i < N_ELEMENTS(values); i++)
		pv_buf_printf(b, ",\"%s_%s\":\"%" PRIu64 "\"", prefix, names[i], values[i]);
}

int record_add(struct record *r, const struct record_line *line)
{
	const struct audit_step *s = &line->step;
	pv_autobuf b = PV_BUF_INIT;

	pv_buf_printf(&b, "{\"schema\":1,\"kind\":%u,\"failed\":%s", s->kind, line->failed ? "true" : "false");
	number(&b, "id", s->id);
	number(&b, "mode", s->mode);
	number(&b, "old_mode", line->old_mode);
	number(&b, "engine", s->engine);
	number(&b, "dev", s->dev);
	number(&b, "ino", s->ino);
	number(&b, "owner", s->owner);
	number(&b, "root_login", s->root_login);
	number(&b, "before", line->size.before);
	number(&b, "after", line->size.after);
	limits(&b, "now", &s->now);
	limits(&b, "wanted", &s->wanted);
	text(&b, "dir", s->dir);
	text(&b, "name", s->name);
	text(&b, "line", s->line);
	text(&b, "container", s->container);
	text(&b, "subject", s->subject);
	pv_buf_puts(&b, "}\n");
	if (b.cut)
		return -ENOMEM;
	if (write(r->fd, b.data, b.len) != (ssize_t) b.len || fsync(r->fd) < 0)
		return errno ? -errno : -EIO;
	return 0;
}

static bool get_text(const cJSON *o, const char *key, char *out, size_t size)
{
	const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));

	return s && text_copy(out, size, s);
}

static bool get_number(const cJSON *o, const char *key, uint64_t *ret)
{
	const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));

	return s && parse_u64(s, ret) == 0;
}

static bool get_u32(const cJSON *o, const char *key, uint32_t *ret)
{
	uint64_t n;

	if (!get_number(o, key, &n) || n > UINT32_MAX)
		return false;
	*ret = (uint32_t) n;
	return true;
}

static bool get_limits(const cJSON *o, bool now, struct step_limits *ret)
{
	return get_number(o, now ? "now_pids" : "wanted_pids", &ret->pids) &&
	       get_number(o, now ? "now_memory" : "wanted_memory", &ret->memory) &&
	       get_number(o, now ? "now_milli_cpus" : "wanted_milli_cpus", &ret->milli_cpus);
}

static int read_line(const char *s, size_t len, struct record_line *l)
{
	cJSON *o = cJSON_ParseWithLength(s, len);
	const cJSON *kind = cJSON_GetObjectItemCaseSensitive(o, "kind");
	struct audit_step *t = &l->step;
	bool good;

	*l = (struct record_line){ .failed = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "failed")) };
	t->kind = cJSON_IsNumber(kind) ? (uint32_t) kind->valueint : 0;
	good = cJSON_IsNumber(kind) && kind->valueint >= 0 && get_u32(o, "id", &t->id) && get_u32(o, "mode", &t->mode) && get_u32(o, "old_mode", &l->old_mode) &&
	       get_u32(o, "engine", &t->engine) && get_number(o, "dev", &t->dev) && get_number(o, "ino", &t->ino) &&
	       get_u32(o, "owner", &t->owner) &&
	       get_u32(o, "root_login", &t->root_login) &&
	       get_number(o, "before", &l->size.before) && get_number(o, "after", &l->size.after) &&
	       get_limits(o, true, &t->now) && get_limits(o, false, &t->wanted) &&
	       get_text(o, "dir", t->dir, sizeof(t->dir)) && get_text(o, "name", t->name, sizeof(t->name)) &&
	       get_text(o, "line", t->line, sizeof(t->line)) &&
	       get_text(o, "container", t->container, sizeof(t->container)) &&
	       get_text(o, "subject", t->subject, sizeof(t->subject));
	cJSON_Delete(o);
	return good ? 0 : -EBADMSG;
}

/* --- a file --- */

static bool same_step(const struct audit_step *a, const struct audit_step *b)
{
	return a->kind == b->kind && strcmp(a->dir, b->dir) == 0 && strcmp(a->name, b->name) == 0 &&
	       strcmp(a->line, b->line) == 0 && strcmp(a->container, b->container) == 0;
}

static int read_lines(const char *s, struct record_line **ret, size_t *ret_n)
{
	struct record_line *list = calloc(RECORD_STEPS, sizeof(*list));
	size_t n = 0;
	int r = list ? 0 : -ENOMEM;

	while (r == 0 && *s) {
		size_t len = strcspn(s, "\n"), k;
		struct record_line l;

		if (s[len] != '\n') /* the last one was never finished: then its change was never begun */
			break;
		r = n == RECORD_STEPS ? -EFBIG : read_line(s, len, &l);
		for (k = 0; r == 0 && k < n && !same_step(&list[k].step, &l.step); k++)
			;
		if (r == 0) {
			list[k] = l;
			n += k == n;
		}
		s += len + 1;
	}
	if (r < 0) {
		free(list);
		return r;
	}
	*ret = list;
	*ret_n = n;
	return 0;
}

static bool is_run(const char *name)
{
	size_t n = strlen(name);

	return n < RECORD_NAME && strncmp(name, "audit-", 6) == 0 && n > 6 && strcmp(name + n - 6, ".jsonl") == 0;
}

int record_newest(int folder, struct record *ret, struct record_line **ret_lines, size_t *ret_n)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	pv_autobuf whole = PV_BUF_INIT;
	struct dirent *e;
	int r;

	if (!d) {
		(void) pv_close(fd);
		return -errno;
	}
	*ret = (struct record){ .folder = folder, .fd = -1 };
	while ((e = readdir(d)))
		if (is_run(e->d_name) && strcmp(e->d_name, ret->name) > 0)
			(void) text_copy(ret->name, sizeof(ret->name), e->d_name);
	(void) closedir(d);
	if (!*ret->name)
		return -ENOENT;
	r = state_read(folder, ret->name, RECORD_BYTES, &whole);
	return r < 0 ? r : read_lines(pv_buf_str(&whole), ret_lines, ret_n);
}

int record_undone(const struct record *r)
{
	char to[RECORD_NAME + 8];

	(void) snprintf(to, sizeof(to), "%s.undone", r->name);
	return renameat(r->folder, r->name, r->folder, to) < 0 ? -errno : 0;
}

/* Dockerfiles: instructions with their line, continuations, here-documents, the escape directive, stages and ARG
 * values. What counts is the image that comes out: user, environment and health check of the last stage, inherited from
 * the stages it is built on. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "check/container.h"

#define STAGES_MAX 64
#define STEPS_MAX  4000
#define HEREDOCS   8

struct stage {
	const char *name;
	struct ctr_word user;
	bool healthcheck, healthcheck_off, base_known;
	struct ctr_word health;
};

struct reader {
	struct arena *a;
	struct ctr *c;
	const char *at, *end;
	unsigned line; /* of `at` */
	char escape;
	struct stage stage[STAGES_MAX];
	size_t n_stages;
	struct ctr arg_values; /* ARG name=default, kept as environment of a container that is none */
};

/* The rest of the line without its end; the reader stands at the next one. */
static const char *take_line(struct reader *r, size_t *ret_len)
{
	const char *start = r->at, *lf = memchr(start, '\n', (size_t) (r->end - start));
	size_t len = lf ? (size_t) (lf - start) : (size_t) (r->end - start);

	r->at = lf ? lf + 1 : r->end;
	r->line++;
	if (len && start[len - 1] == '\r')
		len--;
	*ret_len = len;
	return start;
}

static bool is_comment(const char *s, size_t len)
{
	size_t i = 0;

	while (i < len && isspace((unsigned char) s[i]))
		i++;
	return i < len && s[i] == '#';
}

static bool is_blank(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isspace((unsigned char) s[i]))
			return false;
	return true;
}

/* An instruction over its continued lines, joined by blanks. False at the end. */
static bool take_instruction(struct reader *r, struct pv_buf *out, unsigned *ret_line)
{
	bool more = true, any = false;

	pv_buf_clear(out);
	while (more && r->at < r->end) {
		size_t len, end;
		const char *s = take_line(r, &len);

		if (is_comment(s, len) ||
		    (is_blank(s, len))) { /* also between continued lines, as docker build takes it */
			more = true;
			continue;
		}
		if (!any)
			*ret_line = r->line;
		any = true;
		for (end = len; end && (s[end - 1] == ' ' || s[end - 1] == '\t'); end--)
			;
		more = end && s[end - 1] == r->escape;
		pv_buf_add(out, s, more ? end - 1 : len);
		if (more)
			pv_buf_putc(out, ' ');
	}
	return any;
}

/* RUN <<EOF ... EOF: the text belongs to the instruction. */
static void take_heredocs(struct reader *r, struct pv_buf *text)
{
	char word[HEREDOCS][64];
	size_t n = 0;

	for (const char *p = pv_buf_str(text); n < HEREDOCS && (p = strstr(p, "<<"));) {
		size_t len;

		p += 2;
		p += *p == '-';
		p += *p == '"' || *p == '\'';
		len = strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
		if (len && len < sizeof(word[0])) {
			memcpy(word[n], p, len);
			word[n++][len] = '\0';
		}
	}
	for (size_t i = 0; i < n && r->at < r->end;) {
		size_t len;
		const char *s = take_line(r, &len);

		while (len && *s == '\t') {
			s++;
			len--;
		}
		if (len == strlen(word[i]) && memcmp(s, word[i], len) == 0) {
			i++;
			continue;
		}
		pv_buf_putc(text, '\n');
		pv_buf_add(text, s, len);
	}
}

static const char *arg_value(const struct reader *r, const char *name, size_t len)
{
	for (size_t i = 0; i < r->arg_values.n_env; i++)
		if (strlen(r->arg_values.env[i].name) == len && strncmp(r->arg_values.env[i].name, name, len) == 0)
			return r->arg_values.env[i].value;
	return NULL;
}

/* $X, ${X}, ${X:-d} with the defaults of ARG. *ret_known is false when something had no value. */
static const char *expand(struct reader *r, const char *s, bool *ret_known)
{
	pv_autobuf out = PV_BUF_INIT;

	out.cap = 8192;
	for (; *s; s++) {
		bool brace = s[0] == '$' && s[1] == '{';
		const char *name = s + 1 + brace, *value;
		size_t n =
			*s == '$' ? strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") : 0;

		if (!n) {
			pv_buf_putc(&out, *s);
			continue;
		}
		value = arg_value(r, name, n);
		s = name + n - 1;
		if (brace) {
			const char *close = strchr(name, '}');

			if (!close)
				break;
			if (!value && name[n] == ':' && name[n + 1] == '-')
				value = arena_ndup(r->a, name + n + 2, (size_t) (close - name) - n - 2);
			s = close;
		}
		*ret_known = *ret_known && value;
		pv_buf_puts(&out, value ? value : "");
	}
	return arena_dup(r->a, pv_buf_str(&out));
}

static char *first_word(struct arena *a, const char **s)
{
	size_t n;

	*s += strspn(*s, " \t");
	n = strcspn(*s, " \t\n");
	*s += n;
	return n ? arena_ndup(a, *s - n, n) : NULL;
}

static struct stage *current(struct reader *r)
{
	return r->n_stages ? &r->stage[r->n_stages - 1] : NULL;
}

static void on_from(struct reader *r, const char *rest, unsigned line)
{
	char *image = first_word(r->a, &rest), *as, *name;
	struct stage *st;
	bool known = true;
	const char *full;

	while (image && strncmp(image, "--", 2) == 0)
		image = first_word(r->a, &rest);
	if (!image || r->n_stages == STAGES_MAX) {
		ctr_set_all_gaps(r->c, REASON_MALFORMED, line, "FROM without an image, or too many of them");
		return;
	}
	as = first_word(r->a, &rest);
	name = as && strcasecmp(as, "as") == 0 ? first_word(r->a, &rest) : NULL;
	full = expand(r, image, &known);
	st = &r->stage[r->n_stages++];
	*st = (struct stage){ .name = name };
	for (size_t i = 0; i + 1 < r->n_stages; i++)
		if (r->stage[i].name && full && strcasecmp(r->stage[i].name, full) == 0) {
			*st = r->stage[i];
			st->name = name;
			return; /* an own stage: inherits, and draws nothing */
		}
	if (!known)
		ctr_set_gap(r->c, CTR_IMAGE, REASON_ABSENT, line, "FROM an argument without a default");
	else
		(void) ctr_words_add(r->a, &r->c->steps_from, full, "FROM", line);
	st->base_known = full && strcmp(full, "scratch") == 0;
}

static void unquote(char *s)
{
	size_t n = strlen(s);

	if (n >= 2 && (*s == '"' || *s == '\'') && s[n - 1] == *s) {
		memmove(s, s + 1, n - 2);
		s[n - 2] = '\0';
	}
}

/* One `name=value` with quotes and escapes; moves *s behind it. */
static char *take_pair(struct reader *r, const char **s)
{
	pv_autobuf out = PV_BUF_INIT;
	char quote = 0;

	out.cap = 65536;
	*s += strspn(*s, " \t\n");
	for (; **s && (quote || !strchr(" \t\n", **s)); (*s)++) {
		if (quote && **s == quote)
			quote = 0;
		else if (!quote && (**s == '"' || **s == '\''))
			quote = **s;
		else if (**s == r->escape && (*s)[1])
			pv_buf_putc(&out, *++*s);
		else
			pv_buf_putc(&out, **s);
	}
	return out.len ? arena_dup(r->a, out.data) : NULL;
}

static void set_pair(struct reader *r, struct ctr *to, char *pair, const char *what, unsigned line)
{
	char *eq = pair ? strchr(pair, '=') : NULL;
	bool known = true;
	struct ctr_env *e;
	const char *value;

	if (!eq)
		return;
	*eq++ = '\0';
	value = expand(r, eq, &known);
	e = ctr_env_set(r->a, to, pair, known ? value : NULL);
	if (e) {
		e->at.what = what;
		e->at.line = line;
	}
}

static void on_env(struct reader *r, const char *rest, unsigned line)
{
	size_t word = strcspn(rest, " \t=");
	char *pair;

	if (rest[word] != '=') { /* the old form: ENV name value to the end of the line */
		char *name = arena_ndup(r->a, rest, word),
		     *value = arena_dup(r->a, rest + word + strspn(rest + word, " \t"));

		if (name && value && *name) {
			unquote(value);
			set_pair(r, r->c, arena_printf(r->a, "%s=%s", name, value), "ENV", line);
		}
		return;
	}
	while ((pair = take_pair(r, &rest)))
		set_pair(r, r->c, pair, "ENV", line);
}

static void on_arg(struct reader *r, const char *rest, unsigned line)
{
	char *pair;

	while ((pair = take_pair(r, &rest))) {
		set_pair(r, &r->arg_values, arena_dup(r->a, pair), "ARG", line);
		if (r->n_stages) /* what stands in an argument of a stage stays in the image's history */
			set_pair(r, r->c, pair, "ARG", line);
	}
}

static void on_user(struct reader *r, const char *rest, unsigned line)
{
	struct stage *st = current(r);
	bool known = true;
	const char *user = expand(r, first_word(r->a, &rest), &known);

	if (!st)
		return;
	if (!known)
		ctr_set_gap(r->c, CTR_USER, REASON_ABSENT, line, "USER of an argument without a default");
	st->user = (struct ctr_word){ .text = user, .what = "USER", .line = line };
}

static void on_healthcheck(struct reader *r, const char *rest, unsigned line)
{
	struct stage *st = current(r);

	if (!st)
		return;
	st->healthcheck_off = strncasecmp(rest, "NONE", 4) == 0;
	st->healthcheck = !st->healthcheck_off;
	st->health = (struct ctr_word){ .what = "HEALTHCHECK", .line = line };
}

static void on_instruction(struct reader *r, const char *text, unsigned line)
{
	const char *rest = text;
	char *name = first_word(r->a, &rest);
	struct ctr_step *step;

	if (!name || r->c->n_steps == STEPS_MAX) {
		ctr_set_gap(r->c, CTR_BUILD, REASON_TOO_LARGE, line, "more instructions than are read");
		return;
	}
	for (char *p = name; *p; p++)
		*p = (char) toupper((unsigned char) *p);
	rest += strspn(rest, " \t");
	step = arena_grow(r->a, r->c->step, r->c->n_steps, sizeof(*step));
	if (step) {
		r->c->step = step;
		step[r->c->n_steps++] =
			(struct ctr_step){ .name = name, .at = { arena_dup(r->a, rest), name, NULL, line } };
	}
	if (strcmp(name, "FROM") == 0)
		on_from(r, rest, line);
	else if (strcmp(name, "ENV") == 0)
		on_env(r, rest, line);
	else if (strcmp(name, "ARG") == 0)
		on_arg(r, rest, line);
	else if (strcmp(name, "USER") == 0 && *rest)
		on_user(r, rest, line);
	else if (strcmp(name, "HEALTHCHECK") == 0)
		on_healthcheck(r, rest, line);
}

/* `# escape=\`` in the first lines. */
static void directives(struct reader *r)
{
	const char *p = r->at;

	r->escape = '\\';
	while (p < r->end && *p == '#') {
		const char *lf = memchr(p, '\n', (size_t) (r->end - p)), *eol = lf ? lf : r->end;
		const char *e = memmem(p, (size_t) (eol - p), "escape", 6), *tick = memchr(p, '`', (size_t) (eol - p));

		if (e && tick && tick > e)
			r->escape = '`';
		p = lf ? lf + 1 : r->end;
	}
}

static void finish(struct reader *r)
{
	const struct stage *st = current(r);

	if (!st) {
		ctr_set_all_gaps(r->c, REASON_MALFORMED, 1, "there is no FROM in it");
		return;
	}
	r->c->user = st->user;
	r->c->healthcheck = st->healthcheck;
	r->c->healthcheck_off = st->healthcheck_off;
	r->c->health = st->health;
	if (!r->c->user.what)
		r->c->user.what = "USER";
}

int ctr_from_dockerfile(struct arena *a, const char *text, size_t len, const char *path, struct ctr **ret)
{
	struct reader *r = arena_alloc(a, sizeof(*r));
	pv_autobuf instruction = PV_BUF_INIT;
	unsigned line = 1;

	if (!r || !(r->c = ctr_new(a, CTR_DOCKERFILE)))
		return -ENOMEM;
	r->a = a;
	r->at = text;
	r->end = text + len;
	r->c->kind = SUBJECT_IMAGE;
	r->c->name = r->c->path = arena_dup(a, path);
	instruction.cap = 1 << 20;
	directives(r);
	if (memchr(text, '\0', len))
		ctr_set_all_gaps(r->c, REASON_MALFORMED, 1, "no text");
	else
		while (take_instruction(r, &instruction, &line)) {
			take_heredocs(r, &instruction);
			on_instruction(r, pv_buf_str(&instruction), line);
		}
	finish(r);
	*ret = r->c;
	return a->poor ? -ENOMEM : 0;
}

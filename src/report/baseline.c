#include "report/baseline.h"

#include <string.h>

#include "base/array.h"
#include "base/text.h"
#include "engine_api/json.h"

#define HEX    32
#define BLANKS " \t\r\n"

struct baseline {
	size_t n, room;
	char (*item)[HEX + 1];
};

struct reading {
	struct baseline *b;
	const char *text, *end;
	struct pv_buf *err;
};

static int bad(const struct reading *r, const char *at, const char *why)
{
	const char *line = r->text;
	unsigned n = 1;

	for (const char *p = r->text; p < at; p++)
		if (*p == '\n') {
			line = p + 1;
			n++;
		}
	pv_buf_printf(r->err, "line %u, column %zu: %s", n, (size_t) (at - line) + 1, why);
	return -EINVAL;
}

static int take(struct reading *r, const char *fingerprint)
{
	struct baseline *b = r->b;

	if (!fingerprint)
		return 0;
	if (strlen(fingerprint) != HEX || !text_is_hex(fingerprint, HEX))
		return -EINVAL;
	if (pv_grow(&b->item, b->n, &b->room, sizeof(*b->item), 64) < 0)
		return -ENOMEM;
	memcpy(b->item[b->n++], fingerprint, HEX + 1);
	return 0;
}

static const char *string(const cJSON *object, const char *key)
{
	return cJSON_GetStringValue(json_member(object, key));
}

/* A form F of ours (model/finding.h). One that a person wrote may be a fingerprint alone. */
static int take_finding(struct reading *r, const cJSON *f)
{
	const char *verdict = string(f, "verdict");

	if ((verdict && strcmp(verdict, finding_verdict_name(FINDING_FAIL)) != 0) || json_member(f, "accepted"))
		return 0;
	return take(r, string(f, "fingerprint"));
}

static int take_result(struct reading *r, const cJSON *result)
{
	const char *kind = string(result, "kind"); /* SARIF, 3.27.9: fail where it is absent */

	if ((kind && strcmp(kind, "fail") != 0) || cJSON_GetArraySize(json_array(json_member(result, "suppressions"))))
		return 0;
	return take(r, string(json_member(result, "partialFingerprints"), "pavise/v1"));
}

static int take_each(struct reading *r, const cJSON *list, int (*one)(struct reading *r, const cJSON *item))
{
	const cJSON *item;
	int e = cJSON_IsArray(list) ? 0 : -EINVAL;

	cJSON_ArrayForEach(item, json_array(list))
		e = e < 0 ? e : one(r, item);
	return e;
}

static int take_run(struct reading *r, const cJSON *run)
{
	return take_each(r, json_member(run, "results"), take_result);
}

static int take_value(struct reading *r, const char *at, const cJSON *v)
{
	const cJSON *schema = json_member(v, "schema");
	int e;

	if (json_member(v, "findings")) {
		if (schema && (!cJSON_IsNumber(schema) || schema->valuedouble != 1))
			return bad(r, at, "a report of another version: only schema 1 is known here");
		e = take_each(r, json_member(v, "findings"), take_finding);
	} else if (json_member(v, "runs")) {
		e = take_each(r, json_member(v, "runs"), take_run);
	} else {
		e = json_member(v, "fingerprint") || json_member(v, "verdict") ? take_finding(r, v) : -EINVAL;
	}
	return e == -EINVAL ? bad(r, at, "none of pavise's reports, or one with a fingerprint that is none") : e;
}

static int one_value(struct reading *r, const char *at, const char *end)
{
	auto_json *v = NULL;
	size_t wrong = 0;
	int e = json_parse_at(at, (size_t) (end - at), &v, &wrong);

	if (e == -EFBIG)
		return bad(r, at, "too large in one piece; as JSON lines it may be (--format jsonl)");
	return e < 0 ? bad(r, at + wrong, "no JSON") : take_value(r, at, v);
}

static const char *line_end(const char *p, const char *end)
{
	const char *lf = memchr(p, '\n', (size_t) (end - p));

	return lf ? lf : end;
}

/* The first line is a value of its own: then each is. */
static bool is_lines(const char *at, const char *end)
{
	auto_json *v = NULL;

	return json_parse(at, (size_t) (line_end(at, end) - at), &v) == 0;
}

static int one_line(struct reading *r, const char *at, const char *end)
{
	char hex[HEX + 1] = { 0 };
	int e;

	while (end > at && strchr(BLANKS, end[-1]))
		end--;
	if (*at == '{')
		return one_value(r, at, end);
	if (end - at == HEX)
		memcpy(hex, at, HEX);
	e = take(r, hex);
	return e == -EINVAL ? bad(r, at, "no fingerprint of 32 hex digits") : e;
}

static int hex_order(const void *a, const void *b)
{
	return memcmp(a, b, HEX);
}

int baseline_read(const char *text, size_t len, struct baseline **ret, struct pv_buf *err)
{
	pv_auto(baseline) b = calloc(1, sizeof(*b));
	struct reading r = { .b = b, .text = text, .end = text + len, .err = err };
	const char *p = text;
	int e = 0;

	if (!b)
		return -ENOMEM;
	while (p < r.end && e == 0) {
		const char *end = line_end(p, r.end);

		if (strchr(BLANKS, *p) && *p) {
			p++;
			continue;
		}
		if (*p == '{' && !is_lines(p, r.end))
			end = r.end;
		e = one_line(&r, p, end);
		p = end;
	}
	if (e < 0)
		return e;
	if (b->n)
		qsort(b->item, b->n, sizeof(*b->item), hex_order);
	*ret = pv_steal(b);
	return 0;
}

struct baseline *baseline_free(struct baseline *b)
{
	if (b)
		free(b->item);
	free(b);
	return NULL;
}

bool baseline_has(const struct baseline *b, const char *fingerprint)
{
	return b && b->n && strlen(fingerprint) == HEX && bsearch(fingerprint, b->item, b->n, sizeof(*b->item), hex_order) != NULL;
}

size_t baseline_apply(const struct baseline *b, struct finding_list *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		l->item[i]->old = l->item[i]->verdict == FINDING_FAIL && baseline_has(b, l->item[i]->fingerprint);
		n += l->item[i]->old;
	}
	return n;
}

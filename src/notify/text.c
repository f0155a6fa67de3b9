#include "notify/text.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "report/words.h"

static bool wants_json(const struct policy_channel *c)
{
	return strncmp(c->url, "https:", 6) == 0;
}

static void line(struct pv_buf *out, const struct notice *n)
{
	words_sentence(out, n);
	if (n->next[0]) {
		pv_buf_puts(out, " | ");
		pv_buf_safe(out, n->next, 0);
	}
}

static void json(struct pv_buf *out, const struct notice *n, const char *text, bool cut)
{
	notice_json(out, n);
	if (out->cut || !out->len)
		return;
	out->len--; /* the closing brace */
	pv_buf_puts(out, cut ? ",\"cut\":true,\"text\":" : ",\"text\":");
	pv_buf_json_str(out, text);
	pv_buf_putc(out, '}');
}

void notify_text(struct pv_buf *out, const struct policy_channel *c, const struct notice *n, size_t max)
{
	pv_autobuf text = PV_BUF_INIT, body = { .cap = max };
	struct notice less = *n;

	line(&text, n);
	if (!wants_json(c)) {
		pv_buf_add(out, pv_buf_str(&text), PV_MIN(text.len, max));
		return;
	}
	json(&body, n, pv_buf_str(&text), false);
	while (body.cut && less.n_evidence) {
		less.n_evidence--;
		pv_buf_clear(&body);
		json(&body, &less, pv_buf_str(&text), true);
	}
	pv_buf_add(out, pv_buf_str(&body), body.len);
}

static void digest_json(struct pv_buf *out, const struct store_backlog *b, const char *text, enum severity worst)
{
	pv_buf_printf(out, "{\"schema\":1,\"digest\":true,\"count\":%" PRIu64 ",\"severity\":\"%s\",\"time\":\"", b->n,
		      severity_name(worst));
	clock_rfc3339(out, b->first_us);
	pv_buf_puts(out, "\",\"last\":\"");
	clock_rfc3339(out, b->last_us);
	pv_buf_puts(out, "\",\"by_severity\":{");
	for (int s = SEV_N - 1; s >= 0; s--)
		pv_buf_printf(out, "%s\"%s\":%" PRIu64, s == SEV_N - 1 ? "" : ",", severity_name((enum severity) s),
			      b->by_severity[s]);
	pv_buf_puts(out, "},\"text\":");
	pv_buf_json_str(out, text);
	pv_buf_puts(out, ",\"next\":\"pavise events\"}");
}

void notify_digest(struct pv_buf *out, const struct policy_channel *c, const struct store_backlog *b,
		   const struct notice *worst, size_t n_worst)
{
	/* Escaped as JSON it grows to six times itself at most, and must still fit into a row. */
	pv_autobuf text = { .cap = 1200 };

	words_digest(&text, b->n, b->first_us, b->last_us, b->by_severity);
	for (size_t i = 0; i < n_worst; i++) {
		pv_autobuf one = PV_BUF_INIT;

		words_sentence(&one, &worst[i]);
		if (text.len + one.len + 32 > text.cap) {
			pv_buf_puts(&text, " | …");
			break;
		}
		pv_buf_printf(&text, " | %s", pv_buf_str(&one));
	}
	if (wants_json(c))
		digest_json(out, b, pv_buf_str(&text), n_worst ? worst[0].severity : SEV_INFO);
	else
		pv_buf_printf(out, "%s | pavise events", pv_buf_str(&text));
}

#include "report/words.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"

static const char *const done_words[DONE_N] = {
	[DONE_ALERTED] = "told only",
	[DONE_BLOCKED] = "refused",
	[DONE_KILLED] = "killed",
	[DONE_STOPPED] = "stopped",
	[DONE_FROZEN] = "frozen",
	[DONE_BANNED] = "banned",
	[DONE_WOULD_BLOCK] = "would have been refused (observe)",
	[DONE_WOULD_KILL] = "would have been killed (observe)",
	[DONE_WOULD_STOP] = "would have been stopped (observe)",
	[DONE_WOULD_FREEZE] = "would have been frozen (observe)",
	[DONE_WOULD_BAN] = "would have been banned (observe)",
	[DONE_FAILED] = "could not be stopped",
};

/* Notices of the guard about itself. */
static bool is_own(const struct notice *n)
{
	return strncmp(id_info(n->id)->name, "guard.", 6) == 0;
}

const char *words_done(const struct notice *n)
{
	if ((unsigned) n->action >= DONE_N || (is_own(n) && n->action == DONE_ALERTED))
		return "";
	return done_words[n->action];
}

void words_sentence(struct pv_buf *out, const struct notice *n)
{
	const char *done = words_done(n);

	if (!is_own(n) || n->kind != SUBJECT_HOST) {
		pv_buf_safe(out, n->subject, 0);
		pv_buf_putc(out, ' ');
	}
	pv_buf_safe(out, n->what, 0);
	if (n->count > 1)
		pv_buf_printf(out, " %" PRIu64 " times", n->count);
	if (*done)
		pv_buf_printf(out, "; %s", done);
}

const char *words_colour(enum severity s, const struct words_style *style)
{
	static const char *const codes[SEV_N] = {
		[SEV_INFO] = "\x1b[2m",	 [SEV_LOW] = "\x1b[36m",       [SEV_MEDIUM] = "\x1b[33m",
		[SEV_HIGH] = "\x1b[31m", [SEV_CRITICAL] = "\x1b[1;31m",
	};

	return style && style->colour && (unsigned) s < SEV_N ? codes[s] : "";
}

const char *words_plain(const struct words_style *style)
{
	return style && style->colour ? "\x1b[0m" : "";
}

/* Columns of `len` bytes of UTF-8, one a character. */
static unsigned columns(const char *s, size_t len)
{
	unsigned n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char) s[i] & 0xc0) != 0x80;
	return n;
}

#define INDENT 4

/* Breaks between words; a word that is longer than a line stays whole: a name cut in two cannot be copied. */
static void add_wrapped(struct pv_buf *out, const char *text, unsigned at, unsigned width)
{
	while (*text) {
		size_t len = strcspn(text, " ");
		unsigned n = columns(text, len);

		if (width && at + n > width && at > INDENT) {
			pv_buf_printf(out, "\n%*s", INDENT, "");
			at = INDENT;
		}
		pv_buf_add(out, text, len);
		at += n;
		text += len;
		if (!*text)
			return;
		pv_buf_putc(out, ' ');
		at++;
		text++;
	}
}

void words_event_line(struct pv_buf *out, const struct notice *n, const struct words_style *style)
{
	pv_autobuf sentence = PV_BUF_INIT, when = PV_BUF_INIT;

	words_sentence(&sentence, n);
	if (n->row)
		pv_buf_printf(&sentence, " [%" PRIu64 "]", n->row);
	clock_local(&when, n->last_us);
	pv_buf_printf(out, "%s  %s%-8s%s  ", pv_buf_str(&when), words_colour(n->severity, style),
		      severity_name(n->severity), words_plain(style));
	add_wrapped(out, pv_buf_str(&sentence), (unsigned) when.len + 12, style ? style->width : 0);
	pv_buf_putc(out, '\n');
	if (n->next[0] && n->severity >= SEV_MEDIUM) {
		pv_buf_printf(out, "%*s", INDENT, "");
		pv_buf_safe(out, n->next, 0);
		pv_buf_putc(out, '\n');
	}
}

void words_digest(struct pv_buf *out, uint64_t n, uint64_t first_us, uint64_t last_us,
		  const uint64_t by_severity[SEV_N])
{
	bool first = true;

	pv_buf_printf(out, "%" PRIu64 " notices from ", n);
	clock_local(out, first_us);
	pv_buf_puts(out, " to ");
	clock_local(out, last_us);
	for (int s = SEV_N - 1; s >= 0; s--)
		if (by_severity[s]) {
			pv_buf_printf(out, "%s%" PRIu64 " %s", first ? ": " : ", ", by_severity[s],
				      severity_name((enum severity) s));
			first = false;
		}
}

/* From tenths: one decimal below ten, and none that is a zero. */
static void add_rounded(struct pv_buf *out, uint64_t tenths, const char *unit)
{
	if (tenths < 100 && tenths % 10)
		pv_buf_printf(out, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10, unit);
	else
		pv_buf_printf(out, "%" PRIu64 " %s", (tenths + 5) / 10, unit);
}

void words_bytes(struct pv_buf *out, uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	uint64_t whole = bytes, tenths;
	unsigned shift = 0, i = 0;

	if (bytes < 1024) {
		pv_buf_printf(out, "%" PRIu64 " B", bytes);
		return;
	}
	while (whole >= 1024 && i + 1 < N_ELEMENTS(units)) {
		whole >>= 10;
		shift += 10;
		i++;
	}
	/* in tenths of the unit, from 1/1024 parts so that nothing overflows */
	tenths = whole * 10 + (((bytes >> (shift - 10)) & 1023) * 10 + 512) / 1024;
	if (tenths >= 10235 && i + 1 < N_ELEMENTS(units)) {
		tenths = 10;
		i++;
	}
	add_rounded(out, tenths, units[i]);
}

void words_percent(struct pv_buf *out, uint64_t permyriad)
{
	uint64_t tenths = permyriad / 10 + (permyriad % 10 >= 5);

	if (tenths % 10)
		pv_buf_printf(out, "%" PRIu64 ".%" PRIu64 " %%", tenths / 10, tenths % 10);
	else
		pv_buf_printf(out, "%" PRIu64 " %%", tenths / 10);
}

void words_bar(struct pv_buf *out, uint64_t value, uint64_t limit, unsigned width)
{
	/* by long double: value * width may not fit in 64 bits */
	unsigned full = !limit		  ? 0
			: value >= limit ? width
					 : (unsigned) ((long double) value * width / (long double) limit);

	for (unsigned i = 0; i < width; i++)
		pv_buf_putc(out, i < full ? '#' : '-');
}

void words_shell(struct pv_buf *out, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+=,";

	if (*word && strspn(word, plain) == strlen(word)) {
		pv_buf_puts(out, word);
		return;
	}
	pv_buf_putc(out, '\'');
	for (; *word; word++)
		if (*word == '\'')
			pv_buf_puts(out, "'\\''");
		else
			pv_buf_putc(out, *word);
	pv_buf_putc(out, '\'');
}

/* words.h - notices and states as people read them. Everything from outside is escaped here. */
#ifndef PV_REPORT_WORDS_H
#define PV_REPORT_WORDS_H

#include "base/buf.h"
#include "model/notice.h"

struct words_style {
	bool colour; /* ANSI colours */
	unsigned width; /* columns; 0: do not wrap */
};

/* `shop/web asked for pool.hashvault.pro (mining pool name) 14 times; refused`: subject, what, how often, what was
 * done. What the guard says about itself has no subject and nothing done. */
void words_sentence(struct pv_buf *out, const struct notice *n);
/* `refused`, `would have been killed (observe)`; "" where there is nothing to say. */
const char *words_done(const struct notice *n);
/* One line of `pavise events`, with its newline: local time, severity, sentence, wrapped to the width, and in brackets the
 * row (once there is one), which `events show` takes; the next command on a line of its own when it is one that the owner
 * will want (from severity medium on). */
void words_event_line(struct pv_buf *out, const struct notice *n, const struct words_style *style);
/* `27 notices from 2026-11-21 03:10:00 +0000 to …: 1 critical, 26 high` */
void words_digest(struct pv_buf *out, uint64_t n, uint64_t first_us, uint64_t last_us,
		  const uint64_t by_severity[SEV_N]);

/* `312 MiB`, `1.4 GiB`; `83.2 %` */
void words_bytes(struct pv_buf *out, uint64_t bytes);
void words_percent(struct pv_buf *out, uint64_t permyriad);
/* `#####-----` of `width` characters for value/limit (no limit: 0). */
void words_bar(struct pv_buf *out, uint64_t value, uint64_t limit, unsigned width);
/* ANSI codes around a word of that severity; "" both without colour. */
const char *words_colour(enum severity s, const struct words_style *style);
const char *words_plain(const struct words_style *style);

/* One word of a shell command, in single quotes when it needs them. */
void words_shell(struct pv_buf *out, const char *word);

#endif

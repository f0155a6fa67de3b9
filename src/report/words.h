/* words.h - notices and states as people read them. Everything from outside is escaped here. */
#ifndef PV_REPORT_WORDS_H
#define PV_REPORT_WORDS_H

#include "base/buf.h"
#include "model/notice.h"

struct words_style {
	bool colour; /* ANSI colours */
	unsigned width; /* columns; 0: do not wrap or cut */
};

/* `shop/web asked for pool.hashvault.pro (mining pool name) 14 times; refused` */
void words_sentence(struct pv_buf *out, const struct notice *n);
/* One line of `pavise events`: time, severity, sentence; the next command on a line of its own when it is one
 * that the owner will want. */
void words_event_line(struct pv_buf *out, const struct notice *n, const struct words_style *style);
/* `312 MiB`, `1.4 GiB`; `83.2 %` */
void words_bytes(struct pv_buf *out, uint64_t bytes);
void words_percent(struct pv_buf *out, uint64_t permyriad);
/* `#####-----` of `width` characters for value/limit (no limit: 0). */
void words_bar(struct pv_buf *out, uint64_t value, uint64_t limit, unsigned width);

#endif

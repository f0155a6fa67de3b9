/* buf.h - a growing text buffer with a cap. Once something did not fit, `cut` is set, further
 * appends are ignored and the text stays a valid, NUL-terminated prefix. Nothing here fails halfway:
 * callers append freely and look at `cut` once. */
#ifndef PV_BASE_BUF_H
#define PV_BASE_BUF_H

#include "base/util.h"

struct pv_buf {
	char *data; /* NUL-terminated once anything was appended; NULL before */
	size_t len; /* without the NUL */
	size_t room;
	size_t cap; /* largest len; 0 means PV_BUF_CAP */
	bool cut;   /* something was left out (cap or memory) */
};

#define PV_BUF_CAP (16u << 20)
#define PV_BUF_INIT                                                                                \
	(struct pv_buf)                                                                            \
	{                                                                                          \
		.data = NULL                                                                       \
	}
#define pv_autobuf __attribute__((cleanup(pv_buf_done))) struct pv_buf

void pv_buf_done(struct pv_buf *b);  /* frees and resets; keeps cap */
void pv_buf_clear(struct pv_buf *b); /* empties, keeps the memory */
const char *pv_buf_str(const struct pv_buf *b); /* "" when empty, never NULL */
void pv_buf_add(struct pv_buf *b, const void *data, size_t len);
void pv_buf_puts(struct pv_buf *b, const char *s);
void pv_buf_putc(struct pv_buf *b, char c);
void pv_buf_printf(struct pv_buf *b, const char *fmt, ...) PV_PRINTF(2, 3);

/* Appends `s` as a JSON string with its quotes. Control characters, invalid UTF-8 bytes and the
 * bidirectional overrides are escaped; the result is always valid JSON in UTF-8. */
void pv_buf_json_str(struct pv_buf *b, const char *s);
void pv_buf_json_strn(struct pv_buf *b, const char *s, size_t len);

/* Appends `s` so that a terminal prints it and does nothing else: control characters (C0, C1, DEL),
 * invalid UTF-8 and bidirectional overrides appear as \xNN. At most `max` bytes of `s` (0: all). */
void pv_buf_safe(struct pv_buf *b, const char *s, size_t max);

#endif

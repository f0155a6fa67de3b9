/* json.h - values out of one JSON object (RFC 8259) by their keys, without building anything: for lines of logs. */
#ifndef PV_LOGS_JSON_H
#define PV_LOGS_JSON_H

#include "base/buf.h"

#define JSON_DEPTH 24

struct json_value {
	const char *raw; /* in the text; NULL: the key is absent. A string without its quotes */
	size_t len;
	bool string;
};

/* The values of `n` keys (`a.b`: b in a; a list stands for its first element, one of strings for all of them, as it is written:
 * x","y). The text must be one whole object. -EINVAL: it is not. The first of equal keys counts. */
int json_values(const char *text, size_t len, const char *const *keys, size_t n, struct json_value *ret);

/* Appends a string's bytes with its escapes decoded (never more than its raw length); a lone surrogate becomes U+FFFD. */
void json_decode(struct pv_buf *out, const struct json_value *v);

#endif

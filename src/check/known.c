#include "check/known.h"

#include <sodium/crypto_generichash.h>
#include <string.h>

#include "check/ask.h"

int known_since(struct audit *a, const char *kind, const char *what, struct known_at *ret)
{
	unsigned char sum[16];
	pv_autobuf ask = PV_BUF_INIT, text = PV_BUF_INIT;
	char *end;
	int r;

	if (a->saved)
		return -ENOENT;
	(void) crypto_generichash(sum, sizeof(sum), (const unsigned char *) what, strlen(what), NULL, 0);
	pv_buf_printf(&ask, "%s ", kind);
	for (size_t i = 0; i < sizeof(sum); i++)
		pv_buf_printf(&ask, "%02x", sum[i]);
	r = audit_ask(a->sock, AUDIT_KNOWN, 0, pv_buf_str(&ask), 128, &text);
	if (r < 0)
		return r;
	ret->first_us = strtoull(pv_buf_str(&text), &end, 10);
	ret->since_us = strtoull(end, &end, 10);
	return ret->first_us && ret->since_us && *end == '\n' ? 0 : -EBADMSG;
}

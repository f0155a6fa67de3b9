/* Any bytes are a certificate, as DER or PEM: read within their lengths, or refused; names are whole and short. */
#include <assert.h>
#include <string.h>

#include "check/x509.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(const struct x509 *c)
{
	assert(c->issuer && c->n_names <= X509_NAMES);
	for (size_t i = 0; i < c->n_names; i++)
		assert(*c->name[i] && strlen(c->name[i]) <= X509_NAME);
	if (c->n_names)
		assert(x509_covers(c, c->name[0]) || c->name[0][0] == '*' || c->name[0][0] == '.');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena a = { 0 };
	struct x509 c;

	a.cap = 8 << 20;
	if (x509_read_der(&a, data, size, &c) == 0)
		look(&c);
	if (x509_read_pem(&a, (const char *) data, size, &c) == 0)
		look(&c);
	return 0;
}

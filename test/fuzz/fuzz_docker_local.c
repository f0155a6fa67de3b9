/* A file of Docker's local driver, read in two parts that meet anywhere: never more than is there is called whole, every line lies within its
 * bounds, and the parts give what the whole gives. Input: two bytes of where the parts meet, the file. */
#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "sense/docker_local.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int keep(const struct docker_line *l, void *arg)
{
	assert(l->len <= LOG_LINE_MAX);
	pv_buf_add(arg, l->text, l->len);
	pv_buf_putc(arg, '\n');
	return 0;
}

/* Returns what was used; SIZE_MAX: no such file. */
static size_t feed(const char *p, size_t len, struct pv_buf *out)
{
	size_t whole = tail_docker_local.whole(p, len);

	if (whole == SIZE_MAX)
		return whole;
	assert(whole <= len);
	assert(docker_local_each(p, whole, keep, out) == 0);
	return whole;
}

/* Something in it is no frame: where the parts meet decides how much before it is given. */
static bool is_broken(const char *p, size_t len)
{
	size_t whole;

	while ((whole = tail_docker_local.whole(p, len)) && whole != SIZE_MAX) {
		p += whole;
		len -= whole;
	}
	return whole == SIZE_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	pv_autobuf parts = PV_BUF_INIT, once = PV_BUF_INIT;
	size_t meet, used, rest;
	const char *p;

	if (size < 2)
		return 0;
	meet = (size_t) (data[0] << 8 | data[1]);
	p = (const char *) data + 2;
	size -= 2;
	if (meet > size || size > 20000) /* beyond, an endless line is given in parts */
		return 0;
	if (is_broken(p, size)) {
		(void) feed(p, size, &once);
		return 0;
	}
	used = feed(p, meet, &parts);
	if (used == SIZE_MAX)
		return 0;
	rest = feed(p + used, size - used, &parts);
	if (feed(p, size, &once) == SIZE_MAX || rest == SIZE_MAX)
		return 0;
	assert(parts.len == once.len && (!once.len || memcmp(parts.data, once.data, once.len) == 0));
	return 0;
}

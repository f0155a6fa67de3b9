/* A packed list says the same however it is cut into pieces, hands on no more bytes than it may, and only whole lines. */
#include <assert.h>
#include <string.h>

#include "check/packed.h"

#define MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct told {
	uint64_t sum;
	size_t bytes;
};

static int tell(const char *line, size_t len, void *user)
{
	struct told *t = user;

	assert(len <= LINE_READER_MAX && line[len] == '\0' && !memchr(line, '\n', len));
	t->bytes += len;
	for (size_t i = 0; i < len; i++)
		t->sum = t->sum * 31 + (unsigned char) line[i];
	t->sum = t->sum * 31 + 256;
	return 0;
}

static int unpack(const char *name, const char *s, size_t len, size_t step, struct told *t)
{
	struct packed *p = NULL;
	int r = packed_new(name, MAX, tell, t, &p);

	assert(r == 0);
	for (size_t i = 0; i < len && r == 0; i += step)
		r = packed_add(p, s + i, PV_MIN(step, len - i));
	if (r == 0)
		r = packed_end(p);
	(void) packed_free(p);
	assert(r == 0 || r == -EBADMSG || r == -EFBIG);
	assert(t->bytes <= MAX);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { ".gz", ".lz4", ".zst", "" };
	struct told whole = { 0 }, pieces = { 0 };
	const char *name;
	int r;

	if (!size)
		return 0;
	name = names[data[0] % N_ELEMENTS(names)];
	r = unpack(name, (const char *) data + 1, size - 1, size, &whole);
	if (unpack(name, (const char *) data + 1, size - 1, 1 + data[0] / 4, &pieces) == 0 || r == 0)
		assert(r == 0 && whole.sum == pieces.sum && whole.bytes == pieces.bytes);
	return 0;
}

/* A hostile archive: it ends, hands out no more than its limits allow, and every byte handed out can be read. */
#include <assert.h>
#include <string.h>

#include "scan/archive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct got {
	size_t bytes, members;
	unsigned sum;
};

static int on_member(const struct archive_member *m, void *user)
{
	struct got *g = user;

	assert(strlen(m->path) < 4096);
	assert(m->len && !archive_is(m->text, m->len));
	for (size_t i = 0; i < m->len; i += 1 + m->len / 64)
		g->sum += (unsigned char) m->text[i];
	g->sum += (unsigned char) m->text[m->len - 1];
	g->bytes += m->len;
	return ++g->members > ARCHIVE_MEMBERS;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *) data;
	struct scan_notes notes;
	struct got g = { 0, 0, 0 };

	if (!archive_is(text, size))
		return 0;
	scan_notes_init(&notes);
	(void) archive_each(text, size, "fuzz", &notes, on_member, &g);
	scan_notes_done(&notes);
	/* What is stored or stands in a tar is handed out as it lies there, once in each of the three levels. */
	assert(g.members <= ARCHIVE_MEMBERS);
	assert(g.bytes <= 3 * (PV_MAX(size * ARCHIVE_RATIO, (size_t) ARCHIVE_RATIO_FREE) + size));
	return 0;
}

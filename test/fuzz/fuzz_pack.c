/* A pack and its index out of nothing good: every object is either built with the length its header says, or refused, in
 * bounded memory. Input: two bytes of index length, the index, the pack; fields that are looked at first are mended, so
 * that the fuzzer gets past them. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "scan/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mend(uint8_t *idx, size_t idx_len, uint8_t *pack, size_t len)
{
	if (idx_len < 1072 || len < 32)
		return;
	memcpy(pack, "PACK\0\0\0\2", 8);
	memcpy(pack + 8, idx + 8 + 4 * 255, 4);
	memcpy(idx, "\377tOc\0\0\0\2", 8);
	memcpy(idx + idx_len - 40, pack + len - 20, 20);
}

static void get_all(struct pack *p)
{
	struct pack_inflater *f = NULL;

	if (pack_inflater_new(&f) < 0)
		return;
	for (uint32_t seq = 0; seq < p->n && seq < 64; seq++) {
		struct pack_header h;
		enum git_type type;
		uint8_t *out = NULL;
		size_t len;

		if (pack_header(p, seq, true, &h) == 0)
			assert(h.start + h.room <= p->data_len && (h.base == PACK_NONE || h.base < p->n));
		if (pack_get(f, p, seq, &type, &out, &len) < 0)
			continue;
		assert(len <= GIT_BLOB_MAX && out[len] == '\0');
		free(out);
	}
	(void) pack_inflater_free(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t idx_len = size >= 2 ? (size_t) data[0] << 8 | data[1] : 0;
	uint8_t *idx, *pack;
	struct pack *p = NULL;
	uint32_t pos;

	if (size < 2 + idx_len)
		return 0;
	idx = malloc(idx_len + 1);
	pack = malloc(size - 2 - idx_len + 1);
	if (idx && pack) {
		memcpy(idx, data + 2, idx_len);
		memcpy(pack, data + 2 + idx_len, size - 2 - idx_len);
		mend(idx, idx_len, pack, size - 2 - idx_len);
		if (pack_from_memory(pack, size - 2 - idx_len, idx, idx_len, 20, &p) == 0 && pack_index(p) == 0) {
			get_all(p);
			for (uint32_t i = 0; i < p->n && i < 64; i++)
				if (pack_find(p, pack_id(p, i), &pos))
					assert(pos < p->n && memcmp(pack_id(p, pos), pack_id(p, i), 20) == 0);
		}
	}
	(void) pack_free(p);
	free(idx);
	free(pack);
	return 0;
}

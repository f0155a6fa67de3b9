#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>

#include "sense/ring.h"

struct ring {
	size_t size, page;
	unsigned long *consumer;       /* ours to write */
	const unsigned long *producer; /* the kernel's; the data follow it, mapped twice, so that no record wraps */
	const uint8_t *data;
};

int ring_new(int fd, size_t size, struct ring **ret)
{
	struct ring *r;
	void *consumer, *producer;
	size_t page = (size_t) sysconf(_SC_PAGESIZE);

	if (size == 0 || (size & (size - 1)) || size % page)
		return -EINVAL;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (consumer == MAP_FAILED) {
		free(r);
		return -errno;
	}
	producer = mmap(NULL, page + 2 * size, PROT_READ, MAP_SHARED, fd, (off_t) page);
	if (producer == MAP_FAILED) {
		int saved = errno;

		(void) munmap(consumer, page);
		free(r);
		return -saved;
	}
	r->size = size;
	r->page = page;
	r->consumer = consumer;
	r->producer = producer;
	r->data = (const uint8_t *) producer + page;
	*ret = r;
	return 0;
}

struct ring *ring_free(struct ring *r)
{
	if (!r)
		return NULL;
	(void) munmap(r->consumer, r->page);
	(void) munmap((void *) (uintptr_t) r->producer, r->page + 2 * r->size);
	free(r);
	return NULL;
}

static bool record_is_good(const struct event_head *e, size_t len)
{
	return len >= sizeof(*e) && e->size == len;
}

size_t ring_drain(struct ring *r, size_t max, void (*fn)(const struct event_head *e, void *arg), void *arg, size_t *ret_bad)
{
	unsigned long at = __atomic_load_n(r->consumer, __ATOMIC_ACQUIRE);
	size_t n = 0, bad = 0;

	while (n < max && at < __atomic_load_n(r->producer, __ATOMIC_ACQUIRE)) {
		const uint8_t *record = r->data + (at & (r->size - 1));
		uint32_t head = __atomic_load_n((const uint32_t *) (const void *) record, __ATOMIC_ACQUIRE);
		size_t len = head & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
		const struct event_head *e = (const void *) (record + BPF_RINGBUF_HDR_SZ);

		if (head & BPF_RINGBUF_BUSY_BIT)
			break; /* still being written; those behind it wait, too */
		if (!(head & BPF_RINGBUF_DISCARD_BIT)) {
			if (len <= r->size && record_is_good(e, len)) {
				fn(e, arg);
				n++;
			} else {
				bad++;
			}
		}
		at += (len + BPF_RINGBUF_HDR_SZ + 7) & ~(size_t) 7;
		/* a full barrier: the kernel wakes us only for a record that it finds us waiting for */
		__atomic_store_n(r->consumer, at, __ATOMIC_SEQ_CST);
	}
	if (ret_bad)
		*ret_bad = bad;
	return n;
}

int counters_map(int fd, const uint64_t **ret)
{
	void *p = mmap(NULL, PV_COUNTERS * sizeof(uint64_t), PROT_READ, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	*ret = p;
	return 0;
}

void counters_unmap(const uint64_t *counters)
{
	if (counters)
		(void) munmap((void *) (uintptr_t) counters, PV_COUNTERS * sizeof(uint64_t));
}

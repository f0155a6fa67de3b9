/* ring.h - reads a BPF ring buffer without bpf(2): plain mmap of the map (kernel 5.8 or later, layout of
 * include/uapi/linux/bpf.h: consumer page, producer page, data mapped twice). Kernels before about 5.19
 * refuse bpf(2) to the unprivileged, so libbpf's ring_buffer__new() is no choice here. */
#ifndef PV_SENSE_RING_H
#define PV_SENSE_RING_H

#include "base/util.h"
#include "bpf/event.h"

struct ring;

/* `fd` is the ring's map (borrowed: it must stay open for epoll), `size` its max_entries in bytes. */
int ring_new(int fd, size_t size, struct ring **ret);
struct ring *ring_free(struct ring *r);
PV_AUTO(ring)

/* Calls `fn` for each whole record, at most `max` of them; a record shorter than its event_head or whose
 * head.size disagrees is counted in *ret_bad and skipped. Returns how many were delivered. The record lies
 * in the ring and must be copied to be kept. */
size_t ring_drain(struct ring *r, size_t max, void (*fn)(const struct event_head *e, void *arg), void *arg,
		  size_t *ret_bad);

/* The counters: a BPF_F_MMAPABLE array of u64 (bpf/event.h, PV_COUNTERS). Read-only mapping. */
int counters_map(int fd, const uint64_t **ret);
void counters_unmap(const uint64_t *counters);

#endif

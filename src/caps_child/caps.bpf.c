/* Which capabilities a cgroup's processes were granted: one map, cgroup -> bits. Loaded by `pavise audit --watch` for as long as
 * it watches, never by the guard: the kernel asks cap_capable() on every fork. */
#include "bpf/kernel.h"

#include <bpf/bpf_helpers.h>

#define CAPS_CGROUPS   16384
#define OPT_NOAUDIT    2ull /* CAP_OPT_NOAUDIT: asked on the way to something else, such as how much memory may be promised */
#define RUNTIME_PREFIX 0x3a636e7572ull /* "runc:", as the first five bytes of a name */

struct {
	__uint(type, BPF_MAP_TYPE_HASH); /* not LRU: what is lost must be known */
	__uint(max_entries, CAPS_CGROUPS);
	__type(key, __u64);
	__type(value, __u64);
} caps SEC(".maps");

__u64 lost; /* cgroups that found no room */

/* The runtime itself, on its way to the container's program: it is in the container's cgroup already. */
static __always_inline bool is_runtime(void)
{
	union {
		char text[16];
		__u64 word;
	} comm = { .word = 0 };

	if (bpf_get_current_comm(comm.text, sizeof(comm.text)) < 0)
		return false;
	return (comm.word & 0xffffffffffull) == RUNTIME_PREFIX || (comm.word & 0xffffffffffull) == 0x6e757263 /* "crun" */ ||
	       (comm.word & 0xffffffffffull) == 0x636e7572 /* "runc" */;
}

static __always_inline int granted(__u64 cap)
{
	__u64 bit, cgroup = bpf_get_current_cgroup_id(), *seen;

	if (cap > 63)
		return 0;
	bit = 1ull << cap;
	seen = bpf_map_lookup_elem(&caps, &cgroup);
	if ((seen && *seen & bit) || is_runtime())
		return 0;
	if (seen)
		__sync_fetch_and_or(seen, bit);
	else if (bpf_map_update_elem(&caps, &cgroup, &bit, BPF_ANY) < 0)
		__sync_fetch_and_add(&lost, 1);
	return 0;
}

/* Since 6.15: const struct cred *, struct user_namespace *target, *capable, int cap, int ret */
SEC("tp_btf/cap_capable")
int pv_caps_told(unsigned long long *ctx)
{
	return (__s32) ctx[4] == 0 ? granted(ctx[3] & 0xffffffff) : 0;
}

/* Before: int cap_capable(const struct cred *, struct user_namespace *, int cap, unsigned int opts), since 5.1 */
SEC("fexit/cap_capable")
int pv_caps_left(unsigned long long *ctx)
{
	return (__s32) ctx[4] == 0 && !(ctx[3] & OPT_NOAUDIT) ? granted(ctx[2] & 0xffffffff) : 0;
}

char LICENSE[] SEC("license") = "GPL";

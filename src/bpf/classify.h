/* classify.h - the class of a cgroup by its own name and its parent's class. One source for the kernel (cgroup_mkdir,
 * before any task can enter) and for user space (the walk at start, names of workloads).
 *
 *   64 hex digits, also as docker-HEX.scope, libpod-HEX, cri-containerd-HEX, crio-HEX   container, wherever it lies
 *   libpod-payload-HEX                     container (podman's split cgroups: below the unit that started it)
 *   anything below a container             container: what runs inside names its cgroups as it likes
 *   buildkit, buildkit-*, buildah-*        image build
 *   session-*.scope, user@*.service        session, and what lies below, containers apart
 *   ssh.service, docker.service ...        protected, and what lies below, containers and builds apart
 *   other *.service                        unit, and what lies below, containers and builds apart
 *   anything else                          as its parent; none below the root and below slices */
#ifndef PV_BPF_CLASSIFY_H
#define PV_BPF_CLASSIFY_H

#include "bpf/event.h"

#define CLASSIFY_NAME 128 /* a longer name is cut here; none of ours is */
#define CLASSIFY_HEX  64

#ifdef __bpf__ /* unrolled, a literal is code; else it would be a map of its own */
#define CLASSIFY_UNROLL _Pragma("unroll")
#else
#define CLASSIFY_UNROLL
#endif

/* `name` is a buffer of CLASSIFY_NAME bytes, zero padded. No early end: what differs is gathered, which unrolls. */
#define CLASSIFY_SAME(name, literal, n)                                                            \
	__extension__({                                                                            \
		__u8 differs_ = 0;                                                                 \
		CLASSIFY_UNROLL for (__u32 i_ = 0; i_ < (n); i_++)                                 \
			differs_ |= (__u8) (name)[i_] ^ (__u8) (literal)[i_];                      \
		differs_ == 0;                                                                     \
	})
#define CLASSIFY_STARTS(name, literal) CLASSIFY_SAME(name, literal, sizeof(literal) - 1)
#define CLASSIFY_IS(name, literal)     CLASSIFY_SAME(name, literal, sizeof(literal))
#define CLASSIFY_ENDS(name, len, literal)                                                          \
	((len) >= sizeof(literal) - 1 && (len) < CLASSIFY_NAME &&                                  \
	 CLASSIFY_SAME((name) + (((len) - (sizeof(literal) - 1)) & (CLASSIFY_NAME - 1)), literal, sizeof(literal) - 1))

/* Where the container's 64 hex digits begin; negative: it is no container's name. */
static inline __attribute__((always_inline)) int classify_hex_at(const char *name, __u32 len)
{
	__u32 at = 0, end;

	if (CLASSIFY_STARTS(name, "docker-"))
		at = 7;
	else if (CLASSIFY_STARTS(name, "libpod-payload-"))
		at = 15;
	else if (CLASSIFY_STARTS(name, "libpod-"))
		at = 7;
	else if (CLASSIFY_STARTS(name, "cri-containerd-"))
		at = 15;
	else if (CLASSIFY_STARTS(name, "crio-"))
		at = 5;
	end = at + CLASSIFY_HEX;
	if (len != end && !(len == end + 6 && CLASSIFY_ENDS(name, len, ".scope")))
		return -1;
	for (__u32 i = 0; i < CLASSIFY_HEX; i++) {
		char c = name[(at + i) & (CLASSIFY_NAME - 1)];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return -1;
	}
	return (int) at;
}

static inline __attribute__((always_inline)) int classify_is_protected(const char *name, __u32 len)
{
	if (CLASSIFY_IS(name, "init.scope"))
		return 1;
	if (CLASSIFY_STARTS(name, "libpod-conmon-") || CLASSIFY_STARTS(name, "crio-conmon-"))
		return 1;
	if (!CLASSIFY_ENDS(name, len, ".service"))
		return 0;
	if (CLASSIFY_STARTS(name, "systemd-")) /* but what systemd-nspawn runs is somebody's container */
		return !CLASSIFY_STARTS(name, "systemd-nspawn@");
	return CLASSIFY_IS(name, "ssh.service") || CLASSIFY_IS(name, "sshd.service") || CLASSIFY_STARTS(name, "ssh@") ||
	       CLASSIFY_STARTS(name, "sshd@") || CLASSIFY_IS(name, "docker.service") ||
	       CLASSIFY_IS(name, "containerd.service") || CLASSIFY_STARTS(name, "podman") ||
	       CLASSIFY_IS(name, "crio.service") || CLASSIFY_STARTS(name, "pavise") ||
	       CLASSIFY_IS(name, "dbus.service") || CLASSIFY_IS(name, "dbus-broker.service");
}

static inline __attribute__((always_inline)) __u8 classify_name(const char *name, __u32 len, __u8 parent)
{
	if (parent == PV_CLASS_CONTAINER || parent == PV_CLASS_BUILD)
		return parent;
	if (classify_hex_at(name, len) >= 0)
		return PV_CLASS_CONTAINER;
	if (CLASSIFY_IS(name, "buildkit") || CLASSIFY_STARTS(name, "buildkit-") || CLASSIFY_STARTS(name, "buildah-"))
		return PV_CLASS_BUILD;
	if (parent == PV_CLASS_UNIT || parent == PV_CLASS_SESSION || parent == PV_CLASS_PROTECTED)
		return parent;
	if (CLASSIFY_STARTS(name, "session-") && CLASSIFY_ENDS(name, len, ".scope"))
		return PV_CLASS_SESSION;
	if (CLASSIFY_STARTS(name, "user@") && CLASSIFY_ENDS(name, len, ".service"))
		return PV_CLASS_SESSION;
	if (classify_is_protected(name, len))
		return PV_CLASS_PROTECTED;
	if (CLASSIFY_ENDS(name, len, ".service"))
		return PV_CLASS_UNIT;
	return PV_CLASS_NONE;
}

/* Whether a cgroup of this class begins a workload of its own below a parent of that class. */
static inline __attribute__((always_inline)) int classify_is_top(__u8 class_, __u8 parent)
{
	return class_ != parent && class_ != PV_CLASS_NONE && class_ != PV_CLASS_TOP;
}

#endif

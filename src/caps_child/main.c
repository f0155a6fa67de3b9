/* pavise-caps SECONDS: watches which capabilities each cgroup is granted, for `pavise audit --watch`. It attaches one program to
 * the kernel, gives up all rights but reading its own map (CAP_BPF), says "ready" on standard output, waits, and writes to
 * descriptor 3: a line `since MICROSECONDS` (CLOCK_BOOTTIME, when it began), then a line `CGROUP BITS` for each, in hex, then `end`.
 * Exit status: 0; 1: the kernel cannot show it, or not all of it (said). */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/io.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "base/text.h"
#include "caps_child/caps.skel.h"

#define NOBODY	    65534
#define SECONDS_MAX 3600
#define OUT	    3

static int quiet(enum libbpf_print_level level, const char *fmt, va_list args)
{
	(void) level;
	(void) fmt;
	(void) args;
	return 0;
}

/* By the tracepoint, or by the function's end where there is none. NULL: neither; errno says why. */
static struct caps_bpf *load(bool told)
{
	struct caps_bpf *skel = caps_bpf__open();
	int e;

	if (!skel)
		return NULL;
	(void) bpf_program__set_autoload(skel->progs.pv_caps_told, told);
	(void) bpf_program__set_autoload(skel->progs.pv_caps_left, !told);
	if (caps_bpf__load(skel) == 0 && caps_bpf__attach(skel) == 0)
		return skel;
	e = errno;
	caps_bpf__destroy(skel);
	errno = e;
	return NULL;
}

static uint64_t boot_us(void)
{
	struct timespec t;

	(void) clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t) t.tv_sec * 1000000 + (uint64_t) t.tv_nsec / 1000;
}

static int confine(void)
{
	static const char *const calls[] = {
		"bpf",	      "write",	      "clock_nanosleep", "nanosleep", "clock_gettime", "exit",
		"exit_group", "rt_sigreturn", "restart_syscall", "close",     "munmap",	       "mmap",
		"brk",	      "fstat",	      "newfstatat",	 "futex",     "mremap"
	};
	int r = sandbox_become(NOBODY, NOBODY, 1ULL << CAP_BPF);

	return r < 0 ? r : sandbox_syscalls(calls, N_ELEMENTS(calls));
}

static int write_seen(int map, uint64_t since)
{
	pv_autobuf out = PV_BUF_INIT;
	uint64_t key, bits;
	bool more = bpf_map_get_next_key(map, NULL, &key) == 0;

	pv_buf_printf(&out, "since %" PRIu64 "\n", since);
	while (more) {
		if (bpf_map_lookup_elem(map, &key, &bits) == 0)
			pv_buf_printf(&out, "%" PRIx64 " %" PRIx64 "\n", key, bits);
		more = bpf_map_get_next_key(map, &key, &key) == 0;
	}
	pv_buf_puts(&out, "end\n");
	return out.cut ? -ENOMEM : pv_write_all(OUT, pv_buf_str(&out), out.len);
}

int main(int argc, char **argv)
{
	struct caps_bpf *skel;
	uint32_t seconds;
	uint64_t since;
	int r;

	log_open("pavise-caps");
	if (argc != 2 || parse_u32(argv[1], &seconds) < 0 || seconds < 1 || seconds > SECONDS_MAX) {
		log_error("wrong arguments; it is started by pavise audit");
		return 1;
	}
	(void) libbpf_set_print(quiet);
	r = sandbox_basics();
	skel = r == 0 ? load(true) : NULL;
	if (r == 0 && !skel)
		skel = load(false);
	if (!skel) {
		(void) log_error("this kernel cannot show which capabilities are used: %s", strerror(errno));
		return 1;
	}
	since = boot_us();
	r = confine();
	if (r < 0)
		return (void) log_error_errno(r, "cannot give up its rights"), 1;
	if (write(STDOUT_FILENO, "ready\n", 6) != 6)
		return 1;
	while (boot_us() < since + (uint64_t) seconds * 1000000) {
		const struct timespec nap = { .tv_nsec = 100000000 };

		(void) nanosleep(&nap, NULL);
	}
	if (skel->bss->lost)
		return log_error("more cgroups came than can be kept apart: what was seen is not whole"), 1;
	r = write_seen(bpf_map__fd(skel->maps.caps), since);
	return r < 0 ? (void) log_error_errno(r, "cannot say what was seen"), 1 : 0;
}

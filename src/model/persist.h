/* persist.h - the places on a host in which something stays for good: what runs at a time, at start, at a login, and who may log
 * in. Shared by the broker, which watches and opens them, and the engine, which names them by number and says what came. */
#ifndef PV_MODEL_PERSIST_H
#define PV_MODEL_PERSIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum persist_kind { PERSIST_CRON, PERSIST_UNIT, PERSIST_KEYS, PERSIST_PRELOAD, PERSIST_SHELL, PERSIST_START, PERSIST_N };

struct persist_place {
	const char *folder; /* absolute; a `*` stands for one name as a whole */
	const char *names;  /* of files in it: globs, blanks between */
	enum persist_kind kind;
};

extern const struct persist_place persist_places[];
extern const size_t persist_n_places;

const char *persist_kind_text(enum persist_kind k); /* "a unit of systemd's" */
/* Is `name` one of the place's? Names with a slash, and those of editors' and package managers' own copies, never are. */
bool persist_takes(const struct persist_place *p, const char *name);

/* ---- what the broker answers (broker_proto.h), in memfds ---- */

#define PERSIST_FOLDERS 512 /* watched at once */
#define PERSIST_HANDLE	64  /* octets of a file handle; 128 is the kernel's bound, no file system that we met uses half of this */
#define PERSIST_BYTES	65536 /* of a file that are looked at */
#define PERSIST_CHAIN	6

struct persist_folder {
	uint32_t place;
	uint32_t handle_type, handle_len;
	uint32_t fsid[2];
	uint8_t handle[PERSIST_HANDLE];
	char path[236];
};
_Static_assert(sizeof(struct persist_folder) == 320, "broker protocol");

#define PERSIST_LINK 1 /* a symbolic link */
#define PERSIST_ODD  2 /* no regular file, or one with several names */

/* The head of what BROKER_PERSIST_LOOK gives; the file's first octets follow. */
struct persist_look {
	uint32_t size;	  /* octets that follow */
	uint32_t cut;	  /* the file goes on */
	uint32_t n_chain; /* 0: who wrote is gone, or was not asked for */
	uint32_t odd;	  /* PERSIST_LINK, PERSIST_ODD: it was not opened */
	struct {
		uint32_t pid;
		uint32_t host; /* its mount namespace or its root folder is the host's, and its cgroup no container's */
		char comm[16];
		char exe[104];	/* "": none (a kernel thread, or not readable) */
	} chain[PERSIST_CHAIN]; /* who wrote, its parent ... */
};
_Static_assert(sizeof(struct persist_look) == 16 + PERSIST_CHAIN * 128, "broker protocol");

#endif

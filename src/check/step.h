/* step.h - what `pavise audit --fix` proposes: the reader, which may change nothing, sends one datagram a step to the command
 * that started it; nothing comes back. The command shows each, looks again itself at what it is about to change, and
 * believes none of it: a step names a file by folder, name, device and inode, and says one of a few things to do. Pure
 * layout, shared by both sides. */
#ifndef PV_CHECK_STEP_H
#define PV_CHECK_STEP_H

#include "base/util.h"

enum step_kind {
	STEP_MODE = 1, /* `mode` 0600 of a file, 0700 of a folder */
	STEP_IGNORE,   /* `line` behind the end of `dir`/.gitignore, which is made where inode is 0 */
	STEP_LIMITS,   /* of a running container, live */
	STEP_SSHD,     /* a file in sshd_config.d; guarded */
	STEP_FILE,     /* a file that was written: only in records */
	STEP_LEFT,     /* could be mended, but not by itself: `line` says why */
	STEP_FIREWALL, /* ports in `line` ("5432/tcp 161/udp") closed on the interfaces in `dir`, in the chain `name`; guarded */
};

#define STEP_SSHD_DIR  "/etc/ssh/sshd_config.d"
#define STEP_SSHD_NAME "00-pavise.conf" /* sshd takes the first value that it meets */

#define STEP_CHAIN     "closed_" /* a number follows */

#define STEP_DIR   1024
#define STEP_NAME  256

struct step_limits {
	uint64_t pids, memory, milli_cpus; /* number, bytes, thousandths of a core; 0: none, or left as it is */
};

struct audit_step {
	uint32_t op; /* AUDIT_STEP of check/ask.h */
	uint32_t kind;
	uint32_t id; /* enum id: what it mends */
	uint32_t mode;
	uint32_t engine;     /* 0 Docker, 1 Podman */
	uint32_t root_login; /* STEP_SSHD: 0 no, 1 prohibit-password: somebody needs it */
	uint64_t dev, ino;   /* of the file, when it was judged */
	struct step_limits now, wanted;
	uint32_t pad;
	uint32_t owner; /* uid of the file */
	char dir[STEP_DIR]; /* absolute, without links */
	char name[STEP_NAME];
	char line[STEP_NAME];
	char container[72];      /* its id */
	char subject[STEP_NAME]; /* as findings name it */
};

#endif

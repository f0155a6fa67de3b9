/* lab.h - a world for the programs: own mount namespace with its own bpffs, own network ("inside", 203.0.113.1) with a
 * second one behind a veth ("outside", 203.0.113.2), own cgroup subtree. All of it ends with the process. */
#ifndef PV_TEST_LAB_H
#define PV_TEST_LAB_H

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "broker/kernel.h"
#include "sense/ring.h"

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEX_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define BOX   "docker/" HEX_A

extern char lab_root[256]; /* the watched cgroup */
extern struct policy *lab_policy;
extern struct kernel *lab_kernel;
extern bool lab_nat; /* 127.0.0.11:53 leads somewhere */

void lab_start(void); /* exits with a skip line where the machine cannot do it */
void lab_end(void);
int lab_reopen(void); /* frees and opens the kernel side again */
bool lab_run(const char *line); /* a program and its words, no quotes; whether it went well */

bool lab_add_address(const char *prefix); /* one more of this host; the guard is not told */

/* Cgroups below the watched root; `path` relative. */
uint64_t lab_mkdir(const char *path); /* with parents; its id */
void lab_rmdir(const char *path);
int lab_enter(const char *path); /* moves this process; 0 or negative errno */

/* Runs fn in a child inside that cgroup, in the inside network; what it returns (0-255), or -1 if it died. */
int lab_in(const char *path, int (*fn)(void *), void *arg);

/* Events since the last call. */
struct lab_seen {
	size_t n[EVENT_N_KINDS];
	struct event_net net;	/* the last of each */
	struct event_dns dns;
	struct event_cgroup cgroup;
	struct event_move move;
	struct event_head oom;
	struct event_exec exec, shell;
	uint32_t flags[EVENT_N_KINDS]; /* of the last */
};
const struct lab_seen *lab_events(void);
uint64_t lab_count(int kind, int what);

/* Where to: ADDR_* with a port. */
enum lab_addr { OUT4, OUT6, MAPPED, PRIVATE4, RESOLVER, LOOP4, NATTED4, NATTED6, NATTED_MAPPED };
struct lab_target {
	enum lab_addr addr;
	uint16_t port;
};
socklen_t lab_sockaddr(struct sockaddr_storage *ss, enum lab_addr addr, uint16_t port);
int lab_family(enum lab_addr addr);

size_t lab_question(uint8_t *buf, const char *name); /* a DNS query; its length */

/* ---- results ---- */
void lab_check(bool ok, const char *fmt, ...) PV_PRINTF(2, 3);
void lab_skip(const char *fmt, ...) PV_PRINTF(1, 2);
int lab_summary(void);

/* SYNs that arrived outside since the last call (AF_PACKET), to `port`. */
unsigned lab_syns(uint16_t port);

#endif

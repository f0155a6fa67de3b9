/* launcher.h - what `pavise guard` becomes: root, small, linked to almost nothing. It makes the folders, has the
 * configuration read by an unprivileged child, starts broker, engine and sender with their descriptors (model/roles.h)
 * and starts them again when they die. It parses nothing.
 *
 *   main.c     options, the loop, reload, deaths, the end
 *   places.c   users, folders, the control socket
 *   spawn.c    fork, drop, exec
 *   child.c    the policy child; the secrets' memfd; the rules for logs
 *   shots.c    programs that run for one job: pavise-swarm, pavise-collector
 *   service.c  sd_notify(3) without its library
 *   restart.c  how long to wait
 */
#ifndef PV_LAUNCHER_LAUNCHER_H
#define PV_LAUNCHER_LAUNCHER_H

#include <sys/types.h>

#include "base/buf.h"
#include "launcher/restart.h"
#include "model/policy.h"
#include "model/roles.h"

struct ids {
	uid_t uid;
	gid_t gid;
};

struct places {
	struct ids engine, sender, child; /* child: policy child and pavise-swarm */
	gid_t admin;			  /* of the control socket; 0 where the group does not exist */
	int programs_fd;		  /* the folder with the role programs */
	int run_fd;			  /* run_dir, locked: one launcher at a time */
	int control_fd;			  /* listening */
	int engine_fd;			  /* state_dir/engine */
	int evidence_fd;		  /* state_dir/evidence */
};

/* Users, and where the programs lie: beside this one. 0 or negative errno (told on the log). */
int places_find(struct places *p);
/* A rule file below rules/, opened: "ioc/exec.yaml". Negative: there is none that can be trusted (it was logged). */
int places_rules(const struct places *p, const char *name);
/* Folders and control socket of this policy. 0 or negative errno (told). */
int places_make(struct places *p, const struct policy *policy);

/* One program to start. It holds exactly the descriptors of `fds` (numbers as the role finds them), runs in its own
 * session with a small environment, and dies with SIGTERM when the launcher dies without a word. */
struct spawn {
	const char *program;
	char *const *argv;
	struct ids ids;
	uint64_t caps;
	const struct spawn_fd {
		int fd, as;
	} *fds;
	size_t n_fds;
	bool no_network; /* an empty network namespace, where the machine allows that */
	uint64_t cpu_s, file_bytes, memory_bytes; /* limits; 0: none */
};
/* *ret_pidfd is close-on-exec. A program that cannot be executed ends with ROLE_EXIT_CONFIG and says why. */
int spawn(const struct places *p, const struct spawn *s, pid_t *ret_pid, int *ret_pidfd);
/* Waits up to `ms` for the end of a child, kills it after that, and reaps it. Returns the exit status, or 128 + the
 * signal; -ETIMEDOUT when it had to be killed. Closes the pidfd. */
int spawn_wait(int pidfd, int ms);

/* Runs the policy child over the configuration files. 0 with a sealed memfd; else negative errno, and `err` holds the
 * lines to show (-ETIMEDOUT, -EAGAIN, -ENOMEM: not the configuration's fault); also where it went well: notes. `present`: version of the list of pools that is in force, 0: none. */
int child_policy(const struct places *p, const char *config, bool observe, uint64_t present, int *ret_fd, struct pv_buf *err);
/* The secrets of all channels as a sealed memfd (struct role_secrets). A file that is refused is told and left out. */
int child_secrets(const struct policy *policy, int *ret_fd);
/* Starts pavise-rules, which compiles the rules for logs. 0 or negative errno. */
struct rules_job {
	int pidfd, sock; /* -1: none runs */
};
int child_rules(const struct places *p, const struct policy *policy, struct rules_job *ret);
/* It has ended, or is to: 0 with the sealed memfd, -EBADMSG and its like when there is none. ret_fd NULL: its answer is not wanted. */
int child_rules_end(struct rules_job *job, int *ret_fd);
/* A sealed memfd with these bytes. */
int child_memfd(const char *name, const void *data, size_t len, int *ret_fd);

/* One-shot programs that the broker may not start itself; each has its time and is killed when that is over. */
enum shot_kind { SHOT_SWARM, SHOT_COLLECTOR, SHOT_KINDS };
#define SHOTS 25 /* more than may run at once: what was killed and does not die keeps its place, and no other's */
struct shots {
	struct shot {
		enum shot_kind kind;
		int pidfd; /* -1: free */
		uint64_t deadline_us; /* UINT64_MAX: it was killed */
	} at[SHOTS];
};
void shots_init(struct shots *s);
/* With the broker's descriptors. Which one it is, or negative: -EBUSY, -EINVAL (how many descriptors). */
int shots_start(struct shots *s, enum shot_kind kind, const struct places *p, const struct policy *policy, const int *fds, size_t n_fds);
uint64_t shots_next(const struct shots *s); /* the earliest deadline; UINT64_MAX: none */
void shots_end_late(struct shots *s, uint64_t now_us); /* kills; does not wait */
void shots_ended(struct shots *s, uint32_t which);     /* its pidfd says so */
void shots_stop(struct shots *s);

void service_start(void);			 /* takes $NOTIFY_SOCKET and $WATCHDOG_USEC out of the environment */
void service_notify(const char *state);		 /* "READY=1"; nothing where nobody listens */
uint64_t service_watchdog(uint64_t now_us);	 /* pats it when due; returns when to call again, UINT64_MAX: never */

#endif
